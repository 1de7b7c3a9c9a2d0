//! Conditions: `selection and not 1 of filter_*`.
//!
//! Precedence rises from `or` over `and` and `not` to `of` and brackets (specification, section "Condition"). Words are
//! recognised in any case.

use crate::problem::Problem;
use crate::rule::{Condition, Names};

/// Longer than any condition that a person writes; the longest published one has 400 characters.
const CONDITION_BYTES_MAX: usize = 64 * 1024;

/// Brackets and negations within each other.
const DEPTH_MAX: usize = 64;

/// Reads a condition; the error says what stands where something else was expected.
pub fn parse_condition(text: &str) -> Result<Condition, Problem> {
    if text.len() > CONDITION_BYTES_MAX {
        return Err(wrong(
            format!("is longer than {CONDITION_BYTES_MAX} bytes"),
            "split the rule",
        ));
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        position: 0,
    };
    let condition = parser.or(0)?;
    match parser.next() {
        None => Ok(condition),
        Some(Token::Close) => Err(wrong(
            "has a closing bracket without an opening one",
            "remove it",
        )),
        Some(token) => Err(wrong(
            format!("goes on with {token} where `and` or `or` was expected"),
            "join the parts with `and` or `or`",
        )),
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token<'a> {
    Open,
    Close,
    Word(&'a str),
}

impl std::fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open => f.write_str("`(`"),
            Self::Close => f.write_str("`)`"),
            Self::Word(word) => write!(f, "`{word}`"),
        }
    }
}

impl Token<'_> {
    fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(own) if own.eq_ignore_ascii_case(word))
    }
}

fn wrong(message: impl Into<String>, help: &str) -> Problem {
    Problem::error("", format!("the condition {}", message.into()), help)
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, Problem> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' => {
                tokens.push(Token::Open);
                1
            }
            ')' => {
                tokens.push(Token::Close);
                1
            }
            '|' => {
                return Err(wrong(
                    "holds an aggregation behind `|`, which the specification has dropped",
                    "write a correlation rule instead",
                ));
            }
            _ if is_name(first) => {
                let length = rest
                    .find(|other: char| !is_name(other))
                    .unwrap_or(rest.len());
                tokens.push(Token::Word(&rest[..length]));
                length
            }
            other => {
                return Err(wrong(
                    format!("holds `{other}`, which is part of no name or operator"),
                    "names hold letters, digits, `_`, `-`, `.` and, behind `of`, `*`",
                ));
            }
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '-' | '*' | '.')
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    position: usize,
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        let token = self.tokens.get(self.position).cloned()?;
        self.position += 1;
        Some(token)
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self
            .tokens
            .get(self.position)
            .is_some_and(|token| token.is(word));
        if found {
            self.position += 1;
        }
        found
    }

    fn or(&mut self, depth: usize) -> Result<Condition, Problem> {
        let mut parts = vec![self.and(depth)?];
        while self.take("or") {
            parts.push(self.and(depth)?);
        }
        Ok(single(parts, Condition::Or))
    }

    fn and(&mut self, depth: usize) -> Result<Condition, Problem> {
        let mut parts = vec![self.not(depth)?];
        while self.take("and") {
            parts.push(self.not(depth)?);
        }
        Ok(single(parts, Condition::And))
    }

    fn not(&mut self, depth: usize) -> Result<Condition, Problem> {
        if depth > DEPTH_MAX {
            return Err(wrong(
                format!("is nested deeper than {DEPTH_MAX}"),
                "simplify it",
            ));
        }
        if self.take("not") {
            return Ok(Condition::Not(Box::new(self.not(depth + 1)?)));
        }
        self.primary(depth)
    }

    fn primary(&mut self, depth: usize) -> Result<Condition, Problem> {
        match self.next() {
            None => Err(wrong(
                "ends where a name was expected",
                "name a part of the detection",
            )),
            Some(Token::Close) => Err(wrong(
                "has `)` where a name was expected",
                "name a part of the detection",
            )),
            Some(Token::Open) => {
                let inner = self.or(depth + 1)?;
                match self.next() {
                    Some(Token::Close) => Ok(inner),
                    None => Err(wrong("lacks a closing bracket", "add it")),
                    Some(other) => Err(wrong(
                        format!("has {other} where `)` was expected"),
                        "join the parts with `and` or `or`",
                    )),
                }
            }
            Some(Token::Word(word)) => self.named(word),
        }
    }

    fn named(&mut self, word: &'a str) -> Result<Condition, Problem> {
        if ["and", "or", "of"]
            .iter()
            .any(|operator| word.eq_ignore_ascii_case(operator))
        {
            return Err(wrong(
                format!("has `{word}` where a name was expected"),
                "name a part of the detection on either side of it",
            ));
        }
        if !self.take("of") {
            if word.contains('*') {
                return Err(wrong(
                    format!("holds `{word}` without `1 of` or `all of`"),
                    "put `1 of` or `all of` before a name with `*`",
                ));
            }
            return Ok(Condition::Name(word.to_owned()));
        }
        let all = match word.to_ascii_lowercase().as_str() {
            "1" | "any" => false,
            "all" => true,
            _ => {
                return Err(wrong(
                    format!("holds `{word} of`, which the specification does not know"),
                    "use `1 of` or `all of`",
                ));
            }
        };
        match self.next() {
            Some(Token::Word(names)) if names.eq_ignore_ascii_case("them") => Ok(Condition::Of {
                all,
                names: Names::Them,
            }),
            Some(Token::Word(names)) => Ok(Condition::Of {
                all,
                names: Names::Pattern(names.to_owned()),
            }),
            _ => Err(wrong(
                format!("lacks names behind `{word} of`"),
                "write `them` or a name with `*`",
            )),
        }
    }
}

