//! Counts as shares, and the spread of errors in time; both print and compare exactly.

use model::report::Share;
use serde::{Deserialize, Serialize};

/// So many of so many. In JSON `share` stands beside the counts: rounded down to thousandths, so that only the whole is 1,
/// and `null` where there was nothing to count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Rate {
    pub right: u64,
    pub of: u64,
}

#[derive(Serialize, Deserialize)]
struct Written {
    right: u64,
    of: u64,
    #[serde(default)]
    share: Option<Share>,
}

impl Rate {
    /// `right` of `of`.
    pub fn of(right: usize, of: usize) -> Self {
        Self {
            right: right as u64,
            of: of as u64,
        }
    }

    /// How many of these hold.
    pub fn count(outcomes: impl IntoIterator<Item = bool>) -> Self {
        let mut rate = Self::default();
        for outcome in outcomes {
            rate.add(outcome);
        }
        rate
    }

    pub(crate) fn add(&mut self, right: bool) {
        self.of += 1;
        self.right += u64::from(right);
    }

    /// The share that is right, rounded down to thousandths; nothing of nothing is no share.
    pub fn share(self) -> Option<Share> {
        (self.of > 0).then(|| Share::of(self.right, self.of))
    }
}

impl From<Written> for Rate {
    fn from(written: Written) -> Self {
        Self {
            right: written.right,
            of: written.of,
        }
    }
}

impl From<Rate> for Written {
    fn from(rate: Rate) -> Self {
        Self {
            right: rate.right,
            of: rate.of,
            share: rate.share(),
        }
    }
}

/// How far times are off: the middle, the worst but a tenth, and the worst. Absent where no time was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// How many times were compared.
    pub count: u64,
    pub median_milliseconds: Option<u64>,
    /// Nine of ten are off by no more than this (nearest rank).
    pub ninetieth_milliseconds: Option<u64>,
    pub max_milliseconds: Option<u64>,
}

impl Spread {
    /// The spread of these errors, in milliseconds, in whatever order.
    pub fn of(mut errors: Vec<u64>) -> Self {
        errors.sort_unstable();
        // The nearest rank: the smallest value that so many of a hundred do not pass.
        let ranked = |percent: usize| {
            let rank = (errors.len() * percent).div_ceil(100);
            errors.get(rank.checked_sub(1)?).copied()
        };
        Self {
            count: errors.len() as u64,
            median_milliseconds: ranked(50),
            ninetieth_milliseconds: ranked(90),
            max_milliseconds: errors.last().copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_is_one_and_nothing_of_nothing_is_no_share() {
        let share = |right, of| Rate { right, of }.share().map(Share::thousandths);
        assert_eq!(share(9_999, 10_000), Some(999));
        assert_eq!(share(3, 3), Some(1_000));
        assert_eq!(share(0, 0), None);
        let written = serde_json::to_string(&Rate { right: 1, of: 3 }).unwrap();
        assert_eq!(written, r#"{"right":1,"of":3,"share":0.333}"#);
        let read: Rate = serde_json::from_str(&written).unwrap();
        assert_eq!(read, Rate { right: 1, of: 3 });
        let nothing = serde_json::to_string(&Rate::default()).unwrap();
        assert_eq!(nothing, r#"{"right":0,"of":0,"share":null}"#);
    }

    #[test]
    fn ranks_are_values_that_occurred() {
        let spread = Spread::of((1..=10).rev().collect());
        assert_eq!(spread.count, 10);
        assert_eq!(spread.median_milliseconds, Some(5));
        assert_eq!(spread.ninetieth_milliseconds, Some(9));
        assert_eq!(spread.max_milliseconds, Some(10));
        assert_eq!(Spread::of(vec![]), Spread::default());
        assert_eq!(Spread::of(vec![7]).median_milliseconds, Some(7));
    }
}
