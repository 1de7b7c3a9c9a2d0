//! A case: the same answers as without one, whatever happens on the way, and new answers without the evidence.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where its own files cannot be written"
)]

mod support;

use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;
use support::{Run, allclear, command};

/// Collections of the test that kills; `ALLCLEAR_KILLS` sets another number of kills.
const COLLECTIONS: usize = 40;
const KILLS: usize = 8;

/// A small server's web log, with a shell used on every third one.
fn evidence(folder: &Path, hosts: usize) {
    for host in 0..hosts {
        let logs = folder.join(format!(
            "evidence/EX{host:03}/C/inetpub/logs/LogFiles/W3SVC1"
        ));
        fs::create_dir_all(&logs).unwrap();
        fs::write(logs.join("u_ex210303.log"), log(host, 3)).unwrap();
    }
}

fn log(host: usize, day: usize) -> String {
    let mut text = "#Software: Microsoft Internet Information Services 10.0\n#Fields: date time s-ip cs-method cs-uri-stem \
                    cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus \
                    sc-win32-status time-taken\n"
        .to_owned();
    for minute in 0..120 {
        let (hours, minutes) = (minute / 60, minute % 60);
        writeln!(text, "2021-03-{day:02} {hours:02}:{minutes:02}:00 10.0.0.1 GET /owa/auth/logon.aspx - 443 - 192.0.2.{host} Mozilla/5.0 - 200 0 0 15").unwrap();
        if host.is_multiple_of(3) && minute == 60 {
            writeln!(text, "2021-03-{day:02} 01:00:30 10.0.0.1 POST /aspnet_client/discover.aspx - 443 - 203.0.113.7 python-requests/2.25.1 - 200 0 0 15").unwrap();
        }
    }
    text
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}\n{}", run.stdout, run.stderr))
}

/// The report without what names the place where it was kept.
fn report(run: &Run) -> Value {
    let mut report = json(run);
    for host in report["hosts"].as_array_mut().expect("hosts") {
        for collection in host["collections"].as_array_mut().expect("collections") {
            collection["manifest"] = Value::Null;
        }
    }
    report
}

#[test]
fn a_case_answers_as_a_run_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    evidence(path, 5);
    let format = ["--format", "json", "--quiet"];
    let alone = allclear(path, &[&["check", "evidence"][..], &format].concat());
    let kept = allclear(
        path,
        &[&["check", "evidence", "--case", "case"][..], &format].concat(),
    );
    assert_eq!(alone.code, kept.code, "{}", kept.stderr);
    assert_eq!(report(&alone), report(&kept));
    // The second time nothing is read, and the answers are the same; so are those of the case alone.
    let again = allclear(
        path,
        &["check", "evidence", "--case", "case", "--format", "json"],
    );
    assert!(
        again
            .stderr
            .starts_with("0 collections read, 5 known already; 0 hosts judged"),
        "{}",
        again.stderr
    );
    assert_eq!(again.stdout, kept.stdout);
    fs::remove_dir_all(path.join("evidence")).unwrap();
    let told = allclear(path, &["report", "case", "--format", "json"]);
    assert_eq!(told.stdout, kept.stdout);
    let one = allclear(
        path,
        &["report", "case", "--host", "EX003", "--format", "json"],
    );
    assert_eq!(json(&one)["hosts"].as_array().map(Vec::len), Some(1));
    assert_eq!(allclear(path, &["case", "verify", "case"]).code, 0);
}

