//! YAML as a tree of our own, read with limits on depth, size and repetition.
//!
//! The YAML library does the reading; a document that would unfold to more than it holds (aliases of aliases) stops at
//! a count of nodes. Documents of one file are cut apart first, so that one that is damaged leaves the others alone:
//! a line that begins with `---` always starts a document (YAML 1.2, section 9.1).

use crate::problem::Problem;
use rustc_hash::FxHashSet;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use std::cell::Cell;
use std::fmt;

/// Larger than any collection of rules in one file; the largest published rule has 60 kB.
pub(crate) const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Brackets within brackets; rules need five or six.
const DEPTH_MAX: usize = 32;

/// Values of one document, aliases unfolded; the largest published rule has some 2,000.
const NODES_MAX: usize = 200_000;

/// Keys of a mapping up to which duplicates are looked for one by one.
const FEW_KEYS: usize = 16;

/// A value of a YAML document.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without a fraction.
    Integer(i64),
    /// A number above the range of [`Node::Integer`].
    Unsigned(u64),
    /// A number with a fraction.
    Float(f64),
    /// A text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in its written order; keys are unique.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The value under a key; `None` where there is none or this is no mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Self::Map(entries) = self else {
            return None;
        };
        entries
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, node)| node)
    }

    /// The text, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A single value (not a list or mapping) as text; `None` for null.
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Bool(value) => Some(value.to_string()),
            Self::Integer(number) => Some(number.to_string()),
            Self::Unsigned(number) => Some(number.to_string()),
            Self::Float(number) => Some(number.to_string()),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// What it is, in words for a message.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) | Self::Unsigned(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Unsigned(number) => serializer.serialize_u64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(nodes) => {
                let mut list = serializer.serialize_seq(Some(nodes.len()))?;
                for node in nodes {
                    list.serialize_element(node)?;
                }
                list.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, node) in entries {
                    map.serialize_entry(key, node)?;
                }
                map.end()
            }
        }
    }
}

/// A document and the number of lines before it.
pub(crate) struct Document<'a> {
    pub(crate) text: &'a str,
    pub(crate) lines_before: usize,
}

/// The documents of a file, in their order; parts that hold only comments and space are left out.
pub(crate) fn documents(text: &str) -> Vec<Document<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut documents = Vec::new();
    let mut start = 0;
    let mut start_line = 0;
    let mut position = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let marker = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if marker && position > start {
            documents.push(Document {
                text: &text[start..position],
                lines_before: start_line,
            });
            start = position;
            start_line = number;
        }
        position += line.len();
    }
    documents.push(Document {
        text: &text[start..],
        lines_before: start_line,
    });
    documents.retain(|document| has_content(document.text));
    documents
}

fn has_content(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.strip_prefix("---").unwrap_or(line).trim();
        !line.is_empty() && !line.starts_with(['#', '%']) && line != "..."
    })
}

/// Reads one document.
pub(crate) fn read(document: &Document<'_>) -> Result<Node, Problem> {
    let count = Cell::new(0);
    let seed = Seed {
        depth: 0,
        count: &count,
    };
    seed.deserialize(serde_yaml_ng::Deserializer::from_str(document.text))
        .map_err(|error| {
            let mut problem = Problem::error(
                "",
                format!("is not YAML that can be read: {error}"),
                "correct the document",
            );
            problem.line = error
                .location()
                .map(|location| location.line() + document.lines_before);
            problem
        })
}

/// The line of a place (keys joined by dots) in a document, found by walking the keys down the text; a best effort for
/// messages. Lines are counted from 1.
pub(crate) fn line_of(text: &str, lines_before: usize, place: &str) -> Option<usize> {
    let mut rest = place;
    let mut found = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start_matches([' ', '-']);
        let Some(after) = after_key(line, rest) else {
            continue;
        };
        found = Some(number + 1 + lines_before);
        match after.strip_prefix('.') {
            Some(below) => rest = below,
            None => break,
        }
    }
    found
}

