//! Times as text logs write them, read without allocation.

use model::Timestamp;

/// Reads `2021-03-03T06:49:42.162Z` (ISO 8601): `T` or one space between date and time, any fraction, and `Z`, an
/// offset or nothing, which means UTC as in the logs that this is for. `None` where it is anything else.
pub(crate) fn iso_time(text: &[u8]) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let date = iso_date(date)?;
    let (separator, rest) = rest.split_first()?;
    if !matches!(separator, b'T' | b't' | b' ') {
        return None;
    }
    let (clock, rest) = rest.split_at_checked(8)?;
    let seconds = clock_seconds(clock)?;
    let (nanoseconds, rest) = fraction(rest)?;
    let offset = offset_seconds(rest)?;
    timestamp(date, seconds - offset, nanoseconds)
}

/// Days since 1970-01-01 of `2021-03-03`.
pub(crate) fn iso_date(text: &[u8]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else {
        return None;
    };
    let year = i64::from(pair(y1, y2)?) * 100 + i64::from(pair(y3, y4)?);
    days(year, pair(m1, m2)?, pair(d1, d2)?)
}

/// Seconds since midnight of `06:49:42`.
pub(crate) fn clock_seconds(text: &[u8]) -> Option<i64> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = *text else {
        return None;
    };
    let (hour, minute, second) = (pair(h1, h2)?, pair(m1, m2)?, pair(s1, s2)?);
    (hour < 24 && minute < 60 && second < 60)
        .then(|| i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second))
}

/// The time `seconds` after the start of a day.
pub(crate) fn timestamp(day: i64, seconds: i64, nanoseconds: i32) -> Option<Timestamp> {
    Timestamp::new(day.checked_mul(86_400)?.checked_add(seconds)?, nanoseconds).ok()
}

/// Days since 1970-01-01 of a date of the Gregorian calendar; `None` where there is no such day.
///
/// Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
pub(crate) fn days(year: i64, month: u32, day: u32) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if day == 0 || day > length || !(0..=9999).contains(&year) {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Two decimal digits.
pub(crate) fn pair(tens: u8, ones: u8) -> Option<u32> {
    (tens.is_ascii_digit() && ones.is_ascii_digit())
        .then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
}

/// A fraction of a second in nanoseconds, and what follows it; digits beyond the ninth do not count.
fn fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let Some((b'.' | b',', digits)) = text.split_first() else {
        return Some((0, text));
    };
    let count = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if count == 0 {
        return None;
    }
    let nanoseconds = digits
        .iter()
        .take(count)
        .copied()
        .chain(std::iter::repeat(b'0'))
        .take(9)
        .fold(0_i32, |sum, digit| sum * 10 + i32::from(digit - b'0'));
    Some((nanoseconds, digits.get(count..)?))
}

/// The offset east of UTC: `Z`, nothing, `+01:00`, `-0130`.
fn offset_seconds(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text.split_first() {
        None | Some((b'Z' | b'z', [])) => return Some(0),
        Some((b'+', rest)) => (1, rest),
        Some((b'-', rest)) => (-1, rest),
        Some(_) => return None,
    };
    let (hours, minutes) = match *rest {
        [h1, h2, b':', m1, m2] | [h1, h2, m1, m2] => (pair(h1, h2)?, pair(m1, m2)?),
        _ => return None,
    };
    (hours <= 14 && minutes < 60)
        .then(|| sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60))
}

/// The numbers of a date in a culture's form at the beginning of a text, `13/03/2021` or `3.13.2021`: first, second,
/// year. `None` where it is no such date.
pub(crate) fn culture_date(text: &str) -> Option<(u32, u32, i64)> {
    let date = text.trim().split([' ', '\u{a0}', '\u{202f}', 'T']).next()?;
    let mut numbers = date.split(['/', '.', '-']);
    let (first, second, year) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let short = |number: &str| {
        ((1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| number.parse::<u32>().ok())
            .flatten()
    };
    let is_year = year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    if numbers.next().is_some() || !is_year {
        return None;
    }
    Some((short(first)?, short(second)?, year.parse().ok()?))
}

/// Seconds of the day of a clock in a culture's form: `6:49:42 PM`, `18:49`, `18.49.42`.
pub(crate) fn culture_clock(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits_end = text
        .find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.')
        .unwrap_or(text.len());
    let (digits, mark) = text.split_at(digits_end);
    let mark = mark.trim().replace('.', "").to_ascii_lowercase();
    let mut numbers = digits
        .trim_end_matches('.')
        .split([':', '.'])
        .map(str::parse::<i64>);
    let (hour, minute) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    let second = numbers.next().transpose().ok()?.unwrap_or(0);
    let hour = match (mark.as_str(), hour) {
        ("am", 12) => 0,
        ("", hour) | ("am", hour @ 1..=11) => hour,
        ("pm", 12) => 12,
        ("pm", hour @ 1..=11) => hour + 12,
        _ => return None,
    };
    ((0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second))
        .then_some(hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_jiff_reads_them() {
        for text in [
            "2021-03-03T06:49:42.162Z",
            "2020-02-29T23:59:59Z",
            "1970-01-01T00:00:00.000000001Z",
            "1899-12-31T12:00:00.5+01:00",
            "2021-03-03T06:49:42-05:30",
        ] {
            let expected: Timestamp = text.parse().unwrap();
            assert_eq!(iso_time(text.as_bytes()), Some(expected), "{text}");
        }
        let spaced = iso_time(b"2021-03-03 06:49:42").unwrap();
        assert_eq!(spaced.to_string(), "2021-03-03T06:49:42Z");
    }

    #[test]
    fn dates_and_clocks_of_cultures() {
        assert_eq!(culture_date("3/13/2021 6:49:42 PM"), Some((3, 13, 2021)));
        assert_eq!(culture_date("13.03.2021"), Some((13, 3, 2021)));
        assert_eq!(culture_date("2021-03-13"), None);
        assert_eq!(culture_date("1/2/3/2021"), None);
        assert_eq!(culture_clock("6:49:42 PM"), Some(18 * 3600 + 49 * 60 + 42));
        assert_eq!(culture_clock("12:00 a.m."), Some(0));
        assert_eq!(culture_clock("18.49"), Some(18 * 3600 + 49 * 60));
        assert_eq!(culture_clock("25:00"), None);
        assert_eq!(culture_clock("noon"), None);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2021-03-03",
            "2021-02-29T00:00:00Z",
            "2021-13-01T00:00:00Z",
            "2021-03-03T24:00:00Z",
            "2021-03-03T06:49:42.Z",
            "2021-03-03T06:49:42Zx",
            "03/03/2021 06:49:42",
        ] {
            assert_eq!(iso_time(text.as_bytes()), None, "{text}");
        }
    }
}
