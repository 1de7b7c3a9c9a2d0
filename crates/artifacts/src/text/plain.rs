//! Records of text logs without columns: a line, and the few fields that a reader finds in it.

use super::damage::Damage;
use super::lines::{Lines, Piece};
use crate::Sink;
use evidence::Content;
use model::{At, Record, SourceName, Timestamp, Value};
use std::borrow::Cow;

/// One line of a log without columns.
pub(crate) struct TextRecord<'a> {
    pub(crate) source: &'a SourceName,
    pub(crate) line: &'a str,
    pub(crate) number: u64,
    pub(crate) time: Option<Timestamp>,
    /// Values by name; the whole message among them.
    pub(crate) fields: Vec<(&'static str, Cow<'a, str>)>,
}

impl<'a> TextRecord<'a> {
    pub(crate) fn new(source: &'a SourceName, number: u64, line: &'a str) -> Self {
        Self {
            source,
            line,
            number,
            time: None,
            fields: Vec::new(),
        }
    }

    /// Adds a field, unless it is empty.
    pub(crate) fn add(&mut self, name: &'static str, value: impl Into<Cow<'a, str>>) {
        let value = value.into();
        if !value.is_empty() {
            self.fields.push((name, value));
        }
    }
}

impl Record for TextRecord<'_> {
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
        let (_, value) = self.fields.iter().find(|(name, _)| *name == field)?;
        Some(typed(field, value))
    }

    fn each_field(&self, visit: &mut dyn FnMut(&str, Value<'_>)) {
        for (name, value) in &self.fields {
            visit(name, typed(name, value));
        }
    }

    fn raw(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.line)
    }
}

/// The normalised `status` is a number in every source.
fn typed<'v>(name: &str, value: &'v str) -> Value<'v> {
    match value.parse() {
        Ok(status) if name == "status" => Value::Unsigned(status),
        _ => Value::text(value),
    }
}

/// Gets the lines of a log, one after the other.
pub(crate) trait LineReader {
    /// A line that is not blank. `Err` rejects it for a fixed reason; `Ok` is the time of the record it became.
    fn line(
        &mut self,
        number: u64,
        line: &str,
        sink: &mut dyn Sink,
    ) -> Result<Option<Timestamp>, &'static str>;

    /// A blank line, which ends a paragraph.
    fn blank(&mut self, _sink: &mut dyn Sink) {}
}

/// Hands each line that is not blank to `reader`, and tells what could not be read.
pub(crate) fn read_lines(
    content: &mut dyn Content,
    sink: &mut dyn Sink,
    reader: &mut dyn LineReader,
) {
    let mut damage = Damage::default();
    let mut lines = Lines::new(content.stream());
    while let Some(piece) = lines.next() {
        match piece {
            Piece::Line(line) => {
                let text = String::from_utf8_lossy(line.bytes);
                if text.trim().is_empty() {
                    reader.blank(sink);
                    continue;
                }
                match reader.line(line.number, &text, sink) {
                    Ok(time) => damage.read(time, sink),
                    Err(reason) => {
                        sink.rejected(At::Line(line.number), reason);
                        damage.rejected(line.number, reason, None);
                    }
                }
            }
            Piece::TooLong { number } => {
                sink.rejected(At::Line(number), "line too long");
                damage.rejected(number, "line too long", None);
            }
            Piece::Nuls {
                number,
                offset,
                bytes,
            } => damage.nuls(number, offset, bytes),
            Piece::Broken { offset } => damage.broken(offset),
        }
    }
    damage.finish(None, sink);
}
