//! What NTFS keeps of its own files: the table of them (`$MFT`) and the journal of their changes (`$UsnJrnl:$J`).

pub(crate) mod mft;
mod record;
pub(crate) mod usn;

#[cfg(test)]
mod tests;

/// Between the names of a path whose folder is not known.
const UNKNOWN_FOLDER: &str = "…";

/// Folders in folders that are followed. Paths of Windows have at most 32,767 characters; a circle must end.
const FOLDERS_MAX: usize = 256;

/// The drive that an item's own path begins with, as `C:`.
fn drive(path: &str) -> &str {
    match path.as_bytes() {
        [letter, b':', ..] if letter.is_ascii_alphabetic() => &path[..2],
        _ => "",
    }
}

/// A reference to a record of the table: its number and how often the record had been used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Reference {
    number: u64,
    sequence: u16,
}

impl Reference {
    /// 48 bits of number and 16 of sequence.
    fn of(raw: u64) -> Self {
        const NUMBER: u64 = (1 << 48) - 1;
        Self {
            number: raw & NUMBER,
            sequence: u16::try_from(raw >> 48).unwrap_or(0),
        }
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.number, self.sequence)
    }
}
