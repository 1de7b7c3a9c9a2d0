//! The matches of one group within a time span, and what they come to.

use super::plan::{Judge, Judged};
use crate::rule::CorrelationKind;
use rustc_hash::FxHashMap;
use std::cmp::Ordering;
use std::collections::VecDeque;

/// Matches of one group that are kept; a condition that needs more is told to have lost some.
const ENTRIES_MAX: usize = 100_000;

/// The same where every match is judged by walking over all of them.
const ENTRIES_JUDGED_AT_ONCE_MAX: usize = 10_000;

/// One match.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) time: i64,
    pub(super) member: u16,
    pub(super) event: u64,
    pub(super) value: EntryValue,
}

/// What is counted or summed of it.
#[derive(Clone, Debug)]
pub(super) enum EntryValue {
    None,
    Text(String),
    Number(f64),
}

/// The matches of a group.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) entries: VecDeque<Entry>,
    /// Entries by member.
    members: Vec<u32>,
    distinct: FxHashMap<String, u32>,
    /// The condition held at the last match; it is told once, not again for each match while it goes on.
    pub(super) told: bool,
}

impl Window {
    pub(super) fn new(judged: &Judged) -> Self {
        Self {
            entries: VecDeque::new(),
            members: vec![0; judged.members],
            distinct: FxHashMap::default(),
            told: false,
        }
    }

    /// Adds a match; returns how many were dropped for want of room.
    pub(super) fn push(&mut self, entry: Entry, judged: &Judged) -> usize {
        self.members[entry.member as usize] += 1;
        if let EntryValue::Text(text) = &entry.value {
            *self.distinct.entry(text.clone()).or_default() += 1;
        }
        self.entries.push_back(entry);
        let room = Room::of(judged);
        let mut lost = 0;
        while self.entries.len() > room.entries {
            self.pop();
            lost += usize::from(room.is_limit);
        }
        lost
    }

    /// Drops matches older than the span before `now`.
    pub(super) fn expire(&mut self, now: i64, judged: &Judged) {
        while let Some(oldest) = self.entries.front()
            && now.saturating_sub(oldest.time) > judged.span_micros
        {
            self.pop();
        }
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.members.fill(0);
        self.distinct.clear();
        self.told = false;
    }

    fn pop(&mut self) {
        let Some(entry) = self.entries.pop_front() else {
            return;
        };
        let count = &mut self.members[entry.member as usize];
        *count = count.saturating_sub(1);
        if let EntryValue::Text(text) = &entry.value
            && let Some(count) = self.distinct.get_mut(text)
        {
            *count -= 1;
            if *count == 0 {
                self.distinct.remove(text);
            }
        }
    }

    /// Whether the condition holds, and the number that was compared.
    pub(super) fn judge(&self, judged: &Judged) -> Option<f64> {
        match &judged.condition {
            Judge::Rules(logic) => {
                let seen = |member: usize| self.members[member] > 0;
                logic.holds(&seen).then(|| self.members_seen())
            }
            Judge::Number(comparisons) => {
                let number = self.number(judged)?;
                comparisons
                    .iter()
                    .all(|(comparison, limit)| comparison.holds(number.partial_cmp(limit)))
                    .then_some(number)
            }
        }
    }

    fn number(&self, judged: &Judged) -> Option<f64> {
        match judged.kind {
            CorrelationKind::EventCount => Some(count(self.entries.len())),
            CorrelationKind::ValueCount => Some(count(self.distinct.len())),
            CorrelationKind::Temporal => Some(self.members_seen()),
            CorrelationKind::TemporalOrdered => Some(count(self.in_order())),
            CorrelationKind::ValueSum => Some(self.numbers().sum()),
            CorrelationKind::ValueAverage => {
                let numbers: Vec<f64> = self.numbers().collect();
                (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / count(numbers.len()))
            }
            CorrelationKind::ValuePercentile => self.percentile(judged.percentile),
            CorrelationKind::ValueMedian => self.percentile(50.0),
        }
    }

    fn numbers(&self) -> impl Iterator<Item = f64> {
        self.entries.iter().filter_map(|entry| match entry.value {
            EntryValue::Number(number) => Some(number),
            _ => None,
        })
    }

    fn members_seen(&self) -> f64 {
        count(self.members.iter().filter(|count| **count > 0).count())
    }

    /// How many of the rules, from the first, are seen one after the other in the order they are listed.
    fn in_order(&self) -> usize {
        let mut next = 0;
        for entry in &self.entries {
            if usize::from(entry.member) == next {
                next += 1;
            }
        }
        next
    }

    /// The percentile, linear between the two nearest values.
    fn percentile(&self, percentile: f64) -> Option<f64> {
        let mut numbers: Vec<f64> = self.numbers().collect();
        numbers.sort_by(|one, other| one.partial_cmp(other).unwrap_or(Ordering::Equal));
        let last = numbers.len().checked_sub(1)?;
        let place = percentile / 100.0 * count(last);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "percentiles are read as 0 to 100, so the place lies within the list"
        )]
        let below = (place.floor() as usize).min(last);
        let above = (below + 1).min(last);
        Some(numbers[below] + (numbers[above] - numbers[below]) * (place - place.floor()))
    }
}

/// How many matches of a group are kept.
struct Room {
    entries: usize,
    /// Those dropped could have counted.
    is_limit: bool,
}

impl Room {
    fn of(judged: &Judged) -> Self {
        let limit = |entries| Self {
            entries,
            is_limit: true,
        };
        match judged.kind {
            CorrelationKind::EventCount if judged.at_once => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a cast of a float keeps to the range of the integer"
                )]
                let needed = judged.largest.ceil() as usize;
                let needed = needed.saturating_add(1);
                // A count that has been reached needs no more than what it counts.
                Self {
                    entries: needed.min(ENTRIES_MAX),
                    is_limit: needed > ENTRIES_MAX,
                }
            }
            CorrelationKind::TemporalOrdered | CorrelationKind::ValueSum if judged.at_once => {
                limit(ENTRIES_JUDGED_AT_ONCE_MAX)
            }
            _ => limit(ENTRIES_MAX),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts are limited to far less than where floats drop digits"
)]
fn count(number: usize) -> f64 {
    number as f64
}
