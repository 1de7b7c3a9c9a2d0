//! Leads on simulated servers: what an intruder left ranks at the top, and servers that nobody broke into have few or
//! none. The table goes to `docs/leads-measured.md`.

mod support;

use expect_test::expect_file;
use model::report::{Lead, Report};
use range::{Collection, HostTruth, Layout, Options, Zip};
use std::fmt::Write as _;
use std::fs::File;
use std::io::BufWriter;
use tempfile::TempDir;

/// The first two scenarios are made with both, the others with one after the other: each server takes seconds.
const SEEDS: [u64; 2] = [5, 23];

/// The lead about what the intruder left must be among so many.
const RANK_MAX: usize = 3;

/// Leads that a server without an intruder may show: an administrator's own page looks like one.
const SHOWN_MAX: usize = 1;

/// Servers with something of the intruder's own among pages, in every form; half of them by no known name.
const ENTERED: [&str; 10] = [
    "proxylogon",
    "shell-form",
    "shell-base64",
    "shell-handler",
    "shell-reflection",
    "shell-upload",
    "shell-deleted",
    "compiled-only",
    "timestomped",
    "other-folder",
];

/// Servers that nobody broke into, among them those with pages of their own and those that scanners went over.
const LEFT_ALONE: [&str; 8] = [
    "clean",
    "clean-late",
    "cumulative-update",
    "probed",
    "vulnerability-scan",
    "custom-page",
    "custom-logon",
    "no-exchange",
];

fn checked(scenario: &str, seed: u64) -> (Report, HostTruth) {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("evidence.zip");
    let file = BufWriter::new(File::create(&path).expect("a new file"));
    let mut sink = Collection::new(Zip::new(file), Layout::Drives);
    let mut options = Options::new(scenario, seed);
    options.probe_minutes = 120;
    let made = range::make(&options, &mut sink).expect("the scenario can be made");
    drop(sink);
    let known = range::known_files_csv(&made.known_files);
    let report = support::report("proxylogon", &path, known.as_bytes(), &[], 2);
    (report, made.truth)
}

/// Scenarios with their seeds.
fn seeded<'a>(scenarios: &'a [&'a str]) -> impl Iterator<Item = (&'a str, u64)> {
    scenarios.iter().enumerate().flat_map(|(number, scenario)| {
        let seeds = if number < 2 {
            SEEDS.to_vec()
        } else {
            vec![SEEDS[number % 2]]
        };
        seeds.into_iter().map(|seed| (*scenario, seed))
    })
}

/// Whether a lead is about one of the pages that the intruder left or had compiled.
fn is_of(lead: &Lead, truth: &HostTruth) -> bool {
    let footholds = truth.campaigns.iter().flat_map(|one| &one.footholds);
    let mut pages = footholds.filter(|foothold| foothold.kind == "web_shell");
    pages.any(|page| {
        let file = lead.file.as_ref().unwrap_or(&lead.subject);
        model::same_path(file, &page.path)
    })
}

fn signals(lead: &Lead) -> String {
    let names: Vec<&str> = lead.signals.iter().map(|one| one.signal.as_str()).collect();
    names.join(", ")
}

#[test]
fn what_an_intruder_left_ranks_at_the_top_and_other_servers_show_few_leads() {
    let mut told = String::from(
        "# Leads, measured\n\n\
         How [leads](leads.md) do on simulated servers whose truth is known. Written by the test `leads` of the crate \
         `pipeline`\n(`UPDATE_EXPECT=1 cargo nextest run --workspace -E 'binary(leads)'`); do not edit.\n\n\
         ## Servers with a page of an intruder\n\n\
         *Rank* is the place of the first lead about a page that the intruder left or had compiled; *shown* counts the leads \
         at or above the score that is shown to people.\n\n\
         | scenario | seed | rank | score | shown | signs |\n| --- | ---: | ---: | ---: | ---: | --- |\n",
    );
    let mut faults = Vec::new();
    for (scenario, seed) in seeded(&ENTERED) {
        let (report, truth) = checked(scenario, seed);
        let leads = &report.hosts[0].leads;
        let found = leads.list.iter().position(|lead| is_of(lead, &truth));
        let lead = found.and_then(|rank| leads.list.get(rank));
        let shown = leads.shown().count();
        let (rank, score, signs) = match (found, lead) {
            (Some(rank), Some(lead)) => (
                (rank + 1).to_string(),
                lead.score.to_string(),
                signals(lead),
            ),
            _ => ("-".to_owned(), "-".to_owned(), String::new()),
        };
        writeln!(
            told,
            "| {scenario} | {seed} | {rank} | {score} | {shown} | {signs} |"
        )
        .expect("a string takes all");
        let is_shown = lead.is_some_and(|lead| lead.score >= leads.shown_score);
        if found.is_none_or(|rank| rank >= RANK_MAX) || !is_shown {
            faults.push(format!("{scenario} {seed}: {:#?}", leads.list));
        }
    }
    told.push_str(
        "\n## Servers that nobody broke into\n\n\
         *Kept* counts the leads below that score, which only the JSON report holds.\n\n\
         | scenario | seed | shown | kept | highest score | its subject and signs |\n| --- | ---: | ---: | ---: | ---: | --- |\n",
    );
    for (scenario, seed) in seeded(&LEFT_ALONE) {
        let (report, _) = checked(scenario, seed);
        let leads = &report.hosts[0].leads;
        let shown = leads.shown().count();
        let (score, first) = match leads.list.first() {
            Some(lead) => (
                lead.score.to_string(),
                format!("`{}`: {}", lead.subject, signals(lead)),
            ),
            None => ("-".to_owned(), String::new()),
        };
        let kept = leads.list.len() - shown;
        writeln!(
            told,
            "| {scenario} | {seed} | {shown} | {kept} | {score} | {first} |"
        )
        .expect("a string takes all");
        if shown > SHOWN_MAX {
            faults.push(format!("{scenario} {seed}: {:#?}", leads.list));
        }
    }
    expect_file!["../../../docs/leads-measured.md"].assert_eq(&told);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
