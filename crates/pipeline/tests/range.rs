//! Whole simulated servers: the verdict is the truth, less evidence never assures more, and neither the container nor
//! the number of workers changes a byte.

mod support;

use model::report::{
    CampaignReport, ExposureState, PersistenceEntry, Report, StatementOutcome, VerdictName,
};
use model::{FootholdState, PersistenceKind, Stage, Timestamp};
use proptest::prelude::ProptestConfig;
use proptest::prop_assert;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use range::{CampaignTruth, Collection, HostTruth, Layout, Options, Source, Withheld, Zip};
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use tempfile::TempDir;

/// A server that was made and checked.
struct Checked {
    report: Report,
    truth: HostTruth,
}

impl Checked {
    fn campaign(&self) -> &CampaignReport {
        let host = self.report.hosts.first().expect("one host was made");
        host.campaigns.first().expect("one pack was used")
    }

    fn campaign_truth(&self) -> &CampaignTruth {
        let campaigns = &self.truth.campaigns;
        campaigns.first().expect("a scenario has a campaign")
    }
}

fn options(scenario: &str, seed: u64) -> Options {
    Options::new(scenario, seed)
}

/// Makes a server as one zip archive and checks it in this process.
fn check(options: &Options, layout: Layout, workers: u64) -> Checked {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("evidence.zip");
    let file = BufWriter::new(File::create(&path).expect("a new file"));
    let mut sink = Collection::new(Zip::new(file), layout);
    let made = range::make(options, &mut sink).expect("the scenario can be made");
    drop(sink);
    let known = range::known_files_csv(&made.known_files);
    Checked {
        report: report(&path, known.as_bytes(), workers),
        truth: made.truth,
    }
}

fn report(path: &Path, known: &[u8], workers: u64) -> Report {
    let mut report = support::report("proxylogon", path, known, &[], workers);
    // The temporary folder's name differs from run to run.
    for collection in report
        .hosts
        .iter_mut()
        .flat_map(|host| &mut host.collections)
    {
        "evidence.zip".clone_into(&mut collection.path);
    }
    report
}

fn without(scenario: &str, seed: u64, withheld: Vec<Withheld>) -> Checked {
    let mut options = options(scenario, seed);
    options.withhold = withheld;
    check(&options, Layout::Drives, 2)
}

/// Every scenario's verdict, stages and footholds are what happened.
#[test]
fn every_scenario_is_judged_as_it_was() {
    // One of each kind; the fleet's score tells of all of them.
    let scenarios = [
        "clean",
        "probed",
        "proxylogon",
        "shell-deleted",
        "av-removed",
        "logs-missing",
        "mail-theft",
        "no-exchange",
        "cumulative-update",
        "shell-reflection",
        "gone-without-trace",
        "two-actors",
    ];
    for (number, scenario) in scenarios.into_iter().enumerate() {
        let seed = 40 + number as u64;
        let checked = check(&options(scenario, seed), Layout::Drives, 2);
        let campaign = checked.campaign();
        let truth = checked.campaign_truth();
        assert_eq!(
            campaign.verdict.name(),
            truth.verdict,
            "{scenario}: {:#?}",
            campaign.reasons
        );
        assert_eq!(checked.report.hosts.len(), 1, "{scenario}");
        assert!(
            checked.report.hosts[0]
                .host
                .eq_ignore_ascii_case(&checked.truth.host),
            "{scenario}: {} is {}",
            checked.report.hosts[0].host,
            checked.truth.host
        );
        assert!(!campaign.reasons.is_empty(), "{scenario}");
        if truth.compromised && !truth.provable {
            continue;
        }
        if let Some(highest) = truth.stages.last() {
            assert_eq!(campaign.compromise.stage.name(), highest, "{scenario}");
        } else {
            assert_eq!(campaign.compromise.stage, Stage::NoneSeen, "{scenario}");
        }
        for foothold in &truth.footholds {
            let known = campaign
                .compromise
                .footholds
                .iter()
                .find(|known| model::same_path(&known.path, &foothold.path))
                .unwrap_or_else(|| panic!("{scenario}: {} was not found", foothold.path));
            assert_eq!(
                known.state == FootholdState::Present,
                foothold.present,
                "{scenario}"
            );
        }
        if let (Some(patched), true) = (checked.truth.patched, truth.verdict == "compromised") {
            assert_eq!(
                campaign.exposure.state,
                ExposureState::Patched,
                "{scenario}"
            );
            let first = campaign.compromise.first.expect("a dated effect");
            assert!(first < patched, "{scenario}");
            let days = (patched.as_second() - first.as_second()) / 86_400;
            let phrase = match days {
                0 => "before it was patched".to_owned(),
                1 => "exploited 1 day before it was patched".to_owned(),
                days => format!("exploited {days} days before it was patched"),
            };
            // The first row of the new build may lie a little after the restart.
            let near = format!("exploited {} days before it was patched", days + 1);
            assert!(
                campaign
                    .reasons
                    .iter()
                    .any(|reason| reason.contains(&phrase) || reason.contains(&near)),
                "{scenario}: {phrase}: {:#?}",
                campaign.reasons
            );
        }
    }
}

