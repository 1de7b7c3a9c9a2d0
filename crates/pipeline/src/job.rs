//! What is said between the supervisor and its workers: one job in, frames out, as JSON lines.

use detect::Match;
use evidence::{Collection, Options};
use model::{Activity, At, FactAt, Finding, Gap, ItemSeen, Record, SourceName, Timestamp, Value};
use pack::PackFiles;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Everything that detection is told to look for, in a form that can be handed to a child process.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Knowledge {
    /// Whether all built-in packs are used.
    pub builtin_packs: bool,
    /// Further packs, as their files: every worker uses the very bytes that were looked at before it was started.
    pub packs: Vec<PackFiles>,
    /// The user's own rules and indicators.
    pub extra: detect::Extra,
    /// Bounds and the password for opening evidence.
    pub options: Options,
}

/// What is asked of the evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Everything that a verdict rests on.
    #[default]
    Check,
    /// Every match of every record, one by one.
    Hunt,
}

/// What a worker is to do. Which entries it reads it asks for as it goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job<'a> {
    pub task: Task,
    pub knowledge: Cow<'a, Knowledge>,
    #[serde(with = "places")]
    pub collections: Cow<'a, [Collection]>,
    /// Threads that may compile rules at once.
    pub threads: usize,
    /// Outermost entries that dead predecessors were given and may not have done, as collection and [`Position::top`].
    pub held: BTreeSet<(usize, u64)>,
    /// Where a dead predecessor stopped: everything up to and including this entry is done or lost.
    pub resume: Option<Position>,
    /// Entries that readers died of. An archive is opened again for the members behind the place of a death; these are
    /// left alone then.
    pub lost: BTreeSet<Position>,
    /// Outermost entries, as collection and [`Position::top`], in which readers died with no item in hand.
    pub given_up: BTreeSet<(usize, u64)>,
    /// The only entries that are read, where a run before this one told which are of interest.
    #[serde(default)]
    pub only: Option<BTreeSet<Position>>,
    /// The file that this worker puts every event down in, where a case keeps them.
    #[serde(default)]
    pub events: Option<PathBuf>,
}

/// An entry of a collection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Index into [`Job::collections`].
    pub collection: usize,
    pub ordinal: u64,
    /// Number of the outermost entry it lies in.
    pub top: u64,
}

impl Position {
    /// Behind everything in this collection.
    pub(crate) fn end_of(collection: usize) -> Self {
        Self {
            collection,
            ordinal: u64::MAX,
            top: u64::MAX,
        }
    }
}

/// One line that a worker writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// The worker is ready; these rules cannot run, and why.
    Ready { rule_problems: Vec<String> },
    /// The journal: from now on this collection is walked through.
    Open { collection: usize },
    /// The worker asks for another outermost entry of the collection. The answer is its number, in a line of its own.
    Claim { collection: usize },
    /// A large entry is not this worker's, or done; going past its bytes takes time all the same.
    Pass { size: Option<u64> },
    /// The journal: from now on this item is in hand.
    Begin {
        position: Position,
        path: String,
        size: Option<u64>,
        /// Whether this asks for another outermost entry as well, as `claim` does.
        #[serde(default)]
        claim: bool,
    },
    /// Rules that matched records of the item in hand, for a hunt.
    Matches {
        position: Position,
        path: String,
        matches: Vec<Matched>,
    },
    /// All that was read of one item.
    Item {
        position: Position,
        report: Box<ItemReport>,
    },
    /// Something the container kept back.
    Gap { collection: usize, gap: Gap },
    /// The worker has walked through the whole collection.
    Close { collection: usize },
    /// There is nothing left to do.
    Done,
}

/// A rule's match of a record, for a hunt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Matched {
    pub rule_id: String,
    pub rule: String,
    pub level: String,
    pub author: String,
    pub reference: String,
    /// Name of the pack that the rule is of.
    pub campaign: Option<String>,
    pub time: Option<Timestamp>,
    pub at: At,
    /// The record's fields as a JSON object.
    pub fields: Box<RawValue>,
}

impl Matched {
    pub(crate) fn of(matched: &Match<'_>) -> Self {
        Self {
            rule_id: matched.rule_id.to_owned(),
            rule: matched.title.to_owned(),
            level: matched.level.to_owned(),
            author: matched.author.to_owned(),
            reference: matched.reference.to_owned(),
            campaign: matched.campaign.map(str::to_owned),
            time: matched.record.time(),
            at: matched.record.at(),
            fields: fields_of(matched.record),
        }
    }
}

