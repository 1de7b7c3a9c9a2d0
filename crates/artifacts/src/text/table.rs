//! Delimited logs under a head that names the columns: the W3C extended format of IIS and HTTP.sys, and the
//! comma-separated one of Exchange. One pass over each line, no allocation for a row that nobody asks anything of.
//!
//! Format: <https://www.w3.org/TR/WD-logfile.html>; Exchange puts commas between the fields and quotes those that
//! hold one. A head may come again anywhere in a file and changes the columns from there on.

use super::align::{fitting_default, realign};
use super::blocks::{Helper, Lane, Part, Piece as BlockPiece, Worker};
use super::damage::Damage;
use super::head::{self, Head, Normal, Normalise, to_text};
use super::lines::{Block, LINE_BYTES_MAX, Line, Lines, Piece};
use super::names::{begun_by_name, log_name};
use super::time::{
    clock_seconds, culture_clock, culture_date, days, iso_date, iso_time, timestamp,
};
use super::watch::Apart;
use crate::{Item, Sink};
use evidence::Content;
use model::{At, Fact, GapKind, LogFile, Record, Rows, SourceName, Timestamp, Value};
use std::borrow::Cow;
use std::sync::Arc;

/// How one family of delimited logs is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    pub(crate) delimiter: u8,
    /// Whether a field may be enclosed in double quotes, with doubled ones inside.
    pub(crate) quotes: bool,
    /// How an empty field is marked.
    pub(crate) absent: Option<&'static [u8]>,
    pub(crate) time: TimeForm,
    /// Columns with text that strangers choose: where a row has too many delimiters, one of these holds them.
    pub(crate) free: &'static [&'static str],
    /// Heads to try on rows that come before any, strictly.
    pub(crate) default_heads: &'static [&'static str],
    /// Whether a column `EventData` holds `S:KEY=VALUE;` parts, whose keys are fields of the record too.
    pub(crate) parts: bool,
    pub(crate) normalise: Normalise,
}

/// How a row gives its time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TimeForm {
    /// In one column (`DateTime`, `TimeStamp`, `date-time`), in ISO 8601.
    Iso,
    /// In one column, in ISO 8601 or in the form of a culture; rows whose time stays open are read all the same.
    Culture(DayOrder),
    /// In `date` and `time`; without a column `date` the `#Date:` line gives it.
    DateAndTime,
}

/// Which comes first in dates such as `03/02/2021`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DayOrder {
    DayFirst,
    MonthFirst,
    Unknown,
}

/// Gets every row that was understood, and says at the end what all of them show.
pub(crate) trait Watch {
    fn row(&mut self, row: &Row<'_>);

    /// Something that gets rows in place of this, and that [`take`](Self::take) adds to it; `None` where every row has
    /// to be shown here.
    fn apart(&self) -> Option<Apart> {
        None
    }

    /// Adds what rows show that stand behind all rows so far; their lines were counted from the line after `lines`.
    /// `false`, and nothing is added, where a bound would be met: the rows are to be shown one by one.
    fn take(&mut self, _later: Apart, _lines: u64) -> bool {
        false
    }

    fn finish(&mut self, source: &SourceName, sink: &mut dyn Sink);
}

/// One row of a table, decoded no further than asked.
pub(crate) struct Row<'a> {
    pub(crate) head: &'a Head,
    format: &'a Format,
    source: &'a SourceName,
    line: &'a [u8],
    fields: &'a [Field],
    time: Option<Timestamp>,
    number: u64,
}

/// Start and end of a field in its line.
pub(crate) type Field = (usize, usize);

/// Lines and bytes that one row with line breaks in quotes may have. Each line that is added is split anew with all
/// before it.
const ROW_LINES_MAX: usize = 100;
const ROW_BYTES_MAX: usize = 64 * 1024;

/// Items of this size are read by two threads, so that a log that dwarfs all others does not keep one core busy while the
/// others have nothing left to do.
const SHARED_BYTES_MIN: u64 = 8 << 20;

/// Times that a second thread is started for one item; each place that needs care ends one.
const THREADS_MAX: u32 = 64;

