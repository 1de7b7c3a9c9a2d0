//! Times in whole milliseconds, and the many ways in which logs write them.
//!
//! Own arithmetic because a server's evidence holds hundreds of thousands of times; the civil calendar algorithm is
//! Howard Hinnant's `civil_from_days` (<https://howardhinnant.github.io/date_algorithms.html>).

use jiff::Timestamp;
use std::fmt;

pub(crate) const SECOND: i64 = 1_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Milliseconds from 1601-01-01, where Windows file times begin, to 1970-01-01.
const FILETIME_EPOCH_MS: i64 = 11_644_473_600_000;

/// Milliseconds since 1970-01-01, UTC. Displays as `2021-03-03T06:49:42.162Z`, the way Exchange's logs do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) i64);

/// A moment by the calendar, UTC.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) millisecond: i64,
}

impl Moment {
    pub(crate) fn after(self, milliseconds: i64) -> Self {
        Self(self.0 + milliseconds)
    }

    pub(crate) fn hour_start(self) -> Self {
        Self(self.0.div_euclid(HOUR) * HOUR)
    }

    pub(crate) fn day_start(self) -> Self {
        Self(self.0.div_euclid(DAY) * DAY)
    }

    /// 0 is Monday.
    pub(crate) fn weekday(self) -> i64 {
        (self.0.div_euclid(DAY) + 3).rem_euclid(7)
    }

    pub(crate) fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).expect("a simulated time lies within the calendar")
    }

    /// Hundreds of nanoseconds since 1601, as Windows stores times.
    pub(crate) fn filetime(self) -> u64 {
        u64::try_from((self.0 + FILETIME_EPOCH_MS) * 10_000)
            .expect("a simulated time is after 1601")
    }

    pub(crate) fn civil(self) -> Civil {
        let days = self.0.div_euclid(DAY);
        let rest = self.0.rem_euclid(DAY);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        Civil {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            hour: rest / HOUR,
            minute: rest % HOUR / MINUTE,
            second: rest % MINUTE / SECOND,
            millisecond: rest % SECOND,
        }
    }

    /// `20210303`, as in the names of daily logs.
    pub(crate) fn compact_day(self) -> String {
        let at = self.civil();
        format!("{:04}{:02}{:02}", at.year, at.month, at.day)
    }

    /// `2021030306`, as in the names of hourly logs.
    pub(crate) fn compact_hour(self) -> String {
        format!("{}{:02}", self.compact_day(), self.civil().hour)
    }

    /// `2021-03-03 06:49:42`, as W3C logs write it.
    pub(crate) fn w3c(self) -> String {
        let at = self.civil();
        format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            at.year, at.month, at.day, at.hour, at.minute, at.second
        )
    }
}

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        Self(time.as_millisecond())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.civil();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            at.year, at.month, at.day, at.hour, at.minute, at.second, at.millisecond
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_agrees_with_the_library() {
        for days in (-200_000..200_000_i64).step_by(97) {
            let moment = Moment(days * DAY + 12_345_678);
            assert_eq!(
                moment.to_string(),
                format!("{:.3}", moment.timestamp()),
                "day {days}"
            );
        }
    }

    #[test]
    fn times_are_written_as_each_log_writes_them() {
        let moment = Moment::from("2021-03-03T06:49:42.162Z".parse::<Timestamp>().unwrap());
        assert_eq!(moment.compact_hour(), "2021030306");
        assert_eq!(moment.w3c(), "2021-03-03 06:49:42");
        assert_eq!(moment.weekday(), 2);
        assert_eq!(Moment(0).filetime(), 116_444_736_000_000_000);
    }
}
