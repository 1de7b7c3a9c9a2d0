//! A case: what is kept of everything that was read and judged, so that it can be asked and judged again.
//!
//! Start with [`Case`]. Its ledger (SQLite or PostgreSQL) holds what was judged, its objects (a folder or an S3-compatible
//! store) hold what was seen; [`events`] are Parquet files that other tools read as they are. docs/case-format.md says what
//! lies where.
//!
//! This crate knows no clock: every time is an argument, in microseconds since 1970 UTC.

mod case;
mod error;
pub mod events;
mod judged;
mod ledger;
mod objects;
pub mod response;
mod rows;

pub use case::{
    Added, Broken, Case, Chain, Changed, Claim, FileKind, Forgotten, Head, NewCollection, NewFile,
    NewJob, NewPart, Run, Settings, Value, Verified, Wrong,
};
pub use error::CaseError;
pub use judged::{Judged, micros};
pub use ledger::FORMAT;
pub use objects::{Contents, LocalObject, Objects, host_key};
pub use rows::{
    AuditRow, CollectionRow, CoverageRow, FindingRow, GapRow, HostRow, JobRow, LocationRow,
    ObjectRow, PartRow, TakenRow, VerdictRow,
};
