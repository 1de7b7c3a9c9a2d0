//! From the parts of a rule to tests of single values joined by `and`, `or` and `not`.

use super::expressions::{Flags, compile as compile_expression};
use super::network::Network;
use super::test::{FieldComparison, Number, Test, TimePart};
use super::text::{Part, Pattern, parts_of, plain, with_dashes};
use crate::modifier::Modifier;
use crate::problem::Problem;
use crate::rule::{Comparison, Condition, Detection, Detections, Item, Literal, Names};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Tests that one rule may come to once its conditions are written out; the largest published one has 700.
const TESTS_MAX: usize = 200_000;

/// Tests joined by logic; `L` is a test, or a number that stands for one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr<L> {
    Constant(bool),
    Leaf(L),
    Not(Box<Expr<L>>),
    And(Vec<Expr<L>>),
    Or(Vec<Expr<L>>),
}

impl<L> Expr<L> {
    pub(crate) fn and(mut parts: Vec<Self>) -> Self {
        match parts.len() {
            1 => parts.pop().expect("its length is one"),
            _ => Self::And(parts),
        }
    }

    pub(crate) fn or(mut parts: Vec<Self>) -> Self {
        match parts.len() {
            1 => parts.pop().expect("its length is one"),
            _ => Self::Or(parts),
        }
    }

    /// Puts something else in the place of every test.
    pub(crate) fn map<M>(&self, change: &mut impl FnMut(&L) -> Expr<M>) -> Expr<M> {
        match self {
            Self::Constant(value) => Expr::Constant(*value),
            Self::Leaf(leaf) => change(leaf),
            Self::Not(below) => Expr::Not(Box::new(below.map(change))),
            Self::And(parts) => Expr::And(parts.iter().map(|part| part.map(change)).collect()),
            Self::Or(parts) => Expr::Or(parts.iter().map(|part| part.map(change)).collect()),
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Constant(_) | Self::Leaf(_) => 1,
            Self::Not(below) => below.count(),
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::count).sum(),
        }
    }
}

/// A test of one field, `None` for the whole event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Leaf {
    pub(crate) field: Option<Arc<str>>,
    pub(crate) test: Test<String>,
}

/// A rule's tests, each once, and the logic over their numbers.
#[derive(Clone, Debug)]
pub(crate) struct Lowered {
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) expr: Expr<u32>,
}

/// Lowers a detection. Places in errors are relative to the section.
pub(crate) fn lower(detections: &Detections) -> Result<Lowered, Problem> {
    let mut lowerer = Lowerer::default();
    for (name, detection) in &detections.named {
        let expr = lowerer
            .detection(detection)
            .map_err(|error| error.under(name))?;
        let count = expr.count();
        lowerer.named.insert(name.clone(), (expr, count));
    }
    let mut conditions = Vec::new();
    for condition in &detections.conditions {
        conditions.push(
            lowerer
                .condition(condition)
                .map_err(|error| error.under("condition"))?,
        );
    }
    Ok(Lowered {
        leaves: lowerer.leaves,
        expr: Expr::or(conditions),
    })
}

/// Lowers one item, for those who explain it.
pub(crate) fn lower_item(item: &Item) -> Result<Lowered, Problem> {
    let mut lowerer = Lowerer::default();
    let expr = lowerer.item(item)?;
    Ok(Lowered {
        leaves: lowerer.leaves,
        expr,
    })
}

#[derive(Default)]
struct Lowerer {
    leaves: Vec<Leaf>,
    named: BTreeMap<String, (Expr<u32>, usize)>,
    tests: usize,
}

impl Lowerer {
    fn condition(&mut self, condition: &Condition) -> Result<Expr<u32>, Problem> {
        Ok(match condition {
            Condition::Name(name) => self.part(name)?,
            Condition::Of { all, names } => {
                let fitting = self.fitting(names);
                let parts = fitting
                    .iter()
                    .map(|name| self.part(name))
                    .collect::<Result<Vec<_>, _>>()?;
                if *all {
                    Expr::and(parts)
                } else {
                    Expr::or(parts)
                }
            }
            Condition::Not(below) => Expr::Not(Box::new(self.condition(below)?)),
            Condition::And(parts) => Expr::and(self.conditions(parts)?),
            Condition::Or(parts) => Expr::or(self.conditions(parts)?),
        })
    }

    fn conditions(&mut self, parts: &[Condition]) -> Result<Vec<Expr<u32>>, Problem> {
        parts.iter().map(|part| self.condition(part)).collect()
    }

