//! A worker: opens its share of the collections, reads and detects item by item, and says what it saw.
//!
//! It runs in a process of its own that may die of what it reads; the frame `begin` is its journal.

use crate::job::{Frame, ItemReport, Job, Knowledge, Matched, Position, Task};
use crate::put_down::Events;
use crate::share::{Claims, NOTHING_LEFT};
use crate::sink::{Hunt, ItemSink};
use artifacts::{Item, Probe};
use detect::{Engine, Extra, ItemDetection, Match, ProblemKind, Scratch, Sighting};
use evidence::{Bytes, Content, Decision, Digest, Entry, Visitor};
use model::{Fact, FactAt, FileTimes, Finding, Gap, GapKind, Place, SourceName};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use store::events::Staging;

/// Collector's own records (`uploads.json`, a log) that are read whole; larger ones are not such records.
const COLLECTOR_BYTES_MAX: u64 = 64 << 20;

/// Entries of this size that are passed over are told: a stream is unpacked up to what lies behind them.
const PASSED_BYTES_MIN: u64 = 16 << 20;

/// Bytes of matches that are told at once; many frames wait to be taken in.
const MATCHES_BYTES_MAX: usize = 64 << 10;

/// Why a worker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error("cannot load the packs")]
    Packs(#[source] pack::PackError),
    #[error("cannot compile the rules")]
    Rules(#[source] detect::DetectError),
    /// The supervisor is gone; nobody listens.
    #[error("nobody reads the frames")]
    Closed(#[source] std::io::Error),
}

/// The packs that a run uses, in order of name.
pub fn packs(knowledge: &Knowledge) -> Result<Vec<pack::Pack>, WorkerError> {
    let mut packs = if knowledge.builtin_packs {
        pack::builtin_packs()
    } else {
        Vec::new()
    };
    for files in &knowledge.packs {
        packs.push(pack::Pack::from_files(files).map_err(WorkerError::Packs)?);
    }
    packs.sort_by(|a, b| a.manifest.name.cmp(&b.manifest.name));
    Ok(packs)
}

/// The rules in the process that joins what workers said. They are compiled where somebody asks, and not before.
pub(crate) struct Rules<'a> {
    knowledge: &'a Knowledge,
    engine: OnceLock<Option<(Engine, BTreeSet<String>)>>,
}

impl<'a> Rules<'a> {
    pub(crate) fn new(knowledge: &'a Knowledge) -> Self {
        Self {
            knowledge,
            engine: OnceLock::new(),
        }
    }

    /// The engine, and rules that cannot run; none where they cannot be compiled.
    pub(crate) fn engine(&self) -> Option<&(Engine, BTreeSet<String>)> {
        let compile = || {
            let packs = packs(self.knowledge).ok()?;
            let (engine, problems) = Engine::new(&packs, &self.knowledge.extra).ok()?;
            Some((engine, told(&problems).into_iter().collect()))
        };
        self.engine.get_or_init(compile).as_ref()
    }

    /// What correlations find in the matches of one host, and what they could not take into account.
    pub(crate) fn correlate(&self, sightings: Vec<Sighting>) -> (Vec<Finding>, Vec<Gap>) {
        if sightings.is_empty() {
            return Default::default();
        }
        if let Some((engine, _)) = self.engine() {
            return engine.correlate(sightings);
        }
        let detail = "correlations were not looked for: the rules cannot be compiled again";
        let gap = Gap::new(GapKind::Crashed, Place::default(), detail);
        (Vec::new(), vec![gap])
    }
}

/// What a worker says to its supervisor, and hears from it.
pub trait Line {
    /// Says a frame; they arrive in order.
    ///
    /// # Errors
    /// When nobody listens any more.
    fn say(&mut self, frame: Frame) -> io::Result<()>;

    /// The outermost entry of the collection in hand that a frame has asked for.
    ///
    /// # Errors
    /// When nobody answers any more.
    fn claimed(&mut self, collection: usize) -> io::Result<u64>;
}

/// Does one job.
///
/// # Errors
/// When packs or rules cannot be loaded, or the supervisor is gone.
pub fn run(mut job: Job<'_>, line: &mut dyn Line) -> Result<(), WorkerError> {
    let packs = packs(&job.knowledge)?;
    let (engine, problems) = Engine::on_threads(&packs, &job.knowledge.extra, job.threads)
        .map_err(WorkerError::Rules)?;
    if let Cow::Owned(knowledge) = &mut job.knowledge {
        // The engine holds all of it; thousands of rules are megabytes of text.
        knowledge.extra = Extra::default();
    }
    line.say(Frame::Ready {
        rule_problems: told(&problems),
    })
    .map_err(WorkerError::Closed)?;
    // A case is judged by other packs later on, which ask for other columns.
    let columns = job.events.is_none().then(|| needed_columns(&packs));
    let mut events = Events::new(job.events.take());
    let mut scratch = Scratch::default();
    for (index, collection) in job.collections.iter().enumerate() {
        if job
            .resume
            .is_some_and(|resume| Position::end_of(index) <= resume)
        {
            continue;
        }
        let held = job.held.iter().filter(|(held, _)| *held == index);
        let mut reader = Reader {
            job: &job,
            engine: &engine,
            columns: columns.as_ref(),
            events: &mut events,
            collection: index,
            claims: Claims::new(held.map(|(_, top)| *top).collect()),
            line,
            scratch,
            in_hand: None,
            failed: None,
        };
        if reader.has_work() {
            reader.send(Frame::Open { collection: index });
            evidence::walk(collection, &job.knowledge.options, &mut reader);
            reader.close();
        }
        if let Some(error) = reader.failed {
            return Err(WorkerError::Closed(error));
        }
        scratch = reader.scratch;
    }
    line.say(Frame::Done).map_err(WorkerError::Closed)
}

/// Rules that cannot run, as sentences: nobody looked for what they would have found. Those for logs that no reader gives,
/// and those that see less than they ask for, are one sentence each: a large set of rules has hundreds.
fn told(problems: &[detect::RuleProblem]) -> Vec<String> {
    let mut sentences = Vec::new();
    let (mut elsewhere, mut in_part) = (Vec::new(), Vec::new());
    for rule in problems {
        match rule.kind {
            ProblemKind::NoSource => elsewhere.push(rule),
            ProblemKind::InPart => in_part.push(rule),
            ProblemKind::NotUnderstood | ProblemKind::Duplicate => sentences.push(problem(rule)),
        }
    }
    for (rules, what) in [
        (
            elsewhere,
            "are for logs, or for fields of logs, that Allclear does not read",
        ),
        (in_part, "do not see all that they ask for in some logs"),
    ] {
        if let Some(first) = rules.first() {
            sentences.push(format!(
                "{} rules {what}, for example {} ({}): {}; `allclear rules check` lists them",
                rules.len(),
                first.rule,
                first.path,
                first.why
            ));
        }
    }
    sentences
}

fn problem(problem: &detect::RuleProblem) -> String {
    if problem.rule.is_empty() {
        format!("{}: not looked for, as it {}", problem.path, problem.why)
    } else {
        format!(
            "{} ({}): not looked for, as it {}",
            problem.rule, problem.path, problem.why
        )
    }
}

struct Reader<'a, 'l> {
    job: &'a Job<'a>,
    engine: &'a Engine,
    /// The columns whose names are kept; none where all are.
    columns: Option<&'a BTreeSet<String>>,
    events: &'l mut Events,
    collection: usize,
    claims: Claims,
    line: &'l mut dyn Line,
    scratch: Scratch<'a>,
    in_hand: Option<InHand<'a>>,
    failed: Option<io::Error>,
}

/// Matches of the item in hand that are still to be told.
struct Matches<'r, 'j, 'l> {
    position: Position,
    path: &'r str,
    waiting: Vec<Matched>,
    bytes: usize,
    reader: &'r mut Reader<'j, 'l>,
}

