//! The report as Markdown (`CommonMark` 0.31 with the tables of GitHub Flavored Markdown), for tickets and wikis.
//!
//! Text from evidence is escaped by [`Prose`], shown as code by [`Code`] or as a block by `fence`; nothing else
//! writes any.

use crate::escape::{shorten, visible, visible_lines};
use crate::view::{self, Findings, Happening, Judged};
use crate::words;
use model::report::{CampaignReport, GateState, HostReport, Lead, NextStep, Reason, Report, Share};
use model::{Finding, Gap, Place, Stage};
use std::fmt;
use std::io::{self, BufWriter, Write};

/// Characters of one sentence that are shown.
const SENTENCE_CHARACTERS_MAX: usize = 2_000;

/// Findings of one campaign whose raw records are shown; tickets have a limit of length.
const RECORDS_MAX: usize = 50;

/// Characters of one raw record that are shown.
const RECORD_CHARACTERS_MAX: usize = 1_000;

/// Leads of one host that are shown.
const LEADS_MAX: usize = 20;

/// Gaps of one list that are shown.
const GAPS_MAX: usize = 100;

/// Writes the report as Markdown.
pub fn markdown(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    document(report, &mut out)?;
    out.flush()
}

fn document(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let judged = view::worst_first(report);
    let findings = Findings::of(report);
    writeln!(out, "# Allclear compromise report")?;
    preamble(report, out)?;
    if !report.examined_anything() {
        writeln!(
            out,
            "\n> **Nothing was examined.** {}",
            words::NOTHING_EXAMINED
        )?;
    }
    if judged.len() > 1 {
        summary(&judged, out)?;
    }
    for (index, one) in judged.iter().enumerate() {
        let is_first = view::is_first_of_host(&judged, index);
        host(*one, &findings, is_first, out)?;
    }
    for host in view::unjudged(report) {
        writeln!(
            out,
            "\n## {}\n\nJudged for no campaign: no pack was used.",
            Prose(&host.host)
        )?;
    }
    for host in &report.hosts {
        leads(host, out)?;
    }
    let others = findings.of_none(report);
    if !others.is_empty() {
        writeln!(out, "\n## Findings outside any campaign")?;
        finding_list(&others, out)?;
    }
    let gaps = view::other_gaps(report);
    if !gaps.is_empty() {
        writeln!(out, "\n## Gaps outside any need\n")?;
        gap_list("", gaps.into_iter(), out)?;
    }
    if !report.not_looked_at.is_empty() {
        writeln!(
            out,
            "\n## Not looked at\n\nKinds of evidence that could convict, and were not there:\n"
        )?;
        for source in &report.not_looked_at {
            writeln!(out, "- {}", Prose(source))?;
        }
    }
    accounting(report, out)
}

fn preamble(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let as_of = report
        .as_of
        .map_or_else(|| "a time that no collection tells".to_owned(), words::time);
    write!(out, "\nJudged as of {as_of}. ")?;
    if report.packs.is_empty() {
        writeln!(out, "No pack was used.")?;
    }
    for (index, pack) in report.packs.iter().enumerate() {
        let (before, after) = (
            if index == 0 { "Packs: " } else { ", " },
            if index + 1 == report.packs.len() {
                ".\n"
            } else {
                ""
            },
        );
        write!(
            out,
            "{before}{} {}{after}",
            Prose(&pack.name),
            Prose(&pack.version)
        )?;
    }
    Ok(())
}

fn summary(judged: &[Judged<'_>], out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "\n| Host | Campaign | Verdict | Intrusion | Exposure | Needs seen | Next action |"
    )?;
    writeln!(out, "| --- | --- | --- | --- | --- | --- | --- |")?;
    for one in judged {
        let campaign = one.campaign;
        writeln!(
            out,
            "| {} | {} | **{}** | {} | {} | {} | {} |",
            Prose(&one.host.host),
            Prose(&campaign.campaign),
            words::verdict(campaign.verdict),
            words::stage(campaign.compromise.stage),
            words::exposure(campaign.exposure.state),
            words::coverage_short(campaign),
            Prose(view::next_action(campaign).unwrap_or("none")),
        )?;
    }
    Ok(())
}

