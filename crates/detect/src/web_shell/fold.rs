//! Works out strings that a script puts together or decodes only to hide them.

#![expect(
    clippy::match_same_arms,
    reason = "in a table each family of names has its own line"
)]

use std::borrow::Cow;
use std::io::Read;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Longer than any name or small script worth hiding; stops strings that grow by themselves.
pub(super) const TEXT_BYTES_MAX: usize = 1 << 20;

/// A constant that an argument has.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Constant<'a> {
    Text(Cow<'a, str>),
    Number(i64),
    /// The elements of a list, all of them constant text.
    List(Vec<String>),
    Unknown,
}

impl Constant<'_> {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

/// What a call yields.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Folded {
    Text(String),
    Number(i64),
    List(Vec<String>),
}

/// The value of a call whose arguments are constant, if it is one of the functions that hide text.
///
/// `receiver` is what the method is called on; `name` is in lower case.
pub(super) fn call(
    name: &str,
    receiver: &Constant<'_>,
    arguments: &[Constant<'_>],
) -> Option<Folded> {
    let folded = characters(name, arguments)
        .or_else(|| of_list(name, receiver, arguments))
        .or_else(|| of_text(name, receiver, arguments))?;
    match &folded {
        Folded::Text(text) if text.len() > TEXT_BYTES_MAX => None,
        _ => Some(folded),
    }
}

/// `Chr(101)`, `String.fromCharCode(101, 118)`, `ord("e")`
fn characters(name: &str, arguments: &[Constant<'_>]) -> Option<Folded> {
    match name {
        "chr" | "chrw" | "chrb" | "fromcharcode" | "convertfromutf32" | "tochar" => {
            let codes = arguments
                .iter()
                .map(|argument| argument.number().and_then(character));
            let text = codes.collect::<Option<String>>()?;
            (!text.is_empty()).then_some(Folded::Text(text))
        }
        "ord" | "asc" | "ascw" => {
            let first = arguments.first()?.text()?.chars().next()?;
            Some(Folded::Number(i64::from(u32::from(first))))
        }
        _ => None,
    }
}

fn character(code: i64) -> Option<char> {
    // PHP takes the code modulo 256, the others do not go below zero.
    let code = if code < 0 { code.rem_euclid(256) } else { code };
    char::from_u32(u32::try_from(code).ok()?)
}

fn of_list(name: &str, receiver: &Constant<'_>, arguments: &[Constant<'_>]) -> Option<Folded> {
    match (name, receiver, arguments) {
        ("join", Constant::List(list), []) => Some(Folded::Text(list.join(","))),
        ("join", Constant::List(list), [separator]) => {
            Some(Folded::Text(list.join(separator.text()?)))
        }
        ("join", Constant::List(list), [separator, ..]) => {
            Some(Folded::Text(list.join(separator.text()?)))
        }
        ("implode" | "join", _, [Constant::List(list)]) => {
            // VBScript joins with a blank, PHP with nothing.
            Some(Folded::Text(list.join(if name == "join" {
                " "
            } else {
                ""
            })))
        }
        (
            "implode" | "join",
            _,
            [separator, Constant::List(list), ..] | [Constant::List(list), separator, ..],
        ) => Some(Folded::Text(list.join(separator.text()?))),
        ("concat", _, [Constant::List(list)]) => Some(Folded::Text(list.concat())),
        ("reverse" | "array_reverse", Constant::List(list), _)
        | ("reverse" | "array_reverse", _, [Constant::List(list), ..]) => {
            Some(Folded::List(list.iter().rev().cloned().collect()))
        }
        ("getstring" | "tostring", _, [Constant::List(list), ..]) => {
            // Bytes given as numbers.
            let codes = list
                .iter()
                .map(|item| item.parse::<i64>().ok().and_then(character));
            Some(Folded::Text(codes.collect::<Option<String>>()?))
        }
        _ => None,
    }
}

fn of_text(name: &str, receiver: &Constant<'_>, arguments: &[Constant<'_>]) -> Option<Folded> {
    let first = arguments.first();
    // Methods work on what they are called on, functions on their first argument.
    let (subject, rest) = match receiver.text() {
        Some(text) => (text, arguments),
        None => (first?.text()?, arguments.get(1..).unwrap_or(&[])),
    };
    let text = |text: String| Some(Folded::Text(text));
    match name {
        "base64_decode" | "frombase64string" | "atob" | "decodebase64" | "parsebase64binary"
        | "decodebuffer" | "b64decode" => text(text_of(base64(first?.text()?)?)),
        "decode" if rest.is_empty() => text(text_of(base64(first?.text()?)?)),
        "str_rot13" => text(subject.chars().map(rotate13).collect()),
        "strrev" | "strreverse" => text(subject.chars().rev().collect()),
        "hex2bin" | "fromhexstring" => text(text_of(hexadecimal(subject)?)),
        "pack" => match (subject.chars().next()?, rest.first()) {
            ('H', Some(digits)) => text(text_of(hexadecimal(digits.text()?)?)),
            _ => None,
        },
        "urldecode" | "rawurldecode" | "unescape" | "decodeuri" | "decodeuricomponent" => {
            text(percent(first?.text()?))
        }
        "gzinflate" => text(text_of(inflate(flate2::read::DeflateDecoder::new(
            bytes_of(subject)?.as_slice(),
        ))?)),
        "gzuncompress" => text(text_of(inflate(flate2::read::ZlibDecoder::new(
            bytes_of(subject)?.as_slice(),
        ))?)),
        "gzdecode" => text(text_of(inflate(flate2::read::GzDecoder::new(
            bytes_of(subject)?.as_slice(),
        ))?)),
        "tolower" | "lcase" | "strtolower" | "tolowercase" | "tolowerinvariant" => {
            text(subject.to_lowercase())
        }
        "toupper" | "ucase" | "strtoupper" | "touppercase" | "toupperinvariant" => {
            text(subject.to_uppercase())
        }
        "trim" | "ltrim" | "rtrim" | "trimend" | "trimstart" => match rest.first() {
            None => text(subject.trim().to_owned()),
            Some(characters) => {
                let characters: Vec<char> = characters.text()?.chars().collect();
                text(subject.trim_matches(characters.as_slice()).to_owned())
            }
        },
        "strtr" => {
            let (from, to) = (rest.first()?.text()?, rest.get(1)?.text()?);
            let pairs: Vec<(char, char)> = from.chars().zip(to.chars()).take(256).collect();
            let other = |character| {
                pairs
                    .iter()
                    .rev()
                    .find(|(from, _)| *from == character)
                    .map_or(character, |(_, to)| *to)
            };
            text(subject.chars().map(other).collect())
        }
        "substr_replace" => {
            let (with, from) = (
                rest.first()?.text()?,
                usize::try_from(rest.get(1)?.number()?).ok()?,
            );
            let kept: String = subject.chars().take(from).collect();
            rest.get(2)
                .is_none()
                .then(|| Folded::Text(format!("{kept}{with}")))
        }
        "ucfirst" | "ucwords" | "lcfirst" | "strip_tags" | "stripslashes" | "nl2br"
        | "addslashes" => text(subject.to_owned()),
        "getstring" | "getbytes" | "tostring" | "tochararray" | "strval" | "cstr" | "string"
        | "valueof" | "intern" | "print" | "copy" => text(subject.to_owned()),
        "str_replace" | "str_ireplace" => {
            let (with, subject) = (rest.first()?.text()?, rest.get(1)?.text()?);
            let wanted = first?.text()?;
            (!wanted.is_empty()).then(|| Folded::Text(bounded_replace(subject, wanted, with)))
        }
        "replace" | "replaceall" => {
            let wanted = rest.first()?.text()?;
            let with = rest.get(1).map_or(Some(""), Constant::text)?;
            (!wanted.is_empty()).then(|| Folded::Text(bounded_replace(subject, wanted, with)))
        }
        "substr" | "slice" => part(subject, rest.first()?.number()?, Extent::of(rest.get(1))),
        "substring" => part(subject, rest.first()?.number()?, Extent::of(rest.get(1))),
        "mid" => part(
            subject,
            rest.first()?.number()? - 1,
            Extent::of(rest.get(1)),
        ),
        "left" => part(subject, 0, Extent::of(rest.first())),
        "charat" => part(subject, rest.first()?.number()?, Extent::Characters(1)),
        "charcodeat" => {
            let at = usize::try_from(rest.first()?.number()?).ok()?;
            Some(Folded::Number(i64::from(u32::from(
                subject.chars().nth(at)?,
            ))))
        }
        "concat" => {
            let parts = rest
                .iter()
                .map(Constant::text)
                .collect::<Option<Vec<_>>>()?;
            text(format!("{subject}{}", parts.concat()))
        }
        "split" | "explode" => {
            let (subject, separator) = match name {
                "explode" => (rest.first()?.text()?, subject),
                _ => (subject, rest.first()?.text()?),
            };
            Some(Folded::List(split(subject, separator)))
        }
        "str_split" => Some(Folded::List(split(subject, ""))),
        "sprintf" => {
            let mut filled = subject.to_owned();
            for argument in rest {
                let (place, value) = match argument {
                    Constant::Text(value) => ("%s", value.to_string()),
                    Constant::Number(code) => ("%c", character(*code)?.to_string()),
                    _ => return None,
                };
                filled = filled.replacen(place, &value, 1);
            }
            text(filled)
        }
        "format" => {
            // `String.Format("{0}{1}", a, b)`: the pattern is the first argument, whatever it is called on.
            let pattern = first?.text()?;
            let mut filled = pattern.to_owned();
            for (index, argument) in arguments.iter().skip(1).enumerate().take(32) {
                filled = bounded_replace(&filled, &format!("{{{index}}}"), argument.text()?);
            }
            text(filled)
        }
        _ => None,
    }
}

