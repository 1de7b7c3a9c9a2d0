//! Loads campaign packs and knowledge tables into checked types, with messages for their authors.
//!
//! [`builtin_packs`] gives the campaigns that come with Allclear, [`Pack::load`] reads one from a folder, and
//! [`lint_folder`] tells its author what is wrong with it. [`Pack::status_of`] judges a build; [`BuildTable`] names
//! it; [`products`] says how a product shows that it is installed, or absent.
//!
//! ```
//! let known = pack::BuildTable::builtin();
//! for campaign in pack::builtin_packs() {
//!     let build = "15.1.2176.9".parse().unwrap();
//!     let status = campaign.status_of("exchange", &build, &known);
//!     println!("{}: {status:?}", campaign.manifest.name);
//! }
//! ```
//!
//! This crate must not know evidence, nor how rules are run: rules are text here, with their ids and meanings.

mod analyses;
mod archive;
mod builds;
mod draft;
mod examples;
mod files;
mod indicators;
mod leads;
mod lint;
mod load;
mod meaning;
mod patch;
mod problem;
mod products;
mod questions;
mod review;
#[cfg(test)]
mod schema;
pub mod shipped_files;
mod signature;
mod tables;
mod types;

/// Which fields of a source feed which column of a case's events, as YAML that `store` reads.
pub const EVENT_COLUMNS: &str = include_str!("../../../knowledge/events.yaml");

pub use analyses::{ANALYSES, KnownAnalysis};
pub use archive::ARCHIVE_BYTES_MAX;
pub use builds::BuildTable;
pub use draft::{Advisory, Draft, FILL_IN};
pub use files::PackFiles;
pub use leads::{LeadLimit, LeadLimits, LeadSignal, LeadTable, LeadWeight};
pub use lint::{lint, lint_files, lint_folder};
pub use load::builtin_packs;
pub use meaning::{RuleHead, sigma_heads, yara_heads};
pub use problem::{Code, PackError, Problem, Spot};
pub use products::{
    Absence, Family, HiveAbsence, Product, ProductBinary, SetupValues, VersionPrefix, product,
    products,
};
pub use questions::{Contradiction, Question, questions};
pub use review::{Review, ReviewedKind, ReviewedSource, Shipped, ShippedStart, Signs};
pub use signature::{PackKey, SignatureError};
pub use types::*;
