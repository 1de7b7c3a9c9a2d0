//! Timelines, the picture from above, and questions over a case that `store` keeps.

mod kit;

use kit::{TestCase, limits, micros};
use query::above::{Above, Options, Weights, above};
use query::timeline::{Format, Forms, Selection, timeline, undated};
use query::{JsonLines, Questions, Source};
use serde_json::Value;
use std::collections::BTreeMap;
use store::{
    Case, CollectionRow, FindingRow, Judged, NewCollection, NewPart, Settings, VerdictRow,
};

fn exported(questions: &Questions, selection: &Selection, format: Format) -> String {
    let forms = Forms::built_in().expect("what we ship parses");
    let mut out = Vec::new();
    timeline(questions, selection, &forms, format, &mut out).expect("it is written");
    String::from_utf8(out).expect("timelines are UTF-8")
}

#[test]
fn timesketch_gets_events_in_order_of_time() {
    let case = TestCase::small();
    let questions = case.questions();
    let lines = exported(
        &questions,
        &Selection::default(),
        Format::TimesketchJsonLines,
    );
    let events: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("it is JSON"))
        .collect();
    assert_eq!(events.len(), 6);
    assert_eq!(
        events[0]["message"],
        "POST /ecp/y.js answered 200 to 203.0.113.5"
    );
    assert_eq!(events[0]["datetime"], "2021-02-28T10:00:00.000000+00:00");
    assert_eq!(events[0]["timestamp"], micros("2021-02-28T10:00:00Z"));
    assert_eq!(events[0]["timestamp_desc"], "Event Logged");
    assert_eq!(events[0]["host"], "EX01");
    let times: Vec<i64> = events
        .iter()
        .filter_map(|event| event["timestamp"].as_i64())
        .collect();
    assert!(times.is_sorted() && times.len() == 6);
    assert!(
        lines.chars().all(|c| c == '\n' || !c.is_control()),
        "{lines:?}"
    );
    assert_eq!(
        undated(&questions, &Selection::default()).expect("it is answered"),
        1
    );
}

#[test]
fn a_selection_begins_with_its_first_moment_and_ends_before_its_last() {
    let case = TestCase::small();
    let selection = Selection {
        host: Some("EX01".to_owned()),
        from: Some("2021-03-03T04:00:00Z".parse().expect("it is a time")),
        until: Some("2021-03-09T12:00:00Z".parse().expect("it is a time")),
    };
    let csv = exported(&case.questions(), &selection, Format::TimesketchCsv);
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let header = rows.headers().expect("it has one").clone();
    assert_eq!(
        header.iter().take(5).collect::<Vec<_>>(),
        ["message", "datetime", "timestamp", "timestamp_desc", "host"]
    );
    let rows: Vec<csv::StringRecord> = rows.records().map(|row| row.expect("it is CSV")).collect();
    assert_eq!(rows.len(), 1);
    assert_eq!(&rows[0][1], "2021-03-03T04:00:00.000000+00:00");
}

#[test]
fn mactime_gets_file_times() {
    let case = TestCase::small();
    let body = exported(&case.questions(), &Selection::default(), Format::Body);
    assert_eq!(
        body,
        "0|EX01/C:\\inetpub\\wwwroot\\aspnet_client\\supp0rt.aspx|812-3|0|0|0|2170|0|1614729599|1614729601|1614729599\n\
         0|EX01/C:\\inetpub\\wwwroot\\aspnet_client\\supp0rt.aspx ($FILE_NAME)|812-3|0|0|0|2170|0|0|0|1614729598\n"
    );
}

fn picture(case: &TestCase) -> Above {
    let weights = Weights::built_in().expect("what we ship parses");
    let fixed = "2021-03-02T00:00:00Z".parse().expect("it is a time");
    let options = Options {
        campaign: None,
        disclosed: BTreeMap::from([("proxylogon".to_owned(), fixed)]),
    };
    above(&case.questions(), &weights, &options).expect("it is drawn")
}

#[test]
fn the_campaign_is_seen_from_above() {
    let case = TestCase::small();
    let picture = picture(&case);
    let mut text = Vec::new();
    query::above::text(&picture, &mut text).expect("it is written");
    expect_test::expect_file!["above.txt"]
        .assert_eq(&String::from_utf8(text).expect("it is UTF-8"));
}