    fn fitting(&self, names: &Names) -> Vec<String> {
        let all = self.named.keys().filter(|name| names.include(name));
        all.cloned().collect()
    }

    fn part(&mut self, name: &str) -> Result<Expr<u32>, Problem> {
        let (expr, count) = self.named.get(name).ok_or_else(|| {
            Problem::error(
                "",
                format!("the condition names `{name}`, which the detection does not have"),
                "correct the name",
            )
        })?;
        self.tests += count;
        if self.tests > TESTS_MAX {
            return Err(Problem::error(
                "",
                format!("written out, the condition has more than {TESTS_MAX} tests"),
                "split the rule",
            ));
        }
        Ok(expr.clone())
    }

    fn detection(&mut self, detection: &Detection) -> Result<Expr<u32>, Problem> {
        Ok(match detection {
            Detection::All(parts) => Expr::and(self.detections(parts)?),
            Detection::Any(parts) => Expr::or(self.detections(parts)?),
            Detection::Item(item) => {
                let key = item.key();
                self.item(item).map_err(|error| error.under(&key))?
            }
        })
    }

    fn detections(&mut self, parts: &[Detection]) -> Result<Vec<Expr<u32>>, Problem> {
        parts.iter().map(|part| self.detection(part)).collect()
    }

    fn item(&mut self, item: &Item) -> Result<Expr<u32>, Problem> {
        let plan = Plan::of(item)?;
        let all = item.has(Modifier::All);
        if all && item.values.len() < 2 {
            return Err(Problem::error(
                "",
                "`all` stands with a single value",
                "remove `all`, or give more values",
            ));
        }
        let field: Option<Arc<str>> = item.field.as_deref().map(Arc::from);
        let mut values = Vec::with_capacity(item.values.len());
        for value in &item.values {
            values.push(self.value(field.as_ref(), &plan, value)?);
        }
        let joined = if all {
            Expr::and(values)
        } else {
            Expr::or(values)
        };
        Ok(if plan.negated {
            Expr::Not(Box::new(joined))
        } else {
            joined
        })
    }

    fn value(
        &mut self,
        field: Option<&Arc<str>>,
        plan: &Plan,
        value: &Literal,
    ) -> Result<Expr<u32>, Problem> {
        let lowered = if field.is_some() {
            plan.tests_of(value)?
        } else {
            plan.keyword_tests_of(value)?
        };
        let (tests, negated) = lowered;
        let mut alternatives = Vec::with_capacity(tests.len());
        for test in tests {
            alternatives.push(Expr::Leaf(self.leaf(Leaf {
                field: field.cloned(),
                test,
            })));
        }
        let any = Expr::or(alternatives);
        Ok(if negated {
            Expr::Not(Box::new(any))
        } else {
            any
        })
    }

    fn leaf(&mut self, leaf: Leaf) -> u32 {
        self.leaves.push(leaf);
        u32::try_from(self.leaves.len() - 1).expect("a document has fewer values")
    }
}

/// What is done to an item's values, and how they are compared.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a modifier that is there or not"
)]
struct Plan {
    encodings: Vec<Modifier>,
    how: How,
    cased: bool,
    negated: bool,
    windash: bool,
    expand: bool,
}

#[derive(Clone, Copy)]
enum How {
    Equal,
    Starts,
    Ends,
    Contains,
    Regex(Flags),
    Network,
    Compare(Comparison),
    Exists,
    Field(FieldComparison),
    Time(TimePart, Comparison),
}

/// A value's tests, of which any must hold, and whether the outcome is turned round.
type Tests = (Vec<Test<String>>, bool);

fn wrong(message: impl Into<String>, help: &str) -> Problem {
    Problem::error("", message, help)
}