fn host(
    one: Judged<'_>,
    findings: &Findings<'_>,
    is_first: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let campaign = one.campaign;
    let verdict = words::verdict(campaign.verdict).to_uppercase();
    writeln!(
        out,
        "\n## {}: {verdict} ({})",
        Prose(&one.host.host),
        Prose(&campaign.campaign)
    )?;
    writeln!(out, "\n{}", words::meaning(campaign.verdict))?;
    if view::nothing_examined(&view::host_accounting(one.host)) {
        writeln!(out, "\n> **{}**", words::NOTHING_EXAMINED)?;
    }
    facts(campaign, out)?;
    writeln!(out, "\n### Why\n")?;
    for Reason { text, places } in view::reasons(campaign) {
        writeln!(out, "- {}", Prose(&text))?;
        place_list("  ", &places, out)?;
    }
    let next = view::next_steps(campaign);
    if !next.is_empty() {
        writeln!(out, "\n### What to do next\n")?;
        step_list(next.iter(), out)?;
    }
    story(one, out)?;
    statements(campaign, out)?;
    footholds(campaign, out)?;
    if is_first {
        persistence(one.host, out)?;
    }
    coverage(campaign, out)?;
    exposure(campaign, out)?;
    eviction(campaign, out)?;
    let findings = findings.of_campaign(campaign);
    if !findings.is_empty() {
        writeln!(out, "\n### Findings ({})", findings.len())?;
        finding_list(&findings, out)?;
    }
    collections(one.host, out)
}

fn facts(campaign: &CampaignReport, out: &mut dyn Write) -> io::Result<()> {
    let compromise = &campaign.compromise;
    let span = words::span(compromise.first, compromise.last)
        .map(|span| format!(", {span} UTC"))
        .unwrap_or_default();
    writeln!(out, "\n| Fact | State | |\n| --- | --- | --- |")?;
    writeln!(
        out,
        "| Exposure | {} | {} |",
        words::exposure(campaign.exposure.state),
        Prose(&words::product(campaign))
    )?;
    writeln!(
        out,
        "| Intrusion | {} | {}{span} |",
        words::stage(compromise.stage),
        words::stage_meaning(compromise.stage)
    )?;
    let sufficient = if campaign.coverage.sufficient {
        "sufficient"
    } else {
        "not sufficient"
    };
    writeln!(
        out,
        "| Coverage | {sufficient} | {} |",
        words::needs_met(campaign)
    )?;
    let gates = &campaign.eviction.gates;
    let passed = gates
        .iter()
        .filter(|gate| gate.state == GateState::Pass)
        .count();
    writeln!(
        out,
        "| Eviction | {passed} of {} passed | {} |",
        words::counted(gates.len() as u64, "gate"),
        words::counted(compromise.footholds.len() as u64, "known foothold")
    )
}

fn step_list<'a>(steps: impl Iterator<Item = &'a NextStep>, out: &mut dyn Write) -> io::Result<()> {
    for (index, step) in steps.enumerate() {
        let kind = match step.kind.as_str() {
            "" => String::new(),
            kind => format!("**{}:** ", Prose(kind)),
        };
        writeln!(out, "{}. {kind}{}", index + 1, Prose(&step.text))?;
        for detail in &step.details {
            writeln!(out, "   - {}", Prose(detail))?;
        }
        place_list("   ", &step.places, out)?;
    }
    Ok(())
}

