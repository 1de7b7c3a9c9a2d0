//! The verdict, and the reasons for it.

use crate::Judged;
use crate::compromise::CompromiseJudged;
use crate::coverage::{Coverage, Sufficient};
use crate::eviction::{self, EvictionJudged};
use crate::exposure::ExposureJudged;
use crate::words::{self, PLACES_MAX};
use model::FootholdState;
use model::report::{ExposureState, GateState, NeedReport, Reason, Share, VerdictName};
use model::{Place, Stage};
use pack::Pack;

/// What is said of a host and a campaign. `Clear` cannot be written without the proof of coverage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Compromised,
    Reinfected,
    Evicted(Sufficient),
    Exposed,
    Unproven,
    Clear(Sufficient),
    NotAffected,
}

impl Verdict {
    pub(crate) fn name(self) -> VerdictName {
        match self {
            Self::Compromised => VerdictName::Compromised,
            Self::Reinfected => VerdictName::Reinfected,
            Self::Evicted(_) => VerdictName::Evicted,
            Self::Exposed => VerdictName::Exposed,
            Self::Unproven => VerdictName::Unproven,
            Self::Clear(_) => VerdictName::Clear,
            Self::NotAffected => VerdictName::NotAffected,
        }
    }
}

/// Derives the verdict from the four facts.
pub(crate) fn verdict(
    exposure: &ExposureJudged,
    compromise: &CompromiseJudged,
    coverage: &Coverage,
    eviction: &EvictionJudged,
) -> Verdict {
    if compromise.report.stage.proves_effect() {
        return match coverage.suffices() {
            Some(proof) if eviction.complete() => Verdict::Evicted(proof),
            _ => Verdict::Compromised,
        };
    }
    match exposure.report.state {
        // That the product is not there is no assurance while something of the campaign is not explained.
        ExposureState::NotAffected if compromise.is_elsewhere => Verdict::Unproven,
        ExposureState::NotAffected => Verdict::NotAffected,
        ExposureState::Vulnerable | ExposureState::Mitigated => Verdict::Exposed,
        ExposureState::Unknown => Verdict::Unproven,
        ExposureState::Patched => match coverage.suffices() {
            Some(proof) if compromise.open_leads.is_empty() => Verdict::Clear(proof),
            _ => Verdict::Unproven,
        },
    }
}

/// Why, in sentences that each point back; never empty.
pub(crate) fn grounds(pack: &Pack, verdict: Verdict, judged: &Judged) -> Vec<Reason> {
    let Judged {
        exposure,
        compromise,
        coverage,
        eviction,
        verdict: _,
    } = judged;
    let mut grounds = Vec::new();
    if compromise.report.stage.proves_effect() {
        grounds.extend(effects(compromise));
        grounds.extend(against_the_patch(exposure, compromise));
        grounds.extend(still_there(compromise));
        grounds.extend(not_proven_out(eviction));
    } else {
        grounds.push(nothing_beyond(pack, compromise, coverage));
    }
    grounds.extend(exposure.report.basis.iter().cloned());
    grounds.extend(leads(compromise));
    if exposure.report.state == ExposureState::Patched && exposure.files_agree.is_none() {
        grounds.push(Reason {
            text: "none of the product's binaries is in the latest collection: that it is patched rests on logs alone"
                .to_owned(),
            places: Vec::new(),
        });
    }
    if matches!(verdict, Verdict::Clear(_) | Verdict::Evicted(_)) {
        grounds.push(Reason {
            text: format!(
                "everything that the pack {} needs was seen ({} needs)",
                pack.manifest.name,
                coverage.needs().len()
            ),
            places: Vec::new(),
        });
    } else if !matches!(verdict, Verdict::NotAffected) {
        grounds.extend(unseen(coverage));
    }
    grounds
}

/// The headline of an intrusion: the stage, when, and on what evidence.
fn effects(compromise: &CompromiseJudged) -> Vec<Reason> {
    let report = &compromise.report;
    let when = match (report.first, report.last) {
        (Some(first), Some(last)) if last > first => {
            format!(", from {} to {}", words::minute(first), words::minute(last))
        }
        (Some(first), _) => format!(", at {}", words::minute(first)),
        _ => ", at a time that nothing dates".to_owned(),
    };
    let places = compromise
        .first_effect
        .iter()
        .map(|(_, place)| place.clone())
        .collect();
    let mut grounds = vec![Reason {
        text: format!("stage {} is proven{when}", report.stage.name()),
        places,
    }];
    for step in report
        .story
        .iter()
        .filter(|step| step.stage.proves_effect())
    {
        let when = step
            .time
            .map_or_else(|| "undated".to_owned(), words::minute);
        grounds.push(Reason {
            text: format!("{when}: {}", step.text),
            places: Vec::new(),
        });
        if grounds.len() > PLACES_MAX {
            break;
        }
    }
    grounds
}

