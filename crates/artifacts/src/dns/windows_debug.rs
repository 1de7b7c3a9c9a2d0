//! The debug log of Windows' DNS server (`System32\dns\dns.log`, where an administrator switched it on): packets, one a line.
//!
//! The log's own head describes its fields; see also
//! <https://learn.microsoft.com/previous-versions/windows/it-pro/windows-server-2012-r2-and-2012/dn800669(v=ws.11)>. Dates
//! have the form of the system's culture, times are the server's own without a zone. Names are written by the lengths of
//! their labels: `(3)www(7)example(3)com(0)`. With details switched on, the lines below a packet show its bytes; they are
//! no records.

use super::{DnsRecord, Undated, first_lines};
use crate::text::lines::{Lines, Piece};
use crate::text::plain::{LineReader, read_lines};
use crate::text::table::DayOrder;
use crate::text::time::{culture_clock, culture_date};
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{SourceName, Timestamp};

/// How the head begins, and a line of it.
const HEADS: [&str; 2] = [
    "DNS Server log file creation at",
    "Message logging key (for packets",
];

#[derive(Debug)]
pub(crate) struct WindowsDebug;

impl Artifact for WindowsDebug {
    fn kind(&self) -> &'static str {
        "dns.windows_debug"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let lines = first_lines(probe.head, &[HEADS[0], HEADS[1], "PACKET"]);
        let told = |line: &String| HEADS.iter().any(|head| line.trim_start().starts_with(head));
        let is_packet =
            |line: &String| matches!(split(line), Some((_, Ok(packet))) if packet.is_some());
        if lines.iter().any(|line| told(line) || is_packet(line)) {
            Match::Content
        } else {
            Match::No
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::new(self.kind()))
    }

    fn read(&self, _item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let source = SourceName::new(self.kind());
        let order = day_order(content);
        let mut reader = Packets {
            source: &source,
            order,
            undated: Undated::default(),
        };
        read_lines(content, sink, &mut reader);
        reader.undated.finish(sink);
    }
}

struct Packets<'a> {
    source: &'a SourceName,
    order: DayOrder,
    undated: Undated,
}

/// What stands before the context of a line.
struct When<'l> {
    date: &'l str,
    clock: String,
    thread: &'l str,
}

/// One packet.
struct Packet<'l> {
    id: &'l str,
    protocol: &'l str,
    direction: &'l str,
    remote: &'l str,
    xid: &'l str,
    is_response: bool,
    flags: &'l str,
    response: &'l str,
    kind: &'l str,
    name: &'l str,
    plain_name: String,
}

impl LineReader for Packets<'_> {
    fn line(
        &mut self,
        number: u64,
        line: &str,
        sink: &mut dyn Sink,
    ) -> Result<Option<Timestamp>, &'static str> {
        // The head, and the bytes of a packet below it, begin with no date.
        let Some((when, packet)) = split(line) else {
            return Ok(None);
        };
        let packet = packet?;
        let mut record = DnsRecord::new(self.source, number, line);
        record.add("Date", when.date);
        record.add("Time", when.clock.clone());
        record.add("Thread ID", when.thread);
        match &packet {
            Some(packet) => {
                record.add("Internal packet identifier", packet.id);
                record.add("UDP/TCP indicator", packet.protocol);
                record.add("Send/Receive indicator", packet.direction);
                record.add("Remote IP", packet.remote);
                record.add("Xid", packet.xid);
                record.add("Query/Response", if packet.is_response { "R" } else { "" });
                record.add("Flags", packet.flags);
                record.add("ResponseCode", packet.response);
                record.add("Question Type", packet.kind);
                record.add("Question Name", packet.name);
                record.add("query", packet.plain_name.clone());
                record.add("type", packet.kind);
                if packet.is_response {
                    record.add("response", packet.response);
                }
                // What is received as a query, or sent as a response, concerns a client; the rest other servers.
                if (packet.direction == "Rcv") != packet.is_response {
                    record.add("client", packet.remote);
                }
            }
            None => record.add("Message", line.trim()),
        }
        if let Some(time) = self.local_time(&when) {
            record.add("local_time", time);
        }
        self.undated.see(&record);
        sink.record(&record);
        Ok(None)
    }
}

impl Packets<'_> {
    /// The server's own time in ISO form, where the order of day and month is certain.
    fn local_time(&self, when: &When<'_>) -> Option<String> {
        let seconds = culture_clock(&when.clock)?;
        let (year, month, day) = date(when.date, self.order)?;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        Some(format!(
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
        ))
    }
}

