//! Numbers, times and texts as Windows writes them, at places that the evidence names: nothing is there unless it is
//! there whole.

use model::Timestamp;

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// Tenths of microseconds since 1601 (MS-DTYP 2.3.3); zero is no time.
pub(crate) fn filetime(ticks: u64) -> Option<Timestamp> {
    const SECONDS_1601_TO_1970: i64 = 11_644_473_600;
    let ticks = i64::try_from(ticks).ok().filter(|ticks| *ticks > 0)?;
    let seconds = ticks / 10_000_000 - SECONDS_1601_TO_1970;
    let nanoseconds = i32::try_from(ticks % 10_000_000 * 100).ok()?;
    Timestamp::new(seconds, nanoseconds).ok()
}

/// [`filetime`] at a place.
pub(crate) fn filetime_at(bytes: &[u8], at: usize) -> Option<Timestamp> {
    filetime(u64_at(bytes, at)?)
}

/// UTF-16 up to its first zero; what is no character is replaced.
pub(crate) fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .take_while(|unit| *unit != 0)
        .collect();
    String::from_utf16_lossy(&units)
}

/// A time as fields show it; empty where there is none.
pub(crate) fn shown(time: Option<Timestamp>) -> String {
    time.map(|time| time.to_string()).unwrap_or_default()
}
