//! A case of web server logs, beside DuckDB and SQLite's full-text search: bringing the logs in, and one question.

use super::{CORES, Judged, Prepared, Workload, allclear, cores, join};
use crate::bench::contestant::Contestant;
use crate::bench::loads::text::{Kind, TextLoad, for_each_row, text};
use crate::bench::loads::{Bench, grouped, made, size_of};
use crate::bench::matches;
use crate::bench::measure::{Step, measure};
use crate::bench::results::Table;
use std::path::{Path, PathBuf};

const DUCKDB: &str = include_str!("../peers/duckdb_logs.py");
const SQLITE: &str = include_str!("../peers/sqlite_fts.py");

pub(in crate::bench) const INGEST: Workload = Workload {
    name: "ingest",
    title: "IIS logs into something that can be asked",
    about: "`allclear check --case` reads the logs, looks for everything that the packs know, judges the host and keeps every event. \
            DuckDB writes the rows as Parquet, with the columns as texts. SQLite takes the lines into a full-text index \
            (FTS5) with its journal switched off; neither of them looks for anything. Writing to the disk is part of it.",
    prepare: prepare_ingest,
};

pub(in crate::bench) const ASK: Workload = Workload {
    name: "question",
    title: "Which requests came from this address",
    about: "One question over what the workload before makes: how many requests one address sent. Each contestant is started \
            anew, so its start counts. DuckDB answers from the raw logs, as responders use it, from its own Parquet, and \
            from the Parquet files of our case as they are. SQLite finds the address anywhere in the line.",
    prepare: prepare_question,
};

/// What the contestants make, and are asked about.
struct Places {
    load: TextLoad,
    case: PathBuf,
    parquet: PathBuf,
    index: PathBuf,
}

fn places(bench: &Bench) -> Result<Places, String> {
    Ok(Places {
        load: text(bench, Kind::Iis)?,
        case: bench.load("questions-case"),
        parquet: bench.load("questions-parquet"),
        index: bench.load("questions-index"),
    })
}

fn told(load: &TextLoad) -> String {
    format!(
        "{:.1} MB of IIS logs ({} files, {} lines)",
        load.bytes as f64 / 1e6,
        grouped(load.files.len() as u64),
        grouped(load.lines)
    )
}

/// Removes what the round before made.
fn without(folder: &Path) -> Step {
    Step::new(Path::new("rm"), &["-rf", &Bench::text(folder)])
}

fn check(bench: &Bench, places: &Places, case: &Path, count: u32) -> Vec<Step> {
    let output = bench.output("ingest-report.json");
    let (case_text, logs) = (Bench::text(case), Bench::text(&places.load.folder));
    let rest = ["--format", "json", "--case", &case_text, &logs];
    vec![
        without(case),
        allclear(bench, "check", count, &output, &rest),
    ]
}

fn duckdb(bench: &mut Bench, arguments: &[&str], output: &Path) -> Result<Step, String> {
    let python = bench.tools.tool("duckdb")?;
    let arguments = [&["-c", DUCKDB], arguments].concat();
    Ok(Step::new(&python.program, &arguments).output(output.to_owned()))
}

fn sqlite(arguments: &[&str], output: &Path) -> Step {
    let arguments = [&["-c", SQLITE], arguments].concat();
    Step::new(Path::new("python3"), &arguments).output(output.to_owned())
}

fn prepare_ingest(bench: &mut Bench) -> Result<Prepared, String> {
    let places = places(bench)?;
    let logs = Bench::text(&places.load.folder);
    let (case, parquet, index) = (
        bench.output("ingest-case"),
        bench.output("ingest-parquet"),
        bench.output("ingest-index"),
    );
    let (mut contestants, mut absent) = (Vec::new(), Vec::new());
    for count in CORES {
        let name = format!("allclear check --case, {}", cores(count));
        let steps = check(bench, &places, &case, count);
        contestants.push(Contestant::ours(
            &name,
            "the whole job, every event kept",
            count,
            steps,
        ));
        let name = format!("DuckDB, {}", cores(count));
        let output = bench.output("ingest-duckdb");
        let (folder, threads) = (Bench::text(&parquet), count.to_string());
        let step = duckdb(bench, &["make", &logs, &folder, &threads], &output);
        let found = step.map(|step| {
            let typed =
                format!("python xtask/src/bench/peers/duckdb_logs.py make LOGS PARQUET {threads}");
            Contestant::peer(
                &name,
                "rows as Parquet",
                count,
                vec![without(&parquet), step],
            )
            .typed(&typed)
            .hits(move || matches::number(&output))
        });
        join(found, &name, &mut contestants, &mut absent);
    }
    let output = bench.output("ingest-sqlite");
    let step = sqlite(&["make", &logs, &Bench::text(&index)], &output);
    contestants.push(
        Contestant::peer("SQLite FTS5", "lines in a full-text index", 1, vec![step])
            .typed("python3 xtask/src/bench/peers/sqlite_fts.py make LOGS DATABASE")
            .hits(move || matches::number(&output)),
    );
    let bytes = places.load.bytes;
    Ok(Prepared {
        load: told(&places.load),
        bytes,
        contestants,
        absent,
        judge: Box::new(move |_rows| Judged {
            tables: vec![sizes(bytes, &case, &parquet, &index)],
            ..Judged::default()
        }),
    })
}

