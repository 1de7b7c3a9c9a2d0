//! Sessions at the command line: what is typed, what comes out, and the exit code, as in `tests/transcripts/*.txt`.
//!
//! A line that begins with `#` is a comment, one that begins with `$` a command. What follows it is the output,
//! standard error behind `2| `, then the exit code. Besides `allclear` there are `mkdir FOLDER`, `write FILE TEXT` (with
//! `\n` for a new line and `\q` for a double quote), `zip FOLDER FILE`, `copy FILE` (from `tests/signed`) and, at the end of a command, `| head N`, which leaves out what stands behind N lines.
//! `UPDATE_EXPECT=1` writes the output anew.

mod support;

use expect_test::expect_file;
use model::Timestamp;
use model::report::Report;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use support::{Run, allclear, command, read, run_of};
use tempfile::TempDir;

#[test]
fn usage() {
    transcript("usage");
}

#[test]
fn refusals() {
    transcript("refusals");
}

#[test]
fn nothing_to_examine() {
    transcript("nothing");
}

#[test]
fn packs() {
    transcript("packs");
}

#[test]
fn hunts() {
    transcript("hunt");
}

#[test]
fn drafts_of_packs() {
    transcript("drafts");
}

#[test]
fn archives_of_packs() {
    transcript("archives");
}

#[test]
fn rules() {
    transcript("rules");
}

#[test]
fn ranges() {
    transcript("range");
}

#[test]
fn observations() {
    transcript("observe");
}

#[test]
fn registries() {
    transcript("registry");
}

#[test]
fn a_clear_server() {
    transcript("clear");
}

#[test]
fn a_compromised_server() {
    transcript("compromised");
}

/// Runs a script in an empty folder and holds what it says against what the script says.
fn transcript(name: &str) {
    let file = format!("transcripts/{name}.txt");
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(&file);
    let script = read(&script);
    let folder = TempDir::new().expect("a temporary folder");
    let mut actual = String::new();
    // Output is made anew; only comments, commands and the blank lines between them are taken from the script.
    for block in script.split("\n\n") {
        let kept: Vec<&str> = block
            .lines()
            .filter(|line| line.starts_with('#') || line.starts_with("$ "))
            .collect();
        if kept.is_empty() {
            continue;
        }
        if !actual.is_empty() {
            actual.push('\n');
        }
        for line in kept {
            writeln!(actual, "{line}").expect("a string");
            if let Some(command) = line.strip_prefix("$ ") {
                actual.push_str(&mask(&execute(command, folder.path()), folder.path()));
            }
        }
    }
    expect_file![file].assert_eq(&actual);
}

/// What a command says, as it stands in a transcript. Blank lines are shown as `.`: they separate blocks there.
fn execute(line: &str, folder: &Path) -> String {
    let (line, lines_max) = match line.split_once(" | head ") {
        Some((line, number)) => (line, number.parse().expect("a number of lines")),
        None => (line, usize::MAX),
    };
    let words = words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["allclear", arguments @ ..] => shown(&allclear(folder, arguments), lines_max),
        ["mkdir", name] => {
            fs::create_dir_all(folder.join(name)).expect("a new folder");
            String::new()
        }
        ["write", name, text] => {
            fs::write(
                folder.join(name),
                text.replace("\\n", "\n").replace("\\q", "\""),
            )
            .expect("a new file");
            String::new()
        }
        ["zip", from, name] => {
            zip(&folder.join(from), &folder.join(name));
            String::new()
        }
        ["copy", name] => {
            let signed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signed");
            fs::copy(signed.join(name), folder.join(name)).expect("it is there");
            String::new()
        }
        _ => panic!("no such command: {line}"),
    }
}

/// Packs a folder of a pack, the folder itself included.
fn zip(folder: &Path, archive: &Path) {
    let file = fs::File::create(archive).expect("a new file");
    let mut zip = zip::ZipWriter::new(file);
    let parent = folder.parent().expect("it lies in a folder");
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("it can be listed") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(parent).expect("it lies below");
            let name = name.display().to_string().replace('\\', "/");
            zip.start_file(name, zip::write::SimpleFileOptions::default())
                .expect("a new entry");
            zip.write_all(read(&path).as_bytes()).expect("a new entry");
        }
    }
    zip.finish().expect("a whole archive");
}