fn bounded_replace(subject: &str, wanted: &str, with: &str) -> String {
    let grows = with.len().saturating_sub(wanted.len());
    let times = subject.matches(wanted).count();
    if grows.saturating_mul(times).saturating_add(subject.len()) > TEXT_BYTES_MAX {
        return String::new();
    }
    subject.replace(wanted, with)
}

fn split(subject: &str, separator: &str) -> Vec<String> {
    const PARTS_MAX: usize = 65_536;
    if separator.is_empty() {
        return subject.chars().take(PARTS_MAX).map(String::from).collect();
    }
    subject
        .split(separator)
        .take(PARTS_MAX)
        .map(str::to_owned)
        .collect()
}

/// How much of a text is taken.
#[derive(Clone, Copy)]
enum Extent {
    ToTheEnd,
    Characters(i64),
    Unknown,
}

impl Extent {
    fn of(argument: Option<&Constant<'_>>) -> Self {
        match argument.map(Constant::number) {
            None => Self::ToTheEnd,
            Some(Some(length)) => Self::Characters(length),
            Some(None) => Self::Unknown,
        }
    }
}

fn part(subject: &str, from: i64, extent: Extent) -> Option<Folded> {
    let count = i64::try_from(subject.chars().count()).ok()?;
    let from = if from < 0 {
        (count + from).max(0)
    } else {
        from.min(count)
    };
    let length = match extent {
        Extent::ToTheEnd => count,
        Extent::Characters(length) => length,
        Extent::Unknown => return None,
    };
    let length = if length < 0 {
        (count - from + length).max(0)
    } else {
        length
    };
    let (from, length) = (usize::try_from(from).ok()?, usize::try_from(length).ok()?);
    Some(Folded::Text(
        subject.chars().skip(from).take(length).collect(),
    ))
}

