//! Why a rule does or does not match an event: its conditions as a tree, with the values that were seen.
//!
//! This walks the rule as it is written, not its compiled form, and so checks the latter as well: tests compare the two.

use crate::compile::engine::Engine;
use crate::compile::lower::{Expr, Leaf, Lowered, lower_item};
use crate::compile::state::{RuleId, RuleState};
use crate::compile::test::{FieldComparison, Test};
use crate::compile::text::folded;
use crate::evaluate::{FieldId, Fields, Source, Value, holds_on_value};
use crate::rule::{Condition, Detection, Detections, Item, Rule};
use crate::taxonomy::{Mapping, SourceKey};
use std::fmt;

/// Characters of a value that are shown.
const VALUE_LETTERS_MAX: usize = 512;

/// Values of a field that are shown.
const VALUES_MAX: usize = 8;

/// A part of a rule and what it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The part, in the rule's words.
    pub what: String,
    /// Whether it holds.
    pub holds: bool,
    /// The event's field and values that it looked at, if it looked at one.
    pub seen: Option<Seen>,
    /// What it is made of.
    pub parts: Vec<Explanation>,
}

/// What an event holds in a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The rule's name of the field; empty for the whole event.
    pub field: String,
    /// The values, shortened where they are long; empty where the event lacks the field.
    pub values: Vec<String>,
    /// Whether the event has the field.
    pub present: bool,
}

impl Explanation {
    fn new(what: impl Into<String>, holds: bool) -> Self {
        Self {
            what: what.into(),
            holds,
            seen: None,
            parts: Vec::new(),
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let sign = if self.holds { "+" } else { "-" };
        write!(f, "{:width$}{sign} {}", "", self.what, width = depth * 2)?;
        if let Some(seen) = &self.seen {
            let name = if seen.field.is_empty() {
                "the event"
            } else {
                &seen.field
            };
            if seen.present {
                write!(f, "   [{name}: {}]", seen.values.join(" | "))?;
            } else {
                write!(f, "   [{name} is absent]")?;
            }
        }
        writeln!(f)?;
        self.parts
            .iter()
            .try_for_each(|part| part.write(f, depth + 1))
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl Engine {
    /// Explains what a rule makes of an event from a source. The outcome is that of the matcher.
    pub fn explain(&self, rule: RuleId, key: &SourceKey, fields: &dyn Fields) -> Explanation {
        let title = self.header(rule).title.clone();
        let Some(own) = self.rule(rule) else {
            return Explanation::new(
                format!("{title}: a correlation looks at many events, not at one"),
                false,
            );
        };
        if let RuleState::Rejected(problem) = self.state(rule) {
            return Explanation::new(format!("{title}: rejected: {problem}"), false);
        }
        let mappings = self.mappings_for(key, &own.log_source);
        let mut top = Explanation::new(title, false);
        if mappings.is_empty() {
            top.parts.push(Explanation::new(
                format!("the event's source answers to {}", own.log_source),
                false,
            ));
        }
        for mapping in mappings {
            let explainer = Explainer {
                engine: self,
                mapping: &self.taxonomy.mappings[mapping],
                key,
                fields,
            };
            top.parts.push(explainer.rule(rule, own));
        }
        top.holds = top.parts.iter().any(|part| part.holds);
        top
    }
}

struct Explainer<'a> {
    engine: &'a Engine,
    mapping: &'a Mapping,
    key: &'a SourceKey,
    fields: &'a dyn Fields,
}

impl Explainer<'_> {
    fn rule(&self, id: RuleId, rule: &Rule) -> Explanation {
        let mut parts = vec![self.detections(&rule.detections, true)];
        for filter in &self.engine.filters_of[id.index()] {
            let filter = &self.engine.filters[*filter as usize];
            let mut part = self.detections(&filter.detections, true);
            part.what = format!("filter {}: {}", filter.header.title, part.what);
            parts.push(part);
        }
        if parts.len() == 1 {
            return parts.pop().expect("its length is one");
        }
        all("the rule and its filters", parts)
    }

    fn detections(&self, detections: &Detections, positive: bool) -> Explanation {
        let parts: Vec<_> = detections
            .conditions
            .iter()
            .map(|condition| self.condition(condition, detections, positive))
            .collect();
        match parts.as_slice() {
            [only] => only.clone(),
            _ => any("any of its conditions", parts),
        }
    }

    fn condition(
        &self,
        condition: &Condition,
        detections: &Detections,
        positive: bool,
    ) -> Explanation {
        let what = condition.to_string();
        match condition {
            Condition::Name(name) => self.named(name, detections, positive),
            Condition::Of { all: every, names } => {
                let fitting = detections
                    .named
                    .iter()
                    .filter(|(name, _)| names.include(name));
                let parts = fitting
                    .map(|(name, _)| self.named(name, detections, positive))
                    .collect();
                if *every {
                    all(what, parts)
                } else {
                    any(what, parts)
                }
            }
            Condition::Not(below) => {
                let below = self.condition(below, detections, !positive);
                let mut not = Explanation::new(what, !below.holds);
                not.parts.push(below);
                not
            }
            Condition::And(parts) => all(
                what,
                parts
                    .iter()
                    .map(|part| self.condition(part, detections, positive))
                    .collect(),
            ),
            Condition::Or(parts) => any(
                what,
                parts
                    .iter()
                    .map(|part| self.condition(part, detections, positive))
                    .collect(),
            ),
        }
    }

    fn named(&self, name: &str, detections: &Detections, positive: bool) -> Explanation {
        match detections.get(name) {
            Some(detection) => {
                let mut explained = self.detection(detection, positive);
                if explained.parts.is_empty() {
                    explained.what = format!("{name}: {}", explained.what);
                } else {
                    name.clone_into(&mut explained.what);
                }
                explained
            }
            None => Explanation::new(format!("{name} (not part of the rule)"), false),
        }
    }

    fn detection(&self, detection: &Detection, positive: bool) -> Explanation {
        let each = |parts: &[Detection]| -> Vec<_> {
            parts
                .iter()
                .map(|part| self.detection(part, positive))
                .collect()
        };
        match detection {
            Detection::All(parts) => all("all of", each(parts)),
            Detection::Any(parts) => any("any of", each(parts)),
            Detection::Item(item) => self.item(item, positive),
        }
    }

    fn item(&self, item: &Item, positive: bool) -> Explanation {
        let values: Vec<_> = item.values.iter().map(ToString::to_string).collect();
        let key = if item.field.is_none() && item.modifiers.is_empty() {
            "keywords".to_owned()
        } else {
            item.key()
        };
        let what = format!("{key}: {}", values.join(", "));
        let Ok(lowered) = lower_item(item) else {
            return Explanation::new(format!("{what} (cannot be used)"), false);
        };
        let mut explained =
            Explanation::new(what, self.value_of(&lowered.expr, &lowered, positive));
        explained.seen = Some(self.seen(item));
        explained
    }

    fn value_of(&self, expr: &Expr<u32>, lowered: &Lowered, positive: bool) -> bool {
        match expr {
            Expr::Constant(value) => *value,
            Expr::Leaf(leaf) => self.leaf(&lowered.leaves[*leaf as usize], positive),
            Expr::Not(below) => !self.value_of(below, lowered, !positive),
            Expr::And(parts) => parts
                .iter()
                .all(|part| self.value_of(part, lowered, positive)),
            Expr::Or(parts) => parts
                .iter()
                .any(|part| self.value_of(part, lowered, positive)),
        }
    }

    fn leaf(&self, leaf: &Leaf, positive: bool) -> bool {
        let source = match &leaf.field {
            None => Some(Source::Event),
            Some(field) => self.source(field),
        };
        let other = match &leaf.test {
            Test::Field { other, .. } => match self.source(other) {
                Some(source) => Some(source),
                None => return false,
            },
            _ => None,
        };
        let Some(source) = source else {
            return !positive && matches!(leaf.test, Test::Null | Test::Exists);
        };
        let mut holds = false;
        let present = self.visit(&source, &mut |value| {
            holds = holds
                || match (&leaf.test, &other) {
                    (Test::Field { how, cased, .. }, Some(other)) => {
                        self.compares(value, other, *how, *cased)
                    }
                    (test, _) => holds_on_value(test, value),
                };
        });
        match leaf.test {
            Test::Exists => present,
            Test::Null => holds || !present,
            _ => holds,
        }
    }

    fn compares(
        &self,
        value: &Value<'_>,
        other: &Source,
        how: FieldComparison,
        cased: bool,
    ) -> bool {
        if let Value::List(values) = value {
            return values
                .iter()
                .any(|one| self.compares(one, other, how, cased));
        }
        let text = |value: &Value<'_>| {
            if cased {
                value.to_text().into_owned()
            } else {
                folded(&value.to_text())
            }
        };
        let mut holds = false;
        other.visit(self.fields, &mut |found| {
            let each: &[Value<'_>] = match found {
                Value::List(values) => values,
                single => std::slice::from_ref(single),
            };
            holds = holds
                || *value != Value::Null
                    && each.iter().filter(|one| **one != Value::Null).any(|one| {
                        let (own, other) = (text(value), text(one));
                        match how {
                            FieldComparison::Equal => own == other,
                            FieldComparison::Starts => own.starts_with(&other),
                            FieldComparison::Ends => own.ends_with(&other),
                            FieldComparison::Contains => own.contains(&other),
                        }
                    });
        });
        holds
    }

