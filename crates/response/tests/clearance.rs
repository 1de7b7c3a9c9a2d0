//! A clearance is issued where everything is shown and nowhere else, and whoever checks it notices every change.

use model::report::{
    CampaignReport, Compromise, CoverageReport, Eviction, Exposure, ExposureState, Gate, GateState,
    HostReport, PackUsed, PersistenceReview, Statements, VerdictName,
};
use model::{Answer, Attestation, Place, Stage, Timestamp};
use proptest::prelude::*;
use response::clearance::{Refused, Request, contrary, document, looks, sheet, verify};
use response::eviction;
use response::signing::{Signer, new_key};
use store::Head;
use store::response::ObservationRow;

fn time(text: &str) -> Timestamp {
    text.parse().expect("it is a time")
}

fn attested(gate: &str, answer: Answer) -> Attestation {
    Attestation {
        host: "EX01".to_owned(),
        campaign: "campaign".to_owned(),
        gate: gate.to_owned(),
        answer,
        by: "M. Holm".to_owned(),
        role: "head of IT".to_owned(),
        time: time("2021-04-06T00:00:00Z"),
        statement: "done".to_owned(),
        place: Place::default(),
    }
}

fn gate(number: usize, state: GateState, by_person: bool) -> Gate {
    let id = format!("gate_{number}");
    Gate {
        title: format!("Gate {number}"),
        state,
        reason: "so".to_owned(),
        attested: by_person.then(|| attested(&id, Answer::Pass)),
        id,
    }
}

fn host(verdict: VerdictName, gates: Vec<Gate>) -> HostReport {
    HostReport {
        host: "EX01".to_owned(),
        host_rule: "given".to_owned(),
        collections: vec![model::report::CollectionReport {
            id: "c1".to_owned(),
            path: "evidence".to_owned(),
            sha256: "00".repeat(32),
            taken: Some(time("2021-04-23T00:00:00Z")),
            taken_rule: "given".to_owned(),
            container: "folder".to_owned(),
            manifest: None,
            accounting: model::Accounting::default(),
        }],
        persistence: PersistenceReview::default(),
        campaigns: vec![CampaignReport {
            campaign: "campaign".to_owned(),
            verdict,
            exposure: Exposure {
                state: ExposureState::Patched,
                product: None,
                build: None,
                spans: Vec::new(),
                basis: Vec::new(),
            },
            compromise: Compromise {
                stage: Stage::Foothold,
                stages: vec![Stage::Foothold],
                first: None,
                last: None,
                footholds: Vec::new(),
                story: Vec::new(),
            },
            coverage: CoverageReport {
                sufficient: true,
                needs: Vec::new(),
            },
            eviction: Eviction {
                gates,
                steps: Vec::new(),
                accepted: None,
            },
            reasons: vec!["a reason".to_owned()],
            grounds: Vec::new(),
            next: Vec::new(),
            next_steps: Vec::new(),
            findings: Vec::new(),
            statements: Statements::default(),
        }],
        leads: model::report::Leads::default(),
    }
}

fn issue(
    host: &HostReport,
    observations: &[ObservationRow],
) -> Result<response::clearance::Clearance, Vec<String>> {
    let packs = [PackUsed {
        name: "campaign".to_owned(),
        version: "1".to_owned(),
    }];
    let watch = pack::Watch {
        every_days: 7,
        times: 4,
        source: "a source".to_owned(),
    };
    document(&Request {
        host,
        campaign: "campaign",
        packs: &packs,
        observations,
        watch: Some(&watch),
        by: "A. Issuer",
        now: time("2021-05-01T00:00:00Z"),
        version: "0",
        audit: Head::default(),
    })
}

fn said(claim: &str, seen: Option<&str>, host: &str) -> ObservationRow {
    ObservationRow {
        campaign: "campaign".to_owned(),
        host: Some(host.to_owned()),
        claim: claim.to_owned(),
        seen: seen.map(|seen| time(seen).as_microsecond()),
        ..ObservationRow::default()
    }
}

