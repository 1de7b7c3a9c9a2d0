//! Scenarios: what happens to the server, read from data, and the records that it leaves.
//!
//! A scenario is a list of chapters; a chapter is a list of steps; a step waits a while and then leaves records. Texts
//! hold names in braces, which stand for what the seed drew or what the server is called. Nothing of a campaign stands
//! in this file: see `scenarios/`.

use crate::events::{Caller, Channel, Logged, Process, defender};
use crate::files::{DiskFile, hex};
use crate::formats::Guid;
use crate::formats::exchange::EcpEntry;
use crate::moment::{MINUTE, Moment, SECOND};
use crate::random::Random;
use crate::server::Server;
use crate::source::Source;
use crate::traffic::{Backend, Protocol, Request};
use crate::truth::{Foothold, Step as TrueStep};
use crate::{Error, Options};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

const ACTORS: &str = include_str!("../scenarios/actors.json");

const SCENARIOS: [(&str, &str); 8] = [
    ("clean", include_str!("../scenarios/clean.json")),
    ("probed", include_str!("../scenarios/probed.json")),
    ("proxylogon", include_str!("../scenarios/proxylogon.json")),
    (
        "shell-deleted",
        include_str!("../scenarios/shell-deleted.json"),
    ),
    ("av-removed", include_str!("../scenarios/av-removed.json")),
    (
        "logs-missing",
        include_str!("../scenarios/logs-missing.json"),
    ),
    ("mail-theft", include_str!("../scenarios/mail-theft.json")),
    ("no-exchange", include_str!("../scenarios/no-exchange.json")),
];

/// Names within names are replaced this deep.
const NAME_DEPTH: usize = 5;

/// The names of all scenarios.
pub fn scenarios() -> Vec<&'static str> {
    SCENARIOS.iter().map(|(name, _)| *name).collect()
}

/// What happens in the scenario of that name, in a sentence or two.
pub fn summary(scenario: &str) -> Result<String, Error> {
    Ok(Scenario::named(scenario)?.story)
}

/// A scenario as its file states it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) story: String,
    pub(crate) campaign: String,
    pub(crate) has_exchange: bool,
    #[serde(default)]
    pub(crate) process_auditing: bool,
    patch: Option<Window>,
    entry: Option<Window>,
    #[serde(default)]
    pub(crate) retention_days: BTreeMap<Source, u32>,
    chapters: Vec<String>,
    pub(crate) expected: Expected,
}

/// A time that the seed draws.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Window {
    earliest: Timestamp,
    spread_minutes: i64,
}

/// What a right report says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub(crate) verdict: String,
    /// The verdict if the server is never patched, where that is another.
    pub(crate) unpatched_verdict: Option<String>,
    pub(crate) stages: Vec<String>,
}

impl Scenario {
    pub(crate) fn named(name: &str) -> Result<Self, Error> {
        let (_, text) = SCENARIOS
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| Error::Scenario(name.to_owned()))?;
        Ok(serde_json::from_str(text)?)
    }

    /// When the patch was begun, if it was.
    pub(crate) fn patch(&self, options: &Options) -> Option<Moment> {
        let mut random = Random::new(options.seed, "patch", 0);
        self.patch.as_ref().map(|window| window.draw(&mut random))
    }
}

