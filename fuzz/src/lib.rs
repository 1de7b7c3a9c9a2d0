//! What the fuzz targets share: one reader on one item, one container with all that is in it.
//!
//! Besides crashes and hangs, which libFuzzer finds, the targets check what must hold for any input: readers and
//! containers account for what they meet, every record can be shown, and rows that a log's reader tells in blocks are
//! those that it tells one by one.

use artifacts::{ARTIFACTS, Item, Sink};
use evidence::{Bytes, Content, Decision, Digest, Entry, Options, ReadSeek, Visitor};
use model::{
    Activity, At, Columns, Fact, GapKind, Interest, Record, Rows, Screen, Screening, SourceName, Timestamp,
};
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::Arc;

/// A size from which logs are read by two threads.
const LARGE_BYTES: u64 = 64 << 20;

/// Lets the reader of this kind read the bytes, whatever its recogniser would say of them.
pub fn read(kind: &str, bytes: &[u8]) {
    read_into(kind, &mut Bytes(bytes.to_vec()), &mut Shown);
}

/// Lets the reader of a text log read the bytes row by row; then in blocks where it can; and in blocks once more as a
/// decompressor gives them, a few at a time. All three must tell the same.
pub fn read_log(kind: &str, bytes: &[u8]) {
    let mut one_by_one = Told::default();
    read_into(kind, &mut Bytes(bytes.to_vec()), &mut one_by_one);
    let mut in_pieces = Pieces {
        whole: Bytes(bytes.to_vec()),
        piece: 1 + bytes.len() % 61,
        // What is said to be large is read by two threads, which takes long to start.
        size: (bytes.len() % 8 == 0).then_some(LARGE_BYTES),
    };
    let contents: [&mut dyn Content; 2] = [&mut Bytes(bytes.to_vec()), &mut in_pieces];
    for content in contents {
        let mut in_blocks = Told {
            screened: true,
            ..Told::default()
        };
        read_into(kind, content, &mut in_blocks);
        in_blocks.screened = false;
        assert_eq!(in_blocks, one_by_one);
    }
}

fn read_into(kind: &str, content: &mut dyn Content, sink: &mut dyn Sink) {
    let reader = ARTIFACTS
        .iter()
        .find(|artifact| artifact.kind() == kind)
        .expect("every target names a kind of the table");
    let item = Item {
        path: "C:\\case\\fuzz.log",
    };
    reader.read(&item, content, sink);
}

/// Opens the bytes as a file of this name, and reads every member to its end.
pub fn open(name: &str, bytes: &[u8]) {
    evidence::walk_bytes(name, bytes.to_vec(), &Options::default(), &mut Members);
}

/// Looks at everything that a reader says, as detection and reports would.
pub struct Shown;

impl Sink for Shown {
    fn record(&mut self, record: &dyn Record) {
        let mut length = record.raw().len();
        record.each_field(&mut |name, value| length += name.len() + value.to_text().len());
        std::hint::black_box((length, record.time(), record.at()));
    }

    fn rejected(&mut self, _at: At, reason: &str) {
        assert!(!reason.is_empty(), "a rejection says why");
    }

    fn fact(&mut self, _at: At, fact: Fact) {
        std::hint::black_box(fact);
    }

    fn gap(
        &mut self,
        _kind: GapKind,
        _at: At,
        _span: (Option<Timestamp>, Option<Timestamp>),
        detail: &str,
    ) {
        assert!(!detail.is_empty(), "a gap says what could not be seen");
    }
}

struct Members;

impl Visitor for Members {
    fn begin(&mut self, entry: &Entry) -> Decision {
        assert!(!entry.path.contains('\0'), "paths are made harmless");
        Decision::Read
    }

    fn content(&mut self, _entry: &Entry, content: &mut dyn Content) {
        // What breaks off is told as a gap by whoever opened the container.
        let _read = std::io::copy(&mut content.stream(), &mut std::io::sink());
    }

    fn end(&mut self, _entry: &Entry, digest: &Digest) {
        std::hint::black_box(digest);
    }

    fn gap(&mut self, _path: &str, _kind: GapKind, detail: &str) {
        assert!(!detail.is_empty(), "a gap says what could not be seen");
    }
}

/// An item that is read a few bytes at a time, and may be said to be larger than it is.
struct Pieces {
    whole: Bytes,
    piece: usize,
    size: Option<u64>,
}

impl Content for Pieces {
    fn size(&self) -> Option<u64> {
        self.size
    }

    fn head(&mut self) -> &[u8] {
        self.whole.head()
    }

    fn stream(&mut self) -> Box<dyn Read + '_> {
        let piece = self.piece;
        let stream = self.whole.stream();
        Box::new(Dripping { stream, piece })
    }

    fn seekable(&mut self) -> io::Result<Box<dyn ReadSeek + '_>> {
        self.whole.seekable()
    }
}

struct Dripping<'a> {
    stream: Box<dyn Read + 'a>,
    piece: usize,
}

impl Read for Dripping<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let bytes = room.len().min(self.piece);
        self.stream.read(&mut room[..bytes])
    }
}

/// Everything that is said of a log, whether rows come one by one or in blocks.
#[derive(Debug, Default, PartialEq)]
struct Told {
    screened: bool,
    count: u64,
    records: Vec<String>,
    activity: Activity,
    /// First segments of the paths of a web site.
    segments: BTreeSet<String>,
    rejected: Vec<String>,
    facts: Vec<String>,
    gaps: Vec<String>,
}

impl Told {
    fn show(&mut self, record: &dyn Record) {
        let mut shown = format!("{:?} {:?}", record.at(), record.time());
        record.each_field(&mut |name, value| {
            shown += &format!(" {name}={}", value.to_text());
        });
        self.records.push(shown);
    }
}

impl Sink for Told {
    fn record(&mut self, record: &dyn Record) {
        self.count += 1;
        if let Some(time) = record.time() {
            self.activity.add(time);
        }
        if record.source().family() == "iis.site"
            && let Some(path) = record.get("path")
        {
            let path = path.to_text();
            let segment = path.trim_start_matches('/').split('/').next();
            let segment = segment.filter(|segment| !segment.is_empty());
            self.segments.extend(segment.map(str::to_owned));
        }
        self.show(record);
    }

    fn screen(&mut self, _: &SourceName, _: &Arc<dyn Columns>) -> Option<Arc<dyn Screen>> {
        self.screened.then(|| Arc::new(Every) as Arc<dyn Screen>)
    }

    fn rows(&mut self, rows: &Rows<'_>) {
        self.count += rows.count;
        let (first, last) = rows.span;
        for (minute, count) in rows.minutes {
            self.activity.add_minute(*minute, *count, first, last);
        }
        self.segments.extend(rows.segments.iter().cloned());
    }

    fn suspect(&mut self, record: &dyn Record, _interest: &Interest) {
        self.show(record);
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

/// Takes every row for one of interest, so that all of them are shown.
#[derive(Debug)]
struct Every;

impl Screen for Every {
    fn last_column(&self) -> Option<usize> {
        None
    }

    fn begin(&self) -> Box<dyn Screening> {
        Box::new(Self)
    }

    fn end(&self, _screening: Box<dyn Screening>) {}
}

impl Screening for Every {
    fn block(&mut self, _block: &[u8]) {}

    fn row(&mut self, _start: usize, line: &[u8], fields: &[(usize, usize)]) -> Interest {
        for (start, end) in fields {
            assert!(line.get(*start..*end).is_some(), "fields lie in their line");
        }
        Interest::Any
    }
}
