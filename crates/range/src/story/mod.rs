//! Stories: what happens to the server, when, and the records that it leaves.
//!
//! A [scenario] lists acts; an act is what one actor does in one go: chapters, which are lists of steps, which leave
//! records. [`unfold`] finds times at which all of it can have happened, and lets it happen.

mod cast;
mod scenario;
mod teller;
mod traces;

pub use scenario::{
    About, CampaignNeeds, about, actors, campaigns, needs, scenarios, showcase, summary,
};
pub(crate) use scenario::{Damage, DamageKind, Scenario, simulated};
pub(crate) use traces::{Setting, State, Traces, WebServiceCall};

use crate::moment::{DAY, HOUR, MINUTE, Moment};
use crate::random::Random;
use crate::server::Server;
use crate::source::Withheld;
use crate::truth::Attestation;
use crate::{Error, Options, Patching};
use cast::{Cast, Names, Step};
use scenario::{Act, Window};
use std::collections::BTreeMap;
use teller::Teller;

const ADMINISTRATION: &str = include_str!("../../data/administration.json");

/// In so many of a hundred weeks somebody changes a virtual directory in the control panel.
const ADMINISTRATION_PERCENT: u64 = 40;

/// What windows call the update.
const PATCH: &str = "patch";

/// A patch is put off at most so many times until the story fits before it.
const PUT_OFF_MAX: usize = 12;

/// A scenario that has happened to a server.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) server: Server,
    pub(crate) traces: Traces,
    /// When evidence was collected; the last time is the end of all.
    pub(crate) collections: Vec<Moment>,
    pub(crate) withheld: Vec<Withheld>,
    /// What is damaged, and the time whose records are in the damaged file.
    pub(crate) damage: Vec<(Damage, Moment)>,
    pub(crate) attestations: Vec<Attestation>,
}

impl Story {
    /// The server as a collector finds it at `taken`.
    pub(crate) fn server_at(
        &self,
        scenario: &Scenario,
        options: &Options,
        taken: Moment,
    ) -> Result<Server, Error> {
        let options = Options {
            end: taken.timestamp(),
            ..options.clone()
        };
        let patch = self.server.patch().map(|patch| patch.stop);
        Server::new(&options, scenario, patch)
    }
}

/// The options with the scenario's own end: some stories need longer.
pub(crate) fn lengthened(options: &Options, scenario: &Scenario) -> Options {
    let end = Moment::from(options.end).after(i64::from(scenario.longer_days) * DAY);
    Options {
        end: end.timestamp(),
        ..options.clone()
    }
}

/// Lets the scenario happen to the server that the options describe.
///
/// # Errors
/// When the story does not lie within the time simulated, or does not fit with the patch that the options name.
pub(crate) fn unfold(scenario: &Scenario, options: &Options) -> Result<Story, Error> {
    let cast = Cast::new(&scenario.campaign)?;
    let mut patch = drawn_patch(scenario, options, &|_| None);
    for _ in 0..PUT_OFF_MAX {
        let server = Server::new(options, scenario, patch)?;
        let stage = Stage {
            scenario,
            options,
            cast: &cast,
            server: &server,
        };
        let played = stage.play()?;
        let ended = |name: &str| played.ended(name, &server);
        if options.patching == Patching::AsInScenario {
            if patch.is_none() {
                patch = drawn_patch(scenario, options, &ended);
                if patch.is_some() {
                    continue;
                }
            }
            if let Some(later) = put_off(patch, &played, options) {
                patch = Some(later);
                continue;
            }
        } else if played.needs_open_after(patch) {
            return Err(Error::PatchedTooEarly);
        }
        if let Some(waiting) = played.waiting.first() {
            return Err(Error::NeverBegun(waiting.clone()));
        }
        return stage.after(played);
    }
    Err(Error::OutsideWindow)
}

/// When the update is begun, as far as that can be told yet.
fn drawn_patch(
    scenario: &Scenario,
    options: &Options,
    ended: &dyn Fn(&str) -> Option<Moment>,
) -> Option<Moment> {
    match options.patching {
        Patching::AsInScenario => {
            let mut random = Random::new(options.seed, PATCH, 0);
            scenario.patch.as_ref()?.draw(&mut random, ended)
        }
        Patching::At(time) => Some(time.into()),
        Patching::Never => None,
    }
}

