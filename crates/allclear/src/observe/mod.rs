//! `allclear observe`: what others say of servers, counted once; a file for each command.

mod count;
mod import;
mod trend;

use crate::Outcome;
use crate::args::CaseAt;
use crate::case::failure;
use crate::exit::Failure;
use clap::{Args, Subcommand, ValueEnum};
use response::count::{Gather, Said};
use response::registry::Registry;
use std::collections::BTreeMap;
use std::path::PathBuf;
use store::Case;

#[derive(Debug, Subcommand)]
pub(crate) enum ObserveCommand {
    /// Take in lists of what others saw: CSV, JSON or XLSX in the forms of their publishers, or by a mapping file.
    ///
    /// A file that was imported already changes nothing. Exit code 1: some row was refused.
    Import(Import),
    /// How many organisations, servers and addresses lists speak of, each once, and what adding up the lists would have given.
    Count(Count),
    /// Figures over time, by method and version; where they stopped falling, and why.
    Trend(Trend),
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(flatten)]
    at: CaseAt,

    /// The lists. Where the folder holds no case yet, one is made.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Whose form the lists have.
    #[arg(long = "as", value_enum)]
    form: FormOf,

    /// How the columns are to be read: one entry of the form of knowledge/observations.yaml.
    #[arg(long, value_name = "FILE.yaml")]
    mapping: Option<PathBuf>,

    /// The campaign, where the rows do not name one.
    #[arg(long, value_name = "NAME")]
    campaign: Option<String>,

    /// How it was found, where the rows do not say.
    #[arg(long, value_name = "NAME")]
    method: Option<String>,

    /// Version of the method, where the rows do not say. A method that got better is another version.
    #[arg(long, value_name = "VERSION")]
    method_version: Option<String>,

    /// Who found it, where the rows do not say.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,

    /// Say what would be taken, and change nothing.
    #[arg(long)]
    dry_run: bool,

    /// Who imports.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,

    /// Write one JSON object for each file instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormOf {
    /// Reports of Shadowserver: `scan_exchange`, `special`, `compromised_website`.
    Shadowserver,
    /// Events of `IntelMQ`.
    Intelmq,
    /// Scans: ip, host, ptr, timestamp, scanner, `scanner_version`, result.
    Divd,
    /// address, host, url, reverse, organisation, seen, claim, method, `method_version`, source, campaign; or by --mapping.
    Csv,
}

impl FormOf {
    fn family(self) -> &'static str {
        match self {
            Self::Shadowserver => "shadowserver",
            Self::Intelmq => "intelmq",
            Self::Divd => "divd",
            Self::Csv => "csv",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Count {
    #[command(flatten)]
    at: CaseAt,

    /// Only this campaign [default: every one of the case, each for itself].
    #[arg(long, value_name = "NAME")]
    campaign: Option<String>,

    /// What the figures are told apart by.
    #[arg(long, value_enum, default_value_t = By::Claim)]
    by: By,

    /// Write JSON (allclear/count/1) instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    Claim,
    Method,
    Sector,
    Country,
}

#[derive(Debug, Args)]
pub(crate) struct Trend {
    #[command(flatten)]
    at: CaseAt,

    /// Only this campaign [default: every one of the case, each for itself].
    #[arg(long, value_name = "NAME")]
    campaign: Option<String>,

    /// Of which claim: vulnerable, patched, probed, exploited, `web_shell`, clear or undetermined.
    #[arg(long, value_name = "NAME", default_value = "vulnerable")]
    claim: String,

    /// How long a period is.
    #[arg(long, value_enum, default_value_t = Per::Day)]
    per: Per,

    /// Write JSON (allclear/trend/1) instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Per {
    Day,
    Week,
}

pub(crate) fn run(command: &ObserveCommand) -> Outcome {
    match command {
        ObserveCommand::Import(import) => import::run(import),
        ObserveCommand::Count(count) => count::run(count),
        ObserveCommand::Trend(trend) => trend::run(trend),
    }
}

/// Everything that was said, campaign by campaign: by lists and by our own verdicts.
pub(crate) fn said(
    case: &Case,
    registry: &Registry,
    campaign: Option<&str>,
) -> Result<Vec<(String, Said)>, Failure> {
    let mut all: BTreeMap<String, Gather<'_>> = BTreeMap::new();
    case.each_heard(campaign, &mut |row| {
        let gather = all.entry(row.campaign.clone());
        gather.or_insert_with(|| Gather::new(registry)).heard(row);
    })
    .map_err(failure)?;
    case.each_verdict(&mut |row| {
        if row.current && campaign.is_none_or(|campaign| campaign == row.campaign) {
            let gather = all.entry(row.campaign.clone());
            gather.or_insert_with(|| Gather::new(registry)).judged(&row);
        }
    })
    .map_err(failure)?;
    if let Some(campaign) = campaign
        && all.is_empty()
    {
        return Err(Failure::usage(
            format!(
                "nothing was said of the campaign {}",
                report::visible(campaign)
            ),
            "`allclear observe count CASE` names the campaigns of the case",
        ));
    }
    Ok(all
        .into_iter()
        .map(|(campaign, gather)| (campaign, gather.done()))
        .collect())
}