fn shown(run: &Run, lines_max: usize) -> String {
    let mut text = String::new();
    for (number, line) in run.stdout.lines().enumerate() {
        if number == lines_max {
            text.push_str("[...]\n");
            break;
        }
        let line = if line.is_empty() { "." } else { line };
        writeln!(text, "{line}").expect("a string");
    }
    for line in run.stderr.lines() {
        let line = format!("2| {line}");
        writeln!(text, "{}", line.trim_end()).expect("a string");
    }
    writeln!(text, "exit {}", run.code).expect("a string");
    text
}

/// Words of a command; double quotes keep words together.
fn words(line: &str) -> Vec<String> {
    line.split('"')
        .enumerate()
        .flat_map(|(number, part)| {
            if number % 2 == 1 {
                vec![part.to_owned()]
            } else {
                part.split_whitespace().map(str::to_owned).collect()
            }
        })
        .collect()
}

/// Versions change with every release, temporary folders with every run, and what a pack holds with every rule.
fn mask(text: &str, folder: &Path) -> String {
    let text = text
        .replace(&folder.display().to_string(), "FOLDER")
        .replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let counted =
        regex::Regex::new("[0-9]+ (rules|indicators|needs|examples)\\b").expect("it is right");
    let versioned = regex::Regex::new("(?m)^(proxylogon|sunburst) [0-9.]+:").expect("it is right");
    let text = counted.replace_all(&text, "N $1");
    versioned.replace_all(&text, "$1 VERSION:").into_owned()
}

/// A compromised server, small enough to be read in a moment.
fn compromised(folder: &Path) {
    let time = |text: &str| text.parse::<Timestamp>().expect("a constant that parses");
    let options = range::Options {
        start: time("2021-02-25T00:00:00Z"),
        end: time("2021-03-12T00:00:00Z"),
        ..range::Options::new("proxylogon", 1)
    };
    range::make_in_folder(&options, folder).expect("the scenario can be made");
}

/// `check` of that server, with further arguments.
fn check<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["check", "evidence", "--known", "known-files.csv"];
    all.extend(arguments);
    all
}

#[test]
fn a_case_gives_the_same_answers_in_every_form() {
    let folder = TempDir::new().expect("a temporary folder");
    let folder = folder.path();
    compromised(folder);
    for format in ["text", "json"] {
        let arguments = ["--case", "case", "--format", format, "--quiet"];
        let checked = allclear(folder, &check(&arguments));
        let told = allclear(folder, &["report", "case", "--format", format]);
        assert_eq!((checked.code, told.code), (1, 1), "{}", checked.stderr);
        assert_eq!(checked.stdout, told.stdout);
        assert_eq!(checked.stderr, "");
    }
    let report = ["report", "case", "--format", "json"];
    let kept = allclear(folder, &report).stdout;
    let report: Report = serde_json::from_str(&kept).expect("it has the documented form");
    let arguments = ["--case", "case", "--manifest", "manifest.jsonl", "--quiet"];
    assert_eq!(allclear(folder, &check(&arguments)).code, 1);
    let manifest = read(&folder.join("manifest.jsonl"));
    assert_eq!(manifest.lines().count() as u64, report.accounting.items);

    let written = |format: &str| {
        let arguments = ["report", "case", "--format", format, "--output", "out"];
        let run = allclear(folder, &arguments);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{}", run.stderr);
        read(&folder.join("out"))
    };
    let campaigns: usize = report.hosts.iter().map(|host| host.campaigns.len()).sum();
    let objects = written("ndjson");
    let objects: Vec<serde_json::Value> = objects
        .lines()
        .map(|line| serde_json::from_str(line).expect("one object a line"))
        .collect();
    assert!(objects.len() >= campaigns + report.findings.len() + report.gaps.len());
    assert_eq!(written("json"), kept);
    assert!(written("html").starts_with("<!DOCTYPE html>"));
    let markdown = written("markdown");
    assert!(markdown.starts_with("# "), "{markdown}");
    for text in [&markdown, &written("text")] {
        assert!(text.to_lowercase().contains("compromised"));
    }
}

