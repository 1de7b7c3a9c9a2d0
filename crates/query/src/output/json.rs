//! An answer as JSON lines: one object a row, a key for every column.

use super::{Sink, json_value};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use serde_json::Value;
use std::io::{self, Write};

/// Writes JSON lines. Characters that cannot be seen are `\u` escapes, as everywhere in `report`.
pub struct JsonLines<'a> {
    out: &'a mut dyn Write,
}

impl<'a> JsonLines<'a> {
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self { out }
    }
}

impl Sink for JsonLines<'_> {
    fn begin(&mut self, _: &SchemaRef) -> io::Result<()> {
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let schema = batch.schema();
        for row in 0..batch.num_rows() {
            let columns = schema.fields().iter().zip(batch.columns());
            let object: Value = columns
                .map(|(field, column)| (field.name().clone(), json_value(column, row)))
                .collect();
            report::json_line(&object, self.out)?;
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
