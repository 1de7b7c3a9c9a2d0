//! Every cumulative update of the March 2021 fix, one build below and at its threshold, and what cannot be decided.

use super::*;
use crate::builtin_packs;
use expect_test::{Expect, expect};
use std::fmt::Write as _;

fn proxylogon() -> Pack {
    builtin_packs()
        .into_iter()
        .find(|pack| pack.manifest.name == "proxylogon")
        .unwrap()
}

/// One line for each build: `fixed`, what is not fixed (the last four digits of each id), or why it is not decided.
fn statuses(builds: &[&str]) -> String {
    let (pack, known) = (proxylogon(), BuildTable::builtin());
    let mut shown = String::new();
    for text in builds {
        let build: Build = text.parse().unwrap();
        let status = match pack.status_of("exchange", &build, &known) {
            BuildStatus::Fixed => "fixed".to_owned(),
            BuildStatus::Vulnerable(cves) => {
                let ends: Vec<&str> = cves.iter().map(|cve| &cve[cve.len() - 5..]).collect();
                format!("vulnerable {}", ends.join(" "))
            }
            BuildStatus::Disputed(why) => format!("disputed: {why}"),
            BuildStatus::Unknown(why) => format!("unknown: {why}"),
        };
        writeln!(shown, "{text} {status}").unwrap();
    }
    shown
}

fn check(builds: &[&str], expected: &Expect) {
    expected.assert_eq(&statuses(builds));
}

/// Of each cumulative update that got the fix: the highest listed build without it, and the first with it.
#[test]
fn each_fixed_update_turns_at_its_threshold() {
    let pairs = [
        ("15.0.847.62", "15.0.847.64"),
        ("15.0.1395.10", "15.0.1395.12"),
        ("15.0.1473.5", "15.0.1473.6"),
        ("15.0.1497.10", "15.0.1497.12"),
        ("15.1.1415.7", "15.1.1415.10"),
        ("15.1.1466.10", "15.1.1466.16"),
        ("15.1.1531.10", "15.1.1531.12"),
        ("15.1.1591.17", "15.1.1591.18"),
        ("15.1.1713.9", "15.1.1713.10"),
        ("15.1.1779.7", "15.1.1779.8"),
        ("15.1.1847.10", "15.1.1847.12"),
        ("15.1.1913.10", "15.1.1913.12"),
        ("15.1.1979.6", "15.1.1979.8"),
        ("15.1.2044.12", "15.1.2044.13"),
        ("15.1.2106.8", "15.1.2106.13"),
        ("15.1.2176.4", "15.1.2176.9"),
        ("15.2.221.17", "15.2.221.18"),
        ("15.2.330.10", "15.2.330.11"),
        ("15.2.397.9", "15.2.397.11"),
        ("15.2.464.14", "15.2.464.15"),
        ("15.2.529.11", "15.2.529.13"),
        ("15.2.595.6", "15.2.595.8"),
        ("15.2.659.11", "15.2.659.12"),
        ("15.2.721.8", "15.2.721.13"),
        ("15.2.792.5", "15.2.792.10"),
    ];
    for (below, at) in pairs {
        assert_eq!(
            statuses(&[below, at]),
            format!("{below} vulnerable 26855 26857 26858 27065\n{at} fixed\n")
        );
    }
    let (pack, known) = (proxylogon(), BuildTable::builtin());
    let updates: BTreeSet<_> = pack
        .vulnerabilities
        .iter()
        .filter(|row| row.and_later_updates == YesNo::No)
        .map(|row| row.fixed.cumulative_update())
        .collect();
    assert_eq!(updates.len(), pairs.len(), "an update is not tested");
    // And between the pair no table lists a build, but for the disputed ones.
    for (below, at) in pairs {
        let (below, at): (Build, Build) = (below.parse().unwrap(), at.parse().unwrap());
        let between: Vec<_> = known
            .builds_of_cu("exchange", &at)
            .into_iter()
            .filter(|row| below < row.build && row.build < at)
            .filter(|row| {
                let status = pack.status_of("exchange", &row.build, &known);
                !matches!(status, BuildStatus::Disputed(_))
            })
            .collect();
        assert!(between.is_empty(), "{between:?}");
    }
}

