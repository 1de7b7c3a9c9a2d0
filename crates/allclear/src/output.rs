//! Everything that reaches a terminal or a file.

use crate::args::{Format, Output};
use crate::exit::Failure;
use console::Term;
use model::report::Report;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

/// Columns assumed where there is no terminal.
const WIDTH_DEFAULT: usize = 80;

/// Prints a failure and what to do about it.
pub(crate) fn complain(failure: &Failure) {
    let mut error = io::stderr().lock();
    // With standard error closed there is nobody left to tell.
    let _ = writeln!(error, "allclear: {failure}");
    if let Some(advice) = failure.advice() {
        let _ = writeln!(error, "  {advice}");
    }
}

/// Writes a report as asked for, to standard output or to a file.
pub(crate) fn report(report: &Report, output: &Output) -> Result<(), Failure> {
    match &output.output {
        None => {
            let terminal = io::stdout().is_terminal();
            let mut out = BufWriter::new(io::stdout().lock());
            render(report, output.format, terminal, &mut out)?;
            out.flush()?;
        }
        Some(path) => to_file(path, &mut |out| render(report, output.format, false, out))?,
    }
    Ok(())
}

fn render(report: &Report, format: Format, terminal: bool, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Text => {
            let options = report::TextOptions {
                width: width(terminal),
                colour: terminal && colours_wanted(),
                ..report::TextOptions::default()
            };
            report::text(report, &options, out)
        }
        Format::Json => report::json(report, out),
        Format::Ndjson => report::ndjson(report, out),
        Format::Html => report::html(report, out),
        Format::Markdown => report::markdown(report, out),
    }
}

fn width(terminal: bool) -> usize {
    if !terminal {
        return WIDTH_DEFAULT;
    }
    Term::stdout()
        .size_checked()
        .map_or(WIDTH_DEFAULT, |(_, columns)| usize::from(columns))
}

/// <https://no-color.org>, and terminals that have none.
fn colours_wanted() -> bool {
    console::colors_enabled()
}

/// Writes a file beside its final name first, so that a reader never sees half of it.
pub(crate) fn to_file(
    path: &Path,
    write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        Failure::usage(
            format!("cannot write {}: {error}", path.display()),
            "name a file in a folder that exists and that you may write to",
        )
    };
    let mut name = path
        .file_name()
        .ok_or_else(|| failed(io::Error::other("it names no file")))?
        .to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = File::create(&part).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush()
    });
    if let Err(error) = written {
        // The half-written part is ours; that it cannot be removed adds nothing to the error.
        let _ = std::fs::remove_file(&part);
        return Err(failed(error));
    }
    std::fs::rename(&part, path).map_err(failed)
}

/// A line for the person at the terminal.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(())
}
