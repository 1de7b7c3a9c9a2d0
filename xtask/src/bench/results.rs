//! Figures of one workload, as they are kept between runs and shown.

use super::measure::Cost;
use serde::{Deserialize, Serialize};

/// One contestant's line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) does: String,
    pub(super) ours: bool,
    pub(super) cores: u32,
    pub(super) command: String,
    /// The median round.
    pub(super) cost: Cost,
    /// Time of the first round: a cold start, where there is something to warm up.
    pub(super) first_seconds: f64,
    pub(super) least_seconds: f64,
    pub(super) most_seconds: f64,
    pub(super) runs: u64,
    /// What it read.
    pub(super) bytes: u64,
    pub(super) hits: Option<u64>,
    pub(super) rules: Option<u64>,
}

/// Something that this workload should show, and whether it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Goal {
    pub(super) what: String,
    pub(super) measured: String,
    pub(super) holds: bool,
}

/// A table that belongs to the workload besides its times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Table {
    pub(super) title: String,
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

/// All that is told of one workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) title: String,
    /// What is measured, and what is not the same between contestants.
    pub(super) about: String,
    /// The load, with its size and numbers.
    pub(super) load: String,
    pub(super) commit: String,
    pub(super) scale: String,
    pub(super) rounds: u64,
    pub(super) rows: Vec<Row>,
    /// Who did not take part, and why.
    pub(super) absent: Vec<String>,
    pub(super) goals: Vec<Goal>,
    pub(super) notes: Vec<String>,
    pub(super) tables: Vec<Table>,
}

impl Row {
    /// Megabytes a second.
    pub(super) fn pace(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.seconds()
    }

    /// Wall time of the median round, never nothing.
    pub(super) fn seconds(&self) -> f64 {
        self.cost.wall_seconds.max(0.001)
    }

    pub(super) fn peak_megabytes(&self) -> Option<f64> {
        self.cost.peak_bytes.map(|bytes| bytes as f64 / 1e6)
    }
}

/// Rows of a workload, to be asked by name.
pub(super) struct Rows<'a>(pub(super) &'a [Row]);

impl<'a> Rows<'a> {
    pub(super) fn named(&self, name: &str) -> Option<&'a Row> {
        self.0.iter().find(|row| row.name == name)
    }

    /// That one takes no longer than so many times the other's time.
    pub(super) fn within(&self, name: &str, other: &str, times: f64, what: &str) -> Option<Goal> {
        let ratio = self.named(name)?.seconds() / self.named(other)?.seconds();
        Some(Goal {
            what: what.to_owned(),
            measured: format!("{ratio:.2} times its time"),
            holds: ratio <= times,
        })
    }

    /// That one is at least so many times as fast as the other.
    pub(super) fn faster(&self, name: &str, other: &str, times: f64, what: &str) -> Option<Goal> {
        let ratio = self.named(other)?.seconds() / self.named(name)?.seconds();
        Some(Goal {
            what: what.to_owned(),
            measured: format!("{ratio:.1} times as fast"),
            holds: ratio >= times,
        })
    }

    /// That one's peak memory stays below a bound.
    pub(super) fn memory_below(&self, name: &str, megabytes: f64) -> Option<Goal> {
        let peak = self.named(name)?.peak_megabytes()?;
        Some(Goal {
            what: format!("peak memory under {megabytes:.0} MB"),
            measured: format!("{peak:.0} MB"),
            holds: peak < megabytes,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::bench) fn row(name: &str, ours: bool, wall_seconds: f64) -> Row {
        Row {
            name: name.to_owned(),
            does: "all".to_owned(),
            ours,
            cores: 1,
            command: format!("run {name}"),
            cost: Cost {
                wall_seconds,
                cpu_seconds: Some(wall_seconds),
                peak_bytes: Some(20_000_000),
            },
            first_seconds: wall_seconds,
            least_seconds: wall_seconds,
            most_seconds: wall_seconds,
            runs: 3,
            bytes: 100_000_000,
            hits: Some(12),
            rules: None,
        }
    }

    #[test]
    fn goals_hold_or_do_not() {
        let rows = [row("we", true, 2.0), row("they", false, 1.0)];
        let rows = Rows(&rows);
        let within = rows.within("we", "they", 3.0, "w").unwrap();
        assert!(within.holds);
        assert_eq!(within.measured, "2.00 times its time");
        let faster = rows.faster("we", "they", 3.0, "f").unwrap();
        assert!(!faster.holds);
        assert_eq!(faster.measured, "0.5 times as fast");
        assert!(rows.within("we", "nobody", 1.0, "n").is_none());
        assert!(rows.memory_below("we", 21.0).unwrap().holds);
        assert!(!rows.memory_below("we", 20.0).unwrap().holds);
    }
}
