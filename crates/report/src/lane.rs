//! Geometry of the coverage chart: which stretch of a need was seen, on a common scale of time.
//!
//! What is not known to have been seen is never drawn as seen, and a gap is never too short to be drawn.

use jiff::Timestamp;
use model::report::{CampaignReport, HostReport, NeedReport, Share};

/// What lies further than this before every need is hostile or wrong, and would squeeze the chart.
const BEFORE_NEEDS_SECONDS_MAX: i64 = 400 * 86_400;

/// Seconds since 1970 on which a chart begins and ends; `from` is less than `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    pub(crate) from: i64,
    pub(crate) until: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Seen,
    /// Seen in part, and nothing says which part.
    InPart,
    NotSeen,
}

/// A stretch of time, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) from: i64,
    pub(crate) until: i64,
    pub(crate) mark: Mark,
}

impl Scale {
    /// The time that needs, exposure and compromise of one host and campaign span; `None` where no two times are known.
    pub(crate) fn of(host: &HostReport, campaign: &CampaignReport) -> Option<Self> {
        let needs = campaign.coverage.needs.iter();
        let needed = seconds(needs.flat_map(|need| [need.from, need.until]));
        let taken = seconds(host.collections.iter().map(|collection| collection.taken));
        let builds = campaign.exposure.spans.iter();
        // Needs say which time matters; builds of years before would only squeeze it.
        let builds = builds.filter(|_| needed.is_empty());
        let told = builds
            .flat_map(|span| [span.from, span.until])
            .chain([campaign.compromise.first, campaign.compromise.last]);
        // Times in logs may be wrong or made up; those that are not bounded by a need or a collection do not count.
        let earliest = needed
            .iter()
            .min()
            .map_or(i64::MIN, |from| from - BEFORE_NEEDS_SECONDS_MAX);
        let latest = taken.iter().chain(&needed).max().copied();
        let told = seconds(told);
        let told = told
            .iter()
            .filter(|time| latest.is_none_or(|latest| **time <= latest));
        let others = told.chain(&taken).filter(|time| **time >= earliest);
        let all: Vec<i64> = needed.iter().chain(others).copied().collect();
        let (from, until) = (*all.iter().min()?, *all.iter().max()?);
        (from < until).then_some(Self { from, until })
    }

    /// Where a time lies, in ten-thousandths of the scale; times beyond its ends lie at its ends.
    pub(crate) fn position(self, second: i64) -> u32 {
        let length = i128::from(self.until) - i128::from(self.from);
        let offset = (i128::from(second) - i128::from(self.from)).clamp(0, length);
        u32::try_from(offset * 10_000 / length).unwrap_or(10_000)
    }

    /// Start and end of one of `count` equal cells.
    fn cell(self, index: usize, count: usize) -> (i64, i64) {
        let length = i128::from(self.until) - i128::from(self.from);
        let edge = |index: usize| {
            let offset = length * index as i128 / count as i128;
            self.from + i64::try_from(offset).unwrap_or(0)
        };
        (edge(index), edge(index + 1))
    }
}

/// What was seen of a need, in order of time without overlap; empty for a need that is judged at one time.
pub(crate) fn stretches(need: &NeedReport) -> Vec<Stretch> {
    let (Some(from), Some(until)) = (need.from, need.until) else {
        return Vec::new();
    };
    let (from, until) = (from.as_second(), until.as_second());
    if from >= until {
        return Vec::new();
    }
    let whole = |mark| vec![Stretch { from, until, mark }];
    if need.seen == Share::WHOLE {
        return whole(Mark::Seen);
    }
    if need.seen == Share::NONE {
        return whole(Mark::NotSeen);
    }
    let holes = holes(need, from, until);
    let placed: i64 = holes.iter().map(|(start, end)| end - start).sum();
    let missing = i128::from(until - from) * i128::from(1000 - need.seen.thousandths()) / 1000;
    // The share is rounded down, so it may tell of up to a thousandth more than the holes do.
    let rounding = i128::from(until - from) / 1000 + 1;
    let rest = if i128::from(placed) + rounding < missing {
        Mark::InPart
    } else {
        Mark::Seen
    };
    between(&holes, from, until, rest)
}

