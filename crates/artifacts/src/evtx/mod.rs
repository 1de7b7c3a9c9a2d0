//! Binary Windows event logs (EVTX).
//!
//! Format: <https://github.com/libyal/libevtx/blob/main/documentation/Windows%20XML%20Event%20Log%20(EVTX).asciidoc> and MS-EVEN6 section
//! 2.2.12. A file is a head of 4 KiB and chunks of 64 KiB at fixed offsets, each complete in itself, so that damage to
//! one chunk says nothing about the next, and one chunk is in memory at a time.
//!
//! A record is a template's number and the values for its places. Templates are compiled once (`tree`, `plan`), values
//! are left where they lie until somebody asks for one (`record`), and JSON is made only to show a record. What our
//! decoder cannot decode the crate `evtx` is asked for (`fallback`). See docs/decisions/0012-evtx-reader.md.

mod binxml;
mod bytes;
mod chunk;
mod chunk_decoder;
mod chunks;
mod decoder;
mod fallback;
mod plan;
mod record;
mod tree;
mod value;
mod walk;

pub use chunk_decoder::{ChunkDecoder, DecodedEvent};

use crate::windows_event::{
    Event, EventRecord, Numbering, SOURCE_FAMILY, Seen, Sources, Summary, channel_of_file_name,
};
use crate::{Artifact, Item, Match, Probe, Sink};
use chunk::{CHUNK_BYTES, CHUNK_MAGIC, ChunkHeader, names_are_sound};
use chunks::{Chunks, FILE_HEADER_BYTES, FILE_MAGIC, FileHeader};
use decoder::Decoder;
use evidence::Content;
use fallback::Fallback;
use model::{At, GapKind, SourceName, Timestamp};
use record::BinaryEvent;
use std::borrow::Cow;
use std::ops::Range;
use walk::{Found, Step, Walk, stale_records};

/// Damaged places that become gaps one by one; what follows them is one more gap.
const GAPS_MAX: usize = 200;

/// Windows event logs.
#[derive(Debug)]
pub(crate) struct EventLog;

impl Artifact for EventLog {
    fn kind(&self) -> &'static str {
        "windows.evtx"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let first_chunk = probe.head.get(FILE_HEADER_BYTES..).unwrap_or_default();
        if probe.head.starts_with(FILE_MAGIC) || first_chunk.starts_with(CHUNK_MAGIC) {
            Match::Content
        } else if model::extension(probe.path) == "evtx" {
            Match::Path
        } else {
            Match::No
        }
    }

    fn source(&self, probe: &Probe<'_>) -> Option<SourceName> {
        let channel =
            channel_of_head(probe.head).unwrap_or_else(|| channel_of_file_name(probe.path));
        Some(SourceName::of(SOURCE_FAMILY, &channel))
    }

    fn read(&self, item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        read_event_log(item, content, sink, EventLogOptions::default());
    }
}

/// How to read an event log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventLogOptions {
    /// Whether to give stale records too: deleted ones, and those that Windows has begun to overwrite. They lie behind
    /// the live records of a chunk, between them, and in chunks without a header. Each has the field `recovered`, stands
    /// at its byte offset, and counts neither for the facts of the log nor for its holes. A record may come twice.
    pub recover: bool,
}

/// Reads an event log as [`ARTIFACTS`](crate::ARTIFACTS) does, with options.
pub fn read_event_log(
    item: &Item<'_>,
    content: &mut dyn Content,
    sink: &mut dyn Sink,
    options: EventLogOptions,
) {
    let source = match content.seekable() {
        Ok(source) => source,
        Err(error) => {
            let detail = format!("the event log cannot be read: {error}");
            return sink.gap(GapKind::Unreadable, At::Item, (None, None), &detail);
        }
    };
    let mut chunks = match Chunks::open(source) {
        Ok(chunks) => chunks,
        Err(error) => {
            let detail = format!("the event log cannot be read: {error}");
            return sink.gap(GapKind::Unreadable, At::Item, (None, None), &detail);
        }
    };
    let mut reading = Reading::new(item.path, chunks.file_header(), options, sink);
    while let Some(found) = chunks.next() {
        match found.bytes {
            Ok(bytes) => reading.chunk(found.offset, bytes, found.newest),
            Err(error) => {
                let detail = format!("a chunk cannot be read: {error}");
                reading.damage(At::Offset(found.offset), reading.last_time, detail);
            }
        }
    }
    reading.finish(&chunks);
}

