//! What really happened on simulated servers: the answers that a report is measured by.

use crate::source::{Source, Withheld};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The value of [`FleetTruth::schema`].
pub const SCHEMA: &str = "allclear/range-truth/1";

/// The truth about all servers of a folder of evidence. Beside the evidence it is written as `truth.json`, for one server
/// too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetTruth {
    pub schema: String,
    pub seed: u64,
    /// Empty where no fleet was simulated.
    pub organisations: Vec<Organisation>,
    pub hosts: Vec<HostTruth>,
}

impl FleetTruth {
    /// The truth about one server that belongs to no fleet.
    pub fn of_one(host: HostTruth) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            seed: host.seed,
            organisations: Vec::new(),
            hosts: vec![host],
        }
    }

    /// Without what is said of campaigns in which no scenario of these hosts plays: whoever is asked about servers is not
    /// asked about every campaign that there ever was.
    #[must_use]
    pub fn played(mut self) -> Self {
        let played: BTreeSet<String> = self
            .hosts
            .iter()
            .filter_map(|host| Some(host.campaigns.first()?.campaign.clone()))
            .collect();
        for host in &mut self.hosts {
            host.campaigns
                .retain(|campaign| played.contains(&campaign.campaign));
        }
        self
    }

    /// As JSON, indented, with a line end.
    ///
    /// # Errors
    /// When a value cannot be written as JSON, which does not happen.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }
}

/// Who owns servers of a fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    pub id: String,
    pub name: String,
    pub sector: String,
    /// Two letters, ISO 3166-1.
    pub country: String,
    pub employees: u32,
    /// Names of its servers.
    pub hosts: Vec<String>,
}

/// The truth about one simulated server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostTruth {
    pub host: String,
    /// The id of its [`Organisation`], in a fleet.
    pub organisation: Option<String>,
    /// The scenario's name, or names joined by `+`.
    pub scenario: String,
    pub seed: u64,
    /// The scenario's story, in a sentence or two.
    pub summary: String,
    /// The product's install folder; absent where the product is.
    pub install: Option<String>,
    /// Since when logs were written.
    pub log_start: Timestamp,
    /// Builds that ran, in order.
    pub builds: Vec<BuildSpan>,
    /// When the update had been installed and the server was running again.
    pub patched: Option<Timestamp>,
    /// In the order in which they were taken.
    pub collections: Vec<CollectionTruth>,
    /// The one that the scenario plays in comes first; then, by name, every other that there is.
    pub campaigns: Vec<CampaignTruth>,
}

/// One collection of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionTruth {
    /// Below `evidence/`; empty until whoever writes it says where.
    pub path: String,
    pub taken: Timestamp,
    pub withheld: Vec<Withheld>,
    /// What was broken on purpose, in words.
    pub damaged: Vec<String>,
}

/// The truth about one server and one campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignTruth {
    /// The name of the pack.
    pub campaign: String,
    /// What a right report says on this evidence; see [`crate::verdict::verdict`].
    pub verdict: String,
    /// Other verdicts that are right too; never an assuring one.
    pub accepted: Vec<String>,
    /// Whether anybody got in, whatever is left to see.
    pub compromised: bool,
    /// Whether a record or file of a step that proves an effect is in the evidence.
    pub provable: bool,
    /// Whether the evidence holds, whole, everything that must be seen before anybody says `clear`.
    pub covered: bool,
    /// The stages reached, lowest first; empty where nothing was even tried.
    pub stages: Vec<String>,
    /// The first and the last step that proves an effect, of all that happened.
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// The state when the last evidence was taken, in the words of a report: `not_affected`, `vulnerable`, `patched`, or
    /// `unknown` where the evidence does not show that the product is absent. Empty in truths of old.
    #[serde(default)]
    pub exposure: String,
    /// When the server could have been broken into: from, until.
    pub exposed: Vec<(Timestamp, Timestamp)>,
    pub footholds: Vec<Foothold>,
    pub story: Vec<Step>,
}

/// Something by which an intruder could come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foothold {
    /// As in a report: `web_shell`.
    pub kind: String,
    pub path: String,
    /// Of the file's content; empty where it is no file.
    pub sha256: String,
    /// Whether it is still there when the last collection is taken.
    pub present: bool,
    /// Files that ASP.NET compiled from it, or the page behind which it answers: it may be told by their names.
    pub compiled: Vec<String>,
    /// Kinds of evidence that hold it, what was compiled of it, or a record of what put it there.
    pub left_in: Vec<Source>,
}

/// One thing that an intruder, a scanner or a defence did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub time: Timestamp,
    /// The stage that it proves, where its records survive.
    pub stage: String,
    pub title: String,
    /// Who did it: the name of the scenario's actor.
    pub actor: String,
    /// Kinds of evidence that still hold a record or file of it.
    pub left_in: Vec<Source>,
}

/// A build and the time during which it ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildSpan {
    pub build: String,
    pub from: Timestamp,
    pub until: Timestamp,
}

/// One row of the table of shipped files: `build,path,sha256`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KnownFile {
    pub build: String,
    /// Below the install folder, with a leading backslash.
    pub path: String,
    pub sha256: String,
}

/// What a named person states about one gate of a campaign's eviction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    pub host: String,
    pub campaign: String,
    /// The id of a gate that people decide.
    pub gate: String,
    /// `pass`, `fail` or `not_applicable`.
    pub answer: String,
    pub by: String,
    pub role: String,
    pub time: Timestamp,
    pub statement: String,
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

/// Statements as a CSV file (RFC 4180, every text quoted), for `--attest`.
pub fn attestations_csv(attestations: &[Attestation]) -> String {
    let mut lines = vec!["host,campaign,gate,answer,by,role,time,statement\n".to_owned()];
    lines.extend(attestations.iter().map(|attestation| {
        let time = attestation.time.to_string();
        let cells = [
            &attestation.host,
            &attestation.campaign,
            &attestation.gate,
            &attestation.answer,
            &attestation.by,
            &attestation.role,
            &time,
            &attestation.statement,
        ]
        .map(|cell| format!("\"{}\"", cell.replace('"', "\"\"")));
        format!("{}\n", cells.join(","))
    }));
    lines.concat()
}
