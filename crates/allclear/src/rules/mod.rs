//! `allclear rules`: what becomes of Sigma rules, whether they match the logs published with them, and why they match.

mod args;
mod check;
mod explain;
mod test;

pub(crate) use args::RulesCommand;

use crate::exit::{self, Failure};
use crate::{Outcome, output};
use args::RulesFormat;
use detect::{Engine, Extra, Fault, RuleState, RuleStatus};
use pack::Pack;
use serde::Serialize;
use std::io::{self, Write};
use std::process::ExitCode;

pub(crate) fn run(command: &RulesCommand) -> Outcome {
    match command {
        RulesCommand::Check(arguments) => check::run(arguments),
        RulesCommand::Test(arguments) => test::run(arguments),
        RulesCommand::Explain(arguments) => explain::run(arguments),
    }
}

/// All rules compiled together. What cannot run stands in the states of rules.
fn compile(packs: &[Pack], sigma: Vec<(String, String)>) -> Result<Engine, Failure> {
    let extra = Extra {
        sigma,
        ..Extra::default()
    };
    let (engine, _told) = Engine::new(packs, &extra).map_err(Failure::fault)?;
    Ok(engine)
}

/// Prints the answer in the form asked for.
fn print(
    format: RulesFormat,
    answer: &impl Serialize,
    text: &dyn Fn(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    output::to_standard_output(&mut |out| match format {
        RulesFormat::Text => text(out),
        RulesFormat::Json => report::json_value(answer, out),
    })
}

fn code(is_good: bool) -> ExitCode {
    ExitCode::from(if is_good {
        exit::ASSURED
    } else {
        exit::NOT_ASSURED
    })
}

/// A line of text; rules and logs may come from anywhere, so whatever could steer the terminal is shown as an escape.
fn line(out: &mut dyn Write, depth: usize, text: &str) -> io::Result<()> {
    writeln!(
        out,
        "{:width$}{}",
        "",
        report::visible(text),
        width = depth * 2
    )
}

/// `in part  Title  rules/file.yml (pack)`.
fn heading(out: &mut dyn Write, status: &RuleStatus) -> io::Result<()> {
    let title = match (status.title.as_str(), status.rule.as_str()) {
        ("", "") => "-",
        ("", rule) => rule,
        (title, _) => title,
    };
    let path = match &status.state {
        RuleState::Rejected(Fault {
            line: Some(line), ..
        }) => format!("{}:{line}", status.path),
        _ => status.path.clone(),
    };
    let pack = match &status.campaign {
        Some(campaign) => format!(" (pack {campaign})"),
        None => String::new(),
    };
    let state = status.state.name();
    line(out, 0, &format!("{state:<12}  {title}  {path}{pack}"))
}

/// Why the rule is in its state, a line each.
fn reasons(out: &mut dyn Write, state: &RuleState) -> io::Result<()> {
    match state {
        RuleState::Runs { .. } => Ok(()),
        RuleState::InPart { limits: why, .. } | RuleState::Undetectable { reasons: why } => {
            why.iter().try_for_each(|why| line(out, 2, why))
        }
        RuleState::Rejected(fault) => fault_lines(out, fault),
        RuleState::Duplicate { of } => {
            line(out, 2, &format!("the rule with this id in {of} is taken"))
        }
    }
}

fn fault_lines(out: &mut dyn Write, fault: &Fault) -> io::Result<()> {
    let message = &fault.message;
    match fault.place.as_str() {
        "" => line(out, 2, message)?,
        place => line(out, 2, &format!("{place}: {message}"))?,
    }
    if fault.help.is_empty() {
        return Ok(());
    }
    line(out, 2, &format!("help: {}", fault.help))
}