/// The channel of the first record in an item's first bytes.
fn channel_of_head(head: &[u8]) -> Option<String> {
    let bytes = head.get(FILE_HEADER_BYTES..)?;
    let chunk = &bytes[..bytes.len().min(CHUNK_BYTES)];
    let mut decoder = Decoder::default();
    let mut fallback = Fallback::default();
    decoder.begin_chunk();
    for step in Walk::new(chunk, ChunkHeader::read(chunk)?) {
        let Step::Record(found) = step else { continue };
        let channel = match decoder.decode(chunk, found.content.start, found.content.end) {
            Ok(plan) => {
                let filled = decoder.filled(&plan, chunk);
                filled.text(plan.system.channel).map(Cow::into_owned)
            }
            Err(_) => fallback
                .event(chunk, found.content.start)
                .and_then(|json| Some(Event::parse(&json).ok()?.text("Channel")?.into_owned())),
        };
        if channel.is_some() {
            return channel;
        }
    }
    None
}

/// The reading of one log.
struct Reading<'a> {
    sink: &'a mut dyn Sink,
    options: EventLogOptions,
    /// `None` where it is damaged beyond reading.
    header: Option<FileHeader>,
    decoder: Decoder,
    file_channel: String,
    sources: Sources,
    summary: Summary,
    /// Whether every record had the same number in its head and in its content.
    live: bool,
    chunks: u64,
    records: u64,
    last_header_id: Option<u64>,
    /// The highest number in the heads of the chunk at hand.
    highest_in_chunk: Option<u64>,
    /// Time of the last record that was read.
    last_time: Option<Timestamp>,
    /// Records rejected since then: place and reason of the first, and how many.
    rejected: Option<(At, &'static str, u64)>,
    /// Damage whose end is not known before the next record is read: place, start and what it is.
    pending: Vec<(At, Option<Timestamp>, String)>,
    damages: usize,
}

/// The chunk at hand.
struct Open<'c> {
    bytes: &'c [u8],
    offset: u64,
    fallback: Fallback,
}

impl<'a> Reading<'a> {
    fn new(
        path: &str,
        header: Option<FileHeader>,
        options: EventLogOptions,
        sink: &'a mut dyn Sink,
    ) -> Self {
        Self {
            sink,
            options,
            header,
            decoder: Decoder::default(),
            file_channel: channel_of_file_name(path),
            sources: Sources::default(),
            summary: Summary::default(),
            live: true,
            chunks: 0,
            records: 0,
            last_header_id: None,
            highest_in_chunk: None,
            last_time: None,
            rejected: None,
            pending: Vec::new(),
            damages: 0,
        }
    }

    /// The file's header, where its checksum says that it can be trusted.
    fn sound_header(&self) -> Option<&FileHeader> {
        self.header.as_ref().filter(|header| header.is_sound)
    }

    /// Whether the log was open when it was copied.
    fn is_dirty(&self) -> bool {
        self.header.is_some_and(|header| header.is_dirty)
    }

    fn chunk(&mut self, offset: u64, bytes: &[u8], newest: bool) {
        let place = At::Offset(offset);
        let before = self.last_time;
        self.decoder.begin_chunk();
        let mut open = Open {
            bytes,
            offset,
            fallback: Fallback::default(),
        };
        let Some(header) = ChunkHeader::read(bytes) else {
            self.recover(&open, 0..bytes.len());
            let detail = "a chunk is unreadable: its head is not that of a chunk".to_owned();
            return self.damage(place, before, detail);
        };
        self.chunks += 1;
        self.highest_in_chunk = None;
        for step in Walk::new(bytes, header) {
            let result = match step {
                Step::Record(found) => self.record(&mut open, &found),
                Step::Damage(at) => Err((open.at(at), "record head damaged")),
                Step::Slack(range) => {
                    self.recover(&open, range);
                    continue;
                }
            };
            if let Err((at, reason)) = result {
                self.reject(at, reason);
            }
        }
        if bytes.len() < CHUNK_BYTES {
            let detail = "the file is cut off inside this chunk".to_owned();
            return self.damage(place, self.last_time, detail);
        }
        if let Some(missing) = header.records_behind(self.highest_in_chunk) {
            let detail =
                format!("the header of this chunk counts {missing} more records than it holds");
            self.damage(place, self.last_time, detail);
        }
        // The chunk that Windows is writing to has stale checksums until it is full or the log is closed: in a log
        // copied while open that is no damage. What is wrong inside still shows record by record.
        if !(newest && self.is_dirty())
            && let Some(fault) = header.checksum_fault(bytes)
        {
            let detail = format!("{fault}; the records that can be decoded are read");
            self.damage(place, before, detail);
        }
        if !names_are_sound(bytes) {
            let detail =
                "the string table of this chunk is damaged; names are read where they stand";
            self.damage(place, before, detail.to_owned());
        }
    }

