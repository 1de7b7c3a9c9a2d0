//! Triage containers as their collectors lay them out, with the paths on the host that must come out.

use crate::support::{folder, gz, read_bytes, read_folder, tar, with_password, zip};
use evidence::{Options, container_facts, is_collector_record};
use expect_test::{Expect, expect};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const LOG: &[u8] = b"#Software: Microsoft";

/// The same members as zip, tar.gz and folder give the same paths.
fn check(members: &[(&str, &[u8])], expected: Expect) {
    let mut paths = read_bytes("x.zip", &zip(members), &Options::default())
        .paths()
        .join("\n");
    paths.push('\n');
    expected.assert_eq(&paths);
    let from_tar = read_bytes("x.tar.gz", &gz(&tar(members)), &Options::default());
    assert_eq!(from_tar.paths().join("\n") + "\n", paths);
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), members);
    let mut from_folder = read_folder(directory.path())
        .paths()
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>();
    let mut sorted: Vec<String> = paths.lines().map(ToOwned::to_owned).collect();
    sorted.sort();
    from_folder.sort();
    assert_eq!(from_folder, sorted);
}

fn write(root: &Path, members: &[(&str, &[u8])]) {
    for (name, bytes) in members {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn kape() {
    check(
        &[
            ("2021-03-04T101112_ConsoleLog.txt", b"KAPE"),
            ("C/inetpub/logs/LogFiles/W3SVC1/u_ex210303.log", LOG),
            ("D/Exchange/Logging/HttpProxy/Ecp/x.LOG", LOG),
        ],
        expect![[r#"
            2021-03-04T101112_ConsoleLog.txt
            C:\inetpub\logs\LogFiles\W3SVC1\u_ex210303.log
            D:\Exchange\Logging\HttpProxy\Ecp\x.LOG
        "#]],
    );
    check(
        &[("EX01/C/Windows/System32/config/SYSTEM", b"regf")],
        expect![[r#"
            C:\Windows\System32\config\SYSTEM
        "#]],
    );
}

#[test]
fn cylr() {
    check(
        &[
            ("C/$MFT", b"FILE0"),
            ("C/Windows/System32/winevt/Logs/System.evtx", b"ElfFile"),
        ],
        expect![[r#"
            C:\$MFT
            C:\Windows\System32\winevt\Logs\System.evtx
        "#]],
    );
}

#[test]
fn velociraptor() {
    check(
        &[
            ("client_info.json", br#"{"Hostname":"EX01"}"#),
            (
                "collection_context.json",
                br#"{"create_time":1614852672000000}"#,
            ),
            ("results/Windows.KapeFiles.Targets%2FUploads.json", b"{}"),
            (
                "uploads/auto/C%3A/Program Files/Microsoft/Exchange Server/V15/x.log",
                LOG,
            ),
            ("uploads/ntfs/%5C%5C.%5CC%3A/$MFT", b"FILE0"),
            ("uploads/file/D%3A/x%20y.log", LOG),
        ],
        expect![[r#"
            client_info.json
            collection_context.json
            results\Windows.KapeFiles.Targets%2FUploads.json
            C:\Program Files\Microsoft\Exchange Server\V15\x.log
            C:\$MFT
            D:\x y.log
        "#]],
    );
}

const UPLOADS: &[u8] = br#"{"vfs_path":"\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy1\\Windows\\a.evtx","_Components":["uploads","auto","C:","Windows","a.evtx"],"file_size":1,"uploaded_size":1,"Type":""}
{"vfs_path":"C:\\Windows\\b.evtx","_Components":["uploads","auto","C:","Windows","b.evtx"],"file_size":1,"uploaded_size":1}
"#;

#[test]
fn velociraptor_says_where_stored_names_mislead() {
    let members: [(&str, &[u8]); 3] = [
        ("uploads.json", UPLOADS),
        ("uploads/auto/C%3A/Windows/a.evtx", b"ElfFile"),
        ("uploads/auto/C%3A/Windows/b.evtx", b"ElfFile"),
    ];
    let expected = [
        "uploads.json",
        "GLOBALROOT\\Device\\HarddiskVolumeShadowCopy1\\Windows\\a.evtx",
        "C:\\Windows\\b.evtx",
    ];
    let from_zip = read_bytes("x.zip", &zip(&members), &Options::default());
    assert_eq!(from_zip.paths(), expected);
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &members);
    let from_folder = read_folder(directory.path());
    assert_eq!(from_folder.paths(), [expected[1], expected[2], expected[0]]);
}

#[test]
fn velociraptor_in_a_protected_container() {
    let inner = zip(&[
        ("uploads.json", UPLOADS),
        ("uploads/auto/C%3A/Windows/a.evtx", b"ElfFile"),
    ]);
    let options =
        zip::write::SimpleFileOptions::default().with_aes_encryption(zip::AesMode::Aes256, "key");
    let mut outer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    outer
        .start_file("metadata.json", zip::write::SimpleFileOptions::default())
        .unwrap();
    std::io::Write::write_all(&mut outer, b"[]").unwrap();
    outer.start_file("data.zip", options).unwrap();
    std::io::Write::write_all(&mut outer, &inner).unwrap();
    let outer = outer.finish().unwrap().into_inner();
    let opened = read_bytes("Collection-EX01.zip", &outer, &with_password("key"));
    assert_eq!(
        opened.paths(),
        [
            "uploads.json",
            "GLOBALROOT\\Device\\HarddiskVolumeShadowCopy1\\Windows\\a.evtx"
        ]
    );
    let tops: Vec<u64> = opened.seen.iter().map(|seen| seen.entry.top).collect();
    assert_eq!(tops, [0, 1]);
    let closed = read_bytes("Collection-EX01.zip", &outer, &Options::default());
    expect![[r#"
        gap unreadable data.zip: encrypted, and no password was given
    "#]]
    .assert_eq(&closed.text());
    let wrong = read_bytes("Collection-EX01.zip", &outer, &with_password("no"));
    expect![[r#"
        gap unreadable data.zip: encrypted, and the given password is wrong
    "#]]
    .assert_eq(&wrong.text());
}

#[test]
fn uac_and_acquire() {
    check(
        &[
            ("uac.log", b"2021-03-04 10:11:12 +0100 INF"),
            ("[root]/var/log/auth.log", b"log"),
            ("live_response/network/netstat.txt", b"x"),
        ],
        expect![[r#"
            uac.log
            var\log\auth.log
            live_response\network\netstat.txt
        "#]],
    );
    check(
        &[
            ("fs/C:/Windows/System32/config/SYSTEM", b"regf"),
            ("fs/sysvol/inetpub/x.log", LOG),
            ("fs/$metadata$/file-hashes.csv", b"x"),
        ],
        expect![[r#"
            C:\Windows\System32\config\SYSTEM
            C:\inetpub\x.log
            fs\$metadata$\file-hashes.csv
        "#]],
    );
}

#[test]
fn a_folder_of_loose_logs_keeps_its_paths() {
    check(
        &[("HttpProxy/Ecp/x.LOG", LOG), ("W3SVC1/u_ex210303.log", LOG)],
        expect![[r#"
            HttpProxy\Ecp\x.LOG
            W3SVC1\u_ex210303.log
        "#]],
    );
}

#[test]
fn records_of_the_collector_are_known_by_their_restored_paths() {
    let archive = zip(&[
        ("client_info.json", br#"{"Hostname":"EX01"}"#),
        (
            "uploads/auto/C%3A/temp/client_info.json",
            br#"{"Hostname":"OTHER"}"#,
        ),
    ]);
    let recorder = read_bytes("x.zip", &archive, &Options::default());
    let records: Vec<_> = recorder
        .seen
        .iter()
        .filter(|seen| is_collector_record(&seen.entry.path))
        .collect();
    assert_eq!(records.len(), 1);
    assert_eq!(
        container_facts(&records[0].entry.path, &records[0].bytes).len(),
        1
    );
}

/// Lays out a folder and tells which collections are found: `label [container] entries`.
fn discovered(members: &[(&str, &[u8])], expected: Expect) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("case");
    write(&root, members);
    let collections = evidence::discover(std::slice::from_ref(&root), &Options::default()).unwrap();
    let mut text = String::new();
    for collection in collections {
        let label = collection
            .label
            .replace(&*directory.path().to_string_lossy(), "")
            .replace('\\', "/");
        let mut recorder = crate::support::Recorder::default();
        evidence::walk(&collection, &Options::default(), &mut recorder);
        let paths = recorder.paths().join(" ");
        writeln!(text, "{label} [{}] {paths}", collection.container).unwrap();
    }
    expected.assert_eq(&text);
}

#[test]
fn collections_are_found_in_folders_of_many_kinds() {
    let archive = zip(&[("C/x.log", LOG)]);
    let packed = gz(&tar(&[("fs/C:/x.log", LOG)]));
    // Archives and folders with drives beside a note.
    discovered(
        &[
            ("EX01.zip", &archive),
            ("2021/EX02.tar.gz", &packed),
            ("EX03/C/x.log", LOG),
            ("EX04/EX04/D/x.log", LOG),
            ("README.txt", b"forty servers"),
        ],
        expect![[r#"
            /case/2021/EX02.tar.gz [tar.gz] C:\x.log
            /case/EX01.zip [zip] C:\x.log
            /case/EX03 [folder] C:\x.log
            /case/EX04/EX04 [folder] D:\x.log
        "#]],
    );
    // A log beside archives is evidence of its own, but not what their collectors leave beside them.
    discovered(
        &[
            ("EX01.zip", &archive),
            ("EX01.log", b"done"),
            ("EX01.zip.txt", b"sha256"),
            ("uac-web-linux-20210304101112.log", b"x"),
            ("u_ex210303.log", LOG),
        ],
        expect![[r#"
            /case [files] u_ex210303.log
            /case/EX01.zip [zip] C:\x.log
        "#]],
    );
    // One host, with and without drives.
    discovered(
        &[("C/x.log", LOG), ("C/temp/a.zip", &archive)],
        expect![[r#"
        /case [folder] C:\temp\a.zip C:\temp\a.zip!C:\x.log C:\x.log
    "#]],
    );
    discovered(
        &[
            ("W3SVC1/a.log", LOG),
            ("HttpProxy/Ecp/b.log", LOG),
            ("notes.txt", b"x"),
        ],
        expect![[r#"
            /case [folder] HttpProxy\Ecp\b.log W3SVC1\a.log notes.txt
        "#]],
    );
    discovered(
        &[("a.evtx", b"ElfFile"), ("more/b.evtx", b"ElfFile")],
        expect![[r#"
            /case [folder] a.evtx more\b.evtx
        "#]],
    );
    // Folders that hold only folders.
    discovered(
        &[("EX01/a.evtx", b"ElfFile"), ("EX02/b.log.gz", &gz(LOG))],
        expect![[r#"
            /case/EX01 [folder] a.evtx
            /case/EX02 [folder] b.log.gz
        "#]],
    );
    // Velociraptor, unpacked.
    discovered(
        &[
            ("EX05/uploads.json", b""),
            ("EX05/uploads/auto/C%3A/x.log", LOG),
            ("EX05/results/x.json", b"{}"),
        ],
        expect![[r#"
            /case/EX05 [folder (velociraptor)] results\x.json C:\x.log uploads.json
        "#]],
    );
}

#[test]
fn files_count_once_and_missing_paths_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("a.log");
    fs::write(&log, LOG).unwrap();
    let dotted = directory.path().join(".").join("a.log");
    let found =
        evidence::discover(&[log.clone(), dotted, log.clone()], &Options::default()).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].container, "file");
    assert_eq!(found[0].label, log.to_string_lossy());
    // What lies in a folder that is a collection is part of it, in whatever order both are given.
    let whole = directory.path().to_owned();
    for paths in [[log.clone(), whole.clone()], [whole.clone(), log.clone()]] {
        let found = evidence::discover(&paths, &Options::default()).unwrap();
        assert_eq!(found, [folder(&whole)]);
    }
    let missing = directory.path().join("nothing here");
    let error = evidence::discover(&[missing], &Options::default()).unwrap_err();
    assert!(error.to_string().ends_with("nothing here` does not exist"));
    let empty = directory.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let found = evidence::discover(std::slice::from_ref(&empty), &Options::default()).unwrap();
    assert_eq!(found, [folder(&empty)]);
    // What went away between finding and walking is a gap.
    let mut recorder = crate::support::Recorder::default();
    evidence::walk(
        &folder(&empty.join("gone")),
        &Options::default(),
        &mut recorder,
    );
    assert_eq!(recorder.gaps.len(), 1);
}
