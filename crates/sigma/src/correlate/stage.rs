//! The stage that matches are fed to.

use super::plan::{Feed, Judged};
use super::window::{Entry, EntryValue, Window};
use crate::compile::engine::Engine;
use crate::compile::state::RuleId;
use crate::compile::test::Number;
use crate::evaluate::{Fields, Match};
use crate::rule::CorrelationKind;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Groups of all correlations together; more distinct values than any honest log has users and addresses.
const GROUPS_MAX: usize = 200_000;

/// Matches kept by all correlations together, about 100 bytes each.
const ENTRIES_MAX: usize = 500_000;

/// Bytes of a value that groups are told apart by, or that is counted; longer ones would fill the memory.
const VALUE_BYTES_MAX: usize = 4_096;

/// Events named with one correlation's match.
const EVENTS_MAX: usize = 1_000;

/// A match as correlations see it: small, so that matches of many files can be sorted by time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The rule that matched.
    pub rule: RuleId,
    /// When, in microseconds since 1970.
    pub time_micros: i64,
    /// The caller's number for the event.
    pub event: u64,
    /// Values of the fields that correlations ask for; `None` where the event has none.
    pub values: Vec<Option<String>>,
}

/// A correlation that matches.
#[derive(Clone, Debug, PartialEq)]
pub struct CorrelationMatch {
    /// The correlation.
    pub rule: RuleId,
    /// Fields it is grouped by, and their values.
    pub group: Vec<(String, String)>,
    /// The time of the first match that counts, in microseconds since 1970.
    pub first_micros: i64,
    /// The time of the last.
    pub last_micros: i64,
    /// The count, sum or whatever was compared.
    pub number: f64,
    /// The caller's numbers of the events, at most a thousand.
    pub events: Vec<u64>,
    /// Whether it is to be told by itself, rather than only count in another correlation.
    pub alone: bool,
}

/// Matches that a correlation could not take into account: a gap to be reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The correlation.
    pub rule: RuleId,
    /// Why.
    pub reason: &'static str,
    /// How many.
    pub count: u64,
}

impl Engine {
    /// Values that correlations need of a match, for an [`Observation`]; `None` where no correlation looks at the rule.
    pub fn observe(&self, matched: &Match, fields: &dyn Fields) -> Option<Vec<Option<String>>> {
        if self.plan.feeds[matched.rule.index()].is_empty() {
            return None;
        }
        let variant = &self.variants[matched.variant as usize];
        let values = variant.inputs.iter().map(|slot| {
            let source = &self.slots()[(*slot)? as usize].source;
            let mut text = None;
            source.visit(fields, &mut |value| {
                if text.is_none() && *value != crate::Value::Null {
                    text = Some(value.to_text().into_owned());
                }
            });
            text
        });
        Some(values.collect())
    }

    /// Whether any rule is looked at by a correlation.
    pub fn has_correlations(&self) -> bool {
        self.plan.judged.iter().any(Option::is_some)
    }
}

/// Groups of one correlation by the values they have in common.
type Groups = FxHashMap<Vec<String>, Window>;

/// Takes observations in the order of time, from all files together.
#[derive(Debug)]
pub struct Correlator<'e> {
    engine: &'e Engine,
    groups: Vec<Groups>,
    group_count: usize,
    entry_count: usize,
    /// Spans to be judged when they are over: end, correlation, group.
    closing: BTreeSet<(i64, u32, Vec<String>)>,
    now: i64,
    lost: BTreeMap<(u32, &'static str), u64>,
}

impl<'e> Correlator<'e> {
    /// A stage without any matches.
    pub fn new(engine: &'e Engine) -> Self {
        Self {
            engine,
            groups: engine
                .correlations
                .iter()
                .map(|_| Groups::default())
                .collect(),
            group_count: 0,
            entry_count: 0,
            closing: BTreeSet::new(),
            now: i64::MIN,
            lost: BTreeMap::new(),
        }
    }

    /// Takes an observation; calls `found` for every correlation that matches by now.
    pub fn observe(&mut self, observation: Observation, found: &mut dyn FnMut(CorrelationMatch)) {
        if observation.time_micros < self.now {
            for feed in &self.engine.plan.feeds[observation.rule.index()] {
                self.lose(feed.correlation, "a match came after a later one", 1);
            }
            return;
        }
        self.close_before(observation.time_micros, found);
        self.now = observation.time_micros;
        self.take(observation, found);
    }

