//! What priority rests on beside the registry, and the plans that were made.

use super::records;
use crate::rows::row;

pub(crate) const TABLES: &[&str] = &[
    "CREATE TABLE known_exploited (cve TEXT PRIMARY KEY, added TEXT NOT NULL, due TEXT, ransomware TEXT, \
     import TEXT NOT NULL REFERENCES imports (id))",
    "CREATE TABLE plans (id TEXT PRIMARY KEY, made BIGINT NOT NULL, as_of BIGINT NOT NULL, weeks BIGINT NOT NULL, \
     jobs BIGINT NOT NULL, assigned BIGINT NOT NULL, removed DOUBLE PRECISION NOT NULL, greedy DOUBLE PRECISION NOT NULL, \
     bound DOUBLE PRECISION NOT NULL, current BIGINT NOT NULL)",
    "CREATE TABLE plan_tasks (plan TEXT NOT NULL REFERENCES plans (id), organisation TEXT NOT NULL REFERENCES organisations (id), \
     campaign TEXT NOT NULL, responder TEXT NOT NULL REFERENCES responders (id), position BIGINT NOT NULL, \
     situation TEXT NOT NULL, hours DOUBLE PRECISION NOT NULL, removed DOUBLE PRECISION NOT NULL, \
     PRIMARY KEY (plan, organisation, campaign))",
];

row! {
    /// A row of a catalogue of vulnerabilities that are known to be exploited.
    KnownExploitedRow in "known_exploited" {
        cve: String,
        /// The date on which it was added, as the catalogue writes it.
        added: String,
        due: Option<String>,
        /// What the catalogue says of its use for ransom.
        ransomware: Option<String>,
        import: String,
    }
}

row! {
    /// A plan: who does what in the weeks from `as_of` on.
    PlanRow in "plans" {
        /// Derived from what it says, so that the same plan is one row.
        id: String,
        made: i64,
        as_of: i64,
        weeks: i64,
        jobs: i64,
        assigned: i64,
        /// Weighted risk that it removes, that a greedy plan would, and that no plan can exceed.
        removed: f64,
        greedy: f64,
        bound: f64,
        /// The plan that is worked by now.
        current: bool,
    }
}

row! {
    /// One organisation in one campaign that a responder takes.
    PlanTaskRow in "plan_tasks" {
        plan: String,
        organisation: String,
        campaign: String,
        responder: String,
        /// In the order in which the responder takes them, from 1.
        position: i64,
        situation: String,
        hours: f64,
        removed: f64,
    }
}

records! {
    KnownExploitedRow by [cve],
    PlanRow by [id],
    PlanTaskRow by [plan, organisation, campaign],
}
