//! Fleets: what is drawn follows the published figures, and the same options give the same bytes.

use jiff::{Timestamp, ToSpan};
use range::{
    ContainerKind, Fleet, FleetError, FleetHost, FleetOptions, FleetScenario, FleetTruth, Patching,
    draw_fleet, make_fleet, scenarios,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;

const FIGURES: &str = include_str!("../data/fleet-patching.csv");

fn drawn(seed: u64, hosts: usize) -> Fleet {
    draw_fleet(&FleetOptions::new(seed, hosts)).expect("as the test means it")
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("as the test means it")
}

/// The points of the published curve.
fn points() -> Vec<(Timestamp, f64)> {
    let rows = FIGURES.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.splitn(4, ',').collect();
        (fields[2] == "curve").then(|| {
            (
                time(fields[0]),
                fields[1].parse().expect("as the test means it"),
            )
        })
    });
    rows.collect()
}

/// The published share at a time, straight between the points.
fn published(at: Timestamp) -> f64 {
    let points = points();
    let after = points
        .iter()
        .position(|(time, _)| *time >= at)
        .expect("as the test means it");
    let ((from, more), (until, less)) = (points[after - 1], points[after]);
    let seconds = |from: Timestamp, until: Timestamp| {
        f64::from(
            i32::try_from(until.as_second() - from.as_second()).expect("as the test means it"),
        )
    };
    more - (more - less) * seconds(from, at) / seconds(from, until)
}

fn share(hosts: &[FleetHost], is_so: impl Fn(&FleetHost) -> bool) -> f64 {
    let count = |number: usize| f64::from(u32::try_from(number).expect("as the test means it"));
    count(hosts.iter().filter(|host| is_so(host)).count()) / count(hosts.len())
}

fn unpatched_at(host: &FleetHost, at: Timestamp) -> bool {
    host.patched.is_none_or(|patched| patched >= at)
}

#[test]
fn servers_are_patched_as_published() {
    let fleet = drawn(1, 2_000);
    // At midnight, as within a day people keep hours that no figure tells.
    let mut day = time("2021-03-04T00:00:00Z");
    while day < time("2021-03-31T00:00:00Z") {
        let (drawn, wanted) = (
            share(&fleet.hosts, |host| unpatched_at(host, day)),
            published(day),
        );
        assert!(
            (drawn - wanted).abs() < 0.045,
            "{day}: {drawn} instead of {wanted}"
        );
        day += 24.hours();
    }
    let released = points()[0].0;
    assert!(
        fleet
            .hosts
            .iter()
            .all(|host| host.patched.is_none_or(|time| time >= released))
    );
    let never = share(&fleet.hosts, |host| host.patched.is_none());
    assert!((0.005..0.035).contains(&never), "{never}");
}

/// The tables say that small organisations are late and banks early.
#[test]
fn groups_patch_at_their_own_pace() {
    let fleet = drawn(2, 2_500);
    let at = time("2021-03-09T00:00:00Z");
    let employees: BTreeMap<&str, u32> = fleet
        .organisations
        .iter()
        .map(|organisation| (organisation.id.as_str(), organisation.employees))
        .collect();
    let of = |is_so: &dyn Fn(&FleetHost) -> bool| {
        let hosts: Vec<FleetHost> = fleet
            .hosts
            .iter()
            .filter(|host| is_so(host))
            .cloned()
            .collect();
        share(&hosts, |host| unpatched_at(host, at))
    };
    let small = of(&|host| employees[host.organisation.as_str()] < 50);
    let large = of(&|host| employees[host.organisation.as_str()] >= 1_000);
    let banks = of(&|host| host.sector == "finance");
    let others = of(&|host| host.sector != "finance");
    assert!(small > large + 0.05, "{small} {large}");
    assert!(others > banks + 0.05, "{others} {banks}");
    let sizes = fleet
        .organisations
        .iter()
        .map(|organisation| organisation.employees);
    let many_small = sizes.clone().filter(|employees| *employees < 250).count();
    assert!(many_small * 10 > fleet.organisations.len() * 7);
    assert!(sizes.max().expect("as the test means it") > 3_000);
}

