//! Everything that reaches a terminal or a file.

use crate::args::{Format, Output};
use crate::exit::Failure;
use console::Term;
use model::report::Report;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Columns assumed where there is no terminal.
const WIDTH_DEFAULT: usize = 80;

/// Bytes that are written at once.
const BUFFER_BYTES: usize = 256 << 10;

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
            to_standard_output(&mut |out| render(report, output.format, terminal, out))
        }
        Some(path) => to_file(path, &mut |out| render(report, output.format, false, out)),
    }
}

/// Writes to standard output. That its reader went away is the reader's business and no failure: the exit code still
/// tells what was found.
pub(crate) fn to_standard_output(
    write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::fault(format!(
            "cannot write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}

fn render(report: &Report, format: Format, terminal: bool, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Text => report::text(report, &text_options(terminal), out),
        Format::Json => report::json(report, out),
        Format::Ndjson => report::ndjson(report, out),
        Format::Html => report::html(report, out),
        Format::Markdown => report::markdown(report, out),
    }
}

/// Writes text for people to standard output.
pub(crate) fn text(
    write: &mut dyn FnMut(&report::TextOptions, &mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    let options = text_options(io::stdout().is_terminal());
    to_standard_output(&mut |out| write(&options, out))
}

fn text_options(terminal: bool) -> report::TextOptions {
    report::TextOptions {
        width: width(terminal),
        colour: terminal && colours_wanted(),
        ..report::TextOptions::default()
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

/// Writes a file beside its final name first, so that a reader never sees half of it. What exists and is no plain file
/// (a device, a pipe) is written to as it is: a rename would put a file in its place, `/dev/null` included.
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
    let write_all = |file: File| {
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
        write(&mut out)?;
        out.flush()
    };
    if std::fs::metadata(path).is_ok_and(|known| !known.is_file()) {
        let file = File::options().write(true).open(path);
        return file.and_then(write_all).map_err(failed);
    }
    // The file that a link names is the one to replace, not the link.
    let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = path
        .file_name()
        .ok_or_else(|| failed(io::Error::other("it names no file")))?
        .to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    if let Err(error) = File::create(&part).and_then(write_all) {
        // The half-written part is ours; that it cannot be removed adds nothing to the error.
        let _ = std::fs::remove_file(&part);
        return Err(failed(error));
    }
    std::fs::rename(&part, path).map_err(|error| {
        let _ = std::fs::remove_file(&part);
        failed(error)
    })
}

/// Says before a long run, not after it, that its report cannot be written.
pub(crate) fn must_be_writable(path: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    let why = if path.is_dir() {
        "it is a folder"
    } else if std::path::absolute(path)?
        .parent()
        .is_some_and(Path::is_dir)
    {
        return Ok(());
    } else {
        "its folder does not exist"
    };
    Err(Failure::usage(
        format!("cannot write {}: {why}", path.display()),
        "name a file in a folder that exists and that you may write to",
    ))
}

/// What is written below an evidence path would change the evidence.
pub(crate) fn refuse_to_write_into_evidence(
    outputs: &[Option<&Path>],
    evidence: &[PathBuf],
) -> Result<(), Failure> {
    for output in outputs.iter().copied().flatten() {
        let target = absolute(output)?;
        for path in evidence {
            if target.starts_with(absolute(path)?) {
                return Err(Failure::usage(
                    format!(
                        "{} lies inside of the evidence {}",
                        output.display(),
                        path.display()
                    ),
                    "evidence is never changed: write somewhere else",
                ));
            }
        }
    }
    Ok(())
}

/// The path with links resolved as far as it exists.
pub(crate) fn absolute(path: &Path) -> io::Result<PathBuf> {
    let whole = std::path::absolute(path)?;
    for ancestor in whole.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            let rest = whole.strip_prefix(ancestor).unwrap_or(Path::new(""));
            return Ok(real.join(rest));
        }
    }
    Ok(whole)
}

/// A line for the person at the terminal.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    to_standard_output(&mut |out| writeln!(out, "{text}"))
}
