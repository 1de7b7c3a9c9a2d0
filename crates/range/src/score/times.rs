//! Times against the truth: the steps of the story, the first and last effect, the patch.

use super::pairs::{ABSENT, Pair, Pairs, stage};
use super::rate::{Rate, Spread};
use super::stages::STAGES;
use crate::truth::{HostTruth, Step};
use jiff::Timestamp;
use model::Stage;
use model::report::{CampaignReport, ExposureState, VerdictName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A step counts as found where the report has an entry of its stage so near to it. Logs of one request are written at its
/// beginning, at its end, or by the next second or minute, so this is wider than any of them.
pub const STEP_TOLERANCE_SECONDS: i64 = 120;

/// A found step counts as dated where the entry is so near: what rounding to whole seconds on both sides leaves.
pub const STEP_DATED_SECONDS: i64 = 2;

/// An entry that sums up records over a longer span than this dates its two ends, but nothing between them.
pub const SPAN_SECONDS_MAX: i64 = 3_600;

/// A patch counts as dated where the report's time is so near: an update takes hours, and a server may be idle after it.
pub const PATCH_TOLERANCE_SECONDS: i64 = 12 * 3_600;

/// "Exploited so many days before it was patched" counts as right where it is off by no more than this.
pub const DAYS_TOLERANCE: i64 = 1;

const DAY_SECONDS: i64 = 86_400;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoryScore {
    /// Steps that prove an effect and of which something is left: found, of all.
    pub found: Rate,
    /// Found steps dated to within two seconds, of found ones.
    pub dated: Rate,
    pub stages: Vec<StepCount>,
    /// Between each found step and the nearest entry of its stage.
    pub error: Spread,
}

/// The steps of one stage over all hosts and campaigns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCount {
    pub stage: Stage,
    /// Found, of steps of which something is left.
    pub found: Rate,
    /// Not found, but an entry of another stage stands in its place.
    pub found_as_other_stage: u64,
    /// Nothing of it is left in the evidence; not counted above.
    pub left_nothing: u64,
}

