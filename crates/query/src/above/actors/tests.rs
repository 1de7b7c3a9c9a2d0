//! Clusters over visits whose actors are known.

use super::*;

const NONE: BTreeMap<String, Timestamp> = BTreeMap::new();

fn act(host: &str, address: &str, time: &str) -> Act {
    let time: Timestamp = time.parse().expect("a time in a test is one");
    Act {
        host: host.to_owned(),
        campaign: Some("c".to_owned()),
        address: (!address.is_empty()).then(|| address.to_owned()),
        first: Some(time),
        last: Some(time),
        ..Act::default()
    }
}

fn shell(host: &str, page: &str, sha256: &str, parameter: &str) -> Act {
    Act {
        host: host.to_owned(),
        page: Some(page.to_owned()),
        sha256: Some(sha256.to_owned()),
        parameter: Some(parameter.to_owned()),
        shell: true,
        ..Act::default()
    }
}

fn at(act: Act, page: &str) -> Act {
    Act {
        page: Some(page.to_owned()),
        ..act
    }
}

fn with(act: Act, agent: &str) -> Act {
    Act {
        agent: Some(agent.to_owned()),
        ..act
    }
}

fn weights() -> Weights {
    Weights::built_in().expect("what we ship parses")
}

/// Actors as `hosts: addresses`, one a line.
fn clusters(acts: Vec<Act>) -> Vec<String> {
    let grouped = group(acts, &weights(), &NONE);
    let line = |actor: &Actor| {
        let mut hosts: Vec<&str> = actor
            .visits
            .iter()
            .map(|visit| visit.host.as_str())
            .collect();
        hosts.sort_unstable();
        let addresses: Vec<&str> = actor.addresses.iter().map(String::as_str).collect();
        format!("{}: {}", hosts.join(" "), addresses.join(" "))
    };
    grouped.actors.iter().map(line).collect()
}

/// Two groups: one sweeps with one address and one shell, the other comes from a new address each time with a tool of its
/// own, and uses the first one's shell on A. A third did something else.
fn known() -> Vec<Act> {
    vec![
        act("A", "203.0.113.1", "2021-02-28T10:00:00Z"),
        at(act("A", "203.0.113.1", "2021-02-28T10:05:00Z"), "x.aspx"),
        shell("A", "x.aspx", "aa", "orange"),
        act("B", "203.0.113.1", "2021-02-28T12:00:00Z"),
        shell("B", "y.aspx", "bb", "lemon"),
        with(
            at(act("A", "198.51.100.1", "2021-03-05T10:00:00Z"), "x.aspx"),
            "Tool/9",
        ),
        with(
            at(act("C", "198.51.100.2", "2021-03-06T10:00:00Z"), "q.aspx"),
            "Tool/9",
        ),
        shell("C", "q.aspx", "cc", "secret"),
        with(
            at(act("D", "198.51.100.3", "2021-03-07T22:00:00Z"), "r.aspx"),
            "Tool/9",
        ),
        shell("D", "r.aspx", "cc", "secret"),
        act("E", "192.0.2.200", "2021-03-08T10:00:00Z"),
    ]
}

#[test]
fn actors_are_told_apart_by_what_they_share() {
    assert_eq!(
        clusters(known()),
        [
            "A B: 203.0.113.1",
            // The agent alone is not enough: who used the shell on A with it is not held to be the one of C and D.
            "A: 198.51.100.1",
            "C D: 198.51.100.2 198.51.100.3",
            "E: 192.0.2.200",
            // Nobody is known to have asked for it, and nothing says when it came.
            "B: ",
        ]
    );
}

#[test]
fn the_order_of_findings_changes_nothing() {
    let one = group(known(), &weights(), &NONE);
    let mut turned = known();
    turned.reverse();
    let other = group(turned, &weights(), &NONE);
    assert_eq!(one.actors, other.actors);
    assert_eq!(one.reuse, other.reuse);
}

#[test]
fn each_cluster_says_what_joined_it() {
    let grouped = group(known(), &weights(), &NONE);
    let why: Vec<String> = grouped
        .actors
        .iter()
        .flat_map(|actor| {
            actor.joins.iter().map(|join| {
                let shared: Vec<String> = join
                    .shared
                    .iter()
                    .map(|shared| format!("{}={}", shared.kind.name(), shared.value))
                    .collect();
                format!(
                    "{} {} {:.2} {}",
                    actor.name,
                    shared.join("+"),
                    join.weight,
                    join.hosts.join(" ")
                )
            })
        })
        .collect();
    assert_eq!(
        why,
        [
            "actor 1 address=203.0.113.1 1.00 A B",
            "actor 3 sha256=cc+agent=Tool/9 1.05 C D",
        ]
    );
}

