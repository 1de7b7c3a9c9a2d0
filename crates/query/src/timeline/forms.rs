//! How events read in a timeline: `knowledge/timeline.yaml`.

use serde::Deserialize;

/// What Allclear comes with.
const BUILT_IN: &str = include_str!("../../../../knowledge/timeline.yaml");

/// Characters of one message; Timesketch shows it in one line.
const MESSAGE_CHARACTERS_MAX: usize = 2_000;

/// How events read in a timeline.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forms {
    pub(super) desc: String,
    messages: Vec<Template>,
    pub(super) files: Vec<FileTimes>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Template {
    needs: Vec<String>,
    text: String,
}

/// Where a record of a file has its times.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTimes {
    pub(super) has: String,
    pub(super) path: String,
    #[serde(default)]
    pub(super) inode: String,
    #[serde(default)]
    pub(super) size: String,
    #[serde(default)]
    pub(super) deleted: String,
    #[serde(default)]
    pub(super) accessed: String,
    #[serde(default)]
    pub(super) modified: String,
    #[serde(default)]
    pub(super) changed: String,
    #[serde(default)]
    pub(super) created: String,
    pub(super) note: String,
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("forms of timelines cannot be read")]
pub struct FormsError(#[from] serde_yaml_ng::Error);

impl Forms {
    /// What Allclear comes with.
    pub fn built_in() -> Result<Self, FormsError> {
        Self::parse(BUILT_IN)
    }

    pub fn parse(yaml: &str) -> Result<Self, FormsError> {
        Ok(serde_yaml_ng::from_str(yaml)?)
    }

    /// The event in one line. `value` gives the text of a column, `None` where it is absent.
    pub(super) fn message(&self, value: &dyn Fn(&str) -> Option<String>) -> String {
        let said = |name: &str| value(name).filter(|text| !text.is_empty());
        let fits = |template: &&Template| template.needs.iter().all(|name| said(name).is_some());
        let message = match self.messages.iter().find(fits) {
            Some(template) => filled(&template.text, &said),
            None => said("fields").unwrap_or_default(),
        };
        let mut characters = message.chars();
        let mut kept: String = characters.by_ref().take(MESSAGE_CHARACTERS_MAX).collect();
        if characters.next().is_some() {
            kept.push('…');
        }
        kept
    }
}

/// The template with its columns. An optional part in which one is absent is left out; values are never looked at again, so
/// brackets in evidence mean nothing.
fn filled(template: &str, value: &dyn Fn(&str) -> Option<String>) -> String {
    let mut whole = String::new();
    let mut part: Option<(String, bool)> = None;
    let mut rest = template;
    while let Some(at) = rest.find(['{', '[', ']']) {
        let (before, from) = rest.split_at(at);
        push(&mut whole, &mut part, before);
        rest = &from[1..];
        match from.as_bytes()[0] {
            b'[' => part = Some((String::new(), true)),
            b']' => {
                if let Some((text, true)) = part.take() {
                    whole.push_str(&text);
                }
            }
            _ => {
                let (name, after) = rest.split_once('}').unwrap_or((rest, ""));
                rest = after;
                match (value(name), &mut part) {
                    (Some(text), _) => push(&mut whole, &mut part, &text),
                    (None, Some((_, complete))) => *complete = false,
                    (None, None) => {}
                }
            }
        }
    }
    push(&mut whole, &mut part, rest);
    whole
}

fn push(whole: &mut String, part: &mut Option<(String, bool)>, text: &str) {
    match part {
        Some((part, _)) => part.push_str(text),
        None => whole.push_str(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(values: &[(&str, &str)]) -> String {
        let value = |name: &str| {
            let of = values.iter().find(|(known, _)| *known == name);
            of.map(|(_, value)| (*value).to_owned())
        };
        Forms::built_in()
            .expect("what we ship parses")
            .message(&value)
    }

    #[test]
    fn parts_without_a_value_are_left_out_and_evidence_is_no_template() {
        let request = [
            ("http_method", "POST"),
            ("url_path", "/x.aspx[{user_name}]"),
            ("src_ip", "203.0.113.5"),
        ];
        assert_eq!(
            message(&request),
            "POST /x.aspx[{user_name}] to 203.0.113.5"
        );
    }

    #[test]
    fn an_event_that_no_template_fits_shows_its_fields() {
        assert_eq!(message(&[("fields", "{\"a\":\"b\"}")]), "{\"a\":\"b\"}");
    }
}
