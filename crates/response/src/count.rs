//! How many organisations, servers and addresses lists speak of: each once, however many lists name it.
//!
//! A *server* is what addresses and names stand for that some row names together, within one owner. What several organisations
//! claim, or none, is counted as servers and addresses but as no organisation. Beside every figure stands what adding up the lists
//! would have given. What is undetermined has lines of its own and is never rounded into another.

use crate::registry::{Owner, Registry, Traces};
use crate::standing::Claim;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use store::VerdictRow;
use store::response::HeardRow;

/// Method of our own verdicts.
pub const OWN_METHOD: &str = "allclear";

/// Whose a server is; organisations by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whose {
    One(u32),
    Several,
    Nobody,
}

/// One statement, attributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Word {
    pub whose: Whose,
    pub server: u32,
    pub address: Option<u32>,
    pub claim: Claim,
    /// Number of source, method and version.
    pub method: u32,
    pub seen: Option<i64>,
}

/// How something was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Method {
    pub source: String,
    pub method: String,
    pub version: String,
}

/// Everything that was said in one campaign.
#[derive(Clone, Debug, Default)]
pub struct Said {
    pub words: Vec<Word>,
    pub methods: Vec<Method>,
    /// Ids of organisations by their number.
    pub organisations: Vec<String>,
    pub lists: usize,
    pub verdicts: usize,
}

/// What a row speaks of.
#[derive(Clone, Copy, Debug)]
struct Thing {
    whose: Whose,
    server: u32,
    address: Option<u32>,
}

/// Gathers what was said, a row at a time.
#[derive(Debug)]
pub struct Gather<'a> {
    registry: &'a Registry,
    said: Said,
    methods: BTreeMap<Method, u32>,
    organisations: BTreeMap<String, u32>,
    lists: BTreeSet<String>,
    /// Numbers of addresses and names, each within an owner.
    things: BTreeMap<(Whose, String), u32>,
    addresses: BTreeMap<String, u32>,
    /// Each thing's way to the thing that stands for its server.
    joined: Vec<u32>,
    /// By what a row names. Only looked up, so that its order shows nowhere.
    known: HashMap<String, Thing>,
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl<'a> Gather<'a> {
    pub fn new(registry: &'a Registry) -> Self {
        Self {
            registry,
            said: Said::default(),
            methods: BTreeMap::new(),
            organisations: BTreeMap::new(),
            lists: BTreeSet::new(),
            things: BTreeMap::new(),
            addresses: BTreeMap::new(),
            joined: Vec::new(),
            known: HashMap::new(),
        }
    }

    /// Takes a row of a list.
    pub fn heard(&mut self, row: HeardRow) {
        let Some(claim) = Claim::parse(&row.claim) else {
            return;
        };
        let Some(thing) = self.thing(&row) else {
            return;
        };
        let method = self.method(Method {
            source: row.source,
            method: row.method,
            version: row.method_version,
        });
        if !self.lists.contains(&row.import) {
            self.lists.insert(row.import);
        }
        self.said.words.push(Word {
            whose: thing.whose,
            server: thing.server,
            address: thing.address,
            claim,
            method,
            seen: row.seen,
        });
    }

    /// What a row speaks of. Lists name the same servers again and again.
    fn thing(&mut self, row: &HeardRow) -> Option<Thing> {
        let parts = [&row.host, &row.address, &row.organisation, &row.reverse];
        let mut key = String::new();
        for part in parts {
            key.push_str(part.as_deref().unwrap_or_default());
            key.push('\0');
        }
        if let Some(known) = self.known.get(&key) {
            return Some(*known);
        }
        let whose = self.whose(&Traces {
            host: row.host.as_deref(),
            address: row.address.as_deref(),
            organisation: row.organisation.as_deref(),
            reverse: row.reverse.as_deref(),
        });
        let server = self.server(whose, row.address.as_deref(), row.host.as_deref())?;
        let address = row.address.as_ref().map(|address| {
            let next = number(self.addresses.len());
            *self.addresses.entry(address.clone()).or_insert(next)
        });
        let thing = Thing {
            whose,
            server,
            address,
        };
        self.known.insert(key, thing);
        Some(thing)
    }

    /// Takes a verdict of our own: what it says is what our own evidence showed.
    pub fn judged(&mut self, row: &VerdictRow) {
        let host = crate::registry::AssetKind::Host.normalise(&row.host);
        let Some(host) = host else { return };
        let whose = self.whose(&Traces {
            host: Some(&host),
            ..Traces::default()
        });
        let Some(server) = self.server(whose, None, Some(&host)) else {
            return;
        };
        let method = self.method(Method {
            source: "our own verdicts".to_owned(),
            method: OWN_METHOD.to_owned(),
            version: row.pack_version.clone(),
        });
        self.said.verdicts += 1;
        for claim in claims_of(row) {
            self.said.words.push(Word {
                whose,
                server,
                address: None,
                claim,
                method,
                seen: row.as_of,
            });
        }
    }

    fn whose(&mut self, traces: &Traces<'_>) -> Whose {
        let id = match self.registry.whose(traces) {
            Owner::One(id) => id,
            Owner::Several(_) => return Whose::Several,
            Owner::Nobody => return Whose::Nobody,
        };
        if let Some(known) = self.organisations.get(id) {
            return Whose::One(*known);
        }
        let next = number(self.said.organisations.len());
        self.organisations.insert(id.to_owned(), next);
        self.said.organisations.push(id.to_owned());
        Whose::One(next)
    }

    fn method(&mut self, method: Method) -> u32 {
        if let Some(known) = self.methods.get(&method) {
            return *known;
        }
        let next = number(self.said.methods.len());
        self.said.methods.push(method.clone());
        self.methods.insert(method, next);
        next
    }

    fn server(&mut self, whose: Whose, address: Option<&str>, host: Option<&str>) -> Option<u32> {
        let mut first = None;
        for name in [address, host].into_iter().flatten() {
            let next = number(self.joined.len());
            let thing = *self.things.entry((whose, name.to_owned())).or_insert(next);
            if thing == next {
                self.joined.push(next);
            }
            let stands = self.stands_for(thing);
            match first {
                None => first = Some(stands),
                Some(first) => {
                    if let Some(way) = self.joined.get_mut(stands as usize) {
                        *way = first;
                    }
                }
            }
        }
        first
    }

    fn stands_for(&mut self, thing: u32) -> u32 {
        let mut at = thing;
        while let Some(next) = self
            .joined
            .get(at as usize)
            .copied()
            .filter(|next| *next != at)
        {
            // Halving the way keeps later walks short.
            let beyond = self.joined.get(next as usize).copied().unwrap_or(next);
            if let Some(way) = self.joined.get_mut(at as usize) {
                *way = beyond;
            }
            at = next;
        }
        at
    }

    /// All of it, in an order that does not depend on the order of the rows.
    pub fn done(mut self) -> Said {
        let mut words = std::mem::take(&mut self.said.words);
        for word in &mut words {
            word.server = self.stands_for(word.server);
        }
        self.said.lists = self.lists.len();
        self.said.words = words;
        self.said
    }
}

