//! Joins what workers said into collections, shares these out to hosts, and joins what is one host's.

use crate::Judgement;
use crate::supervise::{CollectionRaw, Seen};
use detect::Sighting;
use model::{
    Accounting, Activity, CollectionSeen, Fact, FactAt, Finding, Gap, GapKind, HostNameSeen,
    ItemSeen, Observed, Place, SourceName, Stage, Timestamp, host_name_rank,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Every address by which a computer calls itself.
const LOOPBACK: &str = "LOOPBACK";

/// Detail by which a finding names the host that it is about, where that is another than the one of the evidence.
const SUBJECT: &str = "subject";

/// Everything of one collection, before it is known whose it is.
struct Gathered {
    part: Part,
    /// What each item says about rhythm and requests, to be shared out with it.
    by_item: BTreeMap<String, PerItem>,
}

/// What readers and detection say of one host by one collection: what a case keeps, and what its hosts are judged from.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Computer name in upper case without domain, or the name of the folder or archive.
    pub host: String,
    /// Which rule found the name.
    pub host_rule: String,
    /// The host whose records tell of this one, where none of the evidence is its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_by: Option<String>,
    pub seen: CollectionSeen,
    pub facts: Vec<FactAt>,
    pub findings: Vec<Finding>,
    pub gaps: Vec<Gap>,
    /// Matches that correlations look at.
    pub sightings: Vec<Sighting>,
}

/// One collection as it was read: what is the same for all its hosts, and what is each one's.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub seen: CollectionSeen,
    /// In order of the hosts' names, those last that only records of others tell of.
    pub parts: Vec<Part>,
}

#[derive(Default)]
struct PerItem {
    activity: Vec<(SourceName, Activity)>,
    requested: Vec<(SourceName, BTreeSet<String>)>,
}

/// What correlations find in a host's matches, and what they could not take into account.
pub(crate) type Correlate<'a> = &'a dyn Fn(Vec<Sighting>) -> (Vec<Finding>, Vec<Gap>);

/// Hashes one collection's manifest, which gives it its id, and shares out what was seen; `forced` overrides the names
/// that the evidence gives.
pub(crate) fn shared(raw: CollectionRaw, forced: Option<&str>) -> Shared {
    let gathered = gather(raw);
    let seen = gathered.part.seen.clone();
    let mut parts = share_out(gathered, forced);
    let others: Vec<Part> = parts.iter_mut().flat_map(about_others).collect();
    parts.extend(others);
    Shared { seen, parts }
}

/// Rules that cannot run, as gaps of every host.
pub(crate) fn rule_problems(problems: &BTreeSet<String>) -> Vec<Gap> {
    let problems = problems.iter();
    problems
        .map(|problem| Gap::new(GapKind::NotUnderstood, Place::default(), problem))
        .collect()
}

/// Joins the parts of each host; hosts come in order of name. The same collection is to be given once.
pub(crate) fn hosts(
    parts: impl IntoIterator<Item = Part>,
    problems: &[Gap],
    judgement: &Judgement<'_>,
    correlate: Correlate<'_>,
) -> Vec<Observed> {
    let mut sightings: BTreeMap<String, Vec<Sighting>> = BTreeMap::new();
    let mut hosts: BTreeMap<String, Observed> = BTreeMap::new();
    for mut part in parts {
        missing_columns(&mut part, judgement.packs);
        if !part.sightings.is_empty() {
            let known = sightings.entry(part.host.clone()).or_default();
            known.extend(part.sightings);
        }
        let host = hosts.entry(part.host.clone()).or_insert_with(|| Observed {
            host: part.host,
            host_rule: part.host_rule,
            ..Observed::default()
        });
        host.facts.extend(part.facts);
        host.findings.extend(part.findings);
        host.gaps.extend(part.gaps);
        host.collections.push(part.seen);
    }
    let mut hosts: Vec<Observed> = hosts.into_values().collect();
    for host in &mut hosts {
        host.gaps.extend(problems.iter().cloned());
        if let Some(sightings) = sightings.remove(&host.host) {
            let (findings, gaps) = correlate(sightings);
            host.findings.extend(findings);
            host.gaps.extend(gaps);
        }
        finish(host, judgement);
    }
    hosts
}