impl Plan {
    fn of(item: &Item) -> Result<Self, Problem> {
        let mut plan = Self {
            encodings: Vec::new(),
            how: How::Equal,
            cased: item.has(Modifier::Cased),
            negated: item.has(Modifier::NotEqual),
            windash: item.has(Modifier::WinDash),
            expand: item.has(Modifier::Expand),
        };
        let mut flags = Flags::default();
        let mut flagged = false;
        let mut chosen: Vec<How> = Vec::new();
        for modifier in &item.modifiers {
            let how = match modifier {
                Modifier::All
                | Modifier::Cased
                | Modifier::NotEqual
                | Modifier::WinDash
                | Modifier::Expand => continue,
                Modifier::IgnoreCase | Modifier::MultiLine | Modifier::DotAll => {
                    flags.ignore_case |= *modifier == Modifier::IgnoreCase;
                    flags.multi_line |= *modifier == Modifier::MultiLine;
                    flags.dot_all |= *modifier == Modifier::DotAll;
                    flagged = true;
                    continue;
                }
                Modifier::Base64
                | Modifier::Base64Offset
                | Modifier::Utf16Little
                | Modifier::Utf16Big
                | Modifier::Utf16 => {
                    if !chosen.is_empty() {
                        return Err(wrong(
                            format!("`{}` stands behind a comparison", modifier.as_str()),
                            "put encodings before `contains` and the like",
                        ));
                    }
                    plan.encodings.push(*modifier);
                    continue;
                }
                Modifier::StartsWith => How::Starts,
                Modifier::EndsWith => How::Ends,
                Modifier::Contains => How::Contains,
                Modifier::Regex => How::Regex(Flags::default()),
                Modifier::Cidr => How::Network,
                Modifier::Exists => How::Exists,
                Modifier::FieldReference => How::Field(FieldComparison::Equal),
                Modifier::Less => How::Compare(Comparison::Less),
                Modifier::LessOrEqual => How::Compare(Comparison::LessOrEqual),
                Modifier::Greater => How::Compare(Comparison::Greater),
                Modifier::GreaterOrEqual => How::Compare(Comparison::GreaterOrEqual),
                Modifier::Minute => How::Time(TimePart::Minute, Comparison::Equal),
                Modifier::Hour => How::Time(TimePart::Hour, Comparison::Equal),
                Modifier::Day => How::Time(TimePart::Day, Comparison::Equal),
                Modifier::Week => How::Time(TimePart::Week, Comparison::Equal),
                Modifier::Month => How::Time(TimePart::Month, Comparison::Equal),
                Modifier::Year => How::Time(TimePart::Year, Comparison::Equal),
            };
            chosen.push(how);
        }
        plan.how = match chosen.as_slice() {
            [] => How::Equal,
            [How::Regex(_)] => How::Regex(flags),
            [how] => *how,
            [How::Field(_), How::Contains] => How::Field(FieldComparison::Contains),
            [How::Field(_), How::Starts] => How::Field(FieldComparison::Starts),
            [How::Field(_), How::Ends] => How::Field(FieldComparison::Ends),
            [How::Time(part, _), How::Compare(comparison)] => How::Time(*part, *comparison),
            _ => {
                return Err(wrong(
                    "several comparisons are asked for at once",
                    "keep one; only `fieldref` may be followed by contains, startswith or endswith",
                ));
            }
        };
        plan.check(item, flagged)?;
        Ok(plan)
    }

    fn check(&self, item: &Item, flagged: bool) -> Result<(), Problem> {
        if flagged && !matches!(self.how, How::Regex(_)) {
            return Err(wrong(
                "the flags i, m and s belong to `re`",
                "remove them; texts are compared without regard to case unless `cased` is given",
            ));
        }
        let of_text = matches!(
            self.how,
            How::Equal | How::Starts | How::Ends | How::Contains
        );
        if !of_text && (self.windash || !self.encodings.is_empty()) {
            return Err(wrong(
                "an encoding or `windash` stands with a comparison that is not of texts",
                "remove one of them",
            ));
        }
        if self.windash && !self.encodings.is_empty() {
            return Err(wrong(
                "`windash` stands with an encoding",
                "write a value for each dash",
            ));
        }
        if self.cased && !of_text && !matches!(self.how, How::Field(_)) {
            return Err(wrong(
                "`cased` stands with a comparison that is not of texts",
                "remove it",
            ));
        }
        let several_utf16 = self
            .encodings
            .iter()
            .filter(|one| !matches!(one, Modifier::Base64 | Modifier::Base64Offset))
            .count()
            > 1;
        let base64_at = self
            .encodings
            .iter()
            .position(|one| matches!(one, Modifier::Base64 | Modifier::Base64Offset));
        if several_utf16 || base64_at.is_some_and(|at| at + 1 < self.encodings.len()) {
            return Err(wrong(
                "the encodings do not go together",
                "use one of utf16le, utf16be and utf16, then one of base64 and base64offset",
            ));
        }
        if item.field.is_none()
            && matches!(
                self.how,
                How::Exists | How::Field(_) | How::Compare(_) | How::Time(..) | How::Network
            )
        {
            return Err(wrong(
                "this comparison needs a field",
                "put a field's name before `|`",
            ));
        }
        Ok(())
    }

