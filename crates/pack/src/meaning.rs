//! What rules say about themselves: id, title, and the meaning of a match.
//!
//! A Sigma rule carries it under the key `allclear`, in the form of [`RuleMeaning`]:
//!
//! ```yaml
//! allclear:
//!   stage: foothold
//!   step: shell_written
//!   meaning: A server script was created in a folder that the web server serves.
//!   foothold: {kind: web_shell, path_from: target_file, state: unknown}
//! ```
//!
//! A YARA rule carries it as metadata: `allclear_stage`, `allclear_step`, `allclear_meaning`, and where the file that
//! matches is itself a foothold, `allclear_foothold = "web_shell"`; its path is the file's, its state `present`.
//! Rules are not compiled here, only skimmed: that is the engines' part.

use crate::types::{RuleFile, RuleFoothold, RuleMeaning};
use model::FootholdState;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What one rule says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleHead {
    /// Sigma `id`, or name of the YARA rule.
    pub id: String,
    /// Sigma `title`; the YARA rule's `description`, or its name.
    pub title: String,
    /// Level as in Sigma; empty where the rule names none.
    pub level: String,
    /// ATT&CK techniques: `T1505.003`.
    pub techniques: Vec<String>,
    /// Where the rule's author says that it comes from.
    pub references: Vec<String>,
    /// The meaning, or why it cannot be read.
    pub meaning: Result<RuleMeaning, String>,
}

/// The heads of the Sigma rules in a file, one for each YAML document, or why the file cannot be read.
pub fn sigma_heads(file: &RuleFile) -> Result<Vec<RuleHead>, String> {
    let mut heads = Vec::new();
    for document in serde_yaml_ng::Deserializer::from_str(&file.text) {
        let rule =
            serde_yaml_ng::Value::deserialize(document).map_err(|error| error.to_string())?;
        if rule.is_null() {
            continue;
        }
        let text = |key: &str| {
            let value = rule.get(key).and_then(serde_yaml_ng::Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let meaning = match rule.get("allclear") {
            None => Err("the rule has no `allclear` block".to_owned()),
            Some(block) => serde_yaml_ng::from_value(block.clone())
                .map_err(|error| format!("the `allclear` block cannot be read: {error}")),
        };
        let tags = texts(rule.get("tags"));
        heads.push(RuleHead {
            id: text("id"),
            title: text("title"),
            level: text("level"),
            techniques: tags.iter().filter_map(|tag| technique(tag)).collect(),
            references: texts(rule.get("references")),
            meaning,
        });
    }
    Ok(heads)
}

/// The texts of a list; none where it is no list.
fn texts(list: Option<&serde_yaml_ng::Value>) -> Vec<String> {
    let all = list.and_then(serde_yaml_ng::Value::as_sequence);
    let texts = all.into_iter().flatten();
    texts
        .filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}

/// The technique that a tag of Sigma names: `attack.t1505.003`.
fn technique(tag: &str) -> Option<String> {
    let name = tag.strip_prefix("attack.")?;
    let number = name.strip_prefix('t')?;
    number
        .starts_with(|c: char| c.is_ascii_digit())
        .then(|| name.to_uppercase())
}

/// The heads of the YARA rules in a file, in order.
pub fn yara_heads(file: &RuleFile) -> Vec<RuleHead> {
    let tokens = Tokens::new(&file.text).collect::<Vec<_>>();
    let mut heads = Vec::new();
    let mut rest = tokens.as_slice();
    while let [first, after @ ..] = rest {
        rest = after;
        let (Token::Word("rule"), [Token::Word(name), ..]) = (first, after) else {
            continue;
        };
        let meta = yara_meta(after);
        heads.push(RuleHead {
            id: (*name).to_owned(),
            title: meta
                .get("description")
                .cloned()
                .unwrap_or_else(|| (*name).to_owned()),
            level: meta.get("level").cloned().unwrap_or_default(),
            techniques: meta.get("techniques").map_or_else(Vec::new, |text| {
                let names = text.split([',', ' ']).filter(|name| !name.is_empty());
                names.map(str::to_owned).collect()
            }),
            references: meta.get("reference").cloned().into_iter().collect(),
            meaning: yara_meaning(&meta),
        });
    }
    heads
}

fn yara_meaning(meta: &BTreeMap<&str, String>) -> Result<RuleMeaning, String> {
    let value = |key: &str| {
        meta.get(key)
            .cloned()
            .ok_or_else(|| format!("the metadata `{key}` is missing"))
    };
    let foothold = match meta.get("allclear_foothold") {
        None => None,
        Some(kind) => Some(RuleFoothold {
            kind: word("allclear_foothold", kind)?,
            path_from: "path".to_owned(),
            state: FootholdState::Present,
        }),
    };
    Ok(RuleMeaning {
        stage: word("allclear_stage", &value("allclear_stage")?)?,
        step: value("allclear_step")?,
        meaning: value("allclear_meaning")?,
        foothold,
    })
}

/// Reads one of the model's words.
fn word<T: serde::de::DeserializeOwned>(key: &str, text: &str) -> Result<T, String> {
    serde_yaml_ng::from_value(text.into()).map_err(|error| format!("`{key}`: {error}"))
}

/// The metadata of a rule whose name is the first of `tokens`. Only text values are kept.
fn yara_meta<'a>(tokens: &[Token<'a>]) -> BTreeMap<&'a str, String> {
    let mut meta = BTreeMap::new();
    let start = tokens.windows(2).position(|pair| {
        matches!(
            pair,
            [
                Token::Word("meta" | "strings" | "condition"),
                Token::Sign(':')
            ]
        )
    });
    let Some(start) = start else { return meta };
    if !matches!(tokens[start], Token::Word("meta")) {
        return meta;
    }
    for window in tokens[start..].windows(3) {
        match window {
            [Token::Word("strings" | "condition"), Token::Sign(':'), _] => break,
            [Token::Word(key), Token::Sign('='), Token::Text(value)] => {
                meta.insert(*key, value.clone());
            }
            _ => {}
        }
    }
    meta
}

