//! Fuzzes the reading, compiling and evaluating of Sigma rules.
//!
//! Besides crashes and hangs, it checks that the explanation and the compiled rule agree, and that a text is found in
//! UTF-16 as in UTF-8.
#![no_main]

use sigma::{Engine, FieldId, Fields, Matcher, Options, SourceKey, Taxonomy, Value};

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
        self.show(self.lines.get(field.index() % self.lines.len().max(1))?)
    }

    fn each(&self, visit: &mut dyn FnMut(&Value<'_>)) {
        for line in &self.lines {
            if let Some(value) = self.show(line) {
                visit(&value);
            }
        }
    }
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
    event.is_wide = true;
    let mut found_wide = Vec::new();
    matcher.evaluate(partition, &event, &mut |one| found_wide.push(one.rule));
    assert_eq!(found_wide, found, "a text is found however it is encoded");
});
