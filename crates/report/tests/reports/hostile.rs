//! Text from evidence reaches no reader in a form that steers a terminal, runs in a browser, or deceives the eye.

use crate::sample;
use model::report::Report;
use report::TextOptions;
use unicode_width::UnicodeWidthChar;

struct Attack {
    text: &'static str,
    /// What no rendering may hold.
    nowhere: &'static [&'static str],
    not_in_html: &'static [&'static str],
    not_in_markdown: &'static [&'static str],
}

const ATTACKS: &[Attack] = &[
    Attack {
        text: "<script>alert(1)</script><img src=x onerror=alert(1)>",
        nowhere: &[],
        not_in_html: &["<script", "<img"],
        not_in_markdown: &["<script", "<img"],
    },
    Attack {
        text: "\"><svg/onload=alert(1)>' style='x:y",
        nowhere: &[],
        not_in_html: &["<svg/onload"],
        not_in_markdown: &["<svg/onload"],
    },
    Attack {
        text: "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{90}\u{0}\u{8}",
        nowhere: &["\u{1b}", "\u{7}", "\u{9b}", "\u{90}", "\u{0}", "\u{8}"],
        not_in_html: &[],
        not_in_markdown: &[],
    },
    Attack {
        text: "abc\u{202e}gpj.exe\u{2066}\u{200b}\u{feff}\u{e0041}",
        nowhere: &["\u{202e}", "\u{2066}", "\u{200b}", "\u{feff}", "\u{e0041}"],
        not_in_html: &[],
        not_in_markdown: &[],
    },
    Attack {
        text: "[x](javascript:alert(1)) ![y](http://a.example/z) | a | b\n# heading\n```\n</details>",
        nowhere: &[],
        not_in_html: &["b</details>"],
        not_in_markdown: &[
            "[x](",
            "![y](",
            "://a.example",
            " | a | b",
            "\n# heading",
            "</details>",
        ],
    },
    Attack {
        text: "line\r\nVERDICT clear",
        nowhere: &["\r"],
        not_in_html: &[],
        not_in_markdown: &["\nVERDICT"],
    },
];

fn renderings(report: &Report) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    for (name, options) in [
        ("text", TextOptions::default()),
        (
            "narrow text",
            TextOptions {
                width: 40,
                ..TextOptions::default()
            },
        ),
        (
            "wide text",
            TextOptions {
                width: 200,
                ..TextOptions::default()
            },
        ),
        (
            "ascii text",
            TextOptions {
                ascii: true,
                ..TextOptions::default()
            },
        ),
    ] {
        let mut out = Vec::new();
        report::text(report, &options, &mut out).unwrap();
        all.push((name, String::from_utf8(out).unwrap()));
    }
    for (name, render) in [
        (
            "html",
            report::html as fn(&Report, &mut dyn std::io::Write) -> std::io::Result<()>,
        ),
        ("markdown", report::markdown),
        ("ndjson", report::ndjson),
    ] {
        let mut out = Vec::new();
        render(report, &mut out).unwrap();
        all.push((name, String::from_utf8(out).unwrap()));
    }
    all
}

/// Markdown outside its code blocks. That raw records cannot close theirs is tested beside the renderer.
fn without_code_blocks(page: &str) -> String {
    let mut kept = String::new();
    let mut fence: Option<&str> = None;
    for line in page.lines() {
        match fence {
            None if line.starts_with("```") => fence = Some(line.trim_end_matches("text")),
            Some(open) if line == open => fence = None,
            None => {
                kept.push_str(line);
                kept.push('\n');
            }
            Some(_) => {}
        }
    }
    assert_eq!(fence, None, "every block is closed");
    kept
}

#[test]
fn attacks_reach_no_rendering() {
    for attack in ATTACKS {
        for (name, page) in renderings(&sample::hostile(attack.text)) {
            let (page, here) = match name {
                "markdown" => (without_code_blocks(&page), attack.not_in_markdown),
                "html" => (page, attack.not_in_html),
                _ => (page, &[][..]),
            };
            for needle in attack.nowhere.iter().chain(here) {
                assert!(!page.contains(needle), "{name} holds {needle:?}\n{page}");
            }
        }
    }
}

#[test]
fn a_line_of_evidence_cannot_pose_as_a_line_of_the_terminal_report() {
    for (name, page) in renderings(&sample::hostile("x\r\nVERDICT clear\nx")) {
        if name != "html" && name != "markdown" {
            assert!(!page.contains("\nVERDICT"), "{name}\n{page}");
        }
    }
}

#[test]
fn long_and_wide_text_keeps_to_the_page() {
    for text in [
        "x".repeat(10_000),
        "ネ".repeat(3_000),
        "a\u{301}\u{301}\u{301}".repeat(2_000),
        "\\a".repeat(5_000),
    ] {
        let report = sample::hostile(&text);
        for width in [40, 80, 120, 200] {
            let mut out = Vec::new();
            let options = TextOptions {
                width,
                ..TextOptions::default()
            };
            report::text(&report, &options, &mut out).unwrap();
            let page = String::from_utf8(out).unwrap();
            for line in page.lines() {
                let columns: usize = line.chars().map(|c| c.width().unwrap_or(0)).sum();
                assert!(columns <= width, "{columns} columns of {width}: {line}");
            }
            assert!(page.len() < 500_000, "{} bytes", page.len());
        }
    }
}

#[test]
fn colours_come_only_when_asked_for_and_always_end() {
    let report = sample::fleet();
    let mut out = Vec::new();
    report::text(
        &report,
        &TextOptions {
            colour: true,
            ..TextOptions::default()
        },
        &mut out,
    )
    .unwrap();
    let page = String::from_utf8(out).unwrap();
    for line in page.lines() {
        let codes = line.matches("\u{1b}[").count();
        assert_eq!(codes, 2 * line.matches("\u{1b}[0m").count(), "{line:?}");
    }
    let plain: String = page
        .split("\u{1b}[")
        .enumerate()
        .map(|(index, part)| match index {
            0 => part,
            _ => part.split_once('m').unwrap().1,
        })
        .collect();
    let mut out = Vec::new();
    report::text(&report, &TextOptions::default(), &mut out).unwrap();
    // Without its codes the coloured page is the plain one, but for blanks at the ends of lines.
    let trimmed: Vec<&str> = plain.lines().map(str::trim_end).collect();
    assert_eq!(trimmed.join("\n") + "\n", String::from_utf8(out).unwrap());
}

#[test]
fn times_at_the_ends_of_the_calendar_break_nothing() {
    for (first, last) in [
        (model::Timestamp::MIN, model::Timestamp::MAX),
        (model::Timestamp::MAX, model::Timestamp::MIN),
    ] {
        let mut report = sample::compromised();
        report.as_of = Some(last);
        let host = &mut report.hosts[0];
        host.collections[0].taken = Some(last);
        let campaign = &mut host.campaigns[0];
        campaign.compromise.first = Some(first);
        campaign.compromise.last = Some(last);
        campaign.compromise.story[0].time = Some(first);
        campaign.compromise.story[1].until = Some(last);
        campaign.exposure.spans[0].from = Some(first);
        campaign.exposure.spans[1].until = Some(last);
        for need in &mut campaign.coverage.needs {
            need.from = Some(first);
            need.until = Some(last);
            for gap in &mut need.gaps {
                gap.from = Some(last);
            }
        }
        for (name, page) in renderings(&report) {
            assert!(page.contains("EX01"), "{name}");
        }
    }
}
