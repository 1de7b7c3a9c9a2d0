//! One chunk of an event log: its header, its checksums and its table of names.

use super::bytes::{array, u16_at, u32_at, u64_at};
use std::ops::Range;

pub(super) const CHUNK_BYTES: usize = 65_536;
pub(super) const CHUNK_HEADER_BYTES: usize = 512;
pub(super) const CHUNK_MAGIC: &[u8; 8] = b"ElfChnk\0";

/// Records that fit into a chunk: a head, a size and hardly any content each.
const RECORDS_MAX: u64 = CHUNK_BYTES as u64 / 28;

/// Where a chunk's header lists its names.
const NAME_TABLE: Range<usize> = 128..384;

/// Names that fit into a chunk: a link, a hash, a length and a zero each.
const NAMES_MAX: usize = CHUNK_BYTES / 10;

/// The flag of a chunk that was written without checksums.
const NO_CHECKSUM: u32 = 4;

/// What a chunk's header says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkHeader {
    pub(super) first_id: u64,
    pub(super) last_id: u64,
    /// Where the last record begins.
    pub(super) last_record: usize,
    /// Where free space begins.
    pub(super) free_space: usize,
    records_checksum: u32,
    flags: u32,
    header_checksum: u32,
}

impl ChunkHeader {
    /// Reads the header at the start of a chunk; `None` where it is none.
    pub(super) fn read(chunk: &[u8]) -> Option<Self> {
        let header = chunk.get(..CHUNK_HEADER_BYTES)?;
        if array::<8>(header, 0)? != *CHUNK_MAGIC {
            return None;
        }
        Some(Self {
            first_id: u64_at(header, 24)?,
            last_id: u64_at(header, 32)?,
            last_record: usize::try_from(u32_at(header, 44)?).ok()?,
            free_space: usize::try_from(u32_at(header, 48)?).ok()?,
            records_checksum: u32_at(header, 52)?,
            flags: u32_at(header, 120)?,
            header_checksum: u32_at(header, 124)?,
        })
    }

    /// Which checksum does not match.
    pub(super) fn checksum_fault(&self, chunk: &[u8]) -> Option<&'static str> {
        if self.flags & NO_CHECKSUM != 0 {
            return None;
        }
        let mut header = crc32fast::Hasher::new();
        header.update(chunk.get(..120).unwrap_or_default());
        header.update(chunk.get(128..CHUNK_HEADER_BYTES).unwrap_or_default());
        if header.finalize() != self.header_checksum {
            return Some("the checksum of this chunk's header does not match");
        }
        let records = chunk.get(CHUNK_HEADER_BYTES..self.free_space);
        if records.map(crc32fast::hash) != Some(self.records_checksum) {
            return Some("the checksum of this chunk's records does not match");
        }
        None
    }

    /// How many records the header counts behind the highest number that was found.
    pub(super) fn records_behind(&self, highest: Option<u64>) -> Option<u64> {
        let counted = self.last_id.checked_sub(self.first_id)?.checked_add(1)?;
        // An empty chunk, and a header that counts more than can fit, say nothing.
        if counted > RECORDS_MAX {
            return None;
        }
        let found = highest.unwrap_or(self.first_id.saturating_sub(1));
        self.last_id
            .checked_sub(found)
            .filter(|missing| *missing > 0)
    }
}

/// Whether every name that a chunk's table leads to lies within the chunk. Names are read where records refer to them,
/// so that a damaged table costs no record. A list that links back to itself ends there (evtx issues 263 and 290).
pub(super) fn names_are_sound(chunk: &[u8]) -> bool {
    let table = chunk.get(NAME_TABLE).unwrap_or_default();
    let mut links_left = NAMES_MAX;
    for head in table.as_chunks::<4>().0 {
        let mut next = u32::from_le_bytes(*head);
        while next != 0 && links_left > 0 {
            links_left -= 1;
            let Some(link) = link_at(chunk, next as usize) else {
                return false;
            };
            next = link;
        }
    }
    true
}

/// Where the name at `at` links to, if all of it lies within the chunk.
fn link_at(chunk: &[u8], at: usize) -> Option<u32> {
    let units = usize::from(u16_at(chunk, at.checked_add(6)?)?);
    let bytes = 8 + 2 * units + 2;
    chunk.get(at..at.checked_add(bytes)?)?;
    u32_at(chunk, at)
}
