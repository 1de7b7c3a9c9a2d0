//! Scores: every kind of error is counted as what it is and as nothing else, thresholds only rise, and a drill's truth
//! opens to nobody but its key, unchanged.

use expect_test::expect;
use jiff::{SignedDuration, Timestamp};
use model::report::{
    CampaignReport, Compromise, CoverageReport, Eviction, Exposure, ExposureSpan, ExposureState,
    FootholdReport, HostReport, NeedReport, PersistenceReview, Report, Share, Statements,
    StoryStep, VerdictName,
};
use model::{Accounting, Finding, FootholdKind, FootholdState, Place, Stage};
use range::drill::{self, Key, SealError};
use range::score::{
    Grave, Outcome, Rate, Regression, Score, Thresholds, compare, raise, score, text,
};
use range::{
    CampaignTruth, CollectionTruth, FleetTruth, Foothold, HostTruth, Source, Step, Withheld,
};
use std::collections::BTreeMap;
use std::fmt::Write;

const CAMPAIGN: &str = "lesson";

const VERDICTS: [VerdictName; 7] = [
    VerdictName::Compromised,
    VerdictName::Reinfected,
    VerdictName::Evicted,
    VerdictName::Exposed,
    VerdictName::Unproven,
    VerdictName::Clear,
    VerdictName::NotAffected,
];

const SHELL: &str = r"C:\inetpub\wwwroot\aspnet_client\log.aspx";
const SECOND_SHELL: &str = r"C:\inetpub\wwwroot\aspnet_client\other.aspx";

fn time(text: &str) -> Timestamp {
    text.parse().expect("a constant that parses")
}

fn later(time: Timestamp, seconds: i64) -> Timestamp {
    time + SignedDuration::from_secs(seconds)
}

/// The truth about a server on which nobody was: patched, and all that must be seen is there.
fn clear(name: &str) -> HostTruth {
    HostTruth {
        host: name.to_owned(),
        organisation: None,
        scenario: "clean".to_owned(),
        seed: 7,
        summary: "Nobody came.".to_owned(),
        install: Some(r"C:\Product".to_owned()),
        log_start: time("2021-01-01T00:00:00Z"),
        builds: Vec::new(),
        patched: Some(time("2021-03-04T20:00:00Z")),
        collections: vec![CollectionTruth {
            path: format!("{name}.zip"),
            taken: time("2021-03-20T00:00:00Z"),
            withheld: Vec::new(),
            damaged: Vec::new(),
        }],
        campaigns: vec![CampaignTruth {
            campaign: CAMPAIGN.to_owned(),
            verdict: "clear".to_owned(),
            accepted: Vec::new(),
            compromised: false,
            provable: false,
            covered: true,
            stages: Vec::new(),
            first: None,
            last: None,
            exposure: String::new(),
            exposed: vec![(time("2021-01-01T00:00:00Z"), time("2021-03-04T20:00:00Z"))],
            footholds: Vec::new(),
            story: Vec::new(),
        }],
    }
}

/// The same with another verdict; `change` says what else is different.
fn host(name: &str, verdict: &str, change: impl FnOnce(&mut HostTruth)) -> HostTruth {
    let mut host = clear(name);
    host.scenario = verdict.replace('_', "-");
    verdict.clone_into(&mut host.campaigns[0].verdict);
    change(&mut host);
    host
}

/// An intruder came on 1 March, left two shells, and removed one of them.
fn break_in(host: &mut HostTruth) {
    let campaign = &mut host.campaigns[0];
    let begin = time("2021-03-01T04:00:00Z");
    let step = |seconds: i64, stage: &str| Step {
        time: later(begin, seconds),
        stage: stage.to_owned(),
        title: "Something happened".to_owned(),
        actor: "intruder".to_owned(),
        left_in: vec![Source::HttpProxy],
    };
    let shell = |path: &str, digit: &str, present: bool| Foothold {
        kind: "web_shell".to_owned(),
        path: path.to_owned(),
        sha256: digit.repeat(64),
        present,
        compiled: vec![format!("{path}.compiled.dll")],
        left_in: vec![Source::WebRoots],
    };
    campaign.compromised = true;
    campaign.provable = true;
    campaign.stages = ["probed", "exploited", "foothold", "hands_on"]
        .map(str::to_owned)
        .to_vec();
    campaign.story = vec![
        step(-90_000, "probed"),
        step(0, "exploited"),
        step(30, "foothold"),
        step(5_000, "hands_on"),
    ];
    campaign.first = Some(begin);
    campaign.last = Some(later(begin, 5_000));
    campaign.footholds = vec![shell(SHELL, "a", true), shell(SECOND_SHELL, "b", false)];
}

/// A host of each kind.
fn fleet() -> FleetTruth {
    let hosts = vec![
        host("A01", "compromised", break_in),
        host("A02", "evicted", break_in),
        host("A03", "reinfected", break_in),
        host("A04", "exposed", |host| {
            host.patched = None;
            host.campaigns[0].exposed =
                vec![(host.log_start, later(host.collections[0].taken, 86_400))];
        }),
        host("A05", "unproven", |host| {
            break_in(host);
            "nothing-left".clone_into(&mut host.scenario);
            let campaign = &mut host.campaigns[0];
            (campaign.provable, campaign.covered) = (false, false);
            for step in &mut campaign.story {
                step.left_in.clear();
            }
            for foothold in &mut campaign.footholds {
                foothold.left_in.clear();
            }
        }),
        host("A06", "unproven", |host| {
            host.campaigns[0].covered = false;
            host.collections[0].withheld = vec![Withheld::whole(Source::HttpProxy)];
        }),
        clear("A07"),
        host("A08", "not_affected", |host| {
            host.install = None;
            host.patched = None;
            host.campaigns[0].exposed.clear();
        }),
    ];
    FleetTruth {
        schema: range::SCHEMA.to_owned(),
        seed: 7,
        organisations: Vec::new(),
        hosts,
    }
}

fn verdict(name: &str) -> VerdictName {
    *VERDICTS
        .iter()
        .find(|verdict| verdict.name() == name)
        .expect("a verdict")
}

fn stage(word: &str) -> Stage {
    serde_json::from_value(word.into()).expect("a stage")
}

