//! Processing pipelines in pySigma's YAML format: changes to rules before they are compiled.
//!
//! Transformations work on values as they are written, before modifiers are applied. What belongs to queries rather than
//! to rules (post-processing, finalizers, query expressions) is refused, as is whatever is not known: a pipeline that is
//! half applied would give wrong answers. Names in the `group-by` of correlations are those of the events.

mod apply;
mod conditions;
mod read;
mod transform;

use crate::parse::Parsed;
use crate::problem::Problem;
use conditions::{FieldCondition, ItemCondition, Joined, RuleCondition};
use std::collections::BTreeMap;
use transform::Transformation;

/// A pipeline.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// What it is called.
    pub name: String,
    /// Pipelines with lower numbers come first.
    pub priority: i64,
    variables: BTreeMap<String, Vec<String>>,
    steps: Vec<Step>,
}

/// A transformation and when it applies.
#[derive(Clone, Debug)]
struct Step {
    id: Option<String>,
    transformation: Transformation,
    rules: Joined<RuleCondition>,
    items: Joined<ItemCondition>,
    fields: Joined<FieldCondition>,
}

impl Pipeline {
    /// Reads a pipeline; the error names the place.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        read::read(text)
    }

    /// Applies pipelines in the order of their priority to all rules and filters. A rule that a pipeline refuses stays
    /// among the rules and is rejected when it is compiled.
    pub fn apply(pipelines: &[Self], parsed: &mut Parsed<'_>) {
        let mut order: Vec<&Self> = pipelines.iter().collect();
        order.sort_by_key(|pipeline| pipeline.priority);
        apply::apply(&order, parsed);
    }
}
