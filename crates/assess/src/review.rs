//! The review of persistence: what starts by itself or may sign in, what of it deserves a look first, and what of it
//! nobody could see.
//!
//! It judges no campaign and convicts nobody. Facts of readers go in, with the tables of what is shipped
//! ([`pack::Review`]); a list comes out in which each entry says why it stands where it stands.

use crate::exposure::{self, ExposureJudged};
use crate::{Knowledge, coverage, derive};
use model::report::{PersistenceEntry, PersistenceReview, ReviewCoverage, ReviewWindow, SeenState};
use model::{
    CollectionSeen, Fact, FactAt, Finding, GapKind, IisModule, Observed, Persistence,
    PersistenceKind, Place, SourceName, Stage, account_state,
};
use pack::{Pack, Review, ReviewedKind, Shipped};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Entries that are told one by one; more than anybody looks through.
const ENTRIES_MAX: usize = 200;

/// Places and findings that one entry names.
const PLACES_MAX: usize = 5;

/// Endings behind which the arguments of a command begin, where nothing quotes the program.
const PROGRAM_ENDINGS: [&str; 9] = [
    ".exe", ".dll", ".sys", ".com", ".bat", ".cmd", ".vbs", ".ps1", ".js",
];

/// Folders of an installation by their variables, besides that of Windows itself.
const FOLDERS: [(&str, &str); 4] = [
    ("%programfiles%", "c:\\program files"),
    ("%programfiles(x86)%", "c:\\program files (x86)"),
    ("%commonprogramfiles%", "c:\\program files\\common files"),
    ("%programdata%", "c:\\programdata"),
];

/// How much each reason counts for an entry's place in the list. Only their order means something.
mod weight {
    pub(super) const FINDING: u32 = 64;
    pub(super) const OTHER_PROGRAM: u32 = 24;
    pub(super) const ACTS_AS_ANOTHER: u32 = 24;
    pub(super) const OPEN_FOLDER: u32 = 12;
    pub(super) const ENCODED: u32 = 12;
    pub(super) const IN_WINDOW: u32 = 6;
    pub(super) const AFTER_WINDOW: u32 = 5;
    pub(super) const UNKNOWN: u32 = 5;
    /// It is set up now, and no mere event of the past.
    pub(super) const STATED: u32 = 4;
    /// It may have come at any time, the worst among them.
    pub(super) const UNDATED: u32 = 4;
    pub(super) const ADMINISTRATOR: u32 = 3;
    pub(super) const SCRIPT_HOST: u32 = 2;
    pub(super) const FILE_NOT_SEEN: u32 = 1;
}

/// Reviews a host, marking what was made or changed in or after the time in which each campaign could have come in.
///
/// `observed` must hold the findings that [`crate::derived_findings`] added.
pub fn persistence_review(
    packs: &[Pack],
    knowledge: &Knowledge<'_>,
    observed: &Observed,
) -> PersistenceReview {
    review_within(windows(packs, knowledge, observed), knowledge, observed)
}

/// The same, where the times in which campaigns could have come in are known.
fn review_within(
    windows: Vec<ReviewWindow>,
    knowledge: &Knowledge<'_>,
    observed: &Observed,
) -> PersistenceReview {
    let things = things(observed);
    let host = Host::new(knowledge.review, observed, &windows);
    let mut counts: BTreeMap<PersistenceKind, u64> = BTreeMap::new();
    for thing in &things {
        *counts.entry(thing.kind).or_default() += 1;
    }
    let mut entries: Vec<(u32, PersistenceEntry)> = things
        .into_iter()
        .filter_map(|thing| host.entry(&thing))
        .collect();
    entries.sort_by(|(a_weight, a), (b_weight, b)| {
        (
            Reverse(a_weight),
            Reverse(a.changed),
            a.kind,
            &a.name,
            &a.runs,
        )
            .cmp(&(
                Reverse(b_weight),
                Reverse(b.changed),
                b.kind,
                &b.name,
                &b.runs,
            ))
    });
    let left_out = entries.len().saturating_sub(ENTRIES_MAX) as u64;
    entries.truncate(ENTRIES_MAX);
    PersistenceReview {
        seen: counts.values().sum(),
        coverage: coverage_of(knowledge, observed, &counts),
        windows,
        entries: entries.into_iter().map(|(_, entry)| entry).collect(),
        left_out,
    }
}

