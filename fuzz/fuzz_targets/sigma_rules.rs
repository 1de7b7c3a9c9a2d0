//! Fuzzes the reading, compiling and evaluating of Sigma rules.
#![no_main]

use sigma::{Engine, FieldId, Fields, Matcher, Options, SourceKey, Taxonomy, Value};

/// An event that holds the same text in every field.
struct Event<'a>(&'a str);

impl Fields for Event<'_> {
    fn value(&self, _field: FieldId) -> Option<Value<'_>> {
        Some(Value::text(self.0))
    }

    fn each(&self, visit: &mut dyn FnMut(&Value<'_>)) {
        visit(&Value::text(self.0));
    }
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    let engine = Engine::compile(sigma::parse(text), Taxonomy::everything(), Options::default());
    let key = SourceKey::new();
    let partition = engine.partition(&key);
    let event = Event(text.lines().next_back().unwrap_or_default());
    let mut found = Vec::new();
    Matcher::new(&engine).evaluate(partition, &event, &mut |one| found.push(one.rule));
    for (rule, state) in engine.states() {
        if engine.rule(rule).is_some() && state.is_ready() {
            assert_eq!(
                engine.explain(rule, &key, &event).holds,
                found.contains(&rule),
                "the explanation and the compiled rule agree"
            );
        }
    }
});
