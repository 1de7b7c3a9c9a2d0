//! A campaign as `packs/NAME/range/campaign.json` states it: when its weakness was used, which builds have it, and what must
//! have been seen before anybody may say that a host is clear of it; and whether that was written.

use crate::Error;
use crate::damage::Damaged;
use crate::library::library;
use crate::moment::Moment;
use crate::server::Build;
use crate::source::{Filter, Source};
use jiff::Timestamp;
use serde::Deserialize;

const FILE: &str = "campaign.json";

/// All stages, lowest first.
pub(crate) const STAGES: [&str; 5] = ["probed", "exploited", "foothold", "hands_on", "impact"];

/// Ways of which one must be whole; a way is a list of sources, each as `source` or `source:instance`.
type Need = Vec<Vec<String>>;

/// A campaign, as its file states it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Campaign {
    /// The name of its pack.
    #[serde(skip)]
    pub(crate) name: String,
    #[serde(rename = "about")]
    _about: String,
    /// The id of the product that it goes for.
    pub(crate) product: String,
    /// Since when the weakness was used.
    pub(crate) window_from: Timestamp,
    /// From when and until when servers of its scenarios are simulated, unless somebody says otherwise.
    pub(crate) simulated: (Timestamp, Timestamp),
    /// What the installer calls the update that closes the weakness.
    pub(crate) security_update: String,
    /// What servers run before and after they are patched; a server draws one.
    pub(crate) builds: Vec<Release>,
    /// Builds from which on their own cumulative update holds the fix, as far as it was installed over them.
    fixed: Vec<String>,
    /// Builds from which on their own and every later cumulative update holds the fix.
    fixed_from: Vec<String>,
    logs: Vec<Need>,
    files: Vec<Need>,
    /// What whoever uses the weakness cannot avoid: of use to the test that holds scenarios of the variant `unnamed` to
    /// their word.
    #[serde(default)]
    #[cfg_attr(not(test), expect(dead_code, reason = "only a test asks for it"))]
    pub(crate) unavoidable: Unavoidable,
    /// What shows that the product is not on a host.
    #[serde(default = "registry")]
    absence: Vec<Need>,
}

/// A release of the product, and the builds that run before and after the campaign's update.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Release {
    pub(crate) name: String,
    /// Its cumulative update or hotfix, in words.
    pub(crate) update: String,
    /// The build that was installed first, years ago.
    pub(crate) first: String,
    pub(crate) before: String,
    pub(crate) after: String,
    /// What the installer calls the update, where it is not the campaign's usual one.
    #[serde(default)]
    pub(crate) security_update: Option<String>,
}

/// What belongs to a weakness itself, and not to the tools of who uses it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Unavoidable {
    /// Files of the pack's rules that name it.
    pub(crate) rules: Vec<String>,
    /// Words, in small letters, that rules name and any attack of this kind has.
    pub(crate) words: Vec<String>,
}

/// Setup keys and services: a product that neither hive speaks of is not installed.
fn registry() -> Vec<Need> {
    let hive = |source: Source| vec![vec![source.name()]];
    vec![hive(Source::SoftwareHive), hive(Source::SystemHive)]
}

/// Whether a step of that stage proves that somebody got in.
pub(crate) fn proves_effect(stage: &str) -> bool {
    STAGES[1..].contains(&stage)
}

/// What was written of one collection.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) taken: Moment,
    pub(crate) filter: Filter,
    pub(crate) damaged: Vec<Damaged>,
}

/// A span of time: from, until.
pub(crate) type Exposed = (Moment, Moment);

impl Campaign {
    /// # Errors
    /// When there is no campaign of that name, or its file is wrong.
    pub(crate) fn named(name: &str) -> Result<Self, Error> {
        let text = library()
            .of_campaign(name, FILE)
            .ok_or_else(|| Error::Campaign(name.to_owned()))?;
        let mut campaign: Self = serde_json::from_str(text)?;
        name.clone_into(&mut campaign.name);
        Ok(campaign)
    }

    /// All campaigns that there are, by name.
    pub(crate) fn all() -> Result<Vec<Self>, Error> {
        library().campaigns().map(Self::named).collect()
    }

    /// The release whose cumulative update is that of `build`.
    pub(crate) fn release_of(&self, build: &str) -> Option<Release> {
        let level = |build: &str| build.rsplit_once('.').map(|(level, _)| level.to_owned());
        self.builds
            .iter()
            .find(|release| level(&release.before) == level(build))
            .cloned()
    }

