//! What the web server sent to the clients that findings name: a second look, at its logs only.
//!
//! Which clients matter is known only after everything was read. To keep the figures of every client of every log until
//! then would cost each run more than this costs the few in which somebody was broken into: rows of the named addresses
//! are found by the same screen that finds indicators.

use crate::job::{Knowledge, Matched, Position, Task};
use crate::supervise::{self, Ask, Crew, Progress, Seen, SuperviseError, Told};
use detect::Extra;
use evidence::Collection;
use model::{GapKind, Observed, Place, Record, SentTo, SourceName, Stage, Timestamp};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Kinds of artifact whose rows tell what was sent to whom.
const WEB_KINDS: [&str; 2] = ["iis.w3c", "exchange.httpproxy"];

/// Columns that name the client, in logs of IIS and of the proxy, and those that tell the size of the answer.
const CLIENT_COLUMNS: [&str; 3] = ["client", "c-ip", "ClientIpAddress"];
const SIZE_COLUMNS: [&str; 2] = ["sc-bytes", "ResponseBytes"];

/// Addresses that are weighed of all hosts together; a flood of forged ones must not become a search of its own. The
/// rest is told as a gap.
const CLIENTS_MAX: usize = 512;

/// The entries that are web logs, and the archives that hold them.
pub(crate) fn web_logs(seen: &Seen) -> BTreeSet<Position> {
    let mut wanted = BTreeSet::new();
    for collection in &seen.collections {
        let mut holders: BTreeSet<&str> = BTreeSet::new();
        for (position, report) in &collection.items {
            if !WEB_KINDS.contains(&report.item.kind.as_str()) {
                continue;
            }
            wanted.insert(*position);
            let path = report.item.path.as_str();
            holders.extend(path.match_indices('!').map(|(at, _)| &path[..at]));
        }
        let items = collection.items.iter();
        wanted.extend(
            items
                .filter(|(_, report)| holders.contains(report.item.path.as_str()))
                .map(|(position, _)| *position),
        );
    }
    wanted
}

/// Sums up, for each host on which an effect was found, what its web logs say that was sent to the clients that such
/// findings name.
pub(crate) fn weigh(
    collections: &[Collection],
    knowledge: &Knowledge,
    crew: &Crew,
    web_logs: &BTreeSet<Position>,
    hosts: &mut [Observed],
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), SuperviseError> {
    let mut clients: BTreeSet<IpAddr> = BTreeSet::new();
    for host in hosts.iter_mut() {
        let (own, left_out) = clients_of(host);
        clients.extend(own);
        if left_out {
            host.gaps.push(too_many());
        }
    }
    if clients.is_empty() || web_logs.is_empty() {
        return Ok(());
    }
    let mut list = String::new();
    for client in &clients {
        list.push_str(&client.to_string());
        list.push('\n');
    }
    let only = Knowledge {
        extra: Extra {
            indicators: vec![("clients.txt".to_owned(), list.into_bytes())],
            ..Extra::default()
        },
        options: knowledge.options.clone(),
        ..Knowledge::default()
    };
    let mut rows = Rows::default();
    let ask = Ask {
        task: Task::Hunt,
        only: Some(web_logs),
        events: None,
    };
    let seen = supervise::read(
        collections,
        &only,
        crew,
        ask,
        &mut |told| {
            // The bytes were counted when they were first read.
            if matches!(told, Progress::Item { .. }) {
                progress(told);
            }
        },
        &mut |told| rows.hear(told),
    )?;
    rows.share_out(&seen, hosts);
    Ok(())
}

/// Addresses that findings of an effect name as their client, and whether there are more than are weighed.
fn clients_of(host: &Observed) -> (BTreeSet<IpAddr>, bool) {
    let mut clients: BTreeSet<IpAddr> = host
        .findings
        .iter()
        .filter(|finding| finding.stage.is_some_and(Stage::proves_effect))
        .filter_map(|finding| address(finding.details.get("client")?))
        .filter(|address| !address.is_loopback() && !address.is_unspecified())
        .collect();
    let left_out = clients.len() > CLIENTS_MAX;
    while clients.len() > CLIENTS_MAX {
        clients.pop_last();
    }
    (clients, left_out)
}

fn too_many() -> model::Gap {
    let detail = format!(
        "findings name more than {CLIENTS_MAX} clients; what was sent to the rest is not summed up"
    );
    model::Gap::new(GapKind::Limit, Place::default(), detail)
}

/// An address as logs write it, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let parsed: Option<IpAddr> = text.parse().ok().or_else(|| {
        let socket: std::net::SocketAddr = text.parse().ok()?;
        Some(socket.ip())
    });
    parsed.map(|address| address.to_canonical())
}

/// What the rows of one file say of one client.
#[derive(Clone, Debug, Default)]
struct Sum {
    rows: u64,
    rows_without_size: u64,
    bytes: u64,
    first: Option<(Timestamp, model::At)>,
    last: Option<Timestamp>,
    at: Option<model::At>,
}

