//! Breaks files on their way to the sink, as accidents do: cut off, filled with zeroes.

use crate::moment::{DAY, Moment};
use crate::sink::{Sink, Taken};
use crate::source::Source;
use crate::story::{Damage, DamageKind};
use jiff::Timestamp;
use std::fmt;
use std::io;

const EVTX_HEADER_BYTES: usize = 4_096;
const EVTX_CHUNK_BYTES: usize = 65_536;

/// A page of memory: what a file system zeroes at once after a power failure.
const PAGE_BYTES: usize = 4_096;

/// A file that was broken. Displays as words.
#[derive(Clone, Debug)]
pub(crate) struct Damaged {
    pub(crate) kind: DamageKind,
    pub(crate) source: Source,
    /// Empty where the source has no instances.
    pub(crate) instance: String,
    /// Times of the records that may be lost.
    pub(crate) span: (Moment, Moment),
    path: String,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match self.kind {
            DamageKind::CutOff => write!(f, "{path} is cut off in the middle of a line"),
            DamageKind::ZeroTail => write!(f, "{path} ends in zeroes"),
            DamageKind::ZeroChunk => write!(f, "one chunk of {path} is overwritten with zeroes"),
        }
    }
}

/// Passes files on and breaks some of them.
pub(crate) struct Breaker<'a> {
    damage: &'a [(Damage, Moment)],
    out: &'a mut dyn Sink,
    damaged: Vec<Damaged>,
}

impl<'a> Breaker<'a> {
    pub(crate) fn new(damage: &'a [(Damage, Moment)], out: &'a mut dyn Sink) -> Self {
        Self {
            damage,
            out,
            damaged: Vec::new(),
        }
    }

    /// What was broken.
    pub(crate) fn damaged(self) -> Vec<Damaged> {
        self.damaged
    }
}

impl Sink for Breaker<'_> {
    fn file(&mut self, path: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()> {
        let hit = self
            .damage
            .iter()
            .find(|(damage, time)| concerns(damage, *time, path));
        let Some((damage, time)) = hit else {
            return self.out.file(path, modified, contents);
        };
        let broken = break_file(damage.kind, contents);
        if broken != contents {
            self.damaged.push(Damaged {
                kind: damage.kind,
                source: damage.source,
                instance: damage.instance.clone(),
                span: span(damage, *time),
                path: path.to_owned(),
            });
        }
        self.out.file(path, modified, &broken)
    }

    fn finish(&mut self, taken: &Taken) -> io::Result<()> {
        self.out.finish(taken)
    }
}

/// Whether the file at `path` holds records of what is to be damaged, of the day of `time`.
fn concerns(damage: &Damage, time: Moment, path: &str) -> bool {
    if let Some(folder) = damage.source.log_folder() {
        let day = time.compact_day();
        // Web sites' folders end in the site's number; the proxy's are named after the protocol.
        let instance = path
            .split_once(folder)
            .is_some_and(|(_, rest)| begins_with(rest, &damage.instance));
        let name = path.rsplit('\\').next().unwrap_or(path);
        return instance && name.contains(&day[2..]);
    }
    damage
        .source
        .event_log()
        .is_some_and(|name| path.rsplit('\\').next() == Some(name.as_str()))
}

fn begins_with(text: &str, start: &str) -> bool {
    text.get(..start.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// Times of the records of the damaged file, widest: of an event log, any.
fn span(damage: &Damage, time: Moment) -> (Moment, Moment) {
    if damage.source.log_folder().is_none() {
        (Moment(i64::MIN), Moment(i64::MAX))
    } else {
        (time.day_start(), time.day_start().after(DAY))
    }
}

fn break_file(kind: DamageKind, contents: &[u8]) -> Vec<u8> {
    let mut broken = contents.to_vec();
    match kind {
        // Two thirds of the file are left, or a little more, so that the last line is not whole.
        DamageKind::CutOff => {
            let mut end = broken.len() * 2 / 3;
            while broken.get(end.saturating_sub(1)) == Some(&b'\n') {
                end += 3;
            }
            broken.truncate(end);
        }
        DamageKind::ZeroTail => {
            let begin = broken
                .len()
                .saturating_sub(PAGE_BYTES.min(broken.len() / 3));
            broken[begin..].fill(0);
        }
        DamageKind::ZeroChunk => {
            let chunks = broken.len().saturating_sub(EVTX_HEADER_BYTES) / EVTX_CHUNK_BYTES;
            let begin = EVTX_HEADER_BYTES + chunks / 2 * EVTX_CHUNK_BYTES;
            let end = (begin + EVTX_CHUNK_BYTES).min(broken.len());
            if begin < end {
                broken[begin..end].fill(0);
            }
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_file_ends_within_a_line_and_a_zeroed_one_keeps_its_length() {
        let rows = "one,two,three\r\n".repeat(40);
        let cut = break_file(DamageKind::CutOff, rows.as_bytes());
        assert!(cut.len() < rows.len() && cut.last() != Some(&b'\n'));
        let zeroed = break_file(DamageKind::ZeroTail, rows.as_bytes());
        assert!(zeroed.len() == rows.len() && zeroed.ends_with(&[0; 200]));
        assert!(zeroed.starts_with(b"one,two"));
        let log = vec![7; EVTX_HEADER_BYTES + 3 * EVTX_CHUNK_BYTES];
        let chunk = break_file(DamageKind::ZeroChunk, &log);
        let zeroes = chunk.len()
            - chunk
                .iter()
                .map(|byte| usize::from(*byte != 0))
                .sum::<usize>();
        assert_eq!(zeroes, EVTX_CHUNK_BYTES);
        assert_eq!(break_file(DamageKind::ZeroChunk, &[1; 9]), [1; 9]);
    }
}