impl From<Finding> for Matched {
    fn from(finding: Finding) -> Self {
        let fields = serde_json::value::to_raw_value(&finding.details);
        Self {
            time: finding.last.or(finding.time),
            at: finding.place.position(),
            fields: fields.expect("texts by name are JSON"),
            rule_id: finding.rule,
            rule: finding.title,
            level: finding.level,
            author: finding.author,
            reference: finding.reference,
            campaign: finding.campaign,
        }
    }
}

/// The record's fields as a JSON object, in the record's own order; a name that comes again is kept once, with the last
/// value.
fn fields_of(record: &dyn Record) -> Box<RawValue> {
    let mut fields = serde_json::Map::new();
    record.each_field(&mut |name, value| {
        fields.insert(name.to_owned(), json(&value));
    });
    serde_json::value::to_raw_value(&fields).expect("texts and numbers are JSON")
}

fn json(value: &Value<'_>) -> serde_json::Value {
    match value {
        Value::Text(text) => text.as_ref().into(),
        Value::Integer(number) => (*number).into(),
        Value::Unsigned(number) => (*number).into(),
        // Neither infinity nor what is no number has a form in JSON.
        Value::Float(number) => (*number).into(),
        Value::Boolean(value) => (*value).into(),
        Value::Null => serde_json::Value::Null,
        Value::List(values) => values.iter().map(json).collect(),
    }
}

/// What reading and detection say about one item. Places lack the collection's id, which is known at the end only.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ItemReport {
    pub item: ItemSeen,
    pub facts: Vec<FactAt>,
    pub findings: Vec<Finding>,
    pub gaps: Vec<Gap>,
    /// Matches that correlations look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sightings: Vec<detect::Sighting>,
    pub activity: Vec<(SourceName, Activity)>,
    /// First segments of URL paths that a web log saw requested.
    pub requested: Vec<(SourceName, BTreeSet<String>)>,
    /// Where the item's events were put down; none where nobody keeps them, or there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<EventsAt>,
}

/// Events of one item in a worker's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsAt {
    pub file: PathBuf,
    /// Number of the item in the file.
    pub number: u64,
    pub rows: u64,
}

/// One collection in the form of [`places`].
pub(crate) mod place {
    use super::Collection;
    use super::places::Written;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        collection: &Collection,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        Written::of(collection).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Collection, D::Error> {
        let written = Written::deserialize(deserializer)?;
        written.read().ok_or_else(|| D::Error::custom("no path"))
    }
}

/// Collections with their places on this machine as numbers: names of files need not be text.
mod places {
    use super::{Collection, Cow};
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::path::{Path, PathBuf};

    #[derive(Serialize, Deserialize)]
    pub(super) struct Written {
        location: Vec<u32>,
        label: String,
        container: String,
    }

    impl Written {
        pub(super) fn of(collection: &Collection) -> Self {
            Self {
                location: units(&collection.location),
                label: collection.label.clone(),
                container: collection.container.clone(),
            }
        }

        pub(super) fn read(self) -> Option<Collection> {
            Some(Collection {
                location: path(&self.location)?,
                label: self.label,
                container: self.container,
            })
        }
    }

    pub(super) fn serialize<S: Serializer>(
        collections: &[Collection],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(collections.iter().map(Written::of))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Cow<'static, [Collection]>, D::Error> {
        let written: Vec<Written> = Vec::deserialize(deserializer)?;
        let read = |written: Written| written.read().ok_or_else(|| D::Error::custom("no path"));
        let read: Result<_, _> = written.into_iter().map(read).collect();
        read.map(Cow::Owned)
    }

    /// The path in the units of this machine: bytes on Unix, UTF-16 on Windows.
    #[cfg(unix)]
    fn units(path: &Path) -> Vec<u32> {
        use std::os::unix::ffi::OsStrExt;
        path.as_os_str()
            .as_bytes()
            .iter()
            .map(|byte| u32::from(*byte))
            .collect()
    }

    #[cfg(unix)]
    fn path(units: &[u32]) -> Option<PathBuf> {
        use std::os::unix::ffi::OsStringExt;
        let bytes: Result<Vec<u8>, _> = units.iter().map(|unit| u8::try_from(*unit)).collect();
        Some(std::ffi::OsString::from_vec(bytes.ok()?).into())
    }

    #[cfg(windows)]
    fn units(path: &Path) -> Vec<u32> {
        use std::os::windows::ffi::OsStrExt;
        path.as_os_str().encode_wide().map(u32::from).collect()
    }

    #[cfg(windows)]
    fn path(units: &[u32]) -> Option<PathBuf> {
        use std::os::windows::ffi::OsStringExt;
        let wide: Result<Vec<u16>, _> = units.iter().map(|unit| u16::try_from(*unit)).collect();
        Some(std::ffi::OsString::from_wide(&wide.ok()?).into())
    }
}
