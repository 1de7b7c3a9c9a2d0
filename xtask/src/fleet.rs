//! `cargo xtask fleet` and `cargo xtask accuracy`: makes the fixed fleet over every scenario, checks it, and holds the score against the last good
//! one, below which nothing may fall.
//!
//! It goes the way a user goes: through the program. Grave errors (an assurance that is not the truth) are never allowed.

use crate::Profile;
use crate::process::{as_typed, command, run as run_command, say};
use crate::root;
use range::score::{Rate, Score, Thresholds, raise};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Enough for each scenario of every campaign to come once, in all kinds of containers. The check holds what was seen of all hosts at once.
const HOSTS: &str = "120";

const SEED: &str = "2021";

/// Minutes between the probes of a server: rare enough to make and check so many in minutes.
const PROBE_MINUTES: &str = "120";

/// The last good score.
const THRESHOLDS: &str = "xtask/fleet-thresholds.json";

/// What `cargo xtask accuracy` writes.
const ACCURACY: &str = "docs/accuracy.md";

/// What becomes of the score besides being printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It must not be worse than the last good one.
    Gate,
    /// The same, and its figures are written down.
    Accuracy,
}

/// Runs it all; `cargo xtask accuracy` writes the figures down too. With `--bless` the thresholds rise to the score, with `--release` the optimised program is used, with
/// `--keep` the evidence stays.
pub(crate) fn run(arguments: &[String], purpose: Purpose) -> Result<(), String> {
    let (mut profile, mut bless, mut keep) = (Profile::Dev, false, false);
    for argument in arguments {
        match argument.as_str() {
            "--release" => profile = Profile::Release,
            "--bless" => bless = true,
            "--keep" => keep = true,
            other => return Err(format!("there is no argument `{other}` here")),
        }
    }
    let program = text(&crate::program(profile)?);
    let folder = root().join("target/fleet");
    clear(&folder)?;
    let made = folder.join("made");
    let made_text = text(&made);
    run_command(command(
        &program,
        &[
            "range",
            "make",
            "--hosts",
            HOSTS,
            "--seed",
            SEED,
            "--scenario",
            "every",
            "--container",
            "mixed",
            "--probe-minutes",
            PROBE_MINUTES,
            "--out",
            &made_text,
        ],
    ))?;
    let report = folder.join("report.json");
    check(&program, &made, &report)?;
    let truth = made.join("truth.json");
    let thresholds = root().join(THRESHOLDS);
    let outcome = if bless {
        lift(&program, &report, &truth, &thresholds)
    } else {
        let least = text(&thresholds);
        run_command(scoring(
            &program,
            &report,
            &truth,
            &["--thresholds", &least],
        ))
    };
    if purpose == Purpose::Accuracy {
        // Bad figures are worth more than none.
        write_accuracy(&program, &report, &truth)?;
    }
    if outcome.is_ok() && !keep {
        // What failed stays for whoever has to find out why.
        clear(&folder)?;
    }
    outcome
}

/// Checks the whole fleet in one run; that some host is not assured is the expected outcome.
fn check(program: &str, made: &Path, report: &Path) -> Result<(), String> {
    let (evidence, known) = (
        text(&made.join("evidence")),
        text(&made.join("known-files.csv")),
    );
    let (attestations, report) = (text(&made.join("attestations.csv")), text(report));
    let mut arguments = vec!["check", &evidence, "--known", &known];
    if Path::new(&attestations).exists() {
        arguments.extend(["--attest", &attestations]);
    }
    arguments.extend(["--format", "json", "--output", &report, "--quiet"]);
    let mut check = command(program, &arguments);
    let typed = as_typed(&check);
    say(&format!("$ {typed}"));
    let status = check
        .status()
        .map_err(|source| format!("cannot start {typed}: {source}"))?;
    match status.code() {
        Some(0 | 1) => Ok(()),
        _ => Err(format!("{typed} ended with {status}")),
    }
}

/// Prints the score; fails on a grave error, or where a threshold is missed.
fn scoring(program: &str, report: &Path, truth: &Path, more: &[&str]) -> Command {
    let (report, truth) = (text(report), text(truth));
    let mut arguments = vec!["range", "score", &report, &truth];
    arguments.extend(more);
    command(program, &arguments)
}

