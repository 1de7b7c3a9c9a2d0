//! Binary Windows event logs (EVTX).
//!
//! Format: <https://github.com/libyal/libevtx/blob/main/documentation/Windows%20XML%20Event%20Log%20(EVTX).asciidoc>. A file is a head of
//! 4 KiB and chunks of 64 KiB at fixed offsets, so that damage to one chunk says nothing about the next. Records are
//! decoded by the crate `evtx`; finding chunks, checking them and going on behind damage is done here, one chunk in
//! memory at a time.

mod chunks;

use crate::windows_event::{
    Event, EventRecord, Numbering, SOURCE_FAMILY, Seen, Sources, Summary, channel_of_file_name,
};
use crate::{Artifact, Item, Match, Probe, Sink};
use chunks::{CHUNK_BYTES, Chunk, Chunks, FILE_HEADER_BYTES};
use evidence::Content;
use evtx::err::EvtxError;
use evtx::{EvtxFileHeader, EvtxRecord, HeaderFlags, ParserSettings};
use model::{At, GapKind, SourceName, Timestamp};
use std::sync::Arc;

const FILE_MAGIC: &[u8] = b"ElfFile\0";
const CHUNK_MAGIC: &[u8] = b"ElfChnk\0";

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
        let header = EvtxFileHeader::from_bytes(chunks.file_header()).ok();
        let mut reading = Reading::new(item.path, header, sink);
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
}

/// The channel of the first record in an item's first bytes.
fn channel_of_head(head: &[u8]) -> Option<String> {
    let bytes = head.get(FILE_HEADER_BYTES..)?;
    let mut chunk = Chunk::new(&bytes[..bytes.len().min(CHUNK_BYTES)]).ok()?;
    let mut channel = None;
    chunk.each_record(&settings(), &mut |record| {
        if channel.is_none()
            && let Ok(record) = record
            && let Ok(json) = record.into_json()
            && let Ok(event) = Event::parse(&json.data)
        {
            channel = event.text("Channel").map(std::borrow::Cow::into_owned);
        }
        channel.is_none()
    });
    channel
}

fn settings() -> Arc<ParserSettings> {
    Arc::new(ParserSettings::new().indent(false))
}

/// The reading of one log.
struct Reading<'a> {
    sink: &'a mut dyn Sink,
    /// `None` where it is damaged beyond reading.
    header: Option<EvtxFileHeader>,
    settings: Arc<ParserSettings>,
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

