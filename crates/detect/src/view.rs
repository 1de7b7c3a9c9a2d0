//! A record as Sigma rules see it: the source's fields under Sigma's names, raw or URL-decoded.

use crate::logsources::LogSourceEntry;
use crate::prefilter::percent_decoded;
use crate::sigma::Fields;
use model::{Record, Value};
use std::borrow::Cow;

/// One way to look at a record.
pub(crate) struct View<'a> {
    pub(crate) record: &'a dyn Record,
    pub(crate) entry: &'a LogSourceEntry,
    /// Whether percent signs, and plus signs as spaces, are decoded.
    pub(crate) url_decoded: bool,
}

impl Fields for View<'_> {
    fn get(&self, name: &str) -> Option<Value<'_>> {
        let value = match self.entry.fields.get(name) {
            Some(source) => source.of(&|field| self.record.get(field))?,
            None => self.record.get(name)?,
        };
        Some(if self.url_decoded {
            decoded(value)
        } else {
            value
        })
    }

    /// Every value, and last all values in one line: keywords that must all be there may stand in several values, and
    /// where the values of an event are the parts of its message, the line is nearly that message.
    fn each_text(&self, visit: &mut dyn FnMut(&str)) {
        let mut line = String::new();
        self.record.each_field(&mut |_, value| {
            let value = if self.url_decoded {
                decoded(value)
            } else {
                value
            };
            each_text_of(&value, &mut |text| {
                visit(text);
                line.push_str(text);
                line.push(' ');
            });
        });
        visit(&line);
    }
}

fn each_text_of(value: &Value<'_>, visit: &mut dyn FnMut(&str)) {
    match value {
        Value::List(values) => values.iter().for_each(|value| each_text_of(value, visit)),
        Value::Null => {}
        other => visit(&other.to_text()),
    }
}

fn decoded(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Text(text) => match url_decoded(&text) {
            Cow::Owned(decoded) => Value::Text(Cow::Owned(decoded)),
            Cow::Borrowed(_) => Value::Text(text),
        },
        Value::List(values) => Value::List(values.into_iter().map(decoded).collect()),
        other => other,
    }
}

/// Plus signs as spaces, then percent signs decoded once; borrowed where nothing changes.
pub(crate) fn url_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('+') {
        return percent_decoded(text);
    }
    Cow::Owned(percent_decoded(&text.replace('+', " ")).into_owned())
}
