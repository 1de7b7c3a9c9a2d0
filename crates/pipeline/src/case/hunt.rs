//! A hunt over the events that a case holds: rules of now, without the evidence.

use super::{CaseError, KeptPart, read_object};
use crate::again::Again;
use crate::gather;
use crate::hunt::{HuntMatch, Hunted, Sorter};
use crate::job::{Knowledge, Matched};
use crate::worker::Rules;
use detect::{Engine, Sighting};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use store::{Case, PartRow};

/// What is hunted through.
pub struct Stored<'a> {
    pub case: &'a Case,
    /// Only this host, where one is named.
    pub host: Option<&'a str>,
    /// Threads that look at events.
    pub workers: usize,
}

/// What all threads find.
#[derive(Default)]
struct Found {
    sorter: Sorter,
    hunted: Hunted,
    /// By number of the part, so that their order is the same in every run.
    sightings: BTreeMap<usize, Vec<Sighting>>,
}

/// Runs every rule over every stored event and gives the matches to `out`, in the order in which a hunt through the
/// evidence gives them. Rules for the bytes of files cannot be run: where there are any, gaps say so.
///
/// # Errors
/// When the case has no such host, when it or temporary files cannot be read or written, or when `out` fails.
pub fn hunt(
    stored: &Stored<'_>,
    knowledge: &Knowledge,
    out: &mut dyn FnMut(&HuntMatch<'_>) -> io::Result<()>,
) -> Result<Hunted, CaseError> {
    let rules = Rules::new(knowledge);
    let (engine, problems) = rules.engine().ok_or(CaseError::Rules)?;
    let labels = labels(stored.case)?;
    let parts = parts(stored)?;
    let mut found = all(stored, engine, &parts, &labels)?;
    found.hunted.gaps.extend(gather::rule_problems(problems));

    let (correlated, gaps) = rules.correlate(found.sightings.into_values().flatten().collect());
    found.hunted.gaps.extend(gaps);
    for finding in correlated {
        let number: usize = finding.place.collection.parse().unwrap_or_default();
        let item = finding.place.item.clone();
        let label = label_of(&labels, &parts[number]);
        found
            .sorter
            .add(number, label, &item, finding.into())
            .map_err(CaseError::Output)?;
    }
    let mut hunted = found.hunted;
    hunted.gaps.sort();
    hunted.gaps.dedup();
    found
        .sorter
        .merge(&mut |sorted| {
            hunted.matches += 1;
            let part = &parts[sorted.collection];
            out(&sorted.told(&part.collection, &part.host))
        })
        .map_err(CaseError::Output)?;
    Ok(hunted)
}

/// Where each collection lay, by its id.
fn labels(case: &Case) -> Result<BTreeMap<String, String>, CaseError> {
    let mut labels = BTreeMap::new();
    case.each_collection(&mut |row| {
        labels.insert(row.id, row.label);
    })?;
    Ok(labels)
}

fn label_of<'a>(labels: &'a BTreeMap<String, String>, part: &PartRow) -> &'a str {
    labels.get(&part.collection).map_or("", String::as_str)
}

/// The parts that are hunted through, in order of host and collection.
fn parts(stored: &Stored<'_>) -> Result<Vec<PartRow>, CaseError> {
    let mut parts = Vec::new();
    stored.case.each_part(&mut |part| parts.push(part))?;
    if let Some(host) = stored.host {
        let name = gather::normalised(host);
        parts.retain(|part| part.host == host || part.host == name);
        if parts.is_empty() {
            return Err(CaseError::NoHost(host.to_owned()));
        }
    }
    Ok(parts)
}

/// Looks through these parts, several at once.
fn all(
    stored: &Stored<'_>,
    engine: &Engine,
    parts: &[PartRow],
    labels: &BTreeMap<String, String>,
) -> Result<Found, CaseError> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new((Found::default(), Ok(())));
    thread::scope(|scope| {
        for _ in 0..stored.workers.clamp(1, parts.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(row) = parts.get(number) else {
                        break;
                    };
                    let label = label_of(labels, row);
                    if let Err(error) = one(stored.case, engine, number, row, label, &found) {
                        // The others stop at their next part.
                        next.store(parts.len(), Ordering::Relaxed);
                        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                        if found.1.is_ok() {
                            found.1 = Err(error);
                        }
                    }
                }
            });
        }
    });
    let (found, outcome) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome.map(|()| found)
}

/// Looks through one part.
fn one(
    case: &Case,
    engine: &Engine,
    number: usize,
    row: &PartRow,
    label: &str,
    found: &Mutex<(Found, Result<(), CaseError>)>,
) -> Result<(), CaseError> {
    let KeptPart { part, .. } = read_object(case, &row.object)?;
    // What only records of another host tell stands with that host.
    if part.told_by.is_some() {
        return Ok(());
    }
    let mut outcome = Ok(());
    let mut take = |item: &str, matched: Matched| {
        if outcome.is_ok() {
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            outcome = found.0.sorter.add(number, label, item, matched);
        }
    };
    let mut detection = Again::hunt(engine, &part.seen.items, &mut take);
    super::judge::each_event(case, &part.host, &row.collection, &mut |item, record| {
        detection.record(item, record);
    })?;
    let (mut sightings, gaps) = detection.end_hunt(&part);
    outcome.map_err(CaseError::Output)?;
    for sighting in &mut sightings {
        sighting.place.collection = number.to_string();
    }
    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
    let Found {
        hunted,
        sightings: all,
        ..
    } = &mut found.0;
    all.insert(number, sightings);
    hunted.gaps.extend(gaps);
    hunted.gaps.extend(part.gaps);
    for item in &part.seen.items {
        hunted.accounting.add(item);
    }
    Ok(())
}