#[test]
fn waves_come_as_in_the_campaign() {
    let hosts = drawn(3, 2_000).hosts;
    let hit = share(&hosts, |host| !host.visits.is_empty());
    assert!((0.15..0.62).contains(&hit), "{hit}");
    let in_wave = |name: &str| {
        share(&hosts, |host| {
            host.visits.iter().any(|visit| visit.wave == name)
        })
    };
    assert!(
        in_wave("quiet") > 0.0 && in_wave("quiet") < 0.03,
        "{}",
        in_wave("quiet")
    );
    assert!(in_wave("mass") > 0.1 && in_wave("rush") > 0.05 && in_wave("copycats") > 0.02);

    let mut seeds: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for host in &hosts {
        for visit in &host.visits {
            assert!(visit.time < host.options.end, "{host:?}");
        }
        if let Some(first) = host.visits.first() {
            assert!(
                host.options.begin.expect("as the test means it") <= first.time,
                "{host:?}"
            );
            assert!(
                host.patched.is_none_or(|patched| first.time < patched),
                "{host:?}"
            );
        }
        if let [visit] = host.visits.as_slice() {
            let of_group = seeds.entry(&visit.group).or_default();
            of_group.extend(host.options.actor_seeds.values());
        }
    }
    assert!(seeds.len() >= 10, "{seeds:?}");
    let tools: BTreeSet<u64> = seeds.values().flatten().copied().collect();
    assert_eq!(
        tools.len(),
        seeds.len(),
        "each group has its own tools, and the same on every host"
    );
    assert!(seeds.values().all(|seeds| seeds.len() == 1));

    // Fortgale: 106 of 346 compromised servers had two or more backdoors.
    let compromised: Vec<FleetHost> = hosts
        .into_iter()
        .filter(|host| !host.visits.is_empty())
        .collect();
    let several = share(&compromised, |host| host.visits.len() > 1);
    assert!((0.18..0.45).contains(&several), "{several}");
}

#[test]
fn every_host_has_a_name_of_its_own_and_scenarios_that_exist() {
    let fleet = drawn(4, 2_000);
    let known: BTreeSet<&str> = scenarios().into_iter().collect();
    let mut names = BTreeSet::new();
    for host in &fleet.hosts {
        let name = host.options.host.as_deref().expect("as the test means it");
        assert!(name.len() <= 15 && names.insert(name), "{name}");
        for part in host.options.scenario.split('+') {
            assert!(known.contains(part), "{part}");
        }
        if let Patching::At(patched) = host.options.patching {
            assert_eq!(Some(patched), host.patched);
            assert!(patched < host.options.end);
        }
    }
    let scenarios: BTreeSet<&str> = fleet
        .hosts
        .iter()
        .map(|host| host.options.scenario.as_str())
        .collect();
    assert!(scenarios.len() >= 50, "{}: {scenarios:?}", scenarios.len());
    let owned: Vec<&str> = fleet
        .organisations
        .iter()
        .flat_map(|organisation| organisation.hosts.iter().map(String::as_str))
        .collect();
    let hosts: Vec<&str> = fleet
        .hosts
        .iter()
        .filter_map(|host| host.options.host.as_deref())
        .collect();
    assert_eq!(owned, hosts);
    let organisations: BTreeSet<&str> = fleet
        .organisations
        .iter()
        .map(|organisation| organisation.name.as_str())
        .collect();
    assert_eq!(organisations.len(), fleet.organisations.len());
}

#[test]
fn a_fleet_of_every_scenario_has_each_once() {
    let all = scenarios();
    let options = FleetOptions {
        scenario: FleetScenario::Every,
        ..FleetOptions::new(5, all.len())
    };
    let fleet = draw_fleet(&options).expect("as the test means it");
    let drawn: Vec<&str> = fleet
        .hosts
        .iter()
        .map(|host| host.options.scenario.as_str())
        .collect();
    assert_eq!(drawn, all);
}

