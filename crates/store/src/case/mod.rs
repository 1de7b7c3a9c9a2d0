//! A case: its folder, its ledger and its objects, and the commits that change them.
//!
//! Objects are written first; then one transaction of the ledger names them. An object that the ledger does not name
//! does not exist for anybody, and is removed when the next run begins. The names of objects that may be written twice hold
//! a part of their hash, so that nothing is ever written over something else.

mod again;
mod asked;
mod audit;
mod forget;
mod jobs;
mod verify;

pub use asked::Value;
pub use forget::Forgotten;
pub use jobs::{Claim, NewJob};
pub use verify::Verified;

use crate::CaseError;
use crate::judged::{Judged, whole};
use crate::ledger::{
    FORMAT, Kind, Ledger, RUN_LOCK, count, execute, insert, many, meta, one, set_meta,
    without_password,
};
use crate::objects::{Contents, LocalObject, Objects, hex, host_key};
use crate::rows::{
    AuditRow, Bind, CollectionRow, CoverageRow, FindingRow, GapRow, HostRow, JobRow, LocationRow,
    ObjectRow, PartRow, TakenRow, VerdictRow,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::{AnyConnection, Connection};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
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
    ledger: Ledger,
    objects: Objects,
}

/// The right to work on a case, which one run has at a time. It ends when this is dropped, or its process dies.
#[derive(Debug)]
pub struct Run {
    _lock: File,
    /// The connection that holds PostgreSQL's lock.
    session: Option<(Arc<Runtime>, sqlx::AnyConnection)>,
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some((runtime, session)) = self.session.take() {
            // The server gives the lock back in any case when the connection is gone.
            let _closed = runtime.block_on(session.close());
        }
    }
}

/// A collection that was read.
#[derive(Clone, Debug, Default)]
pub struct NewCollection {
    /// `added` and `seq` are set by the case.
    pub row: CollectionRow,
    pub parts: Vec<NewPart>,
    pub files: Vec<NewFile>,
    /// Where it lay, and a fingerprint by which it is known again without reading it.
    pub location: Option<(String, String)>,
}

/// What readers said of one host.
#[derive(Clone, Debug)]
pub struct NewPart {
    pub host: String,
    /// Which rule found the host's name.
    pub rule: String,
    /// In whatever form the caller reads them again.
    pub bytes: Vec<u8>,
}

/// Which table a Parquet file holds a piece of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    Events,
    Items,
}

impl FileKind {
    fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Items => "items",
        }
    }
}

/// A Parquet file that becomes an object; it is moved away.
#[derive(Clone, Debug)]
pub struct NewFile {
    pub kind: FileKind,
    pub host: String,
    pub file: PathBuf,
    pub rows: u64,
    /// Times of the earliest and the latest event, in microseconds since 1970.
    pub first: Option<i64>,
    pub last: Option<i64>,
}

/// What became of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    New,
    /// The case had it; nothing but its location was noted.
    Known,
}

