//! When people work and when the server is down: time zones with their summer time, holidays, nights of updates,
//! restarts that nobody planned.
//!
//! Logs are written in UTC, but people and maintenance windows keep local time. The tables are in `data/calendar.json`.

use crate::Error;
use crate::moment::{DAY, HOUR, MINUTE, Moment, SECOND};
use crate::random::Random;
use serde::Deserialize;
use std::collections::BTreeSet;

const CALENDAR: &str = include_str!("../data/calendar.json");

/// Time zones of countries, or of their capitals: code, Windows' name, minutes east of Greenwich in winter, title.
const COUNTRIES: &str = include_str!("../data/countries.csv");

/// Of a hundred hosts in a country where a holiday is regional, so many have it.
const REGIONAL_PERCENT: u64 = 50;

/// In so many of a hundred months the night of updates is skipped.
const SKIPPED_PERCENT: u64 = 12;

/// In so many of a hundred months an administrator restarts the server for a reason of their own.
const RESTART_PERCENT: u64 = 12;

/// In so many of a hundred months it goes down without being asked.
const CRASH_PERCENT: u64 = 4;

/// Nights of updates keep this far from other restarts.
const APART: i64 = 8 * HOUR;

/// A time zone of Windows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Zone {
    /// The name under which Windows keeps it in the registry.
    pub(crate) key: String,
    pub(crate) title: String,
    /// Standard time's distance from UTC.
    pub(crate) minutes: i64,
    pub(crate) summer: Summer,
}

/// By which rule clocks go forward an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Summer {
    /// Last Sunday of March to last Sunday of October, at 01:00 UTC (directive 2000/84/EC).
    Eu,
    /// Second Sunday of March to first Sunday of November, at 02:00 local time (Energy Policy Act of 2005).
    Us,
    None,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tables {
    #[serde(rename = "about")]
    _about: String,
    zones: Vec<Zone>,
    countries: Vec<Country>,
    /// Codes of countries to draw from; a code that stands twice is twice as likely.
    drawn: Vec<String>,
    /// The country whose calendar stands in for those not listed.
    other: String,
    /// First and last day of the year of times when few people work.
    quiet_days: Vec<(String, String)>,
    /// Month, and the number of the cumulative update for Windows Server 2016.
    windows_updates: Vec<(String, String)>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Country {
    code: String,
    /// Keys of zones to draw from.
    zones: Vec<String>,
    holidays: Vec<String>,
}

impl Tables {
    fn zone(&self, key: &str) -> Option<Zone> {
        self.zones.iter().find(|zone| zone.key == key).cloned()
    }
}

/// The time zone of a country's capital. Where the tables know no rule for its summer time, it has none.
fn capital_zone(code: &str, tables: &Tables) -> Option<Zone> {
    COUNTRIES.lines().skip(1).find_map(|line| {
        let mut cells = line.splitn(4, ';');
        if !cells.next()?.eq_ignore_ascii_case(code) {
            return None;
        }
        let (key, minutes, title) = (cells.next()?, cells.next()?, cells.next()?);
        tables.zone(key).or_else(|| {
            Some(Zone {
                key: key.to_owned(),
                title: title.to_owned(),
                minutes: minutes.parse().ok()?,
                summer: Summer::None,
            })
        })
    })
}

/// What a day is to those who work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DayKind {
    Working,
    /// A working day on which many are away.
    Quiet,
    Free,
}

/// Why the server was down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The product's security update.
    SecurityUpdate,
    WindowsUpdate,
    Administrator,
    /// Power was lost, or somebody pressed the button.
    PowerLoss,
    /// Windows stopped by itself.
    BugCheck,
}

/// A time during which the server answered nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outage {
    /// When services began to stop; for a crash, when everything stopped.
    pub(crate) stop: Moment,
    /// When Windows had started again.
    pub(crate) boot: Moment,
    /// When Exchange answered again.
    pub(crate) ready: Moment,
    pub(crate) cause: Cause,
}

impl Outage {
    pub(crate) fn is_crash(&self) -> bool {
        matches!(self.cause, Cause::PowerLoss | Cause::BugCheck)
    }
}

