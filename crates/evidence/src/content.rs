//! The bytes of one item, as readers get them: bounded, read-only, never a path.

use std::io::{self, Cursor, Read, Seek};

/// How many bytes of an item's beginning every recogniser may look at.
pub const HEAD_BYTES: usize = 64 * 1024;

/// Something to read and seek in.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

/// The bytes of one item.
pub trait Content {
    /// Size in bytes where the container knows it before reading. Archives may lie: never allocate by it.
    fn size(&self) -> Option<u64>;

    /// The first bytes, at most [`HEAD_BYTES`]; fewer where the item is shorter or breaks off.
    fn head(&mut self) -> &[u8];

    /// The whole item from its start, including the head. Readers that stop early are fine.
    fn stream(&mut self) -> Box<dyn Read + '_>;

    /// The whole item with random access; members of archives are spooled first, within the limits.
    fn seekable(&mut self) -> io::Result<Box<dyn ReadSeek + '_>>;

    /// The bytes of the file beside this one whose name is this one's with `ending` behind it, where the container
    /// gives it: a hive's transaction logs. `ending` is one of [`COMPANIONS`].
    fn companion(&mut self, _ending: &str) -> Option<Vec<u8>> {
        None
    }
}

/// What the names of files have behind that of the file they belong to.
pub const COMPANIONS: [&str; 2] = [".LOG1", ".LOG2"];

/// A companion that is larger is left out; Windows gives the transaction logs of a hive some MiB.
pub const COMPANION_BYTES_MAX: u64 = 64 << 20;

/// An item whose bytes are in memory.
#[derive(Clone, Debug)]
pub struct Bytes(pub Vec<u8>);

impl Content for Bytes {
    fn size(&self) -> Option<u64> {
        u64::try_from(self.0.len()).ok()
    }

    fn head(&mut self) -> &[u8] {
        &self.0[..self.0.len().min(HEAD_BYTES)]
    }

    fn stream(&mut self) -> Box<dyn Read + '_> {
        Box::new(Cursor::new(&self.0))
    }

    fn seekable(&mut self) -> io::Result<Box<dyn ReadSeek + '_>> {
        Ok(Box::new(Cursor::new(&self.0)))
    }
}
