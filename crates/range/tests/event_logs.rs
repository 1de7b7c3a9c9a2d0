//! Event logs that are full: what is oldest goes, and nothing else changes.

use evtx::{EvtxParser, ParserSettings};
use jiff::Timestamp;
use range::{Collection, Layout, Memory, Options, Source, Withheld, make};
use std::collections::BTreeMap;

const BYTES_MAX: u64 = 140_000;

/// The records of the security log by their ids, and the size of its file.
fn security_log(options: &Options) -> (BTreeMap<u64, String>, usize) {
    let mut sink = Collection::new(Memory::default(), Layout::Drives);
    make(options, &mut sink).expect("the options are sound");
    let (_, bytes) = sink
        .container
        .files
        .remove("C/Windows/System32/winevt/Logs/Security.evtx")
        .expect("a security log");
    let size = bytes.len();
    let settings = ParserSettings::default()
        .validate_checksums(true)
        .num_threads(1);
    let mut parser = EvtxParser::from_buffer(bytes)
        .expect("a log")
        .with_configuration(settings);
    let records = parser
        .records()
        .map(|record| record.expect("a record"))
        .map(|record| (record.event_record_id, record.data));
    (records.collect(), size)
}

fn options() -> Options {
    Options {
        probe_minutes: 720,
        ..Options::new("clean", 4)
    }
}

#[test]
fn a_full_log_drops_its_oldest_records_and_goes_on_counting() {
    let (whole, whole_bytes) = security_log(&options());
    let limited = Options {
        event_log_bytes: BTreeMap::from([(Source::Security, BYTES_MAX)]),
        ..options()
    };
    let (left, bytes) = security_log(&limited);
    assert!(whole_bytes > 2 * bytes, "{whole_bytes} {bytes}");
    assert!(u64::try_from(bytes).expect("small") <= BYTES_MAX + 4_096);
    let newest = whole.iter().rev().take(left.len());
    assert!(newest.rev().eq(left.iter()), "the newest, unchanged");

    // What is withheld does not move what was overwritten.
    let time = |text: &str| text.parse::<Timestamp>().expect("a time");
    let span = Withheld::span(
        Source::Security,
        time("2021-03-18T00:00:00Z"),
        time("2021-03-18T18:00:00Z"),
    );
    let (rest, _) = security_log(&Options {
        withhold: vec![span],
        ..limited
    });
    assert!(rest.len() < left.len());
    assert_eq!(rest.keys().next(), left.keys().next());
    assert!(rest.iter().all(|(id, record)| left[id] == *record));
}

#[test]
fn a_large_server_has_a_large_security_log() {
    let (records, bytes) = security_log(&Options {
        text_bytes: Some(160_000_000),
        ..options()
    });
    assert!(bytes > 2_000_000, "{bytes}");
    assert!(records.len() > 3_000);
}
