//! What evidence says about the host itself.

use crate::{
    Build, Compilation, FileTimes, Place, SourceName, Timestamp, WebPage, WebPagesLeftOut,
};
use serde::{Deserialize, Serialize};

/// A fact and the place that states it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FactAt {
    pub fact: Fact,
    pub place: Place,
}

/// Something about the host: a name, a product build at a time, a virtual directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    HostName(HostNameSeen),
    Taken(TakenAt),
    Build(BuildSeen),
    Setup(Setup),
    InstallPath(InstallPath),
    VirtualDirectory(VirtualDirectory),
    RewriteRule(RewriteRule),
    IisModule(IisModule),
    CompiledPage(CompiledPage),
    WebAccess(WebAccess),
    WebPage(WebPage),
    WebPagesLeftOut(WebPagesLeftOut),
    Compilation(Compilation),
    FileTimes(FileTimes),
    EventLog(EventLogState),
    LogFile(LogFile),
    Persistence(Persistence),
    PriorTool(PriorTool),
    ListedFile(ListedFile),
    /// Base UTC offset in minutes east, and the zone's Windows name.
    TimeZone {
        offset_minutes: i32,
        name: String,
    },
}

impl Fact {
    /// The id of the product that it shows to be on the host.
    pub fn product(&self) -> Option<&str> {
        match self {
            Self::Build(seen) => Some(&seen.product),
            Self::Setup(setup) => Some(&setup.product),
            Self::InstallPath(install) => Some(&install.product),
            _ => None,
        }
    }
}

/// A computer name, and how surely it is this host's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostNameSeen {
    /// As written; a domain suffix may follow.
    pub name: String,
    /// Which rule found it, for the report: `registry ComputerName`, `event log Computer`, …
    pub rule: String,
    /// Lower wins; see [`host_name_rank`].
    pub rank: u8,
}

/// Ranks of the rules that find a host's name, the surest first.
pub mod host_name_rank {
    /// `ControlSet…\Control\ComputerName` in the SYSTEM hive.
    pub const REGISTRY: u8 = 10;
    /// The collector's own record of the host it ran on.
    pub const COLLECTOR: u8 = 20;
    /// The product's setup log.
    pub const SETUP_LOG: u8 = 30;
    /// `ServerHostName`/`ServerName` in the product's own logs.
    pub const PRODUCT_LOG: u8 = 40;
    /// `Computer` in event logs: forwarded logs name other hosts.
    pub const EVENT_LOG: u8 = 50;
    /// `s-computername` in web logs.
    pub const WEB_LOG: u8 = 60;
}

/// When the collection was taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TakenAt {
    pub time: Timestamp,
    /// Which rule found it.
    pub rule: String,
}

/// A build of a product, and when evidence shows it running.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BuildSeen {
    /// The product's id in `knowledge/`: `exchange`.
    pub product: String,
    pub build: Build,
    /// First and last time that this item shows this build without another one between; both absent where the
    /// item speaks of the time of collection (registry, file version).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// Records that say so.
    pub count: u64,
    /// Which rule found it: `HttpProxy row`, `ECP entry`, `registry Setup key`, `file version`, …
    pub rule: String,
}

/// A finished installation or upgrade, from a setup log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Setup {
    pub product: String,
    pub build: Build,
    pub time: Timestamp,
    /// `install`, `upgrade`, `uninstall`, `recover`; `unknown` where the log does not say.
    pub mode: String,
    pub succeeded: Option<bool>,
    /// Whether this is the first entry of a log that begins with the product's first installation.
    pub first_installation: bool,
}

/// Where a product is installed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstallPath {
    pub product: String,
    /// Windows path without a trailing backslash.
    pub path: String,
    pub rule: String,
}

/// A virtual directory or application root of a web server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VirtualDirectory {
    pub site: String,
    /// Id of the site as in its log folder's name (`W3SVC1` is 1).
    pub site_id: u32,
    /// Path in the URL, such as `/owa`.
    pub url_path: String,
    /// As configured; environment variables are not expanded.
    pub physical_path: String,
}

/// A URL Rewrite inbound rule and whether it really acts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RewriteRule {
    /// Site and path where the rule is defined, such as `Default Web Site/ecp`; empty for the server.
    pub location: String,
    pub name: String,
    pub enabled: bool,
    pub pattern: String,
    /// Inputs of its conditions with their patterns, as `{HTTP_COOKIE} =~ pattern`.
    pub conditions: Vec<String>,
    /// `AbortRequest`, `CustomResponse`, `Redirect`, `Rewrite`, `None`.
    pub action: String,
    /// Virtual directories (`Default Web Site/owa`) whose own configuration cancels the rule (`<clear/>`, `<remove>`).
    pub cancelled_in: Vec<String>,
    /// Why the rule does not act as its name says, where it does not: disabled, wrong action, later rule never reached.
    pub faults: Vec<String>,
}

