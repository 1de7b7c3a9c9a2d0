//! Correlations over observations in time order.

use crate::event::{Event, compile, object};
use sigma::{CorrelationMatch, Correlator, Matcher, Observation, RuleState, SourceKey};

const RULES: &str = "title: a\nname: a\nlogsource: {product: any}\ndetection: {s: {k: a}, condition: s}\n---\n\
    title: b\nname: b\nlogsource: {product: any}\ndetection: {s: {k: b}, condition: s}\n---\n";

/// Feeds events, each with its second, and shows what correlates: name, group, number, seconds, events.
fn run(correlation: &str, events: &[(i64, &str)]) -> (Vec<String>, Vec<String>) {
    let engine = compile(&format!("{RULES}{correlation}"));
    for (rule, state) in engine.states() {
        assert!(state.is_ready(), "{}: {state:?}", engine.header(rule).title);
    }
    let partition = engine.partition(&SourceKey::new());
    let mut matcher = Matcher::new(&engine);
    let mut stage = Correlator::new(&engine);
    let mut found = Vec::new();
    let mut tell = |one: CorrelationMatch| {
        let group: Vec<_> = one
            .group
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        found.push(format!(
            "{} [{}] {} {}..{} {:?}{}",
            engine.header(one.rule).title,
            group.join(","),
            one.number,
            one.first_micros / 1_000_000,
            one.last_micros / 1_000_000,
            one.events,
            if one.alone { "" } else { " part" }
        ));
    };
    for (number, (second, text)) in events.iter().enumerate() {
        let object = object(text);
        let event = Event {
            engine: &engine,
            object: &object,
        };
        let mut matched = Vec::new();
        matcher.evaluate(partition, &event, &mut |one| matched.push(one));
        for one in matched {
            if let Some(values) = engine.observe(&one, &event) {
                let observation = Observation {
                    rule: one.rule,
                    time_micros: second * 1_000_000,
                    event: number as u64,
                    values,
                };
                stage.observe(observation, &mut tell);
            }
        }
    }
    stage.finish(&mut tell);
    let lost = stage
        .lost()
        .into_iter()
        .map(|one| format!("{} x {}", one.count, one.reason));
    (found, lost.collect())
}

fn check(correlation: &str, events: &[(i64, &str)], expected: &[&str]) {
    let (found, lost) = run(correlation, events);
    assert_eq!(found, expected, "{correlation}");
    assert!(lost.is_empty(), "{lost:?}");
}

const A1: &str = r#"{"k":"a","u":"x","n":1}"#;
const A2: &str = r#"{"k":"a","u":"y","n":2}"#;
const A3: &str = r#"{"k":"a","u":"x","n":3}"#;
const B1: &str = r#"{"k":"b","u":"x","v":"y","n":10}"#;

#[test]
fn events_are_counted_in_groups_over_a_sliding_span() {
    let rule = "title: c\ncorrelation: {type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {gte: 2}}";
    check(
        rule,
        &[(0, A1), (5, A2), (10, A3), (11, A1)],
        &["c [u=x] 2 0..10 [0, 2]"],
    );
    check(rule, &[(0, A1), (11, A3)], &[]);
    check(
        rule,
        &[(0, A1), (1, A1), (30, A1), (31, A1)],
        &["c [u=x] 2 0..1 [0, 1]", "c [u=x] 2 30..31 [2, 3]"],
    );
}

#[test]
fn what_more_events_could_undo_is_judged_when_the_span_is_over() {
    let rule = "title: c\ncorrelation: {type: event_count, rules: [a], timespan: 10s, condition: {gt: 1, lte: 2}}";
    check(rule, &[(0, A1), (1, A1), (2, A1)], &[]);
    check(rule, &[(0, A1), (1, A1), (20, A1)], &["c [] 2 0..1 [0, 1]"]);
    let few =
        "title: c\ncorrelation: {type: event_count, rules: [a], timespan: 10s, condition: {lt: 2}}";
    check(few, &[(0, A1), (5, A1), (20, A1)], &["c [] 1 20..20 [2]"]);
}