/// Blocks that are read ahead of the one that is told next.
const BLOCKS_AHEAD: usize = 4;

/// Changes of the head after which an item is read row by row: each change costs a look at all rules.
const LANES_MAX: usize = 64;

/// Reads a whole log: its rows as records, its damage as gaps and rejections, itself as a fact.
pub(crate) fn read_table(
    format: &Format,
    source: &SourceName,
    item: &Item<'_>,
    content: &mut dyn Content,
    sink: &mut dyn Sink,
    watch: &mut dyn Watch,
) {
    let by_name = begun_by_name(item.path);
    let bounds = by_name.and_then(|(begun, period)| {
        // IIS may roll its files over by local time, without saying so in their names.
        let slack = match format.time {
            TimeForm::DateAndTime => 14 * 3_600,
            TimeForm::Iso | TimeForm::Culture(_) => 0,
        };
        let begun = begun.as_second();
        let from = Timestamp::new(begun - slack, 0).ok()?;
        let until = Timestamp::new(begun + i64::from(period) + slack, 0).ok()?;
        Some((from, until))
    });
    let (begun, rows) = read_rows(format, source, bounds, content, sink, watch);
    let log = LogFile {
        source: source.clone(),
        name: log_name(item.path).to_owned(),
        begun: begun.or(by_name.map(|(begun, _)| begun)),
        first: rows.first,
        last: rows.last,
        records: rows.records,
        period_seconds: by_name.map(|(_, period)| period),
        columns: rows.columns.unwrap_or_default(),
    };
    sink.fact(At::Item, Fact::LogFile(log));
}

/// Reads rows as records, and damage as gaps and rejections; says when the head says that the log was begun. The
/// file's name may bound when its rows were written.
pub(crate) fn read_rows(
    format: &Format,
    source: &SourceName,
    bounds: Option<(Timestamp, Timestamp)>,
    content: &mut dyn Content,
    sink: &mut dyn Sink,
    watch: &mut dyn Watch,
) -> (Option<Timestamp>, LogRows) {
    let mut table = Table {
        format,
        source,
        head: None,
        lane: Lanes::Open,
        lanes: 0,
        default_heads: format
            .default_heads
            .iter()
            .filter_map(|names| Head::parse(names.as_bytes(), format))
            .collect(),
        fields: Vec::new(),
        open_row: None,
        day: None,
        previous_clock: 0,
        begun: None,
        log: LogRows::default(),
        damage: Damage::default(),
    };
    table.damage.begin(bounds.map(|(from, _)| from));
    let size = content.size();
    let is_large = size.is_some_and(|size| size >= SHARED_BYTES_MIN);
    let mut threads = if is_large { THREADS_MAX } else { 0 };
    let mut lines = Lines::of_size(content.stream(), size);
    loop {
        let has_lane = table.has_lane(sink, watch);
        if has_lane && threads > 0 {
            threads -= 1;
            if table.blocks_together(&mut lines, sink, watch) {
                continue;
            }
        }
        if has_lane && let Some(block) = lines.block() {
            let (bytes, count) = table.block(block, sink, watch);
            lines.pass(bytes, count);
            continue;
        }
        let Some(piece) = lines.next() else {
            break;
        };
        match piece {
            Piece::Line(line) => table.line(line, sink, watch),
            Piece::TooLong { number } => table.long_line(number, sink, watch),
            Piece::Nuls {
                number,
                offset,
                bytes,
            } => {
                table.close_open_row(sink, watch);
                table.damage.nuls(number, offset, bytes);
            }
            Piece::Broken { offset } => table.damage.broken(offset),
        }
    }
    table.close_open_row(sink, watch);
    table.leave_lane();
    table.damage.finish(bounds.map(|(_, until)| until), sink);
    watch.finish(source, sink);
    (table.begun, table.log)
}

