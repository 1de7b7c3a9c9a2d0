//! Listings with a head that names columns: `Export-Csv` of `Get-ChildItem` or `Get-FileHash`, and what other tools
//! write alike.

use super::forms::is_absolute;
use super::{Files, sha256_of, size_of};
use crate::Sink;
use crate::text::damage::Damage;
use crate::text::lines::{Lines, Piece};
use crate::text::table::undoubled;
use evidence::Content;
use model::{At, ListedFile, windows_path};

/// Names under which tools give what a listing is of, the surest first; all in lower case.
const PATH_NAMES: [&str; 9] = [
    "fullname",
    "full_path",
    "fullpath",
    "ospath",
    "path",
    "filepath",
    "file_path",
    "file",
    "filename",
];
const SIZE_NAMES: [&str; 5] = ["length", "size", "filesize", "file_size", "bytes"];
const HASH_NAMES: [&str; 6] = [
    "sha256",
    "sha-256",
    "sha256hash",
    "filehash",
    "file_hash",
    "hash",
];
const MODIFIED_NAMES: [&str; 6] = [
    "lastwritetimeutc",
    "lastwritetime",
    "modified",
    "mtime",
    "lastmodified",
    "last_modified",
];

/// Where the columns that matter stand.
pub(super) struct Columns {
    count: usize,
    path: usize,
    size: Option<usize>,
    hash: Option<usize>,
    modified: Option<usize>,
}

impl Columns {
    /// Reads a head; `None` where it names no path or nothing besides that belongs to a file.
    pub(super) fn of_head(line: &str, delimiter: u8) -> Option<Self> {
        let names: Vec<String> = line
            .trim()
            .split(char::from(delimiter))
            .map(|name| name.trim().trim_matches('"').to_ascii_lowercase())
            .collect();
        let find = |wanted: &[&str]| {
            wanted
                .iter()
                .find_map(|wanted| names.iter().position(|name| name == wanted))
        };
        let (size, hash, modified) = (find(&SIZE_NAMES), find(&HASH_NAMES), find(&MODIFIED_NAMES));
        (size.is_some() || hash.is_some() || modified.is_some()).then_some(())?;
        Some(Self {
            count: names.len(),
            path: find(&PATH_NAMES)?,
            size,
            hash,
            modified,
        })
    }

    /// Whether the row names a file by an absolute path.
    pub(super) fn has_path(&self, row: &str, delimiter: u8) -> bool {
        fields(row.as_bytes(), delimiter)
            .get(self.path)
            .is_some_and(|path| is_absolute(path.trim()))
    }
}

/// Reads a whole listing.
pub(super) fn read(
    delimiter: u8,
    content: &mut dyn Content,
    sink: &mut dyn Sink,
    files: &mut Files<'_>,
) {
    let mut columns: Option<Columns> = None;
    let mut damage = Damage::default();
    let mut lines = Lines::new(content.stream());
    while let Some(piece) = lines.next() {
        let line = match piece {
            Piece::Line(line) => line,
            Piece::TooLong { number } => {
                sink.rejected(At::Line(number), "line too long");
                damage.rejected(number, "line too long", None);
                continue;
            }
            Piece::Nuls {
                number,
                offset,
                bytes,
            } => {
                damage.nuls(number, offset, bytes);
                continue;
            }
            Piece::Broken { offset } => {
                damage.broken(offset);
                continue;
            }
        };
        let text = String::from_utf8_lossy(line.bytes);
        if text.trim().is_empty() || text.starts_with('#') {
            continue;
        }
        if let Some(head) = Columns::of_head(&text, delimiter) {
            columns = Some(head);
            continue;
        }
        let result = match &columns {
            Some(columns) => row(line.bytes, delimiter, columns),
            None => Err("no head"),
        };
        match result {
            Ok((file, modified)) => {
                damage.read(None, sink);
                files.record(line.number, &text, &file, &modified, sink);
            }
            Err(reason) => {
                sink.rejected(At::Line(line.number), reason);
                damage.rejected(line.number, reason, None);
            }
        }
    }
    damage.finish(None, sink);
}

fn row(
    line: &[u8],
    delimiter: u8,
    columns: &Columns,
) -> Result<(ListedFile, String), &'static str> {
    let fields = fields(line, delimiter);
    if fields.len() < columns.count {
        return Err("fewer fields than the head");
    }
    if fields.len() > columns.count {
        return Err("more tokens than fields");
    }
    let field = |column: usize| fields.get(column).map_or("", |field| field.trim());
    let path = field(columns.path);
    if !is_absolute(path) {
        return Err("no path");
    }
    let file = ListedFile {
        path: windows_path(path),
        size: columns.size.and_then(|column| size_of(field(column))),
        sha256: columns.hash.and_then(|column| sha256_of(field(column))),
    };
    let modified = columns.modified.map_or("", field).to_owned();
    Ok((file, modified))
}

/// Fields with their quotes undone.
fn fields(line: &[u8], delimiter: u8) -> Vec<String> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix(b"\"") {
            Some(inner) => quoted(inner),
            None => match memchr::memchr(delimiter, rest) {
                Some(end) => (
                    rest.get(..end).unwrap_or_default().to_vec(),
                    rest.get(end..),
                ),
                None => (rest.to_vec(), None),
            },
        };
        fields.push(String::from_utf8_lossy(&field).into_owned());
        match after
            .and_then(|after| memchr::memchr(delimiter, after).and_then(|at| after.get(at + 1..)))
        {
            Some(next) => rest = next,
            None => return fields,
        }
    }
}

/// A field after its opening quote, and what follows the closing one.
fn quoted(inner: &[u8]) -> (Vec<u8>, Option<&[u8]>) {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'"', inner.get(at..).unwrap_or_default()) {
        at += found;
        if inner.get(at + 1) == Some(&b'"') {
            at += 2;
            continue;
        }
        let field = inner.get(..at).unwrap_or_default();
        return (undoubled(field, b'"'), inner.get(at + 1..));
    }
    (undoubled(inner, b'"'), None)
}
