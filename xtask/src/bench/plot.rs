//! Bar plots as plain SVG: the same figures give the same bytes.

use super::results::{Row, Section};
use std::fmt::Write;

const ROW_HEIGHT: usize = 24;
const TOP: usize = 56;
const NAMES_WIDTH: usize = 230;
const BARS_WIDTH: f64 = 260.0;
const PANEL_WIDTH: usize = 350;

/// Readable on light and on dark pages.
const OUR_COLOUR: &str = "#2a78c8";
const PEER_COLOUR: &str = "#9aa4ae";
const TEXT_COLOUR: &str = "#6b7580";

/// One panel: what its bars mean, and a value for each row.
struct Panel<'a> {
    title: &'a str,
    value: fn(&Row) -> Option<f64>,
    told: fn(f64) -> String,
}

/// The workload's times and peaks of memory, side by side; shorter bars are better.
pub(super) fn svg(section: &Section) -> String {
    let panels = [
        Panel {
            title: "seconds",
            value: |row| Some(row.cost.wall_seconds),
            told: told_seconds,
        },
        Panel {
            title: "peak memory, MB",
            value: Row::peak_megabytes,
            told: |megabytes| format!("{megabytes:.0}"),
        },
    ];
    let width = NAMES_WIDTH + panels.len() * PANEL_WIDTH;
    let height = TOP + section.rows.len() * ROW_HEIGHT + 12;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"{TEXT_COLOUR}\">\n\
         <title>{}</title>\n<text x=\"8\" y=\"18\" font-size=\"14\" font-weight=\"bold\">{}</text>\n",
        escaped(&section.title),
        escaped(&section.title),
    );
    for (index, row) in section.rows.iter().enumerate() {
        let y = TOP + index * ROW_HEIGHT + 16;
        // Writing to a text cannot fail.
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{y}\" text-anchor=\"end\">{}</text>",
            NAMES_WIDTH - 8,
            escaped(&row.name)
        );
    }
    for (index, panel) in panels.iter().enumerate() {
        draw(panel, section, NAMES_WIDTH + index * PANEL_WIDTH, &mut svg);
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw(panel: &Panel<'_>, section: &Section, x: usize, svg: &mut String) {
    let values: Vec<Option<f64>> = section.rows.iter().map(panel.value).collect();
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{}\">{}</text>",
        TOP - 8,
        panel.title
    );
    for (index, (row, value)) in section.rows.iter().zip(&values).enumerate() {
        let Some(value) = value else {
            continue;
        };
        let share = if most > 0.0 { value / most } else { 0.0 };
        // The smallest bar can still be seen.
        let width = (share * BARS_WIDTH).max(1.0);
        let (top, colour) = (
            TOP + index * ROW_HEIGHT + 4,
            if row.ours { OUR_COLOUR } else { PEER_COLOUR },
        );
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{top}\" width=\"{width:.1}\" height=\"16\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{}\">{}</text>",
            x as f64 + width + 5.0,
            top + 12,
            (panel.told)(*value)
        );
    }
}

/// Three digits that mean something.
pub(super) fn told_seconds(seconds: f64) -> String {
    if seconds < 10.0 {
        format!("{seconds:.2}")
    } else if seconds < 100.0 {
        format!("{seconds:.1}")
    } else {
        format!("{seconds:.0}")
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::results::tests::row;
    use super::*;

    pub(in crate::bench) fn section() -> Section {
        Section {
            name: "evtx-hunt".to_owned(),
            title: "Rules & logs".to_owned(),
            about: "About.".to_owned(),
            load: "100 MB".to_owned(),
            commit: "abc".to_owned(),
            scale: "1GB".to_owned(),
            rounds: 3,
            rows: vec![row("we", true, 2.0), row("they <2>", false, 400.0)],
            absent: vec!["chainsaw: not run".to_owned()],
            goals: Vec::new(),
            notes: vec!["A note.".to_owned()],
            tables: Vec::new(),
        }
    }

    #[test]
    fn bars_are_to_scale_and_names_are_escaped() {
        let svg = svg(&section());
        assert!(svg.contains("<title>Rules &amp; logs</title>"));
        assert!(svg.contains(">they &lt;2&gt;</text>"));
        assert!(svg.contains("width=\"260.0\" height=\"16\" fill=\"#9aa4ae\"/>"));
        assert!(svg.contains("width=\"1.3\" height=\"16\" fill=\"#2a78c8\"/>"));
        assert!(svg.contains(">400</text>") && svg.contains(">2.00</text>"));
        assert_eq!(svg, super::svg(&section()));
        assert_eq!(svg.matches("<rect").count(), 4);
    }

    #[test]
    fn nothing_measured_gives_no_bar_and_no_division_by_nothing() {
        let mut section = section();
        for row in &mut section.rows {
            row.cost.wall_seconds = 0.0;
            row.cost.peak_bytes = None;
        }
        let svg = svg(&section);
        assert_eq!(svg.matches("<rect").count(), 2);
        assert!(!svg.contains("NaN"));
    }
}
