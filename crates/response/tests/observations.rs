//! What lists say, counted: each thing once, by every method for itself, and nothing rounded.

mod lists;

use lists::{Given, registry, tables};
use proptest::prelude::*;
use response::count::{Gather, Said};
use response::import::Kind;
use response::observe::{Context, Form, Read, read, recognise};
use response::registry::Registry;
use response::standing::Claim;
use response::table::Table;
use response::trend::{Known, Period, Step, trend};
use std::collections::BTreeMap;
use store::response::{ContactRow, HeardRow, ObservationRow};

const NOW: i64 = 1_620_000_000_000_000;

fn context() -> Context {
    Context {
        campaign: Some("c".to_owned()),
        vulnerabilities: BTreeMap::from([("c".to_owned(), vec!["CVE-2021-26855".to_owned()])]),
        now: NOW,
        ..Context::default()
    }
}

fn taken(family: &str, text: &str) -> Read {
    let table = Table::read(text.as_bytes()).expect("a table");
    let form = recognise(family, &table).expect("a known form");
    let read = read(&table, &form, &context(), "i");
    assert_eq!(
        table.rows_in(),
        read.observations.len() + read.refused.len()
    );
    read
}

/// Asset, host, reverse name, claim and method of every row; the reason of each that was refused.
fn check(family: &str, text: &str) -> Vec<String> {
    let read = taken(family, text);
    let rows = read.observations.iter().map(|row: &ObservationRow| {
        let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let (host, reverse) = (or(&row.host), or(&row.reverse));
        let (asset, claim, method, version) =
            (&row.asset, &row.claim, &row.method, &row.method_version);
        format!("{asset} {host} {reverse} {claim} {method} {version}")
    });
    let refused = read
        .refused
        .iter()
        .map(|refused| format!("line {}: {}", refused.line, refused.why));
    rows.chain(refused).collect()
}

#[test]
fn reports_of_shadowserver_are_read_by_their_columns() {
    let scan = "timestamp,severity,ip,protocol,port,hostname,tag,asn,geo,region,city,naics,hostname_source,sector,version,servername,url\n\
        \"2021-03-09 04:15:00\",critical,192.0.2.1,tcp,443,mail.a.example,\"exchange;cve-2021-26855\",64500,NL,,,0,,,15.1.2106.2,EX01,\n\
        2021-03-09 04:15:00,critical,192.0.2.2,tcp,443,,exchange,64500,NL,,,0,,,15.1.2176.9,EX02,\n\
        2021-03-09 04:15:00,critical,192.0.2,tcp,443,,exchange,64500,NL,,,0,,,15.1.2176.9,EX02,\n\
        2051-03-09 04:15:00,critical,192.0.2.3,tcp,443,,exchange,64500,NL,,,0,,,15.1.2176.9,EX02,\n";
    assert_eq!(
        check("shadowserver", scan),
        [
            "192.0.2.1 - mail.a.example vulnerable shadowserver scan_exchange ",
            "192.0.2.2 - - undetermined shadowserver scan_exchange ",
            "line 4: the address is not well formed",
            "line 5: the time lies in the future",
        ]
    );
    let website = "timestamp,severity,ip,protocol,port,hostname,tag,asn,geo,region,city,naics,hostname_source,sector,application,url,http_host,category,system,detected_since,server,redirect_target,cc_url,family,status,account,detail,public_source\n\
        2021-03-12 00:00:00,critical,192.0.2.1,tcp,443,,webshell,1,NL,,,0,,,https,https://mail.a.example/aspnet_client/x.aspx,mail.a.example,,,,,,,,,,,\n";
    assert_eq!(
        check("shadowserver", website),
        ["192.0.2.1 mail.a.example - web_shell shadowserver compromised_website "]
    );
}

#[test]
fn events_and_scans_name_their_method() {
    let events = r#"{"classification.type":"vulnerable-system","source.ip":"2001:DB8::1","time.source":"2021-03-09T04:15:00+00:00","feed.name":"Exchange","feed.provider":"P"}
{"classification":{"type":"system-compromise"},"source":{"fqdn":"mail.b.example"}}
{"classification.type":"blacklist"}"#;
    assert_eq!(
        check("intelmq", events),
        [
            "2001:db8::1 - - vulnerable Exchange ",
            "mail.b.example mail.b.example - exploited intelmq ",
            "line 3: the row names neither address nor host",
        ]
    );
    let scans = "ip,host,ptr,timestamp,scanner,scanner_version,result\n192.0.2.1,,,2021-03-09,nse,1,not vulnerable\n192.0.2.1,,,2021-03-16,nse,2,vulnerable\n192.0.2.1,,,2021-03-16,nse,2,timeout\n";
    assert_eq!(
        check("divd", scans),
        [
            "192.0.2.1 - - patched nse 1",
            "192.0.2.1 - - vulnerable nse 2",
            "192.0.2.1 - - undetermined nse 2",
        ]
    );
}

