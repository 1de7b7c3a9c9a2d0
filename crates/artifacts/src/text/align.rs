//! Rows with more delimiters than their head has columns: text that strangers choose may hold some.
//!
//! A row is only brought into its columns where exactly one reading lets every column hold what it must.

use super::head::Head;
use super::table::{Field, Format};
use super::time::{clock_seconds, iso_date, iso_time};

/// What a column must hold, as far as its name says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Any,
    Time,
    Date,
    Clock,
    Address,
    Number,
    Method,
    Flag,
    Path,
    Url,
    Parts,
}

impl Shape {
    /// The shape of a column by its name in the heads of IIS, HTTP.sys and Exchange.
    pub(crate) fn of(column: &str) -> Self {
        match column.to_ascii_lowercase().as_str() {
            "datetime" | "timestamp" | "date-time" => Self::Time,
            "date" => Self::Date,
            "time" => Self::Clock,
            "s-ip" | "c-ip" | "clientipaddress" => Self::Address,
            "s-port" | "c-port" | "sc-status" | "sc-substatus" | "sc-win32-status"
            | "time-taken" | "sc-bytes" | "cs-bytes" | "httpstatus" | "backendstatus"
            | "majorversion" | "minorversion" | "buildversion" | "revisionversion"
            | "requestbytes" | "responsebytes" | "totalrequesttime" => Self::Number,
            "cs-method" | "method" => Self::Method,
            "isauthenticated" => Self::Flag,
            "cs-uri-stem" | "urlstem" => Self::Path,
            "cs(referer)" => Self::Url,
            "eventdata" => Self::Parts,
            _ => Self::Any,
        }
    }

    fn holds(self, text: &[u8], format: &Format, shapes: Shapes) -> bool {
        let absent = text.is_empty() || Some(text) == format.absent;
        match self {
            Self::Any => true,
            Self::Time => iso_time(text).is_some(),
            Self::Date => iso_date(text).is_some(),
            Self::Clock => clock_seconds(text).is_some(),
            Self::Address => absent || is_address(text, shapes),
            Self::Number => absent || text.iter().all(u8::is_ascii_digit),
            Self::Method => {
                absent
                    || text
                        .iter()
                        .all(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
            }
            Self::Flag => {
                absent || text.eq_ignore_ascii_case(b"true") || text.eq_ignore_ascii_case(b"false")
            }
            Self::Path => absent || text.starts_with(b"/") || text.starts_with(b"*"),
            Self::Url => absent || memchr::memmem::find(text, b"://").is_some(),
            Self::Parts => super::parts::begins_part(text),
        }
    }
}

/// Brings a row with the wrong number of fields into its columns, or says why that cannot be done without guessing.
pub(crate) fn realign(
    line: &[u8],
    head: &Head,
    format: &Format,
    fields: &mut Vec<Field>,
) -> Result<(), &'static str> {
    let columns = head.names().len();
    let Some(extra) = fields.len().checked_sub(columns) else {
        return Err("fewer fields than the head");
    };
    // Delimiters at the end of a line add empty fields.
    if fields.iter().skip(columns).all(|(start, end)| start == end)
        && fits_shapes(line, fields, head, format, Shapes::Strict)
    {
        fields.truncate(columns);
        return Ok(());
    }
    let mut found = None;
    for &column in head.free_columns() {
        // Text does not begin with its own delimiter; an empty field before it does.
        let begins_empty = fields.get(column).is_none_or(|(start, end)| start == end);
        if begins_empty {
            continue;
        }
        let merged = merge(fields, column, extra);
        if fits_shapes(line, &merged, head, format, Shapes::Strict) {
            if found.is_some() {
                return Err("more tokens than fields");
            }
            found = Some(merged);
        }
    }
    *fields = found.ok_or("more tokens than fields")?;
    Ok(())
}

/// `fields` with `extra` fields after `column` drawn into it.
fn merge(fields: &[Field], column: usize, extra: usize) -> Vec<Field> {
    let mut merged = Vec::with_capacity(fields.len() - extra);
    merged.extend(fields.iter().take(column));
    let start = fields.get(column).map_or(0, |field| field.0);
    let end = fields.get(column + extra).map_or(start, |field| field.1);
    merged.push((start, end));
    merged.extend(fields.iter().skip(column + extra + 1));
    merged
}

/// The default head that a row fits in every column.
pub(crate) fn fitting_default<'h>(
    line: &[u8],
    heads: &'h [Head],
    format: &Format,
    fields: &mut Vec<Field>,
) -> Option<&'h Head> {
    for head in heads {
        let mut candidate = fields.clone();
        let counted = candidate.len() == head.names().len()
            || realign(line, head, format, &mut candidate).is_ok();
        if counted && fits_shapes(line, &candidate, head, format, Shapes::Lenient) {
            *fields = candidate;
            return Some(head);
        }
    }
    None
}

/// How sure a text must be of its column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shapes {
    /// Names stand for addresses, as in anonymised logs.
    Lenient,
    Strict,
}

fn fits_shapes(
    line: &[u8],
    fields: &[Field],
    head: &Head,
    format: &Format,
    shapes: Shapes,
) -> bool {
    head.shapes()
        .iter()
        .zip(fields)
        .all(|(shape, (start, end))| {
            let text = line.get(*start..*end).unwrap_or_default();
            // After a comma that belongs to a text comes a blank; no field begins with one.
            let is_rest_of_text = format.delimiter == b',' && text.starts_with(b" ");
            !is_rest_of_text && shape.holds(text, format, shapes)
        })
}

fn is_address(text: &[u8], shapes: Shapes) -> bool {
    match shapes {
        Shapes::Lenient => text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b".:%_-[]".contains(byte)),
        Shapes::Strict => {
            text.iter().any(|byte| b".:".contains(byte))
                && text
                    .iter()
                    .all(|byte| byte.is_ascii_hexdigit() || b".:%[]".contains(byte))
        }
    }
}
