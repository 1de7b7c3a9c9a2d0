//! Collections that other processes read into the case, on this machine or on others.
//!
//! Whoever wants them read puts down an [`Order`]: the rules and bounds that are to be used, and the collections in batches. Any
//! number of processes carry out batches of it, in any order and more than once: each collection is a job of the ledger, which
//! one process at a time holds by a lease and which is committed by its newest token alone. What a process began and did not end
//! is taken over by another one when its lease has run out.

use super::digest::of_detection;
use super::read::read;
use super::{
    Added, CaseError, Commit, Digests, Done, Weighed, Work, batches, encode, jobs, judge,
    read_object,
};
use crate::gather::hex;
use crate::job::{Knowledge, place};
use crate::supervise::Crew;
use crate::worker;
use evidence::Collection;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;
use store::{Case, Claim, micros};

/// Collections of a batch, and their bytes: few enough that many processes have something to do, and enough that starting a
/// reader for each batch is a small part of the work.
const TOGETHER_MAX: usize = 8;
const TOGETHER_BYTES_MAX: u64 = 16 << 20;

/// How often it is looked whether a job that another process holds is done.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Form of an order.
const FORMAT: &str = "allclear/order/1";

/// Why an order cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    #[error("the order has no batch {0}")]
    NoBatch(usize),
    /// Judgements of a case must all rest on the same rules.
    #[error(
        "this process has other built-in packs or another version of Allclear than the one that gave the order"
    )]
    OtherRules,
    #[error(transparent)]
    Worker(#[from] worker::WorkerError),
}

/// What others are to read into a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    format: String,
    knowledge: Knowledge,
    /// Digests over rules and indicators, as whoever gives the order computed them.
    detection: String,
    bytes: String,
    /// The host whose evidence all of it is said to be.
    host: Option<String>,
    reread: bool,
    batches: Vec<Vec<Errand>>,
}

/// One collection to be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Errand {
    /// Its job in the ledger.
    job: String,
    /// Where the case has it, and what it looked like there.
    location: String,
    fingerprint: String,
    #[serde(with = "place")]
    collection: Collection,
    bytes: u64,
}

