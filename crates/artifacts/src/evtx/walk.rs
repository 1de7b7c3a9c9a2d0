//! Finds the records of one chunk: the live ones in their order, on behind damage, and stale ones where asked for.
//!
//! A record begins with a magic and its size, and ends with the size once more. Where one cannot be read, the next is
//! searched for by its magic; only one that fits the chunk's header is taken for live, as a chunk that was being reused
//! holds records of both passes of the log over it.

use super::bytes::{u32_at, u64_at};
use super::chunk::{CHUNK_HEADER_BYTES, ChunkHeader};
use std::ops::Range;

const RECORD_MAGIC: &[u8] = b"\x2a\x2a\0\0";
const RECORD_HEADER_BYTES: usize = 24;

/// The copy of the size behind a record.
const SIZE_COPY_BYTES: usize = 4;

/// One record as it lies in its chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The number in its head.
    pub(super) id: u64,
    /// When it was written, as a FILETIME.
    pub(super) written: u64,
    /// Where it begins.
    pub(super) at: usize,
    pub(super) content: Range<usize>,
    end: usize,
}

/// What stands at a place of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Record(Found),
    /// Something that is no record, where one had to be.
    Damage(usize),
    /// Bytes that hold no live record.
    Slack(Range<usize>),
}

/// The steps through a chunk; each moves on, so that they end.
pub(super) struct Walk<'a> {
    chunk: &'a [u8],
    header: ChunkHeader,
    at: Option<usize>,
    slack: Option<Range<usize>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(chunk: &'a [u8], header: ChunkHeader) -> Self {
        Self {
            chunk,
            header,
            at: Some(CHUNK_HEADER_BYTES),
            slack: None,
        }
    }

    /// Where the records end by the header, or the chunk if that is nearer.
    fn live_end(&self) -> usize {
        self.header.free_space.min(self.chunk.len())
    }

    /// Goes on at `next`, after what lies between.
    fn jump(&mut self, from: usize, next: Option<usize>) {
        self.at = next;
        let slack = from..next.unwrap_or(self.chunk.len());
        self.slack = (!slack.is_empty()).then_some(slack);
    }

    /// The next record at or behind `from` that fits the chunk's header.
    fn next_live(&self, from: usize) -> Option<usize> {
        let until = self
            .live_end()
            .min(self.header.last_record.saturating_add(RECORD_MAGIC.len()));
        let mut from = from;
        loop {
            let at = next_magic(self.chunk, from, until)?;
            if let Some(record) = complete_record_at(self.chunk, at)
                && record.end <= self.live_end()
                && (self.header.first_id..=self.header.last_id).contains(&record.id)
            {
                return Some(at);
            }
            from = at + 1;
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if let Some(slack) = self.slack.take() {
            return Some(Step::Slack(slack));
        }
        let at = self.at?;
        if at >= self.live_end() {
            self.jump(at, None);
            return self.next();
        }
        if let Some(record) = record_at(self.chunk, at) {
            if record.id == self.header.last_id {
                self.jump(record.end, None);
            } else {
                self.at = Some(record.end);
            }
            return Some(Step::Record(record));
        }
        let next = self.next_live(at + 1);
        self.jump(at, next);
        // Some writers count free space as used (evtx issue 197): zeros with no record behind them are no damage.
        if next.is_none() && is_blank(self.chunk, at) {
            return self.next();
        }
        Some(Step::Damage(at))
    }
}

/// Records of any time in bytes that hold none by the chunk's header: what was deleted, or overwritten in part. Calls
/// `visit` for each; where it returns false, the find was none, and the search goes on right behind its magic.
pub(super) fn stale_records(
    chunk: &[u8],
    range: Range<usize>,
    visit: &mut dyn FnMut(&Found) -> bool,
) {
    let mut from = range.start;
    while let Some(at) = next_magic(chunk, from, range.end) {
        from = match complete_record_at(chunk, at) {
            Some(record) if record.end <= range.end && visit(&record) => record.end,
            _ => at + 1,
        };
    }
}

/// A head of zeros, or none where the bytes end.
fn is_blank(chunk: &[u8], at: usize) -> bool {
    let head = chunk.get(at..at + RECORD_HEADER_BYTES);
    head.is_none_or(|head| head[..RECORD_MAGIC.len()] == [0; 4])
}

fn next_magic(chunk: &[u8], from: usize, until: usize) -> Option<usize> {
    let range = chunk.get(from..until.min(chunk.len()))?;
    memchr::memmem::find(range, RECORD_MAGIC).map(|found| from + found)
}

/// The record at `at`, if its head can be one.
fn record_at(chunk: &[u8], at: usize) -> Option<Found> {
    let head = chunk.get(at..at + RECORD_HEADER_BYTES)?;
    if !head.starts_with(RECORD_MAGIC) {
        return None;
    }
    let size = usize::try_from(u32_at(head, 4)?).ok()?;
    let content_end = size
        .checked_sub(SIZE_COPY_BYTES)?
        .checked_add(at)
        .filter(|end| *end <= chunk.len())?;
    let content = at + RECORD_HEADER_BYTES..content_end;
    (content.start <= content.end).then_some(Found {
        id: u64_at(head, 8)?,
        written: u64_at(head, 16)?,
        at,
        content,
        end: content_end + SIZE_COPY_BYTES,
    })
}

/// The record at `at`, if the copy of its size agrees too.
fn complete_record_at(chunk: &[u8], at: usize) -> Option<Found> {
    let record = record_at(chunk, at)?;
    let same = u32_at(chunk, record.content.end) == u32_at(chunk, at + 4);
    same.then_some(record)
}
