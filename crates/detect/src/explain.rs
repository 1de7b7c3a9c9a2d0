//! Why a rule does or does not match a record, as [`ItemDetection`](crate::ItemDetection) looks at it.

use crate::engine::Engine;
use crate::event::Event;
use crate::plan;
use model::Record;
use sigma::Explanation;
use std::cell::Cell;

impl Engine {
    /// The conditions of a rule over a record, with the values that were seen; `None` where no rule of this id was
    /// taken. A record whose values may be percent-encoded is looked at as it is written and decoded: told is the way
    /// of looking in which the rule matches, else the first.
    pub fn explain(&self, rule: &str, record: &dyn Record) -> Option<Explanation> {
        let rule = self.rules.find(rule)?;
        let key = plan::key_of(record);
        let explained = |url_decoded: bool| {
            let event = Event {
                record,
                engine: &self.rules.engine,
                binding: None,
                url_decoded,
                line: &Cell::default(),
            };
            self.rules.engine.explain(rule, &key, &event)
        };
        let written = explained(false);
        if written.holds || !self.table.form_of(record.source()).url_decoded {
            return Some(written);
        }
        let decoded = explained(true);
        Some(if decoded.holds { decoded } else { written })
    }
}
