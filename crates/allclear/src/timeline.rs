//! `allclear timeline`: a case's events in order of time, for other tools.

use crate::args::{Timeline, TimelineFormat};
use crate::exit::{self, Failure};
use crate::sql::{failure, open, refuse_to_write_into_case, settle, write_out};
use crate::{Outcome, output};
use query::timeline::{Format, Forms, Selection, timeline, undated};
use std::io::{self, Write};
use std::process::ExitCode;

pub(crate) fn run(asked: &Timeline) -> Outcome {
    refuse_to_write_into_case(&[asked.output.as_deref()], &asked.access.at.case)?;
    output::must_be_writable(asked.output.as_deref())?;
    let questions = open(&asked.access)?;
    let forms = Forms::built_in().map_err(Failure::fault)?;
    let selection = Selection {
        host: asked.host.clone(),
        from: asked.from,
        until: asked.until,
    };
    let format = match asked.format {
        TimelineFormat::TimesketchJsonl => Format::TimesketchJsonLines,
        TimelineFormat::TimesketchCsv => Format::TimesketchCsv,
        TimelineFormat::Body => Format::Body,
    };
    let mut answer = None;
    write_out(asked.output.as_deref(), |out| {
        settle(
            timeline(&questions, &selection, &forms, format, out),
            &mut answer,
        )
    })?;
    let rows = answer.map_or(0, |answer| answer.rows);
    let mut error = io::stderr().lock();
    if format == Format::Body {
        writeln!(error, "{rows} lines of file times")?;
    } else {
        let undated = undated(&questions, &selection).map_err(failure)?;
        writeln!(
            error,
            "{rows} events; {undated} more have no time and are in no timeline"
        )?;
    }
    Ok(ExitCode::from(exit::ASSURED))
}
