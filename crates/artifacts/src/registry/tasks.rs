//! The task scheduler's own list of tasks (`SOFTWARE\Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache`).
//!
//! `Tree` holds the names as keys, each with the id of its task; `Tasks` holds the tasks by id. Windows runs what stands
//! here, whether or not a file below `System32\Tasks` says the same, and lists only tasks whose key in `Tree` has a
//! security descriptor. Layout of `DynamicInfo` and `Actions`: <https://github.com/libyal/winreg-kb>, "Task scheduler".

use super::hive::{Key, Value, filetime, number, short, utf16};
use super::{Reading, record_source};
use crate::simple_record::SimpleRecord;
use model::{At, Fact, GapKind, Persistence, PersistenceKind, Timestamp};
use std::collections::BTreeMap;
use std::fmt::Write;

const CACHE: &str = "Microsoft\\Windows NT\\CurrentVersion\\Schedule\\TaskCache";

/// Folders in folders; Windows' own tasks lie four deep.
const DEPTH_MAX: usize = 32;

/// Keys below `Tree`; a server has some hundreds.
const KEYS_MAX: usize = 100_000;

/// Actions of one task; Windows allows 32.
const ACTIONS_MAX: usize = 32;

impl Reading<'_> {
    pub(super) fn task_cache(&mut self, root: &Key) {
        let Some(cache) = self.hive.find_path(root, CACHE) else {
            return;
        };
        let mut names: BTreeMap<String, Name> = BTreeMap::new();
        if let Some(tree) = self.hive.find(&cache, "Tree") {
            self.task_names(&tree, &mut names);
        }
        if let Some(tasks) = self.hive.find(&cache, "Tasks") {
            for task in self.hive.subkeys(&tasks) {
                let name = names.remove(&task.name.to_lowercase());
                self.task(&task, name.as_ref());
            }
        }
        for name in names.into_values() {
            self.name_without_task(&name);
        }
    }

    /// Walks the tree of names without recursion.
    fn task_names(&mut self, tree: &Key, names: &mut BTreeMap<String, Name>) {
        let mut waiting = vec![(tree.clone(), String::new(), 0)];
        let mut seen = 0;
        while let Some((key, path, depth)) = waiting.pop() {
            for below in self.hive.subkeys(&key) {
                seen += 1;
                if seen > KEYS_MAX || depth >= DEPTH_MAX {
                    let detail = "the tree of tasks is larger than any that Windows makes; the rest was not read";
                    let at = At::Offset(below.offset);
                    self.sink.gap(GapKind::Limit, at, (None, None), detail);
                    return;
                }
                let path = format!("{path}\\{}", below.name);
                let id = self.text(&below, "Id");
                if !id.is_empty() {
                    let name = Name {
                        path: path.clone(),
                        has_descriptor: self.hive.value(&below, "SD").is_some(),
                        index: self.hive.value(&below, "Index").and_then(|v| v.number()),
                        changed: below.changed,
                        offset: below.offset,
                    };
                    names.insert(id.to_lowercase(), name);
                }
                waiting.push((below, path, depth + 1));
            }
        }
    }

    fn task(&mut self, task: &Key, name: Option<&Name>) {
        let info = self.hive.value(task, "DynamicInfo");
        let info = info.as_ref().map(Value::bytes).unwrap_or_default();
        let times = Times::of(info);
        let actions = self.hive.value(task, "Actions");
        let actions = actions.as_ref().map(Value::bytes).unwrap_or_default();
        let actions = Actions::of(actions);
        if !actions.whole {
            let reason = "the actions of a task are in no known form";
            self.sink.rejected(At::Offset(task.offset), reason);
        }
        let stated = self.text(task, "Path");
        let path = match name {
            Some(name) => name.path.clone(),
            None => stated,
        };
        let source = record_source("tasks");
        let commands: Vec<&str> = actions
            .list
            .iter()
            .map(|action| action.command.as_str())
            .collect();
        let first = actions.list.first();
        let record = SimpleRecord::new(&source, At::Offset(task.offset))
            .with("key", format!("{CACHE}\\Tasks\\{}", task.name))
            .with("name", path.as_str())
            .with("id", task.name.as_str())
            .with("command", commands.join("; "))
            .with(
                "process",
                first.map(|a| a.process.as_str()).unwrap_or_default(),
            )
            .with(
                "arguments",
                first.map(|a| a.arguments.as_str()).unwrap_or_default(),
            )
            .with("user", actions.context.as_str())
            .with("author", self.text(task, "Author"))
            .with("date", self.text(task, "Date"))
            .with("description", self.text(task, "Description"))
            .with("created", shown(times.created))
            .with("last_run", shown(times.started))
            .with("last_completed", shown(times.completed))
            .with("listed", name.map_or("no name", Name::listed))
            .with(
                "target_object",
                self.object(&format!("{CACHE}\\Tasks\\{}\\Actions", task.name)),
            )
            .changed(task.changed);
        self.sink.record(&record);
        let clock = match (times.created, task.changed) {
            (Some(_), _) => "the registration in the task scheduler's list",
            (None, Some(_)) => "the last write of the registry key",
            (None, None) => "",
        };
        let author = self.text(task, "Author");
        self.fact(
            task,
            Fact::Persistence(Persistence {
                kind: PersistenceKind::ScheduledTask,
                name: path,
                command: commands.join("; "),
                changed: times.created.or(task.changed),
                clock: clock.to_owned(),
                author,
            }),
        );
    }

    /// A name in the tree whose task is gone: what an unfinished removal leaves.
    fn name_without_task(&mut self, name: &Name) {
        let source = record_source("tasks");
        let record = SimpleRecord::new(&source, At::Offset(name.offset))
            .with("key", format!("{CACHE}\\Tree{}", name.path))
            .with("name", name.path.as_str())
            .with("listed", "no task")
            .changed(name.changed);
        self.sink.record(&record);
    }
}

