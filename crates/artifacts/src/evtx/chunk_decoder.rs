//! Chunks decoded one by one, without the log around them: each is complete in itself.

use super::chunk::{CHUNK_BYTES, ChunkHeader};
use super::decoder::Decoder;
use super::fallback::Fallback;
use super::known_time;
use super::plan::{Filled, Plan};
use super::record::BinaryEvent;
use super::value;
use super::walk::{Found, Step, Walk};
use crate::windows_event::{Event, EventRecord, Sources};
use model::{At, Record, Timestamp};
use std::borrow::Cow;

/// Decodes chunks; keeps the templates it has met.
#[derive(Default)]
pub struct ChunkDecoder {
    decoder: Decoder,
    sources: Sources,
}

/// One record of a chunk.
pub struct DecodedEvent<'a> {
    /// The number in the record's head.
    pub id: u64,
    filled: Filled<'a>,
    record: BinaryEvent<'a>,
}

impl ChunkDecoder {
    /// Reads the live records of one chunk (64 KiB, fewer where a file is cut off) in their order. Returns how many could
    /// not be decoded.
    ///
    /// Accounts for nothing but that: gaps, holes and facts of a log are told by [`read_event_log`](crate::read_event_log).
    pub fn records(&mut self, chunk: &[u8], visit: &mut dyn FnMut(&dyn Record)) -> u64 {
        let mut rejected = 0;
        let mut fallback = Fallback::default();
        self.each_event(chunk, &mut |step| match step {
            Decoded::Event(event) => visit(event.record()),
            Decoded::Undecoded(sources, found) => {
                let json = fallback.event(chunk, found.content.start);
                match json.as_deref().map(Event::parse) {
                    Some(Ok(event)) => visit(&EventRecord {
                        source: sources.of(&event.text("Channel").unwrap_or_default()),
                        time: super::time_of(&event).or_else(|| super::written(found)),
                        at: At::Record(found.id),
                        event: &event,
                        text: None,
                    }),
                    _ => rejected += 1,
                }
            }
            Decoded::Damage => rejected += 1,
        });
        rejected
    }

    /// The same for the fastest use: calls `visit` with every record that is decoded without help, and returns how many
    /// were not.
    pub fn events(&mut self, chunk: &[u8], visit: &mut dyn FnMut(&DecodedEvent<'_>)) -> u64 {
        let mut rejected = 0;
        self.each_event(chunk, &mut |step| match step {
            Decoded::Event(event) => visit(event),
            Decoded::Undecoded(..) | Decoded::Damage => rejected += 1,
        });
        rejected
    }

    fn each_event(&mut self, chunk: &[u8], visit: &mut dyn FnMut(Decoded<'_>)) {
        let chunk = &chunk[..chunk.len().min(CHUNK_BYTES)];
        self.decoder.begin_chunk();
        let Some(header) = ChunkHeader::read(chunk) else {
            return visit(Decoded::Damage);
        };
        for step in Walk::new(chunk, header) {
            let found = match step {
                Step::Record(found) => found,
                Step::Damage(_) => {
                    visit(Decoded::Damage);
                    continue;
                }
                Step::Slack(_) => continue,
            };
            match self
                .decoder
                .decode(chunk, found.content.start, found.content.end)
            {
                Ok(plan) => {
                    let filled = self.decoder.filled(&plan, chunk);
                    let channel = filled.text(plan.system.channel).unwrap_or_default();
                    let event = DecodedEvent {
                        id: found.id,
                        filled,
                        record: BinaryEvent {
                            source: self.sources.of(&channel),
                            time: time(&filled, &plan, &found),
                            at: At::Record(found.id),
                            filled,
                            recovered: false,
                        },
                    };
                    visit(Decoded::Event(&event));
                }
                Err(_) => visit(Decoded::Undecoded(&mut self.sources, &found)),
            }
        }
    }
}

fn time(filled: &Filled<'_>, plan: &Plan, found: &Found) -> Option<Timestamp> {
    filled
        .time(plan.system.time)
        .or_else(|| value::filetime(found.written))
        .and_then(known_time)
}

enum Decoded<'a> {
    Event(&'a DecodedEvent<'a>),
    Undecoded(&'a mut Sources, &'a Found),
    Damage,
}

impl DecodedEvent<'_> {
    /// The event as a record.
    pub fn record(&self) -> &dyn Record {
        &self.record
    }

    /// The log it was written to.
    pub fn channel(&self) -> Option<Cow<'_, str>> {
        self.filled.text(self.filled.plan.system.channel)
    }

    /// Who wrote it.
    pub fn provider(&self) -> Option<Cow<'_, str>> {
        self.filled.text(self.filled.plan.system.provider)
    }

    /// What kind of event it is.
    pub fn event_id(&self) -> Option<u64> {
        self.filled.unsigned(self.filled.plan.system.event_id)
    }

    /// When it happened.
    pub fn time(&self) -> Option<Timestamp> {
        self.record.time
    }

    /// Appends every value as text, in their order, a line each.
    pub fn write_values(&self, text: &mut String) {
        for (kind, bytes) in self.values() {
            value::write_text(kind, bytes, text);
            text.push('\n');
        }
    }

    /// Type and bytes of every value, in their order.
    pub fn values(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let chunk = self.filled.chunk;
        self.filled
            .slots
            .iter()
            .map(move |slot| (slot.kind, slot.of(chunk)))
    }
}
