//! Transcripts of PowerShell sessions (`PowerShell_transcript.HOST.RANDOM.DATE.txt`): what was typed and what came of it.
//!
//! <https://learn.microsoft.com/en-us/powershell/module/microsoft.powershell.host/start-transcript>. A head between lines
//! of asterisks names the user, the host and the program; times are those of the server's own clock, without a zone. The
//! words of the head are those of the system's language: other languages are read as text.

use crate::text::lines::{head_text, may_hold};
use crate::text::plain::{LineReader, TextRecord, read_lines};
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{SourceName, Timestamp};

const RULE: &str = "**********************";

/// Lines of the head, and the fields they become.
const HEAD: [(&str, &str); 6] = [
    ("Start time:", "local_time"),
    ("Username:", "user"),
    ("RunAs User:", "run_as"),
    ("Machine:", "machine"),
    ("Host Application:", "HostApplication"),
    ("Process ID:", "ProcessId"),
];

#[derive(Debug)]
pub(crate) struct Transcript;

impl Artifact for Transcript {
    fn kind(&self) -> &'static str {
        "windows.powershell.transcript"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let head = &probe.head[..probe.head.len().min(4_096)];
        if may_hold(head, &[RULE]) {
            let text = head_text(head);
            let text = text.trim_start_matches('\u{feff}');
            if text.starts_with(RULE) && text.contains("PowerShell transcript start") {
                return Match::Content;
            }
        }
        let name = model::file_name(probe.path).to_ascii_lowercase();
        if name.starts_with("powershell_transcript.") {
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
        let mut reader = Lines {
            source: &source,
            head: Vec::new(),
            in_head: false,
            command_time: String::new(),
        };
        read_lines(content, sink, &mut reader);
    }
}

struct Lines<'a> {
    source: &'a SourceName,
    /// What the head of the session says.
    head: Vec<(&'static str, String)>,
    in_head: bool,
    /// When the next command was started, where the transcript was told to say so.
    command_time: String,
}

impl LineReader for Lines<'_> {
    fn line(
        &mut self,
        number: u64,
        line: &str,
        sink: &mut dyn Sink,
    ) -> Result<Option<Timestamp>, &'static str> {
        let line = line.trim_end();
        if line == RULE {
            self.in_head = !self.in_head;
            return Ok(None);
        }
        if let Some(time) = line.strip_prefix("Command start time:") {
            time.trim().clone_into(&mut self.command_time);
            // The rule around it opens no head.
            return Ok(None);
        }
        if self.in_head {
            if line.ends_with("PowerShell transcript start") {
                self.head.clear();
            }
            for (word, field) in HEAD {
                if let Some(value) = line.strip_prefix(word) {
                    self.head.push((field, value.trim().to_owned()));
                    return Ok(None);
                }
            }
        }
        let mut record = TextRecord::new(self.source, number, line);
        // The prompt of an ordinary session: `PS C:\>whoami`.
        let command = line
            .strip_prefix("PS ")
            .and_then(|rest| rest.split_once('>'))
            .map(|(_, command)| command.trim())
            .filter(|command| !command.is_empty());
        if let Some(command) = command {
            record.add("command", command.to_owned());
            record.add("CommandLine", command.to_owned());
        }
        record.add("Message", line.to_owned());
        for (field, value) in &self.head {
            let own = *field == "local_time" && !self.command_time.is_empty();
            if !own {
                record.add(field, value.clone());
            }
        }
        if !self.command_time.is_empty() {
            record.add("local_time", self.command_time.clone());
        }
        sink.record(&record);
        Ok(None)
    }
}
