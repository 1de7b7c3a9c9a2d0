//! What the fields of all events of one shape are called, and where each finds its value.
//!
//! A shape is a template with the templates nested in it. Its elements are laid flat once, into the names that the tree
//! of the event's XML gives in JSON and that [`naming`] makes flat; a record then needs nothing but the places of its
//! values. Where names depend on values (a `Name` that is one itself, an array that repeats an element), no plan holds
//! for all records, and a plan is made for a single record whose values were written into the tree.

use super::binxml::Slot;
use super::bytes::Fault;
use super::tree::{Attribute, Element, Node, Piece};
use super::value::{self, kind};
use crate::windows_event::{ALIASES, Naming, naming};
use model::{Layout, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Fields of one event.
const FIELDS_MAX: usize = 10_000;

/// Values without a name that a layout has room for, where an array holds them; records with more are read by name.
const UNNAMED_IN_LAYOUT: usize = 40;

/// Values without a name in any layout: to find one, those before it are counted.
const UNNAMED_IN_LAYOUT_MAX: usize = 256;

/// Bytes of a template's own text that weigh as much as a field.
const LITERAL_BYTES_PER_FIELD: usize = 64;

/// A plan for all records of a shape, or for one record.
#[derive(Debug)]
pub(super) struct Plan {
    /// Names in the order of the event, each with its value; a name may come twice.
    pub(super) leaves: Vec<(String, Leaf)>,
    /// Values of `<Data>` without a name.
    pub(super) unnamed: Vec<Leaf>,
    /// Every name once, and what it stands for.
    names: Vec<String>,
    sources: Vec<Source>,
    /// How many values without a name there is room for among the names.
    pub(super) unnamed_named: usize,
    /// Normalised names that may find something, with indexes of the names that hold it.
    pub(super) aliases: Vec<(&'static str, Vec<usize>)>,
    /// Names without their spaces.
    synonyms: Vec<(String, usize)>,
    pub(super) layout: Option<Arc<Layout>>,
    /// Values that may be arrays of several items, by index among the record's and in its order; others may not.
    lists: Vec<u16>,
    /// All values that the plan uses, in order.
    used: Vec<u16>,
    pub(super) system: System,
    /// What the plan takes of the memory, and a record of time to be looked at, in fields.
    pub(super) weight: usize,
}

/// Indexes of leaves that every reader of logs needs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct System {
    pub(super) channel: Option<usize>,
    pub(super) provider: Option<usize>,
    pub(super) event_id: Option<usize>,
    pub(super) computer: Option<usize>,
    pub(super) record_id: Option<usize>,
    pub(super) time: Option<usize>,
    /// The name `TargetUserName`, and whose user a logon is of.
    pub(super) target_user: Option<usize>,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Leaf(usize),
    /// Several values of one name.
    Leaves(Vec<usize>),
    /// The value without a name at this position, from 0.
    Unnamed(usize),
    /// All of them.
    AllUnnamed,
    /// An index of [`Plan::aliases`].
    Alias(usize),
}

/// Where a field finds its value.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) content: Content,
    pub(super) empty: Empty,
    /// Values without which the field is not there.
    pub(super) needs: Vec<u16>,
}

#[derive(Debug)]
pub(super) enum Content {
    Text(String),
    Typed(u8, Vec<u8>),
    Slot(u16),
    /// Pieces that make one text together.
    Pieces(Vec<Piece>),
    /// Values of elements with one name in a row.
    Run(Vec<Content>),
}

impl Content {
    /// Bytes of the template's own text.
    fn literal_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Typed(_, bytes) => bytes.len(),
            Self::Slot(_) => 0,
            Self::Pieces(pieces) => pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Text(text) => text.len(),
                    Piece::Typed(_, bytes) => bytes.len(),
                    Piece::Slot { .. } => 0,
                })
                .sum(),
            Self::Run(contents) => contents.iter().map(Self::literal_bytes).sum(),
        }
    }
}

/// What a field without content says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Empty {
    Absent,
    Null,
    Text,
}

impl Plan {
    /// A plan for a tree: for all records of its shape where it has places for values, for one record where the values
    /// stand in it. The fault says why there is none.
    pub(super) fn of(root: &Element) -> Result<Self, Fault> {
        Flattening::default().plan(root)
    }

    /// Makes the layout of the plan's names known to the process, if it is one of an ordinary event.
    pub(super) fn share_layout(&mut self) {
        if self.unnamed_named <= UNNAMED_IN_LAYOUT_MAX {
            self.layout = Layout::of(&self.names, &self.synonyms);
        }
    }

