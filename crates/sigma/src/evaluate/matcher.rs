//! The hot path: one event against the rules of its partition.
//!
//! Each slot is fetched and folded at most once, each predicate evaluated at most once, and only for rules that one of
//! their rare literals has called. Nothing is allocated for an event that does not match, once the buffers have grown.

use super::source::Source;
use super::test::{holds_on_text, holds_on_value};
use super::value::{Fields, Value, utf16_letters};
use crate::compile::bind::{Predicate, SlotId};
use crate::compile::engine::{Engine, NOT_OF_KEY, PartitionId};
use crate::compile::partition::{KeyTruth, Partition, Probe};
use crate::compile::state::{RuleId, VariantId};
use crate::compile::test::{FieldComparison, Number, Test};
use crate::compile::text::{fold_char, folded};
use std::sync::Arc;

/// Bytes of folded text after which the buffer is given back, so that one huge event does not stay in memory.
const FOLDED_BYTES_KEPT: usize = 4 * 1024 * 1024;

/// Texts in which it pays to look at many bytes at a time.
const LONG_BYTES: usize = 64;

/// Stands between two texts; no text in UTF-8 holds it.
const END: u8 = 0xff;

/// A rule that matches an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Match {
    /// The rule.
    pub rule: RuleId,
    /// The rule on the source of this event.
    pub(crate) variant: u32,
    /// Whether the match is to be told by itself, rather than only count in a correlation that does not ask for it.
    pub alone: bool,
}

/// Evaluates events for one thread.
#[derive(Debug)]
pub struct Matcher<'e> {
    engine: &'e Engine,
    partitions: Vec<Option<Arc<Partition>>>,
    scratch: Scratch,
    found: Vec<Match>,
}

impl<'e> Matcher<'e> {
    /// A matcher over an engine.
    pub fn new(engine: &'e Engine) -> Self {
        Self {
            engine,
            partitions: Vec::new(),
            scratch: Scratch {
                generation: 0,
                truth: vec![0; engine.predicates().len()],
                entered: vec![0; engine.variants.len()],
                slots: vec![SlotState::default(); engine.slots().len()],
                held: Vec::new(),
                folded: Vec::new(),
                queue: Vec::new(),
            },
            found: Vec::new(),
        }
    }

    /// Calls `found` for every rule that matches the event, in the order of the rules.
    pub fn evaluate(
        &mut self,
        partition: PartitionId,
        fields: &dyn Fields,
        found: &mut dyn FnMut(Match),
    ) {
        let engine = self.engine;
        let partition = self.take_up(partition);
        if partition.rules == 0 {
            return;
        }
        for variant in &partition.certain {
            self.found.push(told(engine, *variant));
        }
        for probe in &partition.probes {
            self.scratch.probe(engine, probe, fields);
        }
        self.scratch
            .queue
            .extend_from_slice(&partition.unconditional);
        self.run(&partition, fields, found);
    }

    /// The same for a few of the rules, where it is known by other means that no other can match.
    pub fn evaluate_some(
        &mut self,
        partition: PartitionId,
        variants: impl Iterator<Item = VariantId>,
        fields: &dyn Fields,
        found: &mut dyn FnMut(Match),
    ) {
        let partition = self.take_up(partition);
        let known = 0..self.engine.variants.len();
        let variants = variants.map(|variant| variant.0);
        let queue = &mut self.scratch.queue;
        queue.extend(variants.filter(|variant| known.contains(&(*variant as usize))));
        self.run(&partition, fields, found);
    }

    /// Begins with an event.
    fn take_up(&mut self, partition: PartitionId) -> Arc<Partition> {
        let engine = self.engine;
        let place = partition.index();
        if place >= self.partitions.len() {
            self.partitions.resize(place + 1, None);
        }
        self.scratch.begin();
        self.found.clear();
        let known = &mut self.partitions[place];
        Arc::clone(known.get_or_insert_with(|| engine.partition_of(partition)))
    }

