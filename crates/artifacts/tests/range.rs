//! Every text log that the range writes is recognised and read without any loss.

use artifacts::{Item, Probe, Sink, recognise};
use evidence::{Bytes, Content};
use model::{At, Fact, GapKind, Record, Timestamp};
use range::{Collection, Layout, Memory, Options, make};
use std::collections::BTreeMap;

/// Counts what a reader says.
#[derive(Default)]
struct Counts {
    records: u64,
    undated: u64,
    builds: u64,
    faults: Vec<String>,
}

impl Sink for Counts {
    fn record(&mut self, record: &dyn Record) {
        self.records += 1;
        self.undated += u64::from(record.time().is_none());
    }

    fn rejected(&mut self, at: At, reason: &str) {
        self.faults.push(format!("{at:?}: {reason}"));
    }

    fn fact(&mut self, _at: At, fact: Fact) {
        self.builds += u64::from(matches!(fact, Fact::Build(_)));
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
fn text_logs_of_a_synthetic_server_are_read_without_loss() {
    let options = Options {
        start: "2021-03-01T00:00:00Z".parse().unwrap(),
        end: "2021-03-05T00:00:00Z".parse().unwrap(),
        ..Options::new("proxylogon", 7)
    };
    let mut evidence = Collection::new(Memory::default(), Layout::Drives);
    make(&options, &mut evidence).unwrap();
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
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
            assert!(
                !path.to_lowercase().ends_with(".log"),
                "not recognised: {path}"
            );
            continue;
        };
        let is_text_log = [
            "exchange.",
            "iis.w3c",
            "http.err",
            "prior.",
            "files.listing",
        ]
        .iter()
        .any(|family| artifact.kind().starts_with(family));
        if !is_text_log {
            continue;
        }
        let mut counts = Counts::default();
        artifact.read(&Item { path: &path }, &mut content, &mut counts);
        assert_eq!(counts.faults, Vec::<String>::new(), "{path}");
        assert_eq!(counts.undated, 0, "{path}");
        if artifact.kind() == "exchange.httpproxy" {
            assert!(counts.builds > 0, "{path}");
        }
        *kinds.entry(artifact.kind()).or_default() += counts.records;
    }
    for kind in [
        "exchange.httpproxy",
        "exchange.ecp_server",
        "exchange.oab_generator",
        "exchange.setup_log",
        "iis.w3c",
    ] {
        assert!(
            kinds.get(kind).is_some_and(|records| *records > 0),
            "{kind}: {kinds:?}"
        );
    }
}