/// Away from a terminal nothing steers one, whether or not colours are wished for.
#[test]
fn no_terminal_no_escapes() {
    let folder = TempDir::new().expect("a temporary folder");
    fs::create_dir(folder.path().join("empty")).expect("a new folder");
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "xterm-256color")] {
        for arguments in [
            ["check", "empty"],
            ["check", "--help"],
            ["check", "--nosuch"],
        ] {
            let output = command(folder.path())
                .args(arguments)
                .env(name, value)
                .output()
                .expect("the binary starts");
            let run = run_of(output);
            assert!(!run.stdout.contains('\u{1b}'), "{}", run.stdout);
            assert!(!run.stderr.contains('\u{1b}'), "{}", run.stderr);
        }
    }
}

/// Whoever reads only the first line still gets the exit code of the verdict, and no complaint.
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = TempDir::new().expect("a temporary folder");
    compromised(folder.path());
    let mut child = command(folder.path())
        // More than a pipe holds, so that the binary meets the closed end.
        .args(check(&["--format", "json"]))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut first = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    stdout.read_line(&mut first).expect("a first line");
    drop(stdout);
    let mut complaints = String::new();
    let mut stderr = child.stderr.take().expect("it is piped");
    stderr.read_to_string(&mut complaints).expect("it ends");
    let status = child.wait().expect("it ends");
    assert!(first.starts_with('{'), "{first}");
    assert_eq!((status.code(), complaints.as_str()), (Some(1), ""));
}

/// A full disk is told as what it is: the answer did not arrive.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure() {
    let folder = TempDir::new().expect("a temporary folder");
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("Linux has it");
    let output = command(folder.path())
        .args(["pack", "list"])
        .stdout(full)
        .output()
        .expect("the binary starts");
    let run = run_of(output);
    assert_eq!(run.code, 4);
    assert!(
        run.stderr
            .starts_with("allclear: cannot write to standard output: "),
        "{}",
        run.stderr
    );
}

/// Lists as they were published stand in `shared/evidence/indicators` of the project, and not in this repository.
#[test]
fn published_lists_can_be_drafted_from() {
    let lists = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../../shared/evidence/indicators"
    ));
    let Ok(entries) = fs::read_dir(lists) else {
        println!("skipped: {} is not there", lists.display());
        return;
    };
    let folder = TempDir::new().expect("a temporary folder");
    let mut drafted = 0;
    for (number, entry) in entries.enumerate() {
        let list = entry.expect("it can be listed").path();
        let (name, list) = (format!("draft-{number}"), list.display().to_string());
        let made = allclear(folder.path(), &["pack", "new", &name, "--from", &list]);
        assert_eq!(made.code, 0, "{list}: {}{}", made.stdout, made.stderr);
        let linted = allclear(folder.path(), &["pack", "lint", &name]);
        for code in ["P001", "P002", "P003", "P004", "P005", "P006"] {
            assert!(!linted.stdout.contains(code), "{list}: {}", linted.stdout);
        }
        let table = read(&folder.path().join(&name).join("indicators.csv"));
        let rules = folder.path().join(&name).join("rules");
        assert!(table.lines().count() > 1 || rules.is_dir(), "{list}");
        drafted += 1;
    }
    assert!(drafted > 0, "{} is empty", lists.display());
}

/// Rules whose logs SigmaHQ has published by now.
const PUBLISHED_PAIRS_MIN: u64 = 200;

/// A copy of <https://github.com/SigmaHQ/sigma> is not part of this repository: `ALLCLEAR_SIGMA`, or the sibling folder
/// `shared/evidence/sigma/repository` of the project, holds it.
#[test]
fn published_rules_match_the_logs_published_with_them() {
    let folder = match std::env::var_os("ALLCLEAR_SIGMA") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../shared/evidence/sigma/repository"
        )),
    };
    if !folder.join("regression_data").is_dir() {
        println!("skipped: {} holds no regression data", folder.display());
        return;
    }
    let run = allclear(&folder, &["rules", "test", ".", "--format", "json"]);
    let tested: serde_json::Value = serde_json::from_str(&run.stdout).expect("an object");
    let pairs = tested["pairs"].as_array().expect("a list");
    let missed = pairs.iter().filter(|pair| pair["outcome"] != "pass");
    let missed: Vec<_> = missed.collect();
    assert!(missed.is_empty(), "{missed:#?}");
    assert!(tested["counts"]["pairs"].as_u64() >= Some(PUBLISHED_PAIRS_MIN));
    assert_eq!(run.code, 0);
}
