//! Charts over time: lanes on one scale, each a small SVG that stretches with the page.
//!
//! Positions are percentages, so one drawing serves a wide screen, a phone and paper. Every lane says in words what
//! it draws.

use super::parts::{Shown, gap_list};
use crate::lane::{Mark, Scale, stretches};
use crate::view::Judged;
use crate::words;
use jiff::{Timestamp, ToSpan, civil, tz::Offset};
use maud::{Markup, html as markup};
use model::Stage;
use model::report::{ExposureSpan, ExposureState, NeedReport, Share, StoryStep};

/// Hatches for what was not seen, so that colour alone tells nothing. Our own text, the same on every page.
pub(super) const PATTERNS: &str = r#"<svg class="patterns" width="0" height="0" aria-hidden="true"><defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V6" class="hatch"/></pattern><pattern id="dots" width="5" height="5" patternUnits="userSpaceOnUse"><circle cx="2.5" cy="2.5" r="1.3" class="dot"/></pattern></defs></svg>"#;

/// Labels below a chart at most; more would touch on a desk screen.
const TICKS_MAX: u32 = 6;

/// The least width of a drawn gap, in ten-thousandths: what is there must be seen.
const WIDTH_MIN: u32 = 40;

/// Steps of the story that lie closer than this, in ten-thousandths, share a dot.
const DOT_WIDTH: u32 = 250;

/// The story over time: exposure, and a lane for each stage reached.
pub(super) fn story(one: Judged<'_>, scale: Scale) -> Markup {
    let steps = &one.campaign.compromise.story;
    let stages = [
        Stage::Probed,
        Stage::Exploited,
        Stage::Foothold,
        Stage::HandsOn,
        Stage::Impact,
    ];
    let reached = stages
        .into_iter()
        .filter(|stage| steps.iter().any(|step| step.stage == *stage));
    markup! {
        div.chart {
            (exposure_lane(one, scale))
            @for stage in reached {
                div.row {
                    div.label { (words::stage(stage)) }
                    div.lane { (dots(steps, stage, scale, one)) }
                }
            }
            (axis(scale))
        }
    }
}

/// What was seen of each need over time, against the time the host was exposed.
pub(super) fn coverage(one: Judged<'_>, scale: Scale, needs: &[&NeedReport]) -> Markup {
    markup! {
        div.chart {
            (exposure_lane(one, scale))
            @for need in needs {
                div.row {
                    div.label { (Shown(&need.title)) }
                    div.lane { (need_lane(need, one, scale)) }
                    div.share { (words::share(need.seen)) }
                    @if need.seen < Share::WHOLE && !need.gaps.is_empty() {
                        div.below { (gap_list(&need.gaps)) }
                    }
                }
            }
            (axis(scale))
        }
        p.legend {
            (swatch("seen")) " seen " (swatch("part")) " seen in part, not known which " (swatch("missed")) " not seen "
            (swatch("open")) " could be broken into " (swatch("maybe")) " exposure not known"
        }
    }
}

fn swatch(class: &str) -> Markup {
    markup! {
        svg.swatch width="22" height="12" aria-hidden="true" {
            rect.(class) width="22" height="12" {}
        }
    }
}

fn exposure_lane(one: Judged<'_>, scale: Scale) -> Markup {
    let spans = &one.campaign.exposure.spans;
    let told: Vec<String> = spans.iter().map(words::exposure_span).collect();
    let told = match told.as_slice() {
        [] => words::exposure(one.campaign.exposure.state).to_owned(),
        told => told.join("; "),
    };
    markup! {
        div.row {
            div.label { "exposure" }
            div.lane {
                svg width="100%" height="26" role="img" aria-label=(told) {
                    title { (told) }
                    @for span in spans {
                        @let (from, width) = extent(span, scale);
                        rect.(exposure_class(span.state)) x=(percent(from)) width=(percent(width)) y="3" height="20" {}
                        // A label needs room: a twelfth of the lane holds the longest on a desk screen.
                        @if width > 1_500 {
                            text.inside x=(percent(from + 80)) y="17" { (words::exposure(span.state)) }
                        }
                    }
                }
            }
        }
    }
}

