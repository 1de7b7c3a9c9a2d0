//! One host and campaign on the page, from the verdict down to the raw records.

use super::chart;
use super::icon;
use super::parts::{
    Raw, Shown, accounting_table, gap_list, place, places, steps, tone_of_exposure,
    tone_of_foothold, tone_of_gate, tone_of_outcome, tone_of_seen, tone_of_stage, tone_of_verdict,
};
use crate::lane::Scale;
use crate::view::{self, Happening, Judged};
use crate::words;
use maud::{Markup, html as markup};
use model::report::{
    FootholdReport, GateState, HostReport, NeedReport, PersistenceEntry, Sent, Share, Statement,
    StatementOutcome, Statements, StoryStep,
};
use model::{Finding, FootholdState, Stage};
use std::collections::BTreeMap;

/// Findings with their raw records on the page; a browser must stay usable on the worst evidence.
const FINDINGS_MAX: usize = 400;

/// Things that start by themselves and are shown without a click.
const STARTS_SHOWN: usize = 6;

/// Findings named below one statement.
const LINKS_MAX: usize = 6;

/// Links from statements to findings on the page: id to anchor.
type Anchors<'a> = BTreeMap<&'a str, String>;

pub(super) fn article(
    number: usize,
    one: Judged<'_>,
    is_first: bool,
    findings: &[&Finding],
) -> Markup {
    let group = number.to_string();
    let shown = findings.iter().take(FINDINGS_MAX).enumerate();
    let anchors: Anchors<'_> = shown
        .map(|(index, finding)| (finding.id.as_str(), anchor(&group, index)))
        .collect();
    let scale = Scale::of(one.host, one.campaign);
    markup! {
        article id={ "h" (number) } {
            (verdict(one))
            (why(one))
            (next(one))
            (story(one, scale, &anchors))
            (statements(&one.campaign.statements, &anchors))
            (footholds(&one.campaign.compromise.footholds, &anchors))
            @if is_first { (persistence(one.host, &anchors)) }
            (coverage(one, scale))
            (exposure(one))
            (eviction(one))
            @if !findings.is_empty() {
                section {
                    h3 { "Findings " span.count { (words::thousands(findings.len() as u64)) } }
                    (finding_list(&group, findings))
                }
            }
            (collections(one))
        }
    }
}

fn verdict(one: Judged<'_>) -> Markup {
    let verdict = one.campaign.verdict;
    markup! {
        header.verdict.(tone_of_verdict(verdict)) {
            p.badge { (icon::verdict(verdict)) " " span { (words::verdict(verdict)) } }
            h2 { (Shown(&one.host.host)) " " span.campaign { (Shown(&one.campaign.campaign)) } }
            p.meaning { (words::meaning(verdict)) }
            @if view::nothing_examined(&view::host_accounting(one.host)) {
                p.meaning { strong { (words::NOTHING_EXAMINED) } }
            }
            (facts(one))
        }
    }
}

/// The four facts that the verdict is derived from.
fn facts(one: Judged<'_>) -> Markup {
    let campaign = one.campaign;
    let compromise = &campaign.compromise;
    let gates = &campaign.eviction.gates;
    let passed = gates
        .iter()
        .filter(|gate| gate.state == GateState::Pass)
        .count();
    let present = compromise
        .footholds
        .iter()
        .filter(|one| one.state == FootholdState::Present)
        .count();
    markup! {
        dl.facts {
            div {
                dt { "Exposure" }
                dd {
                    strong.(tone_of_exposure(campaign.exposure.state)) { (words::exposure(campaign.exposure.state)) }
                    span { (Shown(&words::product(campaign))) }
                }
            }
            div {
                dt { "Intrusion" }
                dd {
                    strong.(tone_of_stage(compromise.stage)) { (words::stage(compromise.stage)) }
                    span {
                        (words::stage_meaning(compromise.stage))
                        @if let Some(span) = words::span(compromise.first, compromise.last) { ", " (span) }
                    }
                }
            }
            div {
                dt { "Coverage" }
                dd {
                    strong.(if campaign.coverage.sufficient { "good" } else { "unsure" }) {
                        @if campaign.coverage.sufficient { "sufficient" } @else { "not sufficient" }
                    }
                    span { (words::needs_met(campaign)) }
                }
            }
            div {
                dt { "Eviction" }
                dd {
                    @if gates.is_empty() && compromise.footholds.is_empty() {
                        strong.quiet { "nothing to evict" }
                        span { "no foothold is known, and no gate applies" }
                    } @else {
                        strong.(if present > 0 { "bad" } else { "quiet" }) {
                            (words::counted(present as u64, "foothold")) " present"
                        }
                        span { (passed) " of " (words::counted(gates.len() as u64, "gate")) " passed" }
                    }
                }
            }
        }
    }
}

