//! Analyses: algorithms that rules cannot express, named by packs.
//!
//! A pack's `analyses.yaml` names an algorithm, says in which records to look and in which of their fields, gives it
//! its parameters, and says what each of its outcomes shows ([`pack::AnalysisRule`]). The algorithms stand in this
//! folder, one file each, and know no campaign. To add one: a file here, a line in [`ALGORITHMS`], and one in
//! [`pack::ANALYSES`], which the linter of packs asks.
//!
//! An algorithm sees the records of one item one by one, may join what they tell, and tells at the end of the item.

mod victim_names;

use crate::engine::{ProblemKind, RuleProblem};
use crate::table::{shortened, text_of};
use model::{
    At, EVIDENCE_BYTES_MAX, Finding, GapKind, Place, Record, SourceName, Stage, Timestamp,
};
use pack::{AnalysedAbout, AnalysedRecords, AnalysisRule, Pack};
use serde_yaml_ng::Value as Parameters;
use std::collections::BTreeMap;
use std::fmt;

/// Levels as in Sigma, the lowest first.
const LEVELS: [&str; 4] = ["low", "medium", "high", "critical"];

/// Detail that names the host a finding is about, where it is another than that of the evidence.
pub(crate) const SUBJECT: &str = "subject";

/// An algorithm, by the name that packs use.
#[derive(Clone, Copy)]
struct Algorithm {
    name: &'static str,
    /// Reads its parameters; an error says what is wrong with them.
    compile: fn(&Parameters) -> Result<Box<dyn Analysis>, String>,
}

/// Every algorithm.
const ALGORITHMS: &[Algorithm] = &[Algorithm {
    name: "victim_names",
    compile: victim_names::compile,
}];

/// An algorithm with its parameters.
trait Analysis: fmt::Debug + Send + Sync {
    /// Begins to look at the records of one item.
    fn begin<'a>(&'a self) -> Box<dyn Run + 'a>;
}

/// One algorithm at work on one item.
trait Run {
    /// Looks at a record; says what comes of it, where anything does.
    fn look(&mut self, input: &Input<'_>) -> Option<&'static str>;

    /// What all records together tell, in a stable order.
    fn finish(self: Box<Self>) -> Summary;
}

/// What an algorithm sees of a record.
struct Input<'a> {
    record: &'a dyn Record,
    fields: &'a AnalysedRecords,
}

/// What an algorithm tells of an item.
#[derive(Debug, Default)]
struct Summary {
    told: Vec<Told>,
    /// Records with a result that a bound kept out of `told`.
    untold: u64,
}

/// One result.
#[derive(Debug)]
struct Told {
    /// One of the algorithm's outcomes.
    outcome: &'static str,
    /// The first record that shows it.
    at: At,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    count: u64,
    /// That record, as its log holds it.
    evidence: String,
    details: BTreeMap<String, String>,
    /// The host it is about, where the records speak of others.
    subject: Option<String>,
}

impl Input<'_> {
    /// The text of an input; `None` where the record has none of its fields, or they are empty.
    fn text(&self, name: &str) -> Option<String> {
        let fields = self.fields.inputs.get(name)?;
        let mut texts = fields
            .iter()
            .filter_map(|field| text_of(self.record, field));
        texts.find(|text| !matches!(text.trim(), "" | "-"))
    }

    fn is_about_asking_host(&self) -> bool {
        self.fields.about == AnalysedAbout::AskingHost
    }
}

impl Told {
    /// The first record that shows something.
    fn new(outcome: &'static str, record: &dyn Record) -> Self {
        Self {
            outcome,
            at: record.at(),
            first: record.time(),
            last: record.time(),
            count: 1,
            evidence: shortened(&record.raw(), EVIDENCE_BYTES_MAX),
            details: BTreeMap::new(),
            subject: None,
        }
    }

    /// Counts another record that shows the same.
    fn add(&mut self, time: Option<Timestamp>) {
        self.count = self.count.saturating_add(1);
        let times = [self.first, self.last, time];
        self.first = times.iter().flatten().min().copied();
        self.last = times.iter().flatten().max().copied();
    }
}

/// The analyses of all packs of a run.
#[derive(Debug, Default)]
pub(crate) struct Analyses(Vec<Compiled>);

/// One analysis of a pack.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) rule: AnalysisRule,
    pub(crate) campaign: String,
    analysis: Box<dyn Analysis>,
}

impl Analyses {
    /// Finds the algorithms that packs name and gives them their parameters; what cannot be run is told in `problems`.
    pub(crate) fn new(packs: &[Pack], problems: &mut Vec<RuleProblem>) -> Self {
        let mut all = Vec::new();
        for pack in packs {
            for rule in &pack.analyses {
                match compile(rule) {
                    Ok(analysis) => all.push(Compiled {
                        rule: rule.clone(),
                        campaign: pack.manifest.name.clone(),
                        analysis,
                    }),
                    Err(why) => problems.push(RuleProblem {
                        path: format!("{}/analyses.yaml", pack.manifest.name),
                        rule: rule.id.clone(),
                        why,
                        kind: ProblemKind::NotUnderstood,
                    }),
                }
            }
        }
        Self(all)
    }

    /// Whether any looks at the records of this source.
    pub(crate) fn want(&self, source: &SourceName) -> bool {
        let mut all = self.0.iter();
        all.any(|compiled| compiled.records_of(source).is_some())
    }