/// What may happen to a host's judgement, one after the other.
#[derive(Clone, Debug)]
enum Step {
    Gate(usize, GateState, bool),
    Verdict(VerdictName),
    /// Somebody says that it is clear, or is not.
    Said(&'static str, Option<&'static str>),
    Issue,
}

fn step() -> impl Strategy<Value = Step> {
    let states = prop::sample::select(vec![
        GateState::Pass,
        GateState::Pass,
        GateState::Pass,
        GateState::NotApplicable,
        GateState::Fail,
        GateState::CannotTell,
    ]);
    let verdicts = prop::sample::select(vec![
        VerdictName::Evicted,
        VerdictName::Evicted,
        VerdictName::Clear,
        VerdictName::Unproven,
        VerdictName::Compromised,
        VerdictName::Exposed,
    ]);
    let claims = prop::sample::select(vec!["clear", "patched", "exploited", "web_shell"]);
    let times = prop::sample::select(vec![
        None,
        Some("2021-03-01T00:00:00Z"),
        Some("2021-04-30T00:00:00Z"),
    ]);
    prop_oneof![
        6 => (0_usize..4, states, any::<bool>()).prop_map(|(at, state, person)| Step::Gate(at, state, person)),
        2 => verdicts.prop_map(Step::Verdict),
        1 => (claims, times).prop_map(|(claim, seen)| Step::Said(claim, seen)),
        4 => Just(Step::Issue),
    ]
}

proptest! {
    /// By no way is there a clearance while a gate cannot be told, and nothing that is said from outside passes one.
    #[test]
    fn nothing_is_cleared_while_a_gate_is_not_passed(steps in prop::collection::vec(step(), 1..60)) {
        let mut verdict = VerdictName::Compromised;
        let mut gates: Vec<Gate> = (0..4).map(|at| gate(at, GateState::CannotTell, false)).collect();
        let mut observations = Vec::new();
        for step in steps {
            match step {
                Step::Gate(at, state, person) => gates[at] = gate(at, state, person),
                Step::Verdict(other) => verdict = other,
                Step::Said(claim, seen) => observations.push(said(claim, seen, "EX01.example.org")),
                Step::Issue => {
                    let host = host(verdict, gates.clone());
                    let passed = gates
                        .iter()
                        .all(|gate| matches!(gate.state, GateState::Pass | GateState::NotApplicable));
                    let reported = observations.iter().any(|seen: &ObservationRow| {
                        let later = seen.seen.is_none_or(|at| at > time("2021-04-23T00:00:00Z").as_microsecond());
                        matches!(seen.claim.as_str(), "exploited" | "web_shell") && later
                    });
                    let issued = issue(&host, &observations);
                    prop_assert_eq!(issued.is_ok(), passed && verdict.assures() && !reported);
                    match issued {
                        Ok(document) => {
                            prop_assert_eq!(document.gates.len(), 4);
                            for (gate, told) in gates.iter().zip(&document.gates) {
                                let person = gate.attested.is_some() && gate.state == GateState::Pass;
                                prop_assert_eq!(told.passed_by == "person", person);
                            }
                        }
                        Err(missing) => prop_assert!(!missing.is_empty()),
                    }
                }
            }
        }
    }
}

#[test]
fn a_report_about_another_host_or_from_before_is_no_matter() {
    let host = host(VerdictName::Clear, Vec::new());
    let campaign = &host.campaigns[0];
    let about = |seen, name| contrary(&host, campaign, &[said("web_shell", seen, name)]);
    assert_eq!(about(Some("2021-04-01T00:00:00Z"), "EX01").len(), 0);
    assert_eq!(about(Some("2021-05-01T00:00:00Z"), "EX02").len(), 0);
    assert_eq!(
        about(Some("2021-05-01T00:00:00Z"), "ex01.example.org").len(),
        1
    );
    assert_eq!(about(None, "EX01").len(), 1);
}

