//! Stretches of time.

use crate::Timestamp;
use serde::{Deserialize, Serialize};

/// A half-open stretch of time, `from` inclusive to `until` exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    pub from: Timestamp,
    pub until: Timestamp,
}

impl Span {
    /// `None` where `until` does not lie after `from`.
    pub fn new(from: Timestamp, until: Timestamp) -> Option<Self> {
        (from < until).then_some(Self { from, until })
    }

    pub fn contains(&self, time: Timestamp) -> bool {
        self.from <= time && time < self.until
    }

    /// What both spans share.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        Self::new(self.from.max(other.from), self.until.min(other.until))
    }

    pub fn seconds(&self) -> i64 {
        self.until.as_second().saturating_sub(self.from.as_second())
    }

    /// Spans sorted, with overlapping and touching ones joined.
    pub fn union(mut spans: Vec<Self>) -> Vec<Self> {
        spans.sort();
        let mut joined: Vec<Self> = Vec::with_capacity(spans.len());
        for span in spans {
            match joined.last_mut() {
                Some(last) if span.from <= last.until => last.until = last.until.max(span.until),
                _ => joined.push(span),
            }
        }
        joined
    }

    /// The parts of `self` that none of `covered` covers, in order.
    pub fn minus(&self, covered: &[Self]) -> Vec<Self> {
        let mut rest = Vec::new();
        let mut from = self.from;
        for span in Self::union(covered.to_vec()) {
            if let Some(hole) = Self::new(from, span.from.min(self.until)) {
                rest.push(hole);
            }
            from = from.max(span.until);
        }
        rest.extend(Self::new(from, self.until));
        rest
    }
}
