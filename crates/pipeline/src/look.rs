//! Shows records to whoever works on rules. Their logs are few, small and their own, so they are read in this process.

use crate::worker::{head_of, panic_text};
use artifacts::{Item, Probe, Sink};
use detect::Engine;
use evidence::{Collection, Content, Decision, Digest, Entry, Options, Visitor};
use model::{At, Fact, Gap, GapKind, Interest, Place, Record, Timestamp};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    pub records: u64,
    /// How often something could not be read, rejected records among it.
    pub gaps: u64,
    /// The first of these; its place lacks the collection's id.
    pub first_gap: Option<Gap>,
}

/// How often a rule matches, and in how many records.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    pub matches: u64,
    pub looked: Looked,
}

/// Shows every record of these collections, whatever rules say of it, in the order of its items.
pub fn each_record(
    collections: &[Collection],
    options: &Options,
    visit: &mut dyn FnMut(&str, &dyn Record),
) -> Looked {
    let mut reader = Reader {
        visit,
        looked: Looked::default(),
    };
    for collection in collections {
        evidence::walk(collection, options, &mut reader);
    }
    reader.looked
}

/// How often the rule of this id matches the records of these collections. Where it is a correlation, how often that
/// holds over all of them.
pub fn count_matches(
    engine: &Engine,
    rule: &str,
    collections: &[Collection],
    options: &Options,
) -> Counted {
    let mut matches = 0;
    let mut detection = engine.item("");
    let looked = each_record(collections, options, &mut |_, record| {
        detection.hunt(record, &Interest::Any, &mut |found| {
            matches += u64::from(found.rule_id.eq_ignore_ascii_case(rule));
        });
    });
    let sightings = detection.finish().sightings;
    // A rule that correlations refer to may tell its matches to these alone; else both numbers are the same.
    matches = matches.max(engine.sightings_of(rule, &sightings) as u64);
    let (correlated, _gaps) = engine.correlate(sightings);
    let correlated = correlated.iter();
    let correlated = correlated.filter(|finding| finding.rule.eq_ignore_ascii_case(rule));
    Counted {
        matches: matches + correlated.count() as u64,
        looked,
    }
}

struct Reader<'a> {
    visit: &'a mut dyn FnMut(&str, &dyn Record),
    looked: Looked,
}

impl Reader<'_> {
    /// Keeps the first gap only: a damaged log may have any number.
    fn note(&mut self, path: &str, at: At, kind: GapKind, detail: &str) {
        self.looked.gaps += 1;
        let place = Place::item("", path).at(at);
        let first = &mut self.looked.first_gap;
        first.get_or_insert_with(|| Gap::new(kind, place, detail));
    }
}

impl Visitor for Reader<'_> {
    fn begin(&mut self, _entry: &Entry) -> Decision {
        Decision::Read
    }

    fn content(&mut self, entry: &Entry, content: &mut dyn Content) {
        let head = head_of(entry, content);
        let probe = Probe {
            path: &entry.path,
            head: &head,
            size: content.size().or(entry.size),
        };
        let Some(artifact) = artifacts::recognise(&probe) else {
            return;
        };
        let item = Item { path: &entry.path };
        let mut sink = Show {
            path: &entry.path,
            reader: self,
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            artifact.read(&item, content, &mut sink);
        }));
        if let Err(panic) = outcome {
            let detail = format!("the reader panicked: {}", panic_text(&*panic));
            self.note(&entry.path, At::Item, GapKind::Crashed, &detail);
        }
    }

    fn end(&mut self, _entry: &Entry, _digest: &Digest) {}

    fn gap(&mut self, entry_path: &str, kind: GapKind, detail: &str) {
        self.note(entry_path, At::Item, kind, detail);
    }
}

/// Shows the records of one item. It gives no screen, so that every row is shown.
struct Show<'r, 'a> {
    path: &'r str,
    reader: &'r mut Reader<'a>,
}

impl Sink for Show<'_, '_> {
    fn record(&mut self, record: &dyn Record) {
        self.reader.looked.records += 1;
        (self.reader.visit)(self.path, record);
    }

    fn rejected(&mut self, at: At, reason: &str) {
        let detail = format!("record rejected: {reason}");
        self.reader.note(self.path, at, GapKind::Partial, &detail);
    }

    fn fact(&mut self, _at: At, _fact: Fact) {}

    fn gap(
        &mut self,
        kind: GapKind,
        at: At,
        _span: (Option<Timestamp>, Option<Timestamp>),
        detail: &str,
    ) {
        self.reader.note(self.path, at, kind, detail);
    }
}
