//! Over which time each source was seen, from its own records, their numbers and its rhythm.

use super::EVENT_LOG;
use super::rhythm::{self, Silence};
use crate::words;
use model::{
    Activity, CollectionSeen, EventLogState, Fact, Gap, GapKind, LogFile, Observed, Place,
    SourceName, Span, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};

/// Kinds of rotated log that together can tell a stop of all services from a hole in one log.
const SERVICE_FAMILIES_MIN: usize = 3;

/// The records of every source of one host over time, all collections together.
pub(super) struct Timeline<'a> {
    observed: &'a Observed,
    /// Each source's rhythm in each collection that holds it.
    activity: BTreeMap<&'a SourceName, Vec<(&'a CollectionSeen, &'a Activity)>>,
    /// Minutes since 1970 in which any log that speaks for the services was written.
    alive: BTreeSet<i64>,
    /// Minutes of silence of all of them together that are no chance.
    unusual_silence: i64,
}

/// What was seen of a source within a span.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) spans: Vec<Span>,
    pub(super) gaps: Vec<Gap>,
}

impl<'a> Timeline<'a> {
    pub(super) fn new(observed: &'a Observed) -> Self {
        let mut activity: BTreeMap<&SourceName, Vec<(&CollectionSeen, &Activity)>> =
            BTreeMap::new();
        for collection in &observed.collections {
            for (source, rhythm) in &collection.activity {
                activity
                    .entry(source)
                    .or_default()
                    .push((collection, rhythm));
            }
        }
        // Event logs, setup logs and registry keys go on being written while services are stopped for an update. Where
        // enough rotated logs can speak for the services, these are asked; else everything is.
        let rotated: BTreeSet<&SourceName> = observed
            .facts
            .iter()
            .filter_map(|known| match &known.fact {
                Fact::LogFile(file) if file.period_seconds.is_some() => Some(&file.source),
                _ => None,
            })
            .collect();
        let families: BTreeSet<&str> = rotated.iter().map(|source| source.family()).collect();
        let ask_services = families.len() >= SERVICE_FAMILIES_MIN;
        let alive: BTreeSet<i64> = activity
            .iter()
            .filter(|(source, _)| !ask_services || rotated.contains(*source))
            .flat_map(|(_, parts)| parts)
            .flat_map(|(_, rhythm)| rhythm.minutes().map(|(minute, _)| minute))
            .collect();
        Self {
            observed,
            activity,
            unusual_silence: rhythm::unusual_silence(&alive),
            alive,
        }
    }

    pub(super) fn has(&self, source: &SourceName) -> bool {
        self.activity.contains_key(source)
    }

    /// Whether a web log that covers the whole span shows no request below this path.
    pub(super) fn never_requested(&self, prefix: &str, span: Span) -> bool {
        let prefix = prefix.to_lowercase();
        let logs: Vec<&SourceName> = self
            .activity
            .keys()
            .copied()
            .filter(|source| source.family() == "iis.site")
            .collect();
        !logs.is_empty()
            && logs.iter().all(|log| {
                !self.observed.collections.iter().any(|collection| {
                    collection
                        .requested
                        .get(*log)
                        .is_some_and(|paths| paths.contains(&prefix))
                })
            })
            && logs
                .iter()
                .any(|log| span.minus(&self.seen(log, span).spans).is_empty())
    }

    /// What of the span was seen of a source, over all collections.
    pub(super) fn seen(&self, source: &SourceName, span: Span) -> Seen {
        if source.family() == EVENT_LOG {
            return self.event_log(source, span);
        }
        self.text_log(source, span)
    }

    /// A log that numbers its records: what lies between its first record and the collection was seen, but for the
    /// numbers that are missing.
    fn event_log(&self, source: &SourceName, span: Span) -> Seen {
        let mut seen = Seen::default();
        let mut found = false;
        for known in &self.observed.facts {
            let Fact::EventLog(state) = &known.fact else {
                continue;
            };
            if SourceName::of(EVENT_LOG, &state.channel) != *source {
                continue;
            }
            found = true;
            let taken = self
                .observed
                .collections
                .iter()
                .find(|collection| collection.id == known.place.collection)
                .and_then(|collection| collection.taken);
            let silent = taken.is_some_and(|taken| self.is_silent_tail(source, state, taken));
            let (spans, gaps) = event_log_file(state, &known.place, span, taken, silent);
            seen.spans.extend(spans);
            seen.gaps.extend(gaps);
        }
        self.subtract_gaps(source, span, &mut seen);
        if !found {
            seen.gaps.push(self.not_there(source, span));
        }
        seen.spans = Span::union(seen.spans);
        seen
    }

