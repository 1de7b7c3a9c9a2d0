//! The structure of a registry hive (regf).
//!
//! <https://github.com/msuhanov/regf/blob/master/Windows%20registry%20file%20format%20specification.md>. A header of 4 KiB is followed by cells that refer to one
//! another by offset. Cells are fetched one by one through a small cache, so that a hive of any size takes the same
//! memory; nothing is followed without a bound, and whatever is damaged is noted rather than skipped in silence.

use super::logs::{self, Log, Overlay};
use evidence::ReadSeek;
use model::Timestamp;
use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

/// Cells are addressed from the end of the header.
const HEADER_BYTES: u64 = 4_096;

/// The part of the header that is looked at.
const BASE_BLOCK_BYTES: usize = 512;

/// A list of all classes of a host takes less; stops a cell that claims gigabytes.
const CELL_BYTES_MAX: usize = 16 << 20;

/// More than any key has.
const SUBKEYS_MAX: usize = 1 << 20;

/// More than any key that is looked at has.
const VALUES_MAX: usize = 65_536;

/// Longest text of a value that is kept.
const DATA_BYTES_MAX: usize = 64 << 10;

/// Longest data of a value that holds a table of its own; the largest, of programs that ran, takes some hundred KiB.
const TABLE_BYTES_MAX: usize = 4 << 20;

/// Data longer than this lies in pieces of this size.
const PIECE_BYTES: usize = 16_344;

/// Bytes shown of data that is no text and no number.
const HEX_BYTES_MAX: usize = 64;

/// Damaged places kept one by one.
const DAMAGES_MAX: usize = 1_000;

/// Pages of the cache, and their size.
const PAGES_MAX: usize = 256;
const PAGE_BYTES: u64 = 64 << 10;

/// The part of a key's cell before its name.
const NK_BYTES: usize = 76;

/// Windows keeps hives below 2 GiB, as offsets have 31 bits; a log must not claim more.
const HIVE_BYTES_MAX: u64 = HEADER_BYTES + (1 << 31);

/// Whether an item starts as a hive that is no transaction log.
pub(super) fn is_primary(head: &[u8]) -> bool {
    head.starts_with(b"regf") && number(head, 28) == Some(0)
}

/// The end of the path that the header keeps: `\SystemRoot\System32\Config\SOFTWARE`.
pub(super) fn own_name(head: &[u8]) -> String {
    utf16(head.get(48..112).unwrap_or_default())
}

/// Something that could not be read, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    /// In the file.
    pub(super) offset: u64,
    pub(super) reason: &'static str,
}

/// All damage found so far.
#[derive(Debug, Default)]
pub(super) struct Damages {
    pub(super) listed: Vec<Damage>,
    pub(super) count: u64,
}

/// One key.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// Of its cell, in the file.
    pub(super) offset: u64,
    pub(super) name: String,
    pub(super) changed: Option<Timestamp>,
    /// Offset of the parent's cell behind the header, as this key claims.
    pub(super) parent: u32,
    pub(super) is_root: bool,
    subkeys: Listed,
    values: Listed,
}

/// How many entries a key has, and where their list is.
#[derive(Clone, Copy, Debug)]
struct Listed {
    count: u32,
    at: u32,
}

/// The data of one value.
#[derive(Clone, Debug)]
pub(super) struct Value {
    kind: u32,
    data: Vec<u8>,
}

/// An opened hive.
pub(super) struct Hive<'a> {
    pages: Pages<'a>,
    base: Vec<u8>,
    damages: Damages,
    recovered: Option<Recovered>,
}

/// What transaction logs added to a hive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recovered {
    /// Writes that were made good.
    pub(super) writes: u64,
    /// Whether the logs break off: a write that should follow is damaged.
    pub(super) breaks_off: bool,
}

