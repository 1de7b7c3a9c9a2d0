//! Logic as steps with jumps: each step tests one predicate and names the step to go to for either outcome.

use super::lower::Expr;

/// The rule matches.
pub(crate) const MATCH: u32 = u32::MAX;

/// The rule does not match.
pub(crate) const NO_MATCH: u32 = u32::MAX - 1;

/// One test and where it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) predicate: u32,
    pub(crate) on_true: u32,
    pub(crate) on_false: u32,
}

/// Steps, and the one to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) steps: Box<[Step]>,
    pub(crate) start: u32,
}

impl Program {
    /// Compiles logic whose leaves are numbers of predicates; within `and` and `or`, what costs least comes first.
    pub(crate) fn of(expr: &Expr<u32>, cost: &impl Fn(u32) -> u32) -> Self {
        let mut steps = Vec::new();
        let start = emit(expr, MATCH, NO_MATCH, cost, &mut steps);
        Self {
            steps: steps.into_boxed_slice(),
            start,
        }
    }

    /// Runs the steps, asking for the truth of each predicate as it is needed.
    pub(crate) fn run(&self, mut holds: impl FnMut(u32) -> bool) -> bool {
        let mut next = self.start;
        // Every step leads to one that was emitted before it, so this ends.
        while let Some(step) = self.steps.get(next as usize) {
            next = if holds(step.predicate) {
                step.on_true
            } else {
                step.on_false
            };
        }
        next == MATCH
    }
}

/// Steps are emitted from the last to the first, so that their targets are known.
fn emit(
    expr: &Expr<u32>,
    on_true: u32,
    on_false: u32,
    cost: &impl Fn(u32) -> u32,
    steps: &mut Vec<Step>,
) -> u32 {
    match expr {
        Expr::Constant(true) => on_true,
        Expr::Constant(false) => on_false,
        Expr::Leaf(predicate) => {
            steps.push(Step {
                predicate: *predicate,
                on_true,
                on_false,
            });
            u32::try_from(steps.len() - 1).expect("rules have far fewer tests")
        }
        Expr::Not(below) => emit(below, on_false, on_true, cost, steps),
        Expr::And(parts) => in_order(parts, cost)
            .into_iter()
            .rev()
            .fold(on_true, |next, part| {
                emit(part, next, on_false, cost, steps)
            }),
        Expr::Or(parts) => in_order(parts, cost)
            .into_iter()
            .rev()
            .fold(on_false, |next, part| {
                emit(part, on_true, next, cost, steps)
            }),
    }
}

fn in_order<'a>(parts: &'a [Expr<u32>], cost: &impl Fn(u32) -> u32) -> Vec<&'a Expr<u32>> {
    let mut order: Vec<_> = parts
        .iter()
        .map(|part| (cost_of(part, cost), part))
        .collect();
    order.sort_by_key(|(cost, _)| *cost);
    order.into_iter().map(|(_, part)| part).collect()
}

fn cost_of(expr: &Expr<u32>, cost: &impl Fn(u32) -> u32) -> u32 {
    match expr {
        Expr::Constant(_) => 0,
        Expr::Leaf(predicate) => cost(*predicate),
        Expr::Not(below) => cost_of(below, cost),
        Expr::And(parts) | Expr::Or(parts) => parts
            .iter()
            .fold(0_u32, |sum, part| sum.saturating_add(cost_of(part, cost))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(expr: &Expr<u32>, truth: u32) -> bool {
        match expr {
            Expr::Constant(value) => *value,
            Expr::Leaf(leaf) => truth >> leaf & 1 == 1,
            Expr::Not(below) => !value(below, truth),
            Expr::And(parts) => parts.iter().all(|part| value(part, truth)),
            Expr::Or(parts) => parts.iter().any(|part| value(part, truth)),
        }
    }

    fn any_expr() -> impl Strategy<Value = Expr<u32>> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Expr::Constant),
            (0_u32..6).prop_map(Expr::Leaf)
        ];
        leaf.prop_recursive(5, 40, 4, |inner| {
            prop_oneof![
                inner.clone().prop_map(|one| Expr::Not(Box::new(one))),
                prop::collection::vec(inner.clone(), 0..4).prop_map(Expr::And),
                prop::collection::vec(inner, 0..4).prop_map(Expr::Or),
            ]
        })
    }

    proptest! {
        #[test]
        fn steps_come_to_what_the_logic_says(expr in any_expr()) {
            let program = Program::of(&expr, &|leaf| leaf % 3);
            for truth in 0..64_u32 {
                prop_assert_eq!(program.run(|leaf| truth >> leaf & 1 == 1), value(&expr, truth));
            }
        }
    }
}
