//! What collectors write about their own work: the host, the time, and what they could not collect.
//!
//! One file for each collector. A record counts only outside of the collected drives: a file of the same name that
//! was itself collected is evidence like any other.

mod acquire;
mod kape;
mod uac;
mod velociraptor;

pub(crate) use velociraptor::{DATA_NAME, METADATA_NAME, UPLOADS_NAME, original_paths, stored_key};

use model::{Fact, GapKind, HostNameSeen, TakenAt, Timestamp, host_name_rank};

/// Failures told one by one for each record; the rest is counted in one gap.
const GAPS_TOLD_MAX: usize = 500;

/// Largest record that is worth reading; `uploads.json` of 200,000 files stays below.
pub const COLLECTOR_RECORD_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Something that the collector itself says it could not collect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CollectorGap {
    /// Original Windows path; empty where it concerns the whole collection.
    pub path: String,
    pub kind: GapKind,
    /// One sentence, which names the collector.
    pub detail: String,
}

impl CollectorGap {
    fn new(path: &str, kind: GapKind, detail: impl Into<String>) -> Self {
        Self {
            path: shown(path),
            kind,
            detail: detail.into(),
        }
    }
}

/// One kind of record of one collector.
struct RecordKind {
    /// Whether a file of this name, in lower case, is one.
    detect: fn(name: &str) -> bool,
    facts: fn(name: &str, bytes: &[u8]) -> Vec<Fact>,
    gaps: fn(bytes: &[u8]) -> Vec<CollectorGap>,
}

/// Every kind of record, the most exact names first.
const RECORDS: [RecordKind; 10] = [
    velociraptor::CLIENT_INFO,
    velociraptor::COLLECTION_CONTEXT,
    velociraptor::UPLOADS,
    velociraptor::LOG,
    uac::LOG,
    uac::ACQUISITION_LOG,
    kape::CONSOLE_LOG,
    kape::SKIP_LOG,
    acquire::REPORT,
    acquire::LOG,
];

/// Whether the entry at this restored path is a record that [`container_facts`] and [`container_gaps`] understand.
pub fn is_collector_record(path: &str) -> bool {
    kind_of(path).is_some()
}

/// Host name (rank [`host_name_rank::COLLECTOR`]) and time of collection, as the collector itself recorded them in
/// the entry at `path`, and files that it names without having collected them.
pub fn container_facts(path: &str, bytes: &[u8]) -> Vec<Fact> {
    kind_of(path).map_or_else(Vec::new, |(kind, name)| (kind.facts)(&name, bytes))
}

/// What the collector says in the entry at `path` that it could not collect, at most a few hundred gaps.
pub fn container_gaps(path: &str, bytes: &[u8]) -> Vec<CollectorGap> {
    let mut gaps = kind_of(path).map_or_else(Vec::new, |(kind, _)| (kind.gaps)(bytes));
    let untold = gaps.len().saturating_sub(GAPS_TOLD_MAX);
    if untold > 0 {
        gaps.truncate(GAPS_TOLD_MAX);
        let detail = format!("the collector reports {untold} further failures of this kind");
        gaps.push(CollectorGap::new("", GapKind::Unreadable, detail));
    }
    gaps
}

fn kind_of(path: &str) -> Option<(&'static RecordKind, String)> {
    /// Collectors write their records at the top, below the folders of a host and a date at most.
    const COMPONENTS_MAX: usize = 3;
    let is_evidence = path.split('!').any(|part| {
        let on_a_drive = part.as_bytes().get(1) == Some(&b':');
        on_a_drive || part.starts_with("GLOBALROOT") || part.split('\\').count() > COMPONENTS_MAX
    });
    if is_evidence {
        return None;
    }
    let name = model::file_name(path).to_lowercase();
    let kind = RECORDS.iter().find(|kind| (kind.detect)(&name))?;
    Some((kind, name))
}

fn host(name: &str, rule: &str) -> Option<Fact> {
    /// The longest DNS name; anything longer is no computer's name.
    const NAME_BYTES_MAX: usize = 255;
    let name = name.trim();
    let plausible = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.chars().any(|c| c.is_control() || c.is_whitespace());
    plausible.then(|| {
        Fact::HostName(HostNameSeen {
            name: name.to_owned(),
            rule: rule.to_owned(),
            rank: host_name_rank::COLLECTOR,
        })
    })
}

fn taken(time: Option<Timestamp>, rule: &str) -> Option<Fact> {
    time.map(|time| {
        Fact::Taken(TakenAt {
            time,
            rule: rule.to_owned(),
        })
    })
}

/// A path on the host in its Windows form.
fn shown(path: &str) -> String {
    if path.is_empty() {
        return String::new();
    }
    crate::restore::restore(path).path
}