fn story(one: Judged<'_>, out: &mut dyn Write) -> io::Result<()> {
    if one.campaign.compromise.story.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n### What was done\n\n| Time (UTC) | Stage | What | Shown by |\n| --- | --- | --- | --- |"
    )?;
    let timeline = view::timeline(one);
    for (time, happening) in &timeline.dated {
        let time = time.map(words::minute).unwrap_or_default();
        match happening {
            Happening::Step(step) => story_step(&time, step, out)?,
            Happening::Exposure(span) => {
                let build = span
                    .build
                    .map(|build| format!(", build {build}"))
                    .unwrap_or_default();
                writeln!(
                    out,
                    "| {time} | | *{} from here on{build}* | |",
                    words::exposure(span.state)
                )?;
            }
            Happening::Collected(collection) => {
                writeln!(
                    out,
                    "| {time} | | *evidence collected:* {} | |",
                    Prose(&collection.path)
                )?;
            }
            Happening::Pause(seconds) => writeln!(out, "| | | *{}* | |", words::elapsed(*seconds))?,
        }
    }
    for step in &timeline.undated {
        story_step("not known", step, out)?;
    }
    Ok(())
}

fn story_step(time: &str, step: &model::report::StoryStep, out: &mut dyn Write) -> io::Result<()> {
    // Some steps are the defenders': they say nothing of an intrusion.
    let stage = match step.stage {
        Stage::NoneSeen => String::new(),
        stage => format!("**{}**", words::stage(stage)),
    };
    let shown = step.sources.iter().chain(&step.techniques);
    let mut shown: Vec<String> = shown.map(|one| Prose(one).to_string()).collect();
    shown.push(Prose(&words::some_ids(&step.findings)).to_string());
    shown.retain(|one| !one.is_empty());
    let shown = shown.join(", ");
    writeln!(
        out,
        "| {time} | {stage} | {} | {shown} |",
        Prose(&step.text)
    )
}

fn footholds(campaign: &CampaignReport, out: &mut dyn Write) -> io::Result<()> {
    let footholds = &campaign.compromise.footholds;
    if footholds.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n### Footholds\n")?;
    for foothold in footholds {
        let (kind, state) = (
            words::foothold_kind(foothold.kind),
            words::foothold_state(foothold.state),
        );
        writeln!(
            out,
            "- {kind}, **{state}**: {}. {}",
            Code(&foothold.path),
            Prose(&foothold.reason)
        )?;
        if let Some(first) = foothold.first {
            writeln!(out, "  - At work since {}.", words::time(first))?;
        }
        if let Some(sha256) = &foothold.sha256 {
            writeln!(out, "  - SHA-256 {}", Code(sha256))?;
        }
    }
    Ok(())
}

fn statements(campaign: &CampaignReport, out: &mut dyn Write) -> io::Result<()> {
    let statements = &campaign.statements;
    if statements.statements.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n### What can be said\n\n{}: {}.\n",
        Prose(&statements.about),
        words::outcomes(statements)
    )?;
    for statement in &statements.statements {
        writeln!(
            out,
            "- **{}**: {}: {}",
            words::outcome(statement.outcome),
            Prose(&statement.statement),
            Prose(&statement.reason)
        )?;
        if let Some(sent) = &statement.sent {
            writeln!(out, "  - {}", words::sent(sent))?;
        }
        for against in &statement.against {
            writeln!(out, "  - *against it:* {}", Prose(&against.text))?;
            place_list("    ", &against.places, out)?;
        }
        for missing in &statement.missing {
            writeln!(
                out,
                "  - *not seen:* {}: {}. {}",
                Prose(&missing.title),
                Prose(&missing.gaps.join("; ")),
                Prose(&missing.collect)
            )?;
        }
        writeln!(out, "  - *limits:* {}", Prose(&statement.limits))?;
    }
    Ok(())
}

