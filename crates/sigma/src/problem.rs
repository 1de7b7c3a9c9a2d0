//! What is wrong with a rule, where, and what its author can do about it.

use std::fmt;

/// Whether a rule can still be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The rule is run; part of it means less than its author may think.
    Warning,
    /// The rule is not run.
    Error,
}

/// One thing that is wrong with one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether the rule can still be run.
    pub severity: Severity,
    /// The rule's id, else its title, else empty.
    pub rule: String,
    /// Where in the document, as a path of keys: `detection.selection.Image|endswith`; empty for the whole document.
    pub place: String,
    /// The line of the text, counted from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it; empty where that is plain.
    pub help: String,
}

impl Problem {
    /// An error without a rule's name and line; those who know them add them.
    pub(crate) fn error(
        place: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            rule: String::new(),
            place: place.into(),
            line: None,
            message: message.into(),
            help: help.into(),
        }
    }

    /// The same as a warning.
    pub(crate) fn warning(
        place: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(place, message, help)
        }
    }

    /// Puts a key before the place.
    pub(crate) fn under(mut self, key: &str) -> Self {
        self.place = match (key.is_empty(), self.place.is_empty()) {
            (true, _) => self.place,
            (false, true) => key.to_owned(),
            (false, false) => format!("{key}.{}", self.place),
        };
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.rule.is_empty() {
            write!(f, "{}: ", self.rule)?;
        }
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)?;
        if !self.help.is_empty() {
            write!(f, "; {}", self.help)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}
