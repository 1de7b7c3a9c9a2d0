//! Forgetting: what came of a collection or a host leaves the case; that it did stays in the audit chain.

use super::collections::collection;
use super::judgement::unused_reports;
use super::{Case, audit, integer, text};
use crate::CaseError;
use crate::ledger::{execute, many, one};
use crate::rows::{HostRow, ObjectRow, PartRow};
use serde_json::json;
use sqlx::AnyConnection;

/// What was forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Objects that are gone.
    pub objects: u64,
    /// Hosts of which nothing is left.
    pub hosts: Vec<String>,
    /// Hosts that have to be judged again from what is left.
    pub to_judge: Vec<String>,
}

impl Case {
    /// Forgets a collection: its rows, its objects, the reports and findings that rest on it. Hosts of which nothing else is
    /// known are gone with it; the others keep the history of their verdicts, and wait for a new judgement.
    pub fn forget_collection(&self, id: &str, now: i64) -> Result<Forgotten, CaseError> {
        let (forgotten, names) = self.ledger.write(async |connection| {
            let Some(row) = collection(connection, id).await? else {
                return Err(unknown("collection", id));
            };
            let parts =
                many::<PartRow>(connection, "WHERE collection = $1", vec![text(id)]).await?;
            execute(
                connection,
                "DELETE FROM parts WHERE collection = $1",
                vec![text(id)],
            )
            .await?;
            execute(
                connection,
                "DELETE FROM locations WHERE collection = $1",
                vec![text(id)],
            )
            .await?;
            execute(
                connection,
                "DELETE FROM jobs WHERE collection = $1",
                vec![text(id)],
            )
            .await?;
            execute(
                connection,
                "DELETE FROM taken WHERE collection = $1",
                vec![text(id)],
            )
            .await?;
            execute(
                connection,
                "DELETE FROM findings WHERE collection = $1",
                vec![text(id)],
            )
            .await?;
            execute(
                connection,
                "DELETE FROM gaps WHERE collection = $1",
                vec![text(id)],
            )
            .await?;
            execute(
                connection,
                "DELETE FROM collections WHERE id = $1",
                vec![text(id)],
            )
            .await?;
            let mut names = remove(connection, "WHERE collection = $1", Some(id)).await?;
            names.extend(remove_taken(connection).await?);
            let mut forgotten = Forgotten::default();
            for part in parts {
                names.extend(clear_reports(connection, &part.host).await?);
                let rest = "WHERE host = $1 LIMIT 1";
                let left = one::<PartRow>(connection, rest, vec![text(&part.host)]).await?;
                if left.is_none() {
                    names.extend(remove_host(connection, &part.host).await?);
                    forgotten.hosts.push(part.host);
                } else {
                    // Another number than any that a judge has read.
                    let sql = "UPDATE hosts SET dirty = $2 WHERE host = $1";
                    execute(connection, sql, vec![text(&part.host), integer(-row.seq)]).await?;
                    forgotten.to_judge.push(part.host);
                }
            }
            let detail = json!({ "collection": id, "sha256": row.sha256, "objects": names.len() });
            audit::append(connection, now, "forgotten", &detail).await?;
            Ok((forgotten, names))
        })?;
        self.delete_all(forgotten, &names)
    }

    /// Forgets a host: everything that is kept of it. Collections that told of it stay for the sake of other hosts; those
    /// that told of no other one are to be forgotten by themselves.
    pub fn forget_host(&self, host: &str, now: i64) -> Result<Forgotten, CaseError> {
        let (forgotten, names) = self.ledger.write(async |connection| {
            let known = one::<HostRow>(connection, "WHERE host = $1", vec![text(host)]).await?;
            if known.is_none() {
                return Err(unknown("host", host));
            }
            execute(
                connection,
                "DELETE FROM parts WHERE host = $1",
                vec![text(host)],
            )
            .await?;
            let names = remove_host(connection, host).await?;
            let detail = json!({ "host": host, "objects": names.len() });
            audit::append(connection, now, "forgotten", &detail).await?;
            let forgotten = Forgotten {
                hosts: vec![host.to_owned()],
                ..Forgotten::default()
            };
            Ok((forgotten, names))
        })?;
        self.delete_all(forgotten, &names)
    }

    /// What a loss of power leaves of this is removed when the next run begins.
    fn delete_all(&self, forgotten: Forgotten, names: &[String]) -> Result<Forgotten, CaseError> {
        for name in names {
            self.objects.delete(name)?;
        }
        Ok(Forgotten {
            objects: names.len() as u64,
            ..forgotten
        })
    }
}

fn unknown(what: &'static str, name: &str) -> CaseError {
    let name = name.to_owned();
    CaseError::Unknown { what, name }
}

/// Takes objects off the ledger; gives their names.
async fn remove(
    connection: &mut AnyConnection,
    rest: &str,
    value: Option<&str>,
) -> Result<Vec<String>, CaseError> {
    let binds = value.map(text).into_iter().collect();
    let objects = many::<ObjectRow>(connection, rest, binds).await?;
    for object in &objects {
        let sql = "DELETE FROM objects WHERE name = $1";
        execute(connection, sql, vec![text(&object.name)]).await?;
    }
    Ok(objects.into_iter().map(|object| object.name).collect())
}

/// Evidence that no collection has any more.
async fn remove_taken(connection: &mut AnyConnection) -> Result<Vec<String>, CaseError> {
    let rest = "WHERE kind = 'taken' AND name NOT IN (SELECT object FROM taken)";
    remove(connection, rest, None).await
}

/// Reports tell of everything that was known when they were written.
async fn clear_reports(
    connection: &mut AnyConnection,
    host: &str,
) -> Result<Vec<String>, CaseError> {
    let sql = "UPDATE verdicts SET report_object = NULL WHERE host = $1";
    execute(connection, sql, vec![text(host)]).await?;
    let sql = "UPDATE hosts SET report_object = NULL WHERE host = $1";
    execute(connection, sql, vec![text(host)]).await?;
    unused_reports(connection, host).await
}

async fn remove_host(connection: &mut AnyConnection, host: &str) -> Result<Vec<String>, CaseError> {
    for sql in [
        "DELETE FROM verdicts WHERE host = $1",
        "DELETE FROM coverage WHERE host = $1",
        "DELETE FROM findings WHERE host = $1",
        "DELETE FROM gaps WHERE host = $1",
        "DELETE FROM hosts WHERE host = $1",
    ] {
        execute(connection, sql, vec![text(host)]).await?;
    }
    remove(connection, "WHERE host = $1", Some(host)).await
}