impl<'a> Hive<'a> {
    /// Opens a hive together with its transaction logs; the error says why it is none.
    pub(super) fn open(
        mut source: Box<dyn ReadSeek + 'a>,
        logs: Vec<Vec<u8>>,
    ) -> Result<Self, &'static str> {
        let size = source
            .seek(SeekFrom::End(0))
            .map_err(|_error| "its size is unknown")?;
        let mut pages = Pages {
            source,
            size,
            fetched: BTreeMap::new(),
            overlay: Overlay::default(),
        };
        let mut base = pages
            .read(0, BASE_BLOCK_BYTES)
            .ok_or("it is shorter than a hive's header")?;
        if !base.starts_with(b"regf") {
            return Err("it does not begin as a hive");
        }
        let mut recovered = None;
        if is_dirty(&base) || !is_checksum_right(&base) {
            let logs: Vec<Log> = logs.into_iter().filter_map(Log::open).collect();
            if let Some((overlay, what, newer)) = logs::apply(&base, logs) {
                pages.size = pages.size.max(overlay.end()).min(HIVE_BYTES_MAX);
                pages.overlay = overlay;
                pages.fetched.clear();
                recovered = Some(what);
                if !is_checksum_right(&base) {
                    // The header was being written when the copy was made; that of the log is the same but for its kind.
                    base = newer;
                }
            }
        }
        Ok(Self {
            pages,
            base,
            damages: Damages::default(),
            recovered,
        })
    }

    /// What transaction logs added, where there were any that fit.
    pub(super) fn recovered(&self) -> Option<Recovered> {
        self.recovered
    }

    /// Whether Windows was in the middle of writing: the two sequence numbers differ.
    pub(super) fn is_dirty(&self) -> bool {
        is_dirty(&self.base)
    }

    /// When the hive was last written.
    pub(super) fn written(&self) -> Option<Timestamp> {
        filetime(&self.base, 12)
    }

    /// Whether the header's checksum is right: its first 508 bytes combined by exclusive or.
    pub(super) fn is_checksum_right(&self) -> bool {
        is_checksum_right(&self.base)
    }

    /// Where the hive's bins end.
    pub(super) fn end(&self) -> u64 {
        self.pages.size
    }

    /// Plain bytes at an offset in the file.
    pub(super) fn bytes(&mut self, offset: u64, length: usize) -> Option<Vec<u8>> {
        self.pages.read(offset, length)
    }

    /// The key that a cell holds, whether or not the cell is in use: what remains of a deleted one.
    pub(super) fn remains_of_key(&mut self, at: u32) -> Option<Key> {
        let offset = HEADER_BYTES + u64::from(at);
        let head = self.pages.read(offset + 4, NK_BYTES)?;
        if !head.starts_with(b"nk") {
            return None;
        }
        let name_bytes = usize::from(short(&head, 72)?);
        let cell = self.pages.read(offset + 4, NK_BYTES + name_bytes)?;
        parse_key(&cell, offset)
    }

    /// Values of a deleted key, as far as nothing was written over them.
    pub(super) fn remains_of_values(
        &mut self,
        key: &Key,
        values_max: usize,
    ) -> Vec<(String, Value)> {
        let mut values = Vec::new();
        let count = (key.values.count as usize).min(values_max);
        let offset = HEADER_BYTES + u64::from(key.values.at);
        let Some(list) = self.pages.read(offset + 4, count * 4) else {
            return values;
        };
        for entry in list.chunks_exact(4) {
            let at = number(entry, 0).unwrap_or(u32::MAX);
            if let Some(value) = self.remains_of_value(at) {
                values.push(value);
            }
        }
        values
    }

    fn remains_of_value(&mut self, at: u32) -> Option<(String, Value)> {
        const IN_PLACE: u32 = 0x8000_0000;
        let offset = HEADER_BYTES + u64::from(at);
        let head = self.pages.read(offset + 4, 20)?;
        if !head.starts_with(b"vk") {
            return None;
        }
        let name_bytes = usize::from(short(&head, 2)?);
        let size = number(&head, 4)?;
        let data_at = number(&head, 8)?;
        let kind = number(&head, 12)?;
        let name = self.pages.read(offset + 24, name_bytes)?;
        let name = key_name(&name, short(&head, 16)? & 1 != 0);
        let data = if size & IN_PLACE != 0 {
            data_at.to_le_bytes()[..(size & !IN_PLACE).min(4) as usize].to_vec()
        } else {
            let length = (size as usize).min(PIECE_BYTES);
            let offset = HEADER_BYTES + u64::from(data_at);
            self.pages.read(offset + 4, length)?
        };
        Some((name, Value { kind, data }))
    }

    /// The end of the path that the header keeps.
    pub(super) fn name(&self) -> &'static str {
        // Only the last component matters, and only among known names.
        let name = own_name(&self.base).to_ascii_lowercase();
        ["software", "system", "sam", "security", "ntuser.dat"]
            .into_iter()
            .find(|known| name.ends_with(known))
            .unwrap_or_default()
    }

    /// The root key.
    pub(super) fn root(&mut self) -> Result<Key, Damage> {
        let at = number(&self.base, 36).unwrap_or(u32::MAX);
        self.key(at)
    }

    /// The subkey of this name; case is ignored.
    pub(super) fn find(&mut self, key: &Key, name: &str) -> Option<Key> {
        let name = name.to_lowercase();
        for at in self.list(key) {
            match self.key(at) {
                Ok(subkey) if subkey.name.to_lowercase() == name => return Some(subkey),
                Ok(_) => {}
                Err(damage) => self.note(damage),
            }
        }
        None
    }

    /// The key at a path of names below `key`.
    pub(super) fn find_path(&mut self, key: &Key, path: &str) -> Option<Key> {
        let mut key = key.clone();
        for name in path.split('\\') {
            key = self.find(&key, name)?;
        }
        Some(key)
    }

    /// Every subkey that can be read, in the hive's order.
    pub(super) fn subkeys(&mut self, key: &Key) -> Vec<Key> {
        let mut subkeys = Vec::new();
        for at in self.list(key) {
            match self.key(at) {
                Ok(subkey) => subkeys.push(subkey),
                Err(damage) => self.note(damage),
            }
        }
        subkeys
    }

    /// Every value that can be read.
    pub(super) fn values(&mut self, key: &Key) -> Vec<(String, Value)> {
        let mut values = Vec::new();
        for at in self.value_list(key) {
            match self.value_at(at, None, DATA_BYTES_MAX) {
                Ok(Some(value)) => values.push(value),
                Ok(None) => {}
                Err(damage) => self.note(damage),
            }
        }
        values
    }

    /// The value of this name; case is ignored. The empty name is the key's default value.
    pub(super) fn value(&mut self, key: &Key, name: &str) -> Option<Value> {
        let name = name.to_lowercase();
        for at in self.value_list(key) {
            match self.value_at(at, Some(&name), TABLE_BYTES_MAX) {
                Ok(Some((_, value))) => return Some(value),
                Ok(None) => {}
                Err(damage) => self.note(damage),
            }
        }
        None
    }

    pub(super) fn take_damages(&mut self) -> Damages {
        std::mem::take(&mut self.damages)
    }

    fn note(&mut self, damage: Damage) {
        // The same list is walked for every name looked up in it.
        if self.damages.listed.contains(&damage) {
            return;
        }
        self.damages.count += 1;
        if self.damages.listed.len() < DAMAGES_MAX {
            self.damages.listed.push(damage);
        }
    }

    /// The content of an allocated cell.
    fn cell(&mut self, at: u32) -> Result<Vec<u8>, Damage> {
        let offset = HEADER_BYTES + u64::from(at);
        let damage = |reason| Damage { offset, reason };
        let size = self
            .pages
            .read(offset, 4)
            .and_then(|bytes| number(&bytes, 0))
            .ok_or_else(|| damage("a cell lies behind the end of the file"))?
            .cast_signed();
        // Allocated cells have a negative size.
        let length = usize::try_from(size.unsigned_abs()).unwrap_or(usize::MAX);
        if size >= 0 {
            return Err(damage("a cell that is referred to is free"));
        }
        if !(8..=CELL_BYTES_MAX).contains(&length) {
            return Err(damage("a cell has an impossible size"));
        }
        self.pages
            .read(offset + 4, length - 4)
            .ok_or_else(|| damage("a cell lies behind the end of the file"))
    }

    fn key(&mut self, at: u32) -> Result<Key, Damage> {
        let cell = self.cell(at)?;
        let offset = HEADER_BYTES + u64::from(at);
        let damage = Damage {
            offset,
            reason: "a key is damaged",
        };
        if !cell.starts_with(b"nk") {
            return Err(damage);
        }
        parse_key(&cell, offset).ok_or(damage)
    }

    /// Offsets of the cells of all subkeys. A list that is shorter than the key says is damage.
    fn list(&mut self, key: &Key) -> Vec<u32> {
        let mut offsets = Vec::new();
        if key.subkeys.count == 0 {
            return offsets;
        }
        self.append_list(key.subkeys.at, 0, &mut offsets);
        if offsets.len() != key.subkeys.count as usize {
            self.note(Damage {
                offset: key.offset,
                reason: "a key's list of subkeys is not whole",
            });
        }
        offsets
    }

    fn append_list(&mut self, at: u32, depth: u8, offsets: &mut Vec<u32>) {
        let list = match self.cell(at) {
            Ok(list) => list,
            Err(damage) => return self.note(damage),
        };
        let entry_bytes = match list.get(..2) {
            Some(b"lf" | b"lh") => 8,
            Some(b"li") => 4,
            // A list of lists, one level deep.
            Some(b"ri") if depth == 0 => 4,
            _ => {
                return self.note(Damage {
                    offset: HEADER_BYTES + u64::from(at),
                    reason: "a list of subkeys is damaged",
                });
            }
        };
        let nested = list.starts_with(b"ri");
        let count = short(&list, 2).unwrap_or(0);
        let entries = list.get(4..).unwrap_or_default().chunks_exact(entry_bytes);
        for entry in entries.take(count.into()) {
            let entry = number(entry, 0).unwrap_or(u32::MAX);
            if offsets.len() >= SUBKEYS_MAX {
                return;
            }
            if nested {
                self.append_list(entry, depth + 1, offsets);
            } else {
                offsets.push(entry);
            }
        }
    }

    fn value_list(&mut self, key: &Key) -> Vec<u32> {
        if key.values.count == 0 {
            return Vec::new();
        }
        let list = match self.cell(key.values.at) {
            Ok(list) => list,
            Err(damage) => {
                self.note(damage);
                return Vec::new();
            }
        };
        let count = key.values.count as usize;
        let entries: Vec<u32> = list
            .chunks_exact(4)
            .take(count.min(VALUES_MAX))
            .filter_map(|entry| number(entry, 0))
            .collect();
        if entries.len() != count {
            self.note(Damage {
                offset: key.offset,
                reason: "a key's list of values is not whole",
            });
        }
        entries
    }

    /// Reads the value at `at`; `None` where its name is not `wanted`.
    fn value_at(
        &mut self,
        at: u32,
        wanted: Option<&str>,
        bytes_max: usize,
    ) -> Result<Option<(String, Value)>, Damage> {
        let cell = self.cell(at)?;
        let damage = || Damage {
            offset: HEADER_BYTES + u64::from(at),
            reason: "a value is damaged",
        };
        if !cell.starts_with(b"vk") {
            return Err(damage());
        }
        let name_bytes = usize::from(short(&cell, 2).ok_or_else(damage)?);
        let size = number(&cell, 4).ok_or_else(damage)?;
        let data_at = number(&cell, 8).ok_or_else(damage)?;
        let kind = number(&cell, 12).ok_or_else(damage)?;
        let flags = short(&cell, 16).ok_or_else(damage)?;
        let name = cell.get(20..20 + name_bytes).ok_or_else(damage)?;
        let name = key_name(name, flags & 1 != 0);
        if wanted.is_some_and(|wanted| name.to_lowercase() != wanted) {
            return Ok(None);
        }
        let data = self.data(size, data_at, bytes_max)?;
        Ok(Some((name, Value { kind, data })))
    }

    /// Up to four bytes stand in the value itself, up to a piece in one cell, more in a list of pieces.
    fn data(&mut self, size: u32, at: u32, bytes_max: usize) -> Result<Vec<u8>, Damage> {
        const IN_PLACE: u32 = 0x8000_0000;
        if size & IN_PLACE != 0 {
            let length = (size & !IN_PLACE).min(4) as usize;
            return Ok(at.to_le_bytes()[..length].to_vec());
        }
        let length = usize::try_from(size).unwrap_or(usize::MAX).min(bytes_max);
        if length == 0 {
            return Ok(Vec::new());
        }
        let mut cell = self.cell(at)?;
        if size as usize > PIECE_BYTES && cell.starts_with(b"db") {
            return self.pieces(&cell, length);
        }
        if cell.len() < length {
            return Err(Damage {
                offset: HEADER_BYTES + u64::from(at),
                reason: "a value's data is cut off",
            });
        }
        cell.truncate(length);
        Ok(cell)
    }

    fn pieces(&mut self, head: &[u8], length: usize) -> Result<Vec<u8>, Damage> {
        let list = self.cell(number(head, 4).unwrap_or(u32::MAX))?;
        let count = usize::from(short(head, 2).unwrap_or(0));
        let mut data = Vec::new();
        for entry in list.chunks_exact(4).take(count) {
            if data.len() >= length {
                break;
            }
            let mut piece = self.cell(number(entry, 0).unwrap_or(u32::MAX))?;
            piece.truncate(PIECE_BYTES);
            data.append(&mut piece);
        }
        data.truncate(length);
        Ok(data)
    }
}

