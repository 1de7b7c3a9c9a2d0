//! The report for a terminal: the verdict first, then why, then what to do, then what it rests on.

mod coverage;
mod diff;
mod leads;
mod page;
mod summary;

use crate::view::{self, Findings, Happening, Judged};
use crate::words;
use model::report::{
    ExposureState, GateState, HostReport, NextStep, Reason, Report, SeenState, StatementOutcome,
    VerdictName,
};
use model::{Finding, FootholdState, Gap, Place, Stage};
use page::{Indent, Page, Style};
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

pub use diff::diff;

/// Places shown below one reason or step.
const PLACES_MAX: usize = 3;

/// How the text is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextOptions {
    /// Columns of the terminal; 80 where nobody knows.
    pub width: usize,
    /// Whether to colour, with SGR codes. Nothing is told by colour alone.
    pub colour: bool,
    /// Keep to ASCII; other characters become visible escapes.
    pub ascii: bool,
    /// Entries shown of each long list, before the others are only counted.
    pub entries_max: usize,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self {
            width: 80,
            colour: false,
            ascii: false,
            entries_max: 12,
        }
    }
}

/// Writes the report for people at a terminal.
pub fn text(report: &Report, options: &TextOptions, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    pages(report, &mut Page::new(&mut out, *options))?;
    out.flush()
}

fn pages(report: &Report, page: &mut Page<'_, '_>) -> io::Result<()> {
    let judged = view::worst_first(report);
    let findings = Findings::of(report);
    if !report.examined_anything() {
        nothing_examined(page)?;
    }
    if judged.len() > 1 {
        summary::table(page, &judged)?;
    }
    for (index, one) in judged.iter().enumerate() {
        if judged.len() > 1 {
            page.blank()?;
            page.rule()?;
        } else if index == 0 && !report.examined_anything() {
            page.blank()?;
        }
        host(
            page,
            *one,
            &findings,
            view::is_first_of_host(&judged, index),
        )?;
    }
    for host in view::unjudged(report) {
        page.blank()?;
        page.flow(
            Indent {
                first: "",
                rest: "  ",
            },
            &[
                (Style::Strong, &host.host),
                (
                    Style::Plain,
                    "was judged for no campaign: no pack was used.",
                ),
            ],
        )?;
    }
    for host in &report.hosts {
        leads::section(page, host)?;
    }
    other_findings(page, &findings.of_none(report))?;
    other_gaps(page, &view::other_gaps(report))?;
    not_looked_at(page, &report.not_looked_at)?;
    account(page, report)
}

fn nothing_examined(page: &mut Page<'_, '_>) -> io::Result<()> {
    let icon = page.glyph("∅", "!");
    page.row(&[
        (Style::Warning, icon),
        (Style::Warning, " NOTHING WAS EXAMINED"),
    ])?;
    page.flow(
        Indent::all("  "),
        &[(Style::Plain, words::NOTHING_EXAMINED)],
    )
}

/// One host and campaign, from the verdict down. What is said of the host as a whole is said with its first campaign.
fn host(
    page: &mut Page<'_, '_>,
    one: Judged<'_>,
    findings: &Findings<'_>,
    is_first: bool,
) -> io::Result<()> {
    verdict(page, one)?;
    reasons(page, one)?;
    next_steps(page, one)?;
    story(page, one)?;
    statements(page, one)?;
    footholds(page, one)?;
    if is_first {
        persistence(page, one.host)?;
    }
    coverage::section(page, one)?;
    exposure(page, one)?;
    eviction(page, one)?;
    finding_list(page, "Findings", &findings.of_campaign(one.campaign))?;
    collections(page, one.host)
}

