//! The tables by which priority is told, from `knowledge/ssvc` and `knowledge/priority`; checked when they are loaded.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};

const COORDINATOR: &str = include_str!("../../../../knowledge/ssvc/coordinator.csv");
const DIRECTIVE: &str = include_str!("../../../../knowledge/ssvc/bod-26-04.csv");
const OUTCOMES: &str = include_str!("../../../../knowledge/ssvc/outcomes.csv");
const VULNERABILITIES: &str = include_str!("../../../../knowledge/ssvc/vulnerabilities.csv");
const WEIGHTS: &str = include_str!("../../../../knowledge/priority/weights.csv");
const POINTS: &str = include_str!("../../../../knowledge/priority/points.csv");
const SECTORS: &str = include_str!("../../../../knowledge/priority/sectors.csv");
const LINKS: &str = include_str!("../../../../knowledge/priority/links.csv");
const WORK: &str = include_str!("../../../../knowledge/priority/work.csv");

/// The values of each decision point, the least urgent first.
const EXPLOITATION: &[&str] = &["none", "public_poc", "active"];
const NO_YES: &[&str] = &["no", "yes"];
const IMPACT: &[&str] = &["partial", "total"];
const MISSION: &[&str] = &["low", "medium", "high"];

/// Why a table cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{table}: {problem}")]
pub struct TableError {
    pub table: &'static str,
    pub problem: String,
}

/// What comes of a decision.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Outcome {
    table: String,
    pub outcome: String,
    /// The more urgent, the higher.
    pub rank: u32,
    pub points: f64,
    /// Days until it must be done, where the table sets any.
    pub days: Option<f64>,
    pub source: String,
}

/// A decision table: each combination of values has one outcome, and a more urgent value never gives a less urgent one.
#[derive(Clone, Debug)]
pub struct Decision {
    pub name: &'static str,
    points: &'static [(&'static str, &'static [&'static str])],
    rows: BTreeMap<Vec<usize>, (Outcome, String)>,
}

/// What a decision table says, where some facts may be unknown: the least and the most urgent outcome that are possible.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    pub table: &'static str,
    pub least: Outcome,
    pub most: Outcome,
    /// The rows they stand in.
    pub least_source: String,
    pub most_source: String,
}

impl Decision {
    /// Reads a table whose columns are the decision points, `outcome` and `source`.
    pub fn read(
        name: &'static str,
        points: &'static [(&'static str, &'static [&'static str])],
        text: &str,
        outcomes: &[Outcome],
    ) -> Result<Self, TableError> {
        let wrong = |problem: String| TableError {
            table: name,
            problem,
        };
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let heads = reader
            .headers()
            .map_err(|error| wrong(error.to_string()))?
            .clone();
        let column = |name: &str| {
            heads
                .iter()
                .position(|head| head == name)
                .ok_or_else(|| wrong(format!("the column {name} is missing")))
        };
        let columns = points
            .iter()
            .map(|(point, _)| column(point))
            .collect::<Result<Vec<_>, _>>()?;
        let (outcome, source) = (column("outcome")?, column("source")?);
        let mut rows = BTreeMap::new();
        for row in reader.records() {
            let row = row.map_err(|error| wrong(error.to_string()))?;
            let mut key = Vec::new();
            for ((point, values), column) in points.iter().zip(&columns) {
                let value = row.get(*column).unwrap_or_default();
                let at = values.iter().position(|known| *known == value);
                key.push(at.ok_or_else(|| wrong(format!("{point} cannot be {value:?}")))?);
            }
            let word = row.get(outcome).unwrap_or_default();
            let known = outcomes
                .iter()
                .find(|known| known.table == name && known.outcome == word)
                .ok_or_else(|| wrong(format!("no outcome is called {word:?}")))?;
            let source = row.get(source).unwrap_or_default();
            if source.is_empty() {
                return Err(wrong("a row has no source".to_owned()));
            }
            let before = rows.insert(key, (known.clone(), source.to_owned()));
            if before.is_some() {
                return Err(wrong(format!("two rows for one combination: {source}")));
            }
        }
        let table = Self { name, points, rows };
        table.check()?;
        Ok(table)
    }

    fn check(&self) -> Result<(), TableError> {
        let wrong = |problem: String| TableError {
            table: self.name,
            problem,
        };
        let all: usize = self.points.iter().map(|(_, values)| values.len()).product();
        if self.rows.len() != all {
            return Err(wrong(format!(
                "{} of {all} combinations have a row",
                self.rows.len()
            )));
        }
        for (key, (outcome, source)) in &self.rows {
            for at in 0..key.len() {
                let mut next = key.clone();
                next[at] += 1;
                if let Some((more, other)) = self.rows.get(&next)
                    && more.rank < outcome.rank
                {
                    return Err(wrong(format!("{other} is less urgent than {source}")));
                }
            }
        }
        Ok(())
    }

    /// Decides by the values that are known, in the order of the points; `None` is unknown.
    pub fn decide(&self, known: &[Option<&str>]) -> Decided {
        let at = |unknown: fn(usize) -> usize| -> Vec<usize> {
            let values = self.points.iter().zip(known);
            values
                .map(|((_, values), known)| {
                    known
                        .and_then(|known| values.iter().position(|value| *value == known))
                        .unwrap_or_else(|| unknown(values.len()))
                })
                .collect()
        };
        let row = |key: &Vec<usize>| self.rows[key].clone();
        let (least, least_source) = row(&at(|_| 0));
        let (most, most_source) = row(&at(|values| values - 1));
        Decided {
            table: self.name,
            least,
            most,
            least_source,
            most_source,
        }
    }
}

