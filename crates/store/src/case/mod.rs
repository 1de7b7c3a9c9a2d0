//! A case: its folder, its ledger and its objects, and the commits that change them.
//!
//! Objects are written first; then one transaction of the ledger names them. An object that the ledger does not name
//! does not exist for anybody, and is removed when the next run begins. The names of objects that may be written twice hold
//! a part of their hash, so that nothing is ever written over something else.

mod asked;
pub(crate) mod audit;
mod collections;
mod forget;
mod jobs;
mod judgement;
mod listing;
mod run;
mod verify;

pub use asked::Value;
pub use collections::{Added, FileKind, NewCollection, NewFile, NewPart};
pub use forget::Forgotten;
pub use jobs::{Claim, NewJob};
pub use judgement::Changed;
pub use run::Run;
pub use verify::{Broken, Chain, Head, Verified, Wrong};

use crate::CaseError;
use crate::judged::whole;
use crate::ledger::{FORMAT, Ledger, count, meta, set_meta, without_password};
use crate::objects::{Contents, Objects, hex};
use crate::rows::{Bind, ObjectRow};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Name and version of `case.json`.
const DESCRIPTION_FORMAT: &str = "allclear/case/1";

/// Hex digits of an object's hash in its name: two objects of one host and collection do not share them by chance.
const HASH_DIGITS: usize = 12;

/// Where a case keeps its ledger and its objects, where that is not its folder, and how it gets there.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `postgres://user@host/database`. A password may stand in it or in the driver's own places (`PGPASSWORD`, `.pgpass`); it
    /// is never written down.
    pub database_url: Option<String>,
    /// `s3://bucket/prefix`.
    pub store_url: Option<String>,
    /// Options of the store as `object_store` names them, keys and endpoints among them. Never written down.
    pub store_options: BTreeMap<String, String>,
}

/// `case.json`
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Description {
    format: String,
    id: String,
    database: Option<String>,
    store: Option<String>,
}

/// An open case.
///
/// Its functions wait for the database and the store; they must not be called from within a task of an asynchronous runtime.
#[derive(Debug)]
pub struct Case {
    folder: PathBuf,
    id: String,
    pub(crate) ledger: Ledger,
    objects: Objects,
    settings: Settings,
}

impl Case {
    /// Makes a case in a folder, which may exist and must hold none. `now` is in microseconds since 1970.
    pub fn create(folder: &Path, settings: &Settings, now: i64) -> Result<Self, CaseError> {
        if Self::is_case(folder) {
            return Err(CaseError::Exists(folder.to_owned()));
        }
        let runtime = runtime()?;
        make_folder(folder)?;
        let description = Description {
            format: DESCRIPTION_FORMAT.to_owned(),
            id: new_id()?,
            database: settings.database_url.as_deref().map(without_password),
            store: settings.store_url.clone(),
        };
        let (ledger, objects) = connect(runtime, folder, &description, settings)?;
        ledger.migrate(ledger.format()?)?;
        let id = description.id.clone();
        // A ledger without any collection was left by a creation that was cut off; the case takes its id.
        let id = ledger.write(async |connection| {
            if let Some(id) = meta(connection, "id").await? {
                let collections =
                    count(connection, "SELECT COUNT(*) FROM collections", vec![]).await?;
                if collections > 0 {
                    return Err(CaseError::OtherCase {
                        found: id,
                        expected: "that is being made".to_owned(),
                    });
                }
                return Ok(id);
            }
            set_meta(connection, "id", &id).await?;
            set_meta(connection, "created", &now.to_string()).await?;
            audit::append(connection, now, "created", &json!({ "case": id })).await?;
            Ok(id)
        })?;
        let description = Description { id, ..description };
        Self::describe(folder, &description, ledger, objects, settings)
    }

    /// Opens the case of a folder. What the settings name goes before what the case remembers.
    pub fn open(folder: &Path, settings: &Settings) -> Result<Self, CaseError> {
        let path = folder.join("case.json");
        if !path.is_file() {
            return Err(CaseError::NoCase(folder.to_owned()));
        }
        let mut text = String::new();
        let file = File::options().read(true).open(&path);
        file.and_then(|mut file| file.read_to_string(&mut text))
            .map_err(CaseError::file(&path))?;
        let description: Description = serde_json::from_str(&text)
            .map_err(|source| CaseError::Description { path, source })?;
        if description.format != DESCRIPTION_FORMAT {
            return Err(CaseError::Newer {
                found: description.format,
                known: FORMAT,
            });
        }
        let (ledger, objects) = connect(runtime()?, folder, &description, settings)?;
        let format = ledger.format()?;
        if format == 0 {
            return Err(CaseError::NoCase(folder.to_owned()));
        }
        ledger.migrate(format)?;
        let found = ledger.read(async |connection| meta(connection, "id").await)?;
        let found = found.unwrap_or_default();
        if found != description.id {
            return Err(CaseError::OtherCase {
                found,
                expected: description.id,
            });
        }
        make_folder(&folder.join("staging"))?;
        Ok(Self {
            folder: folder.to_owned(),
            id: found,
            ledger,
            objects,
            settings: described(&description, settings),
        })
    }

