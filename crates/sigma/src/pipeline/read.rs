//! The YAML form of pipelines.

use super::conditions::{FieldCondition, ItemCondition, Joined, RuleCondition};
use super::transform::{Case, Chosen, Transformation};
use super::{Pipeline, Step};
use crate::parse::{Keys, Node, documents, item_from, literal, read as read_yaml};
use crate::problem::Problem;
use crate::rule::LogSource;
use regex::Regex;
use std::collections::BTreeMap;

/// Steps within steps.
const NEST_MAX: usize = 8;

/// Keys that describe a pipeline and change nothing.
const DESCRIPTIVE: &[&str] = &["allowed_backends", "description", "author", "id", "version"];

pub(super) fn read(text: &str) -> Result<Pipeline, Problem> {
    let documents = documents(text);
    let [document] = documents.as_slice() else {
        return Err(wrong(
            "a pipeline is one document",
            "write a file for each pipeline",
        ));
    };
    let mut keys = Keys::of(read_yaml(document)?, "the pipeline")?;
    let mut pipeline = Pipeline {
        name: keys.text("name")?.unwrap_or_default(),
        priority: integer(&mut keys, "priority")?.unwrap_or(0),
        variables: BTreeMap::new(),
        steps: Vec::new(),
    };
    if let Some(node) = keys.take("vars") {
        let mut variables = Keys::of(node, "`vars`")?;
        for name in variables.names() {
            let values = variables
                .texts(&name)
                .map_err(|error| error.under("vars"))?;
            pipeline.variables.insert(name, values);
        }
    }
    for key in ["postprocessing", "finalizers"] {
        if !matches!(keys.take(key), None | Some(Node::Null)) {
            return Err(Problem::error(
                key,
                "the pipeline changes queries, and here are none",
                "remove it",
            ));
        }
    }
    pipeline.steps = steps_from(keys.take("transformations"), 0)?;
    for key in DESCRIPTIVE {
        keys.take(key);
    }
    nothing_left(keys)?;
    Ok(pipeline)
}

fn wrong(message: impl Into<String>, help: &str) -> Problem {
    Problem::error("", message, help)
}

fn nothing_left(keys: Keys) -> Result<(), Problem> {
    keys.none_left("is not known here")
}

fn integer(keys: &mut Keys, key: &str) -> Result<Option<i64>, Problem> {
    match keys.take(key) {
        None | Some(Node::Null) => Ok(None),
        Some(Node::Integer(number)) => Ok(Some(number)),
        Some(other) => Err(Problem::error(
            key,
            format!("is {}, not a number", other.kind()),
            "write a number",
        )),
    }
}

fn required(keys: &mut Keys, key: &str) -> Result<String, Problem> {
    keys.text(key)?
        .ok_or_else(|| wrong(format!("there is no `{key}`"), "add it"))
}

fn pattern(keys: &mut Keys, key: &str) -> Result<Regex, Problem> {
    let text = required(keys, key)?;
    Regex::new(&text).map_err(|error| {
        Problem::error(
            key,
            format!("the pattern `{text}` cannot be used: {error}"),
            "correct it",
        )
    })
}

fn steps_from(node: Option<Node>, depth: usize) -> Result<Vec<Step>, Problem> {
    if depth > NEST_MAX {
        return Err(wrong("steps are nested too deeply", "flatten them"));
    }
    let nodes = match node {
        None | Some(Node::Null) => return Ok(Vec::new()),
        Some(Node::List(nodes)) => nodes,
        Some(other) => {
            return Err(wrong(
                format!("the transformations are {}, not a list", other.kind()),
                "write a list",
            ));
        }
    };
    let mut steps = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.into_iter().enumerate() {
        let step = Keys::of(node, "a transformation")
            .and_then(|keys| step_from(keys, depth))
            .map_err(|error| error.under(&format!("transformations[{index}]")))?;
        steps.push(step);
    }
    Ok(steps)
}

