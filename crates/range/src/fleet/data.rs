//! The tables that fleets are drawn from, as `data/fleet.json` states them.
//!
//! Each table says in the file where its figures come from, or that they are an assumption.

use crate::Error;
use crate::moment::Moment;
use crate::random::Random;
use crate::source::Source;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

pub(super) const TABLES: &str = include_str!("../../data/fleet.json");

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Tables {
    pub(super) sizes: Table<Size>,
    pub(super) sectors: Table<Sector>,
    pub(super) countries: Table<Country>,
    pub(super) names: Names,
    pub(super) patching: Patching,
    pub(super) no_exchange: NoExchange,
    pub(super) collected: Collected,
    pub(super) waves: Table<Wave>,
    pub(super) groups: Table<Group>,
    pub(super) again: Again,
    /// What scenarios call those who break in, the first one first.
    pub(super) roles: Vec<String>,
    pub(super) siblings: Rate,
    pub(super) intrusions: Table<Intrusion>,
    pub(super) quiet_hosts: Table<QuietHost>,
    pub(super) holes: Holes,
    pub(super) retention: Table<Retention>,
}

impl Tables {
    pub(super) fn new() -> Result<Self, Error> {
        Ok(serde_json::from_str(TABLES)?)
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Table<T> {
    pub(super) rows: Vec<T>,
}

/// A row that is drawn as often as its weight says.
pub(super) trait Weighted {
    fn weight(&self) -> u64;
}

/// One of the rows, by their weights; absent where there is none.
pub(super) fn draw<'a, T: Weighted>(
    random: &mut Random,
    rows: impl Iterator<Item = &'a T> + Clone,
) -> Option<&'a T> {
    let total: u64 = rows.clone().map(Weighted::weight).sum();
    // Drawn in any case, so that an empty table does not shift what is drawn later.
    let mut left = random.below(total.max(1));
    rows.into_iter().find(|row| {
        let found = left < row.weight();
        left = left.saturating_sub(row.weight());
        found
    })
}

macro_rules! weighted {
    ($($row:ty),*) => {
        $(impl Weighted for $row {
            fn weight(&self) -> u64 {
                self.weight
            }
        })*
    };
}

weighted!(
    Size, Sector, Country, Hours, Group, Intrusion, QuietHost, Retention
);

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Rate {
    per_10000: u64,
}

impl Rate {
    pub(super) fn happens(self, random: &mut Random) -> bool {
        random.below(10_000) < self.per_10000
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Size {
    pub(super) employees: (i64, i64),
    weight: u64,
    pub(super) servers: (i64, i64),
    pub(super) tilt: i64,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Sector {
    pub(super) name: String,
    weight: u64,
    pub(super) tilt: i64,
    /// Whether the intruders of the first wave look for such organisations.
    pub(super) targeted: bool,
    pub(super) words: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Country {
    pub(super) code: String,
    weight: u64,
    pub(super) tilt: i64,
    pub(super) utc_offset_minutes: i64,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Names {
    pub(super) first: Vec<String>,
    /// `{nn}` stands for a number of two digits.
    pub(super) hosts: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Patching {
    pub(super) hours: Vec<Hours>,
    pub(super) minutes_between_servers: (i64, i64),
    /// How often a server of several is not patched together with the others.
    pub(super) own_date_per_10000: u64,
}

/// Hours of a day: from, included, until, excluded.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Hours {
    pub(super) from: i64,
    pub(super) until: i64,
    weight: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Collected {
    pub(super) earliest: Timestamp,
    pub(super) latest: Timestamp,
    pub(super) days_after_patch: (i64, i64),
}

/// A time in which servers are broken into at a steady rate.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Wave {
    pub(super) name: String,
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    /// How many of a million vulnerable servers are broken into each day.
    pub(super) per_million_a_day: u64,
    /// The same for sectors that are targeted.
    pub(super) targeted_per_million_a_day: u64,
    /// The kinds of groups that take part.
    pub(super) kinds: Vec<String>,
}

/// How much more often a server that was broken into once meets another group.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Again {
    pub(super) times_as_often: u64,
}

/// People who break in, with the same tools everywhere.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) kind: String,
    /// The first time it was seen.
    pub(super) since: Timestamp,
    weight: u64,
    /// When it works, by UTC.
    pub(super) hours: (i64, i64),
    pub(super) weekends: bool,
}

/// What an intruder may do.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Intrusion {
    pub(super) scenario: String,
    weight: u64,
    /// The kinds of groups that do so.
    pub(super) kinds: Vec<String>,
    /// The waves in which it happens; all where there is none.
    #[serde(default)]
    pub(super) waves: Vec<String>,
    /// How many groups it takes.
    #[serde(default = "one")]
    pub(super) groups: usize,
}

fn one() -> usize {
    1
}

/// What happens on a host that nobody broke into.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct QuietHost {
    pub(super) scenario: String,
    weight: u64,
    /// Whether the host was patched before it was collected.
    patched: bool,
    /// Since when and until when it was patched, where that matters.
    #[serde(default)]
    from: Option<Timestamp>,
    #[serde(default)]
    until: Option<Timestamp>,
    /// Whether the owner only mitigates the weakness at that time.
    #[serde(default)]
    pub(super) mitigates: bool,
}

impl QuietHost {
    /// Whether it is for a host that was patched at this time, or not at all.
    pub(super) fn is_for(&self, patched: Option<Moment>) -> bool {
        let Some(time) = patched else {
            return !self.patched;
        };
        let after = self.from.is_none_or(|from| Moment::from(from) <= time);
        self.patched && after && self.until.is_none_or(|until| time < Moment::from(until))
    }
}

/// Hosts without the product.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct NoExchange {
    pub(super) per_10000: u64,
    pub(super) scenario: String,
}

/// Days of logs that are lost.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Holes {
    pub(super) per_10000: u64,
    pub(super) earliest: Timestamp,
    pub(super) days: (i64, i64),
    pub(super) sources: Vec<Source>,
}

/// How long logs are kept.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Retention {
    weight: u64,
    pub(super) days: BTreeMap<Source, u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_says_what_it_rests_on() {
        let tables: BTreeMap<String, serde_json::Value> = serde_json::from_str(TABLES).unwrap();
        for (name, table) in tables
            .iter()
            .filter(|(name, _)| !["about", "roles"].contains(&name.as_str()))
        {
            let says = |key: &str| {
                table
                    .get(key)
                    .is_some_and(|text| text.as_str().unwrap().len() > 30)
            };
            assert!(says("source") || says("assumption"), "{name}");
        }
    }

    #[test]
    fn rows_are_drawn_by_weight() {
        let tables = Tables::new().unwrap();
        let mut random = Random::new(1, "rows", 0);
        let drawn = (0..10_000)
            .filter(|_| {
                draw(&mut random, tables.countries.rows.iter())
                    .unwrap()
                    .code
                    == "US"
            })
            .count();
        let total: u64 = tables.countries.rows.iter().map(Weighted::weight).sum();
        let wanted = 10_000 * tables.countries.rows[0].weight / total;
        assert!(drawn.abs_diff(usize::try_from(wanted).unwrap()) < 250);
        assert!(draw(&mut random, [].iter().map(|row: &Size| row)).is_none());
    }
}
