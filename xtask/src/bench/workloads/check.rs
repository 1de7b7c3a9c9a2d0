//! The main job on a whole server, beside tools that do a part of it.

use super::{CORES, Judged, Prepared, TWO_CORES_TIMES, Workload, allclear, cores, join};
use crate::bench::contestant::Contestant;
use crate::bench::loads::server::{Server, server};
use crate::bench::loads::{Bench, walk};
use crate::bench::matches;
use crate::bench::measure::Step;
use crate::bench::results::Rows;
use std::path::PathBuf;

const CSV_READER: &str = include_str!("../peers/http_proxy_csv.py");

pub(in crate::bench) const WORKLOAD: Workload = Workload {
    name: "check",
    title: "A whole server",
    about: "`allclear check` opens, reads, judges and reports a synthetic server: HttpProxy, ECP, IIS and event logs, web roots, \
            hives. The others do a small part of that: grep and ripgrep look for one word in every file, the CSV reader does one \
            check of one kind of log, as scripts of 2021 did, and `evtx_dump` decodes the event logs.",
    prepare,
};

/// The word that the attack leaves in HttpProxy logs.
const WORD: &str = "ServerInfo~";

fn prepare(bench: &mut Bench) -> Result<Prepared, String> {
    let server = server(bench)?;
    let evidence = Bench::text(&server.evidence);
    let (mut contestants, mut absent) = (Vec::new(), Vec::new());
    for count in [CORES[1], CORES[0]] {
        contestants.push(ours(bench, &server, count, None));
    }
    contestants.push(ours(bench, &server, CORES[1], Some("packs/proxylogon")));
    let greps = [
        ("grep", 1, vec!["-rcaF", WORD, &evidence]),
        (
            "ripgrep",
            2,
            vec!["--no-config", "-uuu", "-j", "2", "-caF", WORD, &evidence],
        ),
    ];
    for (name, count, arguments) in greps {
        let output = bench.output(&format!("check-{name}"));
        let found = bench.tools.tool(name).map(|tool| {
            // They say 1 where nothing matched.
            let step = Step::new(&tool.program, &arguments)
                .good(&[0, 1])
                .output(output.clone());
            Contestant::peer(name, "one word in every file", count, vec![step])
                .hits(move || matches::counts_at_ends(&output))
        });
        join(found, name, &mut contestants, &mut absent);
    }
    contestants.push(csv_reader(bench, &evidence));
    let found = event_logs(bench, &server);
    join(found, "evtx_dump", &mut contestants, &mut absent);
    Ok(Prepared {
        load: format!(
            "a synthetic server of {:.2} GB in {} files",
            server.bytes as f64 / 1e9,
            crate::bench::loads::grouped(walk(&server.evidence).len() as u64)
        ),
        bytes: server.bytes,
        contestants,
        absent,
        judge: Box::new(|rows| Judged {
            goals: rows
                .faster(
                    "allclear check, 2 cores",
                    "allclear check, 1 core",
                    TWO_CORES_TIMES,
                    "two cores at least 1.8 times one",
                )
                .into_iter()
                .collect(),
            notes: packs_cost(rows).into_iter().collect(),
            ..Judged::default()
        }),
    })
}

/// What further packs cost.
fn packs_cost(rows: &Rows<'_>) -> Option<String> {
    let wall = |name| Some(rows.named(name)?.cost.wall_seconds);
    let (all, one) = (
        wall("allclear check, 2 cores")?,
        wall("allclear check, one pack")?,
    );
    Some(format!(
        "All packs that come with Allclear take {:.2} times as long as one of them.",
        all / one
    ))
}

fn ours(bench: &Bench, server: &Server, count: u32, pack: Option<&str>) -> Contestant {
    let output = bench.output("check-report.json");
    let evidence = Bench::text(&server.evidence);
    let known = server.known.as_ref().map(|path| Bench::text(path));
    let mut rest = vec!["--format", "json"];
    if let Some(known) = &known {
        rest.extend(["--known", known]);
    }
    let pack = pack.map(|pack| Bench::text(&bench.root.join(pack)));
    if let Some(pack) = &pack {
        rest.extend(["--pack", pack]);
    }
    rest.push(&evidence);
    let step = allclear(bench, "check", count, &output, &rest);
    let (which, does) = match pack {
        Some(_) => ("one pack", "the whole job for one campaign"),
        None => (cores(count), "the whole job"),
    };
    let name = format!("allclear check, {which}");
    Contestant::ours(&name, does, count, vec![step])
}

fn csv_reader(bench: &Bench, evidence: &str) -> Contestant {
    let output = bench.output("check-csv");
    let step =
        Step::new(&PathBuf::from("python3"), &["-c", CSV_READER, evidence]).output(output.clone());
    let does = "HttpProxy rows by column, one condition";
    Contestant::peer("Python csv", does, 1, vec![step])
        .typed("python3 xtask/src/bench/peers/http_proxy_csv.py SERVER")
        .hits(move || matches::number(&output))
}

fn event_logs(bench: &mut Bench, server: &Server) -> Result<Contestant, String> {
    let tool = bench.tools.tool("evtx_dump")?;
    let logs = walk(&server.evidence).into_iter();
    let logs = logs.filter(|path| path.extension().is_some_and(|ending| ending == "evtx"));
    let steps = logs
        .map(|log| {
            Step::new(
                &tool.program,
                &["-t", "2", "-o", "jsonl", &Bench::text(&log)],
            )
        })
        .collect();
    Ok(
        Contestant::peer("evtx_dump", "event logs only, as JSON", 2, steps)
            .typed("for each event log: evtx_dump -t 2 -o jsonl FILE > /dev/null"),
    )
}
