//! Scripted cases: what was observed of a host, and what must be said of it.

use assess::{Knowledge, assess, derived_findings};
use model::report::{CampaignReport, ExposureState, GateState, VerdictName};
use model::{
    Answer, Attestation, Build, BuildSeen, CollectionSeen, CompiledPage, Fact, FactAt, Finding,
    Foothold, FootholdKind, FootholdState, ItemSeen, Observed, Place, RewriteRule, Stage,
    Timestamp, VirtualDirectory,
};
use std::collections::BTreeMap;

const COLLECTION: &str = "c-1";
const OWA: &str = "C:\\Exchange\\FrontEnd\\HttpProxy\\owa";

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// A host with one collection, taken on 20 March 2021.
fn host() -> Observed {
    Observed {
        host: "EX01".to_owned(),
        collections: vec![CollectionSeen {
            id: COLLECTION.to_owned(),
            taken: Some(time("2021-03-20T00:00:00Z")),
            ..CollectionSeen::default()
        }],
        ..Observed::default()
    }
}

fn with_fact(mut host: Observed, item: &str, fact: Fact) -> Observed {
    host.facts.push(FactAt {
        fact,
        place: Place::item(COLLECTION, item),
    });
    host
}

/// Rows of a log that show a build from one time to another.
fn rows(host: Observed, build: &str, first: &str, last: &str) -> Observed {
    let seen = BuildSeen {
        product: "exchange".to_owned(),
        build: build.parse().expect("a build"),
        first: Some(time(first)),
        last: Some(time(last)),
        count: 10,
        rule: "HttpProxy row".to_owned(),
    };
    with_fact(host, "HttpProxy.log", Fact::Build(seen))
}

/// What the collection itself shows, without a time.
fn at_collection(host: Observed, build: &str, rule: &str) -> Observed {
    let seen = BuildSeen {
        product: "exchange".to_owned(),
        build: build.parse().expect("a build"),
        first: None,
        last: None,
        count: 1,
        rule: rule.to_owned(),
    };
    with_fact(host, rule, Fact::Build(seen))
}

fn with_item(mut host: Observed, path: &str, kind: &str) -> Observed {
    host.collections[0].items.push(ItemSeen {
        path: path.to_owned(),
        kind: kind.to_owned(),
        sha256: "0".repeat(64),
        ..ItemSeen::default()
    });
    host
}

fn finding(stage: Stage, when: Option<&str>) -> Finding {
    Finding {
        id: "f-1".to_owned(),
        rule: "rule".to_owned(),
        title: "a rule matched".to_owned(),
        stage: Some(stage),
        campaign: Some("proxylogon".to_owned()),
        level: "high".to_owned(),
        techniques: Vec::new(),
        time: when.map(time),
        last: None,
        count: 1,
        place: Place::item(COLLECTION, "some.log"),
        author: "Allclear".to_owned(),
        reference: String::new(),
        evidence: String::new(),
        meaning: "it means something".to_owned(),
        step: String::new(),
        details: BTreeMap::new(),
        foothold: None,
    }
}

fn judged(mut host: Observed) -> CampaignReport {
    let packs = pack::builtin_packs();
    let pack = packs
        .iter()
        .find(|pack| pack.manifest.name == "proxylogon")
        .expect("built in");
    let builds = pack::BuildTable::builtin();
    let products = pack::products();
    let shipped = pack::shipped_files::ShippedFiles::builtin();
    let knowledge = Knowledge {
        builds: &builds,
        products: &products,
        shipped: &shipped,
        questions: &pack::questions(),
        review: &pack::Review::builtin(),
    };
    derived_findings(&knowledge, &mut host);
    assess(pack, &knowledge, &host, None)
}

#[track_caller]
fn check(host: Observed, verdict: VerdictName, exposure: ExposureState) -> CampaignReport {
    let report = judged(host);
    assert_eq!(
        (report.verdict, report.exposure.state),
        (verdict, exposure),
        "{:#?}",
        report.reasons
    );
    assert!(!report.reasons.is_empty());
    assert_eq!(report.reasons.len(), report.grounds.len());
    report
}

