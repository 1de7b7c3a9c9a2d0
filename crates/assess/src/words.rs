//! Wording shared by reasons and next steps.

use model::{Span, Timestamp};

/// Places that a reason names at most; the findings hold the rest.
pub(crate) const PLACES_MAX: usize = 5;

/// `2021-03-03 06:49Z`: to the minute, in UTC.
pub(crate) fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%MZ").to_string()
}

/// `2021-03-03`.
pub(crate) fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

/// `2021-03-03 06:49Z to 2021-03-05 10:00Z`.
pub(crate) fn span(span: &Span) -> String {
    format!("{} to {}", minute(span.from), minute(span.until))
}

/// `1 day`, `4 days`, `3 hours`, `10 minutes`: the largest unit that fits, rounded down.
pub(crate) fn duration(seconds: i64) -> String {
    let (number, unit) = match seconds.max(0) {
        s if s >= 86_400 => (s / 86_400, "day"),
        s if s >= 3_600 => (s / 3_600, "hour"),
        s => (s / 60, "minute"),
    };
    counted(usize::try_from(number).unwrap_or(0), unit)
}

/// `1 row`, `3 rows`.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