    fn tests_of(&self, value: &Literal) -> Result<Tests, Problem> {
        let one = |test| Ok((vec![test], false));
        match self.how {
            How::Equal | How::Starts | How::Ends | How::Contains => self.text_tests_of(value),
            How::Regex(flags) => self.regex_of(value, flags),
            How::Network => {
                let network = match value {
                    Literal::Text(text) => Network::parse(text),
                    _ => None,
                };
                let network = network.ok_or_else(|| {
                    wrong(
                        format!("`{value}` is no network"),
                        "write one such as `10.0.0.0/8` or `fe80::/10`",
                    )
                })?;
                one(Test::Network(network))
            }
            How::Compare(comparison) => one(Test::Number(comparison, number_of(value)?)),
            How::Time(part, comparison) => one(Test::Time(part, comparison, number_of(value)?)),
            How::Exists => match value {
                Literal::Bool(wanted) => Ok((vec![Test::Exists], !wanted)),
                other => Err(wrong(
                    format!("`exists` takes `true` or `false`, not `{other}`"),
                    "write `true` or `false`",
                )),
            },
            How::Field(how) => {
                let Literal::Text(text) = value else {
                    return Err(wrong(
                        format!("`{value}` is no field's name"),
                        "name another field of the event",
                    ));
                };
                let parts = parts_of(text);
                let Some(other) = plain(&parts).filter(|name| !name.is_empty()) else {
                    return Err(wrong(
                        format!("`{text}` is no field's name"),
                        "name another field, without wildcards",
                    ));
                };
                one(Test::Field {
                    other: crate::parse::without_spaces(other),
                    how,
                    cased: self.cased,
                })
            }
        }
    }

    fn regex_of(&self, value: &Literal, flags: Flags) -> Result<Tests, Problem> {
        let pattern = match value {
            Literal::Text(text) => {
                self.check_expanded(text)?;
                text.clone()
            }
            Literal::Integer(_) | Literal::Unsigned(_) => value.to_string(),
            other => {
                return Err(wrong(
                    format!("`{other}` is no regular expression"),
                    "write it as a text in quotes",
                ));
            }
        };
        let expression = compile_expression(&pattern, flags)?;
        Ok((vec![Test::Regex(expression)], false))
    }

    fn text_tests_of(&self, value: &Literal) -> Result<Tests, Problem> {
        let bare = matches!(self.how, How::Equal) && self.encodings.is_empty() && !self.windash;
        let text = match value {
            Literal::Text(text) => text.clone(),
            Literal::Integer(_) | Literal::Unsigned(_) | Literal::Float(_) if bare => {
                let test = Test::Number(Comparison::Equal, number_of(value)?);
                return Ok((vec![test], false));
            }
            Literal::Bool(wanted) if bare => return Ok((vec![Test::Truth(*wanted)], false)),
            Literal::Null if bare => return Ok((vec![Test::Null], false)),
            Literal::Null => {
                return Err(wrong(
                    "`null` stands with a modifier for texts",
                    "write `Field: null` without modifiers",
                ));
            }
            number_or_truth => number_or_truth.to_string(),
        };
        self.check_expanded(&text)?;
        let tests = self
            .patterns_of(&text)?
            .into_iter()
            .map(|pattern| Test::Text {
                pattern,
                cased: self.cased,
            });
        Ok((tests.collect(), false))
    }

    /// Keywords are looked for inside the values of an event, not compared with whole values.
    fn keyword_tests_of(&self, value: &Literal) -> Result<Tests, Problem> {
        if let How::Regex(flags) = self.how {
            return self.regex_of(value, flags);
        }
        let text = match value {
            Literal::Null => {
                return Err(wrong(
                    "`null` is no keyword",
                    "write a text, or name a field",
                ));
            }
            Literal::Text(text) => text.clone(),
            other => other.to_string(),
        };
        self.check_expanded(&text)?;
        let within = Self {
            encodings: self.encodings.clone(),
            how: match self.how {
                How::Equal => How::Contains,
                other => other,
            },
            ..*self
        };
        let tests = within
            .patterns_of(&text)?
            .into_iter()
            .map(|pattern| Test::Text {
                pattern,
                cased: self.cased,
            });
        Ok((tests.collect(), false))
    }

    fn patterns_of(&self, text: &str) -> Result<Vec<Pattern>, Problem> {
        let parts = parts_of(text);
        if self.encodings.is_empty() {
            let parts = if self.windash {
                with_dashes(parts)
            } else {
                parts
            };
            return Ok(vec![Pattern::of(placed(parts, self.how), self.cased)]);
        }
        let Some(plain) = plain(&parts).filter(|text| !text.is_empty()) else {
            return Err(wrong(
                format!("`{text}` cannot be encoded: it is empty or has wildcards"),
                "write a text without `*` and `?`, or escape them",
            ));
        };
        let mut how = self.how;
        // A shifted encoding is never a whole value.
        if self.encodings.contains(&Modifier::Base64Offset) && matches!(how, How::Equal) {
            how = How::Contains;
        }
        let encoded = encoded(plain, &self.encodings)?;
        let patterns = encoded
            .into_iter()
            .map(|text| Pattern::of(placed(vec![Part::Literal(text)], how), self.cased));
        Ok(patterns.collect())
    }

