//! Small XML files as bounded trees: configuration, tasks, compiled pages.
//!
//! <https://www.w3.org/TR/xml/>. Entities of a document type are never expanded, and a file that breaks off is kept up to
//! the break.

use evidence::Content;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::borrow::Cow;
use std::io::Read;

/// Larger than any configuration or task; stops a bomb.
const BYTES_MAX: u64 = 64 << 20;

/// Deeper than any of the formats nests.
const DEPTH_MAX: usize = 64;

/// Elements and attributes kept; the largest applicationHost.config of a host with thousands of sites stays below.
const NODES_MAX: usize = 500_000;

/// One element; names are without their namespace prefix.
#[derive(Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Element>,
    /// Its own text, without that of its children, trimmed.
    pub(crate) text: String,
    /// 1-based line on which it starts.
    pub(crate) line: u64,
}

/// What could be read of a document.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) root: Element,
    /// Why it was not read to its end, where it was not.
    pub(crate) fault: Option<&'static str>,
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first child of this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    pub(crate) fn children_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the element at the end of a path of names below this one; empty where there is none.
    pub(crate) fn text_at(&self, path: &[&str]) -> &str {
        let mut element = self;
        for name in path {
            match element.child(name) {
                Some(child) => element = child,
                None => return "",
            }
        }
        &element.text
    }
}

/// Reads an item as XML; the error says why there is nothing to read.
pub(crate) fn read(content: &mut dyn Content) -> Result<Document, &'static str> {
    let mut bytes = Vec::new();
    let read = content.stream().take(BYTES_MAX + 1).read_to_end(&mut bytes);
    if bytes.len() as u64 > BYTES_MAX {
        return Err("it is larger than any file of its kind");
    }
    let mut document = parse(&decoded(&bytes))?;
    if read.is_err() {
        document.fault = Some("it cannot be read to its end");
    }
    Ok(document)
}

/// Text in the encoding that its first bytes show. UTF-16 without a mark is told by the zero in `<` or `<?`.
pub(crate) fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    let encoding = match bytes {
        [b'<', 0, ..] => encoding_rs::UTF_16LE,
        [0, b'<', ..] => encoding_rs::UTF_16BE,
        _ => encoding_rs::UTF_8,
    };
    // A mark at the start outweighs the guess, and is taken away.
    encoding.decode(bytes).0
}

fn parse(text: &str) -> Result<Document, &'static str> {
    let mut reader = Reader::from_str(text);
    let mut builder = Builder::default();
    let mut lines = Lines::new(text);
    let fault = loop {
        let start = reader.buffer_position();
        let Ok(event) = reader.read_event() else {
            break Some("it is not well-formed");
        };
        let added = match event {
            Event::Start(start_tag) => builder.open(&start_tag, lines.line_of(start)),
            Event::Empty(tag) => builder
                .open(&tag, lines.line_of(start))
                .and_then(|()| builder.close()),
            Event::End(_) => builder.close(),
            Event::Text(piece) => builder.text(&piece.into_inner()),
            Event::CData(piece) => builder.text(&piece.into_inner()),
            Event::GeneralRef(reference) => {
                let resolved = reference.resolve_char_ref().ok().flatten();
                builder.reference(&reference.into_inner(), resolved)
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => Ok(()),
            Event::Eof => break None,
        };
        if let Err(fault) = added {
            break Some(fault);
        }
    };
    builder.finish(fault)
}

/// Builds the tree from the top.
#[derive(Default)]
struct Builder {
    open: Vec<Element>,
    root: Option<Element>,
    nodes: usize,
}

