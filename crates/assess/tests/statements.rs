//! What may be said of what was done: supported only where all was seen, and never for want of evidence.

use assess::{Knowledge, assess, derived_findings, persistence_review};
use model::report::{CampaignReport, PersistenceReview, SeenState, Statement, StatementOutcome};
use model::{
    Activity, Build, BuildSeen, CollectionSeen, EventLogState, Fact, FactAt, Finding, Foothold,
    FootholdKind, FootholdState, IisModule, ItemSeen, Observed, Persistence, PersistenceKind,
    Place, SentTo, SourceName, Stage, TakenAt, Timestamp,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const COLLECTION: &str = "c-1";
const CLIENT: &str = "203.0.113.7";

/// Logs that number their records, and kept all of them.
const EVENT_LOGS: [&str; 4] = [
    "Security",
    "MSExchange Management",
    "Microsoft-Windows-Sysmon/Operational",
    "Microsoft-Windows-PowerShell/Operational",
];

/// Logs known by their rhythm, kinds of event among them.
const RHYTHMS: [&str; 17] = [
    "exchange.httpproxy:ecp",
    "exchange.httpproxy:owa",
    "exchange.httpproxy:autodiscover",
    "exchange.httpproxy:eas",
    "exchange.httpproxy:ews",
    "exchange.httpproxy:mapi",
    "exchange.httpproxy:oab",
    "exchange.httpproxy:powershell",
    "exchange.httpproxy:rpchttp",
    "exchange.ews",
    "exchange.ecp_server",
    "iis.site:1",
    "iis.site:2",
    "windows.event:microsoft-windows-sysmon/operational/1",
    "windows.event:microsoft-windows-sysmon/operational/3",
    "windows.event:microsoft-windows-sysmon/operational/10",
    "windows.event:microsoft-windows-sysmon/operational/11",
];

const FILES: [&str; 3] = ["files:mft", "files:usn", "windows.registry:sam"];

/// What rules and readers could have seen, each in the source that holds it: a technique, or a word for something else.
const TRACES: [(&str, &str); 11] = [
    (
        "windows.eventlog:microsoft-windows-sysmon/operational",
        "T1003.001",
    ),
    ("windows.eventlog:security", "T1021.002"),
    ("windows.eventlog:security", "account"),
    ("windows.eventlog:msexchange management", "T1114.002"),
    ("exchange.httpproxy:ews", "T1114.002"),
    ("exchange.httpproxy:ecp", "other host"),
    ("iis.site:1", "T1074.001"),
    ("exchange.ecp_server", "client"),
    ("windows.registry:sam", "account"),
    ("windows.eventlog:msexchange management", "T1074.001"),
    ("exchange.httpproxy:owa", "T1567"),
];

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn taken() -> Timestamp {
    time("2021-03-20T00:00:00Z")
}

/// A host on which somebody was, with all the evidence there can be but for what is withheld.
#[derive(Clone, Debug, Default)]
struct Made {
    /// Sources that are withheld whole.
    without: Vec<String>,
    /// A log of which so many hours are missing from this hour after the window's start on.
    hole: Option<(String, i64, i64)>,
    /// Indices into [`TRACES`].
    traces: Vec<usize>,
    collector_is_silent: bool,
}

impl Made {
    fn has(&self, source: &str) -> bool {
        !self.without.iter().any(|withheld| withheld == source)
    }

    fn observed(&self) -> Observed {
        let mut latest = CollectionSeen {
            id: COLLECTION.to_owned(),
            taken: Some(taken()),
            ..CollectionSeen::default()
        };
        let mut host = Observed {
            host: "EX01".to_owned(),
            ..Observed::default()
        };
        let fact = |host: &mut Observed, item: &str, fact| {
            let place = Place::item(COLLECTION, item);
            host.facts.push(FactAt { fact, place });
        };
        let build = BuildSeen {
            product: "exchange".to_owned(),
            build: Build::new(15, 1, 2176, 2),
            first: Some(time("2020-12-30T00:00:00Z")),
            last: Some(time("2021-03-19T00:00:00Z")),
            count: 10,
            rule: "HttpProxy row".to_owned(),
        };
        fact(&mut host, "always there", Fact::Build(build));
        if !self.collector_is_silent {
            let stated = TakenAt {
                time: taken(),
                rule: "collector".to_owned(),
            };
            fact(&mut host, "collector", Fact::Taken(stated));
        }
        for channel in EVENT_LOGS {
            let source = SourceName::of("windows.eventlog", channel);
            if !self.has(source.as_str()) {
                continue;
            }
            latest.items.push(item(source.as_str()));
            let state = EventLogState {
                channel: channel.to_owned(),
                computer: "EX01".to_owned(),
                first_id: 1,
                last_id: 9_000,
                first: Some(time("2020-06-01T00:00:00Z")),
                last: Some(time("2021-03-19T23:50:00Z")),
                missing_ids: Vec::new(),
                next_id: Some(9_001),
                live: true,
            };
            fact(&mut host, source.as_str(), Fact::EventLog(state));
        }
        for source in RHYTHMS {
            // Kinds of events go with their log.
            let log = "windows.eventlog:microsoft-windows-sysmon/operational";
            if !self.has(source) || (source.starts_with("windows.event:") && !self.has(log)) {
                continue;
            }
            latest.items.push(item(source));
            latest
                .activity
                .insert(SourceName::new(source), self.activity(source));
        }
        // What the proxy's logs tell of was asked for at the front end.
        let paths = [
            "/autodiscover",
            "/microsoft-server-activesync",
            "/ews",
            "/mapi",
            "/oab",
            "/powershell",
            "/rpc",
        ];
        if self.has("iis.site:1") {
            let paths = paths.map(str::to_owned).into();
            let source = SourceName::new("iis.site:1");
            latest.requested.insert(source, paths);
        }
        for source in FILES.iter().filter(|source| self.has(source)) {
            latest.items.push(item(source));
        }
        host.collections = vec![latest];
        let mut shell = finding("f-shell", Stage::Foothold, "always there");
        shell.foothold = Some(Foothold {
            kind: FootholdKind::WebShell,
            path: "C:\\inetpub\\wwwroot\\a.aspx".to_owned(),
            sha256: None,
            state: FootholdState::Present,
        });
        host.findings.push(shell);
        self.traces(&mut host);
        host
    }

    /// One record an hour, day and night.
    fn activity(&self, source: &str) -> Activity {
        let mut activity = Activity::default();
        let mut at = time("2020-12-01T00:10:00Z").as_second();
        let window = time("2021-01-01T00:00:00Z").as_second();
        while at < taken().as_second() {
            let withheld = self.hole.as_ref().is_some_and(|(of, from, hours)| {
                let from = window + from * 3_600;
                of == source && (from..from + hours * 3_600).contains(&at)
            });
            if !withheld {
                activity.add(Timestamp::from_second(at).expect("in 2021"));
            }
            at += 3_600;
        }
        activity
    }

    fn traces(&self, host: &mut Observed) {
        for (number, (source, what)) in TRACES.iter().enumerate() {
            if !self.traces.contains(&number) || !self.has(source) {
                continue;
            }
            let mut finding = finding(&format!("f-{number}"), Stage::Impact, source);
            match *what {
                "account" => {
                    let place = finding.place.clone();
                    let made = Persistence {
                        kind: PersistenceKind::Account,
                        name: "support".to_owned(),
                        command: String::new(),
                        changed: Some(time("2021-03-05T00:00:00Z")),
                        clock: format!("told by {source}"),
                        author: String::new(),
                    };
                    host.facts.push(FactAt {
                        fact: Fact::Persistence(made),
                        place,
                    });
                    continue;
                }
                "other host" => {
                    finding
                        .details
                        .insert("target_host".to_owned(), "ex02.example.org".to_owned());
                    host.other_hosts
                        .insert("ex02.example.org".to_owned(), finding.place.clone());
                }
                "client" => {
                    finding
                        .details
                        .insert("client".to_owned(), CLIENT.to_owned());
                    self.sent(host);
                }
                technique => finding.techniques.push(technique.to_owned()),
            }
            host.findings.push(finding);
        }
    }

    /// What the pipeline sums up for the client: nothing where no log names it.
    fn sent(&self, host: &mut Observed) {
        for (source, bytes) in [
            ("iis.site:1", 900_000),
            ("exchange.httpproxy:ews", 4_000_000),
        ] {
            if self.has(source) {
                host.sent.push(SentTo {
                    client: CLIENT.to_owned(),
                    source: SourceName::new(source),
                    rows: 10,
                    rows_without_size: 0,
                    bytes,
                    first: None,
                    last: None,
                    place: Place::item(COLLECTION, source),
                });
            }
        }
    }
}

fn item(source: &str) -> ItemSeen {
    ItemSeen {
        path: source.to_owned(),
        kind: "known".to_owned(),
        source: Some(SourceName::new(source)),
        records_in: 10,
        events: 10,
        ..ItemSeen::default()
    }
}

fn finding(id: &str, stage: Stage, item: &str) -> Finding {
    Finding {
        id: id.to_owned(),
        rule: id.to_owned(),
        title: "a rule matched".to_owned(),
        stage: Some(stage),
        campaign: Some("proxylogon".to_owned()),
        level: "high".to_owned(),
        techniques: Vec::new(),
        time: Some(time("2021-03-03T00:00:00Z")),
        last: None,
        count: 1,
        place: Place::item(COLLECTION, item),
        author: String::new(),
        reference: String::new(),
        evidence: String::new(),
        meaning: String::new(),
        step: String::new(),
        details: BTreeMap::new(),
        foothold: None,
    }
}

fn judged(mut host: Observed) -> (CampaignReport, PersistenceReview) {
    thread_local! {
        static TABLES: (Vec<pack::Pack>, pack::BuildTable, Vec<pack::Product>, pack::shipped_files::ShippedFiles, Vec<pack::Question>, pack::Review) = (
            pack::builtin_packs().into_iter().filter(|pack| pack.manifest.name == "proxylogon").collect(),
            pack::BuildTable::builtin(),
            pack::products(),
            pack::shipped_files::ShippedFiles::builtin(),
            pack::questions(),
            pack::Review::builtin(),
        );
    }
    TABLES.with(|(packs, builds, products, shipped, questions, review)| {
        let knowledge = Knowledge {
            builds,
            products,
            shipped,
            questions,
            review,
        };
        derived_findings(&knowledge, &mut host);
        let report = assess(&packs[0], &knowledge, &host, None);
        (report, persistence_review(packs, &knowledge, &host))
    })
}

fn statements(made: &Made) -> Vec<Statement> {
    judged(made.observed()).0.statements.statements
}

fn outcome(statements: &[Statement], id: &str) -> StatementOutcome {
    let one = statements.iter().find(|one| one.id == id);
    one.unwrap_or_else(|| panic!("{id} is asked")).outcome
}

/// Ids of all statements with this outcome.
fn with(statements: &[Statement], outcome: StatementOutcome) -> Vec<&str> {
    let of = statements.iter().filter(|one| one.outcome == outcome);
    of.map(|one| one.id.as_str()).collect()
}

#[test]
fn what_was_seen_whole_and_shows_nothing_supports() {
    let all = statements(&Made::default());
    assert_eq!(
        with(&all, StatementOutcome::Supported),
        [
            "stayed_here",
            "no_mailbox_read",
            "no_credentials_dumped",
            "no_account_changed",
            "no_archive_staged"
        ],
        "{all:#?}"
    );
    // Nobody knows an address of the intruder, so nobody can weigh what was sent to it.
    assert_eq!(
        with(&all, StatementOutcome::NotAnswerable),
        ["little_was_sent", "only_this_and_no_data"]
    );
}

#[test]
fn each_trace_contradicts_what_it_is_about_and_the_whole() {
    for (number, id) in [
        (0, "no_credentials_dumped"),
        (1, "stayed_here"),
        (2, "no_account_changed"),
        (3, "no_mailbox_read"),
        (4, "no_mailbox_read"),
        (5, "stayed_here"),
        (6, "no_archive_staged"),
        (7, "little_was_sent"),
        (8, "no_account_changed"),
        (9, "no_archive_staged"),
        (10, "no_archive_staged"),
    ] {
        let made = Made {
            traces: vec![number],
            ..Made::default()
        };
        let all = statements(&made);
        let contradicted = with(&all, StatementOutcome::Contradicted);
        let whole = "only_this_and_no_data";
        // Accounts are no part of the statement of the whole.
        let expected = if id == "no_account_changed" {
            vec![id]
        } else {
            vec![id, whole]
        };
        assert_eq!(contradicted, expected, "{:?}", TRACES[number]);
        let one = all.iter().find(|one| one.id == id).expect("it is asked");
        assert!(
            !one.against.is_empty() && !one.against[0].places.is_empty(),
            "{one:#?}"
        );
    }
}

#[test]
fn a_host_that_nobody_is_known_to_have_entered_is_not_asked() {
    let mut host = Made::default().observed();
    host.findings.clear();
    let (report, _) = judged(host);
    assert!(report.statements.statements.is_empty());
    assert!(
        report.statements.about.starts_with("not asked"),
        "{}",
        report.statements.about
    );
}

#[test]
fn without_the_collectors_word_for_the_time_nothing_is_supported() {
    let made = Made {
        collector_is_silent: true,
        ..Made::default()
    };
    assert!(with(&statements(&made), StatementOutcome::Supported).is_empty());
}

#[test]
fn what_is_missing_is_named_with_how_to_collect_it() {
    let made = Made {
        without: vec!["windows.registry:sam".to_owned()],
        ..Made::default()
    };
    let all = statements(&made);
    let one = all
        .iter()
        .find(|one| one.id == "no_account_changed")
        .expect("it is asked");
    assert_eq!(one.outcome, StatementOutcome::NotAnswerable);
    let [missing] = one.missing.as_slice() else {
        panic!("{:#?}", one.missing);
    };
    assert!(missing.collect.contains("SAM"), "{missing:?}");
}

#[test]
fn rows_without_a_size_leave_the_question_open() {
    let made = Made {
        traces: vec![7],
        ..Made::default()
    };
    let mut host = made.observed();
    for sent in &mut host.sent {
        sent.bytes = 10;
        sent.rows_without_size = 4;
    }
    let (report, _) = judged(host.clone());
    let all = &report.statements.statements;
    assert_eq!(
        outcome(all, "little_was_sent"),
        StatementOutcome::NotAnswerable
    );
    let sent = all
        .iter()
        .find_map(|one| one.sent.as_ref())
        .expect("it is weighed");
    assert_eq!((sent.bytes, sent.rows, sent.rows_without_size), (10, 20, 8));
    for sent in &mut host.sent {
        sent.rows_without_size = 0;
    }
    let (report, _) = judged(host);
    let all = &report.statements.statements;
    assert_eq!(outcome(all, "little_was_sent"), StatementOutcome::Supported);
}

/// With the only source withheld in which the contrary stands, its silence supports nothing.
#[test]
fn without_the_source_of_a_trace_its_silence_supports_nothing() {
    for (number, (source, what)) in TRACES.iter().enumerate() {
        let traces = vec![number];
        let whole = statements(&Made {
            traces: traces.clone(),
            ..Made::default()
        });
        let thinned = statements(&Made {
            traces,
            without: vec![(*source).to_owned()],
            ..Made::default()
        });
        for id in with(&thinned, StatementOutcome::Supported) {
            let before = outcome(&whole, id);
            assert_eq!(
                before,
                StatementOutcome::Supported,
                "{id} without {source}, which shows {what}"
            );
        }
    }
}

fn every_source() -> Vec<String> {
    let logs = EVENT_LOGS.map(|channel| SourceName::of("windows.eventlog", channel));
    logs.iter()
        .map(|source| source.as_str().to_owned())
        .chain(RHYTHMS.map(str::to_owned))
        .chain(FILES.map(str::to_owned))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// The first law for statements: whatever is withheld, whole or by a span, nothing becomes supported by it.
    #[test]
    fn withholding_evidence_supports_nothing(
        traces in prop::collection::vec(0..TRACES.len(), 0..5),
        without in prop::collection::vec(prop::sample::select(every_source()), 0..4),
        hole in prop::option::of((prop::sample::select(RHYTHMS.to_vec()), 0..70 * 24_i64, 12..200_i64)),
        collector_is_silent in prop::bool::weighted(0.1),
    ) {
        let whole = statements(&Made { traces: traces.clone(), ..Made::default() });
        let thinned = statements(&Made {
            traces,
            without: without.clone(),
            hole: hole.map(|(source, from, hours)| (source.to_owned(), from, hours)),
            collector_is_silent,
        });
        for one in with(&thinned, StatementOutcome::Supported) {
            prop_assert_eq!(
                outcome(&whole, one),
                StatementOutcome::Supported,
                "{} without {:?} and {:?}", one, without, hole
            );
        }
    }
}

/// Something that starts by itself, as a reader tells it.
fn start(kind: PersistenceKind, name: &str, command: &str, changed: Option<&str>) -> Fact {
    Fact::Persistence(Persistence {
        kind,
        name: name.to_owned(),
        command: command.to_owned(),
        changed: changed.map(time),
        clock: changed.map_or(String::new(), |_| {
            "the last write of the registry key".to_owned()
        }),
        author: String::new(),
    })
}

/// Name and reasons of every entry of the review, in order.
fn reviewed(facts: Vec<Fact>) -> Vec<(String, String)> {
    let mut host = Made::default().observed();
    for (number, fact) in facts.into_iter().enumerate() {
        host.facts.push(FactAt {
            fact,
            place: Place::item(COLLECTION, &format!("item {number}")),
        });
    }
    let (_, review) = judged(host);
    let entries = review.entries.iter();
    entries
        .map(|entry| (entry.name.clone(), entry.why.join("; ")))
        .collect()
}

#[test]
fn what_nobody_ships_and_came_in_the_window_stands_first() {
    let old = Some("2019-01-01T00:00:00Z");
    let inside = Some("2021-03-05T00:00:00Z");
    let list = reviewed(vec![
        start(
            PersistenceKind::Service,
            "W32Time",
            r"%SystemRoot%\System32\svchost.exe -k LocalService",
            old,
        ),
        start(
            PersistenceKind::Service,
            "VMTools",
            r#""C:\Program Files\VMware\VMware Tools\vmtoolsd.exe""#,
            old,
        ),
        start(
            PersistenceKind::Service,
            "Spooler",
            r"%SystemRoot%\System32\spoolsv.exe",
            inside,
        ),
        start(
            PersistenceKind::Service,
            "Schedule",
            r"C:\ProgramData\svchost.exe -k netsvcs",
            old,
        ),
        start(PersistenceKind::Service, "Upd", r"C:\Tools\upd.exe", inside),
        start(
            PersistenceKind::ScheduledTask,
            r"\Winnet",
            "powershell -nop -enc SQBFAFgA",
            None,
        ),
        start(
            PersistenceKind::RunKey,
            r"Microsoft\Windows NT\CurrentVersion\Winlogon\Shell",
            "explorer.exe",
            old,
        ),
        start(
            PersistenceKind::TransportAgent,
            "Transport Rule Agent",
            r"C:\E\TransportRoles\agents\Rule\Microsoft.Exchange.MessagingPolicies.TransportRuleAgent.dll",
            None,
        ),
        start(
            PersistenceKind::TransportAgent,
            "Interop Agent",
            r"C:\E\TransportRoles\agents\x.dll",
            None,
        ),
    ]);
    let names: Vec<&str> = list.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["Schedule", r"\Winnet", "Upd", "Interop Agent", "Spooler"],
        "{list:#?}"
    );
    assert!(list[0].1.contains("does not run this") && list[0].1.contains(r"\programdata\"));
    assert!(list[1].1.contains("-enc") && list[1].1.contains("nothing dates it"));
    assert!(
        list[2].1.contains("while proxylogon could have come in"),
        "{}",
        list[2].1
    );
}

#[test]
fn a_review_says_of_each_kind_how_far_it_was_seen() {
    let (_, review) = judged(Made::default().observed());
    let state = |kind| {
        let of = review.coverage.iter().find(|seen| seen.kind == kind);
        of.expect("every kind is told").seen
    };
    assert_eq!(state(PersistenceKind::Service), SeenState::NotCollected);
    assert_eq!(state(PersistenceKind::Account), SeenState::Seen);
    for seen in review
        .coverage
        .iter()
        .filter(|seen| seen.seen != SeenState::Seen)
    {
        assert!(
            !seen.missing.is_empty() && !seen.collect.is_empty(),
            "{seen:?}"
        );
    }
}

#[test]
fn the_review_is_bounded_and_counts_what_it_leaves_out() {
    let facts = (0..300)
        .map(|number| {
            let name = format!("svc{number:03}");
            start(
                PersistenceKind::Service,
                &name,
                r"C:\Users\Public\a.exe",
                None,
            )
        })
        .collect();
    let list = reviewed(facts);
    assert_eq!(list.len(), 200);
    assert_eq!(list[0].0, "svc000");
}

#[test]
fn native_modules_of_the_web_server_are_reviewed() {
    let module = IisModule {
        name: "OwaFilter".to_owned(),
        image: r"C:\Windows\Temp\owafilter.dll".to_owned(),
    };
    let list = reviewed(vec![Fact::IisModule(module)]);
    assert_eq!(list.len(), 1, "{list:?}");
    assert!(list[0].1.contains(r"\windows\temp\"), "{}", list[0].1);
}
