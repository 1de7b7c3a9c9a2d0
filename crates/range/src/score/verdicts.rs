//! Verdicts against the truth: which are right, and how wrong the others are.

use super::footholds::footholds_of;
use super::pairs::{Pair, Pairs};
use super::rate::Rate;
use model::report::VerdictName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// So many of a report's reasons stand beside a wrong verdict.
const REASONS_MAX: usize = 3;

/// What a verdict is, held against the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Right,
    /// Not the best word, but one that the truth lets pass.
    Accepted,
    /// It assures what is not so.
    Grave(Grave),
    /// Somebody got in, the evidence shows it, and the report does not say so.
    Missed,
    /// Called compromised or reinfected; nobody ever got in.
    FalseAlarm,
    /// Nobody got in, everything was there to show it, and the report does not say `clear`.
    Hiding,
    Other,
}

/// Ways to assure what is not so, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grave {
    ClearThoughCompromised,
    EvictedThoughNot,
    NotAffectedThoughAffected,
    ClearThoughExposed,
    /// The evidence cannot show that it is clear, though it may be.
    ClearThoughUnproven,
    /// There is nothing that could be clear.
    ClearThoughNotAffected,
}

/// One wrong verdict, with all that it takes to look into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub outcome: Outcome,
    pub host: String,
    pub campaign: String,
    pub scenario: String,
    /// Makes the host anew.
    pub seed: u64,
    /// The right verdict.
    pub truth: String,
    /// Other verdicts that would have passed.
    pub accepted: Vec<String>,
    /// `absent` where the report says nothing.
    pub said: String,
    /// Whether somebody got in, whatever is left to see.
    pub compromised: bool,
    /// Whether the evidence holds, whole, everything that must be seen before anybody says `clear`.
    pub covered: bool,
    /// What was withheld or damaged, in words.
    pub withheld: Vec<String>,
    /// The first of the report's reasons. They hold text from evidence: escape them.
    pub reasons: Vec<String>,
}

/// Which verdicts were said where which were right, for one campaign, and what follows from them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matrix {
    pub campaign: String,
    /// Hosts that the campaign was judged on.
    #[serde(default)]
    pub hosts: u64,
    /// How many of them are of scenarios of the campaign itself.
    #[serde(default)]
    pub of_scenarios: u64,
    #[serde(default)]
    pub grave_errors: u64,
    /// Called compromised or reinfected: those on which somebody got in, or on which the truth accepts that word.
    #[serde(default)]
    pub precision: Rate,
    /// Provably compromised, and nobody evicted: those called compromised or reinfected.
    #[serde(default)]
    pub recall: Rate,
    /// Fully covered clean hosts called clear.
    #[serde(default)]
    pub cleared: Rate,
    /// Footholds said that are ones, and true footholds, with something left, that were found.
    #[serde(default)]
    pub footholds_precision: Rate,
    #[serde(default)]
    pub footholds_recall: Rate,
    /// Without those that are empty; in the order of the report's verdicts.
    pub cells: Vec<Cell>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    pub truth: String,
    pub said: String,
    pub hosts: u64,
    /// How many of them count as right, for the truth accepts that word too.
    pub right: u64,
}

/// How often something was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub said: String,
    pub hosts: u64,
}

/// Verdicts on the hosts of one scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenarioScore {
    pub scenario: String,
    pub verdicts_right: Rate,
    pub grave_errors: u64,
}

/// Holds what was said against the truth.
///
/// An assuring verdict is right only where it is the truth's own: that the truth accepts it beside another would make
/// it no less an assurance.
pub(crate) fn outcome(pair: &Pair<'_>) -> Outcome {
    let (truth, said) = (pair.truth, pair.said_name());
    if said == truth.verdict {
        return Outcome::Right;
    }
    match pair.verdict() {
        Some(verdict) if verdict.assures() => Outcome::Grave(grave(pair, verdict)),
        Some(_) if truth.accepted.iter().any(|word| word == said) => Outcome::Accepted,
        Some(VerdictName::Compromised | VerdictName::Reinfected) if !truth.compromised => {
            Outcome::FalseAlarm
        }
        verdict if pair.provably_compromised() && !verdict.is_some_and(convicts) => Outcome::Missed,
        Some(_) if is_covered_clean(pair) => Outcome::Hiding,
        _ => Outcome::Other,
    }
}

