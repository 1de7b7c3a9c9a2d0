//! Names of the sources that records and files come from.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A kind of evidence and, after a colon, which instance of it: `exchange.httpproxy:ecp`, `iis.site:1`,
/// `windows.eventlog:application`, `windows.registry:system`, `files:web_roots`. Always lower case.
///
/// Needs of a pack name sources; coverage is kept by source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceName(String);

impl SourceName {
    /// A source that has no instances.
    pub fn new(family: &str) -> Self {
        Self(family.to_lowercase())
    }

    /// One instance of a family.
    pub fn of(family: &str, instance: &str) -> Self {
        Self(format!("{family}:{instance}").to_lowercase())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the colon.
    pub fn family(&self) -> &str {
        self.0
            .split_once(':')
            .map_or(&*self.0, |(family, _)| family)
    }

    /// The part after the colon.
    pub fn instance(&self) -> Option<&str> {
        self.0.split_once(':').map(|(_, instance)| instance)
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
