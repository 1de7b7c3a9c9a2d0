//! `cargo xtask bench`: Allclear beside other tools, on the same files, in one run.
//!
//! A workload names its load, who takes part and what it should show. Loads and peers are made and installed below
//! `target/bench` when they are first asked for; what cannot be had is left out, and told. All take turns, round by
//! round, so that whatever else the machine does meets all of them. The figures of each workload are kept, so that one
//! can be measured again without the others, and are written as `docs/benchmarks.md` with a plot each.

mod contestant;
mod loads;
mod matches;
mod measure;
mod options;
mod page;
mod plot;
mod results;
mod tools;
mod workloads;

use crate::process::{command, output, say, tell};
use crate::{Profile, root};
use contestant::Rounds;
use loads::{Bench, write};
use options::Options;
use page::Setting;
use results::{Rows, Section};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tools::Tools;
use workloads::{ALL, Workload};

/// Measures, writes the page and its plots, and prints the tables.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let names: Vec<&str> = ALL.iter().map(|workload| workload.name).collect();
    let options = Options::from_arguments(arguments, &names)?;
    let folder = root().join("target/bench");
    if options.fresh {
        loads::forget(&folder.join("loads"));
    }
    fs::create_dir_all(folder.join("out"))
        .map_err(|source| format!("cannot make {}: {source}", folder.display()))?;
    let program = program(&options)?;
    let mut bench = Bench {
        tools: Tools::new(folder.join("tools"), &options),
        options,
        root: root(),
        folder,
        program,
    };
    let mut outcome = Ok(());
    for workload in ALL {
        if bench.options.wants(workload.name) {
            say(&format!("\n=== {}", workload.title));
            outcome = outcome.and(one(workload, &mut bench));
        }
    }
    publish(&bench)?;
    outcome
}

/// What is measured: built from this tree unless an option names it.
fn program(options: &Options) -> Result<PathBuf, String> {
    if let Some(program) = &options.program {
        return program
            .canonicalize()
            .map_err(|source| format!("--program {}: {source}", program.display()));
    }
    crate::program(Profile::Release)
}

/// Runs one workload and keeps its figures. A workload without a load is left out, which is no failure.
fn one(workload: &Workload, bench: &mut Bench) -> Result<(), String> {
    let prepared = match (workload.prepare)(bench) {
        Ok(prepared) => prepared,
        Err(reason) => {
            say(&format!("left out: {reason}"));
            let skipped = bench.output(&format!("{}.left-out", workload.name));
            return write(&skipped, reason.as_bytes());
        }
    };
    for absent in &prepared.absent {
        say(&format!("left out: {absent}"));
    }
    let errors = bench.output("errors");
    let rounds = Rounds {
        count: bench.options.rounds,
        once_over_seconds: bench.options.once_over_seconds,
        errors: &errors,
        root: &bench.root,
        bytes: prepared.bytes,
    };
    let (rows, failed, outcome) = contestant::run(&prepared.contestants, &rounds);
    let judged = (prepared.judge)(&Rows(&rows));
    let section = Section {
        name: workload.name.to_owned(),
        title: workload.title.to_owned(),
        about: workload.about.to_owned(),
        load: prepared.load,
        commit: commit(),
        scale: bench.options.scale.clone(),
        rounds: bench.options.rounds as u64,
        rows,
        absent: prepared.absent.into_iter().chain(failed).collect(),
        goals: judged.goals,
        notes: judged.notes,
        tables: judged.tables,
    };
    tell(&format!("\n{}\n", section.title));
    tell(page::rows(&section).trim_end());
    for goal in &section.goals {
        let holds = if goal.holds { "holds" } else { "DOES NOT HOLD" };
        tell(&format!("{holds}: {}: {}", goal.what, goal.measured));
    }
    for note in &section.notes {
        tell(note);
    }
    if section.name == "check" {
        tell("\nThe same for README.md:\n");
        tell(page::readme(&section).trim_end());
    }
    keep(bench, &section)?;
    let kept = Versions::kept(bench);
    kept.write(bench)?;
    outcome
}