/// How many entries that no table explains were made or changed in or after this campaign's time, or are undated.
pub(crate) fn unaccounted(
    pack: &Pack,
    knowledge: &Knowledge<'_>,
    observed: &Observed,
    exposure: &ExposureJudged,
) -> usize {
    let window = window(pack, exposure);
    let review = review_within(window.into_iter().collect(), knowledge, observed);
    review
        .entries
        .iter()
        .filter(|entry| !entry.shipped && (entry.changed.is_none() || !entry.campaigns.is_empty()))
        .count()
}

fn windows(packs: &[Pack], knowledge: &Knowledge<'_>, observed: &Observed) -> Vec<ReviewWindow> {
    let mut windows: Vec<ReviewWindow> = packs
        .iter()
        .filter_map(|pack| window(pack, &exposure::exposure(pack, knowledge, observed)))
        .collect();
    windows.sort();
    windows
}

/// The time in which a campaign could have come in.
fn window(pack: &Pack, exposure: &ExposureJudged) -> Option<ReviewWindow> {
    let entry = exposure.entry?;
    Some(ReviewWindow {
        campaign: pack.manifest.name.clone(),
        from: entry.from,
        until: entry.until,
    })
}

/// Something that tells of a thing, and where.
struct Told<'a> {
    fact: Cow<'a, Persistence>,
    place: &'a Place,
    /// Whether it is an event, which tells what was, and no setting, which tells what is.
    is_event: bool,
}

/// A native module, which its configuration neither dates nor signs.
fn native_module(module: &IisModule) -> Persistence {
    Persistence {
        kind: PersistenceKind::IisModule,
        name: module.name.clone(),
        command: module.image.clone(),
        changed: None,
        clock: String::new(),
        author: String::new(),
    }
}

/// One thing, with everything that tells of it.
struct Thing<'a> {
    kind: PersistenceKind,
    facts: Vec<Told<'a>>,
}

/// Facts joined by what they are about. Of the registry's start keys several users may have the same, each with a command
/// of its own.
fn things(observed: &Observed) -> Vec<Thing<'_>> {
    let Some(latest) = observed.collections.last() else {
        return Vec::new();
    };
    let events = event_items(observed);
    let mut by_name: BTreeMap<(PersistenceKind, String, String), Vec<Told<'_>>> = BTreeMap::new();
    for FactAt { fact, place } in &observed.facts {
        let persistence = match fact {
            Fact::Persistence(persistence) => Cow::Borrowed(persistence),
            Fact::IisModule(module) => Cow::Owned(native_module(module)),
            _ => continue,
        };
        // What settings say counts as of the latest collection; what events tell happened.
        let is_event = events.contains(&(place.collection.as_str(), place.item.as_str()));
        if !is_event && place.collection != latest.id {
            continue;
        }
        // Keys of services without a program hold settings of others.
        if persistence.kind == PersistenceKind::Service && persistence.command.is_empty() {
            continue;
        }
        let command = match persistence.kind {
            PersistenceKind::RunKey => persistence.command.to_lowercase(),
            _ => String::new(),
        };
        let key = (persistence.kind, persistence.name.to_lowercase(), command);
        by_name.entry(key).or_default().push(Told {
            fact: persistence,
            place,
            is_event,
        });
    }
    by_name
        .into_iter()
        .map(|((kind, ..), facts)| Thing { kind, facts })
        .collect()
}

/// Items that hold events, by collection and path: live logs and exports.
fn event_items(observed: &Observed) -> BTreeSet<(&str, &str)> {
    let mut found = BTreeSet::new();
    for collection in &observed.collections {
        for item in &collection.items {
            let family = item.source.as_ref().map(SourceName::family);
            if family == Some(coverage::EVENT_LOG) {
                found.insert((collection.id.as_str(), item.path.as_str()));
            }
        }
    }
    found
}

