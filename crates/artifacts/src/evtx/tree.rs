//! Elements of an event: those of its templates, put together, with the places of its values.

use super::binxml::{Values, token};
use super::bytes::{Cursor, Fault};
use super::value::{self, kind};

/// Elements within elements; Windows writes five.
const DEPTH_MAX: usize = 48;

/// Elements and pieces of one event, after arrays have been written out.
const NODES_MAX: usize = 1 << 16;

/// One element.
#[derive(Clone, Debug, Default)]
pub(super) struct Element {
    pub(super) name: String,
    /// The value without which this element is left out: index among the template's, later among the record's.
    pub(super) needs: Option<u16>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) children: Vec<Node>,
}

#[derive(Clone, Debug)]
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Element(Element),
    Piece(Piece),
    /// A template instance, by its number among the record's.
    Instance(u16),
}

/// A piece of an element's or an attribute's text.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Text(String),
    /// A value in the template itself that is no text.
    Typed(u8, Vec<u8>),
    /// The value of this index.
    Slot {
        index: u16,
        optional: bool,
        /// The type that the template expects.
        kind: u8,
        /// Whether it is known to say something: a text of the stream itself.
        filled: bool,
    },
}

/// Reads the elements and instances at the top of a canonical stream.
pub(super) fn read(canonical: &[u8]) -> Result<Vec<Node>, Fault> {
    let mut reader = Reader {
        cursor: Cursor::new(canonical, 0, canonical.len())?,
        open: Vec::new(),
        top: Vec::new(),
        attribute: false,
        in_start: false,
    };
    while !reader.cursor.is_at_end() {
        reader.token()?;
    }
    if reader.in_start || !reader.open.is_empty() {
        return Err(Fault("an element does not end"));
    }
    Ok(reader.top)
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    open: Vec<Element>,
    top: Vec<Node>,
    /// Whether the last element's start is not closed yet: text then belongs to its last attribute.
    in_start: bool,
    attribute: bool,
}

impl Reader<'_> {
    fn token(&mut self) -> Result<(), Fault> {
        match self.cursor.u8()? {
            token::OPEN => self.open(),
            token::ATTRIBUTE => self.attribute(),
            token::CLOSE_START => self.close_start(),
            token::CLOSE_EMPTY => self.close_start().and_then(|()| self.close()),
            token::CLOSE => self.close(),
            token::VALUE => self.value(),
            token::CDATA => {
                let text = self.text()?;
                self.piece(Piece::Text(text))
            }
            token::CHARACTER => {
                let unit = self.cursor.u16()?;
                let text = match char::from_u32(u32::from(unit)) {
                    Some(character) => character.to_string(),
                    None => format!("&#{unit};"),
                };
                self.piece(Piece::Text(text))
            }
            token::ENTITY => {
                let text = entity(&self.text()?);
                self.piece(Piece::Text(text))
            }
            // Instructions to a reader of XML are no part of an event.
            token::INSTRUCTION | token::INSTRUCTION_DATA => self.text().map(|_text| ()),
            token @ (token::SUBSTITUTION | token::OPTIONAL) => {
                let index = self.cursor.u16()?;
                let kind = self.cursor.u8()?;
                self.piece(Piece::Slot {
                    index,
                    optional: token == token::OPTIONAL,
                    kind,
                    filled: false,
                })
            }
            token::FILLED => {
                let index = self.cursor.u16()?;
                self.piece(Piece::Slot {
                    index,
                    optional: false,
                    kind: kind::TEXT,
                    filled: true,
                })
            }
            token::INSTANCE => {
                let number = self.cursor.u16()?;
                self.node(Node::Instance(number))
            }
            _ => Err(Fault("a token is unknown")),
        }
    }

    fn open(&mut self) -> Result<(), Fault> {
        if self.in_start {
            return Err(Fault("an element begins in the start of another"));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(Fault("elements are nested too deeply"));
        }
        let needs = self.cursor.u16()?;
        let name = self.text()?;
        self.open.push(Element {
            name,
            needs: (needs != u16::MAX).then_some(needs),
            ..Element::default()
        });
        self.in_start = true;
        self.attribute = false;
        Ok(())
    }

    fn attribute(&mut self) -> Result<(), Fault> {
        let name = self.text()?;
        let (true, Some(element)) = (self.in_start, self.open.last_mut()) else {
            return Err(Fault("an attribute stands outside of an element's start"));
        };
        element.attributes.push(Attribute {
            name,
            pieces: Vec::new(),
        });
        self.attribute = true;
        Ok(())
    }

    fn close_start(&mut self) -> Result<(), Fault> {
        if !self.in_start {
            return Err(Fault("the start of an element ends twice"));
        }
        self.in_start = false;
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        if self.in_start {
            return Err(Fault("an element ends in its start"));
        }
        let element = self.open.pop().ok_or(Fault("no element is open"))?;
        self.node(Node::Element(element))
    }

    fn value(&mut self) -> Result<(), Fault> {
        let kind = self.cursor.u8()?;
        let piece = if kind == kind::TEXT {
            Piece::Text(self.text()?)
        } else {
            let bytes = usize::from(self.cursor.u16()?);
            Piece::Typed(kind, self.cursor.take(bytes)?.to_vec())
        };
        self.piece(piece)
    }

    fn piece(&mut self, piece: Piece) -> Result<(), Fault> {
        if !self.in_start {
            return self.node(Node::Piece(piece));
        }
        // Text before the first attribute of a start belongs to nothing.
        if self.attribute
            && let Some(attribute) = self
                .open
                .last_mut()
                .and_then(|element| element.attributes.last_mut())
        {
            attribute.pieces.push(piece);
        }
        Ok(())
    }

    fn node(&mut self, node: Node) -> Result<(), Fault> {
        if self.in_start {
            return Err(Fault("an element stands in an attribute"));
        }
        match self.open.last_mut() {
            Some(parent) => parent.children.push(node),
            None => self.top.push(node),
        }
        Ok(())
    }

    /// A text behind its number of bytes.
    fn text(&mut self) -> Result<String, Fault> {
        let bytes = usize::from(self.cursor.u16()?);
        let mut text = String::new();
        value::write_utf16(self.cursor.take(bytes)?, &mut text);
        Ok(text)
    }
}

