//! `cargo xtask fuzz [--minutes N] [TARGET…]`: fuzzes parsers one after the other, each from the inputs of its own tests.

use crate::process::{command, installed, run as run_command, say};
use crate::root;
use std::fs;
use std::path::{Path, PathBuf};

const MINUTES: u32 = 5;

/// What comes before the first record of an event log: the header of the file, and that of the chunk.
const BEFORE_RECORDS_BYTES: usize = 4096 + 512;

/// Where an event log's first chunk ends.
const FIRST_CHUNK_END_BYTES: usize = 4096 + 65_536;

/// Fuzzes the named targets, or all. Where one finds something, the others still run.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let (minutes, targets) = parse(arguments)?;
    if !installed("cargo", &["fuzz", "--version"]) {
        return Err("cargo-fuzz is missing: cargo install cargo-fuzz".to_owned());
    }
    let known = targets_known()?;
    if let Some(unknown) = targets.iter().find(|target| !known.contains(target)) {
        return Err(format!(
            "no fuzz target `{unknown}`; there are: {}",
            known.join(", ")
        ));
    }
    let targets = if targets.is_empty() { known } else { targets };
    let seconds = format!("-max_total_time={}", u64::from(minutes) * 60);
    let mut found = Vec::new();
    for target in targets {
        seed(&target)?;
        let mut fuzzing = command(
            "cargo",
            &[
                "fuzz",
                "run",
                &target,
                "--",
                &seconds,
                "-timeout=10",
                "-rss_limit_mb=2048",
            ],
        );
        // cargo-fuzz asks the compiler for what only a nightly one gives otherwise.
        fuzzing.env("RUSTC_BOOTSTRAP", "1");
        if let Err(problem) = run_command(fuzzing) {
            say(&problem);
            found.push(target);
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    Err(format!(
        "these found something, see fuzz/artifacts: {}",
        found.join(", ")
    ))
}

fn parse(arguments: &[String]) -> Result<(u32, Vec<String>), String> {
    let (mut minutes, mut targets) = (MINUTES, Vec::new());
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--minutes" => {
                let number = arguments.next().and_then(|number| number.parse().ok());
                // libFuzzer takes 0 for no end.
                let number = number.filter(|number| *number > 0);
                minutes = number.ok_or("--minutes takes a whole number above 0")?;
            }
            option if option.starts_with('-') => {
                return Err(format!("`cargo xtask fuzz` takes no argument `{option}`"));
            }
            target => targets.push(target.to_owned()),
        }
    }
    Ok((minutes, targets))
}

fn targets_known() -> Result<Vec<String>, String> {
    let sources = files(&root().join("fuzz/fuzz_targets"), ".rs")?;
    let names = sources.iter().filter_map(|path| path.file_stem());
    Ok(names
        .map(|name| name.to_string_lossy().into_owned())
        .collect())
}

/// Puts the tests' inputs into the target's corpus, which cargo-fuzz keeps and extends from run to run.
fn seed(target: &str) -> Result<(), String> {
    let corpus = root().join("fuzz/corpus").join(target);
    fs::create_dir_all(&corpus)
        .map_err(|source| format!("cannot make {}: {source}", corpus.display()))?;
    for (number, bytes) in seeds(target)?.iter().enumerate() {
        let seed = corpus.join(format!("seed-{number}"));
        fs::write(&seed, bytes)
            .map_err(|source| format!("cannot write {}: {source}", seed.display()))?;
    }
    Ok(())
}

/// Inputs that the target's parser understands; containers have none in files, as their tests make them.
fn seeds(target: &str) -> Result<Vec<Vec<u8>>, String> {
    match target {
        "sigma_rules" => rules(),
        "sigma_conditions" => {
            let rules = rules()?;
            let texts = rules.iter().map(|rule| String::from_utf8_lossy(rule));
            Ok(texts.flat_map(|text| conditions(&text)).collect())
        }
        "event_log_recover" => goldens("artifact_windows_evtx"),
        "event_log_chunk" => {
            let logs = goldens("artifact_windows_evtx")?;
            Ok(logs.iter().filter_map(|log| first_records(log)).collect())
        }
        reader => goldens(reader),
    }
}

/// The inputs whose expected text says that this target's reader took them.
fn goldens(target: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut found = Vec::new();
    for input in files(&root().join("crates/artifacts/src"), ".in")? {
        let expected = fs::read_to_string(input.with_extension("out")).unwrap_or_default();
        let kind = expected
            .lines()
            .find_map(|line| line.strip_prefix("kind: "));
        let kind = kind
            .and_then(|kind| kind.split(' ').next())
            .unwrap_or_default();
        if format!("artifact_{}", kind.replace('.', "_")) == target {
            found.push(read(&input)?);
        }
    }
    Ok(found)
}

/// The rules of all packs, one by one: a file holds dozens, and compiling them all would take most of the time.
fn rules() -> Result<Vec<Vec<u8>>, String> {
    let mut rules = Vec::new();
    for path in files(&root().join("packs"), ".yml")? {
        let text = String::from_utf8_lossy(&read(&path)?).into_owned();
        rules.extend(text.split("\n---\n").map(|rule| rule.as_bytes().to_vec()));
    }
    Ok(rules)
}

fn conditions(rules: &str) -> Vec<Vec<u8>> {
    let lines = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("condition: "));
    lines
        .map(|condition| condition.as_bytes().to_vec())
        .collect()
}

/// The target writes the headers itself; zeros behind the last record say nothing.
fn first_records(log: &[u8]) -> Option<Vec<u8>> {
    let records = log.get(BEFORE_RECORDS_BYTES..log.len().min(FIRST_CHUNK_END_BYTES))?;
    let end = records.iter().rposition(|byte| *byte != 0)?;
    records.get(..=end).map(<[u8]>::to_vec)
}

/// Files below the folder whose names end so, in order.
fn files(folder: &Path, end: &str) -> Result<Vec<PathBuf>, String> {
    let problem = |source| format!("cannot read {}: {source}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(problem)? {
        paths.push(entry.map_err(problem)?.path());
    }
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(files(&path, end)?);
        } else if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|source| format!("cannot read {}: {source}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_and_targets_come_in_any_order_and_zero_is_refused() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let parsed = parse(&words("sigma_rules --minutes 30 event_log_chunk"));
        let targets = words("sigma_rules event_log_chunk");
        assert_eq!(parsed, Ok((30, targets)));
        assert!(parse(&words("--minutes 0")).is_err());
        assert!(parse(&words("--minute 3")).is_err());
    }

    #[test]
    fn targets_with_files_in_the_tests_begin_from_them() {
        for target in [
            "artifact_iis_w3c",
            "event_log_chunk",
            "sigma_rules",
            "sigma_conditions",
        ] {
            assert!(
                targets_known().unwrap().contains(&target.to_owned()),
                "{target}"
            );
            assert!(!seeds(target).unwrap().is_empty(), "{target}");
        }
    }
}