/// A native module loaded into the web server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IisModule {
    pub name: String,
    /// Path of its DLL as configured.
    pub image: String,
}

/// A page that ASP.NET compiled: it existed and was requested, even if its source is gone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CompiledPage {
    /// URL path of the source page: `/owa/auth/name.aspx`.
    pub virtual_path: String,
    /// Assembly that holds the compiled code, such as `App_Web_llfrjg0v`.
    pub assembly: String,
    /// Original Windows paths of the source files it depends on, where given.
    pub sources: Vec<String>,
}

/// Requests for one path at one web site, summed up over one log file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WebAccess {
    pub source: SourceName,
    /// URL path, decoded once, lower case.
    pub path: String,
    pub status: u16,
    pub method: String,
    pub first: Timestamp,
    pub last: Timestamp,
    pub count: u64,
    /// Client address of the first request.
    pub client: String,
    /// User agent of the first request.
    pub user_agent: String,
}

/// The state of one Windows event log file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventLogState {
    pub channel: String,
    pub computer: String,
    pub first_id: u64,
    pub last_id: u64,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// Record ids that are not there although they lie between the first and the last, with the times around them.
    pub missing_ids: Vec<IdHole>,
    /// The id the log would have given next, from the file header; more than `last_id + 1` says that later records
    /// were cut off.
    pub next_id: Option<u64>,
    /// Whether this is the live log file itself, so that it covers all time up to the collection; an export
    /// (JSON lines, CSV) shows only what it holds.
    pub live: bool,
}

/// Ids missing inside a log that numbers its records.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IdHole {
    pub first_id: u64,
    pub last_id: u64,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// One file of a log that is rotated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LogFile {
    pub source: SourceName,
    /// File name without folder.
    pub name: String,
    /// When the file was begun by its own head (`#Date:`) or by its name; absent where neither says.
    pub begun: Option<Timestamp>,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    pub records: u64,
    /// Rotation period that the name shows, in seconds: 3600 for hourly names, 86400 for daily ones.
    pub period_seconds: Option<u32>,
    /// Columns that every row has a place for, as the log names them; empty where the log has no named columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
}

/// Something that starts by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Persistence {
    pub kind: PersistenceKind,
    pub name: String,
    /// Command line or image path as configured.
    pub command: String,
    /// Registration or last-write time where the artifact itself holds one (a key's last write, a task's date).
    pub changed: Option<Timestamp>,
    /// Which clock that time is of, such as `last write of the registry key`; where it is absent, what is stated instead
    /// and why that is no time. Empty where nothing at all is stated.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub clock: String,
    pub author: String,
}

/// What the command of a [`PersistenceKind::Account`] says of the account, several joined by commas. It runs nothing.
pub mod account_state {
    /// A member of the group of administrators.
    pub const ADMINISTRATOR: &str = "an administrator";
    /// Windows signs it in under the number of another account.
    pub const ACTS_AS_ANOTHER: &str = "acts as another account";
    /// Nobody may sign in with it.
    pub const DISABLED: &str = "disabled";
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersistenceKind {
    Service,
    ScheduledTask,
    /// Whatever the registry has run or loaded at start or logon.
    RunKey,
    /// A native or managed module that the web server loads.
    IisModule,
    TransportAgent,
    WmiSubscription,
    /// A local account, or an event that made or changed one.
    Account,
    /// A local group with its members, or an event that put somebody into a group.
    GroupMembership,
}

impl PersistenceKind {
    /// The stable name used in knowledge tables and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::ScheduledTask => "scheduled_task",
            Self::RunKey => "run_key",
            Self::IisModule => "iis_module",
            Self::TransportAgent => "transport_agent",
            Self::WmiSubscription => "wmi_subscription",
            Self::Account => "account",
            Self::GroupMembership => "group_membership",
        }
    }
}

/// Traces of a tool that earlier responders ran.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PriorTool {
    /// `EOMT`, `MSERT`, `Test-ProxyLogon`, …
    pub tool: String,
    pub time: Option<Timestamp>,
    /// What it reports to have done or found, one sentence.
    pub outcome: String,
}

/// A file that a listing names; its bytes were not seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ListedFile {
    pub path: String,
    pub size: Option<u64>,
    pub sha256: Option<String>,
}
