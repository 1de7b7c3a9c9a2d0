//! Applying pipelines to rules.

use super::conditions::Progress;
use super::transform::Transformation;
use super::{Pipeline, Step};
use crate::modifier::Modifier;
use crate::parse::{Node, Parsed, without_spaces};
use crate::problem::Problem;
use crate::rule::{Condition, Detection, Detections, Header, Item, Literal, LogSource};
use std::collections::BTreeMap;

/// Values that one line of a detection may come to by placeholders.
const VALUES_MAX: usize = 20_000;

pub(super) fn apply(pipelines: &[&Pipeline], parsed: &mut Parsed<'_>) {
    for (rule, origin) in parsed.rules.iter_mut().zip(&mut parsed.origins) {
        let subject = Subject {
            header: &mut rule.header,
            log_source: &mut rule.log_source,
            detections: &mut rule.detections,
        };
        if let Err(problem) = subject.run(pipelines) {
            origin.refused = Some(problem);
        }
    }
    let mut refused = Vec::new();
    parsed.filters.retain_mut(|filter| {
        let subject = Subject {
            header: &mut filter.header,
            log_source: &mut filter.log_source,
            detections: &mut filter.detections,
        };
        match subject.run(pipelines) {
            Ok(()) => true,
            Err(mut problem) => {
                filter.header.handle().clone_into(&mut problem.rule);
                refused.push(problem);
                false
            }
        }
    });
    parsed.problems.extend(refused);
}

/// What is changed: a rule or a filter.
struct Subject<'a> {
    header: &'a mut Header,
    log_source: &'a mut LogSource,
    detections: &'a mut Detections,
}

impl Subject<'_> {
    fn run(mut self, pipelines: &[&Pipeline]) -> Result<(), Problem> {
        let mut progress = Progress::default();
        for pipeline in pipelines {
            for step in &pipeline.steps {
                self.step(step, &pipeline.variables, &mut progress)?;
            }
        }
        Ok(())
    }

    fn step(
        &mut self,
        step: &Step,
        variables: &BTreeMap<String, Vec<String>>,
        progress: &mut Progress,
    ) -> Result<(), Problem> {
        let applies = step.rules.holds(|condition| {
            condition.holds(
                self.header,
                self.log_source,
                &self.detections.named,
                progress,
            )
        });
        if !applies {
            return Ok(());
        }
        match &step.transformation {
            Transformation::Nothing => {}
            Transformation::AddCondition {
                name,
                items,
                negated,
                template,
            } => self.add_condition(name.as_deref(), items, *negated, *template),
            Transformation::ChangeLogSource(log_source) => {
                self.log_source.clone_from(log_source);
            }
            Transformation::SetState { key, value } => {
                progress.state.insert(key.clone(), value.clone());
            }
            Transformation::SetCustomAttribute { name, value } => {
                self.header.custom.retain(|(key, _)| key != name);
                self.header
                    .custom
                    .push((name.clone(), Node::Text(value.clone())));
            }
            Transformation::FailRule(message) => {
                return Err(Problem::error(
                    "",
                    format!("a pipeline refuses the rule: {message}"),
                    "",
                ));
            }
            Transformation::Nest(steps) => {
                for step in steps {
                    self.step(step, variables, progress)?;
                }
            }
            _ => self.items(step, variables, progress)?,
        }
        progress.applied.extend(step.id.clone());
        Ok(())
    }

    fn add_condition(&mut self, name: Option<&str>, items: &[Item], negated: bool, template: bool) {
        let mut name = name.unwrap_or("_added").to_owned();
        while self.detections.get(&name).is_some() {
            name.push('_');
        }
        let mut items = items.to_vec();
        if template {
            for value in items.iter_mut().flat_map(|item| &mut item.values) {
                if let Literal::Text(text) = value {
                    *text = filled(text, self.log_source);
                }
            }
        }
        let all = Detection::All(items.into_iter().map(Detection::Item).collect());
        self.detections.named.push((name.clone(), all));
        let added = Condition::Name(name);
        for condition in &mut self.detections.conditions {
            let added = if negated {
                Condition::Not(Box::new(added.clone()))
            } else {
                added.clone()
            };
            *condition = Condition::And(vec![added, condition.clone()]);
        }
    }

    /// Applies a transformation to every line that it is meant for.
    fn items(
        &mut self,
        step: &Step,
        variables: &BTreeMap<String, Vec<String>>,
        progress: &Progress,
    ) -> Result<(), Problem> {
        let change = Change {
            step,
            variables,
            progress,
        };
        for (name, detection) in &mut self.detections.named {
            let kept = change
                .detection(detection.clone())
                .map_err(|error| error.under(name).under("detection"))?;
            match kept {
                Some(changed) => *detection = changed,
                None => {
                    return Err(Problem::error(
                        format!("detection.{name}"),
                        "a pipeline drops everything that this part looks for",
                        "change the pipeline, or the rule",
                    ));
                }
            }
        }
        Ok(())
    }
}

