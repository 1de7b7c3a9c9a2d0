//! Hand-made reports for tests: a compromised server, a clear one, an empty run, a fleet, and hostile text everywhere.
use model::report::{
    AcceptedEviction, AcceptedState, CampaignReport, CollectionReport, Compromise, CoverageReport,
    Eviction, Exposure, ExposureSpan, ExposureState, FootholdReport, Gate, GateState, HostReport,
    Lead, LeadSignal, Leads, MissingEvidence, NeedReport, NextStep, PackUsed, PersistenceEntry,
    PersistenceReview, Reason, Report, ReviewCoverage, ReviewWindow, SCHEMA, SeenState, Sent,
    Share, Statement, StatementOutcome, Statements, StoryStep, VerdictName,
};
use model::{
    Accounting, Answer, At, Attestation, Build, Finding, Foothold, FootholdKind, FootholdState,
    Gap, GapKind, PersistenceKind, Place, Rejected, SentTo, SourceName, Stage, Timestamp,
};
use std::collections::BTreeMap;

const HTTPPROXY: &str = "C:\\Program Files\\Microsoft\\Exchange Server\\V15\\Logging\\HttpProxy\\Ecp\\HttpProxy_2021030304-1.LOG";
const SHELL: &str = "C:\\inetpub\\wwwroot\\aspnet_client\\supp0rt.aspx";

/// A server that was broken into, patched, and still holds a web shell.
pub(crate) fn compromised() -> Report {
    Report {
        schema: SCHEMA.to_owned(),
        as_of: Some(at("2021-03-14T10:00:00Z")),
        packs: vec![pack_used()],
        hosts: vec![compromised_host()],
        findings: findings(),
        gaps: vec![
            january_gap(),
            Gap::new(
                GapKind::Partial,
                Place::item("c-5d41402a", "C:\\inetpub\\logs\\LogFiles\\W3SVC1\\u_ex210305.log").at(At::Line(88_123)),
                "17 rows have more tokens than fields and were not read",
            )
            .of_source(SourceName::of("iis.site", "1")),
        ],
        accounting: accounting(1204, 3_288_112_904, 4_102_332, 32),
        not_looked_at: vec![
            "Sysmon and process auditing, which show commands and child processes: no such event log in the collection."
                .to_owned(),
            "Memory, which shows tools that never touched the disk.".to_owned(),
        ],
    }
}

/// A patched server on which everything was seen and nothing found.
pub(crate) fn clear() -> Report {
    let mut host = host("EX02", "c-7d793037", "evidence/EX02.zip");
    host.campaigns = vec![clear_campaign()];
    Report {
        schema: SCHEMA.to_owned(),
        as_of: Some(at("2021-03-14T10:00:00Z")),
        packs: vec![pack_used()],
        hosts: vec![host],
        findings: vec![],
        gaps: vec![],
        accounting: accounting(987, 1_200_000_000, 1_900_000, 0),
        not_looked_at: vec![],
    }
}

/// A run that could examine nothing.
pub(crate) fn empty() -> Report {
    Report {
        schema: SCHEMA.to_owned(),
        as_of: None,
        packs: vec![],
        hosts: vec![],
        findings: vec![],
        gaps: vec![Gap::new(
            GapKind::Unreadable,
            Place::item("c-00000000", "evidence.zip"),
            "the archive is encrypted and no password was given",
        )],
        accounting: Accounting::default(),
        not_looked_at: vec![],
    }
}

