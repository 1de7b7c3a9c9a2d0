//! Scores a report against the truth.
//!
//! [`score`] compares, and only counts: it judges no evidence and knows no campaign. [`text`] renders a score for a
//! terminal, [`Thresholds`] remember the last good one. What each number counts stands beside it, in
//! [`Headline::counts`] and in `docs/schema/score-1.md`.
//!
//! Grave errors stand first. A verdict that assures somebody (`clear`, `evicted`, `not_affected`) and is not the truth's
//! own is grave, whatever else is right: it ends the search for an intruder who is there.

mod coverage;
mod footholds;
mod pairs;
mod rate;
mod stages;
mod text;
mod thresholds;
mod times;
mod verdicts;

pub use coverage::{Bucket, CoverageScore, CoverageWrong, NeedSeen};
pub use footholds::{FootholdScore, FootholdSeen};
pub use rate::{Rate, Spread};
pub use stages::{StageCount, StageScore};
pub(crate) use text::Page;
pub use text::text;
pub(crate) use thresholds::percent;
pub use thresholds::{Regression, Thresholds, compare, raise};
pub use times::{
    DAYS_TOLERANCE, DateScore, ExposureScore, PATCH_TOLERANCE_SECONDS, SPAN_SECONDS_MAX,
    STEP_DATED_SECONDS, STEP_TOLERANCE_SECONDS, StateWrong, StepCount, StoryScore, TimeScore,
};
pub use verdicts::{Cell, Difference, Grave, Matrix, Outcome, ScenarioScore, Tally};

pub(crate) use pairs::key as host_key;

use crate::truth::FleetTruth;
use model::report::{Report, VerdictName};
use pairs::Pairs;
use serde::{Deserialize, Serialize};

/// The value of [`Score::schema`].
pub const SCHEMA: &str = "allclear/range-score/1";

/// A report held against the truth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    pub schema: String,
    pub hosts: Hosts,
    /// The numbers that thresholds are about.
    pub headlines: Vec<Headline>,
    pub grave_errors: Vec<Difference>,
    pub missed: Vec<Difference>,
    pub false_alarms: Vec<Difference>,
    pub hiding: Vec<Difference>,
    /// All other wrong verdicts.
    pub others: Vec<Difference>,
    /// Verdicts that are not the best word but one that the truth lets pass.
    pub accepted: u64,
    /// What was said of hosts on which somebody got in and nothing of it is left in the evidence.
    pub unprovable: Vec<Tally>,
    pub campaigns: Vec<Matrix>,
    pub scenarios: Vec<ScenarioScore>,
    /// Absent where what is scored does not speak of stages (a team's answers).
    pub stages: Option<StageScore>,
    pub footholds: FootholdScore,
    /// Absent where what is scored tells no story.
    pub story: Option<StoryScore>,
    pub dates: DateScore,
    /// Absent where what is scored does not speak of exposure.
    pub exposure: Option<ExposureScore>,
    /// Absent where what is scored does not speak of coverage.
    pub coverage: Option<CoverageScore>,
}

/// Which hosts were compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosts {
    pub in_truth: u64,
    pub in_report: u64,
    pub matched: u64,
    /// One for each host and campaign of the truth.
    pub verdicts: u64,
    /// In the truth only.
    pub missing: Vec<String>,
    /// In the report only; names are text from evidence.
    pub unknown: Vec<String>,
    /// Campaigns that the report judges and the truth says nothing of; they are not scored.
    pub campaigns_not_in_truth: Vec<String>,
}

/// One number that must not fall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headline {
    pub name: String,
    /// What is counted, of what.
    pub counts: String,
    pub rate: Rate,
}

/// What the thing that is scored speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// Everything that a report holds.
    OfAll,
    /// Verdicts, footholds without their states, the first effect, the patch.
    OfAnswers,
}

/// Holds a report against the truth. The order of hosts in either does not matter.
///
/// Hosts are the same whose names are, case and domain ignored. Verdicts that the truth accepts count as right, but an
/// assuring one only if it is the truth's own.
pub fn score(report: &Report, truth: &FleetTruth) -> Score {
    score_part(report, truth, Speaks::OfAll)
}

/// Scores only what the thing scored speaks of.
pub(crate) fn score_part(report: &Report, truth: &FleetTruth, speaks: Speaks) -> Score {
    let pairs = Pairs::new(report, truth);
    let all = (speaks == Speaks::OfAll).then_some(&pairs);
    let mut score = Score {
        schema: SCHEMA.to_owned(),
        hosts: hosts(&pairs, report, truth),
        headlines: Vec::new(),
        grave_errors: Vec::new(),
        missed: Vec::new(),
        false_alarms: Vec::new(),
        hiding: Vec::new(),
        others: Vec::new(),
        accepted: pairs
            .all
            .iter()
            .filter(|pair| verdicts::outcome(pair) == Outcome::Accepted)
            .count() as u64,
        unprovable: verdicts::unprovable(&pairs),
        campaigns: verdicts::matrices(&pairs),
        scenarios: verdicts::scenarios(&pairs),
        stages: all.map(stages::stages),
        footholds: footholds::footholds(&pairs),
        story: all.map(times::story),
        dates: times::dates(&pairs),
        exposure: all.map(times::exposure),
        coverage: all.map(coverage::coverage),
    };
    for difference in verdicts::differences(&pairs) {
        match difference.outcome {
            Outcome::Grave(_) => score.grave_errors.push(difference),
            Outcome::Missed => score.missed.push(difference),
            Outcome::FalseAlarm => score.false_alarms.push(difference),
            Outcome::Hiding => score.hiding.push(difference),
            Outcome::Other | Outcome::Right | Outcome::Accepted => score.others.push(difference),
        }
    }
    score.headlines = headlines(&pairs, &score);
    score
}

