//! IIS access logs in the W3C extended format, and the error log of HTTP.sys, which is written alike.
//!
//! Formats: <https://learn.microsoft.com/windows/win32/http/w3c-logging> and
//! <https://learn.microsoft.com/troubleshoot/developer/webapps/aspnet/site-behavior-performance/error-logging-http-apis>.
//! Times are UTC, also where files roll over by local time. `-` is an empty field; blanks inside of one are `+`.
//! A restart of IIS writes a new head into the same file, perhaps with other columns.

use crate::text::head::Normal;
use crate::text::lines::{head_text, may_hold};
use crate::text::names::{folders, log_name};
use crate::text::table::{Format, TimeForm, read_table};
use crate::text::watch::{WebRows, is_log_name};
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::SourceName;

/// Rows of blank-separated fields.
pub(crate) const W3C: Format = Format {
    delimiter: b' ',
    quotes: false,
    absent: Some(b"-"),
    time: TimeForm::DateAndTime,
    free: &[
        "cs(User-Agent)",
        "cs(Referer)",
        "cs(Cookie)",
        "cs-uri-stem",
        "cs-uri-query",
        "cs-username",
        "cs-uri",
        "s-queuename",
    ],
    default_heads: &[
        "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) \
         sc-status sc-substatus sc-win32-status time-taken",
    ],
    parts: false,
    normalise,
};

/// Folders of services that IIS hosts and that write alike, but are no web sites.
const OTHER_SERVICES: [&str; 4] = ["ftpsvc", "msftpsvc", "smtpsvc", "nntpsvc"];

#[derive(Debug)]
pub(crate) struct IisLog;

impl Artifact for IisLog {
    fn kind(&self) -> &'static str {
        "iis.w3c"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let is_of_other_service = folders(probe.path).iter().any(|folder| {
            OTHER_SERVICES
                .iter()
                .any(|service| folder.starts_with(service))
        });
        if is_of_other_service {
            return Match::No;
        }
        let text = beginning(probe);
        if says_iis(&text) {
            return Match::Content;
        }
        if text
            .lines()
            .take(64)
            .any(|line| line.starts_with("#Software:"))
        {
            return Match::No;
        }
        let name = log_name(probe.path).to_ascii_lowercase();
        let named =
            name.starts_with("u_ex") || name.starts_with("u_in") || name.starts_with("u_nc");
        if is_log_name(probe.path) && (named || site_of_path(probe.path).is_some()) {
            Match::Path
        } else {
            Match::No
        }
    }

    fn source(&self, probe: &Probe<'_>) -> Option<SourceName> {
        let site = site_of_path(probe.path)
            .or_else(|| site_of_first_row(&beginning(probe)))
            .unwrap_or_else(|| "unknown".to_owned());
        Some(SourceName::of("iis.site", &site))
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
        read_table(&W3C, &source, item, content, sink, &mut WebRows::new());
    }
}

/// The first bytes as text; empty where they can be no head of these logs.
pub(crate) fn beginning(probe: &Probe<'_>) -> String {
    let head = probe.head.get(..probe.head.len().min(8 * 1024));
    let head = head.unwrap_or_default();
    if may_hold(head, &["#Software:", "#Fields:", "<failedRequest"]) {
        head_text(head)
    } else {
        String::new()
    }
}

fn says_iis(text: &str) -> bool {
    text.lines().take(64).any(|line| {
        line.starts_with("#Software: Microsoft Internet Information Serv")
            || (line.starts_with("#Fields:")
                && line.contains("cs-uri-stem")
                && line.contains("time")
                && !line.contains(','))
    })
}

/// `1` from a folder `W3SVC1`.
fn site_of_path(path: &str) -> Option<String> {
    folders(path)
        .iter()
        .rev()
        .find_map(|folder| site_number(folder))
}

/// The column `s-sitename` of the first row.
fn site_of_first_row(text: &str) -> Option<String> {
    let mut column = None;
    for line in text.lines() {
        if let Some(names) = line.strip_prefix("#Fields:") {
            column = names
                .split_ascii_whitespace()
                .position(|name| name == "s-sitename");
        } else if !line.starts_with('#')
            && let Some(column) = column
            && let Some(name) = line.split(' ').nth(column)
        {
            return site_number(&name.to_ascii_lowercase());
        }
    }
    None
}

fn site_number(name: &str) -> Option<String> {
    let number: u32 = name.strip_prefix("w3svc")?.parse().ok()?;
    Some(number.to_string())
}

/// Normalised names of the columns of IIS and HTTP.sys.
fn normalise(column: &dyn Fn(&str) -> Option<usize>) -> Vec<(&'static str, Normal)> {
    let mut normal = Vec::new();
    let mut add = |name, value: Option<Normal>| {
        if let Some(value) = value {
            normal.push((name, value));
        }
    };
    add("client", column("c-ip").map(Normal::Address));
    add("user_agent", column("cs(User-Agent)").map(Normal::PlusText));
    let whole = column("cs-uri");
    add(
        "path",
        column("cs-uri-stem")
            .map(Normal::Path)
            .or(whole.map(Normal::UrlPath)),
    );
    add(
        "query",
        column("cs-uri-query")
            .map(Normal::Text)
            .or(whole.map(Normal::UrlQuery)),
    );
    add("status", column("sc-status").map(Normal::Number));
    add("method", column("cs-method").map(Normal::Text));
    add("user", column("cs-username").map(Normal::Text));
    add("host_header", column("cs-host").map(Normal::Text));
    add("server", column("s-computername").map(Normal::Text));
    add("protocol", column("cs-version").map(Normal::Text));
    normal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::httpproxy::HttpProxy;
    use crate::testing::read_with;
    use proptest::prelude::*;

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("#Fields: date time cs-method cs-uri-stem sc-status".to_owned()),
            Just("#Fields: DateTime,UrlStem,HttpStatus".to_owned()),
            Just("2021-03-03 06:00:00 GET / 200".to_owned()),
            Just("2021-03-03T06:00:00.000Z,/ecp/,200".to_owned()),
            Just(String::new()),
            "#[ -~]{0,20}",
            "[ -~]{0,40}",
            "[^\\x00\\r\\n\"]{0,40}",
        ]
    }

    proptest! {
        #[test]
        fn every_line_that_is_no_comment_is_a_record_or_rejected(lines in proptest::collection::vec(line(), 0..40)) {
            let text = lines.join("\n").replace('"', "'");
            // A mark at the beginning says how the text is written, and is none of it.
            let records_in = text
                .strip_prefix('\u{feff}')
                .unwrap_or(&text)
                .split('\n')
                .filter(|line| !line.bytes().all(|byte| byte.is_ascii_whitespace()) && !line.starts_with('#'))
                .count();
            for artifact in [&IisLog as &dyn Artifact, &HttpProxy] {
                let said = read_with(artifact, "C:\\u_ex210303.log", text.as_bytes(), &["*"]);
                prop_assert_eq!(said.records.len() + said.rejected.len(), records_in);
            }
        }
    }
}
