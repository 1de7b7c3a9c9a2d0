//! How long rules take to load: a start with hardly anything to read.

use super::{Judged, Prepared, Workload, allclear, join};
use crate::bench::contestant::Contestant;
use crate::bench::loads::rules::{RuleFolder, sigma};
use crate::bench::loads::{Bench, write};
use crate::bench::measure::Step;
use crate::bench::plot::told_seconds;
use crate::bench::results::{Goal, Rows};
use std::path::{Path, PathBuf};

pub(in crate::bench) const WORKLOAD: Workload = Workload {
    name: "start",
    title: "Loading all of SigmaHQ's rules",
    about: "A whole start, from the first instruction to the end, with two lines of a log to read. The first round is the cold \
            start, where a tool keeps something for the next. Hayabusa loads its own conversion of the rules.",
    prepare,
};

const ALL_RULES: &str = "allclear hunt, all rules";
const ONE_RULE: &str = "allclear hunt, one rule";

/// What loading may take.
const SECONDS_MAX: f64 = 0.15;

const LOG: &str = "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n#Date: 2021-03-02 00:00:00\n\
                   #Fields: date time s-ip cs-method cs-uri-stem c-ip sc-status\n\
                   2021-03-02 00:00:01 192.0.2.1 GET /owa/ 192.0.2.7 200\n\
                   2021-03-02 00:00:02 192.0.2.1 GET /owa/auth/logon.aspx 192.0.2.7 200\n";

const RULE: &str = "title: One\nid: 0b8c3a0e-77e1-4a4e-8a2b-5f0f3c1f9d21\nstatus: test\nlogsource:\n  category: webserver\n\
                    detection:\n  selection:\n    cs-uri-stem|endswith: /nothing-of-this-name.aspx\n  condition: selection\n";

fn prepare(bench: &mut Bench) -> Result<Prepared, String> {
    let rules = sigma(bench)?.all;
    let folder = bench.folder.join("loads/start");
    let (log, one) = (
        folder.join("HOST/C/inetpub/logs/LogFiles/W3SVC1/u_ex210302.log"),
        folder.join("one.yml"),
    );
    write(&log, LOG.as_bytes())?;
    write(&one, RULE.as_bytes())?;
    let mut contestants = vec![
        ours(bench, ALL_RULES, &rules.folder, &folder.join("HOST")).rules(rules.count),
        ours(bench, ONE_RULE, &one, &folder.join("HOST")).rules(1),
    ];
    let mut absent = Vec::new();
    join(
        rsigma(bench, &rules),
        "rsigma",
        &mut contestants,
        &mut absent,
    );
    join(
        hayabusa(bench, &folder),
        "Hayabusa",
        &mut contestants,
        &mut absent,
    );
    Ok(Prepared {
        load: format!(
            "{} rule files, and a log of two lines",
            crate::bench::loads::grouped(rules.count)
        ),
        bytes: LOG.len() as u64,
        contestants,
        absent,
        judge: Box::new(judge),
    })
}

fn judge(rows: &Rows<'_>) -> Judged {
    let (Some(all), Some(one)) = (rows.named(ALL_RULES), rows.named(ONE_RULE)) else {
        return Judged::default();
    };
    let loading = (all.cost.wall_seconds - one.cost.wall_seconds).max(0.0);
    let cold = (all.first_seconds - one.cost.wall_seconds).max(0.0);
    Judged {
        goals: vec![Goal {
            what: "all rules loaded in under 150 ms, or so at a second start".to_owned(),
            measured: format!(
                "{} s more than one rule ({} s at the first start)",
                told_seconds(loading),
                told_seconds(cold)
            ),
            holds: loading < SECONDS_MAX,
        }],
        ..Judged::default()
    }
}

fn ours(bench: &Bench, name: &str, rules: &Path, evidence: &Path) -> Contestant {
    let output = bench.output("start.ndjson");
    let (rules, evidence) = (Bench::text(rules), Bench::text(evidence));
    let rest = ["--rules", &rules, "--format", "ndjson", &evidence];
    let step = allclear(bench, "hunt", 1, &output, &rest);
    Contestant::ours(name, "loads rules, reads two lines", 1, vec![step])
}

fn rsigma(bench: &mut Bench, rules: &RuleFolder) -> Result<Contestant, String> {
    let tool = bench.tools.tool("rsigma")?;
    let folder = Bench::text(&rules.folder);
    let step = Step::new(
        &tool.program,
        &["engine", "eval", "-r", &folder, "-e", "{\"EventID\":1}"],
    );
    Ok(
        Contestant::peer("rsigma", "loads rules, reads one event", 1, vec![step])
            .rules(rules.count),
    )
}

fn hayabusa(bench: &mut Bench, folder: &Path) -> Result<Contestant, String> {
    let tool = bench.tools.tool("hayabusa")?;
    let home = tool.program.parent().map(PathBuf::from).unwrap_or_default();
    let log = folder.join("empty.evtx");
    write(&log, &[])?;
    let (log, out) = (
        Bench::text(&log),
        Bench::text(&bench.output("start-hayabusa.csv")),
    );
    let arguments = [
        "dfir-timeline",
        "-f",
        &log,
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
    let step = Step::new(&tool.program, &arguments)
        .folder(&home)
        .good(&[0, 1]);
    Ok(Contestant::peer(
        "Hayabusa",
        "loads its rules, reads an empty log",
        2,
        vec![step],
    ))
}
