//! Small but valid portable executables with a version resource.
//!
//! Written from Microsoft's PE format reference (<https://learn.microsoft.com/windows/win32/debug/pe-format>), the
//! `VS_VERSIONINFO` reference and, for the inert body that looks like a .NET assembly, ECMA-335 part II section 24. No
//! such file can run: its code section holds no code.

use super::{u16_of, u32_of, utf16, utf16z};
use jiff::Timestamp;

const FILE_ALIGNMENT: usize = 0x200;
const SECTION_ALIGNMENT: usize = 0x1000;
const HEADER_BYTES: usize = 0x400;
const IMAGE_BASE: u64 = 0x1_8000_0000;

/// What the file says about itself.
#[derive(Clone, Debug)]
pub struct Image {
    pub dll: bool,
    /// Four parts, as in the fixed part of the version resource; nothing leaves the resource out.
    pub version: Option<[u16; 4]>,
    /// The version as text; Exchange writes `15.01.2176.002`.
    pub version_text: String,
    pub company: String,
    pub product: String,
    pub description: String,
    pub original_name: String,
    /// The link time in the file header.
    pub linked: Timestamp,
    /// Makes the body look like a .NET assembly.
    pub assembly: Option<Assembly>,
    /// Zeroes behind the rest, to reach a lifelike size.
    pub padding_bytes: usize,
}

/// Names and texts in the metadata of an inert assembly.
#[derive(Clone, Debug, Default)]
pub struct Assembly {
    /// Types and members, in the `#Strings` heap.
    pub names: Vec<String>,
    /// String literals, in the `#US` heap.
    pub literals: Vec<String>,
}

impl Image {
    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let text_address = SECTION_ALIGNMENT;
        let text = self
            .assembly
            .as_ref()
            .map_or_else(|| vec![0; 16], |assembly| assembly.body(text_address));
        let resource_address = text_address + text.len().next_multiple_of(SECTION_ALIGNMENT);
        let resource = self
            .version
            .map(|version| self.resource(version, resource_address))
            .unwrap_or_default();
        let mut sections = vec![(*b".text\0\0\0", text_address, text, 0x6000_0020_u32)];
        if !resource.is_empty() {
            sections.push((*b".rsrc\0\0\0", resource_address, resource, 0x4000_0040));
        }

