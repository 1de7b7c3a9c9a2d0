//! Cases: what stays of every run, and what can be done with it.

mod export;
mod list;
mod open;
mod run;
mod show;
mod take;
mod verify;

#[cfg(feature = "cluster")]
pub(crate) use open::store_options;
pub(crate) use open::{failure, failure as case_failure, now, open, open_or_create, work_failure};
pub(crate) use run::{check, diff, judged_now, report};

use crate::Outcome;
use crate::args::{CaseAt, Knowledge, Readers};
use clap::{Args, Subcommand};
use model::Timestamp;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum CaseCommand {
    /// Every host of a case with its verdicts, the worst first.
    List(List),
    /// One host with the history of its verdicts, or the case as a whole.
    Show(Show),
    /// Judge the whole case again, by the packs, rules and indicators of now, without its evidence.
    Judge(Box<Judge>),
    /// Take the evidence itself into the case, each file once, by its hash.
    Take(Take),
    /// Whether everything is there as it was written, and the audit chain unbroken.
    Verify(Verify),
    /// Write the whole case into one archive: every table as JSON lines, and every object.
    Export(Export),
    /// Remove a host or a collection. The audit chain keeps that it was there.
    Forget(Forget),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    at: CaseAt,

    /// Write one JSON object for each verdict instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    at: CaseAt,

    /// The host [default: the case as a whole].
    #[arg(value_name = "HOST")]
    host: Option<String>,

    /// Write JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Judge {
    #[command(flatten)]
    at: CaseAt,

    #[command(flatten)]
    knowledge: Knowledge,

    /// Files known to be shipped: CSV with build,path,sha256 (an empty build means any).
    #[arg(long, value_name = "FILE.csv")]
    known: Vec<PathBuf>,

    /// What named persons state about gates of an eviction: CSV with host,campaign,gate,answer,by,role,time,statement.
    #[arg(long, value_name = "FILE.csv")]
    attest: Vec<PathBuf>,

    /// Judge as of this time, such as 2021-04-01T00:00:00Z [default: when each host's latest collection was taken].
    #[arg(long, value_name = "TIME")]
    as_of: Option<Timestamp>,

    /// Write JSON instead of text.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    readers: Readers,
}

#[derive(Debug, Args)]
pub(crate) struct Take {
    #[command(flatten)]
    at: CaseAt,

    /// Only this collection; may be given several times.
    #[arg(long, value_name = "ID")]
    collection: Vec<String>,

    /// Password of zip and 7z archives; `-` reads it from a line of standard input.
    #[arg(long, value_name = "PASSWORD")]
    password: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    at: CaseAt,

    /// Remove objects that no commit named, left by a run that did not come to its end.
    #[arg(long)]
    repair: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    at: CaseAt,

    /// The archive: FILE.tar.zst
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "what")]
struct What {
    /// This host, with all that is known of it.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,

    /// This collection.
    #[arg(long, value_name = "ID")]
    collection: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Forget {
    #[command(flatten)]
    at: CaseAt,

    #[command(flatten)]
    what: What,
}

pub(crate) fn run(command: &CaseCommand) -> Outcome {
    match command {
        CaseCommand::List(list) => list::run(list),
        CaseCommand::Show(show) => show::run(show),
        CaseCommand::Judge(judge) => run::judge(judge),
        CaseCommand::Take(take) => take::run(take),
        CaseCommand::Verify(verify) => verify::run(verify),
        CaseCommand::Export(export) => export::run(export),
        CaseCommand::Forget(forget) => verify::forget(forget),
    }
}
