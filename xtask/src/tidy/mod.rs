//! `cargo xtask tidy`: the house rules that no compiler checks.
//!
//! Each rule is a function from the project's files to problems, so that each is tested on a project of a few lines.

mod layers;
mod project;
mod rules;

use crate::no_arguments;
use crate::process::say;
use project::Project;

/// Checks the project, says every problem, and fails where there is one.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    no_arguments(arguments)?;
    let project = Project::read(&crate::root())?;
    let mut problems = layers::problems(&layers::dependencies()?);
    problems.extend(rules::problems(&project));
    for problem in &problems {
        say(&format!("tidy: {problem}"));
    }
    match problems.len() {
        0 => {
            say(&format!("tidy: {} files, no problem", project.files.len()));
            Ok(())
        }
        1 => Err("1 problem".to_owned()),
        count => Err(format!("{count} problems")),
    }
}