/// Footholds that entries are compared with, each of them with each; more are told by no honest host.
const FOOTHOLDS_MAX: usize = 500;

/// What came to nothing is no reason to look at anything.
fn is_telling(finding: &Finding) -> bool {
    finding.stage != Some(Stage::Probed)
}

/// What entries are held against.
struct Host<'a> {
    review: &'a Review,
    windows: &'a [ReviewWindow],
    /// Ids of findings by their places.
    by_place: BTreeMap<&'a Place, Vec<&'a str>>,
    /// Lower-case paths and names of footholds, with the ids of their findings.
    footholds: BTreeMap<String, Vec<&'a str>>,
    /// Lower-case paths of the latest collection's items, and of files that a listing in it names.
    files: BTreeSet<String>,
}

impl<'a> Host<'a> {
    fn new(review: &'a Review, observed: &'a Observed, windows: &'a [ReviewWindow]) -> Self {
        let latest = observed.collections.last();
        let items = latest.into_iter().flat_map(|latest| &latest.items);
        let listed = observed.facts.iter().filter_map(|known| match &known.fact {
            Fact::ListedFile(file) if Some(&known.place.collection) == latest.map(|l| &l.id) => {
                Some(file.path.to_lowercase())
            }
            _ => None,
        });
        let mut by_place: BTreeMap<&Place, Vec<&str>> = BTreeMap::new();
        let mut footholds: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for finding in observed
            .findings
            .iter()
            .filter(|finding| is_telling(finding))
        {
            by_place
                .entry(&finding.place)
                .or_default()
                .push(&finding.id);
            if let Some(foothold) = &finding.foothold {
                let path = foothold.path.to_lowercase();
                if footholds.len() < FOOTHOLDS_MAX || footholds.contains_key(&path) {
                    footholds.entry(path).or_default().push(&finding.id);
                }
            }
        }
        Self {
            review,
            windows,
            by_place,
            footholds,
            files: items
                .map(|item| item.path.to_lowercase())
                .chain(listed)
                .collect(),
        }
    }

    /// The entry and its weight; none where nothing about the thing is striking.
    fn entry(&self, thing: &Thing<'_>) -> Option<(u32, PersistenceEntry)> {
        // Settings say what is run; events only what was.
        let stated = thing
            .facts
            .iter()
            .max_by_key(|told| (!told.is_event, !told.fact.command.is_empty()))?
            .fact
            .as_ref();
        let dated = thing
            .facts
            .iter()
            .filter(|told| told.fact.changed.is_some())
            .max_by_key(|told| told.fact.changed);
        let changed = dated.and_then(|told| told.fact.changed);
        let clock = match dated {
            Some(told) => told.fact.clock.clone(),
            None => thing
                .facts
                .iter()
                .map(|told| told.fact.clock.as_str())
                .find(|clock| !clock.is_empty())
                .unwrap_or("nothing states when it was made or changed")
                .to_owned(),
        };
        let programs = programs(stated.kind, &stated.command);
        let findings = self.findings_of(thing, stated);
        let mut why = Why::default();
        if !findings.is_empty() {
            why.add(weight::FINDING, "a finding names it".to_owned());
        }
        let shipped = self.known(stated, &programs, &mut why);
        self.signs(stated, &programs, shipped, &mut why);
        let campaigns = self.time(changed, shipped, &mut why);
        let is_old = changed.is_some() && campaigns.is_empty();
        let strikes = why.weight >= weight::OPEN_FOLDER;
        if why.sentences.is_empty()
            || (is_old && !strikes)
            || (shipped && campaigns.is_empty() && !strikes)
        {
            return None;
        }
        self.files(stated.kind, &programs, shipped, &mut why);
        if thing.facts.iter().all(|told| told.is_event) {
            let text = "only events tell of it: whether it is still there was not seen";
            why.add(0, text.to_owned());
        } else if !shipped {
            why.weight += weight::STATED;
        }
        let mut places: Vec<Place> = thing.facts.iter().map(|told| told.place.clone()).collect();
        places.sort();
        places.dedup();
        places.truncate(PLACES_MAX);
        let author = thing
            .facts
            .iter()
            .map(|told| told.fact.author.as_str())
            .find(|author| !author.is_empty())
            .unwrap_or_default();
        let entry = PersistenceEntry {
            kind: stated.kind,
            name: stated.name.clone(),
            runs: stated.command.clone(),
            changed,
            clock,
            author: author.to_owned(),
            shipped,
            campaigns,
            why: why.sentences,
            findings,
            places,
        };
        Some((why.weight, entry))
    }

