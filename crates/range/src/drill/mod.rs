//! Drills: a team gets the evidence, the truth stays sealed until it has answered.
//!
//! What a team gets holds the truth only as `truth.sealed`, encrypted by a [`Key`] that stays with whoever leads the drill.
//! `brief.md` states the SHA-256 of the sealed truth, so that everybody can see afterwards that it was not changed: see
//! `docs/decisions/` for what that does and does not prove. Answers are a CSV file ([`template`], [`read_answers`]) and are
//! scored in the same words as a report ([`score_answers`]).
//!
//! Nothing here draws by chance or touches a disk: the caller brings the key's bytes and writes the files.

mod answers;
mod brief;
mod score;
mod seal;

pub use answers::{Answer, AnswerProblem, read_answers, template};
pub use brief::{brief, commitment_in, organisations, sorted_rows};
pub use score::{DRILL_SCORE_SCHEMA, DrillScore, Unanswered, drill_text, score_answers};
pub use seal::{Key, SealError, commitment, open, seal};

use crate::truth::{FleetTruth, HostTruth};
use std::collections::BTreeSet;

/// Names of the files that a drill adds to the evidence.
pub const BRIEF: &str = "brief.md";
pub const ANSWERS: &str = "answers.csv";
pub const SEALED: &str = "truth.sealed";

/// The hosts by name, which tells nothing of what befell them.
fn hosts_by_name(truth: &FleetTruth) -> Vec<&HostTruth> {
    let mut hosts: Vec<&HostTruth> = truth.hosts.iter().collect();
    hosts.sort_by_cached_key(|host| (host.host.to_lowercase(), host.host.clone()));
    hosts
}

/// Every campaign that the truth speaks of, for whichever host.
fn campaigns(truth: &FleetTruth) -> BTreeSet<&str> {
    let campaigns = truth.hosts.iter().flat_map(|host| &host.campaigns);
    campaigns
        .map(|campaign| campaign.campaign.as_str())
        .collect()
}
