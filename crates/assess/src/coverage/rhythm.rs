//! Time holes told from quiet nights by the server's own rhythm.
//!
//! A stretch without records is a hole where this source, at that time of day, would have written several; it is quiet
//! where the same stretch is empty on other days too, or where the whole server was silent for the time of a restart.
//! The figures below were chosen so that a Poisson-like log of a whole season shows none by chance.

use model::{Activity, Span, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

const MINUTES_PER_DAY: i64 = 1440;

/// Records that must be missing: an empty stretch has the chance e^-14, one in a million.
const EXPECTED_RECORDS_MIN: f64 = 14.0;

/// With fewer records than this nobody can speak of a rhythm.
const RECORDS_MIN: u64 = 8;

/// The silence of a whole server that is too long to be chance, by the minutes in which anything was written: half again the
/// 99th percentile of its pauses, and at least ten minutes.
pub(super) fn unusual_silence(alive: &BTreeSet<i64>) -> i64 {
    let pauses = alive
        .iter()
        .zip(alive.iter().skip(1))
        .map(|(before, after)| after - before)
        .collect();
    percentile(&sorted(pauses), 99)
        .saturating_mul(3)
        .div_euclid(2)
        .max(10)
}

/// Longest silence of a whole server that is taken for a restart, in minutes.
const RESTART_MINUTES_MAX: i64 = 120;

/// Other days on which the same stretch must be empty.
const RECURRENCES_MIN: usize = 3;

/// Other weeks on which a long stretch must be empty.
const WEEKLY_RECURRENCES_MIN: usize = 2;

/// Records that nearly every file of a log must hold before a missing one is no chance.
const RECORDS_IN_FILE_MIN: i64 = 8;

/// Longest silence up to the collection of a log with next to no records: a month.
const SELDOM_SECONDS_MAX: i64 = 30 * 86_400;

/// Longest silence that counts as a night.
const NIGHT_MINUTES_MAX: i64 = 20 * 60;

/// How far around a stretch its like is looked for, in days.
const RECURRENCE_DAYS: i64 = 28;

/// A stretch in which the whole server was silent, for longer than it ever is: the last minute before it with any
/// record, and the first one after it.
pub type Silence = (i64, i64);

/// The holes of a source within a span, in order. `period` is the time after which the log begins a new file, in
/// minutes, where its files' names show one. `silence` tells, for minutes since 1970, when between them the whole server was
/// silent.
pub fn holes(
    activity: &Activity,
    span: Span,
    period: Option<i64>,
    silence: &dyn Fn(i64, i64) -> Option<Silence>,
) -> Vec<Span> {
    let minutes: Vec<(i64, u32)> = activity.minutes().collect();
    if activity.records() < RECORDS_MIN || minutes.len() < 2 {
        return vec![span];
    }
    let rhythm = Rhythm::of(&minutes, period);
    let from = minute_of(span.from);
    let until = minute_of(span.until);
    let first = minutes[0].0;
    let last = minutes[minutes.len() - 1].0;
    let mut holes = Vec::new();
    // Before the first and after the last record there is no restart to explain a silence.
    if from < first && rhythm.is_hole(from - 1, first) {
        holes.push((from - 1, first));
    }
    for pair in minutes.windows(2) {
        let (before, after) = (pair[0].0, pair[1].0);
        if after <= from || before >= until || !rhythm.is_hole(before, after) {
            continue;
        }
        // Around a restart each side is judged by itself.
        if let Some((stopped, started)) = silence(before, after)
            && started - stopped <= RESTART_MINUTES_MAX
            && !rhythm.is_hole(before, stopped)
            && !rhythm.is_hole(started, after)
        {
            continue;
        }
        holes.push((before, after));
    }
    if until > last && rhythm.is_hole(last, until + 1) {
        holes.push((last, until + 1));
    }
    let spans = holes
        .into_iter()
        .filter_map(|(before, after)| {
            let hole = Span::new(time_of(before + 1)?, time_of(after)?)?;
            hole.intersection(&span)
        })
        .collect();
    Span::union(spans)
}

/// Whether the silence from a log's last record on is unusual: by its rhythm, or, in a log that writes seldom, because
/// it is several times as long as the longest silence before.
pub(super) fn is_unusual_tail(activity: &Activity, tail: Span) -> bool {
    let minutes: Vec<(i64, u32)> = activity.minutes().collect();
    if activity.records() < RECORDS_MIN || minutes.len() < 2 {
        return tail.seconds() > SELDOM_SECONDS_MAX;
    }
    let rhythm = Rhythm::of(&minutes, None);
    let (from, until) = (minute_of(tail.from), minute_of(tail.until));
    let longest = minutes
        .windows(2)
        .map(|pair| pair[1].0 - pair[0].0)
        .max()
        .unwrap_or(0);
    rhythm.is_hole(from, until + 1) || until - from > longest.saturating_mul(3).max(MINUTES_PER_DAY)
}

fn minute_of(time: Timestamp) -> i64 {
    time.as_second().div_euclid(60)
}

fn time_of(minute: i64) -> Option<Timestamp> {
    Timestamp::from_second(minute.checked_mul(60)?).ok()
}

/// What is usual for a source.
struct Rhythm {
    active: Vec<i64>,
    /// Usual records per minute, by hour of the day and whether it is a weekend.
    rate: [[f64; 24]; 2],
    /// Lower quartile over all hours that had records.
    usual_rate: f64,
    /// Median and 99th percentile of the minutes from one active minute to the next.
    median_minutes: i64,
    p99_minutes: i64,
    files: Files,
}

/// How a log is cut into files.
struct Files {
    /// Minutes after which the log begins a new file, where its files' names show it.
    period: Option<i64>,
    /// How near to the end of a file its last record lies, and the first to its beginning.
    slack: i64,
}

impl Files {
    /// Whether a silence begins at the end of one file and ends at the beginning of another with whole files between
    /// them. People do not stop and start work when a log happens to change its file: such a silence is no habit, but
    /// files that are not there.
    fn may_be_missing(&self, before: i64, after: i64) -> bool {
        let Some(period) = self.period else {
            return false;
        };
        let next_file = (before.div_euclid(period) + 1) * period;
        let this_file = after.div_euclid(period) * period;
        this_file - next_file >= period
            && next_file - before <= self.slack
            && after - this_file <= self.slack
    }
}

impl Rhythm {
    fn of(minutes: &[(i64, u32)], period: Option<i64>) -> Self {
        let active: Vec<i64> = minutes.iter().map(|(minute, _)| *minute).collect();
        let all: Vec<i64> = active.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let median_minutes = percentile(&sorted(all), 50);
        let files = Files {
            // A log that writes hardly once a file shows nothing at their borders.
            period: period.filter(|period| median_minutes * 2 <= *period),
            slack: (median_minutes * 5 / 4).max(10),
        };
        // What may be missing files must not count as what is usual.
        let within_files: Vec<i64> = active
            .windows(2)
            .filter(|pair| !files.may_be_missing(pair[0], pair[1]))
            .map(|pair| pair[1] - pair[0])
            .collect();
        let hours = records_by_hour(minutes);
        let counts = sorted(hours.values().copied().collect());
        Self {
            rate: rates(&hours),
            usual_rate: percentile(&counts, 25) as f64 / 60.0,
            median_minutes,
            p99_minutes: percentile(&sorted(within_files), 99),
            files,
            active,
        }
    }

    /// Whether the minutes between two active ones (both exclusive) are a hole.
    fn is_hole(&self, before: i64, after: i64) -> bool {
        let interval = after - before;
        let unusual = interval > self.p99_minutes.saturating_mul(2).max(self.p99_minutes + 5);
        let beats_missed = self.is_regular() && interval > self.p99_minutes * 7 / 4 + 6;
        let expected = if self.files.may_be_missing(before, after) {
            // The hours of files that are never there have no rate of their own.
            self.usual_rate * (interval - 1) as f64
        } else {
            self.expected(before, after)
        };
        let records_missed = unusual && expected >= EXPECTED_RECORDS_MIN;
        (beats_missed || records_missed) && !self.recurs(before, after)
    }

    /// A clockwork: hardly an interval is longer than half again the usual one.
    fn is_regular(&self) -> bool {
        self.p99_minutes <= self.median_minutes * 3 / 2 + 1
    }

    /// Records that usually fall into such a stretch.
    fn expected(&self, before: i64, after: i64) -> f64 {
        // Whole weeks count at once, so that a hostile time a century away costs nothing.
        let length = after - before - 1;
        let week = MINUTES_PER_DAY * 7;
        let per_week: f64 = (0..7)
            .map(|day| {
                let rates = &self.rate[usize::from(day >= 5)];
                rates.iter().sum::<f64>() * 60.0
            })
            .sum();
        let weeks = length / week;
        let rest: f64 = (0..length % week)
            .map(|offset| self.rate_at(before + 1 + offset))
            .sum();
        rest + per_week * weeks as f64
    }

    fn rate_at(&self, minute: i64) -> f64 {
        let (weekend, hour) = class(minute);
        self.rate[weekend][hour]
    }

    /// Whether the same stretch is empty on enough other days (or weeks, for a long one).
    fn recurs(&self, before: i64, after: i64) -> bool {
        let length = after - before - 1;
        let (Some(first), Some(last)) = (self.active.first(), self.active.last()) else {
            return false;
        };
        // What is longer than a night can only be a habit of certain days of the week.
        let weekly = length > NIGHT_MINUTES_MAX;
        let mut comparable = 0;
        let mut empty = 0;
        for days in -RECURRENCE_DAYS..=RECURRENCE_DAYS {
            if weekly && days % 7 != 0 {
                continue;
            }
            let shift = days * MINUTES_PER_DAY;
            let (from, until) = (before + shift, after + shift);
            // A stretch must not be compared with itself, nor with time that the log does not hold.
            if shift.abs() <= length || from < *first || until > *last {
                continue;
            }
            comparable += 1;
            // A tenth is trimmed off at each end: people do not leave at the same minute every day.
            let trim = length / 10;
            let (from, until) = (from + trim, until - trim);
            let start = self.active.partition_point(|minute| *minute <= from);
            let quiet = self.active.get(start).is_none_or(|next| *next >= until);
            if !quiet {
                continue;
            }
            // The inside of a much longer silence is another hole, not a habit.
            let left = start.checked_sub(1).and_then(|at| self.active.get(at));
            let right = self.active.get(start);
            if let (Some(left), Some(right)) = (left, right)
                && right - left <= length * 3 + 60
                && !self.files.may_be_missing(*left, *right)
            {
                empty += 1;
            }
        }
        if weekly {
            empty >= WEEKLY_RECURRENCES_MIN && empty * 2 >= comparable
        } else {
            empty >= RECURRENCES_MIN && empty * 8 >= comparable
        }
    }
}

/// Weekend (1) or not (0), and hour of the day.
fn class(minute: i64) -> (usize, usize) {
    let day = minute.div_euclid(MINUTES_PER_DAY);
    // 1970-01-01 was a Thursday; days 5 and 6 of a week that starts on Monday are the weekend.
    let weekday = (day + 3).rem_euclid(7);
    let hour = minute.rem_euclid(MINUTES_PER_DAY) / 60;
    (
        usize::from(weekday >= 5),
        usize::try_from(hour).unwrap_or(0),
    )
}

/// Records of each hour that had any, by hours since 1970.
fn records_by_hour(minutes: &[(i64, u32)]) -> BTreeMap<i64, i64> {
    let mut hours: BTreeMap<i64, i64> = BTreeMap::new();
    for (minute, count) in minutes {
        *hours.entry(minute.div_euclid(60)).or_default() += i64::from(*count);
    }
    hours
}

/// The lower quartile of records per minute over the hours that had any.
fn rates(hours: &BTreeMap<i64, i64>) -> [[f64; 24]; 2] {
    let mut by_class: BTreeMap<(usize, usize), Vec<i64>> = BTreeMap::new();
    for (hour, count) in hours {
        by_class.entry(class(hour * 60)).or_default().push(*count);
    }
    let mut rate = [[0.0; 24]; 2];
    for ((weekend, hour), mut counts) in by_class {
        counts.sort_unstable();
        rate[weekend][hour] = percentile(&counts, 25) as f64 / 60.0;
    }
    rate
}

fn sorted(mut values: Vec<i64>) -> Vec<i64> {
    values.sort_unstable();
    values
}

/// The value below which this share of sorted values lies.
fn percentile(sorted: &[i64], percent: usize) -> i64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0;
    };
    sorted[last * percent / 100]
}