/// A clean server is clear whatever the seed: hiding behind `unproven` is a fault too.
#[test]
fn clean_servers_are_clear() {
    for seed in [1, 2, 5] {
        for scenario in ["clean", "probed"] {
            let checked = check(&options(scenario, seed), Layout::Drives, 2);
            let campaign = checked.campaign();
            assert_eq!(
                campaign.verdict,
                VerdictName::Clear,
                "{scenario} {seed}: {:#?}",
                campaign.reasons
            );
        }
    }
}

/// The container and the number of workers change nothing that is said of the evidence.
#[test]
fn workers_and_containers_do_not_change_the_report() {
    let options = options("proxylogon", 7);
    let one = check(&options, Layout::Drives, 1).report;
    let three = check(&options, Layout::Drives, 3).report;
    assert_eq!(one, three);

    let velociraptor = check(&options, Layout::Velociraptor, 2).report;
    let (a, b) = (
        &one.hosts[0].campaigns[0],
        &velociraptor.hosts[0].campaigns[0],
    );
    assert_eq!(a.verdict, b.verdict);
    assert_eq!(a.exposure.spans, b.exposure.spans);
    assert_eq!(a.compromise.footholds.len(), b.compromise.footholds.len());
    let texts = |campaign: &CampaignReport| {
        let story = &campaign.compromise.story;
        story
            .iter()
            .map(|step| (step.time, step.text.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(texts(a), texts(b));
}

/// What every need of the pack rests on. Sources that may stand in for one another are withheld together.
fn needed() -> Vec<Vec<Source>> {
    vec![
        vec![Source::HttpProxy, Source::Iis],
        vec![Source::EcpServer, Source::Management],
        vec![Source::OabGenerator],
        vec![Source::Application],
        vec![Source::WebRoots],
        vec![Source::IisConfig],
        vec![Source::SystemHive],
        vec![Source::SoftwareHive],
        vec![Source::Tasks],
    ]
}

/// The first law, whole sources: without what a need names, nobody says `clear`, and no coverage rises.
#[test]
fn without_a_needed_source_nothing_is_clear() {
    let whole = check(&options("clean", 3), Layout::Drives, 2);
    for sources in needed() {
        let withheld = sources.iter().copied().map(Withheld::whole).collect();
        let thinned = without("clean", 3, withheld);
        assert!(
            !thinned.campaign().verdict.assures(),
            "without {sources:?}: {:#?}",
            thinned.campaign().reasons
        );
        coverage_does_not_rise(&whole, &thinned, &format!("{sources:?}"));
    }
}

/// The first law, spans: a stretch cut out of a needed log is seen, wherever it lies.
#[test]
fn without_a_span_of_a_needed_log_nothing_is_clear() {
    let whole = check(&options("clean", 3), Layout::Drives, 2);
    let day = |text: &str| text.parse::<Timestamp>().expect("a time");
    let spans = [
        // From before the window on; in its midst; a night; a weekend; one shift of a clerk; up to the patch.
        ("2020-12-28T00:00:00Z", "2021-01-05T00:00:00Z"),
        ("2021-01-18T00:00:00Z", "2021-01-25T00:00:00Z"),
        ("2021-02-03T22:00:00Z", "2021-02-04T06:00:00Z"),
        ("2021-02-13T00:00:00Z", "2021-02-15T00:00:00Z"),
        ("2021-02-24T09:00:00Z", "2021-02-24T18:00:00Z"),
        ("2021-02-28T00:00:00Z", "2021-03-02T00:00:00Z"),
    ];
    let logs = [
        vec![Source::HttpProxy, Source::Iis],
        vec![Source::EcpServer, Source::Management],
        vec![Source::OabGenerator],
        vec![Source::Application],
    ];
    for (position, (from, until)) in spans.into_iter().enumerate() {
        // Each log meets half of the spans; together they meet all.
        for sources in logs.iter().skip(position % 2).step_by(2) {
            let withheld = sources
                .iter()
                .map(|source| Withheld::span(*source, day(from), day(until)))
                .collect();
            let thinned = without("clean", 3, withheld);
            let what = format!("{sources:?} from {from} to {until}");
            assert!(
                !thinned.campaign().verdict.assures(),
                "without {what}: {:#?}",
                thinned.campaign().coverage
            );
            coverage_does_not_rise(&whole, &thinned, &what);
        }
    }
}

/// One protocol's log is missed although all the others are there.
#[test]
fn a_single_protocol_is_missed() {
    let ecp = Withheld {
        instance: Some("ecp".to_owned()),
        ..Withheld::whole(Source::HttpProxy)
    };
    let thinned = without("clean", 3, vec![ecp, Withheld::whole(Source::Iis)]);
    assert!(!thinned.campaign().verdict.assures());
}

/// Whatever shows something of the crime is withheld in turn: the others convict, or the hole is seen.
#[test]
fn a_compromised_server_is_never_assured() {
    let traces = [
        ("proxylogon", Source::HttpProxy),
        ("proxylogon", Source::EcpServer),
        ("proxylogon", Source::Management),
        ("proxylogon", Source::WebRoots),
        ("shell-deleted", Source::TemporaryAspnet),
        ("av-removed", Source::Defender),
        // The mail thief is seen in two logs that may stand in for one another; each convicts by itself.
        ("mail-theft", Source::HttpProxy),
        ("mail-theft", Source::Iis),
    ];
    for (scenario, source) in traces {
        let thinned = without(scenario, 11, vec![Withheld::whole(source)]);
        assert!(
            !thinned.campaign().verdict.assures(),
            "{scenario} without {source:?}: {:#?}",
            thinned.campaign().reasons
        );
    }
}

/// The first law over spans that nobody chose: what was really taken out is missed, and raises nothing.
#[test]
fn a_random_span_of_a_needed_log_is_missed() {
    const HOUR: i64 = 3_600;
    let logs = [
        vec![Source::HttpProxy, Source::Iis],
        vec![Source::EcpServer, Source::Management],
        // Written every eight hours: half a day is the shortest span that must hold a record.
        vec![Source::OabGenerator],
        vec![Source::Application],
    ];
    let whole = check(&options("clean", 3), Layout::Drives, 2);
    let window = whole.campaign().coverage.needs[0]
        .from
        .expect("an entry need has a span");
    let config = ProptestConfig {
        cases: 12,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let spans = (0..logs.len(), 0..60 * 24_i64, 12..120_i64);
    let outcome = runner.run(&spans, |(log, start, hours)| {
        let at = |hour: i64| {
            Timestamp::from_second(window.as_second() + hour * HOUR).expect("a time in 2021")
        };
        let (from, until) = (at(start), at(start + hours));
        let withheld = logs[log]
            .iter()
            .map(|source| Withheld::span(*source, from, until))
            .collect();
        let thinned = without("clean", 3, withheld);
        let what = format!("{:?} from {from} to {until}", logs[log]);
        coverage_does_not_rise(&whole, &thinned, &what);
        // After the patch the entry needs have ended, and a span may hold no record at all.
        let patched = whole.truth.patched.expect("a clean server was patched");
        let taken_out = thinned.report.accounting.records_in < whole.report.accounting.records_in;
        if taken_out && until < patched {
            prop_assert!(!thinned.campaign().verdict.assures(), "without {}", what);
        }
        Ok(())
    });
    outcome.expect("the first law holds");
}

/// What was done contradicts the statement that it was not, and nothing is supported that happened.
#[test]
fn what_was_done_contradicts_what_is_said() {
    for (seed, scenario, contradicted) in [
        (61, "credential-theft", "no_credentials_dumped"),
        (62, "mailbox-export", "no_archive_staged"),
        (63, "new-administrator", "no_account_changed"),
        (64, "mail-theft", "no_mailbox_read"),
    ] {
        let checked = check(&options(scenario, seed), Layout::Drives, 2);
        let statements = &checked.campaign().statements.statements;
        let one = statements.iter().find(|one| one.id == contradicted);
        let one = one.unwrap_or_else(|| panic!("{scenario}: {contradicted} is asked"));
        assert_eq!(
            one.outcome,
            StatementOutcome::Contradicted,
            "{scenario}: {one:#?}"
        );
        assert!(!one.against.is_empty(), "{scenario}: {one:#?}");
        for one in statements {
            assert_ne!(
                one.outcome,
                StatementOutcome::Supported,
                "{scenario}: {one:#?}"
            );
        }
    }
    let probed = check(&options("probed", 65), Layout::Drives, 2);
    let statements = &probed.campaign().statements;
    assert!(statements.statements.is_empty(), "{statements:#?}");
}

/// What an intruder set up stands first in the review, and what a server has by itself does not stand there.
#[test]
fn what_an_intruder_set_up_stands_first_in_the_review() {
    for (seed, scenario, kind) in [
        (71, "new-service", PersistenceKind::Service),
        (72, "scheduled-task", PersistenceKind::ScheduledTask),
        (73, "web-server-module", PersistenceKind::IisModule),
    ] {
        let checked = check(&options(scenario, seed), Layout::Drives, 2);
        let review = &checked.report.hosts[0].persistence;
        let planted = &checked.campaign_truth().footholds;
        let is_planted = |entry: &PersistenceEntry| {
            planted.iter().any(|foothold| {
                let path = foothold.path.to_lowercase();
                let name = entry.name.trim_start_matches('\\').to_lowercase();
                // Settings may name the folder by a variable.
                let runs = entry.runs.to_lowercase();
                path.ends_with(&name) || runs.contains(model::file_name(&path))
            })
        };
        // An administrator's script that nothing dates deserves as much of a look.
        let mut first = review.entries.iter().take(2);
        let found = first.any(|entry| entry.kind == kind && is_planted(entry));
        assert!(found, "{scenario}: {:#?} {planted:#?}", review.entries);
    }
    let clean = check(&options("clean", 74), Layout::Drives, 2);
    let review = &clean.report.hosts[0].persistence;
    assert!(review.seen > 20, "{review:#?}");
    // The backup task that an administrator set up is theirs to explain, and so are programs that were installed and
    // removed again.
    for entry in &review.entries {
        let is_past = entry
            .why
            .iter()
            .any(|why| why.starts_with("only events tell"));
        assert!(is_past || entry.name.contains("Backup"), "{entry:#?}");
    }
}

fn coverage_does_not_rise(whole: &Checked, thinned: &Checked, what: &str) {
    for need in &thinned.campaign().coverage.needs {
        let before = whole
            .campaign()
            .coverage
            .needs
            .iter()
            .find(|known| known.need == need.need)
            .expect("the same pack has the same needs");
        assert!(need.seen <= before.seen, "{} without {what}", need.need);
    }
}
