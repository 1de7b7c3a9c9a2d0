//! The coverage chart of the terminal: a bar a need, the gaps drawn against the time the host was exposed.

use super::page::{Indent, Page, Style};
use super::{gap_line, others};
use crate::escape::visible;
use crate::lane::{Mark, Scale, cells};
use crate::view::Judged;
use crate::width::width;
use crate::words;
use model::report::{ExposureState, NeedReport, Share};
use std::io;

const LABEL_COLUMNS_MAX: usize = 30;
const SHARE_COLUMNS: usize = 7;
const BAR_COLUMNS_MAX: usize = 60;
const BAR_COLUMNS_MIN: usize = 10;

pub(super) fn section(page: &mut Page<'_, '_>, one: Judged<'_>) -> io::Result<()> {
    let campaign = one.campaign;
    page.heading("What was seen", &words::coverage(campaign))?;
    let Some(chart) = Chart::of(page, one) else {
        for need in &campaign.coverage.needs {
            need_without_scale(page, need)?;
        }
        return Ok(());
    };
    let (over_time, at_once): (Vec<&NeedReport>, Vec<&NeedReport>) = campaign
        .coverage
        .needs
        .iter()
        .partition(|need| need.from.is_some() && need.until.is_some());
    if !over_time.is_empty() {
        chart.axis(page)?;
        chart.exposure(page, one)?;
        for need in over_time {
            chart.need(page, need)?;
        }
        chart.legend(page)?;
    }
    if !at_once.is_empty() {
        page.flow(
            Indent::all("  "),
            &[(Style::Faint, "At the latest collection:")],
        )?;
    }
    for need in at_once {
        need_without_scale(page, need)?;
    }
    Ok(())
}

struct Chart {
    scale: Scale,
    label: usize,
    bar: usize,
}

impl Chart {
    fn of(page: &Page<'_, '_>, one: Judged<'_>) -> Option<Self> {
        let scale = Scale::of(one.host, one.campaign)?;
        let room = page.columns().saturating_sub(2 + 2 + 1 + SHARE_COLUMNS);
        let label = (room * 2 / 5).min(LABEL_COLUMNS_MAX);
        let bar = room
            .saturating_sub(label)
            .clamp(BAR_COLUMNS_MIN, BAR_COLUMNS_MAX);
        Some(Self { scale, label, bar })
    }

    /// First and last day above the bars.
    fn axis(&self, page: &mut Page<'_, '_>) -> io::Result<()> {
        let day = |second| {
            jiff::Timestamp::from_second(second).map_or_else(|_| String::new(), words::date)
        };
        let (from, until) = (day(self.scale.from), day(self.scale.until));
        let gap = self.bar.saturating_sub(from.len() + until.len());
        let axis = if gap > 0 {
            format!("{from}{}{until}", " ".repeat(gap))
        } else {
            from
        };
        let label = page.cell("", self.label);
        page.row(&[
            (Style::Plain, &format!("  {label}  ")),
            (Style::Faint, &axis),
        ])
    }

    /// The time the host could be broken into, above the needs.
    fn exposure(&self, page: &mut Page<'_, '_>, one: Judged<'_>) -> io::Result<()> {
        let (open, unknown) = (page.glyph("▔", "^"), "?");
        let mut bar = vec![" "; self.bar];
        for span in &one.campaign.exposure.spans {
            let mark = match span.state {
                ExposureState::Vulnerable | ExposureState::Mitigated => open,
                ExposureState::Unknown => unknown,
                ExposureState::Patched | ExposureState::NotAffected => continue,
            };
            let from = span
                .from
                .map_or(self.scale.from, jiff::Timestamp::as_second);
            let until = span
                .until
                .map_or(self.scale.until, jiff::Timestamp::as_second);
            let cell = |second| self.scale.position(second) as usize * self.bar / 10_000;
            let end = cell(until).max(cell(from) + 1).min(self.bar);
            for place in bar.iter_mut().take(end).skip(cell(from)) {
                *place = mark;
            }
        }
        if bar.iter().all(|place| *place == " ") {
            return Ok(());
        }
        let label = page.cell("could be broken into", self.label);
        page.row(&[
            (Style::Faint, &format!("  {label}  ")),
            (Style::Warning, &bar.concat()),
        ])
    }

