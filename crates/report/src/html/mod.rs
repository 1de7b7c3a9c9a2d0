//! The report as one HTML file that needs nothing else: no script, no font, no request.
//!
//! A Content Security Policy allows the one style sheet, by its hash, and nothing more; so even markup that slipped
//! through could neither run nor call home. There are no links to other sites: an address in evidence is text.

mod chart;
mod host;
mod icon;
mod leads;
mod parts;

use crate::view::{self, Findings, Judged};
use crate::words;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html as markup};
use model::Gap;
use model::report::{HostReport, Report};
use parts::{Shown, accounting_table, gap_list, tone_of_exposure, tone_of_stage, tone_of_verdict};
use sha2::{Digest, Sha256};
use std::io::{self, Write};

const STYLE: &str = include_str!("style.css");

/// Gaps that are shown of those outside any need; a browser must stay usable on the worst evidence.
const GAPS_MAX: usize = 500;

/// Writes the report as one HTML file.
pub fn html(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(document(report).into_string().as_bytes())
}

fn document(report: &Report) -> Markup {
    let judged = view::worst_first(report);
    markup! {
        (DOCTYPE)
        html lang="en" {
            (head(&title(&judged), STYLE))
            body {
                (PreEscaped(chart::PATTERNS))
                (masthead(report, &judged))
                main { (body(report, &judged)) }
                footer {
                    p { "All times are UTC. Schema " (Shown(&report.schema)) "." }
                    p { "Text from evidence is shown with hidden characters made visible, such as <U+202E>." }
                }
            }
        }
    }
}

fn body(report: &Report, judged: &[Judged<'_>]) -> Markup {
    let findings = Findings::of(report);
    let others = findings.of_none(report);
    markup! {
        @if !report.examined_anything() { (nothing_examined()) }
        @if judged.len() > 1 { (index(judged)) }
        @for (number, one) in judged.iter().enumerate() {
            (host::article(
                number,
                *one,
                view::is_first_of_host(judged, number),
                &findings.of_campaign(one.campaign),
            ))
        }
        @for host in view::unjudged(report) { (unjudged(host)) }
        @for host in &report.hosts { (leads::section(host)) }
        @if !others.is_empty() {
            section.plain {
                h2 { "Findings outside any campaign" }
                (host::finding_list("x", &others))
            }
        }
        (other_gaps(&view::other_gaps(report)))
        @if !report.not_looked_at.is_empty() { (not_looked_at(&report.not_looked_at)) }
        section.plain {
            h2 { "What was read" }
            (accounting_table(&report.accounting))
        }
    }
}

/// What stands in the browser's title bar and in a printed page's head.
fn title(judged: &[Judged<'_>]) -> String {
    match judged {
        [] => "Allclear report".to_owned(),
        [one] => {
            let verdict = words::verdict(one.campaign.verdict);
            format!("{}: {verdict} - Allclear report", one.host.host)
        }
        many => {
            let worst = words::verdict(many[0].campaign.verdict);
            format!("{} verdicts, worst {worst} - Allclear report", many.len())
        }
    }
}

/// A page of another kind in the same form and under the same policy: its style sheet comes after the report's. Text
/// from evidence enters `body` through [`crate::visible`].
pub fn page(title: &str, style: &str, body: &Markup, out: &mut dyn Write) -> io::Result<()> {
    let style = format!("{STYLE}{style}");
    let page = markup! {
        (DOCTYPE)
        html lang="en" {
            (head(title, &style))
            body { (body) }
        }
    };
    out.write_all(page.into_string().as_bytes())
}

fn head(title: &str, style: &str) -> Markup {
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        STANDARD.encode(Sha256::digest(style))
    );
    markup! {
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy);
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="referrer" content="no-referrer";
            title { (Shown(title)) }
            style { (PreEscaped(style)) }
        }
    }
}

