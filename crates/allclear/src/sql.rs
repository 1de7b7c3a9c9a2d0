//! `allclear sql`: one question to a case.

use crate::args::{CaseAccess, Sql, SqlFormat};
use crate::exit::{self, Failure};
use crate::{Outcome, case, output};
use query::{Answer, Csv, JsonLines, Limits, Parquet, QueryError, Questions, Source, Table};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Rows of a table for a terminal, where the caller says nothing: more are not read by anybody.
const TABLE_ROWS: u64 = 1_000;

pub(crate) fn run(sql: &Sql) -> Outcome {
    refuse_to_write_into_case(&[sql.output.as_deref()], &sql.access.at.case)?;
    output::must_be_writable(sql.output.as_deref())?;
    let questions = open(&sql.access)?;
    let rows_max = match (sql.limit, sql.format) {
        (Some(0), _) => None,
        (Some(rows), _) => Some(rows),
        (None, SqlFormat::Table) => Some(TABLE_ROWS),
        (None, _) => None,
    };
    let mut answer = None;
    write_out(sql.output.as_deref(), |out| {
        let asked = match sql.format {
            SqlFormat::Table => questions.ask(&sql.query, rows_max, &mut Table::new(out)),
            SqlFormat::Csv => questions.ask(&sql.query, rows_max, &mut Csv::new(out)),
            SqlFormat::Json => questions.ask(&sql.query, rows_max, &mut JsonLines::new(out)),
            SqlFormat::Parquet => {
                // Parquet ends with what it holds, and its writer wants to go to other threads; an answer is small enough
                // to be kept until then.
                let mut bytes: Vec<u8> = Vec::new();
                let asked = questions.ask(&sql.query, rows_max, &mut Parquet::new(&mut bytes));
                out.write_all(&bytes)?;
                asked
            }
        };
        settle(asked, &mut answer)
    })?;
    if let Some(Answer { rows, cut: true }) = answer {
        let mut error = io::stderr().lock();
        writeln!(
            error,
            "only the first {rows} rows are shown; --limit 0 shows all"
        )?;
    }
    Ok(ExitCode::from(exit::ASSURED))
}

/// Opens a case for questions.
pub(crate) fn open(access: &CaseAccess) -> Result<Questions, Failure> {
    let case = case::open(&access.at)?;
    let limits = Limits {
        deadline: Duration::from_secs(access.deadline),
        ..Limits::new(case.staging())
    };
    let source = Source::of(case).map_err(case::failure)?;
    #[cfg(feature = "cluster")]
    if let Some(cluster) = crate::cluster::named(&access.cluster)? {
        let elsewhere = |state| cluster.session(state);
        return Questions::over_elsewhere(&source, limits, &elsewhere).map_err(failure);
    }
    Questions::over(&source, limits).map_err(failure)
}

/// Whose turn it is when a question is not answered.
pub(crate) fn failure(error: QueryError) -> Failure {
    let advice = match &error {
        QueryError::NotUnderstood(_) => {
            "docs/questions.md lists tables, columns and views; `DESCRIBE events` shows columns"
        }
        QueryError::NotAQuestion(_) => "ask with SELECT, WITH, EXPLAIN, DESCRIBE or SHOW TABLES",
        QueryError::Deadline { .. } => {
            "ask for a host or a span of time, or give more time with --deadline SECONDS"
        }
        QueryError::Memory { .. } => "ask for a host or a span of time, or for fewer columns",
        QueryError::Case(_) => {
            return Failure::fault(error)
                .with_advice("`allclear case verify` says what is missing or damaged");
        }
        QueryError::Output(_) | QueryError::Setup(_) => return Failure::fault(error),
    };
    Failure::usage(error, advice)
}

/// Writes to a file or to standard output, and lets a failure of the question through.
pub(crate) fn write_out(
    path: Option<&Path>,
    mut write: impl FnMut(&mut dyn Write) -> io::Result<Result<(), Failure>>,
) -> Result<(), Failure> {
    let mut outcome = Ok(());
    let mut once = |out: &mut dyn Write| match write(out)? {
        Ok(()) => Ok(()),
        Err(failure) => {
            let told = io::Error::other(failure.to_string());
            outcome = Err(failure);
            // Half of an answer must not stand where a whole one is expected.
            Err(told)
        }
    };
    let written = match path {
        None => output::to_standard_output(&mut once),
        Some(path) => output::to_file(path, &mut once),
    };
    outcome?;
    written
}

/// That the output's reader went away, or the disk is full, is told by whoever opened it; everything else is the question's.
pub(crate) fn settle<T>(
    asked: Result<T, QueryError>,
    into: &mut Option<T>,
) -> io::Result<Result<(), Failure>> {
    match asked {
        Ok(answer) => {
            *into = Some(answer);
            Ok(Ok(()))
        }
        Err(QueryError::Output(error)) => Err(error),
        Err(error) => Ok(Err(failure(error))),
    }
}

/// What is written into a case would be taken for a part of it.
pub(crate) fn refuse_to_write_into_case(
    outputs: &[Option<&Path>],
    case: &Path,
) -> Result<(), Failure> {
    let case: PathBuf = output::absolute(case)?;
    for output in outputs.iter().copied().flatten() {
        if output::absolute(output)?.starts_with(&case) {
            return Err(Failure::usage(
                format!(
                    "{} lies inside of the case {}",
                    output.display(),
                    case.display()
                ),
                "write somewhere else",
            ));
        }
    }
    Ok(())
}
