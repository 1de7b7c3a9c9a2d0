//! Holds visits together as actors, and says what joined them.
//!
//! Two visits belong together where the weights of what they share reach the threshold, and so do all that hang together by
//! such pairs. Pairs are never counted out: for each set of kinds whose weight suffices (and none of which can be left out),
//! visits with the same values of these kinds meet under one key. That gives the same clusters, in time that grows with the
//! visits and not with their square.

use super::weights::Weights;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Values of one kind that a visit is compared by; an intruder who changes the agent with each request must not make the
/// work grow without bound.
const VALUES_MAX: usize = 12;

/// Keys under which one visit is compared.
const KEYS_MAX: usize = 2_048;

/// Examples of hosts and visits that an actor is told with; the counts are always whole.
const LISTED_MAX: usize = 50;

/// Joins that explain one actor, the simplest first.
const JOINS_MAX: usize = 20;

/// Reuses that are told one by one.
const REUSE_MAX: usize = 2_000;

/// A finding that proves effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Act {
    pub(super) host: String,
    pub(super) campaign: Option<String>,
    pub(super) address: Option<String>,
    pub(super) agent: Option<String>,
    /// File name of the page, in lower case.
    pub(super) page: Option<String>,
    pub(super) sha256: Option<String>,
    pub(super) parameter: Option<String>,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
    /// The finding shows a shell on the disk.
    pub(super) shell: bool,
}

/// What visits can share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureKind {
    Address,
    Sha256,
    Parameter,
    Page,
    Agent,
    Timing,
}

impl FeatureKind {
    /// The stable name used in `knowledge/actors.yaml` and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Sha256 => "sha256",
            Self::Parameter => "parameter",
            Self::Page => "page",
            Self::Agent => "agent",
            Self::Timing => "timing",
        }
    }
}

/// One shared thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Shared {
    pub kind: FeatureKind,
    pub value: String,
}

/// Why some visits are one actor's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Join {
    pub shared: Vec<Shared>,
    pub weight: f64,
    pub visits: usize,
    pub hosts: Vec<String>,
}

/// A cluster of visits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Actor {
    /// `actor 1` is the one whose first act is the earliest.
    pub name: String,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// `None`: no campaign of theirs has a day of disclosure, or no act has a time.
    pub before_disclosure: Option<bool>,
    pub campaigns: BTreeSet<String>,
    pub hosts: usize,
    /// Hosts of the case that this actor was the first to enter.
    pub came_first_on: usize,
    pub visit_count: usize,
    pub addresses: BTreeSet<String>,
    pub agents: BTreeSet<String>,
    pub shells: BTreeSet<String>,
    pub parameters: BTreeSet<String>,
    pub pages: BTreeSet<String>,
    /// Which shared things joined whom; empty where there is one visit.
    pub joins: Vec<Join>,
    /// The first of them, in order of time.
    pub visits: Vec<Visit>,
}

/// What one address did on one host, or a shell there that no address is known to have used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Visit {
    pub host: String,
    pub address: Option<String>,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    pub findings: usize,
}

/// A feature that too many hosts share.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Common {
    #[serde(flatten)]
    pub shared: Shared,
    pub hosts: usize,
    /// Share of all hosts with visits.
    pub share: f64,
}

/// A shell that one actor used after another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reuse {
    pub host: String,
    pub page: String,
    pub first_actor: String,
    pub first_address: String,
    pub first_used: Option<Timestamp>,
    pub later_actor: String,
    pub later_address: String,
    pub later_used: Option<Timestamp>,
    /// Whether the later use came after the campaign was public.
    pub after_disclosure: Option<bool>,
}

/// What came of all acts.
pub(super) struct Grouped {
    pub(super) actors: Vec<Actor>,
    pub(super) reuse: Vec<Reuse>,
    pub(super) too_common: Vec<Common>,
    pub(super) notes: Vec<String>,
}

/// A visit with what it can be told apart by.
#[derive(Debug, Default)]
struct Node {
    visit: Visit,
    campaigns: BTreeSet<String>,
    before_disclosure: Option<bool>,
    features: BTreeMap<FeatureKind, BTreeSet<String>>,
}

/// Someone at a shell.
struct Use {
    node: usize,
    first: Option<Timestamp>,
    after_disclosure: Option<bool>,
}

