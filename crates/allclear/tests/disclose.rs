//! Clocks, drafts and forms through the binary.

mod support;

use store::response::OrganisationRow;
use store::{Case, Settings};
use support::allclear;
use tempfile::TempDir;

#[test]
fn a_named_person_starts_a_clock_and_a_draft_says_what_is_not_known() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let case = Case::create(&folder.join("case"), &Settings::default(), 0).unwrap();
    let row = OrganisationRow {
        id: "o1".to_owned(),
        name: "Clinic =1+1".to_owned(),
        ..OrganisationRow::default()
    };
    case.change(0, async |change| change.put(&[row]).await)
        .unwrap();
    drop(case);
    let start = |clock, trigger| {
        let head = [
            "disclose",
            "start",
            "case",
            "--organisation",
            "o1",
            "--campaign",
            "proxylogon",
            "--by",
            "Ada",
        ];
        let rest = [
            "--clock",
            clock,
            "--trigger",
            trigger,
            "--why",
            "the board decided",
            "--as-of",
            "2024-03-05T00:00:00Z",
        ];
        allclear(folder, &[&head[..], &rest[..]].concat())
    };
    let early = start("sec-8k-105", "2021-03-08T09:00:00-05:00");
    assert_eq!(
        (early.code, early.stderr.lines().next().unwrap()),
        (2, "allclear: sec-8k-105 holds since 2023-12-18 only")
    );
    assert_eq!(start("nonsense", "2024-03-04T16:00:00-05:00").code, 2);
    assert_eq!(start("sec-8k-105", "2024-03-04").code, 2);
    let started = start("sec-8k-105", "2024-03-04T16:00:00-05:00");
    assert_eq!(
        started.stdout,
        "sec-8k-105-1: due 2024-03-08T17:30:00-05:00\n"
    );
    let clocks = |as_of| allclear(folder, &["disclose", "clocks", "case", "--as-of", as_of]);
    assert_eq!(clocks("2024-03-08T22:00:00Z").code, 0);
    let late = clocks("2024-03-08T23:00:00Z");
    assert_eq!(late.code, 1);
    assert!(
        late.stdout.starts_with("sec-8k-105-1  OVERDUE"),
        "{}",
        late.stdout
    );
    let draft = allclear(folder, &["disclose", "draft", "case", "sec-8k-105-1"]).stdout;
    for words in [
        "set by Ada to 2024-03-04T16:00:00-05:00: the board decided",
        "NOT KNOWN: no server of the organisation is in the case",
        "NOT KNOWN: a case cannot know this; a person must fill it in",
    ] {
        assert!(draft.contains(words), "{draft}");
    }
    let done = [
        "disclose",
        "done",
        "case",
        "sec-8k-105-1",
        "--by",
        "Ada",
        "--why",
        "filed",
    ];
    assert_eq!(allclear(folder, &done).code, 0);
    assert_eq!(allclear(folder, &done).code, 2);
    assert_eq!(clocks("2024-03-08T23:00:00Z").code, 0);
    let sheet = [
        "disclose",
        "sheet",
        "case",
        "--form",
        "ed-21-02",
        "--organisation",
        "o1",
        "--campaign",
        "proxylogon",
        "-o",
        "s.xlsx",
    ];
    assert_eq!(allclear(folder, &sheet).stdout, "0 servers in s.xlsx\n");
    assert_eq!(allclear(folder, &["case", "verify", "case"]).code, 0);
    let listed = allclear(folder, &["disclose", "clocks"]).stdout;
    assert!(
        listed.contains("Directive (EU) 2022/2555, art. 23(4)(a)"),
        "{listed}"
    );
}