fn rotate13(character: char) -> char {
    let rotate = |base: u8| {
        let offset = u8::try_from(u32::from(character))
            .unwrap_or(base)
            .saturating_sub(base);
        char::from(base + (offset + 13) % 26)
    };
    match character {
        'a'..='z' => rotate(b'a'),
        'A'..='Z' => rotate(b'A'),
        other => other,
    }
}

/// Base64 as lenient decoders take it: blanks are dropped, and padding may be missing.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let compact: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    if compact.is_empty() || compact.len() > 2 * TEXT_BYTES_MAX {
        return None;
    }
    GeneralPurpose::new(&alphabet::STANDARD, LENIENT)
        .decode(&compact)
        .ok()
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if digits.len() % 2 == 1 || digits.is_empty() {
        return None;
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks_exact(2).map(byte).collect()
}

fn percent(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let code = bytes
            .get(at + 1..at + 3)
            .and_then(|pair| std::str::from_utf8(pair).ok());
        match code.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(value) if *byte == b'%' => {
                decoded.push(value);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    text_of(decoded)
}

fn inflate(reader: impl Read) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    reader
        .take(TEXT_BYTES_MAX as u64)
        .read_to_end(&mut bytes)
        .ok()?;
    (!bytes.is_empty()).then_some(bytes)
}