    /// Runs the rules in the queue, and tells all that match.
    fn run(&mut self, partition: &Partition, fields: &dyn Fields, found: &mut dyn FnMut(Match)) {
        let engine = self.engine;
        for index in 0..self.scratch.queue.len() {
            let variant = self.scratch.queue[index];
            let program = &engine.variants[variant as usize].program;
            let scratch = &mut self.scratch;
            if program.run(|predicate| scratch.holds(engine, partition, predicate, fields)) {
                self.found.push(told(engine, variant));
            }
        }
        if self.found.len() > 1 {
            self.found.sort_unstable();
            // A rule may match by several of the source's log sources.
            self.found.dedup_by_key(|one| one.rule);
        }
        self.found.iter().copied().for_each(found);
    }
}

fn told(engine: &Engine, variant: u32) -> Match {
    let rule = engine.variants[variant as usize].rule;
    Match {
        rule: RuleId(rule),
        variant,
        alone: engine.plan.is_told_alone(rule),
    }
}

/// Buffers that are used over again; what carries another generation is of an earlier event.
#[derive(Debug)]
struct Scratch {
    generation: u32,
    /// By predicate: the generation, shifted by one, and the outcome.
    truth: Vec<u32>,
    /// By variant: the generation in which it was put into the queue.
    entered: Vec<u32>,
    slots: Vec<SlotState>,
    held: Vec<Held>,
    /// Texts in UTF-8, each followed by [`END`].
    folded: Vec<u8>,
    queue: Vec<u32>,
}

/// The values of a slot.
#[derive(Clone, Copy, Debug, Default)]
struct SlotState {
    generation: u32,
    first: u32,
    count: u32,
    present: bool,
}

/// One value, its text folded.
#[derive(Clone, Copy, Debug)]
struct Held {
    kind: Kind,
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Number(Number),
    Truth(bool),
    Null,
}

impl Scratch {
    fn begin(&mut self) {
        self.generation += 1;
        // One bit of the stamp is the outcome.
        if self.generation == u32::MAX >> 1 {
            self.generation = 1;
            self.truth.fill(0);
            self.entered.fill(0);
            self.slots.fill(SlotState::default());
        }
        self.held.clear();
        self.folded.clear();
        if self.folded.capacity() > FOLDED_BYTES_KEPT {
            self.folded = Vec::new();
        }
        self.queue.clear();
    }

    /// Fetches and folds the values of a slot, unless that was done.
    fn fetch(&mut self, engine: &Engine, slot: SlotId, fields: &dyn Fields) -> SlotState {
        let known = self.slots[slot as usize];
        if known.generation == self.generation {
            return known;
        }
        let first = small(self.held.len());
        let Self { held, folded, .. } = self;
        let present = match &engine.slots()[slot as usize].source {
            // The most common kind, without a call in between.
            Source::Field(field) => match fields.value(*field) {
                Some(value) => {
                    hold(&value, held, folded);
                    true
                }
                None => false,
            },
            source => source.visit(fields, &mut |value| hold(value, held, folded)),
        };
        let state = SlotState {
            generation: self.generation,
            first,
            count: small(self.held.len()) - first,
            present,
        };
        self.slots[slot as usize] = state;
        state
    }

    /// Looks for the literals of a probe and puts the rules they lead to into the queue.
    fn probe(&mut self, engine: &Engine, probe: &Probe, fields: &dyn Fields) {
        let state = self.fetch(engine, probe.slot, fields);
        let stamp = self.generation;
        let Self {
            truth,
            entered,
            held,
            folded,
            queue,
            ..
        } = self;
        let mut enter = |list: u32| {
            let list = &probe.lists[list as usize];
            for predicate in &list.proven {
                truth[*predicate as usize] = stamp << 1 | 1;
            }
            for variant in &list.entered {
                let seen = &mut entered[*variant as usize];
                if *seen != stamp {
                    *seen = stamp;
                    queue.push(*variant);
                }
            }
        };
        let first = state.first as usize;
        let held = &held[first..first + state.count as usize];
        if let (Some(contains), Some(first), Some(last)) =
            (&probe.contains, held.first(), held.last())
        {
            // Values stand one after the other with a byte between them that is in no literal.
            let all = &folded[first.start as usize..last.end as usize];
            let any = match &probe.packed {
                Some(packed) if all.len() >= LONG_BYTES => packed.find(all).is_some(),
                _ => !probe.few || contains.is_match(all),
            };
            if any {
                for found in contains.find_overlapping_iter(all) {
                    enter(probe.contained[found.pattern().as_usize()]);
                }
            }
        }
        for one in held {
            if matches!(one.kind, Kind::Null) {
                continue;
            }
            let text = &folded[one.start as usize..one.end as usize];
            if let Some(list) = probe.exact.get(text) {
                enter(*list);
            }
            if !probe.numbers.is_empty() {
                let number = match one.kind {
                    Kind::Number(number) => Some(number),
                    Kind::Text => Number::parse_bytes(text),
                    Kind::Truth(_) | Kind::Null => None,
                };
                if let Some(list) = number
                    .and_then(Number::to_key)
                    .and_then(|key| probe.numbers.get(&key))
                {
                    enter(*list);
                }
            }
            probe.starts.walk(text.iter().copied(), &mut enter);
            probe.ends.walk(text.iter().rev().copied(), &mut enter);
        }
    }