/// Hosts of every verdict, the least urgent first.
pub(crate) fn fleet() -> Report {
    let mut report = compromised();
    let mut hosts = Vec::new();
    for (index, verdict) in [
        VerdictName::NotAffected,
        VerdictName::Clear,
        VerdictName::Evicted,
        VerdictName::Unproven,
        VerdictName::Exposed,
        VerdictName::Reinfected,
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("MAIL-{:02}", index + 4);
        let mut host = host(
            &name,
            &format!("c-{index:08}"),
            &format!("evidence/{name}.zip"),
        );
        let mut campaign = clear_campaign();
        campaign.verdict = verdict;
        if !verdict.assures() {
            campaign.coverage.sufficient = false;
            campaign.coverage.needs[0].seen = Share::of(61, 100);
            campaign.coverage.needs[0].gaps = vec![january_gap()];
            campaign.reasons =
                vec!["HttpProxy logs before 2021-01-21 are not in the evidence.".to_owned()];
            campaign.next = vec!["Collect the HttpProxy logs from the backup of 2021-02-01; they rotate away after 30 days.".to_owned()];
        }
        if verdict == VerdictName::Exposed {
            campaign.exposure.state = ExposureState::Vulnerable;
        }
        if verdict == VerdictName::Unproven {
            campaign.exposure.state = ExposureState::Unknown;
        }
        if verdict == VerdictName::Reinfected {
            campaign.compromise.stage = Stage::Exploited;
            campaign.compromise.stages = vec![Stage::Exploited];
        }
        host.campaigns = vec![campaign];
        hosts.push(host);
    }
    hosts.append(&mut report.hosts);
    report.hosts = hosts;
    report
}

/// The compromised report with `text` in every field that comes from evidence.
pub(crate) fn hostile(text: &str) -> Report {
    let mut report = compromised();
    let put = |field: &mut String| text.clone_into(field);
    for gap in &mut report.gaps {
        put(&mut gap.detail);
        put(&mut gap.place.item);
    }
    for finding in &mut report.findings {
        put(&mut finding.title);
        put(&mut finding.evidence);
        put(&mut finding.meaning);
        put(&mut finding.author);
        put(&mut finding.reference);
        put(&mut finding.rule);
        put(&mut finding.place.item);
        finding.techniques = vec![text.to_owned()];
        finding.details = BTreeMap::from([(text.to_owned(), text.to_owned())]);
    }
    report.not_looked_at = vec![text.to_owned()];
    report.accounting.rejected = vec![Rejected {
        reason: text.to_owned(),
        count: 3,
    }];
    let host = &mut report.hosts[0];
    put(&mut host.host);
    put(&mut host.host_rule);
    for collection in &mut host.collections {
        put(&mut collection.path);
        put(&mut collection.container);
        put(&mut collection.taken_rule);
        put(&mut collection.sha256);
        collection.manifest = Some(text.to_owned());
    }
    for entry in &mut host.persistence.entries {
        put(&mut entry.name);
        put(&mut entry.runs);
        put(&mut entry.clock);
        put(&mut entry.author);
        entry.why = vec![text.to_owned()];
        entry.places = vec![Place::item(text, text)];
    }
    for kind in &mut host.persistence.coverage {
        kind.missing = vec![text.to_owned()];
    }
    for lead in &mut host.leads.list {
        put(&mut lead.subject);
        lead.file = Some(format!("{text}."));
        lead.clients = vec![text.to_owned()];
        for place in &mut lead.places {
            put(&mut place.item);
        }
        put(&mut lead.signals[0].text);
    }
    put(&mut host.leads.notices[0].text);
    let campaign = &mut host.campaigns[0];
    put(&mut campaign.statements.about);
    for statement in &mut campaign.statements.statements {
        put(&mut statement.reason);
        put(&mut statement.statement);
        put(&mut statement.limits);
        put(&mut statement.source);
        statement.against = vec![Reason {
            text: text.to_owned(),
            places: vec![Place::item(text, text)],
        }];
        for missing in &mut statement.missing {
            put(&mut missing.title);
            put(&mut missing.collect);
            missing.gaps = vec![text.to_owned()];
        }
        if let Some(sent) = &mut statement.sent {
            for client in &mut sent.clients {
                put(&mut client.client);
            }
        }
    }
    put(&mut campaign.campaign);
    campaign.reasons = vec![text.to_owned()];
    campaign.grounds = vec![Reason {
        text: text.to_owned(),
        places: vec![Place::item(text, text)],
    }];
    campaign.exposure.product = Some(text.to_owned());
    for foothold in &mut campaign.compromise.footholds {
        put(&mut foothold.path);
        put(&mut foothold.reason);
        foothold.sha256 = Some(text.to_owned());
    }
    for step in &mut campaign.compromise.story {
        put(&mut step.text);
        put(&mut step.step);
        step.sources = vec![text.to_owned()];
        step.techniques = vec![text.to_owned()];
    }
    for need in &mut campaign.coverage.needs {
        put(&mut need.title);
        need.sources = vec![text.to_owned()];
        for gap in &mut need.gaps {
            put(&mut gap.detail);
        }
    }
    for step in &mut campaign.next_steps {
        put(&mut step.text);
        step.details = vec![text.to_owned()];
    }
    for gate in &mut campaign.eviction.gates {
        put(&mut gate.title);
        put(&mut gate.reason);
    }
    for step in &mut campaign.eviction.steps {
        put(&mut step.text);
    }
    report
}