#[test]
fn later_evidence_adds_to_a_host_and_its_history() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    evidence(path, 1);
    let check = [
        "check",
        "evidence",
        "--case",
        "case",
        "--host",
        "EX000",
        "--quiet",
        "--pack",
        "proxylogon",
    ];
    assert_eq!(allclear(path, &check).code, 1);
    let logs = path.join("later/C/inetpub/logs/LogFiles/W3SVC1");
    fs::create_dir_all(&logs).unwrap();
    fs::write(logs.join("u_ex210305.log"), log(0, 5)).unwrap();
    let later = [
        "check",
        "later",
        "--case",
        "case",
        "--host",
        "EX000",
        "--quiet",
        "--pack",
        "proxylogon",
    ];
    assert_eq!(allclear(path, &later).code, 1);
    let shown = json(&allclear(
        path,
        &["case", "show", "case", "EX000", "--json"],
    ));
    assert_eq!(shown["collections"].as_array().map(Vec::len), Some(2));
    let history = shown["verdicts"]["proxylogon"]
        .as_array()
        .expect("a history");
    let why: Vec<&str> = history
        .iter()
        .filter_map(|row| row["why"].as_str())
        .collect();
    assert_eq!(why[0], "first judgement");
    assert!(
        why[1].starts_with("collection c-") && why[1].ends_with(" came in"),
        "{why:?}"
    );
    let diff = json(&allclear(
        path,
        &["diff", "case", "EX000", "--json", "--pack", "proxylogon"],
    ));
    assert_eq!(diff["collections"].as_array().map(Vec::len), Some(1));
    let new = diff["new_findings"].as_array().expect("findings");
    assert!(
        !new.is_empty()
            && new.iter().all(|finding| finding["time"]
                .as_str()
                .is_some_and(|time| time.starts_with("2021-03-05"))),
        "{new:?}"
    );
    let text = allclear(path, &["diff", "case", "EX000", "--pack", "proxylogon"]);
    assert!(text.stdout.contains("NEW FINDINGS"), "{}", text.stdout);
}

