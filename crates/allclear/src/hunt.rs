//! `allclear hunt`: every match of every rule, in order of time; no verdict.

use crate::args::{CaseAt, Hunt, HuntFormat, Knowledge, Level};
use crate::case::{self, work_failure};
use crate::check::{crew, discover, failure, progress_bar, show};
use crate::exit::{self, Failure};
use crate::{Outcome, output, settings};
use evidence::Collection;
use pipeline::case::{CaseError, Stored};
use pipeline::supervise::Crew;
use pipeline::{HuntMatch, Hunted, Progress, SuperviseError};
use std::io::{self, Write};
use std::process::ExitCode;
use store::Case;

/// Gaps that are told one by one on standard error; `--gaps` writes all.
const GAPS_SHOWN_MAX: usize = 5;

pub(crate) fn run(hunt: &Hunt) -> Outcome {
    let outputs = [hunt.output.as_deref(), hunt.gaps.as_deref()];
    output::refuse_to_write_into_evidence(&outputs, &hunt.paths)?;
    for path in outputs {
        output::must_be_writable(path)?;
    }
    let given = Knowledge {
        pack: hunt.pack.clone(),
        trust: hunt.trust.clone(),
        rules: hunt.rules.clone(),
        yara: hunt.yara.clone(),
        indicators: hunt.indicators.clone(),
    };
    let options = settings::options(hunt.password.as_deref())?;
    let knowledge = settings::only_named(&given, options)?;
    let place = match &hunt.case {
        Some(folder) => Through::Case(case::open(&CaseAt {
            case: folder.clone(),
            behind: hunt.behind.clone(),
        })?),
        None => Through::Evidence(discover(&hunt.paths, &knowledge.options)?),
    };
    let crew = crew(&hunt.readers)?;
    let mut hunted = Hunted::default();
    let mut write = |out: &mut dyn Write| -> io::Result<Result<(), Failure>> {
        let mut take = |matched: &HuntMatch<'_>| {
            if level(matched.level) < hunt.level {
                return Ok(());
            }
            match hunt.format {
                HuntFormat::Text => line(matched, out),
                HuntFormat::Ndjson => report::json_line(matched, out),
            }
        };
        match through(&place, hunt, &knowledge, &crew, &mut take) {
            Ok(done) => {
                hunted = done;
                Ok(Ok(()))
            }
            // Whoever reads the output went away, or the disk is full: the caller of this closure tells them apart.
            Err(Stopped::Output(error)) => Err(error),
            Err(Stopped::Failure(failure)) => Ok(Err(failure)),
        }
    };
    let mut outcome = Ok(());
    let mut once = |out: &mut dyn Write| {
        outcome = write(out)?;
        Ok(())
    };
    match &hunt.output {
        None => output::to_standard_output(&mut once)?,
        Some(path) => output::to_file(path, &mut once)?,
    }
    outcome?;
    if let Some(path) = &hunt.gaps {
        output::to_file(path, &mut |out| {
            let mut gaps = hunted.gaps.iter();
            gaps.try_for_each(|gap| report::json_line(gap, out))
        })?;
    }
    tell(&hunted, hunt)?;
    let examined = hunted.accounting.items > 0;
    Ok(ExitCode::from(if examined {
        exit::ASSURED
    } else {
        exit::NOTHING_EXAMINED
    }))
}

/// What is hunted through.
enum Through {
    Evidence(Vec<Collection>),
    Case(Case),
}

/// Why a hunt came to no end.
enum Stopped {
    /// Matches could not be written.
    Output(io::Error),
    Failure(Failure),
}

fn through(
    place: &Through,
    hunt: &Hunt,
    knowledge: &pipeline::job::Knowledge,
    crew: &Crew,
    take: &mut dyn FnMut(&HuntMatch<'_>) -> io::Result<()>,
) -> Result<Hunted, Stopped> {
    let host = hunt.host.as_deref();
    match place {
        Through::Evidence(collections) => {
            let bar = progress_bar(hunt.readers.quiet);
            let mut bytes = 0;
            let progress = &mut |progress: Progress<'_>| show(&bar, progress, &mut bytes);
            let outcome = pipeline::hunt(collections, knowledge, crew, host, progress, take);
            bar.finish_and_clear();
            outcome.map_err(|error| match error {
                SuperviseError::Output(error) => Stopped::Output(error),
                error => Stopped::Failure(failure(error)),
            })
        }
        Through::Case(case) => {
            let stored = Stored {
                case,
                host,
                workers: usize::try_from(crew.workers).unwrap_or(1),
            };
            pipeline::case::hunt(&stored, knowledge, take).map_err(|error| match error {
                CaseError::Output(error) => Stopped::Output(error),
                error => Stopped::Failure(work_failure(error)),
            })
        }
    }
}

/// Rules without a level are shown at every level: nobody said that they do not matter.
fn level(name: &str) -> Level {
    match name {
        "informational" => Level::Informational,
        "low" => Level::Low,
        "medium" => Level::Medium,
        "high" => Level::High,
        _ => Level::Critical,
    }
}

/// `2021-03-03T06:49:12Z  high  EX01  Rule (pack NAME)  item:12`.
fn line(matched: &HuntMatch<'_>, out: &mut dyn Write) -> io::Result<()> {
    let time = matched
        .time
        .map_or_else(|| "undated".to_owned(), |time| time.to_string());
    let level = if matched.level.is_empty() {
        "-"
    } else {
        matched.level
    };
    let rule = match matched.campaign {
        Some(pack) => format!("{} (pack {pack})", matched.rule),
        None => matched.rule.to_owned(),
    };
    writeln!(
        out,
        "{time:<28}  {:<13}  {}  {}  {}",
        report::visible(level),
        report::visible(matched.host),
        report::visible(&rule),
        report::visible(&matched.place.to_string()),
    )
}

/// Says on standard error how much was looked at, and what was not: an empty stream must not look like a clean host.
fn tell(hunted: &Hunted, hunt: &Hunt) -> Result<(), Failure> {
    if hunt.readers.quiet {
        return Ok(());
    }
    let accounting = &hunted.accounting;
    let rejected: u64 = accounting.rejected.iter().map(|kind| kind.count).sum();
    let mut error = io::stderr().lock();
    writeln!(
        error,
        "{} matches in {} records of {} items; {rejected} records rejected, {} gaps",
        hunted.matches,
        accounting.records_in,
        accounting.items,
        hunted.gaps.len()
    )?;
    for gap in hunted.gaps.iter().take(GAPS_SHOWN_MAX) {
        let place = gap.place.to_string();
        let told: Vec<&str> = [gap.kind.name(), &place, &gap.detail]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        let told = told.join(": ");
        writeln!(error, "  {}", report::visible(&told))?;
    }
    if hunted.gaps.len() > GAPS_SHOWN_MAX && hunt.gaps.is_none() {
        let more = hunted.gaps.len() - GAPS_SHOWN_MAX;
        writeln!(error, "  and {more} more; --gaps FILE writes all of them")?;
    }
    Ok(())
}
