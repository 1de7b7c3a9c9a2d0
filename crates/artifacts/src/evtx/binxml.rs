//! Tokens of BinXML: where the values of a template instance lie, and one form of a stream for all chunks.
//!
//! Format: MS-EVEN6 section 2.2.12 and
//! <https://github.com/libyal/libevtx/blob/main/documentation/Windows%20XML%20Event%20Log%20(EVTX).asciidoc>. A stream refers to its names by their
//! place in the chunk, so that the same template looks different in every chunk. Its canonical form holds the names
//! themselves: equal forms are equal templates, and nothing in them points anywhere.

use super::bytes::{Cursor, Fault, u16_at};
use super::value::kind;

/// Tokens, without the bit that says whether more attributes or content follow.
pub(super) mod token {
    pub(crate) const END: u8 = 0x00;
    pub(crate) const OPEN: u8 = 0x01;
    pub(crate) const CLOSE_START: u8 = 0x02;
    pub(crate) const CLOSE_EMPTY: u8 = 0x03;
    pub(crate) const CLOSE: u8 = 0x04;
    pub(crate) const VALUE: u8 = 0x05;
    pub(crate) const ATTRIBUTE: u8 = 0x06;
    pub(crate) const CDATA: u8 = 0x07;
    pub(crate) const CHARACTER: u8 = 0x08;
    pub(crate) const ENTITY: u8 = 0x09;
    pub(crate) const INSTRUCTION: u8 = 0x0a;
    pub(crate) const INSTRUCTION_DATA: u8 = 0x0b;
    pub(crate) const INSTANCE: u8 = 0x0c;
    pub(crate) const SUBSTITUTION: u8 = 0x0d;
    pub(crate) const OPTIONAL: u8 = 0x0e;
    pub(crate) const FRAGMENT: u8 = 0x0f;
    /// In canonical forms only: a text of the stream itself, kept as a value.
    pub(crate) const FILLED: u8 = 0x10;
    /// The bit that says whether more follows.
    pub(crate) const MORE: u8 = 0x40;
}

/// Streams within values within streams; Windows nests two.
const DEPTH_MAX: usize = 8;

/// Template instances of one record; Windows writes two.
const INSTANCES_MAX: usize = 64;

/// The longest canonical form. Windows' templates have a few KiB; a hostile one could repeat one long name a thousand
/// times.
const CANONICAL_BYTES_MAX: usize = 256 << 10;

/// Bytes before a template's definition: where the next one lies, its GUID and its size.
const DEFINITION_HEAD_BYTES: usize = 24;

/// Where a value lies in its chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) start: u32,
    pub(super) bytes: u16,
    pub(super) kind: u8,
}

impl Slot {
    /// The value's own bytes. A slot is only made after its range was checked; another chunk's gives nothing.
    pub(super) fn of(self, chunk: &[u8]) -> &[u8] {
        let start = self.start as usize;
        let end = start.saturating_add(usize::from(self.bytes));
        chunk.get(start..end).unwrap_or_default()
    }
}

/// A template, or elements without one, and which values stand in its places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instance {
    pub(super) elements: Elements,
    /// Index of its first value among the record's.
    pub(super) first: u16,
    pub(super) values: u16,
    /// The value, among the record's, that this instance is; `None` for one that stands in a stream itself.
    pub(super) place: Option<u16>,
}

/// Where the elements of an instance are defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elements {
    /// A template at this place of the chunk.
    Template(u32),
    /// Elements that a record or a value holds itself, by the number that the decoder gave to their structure.
    Inline(u32),
}

/// The values of one record: slots of all its template instances, and which instance they belong to.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    pub(super) slots: Vec<Slot>,
    pub(super) instances: Vec<Instance>,
    /// Values that hold elements of their own rather than one template instance, by index among the slots.
    pub(super) fragments: Vec<u16>,
    /// Whether a value is an array of more than one item, or may be.
    pub(super) arrays: bool,
}

