//! The table of files of an NTFS volume (`$MFT`): every file there is, and deleted ones whose record was not used again.
//!
//! The table is read twice, front to back: first the folders, so that every file has a path, then the files. A record
//! holds two sets of times. Those of `$STANDARD_INFORMATION` are what programs see and may set; those of `$FILE_NAME`
//! are written when a file gets its name. A file whose first set is older than the second was copied with its times,
//! unpacked, or had its times set. All of them are fields: none dates the record, as none is safe from being set.

use super::record::{self, FileRecord, RECORD_BYTES, Slot, Stream, Times};
use super::{FOLDERS_MAX, Reference, UNKNOWN_FOLDER, drive};
use crate::little_endian::{shown, u32_at};
use crate::simple_record::SimpleRecord;
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{At, Fact, FileTimes, GapKind, SourceName};
use std::collections::BTreeMap;
use std::io::Read;

/// Folders that are kept for paths; a file server has some 100,000.
const FOLDERS_KEPT_MAX: usize = 1 << 20;

/// Bytes of their names together.
const NAMES_BYTES_MAX: usize = 64 << 20;

/// Content in a record that is shown, where it is text. A record of 1 KiB holds some 700 bytes of content.
const TEXT_BYTES_MAX: usize = 1_024;

/// Streams beside the content that are named.
const STREAMS_TOLD_MAX: usize = 8;

/// Script files whose times are told as facts; a server of Exchange has some 2,000.
const SCRIPTS_TOLD_MAX: u64 = 20_000;

/// The folder that all others lie in.
const ROOT: u64 = 5;

/// The table of files.
#[derive(Debug)]
pub(crate) struct FileTable;

impl Artifact for FileTable {
    fn kind(&self) -> &'static str {
        "ntfs.mft"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let name = model::file_name(probe.path).to_ascii_lowercase();
        let named = matches!(name.as_str(), "$mft" | "$mftmirr" | "mft" | "$mft.bin");
        // The first record is that of the table itself.
        let starts = probe.head.starts_with(b"FILE")
            && record_bytes(probe.head).is_some()
            && probe
                .head
                .windows(8)
                .take(1_024)
                .any(|name| name == b"$\0M\0F\0T\0");
        match (starts, named) {
            (true, _) => Match::Content,
            (false, true) => Match::Path,
            (false, false) => Match::No,
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(source())
    }

    fn keeps_rhythm(&self) -> bool {
        false
    }

    fn read(&self, item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let head = content.head();
        let size = record_bytes(head).unwrap_or(RECORD_BYTES[0]);
        if !head.starts_with(b"FILE") {
            let detail = "it does not begin as a table of files";
            sink.gap(GapKind::NotUnderstood, At::Item, (None, None), detail);
        }
        let mut folders = Folders::default();
        let mut first_pass = Records::new(content.stream(), size);
        while let Some((number, bytes)) = first_pass.next() {
            if let Slot::File(record) = record::read(bytes) {
                folders.add(number, &record);
            }
        }
        drop(first_pass);
        if folders.left_out > 0 {
            let detail = format!(
                "{} folders are beyond the bound on folders; paths below them are not whole",
                folders.left_out
            );
            sink.gap(GapKind::Limit, At::Item, (None, None), &detail);
        }
        let source = source();
        let mut scripts = 0;
        let mut records = Records::new(content.stream(), size);
        while let Some((number, bytes)) = records.next() {
            let at = At::Record(number);
            match record::read(bytes) {
                Slot::Empty => {}
                Slot::Damaged(reason) => sink.rejected(at, reason),
                Slot::File(record) => {
                    if record.cut_short {
                        let detail = "the attributes of a record end too early";
                        sink.gap(GapKind::Partial, at, (None, None), detail);
                    }
                    tell(&source, drive(item.path), number, &record, &folders, sink);
                    if let Some(times) = script_times(drive(item.path), &record, &folders) {
                        scripts += 1;
                        if scripts <= SCRIPTS_TOLD_MAX {
                            sink.fact(at, Fact::FileTimes(times));
                        }
                    }
                }
            }
        }
        if scripts > SCRIPTS_TOLD_MAX {
            let detail = format!(
                "times of {} script files are beyond the bound and were not compared with others",
                scripts - SCRIPTS_TOLD_MAX
            );
            sink.gap(GapKind::Limit, At::Item, (None, None), &detail);
        }
        if let Some(broken) = records.broken {
            sink.gap(
                GapKind::Partial,
                At::Offset(broken),
                (None, None),
                "the table breaks off",
            );
        }
    }
}

