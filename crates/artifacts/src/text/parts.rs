//! The parts of an event's data in the logs of Exchange's control panel: `S:CMD=Get-InboxRule;S:BLD=15.1.2375.7;…`.
//!
//! Each part is a type (`S`, `I32`, `Dbl` …), a key and a value. A part whose value holds a semicolon or an apostrophe
//! is enclosed in apostrophes, and those inside are doubled: `'S:CMD=Set-X.Url=''http://a/;b''';S:EX=`. Tools that cut
//! such logs leave quotes doubled too; in the values both are undone.

use super::table::undoubled;

/// The value of the first part with this key; also the normalised names that such parts hold.
pub(crate) fn get(parts: &str, name: &str) -> Option<String> {
    let wanted: &[&str] = match name {
        "command" => &["CMD"],
        "build" => &["BLD", "Bld"],
        "path" | "query" => &["URL"],
        other => &[other],
    };
    // Most fields that are asked for are not there.
    let may_be_there = |key: &&str| {
        memchr::memmem::find_iter(parts.as_bytes(), *key)
            .any(|at| parts.as_bytes().get(at + key.len()) == Some(&b'='))
    };
    if !wanted.iter().any(may_be_there) {
        return None;
    }
    let value = Parts { rest: parts }
        .find_map(|part| wanted.contains(&part.key).then(|| part.value.to_owned()))?;
    derived(name, unquoted(&value))
}

/// Calls `visit` for every part and for the normalised names.
pub(crate) fn each(parts: &str, visit: &mut dyn FnMut(&str, String)) {
    for part in (Parts { rest: parts }) {
        visit(part.key, unquoted(part.value));
    }
    for name in ["command", "build", "path", "query"] {
        if let Some(value) = get(parts, name) {
            visit(name, value);
        }
    }
}

/// Whether a text begins with a part.
pub(crate) fn begins_part(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    let text = text.strip_prefix(b"'").unwrap_or(text);
    let kind = text
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric())
        .count();
    (1..=4).contains(&kind)
        && text.get(kind) == Some(&b':')
        && text.get(kind + 1).is_some_and(u8::is_ascii_alphabetic)
}

/// What a normalised name makes of its part.
fn derived(name: &str, value: String) -> Option<String> {
    match name {
        "path" => {
            let path = after_host(&value);
            let end = path.find('?').unwrap_or(path.len());
            Some(super::head::percent_decoded(path[..end].into()).into_owned())
        }
        "query" => value.split_once('?').map(|(_, query)| query.to_owned()),
        _ => Some(value),
    }
}

/// A URL without scheme and host.
fn after_host(url: &str) -> &str {
    match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => url,
    }
}

fn unquoted(value: &str) -> String {
    if !value.contains(['\'', '"']) {
        return value.to_owned();
    }
    let single = undoubled(&undoubled(value.as_bytes(), b'\''), b'"');
    String::from_utf8_lossy(&single).into_owned()
}

struct Part<'a> {
    key: &'a str,
    value: &'a str,
}

struct Parts<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        loop {
            let rest = self.rest.trim_start_matches(';');
            if rest.is_empty() {
                return None;
            }
            let (text, after) = match rest.strip_prefix('\'').and_then(enclosed) {
                Some(found) => found,
                None => open_part(rest),
            };
            self.rest = after;
            if let Some(part) = key_and_value(text) {
                return Some(part);
            }
        }
    }
}

/// A part after its opening apostrophe, up to the single apostrophe that ends it.
fn enclosed(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        at += memchr::memchr(b'\'', bytes.get(at..)?)?;
        match bytes.get(at + 1) {
            Some(b'\'') => at += 2,
            None | Some(b';') => return Some((&text[..at], &text[at + 1..])),
            Some(_) => at += 1,
        }
    }
}

/// A part that is not enclosed: up to a semicolon that another part, another semicolon or nothing follows.
fn open_part(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    for at in memchr::memchr_iter(b';', bytes) {
        let after = bytes.get(at + 1..).unwrap_or_default();
        if after.is_empty() || after.starts_with(b";") || begins_part(after) {
            return (&text[..at], &text[at + 1..]);
        }
    }
    (text, "")
}

fn key_and_value(text: &str) -> Option<Part<'_>> {
    let text = text.strip_prefix('\'').unwrap_or(text);
    let (_kind, rest) = text.split_once(':')?;
    let (key, value) = rest.split_once('=')?;
    Some(Part { key, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(parts: &str) -> Vec<String> {
        let mut shown = Vec::new();
        each(parts, &mut |name, value| {
            shown.push(format!("{name}={value}"));
        });
        shown
    }

    #[test]
    fn plain_parts_are_read() {
        assert_eq!(
            shown(
                "S:TIME=13;S:CMD=Get-InboxRule;S:URL=/ecp/a%20b.svc?x=1;;S:EX=;S:BLD=15.1.2375.7"
            ),
            [
                "TIME=13",
                "CMD=Get-InboxRule",
                "URL=/ecp/a%20b.svc?x=1",
                "EX=",
                "BLD=15.1.2375.7",
                "command=Get-InboxRule",
                "build=15.1.2375.7",
                "path=/ecp/a b.svc",
                "query=x=1"
            ]
        );
    }

    #[test]
    fn semicolons_and_quotes_inside_do_not_end_a_part() {
        let enclosed = "'S:CMD=Set-X.Url=''http://f/;a(\"\"b\"\");''.Identity=''1''';;S:EX=";
        assert_eq!(
            get(enclosed, "CMD").as_deref(),
            Some("Set-X.Url='http://f/;a(\"b\");'.Identity='1'")
        );
        assert_eq!(get(enclosed, "EX").as_deref(), Some(""));
        let open = "S:CMD=Set-X.Url='http://f/;a(b);}'.Name=O'Brien;S:EX=1";
        assert_eq!(
            get(open, "command").as_deref(),
            Some("Set-X.Url='http://f/;a(b);}'.Name=O'Brien")
        );
        assert_eq!(get(open, "EX").as_deref(), Some("1"));
        assert_eq!(
            get("'S:CMD=never closed;S:EX=1", "EX").as_deref(),
            Some("1")
        );
    }
}
