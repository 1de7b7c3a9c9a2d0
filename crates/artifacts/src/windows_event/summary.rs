//! What the events of one item say together: which logs they are of, from when to when, and which host wrote them.

use super::Fields;
use super::changes::Changes;
use crate::Sink;
use model::{At, EventLogState, Fact, GapKind, HostNameSeen, IdHole, Timestamp, host_name_rank};
use std::collections::BTreeMap;

/// Channels told apart in one item; forwarded logs hold a few dozen.
const CHANNELS_MAX: usize = 256;

/// Computer names told apart in one item.
const COMPUTERS_MAX: usize = 4_096;

/// Computer names that become facts.
const HOST_NAMES_MAX: usize = 16;

/// Holes in the numbers of one channel that are kept.
const HOLES_MAX: usize = 1_000;

/// Clearings of logs that become gaps one by one.
const CLEARINGS_MAX: u32 = 1_000;

/// Longest name taken over into a gap's sentence.
const NAME_CHARS_MAX: usize = 120;

/// The provider of the events that tell of cleared logs.
const EVENT_LOG_PROVIDER: &str = "Microsoft-Windows-Eventlog";

/// What is known of one event besides its fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) channel: &'a str,
    /// The number by which its log counts it.
    pub(crate) id: Option<u64>,
    pub(crate) time: Option<Timestamp>,
    pub(crate) at: At,
}

/// What the numbers of the records count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Numbering {
    /// All records of the file, as in a live log.
    File,
    /// The records of each log apart, as in an export or a log of forwarded events.
    #[default]
    Channel,
}

/// Gathers the events of one item, in the order they are read.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) numbering: Numbering,
    /// Numbers of all records, where they count the file.
    whole: Numbers,
    channels: BTreeMap<String, Channel>,
    computers: BTreeMap<String, u64>,
    clearings: u32,
    changes: Changes,
    channels_left_out: bool,
    computers_left_out: bool,
}

#[derive(Debug, Default)]
struct Channel {
    numbers: Numbers,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    events: u64,
    computers: BTreeMap<String, u64>,
}

/// The numbers of records, and the holes between them.
#[derive(Debug, Default)]
struct Numbers {
    lowest_and_highest: Option<(u64, u64)>,
    latest: Option<(u64, Option<Timestamp>)>,
    holes: Vec<IdHole>,
    holes_left_out: bool,
    /// Whether a number came after a higher one, so that a hole may have been filled later.
    unordered: bool,
}

impl Summary {
    /// Takes in one event, and says as a gap if it tells of a cleared log.
    pub(crate) fn see(&mut self, event: &dyn Fields, seen: Seen<'_>, sink: &mut dyn Sink) {
        let computer = event.text("Computer").unwrap_or_default();
        if !computer.is_empty() {
            self.computers_left_out |= !count(&mut self.computers, &computer, COMPUTERS_MAX);
        }
        if let Some(id) = event.unsigned("EventID") {
            self.clearing(id, event, seen, sink);
            self.changes.see(id, event, seen);
        }
        if let (Numbering::File, Some(id)) = (self.numbering, seen.id) {
            self.whole.see(id, seen.time);
        }
        if self.channels.len() >= CHANNELS_MAX && !self.channels.contains_key(seen.channel) {
            self.channels_left_out = true;
            return;
        }
        if !self.channels.contains_key(seen.channel) {
            self.channels
                .insert(seen.channel.to_owned(), Channel::default());
        }
        if let Some(channel) = self.channels.get_mut(seen.channel) {
            channel.see(&computer, seen, self.numbering);
        }
    }

    /// A number whose record could not be read: it is not missing.
    pub(crate) fn see_unreadable(&mut self, id: u64) {
        if self.numbering == Numbering::File {
            self.whole.see(id, None);
        }
    }

    /// The highest number, where numbers count the file.
    pub(crate) fn last_id(&self) -> Option<u64> {
        self.whole.lowest_and_highest.map(|(_, highest)| highest)
    }

    /// Whether no event was seen at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// Says the facts. `live` and `next_id` are those of the file; an export has `false` and `None`.
    pub(crate) fn finish(mut self, live: bool, next_id: Option<u64>, sink: &mut dyn Sink) {
        // Where numbers count the file, its holes are told once, with the log that most events are of.
        let main = self
            .channels
            .values_mut()
            .max_by_key(|channel| channel.events);
        if let (Numbering::File, Some(main)) = (self.numbering, main) {
            main.numbers = self.whole;
        }
        for (name, channel) in self.channels {
            channel.finish(name, live, next_id, sink);
        }
        if self.channels_left_out {
            sink.gap(
                GapKind::Limit,
                At::Item,
                (None, None),
                &format!(
                    "more than {CHANNELS_MAX} channels in one file; the rest is not summed up"
                ),
            );
        }
        say_host_names(&self.computers, self.computers_left_out, sink);
        self.changes.finish(sink);
    }