    /// Whether a predicate holds on the event.
    fn holds(
        &mut self,
        engine: &Engine,
        partition: &Partition,
        predicate: u32,
        fields: &dyn Fields,
    ) -> bool {
        let stamp = self.truth[predicate as usize];
        if stamp >> 1 == self.generation {
            return stamp & 1 == 1;
        }
        let place = engine.key_place(predicate);
        let by_key = if place == NOT_OF_KEY {
            KeyTruth::Unknown
        } else {
            partition.truth[place as usize]
        };
        let holds = match by_key {
            KeyTruth::True => true,
            KeyTruth::False => false,
            KeyTruth::Unknown => {
                self.test(engine, &engine.predicates()[predicate as usize], fields)
            }
        };
        self.truth[predicate as usize] = self.generation << 1 | u32::from(holds);
        holds
    }

    fn test(&mut self, engine: &Engine, predicate: &Predicate, fields: &dyn Fields) -> bool {
        let state = self.fetch(engine, predicate.slot, fields);
        match &predicate.test {
            Test::Exists => return state.present,
            Test::Null if !state.present => return true,
            Test::Field { other, how, cased } => {
                return state.present
                    && fields_compare(engine, predicate.slot, *other, *how, *cased, fields);
            }
            _ if !state.present => return false,
            _ => {}
        }
        let first = state.first as usize;
        let mut as_written = false;
        for one in &self.held[first..first + state.count as usize] {
            match one.holds(&predicate.test, &self.folded) {
                Some(true) => return true,
                Some(false) => {}
                None => as_written = true,
            }
        }
        // Case and times need the value as it is written, which few tests ask for.
        as_written
            && any_value(engine, predicate.slot, fields, |value| {
                holds_on_value(&predicate.test, value)
            })
    }
}

impl Held {
    /// Whether a test holds; `None` where the folded text does not tell.
    fn holds(&self, test: &Test<SlotId>, folded: &[u8]) -> Option<bool> {
        match (self.kind, test) {
            (Kind::Null, test) => Some(matches!(test, Test::Null)),
            (Kind::Number(own), Test::Number(comparison, number)) => {
                Some(comparison.holds(own.compare(*number)))
            }
            (Kind::Truth(own), Test::Truth(wanted)) => Some(own == *wanted),
            (_, Test::Null)
            | (Kind::Number(_), Test::Truth(_))
            | (Kind::Truth(_), Test::Number(..)) => Some(false),
            (_, test) => holds_on_text(test, &folded[self.start as usize..self.end as usize]),
        }
    }
}

