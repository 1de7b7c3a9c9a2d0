//! The command line of `allclear pack`.

use crate::args::PackTrust;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum PackCommand {
    /// The built-in packs, and those that lie in the folders named.
    List {
        /// Packs, and folders of packs.
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,

        #[command(flatten)]
        trust: PackTrust,
    },
    /// What a pack knows: window, products, fixed builds, indicators, rules, needs, remediation, references.
    Show(PackShow),
    /// Run every rule against its examples, a line for each example.
    ///
    /// Exit code 1 where a rule does not treat an example as it must, cannot be run, or lacks a matching or a clear example.
    Test(PackTest),
    /// Draft a pack: a folder that `pack lint` can read, with every place to fill in told by it.
    ///
    /// Nothing is ever overwritten.
    New(PackNew),
    /// Prove packs: sources on every row, unique ids, rules that match their example and leave the clear one alone.
    Lint {
        /// Packs [default: the built-in ones].
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,

        #[command(flatten)]
        trust: PackTrust,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PackShow {
    /// A built-in name, or where the pack lies.
    #[arg(value_name = "NAME|PATH")]
    pub(crate) pack: String,

    /// Form of the answer.
    #[arg(long, value_enum, default_value_t = PackFormat::Text)]
    pub(crate) format: PackFormat,

    #[command(flatten)]
    pub(crate) trust: PackTrust,
}

#[derive(Debug, Args)]
pub(crate) struct PackTest {
    /// Built-in names, or where the packs lie [default: the built-in ones].
    #[arg(value_name = "NAME|PATH")]
    pub(crate) packs: Vec<String>,

    #[command(flatten)]
    pub(crate) trust: PackTrust,
}

#[derive(Debug, Args)]
pub(crate) struct PackNew {
    /// Its name, and that of its folder: lower-case letters, digits, `-` and `_`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Make the pack's folder in this one.
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    pub(crate) output: PathBuf,

    /// Take over what this file holds: a CSAF 2.0 advisory, a STIX 2.1 bundle, a MISP event, CHIRP YAML, or a list of
    /// indicators; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PackFormat {
    /// For a terminal.
    Text,
    /// One object.
    Json,
}
