//! Events of a Parquet file as the records they were, in the order in which their reader gave them.

use super::sort::Sorter;
use super::value::{split_letters, value_of};
use super::{EventsError, FORMAT, FORMAT_KEY, column, schema};
use arrow_array::{
    Array, Int32Array, MapArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array,
};
use model::{At, Record, SourceName, Timestamp, Value};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// Bytes of what stands for the raw record.
const RAW_BYTES_MAX: usize = 64 * 1024;

/// The name that Windows' events have for values without one.
const UNNAMED: &str = "Data";

/// Rows decoded at once.
const BATCH_ROWS: usize = 4 * 1024;

/// Calls `visit` for every event of the file: item by item in order of their paths, and within an item as its reader gave
/// them. `visit` may stop it.
///
/// Bounded memory: `bytes_max` of rows are held; what is more goes to files in `scratch`, whose names begin with those of
/// the file, and which are removed again.
pub fn read(
    path: &Path,
    scratch: &Path,
    bytes_max: usize,
    visit: &mut dyn FnMut(&StoredRecord<'_>) -> ControlFlow<()>,
) -> Result<(), EventsError> {
    let file = File::options()
        .read(true)
        .open(path)
        .map_err(EventsError::io(path))?;
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(EventsError::parquet(path))?;
    let metadata = builder.metadata().file_metadata();
    let format = metadata.key_value_metadata().and_then(|pairs| {
        let pair = pairs.iter().find(|pair| pair.key == FORMAT_KEY)?;
        pair.value.clone()
    });
    if format.as_deref() != Some(FORMAT) {
        return Err(EventsError::Format {
            path: path.to_owned(),
            found: format.unwrap_or_default(),
        });
    }
    if builder.schema().fields() != schema().fields() {
        return Err(EventsError::Column {
            path: path.to_owned(),
            column: "every".to_owned(),
        });
    }
    let reader = builder
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(EventsError::parquet(path))?;
    let schema = schema();
    let key = vec![
        schema.index_of("item")?,
        schema.index_of("row")?,
        // Two items of one path: one after the other at each row, and always the same first.
        schema.index_of("line")?,
        schema.index_of("record")?,
        schema.index_of("byte")?,
        schema.index_of("time")?,
    ];
    let name = path
        .file_name()
        .map_or(Cow::Borrowed("events"), |name| name.to_string_lossy());
    let mut sorter = Sorter::new(schema, key, scratch, &name, bytes_max)?;
    for batch in reader {
        sorter.push(batch?)?;
    }
    let mut sources = BTreeMap::new();
    let mut stopped = false;
    sorter.finish(&mut |batch| {
        if !stopped {
            stopped = visit_batch(&batch, path, &mut sources, visit)?.is_break();
        }
        Ok(())
    })
}

fn visit_batch(
    batch: &RecordBatch,
    path: &Path,
    sources: &mut BTreeMap<String, Arc<SourceName>>,
    visit: &mut dyn FnMut(&StoredRecord<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, EventsError> {
    let columns = Columns::of(batch, path)?;
    for row in 0..batch.num_rows() {
        let name = columns.source.value(row);
        let source = if let Some(source) = sources.get(name) {
            Arc::clone(source)
        } else {
            let source = Arc::new(SourceName::new(name));
            sources.insert(name.to_owned(), Arc::clone(&source));
            source
        };
        let letters = text(columns.field_types, row);
        let record = StoredRecord {
            columns: &columns,
            row,
            source,
            letters: letters.map(split_letters).unwrap_or_default(),
        };
        if visit(&record).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The columns of a batch that make records.
#[derive(Debug)]
struct Columns<'a> {
    time: &'a TimestampMicrosecondArray,
    time_nanos: &'a Int32Array,
    host: &'a StringArray,
    collection: &'a StringArray,
    item: &'a StringArray,
    row: &'a UInt64Array,
    line: &'a UInt64Array,
    record: &'a UInt64Array,
    byte: &'a UInt64Array,
    source: &'a StringArray,
    fields: &'a MapArray,
    names: &'a StringArray,
    values: &'a StringArray,
    field_types: &'a StringArray,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch, path: &Path) -> Result<Self, EventsError> {
        let fields: &MapArray = column(batch, "fields", path)?;
        let wrong = || EventsError::Column {
            path: path.to_owned(),
            column: "fields".to_owned(),
        };
        let names = fields.keys().as_any().downcast_ref();
        let values = fields.values().as_any().downcast_ref();
        Ok(Self {
            time: column(batch, "time", path)?,
            time_nanos: column(batch, "time_nanos", path)?,
            host: column(batch, "host", path)?,
            collection: column(batch, "collection", path)?,
            item: column(batch, "item", path)?,
            row: column(batch, "row", path)?,
            line: column(batch, "line", path)?,
            record: column(batch, "record", path)?,
            byte: column(batch, "byte", path)?,
            source: column(batch, "source", path)?,
            fields,
            names: names.ok_or_else(wrong)?,
            values: values.ok_or_else(wrong)?,
            field_types: column(batch, "field_types", path)?,
        })
    }
}

fn text(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

fn number(column: &UInt64Array, row: usize) -> Option<u64> {
    column.is_valid(row).then(|| column.value(row))
}

/// An event as its reader gave it. Its fields are those that the record told of, a name that it told several times once,
/// with what the record answered to that name.
#[derive(Debug)]
pub struct StoredRecord<'a> {
    columns: &'a Columns<'a>,
    row: usize,
    source: Arc<SourceName>,
    /// Letters of each field; empty where all are text.
    letters: Vec<&'a str>,
}

impl StoredRecord<'_> {
    pub fn host(&self) -> &str {
        self.columns.host.value(self.row)
    }

    pub fn collection(&self) -> &str {
        self.columns.collection.value(self.row)
    }

    /// Original path of the item.
    pub fn item(&self) -> &str {
        self.columns.item.value(self.row)
    }

    /// Which record of its item this is, from 1, as its reader gave them.
    pub fn row(&self) -> u64 {
        self.columns.row.value(self.row)
    }

    /// Positions of the record's fields among those of the batch.
    fn range(&self) -> std::ops::Range<usize> {
        let offsets = self.columns.fields.value_offsets();
        let at = |index: usize| {
            let offset = offsets.get(index).copied().unwrap_or(0);
            usize::try_from(offset).unwrap_or(0)
        };
        at(self.row)..at(self.row + 1)
    }

    fn field(&self, position: usize, start: usize) -> Value<'_> {
        let letters = self.letters.get(position - start).copied().unwrap_or("t");
        value_of(text(self.columns.values, position), letters)
    }

    fn exact(&self, name: &str) -> Option<Value<'_>> {
        let range = self.range();
        let start = range.start;
        let names = self.columns.names;
        let position = range.into_iter().find(|at| names.value(*at) == name)?;
        Some(self.field(position, start))
    }
}

