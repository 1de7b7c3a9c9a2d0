//! The one way readers are tested: bytes in, everything the reader says out as text.
//!
//! Golden cases are found by glob: every `src/**/tests/NAME.in` (bytes as they are) or `NAME.in.b64` (base64, for
//! inputs that an antivirus would delete) has a `NAME.out` beside it. `UPDATE_EXPECT=1` rewrites the `.out` files.
//! A `.out` begins with lines that steer the run, and that are kept when it is rewritten:
//!
//! ```text
//! # path: C:\inetpub\logs\LogFiles\W3SVC1\u_ex210303.log     original path that the item is probed under
//! # fields: cs-uri-stem, status                              fields to show of each record; `*` shows all, `-` none
//! ```
//!
//! Without them the path is `C:\case\NAME` and all fields are shown. Inputs that are damaged are named `damaged*`.
//! Short cases stand inline instead: `check(path, bytes, fields, expect![…])`.

use crate::{ARTIFACTS, Artifact, Item, Match, Probe, Sink, recognise};
use evidence::{Bytes, Content};
use model::{At, Fact, GapKind, Record, Timestamp};
use std::fmt::Write;

/// Everything a reader said about one item, as text.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) records: Vec<String>,
    pub(crate) rejected: Vec<String>,
    pub(crate) facts: Vec<String>,
    pub(crate) gaps: Vec<String>,
    /// Fields to show; empty shows none, `*` all.
    fields: Vec<String>,
}

impl Said {
    /// Shows these fields of each record.
    pub(crate) fn showing(fields: &[&str]) -> Self {
        Self {
            fields: fields.iter().map(|name| (*name).to_owned()).collect(),
            ..Self::default()
        }
    }
}

impl Sink for Said {
    fn record(&mut self, record: &dyn Record) {
        // Whoever hunts by keyword or shows the record calls these; they must hold for every record.
        let _raw = record.raw();
        let _source = record.source();
        let mut fields = Vec::new();
        record.each_field(&mut |name, value| {
            fields.push((name.to_owned(), value.to_text().into_owned()));
        });
        if !self.fields.iter().any(|name| name == "*") {
            fields = self
                .fields
                .iter()
                .filter_map(|name| {
                    let value = record.get(name)?;
                    Some((name.clone(), value.to_text().into_owned()))
                })
                .collect();
        }
        let mut line = format!("{} | {}", time(record.time()), place(record.at()));
        for (name, value) in fields {
            let value = value
                .escape_debug()
                .to_string()
                .replace("\\\"", "\"")
                .replace("\\'", "'");
            let _infallible = write!(line, " | {name}={value}");
        }
        self.records.push(line);
    }

    fn rejected(&mut self, at: At, reason: &str) {
        self.rejected.push(format!("{} | {reason}", place(at)));
    }

    fn fact(&mut self, at: At, fact: Fact) {
        let fact = serde_json::to_string(&fact).expect("facts are plain data");
        self.facts.push(format!("{} | {fact}", place(at)));
    }

    fn gap(
        &mut self,
        kind: GapKind,
        at: At,
        (from, until): (Option<Timestamp>, Option<Timestamp>),
        detail: &str,
    ) {
        let span = match (from, until) {
            (None, None) => String::new(),
            (from, until) => format!(" | {} to {}", time(from), time(until)),
        };
        self.gaps
            .push(format!("{} | {}{span} | {detail}", kind.name(), place(at)));
    }
}

/// Lets the surest reader read `bytes` as an item at `path`, and says what came of it as text.
pub(crate) fn read_as_text(path: &str, bytes: &[u8], fields: &[&str]) -> String {
    let mut content = Bytes(bytes.to_vec());
    let head = content.head().to_vec();
    let probe = Probe {
        path,
        head: &head,
        size: content.size(),
    };
    let Some(artifact) = recognise(&probe) else {
        return "not recognised\n".to_owned();
    };
    let mut text = format!("kind: {}", artifact.kind());
    if artifact.recognise(&probe) == Match::Path {
        text.push_str(" (by path)");
    }
    text.push('\n');
    if let Some(source) = artifact.source(&probe) {
        let _infallible = writeln!(text, "source: {source}");
    }
    let said = read_with(artifact, path, bytes, fields);
    for (title, lines) in [
        ("records", &said.records),
        ("rejected", &said.rejected),
        ("facts", &said.facts),
        ("gaps", &said.gaps),
    ] {
        let _infallible = writeln!(text, "{title}: {}", lines.len());
        for line in lines {
            let _infallible = writeln!(text, "  {line}");
        }
    }
    text
}

