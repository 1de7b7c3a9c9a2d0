//! The unified audit log of Microsoft 365, as an administrator exports it: a CSV with the record as JSON in the column
//! `AuditData`, or one JSON object a line.
//!
//! Formats: <https://learn.microsoft.com/purview/audit-log-export-records> and
//! <https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-schema>. Times are in
//! UTC, with or without `Z`. Lists of names and values become fields of their own: `Parameters.Identity`,
//! `ExtendedProperties.UserAgent`, `ModifiedProperties.KeyDescription` with the new value and
//! `ModifiedProperties.KeyDescription.OldValue` with the old. Beside them stand `user`, `client`, `user_agent` and
//! `operation`.

use crate::text::lines::head_text;
use crate::text::plain::{LineReader, read_lines};
use crate::text::row::fields;
use crate::text::time::iso_time;
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{At, Record, SourceName, Timestamp, Value};
use serde_json::Value as Json;
use std::borrow::Cow;

/// The column that holds the record.
const AUDIT_DATA: &str = "AuditData";

/// Columns that say when a row was made, besides the record itself.
const CREATED: [&str; 2] = ["CreationDate", "CreationTime"];

/// Fields of one record; the longest kinds have some hundred.
const FIELDS_MAX: usize = 1_024;

/// Columns beyond these are no export of this log.
const COLUMNS_MAX: usize = 128;

/// Bytes of a head that are looked at.
const HEAD_BYTES: usize = 16 * 1024;

#[derive(Debug)]
pub(crate) struct M365Audit;

impl Artifact for M365Audit {
    fn kind(&self) -> &'static str {
        "m365.audit"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let head = probe.head.get(..probe.head.len().min(HEAD_BYTES));
        let text = head_text(head.unwrap_or_default());
        let Some(line) = text.lines().find(|line| !is_preamble(line)) else {
            return Match::No;
        };
        let is_object = line.trim_start().starts_with('{')
            && ["\"Workload\"", "\"Operation\"", "\"CreationTime\""]
                .iter()
                .all(|name| line.contains(name));
        if is_object || audit_column(line).is_some() {
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
            head: None,
        };
        read_lines(content, sink, &mut reader);
    }
}

/// What PowerShell writes before a table, and lines that hold nothing.
fn is_preamble(line: &str) -> bool {
    line.trim().is_empty()
        || line
            .trim_start_matches(['\u{feff}', '"'])
            .starts_with("#TYPE")
}

/// Number of columns, and which of them holds the record; `None` where the line is no head of such a table.
fn audit_column(line: &str) -> Option<(usize, usize)> {
    let names = fields(line.trim_start_matches('\u{feff}'), ',', COLUMNS_MAX);
    let is_dated = names.iter().any(|name| CREATED.contains(&name.trim()));
    let column = names.iter().position(|name| name.trim() == AUDIT_DATA)?;
    is_dated.then_some((names.len(), column))
}

struct Rows<'a> {
    source: &'a SourceName,
    /// Of a table: number of columns, and the one that holds the record.
    head: Option<(usize, usize)>,
}

impl LineReader for Rows<'_> {
    fn line(
        &mut self,
        number: u64,
        line: &str,
        sink: &mut dyn Sink,
    ) -> Result<Option<Timestamp>, &'static str> {
        if is_preamble(line) {
            return Ok(None);
        }
        if let Some(head) = audit_column(line) {
            self.head = Some(head);
            return Ok(None);
        }
        let json: Cow<'_, str> = match self.head {
            Some((columns, column)) => {
                let mut values = fields(line, ',', COLUMNS_MAX);
                if values.len() < columns {
                    return Err("fewer fields than the head");
                }
                if values.len() > columns {
                    return Err("more fields than the head");
                }
                Cow::Owned(values.swap_remove(column))
            }
            None => Cow::Borrowed(line),
        };
        let record = AuditRecord::parse(self.source, number, line, &json)?;
        sink.record(&record);
        Ok(record.time)
    }
}

/// One record of the log.
struct AuditRecord<'a> {
    source: &'a SourceName,
    number: u64,
    line: &'a str,
    time: Option<Timestamp>,
    fields: Vec<(Cow<'static, str>, String)>,
}

impl<'a> AuditRecord<'a> {
    fn parse(
        source: &'a SourceName,
        number: u64,
        line: &'a str,
        json: &str,
    ) -> Result<Self, &'static str> {
        let Ok(Json::Object(object)) = serde_json::from_str(json) else {
            return Err("not a JSON object");
        };
        if !object.contains_key("Operation") {
            return Err("no audit record");
        }
        let mut record = Self {
            source,
            number,
            line,
            time: None,
            fields: Vec::new(),
        };
        for (name, value) in object {
            record.add(name, value);
        }
        record.time = record
            .text("CreationTime")
            .and_then(|text| iso_time(text.as_bytes()));
        record.normalise();
        Ok(record)
    }

    fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.fields.iter().find(|(own, _)| own == name)?;
        Some(value)
    }

    fn push(&mut self, name: impl Into<Cow<'static, str>>, value: String) {
        if !value.is_empty() && self.fields.len() < FIELDS_MAX {
            self.fields.push((name.into(), value));
        }
    }

    /// Adds a field; a list of names and values becomes a field for each name.
    fn add(&mut self, name: String, value: Json) {
        let Json::Array(values) = value else {
            self.push(name, text_of(&value));
            return;
        };
        let mut rest = Vec::new();
        for value in values {
            let own = value.get("Name").and_then(Json::as_str);
            let new = value.get("Value").or_else(|| value.get("NewValue"));
            let (Some(own), Some(new)) = (own, new) else {
                rest.push(text_of(&value));
                continue;
            };
            self.push(format!("{name}.{own}"), text_of(new));
            if let Some(old) = value.get("OldValue") {
                self.push(format!("{name}.{own}.OldValue"), text_of(old));
            }
        }
        self.push(name, rest.join(", "));
    }

    fn normalise(&mut self) {
        for (name, own) in [
            ("operation", ["Operation"].as_slice()),
            ("user", &["UserId"]),
            ("client", &["ClientIP", "ClientIPAddress", "ActorIpAddress"]),
            (
                "user_agent",
                &[
                    "UserAgent",
                    "ExtendedProperties.UserAgent",
                    "ClientInfoString",
                ],
            ),
        ] {
            let found = own.iter().find_map(|own| self.text(own));
            if let Some(value) = found.map(str::to_owned) {
                self.push(name, value);
            }
        }
    }
}

/// A value as text; what is nested stays JSON.
fn text_of(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

impl Record for AuditRecord<'_> {
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
        self.text(field).map(Value::text)
    }

    fn each_field(&self, visit: &mut dyn FnMut(&str, Value<'_>)) {
        for (name, value) in &self.fields {
            visit(name, Value::text(value.as_str()));
        }
    }

    fn raw(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.line)
    }
}
