//! Runs each rule of a pack on its examples.

use crate::engine::{Engine, Extra};
use model::{At, Interest, Record, SourceName, Timestamp, Value};
use pack::{Example, ExampleContent, Pack};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// An example that its rule does not treat as it must, or a rule without examples.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExampleFailure {
    /// The example's file, or the rule's.
    pub path: String,
    pub rule: String,
    pub why: String,
}

/// One example, and how its rule treated it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExampleOutcome {
    /// The example's file.
    pub path: String,
    /// Its number in that file, from 1.
    pub number: usize,
    pub rule: String,
    pub must_match: bool,
    pub matched: bool,
}

/// How the rules of a pack get on with its examples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackTest {
    /// Every example, in the pack's order.
    pub outcomes: Vec<ExampleOutcome>,
    /// Rules that cannot be run, or that lack a matching or a clear example.
    pub untested: Vec<ExampleFailure>,
}

impl ExampleOutcome {
    /// What is wrong, where the rule does not treat its example as it must.
    pub fn failure(&self) -> Option<&'static str> {
        match (self.must_match, self.matched) {
            (true, false) => Some("the rule does not match its example"),
            (false, true) => Some("the rule matches an example that it must leave alone"),
            _ => None,
        }
    }
}

/// Tries every example of a pack: the rule must match, or leave alone, what the example says. Only what fails is told,
/// with rules that cannot be run, and rules that lack a matching or a clear example.
pub fn test_pack(pack: &Pack) -> Vec<ExampleFailure> {
    let tested = try_pack(pack);
    let failed = tested.outcomes.into_iter().filter_map(|outcome| {
        let why = outcome.failure()?.to_owned();
        Some(ExampleFailure {
            path: outcome.path,
            rule: outcome.rule,
            why,
        })
    });
    let mut failures: Vec<ExampleFailure> = failed.collect();
    failures.extend(tested.untested);
    failures
}

/// Tries every example of a pack and tells the outcome of each.
pub fn try_pack(pack: &Pack) -> PackTest {
    let (engine, problems) = match Engine::new(std::slice::from_ref(pack), &Extra::default()) {
        Ok(made) => made,
        Err(error) => {
            let failure = ExampleFailure {
                path: pack.manifest.name.clone(),
                rule: String::new(),
                why: error.to_string(),
            };
            return PackTest {
                outcomes: Vec::new(),
                untested: vec![failure],
            };
        }
    };
    let mut tested = PackTest::default();
    tested
        .untested
        .extend(problems.into_iter().map(|problem| ExampleFailure {
            path: problem.path,
            rule: problem.rule,
            why: format!("the rule cannot be run, as it {}", problem.why),
        }));
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    for example in pack.examples.iter() {
        let number = numbers.entry(&example.path).or_default();
        *number += 1;
        tested.outcomes.push(ExampleOutcome {
            path: example.path.clone(),
            number: *number,
            rule: example.rule.clone(),
            must_match: example.must_match,
            matched: is_matched(&engine, example),
        });
    }
    tested.untested.extend(without_examples(pack));
    tested
}

/// Whether the example's rule matches it.
fn is_matched(engine: &Engine, example: &Example) -> bool {
    let matched: Vec<String> = match &example.content {
        ExampleContent::Record { source, fields } => {
            let record = ExampleRecord::new(source, fields, engine.is_json(source));
            let mut item = engine.item("example");
            let mut rules = Vec::new();
            item.hunt(&record, &Interest::Any, &mut |found| {
                rules.push(found.rule_id.to_owned());
            });
            rules
        }
        ExampleContent::File { path, bytes } => {
            let mut item = engine.item(path);
            item.file("web.script", None, bytes, true);
            let findings = item.finish().findings;
            findings.into_iter().map(|finding| finding.rule).collect()
        }
    };
    matched.contains(&example.rule)
}

/// Rules for which no example shows what they match, or what they leave alone.
fn without_examples(pack: &Pack) -> Vec<ExampleFailure> {
    let mut failures = Vec::new();
    let sigma = pack.sigma.iter().flat_map(|file| {
        let heads = pack::sigma_heads(file).unwrap_or_default();
        heads.into_iter().map(|head| (file.path.clone(), head.id))
    });
    let yara = pack.yara.iter().flat_map(|file| {
        let heads = pack::yara_heads(file);
        heads.into_iter().map(|head| (file.path.clone(), head.id))
    });
    let analyses = pack.analyses.iter();
    let analyses = analyses.map(|rule| ("analyses.yaml".to_owned(), rule.id.clone()));
    for (path, rule) in sigma.chain(yara).chain(analyses) {
        for (must_match, what) in [(true, "matches"), (false, "leaves alone")] {
            let has = pack
                .examples
                .iter()
                .any(|example| example.rule == rule && example.must_match == must_match);
            if !has {
                failures.push(ExampleFailure {
                    path: path.clone(),
                    rule: rule.clone(),
                    why: format!("no example shows what the rule {what}"),
                });
            }
        }
    }
    failures
}

impl Engine {
    fn is_json(&self, source: &str) -> bool {
        !self.table.form_of(&SourceName::new(source)).lines
    }
}

/// A record made of the fields that an example names.
pub(crate) struct ExampleRecord<'a> {
    source: SourceName,
    fields: &'a BTreeMap<String, String>,
    raw: String,
}

impl<'a> ExampleRecord<'a> {
    pub(crate) fn new(source: &str, fields: &'a BTreeMap<String, String>, json: bool) -> Self {
        let raw = if json {
            serde_json::to_string(fields).unwrap_or_default()
        } else {
            fields.values().cloned().collect::<Vec<_>>().join(",")
        };
        Self {
            source: SourceName::new(source),
            fields,
            raw,
        }
    }
}

impl Record for ExampleRecord<'_> {
    fn source(&self) -> &SourceName {
        &self.source
    }

    fn time(&self) -> Option<Timestamp> {
        None
    }

    fn at(&self) -> At {
        At::Line(1)
    }

    fn get(&self, field: &str) -> Option<Value<'_>> {
        self.fields
            .get(field)
            .map(|text| Value::text(text.as_str()))
    }

    fn each_field(&self, visit: &mut dyn FnMut(&str, Value<'_>)) {
        for (name, text) in self.fields {
            visit(name, Value::text(text.as_str()));
        }
    }

    fn raw(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_every_pack_treats_its_examples_as_it_must() {
        for pack in pack::builtin_packs() {
            let failures = test_pack(&pack);
            let shown: Vec<String> = failures
                .iter()
                .map(|failure| format!("{} {}: {}", failure.path, failure.rule, failure.why))
                .collect();
            assert!(
                shown.is_empty(),
                "{}:\n{}",
                pack.manifest.name,
                shown.join("\n")
            );
            assert!(!pack.examples.is_empty());
        }
    }
}
