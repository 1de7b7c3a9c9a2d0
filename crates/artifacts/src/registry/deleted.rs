//! What remains of deleted keys in the free cells of a hive.
//!
//! Windows marks the cell of a deleted key as free and leaves its bytes until it needs the room. A key found so is told
//! with its path as far as its parents are still there, and with the values that nothing was written over.

use super::hive::{Key, number};
use super::{Reading, record_source};
use crate::simple_record::SimpleRecord;
use model::{At, GapKind};
use std::fmt::Write;

/// Deleted keys that are told; hives of busy servers have some thousands.
const KEYS_MAX: usize = 20_000;

/// Values of one deleted key.
const VALUES_MAX: usize = 64;

/// Longest text of all values of a deleted key together.
const TEXT_BYTES_MAX: usize = 4_096;

/// Parents that are followed; Windows allows 512 keys in one another.
const PARENTS_MAX: usize = 512;

/// The header before the first bin.
const HEADER_BYTES: u64 = 4_096;

const BIN_HEAD_BYTES: u64 = 32;

/// Bytes of a bin that are held at once; bins of hives grow to some MiB where a large value lies in one.
const BIN_BYTES_MAX: u64 = 16 << 20;

/// The part of a key's cell before its name, and the cell's size before that.
const KEY_BYTES: usize = 80;

impl Reading<'_> {
    pub(super) fn deleted_keys(&mut self) {
        let mut at = HEADER_BYTES;
        let mut told = 0;
        let end = self.hive.end();
        while at < end {
            let Some(head) = self.hive.bytes(at, 16) else {
                return;
            };
            let size = u64::from(number(&head, 8).unwrap_or(0));
            let is_bin = head.starts_with(b"hbin") && size > 0 && size.is_multiple_of(HEADER_BYTES);
            if !is_bin {
                // A hive is longer than its bins where Windows shrank it; what lies behind is no part of it.
                at += HEADER_BYTES;
                continue;
            }
            if size <= BIN_BYTES_MAX
                && let Some(bin) = self.hive.bytes(at, usize::try_from(size).unwrap_or(0))
            {
                self.free_cells(at, &bin, &mut told);
            } else {
                let detail = "a bin that is cut off or too large was not searched for deleted keys";
                let source = record_source("deleted");
                self.sink.gap_of_source(
                    &source,
                    GapKind::Partial,
                    At::Offset(at),
                    (None, None),
                    detail,
                );
            }
            if told >= KEYS_MAX {
                let detail = "more deleted keys than are told";
                let source = record_source("deleted");
                self.sink.gap_of_source(
                    &source,
                    GapKind::Limit,
                    At::Offset(at),
                    (None, None),
                    detail,
                );
                return;
            }
            at += size;
        }
    }

    /// Looks through the free cells of a bin. Free neighbours were joined, so a key may begin anywhere in one.
    fn free_cells(&mut self, bin_at: u64, bin: &[u8], told: &mut usize) {
        let mut at = usize::try_from(BIN_HEAD_BYTES).unwrap_or(32);
        while let Some(size) = number(bin, at).map(u32::cast_signed) {
            let length = size.unsigned_abs() as usize;
            if length < 8 || !length.is_multiple_of(8) {
                return;
            }
            if size > 0 {
                let end = at.saturating_add(length).min(bin.len());
                for place in (at..end.saturating_sub(KEY_BYTES)).step_by(8) {
                    if bin.get(place + 4..place + 6) != Some(b"nk") || *told >= KEYS_MAX {
                        continue;
                    }
                    let offset = bin_at - HEADER_BYTES + place as u64;
                    let Ok(cell) = u32::try_from(offset) else {
                        continue;
                    };
                    if let Some(key) = self.hive.remains_of_key(cell)
                        && is_credible(&key)
                    {
                        *told += 1;
                        self.deleted_key(&key);
                    }
                }
            }
            at = at.saturating_add(length);
        }
    }

    fn deleted_key(&mut self, key: &Key) {
        let path = self.path_of(key);
        let mut text = String::new();
        for (name, value) in self.hive.remains_of_values(key, VALUES_MAX) {
            if text.len() >= TEXT_BYTES_MAX {
                break;
            }
            if !text.is_empty() {
                text.push_str("; ");
            }
            let value: String = value.text().chars().take(TEXT_BYTES_MAX / 4).collect();
            let _infallible = write!(text, "{name}={value}");
        }
        let source = record_source("deleted");
        let record = SimpleRecord::new(&source, At::Offset(key.offset))
            .with("key", path)
            .with("name", key.name.as_str())
            .with("values", text)
            .changed(key.changed);
        self.sink.record(&record);
    }

    /// The path of a deleted key; `…` stands where a parent is no longer there.
    fn path_of(&mut self, key: &Key) -> String {
        let mut names = vec![key.name.clone()];
        let mut parent = key.parent;
        for _ in 0..PARENTS_MAX {
            let Some(above) = self.hive.remains_of_key(parent).filter(is_credible) else {
                names.push("…".to_owned());
                break;
            };
            if above.is_root {
                break;
            }
            names.push(above.name.clone());
            parent = above.parent;
        }
        names.reverse();
        names.join("\\")
    }
}

/// Whether bytes that begin like a key's are one: it has a time, and a name that is text.
fn is_credible(key: &Key) -> bool {
    /// Windows allows 255 characters.
    const NAME_CHARS_MAX: usize = 255;
    let length = key.name.chars().count();
    key.changed.is_some()
        && (1..=NAME_CHARS_MAX).contains(&length)
        && !key.name.chars().any(char::is_control)
}
