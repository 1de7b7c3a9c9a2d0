//! What the latest collection holds of files: hives, configuration, tasks and the web server's folders.

use crate::derive::{self, WEB_ROOTS};
use crate::exposure::ExposureJudged;
use model::report::NeedReport;
use model::{CollectionSeen, Fact, Gap, GapKind, Observed, Place, SourceName, VirtualDirectory};
use pack::NeededSource;
use std::collections::BTreeSet;

/// How many checks a needed source takes, how many it passed, and why not all.
pub(super) struct Checked {
    pub(super) passed: u64,
    pub(super) checks: u64,
    pub(super) gaps: Vec<Gap>,
}

/// What checks of files are made against.
#[derive(Clone, Copy)]
pub(super) struct Files<'a> {
    pub(super) observed: &'a Observed,
    pub(super) exposure: &'a ExposureJudged,
    /// Needs over time that are not whole.
    pub(super) not_met: &'a [&'a NeedReport],
}

impl Files<'_> {
    /// Checks one needed source of files against the latest collection.
    pub(super) fn check(self, needed: &NeededSource) -> Checked {
        let Some(latest) = self.observed.collections.last() else {
            return Checked {
                passed: 0,
                checks: 1,
                gaps: vec![Gap::new(
                    GapKind::Missing,
                    Place::default(),
                    format!("no collection holds {}", needed.source),
                )],
            };
        };
        let mut gaps = Vec::new();
        let mut checks = 0;
        if needed.source != WEB_ROOTS {
            checks += 1;
            if !latest
                .items
                .iter()
                .any(|item| is_of(item.source.as_ref(), needed))
            {
                gaps.push(missing(latest, needed, "is not in the latest collection"));
            }
        }
        let mut failed = u64::from(!gaps.is_empty());
        for folder in &needed.folders {
            checks += 1;
            if !folder_is_there(folder, self.observed, latest, self.exposure) {
                failed += 1;
                gaps.push(missing(
                    latest,
                    needed,
                    &format!(
                        "nothing below {folder} is in the latest collection: a folder that is empty and one that was \
                         not collected look alike"
                    ),
                ));
            }
        }
        if needed.every_virtual_directory {
            let (directories, unseen) = virtual_directories(self.observed, latest, needed);
            checks += directories.max(1);
            failed += unseen.len() as u64;
            if directories == 0 {
                failed += 1;
                gaps.push(missing(
                    latest,
                    needed,
                    "no configuration in the latest collection names a virtual directory, so nobody knows which folders \
                     the web server serves",
                ));
            }
            gaps.extend(unseen);
        }
        // One check for all of these, so that logs that tell of a page that is gone count for as much as no logs at all.
        let mut told = self.reported(latest, needed);
        told.extend(self.answers_unknown(latest, needed));
        if !told.is_empty() || needed.answers_told_by.is_some() {
            checks += 1;
            failed += u64::from(!told.is_empty());
            gaps.extend(told);
        }
        Checked {
            passed: checks.saturating_sub(failed),
            checks,
            gaps,
        }
    }

    /// Gaps of this source that readers and analyses told.
    fn reported(self, latest: &CollectionSeen, needed: &NeededSource) -> Vec<Gap> {
        self.observed
            .gaps
            .iter()
            .filter(|gap| gap.place.collection == latest.id)
            .filter(|gap| is_of(gap.source.as_ref(), needed))
            .filter(|gap| !is_unflushed(gap, latest))
            .cloned()
            .collect()
    }

    /// That nobody knows of pages which answered and are gone, where the logs that would tell were not seen whole.
    fn answers_unknown(self, latest: &CollectionSeen, needed: &NeededSource) -> Option<Gap> {
        let told_by = needed.answers_told_by.as_ref()?;
        let logs = self.not_met.iter().find(|need| need.need == *told_by)?;
        Some(missing(
            latest,
            needed,
            &format!(
                "the logs that show which pages answered ({}) were not seen whole: one that answered may be gone",
                logs.title.to_lowercase()
            ),
        ))
    }
}

