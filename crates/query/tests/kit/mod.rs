//! A small case with known content: events written through `store`, and a ledger in memory.

use jiff::Timestamp;
use model::{At, Record, SourceName, Value};
use object_store::local::LocalFileSystem;
use query::{Cell, Ledger, LedgerError, Limits, Object, Questions, Source};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use store::events::{Columns, Staged, Staging};
use tempfile::TempDir;

/// A host whose name tries to leave its folder and to steer a terminal.
pub(crate) const HOSTILE: &str = "../\u{1b}[31mEX99";

/// A case in a folder of its own.
pub(crate) struct TestCase {
    pub(crate) folder: TempDir,
    pub(crate) ledger: Rows,
}

/// Rows of a ledger in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) tables: BTreeMap<String, Vec<BTreeMap<String, Cell>>>,
    pub(crate) objects: Vec<(String, Object)>,
}

impl Ledger for Rows {
    fn objects(&self, kind: &str) -> Result<Vec<Object>, LedgerError> {
        let of_kind = self.objects.iter().filter(|(of, _)| of == kind);
        Ok(of_kind.map(|(_, object)| object.clone()).collect())
    }

    fn rows(
        &self,
        table: &str,
        columns: &[&str],
        row: &mut dyn FnMut(&[Cell]) -> bool,
    ) -> Result<(), LedgerError> {
        for values in self.tables.get(table).into_iter().flatten() {
            let cell = |name: &&str| values.get(*name).cloned().unwrap_or(Cell::Null);
            let cells: Vec<Cell> = columns.iter().map(cell).collect();
            if !row(&cells) {
                break;
            }
        }
        Ok(())
    }
}

/// Microseconds since 1970.
pub(crate) fn micros(time: &str) -> i64 {
    let time: Timestamp = time.parse().expect("a time in a test is one");
    time.as_microsecond()
}

impl Rows {
    /// Adds a row: `column=value` each; `@` before a value marks a time, `#` a number.
    pub(crate) fn add(&mut self, table: &str, row: &[(&str, &str)]) {
        let cell = |value: &str| match value.split_at_checked(1) {
            Some(("@", time)) => Cell::Whole(micros(time)),
            Some(("#", number)) => Cell::Whole(number.parse().expect("a number in a test is one")),
            _ => Cell::Text(value.to_owned()),
        };
        let row = row
            .iter()
            .map(|(name, value)| ((*name).to_owned(), cell(value)));
        self.tables
            .entry(table.to_owned())
            .or_default()
            .push(row.collect());
    }
}

/// A record of a log.
pub(crate) struct Line {
    source: SourceName,
    time: Option<Timestamp>,
    at: At,
    fields: Vec<(String, String)>,
}

impl Line {
    pub(crate) fn new(
        source: &str,
        number: u64,
        time: Option<&str>,
        fields: &[(&str, &str)],
    ) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            source: SourceName::new(source),
            time: time.map(|time| time.parse().expect("a time in a test is one")),
            at: At::Line(number),
            fields: fields.iter().map(own).collect(),
        }
    }
}

impl Record for Line {
    fn source(&self) -> &SourceName {
        &self.source
    }

    fn time(&self) -> Option<Timestamp> {
        self.time
    }

    fn at(&self) -> At {
        self.at
    }

    fn get(&self, field: &str) -> Option<Value<'_>> {
        let found = self.fields.iter().find(|(name, _)| name == field);
        found.map(|(_, value)| Value::text(value.as_str()))
    }

    fn each_field(&self, visit: &mut dyn FnMut(&str, Value<'_>)) {
        for (name, value) in &self.fields {
            visit(name, Value::text(value.as_str()));
        }
    }

    fn raw(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }
}

