//! Decodes records: where their values lie, and which plan says what they are called.
//!
//! Templates are compiled once for each distinct definition, whichever chunks it stands in, and plans once for each
//! combination of templates. All caches are bounded, and so is what one chunk may cost.

use super::binxml::{
    CANONICAL_HEAD_BYTES, Elements, Values, canonical_definition, canonical_fragment,
};
use super::bytes::Fault;
use super::plan::{Filled, Plan};
use super::tree::{self, Composer, Element, Node, Resolver};
use super::value::{self, kind};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

/// Distinct templates and plans that are kept; a log of one computer has a few hundred. Beyond that, all are dropped and
/// made again as they are met.
const DEFINITIONS_MAX: usize = 4_096;
const PLANS_MAX: usize = 4_096;

/// Bytes of the templates that are kept.
const DEFINITION_BYTES_MAX: usize = 4 << 20;

/// Fields of the plans that are kept.
const PLAN_FIELDS_MAX: usize = 200_000;

/// Bytes of templates that the records of one chunk may have compiled or put together. A chunk of Windows' own needs as
/// many as it has; a hostile one could let every record define a large one.
const CHUNK_BUDGET: usize = 2 << 20;

/// Layouts that one log may make known to the process; a hostile one leaves room for the others.
const LAYOUTS_MAX: usize = 1_024;

/// Fields that the records of one chunk may have: far more than those of 64 KiB of Windows' own. A hostile template could
/// give thousands to each of a thousand tiny records.
const CHUNK_FIELDS: usize = 1 << 18;

/// Stands for a definition that cannot be read.
const FAULTY: u32 = u32::MAX;

/// Decodes the records of one log, chunk by chunk.
#[derive(Default)]
pub(super) struct Decoder {
    values: Values,
    /// Definitions of the chunk at hand by their place in it.
    offsets: Vec<(u32, u32)>,
    definitions: Vec<Definition>,
    /// Definitions by checksum and length of their canonical form; equal ones are told apart by the form itself.
    by_content: BTreeMap<(u32, usize), Vec<u32>>,
    definition_bytes: usize,
    /// Looked up only, never walked.
    plans: HashMap<Box<[u32]>, Shape, BuildHasherDefault<KeyHasher>>,
    last: Option<(Vec<u32>, Rc<Plan>)>,
    key: Vec<u32>,
    canonical: Vec<u8>,
    plan_fields: usize,
    budget: usize,
    fields_left: usize,
    layouts: usize,
}

/// One template, or the structure of elements without one.
struct Definition {
    canonical: Box<[u8]>,
    /// `None` where its elements cannot be read.
    elements: Option<Vec<Node>>,
}

/// What is known of a combination of templates.
#[derive(Clone)]
enum Shape {
    Plan(Rc<Plan>),
    /// Its names depend on values: each record needs a plan of its own.
    Open,
}

impl Decoder {
    /// Begins another chunk.
    pub(super) fn begin_chunk(&mut self) {
        self.offsets.clear();
        self.budget = CHUNK_BUDGET;
        self.fields_left = CHUNK_FIELDS;
        let full = self.definitions.len() > DEFINITIONS_MAX
            || self.definition_bytes > DEFINITION_BYTES_MAX
            || self.plan_fields > PLAN_FIELDS_MAX
            || self.plans.len() > PLANS_MAX;
        if full {
            *self = Self {
                budget: CHUNK_BUDGET,
                fields_left: CHUNK_FIELDS,
                layouts: self.layouts,
                ..Self::default()
            };
        }
    }

