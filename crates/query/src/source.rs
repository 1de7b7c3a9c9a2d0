//! What a case offers to questions: its ledger's rows, and the store that holds the objects which the ledger names.

use object_store::ObjectStore;
use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;

/// Why a ledger could not be read.
pub type LedgerError = Box<dyn Error + Send + Sync>;

/// A case as far as questions need it.
#[derive(Clone, Debug)]
pub struct Source {
    pub ledger: Arc<dyn Ledger>,
    /// The store whose names are those of [`Object::name`].
    pub objects: Arc<dyn ObjectStore>,
    /// The columns of `events`, as the files have them.
    pub events: datafusion::arrow::datatypes::SchemaRef,
    /// The columns of `items`.
    pub items: datafusion::arrow::datatypes::SchemaRef,
}

/// Rows of a case's ledger.
pub trait Ledger: Debug + Send + Sync {
    /// The objects of this kind (`events`, `items`) that the ledger names. An object that it does not name does not exist.
    fn objects(&self, kind: &str) -> Result<Vec<Object>, LedgerError>;

    /// Gives these columns of every row of a table to `row`, until that says `false`. Called on a thread that may block.
    fn rows(
        &self,
        table: &str,
        columns: &[&str],
        row: &mut dyn FnMut(&[Cell]) -> bool,
    ) -> Result<(), LedgerError>;
}

/// An object that the ledger names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    pub name: String,
    pub collection: String,
    pub host: String,
    pub bytes: u64,
    pub rows: Option<u64>,
}

/// One value of a ledger's row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Text(String),
    Whole(i64),
    Real(f64),
}
