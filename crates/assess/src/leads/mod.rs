//! Leads: pages and files that are worth a look although no rule, indicator or analysis convicts them.
//!
//! Rules know what somebody saw before. What nobody saw before still differs from what belongs on a server: few ask
//! for it, the vendor does not ship it, it came late. Each such sign weighs something
//! (`knowledge/detection/leads.yaml`); their sum orders what somebody should look at, in words and with numbers.
//!
//! A lead is never a verdict: [`leads`] is called beside [`crate::assess`], which reads none of the facts that only
//! leads rest on, and `tests/leads.rs` holds that against every kind of them.

mod compiled;
mod files;
mod pages;

use crate::Knowledge;
use crate::compromise;
use crate::derive::{self, WebSite};
use crate::words;
use model::report::{Lead, LeadSignal as Told, Leads, Reason};
use model::{CollectionSeen, Fact, Named, Observed, Place, Timestamp};
use pack::shipped_files::{self, Answer};
use pack::{LeadSignal, LeadTable};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// What every format shows above leads.
const NOTE: &str = "A lead is worth a look and never a verdict alone: nothing here convicts, and no verdict rests on it. \
    That there is none does not mean that nothing is there.";

/// Places told of one lead.
const PLACES_MAX: usize = 6;

const DAY_SECONDS: i64 = 86_400;

/// The score that nothing exceeds.
const SCORE_MAX: u32 = 100;

/// What is worth a look on this host, the likeliest first. `observed` must hold what [`crate::derived_findings`] added.
pub fn leads(knowledge: &Knowledge<'_>, table: &LeadTable, observed: &Observed) -> Leads {
    let Some(latest) = observed.collections.last() else {
        return Leads::default();
    };
    let ground = Ground::new(knowledge, table, observed, latest);
    let mut drafts = Drafts::default();
    let mut notices = pages::find(&ground, &mut drafts);
    files::find(&ground, &mut drafts);
    compiled::find(&ground, &mut drafts);
    notices.extend(left_out(observed));
    drafts.finish(&ground, notices)
}

/// What all signs are held against.
struct Ground<'a> {
    table: &'a LeadTable,
    observed: &'a Observed,
    site: WebSite<'a>,
    /// Every exact build that the host is known to have run; one `None` where there is none.
    builds: Vec<Option<model::Build>>,
    /// When the product was installed and updated, as far as that is known.
    updates: Vec<Timestamp>,
    /// Lower-case folders with how many scripts and other files the latest collection holds in each.
    folders: BTreeMap<String, (usize, usize)>,
    /// Lower-case paths and roots that sites serve which serve a product's folders too.
    served_with_product: Vec<String>,
}

/// Whether the vendor ships a file at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shipped {
    Yes,
    /// It ships other content there.
    Changed,
    No,
    /// No table covers the place.
    Unknown,
}

impl<'a> Ground<'a> {
    fn new(
        knowledge: &'a Knowledge<'a>,
        table: &'a LeadTable,
        observed: &'a Observed,
        latest: &'a CollectionSeen,
    ) -> Self {
        let site = WebSite::new(knowledge, observed, latest);
        Self {
            table,
            observed,
            builds: derive::builds_of(observed),
            updates: updates(observed),
            folders: folders(&site),
            served_with_product: served_with_product(&site),
            site,
        }
    }

    /// Where the site of this log serves a URL path from, in lower case.
    fn own_path(&self, source: &model::SourceName, url_path: &str) -> Option<String> {
        let id: Option<u32> = source.instance().and_then(|id| id.parse().ok());
        let all = self.site.directories.iter().copied();
        let own: Vec<_> = all
            .filter(|directory| id.is_none_or(|id| directory.site_id == id))
            .collect();
        derive::physical_paths(&own, url_path).into_iter().next()
    }

    /// Whether the vendor ships the page that a URL path names, wherever it may lie.
    fn ships_page(&self, url_path: &str) -> bool {
        let url = url_path.replace('/', "\\");
        let products = self.site.knowledge.products.iter();
        let mut roots = products.flat_map(|product| &product.web_roots);
        let mut physical = self.site.physical_paths(url_path).into_iter();
        physical.any(|path| self.site.is_shipped_path(&path))
            || roots.any(|root| {
                let versions = self
                    .site
                    .knowledge
                    .shipped
                    .versions(&format!("{root}{url}"));
                !versions.is_empty()
            })
    }