impl TestCase {
    pub(crate) fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder can be made"),
            ledger: Rows::default(),
        }
    }

    /// The case that the golden questions are asked of.
    pub(crate) fn small() -> Self {
        let mut case = Self::empty();
        case.events(
            "c-1",
            "EX01",
            &[
                request(
                    "2021-02-28T10:00:00Z",
                    "203.0.113.5",
                    "/ecp/y.js",
                    "python-requests/2.25",
                ),
                request(
                    "2021-03-03T04:00:00Z",
                    "203.0.113.5",
                    "/aspnet_client/supp0rt.aspx",
                    "antSword/v2.1",
                ),
                request(
                    "2021-03-09T12:00:00Z",
                    "198.51.100.7",
                    "/aspnet_client/supp0rt.aspx",
                    "curl/7.70",
                ),
                Line::new(
                    "ntfs:mft",
                    4,
                    None,
                    &[
                        (
                            "TargetFilename",
                            "C:\\inetpub\\wwwroot\\aspnet_client\\supp0rt.aspx",
                        ),
                        ("size", "2170"),
                        ("record", "812-3"),
                        ("deleted", ""),
                        ("CreationUtcTime", "2021-03-02T23:59:59.1234567Z"),
                        ("si_modified", "2021-03-02T23:59:59Z"),
                        ("si_changed", "2021-03-03T00:00:01Z"),
                        ("si_accessed", ""),
                        ("fn_created", "2021-03-02T23:59:58Z"),
                    ],
                ),
            ],
        );
        case.events(
            "c-2",
            "EX02",
            &[
                request(
                    "2021-03-03T04:05:00Z",
                    "203.0.113.5",
                    "/ecp/x.js",
                    "python-requests/2.25",
                ),
                request("2021-03-05T08:00:00Z", "192.0.2.33", "/owa/", "Mozilla/5.0"),
            ],
        );
        case.events(
            "c-3",
            HOSTILE,
            &[request(
                "2021-03-06T00:00:00Z",
                "192.0.2.99",
                "/=cmd|' /C calc'!A0",
                "\u{1b}]0;pwned\u{7}\u{202e}",
            )],
        );
        // Lies in the store, and the ledger does not name it: half of a run that died.
        case.events(
            "c-9",
            "GHOST",
            &[request("2021-03-01T00:00:00Z", "192.0.2.1", "/", "x")],
        );
        case.ledger
            .objects
            .retain(|(_, object)| object.host != "GHOST");
        judge(&mut case.ledger);
        case
    }

    /// Writes the events of one collection and host as a case has them.
    pub(crate) fn events(&mut self, collection: &str, host: &str, lines: &[Line]) {
        let columns = include_str!("../../../../knowledge/events.yaml");
        let columns = Columns::parse(columns).expect("what we ship parses");
        let staging = self.folder.path().join("staging");
        std::fs::create_dir_all(&staging).expect("a folder can be made");
        let file = staging.join(format!("{collection}.arrow"));
        let mut writer = Staging::create(&file, columns).expect("a file can be made");
        for line in lines {
            writer.record(1, line);
        }
        let rows = writer.end_item().expect("a file can be written").rows;
        drop(writer);
        let staged = Staged {
            file,
            ordinal: 1,
            rows,
            item: "C:\\logs\\u_ex.log".to_owned(),
            host: host.to_owned(),
        };
        let written = store::events::write(&[staged], collection, &staging, 1 << 20)
            .expect("events can be written");
        for one in written {
            let key: String = host
                .bytes()
                .map(|byte| {
                    if byte.is_ascii_alphanumeric() {
                        char::from(byte).to_string()
                    } else {
                        format!("~{byte:02X}")
                    }
                })
                .collect();
            let name = format!("events/{collection}/{key}.parquet");
            let target = self.objects().join(&name);
            std::fs::create_dir_all(target.parent().expect("it lies in a folder"))
                .expect("a folder can be made");
            std::fs::rename(&one.file, &target).expect("a file can be moved");
            let object = Object {
                name,
                collection: collection.to_owned(),
                host: one.host,
                bytes: target.metadata().expect("it is there").len(),
                rows: Some(one.rows),
                first: one.first,
                last: one.last,
            };
            self.ledger.objects.push(("events".to_owned(), object));
        }
    }

    pub(crate) fn objects(&self) -> std::path::PathBuf {
        self.folder.path().join("objects")
    }

    pub(crate) fn questions(&self) -> Questions {
        self.questions_within(limits(self.folder.path()))
    }

    pub(crate) fn questions_within(&self, limits: Limits) -> Questions {
        std::fs::create_dir_all(self.objects()).expect("a folder can be made");
        let store = LocalFileSystem::new_with_prefix(self.objects()).expect("the folder is there");
        let source = Source {
            address: query::Address::default(),
            ledger: Arc::new(self.ledger.clone()),
            objects: Arc::new(store),
            events: store::events::schema(),
            items: store::events::items_schema(),
        };
        Questions::over(&source, limits).expect("questions can be set up")
    }
}

pub(crate) fn limits(folder: &Path) -> Limits {
    Limits {
        threads: std::num::NonZeroUsize::MIN.saturating_add(1),
        ..Limits::new(folder.join("spill"))
    }
}

/// A line of a web log.
pub(crate) fn request(time: &str, client: &str, path: &str, agent: &str) -> Line {
    let fields = [
        ("client", client),
        ("method", "POST"),
        ("path", path),
        ("status", "200"),
        ("user_agent", agent),
    ];
    Line::new("iis.access", 1, Some(time), &fields)
}

