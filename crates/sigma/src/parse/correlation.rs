//! The `correlation` section (specification of correlation rules, version 2.1.0).

use super::condition::parse_condition;
use super::document::Keys;
use super::node::Node;
use crate::problem::Problem;
use crate::rule::{
    Comparison, Condition, Correlation, CorrelationCondition, CorrelationKind, Header,
};
use std::time::Duration;

/// Rules that one correlation may refer to.
const RULES_MAX: usize = 1_000;

/// Reads the section; the header is filled in by the caller.
pub(super) fn correlation_from(node: Node) -> Result<Correlation, Problem> {
    let mut keys = Keys::of(node, "`correlation`")?;
    let kind = kind_from(keys.text("type")?)?;
    let rules = keys.texts("rules")?;
    if rules.is_empty() || rules.len() > RULES_MAX {
        return Err(Problem::error(
            "rules",
            format!("there are {} rules to look at", rules.len()),
            format!("name one to {RULES_MAX} rules by id or name"),
        ));
    }
    let timespan = match (keys.text("timespan")?, keys.text("timeframe")?) {
        (Some(text), None) | (None, Some(text)) => timespan_from(&text)?,
        (None, None) => {
            return Err(Problem::error(
                "",
                "there is no `timespan`",
                "write one such as `15m`",
            ));
        }
        (Some(_), Some(_)) => {
            return Err(Problem::error(
                "timeframe",
                "`timespan` and `timeframe` are the same",
                "keep `timespan`",
            ));
        }
    };
    let group_by = keys.texts("group-by")?;
    let aliases = aliases_from(keys.take("aliases")).map_err(|error| error.under("aliases"))?;
    let generate = keys.flag("generate")?;
    let condition = condition_from(keys.take("condition"), kind, &rules)
        .map_err(|error| error.under("condition"))?;
    if let Some((unknown, _)) = keys.rest().first() {
        return Err(Problem::error(
            unknown.as_str(),
            format!("the key `{unknown}` is not part of a correlation"),
            "remove or correct it",
        ));
    }
    let correlation = Correlation {
        header: Header::default(),
        kind,
        rules,
        group_by,
        timespan,
        condition,
        aliases,
        generate,
    };
    check(&correlation)?;
    Ok(correlation)
}

fn kind_from(name: Option<String>) -> Result<CorrelationKind, Problem> {
    let name = name.unwrap_or_default();
    Ok(match name.as_str() {
        "event_count" => CorrelationKind::EventCount,
        "value_count" => CorrelationKind::ValueCount,
        "temporal" => CorrelationKind::Temporal,
        "temporal_ordered" => CorrelationKind::TemporalOrdered,
        "value_sum" => CorrelationKind::ValueSum,
        "value_avg" => CorrelationKind::ValueAverage,
        "value_percentile" => CorrelationKind::ValuePercentile,
        "value_median" => CorrelationKind::ValueMedian,
        _ => {
            return Err(Problem::error(
                "type",
                format!("`{name}` is no type of correlation"),
                "use event_count, value_count, temporal, temporal_ordered, value_sum, value_avg, value_percentile or \
                 value_median",
            ));
        }
    })
}

/// A number and a unit: `90m`.
fn timespan_from(text: &str) -> Result<Duration, Problem> {
    let wrong = || {
        Problem::error(
            "timespan",
            format!("`{text}` is no time span"),
            "write a number and one of s, m, h and d, such as `90m`",
        )
    };
    let unit_at = text.trim().len().saturating_sub(1);
    let (number, unit) = text.trim().split_at_checked(unit_at).ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_not_a_number| wrong())?;
    match number.checked_mul(seconds) {
        // A hundred years, so that adding it to any time of a log cannot overflow.
        Some(total @ 1..=3_155_760_000) => Ok(Duration::from_secs(total)),
        _ => Err(wrong()),
    }
}

type Aliases = Vec<(String, Vec<(String, String)>)>;

fn aliases_from(node: Option<Node>) -> Result<Aliases, Problem> {
    let Some(node) = node else {
        return Ok(Vec::new());
    };
    let mut aliases = Vec::new();
    for (alias, node) in Keys::of(node, "`aliases`")?.rest() {
        let mut fields = Vec::new();
        for (rule, field) in Keys::of(node, "an alias")
            .map_err(|error| error.under(&alias))?
            .rest()
        {
            let Node::Text(field) = field else {
                return Err(Problem::error(
                    format!("{alias}.{rule}"),
                    format!("is {}, not a field's name", field.kind()),
                    "write the field's name in that rule's events",
                ));
            };
            fields.push((rule, field));
        }
        aliases.push((alias, fields));
    }
    Ok(aliases)
}

