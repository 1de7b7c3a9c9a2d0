//! Scenarios: what happens to a server, as data files state it, and how two of them become one.

use super::cast::Draws;
use crate::Error;
use crate::moment::{MINUTE, Moment};
use crate::random::Random;
use crate::source::Source;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The texts of the named scenarios.
macro_rules! scenario_files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../scenarios/", $name, ".json")))),*]
    };
}

const SCENARIOS: &[(&str, &str)] = &scenario_files![
    "clean",
    "clean-late",
    "never-patched",
    "cumulative-update",
    "no-exchange",
    "drive-d",
    "drive-d-entered",
    "probed",
    "vulnerability-scan",
    "public-check",
    "proxylogon",
    "shell-script-tag",
    "shell-page-tags",
    "shell-unclosed",
    "shell-form",
    "shell-base64",
    "shell-reflection",
    "shell-upload",
    "shell-handler",
    "shell-deleted",
    "compiled-only",
    "av-removed",
    "one-log-missing",
    "control-panel-directory",
    "mail-directory",
    "shell-directory",
    "other-folder",
    "address-book-write",
    "unified-messaging",
    "mail-theft",
    "mail-theft-mapi",
    "gone-without-trace",
    "two-actors",
    "shell-taken-over",
    "shell-borrowed",
    "eviction",
    "eviction-missed",
    "reinfection",
    "cleaned-unattested",
    "timestomped",
    "scheduled-task",
    "new-service",
    "web-server-module",
    "new-administrator",
    "credential-theft",
    "credential-theft-unnamed",
    "archive-stolen",
    "mailbox-export",
    "custom-page",
    "custom-logon",
    "mitigated",
    "mitigation-cancelled",
    "logs-missing",
    "short-retention",
    "three-day-hole",
    "theft-in-the-hole",
    "cleared-logs",
    "damaged-logs",
    "damaged-event-log",
    "power-cut",
];

/// What stands between the names of scenarios that happen together.
const JOIN: char = '+';

/// The scenario that shows the most: what is made where nobody asks for another.
pub fn showcase() -> &'static str {
    include_str!("../../scenarios/showcase.txt").trim_end()
}

/// The names of all scenarios.
pub fn scenarios() -> Vec<&'static str> {
    SCENARIOS.iter().map(|(name, _)| *name).collect()
}

/// What happens in the scenario of that name, in a sentence or two.
///
/// # Errors
/// When no scenario has that name, or those joined contradict one another.
pub fn summary(scenario: &str) -> Result<String, Error> {
    Ok(Scenario::named(scenario)?.story)
}

/// What a scenario's file states of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// What happens, in a sentence or two.
    pub story: String,
    /// The verdict of a right report, where the story leaves no choice; absent where scenarios are joined.
    pub verdict: Option<String>,
    /// The stages reached, lowest first.
    pub stages: Vec<String>,
    /// Whether no rule names the tools, paths and payloads that are used.
    pub is_unnamed: bool,
}

/// What a scenario's file states of it.
///
/// # Errors
/// As [`summary`].
pub fn about(scenario: &str) -> Result<About, Error> {
    let scenario = Scenario::named(scenario)?;
    let (verdict, stages) = match scenario.expected {
        Some(expected) => (Some(expected.verdict), expected.stages),
        None => (None, Vec::new()),
    };
    Ok(About {
        story: scenario.story,
        verdict,
        stages,
        is_unnamed: scenario.variant == Some(Variant::Unnamed),
    })
}

/// The names of the actors of a scenario, as [`Options::actor_seeds`](crate::Options::actor_seeds) takes them, in the
/// order in which they come.
///
/// # Errors
/// As [`summary`].
pub fn actors(scenario: &str) -> Result<Vec<String>, Error> {
    let mut actors = Vec::new();
    for act in Scenario::named(scenario)?.acts {
        if !actors.contains(&act.actor) {
            actors.push(act.actor);
        }
    }
    Ok(actors)
}

/// A scenario as its file states it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) story: String,
    pub(crate) campaign: String,
    /// Set where rules of the campaign's pack name nothing that tells this scenario's tools from others.
    #[serde(default)]
    pub(crate) variant: Option<Variant>,
    #[serde(default)]
    pub(crate) host: Traits,
    /// When the update is begun; never where absent.
    #[serde(default)]
    pub(crate) patch: Option<Window>,
    #[serde(default)]
    pub(crate) draws: Draws,
    #[serde(default)]
    pub(crate) acts: Vec<Act>,
    /// When evidence is collected besides at the end.
    #[serde(default)]
    pub(crate) collections: Vec<Window>,
    /// For how many days longer than usual the server is simulated.
    #[serde(default)]
    pub(crate) longer_days: u32,
    #[serde(default)]
    pub(crate) retention_days: BTreeMap<Source, u32>,
    #[serde(default)]
    pub(crate) holes: Vec<Hole>,
    #[serde(default)]
    pub(crate) damage: Vec<Damage>,
    #[serde(default)]
    pub(crate) eviction: Option<Eviction>,
    /// Absent where scenarios are joined.
    #[serde(default)]
    pub(crate) expected: Option<Expected>,
}