/// What a perfect report says of a host.
fn said_of(host: &HostTruth) -> CampaignReport {
    let truth = &host.campaigns[0];
    let left: Vec<&Step> = truth
        .story
        .iter()
        .filter(|step| !step.left_in.is_empty())
        .collect();
    let mut stages: Vec<Stage> = left.iter().map(|step| stage(&step.stage)).collect();
    stages.sort();
    stages.dedup();
    let state = match truth.verdict.as_str() {
        "not_affected" => ExposureState::NotAffected,
        "exposed" => ExposureState::Vulnerable,
        _ => ExposureState::Patched,
    };
    let span = |state, from, until| ExposureSpan {
        state,
        build: None,
        from,
        until,
    };
    let footholds = truth
        .footholds
        .iter()
        .filter(|foothold| !foothold.left_in.is_empty());
    let effects = || left.iter().filter(|step| step.stage != "probed");
    CampaignReport {
        campaign: CAMPAIGN.to_owned(),
        verdict: verdict(&truth.verdict),
        exposure: Exposure {
            state,
            product: None,
            build: None,
            spans: match host.patched {
                Some(patched) => vec![
                    span(ExposureState::Vulnerable, None, Some(patched)),
                    span(ExposureState::Patched, Some(patched), None),
                ],
                None => vec![span(state, None, None)],
            },
            basis: Vec::new(),
        },
        compromise: Compromise {
            stage: stages.last().copied().unwrap_or(Stage::NoneSeen),
            stages,
            first: effects().map(|step| step.time).min(),
            last: effects().map(|step| step.time).max(),
            footholds: footholds
                .map(|foothold| FootholdReport {
                    kind: FootholdKind::WebShell,
                    path: foothold.path.to_uppercase(),
                    sha256: Some(foothold.sha256.clone()),
                    state: if foothold.present {
                        FootholdState::Present
                    } else {
                        FootholdState::AbsentVerified
                    },
                    first: None,
                    reason: "It was seen".to_owned(),
                    findings: Vec::new(),
                })
                .collect(),
            story: left
                .iter()
                .map(|step| told(step.time, None, stage(&step.stage)))
                .collect(),
        },
        coverage: CoverageReport {
            sufficient: truth.covered,
            needs: vec![need("logs", if truth.covered { 1_000 } else { 400 })],
        },
        eviction: Eviction {
            gates: Vec::new(),
            steps: Vec::new(),
            accepted: None,
        },
        reasons: ["first", "second", "third", "fourth"]
            .map(|word| format!("the {word} reason"))
            .to_vec(),
        grounds: Vec::new(),
        next: Vec::new(),
        next_steps: Vec::new(),
        findings: Vec::new(),
        statements: Statements::default(),
    }
}

fn told(time: Timestamp, until: Option<Timestamp>, stage: Stage) -> StoryStep {
    StoryStep {
        time: Some(time),
        until,
        stage,
        step: String::new(),
        text: String::new(),
        sources: Vec::new(),
        findings: Vec::new(),
        techniques: Vec::new(),
    }
}

fn need(name: &str, thousandths: u64) -> NeedReport {
    NeedReport {
        need: name.to_owned(),
        title: name.to_owned(),
        from: None,
        until: None,
        seen: Share::of(thousandths, 1_000),
        unseen_seconds: None,
        sources: Vec::new(),
        gaps: Vec::new(),
    }
}

fn perfect(truth: &FleetTruth) -> Report {
    let host = |truth: &HostTruth| HostReport {
        leads: model::report::Leads::default(),
        host: truth.host.clone(),
        host_rule: "registry ComputerName".to_owned(),
        collections: Vec::new(),
        persistence: PersistenceReview::default(),
        campaigns: vec![said_of(truth)],
    };
    Report {
        schema: model::report::SCHEMA.to_owned(),
        as_of: None,
        packs: Vec::new(),
        hosts: truth.hosts.iter().map(host).collect(),
        findings: Vec::new(),
        gaps: Vec::new(),
        accounting: Accounting::default(),
        not_looked_at: Vec::new(),
    }
}

/// The perfect report on one host, changed.
fn one(truth: HostTruth, change: impl FnOnce(&mut CampaignReport)) -> Score {
    let truth = FleetTruth::of_one(truth);
    let mut report = perfect(&truth);
    change(&mut report.hosts[0].campaigns[0]);
    score(&report, &truth)
}

fn all_differences(score: &Score) -> Vec<&range::score::Difference> {
    let lists = [
        &score.grave_errors,
        &score.missed,
        &score.false_alarms,
        &score.hiding,
        &score.others,
    ];
    lists.into_iter().flatten().collect()
}

fn cells(score: &Score) -> BTreeMap<(String, String), u64> {
    let cells = score.campaigns.iter().flat_map(|matrix| &matrix.cells);
    cells
        .map(|cell| ((cell.truth.clone(), cell.said.clone()), cell.hosts))
        .collect()
}

fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[test]
fn a_report_made_from_the_truth_scores_perfectly() {
    let truth = fleet();
    let score = score(&perfect(&truth), &truth);
    for headline in &score.headlines {
        let Rate { right, of } = headline.rate;
        assert!(right == of && of > 0, "{}: {right} of {of}", headline.name);
    }
    assert!(all_differences(&score).is_empty());
    assert_eq!(score.dates.first.error.max_milliseconds, Some(0));
    assert_eq!(
        score.story.as_ref().unwrap().error.max_milliseconds,
        Some(0)
    );
    // What happened on A05 and left nothing is counted, but apart.
    assert_eq!(score.footholds.left_nothing, 2);
    assert_eq!(score.unprovable[0].said, "unproven");
    assert_eq!(score.unprovable[0].hosts, 1);
    let coverage = score.coverage.as_ref().unwrap();
    assert_eq!(coverage.reliability[0].covered, Rate::of(6, 6));
    assert_eq!(coverage.reliability[4].covered, Rate::of(0, 2));
    let json = serde_json::to_string(&score).unwrap();
    assert_eq!(serde_json::from_str::<Score>(&json).unwrap(), score);
}

