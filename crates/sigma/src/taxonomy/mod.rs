//! Which source of events answers to which log source of Sigma, and under which names it holds the fields.
//!
//! The table is data, in a YAML form of its own (`knowledge/sigma/taxonomy.yaml` explains it). A source is told by
//! attributes of its key, such as the channel, provider and id of an event; one event may answer to several log
//! sources at once.

mod read;

use crate::rule::{LogSource, matches_stars};
use std::collections::BTreeSet;

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Taxonomy {
    /// Fields of events whose value is an attribute of their key: attribute, then field.
    pub(crate) key_fields: Vec<(String, String)>,
    pub(crate) mappings: Vec<Mapping>,
    pub(crate) bindings: Vec<Binding>,
}

/// A log source offered by a source of events.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    /// What the source is called in messages.
    pub(crate) source: String,
    pub(crate) offered: LogSource,
    /// Whether it offers whatever is asked for.
    pub(crate) offers_all: bool,
    pub(crate) when: Vec<Demand>,
    /// Which of [`Taxonomy::mappings`].
    pub(crate) mapping: usize,
}

/// An attribute of a key that must have one of these values.
#[derive(Clone, Debug)]
pub(crate) struct Demand {
    pub(crate) attribute: String,
    /// In lower case, with `*` for any letters.
    pub(crate) values: Vec<String>,
}

/// Names of fields in one source.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mapping {
    /// Sigma's name, then where its value comes from; fields that are not listed have Sigma's name.
    pub(crate) fields: Vec<(String, FieldSource)>,
    /// Fields of the source, where they are all known.
    pub(crate) only: Option<BTreeSet<String>>,
    /// Sigma's names of fields that the source does not have.
    pub(crate) lacks: BTreeSet<String>,
}

/// Where the value of a field comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FieldSource {
    Field(String),
    /// The first that the event has.
    First(Vec<FieldSource>),
    /// All that the event has, as a list.
    Any(Vec<FieldSource>),
    /// A path and its query.
    Url(Box<FieldSource>, Box<FieldSource>),
    /// Texts put together with another between them.
    Join(Vec<FieldSource>, String),
    /// A number written as `0x1a4`.
    Hex(Box<FieldSource>),
    /// A path that begins with the device of a volume, as if that were drive C.
    Drive(Box<FieldSource>),
    /// Some values have another word in Sigma.
    Words(Box<FieldSource>, Vec<(String, String)>),
}

/// What is known of a source of events before looking at an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceKey {
    attributes: Vec<(String, String)>,
}

impl SourceKey {
    /// A key without attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The key with one attribute more: `channel`, `event_id`, `provider`, `source`, or whatever the taxonomy names.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "numbers and texts are given as they are"
    )]
    pub fn with(mut self, attribute: &str, value: impl ToString) -> Self {
        self.attributes.retain(|(known, _)| known != attribute);
        self.attributes
            .push((attribute.to_owned(), value.to_string()));
        self.attributes.sort();
        self
    }

    /// The value of an attribute.
    pub fn get(&self, attribute: &str) -> Option<&str> {
        let mut all = self.attributes.iter();
        all.find(|(known, _)| known == attribute)
            .map(|(_, value)| value.as_str())
    }
}

impl Taxonomy {
    /// One source that offers every log source under Sigma's own names, for whatever key. Rules then see every event.
    pub fn everything() -> Self {
        Self {
            key_fields: Vec::new(),
            mappings: vec![Mapping::default()],
            bindings: vec![Binding {
                source: "any source".to_owned(),
                offered: LogSource::default(),
                offers_all: true,
                when: Vec::new(),
                mapping: 0,
            }],
        }
    }

    /// Reads the table from its YAML form; the error names the place.
    pub fn parse(text: &str) -> Result<Self, crate::Problem> {
        read::read(text)
    }

    /// Leaves out sources that no event will come from: those that demand a value of an attribute of which `comes` says
    /// that it never does. Rules that only these could answer become undetectable. Values may hold `*`.
    #[must_use]
    pub fn where_comes(mut self, comes: impl Fn(&str, &str) -> bool) -> Self {
        self.bindings.retain(|binding| {
            binding.when.iter().all(|demand| {
                let mut values = demand.values.iter();
                values.any(|value| comes(&demand.attribute, value))
            })
        });
        self
    }
}

impl Binding {
    pub(crate) fn answers(&self, asked: &LogSource) -> bool {
        self.offers_all || asked.is_met_by(&self.offered)
    }

    /// Whether events of this key come from the source.
    pub(crate) fn covers(&self, key: &SourceKey) -> bool {
        self.when.iter().all(|demand| {
            let Some(value) = key.get(&demand.attribute) else {
                return false;
            };
            let value = value.to_lowercase();
            demand
                .values
                .iter()
                .any(|pattern| matches_stars(pattern, &value))
        })
    }
}

impl Mapping {
    /// Where a field's value comes from; `None` where the source does not have it.
    pub(crate) fn source_of(&self, field: &str) -> Option<FieldSource> {
        if self.lacks.contains(field) {
            return None;
        }
        if let Some((_, source)) = self.fields.iter().find(|(name, _)| name == field) {
            return Some(source.clone());
        }
        if let Some(only) = &self.only
            && !only.contains(field)
        {
            return None;
        }
        Some(FieldSource::Field(field.to_owned()))
    }
}
