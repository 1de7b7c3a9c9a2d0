//! The main path: evidence of hosts in, verdicts out.
//!
//! Start with [`check`], then [`worker::run`], which reads and detects inside a process that may die, and
//! [`supervise`], which starts such processes, watches them and turns a death into a gap. [`gather`] joins what they say
//! into one [`model::Observed`] a host; `assess` judges it.
//!
//! This crate does not know how it is called: settings, terminal and clock belong to the binary.

mod again;
pub mod case;
mod compilation;
mod gather;
mod hunt;
pub mod job;
mod look;
mod put_down;
mod sent;
mod share;
mod sink;
pub mod supervise;
mod verdicts;
pub mod worker;

use evidence::Collection;
use job::Knowledge;
use model::report::Report;
use model::{Attestation, ItemSeen, Timestamp};
use std::collections::BTreeMap;
use supervise::{Ask, Crew};

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
        Ask::default(),
        progress,
        &mut |_matches| {},
    )?;
    let rules = worker::Rules::new(knowledge);
    let correlate = |sightings| rules.correlate(sightings);
    let web_logs = sent::web_logs(&seen);
    let problems = gather::rule_problems(&seen.rule_problems);
    let mut by_id = BTreeMap::new();
    for raw in seen.collections {
        let shared = gather::shared(raw, judgement.host);
        // The same evidence under two paths is one collection.
        by_id.entry(shared.seen.id.clone()).or_insert(shared);
    }
    let mut shared: Vec<_> = by_id.into_values().collect();
    shared.sort_by(|a, b| (&a.seen.path, &a.seen.id).cmp(&(&b.seen.path, &b.seen.id)));
    for collection in &shared {
        for item in &collection.seen.items {
            manifest(&collection.seen.id, item).map_err(SuperviseError::Manifest)?;
        }
    }
    let parts = shared.into_iter().flat_map(|collection| collection.parts);
    let mut hosts = gather::hosts(parts, &problems, judgement, &correlate);
    sent::weigh(
        collections,
        knowledge,
        crew,
        &web_logs,
        &mut hosts,
        progress,
    )?;
    let leads = pack::LeadTable::builtin();
    let judged = hosts
        .into_iter()
        .map(|host| verdicts::judge(host, judgement, &leads));
    Ok(verdicts::report(
        judged,
        verdicts::packs_used(judgement.packs),
    ))
}
