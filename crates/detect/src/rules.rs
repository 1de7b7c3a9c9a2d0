//! Sigma rules: read, put together into one engine, and what they say of themselves.
//!
//! The specification: <https://github.com/SigmaHQ/sigma-specification>, version 2.1.0.

use crate::DetectError;
use crate::engine::{ProblemKind, RuleProblem};
use crate::states::{Fault, RuleState, RuleStatus, RuleWarning};
use crate::table::Table;
use pack::RuleMeaning;
use regex::Regex;
use sigma::{Header, Options, Parsed, Problem, RuleId, Severity, Taxonomy};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Which log source of Sigma a source answers to.
const TAXONOMY: &str = include_str!("../../../knowledge/sigma/taxonomy.yaml");

/// All rules of a run.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) engine: Arc<sigma::Engine>,
    /// By number of the rule; correlations stand behind all rules.
    about: Vec<About>,
    /// Documents that never came into the engine.
    refused: Vec<RuleStatus>,
    warnings: Vec<RuleWarning>,
}

/// What a rule says of itself.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) level: String,
    pub(crate) techniques: Vec<String>,
    pub(crate) author: String,
    pub(crate) reference: String,
    /// One sentence on what a match shows, where the rule carries no `allclear` block.
    pub(crate) description: String,
    pub(crate) meaning: Option<RuleMeaning>,
    pub(crate) foothold_path: Option<FootholdPath>,
    /// Name of the pack; `None` for a user's rule.
    pub(crate) campaign: Option<String>,
    /// The file that it stands in.
    pub(crate) path: String,
}

/// The field that names a foothold's path, and the part of it that is the path.
#[derive(Debug)]
pub(crate) struct FootholdPath {
    pub(crate) field: String,
    pub(crate) pattern: Option<Regex>,
}

