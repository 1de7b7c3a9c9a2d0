//! Project tasks: `cargo xtask ci`, `tidy`, `bless`, `bench`, `budget`, `conformance`, `demo`, `fleet`, `accuracy`, `fuzz`, `shipped-files`, `builds`.

#![expect(
    clippy::disallowed_methods,
    reason = "tasks read the project's own files and settings, never evidence"
)]

mod bench;
mod budget;
mod builds;
mod ci;
mod conformance;
mod demo;
mod draw;
mod fleet;
mod fuzz;
mod process;
mod shipped_files;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask TASK
  ci             everything that must hold before a change is merged
  tidy           the house rules that no compiler checks
  bless          rewrite every expected file; read the difference before you commit it
  bench          time and memory beside other tools, for docs/benchmarks.md
                   [--scale 1GB] [--rounds 3] [--only WORKLOAD,…] [--out DIR] [--fresh] [--once-over SECONDS]
                   [--evtx DIR] [--dense-tool FILE] [--sigma DIR|TAR.GZ] [--yara PATH] [--hayabusa PATH] [--chainsaw PATH]
                   [--program FILE] [--without PEER,…]
  budget         instructions of fixed small workloads, held against xtask/budget.json
                   [--bless] [--release]
  conformance    what our readers and other tools make of the same files, for docs/conformance.md (needs Python's registry)
                   [--cache DIR]
  demo           the main job on two synthetic servers, one broken into and one clear
  fleet          make, check and score the fixed fleet over every scenario
                   [--bless] [--release] [--keep]
  accuracy       the same, and write the figures to docs/accuracy.md
                   [--bless] [--release] [--keep]
  fuzz           fuzz every parser, or those named, from the inputs of the tests (needs cargo-fuzz)
                   [--minutes 5] [TARGET…]
  shipped-files  INPUT.csv.gz: make knowledge/exchange/shipped-files.txt
  builds         MICROSOFT-SCRIPT.csv PUBLIC-DOCS.psv: make knowledge/exchange/builds.csv";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (task, rest) = match arguments.split_first() {
        Some((task, rest)) => (task.as_str(), rest),
        None => ("", &[][..]),
    };
    let outcome = match task {
        "ci" => ci::run(rest),
        "tidy" => tidy::run(rest),
        "bless" => ci::bless(rest),
        "bench" => bench::run(rest),
        "budget" => budget::run(rest),
        "conformance" => conformance::run(rest),
        "demo" => demo::run(rest),
        "fleet" => fleet::run(rest, fleet::Purpose::Gate),
        "accuracy" => fleet::run(rest, fleet::Purpose::Accuracy),
        "fuzz" => fuzz::run(rest),
        "shipped-files" => shipped_files::run(rest),
        "builds" => builds::run(rest),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            process::say(&problem);
            ExitCode::FAILURE
        }
    }
}

/// The folder that holds the workspace.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.clone(), PathBuf::from)
}

/// Which build of the program is run or counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Dev,
    Release,
}

/// The program as `cargo build --release` leaves it.
fn release_binary() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("release").join("allclear")
}

/// Builds Allclear, and gives its path.
fn program(profile: Profile) -> Result<PathBuf, String> {
    let arguments: &[&str] = match profile {
        // Not by its package: dependencies have the features that `cargo build --release` gives them.
        Profile::Release => &["build", "--release", "--bin", "allclear"],
        // With what tests alone need: dependencies have the features with which the tests were built, and nothing heavy is
        // compiled again.
        Profile::Dev => &["build", "--quiet", "--workspace", "--bins", "--tests"],
    };
    process::run(process::command("cargo", arguments))?;
    let release = release_binary();
    match profile {
        Profile::Release => Ok(release),
        Profile::Dev => release
            .parent()
            .and_then(Path::parent)
            .map(|target| target.join("debug").join("allclear"))
            .ok_or_else(|| "the target folder has no parent".to_owned()),
    }
}

/// Fails where a task that takes no arguments got some.
fn no_arguments(arguments: &[String]) -> Result<(), String> {
    match arguments {
        [] => Ok(()),
        [first, ..] => Err(format!("this task takes no argument `{first}`\n{USAGE}")),
    }
}