pub(super) fn group(
    mut acts: Vec<Act>,
    weights: &Weights,
    disclosed: &BTreeMap<String, Timestamp>,
) -> Grouped {
    // Whatever order they came in, nothing below depends on it.
    acts.sort_by(|a, b| order(a).cmp(&order(b)));
    let (nodes, uses) = visits(&acts, weights, disclosed);
    let (usable, too_common) = usable_features(&nodes, weights);
    let mut notes = Vec::new();
    let (clusters, joins) = unite(&nodes, &usable, weights, &mut notes);
    let (actors, name_of) = actors(&nodes, &clusters, joins);
    let reuse = reuse(&nodes, &uses, &name_of, &mut notes);
    Grouped {
        actors,
        reuse,
        too_common,
        notes,
    }
}

type Order<'a> = (
    &'a str,
    Option<Timestamp>,
    [&'a Option<String>; 6],
    Option<Timestamp>,
    bool,
);

fn order(act: &Act) -> Order<'_> {
    let texts = [
        &act.address,
        &act.page,
        &act.agent,
        &act.sha256,
        &act.parameter,
        &act.campaign,
    ];
    (&act.host, act.first, texts, act.last, act.shell)
}

/// Who used which shell of which host, in order of time.
type Uses = BTreeMap<(String, String), Vec<Use>>;

fn visits(
    acts: &[Act],
    weights: &Weights,
    disclosed: &BTreeMap<String, Timestamp>,
) -> (Vec<Node>, Uses) {
    let mut nodes: Vec<Node> = Vec::new();
    let mut of_address: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut uses: BTreeMap<(String, String), BTreeMap<usize, Use>> = BTreeMap::new();
    for act in acts {
        let Some(address) = &act.address else {
            continue;
        };
        let node = *of_address.entry((&act.host, address)).or_insert_with(|| {
            nodes.push(Node::default());
            nodes.len() - 1
        });
        let before = before_disclosure(act, disclosed);
        nodes[node].take(act, before);
        nodes[node].visit.address = Some(address.clone());
        nodes[node].feature(FeatureKind::Address, address);
        if let Some(agent) = &act.agent {
            nodes[node].feature(FeatureKind::Agent, agent);
        }
        if let Some(page) = &act.page {
            let of_page = uses.entry((act.host.clone(), page.clone())).or_default();
            let by_node = of_page.entry(node).or_insert(Use {
                node,
                first: act.first,
                after_disclosure: before.map(|before| !before),
            });
            by_node.first = earlier(by_node.first, act.first);
        }
    }
    let mut shells: BTreeSet<(&str, &str)> = BTreeSet::new();
    for act in acts {
        if let (true, Some(page)) = (act.shell, &act.page) {
            shells.insert((&act.host, page));
        }
    }
    // Pages that somebody asked for, and of which nothing shows that they are shells, are Exchange's own as often as not.
    let mut sorted: Uses = BTreeMap::new();
    for (key, of_page) in uses {
        if shells.contains(&(key.0.as_str(), key.1.as_str())) {
            let mut of_page: Vec<Use> = of_page.into_values().collect();
            of_page.sort_by_key(|of| (of.first.is_none(), of.first, of.node));
            sorted.insert(key, of_page);
        }
    }
    // What is known of a shell says something about who used it first, or stands alone where nobody is known to have.
    let mut alone: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for act in acts {
        let Some(page) = &act.page else { continue };
        if !shells.contains(&(act.host.as_str(), page.as_str())) {
            continue;
        }
        let owner = sorted
            .get(&(act.host.clone(), page.clone()))
            .and_then(|of| of.first());
        let node = match owner {
            Some(owner) => {
                let others =
                    act.address.is_some() && act.address != nodes[owner.node].visit.address;
                if others {
                    continue;
                }
                owner.node
            }
            None => *alone.entry((&act.host, page)).or_insert_with(|| {
                nodes.push(Node::default());
                nodes.len() - 1
            }),
        };
        if act.address.is_none() {
            let timeless = Act {
                first: None,
                last: None,
                ..act.clone()
            };
            // What is found on the disk says nothing about when its owner was there, unless nothing else does.
            let of_disk = if owner.is_some() { &timeless } else { act };
            nodes[node].take(of_disk, before_disclosure(of_disk, disclosed));
        }
        nodes[node].feature(FeatureKind::Page, page);
        if let Some(sha256) = &act.sha256 {
            nodes[node].feature(FeatureKind::Sha256, &sha256.to_lowercase());
        }
        if let Some(parameter) = &act.parameter {
            nodes[node].feature(FeatureKind::Parameter, parameter);
        }
    }
    for node in &mut nodes {
        for value in timing(node.visit.first, weights.window_minutes) {
            node.feature(FeatureKind::Timing, &value);
        }
    }
    (nodes, sorted)
}

