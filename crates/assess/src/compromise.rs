//! Compromise: the stages reached, the footholds, and when.

use crate::derive;
use crate::exposure::{ExposureJudged, latest_taken};
use crate::{speaks_for, story, words};
use model::report::{Compromise, ExposureState, FootholdReport};
use model::{
    CollectionSeen, Finding, FootholdKind, FootholdState, Observed, Stage, Timestamp,
    VirtualDirectory,
};
use pack::Pack;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What an intruder reached on a host, by one campaign.
#[derive(Clone, Debug)]
pub(crate) struct CompromiseJudged {
    pub(crate) report: Compromise,
    /// Ids of every finding that speaks for this campaign.
    pub(crate) findings: Vec<String>,
    /// Leads without a stage that somebody has to look at before anyone says `clear`.
    pub(crate) open_leads: Vec<(String, model::Place)>,
    /// Whether rules of the campaign saw an effect on a host that does not have its product.
    pub(crate) is_elsewhere: bool,
    /// The earliest time of an effect, with its place, for reasons.
    pub(crate) first_effect: Option<(Timestamp, model::Place)>,
}

/// Judges the compromise.
pub(crate) fn compromise(
    pack: &Pack,
    observed: &Observed,
    exposure: &ExposureJudged,
) -> CompromiseJudged {
    let takes_unexplained = takes_unexplained(pack, observed, exposure);
    let directories = derive::all_directories(observed);
    let explained = places_explained_by_others(pack, observed, &directories);
    let is_of_another = |finding: &Finding| {
        let foothold = finding.foothold.as_ref();
        foothold
            .is_some_and(|foothold| explained.contains(&place_key(&foothold.path, &directories)))
    };
    let not_affected = exposure.report.state == ExposureState::NotAffected;
    // Effects that are not of this campaign; nobody calls a host with one clear of anything.
    let mut set_aside = Vec::new();
    let findings: Vec<&Finding> = observed
        .findings
        .iter()
        .filter(|finding| speaks_for(finding, pack))
        .filter(|finding| {
            if finding.campaign.is_none() && (!takes_unexplained || is_of_another(finding)) {
                return false;
            }
            // Intruders of other campaigns do the same on servers of other products, and did before this one began.
            let is_effect = finding.stage.is_some_and(Stage::proves_effect);
            let is_anothers = (not_affected && is_effect)
                || ends_before(finding, observed, pack.manifest.window.from);
            if is_effect && is_anothers {
                set_aside.push(*finding);
            }
            !is_anothers
        })
        .collect();
    let stages: BTreeSet<Stage> = findings
        .iter()
        .filter_map(|finding| finding.stage)
        .collect();
    let stage = stages.last().copied().unwrap_or(Stage::NoneSeen);
    let effects: Vec<&Finding> = findings
        .iter()
        .copied()
        .filter(|finding| finding.stage.is_some_and(Stage::proves_effect))
        .collect();
    let dated = if effects.is_empty() {
        &findings
    } else {
        &effects
    };
    let first = dated.iter().filter_map(|finding| finding.time).min();
    let last = dated
        .iter()
        .filter_map(|finding| finding.last.or(finding.time))
        .max();
    let first_effect = effects
        .iter()
        .filter_map(|finding| Some((finding.time?, finding.place.clone())))
        .min();
    let footholds = footholds(observed, &effects, &directories);
    let story = story::story(pack, observed, exposure, &findings, &footholds);
    let open_leads = observed
        .findings
        .iter()
        .filter(|finding| finding.stage.is_none())
        .filter(|finding| {
            matches!(&*finding.level, "high" | "critical") || may_be_own(finding, pack)
        })
        .chain(set_aside.iter().copied())
        .map(|finding| (finding.title.clone(), finding.place.clone()))
        .collect();
    CompromiseJudged {
        report: Compromise {
            stage,
            stages: stages.into_iter().collect(),
            first,
            last,
            footholds,
            story,
        },
        findings: findings.iter().map(|finding| finding.id.clone()).collect(),
        open_leads,
        is_elsewhere: not_affected && !set_aside.is_empty(),
        first_effect,
    }
}