impl Sum {
    fn add(&mut self, time: Option<Timestamp>, at: model::At, size: Option<u64>) {
        self.rows += 1;
        match size {
            Some(bytes) => self.bytes = self.bytes.saturating_add(bytes),
            None => self.rows_without_size += 1,
        }
        self.at.get_or_insert(at);
        if let Some(time) = time {
            if self.first.is_none_or(|(first, _)| time < first) {
                self.first = Some((time, at));
            }
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
    }
}

#[derive(Default)]
struct Rows {
    /// By entry; a successor of a dead reader tells an entry from its beginning again.
    by_entry: BTreeMap<Position, (String, BTreeMap<IpAddr, Sum>)>,
    done: BTreeSet<Position>,
    /// The row that was heard last: one that names two of the addresses is told twice, one behind the other.
    last: Option<(Position, model::At)>,
}

impl Rows {
    fn hear(&mut self, told: Told) {
        match told {
            Told::Matches(position, path, matches) => {
                if self.done.contains(&position) {
                    return;
                }
                for matched in matches {
                    self.row(position, &path, &matched);
                }
            }
            Told::Done(position) => {
                self.done.insert(position);
            }
        }
    }

    fn row(&mut self, position: Position, path: &str, matched: &Matched) {
        if self.last == Some((position, matched.at)) {
            return;
        }
        self.last = Some((position, matched.at));
        let Ok(fields) = serde_json::from_str::<Map<String, Value>>(matched.fields.get()) else {
            return;
        };
        let client = CLIENT_COLUMNS
            .iter()
            .find_map(|name| address(fields.get(*name)?.as_str()?));
        let Some(client) = client else {
            return;
        };
        let size = SIZE_COLUMNS
            .iter()
            .find_map(|name| number(fields.get(*name)?));
        let (_, sums) = self
            .by_entry
            .entry(position)
            .or_insert_with(|| (path.to_owned(), BTreeMap::new()));
        let sum = sums.entry(client).or_default();
        sum.add(matched.time, matched.at, size);
    }

    /// Gives the sums to the hosts whose logs they are of.
    fn share_out(self, seen: &Seen, hosts: &mut [Observed]) {
        for host in hosts {
            let mut files = Files::of(host);
            for (position, (path, sums)) in &self.by_entry {
                let Some(raw) = seen.collections.get(position.collection) else {
                    continue;
                };
                let source = raw
                    .items
                    .get(position)
                    .and_then(|report| report.item.source.clone());
                // Items are in order of their paths.
                let own = host.collections.iter().find(|own| {
                    let holds = |own: &model::CollectionSeen| {
                        let by_path = |item: &model::ItemSeen| item.path.as_str().cmp(path);
                        own.items.binary_search_by(by_path).is_ok()
                    };
                    own.path == raw.collection.label && holds(own)
                });
                let (Some(source), Some(own)) = (source, own) else {
                    continue;
                };
                for (client, sum) in sums {
                    files.add(&own.id, path, &source, *client, sum);
                }
            }
            host.sent = files.summed();
            // A reader that died over a log it had read before may have kept rows back.
            for raw in &seen.collections {
                let own = host
                    .collections
                    .iter()
                    .find(|own| own.path == raw.collection.label);
                let Some(own) = own else { continue };
                for gap in raw.gaps.iter().filter(|gap| gap.kind == GapKind::Crashed) {
                    let mut gap = gap.clone();
                    gap.place.collection.clone_from(&own.id);
                    host.gaps.push(gap);
                }
            }
            host.gaps.sort();
            host.gaps.dedup();
        }
    }
}

/// The same from events that a case holds: `each_event` gives those of one collection, or at least those of its web logs.
pub(crate) fn weigh_stored<E>(
    host: &mut Observed,
    mut each_event: impl FnMut(&str, &mut dyn FnMut(&str, &dyn Record)) -> Result<(), E>,
) -> Result<(), E> {
    let (clients, left_out) = clients_of(host);
    if left_out {
        host.gaps.push(too_many());
        host.gaps.sort();
        host.gaps.dedup();
    }
    if clients.is_empty() {
        return Ok(());
    }
    let mut files = Files::of(host);
    for collection in &host.collections {
        let mut sums: BTreeMap<(String, IpAddr), Sum> = BTreeMap::new();
        each_event(&collection.id, &mut |item, record| {
            let text = |name: &&str| Some(record.get(name)?.to_text().into_owned());
            let client = CLIENT_COLUMNS.iter().find_map(text);
            let client = client.and_then(|client| address(&client));
            let Some(client) = client.filter(|client| clients.contains(client)) else {
                return;
            };
            let size = SIZE_COLUMNS.iter().find_map(text);
            let size = size.and_then(|size| size.trim().parse().ok());
            let sum = sums.entry((item.to_owned(), client)).or_default();
            sum.add(record.time(), record.at(), size);
        })?;
        for ((path, client), sum) in &sums {
            let by_path = |item: &model::ItemSeen| item.path.as_str().cmp(path);
            let Ok(at) = collection.items.binary_search_by(by_path) else {
                continue;
            };
            let item = &collection.items[at];
            if let Some(source) = item.source.as_ref()
                && WEB_KINDS.contains(&item.kind.as_str())
            {
                files.add(&collection.id, path, source, *client, sum);
            }
        }
    }
    host.sent = files.summed();
    Ok(())
}

/// What the files of one host's logs say. Of a file that several collections hold, the fullest counts.
struct Files {
    named: BTreeSet<IpAddr>,
    fullest: BTreeMap<(SourceName, String, IpAddr), (Sum, Place)>,
}

impl Files {
    fn of(host: &Observed) -> Self {
        Self {
            named: clients_of(host).0,
            fullest: BTreeMap::new(),
        }
    }