/// A verdict that is another one than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub campaign: String,
    /// Absent where the host was not judged for this campaign before.
    pub before: Option<String>,
    pub now: String,
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
        Self::describe(folder, &description, ledger, objects)
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
        Self::describe(folder, &description, ledger, objects)
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
        })
    }

    /// A random name that no other case has.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a run keeps what it has in hand. Emptied when a run begins.
    pub fn staging(&self) -> PathBuf {
        self.folder.join("staging")
    }

    /// The objects themselves; the ledger says which of them exist.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Takes the right to work on the case, and removes what runs left that did not come to their end: files in hand, and
    /// objects that no commit named. Workers of a run do not ask for it.
    pub fn begin_run(&self) -> Result<Run, CaseError> {
        let path = self.folder.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(CaseError::file(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(CaseError::Busy),
            Err(TryLockError::Error(source)) => return Err(CaseError::file(&path)(source)),
        }
        let session = match self.ledger.kind {
            Kind::Sqlite => None,
            Kind::Postgres => Some(self.lock_database()?),
        };
        let run = Run {
            _lock: lock,
            session,
        };
        let staging = self.staging();
        let entries = std::fs::read_dir(&staging).map_err(CaseError::file(&staging))?;
        for entry in entries {
            let path = entry.map_err(CaseError::file(&staging))?.path();
            let removed = if path.is_dir() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            };
            removed.map_err(CaseError::file(&path))?;
        }
        for name in self.orphans()? {
            self.objects.delete(&name)?;
        }
        Ok(run)
    }

    fn lock_database(&self) -> Result<(Arc<Runtime>, AnyConnection), CaseError> {
        let runtime = Arc::clone(&self.ledger.runtime);
        let connection = runtime.block_on(async {
            let mut connection = self.ledger.pool.acquire().await?.detach();
            let sql = "SELECT CAST(pg_try_advisory_lock($1) AS INTEGER)";
            let row = sqlx::query(sql)
                .bind(RUN_LOCK)
                .fetch_one(&mut connection)
                .await?;
            let taken: i32 = sqlx::Row::try_get(&row, 0)?;
            Ok::<_, CaseError>((taken == 1).then_some(connection))
        })?;
        connection
            .map(|connection| (runtime, connection))
            .ok_or(CaseError::Busy)
    }

    /// Objects that lie there and that the ledger does not name.
    fn orphans(&self) -> Result<Vec<String>, CaseError> {
        let lying = self.objects.list()?;
        let mut named = BTreeSet::new();
        self.each_object(&mut |object| {
            named.insert(object.name);
        })?;
        Ok(lying
            .into_iter()
            .filter(|name| !named.contains(name))
            .collect())
    }

    /// Adds a collection with all that was read of it. With a claim, only while its lease is the job's newest; the job is
    /// done with it. A collection that the case has is not added again; its files are removed.
    pub fn commit_collection(
        &self,
        claim: Option<&Claim>,
        new: &NewCollection,
        now: i64,
    ) -> Result<Added, CaseError> {
        let id = &new.row.id;
        // Asked again in the transaction; here it spares the work of writing objects for nothing.
        let known = self.ledger.read(async |connection| {
            jobs::check(connection, claim).await?;
            collection(connection, id).await
        })?;
        let mut objects = Vec::new();
        let mut parts = Vec::new();
        if known.is_none() {
            for part in &new.parts {
                let object = self.put_part(id, part)?;
                parts.push(PartRow {
                    collection: id.clone(),
                    host: part.host.clone(),
                    rule: part.rule.clone(),
                    object: object.name.clone(),
                });
                objects.push(object);
            }
            for file in &new.files {
                objects.push(self.put_table(id, file)?);
            }
        } else {
            for file in &new.files {
                std::fs::remove_file(&file.file).map_err(CaseError::file(&file.file))?;
            }
        }
        self.ledger.write(async |connection| {
            jobs::check(connection, claim).await?;
            let added = if collection(connection, id).await?.is_some() {
                Added::Known
            } else {
                    add(connection, &new.row, &parts, &objects, now).await?;
                    Added::New
            };
            if let Some((location, fingerprint)) = &new.location {
                let row = LocationRow {
                    location: location.clone(),
                    fingerprint: fingerprint.clone(),
                    collection: id.clone(),
                };
                let conflict = "ON CONFLICT (location) DO UPDATE SET fingerprint = excluded.fingerprint, \
                                collection = excluded.collection";
                insert(connection, &[row], conflict).await?;
            }
            if let Some(claim) = claim {
                jobs::finish(connection, claim, Some(id)).await?;
            }
            Ok(added)
        })
    }

    fn put_part(&self, collection: &str, part: &NewPart) -> Result<ObjectRow, CaseError> {
        let hash = hex(&Sha256::digest(&part.bytes));
        let name = format!(
            "seen/{}/{}-{}.json.zst",
            host_key(collection),
            host_key(&part.host),
            short(&hash)
        );
        let contents = self.objects.put_bytes(&name, &part.bytes)?;
        let object = object_row(name, "seen", &contents);
        Ok(ObjectRow {
            collection: Some(collection.to_owned()),
            host: Some(part.host.clone()),
            ..object
        })
    }

    fn put_table(&self, collection: &str, file: &NewFile) -> Result<ObjectRow, CaseError> {
        let contents = Objects::contents_of_file(&file.file)?;
        let kind = file.kind.name();
        let name = format!(
            "{kind}/{}/{}-{}.parquet",
            host_key(collection),
            host_key(&file.host),
            short(&contents.sha256)
        );
        self.objects.put_file(&name, &file.file)?;
        Ok(ObjectRow {
            collection: Some(collection.to_owned()),
            host: Some(file.host.clone()),
            rows: Some(whole(file.rows)),
            first: file.first,
            last: file.last,
            ..object_row(name, kind, &contents)
        })
    }

    /// Takes the judgement of a host: its rows replace the ones before, and verdicts that differ from the current ones in
    /// anything but the time of judging become the current ones. Gives the verdicts whose word is another.
    ///
    /// Coverage is replaced for the campaigns of this judgement; verdicts of campaigns it does not name stay current.
    pub fn commit_host(&self, judged: &Judged, now: i64) -> Result<Vec<Changed>, CaseError> {
        let host = &judged.host;
        let hash = hex(&Sha256::digest(&judged.report));
        let name = format!("reports/{}-{}.json.zst", host_key(host), short(&hash));
        let contents = self.objects.put_bytes(&name, &judged.report)?;
        let report = ObjectRow {
            host: Some(host.clone()),
            ..object_row(name.clone(), "report", &contents)
        };
        let (changed, unused) = self.ledger.write(async |connection| {
            let known = one::<HostRow>(connection, "WHERE host = $1", vec![text(host)]).await?;
            let row = HostRow {
                host: host.clone(),
                host_rule: judged.host_rule.clone(),
                as_of: judged.as_of,
                report_object: Some(name.clone()),
                dirty: match &known {
                    Some(known) if known.dirty != judged.dirty => known.dirty,
                    _ => 0,
                },
                first_seen: known.as_ref().map_or(now, |known| known.first_seen),
                last_seen: known.as_ref().map_or(now, |known| known.last_seen),
            };
            let conflict = "ON CONFLICT (host) DO UPDATE SET host_rule = excluded.host_rule, as_of = excluded.as_of, \
                            report_object = excluded.report_object, dirty = excluded.dirty";
            insert(connection, &[row], conflict).await?;
            insert(connection, &[report], "ON CONFLICT (name) DO NOTHING").await?;
            let (changed, appended) = append_verdicts(connection, judged, &name, now).await?;
            replace_rows(connection, judged).await?;
            if appended > 0 {
                let words = judged.verdicts.iter();
                let words: serde_json::Map<String, serde_json::Value> = words
                    .map(|row| (row.campaign.clone(), row.verdict.clone().into()))
                    .collect();
                let detail = json!({ "host": host, "verdicts": words, "report": contents.sha256, "why": judged.why });
                audit::append(connection, now, "judged", &detail).await?;
            }
            let unused = unused_reports(connection, host).await?;
            Ok((changed, unused))
        })?;
        for name in unused {
            self.objects.delete(&name)?;
        }
        Ok(changed)
    }

    /// Takes evidence into the case: what is read becomes an object by its hash.
    pub fn take(
        &self,
        collection: &str,
        item: &str,
        source: &mut dyn Read,
        now: i64,
    ) -> Result<ObjectRow, CaseError> {
        let path = self.staging().join(format!("take-{}", new_id()?));
        let staging = Objects::folder(Arc::clone(&self.ledger.runtime), self.staging())?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let contents = staging.put_read(&name, source, Path::new(item))?;
        let hash = &contents.sha256;
        let name = format!("taken/{}/{hash}", hash.get(..2).unwrap_or_default());
        self.objects.put_file(&name, &path)?;
        let object = object_row(name, "taken", &contents);
        self.ledger.write(async |connection| {
            if self::collection(connection, collection).await?.is_none() {
                return Err(CaseError::Unknown {
                    what: "collection",
                    name: collection.to_owned(),
                });
            }
            let row = TakenRow {
                collection: collection.to_owned(),
                item: item.to_owned(),
                object: object.name.clone(),
            };
            insert(
                connection,
                std::slice::from_ref(&object),
                "ON CONFLICT (name) DO NOTHING",
            )
            .await?;
            let conflict = "ON CONFLICT (collection, item) DO UPDATE SET object = excluded.object";
            insert(connection, &[row], conflict).await?;
            let detail = json!({ "collection": collection, "item": item, "sha256": object.sha256 });
            audit::append(connection, now, "taken", &detail).await?;
            Ok(())
        })?;
        Ok(object)
    }

    /// The collection that lay there, if its fingerprint is the same.
    pub fn known_location(
        &self,
        location: &str,
        fingerprint: &str,
    ) -> Result<Option<String>, CaseError> {
        let rest = "WHERE location = $1 AND fingerprint = $2";
        let found = self
            .ledger
            .one::<LocationRow>(rest, vec![text(location), text(fingerprint)])?;
        Ok(found.map(|row| row.collection))
    }

    pub fn collection(&self, id: &str) -> Result<Option<CollectionRow>, CaseError> {
        self.ledger.one("WHERE id = $1", vec![text(id)])
    }

    pub fn host(&self, host: &str) -> Result<Option<HostRow>, CaseError> {
        self.ledger.one("WHERE host = $1", vec![text(host)])
    }

    /// Hosts whose report does not rest on all that is known of them, in order of name.
    pub fn dirty_hosts(&self) -> Result<Vec<HostRow>, CaseError> {
        self.ledger.all("WHERE dirty <> 0 ORDER BY host", vec![])
    }

    /// What readers said of a host, in the order in which its collections came.
    pub fn host_parts(&self, host: &str) -> Result<Vec<PartRow>, CaseError> {
        let rest = "WHERE host = $1 ORDER BY \
                    (SELECT seq FROM collections WHERE collections.id = parts.collection)";
        self.ledger.all(rest, vec![text(host)])
    }

    /// Verdicts of a host for all campaigns, the oldest first.
    pub fn history(&self, host: &str) -> Result<Vec<VerdictRow>, CaseError> {
        self.ledger
            .all("WHERE host = $1 ORDER BY campaign, seq", vec![text(host)])
    }

    /// The verdicts that hold now, of one host.
    pub fn verdicts(&self, host: &str) -> Result<Vec<VerdictRow>, CaseError> {
        let rest = "WHERE host = $1 AND current = 1 ORDER BY campaign";
        self.ledger.all(rest, vec![text(host)])
    }

    pub fn findings(&self, host: &str) -> Result<Vec<FindingRow>, CaseError> {
        self.ledger
            .all("WHERE host = $1 ORDER BY id", vec![text(host)])
    }

    pub fn gaps(&self, host: &str) -> Result<Vec<GapRow>, CaseError> {
        self.ledger
            .all("WHERE host = $1 ORDER BY number", vec![text(host)])
    }

    pub fn coverage(&self, host: &str) -> Result<Vec<CoverageRow>, CaseError> {
        let rest = "WHERE host = $1 ORDER BY campaign, need";
        self.ledger.all(rest, vec![text(host)])
    }

    /// The objects of one host: events, items, what readers said, reports.
    pub fn host_objects(&self, host: &str) -> Result<Vec<ObjectRow>, CaseError> {
        self.ledger
            .all("WHERE host = $1 ORDER BY name", vec![text(host)])
    }

    /// Every host in order of name; rows are given as they come, so that none but the present one is held.
    pub fn each_host(&self, visit: &mut dyn FnMut(HostRow)) -> Result<(), CaseError> {
        self.ledger.each("ORDER BY host", vec![], visit)
    }

    /// Every collection in the order in which they came.
    pub fn each_collection(&self, visit: &mut dyn FnMut(CollectionRow)) -> Result<(), CaseError> {
        self.ledger.each("ORDER BY seq", vec![], visit)
    }

    /// Every verdict, those of the past among them, by host, campaign and age.
    pub fn each_verdict(&self, visit: &mut dyn FnMut(VerdictRow)) -> Result<(), CaseError> {
        self.ledger
            .each("ORDER BY host, campaign, seq", vec![], visit)
    }

    pub fn each_coverage(&self, visit: &mut dyn FnMut(CoverageRow)) -> Result<(), CaseError> {
        self.ledger
            .each("ORDER BY host, campaign, need", vec![], visit)
    }

    pub fn each_finding(&self, visit: &mut dyn FnMut(FindingRow)) -> Result<(), CaseError> {
        self.ledger.each("ORDER BY host, id", vec![], visit)
    }

    pub fn each_gap(&self, visit: &mut dyn FnMut(GapRow)) -> Result<(), CaseError> {
        self.ledger.each("ORDER BY host, number", vec![], visit)
    }

    /// Every object in order of name: among them the Parquet files of events and items, with host, collection and span.
    pub fn each_object(&self, visit: &mut dyn FnMut(ObjectRow)) -> Result<(), CaseError> {
        self.ledger.each("ORDER BY name", vec![], visit)
    }

    pub fn each_part(&self, visit: &mut dyn FnMut(PartRow)) -> Result<(), CaseError> {
        self.ledger.each("ORDER BY host, collection", vec![], visit)
    }

    pub fn each_taken(&self, visit: &mut dyn FnMut(TakenRow)) -> Result<(), CaseError> {
        self.ledger.each("ORDER BY collection, item", vec![], visit)
    }

    pub fn each_audit(&self, visit: &mut dyn FnMut(AuditRow)) -> Result<(), CaseError> {
        self.ledger.each("ORDER BY seq", vec![], visit)
    }

    pub fn each_job(&self, visit: &mut dyn FnMut(JobRow)) -> Result<(), CaseError> {
        self.ledger.each("ORDER BY seq", vec![], visit)
    }

    /// The bytes of an object: a report, what readers said.
    pub fn read_object(&self, name: &str) -> Result<Vec<u8>, CaseError> {
        self.objects.get(name)
    }

    /// An object as a file: events, items.
    pub fn local_object(&self, name: &str) -> Result<LocalObject, CaseError> {
        self.objects.local(name, &self.staging())
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

async fn collection(
    connection: &mut AnyConnection,
    id: &str,
) -> Result<Option<CollectionRow>, CaseError> {
    one(connection, "WHERE id = $1", vec![text(id)]).await
}

/// Adds the rows of a collection.
async fn add(
    connection: &mut AnyConnection,
    row: &CollectionRow,
    parts: &[PartRow],
    objects: &[ObjectRow],
    now: i64,
) -> Result<(), CaseError> {
    let seq = count(connection, "SELECT MAX(seq) FROM collections", vec![]).await? + 1;
    let row = CollectionRow {
        added: now,
        seq,
        ..row.clone()
    };
    insert(connection, std::slice::from_ref(&row), "").await?;
    insert(connection, objects, "ON CONFLICT (name) DO NOTHING").await?;
    let hosts: Vec<HostRow> = parts
        .iter()
        .map(|part| HostRow {
            host: part.host.clone(),
            host_rule: part.rule.clone(),
            dirty: seq,
            first_seen: now,
            last_seen: now,
            ..HostRow::default()
        })
        .collect();
    let conflict =
        "ON CONFLICT (host) DO UPDATE SET dirty = excluded.dirty, last_seen = excluded.last_seen";
    insert(connection, &hosts, conflict).await?;
    insert(connection, parts, "").await?;
    let detail = json!({ "collection": row.id, "sha256": row.sha256, "label": row.label });
    audit::append(connection, now, "collection", &detail).await
}

/// Adds verdicts that differ from the current ones; gives those whose word is another, and how many were added.
async fn append_verdicts(
    connection: &mut AnyConnection,
    judged: &Judged,
    report: &str,
    now: i64,
) -> Result<(Vec<Changed>, usize), CaseError> {
    let rest = "WHERE host = $1 AND current = 1";
    let current = many::<VerdictRow>(connection, rest, vec![text(&judged.host)]).await?;
    let mut seq = count(connection, "SELECT MAX(seq) FROM verdicts", vec![]).await?;
    let mut changed = Vec::new();
    let mut added = Vec::new();
    for row in &judged.verdicts {
        let before = current.iter().find(|known| known.campaign == row.campaign);
        if before.is_some_and(|before| same_judgement(before, row)) {
            continue;
        }
        seq += 1;
        if before.is_none_or(|before| before.verdict != row.verdict) {
            changed.push(Changed {
                campaign: row.campaign.clone(),
                before: before.map(|before| before.verdict.clone()),
                now: row.verdict.clone(),
            });
        }
        execute(
            connection,
            "UPDATE verdicts SET current = 0 WHERE host = $1 AND campaign = $2 AND current = 1",
            vec![text(&judged.host), text(&row.campaign)],
        )
        .await?;
        added.push(VerdictRow {
            seq,
            judged: now,
            why: Some(judged.why.clone()),
            report_object: Some(report.to_owned()),
            current: true,
            ..row.clone()
        });
    }
    insert(connection, &added, "").await?;
    Ok((changed, added.len()))
}

/// Whether two rows say the same, whenever and why they were said.
fn same_judgement(known: &VerdictRow, new: &VerdictRow) -> bool {
    let bare = |row: &VerdictRow| VerdictRow {
        seq: 0,
        judged: 0,
        why: None,
        report_object: None,
        current: true,
        reasons: row.reasons.replace('\0', "\u{fffd}"),
        ..row.clone()
    };
    bare(known) == bare(new)
}

/// Replaces what is kept of the host's latest judgement only.
async fn replace_rows(connection: &mut AnyConnection, judged: &Judged) -> Result<(), CaseError> {
    let host = || text(&judged.host);
    for row in &judged.verdicts {
        let sql = "DELETE FROM coverage WHERE host = $1 AND campaign = $2";
        execute(connection, sql, vec![host(), text(&row.campaign)]).await?;
    }
    execute(
        connection,
        "DELETE FROM findings WHERE host = $1",
        vec![host()],
    )
    .await?;
    execute(connection, "DELETE FROM gaps WHERE host = $1", vec![host()]).await?;
    insert(connection, &judged.coverage, "ON CONFLICT DO NOTHING").await?;
    insert(connection, &judged.findings, "ON CONFLICT DO NOTHING").await?;
    insert(connection, &judged.gaps, "").await?;
    Ok(())
}

/// Takes reports of the host off the ledger that neither it nor a verdict refers to; gives their names.
async fn unused_reports(
    connection: &mut AnyConnection,
    host: &str,
) -> Result<Vec<String>, CaseError> {
    let rest = "WHERE kind = 'report' AND host = $1 \
                AND name NOT IN (SELECT report_object FROM hosts WHERE host = $1 AND report_object IS NOT NULL) \
                AND name NOT IN (SELECT report_object FROM verdicts WHERE host = $1 AND report_object IS NOT NULL)";
    let unused = many::<ObjectRow>(connection, rest, vec![text(host)]).await?;
    for object in &unused {
        let sql = "DELETE FROM objects WHERE name = $1";
        execute(connection, sql, vec![text(&object.name)]).await?;
    }
    Ok(unused.into_iter().map(|object| object.name).collect())
}
