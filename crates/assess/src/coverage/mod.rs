//! Coverage: what the pack needs against what was seen, and what was not.
//!
//! [`Sufficient`] can be made only here, and only from a coverage without a hole: it is the key to `clear`.

pub(crate) mod files;
mod rhythm;
mod seen;

use crate::compromise;
use crate::exposure::{ExposureJudged, latest_taken};
use crate::{derive, words};
use model::report::{CoverageReport, NeedReport, Share};
use model::{CollectionSeen, Gap, GapKind, Observed, Place, SourceName, Span};
use pack::{Need, NeedSpan, NeededSource, Pack, Way};
use std::collections::BTreeSet;

pub use rhythm::{Silence, holes};

/// The family of Windows event logs.
pub(crate) const EVENT_LOG: &str = "windows.eventlog";

/// Needs against what was seen.
#[derive(Clone, Debug)]
pub struct Coverage {
    needs: Vec<NeedReport>,
    /// Gaps outside of any need that still forbid an assurance.
    blocking: Vec<Gap>,
}

/// Proof that everything a pack needs was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sufficient(());

impl Coverage {
    /// The proof that `clear` needs; `None` while anything is missing.
    pub fn suffices(&self) -> Option<Sufficient> {
        let whole = self
            .needs
            .iter()
            .all(|need| need.seen == Share::WHOLE && need.gaps.is_empty());
        (whole && self.blocking.is_empty() && !self.needs.is_empty()).then_some(Sufficient(()))
    }

    /// Whether the needs judged at the latest collection are whole.
    pub(crate) fn latest_is_whole(&self) -> bool {
        self.needs
            .iter()
            .filter(|need| need.from.is_none())
            .all(|need| need.seen == Share::WHOLE && need.gaps.is_empty())
    }

    pub(crate) fn needs(&self) -> &[NeedReport] {
        &self.needs
    }

    pub(crate) fn blocking(&self) -> &[Gap] {
        &self.blocking
    }

    /// The coverage as the report shows it.
    pub fn report(&self) -> CoverageReport {
        CoverageReport {
            sufficient: self.suffices().is_some(),
            needs: self.needs.clone(),
        }
    }
}

/// Judges the coverage of a host by one pack.
pub(crate) fn coverage(pack: &Pack, observed: &Observed, exposure: &ExposureJudged) -> Coverage {
    let span_of = |need: &Need| match need.span {
        NeedSpan::Entry => Over::Time(exposure.entry),
        NeedSpan::FootholdLog => Over::Time(compromise::foothold_span(observed, exposure)),
        NeedSpan::Latest => Over::Latest,
    };
    let needs: Vec<&Need> = pack.needs.iter().collect();
    let needs = judged(&needs, &span_of, observed, exposure);
    Coverage {
        blocking: blocking(pack, observed, &needs),
        needs,
    }
}

/// Judges needs outside of a pack over one span, whatever span they name of a pack's; those at the latest collection at
/// that.
pub(crate) fn asked(
    needs: &[&Need],
    span: Option<Span>,
    observed: &Observed,
    exposure: &ExposureJudged,
) -> Vec<NeedReport> {
    let span_of = |need: &Need| match need.span {
        NeedSpan::Latest => Over::Latest,
        NeedSpan::Entry | NeedSpan::FootholdLog => Over::Time(span),
    };
    judged(needs, &span_of, observed, exposure)
}

/// Over what a need is judged.
enum Over {
    /// A span; absent where nothing dates it.
    Time(Option<Span>),
    /// What the latest collection holds.
    Latest,
}

/// Judges needs in their order. Those over time come first: one at the latest collection may ask whether they are whole.
fn judged(
    needs: &[&Need],
    span_of: &dyn Fn(&Need) -> Over,
    observed: &Observed,
    exposure: &ExposureJudged,
) -> Vec<NeedReport> {
    let timeline = seen::Timeline::new(observed);
    let over_time = |need: &&Need| match span_of(need) {
        Over::Time(span) => Some(spanned(need, span, observed, &timeline, exposure)),
        Over::Latest => None,
    };
    let logs: Vec<Option<NeedReport>> = needs.iter().map(over_time).collect();
    let not_met: Vec<&NeedReport> = logs
        .iter()
        .flatten()
        .filter(|need| need.seen != Share::WHOLE)
        .collect();
    let files = files::Files {
        observed,
        exposure,
        not_met: &not_met,
    };
    let at_collection: Vec<Option<NeedReport>> = needs
        .iter()
        .zip(&logs)
        .map(|(need, log)| log.is_none().then(|| at_latest(need, files)))
        .collect();
    logs.into_iter()
        .zip(at_collection)
        .filter_map(|(log, file)| log.or(file))
        .collect()
}