fn step_from(mut keys: Keys, depth: usize) -> Result<Step, Problem> {
    let step = Step {
        id: keys.text("id")?,
        rules: joined(&mut keys, "rule_conditions", "rule_cond", rule_condition)?,
        items: joined(
            &mut keys,
            "detection_item_conditions",
            "detection_item_cond",
            item_condition,
        )?,
        fields: joined(
            &mut keys,
            "field_name_conditions",
            "field_name_cond",
            field_condition,
        )?,
        transformation: transformation_from(&mut keys, depth)?,
    };
    nothing_left(keys)?;
    Ok(step)
}

/// Conditions under `key`, joined as `prefix_op` and `prefix_not` say.
fn joined<C>(
    keys: &mut Keys,
    key: &str,
    prefix: &str,
    read: fn(&mut Keys) -> Result<C, Problem>,
) -> Result<Joined<C>, Problem> {
    let expression = format!("{prefix}_expression");
    if keys.has(&expression) || keys.has(&format!("{prefix}_expr")) {
        return Err(Problem::error(
            expression,
            "conditions joined by an expression are not supported",
            "write several steps",
        ));
    }
    let all = match keys.text(&format!("{prefix}_op"))?.as_deref() {
        None | Some("and") => true,
        Some("or") => false,
        Some(other) => {
            return Err(Problem::error(
                format!("{prefix}_op"),
                format!("`{other}` joins nothing"),
                "write `and` or `or`",
            ));
        }
    };
    let not = keys.flag(&format!("{prefix}_not"))?;
    let nodes = match keys.take(key) {
        None | Some(Node::Null) => Vec::new(),
        Some(Node::List(nodes)) => nodes,
        Some(Node::Map(_)) => {
            return Err(Problem::error(
                key,
                "named conditions are joined by an expression, which is not supported",
                "write them as a list",
            ));
        }
        Some(other) => {
            return Err(Problem::error(
                key,
                format!("is {}, not a list", other.kind()),
                "write a list of conditions",
            ));
        }
    };
    let mut conditions = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.into_iter().enumerate() {
        let read = Keys::of(node, "a condition").and_then(|mut keys| {
            let condition = read(&mut keys)?;
            nothing_left(keys)?;
            Ok(condition)
        });
        conditions.push(read.map_err(|error| error.under(&format!("{key}[{index}]")))?);
    }
    Ok(Joined {
        conditions,
        all,
        not,
    })
}

fn unknown(what: &str, name: &str) -> Problem {
    Problem::error(
        "type",
        format!("the {what} `{name}` is not known, or means nothing where rules are evaluated"),
        "remove it",
    )
}

fn rule_condition(keys: &mut Keys) -> Result<RuleCondition, Problem> {
    let name = required(keys, "type")?;
    Ok(match name.as_str() {
        "logsource" => RuleCondition::LogSource(log_source(keys)?),
        "contains_detection_item" => RuleCondition::ContainsItem {
            field: required(keys, "field")?,
            value: literal(keys.take("value").unwrap_or(Node::Null))?,
        },
        "contains_field" => RuleCondition::ContainsField(required(keys, "field")?),
        "processing_item_applied" => RuleCondition::Applied(required(keys, "processing_item_id")?),
        "processing_state" => RuleCondition::State {
            key: required(keys, "key")?,
            value: required(keys, "val")?,
        },
        "is_sigma_rule" => RuleCondition::IsRule,
        "is_sigma_correlation_rule" => RuleCondition::IsCorrelation,
        "rule_attribute" => {
            match keys.text("op")?.as_deref() {
                None | Some("eq") => {}
                Some(other) => return Err(unknown("comparison", other)),
            }
            RuleCondition::Attribute {
                name: required(keys, "attribute")?,
                value: required(keys, "value")?,
            }
        }
        "tag" => RuleCondition::Tag(required(keys, "tag")?),
        other => return Err(unknown("rule condition", other)),
    })
}

fn item_condition(keys: &mut Keys) -> Result<ItemCondition, Problem> {
    let name = required(keys, "type")?;
    let mut all = || match keys.text("cond")?.as_deref() {
        None | Some("any") => Ok(false),
        Some("all") => Ok(true),
        Some(other) => Err(unknown("quantity", other)),
    };
    Ok(match name.as_str() {
        "match_string" => ItemCondition::Matches {
            all: all()?,
            pattern: pattern(keys, "pattern")?,
        },
        "is_null" => ItemCondition::IsNull { all: all()? },
        "processing_state" => ItemCondition::State {
            key: required(keys, "key")?,
            value: required(keys, "val")?,
        },
        other => return Err(unknown("detection item condition", other)),
    })
}

