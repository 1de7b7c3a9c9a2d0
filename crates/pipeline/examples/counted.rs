//! Hunts or checks in this one process and on one thread's work, so that its instructions can be counted.
//!
//! `counted hunt|check EVIDENCE [--rules DIR] [--indicators FILE]`; `cargo xtask budget` runs it under callgrind. The
//! program that users run reads in child processes, which are killed when they are done, before a tool that counts could
//! write what it counted.

use pipeline::Judgement;
use pipeline::job::Knowledge;
use pipeline::supervise::Crew;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Everything is slow under a tool that counts; nothing here is hostile.
const ITEM_SECONDS: u64 = 3600;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().ok_or("name hunt or check")?;
    let evidence = PathBuf::from(arguments.next().ok_or("name the evidence")?);
    let mut knowledge = Knowledge {
        builtin_packs: true,
        ..Knowledge::default()
    };
    while let Some(name) = arguments.next() {
        let path = PathBuf::from(arguments.next().ok_or("an option needs a value")?);
        match name.as_str() {
            "--rules" => knowledge.extra.sigma = rules(&path)?,
            "--indicators" => knowledge.extra.indicators = vec![(text(&path), read(&path)?)],
            _ => return Err(format!("unknown option {name}").into()),
        }
    }
    let found = match task.as_str() {
        "hunt" => hunt(&knowledge, evidence)?,
        "check" => check(&knowledge, evidence)?,
        _ => return Err("name hunt or check".into()),
    };
    writeln!(std::io::stdout(), "{found}")?;
    Ok(())
}

fn crew() -> Crew {
    Crew {
        workers: 1,
        command: None,
        item_seconds: ITEM_SECONDS,
        seconds_per_mib: ITEM_SECONDS,
    }
}

/// Says how much was matched, so that whoever counts knows that work was done.
fn hunt(knowledge: &Knowledge, evidence: PathBuf) -> Result<String, Box<dyn Error>> {
    let collections = evidence::discover(&[evidence], &knowledge.options)?;
    let hunted = pipeline::hunt(
        &collections,
        knowledge,
        &crew(),
        None,
        &mut |_| {},
        &mut |_| Ok(()),
    )?;
    Ok(format!(
        "{} matches in {} records",
        hunted.matches, hunted.accounting.records_in
    ))
}

fn check(knowledge: &Knowledge, evidence: PathBuf) -> Result<String, Box<dyn Error>> {
    let collections = evidence::discover(&[evidence], &knowledge.options)?;
    let packs = pipeline::worker::packs(knowledge)?;
    let builds = pack::BuildTable::builtin();
    let products = pack::products();
    let questions = pack::questions();
    let review = pack::Review::builtin();
    let shipped = pack::shipped_files::ShippedFiles::builtin();
    let judgement = Judgement {
        packs: &packs,
        knowledge: assess::Knowledge {
            builds: &builds,
            products: &products,
            shipped: &shipped,
            questions: &questions,
            review: &review,
        },
        host: None,
        as_of: None,
        attestations: &[],
    };
    let report = pipeline::check(
        &collections,
        knowledge,
        &crew(),
        &judgement,
        &mut |_, _| Ok(()),
        &mut |_| {},
    )?;
    Ok(format!(
        "{} findings in {} records",
        report.findings.len(),
        report.accounting.records_in
    ))
}

/// Sigma files of a folder, in order of path.
fn rules(folder: &Path) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    let mut rules = Vec::new();
    for path in paths {
        rules.push((text(&path), String::from_utf8(read(&path)?)?));
    }
    Ok(rules)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a measurement's own files, not evidence"
)]
fn read(path: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    Ok(fs::read(path)?)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
