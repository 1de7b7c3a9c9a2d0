//! Chunks for tests, written token by token: what no ordinary writer of logs makes.

use super::chunk::{CHUNK_BYTES, CHUNK_HEADER_BYTES, CHUNK_MAGIC};

/// A chunk being filled.
pub(super) struct Made {
    pub(super) data: Vec<u8>,
    pub(super) starts: Vec<usize>,
}

/// A value with its type.
pub(super) type Typed = (u8, Vec<u8>);

/// An attribute's name, and what writes its value.
pub(super) type Attribute<'a> = (&'a str, &'a dyn Fn(&mut Made));

pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

impl Made {
    pub(super) fn new() -> Self {
        Self {
            data: vec![0; CHUNK_HEADER_BYTES],
            starts: Vec::new(),
        }
    }

    /// Adds a record whose content is written by `content`.
    pub(super) fn record(&mut self, content: impl FnOnce(&mut Self)) {
        let start = self.data.len();
        self.starts.push(start);
        let id = self.starts.len() as u64;
        self.data.extend(b"\x2a\x2a\0\0\0\0\0\0");
        self.data.extend(id.to_le_bytes());
        self.data.extend(132_592_025_400_000_000_u64.to_le_bytes());
        content(self);
        let size = u32::try_from(self.data.len() - start + 4).unwrap();
        self.data.extend(size.to_le_bytes());
        self.data[start + 4..start + 8].copy_from_slice(&size.to_le_bytes());
    }

    /// The chunk as it lies in a file, with right checksums.
    pub(super) fn chunk(self) -> Vec<u8> {
        let Self { mut data, starts } = self;
        let free = data.len();
        let records = crc32fast::hash(&data[CHUNK_HEADER_BYTES..]);
        data.resize(CHUNK_BYTES, 0);
        data[..8].copy_from_slice(CHUNK_MAGIC);
        let last = starts.len() as u64;
        for (at, number) in [(8, 1), (16, last), (24, 1), (32, last)] {
            data[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        let place = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
        data[40..44].copy_from_slice(&place(128));
        data[44..48].copy_from_slice(&place(*starts.last().unwrap()));
        data[48..52].copy_from_slice(&place(free));
        data[52..56].copy_from_slice(&records.to_le_bytes());
        seal(&mut data);
        data
    }

    fn name(&mut self, name: &str) {
        let offset = u32::try_from(self.data.len() + 4).unwrap();
        self.data.extend(offset.to_le_bytes());
        self.data.extend([0; 6]);
        let units = u16::try_from(name.encode_utf16().count()).unwrap();
        self.data.extend(units.to_le_bytes());
        self.data.extend(utf16(name));
        self.data.extend([0; 2]);
    }

    pub(super) fn text(&mut self, text: &str) {
        let units = u16::try_from(text.encode_utf16().count()).unwrap();
        self.data.extend([0x05, 0x01]);
        self.data.extend(units.to_le_bytes());
        self.data.extend(utf16(text));
    }

    /// A place for the value of this index.
    pub(super) fn place(&mut self, index: usize, optional: bool, kind: u8) {
        self.data.push(if optional { 0x0e } else { 0x0d });
        self.data
            .extend(u16::try_from(index).unwrap().to_le_bytes());
        self.data.push(kind);
    }

    /// An element; `needs` is that of a template's element, and `None` outside of templates.
    pub(super) fn element(
        &mut self,
        name: &str,
        needs: Option<u16>,
        attributes: &[Attribute<'_>],
        content: impl FnOnce(&mut Self),
    ) {
        self.data
            .push(if attributes.is_empty() { 0x01 } else { 0x41 });
        if let Some(needs) = needs {
            self.data.extend(needs.to_le_bytes());
        }
        self.data.extend([0; 4]);
        self.name(name);
        if !attributes.is_empty() {
            self.data.extend([0; 4]);
        }
        for (name, value) in attributes {
            self.data.push(0x06);
            self.name(name);
            value(self);
        }
        self.data.push(0x02);
        content(self);
        self.data.push(0x04);
    }

    /// An instance of a template that is defined on the spot.
    pub(super) fn instance(&mut self, definition: impl FnOnce(&mut Self), values: &[Typed]) {
        self.begin_instance(definition);
        self.values(values, None);
    }

    /// The same; its last value is elements, written by `last`.
    pub(super) fn instance_around(
        &mut self,
        definition: impl FnOnce(&mut Self),
        values: &[Typed],
        last: &mut dyn FnMut(&mut Self),
    ) {
        self.begin_instance(definition);
        self.values(values, Some(last));
    }

    fn begin_instance(&mut self, definition: impl FnOnce(&mut Self)) {
        self.data.extend([0x0f, 1, 1, 0, 0x0c, 1, 1, 2, 3, 4]);
        let offset = u32::try_from(self.data.len() + 4).unwrap();
        self.data.extend(offset.to_le_bytes());
        self.data.extend([0; 4]);
        self.data.extend([7; 16]);
        let size = self.data.len();
        self.data.extend([0; 4]);
        self.data.extend([0x0f, 1, 1, 0]);
        definition(self);
        self.data.push(0);
        let bytes = u32::try_from(self.data.len() - size - 4).unwrap();
        self.data[size..size + 4].copy_from_slice(&bytes.to_le_bytes());
    }

    fn values(&mut self, values: &[Typed], last: Option<&mut dyn FnMut(&mut Self)>) {
        let count = values.len() + usize::from(last.is_some());
        self.data
            .extend(u32::try_from(count).unwrap().to_le_bytes());
        for (kind, bytes) in values {
            let size = u16::try_from(bytes.len()).unwrap();
            self.data.extend(size.to_le_bytes());
            self.data.extend([*kind, 0]);
        }
        let size = self.data.len();
        if last.is_some() {
            self.data.extend([0, 0, 0x21, 0]);
        }
        for (_, bytes) in values {
            self.data.extend(bytes);
        }
        if let Some(last) = last {
            let start = self.data.len();
            last(self);
            let bytes = u16::try_from(self.data.len() - start).unwrap();
            self.data[size..size + 2].copy_from_slice(&bytes.to_le_bytes());
        }
        self.data.push(0);
    }
}

/// Sets the checksum of a chunk's header.
pub(super) fn seal(chunk: &mut [u8]) {
    let mut header = crc32fast::Hasher::new();
    header.update(&chunk[..120]);
    header.update(&chunk[128..CHUNK_HEADER_BYTES]);
    chunk[124..128].copy_from_slice(&header.finalize().to_le_bytes());
}
