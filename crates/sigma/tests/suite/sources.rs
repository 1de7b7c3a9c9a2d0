//! Log sources: which rules see which events, and under which names.

use crate::event::{compile_with, matches, object};
use sigma::{Engine, RuleState, SourceKey, Taxonomy};

const TAXONOMY: &str = include_str!("../../../../knowledge/sigma/taxonomy.yaml");

fn engine(rules: &str) -> Engine {
    compile_with(
        sigma::parse(rules),
        Taxonomy::parse(TAXONOMY).expect("the table that comes with Allclear"),
    )
}

fn windows(channel: &str, event_id: u32) -> SourceKey {
    SourceKey::new()
        .with("channel", channel)
        .with("event_id", event_id)
        .with("provider", "p")
}

fn rule(title: &str, log_source: &str, detection: &str) -> String {
    format!(
        "title: {title}\nlogsource: {{{log_source}}}\ndetection:\n  s: {{{detection}}}\n  condition: s\n---\n"
    )
}

/// The filtering platform's events name volumes by their devices, protocols by number and directions by message.
#[test]
fn connections_of_the_filtering_platform_read_like_those_of_sysmon() {
    let connection = "product: windows, category: network_connection";
    let engine = engine(
        &[
            rule(
                "lsass",
                connection,
                r"Image: 'C:\Windows\System32\lsass.exe', Initiated: 'true'",
            ),
            rule("tcp", connection, "Protocol: tcp, DestinationPort: 88"),
            rule(
                "device",
                "product: windows, service: security",
                r"Application|startswith: '\device\'",
            ),
        ]
        .concat(),
    );
    let key = windows("Security", 5156);
    let event = |application: &str| {
        object(&format!(
            r#"{{"Application":{application:?},"Direction":"%%14593","DestPort":"88","Protocol":6}}"#
        ))
    };
    let lsass = event(r"\device\harddiskvolume1\windows\system32\lsass.exe");
    assert_eq!(matches(&engine, &key, &lsass), ["lsass", "tcp", "device"]);
    // No volume's device: the path stays what it is.
    for other in [
        r"\device\harddiskvolume\windows\system32\lsass.exe",
        r"\device\harddiskvolume1",
        "System",
    ] {
        assert!(
            !matches(&engine, &key, &event(other)).contains(&"lsass".to_owned()),
            "{other}"
        );
    }
}

#[test]
fn process_creation_is_read_from_sysmon_and_from_the_security_log() {
    let engine = engine(
        &[
            rule(
                "image",
                "product: windows, category: process_creation",
                r"Image|endswith: '\cmd.exe'",
            ),
            rule(
                "pid",
                "product: windows, category: process_creation",
                "ProcessId: 420",
            ),
            rule(
                "level",
                "product: windows, category: process_creation",
                "IntegrityLevel: System",
            ),
            rule(
                "user",
                "product: windows, category: process_creation",
                r"User: 'CORP\eve'",
            ),
            rule(
                "hash",
                "product: windows, category: process_creation",
                "Hashes|contains: 'MD5=AB'",
            ),
            rule(
                "either",
                "product: windows, category: process_creation",
                r"Image|endswith: '\cmd.exe', Company: null",
            ),
        ]
        .concat(),
    );
    let sysmon = object(
        r#"{"Image":"C:\\cmd.exe","ProcessId":420,"IntegrityLevel":"System","User":"corp\\Eve","Hashes":"SHA1=00,MD5=AB","Company":null}"#,
    );
    let key = windows("microsoft-windows-sysmon/operational", 1);
    assert_eq!(
        matches(&engine, &key, &sysmon),
        ["image", "pid", "level", "user", "hash", "either"]
    );
    let security = object(
        r#"{"NewProcessName":"C:\\cmd.exe","NewProcessId":"0x1a4","ProcessId":"0x10","MandatoryLabel":"S-1-16-16384","SubjectDomainName":"CORP","SubjectUserName":"eve"}"#,
    );
    assert_eq!(
        matches(&engine, &windows("Security", 4688), &security),
        ["image", "pid", "level", "user"]
    );
    assert!(matches(&engine, &windows("Security", 4689), &security).is_empty());
    let RuleState::Ready { sources, limits } = engine.state(engine.find("hash").unwrap()) else {
        panic!("it runs on Sysmon's log");
    };
    assert_eq!(sources.as_slice(), ["Sysmon's log"]);
    assert_eq!(
        limits.as_slice(),
        [
            "cannot match on the Security log, which does not record `Hashes`",
            "cannot match on prefetch files, which does not record `Hashes`"
        ]
    );
}

