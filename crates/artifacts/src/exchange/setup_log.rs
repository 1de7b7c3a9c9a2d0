//! `ExchangeSetup.log`: every run of Exchange's setup, appended one after the other.
//!
//! Lines are `[03/02/2021 10:11:12.0123] [0] message`. The times are UTC, although each run names the server's zone at
//! its start (`Local time zone: (UTC+01:00) …`): Exchange's `TaskLogger` formats `DateTime.UtcNow` by
//! `MM/dd/yyyy HH:mm:ss` and adds the milliseconds in four digits. The month comes first whatever the system's language;
//! only the separators change with it. There is no public specification.

use crate::text::lines::{head_text, may_hold};
use crate::text::names::log_name;
use crate::text::plain::{LineReader, TextRecord, read_lines};
use crate::text::time::{clock_seconds, days, timestamp};
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{
    At, Build, BuildSeen, Fact, HostNameSeen, InstallPath, Setup, SourceName, Timestamp,
    host_name_rank,
};

const PRODUCT: &str = "exchange";

#[derive(Debug)]
pub(crate) struct SetupLog;

impl Artifact for SetupLog {
    fn kind(&self) -> &'static str {
        "exchange.setup_log"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let head = probe.head.get(..probe.head.len().min(16 * 1024));
        let head = head.unwrap_or_default();
        let text = if may_hold(head, &["] ["]) {
            head_text(head)
        } else {
            String::new()
        };
        let has_entries = text.lines().take(8).any(|line| entry(line).is_some());
        let says_setup = [
            "Starting Microsoft Exchange Server",
            "Setup version:",
            "ExSetup",
        ]
        .iter()
        .any(|words| text.contains(words));
        if has_entries && says_setup {
            return Match::Content;
        }
        let named = log_name(probe.path).eq_ignore_ascii_case("ExchangeSetup.log");
        if named { Match::Path } else { Match::No }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::new(self.kind()))
    }

    fn read(&self, _item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let source = SourceName::new(self.kind());
        // The first lines of a run come before the one that names its zone.
        let mut reader = Entries {
            source: &source,
            seen_entry: false,
            zone_told: false,
            hosts: Vec::new(),
            run: None,
            runs: 0,
        };
        read_lines(content, sink, &mut reader);
        reader.end_run(sink);
    }
}

/// One line with a time in front.
struct Entry<'a> {
    /// `None` where the bracket in front holds no time.
    time: Option<Timestamp>,
    message: &'a str,
}

/// One run of setup.
struct Run {
    number: u64,
    is_first: bool,
    build: Option<Build>,
    mode: Option<&'static str>,
    prepares_directory_only: bool,
    already_installed: bool,
    succeeded: Option<bool>,
    finished: Option<Timestamp>,
    last: Option<Timestamp>,
}

struct Entries<'a> {
    source: &'a SourceName,
    seen_entry: bool,
    zone_told: bool,
    hosts: Vec<String>,
    run: Option<Run>,
    runs: u64,
}

impl LineReader for Entries<'_> {
    fn line(
        &mut self,
        number: u64,
        line: &str,
        sink: &mut dyn Sink,
    ) -> Result<Option<Timestamp>, &'static str> {
        let Some(entry) = entry(line) else {
            // Messages may run over several lines, as stack traces do.
            if !self.seen_entry {
                return Err("time not understood");
            }
            let mut record = TextRecord::new(self.source, number, line);
            record.add("Message", line.trim());
            sink.record(&record);
            return Ok(None);
        };
        if entry.time.is_none() {
            return Err("time not understood");
        }
        self.seen_entry = true;
        if let Some((minutes, name)) = zone_offset(entry.message) {
            self.tell_zone(number, minutes, name, sink);
        }
        let time = entry.time;
        self.follow(number, entry.message, time, sink);
        let mut record = TextRecord::new(self.source, number, line);
        record.time = time;
        record.add("Message", entry.message);
        if let Some(run) = &self.run {
            if let Some(build) = run.build {
                record.add("build", build.to_string());
            }
            record.add("mode", run.mode.unwrap_or_default());
        }
        sink.record(&record);
        Ok(time)
    }
}

