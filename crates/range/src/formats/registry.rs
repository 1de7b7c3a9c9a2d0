//! Registry hives (regf).
//!
//! Written from Maxim Suhanov's specification
//! (<https://github.com/msuhanov/regf/blob/master/Windows%20registry%20file%20format%20specification.md>). All cells lie
//! in one hive bin, which the format allows.

use super::{u16_of, u32_of, utf16, utf16z};
use crate::moment::Moment;
use jiff::Timestamp;
use std::collections::BTreeMap;

const BASE_BLOCK_BYTES: usize = 4_096;
const BIN_HEADER_BYTES: usize = 32;
const NONE: u32 = 0xffff_ffff;

/// A key, with its values and subkeys.
#[derive(Clone, Debug)]
pub struct Key {
    modified: Timestamp,
    values: Vec<(String, Data)>,
    /// By name in upper case, the order in which a hive keeps them.
    keys: BTreeMap<String, (String, Key)>,
}

/// The data of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    Sz(String),
    ExpandSz(String),
    MultiSz(Vec<String>),
    Dword(u32),
    Qword(u64),
    Binary(Vec<u8>),
    /// Bytes of a type that has no name here: the account manager keeps an account's number as a type.
    Other(u32, Vec<u8>),
}

impl From<&str> for Data {
    fn from(text: &str) -> Self {
        Self::Sz(text.to_owned())
    }
}

impl From<String> for Data {
    fn from(text: String) -> Self {
        Self::Sz(text)
    }
}

impl From<u32> for Data {
    fn from(number: u32) -> Self {
        Self::Dword(number)
    }
}

impl Key {
    /// An empty key, last written at `modified`.
    pub fn new(modified: Timestamp) -> Self {
        Self {
            modified,
            values: Vec::new(),
            keys: BTreeMap::new(),
        }
    }

    /// The key at `path` below this one, made where it is missing; keys made are last written at `modified`.
    pub fn key(&mut self, path: &str, modified: Timestamp) -> &mut Self {
        path.split('\\').fold(self, |key, name| {
            &mut key
                .keys
                .entry(name.to_uppercase())
                .or_insert_with(|| (name.to_owned(), Self::new(modified)))
                .1
        })
    }

    /// Adds a value; the empty name is the key's default value.
    pub fn value(&mut self, name: &str, data: impl Into<Data>) -> &mut Self {
        self.values.push((name.to_owned(), data.into()));
        self
    }
}

/// A whole hive whose root is `root`. `file_name` is the tail of its path, as the base block keeps it.
pub fn hive(root: &Key, root_name: &str, file_name: &str, written: Timestamp) -> Vec<u8> {
    let mut cells = Cells::new();
    // Readers look for the root in the first cell.
    let root_cell = cells.reserve_key(root_name);
    let security = cells.security();
    cells.key(root, root_cell, root_name, NONE, security);
    let references = cells.keys;
    cells.data[security_field(security, 12)].copy_from_slice(&references.to_le_bytes());
    let bins = cells.into_bin(written);

    let mut base = vec![0; BASE_BLOCK_BYTES];
    base[..4].copy_from_slice(b"regf");
    base[4..8].copy_from_slice(&1_u32.to_le_bytes());
    base[8..12].copy_from_slice(&1_u32.to_le_bytes());
    base[12..20].copy_from_slice(&Moment::from(written).filetime().to_le_bytes());
    base[20..24].copy_from_slice(&1_u32.to_le_bytes()); // major version
    base[24..28].copy_from_slice(&5_u32.to_le_bytes()); // minor version
    base[32..36].copy_from_slice(&1_u32.to_le_bytes()); // direct memory load
    base[36..40].copy_from_slice(&root_cell.to_le_bytes());
    base[40..44].copy_from_slice(&u32_of(bins.len()).to_le_bytes());
    base[44..48].copy_from_slice(&1_u32.to_le_bytes()); // clustering factor
    let name = utf16(file_name);
    let kept = name.len().min(62);
    base[48..48 + kept].copy_from_slice(&name[name.len() - kept..]);
    let checksum = base_block_checksum(&base);
    base[508..512].copy_from_slice(&checksum.to_le_bytes());
    base.extend(bins);
    base
}