#[test]
fn values_are_counted_summed_and_ranked() {
    let rule = |kind: &str, condition: &str| {
        format!(
            "title: c\ncorrelation: {{type: {kind}, rules: [a], timespan: 10s, condition: {{{condition}}}}}"
        )
    };
    let events = &[(0, A1), (1, A2), (2, A3), (3, A1)];
    check(
        &rule("value_count", "field: u, gte: 2"),
        events,
        &["c [] 2 0..1 [0, 1]"],
    );
    check(
        &rule("value_count", "field: [u, n], gte: 3"),
        events,
        &["c [] 3 0..2 [0, 1, 2]"],
    );
    check(
        &rule("value_count", "field: u, eq: 2"),
        events,
        &["c [] 2 0..3 [0, 1, 2, 3]"],
    );
    check(
        &rule("value_sum", "field: n, gt: 5"),
        events,
        &["c [] 6 0..2 [0, 1, 2]"],
    );
    check(
        &rule("value_avg", "field: n, gte: 1.75"),
        events,
        &["c [] 1.75 0..3 [0, 1, 2, 3]"],
    );
    check(
        &rule("value_median", "field: n, lt: 2"),
        events,
        &["c [] 1.5 0..3 [0, 1, 2, 3]"],
    );
    check(
        &rule("value_percentile", "field: n, percentile: 100, gte: 3"),
        events,
        &["c [] 3 0..3 [0, 1, 2, 3]"],
    );
}

#[test]
fn different_rules_come_together_in_any_or_their_own_order() {
    let rule = |kind: &str| {
        format!(
            "title: c\ncorrelation: {{type: {kind}, rules: [a, b], group-by: [u], timespan: 10s}}"
        )
    };
    check(
        &rule("temporal"),
        &[(0, B1), (5, A1)],
        &["c [u=x] 2 0..5 [0, 1]"],
    );
    check(&rule("temporal"), &[(0, B1), (5, A2)], &[]);
    check(&rule("temporal"), &[(0, B1), (11, A1)], &[]);
    check(&rule("temporal_ordered"), &[(0, B1), (5, A1)], &[]);
    check(
        &rule("temporal_ordered"),
        &[(0, A1), (5, B1)],
        &["c [u=x] 2 0..5 [0, 1]"],
    );
    let logic = "title: c\ncorrelation: {type: temporal, rules: [a, b], timespan: 10s, condition: a and not b}";
    check(logic, &[(0, A1), (5, B1), (20, A1)], &["c [] 1 20..20 [2]"]);
}

#[test]
fn aliases_join_fields_of_different_names() {
    let rule = "title: c\ncorrelation: {type: temporal, rules: [a, b], group-by: [who], timespan: 10s, aliases: {who: {a: u, b: v}}}";
    check(rule, &[(0, A1), (1, B1)], &[]);
    check(rule, &[(0, A2), (1, B1)], &["c [who=y] 2 0..1 [0, 1]"]);
}

#[test]
fn correlations_feed_correlations() {
    let rule = "title: many\nname: many\ncorrelation: {type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {gte: 2}}\n---\n\
        title: then\ncorrelation: {type: temporal_ordered, rules: [many, b], group-by: [u], timespan: 1m}";
    check(
        rule,
        &[(0, A1), (1, A1), (30, B1)],
        &["many [u=x] 2 0..1 [0, 1] part", "then [u=x] 2 1..30 [1, 2]"],
    );
}

#[test]
fn rules_of_a_correlation_are_told_alone_only_where_it_asks_for_that() {
    let alone = |correlation: &str| {
        let engine = compile(&format!("{RULES}{correlation}"));
        let object = object(A1);
        let event = Event {
            engine: &engine,
            object: &object,
        };
        let mut alone = None;
        Matcher::new(&engine).evaluate(engine.partition(&SourceKey::new()), &event, &mut |one| {
            alone = Some(one.alone);
        });
        alone.unwrap()
    };
    let body = "{type: event_count, rules: [a], timespan: 10s, condition: {gte: 2}}";
    assert!(!alone(&format!("title: c\ncorrelation: {body}")));
    assert!(alone(&format!(
        "title: c\ngenerate: true\ncorrelation: {body}"
    )));
    assert!(alone(
        "title: c\nlogsource: {product: any}\ndetection: {s: {k: z}, condition: s}"
    ));
}