impl Weighed for Errand {
    fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Order {
    /// Number of its batches: each is to be carried out by itself.
    pub fn batches(&self) -> usize {
        self.batches.len()
    }

    /// The password of the evidence, to be handed on by a way that nobody else reads: it does not lie in the case.
    pub fn password(&self) -> Option<&str> {
        self.knowledge.options.password.as_deref()
    }

    /// Puts the order down in the case, for as long as the run lasts; gives the object's name.
    pub fn put(&self, case: &Case) -> Result<String, CaseError> {
        let mut public = self.clone();
        public.knowledge.options.password = None;
        let bytes = encode(&public);
        let name = format!("orders/{}.json.zst", hex(&Sha256::digest(&bytes)));
        case.objects().put_bytes(&name, &bytes)?;
        Ok(name)
    }

    /// The order that was put down under this name, if this process uses the same rules.
    pub fn get(case: &Case, name: &str, password: Option<String>) -> Result<Self, CaseError> {
        let mut order: Self = read_object(case, name)?;
        if order.format != FORMAT {
            return Err(OrderError::OtherRules.into());
        }
        let packs = worker::packs(&order.knowledge).map_err(OrderError::Worker)?;
        let (detection, bytes) = of_detection(&order.knowledge, &packs);
        if (&detection, &bytes) != (&order.detection, &order.bytes) {
            return Err(OrderError::OtherRules.into());
        }
        order.knowledge.options.password = password;
        Ok(order)
    }
}

/// As [`check`](super::check), but others read what is new: `carried_out` is given the order, and returns when nothing more comes
/// of it. Hosts are judged here.
///
/// # Errors
/// As for [`check`](super::check); when collections were not read, after what was read has been judged.
pub fn check_elsewhere(
    work: &Work<'_>,
    collections: &[Collection],
    carried_out: &mut dyn FnMut(&Order) -> Result<(), String>,
) -> Result<Done, CaseError> {
    let digests = Digests::of(work.knowledge, work.judgement);
    let mut done = Done::default();
    let to_read = jobs(work, collections, &mut done)?;
    let mut known = BTreeSet::new();
    work.case.each_collection(&mut |row| {
        known.insert(row.id);
    })?;
    let mut errands = Vec::new();
    for job in to_read {
        work.case
            .give_back(&job.claim, "waits for a process elsewhere")?;
        let collection = collections[job.number].clone();
        let location = std::path::absolute(&collection.location)
            .map_err(|error| CaseError::Evidence(collection.location.clone(), error))?;
        errands.push(Errand {
            job: job.claim.job,
            location: job.location,
            fingerprint: job.fingerprint,
            collection: Collection {
                location,
                ..collection
            },
            bytes: job.bytes,
        });
    }
    let ids: Vec<String> = errands.iter().map(|errand| errand.job.clone()).collect();
    let mut failed = None;
    if !errands.is_empty() {
        let order = Order {
            format: FORMAT.to_owned(),
            knowledge: work.knowledge.clone(),
            detection: digests.detection.clone(),
            bytes: digests.bytes.clone(),
            host: work.judgement.host.map(str::to_owned),
            reread: work.reread,
            batches: batches(errands, TOGETHER_MAX, TOGETHER_BYTES_MAX),
        };
        failed = carried_out(&order).err();
    }
    let not_read = take_stock(work.case, &ids, known, &mut done)?;
    judge::judge(work, &digests, &mut done, None)?;
    done.changes.sort();
    match not_read {
        (0, _) => Ok(done),
        (count, first) => Err(CaseError::NotRead {
            count,
            first: failed.or(first).unwrap_or_default(),
        }),
    }
}

/// Which of the jobs are done, and whose evidence it was. Gives how many are not, and what is known of the first of these.
fn take_stock(
    case: &Case,
    jobs: &[String],
    mut known: BTreeSet<String>,
    done: &mut Done,
) -> Result<(usize, Option<String>), CaseError> {
    let mut read = BTreeSet::new();
    let (mut not_read, mut first) = (0, None);
    for id in jobs {
        let job = case.job(id)?;
        let collection = job.as_ref().and_then(|job| job.collection.clone());
        if let Some(collection) =
            collection.filter(|_| job.as_ref().is_some_and(|job| job.state == "done"))
        {
            if known.insert(collection.clone()) {
                done.read += 1;
            } else {
                done.known += 1;
            }
            read.insert(collection);
        } else {
            not_read += 1;
            first = first.or(job.and_then(|job| job.error));
        }
    }
    case.each_part(&mut |part| {
        if read.contains(&part.collection) {
            done.hosts.insert(part.host);
        }
    })?;
    Ok((not_read, first))
}

/// Who carries out an order.
pub struct Seat<'a> {
    pub case: &'a Case,
    pub crew: &'a Crew,
    /// What the ledger calls this process.
    pub owner: &'a str,
    /// How long it holds a job without a sign of life, which it gives three times in this span. Others wait as long for what
    /// a process had in hand that died.
    pub lease: Duration,
    /// A folder of its own for what it has in hand; emptied when it is done.
    pub folder: &'a Path,
    /// The clock.
    pub now: &'a (dyn Fn() -> Timestamp + Sync),
}

impl Seat<'_> {
    fn micros(&self) -> i64 {
        micros((self.now)())
    }

    fn lease(&self) -> i64 {
        i64::try_from(self.lease.as_micros()).unwrap_or(i64::MAX)
    }
}

