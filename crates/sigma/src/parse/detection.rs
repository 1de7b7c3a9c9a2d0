//! The `detection` section: named parts made of fields, modifiers and values.

use super::condition::parse_condition;
use super::document::Keys;
use super::node::Node;
use crate::modifier::Modifier;
use crate::problem::Problem;
use crate::rule::{Condition, Detection, Detections, Item, Literal};

/// Values of one item; the longest published list has some 400.
const VALUES_MAX: usize = 20_000;

/// Reads the section; places in errors are relative to it.
pub(super) fn detections_from(node: Node) -> Result<Detections, Problem> {
    let mut keys = Keys::of(node, "`detection`")?;
    if keys.has("timeframe") {
        return Err(Problem::error(
            "timeframe",
            "counting over a time frame is no longer part of a rule",
            "write a correlation rule with a `timespan`",
        ));
    }
    let conditions = match keys.take("condition") {
        None | Some(Node::Null) => {
            return Err(Problem::error(
                "",
                "there is no `condition`",
                "add one that names the parts of the detection",
            ));
        }
        Some(Node::List(conditions)) => conditions
            .into_iter()
            .map(condition_from)
            .collect::<Result<Vec<_>, _>>()?,
        Some(node) => vec![condition_from(node)?],
    };
    if conditions.is_empty() {
        return Err(Problem::error(
            "condition",
            "the list of conditions is empty",
            "add one that names the parts of the detection",
        ));
    }
    let mut entries = keys.rest();
    // Taking keys out disturbs their order; by name it is the same for the same rule.
    entries.sort_by(|one, other| one.0.cmp(&other.0));
    let mut named = Vec::with_capacity(entries.len());
    for (name, node) in entries {
        let detection = detection_from(node).map_err(|error| error.under(&name))?;
        named.push((name, detection));
    }
    let detections = Detections { named, conditions };
    for condition in &detections.conditions {
        check_names(condition, &detections)?;
    }
    Ok(detections)
}

fn condition_from(node: Node) -> Result<Condition, Problem> {
    let parsed = match node {
        Node::Text(text) => parse_condition(&text),
        other => Err(Problem::error(
            "",
            format!("the condition is {}, not a text", other.kind()),
            "write it as a text",
        )),
    };
    parsed.map_err(|error| error.under("condition"))
}

/// Every name of a condition must mean something: one that does not would quietly never hold.
fn check_names(condition: &Condition, detections: &Detections) -> Result<(), Problem> {
    let unknown = |what: String| {
        Err(Problem::error(
            "condition",
            format!("the condition names {what}, which the detection does not have"),
            "correct the name",
        ))
    };
    match condition {
        Condition::Name(name) => match detections.get(name) {
            Some(_) => Ok(()),
            None => unknown(format!("`{name}`")),
        },
        Condition::Of { names, .. } => {
            if detections.named.iter().any(|(name, _)| names.include(name)) {
                Ok(())
            } else {
                match names {
                    crate::rule::Names::Them => unknown("`them`".to_owned()),
                    crate::rule::Names::Pattern(pattern) => unknown(format!("`{pattern}`")),
                }
            }
        }
        Condition::Not(below) => check_names(below, detections),
        Condition::And(parts) | Condition::Or(parts) => parts
            .iter()
            .try_for_each(|part| check_names(part, detections)),
    }
}