fn entity(name: &str) -> String {
    match name {
        "quot" => "\"".to_owned(),
        "apos" => "'".to_owned(),
        "amp" => "&".to_owned(),
        "lt" => "<".to_owned(),
        "gt" => ">".to_owned(),
        unknown => format!("&{unknown};"),
    }
}

/// Puts the templates of a record together into one tree.
pub(super) struct Composer<'a> {
    pub(super) values: &'a Values,
    /// The elements of each of the record's instances, by number.
    pub(super) elements: &'a [&'a [Node]],
}

impl Composer<'_> {
    /// The elements of one instance, places numbered as the record's values, nested instances in their places.
    pub(super) fn instance(
        &self,
        number: u16,
        depth: usize,
        into: &mut Vec<Node>,
    ) -> Result<(), Fault> {
        if depth > DEPTH_MAX {
            return Err(Fault("elements are nested too deeply"));
        }
        let nodes = self
            .elements
            .get(usize::from(number))
            .ok_or(Fault("a template is missing"))?;
        for node in *nodes {
            self.node(node, number, depth + 1, into)?;
        }
        Ok(())
    }

    fn element(&self, template: &Element, instance: u16, depth: usize) -> Result<Element, Fault> {
        if depth > DEPTH_MAX {
            return Err(Fault("elements are nested too deeply"));
        }
        let mut element = Element {
            name: template.name.clone(),
            needs: template.needs.and_then(|index| self.index(index, instance)),
            ..Element::default()
        };
        for attribute in &template.attributes {
            let mut pieces = Vec::with_capacity(attribute.pieces.len());
            for piece in &attribute.pieces {
                if let Some(piece) = self.piece(piece, instance) {
                    if self.instance_at(&piece).is_some() {
                        return Err(Fault("an element stands in an attribute"));
                    }
                    pieces.push(piece);
                }
            }
            element.attributes.push(Attribute {
                name: attribute.name.clone(),
                pieces,
            });
        }
        for node in &template.children {
            self.node(node, instance, depth + 1, &mut element.children)?;
        }
        Ok(element)
    }

    fn node(
        &self,
        node: &Node,
        instance: u16,
        depth: usize,
        into: &mut Vec<Node>,
    ) -> Result<(), Fault> {
        match node {
            Node::Element(element) => {
                into.push(Node::Element(self.element(element, instance, depth)?));
            }
            Node::Instance(number) => self.instance(*number, depth, into)?,
            Node::Piece(piece) => {
                let Some(piece) = self.piece(piece, instance) else {
                    return Ok(());
                };
                match self.instance_at(&piece) {
                    Some(number) => self.instance(number, depth, into)?,
                    None => into.push(Node::Piece(piece)),
                }
            }
        }
        if into.len() > NODES_MAX {
            return Err(Fault("it has too many elements"));
        }
        Ok(())
    }

    /// A place whose value the record does not have says nothing.
    fn piece(&self, piece: &Piece, instance: u16) -> Option<Piece> {
        Some(match piece {
            Piece::Slot {
                index,
                optional,
                kind,
                filled,
            } => Piece::Slot {
                index: self.index(*index, instance)?,
                optional: *optional,
                kind: *kind,
                filled: *filled,
            },
            other => other.clone(),
        })
    }

    fn index(&self, index: u16, instance: u16) -> Option<u16> {
        let instance = self.values.instances.get(usize::from(instance))?;
        (index < instance.values).then(|| instance.first.saturating_add(index))
    }

    /// The instance that a value is.
    fn instance_at(&self, piece: &Piece) -> Option<u16> {
        let Piece::Slot { index, .. } = piece else {
            return None;
        };
        let mut numbered = self.values.instances.iter().zip(0_u16..);
        numbered
            .find(|(instance, _)| instance.place == Some(*index))
            .map(|(_, number)| number)
    }
}