/// A later time for the patch, where something that needs the weakness happened after it.
fn put_off(patch: Option<Moment>, played: &Played, options: &Options) -> Option<Moment> {
    if !played.needs_open_after(patch) {
        return None;
    }
    let mut random = Random::new(options.seed, "put off", 0);
    let wait = random.between(5 * HOUR, 40 * HOUR);
    Some(played.open_until?.after(wait))
}

/// What has happened of a scenario.
#[derive(Debug, Default)]
struct Played {
    traces: Traces,
    /// When each act had ended, by its name.
    ends: BTreeMap<String, Moment>,
    /// Until when something happened that needs the weakness.
    open_until: Option<Moment>,
    /// Acts whose begin nothing tells.
    waiting: Vec<String>,
}

impl Played {
    fn needs_open_after(&self, patch: Option<Moment>) -> bool {
        matches!((patch, self.open_until), (Some(patch), Some(until)) if patch <= until)
    }

    fn ended(&self, name: &str, server: &Server) -> Option<Moment> {
        if name == PATCH {
            return server.patch().map(|patch| patch.ready);
        }
        self.ends.get(name).copied()
    }
}

/// Where a scenario is played.
struct Stage<'a> {
    scenario: &'a Scenario,
    options: &'a Options,
    cast: &'a Cast,
    server: &'a Server,
}

impl Stage<'_> {
    /// Plays all acts whose begin can be told. Whatever closes the weakness comes after all that uses it.
    fn play(&self) -> Result<Played, Error> {
        let mut played = Played::default();
        let mut acts = self.scenario.acts.iter().collect::<Vec<_>>();
        let mut closers = Vec::new();
        for act in &acts {
            let chapters = self.cast.chapters(act)?;
            if chapters.iter().any(|chapter| chapter.closes_weakness) {
                closers.push(act.name());
            }
        }
        acts.sort_by_key(|act| closers.contains(&act.name()));
        let shift = self.shift();
        while !acts.is_empty() {
            let mut waiting = Vec::new();
            let before = acts.len();
            for act in acts {
                let begin = self.begin(act, shift, &played);
                match begin {
                    Some(begin) if closers.contains(&act.name()) => {
                        let open_until = played.open_until.map(|until| until.after(HOUR));
                        self.act(
                            act,
                            open_until.map_or(begin, |until| until.max(begin)),
                            &mut played,
                        )?;
                    }
                    Some(begin) => self.act(act, begin, &mut played)?,
                    None => waiting.push(act),
                }
            }
            acts = waiting;
            if acts.len() == before {
                break;
            }
        }
        played.waiting = acts.iter().map(|act| act.name().to_owned()).collect();
        Ok(played)
    }

    /// By how much all acts come later than drawn, so that the first begins when the options say.
    fn shift(&self) -> i64 {
        let first = self
            .scenario
            .acts
            .iter()
            .find(|act| matches!(act.begin, Window::At { .. }));
        match (self.options.begin, first) {
            (Some(begin), Some(act)) => {
                let drawn = act
                    .begin
                    .draw(&mut self.random("begin", act.name()), &|_| None);
                drawn.map_or(0, |drawn| Moment::from(begin).0 - drawn.0)
            }
            _ => 0,
        }
    }

    fn begin(&self, act: &Act, shift: i64, played: &Played) -> Option<Moment> {
        let ended = |name: &str| played.ended(name, self.server);
        let begin = act
            .begin
            .draw(&mut self.random("begin", act.name()), &ended)?;
        Some(match act.begin {
            Window::At { .. } => begin.after(shift),
            Window::After { .. } => begin,
        })
    }

    fn random(&self, label: &str, name: &str) -> Random {
        Random::new(self.server.seed, &format!("{label} {name}"), 0)
    }

    fn act(&self, act: &Act, begin: Moment, played: &mut Played) -> Result<(), Error> {
        let seed = |actor: &str| {
            let given = self.options.actor_seeds.get(actor).copied();
            given.unwrap_or_else(|| self.random("actor", actor).next_u64())
        };
        let names = self
            .cast
            .names(act, &self.scenario.draws, self.server, &seed)?;
        let random = self.random("act", act.name());
        let mut teller = Teller::new(self.server, &act.actor, names, begin, random);
        for chapter in self.cast.chapters(act)? {
            teller.chapter(chapter)?;
            if chapter.uses_weakness {
                played.open_until = played.open_until.max(Some(teller.now()));
            }
        }
        let end = teller.now();
        if begin < self.server.start || end >= self.server.end {
            return Err(Error::OutsideWindow);
        }
        played.ends.insert(act.name().to_owned(), end);
        played.traces.append(teller.finish());
        Ok(())
    }

    /// What follows once the story has happened: collections, losses, statements.
    fn after(self, played: Played) -> Result<Story, Error> {
        let ended = |name: &str| played.ended(name, self.server);
        let draw = |label: &str, number: usize, window: &Window| {
            window
                .draw(&mut self.random(label, &number.to_string()), &ended)
                .ok_or_else(|| Error::NeverBegun(label.to_owned()))
        };
        let mut collections = Vec::new();
        for (number, window) in self.scenario.collections.iter().enumerate() {
            collections.push(draw("collection", number, window)?);
        }
        collections.sort();
        collections.retain(|taken| self.server.start < *taken && *taken < self.server.end);
        collections.push(self.server.end);
        let mut withheld = self.options.withhold.clone();
        for (number, hole) in self.scenario.holes.iter().enumerate() {
            let from = draw("hole", number, &hole.from)?;
            let until = from.after(hole.hours * HOUR);
            withheld.extend(
                hole.sources
                    .iter()
                    .map(|source| Withheld::span(*source, from.timestamp(), until.timestamp())),
            );
        }
        let mut damage = Vec::new();
        for (number, one) in self.scenario.damage.iter().enumerate() {
            damage.push((one.clone(), draw("damage", number, &one.at)?));
        }
        let mut attestations = Vec::new();
        if let Some(eviction) = &self.scenario.eviction {
            let mut stated = draw("statement", 0, &eviction.stated)?;
            for (gate, answer, statement) in &eviction.gates {
                stated = stated.after(3 * MINUTE);
                attestations.push(Attestation {
                    host: self.server.host.clone(),
                    campaign: self.scenario.campaign.clone(),
                    gate: gate.clone(),
                    answer: answer.clone(),
                    by: eviction.by.clone(),
                    role: eviction.role.clone(),
                    time: stated.timestamp(),
                    statement: statement.clone(),
                });
            }
        }
        let mut traces = played.traces;
        traces.add_records(administration(self.server)?);
        let server = Server::new(
            self.options,
            self.scenario,
            self.server.patch().map(|patch| patch.stop),
        )?;
        Ok(Story {
            server,
            traces,
            collections,
            withheld,
            damage,
            attestations,
        })
    }
}

