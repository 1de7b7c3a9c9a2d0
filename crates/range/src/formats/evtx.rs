//! Windows event logs (EVTX) with BinXML records.
//!
//! Written from Joachim Metz's description of the format
//! (<https://github.com/libyal/libevtx/blob/main/documentation/Windows%20XML%20Event%20Log%20(EVTX).asciidoc>) and MS-EVEN6
//! section 2.2.12. As Windows does, a record is an instance of a template; a template's definition stands inside the
//! first record of a chunk that uses it, and its names inside the first template that uses them.

use super::{Guid, u16_of, u32_of, utf16};
use crate::moment::Moment;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Seek, SeekFrom, Write};

const FILE_HEADER_BYTES: usize = 4_096;
pub(crate) const CHUNK_BYTES: usize = 65_536;
const CHUNK_HEADER_BYTES: usize = 512;
const RECORD_HEADER_BYTES: usize = 24;
const STRING_BUCKETS: usize = 64;
const TEMPLATE_BUCKETS: usize = 32;
const EVENT_NAMESPACE: &str = "http://schemas.microsoft.com/win/2004/08/events/event";

/// Who wrote an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provider {
    pub name: String,
    pub guid: Option<Guid>,
    /// The name of a classic event source that a manifest took over, as the service control manager has.
    pub event_source_name: Option<String>,
}

/// One event as its writer fills it in; channel, computer and record id come from the log.
#[derive(Clone, Debug)]
pub struct Event {
    pub provider: Provider,
    pub id: u16,
    /// Set by classic providers only.
    pub qualifiers: Option<u16>,
    pub version: u8,
    pub level: u8,
    pub task: u16,
    pub opcode: u8,
    pub keywords: u64,
    pub time: Timestamp,
    pub process_id: u32,
    pub thread_id: u32,
    /// A security identifier such as `S-1-5-18`.
    pub user: Option<String>,
    pub body: Body,
}

/// What an event says.
#[derive(Clone, Debug)]
pub enum Body {
    /// `<EventData><Data Name="…">…</Data>…</EventData>`, as providers with a manifest write it.
    Named(Vec<(String, Value)>),
    /// `<EventData><Data>…</Data>…</EventData>`, as classic providers write it.
    Unnamed(Vec<String>),
    /// `<UserData><element xmlns="namespace"><name>…</name>…</element></UserData>`.
    User {
        element: String,
        namespace: String,
        fields: Vec<(String, Value)>,
    },
}

/// A value of an event, with the type that it has in the log.
#[derive(Clone, Debug)]
pub enum Value {
    Text(String),
    U32(u32),
    U64(u64),
    Hex32(u32),
    Hex64(u64),
    Guid(Guid),
    Sid(String),
    Time(Timestamp),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Writes one log. Chunks go out as they fill; the file header is written last, by [`finish`](Self::finish).
#[derive(Debug)]
pub struct EvtxWriter<W> {
    out: W,
    channel: String,
    computer: String,
    next_id: u64,
    next_number: u64,
    chunks: u16,
    chunk: Chunk,
}

impl<W: Write + Seek> EvtxWriter<W> {
    /// A log of `channel` on `computer` whose first record gets the id `first_id`.
    pub fn new(mut out: W, channel: &str, computer: &str, first_id: u64) -> io::Result<Self> {
        out.write_all(&[0; FILE_HEADER_BYTES])?;
        Ok(Self {
            out,
            channel: channel.to_owned(),
            computer: computer.to_owned(),
            next_id: first_id,
            next_number: 1,
            chunks: 0,
            chunk: Chunk::new(),
        })
    }

    /// Appends an event under the next record id.
    ///
    /// # Errors
    /// When the event is larger than a chunk, has a malformed security identifier, or cannot be written out.
    pub fn push(&mut self, event: &Event) -> io::Result<()> {
        if !self.try_push(event)? {
            self.flush_chunk()?;
            if !self.try_push(event)? {
                return Err(invalid("the event is larger than a chunk of the log"));
            }
        }
        self.next_id += 1;
        self.next_number += 1;
        Ok(())
    }

    /// Uses up a record id without a record, as if the record had been taken out afterwards.
    pub fn skip(&mut self) {
        self.next_id += 1;
    }

    /// How many chunks are full and written out.
    pub(crate) fn full_chunks(&self) -> usize {
        usize::from(self.chunks)
    }