/// Writes out what a record's own values make of its tree: elements that depend on a value it does not have are left
/// out, empty optional values too, and an element with an array stands once for each item (MS-EVEN6 3.1.4.7.5).
pub(super) struct Resolver<'a> {
    chunk: &'a [u8],
    values: &'a Values,
    nodes_left: usize,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(chunk: &'a [u8], values: &'a Values) -> Self {
        Self {
            chunk,
            values,
            nodes_left: NODES_MAX,
        }
    }

    /// The root is always there, and stands once: with its first item.
    pub(super) fn root(&mut self, root: &Element) -> Result<Element, Fault> {
        self.element(root)
    }

    fn element(&mut self, element: &Element) -> Result<Element, Fault> {
        self.nodes_left = self
            .nodes_left
            .checked_sub(1 + element.attributes.len() + element.children.len())
            .ok_or(Fault("it has too many elements"))?;
        let mut resolved = Element {
            name: element.name.clone(),
            ..Element::default()
        };
        for attribute in &element.attributes {
            let pieces: Vec<Piece> = attribute
                .pieces
                .iter()
                .filter(|piece| !self.is_left_out(piece))
                .map(|piece| self.piece(piece))
                .collect();
            if !pieces.is_empty() {
                resolved.attributes.push(Attribute {
                    name: attribute.name.clone(),
                    pieces,
                });
            }
        }
        for node in &element.children {
            match node {
                Node::Piece(piece) if self.is_left_out(piece) => {}
                Node::Piece(piece) => resolved.children.push(Node::Piece(self.piece(piece))),
                Node::Element(child) => {
                    if child.needs.is_some_and(|index| self.is_null(index)) {
                        continue;
                    }
                    let child = self.element(child)?;
                    self.expand(child, &mut resolved.children)?;
                }
                Node::Instance(_) => return Err(Fault("a template is missing")),
            }
        }
        Ok(resolved)
    }

    /// Adds the element once for each item of its first array, and those for each item of their next.
    fn expand(&mut self, mut element: Element, into: &mut Vec<Node>) -> Result<(), Fault> {
        let Some((place, kind, items)) = take_first_array(&mut element) else {
            into.push(Node::Element(element));
            return Ok(());
        };
        let weight = weight(&element);
        for item in items {
            self.nodes_left = self
                .nodes_left
                .checked_sub(weight)
                .ok_or(Fault("it has too many elements"))?;
            let item = (!value::is_empty(kind, &item)).then_some(Piece::Typed(kind, item));
            self.expand(with_piece(&element, place, item), into)?;
        }
        Ok(())
    }

    /// A place's value itself, so that the tree no longer depends on the record.
    fn piece(&self, piece: &Piece) -> Piece {
        match piece {
            Piece::Slot { index, .. } => match self.values.slots.get(usize::from(*index)) {
                Some(slot) => Piece::Typed(slot.kind, slot.of(self.chunk).to_vec()),
                None => Piece::Text(String::new()),
            },
            other => other.clone(),
        }
    }

    fn is_left_out(&self, piece: &Piece) -> bool {
        let Piece::Slot {
            index,
            optional: true,
            ..
        } = piece
        else {
            return false;
        };
        self.values
            .slots
            .get(usize::from(*index))
            .is_none_or(|slot| value::is_empty(slot.kind, slot.of(self.chunk)))
    }

    fn is_null(&self, index: u16) -> bool {
        self.values
            .slots
            .get(usize::from(index))
            .is_some_and(|slot| slot.kind == kind::NULL)
    }
}

