//! All rules and indicators of a run, and what they say about one item.

use crate::DetectError;
use crate::findings::Collected;
use crate::indicators::{Indicators, Seen};
use crate::logsources::{LogSources, shortened, text_of};
use crate::plan::{Hit, Plan};
use crate::prefilter::Candidates;
use crate::screen::{Sought, screen};
use crate::sigma::{self, Rule};
use crate::yara::YaraRules;
use model::{
    At, Columns, EVIDENCE_BYTES_MAX, Finding, Foothold, GapKind, Place, Record, Screen, SourceName,
    Stage,
};
use pack::Pack;
use pack::shipped_files::ShippedFiles;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Sets of columns for which screens are kept. A server has a few dozen; hostile heads could name any number.
const SCREENS_MAX: usize = 128;

/// Screens by entries of the table, whether there are fields beside the columns, and names of columns.
type Screens = BTreeMap<(Vec<usize>, bool, Vec<String>), Option<Arc<dyn Screen>>>;

/// A user's own rules, read by the caller: paths are names for messages.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Extra {
    /// Sigma files: path and text.
    pub sigma: Vec<(String, String)>,
    /// YARA files: path and text.
    pub yara: Vec<(String, String)>,
    /// Lists of indicators in any of the forms that are understood: path and bytes.
    pub indicators: Vec<(String, Vec<u8>)>,
}

/// A rule, or an indicator, that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleProblem {
    /// The file it stands in.
    pub path: String,
    /// Its id or title; empty where the file as a whole is meant.
    pub rule: String,
    /// Why, as what follows `it`: `cannot be read: …`.
    pub why: String,
    pub kind: ProblemKind,
}

/// Whose fault it is that a rule cannot be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProblemKind {
    /// The rule cannot be read, or uses what the engine lacks.
    NotUnderstood,
    /// The rule is for a log that no reader gives.
    NoSource,
    /// Another rule with the same id was taken instead.
    Duplicate,
}

/// All rules and indicators of a run.
#[derive(Debug)]
pub struct Engine {
    pub(crate) table: Arc<LogSources>,
    pub(crate) sigma: Vec<RuleOfEngine>,
    pub(crate) indicators: Arc<Indicators>,
    pub(crate) yara: YaraRules,
    plans: Mutex<BTreeMap<Vec<usize>, Arc<Plan>>>,
    screens: Mutex<Screens>,
    shipped: OnceLock<ShippedFiles>,
}

/// A Sigma rule and where it came from.
#[derive(Debug)]
pub(crate) struct RuleOfEngine {
    pub(crate) rule: Rule,
    /// Name of the pack; `None` for a user's rule.
    pub(crate) campaign: Option<String>,
}

/// A match, for `hunt`.
pub struct Match<'a> {
    pub rule_id: &'a str,
    pub title: &'a str,
    pub level: &'a str,
    pub author: &'a str,
    pub reference: &'a str,
    /// Name of the pack that the rule is of.
    pub campaign: Option<&'a str>,
    pub record: &'a dyn Record,
}

/// What the engine says about one item.
#[derive(Debug, Default)]
pub struct ItemFindings {
    /// Ordered by place and rule. `place.collection` and `id` are empty.
    pub findings: Vec<Finding>,
    /// What could not be looked at.
    pub gaps: Vec<(GapKind, At, String)>,
}

/// Takes the records and bytes of one item.
pub struct ItemDetection<'e> {
    pub(crate) engine: &'e Engine,
    pub(crate) path: String,
    pub(crate) collected: Collected,
    pub(crate) gaps: Vec<(GapKind, At, String)>,
    /// The plan for the source of the last record.
    plan: Option<(SourceName, Arc<Plan>)>,
    candidates: Candidates,
}

impl Engine {
    /// Compiles the rules and indicators of these packs and of the user. What cannot be run is told beside it: each is
    /// something that nobody looked for.
    pub fn new(packs: &[Pack], extra: &Extra) -> Result<(Self, Vec<RuleProblem>), DetectError> {
        let table = LogSources::builtin()?;
        let mut problems = Vec::new();
        let mut sigma = Vec::new();
        for pack in packs {
            let files = pack.sigma.iter().map(|file| (&*file.path, &*file.text));
            read_sigma(files, Some(&pack.manifest.name), &mut sigma, &mut problems);
        }
        let files = extra.sigma.iter().map(|(path, text)| (&**path, &**text));
        read_sigma(files, None, &mut sigma, &mut problems);
        let sigma = runnable(sigma, &table, &mut problems);
        let indicators = Indicators::new(packs, &extra.indicators, &mut problems);
        let yara = YaraRules::new(packs, &extra.yara, indicators.yara(), &mut problems);
        problems.sort();
        let engine = Self {
            table: Arc::new(table),
            sigma,
            indicators: Arc::new(indicators),
            yara,
            plans: Mutex::default(),
            screens: Mutex::default(),
            shipped: OnceLock::new(),
        };
        Ok((engine, problems))
    }

