//! The command line of `allclear pack`.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum PackCommand {
    /// The built-in packs, and those that lie in the folders named.
    List {
        /// Packs, and folders of packs.
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// What a pack knows: window, products, fixed builds, indicators, rules, needs, remediation, references.
    Show(PackShow),
    /// Run every rule against its examples, a line for each example.
    ///
    /// Exit code 1 where a rule does not treat an example as it must, cannot be run, or lacks a matching or a clear example.
    Test(PackTest),
    /// Prove packs: sources on every row, unique ids, rules that match their example and leave the clear one alone.
    Lint {
        /// Packs [default: the built-in ones].
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
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
}

#[derive(Debug, Args)]
pub(crate) struct PackTest {
    /// Built-in names, or where the packs lie [default: the built-in ones].
    #[arg(value_name = "NAME|PATH")]
    pub(crate) packs: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PackFormat {
    /// For a terminal.
    Text,
    /// One object.
    Json,
}