/// The exclusive or of the first 127 double words, with the two values that are not allowed replaced.
fn base_block_checksum(base: &[u8]) -> u32 {
    let sum = base[..508].chunks_exact(4).fold(0, |sum, word| {
        sum ^ u32::from_le_bytes([word[0], word[1], word[2], word[3]])
    });
    match sum {
        0 => 1,
        NONE => NONE - 1,
        sum => sum,
    }
}

/// The bytes of a four-byte field of the security cell at offset `cell`.
fn security_field(cell: u32, field: usize) -> std::ops::Range<usize> {
    let start = usize::try_from(cell).expect("32 bits fit") + 4 + field;
    start..start + 4
}

/// The cells of the hive's only bin; offsets count from the bin's start.
struct Cells {
    data: Vec<u8>,
    keys: u32,
}

impl Cells {
    fn new() -> Self {
        Self {
            data: vec![0; BIN_HEADER_BYTES],
            keys: 0,
        }
    }

    /// Stores an allocated cell and gives its offset.
    fn cell(&mut self, content: &[u8]) -> u32 {
        let offset = u32_of(self.data.len());
        let size = (content.len() + 4).next_multiple_of(8);
        let negative = i32::try_from(size).expect("simulated cells are small");
        self.data.extend((-negative).to_le_bytes());
        self.data.extend(content);
        self.data
            .resize(self.data.len() + size - 4 - content.len(), 0);
        offset
    }

    /// The one security descriptor that all keys share: system and administrators in full, users may read.
    fn security(&mut self) -> u32 {
        let system: &[u8] = &[1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];
        let administrators: &[u8] = &[1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0];
        let users: &[u8] = &[1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x21, 2, 0, 0];
        let mut entries = Vec::new();
        for (sid, rights) in [
            (system, 0x000f_003f_u32),
            (administrators, 0x000f_003f),
            (users, 0x0002_0019),
        ] {
            entries.extend([0, 2]); // allowed; inherited by subkeys
            entries.extend(u16_of(8 + sid.len()).to_le_bytes());
            entries.extend(rights.to_le_bytes());
            entries.extend(sid);
        }
        let list_bytes = 8 + entries.len();
        let owner = 20 + list_bytes;
        let group = owner + administrators.len();
        let mut descriptor = vec![1, 0, 0x04, 0x80]; // self-relative, with a DACL
        for offset in [owner, group, 0, 20] {
            descriptor.extend(u32_of(offset).to_le_bytes());
        }
        descriptor.extend([2, 0]);
        descriptor.extend(u16_of(list_bytes).to_le_bytes());
        descriptor.extend([3, 0, 0, 0]);
        descriptor.extend(entries);
        descriptor.extend(administrators);
        descriptor.extend(system);

        let own_offset = u32_of(self.data.len());
        let mut content = b"sk\0\0".to_vec();
        content.extend(own_offset.to_le_bytes()); // previous and next: the list has one member
        content.extend(own_offset.to_le_bytes());
        content.extend(0_u32.to_le_bytes()); // references, filled in when all keys are counted
        content.extend(u32_of(descriptor.len()).to_le_bytes());
        content.extend(descriptor);
        self.cell(&content)
    }

    /// Makes room for a key of this name.
    fn reserve_key(&mut self, name: &str) -> u32 {
        self.cell(&vec![0; 76 + name.len()])
    }