fn verdict(page: &mut Page<'_, '_>, one: Judged<'_>) -> io::Result<()> {
    let campaign = one.campaign;
    let style = verdict_style(campaign.verdict);
    let icon = verdict_icon(page, campaign.verdict);
    let name = words::verdict(campaign.verdict).to_uppercase();
    let dot = page.glyph("·", "-");
    page.flow(
        Indent {
            first: "",
            rest: "  ",
        },
        &[
            (style, icon),
            (style, &name),
            (Style::Plain, " "),
            (Style::Strong, &one.host.host),
            (Style::Faint, dot),
            (Style::Plain, &campaign.campaign),
        ],
    )?;
    page.flow(
        Indent::all("  "),
        &[(Style::Plain, words::meaning(campaign.verdict))],
    )?;
    if view::nothing_examined(&view::host_accounting(one.host)) {
        page.flow(
            Indent::all("  "),
            &[(Style::Warning, words::NOTHING_EXAMINED)],
        )?;
    }
    let compromise = &campaign.compromise;
    let mut stage = format!(
        "{}: {}",
        words::stage(compromise.stage),
        words::stage_meaning(compromise.stage)
    );
    if let Some(span) = words::span(compromise.first, compromise.last) {
        stage = format!("{stage}, {span} UTC");
    }
    let exposure = format!(
        "{}: {}",
        words::exposure(campaign.exposure.state),
        words::product(campaign)
    );
    page.blank()?;
    for (label, value) in [
        ("Intrusion", &stage),
        ("Exposure", &exposure),
        ("Coverage", &words::coverage(campaign)),
    ] {
        labelled(page, label, value)?;
    }
    Ok(())
}

fn labelled(page: &mut Page<'_, '_>, label: &str, value: &str) -> io::Result<()> {
    let first = format!("  {label:<11}");
    let rest = " ".repeat(13);
    page.flow(
        Indent {
            first: &first,
            rest: &rest,
        },
        &[(Style::Plain, value)],
    )
}

fn reasons(page: &mut Page<'_, '_>, one: Judged<'_>) -> io::Result<()> {
    page.heading("Why", "")?;
    for Reason { text, places } in view::reasons(one.campaign) {
        bullet(page, Style::Plain, &text)?;
        place_list(page, &places)?;
    }
    Ok(())
}

fn next_steps(page: &mut Page<'_, '_>, one: Judged<'_>) -> io::Result<()> {
    let steps = view::next_steps(one.campaign);
    if steps.is_empty() {
        return Ok(());
    }
    page.heading("What to do next", "most urgent first")?;
    let steps: Vec<&NextStep> = steps.iter().collect();
    step_list(page, &steps)
}

fn step_list(page: &mut Page<'_, '_>, steps: &[&NextStep]) -> io::Result<()> {
    for (index, step) in steps.iter().enumerate() {
        let first = format!("  {:>2} ", index + 1);
        let kind = match step.kind.as_str() {
            "" => String::new(),
            kind => format!("[{kind}]"),
        };
        page.flow(
            Indent {
                first: &first,
                rest: "     ",
            },
            &[(Style::Neutral, &kind), (Style::Plain, &step.text)],
        )?;
        if !step.details.is_empty() {
            let details = step.details.join(page.glyph(" · ", " | "));
            page.flow(Indent::all("     "), &[(Style::Faint, &details)])?;
        }
        place_list(page, &step.places)?;
    }
    Ok(())
}

fn story(page: &mut Page<'_, '_>, one: Judged<'_>) -> io::Result<()> {
    if one.campaign.compromise.story.is_empty() {
        return Ok(());
    }
    page.heading("What was done", "times in UTC")?;
    let timeline = view::timeline(one);
    for (time, happening) in &timeline.dated {
        let time = time.map(words::minute).unwrap_or_default();
        let first = format!("  {time:<16}  ");
        let rest = " ".repeat(20);
        let indent = Indent {
            first: &first,
            rest: &rest,
        };
        match happening {
            Happening::Step(step) => story_step(page, indent, step)?,
            Happening::Exposure(span) => {
                let build = span
                    .build
                    .map(|build| format!("build {build}"))
                    .unwrap_or_default();
                let state = format!("{} from here on", words::exposure(span.state));
                page.flow(
                    indent,
                    &[(exposure_style(span.state), &state), (Style::Faint, &build)],
                )?;
            }
            Happening::Collected(collection) => {
                page.flow(
                    indent,
                    &[
                        (Style::Faint, "evidence collected:"),
                        (Style::Faint, &collection.path),
                    ],
                )?;
            }
            Happening::Pause(seconds) => {
                let pause = format!("{} {}", page.glyph("┊", ":"), words::elapsed(*seconds));
                page.row(&[(Style::Faint, &format!("{}{pause}", " ".repeat(18)))])?;
            }
        }
    }
    for step in &timeline.undated {
        let rest = " ".repeat(20);
        story_step(
            page,
            Indent {
                first: "  time not known    ",
                rest: &rest,
            },
            step,
        )?;
    }
    Ok(())
}

