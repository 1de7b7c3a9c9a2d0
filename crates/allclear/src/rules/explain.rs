//! `allclear rules explain`: the conditions of a rule over one event, with the values that were seen.

use super::args::RulesExplain;
use super::{code, compile, heading, line, print, reasons};
use crate::exit::Failure;
use crate::{Outcome, check, settings};
use detect::{Engine, Explanation, RuleStatus};
use evidence::Options;
use model::{At, Record, Timestamp};
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[derive(Serialize)]
struct Explained {
    event: Event,
    rules: Vec<OfRule>,
}

/// Which event was looked at.
#[derive(Serialize)]
struct Event {
    item: String,
    at: At,
    source: String,
    time: Option<Timestamp>,
}

#[derive(Serialize)]
struct OfRule {
    #[serde(flatten)]
    status: RuleStatus,
    matches: bool,
    /// None where the rule could not be read.
    explanation: Option<Part>,
}

/// A part of a rule and what it came to.
#[derive(Serialize)]
struct Part {
    what: String,
    holds: bool,
    /// The field that was looked at; empty for the whole event.
    field: Option<String>,
    /// Its values; none where the event lacks it.
    values: Option<Vec<String>>,
    parts: Vec<Part>,
}

pub(super) fn run(arguments: &RulesExplain) -> Outcome {
    let (engine, wanted) = rules(arguments)?;
    let event = Wanted::of(arguments);
    let explained = event.look(&|record| {
        wanted
            .iter()
            .map(|status| OfRule::of(&engine, status, record))
            .collect()
    })?;
    print(arguments.format, &explained, &|out| explained.text(out))?;
    let mut rules = explained.rules.iter();
    Ok(code(rules.all(|rule| rule.status.state.is_running())))
}

/// The rules to explain, among all that are compiled together.
fn rules(arguments: &RulesExplain) -> Result<(Engine, Vec<RuleStatus>), Failure> {
    let file = Path::new(&arguments.rule);
    let is_file = file.is_file();
    let mut sigma = Vec::new();
    if is_file {
        // First, as of rules with one id the first counts.
        sigma = settings::sigma_files(&[file.to_owned()])?;
    }
    sigma.append(&mut settings::sigma_files(&arguments.rules)?);
    let packs = if is_file {
        Vec::new()
    } else {
        pack::builtin_packs()
    };
    let engine = compile(&packs, sigma)?;
    let mut wanted = engine.rule_states();
    wanted.retain(|status| {
        if is_file {
            status.path == arguments.rule
        } else {
            status.rule.eq_ignore_ascii_case(&arguments.rule)
        }
    });
    if wanted.is_empty() {
        return Err(Failure::usage(
            format!("no rule to explain is called {}", arguments.rule),
            "give a file of rules, or the id of a rule below --rules or in a built-in pack",
        ));
    }
    Ok((engine, wanted))
}

/// The event to look at, by its log and its number there.
struct Wanted {
    log: PathBuf,
    number: Option<u64>,
}

impl Wanted {
    /// `LOG`, or `LOG#NUMBER` where no file has that name.
    fn of(arguments: &RulesExplain) -> Self {
        let whole = Path::new(&arguments.event);
        let split = arguments.event.rsplit_once('#');
        let split = split.and_then(|(log, number)| Some((log, number.parse().ok()?)));
        match split {
            Some((log, number)) if !whole.exists() => Self {
                log: log.into(),
                number: arguments.record.or(Some(number)),
            },
            _ => Self {
                log: whole.to_owned(),
                number: arguments.record,
            },
        }
    }

    fn is(&self, at: At) -> bool {
        match (self.number, at) {
            (None, _) => true,
            (Some(number), At::Line(at) | At::Record(at)) => number == at,
            (Some(_), At::Item | At::Offset(_)) => false,
        }
    }

