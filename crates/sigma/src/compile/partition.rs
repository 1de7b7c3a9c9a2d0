//! What is to be done for the events of one kind of source: which rules can apply, and what they are entered by.

use super::bind::{Predicate, SlotId};
use super::engine::{NOT_OF_KEY, Variant};
use super::lower::Expr;
use super::necessary::necessary;
use super::rarity::Rarity;
use super::test::Test;
use super::text::{Pattern, folded};
use super::trie::Trie;
use aho_corasick::packed::Searcher;
use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, MatchKind};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Bytes of literals up to which a deterministic automaton, the quickest, stays small.
const SMALL_BYTES: usize = 1_500;

/// What the key of a source tells of a predicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum KeyTruth {
    Unknown,
    False,
    True,
}

/// The rules that can apply to events of one kind of source.
#[derive(Debug)]
pub(crate) struct Partition {
    /// What the key tells, for each predicate over its attributes.
    pub(crate) truth: Box<[KeyTruth]>,
    /// Variants that match without a look at the event.
    pub(crate) certain: Vec<u32>,
    /// Variants that must be run on every event, as nothing rare has to hold for them.
    pub(crate) unconditional: Vec<u32>,
    /// Slots in which the others are looked for.
    pub(crate) probes: Vec<Probe>,
    /// Rules that can apply.
    pub(crate) rules: usize,
}

/// Literals that are looked for in one slot.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) slot: SlotId,
    /// Whole values.
    pub(crate) exact: FxHashMap<Box<[u8]>, u32>,
    /// Whole values that are numbers.
    pub(crate) numbers: FxHashMap<i64, u32>,
    pub(crate) starts: Trie,
    pub(crate) ends: Trie,
    pub(crate) contains: Option<AhoCorasick>,
    /// Whether it is worth asking first if any literal is there at all, which is quick where the automaton is small.
    pub(crate) few: bool,
    /// The same for long texts, many bytes at a time; `None` where there are too many literals.
    pub(crate) packed: Option<Searcher>,
    /// Lists by the number that a pattern of the automaton has.
    pub(crate) contained: Vec<u32>,
    pub(crate) lists: Vec<List>,
}

/// What a literal leads to.
#[derive(Debug, Default)]
pub(crate) struct List {
    /// Predicates that hold wherever the literal is found.
    pub(crate) proven: Vec<u32>,
    /// Variants to run.
    pub(crate) entered: Vec<u32>,
}

/// A literal and where in a value it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Exact(String),
    Number(i64),
    Starts(String),
    Ends(String),
    Contains(String),
}

/// Builds a partition from the variants that its source's log sources lead to.
pub(crate) fn build(
    variants: &[Variant],
    active: &[u32],
    predicates: &[Predicate],
    key_places: &[u32],
    truth: Box<[KeyTruth]>,
    rarity: &Rarity,
) -> Partition {
    // Where the key says nothing of a predicate it is still as common as its source.
    let frequency = |predicate: u32| {
        if key_places[predicate as usize] == NOT_OF_KEY {
            rarity.frequency(&predicates[predicate as usize])
        } else {
            None
        }
    };
    let mut partition = Partition {
        truth,
        certain: Vec::new(),
        unconditional: Vec::new(),
        probes: Vec::new(),
        rules: 0,
    };
    let known = |predicate: u32| told(&partition.truth, key_places, predicate);
    let mut by_predicate: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for variant in active {
        let expr = decided(&variants[*variant as usize].expr, &known);
        match expr {
            Expr::Constant(false) => continue,
            Expr::Constant(true) => partition.certain.push(*variant),
            expr => match necessary(&expr, &frequency) {
                None => partition.unconditional.push(*variant),
                Some(necessary) => {
                    for predicate in necessary.predicates {
                        let entered = by_predicate.entry(predicate).or_default();
                        if entered.last() != Some(variant) {
                            entered.push(*variant);
                        }
                    }
                }
            },
        }
        partition.rules += 1;
    }
    match probes(&by_predicate, predicates) {
        Ok(probes) => partition.probes = probes,
        // Too large an automaton: slower, but nothing is missed.
        Err(_too_large) => {
            partition
                .unconditional
                .extend(by_predicate.into_values().flatten());
            partition.unconditional.sort_unstable();
            partition.unconditional.dedup();
        }
    }
    partition
}

/// What a key tells of a predicate.
pub(crate) fn told(truth: &[KeyTruth], key_places: &[u32], predicate: u32) -> Option<bool> {
    match truth.get(key_places[predicate as usize] as usize)? {
        KeyTruth::Unknown => None,
        KeyTruth::False => Some(false),
        KeyTruth::True => Some(true),
    }
}

/// The logic with what is known put in.
pub(crate) fn decided(expr: &Expr<u32>, known: &impl Fn(u32) -> Option<bool>) -> Expr<u32> {
    match expr {
        Expr::Constant(value) => Expr::Constant(*value),
        Expr::Leaf(predicate) => match known(*predicate) {
            Some(value) => Expr::Constant(value),
            None => Expr::Leaf(*predicate),
        },
        Expr::Not(below) => match decided(below, known) {
            Expr::Constant(value) => Expr::Constant(!value),
            other => Expr::Not(Box::new(other)),
        },
        Expr::And(parts) => joined(parts, known, true),
        Expr::Or(parts) => joined(parts, known, false),
    }
}