/// How much room each takes.
fn sizes(bytes: u64, case: &Path, parquet: &Path, index: &Path) -> Table {
    let size = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
    let rows = [
        ("a case, whole", size_of(case)),
        ("of that, events", size_of(&case.join("objects/events"))),
        ("DuckDB's Parquet", size_of(parquet)),
        ("SQLite's index", size(index)),
    ];
    Table {
        title: "Room on the disk".to_owned(),
        head: ["What", "MB", "MB for each GB of logs"]
            .map(str::to_owned)
            .to_vec(),
        rows: rows
            .iter()
            .map(|(what, room)| {
                let room = *room as f64;
                let share = room / bytes as f64 * 1e3;
                vec![
                    (*what).to_owned(),
                    format!("{:.1}", room / 1e6),
                    format!("{share:.0}"),
                ]
            })
            .collect(),
    }
}

fn prepare_question(bench: &mut Bench) -> Result<Prepared, String> {
    let places = places(bench)?;
    let logs = Bench::text(&places.load.folder);
    let address = address(&places.load)?;
    let stamp = format!("{} {}", places.load.bytes, places.load.lines);
    let errors = bench.output("question-errors");
    let run = |steps: &[Step]| measure(steps, 2, &errors).map(|_cost| String::new());

    // What is asked is made once, and not measured here.
    let steps = check(bench, &places, &places.case, 2);
    made(&places.case, &format!("case 1 {stamp}"), |_folder| {
        run(&steps)
    })?;
    let index = places.index.join("lines.sqlite");
    let step = sqlite(
        &["make", &logs, &Bench::text(&index)],
        &bench.output("question-made"),
    );
    made(&places.index, &stamp, |_folder| run(&[step]))?;
    let (mut contestants, mut absent) = (Vec::new(), Vec::new());
    let parquet = Bench::text(&places.parquet);
    let made_by = duckdb(
        bench,
        &["make", &logs, &parquet, "2"],
        &bench.output("question-made"),
    );
    let parquet_there =
        made_by.and_then(|step| made(&places.parquet, &stamp, |_folder| run(&[step])));

    let case = Bench::text(&places.case);
    for count in CORES {
        let question =
            format!("SELECT count(*) AS requests FROM events WHERE src_ip = '{address}'");
        let output = bench.output("question-allclear");
        let arguments = ["sql", &case, &question, "--format", "csv"];
        let step = Step::new(&bench.program, &arguments).output(output.clone());
        let name = format!("allclear sql, {}", cores(count));
        contestants.push(
            Contestant::ours(&name, "from the case", count, vec![step])
                .hits(move || matches::number(&output)),
        );
        let threads = count.to_string();
        let events = format!("{case}/objects/events");
        let sources = [
            ("raw logs", &logs, "c-ip"),
            ("its Parquet", &parquet, "c-ip"),
            ("our Parquet", &events, "src_ip"),
        ];
        for (from, folder, column) in sources {
            let name = format!("DuckDB, {from}, {}", cores(count));
            let output = bench.output("question-duckdb");
            let step = parquet_there.clone().and_then(|_said| {
                duckdb(bench, &["ask", folder, column, &address, &threads], &output)
            });
            let found = step.map(|step| {
                let typed = format!("python xtask/src/bench/peers/duckdb_logs.py ask FOLDER {column} {address} {threads}");
                Contestant::peer(&name, &format!("from {from}"), count, vec![step])
                    .typed(&typed)
                    .hits(move || matches::number(&output))
            });
            join(found, &name, &mut contestants, &mut absent);
        }
    }
    let output = bench.output("question-sqlite");
    let step = sqlite(&["ask", &Bench::text(&index), &address], &output);
    contestants.push(
        Contestant::peer("SQLite FTS5", "from its index", 1, vec![step])
            .typed(&format!(
                "python3 xtask/src/bench/peers/sqlite_fts.py ask DATABASE {address}"
            ))
            .hits(move || matches::number(&output)),
    );
    Ok(Prepared {
        load: format!("{}; asked for {address}", told(&places.load)),
        bytes: places.load.bytes,
        contestants,
        absent,
        judge: Box::new(|_rows| Judged::default()),
    })
}

/// The client of the first request of the last log: one of many.
fn address(load: &TextLoad) -> Result<String, String> {
    let mut found = None;
    if let Some(log) = load.files.last() {
        for_each_row(Kind::Iis, log, &mut |cell| {
            if found.is_none() {
                found = cell("c-ip");
            }
        });
    }
    found.ok_or_else(|| "the logs have no client".to_owned())
}
