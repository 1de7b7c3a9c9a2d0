//! Scenarios: what happens to the server, read from data, and the records that it leaves.
//!
//! A scenario is a list of chapters; a chapter is a list of steps; a step waits a while and then leaves records. Texts
//! hold names in braces, which stand for what the seed drew or what the server is called. Nothing of a campaign stands
//! in this file: see `scenarios/`.

mod teller;

use crate::events::Logged;
use crate::files::DiskFile;
use crate::formats::Guid;
use crate::formats::exchange::EcpEntry;
use crate::moment::{DAY, HOUR, MINUTE, Moment};
use crate::random::Random;
use crate::server::{Server, internet};
use crate::source::Source;
use crate::traffic::Request;
use crate::truth::{Foothold, Step as TrueStep};
use crate::witness::Mark;
use crate::{Error, Options};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use teller::Teller;

const ACTORS: &str = include_str!("../../scenarios/actors.json");

/// The only actor of a scenario.
const ACTOR: &str = "first";

const ADMINISTRATION: &str = include_str!("../../data/administration.json");

/// In so many of a hundred weeks somebody changes a virtual directory in the control panel.
const ADMINISTRATION_PERCENT: u64 = 40;

const SCENARIOS: [(&str, &str); 8] = [
    ("clean", include_str!("../../scenarios/clean.json")),
    ("probed", include_str!("../../scenarios/probed.json")),
    (
        "proxylogon",
        include_str!("../../scenarios/proxylogon.json"),
    ),
    (
        "shell-deleted",
        include_str!("../../scenarios/shell-deleted.json"),
    ),
    (
        "av-removed",
        include_str!("../../scenarios/av-removed.json"),
    ),
    (
        "logs-missing",
        include_str!("../../scenarios/logs-missing.json"),
    ),
    (
        "mail-theft",
        include_str!("../../scenarios/mail-theft.json"),
    ),
    (
        "no-exchange",
        include_str!("../../scenarios/no-exchange.json"),
    ),
];

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
        /// What the compiler leaves in the assembly: names of types, and texts of the page.
        names: Vec<Value>,
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
    query: String,
    /// Who signed in; empty for nobody.
    #[serde(default)]
    user: String,
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
    /// Whether its rows point to what happened without proving it.
    #[serde(default)]
    is_hint: bool,
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
    /// How the records and files of the steps can be recognised.
    pub(crate) marks: Vec<Mark>,
}

impl Traces {
    /// Adds the records of `other`, but neither its files nor what it says of the truth.
    pub(crate) fn add_records(&mut self, other: Self) {
        self.requests.extend(other.requests);
        self.control_panel.extend(other.control_panel);
        self.web_service.extend(other.web_service);
        self.events.extend(other.events);
    }
}

/// What an administrator does in the control panel now and then. It leaves records like an intruder's, and is harmless.
pub(crate) fn administration(server: &Server) -> Result<Traces, Error> {
    let steps: Vec<Step> = serde_json::from_str(ADMINISTRATION)?;
    let mut all = Traces::default();
    let mut week = server.start.day_start();
    while server.has_exchange && week < server.end {
        let mut random = server.random("administration", week);
        let day = week.after(random.between(0, 6) * DAY);
        let begin = day.after(random.between(9, 15) * HOUR + random.between(0, HOUR));
        let (_, working_day) = server.local_hour(begin);
        if working_day && random.chance(ADMINISTRATION_PERCENT) {
            let names = server_names(server, &mut random);
            let mut teller = Teller::new(server, ACTOR, names, begin, random);
            for step in &steps {
                teller.step(step)?;
            }
            let (last, traces) = teller.finish();
            if server.start <= begin && last < server.end {
                all.add_records(traces);
            }
        }
        week = week.after(7 * DAY);
    }
    Ok(all)
}