fn shown(time: Option<Timestamp>) -> String {
    time.map(|time| time.to_string()).unwrap_or_default()
}

/// Where a task stands in the tree.
struct Name {
    path: String,
    has_descriptor: bool,
    index: Option<u64>,
    changed: Option<Timestamp>,
    offset: u64,
}

impl Name {
    /// Whether the task scheduler shows the task: one without a descriptor, or with an index of zero, runs unseen.
    fn listed(&self) -> &'static str {
        match (self.has_descriptor, self.index) {
            (false, _) => "no security descriptor",
            (true, Some(0)) => "index zero",
            (true, _) => "yes",
        }
    }
}

/// `DynamicInfo`: a version, then the times of registration, of the last start and, in its longer form, of the last end.
struct Times {
    created: Option<Timestamp>,
    started: Option<Timestamp>,
    completed: Option<Timestamp>,
}

impl Times {
    fn of(info: &[u8]) -> Self {
        Self {
            created: filetime(info, 4),
            started: filetime(info, 12),
            completed: filetime(info, 28),
        }
    }
}

/// One thing that a task does.
struct Action {
    command: String,
    process: String,
    arguments: String,
}

/// `Actions`: a version, whose account it runs under, then one block after the other, each with its kind first.
struct Actions {
    context: String,
    list: Vec<Action>,
    whole: bool,
}

impl Actions {
    fn of(bytes: &[u8]) -> Self {
        let mut actions = Self {
            context: String::new(),
            list: Vec::new(),
            whole: true,
        };
        if bytes.is_empty() {
            return actions;
        }
        let mut cursor = Cursor { bytes, at: 2 };
        // The first version has no account.
        if short(bytes, 0).is_some_and(|version| version > 1) {
            actions.context = cursor.text().unwrap_or_default();
        }
        while cursor.at < bytes.len() && actions.list.len() < ACTIONS_MAX {
            let Some(action) = cursor.action() else {
                actions.whole = false;
                break;
            };
            actions.list.push(action);
        }
        actions
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    /// A text behind its length in bytes.
    fn text(&mut self) -> Option<String> {
        let length = number(self.bytes, self.at)? as usize;
        let start = self.at.checked_add(4)?;
        let end = start.checked_add(length)?;
        let text = utf16(self.bytes.get(start..end)?);
        self.at = end;
        Some(text)
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.at = self.at.checked_add(bytes)?;
        (self.at <= self.bytes.len()).then_some(())
    }

    fn action(&mut self) -> Option<Action> {
        let kind = short(self.bytes, self.at)?;
        self.skip(2)?;
        let _id = self.text()?;
        match kind {
            // A program, its arguments and its folder; from the third version on with flags.
            0x6666 => {
                let process = self.text()?;
                let arguments = self.text()?;
                let _folder = self.text()?;
                if short(self.bytes, 0)? >= 3 {
                    self.skip(2)?;
                }
                Some(Action {
                    command: format!("{process} {arguments}").trim().to_owned(),
                    process,
                    arguments,
                })
            }
            // A COM class and what it is told.
            0x7777 => {
                let class = guid(self.bytes.get(self.at..self.at.checked_add(16)?)?)?;
                self.skip(16)?;
                let arguments = self.text()?;
                Some(Action {
                    command: format!("COM {class} {arguments}").trim().to_owned(),
                    process: format!("COM {class}"),
                    arguments,
                })
            }
            // A mail or a message on the screen: nothing runs.
            0x9999 => {
                let title = self.text()?;
                let text = self.text()?;
                Some(Action {
                    command: format!("message {title}: {text}"),
                    process: String::new(),
                    arguments: String::new(),
                })
            }
            _ => None,
        }
    }
}

/// A GUID in the form of the registry.
pub(super) fn guid(bytes: &[u8]) -> Option<String> {
    let a = number(bytes, 0)?;
    let b = short(bytes, 4)?;
    let c = short(bytes, 6)?;
    let d = bytes.get(8..16)?;
    let mut tail = String::new();
    for byte in d {
        let _infallible = write!(tail, "{byte:02x}");
    }
    Some(format!(
        "{{{a:08x}-{b:04x}-{c:04x}-{}-{}}}",
        &tail[..4],
        &tail[4..]
    ))
}