/// One time for each host and campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeScore {
    /// Dated to within the tolerance, of those that can be dated.
    pub right: Rate,
    /// The report gives no time.
    pub not_said: u64,
    /// Between what the report says and the truth, where it says anything.
    pub error: Spread,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DateScore {
    /// The first step that proves an effect and of which something is left; two minutes are tolerated.
    pub first: TimeScore,
    /// The last such step.
    pub last: TimeScore,
    /// Hosts and campaigns on which something had happened before that, of which nothing is left.
    pub first_left_nothing: u64,
    /// When the server ran a fixed build again; twelve hours are tolerated.
    pub patched: TimeScore,
    /// "Exploited so many days before it was patched", where both are so; a day is tolerated.
    pub days_before_patch: Rate,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExposureScore {
    /// Hosts and campaigns whose state when the evidence was taken is right.
    pub states: Rate,
    pub wrong: Vec<StateWrong>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StateWrong {
    pub host: String,
    pub campaign: String,
    pub scenario: String,
    pub truth: ExposureState,
    /// `absent` where the report says nothing.
    pub said: String,
}

pub(crate) fn story(pairs: &Pairs<'_>) -> StoryScore {
    let mut counts: BTreeMap<Stage, StepCount> = STAGES
        .into_iter()
        .map(|stage| (stage, StepCount::new(stage)))
        .collect();
    let (mut found, mut dated, mut errors) = (Rate::default(), Rate::default(), Vec::new());
    for pair in &pairs.all {
        let entries = Entries::of(pairs, pair);
        for step in &pair.truth.story {
            // Acts of administrators and of the server itself have no stage.
            let Some(stage) = stage(&step.stage) else {
                continue;
            };
            let Some(count) = counts.get_mut(&stage) else {
                continue;
            };
            if !pair.is_left(step) {
                count.left_nothing += 1;
                continue;
            }
            let error = entries.error(Some(stage), step.time);
            count.found.add(error.is_some());
            if stage.proves_effect() {
                found.add(error.is_some());
            }
            match error {
                Some(error) if stage.proves_effect() => {
                    dated.add(error <= milliseconds(STEP_DATED_SECONDS));
                    errors.push(error);
                }
                None if entries.error(None, step.time).is_some() => {
                    count.found_as_other_stage += 1;
                }
                _ => {}
            }
        }
    }
    StoryScore {
        found,
        dated,
        stages: counts.into_values().collect(),
        error: Spread::of(errors),
    }
}

impl StepCount {
    fn new(stage: Stage) -> Self {
        Self {
            stage,
            found: Rate::default(),
            found_as_other_stage: 0,
            left_nothing: 0,
        }
    }
}

/// What a report dates on one host: steps of the story, and findings.
struct Entries(Vec<(Stage, Timestamp, Timestamp)>);

impl Entries {
    fn of(pairs: &Pairs<'_>, pair: &Pair<'_>) -> Self {
        let Some(said) = pair.said else {
            return Self(Vec::new());
        };
        let steps = said.compromise.story.iter();
        let steps = steps.map(|step| (Some(step.stage), step.time, step.until));
        let findings = pairs.findings(said);
        let findings = findings.map(|finding| (finding.stage, finding.time, finding.last));
        let mut entries = Vec::new();
        for (stage, from, until) in steps.chain(findings) {
            let (Some(stage), Some(from)) = (stage, from) else {
                continue;
            };
            let until = until.unwrap_or(from).max(from);
            if seconds_between(from, until) <= SPAN_SECONDS_MAX {
                entries.push((stage, from, until));
            } else {
                entries.extend([(stage, from, from), (stage, until, until)]);
            }
        }
        Self(entries)
    }

    /// Milliseconds to the nearest entry of the stage (of any stage), if one lies within the tolerance.
    fn error(&self, stage: Option<Stage>, time: Timestamp) -> Option<u64> {
        self.0
            .iter()
            .filter(|(entry, _, _)| stage.is_none_or(|stage| *entry == stage))
            .map(|(_, from, until)| {
                let (time, from, until) = (
                    time.as_millisecond(),
                    from.as_millisecond(),
                    until.as_millisecond(),
                );
                time.abs_diff(time.clamp(from, until))
            })
            .min()
            .filter(|error| *error <= milliseconds(STEP_TOLERANCE_SECONDS))
    }
}

pub(crate) fn dates(pairs: &Pairs<'_>) -> DateScore {
    let (mut first, mut last, mut patch) = (Times::default(), Times::default(), Times::default());
    let mut days_before_patch = Rate::default();
    let mut first_left_nothing = 0;
    for pair in &pairs.all {
        let compromise = pair.said.map(|said| &said.compromise);
        let (truly_first, truly_last) = provable_span(pair);
        let said_first = compromise.and_then(|compromise| compromise.first);
        first.add(truly_first, said_first, STEP_TOLERANCE_SECONDS);
        let said_last = compromise.and_then(|compromise| compromise.last);
        last.add(truly_last, said_last, STEP_TOLERANCE_SECONDS);
        if let (Some(first), Some(provable)) = (pair.truth.first, truly_first) {
            first_left_nothing += u64::from(first < provable);
        }
        // The host's update is that of its scenario's campaign.
        let is_patched = pair.is_of_scenario() && is_patched(pair.host);
        let truly_patched = pair.host.patched.filter(|_| is_patched);
        let said_patched = pair.said.and_then(patched);
        patch.add(truly_patched, said_patched, PATCH_TOLERANCE_SECONDS);
        if let (Some(first), Some(patched)) = (truly_first, truly_patched)
            && first < patched
        {
            let said = said_first.zip(said_patched);
            let said = said.map(|(first, patched)| days_between(first, patched));
            let right = |said: i64| (said - days_between(first, patched)).abs() <= DAYS_TOLERANCE;
            days_before_patch.add(said.is_some_and(right));
        }
    }
    DateScore {
        first: first.score(),
        last: last.score(),
        first_left_nothing,
        patched: patch.score(),
        days_before_patch,
    }
}

/// Gathers one kind of time over all hosts.
#[derive(Default)]
struct Times {
    score: TimeScore,
    errors: Vec<u64>,
}

impl Times {
    fn add(&mut self, truth: Option<Timestamp>, said: Option<Timestamp>, tolerance_seconds: i64) {
        let Some(truth) = truth else { return };
        let Some(said) = said else {
            self.score.not_said += 1;
            self.score.right.add(false);
            return;
        };
        let error = truth.as_millisecond().abs_diff(said.as_millisecond());
        self.score
            .right
            .add(error <= milliseconds(tolerance_seconds));
        self.errors.push(error);
    }

    fn score(self) -> TimeScore {
        TimeScore {
            error: Spread::of(self.errors),
            ..self.score
        }
    }
}

/// The first and the last step that proves an effect and of which something is left.
fn provable_span(pair: &Pair<'_>) -> (Option<Timestamp>, Option<Timestamp>) {
    let proves =
        |step: &&Step| pair.is_left(step) && stage(&step.stage).is_some_and(Stage::proves_effect);
    let times = || {
        let story = pair.truth.story.iter();
        story.filter(proves).map(|step| step.time)
    };
    (times().min(), times().max())
}

/// Since when the report says that a fixed build ran up to the end; nothing where it does not say so, or not since when.
fn patched(said: &CampaignReport) -> Option<Timestamp> {
    let spans = said.exposure.spans.iter().rev();
    let fixed = spans.take_while(|span| span.state == ExposureState::Patched);
    fixed.last()?.from
}

pub(crate) fn exposure(pairs: &Pairs<'_>) -> ExposureScore {
    let mut score = ExposureScore {
        states: Rate::default(),
        wrong: Vec::new(),
    };
    for pair in &pairs.all {
        let truth = true_state(pair);
        let said = pair.said.map(|said| said.exposure.state);
        let right = said.is_some_and(|said| is_same_state(truth, said));
        score.states.add(right);
        if !right {
            score.wrong.push(StateWrong {
                host: pair.host.host.clone(),
                campaign: pair.truth.campaign.clone(),
                scenario: pair.host.scenario.clone(),
                truth,
                said: said.map_or(ABSENT, ExposureState::name).to_owned(),
            });
        }
    }
    score.wrong.sort();
    score
}

/// What a right report says of the server's state when the last evidence was taken.
fn true_state(pair: &Pair<'_>) -> ExposureState {
    const STATES: [ExposureState; 4] = [
        ExposureState::NotAffected,
        ExposureState::Vulnerable,
        ExposureState::Patched,
        ExposureState::Unknown,
    ];
    let (host, truth) = (pair.host, pair.truth);
    let told = STATES
        .into_iter()
        .find(|state| state.name() == truth.exposure);
    if let Some(state) = told {
        return state;
    }
    // A truth of old, which tells no state.
    if host.install.is_none() || truth.verdict == VerdictName::NotAffected.name() {
        return ExposureState::NotAffected;
    }
    if is_patched(host) {
        return ExposureState::Patched;
    }
    // Never patched and never vulnerable: the server was built with the fix.
    if truth.exposed.is_empty() && truth.verdict != VerdictName::Exposed.name() {
        ExposureState::Patched
    } else {
        ExposureState::Vulnerable
    }
}

/// The truth does not tell a server that is only mitigated from a vulnerable one: both are exposed.
fn is_same_state(truth: ExposureState, said: ExposureState) -> bool {
    let mitigated = (ExposureState::Vulnerable, ExposureState::Mitigated);
    truth == said || (truth, said) == mitigated
}

/// Whether the update was in place when the last evidence was taken.
fn is_patched(host: &HostTruth) -> bool {
    let Some(patched) = host.patched else {
        return false;
    };
    last_taken(host).is_none_or(|taken| patched <= taken)
}

fn last_taken(host: &HostTruth) -> Option<Timestamp> {
    host.collections
        .iter()
        .map(|collection| collection.taken)
        .max()
}

fn days_between(first: Timestamp, patched: Timestamp) -> i64 {
    seconds_between(first, patched).div_euclid(DAY_SECONDS)
}

/// Timestamps lie within some ten thousand years, so this cannot overflow.
fn seconds_between(from: Timestamp, until: Timestamp) -> i64 {
    until.as_second() - from.as_second()
}

fn milliseconds(seconds: i64) -> u64 {
    seconds.unsigned_abs() * 1_000
}
