//! `allclear pack`: what packs there are, what they know, and whether they are right.

mod args;
mod lint;
mod list;
mod new;
mod show;
mod test;

pub(crate) use args::PackCommand;

use crate::exit::Failure;
use crate::{Outcome, settings};
use pack::{Pack, PackFiles};
use std::io::{self, Write};

pub(crate) fn run(command: &PackCommand) -> Outcome {
    match command {
        PackCommand::List { paths } => list::run(paths),
        PackCommand::Show(arguments) => show::run(arguments),
        PackCommand::Test(arguments) => test::run(arguments),
        PackCommand::New(arguments) => new::run(arguments),
        PackCommand::Lint { paths } => lint::run(paths),
    }
}

/// The pack of this name or at this path.
fn named(name: &str) -> Result<Pack, Failure> {
    loaded(name, &settings::pack_files(name)?)
}

/// The built-in packs, or those that are named.
fn chosen(names: &[String]) -> Result<Vec<Pack>, Failure> {
    if names.is_empty() {
        return Ok(pack::builtin_packs());
    }
    names.iter().map(|name| named(name)).collect()
}

fn loaded(name: &str, files: &PackFiles) -> Result<Pack, Failure> {
    Pack::from_files(files).map_err(|error| {
        Failure::usage(
            format!("the pack {name} cannot be loaded:\n{error}"),
            "mend it; `allclear pack lint` tells what else is wrong with a pack",
        )
    })
}

/// A file may hold several rules.
fn rules(pack: &Pack) -> usize {
    let sigma = pack
        .sigma
        .iter()
        .filter_map(|file| pack::sigma_heads(file).ok());
    let yara = pack.yara.iter().map(pack::yara_heads);
    sigma.chain(yara).map(|heads| heads.len()).sum()
}

/// A line of text; packs may come from anywhere, so whatever could steer the terminal is shown as an escape.
fn line(out: &mut dyn Write, depth: usize, text: &str) -> io::Result<()> {
    let indent = " ".repeat(depth * 2);
    writeln!(out, "{indent}{}", report::visible(text))
}
