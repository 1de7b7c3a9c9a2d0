//! Rules taken apart, for readers of logs that want to pass over rows early.
//!
//! A rule comes to parts that must all hold. What a part promises of the event's texts tells which words to look for
//! before anything is split into fields.

use super::bind::{EVENT_SLOT, Predicate};
use super::engine::Engine;
use super::lower::Expr;
use super::partition::{decided, told};
use super::state::VariantId;
use super::test::Test;
use super::text::{Part as TextPart, Pattern};
use crate::evaluate::{FieldId, Fields, Source, fields_compare, holds_on_value};
use crate::taxonomy::SourceKey;
use std::collections::BTreeSet;

/// A part of a rule: it holds wherever the rule matches.
#[derive(Clone, Debug)]
pub struct Part(Expr<u32>);

/// What must stand in an event for a part of a rule to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Promise<'e> {
    /// Nothing is known.
    Nothing,
    /// All of these pieces, in any case of letters, in one value.
    Pieces {
        /// Names of the event's fields of which one has the value; empty where any may.
        fields: Vec<&'e str>,
        /// The pieces.
        pieces: Vec<&'e str>,
    },
    /// What one of these says.
    Any(Vec<Promise<'e>>),
    /// What all of these say.
    All(Vec<Promise<'e>>),
}

impl Engine {
    /// The rules that can match events of one kind of source, in no order, each taken apart. A rule that the source
    /// answers to in several ways comes once for each. A rule can match only where all of its parts hold, so that
    /// [`Matcher::evaluate_some`](crate::Matcher::evaluate_some) need not run the others.
    pub fn parts(&self, key: &SourceKey) -> Vec<(VariantId, Vec<Part>)> {
        let (active, _, truth) = self.signature_of(key);
        let known = |predicate: u32| told(&truth, self.key_places(), predicate);
        let mut rules = Vec::new();
        for number in active {
            let variant = &self.variants[number as usize];
            let mut parts = Vec::new();
            match decided(&variant.expr, &known) {
                Expr::Constant(false) => continue,
                Expr::Constant(true) => {}
                expr => take_apart(expr, &mut parts),
            }
            rules.push((VariantId(number), parts));
        }
        rules
    }
}

fn take_apart(expr: Expr<u32>, parts: &mut Vec<Part>) {
    match expr {
        Expr::And(below) => below.into_iter().for_each(|part| take_apart(part, parts)),
        other => parts.push(Part(other)),
    }
}

impl Part {
    /// Names of the event's fields that it looks at; `None` where it may look at any.
    pub fn fields<'e>(&self, engine: &'e Engine) -> Option<BTreeSet<&'e str>> {
        let mut ids = BTreeSet::new();
        fields_of(&self.0, engine, &mut ids).then(|| names(engine, ids))
    }

    /// Whether it holds on an event. This keeps nothing for the next part: [`Matcher`](crate::Matcher) evaluates whole
    /// rules far quicker.
    pub fn holds(&self, engine: &Engine, fields: &dyn Fields) -> bool {
        holds(&self.0, engine, fields)
    }

    /// What it promises of the events on which it holds.
    pub fn promise<'e>(&'e self, engine: &'e Engine) -> Promise<'e> {
        promise(&self.0, engine)
    }
}

fn predicate(engine: &Engine, id: u32) -> &Predicate {
    &engine.predicates()[id as usize]
}

/// Collects fields; `false` where the whole event is looked at.
fn fields_of(expr: &Expr<u32>, engine: &Engine, ids: &mut BTreeSet<FieldId>) -> bool {
    let mut of_slot = |slot: u32| {
        let source = &engine.slots()[slot as usize].source;
        source.each_field(&mut |field| {
            ids.insert(field);
        });
        slot != EVENT_SLOT
    };
    match expr {
        Expr::Constant(_) => true,
        Expr::Leaf(id) => {
            let own = predicate(engine, *id);
            let other = match own.test {
                Test::Field { other, .. } => of_slot(other),
                _ => true,
            };
            of_slot(own.slot) && other
        }
        Expr::Not(below) => fields_of(below, engine, ids),
        Expr::And(parts) | Expr::Or(parts) => parts.iter().all(|part| fields_of(part, engine, ids)),
    }
}