/// Each verdict on each kind of host.
#[test]
fn every_wrong_verdict_is_the_error_that_it_is() {
    let truth = fleet();
    let mut table = String::new();
    for (index, host) in truth.hosts.iter().enumerate() {
        writeln!(table, "{}", host.scenario).unwrap();
        for said in VERDICTS.into_iter().map(Some).chain([None]) {
            let mut report = perfect(&truth);
            match said {
                Some(said) => report.hosts[index].campaigns[0].verdict = said,
                None => report.hosts[index].campaigns.clear(),
            }
            let score = score(&report, &truth);
            let differences = all_differences(&score);
            assert!(differences.len() <= 1);
            let outcome = differences
                .first()
                .map_or(Outcome::Right, |one| one.outcome);
            let said = said.map_or("absent", VerdictName::name);
            let outcome = serde_json::to_string(&outcome).unwrap();
            writeln!(
                table,
                "  {said:<13}{}",
                outcome.replace(['"', '{', '}'], "")
            )
            .unwrap();
        }
    }
    expect![[r"
        compromised
          compromised  right
          reinfected   other
          evicted      grave:evicted_though_not
          exposed      missed
          unproven     missed
          clear        grave:clear_though_compromised
          not_affected grave:not_affected_though_affected
          absent       missed
        evicted
          compromised  other
          reinfected   other
          evicted      right
          exposed      missed
          unproven     missed
          clear        grave:clear_though_compromised
          not_affected grave:not_affected_though_affected
          absent       missed
        reinfected
          compromised  other
          reinfected   right
          evicted      grave:evicted_though_not
          exposed      missed
          unproven     missed
          clear        grave:clear_though_compromised
          not_affected grave:not_affected_though_affected
          absent       missed
        exposed
          compromised  false_alarm
          reinfected   false_alarm
          evicted      grave:evicted_though_not
          exposed      right
          unproven     other
          clear        grave:clear_though_exposed
          not_affected grave:not_affected_though_affected
          absent       other
        nothing-left
          compromised  other
          reinfected   other
          evicted      grave:evicted_though_not
          exposed      other
          unproven     right
          clear        grave:clear_though_compromised
          not_affected grave:not_affected_though_affected
          absent       other
        unproven
          compromised  false_alarm
          reinfected   false_alarm
          evicted      grave:evicted_though_not
          exposed      other
          unproven     right
          clear        grave:clear_though_unproven
          not_affected grave:not_affected_though_affected
          absent       other
        clean
          compromised  false_alarm
          reinfected   false_alarm
          evicted      grave:evicted_though_not
          exposed      hiding
          unproven     hiding
          clear        right
          not_affected grave:not_affected_though_affected
          absent       other
        not-affected
          compromised  false_alarm
          reinfected   false_alarm
          evicted      grave:evicted_though_not
          exposed      other
          unproven     other
          clear        grave:clear_though_not_affected
          not_affected right
          absent       other
    "]]
    .assert_eq(&table);
}

#[test]
fn another_verdict_changes_its_own_cell_and_nothing_else() {
    let truth = fleet();
    let right = score(&perfect(&truth), &truth);
    for index in 0..truth.hosts.len() {
        for said in VERDICTS {
            let mut report = perfect(&truth);
            report.hosts[index].campaigns[0].verdict = said;
            let flipped = score(&report, &truth);
            let own = truth.hosts[index].campaigns[0].verdict.clone();
            let mut expected = cells(&right);
            if own != said.name() {
                let count = expected.get_mut(&(own.clone(), own.clone())).unwrap();
                *count -= 1;
                if *count == 0 {
                    expected.remove(&(own.clone(), own.clone()));
                }
                *expected.entry((own, said.name().to_owned())).or_default() += 1;
            }
            assert_eq!(cells(&flipped), expected);
            assert_eq!(flipped.stages, right.stages);
            assert_eq!(flipped.footholds, right.footholds);
            assert_eq!(flipped.story, right.story);
            assert_eq!(flipped.dates, right.dates);
            assert_eq!(flipped.exposure, right.exposure);
        }
    }
}

#[test]
fn the_order_of_hosts_does_not_matter() {
    let mut truth = fleet();
    let mut report = perfect(&truth);
    for (index, host) in report.hosts.iter_mut().enumerate() {
        host.campaigns[0].verdict = VERDICTS[index % VERDICTS.len()];
    }
    report.hosts[3].campaigns[0].compromise.footholds =
        report.hosts[0].campaigns[0].compromise.footholds.clone();
    let before = score(&report, &truth);
    assert!(!all_differences(&before).is_empty());
    for turn in 0..truth.hosts.len() {
        truth.hosts.rotate_left(1);
        report.hosts.reverse();
        report.hosts.rotate_left(turn);
        assert_eq!(score(&report, &truth), before);
    }
}

#[test]
fn grave_errors_stand_worst_first_whatever_the_hosts_are_called() {
    let mut truth = fleet();
    let mut report = perfect(&truth);
    for (host, said) in [
        (0, "clear"),
        (3, "clear"),
        (5, "clear"),
        (6, "not_affected"),
        (7, "evicted"),
    ] {
        report.hosts[host].campaigns[0].verdict = verdict(said);
    }
    // The worst is last by name.
    truth.hosts[0].host = "Z".to_owned();
    report.hosts[0].host = "Z".to_owned();
    let score = score(&report, &truth);
    let graves: Vec<(&str, Outcome)> = score
        .grave_errors
        .iter()
        .map(|error| (error.host.as_str(), error.outcome))
        .collect();
    assert_eq!(
        graves,
        [
            ("Z", Outcome::Grave(Grave::ClearThoughCompromised)),
            ("A08", Outcome::Grave(Grave::EvictedThoughNot)),
            ("A07", Outcome::Grave(Grave::NotAffectedThoughAffected)),
            ("A04", Outcome::Grave(Grave::ClearThoughExposed)),
            ("A06", Outcome::Grave(Grave::ClearThoughUnproven)),
        ]
    );
    assert_eq!(score.grave_errors[4].withheld, ["httpproxy"]);
    assert_eq!(
        score.grave_errors[0].reasons,
        ["the first reason", "the second reason", "the third reason"]
    );
    assert_eq!(score.headline("assurances_right"), Some(Rate::of(1, 6)));
}

#[test]
fn accepted_verdicts_count_as_right_unless_they_assure() {
    let truth = host("A", "unproven", |host| {
        host.campaigns[0].accepted = vec!["exposed".to_owned(), "clear".to_owned()];
        host.campaigns[0].covered = false;
    });
    let passed = one(truth.clone(), |said| said.verdict = VerdictName::Exposed);
    assert_eq!((passed.accepted, all_differences(&passed).len()), (1, 0));
    assert_eq!(passed.headline("verdicts_right"), Some(Rate::of(1, 1)));
    assert_eq!(passed.campaigns[0].cells[0].right, 1);
    let assured = one(truth, |said| said.verdict = VerdictName::Clear);
    assert_eq!((assured.accepted, assured.grave_errors.len()), (0, 1));
}

#[test]
fn hosts_are_matched_by_name_without_case_and_domain() {
    let mut truth = fleet();
    let mut report = perfect(&truth);
    truth.hosts[0].host = "A01.corp.example".to_owned();
    report.hosts[0].host = "a01".to_owned();
    report.hosts[1].host = "stranger".to_owned();
    let mut other = report.hosts[2].campaigns[0].clone();
    other.campaign = "unheard-of".to_owned();
    report.hosts[2].campaigns.push(other);
    let score = score(&report, &truth);
    assert_eq!(score.hosts.missing, ["A02"]);
    assert_eq!(score.hosts.unknown, ["stranger"]);
    assert_eq!(score.hosts.campaigns_not_in_truth, ["unheard-of"]);
    assert_eq!(score.headline("hosts_reported"), Some(Rate::of(7, 8)));
    // A compromised host that the report leaves out was not found.
    assert_eq!(score.missed.len(), 1);
    assert_eq!(score.missed[0].said, "absent");
    assert_eq!(score.footholds.missed.len(), 2);
}

#[test]
fn two_hosts_of_one_name_are_taken_apart() {
    let truth = FleetTruth {
        hosts: vec![
            host("EX.a.example", "compromised", break_in),
            clear("EX.b.example"),
        ],
        ..fleet()
    };
    let mut report = perfect(&truth);
    report.hosts.reverse();
    let score = score(&report, &truth);
    assert_eq!(score.headline("verdicts_right"), Some(Rate::of(2, 2)));
}

#[test]
fn footholds_are_matched_by_path_then_by_hash_then_by_what_was_compiled() {
    let truth = || host("A", "compromised", break_in);
    let footholds = |score: &Score| {
        let footholds = &score.footholds;
        (footholds.precision, footholds.recall, footholds.states)
    };
    let moved = one(truth(), |said| {
        said.compromise.footholds[0].path = r"D:\elsewhere.aspx".to_owned();
    });
    assert_eq!(
        footholds(&moved),
        (Rate::of(2, 2), Rate::of(2, 2), Rate::of(2, 2))
    );
    let by_url = one(truth(), |said| {
        said.compromise.footholds[0].path = "/aspnet_client/log.aspx".to_owned();
        said.compromise.footholds[0].sha256 = None;
        said.compromise.footholds[0].state = FootholdState::Unknown;
    });
    assert_eq!(
        footholds(&by_url),
        (Rate::of(2, 2), Rate::of(2, 2), Rate::of(1, 2))
    );
    assert_eq!(by_url.footholds.states_unknown, 1);
    assert!(by_url.footholds.state_wrong.is_empty());
    let compiled = one(truth(), |said| {
        let foothold = &mut said.compromise.footholds[1];
        foothold.path = format!("{SECOND_SHELL}.compiled.dll");
        foothold.sha256 = None;
    });
    assert_eq!(
        footholds(&compiled),
        (Rate::of(2, 2), Rate::of(2, 2), Rate::of(1, 1))
    );
    let wrong = one(truth(), |said| {
        let footholds = &mut said.compromise.footholds;
        footholds[0].state = FootholdState::AbsentVerified;
        footholds[1].path = r"C:\inetpub\wwwroot\iisstart.htm".to_owned();
        footholds[1].sha256 = Some("c".repeat(64));
    });
    assert_eq!(
        footholds(&wrong),
        (Rate::of(1, 2), Rate::of(1, 2), Rate::of(0, 1))
    );
    assert_eq!(wrong.footholds.missed[0].path, SECOND_SHELL);
    assert_eq!(
        wrong.footholds.invented[0].path,
        r"C:\inetpub\wwwroot\iisstart.htm"
    );
    assert_eq!(wrong.footholds.state_wrong[0].path, SHELL);
    // One report of a hash does not stand for two files that have it.
    let twins = host("A", "compromised", |host| {
        break_in(host);
        host.campaigns[0].footholds[1].sha256 = "a".repeat(64);
    });
    let once = one(twins, |said| {
        said.compromise.footholds.truncate(1);
    });
    assert_eq!(once.footholds.recall, Rate::of(1, 2));
}

#[test]
fn steps_are_found_within_two_minutes_by_an_entry_of_their_stage() {
    let found = |change: &dyn Fn(&mut StoryStep)| {
        let score = one(host("A", "compromised", break_in), |said| {
            change(&mut said.compromise.story[3]);
        });
        let story = score.story.expect("a report tells one");
        let hands_on = story.stages[3].clone();
        assert_eq!(hands_on.stage, Stage::HandsOn);
        (
            story.found.right,
            story.dated.right,
            hands_on.found_as_other_stage,
            story.error.max_milliseconds,
        )
    };
    let shifted = |seconds: i64| {
        move |step: &mut StoryStep| step.time = step.time.map(|time| later(time, seconds))
    };
    assert_eq!(found(&shifted(2)), (3, 3, 0, Some(2_000)));
    assert_eq!(found(&shifted(-120)), (3, 2, 0, Some(120_000)));
    assert_eq!(found(&shifted(121)), (2, 2, 0, Some(0)));
    assert_eq!(found(&|step| step.time = None), (2, 2, 0, Some(0)));
    assert_eq!(
        found(&|step| step.stage = Stage::Impact),
        (2, 2, 1, Some(0))
    );
    let spanning = |seconds: i64| {
        move |step: &mut StoryStep| {
            step.until = step.time.map(|time| later(time, seconds));
            step.time = step.time.map(|time| later(time, -seconds));
        }
    };
    assert_eq!(found(&spanning(1_700)), (3, 3, 0, Some(0)));
    // What sums up more than an hour dates nothing in its middle.
    assert_eq!(found(&spanning(1_900)), (2, 2, 0, Some(0)));
}

#[test]
fn findings_date_steps_as_the_story_does() {
    let truth = FleetTruth::of_one(host("A", "compromised", break_in));
    let mut report = perfect(&truth);
    let said = &mut report.hosts[0].campaigns[0];
    let step = said.compromise.story.pop().expect("it has four");
    let finding = Finding {
        id: "f-1".to_owned(),
        rule: "r".to_owned(),
        title: "A command".to_owned(),
        stage: Some(step.stage),
        campaign: None,
        level: "high".to_owned(),
        techniques: Vec::new(),
        time: step.time,
        last: None,
        count: 1,
        place: Place::default(),
        author: String::new(),
        reference: String::new(),
        evidence: String::new(),
        meaning: String::new(),
        step: String::new(),
        details: BTreeMap::new(),
        foothold: None,
    };
    report.findings.push(finding);
    let found = |report: &Report| score(report, &truth).headline("steps_found");
    assert_eq!(found(&report), Some(Rate::of(2, 3)));
    // It counts only where it speaks for the campaign.
    report.hosts[0].campaigns[0].findings.push("f-1".to_owned());
    assert_eq!(found(&report), Some(Rate::of(3, 3)));
}

#[test]
fn stages_that_left_nothing_are_not_asked_for() {
    let truth = host("A", "compromised", |host| {
        break_in(host);
        host.campaigns[0].story[3].left_in.clear();
    });
    let quiet = one(truth.clone(), |_said| {}).stages.expect("a report");
    assert_eq!(quiet.recall, Rate::of(3, 3));
    assert_eq!(quiet.headline, Rate::of(1, 1));
    assert_eq!(quiet.stages[3].left_nothing, 1);
    // To know it all the same is no invention; impact is one.
    let told = one(truth, |said| {
        said.compromise
            .stages
            .extend([Stage::HandsOn, Stage::Impact]);
        said.compromise.stage = Stage::Impact;
    });
    let told = told.stages.expect("a report");
    assert_eq!(told.precision, Rate::of(4, 5));
    assert_eq!(told.headline, Rate::of(0, 1));
    assert_eq!(told.stages[4].invented, 1);
}

/// Whoever cannot prove it from what is left need not tell it.
#[test]
fn hints_are_not_asked_for_where_nothing_proves() {
    let truth = host("A", "unproven", |host| {
        break_in(host);
        let campaign = &mut host.campaigns[0];
        (campaign.provable, campaign.covered) = (false, false);
        campaign.accepted = vec!["compromised".to_owned()];
    });
    let silent = one(truth, |said| {
        said.compromise.stage = Stage::Probed;
        said.compromise.stages = vec![Stage::Probed];
        said.compromise.footholds.clear();
        said.compromise.story.truncate(1);
        (said.compromise.first, said.compromise.last) = (None, None);
    });
    assert_eq!(silent.headline("stages_recall"), Some(Rate::of(1, 1)));
    assert_eq!(
        silent.headline("headline_stage_right"),
        Some(Rate::of(1, 1))
    );
    assert_eq!(silent.headline("steps_found"), Some(Rate::of(0, 0)));
    assert_eq!(silent.headline("first_dated"), Some(Rate::of(0, 0)));
    assert_eq!(silent.footholds.recall, Rate::of(0, 0));
    assert_eq!(silent.footholds.left_nothing, 2);
}

#[test]
fn times_of_effect_and_patch_are_compared_where_there_are_any() {
    let truth = || host("A", "compromised", break_in);
    let late = one(truth(), |said| {
        let compromise = &mut said.compromise;
        compromise.first = compromise.first.map(|time| later(time, 130));
        compromise.last = None;
        said.exposure.spans[1].from = said.exposure.spans[1].from.map(|time| later(time, 7_200));
    });
    assert_eq!(late.dates.first.right, Rate::of(0, 1));
    assert_eq!(late.dates.first.error.median_milliseconds, Some(130_000));
    assert_eq!(late.dates.last.not_said, 1);
    assert_eq!(late.dates.patched.right, Rate::of(1, 1));
    assert_eq!(late.dates.patched.error.max_milliseconds, Some(7_200_000));
    assert_eq!(late.dates.days_before_patch, Rate::of(1, 1));
    // The intruder's first step is gone: nobody can date what is not there.
    let gone = host("A", "compromised", |host| {
        break_in(host);
        host.campaigns[0].story[1].left_in.clear();
    });
    let gone = one(gone, |_said| {});
    assert_eq!(gone.dates.first.right, Rate::of(1, 1));
    assert_eq!(gone.dates.first_left_nothing, 1);
}

#[test]
fn exposure_is_right_or_listed() {
    let mitigated = host("A", "exposed", |host| {
        host.patched = None;
        host.campaigns[0].exposed = vec![(host.log_start, time("2021-03-06T00:00:00Z"))];
    });
    let score = one(mitigated.clone(), |said| {
        said.exposure.state = ExposureState::Mitigated;
    });
    assert_eq!(score.headline("exposure_right"), Some(Rate::of(1, 1)));
    let score = one(mitigated, |said| {
        said.exposure.state = ExposureState::Patched;
    });
    let wrong = &score.exposure.as_ref().unwrap().wrong[0];
    assert_eq!(
        (wrong.truth, wrong.said.as_str()),
        (ExposureState::Vulnerable, "patched")
    );
    // An update after the last collection does not show in it.
    let later = host("A", "exposed", |host| {
        host.patched = Some(time("2021-04-01T00:00:00Z"));
        host.campaigns[0].exposed = vec![(host.log_start, time("2021-04-01T00:00:00Z"))];
    });
    let score = one(later, |_said| {});
    assert_eq!(score.headline("exposure_right"), Some(Rate::of(1, 1)));
    assert_eq!(score.headline("patch_dated"), Some(Rate::of(0, 0)));
}

#[test]
fn coverage_that_claims_too_much_is_told_from_too_little() {
    let uncovered = host("A", "unproven", |host| host.campaigns[0].covered = false);
    let bold = one(uncovered, |said| {
        said.coverage.sufficient = true;
        said.coverage.needs = vec![need("logs", 1_000), need("files", 1_000)];
    });
    let coverage = bold.coverage.expect("a report");
    assert_eq!(coverage.agrees, Rate::of(0, 1));
    assert_eq!(coverage.uncovered_seen_in_part, Rate::of(0, 1));
    assert_eq!(coverage.overconfident.len(), 1);
    assert_eq!(coverage.reliability[0].covered, Rate::of(0, 1));
    let shy = one(clear("A"), |said| {
        said.coverage.sufficient = false;
        said.coverage.needs = vec![need("logs", 999), need("files", 1_000), need("b", 500)];
    });
    let coverage = shy.coverage.expect("a report");
    let not_whole = &coverage.underconfident[0].not_whole;
    let not_whole: Vec<&str> = not_whole.iter().map(|need| need.need.as_str()).collect();
    assert_eq!(not_whole, ["b", "logs"]);
    // 833 of a thousand in the mean.
    assert_eq!(coverage.reliability[2].verdicts_right, Rate::of(1, 1));
    // A host without the product has no needs, and says nothing about coverage.
    let none = one(clear("A"), |said| said.coverage.needs.clear());
    assert_eq!(none.headline("coverage_right"), Some(Rate::of(0, 0)));
}

#[test]
fn thresholds_only_rise() {
    let truth = fleet();
    let mut reached = Thresholds::default();
    for index in 0..truth.hosts.len() {
        for said in VERDICTS {
            let mut report = perfect(&truth);
            let campaign = &mut report.hosts[index].campaigns[0];
            campaign.verdict = said;
            campaign.compromise.story.truncate(index);
            let score = score(&report, &truth);
            let raised = raise(&score, &reached);
            assert!(raised.verdicts >= reached.verdicts);
            for (name, minimum) in &reached.minimum {
                assert!(raised.minimum[name] >= *minimum, "{name}");
            }
            if score.grave_errors.is_empty() {
                assert_eq!(compare(&score, &raise(&score, &Thresholds::default())), []);
            } else {
                assert_eq!(raised, reached);
                let count = score.grave_errors.len() as u64;
                let regressions = compare(&score, &Thresholds::default());
                assert_eq!(regressions, [Regression::GraveErrors { count }]);
            }
            reached = raised;
        }
    }
    let best = score(&perfect(&truth), &truth);
    assert_eq!(compare(&best, &reached), []);
    let json = serde_json::to_string(&reached).unwrap();
    assert_eq!(serde_json::from_str::<Thresholds>(&json).unwrap(), reached);
}

#[test]
fn what_fell_or_cannot_be_measured_is_a_regression() {
    let truth = fleet();
    let mut thresholds = raise(&score(&perfect(&truth), &truth), &Thresholds::default());
    thresholds
        .minimum
        .insert("no_such_number".to_owned(), Share::NONE);
    let mut worse = truth.clone();
    worse.hosts.retain(|host| !host.campaigns[0].compromised);
    let mut report = perfect(&worse);
    report.hosts[2].campaigns[0].verdict = VerdictName::Unproven;
    let regressions = compare(&score(&report, &worse), &thresholds);
    let told: Vec<String> = regressions.iter().map(ToString::to_string).collect();
    expect![[r"
        4 verdicts scored; there must be 8
        clean_called_clear is 0.0 % (0 of 1); it must be 100.0 %
        compromised_found has nothing to count; it must be 100.0 %
        days_before_patch_right has nothing to count; it must be 100.0 %
        first_dated has nothing to count; it must be 100.0 %
        foothold_states_right has nothing to count; it must be 100.0 %
        footholds_precision has nothing to count; it must be 100.0 %
        footholds_recall has nothing to count; it must be 100.0 %
        last_dated has nothing to count; it must be 100.0 %
        no headline is named no_such_number
        stages_precision has nothing to count; it must be 100.0 %
        stages_recall has nothing to count; it must be 100.0 %
        steps_dated has nothing to count; it must be 100.0 %
        steps_found has nothing to count; it must be 100.0 %
        verdicts_right is 75.0 % (3 of 4); it must be 100.0 %"]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn a_score_reads_as_text() {
    let truth = fleet();
    let mut report = perfect(&truth);
    report.hosts[0].campaigns[0].verdict = VerdictName::Clear;
    report.hosts[0].campaigns[0].reasons[0] =
        format!("a reason \u{1b}[2J{}", "and more ".repeat(40));
    report.hosts[2].campaigns[0].verdict = VerdictName::Exposed;
    report.hosts[6].campaigns[0].verdict = VerdictName::Unproven;
    report.hosts[7].campaigns[0].verdict = VerdictName::Compromised;
    report.hosts.remove(1);
    let score = score(&report, &truth);
    let regressions = compare(&score, &Thresholds::default());
    let text = text(&score, &regressions, &plain);
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert!(!line.contains('\u{1b}'));
    }
    expect![[r"
        Score: verdicts 8, hosts of the truth 8, of them in the report 7

        GRAVE ERRORS: 1
          A01 (lesson): clear, though somebody got in
            truth: compromised; scenario compromised, seed 7
            - a reason ?[2Jand more and more and more and more and more and more and
            more and more and more and more and more and more and more and more and more
            and more and more and more and more and more and more and more and more and
            more and more an…
            - the second reason
            - the third reason

        HEADLINES
          hosts_reported                                 87.5 %   7 of 8
            hosts of the truth that the report has
          verdicts_right                                 37.5 %   3 of 8
            verdicts that are right or accepted
          assurances_right                                0.0 %   0 of 1
            clear, evicted, not affected: those that are so
          compromised_found                               0.0 %   0 of 3
            compromised hosts, with something left, called so
          clean_called_clear                              0.0 %   0 of 1
            fully covered clean hosts called clear
          untouched_not_accused                          75.0 %   3 of 4
            never compromised hosts not called compromised
          headline_stage_right                           87.5 %   7 of 8
            verdicts whose highest stage is right
          stages_precision                              100.0 %   8 of 8
            stages said that were reached
          stages_recall                                  66.6 %   8 of 12
            stages reached, with something left, that were said
          footholds_precision                           100.0 %   4 of 4
            footholds said that are ones
          footholds_recall                               66.6 %   4 of 6
            footholds, with something left, that were found
          foothold_states_right                         100.0 %   4 of 4
            footholds found whose state is right
          steps_found                                    66.6 %   6 of 9
            steps of effect, with something left, found within 2 minutes
          steps_dated                                   100.0 %   6 of 6
            steps of effect found, dated to within 2 seconds
          first_dated                                    66.6 %   2 of 3
            first effects dated to within 2 minutes
          last_dated                                     66.6 %   2 of 3
            last effects dated to within 2 minutes
          patch_dated                                    83.3 %   5 of 6
            patches dated to within 12 hours
          days_before_patch_right                        66.6 %   2 of 3
            days from first effect to patch, to within a day
          exposure_right                                 87.5 %   7 of 8
            verdicts whose state of exposure is right
          coverage_right                                100.0 %   7 of 7
            verdicts whose coverage is rightly called sufficient or not

        VERDICTS: truth downwards, said across; + is accepted
          lesson
                         comprom exposed unprovn   clear  absent
          compromised          .       .       .       1       .
          reinfected           .       1       .       .       .
          evicted              .       .       .       .       1
          exposed              .       1       .       .       .
          unproven             .       .       2       .       .
          clear                .       .       1       .       .
          not_affected         1       .       .       .       .
          called compromised that are (precision)         0.0 %   0 of 1
          compromised that are called so (recall)         0.0 %   0 of 2

        MISSED: compromised, and not called so: 2
          A02 (lesson): absent
            truth: evicted; scenario evicted, seed 7
          A03 (lesson): exposed
            truth: reinfected; scenario reinfected, seed 7
            - the first reason
            - the second reason
            - the third reason

        FALSE ALARMS: called compromised, and never was: 1
          A08 (lesson): compromised
            truth: not_affected; scenario not-affected, seed 7
            - the first reason
            - the second reason
            - the third reason

        HIDING: clean and fully covered, not called clear: 1
          A07 (lesson): unproven
            truth: clear; scenario clean, seed 7
            - the first reason
            - the second reason
            - the third reason

        OTHER WRONG VERDICTS: none

        HOSTS MISSING IN THE REPORT: 1
          A02

        HOSTS THAT THE TRUTH DOES NOT KNOW: none

        CAMPAIGNS THAT THE TRUTH SAYS NOTHING OF: none

        COMPROMISED, AND NOTHING OF IT IS LEFT TO SEE: the report says
          unproven             1

        STAGES: reached and said, over all verdicts
                           found  missed  invented  nothing left
          probed               2       1         0             1
          exploited            2       1         0             1
          foothold             2       1         0             1
          hands_on             2       1         0             1
          impact               0       0         0             0

        FOOTHOLDS
          said that are ones                            100.0 %   4 of 4
          found, where something is left                 66.6 %   4 of 6
          found whose state is right                    100.0 %   4 of 4
          found whose state the report cannot tell: 0
          not found, and nothing left: 2
          missed: 2
            A02 (evicted): web_shell C:\inetpub\wwwroot\aspnet_client\log.aspx
            A02 (evicted): web_shell C:\inetpub\wwwroot\aspnet_client\other.aspx
          invented: none
          state wrong: none

        STEPS OF THE STORY, where something is left: found within 2 minutes
                           found            other stage  nothing left
          probed           66.6 %  2 of 3            0             1
          exploited        66.6 %  2 of 3            0             1
          foothold         66.6 %  2 of 3            0             1
          hands_on         66.6 %  2 of 3            0             1
          impact                –  0 of 0            0             0
          steps of effect found, off by: median 0.0 s, 90th percentile 0.0 s, max 0.0 s

        TIMES
          first effect, within 2 minutes                 66.6 %   2 of 3
            those said, off by: median 0.0 s, 90th percentile 0.0 s, max 0.0 s
            not said: 1
          last effect, within 2 minutes                  66.6 %   2 of 3
            those said, off by: median 0.0 s, 90th percentile 0.0 s, max 0.0 s
            not said: 1
          patch, within 12 hours                         83.3 %   5 of 6
            those said, off by: median 0.0 s, 90th percentile 0.0 s, max 0.0 s
            not said: 1
          days from effect to patch, within one          66.6 %   2 of 3
          first effect truly earlier, but nothing of that left: 0

        WRONG STATE OF EXPOSURE: 1
          A02 (evicted): absent, though patched

        COVERAGE: what the report says it saw, against what was there
          covered hosts, every need seen wholly         100.0 %   5 of 5
          other hosts, some need not seen wholly        100.0 %   2 of 2
          mean seen                     truly covered        verdict right
          from  100.0 %            100.0 % of 5           20.0 % of 5
          from   95.0 %                  – of 0                – of 0
          from   75.0 %                  – of 0                – of 0
          from   50.0 %                  – of 0                – of 0
          from   25.0 %              0.0 % of 2          100.0 % of 2
          from    0.0 %                  – of 0                – of 0
          sufficient, though not covered: none
          not sufficient, though covered: none

        SCENARIOS: verdicts right, and grave errors
          clean                                     0.0 %   0 of 1
          compromised                               0.0 %   0 of 1        1 grave
          evicted                                   0.0 %   0 of 1
          exposed                                 100.0 %   1 of 1
          not-affected                              0.0 %   0 of 1
          nothing-left                            100.0 %   1 of 1
          reinfected                                0.0 %   0 of 1
          unproven                                100.0 %   1 of 1
    "]]
    .assert_eq(&text);
}

#[test]
fn nothing_of_nothing_is_no_hundred_per_cent() {
    let nothing = FleetTruth {
        hosts: Vec::new(),
        ..fleet()
    };
    let score = score(&perfect(&nothing), &nothing);
    assert!(
        score
            .headlines
            .iter()
            .all(|headline| headline.rate.share().is_none())
    );
    let text = text(&score, &[], &plain);
    assert!(text.contains("GRAVE ERRORS: none\n"), "{text}");
    assert!(text.contains("MISSED: compromised, and not called so: none\n"));
    let shares = text.lines().filter(|line| !line.contains("from"));
    for line in shares {
        assert!(!line.contains('%'), "{line}");
    }
}

fn key(byte: u8) -> Key {
    Key::new([byte; 32])
}

#[test]
fn a_sealed_truth_opens_to_its_key_alone_and_unchanged() {
    let truth = fleet();
    let sealed = drill::seal(&truth, &key(1)).unwrap();
    let text = String::from_utf8_lossy(&sealed);
    assert!(!text.contains("A01") && !text.contains("compromised"));
    assert_eq!(drill::open(&sealed, &key(1)).unwrap(), truth);
    let error = drill::open(&sealed, &key(2)).unwrap_err();
    assert!(matches!(error, SealError::OtherKey));
    // Each part: the form, what commits to the key, the beginning, the middle and the tag.
    let places = [0, 29, 30, 61, 62, sealed.len() / 2, sealed.len() - 1];
    for place in places {
        let mut changed = sealed.clone();
        changed[place] ^= 1;
        assert!(drill::open(&changed, &key(1)).is_err(), "byte {place}");
        assert_ne!(drill::commitment(&changed), drill::commitment(&sealed));
    }
    for length in [0, 10, 40, 62, 70, sealed.len() - 1] {
        assert!(
            drill::open(&sealed[..length], &key(1)).is_err(),
            "{length} bytes"
        );
    }
}

#[test]
fn the_length_of_a_sealed_truth_tells_nothing() {
    let length = |host| {
        let truth = FleetTruth::of_one(host);
        drill::seal(&truth, &key(1)).unwrap().len()
    };
    assert_eq!(
        length(clear("A")),
        length(host("A", "compromised", break_in))
    );
}

#[test]
fn a_key_reads_back_and_is_not_printed() {
    let bytes: Vec<u8> = (0..32).map(|byte| byte * 8).collect();
    let key = Key::new(bytes.try_into().unwrap());
    assert_eq!(key.to_text().parse::<Key>().unwrap(), key);
    assert!(!format!("{key:?}").contains("18"));
    for text in ["", "allclear/range-key/1", "allclear/range-key/1 00", "é"] {
        assert!(
            matches!(text.parse::<Key>(), Err(SealError::NoKey)),
            "{text}"
        );
    }
    let long = format!("allclear/range-key/1 {}é", "0".repeat(62));
    assert!(long.parse::<Key>().is_err());
}

#[test]
fn the_brief_states_the_hash_and_nothing_of_the_truth() {
    let truth = fleet();
    let hash = drill::commitment(&drill::seal(&truth, &key(1)).unwrap());
    let brief = drill::brief(&truth, &hash);
    assert_eq!(drill::commitment_in(&brief), Some(hash.as_str()));
    assert_eq!(drill::commitment_in("no hash"), None);
    assert_eq!(
        drill::commitment_in("SHA-256 of truth.sealed: 00"),
        None,
        "too short"
    );
    for host in &truth.hosts {
        for told in [&host.host, &host.summary, &"nothing-left".to_owned()] {
            assert!(!brief.contains(told.as_str()), "{told}");
        }
    }
    // Whatever befell the hosts, the words are the same.
    let mut other = truth.clone();
    for host in &mut other.hosts {
        *host = clear(&host.host);
    }
    assert_eq!(drill::brief(&other, &hash), brief);
    other.hosts.reverse();
    assert_eq!(drill::template(&other), drill::template(&truth));
    expect![[r"
        host,campaign,verdict,first_effect,footholds,patched,notes
        A01,lesson,,,,,
        A02,lesson,,,,,
        A03,lesson,,,,,
        A04,lesson,,,,,
        A05,lesson,,,,,
        A06,lesson,,,,,
        A07,lesson,,,,,
        A08,lesson,,,,,
    "]]
    .assert_eq(&drill::template(&truth));
}

#[test]
fn tables_of_a_drill_go_by_host_and_not_by_the_order_of_drawing() {
    let organisation = |id: &str, name: &str, host: &str| range::Organisation {
        id: id.to_owned(),
        name: name.to_owned(),
        sector: "health".to_owned(),
        country: "NO".to_owned(),
        employees: 12,
        hosts: vec![host.to_owned()],
    };
    let mut truth = fleet();
    truth.organisations = vec![
        organisation("o-1", "Last, but first drawn", "Z1"),
        organisation("o-2", "First", "A1"),
    ];
    assert_eq!(
        drill::organisations(&truth),
        "host,organisation,sector,country,employees\nA1,First,health,NO,12\n\
         Z1,\"Last, but first drawn\",health,NO,12\n"
    );
    let rows = "host,statement\n\"Z\",\"says \"\"no\"\", twice\"\n\"A\",\"yes\"\n";
    assert_eq!(
        drill::sorted_rows(rows).unwrap(),
        "host,statement\nA,yes\nZ,\"says \"\"no\"\", twice\"\n"
    );
    assert!(drill::sorted_rows("a,b\n1\n").is_err());
}

#[test]
fn answers_are_read_as_people_write_them() {
    let truth = fleet();
    let answers = drill::read_answers(
        "\u{feff}Host,campaign,verdict,first_effect,footholds,patched,notes\r\n\
         a01.corp.example,Lesson,Compromised,2021-03-01 04:00,C:\\a.aspx| C:\\b.aspx ,2021-03-04,sure\r\n\
         A07,lesson,not affected,,,never,\r\n\
         A08,lesson,,,,,no idea\r\n\
         ,,,,,,\r\n\
         A04,lesson,exposed,2021-03-02T05:00:00+01:00,,,\r\n",
        &truth,
    )
    .unwrap();
    let told: Vec<String> = answers
        .iter()
        .map(|answer| {
            format!(
                "{} {} {:?} {:?} {:?}",
                answer.host,
                answer.verdict.name(),
                answer.first_effect.map(|time| time.to_string()),
                answer.footholds,
                answer.patched.map(|time| time.to_string())
            )
        })
        .collect();
    expect![[r#"
        A01 compromised Some("2021-03-01T04:00:00Z") ["C:\\a.aspx", "C:\\b.aspx"] Some("2021-03-04T12:00:00Z")
        A07 not_affected None [] None
        A04 exposed Some("2021-03-02T04:00:00Z") [] None"#]].assert_eq(&told.join("\n"));
    let semicolons = "host;campaign;verdict;first_effect;footholds;patched\nA07;lesson;clear;;;\n";
    assert_eq!(drill::read_answers(semicolons, &truth).unwrap().len(), 1);
}

#[test]
fn rows_that_cannot_be_read_are_told_by_line() {
    let truth = fleet();
    let problems = |text: &str| {
        let problems = drill::read_answers(text, &truth).unwrap_err();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        problems.join("\n")
    };
    expect![[r"
        line 2: `hacked` is no verdict; give compromised, reinfected, evicted, exposed, unproven, clear or not_affected
        line 3: `yesterday` in first_effect is no time; write 2021-03-02T04:15:32Z or 2021-03-02, in UTC
        line 4: no host is named `A99`; leave the column as it was in the empty table
        line 5: no campaign is named `other`; there are: lesson
        line 6: the row has answers but no verdict; give compromised, reinfected, evicted, exposed, unproven, clear or not_affected
        line 8: A05 and lesson were answered in line 7 already; keep one row
        line 9: there are 8 cells for 7 columns; put double quotes around a cell that holds a comma
        line 10: `2021-02-30` in patched is no time; write 2021-03-02T04:15:32Z or 2021-03-02, in UTC"]].assert_eq(&problems(
        "host,campaign,verdict,first_effect,footholds,patched,notes\n\
         A01,lesson,hacked,,,,\n\
         A02,lesson,clear,yesterday,,,\n\
         A99,lesson,clear,,,,\n\
         A03,other,clear,,,,\n\
         A04,lesson,,,C:\\a.aspx,,\n\
         A05,lesson,exposed,,,,\n\
         A05,lesson,clear,,,,\n\
         A06,lesson,clear,,,2021-02-30,a note, with a comma\n\
         A06,lesson,clear,,,2021-02-30,\n",
    ));
    expect!["line 1: there is no column host; the columns are host,campaign,verdict,first_effect,footholds,patched,notes"].assert_eq(&problems("name,answer\nA01,clear\n"));
    expect!["line 1: there is no column host; the columns are host,campaign,verdict,first_effect,footholds,patched,notes"].assert_eq(&problems(""));
}

#[test]
fn a_team_is_scored_on_what_it_answered_in_the_words_of_a_report() {
    let truth = fleet();
    let answers = drill::read_answers(
        &format!(
            "host,campaign,verdict,first_effect,footholds,patched,notes\n\
             A01,lesson,compromised,2021-03-01T04:01:00Z,{SHELL}|C:\\made-up.aspx,2021-03-04,\n\
             A02,lesson,clear,,,2021-03-01,\n\
             A07,lesson,unproven,,,,\n"
        ),
        &truth,
    )
    .unwrap();
    let report = perfect(&truth);
    let scored = drill::score_answers(&answers, &truth, Some(&report));
    assert_eq!((scored.rows, scored.answered), (8, 3));
    assert_eq!(scored.unanswered.len(), 5);
    let team = &scored.team;
    assert_eq!(
        team.grave_errors[0].outcome,
        Outcome::Grave(Grave::ClearThoughCompromised)
    );
    assert_eq!((team.hiding.len(), team.missed.len()), (1, 0));
    assert_eq!(team.footholds.precision, Rate::of(1, 2));
    assert_eq!(team.footholds.recall, Rate::of(1, 4));
    assert_eq!(team.dates.first.right, Rate::of(1, 2));
    assert_eq!(team.dates.patched.right, Rate::of(1, 3));
    // It was not asked for stages, steps, states and coverage.
    assert!(team.stages.is_none() && team.story.is_none() && team.coverage.is_none());
    assert!(team.headline("foothold_states_right").is_none());
    let text = drill::drill_text(&scored, &plain);
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    expect![[r"
        Drill: 3 of 8 rows answered

        GRAVE ERRORS: 1
          A02 (lesson): clear, though somebody got in
            truth: evicted; scenario evicted, seed 7

        HEADLINES
                                      team                    report
          verdicts_right                33.3 %  1 of 3         100.0 %  8 of 8
          assurances_right               0.0 %  0 of 1         100.0 %  3 of 3
          compromised_found             50.0 %  1 of 2         100.0 %  3 of 3
          clean_called_clear             0.0 %  0 of 1         100.0 %  1 of 1
          untouched_not_accused        100.0 %  1 of 1         100.0 %  4 of 4
          footholds_precision           50.0 %  1 of 2         100.0 %  6 of 6
          footholds_recall              25.0 %  1 of 4         100.0 %  6 of 6
          first_dated                   50.0 %  1 of 2         100.0 %  3 of 3
          patch_dated                   33.3 %  1 of 3         100.0 %  6 of 6
          days_before_patch_right       50.0 %  1 of 2         100.0 %  3 of 3

        VERDICTS: truth downwards, said across; + is accepted
          lesson
                         comprom unprovn   clear
          compromised          1       .       .
          evicted              .       .       1
          clear                .       1       .
          called compromised that are (precision)       100.0 %   1 of 1
          compromised that are called so (recall)       100.0 %   1 of 1

        MISSED: compromised, and not called so: none

        FALSE ALARMS: called compromised, and never was: none

        HIDING: clean and fully covered, not called clear: 1
          A07 (lesson): unproven
            truth: clear; scenario clean, seed 7

        OTHER WRONG VERDICTS: none

        UNANSWERED: 5
          A03 (lesson), A04 (lesson), A05 (lesson), A06 (lesson), A08 (lesson)

        FOOTHOLDS
          said that are ones                             50.0 %   1 of 2
          found, where something is left                 25.0 %   1 of 4
          not found, and nothing left: 0
          missed: 3
            A01 (compromised): web_shell C:\inetpub\wwwroot\aspnet_client\other.aspx
            A02 (evicted): web_shell C:\inetpub\wwwroot\aspnet_client\log.aspx
            A02 (evicted): web_shell C:\inetpub\wwwroot\aspnet_client\other.aspx
          invented: 1
            A01 (compromised): other C:\made-up.aspx

        TIMES
          first effect, within 2 minutes                 50.0 %   1 of 2
            those said, off by: median 1.0 min, 90th percentile 1.0 min, max 1.0 min
            not said: 1
          patch, within 12 hours                         33.3 %   1 of 3
            those said, off by: median 8.0 h, 90th percentile 3.3 days, max 3.3 days
            not said: 1
          days from effect to patch, within one          50.0 %   1 of 2
          first effect truly earlier, but nothing of that left: 0

        THE REPORT, ON ALL ROWS
          grave errors 0, missed 0, false alarms 0, hiding 0, others 0

        VERDICTS: truth downwards, said across; + is accepted
          lesson
                         comprom reinfct evicted exposed unprovn   clear not_aff
          compromised          1       .       .       .       .       .       .
          reinfected           .       1       .       .       .       .       .
          evicted              .       .       1       .       .       .       .
          exposed              .       .       .       1       .       .       .
          unproven             .       .       .       .       2       .       .
          clear                .       .       .       .       .       1       .
          not_affected         .       .       .       .       .       .       1
          called compromised that are (precision)       100.0 %   2 of 2
          compromised that are called so (recall)       100.0 %   2 of 2
    "]]
    .assert_eq(&text);
}

/// Answers that say what a perfect report says score as well as it does, and silence is no answer.
#[test]
fn a_team_that_knows_all_makes_no_error_and_one_that_says_nothing_none_either() {
    let truth = fleet();
    let template = drill::template(&truth);
    let silent = drill::read_answers(&template, &truth).unwrap();
    let silent = drill::score_answers(&silent, &truth, None);
    assert_eq!((silent.answered, silent.unanswered.len()), (0, 8));
    assert!(all_differences(&silent.team).is_empty());
    let mut filled = template.lines().next().unwrap().to_owned();
    for host in &truth.hosts {
        let said = said_of(host);
        let paths: Vec<&str> = said
            .compromise
            .footholds
            .iter()
            .map(|foothold| foothold.path.as_str())
            .collect();
        let told = |time: Option<Timestamp>| time.map_or_else(String::new, |time| time.to_string());
        write!(
            filled,
            "\n{},lesson,{},{},{},{},",
            host.host,
            said.verdict.name(),
            told(said.compromise.first),
            paths.join("|"),
            told(host.patched)
        )
        .unwrap();
    }
    let answers = drill::read_answers(&filled, &truth).unwrap();
    let scored = drill::score_answers(&answers, &truth, None);
    assert!(scored.unanswered.is_empty());
    for headline in &scored.team.headlines {
        assert_eq!(headline.rate.right, headline.rate.of, "{}", headline.name);
    }
}
