//! Cases of whole logs, made by the range's writer and then damaged, and the real logs where they are at hand.
#![expect(
    clippy::needless_raw_string_hashes,
    reason = "written so by expect-test"
)]

use super::chunk::CHUNK_BYTES;
use super::chunks::FILE_HEADER_BYTES;
use super::*;
use crate::testing::{check, read_as_text, read_with};
use expect_test::expect;
use range::formats::evtx::{Body, Event as Written, EvtxWriter, Provider, Value as Typed, log};
use std::io::Cursor;
use std::path::{Path, PathBuf};

const PATH: &str = "C:\\Windows\\System32\\winevt\\Logs\\Security.evtx";

fn event(id: u16, second: i64, body: Body) -> Written {
    Written {
        provider: Provider {
            name: "Microsoft-Windows-Eventlog".to_owned(),
            ..Provider::default()
        },
        id,
        qualifiers: None,
        version: 0,
        level: 4,
        task: 0,
        opcode: 0,
        keywords: 0x8020_0000_0000_0000,
        time: Timestamp::new(1_614_754_140 + second, 0).unwrap(),
        process_id: 4,
        thread_id: 8,
        user: None,
        body,
    }
}

fn named(id: u16, second: i64) -> Written {
    let fields = vec![
        ("CommandLine".to_owned(), Typed::from("cmd.exe /c whoami")),
        ("ProcessId".to_owned(), Typed::Hex64(0x1a4)),
    ];
    event(id, second, Body::Named(fields))
}

/// Several chunks of events, one a second.
fn long_log(events: i64) -> Vec<u8> {
    let events: Vec<Written> = (0..events).map(|second| named(4688, second)).collect();
    log("Security", "MX.example.test", 101, &events).unwrap()
}

/// Everything said but the records themselves, of which there are too many to show.
#[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
fn check_but_records(bytes: &[u8], expected: expect_test::Expect) {
    let text = read_as_text(PATH, bytes, &[]);
    let shown: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains("Z | record ") || line.contains("partial"))
        .collect();
    expected.assert_eq(&shown.join("\n"));
}