/// A need that runs over time.
fn spanned(
    need: &Need,
    span: Option<Span>,
    observed: &Observed,
    timeline: &seen::Timeline<'_>,
    exposure: &ExposureJudged,
) -> NeedReport {
    let mut report = NeedReport {
        need: need.id.clone(),
        title: need.title.clone(),
        from: span.map(|span| span.from),
        until: span.map(|span| span.until),
        seen: Share::WHOLE,
        unseen_seconds: None,
        sources: Vec::new(),
        gaps: Vec::new(),
    };
    let Some(span) = span else {
        if latest_taken(observed).is_none()
            && exposure.entry.is_none()
            && exposure.patched_at.is_none()
        {
            // Nothing dates the evidence, so nobody can say over which time to look.
            report.seen = Share::NONE;
            report.gaps.push(Gap::new(
                GapKind::Missing,
                Place::default(),
                "no evidence of this host is dated",
            ));
        }
        return report;
    };
    let ways: Vec<WaySeen> = need
        .any_of
        .iter()
        .map(|way| way_seen(way, span, observed, timeline, exposure))
        .collect();
    let covered: Vec<Span> = ways.iter().flat_map(|way| way.spans.clone()).collect();
    let missing = span.minus(&covered);
    let missed: i64 = missing.iter().map(Span::seconds).sum();
    let total = u64::try_from(span.seconds()).unwrap_or(0);
    let unseen = u64::try_from(missed).unwrap_or(0);
    report.seen = Share::of(total.saturating_sub(unseen), total);
    report.unseen_seconds = Some(unseen);
    if !missing.is_empty() && report.seen == Share::WHOLE {
        report.seen = Share::of(999, 1000);
    }
    report.sources = ways
        .iter()
        .filter(|way| !way.spans.is_empty())
        .flat_map(|way| way.sources.clone())
        .collect();
    report.sources.sort();
    report.sources.dedup();
    if !missing.is_empty() {
        for (position, way) in ways.iter().enumerate() {
            // Of the substitutes only the first and those that were there at all are worth a word.
            if position > 0 && way.spans.is_empty() && !ways[0].spans.is_empty() {
                continue;
            }
            report.gaps.extend(way.gaps_within(&missing));
        }
        if report.gaps.is_empty() {
            report.gaps = missing
                .iter()
                .map(|hole| {
                    Gap::new(
                        GapKind::Missing,
                        Place::default(),
                        format!("{} was not seen from {}", need.title, words::span(hole)),
                    )
                    .between(Some(hole.from), Some(hole.until))
                })
                .collect();
        }
        report.gaps.sort();
        report.gaps.dedup();
    }
    report
}

/// What one way of satisfying a need saw.
struct WaySeen {
    sources: Vec<String>,
    spans: Vec<Span>,
    gaps: Vec<Gap>,
}

impl WaySeen {
    /// Its gaps that touch what the need as a whole lacks.
    fn gaps_within(&self, missing: &[Span]) -> Vec<Gap> {
        self.gaps
            .iter()
            .filter(|gap| match (gap.from, gap.until) {
                (Some(from), Some(until)) => missing
                    .iter()
                    .any(|hole| from < hole.until && hole.from < until),
                _ => true,
            })
            .cloned()
            .collect()
    }
}

/// The time that all sources of a way were seen.
fn way_seen(
    way: &Way,
    span: Span,
    observed: &Observed,
    timeline: &seen::Timeline<'_>,
    exposure: &ExposureJudged,
) -> WaySeen {
    let mut spans = vec![span];
    let mut gaps = Vec::new();
    let mut sources = Vec::new();
    let mut seen_any = false;
    for needed in &way.sources {
        if is_file_source(needed) {
            let files = files::Files {
                observed,
                exposure,
                not_met: &[],
            };
            let state = files.check(needed);
            if !state.gaps.is_empty() {
                spans.clear();
            }
            gaps.extend(state.gaps);
            sources.push(needed.source.clone());
            continue;
        }
        if let Some(folder) = &needed.every_site_serving {
            let sites = sites_serving(folder, observed, exposure);
            if sites.is_empty() {
                spans.clear();
                gaps.push(Gap::new(
                    GapKind::Missing,
                    Place::default(),
                    "the configuration that tells which web sites are the product's",
                ));
            }
            for site in sites {
                let seen = timeline.seen(&site, span);
                seen_any |= !seen.spans.is_empty();
                spans = intersect(&spans, &seen.spans);
                gaps.extend(seen.gaps);
                sources.push(site.to_string());
            }
            continue;
        }
        let source = SourceName::new(&needed.source);
        if let Some(prefix) = &needed.if_requested
            && !timeline.has(&source)
            && timeline.never_requested(prefix, span)
        {
            continue;
        }
        let seen = timeline.seen(&source, span);
        seen_any |= !seen.spans.is_empty();
        spans = intersect(&spans, &seen.spans);
        gaps.extend(seen.gaps);
        sources.push(needed.source.clone());
    }
    if !seen_any {
        spans.clear();
    }
    WaySeen {
        sources,
        spans,
        gaps,
    }
}