    /// Security writes 1102 when it is cleared, System writes 104 when another log is.
    fn clearing(&mut self, id: u64, event: &dyn Fields, seen: Seen<'_>, sink: &mut dyn Sink) {
        let cleared = match id {
            1102 => seen.channel.to_owned(),
            104 => match event.text("UserData_Channel") {
                Some(channel) => channel.into_owned(),
                None => return,
            },
            _ => return,
        };
        if event.text("Provider_Name").as_deref() != Some(EVENT_LOG_PROVIDER) {
            return;
        }
        self.clearings = self.clearings.saturating_add(1);
        if self.clearings > CLEARINGS_MAX {
            return;
        }
        let user = event
            .text("SubjectUserName")
            .unwrap_or("an unknown user".into());
        let detail = format!(
            "the event log `{}` was cleared by {}: what it held before is gone",
            shortened(&cleared),
            shortened(&user)
        );
        let source = model::SourceName::of(super::SOURCE_FAMILY, &cleared);
        sink.gap_of_source(
            &source,
            GapKind::Cleared,
            seen.at,
            (None, seen.time),
            &detail,
        );
    }
}

impl Channel {
    fn see(&mut self, computer: &str, seen: Seen<'_>, numbering: Numbering) {
        self.events += 1;
        count(&mut self.computers, computer, COMPUTERS_MAX);
        if let Some(time) = seen.time {
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
        match (seen.id, numbering) {
            (Some(id), Numbering::Channel) => self.numbers.see(id, seen.time),
            (Some(id), Numbering::File) => self.numbers.widen(id),
            (None, _) => {}
        }
    }

    fn finish(self, name: String, live: bool, next_id: Option<u64>, sink: &mut dyn Sink) {
        if self.numbers.holes_left_out {
            sink.gap(
                GapKind::Limit,
                At::Item,
                (self.first, self.last),
                &format!(
                    "more than {HOLES_MAX} stretches of records are missing from `{}`; the rest is not listed",
                    shortened(&name)
                ),
            );
        }
        let (first_id, last_id) = self.numbers.lowest_and_highest.unwrap_or_default();
        sink.fact(
            At::Item,
            Fact::EventLog(EventLogState {
                channel: name,
                computer: most_frequent(&self.computers),
                first_id,
                last_id,
                first: self.first,
                last: self.last,
                missing_ids: if self.numbers.unordered && !live {
                    Vec::new()
                } else {
                    self.numbers.holes
                },
                next_id,
                live,
            }),
        );
    }
}

impl Numbers {
    fn widen(&mut self, id: u64) {
        let (lowest, highest) = self.lowest_and_highest.unwrap_or((id, id));
        self.lowest_and_highest = Some((lowest.min(id), highest.max(id)));
    }

    fn see(&mut self, id: u64, time: Option<Timestamp>) {
        self.widen(id);
        let Some((before, time_before)) = self.latest else {
            self.latest = Some((id, time));
            return;
        };
        if id <= before {
            self.unordered = true;
            return;
        }
        if id - before > 1 {
            if self.holes.len() < HOLES_MAX {
                // The clock may have been set back in between.
                let (from, until) = match (time_before, time) {
                    (Some(before), Some(time)) => (Some(before.min(time)), Some(before.max(time))),
                    open => open,
                };
                self.holes.push(IdHole {
                    first_id: before + 1,
                    last_id: id - 1,
                    from,
                    until,
                });
            } else {
                self.holes_left_out = true;
            }
        }
        self.latest = Some((id, time.or(time_before)));
    }
}

/// Counts a name; false where there are too many different ones already.
fn count(names: &mut BTreeMap<String, u64>, name: &str, names_max: usize) -> bool {
    if let Some(count) = names.get_mut(name) {
        *count = count.saturating_add(1);
        return true;
    }
    if names.len() >= names_max {
        return false;
    }
    names.insert(name.to_owned(), 1);
    true
}

/// The name counted most often; the first in order of the alphabet among equals.
fn most_frequent(names: &BTreeMap<String, u64>) -> String {
    names
        .iter()
        .max_by(|(a, a_count), (b, b_count)| a_count.cmp(b_count).then(b.cmp(a)))
        .map(|(name, _)| name.clone())
        .unwrap_or_default()
}

fn say_host_names(computers: &BTreeMap<String, u64>, left_out: bool, sink: &mut dyn Sink) {
    let mut by_count: Vec<(&String, &u64)> = computers.iter().collect();
    by_count.sort_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then(a.cmp(b)));
    for (name, _) in by_count.iter().take(HOST_NAMES_MAX) {
        sink.fact(
            At::Item,
            Fact::HostName(HostNameSeen {
                name: (*name).clone(),
                rule: "event log Computer".to_owned(),
                rank: host_name_rank::EVENT_LOG,
            }),
        );
    }
    if left_out || by_count.len() > HOST_NAMES_MAX {
        sink.gap(
            GapKind::Limit,
            At::Item,
            (None, None),
            &format!("more than {HOST_NAMES_MAX} computers wrote into this log; only the most frequent are named"),
        );
    }
}

fn shortened(name: &str) -> String {
    name.chars().take(NAME_CHARS_MAX).collect()
}
