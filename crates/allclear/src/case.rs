//! Keeps what a run says: the case folder and the manifest, and `allclear report CASE`.

use crate::args::{Check, Report as ReportArguments};
use crate::exit::Failure;
use crate::{Outcome, check, output};
use model::ItemSeen;
use model::report::{Report, SCHEMA};
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Name of the report inside a case.
const REPORT: &str = "report.json";

/// Name of the manifest inside a case.
const MANIFEST: &str = "manifest.jsonl";

/// Where items are written down while a run goes on.
pub(crate) struct Keep {
    case: Option<PathBuf>,
    manifests: Vec<(PathBuf, BufWriter<File>)>,
}

impl Keep {
    pub(crate) fn new(check: &Check) -> Result<Self, Failure> {
        let mut manifests = Vec::new();
        let mut open = |path: PathBuf| -> Result<(), Failure> {
            let file = File::create(&path).map_err(|error| cannot_write(&path, &error))?;
            manifests.push((path, BufWriter::new(file)));
            Ok(())
        };
        if let Some(path) = &check.manifest {
            open(path.clone())?;
        }
        if let Some(case) = &check.case {
            fs::create_dir_all(case).map_err(|error| cannot_write(case, &error))?;
            open(case.join(MANIFEST))?;
        }
        Ok(Self {
            case: check.case.clone(),
            manifests,
        })
    }

    pub(crate) fn item(&mut self, collection: &str, item: &ItemSeen) -> io::Result<()> {
        for (_, manifest) in &mut self.manifests {
            check::manifest_line(manifest, collection, item)?;
        }
        Ok(())
    }

    /// Names the manifest in the report, and keeps the report in the case.
    pub(crate) fn finish(self, report: &mut Report) -> Result<(), Failure> {
        for (path, mut manifest) in self.manifests {
            manifest
                .flush()
                .map_err(|error| cannot_write(&path, &error))?;
            let name = path.display().to_string();
            for collection in report
                .hosts
                .iter_mut()
                .flat_map(|host| &mut host.collections)
            {
                collection.manifest = Some(name.clone());
            }
        }
        if let Some(case) = &self.case {
            output::to_file(&case.join(REPORT), &mut |out| report::json(report, out))?;
        }
        Ok(())
    }
}

/// `allclear report CASE`: the same answers, so the same exit code.
pub(crate) fn report(arguments: &ReportArguments) -> Outcome {
    let report = read(&arguments.case)?;
    output::report(&report, &arguments.output)?;
    Ok(ExitCode::from(check::exit_code(&report)))
}

fn read(case: &Path) -> Result<Report, Failure> {
    let path = case.join(REPORT);
    let advice = "give the folder that was given to `allclear check --case`";
    #[expect(clippy::disallowed_methods, reason = "a case is ours, not evidence")]
    let file = File::open(&path).map_err(|error| {
        Failure::usage(format!("cannot read {}: {error}", path.display()), advice)
    })?;
    let report: Report = serde_json::from_reader(BufReader::new(file)).map_err(|error| {
        Failure::usage(format!("{} is no report: {error}", path.display()), advice)
    })?;
    if report.schema != SCHEMA {
        return Err(Failure::usage(
            format!(
                "{} has the schema {}, not {SCHEMA}",
                path.display(),
                report.schema
            ),
            "use the version of Allclear that wrote it",
        ));
    }
    Ok(report)
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(
        format!("cannot write {}: {error}", path.display()),
        "name a place that you may write to",
    )
}