#[test]
fn nothing_known_is_unproven_and_says_what_is_missing() {
    let report = check(
        Observed::default(),
        VerdictName::Unproven,
        ExposureState::Unknown,
    );
    assert!(!report.coverage.sufficient);
    assert!(
        report
            .coverage
            .needs
            .iter()
            .all(|need| !need.gaps.is_empty())
    );
    assert!(report.next_steps.iter().any(|step| step.kind == "collect"));
}

#[test]
fn a_patched_build_without_evidence_is_unproven() {
    let host = rows(
        host(),
        "15.1.2176.9",
        "2021-03-05T00:00:00Z",
        "2021-03-19T00:00:00Z",
    );
    check(host, VerdictName::Unproven, ExposureState::Patched);
}

#[test]
fn disputed_unknown_and_three_part_builds_are_unknown() {
    // 15.1.1466.14 lies between the two published thresholds; 15.1.2176.8 stands in no table.
    for build in ["15.1.1466.14", "15.1.2176.8", "15.1.2176"] {
        let host = rows(
            host(),
            build,
            "2021-01-05T00:00:00Z",
            "2021-03-19T00:00:00Z",
        );
        check(host, VerdictName::Unproven, ExposureState::Unknown);
    }
}

#[test]
fn a_three_part_build_decides_where_all_builds_of_its_update_agree() {
    let fixed = at_collection(host(), "15.1.2242", "registry Setup key");
    check(fixed, VerdictName::Unproven, ExposureState::Patched);
    let open = at_collection(host(), "15.1.1034", "registry Setup key");
    check(open, VerdictName::Exposed, ExposureState::Vulnerable);
}

#[test]
fn files_that_stayed_old_outweigh_rows_that_look_patched() {
    let host = rows(
        host(),
        "15.1.2176.9",
        "2021-03-05T00:00:00Z",
        "2021-03-19T00:00:00Z",
    );
    let host = at_collection(host, "15.1.2176.2", "file version of a binary");
    let report = check(host, VerdictName::Exposed, ExposureState::Vulnerable);
    assert!(report.next_steps.iter().any(|step| step.kind == "patch"));
}

#[test]
fn a_server_that_was_rolled_back_is_exposed() {
    let host = rows(
        host(),
        "15.1.2176.9",
        "2021-03-05T00:00:00Z",
        "2021-03-10T00:00:00Z",
    );
    let host = rows(
        host,
        "15.1.2176.2",
        "2021-03-11T00:00:00Z",
        "2021-03-19T00:00:00Z",
    );
    check(host, VerdictName::Exposed, ExposureState::Vulnerable);
}

#[test]
fn the_registry_stays_at_the_cumulative_update_and_contradicts_nothing() {
    let host = rows(
        host(),
        "15.1.2176.9",
        "2021-03-05T00:00:00Z",
        "2021-03-19T00:00:00Z",
    );
    let host = at_collection(host, "15.1.2176.2", "registry Setup key");
    check(host, VerdictName::Unproven, ExposureState::Patched);
}

#[test]
fn probes_convict_nobody_and_an_effect_without_time_convicts() {
    let mut probed = host();
    probed.findings = vec![finding(Stage::Probed, Some("2021-02-27T00:00:00Z"))];
    let report = check(probed, VerdictName::Unproven, ExposureState::Unknown);
    assert_eq!(report.compromise.stage, Stage::Probed);

    let mut exploited = host();
    exploited.findings = vec![finding(Stage::Exploited, None)];
    let report = check(exploited, VerdictName::Compromised, ExposureState::Unknown);
    assert_eq!(
        (report.compromise.first, report.compromise.last),
        (None, None)
    );
}

#[test]
fn a_dated_effect_and_a_dated_patch_are_compared() {
    let host = rows(
        host(),
        "15.1.2176.2",
        "2021-01-01T00:00:00Z",
        "2021-03-06T00:00:00Z",
    );
    let mut host = rows(
        host,
        "15.1.2176.9",
        "2021-03-07T10:00:00Z",
        "2021-03-19T00:00:00Z",
    );
    host.findings = vec![finding(Stage::Exploited, Some("2021-03-03T06:49:00Z"))];
    let report = check(host, VerdictName::Compromised, ExposureState::Patched);
    assert!(
        report
            .reasons
            .iter()
            .any(|reason| reason.contains("exploited 4 days before it was patched")),
        "{:#?}",
        report.reasons
    );
    // Patched is not evicted: every gate but the patch is open, and each says why.
    assert!(report.eviction.gates.len() > 3);
    assert!(
        report
            .eviction
            .gates
            .iter()
            .all(|gate| !gate.reason.is_empty())
    );
}

