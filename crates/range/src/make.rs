//! The main path: options in, evidence and truth out.

use crate::campaign::{Campaign, Exposed, STAGES, Written, proves_effect};
use crate::damage::{Breaker, Damaged};
use crate::logs::LogWriter;
use crate::moment::Moment;
use crate::server::Server;
use crate::sink::{Folder, Sink, Taken};
use crate::source::{Filter, Source};
use crate::story::{Scenario, Story, Traces, lengthened, unfold};
use crate::truth::{
    Attestation, BuildSpan, CampaignTruth, CollectionTruth, FleetTruth, Foothold, HostTruth,
    KnownFile, Step, attestations_csv, known_files_csv,
};
use crate::verdict::{Circumstances, verdict};
use crate::witness::Witness;
use crate::{Collection, Error, Layout, Options};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

/// What [`make`] gives besides the evidence itself.
#[derive(Clone, Debug)]
pub struct Made {
    pub truth: HostTruth,
    /// The product's own files, for the builds before and after the patch.
    pub known_files: Vec<KnownFile>,
    /// What named persons state about the eviction, if the scenario has one.
    pub attestations: Vec<Attestation>,
}

/// A collection that is about to be written.
#[derive(Clone, Debug)]
pub struct Collected {
    /// From 0.
    pub number: usize,
    /// How many there are of this server.
    pub of: usize,
    pub host: String,
    pub time: Timestamp,
}

/// Writes every collection of one simulated server, each into the sink that `open` gives, and tells the truth about them.
///
/// The same options give the same bytes.
///
/// # Errors
/// When the options name no known scenario, scenarios that contradict one another or a malformed build, when the story
/// does not fit into the time, or when the evidence cannot be written.
pub fn make_host(
    options: &Options,
    open: &mut dyn FnMut(&Collected) -> io::Result<Box<dyn Sink>>,
) -> Result<Made, Error> {
    write_host(options, &mut |collected, write| {
        write(open(collected)?.as_mut())
    })
}

/// Writes the last collection of one simulated server into `out`, and tells the truth about that one.
///
/// # Errors
/// As [`make_host`].
pub fn make(options: &Options, out: &mut dyn Sink) -> Result<Made, Error> {
    write_host(options, &mut |collected, write| {
        if collected.number + 1 == collected.of {
            write(&mut *out)?;
        }
        Ok(())
    })
}

/// Makes a server in `folder`: its evidence in `evidence/HOST/`, or in `evidence/HOST-YYYYMMDD/` for each of several
/// collections, and beside it `truth.json`, `known-files.csv`, and `attestations.csv` where there are any.
///
/// # Errors
/// As [`make_host`].
pub fn make_in_folder(options: &Options, folder: &Path) -> Result<Made, Error> {
    let mut paths = Vec::new();
    let mut made = make_host(options, &mut |collected| {
        let name = collection_name(collected);
        let root = folder.join("evidence").join(&name);
        paths.push(name);
        let sink = Collection::new(Folder::new(&root), Layout::Drives);
        Ok(Box::new(sink))
    })?;
    for (collection, path) in made.truth.collections.iter_mut().zip(paths) {
        collection.path = path;
    }
    let truth = FleetTruth::of_one(made.truth.clone()).to_json()?;
    fs::write(folder.join("truth.json"), truth)?;
    fs::write(
        folder.join("known-files.csv"),
        known_files_csv(&made.known_files),
    )?;
    if !made.attestations.is_empty() {
        let statements = attestations_csv(&made.attestations);
        fs::write(folder.join("attestations.csv"), statements)?;
    }
    Ok(made)
}

/// The name of a collection's folder or archive: the host, with the day where there are several.
pub fn collection_name(collected: &Collected) -> String {
    if collected.of == 1 {
        return collected.host.clone();
    }
    let day = collected.time.strftime("%Y%m%d");
    format!("{}-{day}", collected.host)
}

/// Writes into a sink when it is given one.
type Write<'a> = dyn FnMut(&mut dyn Sink) -> Result<(), Error> + 'a;

