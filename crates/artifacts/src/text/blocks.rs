//! Rows of a delimited log, read a block at a time and counted together.
//!
//! A [`Lane`] is what all rows under one head have in common: which columns tell the time, what is watched, and the
//! screen that knows what is looked for. It reads a block without regard to the blocks before it, so that several
//! blocks can be read at once. Whatever is not a plain row (a directive, a wrong number of fields, a quote that stays
//! open, no time) is left as a line for [`super::table`], which reads every line by itself; both ways tell the same.

use super::head::Head;
use super::lines::LINE_BYTES_MAX;
use super::table::{Columns as RowColumns, Field, Format, Row, TimeForm, Watch, row_time, split};
use super::watch::Apart;
use crate::Sink;
use model::{At, Columns, Record, Screen, Screening, SourceName, Timestamp, Value};
use std::borrow::Cow;
use std::sync::Arc;

/// How rows under one head are read in blocks.
pub(crate) struct Lane {
    pub(crate) head: Arc<Head>,
    format: Format,
    source: SourceName,
    screen: Arc<dyn Screen>,
    /// The last column whose place in a row is asked for.
    last_column: usize,
    /// What watches the rows of a part, still empty.
    apart: Apart,
}

/// What one thread works with.
pub(crate) struct Worker {
    screening: Box<dyn Screening>,
    fields: Vec<Field>,
}

/// A piece of a block, in order.
pub(crate) enum Piece {
    Rows(Box<Part>),
    /// A line that is to be read by itself: where it begins, where its LF stands, and its number, 1 for the first line
    /// of the block.
    Line {
        start: usize,
        end: usize,
        number: u64,
    },
}

/// Plain rows that stand one behind the other; blank lines may stand between them.
pub(crate) struct Part {
    /// Where its lines begin and end in the block.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Number of its first line, 1 for the first of the block.
    pub(crate) number: u64,
    pub(crate) count: u64,
    /// Times of the first and the last row in their order.
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    /// Times of the earliest and the latest row.
    pub(crate) span: (Timestamp, Timestamp),
    /// Runs of rows of the same minute.
    pub(crate) minutes: Vec<(i64, u32)>,
    /// Day and second of the last row, in logs that write them apart.
    pub(crate) clock: Option<(i64, i64)>,
    pub(crate) seen: Apart,
    pub(crate) suspects: Vec<Suspect>,
}

/// A row that may be of interest.
pub(crate) struct Suspect {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) number: u64,
    pub(crate) time: Timestamp,
}

/// What a line of a block is.
enum Seen {
    Row {
        time: Timestamp,
        clock: Option<(i64, i64)>,
    },
    Blank,
    Other,
}

impl Lane {
    /// How rows under this head are read in blocks; `None` where they cannot be, or where nobody screens them.
    pub(crate) fn new(
        head: &Arc<Head>,
        format: &Format,
        source: &SourceName,
        sink: &mut dyn Sink,
        watch: &dyn Watch,
    ) -> Option<Arc<Self>> {
        let marks = head.marks;
        let time_columns = match format.time {
            TimeForm::Iso => vec![marks.time?],
            TimeForm::DateAndTime => vec![marks.date?, marks.clock?],
            // A row without a time is a record too.
            TimeForm::Culture(_) => return None,
        };
        let apart = watch.apart()?;
        let is_of_one_column = marks.path.is_none_or(|path| path.column().is_some());
        if matches!(apart, Apart::Web(_)) && !is_of_one_column {
            return None;
        }
        let columns = Arc::new(LogColumns {
            head: Arc::clone(head),
            format: *format,
            source: source.clone(),
        });
        let shown: Arc<dyn Columns> = columns;
        let screen = sink.screen(source, &shown)?;
        let watched = [
            "server",
            "build",
            "path",
            "status",
            "method",
            "client",
            "user_agent",
        ]
        .into_iter()
        .filter_map(|name| head.normal(name))
        .chain(marks.path)
        .flat_map(super::head::Normal::columns);
        let parts = marks.parts.filter(|_| format.parts);
        let last_column = watched
            .chain(time_columns)
            .chain(parts)
            .chain(screen.last_column())
            .max()?;
        Some(Arc::new(Self {
            head: Arc::clone(head),
            format: *format,
            source: source.clone(),
            screen,
            last_column,
            apart,
        }))
    }

    /// Takes up what one thread works with.
    pub(crate) fn begin(&self) -> Worker {
        Worker {
            screening: self.screen.begin(),
            fields: Vec::new(),
        }
    }

    pub(crate) fn end(&self, worker: Worker) {
        self.screen.end(worker.screening);
    }

    /// Reads a block of whole lines.
    pub(crate) fn read(&self, block: &[u8], worker: &mut Worker) -> Vec<Piece> {
        worker.screening.block(block);
        let has_quotes = self.format.quotes && memchr::memchr(b'"', block).is_some();
        let mut pieces = Vec::new();
        let mut part: Option<Box<Part>> = None;
        let mut start = 0;
        let mut number = 0;
        while let Some(length) = memchr::memchr(b'\n', block.get(start..).unwrap_or_default()) {
            let end = start + length;
            let line = block.get(start..end).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            number += 1;
            match self.look(line, has_quotes, &mut worker.fields) {
                Seen::Blank => {}
                Seen::Other => {
                    pieces.extend(part.take().map(Piece::Rows));
                    pieces.push(Piece::Line { start, end, number });
                }
                Seen::Row { time, clock } => {
                    let part = part
                        .get_or_insert_with(|| Box::new(Part::begin(start, number, time, self)));
                    part.end = end + 1;
                    part.clock = clock;
                    part.add(time);
                    let columns = RowColumns {
                        head: &self.head,
                        format: &self.format,
                        line,
                        fields: &worker.fields,
                    };
                    part.seen
                        .row(&Row::new(&columns, &self.source, Some(time), number));
                    if worker.screening.row(start, line, &worker.fields) {
                        part.suspects.push(Suspect {
                            start,
                            end: start + line.len(),
                            number,
                            time,
                        });
                    }
                }
            }
            start = end + 1;
        }
        pieces.extend(part.take().map(Piece::Rows));
        pieces
    }

