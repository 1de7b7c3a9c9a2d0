//! All rules compiled together.

use super::bind::{Bound, EVENT_SLOT, Interner, MappedSlots, Predicate, Slot, SlotId, bind};
use super::lower::{Expr, Lowered, lower};
use super::partition::{KeyTruth, Partition, build};
use super::program::Program;
use super::rarity::Rarity;
use super::state::{RuleId, RuleState};
use super::test::Test;
use crate::correlate::{self, Plan};
use crate::evaluate::{FieldId, Source, Value, holds_on_value};
use crate::parse::Parsed;
use crate::problem::Problem;
use crate::rule::{Correlation, Filter, Header, LogSource, Rule};
use crate::taxonomy::{Binding, SourceKey, Taxonomy};
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, RwLock};

/// Partitions that are kept; further kinds of sources share one that is told apart by event, not by key.
const PARTITIONS_MAX: usize = 4_096;

/// Keys whose partition is remembered; the partition of others is worked out anew each time.
const KEYS_MAX: usize = 65_536;

/// How rules are compiled.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Threads that share the work.
    pub workers: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { workers: 1 }
    }
}

/// Rules, compiled once; shared by all threads that evaluate events.
#[derive(Debug)]
pub struct Engine {
    pub(crate) rules: Vec<Rule>,
    pub(crate) correlations: Vec<Correlation>,
    pub(crate) states: Vec<RuleState>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) taxonomy: Taxonomy,
    pub(crate) interner: Interner,
    pub(crate) variants: Vec<Variant>,
    pub(crate) plan: Plan,
    /// Logic of filters that were put beside a rule's, for explanations.
    pub(crate) filters: Vec<Filter>,
    pub(crate) filters_of: Vec<Vec<u32>>,
    groups: Vec<Group>,
    rarity: Rarity,
    keys: KeyPredicates,
    keywords_anywhere: bool,
    partitions: RwLock<Partitions>,
}

/// A rule on the sources that hold its fields under the same names.
#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) rule: u32,
    pub(crate) expr: Expr<u32>,
    pub(crate) program: Program,
    /// Slots of the fields that correlations need, in the order of the plan; `None` where the source lacks one.
    pub(crate) inputs: Vec<Option<SlotId>>,
}

/// Variants that the same bindings lead to.
#[derive(Debug)]
struct Group {
    bindings: Vec<u32>,
    variants: Vec<u32>,
    /// Predicates over attributes of the key that these variants use, as places in the table of truths.
    key_places: Vec<u32>,
}

/// Predicates whose outcome the key of a source may tell.
#[derive(Debug, Default)]
struct KeyPredicates {
    /// By predicate: its place in a partition's table, or [`NOT_OF_KEY`].
    places: Vec<u32>,
    /// By place: the predicate and the attribute.
    list: Vec<(u32, String)>,
}

/// The predicate looks at the event itself.
pub(crate) const NOT_OF_KEY: u32 = u32::MAX;

#[derive(Debug, Default)]
struct Partitions {
    all: Vec<Arc<Partition>>,
    by_signature: FxHashMap<(Vec<u32>, Box<[KeyTruth]>), PartitionId>,
    by_key: FxHashMap<SourceKey, PartitionId>,
}

/// The rules that can apply to events of one kind of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionId(u32);

impl PartitionId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

impl Engine {
    /// Compiles everything that was read. Nothing fails as a whole: [`Engine::states`] tells what became of each rule.
    pub fn compile(parsed: Parsed<'_>, taxonomy: Taxonomy, options: Options) -> Self {
        Compiler::new(parsed, taxonomy, options).finish()
    }

    /// What became of each rule and, behind all rules, each correlation.
    pub fn states(&self) -> impl Iterator<Item = (RuleId, &RuleState)> {
        self.states
            .iter()
            .enumerate()
            .map(|(index, state)| (id(index), state))
    }