pub(crate) fn at(time: &str) -> Timestamp {
    time.parse().expect("tests give times as RFC 3339")
}

fn pack_used() -> PackUsed {
    PackUsed {
        name: "proxylogon".to_owned(),
        version: "1.0.0".to_owned(),
    }
}

fn accounting(items: u64, bytes: u64, records_in: u64, rejected: u64) -> Accounting {
    let reasons = match rejected {
        0 => vec![],
        count => vec![
            Rejected {
                reason: "line too long".to_owned(),
                count: count - count / 2,
            },
            Rejected {
                reason: "more tokens than fields".to_owned(),
                count: count / 2,
            },
        ],
    };
    Accounting {
        items,
        bytes,
        records_in,
        events: records_in - rejected,
        rejected: reasons,
    }
}

fn host(name: &str, collection: &str, path: &str) -> HostReport {
    HostReport {
        leads: Leads::default(),
        host: name.to_owned(),
        host_rule: "registry ComputerName".to_owned(),
        collections: vec![CollectionReport {
            id: collection.to_owned(),
            path: path.to_owned(),
            sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
            taken: Some(at("2021-03-14T10:00:00Z")),
            taken_rule: "collector's own log".to_owned(),
            container: "kape".to_owned(),
            manifest: None,
            accounting: accounting(987, 1_200_000_000, 1_900_000, 0),
        }],
        persistence: PersistenceReview::default(),
        campaigns: vec![],
    }
}

fn leads() -> Leads {
    const LOG: &str = "C:\\inetpub\\logs\\LogFiles\\W3SVC1\\u_ex210303.log";
    let signal = |signal: &str, points, text: &str| LeadSignal {
        signal: signal.to_owned(),
        points,
        text: text.to_owned(),
    };
    let page = Lead {
        kind: "page".to_owned(),
        subject: "/aspnet_client/supp0rt.aspx".to_owned(),
        file: Some(SHELL.to_owned()),
        score: 55,
        signals: vec![
            signal(
                "not_shipped",
                20,
                "the vendor ships no such file in any build that the tables know",
            ),
            signal(
                "posted_by_one",
                20,
                "12 requests handed something over to it, and nobody else did",
            ),
            signal(
                "one_client",
                15,
                "only one client ever asked for it (198.51.100.23; 12 requests)",
            ),
        ],
        first: Some(at("2021-03-03T04:41:09Z")),
        last: Some(at("2021-03-05T11:02:44Z")),
        requests: 12,
        clients: vec!["198.51.100.23".to_owned()],
        places: vec![Place::item("c-5d41402a", LOG).at(At::Line(8_812))],
        findings: vec!["f-shell".to_owned()],
    };
    let weak = Lead {
        kind: "file".to_owned(),
        subject: "C:\\inetpub\\wwwroot\\old.aspx".to_owned(),
        file: None,
        score: 30,
        signals: vec![signal(
            "lone_script",
            10,
            "no other script lies in its folder",
        )],
        first: None,
        last: None,
        requests: 0,
        clients: Vec::new(),
        places: Vec::new(),
        findings: Vec::new(),
    };
    Leads {
        note: "A lead is worth a look and never a verdict alone.".to_owned(),
        shown_score: 50,
        list: vec![page, weak],
        left_out: 2,
        notices: vec![Reason {
            text: "20000 requests of iis.site:1 ask for more paths than are kept one by one."
                .to_owned(),
            places: vec![Place::item("c-5d41402a", LOG)],
        }],
    }
}