    /// Ids of findings at the thing's own place, or that name it as a foothold.
    fn findings_of(&self, thing: &Thing<'_>, stated: &Persistence) -> Vec<String> {
        let name = stated.name.to_lowercase();
        let command = stated.command.to_lowercase();
        let at_its_place = thing
            .facts
            .iter()
            .filter_map(|told| self.by_place.get(told.place));
        let named = self.footholds.iter().filter_map(|(path, ids)| {
            // A name of a few letters stands in many commands.
            let is_run = path.contains('\\') && command.contains(path.as_str());
            (*path == name || is_run).then_some(ids)
        });
        let mut ids: Vec<String> = at_its_place
            .chain(named)
            .flatten()
            .map(|id| (*id).to_owned())
            .collect();
        ids.sort();
        ids.dedup();
        ids.truncate(PLACES_MAX);
        ids
    }

    /// Whether a table knows the thing under its name and with what it runs.
    fn known(&self, stated: &Persistence, programs: &[String], why: &mut Why) -> bool {
        match self.review.shipped(stated.kind, &stated.name, programs) {
            Shipped::Yes(_) => true,
            Shipped::OtherProgram(row) => {
                why.add(
                    weight::OTHER_PROGRAM,
                    format!(
                        "{} ships something of this name, which does not run this",
                        row.product
                    ),
                );
                false
            }
            Shipped::No => {
                why.add(
                    weight::UNKNOWN,
                    "no table of what Windows and the known products ship has its name".to_owned(),
                );
                false
            }
        }
    }

    fn signs(&self, stated: &Persistence, programs: &[String], shipped: bool, why: &mut Why) {
        if matches!(
            stated.kind,
            PersistenceKind::Account | PersistenceKind::GroupMembership
        ) {
            let command = &stated.command;
            if command.contains(account_state::ACTS_AS_ANOTHER) {
                let text = "Windows signs it in as another account than its own number says";
                why.add(weight::ACTS_AS_ANOTHER, text.to_owned());
            }
            if command.contains(account_state::ADMINISTRATOR) && !shipped {
                let text = format!("it is {}", account_state::ADMINISTRATOR);
                why.add(weight::ADMINISTRATOR, text);
            }
            return;
        }
        let signs = &self.review.signs;
        let holds = |text: &str, words: &[String]| {
            words
                .iter()
                .find(|word| text.contains(word.as_str()))
                .cloned()
        };
        let command = stated.command.to_lowercase().replace(" /", " -");
        // Arguments count too: what a script host is given lies there.
        let expanded = derive::expand(&stated.command)
            .to_lowercase()
            .replace('/', "\\");
        let open = programs
            .iter()
            .map(String::as_str)
            .chain([expanded.as_str()])
            .filter(|path| holds(path, &signs.closed_folders).is_none())
            .find_map(|path| holds(path, &signs.open_folders));
        if let Some(folder) = open
            && !shipped
        {
            why.add(
                weight::OPEN_FOLDER,
                format!("what it runs lies below {folder}, where users, services or the web server write"),
            );
        }
        if let Some(word) = holds(&command, &signs.encoded) {
            why.add(
                weight::ENCODED,
                format!(
                    "its command holds `{}`, as encoded or fetched commands do",
                    word.trim()
                ),
            );
        }
        let host = programs.iter().find_map(|program| {
            let name = model::file_name(program);
            let stem = name.split('.').next().unwrap_or(name);
            let known = signs.script_hosts.iter().find(|host| *host == stem);
            known.cloned()
        });
        if let Some(host) = host
            && !shipped
        {
            why.add(
                weight::SCRIPT_HOST,
                format!("it starts {host}, which runs whatever it is given"),
            );
        }
    }