fn joined(parts: &[Expr<u32>], known: &impl Fn(u32) -> Option<bool>, and: bool) -> Expr<u32> {
    let mut kept = Vec::with_capacity(parts.len());
    for part in parts {
        match decided(part, known) {
            Expr::Constant(value) if value == and => {}
            Expr::Constant(_) => return Expr::Constant(!and),
            other => kept.push(other),
        }
    }
    match (kept.is_empty(), and) {
        (true, _) => Expr::Constant(and),
        (false, true) => Expr::and(kept),
        (false, false) => Expr::or(kept),
    }
}

fn probes(
    by_predicate: &BTreeMap<u32, Vec<u32>>,
    predicates: &[Predicate],
) -> Result<Vec<Probe>, BuildError> {
    let mut slots: BTreeMap<SlotId, BTreeMap<Place, List>> = BTreeMap::new();
    for (id, entered) in by_predicate {
        let predicate = &predicates[*id as usize];
        let places = slots.entry(predicate.slot).or_default();
        for (place, proves) in places_of(&predicate.test) {
            let list = places.entry(place).or_default();
            if proves {
                list.proven.push(*id);
            }
            list.entered.extend_from_slice(entered);
        }
    }
    slots
        .into_iter()
        .map(|(slot, places)| probe(slot, places))
        .collect()
}

/// Literals of which one stands in any value on which the test holds, and whether its being there is proof.
fn places_of(test: &Test<SlotId>) -> Vec<(Place, bool)> {
    match test {
        Test::Text { pattern, cased } => {
            let literal = if *cased {
                folded(pattern.longest_literal())
            } else {
                pattern.longest_literal().to_owned()
            };
            let place = match pattern {
                Pattern::Exact(_) => Place::Exact(literal),
                Pattern::Starts(_) => Place::Starts(literal),
                Pattern::Ends(_) => Place::Ends(literal),
                Pattern::Contains(_) | Pattern::Parts(_) | Pattern::Anything => {
                    Place::Contains(literal)
                }
            };
            vec![(place, !cased && !matches!(pattern, Pattern::Parts(_)))]
        }
        Test::Regex(expression) => {
            let literals = expression.literals.iter();
            literals
                .map(|literal| (Place::Contains(literal.clone()), false))
                .collect()
        }
        Test::Number(_, number) => number
            .to_key()
            .map(|key| (Place::Number(key), true))
            .into_iter()
            .collect(),
        Test::Truth(value) => {
            let words: &[&str] = if *value {
                &["true", "1", "yes"]
            } else {
                &["false", "0", "no"]
            };
            let words = words.iter();
            words
                .map(|word| (Place::Exact((*word).to_owned()), false))
                .collect()
        }
        Test::Network(_) | Test::Time(..) | Test::Null | Test::Exists | Test::Field { .. } => {
            Vec::new()
        }
    }
}

fn probe(slot: SlotId, places: BTreeMap<Place, List>) -> Result<Probe, BuildError> {
    let mut probe = Probe {
        slot,
        exact: FxHashMap::default(),
        numbers: FxHashMap::default(),
        starts: Trie::default(),
        ends: Trie::default(),
        contains: None,
        few: false,
        packed: None,
        contained: Vec::new(),
        lists: Vec::new(),
    };
    let mut starts = Vec::new();
    let mut ends = Vec::new();
    let mut contains = Vec::new();
    for (place, mut list) in places {
        list.entered.sort_unstable();
        list.entered.dedup();
        let number = u32::try_from(probe.lists.len()).expect("fewer than there are predicates");
        probe.lists.push(list);
        match place {
            Place::Exact(text) => {
                probe
                    .exact
                    .insert(text.into_bytes().into_boxed_slice(), number);
            }
            Place::Number(key) => {
                probe.numbers.insert(key, number);
            }
            Place::Starts(text) => starts.push((text.into_bytes(), number)),
            Place::Ends(text) => ends.push((text.bytes().rev().collect(), number)),
            Place::Contains(text) => {
                contains.push(text);
                probe.contained.push(number);
            }
        }
    }
    probe.starts = Trie::of(starts);
    probe.ends = Trie::of(ends);
    if !contains.is_empty() {
        let small = contains.iter().map(String::len).sum::<usize>() <= SMALL_BYTES;
        let kind = if small {
            AhoCorasickKind::DFA
        } else {
            AhoCorasickKind::ContiguousNFA
        };
        let automaton = AhoCorasick::builder()
            .kind(Some(kind))
            // Of texts so short, skipping ahead costs more than it saves.
            .prefilter(!small)
            .match_kind(MatchKind::Standard)
            .build(&contains)?;
        probe.few = small;
        probe.packed = small.then(|| Searcher::new(&contains)).flatten();
        probe.contains = Some(automaton);
    }
    Ok(probe)
}