    /// Writes the last chunk and the file header, and gives back what was written to.
    pub fn finish(mut self) -> io::Result<W> {
        // Windows never keeps a log without a chunk.
        if self.chunk.records > 0 || self.chunks == 0 {
            self.flush_chunk()?;
        }
        let mut header = vec![0; FILE_HEADER_BYTES];
        header[..8].copy_from_slice(b"ElfFile\0");
        put_u64(&mut header, 16, u64::from(self.chunks) - 1);
        put_u64(&mut header, 24, self.next_id);
        put_u32(&mut header, 32, 128);
        put_u16(&mut header, 36, 1); // minor version
        put_u16(&mut header, 38, 3); // major version
        put_u16(&mut header, 40, 4_096);
        put_u16(&mut header, 42, self.chunks);
        let checksum = crc32fast::hash(&header[..120]);
        put_u32(&mut header, 124, checksum);
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&header)?;
        self.out.seek(SeekFrom::End(0))?;
        self.out.flush()?;
        Ok(self.out)
    }

    /// Whether the event fitted into the chunk at hand.
    fn try_push(&mut self, event: &Event) -> io::Result<bool> {
        let heads = (self.chunk.string_heads, self.chunk.template_heads);
        let start = self.chunk.data.len();
        write_record(
            &mut self.chunk,
            event,
            &self.channel,
            &self.computer,
            self.next_id,
        )?;
        if self.chunk.data.len() > CHUNK_BYTES {
            self.chunk.data.truncate(start);
            (self.chunk.string_heads, self.chunk.template_heads) = heads;
            return Ok(false);
        }
        if self.chunk.records == 0 {
            self.chunk.first_id = self.next_id;
            self.chunk.first_number = self.next_number;
        }
        self.chunk.records += 1;
        self.chunk.last_id = self.next_id;
        self.chunk.last_number = self.next_number;
        self.chunk.last_record = start;
        Ok(true)
    }

    fn flush_chunk(&mut self) -> io::Result<()> {
        let chunk = std::mem::replace(&mut self.chunk, Chunk::new());
        self.out.write_all(&chunk.into_bytes())?;
        self.chunks = self
            .chunks
            .checked_add(1)
            .ok_or_else(|| invalid("the log has more chunks than its header can count"))?;
        Ok(())
    }
}

/// A whole log in memory.
pub fn log(channel: &str, computer: &str, first_id: u64, events: &[Event]) -> io::Result<Vec<u8>> {
    let mut writer = EvtxWriter::new(io::Cursor::new(Vec::new()), channel, computer, first_id)?;
    for event in events {
        writer.push(event)?;
    }
    Ok(writer.finish()?.into_inner())
}

/// A chunk being filled. The string and template tables are chained lists whose newest entry comes first.
#[derive(Debug)]
struct Chunk {
    data: Vec<u8>,
    strings: BTreeMap<String, u32>,
    templates: BTreeMap<[u8; 16], u32>,
    string_heads: [u32; STRING_BUCKETS],
    template_heads: [u32; TEMPLATE_BUCKETS],
    records: u64,
    first_id: u64,
    last_id: u64,
    first_number: u64,
    last_number: u64,
    last_record: usize,
}

impl Chunk {
    fn new() -> Self {
        Self {
            data: vec![0; CHUNK_HEADER_BYTES],
            strings: BTreeMap::new(),
            templates: BTreeMap::new(),
            string_heads: [0; STRING_BUCKETS],
            template_heads: [0; TEMPLATE_BUCKETS],
            records: 0,
            first_id: 0,
            last_id: 0,
            first_number: 0,
            last_number: 0,
            last_record: CHUNK_HEADER_BYTES,
        }
    }

