//! The log of the Windows Firewall (`System32\LogFiles\Firewall\pfirewall.log`): connections that it let through or
//! dropped, where somebody turned the log on.
//!
//! Format: <https://learn.microsoft.com/en-us/windows/security/operating-system-security/network-security/windows-firewall/configure-logging>.
//! Times are those of the server's own clock, without a zone (`#Time Format: Local`), so they are kept as text.

use crate::text::lines::{head_text, may_hold};
use crate::text::names::log_name;
use crate::text::plain::{LineReader, TextRecord, read_lines};
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{SourceName, Timestamp};

const SOFTWARE: &str = "#Software: Microsoft Windows Firewall";

/// Columns of all versions so far; the process id came last.
const COLUMNS: [&str; 18] = [
    "date", "time", "action", "protocol", "src-ip", "dst-ip", "src-port", "dst-port", "size",
    "tcpflags", "tcpsyn", "tcpack", "tcpwin", "icmptype", "icmpcode", "info", "path", "pid",
];

#[derive(Debug)]
pub(crate) struct FirewallLog;

impl Artifact for FirewallLog {
    fn kind(&self) -> &'static str {
        "windows.firewall"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let head = &probe.head[..probe.head.len().min(4_096)];
        if may_hold(head, &[SOFTWARE]) && head_text(head).contains(SOFTWARE) {
            return Match::Content;
        }
        let name = log_name(probe.path).to_ascii_lowercase();
        if name.starts_with("pfirewall.log") {
            Match::Path
        } else {
            Match::No
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::new(self.kind()))
    }

    fn read(&self, _item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let source = SourceName::new(self.kind());
        let mut reader = Rows {
            source: &source,
            columns: None,
        };
        read_lines(content, sink, &mut reader);
    }
}

struct Rows<'a> {
    source: &'a SourceName,
    /// As the head names them; `None` before any head.
    columns: Option<Vec<&'static str>>,
}

impl LineReader for Rows<'_> {
    fn line(
        &mut self,
        number: u64,
        line: &str,
        sink: &mut dyn Sink,
    ) -> Result<Option<Timestamp>, &'static str> {
        if let Some(names) = line.strip_prefix("#Fields:") {
            let known = |name: &str| COLUMNS.iter().copied().find(|column| *column == name);
            self.columns = names.split_whitespace().map(known).collect();
            return match self.columns {
                Some(_) => Ok(None),
                None => Err("a column of no known name"),
            };
        }
        if line.starts_with('#') {
            return Ok(None);
        }
        let Some(columns) = &self.columns else {
            return Err("no head");
        };
        let values: Vec<&str> = line.split_whitespace().collect();
        if values.len() != columns.len() {
            return Err("not as many fields as columns");
        }
        let mut record = TextRecord::new(self.source, number, line);
        let value = |name: &str| {
            let position = columns.iter().position(|column| *column == name)?;
            values.get(position).filter(|value| **value != "-").copied()
        };
        for (name, value) in columns.iter().zip(&values) {
            if *value != "-" {
                // What the log calls a path is the way that the packet took.
                let name = if *name == "path" { "direction" } else { name };
                record.add(name, *value);
            }
        }
        if let (Some(date), Some(time)) = (value("date"), value("time")) {
            record.add("local_time", format!("{date} {time}"));
        }
        let sent = value("path") == Some("SEND");
        let remote = if sent { "dst-ip" } else { "src-ip" };
        for (name, column) in [
            ("client", remote),
            ("SourceIp", "src-ip"),
            ("DestinationIp", "dst-ip"),
            ("DestinationPort", "dst-port"),
        ] {
            if let Some(value) = value(column) {
                record.add(name, value);
            }
        }
        sink.record(&record);
        Ok(None)
    }
}