/// A mapping: all of its entries. A list: any of its members, where bare values are keywords. A value: a keyword.
/// The depth of the tree is bounded by that of the document.
fn detection_from(node: Node) -> Result<Detection, Problem> {
    match node {
        Node::Map(entries) if entries.is_empty() => Err(empty("the mapping")),
        Node::Map(entries) => {
            let mut items = Vec::with_capacity(entries.len());
            for (key, node) in entries {
                let item = item_from(&key, node).map_err(|error| error.under(&key))?;
                items.push(Detection::Item(item));
            }
            Ok(single(items, Detection::All))
        }
        Node::List(nodes) if nodes.is_empty() => Err(empty("the list")),
        Node::List(nodes) => {
            if nodes.len() > VALUES_MAX {
                return Err(too_many());
            }
            let mut keywords = Vec::new();
            let mut parts = Vec::new();
            for node in nodes {
                match node {
                    Node::Map(_) | Node::List(_) => parts.push(detection_from(node)?),
                    value => keywords.push(literal(value)?),
                }
            }
            if !keywords.is_empty() {
                parts.push(Detection::Item(keyword_item(keywords)));
            }
            Ok(single(parts, Detection::Any))
        }
        Node::Null => Err(empty("it")),
        value => Ok(Detection::Item(keyword_item(vec![literal(value)?]))),
    }
}

fn keyword_item(values: Vec<Literal>) -> Item {
    Item {
        field: None,
        modifiers: Vec::new(),
        values,
    }
}

fn single(mut parts: Vec<Detection>, join: fn(Vec<Detection>) -> Detection) -> Detection {
    match parts.len() {
        1 => parts.pop().expect("its length is one"),
        _ => join(parts),
    }
}

fn empty(what: &str) -> Problem {
    Problem::error(
        "",
        format!("{what} holds nothing to look for"),
        "add values, or remove the part",
    )
}

fn too_many() -> Problem {
    Problem::error(
        "",
        format!("there are more than {VALUES_MAX} values"),
        "look such lists up as indicators instead",
    )
}

/// Reads one entry of a mapping.
pub(crate) fn item_from(key: &str, node: Node) -> Result<Item, Problem> {
    let (field, modifiers) = field_and_modifiers(key)?;
    let values = match node {
        Node::List(nodes) if nodes.is_empty() => return Err(empty("the list")),
        Node::List(nodes) if nodes.len() > VALUES_MAX => return Err(too_many()),
        Node::List(nodes) => nodes.into_iter().map(literal).collect::<Result<_, _>>()?,
        value => vec![literal(value)?],
    };
    Ok(Item {
        field,
        modifiers,
        values,
    })
}

/// Takes a key such as `Image|endswith` apart. Spaces in field names do not count (taxonomy appendix): the field that a
/// log names `Threat Name` is `ThreatName` in rules.
fn field_and_modifiers(key: &str) -> Result<(Option<String>, Vec<Modifier>), Problem> {
    let mut parts = key.split('|');
    let field = without_spaces(parts.next().unwrap_or_default());
    let mut modifiers = Vec::new();
    for name in parts {
        let Some(modifier) = Modifier::parse(name.trim()) else {
            return Err(Problem::error(
                "",
                format!("the modifier `{name}` is not known"),
                "use one of the specification's modifiers",
            ));
        };
        if modifiers.contains(&modifier) {
            return Err(Problem::error(
                "",
                format!("the modifier `{name}` stands twice"),
                "remove one",
            ));
        }
        modifiers.push(modifier);
    }
    Ok(((!field.is_empty()).then_some(field), modifiers))
}

/// A field's name as rules and logs are compared by it.
pub(crate) fn without_spaces(name: &str) -> String {
    name.chars().filter(|letter| *letter != ' ').collect()
}

pub(crate) fn literal(node: Node) -> Result<Literal, Problem> {
    Ok(match node {
        Node::Null => Literal::Null,
        Node::Bool(value) => Literal::Bool(value),
        Node::Integer(number) => Literal::Integer(number),
        Node::Unsigned(number) => Literal::Unsigned(number),
        Node::Float(number) if number.is_finite() => Literal::Float(number),
        Node::Float(number) => {
            return Err(Problem::error(
                "",
                format!("`{number}` is no number to compare with"),
                "write a finite number",
            ));
        }
        Node::Text(text) => Literal::Text(text),
        Node::List(_) | Node::Map(_) => {
            return Err(Problem::error(
                "",
                "a list or mapping stands where a value was expected",
                "write fields of fields with dots, as in `a.b: value`",
            ));
        }
    })
}