/// Findings that prove an effect on other hosts than the one whose evidence shows them, as the log of a DNS server does of
/// its clients: each goes to the host that it names as its subject, and stays a lead where it was seen. Of that host the
/// collection holds nothing but the items that tell of it.
pub(crate) fn about_others(part: &mut Part) -> Vec<Part> {
    let rule = format!("a record of {} tells of it", part.host);
    let host = &part.host;
    let is_about_other = |finding: &Finding| {
        let subject = finding.details.get(SUBJECT);
        let proves = finding.stage.is_some_and(Stage::proves_effect);
        proves && subject.is_some_and(|subject| normalised(subject) != normalised(host))
    };
    let (away, stay): (Vec<Finding>, Vec<Finding>) = std::mem::take(&mut part.findings)
        .into_iter()
        .partition(is_about_other);
    part.findings = stay;
    let mut others: BTreeMap<String, Part> = BTreeMap::new();
    for finding in away {
        let subject = finding.details.get(SUBJECT).cloned().unwrap_or_default();
        let frame = || Part {
            host: subject.clone(),
            host_rule: rule.clone(),
            told_by: Some(host.clone()),
            seen: CollectionSeen {
                items: Vec::new(),
                activity: BTreeMap::new(),
                requested: BTreeMap::new(),
                ..part.seen.clone()
            },
            ..Part::default()
        };
        let other = others.entry(subject.clone()).or_insert_with(frame);
        // Items are in order of their paths; a collection may have many, and tell of many hosts.
        let by_path = |item: &ItemSeen| item.path.as_str().cmp(&finding.place.item);
        let is_new = !other.seen.items.iter().any(|item| by_path(item).is_eq());
        if is_new && let Ok(at) = part.seen.items.binary_search_by(by_path) {
            other.seen.items.push(part.seen.items[at].clone());
        }
        other.findings.push(finding);
    }
    for (subject, other) in &others {
        part.findings.extend(lead(subject, other.findings.first()));
    }
    others.into_values().collect()
}

/// What stays of such a finding on the host whose evidence shows it: that somebody must look at the other.
fn lead(subject: &str, finding: Option<&Finding>) -> Option<Finding> {
    let finding = finding?;
    let mut details = finding.details.clone();
    details.insert("target_host".to_owned(), subject.to_owned());
    Some(Finding {
        // Another id than that of the finding itself, which the other host has.
        rule: format!("{}/lead", finding.rule),
        stage: None,
        level: "medium".to_owned(),
        details,
        ..finding.clone()
    })
}

/// Whose each item is, for matches that were told before that was known.
pub(crate) struct Owners {
    /// For each collection in the order given: its id, its host, and items of other hosts.
    collections: Vec<(String, String, BTreeMap<String, String>)>,
    pub(crate) accounting: Accounting,
    pub(crate) gaps: Vec<Gap>,
}

impl Owners {
    /// Id of the collection, and name of the host that the item belongs to.
    pub(crate) fn of(&self, collection: usize, item: &str) -> (&str, &str) {
        let Some((id, host, others)) = self.collections.get(collection) else {
            return ("", "");
        };
        (id, others.get(item).unwrap_or(host))
    }
}

/// Finds out whose each collection is; `forced` overrides what the evidence says.
pub(crate) fn owners(seen: Seen, forced: Option<&str>) -> Owners {
    let mut owners = Owners {
        collections: Vec::new(),
        accounting: Accounting::default(),
        gaps: rule_problems(&seen.rule_problems),
    };
    for raw in seen.collections {
        let gathered = gather(raw);
        for item in &gathered.part.seen.items {
            owners.accounting.add(item);
        }
        owners.gaps.extend(gathered.part.gaps.iter().cloned());
        let id = gathered.part.seen.id.clone();
        let mut parts = share_out(gathered, forced);
        // Most items are the first host's, or all are.
        parts.sort_by_key(|part| std::cmp::Reverse(part.seen.items.len()));
        let mut parts = parts.into_iter();
        let host = parts.next().map(|part| part.host).unwrap_or_default();
        let others = parts
            .flat_map(|part| {
                let host = part.host;
                let paths = part.seen.items.into_iter().map(|item| item.path);
                paths.map(move |path| (path, host.clone()))
            })
            .collect();
        owners.collections.push((id, host, others));
    }
    owners.gaps.sort();
    owners.gaps.dedup();
    owners
}

