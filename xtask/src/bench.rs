//! `cargo xtask bench`: time and memory of `allclear check` beside other tools, on the same evidence, in one run.
//!
//! The evidence is a synthetic server that `allclear range make` writes to `target/bench`. The rounds of all tools are
//! interleaved, so that whatever else the machine does meets all of them, and the median of each is told.
//!
//! CPU time is what the kernel charges to ended children (`cutime` and `cstime` of proc(5)); memory is the peak of the
//! resident sets of a tool and all its children together, looked at every few milliseconds, so that shared pages count
//! once for each process. Both are told on Linux only.

use crate::process::{as_typed, command, installed, output, run as run_command, say};
use crate::root;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Ticks of proc(5) in a second: 100 on every Linux of the common architectures.
const TICKS_PER_SECOND: f64 = 100.0;

/// Bytes of a page in `statm`; other page sizes are rare where benchmarks run, and would only scale the column.
const PAGE_BYTES: u64 = 4096;

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Does what the analysis of HttpProxy logs in the vendor's script does: reads each row of each log as CSV by the names
/// of its columns, and keeps those that carry a routing hint.
const CSV_READER: &str = r"
import csv, pathlib, sys
hits = 0
for path in pathlib.Path(sys.argv[1]).rglob('*'):
    if path.is_file() and path.suffix.lower() == '.log' and 'httpproxy' in str(path).lower():
        with open(path, newline='', encoding='utf-8', errors='replace') as log:
            head = None
            for row in csv.reader(line.replace('\0', '') for line in log):
                if row and row[0].startswith('#Fields:'):
                    head = [row[0][9:].strip()] + row[1:]
                elif head and row and not row[0].startswith('#'):
                    named = dict(zip(head, row))
                    if named.get('AuthenticatedUser') == '' and 'ServerInfo~' in named.get('AnchorMailbox', ''):
                        hits += 1
print(hits)
";

/// One tool and how it is called.
struct Contestant {
    name: &'static str,
    /// What of the main job it does.
    does: &'static str,
    make: Box<dyn Fn() -> Command>,
    /// Exit codes that mean that it did its work.
    good: &'static [i32],
}

/// What one round took.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cost {
    wall_seconds: f64,
    cpu_seconds: Option<f64>,
    peak_bytes: Option<u64>,
}

struct Settings {
    scale: String,
    rounds: usize,
}

/// Makes the evidence, measures, and prints a Markdown table to standard output.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let settings = Settings::from_arguments(arguments)?;
    run_command(command(
        "cargo",
        &["build", "--release", "--package", "allclear"],
    ))?;
    let evidence = make_evidence(&settings.scale)?;
    let bytes = size_of(&evidence);
    let (contestants, absent) = contestants(&evidence);
    let mut costs: BTreeMap<usize, Vec<Cost>> = BTreeMap::new();
    for round in 1..=settings.rounds {
        for (index, contestant) in contestants.iter().enumerate() {
            say(&format!("round {round}: {}", contestant.name));
            let cost = measure((contestant.make)(), contestant.good)?;
            costs.entry(index).or_default().push(cost);
        }
    }
    let mut table = heading(&settings, bytes);
    let medians: Vec<Cost> = costs.values().map(|rounds| median(rounds)).collect();
    for (contestant, cost) in contestants.iter().zip(&medians) {
        table.push_str(&row(contestant, *cost, medians[0], bytes));
    }
    for name in absent {
        table.push_str(&["| ", name, " | not installed on this machine | | | | | |\n"].concat());
    }
    std::io::stdout()
        .write_all(table.as_bytes())
        .map_err(|source| format!("cannot print the table: {source}"))
}

impl Settings {
    fn from_arguments(arguments: &[String]) -> Result<Self, String> {
        let mut settings = Self {
            scale: "1GB".to_owned(),
            rounds: 3,
        };
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--scale" => value.clone_into(&mut settings.scale),
                "--rounds" => {
                    settings.rounds = value
                        .parse()
                        .map_err(|source| format!("--rounds {value}: {source}"))?;
                }
                _ => {
                    return Err(format!(
                        "unknown option {name}; there are --scale and --rounds"
                    ));
                }
            }
        }
        if settings.rounds == 0 {
            return Err("--rounds must be 1 or more".to_owned());
        }
        Ok(settings)
    }
}

