//! `allclear range score`: a report held against the truth.

use crate::Outcome;
use crate::exit::{ASSURED, Failure, NOT_ASSURED};
use crate::output;
use clap::{Args, ValueEnum};
use model::report::Report;
use range::FleetTruth;
use range::score::{Regression, Thresholds, compare};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(crate) struct RangeScore {
    /// The report: what `check --format json` wrote, or the folder that was given to `check --case`.
    #[arg(value_name = "CASE|REPORT.json")]
    report: PathBuf,

    /// The truth that `range make` wrote.
    #[arg(value_name = "TRUTH.json")]
    truth: PathBuf,

    /// Form of the score.
    #[arg(long, value_enum, default_value_t = ScoreFormat::Text)]
    format: ScoreFormat,

    /// Write the score to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Fail where a number is below the one in this file: JSON of the form allclear/range-thresholds/1.
    #[arg(long, value_name = "FILE")]
    thresholds: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScoreFormat {
    /// For a terminal: grave errors first.
    Text,
    /// As docs/schema/score-1.md describes it.
    Json,
}

/// Name of the report inside a case.
const REPORT: &str = "report.json";

pub(crate) fn score(arguments: &RangeScore) -> Outcome {
    output::must_be_writable(arguments.output.as_deref())?;
    let report = read_report(&arguments.report)?;
    let truth = read_truth(&arguments.truth)?;
    let thresholds = match &arguments.thresholds {
        Some(path) => read_json(path, Thresholds::SCHEMA, "no table of thresholds")?,
        None => Thresholds::default(),
    };
    let score = range::score::score(&report, &truth);
    let regressions = compare(&score, &thresholds);
    write(
        arguments.output.as_deref(),
        &mut |out| match arguments.format {
            ScoreFormat::Text => {
                out.write_all(range::score::text(&score, &regressions, &visible).as_bytes())
            }
            ScoreFormat::Json => report::json_value(&score, out),
        },
    )?;
    // Where the text does not reach the terminal, the exit code alone would not say why.
    if arguments.output.is_some() || arguments.format == ScoreFormat::Json {
        tell(&regressions);
    }
    let code = if regressions.is_empty() {
        ASSURED
    } else {
        NOT_ASSURED
    };
    Ok(ExitCode::from(code))
}

/// Text from evidence made harmless to look at, as in reports.
pub(super) fn visible(text: &str) -> String {
    report::visible(text).into_owned()
}

/// To the file, or to standard output.
pub(super) fn write(
    path: Option<&Path>,
    write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    match path {
        Some(path) => output::to_file(path, write),
        None => output::to_standard_output(write),
    }
}

fn tell(regressions: &[Regression]) {
    let mut error = io::stderr().lock();
    for regression in regressions {
        // With standard error closed there is nobody left to tell.
        let _ = writeln!(error, "allclear: {}", visible(&regression.to_string()));
    }
}

/// Reads a report, or the one of a case.
pub(super) fn read_report(path: &Path) -> Result<Report, Failure> {
    let path = if path.is_dir() {
        path.join(REPORT)
    } else {
        path.to_owned()
    };
    read_json(&path, model::report::SCHEMA, "no report")
}

fn read_truth(path: &Path) -> Result<FleetTruth, Failure> {
    read_json(path, range::SCHEMA, "no truth")
}

/// The one field that says what a file is.
#[derive(Deserialize)]
struct Form {
    schema: Option<String>,
}

/// Reads a file of one of our own forms, and says what it is instead where it is none.
fn read_json<T: DeserializeOwned>(path: &Path, schema: &str, not: &str) -> Result<T, Failure> {
    let shown = path.display();
    let form: Form = parsed(path).map_err(|error| {
        error.failure(path, &format!("{shown} is {not}, for it is no JSON object"))
    })?;
    match form.schema.as_deref() {
        Some(found) if found == schema => {}
        found => return Err(another_form(path, found, schema, not)),
    }
    parsed(path).map_err(|error| error.failure(path, &format!("{shown} is {not}")))
}

fn another_form(path: &Path, found: Option<&str>, wanted: &str, not: &str) -> Failure {
    let shown = path.display();
    let what = match found {
        Some(found) if found == model::report::SCHEMA => "a report".to_owned(),
        Some(found) if found == range::SCHEMA => "a truth".to_owned(),
        Some(found) => format!("of the form {}", visible(found)),
        None => "JSON without a schema".to_owned(),
    };
    Failure::usage(
        format!("{shown} is {not}: it is {what}, not of the form {wanted}"),
        if wanted == Thresholds::SCHEMA {
            "give the thresholds of a last good score"
        } else {
            "the report or case comes first, then the truth: allclear range score CASE truth.json"
        },
    )
}

/// Why a file could not be read.
enum ReadError {
    Io(io::Error),
    Json(serde_json::Error),
}

impl ReadError {
    fn failure(self, path: &Path, wrong: &str) -> Failure {
        match self {
            Self::Io(error) => Failure::usage(
                format!("cannot read {}: {error}", path.display()),
                "check the path",
            ),
            Self::Json(error) => Failure::usage(
                format!("{wrong}: {error}"),
                "use the version of Allclear that wrote it",
            ),
        }
    }
}

fn parsed<T: DeserializeOwned>(path: &Path) -> Result<T, ReadError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "reports and truths are ours, not evidence"
    )]
    let file = File::open(path).map_err(ReadError::Io)?;
    serde_json::from_reader(BufReader::new(file)).map_err(|error| {
        if error.is_io() {
            ReadError::Io(error.into())
        } else {
            ReadError::Json(error)
        }
    })
}
