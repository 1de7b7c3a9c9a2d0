//! Pure judgement: exposure, compromise, coverage, eviction, and the verdict derived from them.
//!
//! Start with [`assess`]. It knows no I/O, no clock, no storage and no engine: what was observed of a host goes in
//! ([`model::Observed`]), what it means and why comes out ([`model::report::CampaignReport`]). Every statement carries
//! the places it rests on, and [`verdict`] can say `clear` only with a [`coverage::Sufficient`] in hand, which only a
//! full [`coverage::Coverage`] gives.

mod compromise;
pub mod coverage;
mod derive;
mod diff;
mod eviction;
mod exposure;
mod history;
mod leads;
mod next;
mod review;
mod statements;
mod story;
mod verdict;
mod words;

use model::report::{CampaignReport, Eviction};
use model::{Finding, Observed, Timestamp};
use pack::shipped_files::ShippedFiles;
use pack::{BuildTable, Pack, Product, Question, Review};

pub use derive::derived_findings;
pub use diff::{Seen, diff};
pub use leads::leads;
pub use review::persistence_review;

/// What is known of products, whatever the campaign.
#[derive(Clone, Copy, Debug)]
pub struct Knowledge<'a> {
    pub builds: &'a BuildTable,
    pub products: &'a [Product],
    pub shipped: &'a ShippedFiles,
    pub questions: &'a [Question],
    pub review: &'a Review,
}

/// Judges one host by one pack.
///
/// `observed` must hold the findings that [`derived_findings`] added. `as_of` dates the report; it never lengthens a
/// need.
pub fn assess(
    pack: &Pack,
    knowledge: &Knowledge<'_>,
    observed: &Observed,
    as_of: Option<Timestamp>,
) -> CampaignReport {
    let judged = judge(pack, knowledge, observed);
    let history = history::history(pack, knowledge, observed, &judged.compromise);
    let verdict = history
        .as_ref()
        .map_or(judged.verdict, |history| history.verdict(judged.verdict));
    let mut grounds = verdict::grounds(pack, verdict, &judged);
    if let Some(history) = &history {
        // Behind the headline of the intrusion.
        grounds.insert(1.min(grounds.len()), history.reason(verdict));
    }
    let next_steps = next::next_steps(pack, knowledge, observed, as_of, verdict, &judged);
    let statements = statements::statements(pack, knowledge, observed, &judged);
    CampaignReport {
        campaign: pack.manifest.name.clone(),
        verdict: verdict.name(),
        coverage: judged.coverage.report(),
        eviction: Eviction {
            accepted: history.map(|history| history.report(verdict)),
            ..judged.eviction.report(pack)
        },
        exposure: judged.exposure.report,
        reasons: grounds.iter().map(|ground| ground.text.clone()).collect(),
        grounds,
        next: next_steps.iter().map(|step| step.text.clone()).collect(),
        next_steps,
        findings: judged.compromise.findings,
        compromise: judged.compromise.report,
        statements,
    }
}

/// The four facts of a host, and the verdict that follows from them alone.
struct Judged {
    exposure: exposure::ExposureJudged,
    compromise: compromise::CompromiseJudged,
    coverage: coverage::Coverage,
    eviction: eviction::EvictionJudged,
    verdict: verdict::Verdict,
}

fn judge(pack: &Pack, knowledge: &Knowledge<'_>, observed: &Observed) -> Judged {
    let exposure = exposure::exposure(pack, knowledge, observed);
    let compromise = compromise::compromise(pack, observed, &exposure);
    let coverage = coverage::coverage(pack, observed, &exposure);
    let eviction = eviction::eviction(pack, knowledge, observed, &exposure, &compromise, &coverage);
    let verdict = verdict::verdict(&exposure, &compromise, &coverage, &eviction);
    Judged {
        exposure,
        compromise,
        coverage,
        eviction,
        verdict,
    }
}

/// Whether a finding speaks for this campaign.
fn speaks_for(finding: &Finding, pack: &Pack) -> bool {
    finding.stage.is_some()
        && finding
            .campaign
            .as_deref()
            .is_none_or(|campaign| campaign == pack.manifest.name)
}
