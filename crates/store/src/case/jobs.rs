//! Work that is done once, whoever does it: claimed with a lease, committed with the newest token only.

use super::{Case, integer, text};
use crate::CaseError;
use crate::ledger::{count, execute, insert, one};
use crate::rows::{Bind, JobRow};
use sqlx::AnyConnection;

/// A job to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// What makes it the same job; one that the case has is not added again.
    pub id: String,
    pub kind: String,
    pub subject: String,
}

/// A job that somebody has in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub job: String,
    pub kind: String,
    pub subject: String,
    /// Who claims the job later has a higher one.
    pub token: i64,
    /// How often it was claimed, this time among them.
    pub attempts: i64,
}

impl Case {
    /// Adds jobs that the case does not have; gives how many these were.
    pub fn add_jobs(&self, jobs: &[NewJob]) -> Result<u64, CaseError> {
        self.ledger.write(async |connection| {
            let last = count(connection, "SELECT MAX(seq) FROM jobs", vec![]).await?;
            let rows: Vec<JobRow> = (last + 1..)
                .zip(jobs)
                .map(|(seq, job)| JobRow {
                    id: job.id.clone(),
                    kind: job.kind.clone(),
                    subject: job.subject.clone(),
                    state: "waiting".to_owned(),
                    seq,
                    ..JobRow::default()
                })
                .collect();
            insert(connection, &rows, "ON CONFLICT (id) DO NOTHING").await
        })
    }

    /// Takes the first job of this kind that waits, or whose lease ran out before `now`; `lease` is in microseconds.
    pub fn claim(
        &self,
        kind: &str,
        owner: &str,
        now: i64,
        lease: i64,
    ) -> Result<Option<Claim>, CaseError> {
        self.ledger.write(async |connection| {
            let rest =
                "WHERE kind = $1 AND state = 'running' AND lease_until < $2 ORDER BY seq LIMIT 1";
            let mut job = one::<JobRow>(connection, rest, vec![text(kind), integer(now)]).await?;
            if job.is_none() {
                let rest = "WHERE kind = $1 AND state = 'waiting' ORDER BY seq LIMIT 1";
                job = one(connection, rest, vec![text(kind)]).await?;
            }
            match job {
                Some(job) => take(connection, job, owner, now, lease).await.map(Some),
                None => Ok(None),
            }
        })
    }

    /// Takes this job if it waits or its lease ran out.
    pub fn claim_job(
        &self,
        id: &str,
        owner: &str,
        now: i64,
        lease: i64,
    ) -> Result<Option<Claim>, CaseError> {
        let rest =
            "WHERE id = $1 AND (state = 'waiting' OR (state = 'running' AND lease_until < $2))";
        self.take_where(rest, vec![text(id), integer(now)], owner, now, lease)
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
        self.take_where("WHERE id = $1", vec![text(id)], owner, now, lease)
    }

    /// Takes the job that `rest` of a statement finds.
    fn take_where(
        &self,
        rest: &str,
        values: Vec<Bind>,
        owner: &str,
        now: i64,
        lease: i64,
    ) -> Result<Option<Claim>, CaseError> {
        self.ledger.write(async |connection| {
            match one::<JobRow>(connection, rest, values).await? {
                Some(job) => take(connection, job, owner, now, lease).await.map(Some),
                None => Ok(None),
            }
        })
    }

    /// Holds the job for `lease` microseconds from `now` on.
    pub fn renew(&self, claim: &Claim, now: i64, lease: i64) -> Result<(), CaseError> {
        self.change_job(
            claim,
            "UPDATE jobs SET lease_until = $3 WHERE id = $1 AND token = $2 AND state = 'running'",
            vec![integer(now.saturating_add(lease))],
        )
    }

    /// The job is done; a collection's job is done by [`commit_collection`](Case::commit_collection).
    pub fn finish(&self, claim: &Claim) -> Result<(), CaseError> {
        self.ledger
            .write(async |connection| finish(connection, claim, None).await)
    }

    /// The job cannot be done, and is not tried again.
    pub fn fail(&self, claim: &Claim, error: &str) -> Result<(), CaseError> {
        self.change_job(
            claim,
            "UPDATE jobs SET state = 'failed', owner = NULL, lease_until = NULL, error = $3 \
             WHERE id = $1 AND token = $2 AND state = 'running'",
            vec![text(error)],
        )
    }

