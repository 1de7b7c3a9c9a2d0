//! Texts of rules: case folding, wildcards and escapes, patterns.
//!
//! `*` stands for any text and `?` for one character, line breaks included. A backslash takes its special meaning from
//! `*`, `?` and `\` and stands for itself before anything else (specification, section "Escaping").

use memchr::memmem;

/// The dashes and the slash that `windash` takes for each other.
pub(crate) const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

/// Appends a text with its case folded. Rules and values are folded alike, character by character, so that a text is
/// found wherever it stands.
pub(crate) fn fold_into(text: &str, into: &mut String) {
    if text.is_ascii() {
        let start = into.len();
        into.push_str(text);
        into[start..].make_ascii_lowercase();
    } else {
        text.chars().for_each(|letter| fold_char(letter, into));
    }
}

/// Appends a character with its case folded.
pub(crate) fn fold_char(letter: char, into: &mut String) {
    match letter {
        // The long s has no lower case of its own but is an s in another form (Unicode's CaseFolding.txt).
        'ſ' => into.push('s'),
        _ if letter.is_ascii() => into.push(letter.to_ascii_lowercase()),
        _ => into.extend(letter.to_lowercase()),
    }
}

pub(crate) fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(text, &mut folded);
    folded
}

/// A piece of a text with wildcards.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Part {
    Literal(String),
    /// `?`
    One,
    /// `*`
    Many,
    /// Any of [`DASHES`].
    Dash,
}

/// Takes wildcards and escapes apart.
pub(crate) fn parts_of(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let wildcard = match letter {
            '\\' => {
                match letters.peek() {
                    Some(next @ ('*' | '?' | '\\')) => {
                        literal.push(*next);
                        letters.next();
                    }
                    _ => literal.push('\\'),
                }
                continue;
            }
            '*' => Part::Many,
            '?' => Part::One,
            other => {
                literal.push(other);
                continue;
            }
        };
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        parts.push(wildcard);
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    parts
}

/// The text without wildcards, `None` where it has some.
pub(crate) fn plain(parts: &[Part]) -> Option<&str> {
    match parts {
        [] => Some(""),
        [Part::Literal(text)] => Some(text),
        _ => None,
    }
}

/// Puts [`Part::Dash`] for every dash and slash.
pub(crate) fn with_dashes(parts: Vec<Part>) -> Vec<Part> {
    let mut changed = Vec::new();
    for part in parts {
        let Part::Literal(text) = part else {
            changed.push(part);
            continue;
        };
        for (index, piece) in text.split(DASHES).enumerate() {
            if index > 0 {
                changed.push(Part::Dash);
            }
            if !piece.is_empty() {
                changed.push(Part::Literal(piece.to_owned()));
            }
        }
    }
    changed
}

/// A pattern in its cheapest form.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Pattern {
    /// Any text at all.
    Anything,
    Exact(String),
    Starts(String),
    Ends(String),
    Contains(String),
    Parts(Vec<Part>),
}

impl Pattern {
    /// Brings parts into their cheapest form; without `cased`, their case is folded.
    pub(crate) fn of(parts: Vec<Part>, cased: bool) -> Self {
        let mut parts = parts;
        parts.dedup_by(|one, other| *one == Part::Many && *other == Part::Many);
        if !cased {
            for part in &mut parts {
                if let Part::Literal(text) = part {
                    *text = folded(text);
                }
            }
        }
        match parts.as_mut_slice() {
            [] => Self::Exact(String::new()),
            [Part::Many] => Self::Anything,
            [Part::Literal(text)] => Self::Exact(std::mem::take(text)),
            [Part::Literal(text), Part::Many] => Self::Starts(std::mem::take(text)),
            [Part::Many, Part::Literal(text)] => Self::Ends(std::mem::take(text)),
            [Part::Many, Part::Literal(text), Part::Many] => Self::Contains(std::mem::take(text)),
            _ => Self::Parts(parts),
        }
    }

    /// Whether a text in UTF-8, folded as the pattern is, fits.
    pub(crate) fn fits(&self, text: &[u8]) -> bool {
        match self {
            Self::Anything => true,
            Self::Exact(own) => own.as_bytes() == text,
            Self::Starts(own) => text.starts_with(own.as_bytes()),
            Self::Ends(own) => text.ends_with(own.as_bytes()),
            Self::Contains(own) => memmem::find(text, own.as_bytes()).is_some(),
            Self::Parts(parts) => parts_fit(parts, text),
        }
    }

    /// Whether a text fits wherever a part of it does.
    pub(crate) fn is_anywhere(&self) -> bool {
        match self {
            Self::Anything | Self::Contains(_) => true,
            Self::Exact(_) | Self::Starts(_) | Self::Ends(_) => false,
            Self::Parts(parts) => {
                matches!(parts.as_slice(), [Part::Many, .., Part::Many])
            }
        }
    }

    /// The longest literal that stands in every text that fits; empty where there is none.
    pub(crate) fn longest_literal(&self) -> &str {
        match self {
            Self::Anything => "",
            Self::Exact(own) | Self::Starts(own) | Self::Ends(own) | Self::Contains(own) => own,
            Self::Parts(parts) => parts
                .iter()
                .filter_map(|part| match part {
                    Part::Literal(text) => Some(text.as_str()),
                    _ => None,
                })
                .max_by_key(|text| text.len())
                .unwrap_or_default(),
        }
    }
}