    fn reject(&mut self, at: At, reason: &'static str) {
        self.sink.rejected(at, reason);
        let (first_at, first_reason, count) = self.rejected.unwrap_or((at, reason, 0));
        self.rejected = Some((first_at, first_reason, count.saturating_add(1)));
    }

    /// Reads one record; the error is its place and why it was rejected.
    fn record(&mut self, open: &mut Open<'_>, found: &Found) -> Result<(), (At, &'static str)> {
        self.highest_in_chunk = self.highest_in_chunk.max(Some(found.id));
        let content = &found.content;
        let Ok(plan) = self.decoder.decode(open.bytes, content.start, content.end) else {
            return self.record_by_fallback(open, found);
        };
        let filled = self.decoder.filled(&plan, open.bytes);
        let content_id = filled.unsigned(plan.system.record_id);
        let own_channel = filled.text(plan.system.channel);
        let channel = own_channel.as_deref().unwrap_or(&self.file_channel);
        let time = filled
            .time(plan.system.time)
            .and_then(known_time)
            .or_else(|| written(found));
        let seen = Seen {
            channel,
            id: numbering(
                &mut self.summary,
                &mut self.live,
                self.records,
                found.id,
                content_id,
            ),
            time,
            at: At::Record(found.id),
        };
        self.summary.see(&filled, seen, self.sink);
        self.sink.record(&BinaryEvent {
            source: self.sources.of(channel),
            time,
            at: At::Record(found.id),
            filled,
            recovered: false,
        });
        self.was_read(found.id, time);
        Ok(())
    }

    /// Reads one record that our decoder cannot decode.
    fn record_by_fallback(
        &mut self,
        open: &mut Open<'_>,
        found: &Found,
    ) -> Result<(), (At, &'static str)> {
        let at = At::Record(found.id);
        let json = open.fallback.event(open.bytes, found.content.start);
        let event = match json.as_deref().map(Event::parse) {
            Some(Ok(event)) => event,
            unreadable => {
                self.summary.see_unreadable(found.id);
                let reason = unreadable
                    .and_then(Result::err)
                    .unwrap_or("content damaged");
                return Err((at, reason));
            }
        };
        let own_channel = event.text("Channel");
        let channel = own_channel.as_deref().unwrap_or(&self.file_channel);
        let time = time_of(&event).or_else(|| written(found));
        let content_id = event.unsigned("EventRecordID");
        let seen = Seen {
            channel,
            id: numbering(
                &mut self.summary,
                &mut self.live,
                self.records,
                found.id,
                content_id,
            ),
            time,
            at,
        };
        self.summary.see(&event, seen, self.sink);
        self.sink.record(&EventRecord {
            source: self.sources.of(channel),
            time,
            at,
            event: &event,
            text: None,
        });
        self.was_read(found.id, time);
        Ok(())
    }

    fn was_read(&mut self, id: u64, time: Option<Timestamp>) {
        self.records += 1;
        self.last_header_id = self.last_header_id.max(Some(id));
        self.end_damage(time);
    }

    /// Gives the stale records in a part of a chunk that holds no live ones, where the options ask for them.
    fn recover(&mut self, open: &Open<'_>, range: Range<usize>) {
        if !self.options.recover {
            return;
        }
        stale_records(open.bytes, range, &mut |found| {
            let content = &found.content;
            let Ok(plan) = self.decoder.decode(open.bytes, content.start, content.end) else {
                return false;
            };
            let filled = self.decoder.filled(&plan, open.bytes);
            let own_channel = filled.text(plan.system.channel);
            let channel = own_channel.as_deref().unwrap_or(&self.file_channel);
            let time = filled.time(plan.system.time).and_then(known_time);
            self.sink.record(&BinaryEvent {
                source: self.sources.of(channel),
                time: time.or_else(|| written(found)),
                at: open.at(found.at),
                filled,
                recovered: true,
            });
            true
        });
    }

    /// Notes damage that starts at `from`; it is said as a gap once the next readable record shows where it ends.
    fn damage(&mut self, at: At, from: Option<Timestamp>, detail: String) {
        self.damages += 1;
        if self.damages <= GAPS_MAX {
            self.pending.push((at, from, detail));
        } else if self.damages == GAPS_MAX + 1 {
            let detail = format!(
                "more than {GAPS_MAX} places are damaged; from here on they are not listed"
            );
            self.sink.gap(GapKind::Partial, at, (from, None), &detail);
        }
    }