/// Bytes as text: UTF-8 if they are that (or UTF-16 of plain letters), else each byte one character.
pub(super) fn text_of(bytes: Vec<u8>) -> String {
    let wide = bytes.len() >= 4
        && bytes.len().is_multiple_of(2)
        && bytes
            .chunks_exact(2)
            .all(|pair| pair[1] == 0 && pair[0] != 0);
    if wide {
        return bytes
            .chunks_exact(2)
            .map(|pair| char::from(pair[0]))
            .collect();
    }
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => error.into_bytes().into_iter().map(char::from).collect(),
    }
}

/// The other way round, for data that was decoded before.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    text.chars()
        .map(|character| u8::try_from(u32::from(character)).ok())
        .collect()
}

/// Both texts mixed by exclusive or, as PHP does with strings.
pub(super) fn exclusive_or(left: &str, right: &str) -> Option<String> {
    let (left, right) = (bytes_of(left)?, bytes_of(right)?);
    Some(
        left.iter()
            .zip(&right)
            .map(|(a, b)| char::from(a ^ b))
            .collect(),
    )
}

/// Every bit the other way round, as PHP's `~` does with strings.
pub(super) fn complement(text: &str) -> Option<String> {
    Some(
        bytes_of(text)?
            .into_iter()
            .map(|byte| char::from(!byte))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str, arguments: &[&str]) -> Option<String> {
        let arguments: Vec<Constant<'_>> = arguments
            .iter()
            .map(|text| Constant::Text(Cow::Borrowed(*text)))
            .collect();
        match call(name, &Constant::Unknown, &arguments)? {
            Folded::Text(text) => Some(text),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_are_put_together_again() {
        assert_eq!(text("strrev", &["lave"]).unwrap(), "eval");
        assert_eq!(text("str_rot13", &["riny"]).unwrap(), "eval");
        assert_eq!(text("hex2bin", &["6576616c"]).unwrap(), "eval");
        assert_eq!(text("pack", &["H*", "6576616c"]).unwrap(), "eval");
        assert_eq!(text("base64_decode", &["ZXZ hbA"]).unwrap(), "eval");
        assert_eq!(text("unescape", &["%65va%6C"]).unwrap(), "eval");
        assert_eq!(text("str_replace", &["#", "", "e#v#al"]).unwrap(), "eval");
        assert_eq!(text("format", &["{1}{0}", "al", "ev"]).unwrap(), "eval");
        assert_eq!(exclusive_or("!6!,", "D@@@").unwrap(), "eval");
        let codes = [101, 118].map(Constant::Number);
        assert_eq!(
            call("fromcharcode", &Constant::Unknown, &codes),
            Some(Folded::Text("ev".into()))
        );
    }

    #[test]
    fn parts_of_text_do_not_reach_beyond_it() {
        assert_eq!(
            part("eval", -2, Extent::ToTheEnd),
            Some(Folded::Text("al".into()))
        );
        assert_eq!(
            part("eval", 9, Extent::Characters(9)),
            Some(Folded::Text(String::new()))
        );
        assert_eq!(
            part("eval", 0, Extent::Characters(-3)),
            Some(Folded::Text("e".into()))
        );
    }

    #[test]
    fn text_that_would_grow_without_bound_is_dropped() {
        let long = "a".repeat(TEXT_BYTES_MAX);
        assert_eq!(text("str_replace", &["a", "bbbb", &long]).unwrap(), "");
    }
}
