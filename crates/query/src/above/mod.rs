//! The campaign seen from above: how it spread, who was at work, who came first, and who used whose shell.
//!
//! Everything here comes from SQL over the case, so that an analyst can ask further. Actors are clusters of visits that
//! share tools ([`Weights`] says how much each shared thing weighs, and why); each cluster says what joined it. It is a lead
//! for a person, never an attribution.

mod actors;
mod html;
mod read;
mod text;
mod weights;

pub use actors::{Actor, Common, FeatureKind, Join, Reuse, Shared, Visit};
pub use html::html;
pub use text::text;
pub use weights::{KindWeight, Weights, WeightsError};

use crate::question::{QueryError, Questions};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use std::collections::BTreeMap;

/// Name and version of the JSON form.
pub const SCHEMA: &str = "allclear/campaign/1";

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only this campaign, and what no campaign's pack explains; `None`: all.
    pub campaign: Option<String>,
    /// When each campaign became public, such as the day of its fix. A campaign without one is not divided.
    pub disclosed: BTreeMap<String, Timestamp>,
}

/// The picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Above {
    pub schema: &'static str,
    pub campaigns: Vec<Campaign>,
    /// In order of their first act.
    pub actors: Vec<Actor>,
    /// Shells that somebody else used after the actor who is taken to have put them there.
    pub reuse: Vec<Reuse>,
    /// Features that too many hosts share to tell anybody apart.
    pub too_common: Vec<Common>,
    /// What the picture rests on, and what it leaves out.
    pub notes: Vec<String>,
}

/// One campaign over all hosts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Campaign {
    pub campaign: String,
    pub disclosed: Option<Timestamp>,
    pub verdicts: BTreeMap<String, u64>,
    pub curve: Vec<Day>,
    /// Hosts first exploited before and after the disclosure, where one is known.
    pub exploited_before_disclosure: Option<u64>,
    pub exploited_after_disclosure: Option<u64>,
    /// Days from exploit to patch: half of the hosts that were exploited first and patched later had fewer.
    pub days_to_patch_median: Option<i64>,
}

/// One day (UTC) on which something happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Day {
    pub day: Date,
    /// Hosts with their first effect on this day.
    pub exploited: i64,
    pub patched: i64,
    pub exploited_so_far: i64,
    /// Hosts still open at the end of the day.
    pub exposed: i64,
}

/// Draws the picture of a case.
pub fn above(
    questions: &Questions,
    weights: &Weights,
    options: &Options,
) -> Result<Above, QueryError> {
    let campaigns = read::campaigns(questions, options)?;
    let acts = read::acts(questions, options)?;
    let mut notes = acts.notes;
    let grouped = actors::group(acts.acts, weights, &options.disclosed);
    notes.extend(grouped.notes);
    Ok(Above {
        schema: SCHEMA,
        campaigns,
        actors: grouped.actors,
        reuse: grouped.reuse,
        too_common: grouped.too_common,
        notes,
    })
}
