//! Bombs, cut-off and damaged archives, and hostile names: never a panic, always bounded, always told.

use crate::support::{Look, Recorder, gz, read_bytes, sevenz, tar, with_password, xz, zip, zst};
use evidence::{Content, Decision, Digest, Entry, Options, Visitor, walk_bytes};
use expect_test::{Expect, expect};
use model::GapKind;
use proptest::prelude::*;
use std::io::Write as _;

fn gaps(name: &str, bytes: &[u8], options: &Options, expected: Expect) {
    let mut recorder = Recorder::looking(Look::Head);
    walk_bytes(name, bytes.to_vec(), options, &mut recorder);
    expected.assert_eq(&format!("{}\n", recorder.gaps.join("\n")));
}

fn members() -> Vec<(&'static str, Vec<u8>)> {
    let mut noise = Vec::new();
    let mut state = 7u32;
    for _ in 0..900u32 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.push(b'a' + (state >> 27) as u8);
    }
    vec![
        ("C/first.log", noise.clone()),
        ("C/second.log", b"second".to_vec()),
        ("C/third.log", noise),
    ]
}

fn borrowed<'m>(members: &'m [(&'static str, Vec<u8>)]) -> Vec<(&'static str, &'m [u8])> {
    members
        .iter()
        .map(|(name, bytes)| (*name, bytes.as_slice()))
        .collect()
}

#[test]
fn cut_off_archives_give_what_is_there_and_a_gap() {
    let members = members();
    let members = borrowed(&members);
    let plain_tar = tar(&members);
    let archives = [
        ("x.zip", zip(&members)),
        ("x.tar", plain_tar.clone()),
        ("x.tar.gz", gz(&plain_tar)),
        ("x.tar.zst", zst(&plain_tar)),
        ("x.tar.xz", xz(&plain_tar)),
        ("x.7z", sevenz(&members, None, true)),
        ("x.7z", sevenz(&members, None, false)),
        ("x.log.gz", gz(members[0].1)),
        ("x.log.xz", xz(members[0].1)),
    ];
    for (name, archive) in &archives {
        let whole = read_bytes(name, archive, &Options::default());
        assert!(whole.gaps.is_empty(), "{name} {:?}", whole.gaps);
        for end in (10..archive.len()).step_by(97) {
            let cut = read_bytes(name, &archive[..end], &Options::default());
            let same_content = cut.seen.len() == whole.seen.len()
                && cut
                    .seen
                    .iter()
                    .zip(&whole.seen)
                    .all(|(a, b)| a.bytes == b.bytes);
            assert!(same_content || !cut.gaps.is_empty(), "{name} cut at {end}");
            for seen in &cut.seen {
                let complete = seen.digest.as_ref().unwrap().complete;
                let original = members.iter().find(|(_, bytes)| *bytes == seen.bytes);
                assert!(
                    !complete || original.is_some() || cut.seen.len() == 1,
                    "{name} cut at {end}"
                );
            }
        }
    }
}

#[test]
fn what_a_cut_off_archive_still_holds_is_read() {
    let members = members();
    let members = borrowed(&members);
    let archive = zip(&members);
    let cut = read_bytes(
        "x.zip",
        &archive[..archive.len() - 300],
        &Options::default(),
    );
    expect![[r#"
        C:\first.log = h~t~b|lbc��rortyynp|lpcx{lf�dooddtyct~islkqwjf|um�pfi~spfnfa
        C:\second.log = second
        C:\third.log ~ h~t~b|lbc��rortyynp|lpcx{lf�dooddtyct~islkqwjf|um�pfi~spfnfa
        gap partial : the zip archive has no central directory (cut off or damaged); members were read as far as their own headers go
        gap partial C:\third.log: cannot be read beyond byte 732: incomplete deflate stream
        gap partial C:\third.log: the archive ends before this member does, or does not say where it ends
    "#]].assert_eq(&cut.text());
    let archive = tar(&members);
    let cut = read_bytes("x.tar", &archive[..2_600], &Options::default());
    expect![[r#"
        C:\first.log = h~t~b|lbc��rortyynp|lpcx{lf�dooddtyct~islkqwjf|um�pfi~spfnfa
        C:\second.log = second
        gap partial : the tar archive breaks off at byte 2560: the archive ends inside a member
    "#]]
    .assert_eq(&cut.text());
    let archive = gz(members[0].1);
    let cut = read_bytes("u_ex.log.gz", &archive[..300], &Options::default());
    expect![[r#"
        u_ex.log.gz ~ h~t~b|lbc��rortyynp|lpcx{lf�dooddtyct~islkqwjf|um�pfi~spfnfa
        gap partial u_ex.log.gz: cannot be read beyond byte 436: incomplete deflate stream
    "#]]
    .assert_eq(&cut.text());
}

#[test]
fn zips_written_as_a_stream_and_cut_off_are_read_by_their_descriptors() {
    let mut writer = zip::ZipWriter::new_stream(Vec::new());
    let options = zip::write::SimpleFileOptions::default();
    for (name, bytes) in members() {
        writer.start_file(name, options).unwrap();
        writer.write_all(&bytes).unwrap();
    }
    let archive = writer.finish().unwrap().into_inner();
    let whole = read_bytes("x.zip", &archive, &Options::default());
    assert!(whole.gaps.is_empty());
    let directory = memchr::memmem::find(&archive, b"PK\x01\x02").unwrap();
    let cut = read_bytes("x.zip", &archive[..directory], &Options::default());
    expect![[r#"
        C:\first.log = h~t~b|lbc��rortyynp|lpcx{lf�dooddtyct~islkqwjf|um�pfi~spfnfa
        C:\second.log = second
        C:\third.log = h~t~b|lbc��rortyynp|lpcx{lf�dooddtyct~islkqwjf|um�pfi~spfnfa
        gap partial : the zip archive has no central directory (cut off or damaged); members were read as far as their own headers go
    "#]].assert_eq(&cut.text());
}

#[test]
fn a_damaged_member_is_partial_and_the_others_are_read() {
    let members = members();
    let members = borrowed(&members);
    let mut archive = zip(&members);
    archive[200] ^= 0xff;
    expect![[r#"
        C:\first.log ~ h~t~b|lbc��rortyynp|lpcx{lf�dooddtyct~islkqwjf|um�pfi~spfnfa
        C:\second.log = second
        C:\third.log = h~t~b|lbc��rortyynp|lpcx{lf�dooddtyct~islkqwjf|um�pfi~spfnfa
        gap partial C:\first.log: cannot be read beyond byte 900: Invalid checksum
    "#]]
    .assert_eq(&read_bytes("x.zip", &archive, &Options::default()).text());
    let mut archive = tar(&members);
    archive[1536 + 20] ^= 0xff;
    expect![[r#"
        C:\first.log = h~t~b|lbc��rortyynp|lpcx{lf�dooddtyct~islkqwjf|um�pfi~spfnfa
        C:\third.log = h~t~b|lbc��rortyynp|lpcx{lf�dooddtyct~islkqwjf|um�pfi~spfnfa
        gap partial : the tar archive is damaged at byte 1536; reading went on at the next header
    "#]]
    .assert_eq(&read_bytes("x.tar", &archive, &Options::default()).text());
}

#[test]
fn hostile_names_are_shown_harmlessly_and_the_content_is_read() {
    let archive = tar(&[
        ("../../etc/cron.d/x", b"1"),
        ("/C/inetpub/../../x.aspx", b"2"),
        ("C/a\x1b[2J.log", b"3"),
        ("C/nul.aspx", b"4"),
    ]);
    expect![[r#"
        etc\cron.d\x = 1
        C:\inetpub\x.aspx = 2
        C:\a�[2J.log = 3
        C:\nul_.aspx = 4
        gap not_understood etc\cron.d\x: its stored name `../../etc/cron.d/x` climbs out of its container with `..`, which was left out
        gap not_understood C:\inetpub\x.aspx: its stored name `/C/inetpub/../../x.aspx` climbs out of its container with `..`, which was left out
        gap not_understood C:\a�[2J.log: its stored name `C/a\u{1b}[2J.log` holds control characters, which are shown as U+FFFD
        gap not_understood C:\nul_.aspx: its stored name `C/nul.aspx` is the name of a device; an underscore was added
    "#]].assert_eq(&read_bytes("x.tar", &archive, &Options::default()).text());
}

#[test]
fn bombs_stop_at_their_bounds() {
    let zeros = vec![0; 80 << 20];
    let mut small = Options::default();
    small.limits.ratio_free_bytes = 1 << 20;
    small.limits.ratio_max = 100;

    let bomb = zip(&[("C/a.log", b"a"), ("C/bomb.log", &zeros), ("C/z.log", b"z")]);
    gaps(
        "x.zip",
        &bomb,
        &small,
        expect![[r#"
            limit C:\bomb.log: not read: with it the archive would expand to more than 100 times its size
        "#]],
    );
    gaps(
        "x.tar.gz",
        &gz(&tar(&[
            ("C/a.log", b"a"),
            ("C/bomb.log", &zeros),
            ("C/z.log", b"z"),
        ])),
        &small,
        expect![[r#"
            limit C:\bomb.log: not read: with it the archive would expand to more than 100 times its size
            limit : what follows a member that expands too far was not read
        "#]],
    );
    gaps(
        "x.log.gz",
        &gz(&zeros),
        &small,
        expect![[r#"
        limit x.log.gz: expands beyond the bound on the ratio; read up to byte 8155900
    "#]],
    );
    gaps(
        "x.log.zst",
        &zst(&zeros),
        &small,
        expect![[r#"
        limit x.log.zst: expands beyond the bound on the ratio; read up to byte 1048576
    "#]],
    );
    gaps(
        "x.7z",
        &sevenz(&[("C/bomb.log", &zeros), ("C/z.log", b"z")], None, true),
        &small,
        expect![[r#"
            limit C:\bomb.log: not read: with it the archive would expand to more than 100 times its size
            limit C:\z.log: packed together with a member that expands too far, so it was not read
        "#]],
    );
    // Archives in archives, each of which is harmless by itself.
    let mut nested = bomb;
    for _ in 0..5 {
        nested = zip(&[("C/again.zip", &nested)]);
    }
    gaps(
        "x.zip",
        &nested,
        &Options::default(),
        expect![[r#"
            limit C:\again.zip!C:\again.zip!C:\again.zip!C:\again.zip!C:\again.zip: archives inside archives are opened 4 deep; the members of this one were not read
        "#]],
    );
    // The defaults stop an ordinary bomb as well.
    let bomb = gz(&zeros);
    let bombs: Vec<u8> = bomb.repeat(3);
    gaps(
        "x.log.gz",
        &bombs,
        &Options::default(),
        expect![[r#"
        limit x.log.gz: expands beyond the bound on the ratio; read up to byte 244677000
    "#]],
    );
}

#[test]
fn overlapping_members_stop_at_the_ratio_of_the_whole_archive() {
    let zeros = vec![0; 20 << 20];
    let archive = zip(&[("C/0.log", &zeros)]);
    let directory = memchr::memmem::find(&archive, b"PK\x01\x02").unwrap();
    let end = memchr::memmem::find(&archive, b"PK\x05\x06").unwrap();
    let entry = &archive[directory..end];
    let mut bomb = archive[..directory].to_vec();
    for _ in 0..200 {
        bomb.extend_from_slice(entry);
    }
    let mut end = archive[end..].to_vec();
    end[8..12].copy_from_slice(&[200, 0, 200, 0]);
    end[12..16].copy_from_slice(&u32::try_from(entry.len() * 200).unwrap().to_le_bytes());
    bomb.extend_from_slice(&end);
    let mut recorder = Recorder::looking(Look::Not);
    walk_bytes("x.zip", bomb, &Options::default(), &mut recorder);
    let expanded: u64 = recorder
        .seen
        .iter()
        .map(|seen| seen.digest.as_ref().unwrap().size)
        .sum();
    assert!(expanded <= 64 << 20, "{expanded}");
    assert_eq!(
        recorder.gaps.len(),
        101,
        "a hundred one by one, the rest in one"
    );
}

#[test]
fn members_beyond_the_bounds_are_gaps() {
    let mut options = Options::default();
    options.limits.entries_max = 2;
    options.limits.member_bytes_max = 100;
    let members = members();
    let members = borrowed(&members);
    gaps(
        "x.zip",
        &zip(&members),
        &options,
        expect![[r#"
        limit C:\first.log: expands beyond the bound on one member; read up to byte 100
        limit : holds more than 2 entries; the rest was not read
    "#]],
    );
    gaps(
        "x.tar",
        &tar(&members),
        &options,
        expect![[r#"
        limit C:\first.log: expands beyond the bound on one member; read up to byte 100
        limit : holds more than 2 entries; the rest was not read
    "#]],
    );
    gaps(
        "x.7z",
        &sevenz(&members, None, true),
        &options,
        expect![[r#"
            limit C:\first.log: expands beyond the bound on one member; read up to byte 100
            limit C:\second.log: packed together with a member that expands too far, so it was not read
            limit : holds more than 2 entries; the rest was not read
        "#]],
    );
    options.limits.item_bytes_max = 100;
    gaps(
        "x.log",
        members[0].1,
        &options,
        expect![[r#"
        limit x.log: larger than 100 bytes; the rest was not read
    "#]],
    );
    let inner = zip(&members);
    gaps(
        "x.zip",
        &zip(&[("inner.zip", &inner)]),
        &{
            let mut options = Options::default();
            options.limits.expanded_bytes_max = 1_000;
            options
        },
        expect![[r#"
            limit inner.zip: not read: with it the archive would expand to more than 1000 bytes
        "#]],
    );
}

#[test]
fn a_member_that_lies_about_its_size_does_not_hide_the_others() {
    let mut archive = zip(&[("C/liar.log", b"lie lie lie"), ("C/honest.log", b"honest")]);
    let directory = memchr::memmem::find(&archive, b"PK\x01\x02").unwrap();
    archive[directory + 24..directory + 28].copy_from_slice(&0xffff_fff0u32.to_le_bytes());
    expect![[r#"
        C:\liar.log = lie lie lie
        C:\honest.log = honest
    "#]]
    .assert_eq(&read_bytes("x.zip", &archive, &Options::default()).text());
}

#[test]
fn hundreds_of_thousands_of_entries_are_walked_one_by_one() {
    let mut archive = Vec::new();
    let mut directory = Vec::new();
    for number in 0..200_000u32 {
        let name = format!("C/{number:06}");
        let offset = u32::try_from(archive.len()).unwrap();
        archive.extend_from_slice(b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0");
        archive.extend_from_slice(&[0; 12]);
        archive.extend_from_slice(&[8, 0, 0, 0]);
        archive.extend_from_slice(name.as_bytes());
        directory.extend_from_slice(b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0");
        directory.extend_from_slice(&[0; 12]);
        directory.extend_from_slice(&[8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
    }
    let at = u32::try_from(archive.len()).unwrap();
    let size = u32::try_from(directory.len()).unwrap();
    archive.extend_from_slice(&directory);
    archive.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    // Without ZIP64 the count wraps around at 65,536.
    archive.extend_from_slice(&3_392u16.to_le_bytes().repeat(2));
    archive.extend_from_slice(&size.to_le_bytes());
    archive.extend_from_slice(&at.to_le_bytes());
    archive.extend_from_slice(&[0; 2]);
    let mut recorder = Recorder {
        skip: Box::new(|entry| !entry.path.ends_with("199999")),
        ..Recorder::default()
    };
    walk_bytes("x.zip", archive, &Options::default(), &mut recorder);
    assert_eq!(recorder.begun.len(), 200_000);
    assert_eq!(recorder.paths(), ["C:\\199999"]);
    expect![""].assert_eq(&recorder.gaps.join("\n"));
}

#[test]
fn a_crash_inside_one_archive_leaves_the_archives_around_it() {
    /// Stands in for a decoder that crashes.
    struct Crasher(Recorder);

    impl Visitor for Crasher {
        fn begin(&mut self, entry: &Entry) -> Decision {
            assert!(!entry.path.ends_with("crash.log"), "as it should");
            self.0.begin(entry)
        }
        fn content(&mut self, entry: &Entry, content: &mut dyn Content) {
            self.0.content(entry, content);
        }
        fn end(&mut self, entry: &Entry, digest: &Digest) {
            self.0.end(entry, digest);
        }
        fn gap(&mut self, path: &str, kind: GapKind, detail: &str) {
            self.0.gap(path, kind, detail);
        }
    }

    let inner = zip(&[("crash.log", b"x"), ("y.log", b"y")]);
    let outer = tar(&[("C/inner.zip", &inner), ("C/z.log", b"z")]);
    let mut crasher = Crasher(Recorder::default());
    walk_bytes("x.tar", outer, &Options::default(), &mut crasher);
    assert_eq!(crasher.0.paths(), ["C:\\inner.zip", "C:\\z.log"]);
    expect![[r#"crashed C:\inner.zip: its decoder crashed; what lies behind was not read"#]]
        .assert_eq(&crasher.0.gaps.join("\n"));
}

/// Whatever the bytes are, a walk ends, offers no more than its bounds, and its hashes fit.
fn survives(name: &str, bytes: &[u8]) {
    let mut options = with_password("pass");
    options.limits.entries_max = 200;
    options.limits.member_bytes_max = 1 << 20;
    options.limits.expanded_bytes_max = 4 << 20;
    options.limits.spool_memory_bytes = 1 << 16;
    options.limits.decoder_memory_bytes = 4 << 20;
    let recorder = read_bytes(name, bytes, &options);
    for seen in &recorder.seen {
        assert!(seen.digest.as_ref().unwrap().size <= (1 << 20).max(bytes.len() as u64));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_behind_each_magic_never_panic(
        magic in prop::sample::select(vec![
            &b"PK\x03\x04"[..], b"PK\x05\x06", b"7z\xbc\xaf\x27\x1c\0\x04", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0",
        ]),
        rest in prop::collection::vec(any::<u8>(), 0..2_000),
    ) {
        let mut bytes = magic.to_vec();
        bytes.extend_from_slice(&rest);
        survives("x.bin", &bytes);
    }

    #[test]
    fn archives_with_flipped_bytes_never_panic(
        kind in 0usize..6,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let members = members();
        let members = borrowed(&members);
        let plain_tar = tar(&members);
        let mut bytes = match kind {
            0 => zip(&members),
            1 => plain_tar,
            2 => gz(&plain_tar),
            3 => xz(&plain_tar),
            4 => zst(&plain_tar),
            _ => sevenz(&members, None, true),
        };
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        survives("x.bin", &bytes);
    }

    #[test]
    fn random_names_are_shown_harmlessly(name in "[\\PC\\x00-\\x20./\\\\:%]{1,60}") {
        let recorder = read_bytes("x.tar", &tar(&[(shortened(&name), b"content")]), &Options::default());
        for seen in &recorder.seen {
            prop_assert!(!seen.entry.path.chars().any(char::is_control));
            prop_assert!(!seen.entry.path.split('\\').any(|component| component == ".."));
            prop_assert!(!seen.entry.stored.chars().any(char::is_control));
        }
    }
}

fn shortened(name: &str) -> &str {
    let mut end = name.len().min(90);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}
