//! Logs that are published together with rules, as SigmaHQ does: `info.yml` names rules, logs, and how often these match.
//!
//! The form: <https://github.com/SigmaHQ/sigma/tree/master/regression_data> and `tests/regression_tests_runner.py` there.

use serde::Deserialize;

/// A rule and a log that it must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegressionPair {
    /// The rule's id.
    pub rule: String,
    /// The rule's title, where it is told.
    pub title: String,
    /// The log as it is named there: a path relative to the repository.
    pub log: String,
    /// How many records match; `None` where any number will do but none.
    pub expected: Option<u64>,
}

#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    rule_metadata: Vec<RuleNamed>,
    #[serde(default)]
    regression_tests_info: Vec<Test>,
}

#[derive(Deserialize)]
struct RuleNamed {
    id: String,
    #[serde(default)]
    title: String,
}

#[derive(Deserialize)]
struct Test {
    path: String,
    match_count: Option<u64>,
}

/// The pairs that an `info.yml` names: each of its logs with each of its rules. Some name none as yet.
pub fn regression_pairs(text: &str) -> Result<Vec<RegressionPair>, serde_yaml_ng::Error> {
    let info: Info = serde_yaml_ng::from_str(text)?;
    let rules = &info.rule_metadata;
    let tests = info.regression_tests_info.iter();
    Ok(tests
        .flat_map(|test| {
            rules.iter().map(|rule| RegressionPair {
                rule: rule.id.clone(),
                title: rule.title.clone(),
                log: test.path.clone(),
                expected: test.match_count,
            })
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_log_goes_with_each_rule() {
        let told = |text: &str| match regression_pairs(text) {
            Ok(pairs) => pairs
                .iter()
                .map(|pair| format!("{} {} {:?}", pair.rule, pair.log, pair.expected))
                .collect::<Vec<_>>()
                .join("; "),
            Err(error) => error.to_string(),
        };
        let rules = "rule_metadata: [{id: a, title: A}, {id: b}]\n";
        let tests = "regression_tests_info: [{name: n, type: evtx, path: x/a.evtx, match_count: 2}, {path: y}]";
        assert_eq!(
            told(&format!("{rules}{tests}")),
            "a x/a.evtx Some(2); b x/a.evtx Some(2); a y None; b y None"
        );
        assert_eq!(told(rules), "");
        assert!(told("rule_metadata: none").contains("invalid type"));
    }
}
