//! How values are put together: text, lists and numbers.

use std::rc::Rc;

use super::Flow;
use super::value::{Key, Value, tail};
use crate::web_shell::fold;
use crate::web_shell::lexer::Dialect;
use crate::web_shell::program::Id;

/// Elements of a list whose values are kept.
const ITEMS_MAX: usize = 4096;

impl Flow<'_> {
    pub(super) fn list(&mut self, items: &[Id]) -> Value {
        let taint = items.iter().find_map(|item| self.values[*item].taint);
        let kept: Vec<Value> = items
            .iter()
            .take(ITEMS_MAX)
            .map(|item| self.values[*item].clone())
            .collect();
        // Lists in lists would be copied again and again.
        let flat = kept.iter().all(|item| item.items.is_none()) && self.spend(kept.len() * 16);
        Value {
            taint,
            items: flat.then(|| Rc::new(kept)),
            ..Value::default()
        }
    }

    pub(super) fn either(&mut self, options: &[Id]) -> Value {
        let mut value = Value::default();
        for option in options {
            let other = &self.values[*option];
            value.taint = value.taint.or(other.taint);
            value.shape = value.shape.or_else(|| other.shape.clone());
            value.ending = value.ending.or_else(|| other.ends().map(Rc::from));
            value.function = value.function.or(other.function);
            value.decoded |= other.decoded;
        }
        value
    }

    pub(super) fn concat(&mut self, parts: &[Id], dialect: Dialect) -> Value {
        let taint = parts.iter().find_map(|part| self.values[*part].taint);
        let decoded = parts.iter().any(|part| self.values[*part].decoded);
        let numbers: Option<Vec<i64>> =
            parts.iter().map(|part| self.values[*part].number).collect();
        if let Some(numbers) = numbers
            && dialect != Dialect::Basic
            && dialect != Dialect::Php
        {
            return Value {
                number: Some(
                    numbers
                        .iter()
                        .fold(0, |sum: i64, number| sum.wrapping_add(*number)),
                ),
                ..Value::default()
            };
        }
        let text = self.joined(parts);
        let ending = parts
            .last()
            .and_then(|part| self.values[*part].ends())
            .map(|end| Rc::from(tail(end)));
        Value {
            taint,
            text,
            ending,
            decoded,
            ..Value::default()
        }
    }

    pub(super) fn joined(&mut self, parts: &[Id]) -> Option<Rc<str>> {
        let mut text = String::new();
        for part in parts {
            let value = &self.values[*part];
            match (&value.text, value.number) {
                (Some(part), _) => text.push_str(part),
                (None, Some(number)) => text.push_str(&number.to_string()),
                _ => return None,
            }
            if text.len() > fold::TEXT_BYTES_MAX {
                return None;
            }
        }
        self.spend(text.len()).then(|| Rc::from(text))
    }

    /// Takes from the budget of text; says whether there was enough.
    pub(super) fn spend(&mut self, bytes: usize) -> bool {
        let enough = self.text_budget > bytes;
        self.text_budget = self.text_budget.saturating_sub(bytes);
        enough
    }

    pub(super) fn arithmetic(
        &mut self,
        operator: &str,
        left: Id,
        right: Id,
        dialect: Dialect,
    ) -> Value {
        let (a, b) = (&self.values[left], &self.values[right]);
        if let (Some(a), Some(b)) = (a.number, b.number) {
            let number = match operator {
                "-" if left == right => Some(a.wrapping_neg()),
                "-" => Some(a.wrapping_sub(b)),
                "*" => Some(a.wrapping_mul(b)),
                "/" | "\\" => a.checked_div(b),
                "%" => a.checked_rem(b),
                "^" if dialect == Dialect::Basic => {
                    u32::try_from(b).ok().and_then(|b| a.checked_pow(b))
                }
                "^" => Some(a ^ b),
                "&" => Some(a & b),
                "|" => Some(a | b),
                _ => None,
            };
            return Value {
                number,
                ..Value::default()
            };
        }
        let taint = a.taint.or(b.taint);
        let text = match (operator, &a.text, &b.text) {
            ("^", Some(a), Some(b)) if dialect == Dialect::Php => fold::exclusive_or(a, b),
            _ => None,
        };
        Value {
            taint,
            text: text.map(Rc::from),
            ..Value::default()
        }
    }

    pub(super) fn complement(&mut self, of: Id) -> Value {
        let value = &self.values[of];
        let text = value
            .text
            .as_deref()
            .and_then(fold::complement)
            .map(Rc::from);
        Value {
            taint: value.taint,
            text,
            ..Value::default()
        }
    }

    /// The value after `+=`: a variable that this walk has not set yet starts empty.
    pub(super) fn added(&mut self, key: &Key, value: &Value) -> Value {
        let known = self.variables.get(key).cloned().unwrap_or_default();
        let before = if known.pass == self.pass {
            known.value.text.clone()
        } else {
            Some(Rc::from(""))
        };
        let number = |value: &Value| value.number.map(|number| number.to_string());
        let added = value
            .text
            .as_ref()
            .map(ToString::to_string)
            .or_else(|| number(value));
        let text = match (before, added) {
            (Some(before), Some(added)) if before.len() + added.len() <= fold::TEXT_BYTES_MAX => {
                self.spend(before.len() + added.len())
                    .then(|| Rc::from(format!("{before}{added}")))
            }
            _ => None,
        };
        Value {
            taint: value.taint.or(known.value.taint),
            text,
            ending: value.ends().map(|end| Rc::from(tail(end))),
            decoded: value.decoded || known.value.decoded,
            ..Value::default()
        }
    }
}