/// Makes a server; `each` is called for every collection and may write it.
fn write_host(
    options: &Options,
    each: &mut dyn FnMut(&Collected, &mut Write<'_>) -> Result<(), Error>,
) -> Result<Made, Error> {
    let scenario = Scenario::named(&options.scenario)?;
    let options = lengthened(options, &scenario);
    let story = unfold(&scenario, &options)?;
    let mut retention = scenario.retention_days.clone();
    retention.extend(&options.retention_days);

    let mut seen = BTreeSet::new();
    let mut collections = Vec::new();
    let mut written = Vec::new();
    let mut known_files = Vec::new();
    for (number, taken) in story.collections.iter().copied().enumerate() {
        let collected = Collected {
            number,
            of: story.collections.len(),
            host: story.server.host.clone(),
            time: taken.timestamp(),
        };
        each(&collected, &mut |sink| {
            let traces = story.traces.until(taken);
            let cleared = traces.cleared.clone();
            let filter = Filter::new(&story.withheld, &retention, cleared, taken);
            let mut witness = Witness::new(&story.traces.marks, sink);
            let mut breaker = Breaker::new(&story.damage, &mut witness);
            let server = story.server_at(&scenario, &options, taken)?;
            let options = scaled(&options, &server);
            let collection = (&server, &filter);
            known_files.append(&mut write_collection(
                &options,
                collection,
                &traces,
                &mut breaker,
            )?);
            let damaged = breaker.damaged();
            seen.extend(witness.seen());
            collections.push(CollectionTruth {
                path: String::new(),
                taken: taken.timestamp(),
                withheld: story.withheld.clone(),
                damaged: damaged.iter().map(Damaged::to_string).collect(),
            });
            written.push(Written {
                taken,
                filter,
                damaged,
            });
            Ok(())
        })?;
    }
    known_files.sort();
    known_files.dedup();
    let campaigns = campaign_truths(&scenario, &story, &seen, &written)?;
    let server = &story.server;
    Ok(Made {
        truth: HostTruth {
            host: server.host.clone(),
            organisation: None,
            scenario: options.scenario.clone(),
            seed: options.seed,
            summary: scenario.story.clone(),
            install: server.has_product.then(|| server.install.clone()),
            log_start: server.start.timestamp(),
            builds: builds(server),
            patched: server.patch().map(|patch| patch.boot.timestamp()),
            collections,
            campaigns,
        },
        known_files,
        attestations: story.attestations,
    })
}

/// The options for a server that is simulated for a shorter time: a size is that of the whole time.
fn scaled(options: &Options, server: &Server) -> Options {
    let start = options.start.as_second();
    let whole = options.end.as_second() - start;
    let part = server.end.timestamp().as_second() - start;
    let text_bytes = options.text_bytes.map(|bytes| {
        let share = u128::from(bytes) * u128::from(part.unsigned_abs());
        u64::try_from(share / u128::from(whole.unsigned_abs().max(1))).unwrap_or(bytes)
    });
    Options {
        text_bytes,
        ..options.clone()
    }
}

/// Writes what a collector takes at the server's end, and gives the table of files that the product ships.
fn write_collection(
    options: &Options,
    (server, filter): (&Server, &Filter),
    traces: &Traces,
    out: &mut dyn Sink,
) -> Result<Vec<KnownFile>, Error> {
    let (files, known_files) = server.disk(&traces.state(server.end))?;
    let mut events = server.ordinary_events();
    events.extend(traces.events.iter().cloned());

    let mut logs = LogWriter::new(server, filter, out);
    logs.text_logs(options, traces)?;
    logs.event_logs(events)?;
    for file in files {
        if filter.keeps_file(file.source) {
            out.file(&file.path, file.modified.timestamp(), &file.bytes)?;
        }
    }
    out.finish(&Taken {
        host: server.host.clone(),
        host_full: server.full_name.clone(),
        time: server.end.timestamp(),
    })?;
    Ok(known_files)
}

fn builds(server: &Server) -> Vec<BuildSpan> {
    let (start, end) = (server.start.timestamp(), server.end.timestamp());
    let span = |build: &dyn ToString, from, until| BuildSpan {
        build: build.to_string(),
        from,
        until,
    };
    match server.patch() {
        _ if !server.has_product => Vec::new(),
        Some(patch) => vec![
            span(&server.before, start, patch.stop.timestamp()),
            span(&server.after, patch.ready.timestamp(), end),
        ],
        None => vec![span(&server.before, start, end)],
    }
}

/// The truth about each campaign: the one that the scenario plays in, and all others.
fn campaign_truths(
    scenario: &Scenario,
    story: &Story,
    seen: &BTreeSet<usize>,
    written: &[Written],
) -> Result<Vec<CampaignTruth>, Error> {
    let left = Left::new(&story.traces, seen);
    let own = Campaign::named(&scenario.campaign)?;
    let mut truths = vec![campaign_truth(&own, story, &left, written)?];
    for other in Campaign::all()? {
        if other.name != own.name {
            let is_there = story.server.has_product && other.product == own.product;
            truths.push(truth_of_another(&other, is_there, story, &left, written)?);
        }
    }
    Ok(truths)
}

fn campaign_truth(
    campaign: &Campaign,
    story: &Story,
    left: &Left,
    written: &[Written],
) -> Result<CampaignTruth, Error> {
    let (server, traces) = (&story.server, &story.traces);
    let state = traces.state(server.end);
    let mut steps = traces.steps.iter().zip(&left.of_steps).collect::<Vec<_>>();
    steps.sort_by_key(|(step, _)| step.time);
    let steps = steps
        .into_iter()
        .filter(|(step, _)| STAGES.contains(&step.stage.as_str()))
        .map(|(step, sources)| Step {
            left_in: sources.iter().copied().collect(),
            ..step.clone()
        });
    let story_told = steps.collect::<Vec<_>>();
    let footholds = state.footholds.iter().map(|foothold| Foothold {
        left_in: left.of_foothold(&foothold.path),
        ..foothold.clone()
    });
    let effects = story_told.iter().filter(|step| proves_effect(&step.stage));
    let times = effects.map(|step| step.time).collect::<Vec<_>>();
    let eviction = eviction(story, &left.effects_seen);
    let standing = Standing::of(campaign, server.has_product, server, written)?;
    let (said, accepted) = verdict(Circumstances {
        effect_left: !left.effects_seen.is_empty(),
        hint_left: left.hint_seen,
        unexplained: !state.unexplained.is_empty(),
        evicted: eviction == Some(Evicted::Held),
        reinfected: eviction == Some(Evicted::Reinfected),
        ..standing.circumstances()
    });
    Ok(CampaignTruth {
        compromised: !times.is_empty(),
        provable: !left.effects_seen.is_empty(),
        stages: STAGES
            .into_iter()
            .filter(|stage| story_told.iter().any(|step| step.stage == *stage))
            .map(str::to_owned)
            .collect(),
        first: times.iter().min().copied(),
        last: times.iter().max().copied(),
        footholds: footholds.collect(),
        story: story_told,
        ..standing.truth(campaign, said, accepted)
    })
}

/// The truth about a campaign whose intruders never came, as the scenario is of another one.
fn truth_of_another(
    campaign: &Campaign,
    is_there: bool,
    story: &Story,
    left: &Left,
    written: &[Written],
) -> Result<CampaignTruth, Error> {
    let server = &story.server;
    let state = story.traces.state(server.end);
    let standing = Standing::of(campaign, is_there, server, written)?;
    let (said, accepted) = verdict(Circumstances {
        unexplained: !state.unexplained.is_empty(),
        another_came: left.hint_seen || !left.effects_seen.is_empty(),
        ..standing.circumstances()
    });
    Ok(standing.truth(campaign, said, accepted))
}

/// How a server stands to a campaign, whatever happened on it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that do not depend on one another"
)]
struct Standing {
    has_product: bool,
    absence_shown: bool,
    patched: bool,
    covered: bool,
    exposed: Vec<Exposed>,
}

