//! Events of a case: written by workers to staging files, kept in one Parquet file for each collection and host, and read
//! back as the records they were.
//!
//! The way of an event: [`Staging::record`] in a worker, [`write()`] in the parent once the items are accepted, [`read`] when
//! the case is judged again. The columns are those of [`schema`]; docs/case-format.md explains them to analysts.

mod columns;
mod items;
mod read;
mod sort;
mod staging;
mod value;
mod write;

pub use columns::{Columns, ColumnsError};
pub use items::{items_schema, read_items, write_items};
pub use read::{StoredRecord, read};
pub use staging::{FIELDS_MAX, ItemRows, RECORD_BYTES_MAX, Staged, Staging, VALUE_BYTES_MAX};
pub use write::{Written, write};

use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Name and version of the Parquet files' form, under [`FORMAT_KEY`] in their footers.
pub const FORMAT: &str = "allclear/events/1";

/// Where a Parquet file of a case says what it is.
pub const FORMAT_KEY: &str = "allclear.format";

/// What stops the writing or reading of events.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    #[error("cannot read or write {}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is not a file of events that can be read", path.display())]
    Parquet {
        path: PathBuf,
        #[source]
        source: parquet::errors::ParquetError,
    },
    #[error("events cannot be brought into order")]
    Arrow(#[source] arrow_schema::ArrowError),
    /// A staging file holds fewer rows of an accepted item than its worker said.
    #[error("{} holds {found} rows of {item}, and its writer said {told}", path.display())]
    Incomplete {
        path: PathBuf,
        item: String,
        told: u64,
        found: u64,
    },
    /// The file was written by a later version, or by something else.
    #[error("{} has the form {found:?}, and {FORMAT} can be read", path.display())]
    Format { path: PathBuf, found: String },
    #[error("{} has no column {column} of the type it must have", path.display())]
    Column { path: PathBuf, column: String },
}

impl EventsError {
    fn io(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    fn parquet(path: &std::path::Path) -> impl FnOnce(parquet::errors::ParquetError) -> Self + '_ {
        move |source| Self::Parquet {
            path: path.to_owned(),
            source,
        }
    }
}

impl From<arrow_schema::ArrowError> for EventsError {
    fn from(source: arrow_schema::ArrowError) -> Self {
        Self::Arrow(source)
    }
}

/// What a normalised column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Int32,
    Int64,
}

/// The columns that hold the same thing of every source, in the order of the files. `knowledge/events.yaml` says which
/// fields they come from.
const NORMALISED: [(&str, Kind); 25] = [
    ("event_code", Kind::Text),
    ("user_name", Kind::Text),
    ("src_ip", Kind::Text),
    ("src_host", Kind::Text),
    ("dst_ip", Kind::Text),
    ("dst_host", Kind::Text),
    ("dst_port", Kind::Text),
    ("http_method", Kind::Text),
    ("url_path", Kind::Text),
    ("url_query", Kind::Text),
    ("http_status", Kind::Int32),
    ("user_agent", Kind::Text),
    ("referrer", Kind::Text),
    ("bytes_out", Kind::Int64),
    ("process_path", Kind::Text),
    ("process_cmd_line", Kind::Text),
    ("process_pid", Kind::Text),
    ("parent_process_path", Kind::Text),
    ("parent_process_cmd_line", Kind::Text),
    ("file_path", Kind::Text),
    ("registry_path", Kind::Text),
    ("query_hostname", Kind::Text),
    ("service_name", Kind::Text),
    ("task_name", Kind::Text),
    ("message", Kind::Text),
];

/// The columns of an events file.
pub fn schema() -> SchemaRef {
    let mut columns = vec![
        time_column(),
        Field::new("time_nanos", DataType::Int32, true),
        Field::new("host", DataType::Utf8, false),
        Field::new("collection", DataType::Utf8, false),
        Field::new("item", DataType::Utf8, false),
    ];
    columns.extend(place_columns());
    columns.extend(record_columns());
    Arc::new(Schema::new(columns))
}

/// The columns of a staging file: host, collection and item are not known to the worker, or the same for all its rows.
fn staging_schema() -> SchemaRef {
    let mut columns = vec![
        Field::new("ordinal", DataType::UInt64, false),
        time_column(),
        Field::new("time_nanos", DataType::Int32, true),
    ];
    columns.extend(place_columns());
    columns.extend(record_columns());
    Arc::new(Schema::new(columns))
}

fn time_column() -> Field {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Field::new("time", utc, true)
}

fn place_columns() -> [Field; 4] {
    [
        Field::new("row", DataType::UInt64, false),
        Field::new("line", DataType::UInt64, true),
        Field::new("record", DataType::UInt64, true),
        Field::new("byte", DataType::UInt64, true),
    ]
}

fn record_columns() -> Vec<Field> {
    let mut columns = vec![Field::new("source", DataType::Utf8, false)];
    columns.extend(NORMALISED.iter().map(|(name, kind)| {
        let of = match kind {
            Kind::Text => DataType::Utf8,
            Kind::Int32 => DataType::Int32,
            Kind::Int64 => DataType::Int64,
        };
        Field::new(*name, of, true)
    }));
    let entry = DataType::Struct(Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, true),
    ]));
    let entries = Arc::new(Field::new("key_value", entry, false));
    columns.push(Field::new("fields", DataType::Map(entries, false), false));
    columns.push(Field::new("field_types", DataType::Utf8, true));
    columns
}

/// A column of a batch of this file, of this type.
fn column<'a, T: Array + 'static>(
    batch: &'a RecordBatch,
    name: &str,
    path: &Path,
) -> Result<&'a T, EventsError> {
    let column = batch.column_by_name(name);
    column
        .and_then(|column| column.as_any().downcast_ref())
        .ok_or_else(|| EventsError::Column {
            path: path.to_owned(),
            column: name.to_owned(),
        })
}
