//! Which analyses there are, by name, and whether a pack names them rightly.
//!
//! An analysis is an algorithm that rules cannot express: a decoder, a comparison. `detect` holds it as code without any
//! campaign in it; a pack names it in `analyses.yaml`, gives it its parameters as data, and says what its outcomes show.
//! `detect` has a test that both know the same.

use crate::lint::{Check, SOURCE_FAMILIES};
use crate::load::ANALYSES_FILE;
use crate::problem::Code;
use crate::types::AnalysisRule;

/// An algorithm that packs may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownAnalysis {
    pub name: &'static str,
    /// What it takes from a record.
    pub inputs: &'static [&'static str],
    /// What may come of it.
    pub outcomes: &'static [&'static str],
}

/// Every analysis, by name.
pub const ANALYSES: &[KnownAnalysis] = &[KnownAnalysis {
    name: "victim_names",
    inputs: &["name", "client", "answer", "local_time"],
    outcomes: &["reported", "accepted", "controlled", "late", "undecoded"],
}];

/// Levels as in Sigma.
const LEVELS: [&str; 4] = ["low", "medium", "high", "critical"];

impl Check<'_> {
    /// Tells what is wrong with the analyses that a pack names.
    pub(crate) fn analyses(&mut self) {
        let rules = &self.pack.analyses;
        self.need_unique(
            ANALYSES_FILE,
            "analysis",
            rules.iter().map(|rule| rule.id.as_str()),
        );
        for rule in rules {
            self.analysis(rule);
        }
    }

    fn analysis(&mut self, rule: &AnalysisRule) {
        for (field, text) in [
            ("id", &rule.id),
            ("title", &rule.title),
            ("author", &rule.author),
            ("reference", &rule.reference),
        ] {
            self.need_text(ANALYSES_FILE, field, text, &rule.id);
        }
        self.need_source(ANALYSES_FILE, &rule.source, &rule.id);
        self.need_examples(ANALYSES_FILE, &rule.id, &rule.title);
        let known = ANALYSES.iter().find(|known| known.name == rule.analysis);
        let Some(known) = known else {
            let names: Vec<&str> = ANALYSES.iter().map(|known| known.name).collect();
            let what = format!("there is no analysis `{}`", rule.analysis);
            let help = format!("name one of {}", names.join(", "));
            self.tell(
                Code::UnknownAnalysis,
                ANALYSES_FILE,
                what,
                help,
                &rule.analysis,
            );
            return;
        };
        if rule.records.is_empty() || rule.outcomes.is_empty() {
            let what = format!(
                "the analysis `{}` looks at nothing, or tells nothing",
                rule.id
            );
            let help = "name `records` to look at, and what each of `outcomes` shows";
            self.tell(Code::EmptyText, ANALYSES_FILE, what, help, &rule.id);
        }
        for records in &rule.records {
            let source = &records.source;
            let beginning = source.trim_end_matches('*');
            let family = beginning.split(':').next().unwrap_or(beginning);
            let is_known = SOURCE_FAMILIES.iter().any(|known| {
                *known == family || (source.ends_with('*') && known.starts_with(family))
            });
            if !is_known || *source != source.to_lowercase() {
                let what = format!("no reader gives a source `{source}`");
                let help = format!(
                    "a source is one of {}, in lower case, or the beginning of some and `*`",
                    SOURCE_FAMILIES.join(", ")
                );
                self.tell(Code::UnknownSource, ANALYSES_FILE, what, help, source);
            }
            for input in records.inputs.keys() {
                self.need_word(known.name, "input", input, known.inputs);
            }
        }
        for (name, outcome) in &rule.outcomes {
            self.need_word(known.name, "outcome", name, known.outcomes);
            self.need_text(ANALYSES_FILE, "meaning", &outcome.meaning, name);
            self.need_word(&rule.id, "level", &outcome.level, &LEVELS);
            if !self.tells_step(&outcome.step) {
                let what = format!("pack.yaml does not tell the step `{}`", outcome.step);
                let help = "add the step to `steps`, or use one of those";
                self.tell(Code::UnknownStep, ANALYSES_FILE, what, help, &outcome.step);
            }
        }
    }

    fn need_word(&mut self, whose: &str, what: &str, word: &str, known: &[&str]) {
        if !known.contains(&word) {
            let told = format!("`{whose}` has no {what} `{word}`");
            let help = format!("use one of {}", known.join(", "));
            self.tell(Code::UnknownAnalysis, ANALYSES_FILE, told, help, word);
        }
    }
}