fn why(one: Judged<'_>) -> Markup {
    markup! {
        section {
            h3 { "Why" }
            ul.reasons {
                @for reason in view::reasons(one.campaign) { li { (Shown(&reason.text)) (places(&reason.places)) } }
            }
        }
    }
}

fn next(one: Judged<'_>) -> Markup {
    let next = view::next_steps(one.campaign);
    markup! {
        @if !next.is_empty() {
            section {
                h3 { "What to do next" }
                (steps(&next))
            }
        }
    }
}

fn story(one: Judged<'_>, scale: Option<Scale>, anchors: &Anchors<'_>) -> Markup {
    if one.campaign.compromise.story.is_empty() {
        return markup! {};
    }
    let timeline = view::timeline(one);
    markup! {
        section {
            h3 { "What was done" }
            @if let Some(scale) = scale { (chart::story(one, scale)) }
            ol.story {
                @for (time, happening) in &timeline.dated {
                    @let time = time.map(words::minute).unwrap_or_default();
                    @match happening {
                        Happening::Step(step) => (story_step(&time, step, anchors)),
                        Happening::Exposure(span) => {
                            li.change {
                                time { (time) }
                                div {
                                    strong.(tone_of_exposure(span.state)) { (words::exposure(span.state)) } " from here on"
                                    @if let Some(build) = span.build { ", build " (build) }
                                }
                            }
                        }
                        Happening::Collected(collection) => {
                            li.change {
                                time { (time) }
                                div { "evidence collected: " (Shown(&collection.path)) }
                            }
                        }
                        Happening::Pause(seconds) => { li.pause { span {} div { (words::elapsed(*seconds)) } } }
                    }
                }
                @for step in &timeline.undated { (story_step("time not known", step, anchors)) }
            }
        }
    }
}

fn story_step(time: &str, step: &StoryStep, anchors: &Anchors<'_>) -> Markup {
    // Some steps are the defenders': they say nothing of an intrusion.
    let defenders = step.stage == Stage::NoneSeen;
    markup! {
        li.(if defenders { "change" } else { "step" }).(tone_of_stage(step.stage)) {
            time { (time) }
            div {
                @if !defenders { span.chip.(tone_of_stage(step.stage)) { (words::stage(step.stage)) } " " }
                (Shown(&step.text))
                @if let Some(until) = words::until_later(step) { " (until " (until) ")" }
                p.note {
                    @for source in &step.sources { code { (Shown(source)) } " " }
                    @for technique in &step.techniques { span.technique { (Shown(technique)) } " " }
                    (links(&step.findings, anchors))
                }
            }
        }
    }
}

fn links(findings: &[String], anchors: &Anchors<'_>) -> Markup {
    let more = findings.len().saturating_sub(LINKS_MAX);
    markup! {
        @for id in findings.iter().take(LINKS_MAX) {
            @match anchors.get(id.as_str()) {
                Some(anchor) => { a.finding href={ "#" (anchor) } { (Shown(id)) } },
                None => { span.finding { (Shown(id)) } },
            }
            " "
        }
        @if more > 0 { "and " (words::counted(more as u64, "more finding")) }
    }
}