impl Value {
    /// Texts as they are, several joined by `, `, numbers in decimal, anything else in hex.
    pub(super) fn text(&self) -> String {
        match self.kind {
            1 | 2 | 6 => utf16(self.start(DATA_BYTES_MAX)),
            7 => {
                let units = utf16_units(self.start(DATA_BYTES_MAX));
                let texts: Vec<String> = units
                    .split(|unit| *unit == 0)
                    .filter(|text| !text.is_empty())
                    .map(String::from_utf16_lossy)
                    .collect();
                texts.join(", ")
            }
            4 | 5 | 11 => self.number().map(|n| n.to_string()).unwrap_or_default(),
            _ => {
                use std::fmt::Write;
                let mut hex = String::new();
                for byte in self.data.iter().take(HEX_BYTES_MAX) {
                    let _infallible = write!(hex, "{byte:02x}");
                }
                hex
            }
        }
    }

    /// The number of its type.
    pub(super) fn kind(&self) -> u32 {
        self.kind
    }

    /// The data as it is.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.data
    }

    fn start(&self, bytes_max: usize) -> &[u8] {
        &self.data[..self.data.len().min(bytes_max)]
    }

    /// The number of a value that is one.
    pub(super) fn number(&self) -> Option<u64> {
        match self.kind {
            4 => number(&self.data, 0).map(u64::from),
            5 => number(&self.data, 0).map(|n| u64::from(n.swap_bytes())),
            11 => Some(u64::from_le_bytes(self.data.get(..8)?.try_into().ok()?)),
            _ => None,
        }
    }
}

