//! Values of fields as text with a letter for what they were, and back.
//!
//! The letters: `t` text, `i` signed and `u` unsigned number, `f` floating number, `b` boolean, `n` null, `l` a list. A list is
//! a JSON array; where it holds anything but text, the letters of what it holds follow in brackets: `l(tu)`.

use model::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt::Write;

/// Lists within lists that are kept as such; readers make none at all. What lies deeper becomes text.
const DEPTH_MAX: usize = 4;

/// Appends the value's text and its letter. `false` where a list lay too deep and became text.
pub(super) fn write_value(value: &Value<'_>, text: &mut String, letters: &mut String) -> bool {
    letters.push(letter(value));
    match value {
        Value::List(values) => write_list(values, 1, text, letters),
        other => {
            other.write_text(text);
            true
        }
    }
}

fn letter(value: &Value<'_>) -> char {
    match value {
        Value::Text(_) => 't',
        Value::Integer(_) => 'i',
        Value::Unsigned(_) => 'u',
        Value::Float(_) => 'f',
        Value::Boolean(_) => 'b',
        Value::Null => 'n',
        Value::List(_) => 'l',
    }
}

fn write_list(values: &[Value<'_>], depth: usize, text: &mut String, letters: &mut String) -> bool {
    let mut whole = true;
    let only_text = values.iter().all(|value| matches!(value, Value::Text(_)));
    text.push('[');
    if !only_text {
        letters.push('(');
    }
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        if depth >= DEPTH_MAX && matches!(value, Value::List(_)) {
            whole = false;
            letters.push('t');
            write_json_text(&value.to_text(), text);
            continue;
        }
        if !only_text {
            letters.push(letter(value));
        }
        match value {
            Value::Null => text.push_str("null"),
            Value::Boolean(_) | Value::Integer(_) | Value::Unsigned(_) => value.write_text(text),
            Value::Float(number) if number.is_finite() => value.write_text(text),
            Value::Float(_) | Value::Text(_) => write_json_text(&value.to_text(), text),
            Value::List(values) => whole &= write_list(values, depth + 1, text, letters),
        }
    }
    if !only_text {
        letters.push(')');
    }
    text.push(']');
    whole
}

fn write_json_text(from: &str, text: &mut String) {
    // Writing to a string does not fail.
    let _infallible = write!(text, "{}", serde_json::Value::from(from));
}

/// The letters of each field, from those of a record: `tl(tu)t` is `t`, `l(tu)`, `t`.
pub(super) fn split_letters(letters: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let mut rest = letters;
    while !rest.is_empty() {
        let end = first_end(rest);
        let (first, others) = rest.split_at(end);
        all.push(first);
        rest = others;
    }
    all
}

/// Bytes of the first field's letters; the whole where brackets are not closed.
fn first_end(letters: &str) -> usize {
    let mut depth = 0_usize;
    let mut symbols = letters.char_indices().peekable();
    while let Some((_, symbol)) = symbols.next() {
        match symbol {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match symbols.peek() {
            Some((_, '(')) => {}
            Some((next, _)) if depth == 0 => return *next,
            _ => {}
        }
    }
    letters.len()
}

/// The value that was written as this text and these letters. What cannot be understood so is text.
pub(super) fn value_of<'a>(text: Option<&'a str>, letters: &str) -> Value<'a> {
    let Some(text) = text else {
        return Value::Null;
    };
    parsed(text, letters, 0).unwrap_or(Value::Text(Cow::Borrowed(text)))
}

fn parsed<'a>(text: &'a str, letters: &str, depth: usize) -> Option<Value<'a>> {
    Some(match letters.as_bytes().first()? {
        b'i' => Value::Integer(text.parse().ok()?),
        b'u' => Value::Unsigned(text.parse().ok()?),
        b'f' => Value::Float(text.parse().ok()?),
        b'b' => Value::Boolean(text.parse().ok()?),
        b'n' => Value::Null,
        b'l' if depth < DEPTH_MAX => list(text, letters.get(1..)?, depth + 1)?,
        _ => Value::Text(Cow::Borrowed(text)),
    })
}

fn list<'a>(text: &'a str, letters: &str, depth: usize) -> Option<Value<'a>> {
    let elements: Vec<&'a RawValue> = serde_json::from_str(text).ok()?;
    let inner = letters
        .strip_prefix('(')
        .and_then(|inner| inner.strip_suffix(')'));
    let kinds = match inner {
        Some(inner) => split_letters(inner),
        None => vec!["t"; elements.len()],
    };
    if kinds.len() != elements.len() {
        return None;
    }
    let values = elements.iter().zip(kinds).map(|(element, kind)| {
        let json = element.get();
        if json.starts_with('"') {
            let text: String = serde_json::from_str(json).ok()?;
            let value = match kind {
                "f" => Value::Float(text.parse().ok()?),
                _ => Value::text(text),
            };
            return Some(value);
        }
        parsed(json, kind, depth)
    });
    Some(Value::List(values.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Value<'static>> {
        let leaf = prop_oneof![
            ".{0,12}".prop_map(Value::text),
            any::<i64>().prop_map(Value::Integer),
            any::<u64>().prop_map(Value::Unsigned),
            prop_oneof![
                any::<f64>().prop_filter("a number", |number| !number.is_nan()),
                Just(f64::INFINITY),
                Just(-0.0)
            ]
            .prop_map(Value::Float),
            any::<bool>().prop_map(Value::Boolean),
            Just(Value::Null),
        ];
        leaf.prop_recursive(3, 24, 5, |inner| {
            prop::collection::vec(inner, 0..5).prop_map(Value::List)
        })
    }

    proptest! {
        #[test]
        fn values_come_back_as_they_were(values in prop::collection::vec(values(), 0..6)) {
            let mut letters = String::new();
            let mut texts = Vec::new();
            for value in &values {
                let mut text = String::new();
                prop_assert!(write_value(value, &mut text, &mut letters));
                texts.push(text);
            }
            let kinds = split_letters(&letters);
            prop_assert_eq!(kinds.len(), values.len());
            for ((value, text), kind) in values.iter().zip(&texts).zip(kinds) {
                prop_assert_eq!(&value_of(Some(text), kind), value);
            }
        }

        #[test]
        fn damaged_letters_give_some_value(text in ".{0,20}", letters in "[tiufbnl()]{0,8}") {
            for kind in split_letters(&letters) {
                value_of(Some(&text), kind);
            }
        }
    }

    #[test]
    fn lists_that_lie_too_deep_become_text() {
        let mut value = Value::List(vec![Value::text("x")]);
        for _ in 0..6 {
            value = Value::List(vec![value]);
        }
        let (mut text, mut letters) = (String::new(), String::new());
        assert!(!write_value(&value, &mut text, &mut letters));
        assert_eq!((&*text, &*letters), (r#"[[[["x"]]]]"#, "l(l(l(l(t))))"));
    }
}
