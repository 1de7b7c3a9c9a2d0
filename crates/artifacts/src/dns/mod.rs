//! Logs of DNS servers, and lists of what others saw them answer: who asked for which name, when, and what came back.
//!
//! Normalised fields, beside each log's own: `query` (the name as it was asked for, without the last dot), `type`,
//! `client` (who asked this server; absent in what the server asks others), `answer` (addresses and names, joined by
//! `, `), `response` (`NOERROR`, `NXDOMAIN`, …), and `local_time` where a log writes times without saying of which zone:
//! such a record has no time.

pub(crate) mod bind;
pub(crate) mod dnsmasq;
pub(crate) mod passive;
pub(crate) mod windows_debug;
pub(crate) mod zeek;

use crate::Sink;
use crate::text::lines::{head_text, may_hold};
use model::{At, GapKind, Record, SourceName, Timestamp, Value};
use std::borrow::Cow;

/// Bytes of a head that are looked at to recognise a log.
const HEAD_BYTES: usize = 16 * 1024;

/// Lines of a head that are looked at.
const HEAD_LINES: usize = 64;

/// One line of a DNS log.
struct DnsRecord<'a> {
    source: &'a SourceName,
    line: &'a str,
    number: u64,
    time: Option<Timestamp>,
    fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> DnsRecord<'a> {
    fn new(source: &'a SourceName, number: u64, line: &'a str) -> Self {
        Self {
            source,
            line,
            number,
            time: None,
            fields: Vec::new(),
        }
    }

    /// Adds a field, unless it is empty.
    fn add(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        let value = value.into();
        if !value.is_empty() {
            self.fields.push((name.into(), value));
        }
    }

    /// Adds a name that was asked for, without the dot of the root.
    fn add_query(&mut self, name: &'a str) {
        self.add("query", name.strip_suffix('.').unwrap_or(name));
    }
}

impl Record for DnsRecord<'_> {
    fn source(&self) -> &SourceName {
        self.source
    }

    fn time(&self) -> Option<Timestamp> {
        self.time
    }

    fn at(&self) -> At {
        At::Line(self.number)
    }

    fn get(&self, field: &str) -> Option<Value<'_>> {
        let (_, value) = self.fields.iter().find(|(name, _)| name == field)?;
        Some(Value::text(value.as_ref()))
    }

    fn each_field(&self, visit: &mut dyn FnMut(&str, Value<'_>)) {
        for (name, value) in &self.fields {
            visit(name, Value::text(value.as_ref()));
        }
    }

    fn raw(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.line)
    }
}

/// Counts records whose time lacks a zone or a year, and tells them as one gap.
#[derive(Default)]
struct Undated {
    count: u64,
    first: Option<u64>,
}

impl Undated {
    fn see(&mut self, record: &DnsRecord<'_>) {
        if record.time.is_none() {
            self.count += 1;
            self.first.get_or_insert(record.number);
        }
    }

    fn finish(&self, sink: &mut dyn Sink) {
        let Some(first) = self.first else {
            return;
        };
        let detail = format!(
            "{} records have a time whose zone or year the log does not say; they are read without a time",
            self.count
        );
        sink.gap(
            GapKind::NotUnderstood,
            At::Line(first),
            (None, None),
            &detail,
        );
    }
}

/// The first lines of an item that hold anything; none where none of these words, as far as there are any, stands in them.
fn first_lines(head: &[u8], words: &[&str]) -> Vec<String> {
    let beginning = head.get(..head.len().min(HEAD_BYTES)).unwrap_or_default();
    if !words.is_empty() && !may_hold(beginning, words) {
        return Vec::new();
    }
    let text = head_text(beginning);
    // A head that is cut off in the middle of a line says nothing by that line, unless there is no other.
    let whole = if head.len() > HEAD_BYTES {
        text.rsplit_once('\n')
            .map_or(text.as_str(), |(lines, _)| lines)
    } else {
        text.as_str()
    };
    let lines = whole.lines().filter(|line| !line.trim().is_empty());
    lines.take(HEAD_LINES).map(str::to_owned).collect()
}

/// Whether a text may be a host's name: labels of letters, digits, hyphens and underscores.
fn is_host_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(inner)
    };
    text.len() <= 253
        && text.contains('.')
        && text.split('.').all(is_label)
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}
