//! Fills the details of a finding into the words of a step.
//!
//! A step's text may hold placeholders such as `{client}`, and phrases in square brackets:
//! `The shell answered[ at {path}][ from {client}].` A phrase is left out as a whole where a detail in it is not
//! known; a placeholder outside brackets whose detail is not known becomes `unknown`.

use crate::types::{Manifest, StepText};
use std::collections::BTreeMap;

/// Every placeholder that a step's text may use.
pub(crate) const PLACEHOLDERS: &[&str] = &[
    "path",
    "client",
    "user_agent",
    "command",
    "target_host",
    "user",
    "foothold",
];

impl Manifest {
    /// The words for a step, and its place in the order of an intrusion.
    pub fn step(&self, id: &str) -> Option<(usize, &StepText)> {
        let mut steps = self.steps.iter().enumerate();
        steps.find(|(_, step)| step.id == id)
    }
}

impl StepText {
    /// The step as a sentence, with the details filled in. Details are not escaped: they come from evidence, and
    /// every way out escapes.
    pub fn fill(&self, details: &BTreeMap<String, String>) -> String {
        let mut sentence = String::new();
        let mut rest = self.text.as_str();
        while let Some(open) = rest.find('[') {
            sentence += &fill_phrase(&rest[..open], details).0;
            let after = &rest[open + 1..];
            let Some(close) = after.find(']') else {
                rest = after;
                break;
            };
            let (phrase, complete) = fill_phrase(&after[..close], details);
            if complete {
                sentence += &phrase;
            }
            rest = &after[close + 1..];
        }
        sentence += &fill_phrase(rest, details).0;
        sentence
    }

    /// The names between braces in the text.
    pub(crate) fn placeholders(&self) -> Vec<&str> {
        let pieces = self.text.split('{').skip(1);
        pieces
            .map(|piece| piece.split('}').next().unwrap_or_default())
            .collect()
    }
}

/// A phrase with its details, and whether all of them are known.
fn fill_phrase(phrase: &str, details: &BTreeMap<String, String>) -> (String, bool) {
    let mut filled = String::new();
    let mut complete = true;
    let mut rest = phrase;
    while let Some((before, after)) = rest.split_once('{') {
        filled += before;
        let Some((name, after)) = after.split_once('}') else {
            rest = after;
            break;
        };
        if let Some(detail) = details.get(name).filter(|detail| !detail.is_empty()) {
            filled += detail;
        } else {
            complete = false;
            filled += "unknown";
        }
        rest = after;
    }
    filled += rest;
    (filled, complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str, details: &[(&str, &str)]) -> String {
        let step = StepText {
            id: "x".to_owned(),
            text: text.to_owned(),
        };
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        step.fill(&details.iter().map(own).collect())
    }

    #[test]
    fn phrases_without_their_details_are_left_out() {
        let text = "It answered[ at {path}][ from {client} as {user}].";
        assert_eq!(
            fill(text, &[("path", "/x.aspx"), ("client", "192.0.2.1")]),
            "It answered at /x.aspx."
        );
        assert_eq!(fill(text, &[]), "It answered.");
        assert_eq!(fill("Ran {command}.", &[]), "Ran unknown.");
    }

    #[test]
    fn brackets_and_braces_of_details_stay_as_they_are() {
        assert_eq!(
            fill("[ by {client}] done", &[("client", "[::1] {user}")]),
            " by [::1] {user} done"
        );
        assert_eq!(fill("open [ and {half", &[]), "open  and half");
    }
}