    /// What a name stands for.
    pub(super) fn source_of(&self, name: &str) -> Option<&Source> {
        let index = match &self.layout {
            Some(layout) => layout.index_of(name),
            None => self.index_by_search(name),
        };
        self.sources.get(index?)
    }

    pub(super) fn source(&self, index: usize) -> Option<&Source> {
        self.sources.get(index)
    }

    fn index_by_search(&self, name: &str) -> Option<usize> {
        let position = self.names.iter().position(|known| known == name);
        position.or_else(|| {
            let synonym = self.synonyms.iter().find(|(synonym, _)| synonym == name);
            synonym.map(|(_, index)| *index)
        })
    }

    /// Whether an array of several items at this value is in a place that this plan foresees.
    pub(super) fn takes_array(&self, index: u16) -> bool {
        self.lists.binary_search(&index).is_ok() || self.used.binary_search(&index).is_err()
    }
}

/// Lays a tree flat.
#[derive(Default)]
struct Flattening<'t> {
    /// Keys from the root to the element at hand, as JSON has them.
    path: Vec<Cow<'t, str>>,
    /// Values without which the element at hand is not there.
    needs: Vec<u16>,
    leaves: Vec<(String, Leaf)>,
    unnamed: Vec<Leaf>,
    /// Values that stand alone for the whole value of a `<Data>`.
    lists: Vec<u16>,
    used: Vec<u16>,
    /// Whether the template expects an array among the values without a name.
    unnamed_array: bool,
}

/// What is known of an element's text before its values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Something,
    Nothing,
    Depends,
}

impl<'t> Flattening<'t> {
    fn plan(mut self, root: &'t Element) -> Result<Plan, Fault> {
        self.path.push(Cow::Borrowed(&root.name));
        self.element(root, false)?;
        self.finish()
    }

    /// One element with attributes, text and children.
    fn element(&mut self, element: &'t Element, container: bool) -> Result<(), Fault> {
        let text = said(&text_of(element));
        let attributes = element
            .attributes
            .iter()
            .map(|attribute| said_by(&attribute.pieces))
            .fold(Said::Nothing, either);
        if elements_of(element).next().is_some() {
            let always = elements_of(element).any(|child| child.needs.is_none())
                || text == Said::Something
                || attributes == Said::Something;
            // An element whose parts are all left out is null; in these parts a null is no field anyway.
            if !always && !self.in_system() && self.path.len() > 2 {
                return Err(Fault("whether an element is empty depends on values"));
            }
            self.attributes(element)?;
            if text != Said::Nothing {
                self.leaf_at("#text", text_of(element), Empty::Absent)?;
            }
            return self.children(element, container);
        }
        match attributes {
            Said::Nothing => self.leaf(text_of(element), Empty::Null, false),
            Said::Something => {
                self.attributes(element)?;
                self.leaf_at("#text", text_of(element), Empty::Absent)
            }
            Said::Depends if self.in_system() => {
                self.attributes(element)?;
                self.leaf(text_of(element), Empty::Null, false)
            }
            Said::Depends => Err(Fault("whether an element has attributes depends on values")),
        }
    }

    fn attributes(&mut self, element: &'t Element) -> Result<(), Fault> {
        for attribute in &element.attributes {
            if said_by(&attribute.pieces) == Said::Nothing {
                continue;
            }
            self.path.push(Cow::Borrowed("#attributes"));
            let pieces = attribute.pieces.iter().collect();
            let read = self.leaf_at(&attribute.name, pieces, Empty::Absent);
            self.path.pop();
            read?;
        }
        Ok(())
    }

