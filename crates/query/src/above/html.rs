//! The picture as one HTML page with charts in SVG. Nothing in it runs or calls home (`report::page`).

use super::text::{ACTORS_MAX, REUSE_MAX, headline, some, tools, used_again, why};
use super::{Above, Actor, Campaign};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use maud::{Markup, html as markup};
use std::io::{self, Write};

const STYLE: &str = include_str!("style.css");

/// Bars of one chart; a longer span is drawn in steps of several days.
const BARS_MAX: i64 = 120;

/// The charts' own units; the page scales them.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 48.0;
const BOTTOM: f64 = 26.0;

/// Actors in the chart of who was at work when.
const LANES_MAX: usize = 20;
const LANE_HEIGHT: f64 = 22.0;
const LANE_LEFT: f64 = 90.0;

/// Writes the picture as a page.
pub fn html(above: &Above, out: &mut dyn Write) -> io::Result<()> {
    let body = markup! {
        header.masthead { h1 { "Allclear" span { " campaign seen from above" } } }
        main {
            @if above.campaigns.is_empty() { section.plain { p { "No campaign has been judged in this case." } } }
            @for one in &above.campaigns { (campaign(one)) }
            (actors(&above.actors))
            @if !above.reuse.is_empty() {
                section.plain {
                    h2 { "Shells that another used later " span.count { (above.reuse.len()) } }
                    ul { @for one in above.reuse.iter().take(REUSE_MAX) { li { (used_again(one)) } } }
                    (more(above.reuse.len(), REUSE_MAX))
                }
            }
            @if !above.too_common.is_empty() {
                section.plain {
                    h2 { "Shared by too many hosts to tell anybody apart" }
                    ul {
                        @for one in above.too_common.iter().take(REUSE_MAX) {
                            li {
                                (one.shared.kind.name()) " " code { (report::visible(&one.shared.value)) } ": "
                                (one.hosts) " hosts (" (format!("{:.0}", one.share * 100.0)) " %)"
                            }
                        }
                    }
                    (more(above.too_common.len(), REUSE_MAX))
                }
            }
        }
        footer {
            @for note in &above.notes { p { (note) } }
            p { "All times are UTC. Text from evidence is shown with hidden characters made visible, such as <U+202E>." }
        }
    };
    report::page("Campaign seen from above", STYLE, &body, out)
}

fn campaign(campaign: &Campaign) -> Markup {
    markup! {
        section.plain {
            h2 { (report::visible(&campaign.campaign)) }
            p {
                @for (at, (verdict, hosts)) in campaign.verdicts.iter().enumerate() {
                    @if at > 0 { ", " }
                    (report::visible(verdict)) " " b { (hosts) }
                }
            }
            @if let Some(disclosed) = campaign.disclosed {
                p {
                    "Public since " (disclosed.strftime("%Y-%m-%d").to_string()) ": "
                    (campaign.exploited_before_disclosure.unwrap_or(0)) " hosts exploited before, "
                    (campaign.exploited_after_disclosure.unwrap_or(0)) " after."
                }
            }
            @if let Some(days) = campaign.days_to_patch_median {
                p { "Half of the hosts that were exploited and patched later had the intruder for " (days) " days or less before the patch." }
            }
            (curve(campaign))
        }
    }
}

/// Bars of one step of days.
#[derive(Clone, Copy, Default)]
struct Step {
    exploited: i64,
    patched: i64,
    /// At its end.
    exposed: i64,
}

/// The days of a curve in equal steps; a step in which nothing happened has the exposure of the one before.
fn steps(campaign: &Campaign) -> Option<(Date, i64, Vec<Step>)> {
    let (first, last) = (campaign.curve.first()?.day, campaign.curve.last()?.day);
    let days = days_between(first, last) + 1;
    let width = (days + BARS_MAX - 1) / BARS_MAX;
    let count = usize::try_from((days + width - 1) / width).ok()?;
    let mut steps: Vec<Option<Step>> = vec![None; count];
    for day in &campaign.curve {
        let at = usize::try_from(days_between(first, day.day) / width).ok()?;
        let step = steps.get_mut(at)?.get_or_insert_default();
        step.exploited += day.exploited;
        step.patched += day.patched;
        step.exposed = day.exposed;
    }
    let mut exposed = 0;
    let filled = steps.into_iter().map(|step| {
        let step = step.unwrap_or(Step {
            exposed,
            ..Step::default()
        });
        exposed = step.exposed;
        step
    });
    Some((first, width, filled.collect()))
}

fn days_between(from: Date, until: Date) -> i64 {
    from.until(until)
        .map_or(0, |span| i64::from(span.get_days()))
}

