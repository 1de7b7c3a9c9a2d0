//! How often a predicate is thought to hold, told from the rules themselves.
//!
//! What many rules look for (`.exe`, `\windows\system32\`, `powershell`) is what many events hold. So each literal is
//! judged by the rarest run of four letters in it, counted over the literals of all rules, and by its length.

use super::bind::Predicate;
use super::test::Test;
use super::text::Pattern;
use crate::rule::Comparison;

const TABLE: usize = 1 << 16;

/// Letters that are counted together.
const RUN: usize = 4;

/// Counts of runs of letters.
#[derive(Debug)]
pub(crate) struct Rarity {
    counts: Box<[u32]>,
}

impl Rarity {
    pub(crate) fn of(predicates: &[Predicate]) -> Self {
        let mut rarity = Self {
            counts: vec![0; TABLE].into_boxed_slice(),
        };
        for predicate in predicates {
            if let Test::Text { pattern, .. } = &predicate.test {
                for run in pattern.longest_literal().as_bytes().windows(RUN) {
                    let count = &mut rarity.counts[place(run)];
                    *count = count.saturating_add(predicate.uses);
                }
            }
        }
        rarity
    }

    /// A figure that is larger the more often the predicate is thought to hold; `None` where it cannot be looked for.
    pub(crate) fn frequency(&self, predicate: &Predicate) -> Option<f64> {
        match &predicate.test {
            Test::Text { pattern, cased } => {
                let literal = pattern.longest_literal();
                // Folded, a cased literal may have another length, but is as rare.
                let base = match pattern {
                    Pattern::Anything => return None,
                    Pattern::Exact(_) => 0.3,
                    Pattern::Starts(_) | Pattern::Ends(_) => 0.6,
                    Pattern::Contains(_) | Pattern::Parts(_) => 1.0,
                };
                let exact = matches!(pattern, Pattern::Exact(_));
                if literal.is_empty() && !exact {
                    return None;
                }
                let sharpened = if *cased { 0.8 } else { 1.0 };
                Some(base * sharpened * self.of_literal(literal, exact))
            }
            Test::Regex(expression) if expression.literals.is_empty() => None,
            Test::Regex(expression) => Some(
                expression
                    .literals
                    .iter()
                    .map(|literal| self.of_literal(literal, false))
                    .sum(),
            ),
            Test::Number(Comparison::Equal, number) => number.to_key().map(|_| 30.0),
            Test::Truth(_) => Some(5_000.0),
            Test::Number(..)
            | Test::Network(_)
            | Test::Time(..)
            | Test::Null
            | Test::Exists
            | Test::Field { .. } => None,
        }
    }

    fn of_literal(&self, literal: &str, whole: bool) -> f64 {
        let bytes = literal.as_bytes();
        let rarest = bytes.windows(RUN).map(|run| self.counts[place(run)]).min();
        match rarest {
            Some(count) => {
                let length = f64::from(u8::try_from(bytes.len().min(40)).expect("at most 40"));
                f64::from(count.max(1)) * 8.0 / length
            }
            None if whole => 40.0,
            // One to three letters stand nearly everywhere.
            None => 4_000.0 / f64::from(u8::try_from(bytes.len().max(1)).expect("less than four")),
        }
    }
}

fn place(run: &[u8]) -> usize {
    let letters = run
        .iter()
        .fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    (letters.wrapping_mul(0x9e37_79b1) >> 16) as usize
}