    /// Opens an item by its original path.
    pub fn item(&self, path: &str) -> ItemDetection<'_> {
        ItemDetection {
            engine: self,
            path: path.to_owned(),
            collected: Collected::default(),
            gaps: Vec::new(),
            plan: None,
            candidates: Candidates::default(),
        }
    }

    /// Number of Sigma rules, YARA rules and indicators that are run.
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.sigma.len(), self.yara.count(), self.indicators.count())
    }

    pub(crate) fn shipped(&self) -> &ShippedFiles {
        self.shipped.get_or_init(ShippedFiles::builtin)
    }

    fn plan(&self, source: &SourceName) -> Arc<Plan> {
        let entries = self.table.entries_of(source);
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = plans.entry(entries).or_insert_with_key(|entries| {
            let rules = self.sigma.iter().map(|of_engine| &of_engine.rule);
            Arc::new(Plan::new(entries, &self.table, rules, &self.indicators))
        });
        Arc::clone(plan)
    }

    /// What tells rows that may match from others, in a text log of this source with these columns; `None` where rows
    /// have to be looked at one by one.
    pub fn screen(
        &self,
        source: &SourceName,
        columns: &Arc<dyn Columns>,
    ) -> Option<Arc<dyn Screen>> {
        let names = columns.names().into_iter().map(str::to_owned);
        // Where there are fields beside the columns, any name is one.
        let is_open = !columns.of_field("").is_empty();
        let key = (self.table.entries_of(source), is_open, names.collect());
        let mut screens = self.screens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = screens.get(&key) {
            return known.clone();
        }
        if screens.len() >= SCREENS_MAX {
            return None;
        }
        let screen = screen(
            &Sought {
                plan: &self.plan(source),
                table: &self.table,
                indicators: &self.indicators,
                rules: &|number| &self.sigma[number].rule,
            },
            columns,
        );
        screens.insert(key, screen.clone());
        screen
    }

    #[cfg(test)]
    pub(crate) fn unfiltered(&self, record: &dyn Record) -> Vec<Hit> {
        let rules = |number: usize| &self.sigma[number].rule;
        self.plan(record.source())
            .hits_unfiltered(record, &self.table, &rules)
    }
}

impl<'e> ItemDetection<'e> {
    /// See [`Engine::screen`].
    pub fn screen(
        &self,
        source: &SourceName,
        columns: &Arc<dyn Columns>,
    ) -> Option<Arc<dyn Screen>> {
        self.engine.screen(source, columns)
    }

    /// Runs Sigma rules and indicators on a record.
    pub fn record(&mut self, record: &dyn Record) {
        let engine = self.engine;
        let hits = self.hits(record);
        let told: Vec<Option<&str>> = hits
            .iter()
            .filter_map(|hit| match hit {
                Found::Rule(of_engine) => Some(of_engine.campaign.as_deref()),
                Found::Indicator(_) => None,
            })
            .collect();
        for hit in hits {
            let finding = match hit {
                Found::Indicator(seen) if engine.indicators.is_told(&seen, &told) => continue,
                Found::Rule(of_engine) => self.of_rule(of_engine, record),
                Found::Indicator(seen) => {
                    let place = Place::item("", &self.path).at(record.at());
                    engine
                        .indicators
                        .finding(&seen, &engine.table, record, place)
                }
            };
            self.collected.add(finding);
        }
    }

    /// Gives every match of a record to `visit`, one by one, instead of collecting findings.
    pub fn hunt(&mut self, record: &dyn Record, visit: &mut dyn FnMut(&Match<'_>)) {
        let engine = self.engine;
        for hit in self.hits(record) {
            match hit {
                Found::Rule(RuleOfEngine { rule, campaign }) => visit(&Match {
                    rule_id: &rule.id,
                    title: &rule.title,
                    level: &rule.level,
                    author: &rule.author,
                    reference: &rule.reference,
                    campaign: campaign.as_deref(),
                    record,
                }),
                Found::Indicator(seen) => {
                    let known = engine.indicators.get(seen.number);
                    visit(&Match {
                        rule_id: &known.id,
                        title: &known.title,
                        level: known.level(),
                        author: &known.author,
                        reference: &known.source,
                        campaign: known.campaign.as_deref(),
                        record,
                    });
                }
            }
        }
    }

    /// Everything that was found in this item, and what could not be looked at.
    pub fn finish(mut self) -> ItemFindings {
        self.path_indicators();
        let (findings, mut gaps) = self.collected.finish();
        gaps.append(&mut self.gaps);
        ItemFindings { findings, gaps }
    }

    fn hits(&mut self, record: &dyn Record) -> Vec<Found<'e>> {
        let engine = self.engine;
        let known = self
            .plan
            .as_ref()
            .is_some_and(|(source, _)| source == record.source());
        if !known {
            self.plan = Some((record.source().clone(), engine.plan(record.source())));
        }
        let Some((_, plan)) = &self.plan else {
            return Vec::new();
        };
        let rules = |number: usize| &engine.sigma[number].rule;
        let mut found = Vec::new();
        plan.hits(
            record,
            &engine.table,
            &rules,
            &mut self.candidates,
            &mut |hit| match hit {
                Hit::Rule(number) => found.push(Found::Rule(&engine.sigma[number])),
                Hit::MayBeIndicator(number) => {
                    let is_shipped = |path: &str| engine.is_shipped_page(path);
                    let seen = engine
                        .indicators
                        .seen(number, record, &engine.table, &is_shipped);
                    found.extend(seen.map(Found::Indicator));
                }
            },
        );
        found
    }

