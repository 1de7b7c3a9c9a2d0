//! Sigma rules run by the crate `rsigma-eval`; nothing outside this file and `literals` names its types.

use super::literals::{
    Need, Words, condition_needs, fields_of_condition, fields_of_detection, selected,
};
use super::{Conjunct, Fields, FootholdPath, LogSource, Refused, Rule};
use model::Value;
use pack::RuleMeaning;
use rsigma_eval::event::{Event, EventValue};
use rsigma_eval::{CompiledRule, compile_rule};
use rsigma_parser::{
    ConditionExpr, Detection as ParsedDetection, Detections, Modifier, Quantifier, SigmaRule,
    parse_sigma_yaml,
};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

/// Brackets of a detection that are followed; rules nest two or three deep.
const DEPTH_MAX: usize = 32;

/// A compiled rule, and its parsed form for the prefilter.
#[derive(Debug)]
pub(super) struct Detection {
    compiled: CompiledRule,
    parsed: SigmaRule,
}

/// Reads every rule of a file. What cannot be run comes back with its reason.
pub(crate) fn read_rules(path: &str, text: &str) -> (Vec<Rule>, Vec<Refused>) {
    let mut rules = Vec::new();
    let mut refused = Vec::new();
    let mut refuse = |rule: &str, why: String| {
        refused.push(Refused {
            rule: rule.to_owned(),
            why,
        });
    };
    let collection = match parse_sigma_yaml(text) {
        Ok(collection) => collection,
        Err(error) => {
            refuse("", format!("cannot be read: {error}"));
            return (rules, refused);
        }
    };
    for error in &collection.errors {
        refuse("", format!("cannot be read: {error}"));
    }
    for correlation in &collection.correlations {
        let name = correlation.id.as_ref().unwrap_or(&correlation.title);
        refuse(
            name,
            "correlates several records, which is not supported".to_owned(),
        );
    }
    for filter in &collection.filters {
        let name = filter.id.as_ref().unwrap_or(&filter.title);
        refuse(
            name,
            "changes other rules, which is not supported".to_owned(),
        );
    }
    if collection.is_empty() && collection.errors.is_empty() {
        refuse("", "holds no Sigma rule".to_owned());
    }
    for parsed in &collection.rules {
        match read_rule(path, parsed) {
            Ok(rule) => rules.push(rule),
            Err(why) => refuse(&name_of(path, parsed), why),
        }
    }
    (rules, refused)
}

fn name_of(path: &str, rule: &SigmaRule) -> String {
    rule.id
        .clone()
        .unwrap_or_else(|| format!("{path}: {}", rule.title))
}

fn read_rule(path: &str, parsed: &SigmaRule) -> Result<Rule, String> {
    if parsed.detection.timeframe.is_some() {
        return Err("counts over a time frame, which is not supported".to_owned());
    }
    let mut parsed = parsed.clone();
    for detection in parsed.detection.named.values_mut() {
        contain_keywords(detection, 0);
    }
    let parsed = &parsed;
    let compiled = compile_rule(parsed).map_err(|error| format!("cannot be compiled: {error}"))?;
    let meaning = meaning_of(parsed)?;
    let foothold_path = match meaning
        .as_ref()
        .and_then(|meaning| meaning.foothold.as_ref())
    {
        Some(foothold) => Some(FootholdPath::parse(&foothold.path_from)?),
        None => None,
    };
    let level = parsed.level.map_or("medium", |level| level.as_str());
    Ok(Rule {
        id: name_of(path, parsed),
        title: parsed.title.clone(),
        level: level.to_owned(),
        techniques: techniques(&parsed.tags),
        author: parsed.author.clone().unwrap_or_default(),
        reference: parsed.references.first().cloned().unwrap_or_default(),
        description: parsed.description.clone().unwrap_or_default(),
        meaning,
        foothold_path,
        log_source: LogSource {
            product: parsed.logsource.product.clone(),
            category: parsed.logsource.category.clone(),
            service: parsed.logsource.service.clone(),
        },
        detection: Detection {
            compiled,
            parsed: parsed.clone(),
        },
    })
}

/// Keywords are looked for inside values. The engine does so for plain lists, but compares whole values where keywords
/// carry a modifier, as in `'|all'`; with `contains` spelled out it does what the specification says.
fn contain_keywords(detection: &mut ParsedDetection, depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    match detection {
        ParsedDetection::AllOf(items) => {
            for item in items.iter_mut().filter(|item| item.field.is_keyword()) {
                let modifiers = &mut item.field.modifiers;
                if modifiers
                    .iter()
                    .all(|modifier| matches!(modifier, Modifier::All | Modifier::Cased))
                {
                    modifiers.insert(0, Modifier::Contains);
                }
            }
        }
        ParsedDetection::AnyOf(parts) | ParsedDetection::And(parts) => {
            for part in parts {
                contain_keywords(part, depth + 1);
            }
        }
        // Items without a field mean something else inside arrays.
        ParsedDetection::Keywords(_)
        | ParsedDetection::ArrayMatch { .. }
        | ParsedDetection::Conditional { .. } => {}
    }
}

