//! Allclear: tells who was hacked, what was done, how to get clean, and when a server really is.
//!
//! The only crate that prints, reads settings and picks exit codes. [`args`] is the command line as it is documented;
//! each command has a file of its own.

#[cfg(feature = "query")]
mod above;
mod args;
mod attest;
mod audit;
mod case;
mod check;
mod clearance;
#[cfg(feature = "cluster")]
mod cluster;
mod disclose;
mod evict;
mod exit;
mod hunt;
mod known;
mod lists;
mod notice;
mod observe;
mod output;
mod packs;
mod plan;
mod priority;
mod range;
mod registry;
mod rules;
mod settings;
#[cfg(feature = "query")]
mod sql;
#[cfg(feature = "query")]
mod timeline;
mod worker;

use args::{Arguments, Command, KnownCommand};
use clap::Parser;
use exit::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Check(check) => check::run(&check),
        Command::Hunt(hunt) => hunt::run(&hunt),
        Command::Report(report) => case::report(&report),
        Command::Diff(diff) => case::diff(&diff),
        Command::Case(command) => case::run(&command),
        #[cfg(feature = "query")]
        Command::Sql(sql) => sql::run(&sql),
        #[cfg(feature = "query")]
        Command::Campaign(campaign) => above::run(&campaign),
        #[cfg(feature = "query")]
        Command::Timeline(timeline) => timeline::run(&timeline),
        Command::Pack(command) => packs::run(&command),
        Command::Rules(command) => rules::run(&command),
        Command::Known(KnownCommand::Make(make)) => known::make(&make),
        Command::Range(command) => range::run(&command),
        #[cfg(feature = "cluster")]
        Command::Cluster(command) => cluster::run(&command),
        Command::Observe(command) => observe::run(&command),
        Command::Registry(command) => registry::run(&command),
        Command::Priority(command) => priority::run(&command),
        Command::Plan(command) => plan::run(&command),
        Command::Evict(command) => evict::run(&command),
        Command::Clearance(command) => clearance::run(&command),
        Command::Audit(command) => audit::run(&command),
        Command::Disclose(command) => disclose::run(&command),
        Command::Notice(command) => notice::run(&command),
        Command::ReadWorker { reader_memory } => worker::run(reader_memory),
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            output::complain(&failure);
            failure.code()
        }
    }
}

/// What every command ends with.
type Outcome = Result<ExitCode, Failure>;
