//! One event as detection looks at it: fields by name or by place, decoded from the chunk's own bytes when asked.

use super::plan::{Filled, Source};
use crate::windows_event::{Fields, LOGON_IDS, json_of};
use model::{At, Layout, Record, SourceName, Timestamp, Value};
use std::borrow::Cow;

/// The field that records have which were recovered from where Windows no longer reads.
const RECOVERED: &str = "recovered";

/// Names of the values without a name, before their number.
const UNNAMED: &str = "Data_";

/// One event of a binary log.
#[derive(Clone, Copy, Debug)]
pub(super) struct BinaryEvent<'a> {
    pub(super) source: &'a SourceName,
    pub(super) time: Option<Timestamp>,
    pub(super) at: At,
    pub(super) filled: Filled<'a>,
    pub(super) recovered: bool,
}

impl Record for BinaryEvent<'_> {
    fn source(&self) -> &SourceName {
        self.source
    }

    fn time(&self) -> Option<Timestamp> {
        self.time
    }

    fn at(&self) -> At {
        self.at
    }

    fn get(&self, field: &str) -> Option<Value<'_>> {
        if let Some(source) = self.filled.plan.source_of(field) {
            return self.filled.source(source);
        }
        if self.recovered && field == RECOVERED {
            return Some(Value::Boolean(true));
        }
        let number: usize = field.strip_prefix(UNNAMED)?.parse().ok()?;
        self.filled.unnamed(number.checked_sub(1)?)
    }

    fn each_field(&self, visit: &mut dyn FnMut(&str, Value<'_>)) {
        self.filled.each_own_field(visit);
        for index in 0..self.filled.plan.aliases.len() {
            if let Some(value) = self.filled.alias(index) {
                visit(self.filled.plan.aliases[index].0, value);
            }
        }
        if self.recovered {
            visit(RECOVERED, Value::Boolean(true));
        }
    }

    /// Normalised names have values of the event's own.
    fn each_value(&self, visit: &mut dyn FnMut(Value<'_>)) {
        self.filled.each_own_value(visit);
        if self.recovered {
            visit(Value::Boolean(true));
        }
    }

    fn raw(&self) -> Cow<'_, str> {
        let mut object = serde_json::Map::new();
        self.filled.each_own_field(&mut |name, value| {
            if !object.contains_key(name) {
                let all = self.filled.plan.source_of(name);
                let value = all.and_then(|all| self.filled.source(all)).unwrap_or(value);
                object.insert(name.to_owned(), json_of(&value));
            }
        });
        if self.recovered {
            object.insert(RECOVERED.to_owned(), true.into());
        }
        Cow::Owned(serde_json::Value::Object(object).to_string())
    }

    fn layout(&self) -> Option<&Layout> {
        let layout = self.filled.plan.layout.as_deref()?;
        let foreseen = self.filled.plan.unnamed.is_empty()
            || self.filled.unnamed_count() <= self.filled.plan.unnamed_named;
        (foreseen && !self.recovered).then_some(layout)
    }

    fn value(&self, index: usize) -> Option<Value<'_>> {
        self.filled.source(self.filled.plan.source(index)?)
    }
}

impl<'a> Filled<'a> {
    fn source(&self, source: &'a Source) -> Option<Value<'a>> {
        match source {
            Source::Leaf(index) => self.leaf(&self.plan.leaves.get(*index)?.1),
            Source::Leaves(indexes) => one_or_list(
                indexes
                    .iter()
                    .filter_map(|index| self.leaf(&self.plan.leaves.get(*index)?.1))
                    .collect(),
            ),
            Source::Unnamed(position) => self.unnamed(*position),
            Source::AllUnnamed => one_or_list(self.all_unnamed()),
            Source::Alias(index) => self.alias(*index),
        }
    }

    /// The value without a name at this position, from 0.
    fn unnamed(&self, mut position: usize) -> Option<Value<'a>> {
        for leaf in &self.plan.unnamed {
            match self.leaf(leaf) {
                Some(Value::List(mut values)) => {
                    if position < values.len() {
                        return Some(values.swap_remove(position));
                    }
                    position -= values.len();
                }
                Some(value) if position == 0 => return Some(value),
                Some(_) => position -= 1,
                None => {}
            }
        }
        None
    }

    fn all_unnamed(&self) -> Vec<Value<'a>> {
        let mut all = Vec::with_capacity(self.plan.unnamed.len());
        for leaf in &self.plan.unnamed {
            match self.leaf(leaf) {
                Some(Value::List(values)) => all.extend(values),
                Some(value) => all.push(value),
                None => {}
            }
        }
        all
    }

    fn unnamed_count(&self) -> usize {
        self.plan.unnamed.iter().map(|leaf| self.count(leaf)).sum()
    }

    /// The event's own fields, without normalised names.
    fn each_own_field(&self, visit: &mut dyn FnMut(&str, Value<'_>)) {
        for (name, leaf) in &self.plan.leaves {
            if let Some(value) = self.leaf(leaf) {
                visit(name, value);
            }
        }
        if self.plan.unnamed.is_empty() {
            return;
        }
        let all = self.all_unnamed();
        for (position, value) in all.iter().enumerate() {
            visit(&format!("{UNNAMED}{}", position + 1), value.clone());
        }
        if let Some(value) = one_or_list(all) {
            visit("Data", value);
        }
    }

    fn each_own_value(&self, visit: &mut dyn FnMut(Value<'_>)) {
        for (_, leaf) in &self.plan.leaves {
            if let Some(value) = self.leaf(leaf) {
                visit(value);
            }
        }
        if !self.plan.unnamed.is_empty() {
            self.all_unnamed().into_iter().for_each(visit);
        }
    }

    /// The first of a normalised name's own names that says something; Windows writes `-` for nothing.
    fn alias(&self, index: usize) -> Option<Value<'a>> {
        let (alias, known) = self.plan.aliases.get(index)?;
        let value_of = |index: usize| self.source(self.plan.source(index)?);
        if *alias == "user"
            && let Some(target) = self.plan.system.target_user
            && self
                .unsigned(self.plan.system.event_id)
                .is_some_and(|id| LOGON_IDS.contains(&id))
            && let Some(target) = value_of(target)
        {
            return Some(target);
        }
        known
            .iter()
            .filter_map(|index| value_of(*index))
            .find(|value| !matches!(value.to_text().as_ref(), "" | "-"))
    }
}

impl Fields for Filled<'_> {
    fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let system = &self.plan.system;
        let index = match name {
            "Channel" => system.channel,
            "Computer" => system.computer,
            "Provider_Name" => system.provider,
            _ => self.plan.leaves.iter().position(|(known, _)| known == name),
        };
        Filled::text(self, index)
    }

    fn unsigned(&self, name: &str) -> Option<u64> {
        let system = &self.plan.system;
        let index = match name {
            "EventID" => system.event_id,
            "EventRecordID" => system.record_id,
            _ => self.plan.leaves.iter().position(|(known, _)| known == name),
        };
        Filled::unsigned(self, index)
    }
}

fn one_or_list(mut values: Vec<Value<'_>>) -> Option<Value<'_>> {
    match values.len() {
        0 => None,
        1 => values.pop(),
        _ => Some(Value::List(values)),
    }
}