/// Whether Windows was in the middle of writing when this header was copied.
pub(super) fn is_dirty(base: &[u8]) -> bool {
    number(base, 4) != number(base, 8)
}

/// Whether a header's checksum is right: its first 508 bytes combined by exclusive or.
pub(super) fn is_checksum_right(base: &[u8]) -> bool {
    let sum = base
        .chunks_exact(4)
        .take(127)
        .fold(0, |sum, bytes| sum ^ number(bytes, 0).unwrap_or(0));
    // Zero and all ones are replaced, as they mean something else.
    let sum = match sum {
        0 => 1,
        u32::MAX => u32::MAX - 1,
        sum => sum,
    };
    number(base, 508) == Some(sum)
}

fn parse_key(cell: &[u8], offset: u64) -> Option<Key> {
    const ROOT: u16 = 0x04;
    const ASCII_NAME: u16 = 0x20;
    let flags = short(cell, 2)?;
    let name_bytes = usize::from(short(cell, 72)?);
    let name = cell.get(76..76 + name_bytes)?;
    Some(Key {
        offset,
        name: key_name(name, flags & ASCII_NAME != 0),
        changed: filetime(cell, 4),
        parent: number(cell, 16)?,
        is_root: flags & ROOT != 0,
        subkeys: Listed {
            count: number(cell, 20)?,
            at: number(cell, 28)?,
        },
        values: Listed {
            count: number(cell, 36)?,
            at: number(cell, 40)?,
        },
    })
}

