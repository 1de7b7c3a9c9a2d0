//! The main path: options in, evidence and truth out.

use crate::logs::LogWriter;
use crate::server::Server;
use crate::layout::{Collection, Layout};
use crate::sink::{Folder, Sink, Taken};
use crate::source::Filter;
use crate::story::{Scenario, Traces, administration, happen};
use crate::truth::{BuildSpan, KnownFile, Truth, known_files_csv};
use crate::{Error, Options, Patching};
use std::fs;
use std::path::Path;

/// What [`make`] gives besides the evidence itself.
#[derive(Clone, Debug)]
pub struct Made {
    pub truth: Truth,
    /// The product's own files, for the builds before and after the patch.
    pub known_files: Vec<KnownFile>,
}

/// Writes the evidence of one simulated server into `out`, and tells the truth about it.
///
/// The same options give the same bytes.
///
/// # Errors
/// When the options name no known scenario or a malformed build, when the story does not fit into the time, or when the
/// evidence cannot be written.
pub fn make(options: &Options, out: &mut dyn Sink) -> Result<Made, Error> {
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
    let (mut files, known_files) = server.disk()?;
    files.append(&mut traces.files);
    let mut events = server.ordinary_events();
    events.append(&mut traces.events);

    let filter = Filter::new(&options.withhold, &retention, server.end);
    let mut logs = LogWriter::new(&server, &filter, out);
    logs.text_logs(options, &traces)?;
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
    Ok(Made {
        truth: truth(options, &scenario, &server, traces),
        known_files,
    })
}

/// Makes a server in `folder`: its evidence in `evidence/HOST/`, and beside it `truth.json` and `known-files.csv`.
pub fn make_in_folder(options: &Options, folder: &Path) -> Result<Made, Error> {
    let scenario = Scenario::named(&options.scenario)?;
    // The host's name is drawn with the rest of the server; the logs need not be written for that.
    let host = Server::new(options, &scenario, None)?.host;
    let mut sink = Collection::new(
        Folder::new(&folder.join("evidence").join(host)),
        Layout::Drives,
    );
    let made = make(options, &mut sink)?;
    let mut truth = serde_json::to_string_pretty(&made.truth)?;
    truth.push('\n');
    fs::write(folder.join("truth.json"), truth)?;
    fs::write(
        folder.join("known-files.csv"),
        known_files_csv(&made.known_files),
    )?;
    Ok(made)
}

fn truth(options: &Options, scenario: &Scenario, server: &Server, traces: Traces) -> Truth {
    let (start, end) = (server.start.timestamp(), server.end.timestamp());
    let span = |build: &dyn ToString, from, until| BuildSpan {
        build: build.to_string(),
        from,
        until,
    };
    let builds = match server.patch() {
        _ if !server.has_exchange => Vec::new(),
        Some(patch) => vec![
            span(&server.before, start, patch.stop.timestamp()),
            span(&server.after, patch.ready.timestamp(), end),
        ],
        None => vec![span(&server.before, start, end)],
    };
    let expected = &scenario.expected;
    let unpatched = expected
        .unpatched_verdict
        .as_ref()
        .filter(|_| server.patch().is_none());
    Truth {
        host: server.host.clone(),
        install: server.has_exchange.then(|| server.install.clone()),
        scenario: scenario.name.clone(),
        seed: options.seed,
        summary: scenario.story.clone(),
        campaign: scenario.campaign.clone(),
        verdict: unpatched.unwrap_or(&expected.verdict).clone(),
        stages: expected.stages.clone(),
        footholds: traces.footholds,
        story: traces.steps,
        patched: server.patch().map(|patch| patch.boot.timestamp()),
        builds,
        log_start: start,
        collected: end,
        withheld: options.withhold.clone(),
    }
}