    fn add(&mut self, id: &str, path: &str, source: &SourceName, client: IpAddr, sum: &Sum) {
        if !self.named.contains(&client) {
            return;
        }
        let at = sum.first.map(|(_, at)| at).or(sum.at);
        let place = Place::item(id, path);
        let place = at.map_or_else(|| place.clone(), |at| place.at(at));
        let key = (source.clone(), path.to_lowercase(), client);
        let known = self.fullest.get(&key).map_or(0, |(known, _)| known.rows);
        if sum.rows > known {
            self.fullest.insert(key, (sum.clone(), place));
        }
    }

    fn summed(self) -> Vec<SentTo> {
        summed(self.fullest)
    }
}

/// All files of a log together, by client.
fn summed(files: BTreeMap<(SourceName, String, IpAddr), (Sum, Place)>) -> Vec<SentTo> {
    let mut by_client: BTreeMap<(IpAddr, SourceName), SentTo> = BTreeMap::new();
    for ((source, _, client), (sum, place)) in files {
        let first = sum.first.map(|(time, _)| time);
        let sent = by_client
            .entry((client, source.clone()))
            .or_insert_with(|| SentTo {
                client: client.to_string(),
                source,
                rows: 0,
                rows_without_size: 0,
                bytes: 0,
                first,
                last: None,
                place: place.clone(),
            });
        sent.rows += sum.rows;
        sent.rows_without_size += sum.rows_without_size;
        sent.bytes = sent.bytes.saturating_add(sum.bytes);
        if first.is_some() && first < sent.first {
            sent.first = first;
            sent.place = place;
        }
        sent.last = sent.last.max(sum.last);
    }
    by_client.into_values().collect()
}

/// A number as records tell it, or its decimal text.
fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::At;
    use serde_json::value::RawValue;

    fn matched(line: u64, fields: &str) -> Matched {
        Matched {
            rule_id: "indicator/ip/x".to_owned(),
            rule: String::new(),
            level: String::new(),
            author: String::new(),
            reference: String::new(),
            campaign: None,
            time: Timestamp::from_second(1_614_700_000 + i64::try_from(line).expect("small")).ok(),
            at: At::Line(line),
            fields: RawValue::from_string(fields.to_owned()).expect("JSON"),
        }
    }

    #[test]
    fn rows_are_summed_by_client_once_and_without_a_size_are_counted() {
        let mut rows = Rows::default();
        let position = Position::default();
        let told = vec![
            matched(1, r#"{"c-ip":"203.0.113.7","sc-bytes":"100"}"#),
            // The same row again, for another of the addresses that it names.
            matched(1, r#"{"c-ip":"203.0.113.7","sc-bytes":"100"}"#),
            matched(2, r#"{"ClientIpAddress":"203.0.113.7","ResponseBytes":23}"#),
            matched(3, r#"{"c-ip":"203.0.113.7"}"#),
            matched(4, r#"{"c-ip":"::ffff:203.0.113.7","sc-bytes":"-"}"#),
            matched(5, r#"{"user":"203.0.113.7","sc-bytes":"5"}"#),
        ];
        rows.hear(Told::Matches(position, "u_ex.log".to_owned(), told));
        rows.hear(Told::Done(position));
        // A successor that opened the archive again tells nothing new.
        let again = vec![matched(9, r#"{"c-ip":"203.0.113.7","sc-bytes":"100"}"#)];
        rows.hear(Told::Matches(position, "u_ex.log".to_owned(), again));
        let (_, sums) = &rows.by_entry[&position];
        let all: Vec<String> = sums
            .iter()
            .map(|(client, sum)| {
                format!(
                    "{client}: {} B, {} of {} without",
                    sum.bytes, sum.rows_without_size, sum.rows
                )
            })
            .collect();
        assert_eq!(all, ["203.0.113.7: 123 B, 2 of 4 without"]);
    }

    #[test]
    fn addresses_are_read_with_and_without_ports() {
        for text in ["203.0.113.7", "203.0.113.7:443", " ::ffff:203.0.113.7 "] {
            assert_eq!(address(text), "203.0.113.7".parse().ok(), "{text}");
        }
        assert_eq!(address("mx01"), None);
    }
}
