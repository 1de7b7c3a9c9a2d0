//! Windows events exported as JSON: a record a line, in an array, or printed over many lines.
//!
//! winlogbeat, nxlog, `evtx_dump -o jsonl`, Velociraptor and the Mordor data sets write such files; which names they give to what
//! is known to [`crate::windows_event`]. An export covers what it holds, not the time up to the collection.

mod objects;

use crate::text::lines::{Lines, Piece, head_text};
use crate::windows_event::{Event, EventRecord, SOURCE_FAMILY, Seen, Sources, Summary};
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{At, GapKind, SourceName, Timestamp, Value};
use objects::{Found, Objects};

/// Channel of events that name none.
const UNKNOWN_CHANNEL: &str = "unknown";

/// Bytes before the first object in which it may be told from other text.
const BLANK_BYTES_MAX: usize = 1_024;

/// Events in JSON.
#[derive(Debug)]
pub(crate) struct EventsJson;

impl Artifact for EventsJson {
    fn kind(&self) -> &'static str {
        "windows.event_json"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        match first_event(probe.head) {
            First::Event { .. } => Match::Content,
            First::Other => Match::No,
        }
    }

    fn source(&self, probe: &Probe<'_>) -> Option<SourceName> {
        let channel = match first_event(probe.head) {
            First::Event { channel } => channel,
            First::Other => None,
        };
        let channel = channel.unwrap_or_else(|| UNKNOWN_CHANNEL.to_owned());
        Some(SourceName::of(SOURCE_FAMILY, &channel))
    }

    fn read(&self, _item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let one_a_line = is_one_a_line(content.head());
        let mut reading = Reading {
            sink,
            sources: Sources::default(),
            summary: Summary::default(),
            without_zone: 0,
            broken_lines: 0,
        };
        if one_a_line {
            reading.lines(content);
        } else {
            reading.objects(content);
        }
        reading.finish();
    }
}

/// What the first object of an item is.
enum First {
    Event { channel: Option<String> },
    Other,
}

fn first_event(head: &[u8]) -> First {
    // Every file comes by here, and hardly any begins like this, in whatever encoding.
    let begins = |byte: &&u8| !matches!(byte, b'[' | b',' | 0 | 0xEF | 0xBB | 0xBF | 0xFE | 0xFF);
    let mut bytes = head.iter().filter(begins);
    if bytes.find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return First::Other;
    }
    let text = head_text(head);
    let start = text
        .trim_start_matches(['[', ',', ' ', '\t', '\r', '\n'])
        .trim_start();
    if !start.starts_with('{') || text.len() - start.len() > BLANK_BYTES_MAX {
        return First::Other;
    }
    let mut objects = Objects::new(Box::new(start.as_bytes()));
    if let Some(Found::Object(object)) = objects.next()
        && let Ok(event) = Event::parse(&String::from_utf8_lossy(object))
    {
        return if is_event(&event) {
            let channel = event.text("Channel").map(std::borrow::Cow::into_owned);
            First::Event { channel }
        } else {
            First::Other
        };
    }
    // The first is damaged or longer than the head.
    let any = |names: &[&str]| names.iter().any(|name| start.contains(name));
    if any(&["\"EventID\"", "\"event_id\""])
        && any(&[
            "\"Channel\"",
            "\"channel\"",
            "\"log_name\"",
            "\"SourceName\"",
        ])
    {
        First::Event { channel: None }
    } else {
        First::Other
    }
}

/// Whether the first line that holds anything is a whole object.
fn is_one_a_line(head: &[u8]) -> bool {
    let text = head_text(head);
    let Some(line) = text.lines().find(|line| !line.trim().is_empty()) else {
        return false;
    };
    Event::parse(line.trim()).is_ok()
}

fn is_event(event: &Event<'_>) -> bool {
    event.unsigned("EventID").is_some()
        && (event.text("Channel").is_some() || event.text("Provider_Name").is_some())
}

/// The reading of one item.
struct Reading<'a> {
    sink: &'a mut dyn Sink,
    sources: Sources,
    summary: Summary,
    /// Events whose only time is a local one of an unknown zone.
    without_zone: u64,
    broken_lines: u64,
}

