//! Exchange HttpProxy logs: every request that the front end passed on to a back end, a folder for each protocol.
//!
//! About seventy columns, read by name; each row bears the build of the server at that time.

use super::log::{EXCHANGE_CSV, LogHead, is_known_log_type};
use crate::text::names::{folders, log_name};
use crate::text::table::read_table;
use crate::text::watch::{ExchangeRows, is_log_name};
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::SourceName;

/// Columns that only these logs have together.
const OWN_COLUMNS: [&str; 4] = ["UrlStem", "AnchorMailbox", "ProxyAction", "RoutingHint"];

#[derive(Debug)]
pub(crate) struct HttpProxy;

impl Artifact for HttpProxy {
    fn kind(&self) -> &'static str {
        "exchange.httpproxy"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let head = LogHead::of(probe);
        let log_type = head.log_type.as_deref().unwrap_or_default();
        if log_type.starts_with("httpproxy") {
            return Match::Content;
        }
        if is_known_log_type(log_type) || head.is_of_another_product {
            return Match::No;
        }
        if OWN_COLUMNS.iter().all(|name| head.text.contains(name)) {
            return Match::Content;
        }
        let named = log_name(probe.path)
            .to_ascii_lowercase()
            .starts_with("httpproxy_");
        let placed = folders(probe.path)
            .iter()
            .any(|folder| folder == "httpproxy");
        if is_log_name(probe.path) && (named || placed) {
            Match::Path
        } else {
            Match::No
        }
    }

    fn source(&self, probe: &Probe<'_>) -> Option<SourceName> {
        let protocol = protocol_of_path(probe.path)
            .or_else(|| protocol_of_first_row(&LogHead::of(probe).text))
            .unwrap_or_else(|| "unknown".to_owned());
        Some(SourceName::of(self.kind(), &protocol))
    }

    fn read(&self, item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let size = content.size();
        let probe = Probe {
            path: item.path,
            head: content.head(),
            size,
        };
        let Some(source) = self.source(&probe) else {
            return;
        };
        let mut rows = ExchangeRows::new("HttpProxy ServerHostName", "HttpProxy row");
        read_table(&EXCHANGE_CSV, &source, item, content, sink, &mut rows);
    }
}

/// The folder below `HttpProxy`.
fn protocol_of_path(path: &str) -> Option<String> {
    let folders = folders(path);
    let at = folders.iter().position(|folder| folder == "httpproxy")?;
    folders.get(at + 1).and_then(|name| protocol_name(name))
}

/// The column `Protocol` of the first row that has as many fields as the head.
fn protocol_of_first_row(text: &str) -> Option<String> {
    let mut column = None;
    for line in text.lines() {
        let names = line.strip_prefix("#Fields:").unwrap_or(line);
        if names.trim_start().starts_with("DateTime,") {
            column = names.split(',').position(|name| name.trim() == "Protocol");
        } else if let Some(column) = column
            && line.starts_with(|c: char| c.is_ascii_digit())
            && let Some(name) = line.split(',').nth(column).and_then(protocol_name)
        {
            return Some(name);
        }
    }
    None
}

/// A name that can be part of a source's: logs are hostile.
fn protocol_name(name: &str) -> Option<String> {
    let plausible =
        (1..=32).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plausible.then(|| name.to_ascii_lowercase())
}
