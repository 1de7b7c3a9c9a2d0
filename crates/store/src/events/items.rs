//! The items of one collection and host: what lay in it, and what became of it.

use super::write::plain_properties;
use super::{EventsError, column};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use model::{ItemSeen, Rejected, SourceName};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Items written at once; a disk image has half a million.
const BATCH_ROWS: usize = 8 * 1024;

/// The columns of an items file.
pub fn items_schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(vec![
        text("host"),
        text("collection"),
        text("path"),
        Field::new("size", DataType::Int64, false),
        text("sha256"),
        text("kind"),
        Field::new("source", DataType::Utf8, true),
        Field::new("records_in", DataType::UInt64, false),
        Field::new("events", DataType::UInt64, false),
        text("rejected"),
    ]))
}

/// Writes the items into a new Parquet file, in order of path.
pub fn write_items(
    items: &[ItemSeen],
    host: &str,
    collection: &str,
    path: &Path,
) -> Result<(), EventsError> {
    let schema = items_schema();
    let file = File::create(path).map_err(EventsError::io(path))?;
    let properties = plain_properties().build();
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))
        .map_err(EventsError::parquet(path))?;
    let mut sorted: Vec<&ItemSeen> = items.iter().collect();
    sorted.sort();
    for some in sorted.chunks(BATCH_ROWS) {
        let texts = |of: fn(&ItemSeen) -> &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(
                some.iter().map(|item| of(item)),
            ))
        };
        let counts = |of: fn(&ItemSeen) -> u64| -> ArrayRef {
            Arc::new(UInt64Array::from_iter_values(
                some.iter().map(|item| of(item)),
            ))
        };
        let same = |text: &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(
                text,
                some.len(),
            )))
        };
        let sizes = some
            .iter()
            .map(|item| i64::try_from(item.size).unwrap_or(i64::MAX));
        let sources = some
            .iter()
            .map(|item| item.source.as_ref().map(SourceName::as_str));
        let rejected = some.iter().map(|item| rejected_json(&item.rejected));
        let columns: Vec<ArrayRef> = vec![
            same(host),
            same(collection),
            texts(|item| &item.path),
            Arc::new(Int64Array::from_iter_values(sizes)),
            texts(|item| &item.sha256),
            texts(|item| &item.kind),
            Arc::new(sources.collect::<StringArray>()),
            counts(|item| item.records_in),
            counts(|item| item.events),
            Arc::new(StringArray::from_iter_values(rejected)),
        ];
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
        writer.write(&batch).map_err(EventsError::parquet(path))?;
    }
    writer.close().map_err(EventsError::parquet(path))?;
    Ok(())
}

/// `{"reason": count}`, which every tool reads.
fn rejected_json(rejected: &[Rejected]) -> String {
    let pairs = rejected
        .iter()
        .map(|rejected| (rejected.reason.clone(), rejected.count.into()));
    serde_json::Value::Object(pairs.collect()).to_string()
}

/// Calls `visit` for every item of the file, in order of path.
pub fn read_items(path: &Path, visit: &mut dyn FnMut(ItemSeen)) -> Result<(), EventsError> {
    let file = File::options()
        .read(true)
        .open(path)
        .map_err(EventsError::io(path))?;
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(EventsError::parquet(path))?;
    let reader = builder.build().map_err(EventsError::parquet(path))?;
    for batch in reader {
        let batch = batch?;
        let columns = Columns {
            path: column(&batch, "path", path)?,
            size: column(&batch, "size", path)?,
            sha256: column(&batch, "sha256", path)?,
            kind: column(&batch, "kind", path)?,
            source: column(&batch, "source", path)?,
            records_in: column(&batch, "records_in", path)?,
            events: column(&batch, "events", path)?,
            rejected: column(&batch, "rejected", path)?,
        };
        for row in 0..batch.num_rows() {
            visit(columns.item(row));
        }
    }
    Ok(())
}

struct Columns<'a> {
    path: &'a StringArray,
    size: &'a Int64Array,
    sha256: &'a StringArray,
    kind: &'a StringArray,
    source: &'a StringArray,
    records_in: &'a UInt64Array,
    events: &'a UInt64Array,
    rejected: &'a StringArray,
}

impl Columns<'_> {
    fn item(&self, row: usize) -> ItemSeen {
        let source = self.source.is_valid(row);
        let rejected: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(self.rejected.value(row)).unwrap_or_default();
        let rejected = rejected.into_iter().map(|(reason, count)| Rejected {
            reason,
            count: count.as_u64().unwrap_or(0),
        });
        ItemSeen {
            path: self.path.value(row).to_owned(),
            size: u64::try_from(self.size.value(row)).unwrap_or(0),
            sha256: self.sha256.value(row).to_owned(),
            kind: self.kind.value(row).to_owned(),
            source: source.then(|| SourceName::new(self.source.value(row))),
            records_in: self.records_in.value(row),
            events: self.events.value(row),
            rejected: rejected.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_back_in_order_of_path() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("items.parquet");
        let item = |path: &str, source: Option<&str>| ItemSeen {
            path: path.to_owned(),
            size: 7,
            sha256: "ab".repeat(32),
            kind: "iis.w3c".to_owned(),
            source: source.map(SourceName::new),
            records_in: 3,
            events: 1,
            rejected: vec![Rejected {
                reason: "not a row".to_owned(),
                count: 2,
            }],
        };
        let items = [
            item("C:\\b.log", Some("iis.site:1")),
            item("C:\\a.log", None),
        ];
        write_items(&items, "EX01", "c-1", &file).unwrap();
        let mut found = Vec::new();
        read_items(&file, &mut |item| found.push(item)).unwrap();
        assert_eq!(found, [items[1].clone(), items[0].clone()]);
    }
}
