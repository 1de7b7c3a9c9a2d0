//! Event logs against SigmaHQ's rules for Windows.

use super::decode::evtx_dump;
use super::{CORES, Judged, Prepared, TWO_CORES_TIMES, Workload, allclear, cores, join};
use crate::bench::contestant::Contestant;
use crate::bench::loads::events::{EventLogs, FlatEvents, event_logs, flat_events};
use crate::bench::loads::rules::{SigmaRules, sigma};
use crate::bench::loads::{Bench, write};
use crate::bench::matches::{self, Known};
use crate::bench::measure::Step;
use crate::bench::results::{Goal, Rows};
use std::path::{Path, PathBuf};

pub(in crate::bench) const WORKLOAD: Workload = Workload {
    name: "evtx-hunt",
    title: "Event logs against SigmaHQ's rules for Windows",
    about: "Every rule is asked of every event, and each match written to a file. Allclear, Hayabusa and Chainsaw read the logs \
            themselves; Hayabusa brings its own conversion of the rules, of which it loads more. rsigma is given flat JSON that \
            was made before from `evtx_dump`'s output, which its time does not include: once with a pipeline that binds rules to \
            channels and event numbers by pySigma's tables (the right answers), once with a log source written into each event \
            and `--logsource-routing` (an event can carry one category only, so it misses rules). `evtx_dump` only decodes.",
    prepare,
};

/// Differences between our matches and the oracle's that somebody has looked into.
const ARGUED: &str = "docs/benchmarks/argued-differences.csv";

const OURS_1: &str = "allclear hunt, 1 core";
const OURS_2: &str = "allclear hunt, 2 cores";
const DECODED: &str = "evtx_dump, 1 core";
const RSIGMA: &str = "rsigma, bound by channel";
const RSIGMA_HINTS: &str = "rsigma, hints and routing";
const HAYABUSA: &str = "Hayabusa";
const CHAINSAW: &str = "Chainsaw";

fn prepare(bench: &mut Bench) -> Result<Prepared, String> {
    let logs = event_logs(bench)?;
    let rules = sigma(bench)?;
    let flat = flat_events(bench, &logs);
    let mut contestants: Vec<Contestant> = CORES
        .iter()
        .map(|count| ours(bench, &logs, &rules, *count))
        .collect();
    let mut absent = Vec::new();
    let dump = bench.tools.tool("evtx_dump");
    join(
        dump.map(|dump| evtx_dump(&dump, &logs, 1, DECODED, "decodes only")),
        DECODED,
        &mut contestants,
        &mut absent,
    );
    for (name, hints) in [(RSIGMA_HINTS, true), (RSIGMA, false)] {
        let found = rsigma(bench, &rules, flat.as_ref(), name, hints);
        join(found, name, &mut contestants, &mut absent);
    }
    join(
        hayabusa(bench, &logs),
        HAYABUSA,
        &mut contestants,
        &mut absent,
    );
    join(
        chainsaw(bench, &logs, &rules),
        CHAINSAW,
        &mut contestants,
        &mut absent,
    );
    let known = rules.windows.folder.clone();
    let argued = bench.root.join(ARGUED);
    let (ours_out, rsigma_out) = (our_output(bench, 2), rsigma_output(bench, false));
    let differences = bench.output("evtx-hunt-differences.csv");
    Ok(Prepared {
        load: format!(
            "{}; {} rule files",
            logs.told(),
            crate::bench::loads::grouped(rules.windows.count)
        ),
        bytes: logs.bytes,
        contestants,
        absent,
        judge: Box::new(move |rows| {
            let mut judged = Judged {
                goals: goals(rows),
                ..Judged::default()
            };
            let compared = flat.as_ref().ok().and_then(|flat| {
                rows.named(RSIGMA)?;
                compare(&ours_out, &rsigma_out, &known, &argued, flat)
            });
            match compared {
                Some(compared) => {
                    judged.goals.push(compared.goal);
                    judged.notes.push(compared.note);
                    judged.tables.push(compared.table);
                    // The page has the first of them all the same.
                    let _ = write(&differences, compared.csv.as_bytes());
                }
                None => judged
                    .notes
                    .push("Matches were not compared: the oracle did not run.".to_owned()),
            }
            judged
        }),
    })
}

