//! The body file of The Sleuth Kit 3.x, from which `mactime` makes a timeline of files:
//! `MD5|name|inode|mode_as_string|UID|GID|size|atime|mtime|ctime|crtime`, times in seconds since 1970, 0 where unknown
//! (<https://wiki.sleuthkit.org/index.php?title=Body_file>).

use super::forms::FileTimes;
use super::{Forms, Selection, of_host};
use crate::output::{Sink, json_value, text};
use crate::question::Answer;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::io::{self, Write};

/// Records of files in order of their names. They have no time of their own.
pub(super) fn sql(selection: &Selection) -> String {
    format!(
        "SELECT host, file_path, line, record, byte, fields FROM events \
         WHERE time IS NULL AND file_path IS NOT NULL{} ORDER BY host, file_path, collection, item, line, record, byte",
        of_host(selection)
    )
}

pub(super) struct Body<'a> {
    forms: &'a Forms,
    selection: &'a Selection,
    out: &'a mut dyn Write,
    rows: u64,
}

impl<'a> Body<'a> {
    pub(super) fn new(forms: &'a Forms, selection: &'a Selection, out: &'a mut dyn Write) -> Self {
        Self {
            forms,
            selection,
            out,
            rows: 0,
        }
    }

    /// Lines that were written, which are other than the records that were looked at.
    pub(super) fn answer(&self) -> Answer {
        Answer {
            rows: self.rows,
            cut: false,
        }
    }

    fn line(&self, of: &FileTimes, value: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        let time = |name: &str| value(name).and_then(|text| text.parse::<Timestamp>().ok());
        let times = [&of.accessed, &of.modified, &of.changed, &of.created].map(|name| time(name));
        let wanted = |time: &Timestamp| {
            self.selection.from.is_none_or(|from| *time >= from)
                && self.selection.until.is_none_or(|until| *time < until)
        };
        if !times.iter().flatten().any(wanted) {
            return None;
        }
        let mut name = value(&of.path)?;
        if self.selection.host.is_none() {
            name = format!("{}/{name}", value("host")?);
        }
        if !of.note.is_empty() {
            name = format!("{name} ({})", of.note);
        }
        if value(&of.deleted).is_some_and(|deleted| !deleted.is_empty()) {
            name.push_str(" (deleted)");
        }
        let [accessed, modified, changed, created] =
            times.map(|time| time.map_or(0, Timestamp::as_second));
        let number = |name: &str| {
            // `number-sequence`, as The Sleuth Kit writes a file's record without the attribute.
            value(name).filter(|text| {
                !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '-')
            })
        };
        Some(format!(
            "0|{}|{}|0|0|0|{}|{accessed}|{modified}|{changed}|{created}",
            cell(&name),
            number(&of.inode).unwrap_or_else(|| "0".to_owned()),
            number(&of.size).unwrap_or_else(|| "0".to_owned()),
        ))
    }
}

impl Sink for Body<'_> {
    fn begin(&mut self, _: &SchemaRef) -> io::Result<()> {
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch) -> io::Result<()> {
        for row in 0..batch.num_rows() {
            let fields = batch
                .column_by_name("fields")
                .map(|column| json_value(column, row));
            let fields: Map<String, Value> = match fields {
                Some(Value::Object(fields)) => fields,
                _ => Map::new(),
            };
            // A record's own field comes before a column of the same name (`record`).
            let value = |name: &str| match fields.get(name) {
                Some(Value::String(value)) => Some(value.clone()),
                _ => text(batch.column_by_name(name)?, row),
            };
            for of in self
                .forms
                .files
                .iter()
                .filter(|of| fields.contains_key(&of.has))
            {
                if let Some(line) = self.line(of, &value) {
                    writeln!(self.out, "{line}")?;
                    self.rows += 1;
                }
            }
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A name that cannot end its column or its line.
fn cell(name: &str) -> String {
    report::visible(name).replace('|', "<U+007C>")
}