#[test]
fn a_mapping_file_is_checked_before_it_is_used() {
    let wrong = |text: &str| Form::from_yaml(text).unwrap_err().to_string();
    assert_eq!(
        wrong("name: x\ncolumns: {seen: [t]}\nclaims: [{claim: vulnerable}]"),
        "it names no column for address, host or url"
    );
    assert_eq!(
        wrong("name: x\ncolumns: {address: [ip]}"),
        "it has neither a column for the claim nor a rule"
    );
    assert_eq!(
        wrong("name: x\ncolumns: {address: [ip]}\nclaims: [{claim: hacked}]"),
        "`hacked` is no claim"
    );
    assert!(wrong("name: x\ncolumn: {}").starts_with("it cannot be read"));
    let form = Form::from_yaml("name: x\ncolumns: {address: [IP]}\nclaims: [{column: State, is: [Open], claim: vulnerable}]").unwrap();
    let table = Table::read(b"ip;state\n192.0.2.1;OPEN\n192.0.2.2;closed\n").unwrap();
    let read = read(&table, &form, &context(), "i");
    assert_eq!(
        (read.observations.len(), read.refused[0].why),
        (1, "nothing says what the row claims")
    );
}

fn world() -> Registry {
    let lists = [
        Given {
            kind: Kind::Organisations,
            manual: false,
            text: "id,name,domains,aliases\na,Ash,ash.example,\nb,Birch,birch.example,Berk NV\nc,Cedar,cedar.example,\nh,Hoster,hoster.example,\n".to_owned(),
        },
        Given {
            kind: Kind::Assets,
            manual: false,
            text: "kind,value,organisation\naddress,192.0.2.1,a\naddress,192.0.2.9,b\naddress,192.0.2.9,c\nnetwork,198.51.100.0/24,h\n".to_owned(),
        },
    ];
    let provider = |scope: &str, subject: &str| ContactRow {
        scope: scope.to_owned(),
        subject: subject.to_owned(),
        role: "provider".to_owned(),
        ..ContactRow::default()
    };
    registry(&tables(lists.iter())).with_providers(&[
        provider("domain", "hoster.example"),
        provider("network", "198.51.100.0/24"),
    ])
}

fn heard(
    address: &str,
    host: &str,
    reverse: &str,
    organisation: &str,
    claim: &str,
    seen: i64,
) -> HeardRow {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    HeardRow {
        import: "i".to_owned(),
        campaign: "c".to_owned(),
        address: some(address),
        host: some(host),
        reverse: some(reverse),
        organisation: some(organisation),
        claim: claim.to_owned(),
        method: "m".to_owned(),
        method_version: "1".to_owned(),
        source: "s".to_owned(),
        seen: Some(seen),
    }
}

fn gathered(registry: &Registry, rows: impl IntoIterator<Item = HeardRow>) -> Said {
    let mut gather = Gather::new(registry);
    for row in rows {
        gather.heard(row);
    }
    gather.done()
}

/// Every line of the count as `what: organisations servers addresses rows`.
fn counted(said: &Said) -> Vec<String> {
    let lines = said.by_claim().into_iter().map(|line| {
        let figures = line.figures;
        format!(
            "{}: {} {} {} {}",
            line.what, figures.organisations, figures.servers, figures.addresses, figures.rows
        )
    });
    lines.collect()
}

