//! Values of events by their type: what a slot's bytes mean.
//!
//! Types: MS-EVEN6 section 2.2.12.4. Texts are those that Windows itself shows: GUIDs in braces, times with seven
//! digits of a second, bytes in hexadecimal. Bytes that do not fit their type are shown as they are, in hexadecimal.

use super::bytes::array;
use model::{Timestamp, Value};
use std::borrow::Cow;
use std::fmt::Write;
use std::ops::RangeInclusive;

/// Types of values.
pub(super) mod kind {
    pub(crate) const NULL: u8 = 0x00;
    pub(crate) const TEXT: u8 = 0x01;
    pub(crate) const ANSI: u8 = 0x02;
    pub(crate) const INT8: u8 = 0x03;
    pub(crate) const UINT8: u8 = 0x04;
    pub(crate) const INT16: u8 = 0x05;
    pub(crate) const UINT16: u8 = 0x06;
    pub(crate) const INT32: u8 = 0x07;
    pub(crate) const UINT32: u8 = 0x08;
    pub(crate) const INT64: u8 = 0x09;
    pub(crate) const UINT64: u8 = 0x0a;
    pub(crate) const REAL32: u8 = 0x0b;
    pub(crate) const REAL64: u8 = 0x0c;
    pub(crate) const BOOL: u8 = 0x0d;
    pub(crate) const GUID: u8 = 0x0f;
    pub(crate) const SIZE: u8 = 0x10;
    pub(crate) const FILETIME: u8 = 0x11;
    pub(crate) const SYSTEMTIME: u8 = 0x12;
    pub(crate) const SID: u8 = 0x13;
    pub(crate) const HEX32: u8 = 0x14;
    pub(crate) const HEX64: u8 = 0x15;
    pub(crate) const HANDLE: u8 = 0x20;
    pub(crate) const BINXML: u8 = 0x21;
    pub(crate) const XML: u8 = 0x23;
    /// The bit that makes an array of a type.
    pub(crate) const ARRAY: u8 = 0x80;

    /// Whether the format has such a type.
    pub(crate) fn is_known(kind: u8) -> bool {
        matches!(kind, NULL..=HEX64 | HANDLE | BINXML | XML) || matches!(kind, 0x81..=0x95)
    }

    /// Bytes of a value of this type, where all have the same number.
    pub(crate) fn fixed_bytes(kind: u8) -> Option<u16> {
        Some(match kind {
            NULL => 0,
            INT8 | UINT8 => 1,
            INT16 | UINT16 => 2,
            INT32 | UINT32 | REAL32 | BOOL | HEX32 => 4,
            INT64 | UINT64 | REAL64 | FILETIME | HEX64 => 8,
            GUID | SYSTEMTIME => 16,
            _ => return None,
        })
    }
}

/// Whether a value says nothing: null, no text, no bytes, no items.
pub(super) fn is_empty(kind: u8, bytes: &[u8]) -> bool {
    match kind {
        kind::NULL => true,
        kind::TEXT | kind::XML => matches!(bytes, [] | [_] | [0, 0, ..]),
        kind::ANSI => bytes.iter().all(|byte| *byte == 0),
        _ => bytes.is_empty(),
    }
}

/// Whether a value is a number or a truth value to JSON, rather than text.
pub(super) fn is_bare(kind: u8, bytes: &[u8]) -> bool {
    matches!(kind, kind::INT8..=kind::UINT64 | kind::BOOL) && fits(kind, bytes)
}

/// The value: numbers and truth values as such, all others as text.
pub(super) fn value(kind: u8, bytes: &[u8]) -> Value<'static> {
    if let Some(bare) = bare(kind, bytes) {
        return bare;
    }
    let mut text = String::new();
    write_text(kind, bytes, &mut text);
    Value::Text(Cow::Owned(text))
}

fn bare(kind: u8, bytes: &[u8]) -> Option<Value<'static>> {
    Some(match kind {
        kind::INT8 => signed(i8::from_le_bytes(exactly(bytes)?).into()),
        kind::UINT8 => Value::Unsigned(u8::from_le_bytes(exactly(bytes)?).into()),
        kind::INT16 => signed(i16::from_le_bytes(exactly(bytes)?).into()),
        kind::UINT16 => Value::Unsigned(u16::from_le_bytes(exactly(bytes)?).into()),
        kind::INT32 => signed(i32::from_le_bytes(exactly(bytes)?).into()),
        kind::UINT32 => Value::Unsigned(u32::from_le_bytes(exactly(bytes)?).into()),
        kind::INT64 => signed(i64::from_le_bytes(exactly(bytes)?)),
        kind::UINT64 => Value::Unsigned(u64::from_le_bytes(exactly(bytes)?)),
        // Windows writes bit masks into some: they stay the numbers they are.
        kind::BOOL => match i32::from_le_bytes(exactly(bytes)?) {
            0 => Value::Boolean(false),
            1 => Value::Boolean(true),
            mask => signed(mask.into()),
        },
        _ => return None,
    })
}