    /// Stores a key in its reserved cell, and everything below it; the root has no parent. A hive here is a few levels
    /// deep, so recursion is bounded.
    fn key(&mut self, key: &Key, own: u32, name: &str, parent: u32, security: u32) {
        self.keys += 1;
        let subkeys = key
            .keys
            .values()
            .map(|(name, key)| {
                let cell = self.reserve_key(name);
                self.key(key, cell, name, own, security);
                (name.as_str(), cell)
            })
            .collect::<Vec<_>>();
        let subkey_list = self.subkey_list(&subkeys);
        let value_list = self.value_list(&key.values);
        let longest_subkey = subkeys.iter().map(|(name, _)| name.len() * 2).max();
        let longest_value = key.values.iter().map(|(name, _)| name.len() * 2).max();
        let largest_data = key.values.iter().map(|(_, data)| data.bytes().len()).max();

        let mut content = b"nk".to_vec();
        let flags: u16 = if parent == NONE { 0x2c } else { 0x20 };
        content.extend(flags.to_le_bytes());
        content.extend(Moment::from(key.modified).filetime().to_le_bytes());
        for field in [
            0,
            parent,
            u32_of(subkeys.len()),
            0,
            subkey_list,
            NONE,
            u32_of(key.values.len()),
            value_list,
            security,
            NONE,
            u32_of(longest_subkey.unwrap_or(0)),
            0,
            u32_of(longest_value.unwrap_or(0)),
            u32_of(largest_data.unwrap_or(0)),
            0,
        ] {
            content.extend(field.to_le_bytes());
        }
        content.extend(u16_of(name.len()).to_le_bytes());
        content.extend(0_u16.to_le_bytes());
        content.extend(name.as_bytes());
        let start = usize::try_from(own).expect("32 bits fit") + 4;
        self.data[start..start + content.len()].copy_from_slice(&content);
    }

    /// A list of subkeys with hashes (lh).
    fn subkey_list(&mut self, subkeys: &[(&str, u32)]) -> u32 {
        if subkeys.is_empty() {
            return NONE;
        }
        let mut content = b"lh".to_vec();
        content.extend(u16_of(subkeys.len()).to_le_bytes());
        for (name, offset) in subkeys {
            let hash = name
                .to_uppercase()
                .encode_utf16()
                .fold(0_u32, |hash, unit| {
                    hash.wrapping_mul(37).wrapping_add(u32::from(unit))
                });
            content.extend(offset.to_le_bytes());
            content.extend(hash.to_le_bytes());
        }
        self.cell(&content)
    }

    fn value_list(&mut self, values: &[(String, Data)]) -> u32 {
        if values.is_empty() {
            return NONE;
        }
        let offsets = values
            .iter()
            .flat_map(|(name, data)| self.value(name, data).to_le_bytes())
            .collect::<Vec<_>>();
        self.cell(&offsets)
    }

    fn value(&mut self, name: &str, data: &Data) -> u32 {
        let bytes = data.bytes();
        let mut size = u32_of(bytes.len());
        let place = if bytes.len() <= 4 {
            // Up to four bytes stand in the offset's place.
            size |= 0x8000_0000;
            let mut resident = [0; 4];
            resident[..bytes.len()].copy_from_slice(&bytes);
            u32::from_le_bytes(resident)
        } else {
            self.cell(&bytes)
        };
        let mut content = b"vk".to_vec();
        content.extend(u16_of(name.len()).to_le_bytes());
        content.extend(size.to_le_bytes());
        content.extend(place.to_le_bytes());
        content.extend(data.kind().to_le_bytes());
        content.extend(u16::from(!name.is_empty()).to_le_bytes());
        content.extend(0_u16.to_le_bytes());
        content.extend(name.as_bytes());
        self.cell(&content)
    }