/// State while a table is read.
struct Table<'f> {
    format: &'f Format,
    source: &'f SourceName,
    head: Option<Arc<Head>>,
    lane: Lanes,
    lanes: usize,
    default_heads: Vec<Head>,
    fields: Vec<Field>,
    /// A row whose quotes were still open at its line's end.
    open_row: Option<OpenRow>,
    /// Day of rows that have no date of their own.
    day: Option<i64>,
    previous_clock: i64,
    begun: Option<Timestamp>,
    log: LogRows,
    damage: Damage,
}

/// How rows under the head in force are read in blocks.
#[derive(Default)]
enum Lanes {
    /// Nobody has tried yet.
    #[default]
    Open,
    /// They cannot be.
    Closed,
    In(Arc<Lane>, Worker),
}

struct OpenRow {
    number: u64,
    text: Vec<u8>,
    /// Numbers of the lines that were joined to the first.
    joined: Vec<u64>,
}

/// What the rows of a log show of it.
#[derive(Default)]
pub(crate) struct LogRows {
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    records: u64,
    /// Columns that all heads over rows have in common.
    columns: Option<Vec<String>>,
    /// Whether the columns of the head in force were compared.
    head_compared: bool,
}

impl LogRows {
    /// Keeps of the columns those that this head names too.
    fn compare(&mut self, head: &Head) {
        self.head_compared = true;
        let has = |name: &str| head.names().iter().any(|known| **known == *name);
        match &mut self.columns {
            Some(columns) => columns.retain(|name| has(name)),
            None => self.columns = Some(head.names().iter().map(ToString::to_string).collect()),
        }
    }
}