/// `$product`, `$category` and `$service` with the rule's own.
fn filled(text: &str, log_source: &LogSource) -> String {
    let mut text = text.to_owned();
    for (name, value) in [
        ("product", &log_source.product),
        ("category", &log_source.category),
        ("service", &log_source.service),
    ] {
        let value = value.as_deref().unwrap_or_default();
        text = text.replace(&format!("${{{name}}}"), value);
        text = text.replace(&format!("${name}"), value);
    }
    text
}

struct Change<'a> {
    step: &'a Step,
    variables: &'a BTreeMap<String, Vec<String>>,
    progress: &'a Progress,
}

impl Change<'_> {
    /// The detection as it is to be, `None` where nothing is left of it.
    fn detection(&self, detection: Detection) -> Result<Option<Detection>, Problem> {
        let each = |parts: Vec<Detection>| -> Result<Vec<Detection>, Problem> {
            let mut kept = Vec::with_capacity(parts.len());
            for part in parts {
                kept.extend(self.detection(part)?);
            }
            Ok(kept)
        };
        Ok(match detection {
            Detection::All(parts) => {
                let kept = each(parts)?;
                (!kept.is_empty()).then_some(Detection::All(kept))
            }
            Detection::Any(parts) => {
                let kept = each(parts)?;
                (!kept.is_empty()).then_some(Detection::Any(kept))
            }
            Detection::Item(item) => {
                let key = item.key();
                let applies = self
                    .step
                    .fields
                    .holds(|condition| condition.holds(item.field.as_deref(), self.progress))
                    && self
                        .step
                        .items
                        .holds(|condition| condition.holds(&item, self.progress));
                if applies {
                    self.item(item).map_err(|error| error.under(&key))?
                } else {
                    Some(Detection::Item(item))
                }
            }
        })
    }

    fn item(&self, mut item: Item) -> Result<Option<Detection>, Problem> {
        match &self.step.transformation {
            Transformation::DropItem => return Ok(None),
            Transformation::FailItem(message) => {
                return Err(Problem::error(
                    "",
                    format!("a pipeline refuses this line: {message}"),
                    "",
                ));
            }
            Transformation::MapFields(mapping) => {
                rename_references(&mut item, mapping)?;
                let names = item
                    .field
                    .as_ref()
                    .and_then(|field| mapping.iter().find(|(from, _)| from == field));
                if let Some((_, names)) = names {
                    return Ok(Some(under_names(&item, names)));
                }
            }
            Transformation::MapPrefixes(mapping) => {
                let renamed = item.field.as_ref().and_then(|field| {
                    let (from, to) = mapping
                        .iter()
                        .find(|(from, _)| field.starts_with(from.as_str()))?;
                    let rest = &field[from.len()..];
                    Some(
                        to.iter()
                            .map(|to| format!("{to}{rest}"))
                            .collect::<Vec<_>>(),
                    )
                });
                if let Some(names) = renamed {
                    return Ok(Some(under_names(&item, &names)));
                }
            }
            Transformation::AddPrefix(prefix) => {
                rename(&mut item, |field| format!("{prefix}{field}"));
            }
            Transformation::AddSuffix(suffix) => {
                rename(&mut item, |field| format!("{field}{suffix}"));
            }
            Transformation::FieldCase(case) => rename(&mut item, |field| case.applied(field)),
            Transformation::WildcardPlaceholders(chosen) => {
                expand_placeholders(&mut item, &|name| {
                    chosen.means(name).then(|| vec!["*".to_owned()])
                })?;
            }
            Transformation::ValuePlaceholders(chosen) => {
                expand_placeholders(&mut item, &|name| {
                    chosen
                        .means(name)
                        .then(|| self.variables.get(name).cloned())?
                })?;
            }
            Transformation::HashesFields {
                algorithms,
                prefix,
                drop_algorithm,
            } => return hashes(item, algorithms, prefix, *drop_algorithm).map(Some),
            Transformation::ReplaceString {
                pattern,
                replacement,
                skip_special,
            } => each_text(&mut item, |text| {
                if *skip_special && has_wildcards(text) {
                    return text.to_owned();
                }
                pattern.replace_all(text, replacement.as_str()).into_owned()
            }),
            Transformation::MapString(mapping) => {
                item.values = item
                    .values
                    .into_iter()
                    .flat_map(|value| match &value {
                        Literal::Text(text) => {
                            match mapping.iter().find(|(from, _)| from == text) {
                                Some((_, to)) => to.iter().cloned().map(Literal::Text).collect(),
                                None => vec![value],
                            }
                        }
                        _ => vec![value],
                    })
                    .collect();
            }
            Transformation::SetValue(value) => item.values = vec![value.clone()],
            Transformation::ConvertType { to_number } => convert(&mut item, *to_number)?,
            Transformation::Case(case) => each_text(&mut item, |text| case.applied(text)),
            Transformation::AddCondition { .. }
            | Transformation::ChangeLogSource(_)
            | Transformation::SetState { .. }
            | Transformation::SetCustomAttribute { .. }
            | Transformation::FailRule(_)
            | Transformation::Nest(_)
            | Transformation::Nothing => {}
        }
        Ok(Some(Detection::Item(item)))
    }
}

