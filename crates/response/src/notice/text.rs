//! The words of a notice: frames of ours, and in them what a campaign's pack says about itself.
//!
//! What a template can say is decided before it runs: [`View`] holds no more than the reader may know, so that no template,
//! however it is written, tells a provider of a shell.

use super::facts::{Server, Subject};
use super::route::{Level, looks_after};
use crate::registry::Registry;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use store::response::ContactRow;

/// Servers that stand in the text itself; where there are more, all of them are in the table beside it.
const LISTED_MAX: usize = 20;
/// Longer values are cut: no name of a server or an organisation is longer.
const VALUE_MAX: usize = 300;
/// A subject that mail programs show whole.
const SUBJECT_MAX: usize = 160;

macro_rules! frames {
    ($($name:literal),+) => {
        &[$(($name, include_str!(concat!("../../../../knowledge/notices/", $name, ".txt")))),+]
    };
}

/// Our frames, and what is said of a campaign that says nothing itself.
const BUILTIN: &[(&str, &str)] = frames![
    "notice.en",
    "notice.de",
    "reminder.en",
    "reminder.de",
    "retraction.en",
    "retraction.de",
    "administrator.en",
    "administrator.de",
    "manager.en",
    "manager.de"
];

/// The language that there is everything in.
const FALLBACK: &str = "en";

/// Who writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sender {
    /// Of the organisation that sends.
    pub name: String,
    /// The page on which a recipient can look a code up.
    pub verify: String,
    /// A telephone number for the same.
    pub phone: String,
}

/// What a notice says of the occasion.
#[derive(Clone, Debug, Default)]
pub struct Occasion {
    pub code: String,
    pub campaign: String,
    pub now: i64,
    /// Of a reminder or retraction: the code of the first notice, when it was sent, its state.
    pub parent: Option<(String, i64, String)>,
    /// Of a retraction: what was wrong.
    pub why: String,
}

/// A server, as those who may know of it read of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SeenServer {
    pub name: String,
    pub vulnerable: bool,
    pub exploited: bool,
    pub web_shell: bool,
    pub seen: Option<String>,
}

/// The same for a verified owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnServer {
    #[serde(flatten)]
    pub server: SeenServer,
    pub shells: Vec<String>,
}

/// An organisation with its servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told<S> {
    pub name: String,
    pub country: String,
    pub servers: Vec<S>,
}

/// What the reader of a notice may know, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    Full(Vec<Told<OwnServer>>),
    Servers(Vec<Told<SeenServer>>),
    /// Addresses, and when anybody last spoke of them.
    Minimum(BTreeMap<String, Option<String>>),
    /// How many servers.
    Bare(usize),
}

impl View {
    /// What may be known at a level of these organisations, each with the contact that is written to for it.
    pub fn of(level: Level, registry: &Registry, subjects: &[(&Subject, &ContactRow)]) -> Self {
        match level {
            Level::Full => Self::Full(told(registry, subjects, |name, server| OwnServer {
                server: seen_server(name, server),
                shells: server.shells.iter().map(|shell| harmless(shell)).collect(),
            })),
            Level::Servers => Self::Servers(told(registry, subjects, seen_server)),
            Level::Minimum => {
                let mut addresses = BTreeMap::new();
                for (subject, contact) in subjects {
                    for ((kind, value), server) in &subject.servers {
                        if looks_after(contact, *kind, value) {
                            addresses.insert(harmless(value), server.seen.and_then(super::day));
                        }
                    }
                }
                Self::Minimum(addresses)
            }
            Level::Bare => Self::Bare(
                subjects
                    .iter()
                    .map(|(subject, _)| subject.servers.len())
                    .sum(),
            ),
        }
    }

    /// How many servers it is about.
    pub fn servers(&self) -> usize {
        match self {
            Self::Full(all) => all.iter().map(|told| told.servers.len()).sum(),
            Self::Servers(all) => all.iter().map(|told| told.servers.len()).sum(),
            Self::Minimum(all) => all.len(),
            Self::Bare(count) => *count,
        }
    }