impl Table<'_> {
    /// Whether rows can be read in blocks from here on.
    fn has_lane(&mut self, sink: &mut dyn Sink, watch: &mut dyn Watch) -> bool {
        if self.open_row.is_some() {
            return false;
        }
        let Some(head) = &self.head else {
            return false;
        };
        if matches!(self.lane, Lanes::Open) {
            self.lanes += 1;
            let lane = (self.lanes <= LANES_MAX)
                .then(|| Lane::new(head, self.format, self.source, sink, watch))
                .flatten();
            self.lane = match lane {
                Some(lane) => {
                    let worker = lane.begin();
                    Lanes::In(lane, worker)
                }
                None => Lanes::Closed,
            };
        }
        matches!(self.lane, Lanes::In(..))
    }

    fn leave_lane(&mut self) {
        if let Lanes::In(lane, worker) = std::mem::take(&mut self.lane) {
            lane.end(worker);
        }
    }

    /// Reads whole lines, and says how many bytes and lines of them it took: fewer than there are where what a line
    /// says changes how the others are to be read.
    fn block(
        &mut self,
        block: Block<'_>,
        sink: &mut dyn Sink,
        watch: &mut dyn Watch,
    ) -> (usize, u64) {
        let Lanes::In(lane, worker) = &mut self.lane else {
            return (0, 0);
        };
        let lane = Arc::clone(lane);
        let pieces = lane.read(block.bytes, worker);
        self.tell(&lane, block, pieces, sink, watch)
    }

    /// Reads blocks with a second thread, and tells them in their order, until a line needs care. `false` where not even
    /// one block came.
    fn blocks_together(
        &mut self,
        lines: &mut Lines<'_>,
        sink: &mut dyn Sink,
        watch: &mut dyn Watch,
    ) -> bool {
        let Lanes::In(lane, own) = std::mem::take(&mut self.lane) else {
            return false;
        };
        let (came, own) = std::thread::scope(|scope| {
            let mut helper = Helper::start(scope, &lane, own);
            let mut came = false;
            let mut is_same = true;
            while is_same && let Some(block) = lines.block() {
                came = true;
                helper.give(block);
                let count = memchr::memchr_iter(b'\n', block.bytes).count();
                let bytes = block.bytes.len();
                lines.pass(bytes, count as u64);
                while is_same && let Some((number, bytes, pieces)) = helper.take(BLOCKS_AHEAD) {
                    is_same = self.tell_whole(&lane, number, &bytes, pieces, sink, watch);
                    helper.reuse(bytes);
                }
            }
            // Blocks behind a line that changed how rows are to be read are read again, line by line.
            while let Some((number, bytes, pieces)) = helper.take(0) {
                if is_same {
                    is_same = self.tell_whole(&lane, number, &bytes, pieces, sink, watch);
                } else {
                    self.lines_of(number, &bytes, sink, watch);
                }
            }
            (came, helper.end())
        });
        let is_same = self
            .head
            .as_ref()
            .is_some_and(|head| Arc::ptr_eq(head, &lane.head));
        if is_same {
            self.lane = Lanes::In(lane, own);
        } else {
            lane.end(own);
        }
        came
    }

    /// Tells all of a block; `false` where a line in it changed how the rows behind it are to be read.
    fn tell_whole(
        &mut self,
        lane: &Arc<Lane>,
        number: u64,
        bytes: &[u8],
        pieces: Vec<BlockPiece>,
        sink: &mut dyn Sink,
        watch: &mut dyn Watch,
    ) -> bool {
        let block = Block { bytes, number };
        let (taken, count) = self.tell(lane, block, pieces, sink, watch);
        let rest = bytes.get(taken..).unwrap_or_default();
        self.lines_of(number + count, rest, sink, watch);
        let is_same = self
            .head
            .as_ref()
            .is_some_and(|head| Arc::ptr_eq(head, &lane.head));
        is_same && self.open_row.is_none()
    }

    /// Reads whole lines one by one; `number` is that of the first.
    fn lines_of(&mut self, number: u64, lines: &[u8], sink: &mut dyn Sink, watch: &mut dyn Watch) {
        for (number, line) in (number..).zip(lines.split_inclusive(|byte| *byte == b'\n')) {
            let line = Line {
                number,
                bytes: line,
                ended: true,
            };
            self.whole_line(without_end(line), sink, watch);
        }
    }

    /// Tells what was read of a block, as [`Self::block`] does.
    fn tell(
        &mut self,
        lane: &Arc<Lane>,
        block: Block<'_>,
        pieces: Vec<BlockPiece>,
        sink: &mut dyn Sink,
        watch: &mut dyn Watch,
    ) -> (usize, u64) {
        let before = block.number - 1;
        for piece in pieces {
            match piece {
                BlockPiece::Rows(part) => self.rows(*part, before, block.bytes, sink, watch),
                BlockPiece::Line { start, end, number } => {
                    let line = Line {
                        number: before + number,
                        bytes: block.bytes.get(start..end).unwrap_or_default(),
                        ended: true,
                    };
                    self.whole_line(without_end(line), sink, watch);
                    let is_same = self
                        .head
                        .as_ref()
                        .is_some_and(|head| Arc::ptr_eq(head, &lane.head));
                    if !is_same || self.open_row.is_some() {
                        return (end + 1, number);
                    }
                }
            }
        }
        let lines = memchr::memchr_iter(b'\n', block.bytes).count();
        (block.bytes.len(), lines as u64)
    }

    /// Rows of a block, counted together where no bound is near.
    fn rows(
        &mut self,
        part: Part,
        before: u64,
        block: &[u8],
        sink: &mut dyn Sink,
        watch: &mut dyn Watch,
    ) {
        let segments = part.seen.segments().to_vec();
        if !watch.take(part.seen, before) {
            let lines = block.get(part.start..part.end).unwrap_or_default();
            self.lines_of(before + part.number, lines, sink, watch);
            return;
        }
        self.damage.good(part.first, sink);
        self.damage.good(part.last, sink);
        if let Some((day, clock)) = part.clock {
            self.day = Some(day);
            self.previous_clock = clock;
        }
        self.log.records += part.count;
        let Some(head) = self.head.clone() else {
            return;
        };
        if !self.log.head_compared {
            self.log.compare(&head);
        }
        let (earliest, latest) = part.span;
        self.log.first = Some(self.log.first.map_or(earliest, |known| known.min(earliest)));
        self.log.last = Some(self.log.last.map_or(latest, |known| known.max(latest)));
        sink.rows(&Rows {
            source: self.source,
            count: part.count,
            span: part.span,
            minutes: &part.minutes,
            segments: &segments,
        });
        for suspect in &part.suspects {
            let line = block.get(suspect.start..suspect.end).unwrap_or_default();
            split(line, self.format, &mut self.fields);
            let row = Row {
                head: &head,
                format: self.format,
                source: self.source,
                line,
                fields: &self.fields,
                time: Some(suspect.time),
                number: before + suspect.number,
            };
            sink.suspect(&row, &suspect.interest);
        }
    }

    /// A line of a block, which may be longer than the lines that are kept.
    fn whole_line(&mut self, line: Line<'_>, sink: &mut dyn Sink, watch: &mut dyn Watch) {
        if line.bytes.len() > LINE_BYTES_MAX {
            self.long_line(line.number, sink, watch);
        } else {
            self.line(line, sink, watch);
        }
    }

    fn long_line(&mut self, number: u64, sink: &mut dyn Sink, watch: &mut dyn Watch) {
        self.close_open_row(sink, watch);
        self.reject(number, "line too long", None, sink);
    }

    fn line(&mut self, line: Line<'_>, sink: &mut dyn Sink, watch: &mut dyn Watch) {
        if self.open_row.is_some() && self.join(line, sink, watch) {
            return;
        }
        if line.bytes.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        if let Some(directive) = line.bytes.strip_prefix(b"#") {
            self.directive(directive, line.number);
            return;
        }
        if self.is_plain_head(line.bytes) {
            return;
        }
        let open = split(line.bytes, self.format, &mut self.fields);
        if open
            && line.ended
            && self
                .head
                .as_ref()
                .is_some_and(|head| self.fields.len() <= head.names().len())
        {
            self.open_row = Some(OpenRow {
                number: line.number,
                text: line.bytes.to_vec(),
                joined: Vec::new(),
            });
            return;
        }
        self.row(line, sink, watch);
    }

    /// `#Fields:` and `#Date:`; other lines that begin with `#` are comments.
    fn directive(&mut self, directive: &[u8], number: u64) {
        if let Some(names) = strip_keyword(directive, b"fields:") {
            match Head::parse(names, self.format) {
                Some(head) => self.set_head(head),
                None => self.damage.gap(
                    GapKind::Partial,
                    At::Line(number),
                    "a #Fields line is damaged; the columns before it stay in force".to_owned(),
                ),
            }
        } else if let Some(date) = strip_keyword(directive, b"date:") {
            let time = iso_time(date.trim_ascii());
            self.begun = self.begun.or(time);
            if self.log.records == 0 {
                self.damage.begin(time);
            }
            if let Some(time) = time {
                self.day = Some(time.as_second().div_euclid(86_400));
                self.previous_clock = time.as_second().rem_euclid(86_400);
            } else {
                let day = date.trim_ascii().get(..10).and_then(iso_date);
                self.day = day.or(self.day);
            }
        }
    }

    /// Exchange writes the names once more without `#Fields:`, so that the file can be imported as plain CSV.
    fn is_plain_head(&mut self, line: &[u8]) -> bool {
        if line.first().is_none_or(u8::is_ascii_digit) {
            return false;
        }
        let first = first_field(line, self.format).to_ascii_lowercase();
        if !matches!(
            first.as_slice(),
            b"datetime" | b"timestamp" | b"date-time" | b"date" | b"mytimestamp"
        ) {
            return false;
        }
        let Some(head) = Head::parse(line, self.format) else {
            return false;
        };
        self.set_head(head);
        true
    }

    fn set_head(&mut self, head: Head) {
        self.log.head_compared = false;
        // A restart writes the same head again.
        let is_known = self
            .head
            .as_ref()
            .is_some_and(|known| known.names() == head.names());
        if !is_known {
            self.leave_lane();
            self.head = Some(Arc::new(head));
        }
    }

    /// Adds a line to the open row; `false` where it does not belong to it, and the open row was closed.
    fn join(&mut self, line: Line<'_>, sink: &mut dyn Sink, watch: &mut dyn Watch) -> bool {
        let begins_anew = line.bytes.starts_with(b"#")
            || iso_time(first_field(line.bytes, self.format)).is_some();
        let Some(open) = &mut self.open_row else {
            return false;
        };
        let too_much = open.joined.len() >= ROW_LINES_MAX
            || open.text.len() + line.bytes.len() > ROW_BYTES_MAX;
        if begins_anew || too_much {
            self.close_open_row(sink, watch);
            return false;
        }
        open.text.push(b'\n');
        open.text.extend_from_slice(line.bytes);
        if !line.bytes.iter().all(u8::is_ascii_whitespace) {
            open.joined.push(line.number);
        }
        let still_open = split(&open.text, self.format, &mut self.fields);
        if !still_open && let Some(open) = self.open_row.take() {
            let row = Line {
                number: open.number,
                bytes: &open.text,
                ended: line.ended,
            };
            self.row(row, sink, watch);
        }
        true
    }

    /// Gives up waiting for the closing quote: each line stands for itself, and has too few fields.
    fn close_open_row(&mut self, sink: &mut dyn Sink, watch: &mut dyn Watch) {
        let Some(open) = self.open_row.take() else {
            return;
        };
        let first = open
            .text
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        split(first, self.format, &mut self.fields);
        let row = Line {
            number: open.number,
            bytes: first,
            ended: true,
        };
        self.row(row, sink, watch);
        for number in open.joined {
            self.reject(number, "fewer fields than the head", None, sink);
        }
    }

    /// One row, already split.
    fn row(&mut self, line: Line<'_>, sink: &mut dyn Sink, watch: &mut dyn Watch) {
        let fitted = match &self.head {
            Some(head) if head.fits(self.fields.len()) => Ok(&**head),
            Some(head) => {
                realign(line.bytes, head, self.format, &mut self.fields).map(|()| &**head)
            }
            None => fitting_default(
                line.bytes,
                &self.default_heads,
                self.format,
                &mut self.fields,
            )
            .ok_or("no head"),
        };
        let head = match fitted {
            Ok(head) => head,
            Err(reason) => {
                let shown = shown_time(line, self.format);
                return self.reject(line.number, reason, shown, sink);
            }
        };
        let time = row_time(
            &Columns {
                head,
                format: self.format,
                line: line.bytes,
                fields: &self.fields,
            },
            &mut self.day,
            &mut self.previous_clock,
        );
        if time.is_none() && !matches!(self.format.time, TimeForm::Culture(_)) {
            return self.reject(line.number, "time not understood", None, sink);
        }
        self.damage.read(time, sink);
        self.log.records += 1;
        if !self.log.head_compared {
            self.log.compare(head);
        }
        self.log.first = [self.log.first, time].into_iter().flatten().min();
        self.log.last = [self.log.last, time].into_iter().flatten().max();
        let row = Row {
            head,
            format: self.format,
            source: self.source,
            line: line.bytes,
            fields: &self.fields,
            time,
            number: line.number,
        };
        watch.row(&row);
        sink.record(&row);
    }

    fn reject(
        &mut self,
        number: u64,
        reason: &'static str,
        time: Option<Timestamp>,
        sink: &mut dyn Sink,
    ) {
        sink.rejected(At::Line(number), reason);
        self.damage.rejected(number, reason, time);
    }
}