impl Reading<'_> {
    fn lines(&mut self, content: &mut dyn Content) {
        let mut lines = Lines::new(content.stream());
        while let Some(piece) = lines.next() {
            match piece {
                Piece::Line(line) => {
                    let text = String::from_utf8_lossy(line.bytes);
                    let text = text.trim();
                    if !matches!(text, "" | "[" | "]" | ",") {
                        self.event(text.trim_end_matches(','), At::Line(line.number));
                    }
                }
                Piece::TooLong { number } => self.rejected(At::Line(number), "line too long"),
                Piece::Nuls { number, .. } => self.rejected(At::Line(number), "run of zero bytes"),
                Piece::Broken { offset } => self.broken(At::Offset(offset)),
            }
        }
    }

    fn objects(&mut self, content: &mut dyn Content) {
        let mut objects = Objects::new(content.stream());
        let mut number = 0_u64;
        while let Some(found) = objects.next() {
            number += 1;
            match found {
                Found::Object(object) => {
                    self.event(&String::from_utf8_lossy(object), At::Record(number));
                }
                Found::Damaged(reason) => self.rejected(At::Record(number), reason),
                Found::Broken => {
                    number -= 1;
                    self.broken(At::Item);
                }
            }
        }
    }

    fn event(&mut self, text: &str, at: At) {
        let event = match Event::parse(text) {
            Ok(event) if is_event(&event) => event,
            Ok(_) => return self.rejected(at, "not an event"),
            Err(reason) => return self.rejected(at, reason),
        };
        let time = match time_of(&event) {
            Time::Known(time) => Some(time),
            Time::WithoutZone => {
                self.without_zone += 1;
                None
            }
            Time::Absent => None,
        };
        let channel = event
            .text("Channel")
            .unwrap_or_else(|| UNKNOWN_CHANNEL.into());
        let seen = Seen {
            channel: &channel,
            id: event.unsigned("EventRecordID"),
            time,
            at,
        };
        self.summary.see(&event, seen, self.sink);
        self.sink.record(&EventRecord {
            source: self.sources.of(&channel),
            time,
            at,
            event: &event,
            text: Some(text),
        });
    }

    fn rejected(&mut self, at: At, reason: &str) {
        self.broken_lines += 1;
        self.sink.rejected(at, reason);
    }

    fn broken(&mut self, at: At) {
        let detail = "the export cannot be read on from here";
        self.sink.gap(GapKind::Partial, at, (None, None), detail);
    }

    fn finish(self) {
        if self.broken_lines > 0 {
            let detail = format!(
                "{} records of the export could not be read",
                self.broken_lines
            );
            self.sink
                .gap(GapKind::Partial, At::Item, (None, None), &detail);
        }
        if self.without_zone > 0 {
            let detail = format!(
                "events with a local time whose zone the export does not say: {}; they are read without a time",
                self.without_zone
            );
            self.sink
                .gap(GapKind::NotUnderstood, At::Item, (None, None), &detail);
        }
        self.summary.finish(false, None, self.sink);
    }
}

/// What an event says about its time.
#[derive(Debug, PartialEq, Eq)]
enum Time {
    Known(Timestamp),
    /// Only in local time of a zone it does not name.
    WithoutZone,
    Absent,
}

/// The event's own time; else Sysmon's, which is in UTC; else when a shipper took it.
fn time_of(event: &Event<'_>) -> Time {
    let mut without_zone = false;
    for name in ["TimeCreated_SystemTime", "TimeCreated", "EventTime"] {
        let Some(value) = event.exact(name) else {
            continue;
        };
        match zoned(&value) {
            Some(time) => return Time::Known(time),
            None => without_zone |= !value.to_text().is_empty(),
        }
    }
    if let Some(time) = event.text("UtcTime").and_then(|text| {
        let text = format!("{}Z", text.trim().replace(' ', "T"));
        text.parse().ok()
    }) {
        return Time::Known(time);
    }
    if let Some(time) = event.exact("@timestamp").and_then(|value| zoned(&value)) {
        return Time::Known(time);
    }
    if without_zone {
        Time::WithoutZone
    } else {
        Time::Absent
    }
}

/// A time whose zone is certain: with an offset, or counted from 1970.
fn zoned(value: &Value<'_>) -> Option<Timestamp> {
    match value {
        Value::Unsigned(number) => since_1970(i64::try_from(*number).ok()?),
        Value::Integer(number) => since_1970(*number),
        Value::Float(seconds) => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "saturates; what is out of range is no time"
            )]
            let microseconds = (seconds * 1e6).round() as i64;
            Timestamp::from_microsecond(microseconds).ok()
        }
        Value::Text(text) => {
            let text = text.trim();
            let counted = text
                .strip_prefix("/Date(")
                .and_then(|text| text.strip_suffix(")/"));
            match counted {
                Some(milliseconds) => Timestamp::from_millisecond(milliseconds.parse().ok()?).ok(),
                None => text.parse().ok(),
            }
        }
        _ => None,
    }
}

/// Seconds, milliseconds or microseconds since 1970, told by their size.
fn since_1970(number: i64) -> Option<Timestamp> {
    match number.unsigned_abs() {
        0 => None,
        1..100_000_000_000 => Timestamp::from_second(number).ok(),
        100_000_000_000..100_000_000_000_000 => Timestamp::from_millisecond(number).ok(),
        _ => Timestamp::from_microsecond(number).ok(),
    }
}

#[cfg(test)]
mod tests;