impl Standing {
    fn of(
        campaign: &Campaign,
        has_product: bool,
        server: &Server,
        written: &[Written],
    ) -> Result<Self, Error> {
        let mut patched = true;
        let mut exposed: Vec<Exposed> = Vec::new();
        if has_product {
            let window_from = Moment::from(campaign.window_from);
            for (build, from, until) in server.history() {
                let vulnerable = campaign.is_vulnerable(build)?;
                patched = !vulnerable;
                let from = from.max(window_from);
                if vulnerable && from < until {
                    match exposed.last_mut() {
                        Some(last) if last.1 == from => last.1 = until,
                        _ => exposed.push((from, until)),
                    }
                }
            }
        }
        Ok(Self {
            has_product,
            absence_shown: campaign.shows_absence(written),
            patched,
            covered: has_product && campaign.is_covered(written, server.start, &exposed),
            exposed,
        })
    }

    fn circumstances(&self) -> Circumstances {
        Circumstances {
            has_product: self.has_product,
            absence_shown: self.absence_shown,
            effect_left: false,
            hint_left: false,
            patched: self.patched,
            covered: self.covered,
            unexplained: false,
            evicted: false,
            reinfected: false,
            another_came: false,
        }
    }

    /// What there is to say where nothing happened.
    fn truth(&self, campaign: &Campaign, said: &str, accepted: &[&str]) -> CampaignTruth {
        let exposure = match (self.has_product, self.absence_shown, self.patched) {
            (false, true, _) => "not_affected",
            (false, false, _) => "unknown",
            (true, _, true) => "patched",
            (true, _, false) => "vulnerable",
        };
        CampaignTruth {
            campaign: campaign.name.clone(),
            verdict: said.to_owned(),
            accepted: accepted.iter().map(|also| (*also).to_owned()).collect(),
            compromised: false,
            provable: false,
            covered: self.covered,
            stages: Vec::new(),
            first: None,
            last: None,
            exposure: exposure.to_owned(),
            exposed: self
                .exposed
                .iter()
                .map(|(from, until)| (from.timestamp(), until.timestamp()))
                .collect(),
            footholds: Vec::new(),
            story: Vec::new(),
        }
    }
}

