//! Passive DNS: which names sensors elsewhere saw asked for, without who asked. A table with a head, or names alone.
//!
//! There is no one format. The common output format (<https://datatracker.ietf.org/doc/html/draft-dulaunoy-dnsop-passive-dns-cof>)
//! names its columns `rrname`, `rrtype`, `rdata`, `time_first`, `time_last`; others write `query` or `FQDN`, `answer`,
//! `First Seen`. Values may be defanged (`example[.]com`). A record's time is the first that it tells. A list of nothing
//! but names is one only where its own name says `dns`.

use super::{DnsRecord, first_lines, is_host_name};
use crate::text::plain::{LineReader, read_lines};
use crate::text::row::fields;
use crate::text::time::iso_time;
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{SourceName, Timestamp};

const NAME: [&str; 7] = [
    "rrname", "query", "qname", "fqdn", "hostname", "domain", "name",
];
const KIND: [&str; 5] = ["rrtype", "type", "qtype", "dns record type", "record_type"];
const ANSWER: [&str; 6] = ["rdata", "answer", "response", "value", "target", "ip"];
const FIRST: [&str; 5] = [
    "time_first",
    "first_seen",
    "first seen",
    "firstseen",
    "first",
];
const LAST: [&str; 5] = ["time_last", "last_seen", "last seen", "lastseen", "last"];

/// Names that a list must hold at the least to be one.
const NAMES_MIN: usize = 3;

/// Columns beyond these are no table of names.
const COLUMNS_MAX: usize = 128;

#[derive(Debug)]
pub(crate) struct PassiveDns;

impl Artifact for PassiveDns {
    fn kind(&self) -> &'static str {
        "dns.passive"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let lines = first_lines(probe.head, &[]);
        if lines
            .first()
            .is_some_and(|line| Columns::of(line).is_some())
        {
            return Match::Content;
        }
        let name = model::file_name(probe.path).to_ascii_lowercase();
        let names = lines
            .iter()
            .filter(|line| is_host_name(line.trim()))
            .count();
        if name.contains("dns") && names >= NAMES_MIN && names == lines.len() {
            Match::Path
        } else {
            Match::No
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::new(self.kind()))
    }

    fn read(&self, _item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let source = SourceName::new(self.kind());
        let mut reader = Rows {
            source: &source,
            columns: None,
            begun: false,
        };
        read_lines(content, sink, &mut reader);
    }
}

struct Rows<'a> {
    source: &'a SourceName,
    columns: Option<Columns>,
    begun: bool,
}

/// Where what stands.
struct Columns {
    delimiter: char,
    names: Vec<String>,
    name: usize,
    kind: Option<usize>,
    answers: Vec<usize>,
    first: Option<usize>,
    last: Option<usize>,
}

impl LineReader for Rows<'_> {
    fn line(
        &mut self,
        number: u64,
        line: &str,
        sink: &mut dyn Sink,
    ) -> Result<Option<Timestamp>, &'static str> {
        if !std::mem::replace(&mut self.begun, true) {
            self.columns = Columns::of(line);
            if self.columns.is_some() {
                return Ok(None);
            }
        }
        let mut record = DnsRecord::new(self.source, number, line);
        match &self.columns {
            Some(columns) => columns.row(line, &mut record)?,
            None if is_host_name(line.trim()) => record.add_query(line.trim()),
            None => return Err("no name of a host"),
        }
        sink.record(&record);
        Ok(record.time)
    }
}

impl Columns {
    /// Reads a head; `None` where it names no name, or nothing that belongs to DNS besides.
    fn of(line: &str) -> Option<Self> {
        let delimiter = [',', '\t', ';', '|']
            .into_iter()
            .max_by_key(|delimiter| line.matches(*delimiter).count())?;
        let names: Vec<String> =
            fields(line.trim_start_matches('\u{feff}'), delimiter, COLUMNS_MAX)
                .iter()
                .map(|name| name.trim().to_owned())
                .collect();
        let place = |wanted: &[&str]| {
            wanted.iter().find_map(|wanted| {
                let mut own = names.iter();
                own.position(|name| name.eq_ignore_ascii_case(wanted))
            })
        };
        let (kind, first, last) = (place(&KIND), place(&FIRST), place(&LAST));
        let answers: Vec<usize> = ANSWER
            .iter()
            .filter_map(|wanted| {
                names
                    .iter()
                    .position(|name| name.eq_ignore_ascii_case(wanted))
            })
            .collect();
        let name = place(&NAME)?;
        let is_dns = !answers.is_empty() && (first.is_some() || last.is_some());
        (is_dns && names.len() <= COLUMNS_MAX).then_some(Self {
            delimiter,
            names,
            name,
            kind,
            answers,
            first,
            last,
        })
    }

    fn row(&self, line: &str, record: &mut DnsRecord<'_>) -> Result<(), &'static str> {
        let values = fields(line, self.delimiter, COLUMNS_MAX);
        if values.len() < self.names.len() {
            return Err("fewer fields than the head");
        }
        if values.len() > self.names.len() {
            return Err("more fields than the head");
        }
        let value = |column: usize| values.get(column).map_or("", |value| value.trim());
        let name = value(self.name).replace("[.]", ".");
        if !is_host_name(&name) {
            return Err("no name of a host");
        }
        for (own, value) in self.names.iter().zip(&values) {
            record.add(own.clone(), value.trim().to_owned());
        }
        record.add("query", name.trim_end_matches('.').to_owned());
        record.add("type", self.kind.map_or("", value).to_owned());
        let answers = self.answers.iter().map(|column| value(*column));
        let answers: Vec<String> = answers
            .filter(|answer| !answer.is_empty())
            .map(|answer| answer.replace("[.]", "."))
            .collect();
        record.add("answer", answers.join(", "));
        record.add("last_seen", self.last.map_or("", value).to_owned());
        let dated = self.first.or(self.last);
        record.time = dated.and_then(|column| time(value(column)));
        Ok(())
    }
}

/// Seconds since 1970, or ISO 8601 in UTC.
fn time(text: &str) -> Option<Timestamp> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Timestamp::from_second(text.parse().ok()?).ok();
    }
    iso_time(text.as_bytes())
}