/// As JSON tells numbers apart: only negative ones are signed.
fn signed(number: i64) -> Value<'static> {
    match u64::try_from(number) {
        Ok(number) => Value::Unsigned(number),
        Err(_) => Value::Integer(number),
    }
}

/// The bytes, if there are exactly so many.
fn exactly<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

fn fits(kind: u8, bytes: &[u8]) -> bool {
    kind::fixed_bytes(kind).is_none_or(|fixed| usize::from(fixed) == bytes.len())
}

/// The number in a value of a whole-number type.
pub(super) fn unsigned(kind: u8, bytes: &[u8]) -> Option<u64> {
    bare(kind, bytes)?.to_unsigned()
}

/// The moment in a value of a time type; `None` for other types and for what is no time.
pub(super) fn time(kind: u8, bytes: &[u8]) -> Option<Timestamp> {
    match kind {
        kind::FILETIME => filetime(u64::from_le_bytes(exactly(bytes)?)),
        _ => None,
    }
}

/// The moment that a FILETIME counts to, as far as [`Timestamp`] goes.
pub(super) fn filetime(ticks: u64) -> Option<Timestamp> {
    let seconds = i64::try_from(ticks / TICKS_PER_SECOND).ok()? - SECONDS_1601_TO_1970;
    let nanoseconds = i32::try_from(ticks % TICKS_PER_SECOND * 100).ok()?;
    Timestamp::new(seconds, nanoseconds).ok()
}

const TICKS_PER_SECOND: u64 = 10_000_000;
const SECONDS_1601_TO_1970: i64 = 11_644_473_600;

/// Appends the value's text.
pub(super) fn write_text(kind: u8, bytes: &[u8], text: &mut String) {
    if kind & kind::ARRAY != 0 {
        let mut first = true;
        for item in items(kind, bytes) {
            if !first {
                text.push(',');
            }
            first = false;
            write_text(kind & !kind::ARRAY, item, text);
        }
        return;
    }
    if write_typed(kind, bytes, text).is_none() {
        write_hexadecimal(bytes, text);
    }
}

/// `None` where the bytes do not fit the type.
fn write_typed(kind: u8, bytes: &[u8], text: &mut String) -> Option<()> {
    match kind {
        kind::TEXT | kind::XML => write_utf16(bytes, text),
        kind::ANSI => write_ansi(bytes, text),
        kind::REAL32 if !bytes.is_empty() => {
            write_float(f32::from_le_bytes(exactly(bytes)?), -5..=13, text);
        }
        kind::REAL64 if !bytes.is_empty() => {
            write_float(f64::from_le_bytes(exactly(bytes)?), -4..=16, text);
        }
        kind::GUID if !bytes.is_empty() => write_guid(&exactly(bytes)?, text),
        kind::FILETIME if !bytes.is_empty() => {
            write_filetime(u64::from_le_bytes(exactly(bytes)?), text);
        }
        kind::SYSTEMTIME if !bytes.is_empty() => write_systemtime(&exactly(bytes)?, text),
        kind::SID if !bytes.is_empty() => write_sid(bytes, text)?,
        kind::HEX32 | kind::HEX64 | kind::SIZE | kind::HANDLE if !bytes.is_empty() => {
            let number = match bytes.len() {
                4 => u32::from_le_bytes(exactly(bytes)?).into(),
                8 => u64::from_le_bytes(exactly(bytes)?),
                _ => return None,
            };
            let _infallible = write!(text, "{number:#x}");
        }
        _ => match bare(kind, bytes)? {
            Value::Unsigned(number) => {
                let _infallible = write!(text, "{number}");
            }
            other => text.push_str(&other.to_text()),
        },
    }
    Some(())
}

