//! A case: collections are read and committed one by one, and hosts are judged from what the case holds.
//!
//! [`check`] goes on wherever a run before it ended: what is committed is not done again. First the evidence that is new is
//! read ([`read`]); then, where packs, rules or indicators are others than before, detection runs once more over the stored
//! events ([`crate::again`]); then every host is judged of which something is new ([`judge`]).
//!
//! Other processes can do the reading ([`check_elsewhere`]): they are given an [`Order`], each carries out some of its parts, and
//! commits to the same case by the tokens of its jobs.

mod digest;
mod elsewhere;
mod hunt;
mod judge;
mod read;

use crate::job::Knowledge;
use crate::supervise::{Crew, Progress, SuperviseError};
use crate::verdicts::{self, Judged};
use crate::worker::Rules;
use crate::{Judgement, gather};
use digest::Digests;
pub use elsewhere::{Order, OrderError, Seat, carry_out, check_elsewhere};
use evidence::Collection;
use gather::Part;
pub use hunt::{Stored, hunt};
use model::report::{PackUsed, Report};
use model::{Accounting, Gap, ItemSeen, Timestamp};
use read::Taken;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread;
use store::{
    Added, Case, Changed, Claim, CollectionRow, FileKind, NewCollection, NewFile, NewJob, NewPart,
    micros,
};

/// Kind of the jobs that read a collection.
const READ: &str = "read";

/// Collections that are read by one crew: starting readers takes longer than reading a small one.
const TOGETHER_MAX: usize = 16;

/// Bytes of the collections that are read by one crew, where they are several.
const TOGETHER_BYTES_MAX: u64 = 64 << 20;

/// How long a job is held without a sign of life, in microseconds: reading the largest item there may be takes less.
const LEASE: i64 = 24 * 3_600 * 1_000_000;

/// Memory for bringing events into order, in bytes; the rest is done in files.
pub(crate) const SORT_BYTES_MAX: usize = 64 << 20;

/// How hard blobs are packed: 3 is zstd's own middle.
const LEVEL: i32 = 3;

/// Under which the case keeps what it was judged by as a whole.
const JUDGED_WITH: &str = "judged_with";

