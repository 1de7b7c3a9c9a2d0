//! Findings, facts and gaps that no single item shows, only several together.
//!
//! A compiled page whose source is gone, a page that answered and was not collected, a script file that the vendor does
//! not ship: each joins files with configuration, web logs and the table of shipped files.

use crate::{Knowledge, compromise};
use model::{
    Build, BuildSeen, CollectionSeen, CompiledPage, Fact, FactAt, Finding, Foothold, FootholdKind,
    FootholdState, Gap, GapKind, ItemSeen, Observed, Place, SourceName, Stage, VirtualDirectory,
    WebAccess,
};
use pack::shipped_files::{self, Answer};
use std::collections::{BTreeMap, BTreeSet};

/// The source that coverage computes from the web server's folders.
pub(crate) const WEB_ROOTS: &str = "files:web_roots";

/// A folder and so many above it may have vanished with the last file in them.
pub(crate) const EMPTY_FOLDERS_MAX: usize = 4;

/// Gaps of one kind that are told one by one; more are summed up.
const SINGLE_GAPS_MAX: usize = 50;

/// Adds to `observed` what follows from several items together.
pub fn derived_findings(knowledge: &Knowledge<'_>, observed: &mut Observed) {
    let Some(latest) = observed.collections.last() else {
        return;
    };
    let site = WebSite::new(knowledge, observed, latest);
    let accounted = accounted_pages(&site, observed);
    let mut findings = Vec::new();
    let mut gaps = Vec::new();
    for known in &observed.facts {
        match &known.fact {
            Fact::CompiledPage(page) => {
                compiled_page(&site, page, &known.place, &mut findings, &mut gaps);
            }
            Fact::WebAccess(access) => {
                answered_page(&site, &accounted, access, &known.place, &mut gaps);
            }
            _ => {}
        }
    }
    served_open_folders(observed, &mut findings);
    let used = used_shells(&site, observed, &findings);
    findings.extend(used);
    unlisted_scripts(&site, observed, &mut gaps);
    let facts = builds_by_hash(&site);
    observed.findings.extend(findings);
    observed.gaps.extend(bounded(gaps));
    observed.facts.extend(facts);
    observed.facts.sort();
    observed.facts.dedup();
}

/// The web server of a host, as its configuration, files and the shipped-file tables describe it.
pub(crate) struct WebSite<'a> {
    pub(crate) knowledge: &'a Knowledge<'a>,
    pub(crate) latest: &'a CollectionSeen,
    pub(crate) directories: Vec<&'a VirtualDirectory>,
    /// Lower-case paths of the latest collection's items.
    pub(crate) items: BTreeMap<String, &'a ItemSeen>,
    /// Lower-case folders that hold at least one item.
    folders: BTreeSet<String>,
    /// Install folders in lower case, with the product's id.
    installs: Vec<(String, String)>,
}

impl<'a> WebSite<'a> {
    pub(crate) fn new(
        knowledge: &'a Knowledge<'a>,
        observed: &'a Observed,
        latest: &'a CollectionSeen,
    ) -> Self {
        let items: BTreeMap<String, &ItemSeen> = latest
            .items
            .iter()
            .map(|item| (item.path.to_lowercase(), item))
            .collect();
        let folders = items
            .keys()
            .map(|path| model::parent(path).to_owned())
            .collect();
        Self {
            knowledge,
            latest,
            directories: virtual_directories(observed, latest),
            installs: install_folders(knowledge, observed, &items),
            items,
            folders,
        }
    }

    /// Where a URL path may lie on disk, by every virtual directory that fits best, in lower case.
    pub(crate) fn physical_paths(&self, url_path: &str) -> Vec<String> {
        physical_paths(&self.directories, url_path)
    }

    /// Where the page lies that this very site serves, in lower case.
    fn own_path(&self, access: &WebAccess) -> Option<String> {
        let id: u32 = access.source.instance()?.parse().ok()?;
        let own: Vec<&VirtualDirectory> = self
            .directories
            .iter()
            .filter(|directory| directory.site_id == id)
            .copied()
            .collect();
        physical_paths(&own, &access.path).into_iter().next()
    }

