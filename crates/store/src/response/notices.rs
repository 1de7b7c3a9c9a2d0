//! Notices to organisations, what became of them, and the clocks of disclosure that people started.

use super::records;
use crate::rows::row;

pub(crate) const TABLES: &[&str] = &[
    "CREATE TABLE notices (id TEXT PRIMARY KEY, campaign TEXT NOT NULL, kind TEXT NOT NULL, parent TEXT, state TEXT NOT NULL, \
     route TEXT NOT NULL, reason TEXT NOT NULL, channel TEXT NOT NULL, address TEXT NOT NULL, domain TEXT NOT NULL, \
     recipient TEXT, audience TEXT NOT NULL, language TEXT NOT NULL, level TEXT NOT NULL, tlp TEXT NOT NULL, pgp_key TEXT, \
     subject TEXT NOT NULL, body TEXT NOT NULL, attachment TEXT, sha256 TEXT NOT NULL, organisations BIGINT NOT NULL, \
     attempts BIGINT NOT NULL, last_error TEXT, queued BIGINT NOT NULL, queued_by TEXT NOT NULL, released BIGINT, \
     released_by TEXT, claimed BIGINT, sent BIGINT, changed BIGINT NOT NULL)",
    "CREATE INDEX notices_state ON notices (state)",
    "CREATE TABLE notice_subjects (notice TEXT NOT NULL REFERENCES notices (id), organisation TEXT NOT NULL, \
     told TEXT NOT NULL, PRIMARY KEY (notice, organisation))",
    "CREATE INDEX notice_subjects_organisation ON notice_subjects (organisation)",
    "CREATE TABLE notice_steps (notice TEXT NOT NULL REFERENCES notices (id), step BIGINT NOT NULL, state TEXT NOT NULL, \
     time BIGINT NOT NULL, person TEXT, why TEXT NOT NULL, PRIMARY KEY (notice, step))",
    "CREATE TABLE suppressions (kind TEXT NOT NULL, value TEXT NOT NULL, why TEXT NOT NULL, person TEXT NOT NULL, \
     made BIGINT NOT NULL, lifted BIGINT, lifted_person TEXT, PRIMARY KEY (kind, value))",
    "CREATE TABLE notice_mails (id TEXT PRIMARY KEY, notice TEXT NOT NULL REFERENCES notices (id), kind TEXT NOT NULL, \
     sender TEXT NOT NULL, label TEXT NOT NULL, outcome TEXT NOT NULL, received BIGINT NOT NULL)",
    "CREATE TABLE notice_settings (key TEXT PRIMARY KEY, value TEXT NOT NULL, person TEXT NOT NULL, made BIGINT NOT NULL)",
    "CREATE TABLE disclosures (id TEXT PRIMARY KEY, clock TEXT NOT NULL, organisation TEXT NOT NULL, campaign TEXT NOT NULL, \
     trigger_time BIGINT NOT NULL, trigger_text TEXT NOT NULL, due BIGINT NOT NULL, due_text TEXT NOT NULL, \
     person TEXT NOT NULL, why TEXT NOT NULL, made BIGINT NOT NULL, done BIGINT, done_person TEXT, done_why TEXT)",
];

row! {
    /// One message to one recipient about one campaign, for all organisations that the recipient speaks for.
    NoticeRow in "notices" {
        /// The ticket code.
        id: String,
        campaign: String,
        /// `notice`, `reminder` or `retraction`.
        kind: String,
        /// The notice that a reminder or a retraction is about.
        parent: Option<String>,
        /// `queued`, `released`, `in_doubt`, `sent`, `bounced`, `delivered`, `acknowledged`, `acted`, `refuted`,
        /// `suppressed` or `retracted`.
        state: String,
        /// `manual`, `own`, `national_cert`, `sector_cert`, `abuse`, `provider` or `letter`.
        route: String,
        /// Why this recipient, in words.
        reason: String,
        channel: String,
        address: String,
        /// Of the address, in lower case; empty for letters.
        domain: String,
        recipient: Option<String>,
        audience: String,
        language: String,
        /// How much it tells: `full`, `servers`, `minimum` or `bare`.
        level: String,
        tlp: String,
        /// The key that it is to be encrypted to.
        pgp_key: Option<String>,
        subject: String,
        body: String,
        /// A table of what it is about, as CSV.
        attachment: Option<String>,
        /// Over subject, body and attachment.
        sha256: String,
        organisations: i64,
        attempts: i64,
        last_error: Option<String>,
        queued: i64,
        queued_by: String,
        released: Option<i64>,
        released_by: Option<String>,
        /// When a sender last took it in hand.
        claimed: Option<i64>,
        sent: Option<i64>,
        changed: i64,
    }
}

row! {
    /// An organisation that a notice is about.
    NoticeSubjectRow in "notice_subjects" {
        notice: String,
        organisation: String,
        /// The worst that it says of it: `vulnerable`, `exploited` or `web_shell`.
        told: String,
    }
}

row! {
    /// A state that a notice came into.
    NoticeStepRow in "notice_steps" {
        notice: String,
        /// From 1.
        step: i64,
        state: String,
        time: i64,
        /// Who did it; absent where a program or an answer did.
        person: Option<String>,
        why: String,
    }
}

row! {
    /// Who is not to be written to.
    SuppressionRow in "suppressions" {
        /// `address`, `domain`, `organisation` or `notice`.
        kind: String,
        value: String,
        why: String,
        person: String,
        made: i64,
        lifted: Option<i64>,
        lifted_person: Option<String>,
    }
}

row! {
    /// A mail that came back and was about a notice.
    NoticeMailRow in "notice_mails" {
        /// SHA-256 of its bytes: the same mail counts once.
        id: String,
        notice: String,
        /// `bounce`, `auto_reply` or `answer`.
        kind: String,
        /// The address it says it is from.
        sender: String,
        /// The file it lay in.
        label: String,
        /// The state that came of it, or why none did.
        outcome: String,
        received: i64,
    }
}

row! {
    /// How notices are written and sent.
    NoticeSettingRow in "notice_settings" {
        key: String,
        value: String,
        person: String,
        made: i64,
    }
}

row! {
    /// A clock that a named person started.
    DisclosureRow in "disclosures" {
        id: String,
        /// As `knowledge/disclosure/clocks.yaml` names it.
        clock: String,
        organisation: String,
        campaign: String,
        trigger_time: i64,
        /// As the person gave it, with its offset from UTC.
        trigger_text: String,
        due: i64,
        due_text: String,
        person: String,
        why: String,
        made: i64,
        /// When it was reported.
        done: Option<i64>,
        done_person: Option<String>,
        done_why: Option<String>,
    }
}

records! {
    NoticeRow by [id],
    NoticeSubjectRow by [notice, organisation],
    NoticeStepRow by [notice, step],
    SuppressionRow by [kind, value],
    NoticeMailRow by [id],
    NoticeSettingRow by [key],
    DisclosureRow by [id],
}
