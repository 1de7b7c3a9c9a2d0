//! Measures how fast event logs are decoded, and what of it.
//!
//! `cargo run --release -p artifacts --example event_log_pace -- MODE FILE…` with a mode of
//!
//! - `decode`: walk, checksums left out; channel, event id, provider and time read, every value touched as type and bytes;
//! - `text`: every value of every event decoded to text, as a program that prints them must;
//! - `read`: the whole reader with its checks, facts and gaps, into a sink that only counts.
//!
//! Prints records, bytes of values, rejected records and seconds.

use artifacts::{ChunkDecoder, EventLogOptions, Item, Sink, read_event_log};
use evidence::{Content, ReadSeek};
use model::{At, Fact, GapKind, Record, Timestamp};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::time::Instant;

#[derive(Clone, Copy, Default)]
struct Counts {
    records: u64,
    /// Sum over what was looked at, so that nothing is left out as unused.
    touched: u64,
    rejected: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.touched = self.touched.wrapping_add(other.touched);
        self.rejected += other.rejected;
    }
}

impl Sink for Counts {
    fn record(&mut self, record: &dyn Record) {
        self.records += 1;
        self.touched = self
            .touched
            .wrapping_add(u64::from(record.time().is_some()));
    }

    fn rejected(&mut self, _at: At, _reason: &str) {
        self.rejected += 1;
    }

    fn fact(&mut self, _at: At, _fact: Fact) {}

    fn gap(
        &mut self,
        _kind: GapKind,
        _at: At,
        _span: (Option<Timestamp>, Option<Timestamp>),
        _detail: &str,
    ) {
    }
}

/// A file as the reader gets it from a folder.
struct Log {
    file: File,
}

impl Content for Log {
    fn size(&self) -> Option<u64> {
        self.file.metadata().ok().map(|metadata| metadata.len())
    }

    fn head(&mut self) -> &[u8] {
        &[]
    }

    fn stream(&mut self) -> Box<dyn Read + '_> {
        Box::new(&self.file)
    }

    fn seekable(&mut self) -> io::Result<Box<dyn ReadSeek + '_>> {
        Ok(Box::new(&self.file))
    }
}

fn decode(decoder: &mut ChunkDecoder, chunk: &[u8]) -> Counts {
    let mut counts = Counts::default();
    counts.rejected = decoder.events(chunk, &mut |event| {
        counts.records += 1;
        let mut touched = event.event_id().unwrap_or(0);
        touched += event.channel().map_or(0, |channel| channel.len() as u64);
        touched += event.provider().map_or(0, |provider| provider.len() as u64);
        touched += u64::from(event.time().is_some());
        for (kind, bytes) in event.values() {
            let ends = bytes.first().zip(bytes.last());
            let (first, last) = ends.map_or((0, 0), |(first, last)| (*first, *last));
            touched += u64::from(kind) + u64::from(first) + u64::from(last);
        }
        counts.touched = counts.touched.wrapping_add(touched);
    });
    counts
}

fn decode_text(decoder: &mut ChunkDecoder, chunk: &[u8]) -> Counts {
    let mut counts = Counts::default();
    let mut text = String::new();
    counts.rejected = decoder.events(chunk, &mut |event| {
        counts.records += 1;
        text.clear();
        event.write_values(&mut text);
        counts.touched = counts.touched.wrapping_add(text.len() as u64);
    });
    counts
}

fn chunks_of(path: &str, mut visit: impl FnMut(&[u8])) -> io::Result<()> {
    let mut file = BufReader::with_capacity(1 << 20, open(path)?);
    let mut header = [0; 4_096];
    file.read_exact(&mut header)?;
    let mut chunk = vec![0; 65_536];
    while file.read_exact(&mut chunk).is_ok() {
        visit(&chunk);
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a measurement, not evidence")]
fn open(path: &str) -> io::Result<File> {
    File::open(path)
}

#[expect(clippy::print_stdout, reason = "a program of its own")]
fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_default();
    let mut counts = Counts::default();
    let start = Instant::now();
    for path in arguments {
        let mut decoder = ChunkDecoder::default();
        match mode.as_str() {
            "decode" => chunks_of(&path, |chunk| counts.add(decode(&mut decoder, chunk)))?,
            "text" => chunks_of(&path, |chunk| counts.add(decode_text(&mut decoder, chunk)))?,
            "read" => {
                let mut log = Log { file: open(&path)? };
                let item = Item { path: &path };
                read_event_log(&item, &mut log, &mut counts, EventLogOptions::default());
            }
            _ => {
                return Err(io::Error::other("name a mode: decode, text, read"));
            }
        }
    }
    println!(
        "{mode}: {} records, {} rejected, {:.3} s (sum {})",
        counts.records,
        counts.rejected,
        start.elapsed().as_secs_f64(),
        counts.touched
    );
    Ok(())
}
