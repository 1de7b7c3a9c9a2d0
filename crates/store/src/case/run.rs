//! The right to work on a case, and what is tidied up when a run begins.

use super::Case;
use crate::CaseError;
use crate::ledger::{Kind, RUN_LOCK, execute};
use sqlx::{AnyConnection, Connection};
use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::sync::Arc;
use tokio::runtime::Runtime;

/// The right to work on a case, which one run has at a time. It ends when this is dropped, or its process dies.
#[derive(Debug)]
pub struct Run {
    _lock: File,
    /// The connection that holds PostgreSQL's lock.
    session: Option<(Arc<Runtime>, AnyConnection)>,
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some((runtime, session)) = self.session.take() {
            // The server gives the lock back in any case when the connection is gone.
            let _closed = runtime.block_on(session.close());
        }
    }
}

impl Case {
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
        // Whoever still works for a run before this one commits nothing from here on, so that no commit names what is now removed.
        self.ledger
            .write(async |connection| {
                let sql = "UPDATE jobs SET state = 'waiting', token = token + 1, owner = NULL, lease_until = NULL \
                           WHERE state = 'running'";
                execute(connection, sql, vec![]).await
            })?;
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
    pub(super) fn orphans(&self) -> Result<Vec<String>, CaseError> {
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
}
