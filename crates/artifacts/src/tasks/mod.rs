//! Scheduled tasks as Windows keeps them below `System32\Tasks`: XML, mostly in UTF-16.
//!
//! Format: MS-TSCH section 2.5 (<https://learn.microsoft.com/openspecs/windows_protocols/ms-tsch/>). A task's file has no extension and is known by
//! its namespace.

use crate::simple_record::SimpleRecord;
use crate::xml::{self, Element};
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{At, Fact, GapKind, Persistence, PersistenceKind, SourceName, Timestamp};

const NAMESPACE: &str = "http://schemas.microsoft.com/windows/2004/02/mit/task";

/// Folder below which Windows keeps tasks, in lower case.
const FOLDER: &str = "\\system32\\tasks\\";

/// Characters of a date that is no time; `2021-03-03T06:49:00.1234567` is the longest that Windows writes.
const DATE_CHARS_MAX: usize = 32;

/// Bytes in which the namespace stands.
const HEAD_BYTES: usize = 4_096;

/// Scheduled tasks.
#[derive(Debug)]
pub(crate) struct ScheduledTask;

impl Artifact for ScheduledTask {
    fn kind(&self) -> &'static str {
        "windows.task"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let head = xml::decoded(&probe.head[..probe.head.len().min(HEAD_BYTES)]);
        if head.contains("<Task") && head.contains(NAMESPACE) {
            Match::Content
        } else if folder_end(probe.path).is_some() && model::extension(probe.path).is_empty() {
            Match::Path
        } else {
            Match::No
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(source())
    }

    fn read(&self, item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let document = match xml::read(content) {
            Ok(document) if document.root.name == "Task" => document,
            Ok(_) => return not_understood(sink, "its root is no `Task`"),
            Err(reason) => return not_understood(sink, reason),
        };
        if let Some(fault) = document.fault {
            let detail = format!("the task is read only in part: {fault}");
            sink.gap(GapKind::Partial, At::Item, (None, None), &detail);
        }
        read_task(&document.root, item.path, sink);
    }
}

fn source() -> SourceName {
    SourceName::of("files", "tasks")
}

/// Where the path below the folder of tasks begins.
fn folder_end(path: &str) -> Option<usize> {
    let lower = path.to_ascii_lowercase().replace('/', "\\");
    lower.find(FOLDER).map(|at| at + FOLDER.len())
}

fn not_understood(sink: &mut dyn Sink, reason: &str) {
    sink.rejected(At::Item, "not a task");
    let detail = format!("this lies where tasks are kept and is none: {reason}");
    sink.gap(GapKind::NotUnderstood, At::Item, (None, None), &detail);
}

fn read_task(task: &Element, path: &str, sink: &mut dyn Sink) {
    let name = task_name(task, path);
    let author = task.text_at(&["RegistrationInfo", "Author"]);
    let date = task.text_at(&["RegistrationInfo", "Date"]);
    let changed = zoned(date);
    let actions: Vec<Action> = task
        .child("Actions")
        .map(|actions| actions.children.iter().map(Action::of).collect())
        .unwrap_or_default();
    let commands: Vec<&str> = actions
        .iter()
        .map(|action| action.command.as_str())
        .collect();
    sink.fact(
        At::Item,
        Fact::Persistence(Persistence {
            kind: PersistenceKind::ScheduledTask,
            name: name.clone(),
            command: commands.join("; "),
            changed,
            clock: clock(date, changed.is_some()),
            author: author.to_owned(),
        }),
    );
    let source = source();
    let none = [Action::default()];
    let actions = if actions.is_empty() { &none } else { &*actions };
    for action in actions {
        let principal = ["Principals", "Principal"];
        let record = SimpleRecord::new(&source, At::Line(action.line.max(1)))
            .with("name", name.as_str())
            .with("action", action.kind.as_str())
            .with("command", action.command.as_str())
            .with("process", action.program.as_str())
            .with("arguments", action.arguments.as_str())
            .with("working_directory", action.folder.as_str())
            .with("author", author)
            .with("date", date)
            .with(
                "description",
                task.text_at(&["RegistrationInfo", "Description"]),
            )
            .with(
                "user",
                task.text_at(&[principal[0], principal[1], "UserId"]),
            )
            .with(
                "run_level",
                task.text_at(&[principal[0], principal[1], "RunLevel"]),
            )
            .with("triggers", triggers(task))
            .with("enabled", task.text_at(&["Settings", "Enabled"]))
            .with("hidden", task.text_at(&["Settings", "Hidden"]))
            .changed(changed);
        sink.record(&record);
    }
}

/// The path below the folder of tasks; else what the task says of itself; else the file's name.
fn task_name(task: &Element, path: &str) -> String {
    if let Some(name) = folder_end(path).and_then(|end| path.get(end..)) {
        return format!("\\{}", name.replace('/', "\\"));
    }
    let own = task.text_at(&["RegistrationInfo", "URI"]);
    if own.is_empty() {
        format!("\\{}", model::file_name(path))
    } else {
        own.to_owned()
    }
}

/// A date with its offset to UTC. Most tasks are dated in local time without one, which says nothing for sure.
fn zoned(date: &str) -> Option<Timestamp> {
    date.parse().ok()
}

/// Which clock the date of a task is of. It is the task's own word: whoever registers a task chooses it.
fn clock(date: &str, is_time: bool) -> String {
    match (date, is_time) {
        ("", _) => String::new(),
        (_, true) => "the date in the task's file".to_owned(),
        (date, false) => {
            let shown: String = date.chars().take(DATE_CHARS_MAX).collect();
            format!("the task's file is dated {shown} by a local clock that names no offset")
        }
    }
}

