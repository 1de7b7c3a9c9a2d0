//! Events that tell of something set up to start by itself, and of accounts and groups that were made or changed.
//!
//! Events of Security: <https://learn.microsoft.com/windows/security/threat-protection/auditing/advanced-security-auditing>;
//! of Sysmon: <https://learn.microsoft.com/sysinternals/downloads/sysmon>. One that comes again and again for the same
//! thing is told with its first and its last time.

use super::{Fields, Seen};
use crate::Sink;
use model::{Activity, At, Fact, GapKind, Persistence, PersistenceKind, SourceName, Timestamp};
use std::collections::BTreeMap;

/// Things told apart in one item; a server has some hundreds of services, tasks and accounts together.
const THINGS_MAX: usize = 4_096;

/// Longest text taken over from an event.
const TEXT_CHARS_MAX: usize = 1_024;

const SECURITY: &str = "Security";
const SYSTEM: &str = "System";
const TASK_SCHEDULER: &str = "Microsoft-Windows-TaskScheduler/Operational";
const SYSMON: &str = "Microsoft-Windows-Sysmon/Operational";

/// Family of the sources that only events of one number belong to.
const WITNESS_FAMILY: &str = "windows.event";

/// Events of which a log is full where their recording is switched on, and has none where it is not: that the log was
/// kept says nothing of them, so their own rhythm is kept beside it.
const WITNESSES: [(u64, &str); 5] = [
    (4_688, SECURITY),
    (1, SYSMON),
    (3, SYSMON),
    (10, SYSMON),
    (11, SYSMON),
];

/// What an event tells, and in which of its fields.
struct Telling {
    id: u64,
    channel: &'static str,
    kind: PersistenceKind,
    what: &'static str,
    name: &'static str,
    /// The first that is there.
    runs: &'static [&'static str],
    author: &'static str,
}

const fn account(id: u64, what: &'static str) -> Telling {
    Telling {
        id,
        channel: SECURITY,
        kind: PersistenceKind::Account,
        what,
        name: "TargetUserName",
        runs: &[],
        author: "SubjectUserName",
    }
}

const fn member(id: u64) -> Telling {
    Telling {
        id,
        channel: SECURITY,
        kind: PersistenceKind::GroupMembership,
        what: "a member was added",
        name: "TargetUserName",
        runs: &["MemberName", "MemberSid"],
        author: "SubjectUserName",
    }
}

const fn task(
    id: u64,
    channel: &'static str,
    what: &'static str,
    runs: &'static [&'static str],
    author: &'static str,
) -> Telling {
    Telling {
        id,
        channel,
        kind: PersistenceKind::ScheduledTask,
        what,
        name: "TaskName",
        runs,
        author,
    }
}

const TELLINGS: [Telling; 16] = [
    account(4_720, "created"),
    account(4_722, "enabled"),
    account(4_724, "password reset"),
    account(4_726, "deleted"),
    account(4_738, "changed"),
    account(4_781, "renamed"),
    member(4_728),
    member(4_732),
    member(4_756),
    Telling {
        id: 4_697,
        channel: SECURITY,
        kind: PersistenceKind::Service,
        what: "installed",
        name: "ServiceName",
        runs: &["ServiceFileName"],
        author: "SubjectUserName",
    },
    Telling {
        id: 7_045,
        channel: SYSTEM,
        kind: PersistenceKind::Service,
        what: "installed",
        name: "ServiceName",
        runs: &["ImagePath"],
        author: "AccountName",
    },
    task(
        4_698,
        SECURITY,
        "created",
        &["TaskContent"],
        "SubjectUserName",
    ),
    task(
        4_702,
        SECURITY,
        "updated",
        &["TaskContentNew", "TaskContent"],
        "SubjectUserName",
    ),
    task(106, TASK_SCHEDULER, "registered", &[], "UserContext"),
    task(140, TASK_SCHEDULER, "updated", &[], "UserName"),
    Telling {
        id: 20,
        channel: SYSMON,
        kind: PersistenceKind::WmiSubscription,
        what: "consumer registered",
        name: "Name",
        runs: &["Destination"],
        author: "User",
    },
];