/// Lets the scenario happen to the server.
pub(crate) fn happen(scenario: &Scenario, server: &Server) -> Result<Traces, Error> {
    let Some(entry) = &scenario.entry else {
        return Ok(Traces::default());
    };
    let actors: Actors = serde_json::from_str(ACTORS)?;
    let mut random = Random::new(server.seed, "story", 0);
    let names = draw_names(&actors, server, &mut random);
    let begin = entry.draw(&mut random);
    let mut teller = Teller::new(server, ACTOR, names, begin, random);
    for chapter in &scenario.chapters {
        let steps = actors
            .chapters
            .get(chapter)
            .ok_or_else(|| Error::Chapter(chapter.clone()))?;
        for step in steps {
            teller.step(step)?;
        }
    }
    let (last, traces) = teller.finish();
    if begin < server.start || last >= server.end {
        return Err(Error::OutsideWindow);
    }
    if server.patch().is_some_and(|patch| patch.stop <= last) {
        return Err(Error::PatchedTooEarly);
    }
    Ok(traces)
}

/// What the names in braces stand for on any server.
fn server_names(server: &Server, random: &mut Random) -> BTreeMap<String, String> {
    const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";
    const CANARY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    let [major, minor, build, revision] = server.before.0;
    let administrator = &server.users[0];
    BTreeMap::from(
        [
            ("host", server.host.clone()),
            ("fqdn", server.full_name.clone()),
            ("public", server.public.clone()),
            ("domain", server.domain.clone()),
            ("netbios", server.netbios.clone()),
            ("install", server.install.clone()),
            ("oab", server.oab.to_string()),
            (
                "version",
                format!("{major}.{minor} (Build {build}.{revision})"),
            ),
            ("admin_sid", format!("{}-500", server.domain_sid)),
            ("admin_desk", administrator.desk.clone()),
            ("admin_browser", administrator.browser.clone()),
            ("letter", random.text(LETTERS, 1)),
            ("random4", random.text(LETTERS, 4)),
            ("random8", random.text(LETTERS, 8)),
            ("canary", random.text(CANARY, 76)),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    )
}

/// What the names in braces stand for in a story of the campaign.
fn draw_names(actors: &Actors, server: &Server, random: &mut Random) -> BTreeMap<String, String> {
    let mut names = server_names(server, random);
    for (name, address) in [
        ("actor", internet::intruder(random)),
        ("visitor", internet::visitor(random)),
        ("scanner", internet::scanner(random)),
    ] {
        names.insert(name.to_owned(), address);
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    #[test]
    fn whatever_the_seed_the_story_ends_before_the_patch_and_leaves_no_name_unfilled() {
        for name in scenarios() {
            let scenario = Scenario::named(name).unwrap();
            for seed in 0..300 {
                let options = Options::new(name, seed);
                let patch = scenario.patch(&options);
                let server = Server::new(&options, &scenario, patch).unwrap();
                assert_eq!(server.patch().is_some(), patch.is_some(), "{name} {seed}");
                let traces = happen(&scenario, &server)
                    .unwrap_or_else(|error| panic!("{name} {seed}: {error}"));
                let requests = traces.requests.iter().map(|request| {
                    let backend = request.backend.as_ref();
                    let backend = backend.map_or("", |backend| backend.stem.as_str());
                    format!("{} {} {backend}", request.stem, request.anchor)
                });
                let files = traces.files.iter().map(|file| file.path.clone());
                for text in requests.chain(files) {
                    assert!(!text.contains(['{', '}']), "{name} {seed}: {text}");
                }
            }
        }
    }

    #[test]
    fn payloads_differ_by_seed() {
        let scenario = Scenario::named("proxylogon").unwrap();
        let mut commands = std::collections::BTreeSet::new();
        let mut shells = std::collections::BTreeSet::new();
        for seed in 0..60 {
            let options = Options::new("proxylogon", seed);
            let server = Server::new(&options, &scenario, scenario.patch(&options)).unwrap();
            let traces = happen(&scenario, &server).unwrap();
            let tampering = traces
                .control_panel
                .iter()
                .find(|entry| entry.command.contains("ExternalUrl='"))
                .unwrap();
            let payload = tampering.command.split(".Identity").next().unwrap();
            commands.insert(payload.to_owned());
            shells.insert(traces.footholds[0].path.clone());
        }
        assert!(commands.len() > 30 && shells.len() > 30);
    }
}