#[test]
fn builds_between_two_tables_are_disputed() {
    check(
        &["15.1.1415.8", "15.1.1415.9", "15.1.1466.13", "15.1.1466.15"],
        &expect![[r"
            15.1.1415.8 disputed: public tables disagree about the build 15.1.1415.8: some say that 15.1.1415 is fixed from 15.1.1415.8 on, others from 15.1.1415.10 on
            15.1.1415.9 disputed: public tables disagree about the build 15.1.1415.9: some say that 15.1.1415 is fixed from 15.1.1415.8 on, others from 15.1.1415.10 on
            15.1.1466.13 disputed: public tables disagree about the build 15.1.1466.13: some say that 15.1.1466 is fixed from 15.1.1466.13 on, others from 15.1.1466.16 on
            15.1.1466.15 disputed: public tables disagree about the build 15.1.1466.15: some say that 15.1.1466 is fixed from 15.1.1466.13 on, others from 15.1.1466.16 on
        "]],
    );
}

#[test]
fn later_updates_hold_the_fix_and_others_never_got_one() {
    check(
        &[
            "15.1.2242.4",
            "15.1.2308.8",
            "15.1.2507.72",
            "15.2.858.2",
            "15.2.858.5",
            "15.2.922.7",
            "15.2.1748.49",
            "15.2.2562.17",
            "15.0.516.32",
            "15.0.775.41",
            "15.0.913.22",
            "15.0.1367.9",
            "15.1.225.42",
            "15.1.1261.39",
            "15.1.1261.99",
        ],
        &expect![[r"
            15.1.2242.4 fixed
            15.1.2308.8 fixed
            15.1.2507.72 fixed
            15.2.858.2 fixed
            15.2.858.5 fixed
            15.2.922.7 fixed
            15.2.1748.49 fixed
            15.2.2562.17 fixed
            15.0.516.32 vulnerable 26855 26857 26858 27065
            15.0.775.41 vulnerable 26855 26857 26858 27065
            15.0.913.22 vulnerable 26855 26857 26858 27065
            15.0.1367.9 vulnerable 26855 26857 26858 27065
            15.1.225.42 vulnerable 26855 26857 26858 27065
            15.1.1261.39 vulnerable 26855 26857 26858 27065
            15.1.1261.99 vulnerable 26855 26857 26858 27065
        "]],
    );
}

#[test]
fn exchange_2010_has_only_the_defence_in_depth() {
    check(
        &["14.3.509.0", "14.3.513.0", "14.3.513", "14.3.496"],
        &expect![[r"
            14.3.509.0 vulnerable 26857
            14.3.513.0 fixed
            14.3.513 fixed
            14.3.496 vulnerable 26857
        "]],
    );
}

#[test]
fn builds_that_no_table_lists_are_unknown() {
    check(
        &[
            "15.1.2176.5",
            "15.1.2176.99",
            "15.1.2308.9",
            "15.1.2177.1",
            "15.1.2177",
            "15.3.1.1",
            "8.3.517.0",
        ],
        &expect![[r"
            15.1.2176.5 unknown: no table lists the build 15.1.2176.5
            15.1.2176.99 unknown: no table lists the build 15.1.2176.99
            15.1.2308.9 unknown: no table lists the build 15.1.2308.9
            15.1.2177.1 unknown: no table knows a build that begins 15.1.2177.1
            15.1.2177 unknown: no table knows a build that begins 15.1.2177
            15.3.1.1 unknown: the pack proxylogon says nothing about version 15.3 of exchange
            8.3.517.0 unknown: the pack proxylogon says nothing about version 8.3 of exchange
        "]],
    );
    let other =
        proxylogon().status_of("orion", &Build::new(15, 1, 2176, 9), &BuildTable::builtin());
    assert!(matches!(other, BuildStatus::Unknown(_)));
}

#[test]
fn three_parts_decide_only_where_all_builds_agree() {
    check(
        &[
            "15.1.2308",
            "15.1.2242",
            "15.2.858",
            "15.1.1261",
            "15.1.2176",
            "15.1.1415",
        ],
        &expect![[r"
            15.1.2308 fixed
            15.1.2242 fixed
            15.2.858 fixed
            15.1.1261 vulnerable 26855 26857 26858 27065
            15.1.2176 unknown: the version 15.1.2176 has three parts, and of the builds it may stand for only some are fixed
            15.1.1415 unknown: the version 15.1.1415 has three parts, and of the builds it may stand for only some are fixed
        "]],
    );
}

#[test]
fn builds_have_names_and_sources() {
    let known = BuildTable::builtin();
    let name = |build: &str| known.name_of("exchange", &build.parse().unwrap());
    assert_eq!(
        name("15.1.2176.9"),
        Some("Exchange Server 2016 CU19 Mar21SU")
    );
    assert_eq!(name("15.1.2176"), Some("Exchange Server 2016 CU19"));
    assert_eq!(name("15.1.2177"), None);
    assert!(
        known
            .builds_of("exchange")
            .all(|row| !row.source.is_empty())
    );
    assert_eq!(known.builds_of("exchange").count(), 362);
}

/// The two public tables, where they are at hand: every build of either is in ours.
#[test]
fn the_table_holds_every_build_of_both_sources() {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/evidence/exchange/"
    );
    let read = |name: &str| {
        let mut text = String::new();
        let mut file = std::fs::OpenOptions::new()
            .read(true)
            .open(format!("{folder}{name}"))
            .ok()?;
        std::io::Read::read_to_string(&mut file, &mut text).ok()?;
        Some(text)
    };
    let (Some(script), Some(documentation)) = (
        read("builds-microsoft-script.csv"),
        read("builds-public-docs.psv"),
    ) else {
        println!("skipped: the public tables are not on this machine");
        return;
    };
    let script = script.lines().filter_map(|line| line.rsplit(',').next());
    let documentation = documentation
        .lines()
        .skip(1)
        .filter_map(|line| line.split('|').next());
    let published: BTreeSet<Build> = script
        .chain(documentation)
        .map(|build| build.parse().unwrap())
        .collect();
    let ours: BTreeSet<Build> = BuildTable::builtin()
        .builds_of("exchange")
        .map(|row| row.build)
        .collect();
    assert_eq!(published, ours);
}