fn footholds(footholds: &[FootholdReport], anchors: &Anchors<'_>) -> Markup {
    markup! {
        @if !footholds.is_empty() {
            section {
                h3 { "Footholds " span.count { (footholds.len()) } }
                ul.cards {
                    @for foothold in footholds {
                        li.(tone_of_foothold(foothold.state)) {
                            p {
                                span.chip.(tone_of_foothold(foothold.state)) { (words::foothold_state(foothold.state)) }
                                " " (words::foothold_kind(foothold.kind))
                            }
                            p { code.path { (Shown(&foothold.path)) } }
                            p { (Shown(&foothold.reason)) }
                            @if let Some(first) = foothold.first { p { "At work since " (words::time(first)) "." } }
                            @if let Some(sha256) = &foothold.sha256 { p.note { "SHA-256 " code { (Shown(sha256)) } } }
                            p.note { (links(&foothold.findings, anchors)) }
                        }
                    }
                }
            }
        }
    }
}

/// What may be said to others; behind a click what is missing before more can be said.
fn statements(statements: &Statements, anchors: &Anchors<'_>) -> Markup {
    markup! {
        @if !statements.statements.is_empty() {
            section {
                h3 { "What can be said " span.count { (words::outcomes(statements)) } }
                p.note { (Shown(&statements.about)) "." }
                ul.gates {
                    @for one in &statements.statements { (statement(one, anchors)) }
                }
            }
        }
    }
}

fn statement(one: &Statement, anchors: &Anchors<'_>) -> Markup {
    let tone = tone_of_outcome(one.outcome);
    let state = match one.outcome {
        StatementOutcome::Contradicted => GateState::Fail,
        StatementOutcome::NotAnswerable => GateState::CannotTell,
        StatementOutcome::Supported => GateState::Pass,
    };
    markup! {
        li {
            span.chip.(tone) { (icon::gate(state)) " " (words::outcome(one.outcome)) }
            div {
                strong { (Shown(&one.statement)) }
                p { (Shown(&one.reason)) }
                @if let Some(sent) = &one.sent { p { (words::sent(sent)) } }
                @if !one.findings.is_empty() { p.note { (links(&one.findings, anchors)) } }
                details {
                    summary { "What it rests on" }
                    @if !one.against.is_empty() {
                        ul.reasons { @for against in &one.against { li { (Shown(&against.text)) (places(&against.places)) } } }
                    }
                    @if let Some(sent) = &one.sent { (sent_table(sent)) }
                    @if !one.missing.is_empty() {
                        ul.reasons {
                            @for missing in &one.missing {
                                li {
                                    strong { (Shown(&missing.title)) } ": " (Shown(&missing.gaps.join("; ")))
                                    p.note { (Shown(&missing.collect)) }
                                }
                            }
                        }
                    }
                    p.note { "Limits: " (Shown(&one.limits)) }
                    p.note { "Source: " (Shown(&one.source)) }
                }
            }
        }
    }
}

fn sent_table(sent: &Sent) -> Markup {
    markup! {
        @if !sent.clients.is_empty() {
            table.figures {
                thead {
                    tr {
                        th scope="col" { "Client" }
                        th scope="col" { "Log" }
                        th.number scope="col" { "Sent" }
                        th.number scope="col" { "Rows" }
                        th.number scope="col" { "Without size" }
                    }
                }
                tbody {
                    @for client in &sent.clients {
                        tr {
                            td { (Shown(&client.client)) }
                            td { (Shown(client.source.as_str())) }
                            td.number { (words::bytes(client.bytes)) }
                            td.number { (words::thousands(client.rows)) }
                            td.number { (words::thousands(client.rows_without_size)) }
                        }
                    }
                }
            }
        }
    }
}