/// Names are in Latin-1 where every character is, else in UTF-16.
fn key_name(bytes: &[u8], latin: bool) -> String {
    if latin {
        bytes.iter().map(|byte| char::from(*byte)).collect()
    } else {
        String::from_utf16_lossy(&utf16_units(bytes))
    }
}

fn utf16_units(bytes: &[u8]) -> Vec<u16> {
    bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}

/// UTF-16 up to its first zero.
pub(super) fn utf16(bytes: &[u8]) -> String {
    let units = utf16_units(bytes);
    let end = units
        .iter()
        .position(|unit| *unit == 0)
        .unwrap_or(units.len());
    String::from_utf16_lossy(&units[..end])
}

pub(super) fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

pub(super) fn short(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

/// Tenths of microseconds since 1601; zero is no time.
pub(super) fn filetime(bytes: &[u8], at: usize) -> Option<Timestamp> {
    const SECONDS_1601_TO_1970: i64 = 11_644_473_600;
    let bytes = bytes.get(at..at.checked_add(8)?)?;
    let ticks = i64::from_le_bytes(bytes.try_into().ok()?);
    if ticks <= 0 {
        return None;
    }
    let seconds = ticks / 10_000_000 - SECONDS_1601_TO_1970;
    let nanoseconds = i32::try_from(ticks % 10_000_000 * 100).ok()?;
    Timestamp::new(seconds, nanoseconds).ok()
}

/// The file through a cache of pages.
struct Pages<'a> {
    source: Box<dyn ReadSeek + 'a>,
    size: u64,
    fetched: BTreeMap<u64, Vec<u8>>,
    /// What transaction logs hold in place of the file's own bytes.
    overlay: Overlay,
}