/// The evidence of this scale; made once, as it is the same for the same seed.
fn make_evidence(scale: &str) -> Result<PathBuf, String> {
    let folder = root().join("target/bench").join(scale);
    let done = folder.join("truth.json");
    if !done.exists() {
        if folder.exists() {
            std::fs::remove_dir_all(&folder)
                .map_err(|source| format!("cannot clear {}: {source}", folder.display()))?;
        }
        let out = folder.to_string_lossy().into_owned();
        let program = crate::release_binary().to_string_lossy().into_owned();
        run_command(command(
            &program,
            &[
                "range", "make", "--seed", "1", "--scale", scale, "--out", &out,
            ],
        ))?;
    }
    evidence_in(&folder)
}

/// The one folder that the simulator made beside its truth: what a collector would have brought.
fn evidence_in(folder: &Path) -> Result<PathBuf, String> {
    let entries = std::fs::read_dir(folder)
        .map_err(|source| format!("cannot read {}: {source}", folder.display()))?;
    let mut folders: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    match (folders.pop(), folders.is_empty()) {
        (Some(evidence), true) => Ok(evidence),
        _ => Err(format!(
            "{} should hold one folder of evidence",
            folder.display()
        )),
    }
}

/// The tools of this machine, ours first, and the names of those that are missing.
fn contestants(evidence: &Path) -> (Vec<Contestant>, Vec<&'static str>) {
    let path = evidence.to_string_lossy().into_owned();
    let known = evidence.with_file_name("known-files.csv");
    let mut found = vec![ours(&path, &known)];
    let mut absent = Vec::new();
    let mut add = |name, does, present: bool, program: &'static str, arguments: Vec<String>| {
        if !present {
            absent.push(name);
            return;
        }
        let make = move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            command(program, &arguments)
        };
        // grep says 1 where nothing matched.
        found.push(Contestant {
            name,
            does,
            make: Box::new(make),
            good: &[0, 1],
        });
    };
    let owned = |arguments: &[&str]| {
        arguments
            .iter()
            .map(|argument| (*argument).to_owned())
            .collect::<Vec<_>>()
    };
    add(
        "grep",
        "one word in every file",
        installed("grep", &["--version"]),
        "grep",
        owned(&["-rcaF", "ServerInfo~", &path]),
    );
    add(
        "ripgrep",
        "one word in every file",
        installed("rg", &["--version"]),
        "rg",
        owned(&["-uuu", "-caF", "ServerInfo~", &path]),
    );
    add(
        "Python csv",
        "HttpProxy rows by column, one condition",
        installed("python3", &["--version"]),
        "python3",
        owned(&["-c", CSV_READER, &path]),
    );
    let dump = format!(
        "find '{}' -iname '*.evtx' -exec evtx_dump -o jsonl -t 2 '{{}}' ';'",
        path.replace('\'', "'\\''")
    );
    add(
        "evtx_dump",
        "event logs only, as JSON",
        installed("evtx_dump", &["--version"]),
        "sh",
        owned(&["-c", &dump]),
    );
    (found, absent)
}

fn ours(evidence: &str, known: &Path) -> Contestant {
    let program = crate::release_binary().to_string_lossy().into_owned();
    let mut arguments = vec!["check", "--quiet", "--format", "json"]
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    if known.exists() {
        arguments.extend(["--known".to_owned(), known.to_string_lossy().into_owned()]);
    }
    arguments.push(evidence.to_owned());
    let make = move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        command(&program, &arguments)
    };
    Contestant {
        name: "allclear check",
        does: "the whole job",
        make: Box::new(make),
        good: &[0, 1],
    }
}