/// Whether a log that lay with this host's evidence tells of a host by its address only. Nothing says that the address is
/// another's, so nobody may say `clear` before somebody has looked.
fn may_be_own(finding: &Finding, pack: &Pack) -> bool {
    let of_campaign = finding.campaign.as_deref() == Some(pack.manifest.name.as_str());
    let host = finding.details.get("subject");
    of_campaign && host.is_some_and(|host| host.parse::<IpAddr>().is_ok())
}

/// What no pack explains speaks for every campaign whose product is on the host; where no product that anybody knows was
/// seen, for every campaign whose product may be there.
fn takes_unexplained(pack: &Pack, observed: &Observed, exposure: &ExposureJudged) -> bool {
    if exposure.report.state == ExposureState::NotAffected {
        return false;
    }
    let seen = derive::products_seen(observed);
    let mut own = pack.manifest.products.iter();
    seen.is_empty() || own.any(|product| seen.contains(product.as_str()))
}

/// Footholds that a pack of another campaign recognises, and this one's does not: whoever planted them is known.
fn places_explained_by_others(
    pack: &Pack,
    observed: &Observed,
    directories: &[&VirtualDirectory],
) -> BTreeSet<String> {
    let places_of = |is_own: bool| -> BTreeSet<String> {
        let of_campaign = observed.findings.iter().filter(|finding| {
            finding.stage.is_some_and(Stage::proves_effect)
                && finding
                    .campaign
                    .as_deref()
                    .is_some_and(|campaign| (campaign == pack.manifest.name) == is_own)
        });
        of_campaign
            .filter_map(|finding| finding.foothold.as_ref())
            .map(|foothold| place_key(&foothold.path, directories))
            .collect()
    };
    let own = places_of(true);
    places_of(false).difference(&own).cloned().collect()
}

/// Whether what was found had happened before this time: by its own last time, or else by that of its collection.
fn ends_before(finding: &Finding, observed: &Observed, time: Timestamp) -> bool {
    let dated = finding.last.or(finding.time);
    let taken = || {
        let collection = observed
            .collections
            .iter()
            .find(|seen| seen.id == finding.place.collection)?;
        collection.taken
    };
    dated.or_else(taken).is_some_and(|end| end < time)
}

/// Footholds one by one: findings that name the same place are one.
fn footholds(
    observed: &Observed,
    effects: &[&Finding],
    directories: &[&VirtualDirectory],
) -> Vec<FootholdReport> {
    let latest = observed.collections.last();
    let mut by_place: BTreeMap<(FootholdKind, String), Vec<&Finding>> = BTreeMap::new();
    for finding in effects {
        if let Some(foothold) = &finding.foothold {
            let key = (foothold.kind, place_key(&foothold.path, directories));
            by_place.entry(key).or_default().push(finding);
        }
    }
    let by_place = join_names(by_place);
    by_place
        .into_iter()
        .map(|((kind, key), findings)| foothold(observed, latest, kind, &key, &findings))
        .collect()
}

/// One spelling for a place: URL paths become Windows paths where the configuration says how.
pub(crate) fn place_key(path: &str, directories: &[&VirtualDirectory]) -> String {
    if path.starts_with('/')
        && let Some(physical) = derive::physical_paths(directories, path).into_iter().next()
    {
        return physical;
    }
    if path.starts_with('/') {
        return path.to_lowercase();
    }
    unc_to_local(&derive::expand(path).to_lowercase())
}

/// A path through an administrative share names a local drive: `\\host\c$\x` is `c:\x`.
fn unc_to_local(path: &str) -> String {
    let Some(rest) = path.strip_prefix("\\\\") else {
        return path.to_owned();
    };
    let mut parts = rest.splitn(3, '\\');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_host), Some(share), Some(tail)) if share.len() == 2 && share.ends_with('$') => {
            format!("{}:\\{tail}", &share[..1])
        }
        _ => path.to_owned(),
    }
}

type ByPlace<'a> = BTreeMap<(FootholdKind, String), Vec<&'a Finding>>;

