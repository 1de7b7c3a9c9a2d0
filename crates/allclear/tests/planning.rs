//! Who goes first and who helps, through the binary.

mod support;

use std::fs;
use std::path::Path;
use store::response::{AssetRow, ImportRow, ObservationRow, OrganisationRow, ResponderRow};
use store::{Case, Settings};
use support::{Run, allclear};
use tempfile::TempDir;

const DAY: i64 = 86_400_000_000;
const NOW: i64 = 1_615_194_000_000_000;

fn case(folder: &Path) {
    let case = Case::create(&folder.join("case"), &Settings::default(), NOW).expect("a new case");
    let claims = ["web_shell", "vulnerable", "undetermined"];
    let organisations: Vec<OrganisationRow> = (0..3)
        .map(|n| OrganisationRow {
            id: format!("o{n}"),
            name: format!("Clinic \u{1b}[31m {n}"),
            sector: Some("health".to_owned()),
            size: Some("large".to_owned()),
            country: Some("AA".to_owned()),
            ..OrganisationRow::default()
        })
        .collect();
    let assets: Vec<AssetRow> = (0..3)
        .map(|n| AssetRow {
            organisation: format!("o{n}"),
            kind: "host".to_owned(),
            value: format!("mail{n}.example"),
            ..AssetRow::default()
        })
        .collect();
    let observations: Vec<ObservationRow> = (0..3)
        .map(|n| ObservationRow {
            id: format!("x{n}"),
            import: "list".to_owned(),
            campaign: "proxylogon".to_owned(),
            asset_kind: "host".to_owned(),
            asset: format!("mail{n}.example"),
            claim: claims[n].to_owned(),
            seen: Some(NOW - DAY),
            detail: "{}".to_owned(),
            ..ObservationRow::default()
        })
        .collect();
    let responder = ResponderRow {
        id: "r1".to_owned(),
        name: "Team 1".to_owned(),
        skills: r#"["forensics","triage"]"#.to_owned(),
        hours: 40.0,
        languages: r#"["en"]"#.to_owned(),
        ..ResponderRow::default()
    };
    case.change(NOW, async |change| {
        change.put(&organisations).await?;
        change.put(&assets).await?;
        let import = ImportRow {
            id: "list".to_owned(),
            ..ImportRow::default()
        };
        change.put(&[import]).await?;
        change.put(&observations).await?;
        change.put(&[responder]).await
    })
    .expect("rows of a case");
}

fn good(folder: &Path, arguments: &[&str]) -> Run {
    let run = allclear(folder, arguments);
    assert_eq!(run.code, 0, "{arguments:?}: {}{}", run.stdout, run.stderr);
    assert!(!run.stdout.contains('\u{1b}'), "{}", run.stdout);
    run
}

#[test]
fn the_most_urgent_goes_first_and_what_nobody_can_do_is_told() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    case(folder);
    let first = good(folder, &["priority", "list", "case"]).stdout;
    let order: Vec<&str> = first
        .lines()
        .filter_map(|line| line.split_whitespace().nth(4))
        .filter(|word| word.starts_with('o') && word.len() == 2)
        .collect();
    assert_eq!(order, ["o0", "o1", "o2"], "{first}");
    let before = good(folder, &["priority", "explain", "case", "o1"]).stdout;
    assert!(before.contains("no catalogue was imported"), "{before}");

    fs::write(
        folder.join("kev.csv"),
        "cveID,dateAdded,dueDate\nCVE-2021-26855,2021-11-03,2021-04-16\nnonsense,2021-11-03,\n",
    )
    .unwrap();
    let taken = good(folder, &["priority", "import", "case", "kev.csv"]).stdout;
    assert!(taken.contains("2 rows = 1 accepted + 1 refused"), "{taken}");
    let after = good(folder, &["priority", "explain", "case", "o1", "--json"]).stdout;
    let after: serde_json::Value = serde_json::from_str(&after).unwrap();
    assert_eq!(
        after["directive"]["most"],
        "3 days & forensic investigation"
    );
    assert_eq!(after["directive"]["least"], after["directive"]["most"]);

    let make = ["plan", "make", "case", "--as-of", "2021-03-08T09:00:00Z"];
    let plan = good(folder, &make).stdout;
    assert!(
        plan.starts_with("2 of 3 jobs for 1 responders in 1 week(s)"),
        "{plan}"
    );
    assert!(plan.contains("no responder has the skill"), "{plan}");
    // As if there were one who can, and then it is as before: nothing was kept of it.
    let more = [&make[..], &["--more", "patching,40,en"]].concat();
    let more = good(folder, &more).stdout;
    assert!(
        more.starts_with("3 of 3 jobs") && more.contains("nothing was kept"),
        "{more}"
    );
    assert!(
        more.contains("1 jobs more, 0 with somebody else, 0 no longer"),
        "{more}"
    );
    let again = good(folder, &make).stdout;
    assert!(
        again.contains("0 jobs more, 0 with somebody else, 0 no longer"),
        "{again}"
    );
    let over = [&make[..], &["--without", "proxyshell"]].concat();
    assert_eq!(allclear(folder, &over).code, 2);
    good(folder, &["audit", "verify", "case"]);
}

#[test]
fn a_seed_plays_the_same_response_again_and_draws_it() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let simulate = [
        "plan",
        "simulate",
        "--organisations",
        "500",
        "--responders",
        "20",
        "--svg",
        "weeks.svg",
    ];
    let once = good(folder, &simulate).stdout;
    assert_eq!(once, good(folder, &simulate).stdout);
    assert_eq!(once.lines().count(), 5);
    let picture = support::read(&folder.join("weeks.svg"));
    assert!(picture.starts_with("<svg") && picture.contains("risk first"));
    assert_eq!(
        allclear(folder, &["plan", "simulate", "--organisations", "0"]).code,
        2
    );
}
