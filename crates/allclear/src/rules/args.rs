//! The command line of `allclear rules`.

use crate::args::PackTrust;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// What becomes of each rule: it runs, runs in part, is undetectable, rejected or a duplicate; and why.
    ///
    /// Exit code 1 where a rule is rejected.
    Check(RulesCheck),
    /// Prove rules on logs published with them: every info.yml below the folder, in the form of SigmaHQ's regression data.
    ///
    /// Exit code 1 where a rule does not match its log as often as told, or could not be tried.
    Test(RulesTest),
    /// Why a rule matches an event, or does not: its conditions with the values that were seen.
    ///
    /// Exit code 1 where the rule does not run.
    Explain(RulesExplain),
}

#[derive(Debug, Args)]
pub(crate) struct RulesCheck {
    /// Files of Sigma rules, or folders of such files [default: the rules of the built-in packs].
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Also the rules of this campaign pack (a built-in name, a folder or a zip archive).
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) pack: Vec<String>,

    #[command(flatten)]
    pub(crate) trust: PackTrust,

    /// Tell of each rule the sources that it runs on.
    #[arg(long, short)]
    pub(crate) verbose: bool,

    /// Form of the answer.
    #[arg(long, value_enum, default_value_t = RulesFormat::Text)]
    pub(crate) format: RulesFormat,
}

#[derive(Debug, Args)]
pub(crate) struct RulesTest {
    /// The folder that rules, info.yml files and logs lie below; paths in info.yml are relative to it.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,

    /// Form of the answer.
    #[arg(long, value_enum, default_value_t = RulesFormat::Text)]
    pub(crate) format: RulesFormat,
}

#[derive(Debug, Args)]
pub(crate) struct RulesExplain {
    /// A file of Sigma rules, or the id of a rule in --rules or in a built-in pack.
    #[arg(value_name = "RULE")]
    pub(crate) rule: String,

    /// A log that is understood, such as an event in JSON; of several records, LOG#NUMBER names one.
    #[arg(value_name = "EVENT")]
    pub(crate) event: String,

    /// The number of the record in an event log, or of the line in a log of text.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) record: Option<u64>,

    /// Also the rules, filters and correlations of this file or folder.
    #[arg(long, value_name = "PATH")]
    pub(crate) rules: Vec<PathBuf>,

    /// Form of the answer.
    #[arg(long, value_enum, default_value_t = RulesFormat::Text)]
    pub(crate) format: RulesFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RulesFormat {
    /// For a terminal.
    Text,
    /// One object.
    Json,
}
