//! What a response keeps beside the evidence: organisations, what was said of them from outside, plans, notices, clearances.
//!
//! Rows are plain structs, read and written by two general functions each: [`Case::rows`] and [`Case::rows_where`] read,
//! [`Case::change`] writes, in one transaction that also adds to the audit chain. What rows mean is not known here.

mod clearance;
mod notices;
mod observations;
mod planning;
mod registry;

pub use clearance::{AttestationRow, ClearanceRow};
pub use notices::{
    DisclosureRow, NoticeMailRow, NoticeRow, NoticeSettingRow, NoticeStepRow, NoticeSubjectRow,
    SuppressionRow,
};
pub use observations::{HeardRow, ImportRow, ObservationRow, SpokenRow};
pub use planning::{KnownExploitedRow, PlanRow, PlanTaskRow};
pub use registry::{AliasRow, AssetRow, ContactRow, MergeRow, OrganisationRow, ResponderRow};

use crate::case::audit;
use crate::ledger::{insert, many, one};
use crate::rows::{Bind, Cell, TableRow};
use crate::{Case, CaseError};
use sqlx::{AnyConnection, AssertSqlSafe};

/// What format 2 of the ledger added, a part a file.
pub(crate) const TABLES: &[&[&str]] = &[
    registry::TABLES,
    observations::TABLES,
    clearance::TABLES,
    notices::TABLES,
    planning::TABLES,
];

/// A row of a response, found again by its key.
pub trait Record: TableRow {
    /// The columns of the primary key.
    const KEY: &'static [&'static str];
}

macro_rules! records {
    ($($name:ident by [$($key:ident),+],)+) => {
        $(impl $crate::response::Record for $name {
            const KEY: &'static [&'static str] = &[$(stringify!($key)),+];
        })+
    };
}
use records;

/// A transaction: everything that is done through it is done, or nothing. No other writer comes between.
#[derive(Debug)]
pub struct Change<'a> {
    connection: &'a mut AnyConnection,
    now: i64,
}

impl Change<'_> {
    /// Adds rows; one that has the key of another takes its place.
    pub async fn put<T: Record>(&mut self, rows: &[T]) -> Result<(), CaseError> {
        let others = T::COLUMNS.iter().filter(|column| !T::KEY.contains(column));
        let sets: Vec<String> = others
            .map(|column| format!("{column} = excluded.{column}"))
            .collect();
        let key = T::KEY.join(", ");
        let conflict = if sets.is_empty() {
            format!("ON CONFLICT ({key}) DO NOTHING")
        } else {
            format!("ON CONFLICT ({key}) DO UPDATE SET {}", sets.join(", "))
        };
        insert(self.connection, rows, &conflict).await?;
        Ok(())
    }

    /// Adds rows whose key is not there yet; gives how many these were.
    pub async fn add<T: Record>(&mut self, rows: &[T]) -> Result<u64, CaseError> {
        let conflict = format!("ON CONFLICT ({}) DO NOTHING", T::KEY.join(", "));
        insert(self.connection, rows, &conflict).await
    }

    /// All rows of a table, in the order of their key.
    pub async fn rows<T: Record>(&mut self) -> Result<Vec<T>, CaseError> {
        let rest = format!("ORDER BY {}", T::KEY.join(", "));
        many(self.connection, &rest, vec![]).await
    }

    /// The rows with this value in a column, in the order of their key. The column must be one of the row's.
    pub async fn rows_where<T: Record>(
        &mut self,
        column: &'static str,
        value: &str,
    ) -> Result<Vec<T>, CaseError> {
        let (rest, binds) = filter::<T>(column, value);
        many(self.connection, &rest, binds).await
    }

    /// The row with this key, whose parts are texts.
    pub async fn row<T: Record>(&mut self, key: &[&str]) -> Result<Option<T>, CaseError> {
        one(self.connection, &by_key::<T>(), texts(key)).await
    }

    /// Removes the row with this key, whose parts are texts; gives whether there was one.
    pub async fn remove<T: Record>(&mut self, key: &[&str]) -> Result<bool, CaseError> {
        let sql = format!("DELETE FROM {} {}", T::TABLE, by_key::<T>());
        let mut statement = sqlx::query(AssertSqlSafe(sql));
        for value in texts(key) {
            statement = crate::rows::bind(statement, value);
        }
        let done = statement.execute(&mut *self.connection).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Adds an entry to the audit chain.
    pub async fn note(&mut self, what: &str, detail: &serde_json::Value) -> Result<(), CaseError> {
        audit::append(self.connection, self.now, what, detail).await
    }
}

impl Case {
    /// All rows of a table, in the order of their key.
    pub fn rows<T: Record>(&self) -> Result<Vec<T>, CaseError> {
        self.ledger
            .all(&format!("ORDER BY {}", T::KEY.join(", ")), vec![])
    }

    /// The rows with this value in a column, in the order of their key. The column must be one of the row's.
    pub fn rows_where<T: Record>(
        &self,
        column: &'static str,
        value: &str,
    ) -> Result<Vec<T>, CaseError> {
        let (rest, binds) = filter::<T>(column, value);
        self.ledger.all(&rest, binds)
    }

    /// Gives the server and the claim of every observation to `visit`, in no order, without the rest of its row.
    pub fn each_spoken(&self, visit: &mut dyn FnMut(ObservationRow)) -> Result<(), CaseError> {
        self.ledger
            .each::<SpokenRow>("", vec![], &mut |row| visit(row.into()))
    }

    /// Gives what every observation says, of one campaign or of all, to `visit`, in no order.
    pub fn each_heard(
        &self,
        campaign: Option<&str>,
        visit: &mut dyn FnMut(HeardRow),
    ) -> Result<(), CaseError> {
        match campaign {
            None => self.ledger.each("", vec![], visit),
            Some(campaign) => self
                .ledger
                .each("WHERE campaign = $1", texts(&[campaign]), visit),
        }
    }

    /// The row with this key, whose parts are texts.
    pub fn row<T: Record>(&self, key: &[&str]) -> Result<Option<T>, CaseError> {
        self.ledger.one(&by_key::<T>(), texts(key))
    }

    /// Does `work` in one transaction, after every other writer's. What it changes it must also [note](Change::note): that
    /// is what makes the audit chain whole. `now` is in microseconds since 1970.
    pub fn change<T>(
        &self,
        now: i64,
        work: impl AsyncFnOnce(&mut Change<'_>) -> Result<T, CaseError>,
    ) -> Result<T, CaseError> {
        self.ledger.write(async |connection| {
            let mut change = Change { connection, now };
            work(&mut change).await
        })
    }
}

fn filter<T: Record>(column: &'static str, value: &str) -> (String, Vec<Bind>) {
    assert!(
        T::COLUMNS.contains(&column),
        "{} has no column {column}",
        T::TABLE
    );
    let rest = format!("WHERE {column} = $1 ORDER BY {}", T::KEY.join(", "));
    (rest, texts(&[value]))
}

fn by_key<T: Record>() -> String {
    let parts = (1..).zip(T::KEY);
    let parts: Vec<String> = parts
        .map(|(n, column)| format!("{column} = ${n}"))
        .collect();
    format!("WHERE {}", parts.join(" AND "))
}

fn texts(values: &[&str]) -> Vec<Bind> {
    values
        .iter()
        .map(|value| (*value).to_owned().bind())
        .collect()
}
