//! Tests of the engine as a whole.

use crate::engine::{Engine, Extra, ItemFindings, ProblemKind, RuleProblem};
use crate::examples::ExampleRecord;
use crate::prefilter::percent_decoded;
use expect_test::{Expect, expect};
use model::{At, FootholdState, Interest, Record, SourceName, Stage, Timestamp, Value};
use proptest::prelude::*;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A record of a text log, written as its line.
struct Line {
    source: SourceName,
    number: u64,
    fields: Vec<(&'static str, String)>,
    raw: String,
}

impl Line {
    fn new(source: &str, fields: &[(&'static str, &str)]) -> Self {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        let values: Vec<&str> = fields.iter().map(|(_, value)| value.as_str()).collect();
        Self {
            source: SourceName::new(source),
            number: 1,
            raw: values.join(","),
            fields,
        }
    }

    fn numbered(mut self, number: u64) -> Self {
        self.number = number;
        self
    }
}

impl Record for Line {
    fn source(&self) -> &SourceName {
        &self.source
    }

    fn time(&self) -> Option<Timestamp> {
        let second = i64::try_from(self.number).ok()? + 1_614_754_000;
        Timestamp::from_second(second).ok()
    }

    fn at(&self) -> At {
        At::Line(self.number)
    }

    fn get(&self, field: &str) -> Option<Value<'_>> {
        let found = self.fields.iter().find(|(name, _)| *name == field);
        found.map(|(_, value)| Value::text(value.as_str()))
    }

    fn each_field(&self, visit: &mut dyn FnMut(&str, Value<'_>)) {
        for (name, value) in &self.fields {
            visit(name, Value::text(value.as_str()));
        }
    }

    fn raw(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.raw)
    }
}

fn with_packs(extra: &Extra) -> Engine {
    let (engine, problems) = Engine::new(&pack::builtin_packs(), extra).unwrap();
    assert_eq!(problems, []);
    engine
}

fn users(sigma: &[&str]) -> (Engine, Vec<RuleProblem>) {
    let sigma = sigma
        .iter()
        .enumerate()
        .map(|(number, text)| (format!("rules/{number}.yml"), (*text).to_owned()));
    let extra = Extra {
        sigma: sigma.collect(),
        ..Extra::default()
    };
    Engine::new(&[], &extra).unwrap()
}

fn found(engine: &Engine, path: &str, records: &[Line]) -> ItemFindings {
    let mut item = engine.item(path);
    for record in records {
        item.record(record, &Interest::Any);
    }
    item.finish()
}

fn shown(findings: &ItemFindings) -> String {
    let mut text = String::new();
    for finding in &findings.findings {
        let stage = finding.stage.map_or("-", Stage::name);
        write!(
            text,
            "{} {} [{stage}] {}",
            finding.place, finding.title, finding.step
        )
        .unwrap();
        if finding.count > 1 {
            write!(text, " x{}", finding.count).unwrap();
        }
        if let Some(foothold) = &finding.foothold {
            let (kind, state) = (foothold.kind.name(), foothold.state.name());
            write!(text, " {kind} {} ({state})", foothold.path).unwrap();
        }
        text.push('\n');
        for (name, value) in &finding.details {
            writeln!(text, "  {name}: {value}").unwrap();
        }
    }
    for (kind, _, detail) in &findings.gaps {
        writeln!(text, "gap {}: {detail}", kind.name()).unwrap();
    }
    text
}

fn check(engine: &Engine, path: &str, records: &[Line], expected: &Expect) {
    expected.assert_eq(&shown(&found(engine, path, records)));
}

const RELAY: &str = "ServerInfo~a]@ex01.example.org:444";

fn relayed(path: &str, status: &str, number: u64) -> Line {
    let anchor = format!("{RELAY}{path}");
    let fields = [
        ("UrlStem", "/ecp/y.js"),
        ("path", "/ecp/y.js"),
        ("AnchorMailbox", &*anchor),
        ("anchor", &*anchor),
        ("RoutingHint", "X-BEResource-Cookie"),
        ("user_agent", "ExchangeServicesClient/0.0.0.0"),
        ("client", "203.0.113.7"),
        ("HttpStatus", status),
        ("BackEndStatus", status),
        ("status", status),
    ];
    Line::new("exchange.httpproxy:ecp", &fields).numbered(number)
}

#[test]
fn a_relay_is_told_with_what_joins_it_to_the_story() {
    let engine = with_packs(&Extra::default());
    let records = [
        relayed("/autodiscover/autodiscover.xml?#", "200", 1),
        relayed("/ecp/proxyLogon.ecp?#", "241", 2),
        relayed("/ews/exchange.asmx?#", "500", 3),
    ];
    check(
        &engine,
        "HttpProxy_1.LOG",
        &records,
        &expect![[r"
            HttpProxy_1.LOG:1 Forged server anchor without proof of effect [probed] probe
              anchor: ServerInfo~a]@ex01.example.org:444/autodiscover/autodiscover.xml?#
              back_end_status: 200
              client: 203.0.113.7
              path: /ecp/y.js
              status: 200
              target_host: ex01.example.org
              user_agent: ExchangeServicesClient/0.0.0.0
            HttpProxy_1.LOG:2 Administrator's session opened through a forged server anchor [exploited] proxylogon_login
              anchor: ServerInfo~a]@ex01.example.org:444/ecp/proxyLogon.ecp?#
              back_end_status: 241
              client: 203.0.113.7
              path: /ecp/y.js
              status: 241
              target_host: ex01.example.org
              user_agent: ExchangeServicesClient/0.0.0.0
            HttpProxy_1.LOG:3 Forged server anchor without proof of effect [probed] probe
              anchor: ServerInfo~a]@ex01.example.org:444/ews/exchange.asmx?#
              back_end_status: 500
              client: 203.0.113.7
              path: /ecp/y.js
              status: 500
              target_host: ex01.example.org
              user_agent: ExchangeServicesClient/0.0.0.0
        "]],
    );
}

#[test]
fn ordinary_traffic_is_quiet() {
    let engine = with_packs(&Extra::default());
    let quiet = [
        Line::new(
            "exchange.httpproxy:ecp",
            &[
                ("UrlStem", "/ecp/"),
                ("path", "/ecp/"),
                ("AnchorMailbox", "Sid~S-1-5-21-1-2-3-1108"),
                ("RoutingHint", "WindowsIdentity"),
                ("UserAgent", "AMProbe/Local/ClientAccess"),
                ("user_agent", "AMProbe/Local/ClientAccess"),
                ("client", "::1"),
                ("HttpStatus", "200"),
                ("status", "200"),
            ],
        ),
        Line::new(
            "exchange.httpproxy:ecp",
            &[
                ("UrlStem", "/ecp/default.aspx"),
                ("AnchorMailbox", "ServerInfo~ex01.example.org~1941997017"),
                ("RoutingHint", "X-BEResource-Cookie"),
                ("HttpStatus", "200"),
            ],
        ),
        Line::new(
            "iis.site:1",
            &[
                ("cs-method", "GET"),
                ("method", "GET"),
                ("cs-uri-stem", "/ecp/auth/TimeoutLogout.aspx"),
                ("path", "/ecp/auth/TimeoutLogout.aspx"),
                ("sc-status", "200"),
                ("status", "200"),
            ],
        ),
        Line::new(
            "iis.site:1",
            &[
                ("cs-method", "GET"),
                ("method", "GET"),
                ("cs-uri-stem", "/ecp/main.css"),
                ("path", "/ecp/main.css"),
                ("sc-status", "200"),
                ("status", "200"),
            ],
        ),
    ];
    assert_eq!(shown(&found(&engine, "quiet", &quiet)), "");
}

fn page_asked_for(path: &str, status: &str) -> Line {
    let fields = [
        ("cs-method", "GET"),
        ("method", "GET"),
        ("cs-uri-stem", path),
        ("path", path),
        ("client", "198.51.100.4"),
        ("sc-status", status),
        ("status", status),
    ];
    Line::new("iis.site:1", &fields)
}

#[test]
fn only_success_makes_a_known_name_a_shell() {
    let engine = with_packs(&Extra::default());
    let records = [
        page_asked_for("/aspnet_client/supp0rt.aspx", "404").numbered(1),
        page_asked_for("/owa/auth/OutlookZH.aspx", "302").numbered(2),
        page_asked_for("/Aspnet_Client/Supp0rt.aspx", "200").numbered(3),
    ];
    check(
        &engine,
        "u_ex210303.log",
        &records,
        &expect![[r"
        u_ex210303.log:1 Known web path: /aspnet_client/supp0rt.aspx [probed] probe
          client: 198.51.100.4
          method: GET
          path: /aspnet_client/supp0rt.aspx
          status: 404
        u_ex210303.log:2 Known web path: /owa/auth/outlookzh.aspx [probed] probe
          client: 198.51.100.4
          method: GET
          path: /owa/auth/OutlookZH.aspx
          status: 302
        u_ex210303.log:3 Known web path: /aspnet_client/supp0rt.aspx [foothold] shell_request web_shell /Aspnet_Client/Supp0rt.aspx (unknown)
          client: 198.51.100.4
          method: GET
          path: /Aspnet_Client/Supp0rt.aspx
          status: 200
    "]],
    );
}

#[test]
fn addresses_and_agents_never_convict() {
    let list = "value,type,notes\n203.0.113.7,ipaddress,seen\nExchangeServicesClient/0.0.0.0,user-agent,seen\n";
    let extra = Extra {
        indicators: vec![("mine.csv".to_owned(), list.as_bytes().to_vec())],
        ..Extra::default()
    };
    let (engine, _) = Engine::new(&[], &extra).unwrap();
    let records = [
        relayed("/ecp/proxyLogon.ecp?#", "241", 1),
        Line::new(
            "iis.site:1",
            &[("cs(User-Agent)", "agent/203.0.113.7"), ("path", "/")],
        ),
    ];
    let findings = found(&engine, "x.log", &records).findings;
    let stages: Vec<_> = findings
        .iter()
        .map(|finding| (&*finding.rule, finding.stage))
        .collect();
    assert_eq!(
        stages,
        [
            ("indicator/ip/203.0.113.7", Some(Stage::Probed)),
            ("indicator/user_agent/exchangeservicesclient/0.0.0.0", None),
        ]
    );
    assert_eq!(findings[0].author, "mine.csv");
}

/// A flood of one kind must not bury what is different in it.
#[test]
fn a_flood_is_summed_up_by_what_it_shows() {
    let engine = with_packs(&Extra::default());
    let mut records: Vec<Line> = (1..=200)
        .map(|number| relayed("/mapi/emsmdb/?#", "200", number))
        .collect();
    let mut other = relayed("/mapi/emsmdb/?#", "200", 201);
    for (name, value) in &mut other.fields {
        if matches!(*name, "AnchorMailbox" | "anchor") {
            "ServerInfo~a]@ex02.example.org:444/mapi/emsmdb/?#".clone_into(value);
        }
    }
    other.raw = other.raw.replace("ex01", "ex02");
    records.push(other);
    let mut findings = found(&engine, "x.log", &records).findings;
    findings.retain(|finding| finding.step == "mailbox_recon");
    assert_eq!(findings.len(), 66);
    assert_eq!(
        findings.iter().map(|finding| finding.count).sum::<u64>(),
        201
    );
    let sum = findings.iter().find(|finding| finding.count > 1).unwrap();
    assert_eq!((sum.count, sum.place.line), (136, Some(65)));
    assert!(sum.time < sum.last);
    assert!(
        findings
            .iter()
            .any(|finding| finding.details["target_host"] == "ex02.example.org")
    );
}

const SHELL: [&str; 3] = [
    "<%@ Page Language=\"JScr",
    "ipt\"%><%ev",
    "al(Request.Item[\"k\"],\"unsafe\");%>",
];

#[test]
fn a_shell_convicts_where_it_runs_and_not_where_it_is_quoted() {
    let engine = with_packs(&Extra::default());
    let bytes = SHELL.concat().into_bytes();
    let stages = |path: &str| -> Vec<(String, Option<Stage>)> {
        let mut item = engine.item(path);
        assert_eq!(item.wants_file(path, &bytes, None), Some(16 << 20));
        item.file("web.script", None, &bytes, true);
        let findings = item.finish().findings;
        for finding in &findings {
            let foothold = finding.foothold.as_ref();
            assert!(foothold.is_none_or(|foothold| {
                foothold.state == FootholdState::Present && foothold.sha256.is_some()
            }));
        }
        findings
            .into_iter()
            .map(|finding| (finding.rule, finding.stage))
            .collect()
    };
    let there = stages(r"C:\inetpub\wwwroot\aspnet_client\x.aspx");
    assert!(
        there.contains(&(
            "request_evaluated_as_jscript".to_owned(),
            Some(Stage::Foothold)
        )),
        "{there:?}"
    );
    assert!(
        there
            .iter()
            .any(|(rule, stage)| rule.starts_with("analysis/web-shell/") && stage.is_some())
    );
    let mut log = engine.item("ECPServer.LOG");
    log.file("exchange.ecp_server", None, &bytes, false);
    let log = log.finish();
    assert!(log.findings.is_empty() && log.gaps.is_empty());
    let quoted = stages(r"C:\Users\a\report.txt");
    assert!(
        !quoted.is_empty() && quoted.iter().all(|(_, stage)| stage.is_none()),
        "{quoted:?}"
    );
}

#[test]
fn a_known_hash_convicts_whatever_the_name() {
    let digest = "4edc7770464a14f54d17f36dc9d0fe854f68b346b27b35a6f5839adf1f13f8ea";
    let mut item = with_packs(&Extra::default());
    let extra = Extra {
        indicators: vec![("h.txt".to_owned(), digest.as_bytes().to_vec())],
        ..Extra::default()
    };
    let (users, _) = Engine::new(&[], &extra).unwrap();
    for engine in [&mut item, &mut { users }] {
        let mut item = engine.item(r"C:\ProgramData\a.bin");
        item.file("other", Some(&digest.to_uppercase()), &[], false);
        let findings = item.finish().findings;
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].stage, Some(Stage::Foothold));
        assert_eq!(
            findings[0].foothold.as_ref().unwrap().sha256.as_deref(),
            Some(digest)
        );
    }
}

#[test]
fn rules_that_cannot_be_run_are_told_one_by_one() {
    let rule = |id: &str, source: &str, detection: &str| {
        format!("title: t\nid: {id}\nlogsource: {source}\ndetection: {detection}\n")
    };
    let good = "{a: {path: x}, condition: a}";
    let texts = [
        rule("linux", "{product: linux, service: auditd}", good),
        rule("bad-condition", "{category: webserver}", "{a: {path: x}, condition: a and}"),
        rule("bad-modifier", "{category: webserver}", "{a: {'path|sounds': x}, condition: a}"),
        rule("bad-regex", "{category: webserver}", "{a: {'path|re': '('}, condition: a}"),
        rule("good", "{category: webserver}", good),
        rule("good", "{category: webserver}", good),
        "title: [".to_owned(),
        "just text".to_owned(),
        String::new(),
        "title: c\nid: correlation\ncorrelation: {type: event_count, rules: [good], group-by: [a], timespan: 1m, condition: {gte: 3}}\n".to_owned(),
        rule("counted", "{category: webserver}", "{a: {path: x}, timeframe: 5m, condition: a}"),
        format!("{}allclear: {{stage: nonsense}}\n", rule("bad-block", "{category: webserver}", good)),
    ];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let (engine, problems) = users(&texts);
    assert_eq!(
        engine.counts().0,
        2,
        "the good rule runs, and the correlation of it"
    );
    let mut shown = String::new();
    for problem in &problems {
        let why: String = problem.why.chars().take(60).collect();
        writeln!(
            shown,
            "{} {} {:?}: {}",
            problem.path,
            problem.rule,
            problem.kind,
            why.replace('\n', " ").trim_end()
        )
        .unwrap();
    }
    expect![[r"
        rules/0.yml linux NoSource: no known source holds logs of product linux, service auditd
        rules/1.yml bad-condition NotUnderstood: cannot be read: line 4: detection.condition: the condition e
        rules/10.yml counted NotUnderstood: cannot be read: line 4: detection.timeframe: counting over a
        rules/11.yml bad-block NotUnderstood: has a block `allclear` that cannot be read: unknown variant
        rules/2.yml bad-modifier NotUnderstood: cannot be read: line 4: detection.a.path|sounds: the modifie
        rules/3.yml bad-regex NotUnderstood: cannot be run: line 4: detection.a.path|re: the regular expr
        rules/5.yml good Duplicate: has the same id as another rule
        rules/6.yml  NotUnderstood: cannot be read: line 2: is not YAML that can be read: did no
        rules/7.yml  NotUnderstood: cannot be read: the document is a text, not a mapping of key
        rules/8.yml  NotUnderstood: cannot be read: the file holds no Sigma rule; remove it or w
    "]].assert_eq(&shown);
}

/// A pack's static page says nothing when it is fetched; on a list of one's own it is a lead.
#[test]
fn a_path_on_an_own_list_is_told_however_it_is_asked_for() {
    let extra = Extra {
        indicators: vec![(
            "own.csv".to_owned(),
            b"type,value\nurl_path,/actuator/health\n".to_vec(),
        )],
        ..Extra::default()
    };
    let (engine, problems) = Engine::new(&[], &extra).unwrap();
    assert_eq!(problems, []);
    let record = page_asked_for("/actuator/health", "404");
    let findings = found(&engine, "u_ex.log", &[record]).findings;
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].stage, None);
}

/// Three requests refused within the hour, found in two logs whose records come in no order.
#[test]
fn correlations_count_over_all_items_of_a_host() {
    let rules = r"
title: a request refused
name: refused
id: refused
logsource: {category: webserver}
detection: {a: {sc-status: 401}, condition: a}
---
title: many requests refused
id: many
level: high
author: Somebody
correlation: {type: event_count, rules: [refused], group-by: [c-ip], timespan: 1h, condition: {gte: 3}}
";
    let (engine, problems) = users(&[rules]);
    assert_eq!(problems, []);
    let row = |client: &str, number| {
        let fields = [
            ("c-ip", client),
            ("sc-status", "401"),
            ("cs-uri-stem", "/owa/"),
        ];
        Line::new("iis.site:1", &fields).numbered(number)
    };
    let mut sightings = Vec::new();
    for records in [
        vec![row("198.51.100.7", 30), row("192.0.2.1", 31)],
        vec![row("198.51.100.7", 20), row("198.51.100.7", 10)],
    ] {
        let item = found(&engine, "u_ex.log", &records);
        // The rule that is correlated is told in the correlation's place.
        assert_eq!(item.findings.len(), 0);
        sightings.extend(item.sightings);
    }
    let (findings, gaps) = engine.correlate(sightings);
    assert_eq!(gaps, []);
    let shown: Vec<_> = findings
        .iter()
        .map(|finding| {
            format!(
                "{} {} x{}: {}",
                finding.place, finding.rule, finding.count, finding.evidence
            )
        })
        .collect();
    assert_eq!(
        shown,
        ["u_ex.log:30 many x3: 3 of its rules' matches with c-ip=198.51.100.7"]
    );
    assert_eq!(findings[0].author, "Somebody");
}

/// A rule that says more than its log does must not be dropped for the words it shares with no line.
#[test]
fn rules_written_for_other_engines_work_on_web_logs() {
    let rule = "title: t\nid: web\nauthor: Somebody\nlogsource: {category: webserver}\ndetection: {a: {'cs-uri-query|contains': '/owa/auth/x y.aspx'}, b: {'c-useragent|contains': 'Fire Fox'}, condition: a and b}\n";
    let (engine, problems) = users(&[rule]);
    assert_eq!(problems, []);
    let record = Line::new(
        "iis.site:1",
        &[
            ("cs-uri-stem", "/owa/auth/x%20y.aspx"),
            ("cs-uri-query", "-"),
            ("cs(User-Agent)", "Fire+Fox/1"),
        ],
    );
    let findings = found(&engine, "x.log", &[record]).findings;
    assert_eq!(findings.len(), 1);
    assert_eq!(
        (findings[0].author.as_str(), findings[0].stage),
        ("Somebody", None)
    );
}

/// The rules that users bring most: all are run, or told with a reason.
#[test]
fn every_published_rule_runs_or_is_told() {
    let archive = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/evidence/sigma/sigmahq-rules-8eaafff1f.tar.gz"
    );
    let Ok(file) = std::fs::OpenOptions::new().read(true).open(archive) else {
        println!("skipped: {archive} is not on this machine");
        return;
    };
    let mut sigma = Vec::new();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let mut text = String::new();
        if model::extension(&path) == "yml" {
            std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
            sigma.push((path, text));
        }
    }
    let count = sigma.len();
    assert!(count > 3_000);
    let extra = Extra {
        sigma,
        ..Extra::default()
    };
    let (engine, problems) = Engine::new(&[], &extra).unwrap();
    let running = |problem: &&RuleProblem| problem.kind == ProblemKind::InPart;
    let in_part = problems.iter().filter(running).count();
    assert_eq!(engine.counts().0 + problems.len() - in_part, count);
    let not_understood: Vec<_> = problems
        .iter()
        .filter(|problem| problem.kind == ProblemKind::NotUnderstood)
        .collect();
    assert!(not_understood.len() < 10, "{not_understood:#?}");
    let without_source: Vec<_> = problems
        .iter()
        .filter(|problem| problem.kind != ProblemKind::InPart)
        .filter(|problem| problem.path.starts_with("rules/windows/"))
        .map(|problem| format!("{}: {}", problem.path, problem.why))
        .collect();
    assert!(without_source.len() < 60, "{without_source:#?}");
}