fn masthead(report: &Report, judged: &[Judged<'_>]) -> Markup {
    let as_of = report
        .as_of
        .map_or_else(|| "not known".to_owned(), words::time);
    markup! {
        header.masthead {
            h1 { "Allclear" span { " compromise report" } }
            dl {
                div { dt { "Judged as of" } dd { (as_of) } }
                div {
                    dt { "Campaigns" }
                    dd {
                        @if report.packs.is_empty() { "none: no pack was used" }
                        @for (index, pack) in report.packs.iter().enumerate() {
                            @if index > 0 { ", " }
                            (Shown(&pack.name)) " " (Shown(&pack.version))
                        }
                    }
                }
                div { dt { "Hosts" } dd { (words::thousands(report.hosts.len() as u64)) } }
                @if judged.len() > 1 {
                    div {
                        dt { "Verdicts" }
                        dd {
                            @for (index, (verdict, count)) in view::tally(judged).into_iter().enumerate() {
                                @if index > 0 { ", " }
                                (count) " " (words::verdict(verdict))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn nothing_examined() -> Markup {
    markup! {
        section.banner {
            h2 { (icon::unknown()) " Nothing was examined" }
            p { (words::NOTHING_EXAMINED) }
        }
    }
}

/// The table of all hosts.
fn index(judged: &[Judged<'_>]) -> Markup {
    let with_campaign = view::only_campaign(judged).is_none();
    markup! {
        nav aria-label="Hosts" {
            h2 { "Hosts, most urgent first" }
            table.index {
                thead {
                    tr {
                        th scope="col" { "Host" }
                        @if with_campaign { th scope="col" { "Campaign" } }
                        th scope="col" { "Verdict" }
                        th scope="col" { "Intrusion" }
                        th scope="col" { "Exposure" }
                        th scope="col" { "Needs seen" }
                        th scope="col" { "Next action" }
                    }
                }
                tbody {
                    @for (number, one) in judged.iter().enumerate() {
                        (index_row(number, *one, with_campaign))
                    }
                }
            }
        }
    }
}

fn index_row(number: usize, one: Judged<'_>, with_campaign: bool) -> Markup {
    let campaign = one.campaign;
    let (stage, state) = (campaign.compromise.stage, campaign.exposure.state);
    markup! {
        tr {
            th scope="row" { a href={ "#h" (number) } { (Shown(&one.host.host)) } }
            @if with_campaign { td data-label="Campaign" { (Shown(&campaign.campaign)) } }
            td data-label="Verdict" {
                span.chip.(tone_of_verdict(campaign.verdict)) {
                    (icon::verdict(campaign.verdict)) " " (words::verdict(campaign.verdict))
                }
            }
            td data-label="Intrusion" { span.(tone_of_stage(stage)) { (words::stage(stage)) } }
            td data-label="Exposure" { span.(tone_of_exposure(state)) { (words::exposure(state)) } }
            td data-label="Needs seen" { (words::coverage_short(campaign)) }
            td data-label="Next action" {
                @match view::next_action(campaign) {
                    Some(action) => (Shown(action)),
                    None => "none",
                }
            }
        }
    }
}

fn unjudged(host: &HostReport) -> Markup {
    markup! {
        section.banner {
            h2 { (icon::unknown()) " " (Shown(&host.host)) }
            p { "Judged for no campaign: no pack was used." }
        }
    }
}

fn other_gaps(gaps: &[&Gap]) -> Markup {
    let more = gaps.len().saturating_sub(GAPS_MAX);
    markup! {
        @if !gaps.is_empty() {
            section.plain {
                h2 { "Gaps outside any need " span.count { (words::thousands(gaps.len() as u64)) } }
                (gap_list(gaps.iter().copied().take(GAPS_MAX)))
                @if more > 0 { p.note { "And " (words::counted(more as u64, "more gap")) ", which the JSON report holds." } }
            }
        }
    }
}

fn not_looked_at(sources: &[String]) -> Markup {
    markup! {
        section.plain {
            h2 { "Not looked at" }
            p.note { "Kinds of evidence that could convict, and were not there." }
            ul { @for source in sources { li { (Shown(source)) } } }
        }
    }
}
