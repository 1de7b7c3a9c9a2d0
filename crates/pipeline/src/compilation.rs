//! Watches event logs for a web server that compiles: ASP.NET does so when a page is asked for that is new to it.
//!
//! Windows writes it as a new process (Security 4688, Sysmon 1) that the worker process of IIS starts, Sysmon 11 as a file
//! that it creates: `Temporary ASP.NET Files\{application}\…\{page}.{hash}.compiled`.
//! Events: <https://learn.microsoft.com/previous-versions/windows/it-pro/windows-10/security/threat-protection/auditing/event-4688>
//! and <https://learn.microsoft.com/sysinternals/downloads/sysmon#events>.

use model::{Compilation, Layout, Record};
use std::collections::HashMap;

/// Compilations told of one item; a server that is restarted each day compiles some 100 pages each time.
pub(crate) const COMPILATIONS_MAX: u64 = 5_000;

/// Sources with such events.
const FAMILY: &str = "windows.eventlog";

/// The worker process of IIS.
const WORKER: &str = "w3wp.exe";

/// The compilers of C#, Visual Basic and JScript.
const COMPILERS: [&str; 3] = ["csc.exe", "vbc.exe", "jsc.exe"];

/// The folder for what is compiled, in lower case.
const FOLDER: &str = "\\temporary asp.net files\\";

/// Watches the records of one item.
#[derive(Default)]
pub(crate) struct Compilations {
    /// Whether events of a layout can show a compilation. Looked up only.
    layouts: HashMap<u32, bool>,
}

impl Compilations {
    /// The compilation that a record shows.
    pub(crate) fn look(&mut self, record: &dyn Record) -> Option<Compilation> {
        if record.source().family() != FAMILY {
            return None;
        }
        // Most events are of shapes without these fields: one look-up of a number tells.
        if let Some(layout) = record.layout() {
            let known = self.layouts.entry(layout.id());
            if !*known.or_insert_with(|| may_show(layout)) {
                return None;
            }
        }
        let text = |name: &str| Some(record.get(name)?.to_text().to_lowercase());
        let process = text("Image").or_else(|| text("NewProcessName"))?;
        let process = model::file_name(&process);
        let (path, page) = if process == WORKER {
            let path = text("TargetFilename")?;
            let page = page_of(&path)?.to_owned();
            (path, Some(page))
        } else if COMPILERS.contains(&process) {
            let parent = text("ParentImage").or_else(|| text("ParentProcessName"))?;
            if model::file_name(&parent) != WORKER {
                return None;
            }
            (text("CommandLine").unwrap_or_default(), None)
        } else {
            return None;
        };
        Some(Compilation {
            time: record.time()?,
            application: application_of(&path).unwrap_or_default().to_owned(),
            page,
        })
    }
}

fn may_show(layout: &Layout) -> bool {
    let has = |name: &str| layout.index_of(name).is_some();
    (has("Image") && (has("ParentImage") || has("TargetFilename"))) || has("NewProcessName")
}

/// `page.aspx` of `…\page.aspx.1a2b3c4d.compiled`.
fn page_of(path: &str) -> Option<&str> {
    path.find(FOLDER)?;
    let name = model::file_name(path).strip_suffix(".compiled")?;
    let (page, _hash) = name.rsplit_once('.')?;
    page.contains('.').then_some(page)
}

/// The folder below that for what is compiled.
fn application_of(text: &str) -> Option<&str> {
    let at = text.find(FOLDER)?;
    text.get(at + FOLDER.len()..)?.split('\\').next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{At, SourceName, Timestamp, Value};
    use std::borrow::Cow;

    struct Event(SourceName, Vec<(&'static str, &'static str)>);

    impl Record for Event {
        fn source(&self) -> &SourceName {
            &self.0
        }

        fn time(&self) -> Option<Timestamp> {
            Timestamp::from_second(0).ok()
        }

        fn at(&self) -> At {
            At::Record(1)
        }

        fn get(&self, field: &str) -> Option<Value<'_>> {
            let found = self.1.iter().find(|(name, _)| *name == field);
            found.map(|(_, value)| Value::text(*value))
        }

        fn each_field(&self, visit: &mut dyn FnMut(&str, Value<'_>)) {
            for (name, value) in &self.1 {
                visit(name, Value::text(*value));
            }
        }

        fn raw(&self) -> Cow<'_, str> {
            Cow::Borrowed("")
        }
    }

    fn check(fields: &[(&'static str, &'static str)]) -> Option<String> {
        let event = Event(SourceName::of(FAMILY, "security"), fields.to_vec());
        let seen = Compilations::default().look(&event)?;
        Some(format!("{} {:?}", seen.application, seen.page))
    }

    #[test]
    fn compilers_of_the_web_server_and_descriptions_of_pages_are_compilations() {
        const CSC: &str = r"C:\Windows\Microsoft.NET\Framework64\v4.0.30319\csc.exe";
        const IIS: &str = r"C:\Windows\System32\inetsrv\w3wp.exe";
        const LINE: &str = r#""csc.exe" @"C:\Windows\Microsoft.NET\Framework64\v4.0.30319\Temporary ASP.NET Files\owa\8e05b027\e164d61b\x.cmdline""#;
        const DESCRIPTION: &str = r"C:\Windows\Microsoft.NET\Framework64\v4.0.30319\Temporary ASP.NET Files\root\a\b\Page.aspx.f5dba9b9.compiled";
        let new_process = [
            ("NewProcessName", CSC),
            ("ParentProcessName", IIS),
            ("CommandLine", LINE),
        ];
        assert_eq!(check(&new_process).as_deref(), Some("owa None"));
        let sysmon = [("Image", CSC), ("ParentImage", IIS)];
        assert_eq!(check(&sysmon).as_deref(), Some(" None"));
        let by_hand = [
            ("Image", CSC),
            ("ParentImage", r"C:\Windows\System32\cmd.exe"),
        ];
        assert_eq!(check(&by_hand), None);
        let written = [("Image", IIS), ("TargetFilename", DESCRIPTION)];
        assert_eq!(check(&written).as_deref(), Some("root Some(\"page.aspx\")"));
        let other = [
            ("Image", IIS),
            ("TargetFilename", r"C:\inetpub\logs\x.compiled"),
        ];
        assert_eq!(check(&other), None);
    }
}
