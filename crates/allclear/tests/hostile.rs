//! Evidence that an intruder, or bad luck, had a hand in: no crash, no hang, bounded memory, gaps shown, exit codes as
//! documented.
//!
//! Readers get little memory here, so that one that takes more than it should is lost, which shows as a `crashed` gap.

mod support;

use flate2::Compression;
use flate2::write::GzEncoder;
use model::report::Report;
use model::{Gap, GapKind, Timestamp};
use range::{Container, Memory, Tar, Zip};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Cursor, Write as _};
use std::path::Path;
use support::{Run, allclear, read};
use tempfile::TempDir;

/// MiB for each reader: a quarter of the default, far below what the items here expand to.
const LITTLE_MEMORY: &str = "256";

/// Head of a web log as IIS writes it.
const WEB_LOG_HEAD: &str = "#Software: Microsoft Internet Information Services 10.0\r\n#Version: 1.0\r\n\
    #Date: 2021-03-02 00:00:00\r\n#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip \
    cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken\r\n";

/// What a check of hostile evidence said.
struct Checked {
    run: Run,
    report: Report,
}

impl Checked {
    /// The gaps of one kind whose item's path ends so.
    fn gaps(&self, kind: GapKind, item: &str) -> Vec<&Gap> {
        let about = |gap: &&Gap| gap.kind == kind && gap.place.item.ends_with(item);
        self.report.gaps.iter().filter(about).collect()
    }

    /// That there is such a gap.
    fn must_tell(&self, kind: GapKind, item: &str) {
        assert!(!self.gaps(kind, item).is_empty(), "{item}: {}", self.told());
    }

    /// That no reader was lost.
    fn must_not_crash(&self) {
        assert!(
            self.gaps(GapKind::Crashed, "").is_empty(),
            "{}",
            self.told()
        );
    }

    /// All gaps that the items themselves gave rise to.
    fn told(&self) -> String {
        self.report
            .gaps
            .iter()
            .filter(|gap| gap.kind != GapKind::Missing)
            .fold(String::new(), |mut text, gap| {
                let (kind, item) = (gap.kind.name(), &gap.place.item);
                writeln!(text, "{kind} {item}: {}", gap.detail).expect("a string");
                text
            })
    }
}

/// Checks `evidence` in this folder.
fn check(folder: &Path, arguments: &[&str]) -> Checked {
    let mut all = vec!["check", "evidence", "--format", "json"];
    all.extend(arguments);
    let run = allclear(folder, &all);
    assert!(matches!(run.code, 0 | 1 | 3), "{}", run.stderr);
    assert_eq!(run.stderr, "");
    let report = serde_json::from_str(&run.stdout).expect("a report");
    Checked { run, report }
}

fn check_with_little_memory(folder: &Path) -> Checked {
    check(folder, &["--reader-memory", LITTLE_MEMORY])
}

/// A folder with an empty folder `evidence` in it.
fn folder() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    fs::create_dir(folder.path().join("evidence")).expect("a new folder");
    folder
}

fn put(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join("evidence").join(name);
    fs::create_dir_all(path.parent().expect("below the folder")).expect("a new folder");
    fs::write(path, bytes).expect("a new file");
}

/// A web log of so many ordinary requests.
fn web_log(rows: u32) -> String {
    let mut log = WEB_LOG_HEAD.to_owned();
    for row in 0..rows {
        let (hour, minute, second) = (row / 3600 % 24, row / 60 % 60, row % 60);
        write!(
            log,
            "2021-03-02 {hour:02}:{minute:02}:{second:02} 192.0.2.1 GET /owa/auth/logon.aspx - 443 - 198.51.100.{} \
             Mozilla/5.0 - 200 0 0 10\r\n",
            row % 250
        )
        .expect("a string");
    }
    log
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// An archive of stored members with whatever names.
fn zip_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = Zip::new(Vec::new());
    for (name, bytes) in members {
        zip.put(name, Timestamp::UNIX_EPOCH, bytes)
            .expect("memory takes it");
    }
    zip.close().expect("memory takes it");
    zip.into_inner()
}

