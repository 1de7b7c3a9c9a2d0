//! What is known of one value while a program is followed.

use std::borrow::Cow;
use std::rc::Rc;

use crate::web_shell::fold::{self, Constant, Folded};
use crate::web_shell::program::FunctionId;

/// Longer dotted names belong to no library.
pub(super) const SHAPE_BYTES_MAX: usize = 160;

/// Marks taint that is there only because a parameter has it: what such a function returns depends on each call.
pub(super) const BY_PARAMETER: u32 = 1 << 31;

#[derive(Clone, Debug, Default)]
pub(super) struct Value {
    /// The number of the origin, perhaps with `BY_PARAMETER`.
    pub(super) taint: Option<u32>,
    pub(super) text: Option<Rc<str>>,
    pub(super) number: Option<i64>,
    /// What the value is: a dotted name of the library, or a type.
    pub(super) shape: Option<Rc<str>>,
    pub(super) items: Option<Rc<Vec<Value>>>,
    /// How text that is only partly known ends.
    pub(super) ending: Option<Rc<str>>,
    pub(super) function: Option<FunctionId>,
    /// It came out of a decoder.
    pub(super) decoded: bool,
}

impl Value {
    pub(super) fn of_shape(shape: &str) -> Self {
        Self {
            shape: Some(Rc::from(shape)),
            ..Self::default()
        }
    }

    pub(super) fn shape(&self) -> &str {
        self.shape.as_deref().unwrap_or_default()
    }

    pub(super) fn ends(&self) -> Option<&str> {
        self.text.as_deref().or(self.ending.as_deref())
    }

    /// Only what the client could have put there.
    pub(super) fn tainted_like(&self) -> Self {
        Self {
            taint: self.taint,
            ..Self::default()
        }
    }

    pub(super) fn constant(&self) -> Constant<'_> {
        if let Some(text) = &self.text {
            return Constant::Text(Cow::Borrowed(text));
        }
        if let Some(number) = self.number {
            return Constant::Number(number);
        }
        let Some(items) = &self.items else {
            return Constant::Unknown;
        };
        let texts = items.iter().map(|item| match (&item.text, item.number) {
            (Some(text), _) => Some(text.to_string()),
            (None, Some(number)) => Some(number.to_string()),
            _ => None,
        });
        texts
            .collect::<Option<Vec<String>>>()
            .map_or(Constant::Unknown, Constant::List)
    }

    pub(super) fn from_folded(folded: Folded) -> Self {
        match folded {
            Folded::Text(text) => Self {
                text: Some(Rc::from(text)),
                ..Self::default()
            },
            Folded::Number(number) => Self {
                number: Some(number),
                ..Self::default()
            },
            Folded::List(list) => {
                let items = list.into_iter().map(|text| Self {
                    text: Some(Rc::from(text)),
                    ..Self::default()
                });
                Self {
                    items: Some(Rc::new(items.collect())),
                    ..Self::default()
                }
            }
        }
    }

    pub(super) fn text_of(value: &Self) -> Option<Rc<str>> {
        match value.constant() {
            Constant::Text(text) => Some(Rc::from(&*text)),
            Constant::List(_) => {
                match fold::call("getstring", &Constant::Unknown, &[value.constant()]) {
                    Some(Folded::Text(text)) => Some(Rc::from(text)),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

pub(super) type Key = (FunctionId, Rc<str>);

#[derive(Clone, Debug, Default)]
pub(super) struct Variable {
    pub(super) value: Value,
    /// The walk in which it was last given a value.
    pub(super) pass: usize,
}

/// Taint as it stands outside of functions, where it does not depend on a call any more.
pub(super) fn outside(taint: Option<u32>, scope: FunctionId) -> Option<u32> {
    match scope {
        0 => taint.map(|taint| taint & !BY_PARAMETER),
        _ => taint,
    }
}

/// Taint of either; that of a parameter gives way.
pub(super) fn joined(known: Option<u32>, given: Option<u32>) -> Option<u32> {
    match (known, given) {
        (Some(known), Some(given)) if known & BY_PARAMETER != 0 => Some(given),
        _ => known.or(given),
    }
}

/// Fields are told apart by their names, not by the objects that hold them.
pub(super) fn field_key(name: &str) -> Key {
    (0, Rc::from(format!(".{name}")))
}

pub(super) fn element_key(function: FunctionId, list: &str, index: &str) -> Key {
    (function, Rc::from(format!("{list}[{index}]")))
}

pub(super) fn dotted(base: &str, name: &str) -> Option<Rc<str>> {
    if base.is_empty() {
        return Some(Rc::from(name));
    }
    (base.len() + name.len() < SHAPE_BYTES_MAX).then(|| Rc::from(format!("{base}.{name}")))
}

/// `class.getmethod` becomes `class.getmethod(exec)`, so that later calls know what was looked up.
pub(super) fn called_shape(callee: &str, arguments: &[&Value]) -> Option<Rc<str>> {
    if callee.is_empty() {
        return None;
    }
    let text = arguments
        .first()
        .and_then(|value| value.text.as_deref())
        .unwrap_or_default();
    let short = text.len() <= 40 && callee.len() + text.len() < SHAPE_BYTES_MAX;
    short.then(|| Rc::from(format!("{callee}({})", text.to_lowercase())))
}

/// The last characters of a text: enough for the ending of a file name.
pub(super) fn tail(text: &str) -> String {
    const CHARACTERS: usize = 24;
    let count = text.chars().count();
    text.chars()
        .skip(count.saturating_sub(CHARACTERS))
        .collect()
}