/// A line of a block without LF or CR LF.
fn without_end(line: Line<'_>) -> Line<'_> {
    let bytes = line.bytes.strip_suffix(b"\n").unwrap_or(line.bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    Line { bytes, ..line }
}

/// The time at the beginning of a row that could not be read. Where the log breaks off, what followed is missing as
/// well, and the time of this row says nothing of it.
fn shown_time(line: Line<'_>, format: &Format) -> Option<Timestamp> {
    if !line.ended {
        return None;
    }
    let text = match format.time {
        TimeForm::DateAndTime => line.bytes.get(..19)?,
        TimeForm::Iso | TimeForm::Culture(_) => first_field(line.bytes, format),
    };
    iso_time(text)
}

/// The first field without quotes.
fn first_field<'l>(line: &'l [u8], format: &Format) -> &'l [u8] {
    let end = memchr::memchr(format.delimiter, line).unwrap_or(line.len());
    let text = line.get(..end).unwrap_or_default().trim_ascii();
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    text.strip_suffix(b"\"").unwrap_or(text)
}

/// A row before its time is known.
pub(crate) struct Columns<'a> {
    pub(crate) head: &'a Head,
    pub(crate) format: &'a Format,
    pub(crate) line: &'a [u8],
    pub(crate) fields: &'a [Field],
}