impl Values {
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.instances.clear();
        self.fragments.clear();
        self.arrays = false;
    }

    /// Reads a record's content that is one template instance, as Windows writes it. `Ok(false)`: it is none.
    pub(super) fn read_record(
        &mut self,
        chunk: &[u8],
        at: usize,
        end: usize,
    ) -> Result<bool, Fault> {
        match instance_start(chunk, at, end) {
            Some(start) => self.read_stream(chunk, start, end, None, 0),
            None => Ok(false),
        }
    }

    /// Reads one instance that nothing but the stream's end follows; `Ok(false)` where more follows.
    fn read_stream(
        &mut self,
        chunk: &[u8],
        start: usize,
        end: usize,
        place: Option<u16>,
        depth: usize,
    ) -> Result<bool, Fault> {
        let mut cursor = Cursor::new(chunk, start, end)?;
        self.read_instance(chunk, &mut cursor, place, depth)?;
        Ok(cursor.is_at_end() || cursor.u8()? == token::END)
    }

    /// Reads one instance, the cursor standing behind its token, and those in its values. Gives its number.
    pub(super) fn read_instance(
        &mut self,
        chunk: &[u8],
        cursor: &mut Cursor<'_>,
        place: Option<u16>,
        depth: usize,
    ) -> Result<u16, Fault> {
        if depth > DEPTH_MAX || self.instances.len() >= INSTANCES_MAX {
            return Err(Fault("templates are nested too deeply"));
        }
        cursor.skip(5)?; // a version and the first bytes of the GUID
        let definition = cursor.u32()?;
        if cursor.at() == definition as usize {
            cursor.skip(DEFINITION_HEAD_BYTES - 4)?;
            let bytes = cursor.size()?;
            cursor.skip(bytes)?;
        }
        let count = cursor.size()?;
        // Four bytes a value: a count that cannot be there is refused before anything is made for it.
        let descriptors = cursor.take(
            count
                .checked_mul(4)
                .ok_or(Fault("a size is out of bounds"))?,
        )?;
        let first = self.slots.len();
        let mut nested = false;
        for descriptor in descriptors.chunks_exact(4) {
            let &[low, high, kind, _] = descriptor else {
                continue;
            };
            if !kind::is_known(kind) {
                return Err(Fault("a value is of an unknown type"));
            }
            let bytes = u16::from_le_bytes([low, high]);
            let start = u32::try_from(cursor.at()).map_err(|_far| Fault("it is out of bounds"))?;
            cursor.skip(usize::from(bytes))?;
            self.arrays |= kind & kind::ARRAY != 0;
            nested |= kind == kind::BINXML && bytes > 0;
            self.slots.push(Slot { start, bytes, kind });
        }
        let number = u16::try_from(self.instances.len()).unwrap_or(u16::MAX);
        let index =
            |index: usize| u16::try_from(index).map_err(|_many| Fault("it has too many values"));
        self.instances.push(Instance {
            elements: Elements::Template(definition),
            first: index(first)?,
            values: index(self.slots.len() - first)?,
            place,
        });
        index(self.slots.len())?;
        if nested {
            for place in first..first + count {
                self.read_nested(chunk, place, depth)?;
            }
        }
        Ok(number)
    }

    /// Reads the value at `place`, if it holds BinXML.
    fn read_nested(&mut self, chunk: &[u8], place: usize, depth: usize) -> Result<(), Fault> {
        let slot = *self.slots.get(place).ok_or(Fault("a value is missing"))?;
        if slot.kind != kind::BINXML || slot.bytes == 0 {
            return Ok(());
        }
        let index = u16::try_from(place).map_err(|_many| Fault("it has too many values"))?;
        let at = slot.start as usize;
        let end = at + usize::from(slot.bytes);
        let (slots, instances) = (self.slots.len(), self.instances.len());
        let fragments = self.fragments.len();
        if let Some(start) = instance_start(chunk, at, end)
            && self.read_stream(chunk, start, end, Some(index), depth + 1)?
        {
            return Ok(());
        }
        self.slots.truncate(slots);
        self.instances.truncate(instances);
        self.fragments.truncate(fragments);
        self.fragments.push(index);
        Ok(())
    }
}

impl Values {
    /// Adds the elements that a stream holds itself, with their texts, as an instance. Gives its number.
    pub(super) fn add_inline(
        &mut self,
        structure: u32,
        texts: &[Slot],
        place: Option<u16>,
    ) -> Result<u16, Fault> {
        let fault = Fault("it has too many values");
        if self.instances.len() >= INSTANCES_MAX {
            return Err(Fault("too many values hold elements"));
        }
        let first = u16::try_from(self.slots.len()).map_err(|_many| fault)?;
        self.slots.extend(texts);
        u16::try_from(self.slots.len()).map_err(|_many| fault)?;
        let number = u16::try_from(self.instances.len()).map_err(|_many| fault)?;
        self.instances.push(Instance {
            elements: Elements::Inline(structure),
            first,
            values: u16::try_from(texts.len()).map_err(|_many| fault)?,
            place,
        });
        Ok(number)
    }
}