/// Sorts one collection's items, hashes its manifest, and puts its id into every place.
fn gather(raw: CollectionRaw) -> Gathered {
    let mut seen = CollectionSeen {
        path: raw.collection.label.clone(),
        container: raw.collection.container.clone(),
        ..CollectionSeen::default()
    };
    let (mut facts, mut findings) = (Vec::new(), Vec::new());
    let mut gaps: Vec<Gap> = raw.gaps.into_iter().collect();
    let mut sightings = Vec::new();
    let mut by_item: BTreeMap<String, PerItem> = BTreeMap::new();
    for report in raw.items.into_values() {
        let path = report.item.path.clone();
        seen.items.push(report.item);
        facts.extend(report.facts);
        findings.extend(report.findings);
        gaps.extend(report.gaps);
        sightings.extend(report.sightings);
        let own = by_item.entry(path).or_default();
        own.activity.extend(report.activity);
        own.requested.extend(report.requested);
    }
    seen.items.sort();
    seen.sha256 = manifest_hash(&seen.items);
    seen.id = format!("c-{}", &seen.sha256[..12]);
    for fact in &mut facts {
        fact.place.collection.clone_from(&seen.id);
    }
    for finding in &mut findings {
        finding.place.collection.clone_from(&seen.id);
    }
    for sighting in &mut sightings {
        sighting.place.collection.clone_from(&seen.id);
    }
    for gap in &mut gaps {
        gap.place.collection.clone_from(&seen.id);
    }
    // A lost reader leaves no report; what its item was is told by its path alone.
    source_of_lost(&mut gaps);
    let (taken, rule) = taken(&facts, &by_item);
    seen.taken = taken;
    seen.taken_rule = rule;
    let part = Part {
        seen,
        facts,
        findings,
        gaps,
        sightings,
        ..Part::default()
    };
    Gathered { part, by_item }
}

/// A log that does not write a column which a need rests on cannot show it, however complete it is otherwise.
fn missing_columns(part: &mut Part, packs: &[pack::Pack]) {
    let mut needed: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let products: BTreeSet<&str> = part
        .facts
        .iter()
        .filter_map(|known| known.fact.product())
        .collect();
    // What a campaign asks of its product's logs is not asked of another's: sites of both are named alike.
    let concerned = packs.iter().filter(|pack| {
        let mut own = pack.manifest.products.iter();
        products.is_empty() || own.any(|product| products.contains(product.as_str()))
    });
    let sources = concerned
        .flat_map(|pack| &pack.needs)
        .flat_map(|need| &need.any_of)
        .flat_map(|way| &way.sources);
    for source in sources {
        let columns = source.columns.iter().map(String::as_str);
        needed.entry(&source.source).or_default().extend(columns);
    }
    for known in &mut part.facts {
        let Fact::LogFile(log) = &mut known.fact else {
            continue;
        };
        let columns = std::mem::take(&mut log.columns);
        let family = log.source.as_str().split(':').next().unwrap_or_default();
        let every = format!("{family}:*");
        let of_source = [log.source.as_str(), every.as_str()];
        let missing: BTreeSet<&str> = of_source
            .iter()
            .filter_map(|name| needed.get(name))
            .flatten()
            .filter(|name| !columns.is_empty() && !columns.iter().any(|known| known == *name))
            .copied()
            .collect();
        if !missing.is_empty() {
            let missing: Vec<&str> = missing.into_iter().collect();
            let detail = format!("this log does not write {}", missing.join(", "));
            let until = log
                .last
                .and_then(|last| Timestamp::from_second(last.as_second().saturating_add(1)).ok());
            part.gaps.push(
                Gap::new(GapKind::Partial, known.place.clone(), detail)
                    .of_source(log.source.clone())
                    .between(log.first, until),
            );
        }
    }
}

