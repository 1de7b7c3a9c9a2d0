//! When a report is due. Which duty there is, what starts it and how long it runs are tables of `knowledge/disclosure`.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

const CLOCKS: &str = include_str!("../../../../knowledge/disclosure/clocks.yaml");
const HOLIDAYS: &str = include_str!("../../../../knowledge/disclosure/holidays.csv");

/// A duty to report.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    pub id: String,
    pub title: String,
    pub jurisdiction: String,
    pub who: String,
    pub trigger: String,
    pub due: Due,
    pub in_force: Date,
    pub source: String,
    pub contents: Vec<Item>,
}

/// How long it runs: one of these.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Due {
    pub hours: Option<i64>,
    pub days: Option<i64>,
    pub months: Option<i64>,
    pub business_days: Option<u32>,
    pub calendar: Option<String>,
    pub at: Option<Time>,
}

/// Something that a report must say.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    pub ask: String,
    pub facts: Vec<Fact>,
}

/// What of a case speaks to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    Campaign,
    Hosts,
    Times,
    Stages,
    Footholds,
    Measures,
    Unknown,
    /// No case can know it.
    Person,
}

/// The clocks that come with Allclear, in the order of the table.
pub fn clocks() -> Vec<Clock> {
    serde_yaml_ng::from_str(CLOCKS).expect("a test reads the table")
}

/// Days on which nobody works, by calendar.
fn holidays() -> BTreeMap<String, BTreeSet<Date>> {
    let mut calendars: BTreeMap<String, BTreeSet<Date>> = BTreeMap::new();
    let mut reader = csv::Reader::from_reader(HOLIDAYS.as_bytes());
    for row in reader.records().flatten() {
        if let (Some(calendar), Some(Ok(date))) = (row.get(0), row.get(1).map(str::parse)) {
            calendars
                .entry(calendar.to_owned())
                .or_default()
                .insert(date);
        }
    }
    calendars
}

/// When something was triggered, in the offset from UTC of whoever says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trigger {
    pub time: Timestamp,
    offset: Offset,
}

impl Trigger {
    /// A time with its offset, such as `2024-03-04T16:00:00-05:00`: days of business begin and end somewhere.
    pub fn parse(text: &str) -> Result<Self, String> {
        let told =
            || format!("`{text}` is no time with an offset; write it as 2024-03-04T16:00:00-05:00");
        let time: Timestamp = text.trim().parse().map_err(|_error| told())?;
        let pieces = jiff::fmt::temporal::Pieces::parse(text.trim()).map_err(|_error| told())?;
        let offset = pieces.to_numeric_offset().ok_or_else(told)?;
        Ok(Self { time, offset })
    }

    fn date(self) -> Date {
        self.offset.to_datetime(self.time).date()
    }

    /// A day and a time in this offset.
    fn at(self, date: Date, time: Time) -> Result<Timestamp, String> {
        self.offset
            .to_timestamp(date.to_datetime(time))
            .map_err(|error| error.to_string())
    }

    /// As it is written down.
    pub fn show(self, time: Timestamp) -> String {
        time.display_with_offset(self.offset).to_string()
    }
}

/// When the report is due; the error says why this clock does not run.
pub fn due(clock: &Clock, trigger: Trigger) -> Result<Timestamp, String> {
    let day = trigger.date();
    if day < clock.in_force {
        return Err(format!("{} holds since {} only", clock.id, clock.in_force));
    }
    let far = |error: jiff::Error| error.to_string();
    let last = Time::constant(23, 59, 59, 0);
    let end = clock.due.at.unwrap_or(last);
    match &clock.due {
        Due {
            hours: Some(hours), ..
        } => trigger.time.checked_add(hours.hours()).map_err(far),
        Due {
            days: Some(days), ..
        } => trigger.at(day.checked_add(days.days()).map_err(far)?, end),
        Due {
            months: Some(months),
            ..
        } => trigger.at(day.checked_add(months.months()).map_err(far)?, end),
        Due {
            business_days: Some(days),
            calendar,
            ..
        } => {
            let name = calendar.as_deref().unwrap_or_default();
            let calendars = holidays();
            let holidays = calendars
                .get(name)
                .ok_or_else(|| format!("there is no calendar {name}"))?;
            let mut date = day;
            let mut left = *days;
            // The day of the trigger does not count; where it is no day of business, the first that is counts.
            while left > 0 {
                date = date.tomorrow().map_err(far)?;
                if holidays.last().is_none_or(|known| date > *known) {
                    return Err(format!(
                        "the calendar {name} ends before it is due; add holidays to knowledge/disclosure/holidays.csv"
                    ));
                }
                let weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
                if !weekend && !holidays.contains(&date) {
                    left -= 1;
                }
            }
            trigger.at(date, end)
        }
        _ => Err(format!("{} says no time", clock.id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_times_follow_the_texts_of_the_laws() {
        let clocks = clocks();
        for (id, at, expected) in [
            (
                "gdpr-33",
                "2021-03-08T09:30:00+01:00",
                "2021-03-11T09:30:00+01:00",
            ),
            (
                "nis2-early-warning",
                "2025-01-31T20:00:00Z",
                "2025-02-01T20:00:00+00:00",
            ),
            (
                "nis2-early-warning",
                "2021-03-08T09:30:00+01:00",
                "nis2-early-warning holds since 2024-10-18 only",
            ),
            (
                "nis2-final",
                "2025-01-31T20:00:00Z",
                "2025-02-28T23:59:59+00:00",
            ),
            // A Monday: the Friday of that week.
            (
                "sec-8k-105",
                "2024-03-04T16:00:00-05:00",
                "2024-03-08T17:30:00-05:00",
            ),
            // A Friday before Memorial Day: Tuesday is the first day of business after it.
            (
                "sec-8k-105",
                "2024-05-24T16:00:00-04:00",
                "2024-05-31T17:30:00-04:00",
            ),
            // A Saturday: Monday is the first day.
            (
                "sec-8k-105",
                "2024-03-02T10:00:00-05:00",
                "2024-03-07T17:30:00-05:00",
            ),
            (
                "sec-8k-105",
                "2023-12-15T10:00:00-05:00",
                "sec-8k-105 holds since 2023-12-18 only",
            ),
            (
                "us-bank-36h",
                "2024-03-04T16:00:00-05:00",
                "2024-03-06T04:00:00-05:00",
            ),
            (
                "hipaa-164-408",
                "2021-03-08T12:00:00-06:00",
                "2021-05-07T23:59:59-06:00",
            ),
        ] {
            let clock = clocks.iter().find(|clock| clock.id == id).unwrap();
            let trigger = Trigger::parse(at).unwrap();
            let said = due(clock, trigger).map_or_else(|why| why, |time| trigger.show(time));
            assert_eq!(said, expected, "{id} {at}");
        }
        let late = Trigger::parse("2031-03-04T16:00:00-05:00").unwrap();
        let sec = clocks
            .iter()
            .find(|clock| clock.due.business_days.is_some())
            .unwrap();
        assert!(
            due(sec, late)
                .unwrap_err()
                .contains("ends before it is due")
        );
        assert!(Trigger::parse("2024-03-04T16:00:00").is_err());
    }

    #[test]
    fn each_clock_names_its_source_and_one_length() {
        for clock in clocks() {
            let due = &clock.due;
            let lengths = [
                due.hours,
                due.days,
                due.months,
                due.business_days.map(i64::from),
            ];
            assert_eq!(lengths.iter().flatten().count(), 1, "{}", clock.id);
            assert!(
                !clock.source.is_empty() && !clock.contents.is_empty(),
                "{}",
                clock.id
            );
        }
    }
}
