//! Bounds on hostile input, each with its reason.

use serde::{Deserialize, Serialize};

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// How much of a collection is read before a bound turns the rest into gaps.
///
/// A bound never ends a walk: what lies beyond it is told as a gap of kind `limit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Entries of one collection, and entries of the archives inside one of its entries. A triage container of a
    /// busy server has some 100,000; at most [`ENTRIES_CEILING`], which the numbering of entries allows for.
    pub entries_max: u64,
    /// Archives inside archives that are opened. Collectors nest twice (a protected container in a container), and
    /// people zip what they got once more.
    pub depth_max: u32,
    /// Folders inside folders. Windows paths rarely go deeper than 40.
    pub folder_depth_max: u32,
    /// Bytes of one plain file. Larger than any log or `$MFT`; a pagefile or a disk image is no item.
    pub item_bytes_max: u64,
    /// Bytes of one member or compressed log, once expanded. They may have to be spooled to disk.
    pub member_bytes_max: u64,
    /// Bytes that the archives inside one outermost archive expand to, and that its own members declare.
    pub expanded_bytes_max: u64,
    /// Expanded bytes for each stored byte, once more than [`Limits::ratio_free_bytes`] are expanded. Deflate ends
    /// at 1032, which only constant filling reaches; logs stay below 100.
    pub ratio_max: u64,
    /// Expanded bytes for which no ratio counts: preallocated event logs are mostly zeros and pack very well.
    pub ratio_free_bytes: u64,
    /// Bytes of one member kept in memory; the rest goes to an unlinked temporary file. An hour of web logs fits,
    /// and one for each level of nesting and worker stays small.
    pub spool_memory_bytes: u64,
    /// Memory that one decoder may take for its dictionary: `xz -9` and `7z -mx9` take 64 MiB.
    pub decoder_memory_bytes: u64,
}

/// Most entries of one archive or folder that can be numbered; see [`crate::Entry::ordinal`].
pub const ENTRIES_CEILING: u64 = (1 << 21) - 2;

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries_max: 1_000_000,
            depth_max: 4,
            folder_depth_max: 128,
            item_bytes_max: 64 * GIB,
            member_bytes_max: 16 * GIB,
            expanded_bytes_max: 256 * GIB,
            ratio_max: 1000,
            ratio_free_bytes: 64 * MIB,
            spool_memory_bytes: 16 * MIB,
            decoder_memory_bytes: 128 * MIB,
        }
    }
}

impl Limits {
    /// Most bytes that something of `stored_bytes` may expand to.
    pub(crate) fn expansion_max(&self, stored_bytes: u64) -> u64 {
        stored_bytes
            .saturating_mul(self.ratio_max)
            .max(self.ratio_free_bytes)
    }

    /// [`Limits::entries_max`] within what can be numbered.
    pub(crate) fn entries(&self) -> u64 {
        self.entries_max.min(ENTRIES_CEILING)
    }
}

/// How collections are opened.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Options {
    pub limits: Limits,
    /// For zip and 7z.
    pub password: Option<String>,
}