/// Where the body of the instance begins, if a stream begins with one.
fn instance_start(chunk: &[u8], at: usize, end: usize) -> Option<usize> {
    match chunk.get(at..end)? {
        [token::FRAGMENT, _, _, _, token::INSTANCE, ..] => Some(at + 5),
        [token::INSTANCE, ..] => Some(at + 1),
        _ => None,
    }
}

/// What a stream may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    /// A template: elements name the value that they depend on, and places are left for values.
    Definition,
    /// A record or a value: complete elements, and instances of templates.
    Fragment,
}

/// Puts the canonical form of the template defined at `definition` into `out`, its GUID first.
pub(super) fn canonical_definition(
    chunk: &[u8],
    definition: u32,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    out.clear();
    out.push(OF_TEMPLATE);
    let mut head = Cursor::new(chunk, definition as usize, chunk.len())?;
    head.skip(4)?;
    out.extend(head.take(16)?);
    let bytes = head.size()?;
    let start = head.at();
    head.skip(bytes)?;
    Canonical {
        chunk,
        stream: Stream::Definition,
        values: None,
        texts: Vec::new(),
        names_data: false,
        out,
    }
    .stream(start, start + bytes, 0)
}

/// Where the tokens begin in a canonical form: behind what it is of, and the template's GUID.
pub(super) const CANONICAL_HEAD_BYTES: usize = 17;
const OF_TEMPLATE: u8 = 0;
const OF_INLINE: u8 = 1;

/// Puts the canonical form of a record's or a value's own stream into `out`. Template instances in it are read into
/// `values`, where their number stands for them; its texts become values too, so that the form is the structure alone,
/// which many records share. They are given back.
pub(super) fn canonical_fragment(
    chunk: &[u8],
    (start, end): (usize, usize),
    values: &mut Values,
    out: &mut Vec<u8>,
) -> Result<Vec<Slot>, Fault> {
    out.clear();
    out.resize(CANONICAL_HEAD_BYTES, OF_INLINE);
    let mut canonical = Canonical {
        chunk,
        stream: Stream::Fragment,
        values: Some(values),
        texts: Vec::new(),
        names_data: false,
        out,
    };
    canonical.stream(start, end, 0)?;
    Ok(canonical.texts)
}

/// Rewrites a stream. Canonical tokens: `OPEN` dependency name, `ATTRIBUTE` name, `VALUE` kind size bytes, `CDATA` size
/// text, `CHARACTER` unit, `ENTITY` name, `SUBSTITUTION`/`OPTIONAL` index kind, `FILLED` index, `INSTANCE` number, and
/// the closing tokens.
struct Canonical<'a, 'o> {
    chunk: &'a [u8],
    stream: Stream,
    values: Option<&'o mut Values>,
    /// Texts of a fragment that are kept as values.
    texts: Vec<Slot>,
    /// Whether the attribute at hand names data: a field's name belongs to the structure.
    names_data: bool,
    out: &'o mut Vec<u8>,
}