/// The local time of one server, and its days off.
#[derive(Debug)]
pub(crate) struct Calendar {
    pub(crate) zone: Zone,
    /// Days since 1970, by local time.
    holidays: BTreeSet<i64>,
    quiet_days: BTreeSet<i64>,
    windows_updates: Vec<(String, String)>,
}

impl Calendar {
    /// The calendar of a server in `country` (ISO 3166-1, two letters; drawn where absent) for the days from `start` to
    /// `end` and some around them.
    pub(crate) fn new(
        seed: u64,
        country: Option<&str>,
        start: Moment,
        end: Moment,
    ) -> Result<Self, Error> {
        let tables: Tables = serde_json::from_str(CALENDAR)?;
        let mut random = Random::new(seed, "calendar", 0);
        let drawn = random.pick(&tables.drawn);
        let wanted = country.unwrap_or(drawn);
        let country = |code: &str| {
            let mut countries = tables.countries.iter();
            countries.find(|country| country.code == code)
        };
        let listed = country(wanted);
        let zone = match listed {
            Some(country) => {
                let key: &String = random.pick(&country.zones);
                tables.zone(key)
            }
            None => capital_zone(wanted, &tables),
        };
        let stand_in = || country(&tables.other);
        let country = listed
            .or_else(stand_in)
            .expect("the table has the country that stands in for others");
        let zone = zone
            .or_else(|| tables.zone(country.zones.first()?))
            .expect("the table has the zones of its countries");
        let regional = random.chance(REGIONAL_PERCENT);
        let mut holidays = BTreeSet::new();
        let mut quiet_days = BTreeSet::new();
        for year in start.civil().year..=end.civil().year {
            for holiday in &country.holidays {
                let everywhere = holiday.trim_start_matches('?');
                if regional || everywhere.len() == holiday.len() {
                    holidays.extend(day_of(everywhere, year));
                }
            }
            for (first, last) in &tables.quiet_days {
                if let (Some(first), Some(last)) = (day_of(first, year), day_of(last, year)) {
                    quiet_days.extend(first..=last);
                }
            }
        }
        Ok(Self {
            zone,
            holidays,
            quiet_days,
            windows_updates: tables.windows_updates,
        })
    }

    /// What clocks on the wall show at that time, as if it were UTC.
    pub(crate) fn local(&self, time: Moment) -> Moment {
        time.after(self.offset_minutes(time) * MINUTE)
    }

    /// The time at which clocks on the wall show `local`; where they show it twice, the later one.
    pub(crate) fn utc(&self, local: Moment) -> Moment {
        let standard = local.after(-self.zone.minutes * MINUTE);
        let summer = standard.after(-HOUR);
        if self.is_summer(standard) && self.is_summer(summer) {
            summer
        } else {
            standard
        }
    }

    /// Distance of local time from UTC at that time.
    pub(crate) fn offset_minutes(&self, time: Moment) -> i64 {
        self.zone.minutes + if self.is_summer(time) { 60 } else { 0 }
    }

    fn is_summer(&self, time: Moment) -> bool {
        let standard = self.zone.minutes * MINUTE;
        let year = time.after(standard).civil().year;
        let (begin, end) = match self.zone.summer {
            Summer::None => return false,
            Summer::Eu => (
                nth_weekday(year, 3, SUNDAY, -1) * DAY + HOUR,
                nth_weekday(year, 10, SUNDAY, -1) * DAY + HOUR,
            ),
            Summer::Us => (
                nth_weekday(year, 3, SUNDAY, 2) * DAY + 2 * HOUR - standard,
                nth_weekday(year, 11, SUNDAY, 1) * DAY + HOUR - standard,
            ),
        };
        begin <= time.0 && time.0 < end
    }

    /// Hour of the local day, and what kind of day it is.
    pub(crate) fn hour(&self, time: Moment) -> (i64, DayKind) {
        let local = self.local(time);
        let day = local.0.div_euclid(DAY);
        let kind = if local.weekday() >= 5 || self.holidays.contains(&day) {
            DayKind::Free
        } else if self.quiet_days.contains(&day) {
            DayKind::Quiet
        } else {
            DayKind::Working
        };
        (local.0.rem_euclid(DAY) / HOUR, kind)
    }

