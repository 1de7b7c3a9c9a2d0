//! Records of files that are no logs: a service in a hive, a task, a rule in a configuration.

use model::{At, Record, SourceName, Timestamp, Value};
use std::borrow::Cow;

/// A record with a few text fields, decoded at once; such files hold hundreds, not millions.
#[derive(Debug)]
pub(crate) struct SimpleRecord<'a> {
    pub(crate) source: &'a SourceName,
    pub(crate) at: At,
    /// When the thing was last changed by the artifact's own word.
    pub(crate) time: Option<Timestamp>,
    pub(crate) fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> SimpleRecord<'a> {
    pub(crate) fn new(source: &'a SourceName, at: At) -> Self {
        Self {
            source,
            at,
            time: None,
            fields: Vec::new(),
        }
    }

    /// Adds a field, unless it is empty.
    #[must_use]
    pub(crate) fn with(
        mut self,
        name: impl Into<Cow<'a, str>>,
        value: impl Into<Cow<'a, str>>,
    ) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.fields.push((name.into(), value));
        }
        self
    }

    /// Sets the time and shows it as the field `changed`.
    #[must_use]
    pub(crate) fn changed(mut self, time: Option<Timestamp>) -> Self {
        self.time = time;
        match time {
            Some(time) => self.with("changed", time.to_string()),
            None => self,
        }
    }
}

impl Record for SimpleRecord<'_> {
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
        let (_, value) = self.fields.iter().find(|(name, _)| name == field)?;
        Some(Value::text(value.as_ref()))
    }

    fn each_field(&self, visit: &mut dyn FnMut(&str, Value<'_>)) {
        for (name, value) in &self.fields {
            visit(name, Value::text(value.as_ref()));
        }
    }

    fn raw(&self) -> Cow<'_, str> {
        let object: serde_json::Map<String, serde_json::Value> = self
            .fields
            .iter()
            .map(|(name, value)| (name.to_string(), value.as_ref().into()))
            .collect();
        Cow::Owned(serde_json::Value::Object(object).to_string())
    }
}