    /// Somebody else is to try the job.
    pub fn give_back(&self, claim: &Claim, error: &str) -> Result<(), CaseError> {
        self.change_job(
            claim,
            "UPDATE jobs SET state = 'waiting', owner = NULL, lease_until = NULL, error = $3 \
             WHERE id = $1 AND token = $2 AND state = 'running'",
            vec![text(error)],
        )
    }

    /// Jobs that failed wait again; gives how many.
    pub fn retry_failed(&self, kind: &str) -> Result<u64, CaseError> {
        self.ledger.write(async |connection| {
            let sql = "UPDATE jobs SET state = 'waiting', error = NULL WHERE kind = $1 AND state = 'failed'";
            execute(connection, sql, vec![text(kind)]).await
        })
    }

    pub fn job(&self, id: &str) -> Result<Option<JobRow>, CaseError> {
        self.ledger.one("WHERE id = $1", vec![text(id)])
    }

    /// How far jobs of this kind are: how many are done, and until when the last of the leases runs, in microseconds. Either
    /// changes while anybody works.
    pub fn progress(&self, kind: &str) -> Result<(i64, i64), CaseError> {
        self.ledger.read(async |connection| {
            let sql = "SELECT COUNT(*) FROM jobs WHERE kind = $1 AND state = 'done'";
            let done = count(connection, sql, vec![text(kind)]).await?;
            let sql = "SELECT COALESCE(MAX(lease_until), 0) FROM jobs WHERE kind = $1 AND state = 'running'";
            let lease = count(connection, sql, vec![text(kind)]).await?;
            Ok((done, lease))
        })
    }

    fn change_job(
        &self,
        claim: &Claim,
        sql: &'static str,
        values: Vec<Bind>,
    ) -> Result<(), CaseError> {
        self.ledger
            .write(async |connection| change(connection, claim, sql, values).await)
    }
}

async fn take(
    connection: &mut AnyConnection,
    job: JobRow,
    owner: &str,
    now: i64,
    lease: i64,
) -> Result<Claim, CaseError> {
    let claim = Claim {
        token: job.token + 1,
        attempts: job.attempts + 1,
        job: job.id,
        kind: job.kind,
        subject: job.subject,
    };
    execute(
        connection,
        "UPDATE jobs SET state = 'running', owner = $2, token = $3, lease_until = $4, attempts = $5, error = NULL \
         WHERE id = $1",
        vec![
            text(&claim.job),
            text(owner),
            integer(claim.token),
            integer(now.saturating_add(lease)),
            integer(claim.attempts),
        ],
    )
    .await?;
    Ok(claim)
}

/// Whether the claim is the newest of its job, and the job is not done yet. A lease that ran out and that nobody took over
/// still holds.
pub(super) async fn check(
    connection: &mut AnyConnection,
    claim: Option<&Claim>,
) -> Result<(), CaseError> {
    let Some(claim) = claim else {
        return Ok(());
    };
    let rest = "WHERE id = $1 AND token = $2 AND state = 'running'";
    let binds = vec![text(&claim.job), integer(claim.token)];
    match one::<JobRow>(connection, rest, binds).await? {
        Some(_) => Ok(()),
        None => Err(CaseError::LeaseLost(claim.job.clone())),
    }
}

pub(super) async fn finish(
    connection: &mut AnyConnection,
    claim: &Claim,
    collection: Option<&str>,
) -> Result<(), CaseError> {
    change(
        connection,
        claim,
        "UPDATE jobs SET state = 'done', owner = NULL, lease_until = NULL, error = NULL, collection = $3 \
         WHERE id = $1 AND token = $2 AND state = 'running'",
        vec![Bind::Text(collection.map(str::to_owned))],
    )
    .await
}

async fn change(
    connection: &mut AnyConnection,
    claim: &Claim,
    sql: &'static str,
    values: Vec<Bind>,
) -> Result<(), CaseError> {
    let mut binds = vec![text(&claim.job), integer(claim.token)];
    binds.extend(values);
    match execute(connection, sql, binds).await? {
        0 => Err(CaseError::LeaseLost(claim.job.clone())),
        _ => Ok(()),
    }
}