    /// The title of the month's cumulative update for Windows, as its client logs it.
    pub(crate) fn windows_update(&self, time: Moment) -> String {
        let at = time.civil();
        // Before the second Tuesday the last month's is the newest.
        let (year, month) = match at.month {
            _ if time.0 >= nth_weekday(at.year, at.month, TUESDAY, 2) * DAY => (at.year, at.month),
            1 => (at.year - 1, 12),
            month => (at.year, month - 1),
        };
        let month = format!("{year:04}-{month:02}");
        let number = self
            .windows_updates
            .iter()
            .find(|(known, _)| *known == month)
            .map_or(String::new(), |(_, number)| format!(" ({number})"));
        format!("{month} Cumulative Update for Windows Server 2016 for x64-based Systems{number}")
    }

    /// When the server was down from `start` to `end`: nights of Windows updates, restarts by administrators, crashes,
    /// and the product's update at `patch`, which
    /// takes longer if it is a cumulative one.
    pub(crate) fn outages(
        &self,
        seed: u64,
        (start, end): (Moment, Moment),
        patch: Option<Moment>,
        cumulative_update: bool,
    ) -> Vec<Outage> {
        let mut random = Random::new(seed, "outages", 0);
        let mut outages = Vec::new();
        if let Some(stop) = patch {
            // A cumulative update is a new installation.
            let more = if cumulative_update { 45 } else { 0 };
            let boot = (random.between(19, 31) + more, 29);
            outages.push(outage(stop, boot, Cause::SecurityUpdate, &mut random));
        }
        let delay_days = *random.pick(&[1, 2, 4, 4, 5, 5, 8, 11]);
        let night_hour = random.between(1, 4);
        let mut month = (start.civil().year, start.civil().month);
        while civil_day(month.0, month.1, 1) * DAY < end.0 {
            let mut random = Random::new(seed, "outages", u64_of(month.0 * 12 + month.1));
            let released = nth_weekday(month.0, month.1, TUESDAY, 2);
            let minutes = night_hour * 60 + random.between(0, 50);
            let night = Moment((released + delay_days) * DAY + minutes * MINUTE);
            let boot = (random.between(5, 19), 13);
            let update = outage(self.utc(night), boot, Cause::WindowsUpdate, &mut random);
            if !random.chance(SKIPPED_PERCENT) {
                push_apart(&mut outages, update);
            }
            let first = civil_day(month.0, month.1, 1);
            let evening = (first + random.between(0, 27)) * DAY + random.between(18, 22) * HOUR;
            let stop = self.utc(Moment(evening + random.between(0, HOUR - 1)));
            let boot = (random.between(3, 7), 41);
            let restart = outage(stop, boot, Cause::Administrator, &mut random);
            if random.chance(RESTART_PERCENT) {
                push_apart(&mut outages, restart);
            }
            let stop = Moment(first * DAY + random.between(0, 28 * DAY));
            let cause = *random.pick(&[Cause::PowerLoss, Cause::BugCheck]);
            let boot = (random.between(2, 12), 7);
            let crash = outage(stop, boot, cause, &mut random);
            if random.chance(CRASH_PERCENT) {
                push_apart(&mut outages, crash);
            }
            month = if month.1 == 12 {
                (month.0 + 1, 1)
            } else {
                (month.0, month.1 + 1)
            };
        }
        outages.retain(|outage| start <= outage.stop && outage.ready < end);
        outages.sort_by_key(|outage| outage.stop);
        outages
    }
}

/// An outage whose restart takes so many minutes and seconds.
fn outage(stop: Moment, boot: (i64, i64), cause: Cause, random: &mut Random) -> Outage {
    let boot = stop.after(boot.0 * MINUTE + boot.1 * SECOND);
    Outage {
        stop,
        boot,
        ready: boot.after(random.between(3, 5) * MINUTE),
        cause,
    }
}

/// Adds an outage unless another is near.
fn push_apart(outages: &mut Vec<Outage>, new: Outage) {
    let is_near =
        |other: &Outage| new.stop < other.ready.after(APART) && other.stop < new.ready.after(APART);
    if !outages.iter().any(is_near) {
        outages.push(new);
    }
}

