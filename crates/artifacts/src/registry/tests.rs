//! Cases of whole hives, made by the range's writer and then damaged; the crate `notatin` as a second opinion.
#![expect(
    clippy::needless_raw_string_hashes,
    reason = "written so by expect-test"
)]

use super::*;
use crate::testing::{check, read_as_text};
use expect_test::expect;
use range::formats::registry::{Data, Key as Written, hive as write};

const SYSTEM: &str = "C:\\Windows\\System32\\config\\SYSTEM";
const SOFTWARE: &str = "C:\\Windows\\System32\\config\\SOFTWARE";

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(1_614_754_140 + second).unwrap()
}

fn bytes_of(root: &Written, name: &str) -> Vec<u8> {
    write(
        root,
        "ROOT",
        &format!("emRoot\\System32\\Config\\{name}"),
        time(0),
    )
}

fn system() -> Vec<u8> {
    let mut root = Written::new(time(0));
    root.key("Select", time(0)).value("Current", 2_u32);
    root.key("ControlSet001\\Services\\Old", time(0));
    let set = root.key("ControlSet002", time(0));
    set.key("Control\\ComputerName\\ComputerName", time(1))
        .value("ComputerName", "MX01");
    set.key("Control\\TimeZoneInformation", time(2))
        .value("Bias", Data::Dword(0xffff_ffc4))
        .value("TimeZoneKeyName", "W. Europe Standard Time");
    set.key("Services\\Spooler", time(3))
        .value(
            "ImagePath",
            Data::ExpandSz("%SystemRoot%\\System32\\spoolsv.exe".to_owned()),
        )
        .value("Start", 2_u32)
        .value("Type", 16_u32)
        .value("ObjectName", "LocalSystem");
    set.key("Services\\Odd\\Parameters", time(4)).value(
        "ServiceDll",
        Data::ExpandSz("C:\\ProgramData\\odd.dll".to_owned()),
    );
    set.key("Services\\Odd", time(4))
        .value("ImagePath", "svchost.exe -k netsvcs");
    bytes_of(&root, "SYSTEM")
}

fn software() -> Vec<u8> {
    let mut root = Written::new(time(0));
    root.key("Microsoft\\ExchangeServer\\v15\\Setup", time(1))
        .value("MsiInstallPath", "D:\\Exchange\\V15\\")
        .value("MsiProductMajor", 15_u32)
        .value("MsiProductMinor", 1_u32)
        .value("MsiBuildMajor", 2_176_u32)
        .value("MsiBuildMinor", 2_u32)
        .value("OwaVersion", "15.1.2176.9");
    root.key("MSERTBootstrap", time(2))
        .value("PatchState", "Patched");
    root.key("Microsoft\\Windows\\CurrentVersion\\Run", time(3))
        .value("Updater", "C:\\Users\\Public\\u.exe")
        .value("Odd", Data::Binary(vec![1, 2, 3]));
    root.key(
        "Microsoft\\Windows\\CurrentVersion\\Uninstall\\KB1",
        time(3),
    )
    .value("DisplayName", "An update")
    .value("DisplayVersion", "1.0");
    root.key("Microsoft\\Windows NT\\CurrentVersion", time(4))
        .value("ProductName", "Windows Server 2016 Standard")
        .value("CurrentBuild", "14393")
        .value("InstallDate", 1_500_000_000_u32);
    root.key("Microsoft\\Windows NT\\CurrentVersion\\Winlogon", time(4))
        .value("Userinit", "C:\\Windows\\system32\\userinit.exe,");
    root.key(
        "Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options\\sethc.exe",
        time(5),
    )
    .value("Debugger", "cmd.exe");
    bytes_of(&root, "SOFTWARE")
}

