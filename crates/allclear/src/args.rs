//! The command line. `--help` is the reference, so the texts here are the documentation.

use crate::audit::AuditCommand;
use crate::case::CaseCommand;
use crate::clearance::ClearanceCommand;
#[cfg(feature = "cluster")]
use crate::cluster::ClusterCommand;
use crate::disclose::DiscloseCommand;
use crate::evict::EvictCommand;
use crate::notice::NoticeCommand;
use crate::observe::ObserveCommand;
use crate::packs::PackCommand;
use crate::plan::PlanCommand;
use crate::priority::PriorityCommand;
use crate::range::RangeCommand;
use crate::registry::RegistryCommand;
use crate::rules::RulesCommand;
use clap::{Args, Parser, Subcommand, ValueEnum};
use model::Timestamp;
use std::path::PathBuf;

/// Tells from evidence who was hacked, what was done, how to get clean, and when a server really is clear.
///
/// Allclear is defensive only: it reads what was collected, never changes evidence, and never touches a server.
#[derive(Debug, Parser)]
#[command(
    name = "allclear",
    version,
    after_help = "Exit codes: 0 every host is clear, evicted or not affected · 1 some host is not · 2 wrong usage \
                  or a path that does not exist · 3 nothing could be examined · 4 our own fault"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Evidence in, verdicts out: the main job.
    Check(Box<Check>),
    /// Detections only, in order of time; no verdict.
    Hunt(Box<Hunt>),
    /// Show the answers of a case again.
    Report(Report),
    /// What became of a host between two of its collections.
    Diff(Diff),
    /// Cases: list, show, judge again, take evidence in, verify, export, forget.
    #[command(subcommand)]
    Case(CaseCommand),
    /// Ask a case in SQL: every event, finding, gap and verdict.
    #[cfg(feature = "query")]
    #[command(
        after_help = "Tables: events, items, collections, hosts, verdicts, verdict_history, coverage, findings, gaps; and \
                      views such as addresses, shared_shells and epidemic_curve. docs/questions.md explains them. A case is \
                      never changed."
    )]
    Sql(Sql),
    /// Show the campaigns of a case from above: epidemic curve, actors, who came first and who used whose shell.
    #[cfg(feature = "query")]
    Campaign(Campaign),
    /// Export the events of a case in order of time, for other tools.
    #[cfg(feature = "query")]
    Timeline(Timeline),
    /// Campaign packs: list, show, test and lint.
    #[command(subcommand)]
    Pack(PackCommand),
    /// Sigma rules: check, test and explain.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Tables of files that are known to be shipped.
    #[command(subcommand)]
    Known(KnownCommand),
    /// Synthetic servers with known truth, for trying Allclear out and for drills.
    #[command(subcommand)]
    Range(RangeCommand),
    /// Members of a cluster that does the work of `check --case` and `sql` on many machines.
    #[cfg(feature = "cluster")]
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Organisations of a response, what they own, who speaks for them, who can help.
    #[command(subcommand)]
    Registry(RegistryCommand),
    /// Who goes first, and why.
    #[command(subcommand)]
    Priority(PriorityCommand),
    /// Who helps whom in the next weeks, and what is left undone.
    #[command(subcommand)]
    Plan(PlanCommand),
    /// The way out of a host that was entered, and what persons state about it.
    #[command(subcommand)]
    Evict(EvictCommand),
    /// Signed statements that a host is clear.
    #[command(subcommand)]
    Clearance(ClearanceCommand),
    /// The chain of all that was done with a case: verify it, sign its head.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Tell organisations: who is told what by which way, who released it, what came back.
    #[command(subcommand)]
    Notice(NoticeCommand),
    /// Duties to report: when what is due, drafts from what is known, forms.
    #[command(subcommand)]
    Disclose(DiscloseCommand),
    /// What others say of servers: lists taken in, counted once, followed over time.
    #[command(subcommand)]
    Observe(ObserveCommand),
    /// Reads evidence for the process that started it.
    #[command(hide = true)]
    ReadWorker {
        /// MiB of memory that this process may take.
        #[arg(default_value_t = 1024)]
        reader_memory: u64,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) input: Input,

    #[command(flatten)]
    pub(crate) knowledge: Knowledge,

    /// Files known to be shipped: CSV with build,path,sha256 (an empty build means any).
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) known: Vec<PathBuf>,

    /// What named persons state about gates of an eviction: CSV with host,campaign,gate,answer,by,role,time,statement.
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) attest: Vec<PathBuf>,

    /// Judge as of this time, such as 2021-04-01T00:00:00Z [default: when the latest collection was taken].
    #[arg(long, value_name = "TIME")]
    pub(crate) as_of: Option<Timestamp>,

    /// Create or continue a case in this folder: it keeps collections, hosts, verdicts with their history, findings, gaps and
    /// every event, and what it has read it does not read again.
    #[arg(long, value_name = "DIR")]
    pub(crate) case: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) behind: CaseBehind,

    /// Read evidence again although the case has read it and it looks unchanged.
    #[arg(long, requires = "case")]
    pub(crate) reread: bool,

    /// Have the evidence read by the executors of a cluster; they must see evidence and case under the same paths.
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    pub(crate) cluster: OnCluster,

    /// Write the manifest, one JSON object for each item, to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) readers: Readers,
}

