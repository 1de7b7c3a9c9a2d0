//! Rows of a delimited log, read a block at a time and counted together.
//!
//! A [`Lane`] is what all rows under one head have in common: which columns tell the time, what is watched, and the
//! screen that knows what is looked for. It reads a block without regard to the blocks before it, so that several
//! blocks can be read at once. Whatever is not a plain row (a directive, a wrong number of fields, a quote that stays
//! open, no time) is left as a line for [`super::table`], which reads every line by itself; both ways tell the same.

use super::head::Head;
use super::lines::{Block, LINE_BYTES_MAX};
use super::table::{Columns as RowColumns, Field, Format, Row, TimeForm, Watch, row_time, split};
use super::watch::Apart;
use crate::Sink;
use model::{At, Columns, Interest, Record, Screen, Screening, SourceName, Timestamp, Value};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread::Scope;

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
    pub(crate) interest: Interest,
}

/// The bytes of a block, and what they hold.
type Contents = (Vec<u8>, Vec<Piece>);

/// A block that was read: the number of its first line, its bytes, and what they hold.
pub(crate) type ReadBlock = (u64, Vec<u8>, Vec<Piece>);

/// A second thread that reads blocks of one lane. What it does not get to is read by the thread that gives the blocks.
pub(crate) struct Helper<'l> {
    lane: &'l Lane,
    own: Worker,
    give: Option<SyncSender<Vec<u8>>>,
    read: Receiver<Contents>,
    /// Blocks in their order, with their first line's number; `None` is with the helper.
    blocks: VecDeque<(u64, Option<Contents>)>,
    /// Buffers for blocks to come.
    spare: Vec<Vec<u8>>,
}

impl<'l> Helper<'l> {
    /// Starts the thread; `own` is what the calling thread works with.
    pub(crate) fn start<'s, 'e>(
        scope: &'s Scope<'s, 'e>,
        lane: &'l Arc<Lane>,
        own: Worker,
    ) -> Self {
        // One block waits while another is read.
        let (give, blocks) = sync_channel::<Vec<u8>>(1);
        let (tell, read) = channel();
        let its_lane = Arc::clone(lane);
        scope.spawn(move || {
            let mut worker = its_lane.begin();
            for block in blocks {
                let pieces = its_lane.read(&block, &mut worker);
                if tell.send((block, pieces)).is_err() {
                    break;
                }
            }
            its_lane.end(worker);
        });
        Self {
            lane,
            own,
            give: Some(give),
            read,
            blocks: VecDeque::new(),
            spare: Vec::new(),
        }
    }

    /// Takes a block, and reads it at once where the helper has enough to do.
    pub(crate) fn give(&mut self, block: Block<'_>) {
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(block.bytes);
        let refused = match &self.give {
            Some(give) => match give.try_send(bytes) {
                Ok(()) => None,
                Err(TrySendError::Full(bytes) | TrySendError::Disconnected(bytes)) => Some(bytes),
            },
            None => Some(bytes),
        };
        let read = refused.map(|bytes| {
            let pieces = self.lane.read(&bytes, &mut self.own);
            (bytes, pieces)
        });
        self.blocks.push_back((block.number, read));
    }

    /// The next block in order, if it was read; where more than `waiting_max` wait, the helper is waited for.
    pub(crate) fn take(&mut self, waiting_max: usize) -> Option<ReadBlock> {
        let waiting = self.blocks.len();
        let (number, read) = self.blocks.front_mut()?;
        if read.is_none() {
            *read = if waiting > waiting_max {
                self.read.recv().ok()
            } else {
                self.read.try_recv().ok()
            };
        }
        let number = *number;
        let (bytes, pieces) = read.take()?;
        self.blocks.pop_front();
        Some((number, bytes, pieces))
    }

    /// Takes back a buffer.
    pub(crate) fn reuse(&mut self, bytes: Vec<u8>) {
        self.spare.push(bytes);
    }

