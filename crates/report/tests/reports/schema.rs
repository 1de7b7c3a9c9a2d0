//! Reports obey the published schema, and the schema describes reports and nothing else.

use crate::sample;
use model::report::Report;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SCHEMA: &str = include_str!("../../../../docs/schema/report-1.json");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn as_json(report: &Report) -> Value {
    let mut out = Vec::new();
    report::json(report, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn reports_obey_the_schema_and_come_back_the_same() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for report in [
        sample::compromised(),
        sample::clear(),
        sample::empty(),
        sample::fleet(),
        sample::hostile("\u{1b}[2J<script>\u{202e}"),
    ] {
        let value = as_json(&report);
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
        assert_eq!(serde_json::from_value::<Report>(value).unwrap(), report);
    }
}

#[test]
fn properties_that_the_schema_does_not_name_are_refused_in_every_object() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let report = as_json(&sample::compromised());
    let mut pointers = Vec::new();
    objects(&report, String::new(), &mut pointers);
    assert!(
        pointers.len() > 50,
        "the sample holds objects of every kind"
    );
    for pointer in pointers {
        let mut changed = report.clone();
        changed.pointer_mut(&pointer).unwrap()["unknown_property"] = json!(1);
        assert!(
            !validator.is_valid(&changed),
            "unknown property accepted in `{pointer}`"
        );
    }
}

#[test]
fn other_versions_and_empty_reasons_are_refused() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let report = as_json(&sample::compromised());
    for (pointer, value) in [
        ("/schema", json!("allclear/report/2")),
        ("/hosts/0/campaigns/0/reasons", json!([])),
        ("/hosts/0/campaigns/0/verdict", json!("fine")),
        ("/hosts/0/campaigns/0/coverage/needs/0/seen", json!(1.1)),
        ("/as_of", json!("yesterday")),
    ] {
        let mut changed = report.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        assert!(!validator.is_valid(&changed), "{pointer}");
    }
}

#[test]
fn every_property_is_described_and_some_report_has_it() {
    let schema = schema();
    let mut properties = BTreeSet::new();
    described_properties(&schema, &mut properties);
    let mut seen = BTreeSet::new();
    keys(&as_json(&sample::compromised()), &mut seen);
    let never_seen: Vec<&String> = properties.difference(&seen).collect();
    // A place in the sample has a line or an offset; `record` belongs to event logs.
    assert_eq!(never_seen, ["record"]);
}

fn objects(value: &Value, pointer: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                objects(value, format!("{pointer}/{name}"), found);
            }
            // Names below are the evidence's own; a number among them is refused all the same.
            found.push(pointer);
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                objects(value, format!("{pointer}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Collects the names of properties, and fails where one has no description.
fn described_properties(schema: &Value, names: &mut BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        for (name, property) in properties {
            assert!(
                property["description"].is_string(),
                "`{name}` is not described"
            );
            names.insert(name.clone());
        }
    }
    for definition in schema["$defs"]
        .as_object()
        .into_iter()
        .flat_map(|defs| defs.values())
    {
        assert!(definition["description"].is_string(), "{definition}");
        described_properties(definition, names);
    }
}

fn keys(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                names.insert(name.clone());
                keys(value, names);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| keys(value, names)),
        _ => {}
    }
}