    /// Splits a line, as far as columns are asked for, and says what it is.
    fn look(&self, line: &[u8], has_quotes: bool, fields: &mut Vec<Field>) -> Seen {
        let Some(first) = line.first() else {
            return Seen::Blank;
        };
        if first.is_ascii_whitespace() && line.iter().all(u8::is_ascii_whitespace) {
            return Seen::Blank;
        }
        // Names of columns and directives begin with something else.
        if !first.is_ascii_digit() || line.len() > LINE_BYTES_MAX {
            return Seen::Other;
        }
        let count = if has_quotes && memchr::memchr(b'"', line).is_some() {
            if split(line, &self.format, fields) {
                return Seen::Other;
            }
            fields.len()
        } else {
            split_up_to(line, self.format.delimiter, self.last_column, fields)
        };
        if !self.head.fits(count) {
            return Seen::Other;
        }
        let columns = RowColumns {
            head: &self.head,
            format: &self.format,
            line,
            fields,
        };
        let (mut day, mut clock) = (None, 0);
        match row_time(&columns, &mut day, &mut clock) {
            Some(time) => Seen::Row {
                time,
                clock: day.map(|day| (day, clock)),
            },
            None => Seen::Other,
        }
    }
}

impl Part {
    fn begin(start: usize, number: u64, time: Timestamp, lane: &Lane) -> Self {
        Self {
            start,
            end: start,
            number,
            count: 0,
            first: time,
            last: time,
            span: (time, time),
            minutes: Vec::new(),
            clock: None,
            seen: lane.apart.fresh(),
            suspects: Vec::new(),
        }
    }

    fn add(&mut self, time: Timestamp) {
        self.count += 1;
        self.last = time;
        self.span = (self.span.0.min(time), self.span.1.max(time));
        let minute = time.as_second().div_euclid(60);
        match self.minutes.last_mut() {
            Some((known, count)) if *known == minute && *count < u32::MAX => *count += 1,
            _ => self.minutes.push((minute, 1)),
        }
    }
}

/// Splits a line without quotes into fields up to that of `last_column`, and counts all of them.
fn split_up_to(line: &[u8], delimiter: u8, last_column: usize, fields: &mut Vec<Field>) -> usize {
    fields.clear();
    let mut start = 0;
    for at in memchr::memchr_iter(delimiter, line) {
        fields.push((start, at));
        start = at + 1;
        if fields.len() > last_column {
            let rest = line.get(start..).unwrap_or_default();
            return fields.len() + 1 + memchr::memchr_iter(delimiter, rest).count();
        }
    }
    fields.push((start, line.len()));
    fields.len()
}

/// Columns that hold another text in nearly every row, by their names in lower case.
const VARYING: [&str; 21] = [
    "cs-uri-query",
    "cs-uri",
    "cs(cookie)",
    "time",
    "time-taken",
    "datetime",
    "timestamp",
    "date-time",
    "requestid",
    "urlquery",
    "requesturl",
    "url",
    "uriquery",
    "genericinfo",
    "genericerrors",
    "backendgenericinfo",
    "backendcookie",
    "clientrequestid",
    "edgetraceid",
    "eventdata",
    "parameters",
];

/// The columns of a log as [`Columns`] shows them.
#[derive(Debug)]
struct LogColumns {
    head: Arc<Head>,
    format: Format,
    source: SourceName,
}

impl Columns for LogColumns {
    fn names(&self) -> Vec<&str> {
        self.head.names().iter().map(|name| &**name).collect()
    }

    fn of_field(&self, field: &str) -> Vec<usize> {
        match self.head.resolve(field) {
            Some(normal) => normal.columns(),
            // Any name may be one of a part.
            None if self.format.parts => self.head.marks.parts.into_iter().collect(),
            None => Vec::new(),
        }
    }

    fn varies(&self, column: usize) -> bool {
        self.head.names().get(column).is_none_or(|name| {
            VARYING
                .iter()
                .any(|varying| varying.eq_ignore_ascii_case(name))
        })
    }

    fn lone<'a>(&'a self, column: Option<usize>, raw: &'a [u8]) -> Box<dyn Record + 'a> {
        let mut fields = vec![(0, 0); self.head.names().len()];
        if let Some(field) = column.and_then(|column| fields.get_mut(column)) {
            *field = (0, raw.len());
        }
        Box::new(Lone {
            columns: self,
            raw,
            fields,
        })
    }
}

/// A row of which one column is known.
struct Lone<'a> {
    columns: &'a LogColumns,
    raw: &'a [u8],
    fields: Vec<Field>,
}

impl Lone<'_> {
    fn row(&self) -> Row<'_> {
        let columns = RowColumns {
            head: &self.columns.head,
            format: &self.columns.format,
            line: self.raw,
            fields: &self.fields,
        };
        Row::new(&columns, &self.columns.source, None, 0)
    }
}

impl Record for Lone<'_> {
    fn source(&self) -> &SourceName {
        &self.columns.source
    }

    fn time(&self) -> Option<Timestamp> {
        None
    }

    fn at(&self) -> At {
        At::Item
    }

    fn get(&self, field: &str) -> Option<Value<'_>> {
        self.row().field(field)
    }

    fn each_field(&self, visit: &mut dyn FnMut(&str, Value<'_>)) {
        self.row().each_field(visit);
    }

    fn raw(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.raw)
    }
}
