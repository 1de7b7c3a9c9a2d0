//! Chunks of one log on several threads: each is complete in itself, and what comes of them is given in their order.

use super::chunk::{CHUNK_BYTES, ChunkHeader};
use super::chunks::Chunks;
use super::decoder::Decoder;
use super::fallback::Fallback;
use super::known_time;
use super::plan::{Filled, Plan};
use super::record::BinaryEvent;
use super::value;
use super::walk::{Found, Step, Walk};
use crate::windows_event::{Event, EventRecord, Sources};
use evidence::ReadSeek;
use model::{At, Record, Timestamp};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc;
use std::thread;

/// Chunks on their way per thread: one at work, one waiting, so that memory does not grow with the file.
const CHUNKS_PER_THREAD: usize = 2;

/// Decodes chunks; keeps the templates it has met. One for each thread.
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

    /// Type and bytes of every value, in their order.
    pub fn values(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let chunk = self.filled.chunk;
        self.filled
            .slots
            .iter()
            .map(move |slot| (slot.kind, slot.of(chunk)))
    }
}

/// Reads the chunks of a log on `threads` threads. `work` gets each chunk with its offset in the file; `take` gets what
/// came of them in the order of their records, on the calling thread.
///
/// # Errors
/// When the file cannot be read; what came of the chunks before is then taken already.
pub fn in_parallel<T: Send>(
    source: Box<dyn ReadSeek + '_>,
    threads: usize,
    work: impl Fn(&mut ChunkDecoder, u64, &[u8]) -> T + Sync,
    mut take: impl FnMut(T),
) -> io::Result<()> {
    let mut chunks = Chunks::open(source)?;
    let threads = threads.max(1);
    thread::scope(|scope| {
        let (results, done) = mpsc::channel();
        let mut workers = Vec::with_capacity(threads);
        for _ in 0..threads {
            let (chunks, waiting) = mpsc::sync_channel::<(usize, u64, Vec<u8>)>(CHUNKS_PER_THREAD);
            let (results, work) = (results.clone(), &work);
            scope.spawn(move || {
                let mut decoder = ChunkDecoder::default();
                for (number, offset, bytes) in waiting {
                    let result = work(&mut decoder, offset, &bytes);
                    if results.send((number, result, bytes)).is_err() {
                        break;
                    }
                }
            });
            workers.push(chunks);
        }
        drop(results);
        let mut order = Order {
            next: 0,
            waiting: BTreeMap::new(),
            buffers: Vec::new(),
        };
        let mut sent = 0_usize;
        let mut failed = Ok(());
        while let Some(found) = chunks.next() {
            let bytes = match found.bytes {
                Ok(bytes) => bytes,
                Err(error) => {
                    failed = Err(error);
                    break;
                }
            };
            let mut buffer = order.buffers.pop().unwrap_or_default();
            buffer.clear();
            buffer.extend_from_slice(bytes);
            if workers[sent % threads]
                .send((sent, found.offset, buffer))
                .is_err()
            {
                break;
            }
            sent += 1;
            // No thread runs further ahead than its queue is long: results that wait for their turn are as few.
            while sent - order.next > threads * CHUNKS_PER_THREAD {
                match done.recv() {
                    Ok(result) => order.receive(result, &mut take),
                    Err(_) => break,
                }
            }
        }
        drop(workers);
        for result in done {
            order.receive(result, &mut take);
        }
        failed
    })
}

/// Results that wait for those before them.
struct Order<T> {
    next: usize,
    waiting: BTreeMap<usize, T>,
    /// Buffers to be used again.
    buffers: Vec<Vec<u8>>,
}

impl<T> Order<T> {
    fn receive(&mut self, (number, result, buffer): (usize, T, Vec<u8>), take: &mut impl FnMut(T)) {
        self.buffers.push(buffer);
        self.waiting.insert(number, result);
        while let Some(result) = self.waiting.remove(&self.next) {
            self.next += 1;
            take(result);
        }
    }
}
