//! A web root against YARA rules.

use super::{CORES, Judged, Prepared, TWO_CORES_TIMES, Workload, allclear, cores, join};
use crate::bench::contestant::Contestant;
use crate::bench::loads::rules::{YaraRules, yara};
use crate::bench::loads::web_root::{WebRoot, web_root};
use crate::bench::loads::{Bench, grouped};
use crate::bench::matches;
use crate::bench::measure::Step;
use std::collections::BTreeSet;

const WHEEL: &str = include_str!("../peers/yara_x_scan.py");

pub(in crate::bench) const WORKLOAD: Workload = Workload {
    name: "yara",
    title: "A web root against YARA rules",
    about: "All run the same rules: the packs', and 500 made ones. `allclear hunt` also hashes each file and reads what it says of its \
            host; `allclear check` looks at it for web shells besides, and joins what it saw to a verdict. All compile the rules first, \
            which is part of the time.",
    prepare,
};

fn prepare(bench: &mut Bench) -> Result<Prepared, String> {
    let rules = yara(bench)?;
    let root = web_root(bench)?;
    let (mut contestants, mut absent) = (Vec::new(), Vec::new());
    for count in CORES {
        contestants.push(hunt(bench, &rules, &root, count));
        contestants.push(check(bench, &rules, &root, count));
        let name = format!("YARA-X wheel, {}", cores(count));
        let found = yara_x_wheel(bench, &rules, &root, count, &name);
        join(found, &name, &mut contestants, &mut absent);
        let name = format!("YARA-X, {}", cores(count));
        let found = yara_x(bench, &rules, &root, count, &name);
        join(found, &name, &mut contestants, &mut absent);
        let name = format!("YARA, {}", cores(count));
        let found = yara_of_old(bench, &rules, &root, count, &name);
        join(found, &name, &mut contestants, &mut absent);
    }
    Ok(Prepared {
        load: format!(
            "{:.1} MB of a made web root ({} files, of which {} hold what a rule looks for); {} rules",
            root.bytes as f64 / 1e6,
            grouped(root.files),
            grouped(root.marked),
            grouped(rules.names.len() as u64)
        ),
        bytes: root.bytes,
        contestants,
        absent,
        judge: Box::new(|rows| {
            let ours = ["allclear hunt, 1 core", "allclear hunt, 2 cores"];
            let goals = [
                rows.within(
                    ours[0],
                    "YARA-X wheel, 1 core",
                    1.1,
                    "within 1.1 times of YARA-X as Python calls it, one core each",
                ),
                rows.within(
                    ours[1],
                    "YARA-X wheel, 2 cores",
                    1.1,
                    "within 1.1 times of YARA-X as Python calls it, two cores each",
                ),
                rows.within(
                    ours[0],
                    "YARA-X, 1 core",
                    1.1,
                    "within 1.1 times of YARA-X's own scanner, one core each",
                ),
                rows.within(
                    ours[1],
                    "YARA-X, 2 cores",
                    1.1,
                    "within 1.1 times of YARA-X's own scanner, two cores each",
                ),
                rows.faster(
                    ours[1],
                    ours[0],
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

fn names(rules: &YaraRules) -> BTreeSet<String> {
    rules.names.iter().cloned().collect()
}

fn hunt(bench: &Bench, rules: &YaraRules, root: &WebRoot, count: u32) -> Contestant {
    let output = bench.output(&format!("yara-hunt-{count}.ndjson"));
    let (all, folder) = (Bench::text(&rules.file), Bench::text(&root.folder));
    let rest = ["--yara", &all, "--format", "ndjson", &folder];
    let step = allclear(bench, "hunt", count, &output, &rest);
    let name = format!("allclear hunt, {}", cores(count));
    Contestant::ours(&name, "scans and hashes", count, vec![step])
        .rules(rules.names.len() as u64)
        .hits(move || matches::lines(&output))
}

fn check(bench: &Bench, rules: &YaraRules, root: &WebRoot, count: u32) -> Contestant {
    let output = bench.output(&format!("yara-allclear-{count}.ndjson"));
    let (more, folder) = (Bench::text(&rules.without_packs), Bench::text(&root.folder));
    let rest = ["--yara", &more, "--format", "ndjson", &folder];
    let step = allclear(bench, "check", count, &output, &rest);
    let names = names(rules);
    let name = format!("allclear check, {}", cores(count));
    Contestant::ours(&name, "the whole job", count, vec![step])
        .rules(rules.names.len() as u64)
        .hits(move || matches::findings(&output, &names))
}

fn yara_x(
    bench: &mut Bench,
    rules: &YaraRules,
    root: &WebRoot,
    count: u32,
    name: &str,
) -> Result<Contestant, String> {
    let tool = bench.tools.tool("yr")?;
    let output = bench.output(&format!("yara-x-{count}"));
    let (file, folder, threads) = (
        Bench::text(&rules.file),
        Bench::text(&root.folder),
        count.to_string(),
    );
    let arguments = [
        "scan",
        "--recursive",
        "--threads",
        &threads,
        "--disable-warnings",
        &file,
        &folder,
    ];
    let step = Step::new(&tool.program, &arguments).output(output.clone());
    let names = names(rules);
    Ok(Contestant::peer(name, "scans", count, vec![step])
        .rules(rules.names.len() as u64)
        .hits(move || matches::yara_lines(&output, &names)))
}

/// The same engine from PyPI, already built; a few lines of Python hand it the files.
fn yara_x_wheel(
    bench: &mut Bench,
    rules: &YaraRules,
    root: &WebRoot,
    count: u32,
    name: &str,
) -> Result<Contestant, String> {
    let python = bench.tools.tool("yara-x")?;
    let output = bench.output(&format!("yara-x-wheel-{count}"));
    let (file, folder) = (Bench::text(&rules.file), Bench::text(&root.folder));
    let threads = count.to_string();
    let arguments = ["-c", WHEEL, &file, &folder, &threads];
    let step = Step::new(&python.program, &arguments).output(output.clone());
    let names = names(rules);
    let typed = format!("python xtask/src/bench/peers/yara_x_scan.py RULES WEB_ROOT {count}");
    Ok(Contestant::peer(name, "scans", count, vec![step])
        .typed(&typed)
        .rules(rules.names.len() as u64)
        .hits(move || matches::yara_lines(&output, &names)))
}

fn yara_of_old(
    bench: &mut Bench,
    rules: &YaraRules,
    root: &WebRoot,
    count: u32,
    name: &str,
) -> Result<Contestant, String> {
    let tool = bench.tools.tool("yara")?;
    let output = bench.output(&format!("yara-{count}"));
    let (file, folder, threads) = (
        Bench::text(&rules.file),
        Bench::text(&root.folder),
        count.to_string(),
    );
    let step = Step::new(&tool.program, &["-r", "-w", "-p", &threads, &file, &folder])
        .output(output.clone());
    let names = names(rules);
    Ok(Contestant::peer(name, "scans", count, vec![step])
        .rules(rules.names.len() as u64)
        .hits(move || matches::yara_lines(&output, &names)))
}
