//! Transaction logs of a hive (`SYSTEM.LOG1`, `SYSTEM.LOG2`): what had not reached the hive's own file.
//!
//! <https://github.com/msuhanov/regf/blob/master/Windows%20registry%20file%20format%20specification.md>, "Format of
//! transaction log files" and "Dirty state". From Windows 8.1 on a log holds writes one after the other, each numbered,
//! with a hash over itself; before, it holds one write with a map of its pages. Bytes of a log take the place of the
//! hive's own in memory only.

use super::hive::{Recovered, is_checksum_right, number};
use std::collections::BTreeMap;

/// Logs are sized like the hive's changes between two flushes; Windows gives them some MiB.
pub(super) const LOG_BYTES_MAX: u64 = 64 << 20;

/// Unit of everything in a log.
const SECTOR_BYTES: usize = 512;

/// The hive's bins begin behind a header of 4 KiB.
const HEADER_BYTES: u64 = 4_096;

/// Fields before the list of pages of a write.
const WRITE_HEAD_BYTES: usize = 40;

/// Seed of the hash, from the specification.
const SEED: u64 = 0x82ef_4d88_7a4e_55c5;

/// Sectors of a hive of 2 GiB, the largest there is.
const SECTORS_MAX: usize = 1 << 22;

/// One transaction log.
pub(super) struct Log {
    bytes: Vec<u8>,
    /// Whether it is of the kind before Windows 8.1.
    old: bool,
}

impl Log {
    /// A file that begins as a log does.
    pub(super) fn open(bytes: Vec<u8>) -> Option<Self> {
        let base = bytes.get(..SECTOR_BYTES)?;
        if !base.starts_with(b"regf") || !is_checksum_right(base) {
            return None;
        }
        let old = match number(base, 28)? {
            6 => false,
            1 | 2 => true,
            _ => return None,
        };
        Some(Self { bytes, old })
    }

    /// Writes that are whole and follow one another, in order.
    fn writes(&self) -> Vec<Write> {
        let mut writes: Vec<Write> = Vec::new();
        let mut at = SECTOR_BYTES;
        while let Some(write) = Write::at(&self.bytes, at) {
            if let Some(last) = writes.last()
                && write.number != last.number.wrapping_add(1)
            {
                break;
            }
            at = write.end;
            writes.push(write);
        }
        writes
    }

    /// The pages of the one write of an old log.
    fn old_pages(&self) -> Vec<Page> {
        let mut pages = Vec::new();
        if self.bytes.get(SECTOR_BYTES..SECTOR_BYTES + 4) != Some(b"DIRT") {
            return pages;
        }
        let bins = number(&self.bytes, 40).unwrap_or(0) as usize;
        let sectors = (bins / SECTOR_BYTES).min(SECTORS_MAX);
        let map_at = SECTOR_BYTES + 4;
        let mut from = (map_at + sectors.div_ceil(8)).next_multiple_of(SECTOR_BYTES);
        for sector in 0..sectors {
            let Some(byte) = self.bytes.get(map_at + sector / 8) else {
                break;
            };
            if byte & (1 << (sector % 8)) == 0 {
                continue;
            }
            if self.bytes.len() < from + SECTOR_BYTES {
                break;
            }
            pages.push(Page {
                hive_at: HEADER_BYTES + (sector * SECTOR_BYTES) as u64,
                log_at: from,
                bytes: SECTOR_BYTES,
            });
            from += SECTOR_BYTES;
        }
        pages
    }
}

/// A stretch of a log that takes the place of one in the hive.
#[derive(Clone, Copy, Debug)]
struct Page {
    hive_at: u64,
    log_at: usize,
    bytes: usize,
}

/// One numbered write.
#[derive(Debug)]
struct Write {
    number: u32,
    /// Bytes of the hive's bins after it.
    bins_bytes: u32,
    pages: Vec<Page>,
    /// Where the next one begins.
    end: usize,
}

