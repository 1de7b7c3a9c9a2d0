//! The lazy view of one record: readers offer it, detection looks fields up in it.

use crate::{At, Layout, SourceName, Timestamp};
use std::borrow::Cow;

/// One record of an artifact, decoded no further than somebody asks.
///
/// Field names are the source's own (`cs-uri-stem`, `AnchorMailbox`, `EventID`, `CommandLine`); readers may offer
/// normalised names beside them. Look-ups do not fold case: names are given as the source writes them.
pub trait Record {
    /// Which source this record belongs to.
    fn source(&self) -> &SourceName;

    /// When it happened, in UTC; `None` where the record does not say.
    fn time(&self) -> Option<Timestamp>;

    /// Where it stands in its item.
    fn at(&self) -> At;

    /// The value of a field; `None` where the record has no such field.
    fn get(&self, field: &str) -> Option<Value<'_>>;

    /// Calls `visit` for every field, in the record's own order.
    fn each_field(&self, visit: &mut dyn FnMut(&str, Value<'_>));

    /// Calls `visit` for every value, under whatever names it is found.
    fn each_value(&self, visit: &mut dyn FnMut(Value<'_>)) {
        self.each_field(&mut |_, value| visit(value));
    }

    /// The record as its log holds it (a line; JSON for binary logs).
    fn raw(&self) -> Cow<'_, str>;

    /// The names that this record shares with all of its shape; `None` where its reader keeps none, and names must be
    /// asked for one by one. Who binds its own fields to a layout once can read records by [`value`](Self::value)
    /// without comparing names.
    ///
    /// Where there is a layout, `get(name)` is `value(index)` for the index that [`Layout::index_of`] gives, and `None`
    /// for a name that it does not know.
    fn layout(&self) -> Option<&Layout> {
        None
    }

    /// The value of the field at `index` of the [`layout`](Self::layout); `None` where this record has no such field.
    fn value(&self, _index: usize) -> Option<Value<'_>> {
        None
    }
}

/// The value of one field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    Text(Cow<'a, str>),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Boolean(bool),
    /// The field is there and empty by its format's own sign (`null`).
    Null,
    /// Several values under one name.
    List(Vec<Value<'a>>),
}

impl<'a> Value<'a> {
    /// A text value.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// The value as text: numbers in decimal, lists joined by `, `, null empty.
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Integer(number) => Cow::Owned(number.to_string()),
            Self::Unsigned(number) => Cow::Owned(number.to_string()),
            Self::Float(number) => Cow::Owned(number.to_string()),
            Self::Boolean(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
            Self::Null => Cow::Borrowed(""),
            Self::List(values) => Cow::Owned(
                values
                    .iter()
                    .map(|value| value.to_text().into_owned())
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
        }
    }

    /// Appends the value as [`to_text`](Self::to_text) gives it.
    pub fn write_text(&self, into: &mut String) {
        use std::fmt::Write;
        // Writing to a string does not fail.
        let _infallible = match self {
            Self::Text(text) => into.write_str(text),
            Self::Integer(number) => write!(into, "{number}"),
            Self::Unsigned(number) => write!(into, "{number}"),
            other => into.write_str(&other.to_text()),
        };
    }

    /// The value as an unsigned number, from a number or from decimal text.
    pub fn to_unsigned(&self) -> Option<u64> {
        match self {
            Self::Unsigned(number) => Some(*number),
            Self::Integer(number) => u64::try_from(*number).ok(),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}