/// The commit that is measured, with a mark where the tree has changes besides.
fn commit() -> String {
    let commit = output(command("git", &["rev-parse", "--short", "HEAD"])).unwrap_or_default();
    let changed = output(command(
        "git",
        &["status", "--porcelain", "--", "crates", "Cargo.lock"],
    ));
    let mark = if changed.is_some_and(|changed| !changed.trim().is_empty()) {
        " with changes"
    } else {
        ""
    };
    format!("{}{mark}", commit.trim())
}

fn results_folder(bench: &Bench) -> PathBuf {
    bench.folder.join("results").join(&bench.options.scale)
}

fn keep(bench: &Bench, section: &Section) -> Result<(), String> {
    let json = serde_json::to_string_pretty(section)
        .map_err(|source| format!("figures are no JSON: {source}"))?;
    let path = results_folder(bench).join(format!("{}.json", section.name));
    write(&path, json.as_bytes())
}

/// Versions of peers, as workloads of earlier runs and of this one used them.
struct Versions(BTreeMap<String, String>);

impl Versions {
    fn kept(bench: &Bench) -> Self {
        let text = fs::read_to_string(Self::path(bench)).unwrap_or_default();
        let mut versions: BTreeMap<String, String> =
            serde_json::from_str(&text).unwrap_or_default();
        versions.extend(bench.tools.versions());
        Self(versions)
    }

    fn write(&self, bench: &Bench) -> Result<(), String> {
        let json = serde_json::to_string_pretty(&self.0)
            .map_err(|source| format!("versions are no JSON: {source}"))?;
        write(&Self::path(bench), json.as_bytes())
    }

    fn path(bench: &Bench) -> PathBuf {
        results_folder(bench).join("versions")
    }
}

/// Writes the page and its plots from all figures of this scale.
fn publish(bench: &Bench) -> Result<(), String> {
    let sections: Vec<Section> = ALL
        .iter()
        .filter_map(|workload| {
            let path = results_folder(bench).join(format!("{}.json", workload.name));
            serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
        })
        .collect();
    if sections.is_empty() {
        return Err("nothing was measured".to_owned());
    }
    let out = match &bench.options.out {
        Some(out) => out.clone(),
        None if bench.options.is_published() => bench.root.join("docs"),
        None => bench.folder.join("report"),
    };
    let setting = Setting {
        machine: machine(),
        versions: Versions::kept(bench).0,
        once_over_seconds: bench.options.once_over_seconds,
    };
    let page = out.join("benchmarks.md");
    write(&page, page::page(&sections, &setting).as_bytes())?;
    for section in &sections {
        let plot = out.join("benchmarks").join(format!("{}.svg", section.name));
        write(&plot, plot::svg(section).as_bytes())?;
    }
    say(&format!("\nwritten: {}", page.display()));
    Ok(())
}

/// What the machine is, without its name.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(Path::new(path)).unwrap_or_default();
    let value = |text: &str, key: &str, separator: char| {
        let mut lines = text.lines();
        lines.find_map(|line| {
            let (name, value) = line.split_once(separator)?;
            (name.trim() == key).then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    let processor = value(&read("/proc/cpuinfo"), "model name", ':');
    let memory = value(&read("/proc/meminfo"), "MemTotal", ':')
        .and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    let system = value(&read("/etc/os-release"), "PRETTY_NAME", '=');
    let compiler = output(command("rustc", &["--version"])).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let unknown = || "of unknown kind".to_owned();
    format!(
        "Machine: {cores} cores ({}), {:.0} GiB of memory, {}, {}.",
        processor.unwrap_or_else(unknown),
        memory.unwrap_or(0.0) / 1024.0 / 1024.0,
        system.unwrap_or_else(unknown),
        compiler.split(" (").next().unwrap_or_default().trim()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn workloads_have_names_of_their_own_that_fit_a_file() {
        let names: BTreeSet<&str> = ALL.iter().map(|workload| workload.name).collect();
        assert_eq!(names.len(), ALL.len());
        let fits = |name: &&str| {
            name.chars()
                .all(|letter| letter.is_ascii_lowercase() || letter == '-')
        };
        assert!(names.iter().all(fits));
    }

    #[test]
    fn figures_are_read_as_they_were_kept() {
        let section = plot::tests::section();
        let json = serde_json::to_string(&section).unwrap();
        assert_eq!(serde_json::from_str::<Section>(&json).unwrap(), section);
    }
}