fn any_value(
    engine: &Engine,
    slot: SlotId,
    fields: &dyn Fields,
    mut holds: impl FnMut(&Value<'_>) -> bool,
) -> bool {
    let mut any = false;
    engine.slots()[slot as usize]
        .source
        .visit(fields, &mut |value| any = any || holds(value));
    any
}

/// Compares every value of one slot with every value of another, as texts.
pub(crate) fn fields_compare(
    engine: &Engine,
    slot: SlotId,
    other: SlotId,
    how: FieldComparison,
    cased: bool,
    fields: &dyn Fields,
) -> bool {
    let mut others = Vec::new();
    any_value(engine, other, fields, |value| {
        single_texts(value, cased, &mut others);
        false
    });
    any_value(engine, slot, fields, |value| {
        let mut own = Vec::new();
        single_texts(value, cased, &mut own);
        own.iter().any(|own| {
            others.iter().any(|other| match how {
                FieldComparison::Equal => own == other,
                FieldComparison::Starts => own.starts_with(other.as_str()),
                FieldComparison::Ends => own.ends_with(other.as_str()),
                FieldComparison::Contains => own.contains(other.as_str()),
            })
        })
    })
}

fn single_texts(value: &Value<'_>, cased: bool, into: &mut Vec<String>) {
    match value {
        Value::List(values) => values.iter().for_each(|one| single_texts(one, cased, into)),
        Value::Null => {}
        other if cased => into.push(other.to_text().into_owned()),
        other => into.push(folded(&other.to_text())),
    }
}

/// Appends a value; of a list, every member. The depth is that of the caller's own value.
fn hold(value: &Value<'_>, held: &mut Vec<Held>, text: &mut Vec<u8>) {
    let start = small(text.len());
    let kind = match value {
        Value::List(values) => {
            for one in values {
                hold(one, held, text);
            }
            return;
        }
        Value::Text(own) => {
            fold_bytes_into(own, text);
            Kind::Text
        }
        Value::Utf16(bytes) => {
            fold_utf16_into(bytes, text);
            Kind::Text
        }
        Value::Integer(number) => {
            write_number(*number < 0, number.unsigned_abs(), text);
            Kind::Number(Number::Integer((*number).into()))
        }
        Value::Unsigned(number) => {
            write_number(false, *number, text);
            Kind::Number(Number::Integer((*number).into()))
        }
        Value::Float(number) => {
            text.extend_from_slice(number.to_string().as_bytes());
            Kind::Number(Number::Float(*number))
        }
        Value::Truth(value) => {
            text.extend_from_slice(if *value { b"true" } else { b"false" });
            Kind::Truth(*value)
        }
        Value::Null => Kind::Null,
    };
    held.push(Held {
        kind,
        start,
        end: small(text.len()),
    });
    text.push(END);
}

/// Digits of a number; quicker than formatting it.
fn write_number(negative: bool, number: u64, into: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let mut first = digits.len();
    let mut rest = number;
    loop {
        first -= 1;
        digits[first] = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if negative {
        into.push(b'-');
    }
    into.extend_from_slice(&digits[first..]);
}

fn fold_bytes_into(text: &str, into: &mut Vec<u8>) {
    if text.is_ascii() {
        let start = into.len();
        into.extend_from_slice(text.as_bytes());
        into[start..].make_ascii_lowercase();
    } else {
        into.extend_from_slice(folded(text).as_bytes());
    }
}

/// Sixteen characters at a time, as long as they are ASCII, which nearly all text of event logs is.
fn fold_utf16_into(bytes: &[u8], into: &mut Vec<u8>) {
    const NOT_ASCII: u128 = 0xff80_ff80_ff80_ff80_ff80_ff80_ff80_ff80;
    into.reserve(bytes.len() / 2);
    let (blocks, mut rest) = bytes.as_chunks::<32>();
    for (index, block) in blocks.iter().enumerate() {
        let (low, high) = block.split_at(16);
        let low = u128::from_le_bytes(low.try_into().expect("half of 32"));
        let high = u128::from_le_bytes(high.try_into().expect("half of 32"));
        if (low | high) & NOT_ASCII != 0 {
            rest = &bytes[index * 32..];
            break;
        }
        let letters: [u8; 16] = std::array::from_fn(|place| block[place * 2].to_ascii_lowercase());
        into.extend_from_slice(&letters);
    }
    while let [low, 0, after @ ..] = rest
        && low.is_ascii()
    {
        into.push(low.to_ascii_lowercase());
        rest = after;
    }
    if rest.len() > 1 {
        let mut folded = String::new();
        utf16_letters(rest).for_each(|letter| fold_char(letter, &mut folded));
        into.extend_from_slice(folded.as_bytes());
    }
}

/// Offsets into one event's text. An event of 4 GiB is none that any reader offers.
fn small(length: usize) -> u32 {
    u32::try_from(length).expect("an event's values have less than 4 GiB")
}
