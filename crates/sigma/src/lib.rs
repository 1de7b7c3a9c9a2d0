//! Compiles and evaluates Sigma rules against anything that can look up a field, at scan speed.
//!
//! [`parse`] reads files of rules, filters and correlations. [`Engine::compile`] puts all rules together over a
//! [`Taxonomy`], which says what source of events answers to which log source of Sigma. A [`Matcher`] for each thread
//! evaluates events, anything that implements [`Fields`]; a [`Correlator`] takes the matches in the order of time.
//! What became of each rule stands in its [`RuleState`]: nothing that cannot run is silent.
//!
//! ```
//! use sigma::{Engine, FieldId, Fields, Matcher, Options, SourceKey, Taxonomy, Value};
//!
//! struct Event(Vec<(FieldId, &'static str)>);
//!
//! impl Fields for Event {
//!     fn value(&self, field: FieldId) -> Option<Value<'_>> {
//!         let found = self.0.iter().find(|(own, _)| *own == field)?;
//!         Some(Value::text(found.1))
//!     }
//!     fn each(&self, visit: &mut dyn FnMut(&Value<'_>)) {
//!         self.0.iter().for_each(|(_, text)| visit(&Value::text(*text)));
//!     }
//! }
//!
//! let rule = r"
//! title: A shell
//! logsource: {product: windows, category: process_creation}
//! detection:
//!   selection: {Image|endswith: '\cmd.exe'}
//!   condition: selection
//! ";
//! let engine = Engine::compile(sigma::parse(rule), Taxonomy::everything(), Options::default());
//! let event = Event(vec![(engine.field("Image").unwrap(), r"C:\Windows\System32\CMD.EXE")]);
//! let partition = engine.partition(&SourceKey::new());
//! let mut titles = Vec::new();
//! Matcher::new(&engine).evaluate(partition, &event, &mut |found| {
//!     titles.push(engine.header(found.rule).title.clone());
//! });
//! assert_eq!(titles, ["A shell"]);
//! ```
//!
//! The specification: <https://github.com/SigmaHQ/sigma-specification>, version 2.1.0. This crate does no I/O and knows
//! nothing of events, packs or Allclear.

#![warn(missing_docs)]

mod compile;
mod correlate;
mod evaluate;
mod explain;
mod modifier;
mod parse;
mod pipeline;
mod problem;
mod rule;
mod taxonomy;

pub use compile::engine::{Engine, Options, PartitionId};
pub use compile::parts::{Part, Promise};
pub use compile::state::{RuleId, RuleState, VariantId};
pub use correlate::{CorrelationMatch, Correlator, Lost, Observation};
pub use evaluate::{FieldId, Fields, Match, Matcher, Value};
pub use explain::{Explanation, Seen};
pub use modifier::Modifier;
pub use parse::{Node, Parsed, parse, parse_all, parse_condition};
pub use pipeline::Pipeline;
pub use problem::{Problem, Severity};
pub use rule::{
    Comparison, Condition, Correlation, CorrelationCondition, CorrelationKind, Detection,
    Detections, Filter, Header, Item, Level, Literal, LogSource, Names, Rule,
};
pub use taxonomy::{SourceKey, Taxonomy};
