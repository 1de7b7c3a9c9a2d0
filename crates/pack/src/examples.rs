//! Examples of a pack: for each rule, one case that must match and one that must not.
//!
//! Every `examples/*.yaml` holds one or more YAML documents, parted by `---`. One document is one example:
//!
//! ```yaml
//! rule: 6f0c1f5e-6f5b-4f0e-9a51-2f6f6b0f8f10   # `id` of a Sigma rule, or name of a YARA rule
//! matches: true                                # false: the rule must leave this alone
//! record:                                      # for Sigma rules: one record
//!   source: exchange.httpproxy:ecp             #   its full source name, lower case
//!   fields:                                    #   field names as readers emit them; numbers and booleans are
//!     path: /ecp/y.js                          #   taken as text
//!     status: 241
//! ---
//! rule: short_server_script
//! matches: false
//! file:                                        # for YARA rules: a file
//!   path: C:\inetpub\wwwroot\plain.aspx        #   original Windows path
//!   text: |                                    #   exactly one of `text`, `base64`, `xor_hex`
//!     <html>nothing here</html>
//! ```
//!
//! - `text`: the bytes as UTF-8, for harmless content.
//! - `base64`: standard alphabet with padding; white space is ignored.
//! - `xor_hex`: hexadecimal digits, each byte combined with `0x5A` by exclusive or; white space is ignored. For what
//!   an antivirus would delete: neither the file nor its Base64 stands in the repository.
//!
//! A rule may have any number of examples, but needs at least one of each kind (`matches: true` and `false`).

use crate::problem::{Code, Problem};
use crate::tables::{spot_at, yaml_problem};
use crate::types::{Example, ExampleContent, RuleFile};
use base64::Engine as _;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::OnceLock;

/// Combined by exclusive or with every byte of `xor_hex`.
const XOR: u8 = 0x5A;

/// One YAML document of an example file, as written.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, schemars(extend("oneOf" = [{"required": ["record"]}, {"required": ["file"]}])))]
pub(crate) struct ExampleFile {
    /// `id` of a Sigma rule, or name of a YARA rule.
    rule: String,
    /// Whether the rule must match, or must leave this alone.
    matches: bool,
    /// For Sigma rules: one record.
    #[serde(default)]
    record: Option<ExampleRecord>,
    /// For YARA rules: a file.
    #[serde(default)]
    file: Option<ExampleBytes>,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct ExampleRecord {
    /// Its full source name, lower case.
    source: String,
    /// Values by field name, as readers emit them.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::plain_values"))]
    fields: BTreeMap<String, serde_yaml_ng::Value>,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    test,
    schemars(extend("oneOf" = [{"required": ["text"]}, {"required": ["base64"]}, {"required": ["xor_hex"]}]))
)]
struct ExampleBytes {
    /// Original Windows path.
    path: String,
    /// The bytes as UTF-8, for harmless content.
    #[serde(default)]
    text: Option<String>,
    /// The bytes as Base64; white space is ignored.
    #[serde(default)]
    base64: Option<String>,
    /// The bytes as hexadecimal digits, each combined with `0x5A` by exclusive or, for what an antivirus would delete.
    #[serde(default)]
    xor_hex: Option<String>,
}

/// The examples of a pack. Only who tests a pack asks for them, so those of built-in packs wait as text until then.
#[derive(Clone, Debug)]
pub struct Examples {
    texts: Vec<RuleFile>,
    read: OnceLock<Vec<Example>>,
}

impl Examples {
    /// Reads them now, and tells what is wrong with them.
    pub(crate) fn read(texts: Vec<RuleFile>, problems: &mut Vec<Problem>) -> Self {
        let read = OnceLock::from(read_all(&texts, problems));
        Self { texts, read }
    }

    /// Those of a pack of which a test reads all.
    pub(crate) fn faultless(texts: Vec<RuleFile>) -> Self {
        Self {
            texts,
            read: OnceLock::new(),
        }
    }
}

impl Deref for Examples {
    type Target = [Example];

    fn deref(&self) -> &[Example] {
        self.read.get_or_init(|| {
            let mut problems = Vec::new();
            let read = read_all(&self.texts, &mut problems);
            assert!(problems.is_empty(), "a test loads every built-in pack");
            read
        })
    }
}

fn read_all(texts: &[RuleFile], problems: &mut Vec<Problem>) -> Vec<Example> {
    let texts = texts.iter();
    texts
        .flat_map(|file| read_examples(&file.path, &file.text, problems))
        .collect()
}

/// Reads every example of one file.
fn read_examples(path: &str, text: &str, problems: &mut Vec<Problem>) -> Vec<Example> {
    let mut examples = Vec::new();
    for document in documents(text) {
        match serde_yaml_ng::from_str::<ExampleFile>(&document.padded) {
            Err(error) => problems.push(yaml_problem(Code::Example, path, text, &error)),
            Ok(file) => match file.into_example(path) {
                Ok(example) => examples.push(example),
                Err(what) => problems.push(
                    Problem::new(
                        Code::Example,
                        path,
                        what,
                        "crates/pack/src/examples.rs describes the form of an example",
                    )
                    .at(spot_at(text, document.line, 1, 1)),
                ),
            },
        }
    }
    examples
}

