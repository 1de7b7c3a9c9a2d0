//! `knowledge/questions.yaml`: statements that somebody who was broken into is asked for, what contradicts each, and
//! what must have been seen before anybody makes it.

use crate::Need;
use crate::tables::read_yaml;
use model::PersistenceKind;
use serde::{Deserialize, Serialize};

const QUESTIONS: &str = include_str!("../../../knowledge/questions.yaml");

/// A statement, and by what it is judged.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    pub id: String,
    /// As it would be given to others, one sentence without a full stop.
    pub statement: String,
    /// Ids of the products on whose hosts it is asked; empty: on all.
    #[serde(default)]
    pub products: Vec<String>,
    #[serde(default)]
    pub contradicted_by: Contradiction,
    /// Evidence that must be whole before the statement is supported. Each need has one way only: evidence in which a
    /// contradiction could stand has no substitute.
    #[serde(default)]
    pub rests_on: Vec<Need>,
    /// Ids of the statements that this one is made of: contradicted if one of them is, supported if all are.
    #[serde(default)]
    pub parts: Vec<String>,
    /// What it does not say even where it is supported.
    pub limits: String,
    /// Who asks it, and where the rule comes from.
    pub source: String,
}

/// What shows that a statement is untrue. Findings that prove an effect contradict; leads keep the statement open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contradiction {
    /// ATT&CK ids; a technique stands for all of its sub-techniques.
    #[serde(default)]
    pub techniques: Vec<String>,
    /// Steps of the packs' stories.
    #[serde(default)]
    pub steps: Vec<String>,
    /// Kinds of persistence of which none may have been made or changed in the time asked for, by whomever.
    #[serde(default)]
    pub changes: Vec<PersistenceKind>,
    /// Whether findings that name another computer as their target count.
    #[serde(default)]
    pub other_hosts: bool,
    /// Bytes that the web server may have sent to the clients that findings name, all together.
    #[serde(default)]
    pub sent_bytes_max: Option<u64>,
}

impl Contradiction {
    /// Whether a finding with these techniques and this step is about what the statement denies.
    pub fn is_about(&self, techniques: &[String], step: &str) -> bool {
        let of = |known: &String| {
            techniques.iter().any(|technique| {
                technique
                    .strip_prefix(known.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        };
        self.techniques.iter().any(of) || self.steps.iter().any(|known| known == step)
    }
}

/// Every question of `knowledge/questions.yaml`, in the order in which they are shown.
pub fn questions() -> Vec<Question> {
    let mut problems = Vec::new();
    read_yaml("questions.yaml", QUESTIONS, &mut problems)
        .expect("a test reads the checked-in table of questions")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NeedSpan, builtin_packs, yara_heads};
    use std::collections::BTreeSet;

    #[test]
    fn every_question_can_be_judged() {
        let questions = questions();
        let ids: BTreeSet<&str> = questions.iter().map(|asked| asked.id.as_str()).collect();
        assert_eq!(ids.len(), questions.len());
        for asked in &questions {
            assert!(!asked.source.is_empty() && !asked.limits.is_empty());
            if asked.parts.is_empty() {
                assert_ne!(
                    asked.contradicted_by,
                    Contradiction::default(),
                    "{}",
                    asked.id
                );
                assert!(!asked.rests_on.is_empty(), "{}", asked.id);
            }
            for part in &asked.parts {
                let part = questions.iter().find(|known| known.id == *part);
                assert!(
                    part.is_some_and(|part| part.parts.is_empty()),
                    "{}",
                    asked.id
                );
            }
            for need in &asked.rests_on {
                // With a substitute, to withhold one of two logs would leave the other's silence as support.
                assert_eq!(need.any_of.len(), 1, "{} {}", asked.id, need.id);
                assert_ne!(need.span, NeedSpan::Entry, "{} {}", asked.id, need.id);
            }
        }
    }

    #[test]
    fn steps_are_those_of_a_pack() {
        let packs = builtin_packs();
        let known: BTreeSet<&str> = packs
            .iter()
            .flat_map(|pack| &pack.manifest.steps)
            .map(|step| step.id.as_str())
            .collect();
        for asked in questions() {
            for step in &asked.contradicted_by.steps {
                assert!(known.contains(step.as_str()), "{}: {step}", asked.id);
            }
        }
    }

    #[test]
    fn a_technique_stands_for_its_sub_techniques_only() {
        let denied = Contradiction {
            techniques: vec!["T1003".to_owned()],
            ..Contradiction::default()
        };
        let is_about = |technique: &str| denied.is_about(&[technique.to_owned()], "");
        assert!(is_about("T1003") && is_about("T1003.001"));
        assert!(!is_about("T10031") && !is_about("T1505.003"));
    }

    /// What YARA finds lies in files anywhere, which no need of a question covers: with such a file withheld the
    /// statement would seem supported.
    #[test]
    fn no_rule_over_files_contradicts_what_only_logs_support() {
        let questions = questions();
        for pack in builtin_packs() {
            for file in &pack.yara {
                for head in yara_heads(file) {
                    let meaning = head.meaning.as_ref().expect("built-in rules have one");
                    for asked in &questions {
                        let denied = &asked.contradicted_by;
                        let is_about = denied.is_about(&head.techniques, &meaning.step);
                        assert!(!is_about, "{}: {}", asked.id, head.id);
                    }
                }
            }
        }
    }
}