fn triggers(task: &Element) -> String {
    let kinds: Vec<&str> = task
        .child("Triggers")
        .map(|triggers| {
            let kinds = triggers.children.iter();
            kinds.map(|trigger| trigger.name.as_str()).collect()
        })
        .unwrap_or_default();
    kinds.join(", ")
}

/// One thing that a task does.
#[derive(Debug, Default)]
struct Action {
    kind: String,
    /// Program and arguments as one line.
    command: String,
    program: String,
    arguments: String,
    folder: String,
    line: u64,
}

impl Action {
    fn of(element: &Element) -> Self {
        let program = match element.name.as_str() {
            "ComHandler" => format!("COM {}", element.text_at(&["ClassId"])),
            _ => element.text_at(&["Command"]).to_owned(),
        };
        let arguments = match element.name.as_str() {
            "ComHandler" => element.text_at(&["Data"]),
            _ => element.text_at(&["Arguments"]),
        };
        Self {
            kind: element.name.clone(),
            command: format!("{program} {arguments}").trim().to_owned(),
            program,
            arguments: arguments.to_owned(),
            folder: element.text_at(&["WorkingDirectory"]).to_owned(),
            line: element.line,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::needless_raw_string_hashes,
        reason = "written so by expect-test"
    )]

    use crate::testing::check;
    use expect_test::expect;

    const PATH: &str = "C:\\Windows\\System32\\Tasks\\Example\\Update";

    fn utf16(text: &str) -> Vec<u8> {
        let text = format!("\u{feff}{text}");
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn task(date: &str, actions: &str) -> String {
        format!(
            r#"<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Date>{date}</Date><Author>EXAMPLE\bob</Author><URI>\Other</URI></RegistrationInfo>
  <Triggers><BootTrigger><Enabled>true</Enabled></BootTrigger><TimeTrigger/></Triggers>
  <Principals><Principal id="Author"><UserId>S-1-5-18</UserId><RunLevel>HighestAvailable</RunLevel></Principal></Principals>
  <Settings><Hidden>true</Hidden></Settings>
  <Actions Context="Author">{actions}</Actions>
</Task>"#
        )
    }

    #[test]
    fn every_action_is_a_record_and_the_task_is_a_fact() {
        let actions = "<Exec><Command>C:\\Tools\\a.exe</Command><Arguments>/x &quot;1&quot;</Arguments></Exec><ComHandler><ClassId>{42}</ClassId></ComHandler>";
        check(
            PATH,
            &utf16(&task("2021-03-03T06:49:00", actions)),
            &["*"],
            expect![[r#"
                kind: windows.task
                source: files:tasks
                records: 2
                  - | line 7 | name=\\Example\\Update | action=Exec | command=C:\\Tools\\a.exe /x "1" | process=C:\\Tools\\a.exe | arguments=/x "1" | author=EXAMPLE\\bob | date=2021-03-03T06:49:00 | user=S-1-5-18 | run_level=HighestAvailable | triggers=BootTrigger, TimeTrigger | hidden=true
                  - | line 7 | name=\\Example\\Update | action=ComHandler | command=COM {42} | process=COM {42} | author=EXAMPLE\\bob | date=2021-03-03T06:49:00 | user=S-1-5-18 | run_level=HighestAvailable | triggers=BootTrigger, TimeTrigger | hidden=true
                rejected: 0
                facts: 1
                  item | {"fact":"persistence","kind":"scheduled_task","name":"\\Example\\Update","command":"C:\\Tools\\a.exe /x \"1\"; COM {42}","changed":null,"clock":"the task's file is dated 2021-03-03T06:49:00 by a local clock that names no offset","author":"EXAMPLE\\bob"}
                gaps: 0
            "#]],
        );
    }

    #[test]
    fn a_date_with_an_offset_is_a_time() {
        let text = task("2021-03-03T06:49:00+01:00", "");
        check(
            "C:\\export\\Update.xml",
            text.as_bytes(),
            &["name", "changed"],
            expect![[r#"
                kind: windows.task
                source: files:tasks
                records: 1
                  2021-03-03T05:49:00Z | line 1 | name=\\Other | changed=2021-03-03T05:49:00Z
                rejected: 0
                facts: 1
                  item | {"fact":"persistence","kind":"scheduled_task","name":"\\Other","command":"","changed":"2021-03-03T05:49:00Z","clock":"the date in the task's file","author":"EXAMPLE\\bob"}
                gaps: 0
            "#]],
        );
    }

    #[test]
    fn damaged_tasks_are_gaps() {
        let text = task("2021-03-03T06:49:00Z", "<Exec><Command>a.exe</Command>");
        let cut = text.find("</Actions>").unwrap();
        check(
            PATH,
            &text.as_bytes()[..cut],
            &["command"],
            expect![[r#"
                kind: windows.task
                source: files:tasks
                records: 1
                  2021-03-03T06:49:00Z | line 7 | command=a.exe
                rejected: 0
                facts: 1
                  item | {"fact":"persistence","kind":"scheduled_task","name":"\\Example\\Update","command":"a.exe","changed":"2021-03-03T06:49:00Z","clock":"the date in the task's file","author":"EXAMPLE\\bob"}
                gaps: 1
                  partial | item | the task is read only in part: it breaks off
            "#]],
        );
        check(
            PATH,
            b"MZ no task",
            &["*"],
            expect![[r#"
            kind: windows.task (by path)
            source: files:tasks
            records: 0
            rejected: 1
              item | not a task
            facts: 0
            gaps: 1
              not_understood | item | this lies where tasks are kept and is none: it holds no XML
        "#]],
        );
    }
}
