//! The forms of an answer. What comes from evidence is made harmless in each, by `report`.

mod csv;
mod json;
mod parquet;
mod table;
mod value;

pub use csv::Csv;
pub use json::JsonLines;
pub use parquet::Parquet;
pub use table::Table;
pub(crate) use value::{json_value, text};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use std::io;

/// Takes the rows of an answer as they come.
pub trait Sink {
    /// Comes once and first, also where there are no rows.
    fn begin(&mut self, schema: &SchemaRef) -> io::Result<()>;
    fn rows(&mut self, batch: &RecordBatch) -> io::Result<()>;
    /// Comes last, unless something failed.
    fn end(&mut self) -> io::Result<()>;
}
