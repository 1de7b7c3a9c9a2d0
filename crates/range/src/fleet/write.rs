//! Writes a fleet: the evidence of each host, made by several threads, and the tables and the truth beside it.

use super::draw::{Fleet, FleetHost, draw_fleet};
use super::{FleetError, FleetOptions};
use crate::truth::{Attestation, HostTruth, KnownFile, SCHEMA, attestations_csv, known_files_csv};
use crate::{
    Collected, ContainerKind, FleetTruth, Made, Options, Organisation, collection_name, make_host,
    open_container,
};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// A host has been made.
#[derive(Clone, Copy, Debug)]
pub struct FleetProgress<'a> {
    pub host: &'a str,
    pub done: usize,
    pub of: usize,
}

/// Writes a fleet into `folder`, which must not exist or be empty: `evidence/HOST-YYYYMMDD.zip` or another container for
/// each collection, `known-files.csv`, `organisations.csv`, `attestations.csv` where anybody attests anything, and
/// `truth.json`, which is written last and so stands for the whole. `tell` is called from the threads that make the hosts.
///
/// The same options give the same bytes, whatever [`jobs`](FleetOptions::jobs) is. At any time each job holds one host in
/// memory; of finished hosts only the truth is kept.
///
/// # Errors
/// When the options make no fleet, when the folder is not empty or cannot be written, or when a host cannot be made; the
/// error names it.
pub fn make_fleet(
    options: &FleetOptions,
    folder: &Path,
    tell: &(dyn Fn(FleetProgress<'_>) + Sync),
) -> Result<FleetTruth, FleetError> {
    must_be_free(folder)?;
    let fleet = draw_fleet(options)?;
    let evidence = folder.join("evidence");
    fs::create_dir_all(&evidence).map_err(|source| FleetError::Write {
        path: evidence.clone(),
        source,
    })?;
    let made = make_hosts(options, &fleet, &evidence, tell)?;
    let truth = FleetTruth {
        schema: SCHEMA.to_owned(),
        seed: options.seed,
        organisations: fleet.organisations,
        hosts: made.hosts,
    };
    let write = |name: &str, text: String| write(folder, name, text);
    let known_files: Vec<KnownFile> = made.known_files.into_iter().collect();
    write("known-files.csv", known_files_csv(&known_files))?;
    write("organisations.csv", organisations_csv(&truth.organisations))?;
    if !made.attestations.is_empty() {
        write("attestations.csv", attestations_csv(&made.attestations))?;
    }
    write("truth.json", truth.to_json().map_err(crate::Error::from)?)?;
    Ok(truth)
}

/// Writes one server, which belongs to no fleet, into `folder`, which must not exist or be empty:
/// `evidence/HOST` or, where there are several collections, `evidence/HOST-YYYYMMDD`, with the container's extension;
/// `known-files.csv`, `attestations.csv` where anybody attests anything, and `truth.json`.
///
/// # Errors
/// As [`make_fleet`].
pub fn make_server(
    options: &Options,
    kind: ContainerKind,
    folder: &Path,
) -> Result<Made, FleetError> {
    must_be_free(folder)?;
    let evidence = folder.join("evidence");
    let mut made = make_named(options, kind, &evidence, &collection_name)?;
    made.known_files.sort();
    let write = |name: &str, text: String| write(folder, name, text);
    write("known-files.csv", known_files_csv(&made.known_files))?;
    if !made.attestations.is_empty() {
        write("attestations.csv", attestations_csv(&made.attestations))?;
    }
    let truth = FleetTruth::of_one(made.truth.clone()).to_json();
    write("truth.json", truth.map_err(crate::Error::from)?)?;
    Ok(made)
}

/// A folder that does not exist yet, or is empty.
fn must_be_free(folder: &Path) -> Result<(), FleetError> {
    let mut entries = folder.read_dir().into_iter().flatten();
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(FleetError::NotEmpty(folder.to_owned())),
    }
}

fn write(folder: &Path, name: &str, text: String) -> Result<(), FleetError> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(|source| FleetError::Write { path, source })
}

