//! One document: a rule, a filter or a correlation, and what all three say of themselves.

use super::correlation::correlation_from;
use super::detection::detections_from;
use super::node::Node;
use crate::problem::Problem;
use crate::rule::{Correlation, Filter, Header, Level, LogSource, Rule};

/// What a document is.
pub(super) enum Kind {
    Rule(Rule),
    Correlation(Correlation),
    Filter(Filter),
}

/// Keys that the specification names and that nothing here asks for.
const KNOWN_UNUSED: &[&str] = &["related", "scope", "sigma-version"];

/// The keys of a mapping, taken one by one; what is left was not known.
pub(crate) struct Keys(Vec<(String, Node)>);

impl Keys {
    /// The keys of a mapping; an error for anything else, which `what` names.
    pub(crate) fn of(node: Node, what: &str) -> Result<Self, Problem> {
        match node {
            Node::Map(entries) => Ok(Self(entries)),
            other => Err(Problem::error(
                "",
                format!(
                    "{what} is {}, not a mapping of keys to values",
                    other.kind()
                ),
                "see the specification for its form",
            )),
        }
    }

    pub(crate) fn take(&mut self, key: &str) -> Option<Node> {
        let index = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.swap_remove(index).1)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| name == key)
    }

    /// The names of all keys, in their written order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn rest(self) -> Vec<(String, Node)> {
        self.0
    }

    /// An error where a key is left that nobody took; `fault` says what is wrong with it.
    pub(crate) fn none_left(self, fault: &str) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((key, _)) => Err(Problem::error(
                key.as_str(),
                format!("the key `{key}` {fault}"),
                "remove or correct it",
            )),
        }
    }

    /// The id, else the title, else nothing.
    pub(super) fn name(&self) -> String {
        let text = |key: &str| {
            let (_, node) = self.0.iter().find(|(name, _)| name == key)?;
            node.to_text()
        };
        text("id").or_else(|| text("title")).unwrap_or_default()
    }

    /// A single value as text; an error for a list or mapping, nothing for null.
    pub(crate) fn text(&mut self, key: &str) -> Result<Option<String>, Problem> {
        match self.take(key) {
            None | Some(Node::Null) => Ok(None),
            Some(Node::Text(text)) => Ok(Some(text)),
            Some(node) => match node.to_text() {
                Some(text) => Ok(Some(text)),
                None => Err(Problem::error(
                    key,
                    format!("is {}, not a text", node.kind()),
                    "write a single value",
                )),
            },
        }
    }

    /// A list of texts; a single value counts as a list of one.
    pub(crate) fn texts(&mut self, key: &str) -> Result<Vec<String>, Problem> {
        let nodes = match self.take(key) {
            None | Some(Node::Null) => return Ok(Vec::new()),
            Some(Node::List(nodes)) => nodes,
            Some(other) => vec![other],
        };
        let mut texts = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node {
                Node::Text(text) => texts.push(text),
                Node::Null => {}
                other => match other.to_text() {
                    Some(text) => texts.push(text),
                    None => {
                        return Err(Problem::error(
                            key,
                            format!("holds {}, not a text", other.kind()),
                            "write a list of texts",
                        ));
                    }
                },
            }
        }
        Ok(texts)
    }

    /// A truth value; `false` where it is absent.
    pub(crate) fn flag(&mut self, key: &str) -> Result<bool, Problem> {
        match self.take(key) {
            None | Some(Node::Null) => Ok(false),
            Some(Node::Bool(value)) => Ok(value),
            Some(other) => Err(Problem::error(
                key,
                format!("is {}, not `true` or `false`", other.kind()),
                "write `true` or `false`",
            )),
        }
    }
}

