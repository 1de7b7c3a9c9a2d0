//! Script files that do not fit in where they lie: not shipped, younger than their neighbours and than every update,
//! with times that were set, or deleted. File times date nothing; they only point.

use super::{DAY_SECONDS, Drafts, Ground, Shipped};
use crate::words;
use model::{Fact, FactAt, FileTimes, Place, Timestamp};
use pack::LeadSignal;
use pack::shipped_files;
use std::collections::BTreeMap;

/// The scripts of one lower-case folder with their times, by lower-case path.
type Folder<'a> = BTreeMap<String, (&'a FileTimes, &'a FactAt)>;

/// Adds every script file that no table of shipped files explains, with what its times show.
pub(super) fn find(ground: &Ground<'_>, drafts: &mut Drafts) {
    for (path, item) in &ground.site.items {
        let is_script = shipped_files::is_script(path);
        if is_script && matches!(ground.ships_file(path), Shipped::No | Shipped::Changed) {
            let draft = drafts.of(path, "file", &item.path);
            draft.file = Some(item.path.clone());
            ground.judge_shipped(path, draft);
            ground.judge_folder(path, draft);
            draft.place(&Place::item(&ground.site.latest.id, &item.path));
        }
    }
    let mut folders: BTreeMap<String, Folder<'_>> = BTreeMap::new();
    for known in &ground.observed.facts {
        if let Fact::FileTimes(times) = &known.fact
            && known.place.collection == ground.site.latest.id
        {
            let path = times.path.to_lowercase();
            let folder = folders.entry(model::parent(&path).to_owned()).or_default();
            // A deleted file may have had the name of one that is there, and NTFS knows more than an archive.
            let worth = |times: &FileTimes| (!times.deleted, times.named.is_some());
            let is_better = folder
                .get(&path)
                .is_none_or(|(known, _)| worth(times) > worth(known));
            if is_better {
                folder.insert(path, (times, known));
            }
        }
    }
    for folder in folders.values() {
        for (path, (times, known)) in folder {
            file(ground, folder, path, times, &known.place, drafts);
        }
    }
}

/// When a file came to its place, by the times that are hardest to set.
fn born(times: &FileTimes) -> Option<Timestamp> {
    times.named.or(times.created).or(times.modified)
}

fn days(from: Timestamp, until: Timestamp) -> i64 {
    (until.as_second() - from.as_second()).div_euclid(DAY_SECONDS)
}

/// Days by which a file is older than its own name, where it is.
fn older_than_name(times: &FileTimes) -> Option<i64> {
    let days = days(times.created?, times.named?);
    (days >= 1).then_some(days)
}

fn file(
    ground: &Ground<'_>,
    folder: &Folder<'_>,
    path: &str,
    times: &FileTimes,
    place: &Place,
    drafts: &mut Drafts,
) {
    let shipped = ground.ships_file(path);
    let is_known = drafts.0.contains_key(path);
    if shipped == Shipped::Yes || (shipped == Shipped::Unknown && !is_known) {
        return;
    }
    let limits = &ground.table.limits;
    let draft = drafts.of(path, "file", &times.path);
    draft.file.get_or_insert_with(|| times.path.clone());
    draft.place(place);
    ground.judge_shipped(path, draft);
    if times.deleted {
        let text = "the table of files remembers it, and it is no longer there";
        draft.add(LeadSignal::DeletedScript, text.to_owned());
    }
    let others: Vec<&FileTimes> = folder
        .iter()
        .filter(|(other, _)| *other != path)
        .map(|(_, (times, _))| *times)
        .filter(|times| !times.deleted)
        .collect();
    let enough = others.len() >= limits.neighbours.value as usize;
    let younger = i64::from(limits.younger_days.value);
    if let Some(born) = born(times) {
        let newest = others.iter().filter_map(|other| self::born(other)).max();
        if let Some(newest) = newest
            && enough
            && days(newest, born) >= younger
        {
            let text = format!(
                "{} younger than the youngest of the {} other scripts of its folder",
                words::duration(born.as_second() - newest.as_second()),
                others.len()
            );
            draft.add(LeadSignal::YoungerThanNeighbours, text);
        }
        // An update of the next day may be what wrote it, in another time zone.
        let slack = born.as_second().saturating_add(DAY_SECONDS);
        let until = Timestamp::from_second(slack).unwrap_or(born);
        if let Some(update) = ground.update_before(until)
            && days(update, born) >= younger
        {
            let text = format!(
                "came to its folder on {}, {} after the last update before it",
                words::day(born),
                words::duration(born.as_second() - update.as_second())
            );
            draft.add(LeadSignal::YoungerThanUpdate, text);
        }
    }
    if let Some(older) = older_than_name(times) {
        let alike = others
            .iter()
            .filter(|other| older_than_name(other).is_some());
        if alike.count() * 2 < others.len().max(1) {
            let text = format!(
                "the time that programs see is {} older than the one NTFS wrote when the file got its name",
                words::counted(usize::try_from(older).unwrap_or(0), "day")
            );
            draft.add(LeadSignal::TimesSet, text);
        }
    }
}
