//! The ledger's tables as questions see them: names, columns, and what each holds. docs/questions.md says the same at length.

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;

/// A table of the ledger that questions may read.
#[derive(Debug)]
pub struct LedgerTable {
    /// What questions call it.
    pub name: &'static str,
    /// What the ledger calls it.
    pub ledger: &'static str,
    pub columns: &'static [Column],
}

/// A column of a ledger's table.
#[derive(Debug)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// Whole numbers.
    Whole,
    /// Shares between 0 and 1.
    Real,
    /// Kept as 0 and 1.
    Flag,
    /// Kept as microseconds since 1970, UTC.
    Time,
}

impl Kind {
    fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Whole => DataType::Int64,
            Self::Real => DataType::Float64,
            Self::Flag => DataType::Boolean,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }
}

impl LedgerTable {
    /// Every column may be absent: the ledger, not this table, holds what must be there.
    pub(crate) fn schema(&self) -> SchemaRef {
        let fields: Vec<Field> = self
            .columns
            .iter()
            .map(|column| Field::new(column.name, column.kind.data_type(), true))
            .collect();
        Arc::new(Schema::new(fields))
    }
}

const fn text(name: &'static str) -> Column {
    column(name, Kind::Text)
}

const fn whole(name: &'static str) -> Column {
    column(name, Kind::Whole)
}

const fn time(name: &'static str) -> Column {
    column(name, Kind::Time)
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

/// Every table of the ledger that questions may read. Jobs, locations and the audit chain are the case's own business.
/// `verdicts`, the current ones, is a view over `verdict_history`.
pub const TABLES: &[LedgerTable] = &[
    LedgerTable {
        name: "collections",
        ledger: "collections",
        columns: &[
            text("id"),
            text("sha256"),
            text("label"),
            text("container"),
            time("taken"),
            text("taken_rule"),
            whole("items"),
            whole("bytes"),
            whole("records_in"),
            whole("events"),
            text("rejected"),
            time("added"),
        ],
    },
    LedgerTable {
        name: "hosts",
        ledger: "hosts",
        columns: &[
            text("host"),
            text("host_rule"),
            time("as_of"),
            time("first_seen"),
            time("last_seen"),
        ],
    },
    LedgerTable {
        name: "verdict_history",
        ledger: "verdicts",
        columns: &[
            whole("seq"),
            text("host"),
            text("campaign"),
            text("pack_version"),
            text("verdict"),
            text("stage"),
            text("exposure"),
            text("build"),
            time("first"),
            time("last"),
            time("patched"),
            column("sufficient", Kind::Flag),
            time("as_of"),
            time("judged"),
            text("reasons"),
            text("why"),
            column("current", Kind::Flag),
        ],
    },
    LedgerTable {
        name: "coverage",
        ledger: "coverage",
        columns: &[
            text("host"),
            text("campaign"),
            text("need"),
            column("seen", Kind::Real),
            whole("missing_seconds"),
            whole("gaps"),
            time("from_time"),
            time("until_time"),
        ],
    },
    LedgerTable {
        name: "findings",
        ledger: "findings",
        columns: &[
            text("host"),
            text("id"),
            text("campaign"),
            text("rule"),
            text("title"),
            text("level"),
            text("stage"),
            text("techniques"),
            time("time"),
            time("last"),
            whole("count"),
            text("collection"),
            text("item"),
            whole("line"),
            whole("record"),
            whole("byte"),
            text("client"),
            text("user_name"),
            text("user_agent"),
            text("path"),
            text("sha256"),
            text("foothold_kind"),
            text("foothold_path"),
            text("parameter"),
            text("evidence"),
            text("details"),
        ],
    },
    LedgerTable {
        name: "gaps",
        ledger: "gaps",
        columns: &[
            text("host"),
            text("kind"),
            text("source"),
            time("from_time"),
            time("until_time"),
            text("collection"),
            text("item"),
            whole("line"),
            whole("record"),
            whole("byte"),
            text("detail"),
        ],
    },
];