    /// Explains the event; there must be no other by that name.
    fn look(&self, explain: &dyn Fn(&dyn Record) -> Vec<OfRule>) -> Result<Explained, Failure> {
        let options = Options::default();
        let collections = check::discover(std::slice::from_ref(&self.log), &options)?;
        let mut explained = None;
        let mut fitting = 0_u64;
        let looked = pipeline::each_record(&collections, &options, &mut |item, record| {
            if !self.is(record.at()) {
                return;
            }
            fitting += 1;
            explained.get_or_insert_with(|| Explained {
                event: Event {
                    item: item.to_owned(),
                    at: record.at(),
                    source: record.source().to_string(),
                    time: record.time(),
                },
                rules: explain(record),
            });
        });
        let log = self.log.display();
        match (explained, self.number) {
            (Some(explained), _) if fitting == 1 => Ok(explained),
            (Some(_), _) => Err(Failure::usage(
                format!("{fitting} records of {log} fit"),
                "name one by its number with --record, in a log of its own",
            )),
            (None, Some(number)) if looked.records > 0 => Err(Failure::usage(
                format!("{log} holds no record {number} among {}", looked.records),
                "event logs number their records themselves; in other logs the line counts",
            )),
            (None, _) => Err(Failure::usage(
                match looked.first_gap {
                    Some(gap) => format!("no record of {log} can be read: {}", gap.detail),
                    None => format!("no reader finds a record in {log}"),
                },
                "give an event log, or an event in JSON as evtx_dump or winlogbeat write it",
            )),
        }
    }
}

impl OfRule {
    fn of(engine: &Engine, status: &RuleStatus, record: &dyn Record) -> Self {
        // The rule of a duplicate's id is another one.
        let is_taken = !matches!(status.state, detect::RuleState::Duplicate { .. });
        let explanation = Some(&status.rule)
            .filter(|_| is_taken)
            .and_then(|rule| engine.explain(rule, record));
        Self {
            status: status.clone(),
            matches: explanation.as_ref().is_some_and(|top| top.holds),
            explanation: explanation.map(Part::of),
        }
    }
}

impl Part {
    fn of(explanation: Explanation) -> Self {
        let (field, values) = match explanation.seen {
            None => (None, None),
            Some(seen) => (Some(seen.field), seen.present.then_some(seen.values)),
        };
        Self {
            what: explanation.what,
            holds: explanation.holds,
            field,
            values,
            parts: explanation.parts.into_iter().map(Self::of).collect(),
        }
    }

    /// `+` stands before what holds, `-` before what does not.
    fn text(&self, out: &mut dyn Write, depth: usize) -> io::Result<()> {
        let sign = if self.holds { "+" } else { "-" };
        let name = match self.field.as_deref() {
            Some("") => "the event",
            other => other.unwrap_or_default(),
        };
        let seen = match (&self.field, &self.values) {
            (None, _) => String::new(),
            (Some(_), None) => format!("   [{name} is absent]"),
            (Some(_), Some(values)) => format!("   [{name}: {}]", values.join(" | ")),
        };
        line(out, depth, &format!("{sign} {}{seen}", self.what))?;
        let mut parts = self.parts.iter();
        parts.try_for_each(|part| part.text(out, depth + 1))
    }
}

impl Explained {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        line(out, 0, &self.event.text())?;
        self.rules.iter().try_for_each(|rule| {
            writeln!(out)?;
            heading(out, &rule.status)?;
            reasons(out, &rule.status.state)?;
            let Some(explanation) = &rule.explanation else {
                return Ok(());
            };
            explanation.text(out, 1)?;
            line(out, 0, rule.verdict())
        })
    }
}

impl Event {
    fn text(&self) -> String {
        let place = model::Place::item("", &self.item).at(self.at);
        let time = self.time;
        let time = time.map_or_else(|| "undated".to_owned(), |time| time.to_string());
        format!("{place}  {}  {time}", self.source)
    }
}

impl OfRule {
    fn verdict(&self) -> &'static str {
        if self.matches {
            "the rule matches the event"
        } else {
            "the rule does not match the event"
        }
    }
}