    /// The values of a source; what the key of the event's source tells comes before the event.
    fn visit(&self, source: &Source, visit: &mut dyn FnMut(&Value<'_>)) -> bool {
        if let Source::Field(field) = source {
            let name = self.engine.fields().get(field.index());
            let told = self.engine.taxonomy.key_fields.iter();
            let told = told
                .filter(|(_, field)| Some(field) == name)
                .find_map(|(attribute, _)| self.key.get(attribute));
            if let Some(told) = told {
                visit(&Value::text(told));
                return true;
            }
        }
        source.visit(self.fields, visit)
    }

    fn source(&self, field: &str) -> Option<Source> {
        let written = self.mapping.source_of(field)?;
        // A name that no rule asks for is one that no event was bound to.
        let unknown = FieldId(u32::MAX);
        let mut all_known = true;
        let source = Source::of(&written, &mut |name| {
            self.engine.field(name).unwrap_or_else(|| {
                all_known = false;
                unknown
            })
        });
        all_known.then_some(source)
    }

    fn seen(&self, item: &Item) -> Seen {
        let mut seen = Seen {
            field: item.field.clone().unwrap_or_default(),
            values: Vec::new(),
            present: false,
        };
        let source = match &item.field {
            None => Some(Source::Event),
            Some(field) => self.source(field),
        };
        if let Some(source) = source {
            seen.present = self.visit(&source, &mut |value| {
                if seen.values.len() < VALUES_MAX {
                    seen.values.push(shortened(&value.to_text()));
                }
            });
        }
        seen
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(VALUE_LETTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn all(what: impl Into<String>, parts: Vec<Explanation>) -> Explanation {
    let holds = parts.iter().all(|part| part.holds);
    Explanation {
        parts,
        ..Explanation::new(what, holds)
    }
}

fn any(what: impl Into<String>, parts: Vec<Explanation>) -> Explanation {
    let holds = parts.iter().any(|part| part.holds);
    Explanation {
        parts,
        ..Explanation::new(what, holds)
    }
}