/// Pieces from which records are made that rules nearly, or really, match.
const PIECES: [&str; 26] = [
    "ServerInfo~",
    "serverinfo~",
    "a]@srv:444",
    "/ecp/",
    "proxyLogon.ecp",
    "/mapi/emsmdb/",
    "/ews/",
    "%2e",
    "%2F",
    "%",
    "+",
    " ",
    "\\",
    "\"",
    "/",
    "autodiscover",
    "Set-OabVirtualDirectory",
    "ExternalUrl=",
    "<script",
    "\u{212A}",
    "\u{130}",
    "http",
    ".aspx",
    "\u{e9}",
    "241",
    "w3wp.exe",
];

const FIELDS: [&str; 10] = [
    "AnchorMailbox",
    "UrlStem",
    "HttpStatus",
    "BackEndStatus",
    "EventData",
    "CommandLine",
    "ParentImage",
    "Image",
    "EventID",
    "Data_1",
];

const SOURCES: [&str; 5] = [
    "exchange.httpproxy:ecp",
    "exchange.ecp_server",
    "windows.eventlog:microsoft-windows-sysmon/operational",
    "windows.eventlog:msexchange management",
    "iis.site:1",
];

fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..5)
        .prop_map(|pieces| pieces.concat())
}

/// Rules with parts that can hide their words: escapes, wildcards, keywords, negation, other letters.
const ODD_RULES: &str = r"
title: one
id: odd-1
logsource: {product: exchange}
detection: {a: {'AnchorMailbox|contains|all': ['serverinfo~', '/MAPI']}, b: {UrlStem: '*/ecp/?*'}, condition: a or b}
---
title: two
id: odd-2
logsource: {product: windows}
detection: {a: {'|all': ['Set-Oab', 'externalurl']}, b: ['k<script', 'i'], condition: 1 of them}
---
title: three
id: odd-3
logsource: {category: webserver}
detection: {a: {'cs-uri-stem|endswith': ['.aspx', 'X']}, f: {'cs-uri-stem|contains': 'http'}, condition: a and not f}
---
title: four
id: odd-4
logsource: {product: windows, category: process_creation}
detection: {a: {'CommandLine|contains': 'é http'}, b: {'ParentImage|endswith': '\w3wp.exe'}, condition: a or b}
";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// What matches is what the rules as they are written say of the record, plain or URL-decoded.
    #[test]
    fn rules_match_what_they_say(
        source in prop::sample::select(SOURCES.to_vec()),
        values in prop::collection::btree_map(prop::sample::select(FIELDS.to_vec()), pieces(), 1..6),
        event_id in prop::sample::select(vec!["1", "4688", "6"]),
    ) {
        thread_local! {
            static ENGINE: Engine = {
                let extra = Extra {
                    sigma: vec![("odd.yml".to_owned(), ODD_RULES.to_owned())],
                    ..Extra::default()
                };
                with_packs(&extra)
            };
        }
        let mut fields: BTreeMap<String, String> =
            values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        fields.insert("EventID".to_owned(), event_id.to_owned());
        let record = ExampleRecord::new(source, &fields, source.starts_with("windows"));
        ENGINE.with(|engine| {
            let mut with_filter = Vec::new();
            engine.item("x").hunt(&record, &Interest::Any, &mut |found| with_filter.push(found.rule_id.to_owned()));
            with_filter.retain(|rule| !rule.starts_with("indicator/"));
            let holds = |rule: &str| engine.explain(rule, &record).is_some_and(|top| top.holds);
            let states = engine.rules.engine.states();
            let without: Vec<String> = states
                .map(|(rule, _)| engine.rules.about(rule).id.clone())
                .filter(|rule| holds(rule))
                .collect();
            assert_eq!(with_filter, without);
        });
    }

    /// Hostile lists of indicators and hostile rules give reasons, not panics.
    #[test]
    fn hostile_knowledge_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..200), name in "[a-z]{1,3}\\.(csv|json|yaml|txt|yml)") {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let extra = Extra {
            sigma: vec![(name.clone(), text.clone())],
            yara: vec![(name.clone(), text)],
            indicators: vec![(name, bytes)],
        };
        let (engine, _) = Engine::new(&[], &extra).unwrap();
        assert_eq!(engine.counts().0, 0);
    }

    #[test]
    fn decoding_twice_is_decoding_what_was_encoded_twice(text in "[a-z/ ]{0,12}") {
        let encode = |text: &str| text.replace('%', "%25").replace('/', "%2F").replace(' ', "%20");
        let twice = encode(&encode(&text));
        let once = percent_decoded(&twice).into_owned();
        assert_eq!(percent_decoded(&once), text);
    }
}

