//! What named persons state of gates, and the clearances that rest on it.

use super::records;
use crate::rows::row;

pub(crate) const TABLES: &[&str] = &[
    "CREATE TABLE attestations (id TEXT PRIMARY KEY, host TEXT NOT NULL, campaign TEXT NOT NULL, gate TEXT NOT NULL, \
     answer TEXT NOT NULL, person TEXT NOT NULL, role TEXT NOT NULL, stated BIGINT NOT NULL, statement TEXT NOT NULL, \
     label TEXT NOT NULL, line BIGINT, added BIGINT NOT NULL)",
    "CREATE TABLE clearances (id TEXT PRIMARY KEY, host TEXT NOT NULL, campaign TEXT NOT NULL, verdict TEXT NOT NULL, \
     issued BIGINT NOT NULL, person TEXT NOT NULL, document TEXT NOT NULL, sha256 TEXT NOT NULL, signature TEXT NOT NULL, \
     watch_until BIGINT, revoked BIGINT, revoked_person TEXT, revoked_why TEXT)",
    "CREATE INDEX clearances_host ON clearances (host)",
];

row! {
    /// What a named person states of one gate of a host's eviction.
    AttestationRow in "attestations" {
        /// Over all that was stated: the same statement twice is one.
        id: String,
        host: String,
        campaign: String,
        gate: String,
        /// `pass`, `fail` or `not_applicable`.
        answer: String,
        person: String,
        role: String,
        /// When it was stated, which is not when it was written down here.
        stated: i64,
        statement: String,
        /// The file that held it, and its line; the command line where a person stated it there.
        label: String,
        line: Option<i64>,
        added: i64,
    }
}

row! {
    /// A clearance that was issued, whatever became of it.
    ClearanceRow in "clearances" {
        id: String,
        host: String,
        campaign: String,
        verdict: String,
        issued: i64,
        person: String,
        /// The very bytes that were signed: JSON.
        document: String,
        sha256: String,
        /// The text of the signature file.
        signature: String,
        /// Until when the host is to be looked at again and again, where the campaign asks for it.
        watch_until: Option<i64>,
        /// Absent while it holds.
        revoked: Option<i64>,
        /// Absent where a later judgement revoked it.
        revoked_person: Option<String>,
        revoked_why: Option<String>,
    }
}

records! {
    AttestationRow by [id],
    ClearanceRow by [id],
}