fn u64_of(number: i64) -> u64 {
    number.unsigned_abs()
}

const TUESDAY: i64 = 1;
const SUNDAY: i64 = 6;

/// The day in `year` that a text of the tables names, in days since 1970.
fn day_of(text: &str, year: i64) -> Option<i64> {
    const WEEKDAYS: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    if let Some(days) = text.strip_prefix("easter") {
        return Some(easter(year) + days.parse::<i64>().ok()?);
    }
    if let Some((month, rest)) = text.split_once('/') {
        let (weekday, number) = rest.split_once('/')?;
        let weekday = WEEKDAYS.iter().position(|name| *name == weekday)?;
        let weekday = i64::try_from(weekday).ok()?;
        let (month, number) = (month.parse().ok()?, number.parse().ok()?);
        return Some(nth_weekday(year, month, weekday, number));
    }
    let (month, day) = text.split_once('-')?;
    Some(civil_day(year, month.parse().ok()?, day.parse().ok()?))
}

/// Days from 1970 to a date (Howard Hinnant's `days_from_civil`).
fn civil_day(year: i64, month: i64, day: i64) -> i64 {
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The `number`th such weekday of a month (0 is Monday), from its end where `number` is negative.
fn nth_weekday(year: i64, month: i64, weekday: i64, number: i64) -> i64 {
    if number > 0 {
        let first = civil_day(year, month, 1);
        let ahead = (weekday - Moment(first * DAY).weekday()).rem_euclid(7);
        return first + ahead + 7 * (number - 1);
    }
    let next = if month == 12 {
        civil_day(year + 1, 1, 1)
    } else {
        civil_day(year, month + 1, 1)
    };
    let last = next - 1;
    let back = (Moment(last * DAY).weekday() - weekday).rem_euclid(7);
    last - back + 7 * (number + 1)
}

/// Easter Sunday by the Gregorian calendar (Meeus, Astronomical Algorithms, chapter 8).
fn easter(year: i64) -> i64 {
    let golden = year % 19;
    let (century, in_century) = (year / 100, year % 100);
    let (leap_centuries, rest) = (century / 4, century % 4);
    let correction = (century + 8) / 25;
    let moon = (century - correction + 1) / 3;
    let epact = (19 * golden + century - leap_centuries - moon + 15) % 30;
    let (leap_years, odd) = (in_century / 4, in_century % 4);
    let sunday = (32 + 2 * rest + 2 * leap_years - epact - odd) % 7;
    let late = (golden + 11 * epact + 22 * sunday) / 451;
    let number = epact + sunday - 7 * late + 114;
    civil_day(year, number / 31, number % 31 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn moment(text: &str) -> Moment {
        Moment::from(text.parse::<jiff::Timestamp>().unwrap())
    }

    fn calendar(country: &str) -> Calendar {
        let (start, end) = (
            moment("2020-12-28T00:00:00Z"),
            moment("2021-12-20T00:00:00Z"),
        );
        Calendar::new(1, Some(country), start, end).unwrap()
    }

    #[test]
    fn every_text_of_the_tables_names_a_day() {
        let tables: Tables = serde_json::from_str(CALENDAR).unwrap();
        for country in &tables.countries {
            for holiday in &country.holidays {
                let day = day_of(holiday.trim_start_matches('?'), 2021);
                assert!(day.is_some(), "{} {holiday}", country.code);
            }
            assert!(calendar(&country.code).zone.minutes % 15 == 0);
        }
        for code in tables.drawn.iter().chain([&tables.other]) {
            assert!(tables.countries.iter().any(|country| country.code == *code));
        }
    }

    #[test]
    fn feasts_move_as_they_did() {
        let day = |text: &str, year| Moment(day_of(text, year).unwrap() * DAY).compact_day();
        assert_eq!(day("easter+0", 2021), "20210404");
        assert_eq!(day("easter+0", 2024), "20240331");
        assert_eq!(day("easter-48", 2021), "20210215");
        assert_eq!(day("02/monday/3", 2021), "20210215");
        assert_eq!(day("05/monday/-1", 2021), "20210531");
        assert_eq!(day("01-06", 2021), "20210106");
    }

    #[test]
    fn clocks_go_forward_when_they_did() {
        let offsets = |country: &str, times: &[&str]| {
            let calendar = calendar(country);
            let offset = |time: &&str| calendar.offset_minutes(moment(time));
            times.iter().map(offset).collect::<Vec<_>>()
        };
        assert_eq!(
            offsets(
                "DE",
                &[
                    "2021-03-28T00:59:59Z",
                    "2021-03-28T01:00:00Z",
                    "2021-10-31T00:59:59Z",
                    "2021-10-31T01:00:00Z"
                ]
            ),
            [60, 120, 120, 60]
        );
        let standard = calendar("US").zone.minutes;
        // Two o'clock in the morning by the wall of each zone.
        let turn = moment("2021-03-14T02:00:00Z").after(-standard * MINUTE);
        let american = calendar("US");
        assert_eq!(american.offset_minutes(turn.after(-1)), standard);
        assert_eq!(american.offset_minutes(turn), standard + 60);
        assert_eq!(offsets("JP", &["2021-07-01T00:00:00Z"]), [540]);
        // From the table of capitals, with and without a rule for the summer.
        assert_eq!(offsets("CZ", &["2021-07-01T00:00:00Z"]), [120]);
        assert_eq!(offsets("KE", &["2021-07-01T00:00:00Z"]), [180]);
        assert_eq!(offsets("??", &["2021-07-01T00:00:00Z"]), [60]);
    }

    #[test]
    fn local_time_turns_back_into_utc() {
        for country in ["DE", "GB", "US", "JP"] {
            let calendar = calendar(country);
            let mut time = moment("2021-01-01T00:30:00Z");
            while time < moment("2021-10-20T00:00:00Z") {
                assert_eq!(calendar.utc(calendar.local(time)), time, "{country} {time}");
                time = time.after(HOUR);
            }
        }
    }

    #[test]
    fn days_off_are_free_and_the_others_are_not() {
        let german = calendar("DE");
        let kind = |time: &str| german.hour(moment(time)).1;
        assert_eq!(kind("2021-01-01T09:00:00Z"), DayKind::Free);
        assert_eq!(kind("2021-01-04T09:00:00Z"), DayKind::Quiet);
        assert_eq!(kind("2021-02-03T09:00:00Z"), DayKind::Working);
        assert_eq!(kind("2021-02-06T09:00:00Z"), DayKind::Free);
        let (hour, kind) = calendar("US").hour(moment("2021-02-15T15:00:00Z"));
        assert!((7..=10).contains(&hour) && kind == DayKind::Free);
    }

    #[test]
    fn the_server_goes_down_at_night_after_patch_tuesday_and_comes_back() {
        let calendar = calendar("DE");
        let (start, end) = (
            moment("2020-12-28T00:00:00Z"),
            moment("2021-03-20T00:00:00Z"),
        );
        let patch = moment("2021-03-10T19:00:00Z");
        let mut crashes = 0;
        for seed in 0..200 {
            let outages = calendar.outages(seed, (start, end), Some(patch), false);
            let updates = outages
                .iter()
                .filter(|outage| outage.cause == Cause::WindowsUpdate)
                .collect::<Vec<_>>();
            assert!(updates.len() <= 3, "{seed}");
            for update in updates {
                let (hour, _) = calendar.hour(update.stop);
                assert!((1..=4).contains(&hour), "{seed} {}", update.stop);
            }
            assert!(outages.iter().any(|outage| outage.stop == patch));
            for pair in outages.windows(2) {
                assert!(pair[0].ready.after(APART) <= pair[1].stop, "{seed}");
            }
            for outage in &outages {
                assert!(outage.stop < outage.boot && outage.boot < outage.ready);
                crashes += u32::from(outage.is_crash());
            }
        }
        assert!((5..60).contains(&crashes), "{crashes}");
        expect![
            "2021-02 Cumulative Update for Windows Server 2016 for x64-based Systems (KB4601318)"
        ]
        .assert_eq(&calendar.windows_update(moment("2021-03-05T00:00:00Z")));
    }
}
