//! What was said of assets from outside, and the lists that said it.

use super::records;
use crate::rows::row;

pub(crate) const TABLES: &[&str] = &[
    "CREATE TABLE imports (id TEXT PRIMARY KEY, kind TEXT NOT NULL, label TEXT NOT NULL, sha256 TEXT NOT NULL, \
     imported BIGINT NOT NULL, rows_in BIGINT NOT NULL, accepted BIGINT NOT NULL, refused TEXT NOT NULL)",
    "CREATE TABLE observations (id TEXT PRIMARY KEY, import TEXT NOT NULL REFERENCES imports (id), line BIGINT NOT NULL, \
     campaign TEXT NOT NULL, asset_kind TEXT NOT NULL, asset TEXT NOT NULL, address TEXT, host TEXT, reverse TEXT, \
     organisation TEXT, \
     claim TEXT NOT NULL, method TEXT NOT NULL, method_version TEXT NOT NULL, source TEXT NOT NULL, seen BIGINT, \
     detail TEXT NOT NULL)",
    "CREATE INDEX observations_asset ON observations (asset_kind, asset)",
    "CREATE INDEX observations_import ON observations (import)",
];

row! {
    /// A file that was imported, of whatever kind.
    ImportRow in "imports" {
        /// What makes it the same import: of the same bytes in the same way.
        id: String,
        /// `organisations`, `contacts`, `shadowserver`, …
        kind: String,
        /// The file's name as it was given.
        label: String,
        sha256: String,
        imported: i64,
        rows_in: i64,
        accepted: i64,
        /// JSON: `{"reason": count}`. Rows in = accepted + refused.
        refused: String,
    }
}

row! {
    /// A statement about an asset from outside.
    ObservationRow in "observations" {
        id: String,
        import: String,
        /// Of the imported file, from 1.
        line: i64,
        campaign: String,
        /// As an asset's: what names the server, its address if the row has one.
        asset_kind: String,
        asset: String,
        /// What else the row names, as far as it does: the server's address, its host name.
        address: Option<String>,
        host: Option<String>,
        /// A name that somebody gave the address, which may be the provider's.
        reverse: Option<String>,
        /// The organisation as the list names it, if it does: a name, not an id.
        organisation: Option<String>,
        /// `vulnerable`, `patched`, `probed`, `exploited`, `web_shell`, `clear` or `undetermined`.
        claim: String,
        method: String,
        method_version: String,
        source: String,
        /// When it was so; absent where the list does not say.
        seen: Option<i64>,
        /// JSON: the rest of the row, texts by their column.
        detail: String,
    }
}

row! {
    /// What an observation says, without the rest of its row: for counting many.
    HeardRow in "observations" {
        import: String,
        campaign: String,
        address: Option<String>,
        host: Option<String>,
        reverse: Option<String>,
        organisation: Option<String>,
        claim: String,
        method: String,
        method_version: String,
        source: String,
        seen: Option<i64>,
    }
}

row! {
    /// Of which server an observation speaks and what it claims: for telling how organisations stand.
    SpokenRow in "observations" {
        id: String,
        campaign: String,
        asset_kind: String,
        asset: String,
        address: Option<String>,
        host: Option<String>,
        reverse: Option<String>,
        organisation: Option<String>,
        claim: String,
        seen: Option<i64>,
    }
}

impl From<SpokenRow> for ObservationRow {
    fn from(row: SpokenRow) -> Self {
        Self {
            id: row.id,
            campaign: row.campaign,
            asset_kind: row.asset_kind,
            asset: row.asset,
            address: row.address,
            host: row.host,
            reverse: row.reverse,
            organisation: row.organisation,
            claim: row.claim,
            seen: row.seen,
            ..Self::default()
        }
    }
}

records! {
    ImportRow by [id],
    ObservationRow by [id],
}
