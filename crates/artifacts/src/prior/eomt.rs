//! Logs of Microsoft's Exchange On-premises Mitigation Tool: `EOMT.log` and `EOMTSummary.txt`.
//!
//! Lines are `2021-03-17 10:22:33 Info: message` by the server's own clock; the log does not name the zone, so that
//! its times are kept as text only. Source: the tool's script, <https://github.com/microsoft/CSS-Exchange>.

use crate::text::lines::{head_text, may_hold};
use crate::text::names::log_name;
use crate::text::plain::{LineReader, TextRecord, read_lines};
use crate::text::time::iso_time;
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{At, Fact, HostNameSeen, PriorTool, SourceName, Timestamp, host_name_rank};

const TOOL: &str = "EOMT";

/// Outcomes told per item; a run has a handful.
const OUTCOMES_MAX: usize = 200;

/// Parts of messages that report what was done or found; other lines tell of steps on the way.
const OUTCOMES: [&str; 12] = [
    "mitigation complete",
    "mitigation failed",
    "mitigation not present",
    "module installed",
    "threats detected",
    "no known threats detected",
    "not vulnerable",
    "is vulnerable",
    "download failed",
    "this attempt was",
    "eomt failed",
    "eomt complete",
];

#[derive(Debug)]
pub(crate) struct Eomt;

impl Artifact for Eomt {
    fn kind(&self) -> &'static str {
        "prior.eomt"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let head = probe.head.get(..probe.head.len().min(16 * 1024));
        let head = head.unwrap_or_default();
        let text = if may_hold(head, &["EOMT", "mitigation", "MSERTProcess"]) {
            head_text(head)
        } else {
            String::new()
        };
        let is_summary = text.lines().take(4).any(|line| {
            line.starts_with("Microsoft Safety Scanner and") && line.contains("mitigation summary")
        });
        let has_entries = text.lines().take(8).any(|line| entry(line).is_some());
        let says_tool = ["EOMT", "mitigation process", "MSERTProcess"]
            .iter()
            .any(|words| text.contains(words));
        if is_summary || (has_entries && says_tool) {
            return Match::Content;
        }
        let name = log_name(probe.path).to_ascii_lowercase();
        if matches!(name.as_str(), "eomt.log" | "eomtsummary.txt") {
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
        let mut reader = EomtLines {
            source: &source,
            host_told: false,
            outcomes: 0,
        };
        read_lines(content, sink, &mut reader);
    }
}

struct EomtLines<'a> {
    source: &'a SourceName,
    host_told: bool,
    outcomes: usize,
}

impl LineReader for EomtLines<'_> {
    fn line(
        &mut self,
        number: u64,
        line: &str,
        sink: &mut dyn Sink,
    ) -> Result<Option<Timestamp>, &'static str> {
        let mut record = TextRecord::new(self.source, number, line);
        // The summary, and messages of several lines, have no time in front.
        let (local_time, level, message) = entry(line).unwrap_or(("", "", line.trim()));
        record.add("local_time", local_time);
        record.add("Level", level);
        record.add("Message", message);
        record.add("action", message);
        if let Some(host) = host_name(message)
            && !std::mem::replace(&mut self.host_told, true)
        {
            let seen = HostNameSeen {
                name: host.to_owned(),
                rule: "EOMT log".to_owned(),
                rank: host_name_rank::PRODUCT_LOG,
            };
            sink.fact(At::Line(number), Fact::HostName(seen));
        }
        let lower = message.to_ascii_lowercase();
        if OUTCOMES.iter().any(|outcome| lower.contains(outcome)) && self.outcomes < OUTCOMES_MAX {
            self.outcomes += 1;
            let when = if local_time.is_empty() {
                String::new()
            } else {
                format!(" (local time {local_time})")
            };
            let fact = PriorTool {
                tool: TOOL.to_owned(),
                time: None,
                outcome: format!("{message}{when}"),
            };
            sink.fact(At::Line(number), Fact::PriorTool(fact));
        }
        sink.record(&record);
        Ok(None)
    }
}

/// Time, level and message of a line.
fn entry(line: &str) -> Option<(&str, &str, &str)> {
    let (time, rest) = line.trim_start().split_at_checked(19)?;
    iso_time(time.as_bytes())?;
    let (level, message) = rest.trim_start().split_once(':')?;
    matches!(level, "Info" | "Error" | "Warning" | "Debug").then(|| (time, level, message.trim()))
}

/// The computer in `Starting mitigation process on EX01`.
fn host_name(message: &str) -> Option<&str> {
    let name = [
        "Starting mitigation process on ",
        "Starting MSERTProcess on ",
    ]
    .iter()
    .find_map(|words| message.strip_prefix(words))?
    .trim();
    let plausible = (1..=63).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    plausible.then_some(name)
}