#[test]
fn a_mitigation_is_told_but_is_no_patch() {
    let mut host = rows(
        host(),
        "15.1.2176.2",
        "2021-01-01T00:00:00Z",
        "2021-03-19T00:00:00Z",
    );
    for header in ["X-AnonResource-Backend", "X-BEResource"] {
        host = with_fact(host, "applicationHost.config", abort_rule(header, &[]));
    }
    check(host.clone(), VerdictName::Exposed, ExposureState::Mitigated);

    let mut cancelled = host;
    cancelled
        .facts
        .retain(|known| !matches!(known.fact, Fact::RewriteRule(_)));
    for header in ["X-AnonResource-Backend", "X-BEResource"] {
        let rule = abort_rule(header, &["Default Web Site/ecp"]);
        cancelled = with_fact(cancelled, "applicationHost.config", rule);
    }
    check(cancelled, VerdictName::Exposed, ExposureState::Vulnerable);
}

fn abort_rule(header: &str, cancelled_in: &[&str]) -> Fact {
    Fact::RewriteRule(RewriteRule {
        location: "Default Web Site".to_owned(),
        name: format!("{header} Abort - inbound"),
        enabled: true,
        pattern: ".*".to_owned(),
        conditions: vec![format!("{{HTTP_COOKIE}} =~ (.*){header}(.*)")],
        action: "AbortRequest".to_owned(),
        cancelled_in: cancelled_in.iter().map(ToString::to_string).collect(),
        faults: Vec::new(),
    })
}

fn owa(host: Observed) -> Observed {
    let directory = VirtualDirectory {
        site: "Default Web Site".to_owned(),
        site_id: 1,
        url_path: "/owa".to_owned(),
        physical_path: OWA.to_owned(),
    };
    with_fact(
        host,
        "applicationHost.config",
        Fact::VirtualDirectory(directory),
    )
}

fn compiled(host: Observed, page: &str) -> Observed {
    let fact = Fact::CompiledPage(CompiledPage {
        virtual_path: page.to_owned(),
        assembly: "App_Web_abcdefgh".to_owned(),
        sources: Vec::new(),
    });
    with_fact(host, "x.compiled", fact)
}

#[test]
fn a_compiled_page_whose_source_is_gone_is_a_past_effect() {
    let host = compiled(owa(host()), "/owa/auth/surprise.aspx");
    let host = with_item(host, &format!("{OWA}\\auth\\logon.css"), "");
    let report = check(host, VerdictName::Compromised, ExposureState::Unknown);
    let foothold = &report.compromise.footholds[0];
    assert_eq!(foothold.state, FootholdState::AbsentVerified);
    assert!(model::same_path(
        &foothold.path,
        &format!("{OWA}\\auth\\surprise.aspx")
    ));
}

#[test]
fn a_compiled_page_whose_folder_was_not_collected_is_a_gap() {
    let host = compiled(owa(host()), "/owa/auth/surprise.aspx");
    check(host, VerdictName::Unproven, ExposureState::Unknown);
}

#[test]
fn a_compiled_page_whose_source_is_there_is_nothing() {
    let host = compiled(owa(host()), "/owa/auth/custom.aspx");
    let host = with_item(host, &format!("{OWA}\\auth\\custom.aspx"), "web.script");
    let report = judged(host);
    assert_eq!(report.compromise.stage, Stage::NoneSeen);
}

#[test]
fn logs_and_files_that_name_one_shell_make_one_foothold() {
    let mut host = owa(host());
    let shell = |path: &str, state| {
        Some(Foothold {
            kind: FootholdKind::WebShell,
            path: path.to_owned(),
            sha256: None,
            state,
        })
    };
    let paths = [
        format!("{OWA}\\auth\\shell.aspx"),
        "/owa/auth/shell.aspx".to_owned(),
        "\\\\EX01\\c$\\Exchange\\FrontEnd\\HttpProxy\\owa\\auth\\SHELL.aspx".to_owned(),
    ];
    for (number, path) in paths.iter().enumerate() {
        let mut found = finding(Stage::Foothold, Some("2021-03-01T00:00:00Z"));
        found.id = format!("f-{number}");
        found.foothold = shell(path, FootholdState::Unknown);
        host.findings.push(found);
    }
    let report = check(host, VerdictName::Compromised, ExposureState::Unknown);
    assert_eq!(
        report.compromise.footholds.len(),
        1,
        "{:#?}",
        report.compromise.footholds
    );
    assert_eq!(report.compromise.footholds[0].findings.len(), 3);
}

