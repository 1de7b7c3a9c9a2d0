//! Detections only, as a stream in order of time; no verdict.
//!
//! Workers tell matches as they find them; here they are sorted with bounded memory: what does not fit is written to
//! nameless temporary files, run by run, and merged at the end. Only then is it known whose host each item is.

use crate::gather;
use crate::job::{Knowledge, Matched, Position, Task};
use crate::supervise::{self, Ask, Crew, Progress, Seen, SuperviseError};
use crate::worker::Rules;
use detect::Sighting;
use evidence::Collection;
use model::{Accounting, At, Finding, Gap, Place, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};

/// Bytes of matches that are sorted in memory at a time.
const RUN_BYTES_MAX: usize = 4 << 20;

/// One rule's match of one record.
#[derive(Clone, Debug, Serialize)]
pub struct HuntMatch<'a> {
    pub rule_id: &'a str,
    pub rule: &'a str,
    pub level: &'a str,
    pub time: Option<Timestamp>,
    pub host: &'a str,
    pub place: Place,
    /// Name of the pack that the rule is of; none for a user's own rule.
    pub campaign: Option<&'a str>,
    pub author: &'a str,
    pub reference: &'a str,
    /// The record's fields, under the source's own names.
    pub fields: &'a RawValue,
}

/// What was hunted through.
#[derive(Clone, Debug, Default)]
pub struct Hunted {
    pub matches: u64,
    pub accounting: Accounting,
    /// What could not be looked at, rules that cannot run among it.
    pub gaps: Vec<Gap>,
}

/// Runs every rule over every record and gives the matches to `out`, ordered by time (undated ones last), then place.
///
/// The order does not depend on the order of the collections nor on the number of workers.
///
/// # Errors
/// When workers cannot be run, when temporary files cannot be written, or when `out` fails.
pub fn hunt(
    collections: &[Collection],
    knowledge: &Knowledge,
    crew: &Crew,
    host: Option<&str>,
    progress: &mut dyn FnMut(Progress<'_>),
    out: &mut dyn FnMut(&HuntMatch<'_>) -> io::Result<()>,
) -> Result<Hunted, SuperviseError> {
    let mut sorter = Sorter::default();
    let mut done: BTreeSet<Position> = BTreeSet::new();
    let mut spilled = Ok(());
    let mut seen = supervise::read(
        collections,
        knowledge,
        crew,
        Ask {
            task: Task::Hunt,
            ..Ask::default()
        },
        progress,
        &mut |told| match told {
            supervise::Told::Matches(position, path, matches) => {
                // A successor may tell an archive again that it had to open for the members behind.
                if spilled.is_ok() && !done.contains(&position) {
                    let label = &collections[position.collection].label;
                    spilled = matches.into_iter().try_for_each(|matched| {
                        sorter.add(position.collection, label, &path, matched)
                    });
                }
            }
            supervise::Told::Done(position) => {
                done.insert(position);
            }
        },
    )?;
    spilled.map_err(SuperviseError::Output)?;
    let rules = Rules::new(knowledge);
    let (correlated, gaps) = rules.correlate(sightings(&mut seen));
    for finding in correlated {
        sorter
            .add_correlated(collections, finding)
            .map_err(SuperviseError::Output)?;
    }
    let owners = gather::owners(seen, host);
    let mut hunted = Hunted {
        matches: 0,
        accounting: owners.accounting.clone(),
        gaps: owners.gaps.iter().cloned().chain(gaps).collect(),
    };
    sorter
        .merge(&mut |sorted| {
            hunted.matches += 1;
            let (collection, host) = owners.of(sorted.collection, &sorted.order.item);
            out(&sorted.told(collection, host))
        })
        .map_err(SuperviseError::Output)?;
    Ok(hunted)
}

/// All matches that correlations look at, of all collections together; each place names its collection by number, as ids
/// are not known yet.
fn sightings(seen: &mut Seen) -> Vec<Sighting> {
    let mut all = Vec::new();
    for (number, collection) in seen.collections.iter_mut().enumerate() {
        for item in collection.items.values_mut() {
            for mut sighting in std::mem::take(&mut item.sightings) {
                sighting.place.collection = number.to_string();
                all.push(sighting);
            }
        }
    }
    all
}

/// What matches are sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Order {
    undated: bool,
    time: Option<Timestamp>,
    label: String,
    item: String,
    at: At,
    rule_id: String,
}

/// A match with its order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sorted {
    order: Order,
    pub(crate) collection: usize,
    matched: Matched,
}

impl Sorted {
    /// The match as it is given out, of this collection and host.
    pub(crate) fn told<'a>(&'a self, collection: &str, host: &'a str) -> HuntMatch<'a> {
        let matched = &self.matched;
        HuntMatch {
            rule_id: &matched.rule_id,
            rule: &matched.rule,
            level: &matched.level,
            time: self.order.time,
            host,
            place: Place::item(collection, &self.order.item).at(matched.at),
            campaign: matched.campaign.as_deref(),
            author: &matched.author,
            reference: &matched.reference,
            fields: &matched.fields,
        }
    }
}

