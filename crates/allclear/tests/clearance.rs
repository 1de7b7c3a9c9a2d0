//! From a server that was entered to its clearance, and back, by the commands that people use.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where its own files cannot be written"
)]

mod support;

use serde_json::Value;
use std::fs;
use std::path::Path;
use support::{Run, allclear, read};

const CAMPAIGN: [&str; 4] = ["--campaign", "proxylogon", "--pack", "proxylogon"];

/// A server that was cleaned, and the statements about it, in a case without these.
fn case(path: &Path) -> String {
    let make = [
        "range",
        "make",
        "--scenario",
        "eviction",
        "--seed",
        "3",
        "--quiet",
        "--out",
        "made",
    ];
    assert_eq!(allclear(path, &make).code, 0);
    let check = [
        "check",
        "made/evidence",
        "--case",
        "case",
        "--known",
        "made/known-files.csv",
        "--pack",
        "proxylogon",
        "--quiet",
        "--format",
        "json",
    ];
    let run = allclear(path, &check);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    report["hosts"][0]["host"].as_str().unwrap().to_owned()
}

fn issue(path: &Path, host: &str) -> Run {
    let issue = [
        "clearance",
        "issue",
        "case",
        host,
        "--by",
        "A. Issuer",
        "--key",
        "key",
        "--out",
        "out",
    ];
    allclear(path, &[&issue[..], &CAMPAIGN].concat())
}

#[expect(clippy::disallowed_methods, reason = "what the test itself had made")]
fn is_pdf(path: &std::path::Path) -> bool {
    fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"%PDF"))
}

