//! One suite for each database: what a case promises, behind SQLite and PostgreSQL.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests look at files of their own, and their helpers fail as tests do"
)]

mod support;

use store::{Added, Case, CaseError, FindingRow, GapRow, NewJob};
use support::{NOW, Place, collection, judged};

const MINUTE: i64 = 60_000_000;

macro_rules! suite {
    ($($test:ident,)+) => {
        mod sqlite {
            $(#[test] fn $test() { super::$test(&super::Place::sqlite()); })+
        }
        mod postgres {
            $(#[test] fn $test() {
                if let Some(place) = super::Place::postgres() {
                    super::$test(&place);
                }
            })+
        }
    };
}

suite! {
    a_collection_is_added_once,
    a_duplicate_execution_never_becomes_a_duplicate_commit,
    jobs_are_claimed_in_order_and_again_when_their_lease_runs_out,
    history_grows_only_where_a_verdict_says_something_else,
    a_judgement_of_less_than_is_known_leaves_the_host_dirty,
    what_a_killed_run_left_is_gone_with_the_next,
    two_runs_do_not_meet,
    changed_objects_and_entries_are_found,
    what_is_forgotten_is_gone_and_that_it_was_is_kept,
    a_ledger_of_a_later_format_is_refused,
    taken_evidence_is_kept_by_its_hash,
    passwords_are_not_written_down,
}

fn a_collection_is_added_once(place: &Place) {
    let case = place.create();
    assert_eq!(
        case.commit_collection(None, &collection("c-1", &["EX01", "EX02"]), NOW)
            .unwrap(),
        Added::New
    );
    assert_eq!(
        case.commit_collection(None, &collection("c-1", &["EX01", "EX02"]), NOW + 1)
            .unwrap(),
        Added::Known
    );
    let id = case.id().to_owned();
    drop(case);
    let case = place.open();
    assert_eq!(case.id(), id);
    let row = case.collection("c-1").unwrap().unwrap();
    assert_eq!((row.added, row.seq, row.taken), (NOW, 1, Some(NOW - 1)));
    let parts = case.host_parts("EX02").unwrap();
    assert_eq!(case.read_object(&parts[0].object).unwrap(), b"c-1 EX02");
    assert_eq!(
        case.known_location("/evidence/c-1", "f")
            .unwrap()
            .as_deref(),
        Some("c-1")
    );
    assert_eq!(case.known_location("/evidence/c-1", "g").unwrap(), None);
    assert!(case.verify().unwrap().whole());
    assert!(matches!(
        Case::create(&place.path(), &place.settings, NOW),
        Err(CaseError::Exists(_))
    ));
}

fn job(id: &str) -> NewJob {
    NewJob {
        id: id.to_owned(),
        kind: "check".to_owned(),
        subject: format!("/evidence/{id}"),
    }
}

fn a_duplicate_execution_never_becomes_a_duplicate_commit(place: &Place) {
    let case = place.create();
    case.add_jobs(&[job("j")]).unwrap();
    let slow = case.claim("check", "slow", NOW, MINUTE).unwrap().unwrap();
    assert_eq!(case.claim("check", "early", NOW + 1, MINUTE).unwrap(), None);
    let other = place.open();
    let quick = other
        .claim("check", "quick", NOW + 2 * MINUTE, MINUTE)
        .unwrap()
        .unwrap();
    assert_eq!((slow.token, quick.token, quick.attempts), (1, 2, 2));
    // A worker commits only while it holds the lease it started with.
    let late = case.commit_collection(Some(&slow), &collection("c-1", &["EX01"]), NOW + 2 * MINUTE);
    assert!(matches!(late, Err(CaseError::LeaseLost(_))));
    assert!(matches!(
        case.renew(&slow, NOW, MINUTE),
        Err(CaseError::LeaseLost(_))
    ));
    assert_eq!(
        other
            .commit_collection(Some(&quick), &collection("c-1", &["EX01"]), NOW)
            .unwrap(),
        Added::New
    );
    for claim in [&slow, &quick] {
        let again = case.commit_collection(Some(claim), &collection("c-2", &["EX01"]), NOW);
        assert!(matches!(again, Err(CaseError::LeaseLost(_))));
    }
    let row = case.job("j").unwrap().unwrap();
    assert_eq!(
        (&*row.state, row.collection.as_deref()),
        ("done", Some("c-1"))
    );
    let mut collections = Vec::new();
    case.each_collection(&mut |row| collections.push(row.id))
        .unwrap();
    assert_eq!(collections, ["c-1"]);
}