/// The evidence, and how to open it.
#[derive(Debug, Args)]
pub(crate) struct Input {
    /// Files, folders, archives, triage containers, and folders of those.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Say that all evidence is of this host.
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,

    /// Password of zip and 7z archives; `-` reads it from a line of standard input.
    #[arg(long, value_name = "PASSWORD")]
    pub(crate) password: Option<String>,
}

/// What is looked for.
#[derive(Debug, Args)]
pub(crate) struct Knowledge {
    /// Use this campaign pack (a built-in name, a folder or a zip archive) instead of every built-in one; may be given
    /// several times.
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) pack: Vec<String>,

    #[command(flatten)]
    pub(crate) trust: PackTrust,

    /// Also run the Sigma rules of this file or folder.
    #[arg(long, value_name = "PATH")]
    pub(crate) rules: Vec<PathBuf>,

    /// Also run the YARA rules of this file or folder.
    #[arg(long, value_name = "PATH")]
    pub(crate) yara: Vec<PathBuf>,

    /// Also look for these indicators: CSV, plain list, STIX 2.1, MISP JSON, CHIRP YAML.
    #[arg(long, value_name = "FILE")]
    pub(crate) indicators: Vec<PathBuf>,
}

/// Whose packs are used.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PackTrust {
    /// Refuse packs that are neither built in nor archives signed with this minisign key (a .pub file or the key itself); the
    /// signature of PACK.zip is PACK.zip.minisig. Given several times, any of the keys will do.
    #[arg(long, value_name = "FILE|KEY")]
    pub(crate) pack_key: Vec<String>,
}

/// How much may be used for reading.
#[derive(Debug, Args)]
pub(crate) struct Readers {
    /// How many readers work at once [default: the machine's processors].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=512))]
    pub(crate) jobs: Option<u64>,

    /// Seconds that reading one item may take, besides two for each MiB of it.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) item_seconds: u64,

    /// MiB of memory that one reader may take.
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(64..))]
    pub(crate) reader_memory: u64,

    /// No progress on standard error.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Hunt {
    /// Files, folders, archives, triage containers, and folders of those.
    #[arg(required_unless_present = "case", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Hunt through the events of this case instead of evidence.
    #[arg(long, value_name = "CASE", conflicts_with_all = ["paths", "password"])]
    pub(crate) case: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) behind: CaseBehind,

    /// Say that all evidence is of this host; of a case, hunt through this host only.
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,

    /// Password of zip and 7z archives; `-` reads it from a line of standard input.
    #[arg(long, value_name = "PASSWORD")]
    pub(crate) password: Option<String>,

    /// Rules of this campaign pack (a built-in name, a folder or a zip archive) [default: every built-in one, unless rules or
    /// indicators of your own are given].
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) pack: Vec<String>,

    #[command(flatten)]
    pub(crate) trust: PackTrust,

    /// Sigma rules of this file or folder.
    #[arg(long, value_name = "PATH")]
    pub(crate) rules: Vec<PathBuf>,

    /// YARA rules of this file or folder.
    #[arg(long, value_name = "PATH")]
    pub(crate) yara: Vec<PathBuf>,

    /// Indicators: CSV, plain list, STIX 2.1, MISP JSON, CHIRP YAML.
    #[arg(long, value_name = "FILE")]
    pub(crate) indicators: Vec<PathBuf>,

    /// Leave out rules below this level.
    #[arg(long, value_enum, default_value_t = Level::Informational)]
    pub(crate) level: Level,

    /// Form of the matches.
    #[arg(long, value_enum, default_value_t = HuntFormat::Text)]
    pub(crate) format: HuntFormat,

    /// Write the matches to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Write what could not be looked at to this file, one JSON object for each gap.
    #[arg(long, value_name = "FILE")]
    pub(crate) gaps: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) readers: Readers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HuntFormat {
    /// A line for each match.
    Text,
    /// One object for each match, with the record's fields.
    Ndjson,
}

/// Levels of Sigma rules, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Level {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Form of the report.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    /// Write the report to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For a terminal: verdict first, then why, then what to do.
    Text,
    /// The documented schema allclear/report/1.
    Json,
    /// One object for each host and campaign, finding and gap.
    Ndjson,
    /// One self-contained page.
    Html,
    Markdown,
}

/// What stands behind a case.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CaseBehind {
    /// Keep the case's ledger in this PostgreSQL database, such as `postgres://user@host/name`, instead of SQLite in its
    /// folder. The case
    /// remembers it, but not its password: give that by PGPASSWORD or ~/.pgpass.
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,

    /// Keep events and other objects in this S3-compatible store, such as `s3://bucket/prefix`, instead of the case's folder.
    /// Keys and endpoint come from `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_ENDPOINT`.
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
}

