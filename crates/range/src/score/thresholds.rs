//! The last good score, below which nothing may fall.

use super::{Score, rate::Rate};
use model::report::Share;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The smallest shares that pass. Grave errors have no entry: none is ever allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    pub schema: String,
    /// At least so many verdicts must be scored, or the shares would say nothing.
    pub verdicts: u64,
    /// Smallest share for each headline, by its name.
    pub minimum: BTreeMap<String, Share>,
}

impl Thresholds {
    /// The value of [`Thresholds::schema`].
    pub const SCHEMA: &str = "allclear/range-thresholds/1";
}

impl Default for Thresholds {
    /// Allows everything but grave errors.
    fn default() -> Self {
        Self {
            schema: Self::SCHEMA.to_owned(),
            verdicts: 0,
            minimum: BTreeMap::new(),
        }
    }
}

/// What is worse than it may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Regression {
    /// Somebody was assured of what is not so.
    GraveErrors { count: u64 },
    /// Fewer verdicts than the threshold was set with.
    TooFewVerdicts { verdicts: u64, minimum: u64 },
    /// A headline fell, or there was nothing to count.
    Below {
        name: String,
        rate: Rate,
        minimum: Share,
    },
    /// A threshold names a headline that this score does not have.
    NoSuchHeadline { name: String },
}

impl fmt::Display for Regression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GraveErrors { count } => write!(f, "grave errors: {count}; none is allowed"),
            Self::TooFewVerdicts { verdicts, minimum } => {
                write!(f, "{verdicts} verdicts scored; there must be {minimum}")
            }
            Self::Below {
                name,
                rate,
                minimum,
            } => {
                let minimum = percent(Some(*minimum));
                match rate.share() {
                    Some(share) => write!(
                        f,
                        "{name} is {} ({} of {}); it must be {minimum}",
                        percent(Some(share)),
                        rate.right,
                        rate.of
                    ),
                    None => write!(f, "{name} has nothing to count; it must be {minimum}"),
                }
            }
            Self::NoSuchHeadline { name } => write!(f, "no headline is named {name}"),
        }
    }
}

/// With one decimal, rounded down; `–` for a share of nothing.
pub(crate) fn percent(share: Option<Share>) -> String {
    match share.map(Share::thousandths) {
        Some(thousandths) => format!("{}.{} %", thousandths / 10, thousandths % 10),
        None => "–".to_owned(),
    }
}

/// What is worse than it may be; empty where all is well.
pub fn compare(score: &Score, thresholds: &Thresholds) -> Vec<Regression> {
    let mut regressions = Vec::new();
    if !score.grave_errors.is_empty() {
        let count = score.grave_errors.len() as u64;
        regressions.push(Regression::GraveErrors { count });
    }
    let verdicts = score.hosts.verdicts;
    if verdicts < thresholds.verdicts {
        regressions.push(Regression::TooFewVerdicts {
            verdicts,
            minimum: thresholds.verdicts,
        });
    }
    for (name, minimum) in &thresholds.minimum {
        let name = name.clone();
        match score.headline(&name) {
            None => regressions.push(Regression::NoSuchHeadline { name }),
            Some(rate) if rate.share().is_none_or(|share| share < *minimum) => {
                regressions.push(Regression::Below {
                    name,
                    rate,
                    minimum: *minimum,
                });
            }
            Some(_) => {}
        }
    }
    regressions
}

/// The thresholds after a score: each as high as before, or higher where the score is. Nothing ever falls, and a score
/// with grave errors raises nothing.
#[must_use]
pub fn raise(score: &Score, thresholds: &Thresholds) -> Thresholds {
    let mut raised = thresholds.clone();
    if !score.grave_errors.is_empty() {
        return raised;
    }
    raised.verdicts = raised.verdicts.max(score.hosts.verdicts);
    for headline in &score.headlines {
        if let Some(share) = headline.rate.share() {
            let minimum = raised.minimum.entry(headline.name.clone()).or_insert(share);
            *minimum = share.max(*minimum);
        }
    }
    raised
}