/// The items of an array, as bytes each. Texts end with a zero; of other types all items have one size.
pub(super) fn items(kind: u8, bytes: &[u8]) -> Items<'_> {
    let item = kind & !kind::ARRAY;
    Items {
        rest: bytes,
        cut: match item {
            kind::TEXT => Cut::Utf16,
            kind::ANSI => Cut::Ansi,
            kind::SID => Cut::Sid,
            _ => match kind::fixed_bytes(item) {
                Some(fixed @ 1..) if bytes.len().is_multiple_of(usize::from(fixed)) => {
                    Cut::Bytes(usize::from(fixed))
                }
                // Nobody says where an item of such an array ends.
                _ => Cut::Bytes(bytes.len()),
            },
        },
    }
}

/// See [`items`].
#[derive(Clone, Debug)]
pub(super) struct Items<'a> {
    rest: &'a [u8],
    cut: Cut,
}

#[derive(Clone, Copy, Debug)]
enum Cut {
    Utf16,
    Ansi,
    Sid,
    Bytes(usize),
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let (item, skipped) = match self.cut {
            Cut::Utf16 => {
                let units = self.rest.chunks_exact(2);
                let end = units.clone().position(|unit| unit == [0, 0]);
                (end.map_or(self.rest.len(), |units| units * 2), 2)
            }
            Cut::Ansi => {
                let end = self.rest.iter().position(|byte| *byte == 0);
                (end.unwrap_or(self.rest.len()), 1)
            }
            Cut::Sid => (
                self.rest
                    .get(1)
                    .map_or(0, |subs| 8 + 4 * usize::from(*subs)),
                0,
            ),
            Cut::Bytes(bytes) => (bytes, 0),
        };
        let item = item.clamp(usize::from(skipped == 0), self.rest.len());
        let taken = &self.rest[..item];
        self.rest = self.rest.get(item + skipped..).unwrap_or_default();
        Some(taken)
    }
}

/// Appends UTF-16 up to its first zero; what is no Unicode becomes the replacement character.
pub(super) fn write_utf16(bytes: &[u8], text: &mut String) {
    let (mut units, _odd) = bytes.as_chunks::<2>();
    text.reserve(units.len());
    // Nearly all text is ASCII: many units at a time are looked at and narrowed together.
    while !units.is_empty() {
        let (block, behind) = units.split_at(units.len().min(ASCII_BLOCK));
        if !write_ascii(block, text) {
            break;
        }
        units = behind;
    }
    let units = units
        .iter()
        .map(|unit| u16::from_le_bytes(*unit))
        .take_while(|unit| *unit != 0);
    text.extend(char::decode_utf16(units).map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER)));
}

const ASCII_BLOCK: usize = 32;

/// Appends at most [`ASCII_BLOCK`] units, if all are ASCII and none is zero.
fn write_ascii(units: &[[u8; 2]], text: &mut String) -> bool {
    let mut narrow = [0_u8; ASCII_BLOCK];
    let mut plain = true;
    for (low, [unit_low, unit_high]) in narrow.iter_mut().zip(units) {
        *low = *unit_low;
        plain &= *unit_high == 0 && unit_low.wrapping_sub(1) < 0x7f;
    }
    if plain {
        push_ascii(narrow.get(..units.len()).unwrap_or_default(), text);
    }
    plain
}

/// Appends text in the Western code page, the one that logs do not name; zeros in it are left out.
fn write_ansi(bytes: &[u8], text: &mut String) {
    let plain: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).collect();
    let (decoded, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&plain);
    text.push_str(&decoded);
}

fn write_hexadecimal(bytes: &[u8], text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    text.reserve(bytes.len() * 2);
    // Binary values can be long: their digits go into the text a block at a time.
    for block in bytes.chunks(32) {
        let mut shown = [0_u8; 64];
        for (digits, byte) in shown.as_chunks_mut::<2>().0.iter_mut().zip(block) {
            *digits = [
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 0x0f)],
            ];
        }
        push_ascii(shown.get(..block.len() * 2).unwrap_or_default(), text);
    }
}

/// The shortest digits that give the same number back, with an exponent where the point would stand outside of
/// `points`, counted from the first digit.
fn write_float(
    number: impl std::fmt::Display + std::fmt::LowerExp,
    points: RangeInclusive<i32>,
    text: &mut String,
) {
    let scientific = format!("{number:e}");
    let exponent = scientific
        .split_once('e')
        .and_then(|(digits, exponent)| Some((digits, exponent.parse::<i32>().ok()?)));
    match exponent {
        Some((digits, exponent)) if !points.contains(&(exponent + 1)) => {
            let _infallible = write!(text, "{digits}e{exponent:+}");
        }
        _ => {
            let plain = number.to_string();
            text.push_str(&plain);
            if exponent.is_some() && !plain.contains('.') {
                text.push_str(".0");
            }
        }
    }
}

