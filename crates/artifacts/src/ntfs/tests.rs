//! Tables and journals made here, and then damaged.
#![expect(
    clippy::needless_raw_string_hashes,
    reason = "written so by expect-test"
)]

use crate::testing::{check, read_as_text};
use expect_test::expect;

const TABLE: &str = "D:\\$MFT";
const JOURNAL: &str = "D:\\$Extend\\$UsnJrnl:$J";
const FIELDS: [&str; 9] = [
    "TargetFilename",
    "kind",
    "deleted",
    "size",
    "record",
    "CreationUtcTime",
    "fn_created",
    "created_before_named",
    "Contents",
];

fn filetime(second: u64) -> [u8; 8] {
    ((1_614_754_140 + second + 11_644_473_600) * 10_000_000 + 5).to_le_bytes()
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn reference(number: u64, sequence: u64) -> [u8; 8] {
    (number | sequence << 48).to_le_bytes()
}

/// An attribute whose content stands in the record.
fn attribute(kind: u32, name: &str, content: &[u8]) -> Vec<u8> {
    let name = wide(name);
    let start = 24 + name.len().next_multiple_of(8);
    let length = (start + content.len()).next_multiple_of(8);
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend(u32::try_from(length).unwrap().to_le_bytes());
    bytes.extend([0, u8::try_from(name.len() / 2).unwrap(), 24, 0, 0, 0, 0, 0]);
    bytes.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
    bytes.extend(u16::try_from(start).unwrap().to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend(name);
    bytes.resize(start, 0);
    bytes.extend(content);
    bytes.resize(length, 0);
    bytes
}

fn times(created: u64) -> Vec<u8> {
    [created, created + 1, created + 2, created + 3]
        .iter()
        .flat_map(|second| filetime(*second))
        .collect()
}

fn name(parent: [u8; 8], created: u64, name: &str) -> Vec<u8> {
    let mut content = parent.to_vec();
    content.extend(times(created));
    content.resize(64, 0);
    content.extend([u8::try_from(name.encode_utf16().count()).unwrap(), 1]);
    content.extend(wide(name));
    attribute(0x30, "", &content)
}

/// A record of the table, written as to a disk.
fn record(sequence: u16, flags: u16, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"FILE".to_vec();
    bytes.extend([48, 0, 3, 0]);
    bytes.resize(16, 0);
    bytes.extend(sequence.to_le_bytes());
    bytes.extend([1, 0, 56, 0]);
    bytes.extend(flags.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(1_024_u32.to_le_bytes());
    bytes.resize(56, 0);
    for attribute in attributes {
        bytes.extend(attribute);
    }
    bytes.extend([0xff; 4]);
    let used = u32::try_from(bytes.len() + 4).unwrap();
    bytes[24..28].copy_from_slice(&used.to_le_bytes());
    bytes.resize(1_024, 0);
    for sector in [1, 2] {
        let at = sector * 512 - 2;
        let own = [bytes[at], bytes[at + 1]];
        bytes[48 + sector * 2..50 + sector * 2].copy_from_slice(&own);
        bytes[at..at + 2].copy_from_slice(&7_u16.to_le_bytes());
    }
    bytes[48..50].copy_from_slice(&7_u16.to_le_bytes());
    bytes
}

fn table() -> Vec<u8> {
    let root = reference(5, 5);
    let standard = |created| attribute(0x10, "", &times(created));
    let mut records = vec![vec![0; 1_024]; 9];
    records[0] = record(
        1,
        1,
        &[standard(0), name(root, 0, "$MFT"), attribute(0x80, "", b"")],
    );
    records[5] = record(5, 3, &[standard(0), name(root, 0, ".")]);
    records[6] = record(2, 3, &[standard(0), name(root, 0, "web")]);
    // A folder that was deleted, with a deleted file in it that still says what it held.
    records[7] = record(4, 2, &[standard(0), name(reference(6, 2), 0, "old")]);
    records[8] = record(
        9,
        0,
        &[
            standard(10),
            name(reference(7, 3), 20, "x.aspx"),
            attribute(0x80, "", b"<%@ Page Language=\"C#\" %>"),
            attribute(
                0x80,
                "Zone.Identifier",
                b"[ZoneTransfer]\r\nHostUrl=http://192.0.2.1/x",
            ),
        ],
    );
    // Its folder was used again for something else.
    records.push(record(
        1,
        1,
        &[standard(5), name(reference(7, 1), 5, "lost.txt")],
    ));
    records.push(record(
        1,
        1,
        &[
            standard(5),
            name(reference(6, 2), 5, "b.bin"),
            attribute(0x80, "", &[0, 1, 2]),
        ],
    ));
    records.concat()
}

#[test]
fn files_have_paths_and_both_their_times_and_deleted_ones_are_told() {
    check(
        TABLE,
        &table(),
        &FIELDS,
        expect![[r#"
        kind: ntfs.mft
        source: files:mft
        records: 8
          - | record 0 | TargetFilename=D:\\$MFT | kind=file | size=0 | record=0-1 | CreationUtcTime=2021-03-03T06:49:00.0000005Z | fn_created=2021-03-03T06:49:00.0000005Z
          - | record 5 | TargetFilename=D:\\. | kind=folder | record=5-5 | CreationUtcTime=2021-03-03T06:49:00.0000005Z | fn_created=2021-03-03T06:49:00.0000005Z
          - | record 6 | TargetFilename=D:\\web | kind=folder | record=6-2 | CreationUtcTime=2021-03-03T06:49:00.0000005Z | fn_created=2021-03-03T06:49:00.0000005Z
          - | record 7 | TargetFilename=D:\\web\\old | kind=folder | deleted=yes | record=7-4 | CreationUtcTime=2021-03-03T06:49:00.0000005Z | fn_created=2021-03-03T06:49:00.0000005Z
          - | record 8 | TargetFilename=D:\\web\\old\\x.aspx | kind=file | deleted=yes | size=25 | record=8-9 | CreationUtcTime=2021-03-03T06:49:10.0000005Z | fn_created=2021-03-03T06:49:20.0000005Z | created_before_named=yes | Contents=<%@ Page Language="C#" %>
          - | record 8 | TargetFilename=D:\\web\\old\\x.aspx:Zone.Identifier | kind=stream | deleted=yes | size=42 | Contents=[ZoneTransfer]\r\nHostUrl=http://192.0.2.1/x
          - | record 9 | TargetFilename=D:\\…\\lost.txt | kind=file | record=9-1 | CreationUtcTime=2021-03-03T06:49:05.0000005Z | fn_created=2021-03-03T06:49:05.0000005Z
          - | record 10 | TargetFilename=D:\\web\\b.bin | kind=file | size=3 | record=10-1 | CreationUtcTime=2021-03-03T06:49:05.0000005Z | fn_created=2021-03-03T06:49:05.0000005Z
        rejected: 0
        facts: 1
          record 8 | {"fact":"file_times","path":"D:\\web\\old\\x.aspx","created":"2021-03-03T06:49:10.0000005Z","modified":"2021-03-03T06:49:11.0000005Z","named":"2021-03-03T06:49:20.0000005Z","deleted":true}
        gaps: 0
    "#]],
    );
    let text = read_as_text("C:\\case\\any.bin", &table(), &[]);
    assert!(text.starts_with("kind: ntfs.mft\n"), "{text}");
}

#[test]
fn damaged_records_of_the_table_are_told_one_by_one() {
    let mut bytes = table();
    // A torn record, one marked bad, one that is none, one whose attributes run over, and a table that breaks off.
    bytes[6 * 1_024 + 510] ^= 1;
    bytes[7 * 1_024..7 * 1_024 + 4].copy_from_slice(b"BAAD");
    bytes[4 * 1_024] = b'x';
    bytes[9 * 1_024 + 60] = 0xff;
    bytes.truncate(bytes.len() - 100);
    check(
        TABLE,
        &bytes,
        &["TargetFilename"],
        expect![[r#"
        kind: ntfs.mft
        source: files:mft
        records: 4
          - | record 0 | TargetFilename=D:\\$MFT
          - | record 5 | TargetFilename=D:\\.
          - | record 8 | TargetFilename=D:\\…\\x.aspx
          - | record 8 | TargetFilename=D:\\…\\x.aspx:Zone.Identifier
        rejected: 3
          record 4 | a record does not begin as one
          record 6 | a record was not written whole
          record 7 | a record that a check of the disk found damaged
        facts: 1
          record 8 | {"fact":"file_times","path":"D:\\…\\x.aspx","created":"2021-03-03T06:49:10.0000005Z","modified":"2021-03-03T06:49:11.0000005Z","named":"2021-03-03T06:49:20.0000005Z","deleted":true}
        gaps: 2
          partial | record 9 | the attributes of a record end too early
          partial | byte 11164 | the table breaks off
    "#]],
    );
    check(
        TABLE,
        b"nothing",
        &["TargetFilename"],
        expect![[r#"
        kind: ntfs.mft (by path)
        source: files:mft
        records: 0
        rejected: 0
        facts: 0
        gaps: 2
          not_understood | item | it does not begin as a table of files
          partial | byte 7 | the table breaks off
    "#]],
    );
}

#[test]
fn folders_that_lie_in_one_another_end() {
    let standard = attribute(0x10, "", &times(0));
    let mut records = vec![vec![0; 1_024]; 6];
    records[0] = record(1, 1, &[standard.clone(), name(reference(5, 5), 0, "$MFT")]);
    records.push(record(
        1,
        3,
        &[standard.clone(), name(reference(7, 1), 0, "a")],
    ));
    records.push(record(1, 3, &[standard, name(reference(6, 1), 0, "b")]));
    let text = read_as_text(TABLE, &records.concat(), &["TargetFilename"]);
    assert!(text.contains("D:\\\\…\\\\"), "{text}");
}

/// A record of the journal.
fn change(
    file: u64,
    parent: u64,
    second: u64,
    reason: u32,
    attributes: u32,
    name: &str,
) -> Vec<u8> {
    let name = wide(name);
    let length = (60 + name.len()).next_multiple_of(8);
    let mut bytes = u32::try_from(length).unwrap().to_le_bytes().to_vec();
    bytes.extend([2, 0, 0, 0]);
    bytes.extend(reference(file, 1));
    bytes.extend(reference(parent, if parent == 5 { 5 } else { 1 }));
    bytes.extend(4_096_u64.to_le_bytes());
    bytes.extend(filetime(second));
    bytes.extend(reason.to_le_bytes());
    bytes.extend([0; 8]);
    bytes.extend(attributes.to_le_bytes());
    bytes.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
    bytes.extend([60, 0]);
    bytes.extend(name);
    bytes.resize(length, 0);
    bytes
}

fn journal() -> Vec<u8> {
    let mut bytes = vec![0; 8_192];
    bytes.extend(change(40, 5, 0, 0x100, 0x10, "web"));
    bytes.extend(change(41, 40, 1, 0x100, 0x20, "x.aspx"));
    bytes.extend(change(41, 40, 2, 0x8000_0003, 0x20, "x.aspx"));
    bytes.extend(change(41, 40, 3, 0x1000, 0x20, "x.aspx"));
    bytes.extend(change(41, 77, 3, 0x2000, 0x20, "y.aspx"));
    bytes.resize(3 * 4_096, 0);
    bytes.extend(change(41, 77, 4, 0x8000_0200, 0x20, "y.aspx"));
    bytes
}

#[test]
fn changes_of_files_are_records_by_what_happened() {
    check(
        JOURNAL,
        &journal(),
        &["TargetFilename", "kind", "reason", "record"],
        expect![[r#"
        kind: ntfs.usn (by path)
        source: files:usn
        records: 6
          2021-03-03T06:49:00.0000005Z | byte 8192 | TargetFilename=D:\\web | kind=folder | reason=created | record=40-1
          2021-03-03T06:49:01.0000005Z | byte 8264 | TargetFilename=D:\\web\\x.aspx | kind=file | reason=created | record=41-1
          2021-03-03T06:49:02.0000005Z | byte 8336 | TargetFilename=D:\\web\\x.aspx | kind=file | reason=data overwritten, data appended, closed | record=41-1
          2021-03-03T06:49:03.0000005Z | byte 8408 | TargetFilename=D:\\web\\x.aspx | kind=file | reason=renamed from | record=41-1
          2021-03-03T06:49:03.0000005Z | byte 8480 | TargetFilename=D:\\…\\y.aspx | kind=file | reason=renamed to | record=41-1
          2021-03-03T06:49:04.0000005Z | byte 12288 | TargetFilename=D:\\…\\y.aspx | kind=file | reason=deleted, closed | record=41-1
        rejected: 0
        facts: 0
        gaps: 1
          out_of_retention | item | - to 2021-03-03T06:49:00.0000005Z | the journal reaches back only to its oldest record
    "#]],
    );
}

#[test]
fn damaged_records_of_the_journal_do_not_hide_those_behind_them() {
    let mut bytes = journal();
    let second = 8_192 + 72;
    bytes[second..second + 4].copy_from_slice(&[0xff; 4]);
    bytes.truncate(bytes.len() - 5);
    check(
        JOURNAL,
        &bytes,
        &["name", "reason"],
        expect![[r#"
        kind: ntfs.usn (by path)
        source: files:usn
        records: 4
          2021-03-03T06:49:00.0000005Z | byte 8192 | name=web | reason=created
          2021-03-03T06:49:02.0000005Z | byte 8336 | name=x.aspx | reason=data overwritten, data appended, closed
          2021-03-03T06:49:03.0000005Z | byte 8408 | name=x.aspx | reason=renamed from
          2021-03-03T06:49:03.0000005Z | byte 8480 | name=y.aspx | reason=renamed to
        rejected: 2
          byte 8264 | a record of the journal is damaged
          byte 12288 | a record of the journal is damaged
        facts: 0
        gaps: 1
          out_of_retention | item | - to 2021-03-03T06:49:00.0000005Z | the journal reaches back only to its oldest record
    "#]],
    );
    check(
        JOURNAL,
        b"nothing at all",
        &["name"],
        expect![[r#"
        kind: ntfs.usn (by path)
        source: files:usn
        records: 0
        rejected: 1
          byte 0 | a record of the journal is damaged
        facts: 0
        gaps: 0
    "#]],
    );
}