fn compromised_host() -> HostReport {
    let mut host = host("EX01", "c-5d41402a", "evidence/EX01.zip");
    host.collections[0].accounting = accounting(1204, 3_288_112_904, 4_102_332, 32);
    host.persistence = persistence();
    host.leads = leads();
    host.campaigns = vec![CampaignReport {
        campaign: "proxylogon".to_owned(),
        verdict: VerdictName::Compromised,
        exposure: Exposure {
            state: ExposureState::Patched,
            product: Some("Exchange Server 2016 CU19 Mar21SU".to_owned()),
            build: Some(Build::new(15, 1, 2176, 9)),
            spans: vec![
                ExposureSpan {
                    state: ExposureState::Vulnerable,
                    build: Some(Build::new(15, 1, 2176, 2)),
                    from: None,
                    until: Some(at("2021-03-07T09:30:00Z")),
                },
                ExposureSpan {
                    state: ExposureState::Patched,
                    build: Some(Build::new(15, 1, 2176, 9)),
                    from: Some(at("2021-03-07T09:30:00Z")),
                    until: None,
                },
            ],
            basis: vec![Reason {
                text: "Build 15.1.2176.9 first stands in a HttpProxy row of 2021-03-07 09:30."
                    .to_owned(),
                places: vec![Place::item("c-5d41402a", HTTPPROXY).at(At::Line(4))],
            }],
        },
        compromise: compromise(),
        coverage: CoverageReport {
            sufficient: false,
            needs: needs(),
        },
        eviction: eviction(),
        reasons: vec![
            "A web shell stands in a folder that the web server serves.".to_owned(),
            "Exploited 4 days before it was patched.".to_owned(),
        ],
        grounds: vec![
            Reason {
                text: "A web shell stands in a folder that the web server serves.".to_owned(),
                places: vec![Place::item("c-5d41402a", SHELL).at(At::Offset(0))],
            },
            Reason {
                text: "Exploited 4 days before it was patched.".to_owned(),
                places: vec![Place::item("c-5d41402a", HTTPPROXY).at(At::Line(1182))],
            },
        ],
        next: next_steps().into_iter().map(|step| step.text).collect(),
        next_steps: next_steps(),
        findings: findings().into_iter().map(|finding| finding.id).collect(),
        statements: statements(),
    }];
    host
}

fn persistence() -> PersistenceReview {
    let kind = |kind, title: &str, seen, entries, missing: &[&str]| ReviewCoverage {
        kind,
        title: title.to_owned(),
        seen,
        entries,
        missing: missing.iter().map(|text| (*text).to_owned()).collect(),
        collect: "Copy it with a collector.".to_owned(),
    };
    PersistenceReview {
        windows: vec![ReviewWindow {
            campaign: "proxylogon".to_owned(),
            from: at("2021-01-01T00:00:00Z"),
            until: at("2021-03-07T09:30:00Z"),
        }],
        entries: vec![
            PersistenceEntry {
                kind: PersistenceKind::Service,
                name: "WwanSvcdcs".to_owned(),
                runs: "C:\\Users\\Public\\opera\\Opera_browser.exe".to_owned(),
                changed: Some(at("2021-03-05T22:07:00Z")),
                clock: "the last write of the registry key".to_owned(),
                author: "LocalSystem".to_owned(),
                shipped: false,
                campaigns: vec!["proxylogon".to_owned()],
                why: vec![
                    "no table of what Windows and the known products ship has its name".to_owned(),
                    "made or changed while proxylogon could have come in".to_owned(),
                ],
                findings: vec!["f-0004".to_owned()],
                places: vec![
                    Place::item("c-5d41402a", "C:\\Windows\\System32\\config\\SYSTEM")
                        .at(At::Offset(40_960)),
                ],
            },
            PersistenceEntry {
                kind: PersistenceKind::TransportAgent,
                name: "Security Interop Agent".to_owned(),
                runs: "C:\\agents\\interop.dll".to_owned(),
                changed: None,
                clock: "nothing states when it was made or changed".to_owned(),
                author: String::new(),
                shipped: false,
                campaigns: vec![],
                why: vec!["nothing dates it".to_owned()],
                findings: vec![],
                places: vec![],
            },
        ],
        left_out: 0,
        seen: 41,
        coverage: vec![
            kind(
                PersistenceKind::Service,
                "Services and drivers",
                SeenState::Seen,
                38,
                &[],
            ),
            kind(
                PersistenceKind::ScheduledTask,
                "Scheduled tasks",
                SeenState::NotCollected,
                0,
                &["files:tasks is not in the latest collection: the tasks' own files are not seen"],
            ),
        ],
    }
}