#[test]
fn what_makes_no_fleet_is_said() {
    let folder = tempfile::tempdir().expect("as the test means it");
    let refused = |options: &FleetOptions| {
        make_fleet(options, folder.path(), &|_| ())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused(&FleetOptions::new(1, 0)),
        "a fleet has at least one host"
    );
    let unknown = FleetOptions {
        scenario: FleetScenario::Named("clean+nosuch".into()),
        ..FleetOptions::new(1, 2)
    };
    assert!(refused(&unknown).starts_with("no scenario is named nosuch"));
    assert_eq!(
        fs::read_dir(folder.path())
            .expect("as the test means it")
            .count(),
        0
    );
    fs::write(folder.path().join("mine.txt"), "mine").expect("as the test means it");
    assert!(refused(&FleetOptions::new(1, 1)).ends_with(" is not empty"));
}

/// Every file below the folder, by its path.
#[expect(
    clippy::disallowed_methods,
    reason = "the range's output is no evidence of anybody"
)]
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(
                fs::read_dir(&path)
                    .expect("as the test means it")
                    .map(|entry| entry.expect("as the test means it").path()),
            );
        } else {
            let name = path
                .strip_prefix(folder)
                .expect("as the test means it")
                .display()
                .to_string();
            found.insert(name, fs::read(&path).expect("as the test means it"));
        }
    }
    found
}

#[test]
fn the_same_options_give_the_same_bytes_whatever_the_number_of_jobs() {
    let folder = tempfile::tempdir().expect("as the test means it");
    let make = |name: &str, jobs: usize| {
        let options = FleetOptions {
            jobs,
            containers: vec![ContainerKind::Zip, ContainerKind::TarGz],
            ..FleetOptions::new(7, 5)
        };
        let told = Mutex::new(BTreeSet::new());
        let truth = make_fleet(&options, &folder.path().join(name), &|progress| {
            assert_eq!(progress.of, 5);
            told.lock()
                .expect("as the test means it")
                .insert(progress.done);
        });
        assert_eq!(
            told.into_inner().expect("as the test means it"),
            (1..=5).collect()
        );
        truth.expect("as the test means it")
    };
    let (one, three) = (make("one", 1), make("three", 3));
    assert_eq!(one, three);
    let (one_files, three_files) = (
        files(&folder.path().join("one")),
        files(&folder.path().join("three")),
    );
    assert!(one_files == three_files, "the bytes differ");

    let written: FleetTruth =
        serde_json::from_slice(&one_files["truth.json"]).expect("as the test means it");
    assert_eq!(written, one);
    for host in &one.hosts {
        assert!(!host.collections.is_empty());
        for collection in &host.collections {
            assert!(one_files.contains_key(&format!("evidence/{}", collection.path)));
        }
    }
    let organisations =
        String::from_utf8(one_files["organisations.csv"].clone()).expect("as the test means it");
    assert_eq!(organisations.lines().count(), 1 + 5);
    let known =
        String::from_utf8(one_files["known-files.csv"].clone()).expect("as the test means it");
    let rows: BTreeSet<&str> = known.lines().collect();
    assert_eq!(rows.len(), known.lines().count(), "no row stands twice");
}

/// Whatever stops one host stops the fleet, and is told with the host's name.
#[test]
fn a_host_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("as the test means it");
    let options = FleetOptions {
        scenario: FleetScenario::Named("clean".into()),
        ..FleetOptions::new(8, 3)
    };
    let second = draw_fleet(&options).expect("as the test means it").hosts[1]
        .options
        .clone();
    let name = second.host.expect("as the test means it");
    let archive = format!("evidence/{name}-{}.zip", second.end.strftime("%Y%m%d"));
    let made = make_fleet(&options, folder.path(), &|progress| {
        if progress.done == 1 {
            // A folder in the archive's place.
            fs::create_dir(folder.path().join(&archive)).expect("as the test means it");
        }
        assert!(progress.done < 3, "nothing more is made after the failure");
    });
    assert!(matches!(made, Err(FleetError::Host { host, .. }) if host == name));
    assert!(!folder.path().join("truth.json").exists());
}
