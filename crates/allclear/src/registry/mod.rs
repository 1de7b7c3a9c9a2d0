//! `allclear registry`: organisations of a response, what they own, who speaks for them and who helps; a file for each command.

mod import;
mod merge;
mod show;

use crate::Outcome;
use crate::args::CaseAt;
use clap::{Args, Subcommand, ValueEnum};
use response::import::Kind;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// Take in lists of organisations, their other names, assets, contacts, or responders: CSV, JSON or XLSX.
    ///
    /// A file that was imported already changes nothing. Exit code 1: some row was refused.
    Import(Import),
    /// Every organisation, in order of id.
    List(List),
    /// One organisation with all that is known of it.
    Show(Show),
    /// Say that two organisations are one.
    Merge(Merge),
    /// Take a merge back; both stand again as they did.
    Unmerge(Unmerge),
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(flatten)]
    at: CaseAt,

    /// The lists. Where the folder holds no case yet, one is made.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// What the lists hold [default: what their columns say].
    #[arg(long, value_enum)]
    kind: Option<ListKind>,

    /// Say what would change, row by row, and change nothing.
    #[arg(long)]
    dry_run: bool,

    /// A person vouches for these rows: no imported row changes them later.
    #[arg(long, requires = "by")]
    manual: bool,

    /// Who imports.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,

    /// Write one JSON object for each row, and one for each file, instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ListKind {
    /// id, name, sector, country, region, size, supplier; aliases, hosts, addresses, networks, domains, certificates
    Organisations,
    /// alias, organisation
    Aliases,
    /// kind, value, organisation
    Assets,
    /// scope, subject (or organisation), role, channel, address, name, language, audience, `pgp_key`, verified
    Contacts,
    /// id, name, skills, hours, region, languages
    Responders,
}

impl ListKind {
    fn kind(self) -> Kind {
        match self {
            Self::Organisations => Kind::Organisations,
            Self::Aliases => Kind::Aliases,
            Self::Assets => Kind::Assets,
            Self::Contacts => Kind::Contacts,
            Self::Responders => Kind::Responders,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    at: CaseAt,

    /// Only of this country (two letters).
    #[arg(long, value_name = "CODE")]
    country: Option<String>,

    /// Only of this sector.
    #[arg(long, value_name = "NAME")]
    sector: Option<String>,

    /// Write one JSON object for each organisation instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    at: CaseAt,

    /// Its id or a name of it, or an address, host name, domain, network or certificate that it owns.
    #[arg(value_name = "WHO")]
    who: String,

    /// Write JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Merge {
    #[command(flatten)]
    at: CaseAt,

    /// The organisation that stays: its id, or a name that no other has.
    #[arg(value_name = "KEPT")]
    kept: String,

    /// The organisation that is the same.
    #[arg(value_name = "MERGED")]
    merged: String,

    /// What shows that they are one.
    #[arg(long, value_name = "TEXT")]
    why: String,

    /// Who says so.
    #[arg(long, value_name = "NAME")]
    by: String,
}

#[derive(Debug, Args)]
pub(crate) struct Unmerge {
    #[command(flatten)]
    at: CaseAt,

    /// The id of the organisation that was merged.
    #[arg(value_name = "MERGED")]
    merged: String,

    /// What shows that they are two.
    #[arg(long, value_name = "TEXT")]
    why: String,

    /// Who says so.
    #[arg(long, value_name = "NAME")]
    by: String,
}

pub(crate) fn run(command: &RegistryCommand) -> Outcome {
    match command {
        RegistryCommand::Import(import) => import::run(import),
        RegistryCommand::List(list) => show::list(list),
        RegistryCommand::Show(show) => show::show(show),
        RegistryCommand::Merge(merge) => merge::merge(merge),
        RegistryCommand::Unmerge(unmerge) => merge::unmerge(unmerge),
    }
}
