//! Rows of the ledger, as plain structs. All times are microseconds since 1970 UTC; absent where nothing says so.

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, Row as _};

/// A value of the ledger.
#[derive(Clone, Debug)]
pub enum Bind {
    Integer(Option<i64>),
    Real(f64),
    Text(Option<String>),
}

pub(crate) type Statement<'q> = Query<'q, Any, AnyArguments>;

pub(crate) fn bind(statement: Statement<'_>, value: Bind) -> Statement<'_> {
    match value {
        Bind::Integer(value) => statement.bind(value),
        Bind::Real(value) => statement.bind(value),
        Bind::Text(value) => statement.bind(value),
    }
}

/// What stands in a column.
pub(crate) trait Cell: Sized {
    fn bind(&self) -> Bind;
    fn read(row: &AnyRow, column: usize) -> Result<Self, sqlx::Error>;
}

impl Cell for i64 {
    fn bind(&self) -> Bind {
        Bind::Integer(Some(*self))
    }
    fn read(row: &AnyRow, column: usize) -> Result<Self, sqlx::Error> {
        row.try_get(column)
    }
}

impl Cell for Option<i64> {
    fn bind(&self) -> Bind {
        Bind::Integer(*self)
    }
    fn read(row: &AnyRow, column: usize) -> Result<Self, sqlx::Error> {
        row.try_get(column)
    }
}

impl Cell for f64 {
    fn bind(&self) -> Bind {
        Bind::Real(*self)
    }
    fn read(row: &AnyRow, column: usize) -> Result<Self, sqlx::Error> {
        row.try_get(column)
    }
}

impl Cell for bool {
    fn bind(&self) -> Bind {
        Bind::Integer(Some(i64::from(*self)))
    }
    fn read(row: &AnyRow, column: usize) -> Result<Self, sqlx::Error> {
        let value: i64 = row.try_get(column)?;
        Ok(value != 0)
    }
}

impl Cell for String {
    fn bind(&self) -> Bind {
        Bind::Text(Some(storable(self)))
    }
    fn read(row: &AnyRow, column: usize) -> Result<Self, sqlx::Error> {
        row.try_get(column)
    }
}

impl Cell for Option<String> {
    fn bind(&self) -> Bind {
        Bind::Text(self.as_deref().map(storable))
    }
    fn read(row: &AnyRow, column: usize) -> Result<Self, sqlx::Error> {
        row.try_get(column)
    }
}

/// PostgreSQL takes no NUL in text, and evidence holds some. Reports, which are objects, have it as it was.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// A row of a table: its columns in their order.
pub trait TableRow: Sized {
    const TABLE: &'static str;
    const COLUMNS: &'static [&'static str];
    fn binds(&self) -> Vec<Bind>;
    fn read(row: &AnyRow) -> Result<Self, sqlx::Error>;

    /// `a, b, c`
    fn columns() -> String {
        Self::COLUMNS.join(", ")
    }
}

