//! Processing pipelines in pySigma's format.

use crate::event::{compile_with, matches, object, rule};
use sigma::{Engine, Pipeline, RuleState, SourceKey, Taxonomy};

fn engine(pipelines: &[&str], rules: &str) -> Engine {
    let pipelines: Vec<_> = pipelines
        .iter()
        .map(|text| Pipeline::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}")))
        .collect();
    let mut parsed = sigma::parse(rules);
    Pipeline::apply(&pipelines, &mut parsed);
    compile_with(parsed, Taxonomy::everything())
}

/// Asserts which events a rule with this detection matches behind a pipeline of these transformations.
fn check(transformations: &str, detection: &str, fitting: &[&str], others: &[&str]) {
    let pipeline =
        format!("name: p\nvars: {{Servers: [s1, s2]}}\ntransformations: {transformations}");
    let engine = engine(&[&pipeline], &rule(detection));
    for (events, expected) in [(fitting, true), (others, false)] {
        for event in events {
            let found = !matches(&engine, &SourceKey::new(), &object(event)).is_empty();
            assert_eq!(found, expected, "{transformations}\n{detection}\n{event}");
        }
    }
}

const RULE: &str = "s: {a: x}\ncondition: s";

#[test]
fn fields_get_other_names() {
    check(
        "[{type: field_name_mapping, mapping: {a: b}}]",
        RULE,
        &[r#"{"b":"x"}"#],
        &[r#"{"a":"x"}"#],
    );
    check(
        "[{type: field_name_mapping, mapping: {a: [b, c]}}]",
        RULE,
        &[r#"{"b":"x"}"#, r#"{"c":"x"}"#],
        &[r#"{"a":"x"}"#],
    );
    check(
        "[{type: field_name_mapping, mapping: {b: c}}]",
        "s: {'a|fieldref': b}\ncondition: s",
        &[r#"{"a":1,"c":1}"#],
        &[r#"{"a":1,"b":1}"#],
    );
    check(
        "[{type: field_name_prefix_mapping, mapping: {win.: 'evt.'}}]",
        "s: {win.x: 1}\ncondition: s",
        &[r#"{"evt.x":1}"#],
        &[],
    );
    check(
        "[{type: field_name_prefix, prefix: p_}, {type: field_name_suffix, suffix: _s}]",
        RULE,
        &[r#"{"p_a_s":"x"}"#],
        &[],
    );
    check(
        "[{type: field_name_transform, transform_func: snake_case}]",
        "s: {CommandLine: 1}\ncondition: s",
        &[r#"{"command_line":1}"#],
        &[],
    );
    check(
        "[{type: field_name_mapping, mapping: {a: b}, field_name_conditions: [{type: exclude_fields, fields: [a]}]}]",
        RULE,
        &[r#"{"a":"x"}"#],
        &[],
    );
    check(
        "[{type: field_name_suffix, suffix: '2', field_name_conditions: [{type: include_fields, fields: ['a.*'], mode: re}]}]",
        RULE,
        &[r#"{"a2":"x"}"#],
        &[],
    );
}

#[test]
fn conditions_are_added_and_lines_dropped() {
    check(
        "[{type: add_condition, conditions: {EventID: [1, 2]}}]",
        RULE,
        &[r#"{"a":"x","EventID":2}"#],
        &[r#"{"a":"x"}"#],
    );
    check(
        "[{type: add_condition, negated: true, conditions: {EventID: 1}}]",
        RULE,
        &[r#"{"a":"x"}"#],
        &[r#"{"a":"x","EventID":1}"#],
    );
    check(
        "[{type: add_condition, template: true, conditions: {p: '$product'}}]",
        RULE,
        &[r#"{"a":"x","p":"any"}"#],
        &[r#"{"a":"x"}"#],
    );
    check(
        "[{type: drop_detection_item, field_name_conditions: [{type: include_fields, fields: [b]}]}]",
        "s: {a: x, b: y}\ncondition: s",
        &[r#"{"a":"x"}"#],
        &[],
    );
    check(
        "[{type: add_condition, conditions: {z: 1}, rule_conditions: [{type: logsource, product: other}]}]",
        RULE,
        &[r#"{"a":"x"}"#],
        &[],
    );
    check(
        "[{type: add_condition, conditions: {z: 1}, rule_cond_not: true, rule_conditions: [{type: logsource, product: any}]}]",
        RULE,
        &[r#"{"a":"x"}"#],
        &[],
    );
    check(
        "[{type: set_state, key: k, val: v}, {type: add_condition, conditions: {z: 1}, rule_conditions: [{type: processing_state, key: k, val: v}]}]",
        RULE,
        &[],
        &[r#"{"a":"x"}"#],
    );
    check(
        "[{id: one, type: set_state, key: k, val: v}, {type: add_condition, conditions: {z: 1}, rule_conditions: [{type: processing_item_applied, processing_item_id: one}]}]",
        RULE,
        &[r#"{"a":"x","z":1}"#],
        &[r#"{"a":"x"}"#],
    );
}

#[test]
fn values_are_changed() {
    check(
        "[{type: replace_string, regex: '^(.)x', replacement: '\\1y'}]",
        "s: {a: xx}\ncondition: s",
        &[r#"{"a":"xy"}"#],
        &[],
    );
    check(
        "[{type: map_string, mapping: {x: [y, z]}}]",
        RULE,
        &[r#"{"a":"y"}"#, r#"{"a":"z"}"#],
        &[r#"{"a":"x"}"#],
    );
    check("[{type: set_value, value: 5}]", RULE, &[r#"{"a":5}"#], &[]);
    check(
        "[{type: convert_type, target_type: num}]",
        "s: {a: '007'}\ncondition: s",
        &[r#"{"a":7}"#],
        &[],
    );
    check(
        "[{type: case, method: upper}]",
        "s: {'a|cased': x}\ncondition: s",
        &[r#"{"a":"X"}"#],
        &[r#"{"a":"x"}"#],
    );
    check(
        "[{type: hashes_fields, valid_hash_algos: [MD5, SHA1], field_prefix: File}]",
        "s: {'Hashes|contains': ['MD5=AB', 'SHA1=CD']}\ncondition: s",
        &[r#"{"FileMD5":"ab"}"#, r#"{"FileSHA1":"cd"}"#],
        &[],
    );
    check(
        "[{type: nest, items: [{type: map_string, mapping: {x: y}}]}]",
        RULE,
        &[r#"{"a":"y"}"#],
        &[],
    );
    check(
        "[{type: set_value, value: q, detection_item_conditions: [{type: match_string, cond: any, pattern: '^x'}]}]",
        "s: {a: xa, b: y}\ncondition: s",
        &[r#"{"a":"q","b":"y"}"#],
        &[],
    );
}

#[test]
fn placeholders_get_values_or_keep_the_rule_from_running() {
    let with = "s: {'a|contains|expand': 'x-%Servers%'}\ncondition: s";
    check(
        "[{type: value_placeholders}]",
        with,
        &[r#"{"a":"x-S2."}"#],
        &[r#"{"a":"x-"}"#],
    );
    check(
        "[{type: wildcard_placeholders, include: [Servers]}]",
        with,
        &[r#"{"a":"x-anything"}"#],
        &[],
    );
    let left = engine(
        &["name: p\ntransformations: [{type: value_placeholders}]"],
        &rule(with),
    );
    assert!(
        matches!(left.states().next().unwrap().1, RuleState::Rejected(problem) if problem.message.contains("%Servers%"))
    );
}

#[test]
fn pipelines_come_in_the_order_of_their_priority_and_may_refuse() {
    let late =
        "name: late\npriority: 20\ntransformations: [{type: field_name_mapping, mapping: {b: c}}]";
    let early =
        "name: early\npriority: 10\ntransformations: [{type: field_name_mapping, mapping: {a: b}}]";
    let engine_of_two = engine(&[late, early], &rule(RULE));
    assert_eq!(
        matches(&engine_of_two, &SourceKey::new(), &object(r#"{"c":"x"}"#)).len(),
        1
    );
    let refusing = engine(
        &["name: p\ntransformations: [{type: detection_item_failure, message: not here}]"],
        &rule(RULE),
    );
    assert!(
        matches!(refusing.states().next().unwrap().1, RuleState::Rejected(problem) if problem.to_string() == "t: line 4: detection.s.a: a pipeline refuses this line: not here")
    );
}

#[test]
fn what_is_not_known_is_refused() {
    for (text, expected) in [
        (
            "transformations: [{type: magic}]",
            "transformations[0].type: the transformation `magic` is not known, or means nothing where rules are evaluated; remove it",
        ),
        (
            "transformations: [{type: query_expression_placeholders, expression: x}]",
            "transformations[0].type: placeholders cannot become expressions of a query language, as there is no query; use `value_placeholders`",
        ),
        (
            "transformations: [{type: field_name_prefix, prefix: a, rule_conditions: [{type: odd}]}]",
            "transformations[0].rule_conditions[0].type: the rule condition `odd` is not known, or means nothing where rules are evaluated; remove it",
        ),
        (
            "finalizers: [{type: concat}]",
            "finalizers: the pipeline changes queries, and here are none; remove it",
        ),
        (
            "transformations: [{type: field_name_prefix, prefix: a, oops: 1}]",
            "transformations[0].oops: the key `oops` is not known here; remove or correct it",
        ),
    ] {
        assert_eq!(Pipeline::parse(text).unwrap_err().to_string(), expected);
    }
}
