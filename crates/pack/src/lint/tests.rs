//! Packs with faults (`testdata/*.in`) and what their authors are told (`.out`).
//!
//! A case is a comment, then files, each headed by `== path`. It replaces files of `good.in`, or takes them out with
//! `== path (removed)`.

use super::*;
use expect_test::expect_file;
use std::fs::{self, OpenOptions};
use std::io::Read;

const TESTDATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata");

fn read(name: &str) -> String {
    let mut text = String::new();
    let mut file = OpenOptions::new()
        .read(true)
        .open(format!("{TESTDATA}/{name}"))
        .unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

/// Puts the files of a case over those that are there.
fn overlay(files: &mut PackFiles, case: &str) {
    let sections = format!("\n{case}");
    for section in sections.split("\n== ").skip(1) {
        let (path, content) = section.split_once('\n').unwrap_or((section, ""));
        if let Some(path) = path.strip_suffix(" (removed)") {
            files.files.remove(path);
        } else {
            let content = format!("{content}\n").into_bytes();
            files.files.insert(path.to_owned(), content);
        }
    }
}

fn good() -> PackFiles {
    let mut files = PackFiles {
        name: "good".to_owned(),
        files: BTreeMap::new(),
    };
    overlay(&mut files, &read("good.in"));
    files
}

#[test]
fn authors_are_told_every_fault() {
    let mut names: Vec<String> = fs::read_dir(TESTDATA)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| Some(name.strip_suffix(".in")?.to_owned()))
        .collect();
    names.sort();
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        let mut files = good();
        overlay(&mut files, &read(&format!("{name}.in")));
        let problems: Vec<String> = lint_files(&files)
            .iter()
            .map(|problem| format!("{problem}\n"))
            .collect();
        expect_file![format!("{TESTDATA}/{name}.out")].assert_eq(&problems.join("\n"));
    }
}

#[test]
fn every_code_is_told_by_some_case() {
    let outs: String = ["cannot-be-loaded", "tables", "words", "rules", "draft"]
        .map(|name| read(&format!("{name}.out")))
        .concat();
    let untold: Vec<&str> = Code::ALL
        .iter()
        .map(|code| code.as_str())
        .filter(|code| !outs.contains(&format!("error[{code}]")))
        .collect();
    // An unreadable file cannot stand in a case; other tests make one.
    assert_eq!(untold, ["P002"]);
}

#[test]
fn every_code_is_documented() {
    let page = include_str!("../../../../docs/writing-a-pack.md");
    for code in Code::ALL {
        assert!(page.contains(code.as_str()), "{}", code.as_str());
    }
}

#[test]
fn files_that_are_not_text_are_told() {
    let mut files = good();
    files
        .files
        .insert("needs.yaml".to_owned(), vec![0xFF, 0xFE, 0]);
    let problems = lint_files(&files);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].code, Code::FileUnreadable);
}

#[test]
fn a_cut_off_pack_never_panics() {
    let whole = good();
    for (path, bytes) in &whole.files {
        for end in 0..bytes.len() {
            let mut cut = whole.clone();
            cut.files.insert(path.clone(), bytes[..end].to_vec());
            // Whatever is told, it is told as a problem.
            let _problems = Pack::from_files(&cut);
        }
    }
}

#[test]
fn built_in_packs_are_without_fault() {
    for files in PackFiles::builtin() {
        let problems = lint_files(&files);
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(shown.is_empty(), "{}:\n{}", files.name, shown.join("\n\n"));
    }
}