impl Matches<'_, '_, '_> {
    fn take(&mut self, matched: &Match<'_>) {
        let matched = Matched::of(matched);
        self.bytes += matched.fields.get().len() + matched.reference.len();
        self.waiting.push(matched);
        if self.bytes >= MATCHES_BYTES_MAX {
            self.send();
        }
    }

    fn send(&mut self) {
        self.bytes = 0;
        if !self.waiting.is_empty() {
            let frame = Frame::Matches {
                position: self.position,
                path: self.path.to_owned(),
                matches: std::mem::take(&mut self.waiting),
            };
            self.reader.send(frame);
        }
    }
}

/// The item between its content and its hash.
struct InHand<'a> {
    report: ItemReport,
    detection: ItemDetection<'a>,
    source: Option<SourceName>,
    kept: Option<Kept>,
}

/// Bytes that detection asked for.
struct Kept {
    bytes: Vec<u8>,
    complete: bool,
}

impl Reader<'_, '_> {
    fn position(&self, entry: &Entry) -> Position {
        Position {
            collection: self.collection,
            ordinal: entry.ordinal,
            top: entry.top,
        }
    }

    /// Whether this entry is still to be read. Of those that a dead predecessor had in hand or behind it, only what may
    /// hold more is: an archive that holds the place of the death, opened again for the members behind. The supervisor
    /// drops what it hears twice.
    fn is_to_do(&mut self, position: Position) -> bool {
        let job = self.job;
        let within = (position.collection, position.top);
        if !self.has_claimed(position.top)
            || job.lost.contains(&position)
            || job.given_up.contains(&within)
            || job
                .only
                .as_ref()
                .is_some_and(|only| !only.contains(&position))
        {
            return false;
        }
        job.resume
            .is_none_or(|resume| position > resume || within == (resume.collection, resume.top))
    }

