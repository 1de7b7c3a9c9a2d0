//! Events in order of time for other tools: Timesketch's JSON lines and CSV, and the body file of `mactime`.
//!
//! Sorting spills to disk, so memory stays bounded whatever the number of events. Timesketch's forms hold events that have a
//! time, the body file holds file times; so nothing is in both.

mod body;
mod forms;
mod timesketch;

pub use forms::{Forms, FormsError};

use crate::question::{Answer, QueryError, Questions};
use jiff::Timestamp;
use std::io::Write;

/// A tool's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One object a line, exact.
    TimesketchJsonLines,
    /// Text that a spreadsheet would run is defused.
    TimesketchCsv,
    /// The Sleuth Kit's body file, version 3.
    Body,
}

/// Which events.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub host: Option<String>,
    /// The first moment that belongs to it.
    pub from: Option<Timestamp>,
    /// The first moment that does not.
    pub until: Option<Timestamp>,
}

/// Writes the timeline of a case, sorted by time, then place.
pub fn timeline(
    questions: &Questions,
    selection: &Selection,
    forms: &Forms,
    format: Format,
    out: &mut dyn Write,
) -> Result<Answer, QueryError> {
    match format {
        Format::TimesketchJsonLines => {
            let mut sink = timesketch::JsonLines::new(forms, out);
            questions.ask(&timesketch::sql(selection), None, &mut sink)
        }
        Format::TimesketchCsv => {
            let mut sink = timesketch::Csv::new(forms, out);
            questions.ask(&timesketch::sql(selection), None, &mut sink)
        }
        Format::Body => {
            let mut sink = body::Body::new(forms, selection, out);
            questions.ask(&body::sql(selection), None, &mut sink)?;
            Ok(sink.answer())
        }
    }
}

/// Events that have no time, and so are in no timeline, of this selection's host.
pub fn undated(questions: &Questions, selection: &Selection) -> Result<u64, QueryError> {
    let sql = format!(
        "SELECT count(*) FROM events WHERE time IS NULL{}",
        of_host(selection)
    );
    let (_, batches, _) = questions.rows(&sql, 1)?;
    let count = batches
        .first()
        .and_then(|batch| crate::output::text(batch.column(0), 0));
    Ok(count.and_then(|count| count.parse().ok()).unwrap_or(0))
}

fn of_host(selection: &Selection) -> String {
    match &selection.host {
        None => String::new(),
        Some(host) => format!(" AND host = {}", quoted(host)),
    }
}

/// Text as SQL writes it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
