//! Who goes first: how urgent the weakness is (SSVC), what it does to the victim (in the manner of CISA's NCISS), and which
//! other victims it hangs together with.
//!
//! A score is a span where facts are unknown: each unknown is named, and none is rounded to its best or its worst. Everything
//! that is weighed stands in `knowledge/ssvc` and `knowledge/priority`, with its source.

pub mod kev;
pub mod tables;

use crate::registry::{AssetKind, Organisation, Registry};
use crate::standing::{Answer, Standing};
use std::collections::{BTreeMap, BTreeSet};
use tables::{Decided, Tables};

/// Where an organisation stands in a campaign, as far as help is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Situation {
    /// Somebody has a foothold there.
    Foothold,
    /// Somebody was in.
    Exploited,
    /// Somebody can come in.
    Vulnerable,
    Undetermined,
    /// The door is closed; whether somebody came through it before is not known.
    Patched,
    Evicted,
    Clear,
}

impl Situation {
    pub const ALL: [Self; 7] = [
        Self::Foothold,
        Self::Exploited,
        Self::Vulnerable,
        Self::Undetermined,
        Self::Patched,
        Self::Evicted,
        Self::Clear,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Foothold => "foothold",
            Self::Exploited => "exploited",
            Self::Vulnerable => "vulnerable",
            Self::Undetermined => "undetermined",
            Self::Patched => "patched",
            Self::Evicted => "evicted",
            Self::Clear => "clear",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Nothing is left to do.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Evicted | Self::Clear)
    }

    fn of(standing: &Standing) -> Self {
        let facts = &standing.facts;
        // Each server is clear or evicted; one evicted server makes the organisation evicted.
        let done = standing
            .servers
            .values()
            .all(|server| server.clear == Answer::Yes || server.evicted == Answer::Yes);
        match () {
            () if done && facts.exploited == Answer::Yes => Self::Evicted,
            () if done => Self::Clear,
            () if facts.web_shell == Answer::Yes => Self::Foothold,
            () if facts.exploited == Answer::Yes => Self::Exploited,
            () if facts.vulnerable == Answer::Yes => Self::Vulnerable,
            () if facts.vulnerable == Answer::No => Self::Patched,
            () => Self::Undetermined,
        }
    }
}

/// What a campaign's pack says.
#[derive(Clone, Debug, Default)]
pub struct Campaign {
    pub name: String,
    pub cves: BTreeSet<String>,
}

/// One part of a score.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    pub category: String,
    pub weight: f64,
    /// Points from 0 to 100, at least and at most.
    pub low: f64,
    pub high: f64,
    /// Why, as a sentence without a full stop.
    pub words: String,
    pub source: String,
}

/// How urgent one organisation is in one campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    pub organisation: String,
    pub name: String,
    pub campaign: String,
    pub situation: Situation,
    /// From 0 to 100, at least and at most.
    pub low: f64,
    pub high: f64,
    pub coordinator: Decided,
    pub directive: Decided,
    pub terms: Vec<Term>,
    /// What is not known and makes the span.
    pub unknown: Vec<String>,
    pub servers: usize,
    pub last_seen: Option<i64>,
    /// When it must be done by, in microseconds since 1970: the strictest time that is possible, from when it was last seen.
    pub due: Option<i64>,
}

impl Score {
    /// By what it is ranked: the middle of what is possible.
    pub fn middle(&self) -> f64 {
        f64::midpoint(self.low, self.high)
    }
}

const DAY: f64 = 86_400_000_000.0;

/// The score of every standing, the most urgent first.
pub fn rank(
    registry: &Registry,
    standings: &[Standing],
    campaigns: &[Campaign],
    known_exploited: Option<&BTreeSet<String>>,
    tables: &Tables,
) -> Vec<Score> {
    let neighbours = Neighbours::of(registry, standings);
    let mut exploited_in: BTreeMap<&str, usize> = BTreeMap::new();
    for standing in standings {
        if standing.facts.exploited == Answer::Yes {
            *exploited_in.entry(&standing.campaign).or_default() += 1;
        }
    }
    let weaknesses: BTreeMap<&str, Weakness> = standings
        .iter()
        .map(|standing| standing.campaign.as_str())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|name| {
            let campaign = campaigns.iter().find(|campaign| campaign.name == name);
            let victims = exploited_in.get(name).copied().unwrap_or_default();
            (
                name,
                Weakness::of(campaign, victims, known_exploited, tables),
            )
        })
        .collect();
    let mut scores: Vec<Score> = standings
        .iter()
        .filter_map(|standing| {
            let organisation = registry.organisation(&standing.organisation)?;
            let weakness = weaknesses.get(standing.campaign.as_str())?;
            Some(score(standing, organisation, weakness, &neighbours, tables))
        })
        .collect();
    scores.sort_by(|a, b| {
        let done = a.situation.is_done().cmp(&b.situation.is_done());
        done.then(b.middle().total_cmp(&a.middle()))
            .then(b.high.total_cmp(&a.high))
            .then_with(|| a.organisation.cmp(&b.organisation))
            .then_with(|| a.campaign.cmp(&b.campaign))
    });
    scores
}