impl Entries<'_> {
    fn tell_zone(&mut self, number: u64, minutes: i64, name: &str, sink: &mut dyn Sink) {
        if std::mem::replace(&mut self.zone_told, true) {
            return;
        }
        let zone = Fact::TimeZone {
            offset_minutes: i32::try_from(minutes).unwrap_or_default(),
            name: name.to_owned(),
        };
        sink.fact(At::Line(number), zone);
    }

    /// Takes from a message what it says of the run, the host and the product.
    fn follow(&mut self, number: u64, message: &str, time: Option<Timestamp>, sink: &mut dyn Sink) {
        if message.starts_with("Starting Microsoft Exchange Server") && message.ends_with("Setup") {
            self.end_run(sink);
            self.runs += 1;
            self.run = Some(Run {
                number,
                is_first: self.runs == 1,
                build: None,
                mode: None,
                prepares_directory_only: false,
                already_installed: false,
                succeeded: None,
                finished: None,
                last: None,
            });
        }
        if let Some(name) = host_name(message) {
            self.tell_host(number, name, sink);
        }
        if let Some(path) = quoted_after(message, "Exchange Installation Directory :") {
            let install = InstallPath {
                product: PRODUCT.to_owned(),
                path: path.trim_end_matches('\\').to_owned(),
                rule: "setup log".to_owned(),
            };
            sink.fact(At::Line(number), Fact::InstallPath(install));
        }
        let Some(run) = &mut self.run else {
            return;
        };
        run.last = time.or(run.last);
        if let Some(version) = message.strip_prefix("Setup version:") {
            run.build = version.trim().trim_end_matches('.').parse().ok();
        } else if let Some(version) = message.strip_prefix("The locally installed version is") {
            let version = version.trim().trim_end_matches('.').parse::<Build>();
            run.already_installed = version.is_ok_and(|build| build.major > 0);
        } else if let Some((name, value)) = command_line_parameter(message) {
            match name.to_ascii_lowercase().as_str() {
                "mode" | "m" => run.mode = mode(value),
                "preparead" | "prepareschema" | "preparedomain" | "preparealldomains" => {
                    run.prepares_directory_only = true;
                }
                _ => {}
            }
        } else if let Some(value) = quoted_after(message, "The installation mode is set to:") {
            run.mode = mode(value).or(run.mode);
        } else if message.starts_with("The Exchange Server setup operation completed") {
            run.succeeded = Some(true);
            run.finished = time;
        } else if message.starts_with("The Exchange Server setup operation didn't complete") {
            run.succeeded = Some(false);
            run.finished = time;
        } else if message == "End of Setup" {
            self.end_run(sink);
        }
    }

    fn tell_host(&mut self, number: u64, name: &str, sink: &mut dyn Sink) {
        let known = self
            .hosts
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name));
        if known || self.hosts.len() >= 16 {
            return;
        }
        self.hosts.push(name.to_owned());
        let seen = HostNameSeen {
            name: name.to_owned(),
            rule: "setup log".to_owned(),
            rank: host_name_rank::SETUP_LOG,
        };
        sink.fact(At::Line(number), Fact::HostName(seen));
    }

    /// Tells what the run that ends did to the product.
    fn end_run(&mut self, sink: &mut dyn Sink) {
        let Some(run) = self.run.take() else {
            return;
        };
        let (Some(build), Some(time)) = (run.build, run.finished.or(run.last)) else {
            return;
        };
        // Such runs change the directory, not this server.
        if run.prepares_directory_only && run.mode.is_none() {
            return;
        }
        let mode = run.mode.unwrap_or("unknown");
        let setup = Setup {
            product: PRODUCT.to_owned(),
            build,
            time,
            mode: mode.to_owned(),
            succeeded: run.succeeded,
            first_installation: run.is_first && mode == "install" && !run.already_installed,
        };
        sink.fact(At::Line(run.number), Fact::Setup(setup));
        if run.succeeded == Some(true) && matches!(mode, "install" | "upgrade" | "recover") {
            let seen = BuildSeen {
                product: PRODUCT.to_owned(),
                build,
                first: Some(time),
                last: Some(time),
                count: 1,
                rule: "setup log".to_owned(),
            };
            sink.fact(At::Line(run.number), Fact::Build(seen));
        }
    }
}

