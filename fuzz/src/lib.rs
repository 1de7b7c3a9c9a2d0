//! What the fuzz targets share: one reader on one item, one container with all that is in it.
//!
//! Besides crashes and hangs, which libFuzzer finds, the targets check what must hold for any input: readers and
//! containers account for what they meet, and every record can be shown.

use artifacts::{ARTIFACTS, Item, Sink};
use evidence::{Bytes, Content, Decision, Digest, Entry, Options, Visitor};
use model::{At, Fact, GapKind, Record, Timestamp};

/// Lets the reader of this kind read the bytes, whatever its recogniser would say of them.
pub fn read(kind: &str, bytes: &[u8]) {
    let reader = ARTIFACTS
        .iter()
        .find(|artifact| artifact.kind() == kind)
        .expect("every target names a kind of the table");
    let mut content = Bytes(bytes.to_vec());
    let item = Item {
        path: "C:\\case\\fuzz.log",
    };
    reader.read(&item, &mut content, &mut Shown);
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
