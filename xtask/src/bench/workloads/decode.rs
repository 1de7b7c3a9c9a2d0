//! Event logs decoded, and nothing else.

use super::{CORES, Judged, Prepared, TWO_CORES_TIMES, Workload, allclear, cores, join};
use crate::bench::contestant::Contestant;
use crate::bench::loads::events::{EventLogs, event_logs};
use crate::bench::loads::{Bench, write};
use crate::bench::measure::Step;
use crate::bench::tools::Tool;
use crate::process::{command, run as run_command};
use std::path::PathBuf;

pub(in crate::bench) const WORKLOAD: Workload = Workload {
    name: "evtx-decode",
    title: "Event logs, decoded",
    about: "Every record of every log is decoded. `evtx_dump` writes each as a line of JSON to nowhere, one process for \
            each file. Allclear's reader runs without the rest of Allclear, three ways: every value as its type and bytes, which \
            is what rules start from (checksums left out, as `evtx_dump` does), every value as text, and the reader as `check` \
            uses it, with all checks, facts and gaps. It is left out where a program to measure was named and it was not built \
            beside it. A hunt with one rule that nothing matches is the whole program at the same work.",
    prepare,
};

/// The example of the reader's crate that decodes the files it is given.
const EXAMPLE: &str = "event_log_pace";

/// Its modes, all on one core: how it is called, what it does.
const MODES: &[(&str, &str)] = &[
    ("text", "decodes every value to text"),
    ("decode", "decodes every value"),
    ("read", "the whole reader with its checks"),
];

/// A rule that is asked of events and matches none, where there is no such example.
const NO_EVENT: &str = "title: No event\nid: 5a5c1d8e-6f0b-4c0e-9a55-2f4a5d0c7b11\nstatus: test\n\
                        logsource:\n  product: windows\n  service: security\n\
                        detection:\n  selection:\n    EventID: 65535\n    SubjectUserName: nobody-at-all\n  condition: selection\n";

fn prepare(bench: &mut Bench) -> Result<Prepared, String> {
    let logs = event_logs(bench)?;
    let mut contestants = ours(bench, &logs)?;
    let mut absent = Vec::new();
    for count in CORES {
        let name = format!("evtx_dump, {}", cores(count));
        let dump = bench.tools.tool("evtx_dump");
        join(
            dump.map(|dump| evtx_dump(&dump, &logs, count, &name, "decodes, writes JSON")),
            &name,
            &mut contestants,
            &mut absent,
        );
    }
    Ok(Prepared {
        load: logs.told(),
        bytes: logs.bytes,
        contestants,
        absent,
        judge: Box::new(|rows| {
            let dump = "evtx_dump, 1 core";
            let goals = [
                rows.faster(
                    &name("text"),
                    dump,
                    1.0,
                    "every value as text, faster than `evtx_dump` on one core",
                ),
                rows.faster(
                    &name("read"),
                    dump,
                    1.0,
                    "the whole reader, faster than `evtx_dump` on one core",
                ),
                rows.faster(
                    &hunt_name(2),
                    &hunt_name(1),
                    TWO_CORES_TIMES,
                    "two cores at least 1.8 times one",
                ),
            ];
            Judged {
                goals: goals.into_iter().flatten().collect(),
                ..Judged::default()
            }
        }),
    })
}

fn name(mode: &str) -> String {
    format!("allclear reader, {mode}")
}

/// The reader alone where the project has its example, and a hunt with a rule that nothing matches.
fn ours(bench: &Bench, logs: &EventLogs) -> Result<Vec<Contestant>, String> {
    let mut contestants = Vec::new();
    if let Some(program) = example(bench)? {
        let files: Vec<String> = logs.files.iter().map(|file| Bench::text(file)).collect();
        for (mode, does) in MODES {
            let mut arguments = vec![*mode];
            arguments.extend(files.iter().map(String::as_str));
            let step = Step::new(&program, &arguments);
            let typed = format!("target/release/examples/{EXAMPLE} {mode} FILE…");
            contestants.push(Contestant::ours(&name(mode), does, 1, vec![step]).typed(&typed));
        }
    }
    for count in CORES {
        contestants.push(hunt(bench, logs, count)?);
    }
    Ok(contestants)
}

/// The example, built from this tree; one that stands there where a program to measure was named, and nothing is built.
fn example(bench: &Bench) -> Result<Option<PathBuf>, String> {
    let program = crate::release_binary()
        .with_file_name("examples")
        .join(EXAMPLE);
    let source = format!("crates/artifacts/examples/{EXAMPLE}.rs");
    if bench.options.program.is_some() || !bench.root.join(source).exists() {
        return Ok(Some(program).filter(|program| program.exists()));
    }
    let arguments = [
        "build",
        "--quiet",
        "--release",
        "--package",
        "artifacts",
        "--example",
        EXAMPLE,
    ];
    run_command(command("cargo", &arguments))?;
    Ok(Some(program))
}

fn hunt(bench: &Bench, logs: &EventLogs, count: u32) -> Result<Contestant, String> {
    let rule = bench.folder.join("loads/no-event.yml");
    write(&rule, NO_EVENT.as_bytes())?;
    let output = bench.output("evtx-decode.ndjson");
    let (rule, folder) = (Bench::text(&rule), Bench::text(&logs.folder));
    let rest = ["--rules", &rule, "--format", "ndjson", &folder];
    let step = allclear(bench, "hunt", count, &output, &rest);
    let does = "a hunt with one rule that nothing matches";
    Ok(Contestant::ours(&hunt_name(count), does, count, vec![step]))
}

fn hunt_name(count: u32) -> String {
    format!("allclear hunt, {}", cores(count))
}

/// `evtx_dump` over each file in turn, as it takes one at a time.
pub(super) fn evtx_dump(
    tool: &Tool,
    logs: &EventLogs,
    count: u32,
    name: &str,
    does: &str,
) -> Contestant {
    let threads = count.to_string();
    let step = |file: &PathBuf| {
        let file = Bench::text(file);
        Step::new(&tool.program, &["-t", &threads, "-o", "jsonl", &file])
    };
    let steps = logs.files.iter().map(step).collect();
    let contestant = Contestant::peer(name, does, count, steps);
    contestant.typed(&format!(
        "for each FILE: evtx_dump -t {threads} -o jsonl FILE > /dev/null"
    ))
}