    /// What became of one.
    pub fn state(&self, rule: RuleId) -> &RuleState {
        &self.states[rule.index()]
    }

    /// What is wrong with the documents themselves: those that never became rules, filters that apply to nothing, and
    /// warnings. What keeps a rule from running stands in its state.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// What a rule or correlation says of itself.
    pub fn header(&self, rule: RuleId) -> &Header {
        match self.rules.get(rule.index()) {
            Some(own) => &own.header,
            None => &self.correlations[rule.index() - self.rules.len()].header,
        }
    }

    /// The rule or correlation at a place among the states; `None` where there are fewer.
    pub fn rule_at(&self, index: usize) -> Option<RuleId> {
        (index < self.states.len()).then(|| id(index))
    }

    /// The rule; `None` where the id is a correlation's.
    pub fn rule(&self, rule: RuleId) -> Option<&Rule> {
        self.rules.get(rule.index())
    }

    /// The correlation; `None` where the id is a rule's.
    pub fn correlation(&self, rule: RuleId) -> Option<&Correlation> {
        self.correlations
            .get(rule.index().checked_sub(self.rules.len())?)
    }

    /// The rule or correlation of this id, name or title.
    pub fn find(&self, reference: &str) -> Option<RuleId> {
        let count = self.rules.len() + self.correlations.len();
        let mut ids = (0..count).map(id);
        let called = ids.find(|rule| self.header(*rule).is_called(reference));
        called.or_else(|| {
            (0..count)
                .map(id)
                .find(|rule| self.header(*rule).title == reference)
        })
    }

    /// Every field that rules or the taxonomy look at, by number, without spaces in the names.
    pub fn fields(&self) -> &[String] {
        &self.interner.fields
    }

    /// The number of a field, spaces in its name left out; `None` where no rule looks at it.
    pub fn field(&self, name: &str) -> Option<FieldId> {
        if name.contains(' ') {
            return self
                .interner
                .known_field(&crate::parse::without_spaces(name));
        }
        self.interner.known_field(name)
    }

    /// Whether all keywords of all rules are looked for anywhere in a text, so that an event may show its values put
    /// together in one.
    pub fn has_keywords_anywhere(&self) -> bool {
        self.keywords_anywhere
    }

    /// The rules for events of one kind of source. Ask once for each kind, not for each event.
    pub fn partition(&self, key: &SourceKey) -> PartitionId {
        {
            let partitions = self.partitions.read().expect("no holder panics");
            if let Some(known) = partitions.by_key.get(key) {
                return *known;
            }
        }
        let (active, groups, truth) = self.signature_of(key);
        let mut partitions = self.partitions.write().expect("no holder panics");
        let full = partitions.all.len() >= PARTITIONS_MAX;
        let truth = if full {
            vec![KeyTruth::Unknown; truth.len()].into_boxed_slice()
        } else {
            truth
        };
        let signature = (groups, truth.clone());
        let partition = if let Some(known) = partitions.by_signature.get(&signature) {
            *known
        } else {
            let built = build(
                &self.variants,
                &active,
                &self.interner.predicates,
                &self.keys.places,
                truth,
                &self.rarity,
            );
            let partition = PartitionId(number(partitions.all.len()));
            partitions.all.push(Arc::new(built));
            partitions.by_signature.insert(signature, partition);
            partition
        };
        if partitions.by_key.len() < KEYS_MAX {
            partitions.by_key.insert(key.clone(), partition);
        }
        partition
    }

    /// How many rules can apply to events of a partition.
    pub fn rules_in(&self, partition: PartitionId) -> usize {
        self.partition_of(partition).rules
    }

    pub(crate) fn partition_of(&self, partition: PartitionId) -> Arc<Partition> {
        let partitions = self.partitions.read().expect("no holder panics");
        Arc::clone(&partitions.all[partition.index()])
    }

