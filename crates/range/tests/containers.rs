//! Every kind of container is read back by the crate that opens evidence, with the same files under their original paths.

use evidence::{Content, Decision, Digest, Entry, Visitor};
use jiff::Timestamp;
use range::{ContainerKind, Sink, Taken, open_container};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

/// Original paths with the hashes of what was read.
#[derive(Default)]
struct Reading {
    files: BTreeMap<String, String>,
    facts: Vec<String>,
    gaps: Vec<String>,
}

impl Visitor for Reading {
    fn begin(&mut self, _entry: &Entry) -> Decision {
        Decision::Read
    }

    fn content(&mut self, entry: &Entry, content: &mut dyn Content) {
        if evidence::is_collector_record(&entry.path) {
            let mut bytes = Vec::new();
            let read = content.stream().read_to_end(&mut bytes);
            read.expect("a record of a collector");
            let facts = evidence::container_facts(&entry.path, &bytes);
            self.facts
                .extend(facts.iter().map(|fact| format!("{fact:?}")));
        }
    }

    fn end(&mut self, entry: &Entry, digest: &Digest) {
        self.files.insert(entry.path.clone(), digest.sha256.clone());
    }

    fn gap(&mut self, path: &str, kind: model::GapKind, detail: &str) {
        self.gaps.push(format!("{} {path}: {detail}", kind.name()));
    }
}

fn read(path: &Path) -> (Vec<evidence::Collection>, Reading) {
    let options = evidence::Options::default();
    let collections = evidence::discover(&[path.to_owned()], &options).expect("it is there");
    let mut reading = Reading::default();
    for collection in &collections {
        evidence::walk(collection, &options, &mut reading);
    }
    (collections, reading)
}

/// A small host: an event log, logs of every size, a name that Velociraptor escapes, a long name, and an empty file.
fn fill(sink: &mut dyn Sink) -> BTreeMap<String, String> {
    let long = format!(
        r"C:\inetpub\wwwroot\{}\{}\web.config",
        "a".repeat(60),
        "b".repeat(60)
    );
    let rows = "2021-03-03 06:49:42 10.0.0.1 GET /owa/ - 443 - 10.0.0.2 - 200\r\n".repeat(70_000);
    let files = [
        (
            r"C:\Windows\System32\winevt\Logs\A%4Operational.evtx",
            vec![7; 70_000],
        ),
        (
            r"C:\inetpub\logs\LogFiles\W3SVC1\u_ex210303.log",
            rows.into_bytes(),
        ),
        (
            r"D:\Exchange\V15\Logging\HttpProxy\Ecp\HttpProxy_2021030306-1.LOG",
            b"#Software: x\r\n".to_vec(),
        ),
        (r"C:\ExchangeSetupLogs\ServiceControl.log", Vec::new()),
        (long.as_str(), b"<configuration />".to_vec()),
    ];
    let modified = "2021-03-03T06:49:42Z".parse::<Timestamp>().expect("a time");
    for (path, bytes) in &files {
        sink.file(path, modified, bytes).expect("writable");
    }
    sink.finish(&Taken {
        host: "MAIL01".into(),
        host_full: "mail01.corp.example".into(),
        time: "2021-03-20T01:02:03Z".parse().expect("a time"),
    })
    .expect("writable");
    let hash = |bytes: &[u8]| {
        let mut reading = Reading::default();
        evidence::walk_bytes(
            "x",
            bytes.to_owned(),
            &evidence::Options::default(),
            &mut reading,
        );
        reading.files.remove("x").expect("a hash")
    };
    let hashes = files
        .iter()
        .map(|(path, bytes)| ((*path).to_owned(), hash(bytes)));
    hashes.collect()
}

/// How the evidence crate names what it finds, and what it learns of the collector.
fn expected(kind: ContainerKind) -> (&'static str, usize) {
    match kind {
        ContainerKind::Folder | ContainerKind::Nested | ContainerKind::GzippedLogs => ("folder", 0),
        ContainerKind::Zip => ("zip", 0),
        ContainerKind::TarGz => ("tar.gz", 0),
        ContainerKind::TarZst => ("tar.zst", 0),
        ContainerKind::TarXz => ("tar.xz", 0),
        ContainerKind::SevenZip => ("7z", 0),
        ContainerKind::Kape => ("zip (kape)", 2),
        ContainerKind::Velociraptor => ("zip (velociraptor)", 2),
        ContainerKind::Acquire => ("tar (acquire)", 4),
    }
}

#[test]
fn what_goes_in_comes_out_under_its_original_path() {
    for kind in ContainerKind::ALL {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut sink, path) =
            open_container(kind, &folder.path().join("MAIL01-2021.03.20")).expect("writable");
        let files = fill(&mut *sink);
        drop(sink);
        let (collections, reading) = read(&path);
        let (container, facts) = expected(kind);
        assert_eq!(collections.len(), 1, "{kind}");
        assert_eq!(collections[0].container, container);
        assert_eq!(reading.facts.len(), facts, "{kind}: {:?}", reading.facts);
        assert!(reading.facts.iter().all(|fact| {
            fact.to_lowercase().contains("mail01") || fact.contains("2021-03-20T01:02:03Z")
        }));
        assert_eq!(reading.gaps, [""; 0], "{kind}");
        let read = reading
            .files
            .iter()
            .map(|(path, hash)| {
                let path = path.rsplit('!').next().expect("a last part");
                (path.trim_end_matches(".gz").to_owned(), hash.clone())
            })
            .filter(|(path, _)| path.contains(":\\"))
            .collect::<BTreeMap<_, _>>();
        assert_eq!(read, files, "{kind}");
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "what the range itself wrote is read back"
)]
fn an_archive_of_the_same_files_has_the_same_bytes_and_the_time_of_its_collection() {
    let folder = tempfile::tempdir().expect("a folder");
    for kind in ContainerKind::ALL {
        if kind.extension().is_empty() {
            continue;
        }
        let make = |name: &str| {
            let path = folder.path().join(name);
            let (mut sink, path) = open_container(kind, &path).expect("writable");
            fill(&mut *sink);
            drop(sink);
            let modified = std::fs::metadata(&path).and_then(|file| file.modified());
            let time = Timestamp::try_from(modified.expect("a time")).expect("a time");
            (std::fs::read(path).expect("it is there"), time.to_string())
        };
        let (first, second) = (make("a"), make("b"));
        assert!(first == second, "{kind}");
        assert_eq!(first.1, "2021-03-20T01:02:03Z", "{kind}");
    }
}

#[test]
fn a_container_is_named_as_on_the_command_line() {
    for kind in ContainerKind::ALL {
        assert_eq!(kind.name().parse::<ContainerKind>().expect("a name"), kind);
        let path = kind.path(Path::new("out/EX.01"));
        assert!(path.to_string_lossy().starts_with("out/EX.01"));
    }
    let error = "rar".parse::<ContainerKind>().expect_err("not read");
    assert!(
        error
            .to_string()
            .starts_with("no container is named rar; there are folder, zip, ")
    );
}
