//! Every container, plain, compressed, encrypted and nested, gives the same entries.

use crate::support::{
    Look, Recorder, gz, read_bytes, read_folder, sevenz, sha256, tar, with_password, xz, zip,
    zip_with, zst,
};
use evidence::{Options, walk, walk_bytes};
use expect_test::{Expect, expect};
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

const MEMBERS: [(&str, &[u8]); 3] = [
    (
        "C/inetpub/logs/LogFiles/W3SVC1/u_ex210303.log",
        b"#Software: x",
    ),
    ("C/empty.log", b""),
    ("notes/readme.txt", b"hello"),
];

fn same_members(name: &str, bytes: &[u8], options: &Options) {
    let recorder = read_bytes(name, bytes, options);
    let mut paths = recorder.paths();
    // 7z keeps members without bytes apart.
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "C:\\empty.log",
            "C:\\inetpub\\logs\\LogFiles\\W3SVC1\\u_ex210303.log",
            "notes\\readme.txt"
        ],
        "{name}"
    );
    assert_eq!(recorder.gaps, Vec::<String>::new(), "{name}");
    for seen in &recorder.seen {
        let (_, expected) = MEMBERS
            .iter()
            .find(|(name, _)| name.rsplit('/').next() == seen.entry.path.rsplit('\\').next())
            .unwrap();
        assert_eq!(seen.bytes, *expected, "{name} {}", seen.entry.path);
        let digest = seen.digest.as_ref().unwrap();
        assert_eq!(digest.sha256, sha256(expected));
        assert!(digest.complete);
        assert_eq!(digest.size, expected.len() as u64);
    }
}

#[test]
fn every_container_gives_the_same_members() {
    let plain = Options::default();
    let plain_tar = tar(&MEMBERS);
    same_members("x.tar", &plain_tar, &plain);
    same_members("x.tar.gz", &gz(&plain_tar), &plain);
    same_members("x.tar.zst", &zst(&plain_tar), &plain);
    same_members("x.tar.xz", &xz(&plain_tar), &plain);
    same_members("x.7z", &sevenz(&MEMBERS, None, false), &plain);
    same_members("x.7z", &sevenz(&MEMBERS, None, true), &plain);
    same_members(
        "x.7z",
        &sevenz(&MEMBERS, Some("pass"), false),
        &with_password("pass"),
    );
    for method in [
        CompressionMethod::Stored,
        CompressionMethod::Deflated,
        CompressionMethod::Bzip2,
        CompressionMethod::Zstd,
    ] {
        let options = SimpleFileOptions::default().compression_method(method);
        same_members("x.zip", &zip_with(&MEMBERS, options), &plain);
        same_members(
            "x.zip",
            &zip_with(&MEMBERS, options.large_file(true)),
            &plain,
        );
        let encrypted = options.with_aes_encryption(zip::AesMode::Aes256, "pass");
        same_members(
            "x.zip",
            &zip_with(&MEMBERS, encrypted),
            &with_password("pass"),
        );
    }
}

