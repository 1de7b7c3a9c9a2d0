//! Which predicates a rule is entered by: of a set that is as rare as can be, one must hold wherever the rule matches.
//!
//! Of an `and` the rarest part is enough, of an `or` every part counts; a negation promises nothing.

use super::lower::Expr;

/// The predicates of which one must hold, and how often they are thought to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Necessary {
    pub(crate) frequency: f64,
    pub(crate) predicates: Vec<u32>,
}

/// Predicates that a rule is entered by, at most; with more it is cheaper to run it always.
const PREDICATES_MAX: usize = 20_000;

/// What must hold wherever the logic comes to `true`; `None` where nothing is known to.
/// `frequency` tells for a predicate how often it is thought to hold, `None` where it cannot be looked for.
pub(crate) fn necessary(
    expr: &Expr<u32>,
    frequency: &impl Fn(u32) -> Option<f64>,
) -> Option<Necessary> {
    of(expr, true, frequency)
}

fn of(
    expr: &Expr<u32>,
    positive: bool,
    frequency: &impl Fn(u32) -> Option<f64>,
) -> Option<Necessary> {
    match expr {
        // Of what never holds, nothing has to hold.
        Expr::Constant(value) if *value != positive => Some(Necessary {
            frequency: 0.0,
            predicates: Vec::new(),
        }),
        Expr::Leaf(predicate) if positive => Some(Necessary {
            frequency: frequency(*predicate)?,
            predicates: vec![*predicate],
        }),
        Expr::Constant(_) | Expr::Leaf(_) => None,
        Expr::Not(below) => of(below, !positive, frequency),
        Expr::And(parts) if positive => rarest(parts, positive, frequency),
        Expr::Or(parts) if !positive => rarest(parts, positive, frequency),
        Expr::And(parts) | Expr::Or(parts) => all(parts, positive, frequency),
    }
}

fn rarest(
    parts: &[Expr<u32>],
    positive: bool,
    frequency: &impl Fn(u32) -> Option<f64>,
) -> Option<Necessary> {
    parts
        .iter()
        .filter_map(|part| of(part, positive, frequency))
        .min_by(|one, other| {
            let by_frequency = one.frequency.total_cmp(&other.frequency);
            by_frequency.then(one.predicates.len().cmp(&other.predicates.len()))
        })
}

fn all(
    parts: &[Expr<u32>],
    positive: bool,
    frequency: &impl Fn(u32) -> Option<f64>,
) -> Option<Necessary> {
    let mut together = Necessary {
        frequency: 0.0,
        predicates: Vec::new(),
    };
    for part in parts {
        let mut one = of(part, positive, frequency)?;
        together.frequency += one.frequency;
        together.predicates.append(&mut one.predicates);
        if together.predicates.len() > PREDICATES_MAX {
            return None;
        }
    }
    Some(together)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rarest_of_an_and_and_all_of_an_or() {
        let leaf = Expr::Leaf;
        let not = |one| Expr::Not(Box::new(one));
        let frequency = |predicate: u32| (predicate < 10).then(|| f64::from(predicate));
        let check = |expr: &Expr<u32>, expected: Option<&[u32]>| {
            let found = necessary(expr, &frequency).map(|one| one.predicates);
            assert_eq!(found.as_deref(), expected, "{expr:?}");
        };
        check(&Expr::And(vec![leaf(3), leaf(1), leaf(12)]), Some(&[1]));
        check(&Expr::Or(vec![leaf(3), leaf(1)]), Some(&[3, 1]));
        check(&Expr::Or(vec![leaf(3), leaf(12)]), None);
        check(
            &Expr::And(vec![leaf(5), Expr::Or(vec![leaf(1), leaf(2)])]),
            Some(&[1, 2]),
        );
        check(&not(Expr::Or(vec![not(leaf(2)), leaf(1)])), Some(&[2]));
        check(&not(leaf(1)), None);
    }
}
