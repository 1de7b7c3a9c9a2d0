//! Regular expressions: compiled within limits, and the literals that any match must hold.
//!
//! The flavour is what the specification asks for and a little more; look-around and references back, which need
//! unbounded time, are refused by the library.

use super::test::Expression;
use super::text::fold_char;
use crate::problem::Problem;
use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};
use std::sync::{Arc, OnceLock};

/// Bytes that one compiled expression may take; the largest published one takes a third of it.
const COMPILED_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Expressions of fewer steps are far below the limit above, at some 40 bytes each, and are compiled when they are first
/// needed: most never are.
const STEPS_LEFT_FOR_LATER_MAX: usize = 50_000;

/// Brackets within brackets.
const NEST_MAX: u32 = 64;

/// Literals of one expression that are worth looking for.
const LITERALS_MAX: usize = 64;

/// Shorter literals stand nearly everywhere.
const LITERAL_BYTES_MIN: usize = 2;

/// Flags written behind `|re`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flags {
    pub(crate) ignore_case: bool,
    pub(crate) multi_line: bool,
    pub(crate) dot_all: bool,
}

/// Compiles an expression.
pub(crate) fn compile(pattern: &str, flags: Flags) -> Result<Expression, Problem> {
    let mut written = String::new();
    for (flag, on) in [
        ('i', flags.ignore_case),
        ('m', flags.multi_line),
        ('s', flags.dot_all),
    ] {
        if on {
            written.push(flag);
        }
    }
    let written = if written.is_empty() {
        pattern.to_owned()
    } else {
        format!("(?{written}){pattern}")
    };
    let refuse = |why: String| {
        Problem::error(
            "",
            format!("the regular expression `{pattern}` cannot be used: {why}"),
            "look-around and references back are not part of Sigma's flavour",
        )
    };
    let parsed = regex_syntax::ParserBuilder::new()
        .nest_limit(NEST_MAX)
        .build()
        .parse(&written)
        .map_err(|error| refuse(last_line(&error.to_string())))?;
    let compiled = OnceLock::new();
    if steps_of(&parsed) > STEPS_LEFT_FOR_LATER_MAX {
        let regex = build(&written).map_err(|error| refuse(last_line(&error.to_string())))?;
        compiled.set(regex).expect("nobody else knows of it as yet");
    }
    Ok(Expression {
        literals: required(&parsed).unwrap_or_default(),
        compiled: Arc::new(compiled),
        written,
    })
}

/// Compiles an expression with its flags.
pub(super) fn build(written: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(written)
        .size_limit(COMPILED_BYTES_MAX)
        .nest_limit(NEST_MAX)
        .build()
}

/// How many steps the compiled expression takes, estimated from above.
fn steps_of(hir: &Hir) -> usize {
    let sum = |parts: &[Hir]| {
        parts
            .iter()
            .fold(1_usize, |sum, part| sum.saturating_add(steps_of(part)))
    };
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        // A range of characters comes to a few ranges of up to four bytes each.
        HirKind::Class(Class::Unicode(class)) => class.ranges().len().saturating_mul(20),
        HirKind::Class(Class::Bytes(class)) => class.ranges().len(),
        HirKind::Repetition(repetition) => {
            let least = repetition.min.saturating_add(1);
            let times = repetition.max.unwrap_or(least).max(least);
            let times = usize::try_from(times).unwrap_or(usize::MAX);
            steps_of(&repetition.sub)
                .saturating_add(2)
                .saturating_mul(times)
        }
        HirKind::Capture(capture) => steps_of(&capture.sub).saturating_add(2),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => sum(parts),
    }
}

/// The library's messages show the pattern over several lines; the last tells what is wrong.
fn last_line(message: &str) -> String {
    let line = message.lines().next_back().unwrap_or_default().trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// Folded literals of which one stands in any match; `None` where there is no such promise. The depth of the tree is
/// bounded by [`NEST_MAX`].
fn required(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub),
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.append(&mut required(part)?);
            }
            (all.len() <= LITERALS_MAX).then_some(all)
        }
        HirKind::Concat(parts) => best_of(parts),
        HirKind::Literal(_) | HirKind::Class(_) => best_of(std::slice::from_ref(hir)),
        HirKind::Empty | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