fn judge(ledger: &mut Rows) {
    let verdict = |ledger: &mut Rows, seq: &str, host: &str, row: &[(&str, &str)]| {
        let mut whole = vec![
            ("seq", seq),
            ("host", host),
            ("campaign", "proxylogon"),
            ("current", "#1"),
            ("sufficient", "#0"),
        ];
        whole.retain(|(name, _)| !row.iter().any(|(own, _)| own == name));
        whole.extend_from_slice(row);
        ledger.add("verdicts", &whole);
    };
    verdict(
        ledger,
        "#1",
        "EX01",
        &[
            ("verdict", "unproven"),
            ("exposure", "unknown"),
            ("current", "#0"),
        ],
    );
    verdict(
        ledger,
        "#2",
        "EX01",
        &[
            ("verdict", "compromised"),
            ("stage", "foothold"),
            ("exposure", "patched"),
            ("build", "15.1.2176.9"),
            ("first", "@2021-02-28T10:00:00Z"),
            ("last", "@2021-03-09T12:00:00Z"),
            ("patched", "@2021-03-12T00:00:00Z"),
            ("why", "evidence"),
        ],
    );
    verdict(
        ledger,
        "#3",
        "EX02",
        &[
            ("verdict", "compromised"),
            ("stage", "exploited"),
            ("exposure", "vulnerable"),
            ("first", "@2021-03-03T04:05:00Z"),
        ],
    );
    verdict(
        ledger,
        "#4",
        "EX03",
        &[
            ("verdict", "clear"),
            ("stage", "probed"),
            ("exposure", "patched"),
            ("first", "@2021-03-03T05:00:00Z"),
            ("patched", "@2021-03-03T20:00:00Z"),
            ("sufficient", "#1"),
        ],
    );
    verdict(
        ledger,
        "#5",
        HOSTILE,
        &[("verdict", "not_affected"), ("exposure", "not_affected")],
    );
    for host in ["EX01", "EX02", "EX03", HOSTILE] {
        ledger.add(
            "hosts",
            &[
                ("host", host),
                ("host_rule", "registry"),
                ("first_seen", "@2021-04-01T00:00:00Z"),
            ],
        );
    }
    let shell = "/aspnet_client/supp0rt.aspx";
    let hash = "aa".repeat(32);
    let on_disk = |host: &'static str, id: &'static str| {
        vec![
            ("host", host),
            ("id", id),
            ("rule", "web_shell"),
            ("stage", "foothold"),
            ("count", "#1"),
            ("foothold_kind", "web_shell"),
            (
                "foothold_path",
                "C:\\inetpub\\wwwroot\\aspnet_client\\supp0rt.aspx",
            ),
            ("parameter", "orange"),
        ]
    };
    for (host, id) in [("EX01", "f-3"), ("EX02", "f-5")] {
        let mut row = on_disk(host, id);
        row.push(("sha256", &hash));
        ledger.add("findings", &row);
    }
    let act = |ledger: &mut Rows, host, id, client, time, stage, path| {
        ledger.add(
            "findings",
            &[
                ("host", host),
                ("id", id),
                ("campaign", "proxylogon"),
                ("rule", "r"),
                ("stage", stage),
                ("count", "#2"),
                ("client", client),
                ("time", time),
                ("path", path),
                ("collection", "c-1"),
                ("item", "u_ex.log"),
                ("line", "#1"),
            ],
        );
    };
    act(
        ledger,
        "EX01",
        "f-1",
        "203.0.113.5",
        "@2021-02-28T10:00:00Z",
        "exploited",
        "/ecp/y.js",
    );
    act(
        ledger,
        "EX01",
        "f-2",
        "203.0.113.5",
        "@2021-03-03T04:00:00Z",
        "foothold",
        shell,
    );
    act(
        ledger,
        "EX01",
        "f-4",
        "198.51.100.7",
        "@2021-03-09T12:00:00Z",
        "hands_on",
        shell,
    );
    act(
        ledger,
        "EX02",
        "f-6",
        "203.0.113.5",
        "@2021-03-03T04:05:00Z",
        "exploited",
        "/ecp/x.js",
    );
    act(
        ledger,
        "EX03",
        "f-7",
        "192.0.2.77",
        "@2021-03-03T05:00:00Z",
        "probed",
        "/ecp/x.js",
    );
    ledger.add(
        "gaps",
        &[
            ("host", "EX02"),
            ("kind", "time_hole"),
            ("source", "iis.access"),
            ("from_time", "@2021-03-01T00:00:00Z"),
        ],
    );
    ledger.add(
        "gaps",
        &[("host", "EX03"), ("kind", "missing"), ("detail", "no $MFT")],
    );
    ledger.add(
        "gaps",
        &[("host", "EX01"), ("kind", "missing"), ("detail", "no $MFT")],
    );
    ledger.add(
        "collections",
        &[
            ("id", "c-1"),
            ("label", "ex01.zip"),
            ("items", "#1"),
            ("events", "#4"),
        ],
    );
    ledger.add(
        "coverage",
        &[
            ("host", "EX01"),
            ("campaign", "proxylogon"),
            ("need", "httpproxy"),
            ("gaps", "#1"),
        ],
    );
}
