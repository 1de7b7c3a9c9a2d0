//! Puts a source's fields in the place of Sigma's, and decides what a field that the source lacks means.

use super::lower::{Expr, Leaf, Lowered};
use super::test::Test;
use crate::evaluate::{FieldId, Source};
use crate::taxonomy::Mapping;
use rustc_hash::{FxHashMap, FxHasher};
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// The place of event data that tests look at, by number; slot 0 is the whole event.
pub(crate) type SlotId = u32;

/// The whole event.
pub(crate) const EVENT_SLOT: SlotId = 0;

/// One test of one slot.
#[derive(Debug)]
pub(crate) struct Predicate {
    pub(crate) slot: SlotId,
    pub(crate) test: Test<SlotId>,
    /// How many tests of rules come to this one.
    pub(crate) uses: u32,
}

/// A slot: where its value comes from.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) source: Source,
}

/// Names, slots and predicates, each once.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    pub(crate) fields: Vec<String>,
    field_ids: FxHashMap<String, FieldId>,
    pub(crate) slots: Vec<Slot>,
    slot_ids: FxHashMap<Source, SlotId>,
    pub(crate) predicates: Vec<Predicate>,
    /// Predicates by the hash of slot and test.
    predicate_ids: FxHashMap<u64, Vec<u32>>,
}

fn number(length: usize) -> u32 {
    u32::try_from(length).expect("documents are limited in number and size")
}

impl Interner {
    pub(crate) fn new() -> Self {
        let mut interner = Self::default();
        interner.slot(Source::Event);
        interner
    }

    /// Forgets what only compiling needs.
    pub(crate) fn seal(&mut self) {
        self.slot_ids = FxHashMap::default();
        self.predicate_ids = FxHashMap::default();
        self.predicates.shrink_to_fit();
    }

    pub(crate) fn field(&mut self, name: &str) -> FieldId {
        if let Some(known) = self.field_ids.get(name) {
            return *known;
        }
        let id = FieldId(number(self.fields.len()));
        self.fields.push(name.to_owned());
        self.field_ids.insert(name.to_owned(), id);
        id
    }

    pub(crate) fn known_field(&self, name: &str) -> Option<FieldId> {
        self.field_ids.get(name).copied()
    }

    pub(crate) fn slot(&mut self, source: Source) -> SlotId {
        if let Some(known) = self.slot_ids.get(&source) {
            return *known;
        }
        let id = number(self.slots.len());
        self.slots.push(Slot {
            source: source.clone(),
        });
        self.slot_ids.insert(source, id);
        id
    }

    fn predicate(&mut self, slot: SlotId, test: &Test<String>, other: Option<SlotId>) -> u32 {
        let mut hasher = FxHasher::default();
        (slot, test, other).hash(&mut hasher);
        let candidates = self.predicate_ids.entry(hasher.finish()).or_default();
        let known = candidates.iter().find(|id| {
            let known = &self.predicates[**id as usize];
            known.slot == slot && known.test.is_same_as(test, other)
        });
        if let Some(id) = known {
            self.predicates[*id as usize].uses += 1;
            return *id;
        }
        let id = number(self.predicates.len());
        candidates.push(id);
        self.predicates.push(Predicate {
            slot,
            test: test.with_field(|_| other.unwrap_or(EVENT_SLOT)),
            uses: 1,
        });
        id
    }
}

/// The slots of the fields of one mapping, as they are asked for.
#[derive(Debug, Default)]
pub(crate) struct MappedSlots {
    known: FxHashMap<Rc<str>, Option<SlotId>>,
}

impl MappedSlots {
    /// The slot of a field; `None` where the source lacks it.
    pub(crate) fn slot(
        &mut self,
        field: &str,
        mapping: &Mapping,
        interner: &mut Interner,
    ) -> Option<SlotId> {
        if let Some(known) = self.known.get(field) {
            return *known;
        }
        let slot = mapping.source_of(field).map(|written| {
            let source = Source::of(&written, &mut |name| interner.field(name));
            interner.slot(source)
        });
        self.known.insert(Rc::from(field), slot);
        slot
    }
}

/// A rule's logic over predicates, and what of it cannot be seen.
pub(crate) struct Bound {
    pub(crate) expr: Expr<u32>,
    /// Fields that the source lacks.
    pub(crate) missing: BTreeSet<String>,
}

/// Binds a rule to a source. A test of a field that the source lacks comes to whatever keeps the rule from matching:
/// what cannot be seen is neither asserted nor excused.
pub(crate) fn bind(
    lowered: &Lowered,
    mapping: &Mapping,
    slots: &mut MappedSlots,
    interner: &mut Interner,
) -> Bound {
    let mut binder = Binder {
        lowered,
        mapping,
        slots,
        interner,
        missing: BTreeSet::new(),
    };
    let expr = binder.bind(&lowered.expr, true);
    Bound {
        expr,
        missing: binder.missing,
    }
}

struct Binder<'a> {
    lowered: &'a Lowered,
    mapping: &'a Mapping,
    slots: &'a mut MappedSlots,
    interner: &'a mut Interner,
    missing: BTreeSet<String>,
}

impl Binder<'_> {
    fn bind(&mut self, expr: &Expr<u32>, positive: bool) -> Expr<u32> {
        match expr {
            Expr::Constant(value) => Expr::Constant(*value),
            Expr::Leaf(leaf) => self.leaf(*leaf, positive),
            Expr::Not(below) => match self.bind(below, !positive) {
                Expr::Constant(value) => Expr::Constant(!value),
                other => Expr::Not(Box::new(other)),
            },
            Expr::And(parts) => self.join(parts, positive, true),
            Expr::Or(parts) => self.join(parts, positive, false),
        }
    }

    /// Joins parts by `and` or else `or`, leaving out constants.
    fn join(&mut self, parts: &[Expr<u32>], positive: bool, and: bool) -> Expr<u32> {
        let mut kept = Vec::with_capacity(parts.len());
        let mut decided = false;
        for part in parts {
            // Every part is bound even when the outcome is known, as what is missing is to be told in full.
            match self.bind(part, positive) {
                Expr::Constant(value) if value == and => {}
                Expr::Constant(_) => decided = true,
                other => kept.push(other),
            }
        }
        match (decided, kept.is_empty()) {
            (true, _) => Expr::Constant(!and),
            (false, true) => Expr::Constant(and),
            (false, false) if and => Expr::and(kept),
            (false, false) => Expr::or(kept),
        }
    }

    fn leaf(&mut self, leaf: u32, positive: bool) -> Expr<u32> {
        let Leaf { field, test } = &self.lowered.leaves[leaf as usize];
        let slot = match field {
            None => Some(EVENT_SLOT),
            Some(field) => self.slot(field),
        };
        let other = match test {
            Test::Field { other, .. } => match self.slot(other) {
                Some(slot) => Some(slot),
                None => return Expr::Constant(false),
            },
            _ => None,
        };
        match slot {
            Some(slot) => Expr::Leaf(self.interner.predicate(slot, test, other)),
            // That a field is absent says nothing about an event whose source never has it.
            None => Expr::Constant(!positive && matches!(test, Test::Null | Test::Exists)),
        }
    }

    fn slot(&mut self, field: &str) -> Option<SlotId> {
        let slot = self.slots.slot(field, self.mapping, self.interner);
        if slot.is_none() {
            self.missing.insert(field.to_owned());
        }
        slot
    }
}
