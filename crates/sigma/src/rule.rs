//! Rules, filters and correlations as they are written, before anything is compiled.
//!
//! The specification: <https://github.com/SigmaHQ/sigma-specification>, version 2.1.0.

use crate::modifier::Modifier;
use crate::parse::Node;
use std::fmt;
use std::time::Duration;

/// How grave a match is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Of interest together with others only.
    Informational,
    /// Seldom of interest by itself.
    Low,
    /// To be looked at.
    Medium,
    /// To be looked at soon.
    High,
    /// To be looked at now.
    Critical,
}

impl Level {
    /// Reads a level's name; `None` for any other text.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "informational" => Self::Informational,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "critical" => Self::Critical,
            _ => return None,
        })
    }

    /// Its name in the specification.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What rules, filters and correlations say of themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// A UUID, as a rule.
    pub id: Option<String>,
    /// A short name by which correlations may refer to the rule.
    pub name: Option<String>,
    /// What the rule is called.
    pub title: String,
    /// `stable`, `test`, `experimental`, `deprecated`, `unsupported`.
    pub status: Option<String>,
    /// How grave a match is.
    pub level: Option<Level>,
    /// What the rule is about.
    pub description: Option<String>,
    /// Who wrote it; its licence asks for the name wherever a match is told.
    pub author: Option<String>,
    /// Where the knowledge comes from.
    pub references: Vec<String>,
    /// Techniques and the like: `attack.t1505.003`.
    pub tags: Vec<String>,
    /// When it was written.
    pub date: Option<String>,
    /// When it was last changed.
    pub modified: Option<String>,
    /// What else may look like a match.
    pub false_positives: Vec<String>,
    /// Fields worth showing with a match.
    pub fields: Vec<String>,
    /// Its licence, where it names one.
    pub license: Option<String>,
    /// The taxonomy of its field names; absent means Sigma's.
    pub taxonomy: Option<String>,
    /// Every key that the specification does not know, as written.
    pub custom: Vec<(String, Node)>,
}

impl Header {
    /// The id, else the title.
    pub fn handle(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.title)
    }

    /// Whether a reference by id or name means this one.
    pub fn is_called(&self, reference: &str) -> bool {
        self.id
            .as_deref()
            .is_some_and(|id| id.eq_ignore_ascii_case(reference))
            || self.name.as_deref() == Some(reference)
    }
}

/// What a rule demands of its source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogSource {
    /// `windows`, `linux`, `aws`.
    pub product: Option<String>,
    /// `process_creation`, `webserver`.
    pub category: Option<String>,
    /// `security`, `sysmon`, `cloudtrail`.
    pub service: Option<String>,
}

impl LogSource {
    /// Whether a source that offers `offered` is one of those asked for: whatever is asked for is offered, case ignored.
    pub fn is_met_by(&self, offered: &Self) -> bool {
        let meets = |asked: &Option<String>, offered: &Option<String>| match (asked, offered) {
            (None, _) => true,
            (Some(asked), Some(offered)) => asked.eq_ignore_ascii_case(offered),
            (Some(_), None) => false,
        };
        meets(&self.product, &offered.product)
            && meets(&self.category, &offered.category)
            && meets(&self.service, &offered.service)
    }
}

impl fmt::Display for LogSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("product", &self.product),
            ("category", &self.category),
            ("service", &self.service),
        ];
        let mut first = true;
        for (name, value) in parts {
            if let Some(value) = value {
                let comma = if first { "" } else { ", " };
                write!(f, "{comma}{name} {value}")?;
                first = false;
            }
        }
        if first {
            f.write_str("any source")?;
        }
        Ok(())
    }
}

/// A detection rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// What it says of itself.
    pub header: Header,
    /// Which logs it is for.
    pub log_source: LogSource,
    /// What it looks for.
    pub detections: Detections,
}

/// The `detection` section: named parts and the conditions over them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detections {
    /// The parts in their written order.
    pub named: Vec<(String, Detection)>,
    /// The rule matches where any of these holds.
    pub conditions: Vec<Condition>,
}

impl Detections {
    /// The part of this name.
    pub fn get(&self, name: &str) -> Option<&Detection> {
        self.named
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, detection)| detection)
    }
}

/// One named part of a detection.
#[derive(Clone, Debug, PartialEq)]
pub enum Detection {
    /// All must hold: the entries of a mapping.
    All(Vec<Detection>),
    /// One must hold: the entries of a list.
    Any(Vec<Detection>),
    /// One field, or the whole event, compared with values.
    Item(Item),
}

/// One line of a detection: a field, modifiers, values.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The field's name; `None` for keywords, which are looked for in the whole event.
    pub field: Option<String>,
    /// What is done to the values and how they are compared, in their written order.
    pub modifiers: Vec<Modifier>,
    /// The values; one of them must match, or all with the modifier `all`.
    pub values: Vec<Literal>,
}

impl Item {
    /// The key as it is written: `Image|endswith`.
    pub fn key(&self) -> String {
        let mut key = self.field.clone().unwrap_or_default();
        for modifier in &self.modifiers {
            key.push('|');
            key.push_str(modifier.as_str());
        }
        key
    }

    pub(crate) fn has(&self, modifier: Modifier) -> bool {
        self.modifiers.contains(&modifier)
    }
}

/// A value as it is written in a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Text; wildcards and escapes are not yet told apart.
    Text(String),
    /// A number without a fraction.
    Integer(i64),
    /// A number above the range of [`Literal::Integer`].
    Unsigned(u64),
    /// A number with a fraction.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// `null`: the field is absent or null.
    Null,
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Unsigned(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Null => f.write_str("null"),
        }
    }
}