/// Gathers what the events of one item tell.
#[derive(Debug, Default)]
pub(super) struct Changes {
    things: BTreeMap<(usize, String), Told>,
    witnesses: BTreeMap<usize, Activity>,
    left_out: bool,
}

#[derive(Debug)]
struct Told {
    first: One,
    last: Option<One>,
}

/// One event.
#[derive(Debug)]
struct One {
    at: At,
    time: Option<Timestamp>,
    runs: String,
    author: String,
}

impl Changes {
    /// Takes in one event, whose number is `id`.
    pub(super) fn see(&mut self, id: u64, event: &dyn Fields, seen: Seen<'_>) {
        let is_of = |channel: &str| seen.channel.eq_ignore_ascii_case(channel);
        let witness = WITNESSES
            .iter()
            .position(|(known, channel)| *known == id && is_of(channel));
        if let (Some(witness), Some(time)) = (witness, seen.time) {
            self.witnesses.entry(witness).or_default().add(time);
        }
        let telling = TELLINGS
            .iter()
            .enumerate()
            .find(|(_, telling)| telling.id == id && is_of(telling.channel));
        if let Some((number, telling)) = telling {
            self.tell(number, telling, event, seen);
        }
    }

    fn tell(&mut self, number: usize, telling: &Telling, event: &dyn Fields, seen: Seen<'_>) {
        let text = |name: &str| shortened(&event.text(name).unwrap_or_default());
        let name = text(telling.name);
        if name.is_empty() || name == "-" {
            return;
        }
        let runs = telling
            .runs
            .iter()
            .filter_map(|field| event.text(field))
            .find(|text| text != "-")
            .unwrap_or_default();
        let one = One {
            at: seen.at,
            time: seen.time,
            runs: shortened(&command_of(&runs)),
            author: text(telling.author),
        };
        let key = (number, name);
        if let Some(told) = self.things.get_mut(&key) {
            told.last = Some(one);
        } else if self.things.len() < THINGS_MAX {
            let told = Told {
                first: one,
                last: None,
            };
            self.things.insert(key, told);
        } else {
            self.left_out = true;
        }
    }

    pub(super) fn finish(self, sink: &mut dyn Sink) {
        for ((number, name), told) in self.things {
            let telling = &TELLINGS[number];
            for one in [Some(told.first), told.last].into_iter().flatten() {
                let fact = Persistence {
                    kind: telling.kind,
                    name: name.clone(),
                    command: one.runs,
                    changed: one.time,
                    clock: format!(
                        "event {} of the log {}: {}",
                        telling.id, telling.channel, telling.what
                    ),
                    author: one.author,
                };
                sink.fact(one.at, Fact::Persistence(fact));
            }
        }
        for (number, activity) in self.witnesses {
            let (id, channel) = WITNESSES[number];
            let source = SourceName::of(WITNESS_FAMILY, &format!("{channel}/{id}"));
            sink.rhythm(&source, &activity);
        }
        if self.left_out {
            let detail = format!(
                "events tell of more than {THINGS_MAX} services, tasks and accounts; the rest is not listed"
            );
            sink.gap(GapKind::Limit, At::Item, (None, None), &detail);
        }
    }
}

/// What a task that is told as its whole XML runs, program and arguments; other texts as they are.
fn command_of(text: &str) -> String {
    if !text.trim_start().starts_with('<') {
        return text.to_owned();
    }
    let of = |element: &str| {
        let (_, rest) = text.split_once(&format!("<{element}>"))?;
        let (inside, _) = rest.split_once(&format!("</{element}>"))?;
        Some(inside.trim())
    };
    let parts: Vec<&str> = ["Command", "Arguments"]
        .into_iter()
        .filter_map(of)
        .collect();
    // A task of another kind, such as one that starts a COM class.
    if parts.is_empty() {
        return text.to_owned();
    }
    parts.join(" ")
}

fn shortened(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}