    /// Lets the thread end, and gives back what the calling thread worked with.
    pub(crate) fn end(mut self) -> Worker {
        self.give = None;
        self.own
    }
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
        .flat_map(super::head::Normal::columns)
        .chain(marks.referrer);
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
                    let interest = worker.screening.row(start, line, &worker.fields);
                    if interest != Interest::No {
                        part.suspects.push(Suspect {
                            start,
                            end: start + line.len(),
                            number,
                            time,
                            interest,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::httpproxy::HttpProxy;
    use crate::exchange::log::ECP_SERVER;
    use crate::httperr::HttpErr;
    use crate::iis::w3c::IisLog;
    use crate::{Artifact, Item};
    use evidence::Bytes;
    use model::{Activity, Fact, GapKind, Rows};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Everything that is said of an item, however it is said: rows one by one or together.
    #[derive(Debug, Default, PartialEq)]
    struct Told {
        records: u64,
        activity: Activity,
        segments: BTreeSet<String>,
        evil: Vec<String>,
        rejected: Vec<String>,
        facts: Vec<String>,
        gaps: Vec<String>,
        /// Rows that were told together; not compared.
        together: u64,
        screened: bool,
    }

    impl Told {
        fn of(artifact: &dyn Artifact, bytes: &[u8], screened: bool) -> Self {
            let mut told = Self {
                screened,
                ..Self::default()
            };
            let item = Item {
                path: "C:\\logs\\u_ex210303.log",
            };
            artifact.read(&item, &mut Bytes(bytes.to_vec()), &mut told);
            told
        }

        fn look(&mut self, record: &dyn Record) {
            if record.raw().contains("evil") {
                let mut fields = Vec::new();
                record.each_field(&mut |name, value| {
                    fields.push(format!("{name}={}", value.to_text()));
                });
                self.evil
                    .push(format!("{:?} {:?} {fields:?}", record.at(), record.time()));
            }
        }
    }

    impl Sink for Told {
        fn record(&mut self, record: &dyn Record) {
            self.records += 1;
            if let Some(time) = record.time() {
                self.activity.add(time);
            }
            if record.source().family() == "iis.site"
                && let Some(path) = record.get("path")
            {
                let path = path.to_text();
                let segment = path.trim_start_matches('/').split('/').next().unwrap();
                self.segments.insert(segment.to_owned());
                self.segments.remove("");
            }
            self.look(record);
        }

        fn screen(
            &mut self,
            _source: &SourceName,
            columns: &Arc<dyn Columns>,
        ) -> Option<Arc<dyn Screen>> {
            // Every column can be shown by itself.
            for column in 0..columns.names().len() {
                columns.lone(Some(column), b"x").each_field(&mut |_, _| {});
            }
            self.screened.then(|| Arc::new(Evil) as Arc<dyn Screen>)
        }

        fn rows(&mut self, rows: &Rows<'_>) {
            self.records += rows.count;
            self.together += rows.count;
            for (minute, count) in rows.minutes {
                let (first, last) = rows.span;
                self.activity.add_minute(*minute, *count, first, last);
            }
            self.segments.extend(rows.segments.iter().cloned());
        }

        fn suspect(&mut self, record: &dyn Record, _interest: &Interest) {
            self.look(record);
        }

        fn rejected(&mut self, at: At, reason: &str) {
            self.rejected.push(format!("{at:?} {reason}"));
        }

        fn fact(&mut self, at: At, fact: Fact) {
            self.facts.push(format!("{at:?} {fact:?}"));
        }

        fn gap(
            &mut self,
            kind: GapKind,
            at: At,
            span: (Option<Timestamp>, Option<Timestamp>),
            detail: &str,
        ) {
            self.gaps.push(format!("{kind:?} {at:?} {span:?} {detail}"));
        }
    }

    /// Takes rows with a certain word for suspects.
    #[derive(Debug)]
    struct Evil;

    impl Screen for Evil {
        fn last_column(&self) -> Option<usize> {
            None
        }

        fn begin(&self) -> Box<dyn Screening> {
            Box::new(Self)
        }

        fn end(&self, _screening: Box<dyn Screening>) {}
    }

    impl Screening for Evil {
        fn block(&mut self, _block: &[u8]) {}

        fn row(&mut self, _start: usize, line: &[u8], _fields: &[(usize, usize)]) -> Interest {
            match memchr::memmem::find(line, b"evil") {
                Some(_) => Interest::Any,
                None => Interest::No,
            }
        }
    }

    const ARTIFACTS: [&dyn Artifact; 4] = [&IisLog, &HttpProxy, &ECP_SERVER, &HttpErr];

    fn assert_same(bytes: &[u8]) -> u64 {
        let mut together = 0;
        for artifact in ARTIFACTS {
            let one_by_one = Told::of(artifact, bytes, false);
            let mut in_blocks = Told::of(artifact, bytes, true);
            together += std::mem::take(&mut in_blocks.together);
            in_blocks.screened = false;
            assert_eq!(in_blocks, one_by_one, "{}", artifact.kind());
        }
        together
    }

    fn line() -> impl Strategy<Value = Vec<u8>> {
        let web_head = "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-computername c-ip cs(User-Agent) sc-status";
        let proxy_head = "#Fields: DateTime,RequestId,MajorVersion,MinorVersion,BuildVersion,RevisionVersion,UrlStem,UserAgent,ServerHostName";
        prop_oneof![
            1 => Just(web_head.to_owned().into_bytes()),
            1 => Just(proxy_head.to_owned().into_bytes()),
            1 => Just(b"#Fields: TimeStamp,ServerName,EventId,EventData".to_vec()),
            1 => Just(b"#Date: 2021-03-03 06:00:00".to_vec()),
            1 => Just(b"DateTime,RequestId,UrlStem".to_vec()),
            20 => (0..3_u32, 0..60_u32, "[a-c]{1,2}", "(/[a-bA-B%25]{0,3}){1,2}(\\.aspx|\\.asmx)?", "(evil|x\\+y|-)", "(200|404|-)")
                .prop_map(|(hour, minute, name, path, agent, status)| format!(
                    "2021-03-03 {hour:02}:{minute:02}:07 10.0.0.1 GET {path} - {name} 10.0.0.2:80 {agent} {status}"
                ).into_bytes()),
            20 => (0..3_u32, 0..60_u32, "[a-c]{1,2}", "(15|\"15\"|x)", "(evil|\"e,vil\"|\"open|a,b)")
                .prop_map(|(hour, minute, name, major, agent)| format!(
                    "2021-03-03T{hour:02}:{minute:02}:07.123Z,id,{major},1,2176,2,/owa/,{agent},{name}"
                ).into_bytes()),
            5 => (0..60_u32, "(2|3)").prop_map(|(minute, build)| format!(
                    "2021-03-03T01:{minute:02}:07Z,SRV,Req,\"S:CMD=evil;S:BLD=15.1.2176.{build}\""
                ).into_bytes()),
            2 => "2021-03-03 0[0-9]:[0-9]{2}:0[0-9] [ -~]{0,30}".prop_map(String::into_bytes),
            2 => "[ -~]{0,40}".prop_map(String::into_bytes),
            1 => proptest::collection::vec(any::<u8>(), 0..30),
            1 => Just(b"  ".to_vec()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

        #[test]
        fn rows_in_blocks_tell_what_rows_one_by_one_tell(
            head in 0..3_usize,
            lines in proptest::collection::vec((line(), 0..20_u8), 0..60),
        ) {
            let heads: [&[u8]; 3] = [
                b"#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-computername c-ip cs(User-Agent) sc-status\r\n",
                b"#Fields: DateTime,RequestId,MajorVersion,MinorVersion,BuildVersion,RevisionVersion,UrlStem,UserAgent,ServerHostName\n",
                b"#Fields: TimeStamp,ServerName,EventId,EventData\r\n",
            ];
            let mut bytes = heads[head].to_vec();
            for (line, end) in lines {
                bytes.extend(line);
                bytes.extend_from_slice(match end {
                    0 => b"\r",
                    1 => b"\0\0\n",
                    2..8 => b"\n",
                    _ => b"\r\n",
                });
            }
            assert_same(&bytes);
        }
    }

    #[test]
    fn two_threads_tell_what_one_tells() {
        let head = "#Fields: date time cs-uri-stem s-computername cs-method sc-status\n";
        let mut bytes = head.as_bytes().to_vec();
        for number in 0..200_000 {
            let agent = if number % 1_000 == 7 { "evil" } else { "good" };
            let row = format!(
                "2021-03-{:02} 06:{:02}:00 /{agent}/{}.aspx name{} GET 200\n",
                number / 20_000 + 1,
                number % 60,
                number % 500,
                number % 3
            );
            bytes.extend(row.as_bytes());
            match number {
                40_000 => bytes.extend(b"2021-03-03 06:00:00 too few\n"),
                80_000 => bytes.extend(head.as_bytes()),
                90_000 => bytes.extend(b"x\0\0y\rz\n"),
                120_000 => bytes.extend(
                    b"#Fields: date time cs-uri-stem s-computername cs-method sc-substatus\n",
                ),
                160_000 => bytes.extend(b"#Fields: damaged\x01 ?\n"),
                _ => {}
            }
        }
        assert!(bytes.len() > 8 << 20);
        assert!(assert_same(&bytes) > 190_000);
    }

    #[test]
    fn bounds_are_met_alike() {
        let mut bytes =
            b"#Fields: date time cs-uri-stem s-computername cs-method sc-status\n".to_vec();
        for number in 0..30_000 {
            let row = format!(
                "2021-03-03 {:02}:00:00 /{}/{number}.aspx name{} GET 200\n",
                number / 3_000,
                number % 700,
                number % 80
            );
            bytes.extend(row.as_bytes());
        }
        assert!(assert_same(&bytes) > 0);
        let mut bytes =
            b"#Fields: DateTime,MajorVersion,MinorVersion,BuildVersion,RevisionVersion,UrlStem\n"
                .to_vec();
        for number in 0..30_000 {
            let (build, revision) = (number / 10 % 1_500, number / 10 % 3);
            let row = format!("2021-03-03T06:00:00Z,15,1,{build},{revision},/owa/\n");
            bytes.extend(row.as_bytes());
        }
        assert!(assert_same(&bytes) > 0);
    }
}
