//! `allclear pack lint`: what is wrong with a pack, for its author.

use super::{open, rules};
use crate::Outcome;
use crate::args::PackTrust;
use crate::exit::{self, Failure};
use crate::output::say;
use pack::{Pack, PackFiles};
use std::path::PathBuf;
use std::process::ExitCode;

pub(super) fn run(paths: &[PathBuf], trust: &PackTrust) -> Outcome {
    let trust = open::Trust::of(trust)?;
    let mut problems = 0;
    if paths.is_empty() {
        for files in PackFiles::builtin() {
            problems += judge(&files)?;
        }
    }
    for path in paths {
        problems += judge(&open::files_at(path, &trust)?)?;
    }
    Ok(if problems == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::NOT_ASSURED)
    })
}

/// Prints the problems of form, then those of rules against their examples; says how many there were.
fn judge(files: &PackFiles) -> Result<usize, Failure> {
    let form = pack::lint_files(files);
    let pack = match Pack::from_files(files) {
        Ok(pack) => pack,
        Err(_told) => {
            let told: Vec<String> = form.iter().map(ToString::to_string).collect();
            say(&told.join("\n\n"))?;
            return Ok(form.len());
        }
    };
    let failures = detect::test_pack(&pack);
    for problem in &form {
        say(&problem.to_string())?;
    }
    for failure in &failures {
        say(&format!(
            "{}: {}: {} {}",
            pack.manifest.name, failure.path, failure.rule, failure.why
        ))?;
    }
    let problems = form.len() + failures.len();
    say(&format!(
        "{} {}: {} rules on {} examples, {problems} problems",
        pack.manifest.name,
        pack.manifest.version,
        rules(&pack),
        pack.examples.len()
    ))?;
    Ok(problems)
}
