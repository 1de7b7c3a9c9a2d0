//! A record as Sigma rules see it: its fields by the engine's numbers, raw or URL-decoded.

use crate::plan::EVENT_LOG;
use crate::prefilter::percent_decoded;
use model::{Layout, Record, Value};
use sigma::{FieldId, Fields};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// One way to look at a record.
pub(crate) struct Event<'a> {
    pub(crate) record: &'a dyn Record,
    /// The rules that look at it; its numbers of fields count.
    pub(crate) engine: &'a sigma::Engine,
    /// Where the record's layout has them; `None` where its reader keeps no layout.
    pub(crate) binding: Option<&'a Binding>,
    /// Whether percent signs, and plus signs as spaces, are decoded.
    pub(crate) url_decoded: bool,
    /// Where its values are put together; used over again.
    pub(crate) line: &'a Cell<String>,
}

/// By the engine's number of a field: where a layout has it.
#[derive(Debug)]
pub(crate) struct Binding(Box<[Option<u32>]>);

/// The bindings of all layouts that were met.
#[derive(Debug, Default)]
pub(crate) struct Bindings(RwLock<HashMap<u32, Arc<Binding>>>);

impl Binding {
    fn new(layout: &Layout, names: &[String]) -> Self {
        // The engine knows names without their spaces.
        let spaced: HashMap<String, usize> = layout
            .names()
            .iter()
            .enumerate()
            .filter(|(_, name)| name.contains(' '))
            .map(|(index, name)| (name.replace(' ', ""), index))
            .collect();
        let index_of = |name: &String| {
            let index = layout
                .index_of(name)
                .or_else(|| spaced.get(name).copied())?;
            u32::try_from(index).ok()
        };
        Self(names.iter().map(index_of).collect())
    }

    /// The value of a field.
    pub(crate) fn value<'r>(&self, record: &'r dyn Record, field: FieldId) -> Option<Value<'r>> {
        let index = (*self.0.get(field.index())?)?;
        record.value(index as usize)
    }
}

impl Bindings {
    /// The binding of a layout. Layouts are bounded in number by their own crate.
    pub(crate) fn of(&self, layout: &Layout, names: &[String]) -> Arc<Binding> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(&layout.id()) {
            return Arc::clone(known);
        }
        drop(known);
        let binding = Arc::new(Binding::new(layout, names));
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(layout.id()).or_insert(binding))
    }
}

impl Event<'_> {
    fn of_record(&self, field: FieldId) -> Option<Value<'_>> {
        if let Some(binding) = self.binding {
            return binding.value(self.record, field);
        }
        let name = self.engine.fields().get(field.index())?;
        let value = self.record.get(name);
        if value.is_none() && self.record.source().family() == EVENT_LOG {
            return self.spaced(name);
        }
        value
    }

    /// The value of a field whose name has spaces in the record, as those of some event logs have.
    fn spaced(&self, name: &str) -> Option<Value<'_>> {
        let mut written = None;
        self.record.each_field(&mut |own, _| {
            if written.is_none() && own.contains(' ') && own.replace(' ', "") == name {
                written = Some(own.to_owned());
            }
        });
        self.record.get(&written?)
    }
}

impl Fields for Event<'_> {
    fn value(&self, field: FieldId) -> Option<sigma::Value<'_>> {
        self.of_record(field)
            .map(|value| as_seen(value, self.url_decoded))
    }

    /// Every value, and last all values in one line: keywords that must all be there may stand in several values, and
    /// where the values of an event are the parts of its message, the line is nearly that message. Where a keyword is as
    /// good in the line as in its value, the line alone will do.
    fn each(&self, visit: &mut dyn FnMut(&sigma::Value<'_>)) {
        let line_alone = self.engine.has_keywords_anywhere();
        let mut line = self.line.take();
        line.clear();
        self.record.each_value(&mut |value| {
            value.write_text(&mut line);
            line.push(' ');
            if !line_alone {
                visit(&as_seen(value, self.url_decoded));
            }
        });
        let text = if self.url_decoded {
            url_decoded(&line)
        } else {
            Cow::Borrowed(&*line)
        };
        visit(&sigma::Value::Text(text));
        self.line.set(line);
    }
}

fn as_seen(value: Value<'_>, url_decoding: bool) -> sigma::Value<'_> {
    match value {
        Value::Text(text) if url_decoding => sigma::Value::Text(match url_decoded(&text) {
            Cow::Owned(decoded) => Cow::Owned(decoded),
            Cow::Borrowed(_) => text,
        }),
        Value::Text(text) => sigma::Value::Text(text),
        Value::Integer(number) => sigma::Value::Integer(number),
        Value::Unsigned(number) => sigma::Value::Unsigned(number),
        Value::Float(number) => sigma::Value::Float(number),
        Value::Boolean(value) => sigma::Value::Truth(value),
        Value::Null => sigma::Value::Null,
        Value::List(values) => {
            let values = values.into_iter();
            sigma::Value::List(values.map(|one| as_seen(one, url_decoding)).collect())
        }
    }
}

/// Plus signs as spaces, then percent signs decoded once; borrowed where nothing changes.
pub(crate) fn url_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('+') {
        return percent_decoded(text);
    }
    Cow::Owned(percent_decoded(&text.replace('+', " ")).into_owned())
}
