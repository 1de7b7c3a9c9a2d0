//! The main path: options in, evidence and truth out.

use crate::campaign::{Campaign, Written};
use crate::logs::LogWriter;
use crate::server::Server;
use crate::sink::{Folder, Sink, Taken};
use crate::source::{Filter, Source};
use crate::story::{Scenario, Traces, administration, happen};
use crate::truth::{
    Attestation, BuildSpan, CampaignTruth, CollectionTruth, FleetTruth, Foothold, HostTruth,
    KnownFile, Step, attestations_csv, known_files_csv,
};
use crate::verdict::{Circumstances, verdict};
use crate::witness::Witness;
use crate::{Collection, Error, Layout, Options, Patching};
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
    let patch = match options.patching {
        Patching::AsInScenario => scenario.patch(options),
        Patching::At(time) => Some(time.into()),
        Patching::Never => None,
    };
    let server = Server::new(options, &scenario, patch)?;
    let mut retention = scenario.retention_days.clone();
    retention.extend(&options.retention_days);
    let mut traces = happen(&scenario, &server)?;
    traces.add_records(administration(&server)?);

    let mut seen = BTreeSet::new();
    let mut collections = Vec::new();
    let mut written = Vec::new();
    let mut known_files = Vec::new();
    let times = [server.end];
    for (number, taken) in times.into_iter().enumerate() {
        let collected = Collected {
            number,
            of: times.len(),
            host: server.host.clone(),
            time: taken.timestamp(),
        };
        each(&collected, &mut |sink| {
            let filter = Filter::new(&options.withhold, &retention, BTreeMap::new(), taken);
            let mut witness = Witness::new(&traces.marks, sink);
            let mut known = write_collection(options, &server, &traces, &filter, &mut witness)?;
            known_files.append(&mut known);
            seen.extend(witness.seen());
            collections.push(CollectionTruth {
                path: String::new(),
                taken: taken.timestamp(),
                withheld: options.withhold.clone(),
                damaged: Vec::new(),
            });
            written.push(Written {
                taken,
                filter,
                damaged: Vec::new(),
            });
            Ok(())
        })?;
    }
    known_files.sort();
    known_files.dedup();
    let campaign = campaign_truth(&scenario, &server, traces, &seen, &written)?;
    Ok(Made {
        truth: HostTruth {
            host: server.host.clone(),
            organisation: None,
            scenario: options.scenario.clone(),
            seed: options.seed,
            summary: scenario.story.clone(),
            install: server.has_exchange.then(|| server.install.clone()),
            log_start: server.start.timestamp(),
            builds: builds(&server),
            patched: server.patch().map(|patch| patch.boot.timestamp()),
            collections,
            campaigns: vec![campaign],
        },
        known_files,
        attestations: Vec::new(),
    })
}

/// Writes what a collector takes at the server's end, and gives the table of files that the product ships.
fn write_collection(
    options: &Options,
    server: &Server,
    traces: &Traces,
    filter: &Filter,
    out: &mut dyn Sink,
) -> Result<Vec<KnownFile>, Error> {
    let (mut files, known_files) = server.disk()?;
    files.extend(traces.files.iter().cloned());
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
        _ if !server.has_exchange => Vec::new(),
        Some(patch) => vec![
            span(&server.before, start, patch.stop.timestamp()),
            span(&server.after, patch.ready.timestamp(), end),
        ],
        None => vec![span(&server.before, start, end)],
    }
}

fn campaign_truth(
    scenario: &Scenario,
    server: &Server,
    traces: Traces,
    seen: &BTreeSet<usize>,
    written: &[Written],
) -> Result<CampaignTruth, Error> {
    let campaign = Campaign::named(&scenario.campaign)?;
    let is_effect = |step: &Step| campaign.effect_stages.contains(&step.stage);
    let mut left_in = vec![BTreeSet::new(); traces.steps.len()];
    let (mut effect_left, mut hint_left) = (false, false);
    let mut left_at: BTreeMap<String, BTreeSet<Source>> = BTreeMap::new();
    for number in seen {
        let mark = &traces.marks[*number];
        let step = &traces.steps[mark.step];
        left_in[mark.step].insert(mark.source);
        if is_effect(step) {
            effect_left |= !mark.is_hint;
            hint_left |= mark.is_hint;
        }
        for foothold in &mark.footholds {
            left_at
                .entry(foothold.clone())
                .or_default()
                .insert(mark.source);
        }
    }
    let steps = traces
        .steps
        .into_iter()
        .zip(left_in)
        .map(|(step, sources)| Step {
            left_in: sources.into_iter().collect(),
            ..step
        });
    let story = steps.collect::<Vec<_>>();
    let footholds = traces.footholds.into_iter().map(|foothold| Foothold {
        left_in: left_at
            .remove(&foothold.path)
            .unwrap_or_default()
            .into_iter()
            .collect(),
        ..foothold
    });
    let footholds = footholds.collect();
    let effects = story.iter().filter(|step| is_effect(step));
    let times = effects.map(|step| step.time).collect::<Vec<_>>();
    let exposed = exposed(&campaign, server);
    let covered = exposed.map(|span| campaign.is_covered(written, server.start, span));
    let (said, accepted) = verdict(Circumstances {
        has_product: server.has_exchange,
        effect_left,
        hint_left,
        patched: server.patch().is_some(),
        covered: covered.unwrap_or(false),
        evicted: false,
        reinfected: false,
    });
    Ok(CampaignTruth {
        campaign: scenario.campaign.clone(),
        verdict: said.to_owned(),
        accepted: accepted.iter().map(|also| (*also).to_owned()).collect(),
        compromised: !times.is_empty(),
        provable: effect_left,
        covered: covered.unwrap_or(false),
        stages: campaign
            .stages
            .iter()
            .filter(|stage| story.iter().any(|step| step.stage == **stage))
            .cloned()
            .collect(),
        first: times.iter().min().copied(),
        last: times.iter().max().copied(),
        exposed: exposed
            .map(|(from, until)| (from.timestamp(), until.timestamp()))
            .into_iter()
            .collect(),
        footholds,
        story,
    })
}

/// Since when and until when the server could have been broken into; nothing where it lacks the product.
fn exposed(
    campaign: &Campaign,
    server: &Server,
) -> Option<(crate::moment::Moment, crate::moment::Moment)> {
    let from = server.installed().max(campaign.window_from.into());
    let until = server.patch().map_or(server.end, |patch| patch.stop);
    server.has_exchange.then_some((from, until))
}