    /// Whether the vendor ships the script at this lower-case path, with the content that the collection holds there.
    fn ships_file(&self, path: &str) -> Shipped {
        let Some((relative, _)) = self.site.relative(path) else {
            let served = self.served_with_product.iter();
            let mut served = served.filter_map(|root| path.strip_prefix(root.as_str()));
            // Beside the product's own folders: the vendor puts no script there.
            return if served.any(|rest| rest.starts_with('\\')) {
                Shipped::No
            } else {
                Shipped::Unknown
            };
        };
        let shipped = self.site.knowledge.shipped;
        let item = self.site.items.get(path);
        if let Some(digest) = item.and_then(|item| derive::digest(&item.sha256)) {
            let answers = self.builds.iter();
            let mut answers = answers.map(|build| shipped.lookup(*build, &relative, &digest));
            let first = answers.next();
            return match first.map(|first| answers.fold(first, derive::better)) {
                Some(Answer::Shipped { .. } | Answer::ShippedInOtherBuild { .. }) => Shipped::Yes,
                Some(Answer::NotShipped {
                    path_is_shipped: true,
                    ..
                }) => Shipped::Changed,
                Some(Answer::NotShipped { .. }) => Shipped::No,
                Some(Answer::NotCovered(_)) | None if self.site.is_shipped_path(path) => {
                    Shipped::Yes
                }
                Some(Answer::NotCovered(_)) | None => Shipped::Unknown,
            };
        }
        if self.site.is_shipped_path(path) {
            return Shipped::Yes;
        }
        let mut builds = self.builds.iter();
        if builds.any(|build| shipped.covers(*build, &relative).is_ok()) {
            Shipped::No
        } else {
            Shipped::Unknown
        }
    }

    /// Adds what the tables of shipped files say of a place.
    fn judge_shipped(&self, path: &str, draft: &mut Draft) {
        match self.ships_file(path) {
            Shipped::Changed => {
                let text = "the vendor ships other content at this place";
                draft.add(LeadSignal::ChangedContent, text.to_owned());
            }
            Shipped::No => {
                let text = "the vendor ships no such file in any build that the tables know";
                draft.add(LeadSignal::NotShipped, text.to_owned());
            }
            Shipped::Yes | Shipped::Unknown => {}
        }
    }

    /// Adds that the folder of a path holds no other script.
    fn judge_folder(&self, path: &str, draft: &mut Draft) {
        let (scripts, others) = self
            .folders
            .get(model::parent(path))
            .copied()
            .unwrap_or_default();
        let own = usize::from(self.site.holds(path));
        if scripts == own && others > 0 {
            let text = format!(
                "no other script lies in its folder, only {} of other kinds",
                words::counted(others, "file")
            );
            draft.add(LeadSignal::LoneScript, text);
        }
    }

    /// The path as items spell it.
    fn spelled(&self, path: &str) -> String {
        match self.site.items.get(path) {
            Some(item) => item.path.clone(),
            None => derive::display_path(&self.site, path),
        }
    }

    /// The last update at or before a time.
    fn update_before(&self, time: Timestamp) -> Option<Timestamp> {
        let updates = self.updates.iter().copied();
        updates.filter(|update| *update <= time).max()
    }
}

/// Roots of the directories of each site that also serves a folder of a product, lower case, without trailing backslash.
fn served_with_product(site: &WebSite<'_>) -> Vec<String> {
    let physical = |directory: &model::VirtualDirectory| {
        let path = derive::expand(&directory.physical_path).to_lowercase();
        path.trim_end_matches('\\').to_owned()
    };
    let with_product: BTreeSet<u32> = site
        .directories
        .iter()
        .filter(|directory| {
            site.relative(&format!("{}\\", physical(directory)))
                .is_some()
        })
        .map(|directory| directory.site_id)
        .collect();
    let mut roots: Vec<String> = site
        .directories
        .iter()
        .filter(|directory| with_product.contains(&directory.site_id))
        .map(|directory| physical(directory))
        .filter(|root| root.len() > 3)
        .collect();
    roots.sort();
    roots.dedup();
    roots
}

/// How many scripts and other files each lower-case folder holds.
fn folders(site: &WebSite<'_>) -> BTreeMap<String, (usize, usize)> {
    let mut folders: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for path in site.items.keys() {
        let (scripts, others) = folders.entry(model::parent(path).to_owned()).or_default();
        if shipped_files::is_script(path) {
            *scripts += 1;
        } else {
            *others += 1;
        }
    }
    folders
}

/// When the product was installed or updated: setups that did not fail, and the first sign of each later build.
fn updates(observed: &Observed) -> Vec<Timestamp> {
    let mut first_of_build: BTreeMap<(&str, model::Build), Timestamp> = BTreeMap::new();
    let mut updates = BTreeSet::new();
    for known in &observed.facts {
        match &known.fact {
            Fact::Setup(setup) if setup.succeeded != Some(false) => {
                updates.insert(setup.time);
            }
            Fact::Build(seen) => {
                if let Some(first) = seen.first {
                    let known = first_of_build
                        .entry((&seen.product, seen.build))
                        .or_insert(first);
                    *known = first.min(*known);
                }
            }
            _ => {}
        }
    }
    // The first build of all was there before anything was logged.
    let earliest = first_of_build.values().min().copied();
    updates.extend(
        first_of_build
            .into_values()
            .filter(|first| Some(*first) > earliest),
    );
    updates.into_iter().collect()
}

