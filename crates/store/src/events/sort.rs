//! Brings any number of rows into order with bounded memory: sorted runs in files, then merged.

use super::EventsError;
use super::staging::{BATCH_BYTES, BATCH_ROWS};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_ipc::CompressionType;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_row::{RowConverter, Rows, SortField};
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::interleave::interleave_record_batch;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

/// Runs merged at once: each holds a batch in memory.
const RUNS_MERGED: usize = 16;

/// Takes rows in any order and gives them back ordered by the key columns, smallest and null first.
pub(super) struct Sorter<'a> {
    schema: SchemaRef,
    key: Vec<usize>,
    converter: RowConverter,
    /// A folder for the runs.
    scratch: &'a Path,
    /// Start of the runs' names, which nothing else in the folder has.
    name: &'a str,
    bytes_max: usize,
    /// Small batches that wait to be put together.
    small: Vec<RecordBatch>,
    small_rows: usize,
    small_bytes: usize,
    held: Vec<(RecordBatch, Rows)>,
    held_bytes: usize,
    runs: Vec<Run>,
    runs_made: usize,
}

impl<'a> Sorter<'a> {
    /// `key` gives the indexes of the columns to order by; together they must tell any two rows apart, or which of them
    /// comes first is open.
    pub(super) fn new(
        schema: SchemaRef,
        key: Vec<usize>,
        scratch: &'a Path,
        name: &'a str,
        bytes_max: usize,
    ) -> Result<Self, EventsError> {
        let fields = key.iter().map(|index| {
            let column = schema.fields().get(*index);
            let column = column.ok_or_else(|| no_column(*index))?;
            Ok(SortField::new(column.data_type().clone()))
        });
        let converter = RowConverter::new(fields.collect::<Result<_, ArrowError>>()?)?;
        Ok(Self {
            schema,
            key,
            converter,
            scratch,
            name,
            bytes_max,
            small: Vec::new(),
            small_rows: 0,
            small_bytes: 0,
            held: Vec::new(),
            held_bytes: 0,
            runs: Vec::new(),
            runs_made: 0,
        })
    }

    pub(super) fn push(&mut self, batch: RecordBatch) -> Result<(), EventsError> {
        self.small_rows += batch.num_rows();
        self.small_bytes += bytes_of(&batch);
        self.small.push(batch);
        if self.small_rows >= BATCH_ROWS || self.small_bytes >= BATCH_BYTES {
            self.hold()?;
        }
        Ok(())
    }

    /// Gives every row, in order, in batches.
    pub(super) fn finish(
        mut self,
        give: &mut dyn FnMut(RecordBatch) -> Result<(), EventsError>,
    ) -> Result<(), EventsError> {
        self.hold()?;
        if self.runs.is_empty() {
            let held = std::mem::take(&mut self.held);
            return emit(&held, give);
        }
        self.spill()?;
        while self.runs.len() > RUNS_MERGED {
            let rest = self.runs.split_off(RUNS_MERGED);
            let some = std::mem::replace(&mut self.runs, rest);
            let mut target = self.new_run()?;
            self.merge(some, &mut |batch| target.write(&batch))?;
            let run = target.finish()?;
            self.runs.push(run);
        }
        let runs = std::mem::take(&mut self.runs);
        self.merge(runs, give)
    }

    /// Makes one batch of the small ones, with its keys.
    fn hold(&mut self) -> Result<(), EventsError> {
        if self.small_rows == 0 {
            return Ok(());
        }
        let batch = concat_batches(&self.schema, &self.small)?;
        self.small.clear();
        (self.small_rows, self.small_bytes) = (0, 0);
        let rows = keys(&self.converter, &self.key, &batch)?;
        self.held_bytes += bytes_of(&batch) + rows.size();
        self.held.push((batch, rows));
        // The other half is for the rows on their way out.
        if self.held_bytes > self.bytes_max / 2 {
            self.spill()?;
        }
        Ok(())
    }

    /// Writes what is held as one sorted run.
    fn spill(&mut self) -> Result<(), EventsError> {
        if self.held.is_empty() {
            return Ok(());
        }
        let mut target = self.new_run()?;
        let held = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        emit(&held, &mut |batch| target.write(&batch))?;
        self.runs.push(target.finish()?);
        Ok(())
    }

    fn new_run(&mut self) -> Result<RunWriter, EventsError> {
        let path = self
            .scratch
            .join(format!("{}-{}.run", self.name, self.runs_made));
        self.runs_made += 1;
        RunWriter::create(path, &self.schema)
    }

    fn merge(
        &self,
        runs: Vec<Run>,
        give: &mut dyn FnMut(RecordBatch) -> Result<(), EventsError>,
    ) -> Result<(), EventsError> {
        let mut cursors = Vec::new();
        for run in runs {
            cursors.push(Cursor::open(run, &self.converter, &self.key)?);
        }
        let mut heap: BinaryHeap<Reverse<(Vec<u8>, usize)>> = BinaryHeap::new();
        for (index, cursor) in cursors.iter().enumerate() {
            if let Some(key) = cursor.key() {
                heap.push(Reverse((key, index)));
            }
        }
        // Rows chosen of the batches at hand; given away before any of these batches is done with.
        let mut chosen: Vec<(usize, usize)> = Vec::new();
        while let Some(Reverse((_, index))) = heap.pop() {
            let Some(cursor) = cursors.get_mut(index) else {
                continue;
            };
            chosen.push((index, cursor.row));
            cursor.row += 1;
            if cursor.row >= cursor.batch.num_rows() {
                give(interleaved(&cursors, &chosen)?)?;
                chosen.clear();
                if let Some(cursor) = cursors.get_mut(index) {
                    cursor.advance(&self.converter, &self.key)?;
                }
            } else if chosen.len() >= BATCH_ROWS {
                give(interleaved(&cursors, &chosen)?)?;
                chosen.clear();
            }
            if let Some(key) = cursors.get(index).and_then(Cursor::key) {
                heap.push(Reverse((key, index)));
            }
        }
        Ok(())
    }
}

