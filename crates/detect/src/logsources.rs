//! How sources of records answer to Sigma rules, read from `knowledge/sigma/logsources.yaml`.

use crate::DetectError;
use model::{Record, SourceName, Value};
use regex::Regex;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

const LOGSOURCES: &str = include_str!("../../../knowledge/sigma/logsources.yaml");

/// Characters of a detail that are kept; a detail is a word for the story, not the evidence.
const DETAIL_BYTES_MAX: usize = 1024;

/// All values of a record put together, at most; longer records are cut.
const ALL_VALUES_BYTES_MAX: usize = 64 * 1024;

/// The whole table.
#[derive(Debug)]
pub(crate) struct LogSources {
    pub(crate) derived_fields: BTreeSet<String>,
    pub(crate) common_words: BTreeSet<String>,
    /// Text as it stands in most logs; words are not to be found by what stands in it.
    pub(crate) common_text: String,
    pub(crate) indicator_fields: IndicatorFields,
    pub(crate) shipped_page_folders: Vec<String>,
    pub(crate) scanned_folders: Vec<String>,
    details: Vec<(String, Vec<Detail>)>,
    sources: Vec<SourceEntry>,
}

/// Fields in which indicators of each kind are looked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IndicatorFields {
    pub(crate) address: Vec<String>,
    pub(crate) user_agent: Vec<String>,
    pub(crate) url_path: Vec<String>,
    pub(crate) status: Vec<String>,
    pub(crate) method: Vec<String>,
    pub(crate) file: Vec<String>,
    pub(crate) hash: Vec<String>,
}

/// One kind of source and the Sigma log sources it answers to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceEntry {
    source: String,
    pub(crate) raw: RawForm,
    #[serde(default)]
    pub(crate) url_decoded: bool,
    /// Records tell values of earlier lines, which their own raw text lacks.
    #[serde(default)]
    pub(crate) carries_over: bool,
    pub(crate) logsources: Vec<LogSourceEntry>,
}

/// How values are written in a record's raw text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawForm {
    Line,
    Json,
}

/// One log source in Sigma's words.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogSourceEntry {
    #[serde(default)]
    pub(crate) product: Option<String>,
    #[serde(default)]
    pub(crate) category: Option<String>,
    #[serde(default)]
    pub(crate) service: Option<String>,
    /// Event ids the entry is limited to; empty: all.
    #[serde(default)]
    pub(crate) events: Vec<u64>,
    #[serde(default)]
    pub(crate) fields: BTreeMap<String, FieldSource>,
}

/// Where the value of a Sigma field comes from.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum FieldSource {
    /// The record's field of this name.
    Name(String),
    /// The first that is there.
    First(Vec<FieldSource>),
    /// All that are there, as a list.
    Any { any: Vec<FieldSource> },
    /// Path and query put together; an empty query is written `-` in some logs.
    Url { url: (String, String) },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    derived_fields: BTreeSet<String>,
    common_words: BTreeSet<String>,
    common_text: String,
    details: BTreeMap<String, Vec<WrittenDetail>>,
    indicator_fields: IndicatorFields,
    shipped_page_folders: Vec<String>,
    scanned_folders: Vec<String>,
    sources: Vec<SourceEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenDetail {
    field: String,
    #[serde(default)]
    pattern: Option<String>,
    #[serde(default)]
    unless: Option<Unless>,
}

/// Where another field has this value, the first says nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unless {
    field: String,
    value: String,
}

#[derive(Debug)]
struct Detail {
    field: String,
    pattern: Option<Regex>,
    unless: Option<Unless>,
}

impl LogSources {
    /// The table that comes with Allclear.
    pub(crate) fn builtin() -> Result<Self, DetectError> {
        let written: Written =
            serde_yaml_ng::from_str(LOGSOURCES).map_err(DetectError::Knowledge)?;
        let mut details = Vec::new();
        for (name, from) in written.details {
            let from = from.into_iter().map(Detail::compile);
            details.push((name, from.collect::<Result<_, _>>()?));
        }
        Ok(Self {
            derived_fields: written.derived_fields,
            common_words: written.common_words,
            common_text: written.common_text,
            indicator_fields: written.indicator_fields,
            shipped_page_folders: written.shipped_page_folders,
            scanned_folders: written.scanned_folders,
            details,
            sources: written.sources,
        })
    }

    /// Numbers of the entries that speak for this source, ascending.
    pub(crate) fn entries_of(&self, source: &SourceName) -> Vec<usize> {
        let fits = |entry: &SourceEntry| entry.speaks_for(source.as_str());
        (0..self.sources.len())
            .filter(|index| fits(&self.sources[*index]))
            .collect()
    }