    fn children(&mut self, element: &'t Element, container: bool) -> Result<(), Fault> {
        let named = container && has_named_data(element)?;
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut data_names: BTreeMap<String, usize> = BTreeMap::new();
        let depends = elements_of(element).any(|child| child.needs.is_some());
        let mut children = elements_of(element).peekable();
        while let Some(child) = children.next() {
            if container && child.name == "Data" {
                if !named {
                    self.unnamed_data(child)?;
                    continue;
                }
                let Some(name) = data_name(child) else {
                    continue;
                };
                let mut run = vec![child];
                while let Some(next) = children
                    .next_if(|next| next.name == "Data" && data_name(next).as_ref() == Some(&name))
                {
                    run.push(next);
                }
                let seen = data_names.entry(name.clone()).or_default();
                let key = numbered(&name, *seen);
                *seen += 1;
                let repeats = run.len() > 1 || *seen > 1;
                if repeats && depends {
                    return Err(Fault("the number of a name depends on values"));
                }
                self.named_data(&key, &run)?;
                continue;
            }
            let seen = counts.entry(&child.name).or_default();
            let key = numbered(&child.name, *seen);
            *seen += 1;
            if *seen > 1 && depends {
                return Err(Fault("the number of an element depends on values"));
            }
            let inner = matches!(child.name.as_str(), "EventData" | "UserData");
            self.path.push(Cow::Owned(key));
            let read = self.needing(child, |flattening| flattening.element(child, inner));
            self.path.pop();
            read?;
        }
        Ok(())
    }