fn jobs_are_claimed_in_order_and_again_when_their_lease_runs_out(place: &Place) {
    let case = place.create();
    assert_eq!(case.add_jobs(&[job("b"), job("a"), job("c")]).unwrap(), 3);
    assert_eq!(case.add_jobs(&[job("a"), job("d")]).unwrap(), 1);
    let first = case.claim("check", "w", NOW, MINUTE).unwrap().unwrap();
    let second = case.claim("check", "w", NOW, MINUTE).unwrap().unwrap();
    assert_eq!((&*first.job, &*second.job), ("b", "a"));
    case.renew(&first, NOW, 10 * MINUTE).unwrap();
    case.fail(&second, "broken").unwrap();
    let third = case
        .claim("check", "w", NOW + 2 * MINUTE, MINUTE)
        .unwrap()
        .unwrap();
    assert_eq!(third.job, "c");
    case.give_back(&third, "later").unwrap();
    assert_eq!(
        case.claim_job("c", "w", NOW, MINUTE)
            .unwrap()
            .unwrap()
            .attempts,
        2
    );
    assert_eq!(case.claim_job("c", "w", NOW, MINUTE).unwrap(), None);
    assert_eq!(case.retry_failed("check").unwrap(), 1);
    let again = case
        .claim("check", "w", NOW + 20 * MINUTE, MINUTE)
        .unwrap()
        .unwrap();
    assert_eq!(
        (&*again.job, again.token),
        ("b", 2),
        "a lease that ran out goes first"
    );
    case.finish(&again).unwrap();
    assert!(matches!(case.finish(&again), Err(CaseError::LeaseLost(_))));
}

fn history_grows_only_where_a_verdict_says_something_else(place: &Place) {
    let case = place.create();
    case.commit_collection(None, &collection("c-1", &["EX01"]), NOW)
        .unwrap();
    let changed = case
        .commit_host(&judged("EX01", "unproven", 1), NOW + 1)
        .unwrap();
    assert_eq!(
        (changed[0].before.as_deref(), &*changed[0].now),
        (None, "unproven")
    );
    assert!(
        case.commit_host(&judged("EX01", "unproven", 0), NOW + 2)
            .unwrap()
            .is_empty()
    );
    let changed = case
        .commit_host(&judged("EX01", "compromised", 0), NOW + 3)
        .unwrap();
    assert_eq!(changed[0].before.as_deref(), Some("unproven"));
    let history = case.history("EX01").unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|row| (&*row.verdict, row.judged, row.current))
        .collect();
    assert_eq!(
        told,
        [("unproven", NOW + 1, false), ("compromised", NOW + 3, true)]
    );
    // The report of each verdict of the past can still be read.
    let report = case
        .read_object(history[0].report_object.as_deref().unwrap())
        .unwrap();
    assert_eq!(report, b"EX01 is unproven");
    let mut judgement = judged("EX01", "compromised", 0);
    judgement.findings = vec![FindingRow {
        host: "EX01".to_owned(),
        id: "f-1".to_owned(),
        techniques: "[]".to_owned(),
        evidence: "a\0b".to_owned(),
        details: "{}".to_owned(),
        count: 1,
        ..FindingRow::default()
    }];
    judgement.gaps = vec![GapRow {
        host: "EX01".to_owned(),
        number: 1,
        kind: "missing".to_owned(),
        ..GapRow::default()
    }];
    for _ in 0..2 {
        case.commit_host(&judgement, NOW + 4).unwrap();
        assert_eq!(case.findings("EX01").unwrap()[0].evidence, "a\u{fffd}b");
        assert_eq!(case.gaps("EX01").unwrap(), judgement.gaps);
    }
    assert!(case.verify().unwrap().whole());
    assert_eq!(case.verify().unwrap().unnamed, Vec::<String>::new());
}