impl Write {
    /// The write at an offset of a log, if both of its hashes are right.
    fn at(log: &[u8], at: usize) -> Option<Self> {
        let head = log.get(at..at.checked_add(WRITE_HEAD_BYTES)?)?;
        if !head.starts_with(b"HvLE") {
            return None;
        }
        let size = number(head, 4)? as usize;
        if size < WRITE_HEAD_BYTES || !size.is_multiple_of(SECTOR_BYTES) {
            return None;
        }
        let whole = log.get(at..at.checked_add(size)?)?;
        let hash_of_rest = u64::from_le_bytes(head.get(24..32)?.try_into().ok()?);
        let hash_of_head = u64::from_le_bytes(head.get(32..40)?.try_into().ok()?);
        if marvin32(SEED, whole.get(..32)?) != hash_of_head
            || marvin32(SEED, whole.get(WRITE_HEAD_BYTES..)?) != hash_of_rest
        {
            return None;
        }
        let count = number(head, 20)? as usize;
        let list =
            whole.get(WRITE_HEAD_BYTES..WRITE_HEAD_BYTES.checked_add(count.checked_mul(8)?)?)?;
        let mut from = WRITE_HEAD_BYTES + list.len();
        let mut pages = Vec::new();
        for entry in list.chunks_exact(8) {
            let bytes = number(entry, 4)? as usize;
            if bytes > size - from {
                return None;
            }
            pages.push(Page {
                hive_at: HEADER_BYTES + u64::from(number(entry, 0)?),
                log_at: at + from,
                bytes,
            });
            from += bytes;
        }
        Some(Self {
            number: number(head, 12)?,
            bins_bytes: number(head, 16)?,
            pages,
            end: at + size,
        })
    }
}

/// Sectors of logs in place of a hive's own.
#[derive(Default)]
pub(super) struct Overlay {
    logs: Vec<Log>,
    /// By their place in the hive, in sectors: which log, and where in it.
    sectors: BTreeMap<u64, (usize, usize)>,
    end: u64,
}

impl Overlay {
    /// Where the hive ends with them.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Puts what the logs hold of `length` bytes from `start` on into `page`, which may end earlier.
    pub(super) fn lay_over(&self, start: u64, length: u64, page: &mut Vec<u8>) {
        let sector = SECTOR_BYTES as u64;
        let wanted = start / sector..start.saturating_add(length).div_ceil(sector);
        for (number, (log, from)) in self.sectors.range(wanted) {
            let Ok(at) = usize::try_from(number * sector - start) else {
                continue;
            };
            let bytes = self.logs.get(*log).map(|log| log.bytes.as_slice());
            let Some(bytes) = bytes.and_then(|log| log.get(*from..from + SECTOR_BYTES)) else {
                continue;
            };
            if page.len() < at + SECTOR_BYTES {
                page.resize(at + SECTOR_BYTES, 0);
            }
            page[at..at + SECTOR_BYTES].copy_from_slice(bytes);
        }
    }

    fn add(&mut self, log: usize, page: Page) {
        let sector = SECTOR_BYTES as u64;
        if !page.hive_at.is_multiple_of(sector) {
            return;
        }
        for part in 0..page.bytes / SECTOR_BYTES {
            let place = page.hive_at / sector + part as u64;
            self.sectors
                .insert(place, (log, page.log_at + part * SECTOR_BYTES));
        }
    }
}

/// Lays the writes that a hive with this header lacks over it; with them a header that may stand for its own. `None`
/// where no log holds any.
pub(super) fn apply(base: &[u8], logs: Vec<Log>) -> Option<(Overlay, Recovered, Vec<u8>)> {
    let mut overlay = Overlay::default();
    if logs.iter().all(|log| log.old) {
        return apply_old(base, logs);
    }
    let mut series: Vec<(usize, Vec<Write>)> = logs
        .iter()
        .enumerate()
        .filter(|(_, log)| !log.old)
        .map(|(position, log)| (position, log.writes()))
        .filter(|(_, writes)| !writes.is_empty())
        .collect();
    series.sort_by_key(|(_, writes)| writes.first().map(|write| write.number));
    // A header that is itself torn says nothing of what was written: all writes are laid over.
    let known = if is_checksum_right(base) {
        number(base, 8).unwrap_or(0)
    } else {
        0
    };
    let mut recovered = Recovered {
        writes: 0,
        breaks_off: false,
    };
    let mut next: Option<u32> = None;
    let mut newest = 0;
    for (log, writes) in &series {
        for write in writes.iter().filter(|write| write.number >= known) {
            if next.is_some_and(|next| next != write.number) {
                recovered.breaks_off = true;
                continue;
            }
            next = Some(write.number.wrapping_add(1));
            newest = *log;
            recovered.writes += 1;
            overlay.end = HEADER_BYTES + u64::from(write.bins_bytes);
            for page in &write.pages {
                overlay.add(*log, *page);
            }
        }
    }
    if recovered.writes == 0 {
        return None;
    }
    let header = logs.get(newest)?.bytes.get(..SECTOR_BYTES)?.to_vec();
    overlay.logs = logs;
    Some((overlay, recovered, header))
}

