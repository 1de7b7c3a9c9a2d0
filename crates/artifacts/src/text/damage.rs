//! Gaps of a log that is read line by line: where they lie, and between which records.

use crate::Sink;
use model::{At, GapKind, Timestamp};

/// Gaps that one item may show; the rest are summed up in one.
const GAPS_MAX: usize = 200;

/// Collects what could not be read and tells it with the times of the records around it.
#[derive(Default)]
pub(crate) struct Damage {
    open: Vec<OpenGap>,
    /// When the log was begun.
    begun: Option<Timestamp>,
    last_good: Option<Timestamp>,
    told: usize,
    untold: u64,
    untold_from: Option<Timestamp>,
}

struct OpenGap {
    kind: GapKind,
    at: At,
    detail: String,
    /// Records rejected in a row, and the reason for the first.
    rejected: u64,
    reason: &'static str,
    /// Latest time that the rejected records themselves show; absent where one of them shows none.
    latest: Option<Timestamp>,
}

impl Damage {
    /// Says when the log was begun; the log's own word comes after that of its name, and counts.
    pub(crate) fn begin(&mut self, begun: Option<Timestamp>) {
        self.begun = begun.or(self.begun);
    }

    /// A gap that lasts until the next good record.
    pub(crate) fn gap(&mut self, kind: GapKind, at: At, detail: String) {
        if self.open.len() >= GAPS_MAX {
            self.count_untold();
            return;
        }
        self.open.push(OpenGap {
            kind,
            at,
            detail,
            rejected: 0,
            reason: "",
            latest: None,
        });
    }

    /// A rejected record; those in a row make one gap. `time` is what the record shows in spite of its damage.
    pub(crate) fn rejected(&mut self, number: u64, reason: &'static str, time: Option<Timestamp>) {
        if let Some(run) = self.open.iter_mut().find(|gap| gap.rejected > 0) {
            run.rejected += 1;
            run.latest = run.latest.zip(time).map(|(a, b)| a.max(b));
        } else if self.open.len() >= GAPS_MAX {
            self.count_untold();
        } else {
            self.open.push(OpenGap {
                kind: GapKind::Partial,
                at: At::Line(number),
                detail: String::new(),
                rejected: 1,
                reason,
                latest: time,
            });
        }
    }

    /// A run of NUL bytes.
    pub(crate) fn nuls(&mut self, number: u64, offset: u64, bytes: u64) {
        let detail = format!(
            "{bytes} NUL bytes from byte {offset} on, in line {number}; what stood there was never written"
        );
        self.gap(GapKind::Partial, At::Offset(offset), detail);
    }

    /// The item breaks off.
    pub(crate) fn broken(&mut self, offset: u64) {
        let detail = "the item could not be read beyond this byte".to_owned();
        self.gap(GapKind::Partial, At::Offset(offset), detail);
    }

    /// A record that was understood, with its time where it has one.
    pub(crate) fn read(&mut self, time: Option<Timestamp>, sink: &mut dyn Sink) {
        match time {
            Some(time) => self.good(time, sink),
            None if self.open.is_empty() => {}
            None => self.tell(None, None, sink),
        }
    }

    /// A record that was understood ends the damage before it.
    pub(crate) fn good(&mut self, time: Timestamp, sink: &mut dyn Sink) {
        if !self.open.is_empty() {
            self.tell(Some(time), None, sink);
        }
        self.last_good = Some(time);
    }

    /// The end of the log; `end` is when its last record may have been written at the latest.
    pub(crate) fn finish(&mut self, end: Option<Timestamp>, sink: &mut dyn Sink) {
        self.tell(None, end, sink);
        if self.untold > 0 {
            let detail = format!("{} more damaged places", self.untold);
            sink.gap(GapKind::Limit, At::Item, (self.untold_from, end), &detail);
        }
    }

    fn count_untold(&mut self) {
        self.untold += 1;
        self.untold_from = self.untold_from.or(self.last_good).or(self.begun);
    }

    fn tell(&mut self, next: Option<Timestamp>, end: Option<Timestamp>, sink: &mut dyn Sink) {
        for gap in std::mem::take(&mut self.open) {
            if self.told >= GAPS_MAX {
                self.count_untold();
                continue;
            }
            self.told += 1;
            // Nothing follows: a whole record ends with its own second, all else where the log does.
            let after = |time: Timestamp| Timestamp::new(time.as_second() + 1, 0).ok();
            let end = end.filter(|end| self.last_good.is_none_or(|last| last < *end));
            let until = next.or(gap.latest.and_then(after)).or(end);
            // Rows are written when requests end, so that their times may lie slightly out of order.
            let span = match (self.last_good.or(self.begun), until) {
                (Some(a), Some(b)) => (Some(a.min(b)), Some(a.max(b))),
                other => other,
            };
            let detail = match gap.rejected {
                0 => gap.detail,
                1 => format!("one record was rejected: {}", gap.reason),
                count => format!(
                    "{count} records in a row were rejected, the first for: {}",
                    gap.reason
                ),
            };
            sink.gap(gap.kind, gap.at, span, &detail);
        }
    }
}