/// Reads a document; what does not keep it from being used goes to `warnings`.
pub(super) fn read(mut keys: Keys, warnings: &mut Vec<Problem>) -> Result<Kind, Problem> {
    if keys.has("action") {
        return Err(Problem::error(
            "action",
            "`action` joins documents in a way the specification has dropped",
            "write each document in full",
        ));
    }
    let correlation = keys.take("correlation");
    let filter = keys.take("filter");
    let detection = keys.take("detection");
    match (detection, correlation, filter) {
        (Some(detection), None, None) => {
            let log_source = log_source_from(keys.take("logsource"))?;
            let detections =
                detections_from(detection).map_err(|error| error.under("detection"))?;
            Ok(Kind::Rule(Rule {
                header: header_from(keys, warnings)?,
                log_source,
                detections,
            }))
        }
        (None, Some(correlation), None) => {
            let generate = keys.flag("generate")?;
            let mut correlation =
                correlation_from(correlation).map_err(|error| error.under("correlation"))?;
            correlation.generate |= generate;
            correlation.header = header_from(keys, warnings)?;
            Ok(Kind::Correlation(correlation))
        }
        (None, None, Some(filter)) => {
            let log_source = log_source_from(keys.take("logsource"))?;
            let (rules, detections) = filter_from(filter).map_err(|error| error.under("filter"))?;
            Ok(Kind::Filter(Filter {
                header: header_from(keys, warnings)?,
                log_source,
                rules,
                detections,
            }))
        }
        (None, None, None) => Err(Problem::error(
            "",
            "the document has neither `detection` nor `correlation` nor `filter`",
            "a rule needs `detection`",
        )),
        _ => Err(Problem::error(
            "",
            "the document has more than one of `detection`, `correlation` and `filter`",
            "write a document for each, with `---` between them",
        )),
    }
}

fn header_from(mut keys: Keys, warnings: &mut Vec<Problem>) -> Result<Header, Problem> {
    let Some(title) = keys.text("title")?.filter(|title| !title.trim().is_empty()) else {
        return Err(Problem::error("", "the document has no `title`", "add one"));
    };
    let level = match keys.text("level")? {
        None => None,
        Some(name) => {
            let level = Level::parse(&name);
            if level.is_none() {
                warnings.push(Problem::warning(
                    "level",
                    format!("`{name}` is no level"),
                    "use informational, low, medium, high or critical",
                ));
            }
            level
        }
    };
    let mut header = Header {
        id: keys.text("id")?,
        name: keys.text("name")?,
        title,
        status: keys.text("status")?,
        level,
        description: keys.text("description")?,
        author: keys.text("author")?,
        references: keys.texts("references")?,
        tags: keys.texts("tags")?,
        date: keys.text("date")?,
        modified: keys.text("modified")?,
        false_positives: keys.texts("falsepositives")?,
        fields: keys.texts("fields")?,
        license: keys.text("license")?,
        taxonomy: keys.text("taxonomy")?,
        custom: Vec::new(),
    };
    let mut rest = keys.rest();
    rest.retain(|(key, _)| !KNOWN_UNUSED.contains(&key.as_str()));
    rest.sort_by(|one, other| one.0.cmp(&other.0));
    // The list had room for every key of the document.
    rest.shrink_to_fit();
    header.custom = rest;
    Ok(header)
}

pub(crate) fn log_source_from(node: Option<Node>) -> Result<LogSource, Problem> {
    let Some(node) = node else {
        return Err(Problem::error(
            "",
            "the document has no `logsource`",
            "name a product, category or service",
        ));
    };
    let mut keys = Keys::of(node, "`logsource`").map_err(|error| error.under("logsource"))?;
    let mut part = |key| keys.text(key).map_err(|error| error.under("logsource"));
    let log_source = LogSource {
        product: part("product")?,
        category: part("category")?,
        service: part("service")?,
    };
    // Everything else (`definition` and notes of rule authors) tells people how to set up logging.
    Ok(log_source)
}

type FilterBody = (Option<Vec<String>>, crate::rule::Detections);

fn filter_from(node: Node) -> Result<FilterBody, Problem> {
    let mut keys = Keys::of(node, "`filter`")?;
    if !keys.has("rules") {
        return Err(Problem::error(
            "",
            "the filter does not say which rules it applies to",
            "add `rules` with ids or names, or `rules: any`",
        ));
    }
    let rules = keys.texts("rules")?;
    if rules.is_empty() {
        return Err(Problem::error(
            "rules",
            "the list of rules is empty",
            "name rules by id or name, or write `any`",
        ));
    }
    let any = matches!(rules.as_slice(), [only] if only.eq_ignore_ascii_case("any"));
    let detections = detections_from(Node::Map(keys.rest()))?;
    Ok(((!any).then_some(rules), detections))
}
