//! What a story leaves on the server: records, and a disk and a configuration that change as it goes on.

use crate::events::Logged;
use crate::files::DiskFile;
use crate::formats::Guid;
use crate::formats::dns::Question;
use crate::formats::exchange::EcpEntry;
use crate::moment::Moment;
use crate::source::Source;
use crate::traffic::Request;
use crate::truth::{Foothold, Step};
use crate::witness::Mark;
use std::collections::BTreeMap;

/// A call in the log of Exchange Web Services.
#[derive(Clone, Debug)]
pub(crate) struct WebServiceCall {
    pub(crate) time: Moment,
    pub(crate) action: String,
    pub(crate) user: String,
    pub(crate) user_agent: String,
    pub(crate) client: String,
    pub(crate) response_bytes: u32,
    pub(crate) id: Guid,
}

/// All that a story leaves behind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traces {
    pub(crate) requests: Vec<Request>,
    pub(crate) control_panel: Vec<EcpEntry>,
    pub(crate) web_service: Vec<WebServiceCall>,
    /// Messages of the offline address book's generator.
    pub(crate) address_book: Vec<(Moment, String)>,
    pub(crate) events: Vec<Logged>,
    /// Names that the network's resolver was asked for.
    pub(crate) questions: Vec<Question>,
    /// Event logs that were emptied, and when.
    pub(crate) cleared: BTreeMap<Source, Moment>,
    pub(crate) changes: Vec<(Moment, Change)>,
    pub(crate) steps: Vec<Step>,
    /// How the records and files of the steps can be recognised.
    pub(crate) marks: Vec<Mark>,
}

/// Something that changes on the server.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A file is written, which may be a foothold, or something harmless that only its owner can explain.
    Write {
        file: DiskFile,
        foothold: Option<Foothold>,
        is_unexplained: bool,
    },
    Remove {
        path: String,
    },
    /// ASP.NET compiles `source`.
    Compile {
        source: String,
        files: Vec<DiskFile>,
    },
    RemoveCompiled {
        source: String,
    },
    SetUp {
        setting: Setting,
        foothold: Foothold,
    },
    /// A setting is taken back.
    Undo {
        path: String,
    },
}

/// A setting of Windows or of the web server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    Service {
        name: String,
        title: String,
        image: String,
        written: Moment,
    },
    Module {
        name: String,
        image: String,
    },
    VirtualDirectory {
        path: String,
        folder: String,
    },
    Account {
        name: String,
    },
}

/// What the changes made of the server, as of one time.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) files: Vec<DiskFile>,
    /// Settings with the path of the foothold that each is.
    pub(crate) settings: Vec<(String, Setting)>,
    pub(crate) footholds: Vec<Foothold>,
    /// Paths of files that only their owner can explain.
    pub(crate) unexplained: Vec<String>,
}

impl Traces {
    /// Adds all of `other`.
    pub(crate) fn append(&mut self, mut other: Self) {
        let steps_before = self.steps.len();
        for mark in &mut other.marks {
            mark.step += steps_before;
        }
        self.marks.append(&mut other.marks);
        self.steps.append(&mut other.steps);
        self.changes.append(&mut other.changes);
        for (source, time) in &other.cleared {
            let last = self.cleared.entry(*source).or_insert(*time);
            *last = (*last).max(*time);
        }
        self.add_records(other);
    }

    /// Adds the records of `other`, but neither its changes nor what it says of the truth.
    pub(crate) fn add_records(&mut self, other: Self) {
        self.requests.extend(other.requests);
        self.control_panel.extend(other.control_panel);
        self.web_service.extend(other.web_service);
        self.address_book.extend(other.address_book);
        self.events.extend(other.events);
        self.questions.extend(other.questions);
    }

    /// The records of before `end`.
    pub(crate) fn until(&self, end: Moment) -> Self {
        let mut traces = self.clone();
        traces.requests.retain(|request| request.time < end);
        traces.control_panel.retain(|entry| entry.time < end);
        traces.web_service.retain(|call| call.time < end);
        traces.address_book.retain(|(time, _)| *time < end);
        traces.events.retain(|logged| logged.time < end);
        traces.questions.retain(|asked| asked.time < end);
        traces.cleared.retain(|_, time| *time < end);
        traces
    }

    /// The server's disk and settings at `end`, as far as the story changed them.
    pub(crate) fn state(&self, end: Moment) -> State {
        let mut changes = self
            .changes
            .iter()
            .filter(|(time, _)| *time < end)
            .collect::<Vec<_>>();
        changes.sort_by_key(|(time, _)| *time);
        let mut state = State::default();
        for (_, change) in changes {
            state.apply(change);
        }
        state
    }
}

impl State {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Write {
                file,
                foothold,
                is_unexplained,
            } => {
                self.files.retain(|known| !same(&known.path, &file.path));
                if *is_unexplained {
                    self.unexplained.push(file.path.clone());
                }
                self.files.push(file.clone());
                if let Some(foothold) = foothold {
                    self.plant(foothold);
                }
            }
            Change::Remove { path } => {
                self.files.retain(|known| !same(&known.path, path));
                self.unexplained.retain(|known| !same(known, path));
                self.uproot(path);
            }
            Change::Compile { source, files } => {
                let paths = files.iter().map(|file| file.path.clone());
                let page = self
                    .footholds
                    .iter_mut()
                    .find(|known| same(&known.path, source));
                if let Some(foothold) = page {
                    foothold.compiled = paths.collect();
                }
                self.files.extend(files.iter().cloned());
            }
            Change::RemoveCompiled { source } => {
                let page = self
                    .footholds
                    .iter()
                    .find(|known| same(&known.path, source));
                let compiled = page.map(|page| page.compiled.clone()).unwrap_or_default();
                self.files.retain(|file| !compiled.contains(&file.path));
            }
            Change::SetUp { setting, foothold } => {
                self.settings.push((foothold.path.clone(), setting.clone()));
                self.plant(foothold);
            }
            Change::Undo { path } => {
                self.settings.retain(|(known, _)| !same(known, path));
                self.uproot(path);
            }
        }
    }

    fn plant(&mut self, foothold: &Foothold) {
        let known = self
            .footholds
            .iter_mut()
            .find(|known| same(&known.path, &foothold.path));
        match known {
            Some(known) => {
                known.sha256.clone_from(&foothold.sha256);
                known.present = true;
            }
            None => self.footholds.push(foothold.clone()),
        }
    }

    fn uproot(&mut self, path: &str) {
        for foothold in &mut self.footholds {
            if same(&foothold.path, path) {
                foothold.present = false;
            }
        }
    }
}

/// Paths of Windows are the same whatever their case.
fn same(one: &str, two: &str) -> bool {
    one.eq_ignore_ascii_case(two)
}
