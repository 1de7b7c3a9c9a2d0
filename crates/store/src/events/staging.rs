//! The worker's side: records as they come, into an Arrow IPC stream that can be read up to where its writer stopped.

use super::value::write_value;
use super::{Columns, Kind, NORMALISED, staging_schema};
use arrow_array::builder::{
    ArrayBuilder, Int32Builder, Int64Builder, MapBuilder, MapFieldNames, StringBuilder,
    TimestampMicrosecondBuilder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use model::{At, Record, Timestamp, Value};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Fields kept of one record. Event logs have some fifty; a line of JSON can name any number.
pub const FIELDS_MAX: usize = 1_024;

/// Bytes kept of one value: PowerShell cuts its scripts into pieces of 32 KiB, and no log of ours writes longer ones.
pub const VALUE_BYTES_MAX: usize = 128 * 1024;

/// Bytes kept of all names and values of one record; a few such records still fit into one batch.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;

/// Rows of a batch: enough for the columns to pay, few enough to be held many times over while sorting.
pub(super) const BATCH_ROWS: usize = 8 * 1024;

/// Bytes of a batch, for rows that are long.
pub(super) const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// One accepted item of a staging file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    pub file: PathBuf,
    /// The number under which the worker wrote its rows.
    pub ordinal: u64,
    /// How many rows it wrote.
    pub rows: u64,
    /// Original path of the item.
    pub item: String,
    /// The host that its records are of.
    pub host: String,
}

/// What was written of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ItemRows {
    pub rows: u64,
    /// Records of which a field or the end of a value was left out, as they went beyond [`FIELDS_MAX`],
    /// [`VALUE_BYTES_MAX`] or [`RECORD_BYTES_MAX`]: a gap of the item.
    pub cut: u64,
}

/// Writes the records of one item after the other.
pub struct Staging {
    writer: StreamWriter<BufWriter<File>>,
    columns: Columns,
    batch: Batch,
    fields: Fields,
    item: ItemRows,
    /// The first problem since the last [`end_item`](Self::end_item).
    problem: Option<io::Error>,
}

impl std::fmt::Debug for Staging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Staging")
            .field("item", &self.item)
            .field("problem", &self.problem)
            .finish_non_exhaustive()
    }
}

impl Staging {
    /// Makes the file, which must not exist yet.
    pub fn create(path: &Path, columns: Columns) -> io::Result<Self> {
        let file = File::options().write(true).create_new(true).open(path)?;
        let options = IpcWriteOptions::default()
            .try_with_compression(Some(CompressionType::LZ4_FRAME))
            .map_err(io::Error::other)?;
        let buffered = BufWriter::new(file);
        let writer = StreamWriter::try_new_with_options(buffered, &staging_schema(), options)
            .map_err(io::Error::other)?;
        Ok(Self {
            writer,
            columns,
            batch: Batch::default(),
            fields: Fields::default(),
            item: ItemRows::default(),
            problem: None,
        })
    }

    /// Adds a record of the item with this ordinal. Problems are told by [`end_item`](Self::end_item).
    pub fn record(&mut self, ordinal: u64, record: &dyn Record) {
        if self.problem.is_some() {
            return;
        }
        let cut = self.fields.take(record, &self.columns);
        self.item.rows += 1;
        self.item.cut += u64::from(cut);
        self.batch
            .add(ordinal, self.item.rows, record, &self.fields);
        if self.batch.rows >= BATCH_ROWS || self.batch.bytes >= BATCH_BYTES {
            self.problem = self.write_batch().err();
        }
    }

    /// Brings everything of the item to the file. After an error the rows of the item are not to be accepted.
    pub fn end_item(&mut self) -> io::Result<ItemRows> {
        let item = std::mem::take(&mut self.item);
        if let Some(problem) = self.problem.take() {
            return Err(problem);
        }
        self.write_batch()?;
        self.writer.get_mut().flush()?;
        Ok(item)
    }

    fn write_batch(&mut self) -> io::Result<()> {
        if self.batch.rows == 0 {
            return Ok(());
        }
        let batch = self.batch.finish().map_err(io::Error::other)?;
        self.writer.write(&batch).map_err(io::Error::other)
    }
}

/// The fields of one record, taken out of it once. The memory is used again for the next.
#[derive(Debug, Default)]
struct Fields {
    text: String,
    fields: Vec<Field>,
    /// Letters of all fields.
    letters: String,
    only_text: bool,
    cut: bool,
    normalised: [Option<Normalised>; NORMALISED.len()],
    /// Names that the record told more than once.
    twice: Vec<String>,
}