fn source() -> SourceName {
    SourceName::of("files", "mft")
}

/// Bytes of each record, as the first one says.
fn record_bytes(head: &[u8]) -> Option<usize> {
    let stated = u32_at(head, 28)? as usize;
    RECORD_BYTES.into_iter().find(|size| *size == stated)
}

/// The records of a table one after the other.
struct Records<'a> {
    stream: Box<dyn Read + 'a>,
    record: Vec<u8>,
    number: u64,
    /// Where the table ended within a record or could not be read.
    broken: Option<u64>,
}

impl<'a> Records<'a> {
    fn new(stream: Box<dyn Read + 'a>, size: usize) -> Self {
        Self {
            stream,
            record: vec![0; size],
            number: 0,
            broken: None,
        }
    }

    fn next(&mut self) -> Option<(u64, &mut [u8])> {
        let mut filled = 0;
        while filled < self.record.len() {
            match self.stream.read(&mut self.record[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_noted) => {
                    self.broken = Some(self.number * self.record.len() as u64 + filled as u64);
                    return None;
                }
            }
        }
        if filled == 0 {
            return None;
        }
        if filled < self.record.len() {
            self.broken = Some(self.number * self.record.len() as u64 + filled as u64);
            return None;
        }
        let number = self.number;
        self.number += 1;
        Some((number, &mut self.record))
    }
}

/// A folder, as far as paths need it.
struct Folder {
    parent: Reference,
    sequence: u16,
    in_use: bool,
    name_at: usize,
    name_bytes: usize,
}

/// All folders of a table.
#[derive(Default)]
struct Folders {
    by_number: BTreeMap<u64, Folder>,
    names: String,
    left_out: u64,
}

impl Folders {
    fn add(&mut self, number: u64, record: &FileRecord) {
        if !record.directory || record.base.is_some() {
            return;
        }
        let Some(name) = record.name() else {
            return;
        };
        if self.by_number.len() >= FOLDERS_KEPT_MAX
            || self.names.len() + name.text.len() > NAMES_BYTES_MAX
        {
            self.left_out += 1;
            return;
        }
        let folder = Folder {
            parent: name.parent,
            sequence: record.sequence,
            in_use: record.in_use,
            name_at: self.names.len(),
            name_bytes: name.text.len(),
        };
        self.names.push_str(&name.text);
        self.by_number.insert(number, folder);
    }

    /// The path of a name in this folder.
    fn path(&self, drive: &str, parent: Reference, name: &str) -> String {
        let mut names = vec![name];
        let mut at = parent;
        for _ in 0..FOLDERS_MAX {
            if at.number == ROOT {
                names.push(drive);
                names.reverse();
                return names.join("\\");
            }
            let Some(folder) = self.by_number.get(&at.number) else {
                break;
            };
            // When a folder is deleted its record counts one further, and its files still refer to the count before.
            let same = folder.sequence == at.sequence
                || (!folder.in_use && folder.sequence == at.sequence.wrapping_add(1));
            if !same {
                break;
            }
            let end = folder.name_at + folder.name_bytes;
            names.push(self.names.get(folder.name_at..end).unwrap_or_default());
            at = folder.parent;
        }
        names.push(UNKNOWN_FOLDER);
        names.push(drive);
        names.reverse();
        names.join("\\")
    }
}