impl Record for StoredRecord<'_> {
    fn source(&self) -> &SourceName {
        &self.source
    }

    fn time(&self) -> Option<Timestamp> {
        let micros = self.columns.time;
        let micros = micros.is_valid(self.row).then(|| micros.value(self.row))?;
        let rest = self.columns.time_nanos;
        let rest = if rest.is_valid(self.row) {
            rest.value(self.row)
        } else {
            0
        };
        Timestamp::from_nanosecond(i128::from(micros) * 1_000 + i128::from(rest)).ok()
    }

    fn at(&self) -> At {
        let columns = self.columns;
        let line = number(columns.line, self.row).map(At::Line);
        let record = || number(columns.record, self.row).map(At::Record);
        let byte = || number(columns.byte, self.row).map(At::Offset);
        line.or_else(record).or_else(byte).unwrap_or(At::Item)
    }

    /// As the readers answer: names with spaces are found without them, and `Data_2` is the second value of `Data`.
    fn get(&self, field: &str) -> Option<Value<'_>> {
        if let Some(value) = self.exact(field) {
            return Some(value);
        }
        let range = self.range();
        let start = range.start;
        let names = self.columns.names;
        let spaced = range.into_iter().find(|at| {
            let name = names.value(*at);
            name.contains(' ') && name.replace(' ', "") == field
        });
        if let Some(position) = spaced {
            return Some(self.field(position, start));
        }
        let number = field.strip_prefix(UNNAMED)?.strip_prefix('_')?;
        let index = number.parse::<usize>().ok()?.checked_sub(1)?;
        match self.exact(UNNAMED)? {
            Value::List(mut values) if index < values.len() => Some(values.swap_remove(index)),
            Value::List(_) => None,
            value => (index == 0).then_some(value),
        }
    }

    fn each_field(&self, visit: &mut dyn FnMut(&str, Value<'_>)) {
        let range = self.range();
        let start = range.start;
        for position in range {
            let name = self.columns.names.value(position);
            visit(name, self.field(position, start));
        }
    }

    /// Its fields as `name=value`, joined by spaces, at most 64 KiB: the line itself is not kept, its place leads to it.
    fn raw(&self) -> Cow<'_, str> {
        let mut raw = String::new();
        for position in self.range() {
            let value = text(self.columns.values, position).unwrap_or_default();
            let name = self.columns.names.value(position);
            if raw.len() + name.len() + value.len() + 2 > RAW_BYTES_MAX {
                break;
            }
            if !raw.is_empty() {
                raw.push(' ');
            }
            raw.push_str(name);
            raw.push('=');
            raw.push_str(value);
        }
        Cow::Owned(raw)
    }
}