/// Whether a verdict says that somebody is in.
pub(crate) fn convicts(verdict: VerdictName) -> bool {
    matches!(verdict, VerdictName::Compromised | VerdictName::Reinfected)
}

/// Whether the host is clear and the evidence shows it.
pub(crate) fn is_covered_clean(pair: &Pair<'_>) -> bool {
    pair.truth.covered && pair.truth.verdict == VerdictName::Clear.name()
}

impl Outcome {
    pub fn is_right(self) -> bool {
        matches!(self, Self::Right | Self::Accepted)
    }
}

impl Grave {
    /// In words, to stand behind what was said.
    pub fn words(self) -> &'static str {
        match self {
            Self::ClearThoughCompromised => "clear, though somebody got in",
            Self::EvictedThoughNot => "evicted, though that is not so",
            Self::NotAffectedThoughAffected => "not affected, though the product is there",
            Self::ClearThoughExposed => "clear, though still exposed",
            Self::ClearThoughUnproven => "clear, though the evidence cannot show it",
            Self::ClearThoughNotAffected => "clear, though the product is not there",
        }
    }
}

fn grave(pair: &Pair<'_>, said: VerdictName) -> Grave {
    match said {
        VerdictName::Evicted => Grave::EvictedThoughNot,
        VerdictName::NotAffected => Grave::NotAffectedThoughAffected,
        _ if pair.truth.compromised => Grave::ClearThoughCompromised,
        _ if pair.truth.verdict == VerdictName::Exposed.name() => Grave::ClearThoughExposed,
        _ if pair.truth.verdict == VerdictName::NotAffected.name() => Grave::ClearThoughNotAffected,
        _ => Grave::ClearThoughUnproven,
    }
}

/// Every wrong verdict, the worst first, then by host and campaign.
pub(crate) fn differences(pairs: &Pairs<'_>) -> Vec<Difference> {
    let mut differences: Vec<Difference> = pairs
        .all
        .iter()
        .map(|pair| (pair, outcome(pair)))
        .filter(|(_, outcome)| !outcome.is_right())
        .map(|(pair, outcome)| difference(pair, outcome))
        .collect();
    // Stable, so that hosts stay in the order of pairs.
    differences.sort_by_key(|difference| difference.outcome);
    differences
}

fn difference(pair: &Pair<'_>, outcome: Outcome) -> Difference {
    let collections = &pair.host.collections;
    let withheld = collections.iter().flat_map(|collection| {
        let withheld = collection.withheld.iter().map(in_words);
        withheld.chain(collection.damaged.iter().cloned())
    });
    Difference {
        outcome,
        host: pair.host.host.clone(),
        campaign: pair.truth.campaign.clone(),
        scenario: pair.host.scenario.clone(),
        seed: pair.host.seed,
        truth: pair.truth.verdict.clone(),
        accepted: pair.truth.accepted.clone(),
        said: pair.said_name().to_owned(),
        compromised: pair.truth.compromised,
        covered: pair.truth.covered,
        withheld: withheld.collect(),
        reasons: pair.said.map_or_else(Vec::new, |said| {
            said.reasons.iter().take(REASONS_MAX).cloned().collect()
        }),
    }
}

/// As it is written on the command line.
fn in_words(withheld: &crate::Withheld) -> String {
    let mut words = withheld.source.name();
    if let Some(instance) = &withheld.instance {
        words = format!("{words}:{instance}");
    }
    match withheld.span {
        Some((from, until)) => format!("{words}@{from}..{until}"),
        None => words,
    }
}

pub(crate) fn matrices(pairs: &Pairs<'_>) -> Vec<Matrix> {
    let mut campaigns: BTreeMap<&str, Counted<'_>> = BTreeMap::new();
    for pair in &pairs.all {
        let (truth, said) = (pair.truth.verdict.as_str(), pair.said_name());
        let counted = campaigns.entry(&pair.truth.campaign).or_default();
        let cell = counted.entry((rank(truth), truth, rank(said), said));
        cell.or_default().add(outcome(pair).is_right());
    }
    campaigns
        .into_iter()
        .map(|(campaign, counted)| matrix(pairs, campaign, counted))
        .collect()
}

