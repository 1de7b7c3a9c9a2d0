//! The seam to the Sigma engine: rules in, "does it match" out. Only `rsigma` below knows which engine it is.
//!
//! The specification: <https://github.com/SigmaHQ/sigma-specification>, version 2.1.0.

mod literals;
mod rsigma;

pub(crate) use literals::{Need, Words};
pub(crate) use rsigma::read_rules;

use crate::logsources::LogSourceEntry;
use model::Value;
use pack::RuleMeaning;
use regex::Regex;
use std::collections::BTreeSet;

/// What a rule looks values up in.
pub(crate) trait Fields {
    /// The value of a field by the rule's name for it.
    fn get(&self, name: &str) -> Option<Value<'_>>;

    /// Calls `visit` for the text of every value.
    fn each_text(&self, visit: &mut dyn FnMut(&str));
}

/// A rule that can be run.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) level: String,
    pub(crate) techniques: Vec<String>,
    pub(crate) author: String,
    pub(crate) reference: String,
    /// One sentence on what a match shows, where the rule carries no `allclear` block.
    pub(crate) description: String,
    pub(crate) meaning: Option<RuleMeaning>,
    pub(crate) foothold_path: Option<FootholdPath>,
    pub(crate) log_source: LogSource,
    detection: rsigma::Detection,
}

/// A part of a rule that must hold wherever the rule matches.
#[derive(Debug)]
pub(crate) struct Conjunct {
    /// The fields that it looks at; `None` where it may look at any.
    pub(crate) fields: Option<BTreeSet<String>>,
    detection: rsigma::Detection,
}

impl Conjunct {
    /// Whether the part holds for these values.
    pub(crate) fn matches(&self, fields: &dyn Fields) -> bool {
        self.detection.matches(fields)
    }

    /// Words of which one must stand in whatever meets the part; see [`Need`].
    pub(crate) fn needs(&self, words: &Words<'_>) -> Need {
        self.detection.needs(words)
    }
}

/// What a rule demands of its source.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogSource {
    pub(crate) product: Option<String>,
    pub(crate) category: Option<String>,
    pub(crate) service: Option<String>,
}

/// The field that names a foothold's path, and the part of it that is the path.
#[derive(Debug)]
pub(crate) struct FootholdPath {
    pub(crate) field: String,
    pub(crate) pattern: Option<Regex>,
}

/// A rule of a file that cannot be run.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Id or title, empty where neither can be read.
    pub(crate) rule: String,
    pub(crate) why: String,
}

impl Rule {
    /// Whether the rule matches these values.
    pub(crate) fn matches(&self, fields: &dyn Fields) -> bool {
        self.detection.matches(fields)
    }

    /// Conditions that all hold wherever the rule matches.
    pub(crate) fn conjuncts(&self) -> Vec<Conjunct> {
        self.detection.conjuncts()
    }

    /// Words of which one must stand in whatever the rule matches; see [`Need`].
    pub(crate) fn needs(&self, words: &Words<'_>) -> Need {
        self.detection.needs(words)
    }
}

impl LogSource {
    /// Whether a source with this entry is what the rule asks for.
    pub(crate) fn is_met_by(&self, entry: &LogSourceEntry) -> bool {
        let meets = |asked: &Option<String>, offered: &Option<String>| {
            asked
                .as_ref()
                .is_none_or(|asked| Some(asked.to_lowercase()) == *offered)
        };
        meets(&self.product, &entry.product)
            && meets(&self.category, &entry.category)
            && meets(&self.service, &entry.service)
    }
}

impl std::fmt::Display for LogSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            ("product", &self.product),
            ("category", &self.category),
            ("service", &self.service),
        ];
        let named = parts
            .iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)));
        f.write_str(&named.collect::<Vec<_>>().join(", "))
    }
}

impl FootholdPath {
    /// Reads `field` or `field =~ pattern`.
    fn parse(written: &str) -> Result<Self, String> {
        let (field, pattern) = match written.split_once("=~") {
            None => (written, None),
            Some((field, pattern)) => {
                let pattern = Regex::new(pattern.trim()).map_err(|error| {
                    format!("has a pattern in `{written}` that cannot be read: {error}")
                })?;
                if pattern.captures_len() < 2 {
                    return Err(format!(
                        "has no group in `{written}` that would be the path"
                    ));
                }
                (field, Some(pattern))
            }
        };
        Ok(Self {
            field: field.trim().to_owned(),
            pattern,
        })
    }

    /// The path in the value of the field; one through the administrative share of a drive becomes local.
    pub(crate) fn of(&self, value: &str) -> Option<String> {
        let found = match &self.pattern {
            None => value,
            Some(pattern) => pattern.captures(value)?.get(1)?.as_str(),
        };
        (!found.is_empty()).then(|| local_path(found))
    }
}

/// `\\host\C$\folder` is `C:\folder` on its host; other paths stay.
fn local_path(path: &str) -> String {
    let on_host = path
        .strip_prefix("\\\\")
        .and_then(|rest| rest.split_once('\\'))
        .and_then(|(_, share)| share.split_once("$\\"));
    match on_host {
        Some((drive, below)) if drive.len() == 1 => {
            format!("{}:\\{below}", drive.to_ascii_uppercase())
        }
        _ => model::windows_path(path),
    }
}
