//! The log of the Microsoft Safety Scanner (`%SystemRoot%\debug\msert.log`): what it found and removed.
//!
//! Runs are appended, in UTF-16 mostly. A run tells its start by the server's own clock without a zone, so that its
//! times are kept as text only. A threat is a line with its name, then the action with its result, then the
//! resources: `file://C:\…`, `containerfile://…`, `regkey://…`. The scanner removes what it finds unless told not to:
//! a log without any threat left still convicts.

use crate::text::lines::{head_text, may_hold};
use crate::text::names::log_name;
use crate::text::plain::{LineReader, TextRecord, read_lines};
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{At, Fact, GapKind, PriorTool, SourceName, Timestamp};

const TOOL: &str = "MSERT";

/// Findings told per item; a full scan of an infected server names some hundreds.
const OUTCOMES_MAX: usize = 2_000;

/// Every run begins so.
const BANNER: &str = "Microsoft Safety Scanner v";

#[derive(Debug)]
pub(crate) struct Msert;

impl Artifact for Msert {
    fn kind(&self) -> &'static str {
        "prior.msert"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let head = probe.head.get(..probe.head.len().min(8 * 1024));
        let head = head.unwrap_or_default();
        let text = if may_hold(head, &[BANNER]) {
            head_text(head)
        } else {
            String::new()
        };
        if text
            .lines()
            .take(32)
            .any(|line| line.trim_start().starts_with(BANNER))
        {
            return Match::Content;
        }
        let name = log_name(probe.path).to_ascii_lowercase();
        if matches!(name.as_str(), "msert.log" | "msert.old.log") {
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
        let mut reader = MsertLines {
            source: &source,
            begun: String::new(),
            banner_seen: false,
            run_open: None,
            threat: Threat::default(),
            outcomes: 0,
            overflow: false,
        };
        read_lines(content, sink, &mut reader);
        reader.end_run(sink);
        if reader.overflow {
            let detail = "more findings than are told";
            sink.gap(GapKind::Limit, At::Item, (None, None), detail);
        }
    }
}

/// The finding that the lines in hand speak of.
#[derive(Default)]
struct Threat {
    name: String,
    state: String,
    action: String,
    result: String,
}

struct MsertLines<'a> {
    source: &'a SourceName,
    /// Start of the run as written.
    begun: String,
    banner_seen: bool,
    /// Line on which the run in hand began, while its end has not been seen.
    run_open: Option<u64>,
    threat: Threat,
    outcomes: usize,
    overflow: bool,
}

impl LineReader for MsertLines<'_> {
    fn line(
        &mut self,
        number: u64,
        line: &str,
        sink: &mut dyn Sink,
    ) -> Result<Option<Timestamp>, &'static str> {
        let text = line.trim();
        if text.starts_with(BANNER) {
            self.end_run(sink);
            self.begun.clear();
            self.banner_seen = true;
            self.run_open = Some(number);
        }
        if text.bytes().all(|byte| byte == b'-') {
            return Ok(None);
        }
        if !self.banner_seen {
            return Err("no head");
        }
        let mut record = TextRecord::new(self.source, number, line);
        self.follow(number, text, &mut record, sink);
        record.add("Message", text.to_owned());
        record.add("local_time", self.begun.clone());
        sink.record(&record);
        Ok(None)
    }
}

impl MsertLines<'_> {
    /// Takes from a line what it says of the run or of a threat.
    fn follow(
        &mut self,
        number: u64,
        text: &str,
        record: &mut TextRecord<'_>,
        sink: &mut dyn Sink,
    ) {
        let lower = text.to_ascii_lowercase();
        if let Some(time) = text.strip_prefix("Started On ") {
            time.clone_into(&mut self.begun);
        } else if lower.starts_with("threat detected:") {
            let rest = text.split_once(':').map_or("", |(_, rest)| rest.trim());
            let (name, state) = rest.split_once(',').unwrap_or((rest, ""));
            self.threat = Threat {
                name: name.trim().to_owned(),
                state: state.trim().trim_end_matches('.').to_owned(),
                ..Threat::default()
            };
            record.add("threat", self.threat.name.clone());
            record.add("state", self.threat.state.clone());
        } else if let Some(rest) = text.strip_prefix("Action:") {
            let (action, result) = rest.split_once(',').unwrap_or((rest, ""));
            action.trim().clone_into(&mut self.threat.action);
            let result = result.trim();
            result
                .strip_prefix("Result:")
                .unwrap_or(result)
                .trim()
                .clone_into(&mut self.threat.result);
            self.describe(record);
        } else if let Some((scheme, resource)) = resource(text)
            && !self.threat.name.is_empty()
        {
            self.describe(record);
            record.add("resource", text.to_owned());
            if scheme.ends_with("file") {
                record.add("path", resource.to_owned());
                record.add("target_file", resource.to_owned());
            }
            self.tell_finding(number, resource, sink);
        } else if let Some(rest) = text.strip_prefix("Found ") {
            // The summary names each threat once more, with what became of it.
            record.add(
                "threat",
                rest.split([',', ' ']).next().unwrap_or_default().to_owned(),
            );
            record.add("state", rest.to_owned());
            self.threat = Threat::default();
        } else if text.starts_with("Results Summary") {
            self.threat = Threat::default();
        } else if lower.starts_with("no infection found") {
            self.tell(number, self.dated("found no infection"), sink);
        } else if let Some(code) = text.strip_prefix("Return code:") {
            self.run_open = None;
            self.tell(
                number,
                self.dated(&format!("ended with return code {}", code.trim())),
                sink,
            );
        }
    }

    fn describe(&self, record: &mut TextRecord<'_>) {
        record.add("threat", self.threat.name.clone());
        record.add("state", self.threat.state.clone());
        record.add("action", self.threat.action.clone());
        record.add("result", self.threat.result.clone());
    }

    fn tell_finding(&mut self, number: u64, resource: &str, sink: &mut dyn Sink) {
        let mut outcome = format!("found {} at {resource}", self.threat.name);
        for (word, value) in [
            ("", &self.threat.state),
            ("action ", &self.threat.action),
            ("result ", &self.threat.result),
        ] {
            if !value.is_empty() {
                outcome.push_str(", ");
                outcome.push_str(word);
                outcome.push_str(value);
            }
        }
        let outcome = self.dated(&outcome);
        self.tell(number, outcome, sink);
    }

    /// A run that does not tell its end was stopped, or the log is cut.
    fn end_run(&mut self, sink: &mut dyn Sink) {
        if let Some(number) = self.run_open.take() {
            let detail = "a run of the scanner does not tell its end";
            sink.gap(GapKind::Partial, At::Line(number), (None, None), detail);
        }
        self.threat = Threat::default();
    }

    fn dated(&self, outcome: &str) -> String {
        if self.begun.is_empty() {
            outcome.to_owned()
        } else {
            format!("{outcome} (run of {}, local time)", self.begun)
        }
    }

    fn tell(&mut self, number: u64, outcome: String, sink: &mut dyn Sink) {
        if self.outcomes >= OUTCOMES_MAX {
            self.overflow = true;
            return;
        }
        self.outcomes += 1;
        let fact = PriorTool {
            tool: TOOL.to_owned(),
            time: None,
            outcome,
        };
        sink.fact(At::Line(number), Fact::PriorTool(fact));
    }
}

/// Scheme and rest of `file://C:\…`.
fn resource(text: &str) -> Option<(&str, &str)> {
    let (scheme, resource) = text.split_once("://")?;
    let plausible = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_lowercase());
    (plausible && !resource.is_empty()).then_some((scheme, resource))
}