    /// Whether there may be anything in the collection that is left for this worker.
    fn has_work(&mut self) -> bool {
        self.has_claimed(0);
        !self.claims.is_through()
    }

    fn has_claimed(&mut self, top: u64) -> bool {
        let mut claims = std::mem::take(&mut self.claims);
        let has = claims.has(top, &mut |asked| {
            if !asked {
                let collection = self.collection;
                self.send(Frame::Claim { collection });
            }
            self.hear()
        });
        self.claims = claims;
        has && self.failed.is_none()
    }

    /// The entry that was asked for; none where nobody answers any more.
    fn hear(&mut self) -> u64 {
        if self.failed.is_some() {
            return NOTHING_LEFT;
        }
        match self.line.claimed(self.collection) {
            Ok(claimed) => claimed,
            Err(error) => {
                self.failed = Some(error);
                NOTHING_LEFT
            }
        }
    }

    /// Says that the collection was walked through.
    fn close(&mut self) {
        if std::mem::take(&mut self.claims.asked) {
            // It lies behind the last entry.
            self.hear();
        }
        let collection = self.collection;
        self.send(Frame::Close { collection });
    }

    /// What was found in the bytes of a file, or by its name, as matches.
    fn tell_of_file(&mut self, position: Position, path: &str, findings: Vec<Finding>) {
        if findings.is_empty() {
            return;
        }
        let frame = Frame::Matches {
            position,
            path: path.to_owned(),
            matches: findings.into_iter().map(Matched::from).collect(),
        };
        self.send(frame);
    }

    fn send(&mut self, frame: Frame) {
        if self.failed.is_none()
            && let Err(error) = self.line.say(frame)
        {
            self.failed = Some(error);
        }
    }
}

impl Visitor for Reader<'_, '_> {
    fn begin(&mut self, entry: &Entry) -> Decision {
        let position = self.position(entry);
        if !self.is_to_do(position) {
            if entry.size.is_none_or(|size| size >= PASSED_BYTES_MIN) {
                self.send(Frame::Pass { size: entry.size });
            }
            return Decision::Skip;
        }
        let claim = self.claims.looks_ahead(entry.size);
        self.claims.asked |= claim;
        self.send(Frame::Begin {
            position,
            path: entry.path.clone(),
            size: entry.size,
            claim,
        });
        Decision::Read
    }

