//! What is to be looked for in the records of one source.

use crate::event::Binding;
use crate::indicators::Indicators;
use crate::prefilter::Prefilter;
use crate::table::{RecordForm, Table};
use crate::words::Words;
use model::{Record, SourceName};
use sigma::{FieldId, PartitionId, SourceKey};
use std::collections::HashMap;

/// Event ids of one source whose rules are remembered; a hostile log could name a new one in every record.
const EVENT_IDS_MAX: usize = 65_536;

/// The plan for one kind of source.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) form: RecordForm,
    /// Indicators by their words.
    pub(crate) prefilter: Prefilter,
}

impl Plan {
    pub(crate) fn new(form: RecordForm, table: &Table, indicators: &Indicators) -> Self {
        Self {
            form,
            prefilter: Prefilter::new(indicators.needs(&words(form, table))),
        }
    }
}

/// How words are cut and chosen for records of this form.
pub(crate) fn words(form: RecordForm, table: &Table) -> Words<'_> {
    Words {
        lines: form.lines,
        apostrophes: form.apostrophes,
        common: &table.common_words,
        derived: &table.derived_fields,
        carries_over: form.carries_over,
    }
}

/// What is known of a source before looking at a record. Event logs are told by their channel, and by the ids of their
/// events.
pub(crate) fn key(source: &SourceName, event_id: Option<u64>) -> SourceKey {
    let mut key = SourceKey::new().with("source", source);
    if let (EVENT_LOG, Some(channel)) = (source.family(), source.instance()) {
        key = key.with("channel", channel);
    }
    if let Some(id) = event_id {
        key = key.with("event_id", id);
    }
    key
}

/// What is known of a record's source and, in an event log, of its event.
pub(crate) fn key_of(record: &dyn Record) -> SourceKey {
    key(record.source(), event_id(record, None))
}

/// Sources that hold events with a channel and an id.
pub(crate) const EVENT_LOG: &str = "windows.eventlog";

/// The field by which rules of an event log are told apart.
const EVENT_ID: &str = "EventID";

/// The rules for the records of one source.
#[derive(Debug)]
pub(crate) struct Partitions {
    /// The engine's number of the field that tells events apart.
    event_id: Option<FieldId>,
    /// By that field's value.
    known: HashMap<Option<u64>, PartitionId>,
}

impl Partitions {
    pub(crate) fn new(engine: &sigma::Engine) -> Self {
        Self {
            event_id: engine.field(EVENT_ID),
            known: HashMap::new(),
        }
    }

    pub(crate) fn of(
        &mut self,
        engine: &sigma::Engine,
        record: &dyn Record,
        binding: Option<&Binding>,
    ) -> PartitionId {
        let bound = binding.zip(self.event_id);
        let event_id = event_id(record, bound);
        if let Some(known) = self.known.get(&event_id) {
            return *known;
        }
        let partition = engine.partition(&key(record.source(), event_id));
        if self.known.len() < EVENT_IDS_MAX {
            self.known.insert(event_id, partition);
        }
        partition
    }
}

/// The id by which the rules of an event log are told apart; `None` for records of other sources.
fn event_id(record: &dyn Record, bound: Option<(&Binding, FieldId)>) -> Option<u64> {
    if record.source().family() != EVENT_LOG {
        return None;
    }
    bound
        .and_then(|(binding, field)| binding.value(record, field))
        .or_else(|| record.get(EVENT_ID))
        .or_else(|| record.get("event_id"))?
        .to_unsigned()
}