/// Of old logs the one that is itself whole and the newest counts.
fn apply_old(base: &[u8], logs: Vec<Log>) -> Option<(Overlay, Recovered, Vec<u8>)> {
    let known = if is_checksum_right(base) {
        number(base, 8).unwrap_or(0)
    } else {
        0
    };
    let newest = logs
        .iter()
        .enumerate()
        .filter(|(_, log)| number(&log.bytes, 4) == number(&log.bytes, 8))
        .filter(|(_, log)| number(&log.bytes, 4).is_some_and(|of_log| of_log >= known))
        .max_by_key(|(_, log)| number(&log.bytes, 4))
        .map(|(position, _)| position)?;
    let mut overlay = Overlay::default();
    let pages = logs.get(newest)?.old_pages();
    if pages.is_empty() {
        return None;
    }
    for page in pages {
        overlay.add(newest, page);
    }
    let header = logs.get(newest)?.bytes.get(..SECTOR_BYTES)?.to_vec();
    overlay.end = HEADER_BYTES + u64::from(number(&header, 40)?);
    overlay.logs = logs;
    let recovered = Recovered {
        writes: 1,
        breaks_off: false,
    };
    Some((overlay, recovered, header))
}

/// The hash Marvin32, as the specification of the format names it.
fn marvin32(seed: u64, bytes: &[u8]) -> u64 {
    let mix = |(mut low, mut high): (u32, u32)| {
        high ^= low;
        low = low.rotate_left(20).wrapping_add(high);
        high = high.rotate_left(9) ^ low;
        low = low.rotate_left(27).wrapping_add(high);
        (low, high.rotate_left(19))
    };
    let (low, high) = (seed & u64::from(u32::MAX), seed >> 32);
    let half = |half: u64| u32::try_from(half).unwrap_or(0);
    let mut state = (half(low), half(high));
    let mut words = bytes.chunks_exact(4);
    for word in &mut words {
        let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        state = mix((state.0.wrapping_add(word), state.1));
    }
    // What is left is closed by 0x80.
    let last = match *words.remainder() {
        [a] => u32::from_le_bytes([a, 0x80, 0, 0]),
        [a, b] => u32::from_le_bytes([a, b, 0x80, 0]),
        [a, b, c] => u32::from_le_bytes([a, b, c, 0x80]),
        _ => 0x80,
    };
    let (low, high) = mix(mix((state.0.wrapping_add(last), state.1)));
    u64::from(low) | u64::from(high) << 32
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A log of the newer kind with one write of these pages (offset behind the hive's header, bytes).
    pub(in crate::registry) fn log(
        base: &[u8],
        number: u32,
        bins_bytes: u32,
        pages: &[(u32, &[u8])],
    ) -> Vec<u8> {
        let mut log = base[..SECTOR_BYTES].to_vec();
        log[28..32].copy_from_slice(&6_u32.to_le_bytes());
        close(&mut log);
        let mut rest = Vec::new();
        for (at, bytes) in pages {
            rest.extend(at.to_le_bytes());
            rest.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
        }
        for (_, bytes) in pages {
            rest.extend_from_slice(bytes);
        }
        let size = (WRITE_HEAD_BYTES + rest.len()).next_multiple_of(SECTOR_BYTES);
        rest.resize(size - WRITE_HEAD_BYTES, 0);
        let mut head = b"HvLE".to_vec();
        for field in [
            u32::try_from(size).unwrap(),
            0,
            number,
            bins_bytes,
            u32::try_from(pages.len()).unwrap(),
        ] {
            head.extend(field.to_le_bytes());
        }
        head.extend(marvin32(SEED, &rest).to_le_bytes());
        head.extend(marvin32(SEED, &head).to_le_bytes());
        log.extend(head);
        log.extend(rest);
        log
    }

    /// Sets a header's checksum right.
    pub(in crate::registry) fn close(base: &mut [u8]) {
        let sum = base[..508].chunks_exact(4).fold(0, |sum, word| {
            sum ^ u32::from_le_bytes([word[0], word[1], word[2], word[3]])
        });
        base[508..512].copy_from_slice(&sum.to_le_bytes());
    }

    #[test]
    fn the_hash_is_that_of_the_algorithms_own_tests() {
        // Microsoft's tests of Marvin: dotnet/corefx, src/Common/tests/Tests/System/MarvinTests.cs.
        let seed = 0x004f_b61a_001b_dbcc;
        let cases: [(&[u8], u64); 5] = [
            (&[], 0x30ed_35c1_00cd_3c7d),
            (&[0xaf], 0x48e7_3fc7_7d75_ddc1),
            (&[0xe7, 0x0f], 0xb5f6_e1fc_485d_bff8),
            (&[0x37, 0xf4, 0x95], 0xf0b0_7c78_9b8c_f7e8),
            (&[0x86, 0x42, 0xdc, 0x59], 0x7008_f2e8_7e9c_f556),
        ];
        for (bytes, hash) in cases {
            assert_eq!(marvin32(seed, bytes), hash, "{bytes:x?}");
        }
    }
}