fn story_step(
    page: &mut Page<'_, '_>,
    indent: Indent<'_>,
    step: &model::report::StoryStep,
) -> io::Result<()> {
    // Some steps are the defenders': they say nothing of an intrusion.
    let stage = match step.stage {
        Stage::NoneSeen => String::new(),
        stage => format!("[{}]", words::stage(stage)),
    };
    page.flow(
        indent,
        &[
            (stage_style(step.stage), &stage),
            (Style::Plain, &step.text),
        ],
    )?;
    let mut notes = Vec::new();
    if let Some(until) = words::until_later(step) {
        notes.push(format!("until {until}"));
    }
    notes.extend([
        step.sources.join(", "),
        step.techniques.join(", "),
        words::some_ids(&step.findings),
    ]);
    notes.retain(|note| !note.is_empty());
    if notes.is_empty() {
        return Ok(());
    }
    let notes = notes.join(" | ");
    page.flow(Indent::all(indent.rest), &[(Style::Faint, &notes)])
}

fn footholds(page: &mut Page<'_, '_>, one: Judged<'_>) -> io::Result<()> {
    let footholds = &one.campaign.compromise.footholds;
    if footholds.is_empty() {
        return Ok(());
    }
    let states = [
        FootholdState::Present,
        FootholdState::Unknown,
        FootholdState::AbsentVerified,
    ];
    let counts: Vec<String> = states
        .into_iter()
        .map(|state| {
            (
                state,
                footholds.iter().filter(|one| one.state == state).count(),
            )
        })
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{count} {}", words::foothold_state(state)))
        .collect();
    page.heading("Footholds", &counts.join("; "))?;
    for foothold in footholds {
        let (style, icon) = match foothold.state {
            FootholdState::Present => (Style::Bad, page.glyph("✗", "x")),
            FootholdState::Unknown => (Style::Warning, "?"),
            FootholdState::AbsentVerified => (Style::Good, page.glyph("✓", "+")),
        };
        let first = format!("  {icon} ");
        let kind = format!("{},", words::foothold_kind(foothold.kind));
        let state = format!("{}:", words::foothold_state(foothold.state));
        page.flow(
            Indent {
                first: &first,
                rest: "    ",
            },
            &[
                (Style::Plain, &kind),
                (style, &state),
                (Style::Strong, &foothold.path),
            ],
        )?;
        page.flow(Indent::all("    "), &[(Style::Plain, &foothold.reason)])?;
        if let Some(first) = foothold.first {
            let since = format!("at work since {}", words::time(first));
            page.flow(Indent::all("    "), &[(Style::Plain, &since)])?;
        }
        if let Some(sha256) = &foothold.sha256 {
            page.flow(
                Indent::all("    "),
                &[(Style::Faint, "SHA-256"), (Style::Faint, sha256)],
            )?;
        }
    }
    Ok(())
}

/// What may be said to others, a line or two for each statement.
fn statements(page: &mut Page<'_, '_>, one: Judged<'_>) -> io::Result<()> {
    let statements = &one.campaign.statements;
    if statements.statements.is_empty() {
        return Ok(());
    }
    page.heading("What can be said", &words::outcomes(statements))?;
    for statement in &statements.statements {
        let (style, icon) = match statement.outcome {
            StatementOutcome::Contradicted => (Style::Bad, page.glyph("✗", "x")),
            StatementOutcome::NotAnswerable => (Style::Warning, "?"),
            StatementOutcome::Supported => (Style::Good, page.glyph("✓", "+")),
        };
        let first = format!("  {icon} ");
        let outcome = format!("{}:", words::outcome(statement.outcome));
        page.flow(
            Indent {
                first: &first,
                rest: "    ",
            },
            &[(style, &outcome), (Style::Strong, &statement.statement)],
        )?;
        page.flow(Indent::all("    "), &[(Style::Plain, &statement.reason)])?;
        if let Some(sent) = &statement.sent {
            page.flow(Indent::all("    "), &[(Style::Faint, &words::sent(sent))])?;
        }
        let places: Vec<Place> = statement
            .against
            .iter()
            .flat_map(|against| against.places.iter().cloned())
            .collect();
        place_list(page, &places)?;
    }
    Ok(())
}

