//! An answer as CSV (RFC 4180). Spreadsheets open such files, so text that one of them would run is defused.

use super::{Sink, text};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use std::borrow::Cow;
use std::io::{self, Write};

/// Writes CSV with a header line. An absent value is an empty cell.
pub struct Csv<'a> {
    rows: csv::Writer<&'a mut dyn Write>,
}

impl<'a> Csv<'a> {
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self {
            rows: csv::Writer::from_writer(out),
        }
    }
}

impl Sink for Csv<'_> {
    fn begin(&mut self, schema: &SchemaRef) -> io::Result<()> {
        let names = schema
            .fields()
            .iter()
            .map(|field| report::spreadsheet_cell(field.name()));
        Ok(self.rows.write_record(names.map(Cow::into_owned))?)
    }

    fn rows(&mut self, batch: &RecordBatch) -> io::Result<()> {
        for row in 0..batch.num_rows() {
            for column in batch.columns() {
                let value = text(column, row).unwrap_or_default();
                // A negative number is no formula.
                let cell = if is_number(column.data_type()) {
                    Cow::Borrowed(value.as_str())
                } else {
                    report::spreadsheet_cell(&value)
                };
                self.rows.write_field(cell.as_bytes())?;
            }
            self.rows.write_record(None::<&[u8]>)?;
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.rows.flush()
    }
}

fn is_number(of: &DataType) -> bool {
    of.is_numeric()
}