    /// The chunk as it lies in the file, with header, tables and checksums.
    fn into_bytes(mut self) -> Vec<u8> {
        let free = self.data.len();
        let records_checksum = crc32fast::hash(&self.data[CHUNK_HEADER_BYTES..free]);
        self.data.resize(CHUNK_BYTES, 0);
        let header = &mut self.data[..CHUNK_HEADER_BYTES];
        header[..8].copy_from_slice(b"ElfChnk\0");
        put_u64(header, 8, self.first_number);
        put_u64(header, 16, self.last_number);
        put_u64(header, 24, self.first_id);
        put_u64(header, 32, self.last_id);
        put_u32(header, 40, 128);
        put_u32(header, 44, u32_of(self.last_record));
        put_u32(header, 48, u32_of(free));
        put_u32(header, 52, records_checksum);
        for (index, head) in self.string_heads.iter().enumerate() {
            put_u32(header, 128 + 4 * index, *head);
        }
        for (index, head) in self.template_heads.iter().enumerate() {
            put_u32(header, 384 + 4 * index, *head);
        }
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&header[..120]);
        checksum.update(&header[128..]);
        put_u32(header, 124, checksum.finalize());
        self.data
    }

    fn u8(&mut self, value: u8) {
        self.data.push(value);
    }

    fn u16(&mut self, value: u16) {
        self.data.extend(value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.data.extend(value.to_le_bytes());
    }

    /// Leaves room for a size, to be filled in by [`close_size`](Self::close_size).
    fn open_size(&mut self) -> usize {
        let position = self.data.len();
        self.u32(0);
        position
    }

    /// Fills in the number of bytes written since the size field.
    fn close_size(&mut self, position: usize) {
        let size = u32_of(self.data.len() - position - 4);
        put_u32(&mut self.data, position, size);
    }

    /// A reference to a name, with the name itself where this is its first use in the chunk.
    fn name(&mut self, name: &str) {
        if let Some(offset) = self.strings.get(name) {
            let offset = *offset;
            self.u32(offset);
            return;
        }
        let offset = u32_of(self.data.len() + 4);
        let hash = name_hash(name);
        let bucket = usize::from(hash) % STRING_BUCKETS;
        self.u32(offset);
        self.u32(self.string_heads[bucket]);
        self.u16(hash);
        self.u16(u16_of(name.encode_utf16().count()));
        self.data.extend(utf16(name));
        self.u16(0);
        self.string_heads[bucket] = offset;
        self.strings.insert(name.to_owned(), offset);
    }

    /// An element of a template, its attributes, and its content by `content`.
    fn element(&mut self, name: &str, attributes: &[(&str, Content<'_>)], content: &[Node<'_>]) {
        self.u8(if attributes.is_empty() { 0x01 } else { 0x41 });
        self.u16(0xffff); // no substitution that this element depends on
        let size = self.open_size();
        self.name(name);
        if !attributes.is_empty() {
            let list = self.open_size();
            for (index, (name, value)) in attributes.iter().enumerate() {
                let more = index + 1 < attributes.len();
                self.u8(if more { 0x46 } else { 0x06 });
                self.name(name);
                self.content(value);
            }
            self.close_size(list);
        }
        if content.is_empty() {
            self.u8(0x03);
        } else {
            self.u8(0x02);
            for node in content {
                match node {
                    Node::Content(value) => self.content(value),
                    Node::Element(name, attributes, content) => {
                        self.element(name, attributes, content);
                    }
                }
            }
            self.u8(0x04);
        }
        self.close_size(size);
    }

    fn content(&mut self, content: &Content<'_>) {
        match content {
            Content::Literal(text) => {
                self.u8(0x05);
                self.u8(0x01);
                self.u16(u16_of(text.encode_utf16().count()));
                self.data.extend(utf16(text));
            }
            Content::Substitution(index, kind) => {
                self.u8(0x0d);
                self.u16(*index);
                self.u8(*kind);
            }
            Content::Optional(index, kind) => {
                self.u8(0x0e);
                self.u16(*index);
                self.u8(*kind);
            }
        }
    }

    /// An instance of `template`, with its definition where this is its first use in the chunk.
    fn instance(&mut self, template: &Template<'_>, values: &[Raw<'_>]) -> io::Result<()> {
        let key = template.key();
        let id = u32::from_le_bytes([key[0], key[1], key[2], key[3]]);
        self.data.extend([0x0f, 1, 1, 0, 0x0c, 0x01]);
        self.u32(id);
        if let Some(offset) = self.templates.get(&key) {
            let offset = *offset;
            self.u32(offset);
        } else {
            let offset = u32_of(self.data.len() + 4);
            let bucket = usize::try_from(id).expect("32 bits fit") % TEMPLATE_BUCKETS;
            self.u32(offset);
            self.u32(self.template_heads[bucket]);
            self.template_heads[bucket] = offset;
            self.templates.insert(key, offset);
            self.data.extend(key);
            let size = self.open_size();
            self.data.extend([0x0f, 1, 1, 0]);
            template.write(self);
            self.u8(0);
            self.close_size(size);
        }
        self.u32(u32_of(values.len()));
        let descriptors = self.data.len();
        for value in values {
            self.u16(0);
            self.u8(value.kind());
            self.u8(0);
        }
        for (index, value) in values.iter().enumerate() {
            let start = self.data.len();
            match value {
                Raw::Bytes(_, bytes) => self.data.extend(bytes),
                Raw::Nested(template, values) => {
                    self.instance(template, values)?;
                    self.u8(0);
                }
            }
            let size = u16::try_from(self.data.len() - start)
                .ok()
                .ok_or_else(|| invalid("a value of the event is larger than 64 KiB"))?;
            put_u16(&mut self.data, descriptors + 4 * index, size);
        }
        Ok(())
    }
}