/// Puts rules together, file by file.
#[derive(Debug, Default)]
pub(crate) struct Reader<'t> {
    /// Threads that share the work.
    threads: usize,
    parsed: Parsed<'t>,
    rules: Vec<About>,
    correlations: Vec<About>,
    /// Ids of rules, and the files that these stand in.
    ids: BTreeMap<String, String>,
    /// Handles of filters, and the files that these stand in.
    filters: BTreeMap<String, String>,
    problems: Vec<RuleProblem>,
    refused: Vec<RuleStatus>,
    warnings: Vec<RuleWarning>,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            threads,
            ..Self::default()
        }
    }

    /// Reads the files of a pack, or of the user. Of several rules with one id the first counts.
    pub(crate) fn files(&mut self, files: &[(&str, &'t str)], campaign: Option<&str>) {
        let texts: Vec<&str> = files.iter().map(|(_, text)| *text).collect();
        let read = sigma::parse_all(&texts, self.threads);
        for ((path, _), parsed) in files.iter().zip(read) {
            self.file(path, parsed, campaign);
        }
    }

    fn file(&mut self, path: &str, mut parsed: Parsed<'t>, campaign: Option<&str>) {
        for problem in &parsed.problems {
            match problem.severity {
                Severity::Warning => self.warnings.push(RuleWarning::new(path, problem)),
                Severity::Error => {
                    let status = RuleStatus {
                        path: path.to_owned(),
                        rule: problem.rule.clone(),
                        campaign: campaign.map(str::to_owned),
                        // What it says of itself is not read, as the document is not.
                        title: String::new(),
                        level: String::new(),
                        state: RuleState::Rejected(Fault::of(problem)),
                    };
                    let why = format!("cannot be read: {}", unnamed(problem));
                    self.refuse(status, why, ProblemKind::NotUnderstood);
                }
            }
        }
        for filter in &parsed.filters {
            let handle = filter.header.handle().to_owned();
            self.filters.insert(handle, path.to_owned());
        }
        let mut rules = std::mem::take(&mut self.rules);
        parsed.retain_rules(|rule| self.takes(path, &rule.header, campaign, &mut rules));
        self.rules = rules;
        let mut correlations = std::mem::take(&mut self.correlations);
        parsed
            .correlations
            .retain(|own| self.takes(path, &own.header, campaign, &mut correlations));
        self.correlations = correlations;
        self.parsed.append(parsed);
    }

    /// Whether a rule is to be compiled; what it says of itself goes to `into`.
    fn takes(
        &mut self,
        path: &str,
        header: &Header,
        campaign: Option<&str>,
        into: &mut Vec<About>,
    ) -> bool {
        let status = |state| RuleStatus {
            path: path.to_owned(),
            rule: name_of(path, header),
            title: header.title.clone(),
            level: level_of(header).to_owned(),
            campaign: campaign.map(str::to_owned),
            state,
        };
        let about = match About::new(path, header, campaign) {
            Ok(about) => about,
            Err(why) => {
                let state = RuleState::Rejected(Fault::saying(&format!("the rule {why}")));
                self.refuse(status(state), why, ProblemKind::NotUnderstood);
                return false;
            }
        };
        if let Some(taken) = self.ids.get(&about.id) {
            let state = RuleState::Duplicate { of: taken.clone() };
            let why = "has the same id as another rule".to_owned();
            self.refuse(status(state), why, ProblemKind::Duplicate);
            return false;
        }
        self.ids.insert(about.id.clone(), path.to_owned());
        into.push(about);
        true
    }

    fn refuse(&mut self, status: RuleStatus, why: String, kind: ProblemKind) {
        self.problems.push(RuleProblem {
            path: status.path.clone(),
            rule: status.rule.clone(),
            why,
            kind,
        });
        self.refused.push(status);
    }

    /// Compiles what was read for the sources that the table tells of. What cannot run is told in `problems`.
    pub(crate) fn compile(
        mut self,
        table: &Table,
        problems: &mut Vec<RuleProblem>,
    ) -> Result<Rules, DetectError> {
        let taxonomy = Taxonomy::parse(TAXONOMY)
            .map_err(DetectError::Taxonomy)?
            .where_comes(|attribute, value| attribute != "source" || table.has_source(value));
        let options = Options {
            workers: self.threads,
        };
        let known = self.parsed.problems.len();
        let engine = sigma::Engine::compile(self.parsed, taxonomy, options);
        // What compiling adds is about filters, which alone are not told by the state of a rule.
        for problem in engine.problems().iter().skip(known) {
            let path = self.filters.get(&problem.rule).map_or("", String::as_str);
            self.warnings.push(RuleWarning::new(path, problem));
        }
        let mut about = self.rules;
        about.append(&mut self.correlations);
        for ((_, state), about) in engine.states().zip(&about) {
            problems.extend(problem_of(state, about));
        }
        problems.append(&mut self.problems);
        Ok(Rules {
            engine: Arc::new(engine),
            about,
            refused: self.refused,
            warnings: self.warnings,
        })
    }
}

/// What is wrong, without the rule's name, which is told beside it.
fn unnamed(problem: &Problem) -> Problem {
    Problem {
        rule: String::new(),
        ..problem.clone()
    }
}

fn problem_of(state: &sigma::RuleState, about: &About) -> Option<RuleProblem> {
    let (why, kind) = match state {
        sigma::RuleState::Ready { limits, .. } if limits.is_empty() => return None,
        sigma::RuleState::Ready { limits, .. } => (limits.join("; "), ProblemKind::InPart),
        sigma::RuleState::Undetectable { reasons } => (reasons.join("; "), ProblemKind::NoSource),
        sigma::RuleState::Rejected(problem) => (
            format!("cannot be run: {}", unnamed(problem)),
            ProblemKind::NotUnderstood,
        ),
    };
    Some(RuleProblem {
        path: about.path.clone(),
        rule: about.id.clone(),
        why,
        kind,
    })
}

impl Rules {
    /// What a rule says of itself.
    pub(crate) fn about(&self, rule: RuleId) -> &About {
        &self.about[rule.index()]
    }

    /// The rule of this id that was taken; without regard to case, as ids are hexadecimal numbers.
    pub(crate) fn find(&self, id: &str) -> Option<RuleId> {
        let mut all = self.about.iter();
        let index = all.position(|about| about.id.eq_ignore_ascii_case(id))?;
        self.engine.rule_at(index)
    }

    /// What became of every rule, in order of file; in one file those that were compiled come first.
    pub(crate) fn states(&self) -> Vec<RuleStatus> {
        let compiled = self.engine.states().zip(&self.about);
        let mut all: Vec<RuleStatus> = compiled
            .map(|((_, state), about)| RuleStatus {
                path: about.path.clone(),
                rule: about.id.clone(),
                title: about.title.clone(),
                level: about.level.clone(),
                campaign: about.campaign.clone(),
                state: RuleState::of(state),
            })
            .chain(self.refused.iter().cloned())
            .collect();
        all.sort_by(|a, b| (&a.campaign, &a.path).cmp(&(&b.campaign, &b.path)));
        all
    }

    pub(crate) fn warnings(&self) -> &[RuleWarning] {
        &self.warnings
    }

    /// Rules and correlations that run.
    pub(crate) fn count(&self) -> usize {
        let states = self.engine.states();
        states.filter(|(_, state)| state.is_ready()).count()
    }
}

fn name_of(path: &str, header: &Header) -> String {
    header
        .id
        .clone()
        .unwrap_or_else(|| format!("{path}: {}", header.title))
}

fn level_of(header: &Header) -> &'static str {
    header.level.map_or("medium", sigma::Level::as_str)
}