fn persistence(host: &HostReport, out: &mut dyn Write) -> io::Result<()> {
    let review = &host.persistence;
    if !view::has_review(host) {
        return Ok(());
    }
    writeln!(
        out,
        "\n### What starts by itself\n\n{}.\n",
        words::reviewed(review)
    )?;
    for entry in review.entries.iter().take(RECORDS_MAX) {
        writeln!(
            out,
            "- {} {}, {}: {}",
            words::persistence_kind(entry.kind),
            Code(&entry.name),
            Prose(&words::changed(entry)),
            Prose(&entry.why.join("; "))
        )?;
        if !entry.runs.is_empty() {
            writeln!(out, "  - runs {}", Code(&entry.runs))?;
        }
        place_list("  ", &entry.places, out)?;
    }
    let listed = review.entries.len() as u64 + review.left_out;
    let more = listed.saturating_sub(RECORDS_MAX as u64);
    if more > 0 {
        writeln!(out, "- and {}", words::counted(more, "more thing"))?;
    }
    writeln!(out)?;
    for kind in &review.coverage {
        writeln!(
            out,
            "- *{}:* {}{}",
            words::seen_state(kind.seen),
            Prose(&kind.title),
            match kind.missing.as_slice() {
                [] => String::new(),
                missing => format!(". {}. {}", Prose(&missing.join("; ")), Prose(&kind.collect)),
            }
        )?;
    }
    Ok(())
}

fn coverage(campaign: &CampaignReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "\n### What was seen\n\n{}.\n",
        words::coverage(campaign)
    )?;
    for need in &campaign.coverage.needs {
        let span = words::span(need.from, need.until)
            .unwrap_or_else(|| "at the latest collection".to_owned());
        writeln!(
            out,
            "- **{}**, {span}: {} seen",
            Prose(&need.title),
            words::share(need.seen)
        )?;
        if need.seen == Share::WHOLE {
            continue;
        }
        if need.gaps.is_empty() {
            writeln!(out, "  - nothing of it was in the evidence")?;
        }
        gap_list("  ", need.gaps.iter(), out)?;
    }
    Ok(())
}

fn exposure(campaign: &CampaignReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n### Exposure\n")?;
    if campaign.exposure.spans.is_empty() {
        writeln!(out, "- {}", words::exposure(campaign.exposure.state))?;
    }
    for span in &campaign.exposure.spans {
        writeln!(out, "- {}", words::exposure_span(span))?;
    }
    for basis in &campaign.exposure.basis {
        writeln!(out, "- {}", Prose(&basis.text))?;
        place_list("  ", &basis.places, out)?;
    }
    Ok(())
}

fn eviction(campaign: &CampaignReport, out: &mut dyn Write) -> io::Result<()> {
    let steps = view::eviction_steps(campaign);
    if campaign.eviction.gates.is_empty() && steps.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n### Getting them out\n")?;
    for gate in &campaign.eviction.gates {
        writeln!(
            out,
            "- **{}**: {}. {}",
            words::gate(gate.state),
            Prose(&gate.title),
            Prose(&gate.reason)
        )?;
    }
    if !steps.is_empty() {
        writeln!(out)?;
    }
    step_list(steps.into_iter(), out)
}

fn finding_list(findings: &[&Finding], out: &mut dyn Write) -> io::Result<()> {
    for finding in findings.iter().take(RECORDS_MAX) {
        let stage = finding.stage.map_or("lead", words::stage);
        let time = finding
            .time
            .map_or_else(|| "time not known".to_owned(), words::time);
        let count = match finding.count {
            0 | 1 => String::new(),
            count => format!(", {}", words::counted(count, "record")),
        };
        writeln!(
            out,
            "\n**{stage}: {}** ({}, {time}{count})\n",
            Prose(&finding.title),
            Code(&finding.id)
        )?;
        if !finding.meaning.is_empty() {
            writeln!(out, "{}\n", Prose(&finding.meaning))?;
        }
        let techniques = finding.techniques.join(", ");
        writeln!(
            out,
            "Rule {} by {}; {}. At {}.\n",
            Code(&finding.rule),
            Prose(&finding.author),
            Prose(if techniques.is_empty() {
                "no technique"
            } else {
                &techniques
            }),
            Code(&finding.place.to_string())
        )?;
        fence(&finding.evidence, out)?;
    }
    let more = findings.len().saturating_sub(RECORDS_MAX);
    if more > 0 {
        writeln!(
            out,
            "\nAnd {}, which the JSON report holds.",
            words::counted(more as u64, "more finding")
        )?;
    }
    Ok(())
}

