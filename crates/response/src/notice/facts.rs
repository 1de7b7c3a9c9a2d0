//! What there is to tell an organisation: its servers, what was seen of each and when.

use crate::registry::{AssetKind, Owner, Registry};
use crate::standing::{Answer, Standing, standings};
use std::collections::{BTreeMap, BTreeSet};
use store::VerdictRow;
use store::response::ObservationRow;

/// The worst that is known of an organisation in a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Headline {
    Vulnerable,
    Exploited,
    WebShell,
}

impl Headline {
    pub const ALL: [Self; 3] = [Self::Vulnerable, Self::Exploited, Self::WebShell];

    pub fn name(self) -> &'static str {
        match self {
            Self::Vulnerable => "vulnerable",
            Self::Exploited => "exploited",
            Self::WebShell => "web_shell",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

/// One server of an organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    pub vulnerable: bool,
    pub exploited: bool,
    pub web_shell: bool,
    /// When anybody last spoke of it.
    pub seen: Option<i64>,
    /// Addresses of shells. Only a verified owner ever reads these.
    pub shells: BTreeSet<String>,
}

/// What there is to tell about one organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its id.
    pub organisation: String,
    pub headline: Headline,
    pub servers: BTreeMap<(AssetKind, String), Server>,
    /// When anybody last spoke of it.
    pub seen: Option<i64>,
}

/// The organisations that need to be told of a campaign, by id.
///
/// Told is who is vulnerable, or was entered and is not known to be rid of it. Servers of which nothing bad is known are
/// left out.
pub fn subjects(
    registry: &Registry,
    observations: &[ObservationRow],
    verdicts: &[VerdictRow],
    campaign: &str,
) -> BTreeMap<String, Subject> {
    let mut shells: BTreeMap<(AssetKind, String), BTreeSet<String>> = BTreeMap::new();
    let mut rows = Vec::new();
    for row in observations.iter().filter(|row| row.campaign == campaign) {
        let Some((kind, value)) = server(row) else {
            continue;
        };
        if row.asset_kind == "url" && row.claim == "web_shell" {
            let at = shells.entry((kind, value.clone())).or_default();
            at.insert(row.asset.clone());
        }
        let mut row = row.clone();
        kind.name().clone_into(&mut row.asset_kind);
        row.asset = value;
        rows.push(row);
    }
    let verdicts: Vec<VerdictRow> = verdicts
        .iter()
        .filter(|row| row.campaign == campaign)
        .cloned()
        .collect();
    let mut seen: BTreeMap<(AssetKind, String), i64> = BTreeMap::new();
    let spoken = rows
        .iter()
        .filter_map(|row| Some((AssetKind::parse(&row.asset_kind)?, &row.asset, row.seen?)));
    let judged = verdicts.iter().filter_map(|row| {
        let host = AssetKind::Host.normalise(&row.host)?;
        Some((AssetKind::Host, host, row.as_of?))
    });
    for (kind, value, time) in spoken.map(|(kind, value, time)| (kind, value.clone(), time)) {
        let latest = seen.entry((kind, value)).or_insert(time);
        *latest = (*latest).max(time);
    }
    for (kind, value, time) in judged {
        let latest = seen.entry((kind, value)).or_insert(time);
        *latest = (*latest).max(time);
    }
    let mut subjects = BTreeMap::new();
    for standing in standings(registry, &rows, &verdicts) {
        let Some(headline) = headline(&standing) else {
            continue;
        };
        let mut servers = BTreeMap::new();
        for (key, facts) in standing.servers {
            let rid = facts.evicted == Answer::Yes || facts.clear == Answer::Yes;
            let server = Server {
                vulnerable: facts.vulnerable == Answer::Yes,
                exploited: facts.exploited == Answer::Yes && !rid,
                web_shell: facts.web_shell == Answer::Yes && !rid,
                seen: seen.get(&key).copied(),
                shells: if rid {
                    BTreeSet::new()
                } else {
                    shells.remove(&key).unwrap_or_default()
                },
            };
            if server.vulnerable || server.exploited || server.web_shell {
                servers.insert(key, server);
            }
        }
        let subject = Subject {
            organisation: standing.organisation.clone(),
            headline,
            servers,
            seen: standing.last_seen,
        };
        subjects.insert(standing.organisation, subject);
    }
    subjects
}

fn headline(standing: &Standing) -> Option<Headline> {
    let facts = &standing.facts;
    let rid = facts.evicted == Answer::Yes || facts.clear == Answer::Yes;
    match () {
        () if facts.web_shell == Answer::Yes && !rid => Some(Headline::WebShell),
        () if facts.exploited == Answer::Yes && !rid => Some(Headline::Exploited),
        () if facts.vulnerable == Answer::Yes => Some(Headline::Vulnerable),
        () => None,
    }
}

/// The server that a row speaks of. A URL names one by its host; the row may name it besides.
fn server(row: &ObservationRow) -> Option<(AssetKind, String)> {
    if let Some(kind) = AssetKind::parse(&row.asset_kind) {
        return Some((kind, row.asset.clone()));
    }
    if row.asset_kind != "url" {
        return None;
    }
    let named = |text: &str| {
        let address = AssetKind::Address.normalise(text);
        address
            .map(|value| (AssetKind::Address, value))
            .or_else(|| Some((AssetKind::Host, AssetKind::Host.normalise(text)?)))
    };
    let given = row.host.as_deref().or(row.address.as_deref());
    given
        .and_then(named)
        .or_else(|| named(host_of(&row.asset)?))
}

/// The host in a URL.
fn host_of(url: &str) -> Option<&str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    if let Some(inner) = host.strip_prefix('[') {
        return inner.split(']').next();
    }
    host.split(':').next()
}

/// Whose a row's server is, where it is one organisation's.
pub fn owner<'a>(registry: &'a Registry, row: &ObservationRow) -> Option<&'a str> {
    let (kind, value) = server(row)?;
    match registry.owner(kind, &value) {
        Owner::One(id) => Some(id),
        Owner::Several(_) | Owner::Nobody => None,
    }
}