/// `{00112233-4455-6677-8899-aabbccddeeff}`; the first three parts are little-endian.
fn write_guid(bytes: &[u8; 16], text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    /// Which byte is shown, and where.
    const PLACES: [(usize, usize); 16] = [
        (3, 1),
        (2, 3),
        (1, 5),
        (0, 7),
        (5, 10),
        (4, 12),
        (7, 15),
        (6, 17),
        (8, 20),
        (9, 22),
        (10, 25),
        (11, 27),
        (12, 29),
        (13, 31),
        (14, 33),
        (15, 35),
    ];
    let mut shown = *b"{00000000-0000-0000-0000-000000000000}";
    for (index, at) in PLACES {
        let byte = bytes[index];
        shown[at] = DIGITS[usize::from(byte >> 4)];
        shown[at + 1] = DIGITS[usize::from(byte & 0x0f)];
    }
    push_ascii(&shown, text);
}

/// `S-1-5-18`: revision, authority and sub-authorities.
fn write_sid(bytes: &[u8], text: &mut String) -> Option<()> {
    let [revision, count, high @ ..] = array::<8>(bytes, 0)?;
    // Some writers leave bytes behind it.
    let subs = bytes.get(8..8 + 4 * usize::from(count))?;
    let authority = high
        .iter()
        .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let _infallible = write!(text, "S-{revision}-{authority}");
    for sub in subs.as_chunks::<4>().0 {
        let _infallible = write!(text, "-{}", u32::from_le_bytes(*sub));
    }
    Some(())
}

/// Windows shows times beyond the year 9999 by their last four digits, and times beyond 63 bits as zeros.
fn write_filetime(ticks: u64, text: &mut String) {
    if i64::try_from(ticks).is_err() {
        text.push_str("0000-00-00T00:00:00.0000000Z");
        return;
    }
    let seconds = ticks / TICKS_PER_SECOND;
    let (year, month, day) = date(seconds / 86_400);
    let time = seconds % 86_400;
    write_time(
        [year, month, day, time / 3_600, time / 60 % 60, time % 60],
        ticks % TICKS_PER_SECOND,
        text,
    );
}

/// A date and a time of day with the 100 ns of its second; years keep their last four digits.
fn write_time(fields: [u64; 6], ticks: u64, text: &mut String) {
    let mut shown = *b"0000-00-00T00:00:00.0000000Z";
    let [year, month, day, hour, minute, second] = fields;
    let places = [
        (0..4, year),
        (5..7, month),
        (8..10, day),
        (11..13, hour),
        (14..16, minute),
        (17..19, second),
        (20..27, ticks),
    ];
    for (place, mut number) in places {
        for digit in shown[place].iter_mut().rev() {
            *digit += u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
        }
    }
    push_ascii(&shown, text);
}

fn push_ascii(shown: &[u8], text: &mut String) {
    text.push_str(std::str::from_utf8(shown).unwrap_or_default());
}

/// Year, month and day so many days after 1601-01-01, by the method of Howard Hinnant's "chrono-compatible low-level date
/// algorithms" (<https://howardhinnant.github.io/date_algorithms.html>): years begin in March, so that the leap day is
/// the last of its year.
fn date(days_since_1601: u64) -> (u64, u64, u64) {
    const DAYS_BEFORE_1601: u64 = 584_694;
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let days = days_since_1601 + DAYS_BEFORE_1601;
    let (era, day_of_era) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// Windows shows what is no date as the first day that it knows.
fn write_systemtime(bytes: &[u8; 16], text: &mut String) {
    let field = |index: usize| u16::from_le_bytes([bytes[2 * index], bytes[2 * index + 1]]);
    let [
        year,
        month,
        _weekday,
        day,
        hour,
        minute,
        second,
        millisecond,
    ] = std::array::from_fn(field);
    let valid = (1601..=30_827).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_of_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60
        && millisecond < 1_000;
    if !valid {
        text.push_str("1601-01-01T00:00:00.0000000Z");
        return;
    }
    write_time(
        [year, month, day, hour, minute, second].map(u64::from),
        u64::from(millisecond) * 10_000,
        text,
    );
}

fn days_of_month(year: u16, month: u16) -> u16 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