/// What an administrator does in the control panel now and then. It leaves records like an intruder's, and is harmless.
fn administration(server: &Server) -> Result<Traces, Error> {
    let steps: Vec<Step> = serde_json::from_str(ADMINISTRATION)?;
    let mut all = Traces::default();
    let mut week = server.start.day_start();
    while server.has_exchange && week < server.end {
        let mut random = server.random("administration", week);
        let day = week.after(random.between(0, 6) * DAY);
        let begin = day.after(random.between(9, 15) * HOUR + random.between(0, HOUR));
        let (_, working_day) = server.local_hour(begin);
        if working_day && random.chance(ADMINISTRATION_PERCENT) {
            let names = Names::of_server(server, random.next_u64());
            let mut teller = Teller::new(server, "administrator", names, begin, random);
            for step in &steps {
                teller.step(step)?;
            }
            let last = teller.now();
            if server.start <= begin && last < server.end {
                all.add_records(teller.finish());
            }
        }
        week = week.after(7 * DAY);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::Campaign;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn told(name: &str, seed: u64) -> Result<Story, Error> {
        let scenario = Scenario::named(name)?;
        let options = lengthened(&Options::new(name, seed), &scenario);
        unfold(&scenario, &options)
    }

    /// Every text of a story that a log or a disk will show, but for the contents of files, as scripts have braces.
    fn texts(traces: &Traces) -> Vec<String> {
        let mut texts = Vec::new();
        for request in &traces.requests {
            texts.extend(
                [
                    &request.stem,
                    &request.query,
                    &request.anchor,
                    &request.client,
                ]
                .map(Clone::clone),
            );
            texts.extend(
                [&request.user_agent, &request.user, &request.routing_hint].map(Clone::clone),
            );
            texts.extend(request.backend.iter().map(|backend| backend.stem.clone()));
        }
        let state = traces.state(Moment(i64::MAX));
        texts.extend(state.files.iter().map(|file| file.path.clone()));
        texts.extend(state.footholds.iter().map(|foothold| foothold.path.clone()));
        texts.extend(traces.control_panel.iter().map(|entry| entry.url.clone()));
        texts.extend(traces.steps.iter().map(|step| step.title.clone()));
        texts
    }

    #[test]
    fn whatever_the_seed_the_story_fits_and_leaves_no_name_unfilled() {
        for name in scenarios() {
            let scenario = Scenario::named(name).unwrap();
            for seed in 0..60 {
                let story =
                    told(name, seed).unwrap_or_else(|error| panic!("{name} {seed}: {error}"));
                assert_eq!(
                    story.server.patch().is_some(),
                    scenario.patch.is_some(),
                    "{name} {seed}"
                );
                for text in texts(&story.traces) {
                    assert!(!text.contains(['{', '}']), "{name} {seed}: {text}");
                }
                let up = |request: &crate::traffic::Request| story.server.is_up(request.time);
                assert!(story.traces.requests.iter().all(up), "{name} {seed}");
                assert_eq!(
                    story.collections.len(),
                    scenario.collections.len() + 1,
                    "{name} {seed}"
                );
            }
        }
    }

    #[test]
    fn two_scenarios_make_one_or_are_refused_with_a_reason() {
        let mut joined = 0;
        for (number, one) in scenarios().into_iter().enumerate() {
            for (other_number, other) in scenarios().into_iter().enumerate() {
                let name = format!("{one}+{other}");
                let seed = u64::try_from(number * 64 + other_number).unwrap();
                match told(&name, seed) {
                    Ok(story) => {
                        joined += 1;
                        for text in texts(&story.traces) {
                            assert!(!text.contains(['{', '}']), "{name}: {text}");
                        }
                        let both = Scenario::named(one).unwrap().acts.len()
                            + Scenario::named(other).unwrap().acts.len();
                        let actors = actors(&name).unwrap();
                        assert!(actors.len() <= both, "{name}");
                        let distinct = actors.iter().collect::<BTreeSet<_>>();
                        assert_eq!(distinct.len(), actors.len(), "{name}");
                    }
                    Err(
                        Error::Contradiction { .. } | Error::NeverBegun(_) | Error::OutsideWindow,
                    ) => {}
                    Err(error) => panic!("{name}: {error}"),
                }
            }
        }
        assert!(joined > 2_500, "{joined} pairs fit");
        let error = told("no-exchange+proxylogon", 1).map(|_| ()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no-exchange and proxylogon cannot happen on one server: they disagree about whether the server has the product"
        );
    }

    #[test]
    fn the_same_intruder_brings_the_same_tools_to_another_server() {
        let visit = |server: u64, actor: u64| {
            let scenario = Scenario::named("proxylogon").unwrap();
            let mut options = Options::new("proxylogon", server);
            options.actor_seeds.insert("first".to_owned(), actor);
            options.host = Some("EX01".to_owned());
            let story = unfold(&scenario, &options).unwrap();
            let shell = story.traces.state(Moment(i64::MAX)).footholds[0]
                .path
                .clone();
            let relayed = story
                .traces
                .requests
                .iter()
                .find(|request| request.status == 241);
            let relayed = relayed.unwrap();
            (
                shell,
                relayed.user_agent.clone(),
                relayed.client.clone(),
                relayed.stem.clone(),
            )
        };
        assert_eq!(visit(1, 7), visit(2, 7));
        let all = (0..20)
            .map(|actor| visit(1, actor))
            .collect::<BTreeSet<_>>();
        assert!(all.len() > 15);
    }

    #[test]
    fn a_story_begins_when_it_is_told_to_and_the_patch_waits_for_it() {
        let scenario = Scenario::named("two-actors").unwrap();
        let begin = "2021-03-08T00:00:00Z".parse().unwrap();
        let options = Options {
            begin: Some(begin),
            ..Options::new("two-actors", 4)
        };
        let story = unfold(&scenario, &options).unwrap();
        let steps = &story.traces.steps;
        let first = steps.iter().map(|step| step.time).min().unwrap();
        assert!(first >= begin && first.duration_since(begin).as_hours() < 24);
        let last = steps.iter().map(|step| step.time).max().unwrap();
        assert!(story.server.patch().unwrap().stop.timestamp() > last);
        let early = Options {
            patching: Patching::At(begin),
            ..options
        };
        assert!(matches!(
            unfold(&scenario, &early),
            Err(Error::PatchedTooEarly)
        ));
    }

    #[test]
    fn payloads_differ_by_seed() {
        let mut commands = BTreeSet::new();
        let mut shells = BTreeSet::new();
        for seed in 0..60 {
            let traces = told("proxylogon", seed).unwrap().traces;
            let tampering = traces
                .control_panel
                .iter()
                .find(|entry| {
                    entry.command.contains("ExternalUrl='") && entry.command.contains('<')
                })
                .unwrap();
            let payload = tampering.command.split(".Identity").next().unwrap();
            commands.insert(payload.to_owned());
            shells.insert(traces.state(Moment(i64::MAX)).footholds[0].path.clone());
        }
        assert!(commands.len() > 40 && shells.len() > 40);
    }

    /// Texts that rules and indicators of a campaign's pack name: quoted words of rules, and values of indicators.
    #[expect(
        clippy::disallowed_methods,
        reason = "rules of the repository are read, no evidence"
    )]
    fn named_texts(campaign: &str) -> Vec<String> {
        let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../packs/{campaign}"));
        let unavoidable = Campaign::named(campaign).expect("a campaign").unavoidable;
        let mut rules = Vec::new();
        for entry in std::fs::read_dir(pack.join("rules")).expect("a folder of rules") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            let unavoidable = unavoidable.rules.iter().any(|rules| *rules == name);
            if !unavoidable && name.ends_with(".yml") {
                rules.push(std::fs::read_to_string(path).expect("a text"));
            }
        }
        let indicators =
            std::fs::read_to_string(pack.join("indicators.csv")).expect("a table of indicators");
        let quoted = rules.iter().flat_map(|rules| {
            let lines = rules.lines().filter(|line| {
                let line = line.trim_start();
                let is_list = line.starts_with('-') || line.contains(": [") || line.contains(": '");
                is_list && !line.starts_with("foothold") && !line.contains("references")
            });
            lines.flat_map(|line| line.split('\'').skip(1).step_by(2).map(str::to_owned))
        });
        let indicators = indicators.lines().filter_map(|line| {
            let (kind, rest) = line.split_once(',')?;
            let value = rest.trim_start_matches('"').split([',', '"']).next()?;
            matches!(kind, "url_path" | "user_agent" | "path" | "file_name")
                .then(|| value.to_owned())
        });
        let texts = quoted.chain(indicators).map(|text| text.to_lowercase());
        texts
            .filter(|text| {
                text.len() > 3 && !text.ends_with('\\') && !unavoidable.words.contains(text)
            })
            .filter(|text| !text.contains("(?i)") && !text.contains('*'))
            .collect()
    }

    #[test]
    fn a_fifth_of_the_scenarios_use_what_no_rule_names() {
        let named = named_texts("proxylogon");
        assert!(named.len() > 100, "{}", named.len());
        let of_campaign = |name: &&str| about(name).unwrap().campaign == "proxylogon";
        let unnamed = scenarios()
            .into_iter()
            .filter(of_campaign)
            .filter(|name| about(name).unwrap().is_unnamed)
            .collect::<Vec<_>>();
        let attacks = scenarios().into_iter().filter(of_campaign).filter(|name| {
            let stages = about(name).unwrap().stages;
            stages.iter().any(|stage| stage != "probed")
        });
        assert!(unnamed.len() * 5 >= attacks.count(), "{unnamed:?}");
        let unnamed = scenarios()
            .into_iter()
            .filter(|name| about(name).unwrap().is_unnamed);
        let mut told_of = BTreeSet::new();
        for name in unnamed {
            let named = named_texts(&about(name).unwrap().campaign);
            for seed in 0..12 {
                let story = told(name, seed).unwrap();
                for text in variable_texts(&story.traces) {
                    let text = text.to_lowercase();
                    let known = named.iter().filter(|known| text.contains(known.as_str()));
                    told_of.extend(known.map(|known| (name, known.clone())));
                }
            }
        }
        assert!(told_of.is_empty(), "{told_of:?}");
    }

    /// What an intruder may choose freely: paths and agents of requests, names of files, programs and settings.
    fn variable_texts(traces: &Traces) -> Vec<String> {
        let mut texts = Vec::new();
        for request in &traces.requests {
            texts.extend([request.stem.clone(), request.user_agent.clone()]);
        }
        for logged in &traces.events {
            if let crate::formats::evtx::Body::Named(fields) = &logged.event.body {
                let wanted = [
                    "CommandLine",
                    "NewProcessName",
                    "Image",
                    "TaskName",
                    "ServiceName",
                    "ImagePath",
                ];
                let values = fields
                    .iter()
                    .filter(|(name, _)| wanted.contains(&name.as_str()));
                texts.extend(values.filter_map(|(_, value)| match value {
                    crate::formats::evtx::Value::Text(text) => Some(text.clone()),
                    _ => None,
                }));
            }
        }
        texts
    }
}