fn tar_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = Tar::new(Vec::new());
    for (name, bytes) in members {
        tar.put(name, Timestamp::UNIX_EPOCH, bytes)
            .expect("memory takes it");
    }
    tar.close().expect("memory takes it");
    tar.into_inner()
}

/// Bytes that look like nothing, the same ones every time.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 2021_u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(bytes)
    .collect()
}

/// A page of so many words of code that looking through it takes some 100 MiB.
fn greedy_page() -> Vec<u8> {
    let mut page =
        r#"<%@ Page Language="C#" %><script runat="server">void Page_Load(){"#.to_owned();
    page.push_str(&"a=b+c;".repeat((15 << 20) / 6));
    page.into_bytes()
}

#[test]
fn a_log_that_breaks_off_is_read_up_to_there() {
    let folder = folder();
    let whole = gzip(web_log(1000).as_bytes());
    put(
        folder.path(),
        "u_ex210302.log.gz",
        &whole[..whole.len() * 2 / 3],
    );
    let checked = check_with_little_memory(folder.path());
    checked.must_tell(GapKind::Partial, "u_ex210302.log.gz");
    checked.must_not_crash();
    let accounting = &checked.report.accounting;
    assert!(
        (100..1000).contains(&accounting.events),
        "{}",
        accounting.events
    );
    let rejected: u64 = accounting
        .rejected
        .iter()
        .map(|rejected| rejected.count)
        .sum();
    assert_eq!(accounting.records_in, accounting.events + rejected);
    assert_eq!(checked.run.code, 1);
}

#[test]
fn bombs_are_not_unpacked() {
    let folder = folder();
    let zeros = vec![0; 1 << 20];
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(9))
        .large_file(true);
    let mut inner = zip::ZipWriter::new(Cursor::new(Vec::new()));
    inner
        .start_file("u_ex210301.log", options)
        .expect("memory takes it");
    for _ in 0..1024 {
        inner.write_all(&zeros).expect("memory takes it");
    }
    let inner = inner.finish().expect("memory takes it").into_inner();
    put(folder.path(), "C/inner.zip", &inner);
    let mut outer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    outer
        .start_file("inner.zip", options)
        .expect("memory takes it");
    outer.write_all(&inner).expect("memory takes it");
    let outer = outer.finish().expect("memory takes it").into_inner();
    put(folder.path(), "C/outer.zip", &outer);
    // One gzip member after the other: 512 MiB in half a megabyte, and packed once more.
    let stream = gzip(&vec![0; 16 << 20]).repeat(32);
    put(folder.path(), "C/u_ex210303.log.gz", &stream);
    put(folder.path(), "C/u_ex210304.log.gz.gz", &gzip(&stream));
    put(folder.path(), "C/u_ex210302.log", web_log(10).as_bytes());

    let checked = check_with_little_memory(folder.path());
    checked.must_not_crash();
    checked.must_tell(GapKind::Limit, "C:\\inner.zip!u_ex210301.log");
    checked.must_tell(GapKind::Limit, "C:\\outer.zip!inner.zip!u_ex210301.log");
    checked.must_tell(GapKind::Limit, "u_ex210303.log.gz");
    assert_eq!(checked.report.accounting.events, 10);
    assert_eq!(checked.run.code, 1);
}

