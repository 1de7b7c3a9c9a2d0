//! How an organisation stands in a campaign: independent facts, each from the latest word on each of its servers.
//!
//! What a list says and what our own verdicts say is never mixed into one state: a server may be patched *and* hold a web
//! shell. A fact of an organisation is `Yes` as soon as it is so for one of its servers, and `No` only where it is denied for
//! every server that anybody spoke of; all else stays undetermined.

use crate::registry::{AssetKind, Owner, Registry, Traces};
use std::collections::{BTreeMap, BTreeSet};
use store::VerdictRow;
use store::response::ObservationRow;

/// What a row claims of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    Vulnerable,
    Patched,
    Probed,
    Exploited,
    WebShell,
    Clear,
    Undetermined,
}

impl Claim {
    pub const ALL: [Self; 7] = [
        Self::Vulnerable,
        Self::Patched,
        Self::Probed,
        Self::Exploited,
        Self::WebShell,
        Self::Clear,
        Self::Undetermined,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Vulnerable => "vulnerable",
            Self::Patched => "patched",
            Self::Probed => "probed",
            Self::Exploited => "exploited",
            Self::WebShell => "web_shell",
            Self::Clear => "clear",
            Self::Undetermined => "undetermined",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|claim| claim.name() == name)
    }
}

/// What is known of one question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    #[default]
    Undetermined,
    No,
    Yes,
}

/// The facts of one server, or of an organisation over its servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub vulnerable: Answer,
    pub exploited: Answer,
    pub web_shell: Answer,
    /// Every known foothold is verified absent, by our own verdict.
    pub evicted: Answer,
    /// Clear by our own verdict; a list's `clear` is its method's word alone and answers nothing here.
    pub clear: Answer,
}

/// One organisation in one campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The organisation's id.
    pub organisation: String,
    pub campaign: String,
    pub facts: Facts,
    /// Its servers, by the asset that names each.
    pub servers: BTreeMap<(AssetKind, String), Facts>,
    /// When anybody last spoke of it, in microseconds since 1970.
    pub last_seen: Option<i64>,
    /// Ids of the observations, and hosts with verdicts, that this rests on.
    pub observations: BTreeSet<String>,
    pub hosts: BTreeSet<String>,
}

/// The standing of every organisation of which something is known, in order of organisation and campaign.
///
/// Observations of assets that nobody or several own are not in it. `verdicts` are those that hold now.
pub fn standings(
    registry: &Registry,
    observations: &[ObservationRow],
    verdicts: &[VerdictRow],
) -> Vec<Standing> {
    let mut all = BTreeMap::new();
    // The later word on a question counts; rows without a time come first. Among words of one time the worse one does.
    let mut order: Vec<&ObservationRow> = observations.iter().collect();
    order.sort_by(|a, b| (a.seen, &a.claim, &a.id).cmp(&(b.seen, &b.claim, &b.id)));
    for row in order {
        let (Some(kind), Some(claim)) =
            (AssetKind::parse(&row.asset_kind), Claim::parse(&row.claim))
        else {
            continue;
        };
        let Owner::One(owner) = registry.whose(&Traces::from(row)) else {
            continue;
        };
        let standing = standing(&mut all, owner, &row.campaign);
        standing.last_seen = standing.last_seen.max(row.seen);
        standing.observations.insert(row.id.clone());
        let server = standing.servers.entry((kind, row.asset.clone()));
        told(server.or_default(), claim);
    }
    for row in verdicts {
        let Some(host) = AssetKind::Host.normalise(&row.host) else {
            continue;
        };
        let Owner::One(owner) = registry.owner(AssetKind::Host, &host) else {
            continue;
        };
        let standing = standing(&mut all, owner, &row.campaign);
        standing.last_seen = standing.last_seen.max(row.as_of);
        standing.hosts.insert(row.host.clone());
        let server = standing.servers.entry((AssetKind::Host, host));
        judged(server.or_default(), row);
    }
    let mut all: Vec<Standing> = all.into_values().collect();
    for standing in &mut all {
        let any = |fact: fn(&Facts) -> Answer, answer| {
            standing.servers.values().any(|facts| fact(facts) == answer)
        };
        let every = |fact: fn(&Facts) -> Answer, answer| {
            standing.servers.values().all(|facts| fact(facts) == answer)
        };
        let bad = |fact| match () {
            () if any(fact, Answer::Yes) => Answer::Yes,
            () if every(fact, Answer::No) => Answer::No,
            () => Answer::Undetermined,
        };
        // Good news must hold for every server.
        let good = |fact| match () {
            () if every(fact, Answer::Yes) => Answer::Yes,
            () if any(fact, Answer::No) => Answer::No,
            () => Answer::Undetermined,
        };
        standing.facts = Facts {
            vulnerable: bad(|facts| facts.vulnerable),
            exploited: bad(|facts| facts.exploited),
            web_shell: bad(|facts| facts.web_shell),
            evicted: good(|facts| facts.evicted),
            clear: good(|facts| facts.clear),
        };
    }
    all
}

fn standing<'a>(
    all: &'a mut BTreeMap<(String, String), Standing>,
    organisation: &str,
    campaign: &str,
) -> &'a mut Standing {
    let key = (organisation.to_owned(), campaign.to_owned());
    all.entry(key).or_insert_with(|| Standing {
        organisation: organisation.to_owned(),
        campaign: campaign.to_owned(),
        facts: Facts::default(),
        servers: BTreeMap::new(),
        last_seen: None,
        observations: BTreeSet::new(),
        hosts: BTreeSet::new(),
    })
}

fn told(facts: &mut Facts, claim: Claim) {
    match claim {
        Claim::Vulnerable => facts.vulnerable = Answer::Yes,
        Claim::Patched => facts.vulnerable = Answer::No,
        Claim::Exploited => facts.exploited = Answer::Yes,
        Claim::WebShell => {
            facts.exploited = Answer::Yes;
            facts.web_shell = Answer::Yes;
        }
        // A probe is no compromise, and no method from outside can deny one.
        Claim::Probed | Claim::Clear | Claim::Undetermined => {}
    }
}

/// Our own verdict goes before any list, as it rests on evidence of the server itself.
fn judged(facts: &mut Facts, row: &VerdictRow) {
    match row.exposure.as_str() {
        "vulnerable" | "mitigated" => facts.vulnerable = Answer::Yes,
        "patched" | "not_affected" => facts.vulnerable = Answer::No,
        _ => {}
    }
    match row.verdict.as_str() {
        "compromised" | "reinfected" => {
            facts.exploited = Answer::Yes;
            facts.evicted = Answer::No;
            facts.clear = Answer::No;
        }
        "evicted" => {
            facts.exploited = Answer::Yes;
            facts.web_shell = Answer::No;
            facts.evicted = Answer::Yes;
            facts.clear = Answer::No;
        }
        "clear" | "not_affected" => {
            facts.exploited = Answer::No;
            facts.web_shell = Answer::No;
            facts.clear = Answer::Yes;
        }
        _ => facts.clear = Answer::No,
    }
}