    fn end_damage(&mut self, time: Option<Timestamp>) {
        if let Some((at, reason, count)) = self.rejected.take() {
            let detail = match count {
                1 => format!("1 record could not be read: {reason}"),
                _ => format!("{count} records could not be read, the first: {reason}"),
            };
            self.damage(at, self.last_time, detail);
        }
        for (at, from, detail) in self.pending.drain(..) {
            // The clock may have been set back in between.
            let span = match (from, time) {
                (Some(from), Some(time)) => (Some(from.min(time)), Some(from.max(time))),
                open => open,
            };
            self.sink.gap(GapKind::Partial, at, span, &detail);
        }
        self.last_time = time.or(self.last_time);
    }

    fn finish(mut self, chunks: &Chunks<'_>) {
        self.end_damage(None);
        if self.chunks == 0 && self.header.is_none() {
            let detail = "this holds neither the header nor a readable chunk of an event log";
            return self
                .sink
                .gap(GapKind::Unreadable, At::Item, (None, None), detail);
        }
        if self.sound_header().is_none() {
            let detail = "the file's header is damaged; chunks are read where they must lie, its count of records is not used";
            self.sink
                .gap(GapKind::Partial, At::Offset(0), (None, None), detail);
        }
        if chunks.cut_off_bytes() > 0 {
            let detail = format!(
                "the file breaks off {} bytes into a chunk's header",
                chunks.cut_off_bytes()
            );
            let span = (self.last_time, None);
            self.sink
                .gap(GapKind::Partial, At::Offset(chunks.end()), span, &detail);
        }
        let next_id = self.next_id();
        if self.summary.is_empty() {
            if self.damages == 0 {
                self.empty_log(next_id);
            }
            return;
        }
        if !self.live {
            self.cut_off_export();
        }
        let next_id = next_id.filter(|_| self.live);
        self.summary.finish(self.live, next_id, self.sink);
    }

    /// The header's next number. In a log copied while open it may lag behind the records; then it says nothing.
    fn next_id(&self) -> Option<u64> {
        let header = self.sound_header()?;
        let stale = self.is_dirty()
            && self
                .summary
                .last_id()
                .is_some_and(|last| header.next_id <= last);
        (!stale).then_some(header.next_id)
    }

    /// A log in which nothing was ever written, or nothing since it was cleared, is evidence too.
    fn empty_log(&mut self, next_id: Option<u64>) {
        let next = next_id.unwrap_or(1);
        self.sink.fact(
            At::Item,
            model::Fact::EventLog(model::EventLogState {
                channel: self.file_channel.clone(),
                computer: String::new(),
                first_id: next,
                last_id: next.saturating_sub(1),
                first: None,
                last: None,
                missing_ids: Vec::new(),
                next_id,
                live: true,
            }),
        );
    }

    /// An export numbers its own records in their heads; fewer than its header counts were cut off.
    fn cut_off_export(&mut self) {
        let (Some(header), Some(last)) = (self.sound_header(), self.last_header_id) else {
            return;
        };
        let missing = header.next_id.saturating_sub(last).saturating_sub(1);
        if missing > 0 && !self.is_dirty() {
            let detail = format!("the header counts {missing} more records than the file holds");
            self.sink
                .gap(GapKind::Partial, At::Item, (self.last_time, None), &detail);
        }
    }
}

impl Open<'_> {
    /// A place of the chunk as a place of the file.
    fn at(&self, place: usize) -> At {
        At::Offset(self.offset.saturating_add(place as u64))
    }
}

/// Tells a live log from an export: only in the live log, the number in a record's head is the one in its content. Gives
/// the number that counts.
fn numbering(
    summary: &mut Summary,
    live: &mut bool,
    records: u64,
    header_id: u64,
    content_id: Option<u64>,
) -> Option<u64> {
    let same = content_id.is_none_or(|id| id == header_id);
    if records == 0 && same {
        summary.numbering = Numbering::File;
    }
    *live &= same;
    match summary.numbering {
        Numbering::File => Some(header_id),
        Numbering::Channel => content_id,
    }
}

/// When the record was written by its head.
fn written(found: &Found) -> Option<Timestamp> {
    known_time(value::filetime(found.written)?)
}

/// When the event happened by its own content.
fn time_of(event: &Event<'_>) -> Option<Timestamp> {
    let text = event.text("TimeCreated_SystemTime")?;
    known_time(text.parse().ok()?)
}

/// Windows writes FILETIME zero for an unknown time.
fn known_time(time: Timestamp) -> Option<Timestamp> {
    const FILETIME_ZERO_SECONDS: i64 = -11_644_473_600;
    (time.as_second() > FILETIME_ZERO_SECONDS).then_some(time)
}

#[cfg(test)]
#[path = "tests/agreement.rs"]
mod agreement;
#[cfg(test)]
mod made;
#[cfg(test)]
mod tests;