#[test]
fn names_that_climb_out_stay_inside() {
    let folder = folder();
    let log = web_log(3);
    let names = [
        "../../climbed.log",
        "/etc/climbed.log",
        "C:\\..\\..\\climbed.log",
        "C/inetpub/..\\..\\..\\climbed.log",
        "C/inetpub/red\u{1b}[31m.log",
        "C/inetpub/<script>alert(1)<.log",
    ];
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, log.as_bytes())).collect();
    put(folder.path(), "one/C/a.zip", &zip_of(&members));
    let longer = web_log(4);
    let longer: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (*name, longer.as_bytes()))
        .collect();
    put(folder.path(), "two/a.tar", &tar_of(&longer));
    put(folder.path(), "three/a.zip", &zip_of(&members));
    let before = names_below(folder.path());
    let arguments = [
        "--reader-memory",
        LITTLE_MEMORY,
        "--manifest",
        "manifest.jsonl",
    ];
    let checked = check(folder.path(), &arguments);
    checked.must_not_crash();
    checked.must_tell(GapKind::NotUnderstood, "climbed.log");
    assert_eq!(
        checked.report.accounting.events,
        (3 + 4 + 3) * names.len() as u64
    );
    assert_eq!(checked.run.code, 1);

    let text = allclear(folder.path(), &["check", "evidence"]).stdout;
    assert!(text.contains("[31m.log"));
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'));

    let mut after = names_below(folder.path());
    assert!(after.remove("manifest.jsonl"));
    assert_eq!(before, after);
    let manifest = read(&folder.path().join("manifest.jsonl"));
    for line in manifest.lines() {
        let item: serde_json::Value = serde_json::from_str(line).expect("an object");
        let path = item["path"].as_str().expect("a path");
        assert!(
            !path.split(['\\', '/', '!']).any(|part| part == ".."),
            "{path}"
        );
        assert!(!path.contains(char::is_control), "{path:?}");
    }
}

/// Paths of everything below a folder.
fn names_below(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(folder).expect("below").display();
            names.insert(name.to_string());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    names
}

/// Four gigabytes that are one line, of which the file system stores only the head.
#[test]
fn a_line_of_four_gigabytes_is_passed_over() {
    let folder = folder();
    put(folder.path(), "C/u_ex210301.log", WEB_LOG_HEAD.as_bytes());
    put(folder.path(), "C/u_ex210302.log", web_log(10).as_bytes());
    let long = File::options()
        .write(true)
        .open(folder.path().join("evidence/C/u_ex210301.log"))
        .expect("it was written above");
    if long.set_len(4 << 30).is_err() {
        eprintln!("skipped: this file system keeps no sparse files");
        return;
    }
    let checked = check_with_little_memory(folder.path());
    checked.must_not_crash();
    checked.must_tell(GapKind::Partial, "u_ex210301.log");
    assert_eq!(checked.report.accounting.events, 10);
    assert!(checked.report.accounting.bytes > 4 << 30);
    assert_eq!(checked.run.code, 1);
}

#[test]
fn garbage_is_told_by_name() {
    let folder = folder();
    let garbage = noise(200_000);
    let headed = |head: &[u8]| [head, &garbage].concat();
    let files: [(&str, Vec<u8>, GapKind); 10] = [
        (
            "C/Windows/System32/config/SOFTWARE",
            garbage.clone(),
            GapKind::Unreadable,
        ),
        (
            "C/Windows/System32/config/SYSTEM",
            headed(b"regf"),
            GapKind::Unreadable,
        ),
        (
            "C/Windows/System32/winevt/Logs/Security.evtx",
            garbage.clone(),
            GapKind::Unreadable,
        ),
        (
            "C/Windows/System32/winevt/Logs/System.evtx",
            headed(b"ElfFile\0"),
            GapKind::Partial,
        ),
        (
            "C/inetpub/logs/LogFiles/W3SVC1/u_ex210301.log",
            garbage.clone(),
            GapKind::Partial,
        ),
        ("C/a/random.zip", garbage.clone(), GapKind::NotUnderstood),
        ("C/a/random.7z", garbage.clone(), GapKind::NotUnderstood),
        ("C/a/random.log.gz", garbage.clone(), GapKind::NotUnderstood),
        (
            "C/a/headed.log.gz",
            headed(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]),
            GapKind::Partial,
        ),
        (
            "C/a/headed.7z",
            headed(b"7z\xbc\xaf\x27\x1c\0\x04"),
            GapKind::Partial,
        ),
    ];
    for (name, bytes, _) in &files {
        put(folder.path(), name, bytes);
    }
    put(folder.path(), "C/a/headed.zip", &headed(b"PK\x03\x04"));
    let checked = check_with_little_memory(folder.path());
    checked.must_not_crash();
    for (name, _, kind) in &files {
        let name = name.rsplit('/').next().expect("a name");
        checked.must_tell(*kind, name);
    }
    assert_eq!(checked.report.accounting.events, 0);
    assert_ne!(checked.run.code, 0);
}