impl Columns<'_> {
    fn raw(&self, column: usize) -> Option<&[u8]> {
        let (start, end) = *self.fields.get(column)?;
        self.line.get(start..end)
    }

    /// A field without blanks and quotes around it.
    fn unquoted(&self, column: usize) -> Option<&[u8]> {
        let text = self.raw(column)?.trim_ascii();
        let text = text.strip_prefix(b"\"").unwrap_or(text);
        Some(text.strip_suffix(b"\"").unwrap_or(text))
    }
}

pub(crate) fn row_time(
    row: &Columns<'_>,
    day: &mut Option<i64>,
    previous_clock: &mut i64,
) -> Option<Timestamp> {
    match row.format.time {
        TimeForm::Iso => iso_time(row.unquoted(row.head.marks.time?)?),
        TimeForm::Culture(order) => {
            let text = row.unquoted(row.head.marks.time?)?;
            iso_time(text).or_else(|| culture_time(&String::from_utf8_lossy(text), order))
        }
        TimeForm::DateAndTime => {
            let clock = clock_seconds(row.raw(row.head.marks.clock?)?)?;
            let own_day = match row.head.marks.date {
                Some(column) => iso_date(row.raw(column)?)?,
                // Files may run past midnight: a clock that falls back by half a day has passed it.
                None if clock + 43_200 < *previous_clock => (*day)?.checked_add(1)?,
                None => (*day)?,
            };
            *day = Some(own_day);
            *previous_clock = clock;
            timestamp(own_day, clock, 0)
        }
    }
}