    fn named_data(&mut self, key: &str, run: &[&'t Element]) -> Result<(), Fault> {
        self.path.push(Cow::Owned(key.to_owned()));
        let read = match run {
            [data] => self.needing(data, |flattening| flattening.data(data)),
            _ => self.run(run),
        };
        self.path.pop();
        read
    }

    fn unnamed_data(&mut self, data: &'t Element) -> Result<(), Fault> {
        if elements_of(data).next().is_some() {
            return Err(Fault("data without a name hold elements"));
        }
        self.path.push(Cow::Borrowed("#text"));
        let read = self.needing(data, |flattening| {
            flattening.leaf(text_of(data), Empty::Text, true)
        });
        self.path.pop();
        read
    }

    /// The value of a `<Data>`; its attributes but its name say nothing.
    fn data(&mut self, data: &'t Element) -> Result<(), Fault> {
        if elements_of(data).next().is_none() {
            return self.leaf(text_of(data), Empty::Text, true);
        }
        if self.path.last().is_some_and(|name| name == "Data") {
            return Err(Fault("data that are called data hold elements"));
        }
        if said(&text_of(data)) != Said::Nothing {
            self.leaf_at("#text", text_of(data), Empty::Absent)?;
        }
        self.children(data, false)
    }

    /// Several `<Data>` of one name in a row.
    fn run(&mut self, run: &[&'t Element]) -> Result<(), Fault> {
        let mut contents = Vec::with_capacity(run.len());
        for data in run {
            if elements_of(data).next().is_some() {
                return Err(Fault("data whose name repeats hold elements"));
            }
            contents.push(self.content(text_of(data), false));
        }
        self.add(Content::Run(contents), Empty::Text)
    }

    /// Reads an element that may depend on a value.
    fn needing(
        &mut self,
        element: &Element,
        read: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let depth = self.needs.len();
        self.needs.extend(element.needs);
        let result = read(self);
        self.needs.truncate(depth);
        result
    }

    fn leaf_at(&mut self, key: &'t str, pieces: Vec<&'t Piece>, empty: Empty) -> Result<(), Fault> {
        self.path.push(Cow::Borrowed(key));
        let read = self.leaf(pieces, empty, false);
        self.path.pop();
        read
    }

    fn leaf(&mut self, pieces: Vec<&'t Piece>, empty: Empty, list: bool) -> Result<(), Fault> {
        if empty == Empty::Absent && said(&pieces) == Said::Nothing {
            return Ok(());
        }
        if let (true, [Piece::Slot { kind, .. }]) = (list, pieces.as_slice()) {
            let unnamed = matches!(naming(&self.path), Naming::Unnamed);
            self.unnamed_array |= unnamed && kind & kind::ARRAY != 0;
        }
        let content = self.content(pieces, list);
        self.add(content, empty)
    }

    fn content(&mut self, pieces: Vec<&'t Piece>, list: bool) -> Content {
        for piece in &pieces {
            if let Piece::Slot { index, .. } = piece {
                self.used.push(*index);
            }
        }
        match pieces.as_slice() {
            [] => Content::Text(String::new()),
            [Piece::Text(text)] => Content::Text(text.clone()),
            [Piece::Typed(kind, bytes)] => Content::Typed(*kind, bytes.clone()),
            [Piece::Slot { index, .. }] => {
                if list {
                    self.lists.push(*index);
                }
                Content::Slot(*index)
            }
            _ => Content::Pieces(pieces.into_iter().cloned().collect()),
        }
    }

    fn add(&mut self, content: Content, empty: Empty) -> Result<(), Fault> {
        let in_system = self.in_system();
        let leaf = Leaf {
            content,
            // `<Correlation/>` and `<Security/>` say nothing.
            empty: if in_system && empty == Empty::Null {
                Empty::Absent
            } else {
                empty
            },
            needs: self.needs.clone(),
        };
        if self.leaves.len() + self.unnamed.len() >= FIELDS_MAX {
            return Err(Fault("it has too many fields"));
        }
        match naming(&self.path) {
            Naming::Field(name) if name.is_empty() => {}
            Naming::Field(name) => self.leaves.push((name.into_owned(), leaf)),
            Naming::Unnamed => self.unnamed.push(leaf),
            Naming::Notation => {}
        }
        Ok(())
    }

    fn in_system(&self) -> bool {
        self.path.iter().any(|key| key == "System")
    }

    fn finish(self) -> Result<Plan, Fault> {
        let unnamed_named = match (self.unnamed.len(), self.unnamed_array) {
            (count, true) => count.max(UNNAMED_IN_LAYOUT),
            (count, false) => count,
        };
        let mut names = Names::default();
        for (index, (name, _)) in self.leaves.iter().enumerate() {
            names.add_leaf(name, index);
        }
        for position in 0..unnamed_named {
            names.add(format!("Data_{}", position + 1), Source::Unnamed(position))?;
        }
        if unnamed_named > 0 {
            names.add("Data".to_owned(), Source::AllUnnamed)?;
        }
        let aliases: Vec<(&'static str, Vec<usize>)> = ALIASES
            .iter()
            .map(|(alias, own_names)| {
                let known = own_names.iter().filter_map(|name| names.index(name));
                (*alias, known.collect::<Vec<_>>())
            })
            .filter(|(_, known)| !known.is_empty())
            .collect();
        let synonyms = names.without_spaces();
        for (index, (alias, _)) in aliases.iter().enumerate() {
            // A field of the event's own goes before.
            let _known = names.add((*alias).to_owned(), Source::Alias(index));
        }
        let literals = self.leaves.iter().map(|(_, leaf)| &leaf.content);
        let literals = literals.chain(self.unnamed.iter().map(|leaf| &leaf.content));
        let literals: usize = literals.map(Content::literal_bytes).sum();
        let fields = self.leaves.len() + self.unnamed.len() + names.list.len();
        let first = |name: &str| self.leaves.iter().position(|(known, _)| known == name);
        Ok(Plan {
            system: System {
                channel: first("Channel"),
                provider: first("Provider_Name"),
                event_id: first("EventID"),
                computer: first("Computer"),
                record_id: first("EventRecordID"),
                time: first("TimeCreated_SystemTime"),
                target_user: names.index("TargetUserName"),
            },
            leaves: self.leaves,
            unnamed: self.unnamed,
            names: names.list,
            sources: names.sources,
            unnamed_named,
            aliases,
            synonyms,
            layout: None,
            weight: 1 + fields + literals / LITERAL_BYTES_PER_FIELD,
            lists: in_order(self.lists),
            used: in_order(self.used),
        })
    }
}

fn in_order(mut indexes: Vec<u16>) -> Vec<u16> {
    indexes.sort_unstable();
    indexes.dedup();
    indexes
}

/// The names of a plan, each once.
#[derive(Default)]
struct Names {
    list: Vec<String>,
    sources: Vec<Source>,
    indexes: BTreeMap<String, usize>,
}

impl Names {
    fn index(&self, name: &str) -> Option<usize> {
        self.indexes.get(name).copied()
    }

    fn add_leaf(&mut self, name: &str, leaf: usize) {
        match self.index(name) {
            Some(index) => match &mut self.sources[index] {
                Source::Leaves(leaves) => leaves.push(leaf),
                Source::Leaf(first) => self.sources[index] = Source::Leaves(vec![*first, leaf]),
                _ => {}
            },
            None => self.push(name.to_owned(), Source::Leaf(leaf)),
        }
    }

    fn add(&mut self, name: String, source: Source) -> Result<(), Fault> {
        if self.indexes.contains_key(&name) {
            return Err(Fault("a field has the name of another"));
        }
        self.push(name, source);
        Ok(())
    }

    fn push(&mut self, name: String, source: Source) {
        self.indexes.insert(name.clone(), self.list.len());
        self.list.push(name);
        self.sources.push(source);
    }

    /// Names with spaces, as Sigma rules write them.
    fn without_spaces(&self) -> Vec<(String, usize)> {
        let spaced = self
            .list
            .iter()
            .enumerate()
            .filter(|(_, name)| name.contains(' '));
        spaced
            .map(|(index, name)| (name.replace(' ', ""), index))
            .collect()
    }
}

/// Whether the `<Data>` of a container have names; then those without one are left out.
fn has_named_data(container: &Element) -> Result<bool, Fault> {
    let data = || elements_of(container).filter(|child| child.name == "Data");
    let said = |child: &Element| {
        let name = child
            .attributes
            .iter()
            .find(|attribute| attribute.name == "Name");
        name.map_or(Said::Nothing, |name| said_by(&name.pieces))
    };
    if data().any(|child| said(child) == Said::Depends) {
        return Err(Fault("the name of data is a value"));
    }
    let named = data()
        .filter(|child| said(child) == Said::Something)
        .count();
    let always = data().any(|child| said(child) == Said::Something && child.needs.is_none());
    if named > 0 && !always && named < data().count() {
        return Err(Fault("whether data have names depends on values"));
    }
    Ok(named > 0)
}

fn said_by(pieces: &[Piece]) -> Said {
    said(&pieces.iter().collect::<Vec<_>>())
}

fn said(pieces: &[&Piece]) -> Said {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) if text.is_empty() => Said::Nothing,
            Piece::Typed(kind, bytes) if value::is_empty(*kind, bytes) => Said::Nothing,
            Piece::Text(_) | Piece::Typed(..) | Piece::Slot { filled: true, .. } => Said::Something,
            Piece::Slot { .. } => Said::Depends,
        })
        .fold(Said::Nothing, either)
}

