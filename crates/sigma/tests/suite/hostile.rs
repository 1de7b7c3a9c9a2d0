//! Input made to exhaust memory, time or the stack.

use crate::event::{compile, matches, object, rule, state};
use proptest::prelude::*;
use sigma::SourceKey;
use std::fmt::Write as _;

#[test]
fn deep_wide_and_self_referring_documents_are_refused_soon() {
    let nested = format!(
        "s: {}x{}\ncondition: s",
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    assert!(state(&rule(&nested)).contains("can be read"));
    let wide = format!("s: {{a: [{}]}}\ncondition: s", vec!["x"; 30_000].join(","));
    assert!(state(&rule(&wide)).contains("more than 20000 values"));
    let mut bomb = "x0: &x0 [a,a,a,a,a,a,a,a,a,a]\n".to_owned();
    for level in 1..12 {
        let list = vec![format!("*x{}", level - 1); 10].join(",");
        writeln!(bomb, "x{level}: &x{level} [{list}]").unwrap();
    }
    assert!(state(&format!("{bomb}{}", rule("s: {a: 1}\ncondition: s"))).contains("can be read"));
    let brackets = format!(
        "s: {{a: 1}}\ncondition: '{}s{}'",
        "(".repeat(10_000),
        ")".repeat(10_000)
    );
    assert!(state(&rule(&brackets)).contains("deeper"));
    let negations = format!("s: {{a: 1}}\ncondition: '{} s'", "not ".repeat(10_000));
    assert!(state(&rule(&negations)).contains("deeper"));
    let again = format!(
        "s: {{a: [{}]}}\ncondition: '{}'",
        vec!["x"; 10_000].join(","),
        vec!["s"; 100].join(" and ")
    );
    assert!(state(&rule(&again)).contains("more than 200000 tests"));
}

#[test]
fn expressions_are_bounded() {
    for pattern in [
        "(a{1000}){1000}",
        "((((((((((x{9}){9}){9}){9}){9}){9}){9}){9}){9}){9}",
    ] {
        assert!(
            state(&rule(&format!("s:\n  a|re: '{pattern}'\ncondition: s")))
                .contains("cannot be used")
        );
    }
    let engine = compile(&rule(
        "s:\n  a|re: '^(a+)+$'\n  b|contains: 'x*x*x*x*x*x*y'\ncondition: 1 of s*",
    ));
    let long = "a".repeat(200_000);
    let crosses = "x".repeat(200_000);
    assert!(
        matches(
            &engine,
            &SourceKey::new(),
            &object(&format!(r#"{{"a":"{long}!","b":"{crosses}"}}"#))
        )
        .is_empty()
    );
}

#[test]
fn odd_text_of_events_is_no_match_and_no_panic() {
    let engine = compile(&rule(
        "s:\n  a|contains: ['?\u{2013}?', 'ß*ſ', '\u{1F600}']\n  b|re: '.'\ncondition: 1 of s*",
    ));
    for text in ["\u{0}", "\u{130}\u{307}", "ẞS", "\u{1F600}", "\u{fffd}"] {
        let event = serde_json::json!({"a": text, "b": text});
        matches(&engine, &SourceKey::new(), event.as_object().unwrap());
    }
}

proptest! {
    #[test]
    fn any_text_is_parsed_without_panic(text in "(?s).{0,400}") {
        sigma::parse(&text);
    }

    #[test]
    fn any_condition_is_parsed_without_panic_and_reads_back_as_itself(text in "[()a-c_* ]{0,20}|((not |a |b |and |or |1 of |all of |them|\\(|\\)){0,12})") {
        if let Ok(condition) = sigma::parse_condition(&text) {
            prop_assert_eq!(&sigma::parse_condition(&condition.to_string()).unwrap(), &condition);
        }
    }
}
