//! Rare pages of web logs: asked for by few, late, and with success only.

use super::{DAY_SECONDS, Draft, Drafts, Ground};
use crate::words;
use model::report::Reason;
use model::{Fact, FactAt, Named, Place, SourceName, Timestamp, WebPage};
use pack::LeadSignal;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Extensions of files that a web server hands out as they are.
const STATIC_EXTENSIONS: [&str; 18] = [
    "png", "jpg", "jpeg", "gif", "ico", "bmp", "svg", "webp", "css", "js", "map", "txt", "htm",
    "html", "woff", "woff2", "ttf", "pdf",
];

/// All logs of one site.
#[derive(Default)]
struct Site {
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    files: usize,
    /// Clients of all its pages, as far as pages name theirs.
    clients: BTreeSet<String>,
    /// Whether any of its pages has more clients than are named.
    crowded: bool,
    /// Whether its log writes referrers and user agents at all.
    referrers: bool,
    agents: bool,
    /// Paths that name no script, by application.
    handlers: BTreeMap<String, usize>,
}

/// One page over all logs of its site.
struct Seen {
    page: WebPage,
    /// Log files that show it.
    files: usize,
    first_place: Place,
    last_place: Place,
}

/// Adds every rare page, and says what was not looked at.
pub(super) fn find(ground: &Ground<'_>, drafts: &mut Drafts) -> Vec<Reason> {
    let facts = once(ground);
    let mut sites = sites(ground);
    let seen = joined(&facts, &mut sites);
    let mut notices = Vec::new();
    for seen in &seen {
        if let Some(site) = sites.get(&seen.page.source) {
            page(ground, site, seen, drafts);
        }
    }
    let handlers_max = ground.table.limits.handlers_of_application.value as usize;
    for (source, site) in &sites {
        for (application, paths) in &site.handlers {
            if *paths > handlers_max {
                notices.push(Reason {
                    text: format!(
                        "{source} shows {paths} paths below {application} that name no script and took what was handed \
                         over; they are names that an application makes up, and were not looked at one by one"
                    ),
                    places: Vec::new(),
                });
            }
        }
    }
    notices
}

/// Pages of each log file once, of the latest collection that holds the file: collections of one host overlap.
fn once<'a>(ground: &Ground<'a>) -> Vec<(&'a WebPage, &'a FactAt)> {
    let order: BTreeMap<&str, usize> = ground
        .observed
        .collections
        .iter()
        .enumerate()
        .map(|(number, collection)| (collection.id.as_str(), number))
        .collect();
    let number = |known: &FactAt| order.get(known.place.collection.as_str()).copied();
    let pages = || {
        let facts = ground.observed.facts.iter();
        facts.filter_map(|known| match &known.fact {
            Fact::WebPage(page) => Some((page, known)),
            _ => None,
        })
    };
    let mut latest: BTreeMap<&str, Option<usize>> = BTreeMap::new();
    for (_, known) in pages() {
        let held = latest.entry(&known.place.item).or_default();
        *held = (*held).max(number(known));
    }
    pages()
        .filter(|(_, known)| {
            latest
                .get(known.place.item.as_str())
                .is_some_and(|held| *held == number(known))
        })
        .collect()
}

/// The sites with the spans of their logs.
fn sites(ground: &Ground<'_>) -> BTreeMap<SourceName, Site> {
    let mut sites: BTreeMap<SourceName, Site> = BTreeMap::new();
    let mut counted = BTreeSet::new();
    for known in &ground.observed.facts {
        let Fact::LogFile(log) = &known.fact else {
            continue;
        };
        let site = sites.entry(log.source.clone()).or_default();
        site.first = [site.first, log.first].into_iter().flatten().min();
        site.last = [site.last, log.last].into_iter().flatten().max();
        if log.records > 0 && counted.insert(known.place.item.as_str()) {
            site.files += 1;
        }
    }
    sites
}

