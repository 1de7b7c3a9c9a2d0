//! Files that a web server runs or hands to its script engine. They hold no records; detection looks at their bytes.
//!
//! Known by extension, and by their first line where they bear another name: a shell called `logo.png` still starts as a page.

use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::SourceName;

/// Extensions of pages, handlers, controls and settings of IIS, ASP.NET, PHP and JSP.
const EXTENSIONS: [&str; 23] = [
    "aspx", "ashx", "asmx", "ascx", "asax", "asp", "asa", "cshtml", "vbhtml", "php", "php3",
    "php5", "php7", "phtml", "phar", "jsp", "jspx", "jspf", "svc", "master", "skin", "config",
    "soap",
];

/// How a page of one of these engines begins, in lower case; spaces after the first mark are skipped.
const DIRECTIVES: [&str; 9] = [
    "page",
    "webhandler",
    "webservice",
    "control",
    "master",
    "servicehost",
    "application",
    "import",
    "language",
];

/// Bytes in which a file shows that it is a page.
const HEAD_BYTES: usize = 1_024;

/// Script files.
#[derive(Debug)]
pub(crate) struct Script;

impl Artifact for Script {
    fn kind(&self) -> &'static str {
        "web.script"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        if begins_as_page(probe.head) {
            Match::Content
        } else if EXTENSIONS.contains(&model::extension(probe.path).as_str()) {
            Match::Path
        } else {
            Match::No
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::of("files", "web"))
    }

    fn read(&self, _item: &Item<'_>, _content: &mut dyn Content, _sink: &mut dyn Sink) {}
}

fn begins_as_page(head: &[u8]) -> bool {
    let head = crate::xml::decoded(&head[..head.len().min(HEAD_BYTES)]).to_lowercase();
    let head = head.trim_start();
    if head.starts_with("<?php") || head.starts_with("<jsp:root") {
        return true;
    }
    head.strip_prefix("<%@").is_some_and(|directive| {
        let directive = directive.trim_start();
        DIRECTIVES.iter().any(|name| directive.starts_with(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sureness(path: &str, head: &[u8]) -> Match {
        Script.recognise(&Probe {
            path,
            head,
            size: None,
        })
    }

    #[test]
    fn scripts_are_known_by_head_and_by_extension() {
        assert_eq!(
            sureness(
                "C:\\inetpub\\wwwroot\\logo.png",
                b"\xef\xbb\xbf <%@ Page Language=\"C#\"%>"
            ),
            Match::Content
        );
        assert_eq!(sureness("C:\\x\\a.AsPx", b"<html>"), Match::Path);
        assert_eq!(sureness("C:\\x\\a.txt", b"<% not a directive"), Match::No);
        assert_eq!(sureness("C:\\x\\a.txt", b""), Match::No);
    }
}
