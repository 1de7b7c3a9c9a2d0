//! Pure judgement: exposure, compromise, coverage, eviction, and the verdict derived from them.
//!
//! Start with [`assess`]. It knows no I/O, no clock, no storage and no engine: what was observed of a host goes in
//! ([`model::Observed`]), what it means and why comes out ([`model::report::CampaignReport`]). Every statement carries
//! the places it rests on, and [`verdict`] can say `clear` only with a [`coverage::Sufficient`] in hand, which only a
//! full [`coverage::Coverage`] gives.

mod compromise;
pub mod coverage;
mod derive;
mod eviction;
mod exposure;
mod next;
mod story;
mod verdict;
mod words;

use model::report::CampaignReport;
use model::{Finding, Observed, Timestamp};
use pack::shipped_files::ShippedFiles;
use pack::{BuildTable, Pack, Product};

pub use derive::derived_findings;

/// What is known of products, whatever the campaign.
#[derive(Clone, Copy, Debug)]
pub struct Knowledge<'a> {
    pub builds: &'a BuildTable,
    pub products: &'a [Product],
    pub shipped: &'a ShippedFiles,
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
    let exposure = exposure::exposure(pack, knowledge, observed);
    let compromise = compromise::compromise(pack, observed, &exposure);
    let coverage = coverage::coverage(pack, observed, &exposure);
    let eviction = eviction::eviction(pack, &exposure, &compromise, &coverage);
    let verdict = verdict::verdict(&exposure, &compromise, &coverage, &eviction);
    let grounds = verdict::grounds(pack, verdict, &exposure, &compromise, &coverage, &eviction);
    let next_steps = next::next_steps(
        pack,
        knowledge,
        observed,
        as_of,
        &next::Judged {
            verdict,
            exposure: &exposure,
            compromise: &compromise,
            coverage: &coverage,
        },
    );
    CampaignReport {
        campaign: pack.manifest.name.clone(),
        verdict: verdict.name(),
        exposure: exposure.report,
        compromise: compromise.report,
        coverage: coverage.report(),
        eviction: eviction.report(pack),
        reasons: grounds.iter().map(|ground| ground.text.clone()).collect(),
        grounds,
        next: next_steps.iter().map(|step| step.text.clone()).collect(),
        next_steps,
        findings: compromise.findings,
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