#[test]
fn system_hive_names_the_host_its_zone_and_its_services() {
    check(
        SYSTEM,
        &system(),
        &["*"],
        expect![[r#"
        kind: windows.registry
        source: windows.registry:system
        records: 4
          2021-03-03T06:49:01Z | byte 4952 | key=Control\\ComputerName\\ComputerName | name=ComputerName | value=MX01 | changed=2021-03-03T06:49:01Z
          2021-03-03T06:49:02Z | byte 5128 | key=Control\\TimeZoneInformation | name=TimeZoneKeyName | value=W. Europe Standard Time | changed=2021-03-03T06:49:02Z
          2021-03-03T06:49:04Z | byte 5488 | key=Services\\Odd | name=Odd | command=svchost.exe -k netsvcs (ServiceDll C:\\ProgramData\\odd.dll) | process=svchost.exe -k netsvcs | service_dll=C:\\ProgramData\\odd.dll | changed=2021-03-03T06:49:04Z
          2021-03-03T06:49:03Z | byte 5896 | key=Services\\Spooler | name=Spooler | command=%SystemRoot%\\System32\\spoolsv.exe | process=%SystemRoot%\\System32\\spoolsv.exe | start=2 | type=16 | user=LocalSystem | changed=2021-03-03T06:49:03Z
        rejected: 0
        facts: 4
          byte 4952 | {"fact":"host_name","name":"MX01","rule":"registry ComputerName","rank":10}
          byte 5128 | {"fact":"time_zone","offset_minutes":60,"name":"W. Europe Standard Time"}
          byte 5488 | {"fact":"persistence","kind":"service","name":"Odd","command":"svchost.exe -k netsvcs (ServiceDll C:\\ProgramData\\odd.dll)","changed":"2021-03-03T06:49:04Z","author":""}
          byte 5896 | {"fact":"persistence","kind":"service","name":"Spooler","command":"%SystemRoot%\\System32\\spoolsv.exe","changed":"2021-03-03T06:49:03Z","author":"LocalSystem"}
        gaps: 0
    "#]],
    );
}

#[test]
fn software_hive_names_products_and_what_is_run() {
    check(
        SOFTWARE,
        &software(),
        &["*"],
        expect![[r#"
        kind: windows.registry
        source: windows.registry:software
        records: 8
          2021-03-03T06:49:01Z | byte 4648 | key=Microsoft\\ExchangeServer\\v15\\Setup | name=exchange | MsiInstallPath=D:\\Exchange\\V15\\ | OwaVersion=15.1.2176.9 | update_level=15.1.2176 | build=15.1.2176.9 | changed=2021-03-03T06:49:01Z
          2021-03-03T06:49:02Z | byte 6856 | key=MSERTBootstrap | name=PatchState | value=Patched | changed=2021-03-03T06:49:02Z
          2021-03-03T06:49:04Z | byte 5984 | key=Microsoft\\Windows NT\\CurrentVersion | name=Windows Server 2016 Standard | build=14393 | installed=2017-07-14T02:40:00Z | changed=2021-03-03T06:49:04Z
          2021-03-03T06:49:03Z | byte 5608 | key=Microsoft\\Windows\\CurrentVersion\\Uninstall\\KB1 | name=An update | version=1.0 | changed=2021-03-03T06:49:03Z
          2021-03-03T06:49:03Z | byte 5296 | key=Microsoft\\Windows\\CurrentVersion\\Run | name=Updater | command=C:\\Users\\Public\\u.exe | changed=2021-03-03T06:49:03Z
          2021-03-03T06:49:03Z | byte 5296 | key=Microsoft\\Windows\\CurrentVersion\\Run | name=Odd | command=010203 | changed=2021-03-03T06:49:03Z
          2021-03-03T06:49:04Z | byte 6368 | key=Microsoft\\Windows NT\\CurrentVersion\\Winlogon | name=Userinit | command=C:\\Windows\\system32\\userinit.exe, | changed=2021-03-03T06:49:04Z
          2021-03-03T06:49:05Z | byte 6192 | key=Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options\\sethc.exe | name=Debugger | command=cmd.exe | changed=2021-03-03T06:49:05Z
        rejected: 0
        facts: 7
          byte 4648 | {"fact":"install_path","product":"exchange","path":"D:\\Exchange\\V15","rule":"registry Setup key"}
          byte 4648 | {"fact":"build","product":"exchange","build":"15.1.2176.9","count":1,"rule":"registry Setup key"}
          byte 6856 | {"fact":"prior_tool","tool":"EOMT","time":"2021-03-03T06:49:02Z","outcome":"it left the state `Patched` in the registry"}
          byte 5296 | {"fact":"persistence","kind":"run_key","name":"Microsoft\\Windows\\CurrentVersion\\Run\\Updater","command":"C:\\Users\\Public\\u.exe","changed":"2021-03-03T06:49:03Z","author":""}
          byte 5296 | {"fact":"persistence","kind":"run_key","name":"Microsoft\\Windows\\CurrentVersion\\Run\\Odd","command":"010203","changed":"2021-03-03T06:49:03Z","author":""}
          byte 6368 | {"fact":"persistence","kind":"run_key","name":"Microsoft\\Windows NT\\CurrentVersion\\Winlogon\\Userinit","command":"C:\\Windows\\system32\\userinit.exe,","changed":"2021-03-03T06:49:04Z","author":""}
          byte 6192 | {"fact":"persistence","kind":"run_key","name":"Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options\\sethc.exe\\Debugger","command":"cmd.exe","changed":"2021-03-03T06:49:05Z","author":""}
        gaps: 0
    "#]],
    );
}

#[test]
fn content_decides_which_hive_it_is_and_backups_state_nothing() {
    check(
        "C:\\case\\export.hiv",
        &system(),
        &["name"],
        expect![[r#"
            kind: windows.registry
            source: windows.registry:system
            records: 4
              2021-03-03T06:49:01Z | byte 4952 | name=ComputerName
              2021-03-03T06:49:02Z | byte 5128 | name=TimeZoneKeyName
              2021-03-03T06:49:04Z | byte 5488 | name=Odd
              2021-03-03T06:49:03Z | byte 5896 | name=Spooler
            rejected: 0
            facts: 4
              byte 4952 | {"fact":"host_name","name":"MX01","rule":"registry ComputerName","rank":10}
              byte 5128 | {"fact":"time_zone","offset_minutes":60,"name":"W. Europe Standard Time"}
              byte 5488 | {"fact":"persistence","kind":"service","name":"Odd","command":"svchost.exe -k netsvcs (ServiceDll C:\\ProgramData\\odd.dll)","changed":"2021-03-03T06:49:04Z","author":""}
              byte 5896 | {"fact":"persistence","kind":"service","name":"Spooler","command":"%SystemRoot%\\System32\\spoolsv.exe","changed":"2021-03-03T06:49:03Z","author":"LocalSystem"}
            gaps: 0
        "#]],
    );
    check(
        "C:\\Windows\\System32\\config\\RegBack\\SOFTWARE",
        &software(),
        &["name"],
        expect![[r#"
            kind: windows.registry
            source: windows.registry:backup
            records: 8
              2021-03-03T06:49:01Z | byte 4648 | name=exchange
              2021-03-03T06:49:02Z | byte 6856 | name=PatchState
              2021-03-03T06:49:04Z | byte 5984 | name=Windows Server 2016 Standard
              2021-03-03T06:49:03Z | byte 5608 | name=An update
              2021-03-03T06:49:03Z | byte 5296 | name=Updater
              2021-03-03T06:49:03Z | byte 5296 | name=Odd
              2021-03-03T06:49:04Z | byte 6368 | name=Userinit
              2021-03-03T06:49:05Z | byte 6192 | name=Debugger
            rejected: 0
            facts: 0
            gaps: 0
        "#]],
    );
}

#[test]
fn accounts_of_sam_are_records() {
    let mut root = Written::new(time(0));
    root.key("SAM\\Domains\\Account\\Users\\Names\\support", time(9));
    let path = "C:\\Windows\\System32\\config\\SAM";
    check(
        path,
        &bytes_of(&root, "SAM"),
        &["*"],
        expect![[r#"
        kind: windows.registry
        source: windows.registry:sam
        records: 1
          2021-03-03T06:49:09Z | byte 4808 | key=SAM\\Domains\\Account\\Users\\Names | name=support | user=support | changed=2021-03-03T06:49:09Z
        rejected: 0
        facts: 0
        gaps: 0
    "#]],
    );
}

#[test]
fn hive_copied_while_in_use_says_so() {
    let mut bytes = software();
    bytes[4] = 9;
    let text = read_as_text(SOFTWARE, &bytes, &[]);
    let gaps = text.split("gaps: ").nth(1).unwrap();
    expect![[r#"
        2
          partial | byte 0 | the checksum of the hive's header does not match
          not_understood | item | 2021-03-03T06:49:00Z to - | the hive was in use when it was copied; its transaction logs are not applied, so changes after its last write may be missing
    "#]].assert_eq(gaps);
}

#[test]
fn damaged_keys_are_gaps_so_that_absence_is_not_proven() {
    let mut bytes = software();
    let setup = memchr::memmem::find(&bytes, b"ExchangeServer").unwrap();
    bytes[setup - 76] = b'x';
    let text = read_as_text(SOFTWARE, &bytes, &["key"]);
    assert!(!text.contains("v15"));
    expect![[r#"
        kind: windows.registry
        source: windows.registry:software
        records: 7
          2021-03-03T06:49:02Z | byte 6856 | key=MSERTBootstrap
          2021-03-03T06:49:04Z | byte 5984 | key=Microsoft\\Windows NT\\CurrentVersion
          2021-03-03T06:49:03Z | byte 5608 | key=Microsoft\\Windows\\CurrentVersion\\Uninstall\\KB1
          2021-03-03T06:49:03Z | byte 5296 | key=Microsoft\\Windows\\CurrentVersion\\Run
          2021-03-03T06:49:03Z | byte 5296 | key=Microsoft\\Windows\\CurrentVersion\\Run
          2021-03-03T06:49:04Z | byte 6368 | key=Microsoft\\Windows NT\\CurrentVersion\\Winlogon
          2021-03-03T06:49:05Z | byte 6192 | key=Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options\\sethc.exe
        rejected: 1
          byte 4464 | a key is damaged
    "#]].assert_eq(text.split("facts: ").next().unwrap());
    expect![[r#"
        1
          partial | byte 4464 | the hive is damaged: a key is damaged
    "#]]
    .assert_eq(text.split("gaps: ").nth(1).unwrap());
    check(
        SOFTWARE,
        &bytes[..6_000],
        &["key"],
        expect![[r#"
        kind: windows.registry
        source: windows.registry:software
        records: 0
        rejected: 2
          byte 7024 | a cell lies behind the end of the file
          byte 4128 | a key's list of subkeys is not whole
        facts: 0
        gaps: 2
          partial | byte 7024 | the hive is damaged: a cell lies behind the end of the file
          partial | byte 4128 | the hive is damaged: a key's list of subkeys is not whole
    "#]],
    );
    check(
        SOFTWARE,
        b"regf",
        &["key"],
        expect![[r#"
        kind: windows.registry (by path)
        source: windows.registry:software
        records: 0
        rejected: 0
        facts: 0
        gaps: 1
          unreadable | item | the hive cannot be read: it is shorter than a hive's header
    "#]],
    );
    check(
        SOFTWARE,
        b"nothing",
        &["key"],
        expect![[r#"
        kind: windows.registry (by path)
        source: windows.registry:software
        records: 0
        rejected: 0
        facts: 0
        gaps: 1
          unreadable | item | the hive cannot be read: it is shorter than a hive's header
    "#]],
    );
}

#[test]
fn a_list_that_refers_to_itself_ends() {
    let mut bytes = software();
    // Every list of subkeys becomes a list of lists that names itself.
    let lists: Vec<usize> = memchr::memmem::find_iter(&bytes, b"lh").collect();
    for list in lists {
        bytes[list..list + 2].copy_from_slice(b"ri");
        let own = u32::try_from(list - 4 - 4_096).unwrap_or(0);
        bytes[list + 4..list + 8].copy_from_slice(&own.to_le_bytes());
    }
    let text = read_as_text(SOFTWARE, &bytes, &[]);
    assert!(text.contains("partial"), "{text}");
}

/// Keys and values below `path`, as the other reader sees them.
fn notatin_values(bytes: Vec<u8>, path: &str) -> Vec<String> {
    let mut parser = notatin::parser_builder::ParserBuilder::from_file(std::io::Cursor::new(bytes))
        .build()
        .unwrap();
    let mut key = parser.get_key(path, false).unwrap().unwrap();
    let mut seen = Vec::new();
    for subkey in key.read_sub_keys(&mut parser) {
        for value in subkey.value_iter() {
            seen.push(format!("{}\\{}", subkey.key_name, value.get_pretty_name()));
        }
    }
    seen.sort();
    seen
}

#[test]
fn another_reader_sees_the_same_values() {
    let bytes = software();
    let path = "Microsoft\\Windows NT\\CurrentVersion";
    let source: Box<dyn evidence::ReadSeek> = Box::new(std::io::Cursor::new(bytes.clone()));
    let mut hive = Hive::open(source).unwrap();
    let root = hive.root().unwrap();
    let key = hive.find_path(&root, path).unwrap();
    let mut ours = Vec::new();
    for subkey in hive.subkeys(&key) {
        for (name, _) in hive.values(&subkey) {
            ours.push(format!("{}\\{name}", subkey.name));
        }
    }
    ours.sort();
    assert!(!ours.is_empty());
    assert_eq!(ours, notatin_values(bytes, path));
    assert_eq!(hive.take_damages().count, 0);
}