/// Lists as responders received them in 2021.
#[test]
fn published_lists_are_read() {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/evidence/indicators"
    );
    let Ok(entries) = std::fs::read_dir(folder) else {
        println!("skipped: {folder} is not on this machine");
        return;
    };
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut shown = String::new();
    for name in names {
        let file = std::fs::OpenOptions::new()
            .read(true)
            .open(format!("{folder}/{name}"));
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut file.unwrap(), &mut bytes).unwrap();
        let extra = Extra {
            indicators: vec![(name.clone(), bytes)],
            ..Extra::default()
        };
        let (engine, problems) = Engine::new(&[], &extra).unwrap();
        let (_, yara, indicators) = engine.counts();
        writeln!(shown, "{name}: {indicators} indicators, {yara} YARA rules").unwrap();
        for problem in problems {
            let what: String = problem.rule.chars().take(40).collect();
            writeln!(shown, "  {what}: {}", problem.why).unwrap();
        }
    }
    expect![[r"
        cisa-chirp-aa21-062a.yaml: 15 indicators, 8 YARA rules
          Possible CVE-2021-26855 Exploitation: is of the type `events`, which is not supported
          Possible CVE-2021-26857 Exploitation: is of the type `events`, which is not supported
        eset-exchange-samples.sha256: 23 indicators, 0 YARA rules
        mandiant-sunburst-hashes.csv: 21 indicators, 0 YARA rules
          439bcd0a17d53837bc29fb51c0abd9d52a747227: is called benign by the list itself
          53f8dfc65169ccda021b72a62e0c22a4db7c4077: is called benign by the list itself
          a25cadd48d70f6ea0c4a241d99c5241269e6facc: is called benign by the list itself
          d3c6785e18fba3749fb785bc313cf8346182f532: is called benign by the list itself
        mandiant-sunburst-nbis.csv: 25 indicators, 0 YARA rules
        volexity-exchange-marauder.csv: 13 indicators, 0 YARA rules
    "]]
    .assert_eq(&shown);
}