/// A lead while its signs are gathered.
#[derive(Debug, Default)]
struct Draft {
    kind: &'static str,
    subject: String,
    file: Option<String>,
    signals: BTreeMap<LeadSignal, String>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    requests: u64,
    clients: Named,
    places: Vec<Place>,
    /// Whether what the vendor ships, or serves, explains it as a whole.
    is_explained: bool,
}

impl Draft {
    /// Adds a sign; what was told first stands.
    fn add(&mut self, signal: LeadSignal, text: String) {
        self.signals.entry(signal).or_insert(text);
    }

    fn place(&mut self, place: &Place) {
        if self.places.len() < PLACES_MAX && !self.places.contains(place) {
            self.places.push(place.clone());
        }
    }
}

/// All leads by what they are about: the lower-case Windows path, or the URL path where none is known.
#[derive(Default)]
struct Drafts(BTreeMap<String, Draft>);

impl Drafts {
    /// The lead about this, made where there is none yet.
    fn of(&mut self, key: &str, kind: &'static str, subject: &str) -> &mut Draft {
        self.0.entry(key.to_owned()).or_insert_with(|| Draft {
            kind,
            subject: subject.to_owned(),
            ..Draft::default()
        })
    }

    fn finish(self, ground: &Ground<'_>, notices: Vec<Reason>) -> Leads {
        let limits = &ground.table.limits;
        let findings = findings_by_path(ground);
        let mut list: Vec<(String, Lead)> = Vec::new();
        for (key, draft) in self.0 {
            let mut signals: Vec<(u8, LeadSignal, String)> = draft
                .signals
                .into_iter()
                .map(|(signal, text)| (ground.table.points(signal), signal, text))
                .collect();
            signals.sort_by_key(|(points, signal, _)| (Reverse(*points), *signal));
            let sum: u32 = signals.iter().map(|(points, ..)| u32::from(*points)).sum();
            let bound = if draft.is_explained {
                limits.shipped_cap.value.min(SCORE_MAX)
            } else {
                SCORE_MAX
            };
            let score = sum.min(bound);
            if score < limits.kept_score.value {
                continue;
            }
            let lead = Lead {
                kind: draft.kind.to_owned(),
                subject: draft.subject,
                file: draft.file,
                score: u8::try_from(score).unwrap_or(u8::MAX),
                signals: signals
                    .into_iter()
                    .map(|(points, signal, text)| Told {
                        signal: signal.name().to_owned(),
                        points,
                        text,
                    })
                    .collect(),
                first: draft.first,
                last: draft.last,
                requests: draft.requests,
                clients: draft.clients.texts.into_iter().collect(),
                places: draft.places,
                findings: findings.get(&key).cloned().unwrap_or_default(),
            };
            list.push((key, lead));
        }
        list.sort_by(|(key, a), (other, b)| {
            (Reverse(a.score), a.first.is_none(), a.first, key).cmp(&(
                Reverse(b.score),
                b.first.is_none(),
                b.first,
                other,
            ))
        });
        let kept = limits.kept_leads.value as usize;
        let left_out = list.len().saturating_sub(kept) as u64;
        list.truncate(kept);
        if list.is_empty() && notices.is_empty() {
            return Leads::default();
        }
        Leads {
            note: NOTE.to_owned(),
            shown_score: u8::try_from(limits.shown_score.value).unwrap_or(u8::MAX),
            list: list.into_iter().map(|(_, lead)| lead).collect(),
            left_out,
            notices,
        }
    }
}

/// Ids of findings by the lower-case path that they are about.
fn findings_by_path(ground: &Ground<'_>) -> BTreeMap<String, Vec<String>> {
    let mut by_path: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for finding in &ground.observed.findings {
        let mut paths = BTreeSet::from([finding.place.item.to_lowercase()]);
        if let Some(foothold) = &finding.foothold {
            paths.insert(compromise::place_key(
                &foothold.path,
                &ground.site.directories,
            ));
        }
        for path in paths {
            by_path.entry(path).or_default().insert(finding.id.clone());
        }
    }
    by_path
        .into_iter()
        .map(|(path, ids)| (path, ids.into_iter().collect()))
        .collect()
}

/// What the readers of web logs did not keep one by one.
fn left_out(observed: &Observed) -> Vec<Reason> {
    let mut by_source: BTreeMap<&str, (u64, Vec<Place>)> = BTreeMap::new();
    for known in &observed.facts {
        if let Fact::WebPagesLeftOut(left_out) = &known.fact {
            let (requests, places) = by_source.entry(left_out.source.as_str()).or_default();
            *requests = requests.saturating_add(left_out.requests);
            if places.len() < words::PLACES_MAX {
                places.push(known.place.clone());
            }
        }
    }
    let told = by_source.into_iter().map(|(source, (requests, places))| Reason {
        text: format!(
            "{requests} requests of {source} ask for more paths than are kept one by one; the server redirected or refused \
             them, or they name no script, so that no page that answered as a script is missing for it"
        ),
        places,
    });
    told.collect()
}