fn field_condition(keys: &mut Keys) -> Result<FieldCondition, Problem> {
    let name = required(keys, "type")?;
    if name == "processing_state" {
        return Ok(FieldCondition::State {
            key: required(keys, "key")?,
            value: required(keys, "val")?,
        });
    }
    if !matches!(name.as_str(), "include_fields" | "exclude_fields") {
        return Err(unknown("field name condition", &name));
    }
    let include = name == "include_fields";
    let fields = keys.texts("fields")?;
    // In pySigma a second `type` tells patterns from names; YAML allows the key once, so it is read as `mode` too.
    match keys.text("mode")?.as_deref() {
        None | Some("plain") if include => Ok(FieldCondition::Include(fields)),
        None | Some("plain") => Ok(FieldCondition::Exclude(fields)),
        Some("re") => {
            let mut patterns = Vec::with_capacity(fields.len());
            for field in &fields {
                let pattern = Regex::new(&format!("^(?:{field})$")).map_err(|error| {
                    wrong(format!("the pattern `{field}` cannot be used: {error}"), "")
                })?;
                patterns.push(pattern);
            }
            Ok(if include {
                FieldCondition::IncludePattern(patterns)
            } else {
                FieldCondition::ExcludePattern(patterns)
            })
        }
        Some(other) => Err(unknown("kind of names", other)),
    }
}

fn log_source(keys: &mut Keys) -> Result<LogSource, Problem> {
    Ok(LogSource {
        product: keys.text("product")?,
        category: keys.text("category")?,
        service: keys.text("service")?,
    })
}

/// A mapping of names to a name or several, in its written order.
fn mapping(keys: &mut Keys) -> Result<Vec<(String, Vec<String>)>, Problem> {
    let Some(node) = keys.take("mapping") else {
        return Err(wrong("there is no `mapping`", "add it"));
    };
    let mut entries = Keys::of(node, "`mapping`")?;
    let mut mapping = Vec::new();
    for name in entries.names() {
        let to = entries
            .texts(&name)
            .map_err(|error| error.under("mapping"))?;
        if to.is_empty() {
            return Err(Problem::error(
                format!("mapping.{name}"),
                "it is mapped to nothing",
                "name at least one",
            ));
        }
        mapping.push((name, to));
    }
    Ok(mapping)
}

fn chosen(keys: &mut Keys) -> Result<Chosen, Problem> {
    Ok(Chosen {
        include: if keys.has("include") {
            Some(keys.texts("include")?)
        } else {
            None
        },
        exclude: keys.texts("exclude")?,
    })
}

fn case(keys: &mut Keys, key: &str) -> Result<Case, Problem> {
    match required(keys, key)?.as_str() {
        "lower" | "lowercase" => Ok(Case::Lower),
        "upper" | "uppercase" => Ok(Case::Upper),
        "snake_case" => Ok(Case::Snake),
        other => Err(unknown("case", other)),
    }
}

