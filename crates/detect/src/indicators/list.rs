//! Lists of indicators as a draft of a pack takes them over.

use super::read::{About, Read, YaraPart, read};
use std::collections::BTreeSet;

/// What one list holds, in the forms of a pack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndicatorList {
    /// Empty where the list names none.
    pub title: String,
    /// Who published it; empty where the list does not say.
    pub publisher: String,
    /// Web addresses that the list refers to.
    pub references: Vec<String>,
    /// CVE ids.
    pub vulnerabilities: BTreeSet<String>,
    pub indicators: Vec<ListedIndicator>,
    pub rules: Vec<ListedRule>,
    /// What is not used, and why.
    pub refused: Vec<(String, String)>,
}

/// An indicator of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedIndicator {
    /// As in a pack's `indicators.csv`.
    pub r#type: &'static str,
    pub value: String,
    /// Empty where the list says nothing about it.
    pub meaning: String,
    pub confidence: u8,
    /// A day, or empty.
    pub first_seen: String,
}

/// YARA rules of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRule {
    pub text: String,
    /// Pattern of the paths that they are for; `None` for all.
    pub files: Option<String>,
}

impl IndicatorList {
    /// Reads a list: STIX 2.1, MISP, CHIRP, CSV or plain. `path` names it, and its ending may tell the form.
    pub fn read(path: &str, bytes: &[u8]) -> Self {
        let Read {
            indicators,
            yara,
            mut refused,
            about,
        } = read(path, bytes);
        let About {
            title,
            publisher,
            references,
            vulnerabilities,
            unused,
        } = about;
        refused.extend(unused.into_iter().map(|(kind, count)| {
            let why = format!("is not used in a draft ({count} of them)");
            (kind, why)
        }));
        let indicators = indicators.into_iter().map(|indicator| ListedIndicator {
            r#type: indicator.kind.name(),
            value: indicator.value,
            meaning: indicator.meaning,
            confidence: indicator.confidence,
            first_seen: indicator.first_seen.unwrap_or_default().into(),
        });
        let rules = yara
            .into_iter()
            .map(|YaraPart { text, files, .. }| ListedRule { text, files });
        Self {
            title,
            publisher,
            references: references.into_iter().collect(),
            vulnerabilities,
            indicators: indicators.collect(),
            rules: rules.collect(),
            refused,
        }
    }
}