fn goals(rows: &Rows<'_>) -> Vec<Goal> {
    [
        rows.within(
            OURS_2,
            DECODED,
            3.0,
            "under 3 times `evtx_dump`'s one-thread time",
        ),
        rows.faster(OURS_2, HAYABUSA, 40.0, "40 times Hayabusa's pace"),
        rows.faster(OURS_2, CHAINSAW, 90.0, "90 times Chainsaw's pace"),
        rows.faster(OURS_2, RSIGMA_HINTS, 5.0, "5 times rsigma with hints"),
        rows.memory_below(OURS_2, 150.0),
        rows.faster(
            OURS_2,
            OURS_1,
            TWO_CORES_TIMES,
            "two cores at least 1.8 times one",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn compare(
    ours: &Path,
    theirs: &Path,
    rules: &Path,
    argued: &Path,
    flat: &FlatEvents,
) -> Option<matches::Comparison> {
    let argued = std::fs::read_to_string(argued).unwrap_or_default();
    let known = Known {
        rules: matches::heads(rules),
        argued: matches::argued(&argued),
        tables: &flat.tables,
    };
    let (ours, theirs) = (matches::ours(ours)?, matches::rsigma(theirs)?);
    Some(matches::compare(&ours, &theirs, &known))
}

fn our_output(bench: &Bench, count: u32) -> PathBuf {
    bench.output(&format!("evtx-hunt-allclear-{count}.ndjson"))
}

fn rsigma_output(bench: &Bench, hints: bool) -> PathBuf {
    let form = if hints { "hints" } else { "bound" };
    bench.output(&format!("evtx-hunt-rsigma-{form}.ndjson"))
}

fn ours(bench: &Bench, logs: &EventLogs, rules: &SigmaRules, count: u32) -> Contestant {
    let output = our_output(bench, count);
    let (folder, load) = (
        Bench::text(&rules.windows.folder),
        Bench::text(&logs.folder),
    );
    let rest = ["--rules", &folder, "--format", "ndjson", &load];
    let step = allclear(bench, "hunt", count, &output, &rest);
    let name = format!("allclear hunt, {}", cores(count));
    Contestant::ours(
        &name,
        "reads logs, writes matches with their events",
        count,
        vec![step],
    )
    .rules(rules.windows.count)
    .hits(move || matches::lines(&output))
}

fn rsigma(
    bench: &mut Bench,
    rules: &SigmaRules,
    flat: Result<&FlatEvents, &String>,
    name: &str,
    hints: bool,
) -> Result<Contestant, String> {
    let tool = bench.tools.tool("rsigma")?;
    let flat = flat.map_err(Clone::clone)?;
    let output = rsigma_output(bench, hints);
    let (folder, pipeline) = (
        Bench::text(&rules.windows.folder),
        Bench::text(&flat.pipeline),
    );
    let events = format!("@{}", flat.file.display());
    let mut arguments = vec!["engine", "eval", "-r", &folder, "-e", &events];
    arguments.extend(["--output-format", "ndjson"]);
    if hints {
        arguments.extend([
            "--logsource-routing",
            "--logsource-field-map",
            "product=logsource_product,service=logsource_service,category=logsource_category",
        ]);
    } else {
        arguments.extend(["-p", &pipeline]);
    }
    let step = Step::new(&tool.program, &arguments).output(output.clone());
    let contestant = Contestant::peer(
        name,
        "reads flat JSON made before, writes matches",
        1,
        vec![step],
    )
    .rules(rules.windows.count)
    .bytes(flat.bytes);
    Ok(contestant.hits(move || matches::lines(&output)))
}

/// Hayabusa looks for its rules beside its program.
fn hayabusa(bench: &mut Bench, logs: &EventLogs) -> Result<Contestant, String> {
    let tool = bench.tools.tool("hayabusa")?;
    let home = tool.program.parent().map(PathBuf::from).unwrap_or_default();
    let output = bench.output("evtx-hunt-hayabusa.csv");
    let (load, out) = (Bench::text(&logs.folder), Bench::text(&output));
    let arguments = [
        "dfir-timeline",
        "-d",
        &load,
        "-w",
        "-q",
        "-K",
        "-C",
        "-N",
        "-Q",
        "-t",
        "csv",
        "-o",
        &out,
    ];
    let step = Step::new(&tool.program, &arguments).folder(&home);
    let does = "reads logs with its own rules, writes matches";
    // The first line names the columns.
    Ok(Contestant::peer(HAYABUSA, does, 2, vec![step])
        .hits(move || matches::lines(&output)?.checked_sub(1)))
}

fn chainsaw(bench: &mut Bench, logs: &EventLogs, rules: &SigmaRules) -> Result<Contestant, String> {
    let tool = bench.tools.tool("chainsaw")?;
    let home = tool.program.parent().map(PathBuf::from).unwrap_or_default();
    let mapping = home.join("mappings/sigma-event-logs-all.yml");
    if !mapping.is_file() {
        return Err(
            "mappings/sigma-event-logs-all.yml does not stand beside the program".to_owned(),
        );
    }
    let output = bench.output("evtx-hunt-chainsaw.json");
    let (load, out) = (Bench::text(&logs.folder), Bench::text(&output));
    let (folder, mapping) = (Bench::text(&rules.windows.folder), Bench::text(&mapping));
    let arguments = [
        "--no-banner",
        "hunt",
        &load,
        "-s",
        &folder,
        "-m",
        &mapping,
        "--skip-errors",
        "--json",
        "-o",
        &out,
    ];
    let step = Step::new(&tool.program, &arguments).folder(&home);
    let does = "reads logs, writes matches";
    Ok(Contestant::peer(CHAINSAW, does, 2, vec![step]).rules(rules.windows.count))
}
