//! Web server logs against packs, web rules and ten thousand indicators.

use super::{CORES, Judged, Prepared, TWO_CORES_TIMES, Workload, allclear, cores, join, packs};
use crate::bench::contestant::Contestant;
use crate::bench::loads::indicators::{Indicators, indicators};
use crate::bench::loads::rules::sigma;
use crate::bench::loads::text::{Kind, TextLoad, text};
use crate::bench::loads::{Bench, grouped};
use crate::bench::matches;
use crate::bench::measure::Step;

const DUCKDB: &str = include_str!("../peers/duckdb_indicators.py");

const ABOUT: &str = "Allclear runs the packs' rules, SigmaHQ's rules for web servers and proxies, and 10,000 typed indicators: \
    5,000 addresses, 2,500 paths, 1,500 file hashes and 1,000 user agents, a few of them rare values of the logs. ripgrep counts \
    the lines that hold any of the same 10,000 literals, wherever in the line, and knows no rules. DuckDB reads the logs as \
    CSV and counts the rows whose address, path or agent is one of the indicators; it runs no rules either, and \
    reads a log by its first head: rows under a later head with other columns are lost to it. HttpProxy logs are many small \
    files, one for each protocol and hour, as servers write them.";

pub(in crate::bench) const IIS: Workload = Workload {
    name: "iis",
    title: "IIS logs against rules and 10,000 indicators",
    about: ABOUT,
    prepare: |bench| prepare(bench, Kind::Iis),
};

pub(in crate::bench) const HTTP_PROXY: Workload = Workload {
    name: "httpproxy",
    title: "HttpProxy logs against rules and 10,000 indicators",
    about: ABOUT,
    prepare: |bench| prepare(bench, Kind::HttpProxy),
};

fn prepare(bench: &mut Bench, kind: Kind) -> Result<Prepared, String> {
    let load = text(bench, kind)?;
    let list = indicators(bench, kind, &load)?;
    let (mut contestants, mut absent) = (Vec::new(), Vec::new());
    let web = sigma(bench).map(|rules| rules.web);
    let mut told_rules = String::new();
    for count in CORES {
        let mut arguments = packs(bench);
        match &web {
            Ok(web) => {
                arguments.extend(["--rules".to_owned(), Bench::text(&web.folder)]);
                told_rules = format!("; {} web rule files", web.count);
            }
            Err(reason) if count == 1 => absent.push(format!("SigmaHQ's web rules: {reason}")),
            Err(_) => {}
        }
        contestants.push(ours(bench, kind, &load, &list, &arguments, count));
        let name = format!("ripgrep, {}", cores(count));
        let found = ripgrep(bench, kind, &load, &list, count, &name);
        join(found, &name, &mut contestants, &mut absent);
        let name = format!("DuckDB, {}", cores(count));
        let found = duckdb(bench, kind, &load, &list, count, &name);
        join(found, &name, &mut contestants, &mut absent);
    }
    let (output, table) = (output(bench, kind, "allclear", 2), list.table.clone());
    Ok(Prepared {
        load: format!(
            "{:.1} MB of {} logs ({} files, {} lines){told_rules}; {} indicators",
            load.bytes as f64 / 1e6,
            kind.name(),
            grouped(load.files.len() as u64),
            grouped(load.lines),
            grouped(list.count)
        ),
        bytes: load.bytes,
        contestants,
        absent,
        judge: Box::new(move |rows| {
            let (ours, ours_1) = ("allclear hunt, 2 cores", "allclear hunt, 1 core");
            let goals = [
                rows.within(
                    ours,
                    "ripgrep, 2 cores",
                    1.0,
                    "no slower than ripgrep, two cores each",
                ),
                rows.faster(
                    ours,
                    "DuckDB, 2 cores",
                    20.0,
                    "20 times DuckDB, two cores each",
                ),
                rows.faster(
                    ours,
                    ours_1,
                    TWO_CORES_TIMES,
                    "two cores at least 1.8 times one",
                ),
            ];
            let seen = matches::records_with(&output, &matches::indicator_ids(&table));
            let counted = rows.named("DuckDB, 2 cores").and_then(|row| row.hits);
            let note = seen.zip(counted).map(|(seen, counted)| {
                format!(
                    "Records with an indicator: {} by Allclear, {} by DuckDB.",
                    grouped(seen),
                    grouped(counted)
                )
            });
            Judged {
                goals: goals.into_iter().flatten().collect(),
                notes: note.into_iter().collect(),
                ..Judged::default()
            }
        }),
    })
}

fn output(bench: &Bench, kind: Kind, who: &str, count: u32) -> std::path::PathBuf {
    bench.output(&format!("{}-{who}-{count}", kind.name()))
}

fn ours(
    bench: &Bench,
    kind: Kind,
    load: &TextLoad,
    list: &Indicators,
    knowledge: &[String],
    count: u32,
) -> Contestant {
    let output = output(bench, kind, "allclear", count);
    let (table, folder) = (Bench::text(&list.table), Bench::text(&load.folder));
    let mut rest: Vec<&str> = knowledge.iter().map(String::as_str).collect();
    rest.extend(["--indicators", &table, "--format", "ndjson", &folder]);
    let step = allclear(bench, "hunt", count, &output, &rest);
    let name = format!("allclear hunt, {}", cores(count));
    Contestant::ours(&name, "rules and indicators, by column", count, vec![step])
        .hits(move || matches::lines(&output))
}

fn ripgrep(
    bench: &mut Bench,
    kind: Kind,
    load: &TextLoad,
    list: &Indicators,
    count: u32,
    name: &str,
) -> Result<Contestant, String> {
    let tool = bench.tools.tool("ripgrep")?;
    let output = output(bench, kind, "ripgrep", count);
    let (literals, folder) = (Bench::text(&list.literals), Bench::text(&load.folder));
    let threads = count.to_string();
    let arguments = [
        "--no-config",
        "-uuu",
        "-a",
        "-j",
        &threads,
        "-c",
        "-F",
        "-f",
        &literals,
        &folder,
    ];
    let step = Step::new(&tool.program, &arguments)
        .good(&[0, 1])
        .output(output.clone());
    let does = "literals anywhere in the line";
    Ok(Contestant::peer(name, does, count, vec![step])
        .hits(move || matches::counts_at_ends(&output)))
}

fn duckdb(
    bench: &mut Bench,
    kind: Kind,
    load: &TextLoad,
    list: &Indicators,
    count: u32,
    name: &str,
) -> Result<Contestant, String> {
    let python = bench.tools.tool("duckdb")?;
    let output = output(bench, kind, "duckdb", count);
    let (table, folder) = (Bench::text(&list.table), Bench::text(&load.folder));
    let (threads, separator) = (count.to_string(), kind.separator().to_string());
    let mut arguments = vec!["-c", DUCKDB, &folder, &table, &threads, &separator];
    arguments.extend(kind.columns());
    let step = Step::new(&python.program, &arguments).output(output.clone());
    let does = "indicators by column";
    let typed = format!(
        "python xtask/src/bench/peers/duckdb_indicators.py LOGS indicators.csv {threads} '{separator}' {}",
        kind.columns().map(|column| format!("'{column}'")).join(" ")
    );
    Ok(Contestant::peer(name, does, count, vec![step])
        .typed(&typed)
        .hits(move || matches::number(&output)))
}