fn leads(host: &HostReport, out: &mut dyn Write) -> io::Result<()> {
    let leads = &host.leads;
    let shown: Vec<&Lead> = leads.shown().collect();
    if shown.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n## Leads on {}\n\n**{}**\n",
        Prose(&host.host),
        Prose(&leads.note)
    )?;
    for lead in shown.iter().take(LEADS_MAX) {
        let file = lead.file.as_deref().filter(|file| *file != lead.subject);
        write!(
            out,
            "- **{}** {}, {}",
            lead.score,
            Code(&lead.subject),
            words::lead_kind(&lead.kind)
        )?;
        match file {
            Some(file) => writeln!(out, " ({})", Code(file))?,
            None => writeln!(out)?,
        }
        for signal in &lead.signals {
            writeln!(out, "  - +{}: {}", signal.points, Prose(&signal.text))?;
        }
        let about = words::lead_about(lead);
        if !about.is_empty() {
            writeln!(out, "  - {}", Prose(&about))?;
        }
        place_list("  ", &lead.places, out)?;
    }
    if let Some(more) = words::more_leads(leads, shown.len().min(LEADS_MAX)) {
        writeln!(out, "\n{more}")?;
    }
    for notice in &leads.notices {
        writeln!(out, "\n{}", Prose(&notice.text))?;
    }
    Ok(())
}

fn collections(host: &HostReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "\n### Evidence of this host\n\nHost named by: {}.\n",
        Prose(&host.host_rule)
    )?;
    for collection in &host.collections {
        let taken = collection.taken.map_or_else(
            || "time not known".to_owned(),
            |taken| format!("taken {}", words::time(taken)),
        );
        writeln!(
            out,
            "- {} {} ({}, {taken})",
            Code(&collection.id),
            Prose(&collection.path),
            Prose(&collection.container)
        )?;
        writeln!(out, "  - {}", words::accounting(&collection.accounting))?;
        writeln!(
            out,
            "  - SHA-256 of the manifest {}",
            Code(&collection.sha256)
        )?;
    }
    Ok(())
}

fn accounting(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "\n## What was read\n\n{}.",
        words::accounting(&report.accounting)
    )?;
    if !report.accounting.rejected.is_empty() {
        writeln!(out, "\n| Rejected because | Records |\n| --- | ---: |")?;
    }
    for rejected in &report.accounting.rejected {
        writeln!(
            out,
            "| {} | {} |",
            Prose(&rejected.reason),
            words::thousands(rejected.count)
        )?;
    }
    Ok(())
}

fn gap_list<'a>(
    indent: &str,
    gaps: impl Iterator<Item = &'a Gap>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut more: u64 = 0;
    for (index, gap) in gaps.enumerate() {
        if index >= GAPS_MAX {
            more += 1;
            continue;
        }
        let span = words::span(gap.from, gap.until)
            .map(|span| format!(" ({span})"))
            .unwrap_or_default();
        write!(
            out,
            "{indent}- *{}:* {}{span}",
            words::gap_kind(gap.kind),
            Prose(&gap.detail)
        )?;
        let place = gap.place.to_string();
        if place.is_empty() {
            writeln!(out)?;
        } else {
            writeln!(out, " {}", Code(&place))?;
        }
    }
    if more > 0 {
        writeln!(
            out,
            "{indent}- and {}, which the JSON report holds",
            words::counted(more, "more gap")
        )?;
    }
    Ok(())
}