/// Sorts any number of matches with bounded memory.
#[derive(Default)]
pub(crate) struct Sorter {
    run: Vec<Sorted>,
    bytes: usize,
    spilled: Vec<File>,
}

impl Sorter {
    /// Takes a match in this item of the collection of this number and label.
    pub(crate) fn add(
        &mut self,
        collection: usize,
        label: &str,
        item: &str,
        matched: Matched,
    ) -> io::Result<()> {
        self.bytes += size_of::<Sorted>()
            + matched.fields.get().len()
            + item.len()
            + label.len()
            + matched.rule.len()
            + 2 * matched.rule_id.len()
            + matched.author.len()
            + matched.reference.len();
        self.run.push(Sorted {
            order: Order {
                undated: matched.time.is_none(),
                time: matched.time,
                label: label.to_owned(),
                item: item.to_owned(),
                at: matched.at,
                rule_id: matched.rule_id.clone(),
            },
            collection,
            matched,
        });
        if self.bytes < RUN_BYTES_MAX {
            return Ok(());
        }
        self.spill()
    }

    /// A correlation's match stands among the others at the last event that counted.
    fn add_correlated(&mut self, collections: &[Collection], finding: Finding) -> io::Result<()> {
        let number = finding.place.collection.parse().unwrap_or_default();
        let Some(collection) = collections.get(number) else {
            return Ok(());
        };
        let item = finding.place.item.clone();
        self.add(number, &collection.label, &item, finding.into())
    }

    fn sort(&mut self) -> Vec<Sorted> {
        let mut run = std::mem::take(&mut self.run);
        self.bytes = 0;
        run.sort_by(|a, b| a.order.cmp(&b.order));
        run
    }

    fn spill(&mut self) -> io::Result<()> {
        let mut file = BufWriter::new(tempfile::tempfile()?);
        for sorted in self.sort() {
            serde_json::to_writer(&mut file, &sorted).map_err(io::Error::other)?;
            file.write_all(b"\n")?;
        }
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        self.spilled.push(file);
        Ok(())
    }

    /// Gives all matches in order.
    pub(crate) fn merge(mut self, out: &mut dyn FnMut(Sorted) -> io::Result<()>) -> io::Result<()> {
        if self.spilled.is_empty() {
            return self.sort().into_iter().try_for_each(out);
        }
        if !self.run.is_empty() {
            self.spill()?;
        }
        let mut runs: Vec<BufReader<File>> = self.spilled.into_iter().map(BufReader::new).collect();
        let mut heads = BinaryHeap::new();
        for (number, run) in runs.iter_mut().enumerate() {
            if let Some(sorted) = next(run)? {
                heads.push(Reverse(Head { number, sorted }));
            }
        }
        while let Some(Reverse(Head { number, sorted })) = heads.pop() {
            out(sorted)?;
            if let Some(sorted) = next(&mut runs[number])? {
                heads.push(Reverse(Head { number, sorted }));
            }
        }
        Ok(())
    }
}

/// The next match of a run.
fn next(run: &mut BufReader<File>) -> io::Result<Option<Sorted>> {
    let mut line = Vec::new();
    if run.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    serde_json::from_slice(&line)
        .map(Some)
        .map_err(io::Error::other)
}

/// The first match of a run that is left.
struct Head {
    number: usize,
    sorted: Sorted,
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (&self.sorted.order, self.number).cmp(&(&other.sorted.order, other.number))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matched(time: Option<i64>, line: u64) -> Matched {
        Matched {
            rule_id: "r".to_owned(),
            rule: "Rule".to_owned(),
            level: "high".to_owned(),
            author: String::new(),
            reference: String::new(),
            campaign: None,
            time: time.map(|time| Timestamp::from_second(time).expect("a time")),
            at: At::Line(line),
            fields: RawValue::from_string(r#"{"a":1}"#.to_owned()).expect("JSON"),
        }
    }

    proptest! {
        /// However often it spills, everything comes out once and in order.
        #[test]
        fn spilled_runs_merge_in_order(
            times in prop::collection::vec((prop::option::of(0_i64..50), 0_u64..50), 0..200),
            every in 1_usize..40,
        ) {
            let mut sorter = Sorter::default();
            for (number, (time, line)) in times.iter().enumerate() {
                sorter.add(0, "c", "i", matched(*time, *line)).expect("memory");
                if number % every == 0 {
                    sorter.spill().expect("a temporary file");
                }
            }
            let mut merged = Vec::new();
            sorter
                .merge(&mut |sorted| {
                    merged.push((sorted.order.undated, sorted.matched.time, sorted.matched.at));
                    Ok(())
                })
                .expect("a temporary file");
            let mut expected: Vec<_> = times
                .iter()
                .map(|(time, line)| {
                    let matched = matched(*time, *line);
                    (matched.time.is_none(), matched.time, matched.at)
                })
                .collect();
            expected.sort();
            prop_assert_eq!(merged, expected);
        }
    }
}