/// The exposed time as a faint band behind a lane.
fn band(one: Judged<'_>, scale: Scale) -> Markup {
    let spans = one.campaign.exposure.spans.iter();
    let open = spans.filter(|span| {
        !matches!(
            span.state,
            ExposureState::Patched | ExposureState::NotAffected
        )
    });
    markup! {
        @for span in open {
            @let (from, width) = extent(span, scale);
            rect.band x=(percent(from)) width=(percent(width)) y="0" height="100%" {}
        }
    }
}

fn extent(span: &ExposureSpan, scale: Scale) -> (u32, u32) {
    let from = span.from.map_or(0, |time| scale.position(time.as_second()));
    let until = span
        .until
        .map_or(10_000, |time| scale.position(time.as_second()));
    (from, until.saturating_sub(from))
}

fn exposure_class(state: ExposureState) -> &'static str {
    match state {
        ExposureState::Vulnerable | ExposureState::Mitigated => "open",
        ExposureState::Unknown => "maybe",
        ExposureState::Patched | ExposureState::NotAffected => "closed",
    }
}

fn need_lane(need: &NeedReport, one: Judged<'_>, scale: Scale) -> Markup {
    let stretches = stretches(need);
    let told = told(need);
    markup! {
        svg width="100%" height="20" role="img" aria-label=(Shown(&told)) {
            title { (Shown(&told)) }
            (band(one, scale))
            @for stretch in &stretches {
                @let from = scale.position(stretch.from);
                @let width = scale.position(stretch.until).saturating_sub(from).max(WIDTH_MIN);
                @let class = match stretch.mark {
                    Mark::Seen => "seen",
                    Mark::InPart => "part",
                    Mark::NotSeen => "missed",
                };
                rect.(class) x=(percent(from.min(10_000 - WIDTH_MIN))) width=(percent(width)) y="4" height="12" {}
            }
        }
    }
}

/// What the lane draws, in words.
fn told(need: &NeedReport) -> String {
    let holes: Vec<String> = stretches(need)
        .iter()
        .filter(|stretch| stretch.mark == Mark::NotSeen)
        .filter_map(|stretch| {
            let from = Timestamp::from_second(stretch.from).ok();
            words::span(from, Timestamp::from_second(stretch.until).ok())
        })
        .collect();
    let seen = format!("{}: {} seen", need.title, words::share(need.seen));
    match holes.as_slice() {
        [] => seen,
        holes => format!("{seen}; not seen {}", holes.join(", ")),
    }
}

/// Dots for the steps of one stage; close ones are one larger dot that says how many.
fn dots(steps: &[StoryStep], stage: Stage, scale: Scale, one: Judged<'_>) -> Markup {
    let mut groups: Vec<(u32, Vec<String>)> = Vec::new();
    for step in steps.iter().filter(|step| step.stage == stage) {
        let Some(time) = step.time else { continue };
        let position = scale.position(time.as_second()).clamp(120, 9_880);
        let told = format!("{}: {}", words::minute(time), step.text);
        match groups.last_mut() {
            Some((last, group)) if position.abs_diff(*last) < DOT_WIDTH => group.push(told),
            _ => groups.push((position, vec![told])),
        }
    }
    let label = format!(
        "{}: {}",
        words::stage(stage),
        words::counted(
            groups
                .iter()
                .map(|(_, group)| group.len() as u64)
                .sum::<u64>(),
            "dated step"
        )
    );
    markup! {
        svg width="100%" height="26" role="img" aria-label=(label) {
            (band(one, scale))
            line.rail x1="0" x2="100%" y1="13" y2="13" {}
            @for (position, group) in &groups {
                g {
                    title { @for told in group.iter().take(20) { (Shown(told)) "\n" } }
                    circle.(if stage == Stage::Probed { "probe" } else { "hit" })
                        cx=(percent(*position)) cy="13" r=(if group.len() > 1 { "9" } else { "6" }) {}
                    @if group.len() > 1 { text.many x=(percent(*position)) y="17" { (group.len().min(99)) } }
                }
            }
        }
    }
}