#[test]
fn a_build_is_not_believed_before_it_is_seen() {
    let host = rows(
        host(),
        "15.1.2176.2",
        "2021-02-01T00:00:00Z",
        "2021-03-01T00:00:00Z",
    );
    let host = rows(
        host,
        "15.1.2176.9",
        "2021-03-12T00:00:00Z",
        "2021-03-19T00:00:00Z",
    );
    let report = judged(host);
    let spans: Vec<(ExposureState, Option<Build>, Option<Timestamp>)> = report
        .exposure
        .spans
        .iter()
        .map(|span| (span.state, span.build, span.until))
        .collect();
    assert_eq!(
        spans,
        [
            (
                ExposureState::Unknown,
                None,
                Some(time("2021-02-01T00:00:00Z"))
            ),
            (
                ExposureState::Vulnerable,
                Some(Build::new(15, 1, 2176, 2)),
                Some(time("2021-03-12T00:00:00Z"))
            ),
            (
                ExposureState::Patched,
                Some(Build::new(15, 1, 2176, 9)),
                None
            ),
        ]
    );
}

fn attested(mut host: Observed, gate: &str, answer: Answer, when: &str) -> Observed {
    host.attestations.push(Attestation {
        host: "EX01".to_owned(),
        campaign: "proxylogon".to_owned(),
        gate: gate.to_owned(),
        answer,
        by: "R. Meier".to_owned(),
        role: String::new(),
        time: time(when),
        statement: "done".to_owned(),
        place: Place::default(),
    });
    host
}

fn gate<'a>(report: &'a CampaignReport, id: &str) -> &'a model::report::Gate {
    report
        .eviction
        .gates
        .iter()
        .find(|gate| gate.id == id)
        .expect("a gate of the pack")
}

#[test]
fn a_person_decides_a_gate_that_no_machine_can_and_only_after_the_last_sign_of_an_intruder() {
    let mut broken_into = host();
    broken_into
        .findings
        .push(finding(Stage::Exploited, Some("2021-03-05T00:00:00Z")));
    let report = judged(broken_into.clone());
    assert_eq!(
        gate(&report, "credentials_reset").state,
        GateState::CannotTell
    );

    let stated = attested(
        broken_into.clone(),
        "credentials_reset",
        Answer::Pass,
        "2021-03-18T00:00:00Z",
    );
    let stated = attested(
        stated,
        "krbtgt_reset",
        Answer::NotApplicable,
        "2021-03-18T00:00:00Z",
    );
    // What was renewed while somebody was still inside could be taken again.
    let stated = attested(
        stated,
        "machine_keys_rotated",
        Answer::Pass,
        "2021-03-04T23:59:59Z",
    );
    // The latest word counts.
    let stated = attested(stated, "monitored", Answer::Pass, "2021-03-18T00:00:00Z");
    let stated = attested(stated, "monitored", Answer::Fail, "2021-03-19T00:00:00Z");
    let report = judged(stated);
    let state = |id: &str| gate(&report, id).state;
    assert_eq!(state("credentials_reset"), GateState::Pass);
    assert_eq!(state("krbtgt_reset"), GateState::NotApplicable);
    assert_eq!(state("machine_keys_rotated"), GateState::CannotTell);
    assert_eq!(state("monitored"), GateState::Fail);
    assert!(
        gate(&report, "credentials_reset")
            .reason
            .contains("R. Meier")
    );
    // Everything else is not proven, so the words of a person alone evict nobody.
    assert_eq!(report.verdict, VerdictName::Compromised);
}

#[test]
fn a_statement_about_another_campaign_decides_nothing() {
    let mut host = host();
    host.findings
        .push(finding(Stage::Exploited, Some("2021-03-05T00:00:00Z")));
    let mut host = attested(host, "monitored", Answer::Pass, "2021-03-18T00:00:00Z");
    host.attestations[0].campaign = "another".to_owned();
    assert_eq!(
        gate(&judged(host), "monitored").state,
        GateState::CannotTell
    );
}