fn condition_from(
    node: Option<Node>,
    kind: CorrelationKind,
    rules: &[String],
) -> Result<CorrelationCondition, Problem> {
    let temporal = matches!(
        kind,
        CorrelationKind::Temporal | CorrelationKind::TemporalOrdered
    );
    match node {
        None | Some(Node::Null) if temporal => Ok(CorrelationCondition::AllRules),
        None | Some(Node::Null) => Err(Problem::error(
            "",
            "there is no condition",
            "write one such as `gte: 10`",
        )),
        Some(Node::Text(text)) if kind == CorrelationKind::Temporal => {
            let condition = parse_condition(&text)?;
            check_rules(&condition, rules)?;
            Ok(CorrelationCondition::Rules(condition))
        }
        Some(node) => threshold_from(node),
    }
}

fn check_rules(condition: &Condition, rules: &[String]) -> Result<(), Problem> {
    let fits = match condition {
        Condition::Name(name) => rules.contains(name),
        Condition::Of { names, .. } => rules.iter().any(|rule| names.include(rule)),
        Condition::Not(below) => return check_rules(below, rules),
        Condition::And(parts) | Condition::Or(parts) => {
            return parts.iter().try_for_each(|part| check_rules(part, rules));
        }
    };
    if fits {
        return Ok(());
    }
    Err(Problem::error(
        "",
        format!("`{condition}` means none of the correlation's rules"),
        "use the words that stand under `rules`",
    ))
}

fn threshold_from(node: Node) -> Result<CorrelationCondition, Problem> {
    let mut keys = Keys::of(node, "the condition")?;
    let fields = keys.texts("field")?;
    let percentile = match keys.take("percentile") {
        None => None,
        Some(node) => Some(number_from("percentile", &node)?),
    };
    let mut comparisons = Vec::new();
    let mut rest = keys.rest();
    rest.sort_by(|one, other| one.0.cmp(&other.0));
    for (key, node) in rest {
        let Some(comparison) = Comparison::parse(&key) else {
            return Err(Problem::error(
                key.as_str(),
                format!("`{key}` is no comparison"),
                "use gt, gte, lt, lte, eq or neq",
            ));
        };
        comparisons.push((comparison, number_from(&key, &node)?));
    }
    if comparisons.is_empty() {
        return Err(Problem::error(
            "",
            "the condition compares with nothing",
            "add gt, gte, lt, lte, eq or neq and a number",
        ));
    }
    Ok(CorrelationCondition::Threshold {
        comparisons,
        fields,
        percentile,
    })
}

fn number_from(key: &str, node: &Node) -> Result<f64, Problem> {
    let number = match node {
        // Counts of matches are far below the range in which a float drops digits.
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        Node::Integer(number) => Some(*number as f64),
        Node::Float(number) => Some(*number),
        Node::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite()).ok_or_else(|| {
        Problem::error(
            key,
            format!("is {}, not a number", node.kind()),
            "write a number",
        )
    })
}

fn check(correlation: &Correlation) -> Result<(), Problem> {
    let kind = correlation.kind;
    if let CorrelationCondition::Threshold {
        fields, percentile, ..
    } = &correlation.condition
    {
        let fields_wanted = match kind {
            CorrelationKind::ValueCount => 1..=16,
            CorrelationKind::ValueSum
            | CorrelationKind::ValueAverage
            | CorrelationKind::ValuePercentile
            | CorrelationKind::ValueMedian => 1..=1,
            CorrelationKind::EventCount
            | CorrelationKind::Temporal
            | CorrelationKind::TemporalOrdered => 0..=0,
        };
        if !fields_wanted.contains(&fields.len()) {
            return Err(Problem::error(
                "condition.field",
                format!("there are {} fields", fields.len()),
                format!(
                    "this type takes {} to {}",
                    fields_wanted.start(),
                    fields_wanted.end()
                ),
            ));
        }
        let needs_percentile = kind == CorrelationKind::ValuePercentile;
        let in_range = percentile.is_none_or(|percentile| (0.0..=100.0).contains(&percentile));
        if percentile.is_some() != needs_percentile || !in_range {
            return Err(Problem::error(
                "condition.percentile",
                "`percentile` belongs to value_percentile, which needs it",
                "write a number from 0 to 100 there and nowhere else",
            ));
        }
    }
    for (alias, fields) in &correlation.aliases {
        let stranger = fields
            .iter()
            .find(|(rule, _)| !correlation.rules.contains(rule));
        if let Some((rule, _)) = stranger {
            return Err(Problem::error(
                format!("aliases.{alias}"),
                format!("`{rule}` is not among the correlation's rules"),
                "use the words that stand under `rules`",
            ));
        }
    }
    Ok(())
}
