//! Runs a program to its end and says what it took.
//!
//! CPU time is what the kernel charges to ended children (`cutime` and `cstime` of proc(5)), in steps of a hundredth of
//! a second. Memory is the peak of what a program and all its children hold together (`Pss` of proc(5): pages that several
//! processes share count once), looked at many times a second, and no less than the greatest resident set that the
//! kernel noted for any one of them (`VmHWM`). Both are told on Linux only.

use crate::process::{as_typed, command, installed, say};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Ticks of proc(5) in a second: 100 on every Linux of the common architectures.
const TICKS_PER_SECOND: f64 = 100.0;

/// Adding up a process's pages holds it up for a moment, so not more often.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Runs a program on one processor only (util-linux), where it is there: a program that is asked for one thread may have
/// others that read, hash or write.
const PIN: &str = "taskset";

static PINS: LazyLock<bool> = LazyLock::new(|| installed(PIN, &["--version"]));

/// Lines of a failed program's errors that are told.
const ERROR_LINES: usize = 5;

/// One program and its arguments, to be started any number of times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    /// Where it is started; the project's folder if not said.
    pub(super) folder: Option<PathBuf>,
    /// Where its standard output goes; nowhere if not said.
    pub(super) output: Option<PathBuf>,
    /// Exit codes that mean that it did its work.
    pub(super) good: &'static [i32],
}

/// What one round took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Cost {
    pub(super) wall_seconds: f64,
    pub(super) cpu_seconds: Option<f64>,
    pub(super) peak_bytes: Option<u64>,
}

impl Step {
    pub(super) fn new(program: &Path, arguments: &[&str]) -> Self {
        Self {
            program: program.to_string_lossy().into_owned(),
            arguments: arguments
                .iter()
                .map(|argument| (*argument).to_owned())
                .collect(),
            folder: None,
            output: None,
            good: &[0],
        }
    }

    pub(super) fn good(mut self, good: &'static [i32]) -> Self {
        self.good = good;
        self
    }

    pub(super) fn output(mut self, file: PathBuf) -> Self {
        self.output = Some(file);
        self
    }

    pub(super) fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    fn command(&self, cores: u32) -> Command {
        let mut arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let mut command = if cores == 1 && *PINS {
            arguments.splice(0..0, ["--cpu-list", "0", &self.program]);
            command(PIN, &arguments)
        } else {
            command(&self.program, &arguments)
        };
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }
}

/// Runs all steps one after the other, on one processor or on all; what they took together, with the greatest peak of any.
pub(super) fn measure(steps: &[Step], cores: u32, errors: &Path) -> Result<Cost, String> {
    let mut total = Cost {
        wall_seconds: 0.0,
        cpu_seconds: Some(0.0),
        peak_bytes: None,
    };
    for step in steps {
        let cost = measure_one(step, cores, errors)?;
        total.wall_seconds += cost.wall_seconds;
        total.cpu_seconds = total
            .cpu_seconds
            .zip(cost.cpu_seconds)
            .map(|(one, other)| one + other);
        total.peak_bytes = total.peak_bytes.max(cost.peak_bytes);
    }
    Ok(total)
}

fn measure_one(step: &Step, cores: u32, errors: &Path) -> Result<Cost, String> {
    let mut command = step.command(cores);
    let typed = as_typed(&command);
    let file = |path: &Path| {
        File::create(path).map_err(|source| format!("cannot write {}: {source}", path.display()))
    };
    let output = match &step.output {
        Some(path) => Stdio::from(file(path)?),
        None => Stdio::null(),
    };
    command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(Stdio::from(file(errors)?));
    let cpu_before = cpu_of_children();
    let begun = Instant::now();
    let mut child = command
        .spawn()
        .map_err(|source| format!("cannot start {typed}: {source}"))?;
    let (status, wall_seconds, peak_bytes) = watched(child.id(), || {
        let status = child.wait();
        (status, begun.elapsed().as_secs_f64())
    });
    let status = status.map_err(|source| format!("cannot wait for {typed}: {source}"))?;
    if !status.code().is_some_and(|code| step.good.contains(&code)) {
        say_last_lines(errors);
        return Err(format!("{typed} failed ({status})"));
    }
    let cpu_seconds = cpu_of_children()
        .zip(cpu_before)
        .map(|(after, before)| after - before);
    Ok(Cost {
        wall_seconds,
        cpu_seconds,
        peak_bytes,
    })
}