    /// Judges the spans that are still open. The stage begins anew.
    pub fn finish(&mut self, found: &mut dyn FnMut(CorrelationMatch)) {
        self.close_before(i64::MAX, found);
        for groups in &mut self.groups {
            groups.clear();
        }
        self.group_count = 0;
        self.entry_count = 0;
        self.now = i64::MIN;
    }

    /// Matches that could not be taken into account so far.
    pub fn lost(&self) -> Vec<Lost> {
        let rules = self.engine.rules.len();
        self.lost
            .iter()
            .map(|((correlation, reason), count)| Lost {
                rule: RuleId(u32::try_from(rules).expect("numbered by the engine") + correlation),
                reason,
                count: *count,
            })
            .collect()
    }

    fn lose(&mut self, correlation: u32, reason: &'static str, count: u64) {
        *self.lost.entry((correlation, reason)).or_default() += count;
    }

    /// Takes an observation, and those that correlations make of it in turn; there are no rings, so this ends.
    fn take(&mut self, observation: Observation, found: &mut dyn FnMut(CorrelationMatch)) {
        let engine = self.engine;
        let mut waiting = VecDeque::from([observation]);
        while let Some(observation) = waiting.pop_front() {
            for feed in &engine.plan.feeds[observation.rule.index()] {
                if let Some(matched) = self.feed(feed, &observation) {
                    waiting.extend(self.passed_on(&matched, observation.time_micros));
                    found(matched);
                }
            }
        }
    }

    /// Puts a match into its group; returns the correlation's match where it is judged at once and holds.
    fn feed(&mut self, feed: &Feed, observation: &Observation) -> Option<CorrelationMatch> {
        let correlation = feed.correlation;
        let judged = self.engine.plan.judged[correlation as usize].as_ref()?;
        let value = |place: &usize| observation.values.get(*place).cloned().flatten();
        let Some(group) = feed.group.iter().map(value).collect::<Option<Vec<_>>>() else {
            self.lose(
                correlation,
                "a match lacks a field by which the correlation is grouped",
                1,
            );
            return None;
        };
        let values: Option<Vec<_>> = feed.values.iter().map(value).collect();
        let mut texts = group.iter().chain(values.iter().flatten());
        if texts.any(|text| text.len() > VALUE_BYTES_MAX) {
            self.lose(correlation, "a value is longer than those that are kept", 1);
            return None;
        }
        let Some(value) = entry_value(judged, values) else {
            self.lose(
                correlation,
                "a match lacks the value that the correlation looks at",
                1,
            );
            return None;
        };
        let is_new = !self.groups[correlation as usize].contains_key(&group);
        if self.entry_count >= ENTRIES_MAX || is_new && self.group_count >= GROUPS_MAX {
            self.sweep();
            if self.entry_count >= ENTRIES_MAX || self.group_count >= GROUPS_MAX {
                self.lose(
                    correlation,
                    "there are more groups or matches than are kept",
                    1,
                );
                return None;
            }
        }
        self.group_count += usize::from(is_new);
        let window = self.groups[correlation as usize]
            .entry(group.clone())
            .or_insert_with(|| Window::new(judged));
        let before = window.entries.len();
        if judged.at_once {
            window.expire(observation.time_micros, judged);
        } else if window.entries.is_empty() {
            let end = observation.time_micros.saturating_add(judged.span_micros);
            self.closing.insert((end, correlation, group.clone()));
        }
        let entry = Entry {
            time: observation.time_micros,
            member: feed.member,
            event: observation.event,
            value,
        };
        let lost = window.push(entry, judged);
        let mut matched = None;
        if judged.at_once {
            let number = window.judge(judged);
            // Told once, and again only after it has not held in between.
            let told = std::mem::replace(&mut window.told, number.is_some());
            if let (Some(number), false) = (number, told) {
                matched = Some(self.engine.tell(correlation, &group, window, number));
                if matches!(
                    judged.kind,
                    CorrelationKind::Temporal | CorrelationKind::TemporalOrdered
                ) {
                    // What has been told does not count towards the next time.
                    window.clear();
                }
            }
        }
        self.entry_count = (self.entry_count + window.entries.len()).saturating_sub(before);
        if lost > 0 {
            self.lose(
                correlation,
                "a group has more matches than are kept",
                u64::try_from(lost).unwrap_or(u64::MAX),
            );
        }
        matched
    }

