//! What really happened on a simulated server: the answers that a report is measured by.

use crate::source::Withheld;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The truth about one simulated server. Beside the evidence it is written as `truth.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    pub host: String,
    /// The product's install folder; absent where the product is.
    pub install: Option<String>,
    pub scenario: String,
    pub seed: u64,
    /// The scenario's story, in a sentence or two.
    pub summary: String,
    /// The name of the pack that the verdict is about.
    pub campaign: String,
    /// The verdict of a right report on the whole evidence. With evidence withheld it may be a lesser one.
    pub verdict: String,
    /// The stages reached, lowest first; empty where nothing was even tried.
    pub stages: Vec<String>,
    pub footholds: Vec<Foothold>,
    pub story: Vec<Step>,
    /// When the update had been installed and the server was running again.
    pub patched: Option<Timestamp>,
    /// Builds that ran, in order.
    pub builds: Vec<BuildSpan>,
    pub log_start: Timestamp,
    /// When the evidence was collected.
    pub collected: Timestamp,
    pub withheld: Vec<Withheld>,
}

/// Something by which an intruder could come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foothold {
    /// As in a report: `web_shell`.
    pub kind: String,
    pub path: String,
    pub sha256: String,
    /// Whether it is still there when the evidence is collected.
    pub present: bool,
    /// Files that ASP.NET compiled from it.
    pub compiled: Vec<String>,
}

/// One thing that an intruder, a scanner or a defence did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub time: Timestamp,
    /// The stage that it proves, where its records survive.
    pub stage: String,
    pub title: String,
}

/// A build and the time during which it ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildSpan {
    pub build: String,
    pub from: Timestamp,
    pub until: Timestamp,
}

/// One row of the table of shipped files: `build,path,sha256`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownFile {
    pub build: String,
    /// Below the install folder, with a leading backslash.
    pub path: String,
    pub sha256: String,
}

/// The table of shipped files as a CSV file, for `--known`.
pub fn known_files_csv(known: &[KnownFile]) -> String {
    let mut lines = vec!["build,path,sha256\n".to_owned()];
    lines.extend(
        known
            .iter()
            .map(|file| format!("{},{},{}\n", file.build, file.path, file.sha256)),
    );
    lines.concat()
}
