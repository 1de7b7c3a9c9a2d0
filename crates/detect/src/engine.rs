//! All rules and indicators of a run, and what they say about one item.

use crate::DetectError;
use crate::analysis::{Analyses, Runs};
use crate::correlate::{SIGHTINGS_MAX, Sighting, finding_of};
use crate::event::{Binding, Bindings, Event};
use crate::findings::Collected;
use crate::indicators::{Indicators, Seen};
use crate::plan::{self, Partitions, Plan};
use crate::prefilter::Candidates;
use crate::rules::{About, Reader, Rules};
use crate::screen::{Sought, screen};
use crate::table::{RecordForm, Table, shortened, text_of};
use crate::yara::YaraRules;
use model::{
    At, Columns, EVIDENCE_BYTES_MAX, Finding, Foothold, GapKind, Interest, Place, Record, Screen,
    SourceName,
};
use pack::Pack;
use pack::shipped_files::ShippedFiles;
use serde::{Deserialize, Serialize};
use sigma::{Matcher, PartitionId, VariantId};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Sets of columns for which screens are kept. A server has a few dozen; hostile heads could name any number.
const SCREENS_MAX: usize = 128;

/// Screens by rules, form of the records, whether there are fields beside the columns, and names of columns.
type Screens = BTreeMap<(PartitionId, RecordForm, bool, Vec<String>), Option<Arc<dyn Screen>>>;

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
    /// The rule is for a log that no reader gives, or for fields that its logs lack.
    NoSource,
    /// The rule runs; in some logs it cannot see all that it asks for.
    InPart,
    /// Another rule with the same id was taken instead.
    Duplicate,
}

/// All rules and indicators of a run.
#[derive(Debug)]
pub struct Engine {
    pub(crate) table: Arc<Table>,
    pub(crate) rules: Rules,
    bindings: Bindings,
    pub(crate) indicators: Arc<Indicators>,
    pub(crate) yara: YaraRules,
    /// Whether pages are looked at for web shells: a pack asks what is wrong with a host, a user's rules only what they say.
    pub(crate) looks_for_shells: bool,
    analyses: Analyses,
    plans: Mutex<BTreeMap<RecordForm, Arc<Plan>>>,
    screens: Mutex<Screens>,
    shipped: OnceLock<ShippedFiles>,
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
    /// Matches that correlations look at; see [`Engine::correlate`]. `place.collection` is empty.
    pub sightings: Vec<Sighting>,
    /// What could not be looked at.
    pub gaps: Vec<(GapKind, At, String)>,
}

/// Takes the records and bytes of one item.
pub struct ItemDetection<'e> {
    pub(crate) engine: &'e Engine,
    pub(crate) path: String,
    pub(crate) collected: Collected,
    pub(crate) gaps: Vec<(GapKind, At, String)>,
    sightings: Vec<Sighting>,
    /// Matches that no correlation can count.
    unsighted: u64,
    /// What is known of the source of the last record.
    last: Option<Last>,
    pub(crate) scratch: Scratch<'e>,
    analyses: Runs<'e>,
}

/// What is made once and used for one item after another.
#[derive(Default)]
pub struct Scratch<'e> {
    matcher: Option<Matcher<'e>>,
    pub(crate) scanner: Option<yara_x::Scanner<'e>>,
    line: Cell<String>,
    candidates: Candidates,
}

/// What is looked for in the records of one source, and where these have their fields.
struct Last {
    source: SourceName,
    plan: Arc<Plan>,
    partitions: Partitions,
    binding: Option<(u32, Arc<Binding>)>,
}

