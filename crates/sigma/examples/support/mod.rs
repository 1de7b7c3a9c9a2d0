//! What the examples share: rules out of an archive, events out of event logs.

#![expect(clippy::disallowed_methods, reason = "an example reads its own input")]

use serde_json::Value as Json;
use sigma::{Engine, FieldId, Fields, SourceKey, Value};
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Texts of every rule below a folder or in a `.tar.gz`, in the order of their names.
pub fn rule_texts(path: &Path, keep: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    if path.is_dir() {
        for file in files_below(path, "yml") {
            let text = std::fs::read_to_string(&file).expect("a readable rule");
            found.push((file.display().to_string(), text));
        }
    } else {
        let file = std::fs::File::open(path).expect("an archive of rules");
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
        for entry in archive.entries().expect("an archive") {
            let mut entry = entry.expect("an entry");
            let name = entry.path().expect("a name").display().to_string();
            if name.ends_with(".yml") {
                let mut text = String::new();
                entry.read_to_string(&mut text).expect("a text");
                found.push((name, text));
            }
        }
    }
    found.sort();
    found.retain(|(name, text)| keep(name, text));
    found.into_iter().map(|(_, text)| text).collect()
}

/// Files of a kind below a folder, sorted.
pub fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|own| own == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The records of an event log as flat JSON objects: what stands in EventData by its own name, the rest as Sigma names it.
pub fn flat_events(path: &Path) -> Vec<serde_json::Map<String, Json>> {
    let settings = evtx::ParserSettings::default().num_threads(1);
    let Ok(parser) = evtx::EvtxParser::from_path(path) else {
        return Vec::new();
    };
    let mut parser = parser.with_configuration(settings);
    let mut events = Vec::new();
    for record in parser.records_json_value().flatten() {
        let mut flat = serde_json::Map::new();
        let Some(Json::Object(event)) = record.data.get("Event").cloned() else {
            continue;
        };
        for (section, content) in event {
            if let Json::Object(content) = content {
                flatten(&section, content, &mut flat);
            }
        }
        events.push(flat);
    }
    events
}

fn flatten(
    section: &str,
    content: serde_json::Map<String, Json>,
    flat: &mut serde_json::Map<String, Json>,
) {
    for (name, value) in content {
        let name = name.replace(' ', "");
        match value {
            Json::Object(inner) if inner.contains_key("#text") => {
                flat.insert(name, inner["#text"].clone());
            }
            Json::Object(inner) => match inner.get("#attributes") {
                Some(Json::Object(attributes)) if section == "System" => {
                    for (attribute, value) in attributes {
                        flat.insert(format!("{name}_{attribute}"), value.clone());
                    }
                }
                _ => flatten(&name, inner, flat),
            },
            value => {
                flat.insert(name, value);
            }
        }
    }
}

/// The key of an event's source.
pub fn key_of(event: &serde_json::Map<String, Json>) -> SourceKey {
    let text = |name: &str| match event.get(name) {
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    SourceKey::new()
        .with("channel", text("Channel"))
        .with("event_id", text("EventID"))
        .with("provider", text("Provider_Name"))
}

/// An event bound to an engine as a reader of binary logs would: a table for each template, texts in UTF-16.
#[allow(dead_code, reason = "not every example uses it")]
pub struct Bound {
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
pub struct Shapes(HashMap<Vec<String>, Arc<Vec<u16>>>);

#[allow(dead_code, reason = "not every example uses it")]
impl Shapes {
    pub fn bind(&mut self, engine: &Engine, event: &serde_json::Map<String, Json>) -> Bound {
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
