//! Calibration of coverage: whether what the report claims to have seen is what was there to see.

use super::pairs::{Pair, Pairs};
use super::rate::Rate;
use super::verdicts::outcome;
use model::report::{NeedReport, Share};
use serde::{Deserialize, Serialize};

/// Lower bounds of the buckets of mean `seen`, in thousandths, the highest first.
const BUCKETS: [u16; 6] = [1_000, 950, 750, 500, 250, 0];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverageScore {
    /// Hosts and campaigns for which the report's "sufficient" is the truth's "covered".
    pub agrees: Rate,
    /// Truly covered hosts for which every need is reported as wholly seen.
    pub covered_seen_whole: Rate,
    /// Hosts not covered for which some need is reported as not wholly seen.
    pub uncovered_seen_in_part: Rate,
    /// Not covered, and the report says that what it saw suffices. The dangerous side.
    pub overconfident: Vec<CoverageWrong>,
    /// Covered, and the report says that it does not suffice.
    pub underconfident: Vec<CoverageWrong>,
    /// By mean `seen` of the needs: how often the host is covered, and the verdict right.
    pub reliability: Vec<Bucket>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverageWrong {
    pub host: String,
    pub campaign: String,
    pub scenario: String,
    /// The needs with the smallest shares, each with its share; empty where all were seen wholly.
    pub not_whole: Vec<NeedSeen>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeedSeen {
    pub need: String,
    pub seen: Share,
}

/// Hosts and campaigns whose needs were, in the mean, seen to a share from `from` up to the bucket before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    pub from: Share,
    pub covered: Rate,
    pub verdicts_right: Rate,
}

/// Looks at hosts for which the report lists needs; one without the product has none.
pub(crate) fn coverage(pairs: &Pairs<'_>) -> CoverageScore {
    let mut score = CoverageScore {
        agrees: Rate::default(),
        covered_seen_whole: Rate::default(),
        uncovered_seen_in_part: Rate::default(),
        overconfident: Vec::new(),
        underconfident: Vec::new(),
        reliability: BUCKETS.map(Bucket::new).to_vec(),
    };
    for pair in &pairs.all {
        let Some(said) = pair.said else { continue };
        let needs = &said.coverage.needs;
        if needs.is_empty() {
            continue;
        }
        let (covered, sufficient) = (pair.truth.covered, said.coverage.sufficient);
        let whole = needs.iter().all(|need| need.seen == Share::WHOLE);
        score.agrees.add(covered == sufficient);
        if covered {
            score.covered_seen_whole.add(whole);
        } else {
            score.uncovered_seen_in_part.add(!whole);
        }
        match (covered, sufficient) {
            (false, true) => score.overconfident.push(CoverageWrong::of(pair, needs)),
            (true, false) => score.underconfident.push(CoverageWrong::of(pair, needs)),
            _ => {}
        }
        let mean = mean(needs);
        let mut buckets = score.reliability.iter_mut();
        if let Some(bucket) = buckets.find(|bucket| bucket.from <= mean) {
            bucket.covered.add(covered);
            bucket.verdicts_right.add(outcome(pair).is_right());
        }
    }
    score
}

/// Rounded down, so that only needs that are all whole have a whole mean.
fn mean(needs: &[NeedReport]) -> Share {
    let seen: u64 = needs
        .iter()
        .map(|need| u64::from(need.seen.thousandths()))
        .sum();
    Share::of(seen, needs.len() as u64 * 1_000)
}

impl Bucket {
    fn new(from: u16) -> Self {
        Self {
            from: Share::of(u64::from(from), 1_000),
            covered: Rate::default(),
            verdicts_right: Rate::default(),
        }
    }
}

impl CoverageWrong {
    fn of(pair: &Pair<'_>, needs: &[NeedReport]) -> Self {
        let mut not_whole: Vec<NeedSeen> = needs
            .iter()
            .filter(|need| need.seen != Share::WHOLE)
            .map(|need| NeedSeen {
                need: need.need.clone(),
                seen: need.seen,
            })
            .collect();
        not_whole.sort_by(|one, other| (one.seen, &one.need).cmp(&(other.seen, &other.need)));
        Self {
            host: pair.host.host.clone(),
            campaign: pair.truth.campaign.clone(),
            scenario: pair.host.scenario.clone(),
            not_whole,
        }
    }
}