/// Byte positions in the text.
#[derive(Clone, Copy, Debug)]
struct Field {
    name: (usize, usize),
    value: (usize, usize),
    null: bool,
}

#[derive(Clone, Copy, Debug)]
struct Normalised {
    rank: u16,
    value: (usize, usize),
}

impl Fields {
    /// Takes the fields of a record; whether something had to be left out.
    fn take(&mut self, record: &dyn Record, columns: &Columns) -> bool {
        self.clear();
        let source = record.source().as_str();
        record.each_field(&mut |name, value| {
            if self.position(name).is_some() {
                if !self.twice.iter().any(|known| known == name) {
                    self.twice.push(name.to_owned());
                }
                return;
            }
            self.add(name, &value, columns, source);
        });
        if !self.twice.is_empty() {
            self.take_again(record, columns);
        }
        self.cut
    }

    /// Some records tell a name once for each of its values, and answer with a list when asked for it: that is kept.
    fn take_again(&mut self, record: &dyn Record, columns: &Columns) {
        let twice = std::mem::take(&mut self.twice);
        self.clear();
        let source = record.source().as_str();
        record.each_field(&mut |name, value| {
            if self.position(name).is_some() {
                return;
            }
            match record.get(name) {
                Some(all) if twice.iter().any(|known| known == name) => {
                    self.add(name, &all, columns, source);
                }
                _ => self.add(name, &value, columns, source),
            }
        });
    }

    fn clear(&mut self) {
        self.text.clear();
        self.fields.clear();
        self.letters.clear();
        self.only_text = true;
        self.cut = false;
        self.normalised = [None; NORMALISED.len()];
        self.twice.clear();
    }

    fn slice(&self, (from, until): (usize, usize)) -> &str {
        self.text.get(from..until).unwrap_or_default()
    }

    fn position(&self, name: &str) -> Option<usize> {
        let mut fields = self.fields.iter();
        fields.position(|field| self.slice(field.name) == name)
    }

    fn add(&mut self, name: &str, value: &Value<'_>, columns: &Columns, source: &str) {
        if self.fields.len() >= FIELDS_MAX || self.text.len() + name.len() > RECORD_BYTES_MAX {
            self.cut = true;
            return;
        }
        let start = self.text.len();
        self.text.push_str(name);
        let middle = self.text.len();
        let letters = self.letters.len();
        self.cut |= !write_value(value, &mut self.text, &mut self.letters);
        let room = VALUE_BYTES_MAX.min(RECORD_BYTES_MAX.saturating_sub(middle));
        if self.text.len() - middle > room {
            self.cut = true;
            self.text
                .truncate(middle + room.min(self.boundary(middle, room)));
            // Half a list is none.
            if matches!(value, Value::List(_)) {
                self.letters.truncate(letters);
                self.letters.push('t');
            }
        }
        self.only_text &= self.letters.get(letters..) == Some("t");
        let end = self.text.len();
        self.fields.push(Field {
            name: (start, middle),
            value: (middle, end),
            null: matches!(value, Value::Null),
        });
        self.normalise(name, (middle, end), columns, source);
    }

    /// The most bytes from `from` on, at most `room`, that end between two characters.
    fn boundary(&self, from: usize, room: usize) -> usize {
        (0..=room)
            .rev()
            .find(|length| self.text.is_char_boundary(from + length))
            .unwrap_or(0)
    }

    /// Keeps the value for each column it feeds, unless a surer field did. Logs write `-` for nothing.
    fn normalise(&mut self, name: &str, value: (usize, usize), columns: &Columns, source: &str) {
        let feeds = columns.of(name);
        if feeds.is_empty() || matches!(self.slice(value), "" | "-") {
            return;
        }
        for feed in feeds {
            let Some(known) = self.normalised.get_mut(feed.column) else {
                continue;
            };
            let surer = known.is_none_or(|known| feed.rank < known.rank);
            if surer && columns.applies(*feed, source) {
                *known = Some(Normalised {
                    rank: feed.rank,
                    value,
                });
            }
        }
    }
}

