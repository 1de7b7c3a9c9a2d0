//! Judges every host by every pack and writes the report.

use crate::Judgement;
use model::report::{
    CampaignReport, CollectionReport, HostReport, PackUsed, Report, SCHEMA, VerdictName,
};
use model::{Accounting, Finding, Gap, Observed, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// The report over all hosts.
pub(crate) fn report(hosts: Vec<Observed>, judgement: &Judgement<'_>) -> Report {
    let as_of = judgement.as_of.or_else(|| latest(&hosts));
    let mut accounting = Accounting::default();
    let mut findings: Vec<Finding> = Vec::new();
    let mut gaps: BTreeSet<Gap> = BTreeSet::new();
    let mut reports = Vec::new();
    let mut counted: BTreeSet<(String, String)> = BTreeSet::new();
    let judged: Vec<Vec<CampaignReport>> = hosts
        .iter()
        .map(|host| {
            let packs = judgement.packs.iter();
            packs
                .map(|pack| assess::assess(pack, &judgement.knowledge, host, as_of))
                .collect()
        })
        .collect();
    let not_looked_at = not_looked_at(&hosts, &judged, judgement);
    let lead_table = pack::LeadTable::builtin();
    for (host, campaigns) in hosts.into_iter().zip(judged) {
        let collections = host
            .collections
            .iter()
            .map(|collection| {
                let mut own = Accounting::default();
                for item in &collection.items {
                    own.add(item);
                    // An item may tell of several hosts; it was read once.
                    if counted.insert((collection.id.clone(), item.path.clone())) {
                        accounting.add(item);
                    }
                }
                CollectionReport {
                    id: collection.id.clone(),
                    path: collection.path.clone(),
                    sha256: collection.sha256.clone(),
                    taken: collection.taken,
                    taken_rule: collection.taken_rule.clone(),
                    container: collection.container.clone(),
                    manifest: None,
                    accounting: own,
                }
            })
            .collect();
        for campaign in &campaigns {
            gaps.extend(
                campaign
                    .coverage
                    .needs
                    .iter()
                    .flat_map(|need| need.gaps.iter().cloned()),
            );
        }
        let persistence = assess::persistence_review(judgement.packs, &judgement.knowledge, &host);
        let leads = assess::leads(&judgement.knowledge, &lead_table, &host);
        reports.push(HostReport {
            persistence,
            leads,
            host: host.host,
            host_rule: host.host_rule,
            collections,
            campaigns,
        });
        findings.extend(host.findings);
        gaps.extend(host.gaps);
    }
    findings.sort_by(|a, b| {
        (a.time.is_none(), a.time, &a.place, &a.id).cmp(&(
            b.time.is_none(),
            b.time,
            &b.place,
            &b.id,
        ))
    });
    findings.dedup_by(|a, b| a.id == b.id);
    Report {
        schema: SCHEMA.to_owned(),
        as_of,
        packs: judgement
            .packs
            .iter()
            .map(|pack| PackUsed {
                name: pack.manifest.name.clone(),
                version: pack.manifest.version.clone(),
            })
            .collect(),
        hosts: reports,
        findings,
        gaps: gaps.into_iter().collect(),
        accounting,
        not_looked_at,
    }
}

fn latest(hosts: &[Observed]) -> Option<Timestamp> {
    hosts
        .iter()
        .flat_map(|host| &host.collections)
        .filter_map(|collection| collection.taken)
        .max()
}

/// Sources that could convict, that no need asks for, and that are absent; and items that nobody could read.
/// A campaign whose product is proven absent asks for nothing.
fn not_looked_at(
    hosts: &[Observed],
    judged: &[Vec<CampaignReport>],
    judgement: &Judgement<'_>,
) -> Vec<String> {
    let mut absent: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (host, campaigns) in hosts.iter().zip(judged) {
        let concerned = judgement
            .packs
            .iter()
            .zip(campaigns)
            .filter(|(_, campaign)| campaign.verdict != VerdictName::NotAffected);
        for helpful in concerned.flat_map(|(pack, _)| &pack.manifest.helpful) {
            let there = host
                .collections
                .iter()
                .flat_map(|collection| &collection.items)
                .filter_map(|item| item.source.as_ref())
                .any(|source| matches(&helpful.source, source.as_str()));
            if !there {
                absent
                    .entry(format!("{}: {}", helpful.source, helpful.shows))
                    .or_default()
                    .insert(&host.host);
            }
        }
    }
    let mut sentences: Vec<String> = absent
        .into_iter()
        .map(|(what, of)| {
            let count = of.len();
            let names: Vec<&str> = of.into_iter().take(5).collect();
            let more = count.saturating_sub(names.len());
            let rest = if more == 0 {
                String::new()
            } else {
                format!(" and {more} more")
            };
            format!("{what} (not in the evidence of {}{rest})", names.join(", "))
        })
        .collect();
    let unread: Vec<_> = hosts
        .iter()
        .flat_map(|host| &host.collections)
        .flat_map(|collection| &collection.items)
        .filter(|item| item.kind.is_empty())
        .collect();
    if !unread.is_empty() {
        let bytes = unread
            .iter()
            .fold(0_u64, |sum, item| sum.saturating_add(item.size));
        sentences.push(format!(
            "{} items ({bytes} bytes) are of no kind that Allclear reads: hashed and compared with indicators only",
            unread.len()
        ));
    }
    sentences
}

/// An exact source name, or a prefix that ends in `*`.
fn matches(pattern: &str, source: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => source.starts_with(prefix),
        None => pattern == source,
    }
}
