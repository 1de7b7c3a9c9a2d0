//! `allclear pack list` and `allclear pack lint`.

use crate::Outcome;
use crate::exit::{self, Failure};
use crate::output::say;
use pack::Pack;
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) fn list() -> Outcome {
    for pack in pack::builtin_packs() {
        say(&format!(
            "{} {}: {} ({} rules, {} indicators, {} needs)",
            pack.manifest.name,
            pack.manifest.version,
            pack.manifest.title,
            rules(&pack),
            pack.indicators.len(),
            pack.needs.len()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn lint(folders: &[PathBuf]) -> Outcome {
    let mut problems = 0;
    if folders.is_empty() {
        for pack in pack::builtin_packs() {
            let form: Vec<String> = pack::lint(&pack).iter().map(ToString::to_string).collect();
            problems += judge(&pack, &form)?;
        }
    }
    for folder in folders {
        if !folder.is_dir() {
            return Err(Failure::usage(
                format!("{} is not a folder", folder.display()),
                "give the folder that holds pack.yaml",
            ));
        }
        match (Pack::load(folder), pack::lint_folder(folder)) {
            (Ok(pack), Ok(form)) => {
                let form: Vec<String> = form.iter().map(ToString::to_string).collect();
                problems += judge(&pack, &form)?;
            }
            (Err(error), _) | (_, Err(error)) => {
                say(&error.to_string())?;
                problems += 1;
            }
        }
    }
    Ok(if problems == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::NOT_ASSURED)
    })
}

/// Prints the problems of form, then those of rules against their examples; says how many there were.
fn judge(pack: &Pack, form: &[String]) -> Result<usize, Failure> {
    let failures = detect::test_pack(pack);
    for problem in form {
        say(problem)?;
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
        rules(pack),
        pack.examples.len()
    ))?;
    Ok(problems)
}

/// A file may hold several rules.
fn rules(pack: &Pack) -> usize {
    let sigma = pack
        .sigma
        .iter()
        .filter_map(|file| pack::sigma_heads(file).ok());
    let yara = pack.yara.iter().map(pack::yara_heads);
    let heads: usize = sigma.chain(yara).map(|heads| heads.len()).sum();
    heads + pack.analyses.len()
}
