//! What a campaign asks of evidence before anybody may say that a host is clear of it, and whether that was written.

use crate::Error;
use crate::damage::Damaged;
use crate::moment::Moment;
use crate::source::{Filter, Source};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

const CAMPAIGNS: &str = include_str!("../scenarios/campaigns.json");

/// Ways of which one must be whole; a way is a list of sources, each as `source` or `source:instance`.
type Need = Vec<Vec<String>>;

/// A campaign, as `scenarios/campaigns.json` states it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Campaign {
    #[serde(rename = "about")]
    _about: String,
    /// Since when the weakness was used.
    pub(crate) window_from: Timestamp,
    /// All stages, lowest first.
    pub(crate) stages: Vec<String>,
    /// Stages that prove that somebody got in.
    pub(crate) effect_stages: Vec<String>,
    logs: Vec<Need>,
    files: Vec<Need>,
}

/// What was written of one collection.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) taken: Moment,
    pub(crate) filter: Filter,
    pub(crate) damaged: Vec<Damaged>,
}

impl Campaign {
    pub(crate) fn named(name: &str) -> Result<Self, Error> {
        let mut campaigns: BTreeMap<String, Self> = serde_json::from_str(CAMPAIGNS)?;
        campaigns
            .remove(name)
            .ok_or_else(|| Error::Campaign(name.to_owned()))
    }

    /// Whether the collections, the last one last, hold all that must be seen of the time from `from` to `until`. Logs
    /// began at `log_start`.
    pub(crate) fn is_covered(
        &self,
        collections: &[Written],
        log_start: Moment,
        (from, until): (Moment, Moment),
    ) -> bool {
        let Some(last) = collections.last() else {
            return false;
        };
        let log_is_whole = |name: &String| {
            let (source, instance) = source_and_instance(name);
            source.is_some_and(|source| {
                log_start <= from && is_whole(collections, source, instance, from, until)
            })
        };
        let file_is_there = |name: &String| {
            source_and_instance(name)
                .0
                .is_some_and(|source| last.filter.keeps_file(source))
        };
        let logs = self
            .logs
            .iter()
            .all(|need| need.iter().any(|way| way.iter().all(log_is_whole)));
        let files = self
            .files
            .iter()
            .all(|need| need.iter().any(|way| way.iter().all(file_is_there)));
        logs && files
    }
}

/// Whether each part of the time is held by some collection. The parts end where collections were taken.
fn is_whole(
    collections: &[Written],
    source: Source,
    instance: &str,
    from: Moment,
    until: Moment,
) -> bool {
    let mut begin = from;
    let ends = collections.iter().map(|collection| collection.taken);
    for end in ends.chain([until]) {
        let end = end.min(until);
        if begin < end {
            let held = collections
                .iter()
                .filter(|collection| collection.taken >= end)
                .any(|collection| collection.holds(source, instance, begin, end));
            if !held {
                return false;
            }
            begin = end;
        }
    }
    // What came after the last collection nobody has seen.
    begin >= until
}

impl Written {
    fn holds(&self, source: Source, instance: &str, from: Moment, until: Moment) -> bool {
        let damaged = self.damaged.iter().any(|damaged| {
            damaged.source == source
                && (damaged.instance.is_empty() || damaged.instance.eq_ignore_ascii_case(instance))
                && damaged.span.0 < until
                && from < damaged.span.1
        });
        !damaged && !self.filter.left_out(source, instance, from, until)
    }
}

fn source_and_instance(name: &str) -> (Option<Source>, &str) {
    let (source, instance) = name.split_once(':').unwrap_or((name, ""));
    (source.parse().ok(), instance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Withheld;

    fn collection(taken: i64, lost: Option<(i64, i64)>) -> Written {
        let at = |time: i64| Moment(time).timestamp();
        let withheld =
            lost.map(|(from, until)| Withheld::span(Source::OabGenerator, at(from), at(until)));
        let withheld = withheld.into_iter().collect::<Vec<_>>();
        let filter = Filter::new(&withheld, &BTreeMap::new(), BTreeMap::new(), Moment(taken));
        for time in (0..taken).step_by(10) {
            filter.keeps_record(Source::OabGenerator, "", Moment(time));
        }
        Written {
            taken: Moment(taken),
            filter,
            damaged: Vec::new(),
        }
    }

    #[test]
    fn collections_complete_one_another() {
        let whole = |collections: &[Written]| {
            is_whole(
                collections,
                Source::OabGenerator,
                "",
                Moment(0),
                Moment(1_000),
            )
        };
        assert!(whole(&[collection(1_000, None)]));
        assert!(!whole(&[collection(900, None)]), "ends too early");
        assert!(!whole(&[collection(1_000, Some((200, 300)))]));
        // A span between two records takes nothing out.
        assert!(whole(&[collection(1_000, Some((201, 209)))]));
        let rotated = collection(1_000, Some((0, 400)));
        assert!(whole(&[collection(500, None), rotated]));
        let rotated = collection(1_000, Some((0, 600)));
        assert!(!whole(&[collection(500, None), rotated]));
    }

    #[test]
    fn the_needs_name_sources_that_there_are() {
        let campaign = Campaign::named("proxylogon").unwrap();
        let needs = campaign.logs.iter().chain(&campaign.files);
        for name in needs.flatten().flatten() {
            assert!(source_and_instance(name).0.is_some(), "{name}");
        }
        assert!(
            campaign
                .effect_stages
                .iter()
                .all(|stage| campaign.stages.contains(stage))
        );
        assert!(Campaign::named("heartbleed").is_err());
    }
}