impl Window {
    fn draw(&self, random: &mut Random) -> Moment {
        let milliseconds = random.between(0, self.spread_minutes * MINUTE - 1);
        Moment::from(self.earliest).after(milliseconds)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Actors {
    #[serde(rename = "about")]
    _about: String,
    choices: BTreeMap<String, Vec<Value>>,
    joined: BTreeMap<String, Value>,
    chapters: BTreeMap<String, Vec<Step>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    title: String,
    stage: String,
    /// Seconds after the step before, drawn from this range.
    wait: (i64, i64),
    /// How often the step happens, one after the other.
    #[serde(default = "once")]
    repeat: u32,
    records: Vec<Record>,
}

fn once() -> u32 {
    1
}

/// What a step leaves behind. Texts are templates.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case", deny_unknown_fields)]
enum Record {
    /// A request at the web server, in all logs that record it.
    Request(Box<RequestRecord>),
    /// A command in the control panel's log.
    ControlPanel { command: String, url: String },
    /// A cmdlet in the management event log.
    Cmdlet { cmdlet: String, parameters: String },
    /// A file that appears, with the traces of its writing.
    File {
        path: String,
        text: String,
        foothold: String,
    },
    /// A file that disappears.
    Remove { path: String },
    /// A page that ASP.NET compiles on its first request.
    Compiled {
        page: String,
        application: String,
        source: String,
        literals: Vec<String>,
    },
    /// A process that a worker process starts.
    Process {
        image: String,
        command_line: String,
        pool: String,
    },
    /// An event of Windows Defender.
    Defender {
        id: u16,
        threat: String,
        path: String,
    },
    /// A call in the log of Exchange Web Services.
    WebService { action: String, response_bytes: u32 },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestRecord {
    #[serde(default)]
    protocol: String,
    method: String,
    stem: String,
    #[serde(default)]
    anchor: String,
    #[serde(default)]
    hint: String,
    agent: String,
    client: String,
    status: Value,
    #[serde(default)]
    error: String,
    #[serde(default)]
    response_bytes: Option<u32>,
    #[serde(default)]
    target: Option<String>,
    #[serde(default)]
    backend: Option<BackendRecord>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BackendRecord {
    stem: String,
    #[serde(default)]
    query: String,
    status: u16,
}

/// A call in the log of Exchange Web Services.
#[derive(Clone, Debug)]
pub(crate) struct WebServiceCall {
    pub(crate) time: Moment,
    pub(crate) action: String,
    pub(crate) user: String,
    pub(crate) user_agent: String,
    pub(crate) client: String,
    pub(crate) response_bytes: u32,
    pub(crate) id: Guid,
}

/// All that a story leaves behind.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    pub(crate) requests: Vec<Request>,
    pub(crate) control_panel: Vec<EcpEntry>,
    pub(crate) web_service: Vec<WebServiceCall>,
    pub(crate) events: Vec<Logged>,
    /// Files that are still there when the evidence is collected.
    pub(crate) files: Vec<DiskFile>,
    pub(crate) steps: Vec<TrueStep>,
    pub(crate) footholds: Vec<Foothold>,
}

/// Lets the scenario happen to the server.
pub(crate) fn happen(scenario: &Scenario, server: &Server) -> Result<Traces, Error> {
    let Some(entry) = &scenario.entry else {
        return Ok(Traces::default());
    };
    let actors: Actors = serde_json::from_str(ACTORS)?;
    let mut random = Random::new(server.seed, "story", 0);
    let mut teller = Teller {
        server,
        names: draw_names(&actors, server, &mut random),
        sysmon: scenario.process_auditing && random.chance(40),
        process_auditing: scenario.process_auditing,
        traces: Traces::default(),
        detection: random.guid(),
        session: random.guid(),
        worker: u32::try_from(random.between(900, 3_500)).unwrap_or(0) * 4,
        random,
        step_begun: Moment(0),
        now: Moment(0),
    };
    teller.now = entry.draw(&mut teller.random);
    for chapter in &scenario.chapters {
        let steps = actors
            .chapters
            .get(chapter)
            .ok_or_else(|| Error::Chapter(chapter.clone()))?;
        for step in steps {
            teller.step(step)?;
        }
    }
    let last = teller.now;
    if last >= server.end
        || server.start
            > teller
                .traces
                .steps
                .first()
                .map_or(last, |step| Moment::from(step.time))
    {
        return Err(Error::OutsideWindow);
    }
    if server.patch().is_some_and(|patch| patch.stop <= last) {
        return Err(Error::PatchedTooEarly);
    }
    Ok(teller.traces)
}

/// What the names in braces stand for.
fn draw_names(actors: &Actors, server: &Server, random: &mut Random) -> BTreeMap<String, String> {
    const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";
    const CANARY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    let address =
        |random: &mut Random, network: &str| format!("{network}.{}", random.between(1, 254));
    let [major, minor, build, revision] = server.before.0;
    let mut names = BTreeMap::from(
        [
            ("host", server.host.clone()),
            ("fqdn", server.full_name.clone()),
            ("domain", server.domain.clone()),
            ("netbios", server.netbios.clone()),
            ("install", server.install.clone()),
            ("oab", server.oab.to_string()),
            (
                "version",
                format!("{major}.{minor} (Build {build}.{revision})"),
            ),
            ("letter", random.text(LETTERS, 1)),
            ("random4", random.text(LETTERS, 4)),
            ("random8", random.text(LETTERS, 8)),
            ("canary", random.text(CANARY, 76)),
            ("actor", address(random, "203.0.113")),
            ("visitor", address(random, "198.51.100")),
            ("scanner", address(random, "192.0.2")),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    for (name, choices) in &actors.choices {
        match random.pick(choices) {
            Value::Object(members) => {
                for (member, value) in members {
                    names.insert(format!("{name}.{member}"), joined(value));
                }
            }
            value => {
                names.insert(name.clone(), joined(value));
            }
        }
    }
    for (name, value) in &actors.joined {
        names.insert(name.clone(), joined(value));
    }
    names
}

/// A text, or the parts of one put together.
fn joined(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(joined).collect(),
        other => other.to_string(),
    }
}

struct Teller<'a> {
    server: &'a Server,
    names: BTreeMap<String, String>,
    sysmon: bool,
    process_auditing: bool,
    traces: Traces,
    detection: Guid,
    session: Guid,
    step_begun: Moment,
    /// The process id of the worker process.
    worker: u32,
    random: Random,
    now: Moment,
}

impl Teller<'_> {
    fn step(&mut self, step: &Step) -> Result<(), Error> {
        for _ in 0..step.repeat {
            let wait = self
                .random
                .between(step.wait.0 * SECOND, step.wait.1 * SECOND);
            self.now = self.now.after(wait);
            if !self.server.is_up(self.now) {
                // Whoever gets no answer tries again when the server is back.
                let ready = self.server.outages.iter().map(|outage| outage.ready);
                self.now = ready
                    .filter(|ready| *ready > self.now)
                    .min()
                    .unwrap_or(self.now)
                    .after(9 * MINUTE);
            }
            self.step_begun = self.now;
            self.traces.steps.push(TrueStep {
                time: self.now.timestamp(),
                stage: step.stage.clone(),
                title: step.title.clone(),
            });
            for record in &step.records {
                self.record(record)?;
            }
        }
        Ok(())
    }

    /// Replaces the names in braces. What is not a name stays, as scripts have braces of their own.
    fn fill(&self, template: &str) -> String {
        let mut text = template.to_owned();
        for _ in 0..NAME_DEPTH {
            let mut filled = String::with_capacity(text.len());
            let mut rest = text.as_str();
            while let Some(open) = rest.find('{') {
                filled.push_str(&rest[..open]);
                rest = &rest[open..];
                let value = rest
                    .find('}')
                    .and_then(|close| Some((close, self.names.get(&rest[1..close])?)));
                if let Some((close, value)) = value {
                    filled.push_str(value);
                    rest = &rest[close + 1..];
                } else {
                    filled.push('{');
                    rest = &rest[1..];
                }
            }
            filled.push_str(rest);
            if filled == text {
                break;
            }
            text = filled;
        }
        text
    }

    fn record(&mut self, record: &Record) -> Result<(), Error> {
        match record {
            Record::Request(request) => self.request(request)?,
            Record::ControlPanel { command, url } => {
                let activity = self.random.guid();
                let entry = EcpEntry {
                    time: self.slightly_later(20, 400),
                    command: self.fill(command),
                    url: self.fill(url),
                    error: String::new(),
                    duration_ms: u32::try_from(self.random.between(15, 600)).unwrap_or(0),
                    activity,
                    session: self.session,
                };
                self.traces.control_panel.push(entry);
            }
            Record::Cmdlet { cmdlet, parameters } => {
                let time = self.slightly_later(10, 90);
                let parameters = self.fill(parameters);
                let event = self.server.cmdlet(
                    time,
                    cmdlet,
                    &parameters,
                    Caller::ControlPanel,
                    "",
                    &mut self.random,
                );
                self.traces.events.push(event);
            }
            Record::File {
                path,
                text,
                foothold,
            } => self.file(path, text, foothold),
            Record::Remove { path } => {
                let path = self.fill(path);
                self.traces.files.retain(|file| file.path != path);
                for foothold in &mut self.traces.footholds {
                    if foothold.path == path {
                        foothold.present = false;
                    }
                }
            }
            Record::Compiled {
                page,
                application,
                source,
                literals,
            } => {
                let literals = literals
                    .iter()
                    .map(|literal| self.fill(literal))
                    .collect::<Vec<_>>();
                let (page, application) = (self.fill(page), self.fill(application));
                let source = self.fill(source);
                let time = self.slightly_later(200, 900);
                let files =
                    self.server
                        .compiled(time, &application, &page, &literals, &mut self.random);
                if self.sysmon {
                    for file in &files {
                        let event = Server::sysmon_file(
                            time,
                            r"C:\Windows\System32\inetsrv\w3wp.exe",
                            &file.path,
                            &mut self.random,
                        );
                        self.traces.events.push(event);
                    }
                }
                for foothold in &mut self.traces.footholds {
                    if foothold.path == source {
                        foothold.compiled = files.iter().map(|file| file.path.clone()).collect();
                    }
                }
                self.traces.files.extend(files);
            }
            Record::Process {
                image,
                command_line,
                pool,
            } => self.process(image, command_line, pool),
            Record::Defender { id, threat, path } => {
                let event = defender(
                    self.now,
                    *id,
                    &self.fill(threat),
                    &self.fill(path),
                    self.detection,
                    self.now,
                );
                self.traces.events.push(event);
            }
            Record::WebService {
                action,
                response_bytes,
            } => {
                let call = WebServiceCall {
                    time: self.slightly_later(20, 200),
                    action: action.clone(),
                    user: self.server.machine_account(),
                    user_agent: self.fill("{tool}"),
                    client: self.server.address.clone(),
                    response_bytes: *response_bytes,
                    id: self.random.guid(),
                };
                self.traces.web_service.push(call);
            }
        }
        Ok(())
    }

    /// A time some milliseconds after all records of the step so far.
    fn slightly_later(&mut self, low: i64, high: i64) -> Moment {
        self.now = self.now.after(self.random.between(low, high));
        self.now
    }

    fn request(&mut self, record: &RequestRecord) -> Result<(), Error> {
        // A request is logged when it ends, after all that it caused.
        let now = self.slightly_later(15, 300);
        let mut request = self.server.request(now, &mut self.random);
        request.duration_ms = u32::try_from(now.0 - self.step_begun.0).unwrap_or(u32::MAX);
        let protocol = self.fill(&record.protocol);
        request.protocol = Protocol::ALL
            .into_iter()
            .find(|known| known.name() == protocol);
        let status = self.fill(&joined(&record.status));
        request.status = status.parse().ok().ok_or(Error::Status(status))?;
        request.method.clone_from(&record.method);
        request.stem = self.fill(&record.stem);
        request.anchor = self.fill(&record.anchor);
        request.routing_hint.clone_from(&record.hint);
        request.user_agent = self.fill(&record.agent);
        request.client = self.fill(&record.client);
        request.error.clone_from(&record.error);
        request.target = record.target.as_ref().map(|target| self.fill(target));
        request.backend_status = request.target.as_ref().map(|_| request.status);
        if request.protocol.is_some() {
            "FBA".clone_into(&mut request.authentication);
        }
        if let Some(bytes) = record.response_bytes {
            request.bytes_out = bytes;
        }
        request.backend = record.backend.as_ref().map(|backend| Backend {
            stem: self.fill(&backend.stem),
            query: self.fill(&backend.query),
            user: self.server.machine_account(),
            client: self.server.address.clone(),
            status: backend.status,
        });
        self.traces.requests.push(request);
        Ok(())
    }

    fn file(&mut self, path: &str, text: &str, foothold: &str) {
        let path = self.fill(path);
        let bytes = self.fill(text).into_bytes();
        let time = self.slightly_later(30, 120);
        // The product writes through its own administrative share, so the share's audit names the file.
        if self.process_auditing {
            let events = self.server.share_access(time, &path, &mut self.random);
            self.traces.events.extend(events);
        }
        if self.sysmon {
            let event = Server::sysmon_file(time, "System", &path, &mut self.random);
            self.traces.events.push(event);
        }
        self.traces.footholds.push(Foothold {
            kind: foothold.to_owned(),
            path: path.clone(),
            sha256: hex(&Sha256::digest(&bytes)),
            present: true,
            compiled: Vec::new(),
        });
        self.traces.files.push(DiskFile {
            source: Source::WebRoots,
            path,
            modified: time,
            bytes,
        });
    }

    fn process(&mut self, image: &str, command_line: &str, pool: &str) {
        let time = self.slightly_later(20, 150);
        let command_line = self.fill(command_line);
        let parent_command_line = format!(
            r#"c:\windows\system32\inetsrv\w3wp.exe -ap "{}" -v "v4.0""#,
            self.fill(pool)
        );
        let process = Process {
            image,
            command_line: &command_line,
            parent_image: r"C:\Windows\System32\inetsrv\w3wp.exe",
            parent_command_line: &parent_command_line,
            id: u32::try_from(self.random.between(900, 3_500)).unwrap_or(0) * 4,
            parent_id: self.worker,
        };
        if self.process_auditing {
            let event = self.server.process_created(time, &process);
            self.traces.events.push(event);
        }
        if self.sysmon {
            let event = Server::sysmon_process(time, &process, &mut self.random);
            debug_assert_eq!(event.channel, Channel::Sysmon);
            self.traces.events.push(event);
        }
    }
}
