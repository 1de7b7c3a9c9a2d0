//! How detection looks at records, read from `knowledge/detection/records.yaml`.

use crate::DetectError;
use model::{Record, SourceName};
use regex::Regex;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

const RECORDS: &str = include_str!("../../../knowledge/detection/records.yaml");

/// Characters of a detail that are kept; a detail is a word for the story, not the evidence.
const DETAIL_BYTES_MAX: usize = 1024;

/// All values of a record put together, at most; longer records are cut.
const ALL_VALUES_BYTES_MAX: usize = 64 * 1024;

/// The whole table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) derived_fields: BTreeSet<String>,
    pub(crate) common_words: BTreeSet<String>,
    /// Text as it stands in most logs; words are not to be found by what stands in it.
    pub(crate) common_text: String,
    pub(crate) indicator_fields: IndicatorFields,
    pub(crate) shipped_page_folders: Vec<String>,
    pub(crate) scanned_folders: Vec<String>,
    details: Vec<(String, Vec<Detail>)>,
    records: Vec<(String, RecordForm)>,
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

/// How values are written in the records of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "questions that have nothing to do with each other"
)]
pub(crate) struct RecordForm {
    /// The raw text is a line of the log; else values are looked at one by one.
    pub(crate) lines: bool,
    /// Values may be written with percent signs.
    pub(crate) url_decoded: bool,
    /// Apostrophes stand in the line as they stand in the value.
    pub(crate) apostrophes: bool,
    /// Records tell values of earlier lines, which their own raw text lacks.
    pub(crate) carries_over: bool,
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
    records: Vec<WrittenForm>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "questions that have nothing to do with each other"
)]
struct WrittenForm {
    source: String,
    #[serde(default)]
    lines: bool,
    #[serde(default)]
    url_decoded: bool,
    #[serde(default)]
    apostrophes: bool,
    #[serde(default)]
    carries_over: bool,
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

impl Table {
    /// The table that comes with Allclear.
    pub(crate) fn builtin() -> Result<Self, DetectError> {
        let written: Written = serde_yaml_ng::from_str(RECORDS).map_err(DetectError::Knowledge)?;
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
            records: written.records.into_iter().map(WrittenForm::read).collect(),
        })
    }

    /// How the records of a source are written.
    pub(crate) fn form_of(&self, source: &SourceName) -> RecordForm {
        let fits = |pattern: &str| match pattern.strip_suffix('*') {
            Some(beginning) => source.as_str().starts_with(beginning),
            None => source.as_str() == pattern,
        };
        let mut forms = self.records.iter();
        let known = forms.find(|(pattern, _)| fits(pattern));
        known.map(|(_, form)| *form).unwrap_or_default()
    }

    /// Whether any reader gives records of a source that this pattern describes.
    pub(crate) fn has_source(&self, pattern: &str) -> bool {
        let asked = pattern.trim_end_matches('*');
        self.records.iter().any(|(given, _)| {
            let given = given.trim_end_matches('*');
            asked.starts_with(given) || given.starts_with(asked)
        })
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

impl WrittenForm {
    fn read(self) -> (String, RecordForm) {
        let form = RecordForm {
            lines: self.lines,
            url_decoded: self.url_decoded,
            apostrophes: self.apostrophes,
            carries_over: self.carries_over,
        };
        (self.source, form)
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
    fn the_table_is_read_and_tells_how_records_are_written() {
        let table = Table::builtin().unwrap();
        let form = |name: &str| table.form_of(&SourceName::new(name));
        assert!(form("exchange.httpproxy:ecp").url_decoded);
        assert!(form("exchange.oab_generator").lines);
        assert!(form("iis.site:1").apostrophes && !form("exchange.ecp_server").apostrophes);
        assert!(form("prior.msert").carries_over);
        assert_eq!(form("windows.eventlog:security"), RecordForm::default());
        assert_eq!(form("files:web"), RecordForm::default());
        assert!(table.has_source("iis.site:*") && table.has_source("exchange.ews"));
        assert!(!table.has_source("linux.auditd"));
    }
}
