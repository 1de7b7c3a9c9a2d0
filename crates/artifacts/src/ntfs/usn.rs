//! The journal of changes of an NTFS volume (`$Extend\$UsnJrnl`, stream `$J`): files that were made, renamed, changed and
//! deleted, each with the time at which the file system wrote it down.
//!
//! Format: `USN_RECORD_V2`, `_V3`, `_V4`
//! (<https://learn.microsoft.com/en-us/windows/win32/api/winioctl/ns-winioctl-usn_record_v2>). Windows drops the oldest
//! part of the journal and leaves zeros in its place; a copy may begin with gigabytes of them. A record names its file
//! and refers to the folder by number; folders that the journal itself tells of give paths as far as they reach.

use super::{FOLDERS_MAX, Reference, UNKNOWN_FOLDER, drive};
use crate::little_endian::{filetime_at, u16_at, u32_at, u64_at, utf16};
use crate::simple_record::SimpleRecord;
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{At, GapKind, SourceName, Timestamp};
use std::collections::BTreeMap;
use std::io::Read;

/// Records do not cross pages of this size.
const PAGE_BYTES: usize = 4_096;

/// The fields of a record before its name, in the shorter form.
const HEAD_BYTES: usize = 60;

/// Folders that are kept for paths.
const FOLDERS_KEPT_MAX: usize = 200_000;

/// Bytes read at once.
const CHUNK_BYTES: usize = 256 * PAGE_BYTES;

const DIRECTORY: u32 = 0x10;

/// What happened, by bit.
const REASONS: [(u32, &str); 21] = [
    (0x0000_0001, "data overwritten"),
    (0x0000_0002, "data appended"),
    (0x0000_0004, "data truncated"),
    (0x0000_0010, "stream overwritten"),
    (0x0000_0020, "stream appended"),
    (0x0000_0040, "stream truncated"),
    (0x0000_0100, "created"),
    (0x0000_0200, "deleted"),
    (0x0000_0400, "extended attributes changed"),
    (0x0000_0800, "security changed"),
    (0x0000_1000, "renamed from"),
    (0x0000_2000, "renamed to"),
    (0x0000_4000, "indexing changed"),
    (0x0000_8000, "times or attributes set"),
    (0x0001_0000, "hard link changed"),
    (0x0002_0000, "compression changed"),
    (0x0004_0000, "encryption changed"),
    (0x0008_0000, "object id changed"),
    (0x0010_0000, "reparse point changed"),
    (0x0020_0000, "stream named"),
    (0x8000_0000, "closed"),
];

const CREATED: u32 = 0x100;
const DELETED: u32 = 0x200;
const RENAMED: u32 = 0x3000;

/// The journal of changes.
#[derive(Debug)]
pub(crate) struct ChangeJournal;

impl Artifact for ChangeJournal {
    fn kind(&self) -> &'static str {
        "ntfs.usn"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let name = model::file_name(probe.path).to_ascii_lowercase();
        // Collectors name the stream in several ways.
        let named = matches!(
            name.as_str(),
            "$j" | "$usnjrnl" | "$usnjrnl:$j" | "$usnjrnl_$j" | "$usnjrnl%3a$j" | "$usnjrnl$j"
        );
        let starts = Entry::at(probe.head, 0).is_some_and(|entry| entry.name.is_some());
        match (starts, named) {
            (true, _) => Match::Content,
            (false, true) => Match::Path,
            (false, false) => Match::No,
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::of("files", "usn"))
    }

    fn keeps_rhythm(&self) -> bool {
        false
    }

    fn read(&self, item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let mut journal = Journal {
            sources: Sources::new(),
            drive: drive(item.path),
            folders: BTreeMap::new(),
            folders_left_out: false,
            first: None,
            damaged: None,
        };
        let mut stream = content.stream();
        let mut page = vec![0; CHUNK_BYTES];
        let mut offset = 0_u64;
        loop {
            let (filled, broken) = fill(&mut *stream, &mut page);
            for (number, page) in page[..filled].chunks(PAGE_BYTES).enumerate() {
                journal.page(offset + (number * PAGE_BYTES) as u64, page, sink);
            }
            offset += filled as u64;
            if broken {
                let at = At::Offset(offset);
                sink.gap(
                    GapKind::Partial,
                    at,
                    (None, None),
                    "the journal cannot be read any further",
                );
            }
            if broken || filled < page.len() {
                break;
            }
        }
        journal.finish(sink);
    }
}

/// Reads until the buffer is full or the stream ends; whether it failed.
fn fill(stream: &mut dyn Read, buffer: &mut [u8]) -> (usize, bool) {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_told) => return (filled, true),
        }
    }
    (filled, false)
}

/// One record.
struct Entry {
    length: usize,
    file: Reference,
    parent: Reference,
    usn: u64,
    time: Option<Timestamp>,
    reason: u32,
    attributes: u32,
    /// Records of version 4 tell of ranges of a file and have no name; one of version 2 or 3 comes with each.
    name: Option<String>,
}

