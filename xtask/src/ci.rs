//! `cargo xtask ci`: what must hold before a change is merged, in the order in which it is cheapest to find out.
//!
//! CI runs this and nothing else. A tool that is missing on a machine is named, and left out.

use crate::process::{command, installed, output, run as run_command, run_and_keep, say, tell};
use crate::{Profile, budget, fleet, no_arguments, program, root, tidy};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// What is said at the end, below which the test runner's own closing lines stand.
#[derive(Default)]
struct Ledger {
    lines: Vec<String>,
    /// Tools that are not on this machine.
    missing: Vec<String>,
    /// The closing lines of the test runner.
    tests: Vec<String>,
}

/// Runs every check, and stops at the first that fails.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    no_arguments(arguments)?;
    let before = Tree::now();
    let mut ledger = Ledger::default();
    let outcome = checks(&mut ledger, before.as_ref());
    ledger.close();
    outcome
}

fn checks(ledger: &mut Ledger, before: Option<&Tree>) -> Result<(), String> {
    ledger.step("format", || {
        run_command(cargo(&["fmt", "--all", "--check"]))
    })?;
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ];
    ledger.step("clippy", || run_command(cargo(&clippy)))?;
    ledger.step("tidy", || tidy::run(&[]))?;
    ledger.tests()?;
    ledger.step("doc tests", || {
        run_command(cargo(&["test", "--workspace", "--doc", "--quiet"]))
    })?;
    ledger.step("docs", || {
        let mut docs = cargo(&["doc", "--workspace", "--no-deps", "--quiet"]);
        // Crate pages are for those who work on the crate, so they may link to what is private.
        docs.env(
            "RUSTDOCFLAGS",
            "-D warnings -A rustdoc::private_intra_doc_links",
        );
        run_command(docs)
    })?;
    ledger.step("pack lint", lint_packs)?;
    ledger.step("fleet", || fleet::run(&[], fleet::Purpose::Gate))?;
    ledger.budget()?;
    ledger.step("nothing generated changed", || unchanged(before))?;
    ledger.tool(
        "cargo-deny",
        &["deny", "--version"],
        &["deny", "check", "licenses", "bans", "sources"],
    )?;
    ledger.typos()?;
    ledger.tool("cargo-machete", &["machete", "--version"], &["machete"])
}

/// `cargo xtask bless`: rewrites every expected file.
pub(crate) fn bless(arguments: &[String]) -> Result<(), String> {
    no_arguments(arguments)?;
    let mut tests = test_runner(&mut Vec::new());
    tests.env("UPDATE_EXPECT", "1");
    run_command(tests)?;
    run_command(command("git", &["diff", "--stat"]))
}

fn cargo(arguments: &[&str]) -> Command {
    command("cargo", arguments)
}

/// nextest, or cargo's own runner where it is missing.
fn test_runner(missing: &mut Vec<String>) -> Command {
    if installed("cargo", &["nextest", "--version"]) {
        return cargo(&["nextest", "run", "--workspace", "--no-fail-fast"]);
    }
    missing.push("cargo-nextest (the tests ran under `cargo test` instead)".to_owned());
    cargo(&[
        "test",
        "--workspace",
        "--lib",
        "--bins",
        "--tests",
        "--no-fail-fast",
    ])
}

/// Installs a package of Debian unless it is there; gives whether it is there now. Without the right to install it is not.
fn from_debian(package: &str, there: impl Fn() -> bool) -> bool {
    let apt = |arguments: &[&str]| run_command(command("apt-get", arguments)).is_ok();
    let install = ["install", "--yes", "--no-install-recommends", package];
    there() || ((apt(&install) || (apt(&["update"]) && apt(&install))) && there())
}

/// Lints every folder below `packs/` with the linter that pack authors use.
fn lint_packs() -> Result<(), String> {
    let folders = std::fs::read_dir(root().join("packs"))
        .map_err(|source| format!("cannot read packs: {source}"))?;
    let mut names: Vec<String> = folders
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir())
        .map(|entry| format!("packs/{}", entry.file_name().to_string_lossy()))
        .collect();
    names.sort();
    let mut arguments = vec!["pack", "lint"];
    arguments.extend(names.iter().map(String::as_str));
    let program = program(Profile::Dev)?;
    run_command(command(&program.to_string_lossy(), &arguments))
}

/// Fails where the checks themselves changed a file of the project: an expected file, a lock file, a schema.
fn unchanged(before: Option<&Tree>) -> Result<(), String> {
    let (Some(before), Some(after)) = (before, Tree::now()) else {
        say("left out: this is no git checkout, so nobody can tell what changed");
        return Ok(());
    };
    let changed = before.changed(&after);
    if changed.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the checks changed these files; commit what they should be: {}",
        changed.join(", ")
    ))
}