/// What a verdict says in the words of lists.
fn claims_of(row: &VerdictRow) -> Vec<Claim> {
    let mut claims = match row.exposure.as_str() {
        "vulnerable" | "mitigated" => vec![Claim::Vulnerable],
        "patched" | "not_affected" => vec![Claim::Patched],
        _ => vec![],
    };
    match row.verdict.as_str() {
        "compromised" | "reinfected" | "evicted" => claims.push(Claim::Exploited),
        "clear" | "not_affected" => claims.push(Claim::Clear),
        _ if row.stage.as_deref() == Some("probed") => claims.push(Claim::Probed),
        _ => {}
    }
    if claims.is_empty() {
        claims.push(Claim::Undetermined);
    }
    claims
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    pub organisations: usize,
    pub servers: usize,
    pub addresses: usize,
    /// What adding up the lists gives: rows.
    pub rows: usize,
    /// Of the servers: those that no organisation of the registry has, and those that several claim.
    pub servers_of_nobody: usize,
    pub servers_of_several: usize,
}

/// A line of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What is counted.
    pub what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(flatten)]
    pub figures: Figures,
}

/// The figures of these words.
pub fn figures<'a>(words: impl Iterator<Item = &'a Word>) -> Figures {
    let mut organisations = Vec::new();
    let mut servers = Vec::new();
    let mut addresses = Vec::new();
    let mut figures = Figures::default();
    for word in words {
        figures.rows += 1;
        if let Whose::One(one) = word.whose {
            organisations.push(one);
        }
        servers.push((word.server, word.whose));
        addresses.extend(word.address);
    }
    organisations.sort_unstable();
    organisations.dedup();
    servers.sort_unstable();
    servers.dedup();
    addresses.sort_unstable();
    addresses.dedup();
    figures.organisations = organisations.len();
    figures.servers = servers.len();
    figures.addresses = addresses.len();
    let of = |whose| servers.iter().filter(|(_, of)| *of == whose).count();
    figures.servers_of_nobody = of(Whose::Nobody);
    figures.servers_of_several = of(Whose::Several);
    figures
}

/// Whether a claim says that somebody was in.
pub fn is_victim(claim: Claim) -> bool {
    matches!(claim, Claim::Exploited | Claim::WebShell)
}