    fn content(&mut self, entry: &Entry, content: &mut dyn Content) {
        let scratch = std::mem::take(&mut self.scratch);
        let mut detection = self.engine.item_with(&entry.path, scratch);
        let position = self.position(entry);
        let hunting = self.job.task == Task::Hunt;
        let mut events = std::mem::take(self.events);
        let mut matches = Matches {
            position,
            path: &entry.path,
            waiting: Vec::new(),
            bytes: 0,
            reader: self,
        };
        let mut take = |matched: &Match<'_>| matches.take(matched);
        let hunt: Option<Hunt<'_>> = if hunting { Some(&mut take) } else { None };
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            read_item(entry, content, &mut detection, hunt, events.next())
        }));
        matches.send();
        let kept_events = events.end_item(&entry.path);
        *self.events = events;
        self.in_hand = Some(match outcome {
            Ok((mut report, source, kept)) => InHand {
                report: {
                    kept_events.tell(&mut report);
                    report
                },
                detection,
                source,
                kept,
            },
            Err(panic) => {
                let mut report = ItemReport::default();
                report.gaps.push(Gap::new(
                    GapKind::Crashed,
                    Place::item("", &entry.path),
                    format!("the reader panicked: {}", panic_text(&*panic)),
                ));
                InHand {
                    report,
                    detection: self.engine.item(&entry.path),
                    source: None,
                    kept: None,
                }
            }
        });
    }

    fn end(&mut self, entry: &Entry, digest: &Digest) {
        let Some(in_hand) = self.in_hand.take() else {
            return;
        };
        let position = self.position(entry);
        let path = entry.path.clone();
        let fallback = in_hand.report.item.clone();
        let outcome = catch_unwind(AssertUnwindSafe(|| finish_item(entry, digest, in_hand)));
        let mut report = match outcome {
            Ok((report, scratch)) => {
                self.scratch = scratch;
                report
            }
            Err(panic) => ItemReport {
                item: fallback,
                gaps: vec![Gap::new(
                    GapKind::Crashed,
                    Place::item("", &path),
                    format!("detection panicked: {}", panic_text(&*panic)),
                )],
                ..ItemReport::default()
            },
        };
        if let Some(columns) = self.columns {
            drop_columns(&mut report, columns);
        }
        if self.job.task == Task::Hunt {
            self.tell_of_file(position, &path, std::mem::take(&mut report.findings));
        }
        self.send(Frame::Item {
            position,
            report: Box::new(report),
        });
    }

    fn gap(&mut self, entry_path: &str, kind: GapKind, detail: &str) {
        let gap = Gap::new(kind, Place::item("", entry_path), detail);
        let collection = self.collection;
        self.send(Frame::Gap { collection, gap });
    }
}

/// Recognises and reads one item, and keeps the bytes that detection wants to see.
fn read_item<'a>(
    entry: &'a Entry,
    content: &mut dyn Content,
    detection: &'a mut ItemDetection<'_>,
    hunt: Option<Hunt<'a>>,
    events: Option<(&'a mut Staging, u64)>,
) -> (ItemReport, Option<SourceName>, Option<Kept>) {
    let size = content.size().or(entry.size);
    let head = head_of(entry, content);
    let probe = Probe {
        path: &entry.path,
        head: &head,
        size,
    };
    let wanted = detection.wants_file(&entry.path, &head, size);
    let collector = evidence::is_collector_record(&entry.path);
    let kept = match (wanted, collector) {
        (None, false) => None,
        (wanted, _) => Some(keep(content, wanted.unwrap_or(COLLECTOR_BYTES_MAX))),
    };
    let artifact = artifacts::recognise(&probe);
    let source = artifact.and_then(|artifact| artifact.source(&probe));
    let mut sink = ItemSink::new(&entry.path, source.clone(), detection, hunt).with_events(events);
    if artifact.is_some_and(|artifact| !artifact.keeps_rhythm()) {
        sink = sink.without_rhythm();
    }
    if let Some(artifact) = artifact {
        let item = Item { path: &entry.path };
        match &kept {
            Some(kept) if kept.complete => {
                let mut kept = InMemory {
                    bytes: Bytes(kept.bytes.clone()),
                    original: content,
                };
                artifact.read(&item, &mut kept, &mut sink);
            }
            _ => artifact.read(&item, content, &mut sink),
        }
    }
    let mut report = sink.finish();
    if let Some(modified) = entry.modified
        && pack::shipped_files::is_script(&entry.path)
    {
        let times = FileTimes {
            path: entry.path.clone(),
            created: None,
            modified: Some(modified),
            named: None,
            deleted: false,
        };
        report.facts.push(FactAt {
            fact: Fact::FileTimes(times),
            place: Place::item("", &entry.path),
        });
    }
    report.item.kind = artifact.map_or_else(String::new, |artifact| artifact.kind().to_owned());
    report.item.source.clone_from(&source);
    if collector && let Some(kept) = &kept {
        collector_record(entry, kept, &mut report);
    }
    (report, source, kept.filter(|_| wanted.is_some()))
}

/// An item whose bytes are in memory, while what stands beside it is still asked of its container.
struct InMemory<'a> {
    bytes: Bytes,
    original: &'a mut dyn Content,
}

