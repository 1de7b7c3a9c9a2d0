//! JSON as `docs/schema/report-1.json` describes it, and the same as one object a line.
//!
//! Characters that steer a terminal or cannot be seen are written as `\u` escapes: the value is the same, and the
//! file can be looked at with any tool.

use crate::escape::is_hidden;
use model::report::Report;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};
use serde_json::{Map, Serializer, Value};
use std::io::{self, BufWriter, Write};

/// Writes the report as one indented JSON object.
pub fn json(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    json_value(report, out)
}

/// Writes whatever serializes as indented JSON, with the same escapes, and a line break.
pub fn json_value(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let formatter = Guarded(PrettyFormatter::new());
    value.serialize(&mut Serializer::with_formatter(&mut out, formatter))?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Writes one object a line. The field `record` says what each is:
///
/// - `report`, always one and first: schema, time, packs, accounting and what was not looked at;
/// - `host`: a host, its collections and the review of what starts by itself;
/// - `verdict`: one host and one campaign;
/// - `lead`: something on a host that is worth a look, and what leads are not;
/// - `finding`, `gap`: as in the report.
pub fn ndjson(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut lines = Lines(BufWriter::new(out));
    lines.object(
        "report",
        &[],
        &serde_json::json!({
            "schema": report.schema,
            "as_of": report.as_of,
            "packs": report.packs,
            "accounting": report.accounting,
            "not_looked_at": report.not_looked_at,
        }),
    )?;
    for host in &report.hosts {
        lines.object(
            "host",
            &[],
            &serde_json::json!({
                "host": host.host,
                "host_rule": host.host_rule,
                "collections": host.collections,
                "persistence": host.persistence,
                "lead_notices": host.leads.notices,
            }),
        )?;
        for campaign in &host.campaigns {
            lines.object("verdict", &[("host", &host.host)], campaign)?;
        }
        let note = host.leads.note.as_str();
        for lead in &host.leads.list {
            lines.object("lead", &[("host", &host.host), ("note", note)], lead)?;
        }
    }
    for finding in &report.findings {
        lines.object("finding", &[], finding)?;
    }
    for gap in &report.gaps {
        lines.object("gap", &[], gap)?;
    }
    lines.0.flush()
}

/// Writes one value and a line break.
pub fn json_line(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let formatter = Guarded(CompactFormatter);
    value.serialize(&mut Serializer::with_formatter(&mut *out, formatter))?;
    out.write_all(b"\n")
}

struct Lines<W: Write>(W);

impl<W: Write> Lines<W> {
    /// Writes `record`, the leading fields and all fields of `body`, which must be an object.
    fn object(
        &mut self,
        record: &str,
        leading: &[(&str, &str)],
        body: &impl Serialize,
    ) -> io::Result<()> {
        let mut object = Map::new();
        object.insert("record".to_owned(), record.into());
        for (name, value) in leading {
            object.insert((*name).to_owned(), (*value).into());
        }
        if let Value::Object(fields) = serde_json::to_value(body)? {
            object.extend(fields);
        }
        json_line(&object, &mut self.0)
    }
}

/// A formatter that also escapes what must not reach a terminal.
struct Guarded<F>(F);

impl<F: Formatter> Formatter for Guarded<F> {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if fragment.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut plain_from = 0;
        for (index, character) in fragment.char_indices().filter(|(_, c)| is_hidden(*c)) {
            writer.write_all(&fragment.as_bytes()[plain_from..index])?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain_from = index + character.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[plain_from..])
    }

    /// Ready-made JSON: what is hidden can stand only in its strings, where an escape means the same.
    fn write_raw_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        self.write_string_fragment(writer, fragment)
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_escaped_and_come_back_the_same() {
        let text = "\u{1b}[31m\u{9b}\u{202e}\u{e0041}\"\\ サ\u{7f}end";
        let mut bytes = Vec::new();
        text.serialize(&mut Serializer::with_formatter(
            &mut bytes,
            Guarded(CompactFormatter),
        ))
        .unwrap();
        let written = String::from_utf8(bytes).unwrap();
        assert_eq!(
            written,
            r#""\u001b[31m\u009b\u202e\udb40\udc41\"\\ サ\u007fend""#
        );
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    }
}
