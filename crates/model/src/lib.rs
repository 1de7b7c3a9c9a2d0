//! The nouns every other crate speaks in: places, records, facts, gaps, findings, coverage and the report.
//!
//! Plain data and the invariants that hold everywhere. This crate does no I/O and knows no other crate of ours.
//! Start with [`Place`] (every statement points back to one), [`Record`] (the lazy view that readers offer and
//! detection looks fields up in), [`Observed`] (all that was seen of one host) and [`report::Report`] (what is said).

mod activity;
mod attestation;
mod build;
pub mod diff;
mod fact;
mod finding;
mod gap;
mod layout;
mod observed;
mod path;
mod place;
mod record;
pub mod report;
mod screen;
mod source;
mod span;
mod traces;
mod web_page;

pub use activity::{Activity, MINUTES_PER_DAY};
pub use attestation::{Answer, Attestation};
pub use build::{Build, BuildError};
pub use fact::{
    BuildSeen, CompiledPage, EventLogState, Fact, FactAt, HostNameSeen, IdHole, IisModule,
    InstallPath, ListedFile, LogFile, Persistence, PersistenceKind, PriorTool, RewriteRule, Setup,
    TakenAt, VirtualDirectory, WebAccess, account_state, host_name_rank,
};
pub use finding::{EVIDENCE_BYTES_MAX, Finding, Foothold, FootholdKind, FootholdState, Stage};
pub use gap::{Gap, GapKind};
pub use jiff::Timestamp;
pub use layout::Layout;
pub use observed::{Accounting, CollectionSeen, ItemSeen, Observed, Rejected, SentTo};
pub use path::{extension, file_name, parent, same_path, windows_path};
pub use place::{At, Place};
pub use record::{Record, Value};
pub use screen::{Columns, Interest, Rows, Screen, Screening};
pub use source::SourceName;
pub use span::Span;
pub use traces::{Compilation, FileTimes};
pub use web_page::{AGENTS_NAMED_MAX, CLIENTS_NAMED_MAX, Named, WebPage, WebPagesLeftOut};
