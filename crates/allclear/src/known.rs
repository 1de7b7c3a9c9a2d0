//! `allclear known make`: a table of shipped files from a trusted server.

use crate::args::KnownMake;
use crate::exit::Failure;
use crate::{Outcome, output};
use evidence::{Content, Decision, Digest, Entry, Options, Visitor};
use model::{Build, GapKind};
use std::io::Write;
use std::process::ExitCode;

pub(crate) fn make(arguments: &KnownMake) -> Outcome {
    output::refuse_to_write_into_evidence(
        &[arguments.output.as_deref()],
        std::slice::from_ref(&arguments.path),
    )?;
    output::must_be_writable(arguments.output.as_deref())?;
    let options = Options::default();
    let collections = evidence::discover(std::slice::from_ref(&arguments.path), &options)
        .map_err(|error| Failure::usage(error, "give a collection or a folder that exists"))?;
    let mut lister = Lister::default();
    for collection in &collections {
        evidence::walk(collection, &options, &mut lister);
    }
    if let Some(gap) = lister.gaps.first() {
        return Err(Failure::usage(
            format!("the table would be incomplete: {gap}"),
            "a table of known files must come from evidence without gaps",
        ));
    }
    let build = match arguments.build.as_deref() {
        None | Some("") => None,
        Some(text) => Some(text.parse::<Build>().map_err(|error| {
            Failure::usage(
                error,
                "give four numbers such as 15.1.2176.9, or leave it empty",
            )
        })?),
    };
    let install = install_folder(arguments, &lister)?;
    let mut rows: Vec<(String, String)> = lister
        .files
        .into_iter()
        .filter_map(|(path, sha256)| {
            let relative = path.get(install.len()..)?;
            let inside = path.to_lowercase().starts_with(&install.to_lowercase());
            (inside && relative.starts_with('\\')).then(|| (relative.to_owned(), sha256))
        })
        .collect();
    rows.sort();
    if rows.is_empty() {
        return Err(Failure::usage(
            format!("no file lies below {install}"),
            "name the product's folder inside of the collection with --install",
        ));
    }
    let build = build.map_or_else(String::new, |build| build.to_string());
    let mut write = |out: &mut dyn Write| {
        writeln!(out, "build,path,sha256")?;
        for (path, sha256) in &rows {
            // Windows paths cannot hold a quote; a comma they can.
            writeln!(out, "{build},\"{path}\",{sha256}")?;
        }
        Ok(())
    };
    match &arguments.output {
        Some(path) => output::to_file(path, &mut write)?,
        None => output::to_standard_output(&mut write)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The folder that paths of the table are relative to: as given, as the product's own folders say, or the whole.
fn install_folder(arguments: &KnownMake, lister: &Lister) -> Result<String, Failure> {
    if let Some(install) = &arguments.install {
        return Ok(model::windows_path(install)
            .trim_end_matches('\\')
            .to_owned());
    }
    for product in pack::products() {
        for usual in &product.install_folders {
            let usual = usual.trim_matches('\\').to_lowercase();
            for (path, _) in &lister.files {
                if let Some(at) = path.to_lowercase().find(&format!("{usual}\\")) {
                    return Ok(path[..at + usual.len()].to_owned());
                }
            }
        }
    }
    Err(Failure::usage(
        "no known product's install folder is in the collection",
        "name it with --install",
    ))
}

/// Hashes everything.
#[derive(Default)]
struct Lister {
    files: Vec<(String, String)>,
    gaps: Vec<String>,
}

impl Visitor for Lister {
    fn begin(&mut self, _entry: &Entry) -> Decision {
        Decision::Read
    }

    fn content(&mut self, _entry: &Entry, _content: &mut dyn Content) {}

    fn end(&mut self, entry: &Entry, digest: &Digest) {
        self.files.push((entry.path.clone(), digest.sha256.clone()));
    }

    fn gap(&mut self, entry_path: &str, kind: GapKind, detail: &str) {
        self.gaps
            .push(format!("{entry_path}: {} ({detail})", kind.name()));
    }
}
