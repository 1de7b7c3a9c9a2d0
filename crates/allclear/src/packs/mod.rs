//! `allclear pack`: what packs there are, what they know, and whether they are right.

mod args;
mod lint;
mod list;
mod new;
mod open;
mod show;
mod test;

pub(crate) use args::PackCommand;
pub(crate) use open::{Trust, named};

use crate::Outcome;
use crate::args::PackTrust;
use crate::exit::Failure;
use pack::Pack;
use std::io::{self, Write};

pub(crate) fn run(command: &PackCommand) -> Outcome {
    match command {
        PackCommand::List { paths, trust } => list::run(paths, trust),
        PackCommand::Show(arguments) => show::run(arguments),
        PackCommand::Test(arguments) => test::run(arguments),
        PackCommand::New(arguments) => new::run(arguments),
        PackCommand::Lint { paths, trust } => lint::run(paths, trust),
    }
}

/// The built-in packs, or those that are named.
fn chosen(names: &[String], trust: &PackTrust) -> Result<Vec<Pack>, Failure> {
    let trust = Trust::of(trust)?;
    if names.is_empty() {
        return Ok(pack::builtin_packs());
    }
    let packs = names
        .iter()
        .map(|name| open::loaded(name, &open::files(name, &trust)?));
    packs.collect()
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

/// A line of text; packs may come from anywhere, so whatever could steer the terminal is shown as an escape.
fn line(out: &mut dyn Write, depth: usize, text: &str) -> io::Result<()> {
    let indent = " ".repeat(depth * 2);
    writeln!(out, "{indent}{}", report::visible(text))
}
