//! What stops the work on a case, told by whose turn it is.

use crate::events::EventsError;
use std::io;
use std::path::{Path, PathBuf};

/// What stops the work on a case.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    #[error("there is no case in {}", .0.display())]
    NoCase(PathBuf),
    #[error("there is a case in {} already", .0.display())]
    Exists(PathBuf),
    /// The case was written by a later version of Allclear.
    #[error("the case has format {found}; this version of allclear reads formats up to {known}")]
    Newer { found: String, known: u32 },
    #[error("{} does not describe a case", path.display())]
    Description {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    /// A database holds one case.
    #[error("the database holds the case {found}, and the folder belongs to the case {expected}")]
    OtherCase { found: String, expected: String },
    #[error("another run works on this case")]
    Busy,
    #[error("`{0}` is no address of a database; it begins with postgres:// or sqlite://")]
    DatabaseUrl(String),
    #[error(
        "`{0}` is no address of a store; it begins with s3:// or file://, without a user or password"
    )]
    StoreUrl(String),
    #[error("the case's database failed")]
    Database(#[source] sqlx::Error),
    #[error("cannot read or write {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot reach {name} in the store")]
    Store {
        name: String,
        #[source]
        source: object_store::Error,
    },
    #[error("the case has no object {0}")]
    NoObject(String),
    #[error("`{0}` is no name of an object")]
    ObjectName(String),
    /// Somebody else has the job now, or nobody; what was worked out is thrown away.
    #[error("the lease of job {0} is lost")]
    LeaseLost(String),
    #[error("the case has no {what} {name}")]
    Unknown { what: &'static str, name: String },
    #[error("events cannot be kept or read")]
    Events(#[from] EventsError),
}

impl CaseError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::File {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn store(name: &str) -> impl FnOnce(object_store::Error) -> Self + '_ {
        move |source| Self::Store {
            name: name.to_owned(),
            source,
        }
    }
}

impl From<sqlx::Error> for CaseError {
    fn from(source: sqlx::Error) -> Self {
        Self::Database(source)
    }
}