impl Node {
    fn take(&mut self, act: &Act, before: Option<bool>) {
        let visit = &mut self.visit;
        visit.host.clone_from(&act.host);
        visit.first = earlier(visit.first, act.first);
        visit.last = visit.last.max(act.last);
        visit.findings += 1;
        self.campaigns.extend(act.campaign.clone());
        self.before_disclosure = match (self.before_disclosure, before) {
            (Some(known), Some(before)) => Some(known || before),
            (known, before) => known.or(before),
        };
    }

    fn feature(&mut self, kind: FeatureKind, value: &str) {
        self.features
            .entry(kind)
            .or_default()
            .insert(value.to_owned());
    }
}

fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Whether the act came before its campaign was public; an act of no campaign is measured by the earliest disclosure.
fn before_disclosure(act: &Act, disclosed: &BTreeMap<String, Timestamp>) -> Option<bool> {
    let of_campaign = act.campaign.as_ref().and_then(|name| disclosed.get(name));
    let earliest = || disclosed.values().min().filter(|_| act.campaign.is_none());
    let disclosed = of_campaign.or_else(earliest)?;
    Some(act.first? < *disclosed)
}

/// Two windows that overlap by half, so that what begins close together always shares one.
fn timing(first: Option<Timestamp>, window_minutes: u32) -> Vec<String> {
    let Some(first) = first else {
        return Vec::new();
    };
    let half = i64::from(window_minutes) * 30;
    let step = first.as_second().div_euclid(half);
    let window = |step: i64| {
        let begin = Timestamp::from_second(step.saturating_mul(half));
        begin.map_or_else(|_| step.to_string(), |begin| begin.to_string())
    };
    vec![window(step - 1), window(step)]
}

/// Values by which visits may be held together: of a kind that has a weight, known from two visits, and not too common.
type Usable = BTreeSet<Shared>;

fn usable_features(nodes: &[Node], weights: &Weights) -> (Usable, Vec<Common>) {
    let mut hosts_of: BTreeMap<Shared, (BTreeSet<&str>, usize)> = BTreeMap::new();
    let mut hosts: BTreeSet<&str> = BTreeSet::new();
    for node in nodes {
        hosts.insert(&node.visit.host);
        for (&kind, values) in &node.features {
            for value in values {
                let shared = Shared {
                    kind,
                    value: value.clone(),
                };
                let of = hosts_of.entry(shared).or_default();
                of.0.insert(&node.visit.host);
                of.1 += 1;
            }
        }
    }
    let mut usable = Usable::new();
    let mut too_common = Vec::new();
    for (shared, (of, visits)) in hosts_of {
        let Some(weight) = weights.kinds.get(&shared.kind) else {
            continue;
        };
        let share = of.len() as f64 / hosts.len() as f64;
        if hosts.len() >= weights.common_hosts_min && share > weight.share_max {
            too_common.push(Common {
                shared,
                hosts: of.len(),
                share,
            });
        } else if visits > 1 {
            usable.insert(shared);
        }
    }
    too_common.sort_by(|a, b| b.hosts.cmp(&a.hosts).then_with(|| a.shared.cmp(&b.shared)));
    (usable, too_common)
}

/// Visits by cluster, and what joined each; both by the smallest visit of the cluster.
type Clusters = BTreeMap<usize, Vec<usize>>;
type Joins = BTreeMap<usize, Vec<Join>>;