/// Waits for a process, while a thread looks at the memory of it and its children.
fn watched<T>(process: u32, wait: impl FnOnce() -> (T, f64)) -> (T, f64, Option<u64>) {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak = None;
            while !ended.load(Ordering::Relaxed) {
                peak = peak.max(memory_of_tree(process));
                thread::park_timeout(LOOK_EVERY);
            }
            peak
        });
        let (outcome, seconds) = wait();
        ended.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
        (outcome, seconds, watcher.join().unwrap_or_default())
    })
}

/// Says the end of what a program wrote to standard error.
fn say_last_lines(errors: &Path) {
    let text = std::fs::read(errors).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    for line in &lines[lines.len().saturating_sub(ERROR_LINES)..] {
        say(&format!("  {line}"));
    }
}

/// Seconds of processor time that ended children of this process, and theirs, have taken.
fn cpu_of_children() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields = stat_fields(&stat)?;
    // Fields 16 and 17 of proc(5); the first two are cut off.
    let ticks: u64 = fields.get(13)?.parse::<u64>().ok()? + fields.get(14)?.parse::<u64>().ok()?;
    Some(ticks as f64 / TICKS_PER_SECOND)
}

/// Bytes that a process and all below it hold in memory.
fn memory_of_tree(process: u32) -> Option<u64> {
    let mut parents: BTreeMap<u32, u32> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").ok()?.filter_map(Result::ok) {
        let Ok(id) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat_fields(&stat).and_then(|fields| fields.get(1)?.parse().ok());
        parents.extend(parent.map(|parent| (id, parent)));
    }
    let belongs = |id: &u32| {
        // No tree of processes is deeper than this.
        std::iter::successors(Some(*id), |id| parents.get(id).copied())
            .take(64)
            .any(|id| id == process)
    };
    let tree: Vec<u32> = parents.keys().copied().filter(belongs).collect();
    let now: u64 = tree.iter().filter_map(|id| held_bytes(*id)).sum();
    let noted = tree.iter().filter_map(|id| noted_peak_bytes(*id)).max();
    Some(now.max(noted.unwrap_or(0)))
}

/// A process's own pages, and its share of those that others use as well.
fn held_bytes(process: u32) -> Option<u64> {
    kibibytes(&format!("/proc/{process}/smaps_rollup"), "Pss:")
}

/// The greatest resident set that the kernel noted for a process.
fn noted_peak_bytes(process: u32) -> Option<u64> {
    kibibytes(&format!("/proc/{process}/status"), "VmHWM:")
}

/// Bytes that a line of a file in `/proc` tells in KiB.
fn kibibytes(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Fields of `stat` behind the name, which may itself hold spaces and brackets.
fn stat_fields(stat: &str) -> Option<Vec<&str>> {
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().collect())
}

/// The round in the middle by time (the later one of two); its other figures go with it.
pub(super) fn median(rounds: &[Cost]) -> Option<Cost> {
    let mut rounds = rounds.to_vec();
    rounds.sort_by(|one, other| one.wall_seconds.total_cmp(&other.wall_seconds));
    rounds.get(rounds.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, good: &'static [i32]) -> Step {
        Step::new(Path::new("sh"), &["-c", script]).good(good)
    }

    #[test]
    fn the_cost_of_children_is_measured() {
        let folder = tempfile::tempdir().unwrap();
        let errors = folder.path().join("errors");
        // So many turns of a loop take a shell more than a tick.
        let busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done";
        let output = folder.path().join("output");
        let steps = [
            shell(busy, &[0]).output(output.clone()),
            shell("exit 1", &[0, 1]),
        ];
        let cost = measure(&steps, 1, &errors).unwrap();
        assert!(cost.wall_seconds > 0.0);
        assert_eq!(std::fs::read_to_string(output).unwrap(), "done\n");
        if cfg!(target_os = "linux") {
            assert!(cost.cpu_seconds.unwrap() > 0.0);
            assert!(cost.peak_bytes.unwrap() > 100_000);
        }
        let failed = measure(&[shell("exit 4", &[0, 1])], 2, &errors).unwrap_err();
        assert!(failed.contains("exit status: 4"), "{failed}");
    }

    #[test]
    fn names_with_brackets_do_not_shift_the_fields() {
        assert_eq!(stat_fields("7 (a) b) S 1 2").unwrap(), ["S", "1", "2"]);
    }

    #[test]
    fn the_median_is_a_round_that_was_run() {
        let cost = |wall_seconds, peak| Cost {
            wall_seconds,
            cpu_seconds: None,
            peak_bytes: Some(peak),
        };
        let rounds = [cost(3.0, 1), cost(1.0, 2), cost(2.0, 3)];
        assert_eq!(median(&rounds), Some(cost(2.0, 3)));
        assert_eq!(median(&rounds[..2]), Some(cost(3.0, 1)));
        assert_eq!(median(&[]), None);
    }
}
