//! `allclear case take`: the evidence itself, each file once, by its hash.

use super::open::now;
use super::{Take, failure, open};
use crate::check::discover;
use crate::exit::{self, Failure};
use crate::{Outcome, output};
use evidence::{Content, Decision, Digest, Entry, Options, Visitor};
use model::GapKind;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;
use store::{Case, CaseError, micros};

pub(super) fn run(take: &Take) -> Outcome {
    let case = open(&take.at)?;
    let _run = case.begin_run().map_err(failure)?;
    let options = Options {
        password: crate::settings::password(take.password.as_deref())?,
        ..Options::default()
    };
    let mut collections = Vec::new();
    case.each_collection(&mut |row| collections.push(row))
        .map_err(failure)?;
    let wanted = |id: &String| take.collection.is_empty() || take.collection.contains(id);
    collections.retain(|row| wanted(&row.id));
    if let Some(id) = take
        .collection
        .iter()
        .find(|id| !collections.iter().any(|row| row.id == **id))
    {
        let unknown = format!("the case has no collection {id}");
        return Err(Failure::usage(
            unknown,
            "`allclear case show CASE HOST` names those of a host",
        ));
    }
    let mut total = Taken::default();
    for collection in &collections {
        let known = items(&case, &collection.id)?;
        let taken = of_collection(&case, &collection.id, &known, &options)?;
        total.add(taken);
    }
    output::to_standard_output(&mut |out| {
        writeln!(
            out,
            "{} items of {} collections taken in",
            total.items,
            collections.len()
        )?;
        for problem in &total.problems {
            writeln!(out, "{}", report::visible(problem))?;
        }
        Ok(())
    })?;
    Ok(ExitCode::from(if total.problems.is_empty() {
        exit::ASSURED
    } else {
        exit::NOT_ASSURED
    }))
}

/// SHA-256 by path, as the items were read.
fn items(case: &Case, id: &str) -> Result<BTreeMap<String, String>, Failure> {
    let mut hosts = BTreeSet::new();
    case.each_part(&mut |part| {
        if part.collection == id {
            hosts.insert(part.host);
        }
    })
    .map_err(failure)?;
    let mut known = BTreeMap::new();
    pipeline::case::manifest(case, &hosts, &mut |collection, item| {
        if collection == id {
            known.insert(item.path.clone(), item.sha256.clone());
        }
        Ok(())
    })
    .map_err(super::open::work_failure)?;
    Ok(known)
}

#[derive(Default)]
struct Taken {
    items: u64,
    problems: Vec<String>,
}

impl Taken {
    fn add(&mut self, other: Self) {
        self.items += other.items;
        self.problems.extend(other.problems);
    }
}

fn of_collection(
    case: &Case,
    id: &str,
    known: &BTreeMap<String, String>,
    options: &Options,
) -> Result<Taken, Failure> {
    let mut taken = Taken::default();
    for location in case.locations(id).map_err(failure)? {
        let (path, container) = pipeline::case::location_parts(&location.location);
        let Ok(found) = discover(&[PathBuf::from(path)], options) else {
            taken
                .problems
                .push(format!("{id}: {path} is not there any more"));
            continue;
        };
        let Some(collection) = found.iter().find(|found| found.container == container) else {
            taken
                .problems
                .push(format!("{id}: {path} is no {container} any more"));
            continue;
        };
        let mut visitor = Taking {
            case,
            id,
            known,
            items: 0,
            problems: Vec::new(),
            seen: BTreeSet::new(),
            failed: None,
        };
        evidence::walk(collection, options, &mut visitor);
        if let Some(error) = visitor.failed {
            return Err(failure(error));
        }
        let missing = known
            .keys()
            .filter(|path| !visitor.seen.contains(*path))
            .count();
        if missing > 0 {
            visitor
                .problems
                .push(format!("{id}: {missing} items are not there any more"));
        }
        taken.add(Taken {
            items: visitor.items,
            problems: visitor.problems,
        });
        // One of several places is enough.
        return Ok(taken);
    }
    if taken.problems.is_empty() {
        taken
            .problems
            .push(format!("{id}: nobody knows where its evidence lies"));
    }
    Ok(taken)
}

struct Taking<'a> {
    case: &'a Case,
    id: &'a str,
    known: &'a BTreeMap<String, String>,
    items: u64,
    problems: Vec<String>,
    seen: BTreeSet<String>,
    failed: Option<CaseError>,
}

impl Visitor for Taking<'_> {
    fn begin(&mut self, entry: &Entry) -> Decision {
        let is_wanted = self.failed.is_none() && self.known.contains_key(&entry.path);
        if is_wanted {
            Decision::Read
        } else {
            Decision::Skip
        }
    }

    fn content(&mut self, entry: &Entry, content: &mut dyn Content) {
        let time = micros(now());
        match self
            .case
            .take(self.id, &entry.path, &mut content.stream(), time)
        {
            Ok(object) => {
                self.seen.insert(entry.path.clone());
                self.items += 1;
                let sha256 = self.known.get(&entry.path).map_or("", String::as_str);
                if !sha256.is_empty() && object.sha256 != sha256 {
                    let changed = "is not what was read: it has changed since";
                    self.problems
                        .push(format!("{}: {} {changed}", self.id, entry.path));
                }
            }
            Err(CaseError::File { path, source }) if path.as_os_str() == entry.path.as_str() => {
                self.problems.push(format!(
                    "{}: {} cannot be read: {source}",
                    self.id, entry.path
                ));
            }
            Err(error) => self.failed = Some(error),
        }
    }

    fn end(&mut self, _: &Entry, _: &Digest) {}

    fn gap(&mut self, path: &str, kind: GapKind, detail: &str) {
        self.problems
            .push(format!("{}: {path}: {}: {detail}", self.id, kind.name()));
    }
}