fn unite(
    nodes: &[Node],
    usable: &Usable,
    weights: &Weights,
    notes: &mut Vec<String>,
) -> (Clusters, Joins) {
    let mut union = Union::new(nodes.len());
    let mut joined: Vec<(usize, Join)> = Vec::new();
    let mut cut: BTreeSet<usize> = BTreeSet::new();
    for kinds in weights.sufficient_sets() {
        let mut meet: BTreeMap<Vec<&str>, Vec<usize>> = BTreeMap::new();
        for (at, node) in nodes.iter().enumerate() {
            let (keys, all) = keys(node, &kinds, usable);
            if !all {
                cut.insert(at);
            }
            for key in keys {
                meet.entry(key).or_default().push(at);
            }
        }
        let weight = weights.of(&kinds);
        for (key, of) in meet {
            let [first, others @ ..] = of.as_slice() else {
                continue;
            };
            // Every one is joined, whatever the others say.
            let mut united = false;
            for other in others {
                united |= union.join(*first, *other);
            }
            if united {
                let hosts: BTreeSet<&String> = of.iter().map(|&at| &nodes[at].visit.host).collect();
                let shared = kinds.iter().zip(key).map(|(&kind, value)| Shared {
                    kind,
                    value: value.to_owned(),
                });
                let join = Join {
                    shared: shared.collect(),
                    weight,
                    visits: of.len(),
                    hosts: hosts.into_iter().take(LISTED_MAX).cloned().collect(),
                };
                joined.push((*first, join));
            }
        }
    }
    if !cut.is_empty() {
        notes.push(format!(
            "{} visits have more than {VALUES_MAX} values of a kind; the first ones in order of the alphabet were compared.",
            cut.len()
        ));
    }
    let mut clusters = Clusters::new();
    for at in 0..nodes.len() {
        clusters.entry(union.root(at)).or_default().push(at);
    }
    let mut joins = Joins::new();
    for (at, join) in joined {
        joins.entry(union.root(at)).or_default().push(join);
    }
    (clusters, joins)
}

/// Every choice of one value of each kind; `false` where there were more than are compared.
fn keys<'a>(node: &'a Node, kinds: &[FeatureKind], usable: &Usable) -> (Vec<Vec<&'a str>>, bool) {
    let mut keys: Vec<Vec<&str>> = vec![Vec::new()];
    let mut all = true;
    for &kind in kinds {
        let values = node.features.get(&kind).into_iter().flatten();
        let mut values: Vec<&str> = values
            .filter(|value| {
                usable.contains(&Shared {
                    kind,
                    value: (*value).clone(),
                })
            })
            .map(String::as_str)
            .collect();
        all &= values.len() <= VALUES_MAX;
        values.truncate(VALUES_MAX);
        let longer = |key: &Vec<&'a str>| {
            let key = key.clone();
            values.clone().into_iter().map(move |value| {
                let mut key = key.clone();
                key.push(value);
                key
            })
        };
        keys = keys.iter().flat_map(longer).collect();
        all &= keys.len() <= KEYS_MAX;
        keys.truncate(KEYS_MAX);
    }
    (keys, all)
}

/// Which visits hang together.
struct Union {
    parent: Vec<usize>,
}

impl Union {
    fn new(count: usize) -> Self {
        Self {
            parent: (0..count).collect(),
        }
    }

    /// The smallest of those that hang together.
    fn root(&mut self, mut at: usize) -> usize {
        while self.parent[at] != at {
            self.parent[at] = self.parent[self.parent[at]];
            at = self.parent[at];
        }
        at
    }

    /// `false`: they hung together already.
    fn join(&mut self, a: usize, b: usize) -> bool {
        let (a, b) = (self.root(a), self.root(b));
        let (low, high) = (a.min(b), a.max(b));
        self.parent[high] = low;
        low != high
    }
}