    pub(crate) fn begin(&self) -> Runs<'_> {
        Runs {
            all: &self.0,
            last: None,
            begun: BTreeMap::new(),
        }
    }
}

fn compile(rule: &AnalysisRule) -> Result<Box<dyn Analysis>, String> {
    let known = ALGORITHMS
        .iter()
        .find(|known| known.name == rule.analysis)
        .ok_or_else(|| format!("names an analysis `{}` that there is not", rule.analysis))?;
    (known.compile)(&rule.parameters)
        .map_err(|why| format!("has parameters that cannot be read: {why}"))
}

impl Compiled {
    /// The highest level of its outcomes, for a hunt, in which matches are told one by one.
    pub(crate) fn level(&self) -> &str {
        let level_of = |level: &str| LEVELS.iter().position(|known| *known == level);
        let levels = self
            .rule
            .outcomes
            .values()
            .map(|outcome| outcome.level.as_str());
        levels
            .max_by_key(|level| level_of(level))
            .unwrap_or("medium")
    }

    fn records_of(&self, source: &SourceName) -> Option<&AnalysedRecords> {
        let fits = |pattern: &str| match pattern.strip_suffix('*') {
            Some(beginning) => source.as_str().starts_with(beginning),
            None => source.as_str() == pattern,
        };
        let mut records = self.rule.records.iter();
        records.find(|records| fits(&records.source))
    }

    /// The finding of a result; `None` where the pack does not tell this outcome.
    fn finding(&self, told: Told, path: &str) -> Option<Finding> {
        let outcome = self.rule.outcomes.get(told.outcome)?;
        let mut details = told.details;
        details.extend(outcome.details.clone());
        if let Some(subject) = told.subject {
            details.insert(SUBJECT.to_owned(), subject);
        }
        Some(Finding {
            id: String::new(),
            rule: self.rule.id.clone(),
            title: self.rule.title.clone(),
            stage: (outcome.stage != Stage::NoneSeen).then_some(outcome.stage),
            campaign: Some(self.campaign.clone()),
            level: outcome.level.clone(),
            techniques: outcome.techniques.clone(),
            time: told.first,
            last: told.last.filter(|_| told.count > 1),
            count: told.count,
            place: Place::item("", path).at(told.at),
            author: self.rule.author.clone(),
            reference: self.rule.reference.clone(),
            evidence: told.evidence,
            meaning: outcome.meaning.clone(),
            step: outcome.step.clone(),
            details,
            foothold: None,
        })
    }
}

/// All analyses at work on one item.
pub(crate) struct Runs<'e> {
    all: &'e [Compiled],
    /// The source of the last record, and which analyses look at it in which way.
    last: Option<(SourceName, Vec<(usize, &'e AnalysedRecords)>)>,
    begun: BTreeMap<usize, Box<dyn Run + 'e>>,
}

impl<'e> Runs<'e> {
    /// Shows a record to the analyses that look at its source; says to `visit` which of them told something.
    pub(crate) fn look(&mut self, record: &dyn Record, visit: &mut dyn FnMut(&'e Compiled)) {
        if self.all.is_empty() {
            return;
        }
        let known = self.last.as_ref();
        if known.is_none_or(|(source, _)| source != record.source()) {
            let source = record.source().clone();
            let own = self.all.iter().enumerate();
            let own = own.filter_map(|(number, one)| Some((number, one.records_of(&source)?)));
            let own = own.collect();
            self.last = Some((source, own));
        }
        let Some((_, own)) = &self.last else {
            return;
        };
        for (number, fields) in own {
            let Some(compiled) = self.all.get(*number) else {
                continue;
            };
            let run = self
                .begun
                .entry(*number)
                .or_insert_with(|| compiled.analysis.begin());
            let outcome = run.look(&Input { record, fields });
            if outcome.is_some_and(|outcome| compiled.rule.outcomes.contains_key(outcome)) {
                visit(compiled);
            }
        }
    }

    /// What all of them tell of the item at `path`, and what a bound cut off.
    pub(crate) fn finish(self, path: &str) -> (Vec<Finding>, Vec<(GapKind, At, String)>) {
        let (mut findings, mut gaps) = (Vec::new(), Vec::new());
        for (number, run) in self.begun {
            let Some(compiled) = self.all.get(number) else {
                continue;
            };
            let summary = run.finish();
            if summary.untold > 0 {
                let detail = format!(
                    "{} more records of interest to the analysis {} are not told, as the item tells of too many hosts.",
                    summary.untold, compiled.rule.title
                );
                gaps.push((GapKind::Limit, At::Item, detail));
            }
            let told = summary.told.into_iter();
            findings.extend(told.filter_map(|told| compiled.finding(told, path)));
        }
        (findings, gaps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_and_code_know_the_same_analyses() {
        let in_packs: Vec<&str> = pack::ANALYSES.iter().map(|known| known.name).collect();
        let in_code: Vec<&str> = ALGORITHMS.iter().map(|known| known.name).collect();
        assert_eq!(in_packs, in_code);
        let outcomes: Vec<&str> = pack::ANALYSES[0].outcomes.to_vec();
        assert_eq!(outcomes, victim_names::OUTCOMES);
        assert_eq!(pack::ANALYSES[0].inputs, victim_names::INPUTS);
    }
}