fn statements() -> Statements {
    let statement = |id: &str, text: &str, outcome, reason: &str| Statement {
        id: id.to_owned(),
        statement: text.to_owned(),
        outcome,
        reason: reason.to_owned(),
        against: vec![],
        findings: vec![],
        missing: vec![],
        sent: None,
        parts: vec![],
        limits: "It is said of this host only.".to_owned(),
        source: "CISA AR21-134A".to_owned(),
    };
    let mut sent = statement(
        "little_was_sent",
        "The web server sent no more than 1 MB to the addresses that the intruder is known to have used",
        StatementOutcome::Contradicted,
        "one trace contradicts it",
    );
    sent.against = vec![Reason {
        text: "the web server's logs sum up to 7340032 bytes".to_owned(),
        places: vec![Place::item("c-5d41402a", HTTPPROXY).at(At::Line(1182))],
    }];
    sent.findings = vec!["f-0002".to_owned()];
    sent.sent = Some(Sent {
        bytes_max: 1_000_000,
        bytes: 7_340_032,
        rows: 214,
        rows_without_size: 20,
        clients: vec![SentTo {
            client: "203.0.113.7".to_owned(),
            source: SourceName::of("iis.site", "1"),
            rows: 214,
            rows_without_size: 20,
            bytes: 7_340_032,
            first: Some(at("2021-03-03T04:12:40Z")),
            last: Some(at("2021-03-05T22:01:09Z")),
            place: Place::item("c-5d41402a", HTTPPROXY).at(At::Line(1182)),
        }],
    });
    let mut dumped = statement(
        "no_credentials_dumped",
        "No credentials were dumped",
        StatementOutcome::NotAnswerable,
        "what would show otherwise was not seen whole: Sysmon's log",
    );
    dumped.missing = vec![MissingEvidence {
        title: "Sysmon's log".to_owned(),
        gaps: vec!["no record of it is in the evidence".to_owned()],
        collect: "Copy Microsoft-Windows-Sysmon%4Operational.evtx.".to_owned(),
    }];
    let account = statement(
        "no_account_changed",
        "No local account was created or changed",
        StatementOutcome::Supported,
        "everything in which the contrary would show was seen (2 sources), and does not show it",
    );
    let mut all = statement(
        "only_this_and_no_data",
        "Only this server was entered, and no data was obtained",
        StatementOutcome::Contradicted,
        "1 of its 2 parts is contradicted",
    );
    all.parts = vec![
        "no_credentials_dumped".to_owned(),
        "little_was_sent".to_owned(),
    ];
    Statements {
        about: "asked over the time from the first possible entry to the latest collection"
            .to_owned(),
        from: Some(at("2021-01-01T00:00:00Z")),
        until: Some(at("2021-03-14T10:00:00Z")),
        statements: vec![dumped, account, sent, all],
    }
}

