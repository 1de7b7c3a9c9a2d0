//! `cargo xtask demo`: the main job on two synthetic servers, one that was broken into and one that is clear.

use crate::process::{as_typed, command, run as run_command, say};
use crate::{Profile, root};
use std::path::PathBuf;
use std::process::Command;

/// What is made, and the exit code that its check must end with.
const SERVERS: &[(&str, &str, i32)] = &[("compromised", "proxylogon", 1), ("clear", "clean", 0)];

/// Makes both servers below `target/demo`, checks each, and leaves the reports as HTML beside them.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    crate::no_arguments(arguments)?;
    let program = crate::program(Profile::Release)?;
    let program = program.to_string_lossy().into_owned();
    let demo = root().join("target/demo");
    if demo.exists() {
        std::fs::remove_dir_all(&demo)
            .map_err(|source| format!("cannot clear {}: {source}", demo.display()))?;
    }
    let mut pages = Vec::new();
    for (name, scenario, exit_code) in SERVERS {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let out = text(demo.join(name));
        run_command(command(
            &program,
            &[
                "range",
                "make",
                "--scenario",
                scenario,
                "--seed",
                "1",
                "--out",
                &out,
            ],
        ))?;
        let evidence = text(demo.join(name).join("evidence"));
        let known = text(demo.join(name).join("known-files.csv"));
        let case = text(demo.join(name).join("case"));
        // A server of March 2021 lacks the fixes of later years, so it is judged by the campaign of its time.
        let judged = ["--pack", "proxylogon", "--known", &known, "--case", &case];
        let check = [&["check", &evidence], judged.as_slice()].concat();
        ends_with(command(&program, &check), *exit_code)?;
        let page = text(demo.join(format!("{name}.html")));
        let report = ["report", &case, "--format", "html", "--output", &page];
        ends_with(command(&program, &report), *exit_code)?;
        pages.push(page);
    }
    say(&format!(
        "The same as pages for a browser: {}",
        pages.join(", ")
    ));
    Ok(())
}

/// Runs with the output on this terminal; the exit code says the verdict, so it must be the one expected.
fn ends_with(mut command: Command, exit_code: i32) -> Result<(), String> {
    let typed = as_typed(&command);
    say(&format!("$ {typed}"));
    let status = command
        .status()
        .map_err(|source| format!("cannot start {typed}: {source}"))?;
    if status.code() == Some(exit_code) {
        return Ok(());
    }
    Err(format!(
        "{typed} ended with {status}, not with code {exit_code}"
    ))
}
