//! What to do next, from the pack and from this host's state.

use crate::compromise::CompromiseJudged;
use crate::coverage::Coverage;
use crate::exposure::ExposureJudged;
use crate::verdict::Verdict;
use crate::{Judged, Knowledge, eviction, words};
use model::report::{ExposureState, NeedReport, NextStep, Share};
use model::{Observed, Timestamp};
use pack::{Need, Pack};

/// Leads to other hosts that are told one by one.
const LEADS_MAX: usize = 10;

/// The steps, most urgent first: preserve and contain, patch, collect, evict, leads.
pub(crate) fn next_steps(
    pack: &Pack,
    knowledge: &Knowledge<'_>,
    observed: &Observed,
    as_of: Option<Timestamp>,
    verdict: Verdict,
    judged: &Judged,
) -> Vec<NextStep> {
    if matches!(verdict, Verdict::Clear(_) | Verdict::NotAffected) {
        return Vec::new();
    }
    if let Verdict::Evicted(_) = verdict {
        let mut steps = vec![NextStep {
            kind: "watch".to_owned(),
            text: "keep the logs, collect again and check all collections together: whatever comes after this eviction \
                   is then told as a re-infection"
                .to_owned(),
            details: Vec::new(),
            places: Vec::new(),
        }];
        steps.extend(leads(observed));
        return steps;
    }
    let hacked = judged.compromise.report.stage.proves_effect();
    let mut steps = Vec::new();
    if hacked {
        steps.extend(pack.remediation.contain.iter().map(|step| NextStep {
            kind: "contain".to_owned(),
            ..eviction::step(step)
        }));
    }
    if judged.exposure.report.state == ExposureState::NotAffected {
        // There is nothing to patch; what was found and is nobody's keeps the host from its verdict.
        steps.extend(explain_step(&judged.compromise));
    } else {
        steps.extend(patch_steps(pack, knowledge, &judged.exposure));
    }
    steps.extend(collect_steps(pack, &judged.coverage, as_of));
    if hacked {
        steps.extend(pack.remediation.evict.iter().map(eviction::step));
    }
    steps.extend(leads(observed));
    steps
}

/// To look at the findings that belong to no stage of the campaign.
fn explain_step(compromise: &CompromiseJudged) -> Option<NextStep> {
    let (title, _) = compromise.open_leads.first()?;
    let leads = compromise.open_leads.iter();
    Some(NextStep {
        kind: "lead".to_owned(),
        text: format!(
            "explain what was found and belongs to no stage of this campaign ({}), for example: {title}",
            words::counted(compromise.open_leads.len(), "finding")
        ),
        details: Vec::new(),
        places: leads
            .map(|(_, place)| place.clone())
            .take(LEADS_MAX)
            .collect(),
    })
}

/// The patch path from this very build.
fn patch_steps(pack: &Pack, knowledge: &Knowledge<'_>, exposure: &ExposureJudged) -> Vec<NextStep> {
    let patched_on_disk =
        exposure.report.state == ExposureState::Patched && exposure.files_agree != Some(false);
    if patched_on_disk {
        return Vec::new();
    }
    let (Some(product), Some(build)) = (&exposure.product, &exposure.report.build) else {
        return vec![NextStep {
            kind: "patch".to_owned(),
            text: "find out which build this server runs: collect the product's own logs, its setup program's file \
                   version and the SOFTWARE hive"
                .to_owned(),
            details: Vec::new(),
            places: Vec::new(),
        }];
    };
    let mut advice = pack
        .patch_path(product, build, knowledge.builds)
        .into_iter();
    let Some(text) = advice.next() else {
        return Vec::new();
    };
    vec![NextStep {
        kind: "patch".to_owned(),
        text,
        details: advice.collect(),
        places: Vec::new(),
    }]
}

/// For each need with a hole: what to collect, how, and when it rotates away.
fn collect_steps(pack: &Pack, coverage: &Coverage, as_of: Option<Timestamp>) -> Vec<NextStep> {
    coverage
        .needs()
        .iter()
        .filter(|report| report.seen != Share::WHOLE || !report.gaps.is_empty())
        .filter_map(|report| {
            let need = pack.needs.iter().find(|need| need.id == report.need)?;
            Some(collect_step(need, report, as_of))
        })
        .collect()
}

fn collect_step(need: &Need, report: &NeedReport, as_of: Option<Timestamp>) -> NextStep {
    let mut details: Vec<String> = Vec::new();
    let (first, last) = (
        report.gaps.iter().filter_map(|gap| gap.from).min(),
        report.gaps.iter().filter_map(|gap| gap.until).max(),
    );
    if let (Some(first), Some(last)) = (first, last) {
        details.push(format!(
            "not seen between {} and {}",
            words::minute(first),
            words::minute(last)
        ));
    }
    if !need.rotates.is_empty() {
        details.push(need.rotates.clone());
    }
    details.extend(rotation(need, last, as_of));
    NextStep {
        kind: "collect".to_owned(),
        text: format!("{} (for: {})", need.collect, need.title),
        details,
        places: report
            .gaps
            .iter()
            .map(|gap| gap.place.clone())
            .filter(|place| !place.item.is_empty())
            .take(LEADS_MAX)
            .collect(),
    }
}

/// When the default settings drop the newest of the missing records, against the time the report speaks of.
fn rotation(need: &Need, last: Option<Timestamp>, as_of: Option<Timestamp>) -> Option<String> {
    let (days, last, as_of) = (need.retention_days?, last?, as_of?);
    let gone = last.as_second().checked_add(i64::from(days) * 86_400)?;
    let gone = Timestamp::from_second(gone).ok()?;
    Some(if gone > as_of {
        format!(
            "with default settings the last of it rotates away on {}: collect before",
            words::day(gone)
        )
    } else {
        format!(
            "with default settings it rotated away on {}: ask backups, shadow copies and central log servers",
            words::day(gone)
        )
    })
}

/// Rows on this host that name another server.
fn leads(observed: &Observed) -> Vec<NextStep> {
    observed
        .other_hosts
        .iter()
        .take(LEADS_MAX)
        .map(|(host, place)| NextStep {
            kind: "lead".to_owned(),
            text: format!("look at {host}: findings on this host name it"),
            details: Vec::new(),
            places: vec![place.clone()],
        })
        .collect()
}