/// A piece of a template's text or attribute.
#[derive(Clone, Copy)]
enum Content<'a> {
    Literal(&'a str),
    /// The value of this index, of this type.
    Substitution(u16, u8),
    /// The same, left out with its attribute where the value is null.
    Optional(u16, u8),
}

enum Node<'a> {
    Content(Content<'a>),
    Element(&'a str, Vec<(&'a str, Content<'a>)>, Vec<Node<'a>>),
}

/// The types of values that appear here (MS-EVEN6 2.2.12.4).
mod kind {
    pub(super) const NULL: u8 = 0x00;
    pub(super) const STRING: u8 = 0x01;
    pub(super) const UINT8: u8 = 0x04;
    pub(super) const UINT16: u8 = 0x06;
    pub(super) const UINT32: u8 = 0x08;
    pub(super) const UINT64: u8 = 0x0a;
    pub(super) const GUID: u8 = 0x0f;
    pub(super) const FILETIME: u8 = 0x11;
    pub(super) const SID: u8 = 0x13;
    pub(super) const HEX_INT32: u8 = 0x14;
    pub(super) const HEX_INT64: u8 = 0x15;
    pub(super) const BINXML: u8 = 0x21;
    pub(super) const STRING_ARRAY: u8 = 0x81;
}

/// Substitutions of the system section, in this order; the body follows.
mod slot {
    pub(super) const LEVEL: u16 = 0;
    pub(super) const OPCODE: u16 = 1;
    pub(super) const TASK: u16 = 2;
    pub(super) const EVENT_ID: u16 = 3;
    pub(super) const QUALIFIERS: u16 = 4;
    pub(super) const KEYWORDS: u16 = 5;
    pub(super) const TIME: u16 = 6;
    pub(super) const PROCESS_ID: u16 = 7;
    pub(super) const THREAD_ID: u16 = 8;
    pub(super) const RECORD_ID: u16 = 9;
    pub(super) const VERSION: u16 = 10;
    pub(super) const USER: u16 = 11;
    pub(super) const BODY: u16 = 12;
}

/// A value ready to be stored.
enum Raw<'a> {
    Bytes(u8, Vec<u8>),
    /// BinXML of its own: an instance of another template.
    Nested(Template<'a>, Vec<Raw<'a>>),
}

impl Raw<'_> {
    fn kind(&self) -> u8 {
        match self {
            Self::Bytes(kind, _) => *kind,
            Self::Nested(..) => kind::BINXML,
        }
    }
}

