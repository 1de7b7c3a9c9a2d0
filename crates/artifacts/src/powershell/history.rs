//! The history of `PSReadLine`
//! (`%APPDATA%\Microsoft\Windows\PowerShell\PSReadLine\ConsoleHost_history.txt`): what a user typed, oldest first.
//!
//! <https://learn.microsoft.com/en-us/powershell/module/psreadline/about/about_psreadline>. A line for each command; a
//! command of several lines has a grave accent at the end of each but the last. There are no times.

use super::user_of;
use crate::text::plain::{LineReader, TextRecord, read_lines};
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{At, GapKind, SourceName, Timestamp};

/// Longest command that is put together; `PSReadLine` keeps longer ones, nobody types them.
const COMMAND_BYTES_MAX: usize = 256 << 10;

#[derive(Debug)]
pub(crate) struct History;

impl Artifact for History {
    fn kind(&self) -> &'static str {
        "windows.powershell.history"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let name = model::file_name(probe.path).to_ascii_lowercase();
        // One for each program that takes commands: `ConsoleHost`, `Visual Studio Code Host`.
        if name.ends_with("host_history.txt") {
            Match::Path
        } else {
            Match::No
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::new(self.kind()))
    }

    fn read(&self, item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let source = SourceName::new(self.kind());
        let mut reader = Commands {
            source: &source,
            user: user_of(item.path),
            begun: 0,
            command: String::new(),
        };
        read_lines(content, sink, &mut reader);
        if !reader.command.is_empty() {
            let at = At::Line(reader.begun);
            sink.gap(
                GapKind::Partial,
                at,
                (None, None),
                "the last command breaks off",
            );
            reader.tell(sink);
        }
    }
}

struct Commands<'a> {
    source: &'a SourceName,
    user: &'a str,
    /// Line on which the command in hand began.
    begun: u64,
    /// The lines of it so far.
    command: String,
}

impl Commands<'_> {
    fn tell(&mut self, sink: &mut dyn Sink) {
        let command = std::mem::take(&mut self.command);
        let mut record = TextRecord::new(self.source, self.begun, &command);
        record.add("command", command.as_str());
        record.add("CommandLine", command.as_str());
        if !self.user.is_empty() {
            record.add("user", self.user);
        }
        sink.record(&record);
    }
}

impl LineReader for Commands<'_> {
    fn line(
        &mut self,
        number: u64,
        line: &str,
        sink: &mut dyn Sink,
    ) -> Result<Option<Timestamp>, &'static str> {
        if self.command.is_empty() {
            self.begun = number;
        } else {
            self.command.push('\n');
        }
        let more = line.strip_suffix('`');
        self.command.push_str(more.unwrap_or(line));
        if more.is_none() || self.command.len() > COMMAND_BYTES_MAX {
            self.tell(sink);
        }
        Ok(None)
    }
}