#[test]
fn every_kind_of_body_becomes_flat_fields() {
    let user = Body::User {
        element: "LogFileCleared".to_owned(),
        namespace: "http://manifests.microsoft.com/win/2004/08/windows/eventlog".to_owned(),
        fields: vec![
            ("SubjectUserName".to_owned(), Typed::from("eve")),
            ("Channel".to_owned(), Typed::from("Application")),
        ],
    };
    let unnamed = Body::Unnamed(vec!["Set-Something".to_owned(), "-Name \"x\"".to_owned()]);
    let events = [named(4688, 0), event(1, 1, unnamed), event(104, 2, user)];
    check(
        PATH,
        &log("Security", "MX.example.test", 7, &events).unwrap(),
        &["*"],
        expect![[r#"
            kind: windows.evtx
            source: windows.eventlog:security
            records: 3
              2021-03-03T06:49:00Z | record 7 | Provider_Name=Microsoft-Windows-Eventlog | EventID=4688 | Version=0 | Level=4 | Task=0 | Opcode=0 | Keywords=0x8020000000000000 | TimeCreated_SystemTime=2021-03-03T06:49:00.0000000Z | EventRecordID=7 | Execution_ProcessID=4 | Execution_ThreadID=8 | Channel=Security | Computer=MX.example.test | CommandLine=cmd.exe /c whoami | ProcessId=0x1a4 | channel=Security | event_id=4688 | provider=Microsoft-Windows-Eventlog | server=MX.example.test | command=cmd.exe /c whoami
              2021-03-03T06:49:01Z | record 8 | Provider_Name=Microsoft-Windows-Eventlog | EventID=1 | Level=4 | Task=0 | Keywords=0x8020000000000000 | TimeCreated_SystemTime=2021-03-03T06:49:01.0000000Z | EventRecordID=8 | Channel=Security | Computer=MX.example.test | Data_1=Set-Something | Data_2=-Name "x" | Data=Set-Something, -Name "x" | channel=Security | event_id=1 | provider=Microsoft-Windows-Eventlog | server=MX.example.test
              2021-03-03T06:49:02Z | record 9 | Provider_Name=Microsoft-Windows-Eventlog | EventID=104 | Version=0 | Level=4 | Task=0 | Opcode=0 | Keywords=0x8020000000000000 | TimeCreated_SystemTime=2021-03-03T06:49:02.0000000Z | EventRecordID=9 | Execution_ProcessID=4 | Execution_ThreadID=8 | Channel=Security | Computer=MX.example.test | SubjectUserName=eve | UserData_Channel=Application | channel=Security | event_id=104 | provider=Microsoft-Windows-Eventlog | server=MX.example.test | user=eve
            rejected: 0
            facts: 2
              item | {"fact":"event_log","channel":"Security","computer":"MX.example.test","first_id":7,"last_id":9,"first":"2021-03-03T06:49:00Z","last":"2021-03-03T06:49:02Z","missing_ids":[],"next_id":10,"live":true}
              item | {"fact":"host_name","name":"MX.example.test","rule":"event log Computer","rank":50}
            gaps: 1
              cleared | record 9 | - to 2021-03-03T06:49:02Z | the event log `Application` was cleared by eve: what it held before is gone
        "#]],
    );
}

#[test]
fn numbers_left_out_are_holes_and_clearing_is_a_gap() {
    let mut writer =
        EvtxWriter::new(Cursor::new(Vec::new()), "Security", "MX.example.test", 7).unwrap();
    writer.push(&named(4688, 0)).unwrap();
    writer.skip();
    writer.skip();
    let cleared = Body::User {
        element: "LogFileCleared".to_owned(),
        namespace: "http://manifests.microsoft.com/win/2004/08/windows/eventlog".to_owned(),
        fields: vec![("SubjectUserName".to_owned(), Typed::from("eve"))],
    };
    writer.push(&event(1102, 60, cleared)).unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    check(
        PATH,
        &bytes,
        &["user"],
        expect![[r#"
        kind: windows.evtx
        source: windows.eventlog:security
        records: 2
          2021-03-03T06:49:00Z | record 7
          2021-03-03T06:50:00Z | record 10 | user=eve
        rejected: 0
        facts: 2
          item | {"fact":"event_log","channel":"Security","computer":"MX.example.test","first_id":7,"last_id":10,"first":"2021-03-03T06:49:00Z","last":"2021-03-03T06:50:00Z","missing_ids":[{"first_id":8,"last_id":9,"from":"2021-03-03T06:49:00Z","until":"2021-03-03T06:50:00Z"}],"next_id":11,"live":true}
          item | {"fact":"host_name","name":"MX.example.test","rule":"event log Computer","rank":50}
        gaps: 1
          cleared | record 10 | - to 2021-03-03T06:50:00Z | the event log `Security` was cleared by eve: what it held before is gone
    "#]],
    );
}

#[test]
fn damaged_chunk_is_a_gap_and_reading_goes_on() {
    let mut bytes = long_log(1_000);
    let second = FILE_HEADER_BYTES + CHUNK_BYTES;
    bytes[second] = b'X';
    let third = second + CHUNK_BYTES;
    bytes[third + 40_000] ^= 0xff;
    check_but_records(
        &bytes,
        expect![[r#"
            kind: windows.evtx
            source: windows.eventlog:security
            records: 693
            rejected: 1
              record 896 | content damaged
            facts: 2
              item | {"fact":"event_log","channel":"Security","computer":"MX.example.test","first_id":101,"last_id":1100,"first":"2021-03-03T06:49:00Z","last":"2021-03-03T07:05:39Z","missing_ids":[{"first_id":407,"last_id":712,"from":"2021-03-03T06:54:05Z","until":"2021-03-03T06:59:12Z"}],"next_id":1101,"live":true}
              item | {"fact":"host_name","name":"MX.example.test","rule":"event log Computer","rank":50}
            gaps: 3
              partial | byte 69632 | 2021-03-03T06:54:05Z to 2021-03-03T06:59:12Z | a chunk is unreadable: its head is not that of a chunk
              partial | record 896 | 2021-03-03T07:02:14Z to 2021-03-03T07:02:16Z | 1 record could not be read: content damaged
              partial | byte 135168 | 2021-03-03T06:54:05Z to 2021-03-03T07:04:18Z | the checksum of this chunk's records does not match; the records that can be decoded are read"#]],
    );
}

#[test]
fn damaged_record_is_rejected_and_the_next_is_read() {
    let mut bytes = log(
        "Security",
        "MX",
        1,
        &[named(1, 0), named(2, 1), named(3, 2)],
    )
    .unwrap();
    let chunk = &bytes[FILE_HEADER_BYTES..];
    let starts: Vec<usize> = memchr::memmem::find_iter(chunk, b"\x2a\x2a\0\0").collect();
    let second = FILE_HEADER_BYTES + starts[1];
    bytes[second + 24] = 0x77; // the first token of its content
    check(
        PATH,
        &bytes,
        &["event_id"],
        expect![[r#"
            kind: windows.evtx
            source: windows.eventlog:security
            records: 2
              2021-03-03T06:49:00Z | record 1 | event_id=1
              2021-03-03T06:49:02Z | record 3 | event_id=3
            rejected: 1
              record 2 | content damaged
            facts: 2
              item | {"fact":"event_log","channel":"Security","computer":"MX","first_id":1,"last_id":3,"first":"2021-03-03T06:49:00Z","last":"2021-03-03T06:49:02Z","missing_ids":[],"next_id":4,"live":true}
              item | {"fact":"host_name","name":"MX","rule":"event log Computer","rank":50}
            gaps: 2
              partial | record 2 | 2021-03-03T06:49:00Z to 2021-03-03T06:49:02Z | 1 record could not be read: content damaged
              partial | byte 4096 | the checksum of this chunk's records does not match; the records that can be decoded are read
        "#]],
    );
}

#[test]
fn file_cut_off_in_a_chunk_is_read_up_to_the_cut() {
    let bytes = long_log(40);
    check_but_records(
        &bytes[..FILE_HEADER_BYTES + 8_000],
        expect![[r#"
            kind: windows.evtx
            source: windows.eventlog:security
            records: 29
            rejected: 1
              byte 11976 | record head damaged
            facts: 2
              item | {"fact":"event_log","channel":"Security","computer":"MX.example.test","first_id":101,"last_id":129,"first":"2021-03-03T06:49:00Z","last":"2021-03-03T06:49:28Z","missing_ids":[],"next_id":141,"live":true}
              item | {"fact":"host_name","name":"MX.example.test","rule":"event log Computer","rank":50}
            gaps: 2
              partial | byte 4096 | 2021-03-03T06:49:28Z to - | the file is cut off inside this chunk
              partial | byte 11976 | 2021-03-03T06:49:28Z to - | 1 record could not be read: record head damaged"#]],
    );
}

#[test]
fn log_copied_while_open_may_have_a_stale_header_and_checksum() {
    let mut bytes = long_log(3);
    bytes[24..32].copy_from_slice(&101_u64.to_le_bytes());
    bytes[120] = 1;
    let checksum = crc32fast::hash(&bytes[..120]);
    bytes[124..128].copy_from_slice(&checksum.to_le_bytes());
    bytes[FILE_HEADER_BYTES + 52] ^= 0xff;
    let text = read_as_text(PATH, &bytes, &[]);
    expect![[r#"
        kind: windows.evtx
        source: windows.eventlog:security
        records: 3
          2021-03-03T06:49:00Z | record 101
          2021-03-03T06:49:01Z | record 102
          2021-03-03T06:49:02Z | record 103
        rejected: 0
        facts: 2
          item | {"fact":"event_log","channel":"Security","computer":"MX.example.test","first_id":101,"last_id":103,"first":"2021-03-03T06:49:00Z","last":"2021-03-03T06:49:02Z","missing_ids":[],"next_id":null,"live":true}
          item | {"fact":"host_name","name":"MX.example.test","rule":"event log Computer","rank":50}
        gaps: 0
    "#]].assert_eq(&text);
}

#[test]
fn records_that_only_the_chunks_header_knows_are_missing() {
    let mut bytes = long_log(3);
    bytes[120] = 1; // in use, so that the checksums of its newest chunk say nothing
    bytes[FILE_HEADER_BYTES + 32..FILE_HEADER_BYTES + 40].copy_from_slice(&109_u64.to_le_bytes());
    let gaps = read_with(&EventLog, PATH, &bytes, &[]).gaps;
    expect!["partial | byte 4096 | 2021-03-03T06:49:02Z to - | the header of this chunk counts 6 more records than it holds"].assert_eq(&gaps.join("\n"));
}

#[test]
fn export_keeps_the_numbers_of_the_log_it_came_from() {
    let mut bytes = log("Security", "MX", 501, &[named(1, 0), named(2, 1)]).unwrap();
    // An export numbers its records anew in their heads.
    let starts: Vec<usize> = memchr::memmem::find_iter(&bytes, b"\x2a\x2a\0\0").collect();
    for (start, id) in starts.iter().zip(1_u64..) {
        bytes[start + 8..start + 16].copy_from_slice(&id.to_le_bytes());
    }
    for (at, id) in [(24, 1_u64), (32, 2)] {
        let at = FILE_HEADER_BYTES + at;
        bytes[at..at + 8].copy_from_slice(&id.to_le_bytes());
    }
    let facts = read_with(&EventLog, PATH, &bytes, &[]).facts;
    expect![[r#"
        item | {"fact":"event_log","channel":"Security","computer":"MX","first_id":501,"last_id":502,"first":"2021-03-03T06:49:00Z","last":"2021-03-03T06:49:01Z","missing_ids":[],"next_id":null,"live":false}
        item | {"fact":"host_name","name":"MX","rule":"event log Computer","rank":50}"#]].assert_eq(&facts.join("\n"));
}

#[test]
fn empty_log_and_what_is_no_log() {
    let empty = log("Security", "MX", 9, &[]).unwrap();
    check(
        PATH,
        &empty,
        &[],
        expect![[r#"
        kind: windows.evtx
        source: windows.eventlog:security
        records: 0
        rejected: 0
        facts: 1
          item | {"fact":"event_log","channel":"Security","computer":"","first_id":9,"last_id":8,"first":null,"last":null,"missing_ids":[],"next_id":9,"live":true}
        gaps: 0
    "#]],
    );
    check(
        PATH,
        b"",
        &[],
        expect![[r#"
            kind: windows.evtx (by path)
            source: windows.eventlog:security
            records: 0
            rejected: 0
            facts: 0
            gaps: 1
              unreadable | item | this holds neither the header nor a readable chunk of an event log
        "#]],
    );
    check(
        PATH,
        &[0x41; 10_000],
        &[],
        expect![[r#"
            kind: windows.evtx (by path)
            source: windows.eventlog:security
            records: 0
            rejected: 0
            facts: 0
            gaps: 2
              partial | byte 4096 | a chunk is unreadable: its head is not that of a chunk
              unreadable | item | this holds neither the header nor a readable chunk of an event log
        "#]],
    );
}

/// Where the records of the first chunk begin.
fn record_starts(log: &[u8]) -> Vec<usize> {
    let chunk = &log[FILE_HEADER_BYTES..FILE_HEADER_BYTES + CHUNK_BYTES];
    memchr::memmem::find_iter(chunk, b"\x2a\x2a\0\0")
        .map(|start| FILE_HEADER_BYTES + start)
        .collect()
}

fn set_u64(log: &mut [u8], at: usize, number: u64) {
    log[at..at + 8].copy_from_slice(&number.to_le_bytes());
}

fn set_u32(log: &mut [u8], at: usize, number: u32) {
    log[at..at + 4].copy_from_slice(&number.to_le_bytes());
}

/// Sets the checksums of the first chunk.
fn seal_first_chunk(log: &mut [u8]) {
    let chunk = &mut log[FILE_HEADER_BYTES..FILE_HEADER_BYTES + CHUNK_BYTES];
    let free = u32::from_le_bytes(chunk[48..52].try_into().unwrap());
    let records = crc32fast::hash(&chunk[512..free as usize]);
    chunk[52..56].copy_from_slice(&records.to_le_bytes());
    made::seal(chunk);
}

/// The issues named here are those of <https://github.com/omerbenamram/evtx/issues>.
#[test]
fn header_that_counts_too_much_costs_nothing() {
    // Issue 197, pull request 273: the numbers of the last record and of the free space are too large.
    let mut bytes = long_log(3);
    set_u64(&mut bytes, FILE_HEADER_BYTES + 32, 203);
    set_u32(&mut bytes, FILE_HEADER_BYTES + 48, 65_536);
    seal_first_chunk(&mut bytes);
    check_but_records(
        &bytes,
        expect![[r#"
        kind: windows.evtx
        source: windows.eventlog:security
        records: 3
        rejected: 0
        facts: 2
          item | {"fact":"event_log","channel":"Security","computer":"MX.example.test","first_id":101,"last_id":103,"first":"2021-03-03T06:49:00Z","last":"2021-03-03T06:49:02Z","missing_ids":[],"next_id":104,"live":true}
          item | {"fact":"host_name","name":"MX.example.test","rule":"event log Computer","rank":50}
        gaps: 1
          partial | byte 4096 | 2021-03-03T06:49:02Z to - | the header of this chunk counts 100 more records than it holds"#]],
    );
}

#[test]
fn sizes_that_cannot_be_do_not_stop_the_reading() {
    // Pull requests 264 and 288: a size of nothing, and one larger than all chunks.
    for size in [0, 1, 27, 3_099_113_656, u32::MAX] {
        let mut bytes = long_log(5);
        let starts = record_starts(&bytes);
        set_u32(&mut bytes, starts[1] + 4, size);
        let said = read_with(&EventLog, PATH, &bytes, &[]);
        assert_eq!(said.records.len(), 4, "{size}");
        assert_eq!(said.rejected.len(), 1, "{size}");
        assert!(said.rejected[0].contains("record head damaged"), "{size}");
    }
}

#[test]
fn lists_of_names_that_link_back_end() {
    // Pull request 263 and issue 290: the next name is the same, or one before.
    let mut bytes = long_log(3);
    let table = FILE_HEADER_BYTES + 128;
    let heads: Vec<u32> = bytes[table..table + 256]
        .as_chunks::<4>()
        .0
        .iter()
        .map(|head| u32::from_le_bytes(*head))
        .filter(|head| *head != 0)
        .collect();
    set_u32(&mut bytes, FILE_HEADER_BYTES + heads[0] as usize, heads[0]);
    set_u32(&mut bytes, FILE_HEADER_BYTES + heads[1] as usize, heads[2]);
    set_u32(&mut bytes, FILE_HEADER_BYTES + heads[2] as usize, heads[1]);
    seal_first_chunk(&mut bytes);
    let said = read_with(&EventLog, PATH, &bytes, &[]);
    assert_eq!((said.records.len(), said.rejected.len()), (3, 0));
    // A link out of the chunk is damage, and costs no record either.
    set_u32(&mut bytes, FILE_HEADER_BYTES + heads[0] as usize, 65_530);
    seal_first_chunk(&mut bytes);
    check_but_records(
        &bytes,
        expect![[r#"
        kind: windows.evtx
        source: windows.eventlog:security
        records: 3
        rejected: 0
        facts: 2
          item | {"fact":"event_log","channel":"Security","computer":"MX.example.test","first_id":101,"last_id":103,"first":"2021-03-03T06:49:00Z","last":"2021-03-03T06:49:02Z","missing_ids":[],"next_id":104,"live":true}
          item | {"fact":"host_name","name":"MX.example.test","rule":"event log Computer","rank":50}
        gaps: 1
          partial | byte 4096 | the string table of this chunk is damaged; names are read where they stand"#]],
    );
}

#[test]
fn numbers_of_values_that_cannot_be_are_refused() {
    // Issues 291 to 293: memory was taken for as many values as a damaged number says.
    let whole = long_log(5);
    let starts = record_starts(&whole);
    // Behind the head, the fragment, the instance and the reference to a template that stands in the first record.
    let count = starts[1] + 24 + 4 + 10;
    for number in [14_136_377_u32, 0x7fff_ffff, u32::MAX] {
        let mut bytes = whole.clone();
        set_u32(&mut bytes, count, number);
        let said = read_with(&EventLog, PATH, &bytes, &[]);
        assert_eq!(said.records.len(), 4, "{number}");
        assert_eq!(said.rejected, ["record 102 | content damaged"], "{number}");
    }
}

#[test]
fn stale_records_are_recovered_where_asked_for() {
    let mut bytes = long_log(5);
    let starts = record_starts(&bytes);
    // Windows went back: the last two records are behind the end now. The first of them is damaged in its head.
    set_u64(&mut bytes, FILE_HEADER_BYTES + 32, 103);
    set_u32(
        &mut bytes,
        FILE_HEADER_BYTES + 44,
        u32::try_from(starts[2] - FILE_HEADER_BYTES).unwrap(),
    );
    set_u32(
        &mut bytes,
        FILE_HEADER_BYTES + 48,
        u32::try_from(starts[3] - FILE_HEADER_BYTES).unwrap(),
    );
    seal_first_chunk(&mut bytes);
    // A chunk whose header was wiped.
    let mut wiped = bytes[FILE_HEADER_BYTES..].to_vec();
    wiped[..512].fill(0);
    bytes.extend(wiped);
    let read = |recover| {
        let mut said = crate::testing::Said::showing(&["CommandLine", "recovered"]);
        let mut content = evidence::Bytes(bytes.clone());
        let item = Item { path: PATH };
        read_event_log(&item, &mut content, &mut said, EventLogOptions { recover });
        said
    };
    assert_eq!(read(false).records.len(), 3);
    let said = read(true);
    let text = [said.records, said.facts, said.gaps].concat().join("\n");
    expect![[r#"
        2021-03-03T06:49:00Z | record 101 | CommandLine=cmd.exe /c whoami
        2021-03-03T06:49:01Z | record 102 | CommandLine=cmd.exe /c whoami
        2021-03-03T06:49:02Z | record 103 | CommandLine=cmd.exe /c whoami
        2021-03-03T06:49:03Z | byte 6568 | CommandLine=cmd.exe /c whoami | recovered=true
        2021-03-03T06:49:04Z | byte 6776 | CommandLine=cmd.exe /c whoami | recovered=true
        2021-03-03T06:49:00Z | byte 70144 | CommandLine=cmd.exe /c whoami | recovered=true
        2021-03-03T06:49:01Z | byte 71688 | CommandLine=cmd.exe /c whoami | recovered=true
        2021-03-03T06:49:02Z | byte 71896 | CommandLine=cmd.exe /c whoami | recovered=true
        2021-03-03T06:49:03Z | byte 72104 | CommandLine=cmd.exe /c whoami | recovered=true
        2021-03-03T06:49:04Z | byte 72312 | CommandLine=cmd.exe /c whoami | recovered=true
        item | {"fact":"event_log","channel":"Security","computer":"MX.example.test","first_id":101,"last_id":103,"first":"2021-03-03T06:49:00Z","last":"2021-03-03T06:49:02Z","missing_ids":[],"next_id":106,"live":true}
        item | {"fact":"host_name","name":"MX.example.test","rule":"event log Computer","rank":50}
        partial | byte 69632 | 2021-03-03T06:49:02Z to - | a chunk is unreadable: its head is not that of a chunk"#]].assert_eq(&text);
}

#[test]
fn chunks_without_their_log_give_every_record() {
    let bytes = long_log(2_000);
    let mut decoder = ChunkDecoder::default();
    let mut ids = Vec::new();
    for chunk in bytes[FILE_HEADER_BYTES..].chunks(CHUNK_BYTES) {
        let rejected = decoder.records(chunk, &mut |record| ids.push(record.at()));
        assert_eq!(rejected, 0);
    }
    let expected: Vec<At> = (101..=2_100).map(At::Record).collect();
    assert_eq!(ids, expected);
}

/// Records that the crate's own iteration gives for a file: readable and not.
fn plain_counts(bytes: Vec<u8>) -> Option<(usize, usize)> {
    let mut parser = evtx::EvtxParser::from_buffer(bytes).ok()?;
    let mut counts = (0, 0);
    for record in parser.records_json() {
        match record {
            Ok(_) => counts.0 += 1,
            Err(_) => counts.1 += 1,
        }
    }
    Some(counts)
}

#[expect(clippy::disallowed_methods, reason = "reference data of the test")]
#[test]
fn counts_of_real_logs_agree_with_plain_iteration() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence/evtx");
    let mut files: Vec<PathBuf> = ["attack", "parser"]
        .iter()
        .filter_map(|folder| std::fs::read_dir(root.join(folder)).ok())
        .flat_map(|entries| entries.map(|entry| entry.unwrap().path()))
        .collect();
    files.sort();
    if files.is_empty() {
        println!("skipped: the reference event logs are not beside this repository");
        return;
    }
    let mut differences = Vec::new();
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(file).unwrap();
        let said = read_with(&EventLog, &format!("C:\\{name}"), &bytes, &[]);
        let (plain_read, plain_errors) = plain_counts(bytes).unwrap();
        assert_eq!(said.records.len(), plain_read, "{name}");
        if said.rejected.len() != plain_errors {
            let unreadable = said
                .gaps
                .iter()
                .filter(|gap| gap.contains("unreadable"))
                .count();
            differences.push(format!(
                "{name}: {plain_errors} errors there; {} rejected and {unreadable} unreadable chunks here",
                said.rejected.len(),
            ));
        }
    }
    assert_eq!(files.len(), 159);
    // An unreadable chunk is an error there and a gap here: nobody knows how many records it held.
    expect![[r#"
        sample_with_a_bad_chunk_magic.evtx: 3 errors there; 1 rejected and 2 unreadable chunks here
        sysmon.evtx: 8 errors there; 0 rejected and 8 unreadable chunks here"#]]
    .assert_eq(&differences.join("\n"));
}