/// Rows that are not written yet.
#[derive(Debug)]
struct Batch {
    rows: usize,
    bytes: usize,
    ordinal: UInt64Builder,
    time: TimestampMicrosecondBuilder,
    time_nanos: Int32Builder,
    row: UInt64Builder,
    line: UInt64Builder,
    record: UInt64Builder,
    byte: UInt64Builder,
    source: StringBuilder,
    normalised: Vec<Column>,
    fields: MapBuilder<StringBuilder, StringBuilder>,
    field_types: StringBuilder,
}

#[derive(Debug)]
enum Column {
    Text(StringBuilder),
    Int32(Int32Builder),
    Int64(Int64Builder),
}

impl Default for Batch {
    fn default() -> Self {
        let names = MapFieldNames {
            entry: "key_value".to_owned(),
            key: "key".to_owned(),
            value: "value".to_owned(),
        };
        let columns = NORMALISED.iter().map(|(_, kind)| match kind {
            Kind::Text => Column::Text(StringBuilder::new()),
            Kind::Int32 => Column::Int32(Int32Builder::new()),
            Kind::Int64 => Column::Int64(Int64Builder::new()),
        });
        Self {
            rows: 0,
            bytes: 0,
            ordinal: UInt64Builder::new(),
            time: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            time_nanos: Int32Builder::new(),
            row: UInt64Builder::new(),
            line: UInt64Builder::new(),
            record: UInt64Builder::new(),
            byte: UInt64Builder::new(),
            source: StringBuilder::new(),
            normalised: columns.collect(),
            fields: MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new()),
            field_types: StringBuilder::new(),
        }
    }
}

impl Batch {
    fn add(&mut self, ordinal: u64, row: u64, record: &dyn Record, fields: &Fields) {
        self.rows += 1;
        // Normalised values are held twice.
        self.bytes += 2 * fields.text.len() + 128;
        self.ordinal.append_value(ordinal);
        let (time, nanos) = record.time().map_or((None, None), time_parts);
        self.time.append_option(time);
        self.time_nanos.append_option(nanos);
        self.row.append_value(row);
        let (mut line, mut number, mut byte) = (None, None, None);
        match record.at() {
            At::Item => {}
            At::Line(at) => line = Some(at),
            At::Record(at) => number = Some(at),
            At::Offset(at) => byte = Some(at),
        }
        self.line.append_option(line);
        self.record.append_option(number);
        self.byte.append_option(byte);
        self.source.append_value(record.source().as_str());
        for (column, value) in self.normalised.iter_mut().zip(&fields.normalised) {
            let text = value.map(|found| fields.slice(found.value));
            match column {
                Column::Text(column) => column.append_option(text),
                Column::Int32(column) => {
                    column.append_option(text.and_then(|text| text.trim().parse().ok()));
                }
                Column::Int64(column) => {
                    column.append_option(text.and_then(|text| text.trim().parse().ok()));
                }
            }
        }
        for field in &fields.fields {
            self.fields.keys().append_value(fields.slice(field.name));
            let value = (!field.null).then(|| fields.slice(field.value));
            self.fields.values().append_option(value);
        }
        self.fields
            .append(true)
            .expect("a key was added for every value");
        let letters = (!fields.only_text).then_some(&*fields.letters);
        self.field_types.append_option(letters);
    }

    fn finish(&mut self) -> Result<RecordBatch, arrow_schema::ArrowError> {
        (self.rows, self.bytes) = (0, 0);
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.ordinal.finish()),
            Arc::new(self.time.finish()),
            Arc::new(self.time_nanos.finish()),
            Arc::new(self.row.finish()),
            Arc::new(self.line.finish()),
            Arc::new(self.record.finish()),
            Arc::new(self.byte.finish()),
            Arc::new(self.source.finish()),
        ];
        columns.extend(self.normalised.iter_mut().map(|column| match column {
            Column::Text(column) => ArrayBuilder::finish(column),
            Column::Int32(column) => ArrayBuilder::finish(column),
            Column::Int64(column) => ArrayBuilder::finish(column),
        }));
        columns.push(Arc::new(self.fields.finish()));
        columns.push(Arc::new(self.field_types.finish()));
        RecordBatch::try_new(staging_schema(), columns)
    }
}

/// Whole microseconds since 1970, and the nanoseconds beyond them where there are any.
fn time_parts(time: Timestamp) -> (Option<i64>, Option<i32>) {
    let nanoseconds = time.as_nanosecond();
    let micros = i64::try_from(nanoseconds.div_euclid(1_000)).ok();
    let rest = i32::try_from(nanoseconds.rem_euclid(1_000)).ok();
    (micros, rest.filter(|rest| *rest != 0))
}
