//! An event as the record that detection looks fields up in.

use super::{Event, SOURCE_FAMILY};
use model::{At, Record, SourceName, Timestamp, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Names kept ready; a hostile file could name a new channel in every record.
const SOURCES_MAX: usize = 1_024;

/// One event of a log.
#[derive(Debug)]
pub(crate) struct EventRecord<'a> {
    pub(crate) source: &'a SourceName,
    pub(crate) time: Option<Timestamp>,
    pub(crate) at: At,
    pub(crate) event: &'a Event<'a>,
    /// The text the event was read from; `None` where its file is binary, and its flat form stands for it.
    pub(crate) text: Option<&'a str>,
}

impl Record for EventRecord<'_> {
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
        self.event.get(field)
    }

    fn each_field(&self, visit: &mut dyn FnMut(&str, Value<'_>)) {
        for (name, value) in &self.event.fields {
            visit(name, super::flat::borrowed(value));
        }
        self.event.each_normalised(visit);
    }

    fn raw(&self) -> Cow<'_, str> {
        match self.text {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(self.event.to_json()),
        }
    }
}

/// The sources that an item's events belong to, each made once.
#[derive(Debug, Default)]
pub(crate) struct Sources(BTreeMap<String, SourceName>);

impl Sources {
    /// The source of events of `channel`.
    pub(crate) fn of(&mut self, channel: &str) -> &SourceName {
        if self.0.len() >= SOURCES_MAX && !self.0.contains_key(channel) {
            self.0.clear();
        }
        if !self.0.contains_key(channel) {
            self.0
                .insert(channel.to_owned(), SourceName::of(SOURCE_FAMILY, channel));
        }
        &self.0[channel]
    }
}