/// Tells one file. A record that continues another, and one that has no name, is no file of its own.
fn tell(
    source: &SourceName,
    drive: &str,
    number: u64,
    record: &FileRecord,
    folders: &Folders,
    sink: &mut dyn Sink,
) {
    if record.base.is_some() {
        return;
    }
    let Some(name) = record.name() else {
        return;
    };
    let own = record.streams.iter().find(|stream| stream.name.is_empty());
    let standard = record.standard.unwrap_or_default();
    let (before, rounded) = doubts(&standard, &name.times);
    let told = SimpleRecord::new(source, At::Record(number))
        .with(
            "TargetFilename",
            folders.path(drive, name.parent, &name.text),
        )
        .with("name", name.text.as_str())
        .with("kind", if record.directory { "folder" } else { "file" })
        .with("deleted", if record.in_use { "" } else { "yes" })
        .with(
            "size",
            own.map(|stream| stream.size.to_string())
                .unwrap_or_default(),
        )
        .with(
            "record",
            Reference {
                number,
                sequence: record.sequence,
            }
            .to_string(),
        )
        .with("CreationUtcTime", shown(standard.created))
        .with("si_modified", shown(standard.modified))
        .with("si_changed", shown(standard.changed))
        .with("si_accessed", shown(standard.accessed))
        .with("fn_created", shown(name.times.created))
        .with("fn_modified", shown(name.times.modified))
        .with("fn_changed", shown(name.times.changed))
        .with("created_before_named", before)
        .with("created_on_a_whole_second", rounded)
        .with("streams", streams(&record.streams))
        .with("Contents", own.and_then(text).unwrap_or_default());
    sink.record(&told);
    // Where a download came from stands in a stream of its own, in the form of Sysmon's event 15.
    for stream in record
        .streams
        .iter()
        .filter(|stream| !stream.name.is_empty())
    {
        let Some(text) = text(stream) else {
            continue;
        };
        let path = folders.path(drive, name.parent, &name.text);
        let told = SimpleRecord::new(source, At::Record(number))
            .with("TargetFilename", format!("{path}:{}", stream.name))
            .with("name", stream.name.as_str())
            .with("kind", "stream")
            .with("deleted", if record.in_use { "" } else { "yes" })
            .with("size", stream.size.to_string())
            .with("Contents", text);
        sink.record(&told);
    }
}

/// The times of a file that a web server could run; `None` of any other.
fn script_times(drive: &str, record: &FileRecord, folders: &Folders) -> Option<FileTimes> {
    let name = record.name()?;
    if record.directory || record.base.is_some() || !pack::shipped_files::is_script(&name.text) {
        return None;
    }
    let standard = record.standard.unwrap_or_default();
    Some(FileTimes {
        path: folders.path(drive, name.parent, &name.text),
        created: standard.created,
        modified: standard.modified,
        named: name.times.created,
        deleted: !record.in_use,
    })
}

/// Signs that times were set: the file is older than its name, or was made on a whole second and its name was not.
fn doubts(standard: &Times, named: &Times) -> (&'static str, &'static str) {
    let (Some(created), Some(name)) = (standard.created, named.created) else {
        return ("", "");
    };
    let whole = created.subsec_nanosecond() == 0 && name.subsec_nanosecond() != 0;
    (
        if created < name { "yes" } else { "" },
        if whole { "yes" } else { "" },
    )
}

fn streams(streams: &[Stream]) -> String {
    let names: Vec<&str> = streams
        .iter()
        .map(|stream| stream.name.as_str())
        .filter(|name| !name.is_empty())
        .take(STREAMS_TOLD_MAX)
        .collect();
    names.join(", ")
}

/// Content that stands in the record, if it is text.
fn text(stream: &Stream) -> Option<String> {
    let bytes = stream.resident.as_ref()?;
    let bytes = &bytes[..bytes.len().min(TEXT_BYTES_MAX)];
    let text = crate::text::lines::head_text(bytes);
    let is_text = !text.is_empty()
        && !text
            .chars()
            .any(|c| c == char::REPLACEMENT_CHARACTER || (c.is_control() && !c.is_whitespace()));
    is_text.then_some(text)
}