        let mut bytes = self.headers(&sections);
        for (_, _, content, _) in &sections {
            bytes.extend(content);
            bytes.resize(bytes.len().next_multiple_of(FILE_ALIGNMENT), 0);
        }
        bytes.resize(bytes.len() + self.padding_bytes, 0);
        bytes
    }

    fn headers(&self, sections: &[([u8; 8], usize, Vec<u8>, u32)]) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(HEADER_BYTES));
        out.bytes(b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8\0\0\0\0\0\0\0\x40");
        out.pad_to(0x3c);
        out.u32(0x80);
        out.pad_to(0x80);
        out.bytes(b"PE\0\0");
        out.u16(0x8664); // x64
        out.u16(u16_of(sections.len()));
        out.u32(u32::try_from(self.linked.as_second()).unwrap_or(0));
        out.u32(0);
        out.u32(0);
        out.u16(240);
        out.u16(if self.dll { 0x2022 } else { 0x0022 });

        let (_, last_address, last, _) = sections.last().expect("there is always a code section");
        let image_bytes = last_address + last.len().next_multiple_of(SECTION_ALIGNMENT);
        out.u16(0x20b); // PE32+
        out.bytes(&[48, 0]);
        out.u32(u32_of(sections[0].2.len().next_multiple_of(FILE_ALIGNMENT)));
        out.u32(0);
        out.u32(0);
        out.u32(0); // no entry point
        out.u32(u32_of(SECTION_ALIGNMENT));
        out.u64(IMAGE_BASE);
        out.u32(u32_of(SECTION_ALIGNMENT));
        out.u32(u32_of(FILE_ALIGNMENT));
        for version in [6, 0, 0, 0, 6, 0] {
            out.u16(version);
        }
        out.u32(0);
        out.u32(u32_of(image_bytes));
        out.u32(u32_of(HEADER_BYTES));
        out.u32(0);
        out.u16(3); // console
        out.u16(0x8160);
        for size in [0x10_0000, 0x1000, 0x10_0000, 0x1000] {
            out.u64(size);
        }
        out.u32(0);
        out.u32(16);
        for directory in 0..16 {
            let (address, size) = match directory {
                2 if sections.len() > 1 => (sections[1].1, sections[1].2.len()),
                14 if self.assembly.is_some() => (sections[0].1, 72),
                _ => (0, 0),
            };
            out.u32(u32_of(address));
            out.u32(u32_of(size));
        }

        let mut position = HEADER_BYTES;
        for (name, address, content, flags) in sections {
            let raw = content.len().next_multiple_of(FILE_ALIGNMENT);
            out.bytes(name);
            out.u32(u32_of(content.len()));
            out.u32(u32_of(*address));
            out.u32(u32_of(raw));
            out.u32(u32_of(position));
            out.u32(0);
            out.u32(0);
            out.u32(0);
            out.u32(*flags);
            position += raw;
        }
        out.pad_to(HEADER_BYTES);
        out.0
    }

    /// The resource section: type 16 (version), name 1, one language.
    fn resource(&self, version: [u16; 4], address: usize) -> Vec<u8> {
        const TREE_BYTES: usize = 3 * 24 + 16;
        let info = self.version_info(version);
        let mut out = Writer(Vec::new());
        for (id, next) in [(16, 0x8000_0018_u32), (1, 0x8000_0030), (0x409, 0x48)] {
            out.u32(0);
            out.u32(0);
            out.u32(0);
            out.u16(0);
            out.u16(1);
            out.u32(id);
            out.u32(next);
        }
        out.u32(u32_of(address + TREE_BYTES));
        out.u32(u32_of(info.len()));
        out.u32(0);
        out.u32(0);
        out.bytes(&info);
        out.0
    }

    fn version_info(&self, version: [u16; 4]) -> Vec<u8> {
        let high = |parts: &[u16]| u32::from(parts[0]) << 16 | u32::from(parts[1]);
        let mut fixed = Writer(Vec::new());
        fixed.u32(0xfeef_04bd);
        fixed.u32(0x0001_0000);
        for _ in 0..2 {
            fixed.u32(high(&version[..2]));
            fixed.u32(high(&version[2..]));
        }
        fixed.u32(0x3f);
        fixed.u32(0);
        fixed.u32(0x0004_0004);
        fixed.u32(if self.dll { 2 } else { 1 });
        fixed.u32(0);
        fixed.u32(0);
        fixed.u32(0);

        let strings = [
            ("CompanyName", &self.company),
            ("FileDescription", &self.description),
            ("FileVersion", &self.version_text),
            ("InternalName", &self.original_name),
            ("OriginalFilename", &self.original_name),
            ("ProductName", &self.product),
            ("ProductVersion", &self.version_text),
        ]
        .map(|(name, value)| {
            block(
                name,
                u16_of(value.encode_utf16().count() + 1),
                1,
                &utf16z(value),
                &[],
            )
        });
        let table = block("040904B0", 0, 1, &[], &strings);
        let translation = block("Translation", 4, 0, &[0x09, 0x04, 0xb0, 0x04], &[]);
        let children = [
            block("StringFileInfo", 0, 1, &[], &[table]),
            block("VarFileInfo", 0, 1, &[], &[translation]),
        ];
        block("VS_VERSION_INFO", 52, 0, &fixed.0, &children)
    }
}

/// One block of a version resource: length, value length, type, key, value, children, each on four-byte boundaries.
fn block(key: &str, value_length: u16, kind: u16, value: &[u8], children: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Writer(vec![0, 0]);
    out.u16(value_length);
    out.u16(kind);
    out.bytes(&utf16z(key));
    out.align(4);
    out.bytes(value);
    for child in children {
        out.align(4);
        out.bytes(child);
    }
    let length = u16_of(out.0.len());
    out.0[..2].copy_from_slice(&length.to_le_bytes());
    out.0
}