/// Reads `[03/02/2021 10:11:12.0123] [0] message`.
fn entry(line: &str) -> Option<Entry<'_>> {
    let (stamp, rest) = line.trim_start().strip_prefix('[')?.split_once(']')?;
    let (_level, message) = rest.trim_start().strip_prefix('[')?.split_once(']')?;
    let message = message.trim();
    Some(Entry {
        time: entry_time(stamp),
        message,
    })
}

/// Month, day and year with any separators; the fraction has four digits, of which the first is always 0.
fn entry_time(stamp: &str) -> Option<Timestamp> {
    let (date, clock) = stamp.trim().split_once(' ')?;
    let mut numbers = date.split(['/', '.', '-']).map(str::parse::<u32>);
    let (Some(Ok(month)), Some(Ok(day)), Some(Ok(year)), None) = (
        numbers.next(),
        numbers.next(),
        numbers.next(),
        numbers.next(),
    ) else {
        return None;
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let milliseconds: i32 = fraction
        .parse()
        .ok()
        .filter(|value| (0..1_000).contains(value))?;
    // A month beyond December says that the day came first after all.
    let (month, day) = if month > 12 {
        (day, month)
    } else {
        (month, day)
    };
    let day = days(i64::from(year), month, day)?;
    timestamp(
        day,
        clock_seconds(clock.as_bytes())?,
        milliseconds * 1_000_000,
    )
}

/// Minutes east of UTC and name from `Local time zone: (UTC+01:00) Amsterdam`.
fn zone_offset(message: &str) -> Option<(i64, &str)> {
    let keyword = "local time zone:";
    let (start, rest) = message.split_at_checked(keyword.len())?;
    if !start.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let (offset, name) = rest.trim().strip_prefix('(')?.split_once(')')?;
    let offset = offset.trim_start_matches("UTC").trim_start_matches("GMT");
    let name = name.trim().trim_end_matches('.');
    if offset.is_empty() {
        return Some((0, name));
    }
    let (sign, digits) = match offset.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-" | "\u{2212}", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    ((0..=14).contains(&hours) && (0..60).contains(&minutes))
        .then(|| (sign * (hours * 60 + minutes), name))
}

fn command_line_parameter(message: &str) -> Option<(&str, &str)> {
    let rest = message.strip_prefix("Command Line Parameter Name='")?;
    let (name, rest) = rest.split_once('\'')?;
    let value = rest.split_once("Value='")?.1;
    Some((name, value.rsplit_once('\'')?.0))
}

/// What stands in apostrophes after the words.
fn quoted_after<'a>(message: &'a str, words: &str) -> Option<&'a str> {
    let rest = message
        .strip_prefix(words)?
        .trim_start()
        .strip_prefix('\'')?;
    Some(rest.split_once('\'')?.0)
}

fn host_name(message: &str) -> Option<&str> {
    let name = match message.strip_prefix("Server Name=") {
        Some(name) => name,
        None => quoted_after(
            message,
            "Setup will search for an Exchange Server object for the local machine with name",
        )?,
    };
    let plausible = (1..=63).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    plausible.then_some(name)
}

/// Our word for a mode on the command line or in the log.
fn mode(value: &str) -> Option<&'static str> {
    match value.to_ascii_lowercase().as_str() {
        "install" => Some("install"),
        "upgrade" | "buildtobuildupgrade" => Some("upgrade"),
        "uninstall" => Some("uninstall"),
        "recoverserver" | "disasterrecovery" => Some("recover"),
        _ => None,
    }
}
