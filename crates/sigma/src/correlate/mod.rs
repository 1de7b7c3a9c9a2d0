//! Correlations: a stage of its own, which is fed the matches of all files in the order of time.
//!
//! Conditions that only more matches can fulfil (`gt`, `gte`, every temporal one without `not`) are judged at each match
//! over the time span before it. All others can only be judged when a span is over: it opens with the first match of a
//! group, and the match after its end opens the next one.

mod plan;
mod stage;
mod window;

pub(crate) use plan::{Plan, plan, states};
pub use stage::{CorrelationMatch, Correlator, Lost, Observation};