fn matrix(pairs: &Pairs<'_>, campaign: &str, counted: Counted<'_>) -> Matrix {
    let of_campaign = || {
        let pairs = pairs.all.iter();
        pairs.filter(|pair| pair.truth.campaign == campaign)
    };
    let count =
        |is_so: &dyn Fn(&Pair<'_>) -> bool| of_campaign().filter(|pair| is_so(pair)).count() as u64;
    let is_convicted = |pair: &Pair<'_>| pair.verdict().is_some_and(convicts);
    let accused = of_campaign().filter(|pair| is_convicted(pair));
    let victims = of_campaign().filter(|pair| {
        let convicting = [VerdictName::Compromised, VerdictName::Reinfected];
        convicting
            .iter()
            .any(|word| word.name() == pair.truth.verdict)
    });
    let clean = of_campaign().filter(|pair| is_covered_clean(pair));
    let footholds = footholds_of(of_campaign());
    Matrix {
        campaign: campaign.to_owned(),
        hosts: count(&|_| true),
        of_scenarios: count(&|pair| pair.is_of_scenario()),
        grave_errors: count(&|pair| matches!(outcome(pair), Outcome::Grave(_))),
        precision: Rate::count(
            accused.map(|pair| pair.truth.compromised || outcome(pair).is_right()),
        ),
        recall: Rate::count(victims.map(is_convicted)),
        cleared: Rate::count(clean.map(|pair| outcome(pair).is_right())),
        footholds_precision: footholds.precision,
        footholds_recall: footholds.recall,
        cells: counted.into_iter().map(Cell::new).collect(),
    }
}

/// Cells of a matrix by the truth and what was said, each with its rank.
type Counted<'a> = BTreeMap<Place<'a>, Rate>;
type Place<'a> = (usize, &'a str, usize, &'a str);

impl Cell {
    fn new(((_, truth, _, said), rate): (Place<'_>, Rate)) -> Self {
        Self {
            truth: truth.to_owned(),
            said: said.to_owned(),
            hosts: rate.of,
            right: rate.right,
        }
    }
}

/// Verdicts in the order of a report, the most alarming first.
pub(crate) const VERDICTS: [VerdictName; 7] = [
    VerdictName::Compromised,
    VerdictName::Reinfected,
    VerdictName::Evicted,
    VerdictName::Exposed,
    VerdictName::Unproven,
    VerdictName::Clear,
    VerdictName::NotAffected,
];

/// Where a verdict stands in tables; words that are none stand last.
pub(crate) fn rank(verdict: &str) -> usize {
    VERDICTS
        .iter()
        .position(|known| known.name() == verdict)
        .unwrap_or(VERDICTS.len())
}

/// What was said of hosts on which somebody got in and nothing of it is left.
pub(crate) fn unprovable(pairs: &Pairs<'_>) -> Vec<Tally> {
    let mut said: BTreeMap<(usize, &str), u64> = BTreeMap::new();
    let unprovable = |pair: &&Pair<'_>| pair.truth.compromised && !pair.truth.provable;
    for pair in pairs.all.iter().filter(unprovable) {
        *said
            .entry((rank(pair.said_name()), pair.said_name()))
            .or_default() += 1;
    }
    said.into_iter()
        .map(|((_, said), hosts)| Tally {
            said: said.to_owned(),
            hosts,
        })
        .collect()
}

pub(crate) fn scenarios(pairs: &Pairs<'_>) -> Vec<ScenarioScore> {
    let mut scenarios: BTreeMap<&str, (Rate, u64)> = BTreeMap::new();
    for pair in &pairs.all {
        let outcome = outcome(pair);
        let (rate, graves) = scenarios.entry(&pair.host.scenario).or_default();
        rate.add(outcome.is_right());
        *graves += u64::from(matches!(outcome, Outcome::Grave(_)));
    }
    scenarios
        .into_iter()
        .map(|(scenario, (verdicts_right, grave_errors))| ScenarioScore {
            scenario: scenario.to_owned(),
            verdicts_right,
            grave_errors,
        })
        .collect()
}
