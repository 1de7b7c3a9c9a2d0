//! `allclear rules check`: what becomes of each rule, and why.

use super::args::RulesCheck;
use super::{code, compile, fault_lines, heading, line, print, reasons};
use crate::args::Knowledge;
use crate::{Outcome, settings};
use detect::{RuleState, RuleStatus, RuleWarning};
use evidence::Options;
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct Checked<'a> {
    counts: Counts,
    rules: &'a [RuleStatus],
    warnings: &'a [RuleWarning],
}

/// How many rules are in each state.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Counts {
    rules: usize,
    runs: usize,
    in_part: usize,
    undetectable: usize,
    rejected: usize,
    duplicate: usize,
}

pub(super) fn run(arguments: &RulesCheck) -> Outcome {
    let given = Knowledge {
        pack: arguments.pack.clone(),
        trust: arguments.trust.clone(),
        rules: arguments.paths.clone(),
        yara: Vec::new(),
        indicators: Vec::new(),
    };
    let knowledge = settings::only_named(&given, Options::default())?;
    let packs = settings::packs(&knowledge)?;
    let engine = compile(&packs, knowledge.extra.sigma)?;
    let rules = engine.rule_states();
    let checked = Checked {
        counts: Counts::of(&rules),
        rules: &rules,
        warnings: engine.rule_warnings(),
    };
    print(arguments.format, &checked, &|out| {
        checked.text(out, arguments.verbose)
    })?;
    Ok(code(checked.counts.rejected == 0))
}

impl Counts {
    fn of(rules: &[RuleStatus]) -> Self {
        let mut counts = Self {
            rules: rules.len(),
            ..Self::default()
        };
        for rule in rules {
            let count = match rule.state {
                RuleState::Runs { .. } => &mut counts.runs,
                RuleState::InPart { .. } => &mut counts.in_part,
                RuleState::Undetectable { .. } => &mut counts.undetectable,
                RuleState::Rejected(_) => &mut counts.rejected,
                RuleState::Duplicate { .. } => &mut counts.duplicate,
            };
            *count += 1;
        }
        counts
    }
}

impl Checked<'_> {
    fn text(&self, out: &mut dyn Write, verbose: bool) -> io::Result<()> {
        for rule in self.rules {
            heading(out, rule)?;
            reasons(out, &rule.state)?;
            if verbose {
                sources(out, &rule.state)?;
            }
        }
        for warning in self.warnings {
            let place = match warning.fault.line {
                Some(line) => format!("{}:{line}", warning.path),
                None => warning.path.clone(),
            };
            line(out, 0, &format!("warning       {}  {place}", warning.rule))?;
            fault_lines(out, &warning.fault)?;
        }
        let counts = self.counts;
        writeln!(
            out,
            "{} rules: {} run, {} run in part, {} are undetectable, {} rejected, {} duplicates",
            counts.rules,
            counts.runs,
            counts.in_part,
            counts.undetectable,
            counts.rejected,
            counts.duplicate
        )
    }
}

fn sources(out: &mut dyn Write, state: &RuleState) -> io::Result<()> {
    match state {
        RuleState::Runs { sources } | RuleState::InPart { sources, .. } => {
            line(out, 2, &format!("on {}", sources.join(", ")))
        }
        _ => Ok(()),
    }
}