fn axis(scale: Scale) -> Markup {
    let ticks = ticks(scale);
    markup! {
        div.row.axis aria-hidden="true" {
            div.label {}
            div.lane {
                svg width="100%" height="24" {
                    @for (index, (second, label)) in ticks.iter().enumerate() {
                        @let position = scale.position(*second);
                        @let anchor = if position < 500 { "first" } else if position > 9_500 { "last" } else { "mid" };
                        line.tick x1=(percent(position)) x2=(percent(position)) y1="0" y2="5" {}
                        text.(anchor).(if index % 2 == 1 { "odd" } else { "even" }) x=(percent(position)) y="18" { (label) }
                    }
                }
            }
        }
    }
}

/// Round times on the scale and their labels: hours, days, weeks or months, whichever give a few.
fn ticks(scale: Scale) -> Vec<(i64, String)> {
    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;
    for step in [
        HOUR,
        3 * HOUR,
        6 * HOUR,
        12 * HOUR,
        DAY,
        2 * DAY,
        7 * DAY,
        14 * DAY,
    ] {
        let first = scale
            .from
            .div_euclid(step)
            .saturating_add(1)
            .saturating_mul(step);
        let count = scale.until.saturating_sub(first).div_euclid(step) + 1;
        if count <= i64::from(TICKS_MAX) {
            let format = if step < DAY {
                "%m-%d %H:%M"
            } else {
                "%Y-%m-%d"
            };
            let seconds = (0..count).map(|index| first + index * step);
            return seconds
                .filter_map(|second| Some((second, label(second, format)?)))
                .collect();
        }
    }
    let months = months(scale);
    let step = months.len().div_ceil(TICKS_MAX as usize).max(1);
    let some = months.into_iter().step_by(step);
    some.filter_map(|second| Some((second, label(second, "%Y-%m-%d")?)))
        .collect()
}

/// The first of every month on the scale; at most a thousand.
fn months(scale: Scale) -> Vec<i64> {
    let Ok(from) = Timestamp::from_second(scale.from) else {
        return Vec::new();
    };
    let start: civil::Date = Offset::UTC.to_datetime(from).date().first_of_month();
    let mut months = Vec::new();
    for index in 1..1000_i64 {
        let Ok(month) = start.checked_add(index.months()) else {
            break;
        };
        let Ok(time) = Offset::UTC.to_timestamp(month.at(0, 0, 0, 0)) else {
            break;
        };
        if time.as_second() > scale.until {
            break;
        }
        months.push(time.as_second());
    }
    months
}

fn label(second: i64, format: &str) -> Option<String> {
    let time = Timestamp::from_second(second).ok()?;
    Some(time.strftime(format).to_string())
}

/// Ten-thousandths as a percentage.
fn percent(ten_thousandths: u32) -> String {
    format!("{}.{:02}%", ten_thousandths / 100, ten_thousandths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(from: &str, until: &str) -> Vec<String> {
        let second = |time: &str| time.parse::<Timestamp>().unwrap().as_second();
        let scale = Scale {
            from: second(from),
            until: second(until),
        };
        ticks(scale).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_few_and_round() {
        assert_eq!(
            labels("2021-03-03T04:10:00Z", "2021-03-03T09:30:00Z"),
            [
                "03-03 05:00",
                "03-03 06:00",
                "03-03 07:00",
                "03-03 08:00",
                "03-03 09:00"
            ]
        );
        assert_eq!(
            labels("2021-01-01T00:00:00Z", "2021-05-14T00:00:00Z"),
            ["2021-02-01", "2021-03-01", "2021-04-01", "2021-05-01"]
        );
        assert_eq!(
            labels("1971-06-01T00:00:00Z", "2021-06-01T00:00:00Z").len(),
            6
        );
        assert!(
            labels("-009999-02-01T00:00:00Z", "9999-12-01T00:00:00Z").len() <= TICKS_MAX as usize
        );
    }
}
