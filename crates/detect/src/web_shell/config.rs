//! `web.config`: code inside it, mappings that run other files as scripts, and machine keys in clear text.
//!
//! Element names are those of the IIS and ASP.NET configuration schemas (`system.webServer/handlers`,
//! `system.web/httpHandlers`, `system.web/compilation/buildProviders`, `system.web/machineKey`).

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::compiled::value_of;
use super::{Kind, Language, Notes, source};

/// Elements nested deeper belong to no configuration.
const DEPTH_MAX: usize = 64;

/// A configuration is some hundred kilobytes at most; more is not read as XML.
const XML_BYTES_MAX: usize = 8 << 20;

/// Handlers and modules that run the file they are given.
const RUNNERS: &[&str] = &[
    "pagehandlerfactory",
    "simplehandlerfactory",
    "webservicehandlerfactory",
    "scripthandlerfactory",
    "webhandlerfactory",
    "asp.dll",
    "aspnet_isapi.dll",
    "php-cgi",
    "php.exe",
    "cmd.exe",
    "powershell",
    "fastcgimodule",
    "cgimodule",
    "isapimodule",
];

/// Endings, beside those of scripts, that such handlers serve on an ordinary server.
const ORDINARY: &[&str] = &[
    "axd", "aspq", "cshtm", "vbhtm", "xamlx", "xoml", "master", "dll", "exe", "py", "pl", "cgi",
    "rpc",
];

pub(super) fn analyse(path: &str, bytes: &[u8], notes: &mut Notes<'_>) {
    if source::analyse_embedded(bytes, notes) {
        let at = memchr::memmem::find(bytes, b"<%")
            .or_else(|| memchr::memmem::find(bytes, b"<?php"))
            .unwrap_or(0);
        let own = model::file_name(path).eq_ignore_ascii_case("web.config");
        let words = "This configuration file holds server code: mapped to a script engine, the file is itself a page.";
        notes.add(
            Kind::CodeInConfiguration,
            own,
            words,
            at,
            Language::Configuration,
        );
    }
    if bytes.len() > XML_BYTES_MAX {
        notes.skip("the configuration is larger than is read as XML");
        return;
    }
    elements(bytes, notes);
}

fn elements(bytes: &[u8], notes: &mut Notes<'_>) {
    let text = String::from_utf8_lossy(bytes);
    let mut reader = Reader::from_str(&text);
    let mut open: Vec<String> = Vec::new();
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        match reader.read_event() {
            Ok(Event::Start(element)) => {
                judge(&element, &open, at, notes);
                if open.len() >= DEPTH_MAX {
                    notes.skip("the configuration is nested deeper than is read");
                    return;
                }
                open.push(name_of(&element));
            }
            Ok(Event::Empty(element)) => judge(&element, &open, at, notes),
            Ok(Event::End(_)) => {
                open.pop();
            }
            // What follows is no XML any more; code in it was looked for before.
            Ok(Event::Eof) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

fn name_of(element: &BytesStart<'_>) -> String {
    element.local_name().as_ref().to_lowercase()
}

fn judge(element: &BytesStart<'_>, open: &[String], at: usize, notes: &mut Notes<'_>) {
    let parent = open.last().map_or("", String::as_str);
    match (name_of(element).as_str(), parent) {
        ("add", "handlers" | "httphandlers") => handler(element, at, notes),
        ("add", "buildproviders") => build_provider(element, at, notes),
        ("remove", "fileextensions") => {
            let ending = value_of(element, "fileExtension").unwrap_or_default();
            if ending.eq_ignore_ascii_case(".config") {
                let words = "This configuration lets the server deliver or run configuration files, which are closed to clients otherwise.";
                notes.add(
                    Kind::OddScriptMapping,
                    false,
                    words,
                    at,
                    Language::Configuration,
                );
            }
        }
        ("machinekey", _) => {
            let keys = ["validationKey", "decryptionKey"]
                .map(|name| value_of(element, name).unwrap_or_default());
            let fixed = keys
                .iter()
                .any(|key| key.len() >= 16 && key.bytes().all(|byte| byte.is_ascii_hexdigit()));
            if fixed {
                let words = "This configuration holds machine keys in clear text: who has read it can forge view state until the keys are changed.";
                notes.add(
                    Kind::FixedMachineKey,
                    false,
                    words,
                    at,
                    Language::Configuration,
                );
            }
        }
        _ => {}
    }
}

fn handler(element: &BytesStart<'_>, at: usize, notes: &mut Notes<'_>) {
    let path = value_of(element, "path").unwrap_or_default();
    let does: String = ["type", "modules", "scriptProcessor"]
        .iter()
        .filter_map(|name| value_of(element, name))
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase();
    let runs = RUNNERS.iter().any(|runner| does.contains(runner));
    if runs && let Some(odd) = path.split(',').find(|path| is_odd(path)) {
        let words = format!(
            "This configuration has files of the kind `{}` run as scripts.",
            shorten(odd.trim())
        );
        notes.add(
            Kind::OddScriptMapping,
            false,
            &words,
            at,
            Language::Configuration,
        );
    }
}

fn build_provider(element: &BytesStart<'_>, at: usize, notes: &mut Notes<'_>) {
    let ending = value_of(element, "extension").unwrap_or_default();
    let provider = value_of(element, "type").unwrap_or_default().to_lowercase();
    let compiles = [
        "pagebuildprovider",
        "webhandlerbuildprovider",
        "usercontrolbuildprovider",
        "webservicebuildprovider",
        "sourcefilebuildprovider",
    ]
    .iter()
    .any(|name| provider.contains(name));
    if compiles && is_odd(&format!("*{ending}")) {
        let words = format!(
            "This configuration has files of the kind `{}` compiled as pages.",
            shorten(&ending)
        );
        notes.add(
            Kind::OddScriptMapping,
            false,
            &words,
            at,
            Language::Configuration,
        );
    }
}

/// Whether a handler's path names files that are no scripts: `*.jpg`, `web.config`.
fn is_odd(path: &str) -> bool {
    let path = path.trim();
    let Some((_, ending)) = path.rsplit_once('.') else {
        return false;
    };
    let ending = ending.to_lowercase();
    !ending.is_empty()
        && ending.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !pack::shipped_files::is_script(path)
        && !ORDINARY.contains(&ending.as_str())
}

fn shorten(text: &str) -> String {
    text.chars().take(60).collect()
}