    /// Campaigns in or after whose time the thing was made or changed.
    fn time(&self, changed: Option<model::Timestamp>, shipped: bool, why: &mut Why) -> Vec<String> {
        let Some(changed) = changed else {
            if !shipped {
                why.add(weight::UNDATED, "nothing dates it".to_owned());
            }
            return Vec::new();
        };
        let mut campaigns = Vec::new();
        let (mut inside, mut after) = (Vec::new(), Vec::new());
        for window in self.windows.iter().filter(|window| window.from <= changed) {
            campaigns.push(window.campaign.clone());
            if changed < window.until {
                inside.push(window.campaign.as_str());
            } else {
                after.push(window.campaign.as_str());
            }
        }
        if !inside.is_empty() {
            let text = format!(
                "made or changed while {} could have come in",
                inside.join(" and ")
            );
            why.add(weight::IN_WINDOW, text);
        }
        if !after.is_empty() {
            let text = format!(
                "made or changed after the time in which {} could have come in",
                after.join(" and ")
            );
            why.add(weight::AFTER_WINDOW, text);
        }
        campaigns
    }

    /// That nobody could look at what is run.
    fn files(&self, kind: PersistenceKind, programs: &[String], shipped: bool, why: &mut Why) {
        let runs_files = !matches!(
            kind,
            PersistenceKind::Account | PersistenceKind::GroupMembership
        );
        if !runs_files || shipped {
            return;
        }
        let is_unseen =
            |program: &String| program.get(1..3) == Some(":\\") && !self.files.contains(program);
        if programs.iter().any(is_unseen) {
            why.add(
                weight::FILE_NOT_SEEN,
                "what it runs is not in the latest collection, so nobody looked at it".to_owned(),
            );
        }
    }
}

/// Reasons, the heaviest first as they are asked for.
#[derive(Default)]
struct Why {
    weight: u32,
    sentences: Vec<String>,
}

impl Why {
    fn add(&mut self, weight: u32, sentence: String) {
        self.weight += weight;
        self.sentences.push(sentence);
    }
}

/// The programs and libraries that a command runs, as lower-case paths; members of a group as they are.
fn programs(kind: PersistenceKind, command: &str) -> Vec<String> {
    let command = command.to_lowercase();
    let parts: Vec<&str> = match kind {
        PersistenceKind::Account => Vec::new(),
        PersistenceKind::GroupMembership => command.split(", ").collect(),
        PersistenceKind::ScheduledTask => command.split("; ").collect(),
        PersistenceKind::Service => match command.split_once(" (servicedll ") {
            Some((image, library)) => vec![image, library.trim_end_matches(')')],
            None => vec![command.as_str()],
        },
        _ => vec![command.as_str()],
    };
    parts
        .into_iter()
        .map(|part| program(part.trim()))
        .filter(|program| !program.is_empty())
        .collect()
}

/// The program at the beginning of a command, as Windows finds it.
fn program(command: &str) -> String {
    let path = if let Some(quoted) = command.strip_prefix('"') {
        quoted.split('"').next().unwrap_or_default()
    } else {
        let end = PROGRAM_ENDINGS
            .iter()
            .filter_map(|ending| {
                let at = command.find(ending)? + ending.len();
                let ends = command[at..].chars().next();
                ends.is_none_or(|next| next.is_whitespace() || next == ',' || next == '"')
                    .then_some(at)
            })
            .min();
        match end {
            Some(end) => &command[..end],
            // A COM class stands with its word, and other things without an ending as a whole.
            None if command.starts_with("com {") => command,
            None => command.split_whitespace().next().unwrap_or_default(),
        }
    };
    let path = path.trim_start_matches("\\??\\");
    let path = if let Some(below) = path.strip_prefix("\\systemroot\\") {
        format!("c:\\windows\\{below}")
    } else if path.starts_with("system32\\") {
        format!("c:\\windows\\{path}")
    } else {
        derive::expand(path).to_lowercase()
    };
    let path = FOLDERS
        .iter()
        .find_map(|(variable, folder)| Some(format!("{folder}{}", path.strip_prefix(variable)?)))
        .unwrap_or(path);
    path.replace('/', "\\")
}

