//! Prints what a reader says of one file, a line of JSON each: for holding readers against other tools on the same input
//! (`cargo xtask conformance`).
//!
//! `records FILE [ORIGINAL-PATH]`: the path decides where the bytes alone do not. Files beside `FILE` with the endings of
//! transaction logs are read with it.

#![expect(
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a tool for the project's own comparisons, not part of the program"
)]

use artifacts::{Item, Probe, Sink};
use evidence::{Bytes, Content, ReadSeek};
use model::{At, Fact, GapKind, Record, Timestamp};
use std::io::{Read, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(file) = arguments.first() else {
        eprintln!("usage: records FILE [ORIGINAL-PATH]");
        return ExitCode::from(2);
    };
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => {
            eprintln!("cannot read {file}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let path = arguments.get(1).map_or(file.as_str(), String::as_str);
    let mut content = WithCompanions {
        file: file.clone(),
        bytes: Bytes(bytes),
    };
    let head = content.head().to_vec();
    let probe = Probe {
        path,
        head: &head,
        size: content.size(),
    };
    let Some(artifact) = artifacts::recognise(&probe) else {
        eprintln!("{file} is of no known kind");
        return ExitCode::FAILURE;
    };
    let mut told = Told {
        out: std::io::BufWriter::new(std::io::stdout().lock()),
    };
    artifact.read(&Item { path }, &mut content, &mut told);
    match told.out.flush() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_closed) => ExitCode::FAILURE,
    }
}

/// A file together with those beside it.
struct WithCompanions {
    file: String,
    bytes: Bytes,
}

impl Content for WithCompanions {
    fn size(&self) -> Option<u64> {
        self.bytes.size()
    }

    fn head(&mut self) -> &[u8] {
        self.bytes.head()
    }

    fn stream(&mut self) -> Box<dyn Read + '_> {
        self.bytes.stream()
    }

    fn seekable(&mut self) -> std::io::Result<Box<dyn ReadSeek + '_>> {
        self.bytes.seekable()
    }

    fn companion(&mut self, ending: &str) -> Option<Vec<u8>> {
        std::fs::read(format!("{}{ending}", self.file)).ok()
    }
}

/// Prints everything.
struct Told<W: Write> {
    out: W,
}

impl<W: Write> Told<W> {
    fn line(&mut self, what: &str, value: &serde_json::Value) {
        // A reader of these lines that went away is noticed at the end.
        let _noticed = writeln!(self.out, "{}", serde_json::json!({ what: value }));
    }
}

impl<W: Write> Sink for Told<W> {
    fn record(&mut self, record: &dyn Record) {
        let mut fields = serde_json::Map::new();
        record.each_field(&mut |name, value| {
            fields.insert(name.to_owned(), value.to_text().into_owned().into());
        });
        let time = record.time().map(|time| time.to_string());
        let value = serde_json::json!({
            "source": record.source().as_str(), "time": time, "fields": fields,
        });
        self.line("record", &value);
    }

    fn rejected(&mut self, _at: At, reason: &str) {
        self.line("rejected", &reason.into());
    }

    fn fact(&mut self, _at: At, fact: Fact) {
        let value = serde_json::to_value(&fact).unwrap_or_default();
        self.line("fact", &value);
    }

    fn gap(
        &mut self,
        kind: GapKind,
        _at: At,
        _span: (Option<Timestamp>, Option<Timestamp>),
        detail: &str,
    ) {
        self.line("gap", &format!("{}: {detail}", kind.name()).into());
    }
}