    fn need(&self, page: &mut Page<'_, '_>, need: &NeedReport) -> io::Result<()> {
        let mut title = need.title.as_str();
        if width(&visible(title)) > self.label {
            page.flow(
                Indent {
                    first: "  ",
                    rest: "  ",
                },
                &[(Style::Plain, title)],
            )?;
            title = "";
        }
        let label = format!("  {}  ", page.cell(title, self.label));
        let share = format!(" {:>SHARE_COLUMNS$}", words::share(need.seen));
        let bar: Vec<(Style, &str)> = cells(need, self.scale, self.bar)
            .into_iter()
            .map(|mark| match mark {
                None => (Style::Plain, " "),
                Some(mark) => glyph(page, mark),
            })
            .collect();
        let bar = joined(&bar);
        let mut row = vec![(Style::Plain, label.as_str())];
        row.extend(bar.iter().map(|(style, text)| (*style, text.as_str())));
        row.push((share_style(need.seen), &share));
        page.row(&row)?;
        gaps(page, need)
    }

    fn legend(&self, page: &mut Page<'_, '_>) -> io::Result<()> {
        let mut pieces = Vec::new();
        for (mark, meaning) in [
            (Mark::Seen, "seen,"),
            (Mark::InPart, "seen in part (not known which),"),
            (Mark::NotSeen, "not seen"),
        ] {
            pieces.push(glyph(page, mark));
            pieces.push((Style::Faint, meaning));
        }
        let indent = " ".repeat(self.label + 4);
        let indent = if self.bar < 30 { "  " } else { &indent };
        page.flow(Indent::all(indent), &pieces)
    }
}

fn need_without_scale(page: &mut Page<'_, '_>, need: &NeedReport) -> io::Result<()> {
    let style = share_style(need.seen);
    let icon = match need.seen {
        Share::WHOLE => page.glyph("✓", "+"),
        Share::NONE => page.glyph("✗", "x"),
        _ => "?",
    };
    let first = format!("  {icon} ");
    let share = format!("{} seen", words::share(need.seen));
    page.flow(
        Indent {
            first: &first,
            rest: "    ",
        },
        &[(Style::Plain, &need.title), (style, &share)],
    )?;
    gaps(page, need)
}

/// The gaps of a need that was not seen whole. Where it was, something else stood in for them.
fn gaps(page: &mut Page<'_, '_>, need: &NeedReport) -> io::Result<()> {
    if need.seen == Share::WHOLE {
        return Ok(());
    }
    let shown = page.options.entries_max;
    for gap in need.gaps.iter().take(shown) {
        gap_line(page, "      ", gap)?;
    }
    if need.gaps.is_empty() {
        page.flow(
            Indent::all("      "),
            &[(Style::Warning, "nothing of it was in the evidence")],
        )?;
    }
    others(page, need.gaps.len(), shown, "gap")
}

fn glyph(page: &Page<'_, '_>, mark: Mark) -> (Style, &'static str) {
    match mark {
        Mark::Seen => (Style::Good, page.glyph("█", "#")),
        Mark::InPart => (Style::Warning, page.glyph("▒", "?")),
        Mark::NotSeen => (Style::Bad, page.glyph("·", ".")),
    }
}

fn share_style(share: Share) -> Style {
    match share {
        Share::WHOLE => Style::Good,
        Share::NONE => Style::Bad,
        _ => Style::Warning,
    }
}

/// Neighbours of one style as one piece, so that colour codes do not outnumber the cells.
fn joined(cells: &[(Style, &str)]) -> Vec<(Style, String)> {
    let mut pieces: Vec<(Style, String)> = Vec::new();
    for (style, text) in cells {
        match pieces.last_mut() {
            Some((last, piece)) if last == style => piece.push_str(text),
            _ => pieces.push((*style, (*text).to_owned())),
        }
    }
    pieces
}