/// What the hosts of a fleet give besides their evidence.
struct MadeHosts {
    hosts: Vec<HostTruth>,
    known_files: BTreeSet<KnownFile>,
    attestations: Vec<Attestation>,
}

/// What one host came to, and where it stands in the fleet.
type Outcome = (usize, Result<(HostTruth, Vec<Attestation>), FleetError>);

fn make_hosts(
    options: &FleetOptions,
    fleet: &Fleet,
    evidence: &Path,
    tell: &(dyn Fn(FleetProgress<'_>) + Sync),
) -> Result<MadeHosts, FleetError> {
    let of = fleet.hosts.len();
    let (next, done, failed) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicBool::new(false),
    );
    let outcomes: Mutex<Vec<Outcome>> = Mutex::default();
    let known_files: Mutex<BTreeSet<KnownFile>> = Mutex::default();
    let work = || {
        while !failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(host) = fleet.hosts.get(index) else {
                break;
            };
            let made = make_one(host, evidence).map(|made| {
                let mut all = known_files.lock().unwrap_or_else(PoisonError::into_inner);
                all.extend(made.known_files);
                (made.truth, made.attestations)
            });
            failed.fetch_or(made.is_err(), Ordering::Relaxed);
            let name = host.options.host.as_deref().unwrap_or_default();
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            tell(FleetProgress {
                host: name,
                done,
                of,
            });
            let mut all = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            all.push((index, made));
        }
    };
    thread::scope(|scope| {
        for _ in 1..options.jobs.clamp(1, of.max(1)) {
            scope.spawn(work);
        }
        work();
    });
    let mut outcomes = outcomes
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(index, _)| *index);
    let mut made = MadeHosts {
        hosts: Vec::with_capacity(of),
        known_files: known_files
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner),
        attestations: Vec::new(),
    };
    for (_, outcome) in outcomes {
        let (truth, attestations) = outcome?;
        made.hosts.push(truth);
        made.attestations.extend(attestations);
    }
    Ok(made)
}

/// Writes the evidence of one host of a fleet.
fn make_one(host: &FleetHost, evidence: &Path) -> Result<Made, FleetError> {
    let name = |collected: &Collected| {
        let day = collected.time.strftime("%Y%m%d");
        format!("{}-{day}", collected.host)
    };
    let mut made = make_named(&host.options, host.container, evidence, &name)?;
    made.truth.organisation = Some(host.organisation.clone());
    Ok(made)
}

/// Writes the evidence of one host into containers of these names below `evidence`, and notes them in the truth.
fn make_named(
    options: &Options,
    kind: ContainerKind,
    evidence: &Path,
    name: &dyn Fn(&Collected) -> String,
) -> Result<Made, FleetError> {
    let mut host = options.host.clone();
    let mut paths = Vec::new();
    let made = make_host(options, &mut |collected| {
        host = Some(collected.host.clone());
        let (sink, path) = open_container(kind, &evidence.join(name(collected)))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        paths.push(name.into_owned());
        Ok(sink)
    });
    let mut made = match (made, host) {
        (Ok(made), _) => made,
        (Err(source), Some(host)) => return Err(FleetError::Host { host, source }),
        (Err(source), None) => return Err(source.into()),
    };
    for (collection, path) in made.truth.collections.iter_mut().zip(paths) {
        collection.path = path;
    }
    Ok(made)
}

/// A row for each host and its organisation. No name holds a comma or a quotation mark.
fn organisations_csv(organisations: &[Organisation]) -> String {
    let mut text = "id,name,sector,country,employees,host\n".to_owned();
    for organisation in organisations {
        let Organisation {
            id,
            name,
            sector,
            country,
            employees,
            hosts,
        } = organisation;
        for host in hosts {
            writeln!(text, "{id},{name},{sector},{country},{employees},{host}")
                .expect("a text takes whatever is written");
        }
    }
    text
}
