//! Unix-like Artifacts Collector ([UAC](https://tclahr.github.io/uac-docs/)): the log inside and the one beside its archive.

use super::{CollectorGap, RecordKind, host, message, taken, text, time};
use model::{Fact, GapKind};

pub(super) const LOG: RecordKind = RecordKind {
    detect: |name| name == "uac.log",
    facts: |_, bytes| begun(bytes),
    gaps: logged_errors,
};

pub(super) const ACQUISITION_LOG: RecordKind = RecordKind {
    detect: |name| name.starts_with("uac-") && model::extension(name) == "log",
    facts: |_, bytes| acquisition(bytes),
    gaps: |_| Vec::new(),
};

/// Length of `2021-03-04 10:11:12 +0100`.
const TIME_BYTES: usize = 25;

fn begun(bytes: &[u8]) -> Vec<Fact> {
    let log = text(bytes);
    let first = log.lines().next().unwrap_or_default();
    let begun = first
        .get(..TIME_BYTES)
        .and_then(|text| time("%Y-%m-%d %H:%M:%S %z", text));
    taken(begun, "first line of uac.log").into_iter().collect()
}

fn logged_errors(bytes: &[u8]) -> Vec<CollectorGap> {
    text(bytes)
        .lines()
        .filter_map(|line| line.get(TIME_BYTES..)?.strip_prefix(" ERR "))
        .map(|error| {
            let detail = format!("UAC reports an error: {}", message(error));
            CollectorGap::new("", GapKind::Unreadable, detail)
        })
        .collect()
}

fn acquisition(bytes: &[u8]) -> Vec<Fact> {
    let mut facts = Vec::new();
    for line in text(bytes).lines() {
        if let Some(name) = line.strip_prefix("Hostname: ") {
            facts.extend(host(name, "UAC acquisition log"));
        }
        if let Some(begun) = line.strip_prefix("Acquisition started at: ") {
            let begun = time("%a %b %d %H:%M:%S %Y %z", begun.trim());
            facts.extend(taken(begun, "UAC acquisition log"));
        }
    }
    facts
}