#[test]
fn a_filter_on_a_field_that_the_source_lacks_is_a_stated_limit() {
    let engine = engine(
        "title: t\nlogsource: {product: windows, category: process_creation}\ndetection:\n  s: {Image: x}\n  f: {Hashes|contains: y}\n  condition: s and not f\n",
    );
    let RuleState::Ready { limits, .. } = engine.states().next().unwrap().1 else {
        panic!("it runs");
    };
    assert_eq!(
        limits.as_slice(),
        [
            "matches on the Security log without regard to `Hashes`, which it does not record",
            "matches on prefetch files without regard to `Hashes`, which it does not record"
        ]
    );
    let event = object(r#"{"NewProcessName":"x"}"#);
    assert_eq!(matches(&engine, &windows("Security", 4688), &event), ["t"]);
}

#[test]
fn an_event_belongs_to_several_categories() {
    let engine = engine(
        &[
            rule(
                "add",
                "product: windows, category: registry_add",
                "TargetObject: k",
            ),
            rule(
                "delete",
                "product: windows, category: registry_delete",
                "TargetObject: k",
            ),
            rule(
                "event",
                "product: windows, category: registry_event",
                "TargetObject: k",
            ),
            rule(
                "set",
                "product: windows, category: registry_set",
                "TargetObject: k",
            ),
            rule("sysmon", "product: windows, service: sysmon", "EventID: 12"),
            rule("windows", "product: windows", "TargetObject: k"),
            rule(
                "security",
                "product: windows, service: security",
                "TargetObject: k",
            ),
        ]
        .concat(),
    );
    let event = object(r#"{"EventID":12,"TargetObject":"K"}"#);
    let key = windows("Microsoft-Windows-Sysmon/Operational", 12);
    assert_eq!(
        matches(&engine, &key, &event),
        ["add", "delete", "event", "sysmon", "windows"]
    );
}

#[test]
fn what_the_key_tells_is_decided_without_the_event() {
    let engine = engine(
        &[
            rule(
                "cleared",
                "product: windows, service: security",
                "EventID: 1102",
            ),
            rule(
                "other",
                "product: windows, service: security",
                "EventID: [4624, 4625], LogonType: 3",
            ),
            rule(
                "provider",
                "product: windows, service: system",
                "Provider_Name: Service Control Manager, EventID: 7045",
            ),
        ]
        .concat(),
    );
    let empty = object("{}");
    assert_eq!(
        matches(&engine, &windows("Security", 1102), &empty),
        ["cleared"],
        "the key tells the event's id"
    );
    assert_eq!(
        engine.rules_in(engine.partition(&windows("Security", 1))),
        0
    );
    assert_eq!(
        engine.rules_in(engine.partition(&windows("Security", 4624))),
        1
    );
    let unknown_id = SourceKey::new().with("channel", "Security");
    assert_eq!(
        matches(&engine, &unknown_id, &object(r#"{"EventID":1102}"#)),
        ["cleared"]
    );
    let key = windows("System", 7045).with("provider", "Service Control Manager");
    assert_eq!(matches(&engine, &key, &empty), ["provider"]);
}

#[test]
fn paths_of_web_logs_are_put_together() {
    let engine = engine(
        &[
            rule("stem", "category: webserver", "cs-uri-stem|endswith: .aspx"),
            rule(
                "query",
                "category: webserver",
                "cs-uri-query|contains: '/x.aspx?a=b'",
            ),
            rule("proxy", "category: proxy", "c-uri|contains: 'x.aspx?a'"),
        ]
        .concat(),
    );
    let iis = object(r#"{"cs-uri-stem":"/x.aspx","cs-uri-query":"a=b"}"#);
    let key = SourceKey::new().with("source", "iis.site:2");
    assert_eq!(matches(&engine, &key, &iis), ["stem", "query", "proxy"]);
    let proxy = object(r#"{"UrlStem":"/x.aspx","UrlQuery":"-"}"#);
    let key = SourceKey::new().with("source", "exchange.httpproxy:ecp");
    assert_eq!(matches(&engine, &key, &proxy), ["stem"]);
}

#[test]
fn a_rule_without_a_source_is_undetectable_and_says_so() {
    let engine = engine(&rule(
        "mac",
        "product: macos, category: process_creation",
        "a: b",
    ));
    let RuleState::Undetectable { reasons } = engine.states().next().unwrap().1 else {
        panic!("there is no such source");
    };
    assert_eq!(
        reasons.as_slice(),
        ["no known source holds logs of product macos, category process_creation"]
    );
}

#[test]
fn explanations_show_the_values_that_were_seen() {
    let engine = engine(&rule(
        "t",
        "product: windows, category: process_creation",
        r"Image|endswith: '\cmd.exe', CommandLine|contains: '/c'",
    ));
    let event = object(r#"{"NewProcessName":"C:\\CMD.exe"}"#);
    let bound = crate::event::Event {
        engine: &engine,
        object: &event,
    };
    let explained = engine.explain(
        engine.find("t").unwrap(),
        &windows("Security", 4688),
        &bound,
    );
    assert_eq!(
        explained.to_string(),
        "- t\n  - s\n    + Image|endswith: \\cmd.exe   [Image: C:\\CMD.exe]\n    - CommandLine|contains: /c   [CommandLine is absent]\n"
    );
}

#[test]
fn a_taxonomy_with_a_mistake_is_refused_with_its_place() {
    for (text, expected) in [
        (
            "sources: [{source: a}]",
            "sources[0]: there is no list of `log_sources`; add it",
        ),
        (
            "sources: [{source: a, mapping: m, log_sources: []}]",
            "sources[0].mapping: there is no mapping `m`; define it under `mappings`",
        ),
        (
            "mappings: {m: {fields: {a: {odd: b}}}}\nsources: []",
            "mappings.m.fields.a: the field's source is not understood; use a name, a list, any, url, join, hex, drive, or of and words",
        ),
        (
            "sources: []\nmore: 1",
            "more: the key `more` is not known; remove or correct it",
        ),
    ] {
        assert_eq!(Taxonomy::parse(text).unwrap_err().to_string(), expected);
    }
}
