//! Exposure over time: which builds ran when, and what the pack says of them.

use crate::coverage::files::is_unflushed;
use crate::{Knowledge, words};
use model::report::{Exposure, ExposureSpan, ExposureState, Reason};
use model::{Build, BuildSeen, Fact, Observed, Place, RewriteRule, Setup, Span, Timestamp};
use pack::{BuildStatus, Pack, Product};
use std::collections::BTreeMap;

/// Places that a reason names at most.
const PLACES_MAX: usize = 3;

/// The exposure of a host, and what the other judgements take from it.
#[derive(Clone, Debug)]
pub(crate) struct ExposureJudged {
    pub(crate) report: Exposure,
    /// Id of the product in `knowledge/`, where it is on the host.
    pub(crate) product: Option<String>,
    /// When the host came to run fixed builds for good, with the place that shows it.
    pub(crate) patched_at: Option<(Timestamp, Place)>,
    /// The time somebody could come in: inside the campaign's window, while not proven fixed. `None`: never.
    pub(crate) entry: Option<Span>,
    /// Whether file evidence (hash or version of the product's binaries) agrees that the latest build is fixed.
    pub(crate) files_agree: Option<bool>,
    /// Install folder of the product, as evidence gives it.
    pub(crate) install_path: Option<String>,
}

/// A build seen at work.
#[derive(Clone, Debug)]
struct Sighting {
    build: Build,
    product: String,
    first: Timestamp,
    last: Timestamp,
    rule: String,
    place: Place,
}

/// Judges the exposure.
pub(crate) fn exposure(
    pack: &Pack,
    knowledge: &Knowledge<'_>,
    observed: &Observed,
) -> ExposureJudged {
    let install_path = install_path(pack, observed);
    let mut dated = dated_sightings(pack, observed);
    let at_collection = sightings_at_collection(pack, observed);
    let product = dated
        .iter()
        .map(|sighting| &sighting.product)
        .chain(at_collection.iter().map(|seen| &seen.0.product))
        .next()
        .cloned();
    let Some(product) = product else {
        return without_product(pack, knowledge, observed, install_path);
    };

    let status = |build: &Build| pack.status_of(&product, build, knowledge.builds);
    refuse_misdated(pack, &status, &mut dated);
    let history = history(dated);
    let mut spans = spans(&history, &status);
    let name = |build: &Build| build_name(knowledge, &product, build);
    let (state, build, mut basis) = latest_state(&history, &at_collection, &status, &name);
    let files_agree = files_agree(&at_collection, &status);
    let mut state = state;
    if state == ExposureState::Vulnerable
        && let Some(reason) = mitigation(pack, observed)
    {
        state = ExposureState::Mitigated;
        basis.push(reason);
    }
    if let Some(last) = spans.last_mut()
        && last.state != state
        && state != ExposureState::Patched
    {
        // Evidence of the time of collection outweighs a log's last row only for the worse.
        last.state = state;
    }
    if spans.is_empty() {
        spans.push(ExposureSpan {
            state,
            build,
            from: None,
            until: None,
        });
    }
    let patched_at = if state == ExposureState::Patched {
        patched_at(&history, &status)
    } else {
        None
    };
    let entry = entry_span(
        pack,
        observed,
        &history,
        &status,
        state,
        patched_at.as_ref(),
    );
    ExposureJudged {
        report: Exposure {
            state,
            product: build
                .and_then(|build| build_name(knowledge, &product, &build))
                .or_else(|| product_name(knowledge, &product)),
            build,
            spans,
            basis,
        },
        product: Some(product),
        patched_at,
        entry,
        files_agree,
        install_path,
    }
}

fn build_name(knowledge: &Knowledge<'_>, product: &str, build: &Build) -> Option<String> {
    knowledge.builds.name_of(product, build).map(str::to_owned)
}

fn product_name(knowledge: &Knowledge<'_>, id: &str) -> Option<String> {
    let product = knowledge.products.iter().find(|product| product.id == id)?;
    Some(product.name.clone())
}

fn install_path(pack: &Pack, observed: &Observed) -> Option<String> {
    observed
        .facts
        .iter()
        .rev()
        .find_map(|known| match &known.fact {
            Fact::InstallPath(install) if pack.manifest.products.contains(&install.product) => {
                Some(install.path.trim_end_matches('\\').to_owned())
            }
            _ => None,
        })
}