fn curve(campaign: &Campaign) -> Markup {
    let Some((first, width, steps)) = steps(campaign) else {
        return markup! { p.note { "Nothing in it is dated." } };
    };
    let of = |value: fn(&Step) -> i64| steps.iter().map(value).max().unwrap_or(0);
    let most = of(|step| step.exploited.max(step.patched).max(step.exposed)).max(1);
    let slot = (WIDTH - LEFT) / steps.len() as f64;
    let y = |count: i64| HEIGHT - BOTTOM - (HEIGHT - BOTTOM - 10.0) * count as f64 / most as f64;
    let x = |at: usize| LEFT + slot * at as f64;
    let bar = |at: usize, count: i64, offset: f64, class: &str, what: &str| {
        let day = first
            .checked_add((width * i64::try_from(at).unwrap_or(0)).days())
            .unwrap_or(first);
        let span = if width > 1 {
            format!(" and {} days after", width - 1)
        } else {
            String::new()
        };
        markup! {
            @if count > 0 {
                rect class=(class) x=(px(x(at) + slot * offset)) y=(px(y(count))) width=(px(slot * 0.42))
                    height=(px(HEIGHT - BOTTOM - y(count))) { title { (day) (span) ": " (count) " " (what) } }
            }
        }
    };
    let line: Vec<String> = steps
        .iter()
        .enumerate()
        .map(|(at, step)| format!("{},{}", px(x(at) + slot / 2.0), px(y(step.exposed))))
        .collect();
    let last = first
        .checked_add((width * i64::try_from(steps.len()).unwrap_or(1) - 1).days())
        .unwrap_or(first);
    markup! {
        svg.curve viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label="Hosts exploited, patched and exposed by day" {
            line.axis x1=(LEFT) x2=(WIDTH) y1=(HEIGHT - BOTTOM) y2=(HEIGHT - BOTTOM) {}
            text x=(LEFT - 6.0) y=(px(y(most) + 4.0)) text-anchor="end" { (most) }
            text x=(LEFT - 6.0) y=(HEIGHT - BOTTOM) text-anchor="end" { "0" }
            @for (at, step) in steps.iter().enumerate() {
                (bar(at, step.exploited, 0.05, "exploited", "exploited"))
                (bar(at, step.patched, 0.53, "patched", "patched"))
            }
            polyline.exposed points=(line.join(" ")) {}
            text x=(LEFT) y=(HEIGHT - 6.0) { (first) }
            text x=(WIDTH) y=(HEIGHT - 6.0) text-anchor="end" { (last) }
        }
        p.legend {
            span.exploited { "■ first exploited" } " " span.patched { "■ patched" } " " span.exposed { "— still exposed" }
            @if width > 1 { " in steps of " (width) " days" }
        }
    }
}

fn actors(actors: &[Actor]) -> Markup {
    markup! {
        section.plain {
            h2 { "Actors " span.count { (actors.len()) } }
            (lanes(actors))
            @for actor in actors.iter().take(ACTORS_MAX) {
                h3 { (actor.name) }
                p { (headline(actor)) }
                dl.tools {
                    @for (what, values) in tools(actor) { div { dt { (what) } dd { code { (some(values)) } } } }
                }
                @if !actor.joins.is_empty() {
                    details {
                        summary { "Why these visits are taken for one actor's" }
                        ul { @for join in &actor.joins { li { (why(join)) } } }
                    }
                }
            }
            (more(actors.len(), ACTORS_MAX))
        }
    }
}

/// Who was at work when.
fn lanes(actors: &[Actor]) -> Markup {
    let shown: Vec<&Actor> = actors
        .iter()
        .filter(|actor| actor.first.is_some())
        .take(LANES_MAX)
        .collect();
    let first = shown.iter().filter_map(|actor| actor.first).min();
    let last = shown
        .iter()
        .filter_map(|actor| actor.last.or(actor.first))
        .max();
    let (Some(first), Some(last)) = (first, last) else {
        return markup! {};
    };
    let seconds = (last.as_second() - first.as_second()).max(1) as f64;
    let x = |time: Timestamp| {
        let share = (time.as_second() - first.as_second()) as f64 / seconds;
        LANE_LEFT + (WIDTH - LANE_LEFT - 10.0) * share
    };
    let height = LANE_HEIGHT * shown.len() as f64 + BOTTOM;
    markup! {
        svg.lanes viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label="When each actor was at work" {
            @for (at, actor) in shown.iter().enumerate() {
                @let y = LANE_HEIGHT * (at as f64 + 0.5);
                text x="0" y=(px(y + 4.0)) { (actor.name) }
                @if let Some(began) = actor.first {
                    line.span x1=(px(x(began))) x2=(px(x(actor.last.unwrap_or(began)))) y1=(px(y)) y2=(px(y)) {}
                }
                @for visit in &actor.visits {
                    @if let Some(time) = visit.first {
                        circle.visit cx=(px(x(time))) cy=(px(y)) r="4" {
                            title { (report::visible(&visit.host)) ", " (time) }
                        }
                    }
                }
            }
            text x=(LANE_LEFT) y=(px(height - 6.0)) { (first.strftime("%Y-%m-%d").to_string()) }
            text x=(WIDTH) y=(px(height - 6.0)) text-anchor="end" { (last.strftime("%Y-%m-%d").to_string()) }
        }
    }
}

fn more(count: usize, shown: usize) -> Markup {
    markup! {
        @if count > shown { p.note { "And " (count - shown) " more: the JSON form has all of them." } }
    }
}

/// A coordinate; two decimals are finer than any screen.
fn px(value: f64) -> String {
    format!("{value:.2}")
}
