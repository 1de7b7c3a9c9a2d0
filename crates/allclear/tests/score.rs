//! `allclear range score` and `allclear range drill`, as they are typed: what they say, what they refuse, and their exit
//! codes.

mod support;

use expect_test::expect;
use range::FleetTruth;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use support::{Run, allclear, read};
use tempfile::TempDir;

/// What a run says, its standard error behind `2| `, and its exit code.
fn shown(run: &Run) -> String {
    let mut text = run.stdout.clone();
    for line in run.stderr.lines() {
        writeln!(text, "2| {line}").expect("a string");
    }
    writeln!(text, "exit {}", run.code).expect("a string");
    text
}

fn write(folder: &Path, name: &str, value: &Value) {
    fs::write(folder.join(name), value.to_string()).expect("a new file");
}

/// The truth about one server that somebody broke into.
fn truth() -> Value {
    json!({
        "schema": "allclear/range-truth/1", "seed": 3, "organisations": [],
        "hosts": [{
            "host": "EX01", "organisation": null, "scenario": "hit", "seed": 3, "summary": "It was hit.",
            "install": "C:\\Product", "log_start": "2021-01-01T00:00:00Z", "builds": [],
            "patched": "2021-03-05T00:00:00Z",
            "collections": [
                {"path": "EX01", "taken": "2021-03-20T00:00:00Z", "withheld": [], "damaged": []}
            ],
            "campaigns": [{
                "campaign": "lesson", "verdict": "compromised", "accepted": [], "compromised": true,
                "provable": true, "covered": true, "stages": ["exploited"],
                "first": "2021-03-01T04:00:00Z", "last": "2021-03-01T04:00:00Z",
                "exposed": [["2021-01-01T00:00:00Z", "2021-03-05T00:00:00Z"]], "footholds": [],
                "story": [{
                    "time": "2021-03-01T04:00:00Z", "stage": "exploited", "title": "In", "actor": "somebody",
                    "left_in": ["httpproxy"]
                }]
            }]
        }]
    })
}

/// A report on that server with this verdict; its reason tries to steer the terminal.
fn report(verdict: &str) -> Value {
    json!({
        "schema": "allclear/report/1", "as_of": null, "packs": [], "findings": [], "gaps": [], "not_looked_at": [],
        "accounting": {"items": 0, "bytes": 0, "records_in": 0, "events": 0, "rejected": []},
        "hosts": [{
            "host": "ex01.corp.example", "host_rule": "", "collections": [],
            "campaigns": [{
                "campaign": "lesson", "verdict": verdict,
                "exposure": {
                    "state": "patched", "product": null, "build": null, "basis": [],
                    "spans": [
                        {"state": "patched", "build": null, "from": "2021-03-05T00:00:00Z", "until": null}
                    ]
                },
                "compromise": {
                    "stage": "exploited", "stages": ["exploited"], "first": "2021-03-01T04:00:00Z",
                    "last": "2021-03-01T04:00:00Z", "footholds": [],
                    "story": [{
                        "time": "2021-03-01T04:00:01Z", "until": null, "stage": "exploited", "step": "", "text": "",
                        "sources": [], "findings": [], "techniques": []
                    }]
                },
                "coverage": {"sufficient": true, "needs": []},
                "eviction": {"gates": [], "steps": []},
                "reasons": ["all \u{1b}[32mgreen\u{1b}[0m"], "grounds": [], "next": [], "next_steps": [],
                "findings": []
            }]
        }]
    })
}

/// A folder with that truth, a right report, and a case with a report that clears the host.
fn scored() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    fs::create_dir(folder.path().join("case")).expect("a new folder");
    write(folder.path(), "truth.json", &truth());
    write(folder.path(), "right.json", &report("compromised"));
    write(folder.path(), "case/report.json", &report("clear"));
    folder
}