/// Adds up each page over its logs, and what its site shows as a whole.
fn joined(facts: &[(&WebPage, &FactAt)], sites: &mut BTreeMap<SourceName, Site>) -> Vec<Seen> {
    let mut joined: BTreeMap<(&SourceName, bool, &str), Seen> = BTreeMap::new();
    for (page, known) in facts {
        let site = sites.entry(page.source.clone()).or_default();
        site.crowded |= page.clients.more;
        site.clients.extend(page.clients.texts.iter().cloned());
        site.referrers |= page.referred > 0;
        let agents = &page.agents;
        site.agents |= agents.more || agents.texts.iter().any(|agent| !agent.is_empty());
        let last_place = Place {
            line: page.last_line.or(known.place.line),
            ..known.place.clone()
        };
        let key = (&page.source, page.script, page.path.as_str());
        let Some(seen) = joined.get_mut(&key) else {
            joined.insert(
                key,
                Seen {
                    page: (*page).clone(),
                    files: 1,
                    first_place: known.place.clone(),
                    last_place,
                },
            );
            continue;
        };
        seen.files += 1;
        if (page.first, &known.place) < (seen.page.first, &seen.first_place) {
            seen.first_place = known.place.clone();
        }
        if (page.last, &last_place) > (seen.page.last, &seen.last_place) {
            seen.last_place = last_place;
        }
        seen.page.merge(page);
    }
    let seen: Vec<Seen> = joined.into_values().collect();
    for seen in seen.iter().filter(|seen| !seen.page.script) {
        if let Some(site) = sites.get_mut(&seen.page.source) {
            let application = application(&seen.page.path);
            *site.handlers.entry(application.to_owned()).or_default() += 1;
        }
    }
    seen
}

/// The first component of a URL path.
fn application(path: &str) -> &str {
    let rest = path.strip_prefix('/').unwrap_or(path);
    let end = rest.find('/').map_or(path.len(), |at| at + 1);
    path.get(..end).unwrap_or(path)
}

/// Whether only the server itself asked: its own probes.
fn is_own(clients: &Named) -> bool {
    let is_loopback = |text: &String| {
        let address = text.parse::<IpAddr>();
        address.is_ok_and(|address| address.to_canonical().is_loopback())
    };
    !clients.more && !clients.texts.is_empty() && clients.texts.iter().all(is_loopback)
}

/// Where a page lies on disk. What names no script may be the root of an application itself.
fn own_path(ground: &Ground<'_>, page: &WebPage) -> Option<String> {
    if page.script {
        return ground.own_path(&page.source, &page.path);
    }
    let below = format!("{}/", page.path.trim_end_matches('/'));
    let path = ground.own_path(&page.source, &below)?;
    Some(path.trim_end_matches('\\').to_owned())
}

/// The signs of one page.
fn page(ground: &Ground<'_>, site: &Site, seen: &Seen, drafts: &mut Drafts) {
    let limits = &ground.table.limits;
    let page = &seen.page;
    let own_path = own_path(ground, page);
    if !page.script {
        let application = application(&page.path);
        let paths = site.handlers.get(application).copied().unwrap_or(0);
        if paths > limits.handlers_of_application.value as usize {
            return;
        }
    }
    let mut draft = Draft {
        kind: "page",
        subject: page.path.clone(),
        first: Some(page.first),
        last: Some(page.last),
        requests: page.answered.saturating_add(page.failed),
        clients: page.clients.clone(),
        ..Draft::default()
    };
    let is_rare = askers(ground, site, page, &mut draft) | times(ground, site, seen, &mut draft);
    if !is_rare {
        return;
    }
    manners(site, page, &mut draft);
    draft.place(&seen.first_place);
    draft.place(&seen.last_place);
    match &own_path {
        Some(path) if page.script => {
            draft.is_explained = ground.ships_page(&page.path);
            if !draft.is_explained || ground.site.holds(path) {
                ground.judge_shipped(path, &mut draft);
                draft.is_explained &= !draft.signals.contains_key(&LeadSignal::ChangedContent);
            }
            if !draft.is_explained {
                ground.judge_folder(path, &mut draft);
                gone(ground, page, path, &mut draft);
            }
        }
        _ if page.script => draft.is_explained = ground.ships_page(&page.path),
        _ => {
            let is_static = STATIC_EXTENSIONS.contains(&&*model::extension(&page.path));
            if is_static {
                let text = format!(
                    "{} handed something over to it and were answered, although its name is that of a file",
                    requests(page.posted)
                );
                draft.add(LeadSignal::Disguised, text);
            }
            // What answers below a product's folder without the name of a script is an interface of the product.
            let is_products = own_path
                .as_ref()
                .is_none_or(|path| ground.site.relative(&format!("{path}\\")).is_some());
            draft.is_explained = is_products && !is_static;
        }
    }
    draft.file = own_path.as_deref().map(|path| ground.spelled(path));
    let key = own_path.unwrap_or_else(|| format!("{} {}", page.source, page.path));
    // Two URL paths of one file are one page; the more telling one is kept.
    let known = drafts.0.get(&key);
    if known.is_none_or(|known| known.signals.len() < draft.signals.len()) {
        drafts.0.insert(key, draft);
    }
}