/// A web server runs what follows the head of an archive all the same.
#[test]
fn a_page_that_begins_as_an_archive_is_still_a_page() {
    let folder = folder();
    // In parts, so that no antivirus takes this test for what it tests.
    let code = [
        "<%@ Page Language=\"JScript\"%><%ev",
        "al(Req",
        "uest.Item[\"a\"],\"unsafe\");%>",
    ]
    .concat();
    let page = [zip_of(&[("a.txt", b"a")]), code.into_bytes()].concat();
    put(
        folder.path(),
        "C/inetpub/wwwroot/aspnet_client/a.aspx",
        &page,
    );
    let checked = check_with_little_memory(folder.path());
    let found = |finding: &model::Finding| finding.place.item.ends_with("\\aspnet_client\\a.aspx");
    assert!(
        checked.report.findings.iter().any(found),
        "{}",
        checked.told()
    );
    assert_eq!(checked.run.code, 1);
}

/// Antivirus engines delete tools for the text of the rules that they carry.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the program itself is what is looked at"
)]
fn the_program_quotes_no_rule() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_allclear")).expect("the program was built");
    let packs = pack::builtin_packs();
    let files = packs
        .iter()
        .flat_map(|pack| pack.sigma.iter().chain(&pack.yara));
    let mut looked_for = 0;
    for file in files {
        let quoted = file.text.lines().map(str::trim);
        let longest = quoted.max_by_key(|line| line.len()).unwrap_or_default();
        assert!(longest.len() > 30, "{}", file.path);
        let found = memchr::memmem::find(&program, longest.as_bytes());
        assert_eq!(found, None, "{}: {longest}", file.path);
        looked_for += 1;
    }
    assert!(looked_for > 4);
    // What is looked for in this way is found where it is there.
    assert!(memchr::memmem::find(&program, b"allclear/report/1").is_some());
}

