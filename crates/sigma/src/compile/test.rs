//! One comparison of one value: what a line of a detection comes to.

use super::network::Network;
use super::text::Pattern;
use crate::rule::Comparison;
use regex::Regex;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

/// What a value is compared with. `S` names another field: by its name at first, by its slot once compiled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Test<S> {
    /// A text fits a pattern; folded unless `cased`.
    Text { pattern: Pattern, cased: bool },
    /// A number, or a text that is one, compares so.
    Number(Comparison, Number),
    /// A text holds a match.
    Regex(Expression),
    /// An address lies in a network.
    Network(Network),
    /// A part of a time compares so.
    Time(TimePart, Comparison, Number),
    /// A truth value, in whatever form.
    Truth(bool),
    /// The field is absent or null.
    Null,
    /// The field is there, be it null.
    Exists,
    /// Another field of the same event compares so.
    Field {
        other: S,
        how: FieldComparison,
        cased: bool,
    },
}

impl<S> Test<S> {
    /// The same test with the other field named in another way.
    pub(crate) fn with_field<T>(&self, rename: impl FnOnce(&S) -> T) -> Test<T> {
        match self {
            Self::Text { pattern, cased } => Test::Text {
                pattern: pattern.clone(),
                cased: *cased,
            },
            Self::Number(comparison, number) => Test::Number(*comparison, *number),
            Self::Regex(expression) => Test::Regex(expression.clone()),
            Self::Network(network) => Test::Network(*network),
            Self::Time(part, comparison, number) => Test::Time(*part, *comparison, *number),
            Self::Truth(value) => Test::Truth(*value),
            Self::Null => Test::Null,
            Self::Exists => Test::Exists,
            Self::Field { other, how, cased } => Test::Field {
                other: rename(other),
                how: *how,
                cased: *cased,
            },
        }
    }
}

impl Test<u32> {
    /// Whether it is what another becomes once the field that it names has the slot `other`.
    pub(crate) fn is_same_as(&self, named: &Test<String>, other: Option<u32>) -> bool {
        match (self, named) {
            (
                Self::Text { pattern, cased },
                Test::Text {
                    pattern: same,
                    cased: as_well,
                },
            ) => cased == as_well && pattern == same,
            (Self::Number(how, number), Test::Number(same, as_well)) => {
                how == same && number == as_well
            }
            (Self::Regex(expression), Test::Regex(same)) => expression == same,
            (Self::Network(network), Test::Network(same)) => network == same,
            (Self::Time(part, how, number), Test::Time(same, way, as_well)) => {
                part == same && how == way && number == as_well
            }
            (Self::Truth(value), Test::Truth(same)) => value == same,
            (Self::Null, Test::Null) | (Self::Exists, Test::Exists) => true,
            (
                Self::Field {
                    other: slot,
                    how,
                    cased,
                },
                Test::Field {
                    how: way,
                    cased: as_well,
                    ..
                },
            ) => Some(*slot) == other && how == way && cased == as_well,
            _ => false,
        }
    }
}

/// How two fields are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FieldComparison {
    Equal,
    Starts,
    Ends,
    Contains,
}

/// A part of a time, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TimePart {
    Minute,
    Hour,
    Day,
    /// The week by ISO 8601.
    Week,
    Month,
    Year,
}

/// A number of a rule or value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    /// Wide enough for signed and unsigned numbers of 64 bits.
    Integer(i128),
    Float(f64),
}

impl Number {
    /// Reads decimal text; the whole text must be a number.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // Most texts are no numbers and are told by their first byte.
        let first = text.as_bytes().first()?;
        if !matches!(first, b'0'..=b'9' | b'-' | b'+' | b'.') {
            return None;
        }
        if let Ok(number) = text.parse::<i64>() {
            return Some(Self::Integer(number.into()));
        }
        if let Ok(number) = text.parse::<u64>() {
            return Some(Self::Integer(number.into()));
        }
        let number: f64 = text.parse().ok()?;
        number.is_finite().then_some(Self::Float(number))
    }

    /// The same for bytes, which need not be text.
    pub(crate) fn parse_bytes(bytes: &[u8]) -> Option<Self> {
        if !matches!(bytes.first()?, b'0'..=b'9' | b'-' | b'+' | b'.') {
            return None;
        }
        Self::parse(std::str::from_utf8(bytes).ok()?)
    }

    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(one), Self::Integer(other)) => Some(one.cmp(&other)),
            (one, other) => one.to_float().partial_cmp(&other.to_float()),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "only compared with another float"
    )]
    pub(crate) fn to_float(self) -> f64 {
        match self {
            Self::Integer(number) => number as f64,
            Self::Float(number) => number,
        }
    }

    /// A whole number in 64 bits, by which equal numbers are looked up.
    pub(crate) fn to_key(self) -> Option<i64> {
        match self {
            Self::Integer(number) => i64::try_from(number).ok(),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the number is whole and within the range of exact floats"
            )]
            Self::Float(number) => {
                (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
            }
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Integer(one), Self::Integer(other)) => one == other,
            (Self::Float(one), Self::Float(other)) => one.to_bits() == other.to_bits(),
            _ => false,
        }
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Integer(number) => number.hash(state),
            Self::Float(number) => number.to_bits().hash(state),
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number}"),
        }
    }
}

/// A regular expression, compiled when it is first needed; two are the same where they are written the same.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    /// Its flags included.
    pub(crate) written: String,
    /// Shared by all copies.
    pub(crate) compiled: Arc<OnceLock<Regex>>,
    /// Folded literals of which one stands in every text that matches; empty where none is known.
    pub(crate) literals: Vec<String>,
}

impl Expression {
    /// Whether a text holds a match.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| {
            super::expressions::build(&self.written)
                .expect("its syntax was read and its size estimated when the rule was compiled")
        });
        compiled.is_match(text)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Expression {}

impl Hash for Expression {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.written.hash(state);
    }
}
