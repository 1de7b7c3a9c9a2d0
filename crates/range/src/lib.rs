//! The range: synthetic evidence of servers and fleets, with the truth about them, for tests, demonstrations, benchmarks
//! and drills.
//!
//! [`make`] writes what a collector would have taken from an Exchange server on which a [scenario](scenarios) happened:
//! proxy, web and component logs, event logs, registry hives, configuration, web folders, compiled pages. It returns the
//! [`HostTruth`]: what a right report says. The same [`Options`] give the same bytes, on any machine.
//!
//! **What is real.** The formats: event logs are EVTX files with BinXML templates, hives are regf files, programs are PE
//! files with version resources, text logs have the heads and columns of the product. Each writer in [`formats`] names
//! the description that it follows, and reads its output back with an independent parser in its tests. The shape of an
//! attack follows the published logs of a real victim (`HelseCERT`) and of a laboratory (OTRF Security-Datasets).
//!
//! **What is synthetic.** Every name, address, user, identifier and time. Addresses are of the ranges kept for
//! documentation. Files that the product ships are stand-ins of our own words: pass [`Made::known_files`] to whatever
//! judges them. Programs cannot run. Web shells are the real texts, as they must be found; in this repository they are
//! kept in parts, and put together only when evidence is made.
//!
//! **A new scenario** is a file in `packs/NAME/range/scenarios`: acts (who, when, which chapters), the server's traits, its
//! collections, and what a right report says. Chapters are lists of steps with the records that they leave
//! (`chapters.json`); what an actor draws by seed stands in `actors.json`. See `docs/range.md`.
//!
//! **Small and quick.** A default server has about 60 MB, most of it heads of hourly log files. Tests that make many of
//! them raise [`probe_minutes`](Options::probe_minutes) or shorten the time simulated.
//!
//! **Fleets** are drawn by [`draw_fleet`] and written by [`make_fleet`]; [`score`] holds a report against the truth;
//! [`drill`] seals a truth for a team.
//!
//! **Not simulated**: message tracking and protocol logs, `$MFT`, memory, and the reports of earlier responders' tools.
//!
//! This crate does not know how findings and verdicts are made; it must stay that way, or it could not measure them.
//!
//! ```
//! use range::{Collection, Layout, Memory, Options, make};
//!
//! let options = Options {
//!     start: "2021-02-25T00:00:00Z".parse()?,
//!     end: "2021-03-05T00:00:00Z".parse()?,
//!     ..Options::new("clean", 1)
//! };
//! let mut evidence = Collection::new(Memory::default(), Layout::Drives);
//! let made = make(&options, &mut evidence)?;
//! assert_eq!(made.truth.campaigns[0].verdict, "unproven");
//! assert!(evidence.container.files.contains_key("C/Windows/System32/config/SYSTEM"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod archive;
mod calendar;
mod campaign;
mod container;
mod damage;
pub mod drill;
mod events;
mod files;
mod fleet;
pub mod formats;
mod habits;
mod layout;
mod library;
mod logs;
mod make;
mod moment;
mod names;
mod people;
mod product;
mod random;
pub mod score;
mod server;
mod sink;
mod source;
mod story;
mod traffic;
mod truth;
pub mod verdict;
mod victims;
mod windows;
mod witness;

pub use archive::{SevenZip, Tar, Zip};
pub use container::{ContainerKind, open_container};
pub use fleet::{
    Fleet, FleetError, FleetHost, FleetOptions, FleetProgress, FleetScenario, Visit, draw_fleet,
    make_fleet, make_server,
};
pub use layout::{Collection, Layout};
pub use make::{Collected, Made, collection_name, make, make_host, make_in_folder};
pub use sink::{Container, Folder, Memory, Sink, Taken};
pub use source::{Source, Withheld};
pub use story::{
    About, CampaignNeeds, about, actors, campaigns, needs, scenarios, showcase, summary,
};
pub use truth::{
    Attestation, BuildSpan, CampaignTruth, CollectionTruth, FleetTruth, Foothold, HostTruth,
    KnownFile, Organisation, SCHEMA, Step, attestations_csv, known_files_csv,
};
pub use victims::{
    ORGANISATIONS_MAX, VICTIMS_CAMPAIGN, VICTIMS_SCHEMA, VictimsOptions, VictimsScore,
    VictimsTruth, make_victims,
};