/// The most striking of what starts by itself, and what of it nobody could see.
fn persistence(page: &mut Page<'_, '_>, host: &HostReport) -> io::Result<()> {
    let review = &host.persistence;
    if !view::has_review(host) {
        return Ok(());
    }
    page.heading("What starts by itself", &words::reviewed(review))?;
    let shown = (page.options.entries_max / 3).max(1);
    for entry in review.entries.iter().take(shown) {
        let kind = format!("{},", words::persistence_kind(entry.kind));
        page.flow(
            Indent {
                first: page.glyph("  • ", "  * "),
                rest: "    ",
            },
            &[(Style::Plain, &kind), (Style::Strong, &entry.name)],
        )?;
        if !entry.runs.is_empty() {
            page.flow(Indent::all("    "), &[(Style::Plain, &entry.runs)])?;
        }
        let why = format!("{}; {}", words::changed(entry), entry.why.join("; "));
        page.flow(Indent::all("    "), &[(Style::Faint, &why)])?;
        place_list(page, &entry.places)?;
    }
    let listed = review.entries.len() + usize::try_from(review.left_out).unwrap_or(usize::MAX);
    others(page, listed, shown, "thing")?;
    for kind in review
        .coverage
        .iter()
        .filter(|kind| kind.seen != SeenState::Seen)
    {
        let (style, icon) = match kind.seen {
            SeenState::NotCollected => (Style::Bad, page.glyph("✗", "x")),
            _ => (Style::Warning, "?"),
        };
        let first = format!("  {icon} ");
        let state = format!("{}:", words::seen_state(kind.seen));
        page.flow(
            Indent {
                first: &first,
                rest: "    ",
            },
            &[
                (Style::Plain, &kind.title),
                (style, &state),
                (Style::Plain, &kind.missing.join("; ")),
            ],
        )?;
    }
    Ok(())
}

fn exposure(page: &mut Page<'_, '_>, one: Judged<'_>) -> io::Result<()> {
    let exposure = &one.campaign.exposure;
    page.heading("Exposure", "times in UTC")?;
    if exposure.spans.is_empty() {
        bullet(
            page,
            exposure_style(exposure.state),
            words::exposure(exposure.state),
        )?;
    }
    for span in &exposure.spans {
        bullet(
            page,
            exposure_style(span.state),
            &words::exposure_span(span),
        )?;
    }
    for basis in &exposure.basis {
        page.flow(Indent::all("    "), &[(Style::Faint, &basis.text)])?;
        place_list(page, &basis.places)?;
    }
    Ok(())
}

fn eviction(page: &mut Page<'_, '_>, one: Judged<'_>) -> io::Result<()> {
    let gates = &one.campaign.eviction.gates;
    let steps = view::eviction_steps(one.campaign);
    let asked = gates
        .iter()
        .any(|gate| gate.state != GateState::NotApplicable);
    if !asked && steps.is_empty() {
        return Ok(());
    }
    let passed = gates
        .iter()
        .filter(|gate| gate.state == GateState::Pass)
        .count();
    let aside = format!("{passed} of {} gates passed", gates.len());
    page.heading("Getting them out", &aside)?;
    for gate in gates {
        let (style, icon) = match gate.state {
            GateState::Pass => (Style::Good, page.glyph("✓", "+")),
            GateState::Fail => (Style::Bad, page.glyph("✗", "x")),
            GateState::CannotTell => (Style::Warning, "?"),
            GateState::NotApplicable => (Style::Faint, page.glyph("–", "-")),
        };
        let first = format!("  {icon} ");
        let (state, title) = (
            format!("{}:", words::gate(gate.state)),
            format!("{}.", gate.title),
        );
        page.flow(
            Indent {
                first: &first,
                rest: "    ",
            },
            &[
                (style, &state),
                (Style::Strong, &title),
                (Style::Plain, &gate.reason),
            ],
        )?;
    }
    if !steps.is_empty() {
        page.flow(Indent::all("  "), &[(Style::Faint, "Steps:")])?;
        step_list(page, &steps)?;
    }
    Ok(())
}