#[test]
fn the_page_needs_nothing_and_runs_nothing() {
    let mut case = TestCase::small();
    case.ledger.add(
        "findings",
        &[
            ("host", "<script>alert(1)</script>"),
            ("id", "f-x"),
            ("campaign", "proxylogon"),
            ("stage", "exploited"),
            ("count", "#1"),
            ("client", "\"><img src=x onerror=alert(1)>\u{202e}"),
            ("time", "@2021-03-04T00:00:00Z"),
        ],
    );
    let mut page = Vec::new();
    query::above::html(&picture(&case), &mut page).expect("it is written");
    let page = String::from_utf8(page).expect("it is UTF-8");
    assert!(page.contains("<svg class=\"curve\"") && page.contains("<svg class=\"lanes\""));
    assert!(page.contains("default-src 'none'; style-src 'sha256-"));
    for bad in [
        "<script", "<img", "\u{202e}", "http://", "https://", " style=", "src=\"",
    ] {
        assert!(!page.contains(bad), "{bad}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)"));
}

#[test]
fn a_case_that_store_keeps_answers() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let now = micros("2021-04-01T00:00:00Z");
    let path = folder.path().join("case");
    let case = Case::create(&path, &Settings::default(), now).expect("it is made");
    let events = keep(&case, now);
    let source = Source::of(case).expect("it is opened");
    let questions =
        Questions::over(&source, limits(folder.path())).expect("questions can be set up");
    let ask = |sql: &str| {
        let mut out = Vec::new();
        questions
            .ask(sql, None, &mut JsonLines::new(&mut out))
            .expect("it is answered");
        String::from_utf8(out).expect("it is UTF-8")
    };
    assert_eq!(
        ask("SELECT count(*) AS n FROM events"),
        format!("{{\"n\":{events}}}\n")
    );
    assert_eq!(
        ask("SELECT host, verdict, sufficient, first FROM verdicts"),
        "{\"host\":\"EX01\",\"verdict\":\"compromised\",\"sufficient\":true,\"first\":\"2021-03-03T00:00:00Z\"}\n"
    );
    assert_eq!(
        ask("SELECT client, time, line FROM findings"),
        "{\"client\":\"203.0.113.5\",\"time\":\"2021-03-03T00:00:00Z\",\"line\":null}\n"
    );
    assert_eq!(ask("SELECT count(*) AS n FROM gaps"), "{\"n\":0}\n");
    for table in query::TABLES {
        ask(&format!("SELECT * FROM {}", table.name));
    }
    for view in query::VIEWS {
        ask(&format!("SELECT * FROM {}", view.name));
    }
}

/// A collection with events of one host, and what was judged of it.
fn keep(case: &Case, now: i64) -> u64 {
    let mut kit = TestCase::empty();
    kit.events(
        "c-1",
        "EX01",
        &[
            kit::request("2021-03-03T00:00:00Z", "203.0.113.5", "/ecp/y.js", "curl"),
            kit::request("2021-03-04T00:00:00Z", "203.0.113.6", "/ecp/y.js", "curl"),
        ],
    );
    let (_, object) = &kit.ledger.objects[0];
    let file = case.staging().join("events.parquet");
    std::fs::copy(kit.objects().join(&object.name), &file).expect("it is copied");
    let collection = NewCollection {
        row: CollectionRow {
            id: "c-1".to_owned(),
            sha256: "00".repeat(32),
            rejected: "{}".to_owned(),
            ..CollectionRow::default()
        },
        parts: vec![NewPart {
            host: "EX01".to_owned(),
            rule: "SYSTEM hive".to_owned(),
            bytes: b"seen".to_vec(),
        }],
        files: vec![store::NewFile {
            kind: store::FileKind::Events,
            host: "EX01".to_owned(),
            file,
            rows: 2,
            first: object.first,
            last: object.last,
        }],
        location: None,
    };
    case.commit_collection(None, &collection, now)
        .expect("it is committed");
    let judged = Judged {
        host: "EX01".to_owned(),
        host_rule: "SYSTEM hive".to_owned(),
        report: b"report".to_vec(),
        verdicts: vec![VerdictRow {
            host: "EX01".to_owned(),
            campaign: "proxylogon".to_owned(),
            verdict: "compromised".to_owned(),
            stage: Some("exploited".to_owned()),
            exposure: "vulnerable".to_owned(),
            first: Some(micros("2021-03-03T00:00:00Z")),
            sufficient: true,
            reasons: "[]".to_owned(),
            ..VerdictRow::default()
        }],
        findings: vec![FindingRow {
            host: "EX01".to_owned(),
            id: "f-1".to_owned(),
            client: Some("203.0.113.5".to_owned()),
            time: Some(micros("2021-03-03T00:00:00Z")),
            stage: Some("exploited".to_owned()),
            ..FindingRow::default()
        }],
        why: "a new collection".to_owned(),
        dirty: 1,
        ..Judged::default()
    };
    case.commit_host(&judged, now).expect("it is committed");
    2
}