/// SHA-256 over path, size and hash of every item in order.
fn manifest_hash(items: &[ItemSeen]) -> String {
    let mut hasher = Sha256::new();
    for item in items {
        hasher.update(item.path.as_bytes());
        hasher.update([0]);
        hasher.update(item.size.to_string().as_bytes());
        hasher.update([0]);
        hasher.update(item.sha256.as_bytes());
        hasher.update([b'\n']);
    }
    hex(&hasher.finalize())
}

/// SHA-256 of a text in hexadecimal digits.
pub(crate) fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}

fn source_of_lost(gaps: &mut [Gap]) {
    for gap in gaps {
        if gap.kind == GapKind::Crashed && gap.source.is_none() && !gap.place.item.is_empty() {
            let probe = artifacts::Probe {
                path: &gap.place.item,
                head: &[],
                size: None,
            };
            gap.source = artifacts::recognise(&probe).and_then(|artifact| artifact.source(&probe));
        }
    }
}

/// The collector's own word, else the newest record.
fn taken(facts: &[FactAt], by_item: &BTreeMap<String, PerItem>) -> (Option<Timestamp>, String) {
    let stated = facts.iter().filter_map(|known| match &known.fact {
        Fact::Taken(taken) => Some((taken.time, taken.rule.clone())),
        _ => None,
    });
    if let Some((time, rule)) = stated.max() {
        return (Some(time), rule);
    }
    let newest = by_item
        .values()
        .flat_map(|item| &item.activity)
        .filter_map(|(source, activity)| Some((activity.last()?, source.to_string())))
        .max();
    match newest {
        Some((time, source)) => (Some(time), format!("newest record ({source})")),
        None => (None, "nothing in it is dated".to_owned()),
    }
}

/// Gives a collection to its host, or its items to theirs where loose logs of several hosts lie together.
fn share_out(gathered: Gathered, forced: Option<&str>) -> Vec<Part> {
    if let Some(host) = forced {
        let rule = "given by --host".to_owned();
        return vec![whole(gathered, host.to_owned(), rule)];
    }
    let names: Vec<(&HostNameSeen, &str)> = gathered
        .part
        .facts
        .iter()
        .filter_map(|known| match &known.fact {
            Fact::HostName(name) => Some((name, known.place.item.as_str())),
            _ => None,
        })
        .collect();
    let Some(best_rank) = names.iter().map(|(name, _)| name.rank).min() else {
        let name = container_name(&gathered.part.seen.path);
        let rule = "name of the folder or archive: no item names its host".to_owned();
        return vec![whole(gathered, name, rule)];
    };
    let votes = |rank_max: u8| {
        let mut votes: BTreeMap<String, u64> = BTreeMap::new();
        for (name, _) in names.iter().filter(|(name, _)| name.rank <= rank_max) {
            *votes.entry(normalised(&name.name)).or_default() += 1;
        }
        votes
    };
    let best = votes(best_rank);
    let several = best_rank > host_name_rank::PRODUCT_LOG && best.len() > 1;
    if !several {
        let name = best
            .into_iter()
            .max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0)))
            .map(|(name, _)| name)
            .unwrap_or_default();
        let rule = names
            .iter()
            .filter(|(seen, _)| seen.rank == best_rank && normalised(&seen.name) == name)
            .map(|(seen, item)| format!("{} in {item}", seen.rule))
            .min()
            .unwrap_or_default();
        return vec![whole(gathered, name, rule)];
    }
    let owner: BTreeMap<String, String> = names
        .iter()
        .map(|(name, item)| ((*item).to_owned(), normalised(&name.name)))
        .collect();
    split(gathered, &owner)
}

