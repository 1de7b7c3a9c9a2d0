//! The engine against another one, `rsigma-eval`: the same matches but for the differences listed in
//! `oracle_differences.md`, which says of each why ours is right.
//!
//! Generated rules and events always; all published rules over real event logs where a folder named by
//! `ALLCLEAR_EVIDENCE`, or the sibling folder `shared/evidence` of the project, holds them.

#[path = "../examples/support/mod.rs"]
mod support;

use proptest::prelude::*;
use rsigma_eval::event::JsonEvent;
use rsigma_eval::{CompiledRule, compile_rule, evaluate_rule};
use serde_json::{Map, Value as Json, json};
use sigma::{
    Engine, FieldId, Fields, Matcher, Options, Parsed, RuleState, SourceKey, Taxonomy, Value,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The list of differences; rules whose id stands in it are not compared.
const DIFFERENCES: &str = include_str!("oracle_differences.md");

struct Event<'a> {
    engine: &'a Engine,
    object: &'a Map<String, Json>,
}

fn value_of(json: &Json) -> Value<'_> {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Truth(*value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Integer(number),
            None => Value::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::text(text.as_str()),
        Json::Array(values) => Value::List(values.iter().map(value_of).collect()),
        Json::Object(_) => Value::text(json.to_string()),
    }
}

impl Fields for Event<'_> {
    fn value(&self, field: FieldId) -> Option<Value<'_>> {
        let name = &self.engine.fields()[field.index()];
        self.object.get(name).map(value_of)
    }

    fn each(&self, visit: &mut dyn FnMut(&Value<'_>)) {
        self.object
            .values()
            .for_each(|value| visit(&value_of(value)));
    }
}

fn any_text() -> impl Strategy<Value = String> {
    // Few letters, so that values meet.
    prop_oneof![
        4 => "[abAB]{1,4}",
        2 => "[ab.\\\\/ -]{1,6}",
        1 => Just(r"C:\Windows\System32\cmd.exe".to_owned()),
        1 => "[0-9]{1,3}",
    ]
}

fn any_literal() -> impl Strategy<Value = Json> {
    prop_oneof![
        6 => any_text().prop_map(Json::from),
        1 => "[ab*?]{1,5}".prop_map(Json::from),
        1 => (-3_i64..200).prop_map(Json::from),
        1 => any::<bool>().prop_map(Json::from),
        1 => Just(Json::Null),
    ]
}

/// A line of a detection that both engines are meant to read alike.
fn any_item() -> impl Strategy<Value = (String, Json)> {
    let field = prop_oneof![Just("a"), Just("b"), Just("c")];
    let texts = || prop::collection::vec(any_text().prop_map(Json::from), 2..4);
    let value = prop_oneof![
        (any_literal()).prop_map(|value| (String::new(), value)),
        prop::collection::vec(any_text().prop_map(Json::from), 1..4)
            .prop_map(|values| (String::new(), Json::Array(values))),
        (
            prop_oneof![Just("|contains"), Just("|startswith"), Just("|endswith")],
            texts()
        )
            .prop_map(|(modifier, values)| (modifier.to_owned(), Json::Array(values))),
        (
            prop_oneof![
                Just("|contains|all"),
                Just("|contains|cased"),
                Just("|cased")
            ],
            texts()
        )
            .prop_map(|(modifier, values)| (modifier.to_owned(), Json::Array(values))),
        (
            prop_oneof![Just("|re"), Just("|re|i")],
            "[ab]{1,3}([.][*+]?)?[ab]?"
        )
            .prop_map(|(modifier, value)| (modifier.to_owned(), Json::from(value))),
        (
            prop_oneof![Just("|gt"), Just("|gte"), Just("|lt"), Just("|lte")],
            -3_i64..200
        )
            .prop_map(|(modifier, value)| (modifier.to_owned(), Json::from(value))),
        prop_oneof![Just("b"), Just("c")]
            .prop_map(|other| ("|fieldref".to_owned(), Json::from(other))),
        any::<bool>().prop_map(|value| ("|exists".to_owned(), Json::from(value))),
        "[ab]{2,4}".prop_map(|value| ("|base64|contains".to_owned(), Json::from(value))),
        "[ab]( -[ab]){1,2}".prop_map(|value| ("|windash|contains".to_owned(), Json::from(value))),
    ];
    (field, value).prop_map(|(field, (modifiers, value))| (format!("{field}{modifiers}"), value))
}

fn any_detection() -> impl Strategy<Value = Json> {
    let items = || prop::collection::vec(any_item(), 1..4);
    let mapping = || items().prop_map(|items| Json::Object(items.into_iter().collect()));
    prop_oneof![
        4 => mapping(),
        1 => prop::collection::vec(mapping(), 2..4).prop_map(Json::Array),
        1 => prop::collection::vec("[ab]{1,3}".prop_map(Json::from), 1..4).prop_map(Json::Array),
    ]
}

fn any_condition() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("s1".to_owned()),
        Just("s2".to_owned()),
        Just("f1".to_owned()),
        Just("1 of s*".to_owned()),
        Just("all of s*".to_owned()),
        Just("1 of them".to_owned()),
        Just("all of them".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| format!("not ({one})")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("{one} and ({other})")),
            (inner.clone(), inner).prop_map(|(one, other)| format!("({one}) or {other}")),
        ]
    })
}

fn any_value() -> impl Strategy<Value = Json> {
    let single = prop_oneof![
        6 => any_text().prop_map(Json::from),
        1 => (-3_i64..200).prop_map(Json::from),
        1 => any::<bool>().prop_map(Json::from),
        1 => Just(json!(1.5)),
    ];
    prop_oneof![
        8 => single.clone(),
        1 => prop::collection::vec(single, 0..3).prop_map(Json::Array),
    ]
}