    /// Mappings under which events of a key are looked at by rules of a log source.
    pub(crate) fn mappings_for(&self, key: &SourceKey, asked: &LogSource) -> BTreeSet<usize> {
        let bindings = self.taxonomy.bindings.iter();
        bindings
            .filter(|binding| binding.answers(asked) && binding.covers(key))
            .map(|binding| binding.mapping)
            .collect()
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.interner.slots
    }

    pub(crate) fn predicates(&self) -> &[Predicate] {
        &self.interner.predicates
    }

    /// The place of a predicate in the table of what keys tell, or [`NOT_OF_KEY`].
    pub(crate) fn key_place(&self, predicate: u32) -> u32 {
        self.keys.places[predicate as usize]
    }

    /// By predicate: its place in the table of what keys tell.
    pub(crate) fn key_places(&self) -> &[u32] {
        &self.keys.places
    }

    /// Variants, numbers of groups, and what the key tells.
    pub(crate) fn signature_of(&self, key: &SourceKey) -> (Vec<u32>, Vec<u32>, Box<[KeyTruth]>) {
        let covers: Vec<bool> = self
            .taxonomy
            .bindings
            .iter()
            .map(|binding| binding.covers(key))
            .collect();
        let mut truth = vec![KeyTruth::Unknown; self.keys.list.len()].into_boxed_slice();
        let mut active = Vec::new();
        let mut groups = Vec::new();
        for (index, group) in self.groups.iter().enumerate() {
            if !group.bindings.iter().any(|one| covers[*one as usize]) {
                continue;
            }
            groups.push(number(index));
            active.extend_from_slice(&group.variants);
            for place in &group.key_places {
                truth[*place as usize] = self.told_by(key, *place);
            }
        }
        active.sort_unstable();
        (active, groups, truth)
    }

    fn told_by(&self, key: &SourceKey, place: u32) -> KeyTruth {
        let (predicate, attribute) = &self.keys.list[place as usize];
        let Some(value) = key.get(attribute) else {
            return KeyTruth::Unknown;
        };
        let test = &self.interner.predicates[*predicate as usize].test;
        if holds_on_value(test, &Value::Text(Cow::Borrowed(value))) {
            KeyTruth::True
        } else {
            KeyTruth::False
        }
    }
}

fn id(index: usize) -> RuleId {
    RuleId(number(index))
}

fn number(length: usize) -> u32 {
    u32::try_from(length).expect("documents are limited in number and size")
}

struct Compiler<'t> {
    rules: Vec<Rule>,
    correlations: Vec<Correlation>,
    origins: Vec<crate::parse::Origin<'t>>,
    filters: Vec<Filter>,
    filters_of: Vec<Vec<u32>>,
    problems: Vec<Problem>,
    taxonomy: Taxonomy,
    workers: usize,
}

/// A rule's logic, its filters' included.
type Ready = Result<Lowered, Problem>;

impl<'t> Compiler<'t> {
    fn new(parsed: Parsed<'t>, taxonomy: Taxonomy, options: Options) -> Self {
        let mut compiler = Self {
            filters_of: vec![Vec::new(); parsed.rules.len()],
            rules: parsed.rules,
            correlations: parsed.correlations,
            origins: parsed.origins,
            filters: parsed.filters,
            problems: parsed.problems,
            taxonomy,
            workers: options.workers.clamp(1, 64),
        };
        compiler.match_filters();
        compiler
    }

