//! Events bound to an engine the way a reader of binary logs binds them.

use serde_json::Value as Json;
use sigma::{Engine, FieldId, Fields, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// An event bound to an engine as a reader of binary logs would: a table for each template, texts in UTF-16.
pub(crate) struct Bound {
    shape: Arc<Vec<u16>>,
    values: Vec<Held>,
}

enum Held {
    Text(Vec<u8>),
    Number(i64),
    Float(f64),
    Truth(bool),
    Null,
    List(Vec<String>),
}

/// Tables by the names of an event's fields.
#[derive(Default)]
pub(crate) struct Shapes(HashMap<Vec<String>, Arc<Vec<u16>>>);

impl Shapes {
    pub(crate) fn bind(&mut self, engine: &Engine, event: &serde_json::Map<String, Json>) -> Bound {
        let names: Vec<String> = event.keys().cloned().collect();
        let shape = self.0.entry(names).or_insert_with_key(|names| {
            let mut table = vec![u16::MAX; engine.fields().len()];
            for (place, name) in names.iter().enumerate() {
                if let Some(field) = engine.field(name) {
                    table[field.index()] = u16::try_from(place).expect("few fields");
                }
            }
            Arc::new(table)
        });
        Bound {
            shape: Arc::clone(shape),
            values: event.values().map(held).collect(),
        }
    }
}

fn held(value: &Json) -> Held {
    match value {
        Json::Null => Held::Null,
        Json::Bool(value) => Held::Truth(*value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Held::Number(number),
            None => Held::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Held::Text(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        Json::Array(values) => Held::List(
            values
                .iter()
                .map(|value| match value {
                    Json::String(text) => text.clone(),
                    other => other.to_string(),
                })
                .collect(),
        ),
        Json::Object(_) => Held::Text(
            value
                .to_string()
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect(),
        ),
    }
}

impl Held {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Text(bytes) => Value::Utf16(bytes),
            Self::Number(number) => Value::Integer(*number),
            Self::Float(number) => Value::Float(*number),
            Self::Truth(value) => Value::Truth(*value),
            Self::Null => Value::Null,
            Self::List(texts) => Value::List(
                texts
                    .iter()
                    .map(|text| Value::text(text.as_str()))
                    .collect(),
            ),
        }
    }
}

impl Fields for Bound {
    fn value(&self, field: FieldId) -> Option<Value<'_>> {
        let place = self.shape[field.index()];
        Some(self.values.get(usize::from(place))?.value())
    }

    fn each(&self, visit: &mut dyn FnMut(&Value<'_>)) {
        self.values.iter().for_each(|held| visit(&held.value()));
    }
}
