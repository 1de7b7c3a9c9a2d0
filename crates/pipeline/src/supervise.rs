//! Starts workers, watches them, and turns the death of one into a gap.
//!
//! A worker says which item it takes in hand before it touches it. When it dies or takes too long over one, that item is
//! told as `crashed`, and a new worker goes on behind it.

use crate::job::{Frame, ItemReport, Job, Knowledge, Matched, Position, Task};
use crate::share::{NOTHING_LEFT, Shares};
use crate::worker::{self, Line, WorkerError};
use evidence::Collection;
use model::{Gap, GapKind, Place};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::sync_channel;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Deaths of workers of one share before the rest of it is given up: an item takes one, so this many items are lost.
const DEATHS_MAX: u32 = 500;

/// Seconds that a worker may take to load packs and compile rules before it reads anything: thousands of rules on a
/// busy machine take minutes, and are the user's choice, not the evidence's.
const START_SECONDS: u64 = 600;

/// How often a clock is looked at that may have to stop a worker.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What glibc takes for a large block; 128 KiB would count buffers among them that come and go with each item.
const LARGE_BLOCK_BYTES: &str = "1048576";

/// What glibc keeps at the end of its heap: the buffers of an item go back and forth there.
const FREE_BYTES_KEPT: &str = "8388608";

/// A job with thousands of rules is megabytes.
const JOB_BUFFER_BYTES: usize = 256 << 10;

/// Frames that wait to be taken in from one worker; keeps a fast one from filling the memory.
const FRAMES_WAITING_MAX: usize = 16;

/// How workers are run.
#[derive(Clone, Debug)]
pub struct Crew {
    pub workers: u64,
    /// `None`: threads of this process (tests, fuzzing): a panic is still contained, an abort is not.
    pub command: Option<WorkerCommand>,
    /// Seconds that any item may take.
    pub item_seconds: u64,
    /// Further seconds for each MiB of it.
    pub seconds_per_mib: u64,
}

impl Crew {
    /// How long going through so many bytes may take.
    fn seconds_for(&self, size: Option<u64>) -> u64 {
        let mib = size.unwrap_or(0) >> 20;
        self.item_seconds
            .saturating_add(mib.saturating_mul(self.seconds_per_mib))
    }
}

/// The program that runs [`worker::run`] over its standard input and output.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    pub program: PathBuf,
    pub arguments: Vec<String>,
}

/// Tells how far the work is.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// This item was taken in hand.
    Item { path: &'a str },
    /// This many bytes of it were read.
    Read { bytes: u64 },
}