    /// All of it as a table, where the text cannot list it. A verified owner reads everything in the text, however much.
    pub fn table(&self) -> Option<String> {
        let mut rows: Vec<Vec<&str>> = Vec::new();
        match self {
            Self::Full(_) | Self::Bare(_) => return None,
            Self::Servers(all) => {
                if self.servers() <= LISTED_MAX {
                    return None;
                }
                rows.push(vec!["organisation", "country", "server", "known", "seen"]);
                for told in all {
                    for server in &told.servers {
                        let known = match server {
                            SeenServer {
                                web_shell: true, ..
                            } => "web_shell",
                            SeenServer {
                                exploited: true, ..
                            } => "exploited",
                            _ => "vulnerable",
                        };
                        let seen = server.seen.as_deref().unwrap_or_default();
                        rows.push(vec![&told.name, &told.country, &server.name, known, seen]);
                    }
                }
            }
            Self::Minimum(all) => {
                if all.len() <= LISTED_MAX {
                    return None;
                }
                rows.push(vec!["server", "seen"]);
                for (name, seen) in all {
                    rows.push(vec![name, seen.as_deref().unwrap_or_default()]);
                }
            }
        }
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in rows {
            let cells = row.into_iter().map(|cell| report::spreadsheet_cell(cell));
            let cells: Vec<Cow<'_, str>> = cells.collect();
            writer
                .write_record(cells.iter().map(|cell| cell.as_bytes()))
                .expect("memory takes all, and rows are of one width");
        }
        let bytes = writer.into_inner().expect("memory takes all");
        Some(String::from_utf8(bytes).expect("it was made of text"))
    }
}

fn told<S>(
    registry: &Registry,
    subjects: &[(&Subject, &ContactRow)],
    server: impl Fn(&str, &Server) -> S,
) -> Vec<Told<S>> {
    subjects
        .iter()
        .map(|(subject, _)| {
            let row = registry
                .organisation(&subject.organisation)
                .map(|organisation| &organisation.row);
            let servers = subject.servers.iter();
            Told {
                name: harmless(row.map_or(subject.organisation.as_str(), |row| row.name.as_str())),
                country: harmless(row.and_then(|row| row.country.as_deref()).unwrap_or("")),
                servers: servers
                    .map(|((_, value), facts)| server(value, facts))
                    .collect(),
            }
        })
        .collect()
}

fn seen_server(name: &str, server: &Server) -> SeenServer {
    SeenServer {
        name: harmless(name),
        vulnerable: server.vulnerable,
        exploited: server.exploited,
        web_shell: server.web_shell,
        seen: server.seen.and_then(super::day),
    }
}

/// A value from outside as it may stand in a notice: in one line, nothing hidden, and no link that could be followed.
pub fn harmless(text: &str) -> String {
    let text = report::visible(text.trim());
    let text = text.replace("://", "[://]");
    match text.char_indices().nth(VALUE_MAX) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
        None => text,
    }
}

/// Which words are taken.
#[derive(Clone, Copy, Debug)]
pub struct Style<'a> {
    /// `notice`, `reminder` or `retraction`.
    pub kind: &'a str,
    pub audience: &'a str,
    pub language: &'a str,
}

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    #[error("{template}: {source}")]
    Template {
        template: String,
        source: minijinja::Error,
    },
    #[error("{0}: a template must not hold a link; how to check the sender is said by the frame")]
    Link(String),
    #[error("{0}: the first line must be `Title: …`, and an empty line must follow")]
    Title(String),
    #[error("{0}: the first line must be `Subject: …`, and an empty line must follow")]
    Subject(String),
}

/// A text that can be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    pub subject: String,
    pub body: String,
    pub attachment: Option<String>,
}

/// The templates that hold for one campaign.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    names: BTreeSet<String>,
}

