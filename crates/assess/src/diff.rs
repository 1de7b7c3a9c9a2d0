//! What became of a host between two judgements of it.

use model::diff::{CampaignDiff, FootholdDiff, HostDiff, SCHEMA};
use model::report::{CampaignReport, FootholdReport, HostReport};
use model::{Finding, FootholdKind, FootholdState, Gap, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// One judgement of a host: its report, what it speaks of, findings and gaps.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub report: &'a HostReport,
    pub as_of: Option<Timestamp>,
    pub findings: &'a [Finding],
    pub gaps: &'a [Gap],
}

/// Compares two judgements of one host.
pub fn diff(before: Seen<'_>, after: Seen<'_>) -> HostDiff {
    let known: BTreeSet<&str> = ids(before.report).collect();
    let new = ids(after.report).filter(|id| !known.contains(id));
    let (new_findings, gone_findings) =
        apart(before.findings, after.findings, |finding| &finding.id);
    let (new_gaps, closed_gaps) = apart(before.gaps, after.gaps, |gap| gap);
    HostDiff {
        schema: SCHEMA.to_owned(),
        host: after.report.host.clone(),
        from: before.as_of,
        to: after.as_of,
        collections: new.map(str::to_owned).collect(),
        campaigns: campaigns(before.report, after.report),
        new_findings,
        gone_findings,
        new_gaps,
        closed_gaps,
    }
}

fn ids(report: &HostReport) -> impl Iterator<Item = &str> {
    report.collections.iter().map(|known| known.id.as_str())
}

/// What only the later has, and what only the earlier had.
fn apart<'a, T: Clone, K: Ord + ?Sized + 'a>(
    before: &'a [T],
    after: &'a [T],
    key: impl Fn(&'a T) -> &'a K,
) -> (Vec<T>, Vec<T>) {
    let earlier: BTreeSet<&K> = before.iter().map(&key).collect();
    let later: BTreeSet<&K> = after.iter().map(&key).collect();
    let new = after.iter().filter(|one| !earlier.contains(key(one)));
    let gone = before.iter().filter(|one| !later.contains(key(one)));
    (new.cloned().collect(), gone.cloned().collect())
}

fn campaigns(before: &HostReport, after: &HostReport) -> Vec<CampaignDiff> {
    let known: BTreeMap<&str, &CampaignReport> = before
        .campaigns
        .iter()
        .map(|campaign| (campaign.campaign.as_str(), campaign))
        .collect();
    let now = after.campaigns.iter();
    now.map(|now| campaign(known.get(now.campaign.as_str()).copied(), now))
        .collect()
}

fn campaign(was: Option<&CampaignReport>, now: &CampaignReport) -> CampaignDiff {
    let build = |campaign: &CampaignReport| campaign.exposure.build.map(|build| build.to_string());
    let said: BTreeSet<&str> = was
        .iter()
        .flat_map(|was| &was.reasons)
        .map(String::as_str)
        .collect();
    let reasons = now.reasons.iter();
    CampaignDiff {
        campaign: now.campaign.clone(),
        verdict: (was.map(|was| was.verdict), now.verdict),
        stage: (was.map(|was| was.compromise.stage), now.compromise.stage),
        exposure: (was.map(|was| was.exposure.state), now.exposure.state),
        build: (was.and_then(build), build(now)),
        sufficient: (
            was.map(|was| was.coverage.sufficient),
            now.coverage.sufficient,
        ),
        footholds: footholds(was, now),
        reasons: reasons
            .filter(|reason| !said.contains(reason.as_str()))
            .cloned()
            .collect(),
    }
}

fn footholds(was: Option<&CampaignReport>, now: &CampaignReport) -> Vec<FootholdDiff> {
    type States = (Option<FootholdState>, Option<FootholdState>);
    let mut states: BTreeMap<(FootholdKind, String), States> = BTreeMap::new();
    let key = |foothold: &FootholdReport| (foothold.kind, foothold.path.clone());
    for foothold in was.iter().flat_map(|was| &was.compromise.footholds) {
        states.entry(key(foothold)).or_default().0 = Some(foothold.state);
    }
    for foothold in &now.compromise.footholds {
        states.entry(key(foothold)).or_default().1 = Some(foothold.state);
    }
    states
        .into_iter()
        .filter(|(_, (was, now))| was != now)
        .map(|((kind, path), state)| FootholdDiff { kind, path, state })
        .collect()
}
