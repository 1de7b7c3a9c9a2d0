//! What became of each Sigma rule, for whoever looks after rules: nothing that cannot run is silent.

use crate::engine::Engine;
use serde::Serialize;
use sigma::Problem;

/// A rule, or a document that should have been one, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleStatus {
    /// The file that it stands in.
    pub path: String,
    /// Its id, else file and title; of a document that cannot be read what is known of these, maybe nothing.
    pub rule: String,
    pub title: String,
    pub level: String,
    /// Name of the pack that it is of; none for a user's own rule.
    pub campaign: Option<String>,
    #[serde(flatten)]
    pub state: RuleState,
}

/// What became of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RuleState {
    /// It runs, and sees all that it asks for.
    Runs { sources: Vec<String> },
    /// It runs; in some logs it cannot see all that it asks for.
    InPart {
        sources: Vec<String>,
        limits: Vec<String>,
    },
    /// It is for a log that no reader gives, or for fields that its logs lack.
    Undetectable { reasons: Vec<String> },
    /// It cannot be read, or uses what the engine lacks.
    Rejected(Fault),
    /// A rule with the same id, in the file `of`, was taken instead.
    Duplicate { of: String },
}

/// What is wrong with a rule, where, and what its author can do about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// 1-based line of the file, where it is known.
    pub line: Option<usize>,
    /// A path of keys in the rule: `detection.selection.Image|endswith`; empty for the whole document.
    pub place: String,
    pub message: String,
    /// Empty where it is plain what to do.
    pub help: String,
}

/// Part of a rule or filter means less than its author may think; it runs all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleWarning {
    pub path: String,
    /// Id or title.
    pub rule: String,
    #[serde(flatten)]
    pub fault: Fault,
}

impl Engine {
    /// What became of every Sigma rule, in order of pack and file.
    pub fn rule_states(&self) -> Vec<RuleStatus> {
        self.rules.states()
    }

    /// What rules and filters say that means less than it seems.
    pub fn rule_warnings(&self) -> &[RuleWarning] {
        self.rules.warnings()
    }
}

impl RuleState {
    /// Its name, as it is shown.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Runs { .. } => "runs",
            Self::InPart { .. } => "in part",
            Self::Undetectable { .. } => "undetectable",
            Self::Rejected(_) => "rejected",
            Self::Duplicate { .. } => "duplicate",
        }
    }

    /// Whether records are looked at for it.
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Runs { .. } | Self::InPart { .. })
    }

    pub(crate) fn of(state: &sigma::RuleState) -> Self {
        match state {
            sigma::RuleState::Ready { sources, limits } if limits.is_empty() => Self::Runs {
                sources: sources.clone(),
            },
            sigma::RuleState::Ready { sources, limits } => Self::InPart {
                sources: sources.clone(),
                limits: limits.clone(),
            },
            sigma::RuleState::Undetectable { reasons } => Self::Undetectable {
                reasons: reasons.clone(),
            },
            sigma::RuleState::Rejected(problem) => Self::Rejected(Fault::of(problem)),
        }
    }
}

impl Fault {
    pub(crate) fn of(problem: &Problem) -> Self {
        Self {
            line: problem.line,
            place: problem.place.clone(),
            message: problem.message.clone(),
            help: problem.help.clone(),
        }
    }

    /// A fault of the document as a whole.
    pub(crate) fn saying(message: &str) -> Self {
        Self {
            message: message.to_owned(),
            ..Self::default()
        }
    }
}

impl RuleWarning {
    pub(crate) fn new(path: &str, problem: &Problem) -> Self {
        Self {
            path: path.to_owned(),
            rule: problem.rule.clone(),
            fault: Fault::of(problem),
        }
    }
}
