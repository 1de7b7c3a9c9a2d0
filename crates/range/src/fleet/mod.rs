//! Fleets: many organisations with their servers, hit as in the campaign of early 2021, and the truth about all of them.
//!
//! [`draw_fleet`] decides who there is and what befell whom; [`make_fleet`] writes the evidence. What is drawn follows
//! published figures where there are any:
//!
//! - **Patch dates** follow a [curve](curve) through the figures of Microsoft, `RiskIQ` and DIVD, in
//!   `data/fleet-patching.csv`, each with its source. Some servers are never patched. Groups of organisations patch
//!   earlier or later, yet the whole fleet follows the curve.
//! - **Waves**: a few targeted organisations from 5 January, everybody from 26 February, more groups from the day after the
//!   update, copycats from the day the exploit was public. A group works at its own hours and has the same tools
//!   everywhere; several meet on one server.
//! - **Evidence** is kept as long, and is as broken, as `data/fleet.json` says.
//!
//! Every rate stands in those two files, with its source or marked as an assumption.

mod curve;
mod data;
mod draw;
mod rehearse;
mod write;

pub use draw::{Fleet, FleetHost, Visit, draw_fleet};
pub use write::{FleetProgress, make_fleet, make_server};

use crate::{ContainerKind, Error, Withheld};
use std::io;
use std::path::PathBuf;

/// What fleet to make.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// Decides everything that is drawn.
    pub seed: u64,
    pub hosts: usize,
    pub scenario: FleetScenario,
    /// The containers of the hosts' evidence, taken in turn.
    pub containers: Vec<ContainerKind>,
    /// Adds requests of people until the text logs of each host have about this size, in bytes.
    pub text_bytes: Option<u64>,
    /// How often Exchange probes its protocols, in minutes; see [`Options`](crate::Options::probe_minutes).
    pub probe_minutes: u16,
    /// Evidence that every host lacks.
    pub withhold: Vec<Withheld>,
    /// How many hosts are made at the same time. It changes no byte.
    pub jobs: usize,
}

impl FleetOptions {
    /// A fleet of so many hosts as the campaign would have left it, in zip archives.
    pub fn new(seed: u64, hosts: usize) -> Self {
        Self {
            seed,
            hosts,
            scenario: FleetScenario::Campaign,
            containers: vec![ContainerKind::Zip],
            text_bytes: None,
            probe_minutes: 30,
            withhold: Vec::new(),
            jobs: 1,
        }
    }
}

/// What befalls the hosts of a fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FleetScenario {
    /// What the fleet's model draws.
    Campaign,
    /// Each scenario in turn.
    Every,
    /// The same on each host.
    Named(String),
}

/// Why no fleet came out.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    #[error("a fleet has at least one host")]
    NoHosts,
    #[error("a fleet needs a container for its evidence")]
    NoContainer,
    #[error("{} is not empty", .0.display())]
    NotEmpty(PathBuf),
    #[error("the tables of the fleet are wrong: {0}")]
    Tables(String),
    #[error("host {host} cannot be made")]
    Host { host: String, source: Error },
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Make(#[from] Error),
}