#[test]
fn what_cannot_be_counted_is_told() {
    let rule = "title: c\ncorrelation: {type: event_count, rules: [a], group-by: [host], timespan: 10s, condition: {gte: 1}}";
    let (found, lost) = run(rule, &[(5, A1)]);
    assert!(found.is_empty());
    assert_eq!(
        lost,
        ["1 x a match lacks a field by which the correlation is grouped"]
    );
    let long = format!(r#"{{"k":"a","host":"{}"}}"#, "x".repeat(5_000));
    let (_, lost) = run(rule, &[(5, &long)]);
    assert_eq!(lost, ["1 x a value is longer than those that are kept"]);
    let ordered = "title: c\ncorrelation: {type: temporal_ordered, rules: [a, b], timespan: 1h}";
    let flood: Vec<_> = (0..10_005).map(|second| (second / 10, A1)).collect();
    let (_, lost) = run(ordered, &flood);
    assert_eq!(lost, ["5 x a group has more matches than are kept"]);
    let ungrouped = "title: c\ncorrelation: {type: event_count, rules: [a], timespan: 10s, condition: {gte: 9}}";
    let (_, lost) = run(ungrouped, &[(5, A1), (4, A1)]);
    assert_eq!(lost, ["1 x a match came after a later one"]);
}

#[test]
fn mistakes_are_told() {
    let state = |correlation: &str| {
        let engine = compile(&format!("{RULES}{correlation}"));
        let mut said: Vec<String> = engine.problems().iter().map(ToString::to_string).collect();
        for (_, state) in engine.states() {
            match state {
                RuleState::Ready { .. } => {}
                RuleState::Undetectable { reasons } => said.push(reasons.join("; ")),
                RuleState::Rejected(problem) => said.push(problem.to_string()),
            }
        }
        said.join(" | ")
    };
    let body = |inner: &str| format!("title: c\ncorrelation: {{{inner}}}");
    assert_eq!(
        state(&body(
            "type: event_count, rules: [z], timespan: 1m, condition: {gte: 1}"
        )),
        "c: correlation.rules: there is no rule called `z`; load the rule too, or correct the reference"
    );
    assert_eq!(
        state(&body(
            "type: event_count, rules: [a], timespan: 1w, condition: {gte: 1}"
        )),
        "c: line 12: correlation.timespan: `1w` is no time span; write a number and one of s, m, h and d, such as `90m`"
    );
    assert!(
        state(&body(
            "type: value_count, rules: [a], timespan: 1m, condition: {gte: 1}"
        ))
        .contains("there are 0 fields; this type takes 1 to 16")
    );
    assert!(
        state(&body(
            "type: value_percentile, rules: [a], timespan: 1m, condition: {field: n, gte: 1}"
        ))
        .contains("`percentile` belongs to value_percentile")
    );
    assert!(
        state(&body("type: event_count, rules: [a], timespan: 1m"))
            .contains("there is no condition")
    );
    assert!(
        state(&body(
            "type: event_count, rules: [a], timespan: 1m, condition: {about: 1}"
        ))
        .contains("`about` is no comparison")
    );
    assert!(
        state(&body(
            "type: temporal, rules: [a, b], timespan: 1m, condition: a and z"
        ))
        .contains("`z` means none of the correlation's rules")
    );
    let ring = "title: c\nname: c\ncorrelation: {type: event_count, rules: [d], timespan: 1m, condition: {gte: 1}}\n---\n\
        title: d\nname: d\ncorrelation: {type: event_count, rules: [c], timespan: 1m, condition: {gte: 1}}";
    assert_eq!(state(ring).matches("refers to itself").count(), 2);
}