    /// Whether a log ends so long before its collection that its own habits do not explain it: somebody may have
    /// shortened it and set its head right.
    fn is_silent_tail(&self, source: &SourceName, state: &EventLogState, taken: Timestamp) -> bool {
        let (Some(parts), Some(last)) = (self.activity.get(source), state.last) else {
            return false;
        };
        let Some(tail) = Span::new(last, taken) else {
            return false;
        };
        let mut whole = Activity::default();
        for (_, part) in parts {
            whole.overlay(part);
        }
        rhythm::is_unusual_tail(&whole, tail)
    }

    /// A text log: seen from its first to its last record, but for the holes that its rhythm does not explain.
    fn text_log(&self, source: &SourceName, span: Span) -> Seen {
        let mut seen = Seen::default();
        let Some(parts) = self.activity.get(source) else {
            seen.gaps.push(self.not_there(source, span));
            return seen;
        };
        let mut whole = Activity::default();
        for (_, part) in parts {
            whole.overlay(part);
        }
        let place = parts
            .first()
            .map(|(collection, _)| Place::item(&collection.id, ""))
            .unwrap_or_default();
        let silence = |from: i64, until: i64| self.silence(from, until);
        let period = self.period_minutes(source);
        let mut holes = rhythm::holes(&whole, span, period, &silence);
        holes.extend(self.missing_files(source, &whole, span));
        let holes = Span::union(holes);
        for hole in &holes {
            let (kind, detail) = describe(source, &whole, *hole);
            seen.gaps.push(
                Gap::new(kind, place.clone(), detail)
                    .of_source(source.clone())
                    .between(Some(hole.from), Some(hole.until)),
            );
        }
        seen.spans = span.minus(&holes);
        self.subtract_gaps(source, span, &mut seen);
        seen
    }

    /// The longest stretch between these minutes in which the whole server was unusually silent.
    fn silence(&self, from: i64, until: i64) -> Option<Silence> {
        let inside = self.alive.range(from + 1..until).copied();
        let mut last = from;
        let mut longest: Option<Silence> = None;
        for minute in inside.chain([until]) {
            let known = longest.map_or(self.unusual_silence, |(start, end)| end - start);
            if minute - last > known {
                longest = Some((last, minute));
            }
            last = minute;
        }
        longest
    }

    /// The shortest time after which this log begins a new file, in minutes, by the names of its files.
    fn period_minutes(&self, source: &SourceName) -> Option<i64> {
        self.observed
            .facts
            .iter()
            .filter_map(|known| match &known.fact {
                Fact::LogFile(file) if file.source == *source => file.period_seconds,
                _ => None,
            })
            .min()
            .map(|seconds| i64::from(seconds / 60).max(1))
    }

    /// Days or hours for which a log in a row of dated files has no file.
    fn missing_files(&self, source: &SourceName, whole: &Activity, span: Span) -> Vec<Span> {
        let mut begun: BTreeMap<u32, BTreeSet<Timestamp>> = BTreeMap::new();
        for known in &self.observed.facts {
            if let Fact::LogFile(LogFile {
                source: of,
                begun: Some(time),
                period_seconds: Some(period),
                ..
            }) = &known.fact
                && of == source
            {
                begun.entry(*period).or_default().insert(*time);
            }
        }
        let mut holes = Vec::new();
        for (period, times) in begun {
            holes.extend(rhythm::missing_periods(whole, &times, period));
        }
        // A file that runs on beyond its period holds the records of the next one.
        let minutes: BTreeSet<i64> = whole.minutes().map(|(minute, _)| minute).collect();
        holes
            .into_iter()
            .filter(|hole| {
                let from = hole.from.as_second().div_euclid(60);
                let until = hole.until.as_second().div_euclid(60);
                minutes.range(from..until).next().is_none()
            })
            .filter_map(|hole| hole.intersection(&span))
            .collect()
    }

    /// Takes the time of unread or damaged parts away.
    fn subtract_gaps(&self, source: &SourceName, span: Span, seen: &mut Seen) {
        let mut lost = Vec::new();
        for gap in &self.observed.gaps {
            if gap.source.as_ref() != Some(source) || gap.kind == GapKind::TimeHole {
                continue;
            }
            let within = match (gap.from, gap.until) {
                (Some(from), Some(until)) => Span::new(from, until),
                (None, Some(until)) => Span::new(span.from.min(until), until),
                _ => self.span_of_item(&gap.place),
            };
            match within {
                Some(within) => {
                    if let Some(part) = within.intersection(&span) {
                        lost.push(part);
                        seen.gaps.push(gap.clone());
                    }
                }
                None => seen.gaps.push(gap.clone()),
            }
        }
        if !lost.is_empty() {
            seen.spans = seen
                .spans
                .iter()
                .flat_map(|part| part.minus(&lost))
                .collect();
        }
    }

