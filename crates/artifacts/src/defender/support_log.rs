//! The support log of Microsoft Defender (`ProgramData\Microsoft\Windows Defender\Support\MPLog-*.log`): scans, what they
//! found, programs that slowed it down, and settings, for months.
//!
//! Microsoft does not describe the log. Entries begin with a time in UTC (`2021-03-03T06:49:00.000Z`); lines without one
//! belong to no time. What was found stands as `DETECTION_ADD#… NAME RESOURCE` and `Threat Name:`; programs that ran
//! stand behind `ProcessImageName:`. Any other line is kept as it is.

use crate::text::lines::{head_text, may_hold};
use crate::text::names::log_name;
use crate::text::plain::{LineReader, TextRecord, read_lines};
use crate::text::time::iso_time;
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{SourceName, Timestamp};

#[derive(Debug)]
pub(crate) struct SupportLog;

impl Artifact for SupportLog {
    fn kind(&self) -> &'static str {
        "windows.defender.log"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        const SIGNS: [&str; 2] = ["Microsoft Security Client", "MpEngine"];
        let name = log_name(probe.path).to_ascii_lowercase();
        let named = name.starts_with("mplog-") || name == "mplog.log";
        let head = &probe.head[..probe.head.len().min(4_096)];
        let signed = named && may_hold(head, &SIGNS) && {
            let text = head_text(head);
            SIGNS.iter().any(|sign| text.contains(sign))
        };
        match (named, signed) {
            (true, true) => Match::Content,
            (true, false) => Match::Path,
            (false, _) => Match::No,
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::new(self.kind()))
    }

    fn read(&self, _item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let source = SourceName::new(self.kind());
        read_lines(content, sink, &mut Lines { source: &source });
    }
}

struct Lines<'a> {
    source: &'a SourceName,
}

impl LineReader for Lines<'_> {
    fn line(
        &mut self,
        number: u64,
        line: &str,
        sink: &mut dyn Sink,
    ) -> Result<Option<Timestamp>, &'static str> {
        let text = line.trim();
        let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
        let time = iso_time(first.as_bytes());
        let message = if time.is_some() { rest } else { text };
        if message.is_empty() {
            return Ok(None);
        }
        let mut record = TextRecord::new(self.source, number, line);
        record.time = time;
        if let Some((threat, resource)) = detection(message) {
            record.add("threat", threat);
            record.add("target_file", resource);
        } else if let Some(threat) = message.strip_prefix("Threat Name:") {
            record.add("threat", threat.trim());
        }
        if let Some(image) = after(message, "ProcessImageName: ") {
            record.add("process", image);
        }
        record.add("Message", message);
        sink.record(&record);
        Ok(time)
    }
}

/// `DETECTION_ADD#1 NAME KIND:RESOURCE`.
fn detection(message: &str) -> Option<(&str, &str)> {
    let (_, rest) = message.split_once("DETECTION_ADD")?;
    let (_, rest) = rest.split_once(' ')?;
    let (threat, resource) = rest.trim().split_once(' ')?;
    let (kind, path) = resource.split_once(':')?;
    // What is no file is kept with its kind.
    let path = if kind == "file" { path } else { resource };
    Some((threat, path.trim()))
}

/// What follows a word, up to the next comma.
fn after<'a>(message: &'a str, word: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(word)?;
    Some(rest.split(',').next().unwrap_or(rest).trim())
}
