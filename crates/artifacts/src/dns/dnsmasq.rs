//! The log of dnsmasq with `log-queries`: questions of clients, and what they were told.
//!
//! Format: the man page (<https://thekelleys.org.uk/dnsmasq/docs/dnsmasq-man.html>, `--log-queries`): `query[A] name from
//! client`, `forwarded name to server`, `reply name is answer`, `cached name is answer`; with `log-queries=extra` a number
//! and the client stand before each. The time is syslog's, mostly without year and zone. A reply without a client is given
//! the one who asked for the name last; an alias is told as `<CNAME>`, and what it stands for in the next lines.

use super::{DnsRecord, Undated, first_lines};
use crate::text::plain::{LineReader, read_lines};
use crate::text::time::iso_time;
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{SourceName, Timestamp};
use std::collections::BTreeMap;

/// Names whose client is remembered until their reply comes.
const WAITING_MAX: usize = 4_096;

#[derive(Debug)]
pub(crate) struct Dnsmasq;

impl Artifact for Dnsmasq {
    fn kind(&self) -> &'static str {
        "dns.dnsmasq"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let mut lines = first_lines(probe.head, &["dnsmasq["]).into_iter();
        if lines.any(|line| matches!(said(&line), Some(Ok(_)))) {
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
        let mut reader = Said {
            source: &source,
            waiting: BTreeMap::new(),
            undated: Undated::default(),
        };
        read_lines(content, sink, &mut reader);
        reader.undated.finish(sink);
    }
}

struct Said<'a> {
    source: &'a SourceName,
    /// Who asked last for each name.
    waiting: BTreeMap<String, String>,
    undated: Undated,
}

/// What one line says.
struct Sentence<'l> {
    /// `query`, `forwarded`, `reply`, `cached`, `config`, or the file that an answer is from.
    verb: &'l str,
    kind: &'l str,
    name: &'l str,
    /// Behind `from`, `to` or `is`.
    object: &'l str,
    /// Number of the query, and who asked, where each line tells them.
    serial: &'l str,
    client: &'l str,
}

impl LineReader for Said<'_> {
    fn line(
        &mut self,
        number: u64,
        line: &str,
        sink: &mut dyn Sink,
    ) -> Result<Option<Timestamp>, &'static str> {
        let sentence = said(line).transpose()?;
        let mut record = DnsRecord::new(self.source, number, line);
        record.time = time(line);
        match &sentence {
            Some(sentence) => self.tell(sentence, &mut record),
            None => record.add("Message", line.trim()),
        }
        self.undated.see(&record);
        sink.record(&record);
        Ok(record.time)
    }
}

impl Said<'_> {
    fn tell<'l>(&mut self, sentence: &Sentence<'l>, record: &mut DnsRecord<'l>) {
        record.add("action", sentence.verb);
        record.add("serial", sentence.serial);
        record.add_query(sentence.name);
        record.add("type", sentence.kind);
        match sentence.verb {
            "query" => {
                record.add("client", sentence.object);
                if self.waiting.len() >= WAITING_MAX {
                    self.waiting.clear();
                }
                let (name, client) = (sentence.name.to_owned(), sentence.object.to_owned());
                self.waiting.insert(name, client);
            }
            "forwarded" => record.add("forwarded_to", sentence.object),
            _ => {
                record.add("answer", sentence.object);
                let known = self.waiting.get(sentence.name).cloned();
                if sentence.client.is_empty() {
                    record.add("client", known.unwrap_or_default());
                }
            }
        }
        record.add("client", sentence.client);
    }
}

/// What a line says; `None` where it is about something else than names.
fn said(line: &str) -> Option<Result<Sentence<'_>, &'static str>> {
    const BREAKS_OFF: &str = "sentence breaks off";
    let (_, rest) = line.split_once("dnsmasq[")?;
    let (_, rest) = rest.split_once("]: ")?;
    let mut words = rest.split_ascii_whitespace();
    let mut verb = words.next()?;
    let (mut serial, mut client) = ("", "");
    if verb.bytes().all(|byte| byte.is_ascii_digit()) {
        serial = verb;
        let asked = words.next()?;
        client = asked.rsplit_once('/').map_or(asked, |(address, _)| address);
        verb = words.next()?;
    }
    let (verb, kind) = match verb.split_once('[') {
        Some((verb, kind)) => (verb, kind.trim_end_matches(']')),
        None => (verb, ""),
    };
    let is_about_name = matches!(verb, "query" | "forwarded" | "reply" | "cached" | "config")
        || verb.starts_with('/');
    if !is_about_name {
        return None;
    }
    let (Some(name), Some(link), Some(object)) = (words.next(), words.next(), words.next()) else {
        return Some(Err(BREAKS_OFF));
    };
    if !matches!(link, "from" | "to" | "is") {
        return None;
    }
    Some(Ok(Sentence {
        verb,
        kind,
        name,
        object,
        serial,
        client: if verb == "query" { "" } else { client },
    }))
}

/// A time in ISO 8601 with its zone, as newer syslogs write it.
fn time(line: &str) -> Option<Timestamp> {
    let first = line.split_ascii_whitespace().next()?;
    let (_, clock) = first.split_once('T')?;
    if !clock.contains(['Z', '+', '-']) {
        return None;
    }
    iso_time(first.as_bytes())
}