fn interleaved(cursors: &[Cursor], chosen: &[(usize, usize)]) -> Result<RecordBatch, EventsError> {
    let batches: Vec<&RecordBatch> = cursors.iter().map(|cursor| &cursor.batch).collect();
    Ok(interleave_record_batch(&batches, chosen)?)
}

/// Gives the rows of these batches in order of their keys.
fn emit(
    held: &[(RecordBatch, Rows)],
    give: &mut dyn FnMut(RecordBatch) -> Result<(), EventsError>,
) -> Result<(), EventsError> {
    let mut order: Vec<(arrow_row::Row<'_>, usize, usize)> = Vec::new();
    for (index, (_, rows)) in held.iter().enumerate() {
        order.extend((rows.iter().enumerate()).map(|(row, key)| (key, index, row)));
    }
    order.sort_unstable();
    let batches: Vec<&RecordBatch> = held.iter().map(|(batch, _)| batch).collect();
    let mean = held
        .iter()
        .map(|(batch, _)| bytes_of(batch))
        .sum::<usize>()
        .checked_div(order.len())
        .unwrap_or(0);
    let rows = (BATCH_BYTES / mean.max(1)).clamp(1, BATCH_ROWS);
    for some in order.chunks(rows) {
        let chosen: Vec<(usize, usize)> =
            some.iter().map(|(_, batch, row)| (*batch, *row)).collect();
        give(interleave_record_batch(&batches, &chosen)?)?;
    }
    Ok(())
}

fn keys(converter: &RowConverter, key: &[usize], batch: &RecordBatch) -> Result<Rows, EventsError> {
    let columns: Result<Vec<ArrayRef>, ArrowError> = key
        .iter()
        .map(|index| {
            let column = batch.columns().get(*index);
            column.cloned().ok_or_else(|| no_column(*index))
        })
        .collect();
    Ok(converter.convert_columns(&columns?)?)
}

fn no_column(index: usize) -> ArrowError {
    ArrowError::SchemaError(format!("no column {index}"))
}

fn bytes_of(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    columns
        .map(|column| column.to_data().get_slice_memory_size().unwrap_or(0))
        .sum()
}

/// A sorted file that is removed when it is done with.
struct Run(PathBuf);

impl Drop for Run {
    fn drop(&mut self) {
        // Whatever stays is removed with the rest of the staging folder.
        let _left = std::fs::remove_file(&self.0);
    }
}

struct RunWriter {
    run: Run,
    writer: StreamWriter<BufWriter<File>>,
}

impl RunWriter {
    fn create(path: PathBuf, schema: &SchemaRef) -> Result<Self, EventsError> {
        let file = File::create(&path).map_err(EventsError::io(&path))?;
        let options =
            IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME))?;
        let writer = StreamWriter::try_new_with_options(BufWriter::new(file), schema, options)?;
        Ok(Self {
            run: Run(path),
            writer,
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), EventsError> {
        Ok(self.writer.write(batch)?)
    }

    fn finish(mut self) -> Result<Run, EventsError> {
        self.writer.finish()?;
        let path = self.run.0.clone();
        let buffered = self.writer.into_inner()?;
        buffered
            .into_inner()
            .map_err(|source| EventsError::io(&path)(source.into_error()))?;
        Ok(self.run)
    }
}

/// The rows of a run, one batch at a time.
struct Cursor {
    reader: StreamReader<BufReader<File>>,
    batch: RecordBatch,
    rows: Rows,
    row: usize,
    _run: Run,
}

impl Cursor {
    fn open(run: Run, converter: &RowConverter, key: &[usize]) -> Result<Self, EventsError> {
        let file = File::options()
            .read(true)
            .open(&run.0)
            .map_err(EventsError::io(&run.0))?;
        let reader = StreamReader::try_new(BufReader::new(file), None)?;
        let batch = RecordBatch::new_empty(reader.schema());
        let rows = keys(converter, key, &batch)?;
        let mut cursor = Self {
            reader,
            batch,
            rows,
            row: 0,
            _run: run,
        };
        cursor.advance(converter, key)?;
        Ok(cursor)
    }

    /// The next batch; an empty one after the last.
    fn advance(&mut self, converter: &RowConverter, key: &[usize]) -> Result<(), EventsError> {
        self.row = 0;
        self.batch = match self.reader.next() {
            Some(batch) => batch?,
            None => RecordBatch::new_empty(self.reader.schema()),
        };
        self.rows = keys(converter, key, &self.batch)?;
        Ok(())
    }

    fn key(&self) -> Option<Vec<u8>> {
        if self.row >= self.batch.num_rows() {
            return None;
        }
        Some(self.rows.row(self.row).as_ref().to_vec())
    }
}