    /// The bin with its header, its unused end a free cell.
    fn into_bin(mut self, written: Timestamp) -> Vec<u8> {
        let used = self.data.len();
        let size = (used + 8).next_multiple_of(BASE_BLOCK_BYTES);
        let free = i32::try_from(size - used).expect("less than a page is free");
        self.data.extend(free.to_le_bytes());
        self.data.resize(size, 0);
        self.data[..4].copy_from_slice(b"hbin");
        self.data[8..12].copy_from_slice(&u32_of(size).to_le_bytes());
        self.data[20..28].copy_from_slice(&Moment::from(written).filetime().to_le_bytes());
        self.data
    }
}

impl Data {
    fn kind(&self) -> u32 {
        match self {
            Self::Sz(_) => 1,
            Self::ExpandSz(_) => 2,
            Self::Binary(_) => 3,
            Self::Dword(_) => 4,
            Self::MultiSz(_) => 7,
            Self::Qword(_) => 11,
            Self::Other(kind, _) => *kind,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Sz(text) | Self::ExpandSz(text) => utf16z(text),
            Self::MultiSz(texts) => {
                let mut bytes: Vec<u8> = texts.iter().flat_map(|text| utf16z(text)).collect();
                bytes.extend([0, 0]);
                bytes
            }
            Self::Dword(number) => number.to_le_bytes().into(),
            Self::Qword(number) => number.to_le_bytes().into(),
            Self::Binary(bytes) | Self::Other(_, bytes) => bytes.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use notatin::cell_key_node::CellKeyNode;
    use notatin::parser_builder::ParserBuilder;
    use std::io::Cursor;

    fn show(key: &CellKeyNode) -> String {
        let written = key.detail.last_key_written_date_and_time();
        let values = key.value_iter().map(|value| {
            let (name, content) = (value.get_pretty_name(), value.get_content().0);
            format!("  {name} = {content:?}\n")
        });
        let values = values.collect::<Vec<_>>().concat();
        format!("{} {written}\n{values}", key.path)
    }

    #[test]
    fn keys_values_and_times_read_back() {
        let early = "2020-12-19T09:00:00Z".parse().unwrap();
        let late = "2021-03-03T21:40:00Z".parse().unwrap();
        let mut root = Key::new(early);
        root.key(r"Microsoft\ExchangeServer\v15\Setup", late)
            .value(
                "MsiInstallPath",
                r"C:\Program Files\Microsoft\Exchange Server\V15\",
            )
            .value("MsiBuildMajor", 2_176)
            .value("Services", Data::MultiSz(vec!["one".into(), "two".into()]))
            .value("Path", Data::ExpandSz(r"%SystemRoot%\x".into()))
            .value("Digits", Data::Binary((0..64).collect()))
            .value("Large", Data::Qword(1 << 40))
            .value("", "default");
        for number in 0..300 {
            root.key(&format!(r"Many\Key{number:03}"), early)
                .value("Number", number);
        }
        let bytes = hive(&root, "ROOT", r"\SystemRoot\System32\Config\SOFTWARE", late);
        assert_eq!(bytes.len() % 4_096, 0);

        let mut parser = ParserBuilder::from_file(Cursor::new(bytes))
            .build()
            .unwrap();
        let setup = parser
            .get_key(r"Microsoft\ExchangeServer\v15\Setup", false)
            .unwrap()
            .unwrap();
        let last = parser.get_key(r"Many\Key299", false).unwrap().unwrap();
        let keys = notatin::parser::ParserIterator::new(&parser).iter().count();
        let text = format!("{}{}{keys} keys\n", show(&setup), show(&last));
        expect![[r#"
            \ROOT\Microsoft\ExchangeServer\v15\Setup 132592812000000000
              MsiInstallPath = String("C:\\Program Files\\Microsoft\\Exchange Server\\V15\\")
              MsiBuildMajor = U32(2176)
              Services = MultiString(["one", "two"])
              Path = String("%SystemRoot%\\x")
              Digits = Binary([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63])
              Large = U64(1099511627776)
              (default) = String("default")
            \ROOT\Many\Key299 132528420000000000
              Number = U32(299)
            306 keys
        "#]].assert_eq(&text);
    }
}