    /// The time that the log file of a place holds; a file of a single moment counts its minute.
    fn span_of_item(&self, place: &Place) -> Option<Span> {
        self.observed.facts.iter().find_map(|known| {
            if known.place.collection != place.collection || known.place.item != place.item {
                return None;
            }
            let (first, last) = match &known.fact {
                Fact::LogFile(file) => (file.first.or(file.begun)?, file.last.or(file.begun)?),
                Fact::EventLog(state) => (state.first?, state.last?),
                _ => return None,
            };
            let until = Timestamp::from_second(last.as_second().saturating_add(60)).ok()?;
            Span::new(first, until)
        })
    }

    fn not_there(&self, source: &SourceName, span: Span) -> Gap {
        let place = self
            .observed
            .collections
            .last()
            .map(|latest| Place::item(&latest.id, ""))
            .unwrap_or_default();
        Gap::new(
            GapKind::Missing,
            place,
            format!("no record of {source} is in the evidence"),
        )
        .of_source(source.clone())
        .between(Some(span.from), Some(span.until))
    }
}

fn event_log_file(
    state: &EventLogState,
    place: &Place,
    span: Span,
    taken: Option<Timestamp>,
    silent_tail: bool,
) -> (Vec<Span>, Vec<Gap>) {
    let gap = |kind, detail: String, hole: Span| {
        Gap::new(kind, place.clone(), detail)
            .of_source(SourceName::of(EVENT_LOG, &state.channel))
            .between(Some(hole.from), Some(hole.until))
    };
    let (Some(first), Some(last)) = (state.first, state.last) else {
        return (
            Vec::new(),
            vec![gap(
                GapKind::Missing,
                format!("the log {} holds no dated record", state.channel),
                span,
            )],
        );
    };
    // A log that still holds record 1 has never rolled over.
    let from = if state.first_id <= 1 {
        span.from.min(first)
    } else {
        first
    };
    let complete_tail = state
        .next_id
        .is_none_or(|next| next <= state.last_id.saturating_add(1));
    let until = match taken {
        Some(taken) if state.live && complete_tail && !silent_tail => taken.max(last),
        _ => Timestamp::from_second(last.as_second().saturating_add(1)).unwrap_or(last),
    };
    let mut holes = Vec::new();
    let mut gaps = Vec::new();
    if let Some(before) = Span::new(span.from, from.min(span.until)) {
        gaps.push(gap(
            GapKind::OutOfRetention,
            format!(
                "the log {} reaches back only to {}",
                state.channel,
                words::minute(first)
            ),
            before,
        ));
    }
    if let Some(after) = Span::new(until.max(span.from), span.until) {
        gaps.push(gap(
            if complete_tail {
                GapKind::Missing
            } else {
                GapKind::Partial
            },
            format!("the log {} ends at {}", state.channel, words::minute(last)),
            after,
        ));
    }
    for missing in &state.missing_ids {
        let hole = Span::new(missing.from.unwrap_or(first), missing.until.unwrap_or(last));
        let Some(hole) = hole.and_then(|hole| hole.intersection(&span)) else {
            continue;
        };
        gaps.push(gap(
            GapKind::TimeHole,
            format!(
                "records {} to {} of the log {} are missing",
                missing.first_id, missing.last_id, state.channel
            ),
            hole,
        ));
        holes.push(hole);
    }
    let covered = Span::new(from, until)
        .and_then(|covered| covered.intersection(&span))
        .map(|covered| covered.minus(&holes))
        .unwrap_or_default();
    (covered, gaps)
}

/// How a hole of a text log is told.
fn describe(source: &SourceName, whole: &Activity, hole: Span) -> (GapKind, String) {
    let for_how_long = words::duration(hole.seconds());
    match (whole.first(), whole.last()) {
        (Some(first), _) if hole.until.as_second() <= first.as_second() + 60 => (
            GapKind::OutOfRetention,
            format!("{source} reaches back only to {}", words::minute(first)),
        ),
        (_, Some(last)) if hole.from.as_second() + 60 >= last.as_second() => (
            GapKind::Missing,
            format!("{source} ends at {}", words::minute(last)),
        ),
        _ => (
            GapKind::TimeHole,
            format!(
                "{source} has no record for {for_how_long} from {} on, which its rhythm at other times does not \
                 explain",
                words::minute(hole.from)
            ),
        ),
    }
}