impl Entry {
    /// The record at an offset of a page; `None` where none can stand there.
    fn at(page: &[u8], at: usize) -> Option<Self> {
        let length = u32_at(page, at)? as usize;
        if !(HEAD_BYTES..=PAGE_BYTES).contains(&length) || !length.is_multiple_of(8) {
            return None;
        }
        let entry = page.get(at..at.checked_add(length)?)?;
        let reference = |at: usize| u64_at(entry, at).map(Reference::of);
        // From version 3 on references have 128 bits; NTFS uses the lower half.
        let (file, parent, rest) = match (u16_at(entry, 4)?, u16_at(entry, 6)?) {
            (2, 0) => (reference(8)?, reference(16)?, 24),
            (3, 0) => (reference(8)?, reference(24)?, 40),
            (4, 0) => {
                return Some(Self {
                    length,
                    file: reference(8)?,
                    parent: reference(24)?,
                    usn: u64_at(entry, 40)?,
                    time: None,
                    reason: u32_at(entry, 48)?,
                    attributes: 0,
                    name: None,
                });
            }
            _ => return None,
        };
        let name_bytes = usize::from(u16_at(entry, rest + 32)?);
        let name_at = usize::from(u16_at(entry, rest + 34)?);
        let name = entry.get(name_at..name_at.checked_add(name_bytes)?)?;
        Some(Self {
            length,
            file,
            parent,
            usn: u64_at(entry, rest)?,
            time: filetime_at(entry, rest + 8),
            reason: u32_at(entry, rest + 16)?,
            attributes: u32_at(entry, rest + 28)?,
            name: Some(utf16(name)),
        })
    }
}

/// Records are of a source by what happened, so that rules can ask for it.
struct Sources {
    created: SourceName,
    deleted: SourceName,
    renamed: SourceName,
    changed: SourceName,
}

impl Sources {
    fn new() -> Self {
        let source = |what: &str| SourceName::of("usn", what);
        Self {
            created: source("created"),
            deleted: source("deleted"),
            renamed: source("renamed"),
            changed: source("changed"),
        }
    }

    fn of(&self, reason: u32) -> &SourceName {
        if reason & DELETED != 0 {
            &self.deleted
        } else if reason & CREATED != 0 {
            &self.created
        } else if reason & RENAMED != 0 {
            &self.renamed
        } else {
            &self.changed
        }
    }
}

struct Journal<'a> {
    sources: Sources,
    drive: &'a str,
    /// Folders that the journal told of so far: where they lie, and their names.
    folders: BTreeMap<Reference, (Reference, String)>,
    folders_left_out: bool,
    /// When the oldest record was written.
    first: Option<Timestamp>,
    /// Where damage began that has not ended.
    damaged: Option<u64>,
}

impl Journal<'_> {
    fn page(&mut self, offset: u64, page: &[u8], sink: &mut dyn Sink) {
        let mut at = 0;
        while at + 8 <= page.len() {
            let rest = &page[at..];
            // Zeros fill a page behind its last record.
            if u32_at(rest, 0) == Some(0) {
                if rest.iter().all(|byte| *byte == 0) {
                    return;
                }
                at += 8;
                continue;
            }
            let Some(entry) = Entry::at(page, at) else {
                if self.damaged.is_none() {
                    let damaged = offset + at as u64;
                    self.damaged = Some(damaged);
                    sink.rejected(At::Offset(damaged), "a record of the journal is damaged");
                }
                at += 8;
                continue;
            };
            self.damaged = None;
            self.entry(offset + at as u64, &entry, sink);
            at += entry.length;
        }
    }

    fn entry(&mut self, offset: u64, entry: &Entry, sink: &mut dyn Sink) {
        let Some(name) = &entry.name else {
            return;
        };
        self.first = self.first.or(entry.time);
        if entry.attributes & DIRECTORY != 0 {
            if self.folders.len() < FOLDERS_KEPT_MAX || self.folders.contains_key(&entry.file) {
                self.folders
                    .insert(entry.file, (entry.parent, name.clone()));
            } else {
                self.folders_left_out = true;
            }
        }
        let reasons: Vec<&str> = REASONS
            .iter()
            .filter(|(bit, _)| entry.reason & bit != 0)
            .map(|(_, word)| *word)
            .collect();
        let mut record = SimpleRecord::new(self.sources.of(entry.reason), At::Offset(offset))
            .with("TargetFilename", self.path(entry.parent, name))
            .with("name", name.as_str())
            .with(
                "kind",
                if entry.attributes & DIRECTORY != 0 {
                    "folder"
                } else {
                    "file"
                },
            )
            .with("reason", reasons.join(", "))
            .with("record", entry.file.to_string())
            .with("parent", entry.parent.to_string())
            .with("usn", entry.usn.to_string());
        record.time = entry.time;
        sink.record(&record);
    }

    fn path(&self, parent: Reference, name: &str) -> String {
        /// The folder that all others lie in.
        const ROOT: u64 = 5;
        let mut names = vec![name];
        let mut at = parent;
        for _ in 0..FOLDERS_MAX {
            if at.number == ROOT {
                names.push(self.drive);
                names.reverse();
                return names.join("\\");
            }
            let Some((parent, name)) = self.folders.get(&at) else {
                break;
            };
            names.push(name);
            at = *parent;
        }
        names.push(UNKNOWN_FOLDER);
        names.push(self.drive);
        names.reverse();
        names.join("\\")
    }

    fn finish(self, sink: &mut dyn Sink) {
        if self.folders_left_out {
            let detail = "more folders than are kept; some paths are not as whole as they could be";
            sink.gap(GapKind::Limit, At::Item, (None, None), detail);
        }
        if let Some(first) = self.first {
            let detail = "the journal reaches back only to its oldest record";
            sink.gap(
                GapKind::OutOfRetention,
                At::Item,
                (None, Some(first)),
                detail,
            );
        }
    }
}