/// How far a scenario's means are from what rules name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Variant {
    Unnamed,
}

/// What kind of server it happens to. What is absent is as on most servers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Traits {
    /// Most servers have it.
    pub(crate) has_exchange: Option<bool>,
    /// Whether Windows records processes and share access.
    pub(crate) process_auditing: bool,
    /// The product's install folder.
    pub(crate) install: Option<String>,
    /// Builds before and after the update; one pair is drawn.
    pub(crate) builds: Vec<(String, String)>,
    /// Whether the weakness is closed by a cumulative update instead of a security update.
    pub(crate) cumulative_update: bool,
}

impl Traits {
    pub(crate) fn has_exchange(&self) -> bool {
        self.has_exchange.unwrap_or(true)
    }
}

/// A time that the seed draws.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum Window {
    At {
        earliest: Timestamp,
        spread_minutes: i64,
    },
    /// So many minutes after an act has ended, or after `patch`.
    After { after: String, minutes: (i64, i64) },
}

impl Window {
    /// Draws a time; `ended` tells when what it refers to had ended.
    pub(crate) fn draw(
        &self,
        random: &mut Random,
        ended: &dyn Fn(&str) -> Option<Moment>,
    ) -> Option<Moment> {
        match self {
            Self::At {
                earliest,
                spread_minutes,
            } => {
                let wait = random.between(0, spread_minutes * MINUTE - 1);
                Some(Moment::from(*earliest).after(wait))
            }
            Self::After {
                after,
                minutes: (least, most),
            } => {
                let wait = random.between(least * MINUTE, most * MINUTE);
                Some(ended(after)?.after(wait))
            }
        }
    }

    fn rename(&mut self, names: &BTreeMap<String, String>) {
        if let Self::After { after, .. } = self
            && let Some(name) = names.get(after)
        {
            after.clone_from(name);
        }
    }
}

/// What one actor does in one go.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Act {
    /// The actor's name in this scenario.
    pub(crate) actor: String,
    /// What other acts call this one; the actor's name where absent.
    #[serde(default)]
    name: Option<String>,
    pub(crate) begin: Window,
    pub(crate) chapters: Vec<String>,
    /// What the scenario's texts call actors, and the names that these have now.
    #[serde(skip)]
    pub(crate) cast: BTreeMap<String, String>,
}

impl Act {
    pub(crate) fn name(&self) -> &str {
        self.name.as_ref().unwrap_or(&self.actor)
    }
}

/// Records that are lost for days on end.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hole {
    pub(crate) sources: Vec<Source>,
    pub(crate) from: Window,
    pub(crate) hours: i64,
}

/// A file of evidence that is broken.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Damage {
    pub(crate) kind: DamageKind,
    pub(crate) source: Source,
    #[serde(default)]
    pub(crate) instance: String,
    /// Files of the log of the day that holds this time are broken, or the whole event log.
    pub(crate) at: Window,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DamageKind {
    /// The file ends in the middle of a line.
    CutOff,
    /// The last part of the file holds zeroes, as after a power failure.
    ZeroTail,
    /// One chunk of an event log holds zeroes.
    ZeroChunk,
}

/// What named persons state about the eviction.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Eviction {
    pub(crate) stated: Window,
    pub(crate) by: String,
    pub(crate) role: String,
    /// Gate, answer and statement.
    pub(crate) gates: Vec<(String, String, String)>,
}

/// What a right report says. It only states what is derived, for a test to compare.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub(crate) verdict: String,
    pub(crate) stages: Vec<String>,
}

impl Scenario {
    /// The scenario of that name, or the one that those of joined names make.
    pub(crate) fn named(names: &str) -> Result<Self, Error> {
        let mut parts = names.split(JOIN);
        let mut all = Self::single(parts.next().unwrap_or_default())?;
        for name in parts {
            all = all.with(Self::single(name)?)?;
        }
        Ok(all)
    }