    pub(crate) fn entry(&self, index: usize) -> &SourceEntry {
        &self.sources[index]
    }

    pub(crate) fn entries(&self) -> &[SourceEntry] {
        &self.sources
    }

    /// The fields that join findings into one story, taken from a record.
    pub(crate) fn details_of(&self, record: &dyn Record) -> BTreeMap<String, String> {
        self.details
            .iter()
            .filter_map(|(name, from)| {
                let value = from.iter().find_map(|detail| detail.of(record))?;
                Some((name.clone(), shortened(&value, DETAIL_BYTES_MAX)))
            })
            .collect()
    }
}

impl Detail {
    fn compile(written: WrittenDetail) -> Result<Self, DetectError> {
        let pattern = match written.pattern {
            Some(pattern) => Some(Regex::new(&pattern).map_err(DetectError::Pattern)?),
            None => None,
        };
        Ok(Self {
            field: written.field,
            pattern,
            unless: written.unless,
        })
    }

    fn of(&self, record: &dyn Record) -> Option<String> {
        if let Some(Unless { field, value }) = &self.unless
            && text_of(record, field).as_ref() == Some(value)
        {
            return None;
        }
        let text = text_of(record, &self.field)?;
        let found = match &self.pattern {
            None => text.trim(),
            Some(pattern) => pattern.captures(&text)?.get(1)?.as_str(),
        };
        (!found.is_empty() && found != "-").then(|| found.to_owned())
    }
}

impl SourceEntry {
    fn speaks_for(&self, source: &str) -> bool {
        match self.source.strip_suffix('*') {
            Some(beginning) => source.starts_with(beginning),
            None => source == self.source,
        }
    }
}

impl FieldSource {
    /// Every field of the record that this takes its value from.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Self::Name(name) => vec![name],
            Self::First(all) | Self::Any { any: all } => all.iter().flat_map(Self::names).collect(),
            Self::Url { url } => vec![&url.0, &url.1],
        }
    }

    /// The value in this record, `None` where none of its fields is there.
    pub(crate) fn of<'a>(&self, get: &dyn Fn(&str) -> Option<Value<'a>>) -> Option<Value<'a>> {
        match self {
            Self::Name(name) => get(name),
            Self::First(all) => all.iter().find_map(|one| one.of(get)),
            Self::Any { any } => {
                let found: Vec<_> = any.iter().filter_map(|one| one.of(get)).collect();
                (!found.is_empty()).then_some(Value::List(found))
            }
            Self::Url { url: (path, query) } => {
                let path = get(path)?;
                let query = get(query);
                let query = query.as_ref().map(Value::to_text).unwrap_or_default();
                if query.is_empty() || query == "-" {
                    return Some(path);
                }
                let query = query.trim_start_matches('?');
                Some(Value::text(format!("{}?{query}", path.to_text())))
            }
        }
    }
}

/// The text of a field. `text` stands for all values, a line each; `share_path` for the local path that a share and a
/// path below it come to.
pub(crate) fn text_of(record: &dyn Record, field: &str) -> Option<String> {
    match field {
        "text" => {
            let mut all = String::new();
            record.each_field(&mut |_, value| {
                if all.len() < ALL_VALUES_BYTES_MAX {
                    all.push_str(&value.to_text());
                    all.push('\n');
                }
            });
            Some(all)
        }
        "share_path" => {
            let share = record.get("ShareName")?;
            let below = record.get("RelativeTargetName")?;
            let below = below.to_text();
            let name = share.to_text();
            let name = name.rsplit('\\').next().unwrap_or_default();
            match name.as_bytes() {
                [drive, b'$'] if drive.is_ascii_alphabetic() => {
                    let drive = char::from(drive.to_ascii_uppercase());
                    Some(format!("{drive}:\\{}", below.trim_start_matches('\\')))
                }
                _ => Some(below.into_owned()),
            }
        }
        _ => Some(record.get(field)?.to_text().into_owned()),
    }
}

/// The text, cut at a character's border to at most `bytes_max` bytes.
pub(crate) fn shortened(text: &str, bytes_max: usize) -> String {
    text[..text.floor_char_boundary(bytes_max)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_and_finds_its_sources() {
        let table = LogSources::builtin().unwrap();
        for name in [
            "exchange.httpproxy:ecp",
            "iis.site:2",
            "windows.eventlog:security",
        ] {
            assert!(
                !table.entries_of(&SourceName::new(name)).is_empty(),
                "{name}"
            );
        }
        let other = table.entries_of(&SourceName::new("windows.eventlog:some/channel"));
        assert_eq!(other.len(), 1, "other channels answer to the product alone");
        assert!(table.entries_of(&SourceName::new("files:web")).is_empty());
    }
}