fn finding_list(page: &mut Page<'_, '_>, title: &str, findings: &[&Finding]) -> io::Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    page.heading(title, &words::thousands(findings.len() as u64))?;
    let groups: Vec<&[&Finding]> = findings
        .chunk_by(|one, other| (one.stage, &one.rule) == (other.stage, &other.rule))
        .collect();
    let shown = page.options.entries_max;
    for group in groups.iter().take(shown) {
        finding_group(page, group)?;
    }
    let left = groups.iter().skip(shown).map(|group| group.len()).sum();
    others(page, left, 0, "finding")
}

/// Findings of one rule and stage, in one entry.
fn finding_group(page: &mut Page<'_, '_>, group: &[&Finding]) -> io::Result<()> {
    let Some(first) = group.first() else {
        return Ok(());
    };
    let stage = format!("[{}]", first.stage.map_or("lead", words::stage));
    let style = first.stage.map_or(Style::Neutral, stage_style);
    let ids: Vec<String> = group.iter().map(|finding| finding.id.clone()).collect();
    let ids = words::some_ids(&ids);
    page.flow(
        Indent {
            first: "  ",
            rest: "    ",
        },
        &[
            (style, &stage),
            (Style::Plain, &first.title),
            (Style::Faint, &ids),
        ],
    )?;
    let mut note = first
        .time
        .map_or_else(|| "time not known".to_owned(), words::time);
    let records = group
        .iter()
        .fold(0_u64, |sum, one| sum.saturating_add(one.count));
    if records > 1 {
        note = format!("{note}, {}", words::counted(records, "record"));
    }
    let note = format!("{note}, rule {}", first.rule);
    page.flow(Indent::all("    "), &[(Style::Faint, &note)])?;
    let places: Vec<Place> = group.iter().map(|finding| finding.place.clone()).collect();
    place_list(page, &places)
}

fn other_findings(page: &mut Page<'_, '_>, findings: &[&Finding]) -> io::Result<()> {
    finding_list(page, "Findings outside any campaign", findings)
}

fn other_gaps(page: &mut Page<'_, '_>, gaps: &[&Gap]) -> io::Result<()> {
    if gaps.is_empty() {
        return Ok(());
    }
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for gap in gaps {
        *kinds.entry(words::gap_kind(gap.kind)).or_default() += 1;
    }
    let kinds: Vec<String> = kinds
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    page.heading("Gaps outside any need", &kinds.join(", "))?;
    let shown = page.options.entries_max;
    for gap in gaps.iter().take(shown) {
        gap_line(page, "  ", gap)?;
    }
    others(page, gaps.len(), shown, "gap")
}

fn not_looked_at(page: &mut Page<'_, '_>, sources: &[String]) -> io::Result<()> {
    if sources.is_empty() {
        return Ok(());
    }
    page.heading(
        "Not looked at",
        "kinds of evidence that could convict, and were not there",
    )?;
    for source in sources {
        bullet(page, Style::Plain, source)?;
    }
    Ok(())
}

fn account(page: &mut Page<'_, '_>, report: &Report) -> io::Result<()> {
    page.heading("What was read", "")?;
    let total = format!("{}.", words::accounting(&report.accounting));
    page.flow(Indent::all("  "), &[(Style::Plain, &total)])?;
    for rejected in &report.accounting.rejected {
        let count = format!("{} rejected:", words::thousands(rejected.count));
        page.flow(
            Indent {
                first: "    ",
                rest: "      ",
            },
            &[(Style::Faint, &count), (Style::Faint, &rejected.reason)],
        )?;
    }
    let as_of = report.as_of.map_or_else(
        || "No collection says when it was taken.".to_owned(),
        |time| format!("Judged as of {}.", words::time(time)),
    );
    let packs: Vec<String> = report
        .packs
        .iter()
        .map(|pack| format!("{} {}", pack.name, pack.version))
        .collect();
    let packs = match packs.as_slice() {
        [] => "No pack was used.".to_owned(),
        packs => format!("Packs: {}.", packs.join(", ")),
    };
    page.flow(
        Indent::all("  "),
        &[(Style::Faint, &as_of), (Style::Faint, &packs)],
    )
}