fn place_list(indent: &str, places: &[Place], out: &mut dyn Write) -> io::Result<()> {
    for place in places {
        writeln!(out, "{indent}- {}", Code(&place.to_string()))?;
    }
    Ok(())
}

/// A raw record as a block that it cannot close.
fn fence(text: &str, out: &mut dyn Write) -> io::Result<()> {
    let text = shorten(text, RECORD_CHARACTERS_MAX);
    let text = visible_lines(&text);
    let fence = "`".repeat(longest_run(&text, '`').max(2) + 1);
    writeln!(out, "{fence}text\n{}\n{fence}", text.trim_end_matches('\n'))
}

/// Text from a report in running prose or in a table's cell.
struct Prose<'a>(&'a str);

impl fmt::Display for Prose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = visible(self.0);
        let text = shorten(&text, SENTENCE_CHARACTERS_MAX);
        let list_number = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let number_ends = text.len() - list_number.len();
        for (index, character) in text.char_indices() {
            match character {
                // Entities where a backslash does not stop every reader: table cells, tags, links without brackets.
                '|' => f.write_str("&#124;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '@' => f.write_str("&#64;")?,
                ':' if text[index..].starts_with("://") => f.write_str("&#58;")?,
                '.' if ends_with_www(&text[..index]) => f.write_str("&#46;")?,
                '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '~' | '!' | '$' => {
                    write!(f, "\\{character}")?;
                }
                // Only at the beginning would these make a list.
                '-' | '+' | '=' if index == 0 => write!(f, "\\{character}")?,
                '.' | ')' if index > 0 && index == number_ends && ends_word(&text[index + 1..]) => {
                    write!(f, "\\{character}")?;
                }
                other => write!(f, "{other}")?,
            }
        }
        Ok(())
    }
}

/// Text from a report as code, outside tables only: viewers disagree about bars in code in a cell.
struct Code<'a>(&'a str);

impl fmt::Display for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = visible(self.0);
        let text = shorten(&text, SENTENCE_CHARACTERS_MAX);
        if text.trim().is_empty() {
            return f.write_str("(empty)");
        }
        if text.contains('<') {
            // Some viewers clean HTML before they read Markdown.
            return write!(f, "{}", Prose(&text));
        }
        let ticks = "`".repeat(longest_run(&text, '`') + 1);
        let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) {
            " "
        } else {
            ""
        };
        write!(f, "{ticks}{pad}{text}{pad}{ticks}")
    }
}

fn ends_word(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(' ')
}

fn ends_with_www(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 3 && bytes[bytes.len() - 3..].eq_ignore_ascii_case(b"www")
}

fn longest_run(text: &str, wanted: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for character in text.chars() {
        run = if character == wanted { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_cannot_become_markup() {
        for (text, expected) in [
            ("C:\\a_b*c", "C:\\\\a\\_b\\*c"),
            (
                "| <b> &amp; [x](y) `z`",
                "&#124; &lt;b&gt; &amp;amp; \\[x\\](y) \\`z\\`",
            ),
            ("http://x www.y a@b", "http&#58;//x www&#46;y a&#64;b"),
            ("- item", "\\- item"),
            ("12. item 3. stays", "12\\. item 3. stays"),
            ("203.0.113.7", "203.0.113.7"),
            ("# head\nnext", "\\# head&lt;U+000A&gt;next"),
        ] {
            assert_eq!(Prose(text).to_string(), expected);
        }
    }

    #[test]
    fn code_cannot_be_closed_from_inside() {
        assert_eq!(Code("a`` b").to_string(), "```a`` b```");
        assert_eq!(Code("`").to_string(), "`` ` ``");
        let mut out = Vec::new();
        fence("a\n````\nb\u{1b}\n", &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "`````text\na\n````\nb<U+001B>\n`````\n"
        );
    }
}