/// Builds that evidence dates: rows of logs and finished setups.
fn dated_sightings(pack: &Pack, observed: &Observed) -> Vec<Sighting> {
    let mut sightings: Vec<Sighting> = observed
        .facts
        .iter()
        .filter_map(|known| match &known.fact {
            Fact::Build(BuildSeen {
                product,
                build,
                first: Some(first),
                last,
                rule,
                ..
            }) if pack.manifest.products.contains(product) => Some(Sighting {
                build: *build,
                product: product.clone(),
                first: *first,
                last: last.unwrap_or(*first),
                rule: rule.clone(),
                place: known.place.clone(),
            }),
            Fact::Setup(Setup {
                product,
                build,
                time,
                mode,
                succeeded,
                ..
            }) if pack.manifest.products.contains(product)
                && *succeeded == Some(true)
                && mode != "uninstall" =>
            {
                Some(Sighting {
                    build: *build,
                    product: product.clone(),
                    first: *time,
                    last: *time,
                    rule: "setup log".to_owned(),
                    place: known.place.clone(),
                })
            }
            _ => None,
        })
        .collect();
    sightings.sort_by(|a, b| {
        (a.first, a.last, a.build, &a.place).cmp(&(b.first, b.last, b.build, &b.place))
    });
    sightings
}

/// A fixed build cannot have run before the fix was published: such a row is misdated, and says nothing about when.
fn refuse_misdated(
    pack: &Pack,
    status: &dyn Fn(&Build) -> BuildStatus,
    sightings: &mut Vec<Sighting>,
) {
    let published = pack.manifest.window.fixed;
    sightings.retain_mut(|sighting| {
        if sighting.first >= published || status(&sighting.build) != BuildStatus::Fixed {
            return true;
        }
        sighting.first = published;
        sighting.last >= published
    });
    sightings.sort_by_key(|sighting| (sighting.first, sighting.last, sighting.build));
}

/// Builds of the latest collection that carry no time of their own: registry and files.
fn sightings_at_collection<'a>(pack: &Pack, observed: &'a Observed) -> Vec<(BuildSeen, &'a Place)> {
    let Some(latest) = observed.collections.last() else {
        return Vec::new();
    };
    observed
        .facts
        .iter()
        .filter(|known| known.place.collection == latest.id)
        .filter_map(|known| match &known.fact {
            Fact::Build(seen)
                if seen.first.is_none() && pack.manifest.products.contains(&seen.product) =>
            {
                let mut seen = seen.clone();
                if seen.rule.contains("registry") {
                    // A security update leaves the Setup key at the cumulative update's own build.
                    seen.build.revision = None;
                }
                Some((seen, &known.place))
            }
            _ => None,
        })
        .collect()
}

/// Consecutive sightings of one build joined.
fn history(sightings: Vec<Sighting>) -> Vec<Sighting> {
    let mut joined: Vec<Sighting> = Vec::new();
    for sighting in sightings {
        match joined.last_mut() {
            Some(known) if known.build == sighting.build => {
                known.last = known.last.max(sighting.last);
            }
            _ => joined.push(sighting),
        }
    }
    joined
}

fn state_of(status: &BuildStatus) -> ExposureState {
    match status {
        BuildStatus::Fixed => ExposureState::Patched,
        BuildStatus::Vulnerable(_) => ExposureState::Vulnerable,
        BuildStatus::Disputed(_) | BuildStatus::Unknown(_) => ExposureState::Unknown,
    }
}

/// A build counts from its first sighting to the first sighting of the next: until something newer is seen at work,
/// the older one is taken to run.
fn spans(history: &[Sighting], status: &dyn Fn(&Build) -> BuildStatus) -> Vec<ExposureSpan> {
    let mut spans = Vec::new();
    if let Some(first) = history.first() {
        spans.push(ExposureSpan {
            state: ExposureState::Unknown,
            build: None,
            from: None,
            until: Some(first.first),
        });
    }
    for (position, sighting) in history.iter().enumerate() {
        spans.push(ExposureSpan {
            state: state_of(&status(&sighting.build)),
            build: Some(sighting.build),
            from: Some(sighting.first),
            until: history.get(position + 1).map(|next| next.first),
        });
    }
    spans
}