/// What is known of a vulnerability whoever has it.
#[derive(Clone, Debug, Deserialize)]
pub struct Vulnerability {
    pub cve: String,
    /// `yes` or `no`; absent where it is not settled.
    pub automatable: Option<String>,
    /// `partial` or `total`.
    pub technical_impact: Option<String>,
    pub source: String,
}

/// A part of the score.
#[derive(Clone, Debug, Deserialize)]
pub struct Weight {
    pub category: String,
    pub weight: f64,
    pub words: String,
    pub source: String,
}

#[derive(Clone, Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the table's columns")]
struct Points {
    category: String,
    value: String,
    points: f64,
    source: String,
}

#[derive(Clone, Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the table's columns")]
struct Sector {
    sector: String,
    level: String,
    source: String,
}

/// How one victim tells of another.
#[derive(Clone, Debug, Deserialize)]
pub struct Link {
    pub link: String,
    /// Points for each other victim, and at most.
    pub each: f64,
    pub most: f64,
    pub words: String,
    pub source: String,
}

/// What helping takes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Work {
    pub situation: String,
    pub skill: String,
    /// For the first server, for each more, and at most.
    pub hours: f64,
    pub hours_more: f64,
    pub hours_most: f64,
    /// Which share of the risk is gone when it is done.
    pub share: f64,
    pub source: String,
}

/// Everything that priority goes by.
#[derive(Clone, Debug)]
pub struct Tables {
    pub coordinator: Decision,
    pub directive: Decision,
    pub vulnerabilities: BTreeMap<String, Vulnerability>,
    pub weights: Vec<Weight>,
    points: Vec<Points>,
    sectors: BTreeMap<String, Sector>,
    pub links: Vec<Link>,
    pub work: Vec<Work>,
}

impl Tables {
    /// The tables that come with Allclear.
    pub fn builtin() -> Result<Self, TableError> {
        let outcomes: Vec<Outcome> = rows("ssvc/outcomes.csv", OUTCOMES)?;
        let coordinator: &[(&str, &[&str])] = &[
            ("exploitation", EXPLOITATION),
            ("automatable", NO_YES),
            ("technical_impact", IMPACT),
            ("mission_impact", MISSION),
        ];
        let directive: &[(&str, &[&str])] = &[
            ("in_kev", NO_YES),
            ("publicly_exposed", NO_YES),
            ("automatable", NO_YES),
            ("technical_impact", IMPACT),
        ];
        let vulnerabilities: Vec<Vulnerability> =
            rows("ssvc/vulnerabilities.csv", VULNERABILITIES)?;
        let sectors: Vec<Sector> = rows("priority/sectors.csv", SECTORS)?;
        let tables = Self {
            coordinator: Decision::read("coordinator", coordinator, COORDINATOR, &outcomes)?,
            directive: Decision::read("bod-26-04", directive, DIRECTIVE, &outcomes)?,
            vulnerabilities: vulnerabilities
                .into_iter()
                .map(|row| (row.cve.clone(), row))
                .collect(),
            weights: rows("priority/weights.csv", WEIGHTS)?,
            points: rows("priority/points.csv", POINTS)?,
            sectors: sectors
                .into_iter()
                .map(|row| (row.sector.clone(), row))
                .collect(),
            links: rows("priority/links.csv", LINKS)?,
            work: work(WORK)?,
        };
        tables.check()?;
        Ok(tables)
    }

    fn check(&self) -> Result<(), TableError> {
        let wrong = |problem: &str| TableError {
            table: "priority",
            problem: problem.to_owned(),
        };
        let in_range = |points: f64| (0.0..=100.0).contains(&points);
        if !self.points.iter().all(|row| in_range(row.points)) {
            return Err(wrong("points lie between 0 and 100"));
        }
        let mut categories = BTreeSet::new();
        for row in &self.weights {
            let usable = row.weight.is_finite() && row.weight > 0.0;
            if !usable || !categories.insert(row.category.as_str()) {
                return Err(wrong("each category has one positive weight"));
            }
        }
        let sourced = self.weights.iter().all(|row| !row.source.is_empty())
            && self.points.iter().all(|row| !row.source.is_empty())
            && self.sectors.values().all(|row| !row.source.is_empty())
            && self.links.iter().all(|row| !row.source.is_empty())
            && (self.vulnerabilities.values()).all(|row| !row.source.is_empty());
        if !sourced {
            return Err(wrong("a row has no source"));
        }
        Ok(())
    }