    /// Judges spans that end before a time.
    fn close_before(&mut self, time: i64, found: &mut dyn FnMut(CorrelationMatch)) {
        while let Some((end, ..)) = self.closing.first()
            && *end < time
        {
            let (end, correlation, group) = self.closing.pop_first().expect("there is a first one");
            let Some(window) = self.groups[correlation as usize].remove(&group) else {
                continue;
            };
            self.group_count -= 1;
            self.entry_count = self.entry_count.saturating_sub(window.entries.len());
            let Some(judged) = &self.engine.plan.judged[correlation as usize] else {
                continue;
            };
            if let Some(number) = window.judge(judged) {
                let matched = self.engine.tell(correlation, &group, &window, number);
                self.now = self.now.max(end);
                let passed_on = self.passed_on(&matched, end);
                found(matched);
                if let Some(observation) = passed_on {
                    self.take(observation, found);
                }
            }
        }
    }

    /// The match as an observation for correlations of correlations.
    fn passed_on(&self, matched: &CorrelationMatch, time_micros: i64) -> Option<Observation> {
        let inputs = self.engine.plan.inputs_of(matched.rule.0);
        if self.engine.plan.feeds[matched.rule.index()].is_empty() {
            return None;
        }
        let value = |name: &String| {
            let mut group = matched.group.iter();
            group
                .find(|(own, _)| own == name)
                .map(|(_, value)| value.clone())
        };
        Some(Observation {
            rule: matched.rule,
            time_micros,
            event: matched.events.last().copied().unwrap_or_default(),
            values: inputs.iter().map(value).collect(),
        })
    }

    /// Drops groups whose matches are all too old to count.
    fn sweep(&mut self) {
        let now = self.now;
        let engine = self.engine;
        for (correlation, groups) in self.groups.iter_mut().enumerate() {
            let Some(judged) = engine.plan.judged[correlation].as_ref() else {
                continue;
            };
            if judged.at_once {
                groups.retain(|_, window| {
                    window.expire(now, judged);
                    !window.entries.is_empty()
                });
            }
        }
        self.group_count = self.groups.iter().map(FxHashMap::len).sum();
        let windows = self.groups.iter().flat_map(FxHashMap::values);
        self.entry_count = windows.map(|window| window.entries.len()).sum();
    }
}

impl Engine {
    fn tell(
        &self,
        correlation: u32,
        group: &[String],
        window: &Window,
        number: f64,
    ) -> CorrelationMatch {
        let own = &self.correlations[correlation as usize];
        let rule = u32::try_from(self.rules.len()).expect("numbered by the engine") + correlation;
        let times = || window.entries.iter().map(|entry| entry.time);
        let events = window.entries.iter().map(|entry| entry.event);
        CorrelationMatch {
            rule: RuleId(rule),
            group: own
                .group_by
                .iter()
                .cloned()
                .zip(group.iter().cloned())
                .collect(),
            first_micros: times().min().unwrap_or_default(),
            last_micros: times().max().unwrap_or_default(),
            number,
            events: events.take(EVENTS_MAX).collect(),
            alone: self.plan.is_told_alone(rule),
        }
    }
}

/// What is counted or summed; `None` where it is asked for and not there.
fn entry_value(judged: &Judged, values: Option<Vec<String>>) -> Option<EntryValue> {
    use CorrelationKind as Kind;
    match judged.kind {
        Kind::EventCount | Kind::Temporal | Kind::TemporalOrdered => Some(EntryValue::None),
        // The unit separator keeps values apart that could otherwise run into each other.
        Kind::ValueCount => Some(EntryValue::Text(values?.join("\u{1f}"))),
        Kind::ValueSum | Kind::ValueAverage | Kind::ValuePercentile | Kind::ValueMedian => {
            let number = Number::parse(values?.first()?.trim())?;
            Some(EntryValue::Number(number.to_float()))
        }
    }
}
