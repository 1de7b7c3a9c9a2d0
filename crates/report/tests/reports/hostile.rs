//! Text from evidence reaches no reader in a form that steers a terminal, runs in a browser, or deceives the eye.

use crate::sample;
use model::report::Report;
use report::TextOptions;
use unicode_width::UnicodeWidthChar;

/// Each with what must not be found in any rendering.
const ATTACKS: &[(&str, &[&str])] = &[
    (
        "<script>alert(1)</script><img src=x onerror=alert(1)>",
        &["<script>alert", "<img"],
    ),
    (
        "\"><svg/onload=alert(1)>' style='x:y",
        &["<svg/onload", "\"><svg"],
    ),
    (
        "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{90}",
        &["\u{1b}", "\u{9b}", "\u{90}", "\u{7}"],
    ),
    (
        "abc\u{202e}gpj.exe\u{2066}\u{200b}\u{feff}",
        &["\u{202e}", "\u{2066}", "\u{200b}", "\u{feff}"],
    ),
    (
        "[x](javascript:alert(1)) ![y](http://evil.example/z) | a | b\n# heading\n```\n</details>",
        &["[x](javascript", "![y]", "\n# heading", "</details>\n#"],
    ),
    (
        "line\r\nVERDICT clear\u{0}\u{8}\u{8}",
        &["\r", "\nVERDICT", "\u{0}", "\u{8}"],
    ),
    ("\u{fffd}\u{fffd} undecodable", &[]),
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

#[test]
fn attacks_reach_no_rendering() {
    for (attack, forbidden) in ATTACKS {
        for (name, page) in renderings(&sample::hostile(attack)) {
            for needle in *forbidden {
                // Inside JSON strings, markup is data, and quotes and line breaks are escaped by JSON itself.
                let markup = needle.contains('<') || needle.contains('[');
                // Terminals and JSON do not interpret markup.
                if markup && name != "html" && name != "markdown" {
                    continue;
                }
                // A browser does not interpret Markdown.
                if name == "html" && needle.contains('[') {
                    continue;
                }
                assert!(!page.contains(needle), "{name} holds {needle:?}\n{page}");
            }
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