fn single(mut parts: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Condition {
    match parts.len() {
        1 => parts.pop().expect("its length is one"),
        _ => join(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let shown = match parse_condition(text) {
            Ok(condition) => condition.to_string(),
            Err(problem) => format!("error: {problem}"),
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn precedence_is_that_of_the_specification() {
        check("a or not b and c", "a or (not b and c)");
        check("not (a or b) and c", "not (a or b) and c");
        check("not not a", "not not a");
        check(
            "1 of them and not all of filter_*",
            "1 of them and not all of filter_*",
        );
        check("a AND NOT Any Of b*", "a and not 1 of b*");
        check("((a))", "a");
    }

    #[test]
    fn mistakes_are_told_with_advice() {
        check(
            "",
            "error: the condition ends where a name was expected; name a part of the detection",
        );
        check(
            "a b",
            "error: the condition goes on with `b` where `and` or `or` was expected; join the parts with `and` or `or`",
        );
        check("(a", "error: the condition lacks a closing bracket; add it");
        check(
            "a)",
            "error: the condition has a closing bracket without an opening one; remove it",
        );
        check(
            "a and",
            "error: the condition ends where a name was expected; name a part of the detection",
        );
        check(
            "and a",
            "error: the condition has `and` where a name was expected; name a part of the detection on either side of it",
        );
        check(
            "2 of a*",
            "error: the condition holds `2 of`, which the specification does not know; use `1 of` or `all of`",
        );
        check(
            "sel*",
            "error: the condition holds `sel*` without `1 of` or `all of`; put `1 of` or `all of` before a name with `*`",
        );
        check(
            "a | count() > 5",
            "error: the condition holds an aggregation behind `|`, which the specification has dropped; write a correlation rule instead",
        );
        check(
            "a & b",
            "error: the condition holds `&`, which is part of no name or operator; names hold letters, digits, `_`, `-`, `.` and, behind `of`, `*`",
        );
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = format!("{}a{}", "(".repeat(1000), ")".repeat(1000));
        assert!(
            parse_condition(&deep)
                .unwrap_err()
                .message
                .contains("deeper")
        );
        let negated = format!("{}a", "not ".repeat(1000));
        assert!(
            parse_condition(&negated)
                .unwrap_err()
                .message
                .contains("deeper")
        );
    }
}