fn either(one: Said, other: Said) -> Said {
    match (one, other) {
        (Said::Something, _) | (_, Said::Something) => Said::Something,
        (Said::Depends, _) | (_, Said::Depends) => Said::Depends,
        (Said::Nothing, Said::Nothing) => Said::Nothing,
    }
}

fn elements_of(element: &Element) -> impl Iterator<Item = &Element> {
    element.children.iter().filter_map(|node| match node {
        Node::Element(child) => Some(child),
        _ => None,
    })
}

fn text_of(element: &Element) -> Vec<&Piece> {
    let pieces = element.children.iter().filter_map(|node| match node {
        Node::Piece(piece) => Some(piece),
        _ => None,
    });
    pieces.collect()
}

/// The name of a `<Data>`, where it has one that is not empty and no value.
fn data_name(data: &Element) -> Option<String> {
    let Attribute { pieces, .. } = data
        .attributes
        .iter()
        .find(|attribute| attribute.name == "Name")?;
    let mut name = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => name.push_str(text),
            Piece::Typed(kind, bytes) => value::write_text(*kind, bytes, &mut name),
            Piece::Slot { .. } => return None,
        }
    }
    (!name.is_empty()).then_some(name)
}

/// The second element of one name is `name_1`.
fn numbered(name: &str, seen: usize) -> String {
    match seen {
        0 => name.to_owned(),
        _ => format!("{name}_{seen}"),
    }
}

/// A record's values under a plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filled<'a> {
    pub(super) plan: &'a Plan,
    pub(super) chunk: &'a [u8],
    pub(super) slots: &'a [Slot],
}

impl<'a> Filled<'a> {
    /// The value of a leaf; `None` where this record does not have it.
    pub(super) fn leaf(&self, leaf: &'a Leaf) -> Option<Value<'a>> {
        if self.is_left_out(leaf) {
            return None;
        }
        match self.content(&leaf.content) {
            Some(value) => Some(value),
            None => match leaf.empty {
                Empty::Absent => None,
                Empty::Null => Some(Value::Null),
                Empty::Text => Some(Value::Text(Cow::Borrowed(""))),
            },
        }
    }

    /// How many values a leaf without a name has.
    pub(super) fn count(&self, leaf: &Leaf) -> usize {
        if self.is_left_out(leaf) {
            return 0;
        }
        match &leaf.content {
            Content::Run(contents) => contents.len(),
            Content::Slot(index) => match self.bytes(*index) {
                Some((kind, bytes)) if kind & kind::ARRAY != 0 => {
                    value::items(kind, bytes).count().max(1)
                }
                _ => 1,
            },
            _ => 1,
        }
    }

    fn is_left_out(&self, leaf: &Leaf) -> bool {
        leaf.needs.iter().any(|index| {
            self.slot(*index)
                .is_some_and(|slot| slot.kind == kind::NULL)
        })
    }

    fn slot(&self, index: u16) -> Option<&'a Slot> {
        self.slots.get(usize::from(index))
    }

