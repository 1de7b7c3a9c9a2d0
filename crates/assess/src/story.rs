//! The findings of a host joined into one ordered account of the intrusion.

use crate::derive;
use crate::exposure::ExposureJudged;
use model::report::{FootholdReport, StoryStep};
use model::{Fact, Finding, Observed, Stage, Timestamp, VirtualDirectory, WebAccess};
use pack::Pack;
use std::collections::{BTreeMap, BTreeSet};

/// Findings of one step that lie no further apart than this are told together.
const STEP_SECONDS_MAX: i64 = 3_600;

/// A probe and an effect of one client that lie no further apart are one act, seen in two logs.
const SAME_ACT_SECONDS_MAX: u64 = 120;

/// Probes are told once a day, so that a scanner does not drown the story.
const PROBE_SECONDS_MAX: i64 = 86_400;

/// Longest detail that a sentence quotes; the finding holds the whole.
const DETAIL_CHARS_MAX: usize = 160;

/// Tells the story: dated steps in order of time, then what nothing dates.
pub(crate) fn story(
    pack: &Pack,
    observed: &Observed,
    exposure: &ExposureJudged,
    findings: &[&Finding],
    footholds: &[FootholdReport],
) -> Vec<StoryStep> {
    let sources = sources_of_items(observed);
    let told: Vec<&Finding> = findings
        .iter()
        .copied()
        .filter(|finding| !is_part_of_an_effect(finding, findings))
        .collect();
    let mut steps = group(&told)
        .into_iter()
        .map(|group| step(pack, &group, &sources))
        .collect::<Vec<_>>();
    steps.extend(first_requests(observed, footholds, &steps));
    steps.extend(patch_step(exposure, &steps));
    steps.sort_by(|a, b| {
        (a.time.is_none(), a.time, order(pack, a), &a.text).cmp(&(
            b.time.is_none(),
            b.time,
            order(pack, b),
            &b.text,
        ))
    });
    steps
}

/// Whether a probe is another log's view of a request that had effect: the same client, at about the same time. To tell
/// it as an attempt without success would be untrue.
fn is_part_of_an_effect(probe: &Finding, findings: &[&Finding]) -> bool {
    let (Some(Stage::Probed), Some(time), Some(client)) =
        (probe.stage, probe.time, probe.details.get("client"))
    else {
        return false;
    };
    findings.iter().any(|effect| {
        effect.stage.is_some_and(Stage::proves_effect)
            && effect.details.get("client") == Some(client)
            && effect
                .time
                .is_some_and(|at| at.as_second().abs_diff(time.as_second()) <= SAME_ACT_SECONDS_MAX)
    })
}

/// Position of the step in the pack's own order of an intrusion.
fn order(pack: &Pack, step: &StoryStep) -> usize {
    pack.manifest
        .steps
        .iter()
        .position(|known| known.id == step.step)
        .unwrap_or(usize::MAX)
}

fn sources_of_items(observed: &Observed) -> BTreeMap<(&str, &str), String> {
    let mut sources = BTreeMap::new();
    for collection in &observed.collections {
        for item in &collection.items {
            let name = match &item.source {
                Some(source) => source.to_string(),
                None if item.kind.is_empty() => continue,
                None => item.kind.clone(),
            };
            sources.insert((collection.id.as_str(), item.path.as_str()), name);
        }
    }
    sources
}

/// Findings of the same step, stage and subject that lie close in time, in order of time.
fn group<'a>(findings: &[&'a Finding]) -> Vec<Vec<&'a Finding>> {
    let mut sorted: Vec<&Finding> = findings.to_vec();
    sorted.sort_by(|a, b| {
        (&a.step, a.stage, subject(a), a.time, &a.id).cmp(&(
            &b.step,
            b.stage,
            subject(b),
            b.time,
            &b.id,
        ))
    });
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    for finding in sorted {
        let joins = groups
            .last()
            .and_then(|group| group.last())
            .is_some_and(|last| {
                last.step == finding.step
                    && last.stage == finding.stage
                    && subject(last) == subject(finding)
                    && close(last, finding)
            });
        match groups.last_mut() {
            Some(group) if joins => group.push(finding),
            _ => groups.push(vec![finding]),
        }
    }
    groups
}

/// What tells two acts of one step apart: the file that was dropped or asked for.
fn subject(finding: &Finding) -> &str {
    if finding.stage == Some(Stage::Probed) {
        return "";
    }
    finding
        .foothold
        .as_ref()
        .map_or("", |foothold| model::file_name(&foothold.path))
}

fn close(earlier: &Finding, later: &Finding) -> bool {
    let bound = if earlier.stage == Some(Stage::Probed) {
        PROBE_SECONDS_MAX
    } else {
        STEP_SECONDS_MAX
    };
    match (earlier.last.or(earlier.time), later.time) {
        (Some(a), Some(b)) => b.as_second().saturating_sub(a.as_second()) <= bound,
        (None, None) => true,
        _ => false,
    }
}

