//! Plain listings of files, as responders make them where nothing better is at hand.
//!
//! `dir /s`; PowerShell's `Get-ChildItem` and `Get-FileHash` as table, as list or as CSV; one path a line; any other
//! CSV with a column of paths. A listing says that a file was there, never what was in it. Its times are local and
//! stay text.

mod delimited;
mod directory;
mod forms;

use crate::text::lines::head_text;
use crate::text::plain::{LineReader, TextRecord, read_lines};
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use forms::Form;
use model::{At, Fact, GapKind, ListedFile, SourceName, Timestamp, windows_path};

/// Files told per item that say something of an intrusion by their mere name: scripts, programs, archives, dumps.
const FILES_OF_NOTE_MAX: usize = 200_000;

/// Other files told per item; they show that a place was listed at all.
const OTHER_FILES_MAX: usize = 50_000;

/// Extensions of the former.
const EXTENSIONS_OF_NOTE: [&str; 40] = [
    "aspx", "ashx", "asmx", "ascx", "asax", "asp", "cshtml", "vbhtml", "php", "jsp", "jspx", "svc",
    "master", "skin", "config", "compiled", "dll", "exe", "sys", "com", "scr", "cpl", "ps1",
    "psm1", "bat", "cmd", "vbs", "vbe", "js", "jse", "wsf", "hta", "job", "lnk", "7z", "zip",
    "rar", "dmp", "pst", "evtx",
];

#[derive(Debug)]
pub(crate) struct Listing;

impl Artifact for Listing {
    fn kind(&self) -> &'static str {
        "files.listing"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let extension = model::extension(crate::text::names::log_name(probe.path));
        let is_text = matches!(
            extension.as_str(),
            "txt" | "csv" | "tsv" | "log" | "lst" | "out" | ""
        );
        if !is_text {
            return Match::No;
        }
        let head = probe.head.get(..probe.head.len().min(16 * 1024));
        match forms::form_of(&head_text(head.unwrap_or_default())) {
            Some(_) => Match::Content,
            None => Match::No,
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::new("files:listing"))
    }

    fn read(&self, _item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let source = SourceName::new("files:listing");
        let form = forms::form_of(&head_text(content.head())).unwrap_or(Form::Paths);
        let mut files = Files {
            source: &source,
            of_note: 0,
            others: 0,
            untold: 0,
        };
        match form {
            Form::Paths => read_lines(content, sink, &mut Paths { files: &mut files }),
            Form::Directory => {
                read_lines(content, sink, &mut directory::Directory::new(&mut files));
            }
            Form::Blocks => {
                let mut blocks = directory::Blocks::new(&mut files);
                read_lines(content, sink, &mut blocks);
                blocks.finish(sink);
            }
            Form::Delimited(delimiter) => {
                delimited::read(delimiter, content, sink, &mut files);
            }
        }
        if files.untold > 0 {
            let detail = format!("{} more files are listed than are kept", files.untold);
            sink.gap(GapKind::Limit, At::Item, (None, None), &detail);
        }
    }
}

/// Tells listed files as facts, within bounds.
struct Files<'a> {
    source: &'a SourceName,
    of_note: usize,
    others: usize,
    untold: u64,
}

impl Files<'_> {
    fn tell(&mut self, number: u64, file: &ListedFile, sink: &mut dyn Sink) {
        let extension = model::extension(&file.path);
        let of_note = EXTENSIONS_OF_NOTE.contains(&extension.as_str());
        let (count, bound) = if of_note {
            (&mut self.of_note, FILES_OF_NOTE_MAX)
        } else {
            (&mut self.others, OTHER_FILES_MAX)
        };
        if *count >= bound {
            self.untold += 1;
            return;
        }
        *count += 1;
        sink.fact(At::Line(number), Fact::ListedFile(file.clone()));
    }

    /// A file as record and fact.
    fn record(
        &mut self,
        number: u64,
        line: &str,
        file: &ListedFile,
        modified: &str,
        sink: &mut dyn Sink,
    ) {
        let mut record = TextRecord::new(self.source, number, line);
        record.add("target_file", file.path.as_str());
        record.add(
            "size",
            file.size.map(|size| size.to_string()).unwrap_or_default(),
        );
        record.add("sha256", file.sha256.as_deref().unwrap_or_default());
        record.add("modified", modified);
        sink.record(&record);
        self.tell(number, file, sink);
    }

    /// A folder as record only.
    fn folder(&mut self, number: u64, line: &str, path: &str, modified: &str, sink: &mut dyn Sink) {
        let mut record = TextRecord::new(self.source, number, line);
        record.add("folder", path);
        record.add("modified", modified);
        sink.record(&record);
    }
}

/// One path a line.
struct Paths<'a, 'b> {
    files: &'a mut Files<'b>,
}

impl LineReader for Paths<'_, '_> {
    fn line(
        &mut self,
        number: u64,
        line: &str,
        sink: &mut dyn Sink,
    ) -> Result<Option<Timestamp>, &'static str> {
        let path = line.trim().trim_matches('"');
        if !forms::is_absolute(path) {
            return Err("no path");
        }
        if path.ends_with(['\\', '/']) {
            self.files
                .folder(number, line, &windows_path(path), "", sink);
        } else {
            let file = ListedFile {
                path: windows_path(path),
                size: None,
                sha256: None,
            };
            self.files.record(number, line, &file, "", sink);
        }
        Ok(None)
    }
}

/// A SHA-256 in lower-case hex, where a text is one.
fn sha256_of(text: &str) -> Option<String> {
    let text = text.trim();
    (text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .then(|| text.to_ascii_lowercase())
}

/// A size as tools write it: digits with any thousands separators.
fn size_of(text: &str) -> Option<u64> {
    let digits: String = text
        .trim()
        .chars()
        .filter(|c| {
            !matches!(
                c,
                ',' | '.' | '\'' | '\u{2019}' | '\u{a0}' | '\u{202f}' | ' '
            )
        })
        .collect();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}