fn compromise() -> Compromise {
    let step = |time: Option<&str>,
                stage,
                step: &str,
                text: &str,
                sources: &[&str],
                findings: &[&str],
                technique: &str| StoryStep {
        time: time.map(at),
        until: None,
        stage,
        step: step.to_owned(),
        text: text.to_owned(),
        sources: sources.iter().map(|source| (*source).to_owned()).collect(),
        findings: findings
            .iter()
            .map(|finding| (*finding).to_owned())
            .collect(),
        techniques: vec![technique.to_owned()],
    };
    Compromise {
        stage: Stage::HandsOn,
        stages: vec![
            Stage::Probed,
            Stage::Exploited,
            Stage::Foothold,
            Stage::HandsOn,
        ],
        first: Some(at("2021-03-03T04:12:40Z")),
        last: Some(at("2021-03-05T22:01:09Z")),
        footholds: vec![
            FootholdReport {
                kind: FootholdKind::WebShell,
                path: SHELL.to_owned(),
                sha256: Some(
                    "65149e036fff06026d80ac9ad4d156332822dc93142cf1a122b1841ec8de34b5".to_owned(),
                ),
                state: FootholdState::Present,
                first: Some(at("2021-03-03T04:15:02Z")),
                reason: "In the latest collection, of 2021-03-14.".to_owned(),
                findings: vec!["f-0003".to_owned()],
            },
            FootholdReport {
                kind: FootholdKind::ScheduledTask,
                path: "\\Microsoft\\Windows\\Winnet".to_owned(),
                sha256: None,
                state: FootholdState::Unknown,
                first: None,
                reason: "The task files are not in the collection.".to_owned(),
                findings: vec![],
            },
        ],
        story: vec![
            step(
                Some("2021-02-28T11:05:33Z"),
                Stage::Probed,
                "ssrf",
                "203.0.113.7 asked for another server through a cookie and got an error.",
                &["exchange.httpproxy:ecp"],
                &["f-0001"],
                "T1595",
            ),
            step(
                Some("2021-03-03T04:12:40Z"),
                Stage::Exploited,
                "ssrf",
                "203.0.113.7 reached the mailbox back end through a cookie, and was answered.",
                &["exchange.httpproxy:ecp", "iis.site:1"],
                &["f-0002"],
                "T1190",
            ),
            step(
                Some("2021-03-03T04:15:02Z"),
                Stage::Foothold,
                "shell_written",
                "A script was written to C:\\inetpub\\wwwroot\\aspnet_client\\supp0rt.aspx.",
                &["exchange.ecp_server", "files:web"],
                &["f-0003"],
                "T1505.003",
            ),
            step(
                Some("2021-03-05T22:01:09Z"),
                Stage::HandsOn,
                "command",
                "The shell was asked 14 times and answered; whoami was run.",
                &["iis.site:1"],
                &["f-0004"],
                "T1059.003",
            ),
            step(
                None,
                Stage::Foothold,
                "task",
                "A scheduled task starts a downloaded script.",
                &["files:tasks"],
                &[],
                "T1053.005",
            ),
        ],
    }
}

fn january_gap() -> Gap {
    Gap::new(
        GapKind::OutOfRetention,
        Place::item(
            "c-5d41402a",
            "C:\\Program Files\\Microsoft\\Exchange Server\\V15\\Logging\\HttpProxy\\Ecp",
        ),
        "the log reaches back to 2021-01-25 only; 30 days are kept",
    )
    .between(
        Some(at("2021-01-01T00:00:00Z")),
        Some(at("2021-01-25T00:00:00Z")),
    )
    .of_source(SourceName::of("exchange.httpproxy", "ecp"))
}

fn needs() -> Vec<NeedReport> {
    let need = |id: &str, title: &str, timed: bool, seen, gaps: Vec<Gap>| NeedReport {
        need: id.to_owned(),
        title: title.to_owned(),
        from: timed.then(|| at("2021-01-01T00:00:00Z")),
        until: timed.then(|| at("2021-03-07T09:30:00Z")),
        seen,
        unseen_seconds: timed.then_some(if seen == Share::WHOLE { 0 } else { 31 * 3_600 }),
        sources: vec![id.to_owned()],
        gaps,
    };
    let hole = Gap::new(
        GapKind::TimeHole,
        Place::item("c-5d41402a", HTTPPROXY),
        "no rows for 31 hours on working days",
    )
    .between(
        Some(at("2021-02-16T06:00:00Z")),
        Some(at("2021-02-17T13:00:00Z")),
    );
    vec![
        need(
            "front_end_requests",
            "Requests at the front end (HttpProxy, all protocols)",
            true,
            Share::of(615, 1000),
            vec![january_gap(), hole],
        ),
        need(
            "ecp_commands",
            "Commands of the control panel (ECP Server or Management events)",
            true,
            Share::WHOLE,
            vec![],
        ),
        need(
            "oab_generation",
            "Address book generation",
            true,
            Share::of(1, 4),
            vec![Gap::new(
                GapKind::NotUnderstood,
                Place::item("c-5d41402a", "D:\\OAB\\a.log"),
                "the head of the log is not known",
            )],
        ),
        need(
            "web_files",
            "Files that the web server serves",
            false,
            Share::WHOLE,
            vec![],
        ),
        need(
            "tasks",
            "Scheduled tasks",
            false,
            Share::NONE,
            vec![Gap::new(
                GapKind::Missing,
                Place::item("c-5d41402a", "C:\\Windows\\System32\\Tasks"),
                "the folder is not in the collection",
            )],
        ),
    ]
}

