//! The YAML form of the taxonomy.

use super::{Binding, Demand, FieldSource, Mapping, Taxonomy};
use crate::parse::{Keys, Node, documents, read as read_yaml, without_spaces};
use crate::problem::Problem;
use crate::rule::LogSource;
use std::collections::BTreeMap;

pub(super) fn read(text: &str) -> Result<Taxonomy, Problem> {
    let documents = documents(text);
    let [document] = documents.as_slice() else {
        return Err(wrong(
            "a taxonomy is one document",
            "put it into one document",
        ));
    };
    let mut keys = Keys::of(read_yaml(document)?, "the taxonomy")?;
    let mut taxonomy = Taxonomy {
        key_fields: Vec::new(),
        mappings: vec![Mapping::default()],
        bindings: Vec::new(),
    };
    if let Some(node) = keys.take("key_fields") {
        for (attribute, node) in Keys::of(node, "`key_fields`")?.rest() {
            for field in texts(node).map_err(|error| error.under("key_fields"))? {
                taxonomy
                    .key_fields
                    .push((attribute.clone(), without_spaces(&field)));
            }
        }
    }
    // The first mapping changes nothing.
    let mut names = BTreeMap::from([("default".to_owned(), 0)]);
    if let Some(node) = keys.take("mappings") {
        for (name, node) in Keys::of(node, "`mappings`")?.rest() {
            let mapping =
                mapping_from(node).map_err(|error| error.under(&name).under("mappings"))?;
            names.insert(name, taxonomy.mappings.len());
            taxonomy.mappings.push(mapping);
        }
    }
    let Some(Node::List(sources)) = keys.take("sources") else {
        return Err(wrong("there is no list of `sources`", "add it"));
    };
    for (index, node) in sources.into_iter().enumerate() {
        source_from(node, &names, &mut taxonomy)
            .map_err(|error| error.under(&format!("sources[{index}]")))?;
    }
    nothing_left(keys)?;
    Ok(taxonomy)
}

fn wrong(message: impl Into<String>, help: &str) -> Problem {
    Problem::error("", message, help)
}

fn nothing_left(keys: Keys) -> Result<(), Problem> {
    keys.none_left("is not known")
}

fn texts(node: Node) -> Result<Vec<String>, Problem> {
    let nodes = match node {
        Node::List(nodes) => nodes,
        other => vec![other],
    };
    nodes
        .iter()
        .map(|node| {
            node.to_text()
                .ok_or_else(|| wrong(format!("{} stands where a text belongs", node.kind()), ""))
        })
        .collect()
}

fn source_from(
    node: Node,
    names: &BTreeMap<String, usize>,
    taxonomy: &mut Taxonomy,
) -> Result<(), Problem> {
    let mut keys = Keys::of(node, "a source")?;
    let Some(name) = keys.text("source")? else {
        return Err(wrong("the source has no name", "add `source`"));
    };
    let when = demands_from(keys.take("when"))?;
    let mapping = mapping_named(&mut keys, names)?;
    let Some(Node::List(offered)) = keys.take("log_sources") else {
        return Err(wrong("there is no list of `log_sources`", "add it"));
    };
    nothing_left(keys)?;
    for node in offered {
        let mut keys = Keys::of(node, "a log source")?;
        let mut demands = when.clone();
        demands.extend(demands_from(keys.take("when"))?);
        let own = mapping_named(&mut keys, names)?;
        let offered = LogSource {
            product: keys.text("product")?,
            category: keys.text("category")?,
            service: keys.text("service")?,
        };
        nothing_left(keys)?;
        taxonomy.bindings.push(Binding {
            source: name.clone(),
            offered,
            offers_all: false,
            when: demands,
            mapping: own.or(mapping).unwrap_or(0),
        });
    }
    Ok(())
}