/// What is left of a place behind the key that opens a line.
fn after_key<'a>(line: &str, place: &'a str) -> Option<&'a str> {
    let quote = line
        .chars()
        .next()
        .filter(|first| matches!(first, '\'' | '"'));
    let key = match quote {
        Some(quote) => line[1..].split_once(quote)?.0,
        None => line.split_once(':')?.0.trim_end(),
    };
    let after = place.strip_prefix(key)?;
    (!key.is_empty() && (after.is_empty() || after.starts_with('.'))).then_some(after)
}

#[derive(Clone, Copy)]
struct Seed<'a> {
    depth: usize,
    count: &'a Cell<usize>,
}

impl Seed<'_> {
    fn counted<E: Error>(self) -> Result<(), E> {
        self.count.set(self.count.get() + 1);
        if self.count.get() > NODES_MAX {
            return Err(E::custom(format!("more than {NODES_MAX} values")));
        }
        Ok(())
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth >= DEPTH_MAX {
            return Err(E::custom(format!("nested deeper than {DEPTH_MAX}")));
        }
        Ok(Self {
            depth: self.depth + 1,
            count: self.count,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        self.counted()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(i64::try_from(value).map_or(Node::Unsigned(value), Node::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(Node::Text(value))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let below = self.deeper()?;
        let mut nodes = Vec::new();
        while let Some(node) = sequence.next_element_seed(below)? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let below = self.deeper()?;
        let mut entries: Vec<(String, Node)> = Vec::new();
        let mut seen = FxHashSet::default();
        while let Some(key) = map.next_key_seed(below)? {
            let key = match key {
                Node::Text(text) => text,
                Node::Null => "null".to_owned(),
                other => other.to_text().ok_or_else(|| {
                    A::Error::custom(format!("a key is {}, not a name", other.kind()))
                })?,
            };
            let duplicate = if entries.len() <= FEW_KEYS {
                entries.iter().any(|(name, _)| *name == key)
            } else {
                if seen.is_empty() {
                    seen.extend(entries.iter().map(|(name, _)| name.clone()));
                }
                !seen.insert(key.clone())
            };
            if duplicate {
                return Err(A::Error::custom(format!("the key `{key}` stands twice")));
            }
            entries.push((key, map.next_value_seed(below)?));
        }
        Ok(Node::Map(entries))
    }

    fn visit_enum<A: serde::de::EnumAccess<'de>>(self, _tagged: A) -> Result<Node, A::Error> {
        Err(A::Error::custom("a tag (`!name`) is not supported"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    fn only(text: &str) -> Result<Node, Problem> {
        let documents = documents(text);
        assert_eq!(documents.len(), 1, "{text}");
        read(&documents[0])
    }

    #[test]
    fn documents_are_cut_apart_and_keep_their_lines() {
        let text = "# head\n---\na: 1\n---   # second\nb: [\n---\nc: |\n  --- not a marker\n";
        let documents = documents(text);
        assert_eq!(documents.len(), 3);
        assert_eq!(documents[2].lines_before, 5);
        assert!(read(&documents[1]).is_err(), "the damaged one");
        let last = read(&documents[2]).unwrap();
        assert_eq!(last.get("c").unwrap().as_text(), Some("--- not a marker\n"));
        assert_eq!(line_of(documents[2].text, 5, "c"), Some(7));
        let rule = "detection:\n  sel:\n    - 'a.b|all': 1\n      c: 2\n";
        assert_eq!(line_of(rule, 0, "detection.sel.a.b|all"), Some(3));
        assert_eq!(line_of(rule, 0, "detection.sel.c"), Some(4));
    }

    #[test]
    fn hostile_documents_are_refused() {
        let deep = format!("a: {}{}", "[".repeat(100), "]".repeat(100));
        assert!(only(&deep).unwrap_err().message.contains("nested deeper"));
        let very_deep = "[".repeat(100_000);
        assert!(only(&very_deep).is_err());
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..9 {
            let below = level - 1;
            let list = vec![format!("*a{below}"); 10].join(",");
            writeln!(bomb, "a{level}: &a{level} [{list}]").unwrap();
        }
        assert!(only(&bomb).is_err());
        assert!(
            only("a: 1\na: 2\n")
                .unwrap_err()
                .message
                .contains("stands twice")
        );
        assert!(only("a: !x 1\n").is_err());
    }
}
