//! Opens folders, archives and triage containers as one read-only tree with original Windows paths and hashes.

mod content;

pub use content::{Bytes, Content, HEAD_BYTES, ReadSeek};
