//! Zeek's `dns.log`: what a sensor saw asked and answered, as rows under a head or as one JSON object a line.
//!
//! Formats: <https://docs.zeek.org/en/master/logs/dns.html> and
//! <https://docs.zeek.org/en/master/log-formats.html>. Times count seconds since 1970, or are in ISO 8601 in UTC. In rows,
//! `-` is an unset field, `(empty)` an empty one, and `\x09` an escaped byte.

use super::{DnsRecord, first_lines};
use crate::text::plain::{LineReader, read_lines};
use crate::text::time::iso_time;
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{SourceName, Timestamp};
use serde_json::Value;
use std::borrow::Cow;

/// More columns than any of Zeek's logs has.
const COLUMNS_MAX: usize = 256;

#[derive(Debug)]
pub(crate) struct Zeek;

impl Artifact for Zeek {
    fn kind(&self) -> &'static str {
        "dns.zeek"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let lines = first_lines(probe.head, &["id.orig_h", "#path"]);
        let is_head = |line: &String| {
            line.strip_prefix("#fields").is_some_and(|names| {
                let has = |wanted: &str| names.split(['\t', ',']).any(|name| name == wanted);
                has("query") && has("id.orig_h")
            }) || line.trim_end() == "#path\tdns"
        };
        let is_object = |line: &String| {
            line.trim_start().starts_with('{')
                && line.contains("\"id.orig_h\"")
                && (line.contains("\"query\"") || line.contains("\"qtype_name\""))
        };
        if lines.iter().any(is_head) || lines.first().is_some_and(is_object) {
            Match::Content
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
            separator: '\t',
            set_separator: ",".to_owned(),
            columns: Vec::new(),
        };
        read_lines(content, sink, &mut reader);
    }
}

struct Rows<'a> {
    source: &'a SourceName,
    separator: char,
    /// Between the values of one field.
    set_separator: String,
    columns: Vec<String>,
}

impl LineReader for Rows<'_> {
    fn line(
        &mut self,
        number: u64,
        line: &str,
        sink: &mut dyn Sink,
    ) -> Result<Option<Timestamp>, &'static str> {
        if let Some(head) = line.strip_prefix('#') {
            self.head(head);
            return Ok(None);
        }
        let mut record = DnsRecord::new(self.source, number, line);
        if line.trim_start().starts_with('{') {
            object(line, &mut record)?;
        } else {
            self.row(line, &mut record)?;
        }
        normalise(&mut record);
        sink.record(&record);
        Ok(record.time)
    }
}

impl Rows<'_> {
    fn head(&mut self, head: &str) {
        let (key, value) = head.split_once([' ', self.separator]).unwrap_or((head, ""));
        match key {
            "separator" => {
                let plain = unescaped(value.trim());
                self.separator = plain.chars().next().unwrap_or('\t');
            }
            "set_separator" if !value.is_empty() => value.clone_into(&mut self.set_separator),
            "fields" => {
                let names = value.split(self.separator).take(COLUMNS_MAX);
                self.columns = names.map(str::to_owned).collect();
            }
            _ => {}
        }
    }

    fn row<'l>(&self, line: &'l str, record: &mut DnsRecord<'l>) -> Result<(), &'static str> {
        if self.columns.is_empty() {
            return Err("no head");
        }
        let values: Vec<&str> = line.split(self.separator).collect();
        match values.len() {
            count if count < self.columns.len() => return Err("fewer fields than the head"),
            count if count > self.columns.len() => return Err("more fields than the head"),
            _ => {}
        }
        for (name, value) in self.columns.iter().zip(values) {
            if matches!(value, "-" | "(empty)") {
                continue;
            }
            let value = if matches!(name.as_str(), "answers" | "TTLs") {
                Cow::Owned(value.replace(&self.set_separator, ", "))
            } else {
                unescaped(value)
            };
            record.add(name.clone(), value);
        }
        Ok(())
    }
}

fn object(line: &str, record: &mut DnsRecord<'_>) -> Result<(), &'static str> {
    let Ok(Value::Object(fields)) = serde_json::from_str(line) else {
        return Err("not a JSON object");
    };
    for (name, value) in fields {
        let text = match value {
            Value::String(text) => text,
            Value::Array(values) => {
                let texts = values.iter().map(|value| match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
                texts.collect::<Vec<_>>().join(", ")
            }
            Value::Null => continue,
            other => other.to_string(),
        };
        record.add(name, text);
    }
    Ok(())
}

/// Adds the names that all DNS logs share, and the time.
fn normalise(record: &mut DnsRecord<'_>) {
    let value = |own: &str| {
        let mut fields = record.fields.iter();
        let found = fields.find(|(name, _)| name == own);
        found.map(|(_, value)| value.clone().into_owned())
    };
    let added: Vec<(&'static str, String)> = [
        ("type", "qtype_name"),
        ("client", "id.orig_h"),
        ("answer", "answers"),
        ("response", "rcode_name"),
    ]
    .into_iter()
    .filter_map(|(name, own)| Some((name, value(own)?)))
    .collect();
    record.time = value("ts").and_then(|text| time(&text));
    for (name, text) in added {
        record.add(name, text);
    }
}

/// Seconds since 1970 with a fraction, or ISO 8601.
fn time(text: &str) -> Option<Timestamp> {
    if text.contains('T') {
        return iso_time(text.as_bytes());
    }
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let seconds: i64 = seconds.parse().ok()?;
    let micros: i64 = digits
        .parse()
        .ok()
        .filter(|micros| (0..1_000_000).contains(micros))?;
    Timestamp::from_microsecond(seconds.checked_mul(1_000_000)?.checked_add(micros)?).ok()
}

/// Undoes `\x09`; other backslashes stay.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains("\\x") {
        return Cow::Borrowed(text);
    }
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        plain.push_str(before);
        let code = after
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code) if code.is_ascii() => {
                plain.push(char::from(code));
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                plain.push_str("\\x");
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}