#[test]
fn three_shells_on_one_server_are_one_victim_and_a_shared_host_is_no_organisation() {
    let registry = world();
    let rows = [
        heard("192.0.2.1", "", "", "", "web_shell", 1),
        heard("192.0.2.1", "mail.ash.example", "", "", "web_shell", 1),
        heard("", "mail.ash.example", "", "", "web_shell", 2),
        // Two claim the address; the name tells whose it is, the provider's name and network do not.
        heard("192.0.2.9", "", "", "", "web_shell", 1),
        heard("192.0.2.9", "mail.birch.example", "", "", "web_shell", 1),
        heard(
            "198.51.100.7",
            "",
            "ip-7.hoster.example",
            "",
            "web_shell",
            1,
        ),
        heard(
            "198.51.100.8",
            "",
            "ip-8.hoster.example",
            "BERK nv",
            "undetermined",
            1,
        ),
    ];
    let said = gathered(&registry, rows);
    assert_eq!(
        counted(&said),
        [
            "compromised by any word (exploited or web_shell): 2 4 3 6",
            "web_shell by any word: 2 4 3 6",
            "undetermined by any word: 1 1 1 1",
            "nothing but undetermined: 1 1 1 1",
        ]
    );
    assert_eq!(said.victims().into_iter().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn the_later_word_counts_and_undetermined_takes_nothing_back() {
    let registry = world();
    let rows = [
        heard("192.0.2.1", "", "", "", "vulnerable", 1),
        heard("192.0.2.1", "", "", "", "patched", 2),
        heard("192.0.2.1", "", "", "", "undetermined", 3),
        heard("192.0.2.9", "mail.cedar.example", "", "", "patched", 2),
        heard("192.0.2.9", "mail.cedar.example", "", "", "vulnerable", 2),
    ];
    let said = gathered(&registry, rows);
    let lines = counted(&said);
    assert!(
        lines.contains(&"vulnerable by the latest word: 1 1 1 1".to_owned()),
        "{lines:?}"
    );
    assert!(
        lines.contains(&"patched by the latest word: 1 1 1 1".to_owned()),
        "{lines:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However often lists repeat each other and in whatever order they come, only what adding them gives is different.
    #[test]
    fn counts_do_not_change_with_order_or_repetition(
        picks in proptest::collection::vec((0..6_usize, 0..4_usize, 0..4_usize, 0..3_usize, 1..4_i64), 1..40),
        turned in any::<prop::sample::Index>(),
    ) {
        let addresses = ["192.0.2.1", "192.0.2.9", "198.51.100.7", "203.0.113.4", "", "192.0.2.77"];
        let hosts = ["mail.ash.example", "mail.birch.example", "x.unknown.example", ""];
        let claims = ["vulnerable", "patched", "web_shell", "undetermined"];
        let names = ["", "Cedar", "Berk NV"];
        let rows: Vec<HeardRow> = picks
            .iter()
            .map(|(address, host, claim, name, seen)| {
                heard(addresses[*address], hosts[*host], "", names[*name], claims[*claim], *seen)
            })
            .collect();
        let registry = world();
        let without_rows = |said: &Said| {
            let mut lines = said.by_claim();
            for line in &mut lines {
                line.figures.rows = 0;
            }
            lines
        };
        let once = without_rows(&gathered(&registry, rows.clone()));
        let mut again = rows.clone();
        again.extend(rows.iter().rev().cloned());
        let turn = turned.index(again.len());
        again.rotate_left(turn);
        prop_assert_eq!(once, without_rows(&gathered(&registry, again)));
    }
}

#[test]
fn a_better_method_is_no_change_of_the_world() {
    const DAY: i64 = 86_400_000_000;
    let registry = Registry::default();
    let mut rows = Vec::new();
    let mut scan =
        |day: i64, version: &str, found: std::ops::Range<u8>, denied: std::ops::Range<u8>| {
            let all = found
                .map(|n| (n, "vulnerable"))
                .chain(denied.map(|n| (n, "patched")));
            for (n, claim) in all {
                rows.push(HeardRow {
                    method_version: version.to_owned(),
                    ..heard(&format!("192.0.2.{n}"), "", "", "", claim, day * DAY)
                });
            }
        };
    scan(0, "1", 0..100, 100..140);
    scan(7, "1", 0..50, 50..140);
    scan(14, "2", 20..90, 90..150);
    scan(21, "2", 20..40, 40..150);
    scan(28, "2", 20..40, 40..150);
    scan(35, "2", 21..40, 40..150);
    let said = gathered(&registry, rows);
    let course = trend(&said, Claim::Vulnerable, Period::Day, Known::default());
    let steps: Vec<String> = course
        .steps
        .iter()
        .map(|step| match step {
            Step::World {
                servers_before,
                servers,
                ..
            } => format!("{servers_before} to {servers}"),
            Step::Method {
                found_before_too,
                denied_before,
                not_seen_before,
                ..
            } => {
                format!(
                    "method: {found_before_too} too, {denied_before} denied, {not_seen_before} new"
                )
            }
        })
        .collect();
    assert_eq!(
        steps,
        [
            "100 to 50",
            "method: 30 too, 40 denied, 0 new",
            "70 to 20",
            "20 to 20",
            "20 to 19"
        ]
    );
    let [plateau] = course.plateaus.as_slice() else {
        panic!("{:?}", course.plateaus)
    };
    assert_eq!(
        (plateau.since, plateau.servers_last, plateau.tail[0].servers),
        (21 * DAY, 19, 19)
    );
    assert_eq!(plateau.tail[0].why, "nobody in the registry has the server");
}
