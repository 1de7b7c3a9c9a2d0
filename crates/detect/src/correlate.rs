//! Correlations: rules over the matches of other rules, in the order of time, from all items of a host together.
//!
//! Readers tell what correlations need of a match as a [`Sighting`]; whoever has them all gives them to
//! [`Engine::correlate`].

use crate::engine::Engine;
use crate::rules::About;
use model::{EVIDENCE_BYTES_MAX, Finding, Gap, GapKind, Place, Stage, Timestamp};
use serde::{Deserialize, Serialize};
use sigma::{CorrelationMatch, Correlator, Observation};
use std::collections::BTreeMap;

/// Sightings of one item that are kept.
pub(crate) const SIGHTINGS_MAX: usize = 100_000;

/// A match that correlations look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sighting {
    pub time: Timestamp,
    pub place: Place,
    /// Number of the rule; the same in every process that was given the same rules.
    pub rule: u32,
    /// Values of the fields that correlations ask for.
    pub values: Vec<Option<String>>,
}

impl Engine {
    /// What correlations find in these sightings, and what they could not take into account. The order of the sightings
    /// does not matter.
    pub fn correlate(&self, mut sightings: Vec<Sighting>) -> (Vec<Finding>, Vec<Gap>) {
        sightings.sort();
        sightings.dedup();
        let mut stage = Correlator::new(&self.rules.engine);
        let mut findings = Vec::new();
        let mut take = |found: CorrelationMatch| {
            if found.alone {
                findings.extend(self.of_correlation(&found, &sightings));
            }
        };
        for (event, sighting) in (0_u64..).zip(&sightings) {
            let Some(rule) = self.rules.engine.rule_at(sighting.rule as usize) else {
                continue;
            };
            let observation = Observation {
                rule,
                time_micros: sighting.time.as_microsecond(),
                event,
                values: sighting.values.clone(),
            };
            stage.observe(observation, &mut take);
        }
        stage.finish(&mut take);
        let gap = |lost: &sigma::Lost| {
            let about = self.rules.about(lost.rule);
            let detail = format!(
                "the correlation {} left out {} matches: {}",
                about.title, lost.count, lost.reason
            );
            Gap::new(GapKind::Limit, Place::default(), detail)
        };
        let gaps = stage.lost().iter().map(gap).collect();
        (findings, gaps)
    }

    /// How many of these sightings are of the rule of this id. A rule that correlations refer to may tell its matches to
    /// these alone.
    pub fn sightings_of(&self, rule: &str, sightings: &[Sighting]) -> usize {
        let Some(rule) = self.rules.find(rule) else {
            return 0;
        };
        let own = sightings.iter();
        own.filter(|sighting| sighting.rule as usize == rule.index())
            .count()
    }

    /// The finding stands at the last event that counted, and dates from the first.
    fn of_correlation(&self, found: &CorrelationMatch, sightings: &[Sighting]) -> Option<Finding> {
        let about = self.rules.about(found.rule);
        let last = found.events.last()?;
        let last = sightings.get(usize::try_from(*last).ok()?)?;
        let group: Vec<String> = found
            .group
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut evidence = format!("{} of its rules' matches", found.events.len());
        if !group.is_empty() {
            evidence = format!("{evidence} with {}", group.join(" "));
        }
        Some(Finding {
            time: Timestamp::from_microsecond(found.first_micros).ok(),
            last: Timestamp::from_microsecond(found.last_micros).ok(),
            count: found.events.len() as u64,
            evidence: crate::table::shortened(&evidence, EVIDENCE_BYTES_MAX),
            details: found.group.iter().cloned().collect(),
            ..finding_of(about, last.place.clone())
        })
    }
}

/// What a rule says of itself, as a finding at a place.
pub(crate) fn finding_of(rule: &About, place: Place) -> Finding {
    let meaning = rule.meaning.as_ref();
    let text = meaning.map(|meaning| meaning.meaning.clone());
    Finding {
        id: String::new(),
        rule: rule.id.clone(),
        title: rule.title.clone(),
        stage: meaning
            .map(|meaning| meaning.stage)
            .filter(|stage| *stage != Stage::NoneSeen),
        campaign: rule.campaign.clone(),
        level: rule.level.clone(),
        techniques: rule.techniques.clone(),
        time: None,
        last: None,
        count: 1,
        place,
        author: rule.author.clone(),
        reference: rule.reference.clone(),
        evidence: String::new(),
        meaning: text.unwrap_or_else(|| rule.description.clone()),
        step: meaning
            .map(|meaning| meaning.step.clone())
            .unwrap_or_default(),
        details: BTreeMap::new(),
        foothold: None,
    }
}