    /// Whether a build has the weakness.
    ///
    /// As vendors publish it: an update fixes the cumulative update that it is for, or that and all later ones of its
    /// family. A family for which no fix was published never had the weakness.
    pub(crate) fn is_vulnerable(&self, build: Build) -> Result<bool, Error> {
        let parse = |texts: &[String]| {
            let builds = texts.iter().map(|text| Build::parse(text));
            builds.collect::<Result<Vec<_>, _>>()
        };
        let (own, all_later) = (parse(&self.fixed)?, parse(&self.fixed_from)?);
        let same_family = |fixed: &&Build| fixed.0[..2] == build.0[..2];
        if !own
            .iter()
            .chain(&all_later)
            .any(|fixed| same_family(&fixed))
        {
            return Ok(false);
        }
        let in_own = own
            .iter()
            .any(|fixed| fixed.0[..3] == build.0[..3] && *fixed <= build);
        let in_later = all_later
            .iter()
            .filter(same_family)
            .any(|fixed| *fixed <= build);
        Ok(!in_own && !in_later)
    }

    /// Whether the collections, the last one last, hold all that must be seen of the times at which the server could have
    /// been broken into. Logs began at `log_start`.
    pub(crate) fn is_covered(
        &self,
        collections: &[Written],
        log_start: Moment,
        exposed: &[Exposed],
    ) -> bool {
        let log_is_whole = |name: &String| {
            let (source, instance) = source_and_instance(name);
            source.is_some_and(|source| {
                exposed.iter().all(|(from, until)| {
                    log_start <= *from && is_whole(collections, source, instance, *from, *until)
                })
            })
        };
        let logs = self
            .logs
            .iter()
            .all(|need| need.iter().any(|way| way.iter().all(log_is_whole)));
        logs && hold_files(&self.files, collections)
    }

    /// Whether the last collection shows that the product is not there.
    pub(crate) fn shows_absence(&self, collections: &[Written]) -> bool {
        hold_files(&self.absence, collections)
    }

    /// The sources that its needs name: of each need all that may stand in for one another, logs first.
    pub(crate) fn needed(&self) -> (Vec<Vec<Source>>, Vec<Vec<Source>>) {
        let sources = |needs: &[Need]| {
            let of_need = |need: &Need| {
                let names = need.iter().flatten();
                let mut sources: Vec<Source> = names
                    .filter_map(|name| source_and_instance(name).0)
                    .collect();
                sources.sort();
                sources.dedup();
                sources
            };
            needs.iter().map(of_need).collect()
        };
        (sources(&self.logs), sources(&self.files))
    }
}

/// Whether the last of the collections holds a way of each need.
fn hold_files(needs: &[Need], collections: &[Written]) -> bool {
    let Some(last) = collections.last() else {
        return false;
    };
    let is_there = |name: &String| {
        let source = source_and_instance(name).0;
        source.is_some_and(|source| last.filter.keeps_file(source))
    };
    needs
        .iter()
        .all(|need| need.iter().any(|way| way.iter().all(is_there)))
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
        self.filter.has_any(source, instance)
            && !damaged
            && !self.filter.left_out(source, instance, from, until)
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
    use std::collections::BTreeMap;

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
    fn the_needs_name_sources_that_there_are_and_builds_get_fixed() {
        for campaign in Campaign::all().unwrap() {
            let needs = [&campaign.logs, &campaign.files, &campaign.absence];
            for name in needs.into_iter().flatten().flatten().flatten() {
                assert!(
                    source_and_instance(name).0.is_some(),
                    "{}: {name}",
                    campaign.name
                );
            }
            let (from, until) = campaign.simulated;
            assert!(from < until, "{}", campaign.name);
            for release in &campaign.builds {
                let vulnerable = |text: &String| {
                    let build = Build::parse(text).unwrap();
                    campaign.is_vulnerable(build).unwrap()
                };
                assert!(!vulnerable(&release.after), "{release:?}");
            }
        }
        assert!(Campaign::named("heartbleed").is_err());
    }

    #[test]
    fn an_update_fixes_its_own_cumulative_update_or_all_later_ones() {
        let campaign = Campaign {
            fixed: vec!["15.1.2106.13".into()],
            fixed_from: vec!["15.1.2242.4".into()],
            ..Campaign::named("proxylogon").unwrap()
        };
        let vulnerable = |text: &str| {
            let build = Build::parse(text).unwrap();
            campaign.is_vulnerable(build).unwrap()
        };
        assert!(vulnerable("15.1.2106.2") && !vulnerable("15.1.2106.13"));
        assert!(!vulnerable("15.1.2106.20"));
        // Between the two, and before both.
        assert!(vulnerable("15.1.2176.99") && vulnerable("15.1.1000.99"));
        assert!(vulnerable("15.1.2242.3") && !vulnerable("15.1.2242.4"));
        assert!(!vulnerable("15.1.2507.1"));
        // No fix was published for this family.
        assert!(!vulnerable("15.2.1.1"));
    }
}
