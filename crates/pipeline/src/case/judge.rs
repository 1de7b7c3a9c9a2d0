//! Judges hosts from what a case holds.

use super::{
    CaseError, Digests, Done, JUDGED_WITH, KeptJudged, KeptPart, SORT_BYTES_MAX, Work, changes,
    encode, new_part, problem_gaps, read_object,
};
use crate::again::Again;
use crate::gather::{self, Part};
use crate::verdicts::{self, Judged};
use crate::worker::Rules;
use crate::{Judgement, sent};
use model::diff::HostDiff;
use model::{Attestation, Gap, Record, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use store::{Case, HostRow, ObjectRow, PartRow, micros};

/// What a judgement goes by beside the parts of its host.
struct Bench<'a> {
    work: &'a Work<'a>,
    digests: &'a Digests,
    rules: &'a Rules<'a>,
    problems: &'a [Gap],
    leads: &'a pack::LeadTable,
}

/// Judges every host of which something is new: evidence, rules, tables, statements.
pub(super) fn judge(
    work: &Work<'_>,
    digests: &Digests,
    done: &mut Done,
    problems: Option<BTreeSet<String>>,
) -> Result<(), CaseError> {
    let rules = Rules::new(work.knowledge);
    let judged_with = digests.of_host(work.judgement.attestations);
    let is_stale = work.case.meta(JUDGED_WITH)?.as_deref() != Some(&judged_with);
    if is_stale {
        detect_again(work, digests, &rules)?;
    }
    let mut hosts = Vec::new();
    work.case.each_host(&mut |host| {
        if is_stale || host.dirty != 0 || host.report_object.is_none() {
            hosts.push(host);
        }
    })?;
    if !hosts.is_empty() {
        let problems = problem_gaps(&rules, problems)?;
        let leads = pack::LeadTable::builtin();
        let bench = Bench {
            work,
            digests,
            rules: &rules,
            problems: &problems,
            leads: &leads,
        };
        all(&bench, &hosts, done)?;
    }
    if is_stale {
        work.case.set_meta(JUDGED_WITH, &judged_with)?;
    }
    Ok(())
}

/// Judges these hosts, several at once.
fn all(bench: &Bench<'_>, hosts: &[HostRow], done: &mut Done) -> Result<(), CaseError> {
    let next = AtomicUsize::new(0);
    let told = Mutex::new((done, Ok(())));
    let workers = usize::try_from(bench.work.crew.workers).unwrap_or(1);
    thread::scope(|scope| {
        for _ in 0..workers.clamp(1, hosts.len()) {
            scope.spawn(|| {
                while let Some(row) = hosts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = one(bench, row);
                    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                    match outcome {
                        Ok(Some(changed)) => {
                            told.0.judged += 1;
                            told.0.changes.extend(changed);
                        }
                        Ok(None) => {}
                        Err(error) => {
                            // The others stop at their next host.
                            next.store(hosts.len(), Ordering::Relaxed);
                            if told.1.is_ok() {
                                told.1 = Err(error);
                            }
                        }
                    }
                }
            });
        }
    });
    told.into_inner().unwrap_or_else(PoisonError::into_inner).1
}

/// Judges a host and commits it; nothing where its judgement went by all that is known now.
fn one(bench: &Bench<'_>, row: &HostRow) -> Result<Option<Vec<super::Change>>, CaseError> {
    let Bench { work, digests, .. } = bench;
    let host = &row.host;
    let judged_with = digests.of_host(&of_host(work.judgement, host));
    let before: Option<KeptJudged> = match &row.report_object {
        Some(name) => Some(read_object(work.case, name)?),
        None => None,
    };
    let is_current = |before: &KeptJudged| row.dirty == 0 && before.judged_with == judged_with;
    if before.as_ref().is_some_and(is_current) {
        return Ok(None);
    }
    let parts = parts_of(work.case, host)?;
    if parts.is_empty() {
        // Only a record of another host had told of it, and does no more.
        work.case.forget_host(host, micros((work.now)()))?;
        return Ok(None);
    }
    let Some(judged) = judged(bench, parts)? else {
        return Ok(None);
    };
    let packs = verdicts::packs_used(work.judgement.packs);
    let kept = KeptJudged {
        judged_with,
        packs: packs.clone(),
        judged: judged.clone(),
    };
    let why = why(before.as_ref(), &kept);
    let report = verdicts::report([judged], packs);
    let committed = store::Judged::of(&report, encode(&kept), &why, row.dirty);
    let committed = committed.expect("the report is about one host");
    let changed = work.case.commit_host(&committed, micros((work.now)()))?;
    Ok(Some(changes(host, changed, &why).collect()))
}

