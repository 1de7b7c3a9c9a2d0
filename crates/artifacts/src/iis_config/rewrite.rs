//! Inbound rules of URL Rewrite, as one collection `<rules>` states them.
//!
//! <https://learn.microsoft.com/iis/extensions/url-rewrite-module/url-rewrite-module-configuration-reference>

use super::{CANCEL, CLEAR};
use crate::xml::Element;
use model::RewriteRule;

/// Faults noted of one rule.
const FAULTS_MAX: usize = 8;

/// The rules of a collection in their order, with the lines they stand on; `<clear/>` and `<remove>` come out as rules
/// that cancel what is inherited, and are faults of the rules that stand before them in the same collection.
pub(super) fn rules_of(collection: &Element, location: &str) -> Vec<(u64, RewriteRule)> {
    let mut rules: Vec<(u64, RewriteRule)> = Vec::new();
    let mut stopper: Option<String> = None;
    for entry in &collection.children {
        let rule = match entry.name.as_str() {
            "clear" => cancelling(location, CLEAR),
            "remove" => cancelling(location, entry.attribute("name").unwrap_or_default()),
            "rule" => {
                let mut rule = acting(entry, location);
                if let Some(stopper) = &stopper {
                    rule.faults.push(format!(
                        "never reached: the rule `{stopper}` before it ends the processing of every request"
                    ));
                } else if stops_everything(entry, &rule) {
                    stopper = Some(rule.name.clone());
                }
                rule
            }
            _ => continue,
        };
        if rule.action == CANCEL {
            take_back(&mut rules, &rule.name);
        }
        rules.push((entry.line, rule));
    }
    rules
}

/// Notes in the rules so far that the collection takes them back.
fn take_back(rules: &mut [(u64, RewriteRule)], name: &str) {
    for (_, rule) in rules {
        let named = name == CLEAR || rule.name == name;
        if named && rule.action != CANCEL && rule.faults.len() < FAULTS_MAX {
            rule.faults
                .push("taken back further down in the same configuration".to_owned());
        }
    }
}

/// Conditions as `{INPUT} =~ pattern`, `!~` where negated.
pub(super) fn conditions_of(rule: &Element) -> Vec<String> {
    rule.children_named("conditions")
        .flat_map(|conditions| conditions.children_named("add"))
        .map(|condition| {
            let input = condition.attribute("input").unwrap_or_default();
            let pattern = condition
                .attribute("pattern")
                .or_else(|| condition.attribute("matchType"))
                .unwrap_or_default();
            let sign = if is_true(condition.attribute("negate")) {
                "!~"
            } else {
                "=~"
            };
            format!("{input} {sign} {pattern}")
        })
        .collect()
}

fn cancelling(location: &str, name: &str) -> RewriteRule {
    RewriteRule {
        location: location.to_owned(),
        name: name.to_owned(),
        enabled: true,
        pattern: String::new(),
        conditions: Vec::new(),
        action: CANCEL.to_owned(),
        cancelled_in: Vec::new(),
        faults: Vec::new(),
    }
}

fn acting(entry: &Element, location: &str) -> RewriteRule {
    let url = entry.child("match");
    let pattern = url.and_then(|url| url.attribute("url")).unwrap_or_default();
    let action = entry
        .child("action")
        .and_then(|action| action.attribute("type"))
        .unwrap_or("None");
    let enabled = entry.attribute("enabled") != Some("false");
    let mut rule = RewriteRule {
        location: location.to_owned(),
        name: entry.attribute("name").unwrap_or_default().to_owned(),
        enabled,
        pattern: pattern.to_owned(),
        conditions: conditions_of(entry),
        action: action.to_owned(),
        cancelled_in: Vec::new(),
        faults: Vec::new(),
    };
    rule.faults = faults_of(entry, url, &rule);
    rule
}

/// Why a rule, looked at alone, does not act on what it seems to be for.
fn faults_of(entry: &Element, url: Option<&Element>, rule: &RewriteRule) -> Vec<String> {
    let mut faults = Vec::new();
    if !rule.enabled {
        faults.push("disabled".to_owned());
    }
    if rule.action == "None" {
        faults.push("its action is `None`: it does nothing".to_owned());
    }
    if rule.pattern.is_empty() {
        faults.push("it has no pattern for the URL".to_owned());
    }
    if url.is_some_and(|url| is_true(url.attribute("negate"))) {
        faults.push("its pattern for the URL is negated".to_owned());
    }
    let conditions = entry.child("conditions");
    let any_input_missing = conditions.is_some_and(|conditions| {
        let mut added = conditions.children_named("add");
        added.any(|condition| !is_server_variable(condition.attribute("input").unwrap_or_default()))
    });
    if any_input_missing {
        faults.push("a condition looks at a fixed text, not at the request".to_owned());
    }
    match entry.attribute("patternSyntax") {
        Some("ExactMatch") if looks_like_expression(rule) => faults.push(
            "its patterns are written as regular expressions but compared as fixed texts"
                .to_owned(),
        ),
        Some("Wildcard") if looks_like_expression(rule) => faults.push(
            "its patterns are written as regular expressions but read as wildcards".to_owned(),
        ),
        _ => {}
    }
    faults
}

/// Inputs name server variables in braces: `{HTTP_COOKIE}`, `{UrlDecode:{REQUEST_URI}}`.
fn is_server_variable(input: &str) -> bool {
    input.contains('{') && input.contains('}')
}

fn looks_like_expression(rule: &RewriteRule) -> bool {
    let expression = |text: &str| {
        [".*", ".+", "(?", "\\", "^", "$"]
            .iter()
            .any(|sign| text.contains(sign))
    };
    expression(&rule.pattern)
        || rule
            .conditions
            .iter()
            .any(|condition| expression(condition))
}

/// Whether no request gets past this rule to the next.
fn stops_everything(entry: &Element, rule: &RewriteRule) -> bool {
    let always = rule.conditions.is_empty()
        && matches!(
            rule.pattern.as_str(),
            ".*" | "(.*)" | "^(.*)$" | "^.*$" | "*" | ""
        );
    rule.enabled && always && is_true(entry.attribute("stopProcessing"))
}

fn is_true(value: Option<&str>) -> bool {
    value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
}
