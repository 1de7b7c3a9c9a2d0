//! Timesketch's import forms (<https://timesketch.org/guides/user/import-from-json-csv/>): `message`, `datetime` in ISO 8601,
//! `timestamp` in microseconds, `timestamp_desc`, and fields of our own.

use super::{Forms, Selection, of_host, quoted};
use crate::output::{Sink, json_value, text};
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::io::{self, Write};

/// The columns of an event that Timesketch gets under their own names, and in which events of the same time are ordered.
const OWN: [&str; 32] = [
    "host",
    "source",
    "collection",
    "item",
    "line",
    "record",
    "byte",
    "event_code",
    "user_name",
    "src_ip",
    "src_host",
    "dst_ip",
    "dst_host",
    "dst_port",
    "http_method",
    "url_path",
    "url_query",
    "http_status",
    "user_agent",
    "referrer",
    "bytes_out",
    "process_path",
    "process_cmd_line",
    "process_pid",
    "parent_process_path",
    "parent_process_cmd_line",
    "file_path",
    "registry_path",
    "query_hostname",
    "service_name",
    "task_name",
    "fields",
];

/// What Timesketch demands.
const DEMANDED: [&str; 4] = ["message", "datetime", "timestamp", "timestamp_desc"];

/// The events of a selection in order.
pub(super) fn sql(selection: &Selection) -> String {
    let mut filter = of_host(selection);
    for (operator, time) in [(">=", selection.from), ("<", selection.until)] {
        if let Some(time) = time {
            let time = quoted(&time.to_string());
            write!(filter, " AND time {operator} TIMESTAMP {time}").expect("a string takes all");
        }
    }
    format!(
        "SELECT time, message, {} FROM events WHERE time IS NOT NULL{filter} \
         ORDER BY time, host, source, collection, item, line, record, byte",
        OWN.join(", ")
    )
}

/// One event as Timesketch takes it, in the order of [`DEMANDED`] and [`OWN`].
fn each(
    forms: &Forms,
    batch: &RecordBatch,
    mut take: impl FnMut(Map<String, Value>) -> io::Result<()>,
) -> io::Result<()> {
    let Some(times) = batch
        .column(0)
        .as_primitive_opt::<TimestampMicrosecondType>()
    else {
        return Err(io::Error::other(
            "the time of events is not in microseconds",
        ));
    };
    for row in 0..batch.num_rows() {
        let micros = times.value(row);
        let Ok(time) = Timestamp::from_microsecond(micros) else {
            continue;
        };
        let value = |name: &str| text(batch.column_by_name(name)?, row);
        let mut event = Map::new();
        event.insert("message".to_owned(), forms.message(&value).into());
        event.insert(
            "datetime".to_owned(),
            time.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00")
                .to_string()
                .into(),
        );
        event.insert("timestamp".to_owned(), micros.into());
        event.insert("timestamp_desc".to_owned(), forms.desc.clone().into());
        for name in OWN {
            let Some(column) = batch.column_by_name(name) else {
                continue;
            };
            let value = match json_value(column, row) {
                // OpenSearch, below Timesketch, makes a column of its own of every key; so a record's fields stay one text.
                Value::Object(fields) => Value::String(Value::Object(fields).to_string()),
                value => value,
            };
            event.insert(name.to_owned(), value);
        }
        take(event)?;
    }
    Ok(())
}

pub(super) struct JsonLines<'a> {
    forms: &'a Forms,
    out: &'a mut dyn Write,
}

impl<'a> JsonLines<'a> {
    pub(super) fn new(forms: &'a Forms, out: &'a mut dyn Write) -> Self {
        Self { forms, out }
    }
}

impl Sink for JsonLines<'_> {
    fn begin(&mut self, _: &SchemaRef) -> io::Result<()> {
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch) -> io::Result<()> {
        each(self.forms, batch, |mut event| {
            event.retain(|_, value| !value.is_null());
            report::json_line(&event, self.out)
        })
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

pub(super) struct Csv<'a> {
    forms: &'a Forms,
    rows: csv::Writer<&'a mut dyn Write>,
}

impl<'a> Csv<'a> {
    pub(super) fn new(forms: &'a Forms, out: &'a mut dyn Write) -> Self {
        Self {
            forms,
            rows: csv::Writer::from_writer(out),
        }
    }
}

impl Sink for Csv<'_> {
    fn begin(&mut self, _: &SchemaRef) -> io::Result<()> {
        Ok(self.rows.write_record(DEMANDED.iter().chain(&OWN))?)
    }

    fn rows(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let rows = &mut self.rows;
        each(self.forms, batch, |event| {
            for value in event.values() {
                match value {
                    Value::Null => rows.write_field("")?,
                    Value::String(text) => {
                        rows.write_field(report::spreadsheet_cell(text).as_bytes())?;
                    }
                    other => rows.write_field(other.to_string())?,
                }
            }
            Ok(rows.write_record(None::<&[u8]>)?)
        })
    }

    fn end(&mut self) -> io::Result<()> {
        self.rows.flush()
    }
}
