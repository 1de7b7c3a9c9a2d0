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
              2021-03-03T06:49:04Z | byte 5488 | key=Services\\Odd | name=Odd | command=svchost.exe -k netsvcs (ServiceDll C:\\ProgramData\\odd.dll) | process=svchost.exe -k netsvcs | service_dll=C:\\ProgramData\\odd.dll | target_object=HKLM\\System\\CurrentControlSet\\Services\\Odd\\ImagePath | details=svchost.exe -k netsvcs | changed=2021-03-03T06:49:04Z
              2021-03-03T06:49:03Z | byte 5896 | key=Services\\Spooler | name=Spooler | command=%SystemRoot%\\System32\\spoolsv.exe | process=%SystemRoot%\\System32\\spoolsv.exe | start=2 | type=16 | user=LocalSystem | target_object=HKLM\\System\\CurrentControlSet\\Services\\Spooler\\ImagePath | details=%SystemRoot%\\System32\\spoolsv.exe | changed=2021-03-03T06:49:03Z
            rejected: 0
            facts: 4
              byte 4952 | {"fact":"host_name","name":"MX01","rule":"registry ComputerName","rank":10}
              byte 5128 | {"fact":"time_zone","offset_minutes":60,"name":"W. Europe Standard Time"}
              byte 5488 | {"fact":"persistence","kind":"service","name":"Odd","command":"svchost.exe -k netsvcs (ServiceDll C:\\ProgramData\\odd.dll)","changed":"2021-03-03T06:49:04Z","clock":"the last write of the registry key","author":""}
              byte 5896 | {"fact":"persistence","kind":"service","name":"Spooler","command":"%SystemRoot%\\System32\\spoolsv.exe","changed":"2021-03-03T06:49:03Z","clock":"the last write of the registry key","author":"LocalSystem"}
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
              2021-03-03T06:49:03Z | byte 5296 | key=Microsoft\\Windows\\CurrentVersion\\Run | name=Updater | command=C:\\Users\\Public\\u.exe | target_object=HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run\\Updater | details=C:\\Users\\Public\\u.exe | changed=2021-03-03T06:49:03Z
              2021-03-03T06:49:03Z | byte 5296 | key=Microsoft\\Windows\\CurrentVersion\\Run | name=Odd | command=010203 | target_object=HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run\\Odd | details=010203 | changed=2021-03-03T06:49:03Z
              2021-03-03T06:49:04Z | byte 6368 | key=Microsoft\\Windows NT\\CurrentVersion\\Winlogon | name=Userinit | command=C:\\Windows\\system32\\userinit.exe, | target_object=HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Winlogon\\Userinit | details=C:\\Windows\\system32\\userinit.exe, | changed=2021-03-03T06:49:04Z
              2021-03-03T06:49:05Z | byte 6192 | key=Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options\\sethc.exe | name=Debugger | command=cmd.exe | target_object=HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options\\sethc.exe\\Debugger | details=cmd.exe | changed=2021-03-03T06:49:05Z
            rejected: 0
            facts: 7
              byte 4648 | {"fact":"install_path","product":"exchange","path":"D:\\Exchange\\V15","rule":"registry Setup key"}
              byte 4648 | {"fact":"build","product":"exchange","build":"15.1.2176.9","count":1,"rule":"registry Setup key"}
              byte 6856 | {"fact":"prior_tool","tool":"EOMT","time":"2021-03-03T06:49:02Z","outcome":"it left the state `Patched` in the registry"}
              byte 5296 | {"fact":"persistence","kind":"run_key","name":"Microsoft\\Windows\\CurrentVersion\\Run\\Updater","command":"C:\\Users\\Public\\u.exe","changed":"2021-03-03T06:49:03Z","clock":"the last write of the registry key","author":""}
              byte 5296 | {"fact":"persistence","kind":"run_key","name":"Microsoft\\Windows\\CurrentVersion\\Run\\Odd","command":"010203","changed":"2021-03-03T06:49:03Z","clock":"the last write of the registry key","author":""}
              byte 6368 | {"fact":"persistence","kind":"run_key","name":"Microsoft\\Windows NT\\CurrentVersion\\Winlogon\\Userinit","command":"C:\\Windows\\system32\\userinit.exe,","changed":"2021-03-03T06:49:04Z","clock":"the last write of the registry key","author":""}
              byte 6192 | {"fact":"persistence","kind":"run_key","name":"Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options\\sethc.exe\\Debugger","command":"cmd.exe","changed":"2021-03-03T06:49:05Z","clock":"the last write of the registry key","author":""}
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
              byte 5488 | {"fact":"persistence","kind":"service","name":"Odd","command":"svchost.exe -k netsvcs (ServiceDll C:\\ProgramData\\odd.dll)","changed":"2021-03-03T06:49:04Z","clock":"the last write of the registry key","author":""}
              byte 5896 | {"fact":"persistence","kind":"service","name":"Spooler","command":"%SystemRoot%\\System32\\spoolsv.exe","changed":"2021-03-03T06:49:03Z","clock":"the last write of the registry key","author":"LocalSystem"}
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
            facts: 1
              byte 4808 | {"fact":"persistence","kind":"account","name":"support","command":"","changed":"2021-03-03T06:49:09Z","clock":"the last write of the account's name in the registry","author":""}
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
          not_understood | item | 2021-03-03T06:49:00Z to - | the hive was in use when it was copied, and its transaction logs are not with it; changes after its last write may be missing
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
            gaps: 3
              partial | byte 4096 | a bin that is cut off or too large was not searched for deleted keys
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
    let mut hive = Hive::open(source, Vec::new()).unwrap();
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