impl Builder {
    fn open(&mut self, tag: &BytesStart<'_>, line: u64) -> Result<(), &'static str> {
        if self.open.len() >= DEPTH_MAX {
            return Err("it is nested deeper than any file of its kind");
        }
        let mut element = Element {
            name: tag.local_name().into_inner().to_owned(),
            line,
            ..Element::default()
        };
        for attribute in tag.attributes().with_checks(false) {
            let attribute = attribute.map_err(|_error| "an attribute is not well-formed")?;
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .unwrap_or(attribute.value);
            element
                .attributes
                .push((attribute.key.into_inner().to_owned(), value.into_owned()));
        }
        self.nodes += 1 + element.attributes.len();
        if self.nodes > NODES_MAX {
            return Err("it has more elements than any file of its kind");
        }
        self.open.push(element);
        Ok(())
    }

    fn close(&mut self) -> Result<(), &'static str> {
        let mut element = self.open.pop().ok_or("an end tag has no start")?;
        let text = std::mem::take(&mut element.text);
        text.trim().clone_into(&mut element.text);
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None if self.root.is_none() => self.root = Some(element),
            None => return Err("it has more than one root"),
        }
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "alike with the other steps")]
    fn text(&mut self, piece: &str) -> Result<(), &'static str> {
        if let Some(element) = self.open.last_mut() {
            element.text.push_str(piece);
        }
        Ok(())
    }

    /// A character reference or one of the five names of XML itself; any other stays as it is written.
    fn reference(&mut self, name: &str, resolved: Option<char>) -> Result<(), &'static str> {
        match (name, resolved) {
            (_, Some(character)) => self.text(character.encode_utf8(&mut [0; 4])),
            ("lt", _) => self.text("<"),
            ("gt", _) => self.text(">"),
            ("amp", _) => self.text("&"),
            ("quot", _) => self.text("\""),
            ("apos", _) => self.text("'"),
            _ => self.text(&format!("&{name};")),
        }
    }

    fn finish(mut self, fault: Option<&'static str>) -> Result<Document, &'static str> {
        let mut fault = fault;
        while !self.open.is_empty() {
            fault = fault.or(Some("it breaks off"));
            if self.close().is_err() {
                break;
            }
        }
        match self.root {
            Some(root) => Ok(Document { root, fault }),
            None => Err(fault.unwrap_or("it holds no XML")),
        }
    }
}

/// Counts lines up to offsets that only grow.
struct Lines<'a> {
    text: &'a [u8],
    counted: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text: text.as_bytes(),
            counted: 0,
            line: 1,
        }
    }

    fn line_of(&mut self, offset: u64) -> u64 {
        let offset = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(self.text.len());
        if let Some(passed) = self.text.get(self.counted..offset) {
            self.line += memchr::memchr_iter(b'\n', passed).count() as u64;
            self.counted = offset;
        }
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_keeps_names_attributes_text_and_lines() {
        let document =
            parse("<?xml version='1.0'?>\n<t:a x='1 &amp; 2'>\n <b>one &#x41;&lt;</b>\n</t:a>")
                .unwrap();
        assert_eq!(document.fault, None);
        assert_eq!(document.root.name, "a");
        assert_eq!(document.root.attribute("x"), Some("1 & 2"));
        assert_eq!(document.root.text_at(&["b"]), "one A<");
        assert_eq!(document.root.child("b").unwrap().line, 3);
    }

    #[test]
    fn what_breaks_off_is_kept_up_to_the_break() {
        let document = parse("<a><b c='1'/><d>text").unwrap();
        assert_eq!(document.fault, Some("it breaks off"));
        assert_eq!(document.root.children.len(), 2);
        let document = parse("<a><b/></c></a>").unwrap();
        assert_eq!(document.fault, Some("it is not well-formed"));
        assert_eq!(document.root.children.len(), 1);
    }

    #[test]
    fn hostile_documents_are_bounded() {
        let laughs = "<!DOCTYPE a [<!ENTITY b \"&c;&c;\"><!ENTITY c \"ha\">]><a x='&b;'>&b;</a>";
        let document = parse(laughs).unwrap();
        assert_eq!(document.root.text, "&b;");
        assert_eq!(document.root.attribute("x"), Some("&b;"));
        let deep = parse(&"<a>".repeat(10_000)).unwrap();
        assert_eq!(
            deep.fault,
            Some("it is nested deeper than any file of its kind")
        );
        assert!(parse("no XML at all").is_err());
    }

    #[test]
    fn utf16_is_read_with_and_without_a_mark() {
        let utf16: Vec<u8> = "<a>ä</a>"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(parse(&decoded(&utf16)).unwrap().root.text, "ä");
        let marked: Vec<u8> = [0xff, 0xfe].into_iter().chain(utf16).collect();
        assert_eq!(parse(&decoded(&marked)).unwrap().root.text, "ä");
    }
}
