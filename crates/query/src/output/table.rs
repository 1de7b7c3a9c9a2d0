//! An answer as a table for a terminal.

use super::{Sink, text};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use std::io::{self, Write};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of a terminal that one cell may fill; a raw record would push everything else out of sight.
const CELL_WIDTH_MAX: usize = 120;

/// Rows whose widths are measured before the first is written; what comes later is cut to these widths' columns only by
/// [`CELL_WIDTH_MAX`]. Keeps memory bounded whatever the number of rows.
const MEASURED_ROWS: usize = 4_096;

/// Writes an aligned table: a header, a rule, rows. An absent value is an empty cell; numbers stand to the right.
pub struct Table<'a> {
    out: &'a mut dyn Write,
    /// Whether a column stands to the right.
    right: Vec<bool>,
    widths: Vec<usize>,
    /// Rows that wait until widths are known; the header is the first.
    waiting: Vec<Vec<String>>,
    begun: bool,
}

impl<'a> Table<'a> {
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self {
            out,
            right: Vec::new(),
            widths: Vec::new(),
            waiting: Vec::new(),
            begun: false,
        }
    }

    fn take(&mut self, row: Vec<String>) -> io::Result<()> {
        if self.begun {
            return self.line(&row);
        }
        for (width, cell) in self.widths.iter_mut().zip(&row) {
            *width = cell.width().max(*width);
        }
        self.waiting.push(row);
        if self.waiting.len() > MEASURED_ROWS {
            return self.write_waiting();
        }
        Ok(())
    }

    fn write_waiting(&mut self) -> io::Result<()> {
        self.begun = true;
        let rows = std::mem::take(&mut self.waiting);
        for (at, row) in rows.iter().enumerate() {
            self.line(row)?;
            if at == 0 {
                let rule: Vec<String> =
                    self.widths.iter().map(|&width| "─".repeat(width)).collect();
                self.line(&rule)?;
            }
        }
        Ok(())
    }

    fn line(&mut self, cells: &[String]) -> io::Result<()> {
        let mut line = String::new();
        for (at, cell) in cells.iter().enumerate() {
            if at > 0 {
                line.push_str("  ");
            }
            let pad = " ".repeat(self.widths[at].saturating_sub(cell.width()));
            if self.right[at] {
                line.push_str(&pad);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&pad);
            }
        }
        writeln!(self.out, "{}", line.trim_end())
    }
}

impl Sink for Table<'_> {
    fn begin(&mut self, schema: &SchemaRef) -> io::Result<()> {
        self.right = schema
            .fields()
            .iter()
            .map(|field| field.data_type().is_numeric())
            .collect();
        self.widths = vec![0; self.right.len()];
        self.take(
            schema
                .fields()
                .iter()
                .map(|field| cell(field.name()))
                .collect(),
        )
    }

    fn rows(&mut self, batch: &RecordBatch) -> io::Result<()> {
        for row in 0..batch.num_rows() {
            let value = |column| text(column, row).map_or_else(String::new, |text| cell(&text));
            self.take(batch.columns().iter().map(value).collect())?;
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        if !self.begun {
            self.write_waiting()?;
        }
        self.out.flush()
    }
}

/// The text in one line, without anything that steers a terminal, and not wider than a cell may be.
fn cell(text: &str) -> String {
    let visible = report::visible(text);
    if visible.width() <= CELL_WIDTH_MAX {
        return visible.into_owned();
    }
    let mut width = 0;
    let kept = visible.chars().take_while(|character| {
        width += character.width().unwrap_or(0);
        width < CELL_WIDTH_MAX
    });
    let mut kept: String = kept.collect();
    kept.push('…');
    kept
}
