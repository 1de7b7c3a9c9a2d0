//! What each format looks like for a compromised server, a clear one, a run without evidence, and a fleet.

use crate::sample;
use expect_test::{ExpectFile, expect_file};
use model::report::Report;
use report::TextOptions;
use std::io;

type Render = fn(&Report, &mut dyn io::Write) -> io::Result<()>;

fn check(report: &Report, render: Render, expected: &ExpectFile) {
    expected.assert_eq(&rendered(report, render));
}

fn rendered(report: &Report, render: Render) -> String {
    let mut out = Vec::new();
    render(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn text_80(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    report::text(report, &TextOptions::default(), out)
}

#[test]
fn text() {
    check(
        &sample::compromised(),
        text_80,
        &expect_file!["expected/compromised.txt"],
    );
    check(
        &sample::clear(),
        text_80,
        &expect_file!["expected/clear.txt"],
    );
    check(
        &sample::empty(),
        text_80,
        &expect_file!["expected/empty.txt"],
    );
}

#[test]
fn text_of_a_fleet_begins_with_the_worst() {
    let report = sample::fleet();
    let narrow = |report: &Report, out: &mut dyn io::Write| {
        let options = TextOptions {
            width: 40,
            ascii: true,
            ..TextOptions::default()
        };
        report::text(report, &options, out)
    };
    let wide = |report: &Report, out: &mut dyn io::Write| {
        let options = TextOptions {
            width: 200,
            ..TextOptions::default()
        };
        report::text(report, &options, out)
    };
    check(&report, text_80, &expect_file!["expected/fleet-80.txt"]);
    check(
        &report,
        narrow,
        &expect_file!["expected/fleet-40-ascii.txt"],
    );
    check(&report, wide, &expect_file!["expected/fleet-200.txt"]);
}

#[test]
fn json() {
    check(
        &sample::compromised(),
        report::json,
        &expect_file!["expected/compromised.json"],
    );
    check(
        &sample::empty(),
        report::json,
        &expect_file!["expected/empty.json"],
    );
    check(
        &sample::compromised(),
        report::ndjson,
        &expect_file!["expected/compromised.ndjson"],
    );
    check(
        &sample::empty(),
        report::ndjson,
        &expect_file!["expected/empty.ndjson"],
    );
}

#[test]
fn html() {
    check(
        &sample::compromised(),
        report::html,
        &expect_file!["expected/compromised.html"],
    );
    check(
        &sample::clear(),
        report::html,
        &expect_file!["expected/clear.html"],
    );
    check(
        &sample::empty(),
        report::html,
        &expect_file!["expected/empty.html"],
    );
    check(
        &sample::fleet(),
        report::html,
        &expect_file!["expected/fleet.html"],
    );
}

#[test]
fn markdown() {
    check(
        &sample::compromised(),
        report::markdown,
        &expect_file!["expected/compromised.md"],
    );
    check(
        &sample::empty(),
        report::markdown,
        &expect_file!["expected/empty.md"],
    );
    check(
        &sample::fleet(),
        report::markdown,
        &expect_file!["expected/fleet.md"],
    );
}
