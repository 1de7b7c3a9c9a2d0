//! Who plays in a story, and what they do: chapters of steps, and the texts that vary by the actor's seed.
//!
//! Texts are templates: names in braces stand for what was drawn, or for what the server is called. Nothing of a campaign
//! stands in this file: see `actors.json` and `chapters.json` in `packs/NAME/range`, and in `scenarios/common`.

use super::scenario::Act;
use crate::Error;
use crate::library::library;
use crate::names::Message;
use crate::random::Random;
use crate::server::{Server, internet};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Files of a campaign, and of what campaigns share.
const ACTORS: &str = "actors.json";
const CHAPTERS: &str = "chapters.json";

/// Names within names are replaced this deep.
const NAME_DEPTH: usize = 8;

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const MIXED: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const CANARY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
const DIGITS: &str = "0123456789";
const HEX: &str = "0123456789abcdef";

/// For some actors and choices, the name of a special list to draw from.
pub(crate) type Draws = BTreeMap<String, BTreeMap<String, String>>;

/// All chapters, and all that actors choose from.
#[derive(Debug)]
pub(crate) struct Cast {
    actors: Actors,
    chapters: BTreeMap<String, Chapter>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Actors {
    #[serde(rename = "about")]
    _about: String,
    /// Lists of texts, or of objects whose members are texts; an actor draws one of each.
    choices: BTreeMap<String, Vec<Value>>,
    /// Lists that a scenario may name to draw from instead.
    special: BTreeMap<String, Vec<Value>>,
    /// Texts that are put together from others.
    joined: BTreeMap<String, Value>,
}

/// A part of a story.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chapter {
    /// Whether it can happen only while the weakness is open.
    #[serde(default)]
    pub(crate) uses_weakness: bool,
    /// Whether it closes the way in, so that whatever uses the weakness has happened before.
    #[serde(default)]
    pub(crate) closes_weakness: bool,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) title: String,
    /// A stage of the campaign; anything else, such as `response`, is no step of an intrusion.
    pub(crate) stage: String,
    /// Seconds after the step before, drawn from this range.
    pub(crate) wait: (i64, i64),
    /// How often the step happens, one after the other.
    #[serde(default = "once")]
    pub(crate) repeat: (u32, u32),
    pub(crate) records: Vec<Record>,
}

fn web_roots() -> crate::Source {
    crate::Source::WebRoots
}

fn success() -> u16 {
    200
}

fn once() -> (u32, u32) {
    (1, 1)
}

/// What a step leaves behind. Texts are templates.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Record {
    /// A request at the web server, in all logs that record it.
    Request(Box<RequestRecord>),
    /// A request of the actor that the front end relays to the back end in its own name.
    Relay {
        /// The path on the back end.
        to: String,
        #[serde(default)]
        query: String,
        #[serde(default = "success")]
        status: u16,
        #[serde(default)]
        response_bytes: Option<(i64, i64)>,
    },
    /// A command in the control panel's log.
    ControlPanel {
        command: String,
        url: String,
        #[serde(default)]
        error: String,
        #[serde(default)]
        is_hint: bool,
    },
    /// A cmdlet in the management event log.
    Cmdlet {
        cmdlet: String,
        parameters: String,
        #[serde(default)]
        by: By,
        #[serde(default)]
        is_hint: bool,
    },
    /// A file that appears, with the traces of its writing.
    File(Box<FileRecord>),
    /// A file that disappears.
    Remove { path: String },
    /// What ASP.NET compiled of a page disappears.
    RemoveCompiled { source: String },
    /// A page that ASP.NET compiles on its first request.
    Compiled {
        page: String,
        application: String,
        source: String,
        /// What the compiler leaves in the assembly: names of types, separated by spaces, and texts of the page.
        names: Value,
        literals: Vec<String>,
    },
    /// A process that another one starts: a worker process of the web server, unless another is named.
    Process {
        image: String,
        command_line: String,
        #[serde(default)]
        pool: String,
        #[serde(default)]
        parent: String,
        #[serde(default)]
        is_hint: bool,
    },
    /// An event of Windows Defender.
    Defender {
        id: u16,
        threat: String,
        path: String,
    },
    /// A call in the log of Exchange Web Services.
    WebService {
        action: String,
        response_bytes: (i64, i64),
    },
    /// A message in the log of the offline address book's generator.
    AddressBook { message: String },
    /// A name that a program on the server asks of the DNS.
    NameAsked {
        name: String,
        answers: Vec<String>,
        image: String,
    },
    /// What a backdoor tells its operators in names that it asks for, by the scheme of the campaign's `names.json`.
    VictimName {
        message: Message,
        answers: Vec<String>,
        image: String,
    },
    /// An error of the Unified Messaging service.
    UnifiedMessaging { message: String },
    /// A service that is installed.
    Service {
        name: String,
        title: String,
        image: String,
    },
    /// A task that is registered.
    Task {
        name: String,
        author: String,
        command: String,
        arguments: String,
    },
    /// A native module of the web server.
    Module { name: String, image: String },
    /// A virtual directory of the web site that faces the internet.
    VirtualDirectory { path: String, folder: String },
    /// A local account that becomes an administrator.
    Account { name: String },
    /// Something that was set up is taken away: a service, a module, a virtual directory, an account.
    Undo { path: String },
    /// An event log that is emptied.
    LogCleared { source: crate::Source },
}

