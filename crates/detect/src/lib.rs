//! Runs Sigma rules, YARA rules, indicators, the web-shell analysis and the analyses that packs name over what readers
//! give, and says what matched.
//!
//! [`Engine::new`] takes packs and a user's own rules and says which of them cannot be run. [`Engine::item`] opens one
//! item of evidence; its records and its bytes go in, [`ItemFindings`] come out. Findings point back at line, record
//! or offset of their item; which collection the item is of, the caller knows.
//!
//! This crate knows neither verdicts nor storage, and no campaign: those are packs. How sources answer to Sigma rules
//! stands in `knowledge/sigma/`.

mod analysis;
mod bytes;
mod correlate;
mod engine;
mod event;
mod examples;
mod explain;
mod findings;
mod grams;
mod indicators;
mod pages;
mod plan;
mod prefilter;
mod regression;
mod rules;
mod screen;
mod states;
mod table;
pub mod web_shell;
mod words;
mod yara;

#[cfg(test)]
mod tests;

pub use bytes::holds_records;
pub use correlate::Sighting;
pub use engine::{
    Engine, Extra, ItemDetection, ItemFindings, Match, ProblemKind, RuleProblem, Scratch,
};
pub use examples::{ExampleFailure, ExampleOutcome, PackTest, test_pack, try_pack};
pub use indicators::{IndicatorList, ListedIndicator, ListedRule, is_indicator};
pub use regression::{RegressionPair, regression_pairs};
pub use sigma::{Explanation, Seen};
pub use states::{Fault, RuleState, RuleStatus, RuleWarning};

/// Why no engine could be made.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// The table of records that comes with Allclear is damaged.
    #[error("knowledge/detection/records.yaml cannot be read")]
    Knowledge(#[source] serde_yaml_ng::Error),
    /// The table of Sigma's log sources that comes with Allclear is damaged.
    #[error("knowledge/sigma/taxonomy.yaml cannot be read: {0}")]
    Taxonomy(sigma::Problem),
    /// A pattern of the table of records is damaged.
    #[error("knowledge/detection/records.yaml holds a pattern that cannot be read")]
    Pattern(#[source] regex::Error),
}