/// State of every file that git tracks or would track: its path and what `git` says of its content.
struct Tree(BTreeMap<String, String>);

impl Tree {
    fn now() -> Option<Self> {
        let changed = output(command(
            "git",
            &["status", "--porcelain", "--untracked-files=all"],
        ))?;
        let mut files = BTreeMap::new();
        for line in changed.lines().filter(|line| line.len() > 3) {
            let (state, path) = line.split_at(3);
            let content = output(command(
                "git",
                &["hash-object", "--", path.trim_matches('"')],
            ));
            files.insert(
                path.to_owned(),
                format!("{state}{}", content.unwrap_or_default()),
            );
        }
        Some(Self(files))
    }

    fn changed(&self, after: &Self) -> Vec<String> {
        let paths = self.0.keys().chain(after.0.keys());
        let mut changed: Vec<String> = paths
            .filter(|path| self.0.get(*path) != after.0.get(*path))
            .cloned()
            .collect();
        changed.sort();
        changed.dedup();
        changed
    }
}

impl Ledger {
    fn step(
        &mut self,
        name: &str,
        check: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), String> {
        say(&format!("\n=== {name}"));
        let begun = Instant::now();
        let outcome = check();
        let state = if outcome.is_ok() { "ok    " } else { "FAILED" };
        self.lines
            .push(format!("{state}  {name} ({} s)", begun.elapsed().as_secs()));
        outcome.map_err(|problem| format!("{name}: {problem}"))
    }

    fn tests(&mut self) -> Result<(), String> {
        // Where PostgreSQL cannot be had, the tests say so and fail: a suite that is skipped proves nothing.
        from_debian("postgresql", || Path::new("/usr/lib/postgresql").is_dir());
        let mut runner = test_runner(&mut self.missing);
        runner.env("ALLCLEAR_REQUIRE_POSTGRES", "1");
        let mut closing = Vec::new();
        let outcome = self.step("tests", || {
            let (outcome, kept) = run_and_keep(runner, is_closing_line);
            closing = kept;
            outcome
        });
        self.tests = closing;
        outcome
    }

    /// A check by a tool that need not be there.
    fn tool(&mut self, name: &str, version: &[&str], check: &[&str]) -> Result<(), String> {
        if installed("cargo", version) {
            return self.step(name, || run_command(cargo(check)));
        }
        self.missing.push(name.to_owned());
        Ok(())
    }

    /// Instructions are counted where valgrind is there, or can be had from Debian.
    fn budget(&mut self) -> Result<(), String> {
        if from_debian("valgrind", || installed("valgrind", &["--version"])) {
            return self.step("budget", || budget::run(&[]));
        }
        self.missing
            .push("valgrind (instructions were not counted)".to_owned());
        Ok(())
    }

    fn typos(&mut self) -> Result<(), String> {
        if installed("typos", &["--version"]) {
            return self.step("typos", || run_command(command("typos", &[])));
        }
        self.missing.push("typos".to_owned());
        Ok(())
    }

    /// Says how each check went, and repeats the test runner's result, so that it stands at the end of the output.
    fn close(&self) {
        tell("");
        for line in &self.lines {
            tell(line);
        }
        for tool in &self.missing {
            tell(&format!("left out  {tool}: not installed on this machine"));
        }
        for line in &self.tests {
            tell(line);
        }
    }
}

/// Whether a line is part of what nextest or cargo's runner says at the end.
fn is_closing_line(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("Summary [") || line.starts_with("test result:") || line.starts_with("FAIL [")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_both_runners_are_known() {
        assert!(is_closing_line(
            "     Summary [   0.049s] 16 tests run: 16 passed, 0 skipped"
        ));
        assert!(is_closing_line(
            "test result: ok. 1 passed; 0 failed; 0 ignored"
        ));
        assert!(!is_closing_line(
            "        PASS [   0.005s] (1/16) report width::tests"
        ));
    }

    #[test]
    fn a_file_that_changed_again_or_came_anew_is_told() {
        let tree = |files: &[(&str, &str)]| {
            let files = files
                .iter()
                .map(|(path, state)| ((*path).to_owned(), (*state).to_owned()));
            Tree(files.collect())
        };
        let before = tree(&[("a", "M 1"), ("b", "M 1")]);
        let after = tree(&[("a", "M 2"), ("b", "M 1"), ("c", "?? 1")]);
        assert_eq!(before.changed(&after), ["a", "c"]);
        assert!(before.changed(&before).is_empty());
    }
}
