//! Accepted items of staging files into one Parquet file for each host.

use super::sort::Sorter;
use super::{EventsError, FORMAT, FORMAT_KEY, Staged, schema, staging_schema};
use arrow_array::{
    Array, ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow_ipc::reader::StreamReader;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows of a row group. A busy mail server writes a million rows a day: a day is found by the statistics of its groups, and
/// a group is small enough to be held in memory.
const ROW_GROUP_ROWS: usize = 128 * 1024;

/// Bytes of a row group, for rows that are long.
const ROW_GROUP_BYTES: usize = 64 * 1024 * 1024;

/// Columns in which single values are looked for over all hosts.
const BLOOM_FILTERS: [&str; 4] = ["src_ip", "dst_ip", "user_agent", "query_hostname"];

/// One value in a hundred that is not there is read for nothing.
const BLOOM_FALSE_POSITIVES: f64 = 0.01;

/// Different values of such a column in one row group that the filter is made for; it is folded to what it holds.
const BLOOM_VALUES: u64 = 32 * 1024;

/// Numbers that grow from row to row.
const COUNTED: [&str; 4] = ["row", "line", "record", "byte"];

/// The Parquet file of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub host: String,
    pub file: PathBuf,
    pub rows: u64,
    /// Microseconds since 1970 of the earliest and the latest event that has a time.
    pub first: Option<i64>,
    pub last: Option<i64>,
}

/// Writes the events of one collection: for each host one file in `folder`, its rows ordered by time (those without one
/// first), source, item and place. The same items give the same bytes, whichever staging files they lie in.
///
/// Rows of other ordinals in a staging file, whose reader died, are passed over; so is the torn end of a file. An accepted
/// item of which rows are missing is an error. Hosts without any event get no file. `bytes_max` bounds the rows in memory;
/// what is more goes to files in `folder`, which are removed again.
pub fn write(
    staged: &[Staged],
    collection: &str,
    folder: &Path,
    bytes_max: usize,
) -> Result<Vec<Written>, EventsError> {
    let mut by_host: BTreeMap<&str, Vec<&Staged>> = BTreeMap::new();
    for item in staged.iter().filter(|item| item.rows > 0) {
        by_host.entry(&item.host).or_default().push(item);
    }
    let mut all = Vec::new();
    for (number, (host, items)) in by_host.into_iter().enumerate() {
        let name = format!("events-{number}");
        let file = folder.join(format!("{name}.parquet"));
        let sorted = sorted(&items, folder, &name, bytes_max)?;
        let mut target = Target::create(file, host, collection)?;
        sorted.finish(&mut |batch| target.write(&batch))?;
        all.push(target.finish()?);
    }
    Ok(all)
}

/// The rows of staging files with the item they are of.
fn item_schema() -> SchemaRef {
    let mut columns = vec![Arc::new(Field::new("item", DataType::Utf8, false))];
    columns.extend(staging_schema().fields().iter().cloned());
    Arc::new(Schema::new(columns))
}

/// What the rows are ordered by; the last two only tell apart what is the same to a reader.
const ORDER: [&str; 8] = [
    "time", "source", "item", "line", "record", "byte", "ordinal", "row",
];

fn sorted<'a>(
    items: &[&Staged],
    folder: &'a Path,
    name: &'a str,
    bytes_max: usize,
) -> Result<Sorter<'a>, EventsError> {
    let schema = item_schema();
    let key = ORDER.iter().map(|name| schema.index_of(name));
    let key: Vec<usize> = key.collect::<Result<_, _>>()?;
    let mut sorter = Sorter::new(Arc::clone(&schema), key, folder, name, bytes_max)?;
    let mut by_file: BTreeMap<&Path, BTreeMap<u64, &Staged>> = BTreeMap::new();
    for item in items {
        let of_file = by_file.entry(&item.file).or_default();
        of_file.insert(item.ordinal, item);
    }
    for (file, wanted) in by_file {
        read_staging(file, &wanted, &schema, &mut sorter)?;
    }
    Ok(sorter)
}

fn read_staging(
    path: &Path,
    wanted: &BTreeMap<u64, &Staged>,
    schema: &SchemaRef,
    sorter: &mut Sorter<'_>,
) -> Result<(), EventsError> {
    let file = File::options()
        .read(true)
        .open(path)
        .map_err(EventsError::io(path))?;
    let mut found: BTreeMap<u64, u64> = BTreeMap::new();
    // A worker that died before its first batch leaves less than a head.
    if let Ok(reader) = StreamReader::try_new(BufReader::new(file), None) {
        // The first batch that cannot be read is where a killed writer stopped.
        for batch in reader.map_while(Result::ok) {
            let ordinals = ordinals_of(&batch, path)?;
            for ordinal in ordinals.values() {
                *found.entry(*ordinal).or_default() += 1;
            }
            if let Some(batch) = with_items(&batch, ordinals, wanted, schema)? {
                sorter.push(batch)?;
            }
        }
    }
    for (ordinal, item) in wanted {
        let rows = found.get(ordinal).copied().unwrap_or(0);
        if rows != item.rows {
            return Err(EventsError::Incomplete {
                path: path.to_owned(),
                item: item.item.clone(),
                told: item.rows,
                found: rows,
            });
        }
    }
    Ok(())
}

