//! Questions over a case: SQL over every event, finding and gap; the campaign seen from above; timelines.
//!
//! [`Questions`] is `DataFusion` over what the ledger of a case names: Parquet objects of events and items, and the
//! ledger's own rows. It answers, and changes nothing. [`VIEWS`] are the questions that come up in every campaign,
//! [`above`] draws one campaign over all hosts, [`timeline`] hands events to other tools.
//!
//! This crate does not know how evidence is read, never prints, and reads no clock but for a question's deadline.

pub mod above;
pub mod distant;
mod files;
mod ledger;
mod output;
mod question;
mod source;
mod tables;
pub mod timeline;
mod views;

pub use output::{Csv, JsonLines, Parquet, Sink, Table};
pub use question::{Answer, Elsewhere, Limits, QueryError, Questions};
pub use source::{Address, Cell, Ledger, LedgerError, Object, Opener, Source};
pub use tables::{Column, Kind, LedgerTable, TABLES};
pub use views::{VIEWS, View};
