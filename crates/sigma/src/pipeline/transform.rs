//! The transformations, as data.

use crate::rule::{Item, LogSource};
use regex::Regex;

/// A change to a rule.
#[derive(Clone, Debug)]
pub(super) enum Transformation {
    /// Field, then the names it gets; with several, any of them may hold the value.
    MapFields(Vec<(String, Vec<String>)>),
    /// The same for the beginnings of names.
    MapPrefixes(Vec<(String, Vec<String>)>),
    AddPrefix(String),
    AddSuffix(String),
    FieldCase(Case),
    DropItem,
    WildcardPlaceholders(Chosen),
    ValuePlaceholders(Chosen),
    HashesFields {
        algorithms: Vec<String>,
        prefix: String,
        drop_algorithm: bool,
    },
    AddCondition {
        name: Option<String>,
        items: Vec<Item>,
        negated: bool,
        template: bool,
    },
    ChangeLogSource(LogSource),
    ReplaceString {
        pattern: Regex,
        replacement: String,
        skip_special: bool,
    },
    MapString(Vec<(String, Vec<String>)>),
    SetState {
        key: String,
        value: String,
    },
    SetValue(crate::rule::Literal),
    ConvertType {
        to_number: bool,
    },
    Case(Case),
    SetCustomAttribute {
        name: String,
        value: String,
    },
    FailRule(String),
    FailItem(String),
    /// Fails on a field that is not among those of an earlier mapping.
    Nest(Vec<super::Step>),
    /// Fields of the list that is shown with a match; of no meaning for matching.
    Nothing,
}

/// How letters are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Case {
    Lower,
    Upper,
    Snake,
}

impl Case {
    pub(super) fn applied(self, text: &str) -> String {
        match self {
            Self::Lower => text.to_lowercase(),
            Self::Upper => text.to_uppercase(),
            Self::Snake => {
                let mut snake = String::new();
                let mut after_small = false;
                for letter in text.chars() {
                    if letter.is_uppercase() && after_small {
                        snake.push('_');
                    }
                    after_small = letter.is_lowercase() || letter.is_numeric();
                    snake.extend(letter.to_lowercase());
                }
                snake
            }
        }
    }
}

/// Which placeholders are meant.
#[derive(Clone, Debug, Default)]
pub(super) struct Chosen {
    pub(super) include: Option<Vec<String>>,
    pub(super) exclude: Vec<String>,
}

impl Chosen {
    pub(super) fn means(&self, name: &str) -> bool {
        let named = |names: &[String]| names.iter().any(|own| own == name);
        self.include.as_deref().is_none_or(named) && !named(&self.exclude)
    }
}