/// The state at the latest collection: the worst that exact evidence of that time says.
fn latest_state(
    history: &[Sighting],
    at_collection: &[(BuildSeen, &Place)],
    status: &dyn Fn(&Build) -> BuildStatus,
    name: &dyn Fn(&Build) -> Option<String>,
) -> (ExposureState, Option<Build>, Vec<Reason>) {
    let mut said: BTreeMap<Build, (Vec<String>, Vec<Place>)> = BTreeMap::new();
    let mut say = |build: Build, how: String, place: &Place| {
        let (hows, places) = said.entry(build).or_default();
        hows.push(how);
        places.push(place.clone());
    };
    if let Some(last) = history.last() {
        let how = format!("{} of {}", last.rule, words::minute(last.last));
        say(last.build, how, &last.place);
    }
    for (seen, place) in at_collection {
        say(seen.build, seen.rule.clone(), place);
    }
    // A three-part build that an exact one of the same update stands beside adds nothing.
    let exact: Vec<Build> = said
        .keys()
        .filter(|build| build.revision.is_some())
        .copied()
        .collect();
    said.retain(|build, _| {
        let same_update = |known: &Build| known.cumulative_update() == build.cumulative_update();
        build.revision.is_some() || !exact.iter().any(same_update)
    });
    let mut basis = Vec::new();
    let mut candidates: Vec<(Build, BuildStatus)> = Vec::new();
    for (build, (mut hows, mut places)) in said {
        hows.dedup();
        places.truncate(PLACES_MAX);
        let status = status(&build);
        let name = name(&build).map_or_else(String::new, |name| format!(" ({name})"));
        let meaning = match &status {
            BuildStatus::Fixed => "fixed".to_owned(),
            BuildStatus::Vulnerable(cves) => format!("vulnerable to {}", cves.join(", ")),
            BuildStatus::Disputed(why) | BuildStatus::Unknown(why) => why.clone(),
        };
        basis.push(Reason {
            text: format!(
                "build {build}{name} is {meaning}; shown by {}",
                hows.join(", ")
            ),
            places,
        });
        candidates.push((build, status));
    }
    let worst = candidates
        .iter()
        .max_by_key(|(build, status)| (severity(state_of(status)), std::cmp::Reverse(*build)));
    match worst {
        Some((build, status)) => (state_of(status), Some(*build), basis),
        None => (ExposureState::Unknown, None, basis),
    }
}

fn severity(state: ExposureState) -> u8 {
    match state {
        ExposureState::NotAffected | ExposureState::Patched => 0,
        ExposureState::Mitigated => 1,
        ExposureState::Unknown => 2,
        ExposureState::Vulnerable => 3,
    }
}

fn files_agree(
    at_collection: &[(BuildSeen, &Place)],
    status: &dyn Fn(&Build) -> BuildStatus,
) -> Option<bool> {
    let mut files = at_collection
        .iter()
        .filter(|(seen, _)| seen.rule.contains("file"))
        .peekable();
    files.peek()?;
    Some(files.all(|(seen, _)| status(&seen.build) == BuildStatus::Fixed))
}

/// The start of the unbroken run of fixed builds that reaches to the end.
fn patched_at(
    history: &[Sighting],
    status: &dyn Fn(&Build) -> BuildStatus,
) -> Option<(Timestamp, Place)> {
    let start = history
        .iter()
        .rposition(|sighting| status(&sighting.build) != BuildStatus::Fixed)
        .map_or(0, |position| position + 1);
    let first = history.get(start)?;
    Some((first.first, first.place.clone()))
}

/// The time somebody could have come in: from the window's start, or the product's first installation if later, until
/// the host runs fixed builds for good, or its latest collection.
fn entry_span(
    pack: &Pack,
    observed: &Observed,
    history: &[Sighting],
    status: &dyn Fn(&Build) -> BuildStatus,
    state: ExposureState,
    patched_at: Option<&(Timestamp, Place)>,
) -> Option<Span> {
    let installed = observed.facts.iter().find_map(|known| match &known.fact {
        Fact::Setup(setup)
            if setup.first_installation && pack.manifest.products.contains(&setup.product) =>
        {
            Some(setup.time)
        }
        _ => None,
    });
    let mut from = pack.manifest.window.from;
    if let Some(installed) = installed {
        from = from.max(installed);
        let always_fixed = history
            .iter()
            .all(|sighting| status(&sighting.build) == BuildStatus::Fixed);
        if always_fixed && state == ExposureState::Patched {
            return None;
        }
    }
    let until = match (state, patched_at) {
        (ExposureState::Patched, Some((time, _))) => *time,
        _ => latest_taken(observed)?,
    };
    Span::new(from, until)
}

