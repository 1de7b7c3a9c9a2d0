//! What every format shows of a report, in which order: the arrangement without the look.

use jiff::Timestamp;
use model::report::{
    CampaignReport, CollectionReport, ExposureSpan, HostReport, NextStep, Reason, Report, Share,
    StoryStep, VerdictName,
};
use model::{Accounting, Finding, Gap, Stage};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Two steps this far apart have the time between them told.
const PAUSE_SECONDS_MIN: i64 = 12 * 3600;

/// One host judged for one campaign.
#[derive(Clone, Copy)]
pub(crate) struct Judged<'a> {
    pub(crate) host: &'a HostReport,
    pub(crate) campaign: &'a CampaignReport,
}

/// Every host and campaign, those first that need someone first.
pub(crate) fn worst_first(report: &Report) -> Vec<Judged<'_>> {
    let mut judged: Vec<Judged<'_>> = report
        .hosts
        .iter()
        .flat_map(|host| {
            let campaigns = host.campaigns.iter();
            campaigns.map(move |campaign| Judged { host, campaign })
        })
        .collect();
    judged.sort_by_key(|one| {
        (
            urgency(one.campaign.verdict),
            Reverse(one.campaign.compromise.stage),
            &one.host.host,
            &one.campaign.campaign,
        )
    });
    judged
}

/// Whether this is the first entry of its host in the order shown: what is said of a host as a whole stands there.
pub(crate) fn is_first_of_host(judged: &[Judged<'_>], index: usize) -> bool {
    let Some(one) = judged.get(index) else {
        return false;
    };
    !judged
        .iter()
        .take(index)
        .any(|earlier| std::ptr::eq(earlier.host, one.host))
}

/// Whether a review says anything: nothing was looked at in reports of older versions.
pub(crate) fn has_review(host: &HostReport) -> bool {
    !host.persistence.coverage.is_empty() || !host.persistence.entries.is_empty()
}

/// Hosts that no campaign judged, because no pack was used.
pub(crate) fn unjudged(report: &Report) -> Vec<&HostReport> {
    let hosts = report.hosts.iter();
    hosts.filter(|host| host.campaigns.is_empty()).collect()
}

/// How many hosts and campaigns have each verdict, the most urgent first.
pub(crate) fn tally(judged: &[Judged<'_>]) -> Vec<(VerdictName, usize)> {
    let mut counts: BTreeMap<(u8, VerdictName), usize> = BTreeMap::new();
    for one in judged {
        let verdict = one.campaign.verdict;
        *counts.entry((urgency(verdict), verdict)).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|((_, verdict), count)| (verdict, count))
        .collect()
}

/// The campaign's name, where every row has the same; so that nobody reads it a hundred times.
pub(crate) fn only_campaign<'a>(judged: &[Judged<'a>]) -> Option<&'a str> {
    let first = judged.first()?.campaign.campaign.as_str();
    let same = judged.iter().all(|one| one.campaign.campaign == first);
    same.then_some(first)
}

/// Whether anything at all could be read.
pub(crate) fn nothing_examined(total: &Accounting) -> bool {
    total.items == 0
}

/// All items of one host.
pub(crate) fn host_accounting(host: &HostReport) -> Accounting {
    let mut total = Accounting::default();
    let mut rejected: BTreeMap<&str, u64> = BTreeMap::new();
    for part in host
        .collections
        .iter()
        .map(|collection| &collection.accounting)
    {
        total.items = total.items.saturating_add(part.items);
        total.bytes = total.bytes.saturating_add(part.bytes);
        total.records_in = total.records_in.saturating_add(part.records_in);
        total.events = total.events.saturating_add(part.events);
        for one in &part.rejected {
            let count = rejected.entry(&one.reason).or_default();
            *count = count.saturating_add(one.count);
        }
    }
    total.rejected = rejected
        .into_iter()
        .map(|(reason, count)| model::Rejected {
            reason: reason.to_owned(),
            count,
        })
        .collect();
    total
}

/// The reasons with the places they rest on; the plain sentences where places are not given.
pub(crate) fn reasons(campaign: &CampaignReport) -> Vec<Reason> {
    let mut reasons = campaign.grounds.clone();
    let told: BTreeSet<&str> = campaign
        .grounds
        .iter()
        .map(|one| one.text.as_str())
        .collect();
    for text in &campaign.reasons {
        if !told.contains(text.as_str()) {
            reasons.push(Reason {
                text: text.clone(),
                places: Vec::new(),
            });
        }
    }
    reasons
}

/// What to do next, with details; the plain sentences where details are not given.
pub(crate) fn next_steps(campaign: &CampaignReport) -> Vec<NextStep> {
    if !campaign.next_steps.is_empty() {
        return campaign.next_steps.clone();
    }
    let plain = campaign.next.iter().map(|text| NextStep {
        kind: String::new(),
        text: text.clone(),
        details: Vec::new(),
        places: Vec::new(),
    });
    plain.collect()
}

/// The most urgent step in one sentence.
pub(crate) fn next_action(campaign: &CampaignReport) -> Option<&str> {
    let plain = campaign.next.first().map(String::as_str);
    plain.or_else(|| campaign.next_steps.first().map(|step| step.text.as_str()))
}

/// Steps of the eviction that are not already among the next steps.
pub(crate) fn eviction_steps(campaign: &CampaignReport) -> Vec<&NextStep> {
    let next: BTreeSet<&str> = campaign
        .next_steps
        .iter()
        .map(|step| step.text.as_str())
        .collect();
    let steps = campaign.eviction.steps.iter();
    steps
        .filter(|step| !next.contains(step.text.as_str()))
        .collect()
}