/// What is known of a campaign's vulnerabilities, whoever has them.
struct Weakness {
    exploitation: Option<&'static str>,
    in_kev: Option<&'static str>,
    automatable: Option<&'static str>,
    technical_impact: Option<&'static str>,
    words: Vec<String>,
    unknown: Vec<String>,
}

impl Weakness {
    fn of(
        campaign: Option<&Campaign>,
        victims: usize,
        known_exploited: Option<&BTreeSet<String>>,
        tables: &Tables,
    ) -> Self {
        let none = BTreeSet::new();
        let cves = campaign.map_or(&none, |campaign| &campaign.cves);
        let mut words = Vec::new();
        let mut unknown = Vec::new();
        if cves.is_empty() {
            unknown.push("which vulnerabilities the campaign uses (no pack names them)".to_owned());
        }
        let listed = known_exploited.map(|known| cves.intersection(known).count());
        let in_kev = match listed {
            _ if cves.is_empty() => None,
            None => {
                unknown.push(
                    "whether CISA's KEV lists the vulnerabilities (no catalogue was imported)"
                        .to_owned(),
                );
                None
            }
            Some(0) => {
                words.push(format!("KEV lists none of {} vulnerabilities", cves.len()));
                Some("no")
            }
            Some(count) => {
                words.push(format!(
                    "KEV lists {count} of {} vulnerabilities",
                    cves.len()
                ));
                Some("yes")
            }
        };
        let exploitation = if victims > 0 {
            words.push(format!(
                "{victims} victims of this campaign are in the case"
            ));
            Some("active")
        } else if in_kev == Some("yes") {
            Some("active")
        } else {
            unknown.push("whether it is exploited".to_owned());
            None
        };
        // A chain is as bad as its worst link; it is no better than that only where every link is known.
        let mut worst = |what: &str,
                         field: fn(&tables::Vulnerability) -> Option<&String>,
                         bad: &'static str,
                         good: &'static str| {
            let rows: Vec<_> = (cves.iter())
                .map(|cve| tables.vulnerabilities.get(cve))
                .collect();
            let known: Vec<Option<&String>> = rows.iter().map(|row| row.and_then(field)).collect();
            if let Some(row) =
                (rows.iter().flatten()).find(|row| field(row).is_some_and(|is| is == bad))
            {
                words.push(format!("{what}: {bad} ({}: {})", row.cve, row.source));
                Some(bad)
            } else if !known.is_empty() && known.iter().all(Option::is_some) {
                words.push(format!("{what}: {good}"));
                Some(good)
            } else {
                unknown.push(what.to_owned());
                None
            }
        };
        let automatable = worst("automatable", |row| row.automatable.as_ref(), "yes", "no");
        let technical_impact = worst(
            "technical impact",
            |row| row.technical_impact.as_ref(),
            "total",
            "partial",
        );
        Self {
            exploitation,
            in_kev,
            automatable,
            technical_impact,
            words,
            unknown,
        }
    }
}