/// The computer's name without domain, in upper case; an address is a name as a whole.
pub(crate) fn normalised(name: &str) -> String {
    if let Ok(address) = name.trim().parse::<IpAddr>() {
        let address = address.to_canonical();
        return if address.is_loopback() {
            LOOPBACK.to_owned()
        } else {
            address.to_string()
        };
    }
    name.split('.').next().unwrap_or(name).trim().to_uppercase()
}

/// The last component of the path given, without an archive's endings.
fn container_name(path: &str) -> String {
    let trimmed = path.trim_end_matches(['/', '\\']);
    let name = trimmed.rsplit(['/', '\\']).next().unwrap_or(trimmed);
    let mut name = name;
    for ending in [
        ".gz", ".zst", ".xz", ".tar", ".zip", ".7z", ".tgz", ".evtx", ".log",
    ] {
        if let Some(stem) = name.strip_suffix(ending)
            && !stem.is_empty()
        {
            name = stem;
        }
    }
    if name.is_empty() || name == "." || name == ".." {
        "UNNAMED".to_owned()
    } else {
        name.to_owned()
    }
}

/// The collection as a whole, with the rhythm of all its items.
fn whole(gathered: Gathered, host: String, host_rule: String) -> Part {
    let mut part = Part {
        host,
        host_rule,
        ..gathered.part
    };
    for item in gathered.by_item.into_values() {
        add_rhythm(&mut part.seen, item);
    }
    part
}

fn add_rhythm(seen: &mut CollectionSeen, item: PerItem) {
    for (source, activity) in item.activity {
        seen.activity.entry(source).or_default().merge(&activity);
    }
    for (source, paths) in item.requested {
        seen.requested.entry(source).or_default().extend(paths);
    }
}

/// One part for each computer that the items name; items that name none go to the folder's name.
fn split(gathered: Gathered, owner: &BTreeMap<String, String>) -> Vec<Part> {
    let Gathered { part: all, by_item } = gathered;
    let nobody = container_name(&all.seen.path);
    let owner_of = |item: &str| owner.get(item).cloned().unwrap_or_else(|| nobody.clone());
    let mut parts: BTreeMap<String, Part> = BTreeMap::new();
    let frame = CollectionSeen {
        items: Vec::new(),
        ..all.seen.clone()
    };
    for item in all.seen.items {
        let host = owner_of(&item.path);
        let part = parts.entry(host).or_insert_with(|| Part {
            seen: frame.clone(),
            ..Part::default()
        });
        part.seen.items.push(item);
    }
    for fact in all.facts {
        if let Some(part) = parts.get_mut(&owner_of(&fact.place.item)) {
            part.facts.push(fact);
        }
    }
    for finding in all.findings {
        if let Some(part) = parts.get_mut(&owner_of(&finding.place.item)) {
            part.findings.push(finding);
        }
    }
    for sighting in all.sightings {
        if let Some(part) = parts.get_mut(&owner_of(&sighting.place.item)) {
            part.sightings.push(sighting);
        }
    }
    for gap in all.gaps {
        // What belongs to no item may have kept anybody's evidence back.
        match parts.get_mut(&owner_of(&gap.place.item)) {
            Some(part) if owner.contains_key(&gap.place.item) => part.gaps.push(gap),
            _ => {
                for part in parts.values_mut() {
                    part.gaps.push(gap.clone());
                }
            }
        }
    }
    for (path, rhythm) in by_item {
        if let Some(part) = parts.get_mut(&owner_of(&path)) {
            add_rhythm(&mut part.seen, rhythm);
        }
    }
    let named = |(host, mut part): (String, Part)| {
        let newest = part.seen.activity.values().filter_map(Activity::last).max();
        if part.seen.taken_rule.starts_with("newest record") {
            part.seen.taken = newest;
        }
        part.host_rule = if host == nobody {
            "name of the folder or archive: no item names its host".to_owned()
        } else {
            "the logs' own computer name; loose logs of several computers lie together".to_owned()
        };
        part.host = host;
        part
    };
    parts.into_iter().map(named).collect()
}