    /// Finds the rules that each filter applies to; one that applies to none is told.
    fn match_filters(&mut self) {
        for (index, filter) in self.filters.iter().enumerate() {
            let mut used = BTreeSet::new();
            for (rule, own) in self.rules.iter().zip(&mut self.filters_of) {
                let named = match &filter.rules {
                    None => Some(usize::MAX),
                    Some(names) => names.iter().position(|name| rule.header.is_called(name)),
                };
                if let Some(name) = named
                    && filter.log_source.is_met_by(&rule.log_source)
                {
                    own.push(number(index));
                    used.insert(name);
                }
            }
            let mut warn = |what: String| {
                let mut problem = Problem::warning(
                    "filter.rules",
                    format!("the filter applies to no rule {what}"),
                    "check the ids and the log source",
                );
                filter.header.handle().clone_into(&mut problem.rule);
                self.problems.push(problem);
            };
            match &filter.rules {
                None if used.is_empty() => warn("at all".to_owned()),
                None => {}
                Some(names) => {
                    for (place, name) in names.iter().enumerate() {
                        if !used.contains(&place) {
                            warn(format!("called `{name}`"));
                        }
                    }
                }
            }
        }
    }

    fn finish(self) -> Engine {
        let lowered = self.lower_all();
        let mut interner = Interner::new();
        let plan = correlate::plan(&self.rules, &self.correlations);
        let mut variants = Vec::new();
        let mut groups: BTreeMap<(LogSource, usize), Group> = BTreeMap::new();
        let mut answers: BTreeMap<LogSource, BTreeMap<usize, Vec<u32>>> = BTreeMap::new();
        let mut mapped: Vec<MappedSlots> = Vec::new();
        mapped.resize_with(self.taxonomy.mappings.len(), MappedSlots::default);
        let mut states = Vec::with_capacity(self.rules.len() + self.correlations.len());
        for (index, ready) in lowered.into_iter().enumerate() {
            let rule = &self.rules[index];
            let lowered = match ready {
                Ok(lowered) => lowered,
                Err(problem) => {
                    states.push(RuleState::Rejected(self.located(index, problem)));
                    continue;
                }
            };
            let asked = &rule.log_source;
            if !answers.contains_key(asked) {
                answers.insert(asked.clone(), self.answers_to(asked));
            }
            let by_mapping = &answers[asked];
            let mut state = StateBuilder::default();
            for (mapping, bindings) in by_mapping {
                let slots = &mut mapped[*mapping];
                let table = &self.taxonomy.mappings[*mapping];
                let Bound { expr, missing } = bind(&lowered, table, slots, &mut interner);
                let sources = self.sources_of(bindings);
                state.add(&sources, &missing, expr == Expr::Constant(false));
                if expr == Expr::Constant(false) {
                    continue;
                }
                let inputs = plan
                    .inputs_of(number(index))
                    .iter()
                    .map(|field| slots.slot(field, table, &mut interner))
                    .collect();
                let variant = number(variants.len());
                variants.push(Variant {
                    rule: number(index),
                    program: Program {
                        steps: Box::default(),
                        start: 0,
                    },
                    expr,
                    inputs,
                });
                groups
                    .entry((asked.clone(), *mapping))
                    .or_insert_with(|| Group {
                        bindings: bindings.clone(),
                        variants: Vec::new(),
                        key_places: Vec::new(),
                    })
                    .variants
                    .push(variant);
            }
            states.push(state.finish(asked));
        }
        let costs: Vec<u32> = interner.predicates.iter().map(cost_of).collect();
        for variant in &mut variants {
            variant.program = Program::of(&variant.expr, &|predicate| costs[predicate as usize]);
        }
        let keys = key_predicates(&self.taxonomy, &mut interner);
        let mut groups: Vec<Group> = groups.into_values().collect();
        for group in &mut groups {
            group.key_places = key_places_of(group, &variants, &keys);
        }
        correlate::states(&self.rules, &self.correlations, &plan, &mut states);
        let keywords = interner.predicates.iter();
        let keywords_anywhere = keywords
            .filter(|predicate| predicate.slot == EVENT_SLOT)
            .all(|predicate| match &predicate.test {
                Test::Text { pattern, .. } => pattern.is_anywhere(),
                _ => false,
            });
        interner.seal();
        Engine {
            keywords_anywhere,
            rarity: Rarity::of(&interner.predicates),
            rules: self.rules,
            correlations: self.correlations,
            states,
            problems: self.problems,
            taxonomy: self.taxonomy,
            interner,
            variants,
            plan,
            filters: self.filters,
            filters_of: self.filters_of,
            groups,
            keys,
            partitions: RwLock::default(),
        }
    }

