//! Words of which one must stand in every record that a rule matches; what the prefilter looks for.
//!
//! The derivation is conservative: where a part of a rule promises no word, it says so, and the rule is run on every
//! record. Values are cut at every character that a log may write in another way (spaces, quotes, backslashes, angle
//! brackets, …), so that a word stands in the raw text as it stands in the value.

use sigma::Promise;
use std::collections::BTreeSet;

/// Shorter words are in every record.
const WORD_BYTES_MIN: usize = 3;

/// A rule that would need more words is run on every record instead.
const WORDS_MAX: usize = 2_000;

/// What a rule, or a part of it, promises about the records it matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// One of these words, lower case, stands in the record.
    OneOf(BTreeSet<String>),
    /// Nothing is promised.
    Nothing,
}

/// How words are cut and chosen.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    /// The text is a line of a log, rather than a value by itself.
    pub(crate) lines: bool,
    /// Apostrophes stand in the line as they stand in the value.
    pub(crate) apostrophes: bool,
    pub(crate) common: &'a BTreeSet<String>,
    /// Fields whose value need not stand in the text, as readers work it out.
    pub(crate) derived: &'a BTreeSet<String>,
    /// Whether records tell values that their own text lacks.
    pub(crate) carries_over: bool,
}

impl Need {
    fn word(word: String) -> Self {
        Self::OneOf(BTreeSet::from([word]))
    }

    /// What a part of a rule promises.
    pub(crate) fn of(promise: &Promise<'_>, words: &Words<'_>) -> Self {
        match promise {
            Promise::Nothing => Self::Nothing,
            Promise::Pieces { fields, pieces } => {
                let elsewhere = match fields.as_slice() {
                    [] => words.carries_over,
                    fields => fields.iter().any(|field| words.derived.contains(*field)),
                };
                if elsewhere {
                    return Self::Nothing;
                }
                words.of_text(pieces.iter().copied())
            }
            Promise::Any(parts) => Self::any(parts.iter().map(|part| Self::of(part, words))),
            Promise::All(parts) => Self::all(parts.iter().map(|part| Self::of(part, words)), words),
        }
    }

    /// Either part may be what matches.
    fn any(parts: impl Iterator<Item = Self>) -> Self {
        let mut all = BTreeSet::new();
        let mut empty = true;
        for part in parts {
            empty = false;
            match part {
                Self::OneOf(words) => all.extend(words),
                Self::Nothing => return Self::Nothing,
            }
        }
        if empty || all.len() > WORDS_MAX {
            return Self::Nothing;
        }
        Self::OneOf(all)
    }

    /// All parts match, so the rarest of their promises will do.
    fn all(parts: impl Iterator<Item = Self>, words: &Words<'_>) -> Self {
        parts
            .max_by_key(|part| part.rarity(words))
            .unwrap_or(Self::Nothing)
    }

    /// Length of the shortest word that is promised; 0 where none is.
    pub(crate) fn shortest(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::OneOf(all) => all.iter().map(String::len).min().unwrap_or(0),
        }
    }

    /// How rarely the promised words stand in a record that the rule leaves alone; the commonest one counts.
    pub(crate) fn rarity(&self, words: &Words<'_>) -> usize {
        match self {
            Self::Nothing => 0,
            Self::OneOf(all) => all.iter().map(|word| words.rarity(word)).min().unwrap_or(0),
        }
    }
}

impl Words<'_> {
    fn rarity(&self, word: &str) -> usize {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        if self.common.contains(bare) {
            1
        } else {
            word.len()
        }
    }

    /// The rarest word that stands wherever all of these pieces of text stand.
    pub(crate) fn of_text<'t>(&self, pieces: impl Iterator<Item = &'t str>) -> Need {
        let words = pieces.flat_map(|piece| piece.split(|c| !self.is_written_as_is(c)));
        words
            .filter(|word| word.len() >= WORD_BYTES_MIN)
            .max_by_key(|word| self.rarity(&word.to_ascii_lowercase()))
            .map_or(Need::Nothing, |word| Need::word(word.to_ascii_lowercase()))
    }

    /// Whether every log writes this character as it is. JSON may write `/` as `\/`, XML and some JSON writers have
    /// escapes for most signs, and dashes are exchanged by a modifier of Sigma. Lines of text hold all signs but few:
    /// quotes may be doubled, single ones too in some logs; blanks may be plus signs, and a question mark may be put
    /// between path and query.
    fn is_written_as_is(&self, c: char) -> bool {
        c.is_ascii_alphanumeric()
            || matches!(c, '_' | '.' | ':' | '~' | '@')
            || (self.lines
                && c.is_ascii_punctuation()
                && match c {
                    '"' | '+' | '?' | '-' => false,
                    '\'' => self.apostrophes,
                    _ => true,
                })
    }
}
