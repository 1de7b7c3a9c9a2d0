//! Opens folders, archives and triage containers as one read-only tree with original Windows paths and hashes.
//!
//! [`discover`] finds the collections at the given paths, [`walk`] offers every file of one to a [`Visitor`]:
//! its original path, its bytes as bounded [`Content`], and its SHA-256. What cannot be read is told as a gap.
//! This is the only place that opens evidence, and it never writes to it. It holds the bounds on hostile input
//! ([`Limits`]) and knows what containers are; what files mean is none of its business, but for the few in which a
//! collector wrote about its own work ([`is_collector_record`], [`container_facts`], [`container_gaps`]).
//!
//! ```
//! use evidence::{Content, Decision, Digest, Entry, Options, Visitor, walk_bytes};
//!
//! #[derive(Default)]
//! struct Listing(Vec<String>);
//!
//! impl Visitor for Listing {
//!     fn begin(&mut self, _entry: &Entry) -> Decision {
//!         Decision::Read
//!     }
//!     fn content(&mut self, _entry: &Entry, _content: &mut dyn Content) {}
//!     fn end(&mut self, entry: &Entry, digest: &Digest) {
//!         self.0.push(format!("{} {}", &digest.sha256[..8], entry.path));
//!     }
//!     fn gap(&mut self, path: &str, kind: model::GapKind, detail: &str) {
//!         self.0.push(format!("{} {path}: {detail}", kind.name()));
//!     }
//! }
//!
//! let mut listing = Listing::default();
//! walk_bytes("u_ex210303.log", b"#Software: x".to_vec(), &Options::default(), &mut listing);
//! assert_eq!(listing.0, ["2f7fb423 u_ex210303.log"]);
//! ```

#![warn(clippy::arithmetic_side_effects)]

mod collector;
mod content;
mod discover;
mod fingerprint;
mod item;
mod limits;
mod open;
mod restore;
mod sniff;
mod times;
mod walk;

pub use collector::{
    COLLECTOR_RECORD_BYTES_MAX, CollectorGap, container_facts, container_gaps, is_collector_record,
};
pub use content::{Bytes, COMPANION_BYTES_MAX, COMPANIONS, Content, HEAD_BYTES, ReadSeek};
pub use discover::{Collection, DiscoverError, discover};
pub use fingerprint::{Fingerprint, fingerprint};
pub use item::Digest;
pub use limits::{ENTRIES_CEILING, Limits, Options};
pub use sniff::is_archive;
pub use walk::{Decision, Entry, Visitor, walk, walk_bytes};
