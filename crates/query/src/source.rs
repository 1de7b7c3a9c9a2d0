//! What a case offers to questions: its ledger's rows, and the store that holds the objects which the ledger names.

use datafusion::arrow::datatypes::SchemaRef;
use object_store::ObjectStore;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;
use store::{Case, CaseError};

/// One value of a ledger's row.
pub use store::Value as Cell;

/// Why a ledger could not be read.
pub type LedgerError = Box<dyn Error + Send + Sync>;

/// A case as far as questions need it.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where other processes find the same case.
    pub address: Address,
    pub ledger: Arc<dyn Ledger>,
    /// The store whose names are those of [`Object::name`].
    pub objects: Arc<dyn ObjectStore>,
    /// The columns of `events`, as the files have them.
    pub events: SchemaRef,
    /// The columns of `items`.
    pub items: SchemaRef,
}

impl Source {
    /// The parts of a case that questions read.
    pub fn of(case: impl Into<Arc<Case>>) -> Result<Self, CaseError> {
        let case: Arc<Case> = case.into();
        let settings = case.settings();
        let address = Address {
            folder: std::path::absolute(case.folder()).unwrap_or_else(|_| case.folder().to_owned()),
            database_url: settings.database_url.clone(),
            store_url: settings.store_url.clone(),
        };
        Ok(Self {
            address,
            objects: case.object_store()?,
            ledger: case,
            events: store::events::schema(),
            items: store::events::items_schema(),
        })
    }
}

/// Where a case is: as much as another process needs to open it. Keys of stores are not in it; each process has its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// The case's folder, on a disk that the machines share, or on one machine.
    pub folder: PathBuf,
    /// Where its ledger is, unless that lies in the folder.
    pub database_url: Option<String>,
    /// Where its objects are, unless these lie in the folder.
    pub store_url: Option<String>,
}

/// Opens cases by their address.
pub trait Opener: Debug + Send + Sync {
    /// Called on a thread that may block.
    fn open(&self, address: &Address) -> Result<Source, LedgerError>;
}

/// A ledger that is opened when it is first asked.
#[derive(Debug)]
pub(crate) struct Distant {
    pub(crate) address: Address,
    pub(crate) opener: Arc<dyn Opener>,
}

impl Ledger for Distant {
    fn objects(&self, kind: &str) -> Result<Vec<Object>, LedgerError> {
        self.opener.open(&self.address)?.ledger.objects(kind)
    }

    fn rows(
        &self,
        table: &str,
        columns: &[&str],
        row: &mut dyn FnMut(&[Cell]) -> bool,
    ) -> Result<(), LedgerError> {
        let source = self.opener.open(&self.address)?;
        source.ledger.rows(table, columns, row)
    }
}

/// Rows of a case's ledger.
pub trait Ledger: Debug + Send + Sync {
    /// The objects of this kind (`events`, `items`) that the ledger names. An object that it does not name does not exist.
    fn objects(&self, kind: &str) -> Result<Vec<Object>, LedgerError>;

    /// Gives these columns of every row of one of [`TABLES`](crate::TABLES), by the ledger's name, to `row`, until that says
    /// `false`. Called on a thread that may block.
    fn rows(
        &self,
        table: &str,
        columns: &[&str],
        row: &mut dyn FnMut(&[Cell]) -> bool,
    ) -> Result<(), LedgerError>;
}

impl Ledger for Case {
    fn objects(&self, kind: &str) -> Result<Vec<Object>, LedgerError> {
        let mut objects = Vec::new();
        self.each_object(&mut |row| {
            if row.kind == kind {
                let count = |number: i64| u64::try_from(number).unwrap_or(0);
                objects.push(Object {
                    name: row.name,
                    collection: row.collection.unwrap_or_default(),
                    host: row.host.unwrap_or_default(),
                    bytes: count(row.bytes),
                    rows: row.rows.map(count),
                    first: row.first,
                    last: row.last,
                });
            }
        })?;
        Ok(objects)
    }

    fn rows(
        &self,
        table: &str,
        columns: &[&str],
        row: &mut dyn FnMut(&[Cell]) -> bool,
    ) -> Result<(), LedgerError> {
        self.each_row(table, columns, row)?;
        Ok(())
    }
}

/// An object that the ledger names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    pub name: String,
    pub collection: String,
    pub host: String,
    pub bytes: u64,
    pub rows: Option<u64>,
    /// The earliest and the latest time of its rows, in microseconds since 1970; rows without a time do not count.
    pub first: Option<i64>,
    pub last: Option<i64>,
}