/// Who runs a cmdlet.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    #[default]
    ControlPanel,
    Administrator,
}

/// How a file comes to be written, which decides what records its writing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Writer {
    /// The product itself, through its own administrative share.
    #[default]
    Share,
    /// The web server's worker process.
    Worker,
    /// A command interpreter.
    Command,
    /// Somebody at the console.
    Explorer,
    /// Another computer, through the administrative share, with an administrator's password.
    Remote,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileRecord {
    pub(crate) path: String,
    /// A text, or the parts of one put together.
    pub(crate) text: Value,
    /// What it is to an intruder; empty where nothing.
    #[serde(default)]
    pub(crate) foothold: String,
    #[serde(default)]
    pub(crate) writer: Writer,
    /// The program that writes it, where it is not the writer's usual one.
    #[serde(default)]
    pub(crate) image: String,
    /// Which kind of evidence holds it.
    #[serde(default = "web_roots")]
    pub(crate) source: crate::Source,
    /// Makes it a program that cannot run, with these names and texts in its metadata, in the place of the text.
    #[serde(default)]
    pub(crate) assembly: Option<AssemblyRecord>,
    /// How many days older than it is the file pretends to be.
    #[serde(default)]
    pub(crate) older_days: (i64, i64),
    /// Bytes of noise after the text, for archives and dumps.
    #[serde(default)]
    pub(crate) noise_bytes: (i64, i64),
    /// Whether the file points to what happened without proving it.
    #[serde(default)]
    pub(crate) is_hint: bool,
    /// Whether the file is harmless, and only its owner can tell.
    #[serde(default)]
    pub(crate) is_unexplained: bool,
}

/// What stands in the metadata of a program. Texts may be in parts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssemblyRecord {
    /// Types and members, separated by spaces.
    pub(crate) names: Value,
    pub(crate) literals: Vec<Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestRecord {
    /// The number of the web site; the one that people ask where absent.
    #[serde(default)]
    pub(crate) site: Option<u32>,
    #[serde(default)]
    pub(crate) protocol: String,
    pub(crate) method: String,
    pub(crate) stem: String,
    #[serde(default)]
    pub(crate) query: String,
    /// Who signed in; empty for nobody.
    #[serde(default)]
    pub(crate) user: String,
    #[serde(default)]
    pub(crate) anchor: String,
    #[serde(default)]
    pub(crate) hint: String,
    pub(crate) agent: String,
    pub(crate) client: String,
    pub(crate) status: Value,
    #[serde(default)]
    pub(crate) error: String,
    #[serde(default)]
    pub(crate) response_bytes: Option<(i64, i64)>,
    #[serde(default)]
    pub(crate) target: Option<String>,
    #[serde(default)]
    pub(crate) backend: Option<BackendRecord>,
    /// Whether its rows point to what happened without proving it.
    #[serde(default)]
    pub(crate) is_hint: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackendRecord {
    pub(crate) stem: String,
    #[serde(default)]
    pub(crate) query: String,
    pub(crate) status: u16,
}

impl Cast {
    /// The cast of a campaign: what campaigns share, and its own, which takes the place of a shared list or chapter of
    /// the same name.
    pub(crate) fn new(campaign: &str) -> Result<Self, Error> {
        let library = library();
        let texts = |file: &str| [library.shared(file), library.of_campaign(campaign, file)];
        let mut cast = Self {
            actors: Actors::default(),
            chapters: BTreeMap::new(),
        };
        for text in texts(ACTORS).into_iter().flatten() {
            let actors: Actors = serde_json::from_str(text)?;
            cast.actors.choices.extend(actors.choices);
            cast.actors.special.extend(actors.special);
            cast.actors.joined.extend(actors.joined);
        }
        for text in texts(CHAPTERS).into_iter().flatten() {
            let chapters: BTreeMap<String, Chapter> = serde_json::from_str(text)?;
            cast.chapters.extend(chapters);
        }
        Ok(cast)
    }

    pub(crate) fn chapters(&self, act: &Act) -> Result<Vec<&Chapter>, Error> {
        act.chapters
            .iter()
            .map(|name| {
                self.chapters
                    .get(name)
                    .ok_or_else(|| Error::Chapter(name.clone()))
            })
            .collect()
    }

    /// What the names in braces stand for where `act` happens. `draws` names lists that actors draw from instead of the
    /// usual ones, and `seed` tells the seed of an actor.
    pub(crate) fn names(
        &self,
        act: &Act,
        draws: &Draws,
        server: &Server,
        seed: &dyn Fn(&str) -> u64,
    ) -> Result<Names, Error> {
        let mut names = self.names_of(&act.actor, draws, server, seed)?;
        for (alias, actor) in &act.cast {
            if *actor != act.actor {
                let other = self.names_of(actor, draws, server, seed)?;
                names.others.insert(alias.clone(), other);
            }
        }
        Ok(names)
    }

    fn names_of(
        &self,
        actor: &str,
        draws: &Draws,
        server: &Server,
        seed: &dyn Fn(&str) -> u64,
    ) -> Result<Names, Error> {
        let seed = seed(actor);
        let mut names = Names::of_server(server, seed);
        let mut random = Random::new(seed, "addresses", 0);
        names.set("actor", internet::intruder(&mut random));
        names.set("visitor", internet::visitor(&mut random));
        names.set("scanner", internet::scanner(&mut random));
        for (name, usual) in &self.actors.choices {
            let special = draws.get(actor).and_then(|draws| draws.get(name));
            let choices = match special {
                None => usual,
                Some(special) => self
                    .actors
                    .special
                    .get(special)
                    .ok_or_else(|| Error::Choice(special.clone()))?,
            };
            // Each choice has a stream of its own, so that a new choice changes none of the others.
            match Random::new(seed, name, 0).pick(choices) {
                Value::Object(members) => {
                    for (member, value) in members {
                        names.set(&format!("{name}.{member}"), joined(value));
                    }
                }
                value => names.set(name, joined(value)),
            }
        }
        for (name, value) in &self.actors.joined {
            names.set(name, joined(value));
        }
        Ok(names)
    }
}

/// What names in braces stand for.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    seed: u64,
    texts: BTreeMap<String, String>,
    /// The names of other actors, as `{actor/name}`.
    others: BTreeMap<String, Names>,
}