fn step(pack: &Pack, group: &[&Finding], sources: &BTreeMap<(&str, &str), String>) -> StoryStep {
    let count: u64 = group
        .iter()
        .fold(0, |sum, finding| sum.saturating_add(finding.count));
    let sentence = sentence(pack, group);
    let text = if count > 1 {
        format!("{sentence} ({count} records)")
    } else {
        sentence
    };
    let techniques: BTreeSet<String> = group
        .iter()
        .flat_map(|finding| finding.techniques.iter().cloned())
        .collect();
    let seen_in: BTreeSet<String> = group
        .iter()
        .filter_map(|finding| {
            sources
                .get(&(
                    finding.place.collection.as_str(),
                    finding.place.item.as_str(),
                ))
                .cloned()
        })
        .collect();
    StoryStep {
        time: group.iter().filter_map(|finding| finding.time).min(),
        until: group
            .iter()
            .filter_map(|finding| finding.last.or(finding.time))
            .max(),
        stage: group
            .iter()
            .filter_map(|finding| finding.stage)
            .max()
            .unwrap_or(Stage::NoneSeen),
        step: group
            .first()
            .map(|finding| finding.step.clone())
            .unwrap_or_default(),
        text,
        sources: seen_in.into_iter().collect(),
        findings: group.iter().map(|finding| finding.id.clone()).collect(),
        techniques: techniques.into_iter().collect(),
    }
}

/// The pack's sentence for the step with the details filled in; else the rule's own meaning or title.
fn sentence(pack: &Pack, group: &[&Finding]) -> String {
    let Some(first) = group.first() else {
        return String::new();
    };
    let mut details: BTreeMap<String, String> = BTreeMap::new();
    for finding in group {
        for (name, value) in &finding.details {
            if !details.contains_key(name) {
                let short: String = value.chars().take(DETAIL_CHARS_MAX).collect();
                details.insert(name.clone(), short);
            }
        }
        if let Some(foothold) = &finding.foothold {
            details
                .entry("path".to_owned())
                .or_insert_with(|| foothold.path.clone());
        }
    }
    match pack
        .manifest
        .steps
        .iter()
        .find(|step| step.id == first.step)
    {
        Some(step) => fill(&step.text, &details),
        None if first.meaning.is_empty() => first.title.clone(),
        None => first.meaning.clone(),
    }
}

/// Fills `{name}`. A phrase in square brackets is left out where one of its names has no value; a name outside of
/// brackets without a value reads `unknown`.
fn fill(template: &str, details: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('[') {
        let Some((phrase, after)) = after.split_once(']') else {
            break;
        };
        text.push_str(&fill_phrase(before, details).0);
        let (phrase, complete) = fill_phrase(phrase, details);
        if complete {
            text.push_str(&phrase);
        }
        rest = after;
    }
    text.push_str(&fill_phrase(rest, details).0);
    text
}

/// Fills the names of one phrase; also says whether each had a value.
fn fill_phrase(phrase: &str, details: &BTreeMap<String, String>) -> (String, bool) {
    let mut text = String::new();
    let mut complete = true;
    let mut rest = phrase;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        text.push_str(before);
        match details.get(name) {
            Some(value) if !value.is_empty() => text.push_str(value),
            _ => {
                complete = false;
                text.push_str("unknown");
            }
        }
        rest = after;
    }
    text.push_str(rest);
    (text, complete)
}

/// The first successful request to each shell, where the rules did not tell it already.
fn first_requests(
    observed: &Observed,
    footholds: &[FootholdReport],
    told: &[StoryStep],
) -> Vec<StoryStep> {
    let directories = derive::all_directories(observed);
    let mut steps = Vec::new();
    for foothold in footholds {
        let path = foothold.path.to_lowercase();
        let first = observed
            .facts
            .iter()
            .filter_map(|known| match &known.fact {
                Fact::WebAccess(access)
                    if (200..300).contains(&access.status)
                        && reaches(access, &path, &directories) =>
                {
                    Some(access)
                }
                _ => None,
            })
            .min_by_key(|access| access.first);
        let Some(access) = first else {
            continue;
        };
        let known = told.iter().any(|step| {
            step.time.is_some_and(|time| time <= access.first)
                && step.step == "shell_request"
                && step
                    .findings
                    .iter()
                    .any(|id| foothold.findings.contains(id))
        });
        if known {
            continue;
        }
        let told_already = |step: &StoryStep| {
            step.time == Some(access.first) && step.text.contains(access.path.as_str())
        };
        if steps.iter().any(told_already) {
            continue;
        }
        steps.push(StoryStep {
            time: Some(access.first),
            until: Some(access.last),
            stage: Stage::Foothold,
            step: "shell_request".to_owned(),
            text: format!(
                "first answered request to {}: {} from {} ({} in this log)",
                access.path, access.method, access.client, access.count
            ),
            sources: vec![access.source.to_string()],
            findings: foothold.findings.clone(),
            techniques: Vec::new(),
        });
    }
    steps
}

fn reaches(access: &WebAccess, foothold: &str, directories: &[&VirtualDirectory]) -> bool {
    derive::physical_paths(directories, &access.path)
        .iter()
        .any(|physical| physical == foothold)
        || access.path.eq_ignore_ascii_case(foothold)
}

/// When the host was patched belongs into the account of an intrusion.
fn patch_step(exposure: &ExposureJudged, told: &[StoryStep]) -> Option<StoryStep> {
    let (time, _) = exposure.patched_at.as_ref()?;
    told.iter().find(|step| step.stage.proves_effect())?;
    let build = exposure.report.build?;
    Some(StoryStep {
        time: Some(*time),
        until: None::<Timestamp>,
        stage: Stage::NoneSeen,
        step: "patched".to_owned(),
        text: format!("the server first shows the fixed build {build}"),
        sources: Vec::new(),
        findings: Vec::new(),
        techniques: Vec::new(),
    })
}