#[test]
fn a_server_is_cleared_by_its_last_gate_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::create_dir(path.join("out")).unwrap();
    let host = case(path);
    let host = host.as_str();
    assert_eq!(allclear(path, &["audit", "key", "new", "key"]).code, 0);
    // A key is never written over.
    assert_eq!(allclear(path, &["audit", "key", "new", "key"]).code, 2);

    let statements = read(&path.join("made/attestations.csv"));
    let (head, rows) = statements.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    assert_eq!(rows.len(), 4, "{statements}");
    for (number, row) in rows.iter().enumerate() {
        let refused = issue(path, host);
        assert_eq!(refused.code, 1, "{}", refused.stdout);
        let missing = refused.stdout.matches("cannot tell").count();
        assert_eq!(missing, rows.len() - number, "{}", refused.stdout);
        assert_eq!(fs::read_dir(path.join("out")).unwrap().count(), 0);
        fs::write(path.join("one.csv"), format!("{head}\n{row}\n")).unwrap();
        let import = allclear(path, &["evict", "import", "case", "one.csv"]);
        assert_eq!(import.code, 0, "{}", import.stderr);
    }
    // A gate that evidence decides is nobody's to state.
    let attest = [
        "evict",
        "attest",
        "case",
        host,
        "--gate",
        "footholds_absent",
        "--answer",
        "pass",
        "--by",
        "X",
        "--statement",
        "believe me",
    ];
    assert_eq!(allclear(path, &[&attest[..], &CAMPAIGN].concat()).code, 2);

    let plan = allclear(
        path,
        &[&["evict", "plan", "case", host, "--json"][..], &CAMPAIGN].concat(),
    );
    assert_eq!(plan.code, 0, "{}", plan.stderr);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let states: Vec<&str> = plan["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| step["part"] == "evict")
        .map(|step| step["state"].as_str().unwrap())
        .collect();
    assert_eq!(
        states,
        [
            "not_shown",
            "verified",
            "not_shown",
            "verified",
            "verified",
            "verified",
            "attested",
            "attested",
            "attested",
            "attested"
        ]
    );
    assert_eq!(plan["footholds"][0]["state"], "absent_verified");

    let issued = issue(path, host);
    assert_eq!(issued.code, 0, "{}{}", issued.stdout, issued.stderr);
    let id = issued.stdout.split(':').next().unwrap().to_owned();
    let file = format!("out/{id}.json");
    let verify = ["clearance", "verify", &file, "--key", "key.pub"];
    let verified = allclear(path, &verify);
    assert_eq!(verified.code, 0, "{}", verified.stdout);
    assert!(
        verified.stdout.contains("person         Credentials"),
        "{}",
        verified.stdout
    );
    let page = read(&path.join(format!("out/{id}.html")));
    assert!(page.contains(host) && !page.contains("<script"));
    assert!(is_pdf(&path.join(format!("out/{id}.pdf"))));

    // Changed, with another's key, and something else.
    let text = read(&path.join(&file));
    fs::write(path.join("changed.json"), text.replace("evicted", "clear")).unwrap();
    fs::copy(
        path.join(format!("{file}.minisig")),
        path.join("changed.json.minisig"),
    )
    .unwrap();
    let changed = allclear(
        path,
        &["clearance", "verify", "changed.json", "--key", "key.pub"],
    );
    assert_eq!(changed.code, 5, "{}", changed.stdout);
    assert_eq!(allclear(path, &["audit", "key", "new", "other"]).code, 0);
    let other = allclear(path, &["clearance", "verify", &file, "--key", "other.pub"]);
    assert_eq!(other.code, 6, "{}", other.stdout);
    let sign = allclear(
        path,
        &["audit", "sign", "case", "--key", "key", "-o", "head.json"],
    );
    assert_eq!(sign.code, 0, "{}", sign.stderr);
    let head = allclear(
        path,
        &["clearance", "verify", "head.json", "--key", "key.pub"],
    );
    assert_eq!(head.code, 7, "{}", head.stdout);

    // The weeks after it.
    let watch = ["clearance", "watch", "case", "--pack", "proxylogon"];
    let now = allclear(path, &watch);
    assert_eq!(
        (now.code, now.stdout.matches("waits").count()),
        (0, 4),
        "{}",
        now.stdout
    );
    let late = allclear(
        path,
        &[&watch[..], &["--as-of", "2200-01-01T00:00:00Z"]].concat(),
    );
    assert_eq!(
        (late.code, late.stdout.matches("OVERDUE").count()),
        (1, 4),
        "{}",
        late.stdout
    );

    // Somebody takes a statement back: the clearance does not hold any longer, and those who have it can learn it.
    let attest = [
        "evict",
        "attest",
        "case",
        host,
        "--gate",
        "krbtgt_reset",
        "--answer",
        "fail",
        "--by",
        "M. Holm",
        "--statement",
        "only once, as it turns out",
    ];
    assert_eq!(allclear(path, &[&attest[..], &CAMPAIGN].concat()).code, 0);
    let contradicted = allclear(path, &watch);
    assert_eq!(contradicted.code, 1);
    assert!(
        contradicted.stdout.contains("REVOKED: "),
        "{}",
        contradicted.stdout
    );
    assert_eq!(issue(path, host).code, 1);
    let list = [
        "clearance",
        "list",
        "case",
        "--revocations",
        "list.json",
        "--key",
        "key",
    ];
    assert!(allclear(path, &list).stdout.contains("REVOKED"));
    let revoked = allclear(
        path,
        &[&verify[..], &["--revocations", "list.json"]].concat(),
    );
    assert_eq!(revoked.code, 1, "{}", revoked.stdout);
    let again = [
        "clearance",
        "revoke",
        "case",
        &id,
        "--why",
        "x",
        "--by",
        "X",
    ];
    assert_eq!(allclear(path, &again).code, 2);

    let audit = [
        "audit",
        "verify",
        "case",
        "--head",
        "head.json",
        "--key",
        "key.pub",
    ];
    let audit = allclear(path, &audit);
    assert_eq!(audit.code, 0, "{}", audit.stdout);
    assert!(
        audit.stdout.contains("the signed head is part of it"),
        "{}",
        audit.stdout
    );
}
