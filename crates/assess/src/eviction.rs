//! Eviction: is it proven that they are out? One gate at a time.

use crate::compromise::CompromiseJudged;
use crate::coverage::Coverage;
use crate::exposure::ExposureJudged;
use model::FootholdState;
use model::report::{Eviction, ExposureState, Gate, GateState, NextStep};
use pack::{GateDecision, GateRule, Pack, Step};

/// The gates of a pack, decided for one host.
#[derive(Clone, Debug)]
pub(crate) struct EvictionJudged {
    gates: Vec<Gate>,
    needed: bool,
}

impl EvictionJudged {
    /// Whether every gate passed, or has a reason not to apply.
    pub(crate) fn complete(&self) -> bool {
        !self.gates.is_empty()
            && self
                .gates
                .iter()
                .all(|gate| matches!(gate.state, GateState::Pass | GateState::NotApplicable))
    }

    pub(crate) fn open_gates(&self) -> impl Iterator<Item = &Gate> {
        self.gates
            .iter()
            .filter(|gate| !matches!(gate.state, GateState::Pass | GateState::NotApplicable))
    }

    pub(crate) fn report(&self, pack: &Pack) -> Eviction {
        let steps = if self.needed {
            pack.remediation.evict.iter().map(step).collect()
        } else {
            Vec::new()
        };
        Eviction {
            gates: self.gates.clone(),
            steps,
        }
    }
}

/// A step of the pack as the report shows it.
pub(crate) fn step(step: &Step) -> NextStep {
    let mut details = Vec::new();
    for (label, text) in [
        ("who", &step.who),
        ("how long", &step.how_long),
        ("verified by", &step.verified_by),
        ("breaks", &step.breaks),
        ("source", &step.source),
    ] {
        if !text.is_empty() {
            details.push(format!("{label}: {text}"));
        }
    }
    NextStep {
        kind: "evict".to_owned(),
        text: step.text.clone(),
        details,
        places: Vec::new(),
    }
}

/// Decides the gates. A host that nobody is known to have entered has nothing to evict.
pub(crate) fn eviction(
    pack: &Pack,
    exposure: &ExposureJudged,
    compromise: &CompromiseJudged,
    coverage: &Coverage,
) -> EvictionJudged {
    let needed = compromise.report.stage.proves_effect();
    if !needed {
        return EvictionJudged {
            gates: Vec::new(),
            needed,
        };
    }
    let gates = pack
        .remediation
        .gates
        .iter()
        .map(|rule| {
            let (state, reason) = decide(rule, exposure, compromise, coverage);
            Gate {
                id: rule.id.clone(),
                title: rule.title.clone(),
                state,
                reason,
            }
        })
        .collect();
    EvictionJudged { gates, needed }
}

fn decide(
    rule: &GateRule,
    exposure: &ExposureJudged,
    compromise: &CompromiseJudged,
    coverage: &Coverage,
) -> (GateState, String) {
    match rule.decided_by {
        GateDecision::Patched => patched(exposure),
        GateDecision::FootholdsAbsent => footholds_absent(compromise),
        GateDecision::PersistenceReviewed if coverage.latest_is_whole() => (
            GateState::Pass,
            "every place of persistence that the pack names is in the latest collection".to_owned(),
        ),
        GateDecision::PersistenceReviewed => (
            GateState::Fail,
            "the latest collection does not hold every place of persistence that the pack names"
                .to_owned(),
        ),
        GateDecision::Attested => (
            GateState::CannotTell,
            format!("no machine can tell; {}", rule.shown_by),
        ),
    }
}

fn patched(exposure: &ExposureJudged) -> (GateState, String) {
    match (exposure.report.state, exposure.files_agree) {
        (ExposureState::Patched, Some(true)) => (
            GateState::Pass,
            "the latest build is fixed, and the product's files on disk agree".to_owned(),
        ),
        (ExposureState::Patched, _) => (
            GateState::CannotTell,
            "logs show a fixed build, but none of the product's binaries was collected to prove it"
                .to_owned(),
        ),
        (state, _) => (
            GateState::Fail,
            format!("the latest proven state is {}", state.name()),
        ),
    }
}

fn footholds_absent(compromise: &CompromiseJudged) -> (GateState, String) {
    let of_state = |state: FootholdState| {
        compromise
            .report
            .footholds
            .iter()
            .filter(|foothold| foothold.state == state)
            .map(|foothold| foothold.path.clone())
            .collect::<Vec<_>>()
    };
    let present = of_state(FootholdState::Present);
    if !present.is_empty() {
        return (
            GateState::Fail,
            format!("still in the latest collection: {}", present.join(", ")),
        );
    }
    let unknown = of_state(FootholdState::Unknown);
    if !unknown.is_empty() {
        return (
            GateState::CannotTell,
            format!("not verified absent: {}", unknown.join(", ")),
        );
    }
    if compromise.report.footholds.is_empty() {
        return (
            GateState::CannotTell,
            "no foothold is known, which does not mean that there was none".to_owned(),
        );
    }
    (
        GateState::Pass,
        "every known foothold is absent from the latest collection".to_owned(),
    )
}