/// What a copy of an element costs, in nodes: long values count too.
fn weight(element: &Element) -> usize {
    const BYTES_PER_NODE: usize = 64;
    let bytes_of = |piece: &Piece| match piece {
        Piece::Typed(_, bytes) => bytes.len(),
        Piece::Text(text) => text.len(),
        Piece::Slot { .. } => 0,
    };
    let children = element.children.iter().map(|node| match node {
        Node::Piece(piece) => bytes_of(piece),
        // Elements below share the copy's cost by their number alone: they are copied with it.
        Node::Element(child) => weight(child) * BYTES_PER_NODE,
        Node::Instance(_) => 0,
    });
    let attributes = element
        .attributes
        .iter()
        .flat_map(|attribute| &attribute.pieces);
    let bytes = children.sum::<usize>() + attributes.map(bytes_of).sum::<usize>();
    1 + element.attributes.len() + element.children.len() + bytes / BYTES_PER_NODE
}

/// Where in an element an array stands.
#[derive(Clone, Copy)]
enum ArrayPlace {
    Child(usize),
    Attribute(usize, usize),
}

/// An array's place, the type of its items, and their bytes.
type FoundArray = (ArrayPlace, u8, Vec<Vec<u8>>);

/// Takes the first array of several items out of its place: content goes before attributes.
fn take_first_array(element: &mut Element) -> Option<FoundArray> {
    let take = |piece: &mut Piece| match piece {
        Piece::Typed(kind, bytes) if *kind & kind::ARRAY != 0 => {
            let items: Vec<Vec<u8>> = value::items(*kind, bytes).map(<[u8]>::to_vec).collect();
            let found = (items.len() > 1).then_some((*kind & !kind::ARRAY, items));
            if found.is_some() {
                *piece = Piece::Text(String::new());
            }
            found
        }
        _ => None,
    };
    for (index, node) in element.children.iter_mut().enumerate() {
        if let Node::Piece(piece) = node
            && let Some((kind, items)) = take(piece)
        {
            return Some((ArrayPlace::Child(index), kind, items));
        }
    }
    for (attribute_index, attribute) in element.attributes.iter_mut().enumerate() {
        for (index, piece) in attribute.pieces.iter_mut().enumerate() {
            if let Some((kind, items)) = take(piece) {
                return Some((ArrayPlace::Attribute(attribute_index, index), kind, items));
            }
        }
    }
    None
}

/// The element with another piece in a place, or none.
fn with_piece(element: &Element, place: ArrayPlace, piece: Option<Piece>) -> Element {
    let mut copy = element.clone();
    match place {
        ArrayPlace::Child(index) => {
            copy.children.splice(index..=index, piece.map(Node::Piece));
        }
        ArrayPlace::Attribute(attribute, index) => {
            copy.attributes[attribute]
                .pieces
                .splice(index..=index, piece);
            copy.attributes
                .retain(|attribute| !attribute.pieces.is_empty());
        }
    }
    copy
}