/// The words that hold of a question: for each server the latest of those that answer it, the worse where several are of one
/// time; all of them where they say the same.
pub fn latest(words: &[Word], answers: impl Fn(Claim) -> bool) -> Vec<Word> {
    // `Vulnerable` comes before `Patched` in the order of claims.
    let rank = |word: &Word| (word.seen, std::cmp::Reverse(word.claim));
    let answering = || words.iter().filter(|word| answers(word.claim));
    let mut highest = BTreeMap::new();
    for word in answering() {
        let known = highest.entry(word.server).or_insert_with(|| rank(word));
        *known = rank(word).max(*known);
    }
    let holds = |word: &&Word| highest.get(&word.server) == Some(&rank(word));
    answering().filter(holds).copied().collect()
}

fn on_exposure(claim: Claim) -> bool {
    matches!(claim, Claim::Vulnerable | Claim::Patched)
}

/// Servers of which nothing but `undetermined` was said.
fn only_undetermined(words: &[Word]) -> impl Iterator<Item = &Word> {
    let known: BTreeSet<u32> = words
        .iter()
        .filter(|word| word.claim != Claim::Undetermined)
        .map(|word| word.server)
        .collect();
    words
        .iter()
        .filter(move |word| !known.contains(&word.server))
}

impl Said {
    fn line<'a>(what: &str, by: Option<String>, words: impl Iterator<Item = &'a Word>) -> Line {
        Line {
            what: what.to_owned(),
            by,
            figures: figures(words),
        }
    }

    fn lines_of(words: &[Word], by: Option<&str>) -> Vec<Line> {
        let by = || by.map(str::to_owned);
        let with = |claim: Claim| words.iter().filter(move |word| word.claim == claim);
        let now = latest(words, on_exposure);
        let now = |claim: Claim| {
            now.iter()
                .filter(move |word| word.claim == claim)
                .collect::<Vec<_>>()
        };
        let mut lines = vec![Self::line(
            "compromised by any word (exploited or web_shell)",
            by(),
            words.iter().filter(|word| is_victim(word.claim)),
        )];
        for claim in Claim::ALL {
            let what = format!("{} by any word", claim.name());
            lines.push(Self::line(&what, by(), with(claim)));
        }
        for claim in [Claim::Vulnerable, Claim::Patched] {
            let what = format!("{} by the latest word", claim.name());
            lines.push(Self::line(&what, by(), now(claim).into_iter()));
        }
        lines.push(Self::line(
            "nothing but undetermined",
            by(),
            only_undetermined(words),
        ));
        lines.retain(|line| line.figures.rows > 0);
        lines
    }

    /// Every claim.
    pub fn by_claim(&self) -> Vec<Line> {
        Self::lines_of(&self.words, None)
    }

    /// Every claim of every method and version.
    pub fn by_method(&self) -> Vec<Line> {
        let mut parts: BTreeMap<(&Method, Claim), Vec<Word>> = BTreeMap::new();
        for word in &self.words {
            let Some(method) = self.methods.get(word.method as usize) else {
                continue;
            };
            parts.entry((method, word.claim)).or_default().push(*word);
        }
        let lines = parts.iter().map(|((method, claim), words)| {
            Self::line(claim.name(), Some(method.to_string()), words.iter())
        });
        lines.collect()
    }

    /// Every claim of every group of organisations; what nobody or several own is a group too.
    pub fn by_group(&self, group: impl Fn(&str) -> Option<String>) -> Vec<Line> {
        let mut parts: BTreeMap<String, Vec<Word>> = BTreeMap::new();
        for word in &self.words {
            let name = match word.whose {
                Whose::One(one) => self
                    .organisations
                    .get(one as usize)
                    .and_then(|id| group(id))
                    .unwrap_or_else(|| "not known".to_owned()),
                Whose::Several => "claimed by several".to_owned(),
                Whose::Nobody => "of nobody in the registry".to_owned(),
            };
            parts.entry(name).or_default().push(*word);
        }
        let lines = parts
            .iter()
            .flat_map(|(name, words)| Self::lines_of(words, Some(name)));
        lines.collect()
    }

    /// Ids of the organisations that anybody called compromised.
    pub fn victims(&self) -> BTreeSet<&str> {
        let victims = self.words.iter().filter(|word| is_victim(word.claim));
        let ids = victims.filter_map(|word| match word.whose {
            Whose::One(one) => self.organisations.get(one as usize),
            Whose::Several | Whose::Nobody => None,
        });
        ids.map(String::as_str).collect()
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let version = match self.version.as_str() {
            "" => "of no stated version",
            version => version,
        };
        write!(f, "{}: {} {version}", self.source, self.method)
    }
}
