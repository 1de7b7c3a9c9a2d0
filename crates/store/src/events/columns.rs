//! Which fields of a source feed which normalised column: `knowledge/events.yaml`.

use super::NORMALISED;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

/// Fields by the name that their source gives them, and the columns they feed.
#[derive(Clone, Debug)]
pub struct Columns {
    /// Field name: column and place in the column's order of preference. Looked up only, never walked.
    fields: HashMap<String, Vec<Feed>>,
    columns: BTreeMap<String, Column>,
    /// Beginnings of sources' names.
    beginnings: Vec<String>,
}

/// A field feeds a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Feed {
    /// Index into [`NORMALISED`].
    pub(super) column: usize,
    /// 0 is preferred to 1.
    pub(super) rank: u16,
    /// Only of sources whose name begins so: an index.
    beginning: Option<usize>,
}

/// What is wrong with the table.
#[derive(Debug, thiserror::Error)]
pub enum ColumnsError {
    #[error("the table of columns cannot be read")]
    Yaml(#[source] serde_yaml_ng::Error),
    #[error("there is no column `{0}`")]
    Unknown(String),
    #[error("the table says nothing about the column `{0}`")]
    Absent(String),
    #[error("the column `{0}` names no field, or one twice")]
    Fields(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    columns: BTreeMap<String, Column>,
}

/// One column of the table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    /// Path of the OCSF attribute that means the same.
    ocsf: String,
    /// Names of fields, the surest first.
    fields: Vec<String>,
    /// Beginning of a source's name, and fields of such sources that are surer.
    #[serde(default)]
    of: BTreeMap<String, Vec<String>>,
}

impl Columns {
    /// Reads the table; every normalised column must stand in it once.
    pub fn parse(yaml: &str) -> Result<Self, ColumnsError> {
        let table: Table = serde_yaml_ng::from_str(yaml).map_err(ColumnsError::Yaml)?;
        let mut fields: HashMap<String, Vec<Feed>> = HashMap::new();
        let mut beginnings: Vec<String> = Vec::new();
        for (name, column) in &table.columns {
            let index = NORMALISED
                .iter()
                .position(|(known, _)| known == name)
                .ok_or_else(|| ColumnsError::Unknown(name.clone()))?;
            let mut names: Vec<(Option<usize>, &String)> = Vec::new();
            for (beginning, of_source) in &column.of {
                let position = beginnings.iter().position(|known| known == beginning);
                let position = position.unwrap_or(beginnings.len());
                if position == beginnings.len() {
                    beginnings.push(beginning.clone());
                }
                names.extend(of_source.iter().map(|name| (Some(position), name)));
            }
            names.extend(column.fields.iter().map(|name| (None, name)));
            if names.is_empty() {
                return Err(ColumnsError::Fields(name.clone()));
            }
            for (rank, (beginning, field)) in (0_u16..).zip(names) {
                let feeds = fields.entry(field.clone()).or_default();
                let feed = Feed {
                    column: index,
                    rank,
                    beginning,
                };
                let mut known = feeds.iter();
                if known.any(|known| known.column == index && known.beginning == beginning) {
                    return Err(ColumnsError::Fields(name.clone()));
                }
                feeds.push(feed);
            }
        }
        for (name, _) in NORMALISED {
            if !table.columns.contains_key(name) {
                return Err(ColumnsError::Absent(name.to_owned()));
            }
        }
        Ok(Self {
            fields,
            columns: table.columns,
            beginnings,
        })
    }

    /// The columns that this field may feed.
    pub(super) fn of(&self, field: &str) -> &[Feed] {
        self.fields.get(field).map_or(&[], Vec::as_slice)
    }

    /// Whether the field feeds the column in records of this source.
    pub(super) fn applies(&self, feed: Feed, source: &str) -> bool {
        let beginning = feed.beginning.map(|index| self.beginnings.get(index));
        beginning.is_none_or(|beginning| beginning.is_some_and(|name| source.starts_with(name)))
    }

    /// Each column with the path of its OCSF attribute and the fields it comes from, in order of their names.
    pub fn each(&self) -> impl Iterator<Item = (&str, &str, &[String])> {
        let columns = self.columns.iter();
        columns.map(|(name, column)| (name.as_str(), &*column.ocsf, column.fields.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = include_str!("../../../../knowledge/events.yaml");

    #[test]
    fn the_table_of_columns_is_whole() {
        let columns = Columns::parse(TABLE).unwrap();
        assert_eq!(columns.each().count(), NORMALISED.len());
        assert!(columns.each().all(|(_, ocsf, _)| !ocsf.is_empty()));
        assert!(!columns.of("c-ip").is_empty());
        assert!(columns.of("c-IP").is_empty());
    }

    #[test]
    fn a_table_that_lacks_or_invents_columns_is_refused() {
        let cut = TABLE.replace("\n  src_ip:", "\n  src_pi:");
        let problem = Columns::parse(&cut).unwrap_err();
        assert_eq!(problem.to_string(), "there is no column `src_pi`");
        let problem = Columns::parse("columns: {}").unwrap_err();
        assert!(matches!(problem, ColumnsError::Absent(_)));
    }
}
