//! Collections as they come into a case: what was read of them, and their evidence where it is taken in.

use super::{Case, Claim, audit, integer, jobs, new_id, object_row, short, text};
use crate::CaseError;
use crate::judged::whole;
use crate::ledger::{count, execute, insert, many, one};
use crate::objects::{Objects, hex, host_key};
use crate::rows::{CollectionRow, HostRow, LocationRow, ObjectRow, PartRow, TakenRow};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::AnyConnection;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

impl Case {
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
            (parts, objects) = self.put_parts(id, &new.parts)?;
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

    /// Writes what readers said of each host; gives the rows that name it.
    fn put_parts(
        &self,
        collection: &str,
        parts: &[NewPart],
    ) -> Result<(Vec<PartRow>, Vec<ObjectRow>), CaseError> {
        let mut rows = Vec::new();
        let mut objects = Vec::new();
        for part in parts {
            let object = self.put_part(collection, part)?;
            rows.push(PartRow {
                collection: collection.to_owned(),
                host: part.host.clone(),
                rule: part.rule.clone(),
                object: object.name.clone(),
            });
            objects.push(object);
        }
        Ok((rows, objects))
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

    /// Puts other parts in the place of those of a collection; every host concerned waits for a new judgement.
    pub fn replace_parts(
        &self,
        collection: &str,
        parts: &[NewPart],
        now: i64,
    ) -> Result<(), CaseError> {
        let (rows, objects) = self.put_parts(collection, parts)?;
        let unused = self.ledger.write(async |connection| {
            let of = || vec![text(collection)];
            let seq: i64 = match self::collection(connection, collection).await? {
                Some(row) => row.seq,
                None => {
                    return Err(CaseError::Unknown {
                        what: "collection",
                        name: collection.to_owned(),
                    });
                }
            };
            let old = many::<PartRow>(connection, "WHERE collection = $1", of()).await?;
            execute(connection, "DELETE FROM parts WHERE collection = $1", of()).await?;
            insert(connection, &objects, "ON CONFLICT (name) DO NOTHING").await?;
            let conflict = "ON CONFLICT (host) DO UPDATE SET dirty = excluded.dirty";
            insert(connection, &host_rows(&rows, seq, now), conflict).await?;
            for row in &old {
                let sql = "UPDATE hosts SET dirty = $2 WHERE host = $1";
                execute(connection, sql, vec![text(&row.host), integer(seq)]).await?;
            }
            insert(connection, &rows, "").await?;
            let kept: BTreeSet<&str> = rows.iter().map(|row| row.object.as_str()).collect();
            let mut unused = Vec::new();
            for row in old {
                if !kept.contains(row.object.as_str()) {
                    let sql = "DELETE FROM objects WHERE name = $1";
                    execute(connection, sql, vec![text(&row.object)]).await?;
                    unused.push(row.object);
                }
            }
            let detail = json!({ "collection": collection, "parts": parts.len() });
            audit::append(connection, now, "looked at again", &detail).await?;
            Ok(unused)
        })?;
        for name in unused {
            self.objects.delete(&name)?;
        }
        Ok(())
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

    /// Where a collection lay.
    pub fn locations(&self, collection: &str) -> Result<Vec<LocationRow>, CaseError> {
        self.ledger.all(
            "WHERE collection = $1 ORDER BY location",
            vec![text(collection)],
        )
    }
}

pub(super) async fn collection(
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
    let conflict =
        "ON CONFLICT (host) DO UPDATE SET dirty = excluded.dirty, last_seen = excluded.last_seen";
    insert(connection, &host_rows(parts, seq, now), conflict).await?;
    insert(connection, parts, "").await?;
    let detail = json!({ "collection": row.id, "sha256": row.sha256, "label": row.label });
    audit::append(connection, now, "collection", &detail).await
}

/// Rows of the hosts that these parts speak of, which wait for a judgement since the collection of this number.
fn host_rows(parts: &[PartRow], seq: i64, now: i64) -> Vec<HostRow> {
    parts
        .iter()
        .map(|part| HostRow {
            host: part.host.clone(),
            host_rule: part.rule.clone(),
            dirty: seq,
            first_seen: now,
            last_seen: now,
            ..HostRow::default()
        })
        .collect()
}
