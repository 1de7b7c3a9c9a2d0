//! What the values of indicators look like, by type.

use std::net::IpAddr;

pub(crate) const INDICATOR_COLUMNS: &[&str] = &[
    "type",
    "value",
    "meaning",
    "confidence",
    "first_seen",
    "source",
];

/// Every type of indicator, and what its value looks like.
pub(crate) const INDICATOR_TYPES: &[(&str, &str)] = &[
    ("ip", "an IPv4 or IPv6 address"),
    ("domain", "a domain name in lower case"),
    ("url_path", "the path of a URL, beginning with `/`"),
    ("user_agent", "a user agent with plain spaces"),
    ("sha256", "64 hexadecimal digits in lower case"),
    ("sha1", "40 hexadecimal digits in lower case"),
    ("md5", "32 hexadecimal digits in lower case"),
    (
        "file_path",
        r"a Windows path such as `C:\folder\name` or `\folder\name`",
    ),
    ("file_name", "a file name without folders"),
];

/// Whether a value has the form of its type; `None` for an unknown type.
pub(crate) fn value_is_well_formed(r#type: &str, value: &str) -> Option<bool> {
    if value.is_empty() || value.trim() != value || value.chars().any(char::is_control) {
        return Some(false);
    }
    Some(match r#type {
        "ip" => value.parse::<IpAddr>().is_ok(),
        "domain" => is_domain(value),
        "url_path" => value.starts_with('/') && !value.contains(['?', '#', ' ']),
        "user_agent" => true,
        "sha256" => is_hex(value, 64),
        "sha1" => is_hex(value, 40),
        "md5" => is_hex(value, 32),
        "file_path" => is_windows_path(value),
        "file_name" => !value.contains(['\\', '/', ':']),
        _ => return None,
    })
}

fn is_hex(value: &str, digits: usize) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    value.len() == digits && value.bytes().all(is_digit)
}

fn is_domain(value: &str) -> bool {
    let is_label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && label.bytes().all(inner)
    };
    value.contains('.') && value.split('.').all(is_label)
}

fn is_windows_path(value: &str) -> bool {
    let below_drive = match value.as_bytes() {
        [drive, b':', b'\\', ..] => drive.is_ascii_alphabetic(),
        [b'\\', next, ..] => *next != b'\\',
        _ => false,
    };
    below_drive && !value.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_by_their_type() {
        let good = [
            ("ip", "2001:db8::1"),
            ("domain", "c2.example.net"),
            ("url_path", "/owa/auth/x.aspx"),
            ("file_path", r"C:\inetpub\x.aspx"),
            ("file_path", r"\inetpub\x.aspx"),
            ("file_name", "x.aspx"),
        ];
        for (r#type, value) in good {
            assert_eq!(value_is_well_formed(r#type, value), Some(true), "{value}");
        }
        let bad = [
            ("ip", "1.2.3.4/24"),
            ("domain", "C2.example[.]net"),
            ("url_path", "owa/x"),
            ("sha1", "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"),
            ("file_path", r"\\server\share"),
            ("file_name", r"a\b"),
            ("user_agent", " x"),
        ];
        for (r#type, value) in bad {
            assert_eq!(value_is_well_formed(r#type, value), Some(false), "{value}");
        }
        assert_eq!(value_is_well_formed("mutex", "x"), None);
    }
}
