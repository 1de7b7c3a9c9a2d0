//! What became of one host between two times.

use crate::report::{ExposureState, VerdictName};
use crate::{Finding, FootholdKind, FootholdState, Gap, Stage, Timestamp};
use serde::{Deserialize, Serialize};

/// Name and version of the schema.
pub const SCHEMA: &str = "allclear/diff/1";

/// A host as it was known at two times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostDiff {
    pub schema: String,
    pub host: String,
    /// The times that the two judgements speak of.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// Ids of collections that only the later judgement rests on.
    pub collections: Vec<String>,
    pub campaigns: Vec<CampaignDiff>,
    /// Findings that only the later judgement has, and those that only the earlier one had.
    pub new_findings: Vec<Finding>,
    pub gone_findings: Vec<Finding>,
    /// The same of gaps.
    pub new_gaps: Vec<Gap>,
    pub closed_gaps: Vec<Gap>,
}

/// Two judgements of one campaign. Each pair is what was and what is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignDiff {
    pub campaign: String,
    pub verdict: (Option<VerdictName>, VerdictName),
    pub stage: (Option<Stage>, Stage),
    pub exposure: (Option<ExposureState>, ExposureState),
    pub build: (Option<String>, Option<String>),
    pub sufficient: (Option<bool>, bool),
    pub footholds: Vec<FootholdDiff>,
    /// Reasons that only the later judgement gives.
    pub reasons: Vec<String>,
}

/// A foothold whose state changed, or that was not known before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FootholdDiff {
    pub kind: FootholdKind,
    pub path: String,
    pub state: (Option<FootholdState>, Option<FootholdState>),
}

impl CampaignDiff {
    /// Whether anything but the reasons is another.
    pub fn is_change(&self) -> bool {
        self.verdict.0 != Some(self.verdict.1)
            || self.stage.0 != Some(self.stage.1)
            || self.exposure.0 != Some(self.exposure.1)
            || self.build.0 != self.build.1
            || self.sufficient.0 != Some(self.sufficient.1)
            || !self.footholds.is_empty()
    }
}