    /// Whether the vendor ships a file of this name at this place, in any build.
    pub(crate) fn is_shipped_path(&self, physical: &str) -> bool {
        self.relative(physical)
            .is_some_and(|(relative, _)| !self.knowledge.shipped.versions(&relative).is_empty())
    }

    /// The path below the product's install folder, and the product.
    pub(crate) fn relative(&self, path: &str) -> Option<(String, &str)> {
        let path = path.to_lowercase();
        self.installs.iter().find_map(|(folder, product)| {
            let rest = path.strip_prefix(folder.as_str())?;
            rest.starts_with('\\')
                .then(|| (rest.to_owned(), product.as_str()))
        })
    }

    pub(crate) fn holds(&self, physical: &str) -> bool {
        self.items.contains_key(physical)
    }

    /// Whether the collection looked into the folder of this path, or into one above: a folder that holds nothing any
    /// more leaves no trace in a collection of files.
    pub(crate) fn looked_near(&self, physical: &str) -> bool {
        let mut folder = model::parent(physical);
        for _ in 0..EMPTY_FOLDERS_MAX {
            if self.folders.contains(folder) {
                return true;
            }
            folder = model::parent(folder);
        }
        false
    }
}

/// The virtual directories of the latest collection, else of any.
fn virtual_directories<'a>(
    observed: &'a Observed,
    latest: &CollectionSeen,
) -> Vec<&'a VirtualDirectory> {
    let current: Vec<_> = directories(observed)
        .filter(|(place, _)| place.collection == latest.id)
        .map(|(_, directory)| directory)
        .collect();
    if current.is_empty() {
        all_directories(observed)
    } else {
        current
    }
}

/// The virtual directories of every configuration that was read.
pub(crate) fn all_directories(observed: &Observed) -> Vec<&VirtualDirectory> {
    directories(observed)
        .map(|(_, directory)| directory)
        .collect()
}

/// The same, each with the place that states it.
pub(crate) fn directories(
    observed: &Observed,
) -> impl Iterator<Item = (&Place, &VirtualDirectory)> {
    observed.facts.iter().filter_map(|known| match &known.fact {
        Fact::VirtualDirectory(directory) => Some((&known.place, directory)),
        _ => None,
    })
}

