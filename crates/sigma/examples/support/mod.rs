//! What the examples share: rules out of an archive, events out of event logs.

#![expect(clippy::disallowed_methods, reason = "an example reads its own input")]

use serde_json::Value as Json;
use sigma::SourceKey;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Texts of every rule below a folder or in a `.tar.gz`, in the order of their names.
pub(crate) fn rule_texts(path: &Path, keep: impl Fn(&str, &str) -> bool) -> Vec<String> {
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
            if Path::new(&name).extension().is_some_and(|own| own == "yml") {
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
pub(crate) fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
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

/// The records of an event log as flat JSON objects: what stands in `EventData` by its own name, the rest as Sigma names it.
pub(crate) fn flat_events(path: &Path) -> Vec<serde_json::Map<String, Json>> {
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
pub(crate) fn key_of(event: &serde_json::Map<String, Json>) -> SourceKey {
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