/// The findings of a report by id.
pub(crate) struct Findings<'a>(BTreeMap<&'a str, &'a Finding>);

impl<'a> Findings<'a> {
    pub(crate) fn of(report: &'a Report) -> Self {
        let findings = report.findings.iter();
        Self(
            findings
                .map(|finding| (finding.id.as_str(), finding))
                .collect(),
        )
    }

    /// Those that speak for a campaign: the furthest stage first, then by time.
    pub(crate) fn of_campaign(&self, campaign: &CampaignReport) -> Vec<&'a Finding> {
        let mut found: Vec<&'a Finding> = campaign
            .findings
            .iter()
            .filter_map(|id| self.0.get(id.as_str()).copied())
            .collect();
        found.sort_by_key(|finding| order(finding));
        found.dedup_by_key(|finding| &finding.id);
        found
    }

    /// Those that speak for no campaign: leads for whoever looks further.
    pub(crate) fn of_none(&self, report: &Report) -> Vec<&'a Finding> {
        let campaigns = report.hosts.iter().flat_map(|host| &host.campaigns);
        let told: BTreeSet<&str> = campaigns
            .flat_map(|campaign| campaign.findings.iter().map(String::as_str))
            .collect();
        let mut others: Vec<&'a Finding> = self
            .0
            .iter()
            .filter(|(id, _)| !told.contains(*id))
            .map(|(_, finding)| *finding)
            .collect();
        others.sort_by_key(|finding| order(finding));
        others
    }
}

fn order(finding: &Finding) -> impl Ord + '_ {
    let undated = finding.time.is_none();
    (
        Reverse(finding.stage),
        undated,
        finding.time,
        &finding.rule,
        &finding.place,
        &finding.id,
    )
}

/// Gaps that no need tells of.
pub(crate) fn other_gaps(report: &Report) -> Vec<&Gap> {
    let campaigns = report.hosts.iter().flat_map(|host| &host.campaigns);
    let told: BTreeSet<&Gap> = campaigns
        .flat_map(|campaign| &campaign.coverage.needs)
        .filter(|need| need.seen < Share::WHOLE)
        .flat_map(|need| &need.gaps)
        .collect();
    report
        .gaps
        .iter()
        .filter(|gap| !told.contains(gap))
        .collect()
}

/// Something that happened to a host, or was done to it.
#[derive(Clone, Copy)]
pub(crate) enum Happening<'a> {
    Step(&'a StoryStep),
    /// From here on the host was vulnerable, patched, …
    Exposure(&'a ExposureSpan),
    Collected(&'a CollectionReport),
    /// Nothing is known of so many seconds in between.
    Pause(i64),
}

/// The story between changes of exposure and collections, in order of time; what has no time stands apart.
pub(crate) struct Timeline<'a> {
    pub(crate) dated: Vec<(Option<Timestamp>, Happening<'a>)>,
    pub(crate) undated: Vec<&'a StoryStep>,
}

/// The story of one host and campaign.
pub(crate) fn timeline<'a>(one: Judged<'a>) -> Timeline<'a> {
    let story = &one.campaign.compromise.story;
    let undated = story.iter().filter(|step| step.time.is_none()).collect();
    let steps = story
        .iter()
        .filter_map(|step| Some((step.time?, 1, Happening::Step(step))));
    let builds = exposure_changes(one.campaign);
    let builds = builds.map(|(time, span)| (time, 0, Happening::Exposure(span)));
    let taken = one.host.collections.iter();
    let taken = taken.filter_map(|one| Some((one.taken?, 2, Happening::Collected(one))));
    let mut happened: Vec<(Timestamp, u8, Happening<'a>)> =
        steps.chain(builds).chain(taken).collect();
    happened.sort_by_key(|(time, kind, _)| (*time, *kind));

    let mut dated = Vec::new();
    let mut before: Option<Timestamp> = None;
    for (time, _, happening) in happened {
        let elapsed = before.map_or(0, |before| time.as_second() - before.as_second());
        if elapsed >= PAUSE_SECONDS_MIN {
            dated.push((None, Happening::Pause(elapsed)));
        }
        dated.push((Some(time), happening));
        before = Some(time);
    }
    Timeline { dated, undated }
}

/// Changes of exposure that belong to the story: those after its first step, and the one before it. A change that the
/// story itself tells is left to it.
fn exposure_changes(campaign: &CampaignReport) -> impl Iterator<Item = (Timestamp, &ExposureSpan)> {
    let story = &campaign.compromise.story;
    let begun = story.iter().filter_map(|step| step.time).min();
    let told: BTreeSet<Timestamp> = story
        .iter()
        .filter(|step| step.stage == Stage::NoneSeen)
        .filter_map(|step| step.time)
        .collect();
    let spans = campaign.exposure.spans.iter();
    let changes: Vec<(Timestamp, &ExposureSpan)> =
        spans.filter_map(|span| Some((span.from?, span))).collect();
    let before = changes
        .iter()
        .filter(|(time, _)| begun.is_some_and(|begun| *time <= begun))
        .count();
    changes
        .into_iter()
        .skip(before.saturating_sub(1))
        .filter(move |(time, _)| !told.contains(time))
}

/// The most urgent is the least.
fn urgency(verdict: VerdictName) -> u8 {
    match verdict {
        VerdictName::Compromised | VerdictName::Reinfected => 0,
        VerdictName::Exposed => 1,
        VerdictName::Unproven => 2,
        VerdictName::Evicted => 3,
        VerdictName::Clear => 4,
        VerdictName::NotAffected => 5,
    }
}