const SAM: &str = "C:\\Windows\\System32\\config\\SAM";

fn filetime(second: i64) -> [u8; 8] {
    let ticks = (time(second).as_second() + 11_644_473_600) * 10_000_000;
    ticks.to_le_bytes()
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A text behind its length, as actions of tasks have it.
fn counted(text: &str) -> Vec<u8> {
    let text = wide(text);
    let mut bytes = u32::try_from(text.len()).unwrap().to_le_bytes().to_vec();
    bytes.extend(text);
    bytes
}

#[test]
fn the_schedulers_own_list_shows_what_a_task_does_and_whether_it_is_hidden() {
    let cache = "Microsoft\\Windows NT\\CurrentVersion\\Schedule\\TaskCache";
    let mut actions = vec![3, 0];
    actions.extend(counted("LocalSystem"));
    actions.extend([0x66, 0x66]);
    for text in ["", "C:\\ProgramData\\a.exe", "/x", ""] {
        actions.extend(counted(text));
    }
    actions.extend([0, 0]);
    let mut dynamic = 3_u32.to_le_bytes().to_vec();
    dynamic.extend(filetime(10));
    dynamic.extend(filetime(20));
    dynamic.extend([0; 8]);
    dynamic.extend(filetime(30));
    let mut root = Written::new(time(0));
    root.key(&format!("{cache}\\Tree\\Example\\Shown"), time(1))
        .value("Id", "{00000000-0000-0000-0000-00000000000A}")
        .value("Index", 3_u32)
        .value("SD", Data::Binary(vec![1]));
    root.key(&format!("{cache}\\Tree\\Hidden"), time(2))
        .value("Id", "{00000000-0000-0000-0000-00000000000B}")
        .value("Index", 3_u32);
    root.key(&format!("{cache}\\Tree\\Left"), time(3))
        .value("Id", "{00000000-0000-0000-0000-00000000000C}")
        .value("SD", Data::Binary(vec![1]));
    for (id, path, actions) in [
        ("A", "\\Example\\Shown", actions.clone()),
        ("B", "\\Hidden", actions[..actions.len() - 20].to_vec()),
        ("D", "\\Nameless", Vec::new()),
    ] {
        root.key(
            &format!("{cache}\\Tasks\\{{00000000-0000-0000-0000-00000000000{id}}}"),
            time(4),
        )
        .value("Path", path)
        .value("DynamicInfo", Data::Binary(dynamic.clone()))
        .value("Actions", Data::Binary(actions));
    }
    check(
        SOFTWARE,
        &bytes_of(&root, "SOFTWARE"),
        &[
            "name",
            "command",
            "user",
            "created",
            "last_run",
            "last_completed",
            "listed",
            "target_object",
        ],
        expect![[r#"
            kind: windows.registry
            source: windows.registry:software
            records: 5
              2021-03-03T06:49:01Z | byte 4560
              2021-03-03T06:49:04Z | byte 4928 | name=\\Example\\Shown | command=C:\\ProgramData\\a.exe /x | user=LocalSystem | created=2021-03-03T06:49:10Z | last_run=2021-03-03T06:49:20Z | last_completed=2021-03-03T06:49:30Z | listed=yes | target_object=HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Schedule\\TaskCache\\Tasks\\{00000000-0000-0000-0000-00000000000A}\\Actions
              2021-03-03T06:49:04Z | byte 5344 | name=\\Hidden | user=LocalSystem | created=2021-03-03T06:49:10Z | last_run=2021-03-03T06:49:20Z | last_completed=2021-03-03T06:49:30Z | listed=no security descriptor | target_object=HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Schedule\\TaskCache\\Tasks\\{00000000-0000-0000-0000-00000000000B}\\Actions
              2021-03-03T06:49:04Z | byte 5728 | name=\\Nameless | created=2021-03-03T06:49:10Z | last_run=2021-03-03T06:49:20Z | last_completed=2021-03-03T06:49:30Z | listed=no name | target_object=HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Schedule\\TaskCache\\Tasks\\{00000000-0000-0000-0000-00000000000D}\\Actions
              2021-03-03T06:49:03Z | byte 6800 | name=\\Left | listed=no task
            rejected: 1
              byte 5344 | the actions of a task are in no known form
            facts: 3
              byte 4928 | {"fact":"persistence","kind":"scheduled_task","name":"\\Example\\Shown","command":"C:\\ProgramData\\a.exe /x","changed":"2021-03-03T06:49:10Z","clock":"the registration in the task scheduler's list","author":""}
              byte 5344 | {"fact":"persistence","kind":"scheduled_task","name":"\\Hidden","command":"","changed":"2021-03-03T06:49:10Z","clock":"the registration in the task scheduler's list","author":""}
              byte 5728 | {"fact":"persistence","kind":"scheduled_task","name":"\\Nameless","command":"","changed":"2021-03-03T06:49:10Z","clock":"the registration in the task scheduler's list","author":""}
            gaps: 0
        "#]],
    );
}

/// An entry of the list of programs that Windows looked at, as Server 2016 writes it.
fn program(path: &str) -> Vec<u8> {
    let mut body = u16::try_from(wide(path).len())
        .unwrap()
        .to_le_bytes()
        .to_vec();
    body.extend(wide(path));
    body.extend(filetime(5));
    body.extend(0_u32.to_le_bytes());
    let mut entry = b"10ts".to_vec();
    entry.extend([0; 4]);
    entry.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
    entry.extend(body);
    entry
}

fn with_programs(value: Vec<u8>) -> Vec<u8> {
    let mut root = Written::new(time(0));
    root.key(
        "ControlSet001\\Control\\Session Manager\\AppCompatCache",
        time(1),
    )
    .value("AppCompatCache", Data::Binary(value));
    bytes_of(&root, "SYSTEM")
}

#[test]
fn programs_that_windows_looked_at_are_records_without_a_time_of_their_own() {
    let mut value = vec![0; 0x34];
    value[0] = 0x34;
    value.extend(program("C:\\Windows\\a.exe"));
    value.extend(program("C:\\ProgramData\\b.exe"));
    let fields = ["path", "position", "file_modified", "ran"];
    check(
        SYSTEM,
        &with_programs(value.clone()),
        &fields,
        expect![[r#"
        kind: windows.registry
        source: windows.registry:system
        records: 2
          - | byte 4648 | path=C:\\Windows\\a.exe | position=1 | file_modified=2021-03-03T06:49:05Z
          - | byte 4648 | path=C:\\ProgramData\\b.exe | position=2 | file_modified=2021-03-03T06:49:05Z
        rejected: 0
        facts: 0
        gaps: 0
    "#]],
    );
    // Windows 7: a table.
    let mut old = vec![0; 0x80];
    old[..4].copy_from_slice(&0xbadc_0fee_u32.to_le_bytes());
    old[4..8].copy_from_slice(&2_u32.to_le_bytes());
    let path = wide("C:\\old.exe");
    let bytes = u16::try_from(path.len()).unwrap().to_le_bytes();
    for path_at in [0x80 + 96_u64, 1 << 40] {
        old.extend(bytes);
        old.extend(bytes);
        old.extend([0; 4]);
        old.extend(path_at.to_le_bytes());
        old.extend(filetime(6));
        old.extend(2_u32.to_le_bytes());
        old.extend([0; 20]);
    }
    old.extend(path);
    check(
        SYSTEM,
        &with_programs(old),
        &fields,
        expect![[r#"
        kind: windows.registry
        source: windows.registry:system
        records: 1
          - | byte 4648 | path=C:\\old.exe | position=1 | file_modified=2021-03-03T06:49:06Z | ran=yes
        rejected: 1
          byte 4648 | an entry is damaged
        facts: 0
        gaps: 1
          partial | byte 4648 | the list of programs that Windows looked at is not read to its end: an entry is damaged
    "#]],
    );
}

#[test]
fn damaged_lists_of_programs_are_read_up_to_the_damage() {
    let mut value = vec![0; 0x30];
    value[0] = 0x30;
    value.extend(program("C:\\Windows\\a.exe"));
    value.extend(b"10ts\0\0\0\0\xff\xff\xff\xff");
    check(
        SYSTEM,
        &with_programs(value),
        &["path"],
        expect![[r#"
        kind: windows.registry
        source: windows.registry:system
        records: 1
          - | byte 4648 | path=C:\\Windows\\a.exe
        rejected: 1
          byte 4648 | an entry is damaged
        facts: 0
        gaps: 1
          partial | byte 4648 | the list of programs that Windows looked at is not read to its end: an entry is damaged
    "#]],
    );
    check(
        SYSTEM,
        &with_programs(vec![9, 9, 9, 9, 9]),
        &["path"],
        expect![[r#"
        kind: windows.registry
        source: windows.registry:system
        records: 0
        rejected: 1
          byte 4648 | its head is of no known version
        facts: 0
        gaps: 1
          partial | byte 4648 | the list of programs that Windows looked at is not read to its end: its head is of no known version
    "#]],
    );
}

#[test]
fn inventories_give_paths_and_hashes() {
    let mut root = Written::new(time(0));
    root.key("Root\\InventoryApplicationFile\\a.exe|1", time(1))
        .value("LowerCaseLongPath", "c:\\programdata\\a.exe")
        .value("FileId", "0000da39a3ee5e6b4b0d3255bfef95601890afd80709")
        .value("LinkDate", "03/02/2021 06:49:00")
        .value("Size", Data::Qword(4_096));
    root.key("Root\\File\\{volume}\\100002222", time(2))
        .value("15", "C:\\old.exe")
        .value("101", "0000nothex")
        .value("11", Data::Qword(u64::from_le_bytes(filetime(7))))
        .value("f", 1_500_000_000_u32);
    root.key("Root\\InventoryDriverBinary\\c:/windows/x.sys", time(3))
        .value("DriverName", "x.sys");
    let path = "C:\\Windows\\AppCompat\\Programs\\Amcache.hve";
    check(
        path,
        &bytes_of(&root, "Amcache.hve"),
        &["*"],
        expect![[r#"
        kind: windows.registry
        source: windows.registry:amcache
        records: 3
          2021-03-03T06:49:01Z | byte 5096 | key=Root\\InventoryApplicationFile\\a.exe|1 | kind=file | path=c:\\programdata\\a.exe | process=c:\\programdata\\a.exe | sha1=da39a3ee5e6b4b0d3255bfef95601890afd80709 | link_date=03/02/2021 06:49:00 | size=4096 | Hashes=SHA1=da39a3ee5e6b4b0d3255bfef95601890afd80709 | changed=2021-03-03T06:49:01Z
          2021-03-03T06:49:03Z | byte 5680 | key=Root\\InventoryDriverBinary\\c:/windows/x.sys | kind=driver | name=x.sys | changed=2021-03-03T06:49:03Z
          2021-03-03T06:49:02Z | byte 4632 | key=Root\\File\\{volume}\\100002222 | kind=file | path=C:\\old.exe | process=C:\\old.exe | file_modified=2021-03-03T06:49:07Z | link_date=2017-07-14T02:40:00Z | changed=2021-03-03T06:49:02Z
        rejected: 0
        facts: 0
        gaps: 0
    "#]],
    );
}

/// A hive of accounts: one ordinary, one that was given the number of the administrator.
fn sam() -> Vec<u8> {
    let mut root = Written::new(time(0));
    let machine: Vec<u8> = [1_u32, 2, 3]
        .iter()
        .flat_map(|part| part.to_le_bytes())
        .collect();
    let account = "SAM\\Domains\\Account";
    root.key(account, time(0)).value("V", Data::Binary(machine));
    for (name, rid, inner) in [("Administrator", 500_u32, 500_u32), ("helper", 1_001, 500)] {
        let mut f = vec![0; 80];
        f[8..16].copy_from_slice(&filetime(10));
        f[24..32].copy_from_slice(&filetime(20));
        f[48..52].copy_from_slice(&inner.to_le_bytes());
        f[56] = u8::from(rid == 500);
        f[66] = 7;
        let mut v = vec![0; 0xcc];
        v[0x1c] = 8;
        v.extend(wide("Full"));
        root.key(&format!("{account}\\Users\\{rid:08X}"), time(1))
            .value("F", Data::Binary(f))
            .value("V", Data::Binary(v));
        root.key(&format!("{account}\\Users\\Names\\{name}"), time(2))
            .value("", Data::Other(rid, Vec::new()));
    }
    let mut c = vec![0; 0x34];
    c[..4].copy_from_slice(&544_u32.to_le_bytes());
    let name = wide("Administrators");
    c[0x14] = u8::try_from(name.len()).unwrap();
    c[0x28] = u8::try_from(name.len()).unwrap();
    c[0x2c] = 28;
    c[0x30] = 1;
    c.extend(name);
    c.extend([1, 5, 0, 0, 0, 0, 0, 5]);
    for part in [21_u32, 1, 2, 3, 1_001] {
        c.extend(part.to_le_bytes());
    }
    root.key("SAM\\Domains\\Builtin\\Aliases\\00000220", time(3))
        .value("C", Data::Binary(c));
    root.key("SAM\\Domains\\Builtin\\Aliases\\00000221", time(3))
        .value("C", Data::Binary(vec![0xff; 0x40]));
    bytes_of(&root, "SAM")
}

#[test]
fn accounts_tell_when_they_were_made_and_whom_they_act_as() {
    check(
        SAM,
        &sam(),
        &["*"],
        expect![[r#"
            kind: windows.registry
            source: windows.registry:sam
            records: 3
              2021-03-03T06:49:02Z | byte 5752 | key=SAM\\Domains\\Account\\Users\\Names | name=Administrator | user=Administrator | rid=500 | sid=S-1-5-21-1-2-3-500 | full_name=Full | disabled=yes | last_logon=2021-03-03T06:49:10Z | password_set=2021-03-03T06:49:20Z | logons=7 | changed=2021-03-03T06:49:02Z
              2021-03-03T06:49:02Z | byte 5880 | key=SAM\\Domains\\Account\\Users\\Names | name=helper | user=helper | rid=1001 | sid=S-1-5-21-1-2-3-1001 | acts_as_rid=500 | full_name=Full | administrator=yes | disabled=no | last_logon=2021-03-03T06:49:10Z | password_set=2021-03-03T06:49:20Z | logons=7 | changed=2021-03-03T06:49:02Z
              2021-03-03T06:49:03Z | byte 6304 | key=SAM\\Domains\\Builtin\\Aliases\\00000220 | name=Administrators | rid=544 | members=S-1-5-21-1-2-3-1001 | changed=2021-03-03T06:49:03Z
            rejected: 1
              byte 6544 | the members of a group are in no known form
            facts: 3
              byte 5752 | {"fact":"persistence","kind":"account","name":"Administrator","command":"disabled","changed":"2021-03-03T06:49:02Z","clock":"the last write of the account's name in the registry","author":""}
              byte 5880 | {"fact":"persistence","kind":"account","name":"helper","command":"an administrator, acts as another account","changed":"2021-03-03T06:49:02Z","clock":"the last write of the account's name in the registry","author":""}
              byte 6304 | {"fact":"persistence","kind":"group_membership","name":"Administrators","command":"S-1-5-21-1-2-3-1001","changed":"2021-03-03T06:49:03Z","clock":"the last write of the registry key","author":""}
            gaps: 0
        "#]],
    );
}

#[test]
fn a_deleted_key_is_told_with_the_path_that_remains() {
    let mut bytes = software();
    let kept = memchr::memmem::find(&bytes, b"Updater").unwrap();
    assert!(kept > 0);
    // A key like `Run` is written into free space, as if it had been deleted.
    let run = memchr::memmem::rfind(&bytes, b"\x03\0\0\0Run").map(|at| at - 72);
    let run = run.or_else(|| {
        memchr::memmem::find_iter(&bytes, b"nk").find(|at| bytes[at + 76..].starts_with(b"Run"))
    });
    let run = run.unwrap();
    let mut key = bytes[run - 4..run + 79].to_vec();
    key[80..83].copy_from_slice(b"Rum");
    let free = bytes.len() - 256;
    bytes[free..free + key.len()].copy_from_slice(&key);
    let text = read_as_text(SOFTWARE, &bytes, &["key", "values"]);
    let deleted: Vec<&str> = text.lines().filter(|line| line.contains("Rum")).collect();
    expect![[r#"  2021-03-03T06:49:03Z | byte 7936 | key=Microsoft\\Windows\\CurrentVersion\\Rum | values=Updater=C:\\Users\\Public\\u.exe; Odd=010203"#]].assert_eq(&deleted.join("\n"));
    assert!(text.contains("rejected: 0"), "{text}");
}

/// A hive with a log beside it.
struct WithLog(evidence::Bytes, Vec<u8>);

impl Content for WithLog {
    fn size(&self) -> Option<u64> {
        self.0.size()
    }

    fn head(&mut self) -> &[u8] {
        self.0.head()
    }

    fn stream(&mut self) -> Box<dyn std::io::Read + '_> {
        self.0.stream()
    }

    fn seekable(&mut self) -> std::io::Result<Box<dyn evidence::ReadSeek + '_>> {
        self.0.seekable()
    }

    fn companion(&mut self, ending: &str) -> Option<Vec<u8>> {
        (ending == ".LOG1").then(|| self.1.clone())
    }
}

fn with_log(hive: &[u8], log: Vec<u8>) -> String {
    let mut said = crate::testing::Said::showing(&["name", "command"]);
    let item = Item { path: SOFTWARE };
    let mut content = WithLog(evidence::Bytes(hive.to_vec()), log);
    RegistryHive.read(&item, &mut content, &mut said);
    let records: Vec<&str> = said
        .records
        .iter()
        .map(String::as_str)
        .filter(|record| record.contains("Updater"))
        .collect();
    format!("{}\n{}\n", records.join("\n"), said.gaps.join("\n"))
}

#[test]
fn transaction_logs_are_laid_over_a_hive_that_was_in_use() {
    let after = software();
    let mut before = after.clone();
    let command = memchr::memmem::find(&before, &wide("u.exe")).unwrap();
    before[command] = b'v';
    before[8..12].copy_from_slice(&0_u32.to_le_bytes());
    logs::tests::close(&mut before);
    let page = command / 4_096 * 4_096;
    let at = u32::try_from(page - 4_096).unwrap();
    let bins = u32::try_from(after.len() - 4_096).unwrap();
    let pages: [(u32, &[u8]); 1] = [(at, &after[page..page + 4_096])];
    let log = logs::tests::log(&before, 0, bins, &pages);
    expect![[r#"
        2021-03-03T06:49:03Z | byte 5296 | name=Updater | command=C:\\Users\\Public\\u.exe

    "#]]
    .assert_eq(&with_log(&before, log.clone()));
    // A damaged write is not laid over, and that is told.
    let mut damaged = log;
    let last = damaged.len() - 600;
    damaged[last] ^= 1;
    expect![[r#"
        2021-03-03T06:49:03Z | byte 5296 | name=Updater | command=C:\\Users\\Public\\v.exe
        not_understood | item | 2021-03-03T06:49:00Z to - | the hive was in use when it was copied, and its transaction logs hold nothing that fits; changes after its last write may be missing
    "#]].assert_eq(&with_log(&before, damaged));
    expect![[r#"
        2021-03-03T06:49:03Z | byte 5296 | name=Updater | command=C:\\Users\\Public\\v.exe
        not_understood | item | 2021-03-03T06:49:00Z to - | the hive was in use when it was copied, and its transaction logs hold nothing that fits; changes after its last write may be missing
    "#]].assert_eq(&with_log(&before, b"nothing".to_vec()));
}

#[test]
fn old_transaction_logs_are_laid_over_by_their_map() {
    let after = software();
    let mut before = after.clone();
    let command = memchr::memmem::find(&before, &wide("u.exe")).unwrap();
    before[command] = b'v';
    before[8..12].copy_from_slice(&0_u32.to_le_bytes());
    logs::tests::close(&mut before);
    let mut log = after[..512].to_vec();
    log[28..32].copy_from_slice(&1_u32.to_le_bytes());
    logs::tests::close(&mut log);
    log.extend(b"DIRT");
    let sector = (command - 4_096) / 512;
    let mut map = vec![0; (after.len() - 4_096) / 512 / 8];
    map[sector / 8] = 1 << (sector % 8);
    log.extend(map);
    log.resize(log.len().next_multiple_of(512), 0);
    let start = command / 512 * 512;
    log.extend(&after[start..start + 512]);
    expect![[r#"
        2021-03-03T06:49:03Z | byte 5296 | name=Updater | command=C:\\Users\\Public\\u.exe

    "#]]
    .assert_eq(&with_log(&before, log));
}
