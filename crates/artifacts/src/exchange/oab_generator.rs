//! The log of the offline address book's generator: which files it fetched, and which it could not.
//!
//! Written with a head and columns where Exchange's own logger wrote it; copies and older versions are plain lines
//! with a time in front. Every line counts, also one without a time.

use super::log::{EXCHANGE_CSV, LogHead};
use crate::text::names::{begun_by_name, folders, log_name};
use crate::text::plain::{LineReader, TextRecord, read_lines};
use crate::text::table::{Format, read_table};
use crate::text::time::iso_time;
use crate::text::watch::{ExchangeRows, is_log_name};
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{At, Fact, LogFile, SourceName, Timestamp};

/// Rows with a message at their end, whose commas are not always quoted.
const OAB_CSV: Format = Format {
    free: &[
        "Message",
        "Data",
        "Details",
        "Description",
        "GenericInfo",
        "GenericErrors",
    ],
    ..EXCHANGE_CSV
};

#[derive(Debug)]
pub(crate) struct OabGenerator;

impl Artifact for OabGenerator {
    fn kind(&self) -> &'static str {
        "exchange.oab_generator"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let head = LogHead::of(probe);
        match &head.log_type {
            Some(log_type) if log_type.starts_with("oab generator") => return Match::Content,
            Some(log_type) if super::log::is_known_log_type(log_type) => return Match::No,
            _ => {}
        }
        let placed = folders(probe.path)
            .iter()
            .any(|folder| folder == "oabgeneratorlog");
        if placed && is_log_name(probe.path) && !head.is_of_another_product {
            Match::Path
        } else {
            Match::No
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::new(self.kind()))
    }

    fn read(&self, item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let source = SourceName::new(self.kind());
        let size = content.size();
        let head = LogHead::of(&Probe {
            path: item.path,
            head: content.head(),
            size,
        });
        if head
            .text
            .lines()
            .take(64)
            .any(|line| line.starts_with("#Fields:"))
        {
            let mut rows = ExchangeRows::new("OAB generator ServerName", "OAB generator row");
            read_table(&OAB_CSV, &source, item, content, sink, &mut rows);
        } else {
            read_plain(&source, item, content, sink);
        }
    }
}

fn read_plain(
    source: &SourceName,
    item: &Item<'_>,
    content: &mut dyn Content,
    sink: &mut dyn Sink,
) {
    let mut reader = PlainLines {
        source,
        first: None,
        last: None,
        records: 0,
    };
    read_lines(content, sink, &mut reader);
    let by_name = begun_by_name(item.path);
    let log = LogFile {
        source: source.clone(),
        name: log_name(item.path).to_owned(),
        begun: by_name.map(|(begun, _)| begun),
        first: reader.first,
        last: reader.last,
        records: reader.records,
        period_seconds: by_name.map(|(_, period)| period),
        columns: Vec::new(),
    };
    sink.fact(At::Item, Fact::LogFile(log));
}

struct PlainLines<'a> {
    source: &'a SourceName,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    records: u64,
}

impl LineReader for PlainLines<'_> {
    fn line(
        &mut self,
        number: u64,
        line: &str,
        sink: &mut dyn Sink,
    ) -> Result<Option<Timestamp>, &'static str> {
        let mut record = TextRecord::new(self.source, number, line);
        if line.starts_with('#') {
            return Ok(None);
        }
        let (time, message) = leading_time(line);
        record.time = time;
        record.add("Message", message);
        sink.record(&record);
        self.records += 1;
        self.first = [self.first, time].into_iter().flatten().min();
        self.last = [self.last, time].into_iter().flatten().max();
        Ok(time)
    }
}

/// A time at the beginning of a line, and what follows it.
fn leading_time(line: &str) -> (Option<Timestamp>, &str) {
    let text = line.trim_start().trim_start_matches('[');
    // Date and time may have a blank between them, so that the first or the first two words are tried.
    let ends = text
        .char_indices()
        .filter(|(_, c)| matches!(c, ' ' | '\t' | ',' | ';' | ']'))
        .map(|(at, _)| at)
        .take(2);
    for end in ends {
        if let Some(time) = iso_time(&text.as_bytes()[..end]) {
            let message = text[end..].trim_start_matches([' ', '\t', ',', ';', ']', '-']);
            return (Some(time), message);
        }
    }
    (None, line.trim())
}