/// A condition over the named parts of a detection, or over rules in a correlation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The part of this name holds.
    Name(String),
    /// Of the parts whose names fit, one or all hold.
    Of {
        /// All of them rather than one.
        all: bool,
        /// Which names.
        names: Names,
    },
    /// It does not hold.
    Not(Box<Condition>),
    /// All hold.
    And(Vec<Condition>),
    /// One holds.
    Or(Vec<Condition>),
}

/// The names a condition's `of` speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    /// `them`: every name that does not begin with `_`.
    Them,
    /// A name with `*` for any letters.
    Pattern(String),
}

impl Names {
    /// Whether a name is among those meant.
    pub fn include(&self, name: &str) -> bool {
        match self {
            Self::Them => !name.starts_with('_'),
            Self::Pattern(pattern) => matches_stars(pattern, name),
        }
    }
}

/// Whether a name fits a pattern in which `*` stands for any letters.
pub(crate) fn matches_stars(pattern: &str, name: &str) -> bool {
    let Some((beginning, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(beginning) else {
        return false;
    };
    let mut pieces = rest.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return name.ends_with(piece);
        }
        match name.find(piece) {
            Some(at) => name = &name[at + piece.len()..],
            None => return false,
        }
    }
    true
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn inner(one: &Condition, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match one {
                Condition::And(_) | Condition::Or(_) => write!(f, "({one})"),
                other => write!(f, "{other}"),
            }
        }
        let joined = |parts: &[Condition], word: &str, f: &mut fmt::Formatter<'_>| {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    write!(f, " {word} ")?;
                }
                inner(part, f)?;
            }
            Ok(())
        };
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Of { all, names } => {
                let count = if *all { "all" } else { "1" };
                match names {
                    Names::Them => write!(f, "{count} of them"),
                    Names::Pattern(pattern) => write!(f, "{count} of {pattern}"),
                }
            }
            Self::Not(below) => {
                f.write_str("not ")?;
                inner(below, f)
            }
            Self::And(parts) => joined(parts, "and", f),
            Self::Or(parts) => joined(parts, "or", f),
        }
    }
}

/// A filter: a condition that is put beside those of other rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// What it says of itself.
    pub header: Header,
    /// Which logs it is for.
    pub log_source: LogSource,
    /// The rules it applies to, by id or name; `None` for any rule of its log source.
    pub rules: Option<Vec<String>>,
    /// What must hold besides the rule's own condition.
    pub detections: Detections,
}

/// A rule over several matches of other rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Correlation {
    /// What it says of itself.
    pub header: Header,
    /// What is counted or compared.
    pub kind: CorrelationKind,
    /// The rules or correlations whose matches are looked at, by id or name.
    pub rules: Vec<String>,
    /// Fields or aliases that must have the same values in all matches looked at together.
    pub group_by: Vec<String>,
    /// How far apart the first and last match may be.
    pub timespan: Duration,
    /// When it matches.
    pub condition: CorrelationCondition,
    /// Names for fields that have another name in each rule: alias, then rule and field.
    pub aliases: Vec<(String, Vec<(String, String)>)>,
    /// Whether the rules it refers to are told by themselves as well.
    pub generate: bool,
}

/// What a correlation counts or compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CorrelationKind {
    /// Matches.
    EventCount,
    /// Different values of one field, or of several taken together.
    ValueCount,
    /// Different rules, in any order.
    Temporal,
    /// Different rules, in the order they are listed.
    TemporalOrdered,
    /// The sum of a field.
    ValueSum,
    /// The mean of a field.
    ValueAverage,
    /// A percentile of a field.
    ValuePercentile,
    /// The median of a field.
    ValueMedian,
}

/// When a correlation matches.
#[derive(Clone, Debug, PartialEq)]
pub enum CorrelationCondition {
    /// Every one of the rules must match; the default of temporal correlations.
    AllRules,
    /// A number in all of these ranges.
    Threshold {
        /// Comparisons, of which all must hold.
        comparisons: Vec<(Comparison, f64)>,
        /// The field or fields whose values are taken.
        fields: Vec<String>,
        /// Which percentile, from 0 to 100.
        percentile: Option<f64>,
    },
    /// A condition over the names of the rules.
    Rules(Condition),
}

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Comparison {
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
    /// Less.
    Less,
    /// Less or equal.
    LessOrEqual,
    /// Greater.
    Greater,
    /// Greater or equal.
    GreaterOrEqual,
}

impl Comparison {
    /// Whether it holds for a value whose order against the other is known.
    pub(crate) fn holds(self, order: Option<std::cmp::Ordering>) -> bool {
        let Some(order) = order else {
            return self == Self::NotEqual;
        };
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "eq" => Self::Equal,
            "neq" => Self::NotEqual,
            "lt" => Self::Less,
            "lte" => Self::LessOrEqual,
            "gt" => Self::Greater,
            "gte" => Self::GreaterOrEqual,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_patterns() {
        let fits = |pattern: &str, name| Names::Pattern(pattern.to_owned()).include(name);
        assert!(fits("selection*", "selection"));
        assert!(fits("selection*", "selection_1"));
        assert!(fits("*_main_*", "filter_main_x"));
        assert!(!fits("*_main_*", "filter_main"));
        assert!(!fits("selection*", "filter"));
        assert!(fits("a*b*a", "aba"), "pieces do not overlap");
        assert!(!fits("ab*ba", "aba"));
        assert!(fits("_secret*", "_secret1"), "a pattern may name them");
        assert!(!Names::Them.include("_secret"));
    }
}