impl About {
    fn new(path: &str, header: &Header, campaign: Option<&str>) -> Result<Self, String> {
        let meaning = meaning_of(header)?;
        let foothold = meaning
            .as_ref()
            .and_then(|meaning| meaning.foothold.as_ref());
        let foothold_path = match foothold {
            Some(foothold) => Some(FootholdPath::parse(&foothold.path_from)?),
            None => None,
        };
        Ok(Self {
            id: name_of(path, header),
            title: header.title.clone(),
            level: level_of(header).to_owned(),
            techniques: techniques(&header.tags),
            author: header.author.clone().unwrap_or_default(),
            reference: header.references.first().cloned().unwrap_or_default(),
            description: header.description.clone().unwrap_or_default(),
            meaning,
            foothold_path,
            campaign: campaign.map(str::to_owned),
            path: path.to_owned(),
        })
    }
}

/// The `allclear` block, `None` where the rule has none.
fn meaning_of(header: &Header) -> Result<Option<RuleMeaning>, String> {
    let mut custom = header.custom.iter();
    let Some((_, block)) = custom.find(|(name, _)| name == "allclear") else {
        return Ok(None);
    };
    serde_json::to_value(block)
        .and_then(serde_json::from_value)
        .map(Some)
        .map_err(|error| format!("has a block `allclear` that cannot be read: {error}"))
}

/// Technique ids among the tags: `attack.t1505.003` is T1505.003.
fn techniques(tags: &[String]) -> Vec<String> {
    let mut found: Vec<String> = tags
        .iter()
        .filter_map(|tag| tag.strip_prefix("attack."))
        .filter(|name| {
            name.strip_prefix(['t', 'T'])
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
        .map(str::to_uppercase)
        .collect();
    found.sort();
    found.dedup();
    found
}

impl FootholdPath {
    /// Reads `field` or `field =~ pattern`.
    fn parse(written: &str) -> Result<Self, String> {
        let (field, pattern) = match written.split_once("=~") {
            None => (written, None),
            Some((field, pattern)) => {
                let pattern = Regex::new(pattern.trim()).map_err(|error| {
                    format!("has a pattern in `{written}` that cannot be read: {error}")
                })?;
                if pattern.captures_len() < 2 {
                    return Err(format!(
                        "has no group in `{written}` that would be the path"
                    ));
                }
                (field, Some(pattern))
            }
        };
        Ok(Self {
            field: field.trim().to_owned(),
            pattern,
        })
    }

    /// The path in the value of the field; one through the administrative share of a drive becomes local.
    pub(crate) fn of(&self, value: &str) -> Option<String> {
        let found = match &self.pattern {
            None => value,
            Some(pattern) => pattern.captures(value)?.get(1)?.as_str(),
        };
        (!found.is_empty()).then(|| local_path(found))
    }
}

/// `\\host\C$\folder` is `C:\folder` on its host; other paths stay.
fn local_path(path: &str) -> String {
    let on_host = path
        .strip_prefix("\\\\")
        .and_then(|rest| rest.split_once('\\'))
        .and_then(|(_, share)| share.split_once("$\\"));
    match on_host {
        Some((drive, below)) if drive.len() == 1 => {
            format!("{}:\\{below}", drive.to_ascii_uppercase())
        }
        _ => model::windows_path(path),
    }
}