/// A log that names only a URL or a file name means the full path that other evidence gives, where there is just one.
fn join_names(by_place: ByPlace<'_>) -> ByPlace<'_> {
    let full: Vec<(FootholdKind, String)> = by_place
        .keys()
        .filter(|(_, key)| key.get(1..3) == Some(":\\"))
        .cloned()
        .collect();
    let mut joined: ByPlace<'_> = BTreeMap::new();
    for ((kind, key), findings) in by_place {
        let tail = format!(
            "\\{}",
            key.trim_start_matches(['/', '\\']).replace('/', "\\")
        );
        let mut matching = full
            .iter()
            .filter(|(known, path)| *known == kind && *path != key && path.ends_with(&tail));
        let target = match (matching.next(), matching.next()) {
            (Some((_, path)), None) if key.get(1..3) != Some(":\\") => path.clone(),
            _ => key,
        };
        joined.entry((kind, target)).or_default().extend(findings);
    }
    joined
}

fn foothold(
    observed: &Observed,
    latest: Option<&CollectionSeen>,
    kind: FootholdKind,
    key: &str,
    findings: &[&Finding],
) -> FootholdReport {
    // The spelling of the finding that saw the file itself comes first.
    let shown = findings
        .iter()
        .filter_map(|finding| finding.foothold.as_ref())
        .min_by_key(|foothold| (foothold.sha256.is_none(), foothold.path.starts_with('/')))
        .map_or_else(|| key.to_owned(), |foothold| foothold.path.clone());
    let path = if shown.to_lowercase() == key || !key.contains('\\') {
        shown
    } else {
        item_spelling(observed, key).unwrap_or_else(|| key.to_owned())
    };
    let sha256 = findings
        .iter()
        .filter_map(|finding| finding.foothold.as_ref()?.sha256.clone())
        .min();
    let (state, reason) = state(latest, key, findings);
    let mut ids: Vec<String> = findings.iter().map(|finding| finding.id.clone()).collect();
    ids.sort();
    ids.dedup();
    FootholdReport {
        kind,
        path,
        sha256,
        state,
        first: findings.iter().filter_map(|finding| finding.time).min(),
        reason,
        findings: ids,
    }
}

fn item_spelling(observed: &Observed, key: &str) -> Option<String> {
    observed
        .collections
        .iter()
        .flat_map(|collection| &collection.items)
        .find(|item| item.path.to_lowercase() == key)
        .map(|item| item.path.clone())
}

/// Present where the latest collection holds it; verified absent where that collection looked into its folder and does
/// not; else nobody can say.
fn state(
    latest: Option<&CollectionSeen>,
    key: &str,
    findings: &[&Finding],
) -> (FootholdState, String) {
    let Some(latest) = latest else {
        return (FootholdState::Unknown, "no collection is dated".to_owned());
    };
    let when = latest
        .taken
        .map_or_else(String::new, |taken| format!(" of {}", words::minute(taken)));
    let seen_there = findings.iter().any(|finding| {
        finding.place.collection == latest.id
            && finding
                .foothold
                .as_ref()
                .is_some_and(|foothold| foothold.state == FootholdState::Present)
    });
    let holds_path = latest
        .items
        .iter()
        .any(|item| item.path.to_lowercase() == key);
    if seen_there || holds_path {
        return (
            FootholdState::Present,
            format!("in the latest collection{when}"),
        );
    }
    // A folder that holds nothing any more leaves no trace in a collection of files; what stands above it does.
    let mut folder = model::parent(key);
    for level in 0..derive::EMPTY_FOLDERS_MAX {
        if !folder.contains('\\') {
            break;
        }
        let held = latest
            .items
            .iter()
            .filter(|item| model::parent(&item.path).to_lowercase() == folder)
            .count();
        if held > 0 {
            let whose = if level == 0 {
                "its folder"
            } else {
                "the nearest folder above that is left"
            };
            return (
                FootholdState::AbsentVerified,
                format!("not among the {held} files of {whose} in the latest collection{when}"),
            );
        }
        folder = model::parent(folder);
    }
    (
        FootholdState::Unknown,
        format!("the latest collection{when} does not hold its folder"),
    )
}

/// From when on footholds were possible: the first possible exploitation.
pub(crate) fn foothold_span(observed: &Observed, exposure: &ExposureJudged) -> Option<model::Span> {
    let entry = exposure.entry?;
    model::Span::new(entry.from, latest_taken(observed)?)
}