/// Puts values in the place of placeholders. Where all are gone, the modifier that asks for them goes too.
fn expand_placeholders(
    item: &mut Item,
    values_of: &dyn Fn(&str) -> Option<Vec<String>>,
) -> Result<(), Problem> {
    if !item.has(Modifier::Expand) {
        return Ok(());
    }
    let mut left = false;
    let mut expanded = Vec::new();
    for value in std::mem::take(&mut item.values) {
        let Literal::Text(text) = value else {
            expanded.push(value);
            continue;
        };
        let mut texts = vec![text.clone()];
        for name in crate::compile::lower::placeholders(&text) {
            let Some(values) = values_of(&name) else {
                left = true;
                continue;
            };
            let sign = format!("%{name}%");
            texts = texts
                .iter()
                .flat_map(|text| values.iter().map(|value| text.replace(&sign, value)))
                .collect();
            if texts.len() + expanded.len() > VALUES_MAX {
                return Err(Problem::error(
                    "",
                    format!("its placeholders come to more than {VALUES_MAX} values"),
                    "give them fewer values",
                ));
            }
        }
        expanded.extend(texts.into_iter().map(Literal::Text));
    }
    if expanded.is_empty() {
        return Err(Problem::error(
            "",
            "its placeholders have no values",
            "give them values",
        ));
    }
    item.values = expanded;
    if !left {
        item.modifiers
            .retain(|modifier| *modifier != Modifier::Expand);
    }
    Ok(())
}

fn rename(item: &mut Item, change: impl Fn(&str) -> String) {
    if let Some(field) = &mut item.field {
        *field = without_spaces(&change(field));
    }
    if item.has(Modifier::FieldReference) {
        each_text(item, change);
    }
}