#[test]
fn bytes_before_a_zip_archive_do_not_matter() {
    let mut bytes = zip(&MEMBERS);
    // A comment that holds an end record of its own, and a prefix that shifts all offsets.
    let comment = b"PK\x05\x06 not an end";
    let at = bytes.len() - 2;
    bytes[at..].copy_from_slice(&u16::try_from(comment.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(comment);
    same_members("x.zip", &bytes, &Options::default());
}

fn check(name: &str, bytes: &[u8], options: &Options, expected: Expect) {
    expected.assert_eq(&read_bytes(name, bytes, options).text());
}

#[test]
fn single_compressed_logs_keep_their_suffix_and_offer_plain_bytes() {
    let mut twice = gz(b"first line\n");
    twice.extend_from_slice(&gz(b"second line\n"));
    check(
        "u_ex.log.gz",
        &twice,
        &Options::default(),
        expect![[r#"
        u_ex.log.gz = first line.second line.
    "#]],
    );
    check(
        "u_ex.log.zst",
        &zst(b"a log\n"),
        &Options::default(),
        expect![[r#"
        u_ex.log.zst = a log.
    "#]],
    );
    check(
        "u_ex.log.xz",
        &xz(b"a log\n"),
        &Options::default(),
        expect![[r#"
        u_ex.log.xz = a log.
    "#]],
    );
    let recorder = read_bytes("u_ex.log.gz", &twice, &Options::default());
    let digest = recorder.seen[0].digest.as_ref().unwrap();
    assert_eq!(digest.sha256, sha256(b"first line\nsecond line\n"));
    assert_eq!(digest.stored_sha256.as_deref(), Some(&*sha256(&twice)));
}

#[test]
fn archives_inside_archives_are_items_and_containers() {
    let inner = zip(&[("D/x.log", b"inner log")]);
    let middle = gz(&tar(&[
        ("a/inner.zip", &inner),
        ("b.log.gz", &gz(b"packed")),
    ]));
    let outer = zip(&[("C/temp/middle.tar.gz", &middle), ("C/after.log", b"after")]);
    let recorder = read_bytes("EX01.zip", &outer, &Options::default());
    assert_eq!(
        recorder.paths(),
        [
            "C:\\temp\\middle.tar.gz",
            "C:\\temp\\middle.tar.gz!a\\inner.zip",
            "C:\\temp\\middle.tar.gz!a\\inner.zip!D:\\x.log",
            "C:\\temp\\middle.tar.gz!b.log.gz",
            "C:\\after.log",
        ]
    );
    let digest = recorder.seen[0].digest.as_ref().unwrap();
    assert_eq!(digest.sha256, sha256(&middle));
    let mut shallow = Options::default();
    shallow.limits.depth_max = 1;
    let recorder = read_bytes("EX01.zip", &outer, &shallow);
    assert_eq!(recorder.seen.len(), 4);
    expect![[r#"limit C:\temp\middle.tar.gz!a\inner.zip: archives inside archives are opened 1 deep; the members of this one were not read"#]].assert_eq(&recorder.gaps.join("\n"));
}

#[test]
fn documents_stay_closed() {
    let document = zip(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("word/document.xml", b"x"),
    ]);
    let archive = zip(&[
        ("C/x/report.bin", &document),
        ("C/x/lib.jar", &zip(&[("a.class", b"x")])),
    ]);
    let recorder = read_bytes("EX01.zip", &archive, &Options::default());
    assert_eq!(recorder.paths(), ["C:\\x\\report.bin", "C:\\x\\lib.jar"]);
}

#[test]
fn passwords_right_wrong_and_absent() {
    let options = SimpleFileOptions::default().with_aes_encryption(zip::AesMode::Aes256, "right");
    let archive = zip_with(&[("C/x.log", b"secret")], options);
    check(
        "x.zip",
        &archive,
        &with_password("right"),
        expect![[r#"
            C:\x.log = secret
        "#]],
    );
    check(
        "x.zip",
        &archive,
        &with_password("wrong"),
        expect![[r#"
            gap unreadable C:\x.log: encrypted, and the given password is wrong
        "#]],
    );
    check(
        "x.zip",
        &archive,
        &Options::default(),
        expect![[r#"
            gap unreadable C:\x.log: encrypted, and no password was given
        "#]],
    );
    let archive = sevenz(&[("C/x.log", b"secret")], Some("right"), false);
    check(
        "x.7z",
        &archive,
        &with_password("wrong"),
        expect![[r#"
            gap unreadable : encrypted; the given password is wrong, or the archive is damaged: range decoder first byte is not zero
        "#]],
    );
    check(
        "x.7z",
        &archive,
        &Options::default(),
        expect![[r#"
            gap unreadable : encrypted, and no password was given
        "#]],
    );
}

#[test]
fn long_names_and_odd_members_of_tars() {
    let long = format!("C/{}/x.log", "deep/".repeat(40));
    let mut builder = tar::Builder::new(Vec::new());
    builder
        .append_pax_extensions([("path", b"C/from pax.log".as_slice()), ("size", b"3")])
        .unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_path("ignored").unwrap();
    header.set_size(3);
    header.set_cksum();
    builder.append(&header, &b"pax"[..]).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_size(4);
    builder
        .append_data(&mut header, &long, &b"long"[..])
        .unwrap();
    for kind in [
        tar::EntryType::Symlink,
        tar::EntryType::Link,
        tar::EntryType::Fifo,
        tar::EntryType::GNUSparse,
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_link_name("C/x").unwrap();
        header.set_path(format!("C/{kind:?}")).unwrap();
        header.set_cksum();
        builder.append(&header, &b""[..]).unwrap();
    }
    let archive = builder.into_inner().unwrap();
    check(
        "x.tar",
        &archive,
        &Options::default(),
        expect![[r#"
            C:\from pax.log = pax
            C:\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\deep\x.log = long
            gap unreadable C:\Symlink: a symbolic link; links are not followed
            gap unreadable C:\Link: a hard link; its bytes stand where the archive first holds the file
            gap unreadable C:\Fifo: a device or pipe; only files are read
            gap unreadable C:\GNUSparse: a sparse file, which is not put together
        "#]],
    );
}

#[test]
fn folders_are_walked_in_the_order_of_names_and_links_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("EX01");
    for (path, bytes) in [
        ("C/inetpub/b.log", b"b".to_vec()),
        ("C/inetpub/A.log", b"A".to_vec()),
        ("D/logs.tar", tar(&[("W3SVC1/x.log", b"x")])),
        ("D/u.log.gz", gz(b"packed log")),
    ] {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink("/", root.join("C/z")).unwrap();
    let recorder = read_folder(&root);
    #[cfg(unix)]
    expect![[r#"
        C:\inetpub\A.log = A
        C:\inetpub\b.log = b
        D:\logs.tar = W3SVC1/x.log................................................
        D:\logs.tar!W3SVC1\x.log = x
        D:\u.log.gz = packed log
        gap unreadable C:\z: a symbolic link; links are not followed
    "#]]
    .assert_eq(&recorder.text());
    // A folder that is itself a drive's keeps its letter.
    assert_eq!(
        read_folder(&root.join("C")).paths(),
        ["C:\\inetpub\\A.log", "C:\\inetpub\\b.log"]
    );
}

#[test]
fn large_members_go_through_a_temporary_file_and_come_out_whole() {
    let mut bytes = Vec::new();
    let mut state = 1u32;
    for _ in 0..3_000_000u32 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.push(state.to_le_bytes()[3]);
    }
    let mut options = Options::default();
    options.limits.spool_memory_bytes = 100_000;
    for archive in [
        zip(&[("C/big.log", &bytes)]),
        gz(&tar(&[("C/big.log", &bytes)])),
    ] {
        for look in [Look::Twice, Look::Head, Look::Not] {
            let mut recorder = Recorder::looking(look);
            recorder.keep_max = 10_000_000;
            walk_bytes("x", archive.clone(), &options, &mut recorder);
            let digest = recorder.seen[0].digest.as_ref().unwrap();
            assert_eq!(digest.sha256, sha256(&bytes));
            assert!(digest.complete && recorder.gaps.is_empty());
        }
    }
}

#[test]
fn numbers_hold_whatever_is_skipped() {
    let inner = zip(&[("1.log", b"1"), ("2.log", b"2")]);
    let members: [(&str, &[u8]); 4] = [
        ("C/a.log", b"a"),
        ("C/inner.zip", &inner),
        ("C/again.zip", &inner),
        ("C/z.log", b"z"),
    ];
    let with_folder = [
        ("C/", b"".as_slice()),
        members[0],
        members[1],
        members[2],
        members[3],
    ];
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in members {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let archives = [
        zip(&members),
        zip(&with_folder),
        tar(&members),
        tar(&with_folder),
        gz(&tar(&members)),
        sevenz(&members, None, false),
        sevenz(&members, None, true),
    ];
    let visit = |archive: Option<&Vec<u8>>, recorder: &mut Recorder| match archive {
        Some(bytes) => walk_bytes("x", bytes.clone(), &Options::default(), recorder),
        None => walk(
            &crate::support::folder(folder.path()),
            &Options::default(),
            recorder,
        ),
    };
    for archive in archives.iter().map(Some).chain([None]) {
        let mut whole = Recorder::default();
        visit(archive, &mut whole);
        assert_eq!(whole.seen.len(), 8);
        let ordinals: Vec<u64> = whole.begun.iter().map(|entry| entry.ordinal).collect();
        assert!(ordinals.is_sorted(), "{ordinals:?}");
        let tops: std::collections::BTreeSet<u64> =
            whole.begun.iter().map(|entry| entry.top).collect();
        assert_eq!(tops, std::collections::BTreeSet::from([0, 1, 2, 3]));
        // Four workers, each with its share of the tops: together they see the same, under the same numbers.
        let mut shared = Vec::new();
        for top in tops {
            let mut share = Recorder {
                skip: Box::new(move |entry| entry.top != top),
                ..Recorder::default()
            };
            visit(archive, &mut share);
            shared.extend(share.seen);
        }
        shared.sort_by_key(|seen| seen.entry.ordinal);
        assert_eq!(shared, whole.seen);
    }
}

/// Bytes of an archive from hex.
fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn zips_of_other_writers_are_read() {
    // Python's zipfile, method LZMA.
    let lzma = hex(concat!(
        "504b03043f0002000e00000021002027d1171a0000001300000007000000432f782e6c6f67",
        "090405005d0000800000361e89dd7d4dd620b8e7fffff6898000",
        "504b01023f033f0002000e00000021002027d1171a00000013000000070000000000000000000000800100000000432f782e6c6f67",
        "504b05060000000001000100350000003f0000000000"
    ));
    check(
        "x.zip",
        &lzma,
        &Options::default(),
        expect![[r#"
        C:\x.log = lzma lzma lzma lzma
    "#]],
    );
    // The same with a dictionary of almost 4 GiB.
    let mut greedy = lzma;
    let dictionary = 30 + 7 + 5;
    greedy[dictionary..dictionary + 4].copy_from_slice(&[0xf0, 0xff, 0xff, 0xff]);
    check(
        "x.zip",
        &greedy,
        &Options::default(),
        expect![[r#"
        gap limit C:\x.log: its decoder wants 4294967280 bytes of memory, more than the bound
    "#]],
    );
    // Info-ZIP with its own encryption, of a file and of a stream.
    let encrypted = hex(concat!(
        "504b03041400090008009d2a775d49f6ec74210000001e00000007000000432f782e6c6f675a6061e83ee4f8130f17ddc599",
        "7a3cbe17afaf173ee58c4fe6d394c838a4a813cb504b070849f6ec74210000001e000000504b01021e031400090008009d2a",
        "775d49f6ec74210000001e000000070000000000000001000000a48100000000432f782e6c6f67504b050600000000010001",
        "0035000000560000000000",
    ));
    check(
        "x.zip",
        &encrypted,
        &with_password("pass"),
        expect![[r#"
        C:\x.log = old encryption, old encryption
    "#]],
    );
    check(
        "x.zip",
        &encrypted,
        &with_password("wrong"),
        expect![[r#"
        gap unreadable C:\x.log: encrypted, and the given password is wrong
    "#]],
    );
    let streamed = hex(concat!(
        "504b03042d00090008009d2a775d00009d2affffffffffffffff010014002d01001000000000000000000000000000000000",
        "001fd709bf0dc48806ccc2f96ab91c275ea48a125bfee6504b0708631b22d916000000000000000800000000000000504b01",
        "021e032d00090008009d2a775d631b22d916000000080000000100000000000000010000008011000000002d504b05060000",
        "0000010001002f000000610000000000",
    ));
    let directory = memchr::memmem::find(&streamed, b"PK\x01\x02").unwrap();
    let cut_off = read_bytes("x.zip", &streamed[..directory], &with_password("pass"));
    assert_eq!(cut_off.seen[0].bytes, b"streamed");
    assert_eq!(cut_off.seen[0].entry.size, Some(8));
    check(
        "x.zip",
        &streamed,
        &with_password("pass"),
        expect![[r#"
        - = streamed
    "#]],
    );
}

#[test]
fn more_members_than_16_bits_count_need_no_more_than_zip64() {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for number in 0..66_000 {
        writer
            .start_file(format!("C/{number}.log"), options)
            .unwrap();
    }
    let archive = writer.finish().unwrap().into_inner();
    let mut recorder = Recorder {
        skip: Box::new(|entry| entry.top < 65_999),
        ..Recorder::default()
    };
    walk_bytes("x.zip", archive, &Options::default(), &mut recorder);
    assert_eq!(recorder.begun.len(), 66_000);
    assert_eq!(recorder.text(), "C:\\65999.log = \n");
}