/// The actors in order of their first act, and the name of each visit's.
fn actors(nodes: &[Node], clusters: &Clusters, mut joins: Joins) -> (Vec<Actor>, Vec<String>) {
    let mut first_of_host: BTreeMap<&str, (Option<Timestamp>, usize)> = BTreeMap::new();
    for (at, node) in nodes.iter().enumerate() {
        // Who has no time came at nobody knows when, not first.
        if node.visit.first.is_none() || node.visit.address.is_none() {
            continue;
        }
        let known = first_of_host
            .entry(&node.visit.host)
            .or_insert((node.visit.first, at));
        if node.visit.first < known.0 {
            *known = (node.visit.first, at);
        }
    }
    let firsts: BTreeSet<usize> = first_of_host.into_values().map(|(_, at)| at).collect();

    let mut actors: Vec<(Actor, &Vec<usize>)> = Vec::new();
    for (root, of) in clusters {
        let mut joins = joins.remove(root).unwrap_or_default();
        joins.truncate(JOINS_MAX);
        actors.push((actor(nodes, of, &firsts, joins), of));
    }
    // Actors without any time stand last; between equals the smallest visit decides, which follows hosts' names.
    actors.sort_by(|(a, of_a), (b, of_b)| {
        let key = |actor: &Actor| (actor.first.is_none(), actor.first);
        key(a).cmp(&key(b)).then_with(|| of_a.cmp(of_b))
    });
    let mut name_of = vec![String::new(); nodes.len()];
    let mut named = Vec::new();
    for (number, (mut actor, of)) in actors.into_iter().enumerate() {
        actor.name = format!("actor {}", number + 1);
        for &at in of {
            name_of[at].clone_from(&actor.name);
        }
        named.push(actor);
    }
    (named, name_of)
}

fn actor(nodes: &[Node], of: &[usize], firsts: &BTreeSet<usize>, joins: Vec<Join>) -> Actor {
    let of_actor = || of.iter().map(|&at| &nodes[at]);
    let values = |kind: FeatureKind| -> BTreeSet<String> {
        of_actor()
            .filter_map(|node| node.features.get(&kind))
            .flatten()
            .cloned()
            .collect()
    };
    let hosts: BTreeSet<&str> = of_actor().map(|node| node.visit.host.as_str()).collect();
    let first_on: BTreeSet<&str> = of
        .iter()
        .filter(|at| firsts.contains(at))
        .map(|&at| nodes[at].visit.host.as_str())
        .collect();
    let mut visits: Vec<Visit> = of_actor().map(|node| node.visit.clone()).collect();
    visits.sort_by(|a, b| {
        let key = |visit: &Visit| (visit.first.is_none(), visit.first);
        key(a)
            .cmp(&key(b))
            .then_with(|| (&a.host, &a.address).cmp(&(&b.host, &b.address)))
    });
    visits.truncate(LISTED_MAX);
    Actor {
        name: String::new(),
        first: of_actor().filter_map(|node| node.visit.first).min(),
        last: of_actor().filter_map(|node| node.visit.last).max(),
        before_disclosure: of_actor().filter_map(|node| node.before_disclosure).max(),
        campaigns: of_actor().flat_map(|node| node.campaigns.clone()).collect(),
        hosts: hosts.len(),
        came_first_on: first_on.len(),
        visit_count: of.len(),
        addresses: values(FeatureKind::Address),
        agents: values(FeatureKind::Agent),
        shells: values(FeatureKind::Sha256),
        parameters: values(FeatureKind::Parameter),
        pages: values(FeatureKind::Page),
        joins,
        visits,
    }
}

fn reuse(nodes: &[Node], uses: &Uses, name_of: &[String], notes: &mut Vec<String>) -> Vec<Reuse> {
    let address = |at: usize| nodes[at].visit.address.clone().unwrap_or_default();
    let mut reuse = Vec::new();
    for ((host, page), of) in uses {
        let [first, later @ ..] = of.as_slice() else {
            continue;
        };
        // Without a time nobody came later than anybody.
        for other in later.iter().filter(|other| other.first.is_some()) {
            if name_of[other.node] == name_of[first.node] {
                continue;
            }
            reuse.push(Reuse {
                host: host.clone(),
                page: page.clone(),
                first_actor: name_of[first.node].clone(),
                first_address: address(first.node),
                first_used: first.first,
                later_actor: name_of[other.node].clone(),
                later_address: address(other.node),
                later_used: other.first,
                after_disclosure: other.after_disclosure,
            });
        }
    }
    if reuse.len() > REUSE_MAX {
        notes.push(format!(
            "{} shells were used by somebody else later; the first {REUSE_MAX} are told.",
            reuse.len()
        ));
        reuse.truncate(REUSE_MAX);
    }
    reuse
}

#[cfg(test)]
mod tests;