    /// Decodes the record content at `at` to `end` of the chunk that was begun. Its values are then
    /// [`filled`](Self::filled) in.
    pub(super) fn decode(
        &mut self,
        chunk: &[u8],
        at: usize,
        end: usize,
    ) -> Result<Rc<Plan>, Fault> {
        self.values.clear();
        let root = if self.values.read_record(chunk, at, end)? {
            0
        } else {
            self.values.clear();
            self.inline(chunk, (at, end), None)?
        };
        self.fragments(chunk)?;
        self.name_shape(chunk, root)?;
        let plan = match self.plan_of_shape(root) {
            Some(plan) if self.arrays_are_foreseen(&plan, chunk) => plan,
            _ => self.decode_alone(chunk, root)?,
        };
        self.fields_left = self
            .fields_left
            .checked_sub(plan.weight)
            .ok_or(Fault("its chunk has too many fields"))?;
        Ok(plan)
    }

    /// A record's values under its plan.
    pub(super) fn filled<'a>(&'a self, plan: &'a Plan, chunk: &'a [u8]) -> Filled<'a> {
        Filled {
            plan,
            chunk,
            slots: &self.values.slots,
        }
    }

    #[cfg(test)]
    pub(super) fn definition_count(&self) -> usize {
        self.definitions.len()
    }

    /// Reads the elements that a record or a value holds itself. Gives the number of their instance.
    fn inline(
        &mut self,
        chunk: &[u8],
        window: (usize, usize),
        place: Option<u16>,
    ) -> Result<u16, Fault> {
        let texts = canonical_fragment(chunk, window, &mut self.values, &mut self.canonical)?;
        let structure = self.intern()?;
        self.values.add_inline(structure, &texts, place)
    }

    /// Reads the elements of the values that hold some. Values within such a value are found on the way.
    fn fragments(&mut self, chunk: &[u8]) -> Result<(), Fault> {
        let mut read = 0;
        while let Some(&place) = self.values.fragments.get(read) {
            let slot = self.values.slots.get(usize::from(place));
            let slot = *slot.ok_or(Fault("a value is missing"))?;
            let start = slot.start as usize;
            self.inline(chunk, (start, start + usize::from(slot.bytes)), Some(place))?;
            read += 1;
        }
        Ok(())
    }

    /// Writes down which templates the record has, and where in each other they stand.
    fn name_shape(&mut self, chunk: &[u8], root: u16) -> Result<(), Fault> {
        self.key.clear();
        self.key.push(u32::from(root));
        for number in 0..self.values.instances.len() {
            let instance = self.values.instances[number];
            let elements = match instance.elements {
                Elements::Template(offset) => self.definition(chunk, offset)?,
                Elements::Inline(structure) => structure,
            };
            let place = instance.place.map_or(0, |place| u32::from(place) + 1);
            self.key
                .extend([elements, u32::from(instance.values), place]);
        }
        Ok(())
    }

    /// The plan for the shape that [`name_shape`](Self::name_shape) wrote down.
    fn plan_of_shape(&mut self, root: u16) -> Option<Rc<Plan>> {
        if let Some((key, plan)) = &self.last
            && *key == self.key
        {
            return Some(Rc::clone(plan));
        }
        let shape = match self.plans.get(self.key.as_slice()) {
            Some(shape) => shape.clone(),
            None => self.compile_shape(root),
        };
        let Shape::Plan(plan) = shape else {
            return None;
        };
        self.last = Some((self.key.clone(), Rc::clone(&plan)));
        Some(plan)
    }

    fn compile_shape(&mut self, root: u16) -> Shape {
        let compiled = self.compose(root).and_then(|root| Plan::of(&root));
        let shape = match compiled {
            Ok(mut plan) => {
                if self.layouts < LAYOUTS_MAX {
                    self.layouts += 1;
                    plan.share_layout();
                }
                self.plan_fields += plan.weight;
                Shape::Plan(Rc::new(plan))
            }
            Err(_) => Shape::Open,
        };
        if self.plans.len() <= PLANS_MAX {
            self.plans
                .insert(self.key.clone().into_boxed_slice(), shape.clone());
        }
        shape
    }

    /// Whether no array stands where only single values are foreseen.
    fn arrays_are_foreseen(&self, plan: &Plan, chunk: &[u8]) -> bool {
        !self.values.arrays
            || self.values.slots.iter().zip(0_u16..).all(|(slot, index)| {
                slot.kind & kind::ARRAY == 0
                    || plan.takes_array(index)
                    || value::items(slot.kind, slot.of(chunk)).nth(1).is_none()
            })
    }

    /// Makes a plan that no other record shares.
    fn decode_alone(&mut self, chunk: &[u8], root: u16) -> Result<Rc<Plan>, Fault> {
        let root = self.compose(root)?;
        let root = Resolver::new(chunk, &self.values).root(&root)?;
        Plan::of(&root).map(Rc::new)
    }

    /// The tree of the record whose shape was written down: its first element. An empty record is an empty event.
    fn compose(&mut self, root: u16) -> Result<Element, Fault> {
        let numbers = self.key.iter().skip(1).step_by(3);
        let mut elements = Vec::with_capacity(self.values.instances.len());
        let mut bytes = 0;
        for number in numbers {
            let definition = self
                .definitions
                .get(*number as usize)
                .ok_or(Fault("a template is missing"))?;
            bytes += definition.canonical.len();
            let nodes = definition.elements.as_deref();
            elements.push(nodes.ok_or(Fault("a template cannot be read"))?);
        }
        self.budget = self
            .budget
            .checked_sub(bytes)
            .ok_or(Fault("its chunk asks for too much"))?;
        let composer = Composer {
            values: &self.values,
            elements: &elements,
        };
        let mut composed = Vec::new();
        composer.instance(root, 0, &mut composed)?;
        let first = composed.into_iter().find_map(|node| match node {
            Node::Element(root) => Some(root),
            _ => None,
        });
        Ok(first.unwrap_or_else(|| Element {
            name: "Event".to_owned(),
            ..Element::default()
        }))
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Fault> {
        self.budget = self
            .budget
            .checked_sub(bytes)
            .ok_or(Fault("its chunk asks for too much"))?;
        Ok(())
    }

    /// The number of the template that is defined at `offset` of the chunk.
    fn definition(&mut self, chunk: &[u8], offset: u32) -> Result<u32, Fault> {
        let known = self.offsets.iter().find(|(known, _)| *known == offset);
        let number = if let Some((_, number)) = known {
            *number
        } else {
            let number = self.read_definition(chunk, offset).unwrap_or(FAULTY);
            self.offsets.push((offset, number));
            number
        };
        if number == FAULTY {
            return Err(Fault("a template cannot be read"));
        }
        Ok(number)
    }

    fn read_definition(&mut self, chunk: &[u8], offset: u32) -> Result<u32, Fault> {
        canonical_definition(chunk, offset, &mut self.canonical)?;
        let number = self.intern()?;
        // A template has one root.
        match self.definitions[number as usize].elements.as_deref() {
            Some([Node::Element(_)]) => Ok(number),
            _ => Err(Fault("a template cannot be read")),
        }
    }

    /// The number of what the canonical form at hand describes.
    fn intern(&mut self) -> Result<u32, Fault> {
        self.spend(self.canonical.len())?;
        let content = (crc32fast::hash(&self.canonical), self.canonical.len());
        let same = self.by_content.entry(content).or_default();
        let known = same.iter().copied().find(|number| {
            let definition = self.definitions.get(*number as usize);
            definition.is_some_and(|known| *known.canonical == *self.canonical)
        });
        if let Some(number) = known {
            return Ok(number);
        }
        let number = u32::try_from(self.definitions.len())
            .map_err(|_many| Fault("there are too many templates"))?;
        let tokens = self.canonical.get(CANONICAL_HEAD_BYTES..);
        self.definition_bytes += self.canonical.len();
        self.definitions.push(Definition {
            canonical: self.canonical.as_slice().into(),
            elements: tokens.and_then(|tokens| tree::read(tokens).ok()),
        });
        same.push(number);
        Ok(number)
    }
}

/// Hashes the few small numbers of a shape. They are counted up by the decoder itself, so that nobody can choose them.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        // An odd number without pattern: the fraction of the golden ratio.
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(SPREAD);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }
}