/// Lines of a text record, with a byte order mark and UTF-16 undone.
fn text(bytes: &[u8]) -> String {
    match bytes {
        [0xff, 0xfe, rest @ ..] => {
            let units: Vec<u16> = rest
                .chunks_exact(2)
                .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
                .collect();
            String::from_utf16_lossy(&units)
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// A message of a collector, short enough for a sentence.
fn message(text: &str) -> String {
    crate::walk::shorten(&crate::restore::printable(text.trim()))
}

/// A time by a `strftime` form; without an offset it is UTC.
fn time(form: &str, text: &str) -> Option<Timestamp> {
    let mut parsed = jiff::fmt::strtime::parse(form, text).ok()?;
    if parsed.offset().is_none() {
        parsed.set_offset(Some(jiff::tz::Offset::UTC));
    }
    parsed.to_timestamp().ok()
}

#[cfg(test)]
#[expect(
    clippy::needless_raw_string_hashes,
    clippy::needless_pass_by_value,
    reason = "expect-test writes its texts like this, and takes them by value"
)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use std::fmt::Write as _;

    fn check(path: &str, record: &str, expected: Expect) {
        let mut text = String::new();
        for fact in container_facts(path, record.as_bytes()) {
            writeln!(text, "{}", serde_json::to_string(&fact).unwrap()).unwrap();
        }
        for gap in container_gaps(path, record.as_bytes()) {
            writeln!(text, "{} {}: {}", gap.kind.name(), gap.path, gap.detail).unwrap();
        }
        expected.assert_eq(&text);
    }

    #[test]
    fn velociraptor_tells_host_time_and_failed_uploads() {
        check(
            "client_info.json",
            r#"{"client_id":"C.1","os_info":{"system":"windows","hostname":"EX01","fqdn":"EX01.example.org"}}"#,
            expect![[r#"
                {"fact":"host_name","name":"EX01.example.org","rule":"Velociraptor client_info.json","rank":20}
            "#]],
        );
        check(
            "client_info.json",
            r#"{"Hostname":"EX02","OS":"windows","Fqdn":""}"#,
            expect![[r#"
                {"fact":"host_name","name":"EX02","rule":"Velociraptor client_info.json","rank":20}
            "#]],
        );
        check(
            "collection_context.json",
            r#"{"session_id":"F.1","create_time":1614852672000000,"state":"ERROR","status":"disk full"}"#,
            expect![[r#"
                {"fact":"taken","time":"2021-03-04T10:11:12Z","rule":"Velociraptor collection_context.json"}
                partial : Velociraptor reports that the collection ended in an error: disk full
            "#]],
        );
        check(
            "uploads.json",
            concat!(
                r#"{"vfs_path":"\\\\.\\C:\\Windows\\a.evtx","_Components":["uploads","ntfs","\\\\.\\C:","Windows","a.evtx"],"file_size":100,"uploaded_size":60,"Type":""}"#,
                "\n",
                r#"{"vfs_path":"C:\\x\\$J","file_size":100,"uploaded_size":10}"#,
                "\n",
                r#"{"vfs_path":"C:\\x\\$J.idx","file_size":5,"uploaded_size":5,"Type":"idx"}"#,
                "\n{broken"
            ),
            expect![[r#"
                partial C:\Windows\a.evtx: Velociraptor stored 60 of 100 bytes
                partial C:\x\$J: Velociraptor stored 10 of 100 bytes, as it left out the holes of a sparse file; offsets in it are shifted
            "#]],
        );
        check(
            "log.json",
            "{\"level\":\"ERROR\",\"message\":\"cannot open C:\\\\x\"}\n{\"level\":\"INFO\",\"message\":\"fine\"}\n",
            expect![[r#"
                unreadable : Velociraptor reports an error: cannot open C:\x
            "#]],
        );
    }

    #[test]
    fn kape_tells_the_host_only_where_it_ran_on_it() {
        let live = "[2025-08-25 13:20:59.6023456 | INF] Command line:   --tsource C: --tdest D:\\out --target X\r\n\
                    [2025-08-25 13:20:59.6034567 | INF] System info: Machine name: EX01, 64-bit: true, User: a OS: x\r\n\
                    [2025-08-25 13:21:03.1807432 | WRN] File C:\\Windows\\a.pf does not exist! Skipping!\r\n\
                    [2025-08-25 13:21:07.2124525 | FTL] Could not copy file C:\\x\\b.log to D:\\out\\C\\x\\b.log. Error: in use\r\n";
        check(
            "2025-08-25T20_20_59_5246365_ConsoleLog.txt",
            live,
            expect![[r#"
                {"fact":"host_name","name":"EX01","rule":"KAPE console log, run on the host itself","rank":20}
                {"fact":"taken","time":"2025-08-25T20:20:59Z","rule":"name of the KAPE console log"}
                missing C:\Windows\a.pf: KAPE found it listed but no longer there
                unreadable C:\x\b.log: KAPE could not copy it: in use
            "#]],
        );
        let mounted = live.replace("--tsource C:", "--tsource F:");
        check(
            "2022-05-28T024344_ConsoleLog.txt",
            &mounted,
            expect![[r#"
            missing C:\Windows\a.pf: KAPE found it listed but no longer there
            unreadable C:\x\b.log: KAPE could not copy it: in use
        "#]],
        );
        check(
            "2022-05-28T024344_SkipLog.csv.csv",
            "\u{feff}SourceFile,SourceFileSha1,Reason\r\nC:\\a\\x.aspx,AB,Deduped\r\nC:\\b.log,,Access denied\r\n",
            expect![[r#"
                {"fact":"listed_file","path":"C:\\a\\x.aspx","size":null,"sha256":null}
                unreadable C:\b.log: KAPE skipped it: Access denied
            "#]],
        );
    }

    #[test]
    fn uac_and_acquire_tell_host_time_and_failures() {
        check(
            "uac-web01-linux-20210304101112.log",
            "Created by UAC\n[System Information]\nHostname: web01\n\n[Acquisition Information]\nAcquisition started at: Thu Mar 04 10:11:12 2021 +0100\n",
            expect![[r#"
                {"fact":"host_name","name":"web01","rule":"UAC acquisition log","rank":20}
                {"fact":"taken","time":"2021-03-04T09:11:12Z","rule":"UAC acquisition log"}
            "#]],
        );
        check(
            "uac.log",
            "2021-03-04 10:11:12 +0100 INF start\n2021-03-04 10:11:13 +0100 ERR cannot read /x\n",
            expect![[r#"
                {"fact":"taken","time":"2021-03-04T09:11:12Z","rule":"first line of uac.log"}
                unreadable : UAC reports an error: cannot read /x
            "#]],
        );
        check(
            "EX01_20210304101112.report.json",
            r#"{"target":"<Target local>","name":"EX01","timestamp":"2021-03-04T10:20:00+00:00","modules-failed":{"IIS":"KeyError: x"},
               "EventLogs":{"failure":[{"artifact_value":"ntfs:140:sysvol/Windows/a.evtx","details":"OSError"}],
               "missing":[{"artifact_value":"sysvol/windows/b"}],"success":[{"artifact_value":"sysvol/windows/c"}]}}"#,
            expect![[r#"
                {"fact":"host_name","name":"EX01","rule":"acquire report","rank":20}
                {"fact":"taken","time":"2021-03-04T10:20:00Z","rule":"acquire report"}
                unreadable : acquire's module IIS failed: KeyError: x
                unreadable C:\Windows\a.evtx: acquire could not collect it: OSError
                missing C:\windows\b: acquire looked for it and did not find it
            "#]],
        );
        check(
            "EX01_20210304101112.log",
            "[2021-03-04 11:11:12,000] [INFO ] Target name: EX01\n[2021-03-04 11:11:12,000] [INFO ] Hostname: EX01\n\
             [2021-03-04 11:11:13,000] [INFO ] - Collecting file sysvol/a.log: OK\n\
             [2021-03-04 11:11:13,000] [INFO ] - Collecting file sysvol/b.log: OSError(5)\n",
            expect![[r#"
                {"fact":"host_name","name":"EX01","rule":"acquire log","rank":20}
                {"fact":"taken","time":"2021-03-04T10:11:12Z","rule":"name of the acquire log"}
                unreadable C:\b.log: acquire could not collect it: OSError(5)
            "#]],
        );
    }

    #[test]
    fn a_collected_file_of_the_same_name_is_no_record() {
        assert!(is_collector_record("EX01\\client_info.json"));
        assert!(!is_collector_record("C:\\temp\\client_info.json"));
        assert!(is_collector_record("EX01.zip!client_info.json"));
        assert!(!is_collector_record("C:\\temp\\a.zip!client_info.json"));
        assert!(!is_collector_record("home\\a\\b\\client_info.json"));
        assert!(container_facts("C:\\temp\\client_info.json", br#"{"Hostname":"X"}"#).is_empty());
    }

    #[test]
    fn damaged_records_say_nothing() {
        for name in [
            "client_info.json",
            "collection_context.json",
            "uploads.json",
            "log.json",
            "x_report.report.json",
            "x_ConsoleLog.txt",
            "x_SkipLog.csv",
            "uac.log",
        ] {
            for record in ["", "{", "[]", "\u{0}\u{1}", "{\"create_time\":-1}", "null"] {
                assert_eq!(
                    container_facts(name, record.as_bytes()),
                    Vec::new(),
                    "{name} {record}"
                );
                assert_eq!(
                    container_gaps(name, record.as_bytes()),
                    Vec::new(),
                    "{name} {record}"
                );
            }
        }
    }
}
