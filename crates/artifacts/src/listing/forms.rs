//! Tells the forms of file listings apart by their first lines.

use super::delimited::Columns;
use super::directory::{block_field, folder_heading, is_entry};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One absolute path a line.
    Paths,
    /// Headings with a folder, then its entries: `dir /s`, `Get-ChildItem -Recurse`.
    Directory,
    /// `Name : value` lines in blocks: `Format-List`.
    Blocks,
    /// A head that names columns, one of them paths.
    Delimited(u8),
}

/// Lines of the head that are looked at.
const LINES_LOOKED_AT: usize = 40;

/// The form that the first lines show; `None` where they are no listing.
pub(super) fn form_of(text: &str) -> Option<Form> {
    let lines: Vec<&str> = text
        .lines()
        .take(LINES_LOOKED_AT)
        .filter(|line| !line.trim().is_empty())
        .collect();
    let first = lines.iter().find(|line| !line.starts_with('#'))?;
    for delimiter in [b',', b';', b'\t'] {
        let Some(columns) = Columns::of_head(first, delimiter) else {
            continue;
        };
        // A table of relative paths is something else, such as knowledge about shipped files.
        let row = lines.iter().skip_while(|line| line != &first).nth(1);
        if row.is_none_or(|row| columns.has_path(row, delimiter)) {
            return Some(Form::Delimited(delimiter));
        }
    }
    let heading = lines.iter().position(|line| folder_heading(line).is_some());
    if let Some(heading) = heading
        && lines.iter().skip(heading + 1).any(|line| is_entry(line))
    {
        return Some(Form::Directory);
    }
    if lines.iter().any(|line| {
        block_field(line).is_some_and(|(name, value)| {
            matches!(name.as_str(), "fullname" | "path") && is_absolute(value)
        })
    }) {
        return Some(Form::Blocks);
    }
    // A note may mention a path; a listing is hardly anything else. The last line of the head may be cut.
    let whole = lines.len().saturating_sub(1).max(1);
    let paths = lines
        .iter()
        .take(whole)
        .filter(|line| is_absolute(line.trim().trim_matches('"')))
        .count();
    let begins_with_path = is_absolute(first.trim().trim_matches('"'));
    (begins_with_path && lines.len() >= 2 && paths * 4 >= whole * 3).then_some(Form::Paths)
}

/// Whether a text is an absolute Windows path: `C:\…`, `C:/…` or `\\server\…`.
pub(super) fn is_absolute(path: &str) -> bool {
    let is_drive = matches!(
        path.as_bytes(),
        [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic()
    );
    (is_drive || path.starts_with("\\\\"))
        && path.len() <= 32_767
        && !path.contains(['<', '>', '|', '"', '\t', '*'])
}