/// Lifts the thresholds to the score. They never fall: lowering one is an edit by hand, with its reason in the commit.
fn lift(program: &str, report: &Path, truth: &Path, thresholds: &Path) -> Result<(), String> {
    run_command(scoring(program, report, truth, &[]))?;
    let json = report.with_file_name("score.json");
    let json_text = text(&json);
    let to_json = ["--format", "json", "--output", &json_text];
    run_command(scoring(program, report, truth, &to_json))?;
    let score: Score = read(&json)?;
    let known = if thresholds.exists() {
        read(thresholds)?
    } else {
        Thresholds::default()
    };
    let mut raised = serde_json::to_string_pretty(&raise(&score, &known))
        .map_err(|source| format!("thresholds are no JSON: {source}"))?;
    raised.push('\n');
    fs::write(thresholds, raised)
        .map_err(|source| format!("cannot write {}: {source}", thresholds.display()))
}

/// Writes what the score says of each campaign, and of all together.
fn write_accuracy(program: &str, report: &Path, truth: &Path) -> Result<(), String> {
    let json = report.with_file_name("score.json");
    let json_text = text(&json);
    let mut to_json = scoring(
        program,
        report,
        truth,
        &["--format", "json", "--output", &json_text],
    );
    // A score with grave errors ends with 1, and is written all the same.
    to_json
        .status()
        .map_err(|source| format!("cannot start {program}: {source}"))?;
    let score: Score = read(&json)?;
    let path = root().join(ACCURACY);
    fs::write(&path, accuracy(&score))
        .map_err(|source| format!("cannot write {}: {source}", path.display()))?;
    say(&format!("{ACCURACY} holds the figures"));
    Ok(())
}

/// The page of figures, in Markdown.
fn accuracy(score: &Score) -> String {
    let mut page = format!(
        "# How accurate verdicts are\n\n\
         Written by `cargo xtask accuracy` from the score of a fleet of the [range](range.md), not by hand: {HOSTS} simulated\n\
         servers, seed {SEED}, every scenario of every campaign in turn, in every kind of container. The truth about each server is\n\
         known, also for campaigns that never came to it. What the range cannot show stands in [range.md](range.md#what-it-cannot-show).\n\n\
         - *hosts*: servers that the pack judged, and how many of them are of the campaign's own scenarios\n\
         - *cleared*: clean servers whose evidence holds all that must be seen, called `clear`\n\
         - *grave errors*: an assurance (`clear`, `evicted`, `not_affected`) that is not so\n\
         - *precision*: servers called `compromised` or `reinfected` into which somebody got\n\
         - *recall*: servers of which the evidence shows that somebody got in, and who is not proven out, called so\n\
         - *footholds*: those told that are ones, and those left in the evidence that were found\n\n\
         | campaign | hosts (own) | cleared | grave errors | precision | recall | footholds that are ones | footholds found |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n"
    );
    for campaign in &score.campaigns {
        let _ = writeln!(
            page,
            "| {} | {} ({}) | {} | {} | {} | {} | {} | {} |",
            campaign.campaign,
            campaign.hosts,
            campaign.of_scenarios,
            rate(campaign.cleared),
            campaign.grave_errors,
            rate(campaign.precision),
            rate(campaign.recall),
            rate(campaign.footholds_precision),
            rate(campaign.footholds_recall),
        );
    }
    page.push_str("\nOver all campaigns:\n\n| counted | share | of |\n| --- | --- | --- |\n");
    for headline in &score.headlines {
        let _ = writeln!(
            page,
            "| {} | {} | {} of {} |",
            headline.counts,
            share(headline.rate),
            headline.rate.right,
            headline.rate.of
        );
    }
    page
}

/// `97.5 % (39 of 40)`; a dash where there was nothing to count.
fn rate(rate: Rate) -> String {
    match rate.of {
        0 => "–".to_owned(),
        _ => format!("{} ({} of {})", share(rate), rate.right, rate.of),
    }
}

fn share(rate: Rate) -> String {
    rate.share().map_or_else(
        || "–".to_owned(),
        |share| {
            let thousandths = share.thousandths();
            format!("{}.{} %", thousandths / 10, thousandths % 10)
        },
    )
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = fs::read_to_string(path)
        .map_err(|source| format!("cannot read {}: {source}", path.display()))?;
    serde_json::from_str(&text)
        .map_err(|source| format!("{} cannot be understood: {source}", path.display()))
}

fn clear(folder: &PathBuf) -> Result<(), String> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .map_err(|source| format!("cannot clear {}: {source}", folder.display()))?;
    }
    fs::create_dir_all(folder)
        .map_err(|source| format!("cannot make {}: {source}", folder.display()))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