use jiff::Timestamp;
use std::collections::BTreeMap;

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Options {
    /// Decides everything that is drawn: names, times, payloads, users.
    pub seed: u64,
    /// One of [`scenarios`], or several joined by `+`.
    pub scenario: String,
    /// The organisation's domain name without `.example`, and its `NetBIOS` name; drawn where absent.
    pub organisation: Option<(String, String)>,
    /// Two letters, ISO 3166-1: decides the time zone, which is drawn where absent.
    pub country: Option<String>,
    /// When the first act of the story begins; drawn where absent. Later acts keep their distance.
    pub begin: Option<Timestamp>,
    /// Seeds of the scenario's actors, by the names that it gives them. Two servers that an actor of the same seed
    /// visited met the same intruder: the same tools, shell names and keys, parameters, agents and addresses.
    pub actor_seeds: BTreeMap<String, u64>,
    /// The host's name; drawn where absent.
    pub host: Option<String>,
    /// The product's install folder, without a trailing backslash; on drive C by default.
    pub install: Option<String>,
    /// Where the logs begin.
    pub start: Timestamp,
    /// When the evidence is collected.
    pub end: Timestamp,
    /// The build before the patch, four parts; drawn where absent.
    pub build_before: Option<String>,
    /// The build after the patch; drawn where absent.
    pub build_after: Option<String>,
    pub patching: Patching,
    /// How often Exchange probes its main protocols, in minutes; others are probed at every eighth turn. A real server
    /// does it every minute; the default keeps the evidence small and still steady.
    pub probe_minutes: u16,
    /// Adds requests of people until the text logs have about this size, in bytes.
    pub text_bytes: Option<u64>,
    /// After how many days a source's log files are deleted; sources not named keep everything. Comes before what the
    /// scenario says.
    pub retention_days: BTreeMap<Source, u32>,
    /// How large the file of an event log may become before it drops its oldest records, in bytes; record ids go on.
    /// Logs not named keep everything.
    pub event_log_bytes: BTreeMap<Source, u64>,
    pub withhold: Vec<Withheld>,
}

impl Options {
    /// A server of `scenario` by `seed`, over the time that its campaign's scenarios take.
    pub fn new(scenario: &str, seed: u64) -> Self {
        let (start, end) = story::simulated(scenario);
        Self {
            seed,
            scenario: scenario.to_owned(),
            organisation: None,
            country: None,
            begin: None,
            actor_seeds: BTreeMap::new(),
            host: None,
            install: None,
            start,
            end,
            build_before: None,
            build_after: None,
            patching: Patching::AsInScenario,
            probe_minutes: 30,
            text_bytes: None,
            retention_days: BTreeMap::new(),
            event_log_bytes: BTreeMap::new(),
            withhold: Vec::new(),
        }
    }
}

/// Whether and when the security update is installed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patching {
    /// When the scenario says so.
    #[default]
    AsInScenario,
    /// Services stop for it at this time; it must be after the story.
    At(Timestamp),
    Never,
}

/// Why no evidence came out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no scenario is named {0}; there are {names}", names = scenarios().join(", "))]
    Scenario(String),
    #[error("{0} is not a build of four parts")]
    Build(String),
    #[error("no source of evidence is named {0}; there are {names}", names = Source::ALL.map(Source::name).join(", "))]
    Source(String),
    #[error("no container is named {0}; there are {names}", names = ContainerKind::ALL.map(ContainerKind::name).join(", "))]
    Container(String),
    #[error(
        "{0} does not say what to withhold: write source, source:instance or source@from..until"
    )]
    Withheld(String),
    #[error("the scenario's story does not lie within the time simulated")]
    OutsideWindow,
    #[error("the patch comes before the end of the scenario's story")]
    PatchedTooEarly,
    #[error("{first} and {second} cannot happen on one server: they disagree about {about}")]
    Contradiction {
        first: String,
        second: String,
        about: &'static str,
    },
    #[error("{0} never begins, as what it comes after does not happen")]
    NeverBegun(String),
    #[error("a scenario draws from {0}, which does not exist")]
    Choice(String),
    #[error("no campaign is named {0}")]
    Campaign(String),
    #[error("nobody describes the product {0}")]
    Product(String),
    #[error("a scenario names the chapter {0}, which does not exist")]
    Chapter(String),
    #[error("a scenario gives {0} as a status")]
    Status(String),
    #[error("a scenario's data cannot be read")]
    Data(#[from] serde_json::Error),
    #[error("cannot write the evidence")]
    Io(#[from] std::io::Error),
}
