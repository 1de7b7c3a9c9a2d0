//! What an earlier collection had proven: an eviction that was accepted then, and what became of it.

use crate::compromise::CompromiseJudged;
use crate::verdict::Verdict;
use crate::{Knowledge, judge, speaks_for, words};
use model::report::{AcceptedEviction, AcceptedState, Reason};
use model::{Finding, FootholdState, Observed, Place, Timestamp};
use pack::Pack;
use std::collections::BTreeSet;

/// The last eviction that was proven before the latest collection, and what later evidence says against it.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// When the last thing that it rests on was seen or stated.
    at: Timestamp,
    collection: String,
    /// Effects that came after it, with their places.
    after: Vec<(String, Place)>,
    /// Effects that were there before it, and that it did not know of.
    missed: Vec<(String, Place)>,
}

/// Looks for the last accepted eviction among what was known at each earlier collection.
///
/// Only statements made before the next collection was taken count for it.
pub(crate) fn history(
    pack: &Pack,
    knowledge: &Knowledge<'_>,
    observed: &Observed,
    compromise: &CompromiseJudged,
) -> Option<History> {
    if !compromise.report.stage.proves_effect() {
        return None;
    }
    let next = observed
        .collections
        .iter()
        .skip(1)
        .map(|collection| collection.taken);
    let (then, at) = observed
        .earlier
        .iter()
        .zip(next)
        .rev()
        .find_map(|(earlier, next)| accepted(pack, knowledge, observed, earlier, next?))?;
    let knew: BTreeSet<Trace<'_>> = then.findings.iter().map(trace).collect();
    let last = then.collections.last()?;
    let (mut after, mut missed) = (Vec::new(), Vec::new());
    let new_effects = observed
        .findings
        .iter()
        .filter(|finding| speaks_for(finding, pack) && !knew.contains(&trace(finding)))
        .filter(|finding| finding.stage.is_some_and(model::Stage::proves_effect));
    for finding in new_effects {
        let told = (finding.title.clone(), finding.place.clone());
        match when(finding, at, compromise) {
            When::After => after.push(told),
            When::Before => missed.push(told),
            When::Known => {}
        }
    }
    Some(History {
        at,
        collection: last.id.clone(),
        after,
        missed,
    })
}

/// What a finding is about, wherever it was collected: a log that is taken twice shows the same thing twice.
type Trace<'a> = (&'a str, Option<Timestamp>, Option<&'a str>, Option<&'a str>);

fn trace(finding: &Finding) -> Trace<'_> {
    let undated = finding.time.is_none();
    (
        &finding.rule,
        finding.time,
        undated.then_some(finding.place.item.as_str()),
        finding
            .foothold
            .as_ref()
            .map(|foothold| foothold.path.as_str()),
    )
}

/// The host as of an earlier collection and when its eviction was accepted, if it was.
fn accepted(
    pack: &Pack,
    knowledge: &Knowledge<'_>,
    observed: &Observed,
    earlier: &Observed,
    next: Timestamp,
) -> Option<(Observed, Timestamp)> {
    let taken = earlier.collections.last()?.taken?;
    let mut then = earlier.clone();
    then.attestations = observed
        .attestations
        .iter()
        .filter(|attestation| attestation.time < next)
        .cloned()
        .collect();
    let judged = judge(pack, knowledge, &then);
    if !matches!(judged.verdict, Verdict::Evicted(_)) {
        return None;
    }
    let at = judged
        .eviction
        .attested_at()
        .map_or(taken, |stated| stated.max(taken));
    Some((then, at))
}

/// Where a newly seen effect stands against an accepted eviction.
enum When {
    After,
    Before,
    /// It is another trace of something that the eviction knew of and that is gone.
    Known,
}

fn when(finding: &Finding, at: Timestamp, compromise: &CompromiseJudged) -> When {
    if let Some(time) = finding.last.or(finding.time) {
        return if time > at {
            When::After
        } else if is_gone(finding, compromise) {
            When::Known
        } else {
            When::Before
        };
    }
    // Undated: the accepted eviction rests on a collection that covers every place of a foothold, so what it did not
    // hold there and the latest does came in between.
    let present = finding
        .foothold
        .as_ref()
        .is_some_and(|foothold| foothold.state == FootholdState::Present);
    match (present, is_gone(finding, compromise)) {
        (true, _) => When::After,
        (false, true) => When::Known,
        (false, false) => When::Before,
    }
}

/// Whether the finding belongs to a foothold that is verified absent.
fn is_gone(finding: &Finding, compromise: &CompromiseJudged) -> bool {
    compromise.report.footholds.iter().any(|foothold| {
        foothold.state == FootholdState::AbsentVerified && foothold.findings.contains(&finding.id)
    })
}

impl History {
    /// The verdict in the light of the accepted eviction.
    pub(crate) fn verdict(&self, verdict: Verdict) -> Verdict {
        if verdict == Verdict::Compromised && !self.after.is_empty() {
            Verdict::Reinfected
        } else {
            verdict
        }
    }

    fn state(&self, verdict: Verdict) -> AcceptedState {
        match verdict {
            Verdict::Reinfected => AcceptedState::Reinfected,
            Verdict::Evicted(_) => AcceptedState::Holds,
            _ if !self.missed.is_empty() => AcceptedState::Revoked,
            _ => AcceptedState::NotShown,
        }
    }

    pub(crate) fn report(&self, verdict: Verdict) -> AcceptedEviction {
        AcceptedEviction {
            at: self.at,
            collection: self.collection.clone(),
            state: self.state(verdict),
        }
    }

    /// What became of the accepted eviction, as a reason.
    pub(crate) fn reason(&self, verdict: Verdict) -> Reason {
        let at = words::minute(self.at);
        let (text, shown) = match self.state(verdict) {
            AcceptedState::Reinfected => (
                format!("an eviction had been accepted as of {at}; somebody came in after it"),
                &self.after,
            ),
            AcceptedState::Revoked => (
                format!(
                    "the eviction accepted as of {at} is revoked: it had missed what was there before"
                ),
                &self.missed,
            ),
            AcceptedState::NotShown => (
                format!(
                    "an eviction had been accepted as of {at}; the latest collection and statements do not show it again"
                ),
                &self.missed,
            ),
            AcceptedState::Holds => (
                format!("the eviction accepted as of {at} still holds"),
                &self.missed,
            ),
        };
        let example = shown
            .first()
            .map_or_else(String::new, |(title, _)| format!(", for example: {title}"));
        Reason {
            text: format!("{text}{example}"),
            places: shown
                .iter()
                .take(words::PLACES_MAX)
                .map(|(_, place)| place.clone())
                .collect(),
        }
    }
}