/// Maps a URL path to lower-case Windows paths through the longest matching virtual directory of each site.
///
/// What follows a script's name is path info for the script, not part of the file's path.
pub(crate) fn physical_paths(directories: &[&VirtualDirectory], url_path: &str) -> Vec<String> {
    let url = without_path_info(&url_path.to_lowercase().replace('\\', "/"));
    let mut best: BTreeMap<u32, (usize, String)> = BTreeMap::new();
    for directory in directories {
        let root = directory.url_path.trim_end_matches('/').to_lowercase();
        let Some(rest) = url.strip_prefix(&root) else {
            continue;
        };
        if !rest.starts_with('/') {
            continue;
        }
        let physical = expand(&directory.physical_path);
        let path = format!(
            "{}{}",
            physical.trim_end_matches('\\'),
            rest.replace('/', "\\")
        );
        let known = best.entry(directory.site_id).or_default();
        if known.1.is_empty() || root.len() > known.0 {
            *known = (root.len(), path.to_lowercase());
        }
    }
    // In order of the sites' ids: the front end comes first.
    let mut paths: Vec<String> = Vec::new();
    for (_, path) in best.into_values() {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// `/ecp/service.svc/getobject` is a request to `/ecp/service.svc`.
fn without_path_info(url: &str) -> String {
    let mut path = String::new();
    for segment in url.split_inclusive('/') {
        path.push_str(segment);
        let name = segment.trim_end_matches('/');
        if shipped_files::is_script(name) {
            return path.trim_end_matches('/').to_owned();
        }
    }
    path
}

/// Windows' own variables in configured paths; every default installation has them so.
pub(crate) fn expand(path: &str) -> String {
    let mut text = model::windows_path(path);
    for (variable, value) in [
        ("%systemdrive%", "C:"),
        ("%systemroot%", "C:\\Windows"),
        ("%windir%", "C:\\Windows"),
    ] {
        if let Some(head) = text.get(..variable.len())
            && head.eq_ignore_ascii_case(variable)
        {
            text = format!("{value}{}", &text[variable.len()..]);
        }
    }
    text
}

/// Ids of the products that anything shows to be on the host.
pub(crate) fn products_seen(observed: &Observed) -> BTreeSet<&str> {
    observed
        .facts
        .iter()
        .filter_map(|known| known.fact.product())
        .collect()
}

/// Install folders that evidence states, else the vendor's usual ones where items lie below them.
fn install_folders(
    knowledge: &Knowledge<'_>,
    observed: &Observed,
    paths: &BTreeMap<String, &ItemSeen>,
) -> Vec<(String, String)> {
    let mut folders: Vec<(String, String)> = observed
        .facts
        .iter()
        .filter_map(|known| match &known.fact {
            Fact::InstallPath(install) => Some((
                install.path.trim_end_matches('\\').to_lowercase(),
                install.product.clone(),
            )),
            _ => None,
        })
        .collect();
    for product in knowledge.products {
        for usual in &product.install_folders {
            let usual = usual.trim_matches('\\').to_lowercase();
            let marker = format!("{usual}\\");
            for path in paths.keys() {
                // Below the drive, or below nothing where the collection kept no drive.
                if let Some(at) = path.find(&marker)
                    && (at == 0 || path[..at].ends_with(":\\"))
                {
                    folders.push((path[..at + usual.len()].to_owned(), product.id.clone()));
                    break;
                }
            }
        }
    }
    folders.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
    folders.dedup();
    folders
}

/// A page was compiled, so it was requested. Where its source is neither shipped nor there, somebody removed it.
fn compiled_page(
    site: &WebSite<'_>,
    page: &CompiledPage,
    place: &Place,
    findings: &mut Vec<Finding>,
    gaps: &mut Vec<Gap>,
) {
    let mut candidates = site.physical_paths(&page.virtual_path);
    candidates.extend(
        page.sources
            .iter()
            .map(|source| expand(source).to_lowercase())
            .filter(|source| source.get(1..2) == Some(":")),
    );
    let url_tail = page.virtual_path.to_lowercase().replace('/', "\\");
    let source_is_there = candidates.iter().any(|path| site.holds(path))
        || site.items.keys().any(|path| path.ends_with(&url_tail));
    if source_is_there || candidates.iter().any(|path| site.is_shipped_path(path)) {
        return;
    }
    let Some(stood_at) = candidates.iter().find(|path| site.looked_near(path)) else {
        gaps.push(
            Gap::new(
                GapKind::Missing,
                place.clone(),
                format!(
                    "the page {} was compiled, but the folder of its source was not collected",
                    page.virtual_path
                ),
            )
            .of_source(SourceName::new(WEB_ROOTS)),
        );
        return;
    };
    findings.push(Finding {
        id: String::new(),
        rule: "analysis/compiled-page-without-source".to_owned(),
        title: "A compiled page outlived its source".to_owned(),
        stage: Some(Stage::Foothold),
        campaign: None,
        level: "high".to_owned(),
        techniques: vec!["T1505.003".to_owned(), "T1070.004".to_owned()],
        time: None,
        last: None,
        count: 1,
        place: place.clone(),
        author: "Allclear".to_owned(),
        reference: "https://learn.microsoft.com/en-us/previous-versions/aspnet/ms366723(v=vs.100)"
            .to_owned(),
        evidence: format!("virtualPath={} assembly={}", page.virtual_path, page.assembly),
        meaning: format!(
            "ASP.NET compiled {}, which the product does not ship; the source is gone from its folder",
            page.virtual_path
        ),
        step: "page_compiled".to_owned(),
        details: BTreeMap::from([("path".to_owned(), page.virtual_path.clone())]),
        foothold: Some(Foothold {
            kind: FootholdKind::WebShell,
            path: display_path(site, stood_at),
            sha256: None,
            state: FootholdState::Unknown,
        }),
    });
}

/// Folders that everybody may write to, or whose name is reserved for a device, so that they hide from most tools.
///
/// Reserved names: <https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file>
fn is_open_or_hidden(folder: &str) -> bool {
    const OPEN: [&str; 4] = [
        ":\\users\\public\\",
        ":\\windows\\temp\\",
        ":\\perflogs\\",
        ":\\$recycle.bin\\",
    ];
    const DEVICES: [&str; 4] = ["aux", "con", "nul", "prn"];
    let folder = format!("{}\\", expand(folder).to_lowercase().trim_end_matches('\\'));
    let is_device = |name: &str| {
        let name = name.split('.').next().unwrap_or(name);
        let numbered = name
            .strip_prefix("com")
            .or_else(|| name.strip_prefix("lpt"));
        DEVICES.contains(&name)
            || numbered.is_some_and(|digit| matches!(digit.as_bytes(), [b'1'..=b'9']))
    };
    OPEN.iter()
        .any(|open| folder.get(1..).is_some_and(|rest| rest.starts_with(open)))
        || folder.split('\\').any(is_device)
}

/// A web server that serves a folder which everybody may write to, or which hides behind a device's name: no
/// administrator sets that up.
fn served_open_folders(observed: &Observed, findings: &mut Vec<Finding>) {
    for (place, directory) in directories(observed) {
        if !is_open_or_hidden(&directory.physical_path) {
            continue;
        }
        findings.push(Finding {
            id: String::new(),
            rule: "analysis/served-open-folder".to_owned(),
            title: "The web server serves a folder that everybody may write to".to_owned(),
            stage: Some(Stage::Foothold),
            campaign: None,
            level: "high".to_owned(),
            techniques: vec!["T1505.004".to_owned()],
            time: None,
            last: None,
            count: 1,
            place: place.clone(),
            author: "Allclear".to_owned(),
            reference: "https://attack.mitre.org/techniques/T1505/004/".to_owned(),
            evidence: format!(
                "path={} physicalPath={}",
                directory.url_path, directory.physical_path
            ),
            meaning: format!(
                "The web server serves {} at {}; whoever can write there runs code on the server",
                directory.physical_path, directory.url_path
            ),
            step: "persistence".to_owned(),
            details: BTreeMap::from([("path".to_owned(), directory.physical_path.clone())]),
            foothold: Some(Foothold {
                kind: FootholdKind::VirtualDirectory,
                path: directory.physical_path.clone(),
                sha256: None,
                state: FootholdState::Present,
            }),
        });
    }
}

/// Answered requests to pages that other findings convict. That a shell answered is no proof that a command ran; it is
/// proof that somebody used it, and says until when.
fn used_shells(site: &WebSite<'_>, observed: &Observed, derived: &[Finding]) -> Vec<Finding> {
    let shells: BTreeMap<String, &Foothold> = observed
        .findings
        .iter()
        .chain(derived)
        .filter(|finding| finding.stage.is_some_and(Stage::proves_effect))
        .filter_map(|finding| finding.foothold.as_ref())
        .filter(|foothold| foothold.kind == FootholdKind::WebShell)
        .map(|foothold| {
            let key = compromise::place_key(&foothold.path, &site.directories);
            (key, foothold)
        })
        // Before it was changed, a page of the vendor answered everybody.
        .filter(|(path, _)| !site.is_shipped_path(path))
        .collect();
    if shells.is_empty() {
        return Vec::new();
    }
    let used = |known: &FactAt| {
        let Fact::WebAccess(access) = &known.fact else {
            return None;
        };
        if !(200..300).contains(&access.status) {
            return None;
        }
        let shell = site
            .physical_paths(&access.path)
            .into_iter()
            .find_map(|path| shells.get(&path))?;
        Some(Finding {
            id: String::new(),
            rule: "analysis/request-to-a-web-shell".to_owned(),
            title: "A web shell was asked and answered".to_owned(),
            stage: Some(Stage::Foothold),
            campaign: None,
            level: "high".to_owned(),
            techniques: vec!["T1505.003".to_owned()],
            time: Some(access.first),
            last: Some(access.last),
            count: access.count,
            place: known.place.clone(),
            author: "Allclear".to_owned(),
            reference: "https://attack.mitre.org/techniques/T1505/003/".to_owned(),
            evidence: format!(
                "{} {} {} from {}",
                access.method, access.path, access.status, access.client
            ),
            meaning: format!(
                "{} answered {} with {}; what ran is not in this log",
                access.path, access.method, access.status
            ),
            step: "shell_request".to_owned(),
            details: BTreeMap::from([
                ("client".to_owned(), access.client.clone()),
                ("path".to_owned(), access.path.clone()),
                ("user_agent".to_owned(), access.user_agent.clone()),
            ]),
            foothold: Some(Foothold {
                state: FootholdState::Unknown,
                sha256: None,
                ..(*shell).clone()
            }),
        })
    };
    observed.facts.iter().filter_map(used).collect()
}

/// Gives a lower-case path the case that configuration or other items use for its folder.
pub(crate) fn display_path(site: &WebSite<'_>, lower: &str) -> String {
    let folder = model::parent(lower);
    let sibling = site
        .items
        .iter()
        .find(|(path, _)| model::parent(path) == folder)
        .map(|(_, item)| model::parent(&item.path).to_owned());
    match sibling {
        Some(folder) => format!("{folder}\\{}", model::file_name(lower)),
        None => lower.to_owned(),
    }
}

/// Lower-case paths of which it is known what stood there: script files that an earlier collection holds, and places
/// that a finding convicts.
fn accounted_pages(site: &WebSite<'_>, observed: &Observed) -> BTreeSet<String> {
    let convicted = observed
        .findings
        .iter()
        .filter(|finding| finding.stage.is_some_and(Stage::proves_effect))
        .filter_map(|finding| finding.foothold.as_ref())
        .map(|foothold| compromise::place_key(&foothold.path, &site.directories));
    observed
        .collections
        .iter()
        .flat_map(|collection| &collection.items)
        .filter(|item| !item.sha256.is_empty() && shipped_files::is_script(&item.path))
        .map(|item| item.path.to_lowercase())
        .chain(convicted)
        .collect()
}

/// A page that answered with success and that the collection does not hold is evidence that something stood there.
fn answered_page(
    site: &WebSite<'_>,
    accounted: &BTreeSet<String>,
    access: &WebAccess,
    place: &Place,
    gaps: &mut Vec<Gap>,
) {
    if !(200..300).contains(&access.status) {
        return;
    }
    let candidates = site.physical_paths(&access.path);
    let own = site.own_path(access);
    let shipped_but_gone = own
        .as_ref()
        .is_some_and(|path| site.is_shipped_path(path) && !site.holds(path));
    let url_tail = without_path_info(&access.path.to_lowercase()).replace('/', "\\");
    let explained = candidates.is_empty()
        || candidates
            .iter()
            .any(|path| accounted.contains(path) || site.holds(path) || site.is_shipped_path(path))
        || site.items.keys().any(|path| path.ends_with(&url_tail));
    if explained && !shipped_but_gone {
        return;
    }
    gaps.push(
        Gap::new(
            GapKind::Missing,
            place.clone(),
            format!(
                "{} answered {} with {} on {}, and the collection does not hold the file",
                access.path,
                access.method,
                access.status,
                crate::words::minute(access.first)
            ),
        )
        .between(Some(access.first), Some(access.last))
        .of_source(SourceName::new(WEB_ROOTS)),
    );
}

/// Script files below the install folder that the vendor does not ship there, or ships otherwise, and that no finding
/// explains: nobody can say what they do.
fn unlisted_scripts(site: &WebSite<'_>, observed: &Observed, gaps: &mut Vec<Gap>) {
    let explained: BTreeSet<&str> = observed
        .findings
        .iter()
        .filter(|finding| finding.place.collection == site.latest.id && finding.stage.is_some())
        .map(|finding| finding.place.item.as_str())
        .collect();
    let builds = builds_of(observed);
    for item in &site.latest.items {
        if !shipped_files::is_script(&item.path) || explained.contains(item.path.as_str()) {
            continue;
        }
        let Some((relative, _)) = site.relative(&item.path) else {
            continue;
        };
        let Some(digest) = digest(&item.sha256) else {
            continue;
        };
        // A server keeps pages of the builds it ran before; each is looked up for every build it is known to have run.
        let mut answers = builds
            .iter()
            .map(|build| site.knowledge.shipped.lookup(*build, &relative, &digest));
        let Some(first) = answers.next() else {
            continue;
        };
        let answer = answers.fold(first, better);
        let detail = match answer {
            Answer::Shipped { .. } | Answer::ShippedInOtherBuild { .. } => continue,
            Answer::NotShipped { path_is_shipped: true, .. } => {
                "the vendor ships other content at this path; what the changed file does is not known"
                    .to_owned()
            }
            Answer::NotShipped { .. } => {
                "the vendor ships no such script file; what it does is not known".to_owned()
            }
            Answer::NotCovered(why) => format!(
                "no table can tell whether this script file is shipped ({why}); add one with --known"
            ),
        };
        gaps.push(
            Gap::new(
                GapKind::NotUnderstood,
                Place::item(&site.latest.id, &item.path),
                detail,
            )
            .of_source(SourceName::new(WEB_ROOTS)),
        );
    }
}

/// The more assuring of two answers.
pub(crate) fn better(a: Answer, b: Answer) -> Answer {
    fn rank(answer: &Answer) -> u8 {
        match answer {
            Answer::Shipped { .. } => 0,
            Answer::ShippedInOtherBuild { .. } => 1,
            Answer::NotShipped { .. } => 2,
            Answer::NotCovered(_) => 3,
        }
    }
    if rank(&b) < rank(&a) { b } else { a }
}

/// Every exact build the host is known to have run; one `None` where there is none.
pub(crate) fn builds_of(observed: &Observed) -> Vec<Option<Build>> {
    let builds: BTreeSet<Build> = observed
        .facts
        .iter()
        .filter_map(|known| match &known.fact {
            Fact::Build(seen) => Some(seen.build),
            _ => None,
        })
        .filter(|build| build.revision.is_some())
        .collect();
    if builds.is_empty() {
        return vec![None];
    }
    builds.into_iter().map(Some).collect()
}

/// Files whose content only one build ships prove that build on disk.
fn builds_by_hash(site: &WebSite<'_>) -> Vec<FactAt> {
    let mut facts = Vec::new();
    for item in &site.latest.items {
        if shipped_files::is_script(&item.path) {
            continue;
        }
        let (Some((relative, product)), Some(digest)) =
            (site.relative(&item.path), digest(&item.sha256))
        else {
            continue;
        };
        let versions = site.knowledge.shipped.versions(&relative);
        let shipped: BTreeSet<Build> = versions
            .iter()
            .filter(|version| version.sha256 == digest)
            .flat_map(|version| version.builds.iter().copied())
            .collect();
        let (Some(build), 1) = (shipped.first(), shipped.len()) else {
            continue;
        };
        facts.push(FactAt {
            fact: Fact::Build(BuildSeen {
                product: product.to_owned(),
                build: *build,
                first: None,
                last: None,
                count: 1,
                rule: format!("file hash of {}", model::file_name(&item.path)),
            }),
            place: Place::item(&site.latest.id, &item.path),
        });
    }
    facts
}

/// The 32 bytes of a digest in hex.
pub(crate) fn digest(hex: &str) -> Option<shipped_files::Sha256> {
    if hex.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (position, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(position * 2..position * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// The first gaps singly, the rest as one that counts them, so that a hostile web root cannot flood the report.
fn bounded(mut gaps: Vec<Gap>) -> Vec<Gap> {
    gaps.sort();
    gaps.dedup();
    let more = gaps.len().saturating_sub(SINGLE_GAPS_MAX);
    if more == 0 {
        return gaps;
    }
    let last = gaps[SINGLE_GAPS_MAX].clone();
    gaps.truncate(SINGLE_GAPS_MAX);
    gaps.push(Gap {
        detail: format!("and {more} more of this kind; the first: {}", last.detail),
        ..last
    });
    gaps
}