    /// Lowers every rule, shared between threads; the outcome does not depend on their number.
    fn lower_all(&self) -> Vec<Ready> {
        let filters: Vec<Ready> = self
            .filters
            .iter()
            .map(|filter| lower(&filter.detections).map_err(|error| error.under("filter")))
            .collect();
        let one = |index: usize| -> Ready {
            let rule = &self.rules[index];
            let refused = self.origins.get(index).and_then(|one| one.refused.as_ref());
            if let Some(problem) = refused {
                return Err(problem.clone());
            }
            let own = lower(&rule.detections).map_err(|error| error.under("detection"))?;
            let filters = self.filters_of[index].iter().map(|filter| {
                let handle = self.filters[*filter as usize].header.handle();
                let filter = filters[*filter as usize].as_ref();
                filter.map_err(|error| {
                    Problem::error(
                        "",
                        format!("its filter `{handle}` cannot be used: {error}"),
                        "correct the filter",
                    )
                })
            });
            with_filters(own, filters)
        };
        let count = self.rules.len();
        let workers = self.workers.min(count.max(1));
        if workers == 1 {
            return (0..count).map(one).collect();
        }
        let share = count.div_ceil(workers);
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..workers)
                .map(|worker| {
                    let from = (worker * share).min(count);
                    let until = (from + share).min(count);
                    let one = &one;
                    scope.spawn(move || (from..until).map(one).collect::<Vec<_>>())
                })
                .collect();
            running
                .into_iter()
                .flat_map(|one| one.join().expect("compiling a rule does not panic"))
                .collect()
        })
    }

    fn located(&self, index: usize, mut problem: Problem) -> Problem {
        self.rules[index]
            .header
            .handle()
            .clone_into(&mut problem.rule);
        problem.line = self
            .origins
            .get(index)
            .and_then(|origin| origin.line_of(&problem.place));
        problem
    }

    /// Bindings that answer to a log source, by the mapping they use.
    fn answers_to(&self, asked: &LogSource) -> BTreeMap<usize, Vec<u32>> {
        let mut found: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        for (index, binding) in self.taxonomy.bindings.iter().enumerate() {
            if binding.answers(asked) {
                found
                    .entry(binding.mapping)
                    .or_default()
                    .push(number(index));
            }
        }
        found
    }

    fn sources_of(&self, bindings: &[u32]) -> Vec<&str> {
        let binding = |index: &u32| -> &Binding { &self.taxonomy.bindings[*index as usize] };
        let names: BTreeSet<&str> = bindings
            .iter()
            .map(|index| binding(index).source.as_str())
            .collect();
        names.into_iter().collect()
    }
}

/// Puts filters beside a rule: all of them must hold as well.
fn with_filters<'a>(
    mut own: Lowered,
    filters: impl Iterator<Item = Result<&'a Lowered, Problem>>,
) -> Ready {
    let mut parts = vec![own.expr];
    for filter in filters {
        let filter = filter?;
        let offset = number(own.leaves.len());
        own.leaves.extend_from_slice(&filter.leaves);
        parts.push(filter.expr.map(&mut |leaf| Expr::Leaf(leaf + offset)));
    }
    own.expr = Expr::and(parts);
    Ok(own)
}

