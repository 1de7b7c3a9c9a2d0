//! JSON objects as events, and short ways to ask what matches.

use serde_json::{Map, Value as Json};
use sigma::{
    Engine, FieldId, Fields, Matcher, Options, Parsed, RuleState, SourceKey, Taxonomy, Value,
};

/// A JSON object; `a.b` looks into objects.
pub(crate) struct Event<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) object: &'a Map<String, Json>,
}

pub(crate) fn value_of(json: &Json) -> Value<'_> {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Truth(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::Integer(number),
            (None, Some(number)) => Value::Unsigned(number),
            (None, None) => Value::Float(number.as_f64().expect("a test's own input")),
        },
        Json::String(text) => Value::text(text.as_str()),
        Json::Array(values) => Value::List(values.iter().map(value_of).collect()),
        Json::Object(_) => Value::text(json.to_string()),
    }
}

fn look_up<'a>(object: &'a Map<String, Json>, name: &str) -> Option<&'a Json> {
    if let Some(found) = object.get(name) {
        return Some(found);
    }
    let (first, rest) = name.split_once('.')?;
    look_up(object.get(first)?.as_object()?, rest)
}

impl Fields for Event<'_> {
    fn value(&self, field: FieldId) -> Option<Value<'_>> {
        let name = &self.engine.fields()[field.index()];
        let spaced = self
            .object
            .iter()
            .find(|(own, _)| own.contains(' ') && own.replace(' ', "") == *name);
        let found = look_up(self.object, name).or(spaced.map(|(_, value)| value))?;
        Some(value_of(found))
    }

    fn each(&self, visit: &mut dyn FnMut(&Value<'_>)) {
        self.object
            .values()
            .for_each(|value| visit(&value_of(value)));
    }
}

pub(crate) fn object(text: &str) -> Map<String, Json> {
    let json: Json = serde_json::from_str(text).expect(text);
    json.as_object().expect("a test's own input").clone()
}

pub(crate) fn compile(rules: &str) -> Engine {
    compile_with(sigma::parse(rules), Taxonomy::everything())
}

pub(crate) fn compile_with(parsed: Parsed<'_>, taxonomy: Taxonomy) -> Engine {
    Engine::compile(parsed, taxonomy, Options::default())
}

/// Titles of the rules that match; the explanation of every rule must come to the same.
pub(crate) fn matches(engine: &Engine, key: &SourceKey, object: &Map<String, Json>) -> Vec<String> {
    let event = Event { engine, object };
    let partition = engine.partition(key);
    let mut found = Vec::new();
    Matcher::new(engine).evaluate(partition, &event, &mut |one| found.push(one.rule));
    for (rule, state) in engine.states() {
        if engine.rule(rule).is_some() && state.is_ready() {
            let explained = engine.explain(rule, key, &event);
            assert_eq!(
                explained.holds,
                found.contains(&rule),
                "explanation of {object:?}:\n{explained}"
            );
        }
    }
    found
        .iter()
        .map(|rule| engine.header(*rule).title.clone())
        .collect()
}

/// A rule with this detection section, written as a YAML flow mapping or block of two spaces.
pub(crate) fn rule(detection: &str) -> String {
    let body = detection.replace('\n', "\n  ");
    format!("title: t\nlogsource: {{product: any}}\ndetection:\n  {body}\n")
}

/// What became of the only rule, in one line.
pub(crate) fn state(rules: &str) -> String {
    let parsed = sigma::parse(rules);
    if parsed.rules.is_empty() {
        return parsed
            .problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n");
    }
    let engine = compile_with(parsed, Taxonomy::everything());
    let states: Vec<_> = engine
        .states()
        .map(|(_, state)| match state {
            RuleState::Ready { .. } => "ready".to_owned(),
            RuleState::Undetectable { reasons } => format!("undetectable: {}", reasons.join("; ")),
            RuleState::Rejected(problem) => format!("rejected: {problem}"),
        })
        .collect();
    states.join("\n")
}
