//! Bounded reads of little-endian numbers: every bound of a log's bytes is checked here.

/// Why something in a log cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault(pub(super) &'static str);

/// The bytes at `at`, as an array.
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}

/// A place in some bytes that moves on with each read, and never behind `end`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Reads `bytes` from `at` up to `end`; places stay those of `bytes`.
    pub(super) fn new(bytes: &'a [u8], at: usize, end: usize) -> Result<Self, Fault> {
        let bytes = bytes.get(..end).ok_or(Fault("a range is out of bounds"))?;
        if at > end {
            return Err(Fault("a place is out of bounds"));
        }
        Ok(Self { bytes, at })
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..count).ok_or(Fault("it is cut off"))?;
        self.at += count;
        Ok(taken)
    }

    pub(super) fn skip(&mut self, count: usize) -> Result<(), Fault> {
        self.take(count).map(|_skipped| ())
    }

    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        Ok(u8::from_le_bytes(self.fixed()?))
    }

    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        Ok(u16::from_le_bytes(self.fixed()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_le_bytes(self.fixed()?))
    }

    /// A number that counts or points within a chunk.
    pub(super) fn size(&mut self) -> Result<usize, Fault> {
        usize::try_from(self.u32()?).map_err(|_too_large| Fault("a size is out of bounds"))
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let value = array(self.bytes, self.at).ok_or(Fault("it is cut off"))?;
        self.at += N;
        Ok(value)
    }
}