    fn of_rule(&self, of_engine: &RuleOfEngine, record: &dyn Record) -> Finding {
        let rule = &of_engine.rule;
        let details = self.engine.table.details_of(record);
        let foothold = foothold_of(rule, record, &details);
        let stage = rule.meaning.as_ref().map(|meaning| meaning.stage);
        let text = rule.meaning.as_ref().map(|meaning| meaning.meaning.clone());
        let step = rule.meaning.as_ref().map(|meaning| meaning.step.clone());
        Finding {
            id: String::new(),
            rule: rule.id.clone(),
            title: rule.title.clone(),
            stage: stage.filter(|stage| *stage != Stage::NoneSeen),
            campaign: of_engine.campaign.clone(),
            level: rule.level.clone(),
            techniques: rule.techniques.clone(),
            time: record.time(),
            last: None,
            count: 1,
            place: Place::item("", &self.path).at(record.at()),
            author: rule.author.clone(),
            reference: rule.reference.clone(),
            evidence: shortened(&record.raw(), EVIDENCE_BYTES_MAX),
            meaning: text.unwrap_or_else(|| rule.description.clone()),
            step: step.unwrap_or_default(),
            details,
            foothold,
        }
    }
}

/// A rule or indicator that matches a record.
enum Found<'e> {
    Rule(&'e RuleOfEngine),
    Indicator(Seen),
}

/// The foothold that a rule's match shows; `None` where the record does not name it.
fn foothold_of(
    rule: &Rule,
    record: &dyn Record,
    details: &BTreeMap<String, String>,
) -> Option<Foothold> {
    let foothold = rule.meaning.as_ref()?.foothold.as_ref()?;
    let from = rule.foothold_path.as_ref()?;
    let value = text_of(record, &from.field).or_else(|| details.get(&from.field).cloned())?;
    Some(Foothold {
        kind: foothold.kind,
        path: from.of(&value)?,
        sha256: details.get("sha256").cloned(),
        state: foothold.state,
    })
}

fn read_sigma<'t>(
    files: impl Iterator<Item = (&'t str, &'t str)>,
    campaign: Option<&String>,
    sigma: &mut Vec<(String, RuleOfEngine)>,
    problems: &mut Vec<RuleProblem>,
) {
    for (path, text) in files {
        let (rules, refused) = sigma::read_rules(path, text);
        let campaign = campaign.cloned();
        sigma.extend(rules.into_iter().map(|rule| {
            let campaign = campaign.clone();
            (path.to_owned(), RuleOfEngine { rule, campaign })
        }));
        problems.extend(refused.into_iter().map(|refused| RuleProblem {
            path: path.to_owned(),
            rule: refused.rule,
            why: refused.why,
            kind: ProblemKind::NotUnderstood,
        }));
    }
}

/// Leaves out rules that no source can answer, and second ones of the same id.
fn runnable(
    sigma: Vec<(String, RuleOfEngine)>,
    table: &LogSources,
    problems: &mut Vec<RuleProblem>,
) -> Vec<RuleOfEngine> {
    let mut ids = BTreeSet::new();
    let mut kept = Vec::new();
    for (path, of_engine) in sigma {
        let mut refuse = |why: String, kind: ProblemKind| {
            problems.push(RuleProblem {
                path: path.clone(),
                rule: of_engine.rule.id.clone(),
                why,
                kind,
            });
        };
        let mut offered = table.entries().iter().flat_map(|entry| &entry.logsources);
        if !offered.any(|entry| of_engine.rule.log_source.is_met_by(entry)) {
            let why = format!(
                "asks for a log that no reader gives: {}",
                of_engine.rule.log_source
            );
            refuse(why, ProblemKind::NoSource);
        } else if ids.insert(of_engine.rule.id.clone()) {
            kept.push(of_engine);
        } else {
            refuse(
                "has the same id as another rule".to_owned(),
                ProblemKind::Duplicate,
            );
        }
    }
    kept
}