#[test]
fn a_grave_error_stands_on_top_and_fails() {
    let folder = scored();
    let run = allclear(folder.path(), &["range", "score", "case", "truth.json"]);
    assert!(!run.stdout.contains('\u{1b}'));
    let top: Vec<&str> = run.stdout.lines().take(8).collect();
    expect![[r"
        Score: verdicts 1, hosts of the truth 1, of them in the report 1

        GRAVE ERRORS: 1
          EX01 (lesson): clear, though somebody got in
            truth: compromised; scenario hit, seed 3
            - all <U+001B>[32mgreen<U+001B>[0m

        HEADLINES
        exit 1"]]
    .assert_eq(&format!("{}\nexit {}", top.join("\n"), run.code));
}

#[test]
fn a_score_without_grave_errors_passes_until_a_threshold_is_missed() {
    let folder = scored();
    let folder = folder.path();
    let score = |more: &[&str]| {
        let mut arguments = vec!["range", "score", "right.json", "truth.json"];
        arguments.extend(more);
        allclear(folder, &arguments)
    };
    let plain = score(&[]);
    assert_eq!((plain.code, plain.stderr.as_str()), (0, ""));
    assert!(plain.stdout.contains("\nGRAVE ERRORS: none\n"));
    let json = score(&["--format", "json", "--output", "score.json"]);
    assert_eq!(shown(&json), "exit 0\n");
    let value: Value = serde_json::from_str(&read(&folder.join("score.json"))).expect("JSON");
    assert_eq!(value["schema"], "allclear/range-score/1");
    assert_eq!(value["headlines"][1]["rate"]["share"], 1.0);
    let thresholds = json!({
        "schema": "allclear/range-thresholds/1", "verdicts": 2,
        "minimum": {"verdicts_right": 1.0, "footholds_recall": 0.5}
    });
    write(folder, "thresholds.json", &thresholds);
    let missed = score(&["--thresholds", "thresholds.json"]);
    let worse: Vec<&str> = missed.stdout.lines().skip(4).take(3).collect();
    expect![[r"
        WORSE THAN THE THRESHOLDS: 2
          1 verdicts scored; there must be 2
          footholds_recall has nothing to count; it must be 50.0 %
        exit 1"]]
    .assert_eq(&format!("{}\nexit {}", worse.join("\n"), missed.code));
    let missed = score(&["--thresholds", "thresholds.json", "--output", "score.txt"]);
    expect![[r"
        2| allclear: 1 verdicts scored; there must be 2
        2| allclear: footholds_recall has nothing to count; it must be 50.0 %
        exit 1
    "]]
    .assert_eq(&shown(&missed));
}

#[test]
fn files_that_are_something_else_are_told_for_what_they_are() {
    let folder = scored();
    let folder = folder.path();
    fs::write(folder.join("notes.txt"), "no JSON").expect("a new file");
    write(folder, "other.json", &json!({"schema": "other/1\u{1b}[2J"}));
    write(folder, "none.json", &json!({}));
    write(
        folder,
        "broken.json",
        &json!({"schema": "allclear/range-truth/1", "hosts": 7}),
    );
    let mut text = String::new();
    for arguments in [
        &["truth.json", "case"][..],
        &["right.json", "right.json"],
        &["right.json", "other.json"],
        &["right.json", "none.json"],
        &["right.json", "broken.json"],
        &["notes.txt", "truth.json"],
        &["missing.json", "truth.json"],
        &["right.json", "truth.json", "--thresholds", "truth.json"],
        &["right.json", "truth.json", "--output", "nosuch/score"],
    ] {
        writeln!(text, "$ score {}", arguments.join(" ")).expect("a string");
        let arguments = [&["range", "score"], arguments].concat();
        text.push_str(&shown(&allclear(folder, &arguments)));
    }
    assert!(!text.contains('\u{1b}'));
    expect![[r"
        $ score truth.json case
        2| allclear: truth.json is no report: it is a truth, not of the form allclear/report/1
        2|   the report or case comes first, then the truth: allclear range score CASE truth.json
        exit 2
        $ score right.json right.json
        2| allclear: right.json is no truth: it is a report, not of the form allclear/range-truth/1
        2|   the report or case comes first, then the truth: allclear range score CASE truth.json
        exit 2
        $ score right.json other.json
        2| allclear: other.json is no truth: it is of the form other/1<U+001B>[2J, not of the form allclear/range-truth/1
        2|   the report or case comes first, then the truth: allclear range score CASE truth.json
        exit 2
        $ score right.json none.json
        2| allclear: none.json is no truth: it is JSON without a schema, not of the form allclear/range-truth/1
        2|   the report or case comes first, then the truth: allclear range score CASE truth.json
        exit 2
        $ score right.json broken.json
        2| allclear: broken.json is no truth: invalid type: integer `7`, expected a sequence at line 1 column 45
        2|   use the version of Allclear that wrote it
        exit 2
        $ score notes.txt truth.json
        2| allclear: notes.txt is no report, for it is no JSON object: expected ident at line 1 column 2
        2|   use the version of Allclear that wrote it
        exit 2
        $ score missing.json truth.json
        2| allclear: cannot read missing.json: No such file or directory (os error 2)
        2|   check the path
        exit 2
        $ score right.json truth.json --thresholds truth.json
        2| allclear: truth.json is no table of thresholds: it is a truth, not of the form allclear/range-thresholds/1
        2|   give the thresholds of a last good score
        exit 2
        $ score right.json truth.json --output nosuch/score
        2| allclear: cannot write nosuch/score: its folder does not exist
        2|   name a file in a folder that exists and that you may write to
        exit 2
    "]].assert_eq(&text);
}

/// Makes a drill of two servers by a seed that is known, in `drill`, with its key beside it.
fn make(folder: &Path, out: &str, key: &str) -> Run {
    let arguments = [
        "range", "drill", "make", "--hosts", "2", "--seed", "11", "--out", out, "--key", key,
    ];
    allclear(folder, &arguments)
}

fn score(folder: &Path, key: &str, answers: &str, more: &[&str]) -> Run {
    let mut arguments = vec![
        "range",
        "drill",
        "score",
        "drill",
        "--key",
        key,
        "--answers",
        answers,
    ];
    arguments.extend(more);
    allclear(folder, &arguments)
}

/// The truth of the same fleet, made in the open.
fn same_fleet(folder: &Path) -> FleetTruth {
    let arguments = [
        "range", "make", "--hosts", "2", "--seed", "11", "--out", "open",
    ];
    let run = allclear(folder, &arguments);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let truth: FleetTruth =
        serde_json::from_str(&read(&folder.join("open/truth.json"))).expect("a truth");
    truth.played()
}

/// Right answers to the drill.
fn right_answers(truth: &FleetTruth) -> String {
    let mut text = "host,campaign,verdict,first_effect,footholds,patched,notes\n".to_owned();
    for host in &truth.hosts {
        for campaign in &host.campaigns {
            let footholds: Vec<&str> = campaign
                .footholds
                .iter()
                .map(|foothold| foothold.path.as_str())
                .collect();
            let first = campaign
                .first
                .map_or_else(String::new, |time| time.to_string());
            writeln!(
                text,
                "{},{},{},{first},{},,",
                host.host,
                campaign.campaign,
                campaign.verdict,
                footholds.join("|")
            )
            .expect("a string");
        }
    }
    text
}

/// Bytes of a file of the drill.
#[expect(
    clippy::disallowed_methods,
    reason = "a test looks at what was written"
)]
fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).expect("it is there")
}

/// A drill from its making to its score, and every way in which it is tampered with.
#[test]
fn a_drill_hands_out_evidence_and_keeps_the_truth() {
    let folder = TempDir::new().expect("a temporary folder");
    let folder = folder.path();
    let made = make(folder, "drill", "key");
    assert_eq!(made.code, 0, "{}", made.stderr);
    let mut names = BTreeMap::new();
    for entry in fs::read_dir(folder.join("drill")).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a plain name");
        let modified = entry.metadata().expect("it is there").modified();
        names.insert(name, modified.expect("a time"));
    }
    let expected = [
        "answers.csv",
        "brief.md",
        "evidence",
        "known-files.csv",
        "organisations.csv",
        "truth.sealed",
    ];
    let found: Vec<&str> = names.keys().map(String::as_str).collect();
    let found: Vec<&str> = found
        .into_iter()
        .filter(|name| *name != "attestations.csv")
        .collect();
    assert_eq!(found, expected);
    let mut times: Vec<_> = names.values().collect();
    times.dedup();
    assert_eq!(times.len(), 1, "the order of making does not show");

    // The same seed gives the same evidence; only the key, and so the seal, is another.
    let truth = same_fleet(folder);
    for collection in truth.hosts.iter().flat_map(|host| &host.collections) {
        let path = Path::new("evidence").join(&collection.path);
        assert_eq!(
            bytes(&folder.join("drill").join(&path)),
            bytes(&folder.join("open").join(&path))
        );
    }

    // Nothing said is nothing wrong.
    let empty = score(folder, "key", "drill/answers.csv", &[]);
    assert_eq!(empty.code, 0, "{}", empty.stderr);
    assert!(empty.stdout.starts_with("Drill: 0 of 2 rows answered\n"));

    fs::write(folder.join("right.csv"), right_answers(&truth)).expect("a new file");
    let right = score(folder, "key", "right.csv", &["--format", "json"]);
    assert_eq!((right.code, right.stderr.as_str()), (0, ""));
    let value: Value = serde_json::from_str(&right.stdout).expect("JSON");
    assert_eq!(value["schema"], "allclear/range-drill-score/1");
    assert_eq!(value["answered"], 2);
    assert_eq!(value["team"]["headlines"][0]["name"], "verdicts_right");
    assert_eq!(value["team"]["headlines"][0]["rate"]["share"], 1.0);

    // A team that clears whatever it sees.
    let host = &truth.hosts[0].host;
    let rows = format!(
        "host,campaign,verdict,first_effect,footholds,patched\n{host},proxylogon,evicted,,,\n"
    );
    fs::write(folder.join("bold.csv"), rows).expect("a new file");
    let bold = score(folder, "key", "bold.csv", &[]);
    assert_eq!(
        bold.code,
        i32::from(truth.hosts[0].campaigns[0].verdict != "evicted")
    );
    assert!(bold.stdout.starts_with("Drill: 1 of 2 rows answered\n"));

    let wrong = "host,campaign,verdict,first_effect,footholds,patched\nNOSUCH\u{1b}[2J,proxylogon,clear,,,\n";
    fs::write(folder.join("wrong.csv"), wrong).expect("a new file");
    expect![[r"
        2| allclear: wrong.csv cannot be scored
        2|   line 2: no host is named `NOSUCH<U+001B>[2J`; leave the column as it was in the empty table
        2|   nothing was scored; the other rows may be right
        exit 2
    "]].assert_eq(&shown(&score(folder, "key", "wrong.csv", &[])));

    // Neither a second drill's key nor a changed seal, brief or key is taken.
    let mut text = String::new();
    let other = make(folder, "second", "other-key");
    assert_eq!(other.code, 0, "{}", other.stderr);
    text.push_str(&shown(&score(folder, "other-key", "right.csv", &[])));
    fs::write(folder.join("no-key"), "allclear/range-key/1 00").expect("a new file");
    text.push_str(&shown(&score(folder, "no-key", "right.csv", &[])));
    let sealed = folder.join("drill/truth.sealed");
    let mut changed = bytes(&sealed);
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    fs::write(&sealed, &changed).expect("it can be written");
    let run = score(folder, "key", "right.csv", &[]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("but brief.md states"), "{}", run.stderr);
    let brief = folder.join("drill/brief.md");
    let found = range::drill::commitment(&changed);
    let old = read(&brief);
    let stated = range::drill::commitment_in(&old)
        .expect("a hash")
        .to_owned();
    fs::write(&brief, old.replace(&stated, &found)).expect("it can be written");
    text.push_str(&shown(&score(folder, "key", "right.csv", &[])));
    fs::write(&brief, "no hash").expect("it can be written");
    text.push_str(&shown(&score(folder, "key", "right.csv", &[])));
    expect![[r"
        2| allclear: cannot open drill/truth.sealed: the key is of another drill
        2|   give folder and key of the same drill
        exit 2
        2| allclear: no-key: it is no key: a key is one line, `allclear/range-key/1` and 64 hexadecimal digits
        2|   give the file that `allclear range drill make --key` wrote
        exit 2
        2| allclear: cannot open drill/truth.sealed: the sealed truth was changed after it had been sealed
        2|   give folder and key of the same drill
        exit 2
        2| allclear: drill/brief.md states no hash of truth.sealed
        2|   use the brief that was handed out
        exit 2
    "]].assert_eq(&text);
}

#[test]
fn a_drill_is_not_made_where_it_would_give_itself_away_or_destroy() {
    let folder = TempDir::new().expect("a temporary folder");
    let folder = folder.path();
    fs::create_dir(folder.join("full")).expect("a new folder");
    fs::write(folder.join("full/truth.json"), "another's").expect("a new file");
    fs::write(folder.join("old-key"), "precious").expect("a new file");
    let mut text = String::new();
    for (out, key) in [
        ("drill", "drill/key"),
        ("drill", "drill/../drill/deep/key"),
        ("drill", "old-key"),
        ("drill", "nosuch/key"),
        ("full", "key"),
    ] {
        text.push_str(&shown(&make(folder, out, key)));
    }
    expect![[r"
        2| allclear: drill/key lies inside of drill
        2|   the team gets that folder: keep the key somewhere else
        exit 2
        2| allclear: drill/../drill/deep/key lies inside of drill
        2|   the team gets that folder: keep the key somewhere else
        exit 2
        2| allclear: cannot write the key old-key: File exists (os error 17)
        2|   name a file that does not exist yet, in a folder that does
        exit 2
        2| allclear: cannot write the key nosuch/key: No such file or directory (os error 2)
        2|   name a file that does not exist yet, in a folder that does
        exit 2
        2| allclear: full is not empty
        2|   name a folder that does not exist yet
        exit 2
    "]]
    .assert_eq(&text);
    assert_eq!(read(&folder.join("old-key")), "precious");
    assert_eq!(read(&folder.join("full/truth.json")), "another's");
    assert!(!folder.join("drill").exists() && !folder.join("key").exists());
}
