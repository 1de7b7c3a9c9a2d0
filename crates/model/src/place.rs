//! Where in the evidence a statement comes from.

use serde::{Deserialize, Serialize};

/// Points into one item of one collection: at the whole item, or at one line, record or byte of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Id of the collection (`c-` and the first hex digits of its manifest's SHA-256).
    pub collection: String,
    /// Original path of the item, `outer!inner` for a member of an archive that was itself an item.
    pub item: String,
    /// 1-based line of a text log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Record number as the log itself counts (`EventRecordID`), else the 1-based position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// 0-based byte offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

/// A position inside an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// The item as a whole.
    Item,
    /// 1-based line of a text log.
    Line(u64),
    /// Record number.
    Record(u64),
    /// 0-based byte offset.
    Offset(u64),
}

impl Place {
    /// The item as a whole.
    pub fn item(collection: &str, item: &str) -> Self {
        Self {
            collection: collection.to_owned(),
            item: item.to_owned(),
            ..Self::default()
        }
    }

    /// The same item, at this position.
    #[must_use]
    pub fn at(&self, at: At) -> Self {
        let mut place = Self::item(&self.collection, &self.item);
        match at {
            At::Item => {}
            At::Line(line) => place.line = Some(line),
            At::Record(record) => place.record = Some(record),
            At::Offset(offset) => place.offset = Some(offset),
        }
        place
    }
}

impl Place {
    /// The position inside the item.
    pub fn position(&self) -> At {
        match (self.line, self.record, self.offset) {
            (Some(line), _, _) => At::Line(line),
            (_, Some(record), _) => At::Record(record),
            (_, _, Some(offset)) => At::Offset(offset),
            _ => At::Item,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.item)?;
        match (self.line, self.record, self.offset) {
            (Some(line), _, _) => write!(f, ":{line}"),
            (_, Some(record), _) => write!(f, " record {record}"),
            (_, _, Some(offset)) => write!(f, " byte {offset}"),
            _ => Ok(()),
        }
    }
}