fn collections(page: &mut Page<'_, '_>, host: &HostReport) -> io::Result<()> {
    page.heading("Evidence of this host", &host.host_rule)?;
    for collection in &host.collections {
        let taken = collection.taken.map_or_else(
            || "time not known".to_owned(),
            |taken| format!("taken {}", words::time(taken)),
        );
        page.flow(
            Indent {
                first: "  ",
                rest: "    ",
            },
            &[
                (Style::Strong, &collection.id),
                (Style::Plain, &collection.path),
                (
                    Style::Faint,
                    &format!("({}, {taken})", collection.container),
                ),
            ],
        )?;
        let sentence = format!("{}.", words::accounting(&collection.accounting));
        page.flow(Indent::all("    "), &[(Style::Faint, &sentence)])?;
        page.flow(
            Indent::all("    "),
            &[
                (Style::Faint, "SHA-256 of the manifest"),
                (Style::Faint, &collection.sha256),
            ],
        )?;
    }
    Ok(())
}

fn bullet(page: &mut Page<'_, '_>, style: Style, text: &str) -> io::Result<()> {
    let first = page.glyph("  • ", "  * ");
    page.flow(
        Indent {
            first,
            rest: "    ",
        },
        &[(style, text)],
    )
}

fn place_list(page: &mut Page<'_, '_>, places: &[Place]) -> io::Result<()> {
    for place in places.iter().take(PLACES_MAX) {
        let first = page.glyph("      ↳ ", "      > ");
        page.flow(
            Indent {
                first,
                rest: "        ",
            },
            &[(Style::Faint, &place.to_string())],
        )?;
    }
    let more = places.len().saturating_sub(PLACES_MAX);
    if more > 0 {
        let more = format!("and {}", words::counted(more as u64, "more place"));
        page.flow(Indent::all("        "), &[(Style::Faint, &more)])?;
    }
    Ok(())
}

fn gap_line(page: &mut Page<'_, '_>, indent: &str, gap: &Gap) -> io::Result<()> {
    let rest = format!("{indent}  ");
    let kind = format!("{}:", words::gap_kind(gap.kind));
    let mut place = gap.place.to_string();
    if let Some(span) = words::span(gap.from, gap.until) {
        place = if place.is_empty() {
            span
        } else {
            format!("{span}, {place}")
        };
    }
    if !place.is_empty() {
        place = format!("({place})");
    }
    page.flow(
        Indent {
            first: indent,
            rest: &rest,
        },
        &[
            (Style::Warning, &kind),
            (Style::Plain, &gap.detail),
            (Style::Faint, &place),
        ],
    )
}

fn others(page: &mut Page<'_, '_>, total: usize, shown: usize, noun: &str) -> io::Result<()> {
    let more = total.saturating_sub(shown);
    if more == 0 {
        return Ok(());
    }
    let more = format!(
        "and {}, which the other formats hold",
        words::counted(more as u64, &format!("more {noun}"))
    );
    page.flow(Indent::all("  "), &[(Style::Faint, &more)])
}

fn verdict_icon(page: &Page<'_, '_>, verdict: VerdictName) -> &'static str {
    match verdict {
        VerdictName::Compromised => page.glyph("✗", "X"),
        VerdictName::Reinfected => page.glyph("↻", "X"),
        VerdictName::Exposed => page.glyph("▲", "!"),
        VerdictName::Unproven => "?",
        VerdictName::Evicted | VerdictName::Clear => page.glyph("✓", "+"),
        VerdictName::NotAffected => page.glyph("○", "o"),
    }
}

fn verdict_style(verdict: VerdictName) -> Style {
    match verdict {
        VerdictName::Compromised | VerdictName::Reinfected => Style::Bad,
        VerdictName::Exposed | VerdictName::Unproven => Style::Warning,
        VerdictName::Evicted | VerdictName::Clear => Style::Good,
        VerdictName::NotAffected => Style::Neutral,
    }
}

fn exposure_style(state: ExposureState) -> Style {
    match state {
        ExposureState::Vulnerable => Style::Bad,
        ExposureState::Mitigated | ExposureState::Unknown => Style::Warning,
        ExposureState::Patched => Style::Good,
        ExposureState::NotAffected => Style::Neutral,
    }
}

fn stage_style(stage: Stage) -> Style {
    match stage {
        Stage::NoneSeen => Style::Faint,
        Stage::Probed => Style::Warning,
        _ => Style::Bad,
    }
}