/// What to draw into each of `count` cells of the scale; `None` where the need does not run.
pub(crate) fn cells(need: &NeedReport, scale: Scale, count: usize) -> Vec<Option<Mark>> {
    let stretches = stretches(need);
    (0..count)
        .map(|index| {
            let (start, end) = scale.cell(index, count);
            let here = stretches
                .iter()
                .filter(|stretch| stretch.from < end && stretch.until > start);
            here.map(|stretch| stretch.mark)
                .max_by_key(|mark| match mark {
                    Mark::Seen => 0,
                    Mark::InPart => 1,
                    Mark::NotSeen => 2,
                })
        })
        .collect()
}

/// The gaps that say when, cut to the need and merged.
fn holes(need: &NeedReport, from: i64, until: i64) -> Vec<(i64, i64)> {
    let mut holes: Vec<(i64, i64)> = need
        .gaps
        .iter()
        .filter(|gap| gap.from.is_some() || gap.until.is_some())
        .map(|gap| {
            let start = gap.from.map_or(from, Timestamp::as_second).max(from);
            let end = gap.until.map_or(until, Timestamp::as_second).min(until);
            (start, end)
        })
        .filter(|(start, end)| start < end)
        .collect();
    holes.sort_unstable();
    let mut merged: Vec<(i64, i64)> = Vec::new();
    for (start, end) in holes {
        match merged.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}

fn between(holes: &[(i64, i64)], from: i64, until: i64, rest: Mark) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let mut reached = from;
    for (start, end) in holes.iter().copied().chain([(until, until)]) {
        if reached < start {
            stretches.push(Stretch {
                from: reached,
                until: start,
                mark: rest,
            });
        }
        if start < end {
            stretches.push(Stretch {
                from: start,
                until: end,
                mark: Mark::NotSeen,
            });
        }
        reached = end;
    }
    stretches
}

fn seconds(times: impl Iterator<Item = Option<Timestamp>>) -> Vec<i64> {
    times.flatten().map(Timestamp::as_second).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Gap, GapKind, Place};

    fn need(seen: Share, gaps: &[(Option<i64>, Option<i64>)]) -> NeedReport {
        let at = |second: Option<i64>| second.map(|second| Timestamp::from_second(second).unwrap());
        NeedReport {
            need: "n".into(),
            title: "N".into(),
            from: at(Some(0)),
            until: at(Some(1000)),
            seen,
            unseen_seconds: None,
            sources: vec![],
            gaps: gaps
                .iter()
                .map(|(from, until)| {
                    Gap::new(GapKind::TimeHole, Place::default(), "").between(at(*from), at(*until))
                })
                .collect(),
        }
    }

    fn drawn(need: &NeedReport, count: usize) -> String {
        let scale = Scale {
            from: -1000,
            until: 1000,
        };
        cells(need, scale, count)
            .iter()
            .map(|cell| match cell {
                None => '.',
                Some(Mark::Seen) => '#',
                Some(Mark::InPart) => '?',
                Some(Mark::NotSeen) => '-',
            })
            .collect()
    }

    #[test]
    fn a_gap_is_drawn_however_short_it_is() {
        let hole = need(Share::of(999, 1000), &[(Some(500), Some(501))]);
        assert_eq!(drawn(&hole, 20), "..........#####-####");
    }

    #[test]
    fn what_no_gap_places_is_not_drawn_as_seen() {
        assert_eq!(
            drawn(&need(Share::of(1, 2), &[(None, None)]), 8),
            "....????"
        );
        assert_eq!(
            drawn(&need(Share::of(1, 2), &[(None, Some(250))]), 8),
            "....-???"
        );
        assert_eq!(drawn(&need(Share::NONE, &[]), 8), "....----");
        assert_eq!(drawn(&need(Share::WHOLE, &[(None, None)]), 8), "....####");
    }

    #[test]
    fn gaps_that_overlap_or_reach_beyond_the_need_are_merged_and_cut() {
        let gaps = [
            (None, Some(300)),
            (Some(200), Some(400)),
            (Some(900), Some(9000)),
        ];
        let marks: Vec<(i64, i64, Mark)> = stretches(&need(Share::of(1, 2), &gaps))
            .iter()
            .map(|stretch| (stretch.from, stretch.until, stretch.mark))
            .collect();
        assert_eq!(
            marks,
            [
                (0, 400, Mark::NotSeen),
                (400, 900, Mark::Seen),
                (900, 1000, Mark::NotSeen)
            ]
        );
    }

    #[test]
    fn positions_stay_on_the_scale() {
        let scale = Scale { from: 0, until: 3 };
        assert_eq!(scale.position(i64::MIN), 0);
        assert_eq!(scale.position(i64::MAX), 10_000);
        assert_eq!(scale.position(1), 3333);
    }
}
