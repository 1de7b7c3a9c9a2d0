//! `allclear range`: synthetic servers and fleets with known truth; a file for each command.

mod args;
mod drill;
mod make;
mod score;
mod victims;

pub(crate) use args::RangeCommand;

use crate::Outcome;
use crate::exit::Failure;
use crate::output::to_standard_output;
use std::process::ExitCode;

/// Columns of a line of the list of scenarios.
const WIDTH: usize = 80;

pub(crate) fn run(command: &RangeCommand) -> Outcome {
    match command {
        RangeCommand::Make(arguments) => make::make(arguments),
        RangeCommand::Scenarios => scenarios(),
        RangeCommand::Score(arguments) => score::score(arguments),
        RangeCommand::Drill(command) => drill::run(command),
        RangeCommand::Victims(arguments) => victims::make(arguments),
        RangeCommand::CountVictims(arguments) => victims::count(arguments),
    }
}

/// Each scenario's name, and its story below it, campaign by campaign.
fn scenarios() -> Outcome {
    let mut scenarios = Vec::new();
    for name in range::scenarios() {
        scenarios.push((name, range::about(name).map_err(Failure::fault)?));
    }
    to_standard_output(&mut |out| {
        let mut campaign = "";
        for (name, about) in &scenarios {
            if about.campaign != campaign {
                let line = if campaign.is_empty() { "" } else { "\n" };
                writeln!(out, "{line}Campaign {}\n", about.campaign)?;
                campaign = &about.campaign;
            }
            writeln!(out, "{name}")?;
            for line in wrapped(&about.story, WIDTH - 4) {
                writeln!(out, "    {line}")?;
            }
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Lines of whole words that are no wider than `width`, unless a word is.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
