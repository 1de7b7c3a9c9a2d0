//! The analysis against shells in many styles, ordinary pages, damaged files and files made to waste time.

use base64::Engine as _;
use expect_test::{Expect, expect, expect_file};
use proptest::prelude::*;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::{Analysis, Kind, analyse};

struct Sample {
    is_shell: bool,
    name: String,
    path: String,
    content: Vec<u8>,
}

/// The pages of `testdata/pages.txt`.
fn samples() -> Vec<Sample> {
    let lines = include_str!("testdata/pages.txt").lines();
    let sample = |line: &str| {
        let fields: Vec<&str> = line.split(' ').collect();
        let [kind, name, path, content] = fields.as_slice() else {
            panic!("not four fields: {line}");
        };
        Sample {
            is_shell: *kind == "shell",
            name: (*name).to_owned(),
            path: (*path).to_owned(),
            content: base64::engine::general_purpose::STANDARD
                .decode(content)
                .unwrap(),
        }
    };
    lines
        .filter(|line| !line.starts_with('#'))
        .map(sample)
        .collect()
}

/// Kinds and lines, an exclamation mark on decisive ones.
fn summary(analysis: &Analysis) -> String {
    let mut text = String::new();
    for sign in &analysis.signs {
        let mark = if sign.decisive { "!" } else { "" };
        let _ = write!(text, " {}{mark}:{}", sign.kind.name(), sign.line);
    }
    for reason in &analysis.not_seen {
        let _ = write!(text, " ({reason})");
    }
    text
}

#[test]
fn every_sample_is_judged_as_recorded() {
    let mut text = String::new();
    for sample in samples() {
        let analysis = analyse(&sample.path, &sample.content);
        let _ = writeln!(text, "{}:{}", sample.name, summary(&analysis));
    }
    expect_file!["testdata/pages.out"].assert_eq(&text);
}

#[test]
fn every_shell_is_proven_and_every_page_is_quiet() {
    let (mut shells, mut pages) = (0, 0);
    let mut wrong = Vec::new();
    for sample in samples() {
        let analysis = analyse(&sample.path, &sample.content);
        let right = if sample.is_shell {
            shells += 1;
            analysis.decisive()
        } else {
            pages += 1;
            analysis.signs.is_empty() && analysis.complete()
        };
        if !right {
            wrong.push(format!("{}:{}", sample.name, summary(&analysis)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        shells >= 25 && pages >= 15,
        "{shells} shells, {pages} pages"
    );
}