fn a_judgement_of_less_than_is_known_leaves_the_host_dirty(place: &Place) {
    let case = place.create();
    case.commit_collection(None, &collection("c-1", &["EX01"]), NOW)
        .unwrap();
    let seen = case.host("EX01").unwrap().unwrap().dirty;
    case.commit_collection(None, &collection("c-2", &["EX01"]), NOW)
        .unwrap();
    case.commit_host(&judged("EX01", "unproven", seen), NOW)
        .unwrap();
    let dirty = case.dirty_hosts().unwrap();
    assert_eq!((dirty.len(), dirty[0].dirty), (1, 2));
    case.commit_host(&judged("EX01", "unproven", 2), NOW)
        .unwrap();
    assert!(case.dirty_hosts().unwrap().is_empty());
}

fn what_a_killed_run_left_is_gone_with_the_next(place: &Place) {
    let case = place.create();
    case.commit_collection(None, &collection("c-1", &["EX01"]), NOW)
        .unwrap();
    // Killed after objects were written and before the ledger named them, and while one was being written.
    case.objects()
        .put_bytes("events/c-2/EX02-0.parquet", b"x")
        .unwrap();
    std::fs::write(place.path().join("objects/events/c-2/EX03.part~"), b"half").unwrap();
    std::fs::create_dir(place.path().join("staging/worker")).unwrap();
    std::fs::write(place.path().join("staging/worker/w"), b"half").unwrap();
    drop(case);
    let case = place.open();
    assert_eq!(case.verify().unwrap().unnamed.len(), 2);
    let run = case.begin_run().unwrap();
    let found = case.verify_and_repair(&run).unwrap();
    assert!(found.whole() && found.unnamed.is_empty(), "{found:?}");
    assert_eq!(std::fs::read_dir(case.staging()).unwrap().count(), 0);
    assert_eq!(
        case.commit_collection(None, &collection("c-2", &["EX02"]), NOW)
            .unwrap(),
        Added::New
    );
}

fn two_runs_do_not_meet(place: &Place) {
    let case = place.create();
    let other = place.open();
    let run = case.begin_run().unwrap();
    assert!(matches!(other.begin_run(), Err(CaseError::Busy)));
    drop(run);
    drop(other.begin_run().unwrap());
    if place.settings.database_url.is_some() {
        // From another folder, as on another machine.
        let elsewhere = tempfile::tempdir().unwrap();
        let joined = Case::join(elsewhere.path(), &place.settings).unwrap();
        assert_eq!(joined.id(), case.id());
        let _run = case.begin_run().unwrap();
        assert!(matches!(joined.begin_run(), Err(CaseError::Busy)));
    }
}

fn changed_objects_and_entries_are_found(place: &Place) {
    let case = place.create();
    case.commit_collection(None, &collection("c-1", &["EX01", "EX02"]), NOW)
        .unwrap();
    case.note("exported", &serde_json::json!({ "to": "é" }), NOW)
        .unwrap();
    let found = case.verify().unwrap();
    assert_eq!((found.audit, found.objects, found.whole()), (3, 2, true));
    let object = |host: &str| case.host_parts(host).unwrap()[0].object.clone();
    std::fs::write(
        place.path().join("objects").join(object("EX01")),
        b"c-1 EX09",
    )
    .unwrap();
    case.objects().delete(&object("EX02")).unwrap();
    let found = case.verify().unwrap();
    assert_eq!(
        (found.damaged, found.missing),
        (vec![object("EX01")], vec![object("EX02")])
    );
}