/// Of what a row of parts promises, the promise whose shortest literal is longest.
fn best_of(parts: &[Hir]) -> Option<Vec<String>> {
    let mut best: Option<Vec<String>> = None;
    let mut offer = |literals: Vec<String>| {
        let worth = |literals: &[String]| literals.iter().map(String::len).min().unwrap_or(0);
        if worth(&literals) >= LITERAL_BYTES_MIN
            && best
                .as_deref()
                .is_none_or(|best| worth(&literals) > worth(best))
        {
            best = Some(literals);
        }
    };
    let mut run = String::new();
    for part in parts {
        if append_fixed(part, &mut run) {
            continue;
        }
        offer(vec![std::mem::take(&mut run)]);
        if !is_fixed(part)
            && let Some(literals) = required(part)
        {
            offer(literals);
        }
    }
    offer(vec![run]);
    best
}

fn is_fixed(part: &Hir) -> bool {
    matches!(part.kind(), HirKind::Literal(_) | HirKind::Class(_))
}

/// Appends a part that matches one text only, case aside; `false` for any other.
fn append_fixed(part: &Hir, run: &mut String) -> bool {
    match part.kind() {
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => {
                text.chars().for_each(|letter| fold_char(letter, run));
                true
            }
            Err(_part_of_a_character) => false,
        },
        HirKind::Class(Class::Unicode(class)) => {
            let mut folds: Option<String> = None;
            for range in class.ranges() {
                // A letter and its other cases are a few ranges of one.
                if range.len() > 4 {
                    return false;
                }
                for letter in range.start()..=range.end() {
                    let mut fold = String::new();
                    fold_char(letter, &mut fold);
                    match &folds {
                        None => folds = Some(fold),
                        Some(known) if *known == fold => {}
                        Some(_) => return false,
                    }
                }
            }
            let Some(fold) = folds else {
                return false;
            };
            run.push_str(&fold);
            true
        }
        HirKind::Capture(capture) => append_fixed(&capture.sub, run),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literals(pattern: &str, ignore_case: bool) -> Vec<String> {
        let flags = Flags {
            ignore_case,
            ..Flags::default()
        };
        compile(pattern, flags).unwrap().literals
    }

    #[test]
    fn required_literals_are_found_through_case_and_brackets() {
        assert_eq!(literals(r"^.*\\Sysmon64\.exe$", false), [r"\sysmon64.exe"]);
        assert_eq!(literals(r"sysmon\d+kernel", true), ["sysmon"]);
        assert_eq!(literals("(?:foo|barbaz)x+", false), ["foo", "barbaz"]);
        assert_eq!(literals("(abc)+d", false), ["abc"]);
        assert_eq!(literals("[Mm][Zz]ab", false), ["mzab"]);
        for nothing in ["a?b?", ".*", "(?:foo|.)", "[a-z]{10}", "x"] {
            assert!(literals(nothing, false).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn promised_literals_stand_in_what_matches() {
        let cases = [
            (r"(?i)Kelvin\s+ſtrasse", "\u{212A}elvin  STRASSE"),
            (r"(?i)-e(nc|ncodedcommand)? [a-z]+", "-ENC abc"),
            ("(a|bc)(de|f)+gh", "bcdefgh"),
        ];
        for (pattern, text) in cases {
            let expression = compile(pattern, Flags::default()).unwrap();
            assert!(expression.is_match(text), "{pattern}");
            let folded = super::super::text::folded(text);
            assert!(
                expression.literals.is_empty()
                    || expression.literals.iter().any(|one| folded.contains(one)),
                "{pattern}: {:?}",
                expression.literals
            );
        }
    }

    #[test]
    fn what_could_take_forever_is_refused() {
        for pattern in [
            "(?=a)b",
            r"(a)\1",
            "a{1000}{1000}{1000}",
            "(",
            &format!("{}a{}", "(".repeat(500), ")".repeat(500)),
        ] {
            assert!(compile(pattern, Flags::default()).is_err(), "{pattern}");
        }
        let catastrophic = compile("(a+)+$", Flags::default()).unwrap();
        assert!(!catastrophic.is_match(&format!("{}b", "a".repeat(100_000))));
    }
}