/// Fields named as values are renamed as well; one name can only become one other.
fn rename_references(item: &mut Item, mapping: &[(String, Vec<String>)]) -> Result<(), Problem> {
    if !item.has(Modifier::FieldReference) {
        return Ok(());
    }
    for value in &mut item.values {
        let Literal::Text(text) = value else {
            continue;
        };
        if let Some((_, names)) = mapping.iter().find(|(from, _)| from == text) {
            let [name] = names.as_slice() else {
                return Err(Problem::error(
                    "",
                    format!("the pipeline gives `{text}` several names"),
                    "a field that others are compared with needs one name",
                ));
            };
            name.clone_into(text);
        }
    }
    Ok(())
}

fn under_names(item: &Item, names: &[String]) -> Detection {
    let mut named: Vec<_> = names
        .iter()
        .map(|name| {
            Detection::Item(Item {
                field: Some(without_spaces(name)),
                ..item.clone()
            })
        })
        .collect();
    match named.len() {
        1 => named.pop().expect("its length is one"),
        _ => Detection::Any(named),
    }
}

fn each_text(item: &mut Item, change: impl Fn(&str) -> String) {
    for value in &mut item.values {
        if let Literal::Text(text) = value {
            *text = change(text);
        }
    }
}

fn has_wildcards(text: &str) -> bool {
    let parts = crate::compile::text::parts_of(text);
    crate::compile::text::plain(&parts).is_none()
}

fn convert(item: &mut Item, to_number: bool) -> Result<(), Problem> {
    for value in &mut item.values {
        *value = match &*value {
            Literal::Text(text) if to_number => {
                if let Ok(number) = text.trim().parse() {
                    Literal::Integer(number)
                } else {
                    match text.trim().parse::<f64>() {
                        Ok(number) if number.is_finite() => Literal::Float(number),
                        _ => {
                            return Err(Problem::error(
                                "",
                                format!("the pipeline cannot make a number of `{text}`"),
                                "correct the value or the pipeline",
                            ));
                        }
                    }
                }
            }
            number @ (Literal::Integer(_) | Literal::Unsigned(_) | Literal::Float(_))
                if !to_number =>
            {
                Literal::Text(number.to_string())
            }
            other => other.clone(),
        };
    }
    Ok(())
}

/// Takes `MD5=…` of a common field apart into a field for each algorithm.
fn hashes(
    item: Item,
    algorithms: &[String],
    prefix: &str,
    drop_algorithm: bool,
) -> Result<Detection, Problem> {
    if !matches!(item.field.as_deref(), Some("Hashes" | "Hash")) {
        return Ok(Detection::Item(item));
    }
    let mut by_field: BTreeMap<String, Vec<Literal>> = BTreeMap::new();
    for value in &item.values {
        let text = value.to_string();
        let text = text.trim_matches('*');
        let (algorithm, hash) = if let Some((algorithm, hash)) = text.split_once(['=', '|']) {
            (algorithm.to_uppercase(), hash)
        } else {
            let by_length = match text.len() {
                32 => "MD5",
                40 => "SHA1",
                64 => "SHA256",
                128 => "SHA512",
                _ => "",
            };
            (by_length.to_owned(), text)
        };
        if !algorithms
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&algorithm))
        {
            return Err(Problem::error(
                "",
                format!("`{text}` is no hash of an algorithm that the pipeline names"),
                "add the algorithm to `valid_hash_algos`",
            ));
        }
        let field = if drop_algorithm {
            prefix.to_owned()
        } else {
            format!("{prefix}{algorithm}")
        };
        by_field
            .entry(field)
            .or_default()
            .push(Literal::Text(hash.to_owned()));
    }
    let all = item.has(Modifier::All);
    let mut parts: Vec<_> = by_field
        .into_iter()
        .map(|(field, values)| {
            let mut modifiers = item.modifiers.clone();
            modifiers.retain(|modifier| {
                *modifier != Modifier::Contains && (*modifier != Modifier::All || values.len() > 1)
            });
            Detection::Item(Item {
                field: Some(field),
                modifiers,
                values,
            })
        })
        .collect();
    Ok(match parts.len() {
        1 => parts.pop().expect("its length is one"),
        _ if all => Detection::All(parts),
        _ => Detection::Any(parts),
    })
}
