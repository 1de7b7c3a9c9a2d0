//! What a named person states where no machine can tell.

use crate::{Place, Timestamp};
use serde::{Deserialize, Serialize};

/// A named person's statement about one gate of a host's eviction. It is shown as such, and believed as such.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attestation {
    /// The computer's name; case and domain are ignored.
    pub host: String,
    /// Name of the pack whose gate it is about.
    pub campaign: String,
    /// Id of the gate.
    pub gate: String,
    pub answer: Answer,
    /// Who states it.
    pub by: String,
    /// What entitles that person to state it; may be empty.
    pub role: String,
    /// When it was stated. What was done before the last sign of an intruder does not evict that intruder.
    pub time: Timestamp,
    pub statement: String,
    /// File and line that hold the statement.
    pub place: Place,
}

/// What an attestation says of its gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Pass,
    Fail,
    NotApplicable,
}

impl Answer {
    /// Every answer.
    pub const ALL: [Self; 3] = [Self::Pass, Self::Fail, Self::NotApplicable];

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotApplicable => "not_applicable",
        }
    }
}
