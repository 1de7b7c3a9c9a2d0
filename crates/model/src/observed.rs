//! All that was seen of one host: the input of the judgement.

use crate::{Activity, Attestation, FactAt, Finding, Gap, SourceName, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that reading and detection say about one host, over all its collections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Computer name in upper case without domain, or the name of the folder or archive.
    pub host: String,
    /// Which rule found the name.
    pub host_rule: String,
    /// Ordered by the time they were taken; collections of unknown time come first.
    pub collections: Vec<CollectionSeen>,
    pub facts: Vec<FactAt>,
    pub findings: Vec<Finding>,
    pub gaps: Vec<Gap>,
    /// Other computers that rows on this host name, with one place each: leads.
    pub other_hosts: BTreeMap<String, crate::Place>,
    /// What the web server's logs say that it sent to clients which findings name; empty where nobody asked, or no such
    /// client is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sent: Vec<SentTo>,
    /// What named persons state about this host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attestations: Vec<Attestation>,
    /// The host as it was known at each collection before the latest, oldest first, without attestations: what an
    /// eviction that was accepted then could rest on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Self>,
}

/// What one web log says that was sent to one client, over all its files and without counting a file twice that two
/// collections hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SentTo {
    /// Address of the client as the log writes it.
    pub client: String,
    /// The log: `iis.site:1`, `exchange.httpproxy:ews`.
    pub source: SourceName,
    pub rows: u64,
    /// Rows that tell no size: the log has no such column, or the field is empty.
    pub rows_without_size: u64,
    /// Sum of the sizes of all answers that tell one.
    pub bytes: u64,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// The first row.
    pub place: crate::Place,
}

/// One collection of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionSeen {
    pub id: String,
    /// The argument joined with the path below it.
    pub path: String,
    /// SHA-256 over the manifest (paths, sizes, hashes of all items in order of path), in lower-case hex.
    pub sha256: String,
    pub taken: Option<Timestamp>,
    /// Which rule found the time.
    pub taken_rule: String,
    /// Which kind of container it is: `folder`, `zip`, `kape`, `velociraptor`, …
    pub container: String,
    /// Rhythm of each source that writes records.
    pub activity: BTreeMap<SourceName, Activity>,
    /// First segments of the URL paths that each web log saw requested (`/owa`), in lower case, at most a few
    /// hundred: what was never requested had nothing to log elsewhere.
    #[serde(default)]
    pub requested: BTreeMap<SourceName, BTreeSet<String>>,
    pub items: Vec<ItemSeen>,
}

/// One item and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ItemSeen {
    /// Original Windows path, `outer!inner` for members of archives that were items.
    pub path: String,
    pub size: u64,
    /// Lower-case hex; empty where the item could not be read to its end.
    pub sha256: String,
    /// Kind of artifact (`exchange.httpproxy`, `iis.w3c`, `windows.evtx`, …); empty where not recognised.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// The source this item belongs to, where it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceName>,
    pub records_in: u64,
    pub events: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<Rejected>,
}

/// Records that were read but not understood, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rejected {
    pub reason: String,
    pub count: u64,
}

/// Totals over items: records in = events + rejected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounting {
    pub items: u64,
    pub bytes: u64,
    pub records_in: u64,
    pub events: u64,
    pub rejected: Vec<Rejected>,
}

impl Accounting {
    /// Adds one item's figures.
    pub fn add(&mut self, item: &ItemSeen) {
        self.items += 1;
        self.bytes = self.bytes.saturating_add(item.size);
        self.records_in = self.records_in.saturating_add(item.records_in);
        self.events = self.events.saturating_add(item.events);
        for rejected in &item.rejected {
            match self
                .rejected
                .iter_mut()
                .find(|known| known.reason == rejected.reason)
            {
                Some(known) => known.count = known.count.saturating_add(rejected.count),
                None => self.rejected.push(rejected.clone()),
            }
        }
        self.rejected.sort();
    }
}