impl Pages<'_> {
    /// `length` bytes at `offset`; `None` where the file does not hold them.
    fn read(&mut self, offset: u64, length: usize) -> Option<Vec<u8>> {
        let end = offset.checked_add(length as u64)?;
        if end > self.size {
            return None;
        }
        let mut bytes = Vec::with_capacity(length);
        let mut at = offset;
        while at < end {
            let page = self.page(at / PAGE_BYTES)?;
            let start = usize::try_from(at % PAGE_BYTES).ok()?;
            let wanted = usize::try_from(end - at).ok()?;
            let found = page.get(start..)?;
            let found = &found[..found.len().min(wanted)];
            if found.is_empty() {
                return None;
            }
            bytes.extend_from_slice(found);
            at += found.len() as u64;
        }
        Some(bytes)
    }

    fn page(&mut self, number: u64) -> Option<&[u8]> {
        if !self.fetched.contains_key(&number) {
            if self.fetched.len() >= PAGES_MAX {
                self.fetched.clear();
            }
            let mut page = Vec::new();
            let start = number.checked_mul(PAGE_BYTES)?;
            self.source.seek(SeekFrom::Start(start)).ok()?;
            (&mut self.source)
                .take(PAGE_BYTES)
                .read_to_end(&mut page)
                .ok()?;
            self.overlay.lay_over(start, PAGE_BYTES, &mut page);
            self.fetched.insert(number, page);
        }
        self.fetched.get(&number).map(Vec::as_slice)
    }
}