    /// The points of a value, with who says so.
    pub fn points(&self, category: &str, value: &str) -> Option<(f64, &str)> {
        let row = (self.points.iter()).find(|row| row.category == category && row.value == value);
        row.map(|row| (row.points, row.source.as_str()))
    }

    /// The points of the highest step that a number reaches.
    pub fn step(&self, category: &str, number: usize) -> Option<(f64, &str)> {
        let rows = self.points.iter().filter(|row| row.category == category);
        let steps = rows.filter_map(|row| {
            let from: usize = row.value.parse().ok()?;
            (from <= number).then_some((from, row))
        });
        let (_, row) = steps.max_by_key(|(from, _)| *from)?;
        Some((row.points, row.source.as_str()))
    }

    /// How much others depend on a sector (`low`, `medium`, `high`), with who says so.
    pub fn sector(&self, name: &str) -> Option<(&str, &str)> {
        let row = self.sectors.get(name)?;
        Some((row.level.as_str(), row.source.as_str()))
    }
}

fn rows<T: DeserializeOwned>(table: &'static str, text: &str) -> Result<Vec<T>, TableError> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: Result<Vec<T>, csv::Error> = reader.deserialize().collect();
    rows.map_err(|error| TableError {
        table,
        problem: error.to_string(),
    })
}

/// Reads a table of what helping takes.
pub fn work(text: &str) -> Result<Vec<Work>, TableError> {
    let table = "work.csv";
    let read: Vec<Work> = rows(table, text)?;
    let wrong = |problem: String| TableError { table, problem };
    let mut seen = BTreeSet::new();
    for row in &read {
        let hours = [row.hours, row.hours_more, row.hours_most];
        if !hours.iter().all(|hours| (0.0..=10_000.0).contains(hours)) || row.hours < 0.1 {
            return Err(wrong(format!(
                "{}: hours lie between 0.1 and 10000",
                row.situation
            )));
        }
        if !(0.0..=1.0).contains(&row.share) {
            return Err(wrong(format!(
                "{}: a share lies between 0 and 1",
                row.situation
            )));
        }
        if row.skill.is_empty() || row.source.is_empty() {
            return Err(wrong(format!(
                "{}: skill or source is missing",
                row.situation
            )));
        }
        if super::Situation::parse(&row.situation).is_none() {
            return Err(wrong(format!("no situation is called {:?}", row.situation)));
        }
        if !seen.insert(row.situation.as_str()) {
            return Err(wrong(format!("{} stands twice", row.situation)));
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_table_is_whole() {
        let tables = Tables::builtin().expect("they are");
        assert_eq!(tables.coordinator.rows.len(), 36);
        assert_eq!(tables.directive.rows.len(), 16);
    }

    #[test]
    fn a_table_with_a_hole_or_a_step_back_is_refused() {
        let outcomes: Vec<Outcome> = rows("ssvc/outcomes.csv", OUTCOMES).expect("reads");
        let points: &[(&str, &[&str])] = &[
            ("in_kev", NO_YES),
            ("publicly_exposed", NO_YES),
            ("automatable", NO_YES),
            ("technical_impact", IMPACT),
        ];
        let read = |text: &str| {
            Decision::read("bod-26-04", points, text, &outcomes)
                .map(|_| ())
                .map_err(|error| error.problem)
        };
        let (whole, _) = DIRECTIVE.trim_end().rsplit_once('\n').expect("rows");
        assert_eq!(read(whole), Err("15 of 16 combinations have a row".into()));
        let last = "yes,yes,yes,total,60 days,here\n";
        let back = read(&format!("{whole}\n{last}"));
        assert!(back.is_err_and(|problem| problem.starts_with("here is less urgent than")));
        assert!(read(&format!("{DIRECTIVE}{last}")).is_err());
    }

    #[test]
    fn what_is_unknown_spans_what_is_possible() {
        let tables = Tables::builtin().expect("they are whole");
        let known = [Some("yes"), Some("yes"), None, Some("total")];
        let decided = tables.directive.decide(&known);
        assert_eq!(decided.least.outcome, "3 days & forensic investigation");
        let decided = tables.coordinator.decide(&[None, None, None, None]);
        assert_eq!(decided.least.outcome, "track");
        assert_eq!(decided.most.outcome, "act");
    }
}