/// What an intruder writes into a log reaches the reader of the report as text, never as a command.
#[test]
fn log_text_cannot_steer_terminal_or_browser() {
    const AGENT: &str = "Go-http-client/1.1";
    const HOSTILE: &str = "<script>alert(70413)</script>[x](javascript:alert(70413))\u{1b}]0;owned\u{7}\u{1b}[31m\
                           \u{9b}31m\u{202e}";
    let folder = folder();
    let time = |text: &str| text.parse::<Timestamp>().expect("a constant that parses");
    let options = range::Options {
        start: time("2021-02-25T00:00:00Z"),
        end: time("2021-03-12T00:00:00Z"),
        ..range::Options::new("proxylogon", 1)
    };
    let mut server = range::Collection::new(Memory::default(), range::Layout::Drives);
    range::make(&options, &mut server).expect("the scenario can be made");
    let mut changed = 0;
    for (name, (_, bytes)) in server.container.files {
        let is_log = name.to_lowercase().ends_with(".log");
        match String::from_utf8(bytes) {
            Ok(text) if is_log && text.contains(AGENT) => {
                changed += 1;
                put(
                    folder.path(),
                    &name,
                    text.replace(AGENT, HOSTILE).as_bytes(),
                );
            }
            Ok(text) => put(folder.path(), &name, text.as_bytes()),
            Err(other) => put(folder.path(), &name, other.as_bytes()),
        }
    }
    assert!(changed > 0, "the intruder's agent is another one by now");

    let run = allclear(folder.path(), &["check", "evidence", "--case", "case"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    for format in ["text", "markdown", "html", "json", "ndjson"] {
        let told = allclear(folder.path(), &["report", "case", "--format", format]).stdout;
        // It is shown all the same, else this test would prove nothing; text for a terminal leaves raw records out.
        assert!(
            format == "text" || told.contains("alert(70413)"),
            "{format}"
        );
        let steers = |c: char| c.is_control() && c != '\n' && c != '\t';
        assert!(!told.contains(steers), "{format}");
        match format {
            "html" => {
                assert!(told.contains("&lt;script&gt;alert(70413)"));
                assert!(!told.contains("<script>alert"));
                assert!(!told.contains("href=\"javascript:"));
                assert!(!told.contains('\u{202e}'));
            }
            "markdown" => {
                let prose = outside_code(&told);
                assert!(!prose.contains("<script>"), "{prose}");
                assert!(!prose.contains("](javascript:"), "{prose}");
                assert!(!told.contains('\u{202e}'));
            }
            "text" => assert!(!told.contains('\u{202e}')),
            _ => {}
        }
    }
}

/// Markdown without its fenced blocks and code spans, in which nothing is active.
fn outside_code(markdown: &str) -> String {
    let mut prose = String::new();
    let mut fence: Option<String> = None;
    for line in markdown.lines() {
        let trimmed = line.trim_start();
        let ticks: String = trimmed.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if ticks.len() >= open.len() && trimmed.trim_end() == ticks => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 && !trimmed[ticks.len()..].contains('`') => {
                fence = Some(ticks);
            }
            None => {
                for (number, part) in line.split('`').enumerate() {
                    if number % 2 == 0 {
                        prose.push_str(part);
                    }
                }
                prose.push('\n');
            }
        }
    }
    prose
}

#[cfg(unix)]
#[test]
fn pipes_and_links_are_told_and_not_followed() {
    let folder = folder();
    let evidence = folder.path().join("evidence");
    put(folder.path(), "C/u_ex210302.log", web_log(10).as_bytes());
    std::os::unix::fs::symlink(".", evidence.join("C/loop")).expect("a new link");
    std::os::unix::fs::symlink("/etc/passwd", evidence.join("C/u_ex210303.log")).expect("a link");
    let made = std::process::Command::new("mkfifo")
        .arg(evidence.join("C/u_ex210304.log"))
        .status();
    let has_pipe = made.is_ok_and(|status| status.success());
    let checked = check_with_little_memory(folder.path());
    checked.must_not_crash();
    checked.must_tell(GapKind::Unreadable, "C:\\loop");
    checked.must_tell(GapKind::Unreadable, "C:\\u_ex210303.log");
    if has_pipe {
        checked.must_tell(GapKind::Unreadable, "C:\\u_ex210304.log");
    } else {
        eprintln!("skipped in part: there is no mkfifo");
    }
    assert_eq!(checked.report.accounting.items, 1);
    assert_eq!(checked.report.accounting.events, 10);
    assert_eq!(checked.run.code, 1);
}

/// A report that goes to a pipe or a device (`/dev/null` among them) must leave it what it is, and one that goes to a
/// link replaces the file that the link names.
#[cfg(unix)]
#[test]
fn a_report_does_not_take_the_place_of_a_pipe_or_a_link() {
    use std::os::unix::fs::FileTypeExt;

    let folder = folder();
    put(folder.path(), "C/u_ex210302.log", web_log(10).as_bytes());
    let arguments = |to| ["check", "evidence", "--format", "json", "-o", to];

    std::os::unix::fs::symlink("report.json", folder.path().join("link")).expect("a link");
    fs::write(folder.path().join("report.json"), "old").expect("an old report");
    assert_eq!(allclear(folder.path(), &arguments("link")).code, 1);
    assert!(folder.path().join("link").is_symlink());
    let report = read(&folder.path().join("report.json"));
    assert!(serde_json::from_str::<Report>(&report).is_ok(), "{report}");

    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("skipped in part: there is no mkfifo");
        return;
    }
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || read(&pipe)
    });
    assert_eq!(allclear(folder.path(), &arguments("pipe")).code, 1);
    let kind = fs::symlink_metadata(&pipe).expect("the pipe").file_type();
    assert!(kind.is_fifo(), "{kind:?}");
    assert_eq!(reader.join().expect("a reader"), report);
}