/// A struct whose fields are the columns of a table.
macro_rules! row {
    ($(#[$doc:meta])* $name:ident in $table:literal { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $kind,)+
        }

        impl $crate::rows::TableRow for $name {
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [&'static str] = &[$(stringify!($field)),+];

            fn binds(&self) -> Vec<$crate::rows::Bind> {
                vec![$($crate::rows::Cell::bind(&self.$field)),+]
            }

            fn read(row: &sqlx::any::AnyRow) -> Result<Self, sqlx::Error> {
                let mut columns = 0..;
                let mut next = || columns.next().unwrap_or(usize::MAX);
                Ok(Self { $($field: $crate::rows::Cell::read(row, next())?),+ })
            }
        }
    };
}

pub(crate) use row;

row! {
    /// Evidence of hosts, taken at one time.
    CollectionRow in "collections" {
        id: String,
        /// Over its manifest, in lower-case hex.
        sha256: String,
        /// The argument joined with the path below it.
        label: String,
        container: String,
        taken: Option<i64>,
        taken_rule: String,
        items: i64,
        bytes: i64,
        records_in: i64,
        events: i64,
        /// JSON: `{"reason": count}`.
        rejected: String,
        /// When it came into the case.
        added: i64,
        /// The order in which collections came, from 1.
        seq: i64,
    }
}

row! {
    /// Something to be done once.
    JobRow in "jobs" {
        id: String,
        kind: String,
        subject: String,
        /// `waiting`, `running`, `done` or `failed`.
        state: String,
        owner: Option<String>,
        /// Raised with every claim: only who has the newest may commit.
        token: i64,
        lease_until: Option<i64>,
        attempts: i64,
        collection: Option<String>,
        error: Option<String>,
        seq: i64,
    }
}

row! {
    /// A host of the case.
    HostRow in "hosts" {
        host: String,
        host_rule: String,
        /// The time that its report speaks of.
        as_of: Option<i64>,
        report_object: Option<String>,
        /// 0: its report rests on all that is known of it; else the newest collection that it does not rest on.
        dirty: i64,
        /// When evidence of it first and last came into the case.
        first_seen: i64,
        last_seen: i64,
    }
}

row! {
    /// What readers said of one host in one collection.
    PartRow in "parts" {
        collection: String,
        host: String,
        /// Which rule found the host's name.
        rule: String,
        object: String,
    }
}

row! {
    /// An object that exists.
    ObjectRow in "objects" {
        name: String,
        /// `seen`, `events`, `items`, `report` or `taken`.
        kind: String,
        collection: Option<String>,
        host: Option<String>,
        bytes: i64,
        sha256: String,
        rows: Option<i64>,
        /// Times of the earliest and the latest event.
        first: Option<i64>,
        last: Option<i64>,
    }
}

row! {
    /// A judgement of one host for one campaign; the newest has `current`, the others are history.
    VerdictRow in "verdicts" {
        seq: i64,
        host: String,
        campaign: String,
        pack_version: String,
        verdict: String,
        stage: Option<String>,
        exposure: String,
        build: Option<String>,
        /// First and last sign of the intrusion.
        first: Option<i64>,
        last: Option<i64>,
        /// When the host is first known to have been patched.
        patched: Option<i64>,
        sufficient: bool,
        as_of: Option<i64>,
        judged: i64,
        /// JSON: a list of sentences.
        reasons: String,
        /// What caused this judgement.
        why: Option<String>,
        /// The report that told it first; absent where what it rests on was forgotten.
        report_object: Option<String>,
        current: bool,
    }
}

row! {
    /// How far one need of a campaign was seen.
    CoverageRow in "coverage" {
        host: String,
        campaign: String,
        need: String,
        /// Share that was seen, 0 to 1.
        seen: f64,
        /// Seconds of its span that were not seen, where it has a span.
        missing_seconds: Option<i64>,
        gaps: i64,
        from_time: Option<i64>,
        until_time: Option<i64>,
    }
}

row! {
    /// What matched, and where.
    FindingRow in "findings" {
        host: String,
        id: String,
        campaign: Option<String>,
        rule: String,
        title: String,
        level: String,
        stage: Option<String>,
        /// JSON: a list of ATT&CK ids.
        techniques: String,
        time: Option<i64>,
        last: Option<i64>,
        count: i64,
        collection: String,
        item: String,
        line: Option<i64>,
        record: Option<i64>,
        byte: Option<i64>,
        client: Option<String>,
        user_name: Option<String>,
        user_agent: Option<String>,
        path: Option<String>,
        sha256: Option<String>,
        foothold_kind: Option<String>,
        foothold_path: Option<String>,
        parameter: Option<String>,
        evidence: String,
        /// JSON: an object of texts.
        details: String,
    }
}

row! {
    /// What could not be seen.
    GapRow in "gaps" {
        host: String,
        /// Its place among the gaps of the host, from 1.
        number: i64,
        kind: String,
        source: Option<String>,
        from_time: Option<i64>,
        until_time: Option<i64>,
        collection: Option<String>,
        item: Option<String>,
        line: Option<i64>,
        record: Option<i64>,
        byte: Option<i64>,
        detail: String,
    }
}

row! {
    /// A link of the audit chain.
    AuditRow in "audit" {
        seq: i64,
        time: i64,
        what: String,
        /// JSON.
        detail: String,
        /// Hash of the link before; empty for the first.
        previous: String,
        hash: String,
    }
}

row! {
    /// Where evidence lay on the machine that read it.
    LocationRow in "locations" {
        location: String,
        /// Over names, sizes and times of the files: the same where nothing changed.
        fingerprint: String,
        collection: String,
    }
}

row! {
    /// Evidence that was taken into the case.
    TakenRow in "taken" {
        collection: String,
        item: String,
        object: String,
    }
}