/// Runs to the end without output, and says what it took.
fn measure(mut command: Command, good: &[i32]) -> Result<Cost, String> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let cpu_before = cpu_of_children();
    let begun = Instant::now();
    let mut child = command
        .spawn()
        .map_err(|source| format!("cannot start {}: {source}", as_typed(&command)))?;
    let mut peak_bytes = None;
    let status = loop {
        peak_bytes = peak_bytes.max(memory_of_tree(child.id()));
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => std::thread::sleep(LOOK_EVERY),
            Err(source) => return Err(format!("cannot wait for {}: {source}", as_typed(&command))),
        }
    };
    let wall_seconds = begun.elapsed().as_secs_f64();
    if !status.code().is_some_and(|code| good.contains(&code)) {
        return Err(format!("{} failed ({status})", as_typed(&command)));
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

/// Seconds of processor time that ended children of this process, and theirs, have taken.
fn cpu_of_children() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields = stat_fields(&stat)?;
    // Fields 16 and 17 of proc(5); the first two are cut off.
    let ticks: u64 = fields.get(13)?.parse::<u64>().ok()? + fields.get(14)?.parse::<u64>().ok()?;
    Some(ticks as f64 / TICKS_PER_SECOND)
}

/// Resident bytes of a process and all below it.
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
    let resident = parents
        .keys()
        .filter(|id| belongs(id))
        .filter_map(|id| resident_bytes(*id));
    Some(resident.sum())
}

fn resident_bytes(process: u32) -> Option<u64> {
    let statm = std::fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}

/// Fields of `stat` behind the name, which may itself hold spaces and brackets.
fn stat_fields(stat: &str) -> Option<Vec<&str>> {
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().collect())
}

/// The round in the middle by time; its other figures go with it.
fn median(rounds: &[Cost]) -> Cost {
    let mut rounds = rounds.to_vec();
    rounds.sort_by(|one, other| one.wall_seconds.total_cmp(&other.wall_seconds));
    rounds[rounds.len() / 2]
}

fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let sizes = entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        });
    sizes.sum()
}

fn heading(settings: &Settings, bytes: u64) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let commit = output(command("git", &["rev-parse", "--short", "HEAD"])).unwrap_or_default();
    format!(
        "`cargo xtask bench --scale {} --rounds {}` at {}: {:.2} GB of evidence, {cores} cores, median of {} rounds\n\n\
         | tool | does | wall s | CPU s | peak MB | MB/s | time of allclear / its time |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: |\n",
        settings.scale,
        settings.rounds,
        commit.trim(),
        bytes as f64 / 1e9,
        settings.rounds,
    )
}

fn row(contestant: &Contestant, cost: Cost, ours: Cost, bytes: u64) -> String {
    let optional = |value: Option<f64>| {
        value.map_or_else(|| "not measured".to_owned(), |value| format!("{value:.1}"))
    };
    format!(
        "| {} | {} | {:.1} | {} | {} | {:.0} | {:.2} |\n",
        contestant.name,
        contestant.does,
        cost.wall_seconds,
        optional(cost.cpu_seconds),
        optional(cost.peak_bytes.map(|bytes| bytes as f64 / 1e6)),
        bytes as f64 / 1e6 / cost.wall_seconds.max(0.001),
        ours.wall_seconds / cost.wall_seconds.max(0.001),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_of_a_child_is_measured() {
        // Ten million turns of a loop take a shell more than a tick.
        let busy = command(
            "sh",
            &["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"],
        );
        let cost = measure(busy, &[0]).unwrap();
        assert!(cost.wall_seconds > 0.0);
        if cfg!(target_os = "linux") {
            assert!(cost.cpu_seconds.unwrap() > 0.0);
            assert!(cost.peak_bytes.unwrap() > 100_000);
        }
        assert!(measure(command("sh", &["-c", "exit 4"]), &[0, 1]).is_err());
    }

    #[test]
    fn names_with_brackets_do_not_shift_the_fields() {
        assert_eq!(stat_fields("7 (a) b) S 1 2").unwrap(), ["S", "1", "2"]);
    }

    #[test]
    fn settings_are_read_and_nonsense_is_refused() {
        let parse = |text: &str| {
            let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            Settings::from_arguments(&words).map(|settings| (settings.scale, settings.rounds))
        };
        assert_eq!(
            parse("--scale 200MB --rounds 1"),
            Ok(("200MB".to_owned(), 1))
        );
        assert_eq!(parse(""), Ok(("1GB".to_owned(), 3)));
        assert!(parse("--rounds 0").is_err());
        assert!(parse("--scale").is_err());
        assert!(parse("--fast yes").is_err());
    }
}