/// The shapes of templates that this writer knows.
enum Template<'a> {
    /// A whole event: system section and body.
    Event {
        provider: &'a Provider,
        channel: &'a str,
        computer: &'a str,
        classic: bool,
    },
    /// `EventData` with these names.
    Named(Vec<(&'a str, u8)>),
    /// `UserData` with one element and these fields in it.
    User(&'a str, &'a str, Vec<(&'a str, u8)>),
}

impl Template<'_> {
    /// Identifies the template as Windows does, by a GUID; here one that follows from the shape alone.
    fn key(&self) -> [u8; 16] {
        let mut hasher = Sha256::new();
        let mut add = |text: &str| {
            hasher.update(text.as_bytes());
            hasher.update([0]);
        };
        match self {
            Self::Event {
                provider,
                channel,
                computer,
                classic,
            } => {
                add("event");
                add(&provider.name);
                add(&provider.guid.map_or(String::new(), |guid| guid.to_string()));
                add(provider.event_source_name.as_deref().unwrap_or(""));
                add(channel);
                add(computer);
                add(if *classic { "classic" } else { "manifest" });
            }
            Self::Named(fields) => {
                add("named");
                for (name, kind) in fields {
                    add(name);
                    add(&kind.to_string());
                }
            }
            Self::User(element, namespace, fields) => {
                add("user");
                add(element);
                add(namespace);
                for (name, kind) in fields {
                    add(name);
                    add(&kind.to_string());
                }
            }
        }
        let digest = hasher.finalize();
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        key
    }

    fn write(&self, chunk: &mut Chunk) {
        match self {
            Self::Event {
                provider,
                channel,
                computer,
                classic,
            } => write_event_template(chunk, provider, channel, computer, *classic),
            Self::Named(fields) => {
                let data = fields
                    .iter()
                    .zip(0_u16..)
                    .map(|((name, kind), index)| {
                        Node::Element(
                            "Data",
                            vec![("Name", Content::Literal(name))],
                            vec![Node::Content(Content::Substitution(index, *kind))],
                        )
                    })
                    .collect::<Vec<_>>();
                chunk.element("EventData", &[], &data);
            }
            Self::User(element, namespace, fields) => {
                let inner = fields
                    .iter()
                    .zip(0_u16..)
                    .map(|((name, kind), index)| {
                        Node::Element(
                            name,
                            Vec::new(),
                            vec![Node::Content(Content::Substitution(index, *kind))],
                        )
                    })
                    .collect();
                let outer = [Node::Element(
                    element,
                    vec![("xmlns", Content::Literal(namespace))],
                    inner,
                )];
                chunk.element("UserData", &[], &outer);
            }
        }
    }
}

fn write_event_template(
    chunk: &mut Chunk,
    provider: &Provider,
    channel: &str,
    computer: &str,
    classic: bool,
) {
    use Content::{Literal, Optional, Substitution};
    let guid = provider.guid.map(|guid| guid.braced());
    let mut provider_attributes = vec![("Name", Literal(&provider.name))];
    if let Some(guid) = &guid {
        provider_attributes.push(("Guid", Literal(guid)));
    }
    if let Some(source) = &provider.event_source_name {
        provider_attributes.push(("EventSourceName", Literal(source)));
    }
    let text = |content| vec![Node::Content(content)];
    let plain = |name, content| Node::Element(name, Vec::new(), text(content));
    let mut system = vec![
        Node::Element("Provider", provider_attributes, Vec::new()),
        Node::Element(
            "EventID",
            vec![("Qualifiers", Optional(slot::QUALIFIERS, kind::UINT16))],
            text(Substitution(slot::EVENT_ID, kind::UINT16)),
        ),
    ];
    if !classic {
        system.push(plain("Version", Substitution(slot::VERSION, kind::UINT8)));
    }
    system.push(plain("Level", Substitution(slot::LEVEL, kind::UINT8)));
    system.push(plain("Task", Substitution(slot::TASK, kind::UINT16)));
    if !classic {
        system.push(plain("Opcode", Substitution(slot::OPCODE, kind::UINT8)));
    }
    system.push(plain(
        "Keywords",
        Substitution(slot::KEYWORDS, kind::HEX_INT64),
    ));
    system.push(Node::Element(
        "TimeCreated",
        vec![("SystemTime", Substitution(slot::TIME, kind::FILETIME))],
        Vec::new(),
    ));
    system.push(plain(
        "EventRecordID",
        Substitution(slot::RECORD_ID, kind::UINT64),
    ));
    if !classic {
        system.push(Node::Element("Correlation", Vec::new(), Vec::new()));
        system.push(Node::Element(
            "Execution",
            vec![
                ("ProcessID", Substitution(slot::PROCESS_ID, kind::UINT32)),
                ("ThreadID", Substitution(slot::THREAD_ID, kind::UINT32)),
            ],
            Vec::new(),
        ));
    }
    system.push(plain("Channel", Literal(channel)));
    system.push(plain("Computer", Literal(computer)));
    system.push(Node::Element(
        "Security",
        vec![("UserID", Optional(slot::USER, kind::SID))],
        Vec::new(),
    ));
    let body = if classic {
        Node::Element(
            "EventData",
            Vec::new(),
            vec![plain("Data", Substitution(slot::BODY, kind::STRING_ARRAY))],
        )
    } else {
        Node::Content(Optional(slot::BODY, kind::BINXML))
    };
    chunk.element(
        "Event",
        &[("xmlns", Literal(EVENT_NAMESPACE))],
        &[Node::Element("System", Vec::new(), system), body],
    );
}

fn write_record(
    chunk: &mut Chunk,
    event: &Event,
    channel: &str,
    computer: &str,
    id: u64,
) -> io::Result<()> {
    let start = chunk.data.len();
    let time = Moment::from(event.time).filetime()
        + u64::try_from(event.time.subsec_nanosecond().rem_euclid(1_000_000) / 100).unwrap_or(0);
    chunk.data.extend([0x2a, 0x2a, 0, 0]);
    chunk.u32(0);
    chunk.data.extend(id.to_le_bytes());
    chunk.data.extend(time.to_le_bytes());
    debug_assert_eq!(chunk.data.len() - start, RECORD_HEADER_BYTES);

    let classic = matches!(event.body, Body::Unnamed(_));
    let null = || Raw::Bytes(kind::NULL, Vec::new());
    let mut values = vec![
        Raw::Bytes(kind::UINT8, vec![event.level]),
        Raw::Bytes(kind::UINT8, vec![event.opcode]),
        Raw::Bytes(kind::UINT16, event.task.to_le_bytes().into()),
        Raw::Bytes(kind::UINT16, event.id.to_le_bytes().into()),
        event.qualifiers.map_or_else(null, |qualifiers| {
            Raw::Bytes(kind::UINT16, qualifiers.to_le_bytes().into())
        }),
        Raw::Bytes(kind::HEX_INT64, event.keywords.to_le_bytes().into()),
        Raw::Bytes(kind::FILETIME, time.to_le_bytes().into()),
        Raw::Bytes(kind::UINT32, event.process_id.to_le_bytes().into()),
        Raw::Bytes(kind::UINT32, event.thread_id.to_le_bytes().into()),
        Raw::Bytes(kind::UINT64, id.to_le_bytes().into()),
        Raw::Bytes(kind::UINT8, vec![event.version]),
        match &event.user {
            Some(sid) => Raw::Bytes(kind::SID, sid_bytes(sid)?),
            None => null(),
        },
    ];
    values.push(match &event.body {
        Body::Unnamed(texts) => Raw::Bytes(
            kind::STRING_ARRAY,
            texts.iter().flat_map(|text| super::utf16z(text)).collect(),
        ),
        Body::Named(fields) => {
            let (shape, values) = fields_of(fields)?;
            Raw::Nested(Template::Named(shape), values)
        }
        Body::User {
            element,
            namespace,
            fields,
        } => {
            let (shape, values) = fields_of(fields)?;
            Raw::Nested(Template::User(element, namespace, shape), values)
        }
    });
    let template = Template::Event {
        provider: &event.provider,
        channel,
        computer,
        classic,
    };
    chunk.instance(&template, &values)?;
    chunk.u8(0);
    while !(chunk.data.len() - start + 4).is_multiple_of(8) {
        chunk.u8(0);
    }
    let size = u32_of(chunk.data.len() - start + 4);
    chunk.u32(size);
    put_u32(&mut chunk.data, start + 4, size);
    Ok(())
}

/// The shape of some fields, and their values.
type Fields<'a> = (Vec<(&'a str, u8)>, Vec<Raw<'a>>);

fn fields_of(fields: &[(String, Value)]) -> io::Result<Fields<'_>> {
    let mut shape = Vec::with_capacity(fields.len());
    let mut values = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        let (kind, bytes) = match value {
            Value::Text(text) => (kind::STRING, utf16(text)),
            Value::U32(number) => (kind::UINT32, number.to_le_bytes().into()),
            Value::U64(number) => (kind::UINT64, number.to_le_bytes().into()),
            Value::Hex32(number) => (kind::HEX_INT32, number.to_le_bytes().into()),
            Value::Hex64(number) => (kind::HEX_INT64, number.to_le_bytes().into()),
            Value::Guid(guid) => (kind::GUID, guid.0.into()),
            Value::Sid(sid) => (kind::SID, sid_bytes(sid)?),
            Value::Time(time) => (
                kind::FILETIME,
                Moment::from(*time).filetime().to_le_bytes().into(),
            ),
        };
        shape.push((name.as_str(), kind));
        values.push(Raw::Bytes(kind, bytes));
    }
    Ok((shape, values))
}