impl<'a> Canonical<'a, '_> {
    fn stream(&mut self, start: usize, end: usize, depth: usize) -> Result<(), Fault> {
        if depth > DEPTH_MAX {
            return Err(Fault("values are nested too deeply"));
        }
        let mut cursor = Cursor::new(self.chunk, start, end)?;
        while !cursor.is_at_end() {
            if self.out.len() > CANONICAL_BYTES_MAX {
                return Err(Fault("it is too long with its names"));
            }
            let read = cursor.u8()?;
            match read & !token::MORE {
                token::END => break,
                token::OPEN => self.open(&mut cursor, read & token::MORE != 0)?,
                close @ (token::CLOSE_START | token::CLOSE_EMPTY | token::CLOSE) => {
                    self.names_data = false;
                    self.out.push(close);
                }
                token::VALUE => self.value(&mut cursor, depth)?,
                named @ (token::ATTRIBUTE | token::ENTITY | token::INSTRUCTION) => {
                    self.out.push(named);
                    let name = self.name(&mut cursor)?;
                    self.names_data = named == token::ATTRIBUTE && name == DATA_NAME;
                }
                text @ (token::CDATA | token::INSTRUCTION_DATA) => {
                    self.out.push(text);
                    self.text(&mut cursor)?;
                }
                token::CHARACTER => {
                    self.out.push(token::CHARACTER);
                    self.out.extend(cursor.take(2)?);
                }
                place @ (token::SUBSTITUTION | token::OPTIONAL)
                    if self.stream == Stream::Definition =>
                {
                    self.out.push(place);
                    self.out.extend(cursor.take(3)?);
                }
                token::INSTANCE => self.instance(&mut cursor, depth)?,
                token::FRAGMENT => cursor.skip(3)?,
                _ => return Err(Fault("a token is unknown")),
            }
        }
        Ok(())
    }

    fn open(&mut self, cursor: &mut Cursor<'_>, attributes: bool) -> Result<(), Fault> {
        let dependency = match self.stream {
            Stream::Definition => cursor.u16()?,
            Stream::Fragment => u16::MAX,
        };
        cursor.skip(4)?; // its size
        self.out.push(token::OPEN);
        self.out.extend(dependency.to_le_bytes());
        self.name(cursor)?;
        if attributes {
            cursor.skip(4)?; // size of the list
        }
        Ok(())
    }

    fn value(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<(), Fault> {
        let kind = cursor.u8()?;
        if kind == kind::BINXML {
            if self.stream == Stream::Definition {
                return Err(Fault("a template holds a value of elements"));
            }
            let bytes = usize::from(cursor.u16()?);
            let start = cursor.at();
            cursor.skip(bytes)?;
            return self.stream(start, start + bytes, depth + 1);
        }
        if kind == kind::TEXT && self.stream == Stream::Fragment && !self.names_data {
            return self.filled(cursor);
        }
        self.out.extend([token::VALUE, kind]);
        if kind == kind::TEXT {
            return self.text(cursor);
        }
        let bytes = kind::fixed_bytes(kind).ok_or(Fault("a value has no size"))?;
        self.out.extend(u16::to_le_bytes(bytes));
        self.out.extend(cursor.take(usize::from(bytes))?);
        Ok(())
    }

    /// A text of a fragment: its place where it says something, so that the structure does not depend on what.
    fn filled(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        let units = cursor.u16()?;
        let bytes = units.checked_mul(2).ok_or(Fault("a text is too long"))?;
        let start = cursor.at();
        let text = cursor.take(usize::from(bytes))?;
        if matches!(text, [] | [0, 0, ..]) {
            self.out.extend([token::VALUE, kind::TEXT, 0, 0]);
            return Ok(());
        }
        let index =
            u16::try_from(self.texts.len()).map_err(|_many| Fault("it has too many values"))?;
        self.texts.push(Slot {
            start: u32::try_from(start).map_err(|_far| Fault("it is out of bounds"))?,
            bytes,
            kind: kind::TEXT,
        });
        self.out.push(token::FILLED);
        self.out.extend(index.to_le_bytes());
        Ok(())
    }

    /// UTF-16 text behind its number of units, as bytes behind their number.
    fn text(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        let units = cursor.u16()?;
        let bytes = units.checked_mul(2).ok_or(Fault("a text is too long"))?;
        self.out.extend(bytes.to_le_bytes());
        self.out.extend(cursor.take(usize::from(bytes))?);
        Ok(())
    }

    /// The name that the cursor refers to, as bytes behind their number. Its first use in a chunk has it on the spot.
    fn name(&mut self, cursor: &mut Cursor<'_>) -> Result<&'a [u8], Fault> {
        let offset = cursor.size()?;
        let name = name_at(self.chunk, offset)?;
        if cursor.at() == offset {
            cursor.skip(NAME_HEAD_BYTES + name.len() + 2)?;
        }
        let bytes = u16::try_from(name.len()).map_err(|_long| Fault("a name is too long"))?;
        self.out.extend(bytes.to_le_bytes());
        self.out.extend(name);
        Ok(name)
    }

    fn instance(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<(), Fault> {
        let Some(values) = self.values.as_deref_mut() else {
            return Err(Fault("a template holds a template"));
        };
        let number = values.read_instance(self.chunk, cursor, None, depth)?;
        self.out.push(token::INSTANCE);
        self.out.extend(number.to_le_bytes());
        Ok(())
    }
}

/// `Name` in UTF-16.
const DATA_NAME: &[u8] = b"N\0a\0m\0e\0";

/// Bytes before a name: where the next name of its list lies, a hash, and its length.
const NAME_HEAD_BYTES: usize = 8;

/// The UTF-16 units of the name at `offset`.
fn name_at(chunk: &[u8], offset: usize) -> Result<&[u8], Fault> {
    let fault = Fault("a name is out of bounds");
    let length = offset.checked_add(6).ok_or(fault)?;
    let units = u16_at(chunk, length).ok_or(fault)?;
    chunk
        .get(length + 2..length + 2 + usize::from(units) * 2)
        .ok_or(fault)
}
