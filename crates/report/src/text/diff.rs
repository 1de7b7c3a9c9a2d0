//! What became of a host between two times, for a terminal.

use super::page::{Indent, Page, Style};
use super::{TextOptions, verdict_style};
use crate::words;
use model::diff::{CampaignDiff, HostDiff};
use model::{Finding, Gap, Timestamp};
use std::io::{self, BufWriter, Write};

/// Writes what changed, campaign by campaign, then what is new in findings and gaps.
pub fn diff(diff: &HostDiff, options: &TextOptions, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let page = &mut Page::new(&mut out, *options);
    let when = |time: Option<Timestamp>| time.map_or("an unknown time".to_owned(), words::time);
    let span = format!("{} to {}", when(diff.from), when(diff.to));
    page.heading(&diff.host, &span)?;
    let new = &diff.collections;
    let collections = match new.len() {
        0 => "No collection came in between.".to_owned(),
        count => format!(
            "{} came in between: {}",
            words::counted(count as u64, "collection"),
            words::some_ids(new)
        ),
    };
    page.flow(Indent::all("  "), &[(Style::Faint, &collections)])?;
    for campaign in &diff.campaigns {
        changed(page, campaign)?;
    }
    findings(page, "New findings", &diff.new_findings)?;
    findings(page, "No longer found", &diff.gone_findings)?;
    gaps(page, "New gaps", &diff.new_gaps)?;
    gaps(page, "Closed gaps", &diff.closed_gaps)?;
    out.flush()
}

fn changed(page: &mut Page<'_, '_>, campaign: &CampaignDiff) -> io::Result<()> {
    page.heading(&campaign.campaign, "")?;
    if !campaign.is_change() && campaign.reasons.is_empty() {
        let verdict = format!("Nothing changed: {}.", words::verdict(campaign.verdict.1));
        return page.flow(Indent::all("  "), &[(Style::Faint, &verdict)]);
    }
    let arrow = page.glyph("→", "->");
    let none = "not judged";
    let (was, now) = campaign.verdict;
    let mut lines = vec![(
        "Verdict",
        was.map_or(none, words::verdict),
        words::verdict(now),
    )];
    let (was, now) = campaign.stage;
    lines.push(("Stage", was.map_or(none, words::stage), words::stage(now)));
    let (was, now) = campaign.exposure;
    lines.push((
        "Exposure",
        was.map_or(none, words::exposure),
        words::exposure(now),
    ));
    let (was, now) = &campaign.build;
    let build = |build: &Option<String>| build.clone().unwrap_or_else(|| "unknown".to_owned());
    let (was, now) = (build(was), build(now));
    lines.push(("Build", &was, &now));
    let covered = |sufficient| {
        if sufficient {
            "sufficient"
        } else {
            "not sufficient"
        }
    };
    let (was, now) = campaign.sufficient;
    lines.push(("Coverage", was.map_or(none, covered), covered(now)));
    for (what, was, now) in lines.into_iter().filter(|(_, was, now)| was != now) {
        let label = format!("{what}:");
        let style = if what == "Verdict" {
            verdict_style(campaign.verdict.1)
        } else {
            Style::Strong
        };
        page.flow(
            Indent {
                first: "  ",
                rest: "    ",
            },
            &[
                (Style::Plain, &label),
                (Style::Faint, was),
                (Style::Faint, arrow),
                (style, now),
            ],
        )?;
    }
    for foothold in &campaign.footholds {
        let state = |state: Option<_>| state.map_or("not known", words::foothold_state);
        let kind = format!("{}:", words::foothold_kind(foothold.kind));
        let (was, now) = foothold.state;
        page.flow(
            Indent {
                first: "  ",
                rest: "    ",
            },
            &[
                (Style::Plain, &kind),
                (Style::Strong, &foothold.path),
                (Style::Faint, state(was)),
                (Style::Faint, arrow),
                (Style::Strong, state(now)),
            ],
        )?;
    }
    let bullet = page.glyph("  · ", "  - ");
    for reason in &campaign.reasons {
        page.flow(
            Indent {
                first: bullet,
                rest: "    ",
            },
            &[(Style::Plain, reason)],
        )?;
    }
    Ok(())
}

fn findings(page: &mut Page<'_, '_>, title: &str, findings: &[Finding]) -> io::Result<()> {
    let lines = findings.iter().map(|finding| {
        let time = finding.time.map_or("undated".to_owned(), words::time);
        let stage = finding.stage.map_or("lead", words::stage);
        format!("{time}  {stage}  {}  {}", finding.title, finding.place)
    });
    list(page, title, findings.len(), lines)
}

fn gaps(page: &mut Page<'_, '_>, title: &str, gaps: &[Gap]) -> io::Result<()> {
    let lines = gaps.iter().map(|gap| {
        let place = gap.place.to_string();
        format!("{}  {}  {place}", words::gap_kind(gap.kind), gap.detail)
    });
    list(page, title, gaps.len(), lines)
}

fn list(
    page: &mut Page<'_, '_>,
    title: &str,
    count: usize,
    lines: impl Iterator<Item = String>,
) -> io::Result<()> {
    if count == 0 {
        return Ok(());
    }
    page.heading(title, &words::thousands(count as u64))?;
    let shown = page.options.entries_max;
    for line in lines.take(shown) {
        page.flow(
            Indent {
                first: "  ",
                rest: "    ",
            },
            &[(Style::Plain, &line)],
        )?;
    }
    let more = count.saturating_sub(shown);
    if more > 0 {
        let more = format!(
            "and {} more; --json tells all of them",
            words::thousands(more as u64)
        );
        page.flow(Indent::all("  "), &[(Style::Faint, &more)])?;
    }
    Ok(())
}