impl Content for InMemory<'_> {
    fn size(&self) -> Option<u64> {
        self.bytes.size()
    }

    fn head(&mut self) -> &[u8] {
        self.bytes.head()
    }

    fn stream(&mut self) -> Box<dyn std::io::Read + '_> {
        self.bytes.stream()
    }

    fn seekable(&mut self) -> std::io::Result<Box<dyn evidence::ReadSeek + '_>> {
        self.bytes.seekable()
    }

    fn companion(&mut self, ending: &str) -> Option<Vec<u8>> {
        self.original.companion(ending)
    }
}

/// The bytes by which an item is recognised; none of an archive. Its members are offered by themselves: a log that it
/// merely stores must not be read twice. Its path counts, as a page stays a page whatever bytes stand before its code.
pub(crate) fn head_of(entry: &Entry, content: &mut dyn Content) -> Vec<u8> {
    let head = content.head();
    if evidence::is_archive(head, &entry.path) {
        return Vec::new();
    }
    head.to_vec()
}

/// Columns that any need of the packs rests on.
fn needed_columns(packs: &[pack::Pack]) -> BTreeSet<String> {
    packs
        .iter()
        .flat_map(|pack| &pack.needs)
        .flat_map(|need| &need.any_of)
        .flat_map(|way| &way.sources)
        .flat_map(|source| source.columns.iter().cloned())
        .collect()
}

/// Leaves out the names of columns that nobody asks for: a server has thousands of log files with seventy columns each.
/// One stays in any case, as it tells that the log names its columns at all.
fn drop_columns(report: &mut ItemReport, needed: &BTreeSet<String>) {
    for known in &mut report.facts {
        if let Fact::LogFile(log) = &mut known.fact {
            let first = log.columns.first().cloned();
            log.columns.retain(|column| needed.contains(column));
            if log.columns.is_empty() {
                log.columns.extend(first);
            }
            log.columns.shrink_to_fit();
        }
    }
}

/// Reads at most `bytes_max` from the start.
fn keep(content: &mut dyn Content, bytes_max: u64) -> Kept {
    let mut bytes = Vec::new();
    let mut stream = content.stream().take(bytes_max.saturating_add(1));
    let read = stream.read_to_end(&mut bytes);
    let bound = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    let complete = read.is_ok() && bytes.len() <= bound;
    bytes.truncate(bound);
    Kept { bytes, complete }
}

/// What the collector itself wrote down: the host, the time, and what it failed to get.
fn collector_record(entry: &Entry, kept: &Kept, report: &mut ItemReport) {
    let place = Place::item("", &entry.path);
    for fact in evidence::container_facts(&entry.path, &kept.bytes) {
        report.facts.push(FactAt {
            fact,
            place: place.clone(),
        });
    }
    for failed in evidence::container_gaps(&entry.path, &kept.bytes) {
        let place = Place::item("", &failed.path);
        report
            .gaps
            .push(Gap::new(failed.kind, place, failed.detail));
    }
    if report.item.kind.is_empty() {
        "collector.record".clone_into(&mut report.item.kind);
    }
}

/// Adds the hash, lets detection see the whole file, and collects what it found.
fn finish_item<'e>(
    entry: &Entry,
    digest: &Digest,
    in_hand: InHand<'e>,
) -> (ItemReport, Scratch<'e>) {
    let InHand {
        mut report,
        mut detection,
        source,
        kept,
    } = in_hand;
    report.item.path.clone_from(&entry.path);
    report.item.size = digest.size;
    if digest.complete {
        report.item.sha256.clone_from(&digest.sha256);
    }
    let sha256 = digest.complete.then_some(digest.sha256.as_str());
    match &kept {
        Some(kept) => detection.file(&report.item.kind, sha256, &kept.bytes, kept.complete),
        None => detection.file(&report.item.kind, sha256, &[], false),
    }
    let (found, scratch) = detection.end();
    report.findings = found
        .findings
        .into_iter()
        .map(|f| placed(f, entry))
        .collect();
    report.sightings = found.sightings;
    for sighting in &mut report.sightings {
        sighting.place.item.clone_from(&entry.path);
    }
    for (kind, at, detail) in found.gaps {
        let place = Place::item("", &entry.path).at(at);
        report.gaps.push(Gap {
            source: source.clone(),
            ..Gap::new(kind, place, detail)
        });
    }
    (report, scratch)
}

fn placed(mut finding: Finding, entry: &Entry) -> Finding {
    finding.place.item.clone_from(&entry.path);
    finding
}

pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    text.chars().take(200).collect()
}