impl Engine {
    /// Compiles the rules and indicators of these packs and of the user. What cannot be run is told beside it: each is
    /// something that nobody looked for.
    pub fn new(packs: &[Pack], extra: &Extra) -> Result<(Self, Vec<RuleProblem>), DetectError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self::on_threads(packs, extra, threads)
    }

    /// The same on so many threads, where others compile at the same time. The outcome does not depend on their number.
    pub fn on_threads(
        packs: &[Pack],
        extra: &Extra,
        threads: usize,
    ) -> Result<(Self, Vec<RuleProblem>), DetectError> {
        let table = Table::builtin()?;
        let mut problems = Vec::new();
        let mut rules = Reader::new(threads);
        for pack in packs {
            let files: Vec<_> = pack
                .sigma
                .iter()
                .map(|file| (&*file.path, &*file.text))
                .collect();
            rules.files(&files, Some(&pack.manifest.name));
        }
        let files: Vec<_> = extra
            .sigma
            .iter()
            .map(|(path, text)| (&**path, &**text))
            .collect();
        rules.files(&files, None);
        let rules = rules.compile(&table, &mut problems)?;
        let indicators = Indicators::new(packs, &extra.indicators, &mut problems);
        let yara = YaraRules::new(packs, &extra.yara, indicators.yara(), &mut problems);
        let analyses = Analyses::new(packs, &mut problems);
        problems.sort();
        let engine = Self {
            table: Arc::new(table),
            rules,
            bindings: Bindings::default(),
            indicators: Arc::new(indicators),
            yara,
            looks_for_shells: !packs.is_empty(),
            analyses,
            plans: Mutex::default(),
            screens: Mutex::default(),
            shipped: OnceLock::new(),
        };
        Ok((engine, problems))
    }

    /// Opens an item by its original path.
    pub fn item(&self, path: &str) -> ItemDetection<'_> {
        self.item_with(path, Scratch::default())
    }

    /// The same with what [`ItemDetection::end`] of another item gave back, which spares making it anew.
    pub fn item_with<'e>(&'e self, path: &str, scratch: Scratch<'e>) -> ItemDetection<'e> {
        ItemDetection {
            engine: self,
            path: path.to_owned(),
            collected: Collected::default(),
            gaps: Vec::new(),
            sightings: Vec::new(),
            unsighted: 0,
            last: None,
            scratch,
            analyses: self.analyses.begin(),
        }
    }

    /// Number of Sigma rules, YARA rules and indicators that are run.
    pub fn counts(&self) -> (usize, usize, usize) {
        (
            self.rules.count(),
            self.yara.count(),
            self.indicators.count(),
        )
    }

    pub(crate) fn shipped(&self) -> &ShippedFiles {
        self.shipped.get_or_init(ShippedFiles::builtin)
    }

    fn plan(&self, form: RecordForm) -> Arc<Plan> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = plans
            .entry(form)
            .or_insert_with(|| Arc::new(Plan::new(form, &self.table, &self.indicators)));
        Arc::clone(plan)
    }

    /// What tells rows that may match from others, in a text log of this source with these columns; `None` where rows
    /// have to be looked at one by one.
    pub fn screen(
        &self,
        source: &SourceName,
        columns: &Arc<dyn Columns>,
    ) -> Option<Arc<dyn Screen>> {
        if self.analyses.want(source) {
            return None;
        }
        let names = columns.names().into_iter().map(str::to_owned);
        // Where there are fields beside the columns, any name is one.
        let is_open = !columns.of_field("").is_empty();
        let form = self.table.form_of(source);
        let source = plan::key(source, None);
        let partition = self.rules.engine.partition(&source);
        let key = (partition, form, is_open, names.collect());
        let mut screens = self.screens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = screens.get(&key) {
            return known.clone();
        }
        if screens.len() >= SCREENS_MAX {
            return None;
        }
        let screen = screen(
            &Sought {
                engine: &self.rules.engine,
                rules: self.rules.engine.parts(&source),
                form,
                table: &self.table,
                indicators: &self.indicators,
            },
            columns,
        );
        screens.insert(key, screen.clone());
        screen
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

    /// Runs Sigma rules and indicators on a record, as far as its screen leaves them open.
    pub fn record(&mut self, record: &dyn Record, interest: &Interest) {
        let engine = self.engine;
        let mut analysed = Vec::new();
        self.analyses.look(record, &mut |analysis| {
            analysed.push(analysis.campaign.as_str());
        });
        let hits = self.hits(record, interest);
        let told: Vec<Option<&str>> = hits
            .iter()
            .filter_map(|hit| match hit {
                Found::Rule(about) => Some(about.campaign.as_deref()),
                Found::Indicator(_) => None,
            })
            .collect();
        for hit in hits {
            let finding = match hit {
                Found::Indicator(seen) if engine.indicators.is_told(&seen, &told) => continue,
                Found::Indicator(seen) if engine.indicators.is_analysed(&seen, &analysed) => {
                    continue;
                }
                Found::Rule(about) => self.of_rule(about, record),
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
    pub fn hunt(
        &mut self,
        record: &dyn Record,
        interest: &Interest,
        visit: &mut dyn FnMut(&Match<'_>),
    ) {
        let engine = self.engine;
        for hit in self.hits(record, interest) {
            match hit {
                Found::Rule(rule) => visit(&Match {
                    rule_id: &rule.id,
                    title: &rule.title,
                    level: &rule.level,
                    author: &rule.author,
                    reference: &rule.reference,
                    campaign: rule.campaign.as_deref(),
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
        self.analyses.look(record, &mut |analysis| {
            visit(&Match {
                rule_id: &analysis.rule.id,
                title: &analysis.rule.title,
                level: analysis.level(),
                author: &analysis.rule.author,
                reference: &analysis.rule.reference,
                campaign: Some(&analysis.campaign),
                record,
            });
        });
    }

    /// Everything that was found in this item, and what could not be looked at.
    pub fn finish(self) -> ItemFindings {
        self.end().0
    }

    /// The same, and what the next item can use again.
    pub fn end(mut self) -> (ItemFindings, Scratch<'e>) {
        self.path_indicators();
        let (mut findings, mut gaps) = self.collected.finish();
        let (told, untold) = self.analyses.finish(&self.path);
        if !told.is_empty() {
            findings.extend(told);
            findings.sort_by(|a, b| (&a.place, &a.rule, a).cmp(&(&b.place, &b.rule, b)));
        }
        gaps.extend(untold);
        gaps.append(&mut self.gaps);
        if self.unsighted > 0 {
            let detail = format!(
                "{} matches have no time, or are too many, so that no correlation counts them",
                self.unsighted
            );
            gaps.push((GapKind::Limit, At::Item, detail));
        }
        let findings = ItemFindings {
            findings,
            sightings: self.sightings,
            gaps,
        };
        (findings, self.scratch)
    }

    /// What matches a record, in the order of rules and indicators.
    fn hits(&mut self, record: &dyn Record, interest: &Interest) -> Vec<Found<'e>> {
        let engine = self.engine;
        let known = self.last.as_ref();
        if known.is_none_or(|last| last.source != *record.source()) {
            self.last = Some(Last::new(engine, record.source()));
        }
        let Some(last) = &mut self.last else {
            return Vec::new();
        };
        let form = last.plan.form;
        let binding = last.binding_of(engine, record);
        let partition = last
            .partitions
            .of(&engine.rules.engine, record, binding.as_deref());
        let scratch = &mut self.scratch;
        let matcher = scratch
            .matcher
            .get_or_insert_with(|| Matcher::new(&engine.rules.engine));
        let mut matched = Vec::new();
        let mut sighted = BTreeMap::new();
        let correlates = engine.rules.engine.has_correlations();
        let mut evaluate = |url_decoded: bool| {
            let event = Event {
                record,
                engine: &engine.rules.engine,
                binding: binding.as_deref(),
                url_decoded,
                line: &scratch.line,
            };
            let mut found = |found: sigma::Match| {
                if found.alone {
                    matched.push(found.rule);
                }
                if correlates && let Some(values) = engine.rules.engine.observe(&found, &event) {
                    sighted.insert(found.rule, values);
                }
            };
            match interest {
                Interest::No => {}
                Interest::Only(variants) => {
                    let variants = variants.iter().copied().map(VariantId);
                    matcher.evaluate_some(partition, variants, &event, &mut found);
                }
                Interest::Any => matcher.evaluate(partition, &event, &mut found),
            }
        };
        evaluate(false);
        if form.url_decoded && memchr::memchr2(b'%', b'+', record.raw().as_bytes()).is_some() {
            evaluate(true);
            matched.sort_unstable();
            matched.dedup();
        }
        for (rule, values) in sighted {
            match (record.time(), u32::try_from(rule.index())) {
                (Some(time), Ok(rule)) if self.sightings.len() < SIGHTINGS_MAX => {
                    let place = Place::item("", &self.path).at(record.at());
                    self.sightings.push(Sighting {
                        time,
                        place,
                        rule,
                        values,
                    });
                }
                _ => self.unsighted += 1,
            }
        }
        let about = |rule| Found::Rule(engine.rules.about(rule));
        let mut found: Vec<Found<'e>> = matched.into_iter().map(about).collect();
        if *interest != Interest::Any {
            return found;
        }
        let candidates = &mut scratch.candidates;
        last.plan.prefilter.candidates(record, form, candidates);
        found.extend(candidates.found.iter().filter_map(|number| {
            let is_shipped = |path: &str| engine.is_shipped_page(path);
            let indicators = &engine.indicators;
            let seen = indicators.seen(*number as usize, record, &engine.table, &is_shipped);
            seen.map(Found::Indicator)
        }));
        found
    }

    fn of_rule(&self, rule: &About, record: &dyn Record) -> Finding {
        let details = self.engine.table.details_of(record);
        let place = Place::item("", &self.path).at(record.at());
        Finding {
            time: record.time(),
            evidence: shortened(&record.raw(), EVIDENCE_BYTES_MAX),
            foothold: foothold_of(rule, record, &details),
            details,
            ..finding_of(rule, place)
        }
    }
}

impl Last {
    fn new(engine: &Engine, source: &SourceName) -> Self {
        Self {
            source: source.clone(),
            plan: engine.plan(engine.table.form_of(source)),
            partitions: Partitions::new(&engine.rules.engine),
            binding: None,
        }
    }

    /// Where a record has its fields; `None` where its reader keeps no layout.
    fn binding_of(&mut self, engine: &Engine, record: &dyn Record) -> Option<Arc<Binding>> {
        let layout = record.layout()?;
        match &self.binding {
            Some((id, known)) if *id == layout.id() => Some(Arc::clone(known)),
            _ => {
                let binding = engine.bindings.of(layout, engine.rules.engine.fields());
                self.binding = Some((layout.id(), Arc::clone(&binding)));
                Some(binding)
            }
        }
    }
}

/// A rule or indicator that matches a record.
enum Found<'e> {
    Rule(&'e About),
    Indicator(Seen),
}

/// The foothold that a rule's match shows; `None` where the record does not name it.
fn foothold_of(
    rule: &About,
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