/// Carries out one batch of an order: reads what nobody has read yet, and waits for what another process has in hand. Gives
/// the number of collections that this process read.
///
/// # Errors
/// When readers cannot be started or the case cannot be written; jobs are given back with what went wrong.
pub fn carry_out(seat: &Seat<'_>, order: &Order, batch: usize) -> Result<u64, CaseError> {
    let mut left: Vec<&Errand> = order
        .batches
        .get(batch)
        .ok_or(OrderError::NoBatch(batch))?
        .iter()
        .collect();
    let mut read = 0;
    while !left.is_empty() {
        let mut mine: Vec<(&Errand, Claim)> = Vec::new();
        let mut others = Vec::new();
        for errand in left {
            let now = seat.micros();
            if let Some(claim) = seat
                .case
                .claim_job(&errand.job, seat.owner, now, seat.lease())?
            {
                mine.push((errand, claim));
            } else {
                let job = seat.case.job(&errand.job)?;
                if job.is_some_and(|job| job.state == "running") {
                    others.push(errand);
                }
            }
        }
        if mine.is_empty() {
            if !others.is_empty() {
                thread::sleep(LOOK_AGAIN);
            }
        } else {
            read += held(seat, order, &mine)?;
        }
        left = others;
    }
    Ok(read)
}

/// Reads and commits what this process holds, and shows signs of life meanwhile.
fn held(seat: &Seat<'_>, order: &Order, mine: &[(&Errand, Claim)]) -> Result<u64, CaseError> {
    // What is committed is not held any longer.
    let open: Mutex<BTreeMap<&str, &Claim>> = Mutex::new(
        mine.iter()
            .map(|(errand, claim)| (errand.job.as_str(), claim))
            .collect(),
    );
    let (stop, stopped) = channel::<()>();
    let third = seat.lease / 3;
    let outcome = thread::scope(|scope| {
        let open = &open;
        scope.spawn(move || {
            // The other end is dropped when the work is done.
            while stopped.recv_timeout(third) == Err(RecvTimeoutError::Timeout) {
                for claim in open.lock().unwrap_or_else(PoisonError::into_inner).values() {
                    // Whoever has lost a job learns it when committing.
                    let _ = seat.case.renew(claim, seat.micros(), seat.lease());
                }
            }
        });
        let outcome = read_and_commit(seat, order, mine, open);
        drop(stop);
        outcome
    });
    let _ = std::fs::remove_dir_all(seat.folder);
    if let Err(error) = &outcome {
        let told = error.to_string();
        for claim in open
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
        {
            // Who cannot give it back has lost it already, or will by its lease.
            let _ = seat.case.give_back(claim, &told);
        }
    }
    outcome
}

fn read_and_commit(
    seat: &Seat<'_>,
    order: &Order,
    mine: &[(&Errand, Claim)],
    open: &Mutex<BTreeMap<&str, &Claim>>,
) -> Result<u64, CaseError> {
    // Nobody else writes here, and a run before this one may have been killed.
    let _ = std::fs::remove_dir_all(seat.folder);
    std::fs::create_dir_all(seat.folder).map_err(CaseError::Staging)?;
    let collections: Vec<Collection> = mine
        .iter()
        .map(|(errand, _)| errand.collection.clone())
        .collect();
    for collection in &collections {
        // Evidence that this machine does not have is not evidence without anything in it.
        std::fs::metadata(&collection.location)
            .map_err(|error| CaseError::Evidence(collection.location.clone(), error))?;
    }
    let numbers: Vec<usize> = (0..collections.len()).collect();
    let seen = read(
        &collections,
        &numbers,
        &order.knowledge,
        seat.crew,
        order.host.as_deref(),
        seat.folder,
        &mut |_progress| {},
    )?;
    let mut read = 0;
    for ((errand, claim), taken) in mine.iter().zip(seen.taken) {
        let commit = Commit {
            case: seat.case,
            detection: &order.detection,
            bytes: &order.bytes,
            reread: order.reread,
            now: seat.micros(),
        };
        let location = (errand.location.as_str(), errand.fingerprint.as_str());
        match commit.collection(claim, location, taken, seat.folder) {
            Ok(Added::New) => read += 1,
            // Another process took over what this one was too slow for, and commits it.
            Ok(Added::Known) | Err(CaseError::Store(store::CaseError::LeaseLost(_))) => {}
            Err(error) => return Err(error),
        }
        open.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(errand.job.as_str());
    }
    Ok(read)
}
