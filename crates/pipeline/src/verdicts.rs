//! Judges every host by every pack and writes the report.

use crate::Judgement;
use model::report::{
    CampaignReport, CollectionReport, HostReport, PackUsed, Report, SCHEMA, VerdictName,
};
use model::{Accounting, Finding, Gap, ItemSeen, Observed, SourceName, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One host judged by every pack: its part of a report, and what the whole is summed up from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Judged {
    pub report: HostReport,
    /// The time that the judgement speaks of.
    pub as_of: Option<Timestamp>,
    pub findings: Vec<Finding>,
    pub gaps: Vec<Gap>,
    /// Kinds of source that could convict, that no need asks for, and that are absent here.
    pub absent: BTreeSet<String>,
    /// Items by collection and path; an item may tell of several hosts.
    pub items: Vec<(String, ItemSeen)>,
}

/// Judges a host by every pack, as of the time given or of its own latest collection.
pub(crate) fn judge(host: Observed, judgement: &Judgement<'_>, leads: &pack::LeadTable) -> Judged {
    let taken = host.collections.iter().filter_map(|known| known.taken);
    let as_of = judgement.as_of.or_else(|| taken.max());
    let packs = judgement.packs.iter();
    let campaigns: Vec<CampaignReport> = packs
        .map(|pack| assess::assess(pack, &judgement.knowledge, &host, as_of))
        .collect();
    let mut gaps: BTreeSet<Gap> = host.gaps.iter().cloned().collect();
    let needs = campaigns.iter().flat_map(|known| &known.coverage.needs);
    gaps.extend(needs.flat_map(|need| need.gaps.iter().cloned()));
    let absent = absent(&host, &campaigns, judgement);
    let persistence = assess::persistence_review(judgement.packs, &judgement.knowledge, &host);
    let leads = assess::leads(&judgement.knowledge, leads, &host);
    let mut items = Vec::new();
    let mut collections = Vec::new();
    for collection in host.collections {
        let mut accounting = Accounting::default();
        for item in collection.items {
            accounting.add(&item);
            items.push((collection.id.clone(), item));
        }
        collections.push(CollectionReport {
            id: collection.id,
            path: collection.path,
            sha256: collection.sha256,
            taken: collection.taken,
            taken_rule: collection.taken_rule,
            container: collection.container,
            manifest: None,
            accounting,
        });
    }
    Judged {
        report: HostReport {
            persistence,
            leads,
            host: host.host,
            host_rule: host.host_rule,
            collections,
            campaigns,
        },
        as_of,
        findings: host.findings,
        gaps: gaps.into_iter().collect(),
        absent,
        items,
    }
}

/// The report over hosts that were judged by these packs, in the order given.
pub(crate) fn report(hosts: impl IntoIterator<Item = Judged>, packs: Vec<PackUsed>) -> Report {
    let mut report = Report {
        schema: SCHEMA.to_owned(),
        as_of: None,
        packs,
        hosts: Vec::new(),
        findings: Vec::new(),
        gaps: Vec::new(),
        accounting: Accounting::default(),
        not_looked_at: Vec::new(),
    };
    let mut gaps: BTreeSet<Gap> = BTreeSet::new();
    let mut absent: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut counted: BTreeSet<(String, String)> = BTreeSet::new();
    // An item of no known kind counts for each host that it tells of.
    let (mut unread, mut unread_bytes) = (0_u64, 0_u64);
    for host in hosts {
        report.as_of = report.as_of.max(host.as_of);
        for what in host.absent {
            absent
                .entry(what)
                .or_default()
                .insert(host.report.host.clone());
        }
        for (collection, item) in host.items {
            if item.kind.is_empty() {
                unread += 1;
                unread_bytes = unread_bytes.saturating_add(item.size);
            }
            // It was read once.
            if counted.insert((collection, item.path.clone())) {
                report.accounting.add(&item);
            }
        }
        report.hosts.push(host.report);
        report.findings.extend(host.findings);
        gaps.extend(host.gaps);
    }
    let order = |a: &Finding, b: &Finding| {
        let key = |finding: &Finding| (finding.time.is_none(), finding.time);
        key(a)
            .cmp(&key(b))
            .then_with(|| (&a.place, &a.id).cmp(&(&b.place, &b.id)))
    };
    report.findings.sort_by(order);
    report.findings.dedup_by(|a, b| a.id == b.id);
    report.gaps = gaps.into_iter().collect();
    report.not_looked_at = not_looked_at(absent);
    if unread > 0 {
        report.not_looked_at.push(format!(
            "{unread} items ({unread_bytes} bytes) are of no kind that Allclear reads: hashed and compared with indicators only"
        ));
    }
    report
}

/// The packs that a report names.
pub(crate) fn packs_used(packs: &[pack::Pack]) -> Vec<PackUsed> {
    let used = |pack: &pack::Pack| PackUsed {
        name: pack.manifest.name.clone(),
        version: pack.manifest.version.clone(),
    };
    packs.iter().map(used).collect()
}

/// Sources that could convict, that no need asks for, and that are absent. A campaign whose product is proven absent
/// asks for nothing.
fn absent(
    host: &Observed,
    campaigns: &[CampaignReport],
    judgement: &Judgement<'_>,
) -> BTreeSet<String> {
    let items = host.collections.iter().flat_map(|known| &known.items);
    let sources: BTreeSet<&str> = items
        .filter_map(|item| item.source.as_ref())
        .map(SourceName::as_str)
        .collect();
    judgement
        .packs
        .iter()
        .zip(campaigns)
        .filter(|(_, campaign)| campaign.verdict != VerdictName::NotAffected)
        .flat_map(|(pack, _)| &pack.manifest.helpful)
        .filter(|helpful| {
            !sources
                .iter()
                .any(|source| matches(&helpful.source, source))
        })
        .map(|helpful| format!("{}: {}", helpful.source, helpful.shows))
        .collect()
}

/// A sentence for each kind of source, with some of the hosts that lack it.
fn not_looked_at(absent: BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let sentence = |(what, of): (String, BTreeSet<String>)| {
        let count = of.len();
        let names: Vec<String> = of.into_iter().take(5).collect();
        let more = count.saturating_sub(names.len());
        let rest = if more == 0 {
            String::new()
        } else {
            format!(" and {more} more")
        };
        format!("{what} (not in the evidence of {}{rest})", names.join(", "))
    };
    absent.into_iter().map(sentence).collect()
}

/// An exact source name, or a prefix that ends in `*`.
fn matches(pattern: &str, source: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => source.starts_with(prefix),
        None => pattern == source,
    }
}