impl Templates {
    /// Our own frames, and texts of a campaign by `AUDIENCE.LANGUAGE`; a text of that name replaces ours, and so does one
    /// with the name of a frame.
    pub fn new(texts: &BTreeMap<String, String>) -> Result<Self, TextError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        environment.set_syntax(syntax.expect("the usual marks are good ones"));
        let mut all: BTreeMap<&str, &str> = BUILTIN.iter().copied().collect();
        all.extend(
            texts
                .iter()
                .map(|(name, text)| (name.as_str(), text.as_str())),
        );
        for (name, text) in &all {
            if text.contains("://") || text.to_ascii_lowercase().contains("www.") {
                return Err(TextError::Link((*name).to_owned()));
            }
            environment
                .add_template_owned((*name).to_owned(), text.replace("\r\n", "\n"))
                .map_err(|source| TextError::Template {
                    template: (*name).to_owned(),
                    source,
                })?;
        }
        Ok(Self {
            environment,
            names: all.into_keys().map(str::to_owned).collect(),
        })
    }

    /// The language to write in: the one wanted, or what there is everything in.
    pub fn language(&self, wanted: Option<&str>) -> String {
        let wanted = wanted.unwrap_or(FALLBACK).to_ascii_lowercase();
        let primary = wanted.split(['-', '_']).next().unwrap_or(FALLBACK);
        let there = ["notice", "reminder", "retraction"]
            .iter()
            .all(|frame| self.names.contains(&format!("{frame}.{primary}")));
        if there { primary } else { FALLBACK }.to_owned()
    }

    /// Writes a notice.
    pub fn write(
        &self,
        style: &Style<'_>,
        level: Level,
        view: &View,
        sender: &Sender,
        occasion: &Occasion,
    ) -> Result<Text, TextError> {
        let Style {
            kind,
            audience,
            language,
        } = *style;
        let frame = format!("{kind}.{language}");
        let about = [language, FALLBACK]
            .iter()
            .map(|language| format!("{audience}.{language}"))
            .find(|name| self.names.contains(name))
            .unwrap_or_else(|| format!("administrator.{FALLBACK}"));
        let about_text = self.render(
            &about,
            &serde_json::json!({ "campaign": harmless(&occasion.campaign) }),
        )?;
        let (title, about_text) =
            headed(&about_text, "Title:").ok_or_else(|| TextError::Title(about.clone()))?;
        let servers = view.servers();
        let mut context = serde_json::json!({
            "code": occasion.code,
            "campaign": harmless(&occasion.campaign),
            "title": title,
            "about": about_text,
            "date": super::day(occasion.now),
            "audience": audience,
            "level": level.name(),
            "tlp": level.tlp(),
            "sender": sender,
            "servers": servers,
            "listed": servers <= LISTED_MAX || level == Level::Full,
            "why": harmless(&occasion.why),
        });
        if let Some(map) = context.as_object_mut() {
            let (code, time, state) = occasion.parent.clone().unwrap_or_default();
            map.insert(
                "parent".to_owned(),
                serde_json::json!({
                    "code": code,
                    "date": if code.is_empty() { None } else { super::day(time) },
                    "state": state,
                }),
            );
            let (name, value) = match view {
                View::Full(all) => ("organisations", serde_json::to_value(all)),
                View::Servers(all) => ("organisations", serde_json::to_value(all)),
                View::Minimum(all) => {
                    let rows = all
                        .iter()
                        .map(|(name, seen)| serde_json::json!({ "name": name, "seen": seen }));
                    ("addresses", Ok(rows.collect()))
                }
                View::Bare(_) => ("addresses", Ok(serde_json::Value::Null)),
            };
            map.insert(name.to_owned(), value.expect("plain data is JSON"));
        }
        let text = self.render(&frame, &context)?;
        let (subject, body) =
            headed(&text, "Subject:").ok_or_else(|| TextError::Subject(frame.clone()))?;
        Ok(Text {
            subject: report::visible(subject).chars().take(SUBJECT_MAX).collect(),
            body: tidied(body),
            attachment: view.table(),
        })
    }

    fn render(&self, name: &str, context: &serde_json::Value) -> Result<String, TextError> {
        let failed = |source| TextError::Template {
            template: name.to_owned(),
            source,
        };
        let template = self.environment.get_template(name).map_err(failed)?;
        template.render(Serde(context)).map_err(failed)
    }
}

/// The rest of the first line behind a word, and what follows the empty line below it.
fn headed<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let (head, body) = text.split_once("\n\n")?;
    let value = head.strip_prefix(word)?.trim();
    (!value.is_empty() && !value.contains('\n')).then_some((value, body.trim()))
}

/// No blanks at the end of lines, no more than one empty line in a row, one line feed at the end.
fn tidied(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    let mut empty = 0;
    for line in text.trim().lines() {
        let line = line.trim_end();
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty < 2 {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}
