//! The main path: evidence of hosts in, verdicts out.
//!
//! Start with [`check`], then [`worker::run`], which reads and detects inside a process that may die, and
//! [`supervise`], which starts such processes, watches them and turns a death into a gap. [`gather`] joins what they say
//! into one [`model::Observed`] a host; `assess` judges it.
//!
//! This crate does not know how it is called: settings, terminal and clock belong to the binary.

mod compilation;
mod gather;
mod hunt;
pub mod job;
mod look;
mod sent;
mod share;
mod sink;
pub mod supervise;
mod verdicts;
pub mod worker;

use evidence::Collection;
use job::{Knowledge, Task};
use model::report::Report;
use model::{Attestation, ItemSeen, Timestamp};
use supervise::Crew;

pub use hunt::{HuntMatch, Hunted, hunt};
pub use look::{Counted, Looked, count_matches, each_record};
pub use supervise::{Progress, SuperviseError, WorkerCommand};

/// What to judge by, and as of when.
#[derive(Debug)]
pub struct Judgement<'a> {
    pub packs: &'a [pack::Pack],
    pub knowledge: assess::Knowledge<'a>,
    /// Overrides the names that the evidence gives.
    pub host: Option<&'a str>,
    /// Default: when the latest collection was taken. Statements of a later time are not made yet.
    pub as_of: Option<Timestamp>,
    /// What named persons state about gates of an eviction, of any host.
    pub attestations: &'a [Attestation],
}

/// Receives the manifest: every item of every collection, in a stable order.
pub type ManifestSink<'a> = &'a mut dyn FnMut(&str, &ItemSeen) -> std::io::Result<()>;

/// Checks collections: reads them with a crew of workers, joins what they saw host by host, and judges each.
///
/// The report does not depend on the order of the collections nor on the number of workers.
pub fn check(
    collections: &[Collection],
    knowledge: &Knowledge,
    crew: &Crew,
    judgement: &Judgement<'_>,
    manifest: ManifestSink<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Report, SuperviseError> {
    let seen = supervise::read(
        collections,
        knowledge,
        crew,
        Task::Check,
        progress,
        &mut |_matches| {},
    )?;
    let correlations = worker::Correlations::new(knowledge);
    let correlate = |sightings| correlations.find(sightings);
    let web_logs = sent::web_logs(&seen);
    let given = collections;
    let (mut hosts, collections) = gather::hosts(seen, judgement, &correlate);
    sent::weigh(given, knowledge, crew, &web_logs, &mut hosts, progress)?;
    for collection in &collections {
        for item in &collection.items {
            manifest(&collection.id, item).map_err(SuperviseError::Manifest)?;
        }
    }
    Ok(verdicts::report(hosts, judgement))
}
