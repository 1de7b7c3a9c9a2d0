//! The audit chain: what was done with a case, each entry bound to the one before by a hash.

use crate::CaseError;
use crate::ledger::{insert, one};
use crate::objects::hex;
use crate::rows::AuditRow;
use sha2::{Digest, Sha256};
use sqlx::AnyConnection;

/// Adds an entry.
pub(crate) async fn append(
    connection: &mut AnyConnection,
    now: i64,
    what: &str,
    detail: &serde_json::Value,
) -> Result<(), CaseError> {
    let last = one::<AuditRow>(connection, "ORDER BY seq DESC LIMIT 1", vec![]).await?;
    let row = AuditRow {
        seq: last.as_ref().map_or(1, |last| last.seq + 1),
        time: now,
        what: what.to_owned(),
        detail: detail.to_string(),
        previous: last.map(|last| last.hash).unwrap_or_default(),
        hash: String::new(),
    };
    let hash = hash_of(&row);
    insert(connection, &[AuditRow { hash, ..row }], "").await?;
    Ok(())
}

/// SHA-256 in lower-case hex over these lines, each ended by a line feed: `allclear/audit/1`, number, time, what, the
/// length of the detail in bytes, the detail, the hash before.
pub(super) fn hash_of(row: &AuditRow) -> String {
    let text = format!(
        "allclear/audit/1\n{}\n{}\n{}\n{}\n{}\n{}\n",
        row.seq,
        row.time,
        row.what,
        row.detail.len(),
        row.detail,
        row.previous
    );
    hex(&Sha256::digest(text.as_bytes()))
}