/// Statements about one host.
fn of_host(judgement: &Judgement<'_>, host: &str) -> Vec<Attestation> {
    let stated = judgement.attestations.iter();
    stated
        .filter(|stated| gather::normalised(&stated.host) == gather::normalised(host))
        .cloned()
        .collect()
}

/// What is another than at the judgement before.
fn why(before: Option<&KeptJudged>, now: &KeptJudged) -> String {
    let Some(before) = before else {
        return "first judgement".to_owned();
    };
    let ids = |kept: &KeptJudged| -> BTreeSet<String> {
        let collections = kept.judged.report.collections.iter();
        collections.map(|known| known.id.clone()).collect()
    };
    let (had, has) = (ids(before), ids(now));
    let mut told = Vec::new();
    for id in has.difference(&had) {
        told.push(format!("collection {id} came in"));
    }
    for id in had.difference(&has) {
        told.push(format!("collection {id} is gone"));
    }
    let version = |packs: &[model::report::PackUsed], name: &str| {
        let pack = packs.iter().find(|pack| pack.name == name);
        pack.map(|pack| pack.version.clone())
    };
    let names = before.packs.iter().chain(&now.packs);
    let names: BTreeSet<&str> = names.map(|pack| pack.name.as_str()).collect();
    for name in names {
        match (version(&before.packs, name), version(&now.packs, name)) {
            (None, Some(_)) => told.push(format!("pack {name} is used")),
            (Some(_), None) => told.push(format!("pack {name} is no longer used")),
            (Some(was), Some(is)) if was != is => {
                told.push(format!("pack {name} {was} became {is}"));
            }
            _ => {}
        }
    }
    if told.is_empty() && before.judged_with != now.judged_with {
        told.push("rules, indicators, tables or statements are others".to_owned());
    }
    if told.is_empty() {
        told.push("its evidence was looked at again".to_owned());
    }
    told.join("; ")
}

/// The host's parts, in the order in which its collections came.
fn parts_of(case: &Case, host: &str) -> Result<Vec<Part>, CaseError> {
    let rows = case.host_parts(host)?;
    let parts = rows.iter().map(|row| {
        let kept: KeptPart = read_object(case, &row.object)?;
        Ok(kept.part)
    });
    parts.collect()
}

/// The judgement of one host from these parts of it.
fn judged(bench: &Bench<'_>, parts: Vec<Part>) -> Result<Option<Judged>, CaseError> {
    let Bench { work, rules, .. } = bench;
    let correlate = |sightings| rules.correlate(sightings);
    let hosts = gather::hosts(parts, bench.problems, work.judgement, &correlate);
    let Some(mut host) = hosts.into_iter().next() else {
        return Ok(None);
    };
    let name = host.host.clone();
    sent::weigh_stored(&mut host, |collection, visit| {
        each_event(work.case, &name, collection, &mut |item, record| {
            visit(item, record);
        })
    })?;
    Ok(Some(verdicts::judge(host, work.judgement, bench.leads)))
}

/// Every event of one host in one collection: items in order of their paths, and events in the order in which they were
/// read.
pub(super) fn each_event(
    case: &Case,
    host: &str,
    collection: &str,
    visit: &mut dyn FnMut(&str, &dyn Record),
) -> Result<(), CaseError> {
    let is_wanted = |object: &ObjectRow| {
        object.kind == "events" && object.collection.as_deref() == Some(collection)
    };
    for object in case.host_objects(host)?.iter().filter(|o| is_wanted(o)) {
        let file = case.local_object(&object.name)?;
        let scratch = tempfile::tempdir_in(case.staging()).map_err(CaseError::Staging)?;
        read_events(file.path(), scratch.path(), visit)?;
    }
    Ok(())
}

fn read_events(
    path: &Path,
    scratch: &Path,
    visit: &mut dyn FnMut(&str, &dyn Record),
) -> Result<(), CaseError> {
    store::events::read(path, scratch, SORT_BYTES_MAX, &mut |record| {
        visit(record.item(), record);
        ControlFlow::Continue(())
    })?;
    Ok(())
}

