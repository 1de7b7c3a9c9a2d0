//! The query log of BIND (`named`): who asked for what.
//!
//! Format: the BIND 9 Administrator Reference Manual, section "The Query Log"
//! (<https://bind9.readthedocs.io/en/latest/reference.html#the-query-log>): `client @0x… 10.1.2.3#51234 (name): view v:
//! query: name IN A +E(0)K (10.0.0.53)`; older releases leave parts out. Before it may stand a time in one of three forms,
//! a category and a severity, or what syslog writes. Only times in ISO 8601 with a zone are certain. Lines of other
//! categories in the same file are records without a query.

use super::{DnsRecord, Undated, first_lines};
use crate::text::plain::{LineReader, read_lines};
use crate::text::time::{clock_seconds, iso_time};
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{SourceName, Timestamp};

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

#[derive(Debug)]
pub(crate) struct Bind;

impl Artifact for Bind {
    fn kind(&self) -> &'static str {
        "dns.bind"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let mut lines = first_lines(probe.head, &["query: "]).into_iter();
        if lines.any(|line| matches!(query(&line), Ok(Some(_)))) {
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
        let mut reader = Queries {
            source: &source,
            undated: Undated::default(),
        };
        read_lines(content, sink, &mut reader);
        reader.undated.finish(sink);
    }
}

struct Queries<'a> {
    source: &'a SourceName,
    undated: Undated,
}

/// One query.
struct Query<'l> {
    client: &'l str,
    port: &'l str,
    view: &'l str,
    name: &'l str,
    class: &'l str,
    kind: &'l str,
    flags: &'l str,
    server: &'l str,
}

impl LineReader for Queries<'_> {
    fn line(
        &mut self,
        number: u64,
        line: &str,
        sink: &mut dyn Sink,
    ) -> Result<Option<Timestamp>, &'static str> {
        let query = query(line)?;
        let mut record = DnsRecord::new(self.source, number, line);
        match query {
            Some(query) => {
                record.add("port", query.port);
                record.add("view", query.view);
                record.add("class", query.class);
                record.add("flags", query.flags);
                record.add("server_address", query.server);
                record.add_query(query.name);
                record.add("type", query.kind);
                record.add("client", query.client);
            }
            None => record.add("Message", line.trim()),
        }
        match time(line) {
            Time::Certain(time) => record.time = Some(time),
            Time::Local(text) => record.add("local_time", text),
            Time::Unknown => {}
        }
        self.undated.see(&record);
        sink.record(&record);
        Ok(record.time)
    }
}

/// The query of a line; `None` where it is about something else.
fn query(line: &str) -> Result<Option<Query<'_>>, &'static str> {
    const BREAKS_OFF: &str = "query breaks off";
    let Some((_, rest)) = line.split_once("client ") else {
        return Ok(None);
    };
    // Answers, refusals and what else clients are told of are no queries.
    let Some((head, question)) = rest.split_once("query: ") else {
        return Ok(None);
    };
    let mut head_words = head.split_ascii_whitespace();
    let mut word = head_words.next().ok_or(BREAKS_OFF)?;
    if word.starts_with("@0x") {
        word = head_words.next().ok_or(BREAKS_OFF)?;
    }
    let Some((client, port)) = word.trim_end_matches(':').split_once('#') else {
        return Ok(None);
    };
    let view = head.split_once("view ").map_or("", |(_, view)| {
        view.split([':', ' ']).next().unwrap_or_default()
    });
    let mut words = question.split_ascii_whitespace();
    let mut next = || words.next().ok_or(BREAKS_OFF);
    let (name, class, kind, flags) = (next()?, next()?, next()?, next()?);
    let server = words.next().unwrap_or_default();
    let server = server.trim_start_matches('(').trim_end_matches(')');
    if !name.is_ascii() {
        return Err("no name of a host");
    }
    Ok(Some(Query {
        client,
        port,
        view,
        name,
        class,
        kind,
        flags,
        server,
    }))
}

/// What a line says of its time.
enum Time {
    Certain(Timestamp),
    /// In ISO form, of a zone that it does not say.
    Local(String),
    Unknown,
}

fn time(line: &str) -> Time {
    let mut words = line.split_ascii_whitespace();
    let (Some(first), second) = (words.next(), words.next().unwrap_or_default()) else {
        return Time::Unknown;
    };
    if let Some(time) = iso_time(first.as_bytes()) {
        let clock = first.split(['T', 't']).nth(1).unwrap_or_default();
        return if clock.contains(['Z', 'z', '+', '-']) {
            Time::Certain(time)
        } else {
            Time::Local(first.replace(['T', 't'], " "))
        };
    }
    local_time(first, second).map_or(Time::Unknown, Time::Local)
}

/// `11-Jun-2020 22:37:33.123` in ISO form.
fn local_time(date: &str, clock: &str) -> Option<String> {
    let mut parts = date.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS
        .iter()
        .position(|known| month.eq_ignore_ascii_case(known))?
        + 1;
    let (day, year): (u32, u32) = (day.parse().ok()?, year.parse().ok()?);
    clock_seconds(clock.get(..8)?.as_bytes())?;
    let clock = clock.get(..8)?;
    ((1..=31).contains(&day) && year < 10_000 && parts.next().is_none())
        .then(|| format!("{year:04}-{month:02}-{day:02} {clock}"))
}