fn score(
    standing: &Standing,
    organisation: &Organisation,
    weakness: &Weakness,
    neighbours: &Neighbours,
    tables: &Tables,
) -> Score {
    let situation = Situation::of(standing);
    let mut unknown = weakness.unknown.clone();
    let sector = organisation.row.sector.as_deref();
    let level = sector.and_then(|sector| tables.sector(sector));
    // A row that came from outside saw the server from outside.
    let exposed = (!standing.observations.is_empty()).then_some("yes");
    if exposed.is_none() {
        unknown.push("whether its servers are reached from outside".to_owned());
    }
    let coordinator = tables.coordinator.decide(&[
        weakness.exploitation,
        weakness.automatable,
        weakness.technical_impact,
        level.map(|(level, _)| level),
    ]);
    let directive = tables.directive.decide(&[
        weakness.in_kev,
        exposed,
        weakness.automatable,
        weakness.technical_impact,
    ]);
    let mut terms = Vec::new();
    for weight in &tables.weights {
        let term = |low: f64, high: f64, words: String, source: String| Term {
            category: weight.category.clone(),
            weight: weight.weight,
            low,
            high,
            words,
            source,
        };
        let open = |words: &str| term(0.0, 100.0, words.to_owned(), weight.source.clone());
        terms.push(match weight.category.as_str() {
            "activity" => {
                let found = tables.points("activity", situation.name());
                let (low, source) = found.unwrap_or((0.0, &weight.source));
                let facts = &standing.facts;
                let open = match situation {
                    Situation::Exploited => facts.web_shell == Answer::Undetermined,
                    Situation::Vulnerable | Situation::Patched | Situation::Undetermined => {
                        facts.exploited == Answer::Undetermined
                    }
                    Situation::Foothold | Situation::Evicted | Situation::Clear => false,
                };
                let servers = standing.servers.len();
                let mut words = format!("{} on {servers} server(s) spoken of", situation.name());
                if open {
                    let what = if situation == Situation::Exploited {
                        "whether a foothold is left"
                    } else {
                        "whether somebody is in"
                    };
                    words = format!("{words}; {what} is not known");
                    unknown.push(what.to_owned());
                }
                term(
                    low,
                    if open { 100.0 } else { low },
                    words,
                    source.to_owned(),
                )
            }
            "vulnerability" => {
                let (a, b) = (&coordinator, &directive);
                let low = a.least.points.max(b.least.points);
                let high = a.most.points.max(b.most.points);
                let span = |decided: &Decided| match decided {
                    same if same.least == same.most => same.least.outcome.clone(),
                    span => format!("{} to {}", span.least.outcome, span.most.outcome),
                };
                let mut words = format!("SSVC coordinator: {}; BOD 26-04: {}", span(a), span(b));
                for fact in &weakness.words {
                    words.push_str("; ");
                    words.push_str(fact);
                }
                term(
                    low,
                    high,
                    words,
                    format!("{}; {}", a.most_source, b.most_source),
                )
            }
            "sector" => match (sector, level) {
                (Some(sector), Some((level, source))) => {
                    let (points, _) = tables.points("sector", level).unwrap_or_default();
                    let words = format!("sector {sector}: {level} dependency");
                    term(points, points, words, source.to_owned())
                }
                (Some(sector), None) => {
                    unknown.push(format!("how much others depend on the sector {sector}"));
                    open("no table knows its sector")
                }
                (None, _) => {
                    unknown.push("its sector".to_owned());
                    open("its sector is not known")
                }
            },
            "size" => {
                let size = organisation.row.size.as_deref();
                if let Some((size, (points, source))) =
                    size.and_then(|size| Some((size, tables.points("size", size)?)))
                {
                    term(points, points, format!("size {size}"), source.to_owned())
                } else {
                    unknown.push("its size".to_owned());
                    open("its size is not known")
                }
            }
            "servers" => {
                let servers = standing.servers.len();
                let (points, source) = tables.step("servers", servers).unwrap_or_default();
                let words = format!("{servers} server(s) of it are spoken of");
                term(points, points, words, source.to_owned())
            }
            "exposure" => match exposed.and_then(|value| tables.points("exposure", value)) {
                Some((points, source)) => {
                    let words =
                        format!("seen from outside by {} rows", standing.observations.len());
                    term(points, points, words, source.to_owned())
                }
                None => open("nobody saw its servers from outside"),
            },
            "correlated" => {
                let (points, words, source) =
                    neighbours.term(organisation, &standing.campaign, tables);
                term(points, points, words, source)
            }
            other => open(&format!("nothing is known of {other}")),
        });
    }
    let weights: f64 = terms.iter().map(|term| term.weight).sum();
    let mean = |side: fn(&Term) -> f64| {
        let sum: f64 = terms.iter().map(|term| term.weight * side(term)).sum();
        if weights > 0.0 { sum / weights } else { 0.0 }
    };
    let (low, high) = if situation.is_done() {
        (0.0, 0.0)
    } else {
        (mean(|term| term.low), mean(|term| term.high))
    };
    unknown.sort();
    unknown.dedup();
    let due = match (directive.most.days, standing.last_seen) {
        _ if situation.is_done() => None,
        (Some(days), Some(seen)) => Some(seen.saturating_add(whole(days * DAY))),
        _ => None,
    };
    Score {
        organisation: standing.organisation.clone(),
        name: organisation.row.name.clone(),
        campaign: standing.campaign.clone(),
        situation,
        low,
        high,
        coordinator,
        directive,
        terms,
        unknown,
        servers: standing.servers.len(),
        last_seen: standing.last_seen,
        due,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast saturates, and days of tables are few"
)]
fn whole(number: f64) -> i64 {
    number.round() as i64
}