/// Orders the collections, tells apart what was known at each, and adds what named persons state.
fn finish(host: &mut Observed, judgement: &Judgement<'_>) {
    host.collections
        .sort_by(|a, b| (a.taken, &a.id).cmp(&(b.taken, &b.id)));
    host.earlier = (1..host.collections.len())
        .map(|count| up_to(host, count))
        .collect();
    for earlier in &mut host.earlier {
        join(earlier, judgement);
    }
    join(host, judgement);
    host.attestations = judgement
        .attestations
        .iter()
        .filter(|attestation| normalised(&attestation.host) == normalised(&host.host))
        .filter(|attestation| {
            judgement
                .as_of
                .is_none_or(|as_of| attestation.time <= as_of)
        })
        .cloned()
        .collect();
}

/// The host as its first `count` collections show it.
fn up_to(host: &Observed, count: usize) -> Observed {
    let collections = host.collections[..count].to_vec();
    let later: BTreeSet<&str> = host.collections[count..]
        .iter()
        .map(|collection| collection.id.as_str())
        .collect();
    let known = |place: &Place| !later.contains(place.collection.as_str());
    Observed {
        host: host.host.clone(),
        host_rule: host.host_rule.clone(),
        facts: host
            .facts
            .iter()
            .filter(|fact| known(&fact.place))
            .cloned()
            .collect(),
        findings: host
            .findings
            .iter()
            .filter(|finding| known(&finding.place))
            .cloned()
            .collect(),
        gaps: host
            .gaps
            .iter()
            .filter(|gap| known(&gap.place))
            .cloned()
            .collect(),
        collections,
        ..Observed::default()
    }
}

/// Joins configuration, and derives what follows from several items.
fn join(host: &mut Observed, judgement: &Judgement<'_>) {
    effective_rewrite_rules(host);
    host.facts.sort();
    host.facts.dedup();
    assess::derived_findings(&judgement.knowledge, host);
    for finding in &mut host.findings {
        finding.id = finding_id(finding);
    }
    host.findings.sort_by(|a, b| {
        (a.time.is_none(), a.time, &a.place, &a.rule, &a.id).cmp(&(
            b.time.is_none(),
            b.time,
            &b.place,
            &b.rule,
            &b.id,
        ))
    });
    host.findings.dedup_by(|a, b| a.id == b.id);
    host.gaps.sort();
    host.gaps.dedup();
    host.other_hosts = other_hosts(host);
}

/// A hash over what matched and where: the same evidence gives the same id.
fn finding_id(finding: &Finding) -> String {
    let place = &finding.place;
    let key = format!(
        "{}\0{}\0{}\0{:?}\0{:?}\0{:?}\0{}\0{:?}",
        finding.rule,
        place.collection,
        place.item,
        place.line,
        place.record,
        place.offset,
        finding.count,
        finding.foothold.as_ref().map(|foothold| &foothold.path),
    );
    format!("f-{}", &hex(&Sha256::digest(key.as_bytes()))[..16])
}

/// Rules of parent and child configurations only tell together whether they act.
fn effective_rewrite_rules(host: &mut Observed) {
    for collection in &host.collections {
        let own = |known: &&FactAt| known.place.collection == collection.id;
        let (rules, places): (Vec<(model::RewriteRule, String)>, Vec<Place>) = host
            .facts
            .iter()
            .filter(own)
            .filter_map(|known| match &known.fact {
                Fact::RewriteRule(rule) => {
                    let stated = (rule.clone(), known.place.item.clone());
                    Some((stated, known.place.clone()))
                }
                _ => None,
            })
            .unzip();
        if rules.is_empty() {
            continue;
        }
        let directories: Vec<model::VirtualDirectory> = host
            .facts
            .iter()
            .filter(own)
            .filter_map(|known| match &known.fact {
                Fact::VirtualDirectory(directory) => Some(directory.clone()),
                _ => None,
            })
            .collect();
        let effective = artifacts::effective_rewrite_rules(&rules, &directories);
        host.facts.retain(|known| {
            known.place.collection != collection.id || !matches!(known.fact, Fact::RewriteRule(_))
        });
        host.facts
            .extend(effective.into_iter().map(|(index, rule)| FactAt {
                fact: Fact::RewriteRule(rule),
                place: places[index].clone(),
            }));
    }
}