/// What is left of a story in the evidence.
struct Left {
    /// For each step, the kinds of evidence that hold something of it.
    of_steps: Vec<BTreeSet<Source>>,
    /// For each foothold's path in small letters, the kinds of evidence that show it.
    of_footholds: BTreeMap<String, BTreeSet<Source>>,
    /// Times of steps that prove an effect, and of which something is left that proves it.
    effects_seen: Vec<Timestamp>,
    /// Whether something is left that points to an effect without proving it.
    hint_seen: bool,
}

impl Left {
    fn new(traces: &Traces, seen: &BTreeSet<usize>) -> Self {
        let is_effect = |step: &Step| proves_effect(&step.stage);
        let mut left = Self {
            of_steps: vec![BTreeSet::new(); traces.steps.len()],
            of_footholds: BTreeMap::new(),
            effects_seen: Vec::new(),
            hint_seen: false,
        };
        for number in seen {
            let mark = &traces.marks[*number];
            let step = &traces.steps[mark.step];
            left.of_steps[mark.step].insert(mark.source);
            for path in &mark.footholds {
                let sources = left.of_footholds.entry(path.to_lowercase()).or_default();
                sources.insert(mark.source);
            }
            if is_effect(step) && mark.is_hint {
                left.hint_seen = true;
            } else if is_effect(step) {
                left.effects_seen.push(step.time);
            }
        }
        left
    }

    fn of_foothold(&self, path: &str) -> Vec<Source> {
        let sources = self.of_footholds.get(&path.to_lowercase());
        sources.into_iter().flatten().copied().collect()
    }
}

/// What became of an eviction that named persons stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Evicted {
    /// Nobody came back.
    Held,
    /// An effect came after it.
    Reinfected,
}

/// Looks for an eviction: every statement says that its gate is passed or does not apply, and in the first collection
/// after the statements no foothold is there any more. An effect between the statements and the end of the evidence is
/// a re-infection; one that was there before them, and a foothold that was overlooked, make it no eviction.
fn eviction(story: &Story, effects_seen: &[Timestamp]) -> Option<Evicted> {
    let passed = |attestation: &Attestation| {
        matches!(attestation.answer.as_str(), "pass" | "not_applicable")
    };
    if !story.attestations.iter().all(passed) {
        return None;
    }
    let stated = story
        .attestations
        .iter()
        .map(|attestation| attestation.time)
        .max()?;
    let verified = story
        .collections
        .iter()
        .find(|taken| taken.timestamp() >= stated)?;
    let patched = story
        .server
        .patch()
        .is_some_and(|patch| patch.boot < *verified);
    let is_gone = |foothold: &Foothold| !foothold.present;
    let footholds = story.traces.state(*verified).footholds;
    if !patched || !footholds.iter().all(is_gone) {
        return None;
    }
    let first = story
        .attestations
        .iter()
        .map(|attestation| attestation.time)
        .min()?;
    let unwatched = effects_seen
        .iter()
        .any(|time| first <= *time && *time < verified.timestamp());
    if unwatched {
        return None;
    }
    let later = effects_seen
        .iter()
        .any(|time| *time >= verified.timestamp());
    Some(if later {
        Evicted::Reinfected
    } else {
        Evicted::Held
    })
}