#[test]
fn who_came_later_to_a_shell_reuses_it() {
    let grouped = group(
        known(),
        &weights(),
        &BTreeMap::from([(
            "c".to_owned(),
            "2021-03-02T00:00:00Z"
                .parse()
                .expect("a time in a test is one"),
        )]),
    );
    let [reuse] = grouped.reuse.as_slice() else {
        panic!("{:?}", grouped.reuse)
    };
    assert_eq!((reuse.host.as_str(), reuse.page.as_str()), ("A", "x.aspx"));
    assert_eq!(
        (reuse.first_actor.as_str(), reuse.later_actor.as_str()),
        ("actor 1", "actor 2")
    );
    assert_eq!(reuse.after_disclosure, Some(true));
    assert_eq!(grouped.actors[0].before_disclosure, Some(true));
    assert_eq!(grouped.actors[1].before_disclosure, Some(false));
    assert_eq!(
        (
            grouped.actors[0].came_first_on,
            grouped.actors[1].came_first_on
        ),
        (2, 0)
    );
}

#[test]
fn what_too_many_hosts_share_is_told_and_joins_nobody() {
    let acts = (0..20)
        .flat_map(|host| {
            let (host, page) = (format!("H{host:02}"), format!("page{host}.aspx"));
            let address = format!("198.51.100.{}", host.trim_start_matches('H'));
            let time = format!(
                "2021-03-{:02}T10:00:00Z",
                1 + host.trim_start_matches('H').parse::<u32>().unwrap_or(0)
            );
            [
                with(at(act(&host, &address, &time), &page), "Mozilla/5.0"),
                shell(&host, &page, "the same kit", "pass"),
            ]
        })
        .collect();
    let grouped = group(acts, &weights(), &NONE);
    assert_eq!(grouped.actors.len(), 20);
    let common: Vec<(&str, usize)> = grouped
        .too_common
        .iter()
        .map(|common| (common.shared.value.as_str(), common.hosts))
        .collect();
    assert_eq!(
        common,
        [("the same kit", 20), ("pass", 20), ("Mozilla/5.0", 20)]
    );
}

#[test]
fn pairs_hang_together_over_a_third_and_single_weak_things_do_not() {
    // C and D share a hash and an agent; D and E a hash and an address's neighbour only.
    let mut acts = known();
    acts.push(at(
        act("F", "198.51.100.2", "2021-05-01T00:00:00Z"),
        "z.aspx",
    ));
    let of_f = clusters(acts).into_iter().find(|line| line.contains('F'));
    assert_eq!(of_f.as_deref(), Some("C D F: 198.51.100.2 198.51.100.3"));
}

#[test]
fn twenty_thousand_visits_are_grouped_in_seconds() {
    let acts: Vec<Act> = (0..20_000)
        .flat_map(|number| {
            let (host, page) = (format!("H{number}"), format!("p{}.aspx", number % 700));
            let address = format!("10.0.{}.{}", number % 97, number % 251);
            [
                with(
                    at(act(&host, &address, "2021-03-03T00:00:00Z"), &page),
                    &format!("agent {}", number % 50),
                ),
                shell(&host, &page, &format!("{}", number % 900), "pass"),
            ]
        })
        .collect();
    let grouped = group(acts, &weights(), &NONE);
    let visits: usize = grouped.actors.iter().map(|actor| actor.visit_count).sum();
    assert_eq!(visits, 20_000);
}

#[test]
fn sets_of_kinds_that_suffice_hold_nothing_to_spare() {
    let sets: Vec<String> = weights()
        .sufficient_sets()
        .iter()
        .map(|kinds| {
            kinds
                .iter()
                .map(|kind| kind.name())
                .collect::<Vec<_>>()
                .join("+")
        })
        .collect();
    assert_eq!(
        sets,
        [
            "address",
            "sha256+page",
            "sha256+agent",
            "parameter+page+agent",
            "parameter+page+timing",
            "parameter+agent+timing",
            "page+agent+timing",
        ]
    );
}
