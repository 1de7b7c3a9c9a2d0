//! Where the value of a rule's field comes from: fields of the event, put together as the taxonomy says.

use super::value::{FieldId, Fields, Value};
use crate::compile::text::folded;
use crate::taxonomy::FieldSource;

/// A [`FieldSource`] whose names are interned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// Every value of the event: where keywords are looked for.
    Event,
    Field(FieldId),
    First(Vec<Source>),
    Any(Vec<Source>),
    Url(Box<Source>, Box<Source>),
    Join(Vec<Source>, String),
    Hex(Box<Source>),
    Drive(Box<Source>),
    Words(Box<Source>, Vec<(String, String)>),
}

impl Source {
    pub(crate) fn of(written: &FieldSource, intern: &mut impl FnMut(&str) -> FieldId) -> Self {
        let mut all = |parts: &[FieldSource]| -> Vec<Self> {
            parts.iter().map(|part| Self::of(part, intern)).collect()
        };
        match written {
            FieldSource::Field(name) => Self::Field(intern(name)),
            FieldSource::First(parts) => match parts.as_slice() {
                [only] => Self::of(only, intern),
                parts => Self::First(all(parts)),
            },
            FieldSource::Any(parts) => Self::Any(all(parts)),
            FieldSource::Url(path, query) => Self::Url(
                Box::new(Self::of(path, intern)),
                Box::new(Self::of(query, intern)),
            ),
            FieldSource::Join(parts, with) => Self::Join(all(parts), with.clone()),
            FieldSource::Hex(inner) => Self::Hex(Box::new(Self::of(inner, intern))),
            FieldSource::Drive(inner) => Self::Drive(Box::new(Self::of(inner, intern))),
            FieldSource::Words(inner, table) => Self::Words(
                Box::new(Self::of(inner, intern)),
                table
                    .iter()
                    .map(|(from, to)| (folded(from), to.clone()))
                    .collect(),
            ),
        }
    }

    /// Calls `visit` for the value or values; `false` where the event has none.
    pub(crate) fn visit(&self, fields: &dyn Fields, visit: &mut dyn FnMut(&Value<'_>)) -> bool {
        match self {
            Self::Event => {
                let mut any = false;
                fields.each(&mut |value| {
                    any = true;
                    visit(value);
                });
                any
            }
            Self::Field(field) => match fields.value(*field) {
                Some(value) => {
                    visit(&value);
                    true
                }
                None => false,
            },
            Self::First(parts) => parts.iter().any(|part| part.visit(fields, visit)),
            Self::Any(parts) => {
                let mut any = false;
                for part in parts {
                    any |= part.visit(fields, visit);
                }
                any
            }
            Self::Url(path, query) => match path.text(fields) {
                Some(path) => {
                    // An empty query is written `-` in some logs.
                    let query = query.text(fields).unwrap_or_default();
                    let query = query.trim_start_matches('?');
                    if query.is_empty() || query == "-" {
                        visit(&Value::text(path));
                    } else {
                        visit(&Value::text(format!("{path}?{query}")));
                    }
                    true
                }
                None => false,
            },
            Self::Join(parts, with) => {
                let texts: Vec<_> = parts.iter().filter_map(|part| part.text(fields)).collect();
                if texts.is_empty() {
                    return false;
                }
                visit(&Value::text(texts.join(with)));
                true
            }
            Self::Hex(inner) => inner.visit(fields, &mut |value| {
                let number = match value {
                    Value::Text(text) => from_hex(text),
                    Value::Utf16(_) => from_hex(&value.to_text()),
                    _ => None,
                };
                match number {
                    Some(number) => visit(&Value::Unsigned(number)),
                    None => visit(value),
                }
            }),
            Self::Drive(inner) => inner.visit(fields, &mut |value| {
                let text = value.to_text();
                match below_volume(&text) {
                    Some(path) => visit(&Value::text(format!("C:{path}"))),
                    None => visit(value),
                }
            }),
            Self::Words(inner, table) => inner.visit(fields, &mut |value| {
                let text = folded(&value.to_text());
                match table.iter().find(|(from, _)| *from == text) {
                    Some((_, to)) => visit(&Value::text(to.as_str())),
                    None => visit(value),
                }
            }),
        }
    }

    /// Calls `visit` for every field that a value is made of.
    pub(crate) fn each_field(&self, visit: &mut dyn FnMut(FieldId)) {
        match self {
            Self::Event => {}
            Self::Field(field) => visit(*field),
            Self::First(parts) | Self::Any(parts) | Self::Join(parts, _) => {
                for part in parts {
                    part.each_field(visit);
                }
            }
            Self::Url(path, query) => {
                path.each_field(visit);
                query.each_field(visit);
            }
            Self::Hex(inner) | Self::Drive(inner) | Self::Words(inner, _) => {
                inner.each_field(visit);
            }
        }
    }

    /// The first value as text.
    fn text(&self, fields: &dyn Fields) -> Option<String> {
        let mut found = None;
        self.visit(fields, &mut |value| {
            if found.is_none() {
                found = Some(value.to_text().into_owned());
            }
        });
        found
    }
}

/// What stands behind the device of a volume, from the separator on: `\device\harddiskvolume2\a.exe` gives `\a.exe`.
fn below_volume(path: &str) -> Option<&str> {
    const VOLUME: &str = r"\device\harddiskvolume";
    let (device, rest) = path.split_at_checked(VOLUME.len())?;
    let below = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let is_volume = device.eq_ignore_ascii_case(VOLUME) && below.len() < rest.len();
    (is_volume && below.starts_with('\\')).then_some(below)
}

fn from_hex(text: &str) -> Option<u64> {
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))?;
    u64::from_str_radix(digits, 16).ok()
}
