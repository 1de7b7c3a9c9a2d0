//! What is measured: each workload names its load, who takes part, and what it should show.

mod check;
mod decode;
mod hunt;
mod questions;
mod start;
mod text;
mod yara;

use super::contestant::Contestant;
use super::loads::Bench;
use super::measure::Step;
use super::results::{Goal, Rows, Table};
use std::path::{Path, PathBuf};

/// One workload.
pub(super) struct Workload {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// What is asked, and what is not the same between contestants.
    pub(super) about: &'static str,
    /// Makes the load and finds who takes part; an error says why the workload is left out.
    pub(super) prepare: fn(&mut Bench) -> Result<Prepared, String>,
}

/// All workloads in the order of the page.
pub(super) const ALL: &[Workload] = &[
    decode::WORKLOAD,
    hunt::WORKLOAD,
    text::IIS,
    text::HTTP_PROXY,
    yara::WORKLOAD,
    check::WORKLOAD,
    questions::INGEST,
    questions::ASK,
    start::WORKLOAD,
];

/// A workload that can be run.
pub(super) struct Prepared {
    /// The load in a sentence, without its full stop.
    pub(super) load: String,
    pub(super) bytes: u64,
    pub(super) contestants: Vec<Contestant>,
    /// Who does not take part, and why.
    pub(super) absent: Vec<String>,
    pub(super) judge: Judge,
}

/// Says what the figures mean.
pub(super) type Judge = Box<dyn Fn(&Rows<'_>) -> Judged>;

/// What there is to say besides the figures.
#[derive(Default)]
pub(super) struct Judged {
    pub(super) goals: Vec<Goal>,
    pub(super) notes: Vec<String>,
    pub(super) tables: Vec<Table>,
}

/// Both numbers of cores that are measured.
const CORES: [u32; 2] = [1, 2];

/// What two cores must give over one.
const TWO_CORES_TIMES: f64 = 1.8;

fn cores(cores: u32) -> &'static str {
    if cores == 1 { "1 core" } else { "2 cores" }
}

/// `allclear TASK --quiet --jobs N --output FILE` with further arguments, the evidence last.
fn allclear(bench: &Bench, task: &str, cores: u32, output: &Path, rest: &[&str]) -> Step {
    let (jobs, output) = (cores.to_string(), Bench::text(output));
    let mut arguments = vec![task, "--quiet", "--jobs", &jobs, "--output", &output];
    arguments.extend(rest);
    // Some server that is not clear is what evidence is about.
    Step::new(&bench.program, &arguments).good(&[0, 1])
}

/// The built-in packs, each by its folder, as arguments: without them naming rules would leave the packs out.
fn packs(bench: &Bench) -> Vec<String> {
    let entries = std::fs::read_dir(bench.root.join("packs"));
    let mut folders: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.join("pack.yaml").is_file())
        .collect();
    folders.sort();
    let arguments = folders
        .iter()
        .flat_map(|folder| ["--pack".to_owned(), Bench::text(folder)]);
    arguments.collect()
}

/// Adds the one where there is a tool for it, and the reason where there is none.
fn join(
    found: Result<Contestant, String>,
    name: &str,
    contestants: &mut Vec<Contestant>,
    absent: &mut Vec<String>,
) {
    match found {
        Ok(contestant) => contestants.push(contestant),
        Err(reason) => absent.push(format!("{name}: {reason}")),
    }
}