impl<'a> Reading<'a> {
    fn new(path: &str, header: Option<EvtxFileHeader>, sink: &'a mut dyn Sink) -> Self {
        Self {
            sink,
            header,
            settings: settings(),
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
    fn sound_header(&self) -> Option<&EvtxFileHeader> {
        self.header
            .as_ref()
            .filter(|header| header.validate_checksum())
    }

    /// Whether the log was open when it was copied.
    fn is_dirty(&self) -> bool {
        self.header
            .as_ref()
            .is_some_and(|header| header.flags.contains(HeaderFlags::DIRTY))
    }

    fn chunk(&mut self, offset: u64, bytes: &[u8], newest: bool) {
        let place = At::Offset(offset);
        let before = self.last_time;
        let mut chunk = match Chunk::new(bytes) {
            Ok(chunk) => chunk,
            Err(reason) => {
                let detail = format!("a chunk is unreadable: {reason}");
                return self.damage(place, before, detail);
            }
        };
        self.chunks += 1;
        self.highest_in_chunk = None;
        let settings = Arc::clone(&self.settings);
        chunk.each_record(&settings, &mut |record| {
            if let Err((at, reason)) = self.record(record, offset) {
                self.sink.rejected(at, reason);
                let (first_at, first_reason, count) = self.rejected.unwrap_or((at, reason, 0));
                self.rejected = Some((first_at, first_reason, count.saturating_add(1)));
            }
            true
        });
        if bytes.len() < CHUNK_BYTES {
            let detail = "the file is cut off inside this chunk".to_owned();
            return self.damage(place, self.last_time, detail);
        }
        if let Some(missing) = chunk.records_behind(self.highest_in_chunk) {
            let detail =
                format!("the header of this chunk counts {missing} more records than it holds");
            self.damage(place, self.last_time, detail);
        }
        // The chunk that Windows is writing to has stale checksums until it is full or the log is closed: in a log
        // copied while open that is no damage. What is wrong inside still shows record by record.
        if !(newest && self.is_dirty())
            && let Some(fault) = chunk.checksum_fault()
        {
            let detail = format!("{fault}; the records that can be decoded are read");
            self.damage(place, before, detail);
        }
        if chunk.string_table_damaged() {
            let detail =
                "the string table of this chunk is damaged; names are read where they stand";
            self.damage(place, before, detail.to_owned());
        }
    }

    /// Reads one record; the error is its place and why it was rejected.
    fn record(
        &mut self,
        record: Result<EvtxRecord<'_>, EvtxError>,
        chunk_offset: u64,
    ) -> Result<(), (At, &'static str)> {
        let record = record.map_err(|error| self.failure(&error, chunk_offset))?;
        let id = record.event_record_id;
        self.highest_in_chunk = self.highest_in_chunk.max(Some(id));
        let written = record.timestamp;
        let at = At::Record(id);
        let mut fail = |reason| {
            self.summary.see_unreadable(id);
            (at, reason)
        };
        let json = record
            .into_json()
            .map_err(|_error| fail("content not understood"))?;
        let event = Event::parse(&json.data).map_err(&mut fail)?;
        self.number(&event, id);
        let time = time_of(&event).or_else(|| known_time(written));
        let own_channel = event.text("Channel");
        let channel = own_channel.as_deref().unwrap_or(&self.file_channel);
        let counted_id = match self.summary.numbering {
            Numbering::File => Some(id),
            Numbering::Channel => event.unsigned("EventRecordID"),
        };
        let seen = Seen {
            channel,
            id: counted_id,
            time,
            at,
        };
        self.summary.see(&event, seen, self.sink);
        let record = EventRecord {
            source: self.sources.of(channel),
            time,
            at,
            event: &event,
            text: None,
        };
        self.sink.record(&record);
        self.records += 1;
        self.last_header_id = self.last_header_id.max(Some(id));
        self.end_damage(time);
        Ok(())
    }

    /// Tells a live log from an export: only in the live log, the number in a record's head is the one in its content.
    fn number(&mut self, event: &Event<'_>, header_id: u64) {
        let same = event
            .unsigned("EventRecordID")
            .is_none_or(|id| id == header_id);
        if self.records == 0 && same {
            self.summary.numbering = Numbering::File;
        }
        self.live &= same;
    }

    fn failure(&mut self, error: &EvtxError, chunk_offset: u64) -> (At, &'static str) {
        match error {
            EvtxError::FailedToParseRecord { record_id, .. } => {
                self.highest_in_chunk = self.highest_in_chunk.max(Some(*record_id));
                self.summary.see_unreadable(*record_id);
                (At::Record(*record_id), "content damaged")
            }
            EvtxError::FailedToReadRecordAt { offset, .. } => (
                At::Offset(chunk_offset.saturating_add(*offset)),
                "record head damaged",
            ),
            _ => (At::Offset(chunk_offset), "content damaged"),
        }
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
                .is_some_and(|last| header.next_record_id <= last);
        (!stale).then_some(header.next_record_id)
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
        let missing = header.next_record_id.saturating_sub(last).saturating_sub(1);
        if missing > 0 && !self.is_dirty() {
            let detail = format!("the header counts {missing} more records than the file holds");
            self.sink
                .gap(GapKind::Partial, At::Item, (self.last_time, None), &detail);
        }
    }
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
mod tests;
