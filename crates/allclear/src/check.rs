//! `allclear check`: evidence in, verdicts out.

use crate::args::{Check, Readers};
use crate::exit::{self, Failure};
use crate::settings::{self, Tables};
use crate::{Outcome, attest, case, output};
use evidence::{Collection, Options};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use model::ItemSeen;
use model::report::Report;
use pipeline::supervise::Crew;
use pipeline::{Judgement, Progress, SuperviseError, WorkerCommand};
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

pub(crate) fn run(check: &Check) -> Outcome {
    let outputs = [&check.output.output, &check.manifest, &check.case];
    output::refuse_to_write_into_evidence(&outputs.map(Option::as_deref), &check.input.paths)?;
    output::must_be_writable(check.output.output.as_deref())?;
    let knowledge = settings::knowledge(
        &check.knowledge,
        settings::options(check.input.password.as_deref())?,
    )?;
    let packs = settings::packs(&knowledge)?;
    let shipped = settings::shipped_files(&check.known)?;
    let attestations = attest::read(&check.attest, &packs)?;
    let tables = Tables::builtin();
    let collections = discover(&check.input.paths, &knowledge.options)?;

    let judgement = Judgement {
        packs: &packs,
        knowledge: tables.knowledge(&shipped),
        host: check.input.host.as_deref(),
        as_of: check.as_of,
        attestations: &attestations,
    };
    if let Some(folder) = &check.case {
        return case::check(check, folder, &collections, &knowledge, &judgement);
    }
    #[cfg(feature = "cluster")]
    if check.cluster.cluster.is_some() {
        return Err(Failure::usage(
            "executors read into a case, and none is named",
            "add --case DIR, where they can reach it",
        ));
    }
    let mut keep = Manifest::new(check.manifest.as_deref())?;
    let bar = progress_bar(check.readers.quiet);
    let mut bytes = 0;
    let report = pipeline::check(
        &collections,
        &knowledge,
        &crew(&check.readers)?,
        &judgement,
        &mut |collection: &str, item: &ItemSeen| keep.item(collection, item),
        &mut |progress| show(&bar, progress, &mut bytes),
    );
    bar.finish_and_clear();
    let mut report = report.map_err(failure)?;
    keep.finish(&mut report)?;
    output::report(&report, &check.output)?;
    Ok(ExitCode::from(exit_code(&report)))
}

/// Where items are written down while a run goes on.
struct Manifest<'a> {
    out: Option<(&'a Path, BufWriter<File>)>,
}

impl<'a> Manifest<'a> {
    fn new(path: Option<&'a Path>) -> Result<Self, Failure> {
        let open = |path: &'a Path| match File::create(path) {
            Ok(file) => Ok((path, BufWriter::new(file))),
            Err(error) => Err(cannot_write(path, &error)),
        };
        Ok(Self {
            out: path.map(open).transpose()?,
        })
    }

    fn item(&mut self, collection: &str, item: &ItemSeen) -> io::Result<()> {
        match &mut self.out {
            Some((_, out)) => manifest_line(out, collection, item),
            None => Ok(()),
        }
    }

    /// Names the manifest in the report.
    fn finish(self, report: &mut Report) -> Result<(), Failure> {
        if let Some((path, mut out)) = self.out {
            out.flush().map_err(|error| cannot_write(path, &error))?;
            name_manifest(report, path);
        }
        Ok(())
    }
}

/// Says in the report where its manifest lies.
pub(crate) fn name_manifest(report: &mut Report, path: &Path) {
    let name = path.display().to_string();
    let collections = report
        .hosts
        .iter_mut()
        .flat_map(|host| &mut host.collections);
    for collection in collections {
        collection.manifest = Some(name.clone());
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(
        format!("cannot write {}: {error}", path.display()),
        "name a place that you may write to",
    )
}

/// 0, 1 or 3; see [`exit`].
pub(crate) fn exit_code(report: &Report) -> u8 {
    if !report.examined_anything() {
        return exit::NOTHING_EXAMINED;
    }
    let mut campaigns = report.hosts.iter().flat_map(|host| &host.campaigns);
    if campaigns.all(|campaign| campaign.verdict.assures()) {
        exit::ASSURED
    } else {
        exit::NOT_ASSURED
    }
}

/// The collections at the paths given.
pub(crate) fn discover(paths: &[PathBuf], options: &Options) -> Result<Vec<Collection>, Failure> {
    evidence::discover(paths, options).map_err(|error| {
        Failure::usage(
            error,
            "give files, folders or archives that exist and that you may read",
        )
    })
}

pub(crate) fn failure(error: SuperviseError) -> Failure {
    match error {
        SuperviseError::Worker(pipeline::worker::WorkerError::Rules(error)) => Failure::usage(
            error,
            "look at the rules and indicators given with --rules, --yara, --indicators",
        ),
        error @ SuperviseError::NotReady(_) => Failure::fault(error).with_advice(
            "if there are many rules or indicators, give each reader more memory with --reader-memory",
        ),
        other => Failure::fault(other),
    }
}

pub(crate) fn crew(readers: &Readers) -> Result<Crew, Failure> {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(Crew {
        workers: readers.jobs.unwrap_or(processors as u64),
        command: Some(WorkerCommand {
            program: std::env::current_exe()?,
            arguments: vec![
                "read-worker".to_owned(),
                // The limit stands in the arguments, where `ps` shows it.
                readers.reader_memory.to_string(),
            ],
        }),
        item_seconds: readers.item_seconds,
        seconds_per_mib: 2,
    })
}

/// A spinner on a terminal, nothing elsewhere.
pub(crate) fn progress_bar(quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {elapsed} {prefix} {wide_msg}")
        .unwrap_or_else(|_error| ProgressStyle::default_spinner());
    bar.set_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

pub(crate) fn show(bar: &ProgressBar, progress: Progress<'_>, bytes: &mut u64) {
    if bar.is_hidden() {
        return;
    }
    match progress {
        Progress::Read { bytes: more } => {
            *bytes += more;
            bar.set_prefix(HumanBytes(*bytes).to_string());
        }
        Progress::Item { path } => {
            // Names come from evidence: whatever could steer the terminal is shown as a question mark.
            let safe: String = path
                .chars()
                .map(|c| {
                    if c.is_control() || !c.is_ascii() {
                        '?'
                    } else {
                        c
                    }
                })
                .collect();
            bar.set_message(safe);
        }
    }
}

/// Writes one line of a manifest.
pub(crate) fn manifest_line(
    out: &mut dyn Write,
    collection: &str,
    item: &ItemSeen,
) -> io::Result<()> {
    let mut line = serde_json::to_value(item).map_err(io::Error::other)?;
    if let Some(object) = line.as_object_mut() {
        object.insert("collection".to_owned(), collection.into());
    }
    serde_json::to_writer(&mut *out, &line).map_err(io::Error::other)?;
    out.write_all(b"\n")
}
