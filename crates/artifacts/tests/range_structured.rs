//! Every event log, hive, configuration and program file that the range writes is recognised and read without any loss.

use artifacts::{Item, Probe, Sink, recognise};
use evidence::{Bytes, Content};
use model::{At, Fact, GapKind, Record, Timestamp};
use range::{Collection, Layout, Memory, Options, make};
use std::collections::{BTreeMap, BTreeSet};

/// Kinds that are read here.
const KINDS: [&str; 8] = [
    "aspnet.compiled",
    "iis.config",
    "iis.web_config",
    "windows.event_json",
    "windows.evtx",
    "windows.pe",
    "windows.registry",
    "windows.task",
];

/// Counts what the readers say.
#[derive(Default)]
struct Counts {
    records: u64,
    facts: BTreeSet<&'static str>,
    faults: Vec<String>,
}

impl Sink for Counts {
    fn record(&mut self, record: &dyn Record) {
        self.records += 1;
        let mut fields = 0;
        record.each_field(&mut |name, _| {
            fields += 1;
            assert!(record.get(name).is_some(), "{name}");
        });
        assert!(fields > 0);
    }

    fn rejected(&mut self, at: At, reason: &str) {
        self.faults.push(format!("{at:?}: {reason}"));
    }

    fn fact(&mut self, _at: At, fact: Fact) {
        self.facts.insert(match fact {
            Fact::HostName(_) => "host name",
            Fact::Build(_) => "build",
            Fact::InstallPath(_) => "install path",
            Fact::VirtualDirectory(_) => "virtual directory",
            Fact::IisModule(_) => "module",
            Fact::CompiledPage(_) => "compiled page",
            Fact::EventLog(_) => "event log",
            Fact::Persistence(_) => "persistence",
            Fact::TimeZone { .. } => "time zone",
            _ => "other",
        });
    }

    fn gap(
        &mut self,
        kind: GapKind,
        at: At,
        _span: (Option<Timestamp>, Option<Timestamp>),
        detail: &str,
    ) {
        self.faults
            .push(format!("{} {at:?}: {detail}", kind.name()));
    }
}

#[test]
fn structured_files_of_a_synthetic_server_are_read_without_loss() {
    let options = Options {
        start: "2021-03-01T00:00:00Z".parse().unwrap(),
        end: "2021-03-05T00:00:00Z".parse().unwrap(),
        ..Options::new("proxylogon", 7)
    };
    let mut evidence = Collection::new(Memory::default(), Layout::Drives);
    make(&options, &mut evidence).unwrap();
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    let mut facts = BTreeSet::new();
    for (path, (_modified, bytes)) in &evidence.container.files {
        let path = path.replacen('/', ":/", 1).replace('/', "\\");
        let mut content = Bytes(bytes.clone());
        let head = content.head().to_vec();
        let probe = Probe {
            path: &path,
            head: &head,
            size: content.size(),
        };
        let Some(artifact) = recognise(&probe) else {
            continue;
        };
        if !KINDS.contains(&artifact.kind()) {
            continue;
        }
        let mut counts = Counts::default();
        artifact.read(&Item { path: &path }, &mut content, &mut counts);
        assert_eq!(counts.faults, Vec::<String>::new(), "{path}");
        *kinds.entry(artifact.kind()).or_default() += counts.records;
        facts.extend(counts.facts);
    }
    println!("{kinds:?} {facts:?}");
    for kind in [
        "iis.config",
        "windows.evtx",
        "windows.pe",
        "windows.registry",
    ] {
        assert!(
            kinds.get(kind).is_some_and(|records| *records > 0),
            "{kind}: {kinds:?}"
        );
    }
    for fact in [
        "build",
        "event log",
        "host name",
        "install path",
        "persistence",
        "virtual directory",
    ] {
        assert!(facts.contains(fact), "{fact}: {facts:?}");
    }
}