impl Assembly {
    /// A CLI header, and metadata with heaps of names and literals but no tables of code.
    fn body(&self, address: usize) -> Vec<u8> {
        const CLI_HEADER_BYTES: usize = 72;
        let mut strings = vec![0];
        for name in &self.names {
            strings.extend(name.as_bytes());
            strings.push(0);
        }
        strings.resize(strings.len().next_multiple_of(4), 0);
        let mut literals = Writer(vec![0]);
        for literal in &self.literals {
            let bytes = utf16(literal);
            literals.compressed(bytes.len() + 1);
            literals.bytes(&bytes);
            literals.bytes(&[0]);
        }
        literals.align(4);
        let mut tables = Writer(Vec::new());
        tables.u32(0);
        tables.bytes(&[2, 0, 0, 1]);
        tables.u64(0); // no table is present
        tables.u64(0);
        let guid = vec![0x5a; 16];
        let blob = vec![0; 4];
        let streams: [(&[u8], Vec<u8>); 5] = [
            (b"#~\0\0", tables.0),
            (b"#Strings\0\0\0\0", strings),
            (b"#US\0", literals.0),
            (b"#GUID\0\0\0", guid),
            (b"#Blob\0\0\0", blob),
        ];

        let mut metadata = Writer(Vec::new());
        metadata.bytes(b"BSJB");
        metadata.u16(1);
        metadata.u16(1);
        metadata.u32(0);
        metadata.u32(12);
        metadata.bytes(b"v4.0.30319\0\0");
        metadata.u16(0);
        metadata.u16(u16_of(streams.len()));
        let heads: usize = streams.iter().map(|(name, _)| 8 + name.len()).sum();
        let mut position = metadata.0.len() + heads;
        for (name, content) in &streams {
            metadata.u32(u32_of(position));
            metadata.u32(u32_of(content.len()));
            metadata.bytes(name);
            position += content.len();
        }
        for (_, content) in &streams {
            metadata.bytes(content);
        }

        let mut out = Writer(Vec::new());
        out.u32(u32_of(CLI_HEADER_BYTES));
        out.u16(2);
        out.u16(5);
        out.u32(u32_of(address + CLI_HEADER_BYTES));
        out.u32(u32_of(metadata.0.len()));
        out.u32(1); // intermediate language only
        out.pad_to(CLI_HEADER_BYTES);
        out.bytes(&metadata.0);
        out.0
    }
}

/// Little-endian bytes being put together.
struct Writer(Vec<u8>);

impl Writer {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    fn u16(&mut self, value: u16) {
        self.0.extend(value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    fn pad_to(&mut self, length: usize) {
        self.0.resize(length, 0);
    }

    fn align(&mut self, boundary: usize) {
        self.pad_to(self.0.len().next_multiple_of(boundary));
    }

    /// A length in the compressed form of ECMA-335 II.23.2, up to two bytes.
    fn compressed(&mut self, length: usize) {
        let length = u16_of(length);
        if length < 0x80 {
            self.bytes(&length.to_le_bytes()[..1]);
        } else {
            self.bytes(&(length | 0x8000).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pelite::PeFile;

    #[test]
    fn the_version_resource_reads_back() {
        let bytes = Image {
            dll: true,
            version: Some([15, 1, 2_176, 9]),
            version_text: "15.01.2176.009".into(),
            company: "Microsoft Corporation".into(),
            product: "Microsoft® Exchange".into(),
            description: "Synthetic".into(),
            original_name: "Microsoft.Exchange.FrontEndHttpProxy.dll".into(),
            linked: "2021-02-27T00:00:00Z".parse().unwrap(),
            assembly: Some(Assembly {
                names: vec!["Page_Load".into()],
                literals: vec!["literal".into()],
            }),
            padding_bytes: 100,
        }
        .to_bytes();
        let file = PeFile::from_bytes(&bytes).unwrap();
        let info = file.resources().unwrap().version_info().unwrap();
        let fixed = info.fixed().unwrap();
        assert_eq!(fixed.dwFileVersion.to_string(), "15.1.2176.9");
        let language = info.translation()[0];
        let value = |name| info.value(language, name);
        assert_eq!(value("FileVersion").as_deref(), Some("15.01.2176.009"));
        assert_eq!(value("ProductVersion").as_deref(), Some("15.01.2176.009"));
        assert_eq!(
            value("OriginalFilename").as_deref(),
            Some("Microsoft.Exchange.FrontEndHttpProxy.dll")
        );
        assert_eq!(
            bytes.windows(4).filter(|window| window == b"BSJB").count(),
            1
        );
    }

    #[test]
    fn a_file_without_a_version_is_still_an_executable() {
        let bytes = Image {
            dll: true,
            version: None,
            version_text: String::new(),
            company: String::new(),
            product: String::new(),
            description: String::new(),
            original_name: String::new(),
            linked: "2021-03-03T07:00:00Z".parse().unwrap(),
            assembly: Some(Assembly::default()),
            padding_bytes: 0,
        }
        .to_bytes();
        let file = PeFile::from_bytes(&bytes).unwrap();
        assert_eq!(file.section_headers().iter().count(), 1);
        assert!(file.resources().is_err());
    }
}
