//! Reads collections for a case: some small ones at once, a large one alone, each to its end.

use super::CaseError;
use crate::gather::{self, Part, Shared};
use crate::job::Knowledge;
use crate::supervise::{self, Ask, CollectionRaw, Crew, Progress};
use evidence::Collection;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use store::events::Staged;

/// One collection as it was read, with what is to be kept of it.
pub(super) struct Taken {
    /// The number of the collection among those given.
    pub(super) number: usize,
    pub(super) shared: Shared,
    /// Where its events were put down, item by item.
    pub(super) staged: Vec<Staged>,
}

/// What one run of readers says.
pub(super) struct Read {
    pub(super) taken: Vec<Taken>,
    pub(super) rule_problems: BTreeSet<String>,
}

/// Reads these of the collections; their events are put down in the folder.
pub(super) fn read(
    collections: &[Collection],
    numbers: &[usize],
    knowledge: &Knowledge,
    crew: &Crew,
    forced: Option<&str>,
    folder: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Read, CaseError> {
    let wanted: Vec<Collection> = numbers
        .iter()
        .map(|number| collections[*number].clone())
        .collect();
    let ask = Ask {
        events: Some(folder),
        ..Ask::default()
    };
    let seen = supervise::read(&wanted, knowledge, crew, ask, progress, &mut |_matches| {})?;
    let taken = numbers
        .iter()
        .zip(seen.collections)
        .map(|(number, raw)| taken(*number, raw, forced))
        .collect();
    Ok(Read {
        taken,
        rule_problems: seen.rule_problems,
    })
}

fn taken(number: usize, raw: CollectionRaw, forced: Option<&str>) -> Taken {
    let put_down: Vec<_> = raw
        .items
        .values()
        .filter_map(|report| Some((report.item.path.clone(), report.events.clone()?)))
        .collect();
    let shared = gather::shared(raw, forced);
    let owners = owners(&shared.parts);
    let staged = put_down
        .into_iter()
        .filter_map(|(item, at)| {
            let host = (*owners.get(item.as_str())?).to_owned();
            Some(Staged {
                file: at.file,
                ordinal: at.number,
                rows: at.rows,
                item,
                host,
            })
        })
        .collect();
    Taken {
        number,
        shared,
        staged,
    }
}

/// Whose each item is. Hosts that only records of others tell of come last, and own none of these.
fn owners(parts: &[Part]) -> BTreeMap<&str, &str> {
    let mut owners = BTreeMap::new();
    for part in parts {
        for item in &part.seen.items {
            owners
                .entry(item.path.as_str())
                .or_insert(part.host.as_str());
        }
    }
    owners
}