fn what_is_forgotten_is_gone_and_that_it_was_is_kept(place: &Place) {
    let case = place.create();
    case.commit_collection(None, &collection("c-1", &["EX01", "EX02"]), NOW)
        .unwrap();
    case.commit_collection(None, &collection("c-2", &["EX01"]), NOW)
        .unwrap();
    for host in ["EX01", "EX02"] {
        let dirty = case.host(host).unwrap().unwrap().dirty;
        case.commit_host(&judged(host, "unproven", dirty), NOW)
            .unwrap();
    }
    let forgotten = case.forget_collection("c-1", NOW + 1).unwrap();
    assert_eq!(
        (forgotten.hosts, forgotten.to_judge),
        (vec!["EX02".to_owned()], vec!["EX01".to_owned()])
    );
    // What readers said of two hosts, and the reports of both.
    assert_eq!(forgotten.objects, 4);
    assert_eq!(case.dirty_hosts().unwrap()[0].dirty, -1);
    assert!(case.host("EX02").unwrap().is_none());
    assert_eq!(case.history("EX01").unwrap().len(), 1);
    assert_eq!(case.objects().list().unwrap().len(), 1);
    case.forget_host("EX01", NOW + 2).unwrap();
    assert!(matches!(
        case.forget_host("EX01", NOW),
        Err(CaseError::Unknown { .. })
    ));
    assert!(case.objects().list().unwrap().is_empty());
    let found = case.verify().unwrap();
    assert!(found.whole(), "{found:?}");
    let mut last = None;
    case.each_audit(&mut |row| last = Some((row.what, row.time)))
        .unwrap();
    assert_eq!(last, Some(("forgotten".to_owned(), NOW + 2)));
    // What was forgotten may come again.
    assert_eq!(
        case.commit_collection(None, &collection("c-1", &["EX01"]), NOW)
            .unwrap(),
        Added::New
    );
}

fn a_ledger_of_a_later_format_is_refused(place: &Place) {
    drop(place.create());
    let path = place.path().join("case.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("allclear/case/1", "allclear/case/3")).unwrap();
    let problem = Case::open(&place.path(), &place.settings).unwrap_err();
    assert_eq!(
        problem.to_string(),
        "the case has format allclear/case/3; this version of allclear reads formats up to 2"
    );
    std::fs::write(&path, "{}").unwrap();
    assert!(matches!(
        Case::open(&place.path(), &place.settings),
        Err(CaseError::Description { .. })
    ));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(
        Case::open(&place.path(), &place.settings),
        Err(CaseError::NoCase(_))
    ));
    // A creation that was cut off before its last step is taken up.
    drop(Case::create(&place.path(), &place.settings, NOW).unwrap());
}

fn taken_evidence_is_kept_by_its_hash(place: &Place) {
    let case = place.create();
    for id in ["c-1", "c-2"] {
        case.commit_collection(None, &collection(id, &["EX01"]), NOW)
            .unwrap();
        let object = case
            .take(id, "C:\\a.log", &mut &b"evidence"[..], NOW)
            .unwrap();
        assert_eq!(
            object.name,
            format!("taken/{}/{}", &object.sha256[..2], object.sha256)
        );
        assert_eq!(case.read_object(&object.name).unwrap(), b"evidence");
    }
    case.forget_collection("c-1", NOW).unwrap();
    let taken = |case: &Case| {
        let names = case.objects().list().unwrap();
        names
            .iter()
            .filter(|name| name.starts_with("taken/"))
            .count()
    };
    assert_eq!(taken(&case), 1, "another collection has it too");
    case.forget_collection("c-2", NOW).unwrap();
    assert_eq!(taken(&case), 0);
    assert!(matches!(
        case.take("c-9", "x", &mut &b""[..], NOW),
        Err(CaseError::Unknown { .. })
    ));
}

fn passwords_are_not_written_down(place: &Place) {
    let mut settings = place.settings.clone();
    let Some(url) = &mut settings.database_url else {
        return;
    };
    // A server that trusts takes any password.
    *url = url.replace("allclear@", "allclear:secret@");
    drop(Case::create(&place.path(), &settings, NOW).unwrap());
    let text = std::fs::read_to_string(place.path().join("case.json")).unwrap();
    assert!(
        text.contains("postgres://allclear@") && !text.contains("secret"),
        "{text}"
    );
    drop(Case::open(&place.path(), &store::Settings::default()).unwrap());
}