/// "Exploited N days before it was patched", where both are dated.
fn against_the_patch(exposure: &ExposureJudged, compromise: &CompromiseJudged) -> Option<Reason> {
    let (patched, patch_place) = exposure.patched_at.as_ref()?;
    let (exploited, effect_place) = compromise.first_effect.as_ref()?;
    let seconds = patched.as_second().saturating_sub(exploited.as_second());
    let text = if seconds > 0 {
        format!(
            "exploited {} before it was patched: first effect {}, first row of a fixed build {}",
            words::duration(seconds),
            words::minute(*exploited),
            words::minute(*patched)
        )
    } else {
        format!(
            "the first dated effect, {}, lies {} after the first row of a fixed build, {}: what came in earlier \
             outlived the patch, or another door was used",
            words::minute(*exploited),
            words::duration(-seconds),
            words::minute(*patched)
        )
    };
    Some(Reason {
        text,
        places: vec![effect_place.clone(), patch_place.clone()],
    })
}

fn still_there(compromise: &CompromiseJudged) -> Vec<Reason> {
    let (mut grounds, more) = (Vec::new(), compromise.report.footholds.len());
    for foothold in compromise.report.footholds.iter().take(PLACES_MAX) {
        let state = match foothold.state {
            FootholdState::Present => "is still there",
            FootholdState::AbsentVerified => {
                "was there and is gone; that is past compromise, not health"
            }
            FootholdState::Unknown if eviction::is_leftover(foothold) => {
                "was there; it answers nobody once its page is gone"
            }
            FootholdState::Unknown => "was there; whether it still is cannot be said",
        };
        grounds.push(Reason {
            text: format!("{} {} {state}", foothold.kind.name(), foothold.path),
            places: Vec::new(),
        });
    }
    if more > PLACES_MAX {
        grounds.push(Reason {
            text: format!("and {} more footholds", more - PLACES_MAX),
            places: Vec::new(),
        });
    }
    grounds
}

fn not_proven_out(eviction: &EvictionJudged) -> Option<Reason> {
    let open: Vec<String> = eviction
        .open_gates()
        .map(|gate| {
            let state = match gate.state {
                GateState::Fail => "failed",
                _ => "cannot be told",
            };
            format!("{} ({state})", gate.title)
        })
        .collect();
    (!open.is_empty()).then(|| Reason {
        text: format!("it is not proven that they are out: {}", open.join("; ")),
        places: Vec::new(),
    })
}

/// "Nothing found" says how much was looked at.
fn nothing_beyond(pack: &Pack, compromise: &CompromiseJudged, coverage: &Coverage) -> Reason {
    let probes = if compromise.report.stage == Stage::Probed {
        "nothing beyond probes was found"
    } else {
        "nothing was found"
    };
    let whole = coverage
        .needs()
        .iter()
        .filter(|need| need.seen == Share::WHOLE)
        .count();
    Reason {
        text: format!(
            "{probes} of {}, with {whole} of {} needs of the pack fully seen",
            pack.manifest.title,
            coverage.needs().len()
        ),
        places: Vec::new(),
    }
}

fn leads(compromise: &CompromiseJudged) -> Option<Reason> {
    let (title, place) = compromise.open_leads.first()?;
    Some(Reason {
        text: format!(
            "{} of a level that somebody must look at belong to no stage of this campaign, for example: {title}",
            words::counted(compromise.open_leads.len(), "finding")
        ),
        places: vec![place.clone()],
    })
}

fn unseen(coverage: &Coverage) -> Vec<Reason> {
    let mut grounds: Vec<Reason> = coverage
        .needs()
        .iter()
        .filter(|need| need.seen != Share::WHOLE || !need.gaps.is_empty())
        .map(need_reason)
        .collect();
    if let Some(gap) = coverage.blocking().first() {
        grounds.push(Reason {
            text: format!(
                "{} of the evidence could not be read, for example {}: {}",
                words::counted(coverage.blocking().len(), "part"),
                gap.place,
                gap.detail
            ),
            places: vec![gap.place.clone()],
        });
    }
    grounds
}

fn need_reason(need: &NeedReport) -> Reason {
    let percent = need.seen.thousandths() / 10;
    let example = need
        .gaps
        .first()
        .map_or_else(String::new, |gap| format!(": {}", gap.detail));
    let places: Vec<Place> = need
        .gaps
        .iter()
        .map(|gap| gap.place.clone())
        .filter(|place| !place.item.is_empty())
        .take(PLACES_MAX)
        .collect();
    Reason {
        text: format!("not fully seen ({percent} %): {}{example}", need.title),
        places,
    }
}
