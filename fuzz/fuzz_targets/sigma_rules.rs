//! Fuzzes the reading, compiling and evaluating of Sigma rules.
//!
//! Besides crashes and hangs, it checks that the explanation, the parts of a rule and the compiled rule agree, that a
//! text is found in UTF-16 as in UTF-8, and that parts hold only where what they promise stands in the event.
#![no_main]

use sigma::{
    Engine, FieldId, Fields, Matcher, Options, Promise, RuleId, SourceKey, Taxonomy, Value,
};
use std::collections::BTreeSet;

/// Lines at the end of the text that are the event's values.
const VALUES: usize = 5;

/// An event whose fields hold these lines, one after the other and from the first again.
struct Event {
    lines: Vec<Line>,
    is_wide: bool,
}

struct Line {
    text: String,
    wide: Vec<u8>,
}

impl Line {
    fn of(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            wide: text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        }
    }
}

impl Event {
    fn line(&self, field: usize) -> Option<&Line> {
        self.lines.get(field % self.lines.len().max(1))
    }

    /// Whether what a part of a rule promises stands in this event.
    fn keeps(&self, promise: &Promise<'_>, engine: &Engine) -> bool {
        match promise {
            Promise::Nothing => true,
            Promise::Any(parts) => parts.iter().any(|part| self.keeps(part, engine)),
            Promise::All(parts) => parts.iter().all(|part| self.keeps(part, engine)),
            Promise::Pieces { fields, pieces } => {
                let of_fields = engine.fields().iter().enumerate();
                let of_fields = of_fields
                    .filter(|(_, name)| fields.contains(&name.as_str()))
                    .filter_map(|(index, _)| self.line(index));
                let lines: Vec<&Line> = match fields.is_empty() {
                    true => self.lines.iter().collect(),
                    false => of_fields.collect(),
                };
                let mut texts = BTreeSet::new();
                for value in lines.into_iter().filter_map(|line| self.show(line)) {
                    match value {
                        Value::List(values) => {
                            texts.extend(values.iter().map(|value| folded(&value.to_text())));
                        }
                        value => {
                            texts.insert(folded(&value.to_text()));
                        }
                    }
                }
                texts.iter().any(|text| {
                    let mut pieces = pieces.iter();
                    pieces.all(|piece| text.contains(&folded(piece)))
                })
            }
        }
    }

    fn show<'a>(&self, line: &'a Line) -> Option<Value<'a>> {
        let text = line.text.as_str();
        Some(match text {
            "" => return None,
            "~" => Value::Null,
            "true" => Value::Truth(true),
            "[]" => Value::List(
                self.lines
                    .iter()
                    .map(|line| Value::text(line.text.clone()))
                    .collect(),
            ),
            _ => match (text.parse(), text.parse()) {
                (Ok(number), _) => Value::Integer(number),
                (_, Ok(number)) => Value::Float(number),
                _ if self.is_wide => Value::Utf16(&line.wide),
                _ => Value::text(text),
            },
        })
    }
}

impl Fields for Event {
    fn value(&self, field: FieldId) -> Option<Value<'_>> {
        self.show(self.line(field.index())?)
    }

    fn each(&self, visit: &mut dyn FnMut(&Value<'_>)) {
        for line in &self.lines {
            if let Some(value) = self.show(line) {
                visit(&value);
            }
        }
    }
}

fn folded(text: &str) -> String {
    // The engine takes the long s for an s, as Unicode does.
    let lower = text.chars().flat_map(char::to_lowercase);
    lower
        .map(|letter| if letter == 'ſ' { 's' } else { letter })
        .collect()
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    let engine = Engine::compile(
        sigma::parse(text),
        Taxonomy::everything(),
        Options::default(),
    );
    let key = SourceKey::new();
    let partition = engine.partition(&key);
    let mut event = Event {
        lines: text.lines().rev().take(VALUES).map(Line::of).collect(),
        is_wide: false,
    };
    let mut matcher = Matcher::new(&engine);
    let mut found = Vec::new();
    matcher.evaluate(partition, &event, &mut |one| found.push(one.rule));
    for (rule, state) in engine.states() {
        if engine.rule(rule).is_some() && state.is_ready() {
            assert_eq!(
                engine.explain(rule, &key, &event).holds,
                found.contains(&rule),
                "the explanation and the compiled rule agree"
            );
        }
    }
    let mut found_by_parts = BTreeSet::new();
    for (variant, parts) in engine.parts(&key) {
        for part in parts.iter().filter(|part| part.holds(&engine, &event)) {
            let promise = part.promise(&engine);
            assert!(event.keeps(&promise, &engine), "{promise:?} is kept");
        }
        let mut found_alone = Vec::new();
        let alone = std::iter::once(variant);
        matcher.evaluate_some(partition, alone, &event, &mut |one| {
            found_alone.push(one.rule);
        });
        let all_hold = parts.iter().all(|part| part.holds(&engine, &event));
        assert_eq!(
            found_alone.len(),
            usize::from(all_hold),
            "a rule matches where all of its parts hold"
        );
        found_by_parts.extend(found_alone);
    }
    let found_rules: BTreeSet<RuleId> = found.iter().copied().collect();
    assert_eq!(
        found_by_parts, found_rules,
        "the parts and the compiled rule agree"
    );
    event.is_wide = true;
    let mut found_wide = Vec::new();
    matcher.evaluate(partition, &event, &mut |one| found_wide.push(one.rule));
    assert_eq!(found_wide, found, "a text is found however it is encoded");
});