/// Runs detection once more over every collection that was looked at by other rules than those of now.
fn detect_again(work: &Work<'_>, digests: &Digests, rules: &Rules<'_>) -> Result<(), CaseError> {
    let mut collections: BTreeMap<String, Vec<PartRow>> = BTreeMap::new();
    work.case.each_part(&mut |part| {
        let of = collections.entry(part.collection.clone()).or_default();
        of.push(part);
    })?;
    let packs = work.judgement.packs.iter();
    let packs: BTreeSet<&str> = packs.map(|pack| pack.manifest.name.as_str()).collect();
    for (collection, rows) in collections {
        let mut parts: Vec<KeptPart> = Vec::new();
        for row in &rows {
            parts.push(read_object(work.case, &row.object)?);
        }
        if parts.iter().all(|kept| kept.detection == digests.detection) {
            continue;
        }
        let (engine, _) = rules.engine().ok_or(CaseError::Rules)?;
        let mut again = Vec::new();
        // What is told of other hosts follows from what is found here.
        for kept in parts.iter().filter(|kept| kept.part.told_by.is_none()) {
            let part = &kept.part;
            let mut detection = Again::new(engine, &part.seen.items);
            each_event(work.case, &part.host, &collection, &mut |item, record| {
                detection.record(item, record);
            })?;
            let other_bytes = kept.bytes != digests.bytes;
            let found = detection.finish(part, &packs, other_bytes);
            again.push((kept.bytes.clone(), found));
        }
        let mut told = Vec::new();
        for (bytes, part) in &mut again {
            let others = gather::about_others(part);
            told.extend(others.into_iter().map(|part| (bytes.clone(), part)));
        }
        again.extend(told);
        let parts: Vec<_> = again
            .into_iter()
            .map(|(bytes, part)| new_part(&digests.detection, &bytes, part))
            .collect();
        let now = micros((work.now)());
        work.case.replace_parts(&collection, &parts, now)?;
    }
    Ok(())
}

/// Which two times of a host are compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// The host as its collections up to this time show it; all but the latest where nothing is said.
    pub from: Option<Timestamp>,
    /// All collections where nothing is said.
    pub to: Option<Timestamp>,
}

/// What became of a host between two times, judged by the packs of now.
pub fn at_times(work: &Work<'_>, host: &str, times: Times) -> Result<HostDiff, CaseError> {
    let rules = Rules::new(work.knowledge);
    let problems = problem_gaps(&rules, None)?;
    let leads = pack::LeadTable::builtin();
    let digests = Digests::of(work.knowledge, work.judgement);
    let bench = Bench {
        work,
        digests: &digests,
        rules: &rules,
        problems: &problems,
        leads: &leads,
    };
    let name = gather::normalised(host);
    let known = [host, name.as_str()].into_iter();
    let mut parts = Vec::new();
    for name in known {
        if parts.is_empty() {
            parts = parts_of(work.case, name)?;
        }
    }
    if parts.is_empty() {
        return Err(CaseError::NoHost(host.to_owned()));
    }
    let is_later = |part: &Part, time: Option<Timestamp>| {
        time.is_some_and(|time| part.seen.taken.is_some_and(|taken| taken > time))
    };
    parts.retain(|part| !is_later(part, times.to));
    let latest = parts.iter().map(|part| part.seen.taken).max().flatten();
    let mut earlier = parts.clone();
    match times.from {
        Some(from) => earlier.retain(|part| !is_later(part, Some(from))),
        None => earlier.retain(|part| part.seen.taken != latest),
    }
    let none = || CaseError::NoEarlier(host.to_owned());
    if earlier.is_empty() || parts.is_empty() {
        return Err(none());
    }
    let before = judged(&bench, earlier)?.ok_or_else(none)?;
    let after = judged(&bench, parts)?.ok_or_else(none)?;
    Ok(assess::diff(seen(&before), seen(&after)))
}

fn seen(judged: &Judged) -> assess::Seen<'_> {
    assess::Seen {
        report: &judged.report,
        as_of: judged.as_of,
        findings: &judged.findings,
        gaps: &judged.gaps,
    }
}