impl ExampleFile {
    fn into_example(self, path: &str) -> Result<Example, String> {
        let content = match (self.record, self.file) {
            (Some(record), None) => ExampleContent::Record {
                source: record.source,
                fields: texts(record.fields)?,
            },
            (None, Some(file)) => ExampleContent::File {
                bytes: file.bytes()?,
                path: file.path,
            },
            _ => return Err("an example holds either `record` or `file`".to_owned()),
        };
        Ok(Example {
            path: path.to_owned(),
            rule: self.rule,
            must_match: self.matches,
            content,
        })
    }
}

impl ExampleBytes {
    fn bytes(&self) -> Result<Vec<u8>, String> {
        match (&self.text, &self.base64, &self.xor_hex) {
            (Some(text), None, None) => Ok(text.clone().into_bytes()),
            (None, Some(base64), None) => base64::engine::general_purpose::STANDARD
                .decode(without_space(base64))
                .map_err(|source| format!("`base64` cannot be read: {source}")),
            (None, None, Some(hex)) => from_xor_hex(&without_space(hex)),
            _ => Err("a file holds exactly one of `text`, `base64` and `xor_hex`".to_owned()),
        }
    }
}

/// A YAML document of a file.
struct Document {
    /// Its first line, counted from 1.
    line: usize,
    /// Its text after as many empty lines as stand before it, so that places inside are those of the file.
    padded: String,
}

/// The documents of a file, parted by lines that are `---`. Ones with nothing but comments are left out.
fn documents(text: &str) -> Vec<Document> {
    let mut found = Vec::new();
    let mut lines = Vec::new();
    let mut line = 1;
    for (index, content) in text.lines().chain(["---"]).enumerate() {
        if content.trim_end() != "---" {
            lines.push(content);
            continue;
        }
        let is_blank = |line: &&str| line.trim().is_empty() || line.trim_start().starts_with('#');
        if !lines.iter().all(is_blank) {
            let padded = "\n".repeat(line - 1) + &lines.join("\n");
            found.push(Document { line, padded });
        }
        lines.clear();
        line = index + 2;
    }
    found
}

/// Field values as text; numbers and booleans are written out.
fn texts(
    fields: BTreeMap<String, serde_yaml_ng::Value>,
) -> Result<BTreeMap<String, String>, String> {
    use serde_yaml_ng::Value;
    fields
        .into_iter()
        .map(|(name, value)| match value {
            Value::String(text) => Ok((name, text)),
            Value::Number(number) => Ok((name, number.to_string())),
            Value::Bool(flag) => Ok((name, flag.to_string())),
            Value::Null => Ok((name, String::new())),
            _ => Err(format!(
                "the field `{name}` is neither text, number nor boolean"
            )),
        })
        .collect()
}

fn without_space(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

fn from_xor_hex(digits: &str) -> Result<Vec<u8>, String> {
    let wrong = || "`xor_hex` is not an even number of hexadecimal digits".to_owned();
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| match u8::from_str_radix(&digits[at..at + 2], 16) {
            Ok(byte) => Ok(byte ^ XOR),
            Err(_not_hex) => Err(wrong()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use std::fmt::Write as _;

    fn check(text: &str, expected: &Expect) {
        let mut problems = Vec::new();
        let mut shown = String::new();
        for example in read_examples("examples/x.yaml", text, &mut problems) {
            let (rule, must) = (example.rule, example.must_match);
            match example.content {
                ExampleContent::Record { source, fields } => {
                    writeln!(shown, "{rule} {must} record {source} {fields:?}").unwrap();
                }
                ExampleContent::File { path, bytes } => {
                    let bytes = String::from_utf8_lossy(&bytes);
                    writeln!(shown, "{rule} {must} file {path} {bytes:?}").unwrap();
                }
            }
        }
        for problem in problems {
            writeln!(shown, "{problem}").unwrap();
        }
        expected.assert_eq(&shown);
    }

    #[test]
    fn every_form_of_content_is_read() {
        check(
            r"
rule: a
matches: true
record:
  source: iis.site:1
  fields: {path: /x, status: 200, live: true, empty: }
---
# nothing but a comment
---
rule: b
matches: false
file: {path: 'C:\x.aspx', text: plain}
---
rule: b
matches: true
file: {path: 'C:\x.aspx', base64: 'cGxh aW4='}
---
rule: b
matches: true
file: {path: 'C:\x.aspx', xor_hex: '2a36 3b33 34'}
",
            &expect![[r#"
                a true record iis.site:1 {"empty": "", "live": "true", "path": "/x", "status": "200"}
                b false file C:\x.aspx "plain"
                b true file C:\x.aspx "plain"
                b true file C:\x.aspx "plain"
            "#]],
        );
    }

    #[test]
    fn damaged_examples_are_told_with_their_lines() {
        check(
            "rule: a\nmatches: true\n---\nrule: b\nmatches: yes please\n---\nrule: c\nmatches: true\nfile: {path: x, xor_hex: 123}\n",
            &expect![[r#"
                error[P006]: an example holds either `record` or `file`
                 --> examples/x.yaml:1:1
                  |
                1 | rule: a
                  | ^
                  = help: crates/pack/src/examples.rs describes the form of an example
                error[P006]: matches: invalid type: string "yes please", expected a boolean
                 --> examples/x.yaml:5:10
                  |
                5 | matches: yes please
                  |          ^
                  = help: docs/writing-a-pack.md describes the form of this file
                error[P006]: `xor_hex` is not an even number of hexadecimal digits
                 --> examples/x.yaml:7:1
                  |
                7 | rule: c
                  | ^
                  = help: crates/pack/src/examples.rs describes the form of an example
            "#]],
        );
    }
}
