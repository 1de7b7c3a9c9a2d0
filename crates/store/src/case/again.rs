//! What is done to a case when it is looked at again: its own notes, jobs taken over, parts replaced.

use super::{Case, Claim, NewPart, integer, text};
use crate::CaseError;
use crate::ledger::{execute, insert, many, meta, one, set_meta};
use crate::rows::{HostRow, JobRow, LocationRow, ObjectRow, PartRow};
use serde_json::json;
use std::collections::BTreeSet;

impl Case {
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

    /// Takes this job whatever its state: for the one run that has the right to work on the case, as whoever had the job
    /// before is dead. `lease` is in microseconds.
    pub fn take_over(
        &self,
        id: &str,
        owner: &str,
        now: i64,
        lease: i64,
    ) -> Result<Option<Claim>, CaseError> {
        self.ledger.write(async |connection| {
            let sql = "UPDATE jobs SET state = 'running', owner = $2, token = token + 1, lease_until = $3, \
                       attempts = attempts + 1, error = NULL WHERE id = $1";
            let until = now.saturating_add(lease);
            execute(connection, sql, vec![text(id), text(owner), integer(until)]).await?;
            let job = one::<JobRow>(connection, "WHERE id = $1", vec![text(id)]).await?;
            Ok(job.map(|job| Claim {
                job: job.id,
                kind: job.kind,
                subject: job.subject,
                token: job.token,
                attempts: job.attempts,
            }))
        })
    }

    /// Puts other parts in the place of those of a collection; every host concerned waits for a new judgement.
    pub fn replace_parts(
        &self,
        collection: &str,
        parts: &[NewPart],
        now: i64,
    ) -> Result<(), CaseError> {
        let mut objects = Vec::new();
        let mut rows = Vec::new();
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
        let unused = self.ledger.write(async |connection| {
            let of = || vec![text(collection)];
            let seq: i64 = match super::collection(connection, collection).await? {
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
            insert(
                connection,
                &hosts,
                "ON CONFLICT (host) DO UPDATE SET dirty = excluded.dirty",
            )
            .await?;
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
            super::audit::append(connection, now, "looked at again", &detail).await?;
            Ok(unused)
        })?;
        for name in unused {
            self.objects.delete(&name)?;
        }
        Ok(())
    }

    /// Where a collection lay.
    pub fn locations(&self, collection: &str) -> Result<Vec<LocationRow>, CaseError> {
        self.ledger.all(
            "WHERE collection = $1 ORDER BY location",
            vec![text(collection)],
        )
    }

    /// The objects of these kinds that no run may lose: their number and bytes, by kind.
    pub fn sizes(&self) -> Result<std::collections::BTreeMap<String, (u64, u64)>, CaseError> {
        let mut sizes = std::collections::BTreeMap::new();
        self.each_object(&mut |object: ObjectRow| {
            let (number, bytes): &mut (u64, u64) = sizes.entry(object.kind).or_default();
            *number += 1;
            *bytes = bytes.saturating_add(u64::try_from(object.bytes).unwrap_or(0));
        })?;
        Ok(sizes)
    }
}

/// Notes of runs stand apart from what describes the case.
fn note(key: &str) -> String {
    format!("note:{key}")
}