impl Names {
    /// What the names stand for on any server; random texts are those of `seed`.
    pub(crate) fn of_server(server: &Server, seed: u64) -> Self {
        let [major, minor, build, revision] = server.before.0;
        let administrator = &server.users[0];
        let texts = [
            ("host", server.host.clone()),
            ("fqdn", server.full_name.clone()),
            ("public", server.public.clone()),
            ("domain", server.domain.clone()),
            ("netbios", server.netbios.clone()),
            ("install", server.install.clone()),
            ("oab", server.oab.to_string()),
            (
                "version",
                format!("{major}.{minor} (Build {build}.{revision})"),
            ),
            ("admin_sid", format!("{}-500", server.domain_sid)),
            ("admin_desk", administrator.desk.clone()),
            ("admin_browser", administrator.browser.clone()),
            ("person", server.users[1].name.clone()),
            ("canary", Random::new(seed, "canary", 0).text(CANARY, 76)),
        ];
        Self {
            seed,
            texts: texts
                .map(|(name, value)| (name.to_owned(), value))
                .into_iter()
                .collect(),
            others: BTreeMap::new(),
        }
    }

    /// Gives a name a meaning that depends on the moment.
    pub(crate) fn set(&mut self, name: &str, value: String) {
        self.texts.insert(name.to_owned(), value);
    }

    /// Replaces the names in braces. What is not a name stays, as scripts have braces of their own.
    pub(crate) fn fill(&self, template: &str) -> String {
        let mut text = template.to_owned();
        for _ in 0..NAME_DEPTH {
            let filled = self.fill_once(&text);
            if filled == text {
                break;
            }
            text = filled;
        }
        text
    }

    fn fill_once(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            filled.push_str(&rest[..open]);
            rest = &rest[open..];
            let value = rest
                .find('}')
                .and_then(|close| Some((close, self.value(&rest[1..close])?)));
            if let Some((close, value)) = value {
                filled.push_str(&value);
                rest = &rest[close + 1..];
            } else {
                filled.push('{');
                rest = &rest[1..];
            }
        }
        filled.push_str(rest);
        filled
    }

    fn value(&self, name: &str) -> Option<String> {
        if let Some((actor, name)) = name.split_once('/') {
            // An actor's own names within the text are that actor's too.
            let other = self.others.get(actor)?;
            return Some(other.fill(&other.value(name)?));
        }
        if let Some(text) = self.texts.get(name) {
            return Some(text.clone());
        }
        self.random_text(name)
    }

    /// `{lower8:shell}`: eight small letters, the same wherever the word behind the colon is the same.
    fn random_text(&self, name: &str) -> Option<String> {
        let (kind, label) = name.split_once(':')?;
        let digits = kind.find(|character: char| character.is_ascii_digit())?;
        let (alphabet, length) = kind.split_at(digits);
        let alphabet = match alphabet {
            "lower" => LOWER,
            "mixed" => MIXED,
            "canary" => CANARY,
            "digits" => DIGITS,
            "hex" => HEX,
            _ => return None,
        };
        let length = length
            .parse::<usize>()
            .ok()
            .filter(|length| *length < 200)?;
        Some(Random::new(self.seed, label, 0).text(alphabet, length))
    }
}

/// A text, or the parts of one put together.
pub(crate) fn joined(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(joined).collect(),
        other => other.to_string(),
    }
}