/// Names of files need not be text on every system.
#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_text_are_read() {
    use std::os::unix::ffi::OsStrExt;
    let folder = folder();
    let name = std::ffi::OsStr::from_bytes(b"h\xf6st");
    let host = folder.path().join("evidence").join(name);
    fs::create_dir(&host).expect("a new folder");
    fs::write(host.join("u_ex210302.log"), web_log(10)).expect("a new file");
    fs::write(
        host.join(std::ffi::OsStr::from_bytes(b"u_ex\xff.log")),
        web_log(5),
    )
    .expect("a file");
    let checked = check_with_little_memory(folder.path());
    assert_eq!(checked.report.accounting.events, 15);
    assert_eq!(checked.run.code, 1);
}

#[test]
fn many_tiny_files_and_deep_folders_are_bounded() {
    let folder = folder();
    let tiny = folder.path().join("evidence/C/tiny");
    fs::create_dir_all(&tiny).expect("a new folder");
    for number in 0..20_000 {
        fs::write(tiny.join(format!("{number}.log")), b"x").expect("a new file");
    }
    let deep = "deep/".repeat(200);
    put(
        folder.path(),
        &format!("C/{deep}u_ex210301.log"),
        web_log(10).as_bytes(),
    );
    put(folder.path(), "C/u_ex210302.log", web_log(10).as_bytes());
    let checked = check_with_little_memory(folder.path());
    checked.must_not_crash();
    checked.must_tell(GapKind::Limit, "\\deep");
    assert_eq!(checked.report.accounting.items, 20_001);
    assert_eq!(checked.report.accounting.events, 10);
    assert_eq!(checked.run.code, 1);
}

/// What kills its reader is lost, and told; everything before and behind it is read, wherever it lies.
#[test]
fn a_lost_reader_costs_one_item() {
    let folder = folder();
    let (log, killer) = (web_log(10), greedy_page());
    put(folder.path(), "C/1.log", log.as_bytes());
    put(folder.path(), "C/2.aspx", &killer);
    put(folder.path(), "C/3.log", log.as_bytes());
    let members: [(&str, &[u8]); 5] = [
        ("a.log", log.as_bytes()),
        ("b.aspx", &killer),
        ("c.log", log.as_bytes()),
        ("d.aspx", &killer),
        ("e.log", log.as_bytes()),
    ];
    put(folder.path(), "C/4.zip", &zip_of(&members));
    put(folder.path(), "C/5.log", log.as_bytes());
    for jobs in ["1", "2"] {
        // Enough for the rules and the logs, too little for the page.
        let checked = check(folder.path(), &["--reader-memory", "80", "--jobs", jobs]);
        let crashed: Vec<&str> = checked
            .gaps(GapKind::Crashed, "")
            .into_iter()
            .map(|gap| gap.place.item.as_str())
            .collect();
        let lost = ["C:\\2.aspx", "C:\\4.zip!b.aspx", "C:\\4.zip!d.aspx"];
        assert_eq!(crashed, lost, "{}", checked.told());
        assert_eq!(checked.report.accounting.events, 60);
        assert_eq!(checked.run.code, 1);
    }
    // With more memory the same items are read.
    let checked = check_with_little_memory(folder.path());
    checked.must_not_crash();
}

/// Rules and indicators that do not fit into a reader's memory are no fault of the evidence.
#[test]
fn readers_that_cannot_start_are_our_failure() {
    let folder = folder();
    put(folder.path(), "u_ex210302.log", web_log(10).as_bytes());
    let mut indicators = String::new();
    for number in 0..400_000_u32 {
        writeln!(indicators, "{number:0>64x}").expect("a string");
    }
    fs::write(folder.path().join("hashes.txt"), indicators).expect("a new file");
    let arguments = [
        "check",
        "evidence",
        "--indicators",
        "hashes.txt",
        "--reader-memory",
        "64",
    ];
    let run = allclear(folder.path(), &arguments);
    assert_eq!((run.code, run.stdout.as_str()), (4, ""));
    assert!(run.stderr.contains("--reader-memory"), "{}", run.stderr);
}
