//! Eviction: is it proven that they are out? One gate at a time.

use crate::compromise::CompromiseJudged;
use crate::coverage::Coverage;
use crate::exposure::ExposureJudged;
use crate::{Knowledge, review, words};
use model::report::{Eviction, ExposureState, FootholdReport, Gate, GateState, NextStep};
use model::{
    Answer, Attestation, CollectionSeen, FootholdKind, FootholdState, Observed, Timestamp,
};
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

    /// When the last statement that decided a gate was made.
    pub(crate) fn attested_at(&self) -> Option<Timestamp> {
        self.gates
            .iter()
            .filter_map(|gate| Some(gate.attested.as_ref()?.time))
            .max()
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
            accepted: None,
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
    knowledge: &Knowledge<'_>,
    observed: &Observed,
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
    let seen_until = last_sign(observed, compromise);
    let gates = pack
        .remediation
        .gates
        .iter()
        .map(|rule| {
            let (state, reason, attested) = match rule.decided_by {
                GateDecision::Patched => unattested(patched(exposure)),
                GateDecision::FootholdsAbsent => unattested(footholds_absent(compromise, coverage)),
                GateDecision::PersistenceReviewed => {
                    let unaccounted = review::unaccounted(pack, knowledge, observed, exposure);
                    unattested(persistence_reviewed(coverage, unaccounted))
                }
                GateDecision::Attested => attested(pack, rule, observed, seen_until),
            };
            Gate {
                id: rule.id.clone(),
                title: rule.title.clone(),
                state,
                reason,
                attested,
            }
        })
        .collect();
    EvictionJudged { gates, needed }
}

fn unattested((state, reason): (GateState, String)) -> (GateState, String, Option<Attestation>) {
    (state, reason, None)
}

/// The last time at which an intruder acted or a foothold was still there. What was renewed before, the intruder could
/// have taken again.
fn last_sign(observed: &Observed, compromise: &CompromiseJudged) -> Option<Timestamp> {
    let still_there = observed
        .collections
        .iter()
        .filter(|collection| {
            compromise
                .report
                .footholds
                .iter()
                .filter(|foothold| !is_leftover(foothold))
                .any(|foothold| collection_holds(collection, &foothold.path))
        })
        .filter_map(|collection| collection.taken);
    still_there.chain(compromise.report.last).max()
}

fn collection_holds(collection: &CollectionSeen, path: &str) -> bool {
    collection
        .items
        .iter()
        .any(|item| model::same_path(&item.path, path))
}

/// What a named person states of the gate; the latest statement counts.
fn attested(
    pack: &Pack,
    rule: &GateRule,
    observed: &Observed,
    seen_until: Option<Timestamp>,
) -> (GateState, String, Option<Attestation>) {
    let latest = observed
        .attestations
        .iter()
        .filter(|attestation| {
            attestation.campaign == pack.manifest.name && attestation.gate == rule.id
        })
        .max_by_key(|attestation| attestation.time);
    let Some(attestation) = latest else {
        return (
            GateState::CannotTell,
            format!("no machine can tell; {}", rule.shown_by),
            None,
        );
    };
    let role = if attestation.role.is_empty() {
        String::new()
    } else {
        format!(" ({})", attestation.role)
    };
    let stated = format!(
        "stated by {}{role} on {}: {}",
        attestation.by,
        words::day(attestation.time),
        attestation.statement
    );
    let stale = seen_until.filter(|until| attestation.time < *until);
    let (state, reason) = match (attestation.answer, stale) {
        (Answer::Fail, _) => (GateState::Fail, stated),
        (_, Some(until)) => (
            GateState::CannotTell,
            format!(
                "{stated}; but that was before the last sign of an intruder, {}",
                words::minute(until)
            ),
        ),
        (Answer::Pass, None) => (GateState::Pass, stated),
        (Answer::NotApplicable, None) => (GateState::NotApplicable, stated),
    };
    (state, reason, Some(attestation.clone()))
}

/// Decided by what was seen alone. What the review lists is said beside it: that nobody explained it is no sign of an
/// intruder, as administrators set up services and tasks too.
fn persistence_reviewed(coverage: &Coverage, unaccounted: usize) -> (GateState, String) {
    let listed = match unaccounted {
        0 => String::new(),
        1 => "; the review lists one entry that somebody has to account for".to_owned(),
        count => format!("; the review lists {count} entries that somebody has to account for"),
    };
    if coverage.latest_is_whole() {
        (
            GateState::Pass,
            format!(
                "every place of persistence that the pack names is in the latest collection{listed}"
            ),
        )
    } else {
        (
            GateState::Fail,
            format!(
                "the latest collection does not hold every place of persistence that the pack names{listed}"
            ),
        )
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

/// What ASP.NET compiled of a page answers nobody once the page is gone; the page is a foothold of its own.
pub(crate) fn is_leftover(foothold: &FootholdReport) -> bool {
    foothold.kind == FootholdKind::CompiledShell
        && foothold
            .path
            .to_lowercase()
            .contains("\\temporary asp.net files\\")
}

fn footholds_absent(compromise: &CompromiseJudged, coverage: &Coverage) -> (GateState, String) {
    let of_state = |state: FootholdState| {
        compromise
            .report
            .footholds
            .iter()
            .filter(|foothold| foothold.state == state && !is_leftover(foothold))
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
        return if coverage.latest_is_whole() {
            (
                GateState::NotApplicable,
                "no foothold was ever known, and the latest collection covers every place of one"
                    .to_owned(),
            )
        } else {
            (
                GateState::CannotTell,
                "no foothold is known, which does not mean that there was none".to_owned(),
            )
        };
    }
    (
        GateState::Pass,
        "every known foothold is absent from the latest collection".to_owned(),
    )
}
