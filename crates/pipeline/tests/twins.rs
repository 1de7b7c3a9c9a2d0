//! The first law over every scenario: a server and its thinned twins, on which each need's evidence is withheld in turn,
//! whole and by a span that the seed draws. A twin is never assured beyond its truth, and no coverage rises.

mod support;

use model::Timestamp;
use model::report::{CampaignReport, NeedReport, Report, Statement, StatementOutcome};
use range::{
    CampaignNeeds, Collection, FleetTruth, Layout, Options, SCHEMA, Source, Withheld, Zip,
    make_host,
};
use std::fs::File;
use std::io::BufWriter;
use tempfile::TempDir;

const HOUR: i64 = 3_600;

/// Twins of one scenario: what each lacks. Sources that may stand in for one another are withheld together.
fn thinned(number: u64, needs: &CampaignNeeds) -> Vec<Vec<Withheld>> {
    let whole = |sources: &Vec<Source>| sources.iter().copied().map(Withheld::whole).collect();
    let mut twins: Vec<Vec<Withheld>> = vec![Vec::new()];
    twins.extend(needs.logs.iter().chain(&needs.files).map(whole));
    // The logs in turn, each on every fourth scenario, as spans can be taken only from them: half a day to three days,
    // anywhere in the first three quarters of the time, before the first patches.
    let begin = needs.window_from.max(needs.simulated.0).as_second() + 24 * HOUR;
    let hours = (needs.simulated.1.as_second() - begin) * 3 / 4 / HOUR;
    let draw = i64::try_from(number).expect("few scenarios") * 7_919;
    let turn = usize::try_from(number / 4).expect("few scenarios") % needs.logs.len();
    let sources = &needs.logs[turn];
    let from = begin + draw.rem_euclid(hours) * HOUR;
    let until = from + (12 + draw.rem_euclid(61)) * HOUR;
    let at = |second| Timestamp::from_second(second).expect("a time of the campaign");
    let span = |source: &Source| Withheld::span(*source, at(from), at(until));
    twins.push(sources.iter().map(span).collect());
    twins
}

/// One scenario with all its twins, each as a host of its own, checked in one run.
fn hold(number: u64, scenario: &str) {
    let pack = range::about(scenario).expect("a scenario").campaign;
    let needs = range::needs(&pack).expect("a campaign");
    let folder = TempDir::new().expect("a temporary folder");
    let mut truth = FleetTruth {
        schema: SCHEMA.to_owned(),
        seed: number,
        organisations: Vec::new(),
        hosts: Vec::new(),
    };
    let (mut known, mut attestations) = (Vec::new(), Vec::new());
    for (twin, withheld) in thinned(number, &needs).into_iter().enumerate() {
        let options = Options {
            host: Some(format!("TWIN-{twin:02}")),
            probe_minutes: 240,
            withhold: withheld,
            ..Options::new(scenario, 500 + number)
        };
        let made = make_host(&options, &mut |collected| {
            let name = format!("{}-{}.zip", collected.host, collected.number);
            let file = BufWriter::new(File::create(folder.path().join(name))?);
            Ok(Box::new(Collection::new(Zip::new(file), Layout::Drives)))
        })
        .unwrap_or_else(|error| panic!("{scenario}: {error}"));
        known = made.known_files;
        attestations.extend(made.attestations);
        truth.hosts.push(made.truth);
    }
    let known = range::known_files_csv(&known);
    let report = support::report(&pack, folder.path(), known.as_bytes(), &attestations, 1);
    let score = range::score::score(&report, &truth);
    assert!(
        score.hosts.missing.is_empty(),
        "{scenario}: {:?}",
        score.hosts
    );
    assert!(
        score.grave_errors.is_empty(),
        "{scenario}: {:#?}",
        score.grave_errors
    );
    let whole = campaign(&report, "TWIN-00");
    for (twin, withheld) in thinned(number, &needs).iter().enumerate().skip(1) {
        let name = format!("TWIN-{twin:02}");
        let thinned = campaign(&report, &name);
        for need in &thinned.coverage.needs {
            let whole = whole
                .coverage
                .needs
                .iter()
                .find(|known| known.need == need.need)
                .expect("the same pack has the same needs");
            assert!(
                saw_no_more(need, whole),
                "{scenario}: {} rises without {withheld:?}: {} s of it unseen before, {} s after; {:?} and {:?}",
                need.need,
                whole.unseen_seconds.unwrap_or_default(),
                need.unseen_seconds.unwrap_or_default(),
                whole.seen,
                need.seen,
            );
        }
        for statement in &thinned.statements.statements {
            // Whatever is withheld, no statement is supported by it.
            let supported = |one: &Statement| {
                one.id == statement.id && one.outcome == StatementOutcome::Supported
            };
            assert!(
                !supported(statement) || whole.statements.statements.iter().any(supported),
                "{scenario}: `{}` is supported without {withheld:?}",
                statement.statement
            );
        }
        if thinned.verdict.assures() {
            // Only where nothing that counts was taken away; the truth, which has no grave error above, says so.
            assert_eq!(
                thinned.verdict, whole.verdict,
                "{scenario} without {withheld:?}"
            );
        }
    }
}

/// A need over time lacks no less time than before, one at the collection shows no larger share. The share of the time is
/// not compared: without what dated the patch, the time itself grows.
fn saw_no_more(need: &NeedReport, whole: &NeedReport) -> bool {
    match (need.unseen_seconds, whole.unseen_seconds) {
        (Some(unseen), Some(before)) => unseen >= before,
        _ => need.seen <= whole.seen,
    }
}

fn campaign<'a>(report: &'a Report, host: &str) -> &'a CampaignReport {
    let host = report.hosts.iter().find(|known| known.host == host);
    host.expect("every twin has an entry")
        .campaigns
        .first()
        .expect("one pack was used")
}

/// Every eighth scenario from `first` on, so that several processes share the work.
fn hold_every_eighth(first: usize) {
    for (number, scenario) in range::scenarios()
        .into_iter()
        .enumerate()
        .skip(first)
        .step_by(8)
    {
        hold(number as u64, scenario);
    }
}

#[test]
fn no_scenario_says_more_with_less_evidence_1() {
    hold_every_eighth(0);
}

#[test]
fn no_scenario_says_more_with_less_evidence_2() {
    hold_every_eighth(4);
}

#[test]
#[ignore = "three quarters of the scenarios take longer than all other tests; run with --run-ignored"]
fn no_other_scenario_says_more_with_less_evidence() {
    for first in [1, 2, 3, 5, 6, 7] {
        hold_every_eighth(first);
    }
}
