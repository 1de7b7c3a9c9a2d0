//! How many records a source wrote in each minute: the rhythm that tells a time hole from a quiet night.

use crate::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub const MINUTES_PER_DAY: usize = 1440;

const SECONDS_PER_DAY: i64 = 86_400;

/// Days kept for one source. Hostile times spread over millennia must not fill the memory; ten years is more
/// than any log keeps.
const DAYS_MAX: usize = 3_660;

/// Records per minute of one source. Adding and merging give the same result in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Day since 1970-01-01 to runs of (minute of the day, records). Sorted by minute.
    days: BTreeMap<i32, BTreeMap<u16, u32>>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    records: u64,
}

impl Activity {
    /// Counts one record. Times that would open a day beyond the bound count, but keep no minute.
    pub fn add(&mut self, time: Timestamp) {
        self.records = self.records.saturating_add(1);
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
        let second = time.as_second();
        let Ok(day) = i32::try_from(second.div_euclid(SECONDS_PER_DAY)) else {
            return;
        };
        if self.days.len() >= DAYS_MAX && !self.days.contains_key(&day) {
            return;
        }
        let minute = u16::try_from(second.rem_euclid(SECONDS_PER_DAY) / 60).unwrap_or(0);
        let count = self.days.entry(day).or_default().entry(minute).or_default();
        *count = count.saturating_add(1);
    }

    /// Counts `count` records of one minute (minutes since 1970-01-01), the earliest and latest of which are at
    /// `first` and `last`: as if each were added, one after the other.
    pub fn add_minute(&mut self, minute: i64, count: u32, first: Timestamp, last: Timestamp) {
        self.records = self.records.saturating_add(u64::from(count));
        self.first = Some(self.first.map_or(first, |known| known.min(first)));
        self.last = Some(self.last.map_or(last, |known| known.max(last)));
        let Ok(day) = i32::try_from(minute.div_euclid(1440)) else {
            return;
        };
        if self.days.len() >= DAYS_MAX && !self.days.contains_key(&day) {
            return;
        }
        let minute = u16::try_from(minute.rem_euclid(1440)).unwrap_or(0);
        let known = self.days.entry(day).or_default().entry(minute).or_default();
        *known = known.saturating_add(count);
    }

    /// Adds all that `other` counted.
    pub fn merge(&mut self, other: &Self) {
        self.combine(other, u64::saturating_add, u32::saturating_add);
    }

    /// Takes over what `other` counted of the same log: where both hold a minute, the larger count stands, so that two
    /// copies of one log are not twice as busy.
    pub fn overlay(&mut self, other: &Self) {
        self.combine(other, u64::max, u32::max);
    }

    fn combine(&mut self, other: &Self, records: fn(u64, u64) -> u64, minute: fn(u32, u32) -> u32) {
        self.records = records(self.records, other.records);
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = [self.last, other.last].into_iter().flatten().max();
        for (day, minutes) in &other.days {
            if self.days.len() >= DAYS_MAX && !self.days.contains_key(day) {
                continue;
            }
            let into = self.days.entry(*day).or_default();
            for (at, count) in minutes {
                let known = into.entry(*at).or_default();
                *known = minute(*known, *count);
            }
        }
    }

    pub fn first(&self) -> Option<Timestamp> {
        self.first
    }

    pub fn last(&self) -> Option<Timestamp> {
        self.last
    }

    pub fn records(&self) -> u64 {
        self.records
    }

    /// Every minute that has records, in order, as (minutes since 1970, records).
    pub fn minutes(&self) -> impl Iterator<Item = (i64, u32)> + '_ {
        self.days.iter().flat_map(|(day, minutes)| {
            minutes
                .iter()
                .map(move |(minute, count)| (i64::from(*day) * 1440 + i64::from(*minute), *count))
        })
    }

    /// The span from the first to the last record.
    pub fn span(&self) -> Option<Span> {
        Span::new(self.first?, self.last?)
    }
}