impl Score {
    /// The number of that name.
    pub fn headline(&self, name: &str) -> Option<Rate> {
        let mut headlines = self.headlines.iter();
        headlines
            .find(|headline| headline.name == name)
            .map(|headline| headline.rate)
    }
}

fn hosts(pairs: &Pairs<'_>, report: &Report, truth: &FleetTruth) -> Hosts {
    Hosts {
        in_truth: truth.hosts.len() as u64,
        in_report: report.hosts.len() as u64,
        matched: pairs.matched as u64,
        verdicts: pairs.all.len() as u64,
        missing: pairs.missing.clone(),
        unknown: pairs.unknown.clone(),
        campaigns_not_in_truth: pairs.campaigns_not_in_truth.clone(),
    }
}

fn headlines(pairs: &Pairs<'_>, score: &Score) -> Vec<Headline> {
    let mut headlines = of_verdicts(pairs);
    if score.story.is_none() {
        // A team is scored on the rows that it answered, so all of them are there.
        headlines.retain(|headline| headline.name != "hosts_reported");
    }
    let mut add = |name, counts, rate| headlines.push(headline(name, counts, rate));
    if let Some(stages) = &score.stages {
        add(
            "headline_stage_right",
            "verdicts whose highest stage is right",
            stages.headline,
        );
        add(
            "stages_precision",
            "stages said that were reached",
            stages.precision,
        );
        add(
            "stages_recall",
            "stages reached, with something left, that were said",
            stages.recall,
        );
    }
    let footholds = &score.footholds;
    add(
        "footholds_precision",
        "footholds said that are ones",
        footholds.precision,
    );
    add(
        "footholds_recall",
        "footholds, with something left, that were found",
        footholds.recall,
    );
    if score.story.is_some() {
        add(
            "foothold_states_right",
            "footholds found whose state is right",
            footholds.states,
        );
    }
    if let Some(story) = &score.story {
        add(
            "steps_found",
            "steps of effect, with something left, found within 2 minutes",
            story.found,
        );
        add(
            "steps_dated",
            "steps of effect found, dated to within 2 seconds",
            story.dated,
        );
    }
    let dates = &score.dates;
    add(
        "first_dated",
        "first effects dated to within 2 minutes",
        dates.first.right,
    );
    if score.story.is_some() {
        add(
            "last_dated",
            "last effects dated to within 2 minutes",
            dates.last.right,
        );
    }
    add(
        "patch_dated",
        "patches dated to within 12 hours",
        dates.patched.right,
    );
    add(
        "days_before_patch_right",
        "days from first effect to patch, to within a day",
        dates.days_before_patch,
    );
    if let Some(exposure) = &score.exposure {
        add(
            "exposure_right",
            "verdicts whose state of exposure is right",
            exposure.states,
        );
    }
    if let Some(coverage) = &score.coverage {
        add(
            "coverage_right",
            "verdicts whose coverage is rightly called sufficient or not",
            coverage.agrees,
        );
    }
    headlines
}

fn of_verdicts(pairs: &Pairs<'_>) -> Vec<Headline> {
    let matched = Rate::of(pairs.matched, pairs.matched + pairs.missing.len());
    let pairs = &pairs.all;
    let is_right = |pair: &&pairs::Pair<'_>| verdicts::outcome(pair).is_right();
    let said =
        |pair: &pairs::Pair<'_>, what: fn(VerdictName) -> bool| pair.verdict().is_some_and(what);
    let judged = Rate::count(pairs.iter().map(|pair| is_right(&pair)));
    let assured = pairs.iter().filter(|pair| said(pair, VerdictName::assures));
    let assured = Rate::count(assured.map(|pair| is_right(&pair)));
    let victims = pairs.iter().filter(|pair| pair.provably_compromised());
    let victims = victims.map(|pair| is_right(&pair) || said(pair, verdicts::convicts));
    let clean = pairs.iter().filter(|pair| verdicts::is_covered_clean(pair));
    let clean = Rate::count(clean.map(|pair| is_right(&pair)));
    let untouched = pairs
        .iter()
        .filter(|pair| !pair.truth.compromised && !pair.is_anothers_intrusion());
    let accused = |pair: &pairs::Pair<'_>| said(pair, verdicts::convicts);
    let untouched = Rate::count(untouched.map(|pair| !accused(pair)));
    vec![
        headline(
            "hosts_reported",
            "hosts of the truth that the report has",
            matched,
        ),
        headline(
            "verdicts_right",
            "verdicts that are right or accepted",
            judged,
        ),
        headline(
            "assurances_right",
            "clear, evicted, not affected: those that are so",
            assured,
        ),
        headline(
            "compromised_found",
            "compromised hosts, with something left, called so",
            Rate::count(victims),
        ),
        headline(
            "clean_called_clear",
            "fully covered clean hosts called clear",
            clean,
        ),
        headline(
            "untouched_not_accused",
            "never compromised hosts not called compromised",
            untouched,
        ),
    ]
}

fn headline(name: &str, counts: &str, rate: Rate) -> Headline {
    Headline {
        name: name.to_owned(),
        counts: counts.to_owned(),
        rate,
    }
}