/// Why the reading as a whole failed: our environment's fault, not the evidence's.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    #[error("cannot start a worker process ({program})")]
    Start {
        program: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("a worker process ended before it was ready: {0}")]
    NotReady(String),
    #[error("a worker process said what nobody understands")]
    Garbled(#[source] serde_json::Error),
    #[error(transparent)]
    Worker(#[from] WorkerError),
    #[error("cannot write the manifest")]
    Manifest(#[source] io::Error),
    #[error("cannot write the matches, or sort them in temporary files")]
    Output(#[source] io::Error),
}

/// All that the workers said, by collection in the order given.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) collections: Vec<CollectionRaw>,
    /// Rules that cannot run, and why.
    pub(crate) rule_problems: BTreeSet<String>,
}

/// What the workers said of one collection.
#[derive(Debug)]
pub(crate) struct CollectionRaw {
    pub(crate) collection: Collection,
    pub(crate) items: BTreeMap<Position, ItemReport>,
    pub(crate) gaps: BTreeSet<Gap>,
}

enum Said {
    Frame(Frame),
    Failed(SuperviseError),
}

/// What a hunt hears while workers go on.
pub(crate) enum Told {
    /// Matches in the item of that path.
    Matches(Position, String, Vec<Matched>),
    /// Everything of this item was told.
    Done(Position),
}

/// What is asked of a run over evidence.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ask<'a> {
    pub(crate) task: Task,
    /// The only entries that are read; all of them where nothing is said.
    pub(crate) only: Option<&'a BTreeSet<Position>>,
    /// The folder that events are put down in, for a case.
    pub(crate) events: Option<&'a Path>,
}

/// Reads all collections with the whole crew.
pub(crate) fn read(
    collections: &[Collection],
    knowledge: &Knowledge,
    crew: &Crew,
    ask: Ask<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
    hear_matches: &mut dyn FnMut(Told),
) -> Result<Seen, SuperviseError> {
    let mut seen = Seen {
        collections: collections
            .iter()
            .map(|collection| CollectionRaw {
                collection: collection.clone(),
                items: BTreeMap::new(),
                gaps: BTreeSet::new(),
            })
            .collect(),
        rule_problems: BTreeSet::new(),
    };
    let workers = crew.workers.max(1);
    let (say, hear) = sync_channel(FRAMES_WAITING_MAX);
    let shares = Shares::new(collections.len());
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = usize::try_from(workers).map_or(1, |workers| processors.div_ceil(workers));
    thread::scope(|scope| {
        for worker in 0..workers {
            let job = Job {
                task: ask.task,
                knowledge: Cow::Borrowed(knowledge),
                collections: Cow::Borrowed(collections),
                threads,
                held: BTreeSet::new(),
                resume: None,
                lost: BTreeSet::new(),
                given_up: BTreeSet::new(),
                only: ask.only.cloned(),
                events: ask.events.map(|folder| events_file(folder, worker, 0)),
            };
            let say = say.clone();
            let shares = &shares;
            scope.spawn(move || {
                let tell = |said| say.send(said).map_err(io::Error::other);
                let outcome = match &crew.command {
                    Some(command) => {
                        let events = |attempt| Some(events_file(ask.events?, worker, attempt));
                        tend(job, command, crew, shares, &events, &tell)
                    }
                    None => worker::run(
                        job,
                        &mut Direct {
                            shares,
                            tell: &tell,
                        },
                    )
                    .map_err(SuperviseError::Worker),
                };
                if let Err(error) = outcome {
                    // The receiver is gone only if another worker's failure ended the run already.
                    let _ = tell(Said::Failed(error));
                }
            });
        }
        drop(say);
        let mut outcome = Ok(());
        for said in &hear {
            match said {
                Said::Frame(Frame::Matches {
                    position,
                    path,
                    matches,
                }) => hear_matches(Told::Matches(position, path, matches)),
                Said::Frame(frame) => {
                    let item = match &frame {
                        Frame::Item { position, .. } => Some(*position),
                        _ => None,
                    };
                    take_in(&mut seen, frame, progress);
                    if let Some(position) = item {
                        hear_matches(Told::Done(position));
                    }
                }
                Said::Failed(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        drop(hear);
        outcome
    })?;
    Ok(seen)
}

fn take_in(seen: &mut Seen, frame: Frame, progress: &mut dyn FnMut(Progress<'_>)) {
    match frame {
        Frame::Ready { rule_problems } => seen.rule_problems.extend(rule_problems),
        Frame::Begin { path, .. } => progress(Progress::Item { path: &path }),
        Frame::Item { position, report } => {
            progress(Progress::Read {
                bytes: report.item.size,
            });
            if let Some(raw) = seen.collections.get_mut(position.collection) {
                // A successor may tell an archive again that it had to open for the members behind.
                raw.items.entry(position).or_insert(*report);
            }
        }
        Frame::Gap { collection, gap } => {
            if let Some(raw) = seen.collections.get_mut(collection) {
                raw.gaps.insert(gap);
            }
        }
        Frame::Open { .. }
        | Frame::Claim { .. }
        | Frame::Pass { .. }
        | Frame::Matches { .. }
        | Frame::Close { .. }
        | Frame::Done => {}
    }
}

type Tell<'a> = dyn Fn(Said) -> io::Result<()> + 'a;

/// Between the supervisor and a worker in a thread.
struct Direct<'a> {
    shares: &'a Shares,
    tell: &'a Tell<'a>,
}

impl Line for Direct<'_> {
    fn say(&mut self, frame: Frame) -> io::Result<()> {
        if let Frame::Close { collection } = &frame {
            self.shares.close(*collection);
        }
        (self.tell)(Said::Frame(frame))
    }

    fn claimed(&mut self, collection: usize) -> io::Result<u64> {
        Ok(self.shares.claim(collection))
    }
}

/// A file for the events of one worker.
fn events_file(folder: &Path, worker: u64, attempt: u32) -> PathBuf {
    folder.join(format!("worker-{worker}-{attempt}.events"))
}

/// Keeps one share going until it is done, whatever its workers die of.
fn tend(
    mut job: Job<'_>,
    command: &WorkerCommand,
    crew: &Crew,
    shares: &Shares,
    events: &dyn Fn(u32) -> Option<PathBuf>,
    tell: &Tell<'_>,
) -> Result<(), SuperviseError> {
    for attempt in 0..DEATHS_MAX {
        // What a dead predecessor put down stays as it is: it was told up to its last item.
        job.events = events(attempt);
        let Some(death) = watch(&mut job, command, crew, shares, tell)? else {
            return Ok(());
        };
        if let Some(lost) = learn(&mut job, death)? {
            tell(Said::Frame(lost)).map_err(|error| WorkerError::Closed(error).into_supervise())?;
        }
    }
    for collection in 0..job.collections.len() {
        let gap = Gap::new(
            GapKind::Limit,
            Place::item("", ""),
            format!("after {DEATHS_MAX} lost readers the rest of this share was given up"),
        );
        let given_up = Frame::Gap { collection, gap };
        tell(Said::Frame(given_up)).map_err(|error| WorkerError::Closed(error).into_supervise())?;
    }
    Ok(())
}

/// What the next worker leaves alone, so that it gets further than the dead one, and the gap that this makes. A death
/// with nothing in hand, between two items or in the structure of an archive, is given a second try first.
fn learn(job: &mut Job<'_>, death: Death) -> Result<Option<Frame>, SuperviseError> {
    let Some(collection) = death.opened else {
        return Err(SuperviseError::NotReady(death.cause));
    };
    let cause = &death.cause;
    let (path, detail) = if let Some(position) = death.in_hand {
        job.resume = job.resume.max(Some(position));
        job.lost.insert(position);
        (death.path, format!("the reader was lost: {cause}"))
    } else if death.done > job.resume {
        job.resume = death.done;
        return Ok(None);
    } else if let Some(resume) = job.resume
        && resume.collection == collection
        && !death.path.is_empty()
        && job.given_up.insert((collection, resume.top))
    {
        // Of the whole collection, for what lies behind may have been anything.
        let path = &death.path;
        let detail =
            format!("the reader was lost behind {path}, with all that follows there: {cause}");
        (String::new(), detail)
    } else {
        job.resume = Some(Position::end_of(collection));
        let detail =
            format!("the reader was lost between items, and the rest was not read: {cause}");
        (String::new(), detail)
    };
    let gap = Gap::new(GapKind::Crashed, Place::item("", &path), detail);
    Ok(Some(Frame::Gap { collection, gap }))
}

impl WorkerError {
    fn into_supervise(self) -> SuperviseError {
        SuperviseError::Worker(self)
    }
}

/// How a worker ended before its share was done.
struct Death {
    /// The collection that it walked through; none where it died before that.
    opened: Option<usize>,
    in_hand: Option<Position>,
    /// Path of the last item that it had in hand.
    path: String,
    done: Option<Position>,
    cause: String,
}

/// Runs one worker process to its end; `None` when nothing is left to do. What the worker is given is noted in the job,
/// until it has gone past it.
fn watch(
    job: &mut Job<'_>,
    command: &WorkerCommand,
    crew: &Crew,
    shares: &Shares,
    tell: &Tell<'_>,
) -> Result<Option<Death>, SuperviseError> {
    let (mut child, mut answers) = start(job, command)?;
    let mut give = |held: &mut BTreeSet<(usize, u64)>, collection| {
        let top = shares.claim(collection);
        if top != NOTHING_LEFT {
            held.insert((collection, top));
        }
        if let Some(answers) = &mut answers {
            // A worker that is dead already is told by the end of its frames.
            let _ = writeln!(answers, "{top}").and_then(|()| answers.flush());
        }
    };
    let mut frames = Frames::of(&mut child);
    let clock = Clock::default();
    let mut death = Death {
        opened: None,
        in_hand: None,
        path: String::new(),
        done: job.resume,
        cause: String::new(),
    };
    let mut bound = START_SECONDS;
    let ended = thread::scope(|scope| {
        scope.spawn(|| clock.watch(&mut child));
        let ended = loop {
            clock.start(bound);
            let frame = frames.next();
            clock.stop();
            let frame = match frame {
                None => break Ok(false),
                Some(Ok(Frame::Done)) => break Ok(true),
                // Our own words not understood: no fault of the evidence, and no reason to go on guessing.
                Some(Err(error)) => break Err(SuperviseError::Garbled(error)),
                Some(Ok(frame)) => frame,
            };
            match &frame {
                Frame::Ready { .. } => bound = crew.item_seconds,
                Frame::Open { collection } => death.opened = Some(*collection),
                Frame::Claim { collection } => {
                    death.opened = Some(*collection);
                    give(&mut job.held, *collection);
                }
                Frame::Pass { size } => bound = crew.seconds_for(*size),
                Frame::Begin {
                    position,
                    path,
                    size,
                    claim,
                } => {
                    death.in_hand = Some(*position);
                    death.path.clone_from(path);
                    bound = crew.seconds_for(*size);
                    job.held = job.held.split_off(&(position.collection, position.top));
                    if *claim {
                        give(&mut job.held, position.collection);
                    }
                }
                Frame::Close { collection } => {
                    job.held = job.held.split_off(&(collection.saturating_add(1), 0));
                    shares.close(*collection);
                }
                Frame::Item { position, .. } => {
                    if death.in_hand == Some(*position) {
                        death.in_hand = None;
                    }
                    death.done = death.done.max(Some(*position));
                }
                Frame::Matches { .. } | Frame::Gap { .. } | Frame::Done => {}
            }
            if tell(Said::Frame(frame)).is_err() {
                // Nobody listens any more: the run failed elsewhere.
                break Ok(true);
            }
        };
        clock.end();
        ended
    });
    // The process may be gone already; either way it must not stay.
    let _ = child.kill();
    let status = child.wait();
    if ended? {
        return Ok(None);
    }
    death.cause = if clock.has_struck() {
        format!("it took longer than {bound} seconds and was stopped")
    } else {
        status.map_or_else(|error| error.to_string(), cause_of)
    };
    Ok(Some(death))
}

/// Ends a worker that says nothing for too long. The time runs while it is waited for, not while others hold it up.
#[derive(Default)]
struct Clock {
    state: Mutex<Ticking>,
    ended: Condvar,
}

#[derive(Default)]
struct Ticking {
    deadline: Option<Instant>,
    struck: bool,
    ended: bool,
}

impl Clock {
    fn state(&self) -> MutexGuard<'_, Ticking> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, seconds: u64) {
        self.state().deadline = Some(Instant::now() + Duration::from_secs(seconds));
    }

    fn stop(&self) {
        self.state().deadline = None;
    }

    fn end(&self) {
        self.state().ended = true;
        self.ended.notify_all();
    }

    fn has_struck(&self) -> bool {
        self.state().struck
    }

    /// Looks at the time now and then, so that nobody needs to wake it for every frame.
    fn watch(&self, child: &mut Child) {
        let mut state = self.state();
        while !state.ended {
            if state
                .deadline
                .is_some_and(|deadline| deadline <= Instant::now())
            {
                state.struck = true;
                // Its frames end with it.
                let _ = child.kill();
                return;
            }
            state = self
                .ended
                .wait_timeout(state, LOOK_EVERY)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

/// Starts a worker and tells it its job; further lines answer what it asks for.
fn start(
    job: &Job<'_>,
    command: &WorkerCommand,
) -> Result<(Child, Option<BufWriter<ChildStdin>>), SuperviseError> {
    let failed = |source| SuperviseError::Start {
        program: command.program.clone(),
        source,
    };
    let mut child = Command::new(&command.program)
        .args(&command.arguments)
        // Compiling rules takes twice the memory that they keep. glibc is to give it back: few heaps, which threads share,
        // and large blocks outside of them.
        .env("MALLOC_ARENA_MAX", "2")
        .env("MALLOC_MMAP_THRESHOLD_", LARGE_BLOCK_BYTES)
        .env("MALLOC_TRIM_THRESHOLD_", FREE_BYTES_KEPT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let mut answers = child
        .stdin
        .take()
        .map(|stdin| BufWriter::with_capacity(JOB_BUFFER_BYTES, stdin));
    if let Some(answers) = &mut answers {
        // A worker that dies before it has read its job is told by its missing frames.
        let told = serde_json::to_writer(&mut *answers, job).map_err(io::Error::from);
        let _ = told
            .and_then(|()| answers.write_all(b"\n"))
            .and_then(|()| answers.flush());
    }
    Ok((child, answers))
}

/// The frames of a worker, until it ends.
struct Frames {
    lines: Option<BufReader<ChildStdout>>,
    line: Vec<u8>,
}

impl Frames {
    fn of(child: &mut Child) -> Self {
        Self {
            lines: child.stdout.take().map(BufReader::new),
            line: Vec::new(),
        }
    }

    fn next(&mut self) -> Option<Result<Frame, serde_json::Error>> {
        self.line.clear();
        let read = self.lines.as_mut()?.read_until(b'\n', &mut self.line);
        // A worker that dies in the middle of a line is told by its end, not by half a frame.
        let whole = matches!(read, Ok(1..)) && self.line.ends_with(b"\n");
        whole.then(|| serde_json::from_slice(&self.line))
    }
}

#[cfg(unix)]
fn cause_of(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("killed by signal {signal}"),
        (None, Some(code)) => format!("ended with exit code {code}"),
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(not(unix))]
fn cause_of(status: ExitStatus) -> String {
    status.to_string()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use std::fmt::Write as _;

    /// Two collections that nobody opens, read by a worker that is this shell script. The script finds its job in
    /// `$job`.
    fn check(script: &str, expected: &Expect) {
        let collection = |name: &str| Collection {
            location: PathBuf::from(name),
            label: name.to_owned(),
            container: "folder".to_owned(),
        };
        let crew = Crew {
            workers: 1,
            command: Some(WorkerCommand {
                program: "sh".into(),
                arguments: vec!["-c".to_owned(), format!("read -r job\n{script}")],
            }),
            item_seconds: 1,
            seconds_per_mib: 1,
        };
        let collections = [collection("a"), collection("b")];
        let told = match read(
            &collections,
            &Knowledge::default(),
            &crew,
            Ask::default(),
            &mut |_| {},
            &mut |_| {},
        ) {
            Ok(seen) => seen
                .collections
                .iter()
                .flat_map(|raw| raw.gaps.iter().map(|gap| (&raw.collection.label, gap)))
                .fold(String::new(), |mut told, (label, gap)| {
                    let (kind, item) = (gap.kind.name(), &gap.place.item);
                    writeln!(told, "{kind} {label} `{item}`: {}", gap.detail).expect("a string");
                    told
                }),
            Err(error) => format!("failed: {error}\n"),
        };
        expected.assert_eq(&told);
    }

    /// What a worker says before its first item.
    const READY: &str = r#"
        echo '{"ready":{"rule_problems":[]}}'
        echo '{"open":{"collection":0}}'"#;

    /// It takes the third entry in hand.
    const BEGIN: &str = r#"
        echo '{"begin":{"position":{"collection":0,"ordinal":3,"top":2},"path":"x.log","size":9}}'"#;

    #[test]
    fn an_item_that_takes_too_long_is_lost_alone() {
        check(
            &format!(
                r#"{READY}
                case "$job" in
                *'"lost":[{{"collection":0,"ordinal":3,"top":2}}]'*) echo '"done"' ;;
                *) {BEGIN}
                   exec sleep 600 ;;
                esac"#
            ),
            &expect![[r"
                crashed a `x.log`: the reader was lost: it took longer than 1 seconds and was stopped
            "]],
        );
    }

    #[test]
    fn a_death_between_items_is_tried_again() {
        check(
            &format!(
                r#"{READY}{BEGIN}
                echo '{{"item":{{"position":{{"collection":0,"ordinal":3,"top":2}},"report":$EMPTY}}}}'
                case "$job" in
                *'"resume":null'*) exit 7 ;;
                *) echo '"done"' ;;
                esac"#
            )
            .replace("$EMPTY", &empty_report()),
            &expect![[""]],
        );
    }

    #[test]
    fn deaths_with_nothing_in_hand_cost_the_archive_then_the_collection() {
        check(
            &format!(
                r#"{READY}
                case "$job" in
                *'"ordinal":18446744073709551615'*) echo '"done"' ;;
                *) {BEGIN}
                   echo '{{"item":{{"position":{{"collection":0,"ordinal":3,"top":2}},"report":$EMPTY}}}}'
                   kill -9 $$ ;;
                esac"#
            )
            .replace("$EMPTY", &empty_report()),
            &expect![[r"
                crashed a ``: the reader was lost behind x.log, with all that follows there: killed by signal 9
                crashed a ``: the reader was lost between items, and the rest was not read: killed by signal 9
            "]],
        );
    }

    #[test]
    fn a_worker_that_never_starts_is_no_fault_of_the_evidence() {
        check(
            "exit 3",
            &expect![[r"
                failed: a worker process ended before it was ready: ended with exit code 3
            "]],
        );
    }

    fn empty_report() -> String {
        let report = serde_json::to_string(&ItemReport::default()).expect("plain data");
        assert!(!report.contains('\''));
        report
    }
}
