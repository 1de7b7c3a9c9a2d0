//! Text dumps of a virtual directory's properties, as Exchange writes them when the directory is reset.
//!
//! The dump is a harmless list of `Name : value` lines. An intruder who can choose both a property's value and the
//! file's name makes it a page: whatever stands around it, the server runs the script in the value.

use super::source::find_without_case;
use super::{Kind, Language, Notes};

/// Properties of virtual directories; a dump holds nearly all of them.
const PROPERTIES: &[&str] = &[
    "name",
    "internalurl",
    "externalurl",
    "path",
    "server",
    "metabasepath",
    "adminversion",
    "admindisplayversion",
    "pollinterval",
    "offlineaddressbooks",
    "requiressl",
    "basicauthentication",
    "windowsauthentication",
    "oauthauthentication",
    "extendedprotectiontokenchecking",
    "extendedprotectionflags",
    "extendedprotectionspnlist",
    "internalauthenticationmethods",
    "externalauthenticationmethods",
    "admindisplayname",
    "exchangeversion",
    "distinguishedname",
    "identity",
    "guid",
    "objectcategory",
    "objectclass",
    "whenchanged",
    "whencreated",
    "whenchangedutc",
    "whencreatedutc",
    "organizationid",
    "originatingserver",
    "isvalid",
    "objectstate",
    "id",
];

/// Fewer properties than this make no dump.
const PROPERTIES_MIN: usize = 5;

/// Dumps are some kilobytes; more is not searched.
const DUMP_BYTES_MAX: usize = 1 << 20;

/// Marks that make a server run what follows, or run the client's script with the server's name.
const CODE: &[&[u8]] = &[b"<%", b"<script", b"<?php", b"<object", b"runat"];

pub(super) fn analyse(path: &str, bytes: &[u8], notes: &mut Notes<'_>) {
    let narrow: Vec<u8>;
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => {
            narrow = rest
                .chunks_exact(2)
                .map(|pair| if pair[1] == 0 { pair[0] } else { b'?' })
                .collect();
            narrow.as_slice()
        }
        _ => bytes,
    };
    let wide = text.len() != bytes.len();
    let text = &text[..text.len().min(DUMP_BYTES_MAX)];
    let Some(value) = property_with_code(text) else {
        return;
    };
    let executable = pack::shipped_files::is_script(path);
    let place = if executable {
        ""
    } else {
        " The name of this file is not one that a server runs."
    };
    let words = format!(
        "This is the text dump of a virtual directory's properties, and the value of {} carries server code: the virtual directory was changed so that its dump would be a web shell.{place}",
        value.property
    );
    let offset = if wide {
        2 + 2 * value.offset
    } else {
        value.offset
    };
    notes.add(
        Kind::ScriptInPropertyDump,
        executable,
        &words,
        offset,
        Language::None,
    );
}

struct Suspect {
    property: String,
    offset: usize,
}

/// The first property whose value holds code, if the text is a dump at all.
fn property_with_code(text: &[u8]) -> Option<Suspect> {
    let mut seen = 0_usize;
    let mut suspect: Option<Suspect> = None;
    let mut current = String::new();
    let mut start = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if let Some(name) = property(line) {
            seen += 1;
            current = name;
        }
        if suspect.is_none() && !current.is_empty() {
            let code = CODE
                .iter()
                .filter_map(|mark| find_without_case(line, mark, 0))
                .min();
            suspect = code.map(|at| Suspect {
                property: current.clone(),
                offset: start + at,
            });
        }
        start += line.len();
    }
    suspect.filter(|_| seen >= PROPERTIES_MIN)
}

/// The property that a line `Name   : value` gives.
fn property(line: &[u8]) -> Option<String> {
    const NAME_BYTES_MAX: usize = 64;
    let head = &line[..line.len().min(NAME_BYTES_MAX)];
    let colon = memchr::memchr(b':', head)?;
    let name = std::str::from_utf8(&head[..colon]).ok()?.trim();
    let known = PROPERTIES
        .iter()
        .any(|property| property.eq_ignore_ascii_case(name));
    known.then(|| name.to_owned())
}