    fn check_expanded(&self, text: &str) -> Result<(), Problem> {
        if !self.expand {
            return Ok(());
        }
        match placeholders(text).first() {
            None => Ok(()),
            Some(name) => Err(wrong(
                format!("the placeholder `%{name}%` has no values"),
                "give it values in a processing pipeline (`value_placeholders`)",
            )),
        }
    }
}

/// Puts stars where the comparison allows for more text.
fn placed(mut parts: Vec<Part>, how: How) -> Vec<Part> {
    if matches!(how, How::Ends | How::Contains) {
        parts.insert(0, Part::Many);
    }
    if matches!(how, How::Starts | How::Contains) {
        parts.push(Part::Many);
    }
    parts
}

/// Names between percent signs: letters, digits, `_`, `-` and `.`.
pub(crate) fn placeholders(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        rest = &rest[at + 1..];
        let Some(end) = rest.find('%') else {
            break;
        };
        let name = &rest[..end];
        let is_name = !name.is_empty()
            && name
                .chars()
                .all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.'));
        if is_name {
            found.push(name.to_owned());
            rest = &rest[end + 1..];
        }
    }
    found
}

fn number_of(value: &Literal) -> Result<Number, Problem> {
    let number = match value {
        Literal::Integer(number) => Some(Number::Integer((*number).into())),
        Literal::Unsigned(number) => Some(Number::Integer((*number).into())),
        Literal::Float(number) => Some(Number::Float(*number)),
        Literal::Text(text) => Number::parse(text.trim()),
        Literal::Bool(_) | Literal::Null => None,
    };
    number.ok_or_else(|| wrong(format!("`{value}` is no number"), "write a number"))
}

/// The texts that a text may be encoded as. The last encoding is base64, or there is none of it and the bytes must be text.
fn encoded(text: &str, encodings: &[Modifier]) -> Result<Vec<String>, Problem> {
    let mut bytes = text.as_bytes().to_vec();
    for encoding in encodings {
        let units = || text.encode_utf16();
        match encoding {
            Modifier::Utf16Little => bytes = units().flat_map(u16::to_le_bytes).collect(),
            Modifier::Utf16Big => bytes = units().flat_map(u16::to_be_bytes).collect(),
            Modifier::Utf16 => {
                bytes = std::iter::once(0xfeff)
                    .chain(units())
                    .flat_map(u16::to_le_bytes)
                    .collect();
            }
            Modifier::Base64 => return Ok(vec![STANDARD.encode(&bytes)]),
            _base64offset => return shifted(&bytes),
        }
    }
    String::from_utf8(bytes)
        .map(|text| vec![text])
        .map_err(|_not_text| {
            wrong(
                "the encoded value is no text that a field could hold",
                "follow it with `base64` or `base64offset`",
            )
        })
}

/// The middle of the base64 form at each of the three shifts, which does not depend on what stands around the bytes.
fn shifted(bytes: &[u8]) -> Result<Vec<String>, Problem> {
    let mut found = Vec::new();
    for shift in 0..3 {
        let mut padded = vec![0; shift];
        padded.extend_from_slice(bytes);
        // A character holds six bits: those that also hold bits of a neighbour are cut off.
        let first = (shift * 8).div_ceil(6);
        let last = padded.len() * 8 / 6;
        let text = STANDARD_NO_PAD.encode(&padded);
        if let Some(middle) = text.get(first..last).filter(|middle| !middle.is_empty()) {
            found.push(middle.to_owned());
        }
    }
    if found.len() < 3 {
        return Err(wrong(
            "the value is too short to be recognised in base64",
            "write at least two bytes",
        ));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_are_those_of_the_specification() {
        // "foobar" behind nothing, one and two bytes.
        assert_eq!(
            shifted(b"foobar").unwrap(),
            ["Zm9vYmFy", "Zvb2Jhc", "mb29iYX"]
        );
    }

    #[test]
    fn placeholders_are_names_between_percent_signs() {
        assert_eq!(placeholders("%Servers%"), ["Servers"]);
        assert_eq!(placeholders("100% of %a b% and %x.y%"), ["x.y"]);
        assert!(placeholders("50%").is_empty());
    }
}
