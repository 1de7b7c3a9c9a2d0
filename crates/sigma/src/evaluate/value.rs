//! What the engine asks of an event: values of fields.

use std::borrow::Cow;
use std::fmt;

/// A field's name, interned by the engine; a caller binds its columns or template slots to these once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldId(pub(crate) u32);

impl FieldId {
    /// Its place in [`Engine::fields`](crate::Engine::fields).
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A value of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A text as little-endian UTF-16, as binary event logs hold it. It is read without being copied; unpaired
    /// surrogates count as U+FFFD and an odd byte at the end is ignored.
    Utf16(&'a [u8]),
    /// A number.
    Integer(i64),
    /// A number.
    Unsigned(u64),
    /// A number.
    Float(f64),
    /// A truth value.
    Truth(bool),
    /// The field is there and empty by its format's own sign.
    Null,
    /// Several values under one name; a test holds where it holds for one of them.
    List(Vec<Value<'a>>),
}

impl<'a> Value<'a> {
    /// A text.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// The value as text; lists are joined by `, `.
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Utf16(bytes) => Cow::Owned(utf16_letters(bytes).collect()),
            Self::Integer(number) => Cow::Owned(number.to_string()),
            Self::Unsigned(number) => Cow::Owned(number.to_string()),
            Self::Float(number) => Cow::Owned(number.to_string()),
            Self::Truth(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
            Self::Null => Cow::Borrowed(""),
            Self::List(values) => {
                let texts: Vec<_> = values.iter().map(Value::to_text).collect();
                Cow::Owned(texts.join(", "))
            }
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// Characters of little-endian UTF-16.
pub(crate) fn utf16_letters(bytes: &[u8]) -> impl Iterator<Item = char> {
    let units = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
}

/// An event, as far as rules look at it. Names are compared without spaces: the field `Threat Name` is `ThreatName`.
pub trait Fields {
    /// The value of a field; `None` where the event has no such field.
    fn value(&self, field: FieldId) -> Option<Value<'_>>;

    /// Calls `visit` for every value of the event; keywords are looked for in these.
    fn each(&self, visit: &mut dyn FnMut(&Value<'_>));
}

impl<F: Fields + ?Sized> Fields for &F {
    fn value(&self, field: FieldId) -> Option<Value<'_>> {
        (**self).value(field)
    }

    fn each(&self, visit: &mut dyn FnMut(&Value<'_>)) {
        (**self).each(visit);
    }
}