/// Year, month and day of `6/11/2020`, `11.06.2020`, `2020-06-11` or `20200611`.
fn date(text: &str, order: DayOrder) -> Option<(i64, u32, u32)> {
    let digits = text.replace('-', "");
    if digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = |from: usize, until: usize| digits.get(from..until)?.parse().ok();
        let year = i64::from(number(0, 4)?);
        return Some((year, number(4, 6)?, number(6, 8)?));
    }
    let (first, second, year) = culture_date(text)?;
    let (month, day) = match order {
        DayOrder::DayFirst => (second, first),
        DayOrder::MonthFirst => (first, second),
        DayOrder::Unknown => return None,
    };
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some((year, month, day))
}

/// Whether any date can only be read with the day, or only with the month first.
fn day_order(content: &mut dyn Content) -> DayOrder {
    let mut order = DayOrder::Unknown;
    let mut lines = Lines::new(content.stream());
    while let Some(piece) = lines.next() {
        let Piece::Line(line) = piece else {
            continue;
        };
        let date = line
            .bytes
            .get(..line.bytes.len().min(12))
            .unwrap_or_default();
        let date = String::from_utf8_lossy(date);
        let Some((a, b, _)) = date.split(' ').next().and_then(culture_date) else {
            continue;
        };
        let seen = match (a > 12, b > 12) {
            (true, false) => DayOrder::DayFirst,
            (false, true) => DayOrder::MonthFirst,
            _ => continue,
        };
        if order != DayOrder::Unknown && order != seen {
            return DayOrder::Unknown;
        }
        order = seen;
    }
    order
}

/// The time of a line, and its packet; no packet where it tells of something else. `None` for a line without a time.
fn split(line: &str) -> Option<(When<'_>, Result<Option<Packet<'_>>, &'static str>)> {
    let mut words = line.split_ascii_whitespace();
    let date = words.next()?;
    let looks_like_date = date.starts_with(|c: char| c.is_ascii_digit())
        && date.len() >= 8
        && date
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"/.-".contains(&byte));
    if !looks_like_date {
        return None;
    }
    let mut clock = words.next()?.to_owned();
    let mut thread = words.next().unwrap_or_default();
    if matches!(thread.to_ascii_uppercase().as_str(), "AM" | "PM") {
        clock = format!("{clock} {thread}");
        thread = words.next().unwrap_or_default();
    }
    culture_clock(&clock)?;
    let when = When {
        date,
        clock,
        thread,
    };
    let packet = match words.next() {
        Some("PACKET") => packet(words, line).map(Some),
        Some(_) => Ok(None),
        None => Err("breaks off behind its time"),
    };
    Some((when, packet))
}

fn packet<'l>(
    mut words: std::str::SplitAsciiWhitespace<'l>,
    line: &'l str,
) -> Result<Packet<'l>, &'static str> {
    const BREAKS_OFF: &str = "packet breaks off";
    let mut next = || words.next().ok_or(BREAKS_OFF);
    let (id, protocol, direction, remote, xid) = (next()?, next()?, next()?, next()?, next()?);
    let is_response = next()? == "R";
    let (_, rest) = line.split_once('[').ok_or(BREAKS_OFF)?;
    let (flags, question) = rest.split_once(']').ok_or(BREAKS_OFF)?;
    let mut question = question.split_ascii_whitespace();
    let kind = question.next().ok_or(BREAKS_OFF)?;
    let name = question.next().ok_or(BREAKS_OFF)?;
    if !matches!(direction, "Rcv" | "Snd") {
        return Err("neither sent nor received");
    }
    Ok(Packet {
        id,
        protocol,
        direction,
        remote,
        xid,
        is_response,
        flags: flags.trim(),
        response: flags.split_ascii_whitespace().last().unwrap_or_default(),
        kind,
        name,
        plain_name: plain_name(name).ok_or("name breaks off")?,
    })
}

/// `(3)www(7)example(3)com(0)` is `www.example.com`; the root is a dot.
fn plain_name(counted: &str) -> Option<String> {
    let mut name = String::new();
    let mut rest = counted;
    loop {
        let (length, after) = rest.strip_prefix('(')?.split_once(')')?;
        let length: usize = length.parse().ok().filter(|length| *length <= 63)?;
        if length == 0 {
            break;
        }
        let label = after.get(..length)?;
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(label);
        rest = after.get(length..)?;
    }
    Some(if name.is_empty() {
        ".".to_owned()
    } else {
        name
    })
}