/// Other computers that findings name as the target of an act on this one.
fn other_hosts(host: &Observed) -> BTreeMap<String, Place> {
    let own: BTreeSet<String> = host
        .facts
        .iter()
        .filter_map(|known| match &known.fact {
            Fact::HostName(name) => Some(normalised(&name.name)),
            _ => None,
        })
        .chain([
            normalised(&host.host),
            "LOCALHOST".to_owned(),
            LOOPBACK.to_owned(),
        ])
        .collect();
    let mut others: BTreeMap<String, Place> = BTreeMap::new();
    for finding in &host.findings {
        let Some(target) = finding.details.get("target_host") else {
            continue;
        };
        // A name of one letter or with odd characters is an attacker's filler, not a server.
        let plausible = target.len() > 1
            && target.len() <= 253
            && target
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
        if plausible && !own.contains(&normalised(target)) {
            others
                .entry(target.to_lowercase())
                .or_insert_with(|| finding.place.clone());
        }
    }
    others
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(subject: Option<&str>, stage: Option<Stage>) -> Finding {
        let subject = subject.map(|subject| (SUBJECT.to_owned(), subject.to_owned()));
        Finding {
            id: String::new(),
            rule: "r".to_owned(),
            title: "t".to_owned(),
            stage,
            campaign: None,
            level: "high".to_owned(),
            techniques: Vec::new(),
            time: None,
            last: None,
            count: 1,
            place: Place::item("c-1", "dns.log"),
            author: String::new(),
            reference: String::new(),
            evidence: String::new(),
            meaning: String::new(),
            step: String::new(),
            details: subject.into_iter().collect(),
            foothold: None,
        }
    }

    #[test]
    fn what_is_proven_of_another_host_is_that_hosts_and_leaves_a_lead() {
        let item = |path: &str| ItemSeen {
            path: path.to_owned(),
            ..ItemSeen::default()
        };
        let exploited = Some(Stage::Exploited);
        let mut part = Part {
            host: "DC01".to_owned(),
            seen: CollectionSeen {
                items: vec![item("dns.log"), item("other.log")],
                ..CollectionSeen::default()
            },
            findings: vec![
                finding(Some("10.1.2.3"), exploited),
                finding(Some("10.1.2.3"), Some(Stage::Probed)),
                finding(Some("dc01.example.org"), exploited),
                finding(None, exploited),
            ],
            ..Part::default()
        };
        let others = about_others(&mut part);
        let told = |part: &Part| {
            let stage = |finding: &Finding| finding.stage.map_or("-", Stage::name);
            let findings = part.findings.iter();
            let findings: Vec<String> = findings
                .map(|finding| format!("{} {}", finding.rule, stage(finding)))
                .collect();
            let items: Vec<&str> = part.seen.items.iter().map(|item| &*item.path).collect();
            format!("{} of {}", findings.join(", "), items.join(", "))
        };
        assert_eq!(
            told(&part),
            "r probed, r exploited, r exploited, r/lead - of dns.log, other.log"
        );
        let lead = part
            .findings
            .last()
            .and_then(|lead| lead.details.get("target_host"));
        assert_eq!(lead.map(String::as_str), Some("10.1.2.3"));
        let [other] = others.as_slice() else {
            panic!("one other host");
        };
        assert_eq!(
            (other.host.as_str(), other.host_rule.as_str()),
            ("10.1.2.3", "a record of DC01 tells of it")
        );
        assert_eq!(told(other), "r exploited of dns.log");
    }

    #[test]
    fn addresses_are_names_as_a_whole() {
        assert_eq!(normalised("mx01.example.org"), "MX01");
        assert_eq!(normalised("10.1.2.3"), "10.1.2.3");
        assert_ne!(normalised("10.1.2.3"), normalised("10.9.9.9"));
        assert_eq!(normalised("127.0.0.1"), normalised("::1"));
    }
}