/// Victims by what joins them.
#[derive(Default)]
struct Neighbours {
    /// By campaign, link and what is shared: the victims.
    victims: BTreeMap<(String, &'static str, String), BTreeSet<String>>,
    /// Kind and value of assets that several organisations have, with these.
    shared: BTreeMap<(AssetKind, String), BTreeSet<String>>,
}

impl Neighbours {
    fn of(registry: &Registry, standings: &[Standing]) -> Self {
        let mut owners: BTreeMap<(AssetKind, &str), Vec<&str>> = BTreeMap::new();
        for organisation in registry.organisations() {
            for (kind, value) in &organisation.assets {
                if matches!(
                    kind,
                    AssetKind::Host | AssetKind::Address | AssetKind::Certificate
                ) {
                    let of = owners.entry((*kind, value)).or_default();
                    of.push(&organisation.row.id);
                }
            }
        }
        let shared = owners
            .into_iter()
            .filter(|(_, owners)| owners.len() > 1)
            .map(|((kind, value), owners)| {
                let owners = owners.into_iter().map(str::to_owned).collect();
                ((kind, value.to_owned()), owners)
            })
            .collect();
        let mut all = Self {
            shared,
            ..Self::default()
        };
        for standing in standings {
            let Some(organisation) = registry.organisation(&standing.organisation) else {
                continue;
            };
            if standing.facts.exploited != Answer::Yes {
                continue;
            }
            for (link, what) in all.links(organisation) {
                let key = (standing.campaign.clone(), link, what);
                let victims = all.victims.entry(key).or_default();
                victims.insert(standing.organisation.clone());
            }
        }
        all
    }

    /// What an organisation may share with others.
    fn links(&self, organisation: &Organisation) -> Vec<(&'static str, String)> {
        let row = &organisation.row;
        let mut links = Vec::new();
        if let Some(supplier) = &row.supplier {
            links.push(("supplier", supplier.to_lowercase()));
        }
        if let (Some(sector), Some(country)) = (&row.sector, &row.country) {
            links.push(("sector_country", format!("{sector}, {country}")));
            if let Some(region) = &row.region {
                links.push(("sector_region", format!("{sector}, {country}, {region}")));
            }
        }
        for (kind, value) in &organisation.assets {
            if self.shared.contains_key(&(*kind, value.clone())) {
                links.push(("mail_host", format!("{} {value}", kind.name())));
            }
        }
        links
    }

    /// The strongest link to other victims of the campaign.
    fn term(
        &self,
        organisation: &Organisation,
        campaign: &str,
        tables: &Tables,
    ) -> (f64, String, String) {
        let mut best = (
            0.0,
            "no other victim is linked to it".to_owned(),
            String::new(),
        );
        for (link, what) in self.links(organisation) {
            let Some(row) = tables.links.iter().find(|row| row.link == link) else {
                continue;
            };
            let key = (campaign.to_owned(), link, what);
            let others = self.victims.get(&key).map_or(0, |victims| {
                victims.len() - usize::from(victims.contains(&organisation.row.id))
            });
            let points = (others as f64 * row.each).min(row.most);
            if points > best.0 {
                let words = format!("{others} other victim(s) {}: {}", row.words, key.2);
                best = (points, words, row.source.clone());
            }
        }
        if best.2.is_empty() {
            best.2 = tables
                .weights
                .iter()
                .find(|row| row.category == "correlated")
                .map_or(String::new(), |row| row.source.clone());
        }
        best
    }
}