/// A security identifier as MS-DTYP 2.4.2.2 packs it.
fn sid_bytes(text: &str) -> io::Result<Vec<u8>> {
    let malformed = || invalid("malformed security identifier");
    let mut parts = text
        .strip_prefix("S-1-")
        .ok_or_else(malformed)?
        .split('-')
        .map(|part| part.parse::<u32>().ok());
    let authority = parts.next().flatten().ok_or_else(malformed)?;
    let parts = parts.collect::<Option<Vec<_>>>().ok_or_else(malformed)?;
    let mut bytes = vec![
        1,
        u8::try_from(parts.len()).ok().ok_or_else(malformed)?,
        0,
        0,
    ];
    bytes.extend(authority.to_be_bytes());
    bytes.extend(parts.iter().flat_map(|part| part.to_le_bytes()));
    Ok(bytes)
}

/// The hash under which a name stands in the string table.
fn name_hash(name: &str) -> u16 {
    let hash = name.encode_utf16().fold(0_u32, |hash, unit| {
        hash.wrapping_mul(65_599).wrapping_add(u32::from(unit))
    });
    u16::try_from(hash & 0xffff).expect("masked to 16 bits")
}

fn put_u16(bytes: &mut [u8], position: usize, value: u16) {
    bytes[position..position + 2].copy_from_slice(&value.to_le_bytes());
}