fn names(engine: &Engine, ids: BTreeSet<FieldId>) -> BTreeSet<&str> {
    let named = ids
        .into_iter()
        .filter_map(|id| engine.fields().get(id.index()));
    named.map(String::as_str).collect()
}

fn holds(expr: &Expr<u32>, engine: &Engine, fields: &dyn Fields) -> bool {
    match expr {
        Expr::Constant(value) => *value,
        Expr::Leaf(id) => leaf_holds(predicate(engine, *id), engine, fields),
        Expr::Not(below) => !holds(below, engine, fields),
        Expr::And(parts) => parts.iter().all(|part| holds(part, engine, fields)),
        Expr::Or(parts) => parts.iter().any(|part| holds(part, engine, fields)),
    }
}

fn leaf_holds(predicate: &Predicate, engine: &Engine, fields: &dyn Fields) -> bool {
    if let Test::Field { other, how, cased } = &predicate.test {
        return fields_compare(engine, predicate.slot, *other, *how, *cased, fields);
    }
    let mut holds = false;
    let source = &engine.slots()[predicate.slot as usize].source;
    let present = source.visit(fields, &mut |value| {
        holds = holds || holds_on_value(&predicate.test, value);
    });
    match predicate.test {
        Test::Exists => present,
        Test::Null => holds || !present,
        _ => holds,
    }
}

fn promise<'e>(expr: &'e Expr<u32>, engine: &'e Engine) -> Promise<'e> {
    let each = |parts: &'e [Expr<u32>]| parts.iter().map(|part| promise(part, engine)).collect();
    match expr {
        Expr::Constant(_) | Expr::Not(_) => Promise::Nothing,
        Expr::Leaf(id) => of_leaf(predicate(engine, *id), engine),
        Expr::And(parts) => Promise::All(each(parts)),
        Expr::Or(parts) => Promise::Any(each(parts)),
    }
}

fn of_leaf<'e>(predicate: &'e Predicate, engine: &'e Engine) -> Promise<'e> {
    let source = &engine.slots()[predicate.slot as usize].source;
    if !is_as_written(source) {
        return Promise::Nothing;
    }
    let mut ids = BTreeSet::new();
    source.each_field(&mut |field| {
        ids.insert(field);
    });
    let fields: Vec<&str> = names(engine, ids).into_iter().collect();
    let of = |pieces: Vec<&'e str>| Promise::Pieces {
        fields: fields.clone(),
        pieces,
    };
    match &predicate.test {
        Test::Text { pattern, .. } => of(pieces_of(pattern)),
        Test::Regex(expression) if !expression.literals.is_empty() => {
            let literals = expression.literals.iter();
            Promise::Any(literals.map(|literal| of(vec![literal])).collect())
        }
        _ => Promise::Nothing,
    }
}

fn pieces_of<'e>(pattern: &'e Pattern) -> Vec<&'e str> {
    match pattern {
        Pattern::Anything => Vec::new(),
        Pattern::Exact(text)
        | Pattern::Starts(text)
        | Pattern::Ends(text)
        | Pattern::Contains(text) => vec![text],
        Pattern::Parts(parts) => {
            let literal = |part: &'e TextPart| match part {
                TextPart::Literal(text) => Some(text.as_str()),
                _ => None,
            };
            parts.iter().filter_map(literal).collect()
        }
    }
}

/// Whether values come from the event's fields as they stand there.
fn is_as_written(source: &Source) -> bool {
    match source {
        Source::Event | Source::Field(_) => true,
        Source::First(parts) | Source::Any(parts) => parts.iter().all(is_as_written),
        Source::Url(path, query) => is_as_written(path) && is_as_written(query),
        Source::Join(..) | Source::Hex(_) | Source::Drive(_) | Source::Words(..) => false,
    }
}