/// A case that exists.
#[derive(Clone, Debug, Args)]
pub(crate) struct CaseAt {
    /// The folder that was given to `check --case`.
    #[arg(value_name = "CASE")]
    pub(crate) case: PathBuf,

    #[command(flatten)]
    pub(crate) behind: CaseBehind,
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    #[command(flatten)]
    pub(crate) at: CaseAt,

    /// Only this host; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Vec<String>,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// The case, and how it is reached.
#[cfg(feature = "query")]
#[derive(Debug, Args)]
pub(crate) struct CaseAccess {
    #[command(flatten)]
    pub(crate) at: CaseAt,

    /// Seconds after which a question is given up.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub(crate) deadline: u64,

    #[cfg(feature = "cluster")]
    #[command(flatten)]
    pub(crate) cluster: OnCluster,
}

/// Where work is done by a cluster.
#[cfg(feature = "cluster")]
#[derive(Clone, Debug, Args)]
pub(crate) struct OnCluster {
    /// Have the work done by the cluster whose scheduler is here, such as `df://127.0.0.1:50050`.
    #[arg(long, value_name = "URL")]
    pub(crate) cluster: Option<String>,

    /// The folder of keys of that cluster, as `allclear cluster keys` made it.
    #[arg(long, value_name = "DIR", requires = "cluster")]
    pub(crate) cluster_keys: Option<PathBuf>,
}

#[cfg(feature = "query")]
#[derive(Debug, Args)]
pub(crate) struct Sql {
    #[command(flatten)]
    pub(crate) access: CaseAccess,

    /// One question, such as `SELECT * FROM addresses WHERE src_ip = '203.0.113.5'`.
    #[arg(value_name = "QUERY")]
    pub(crate) query: String,

    /// Form of the answer.
    #[arg(long, value_enum, default_value_t = SqlFormat::Table)]
    pub(crate) format: SqlFormat,

    /// At most this many rows; 0 is all [default: 1000 in a table, else all].
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,

    /// Write the answer to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[cfg(feature = "query")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SqlFormat {
    /// For a terminal, aligned; nothing from evidence steers it.
    Table,
    /// For spreadsheets; text that would run as a formula begins with an apostrophe.
    Csv,
    /// One object for each row.
    Json,
    /// With the types of the columns.
    Parquet,
}

#[cfg(feature = "query")]
#[derive(Debug, Args)]
pub(crate) struct Campaign {
    #[command(flatten)]
    pub(crate) access: CaseAccess,

    /// Only this campaign [default: every one of the case].
    #[arg(long = "campaign", value_name = "NAME")]
    pub(crate) only: Option<String>,

    /// Weights of what holds visits together as one actor's, instead of the built-in ones.
    #[arg(long, value_name = "FILE.yaml")]
    pub(crate) weights: Option<PathBuf>,

    /// Form of the picture.
    #[arg(long, value_enum, default_value_t = CampaignFormat::Text)]
    pub(crate) format: CampaignFormat,

    /// Write it to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[cfg(feature = "query")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CampaignFormat {
    Text,
    /// The schema allclear/campaign/1.
    Json,
    /// One self-contained page with charts.
    Html,
}

#[cfg(feature = "query")]
#[derive(Debug, Args)]
pub(crate) struct Timeline {
    #[command(flatten)]
    pub(crate) access: CaseAccess,

    /// Only this host.
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,

    /// Only events from this time on, such as 2021-02-26T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<Timestamp>,

    /// Only events before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Timestamp>,

    /// Form of the timeline.
    #[arg(long, value_enum, default_value_t = TimelineFormat::TimesketchJsonl)]
    pub(crate) format: TimelineFormat,

    /// Write it to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[cfg(feature = "query")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TimelineFormat {
    /// Timesketch's JSON lines.
    TimesketchJsonl,
    /// Timesketch's CSV.
    TimesketchCsv,
    /// The body file of mactime: file times.
    Body,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KnownCommand {
    /// Make a table of shipped files from a trusted server's install folder, for `check --known`.
    Make(KnownMake),
}

#[derive(Debug, Args)]
pub(crate) struct KnownMake {
    /// A collection of a server that is known to be good, or its install folder.
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,

    /// Build that the table is for; empty means any [default: what the collection's own binaries say].
    #[arg(long, value_name = "BUILD")]
    pub(crate) build: Option<String>,

    /// The product's install folder in the collection [default: found from the evidence].
    #[arg(long, value_name = "WINDOWS PATH")]
    pub(crate) install: Option<String>,

    /// Write the table to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// A host at two times.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    pub(crate) at: CaseAt,

    #[arg(value_name = "HOST")]
    pub(crate) host: String,

    #[command(flatten)]
    pub(crate) knowledge: Knowledge,

    /// The host as its collections up to this time show it [default: all but the latest collection].
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<Timestamp>,

    /// Compared with all up to this time [default: all].
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<Timestamp>,

    /// Write JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}
