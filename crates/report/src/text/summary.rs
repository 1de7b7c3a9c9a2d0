//! The table over many hosts: one row a host and campaign, those first that need someone first.

use super::page::{Indent, Page, Style};
use super::{exposure_style, stage_style, verdict_icon, verdict_style};
use crate::view::{self, Judged};
use crate::width::width;
use crate::words;
use std::io;

/// With fewer columns than this the next action takes a line of its own.
const ACTION_COLUMNS_MIN: usize = 24;
const NAME_COLUMNS_MAX: usize = 24;
const VERDICT_COLUMNS: usize = 14;
const STAGE_COLUMNS: usize = 9;
const EXPOSURE_COLUMNS: usize = 12;
const COVERAGE_COLUMNS: usize = 5;

pub(super) fn table(page: &mut Page<'_, '_>, judged: &[Judged<'_>]) -> io::Result<()> {
    headline(page, judged)?;
    let campaign = view::only_campaign(judged);
    let layout = Layout::of(page, judged, campaign.is_none());
    layout.head(page)?;
    let mut before = None;
    for one in judged {
        let action = view::next_action(one.campaign);
        layout.row(page, *one)?;
        layout.action_below(page, action, before)?;
        before = action;
    }
    Ok(())
}

/// `4 verdicts: 2 compromised, 1 unproven, 1 clear`.
fn headline(page: &mut Page<'_, '_>, judged: &[Judged<'_>]) -> io::Result<()> {
    let total = format!("{}:", words::counted(judged.len() as u64, "verdict"));
    let tally = view::tally(judged);
    let counts: Vec<(Style, String)> = tally
        .iter()
        .enumerate()
        .map(|(index, (verdict, count))| {
            let comma = if index + 1 < tally.len() { "," } else { "" };
            let text = format!("{count} {}{comma}", words::verdict(*verdict));
            (verdict_style(*verdict), text)
        })
        .collect();
    let mut pieces = vec![(Style::Strong, total.as_str())];
    pieces.extend(counts.iter().map(|(style, text)| (*style, text.as_str())));
    let campaign = view::only_campaign(judged).map(|name| format!("(campaign {name})"));
    if let Some(campaign) = &campaign {
        pieces.push((Style::Faint, campaign));
    }
    page.flow(
        Indent {
            first: "",
            rest: "  ",
        },
        &pieces,
    )?;
    page.blank()
}

/// Columns of each cell; a cell of no columns is left out.
struct Layout {
    host: usize,
    campaign: usize,
    stage: usize,
    exposure: usize,
    coverage: usize,
    /// `None`: on a line of its own below.
    action: Option<usize>,
}

impl Layout {
    fn of(page: &Page<'_, '_>, judged: &[Judged<'_>], with_campaign: bool) -> Self {
        let longest = |texts: &mut dyn Iterator<Item = &str>| {
            let widths = texts.map(|text| width(&crate::escape::visible(text)));
            widths.max().unwrap_or(0).clamp(4, NAME_COLUMNS_MAX)
        };
        let columns = page.columns();
        let mut layout = Self {
            host: longest(&mut judged.iter().map(|one| one.host.host.as_str())),
            campaign: if with_campaign {
                longest(&mut judged.iter().map(|one| one.campaign.campaign.as_str())).max(8)
            } else {
                0
            },
            stage: STAGE_COLUMNS,
            exposure: EXPOSURE_COLUMNS,
            coverage: COVERAGE_COLUMNS,
            action: None,
        };
        let excess = |layout: &Self| layout.fixed().saturating_sub(columns);
        // On a narrow page the least important columns go first, then names are cut.
        if excess(&layout) > 0 {
            layout.exposure = 0;
        }
        if excess(&layout) > 0 {
            layout.coverage = 0;
        }
        // Names of campaigns begin alike.
        if excess(&layout) > 0 {
            layout.stage = 0;
        }
        layout.campaign = layout.campaign.saturating_sub(excess(&layout));
        layout.host = layout.host.saturating_sub(excess(&layout)).max(4);
        let left = columns.saturating_sub(layout.fixed() + 2);
        layout.action = (left >= ACTION_COLUMNS_MIN).then_some(left);
        layout
    }

    /// Columns of all but the action, with two between each.
    fn fixed(&self) -> usize {
        let optional = [self.campaign, self.stage, self.exposure, self.coverage];
        let shown = optional.iter().filter(|columns| **columns > 0);
        self.host + 2 + VERDICT_COLUMNS + shown.map(|columns| columns + 2).sum::<usize>()
    }

    fn head(&self, page: &mut Page<'_, '_>) -> io::Result<()> {
        let faint = Style::Faint;
        let mut cells = vec![(self.host, faint, "host")];
        cells.push((self.campaign, faint, "campaign"));
        cells.push((VERDICT_COLUMNS, faint, "verdict"));
        cells.push((self.stage, faint, "intrusion"));
        cells.push((self.exposure, faint, "exposure"));
        cells.push((self.coverage, faint, "seen"));
        cells.push((self.action.unwrap_or(0), faint, "next"));
        Self::cells(page, &cells)
    }

    fn row(&self, page: &mut Page<'_, '_>, one: Judged<'_>) -> io::Result<()> {
        let campaign = one.campaign;
        let verdict = format!(
            "{} {}",
            verdict_icon(page, campaign.verdict),
            words::verdict(campaign.verdict)
        );
        let seen = words::coverage_short(campaign);
        let seen_style = if campaign.coverage.sufficient {
            Style::Good
        } else {
            Style::Warning
        };
        let stage = campaign.compromise.stage;
        let state = campaign.exposure.state;
        let action = view::next_action(campaign);
        Self::cells(
            page,
            &[
                (self.host, Style::Strong, &one.host.host),
                (self.campaign, Style::Plain, &campaign.campaign),
                (VERDICT_COLUMNS, verdict_style(campaign.verdict), &verdict),
                (self.stage, stage_style(stage), words::stage(stage)),
                (self.exposure, exposure_style(state), words::exposure(state)),
                (self.coverage, seen_style, &seen),
                (self.action.unwrap_or(0), Style::Plain, action.unwrap_or("")),
            ],
        )
    }

    /// The action on lines of its own, where it has no cell. Hundreds of hosts may have the same.
    fn action_below(
        &self,
        page: &mut Page<'_, '_>,
        action: Option<&str>,
        before: Option<&str>,
    ) -> io::Result<()> {
        let (None, Some(action)) = (self.action, action) else {
            return Ok(());
        };
        let first = page.glyph("  → ", "  > ");
        let told = if before == Some(action) {
            "as above"
        } else {
            action
        };
        page.flow(
            Indent {
                first,
                rest: "    ",
            },
            &[(Style::Faint, told)],
        )
    }

    fn cells(page: &mut Page<'_, '_>, cells: &[(usize, Style, &str)]) -> io::Result<()> {
        let mut row: Vec<(Style, String)> = Vec::new();
        for (columns, style, text) in cells.iter().filter(|(columns, _, _)| *columns > 0) {
            if !row.is_empty() {
                row.push((Style::Plain, "  ".to_owned()));
            }
            row.push((*style, page.cell(text, *columns)));
        }
        let row: Vec<(Style, &str)> = row
            .iter()
            .map(|(style, text)| (*style, text.as_str()))
            .collect();
        page.row(&row)
    }
}
