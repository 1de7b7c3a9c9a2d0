//! Who is who: the truth's hosts and campaigns beside what the report says of them.

use super::stages::STAGES;
use crate::truth::{CampaignTruth, FleetTruth, HostTruth, Step};
use model::report::{CampaignReport, HostReport, Report, VerdictName};
use model::{Finding, Stage};
use std::collections::{BTreeMap, BTreeSet};

/// One campaign on one host of the truth, and what was said of it, if anything was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair<'a> {
    pub(crate) host: &'a HostTruth,
    pub(crate) truth: &'a CampaignTruth,
    pub(crate) said: Option<&'a CampaignReport>,
}

/// Everything that is compared, in an order that does not depend on the order of hosts in either file.
#[derive(Debug)]
pub(crate) struct Pairs<'a> {
    pub(crate) all: Vec<Pair<'a>>,
    /// Hosts of the truth that the report has.
    pub(crate) matched: usize,
    /// Hosts of the truth that the report does not have.
    pub(crate) missing: Vec<String>,
    /// Hosts of the report that the truth does not know.
    pub(crate) unknown: Vec<String>,
    /// Campaigns that the report judges and the truth says nothing of.
    pub(crate) campaigns_not_in_truth: Vec<String>,
    findings: BTreeMap<&'a str, &'a Finding>,
}

impl<'a> Pairs<'a> {
    pub(crate) fn new(report: &'a Report, truth: &'a FleetTruth) -> Self {
        let mut reported: BTreeMap<String, Vec<&HostReport>> = BTreeMap::new();
        for host in &report.hosts {
            reported.entry(key(&host.host)).or_default().push(host);
        }
        for hosts in reported.values_mut() {
            // The last of a name is taken first, below.
            hosts.sort_by_key(|host| std::cmp::Reverse(host.host.to_lowercase()));
        }
        let mut hosts: Vec<&HostTruth> = truth.hosts.iter().collect();
        hosts.sort_by_cached_key(|host| (key(&host.host), host.host.to_lowercase(), host.seed));

        let judged: BTreeSet<String> = report
            .hosts
            .iter()
            .flat_map(|host| &host.campaigns)
            .map(|said| said.campaign.to_lowercase())
            .collect();
        let (mut pairs, mut missing, mut matched) = (Vec::new(), Vec::new(), 0);
        for host in hosts {
            let found = reported.get_mut(&key(&host.host)).and_then(Vec::pop);
            match found {
                Some(_) => matched += 1,
                None => missing.push(host.host.clone()),
            }
            // A pack that was not used is not asked about hosts of other campaigns.
            let is_asked = |pair: &Pair<'_>| {
                pair.is_of_scenario() || judged.contains(&pair.truth.campaign.to_lowercase())
            };
            pairs.extend(of_host(host, found).into_iter().filter(is_asked));
        }
        let mut unknown: Vec<String> = reported
            .into_values()
            .flatten()
            .map(|host| host.host.clone())
            .collect();
        unknown.sort();
        Self {
            all: pairs,
            matched,
            missing,
            unknown,
            campaigns_not_in_truth: campaigns_not_in_truth(report, truth),
            findings: report
                .findings
                .iter()
                .map(|finding| (finding.id.as_str(), finding))
                .collect(),
        }
    }

    /// The findings that speak for a campaign on a host.
    pub(crate) fn findings(&self, said: &CampaignReport) -> impl Iterator<Item = &'a Finding> {
        said.findings
            .iter()
            .filter_map(|id| self.findings.get(id.as_str()).copied())
    }
}

impl Pair<'_> {
    pub(crate) fn verdict(&self) -> Option<VerdictName> {
        self.said.map(|said| said.verdict)
    }

    /// The verdict's name; [`ABSENT`] where the report has none.
    pub(crate) fn said_name(&self) -> &'static str {
        self.verdict().map_or(ABSENT, VerdictName::name)
    }

    /// Whether the campaign is the one that the host's scenario plays in.
    pub(crate) fn is_of_scenario(&self) -> bool {
        let first = self.host.campaigns.first();
        first.is_some_and(|first| first.campaign == self.truth.campaign)
    }

    /// Whether somebody got in by another campaign, and what is left of them may be told here too: nobody has to, and
    /// nobody is wrong to.
    pub(crate) fn is_anothers_intrusion(&self) -> bool {
        let convicts = VerdictName::Compromised.name();
        !self.truth.compromised && self.truth.accepted.iter().any(|word| word == convicts)
    }

    /// Whether somebody got in, and the evidence still shows it.
    pub(crate) fn provably_compromised(&self) -> bool {
        self.truth.compromised && self.truth.provable
    }

    /// Whether something is left of a step. Where nothing left proves that somebody got in, what points to one of the
    /// intruder's steps is a hint at most, and nobody has to see it.
    pub(crate) fn is_left(&self, step: &Step) -> bool {
        let proves = stage(&step.stage).is_some_and(Stage::proves_effect);
        !step.left_in.is_empty() && (self.truth.provable || !proves)
    }
}

/// Stands in tables where the report says nothing of a host or campaign.
pub(crate) const ABSENT: &str = "absent";

/// The stage that a word of the truth names, above `none_seen`.
pub(crate) fn stage(word: &str) -> Option<Stage> {
    STAGES.into_iter().find(|stage| stage.name() == word)
}

/// What names of one host have in common: neither case nor domain counts. An address has no domain.
pub(crate) fn key(host: &str) -> String {
    let host = host.trim().to_lowercase();
    let address = host.chars().all(|c| c.is_ascii_digit() || c == '.');
    match host.split_once('.') {
        Some((name, _)) if !address && !name.is_empty() => name.to_owned(),
        _ => host,
    }
}

fn of_host<'a>(host: &'a HostTruth, found: Option<&'a HostReport>) -> Vec<Pair<'a>> {
    let mut pairs: Vec<Pair<'_>> = host
        .campaigns
        .iter()
        .map(|truth| Pair {
            host,
            truth,
            said: found.and_then(|found| {
                let mut campaigns = found.campaigns.iter();
                campaigns.find(|said| said.campaign.eq_ignore_ascii_case(&truth.campaign))
            }),
        })
        .collect();
    pairs.sort_by(|one, other| one.truth.campaign.cmp(&other.truth.campaign));
    pairs
}

fn campaigns_not_in_truth(report: &Report, truth: &FleetTruth) -> Vec<String> {
    let known = |campaign: &str| {
        let mut campaigns = truth.hosts.iter().flat_map(|host| &host.campaigns);
        campaigns.any(|told| told.campaign.eq_ignore_ascii_case(campaign))
    };
    let mut campaigns: Vec<String> = report
        .hosts
        .iter()
        .flat_map(|host| &host.campaigns)
        .map(|said| said.campaign.clone())
        .collect();
    campaigns.sort();
    campaigns.dedup();
    campaigns.retain(|campaign| !known(campaign));
    campaigns
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn neither_case_nor_domain_counts_in_a_name() {
        assert_eq!(key("EX01.corp.example"), key(" ex01"));
        assert_eq!(key("192.0.2.10"), "192.0.2.10");
        assert_eq!(key(".hidden"), ".hidden");
    }
}