fn ordinals_of<'a>(batch: &'a RecordBatch, path: &Path) -> Result<&'a UInt64Array, EventsError> {
    let column = batch.columns().first();
    column
        .and_then(|column| column.as_any().downcast_ref())
        .filter(|_| batch.schema() == staging_schema())
        .ok_or_else(|| EventsError::Column {
            path: path.to_owned(),
            column: "ordinal".to_owned(),
        })
}

/// The rows of wanted items, each with its item's path.
fn with_items(
    batch: &RecordBatch,
    ordinals: &UInt64Array,
    wanted: &BTreeMap<u64, &Staged>,
    schema: &SchemaRef,
) -> Result<Option<RecordBatch>, EventsError> {
    let item_of = |ordinal: &u64| wanted.get(ordinal).map(|item| item.item.as_str());
    let items: StringArray = ordinals.values().iter().map(item_of).collect();
    if items.null_count() == items.len() {
        return Ok(None);
    }
    let known = arrow_array::BooleanArray::from_iter(
        ordinals
            .values()
            .iter()
            .map(|ordinal| Some(wanted.contains_key(ordinal))),
    );
    let batch = filter_record_batch(batch, &known)?;
    let items: StringArray = items.iter().flatten().map(Some).collect();
    let mut columns: Vec<ArrayRef> = vec![Arc::new(items)];
    columns.extend(batch.columns().iter().cloned());
    Ok(Some(RecordBatch::try_new(Arc::clone(schema), columns)?))
}

/// A Parquet file that is being written.
struct Target<'a> {
    path: PathBuf,
    writer: ArrowWriter<File>,
    schema: SchemaRef,
    host: &'a str,
    collection: &'a str,
    rows: u64,
    first: Option<i64>,
    last: Option<i64>,
}

impl<'a> Target<'a> {
    fn create(path: PathBuf, host: &'a str, collection: &'a str) -> Result<Self, EventsError> {
        let schema = schema();
        let file = File::create(&path).map_err(EventsError::io(&path))?;
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties(&schema)?))
            .map_err(EventsError::parquet(&path))?;
        Ok(Self {
            path,
            writer,
            schema,
            host,
            collection,
            rows: 0,
            first: None,
            last: None,
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), EventsError> {
        let rows = batch.num_rows();
        let same = |text: &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(
                text, rows,
            )))
        };
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            let column = match field.name().as_str() {
                "host" => same(self.host),
                "collection" => same(self.collection),
                name => {
                    let index = batch.schema().index_of(name)?;
                    Arc::clone(batch.column(index))
                }
            };
            columns.push(column);
        }
        let times = columns.first().and_then(|column| {
            let column = column.as_any();
            column.downcast_ref::<TimestampMicrosecondArray>()
        });
        for time in times.into_iter().flatten().flatten() {
            self.first.get_or_insert(time);
            self.last = Some(time);
        }
        self.rows += rows as u64;
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        self.writer
            .write(&batch)
            .map_err(EventsError::parquet(&self.path))
    }

    fn finish(self) -> Result<Written, EventsError> {
        let path = self.path;
        self.writer.close().map_err(EventsError::parquet(&path))?;
        Ok(Written {
            host: self.host.to_owned(),
            file: path,
            rows: self.rows,
            first: self.first,
            last: self.last,
        })
    }
}

fn properties(schema: &Schema) -> Result<WriterProperties, EventsError> {
    let column = |name: &str| ColumnPath::from(name);
    let time = i32::try_from(schema.index_of("time")?).unwrap_or(0);
    let by_time = SortingColumn {
        column_idx: time,
        descending: false,
        nulls_first: true,
    };
    let mut properties = plain_properties()
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_sorting_columns(Some(vec![by_time]))
        // Statistics of a map's entries find nothing, and long values would stand in the footer.
        .set_column_statistics_enabled(
            ColumnPath::new(vec!["fields".into(), "key_value".into(), "value".into()]),
            EnabledStatistics::None,
        )
        // Values of all fields together repeat in no way that a dictionary could hold.
        .set_column_dictionary_enabled(
            ColumnPath::new(vec!["fields".into(), "key_value".into(), "value".into()]),
            false,
        );
    for name in COUNTED {
        properties = properties
            .set_column_dictionary_enabled(column(name), false)
            .set_column_encoding(column(name), Encoding::DELTA_BINARY_PACKED);
    }
    for name in BLOOM_FILTERS {
        properties = properties
            .set_column_bloom_filter_enabled(column(name), true)
            .set_column_bloom_filter_fpp(column(name), BLOOM_FALSE_POSITIVES)
            .set_column_bloom_filter_max_ndv(column(name), BLOOM_VALUES);
    }
    Ok(properties.build())
}

/// What all Parquet files of a case have in common.
pub(super) fn plain_properties() -> parquet::file::properties::WriterPropertiesBuilder {
    let format = KeyValue::new(FORMAT_KEY.to_owned(), FORMAT.to_owned());
    let level = ZstdLevel::try_new(3).unwrap_or_default();
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_created_by("allclear".to_owned())
        .set_key_value_metadata(Some(vec![format]))
}