/// A date and a clock in a culture's form, taken for UTC as the logs are; `None` where two readings are possible.
fn culture_time(text: &str, order: DayOrder) -> Option<Timestamp> {
    let (first, second, year) = culture_date(text)?;
    let clock = match text.trim().split_once([' ', '\u{a0}', '\u{202f}']) {
        Some((_, clock)) => culture_clock(clock)?,
        None => return None,
    };
    let (month, day) = match order {
        DayOrder::DayFirst => (second, first),
        DayOrder::MonthFirst => (first, second),
        DayOrder::Unknown if first == second || second > 12 => (first, second),
        DayOrder::Unknown if first > 12 => (second, first),
        DayOrder::Unknown => return None,
    };
    timestamp(days(year, month, day)?, clock, 0)
}

/// Splits a line into fields; says whether a quote was still open at the end.
pub(crate) fn split(line: &[u8], format: &Format, fields: &mut Vec<Field>) -> bool {
    fields.clear();
    if !format.quotes || memchr::memchr(b'"', line).is_none() {
        let mut start = 0;
        for at in memchr::memchr_iter(format.delimiter, line) {
            fields.push((start, at));
            start = at + 1;
        }
        fields.push((start, line.len()));
        return false;
    }
    let mut start = 0;
    loop {
        let (end, open) = field_end(line, start, format.delimiter);
        fields.push((start, end));
        if open || end >= line.len() {
            return open;
        }
        start = end + 1;
    }
}

/// Where the field that begins at `start` ends. A quote counts only at a field's beginning; one in the middle of an
/// unquoted field is text, and what follows a closing quote belongs to the field.
fn field_end(line: &[u8], start: usize, delimiter: u8) -> (usize, bool) {
    let mut at = start;
    let mut open = false;
    if line.get(start) == Some(&b'"') {
        open = true;
        at += 1;
        while let Some(found) = memchr::memchr(b'"', line.get(at..).unwrap_or_default()) {
            at += found + 1;
            if line.get(at) == Some(&b'"') {
                at += 1;
            } else {
                open = false;
                break;
            }
        }
        if open {
            return (line.len(), true);
        }
    }
    let rest = line.get(at..).unwrap_or_default();
    let end = memchr::memchr(delimiter, rest).map_or(line.len(), |found| at + found);
    (end, open)
}