    fn bytes(&self, index: u16) -> Option<(u8, &'a [u8])> {
        let slot = self.slot(index)?;
        Some((slot.kind, slot.of(self.chunk)))
    }

    /// The content's value; `None` where it says nothing.
    fn content(&self, content: &'a Content) -> Option<Value<'a>> {
        match content {
            Content::Text(text) => (!text.is_empty()).then(|| Value::Text(Cow::Borrowed(text))),
            Content::Typed(kind, bytes) => {
                (!value::is_empty(*kind, bytes)).then(|| value::value(*kind, bytes))
            }
            Content::Slot(index) => {
                let (kind, bytes) = self.bytes(*index)?;
                if value::is_empty(kind, bytes) {
                    return None;
                }
                if kind & kind::ARRAY != 0 {
                    return Some(array(kind, bytes));
                }
                Some(value::value(kind, bytes))
            }
            Content::Pieces(pieces) => self.pieces(pieces),
            Content::Run(contents) => Some(Value::List(
                contents
                    .iter()
                    .map(|content| {
                        self.content(content)
                            .unwrap_or(Value::Text(Cow::Borrowed("")))
                    })
                    .collect(),
            )),
        }
    }

    /// One text of all pieces; a number that is left alone stays one.
    fn pieces(&self, pieces: &'a [Piece]) -> Option<Value<'a>> {
        let mut text = String::new();
        let mut alone = None;
        let mut count = 0;
        for piece in pieces {
            let (kind, bytes) = match piece {
                Piece::Text(literal) => {
                    text.push_str(literal);
                    count += usize::from(!literal.is_empty());
                    continue;
                }
                Piece::Typed(kind, bytes) => (*kind, bytes.as_slice()),
                Piece::Slot { index, .. } => match self.bytes(*index) {
                    Some(found) => found,
                    None => continue,
                },
            };
            if value::is_empty(kind, bytes) {
                continue;
            }
            count += 1;
            alone = Some((kind, bytes));
            value::write_text(kind, bytes, &mut text);
        }
        match alone {
            Some((kind, bytes)) if count == 1 && value::is_bare(kind, bytes) => {
                Some(value::value(kind, bytes))
            }
            _ => (!text.is_empty()).then_some(Value::Text(Cow::Owned(text))),
        }
    }

    /// The whole number in a leaf.
    pub(super) fn unsigned(&self, index: Option<usize>) -> Option<u64> {
        let (_, leaf) = self.plan.leaves.get(index?)?;
        if let Content::Slot(slot) = leaf.content
            && leaf.needs.is_empty()
        {
            let (kind, bytes) = self.bytes(slot)?;
            if let Some(number) = value::unsigned(kind, bytes) {
                return Some(number);
            }
        }
        self.leaf(leaf)?.to_unsigned()
    }

    /// The text of a leaf, where it is not empty.
    pub(super) fn text(&self, index: Option<usize>) -> Option<Cow<'a, str>> {
        let (_, leaf) = self.plan.leaves.get(index?)?;
        let text = match self.leaf(leaf)? {
            Value::Text(text) => text,
            other => Cow::Owned(other.to_text().into_owned()),
        };
        (!text.is_empty()).then_some(text)
    }

    /// The moment in a leaf.
    pub(super) fn time(&self, index: Option<usize>) -> Option<model::Timestamp> {
        let (_, leaf) = self.plan.leaves.get(index?)?;
        if let Content::Slot(slot) = leaf.content {
            let (kind, bytes) = self.bytes(slot)?;
            if kind == kind::FILETIME {
                return value::time(kind, bytes);
            }
        }
        self.leaf(leaf)?.to_text().parse().ok()
    }
}

/// Several items are a list, one is its text.
fn array(kind: u8, bytes: &[u8]) -> Value<'static> {
    let item_kind = kind & !kind::ARRAY;
    let mut items = value::items(kind, bytes);
    let (Some(first), Some(second)) = (items.next(), items.next()) else {
        return value::value(kind, bytes);
    };
    let all = [first, second].into_iter().chain(items);
    Value::List(
        all.map(|item| {
            if value::is_empty(item_kind, item) {
                Value::Text(Cow::Borrowed(""))
            } else {
                value::value(item_kind, item)
            }
        })
        .collect(),
    )
}
