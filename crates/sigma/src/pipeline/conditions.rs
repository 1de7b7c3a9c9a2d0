//! When a transformation applies: to which rules, lines of detections, and fields.

use crate::rule::{Detection, Header, Item, Literal, LogSource};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};

/// Conditions joined by `and` or `or`, perhaps turned round.
#[derive(Clone, Debug)]
pub(super) struct Joined<C> {
    pub(super) conditions: Vec<C>,
    pub(super) all: bool,
    pub(super) not: bool,
}

impl<C> Joined<C> {
    /// Without conditions it always holds.
    pub(super) fn holds(&self, mut each: impl FnMut(&C) -> bool) -> bool {
        if self.conditions.is_empty() {
            return true;
        }
        let joined = if self.all {
            self.conditions.iter().all(&mut each)
        } else {
            self.conditions.iter().any(&mut each)
        };
        joined != self.not
    }
}

/// What has happened to a rule so far.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) applied: BTreeSet<String>,
    pub(super) state: BTreeMap<String, String>,
}

/// A condition on a rule.
#[derive(Clone, Debug)]
pub(super) enum RuleCondition {
    LogSource(LogSource),
    ContainsItem { field: String, value: Literal },
    ContainsField(String),
    Applied(String),
    State { key: String, value: String },
    IsRule,
    IsCorrelation,
    Attribute { name: String, value: String },
    Tag(String),
}

/// A condition on a line of a detection.
#[derive(Clone, Debug)]
pub(super) enum ItemCondition {
    /// Any or all values match.
    Matches {
        pattern: Regex,
        all: bool,
    },
    IsNull {
        all: bool,
    },
    State {
        key: String,
        value: String,
    },
}

/// A condition on a field's name.
#[derive(Clone, Debug)]
pub(super) enum FieldCondition {
    Include(Vec<String>),
    Exclude(Vec<String>),
    IncludePattern(Vec<Regex>),
    ExcludePattern(Vec<Regex>),
    State { key: String, value: String },
}

impl RuleCondition {
    pub(super) fn holds(
        &self,
        header: &Header,
        log_source: &LogSource,
        detections: &[(String, Detection)],
        progress: &Progress,
    ) -> bool {
        match self {
            Self::LogSource(asked) => asked.is_met_by(log_source),
            Self::ContainsItem { field, value } => any_item(detections, &|item| {
                item.field.as_ref() == Some(field) && item.values.contains(value)
            }),
            Self::ContainsField(field) => {
                any_item(detections, &|item| item.field.as_ref() == Some(field))
            }
            Self::Applied(id) => progress.applied.contains(id),
            Self::State { key, value } => progress.state.get(key) == Some(value),
            Self::IsRule => true,
            Self::IsCorrelation => false,
            Self::Attribute { name, value } => attribute(header, name).as_ref() == Some(value),
            Self::Tag(tag) => header.tags.contains(tag),
        }
    }
}

fn attribute(header: &Header, name: &str) -> Option<String> {
    match name {
        "id" => header.id.clone(),
        "name" => header.name.clone(),
        "title" => Some(header.title.clone()),
        "status" => header.status.clone(),
        "level" => header.level.map(|level| level.as_str().to_owned()),
        "author" => header.author.clone(),
        "date" => header.date.clone(),
        "modified" => header.modified.clone(),
        "description" => header.description.clone(),
        custom => header
            .custom
            .iter()
            .find(|(key, _)| key == custom)
            .and_then(|(_, node)| node.to_text()),
    }
}

fn any_item(detections: &[(String, Detection)], fits: &dyn Fn(&Item) -> bool) -> bool {
    fn within(detection: &Detection, fits: &dyn Fn(&Item) -> bool) -> bool {
        match detection {
            Detection::All(parts) | Detection::Any(parts) => {
                parts.iter().any(|part| within(part, fits))
            }
            Detection::Item(item) => fits(item),
        }
    }
    detections
        .iter()
        .any(|(_, detection)| within(detection, fits))
}

impl ItemCondition {
    pub(super) fn holds(&self, item: &Item, progress: &Progress) -> bool {
        let each = |all: bool, fits: &dyn Fn(&Literal) -> bool| {
            if all {
                item.values.iter().all(fits)
            } else {
                item.values.iter().any(fits)
            }
        };
        match self {
            Self::Matches { pattern, all } => {
                each(*all, &|value| pattern.is_match(&value.to_string()))
            }
            Self::IsNull { all } => each(*all, &|value| *value == Literal::Null),
            Self::State { key, value } => progress.state.get(key) == Some(value),
        }
    }
}

impl FieldCondition {
    pub(super) fn holds(&self, field: Option<&str>, progress: &Progress) -> bool {
        let among =
            |names: &[String]| field.is_some_and(|field| names.iter().any(|name| name == field));
        let matches = |patterns: &[Regex]| {
            field.is_some_and(|field| patterns.iter().any(|pattern| pattern.is_match(field)))
        };
        match self {
            Self::Include(names) => among(names),
            Self::Exclude(names) => !among(names),
            Self::IncludePattern(patterns) => matches(patterns),
            Self::ExcludePattern(patterns) => !matches(patterns),
            Self::State { key, value } => progress.state.get(key) == Some(value),
        }
    }
}