/// A piece of YARA source.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Text(String),
    Sign(char),
}

/// Skims YARA source: comments and regular expressions are left out.
struct Tokens<'a> {
    rest: &'a str,
    /// The last token was `=` or `matches`, so that `/` begins a regular expression.
    expects_pattern: bool,
}

impl<'a> Tokens<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            expects_pattern: false,
        }
    }

    /// Drops everything up to and with `end`, or all.
    fn skip_past(&mut self, end: &str) {
        self.rest = self
            .rest
            .find(end)
            .map_or("", |at| &self.rest[at + end.len()..]);
    }

    /// Takes text up to an unescaped `end`; `self.rest` begins after the opening sign.
    fn take_quoted(&mut self, end: char) -> String {
        let mut text = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((at, character)) = characters.next() {
            if character == end {
                self.rest = &self.rest[at + character.len_utf8()..];
                return text;
            }
            if character != '\\' {
                text.push(character);
                continue;
            }
            match characters.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                Some((_, escaped)) => text.push(escaped),
                None => break,
            }
        }
        self.rest = "";
        text
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            self.rest = self.rest.trim_start();
            let first = self.rest.chars().next()?;
            if self.rest.starts_with("//") {
                self.skip_past("\n");
                continue;
            }
            if self.rest.starts_with("/*") {
                self.skip_past("*/");
                continue;
            }
            if first == '/' && self.expects_pattern {
                self.rest = &self.rest[1..];
                self.take_quoted('/');
                self.expects_pattern = false;
                continue;
            }
            if first.is_alphanumeric() || first == '_' {
                let end = self
                    .rest
                    .find(|c: char| !c.is_alphanumeric() && c != '_')
                    .unwrap_or(self.rest.len());
                let (word, rest) = self.rest.split_at(end);
                self.rest = rest;
                self.expects_pattern = word == "matches";
                return Some(Token::Word(word));
            }
            self.rest = &self.rest[first.len_utf8()..];
            self.expects_pattern = first == '=';
            return Some(if first == '"' {
                Token::Text(self.take_quoted('"'))
            } else {
                Token::Sign(first)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn show(heads: &[RuleHead]) -> String {
        let lines: Vec<String> = heads
            .iter()
            .map(|head| format!("{} | {} | {:?}", head.id, head.title, head.meaning))
            .collect();
        lines.join("\n") + "\n"
    }

    fn check_yara(text: &str, expected: &Expect) {
        let file = RuleFile {
            path: "rules/x.yar".to_owned(),
            text: text.to_owned(),
        };
        expected.assert_eq(&show(&yara_heads(&file)));
    }

    #[test]
    fn sigma_rules_tell_their_meaning() {
        let file = RuleFile {
            path: "rules/x.yml".to_owned(),
            text: "title: One\nid: a-1\nallclear:\n  stage: exploited\n  step: ssrf\n  meaning: It worked.\n---\ntitle: Two\nid: a-2\nallclear: {stage: huge, step: x, meaning: y}\n---\ntitle: Three\nid: a-3\n".to_owned(),
        };
        expect![[r#"
            a-1 | One | Ok(RuleMeaning { stage: Exploited, step: "ssrf", meaning: "It worked.", foothold: None })
            a-2 | Two | Err("the `allclear` block cannot be read: unknown variant `huge`, expected one of `none_seen`, `probed`, `exploited`, `foothold`, `hands_on`, `impact`")
            a-3 | Three | Err("the rule has no `allclear` block")
        "#]]
        .assert_eq(&show(&sigma_heads(&file).unwrap()));
        let damaged = RuleFile {
            path: "rules/x.yml".to_owned(),
            text: "title: [".to_owned(),
        };
        assert!(sigma_heads(&damaged).is_err());
    }

    #[test]
    fn yara_rules_tell_their_meaning_past_comments_strings_and_patterns() {
        check_yara(
            r#"
            import "pe" // rule not_a_rule
            /* rule neither { meta: allclear_stage = "impact" } */
            private rule first : tag {
                meta:
                    description = "says \"rule x\""
                    allclear_stage = "foothold"
                    allclear_step = "shell_written"
                    allclear_meaning = "A shell."
                    allclear_foothold = "web_shell"
                strings:
                    $a = /rule [a-z]+ "/ nocase
                    $b = { 72 75 6C ( 65 | 66 ) }
                condition: $a or $b
            }
            rule second { condition: filesize / 2 > 10 and "rule z" matches /rule q/ }
            "#,
            &expect![[r#"
                first | says "rule x" | Ok(RuleMeaning { stage: Foothold, step: "shell_written", meaning: "A shell.", foothold: Some(RuleFoothold { kind: WebShell, path_from: "path", state: Present }) })
                second | second | Err("the metadata `allclear_stage` is missing")
            "#]],
        );
    }

    #[test]
    fn cut_off_yara_ends_quietly() {
        check_yara(
            "rule half { meta: a = \"never closed",
            &expect![[r#"
            half | half | Err("the metadata `allclear_stage` is missing")
        "#]],
        );
    }
}