    /// Makes `folder` another way into a case whose ledger and objects lie elsewhere: for a further machine.
    pub fn join(folder: &Path, settings: &Settings) -> Result<Self, CaseError> {
        if Self::is_case(folder) {
            return Self::open(folder, settings);
        }
        let mut description = Description {
            format: DESCRIPTION_FORMAT.to_owned(),
            id: String::new(),
            database: settings.database_url.as_deref().map(without_password),
            store: settings.store_url.clone(),
        };
        if description.database.is_none() {
            return Err(CaseError::NoCase(folder.to_owned()));
        }
        make_folder(folder)?;
        let (ledger, objects) = connect(runtime()?, folder, &description, settings)?;
        let format = ledger.format()?;
        if format == 0 {
            return Err(CaseError::NoCase(folder.to_owned()));
        }
        ledger.migrate(format)?;
        let id = ledger.read(async |connection| meta(connection, "id").await)?;
        description.id = id.ok_or_else(|| CaseError::NoCase(folder.to_owned()))?;
        Self::describe(folder, &description, ledger, objects, settings)
    }

    /// Whether the folder holds a case.
    pub fn is_case(folder: &Path) -> bool {
        folder.join("case.json").is_file()
    }

    /// Writes `case.json`, which makes the folder a case.
    fn describe(
        folder: &Path,
        description: &Description,
        ledger: Ledger,
        objects: Objects,
        settings: &Settings,
    ) -> Result<Self, CaseError> {
        make_folder(&folder.join("staging"))?;
        let path = folder.join("case.json");
        let text =
            serde_json::to_string_pretty(description).map_err(|source| CaseError::Description {
                path: path.clone(),
                source,
            })?;
        let files = Objects::folder(Arc::clone(&ledger.runtime), folder.to_owned())?;
        files.put_bytes("case.json", (text + "\n").as_bytes())?;
        Ok(Self {
            folder: folder.to_owned(),
            id: description.id.clone(),
            ledger,
            objects,
            settings: described(description, settings),
        })
    }

    /// A random name that no other case has.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where its ledger and its objects are, and how this process gets there.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where a run keeps what it has in hand. Emptied when a run begins.
    pub fn staging(&self) -> PathBuf {
        self.folder.join("staging")
    }

    /// The objects themselves; the ledger says which of them exist.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// A note that a run left for the next one.
    pub fn meta(&self, key: &str) -> Result<Option<String>, CaseError> {
        self.ledger
            .read(async |connection| meta(connection, &note(key)).await)
    }

    /// Leaves a note for the next run.
    pub fn set_meta(&self, key: &str, value: &str) -> Result<(), CaseError> {
        self.ledger
            .write(async |connection| set_meta(connection, &note(key), value).await)
    }

    /// Notes that something was done with the case.
    pub fn note(&self, what: &str, detail: &serde_json::Value, now: i64) -> Result<(), CaseError> {
        self.ledger
            .write(async |connection| audit::append(connection, now, what, detail).await)
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        let runtime = Arc::clone(&self.ledger.runtime);
        runtime.block_on(self.ledger.pool.close());
    }
}

fn runtime() -> Result<Arc<Runtime>, CaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    Ok(Arc::new(
        runtime.map_err(CaseError::file(Path::new("threads")))?,
    ))
}

fn connect(
    runtime: Arc<Runtime>,
    folder: &Path,
    description: &Description,
    settings: &Settings,
) -> Result<(Ledger, Objects), CaseError> {
    let named = settings.store_url.as_ref().or(description.store.as_ref());
    let objects = match named {
        Some(url) => Objects::at(Arc::clone(&runtime), url, &settings.store_options)?,
        None => Objects::folder(Arc::clone(&runtime), folder.join("objects"))?,
    };
    let named = settings
        .database_url
        .as_ref()
        .or(description.database.as_ref());
    let url = if let Some(url) = named {
        url.clone()
    } else {
        let path = folder.join("case.sqlite");
        Ledger::sqlite_url(&std::path::absolute(&path).map_err(CaseError::file(&path))?)
    };
    Ok((Ledger::connect(runtime, &url)?, objects))
}

/// What the settings name, or else what the case remembers.
fn described(description: &Description, settings: &Settings) -> Settings {
    let settings = settings.clone();
    Settings {
        database_url: settings
            .database_url
            .or_else(|| description.database.clone()),
        store_url: settings.store_url.or_else(|| description.store.clone()),
        store_options: settings.store_options,
    }
}

fn make_folder(folder: &Path) -> Result<(), CaseError> {
    std::fs::create_dir_all(folder).map_err(CaseError::file(folder))
}

fn new_id() -> Result<String, CaseError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|source| {
        CaseError::file(Path::new("random numbers"))(std::io::Error::other(source))
    })?;
    Ok(hex(&bytes))
}

fn short(hash: &str) -> &str {
    hash.get(..HASH_DIGITS).unwrap_or(hash)
}

fn object_row(name: String, kind: &str, contents: &Contents) -> ObjectRow {
    ObjectRow {
        name,
        kind: kind.to_owned(),
        bytes: whole(contents.bytes),
        sha256: contents.sha256.clone(),
        ..ObjectRow::default()
    }
}

/// A text as a value of a statement.
fn text(value: &str) -> Bind {
    crate::rows::Cell::bind(&value.to_owned())
}

fn integer(value: i64) -> Bind {
    Bind::Integer(Some(value))
}

/// Notes of runs stand apart from what describes the case.
fn note(key: &str) -> String {
    format!("note:{key}")
}