/// Predicates over a field that is an attribute of the key.
fn key_predicates(taxonomy: &Taxonomy, interner: &mut Interner) -> KeyPredicates {
    let mut attribute_of: FxHashMap<SlotId, String> = FxHashMap::default();
    for (attribute, field) in &taxonomy.key_fields {
        if let Some(field) = interner.known_field(field) {
            let slot = interner.slot(Source::Field(field));
            attribute_of.insert(slot, attribute.clone());
        }
    }
    let mut keys = KeyPredicates {
        places: vec![NOT_OF_KEY; interner.predicates.len()],
        list: Vec::new(),
    };
    for (predicate, own) in interner.predicates.iter().enumerate() {
        // What compares two fields needs the event.
        if matches!(own.test, Test::Field { .. }) {
            continue;
        }
        if let Some(attribute) = attribute_of.get(&own.slot) {
            keys.places[predicate] = number(keys.list.len());
            keys.list.push((number(predicate), attribute.clone()));
        }
    }
    keys
}

fn key_places_of(group: &Group, variants: &[Variant], keys: &KeyPredicates) -> Vec<u32> {
    let mut places = BTreeSet::new();
    for variant in &group.variants {
        for step in &variants[*variant as usize].program.steps {
            let place = keys.places[step.predicate as usize];
            if place != NOT_OF_KEY {
                places.insert(place);
            }
        }
    }
    places.into_iter().collect()
}

/// A figure by which tests are put in order.
fn cost_of(predicate: &Predicate) -> u32 {
    use super::text::Pattern;
    match &predicate.test {
        Test::Number(..) | Test::Truth(_) | Test::Null | Test::Exists => 1,
        Test::Text {
            pattern,
            cased: false,
        } => match pattern {
            Pattern::Anything | Pattern::Exact(_) | Pattern::Starts(_) | Pattern::Ends(_) => 2,
            Pattern::Contains(_) => 6,
            Pattern::Parts(_) => 12,
        },
        Test::Text { cased: true, .. } | Test::Network(_) | Test::Time(..) => 20,
        Test::Field { .. } => 30,
        Test::Regex(_) => 60,
    }
}

/// Gathers what is to be said of a rule over its sources.
#[derive(Default)]
struct StateBuilder {
    ready: BTreeSet<String>,
    /// Sources on which everything can be seen; a rule may look at one in several ways.
    whole: BTreeSet<String>,
    limits: Vec<Said>,
    reasons: Vec<Said>,
}

/// Something to be said of a rule on some sources.
struct Said {
    sources: Vec<String>,
    text: String,
}

impl StateBuilder {
    fn add(&mut self, sources: &[&str], missing: &BTreeSet<String>, never: bool) {
        let names = sources.join(", ");
        let said = |text: String| Said {
            sources: sources.iter().map(|one| (*one).to_owned()).collect(),
            text,
        };
        let fields = missing
            .iter()
            .map(|field| format!("`{field}`"))
            .collect::<Vec<_>>()
            .join(", ");
        if never {
            self.reasons.push(said(if fields.is_empty() {
                format!("its condition can never hold on {names}")
            } else {
                format!("cannot match on {names}, which does not record {fields}")
            }));
            return;
        }
        self.ready
            .extend(sources.iter().map(|one| (*one).to_owned()));
        if missing.is_empty() {
            self.whole
                .extend(sources.iter().map(|one| (*one).to_owned()));
        } else {
            self.limits.push(said(format!(
                "matches on {names} without regard to {fields}, which it does not record"
            )));
        }
    }

    fn finish(mut self, asked: &LogSource) -> RuleState {
        if self.ready.is_empty() {
            if self.reasons.is_empty() {
                return RuleState::Undetectable {
                    reasons: vec![format!("no known source holds logs of {asked}")],
                };
            }
            let reasons = self.reasons.into_iter();
            return RuleState::Undetectable {
                reasons: reasons.map(|said| said.text).collect(),
            };
        }
        self.limits.append(&mut self.reasons);
        let whole = self.whole;
        let limits = self.limits.into_iter().filter(|said| {
            let mut sources = said.sources.iter();
            !sources.all(|source| whole.contains(source))
        });
        RuleState::Ready {
            limits: limits.map(|said| said.text).collect(),
            sources: self.ready.into_iter().collect(),
        }
    }
}