fn any_event() -> impl Strategy<Value = Map<String, Json>> {
    let field = prop_oneof![
        Just("a".to_owned()),
        Just("b".to_owned()),
        Just("c".to_owned()),
        Just("d".to_owned())
    ];
    prop::collection::btree_map(field, any_value(), 0..4)
        .prop_map(|event| event.into_iter().collect())
}

fn oracle(rule: &str) -> Option<CompiledRule> {
    let collection = rsigma_parser::parse_sigma_yaml(rule).ok()?;
    compile_rule(collection.rules.first()?).ok()
}

/// Where texts alone are compared alike: fields with each other, and keywords.
fn compares_differently(rule: &Json, event: &Map<String, Json>) -> bool {
    let detection = rule["detection"].as_object().expect("it is one");
    let keywords = detection
        .values()
        .filter_map(Json::as_array)
        .any(|parts| parts.iter().any(Json::is_string));
    (keywords || rule.to_string().contains("|fieldref"))
        && event.values().any(|value| !value.is_string())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn generated_rules_match_the_same_events(
        s1 in any_detection(),
        s2 in any_detection(),
        f1 in any_detection(),
        condition in any_condition(),
        events in prop::collection::vec(any_event(), 1..6),
    ) {
        let rule = json!({
            "title": "t", "logsource": {"product": "any"},
            "detection": {"s1": s1, "s2": s2, "f1": f1, "condition": condition},
        });
        let text = rule.to_string();
        let Some(other) = oracle(&text) else {
            return Ok(());
        };
        let engine = Engine::compile(sigma::parse(&text), Taxonomy::everything(), Options::default());
        let state = engine.states().next().map(|(_, state)| state.clone());
        prop_assert!(matches!(state, Some(RuleState::Ready { .. })), "{:?} {:?}", state, engine.problems());
        let partition = engine.partition(&SourceKey::new());
        let mut matcher = Matcher::new(&engine);
        for event in &events {
            if compares_differently(&rule, event) {
                continue;
            }
            let mut ours = false;
            matcher.evaluate(partition, &Event { engine: &engine, object: event }, &mut |_| ours = true);
            let json = Json::Object(event.clone());
            let theirs = evaluate_rule(&other, &JsonEvent::borrow(&json)).is_some();
            prop_assert_eq!(ours, theirs, "{}\non {}", text, json);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the test's own input")]
fn evidence() -> PathBuf {
    match std::env::var("ALLCLEAR_EVIDENCE") {
        Ok(folder) => folder.into(),
        Err(_not_set) => PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../shared/evidence"
        )),
    }
}

/// Events of each kind that are compared.
const EVENTS_OF_A_KIND: usize = 6;

#[test]
fn published_rules_match_the_same_real_events() {
    let folder = evidence();
    let archive = support::files_below(&folder.join("sigma"), "gz");
    let logs = support::files_below(&folder.join("evtx"), "evtx");
    let (Some(archive), false) = (archive.first(), logs.is_empty()) else {
        println!("skipped: there is no folder with rules and event logs");
        return;
    };
    let texts = support::rule_texts(archive, |_, _| true);
    let mut parsed = Parsed::default();
    let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
    for file in sigma::parse_all(&borrowed, 2) {
        parsed.append(file);
    }
    assert_eq!(parsed.rules.len(), texts.len(), "{:?}", parsed.problems);
    let ids: Vec<_> = parsed
        .rules
        .iter()
        .map(|rule| rule.header.id.clone().unwrap())
        .collect();
    let engine = Engine::compile(parsed, Taxonomy::everything(), Options { workers: 2 });
    let others: Vec<_> = texts.iter().map(|text| oracle(text)).collect();
    let partition = engine.partition(&SourceKey::new());
    let mut matcher = Matcher::new(&engine);
    let mut kinds: BTreeMap<SourceKey, usize> = BTreeMap::new();
    let mut compared = 0;
    let mut matched = 0;
    let mut differing: BTreeMap<String, (usize, usize, String)> = BTreeMap::new();
    for log in logs {
        for event in support::flat_events(&log) {
            let seen = kinds.entry(support::key_of(&event)).or_default();
            *seen += 1;
            if *seen > EVENTS_OF_A_KIND {
                continue;
            }
            let mut ours = BTreeSet::new();
            matcher.evaluate(
                partition,
                &Event {
                    engine: &engine,
                    object: &event,
                },
                &mut |one| {
                    ours.insert(one.rule.index());
                },
            );
            let json = Json::Object(event);
            for (rule, other) in others.iter().enumerate() {
                let Some(other) = other else { continue };
                let theirs = evaluate_rule(other, &JsonEvent::borrow(&json)).is_some();
                compared += 1;
                matched += usize::from(theirs);
                if theirs != ours.contains(&rule) && !DIFFERENCES.contains(&ids[rule]) {
                    let entry =
                        differing
                            .entry(ids[rule].clone())
                            .or_insert((0, 0, json.to_string()));
                    if theirs { entry.1 += 1 } else { entry.0 += 1 }
                }
            }
        }
    }
    println!("{compared} comparisons, {matched} matches");
    for (rule, (only_ours, only_theirs, event)) in &differing {
        println!(
            "{rule}: {only_ours} only ours, {only_theirs} only the other's, as on {event:.600}"
        );
    }
    assert!(matched > 0 && differing.is_empty());
}
