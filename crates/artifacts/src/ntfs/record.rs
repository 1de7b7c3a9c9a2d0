//! One record of the table of files.
//!
//! Format: "File record", "Attributes" in the documentation of the Linux NTFS project
//! (<https://flatcap.github.io/linux-ntfs/ntfs/>), and
//! <https://github.com/libyal/libfsntfs/blob/main/documentation/New%20Technologies%20File%20System%20(NTFS).asciidoc>.

use super::Reference;
use crate::little_endian::{filetime_at, u16_at, u32_at, u64_at, utf16};
use model::Timestamp;

/// Sizes that a record has.
pub(super) const RECORD_BYTES: [usize; 2] = [1_024, 4_096];

/// The last two bytes of each such stretch of a record tell whether it was written whole.
const SECTOR_BYTES: usize = 512;

/// Attributes of one record; a record of 4 KiB has no room for more.
const ATTRIBUTES_MAX: usize = 256;

/// Names and streams of one record that are kept.
const NAMES_MAX: usize = 64;

const STANDARD_INFORMATION: u32 = 0x10;
const FILE_NAME: u32 = 0x30;
const DATA: u32 = 0x80;
const END: u32 = u32::MAX;

/// The times that an attribute keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) created: Option<Timestamp>,
    pub(super) modified: Option<Timestamp>,
    pub(super) changed: Option<Timestamp>,
    pub(super) accessed: Option<Timestamp>,
}

impl Times {
    fn at(bytes: &[u8], at: usize) -> Self {
        Self {
            created: filetime_at(bytes, at),
            modified: filetime_at(bytes, at + 8),
            changed: filetime_at(bytes, at + 16),
            accessed: filetime_at(bytes, at + 24),
        }
    }
}

/// A name of a file, and the folder it stands in.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) parent: Reference,
    pub(super) times: Times,
    pub(super) text: String,
    /// Made for old programs, beside the long one.
    pub(super) short: bool,
}

/// Bytes of a file.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    /// Empty for the file's own content.
    pub(super) name: String,
    pub(super) size: u64,
    /// Content that stands in the record itself.
    pub(super) resident: Option<Vec<u8>>,
}

/// One record.
#[derive(Clone, Debug)]
pub(super) struct FileRecord {
    pub(super) sequence: u16,
    pub(super) in_use: bool,
    pub(super) directory: bool,
    /// The record that this one continues, where it does.
    pub(super) base: Option<Reference>,
    pub(super) standard: Option<Times>,
    pub(super) names: Vec<Name>,
    pub(super) streams: Vec<Stream>,
    /// Whether its attributes end before their list says so.
    pub(super) cut_short: bool,
}

impl FileRecord {
    /// The record's name: the long one where it has two.
    pub(super) fn name(&self) -> Option<&Name> {
        let long = self.names.iter().find(|name| !name.short);
        long.or_else(|| self.names.first())
    }
}

/// What stands where a record may be.
pub(super) enum Slot {
    /// Never used.
    Empty,
    File(Box<FileRecord>),
    Damaged(&'static str),
}

/// Reads the record in `bytes`, whose torn-write marks are replaced by what they stand for.
pub(super) fn read(bytes: &mut [u8]) -> Slot {
    match bytes.get(..4) {
        Some(b"FILE") => {}
        Some(b"BAAD") => return Slot::Damaged("a record that a check of the disk found damaged"),
        Some([0, 0, 0, 0]) => return Slot::Empty,
        _ => return Slot::Damaged("a record does not begin as one"),
    }
    if restore(bytes).is_none() {
        return Slot::Damaged("a record was not written whole");
    }
    match parse(bytes) {
        Some(record) => Slot::File(Box::new(record)),
        None => Slot::Damaged("the head of a record is damaged"),
    }
}

/// Puts back the last bytes of each sector, which NTFS keeps in the record's head.
fn restore(bytes: &mut [u8]) -> Option<()> {
    let array = usize::from(u16_at(bytes, 4)?);
    let count = usize::from(u16_at(bytes, 6)?);
    let mark = u16_at(bytes, array)?;
    if count == 0 || (count - 1) * SECTOR_BYTES > bytes.len() {
        return None;
    }
    for sector in 1..count {
        let own = u16_at(bytes, array + sector * 2)?;
        let at = sector * SECTOR_BYTES - 2;
        if u16_at(bytes, at)? != mark {
            return None;
        }
        bytes
            .get_mut(at..at + 2)?
            .copy_from_slice(&own.to_le_bytes());
    }
    Some(())
}

fn parse(bytes: &[u8]) -> Option<FileRecord> {
    const IN_USE: u16 = 1;
    const DIRECTORY: u16 = 2;
    let flags = u16_at(bytes, 22)?;
    let used = (u32_at(bytes, 24)? as usize).min(bytes.len());
    let base = u64_at(bytes, 32)?;
    let mut record = FileRecord {
        sequence: u16_at(bytes, 16)?,
        in_use: flags & IN_USE != 0,
        directory: flags & DIRECTORY != 0,
        base: (base != 0).then(|| Reference::of(base)),
        standard: None,
        names: Vec::new(),
        streams: Vec::new(),
        cut_short: false,
    };
    let used = bytes.get(..used)?;
    let mut at = usize::from(u16_at(bytes, 20)?);
    for _ in 0..ATTRIBUTES_MAX {
        let kind = u32_at(used, at);
        if kind == Some(END) {
            return Some(record);
        }
        let attribute = kind.and_then(|kind| {
            let length = u32_at(used, at + 4)? as usize;
            let whole = used.get(at..at.checked_add(length)?)?;
            (length >= 16).then_some((kind, whole))
        });
        let Some((kind, attribute)) = attribute else {
            break;
        };
        if take(&mut record, kind, attribute).is_none() {
            record.cut_short = true;
        }
        at += attribute.len();
    }
    record.cut_short = true;
    Some(record)
}

/// Takes what an attribute says into the record.
fn take(record: &mut FileRecord, kind: u32, attribute: &[u8]) -> Option<()> {
    let resident = *attribute.get(8)? == 0;
    let content = || {
        let length = u32_at(attribute, 16)? as usize;
        let start = usize::from(u16_at(attribute, 20)?);
        attribute.get(start..start.checked_add(length)?)
    };
    match kind {
        STANDARD_INFORMATION => {
            let content = content()?;
            record.standard = Some(Times::at(content.get(..32)?, 0));
        }
        FILE_NAME if record.names.len() < NAMES_MAX => {
            const DOS: u8 = 2;
            let content = content()?;
            let length = usize::from(*content.get(64)?) * 2;
            record.names.push(Name {
                parent: Reference::of(u64_at(content, 0)?),
                times: Times::at(content, 8),
                text: utf16(content.get(66..66 + length)?),
                short: *content.get(65)? == DOS,
            });
        }
        DATA if record.streams.len() < NAMES_MAX => {
            let name_at = usize::from(u16_at(attribute, 10)?);
            let name_bytes = usize::from(*attribute.get(9)?) * 2;
            let name = utf16(attribute.get(name_at..name_at + name_bytes)?);
            let (size, resident) = if resident {
                let content = content()?;
                (content.len() as u64, Some(content.to_vec()))
            } else {
                // What continues a stream in another record does not tell its size.
                if u64_at(attribute, 16)? != 0 {
                    return Some(());
                }
                (u64_at(attribute, 48)?, None)
            };
            record.streams.push(Stream {
                name,
                size,
                resident,
            });
        }
        _ => {}
    }
    Some(())
}