#[test]
fn new_rules_and_indicators_judge_a_case_without_its_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    evidence(path, 4);
    fs::write(path.join("none.csv"), "value,type\n198.51.100.99,ip\n").unwrap();
    fs::write(path.join("list.csv"), "value,type\n192.0.2.2,ip\n").unwrap();
    fs::write(
        path.join("rule.yml"),
        "title: Seen at last\nid: 11111111-2222-4333-8444-555555555555\nstatus: test\nlogsource: {category: webserver}\n\
         detection: {a: {'c-useragent|contains': 'python-requests'}, condition: a}\nlevel: high\n",
    )
    .unwrap();
    let knowledge = ["--indicators", "list.csv", "--rules", "rule.yml", "--quiet"];
    let format = ["--format", "json"];
    let run = allclear(path, &["check", "evidence", "--case", "case", "--quiet"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let hunt = |place: &[&str], format: &str| {
        let options = ["hunt", "--format", format];
        allclear(path, &[&options[..], &knowledge[..4], place].concat())
    };
    let hunted = hunt(&["evidence"], "text");
    let hunted_fields = hunt(&["evidence"], "ndjson");
    // What a run over the evidence finds with the new rules, the case finds without it.
    let fresh = allclear(
        path,
        &[&["check", "evidence"][..], &knowledge, &format].concat(),
    );
    fs::remove_dir_all(path.join("evidence")).unwrap();
    // So does a hunt, in the same order, and it changes nothing of the case.
    assert!(hunted.stdout.contains("Seen at last"), "{}", hunted.stderr);
    assert!(hunted.stdout.contains("192.0.2.2"), "{}", hunted.stdout);
    let stored = hunt(&["--case", "case"], "text");
    assert_eq!(stored.stdout, hunted.stdout);
    assert_eq!(stored.stderr, hunted.stderr);
    assert_eq!(
        hunt(&["--case", "case"], "ndjson").stdout,
        hunted_fields.stdout
    );
    let one = hunt(&["--case", "case", "--host", "ex003"], "text");
    let all = hunted.stdout.lines();
    let of_one: Vec<&str> = all.filter(|line| line.contains("  EX003  ")).collect();
    assert!(!of_one.is_empty());
    assert_eq!(one.stdout.lines().collect::<Vec<_>>(), of_one);
    assert_eq!(hunt(&["--case", "case", "--host", "EX999"], "text").code, 2);
    let judged = allclear(path, &[&["case", "judge", "case"][..], &knowledge].concat());
    assert_eq!(judged.code, 0, "{}", judged.stderr);
    let told = report(&allclear(
        path,
        &[&["report", "case"][..], &format].concat(),
    ));
    let found = |report: &Value| -> Vec<String> {
        let findings = report["findings"].as_array().expect("findings");
        findings
            .iter()
            .map(|finding| {
                format!(
                    "{} {} {} {}",
                    finding["id"], finding["rule"], finding["time"], finding["place"]
                )
            })
            .collect()
    };
    let fresh = report(&fresh);
    assert_eq!(found(&told), found(&fresh));
    assert!(
        found(&told)
            .iter()
            .any(|finding| finding.contains("indicator/ip/192.0.2.2"))
    );
    let verdicts = |report: &Value| -> Vec<String> {
        let hosts = report["hosts"].as_array().expect("hosts");
        hosts
            .iter()
            .flat_map(|host| host["campaigns"].as_array().expect("campaigns"))
            .map(|campaign| format!("{} {}", campaign["campaign"], campaign["verdict"]))
            .collect()
    };
    assert_eq!(verdicts(&told), verdicts(&fresh));
    // And back again.
    let back = allclear(
        path,
        &[
            "case",
            "judge",
            "case",
            "--indicators",
            "none.csv",
            "--quiet",
        ],
    );
    assert_eq!(back.code, 0, "{}", back.stderr);
    let told = report(&allclear(
        path,
        &[&["report", "case"][..], &format].concat(),
    ));
    assert!(
        !found(&told)
            .iter()
            .any(|finding| finding.contains("indicator/ip/192.0.2.2")
                || finding.contains("11111111"))
    );
}

/// Keys and endpoint come from the environment, as `allclear` itself takes them.
#[test]
fn a_store_holds_what_a_folder_does() {
    let Some(store) = setting("ALLCLEAR_S3") else {
        eprintln!("skipped: ALLCLEAR_S3 names no S3-compatible store, such as s3://bucket/prefix");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    evidence(path, 4);
    let name = path.file_name().unwrap().to_string_lossy();
    let store = format!("{store}/{name}");
    let check = ["check", "evidence", "--format", "json", "--quiet", "--case"];
    let kept = allclear(path, &[&check[..], &["kept"]].concat());
    let stored = allclear(path, &[&check[..], &["stored", "--store", &store]].concat());
    assert_eq!(stored.code, kept.code, "{}", stored.stderr);
    assert_eq!(report(&stored), report(&kept));
    assert!(!path.join("stored/objects").exists());
    let question = "SELECT host, count(*) FROM events GROUP BY host ORDER BY host";
    let ask = |case: &str| allclear(path, &["sql", case, question]).stdout;
    assert!(ask("stored").contains("EX003"));
    assert_eq!(ask("stored"), ask("kept"));
    // Nothing of it stays behind.
    for host in 0..4 {
        let host = format!("EX{host:03}");
        let gone = allclear(path, &["case", "forget", "stored", "--host", &host]);
        assert_eq!(gone.code, 0, "{}", gone.stderr);
    }
    assert_eq!(allclear(path, &["case", "verify", "stored"]).code, 0);
}

#[expect(clippy::disallowed_methods, reason = "a setting of these tests alone")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn kills() -> usize {
    let set = setting("ALLCLEAR_KILLS");
    set.and_then(|kills| kills.parse().ok()).unwrap_or(KILLS)
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_with_the_same_verdicts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    evidence(path, COLLECTIONS);
    let check = |case: &'static str| ["check", "evidence", "--case", case, "--quiet"];
    let list = |case: &'static str| {
        let run = allclear(path, &["case", "list", case, "--json"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stdout
    };
    assert_eq!(allclear(path, &check("whole")).code, 1);
    let kills = kills();
    let mut moment = 0x2021_0303_u64;
    for _ in 0..kills {
        let mut child = command(path)
            .args(check("killed"))
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // A plain linear congruential generator: other moments, the same in every run.
        moment = moment
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis(100 + (moment >> 33) % 3_000));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let last = allclear(path, &check("killed"));
    assert_eq!(last.code, 1, "{}", last.stderr);
    assert_eq!(list("killed"), list("whole"));
    let verified = allclear(path, &["case", "verify", "killed"]);
    assert_eq!(verified.code, 0, "{}", verified.stdout);
}

#[test]
fn evidence_is_taken_in_and_a_host_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    evidence(path, 2);
    assert_eq!(
        allclear(path, &["check", "evidence", "--case", "case", "--quiet"]).code,
        1
    );
    let taken = allclear(path, &["case", "take", "case"]);
    assert_eq!(
        (taken.code, taken.stdout.as_str()),
        (0, "2 items of 2 collections taken in\n"),
        "{}",
        taken.stderr
    );
    // A log that changed since it was read is told.
    let changed = path.join("evidence/EX001/C/inetpub/logs/LogFiles/W3SVC1/u_ex210303.log");
    fs::write(changed, log(0, 4)).unwrap();
    let taken = allclear(path, &["case", "take", "case"]);
    assert_eq!(taken.code, 1);
    assert!(
        taken.stdout.contains("has changed since"),
        "{}",
        taken.stdout
    );
    let export = allclear(
        path,
        &["case", "export", "case", "--output", "case.tar.zst"],
    );
    assert_eq!(export.code, 0, "{}", export.stderr);
    assert!(fs::metadata(path.join("case.tar.zst")).unwrap().len() > 1_000);
    let forgotten = allclear(path, &["case", "forget", "case", "--host", "EX001"]);
    assert!(
        forgotten.stdout.contains("nothing is left of EX001"),
        "{}",
        forgotten.stdout
    );
    assert_eq!(
        allclear(path, &["report", "case", "--host", "EX001"]).code,
        2
    );
    let verified = allclear(path, &["case", "verify", "case"]);
    assert_eq!(verified.code, 0, "{}", verified.stdout);
}

/// `case-1` was written by the first build that kept cases: a case must open for as long as its format is known.
#[test]
fn a_case_of_the_first_format_opens_and_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/case-1");
    copy(&kept, &path.join("case"));
    let told = allclear(path, &["report", "case", "--format", "json"]);
    assert_eq!(told.code, 1, "{}", told.stderr);
    let host = &json(&told)["hosts"][0];
    assert_eq!(host["host"], "EX01");
    assert_eq!(host["campaigns"][0]["verdict"], "compromised");
    let whole = allclear(path, &["case", "verify", "case"]);
    assert_eq!(whole.code, 0, "{}", whole.stdout);
    let question = "SELECT count(*) AS n FROM events WHERE src_ip = '203.0.113.7'";
    let asked = allclear(path, &["sql", "case", question, "--format", "csv"]);
    assert_eq!(asked.stdout, "n\n1\n", "{}", asked.stderr);
    // Detection runs over its events, whatever the rules of now say of them.
    fs::write(path.join("list.csv"), "value,type\n192.0.2.2,ip\n").unwrap();
    let list = ["--indicators", "list.csv", "--quiet"];
    let hunted = allclear(path, &[&["hunt", "--case", "case"][..], &list].concat());
    assert_eq!(hunted.stdout.lines().count(), 1, "{}", hunted.stderr);
    let judged = allclear(path, &[&["case", "judge", "case"][..], &list].concat());
    assert_eq!(judged.code, 0, "{}", judged.stderr);
    // A later format is not guessed at.
    fs::write(
        path.join("case/case.json"),
        r#"{"format":"allclear/case/2","id":"","database":null,"store":null}"#,
    )
    .unwrap();
    let refused = allclear(path, &["report", "case"]);
    assert_eq!(refused.code, 2, "{}", refused.stdout);
    assert!(refused.stderr.contains("newer"), "{}", refused.stderr);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn what_is_no_case_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for arguments in [
        &["report", "nowhere"][..],
        &["case", "list", "nowhere"],
        &["diff", "nowhere", "X"],
    ] {
        let run = allclear(path, arguments);
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert!(
            run.stderr.contains("there is no case in nowhere"),
            "{}",
            run.stderr
        );
    }
    evidence(path, 1);
    let bad = allclear(
        path,
        &[
            "check",
            "evidence",
            "--case",
            "case",
            "--database-url",
            "mysql://x",
        ],
    );
    assert_eq!(bad.code, 2, "{}", bad.stderr);
    assert!(bad.stderr.contains("postgres://"), "{}", bad.stderr);
}