    fn single(name: &str) -> Result<Self, Error> {
        let (_, text) = SCENARIOS
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| Error::Scenario(name.to_owned()))?;
        let mut scenario: Self = serde_json::from_str(text)?;
        let actors = scenario.acts.iter().map(|act| act.actor.clone());
        let cast: BTreeMap<_, _> = actors.map(|actor| (actor.clone(), actor)).collect();
        for act in &mut scenario.acts {
            act.cast.clone_from(&cast);
        }
        Ok(scenario)
    }

    /// Both scenarios on one server.
    ///
    /// # Errors
    /// When no server can have both.
    fn with(mut self, mut other: Self) -> Result<Self, Error> {
        let contradiction = |about: &'static str| Error::Contradiction {
            first: self.name.clone(),
            second: other.name.clone(),
            about,
        };
        if self.campaign != other.campaign {
            return Err(contradiction("the campaign"));
        }
        if self.host.has_exchange() != other.host.has_exchange() {
            return Err(contradiction("whether the server has the product"));
        }
        let differ = |one: bool, two: bool, same: bool| one && two && !same;
        if differ(
            self.host.install.is_some(),
            other.host.install.is_some(),
            self.host.install == other.host.install,
        ) {
            return Err(contradiction("where the product is installed"));
        }
        if differ(
            !self.host.builds.is_empty(),
            !other.host.builds.is_empty(),
            self.host.builds == other.host.builds,
        ) {
            return Err(contradiction("the product's builds"));
        }
        if self.host.cumulative_update != other.host.cumulative_update
            && (self.patch.is_none() || other.patch.is_none())
        {
            return Err(contradiction("whether an update was installed"));
        }
        if !self.collections.is_empty() && !other.collections.is_empty() {
            return Err(contradiction("when evidence is collected"));
        }
        if self.eviction.is_some() && other.eviction.is_some() {
            return Err(contradiction("the eviction"));
        }
        other.rename(&self.acts);
        self.name = format!("{}{JOIN}{}", self.name, other.name);
        self.story = format!("{} {}", self.story, other.story);
        self.variant = None;
        self.host = Traits {
            has_exchange: self.host.has_exchange.or(other.host.has_exchange),
            process_auditing: self.host.process_auditing || other.host.process_auditing,
            install: self.host.install.or(other.host.install),
            builds: [self.host.builds, other.host.builds]
                .into_iter()
                .find(|builds| !builds.is_empty())
                .unwrap_or_default(),
            cumulative_update: self.host.cumulative_update || other.host.cumulative_update,
        };
        // Whoever never installed the update has not installed it; else the later of two times counts.
        self.patch = match (self.patch, other.patch) {
            (Some(one), Some(two)) => Some(later(one, two)),
            _ => None,
        };
        self.draws.append(&mut other.draws);
        self.acts.append(&mut other.acts);
        self.collections.append(&mut other.collections);
        self.longer_days = self.longer_days.max(other.longer_days);
        for (source, days) in other.retention_days {
            let kept = self.retention_days.entry(source).or_insert(days);
            *kept = days.min(*kept);
        }
        self.holes.append(&mut other.holes);
        self.damage.append(&mut other.damage);
        self.eviction = self.eviction.or(other.eviction);
        self.expected = None;
        Ok(self)
    }

    /// Gives actors and acts other names than those that others have already.
    fn rename(&mut self, others: &[Act]) {
        let taken = others
            .iter()
            .flat_map(|act| [act.actor.as_str(), act.name()])
            .collect::<BTreeSet<_>>();
        let own = self
            .acts
            .iter()
            .flat_map(|act| [act.actor.clone(), act.name().to_owned()])
            .collect::<BTreeSet<_>>();
        let free = |name: &String| {
            let mut number = 2;
            let mut free = name.clone();
            while taken.contains(free.as_str()) {
                free = format!("{name}-{number}");
                number += 1;
            }
            (name.clone(), free)
        };
        let names: BTreeMap<_, _> = own.iter().map(free).collect();
        for act in &mut self.acts {
            act.name = Some(names[act.name()].clone());
            act.actor = names[&act.actor].clone();
            act.begin.rename(&names);
            for actor in act.cast.values_mut() {
                actor.clone_from(&names[actor]);
            }
        }
        self.draws = std::mem::take(&mut self.draws)
            .into_iter()
            .map(|(actor, draws)| (names.get(&actor).cloned().unwrap_or(actor), draws))
            .collect();
        for window in &mut self.collections {
            window.rename(&names);
        }
        for hole in &mut self.holes {
            hole.from.rename(&names);
        }
        for damage in &mut self.damage {
            damage.at.rename(&names);
        }
        if let Some(window) = &mut self.patch {
            window.rename(&names);
        }
        if let Some(eviction) = &mut self.eviction {
            eviction.stated.rename(&names);
        }
    }
}

/// The later of two windows; one that follows an act is as late as that act needs.
fn later(one: Window, two: Window) -> Window {
    match (&one, &two) {
        (Window::At { earliest: a, .. }, Window::At { earliest: b, .. }) if a < b => two,
        (Window::At { .. }, Window::After { .. }) => two,
        _ => one,
    }
}