#[test]
fn what_no_pack_explains_is_not_of_a_campaign_whose_product_nobody_saw() {
    let unexplained = || Finding {
        campaign: None,
        ..finding(Stage::Foothold, None)
    };
    let mut nothing_seen = host();
    nothing_seen.findings.push(unexplained());
    check(
        nothing_seen,
        VerdictName::Compromised,
        ExposureState::Unknown,
    );
    let install = |product: &str| {
        Fact::InstallPath(model::InstallPath {
            product: product.to_owned(),
            path: "C:\\x".to_owned(),
            rule: "registry Setup key".to_owned(),
        })
    };
    let mut other = with_fact(host(), "SOFTWARE", install("orion"));
    other.findings.push(unexplained());
    check(other.clone(), VerdictName::Unproven, ExposureState::Unknown);
    let both = with_fact(other, "SOFTWARE", install("exchange"));
    check(both, VerdictName::Compromised, ExposureState::Unknown);
}

/// A shell that nobody knows speaks for a campaign only if it can be of it; what came before is to be looked at all the same.
#[test]
fn what_no_pack_explains_is_of_no_campaign_that_began_later_or_that_another_explains() {
    let shell = |campaign: Option<&str>, time: Option<&str>| Finding {
        campaign: campaign.map(str::to_owned),
        foothold: Some(model::Foothold {
            kind: model::FootholdKind::WebShell,
            path: "C:\\inetpub\\wwwroot\\a.aspx".to_owned(),
            sha256: None,
            state: FootholdState::Present,
        }),
        ..finding(Stage::Foothold, time)
    };
    let with = |findings: &[Finding]| {
        let mut host = host();
        host.findings.extend_from_slice(findings);
        judged(host)
    };
    // The window of the pack that is judged here begins with the year 2021.
    let early = with(&[shell(None, Some("2020-06-01T00:00:00Z"))]);
    assert_eq!(early.verdict, VerdictName::Unproven);
    let said = format!("{:?}", early.reasons);
    assert!(
        said.contains("belong to no stage of this campaign"),
        "{said}"
    );
    // Rules of a campaign may know what intruders do at any time.
    let early = with(&[shell(Some("proxylogon"), Some("2020-06-01T00:00:00Z"))]);
    assert_eq!(early.verdict, VerdictName::Unproven);
    let inside = with(&[shell(None, Some("2021-03-05T00:00:00Z"))]);
    assert_eq!(inside.verdict, VerdictName::Compromised);
    let undated = with(&[shell(None, None)]);
    assert_eq!(undated.verdict, VerdictName::Compromised);
    let of_another = with(&[shell(None, None), shell(Some("another"), None)]);
    assert_eq!(of_another.verdict, VerdictName::Unproven);
    let of_both = with(&[
        shell(None, None),
        shell(Some("another"), None),
        shell(Some("proxylogon"), None),
    ]);
    assert_eq!(of_both.verdict, VerdictName::Compromised);
}

#[test]
fn builds_of_another_product_are_judged_by_its_own_pack() {
    let packs = pack::builtin_packs();
    let pack = packs
        .iter()
        .find(|pack| pack.manifest.products == ["orion"]);
    let pack = pack.expect("built in");
    let known = pack::BuildTable::builtin();
    let status = |build: &str| {
        let build = build.parse().expect("a build");
        match pack.status_of("orion", &build, &known) {
            pack::BuildStatus::Fixed => "fixed",
            pack::BuildStatus::Vulnerable(_) => "vulnerable",
            pack::BuildStatus::Disputed(_) | pack::BuildStatus::Unknown(_) => "unknown",
        }
    };
    for (build, expected) in [
        ("2018.2.1.1", "unknown"),
        ("2019.4.5200.9083", "vulnerable"),
        ("2019.4.5200.9106", "fixed"),
        ("2019.4.5200.9999", "unknown"),
        ("2020.2.100.12299", "vulnerable"),
        ("2020.2.5300.12432", "vulnerable"),
        ("2020.2.15300.12766", "vulnerable"),
        ("2020.2.15300.12901", "fixed"),
        ("2020.2.15300", "unknown"),
    ] {
        assert_eq!(status(build), expected, "{build}");
    }
}