/// Matches from left to right; where a piece does not fit, the last `*` takes one character more. An earlier `*` never
/// needs to, as what stands between the two already fits at its first place.
fn parts_fit(parts: &[Part], text: &[u8]) -> bool {
    let mut rest = text;
    let mut next = 0;
    let mut star: Option<(usize, &[u8])> = None;
    loop {
        let fitted = match parts.get(next) {
            None if rest.is_empty() => return true,
            None => None,
            Some(Part::Many) => {
                next += 1;
                if next == parts.len() {
                    return true;
                }
                // Without this jump a long text would be tried character by character.
                if let Part::Literal(literal) = &parts[next] {
                    match memmem::find(rest, literal.as_bytes()) {
                        Some(at) => rest = &rest[at..],
                        None => return false,
                    }
                }
                star = Some((next, rest));
                continue;
            }
            Some(Part::Literal(literal)) => rest.strip_prefix(literal.as_bytes()),
            Some(Part::One) => without_first(rest),
            Some(Part::Dash) => without_dash(rest),
        };
        if let Some(fitted) = fitted {
            rest = fitted;
            next += 1;
            continue;
        }
        let Some((after_star, taken_from)) = star else {
            return false;
        };
        let Some(mut shorter) = without_first(taken_from) else {
            return false;
        };
        if let Part::Literal(literal) = &parts[after_star] {
            match memmem::find(shorter, literal.as_bytes()) {
                Some(at) => shorter = &shorter[at..],
                None => return false,
            }
        }
        star = Some((after_star, shorter));
        rest = shorter;
        next = after_star;
    }
}

/// Without the first character: its first byte, and the bytes that continue it.
fn without_first(text: &[u8]) -> Option<&[u8]> {
    let (_, rest) = text.split_first()?;
    let continued = rest
        .iter()
        .take_while(|byte| **byte & 0b1100_0000 == 0b1000_0000)
        .count();
    Some(&rest[continued..])
}

fn without_dash(text: &[u8]) -> Option<&[u8]> {
    DASHES.iter().find_map(|dash| {
        let mut bytes = [0; 4];
        text.strip_prefix(dash.encode_utf8(&mut bytes).as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, text: &str) -> bool {
        Pattern::of(parts_of(pattern), false).fits(folded(text).as_bytes())
    }

    #[test]
    fn escapes_follow_the_specification() {
        let literal = |text: &str| vec![Part::Literal(text.to_owned())];
        assert_eq!(parts_of(r"C:\Windows\x"), literal(r"C:\Windows\x"));
        assert_eq!(parts_of(r"a\*b"), literal("a*b"));
        assert_eq!(parts_of(r"a\?b"), literal("a?b"));
        assert_eq!(parts_of(r"a\\b"), literal(r"a\b"));
        assert_eq!(parts_of(r"a\\\\b"), literal(r"a\\b"));
        assert_eq!(parts_of(r"end\"), literal(r"end\"));
        assert_eq!(
            parts_of(r"dir\\*"),
            [Part::Literal(r"dir\".to_owned()), Part::Many]
        );
        assert_eq!(
            parts_of(r"dir\\\*"),
            literal(r"dir\*"),
            "a backslash, then an escaped star"
        );
    }

    #[test]
    fn wildcards_match_whole_values_across_lines() {
        assert!(fits("a*c", "ABBC"));
        assert!(fits("a*c", "a\nc"));
        assert!(!fits("a*c", "abcd"));
        assert!(fits("a?c", "aäc"));
        assert!(!fits("a?c", "ac"));
        assert!(fits("*a*b*c*", "xxaxxbxxcxx"));
        assert!(!fits("*a*b*c*", "xxaxxcxxbxx"));
        assert!(fits("a*a", "aaa"));
        assert!(!fits("a*a", "a"));
        assert!(fits("*?b", "aab"));
        assert!(fits("?*?", "ab"));
        assert!(!fits("?*?", "a"));
        assert!(fits("*aab", "aaaab"));
        assert!(fits("", ""));
        assert!(!fits("", "x"));
        assert!(fits("*", ""));
    }

    #[test]
    fn patterns_take_their_cheapest_form() {
        let of = |text: &str| Pattern::of(parts_of(text), false);
        assert_eq!(of("Ab"), Pattern::Exact("ab".to_owned()));
        assert_eq!(of("Ab**"), Pattern::Starts("ab".to_owned()));
        assert_eq!(of("*Ab"), Pattern::Ends("ab".to_owned()));
        assert_eq!(of("**Ab*"), Pattern::Contains("ab".to_owned()));
        assert_eq!(of("***"), Pattern::Anything);
        assert_eq!(of("a*bcd").longest_literal(), "bcd");
    }

    #[test]
    fn dashes_stand_for_each_other() {
        let pattern = Pattern::of(with_dashes(parts_of("* -enc/x*")), false);
        for text in ["p -enc/x", "p /ENC-x y", "p \u{2015}enc\u{2014}x"] {
            assert!(pattern.fits(folded(text).as_bytes()), "{text}");
        }
        assert!(!pattern.fits(b"p +enc/x"));
    }

    #[test]
    fn a_pattern_of_many_stars_ends_soon_on_a_long_text() {
        let pattern = format!("{}c", "a*".repeat(200));
        let text = "a".repeat(200_000);
        assert!(!fits(&pattern, &text));
        let single = format!("{}c", "*?a".repeat(50));
        assert!(!fits(&single, &"a".repeat(20_000)));
    }
}
