//! Watches what is really written of a story: which of its records and files reached a collection.
//!
//! A mark says how to recognise one record. Looking at the bytes that go to the sink, rather than asking what was meant
//! to be written, makes the truth hold whatever took a record out: a filter, a retention, damage.

use crate::events::Channel;
use crate::files::hex;
use crate::moment::Moment;
use crate::sink::{Sink, Taken};
use crate::source::Source;
use jiff::Timestamp;
use memchr::memmem;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

const EVTX_CHUNKS_AT: usize = 4_096;
const EVTX_CHUNK_BYTES: usize = 65_536;
const EVTX_RECORDS_AT: usize = 512;
const EVTX_RECORD_MAGIC: &[u8; 4] = b"\x2a\x2a\0\0";

/// A record or file that a step of the story left.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    /// The number of the step.
    pub(crate) step: usize,
    pub(crate) source: Source,
    /// Whether it points to what happened without proving it.
    pub(crate) is_hint: bool,
    /// Paths of footholds that it shows.
    pub(crate) footholds: Vec<String>,
    pub(crate) look: Look,
}

/// How to recognise it.
#[derive(Clone, Debug)]
pub(crate) enum Look {
    /// A line of a text log of that day that holds all of these texts.
    Line { time: Moment, texts: Vec<String> },
    /// A record of that time in an event log.
    Event { channel: Channel, time: Moment },
    /// A file at that path, with that content where one is named.
    File {
        path: String,
        sha256: Option<String>,
    },
    /// These bytes in the file at that path.
    Bytes { path: String, bytes: Vec<u8> },
}

/// Passes files on, and notes which marks they hold.
pub(crate) struct Witness<'a> {
    out: &'a mut dyn Sink,
    marks: &'a [Mark],
    files: BTreeMap<String, Vec<usize>>,
    event_logs: BTreeMap<String, Vec<usize>>,
    lines: Vec<usize>,
    seen: BTreeSet<usize>,
}

impl<'a> Witness<'a> {
    pub(crate) fn new(marks: &'a [Mark], out: &'a mut dyn Sink) -> Self {
        let mut witness = Self {
            out,
            marks,
            files: BTreeMap::new(),
            event_logs: BTreeMap::new(),
            lines: Vec::new(),
            seen: BTreeSet::new(),
        };
        for (number, mark) in marks.iter().enumerate() {
            match &mark.look {
                Look::Line { .. } => witness.lines.push(number),
                Look::Event { channel, .. } => witness
                    .event_logs
                    .entry(channel.file_name())
                    .or_default()
                    .push(number),
                Look::File { path, .. } | Look::Bytes { path, .. } => witness
                    .files
                    .entry(path.to_lowercase())
                    .or_default()
                    .push(number),
            }
        }
        witness
    }

    /// The numbers of the marks that were seen.
    pub(crate) fn seen(self) -> BTreeSet<usize> {
        self.seen
    }

    fn look_for_lines(&mut self, path: &str, contents: &[u8]) {
        let candidates = self.lines.iter().copied().filter(|number| {
            let mark = &self.marks[*number];
            let Look::Line { time, .. } = &mark.look else {
                return false;
            };
            let of_source = mark
                .source
                .log_folder()
                .is_some_and(|folder| path.contains(folder));
            // Names of logs hold the day, most of them with all digits of the year.
            of_source && path.contains(&time.compact_day()[2..])
        });
        let candidates = candidates.collect::<Vec<_>>();
        if candidates.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(contents);
        for number in candidates {
            if let Look::Line { texts, .. } = &self.marks[number].look
                && holds_line(&text, texts)
            {
                self.seen.insert(number);
            }
        }
    }

    fn look_at_file(&mut self, path: &str, contents: &[u8]) {
        for number in self.files.get(&path.to_lowercase()).into_iter().flatten() {
            let found = match &self.marks[*number].look {
                Look::File { sha256, .. } => sha256
                    .as_ref()
                    .is_none_or(|wanted| *wanted == hex(&Sha256::digest(contents))),
                Look::Bytes { bytes, .. } => memmem::find(contents, bytes).is_some(),
                Look::Line { .. } | Look::Event { .. } => false,
            };
            if found {
                self.seen.insert(*number);
            }
        }
    }

    fn look_for_events(&mut self, path: &str, contents: &[u8]) {
        let name = path.rsplit('\\').next().unwrap_or(path);
        let Some(candidates) = self.event_logs.get(name) else {
            return;
        };
        let times = event_times(contents);
        for number in candidates {
            if let Look::Event { time, .. } = &self.marks[*number].look
                && times.contains(&time.filetime())
            {
                self.seen.insert(*number);
            }
        }
    }
}

impl Sink for Witness<'_> {
    fn file(&mut self, path: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()> {
        self.look_at_file(path, contents);
        self.look_for_lines(path, contents);
        self.look_for_events(path, contents);
        self.out.file(path, modified, contents)
    }

    fn finish(&mut self, taken: &Taken) -> io::Result<()> {
        self.out.finish(taken)
    }
}

/// Whether some line holds all of the texts.
fn holds_line(text: &str, wanted: &[String]) -> bool {
    let Some((first, others)) = wanted.split_first() else {
        return false;
    };
    text.match_indices(first.as_str()).any(|(at, _)| {
        let begin = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let end = text[at..]
            .find('\n')
            .map_or(text.len(), |length| at + length);
        let line = &text[begin..end];
        others.iter().all(|other| line.contains(other.as_str()))
    })
}

/// The times of an event log's records, hundreds of nanoseconds since 1601, as their headers give them.
///
/// The layout is that of the writer in `formats::evtx`: chunks of 64 KiB after the file header, records one after the
/// other in each.
fn event_times(log: &[u8]) -> BTreeSet<u64> {
    let mut times = BTreeSet::new();
    for chunk in log
        .get(EVTX_CHUNKS_AT..)
        .unwrap_or_default()
        .chunks(EVTX_CHUNK_BYTES)
    {
        let mut at = EVTX_RECORDS_AT;
        while let Some(header) = chunk.get(at..at + 24) {
            if !header.starts_with(EVTX_RECORD_MAGIC) {
                break;
            }
            let number = |from: usize, bytes: usize| {
                header[from..from + bytes]
                    .iter()
                    .rev()
                    .fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
            };
            times.insert(number(16, 8));
            let Ok(size @ 24..) = usize::try_from(number(4, 4)) else {
                break;
            };
            at += size;
        }
    }
    times
}