/// What stops the work on a case.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    #[error(transparent)]
    Supervise(#[from] SuperviseError),
    #[error(transparent)]
    Store(#[from] store::CaseError),
    #[error(transparent)]
    Events(#[from] store::events::EventsError),
    #[error("cannot look at {}", .0.display())]
    Evidence(PathBuf, #[source] std::io::Error),
    #[error("cannot write in the case's folder")]
    Staging(#[source] std::io::Error),
    /// A version of Allclear wrote it that this one does not understand, or something damaged it.
    #[error("the case's object {0} cannot be read")]
    Object(String, #[source] std::io::Error),
    #[error("the rules cannot be compiled")]
    Rules,
    /// Temporary files, or whoever takes the matches.
    #[error("cannot write the matches")]
    Output(#[source] std::io::Error),
    /// What others were asked to read and did not.
    #[error("{count} collections were not read; {first}")]
    NotRead { count: usize, first: String },
    #[error(transparent)]
    Order(#[from] OrderError),
    #[error("the case has no host {0}")]
    NoHost(String),
    #[error("the case knows {0} by one collection only, or by none up to that time")]
    NoEarlier(String),
}

/// A run over a case.
pub struct Work<'a> {
    pub case: &'a Case,
    pub knowledge: &'a Knowledge,
    pub crew: &'a Crew,
    pub judgement: &'a Judgement<'a>,
    /// Whether evidence is read again that the case has read and that looks unchanged.
    pub reread: bool,
    /// The clock.
    pub now: &'a (dyn Fn() -> Timestamp + Sync),
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Collections that came in, and those that the case had.
    pub read: u64,
    pub known: u64,
    /// Hosts whose evidence was given, in order of name.
    pub hosts: BTreeSet<String>,
    /// Hosts that were judged.
    pub judged: u64,
    /// Verdicts that are others than before: host, campaign, and what they were and are.
    pub changes: Vec<Change>,
}

/// A verdict that changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    pub host: String,
    pub campaign: String,
    /// Absent where the host was not judged for this campaign before.
    pub before: Option<String>,
    pub now: String,
    /// What caused it.
    pub why: String,
}

/// A part as the case keeps it.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptPart {
    /// Over the rules and indicators that were run, and over those for bytes when these were read.
    detection: String,
    bytes: String,
    part: Part,
}

/// A judgement as the case keeps it.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptJudged {
    judged_with: String,
    packs: Vec<PackUsed>,
    judged: Judged,
}

/// Reads what is new of the collections into the case, and judges every host of which something is new.
///
/// # Errors
/// When readers cannot be started or the case cannot be written. What was committed until then stays, and the next run goes
/// on behind it.
pub fn check(
    work: &Work<'_>,
    collections: &[Collection],
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Done, CaseError> {
    let digests = Digests::of(work.knowledge, work.judgement);
    let mut done = Done::default();
    let mut problems = None;
    let jobs = jobs(work, collections, &mut done)?;
    take_in(
        work,
        &digests,
        collections,
        jobs,
        &mut done,
        &mut problems,
        progress,
    )?;
    judge::judge(work, &digests, &mut done, problems)?;
    done.changes.sort();
    Ok(done)
}

/// Between path and kind of container in a location.
const BETWEEN: &str = " | ";

/// Path and kind of container of a location that the case knows.
pub fn location_parts(location: &str) -> (&str, &str) {
    location.rsplit_once(BETWEEN).unwrap_or((location, ""))
}

/// A collection that is to be read.
struct ToRead {
    number: usize,
    location: String,
    fingerprint: String,
    bytes: u64,
    claim: Claim,
}

impl Weighed for ToRead {
    fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Writes down what is to be read, and takes it in hand. Of what the case knows already only the hosts are noted.
fn jobs(
    work: &Work<'_>,
    collections: &[Collection],
    done: &mut Done,
) -> Result<Vec<ToRead>, CaseError> {
    let mut new = Vec::new();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for (number, collection) in collections.iter().enumerate() {
        let location = std::path::absolute(&collection.location)
            .unwrap_or_else(|_| collection.location.clone())
            .to_string_lossy()
            .into_owned();
        // Loose files beside collections are another one at the same place.
        let location = format!("{location}{BETWEEN}{}", collection.container);
        let print = evidence::fingerprint(collection)
            .map_err(|error| CaseError::Evidence(collection.location.clone(), error))?;
        let found = work.case.known_location(&location, &print.digest)?;
        match found.filter(|_| !work.reread) {
            Some(id) => {
                done.known += 1;
                known.insert(id);
            }
            None => new.push((number, location, print)),
        }
    }
    if !known.is_empty() {
        work.case.each_part(&mut |part| {
            if known.contains(&part.collection) {
                done.hosts.insert(part.host);
            }
        })?;
    }
    let id = |location: &str, print: &evidence::Fingerprint| {
        gather::sha256(&format!("{READ}\n{location}\n{}", print.digest))
    };
    let jobs: Vec<NewJob> = new
        .iter()
        .map(|(_, location, print)| NewJob {
            id: id(location, print),
            kind: READ.to_owned(),
            subject: location.clone(),
        })
        .collect();
    work.case.add_jobs(&jobs)?;
    let now = micros((work.now)());
    let mut to_read = Vec::new();
    for ((number, location, print), job) in new.into_iter().zip(jobs) {
        // The right to run is this run's alone: whoever had it in hand before is dead.
        if let Some(claim) = work.case.take_over(&job.id, work.case.id(), now, LEASE)? {
            to_read.push(ToRead {
                number,
                location,
                fingerprint: print.digest,
                bytes: print.bytes,
                claim,
            });
        }
    }
    Ok(to_read)
}

/// Reads collection after collection; what was read is committed while the next ones are read.
fn take_in(
    work: &Work<'_>,
    digests: &Digests,
    collections: &[Collection],
    jobs: Vec<ToRead>,
    done: &mut Done,
    problems: &mut Option<BTreeSet<String>>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), CaseError> {
    let staging = work.case.staging();
    let (say, hear) = sync_channel::<(Vec<(ToRead, Taken)>, PathBuf)>(1);
    thread::scope(|scope| {
        let committing = scope.spawn(move || -> Result<(u64, u64, BTreeSet<String>), CaseError> {
            let (mut read, mut known, mut hosts) = (0, 0, BTreeSet::new());
            for (taken, folder) in hear {
                for (job, taken) in taken {
                    hosts.extend(taken.shared.parts.iter().map(|part| part.host.clone()));
                    let commit = Commit {
                        case: work.case,
                        detection: &digests.detection,
                        bytes: &digests.bytes,
                        reread: work.reread,
                        now: micros((work.now)()),
                    };
                    let location = (job.location.as_str(), job.fingerprint.as_str());
                    match commit.collection(&job.claim, location, taken, &folder)? {
                        Added::New => read += 1,
                        Added::Known => known += 1,
                    }
                }
                // What is left behind is removed when the next run begins.
                let _ = std::fs::remove_dir_all(&folder);
            }
            Ok((read, known, hosts))
        });
        let mut outcome = Ok(());
        for (number, batch) in batches(jobs, TOGETHER_MAX, TOGETHER_BYTES_MAX)
            .into_iter()
            .enumerate()
        {
            let folder = staging.join(format!("read-{number}"));
            let read = std::fs::create_dir_all(&folder)
                .map_err(CaseError::Staging)
                .and_then(|()| {
                    let numbers: Vec<usize> = batch.iter().map(|job| job.number).collect();
                    let forced = work.judgement.host;
                    read::read(
                        collections,
                        &numbers,
                        work.knowledge,
                        work.crew,
                        forced,
                        &folder,
                        progress,
                    )
                });
            match read {
                Ok(read) => {
                    *problems = Some(read.rule_problems);
                    let taken = batch.into_iter().zip(read.taken).collect();
                    // Who commits is gone only with an error of its own, which is told below.
                    if say.send((taken, folder)).is_err() {
                        break;
                    }
                }
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        drop(say);
        let committed = committing.join().expect("committing does not panic");
        let (read, known, hosts) = committed?;
        done.read += read;
        done.known += known;
        done.hosts.extend(hosts);
        outcome
    })
}

/// What is put into batches by its size.
trait Weighed {
    fn bytes(&self) -> u64;
}

/// Small collections together, at most so many and so many bytes; large ones alone; in the order given.
fn batches<T: Weighed>(jobs: Vec<T>, together_max: usize, bytes_max: u64) -> Vec<Vec<T>> {
    let mut batches: Vec<Vec<T>> = Vec::new();
    let mut bytes = 0_u64;
    for job in jobs {
        let own = job.bytes();
        let fits = bytes.saturating_add(own) <= bytes_max;
        match batches.last_mut() {
            Some(batch) if fits && batch.len() < together_max => {
                bytes += own;
                batch.push(job);
            }
            _ => {
                bytes = own;
                batches.push(vec![job]);
            }
        }
    }
    batches
}

/// Where and how what was read is committed.
struct Commit<'a> {
    case: &'a Case,
    /// Digests over the rules and indicators that were run, and over those for bytes.
    detection: &'a str,
    bytes: &'a str,
    /// Whether what the case has of a collection is replaced.
    reread: bool,
    /// The clock, in microseconds since 1970.
    now: i64,
}

impl Commit<'_> {
    /// Commits one collection as a whole, if the claim still holds.
    fn collection(
        &self,
        claim: &Claim,
        location: (&str, &str),
        taken: Taken,
        folder: &Path,
    ) -> Result<Added, CaseError> {
        let seen = &taken.shared.seen;
        let own = folder.join(format!("out-{}", taken.number));
        std::fs::create_dir_all(&own).map_err(CaseError::Staging)?;
        let written = store::events::write(&taken.staged, &seen.id, &own, SORT_BYTES_MAX)?;
        let mut files: Vec<NewFile> = written
            .into_iter()
            .map(|written| NewFile {
                kind: FileKind::Events,
                host: written.host,
                file: written.file,
                rows: written.rows,
                first: written.first,
                last: written.last,
            })
            .collect();
        for (number, part) in taken.shared.parts.iter().enumerate() {
            let file = own.join(format!("items-{number}.parquet"));
            let items = &part.seen.items;
            store::events::write_items(items, &part.host, &seen.id, &file)?;
            files.push(NewFile {
                kind: FileKind::Items,
                host: part.host.clone(),
                file,
                rows: items.len() as u64,
                first: None,
                last: None,
            });
        }
        let mut accounting = Accounting::default();
        for item in &seen.items {
            accounting.add(item);
        }
        let row = row(&taken.shared.seen, &accounting);
        let parts = taken
            .shared
            .parts
            .into_iter()
            .map(|part| new_part(self.detection, self.bytes, part))
            .collect();
        let new = NewCollection {
            row,
            parts,
            files,
            location: Some((location.0.to_owned(), location.1.to_owned())),
        };
        let added = self.case.commit_collection(Some(claim), &new, self.now)?;
        if added == Added::Known && self.reread {
            self.case.replace_parts(&new.row.id, &new.parts, self.now)?;
        }
        Ok(added)
    }
}

/// A part as it is kept, when it was looked at by the rules of now; those for bytes may be older.
fn new_part(detection: &str, bytes: &str, part: Part) -> NewPart {
    NewPart {
        host: part.host.clone(),
        rule: part.host_rule.clone(),
        bytes: encode(&KeptPart {
            detection: detection.to_owned(),
            bytes: bytes.to_owned(),
            part,
        }),
    }
}

fn row(seen: &model::CollectionSeen, accounting: &Accounting) -> CollectionRow {
    let rejected: BTreeMap<&str, u64> = accounting
        .rejected
        .iter()
        .map(|rejected| (rejected.reason.as_str(), rejected.count))
        .collect();
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    CollectionRow {
        id: seen.id.clone(),
        sha256: seen.sha256.clone(),
        label: seen.path.clone(),
        container: seen.container.clone(),
        taken: seen.taken.map(micros),
        taken_rule: seen.taken_rule.clone(),
        items: count(accounting.items),
        bytes: count(accounting.bytes),
        records_in: count(accounting.records_in),
        events: count(accounting.events),
        rejected: serde_json::to_string(&rejected).expect("texts and numbers are JSON"),
        ..CollectionRow::default()
    }
}

/// The report over these hosts of the case, or over all of them.
pub fn report(case: &Case, hosts: Option<&BTreeSet<String>>) -> Result<Report, CaseError> {
    let mut names = Vec::new();
    case.each_host(&mut |host| {
        if hosts.is_none_or(|wanted| wanted.contains(&host.host)) {
            names.extend(host.report_object);
        }
    })?;
    let mut packs: BTreeSet<PackUsed> = BTreeSet::new();
    let mut judged = Vec::new();
    for name in names {
        let kept: KeptJudged = read_object(case, &name)?;
        packs.extend(kept.packs);
        judged.push(kept.judged);
    }
    Ok(verdicts::report(judged, packs.into_iter().collect()))
}

/// Every item of these collections, as the manifest lists them.
pub fn manifest(
    case: &Case,
    hosts: &BTreeSet<String>,
    out: &mut dyn FnMut(&str, &ItemSeen) -> std::io::Result<()>,
) -> Result<(), CaseError> {
    let mut parts = Vec::new();
    case.each_part(&mut |part| {
        if hosts.contains(&part.host) {
            parts.push(part);
        }
    })?;
    let mut lines: BTreeSet<(String, String, ItemSeen)> = BTreeSet::new();
    for part in parts {
        let kept: KeptPart = read_object(case, &part.object)?;
        let seen = kept.part.seen;
        lines.extend(
            seen.items
                .into_iter()
                .map(|item| (seen.path.clone(), seen.id.clone(), item)),
        );
    }
    for (_, id, item) in &lines {
        out(id, item).map_err(SuperviseError::Manifest)?;
    }
    Ok(())
}

pub use judge::{Times, at_times};

fn encode(value: &impl Serialize) -> Vec<u8> {
    let json = serde_json::to_vec(value).expect("what is kept is JSON");
    zstd::encode_all(json.as_slice(), LEVEL).expect("memory can be written to")
}

fn read_object<T: DeserializeOwned>(case: &Case, name: &str) -> Result<T, CaseError> {
    let bytes = case.read_object(name)?;
    let failed = |error| CaseError::Object(name.to_owned(), error);
    let reader = zstd::Decoder::new(bytes.as_slice()).map_err(failed)?;
    serde_json::from_reader(std::io::BufReader::new(reader)).map_err(|error| failed(error.into()))
}

/// The verdicts that changed with one commit.
fn changes(host: &str, changed: Vec<Changed>, why: &str) -> impl Iterator<Item = Change> {
    changed.into_iter().map(move |changed| Change {
        host: host.to_owned(),
        campaign: changed.campaign,
        before: changed.before,
        now: changed.now,
        why: why.to_owned(),
    })
}

/// Gaps of rules that cannot run, which every host has.
fn problem_gaps(rules: &Rules<'_>, known: Option<BTreeSet<String>>) -> Result<Vec<Gap>, CaseError> {
    let sentences = match known {
        Some(sentences) => sentences,
        None => rules.engine().ok_or(CaseError::Rules)?.1.clone(),
    };
    Ok(gather::rule_problems(&sentences))
}