/// What starts by itself, the most striking first; the rest behind a click.
fn persistence(host: &HostReport, anchors: &Anchors<'_>) -> Markup {
    let review = &host.persistence;
    let (first, others) = review
        .entries
        .split_at(review.entries.len().min(STARTS_SHOWN));
    markup! {
        @if view::has_review(host) {
            section {
                h3 { "What starts by itself " span.count { (words::reviewed(review)) } }
                ul.cards { @for entry in first { (start(entry, anchors)) } }
                @if !others.is_empty() {
                    details {
                        summary { "The other " (words::thousands(others.len() as u64)) }
                        ul.cards { @for entry in others { (start(entry, anchors)) } }
                    }
                }
                @if review.left_out > 0 {
                    p.note { "And " (words::counted(review.left_out, "more thing")) " beyond what is listed." }
                }
                h4 { "How far each kind was seen" }
                ul.needs {
                    @for kind in &review.coverage {
                        @let tone = tone_of_seen(kind.seen);
                        li {
                            span.(tone) { (words::seen_state(kind.seen)) } " " (Shown(&kind.title))
                            span.note { " " (words::thousands(kind.entries)) }
                            @if !kind.missing.is_empty() {
                                p.note { (Shown(&kind.missing.join("; "))) ". " (Shown(&kind.collect)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn start(entry: &PersistenceEntry, anchors: &Anchors<'_>) -> Markup {
    let tone = if entry.shipped || entry.campaigns.is_empty() {
        "quiet"
    } else {
        "unsure"
    };
    markup! {
        li.(tone) {
            p { (words::persistence_kind(entry.kind)) " " code.path { (Shown(&entry.name)) } }
            @if !entry.runs.is_empty() { p { code { (Shown(&entry.runs)) } } }
            p { (Shown(&entry.why.join("; "))) }
            p.note {
                (Shown(&words::changed(entry)))
                @if !entry.author.is_empty() { ", by " (Shown(&entry.author)) }
            }
            @if !entry.findings.is_empty() { p.note { (links(&entry.findings, anchors)) } }
            (places(&entry.places))
        }
    }
}

fn coverage(one: Judged<'_>, scale: Option<Scale>) -> Markup {
    let needs = &one.campaign.coverage.needs;
    let runs = |need: &&NeedReport| scale.is_some() && need.from.is_some() && need.until.is_some();
    let (over_time, at_once): (Vec<&NeedReport>, Vec<&NeedReport>) = needs.iter().partition(runs);
    markup! {
        section {
            h3 { "What was seen" }
            p { (words::coverage(one.campaign)) "." }
            @if let Some(scale) = scale && !over_time.is_empty() { (chart::coverage(one, scale, &over_time)) }
            @if !at_once.is_empty() {
                h4 { "At the latest collection" }
                ul.needs { @for need in at_once { (need_at_once(need)) } }
            }
        }
    }
}

fn need_at_once(need: &NeedReport) -> Markup {
    let (tone, state) = match need.seen {
        Share::WHOLE => ("good", GateState::Pass),
        Share::NONE => ("bad", GateState::Fail),
        _ => ("unsure", GateState::CannotTell),
    };
    markup! {
        li {
            span.(tone) { (icon::gate(state)) }
            " " (Shown(&need.title)) " " span.(tone) { (words::share(need.seen)) " seen" }
            @if need.seen < Share::WHOLE {
                @if need.gaps.is_empty() { p.note { "Nothing of it was in the evidence." } }
                (gap_list(&need.gaps))
            }
        }
    }
}

fn exposure(one: Judged<'_>) -> Markup {
    let exposure = &one.campaign.exposure;
    markup! {
        section {
            h3 { "Exposure" }
            @if exposure.spans.is_empty() { p { (words::exposure(exposure.state)) } }
            ul { @for span in &exposure.spans { li { (words::exposure_span(span)) } } }
            @if !exposure.basis.is_empty() {
                details {
                    summary { "How the builds were learned" }
                    ul.reasons { @for basis in &exposure.basis { li { (Shown(&basis.text)) (places(&basis.places)) } } }
                }
            }
        }
    }
}

fn eviction(one: Judged<'_>) -> Markup {
    let gates = &one.campaign.eviction.gates;
    let left = view::eviction_steps(one.campaign);
    markup! {
        @if !gates.is_empty() || !left.is_empty() {
            section {
                h3 { "Getting them out" }
                ul.gates {
                    @for gate in gates {
                        li {
                            span.chip.(tone_of_gate(gate.state)) { (icon::gate(gate.state)) " " (words::gate(gate.state)) }
                            div { strong { (Shown(&gate.title)) } p { (Shown(&gate.reason)) } }
                        }
                    }
                }
                @if !left.is_empty() { (steps(left)) }
            }
        }
    }
}

/// Findings, each with its raw record behind a click. `group` tells lists of one page apart.
pub(super) fn finding_list(group: &str, findings: &[&Finding]) -> Markup {
    let more = findings.len().saturating_sub(FINDINGS_MAX);
    markup! {
        ul.findings {
            @for (index, one) in findings.iter().take(FINDINGS_MAX).enumerate() {
                li id=(anchor(group, index)) { (finding(one)) }
            }
        }
        @if more > 0 { p.note { "And " (words::counted(more as u64, "more finding")) ", which the JSON report holds." } }
    }
}

fn anchor(group: &str, index: usize) -> String {
    format!("f{group}-{index}")
}

fn finding(finding: &Finding) -> Markup {
    let tone = finding.stage.map_or("quiet", tone_of_stage);
    markup! {
        p.head {
            span.chip.(tone) { (finding.stage.map_or("lead", words::stage)) } " "
            strong { (Shown(&finding.title)) }
        }
        @if !finding.meaning.is_empty() { p { (Shown(&finding.meaning)) } }
        dl.meta {
            div {
                dt { "When" }
                dd {
                    (finding.time.map_or_else(|| "time not known".to_owned(), words::time))
                    @if let Some(last) = finding.last { " to " (words::time(last)) }
                    @if finding.count > 1 { ", " (words::counted(finding.count, "record")) }
                }
            }
            div { dt { "Where" } dd { (place(&finding.place)) } }
            div { dt { "Rule" } dd { (Shown(&finding.rule)) " (" (Shown(&finding.level)) ") by " (Shown(&finding.author)) } }
            @if !finding.techniques.is_empty() {
                div {
                    dt { "ATT&CK" }
                    dd { @for technique in &finding.techniques { span.technique { (Shown(technique)) } " " } }
                }
            }
        }
        details {
            summary { "Raw record " code { (Shown(&finding.id)) } }
            pre { (Raw(&finding.evidence)) }
            dl.meta {
                @for (name, value) in &finding.details { div { dt { (Shown(name)) } dd { code { (Shown(value)) } } } }
                div { dt { "Reference" } dd { (Shown(&finding.reference)) } }
                div { dt { "Collection" } dd { code { (Shown(&finding.place.collection)) } } }
            }
        }
    }
}

fn collections(one: Judged<'_>) -> Markup {
    markup! {
        section {
            h3 { "Evidence of this host" }
            p.note { "Host named by: " (Shown(&one.host.host_rule)) "." }
            ul.cards {
                @for collection in &one.host.collections {
                    li {
                        p { code { (Shown(&collection.id)) } " " strong { (Shown(&collection.path)) } }
                        dl.meta {
                            div {
                                dt { "Taken" }
                                dd {
                                    (collection.taken.map_or_else(|| "time not known".to_owned(), words::time))
                                    @if !collection.taken_rule.is_empty() { " (" (Shown(&collection.taken_rule)) ")" }
                                }
                            }
                            div { dt { "Container" } dd { (Shown(&collection.container)) } }
                            div { dt { "SHA-256" } dd { code { (Shown(&collection.sha256)) } } }
                            @if let Some(manifest) = &collection.manifest {
                                div { dt { "Manifest" } dd { (Shown(manifest)) } }
                            }
                        }
                        (accounting_table(&collection.accounting))
                    }
                }
            }
        }
    }
}
