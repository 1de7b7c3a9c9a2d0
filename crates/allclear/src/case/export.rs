//! `allclear case export`: the whole case in one archive that needs no Allclear to be read.

use super::{Export, failure, open};
use crate::{Outcome, output};
use serde::Serialize;
use std::io::{self, Write};
use std::process::ExitCode;
use store::{Case, CaseError};

/// zstd's own middle; what is large is packed already.
const LEVEL: i32 = 3;

pub(super) fn run(export: &Export) -> Outcome {
    output::must_be_writable(Some(&export.output))?;
    let case = open(&export.at)?;
    // Nothing may change while it is written.
    let _run = case.begin_run().map_err(failure)?;
    let mut failed: Option<CaseError> = None;
    output::to_file(&export.output, &mut |out| {
        let mut archive = tar::Builder::new(zstd::Encoder::new(out, LEVEL)?);
        match write(&case, &mut archive) {
            Ok(()) => {}
            Err(Stopped::Case(error)) => failed = Some(error),
            Err(Stopped::Output(error)) => return Err(error),
        }
        archive.into_inner()?.finish()?;
        Ok(())
    })?;
    if let Some(error) = failed {
        return Err(failure(error));
    }
    Ok(ExitCode::SUCCESS)
}

enum Stopped {
    Case(CaseError),
    Output(io::Error),
}

impl From<CaseError> for Stopped {
    fn from(error: CaseError) -> Self {
        Self::Case(error)
    }
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

fn write<W: Write>(case: &Case, archive: &mut tar::Builder<W>) -> Result<(), Stopped> {
    let about = serde_json::json!({ "format": "allclear/export/1", "case": case.id() });
    file(archive, "export.json", about.to_string().as_bytes())?;
    macro_rules! table {
        ($name:literal, $each:ident) => {
            let mut lines = Lines::new()?;
            case.$each(&mut |row| lines.add(&row))?;
            lines.append(archive, concat!("tables/", $name, ".jsonl"))?;
        };
    }
    table!("collections", each_collection);
    table!("hosts", each_host);
    table!("parts", each_part);
    table!("verdicts", each_verdict);
    table!("coverage", each_coverage);
    table!("findings", each_finding);
    table!("gaps", each_gap);
    table!("jobs", each_job);
    table!("taken", each_taken);
    table!("audit", each_audit);
    table!("objects", each_object);
    macro_rules! response {
        ($name:literal, $row:ident) => {
            let mut lines = Lines::new()?;
            for row in case.rows::<store::response::$row>()? {
                lines.add(&row);
            }
            lines.append(archive, concat!("tables/", $name, ".jsonl"))?;
        };
    }
    response!("organisations", OrganisationRow);
    response!("aliases", AliasRow);
    response!("assets", AssetRow);
    response!("contacts", ContactRow);
    response!("responders", ResponderRow);
    response!("merges", MergeRow);
    response!("imports", ImportRow);
    response!("observations", ObservationRow);
    response!("attestations", AttestationRow);
    response!("clearances", ClearanceRow);
    response!("notices", NoticeRow);
    response!("notice_subjects", NoticeSubjectRow);
    response!("notice_steps", NoticeStepRow);
    response!("suppressions", SuppressionRow);
    response!("notice_mails", NoticeMailRow);
    response!("notice_settings", NoticeSettingRow);
    response!("disclosures", DisclosureRow);
    response!("known_exploited", KnownExploitedRow);
    response!("plans", PlanRow);
    response!("plan_tasks", PlanTaskRow);
    let mut names = Vec::new();
    case.each_object(&mut |object| names.push(object.name))?;
    for name in names {
        let object = case.local_object(&name)?;
        archive.append_path_with_name(object.path(), format!("objects/{name}"))?;
    }
    Ok(())
}

/// A table on its way into the archive, which wants to know its size first.
struct Lines {
    file: tempfile::NamedTempFile,
    failed: io::Result<()>,
}

impl Lines {
    fn new() -> io::Result<Self> {
        Ok(Self {
            file: tempfile::NamedTempFile::new()?,
            failed: Ok(()),
        })
    }

    fn add(&mut self, row: &impl Serialize) {
        if self.failed.is_ok() {
            self.failed = serde_json::to_writer(&mut self.file, row)
                .map_err(io::Error::from)
                .and_then(|()| self.file.write_all(b"\n"));
        }
    }

    fn append<W: Write>(self, archive: &mut tar::Builder<W>, name: &str) -> io::Result<()> {
        self.failed?;
        archive.append_path_with_name(self.file.path(), name)
    }
}

fn file<W: Write>(archive: &mut tar::Builder<W>, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, name, bytes)
}