fn next_steps() -> Vec<NextStep> {
    let step = |kind: &str, text: &str, details: &[&str]| NextStep {
        kind: kind.to_owned(),
        text: text.to_owned(),
        details: details.iter().map(|detail| (*detail).to_owned()).collect(),
        places: vec![],
    };
    let mut lead = step(
        "lead",
        "Check the server EX07: rows on this host name it.",
        &[],
    );
    lead.places = vec![Place::item("c-5d41402a", HTTPPROXY).at(At::Line(1190))];
    vec![
        step(
            "preserve",
            "Image memory and disk before anything is changed.",
            &["Too late once the server was restarted."],
        ),
        step(
            "contain",
            "Take the server off the network, powered on.",
            &[
                "Verified by: no session from or to its address.",
                "Breaks: mail flow through this server.",
            ],
        ),
        step(
            "collect",
            "Collect C:\\Windows\\System32\\Tasks.",
            &["It does not rotate away."],
        ),
        lead,
    ]
}

fn eviction() -> Eviction {
    let gate = |id: &str, title: &str, state, reason: &str| Gate {
        id: id.to_owned(),
        title: title.to_owned(),
        state,
        reason: reason.to_owned(),
        attested: None,
    };
    let mut domain = gate(
        "domain",
        "krbtgt was reset twice",
        GateState::NotApplicable,
        "Nothing shows that the domain was reached.",
    );
    domain.attested = Some(Attestation {
        host: "EX01".to_owned(),
        campaign: "proxylogon".to_owned(),
        gate: "domain".to_owned(),
        answer: Answer::NotApplicable,
        by: "R. Meier".to_owned(),
        role: "head of operations".to_owned(),
        time: "2021-03-22T09:00:00Z".parse().expect("a time"),
        statement: "The server is in no domain.".to_owned(),
        place: Place {
            item: "attestations.csv".to_owned(),
            line: Some(2),
            ..Place::default()
        },
    });
    Eviction {
        accepted: Some(AcceptedEviction {
            at: "2021-03-10T12:00:00Z".parse().expect("a time"),
            collection: "c-0123456789ab".to_owned(),
            state: AcceptedState::Revoked,
        }),
        gates: vec![
            gate(
                "patched",
                "The server is patched",
                GateState::Pass,
                "Build 15.1.2176.9, and the hash of the binary agrees.",
            ),
            gate(
                "footholds",
                "Every foothold is gone",
                GateState::Fail,
                "1 of 2 is present.",
            ),
            gate(
                "credentials",
                "Credentials were reset",
                GateState::CannotTell,
                "No machine can tell; a named person must attest it.",
            ),
            domain,
        ],
        steps: vec![NextStep {
            kind: "evict".to_owned(),
            text: "Remove the web shell, its compiled page and the worker process that holds it."
                .to_owned(),
            details: vec!["Verified by: a later collection of the same folders.".to_owned()],
            places: vec![],
        }],
    }
}

