//! `allclear range`: synthetic servers and fleets with known truth; a file for each command.

mod make;

use crate::Outcome;
use crate::args::RangeCommand;
use crate::output::say;
use std::process::ExitCode;

pub(crate) fn run(command: &RangeCommand) -> Outcome {
    match command {
        RangeCommand::Make(arguments) => make::make(arguments),
        RangeCommand::Scenarios => scenarios(),
    }
}

fn scenarios() -> Outcome {
    for name in range::scenarios() {
        say(name)?;
    }
    Ok(ExitCode::SUCCESS)
}