/// The logs of the web sites that serve a folder, or one below it, by any configuration that was read.
fn sites_serving(
    folder: &str,
    observed: &Observed,
    exposure: &ExposureJudged,
) -> BTreeSet<SourceName> {
    let below = folder.strip_prefix("{install}").unwrap_or(folder);
    // Where the install folder is not known, any folder of that name counts: rather a log too many than one too few.
    let wanted = match &exposure.install_path {
        Some(install) if folder.starts_with("{install}") => format!("{install}{below}"),
        _ => below.to_owned(),
    };
    let wanted = wanted.to_lowercase();
    derive::directories(observed)
        .filter(|(_, directory)| {
            derive::expand(&directory.physical_path)
                .to_lowercase()
                .contains(&wanted)
        })
        .map(|(_, directory)| SourceName::of("iis.site", &directory.site_id.to_string()))
        .collect()
}

fn is_file_source(needed: &NeededSource) -> bool {
    needed.source.starts_with("files:") || needed.source.starts_with("windows.registry:")
}

fn intersect(a: &[Span], b: &[Span]) -> Vec<Span> {
    let both = a
        .iter()
        .flat_map(|left| b.iter().filter_map(|right| left.intersection(right)))
        .collect();
    Span::union(both)
}

/// A need that is judged at the latest collection.
fn at_latest(need: &Need, files: files::Files<'_>) -> NeedReport {
    let mut best: Option<(u64, u64, Vec<String>, Vec<Gap>)> = None;
    for way in &need.any_of {
        let mut passed = 0;
        let mut checks = 0;
        let mut gaps = Vec::new();
        let mut sources = Vec::new();
        for needed in &way.sources {
            let state = files.check(needed);
            passed += state.passed;
            checks += state.checks;
            if state.passed > 0 {
                sources.push(needed.source.clone());
            }
            gaps.extend(state.gaps);
        }
        let better = best.as_ref().is_none_or(|(known, of, _, known_gaps)| {
            (passed * of, known_gaps.len()) > (known * checks, gaps.len())
        });
        if better {
            best = Some((passed, checks, sources, gaps));
        }
    }
    let (passed, checks, sources, mut gaps) = best.unwrap_or((0, 1, Vec::new(), Vec::new()));
    gaps.sort();
    gaps.dedup();
    let mut seen = Share::of(passed, checks);
    if !gaps.is_empty() && seen == Share::WHOLE {
        seen = Share::of(999, 1000);
    }
    if checks == 0 {
        seen = Share::NONE;
    }
    NeedReport {
        need: need.id.clone(),
        title: need.title.clone(),
        from: None,
        until: None,
        seen,
        unseen_seconds: None,
        sources,
        gaps,
    }
}

/// Gaps that belong to no need and still forbid an assurance: what a dead reader or a broken container kept back may
/// have been anything.
fn blocking(pack: &Pack, observed: &Observed, needs: &[NeedReport]) -> Vec<Gap> {
    let Some(latest) = observed.collections.last() else {
        return Vec::new();
    };
    let needed: Vec<&str> = pack
        .needs
        .iter()
        .flat_map(|need| &need.any_of)
        .flat_map(|way| &way.sources)
        .map(|source| source.source.as_str())
        .collect();
    observed
        .gaps
        .iter()
        .filter(|gap| gap.place.collection == latest.id)
        .filter(|gap| {
            matches!(
                gap.kind,
                GapKind::Unreadable | GapKind::Partial | GapKind::Limit | GapKind::Crashed
            )
        })
        // Sources of needs are judged there; sources that no need names do not block.
        .filter(|gap| gap.source.is_none() && may_hide_anything(gap, latest, &needed))
        .filter(|gap| !needs.iter().any(|need| need.gaps.contains(gap)))
        .cloned()
        .collect()
}

/// Whether the item of a gap is of no known kind, or of a source that a need names.
fn may_hide_anything(gap: &Gap, latest: &CollectionSeen, needed: &[&str]) -> bool {
    let item = latest
        .items
        .iter()
        .find(|item| item.path.eq_ignore_ascii_case(&gap.place.item));
    match item {
        Some(item) if !item.kind.is_empty() => item
            .source
            .as_ref()
            .is_some_and(|source| needed.contains(&source.as_str())),
        _ => true,
    }
}
