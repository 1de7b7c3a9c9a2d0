//! Every modifier, value form and condition of the specification, on events that fit and events that do not.

use crate::event::{compile, matches, object, rule, state};
use sigma::SourceKey;

/// Asserts which of these events an item matches.
fn item(item: &str, fitting: &[&str], others: &[&str]) {
    detection(&format!("s:\n  {item}\ncondition: s"), fitting, others);
}

fn detection(text: &str, fitting: &[&str], others: &[&str]) {
    let engine = compile(&rule(text));
    for (events, expected) in [(fitting, true), (others, false)] {
        for event in events {
            let found = !matches(&engine, &SourceKey::new(), &object(event)).is_empty();
            assert_eq!(
                found,
                expected,
                "{text}\non {event}\n{:?}",
                engine.states().collect::<Vec<_>>()
            );
        }
    }
}

#[test]
fn plain_values_are_compared_whole_and_without_case() {
    item(
        "a: Foo",
        &[r#"{"a":"fOO"}"#, r#"{"a":["x","foo"]}"#],
        &[r#"{"a":"food"}"#, r#"{"b":"foo"}"#, r#"{"a":null}"#],
    );
    item("a: [x, y]", &[r#"{"a":"Y"}"#], &[r#"{"a":"z"}"#]);
    item("a: ÄRGER", &[r#"{"a":"ärger"}"#], &[r#"{"a":"arger"}"#]);
    item(
        "a: ''",
        &[r#"{"a":""}"#],
        &[r#"{"a":"x"}"#, "{}", r#"{"a":null}"#],
    );
    item(
        "a: '42'",
        &[r#"{"a":42}"#, r#"{"a":"42"}"#],
        &[r#"{"a":"042"}"#],
    );
    item(
        "'Threat Name': x",
        &[r#"{"ThreatName":"x"}"#, r#"{"Threat Name":"x"}"#],
        &[],
    );
    item(
        "a.b: x",
        &[r#"{"a":{"b":"x"}}"#, r#"{"a.b":"x"}"#],
        &[r#"{"a":"x"}"#],
    );
}

#[test]
fn numbers_truth_and_null() {
    item(
        "a: 42",
        &[
            r#"{"a":42}"#,
            r#"{"a":"42"}"#,
            r#"{"a":42.0}"#,
            r#"{"a":[1,42]}"#,
        ],
        &[r#"{"a":"42x"}"#, r#"{"a":true}"#, r#"{"a":""}"#],
    );
    item(
        "a: -1.5",
        &[r#"{"a":-1.5}"#, r#"{"a":"-1.50"}"#],
        &[r#"{"a":1.5}"#],
    );
    item(
        "a: 18446744073709551615",
        &[r#"{"a":18446744073709551615}"#],
        &[r#"{"a":-1}"#, r#"{"a":18446744073709551614}"#],
    );
    item(
        "a: true",
        &[r#"{"a":true}"#, r#"{"a":"True"}"#],
        &[r#"{"a":false}"#, "{}"],
    );
    item(
        "a: false",
        &[r#"{"a":false}"#, r#"{"a":"false"}"#],
        &[r#"{"a":0}"#, "{}"],
    );
    item(
        "a: null",
        &["{}", r#"{"a":null}"#],
        &[r#"{"a":""}"#, r#"{"a":0}"#],
    );
    item("a: [null, '']", &["{}", r#"{"a":""}"#], &[r#"{"a":"x"}"#]);
}

#[test]
fn wildcards_and_escapes() {
    item(
        r"a: 'C:\\*\x?.exe'",
        &[r#"{"a":"c:\\t\\x1.EXE"}"#],
        &[r#"{"a":"c:\\t\\x12.exe"}"#],
    );
    item(r"a: 'a\*b'", &[r#"{"a":"a*b"}"#], &[r#"{"a":"axb"}"#]);
    item(r"a: 'a\\*'", &[r#"{"a":"a\\b"}"#], &[r#"{"a":"a*b"}"#]);
    item(
        "a: '*'",
        &[r#"{"a":""}"#, r#"{"a":1}"#],
        &[r#"{"a":null}"#, "{}"],
    );
    item(
        "a|contains: 'x*y'",
        &[r#"{"a":"..x\n..y.."}"#],
        &[r#"{"a":"yx"}"#],
    );
}

#[test]
fn modifiers_of_texts() {
    item(
        "a|contains: Foo",
        &[r#"{"a":"xfOOx"}"#, r#"{"a":["n","xfoo"]}"#],
        &[r#"{"a":"fo"}"#],
    );
    item(
        "a|startswith: Foo",
        &[r#"{"a":"foox"}"#],
        &[r#"{"a":"xfoo"}"#],
    );
    item(
        "a|endswith: Foo",
        &[r#"{"a":"xfoo"}"#],
        &[r#"{"a":"foox"}"#],
    );
    item(
        "a|contains|all: [x, y]",
        &[r#"{"a":"yx"}"#],
        &[r#"{"a":"xx"}"#],
    );
    item(
        "a|contains: 12",
        &[r#"{"a":"x123"}"#, r#"{"a":3123}"#],
        &[r#"{"a":"1"}"#],
    );
    item("a|cased: Foo", &[r#"{"a":"Foo"}"#], &[r#"{"a":"foo"}"#]);
    item(
        "a|contains|cased: Foo",
        &[r#"{"a":"xFoo"}"#],
        &[r#"{"a":"xfoo"}"#],
    );
    item("a|neq: x", &[r#"{"a":"y"}"#, "{}"], &[r#"{"a":"X"}"#]);
    item(
        "a|neq: [1, 2]",
        &[r#"{"a":3}"#],
        &[r#"{"a":1}"#, r#"{"a":"2"}"#],
    );
    item("a|contains|neq: x", &[r#"{"a":"y"}"#], &[r#"{"a":"yxy"}"#]);
    item("a|exists: true", &[r#"{"a":""}"#, r#"{"a":null}"#], &["{}"]);
    item("a|exists: false", &["{}"], &[r#"{"a":null}"#]);
}

#[test]
fn dashes_and_encodings() {
    item(
        "a|windash|contains: ' -enc'",
        &[
            r#"{"a":"p -enc"}"#,
            r#"{"a":"p /ENC"}"#,
            "{\"a\":\"p \u{2013}enc\"}",
            "{\"a\":\"p \u{2015}enc\"}",
        ],
        &[r#"{"a":"p +enc"}"#],
    );
    item(
        "a|windash|contains|all: [' -a', ' -b']",
        &[r#"{"a":"p /b -a"}"#],
        &[r#"{"a":"p /b"}"#],
    );
    item(
        "a|contains|windash: '/x'",
        &[r#"{"a":"-x"}"#],
        &[r#"{"a":"x"}"#],
    );
    item(
        "a|base64|contains: foobar",
        &[r#"{"a":"..Zm9vYmFy.."}"#],
        &[r#"{"a":"foobar"}"#],
    );
    item(
        "a|base64offset|contains: foobar",
        &[
            r#"{"a":"eGZvb2Jhcg=="}"#,
            r#"{"a":"eHhmb29iYXI="}"#,
            r#"{"a":"Zm9vYmFy"}"#,
        ],
        &[r#"{"a":"foobar"}"#],
    );
    item(
        "a|wide|base64offset|contains: iex",
        &[r#"{"a":"aQBlAHgA"}"#],
        &[r#"{"a":"aWV4"}"#],
    );
    item(
        "a|utf16le|base64|contains: iex",
        &[r#"{"a":"aQBlAHgA"}"#],
        &[],
    );
    item(
        "a|utf16be|base64|contains: iex",
        &[r#"{"a":"AGkAZQB4"}"#],
        &[],
    );
    item(
        "a|utf16|base64|contains: iex",
        &[r#"{"a":"//5pAGUAeAA="}"#],
        &[],
    );
}

#[test]
fn expressions_networks_and_comparisons() {
    item("a|re: '^Fo+$'", &[r#"{"a":"Foo"}"#], &[r#"{"a":"foo"}"#]);
    item("a|re|i: '^Fo+$'", &[r#"{"a":"foO"}"#], &[r#"{"a":"fo\n"}"#]);
    item(
        "a|re|ignorecase|multiline: '^fo+$'",
        &[r#"{"a":"x\nFOO\ny"}"#],
        &[],
    );
    item("a|re|s: 'a.b'", &[r#"{"a":"a\nb"}"#], &[r#"{"a":"ab"}"#]);
    item("a|re: 'a.b'", &[r#"{"a":"a-b"}"#], &[r#"{"a":"a\nb"}"#]);
    item(
        "a|cidr: 10.0.0.0/8",
        &[r#"{"a":"10.1.2.3"}"#, r#"{"a":"::ffff:10.1.2.3"}"#],
        &[r#"{"a":"11.0.0.1"}"#, r#"{"a":"10"}"#],
    );
    item(
        "a|cidr: ['fe80::/10', '::1']",
        &[r#"{"a":"fe80::1%3"}"#, r#"{"a":"::1"}"#],
        &[r#"{"a":"fd00::1"}"#],
    );
    item(
        "a|gte: 5",
        &[r#"{"a":5}"#, r#"{"a":"5.5"}"#],
        &[r#"{"a":4}"#, r#"{"a":"x"}"#, "{}"],
    );
    item("a|gt: -5", &[r#"{"a":-4}"#], &[r#"{"a":-5}"#]);
    item("a|lt: 0.5", &[r#"{"a":0}"#], &[r#"{"a":0.5}"#]);
    item("a|lte: 5", &[r#"{"a":5}"#], &[r#"{"a":6}"#]);
    item(
        "a|hour: 4",
        &[
            r#"{"a":"2021-03-02T04:59:00Z"}"#,
            r#"{"a":"2021-03-02 04:59:00"}"#,
        ],
        &[r#"{"a":"2021-03-02T05:00:00Z"}"#, r#"{"a":"x"}"#],
    );
    item(
        "a|hour|gte: 22",
        &[r#"{"a":"2021-03-02T23:00:00Z"}"#],
        &[r#"{"a":"2021-03-02T21:00:00Z"}"#],
    );
    for (part, value) in [
        ("minute", 59),
        ("day", 2),
        ("week", 9),
        ("month", 3),
        ("year", 2021),
    ] {
        item(
            &format!("a|{part}: {value}"),
            &[r#"{"a":"2021-03-02T04:59:00Z"}"#],
            &[r#"{"a":"2022-04-30T04:58:00Z"}"#],
        );
    }
}

#[test]
fn fields_are_compared_with_each_other() {
    item(
        "a|fieldref: b",
        &[
            r#"{"a":"X","b":"x"}"#,
            r#"{"a":1,"b":"1"}"#,
            r#"{"a":"x","b":["y","x"]}"#,
        ],
        &[r#"{"a":"x","b":"y"}"#, r#"{"a":"x"}"#, r#"{"b":"x"}"#, "{}"],
    );
    item(
        "a|fieldref|neq: b",
        &[r#"{"a":"x","b":"y"}"#],
        &[r#"{"a":"x","b":"X"}"#],
    );
    item(
        "a|fieldref|startswith: b",
        &[r#"{"a":"xyz","b":"XY"}"#],
        &[r#"{"a":"xyz","b":"yz"}"#],
    );
    item(
        "a|fieldref|endswith: b",
        &[r#"{"a":"xyz","b":"YZ"}"#],
        &[r#"{"a":"xyz","b":"xy"}"#],
    );
    item(
        "a|fieldref|contains: b",
        &[r#"{"a":"xyz","b":"Y"}"#],
        &[r#"{"a":"xyz","b":"a"}"#],
    );
    item(
        "a|fieldref|cased: b",
        &[r#"{"a":"x","b":"x"}"#],
        &[r#"{"a":"X","b":"x"}"#],
    );
}

#[test]
fn keywords_are_looked_for_in_the_whole_event() {
    detection(
        "k: [Foo, bar]\ncondition: k",
        &[r#"{"x":"a foo b"}"#, r#"{"y":["BAR"]}"#],
        &[r#"{"foo":"x"}"#],
    );
    detection("k: foo\ncondition: k", &[r#"{"x":"foo"}"#], &[]);
    detection(
        "k: [4711]\ncondition: k",
        &[r#"{"x":"id 4711."}"#, r#"{"x":47110}"#],
        &[r#"{"x":"471"}"#],
    );
    detection(
        "k: ['f*r']\ncondition: k",
        &[r#"{"x":"a fxxr b"}"#],
        &[r#"{"x":"f","y":"r"}"#],
    );
    detection(
        "k:\n  '|all': [foo, bar]\ncondition: k",
        &[r#"{"x":"foo","y":"bar"}"#],
        &[r#"{"x":"foo"}"#],
    );
    detection(
        "k:\n  '|re': 'f.o'\ncondition: k",
        &[r#"{"x":"a fxo"}"#],
        &[r#"{"x":"fo"}"#],
    );
    detection(
        "k: ['a', {b: c}]\ncondition: k",
        &[r#"{"x":"cat"}"#, r#"{"b":"c"}"#],
        &[r#"{"b":"d"}"#],
    );
    detection(
        "k: ['foo']\ncondition: not k",
        &[r#"{"x":"bar"}"#],
        &[r#"{"x":"foo"}"#],
    );
}

#[test]
fn conditions() {
    let parts = "a: {x: 1}\nb_1: {y: 1}\nb_2: {z: 1}\n_c: {w: 1}\n";
    let check = |condition: &str, fitting: &[&str], others: &[&str]| {
        detection(&format!("{parts}condition: {condition}"), fitting, others);
    };
    check(
        "a and not b_1",
        &[r#"{"x":1}"#],
        &[r#"{"x":1,"y":1}"#, r#"{"y":1}"#],
    );
    check(
        "a or b_1 and b_2",
        &[r#"{"x":1}"#, r#"{"y":1,"z":1}"#],
        &[r#"{"y":1}"#],
    );
    check("(a or b_1) and b_2", &[r#"{"y":1,"z":1}"#], &[r#"{"x":1}"#]);
    check("1 of b_*", &[r#"{"y":1}"#, r#"{"z":1}"#], &[r#"{"x":1}"#]);
    check("all of b_*", &[r#"{"y":1,"z":1}"#], &[r#"{"y":1}"#]);
    check("1 of them", &[r#"{"z":1}"#], &[r#"{"w":1}"#]);
    check(
        "all of them",
        &[r#"{"x":1,"y":1,"z":1}"#],
        &[r#"{"x":1,"y":1,"w":1}"#],
    );
    check("not 1 of b_*", &[r#"{"x":1}"#, "{}"], &[r#"{"y":1}"#]);
    check("any of _c*", &[r#"{"w":1}"#], &[r#"{"x":1}"#]);
    check(
        "[a, b_1 and b_2]",
        &[r#"{"x":1}"#, r#"{"y":1,"z":1}"#],
        &[r#"{"y":1}"#],
    );
    detection(
        "s: [{x: 1, y: 1}, {z: 1}]\ncondition: s",
        &[r#"{"x":1,"y":1}"#, r#"{"z":1}"#],
        &[r#"{"x":1}"#],
    );
}

#[test]
fn mistakes_are_told_with_their_place_and_line() {
    let check = |detection: &str, expected: &str| {
        assert_eq!(state(&rule(detection)), expected, "{detection}");
    };
    check(
        "s: {a|foo: 1}\ncondition: s",
        "t: line 4: detection.s.a|foo: the modifier `foo` is not known; use one of the specification's modifiers",
    );
    check(
        "s:\n  a|re: '('\ncondition: s",
        "rejected: t: line 5: detection.s.a|re: the regular expression `(` cannot be used: unclosed group; look-around and references back are not part of Sigma's flavour",
    );
    check(
        "s:\n  a|expand: '%Servers%'\ncondition: s",
        "rejected: t: line 5: detection.s.a|expand: the placeholder `%Servers%` has no values; give it values in a processing pipeline (`value_placeholders`)",
    );
    check(
        "s:\n  a|all: x\ncondition: s",
        "rejected: t: line 5: detection.s.a|all: `all` stands with a single value; remove `all`, or give more values",
    );
    check(
        "s:\n  a|contains|re: x\ncondition: s",
        "rejected: t: line 5: detection.s.a|contains|re: several comparisons are asked for at once; keep one; only `fieldref` may be followed by contains, startswith or endswith",
    );
    check(
        "s:\n  a|cidr: 10.0.0/8\ncondition: s",
        "rejected: t: line 5: detection.s.a|cidr: `10.0.0/8` is no network; write one such as `10.0.0.0/8` or `fe80::/10`",
    );
    check(
        "s:\n  a|exists: maybe\ncondition: s",
        "rejected: t: line 5: detection.s.a|exists: `exists` takes `true` or `false`, not `maybe`; write `true` or `false`",
    );
    check(
        "s:\n  a|i: x\ncondition: s",
        "rejected: t: line 5: detection.s.a|i: the flags i, m and s belong to `re`; remove them; texts are compared without regard to case unless `cased` is given",
    );
    check(
        "s:\n  a|utf16le: ä\ncondition: s",
        "rejected: t: line 5: detection.s.a|utf16le: the encoded value is no text that a field could hold; follow it with `base64` or `base64offset`",
    );
    check(
        "s: {a: 1}\ncondition: s and t",
        "t: line 5: detection.condition: the condition names `t`, which the detection does not have; correct the name",
    );
    check(
        "s: {a: 1}\ncondition: 1 of x*",
        "t: line 5: detection.condition: the condition names `x*`, which the detection does not have; correct the name",
    );
    check(
        "s: {a: []}\ncondition: s",
        "t: line 4: detection.s.a: the list holds nothing to look for; add values, or remove the part",
    );
    check(
        "s: {a: {b: c}}\ncondition: s",
        "t: line 4: detection.s.a: a list or mapping stands where a value was expected; write fields of fields with dots, as in `a.b: value`",
    );
    check(
        "s: {a: 1}\ntimeframe: 5m\ncondition: s",
        "t: line 5: detection.timeframe: counting over a time frame is no longer part of a rule; write a correlation rule with a `timespan`",
    );
}

#[test]
fn a_rule_of_a_file_that_is_damaged_leaves_the_others_alone() {
    let good = rule("s: {a: 1}\ncondition: s");
    let text = format!("{good}---\ntitle: [\n---\n{good}");
    let parsed = sigma::parse(&text);
    assert_eq!(parsed.rules.len(), 2);
    assert_eq!(parsed.problems.len(), 1);
    assert!(parsed.problems[0].line.is_some());
}

#[test]
fn filters_are_put_beside_the_rules_they_name() {
    let rules = "title: one\nid: 11111111-1111-4111-8111-111111111111\nlogsource: {product: windows, category: process_creation}\ndetection: {s: {a: 1}, condition: s}\n---\n\
        title: two\nlogsource: {product: windows}\ndetection: {s: {a: 1}, condition: s}\n---\n\
        title: f\nlogsource: {category: process_creation, product: windows}\nfilter: {rules: [11111111-1111-4111-8111-111111111111, nobody], selection: {User|startswith: adm_}, condition: not selection}\n---\n\
        title: g\nlogsource: {product: windows}\nfilter: {rules: any, selection: {b: 1}, condition: not selection}\n";
    let engine = compile(rules);
    let found = |event: &str| matches(&engine, &SourceKey::new(), &object(event));
    assert_eq!(found(r#"{"a":1}"#), ["one", "two"]);
    assert_eq!(found(r#"{"a":1,"User":"ADM_x"}"#), ["two"]);
    assert!(found(r#"{"a":1,"b":1}"#).is_empty());
    let problems: Vec<_> = engine.problems().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "f: filter.rules: the filter applies to no rule called `nobody`; check the ids and the log source"
        ]
    );
}