/// When the latest collection was taken.
pub(crate) fn latest_taken(observed: &Observed) -> Option<Timestamp> {
    observed.collections.iter().filter_map(|c| c.taken).max()
}

/// Whether every rule of a published mitigation is in force, and what it leaves open.
fn mitigation(pack: &Pack, observed: &Observed) -> Option<Reason> {
    let latest = observed.collections.last()?;
    let rules: Vec<(&RewriteRule, &Place)> = observed
        .facts
        .iter()
        .filter(|known| known.place.collection == latest.id)
        .filter_map(|known| match &known.fact {
            Fact::RewriteRule(rule) => Some((rule, &known.place)),
            _ => None,
        })
        .collect();
    for mitigation in &pack.remediation.mitigations {
        let mut places = Vec::new();
        let in_force = mitigation.rules.iter().all(|wanted| {
            let acting = rules.iter().find(|(rule, _)| {
                rule.enabled
                    && rule.faults.is_empty()
                    && rule.cancelled_in.is_empty()
                    && rule.action.eq_ignore_ascii_case(&wanted.action)
                    && rule.conditions.iter().any(|condition| {
                        condition
                            .to_lowercase()
                            .contains(&wanted.condition_contains.to_lowercase())
                    })
            });
            places.extend(acting.map(|(_, place)| (*place).clone()));
            acting.is_some()
        });
        if in_force && !mitigation.rules.is_empty() {
            return Some(Reason {
                text: format!(
                    "{} is in force; it keeps out {} only, and a mitigation is not a fix",
                    mitigation.title,
                    mitigation.covers.join(", ")
                ),
                places,
            });
        }
    }
    None
}

/// No build of the product was seen: it is proven absent, or nothing can be said.
fn without_product(
    pack: &Pack,
    knowledge: &Knowledge<'_>,
    observed: &Observed,
    install_path: Option<String>,
) -> ExposureJudged {
    let products: Vec<&Product> = knowledge
        .products
        .iter()
        .filter(|product| pack.manifest.products.contains(&product.id))
        .collect();
    let absent = !products.is_empty()
        && install_path.is_none()
        && products
            .iter()
            .all(|product| proven_absent(product, observed));
    let names: Vec<String> = products
        .iter()
        .map(|product| product.name.clone())
        .collect();
    let (state, text) = if absent {
        (
            ExposureState::NotAffected,
            format!(
                "{} is not installed: the registry holds neither its setup keys nor its services",
                names.join(", ")
            ),
        )
    } else {
        (
            ExposureState::Unknown,
            format!(
                "no build of {} was seen, and its absence is not proven",
                names.join(", ")
            ),
        )
    };
    let entry = if absent {
        None
    } else {
        latest_taken(observed).and_then(|taken| Span::new(pack.manifest.window.from, taken))
    };
    ExposureJudged {
        report: Exposure {
            state,
            product: None,
            build: None,
            spans: vec![ExposureSpan {
                state,
                build: None,
                from: None,
                until: None,
            }],
            basis: vec![Reason {
                text,
                places: Vec::new(),
            }],
        },
        product: None,
        patched_at: None,
        entry,
        files_agree: None,
        install_path,
    }
}

/// Whether the hives that would name the product were read whole and do not, and nothing else on the host speaks of it.
fn proven_absent(product: &Product, observed: &Observed) -> bool {
    let Some(latest) = observed.collections.last() else {
        return false;
    };
    let hives = &product.absence.registry_hives;
    let hives_read = hives.iter().all(|hive| {
        latest.items.iter().any(|item| {
            item.source
                .as_ref()
                .is_some_and(|known| known.as_str() == hive.source)
                && item.records_in > 0
                && item.rejected.is_empty()
                && !observed.gaps.iter().any(|gap| {
                    gap.place.collection == latest.id
                        && gap.place.item == item.path
                        && !is_unflushed(gap, latest)
                })
        })
    });
    let service = observed.facts.iter().any(|known| {
        matches!(&known.fact, Fact::Persistence(persistence)
            if product.owns_service(&persistence.name)
                || hives.iter().any(|hive| hive.forbids_service(&persistence.name)))
    });
    // Sources are named after the product that alone writes them.
    let own_sources = format!("{}.", product.id);
    let source = observed.collections.iter().any(|collection| {
        collection.items.iter().any(|item| {
            item.source
                .as_ref()
                .is_some_and(|source| source.as_str().starts_with(&own_sources))
        })
    });
    hives_read && !service && !source && !hives.is_empty()
}