/// Everything `artifact` says about `bytes`, recognised or not.
pub(crate) fn read_with(
    artifact: &dyn Artifact,
    path: &str,
    bytes: &[u8],
    fields: &[&str],
) -> Said {
    let mut said = Said {
        fields: fields.iter().map(|&name| name.to_owned()).collect(),
        ..Said::default()
    };
    artifact.read(&Item { path }, &mut Bytes(bytes.to_vec()), &mut said);
    said
}

/// Compares what is read from `bytes` at `path` with an inline expectation.
#[expect(
    clippy::needless_pass_by_value,
    reason = "expect! makes a value; callers stay short"
)]
pub(crate) fn check(path: &str, bytes: &[u8], fields: &[&str], expected: expect_test::Expect) {
    expected.assert_eq(&read_as_text(path, bytes, fields));
}

fn time(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| time.to_string())
}

fn place(at: At) -> String {
    match at {
        At::Item => "item".to_owned(),
        At::Line(line) => format!("line {line}"),
        At::Record(record) => format!("record {record}"),
        At::Offset(offset) => format!("byte {offset}"),
    }
}

mod tests {
    use super::*;
    use base64::Engine;
    use proptest::prelude::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::path::{Path, PathBuf};

    /// All `.in` and `.in.b64` files below `folder` that lie in a folder `tests`.
    fn cases(folder: &Path, found: &mut Vec<PathBuf>) {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                cases(&path, found);
            } else if folder.ends_with("tests")
                && (path.to_string_lossy().ends_with(".in")
                    || path.to_string_lossy().ends_with(".in.b64"))
            {
                found.push(path);
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "test data, not evidence")]
    fn run(case: &Path) {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let mut bytes = std::fs::read(case).unwrap();
        let stem = if let Some(stem) = name.strip_suffix(".in.b64") {
            bytes.retain(|byte| !byte.is_ascii_whitespace());
            bytes = base64::prelude::BASE64_STANDARD.decode(bytes).unwrap();
            stem
        } else {
            name.strip_suffix(".in").unwrap()
        };
        let out = case.with_file_name(format!("{stem}.out"));
        let known = std::fs::read_to_string(&out).unwrap_or_default();
        let steering: Vec<&str> = known
            .lines()
            .take_while(|line| line.starts_with("# "))
            .collect();
        let value_of = |key: &str| {
            steering
                .iter()
                .find_map(|line| line.strip_prefix(key))
                .map(str::trim)
        };
        let default_path = format!("C:\\case\\{stem}");
        let path = value_of("# path:").unwrap_or(&default_path);
        let fields: Vec<&str> = match value_of("# fields:") {
            None => vec!["*"],
            Some("-") => Vec::new(),
            Some(names) => names.split(',').map(str::trim).collect(),
        };
        let mut text = String::new();
        for line in &steering {
            let _infallible = writeln!(text, "{line}");
        }
        text.push_str(&read_as_text(path, &bytes, &fields));
        expect_test::expect_file![out].assert_eq(&text);
    }

    #[test]
    fn golden_cases_read_as_expected() {
        let mut found = Vec::new();
        cases(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut found,
        );
        let failed: Vec<String> = found
            .iter()
            .filter(|case| catch_unwind(AssertUnwindSafe(|| run(case))).is_err())
            .map(|case| case.display().to_string())
            .collect();
        assert!(failed.is_empty(), "golden cases differ: {failed:#?}");
    }

    #[test]
    fn what_nobody_knows_is_not_recognised() {
        let expected = expect_test::expect![["not recognised\n"]];
        check("C:\\case\\notes.bin", b"nothing known", &["*"], expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn no_reader_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
            for artifact in ARTIFACTS {
                read_with(*artifact, "C:\\case\\any.bin", &bytes, &["*"]);
            }
        }

        #[test]
        fn no_reader_panics_on_damaged_golden_cases(
            chosen in any::<prop::sample::Index>(),
            cut in any::<prop::sample::Index>(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        ) {
            let mut found = Vec::new();
            cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
            found.retain(|case| case.to_string_lossy().ends_with(".in"));
            prop_assume!(!found.is_empty());
            #[expect(clippy::disallowed_methods, reason = "test data, not evidence")]
            let mut bytes = std::fs::read(chosen.get(&found)).unwrap();
            prop_assume!(!bytes.is_empty());
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(cut.index(bytes.len()).max(bytes.len() / 2));
            for artifact in ARTIFACTS {
                read_with(*artifact, "C:\\case\\any.bin", &bytes, &["*"]);
            }
        }
    }
}
