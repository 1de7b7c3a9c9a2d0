//! KAPE's logs beside the copied drives ([format](https://ericzimmerman.github.io/KapeDocs/#!Pages%5C2.1-Targets.md)).

use super::{CollectorGap, RecordKind, host, message, taken, text, time};
use model::{Fact, GapKind, ListedFile, Timestamp};

/// Files taken from one skip log; those of one host stay well below.
const LISTED_FILES_MAX: usize = 20_000;

pub(super) const CONSOLE_LOG: RecordKind = RecordKind {
    detect: |name| name.ends_with("_consolelog.txt"),
    facts: console_facts,
    gaps: console_failures,
};

pub(super) const SKIP_LOG: RecordKind = RecordKind {
    detect: |name| name.ends_with("_skiplog.csv") || name.ends_with("_skiplog.csv.csv"),
    facts: |_, bytes| deduplicated(bytes),
    gaps: skipped,
};

fn console_facts(name: &str, bytes: &[u8]) -> Vec<Fact> {
    let log = text(bytes);
    // Machine and time are those of KAPE's run. They are the host's only where KAPE copied from its own system
    // drive, not from a mounted image.
    if !copied_from_system_drive(&log) {
        return Vec::new();
    }
    let machine = between(&log, "Machine name: ", ",");
    let name_fact =
        machine.and_then(|machine| host(machine, "KAPE console log, run on the host itself"));
    let time_fact = taken(time_of_name(name), "name of the KAPE console log");
    name_fact.into_iter().chain(time_fact).collect()
}

fn copied_from_system_drive(log: &str) -> bool {
    between(log, "--tsource ", " ").is_some_and(|source| {
        let drive = source.trim_matches(['"', '\'', '\\', ':']);
        drive.eq_ignore_ascii_case("c")
    })
}

/// Names begin with the start in UTC: `2022-05-28T024344_` or, later, `2025-08-25T20_20_59_5246365_`.
fn time_of_name(name: &str) -> Option<Timestamp> {
    let name = name.to_ascii_uppercase();
    let (date, rest) = name.split_once('T')?;
    let digits: String = rest
        .chars()
        .filter(|character| *character != '_')
        .take_while(char::is_ascii_digit)
        .take(6)
        .collect();
    time("%Y-%m-%d %H%M%S", &format!("{date} {digits}"))
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    let line = rest.lines().next()?;
    Some(line.split(after).next().unwrap_or(line))
}

fn console_failures(bytes: &[u8]) -> Vec<CollectorGap> {
    text(bytes).lines().filter_map(failure).collect()
}

fn failure(line: &str) -> Option<CollectorGap> {
    if let Some((_, rest)) = line.split_once("Could not copy file ") {
        let (copied, error) = rest.split_once(". Error: ").unwrap_or((rest, ""));
        let path = copied.split(" to ").next().unwrap_or(copied);
        let detail = format!("KAPE could not copy it: {}", message(error));
        return Some(CollectorGap::new(path, GapKind::Unreadable, detail));
    }
    let path = between(line, " File ", " does not exist! Skipping!")?;
    line.contains(" does not exist! Skipping!").then(|| {
        CollectorGap::new(
            path,
            GapKind::Missing,
            "KAPE found it listed but no longer there",
        )
    })
}

/// Rows of the skip log as (source file, reason).
fn skip_rows(bytes: &[u8]) -> Vec<(String, String)> {
    let log = text(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(log.as_bytes());
    let Ok(head) = reader.headers().cloned() else {
        return Vec::new();
    };
    let column = |wanted: &str| {
        head.iter()
            .position(|name| name.eq_ignore_ascii_case(wanted))
    };
    let (Some(source), Some(reason)) = (column("SourceFile"), column("Reason")) else {
        return Vec::new();
    };
    reader
        .records()
        .filter_map(Result::ok)
        .filter_map(|row| Some((row.get(source)?.to_owned(), row.get(reason)?.to_owned())))
        .collect()
}

fn is_deduplicated(reason: &str) -> bool {
    reason.eq_ignore_ascii_case("deduped")
}

/// Files left out because a file of the same bytes was copied elsewhere: they were there all the same.
fn deduplicated(bytes: &[u8]) -> Vec<Fact> {
    skip_rows(bytes)
        .into_iter()
        .filter(|(_, reason)| is_deduplicated(reason))
        .take(LISTED_FILES_MAX)
        .map(|(path, _)| {
            Fact::ListedFile(ListedFile {
                path: super::shown(&path),
                size: None,
                sha256: None,
            })
        })
        .collect()
}

fn skipped(bytes: &[u8]) -> Vec<CollectorGap> {
    skip_rows(bytes)
        .into_iter()
        .filter(|(_, reason)| !is_deduplicated(reason))
        .map(|(path, reason)| {
            let detail = format!("KAPE skipped it: {}", message(&reason));
            CollectorGap::new(&path, GapKind::Unreadable, detail)
        })
        .collect()
}
