//! What matched, and how far it shows that an intruder came.

use crate::{Place, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest piece of raw evidence that a finding carries, in bytes.
pub const EVIDENCE_BYTES_MAX: usize = 4096;

/// How far an intrusion came. The order is the order of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    NoneSeen,
    Probed,
    Exploited,
    Foothold,
    HandsOn,
    Impact,
}

impl Stage {
    /// The stable name used in packs and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoneSeen => "none_seen",
            Self::Probed => "probed",
            Self::Exploited => "exploited",
            Self::Foothold => "foothold",
            Self::HandsOn => "hands_on",
            Self::Impact => "impact",
        }
    }

    /// Whether a finding of this stage proves effect, and so convicts.
    pub fn proves_effect(self) -> bool {
        self >= Self::Exploited
    }
}

/// A rule, indicator or analysis that matched, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// `f-` and hex digits of a hash over rule and place: the same evidence gives the same id.
    pub id: String,
    /// Id of the rule, indicator or analysis.
    pub rule: String,
    pub title: String,
    /// `None`: a lead that belongs to no campaign's stages (a user's own rule without a stage).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// Name of the pack it came from; `None` for analyses and users' rules, which speak for every campaign whose
    /// product is on the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// `low`, `medium`, `high`, `critical` as in Sigma.
    pub level: String,
    /// ATT&CK technique ids.
    pub techniques: Vec<String>,
    /// When it happened (the first time, where `count` records are summed up here); absent where nothing says so.
    /// Never a file time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// The last time, where `count` is more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// How many records of this item matched the rule and are summed up in this finding.
    #[serde(default = "one")]
    pub count: u64,
    pub place: Place,
    pub author: String,
    pub reference: String,
    /// The raw record or bytes, lossily decoded, at most [`EVIDENCE_BYTES_MAX`]. Not escaped: every way out escapes.
    pub evidence: String,
    /// What the rule's author says this shows, one sentence.
    #[serde(default)]
    pub meaning: String,
    /// Which step of the story this is, a stable word of the pack (`ssrf`, `login`, `oab_set`, `shell_written`, …).
    #[serde(default)]
    pub step: String,
    /// Fields that join findings into one story, by normalised name: `client`, `user_agent`, `path`, `status`,
    /// `anchor`, `target_host`, `user`, `process`, `command`, `sha256`. `subject` names the host that the finding is about,
    /// where that is another than the one of the evidence.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
    /// The foothold that this finding shows, where it shows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foothold: Option<Foothold>,
}

fn one() -> u64 {
    1
}

/// Something that lets an intruder come back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Foothold {
    pub kind: FootholdKind,
    /// Original Windows path, or the name of what it is (a service, an account).
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    pub state: FootholdState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FootholdKind {
    WebShell,
    CompiledShell,
    IisModule,
    VirtualDirectory,
    Service,
    ScheduledTask,
    RunKey,
    Account,
    Tool,
    Other,
}

impl FootholdKind {
    /// The stable name used in packs and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::WebShell => "web_shell",
            Self::CompiledShell => "compiled_shell",
            Self::IisModule => "iis_module",
            Self::VirtualDirectory => "virtual_directory",
            Self::Service => "service",
            Self::ScheduledTask => "scheduled_task",
            Self::RunKey => "run_key",
            Self::Account => "account",
            Self::Tool => "tool",
            Self::Other => "other",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FootholdState {
    /// In the latest collection.
    Present,
    /// A later collection that covers its place does not hold it.
    AbsentVerified,
    /// It was there; whether it still is cannot be said.
    Unknown,
}

impl FootholdState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::AbsentVerified => "absent_verified",
            Self::Unknown => "unknown",
        }
    }
}