/// How far each kind was seen. Whoever is no host of a product has none of its kinds.
fn coverage_of(
    knowledge: &Knowledge<'_>,
    observed: &Observed,
    counts: &BTreeMap<PersistenceKind, u64>,
) -> Vec<ReviewCoverage> {
    let products = derive::products_seen(observed);
    knowledge
        .review
        .kinds
        .iter()
        .filter(|reviewed| {
            let of_products = &reviewed.products;
            of_products.is_empty()
                || products.is_empty()
                || of_products.iter().any(|id| products.contains(id.as_str()))
        })
        .map(|reviewed| {
            let entries = counts.get(&reviewed.kind).copied().unwrap_or_default();
            kind_coverage(reviewed, observed, entries)
        })
        .collect()
}

fn kind_coverage(reviewed: &ReviewedKind, observed: &Observed, entries: u64) -> ReviewCoverage {
    let mut missing = Vec::new();
    let mut there = 0;
    for wanted in &reviewed.sources {
        let Some(latest) = observed.collections.last() else {
            missing.push(format!("no collection: {}", wanted.without));
            continue;
        };
        if !holds(latest, &wanted.source) {
            missing.push(format!(
                "{} is not in the latest collection: {}",
                wanted.source, wanted.without
            ));
            continue;
        }
        there += 1;
        let faults: Vec<_> = observed
            .gaps
            .iter()
            .filter(|gap| gap.place.collection == latest.id && gap.kind != GapKind::TimeHole)
            .filter(|gap| {
                gap.source
                    .as_ref()
                    .is_some_and(|source| source.as_str() == wanted.source)
            })
            .filter(|gap| !coverage::files::is_unflushed(gap, latest))
            .collect();
        if let Some(first) = faults.first() {
            missing.push(format!(
                "{} was not read wholly ({} of its parts, for example: {})",
                wanted.source,
                faults.len(),
                first.detail
            ));
        }
    }
    let seen = match (there, missing.is_empty()) {
        (0, _) => SeenState::NotCollected,
        (_, true) => SeenState::Seen,
        (_, false) => SeenState::Partial,
    };
    ReviewCoverage {
        kind: reviewed.kind,
        title: reviewed.title.clone(),
        seen,
        entries,
        missing,
        collect: reviewed.collect.clone(),
    }
}

fn holds(collection: &CollectionSeen, source: &str) -> bool {
    collection.items.iter().any(|item| {
        item.source
            .as_ref()
            .is_some_and(|known| known.as_str() == source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_windows_finds_them() {
        let of = |kind, command: &str| programs(kind, command).join(" | ");
        let service = |command: &str| of(PersistenceKind::Service, command);
        assert_eq!(
            service(r#""C:\Program Files\X Y\a.exe" -k"#),
            r"c:\program files\x y\a.exe"
        );
        assert_eq!(
            service(r"C:\Program Files\X Y\a.exe -k b.exe"),
            r"c:\program files\x y\a.exe"
        );
        assert_eq!(
            service(r"%SystemRoot%\System32\svchost.exe -k x (ServiceDll C:\a\b.dll)"),
            r"c:\windows\system32\svchost.exe | c:\a\b.dll"
        );
        assert_eq!(
            service(r"\SystemRoot\system32\drivers\a.sys"),
            r"c:\windows\system32\drivers\a.sys"
        );
        assert_eq!(
            of(
                PersistenceKind::ScheduledTask,
                r"C:\a.exe /x; COM {42} data"
            ),
            r"c:\a.exe | com {42} data"
        );
        assert_eq!(of(PersistenceKind::RunKey, ""), "");
    }
}
