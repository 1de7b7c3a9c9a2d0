//! What became of each rule.

use crate::problem::Problem;

/// A rule or correlation of an engine, by its place in the order of loading; correlations come after all rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub(crate) u32);

impl RuleId {
    /// Its place among the states.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A rule on one kind of source; a source that answers to a rule in several ways has one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VariantId(pub u32);

/// Whether a rule can match anything, and where.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleState {
    /// It runs.
    Ready {
        /// The sources it runs on.
        sources: Vec<String>,
        /// What it cannot see there, a sentence each: parts that need a field which the source lacks, and sources on
        /// which it cannot match at all.
        limits: Vec<String>,
    },
    /// No known source holds what it needs.
    Undetectable {
        /// Why, a sentence for each source.
        reasons: Vec<String>,
    },
    /// It cannot be run as it is written.
    Rejected(Problem),
}

impl RuleState {
    /// Whether it runs.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready { .. })
    }
}