fn put_u32(bytes: &mut [u8], position: usize, value: u32) {
    bytes[position..position + 4].copy_from_slice(&value.to_le_bytes());
}

fn put_u64(bytes: &mut [u8], position: usize, value: u64) {
    bytes[position..position + 8].copy_from_slice(&value.to_le_bytes());
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use evtx::{EvtxParser, ParserSettings};
    use expect_test::expect;

    fn event(id: u16, time: &str, body: Body) -> Event {
        Event {
            provider: Provider {
                name: "Microsoft-Windows-Security-Auditing".into(),
                guid: Guid::parse("54849625-5478-4994-a5ba-3e3b0328c30d"),
                event_source_name: None,
            },
            id,
            qualifiers: None,
            version: 2,
            level: 0,
            task: 13_312,
            opcode: 0,
            keywords: 0x8020_0000_0000_0000,
            time: time.parse().unwrap(),
            process_id: 4,
            thread_id: 512,
            user: None,
            body,
        }
    }

    fn read(bytes: Vec<u8>) -> Vec<(u64, String, String)> {
        EvtxParser::from_buffer(bytes)
            .unwrap()
            .with_configuration(
                ParserSettings::default()
                    .validate_checksums(true)
                    .indent(false)
                    .num_threads(1),
            )
            .records()
            .map(|record| {
                let record = record.unwrap();
                (
                    record.event_record_id,
                    record.timestamp.to_string(),
                    record.data,
                )
            })
            .collect()
    }

    #[test]
    fn every_kind_of_value_and_body_reads_back() {
        let named = event(
            4_688,
            "2021-03-03T06:49:42.1625Z",
            Body::Named(vec![
                ("SubjectUserSid".into(), Value::Sid("S-1-5-18".into())),
                ("SubjectUserName".into(), "MAIL01$".into()),
                ("SubjectLogonId".into(), Value::Hex64(0x3e7)),
                ("NewProcessId".into(), Value::Hex32(0x1a2c)),
                ("CommandLine".into(), "\"cmd\" /c whoami & <&>".into()),
                ("Empty".into(), "".into()),
                ("Count".into(), Value::U32(7)),
                ("Bytes".into(), Value::U64(1 << 40)),
                (
                    "Guid".into(),
                    Value::Guid(Guid::parse("01020304-0506-0708-090a-0b0c0d0e0f10").unwrap()),
                ),
                (
                    "Started".into(),
                    Value::Time("2021-03-03T00:00:00Z".parse().unwrap()),
                ),
            ]),
        );
        let mut unnamed = event(
            1,
            "2021-03-03T06:49:43Z",
            Body::Unnamed(vec![
                "Set-OabVirtualDirectory".into(),
                String::new(),
                "-Identity \"MAIL01\\OAB\"".into(),
            ]),
        );
        unnamed.provider = Provider {
            name: "MSExchange CmdletLogs".into(),
            ..Provider::default()
        };
        unnamed.qualifiers = Some(16_384);
        unnamed.user = Some("S-1-5-21-1-2-3-500".into());
        let user = event(
            1_102,
            "2021-03-03T06:49:44Z",
            Body::User {
                element: "LogFileCleared".into(),
                namespace: "http://manifests.microsoft.com/win/2004/08/windows/eventlog".into(),
                fields: vec![("SubjectUserName".into(), "administrator".into())],
            },
        );
        let bytes = log(
            "Security",
            "mail01.corp.example",
            1_000,
            &[named, unnamed, user],
        )
        .unwrap();
        let text = read(bytes)
            .into_iter()
            .map(|(id, time, xml)| format!("{id} {time}\n{xml}\n"))
            .collect::<Vec<_>>()
            .concat();
        expect![[r#"
            1000 2021-03-03T06:49:42.1625Z
            <?xml version="1.0" encoding="utf-8"?>
            <Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider Name="Microsoft-Windows-Security-Auditing" Guid="{54849625-5478-4994-A5BA-3E3B0328C30D}"/><EventID>4688</EventID><Version>2</Version><Level>0</Level><Task>13312</Task><Opcode>0</Opcode><Keywords>0x8020000000000000</Keywords><TimeCreated SystemTime="2021-03-03T06:49:42.1625000Z"/><EventRecordID>1000</EventRecordID><Correlation/><Execution ProcessID="4" ThreadID="512"/><Channel>Security</Channel><Computer>mail01.corp.example</Computer><Security/></System><EventData><Data Name="SubjectUserSid">S-1-5-18</Data><Data Name="SubjectUserName">MAIL01$</Data><Data Name="SubjectLogonId">0x3e7</Data><Data Name="NewProcessId">0x1a2c</Data><Data Name="CommandLine">"cmd" /c whoami &amp; &lt;&amp;&gt;</Data><Data Name="Empty"></Data><Data Name="Count">7</Data><Data Name="Bytes">1099511627776</Data><Data Name="Guid">{01020304-0506-0708-090a-0b0c0d0e0f10}</Data><Data Name="Started">2021-03-03T00:00:00.0000000Z</Data></EventData></Event>
            1001 2021-03-03T06:49:43Z
            <?xml version="1.0" encoding="utf-8"?>
            <Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider Name="MSExchange CmdletLogs"/><EventID Qualifiers="16384">1</EventID><Level>0</Level><Task>13312</Task><Keywords>0x8020000000000000</Keywords><TimeCreated SystemTime="2021-03-03T06:49:43.0000000Z"/><EventRecordID>1001</EventRecordID><Channel>Security</Channel><Computer>mail01.corp.example</Computer><Security UserID="S-1-5-21-1-2-3-500"/></System><EventData><Data>Set-OabVirtualDirectory</Data><Data></Data><Data>-Identity "MAIL01\OAB"</Data></EventData></Event>
            1002 2021-03-03T06:49:44Z
            <?xml version="1.0" encoding="utf-8"?>
            <Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider Name="Microsoft-Windows-Security-Auditing" Guid="{54849625-5478-4994-A5BA-3E3B0328C30D}"/><EventID>1102</EventID><Version>2</Version><Level>0</Level><Task>13312</Task><Opcode>0</Opcode><Keywords>0x8020000000000000</Keywords><TimeCreated SystemTime="2021-03-03T06:49:44.0000000Z"/><EventRecordID>1002</EventRecordID><Correlation/><Execution ProcessID="4" ThreadID="512"/><Channel>Security</Channel><Computer>mail01.corp.example</Computer><Security/></System><UserData><LogFileCleared xmlns="http://manifests.microsoft.com/win/2004/08/windows/eventlog"><SubjectUserName>administrator</SubjectUserName></LogFileCleared></UserData></Event>
        "#]].assert_eq(&text);
    }

    #[test]
    fn many_chunks_keep_every_record_and_the_skipped_id() {
        let mut writer = EvtxWriter::new(
            io::Cursor::new(Vec::new()),
            "Security",
            "mail01.corp.example",
            1,
        )
        .unwrap();
        for number in 0..2_000_u32 {
            if number == 700 {
                writer.skip();
                continue;
            }
            let size = usize::try_from(number % 300).unwrap();
            let mut event = event(
                4_688,
                "2021-03-03T06:49:42Z",
                Body::Named(vec![
                    ("Number".into(), Value::U32(number)),
                    ("Filling".into(), "é".repeat(size).into()),
                ]),
            );
            if number % 3 == 0 {
                event.body = Body::Unnamed(vec![number.to_string(), "x".repeat(size)]);
            }
            writer.push(&event).unwrap();
        }
        let bytes = writer.finish().unwrap().into_inner();
        assert!(bytes.len() > 10 * CHUNK_BYTES, "many chunks");
        assert_eq!(bytes[24..32], 2_001_u64.to_le_bytes(), "next record id");
        let records = read(bytes);
        assert_eq!(records.len(), 1_999);
        for (position, (id, _, xml)) in records.iter().enumerate() {
            let number = if position < 700 {
                position
            } else {
                position + 1
            };
            assert_eq!(*id, u64::try_from(number).unwrap() + 1);
            assert!(xml.contains(&format!(">{number}<")), "record {id}: {xml}");
        }
    }

    #[test]
    fn an_event_larger_than_a_chunk_is_refused() {
        let large = event(
            1,
            "2021-03-03T06:49:42Z",
            Body::Unnamed(vec!["x".repeat(20_000), "y".repeat(20_000)]),
        );
        let error = log("Application", "mail01", 1, &[large]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn an_empty_log_is_still_a_log() {
        let bytes = log("System", "mail01", 1, &[]).unwrap();
        assert_eq!(bytes.len(), FILE_HEADER_BYTES + CHUNK_BYTES);
        assert_eq!(read(bytes), []);
    }
}
