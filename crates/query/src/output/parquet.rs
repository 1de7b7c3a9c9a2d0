//! An answer as one Parquet file, with the types of its columns.

use super::Sink;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::io::{self, Write};
use std::sync::Arc;

/// Rows of one row group; a writer holds as many in memory.
const GROUP_ROWS: usize = 64 << 10;

/// Writes Parquet, zstd.
pub struct Parquet<'a> {
    out: Option<&'a mut (dyn Write + Send)>,
    writer: Option<ArrowWriter<&'a mut (dyn Write + Send)>>,
}

impl<'a> Parquet<'a> {
    pub fn new(out: &'a mut (dyn Write + Send)) -> Self {
        Self {
            out: Some(out),
            writer: None,
        }
    }
}

impl Sink for Parquet<'_> {
    fn begin(&mut self, schema: &SchemaRef) -> io::Result<()> {
        let Some(out) = self.out.take() else {
            return Err(io::Error::other("an answer begins once"));
        };
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        self.writer = Some(ArrowWriter::try_new(
            out,
            Arc::clone(schema),
            Some(properties),
        )?);
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch) -> io::Result<()> {
        match &mut self.writer {
            Some(writer) => Ok(writer.write(batch)?),
            None => Err(io::Error::other("an answer begins before its rows")),
        }
    }

    fn end(&mut self) -> io::Result<()> {
        if let Some(writer) = self.writer.take() {
            writer.close()?;
        }
        Ok(())
    }
}
