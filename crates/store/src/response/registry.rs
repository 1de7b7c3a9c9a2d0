//! Organisations, what they own, who speaks for them, and who can help.

use super::records;
use crate::rows::row;

pub(crate) const TABLES: &[&str] = &[
    "CREATE TABLE organisations (id TEXT PRIMARY KEY, name TEXT NOT NULL, sector TEXT, country TEXT, region TEXT, size TEXT, \
     supplier TEXT, origin TEXT NOT NULL, import TEXT, added BIGINT NOT NULL)",
    "CREATE TABLE aliases (name TEXT NOT NULL, organisation TEXT NOT NULL REFERENCES organisations (id), origin TEXT NOT NULL, \
     import TEXT, PRIMARY KEY (name, organisation))",
    "CREATE INDEX aliases_organisation ON aliases (organisation)",
    "CREATE TABLE assets (kind TEXT NOT NULL, value TEXT NOT NULL, organisation TEXT NOT NULL REFERENCES organisations (id), \
     origin TEXT NOT NULL, import TEXT, added BIGINT NOT NULL, PRIMARY KEY (kind, value, organisation))",
    "CREATE INDEX assets_organisation ON assets (organisation)",
    "CREATE TABLE contacts (id TEXT PRIMARY KEY, scope TEXT NOT NULL, subject TEXT NOT NULL, role TEXT NOT NULL, \
     channel TEXT NOT NULL, address TEXT NOT NULL, name TEXT, language TEXT, audience TEXT, pgp_key TEXT, \
     verified BIGINT NOT NULL, origin TEXT NOT NULL, import TEXT, added BIGINT NOT NULL)",
    "CREATE INDEX contacts_subject ON contacts (scope, subject)",
    "CREATE TABLE responders (id TEXT PRIMARY KEY, name TEXT NOT NULL, skills TEXT NOT NULL, hours DOUBLE PRECISION NOT NULL, \
     region TEXT, languages TEXT NOT NULL, origin TEXT NOT NULL, import TEXT, added BIGINT NOT NULL)",
    "CREATE TABLE merges (id TEXT PRIMARY KEY, kept TEXT NOT NULL REFERENCES organisations (id), \
     merged TEXT NOT NULL REFERENCES organisations (id), why TEXT NOT NULL, person TEXT, made BIGINT NOT NULL, undone BIGINT, \
     undone_person TEXT, undone_why TEXT)",
];

row! {
    /// Who owns hosts and can be told.
    OrganisationRow in "organisations" {
        id: String,
        name: String,
        /// A word of the importing list, such as `health`; lower case.
        sector: Option<String>,
        /// ISO 3166-1 alpha-2, upper case.
        country: Option<String>,
        /// ISO 3166-2 or any name within the country.
        region: Option<String>,
        /// `micro`, `small`, `medium`, `large`.
        size: Option<String>,
        /// Who runs its servers, where somebody else does: what one victim's provider has, its other customers may have.
        supplier: Option<String>,
        /// `manual` beats `imported`.
        origin: String,
        /// The import that brought it.
        import: Option<String>,
        added: i64,
    }
}

row! {
    /// Another name of an organisation.
    AliasRow in "aliases" {
        name: String,
        organisation: String,
        origin: String,
        import: Option<String>,
    }
}

row! {
    /// Something an organisation owns. Two may claim the same; the registry says so.
    AssetRow in "assets" {
        /// `host`, `address`, `network`, `domain` or `certificate` (SHA-256 of it).
        kind: String,
        /// In its normal form: lower case, no trailing dot, addresses as RFC 5952 writes them.
        value: String,
        organisation: String,
        origin: String,
        import: Option<String>,
        added: i64,
    }
}

row! {
    /// How somebody can be told.
    ContactRow in "contacts" {
        id: String,
        /// `organisation`, `domain`, `network`, `provider`, `sector` or `country`: whom it speaks for.
        scope: String,
        /// Which of these: an organisation's id, a domain, a network, a provider's name, `country/sector`, a country.
        subject: String,
        /// `owner`, `abuse`, `provider`, `sector_cert` or `national_cert`.
        role: String,
        /// `email` or `letter`.
        channel: String,
        /// An e-mail address, or a postal address in lines.
        address: String,
        name: Option<String>,
        /// BCP 47, such as `de`.
        language: Option<String>,
        /// `administrator` or `manager`.
        audience: Option<String>,
        /// An `OpenPGP` public key in ASCII armour.
        pgp_key: Option<String>,
        /// Whether it was verified that this address speaks for its subject.
        verified: bool,
        origin: String,
        import: Option<String>,
        added: i64,
    }
}

row! {
    /// A person or team with hours and skills.
    ResponderRow in "responders" {
        id: String,
        name: String,
        /// JSON: a list of words.
        skills: String,
        /// Hours a week.
        hours: f64,
        region: Option<String>,
        /// JSON: a list of BCP 47 tags.
        languages: String,
        origin: String,
        import: Option<String>,
        added: i64,
    }
}

row! {
    /// Two organisations are one. Undone by a time in `undone`, never by removing the row.
    MergeRow in "merges" {
        id: String,
        kept: String,
        merged: String,
        why: String,
        /// Who decided; absent where a rule did, which `why` then names.
        person: Option<String>,
        made: i64,
        undone: Option<i64>,
        undone_person: Option<String>,
        undone_why: Option<String>,
    }
}

records! {
    OrganisationRow by [id],
    AliasRow by [name, organisation],
    AssetRow by [kind, value, organisation],
    ContactRow by [id],
    ResponderRow by [id],
    MergeRow by [id],
}
