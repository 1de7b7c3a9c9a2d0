//! What could not be seen.

use crate::{Place, Timestamp};
use serde::{Deserialize, Serialize};

/// Something that could not be seen. A gap is a result like any other: stored, counted, shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Gap {
    pub kind: GapKind,
    pub place: Place,
    /// Start of the span that was not seen, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// End of that span.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// One sentence for the responder.
    pub detail: String,
    /// The source of records this gap belongs to, where one is known; coverage takes it from that source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<crate::SourceName>,
}

/// Why something could not be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapKind {
    /// Not in the collection, though it is needed or other evidence says that it existed.
    Missing,
    /// There, but it could not be read at all.
    Unreadable,
    /// Read in part: cut off, damaged, or with rejected records.
    Partial,
    /// Read, but its form or its meaning is not known.
    NotUnderstood,
    /// The log does not reach back (or forward) far enough.
    OutOfRetention,
    /// No records in a stretch in which this server's own rhythm leads one to expect them.
    TimeHole,
    /// Somebody cleared the log.
    Cleared,
    /// A bound on hostile input stopped the reader.
    Limit,
    /// The reader died or was stopped.
    Crashed,
}

impl GapKind {
    /// The stable name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
            Self::Partial => "partial",
            Self::NotUnderstood => "not_understood",
            Self::OutOfRetention => "out_of_retention",
            Self::TimeHole => "time_hole",
            Self::Cleared => "cleared",
            Self::Limit => "limit",
            Self::Crashed => "crashed",
        }
    }
}

impl Gap {
    /// A gap without a span.
    pub fn new(kind: GapKind, place: Place, detail: impl Into<String>) -> Self {
        Self {
            kind,
            place,
            from: None,
            until: None,
            detail: detail.into(),
            source: None,
        }
    }

    #[must_use]
    pub fn of_source(mut self, source: crate::SourceName) -> Self {
        self.source = Some(source);
        self
    }

    #[must_use]
    pub fn between(mut self, from: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        self.from = from;
        self.until = until;
        self
    }
}
