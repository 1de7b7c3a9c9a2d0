//! What is said between the supervisor and its workers: one job in, frames out, as JSON lines.

use evidence::{Collection, Options};
use model::{Activity, FactAt, Finding, Gap, ItemSeen, SourceName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Everything that detection is told to look for, in a form that can be handed to a child process.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Knowledge {
    /// Whether the built-in packs are used.
    pub builtin_packs: bool,
    /// Folders of further packs.
    pub packs: Vec<PathBuf>,
    /// The user's own rules and indicators.
    pub extra: detect::Extra,
    /// Bounds and the password for opening evidence.
    pub options: Options,
}

/// The share of one worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    pub knowledge: Knowledge,
    pub collections: Vec<Collection>,
    /// This worker reads the outermost entries whose ordinal leaves `shard` when divided by `shards`.
    pub shard: u64,
    pub shards: u64,
    /// Where a dead predecessor stopped: everything up to and including this entry is done or lost.
    pub resume: Option<Position>,
}

/// An entry of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Index into [`Job::collections`].
    pub collection: usize,
    pub ordinal: u64,
    /// Ordinal of the outermost entry it lies in.
    pub top: u64,
}

/// One line that a worker writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// The worker is ready; these rules cannot run, and why.
    Ready { rule_problems: Vec<String> },
    /// The journal: from now on this item is in hand.
    Begin {
        position: Position,
        path: String,
        size: Option<u64>,
    },
    /// All that was read of one item.
    Item {
        position: Position,
        report: Box<ItemReport>,
    },
    /// Something the container kept back.
    Gap { collection: usize, gap: Gap },
    /// The worker has been through its whole share.
    Done,
}

/// What reading and detection say about one item. Places lack the collection's id, which is known at the end only.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ItemReport {
    pub item: ItemSeen,
    pub facts: Vec<FactAt>,
    pub findings: Vec<Finding>,
    pub gaps: Vec<Gap>,
    pub activity: Vec<(SourceName, Activity)>,
    /// First segments of URL paths that a web log saw requested.
    pub requested: Vec<(SourceName, BTreeSet<String>)>,
}
