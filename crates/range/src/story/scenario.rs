//! Scenarios: what happens to a server, as data files state it, and how two of them become one.

use super::cast::Draws;
use crate::Error;
use crate::campaign::Campaign;
use crate::formats::dns::DnsLog;
use crate::library::library;
use crate::moment::{MINUTE, Moment};
use crate::random::Random;
use crate::source::Source;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// What stands between the names of scenarios that happen together.
const JOIN: char = '+';

/// The scenario that shows the most: what is made where nobody asks for another.
pub fn showcase() -> &'static str {
    include_str!("../../scenarios/showcase.txt").trim_end()
}

/// The names of all scenarios, by campaign and name.
pub fn scenarios() -> Vec<&'static str> {
    library().scenarios().map(|file| file.name).collect()
}

/// The names of all campaigns that scenarios play in.
pub fn campaigns() -> Vec<&'static str> {
    library().campaigns().collect()
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
    /// The name of the campaign that it plays in.
    pub campaign: String,
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
        campaign: scenario.campaign,
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

/// Kinds of evidence that a campaign's verdict rests on, and the time of its scenarios.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignNeeds {
    /// Of each need over time all sources that may stand in for one another.
    pub logs: Vec<Vec<Source>>,
    /// The same for needs at the latest collection.
    pub files: Vec<Vec<Source>>,
    /// Since when the weakness was used.
    pub window_from: Timestamp,
    /// From when and until when servers are simulated, unless somebody says otherwise.
    pub simulated: (Timestamp, Timestamp),
}

/// What the verdict on a campaign rests on.
///
/// # Errors
/// When no campaign has that name.
pub fn needs(campaign: &str) -> Result<CampaignNeeds, Error> {
    let campaign = Campaign::named(campaign)?;
    let (logs, files) = campaign.needed();
    Ok(CampaignNeeds {
        logs,
        files,
        window_from: campaign.window_from,
        simulated: campaign.simulated,
    })
}

/// From when and until when a server of the scenario is simulated, unless somebody says otherwise; as for the showcase
/// where there is no such scenario.
pub(crate) fn simulated(scenario: &str) -> (Timestamp, Timestamp) {
    let first = scenario.split(JOIN).next().unwrap_or_default();
    let file = library()
        .scenario(first)
        .or_else(|| library().scenario(showcase()))
        .expect("the showcase is a scenario");
    Campaign::named(file.campaign)
        .expect("a test reads every campaign")
        .simulated
}

/// A scenario as its file states it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// The name of its file.
    #[serde(skip)]
    pub(crate) name: String,
    /// The name of the pack that it stands beside.
    #[serde(skip)]
    pub(crate) campaign: String,
    pub(crate) story: String,
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
    /// Whether the campaign's product is installed; most servers have it.
    pub(crate) has_product: Option<bool>,
    /// Whether Windows records processes and share access.
    pub(crate) process_auditing: bool,
    /// The product's install folder.
    pub(crate) install: Option<String>,
    /// Builds before and after the update; one pair is drawn.
    pub(crate) builds: Vec<(String, String)>,
    /// Whether the weakness is closed by a cumulative update instead of a security update.
    pub(crate) cumulative_update: bool,
    /// Whether Sysmon is installed; drawn where absent, for servers that record processes.
    pub(crate) sysmon: Option<bool>,
    /// In which form the log of the network's resolver lies with the evidence; there is none where absent.
    pub(crate) dns_log: Option<DnsLog>,
}

impl Traits {
    pub(crate) fn has_product(&self) -> bool {
        self.has_product.unwrap_or(true)
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
        let file = library()
            .scenario(name)
            .ok_or_else(|| Error::Scenario(name.to_owned()))?;
        let mut scenario: Self = serde_json::from_str(file.text)?;
        file.name.clone_into(&mut scenario.name);
        file.campaign.clone_into(&mut scenario.campaign);
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
        if self.host.has_product() != other.host.has_product() {
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
        if differ(
            self.host.sysmon.is_some(),
            other.host.sysmon.is_some(),
            self.host.sysmon == other.host.sysmon,
        ) {
            return Err(contradiction("whether Sysmon is installed"));
        }
        if differ(
            self.host.dns_log.is_some(),
            other.host.dns_log.is_some(),
            self.host.dns_log == other.host.dns_log,
        ) {
            return Err(contradiction("the resolver's log"));
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
            has_product: self.host.has_product.or(other.host.has_product),
            process_auditing: self.host.process_auditing || other.host.process_auditing,
            install: self.host.install.or(other.host.install),
            builds: [self.host.builds, other.host.builds]
                .into_iter()
                .find(|builds| !builds.is_empty())
                .unwrap_or_default(),
            cumulative_update: self.host.cumulative_update || other.host.cumulative_update,
            sysmon: self.host.sysmon.or(other.host.sysmon),
            dns_log: self.host.dns_log.or(other.host.dns_log),
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