/// Periods without a file in a row of files that a log begins every `period_seconds`, by the times in their names.
///
/// Weekly and nightly pauses that recur are no holes; nor is anything said of a log whose files hold a few records each,
/// or where fewer than half of the periods have a file.
pub(super) fn missing_periods(
    activity: &Activity,
    begun: &BTreeSet<Timestamp>,
    period_seconds: u32,
) -> Vec<Span> {
    let period = i64::from(period_seconds.max(60));
    let mut records: BTreeMap<i64, i64> = BTreeMap::new();
    for (minute, count) in activity.minutes() {
        *records.entry((minute * 60).div_euclid(period)).or_default() += i64::from(count);
    }
    if percentile(&sorted(records.into_values().collect()), 5) < RECORDS_IN_FILE_MIN {
        return Vec::new();
    }
    let present: BTreeSet<i64> = begun
        .iter()
        .map(|time| time.as_second().div_euclid(period))
        .collect();
    let (Some(first), Some(last)) = (present.first().copied(), present.last().copied()) else {
        return Vec::new();
    };
    let all = last - first + 1;
    if i64::try_from(present.len()).unwrap_or(i64::MAX) * 2 < all {
        return Vec::new();
    }
    // Pauses recur daily in hourly files, weekly in daily ones.
    let cycle = if period < 86_400 { 86_400 / period } else { 7 };
    let is_habit = |index: i64| {
        let others = (-8..=8)
            .filter(|shift| *shift != 0)
            .map(|shift| index + shift * cycle)
            .filter(|other| (first..=last).contains(other));
        let (mut absent, mut compared) = (0, 0);
        for other in others {
            compared += 1;
            absent += usize::from(!present.contains(&other));
        }
        absent >= 2 && absent * 2 >= compared
    };
    let missing = present
        .iter()
        .zip(present.iter().skip(1))
        .flat_map(|(before, after)| before + 1..*after)
        .filter(|index| !is_habit(*index))
        .filter_map(|index| {
            Span::new(
                Timestamp::from_second(index * period).ok()?,
                Timestamp::from_second((index + 1) * period).ok()?,
            )
        })
        .collect();
    Span::union(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2021-02-01 00:00, a Monday.
    const MONDAY: i64 = 1_612_137_600;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(MONDAY + seconds).unwrap()
    }

    fn month() -> Span {
        Span::new(at(0), at(28 * 86_400)).unwrap()
    }

    fn log(times: impl Iterator<Item = i64>) -> Activity {
        let mut activity = Activity::default();
        for time in times {
            activity.add(at(time));
        }
        activity
    }

    fn found(activity: &Activity) -> Vec<String> {
        holes(activity, month(), None, &|_, _| None)
            .iter()
            .map(crate::words::span)
            .collect()
    }

    #[test]
    fn a_steady_log_has_no_hole() {
        assert_eq!(
            found(&log((0..28 * 86_400).step_by(50))),
            Vec::<String>::new()
        );
    }

    #[test]
    fn twenty_minutes_cut_out_of_a_steady_log_are_a_hole() {
        let hole = 10 * 86_400 + 3_600..10 * 86_400 + 4_800;
        let cut = (0..28 * 86_400)
            .step_by(50)
            .filter(|time| !hole.contains(time));
        assert_eq!(found(&log(cut)), ["2021-02-11 01:00Z to 2021-02-11 01:20Z"]);
    }

    #[test]
    fn quiet_nights_and_weekends_are_no_holes() {
        let office = (0..28 * 86_400).step_by(40).filter(|time| {
            let hour = time % 86_400 / 3_600;
            (7..19).contains(&hour) && time / 86_400 % 7 < 5
        });
        let activity = log(office);
        let span = Span::new(at(8 * 3_600), at(25 * 86_400 + 18 * 3_600)).unwrap();
        assert_eq!(holes(&activity, span, None, &|_, _| None), Vec::new());
    }

    #[test]
    fn a_missing_office_day_is_a_hole_though_nights_are_quiet() {
        let office = (0..28 * 86_400).step_by(40).filter(|time| {
            let hour = time % 86_400 / 3_600;
            (7..19).contains(&hour) && time / 86_400 % 7 < 5 && time / 86_400 != 9
        });
        let activity = log(office);
        let span = Span::new(at(8 * 3_600), at(25 * 86_400 + 18 * 3_600)).unwrap();
        assert_eq!(holes(&activity, span, None, &|_, _| None).len(), 1);
    }

    #[test]
    fn a_missed_beat_of_a_clockwork_is_a_hole() {
        let beats = (0..28 * 3)
            .filter(|beat| *beat != 40)
            .map(|beat| beat * 28_800);
        assert_eq!(found(&log(beats)).len(), 1);
    }

    #[test]
    fn a_restart_of_the_whole_server_is_no_hole_but_a_silent_source_is() {
        let hole = 10 * 86_400..10 * 86_400 + 2_700;
        let activity = log((0..28 * 86_400)
            .step_by(50)
            .filter(|time| !hole.contains(time)));
        assert_eq!(
            holes(&activity, month(), None, &|before, after| Some((
                before, after
            ))),
            Vec::new()
        );
        assert_eq!(found(&activity).len(), 1);
    }

    #[test]
    fn what_lies_before_the_first_record_is_a_hole() {
        assert_eq!(
            found(&log((5 * 86_400..28 * 86_400).step_by(50))),
            ["2021-02-01 00:00Z to 2021-02-06 00:00Z"]
        );
    }

    #[test]
    fn a_handful_of_records_shows_no_rhythm() {
        assert_eq!(found(&log([0, 86_400, 864_000].into_iter())).len(), 1);
    }

    #[test]
    fn every_third_hourly_file_is_no_habit() {
        let kept = (0..28 * 86_400)
            .step_by(50)
            .filter(|time| time / 3_600 % 3 == 0);
        let holes = holes(&log(kept), month(), Some(60), &|_, _| None);
        let seen: i64 = month().minus(&holes).iter().map(Span::seconds).sum();
        assert!(seen < month().seconds() * 2 / 5, "{seen}");
    }

    #[test]
    fn a_busy_log_that_ends_weeks_before_its_collection_was_shortened() {
        let activity = log((0..14 * 86_400).step_by(600));
        let tail = |days: i64| Span::new(at(14 * 86_400), at((14 + days) * 86_400)).unwrap();
        assert!(is_unusual_tail(&activity, tail(10)));
        assert!(!is_unusual_tail(
            &log([0, 9, 20, 31, 39, 52, 60, 71, 80]
                .into_iter()
                .map(|day| day * 86_400 / 3)),
            tail(3)
        ));
    }

    #[test]
    fn a_day_without_its_file_is_missing_but_sundays_are_a_habit() {
        let days = |missing: i64| {
            (0..28)
                .filter(|day| day % 7 != 6 && *day != missing)
                .map(|day| at(day * 86_400))
                .collect::<BTreeSet<_>>()
        };
        let busy = |missing: i64| {
            let times = (0..28 * 86_400).step_by(600).filter(|time| {
                let day = time / 86_400;
                day % 7 != 6 && day != missing
            });
            missing_periods(&log(times), &days(missing), 86_400)
        };
        assert_eq!(busy(99), Vec::new());
        assert_eq!(busy(9).len(), 1);
        // A log with a record a day or so says nothing by not having a file.
        let seldom = log((0..28).map(|day| day * 86_400));
        assert_eq!(missing_periods(&seldom, &days(9), 86_400), Vec::new());
    }
}