fn transformation_from(keys: &mut Keys, depth: usize) -> Result<Transformation, Problem> {
    let name = required(keys, "type")?;
    Ok(match name.as_str() {
        "field_name_mapping" => Transformation::MapFields(mapping(keys)?),
        "field_name_prefix_mapping" => Transformation::MapPrefixes(mapping(keys)?),
        "field_name_prefix" => Transformation::AddPrefix(required(keys, "prefix")?),
        "field_name_suffix" => Transformation::AddSuffix(required(keys, "suffix")?),
        "field_name_transform" => {
            let mapped = if keys.has("mapping") {
                mapping(keys)?
            } else {
                Vec::new()
            };
            if !mapped.is_empty() {
                return Err(wrong(
                    "`field_name_transform` with a mapping is not supported",
                    "put a `field_name_mapping` before it",
                ));
            }
            Transformation::FieldCase(case(keys, "transform_func")?)
        }
        "drop_detection_item" => Transformation::DropItem,
        "wildcard_placeholders" => Transformation::WildcardPlaceholders(chosen(keys)?),
        "value_placeholders" => Transformation::ValuePlaceholders(chosen(keys)?),
        "query_expression_placeholders" => {
            return Err(Problem::error(
                "type",
                "placeholders cannot become expressions of a query language, as there is no query",
                "use `value_placeholders`",
            ));
        }
        "hashes_fields" => {
            let algorithms = keys.texts("valid_hash_algos")?;
            Transformation::HashesFields {
                algorithms,
                prefix: keys.text("field_prefix")?.unwrap_or_default(),
                drop_algorithm: keys.flag("drop_algo_prefix")?,
            }
        }
        "add_condition" => {
            let Some(node) = keys.take("conditions") else {
                return Err(wrong("there are no `conditions`", "add them"));
            };
            let Node::Map(entries) = node else {
                return Err(wrong(
                    format!("`conditions` is {}, not a mapping", node.kind()),
                    "write fields and values",
                ));
            };
            if entries.is_empty() {
                return Err(wrong("there are no `conditions`", "add them"));
            }
            let items = entries
                .into_iter()
                .map(|(key, node)| item_from(&key, node).map_err(|error| error.under(&key)))
                .collect::<Result<_, _>>()?;
            Transformation::AddCondition {
                name: keys.text("name")?,
                items,
                negated: keys.flag("negated")?,
                template: keys.flag("template")?,
            }
        }
        "change_logsource" => Transformation::ChangeLogSource(log_source(keys)?),
        "replace_string" => {
            if keys.flag("interpret_special")? {
                return Err(Problem::error(
                    "interpret_special",
                    "values are always read for wildcards after this, never before",
                    "remove it",
                ));
            }
            Transformation::ReplaceString {
                pattern: pattern(keys, "regex")?,
                replacement: replacement(&required(keys, "replacement")?),
                skip_special: keys.flag("skip_special")?,
            }
        }
        "map_string" => Transformation::MapString(mapping(keys)?),
        "set_state" => Transformation::SetState {
            key: required(keys, "key")?,
            value: required(keys, "val")?,
        },
        "set_value" => {
            let value = literal(keys.take("value").unwrap_or(Node::Null))?;
            match keys.text("force_type")?.as_deref() {
                None => {}
                Some(other) => return Err(unknown("forced type", other)),
            }
            Transformation::SetValue(value)
        }
        "convert_type" => match required(keys, "target_type")?.as_str() {
            "str" => Transformation::ConvertType { to_number: false },
            "num" => Transformation::ConvertType { to_number: true },
            other => return Err(unknown("type", other)),
        },
        "case" => Transformation::Case(case(keys, "method")?),
        "set_custom_attribute" => Transformation::SetCustomAttribute {
            name: required(keys, "attribute")?,
            value: required(keys, "value")?,
        },
        "rule_failure" => Transformation::FailRule(required(keys, "message")?),
        "detection_item_failure" => Transformation::FailItem(required(keys, "message")?),
        "nest" => Transformation::Nest(steps_from(keys.take("items"), depth + 1)?),
        "add_field" | "remove_field" | "set_field" => {
            keys.take("field");
            keys.take("fields");
            Transformation::Nothing
        }
        other => return Err(unknown("transformation", other)),
    })
}

/// Python writes `\1` and `\g<name>` where the library here writes `${1}` and `${name}`.
fn replacement(text: &str) -> String {
    let mut changed = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek().copied()) {
            ('$', _) => changed.push_str("$$"),
            ('\\', Some('g')) => {
                letters.next();
                if letters.peek() == Some(&'<') {
                    letters.next();
                    let name: String = letters.by_ref().take_while(|one| *one != '>').collect();
                    changed.push_str("${");
                    changed.push_str(&name);
                    changed.push('}');
                } else {
                    changed.push_str("\\g");
                }
            }
            ('\\', Some(digit)) if digit.is_ascii_digit() => {
                letters.next();
                changed.extend(['$', '{', digit, '}']);
            }
            ('\\', Some('\\')) => {
                letters.next();
                changed.push('\\');
            }
            (other, _) => changed.push(other),
        }
    }
    changed
}
