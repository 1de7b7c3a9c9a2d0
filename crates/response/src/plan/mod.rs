//! Who helps whom: responders with hours, skills, a region and languages, and organisations that need some.
//!
//! [`solve`] assigns each job to at most one responder so that the risk that is gone within the horizon is as large as it can
//! be made, and says by [`flow`] how far from the best any plan could be. [`simulate`] plays whole responses. Hours are counted
//! in minutes and risk in thousandths, as whole numbers: the same input gives the same plan on any machine.

pub mod chart;
pub mod flow;
pub mod simulate;
mod solve;

pub use solve::{Alternative, Assignment, Plan, Reason, Undone, solve};

use crate::priority::Score;
use crate::priority::tables::Work;
use crate::registry::Registry;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use store::response::{ContactRow, ResponderRow};

/// Responders that a plan takes; more than any response had.
pub const RESPONDERS_MAX: usize = 10_000;

/// Weeks that a plan may look ahead.
pub const WEEKS_MAX: i64 = 104;

/// What doing a job asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Needs {
    /// Lower case.
    pub skill: String,
    pub country: Option<String>,
    pub region: Option<String>,
    /// The language alone, without its region: `de`. Absent: nobody said which, so anybody may call.
    pub language: Option<String>,
}

/// One organisation in one campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub organisation: String,
    pub campaign: String,
    pub situation: String,
    pub needs: Needs,
    pub minutes: i64,
    /// In thousandths of a point: what doing it removes.
    pub risk: i64,
    /// Microseconds since 1970.
    pub due: Option<i64>,
}

impl Job {
    fn key(&self) -> (&str, &str) {
        (&self.organisation, &self.campaign)
    }

    /// The more risk an hour removes, the earlier; then by name.
    fn by_density(&self, other: &Self) -> Ordering {
        let ours = i128::from(self.risk) * i128::from(other.minutes);
        let theirs = i128::from(other.risk) * i128::from(self.minutes);
        theirs.cmp(&ours).then_with(|| self.key().cmp(&other.key()))
    }

    /// Points an hour.
    pub fn density(&self) -> f64 {
        self.risk as f64 / 1000.0 / (self.minutes.max(1) as f64 / 60.0)
    }
}

/// A person or team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Responder {
    pub id: String,
    pub name: String,
    pub skills: BTreeSet<String>,
    pub minutes_a_week: i64,
    /// A country or a region; absent: anywhere.
    pub region: Option<String>,
    pub languages: BTreeSet<String>,
}

impl Responder {
    fn has_skill(&self, needs: &Needs) -> bool {
        self.skills.contains(&needs.skill)
    }

    fn works_there(&self, needs: &Needs) -> bool {
        let Some(region) = &self.region else {
            return true;
        };
        [&needs.country, &needs.region]
            .into_iter()
            .flatten()
            .any(|place| place.eq_ignore_ascii_case(region))
    }

    fn speaks(&self, needs: &Needs) -> bool {
        let Some(language) = &needs.language else {
            return true;
        };
        self.languages.contains(language)
    }

    /// Whether it may do such a job.
    pub fn can(&self, needs: &Needs) -> bool {
        self.has_skill(needs) && self.works_there(needs) && self.speaks(needs)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast saturates, and hours and points are small"
)]
fn whole(number: f64) -> i64 {
    number.round() as i64
}

/// Hours as minutes.
pub fn minutes(hours: f64) -> i64 {
    whole(hours * 60.0)
}

/// The language of a BCP 47 tag.
fn language(tag: &str) -> String {
    let tag = tag.split(['-', '_']).next().unwrap_or(tag);
    tag.to_lowercase()
}

/// What is to do, from what priority says.
pub fn jobs(
    scores: &[Score],
    registry: &Registry,
    contacts: &[ContactRow],
    work: &[Work],
) -> Vec<Job> {
    let mut languages: BTreeMap<String, (bool, &str)> = BTreeMap::new();
    for contact in contacts.iter().filter(|row| row.scope == "organisation") {
        let (Some(said), Some(organisation)) =
            (&contact.language, registry.organisation(&contact.subject))
        else {
            continue;
        };
        let manual = contact.origin == "manual";
        let known = languages.entry(organisation.row.id.clone());
        let known = known.or_insert((manual, said));
        if manual && !known.0 {
            *known = (true, said);
        }
    }
    let mut jobs = Vec::new();
    for score in scores.iter().filter(|score| !score.situation.is_done()) {
        let row = (work.iter()).find(|row| row.situation == score.situation.name());
        let (Some(row), Some(organisation)) = (row, registry.organisation(&score.organisation))
        else {
            continue;
        };
        let more = score.servers.saturating_sub(1) as f64;
        let hours = (row.hours + more * row.hours_more).min(row.hours_most.max(row.hours));
        jobs.push(Job {
            organisation: score.organisation.clone(),
            campaign: score.campaign.clone(),
            situation: score.situation.name().to_owned(),
            needs: Needs {
                skill: row.skill.to_lowercase(),
                country: organisation.row.country.clone(),
                region: organisation.row.region.clone(),
                language: languages
                    .get(&score.organisation)
                    .map(|(_, tag)| language(tag)),
            },
            minutes: minutes(hours).max(1),
            risk: whole(score.middle() * row.share * 1000.0).max(1),
            due: score.due,
        });
    }
    jobs
}

/// The responders of a case. Gives the problem of a row that cannot be read.
pub fn responders(rows: &[ResponderRow]) -> Result<Vec<Responder>, String> {
    if rows.len() > RESPONDERS_MAX {
        return Err(format!("there are more than {RESPONDERS_MAX} responders"));
    }
    rows.iter()
        .map(|row| {
            let list = |text: &str| {
                serde_json::from_str::<Vec<String>>(text)
                    .map_err(|error| format!("responder {}: {error}", row.id))
            };
            if !(0.0..=10_000.0).contains(&row.hours) {
                return Err(format!("responder {}: {} hours a week", row.id, row.hours));
            }
            Ok(Responder {
                id: row.id.clone(),
                name: row.name.clone(),
                skills: (list(&row.skills)?.iter())
                    .map(|skill| skill.to_lowercase())
                    .collect(),
                minutes_a_week: minutes(row.hours),
                region: row.region.clone(),
                languages: (list(&row.languages)?.iter())
                    .map(|tag| language(tag))
                    .collect(),
            })
        })
        .collect()
}