#[test]
fn whoever_verifies_notices_every_change() {
    let host = host(
        VerdictName::Evicted,
        vec![
            gate(0, GateState::Pass, false),
            gate(1, GateState::Pass, true),
        ],
    );
    let document = issue(&host, &[]).unwrap();
    let bytes = serde_json::to_vec_pretty(&document).unwrap();
    let key = new_key(None).unwrap();
    let signer = Signer::read(&key.secret, None).unwrap();
    let signature = signer.sign(&bytes, "a clearance").unwrap();
    assert_eq!(
        verify(&bytes, &signature, &key.public, None).as_ref(),
        Ok(&document)
    );
    assert_eq!(
        verify(&bytes, &signature, &signer.public(), None),
        Ok(document.clone())
    );
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let refused = verify(&changed, &signature, &key.public, None);
        assert_eq!(refused, Err(Refused::Tampered), "byte {at}");
        let cut = verify(&bytes[..at], &signature, &key.public, None);
        assert_eq!(cut, Err(Refused::Tampered), "cut at {at}");
    }
    for at in 0..signature.len() {
        let mut changed = signature.clone().into_bytes();
        changed[at] ^= 1;
        let Ok(changed) = String::from_utf8(changed) else {
            continue;
        };
        let first_line = signature.find('\n').unwrap_or(0);
        let answer = verify(&bytes, &changed, &key.public, None);
        // The first line is a comment that nobody signs; line ends and the words before comments are form.
        if at > first_line && answer.is_ok() {
            assert!(
                !signature.as_bytes()[at].is_ascii_alphanumeric(),
                "byte {at}"
            );
        }
    }
    // Another document by the same key, and another key.
    let other = signer.sign(b"{}", "another").unwrap();
    assert_eq!(
        verify(&bytes, &other, &key.public, None),
        Err(Refused::Tampered)
    );
    let stranger = new_key(None).unwrap();
    assert_eq!(
        verify(&bytes, &signature, &stranger.public, None),
        Err(Refused::OtherKey)
    );
    let refused = verify(b"{}", &other, &key.public, None);
    assert!(matches!(refused, Err(Refused::Malformed(_))), "{refused:?}");
}

#[test]
fn a_locked_key_signs_with_its_password_only() {
    let key = new_key(Some("horse")).unwrap();
    assert!(Signer::read(&key.secret, None).is_err());
    assert!(Signer::read(&key.secret, Some("donkey")).is_err());
    let signer = Signer::read(&key.secret, Some("horse")).unwrap();
    let signature = signer.sign(b"x", "c").unwrap();
    assert!(response::signing::check(b"x", &signature, &key.public).is_ok());
    assert!(Signer::read("x", None).is_err());
}

#[test]
fn looks_are_due_week_by_week_and_met_by_collections() {
    let host = host(VerdictName::Evicted, vec![gate(0, GateState::Pass, false)]);
    let document = issue(&host, &[]).unwrap();
    let taken = [
        time("2021-04-23T00:00:00Z"),
        time("2021-05-06T00:00:00Z"),
        time("2021-05-20T00:00:00Z"),
    ];
    let looks = looks(&document, &taken, time("2021-05-24T00:00:00Z"));
    let told: Vec<(bool, bool)> = looks
        .iter()
        .map(|look| (look.done.is_some(), look.overdue))
        .collect();
    // The second week was missed, and the fourth is not over.
    assert_eq!(
        told,
        [(true, false), (false, true), (true, false), (false, false)]
    );
    assert_eq!(looks[3].due, time("2021-05-29T00:00:00Z"));
    let page = sheet(&document, "00");
    assert!(page.title.contains("EX01"));
}

#[test]
fn a_statement_comes_back_as_it_was_kept() {
    let statement = attested("gate_1", Answer::NotApplicable);
    let row = eviction::row(&statement, 7);
    assert_eq!(eviction::attestation(&row), Some(statement.clone()));
    assert_eq!(eviction::row(&statement, 8).id, row.id);
    let mut other = statement;
    other.by = "N. Nobody".to_owned();
    assert_ne!(eviction::row(&other, 7).id, row.id);
}