fn demands_from(node: Option<Node>) -> Result<Vec<Demand>, Problem> {
    let Some(node) = node else {
        return Ok(Vec::new());
    };
    let mut demands = Vec::new();
    for (attribute, node) in Keys::of(node, "`when`")?.rest() {
        let values = texts(node).map_err(|error| error.under(&attribute).under("when"))?;
        demands.push(Demand {
            attribute,
            values: values.iter().map(|value| value.to_lowercase()).collect(),
        });
    }
    Ok(demands)
}

fn mapping_named(
    keys: &mut Keys,
    names: &BTreeMap<String, usize>,
) -> Result<Option<usize>, Problem> {
    let Some(name) = keys.text("mapping")? else {
        return Ok(None);
    };
    match names.get(&name) {
        Some(index) => Ok(Some(*index)),
        None => Err(Problem::error(
            "mapping",
            format!("there is no mapping `{name}`"),
            "define it under `mappings`",
        )),
    }
}

fn mapping_from(node: Node) -> Result<Mapping, Problem> {
    let mut keys = Keys::of(node, "a mapping")?;
    let mut mapping = Mapping::default();
    if let Some(node) = keys.take("fields") {
        for (name, node) in Keys::of(node, "`fields`")?.rest() {
            let source =
                field_source_from(node).map_err(|error| error.under(&name).under("fields"))?;
            mapping.fields.push((without_spaces(&name), source));
        }
    }
    let names = |keys: &mut Keys, key: &str| -> Result<Vec<String>, Problem> {
        let names = keys.texts(key)?;
        Ok(names.iter().map(|name| without_spaces(name)).collect())
    };
    if keys.has("only") {
        mapping.only = Some(names(&mut keys, "only")?.into_iter().collect());
    }
    mapping.lacks = names(&mut keys, "lacks")?.into_iter().collect();
    nothing_left(keys)?;
    Ok(mapping)
}

/// A name; a list, of which the first that is there counts; or a mapping with one way to put values together.
/// The depth is bounded by that of the document.
fn field_source_from(node: Node) -> Result<FieldSource, Problem> {
    match node {
        Node::Text(name) => Ok(FieldSource::Field(without_spaces(&name))),
        Node::List(nodes) => Ok(FieldSource::First(field_sources_from(nodes)?)),
        Node::Map(_) => {
            let mut keys = Keys::of(node, "a field")?;
            let source = if let Some(Node::List(nodes)) = keys.take("any") {
                FieldSource::Any(field_sources_from(nodes)?)
            } else if let Some(Node::List(nodes)) = keys.take("url") {
                let parts: [FieldSource; 2] =
                    field_sources_from(nodes)?
                        .try_into()
                        .map_err(|_other_count| {
                            wrong("`url` takes a path and a query", "name two fields")
                        })?;
                let [path, query] = parts;
                FieldSource::Url(Box::new(path), Box::new(query))
            } else if let Some(Node::List(nodes)) = keys.take("join") {
                let with = keys.text("with")?.unwrap_or_default();
                FieldSource::Join(field_sources_from(nodes)?, with)
            } else if let Some(inner) = keys.take("hex") {
                FieldSource::Hex(Box::new(field_source_from(inner)?))
            } else if let Some(inner) = keys.take("drive") {
                FieldSource::Drive(Box::new(field_source_from(inner)?))
            } else if let (Some(inner), Some(words)) = (keys.take("of"), keys.take("words")) {
                let mut table = Vec::new();
                for (from, to) in Keys::of(words, "`words`")?.rest() {
                    let to = to
                        .to_text()
                        .ok_or_else(|| wrong("a word stands for a text", ""))?;
                    table.push((from, to));
                }
                FieldSource::Words(Box::new(field_source_from(inner)?), table)
            } else {
                return Err(wrong(
                    "the field's source is not understood",
                    "use a name, a list, any, url, join, hex, drive, or of and words",
                ));
            };
            nothing_left(keys)?;
            Ok(source)
        }
        other => Err(wrong(
            format!("{} stands where a field's name belongs", other.kind()),
            "write a name",
        )),
    }
}

fn field_sources_from(nodes: Vec<Node>) -> Result<Vec<FieldSource>, Problem> {
    nodes.into_iter().map(field_source_from).collect()
}
