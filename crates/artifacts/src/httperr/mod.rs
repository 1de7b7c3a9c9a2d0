//! The error log of HTTP.sys (`System32\LogFiles\HTTPERR\httperr1.log`): requests that never reached IIS.
//!
//! Format: as the access logs, see [`crate::iis::w3c`].

use crate::iis::w3c::{W3C, beginning};
use crate::text::names::{folders, log_name};
use crate::text::table::read_table;
use crate::text::watch::{NoRows, is_log_name};
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::SourceName;

#[derive(Debug)]
pub(crate) struct HttpErr;

impl Artifact for HttpErr {
    fn kind(&self) -> &'static str {
        "http.err"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let text = beginning(probe);
        let mut lines = text.lines().take(64);
        if lines.any(|line| {
            line.starts_with("#Software: Microsoft HTTP API")
                || (line.starts_with("#Fields:") && line.contains("s-reason"))
        }) {
            return Match::Content;
        }
        if text
            .lines()
            .take(64)
            .any(|line| line.starts_with("#Software:"))
        {
            return Match::No;
        }
        let named = log_name(probe.path)
            .to_ascii_lowercase()
            .starts_with("httperr");
        let placed = folders(probe.path).iter().any(|folder| folder == "httperr");
        if is_log_name(probe.path) && (named || placed) {
            Match::Path
        } else {
            Match::No
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::new("http.err"))
    }

    fn read(&self, item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let source = SourceName::new("http.err");
        read_table(&W3C, &source, item, content, sink, &mut NoRows);
    }
}