fn strip_keyword<'a>(text: &'a [u8], keyword: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(keyword.len())?;
    start.eq_ignore_ascii_case(keyword).then_some(rest)
}

impl<'a> Row<'a> {
    /// A row that was split by others.
    pub(crate) fn new(
        columns: &Columns<'a>,
        source: &'a SourceName,
        time: Option<Timestamp>,
        number: u64,
    ) -> Self {
        Self {
            head: columns.head,
            format: columns.format,
            source,
            line: columns.line,
            fields: columns.fields,
            time,
            number,
        }
    }

    /// A field without its quotes; `None` where the row has none or marks it as absent.
    pub(crate) fn bytes(&self, column: usize) -> Option<Cow<'a, [u8]>> {
        let raw = self.raw_bytes(column)?;
        if Some(raw) == self.format.absent {
            return None;
        }
        match raw {
            [b'"', inner @ ..] if self.format.quotes => {
                let inner = inner.strip_suffix(b"\"").unwrap_or(inner);
                Some(if memchr::memchr(b'"', inner).is_some() {
                    Cow::Owned(undoubled(inner, b'"'))
                } else {
                    Cow::Borrowed(inner)
                })
            }
            _ => Some(Cow::Borrowed(raw)),
        }
    }

    /// A field as it stands in its line.
    pub(crate) fn raw_bytes(&self, column: usize) -> Option<&'a [u8]> {
        let (start, end) = *self.fields.get(column)?;
        self.line.get(start..end)
    }

    /// The value of a normalised name as text.
    pub(crate) fn normal_text(&self, name: &str) -> Option<String> {
        let value = self.value_of(self.head.normal(name)?)?;
        Some(value.to_text().into_owned())
    }

    /// The column of `S:KEY=VALUE;` parts.
    pub(crate) fn parts(&self) -> Option<Cow<'a, str>> {
        if !self.format.parts {
            return None;
        }
        self.bytes(self.head.marks.parts?).map(to_text)
    }

    /// The value of a field, as [`Record::get`] gives it, for as long as the line lives.
    pub(crate) fn field(&self, field: &str) -> Option<Value<'a>> {
        if let Some(normal) = self.head.resolve(field) {
            return self.value_of(normal);
        }
        let value = super::parts::get(&self.parts()?, field)?;
        Some(Value::text(value))
    }

    fn value_of(&self, normal: Normal) -> Option<Value<'a>> {
        head::value(normal, &|column| self.bytes(column))
    }
}

impl Record for Row<'_> {
    fn source(&self) -> &SourceName {
        self.source
    }

    fn time(&self) -> Option<Timestamp> {
        self.time
    }

    fn at(&self) -> At {
        At::Line(self.number)
    }

    fn get(&self, name: &str) -> Option<Value<'_>> {
        self.field(name)
    }

    fn each_field(&self, visit: &mut dyn FnMut(&str, Value<'_>)) {
        for (column, name) in self.head.names().iter().enumerate() {
            if let Some(value) = self.value_of(Normal::Text(column)) {
                visit(name, value);
            }
        }
        for (name, normal) in self.head.normal_names() {
            if let Some(value) = self.value_of(*normal) {
                visit(name, value);
            }
        }
        if let Some(parts) = self.parts() {
            super::parts::each(&parts, &mut |name, value| visit(name, Value::text(value)));
        }
    }

    fn raw(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.line)
    }
}

/// Doubled quotes made single.
pub(crate) fn undoubled(text: &[u8], quote: u8) -> Vec<u8> {
    let mut single = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        single.push(byte);
        if byte == quote && bytes.peek() == Some(&quote) {
            bytes.next();
        }
    }
    single
}
