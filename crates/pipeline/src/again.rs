//! Detection once more, over events that a case holds: for packs, rules and indicators that were not there when the evidence
//! was read.
//!
//! Rules over records, and indicators over records, hashes and paths, are run as they are over evidence. What looks at
//! the bytes of files cannot be run again: what it found then stays, and where its rules are others now, a gap says so.

use crate::gather::Part;
use crate::job::Matched;
use detect::{Engine, ItemDetection, Match, Scratch, Sighting};
use model::{Finding, Gap, GapKind, Interest, ItemSeen, Place, Record, SourceName};
use std::collections::BTreeSet;

/// Runs detection over the items of one part, in their order.
pub(crate) struct Again<'e, 't> {
    engine: &'e Engine,
    /// Takes every match by itself instead, for a hunt.
    take: Option<Take<'t>>,
    items: &'e [ItemSeen],
    /// The item in hand, and its detection.
    at: usize,
    in_hand: Option<ItemDetection<'e>>,
    scratch: Option<Scratch<'e>>,
    found: Found,
}

/// Takes a match in an item of this path.
pub(crate) type Take<'t> = &'t mut dyn FnMut(&str, Matched);

/// What detection says now.
#[derive(Default)]
struct Found {
    findings: Vec<Finding>,
    sightings: Vec<Sighting>,
    gaps: Vec<Gap>,
}

impl<'e, 't> Again<'e, 't> {
    /// `items` are to be in order of their paths.
    pub(crate) fn new(engine: &'e Engine, items: &'e [ItemSeen]) -> Self {
        Self {
            engine,
            take: None,
            items,
            at: 0,
            in_hand: None,
            scratch: Some(Scratch::default()),
            found: Found::default(),
        }
    }

    /// The same for a hunt: matches go to `take` one by one, those of an item together.
    pub(crate) fn hunt(engine: &'e Engine, items: &'e [ItemSeen], take: Take<'t>) -> Self {
        Self {
            take: Some(take),
            ..Self::new(engine, items)
        }
    }

    /// Takes an event; those of an item come together, and items in order of their paths.
    pub(crate) fn record(&mut self, item: &str, record: &dyn Record) {
        while let Some(known) = self.items.get(self.at)
            && known.path.as_str() < item
        {
            self.close();
        }
        if self
            .items
            .get(self.at)
            .is_some_and(|known| known.path == item)
        {
            match self.take.take() {
                None => self.open().record(record, &Interest::Any),
                Some(take) => {
                    let visit = &mut |matched: &Match<'_>| take(item, Matched::of(matched));
                    self.open().hunt(record, &Interest::Any, visit);
                    self.take = Some(take);
                }
            }
        }
    }

    fn open(&mut self) -> &mut ItemDetection<'e> {
        let (engine, scratch) = (self.engine, &mut self.scratch);
        let path = &self.items[self.at].path;
        self.in_hand
            .get_or_insert_with(|| engine.item_with(path, scratch.take().unwrap_or_default()))
    }

    fn close(&mut self) {
        self.open();
        let item = &self.items[self.at];
        self.at += 1;
        let Some(mut detection) = self.in_hand.take() else {
            return;
        };
        let sha256 = Some(item.sha256.as_str()).filter(|digest| !digest.is_empty());
        detection.file(&item.kind, sha256, &[], false);
        let (told, scratch) = detection.end();
        self.scratch = Some(scratch);
        let place = |place: &mut Place| place.item.clone_from(&item.path);
        for mut finding in told.findings {
            place(&mut finding.place);
            match &mut self.take {
                None => self.found.findings.push(finding),
                Some(take) => take(&item.path, finding.into()),
            }
        }
        for mut sighting in told.sightings {
            place(&mut sighting.place);
            self.found.sightings.push(sighting);
        }
        for (kind, at, detail) in told.gaps {
            let place = Place::item("", &item.path).at(at);
            self.found.gaps.push(Gap {
                source: item.source.clone(),
                ..Gap::new(kind, place, detail)
            });
        }
    }

    /// Puts what was found into the part. `packs` are the names of those that are used now; `other_bytes` says whether what
    /// looks at bytes is another than when the evidence was read.
    pub(crate) fn finish(mut self, part: &Part, packs: &BTreeSet<&str>, other_bytes: bool) -> Part {
        self.close_all();
        let mut told = part.clone();
        let is_kept = |finding: &Finding| {
            let campaign = finding.campaign.as_deref();
            let by_path = |item: &ItemSeen| item.path.as_str().cmp(&finding.place.item);
            let at = self.items.binary_search_by(by_path).ok();
            let kind = at.map_or("", |at| &self.items[at].kind);
            // Records were looked at again, and so were hashes and paths.
            !detect::holds_records(kind)
                && !detect::is_indicator(&finding.rule)
                && campaign.is_none_or(|name| packs.contains(name))
        };
        told.findings.retain(is_kept);
        let id = &part.seen.id;
        for mut finding in self.found.findings {
            finding.place.collection.clone_from(id);
            told.findings.push(finding);
        }
        told.sightings = self.found.sightings;
        for sighting in &mut told.sightings {
            sighting.place.collection.clone_from(id);
        }
        for mut gap in self.found.gaps {
            gap.place.collection.clone_from(id);
            told.gaps.push(gap);
        }
        if other_bytes {
            told.gaps.extend(bytes_not_seen(
                self.engine,
                part,
                "rules for the bytes of files have changed since this evidence was read; give the evidence again with \
                 --reread",
            ));
        }
        told.gaps.sort();
        told.gaps.dedup();
        told
    }

    /// What a hunt leaves for correlations, and what it could not look at.
    pub(crate) fn end_hunt(mut self, part: &Part) -> (Vec<Sighting>, Vec<Gap>) {
        self.close_all();
        let mut gaps = self.found.gaps;
        for gap in &mut gaps {
            gap.place.collection.clone_from(&part.seen.id);
        }
        gaps.extend(bytes_not_seen(
            self.engine,
            part,
            "a case does not hold the bytes of files; rules for these need a hunt through the evidence itself",
        ));
        (self.found.sightings, gaps)
    }

    fn close_all(&mut self) {
        while self.at < self.items.len() {
            self.close();
        }
    }
}

/// Files whose bytes the rules of now would have asked for, as one gap for each source they belong to.
fn bytes_not_seen(engine: &Engine, part: &Part, detail: &str) -> Vec<Gap> {
    let mut sources: BTreeSet<Option<&SourceName>> = BTreeSet::new();
    for item in &part.seen.items {
        let detection = engine.item(&item.path);
        if detection
            .wants_file(&item.path, &[], Some(item.size))
            .is_some()
        {
            sources.insert(item.source.as_ref());
        }
    }
    sources
        .into_iter()
        .map(|source| Gap {
            source: source.cloned(),
            ..Gap::new(GapKind::Partial, Place::item(&part.seen.id, ""), detail)
        })
        .collect()
}
