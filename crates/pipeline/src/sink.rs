//! Takes what a reader says of one item: counts it, keeps its rhythm, and shows each record to detection.

use crate::job::ItemReport;
use artifacts::Sink;
use detect::{ItemDetection, Match};
use model::{
    Activity, At, Fact, FactAt, Gap, GapKind, Place, Record, Rejected, SourceName, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};

/// Gaps of one item that are kept one by one.
const GAPS_MAX: usize = 1_000;

/// Facts of one item. A log of hostile paths must not fill the memory; the readers have closer bounds of their own.
const FACTS_MAX: usize = 100_000;

/// Kinds of rejection that are told apart.
const REASONS_MAX: usize = 64;

/// Sources that one item may speak for: an event log has one, an export of many channels has many.
const SOURCES_MAX: usize = 512;

/// First path segments kept of a web log.
const REQUESTED_MAX: usize = 512;

/// The longest first path segment that is kept; no product has one nearly as long.
const SEGMENT_BYTES_MAX: usize = 64;

/// Takes every match of a hunt.
pub(crate) type Hunt<'a> = &'a mut (dyn FnMut(&Match<'_>) + 'a);

/// Collects one item's report.
pub(crate) struct ItemSink<'a, 'd> {
    path: &'a str,
    source: Option<SourceName>,
    detection: &'a mut ItemDetection<'d>,
    /// Takes every match by itself instead, for a hunt.
    hunt: Option<Hunt<'a>>,
    report: ItemReport,
    activity: BTreeMap<SourceName, Activity>,
    requested: BTreeMap<SourceName, BTreeSet<String>>,
    rejected: BTreeMap<String, (u64, At)>,
    gaps_left_out: u64,
    facts_left_out: u64,
}

impl<'a, 'd> ItemSink<'a, 'd> {
    pub(crate) fn new(
        path: &'a str,
        source: Option<SourceName>,
        detection: &'a mut ItemDetection<'d>,
        hunt: Option<Hunt<'a>>,
    ) -> Self {
        Self {
            path,
            source,
            detection,
            hunt,
            report: ItemReport::default(),
            activity: BTreeMap::new(),
            requested: BTreeMap::new(),
            rejected: BTreeMap::new(),
            gaps_left_out: 0,
            facts_left_out: 0,
        }
    }

    /// What was read, with rejected records as a gap of their own: a record that nobody understood is evidence not seen.
    pub(crate) fn finish(mut self) -> ItemReport {
        let rejected = std::mem::take(&mut self.rejected);
        for (reason, (count, at)) in &rejected {
            self.report.item.rejected.push(Rejected {
                reason: reason.clone(),
                count: *count,
            });
            let detail = format!("{count} records rejected: {reason}");
            self.gap(GapKind::Partial, *at, (None, None), &detail);
        }
        if self.facts_left_out > 0 {
            let detail = format!(
                "{} facts beyond the bound of {FACTS_MAX}",
                self.facts_left_out
            );
            self.gap(GapKind::Limit, At::Item, (None, None), &detail);
        }
        if self.gaps_left_out > 0 {
            let detail = format!("and {} more gaps in this item", self.gaps_left_out);
            let place = Place::item("", self.path);
            self.report.gaps.push(Gap {
                source: self.source.clone(),
                ..Gap::new(GapKind::Limit, place, detail)
            });
        }
        self.report.activity = self.activity.into_iter().collect();
        self.report.requested = self.requested.into_iter().collect();
        self.report
    }

    fn keep_gap(
        &mut self,
        source: Option<SourceName>,
        kind: GapKind,
        at: At,
        span: (Option<Timestamp>, Option<Timestamp>),
        detail: &str,
    ) {
        if self.report.gaps.len() >= GAPS_MAX {
            self.gaps_left_out += 1;
            return;
        }
        let place = Place::item("", self.path).at(at);
        let gap = Gap::new(kind, place, detail).between(span.0, span.1);
        self.report.gaps.push(Gap { source, ..gap });
    }

    fn note_request(&mut self, record: &dyn Record) {
        let Some(path) = record.get("path") else {
            return;
        };
        let path = path.to_text();
        let segment = path.trim_start_matches('/').split('/').next().unwrap_or("");
        if segment.is_empty() || segment.len() > SEGMENT_BYTES_MAX {
            return;
        }
        // Most rows repeat a segment that is already known: look before building a key.
        if !self.requested.contains_key(record.source()) {
            self.requested
                .insert(record.source().clone(), BTreeSet::new());
        }
        let Some(known) = self.requested.get_mut(record.source()) else {
            return;
        };
        let key = format!("/{}", segment.to_lowercase());
        if known.len() < REQUESTED_MAX && !known.contains(&key) {
            known.insert(key);
        }
    }
}

impl Sink for ItemSink<'_, '_> {
    fn record(&mut self, record: &dyn Record) {
        self.report.item.records_in += 1;
        self.report.item.events += 1;
        let source = record.source();
        if let Some(time) = record.time() {
            if let Some(activity) = self.activity.get_mut(source) {
                activity.add(time);
            } else if self.activity.len() < SOURCES_MAX {
                self.activity.entry(source.clone()).or_default().add(time);
            }
        }
        if source.family() == "iis.site" {
            self.note_request(record);
        }
        match &mut self.hunt {
            Some(hunt) => self.detection.hunt(record, hunt),
            None => self.detection.record(record),
        }
    }

    fn rejected(&mut self, at: At, reason: &str) {
        self.report.item.records_in += 1;
        let known = if self.rejected.len() < REASONS_MAX || self.rejected.contains_key(reason) {
            reason
        } else {
            "other reasons"
        };
        self.rejected.entry(known.to_owned()).or_insert((0, at)).0 += 1;
    }

    fn fact(&mut self, at: At, fact: Fact) {
        if self.report.facts.len() >= FACTS_MAX {
            self.facts_left_out += 1;
            return;
        }
        let place = Place::item("", self.path).at(at);
        self.report.facts.push(FactAt { fact, place });
    }

    fn gap(
        &mut self,
        kind: GapKind,
        at: At,
        span: (Option<Timestamp>, Option<Timestamp>),
        detail: &str,
    ) {
        let source = self.source.clone();
        self.keep_gap(source, kind, at, span, detail);
    }

    fn gap_of_source(
        &mut self,
        source: &SourceName,
        kind: GapKind,
        at: At,
        span: (Option<Timestamp>, Option<Timestamp>),
        detail: &str,
    ) {
        self.keep_gap(Some(source.clone()), kind, at, span, detail);
    }
}