fn findings() -> Vec<Finding> {
    let finding = |id: &str,
                   rule: &str,
                   title: &str,
                   stage,
                   time: &str,
                   item: &str,
                   at_line,
                   evidence: &str| Finding {
        id: id.to_owned(),
        rule: rule.to_owned(),
        title: title.to_owned(),
        stage: Some(stage),
        campaign: Some("proxylogon".to_owned()),
        level: "critical".to_owned(),
        techniques: vec!["T1190".to_owned()],
        time: Some(at(time)),
        last: None,
        count: 1,
        place: Place::item("c-5d41402a", item).at(at_line),
        author: "Allclear".to_owned(),
        reference: "https://www.cisa.gov/news-events/directives/ed-21-02".to_owned(),
        evidence: evidence.to_owned(),
        meaning: "The back end was asked in the server's own name.".to_owned(),
        step: "ssrf".to_owned(),
        details: BTreeMap::from([("client".to_owned(), "203.0.113.7".to_owned())]),
        foothold: None,
    };
    let mut shell = finding(
        "f-0003",
        "web-shell-analysis",
        "Request-controlled input reaches execution in a script",
        Stage::Foothold,
        "2021-03-03T04:15:02Z",
        SHELL,
        At::Offset(0),
        "<script language=\"JScript\" runat=\"server\">…</script>",
    );
    shell.campaign = None;
    shell.foothold = Some(Foothold {
        kind: FootholdKind::WebShell,
        path: SHELL.to_owned(),
        sha256: None,
        state: FootholdState::Present,
    });
    let mut commands = finding(
        "f-0004",
        "shell-answered",
        "A script that is not shipped was asked and answered",
        Stage::HandsOn,
        "2021-03-05T21:48:00Z",
        "C:\\inetpub\\logs\\LogFiles\\W3SVC1\\u_ex210305.log",
        At::Line(5120),
        "2021-03-05 22:01:09 10.0.0.5 POST /aspnet_client/supp0rt.aspx - 443 - 203.0.113.7 python-requests/2.25.1 - 200 0 0 1532",
    );
    commands.last = Some(at("2021-03-05T22:01:09Z"));
    commands.count = 14;
    vec![
        finding(
            "f-0001",
            "ssrf-attempt",
            "Another server named in a cookie, without success",
            Stage::Probed,
            "2021-02-28T11:05:33Z",
            HTTPPROXY,
            At::Line(220),
            "2021-02-28T11:05:33.120Z,…,X-BEResource=localhost~1942062522,500",
        ),
        finding(
            "f-0002",
            "ssrf-success",
            "The back end was reached through a cookie",
            Stage::Exploited,
            "2021-03-03T04:12:40Z",
            HTTPPROXY,
            At::Line(1182),
            "2021-03-03T04:12:40.001Z,…,\"ServerInfo~a]@ex01:444/ecp/proxyLogon.ecp?#\",241\r\n",
        ),
        shell,
        commands,
    ]
}

fn clear_campaign() -> CampaignReport {
    let need = |id: &str, title: &str| NeedReport {
        need: id.to_owned(),
        title: title.to_owned(),
        from: Some(at("2021-01-01T00:00:00Z")),
        until: Some(at("2021-03-04T18:00:00Z")),
        seen: Share::WHOLE,
        unseen_seconds: None,
        sources: vec![id.to_owned()],
        gaps: vec![],
    };
    CampaignReport {
        campaign: "proxylogon".to_owned(),
        verdict: VerdictName::Clear,
        exposure: Exposure {
            state: ExposureState::Patched,
            product: Some("Exchange Server 2019 CU8 Mar21SU".to_owned()),
            build: Some(Build::new(15, 2, 792, 10)),
            spans: vec![ExposureSpan {
                state: ExposureState::Patched,
                build: Some(Build::new(15, 2, 792, 10)),
                from: Some(at("2021-03-04T18:00:00Z")),
                until: None,
            }],
            basis: vec![],
        },
        compromise: Compromise {
            stage: Stage::NoneSeen,
            stages: vec![Stage::NoneSeen],
            first: None,
            last: None,
            footholds: vec![],
            story: vec![],
        },
        coverage: CoverageReport {
            sufficient: true,
            needs: vec![
                need(
                    "front_end_requests",
                    "Requests at the front end (HttpProxy, all protocols)",
                ),
                need(
                    "ecp_commands",
                    "Commands of the control panel (ECP Server or Management events)",
                ),
            ],
        },
        eviction: Eviction {
            gates: vec![],
            steps: vec![],
            accepted: None,
        },
        reasons: vec![
            "Patched on 2021-03-04, nothing found, and all 2 needs were seen whole.".to_owned(),
        ],
        grounds: vec![],
        next: vec![],
        next_steps: vec![],
        findings: vec![],
        statements: Statements {
            about: "not asked: nothing shows that anybody came in".to_owned(),
            ..Statements::default()
        },
    }
}