fn is_of(source: Option<&SourceName>, needed: &NeededSource) -> bool {
    source.is_some_and(|source| source.as_str() == needed.source)
}

/// Longest time that the hive file of a running system lags behind its transaction logs, in seconds: Windows writes it
/// back about once an hour; a day leaves room for a machine that slept.
const UNFLUSHED_SECONDS_MAX: i64 = 86_400;

/// A hive copied from a running system is nearly always a little behind its transaction logs. That is told as a gap, but
/// it would be hiding behind it to call the hive unseen.
pub(crate) fn is_unflushed(gap: &Gap, latest: &CollectionSeen) -> bool {
    let hive = gap
        .source
        .as_ref()
        .is_some_and(|source| source.family() == "windows.registry");
    match (gap.kind, gap.from, latest.taken) {
        (GapKind::NotUnderstood, Some(from), Some(taken)) if hive => {
            taken.as_second().saturating_sub(from.as_second()) <= UNFLUSHED_SECONDS_MAX
        }
        _ => false,
    }
}

fn missing(latest: &CollectionSeen, needed: &NeededSource, what: &str) -> Gap {
    let detail = if what.starts_with("is ") {
        format!("{} {what}", needed.source)
    } else {
        what.to_owned()
    };
    Gap::new(GapKind::Missing, Place::item(&latest.id, ""), detail)
        .of_source(SourceName::new(&needed.source))
}

/// Whether the collection (or a listing in it) holds something below a folder. `{install}` is the product's folder; a
/// folder without a drive matches on any drive, and where the collection kept no drive.
fn folder_is_there(
    folder: &str,
    observed: &Observed,
    latest: &CollectionSeen,
    exposure: &ExposureJudged,
) -> bool {
    let mut wanted: Vec<String> = Vec::new();
    if let Some(below) = folder.strip_prefix("{install}") {
        if let Some(install) = &exposure.install_path {
            wanted.push(format!("{install}{below}"));
        }
        wanted.push(below.to_owned());
    } else {
        wanted.push(folder.to_owned());
    }
    let wanted: Vec<String> = wanted
        .iter()
        .map(|path| {
            let path = model::windows_path(path).to_lowercase();
            format!("\\{}\\", path.trim_matches('\\'))
        })
        .collect();
    let listed = observed.facts.iter().filter_map(|known| match &known.fact {
        Fact::ListedFile(file) if known.place.collection == latest.id => Some(file.path.as_str()),
        _ => None,
    });
    latest
        .items
        .iter()
        .map(|item| item.path.as_str())
        .chain(listed)
        .any(|path| {
            let path = format!("\\{}", path.to_lowercase());
            wanted.iter().any(|folder| path.contains(folder.as_str()))
        })
}

/// Every folder that the web server serves must be in the collection; names of folders that hold nothing to serve
/// cannot be told from folders nobody collected.
fn virtual_directories(
    observed: &Observed,
    latest: &CollectionSeen,
    needed: &NeededSource,
) -> (u64, Vec<Gap>) {
    let folders: BTreeSet<String> = latest
        .items
        .iter()
        .map(|item| item.path.to_lowercase())
        .collect();
    let mut checked = BTreeSet::new();
    let mut unseen = Vec::new();
    let current = derive::directories(observed).filter(|(place, _)| place.collection == latest.id);
    for (place, directory) in current {
        let VirtualDirectory {
            url_path,
            physical_path,
            site,
            ..
        } = directory;
        let folder = derive::expand(physical_path).to_lowercase();
        let folder = format!("{}\\", folder.trim_end_matches('\\'));
        if !checked.insert(folder.clone()) {
            continue;
        }
        let there = folders
            .range(folder.clone()..)
            .next()
            .is_some_and(|path| path.starts_with(&folder));
        if !there {
            unseen.push(
                Gap::new(
                    GapKind::Missing,
                    place.clone(),
                    format!(
                        "{site}{url_path} is served from {physical_path}, and nothing of that folder is in the \
                         collection"
                    ),
                )
                .of_source(SourceName::new(&needed.source)),
            );
        }
    }
    (checked.len() as u64, unseen)
}