fn requests(count: u64) -> String {
    words::counted(usize::try_from(count).unwrap_or(usize::MAX), "request")
}

/// Who asked. Says whether they are few.
fn askers(ground: &Ground<'_>, site: &Site, page: &WebPage, draft: &mut Draft) -> bool {
    let limits = &ground.table.limits;
    let few = limits.few_clients.value as usize;
    let has_many = site.crowded || site.clients.len() >= limits.site_clients.value as usize;
    let Some(count) = page.clients.count() else {
        return false;
    };
    if count == 0 || count > few || !has_many || is_own(&page.clients) {
        return false;
    }
    let all = requests(page.answered.saturating_add(page.failed));
    let names: Vec<&str> = page.clients.texts.iter().map(String::as_str).collect();
    let names = names.join(", ");
    if count > 1 {
        let text = format!("only {count} clients ever asked for it ({names}; {all})");
        draft.add(LeadSignal::FewClients, text);
        return true;
    }
    let text = format!("only one client ever asked for it ({names}; {all})");
    draft.add(LeadSignal::OneClient, text);
    if page.posted > 0 {
        let text = format!(
            "{} handed something over to it, and nobody else did",
            requests(page.posted)
        );
        draft.add(LeadSignal::PostedByOne, text);
    }
    true
}

/// When it was asked for. Says whether that is rare.
fn times(ground: &Ground<'_>, site: &Site, seen: &Seen, draft: &mut Draft) -> bool {
    let limits = &ground.table.limits;
    let page = &seen.page;
    let days = |from: Timestamp, until: Timestamp| {
        (until.as_second() - from.as_second()).div_euclid(DAY_SECONDS)
    };
    let mut is_rare = false;
    if let (Some(first), Some(last)) = (site.first, site.last) {
        let covered = days(first, last);
        let after = days(first, page.first);
        let is_long = covered >= i64::from(limits.log_days.value);
        if is_long && after >= i64::from(limits.late_days.value) {
            let text = format!(
                "first answered {}, {} after the log begins, which covers {}",
                words::minute(page.first),
                counted_days(after),
                counted_days(covered)
            );
            draft.add(LeadSignal::LateInLog, text);
        }
        if let Some(update) = ground.update_before(page.first)
            && days(first, update) >= i64::from(limits.before_update_days.value)
        {
            let text = format!(
                "first answered {} after the update of {}; the log shows nothing of it in the {} before",
                words::duration(page.first.as_second() - update.as_second()),
                words::day(update),
                counted_days(days(first, update))
            );
            draft.add(LeadSignal::AfterUpdate, text);
        }
    }
    let percent = limits.rare_file_percent.value as usize;
    if site.files >= limits.log_files.value as usize && seen.files * 100 <= site.files * percent {
        let text = format!("in {} of {} log files", seen.files, site.files);
        draft.add(LeadSignal::FewLogFiles, text);
        is_rare = true;
    }
    if let Some(missed) = page.missed_first.filter(|missed| *missed < page.first) {
        let text = format!(
            "not there when it was asked for at {}; answered from {} on",
            words::minute(missed),
            words::minute(page.first)
        );
        draft.add(LeadSignal::MissedBefore, text);
    }
    is_rare
}

fn counted_days(days: i64) -> String {
    words::counted(usize::try_from(days).unwrap_or(0), "day")
}

/// How it was asked for.
fn manners(site: &Site, page: &WebPage, draft: &mut Draft) {
    if site.referrers && page.referred == 0 {
        let text = "no request names a page that led to it";
        draft.add(LeadSignal::NoReferrer, text.to_owned());
    }
    if site.agents && page.agents.count() == Some(1) {
        let agent = page.agents.texts.first().map_or("", String::as_str);
        let text = if agent.is_empty() {
            "whoever asked names no program".to_owned()
        } else {
            format!("only one program asks for it: {agent}")
        };
        draft.add(LeadSignal::OneAgent, text);
    }
    if page.answered > 0 && page.failed == 0 && page.missed == 0 {
        let text = "nobody ever asked for it in vain";
        draft.add(LeadSignal::OnlySuccess, text.to_owned());
    }
}

/// Whether it answered and is not there any more.
fn gone(ground: &Ground<'_>, page: &WebPage, path: &str, draft: &mut Draft) {
    if page.answered > 0 && !ground.site.holds(path) && ground.site.looked_near(path) {
        let text = format!(
            "answered until {}, and the latest collection holds its folder but not the file",
            words::minute(page.last)
        );
        draft.add(LeadSignal::Gone, text);
    }
}
