//! What collectors write about their own work: the host, the time, and what they could not collect.

use model::{Fact, GapKind};

/// Whether an entry of this path is a record that [`container_facts`] and [`container_gaps`] understand.
pub fn is_collector_record(_path: &str) -> bool {
    false
}

/// Host name and time of collection, as the collector itself recorded them.
pub fn container_facts(_path: &str, _bytes: &[u8]) -> Vec<Fact> {
    Vec::new()
}

/// What the collector itself says it could not collect: the path on the host (or empty), the kind, and a sentence.
pub fn container_gaps(_path: &str, _bytes: &[u8]) -> Vec<(String, GapKind, String)> {
    Vec::new()
}
