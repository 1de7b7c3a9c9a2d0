//! Whether a test holds on a value.

use super::value::Value;
use crate::compile::test::{Expression, Number, Test, TimePart};
use crate::compile::text::folded;
use jiff::civil::{Date, DateTime, Time};
use memchr::memmem;
use std::borrow::Cow;

/// Whether a test of a single field holds on a value; of a list, on one of its members. What compares two fields, and
/// whether a field exists, is for the caller.
pub(crate) fn holds_on_value<S>(test: &Test<S>, value: &Value<'_>) -> bool {
    if let Value::List(values) = value {
        return values.iter().any(|one| holds_on_value(test, one));
    }
    match test {
        Test::Text { pattern, cased } => match text_of(value) {
            None => false,
            Some(text) if *cased => pattern.fits(text.as_bytes()),
            Some(text) => pattern.fits(folded(&text).as_bytes()),
        },
        Test::Number(comparison, number) => match number_of(value) {
            Some(own) => comparison.holds(own.compare(*number)),
            None => false,
        },
        Test::Regex(expression) => text_of(value).is_some_and(|text| expression.is_match(&text)),
        Test::Network(network) => text_of(value).is_some_and(|text| network.holds(&text)),
        Test::Time(part, comparison, number) => match time_part(value, *part) {
            Some(own) => comparison.holds(Number::Integer(own.into()).compare(*number)),
            None => false,
        },
        Test::Truth(wanted) => match value {
            Value::Truth(own) => own == wanted,
            Value::Text(_) | Value::Utf16(_) => text_of(value)
                .is_some_and(|text| truth_of(folded(&text).as_bytes()) == Some(*wanted)),
            _ => false,
        },
        Test::Null => matches!(value, Value::Null),
        Test::Exists => true,
        Test::Field { .. } => false,
    }
}

/// Whether a test that looks at folded text alone holds on it; `None` for a test that needs more.
pub(crate) fn holds_on_text<S>(test: &Test<S>, text: &[u8]) -> Option<bool> {
    match test {
        Test::Text {
            pattern,
            cased: false,
        } => Some(pattern.fits(text)),
        Test::Number(comparison, number) => Some(match Number::parse_bytes(text) {
            Some(own) => comparison.holds(own.compare(*number)),
            None => false,
        }),
        Test::Network(network) => {
            Some(std::str::from_utf8(text).is_ok_and(|text| network.holds(text)))
        }
        Test::Truth(wanted) => Some(truth_of(text) == Some(*wanted)),
        // One of its literals must be there, else the expression need not be run.
        Test::Regex(Expression { literals, .. })
            if !literals.is_empty()
                && !literals
                    .iter()
                    .any(|literal| memmem::find(text, literal.as_bytes()).is_some()) =>
        {
            Some(false)
        }
        _ => None,
    }
}

/// Words that stand for a truth value.
fn truth_of(folded: &[u8]) -> Option<bool> {
    match folded {
        b"true" | b"1" | b"yes" => Some(true),
        b"false" | b"0" | b"no" => Some(false),
        _ => None,
    }
}

fn text_of<'a>(value: &'a Value<'_>) -> Option<Cow<'a, str>> {
    match value {
        Value::Null | Value::List(_) => None,
        other => Some(other.to_text()),
    }
}

fn number_of(value: &Value<'_>) -> Option<Number> {
    match value {
        Value::Integer(number) => Some(Number::Integer((*number).into())),
        Value::Unsigned(number) => Some(Number::Integer((*number).into())),
        Value::Float(number) => Some(Number::Float(*number)),
        Value::Text(text) => Number::parse(text),
        Value::Utf16(_) => Number::parse(&value.to_text()),
        Value::Truth(_) | Value::Null | Value::List(_) => None,
    }
}

/// Larger numbers are milliseconds since 1970, smaller ones seconds.
const SECONDS_MAX: i64 = 1_000_000_000_000;

/// A part of a time in UTC: of a text by RFC 3339 or without a zone, a date or time of day alone, or a number of
/// seconds or milliseconds since 1970.
pub(crate) fn time_part(value: &Value<'_>, part: TimePart) -> Option<i64> {
    let number = match value {
        Value::Integer(number) => *number,
        Value::Unsigned(number) => i64::try_from(*number).ok()?,
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a cast of a float keeps to the range; the calendar refuses what is out of its own"
        )]
        Value::Float(number) => *number as i64,
        Value::Text(_) | Value::Utf16(_) => return part_of_text(value.to_text().trim(), part),
        Value::Truth(_) | Value::Null | Value::List(_) => return None,
    };
    let seconds = if number > SECONDS_MAX {
        number / 1_000
    } else {
        number
    };
    let time = jiff::Timestamp::from_second(seconds).ok()?;
    Some(part_of_time(
        time.to_zoned(jiff::tz::TimeZone::UTC).datetime(),
        part,
    ))
}

fn part_of_text(text: &str, part: TimePart) -> Option<i64> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        let time = time.to_zoned(jiff::tz::TimeZone::UTC).datetime();
        return Some(part_of_time(time, part));
    }
    // IIS writes date and time in two columns: each tells what it can.
    if text.len() <= 18
        && text.as_bytes().get(2) == Some(&b':')
        && let Ok(time) = text.parse::<Time>()
    {
        return match part {
            TimePart::Minute => Some(time.minute().into()),
            TimePart::Hour => Some(time.hour().into()),
            _ => None,
        };
    }
    if text.len() == 10
        && let Ok(date) = text.parse::<Date>()
    {
        return match part {
            TimePart::Minute | TimePart::Hour => None,
            _ => Some(part_of_time(date.to_datetime(Time::midnight()), part)),
        };
    }
    let time = text.parse::<DateTime>().ok()?;
    Some(part_of_time(time, part))
}

fn part_of_time(time: DateTime, part: TimePart) -> i64 {
    match part {
        TimePart::Minute => time.minute().into(),
        TimePart::Hour => time.hour().into(),
        TimePart::Day => time.day().into(),
        TimePart::Week => time.date().iso_week_date().week().into(),
        TimePart::Month => time.month().into(),
        TimePart::Year => time.year().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_times_are_read_in_utc() {
        let part = |text: &str, part| time_part(&Value::text(text), part);
        assert_eq!(part("2021-03-02T23:30:00+02:00", TimePart::Hour), Some(21));
        assert_eq!(part("2021-03-02 04:05:06", TimePart::Minute), Some(5));
        assert_eq!(part("2021-03-02T04:05:06.1234567Z", TimePart::Day), Some(2));
        assert_eq!(part("2021-01-03", TimePart::Week), Some(53));
        assert_eq!(part("2021-01-03", TimePart::Hour), None);
        assert_eq!(part("04:05:06", TimePart::Hour), Some(4));
        assert_eq!(part("noon", TimePart::Hour), None);
        let seconds = Value::Unsigned(1_614_643_200);
        assert_eq!(time_part(&seconds, TimePart::Year), Some(2021));
        let milliseconds = Value::Integer(1_614_643_200_000);
        assert_eq!(time_part(&milliseconds, TimePart::Month), Some(3));
        assert_eq!(
            time_part(&Value::Float(f64::NAN), TimePart::Year),
            Some(1970)
        );
        assert_eq!(time_part(&Value::Integer(i64::MIN), TimePart::Year), None);
    }
}
