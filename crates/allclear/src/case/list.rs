//! `allclear case list`, and what a large run says at its end.

use super::{List, failure, open};
use crate::exit;
use crate::{Outcome, output};
use model::report::VerdictName;
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use store::{Case, VerdictRow};

/// Hosts that a summary names one by one.
const NAMED_MAX: usize = 20;

/// Verdicts, the worst first.
const ORDER: [VerdictName; 7] = [
    VerdictName::Reinfected,
    VerdictName::Compromised,
    VerdictName::Exposed,
    VerdictName::Unproven,
    VerdictName::Evicted,
    VerdictName::Clear,
    VerdictName::NotAffected,
];

fn rank(verdict: &str) -> usize {
    let mut order = ORDER.iter();
    order
        .position(|known| known.name() == verdict)
        .unwrap_or(ORDER.len())
}

/// Current verdicts, of these hosts or of all.
fn current(
    case: &Case,
    hosts: Option<&BTreeSet<String>>,
) -> Result<Vec<VerdictRow>, crate::exit::Failure> {
    let mut rows = Vec::new();
    case.each_verdict(&mut |row| {
        if row.current && hosts.is_none_or(|wanted| wanted.contains(&row.host)) {
            rows.push(VerdictRow {
                // Reasons of thousands of hosts are not shown here.
                reasons: String::new(),
                ..row
            });
        }
    })
    .map_err(failure)?;
    rows.sort_by(|a, b| {
        let key = |row: &VerdictRow| (rank(&row.verdict), row.host.clone(), row.campaign.clone());
        key(a).cmp(&key(b))
    });
    Ok(rows)
}

pub(super) fn run(list: &List) -> Outcome {
    let case = open(&list.at)?;
    let rows = current(&case, None)?;
    output::to_standard_output(&mut |out| {
        for row in &rows {
            if list.json {
                let line = serde_json::json!({
                    "host": row.host, "campaign": row.campaign, "verdict": row.verdict, "stage": row.stage,
                    "exposure": row.exposure, "build": row.build, "first": time(row.first), "last": time(row.last),
                    "patched": time(row.patched), "sufficient": row.sufficient, "as_of": time(row.as_of),
                    "pack_version": row.pack_version,
                });
                writeln!(out, "{line}")?;
            } else {
                writeln!(
                    out,
                    "{:<13} {:<16} {:<14} {}",
                    row.verdict,
                    report::visible(&row.campaign),
                    row.stage.as_deref().unwrap_or("-"),
                    report::visible(&row.host),
                )?;
            }
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Microseconds as an ISO 8601 time.
pub(super) fn time(micros: Option<i64>) -> Option<String> {
    let time = model::Timestamp::from_microsecond(micros?).ok()?;
    Some(time.to_string())
}

/// How many hosts have which verdict, and the worst of them by name.
pub(super) fn summary(case: &Case, hosts: &BTreeSet<String>) -> Outcome {
    let rows = current(case, Some(hosts))?;
    let mut counts: BTreeMap<&str, BTreeMap<usize, u64>> = BTreeMap::new();
    for row in &rows {
        let of = counts.entry(&row.campaign).or_default();
        *of.entry(rank(&row.verdict)).or_default() += 1;
    }
    output::to_standard_output(&mut |out| {
        writeln!(out, "{} hosts", hosts.len())?;
        for (campaign, counts) in &counts {
            let told: Vec<String> = counts
                .iter()
                .map(|(rank, count)| {
                    let name = ORDER.get(*rank).map_or("other", |verdict| verdict.name());
                    format!("{count} {name}")
                })
                .collect();
            writeln!(
                out,
                "  {:<16} {}",
                report::visible(campaign),
                told.join(", ")
            )?;
        }
        let bad = || rows.iter().filter(|row| rank(&row.verdict) <= 1);
        for row in bad().take(NAMED_MAX) {
            let host = report::visible(&row.host);
            writeln!(
                out,
                "{:<13} {:<16} {host}",
                row.verdict,
                report::visible(&row.campaign)
            )?;
        }
        let more = bad().count().saturating_sub(NAMED_MAX);
        if more > 0 {
            writeln!(out, "and {more} more")?;
        }
        let folder = case.folder().display();
        writeln!(
            out,
            "allclear case list {folder} names all; allclear report {folder} --host NAME tells why"
        )
    })?;
    let assured = rows.iter().all(|row| rank(&row.verdict) > 3);
    Ok(ExitCode::from(if rows.is_empty() {
        exit::NOTHING_EXAMINED
    } else if assured {
        exit::ASSURED
    } else {
        exit::NOT_ASSURED
    }))
}
