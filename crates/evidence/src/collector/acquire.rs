//! Fox-IT's [acquire](https://github.com/fox-it/acquire): its report and its log.

use super::{CollectorGap, RecordKind, host, message, taken, text, time};
use model::{Fact, GapKind, Timestamp};
use serde_json::Value;

pub(super) const REPORT: RecordKind = RecordKind {
    detect: |name| name.ends_with(".report.json"),
    facts: |_, bytes| report_facts(bytes),
    gaps: report_failures,
};

pub(super) const LOG: RecordKind = RecordKind {
    detect: |name| time_of_name(name).is_some(),
    facts: log_facts,
    gaps: log_failures,
};

/// The report, told from other tools' by the fields that only it has.
fn report(bytes: &[u8]) -> Option<Value> {
    let report: Value = serde_json::from_slice(bytes).ok()?;
    report.get("modules-failed")?;
    Some(report)
}

fn report_facts(bytes: &[u8]) -> Vec<Fact> {
    let Some(report) = report(bytes) else {
        return Vec::new();
    };
    let field = |name: &str| report.get(name).and_then(Value::as_str);
    let mut facts = Vec::new();
    facts.extend(field("name").and_then(|name| host(name, "acquire report")));
    let time = field("timestamp").and_then(|text| text.parse::<Timestamp>().ok());
    facts.extend(taken(time, "acquire report"));
    facts
}

fn report_failures(bytes: &[u8]) -> Vec<CollectorGap> {
    let Some(report) = report(bytes) else {
        return Vec::new();
    };
    let mut gaps = Vec::new();
    let failed_modules = report.get("modules-failed").and_then(Value::as_object);
    for (module, error) in failed_modules.into_iter().flatten() {
        let error = message(error.as_str().unwrap_or_default());
        let detail = format!("acquire's module {} failed: {error}", message(module));
        gaps.push(CollectorGap::new("", GapKind::Unreadable, detail));
    }
    for module in report
        .as_object()
        .into_iter()
        .flat_map(|report| report.values())
    {
        gaps.extend(outcomes(module, "failure").map(|record| {
            let error = record.get("details").and_then(Value::as_str).unwrap_or("");
            let detail = format!("acquire could not collect it: {}", message(error));
            CollectorGap::new(&artifact(record), GapKind::Unreadable, detail)
        }));
        gaps.extend(outcomes(module, "missing").map(|record| {
            let detail = "acquire looked for it and did not find it";
            CollectorGap::new(&artifact(record), GapKind::Missing, detail)
        }));
    }
    gaps
}

fn outcomes<'r>(module: &'r Value, outcome: &str) -> impl Iterator<Item = &'r Value> {
    module
        .get(outcome)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// Paths are written as `ntfs:140234:sysvol/Windows/…`: file system, its number, path.
fn artifact(record: &Value) -> String {
    let value = record
        .get("artifact_value")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut parts = value.splitn(3, ':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(number), Some(path))
            if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            path.to_owned()
        }
        _ => value.to_owned(),
    }
}

/// Names are `HOST_20210304101112.log`, the start in UTC.
fn time_of_name(name: &str) -> Option<Timestamp> {
    const DIGITS: usize = 14;
    let (_, stamp) = name.strip_suffix(".log")?.rsplit_once('_')?;
    (stamp.len() == DIGITS)
        .then(|| time("%Y%m%d%H%M%S", stamp))
        .flatten()
}

fn log_facts(name: &str, bytes: &[u8]) -> Vec<Fact> {
    let log = text(bytes);
    let Some((_, rest)) = log.split_once("] Hostname: ") else {
        return Vec::new();
    };
    let mut facts = Vec::new();
    facts.extend(host(rest.lines().next().unwrap_or_default(), "acquire log"));
    facts.extend(taken(time_of_name(name), "name of the acquire log"));
    facts
}

fn log_failures(bytes: &[u8]) -> Vec<CollectorGap> {
    text(bytes)
        .lines()
        .filter_map(|line| {
            let (_, collected) = line.split_once("] - Collecting file ")?;
            let (path, result) = collected.rsplit_once(": ")?;
            match result {
                "OK" => None,
                skipped if skipped.starts_with("Skipped") => None,
                "File not found" => Some(CollectorGap::new(
                    path,
                    GapKind::Missing,
                    "acquire looked for it and did not find it",
                )),
                error => {
                    let detail = format!("acquire could not collect it: {}", message(error));
                    Some(CollectorGap::new(path, GapKind::Unreadable, detail))
                }
            }
        })
        .collect()
}