/// The `allclear` block, `None` where the rule has none.
fn meaning_of(parsed: &SigmaRule) -> Result<Option<RuleMeaning>, String> {
    let Some(block) = parsed.custom_attributes.get("allclear") else {
        return Ok(None);
    };
    let json = serde_json::to_value(block).map_err(|error| error.to_string())?;
    serde_json::from_value(json)
        .map(Some)
        .map_err(|error| format!("has a block `allclear` that cannot be read: {error}"))
}

/// Technique ids among the tags: `attack.t1505.003` is T1505.003.
fn techniques(tags: &[String]) -> Vec<String> {
    let mut found: Vec<String> = tags
        .iter()
        .filter_map(|tag| tag.strip_prefix("attack."))
        .filter(|name| {
            name.strip_prefix(['t', 'T'])
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
        .map(str::to_uppercase)
        .collect();
    found.sort();
    found.dedup();
    found
}

impl Detection {
    pub(super) fn matches(&self, fields: &dyn Fields) -> bool {
        rsigma_eval::evaluate_rule(&self.compiled, &Adapter(fields)).is_some()
    }

    pub(super) fn needs(&self, words: &Words<'_>) -> Need {
        let detections = &self.parsed.detection;
        let conditions = detections.conditions.iter();
        Need::any(conditions.map(|condition| condition_needs(condition, detections, words)))
    }

    /// Conditions that all hold wherever this matches. What cannot be compiled by itself is left out.
    pub(super) fn conjuncts(&self) -> Vec<Conjunct> {
        let mut found = Vec::new();
        if let [condition] = self.parsed.detection.conditions.as_slice() {
            self.of_condition(condition, 0, &mut found);
        }
        found
    }

    fn of_condition(&self, condition: &ConditionExpr, depth: usize, found: &mut Vec<Conjunct>) {
        let detections = &self.parsed.detection;
        match condition {
            ConditionExpr::And(parts) if depth < DEPTH_MAX => {
                for part in parts {
                    self.of_condition(part, depth + 1, found);
                }
            }
            ConditionExpr::Identifier(name) => {
                if let Some(detection) = detections.named.get(name) {
                    self.of_detection(detection, depth + 1, found);
                }
            }
            ConditionExpr::Selector {
                quantifier: Quantifier::All,
                pattern,
            } => {
                for detection in selected(pattern, detections) {
                    self.of_detection(detection, depth + 1, found);
                }
            }
            other => {
                let fields = fields_of_condition(other, detections);
                let part = Detections {
                    conditions: vec![other.clone()],
                    ..detections.clone()
                };
                found.extend(self.conjunct(fields, part));
            }
        }
    }

    fn of_detection(&self, detection: &ParsedDetection, depth: usize, found: &mut Vec<Conjunct>) {
        match detection {
            ParsedDetection::AllOf(items) if items.len() > 1 => {
                for item in items {
                    let part = ParsedDetection::AllOf(vec![item.clone()]);
                    self.of_detection(&part, depth + 1, found);
                }
            }
            ParsedDetection::And(parts) if depth < DEPTH_MAX => {
                for part in parts {
                    self.of_detection(part, depth + 1, found);
                }
            }
            other => {
                let name = "part".to_owned();
                let part = Detections {
                    named: HashMap::from([(name.clone(), other.clone())]),
                    conditions: vec![ConditionExpr::Identifier(name.clone())],
                    condition_strings: vec![name],
                    timeframe: None,
                };
                found.extend(self.conjunct(fields_of_detection(other), part));
            }
        }
    }

    fn conjunct(&self, fields: Option<BTreeSet<String>>, part: Detections) -> Option<Conjunct> {
        let parsed = SigmaRule {
            detection: part,
            ..self.parsed.clone()
        };
        let compiled = compile_rule(&parsed).ok()?;
        Some(Conjunct {
            fields,
            detection: Self { compiled, parsed },
        })
    }
}

/// Shows our look-up as an event of the engine.
struct Adapter<'a>(&'a dyn Fields);

impl Event for Adapter<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        self.0.get(path).map(event_value)
    }

    fn any_string_value(&self, pred: &dyn Fn(&str) -> bool) -> bool {
        let mut found = false;
        self.0.each_text(&mut |text| found = found || pred(text));
        found
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        let mut all = Vec::new();
        self.0
            .each_text(&mut |text| all.push(Cow::Owned(text.to_owned())));
        all
    }

    fn to_json(&self) -> serde_json::Value {
        // Only asked for by rules that wish the whole event in the engine's own result, which is not used.
        serde_json::Value::Null
    }
}

fn event_value(value: Value<'_>) -> EventValue<'_> {
    match value {
        Value::Text(text) => EventValue::Str(text),
        Value::Integer(number) => EventValue::Int(number),
        Value::Unsigned(number) => match i64::try_from(number) {
            Ok(number) => EventValue::Int(number),
            Err(_too_large) => EventValue::Str(Cow::Owned(number.to_string())),
        },
        Value::Float(number) => EventValue::Float(number),
        Value::Boolean(value) => EventValue::Bool(value),
        Value::Null => EventValue::Null,
        Value::List(values) => EventValue::Array(values.into_iter().map(event_value).collect()),
    }
}
