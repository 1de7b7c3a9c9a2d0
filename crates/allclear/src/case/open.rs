//! Opens cases, and says whose turn it is where that fails.

use crate::args::{CaseAt, CaseBehind};
use crate::check;
use crate::exit::Failure;
use model::Timestamp;
use pipeline::case::CaseError as WorkError;
use std::collections::BTreeMap;
use std::path::Path;
use store::{Case, CaseError, Settings, micros};

/// What the environment says of an S3-compatible store: as AWS's own tools name it.
const STORE_VARIABLES: [&str; 8] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ALLOW_HTTP",
];

/// The case that was named.
pub(crate) fn open(at: &CaseAt) -> Result<Case, Failure> {
    Case::open(&at.case, &settings(&at.behind)).map_err(failure)
}

/// The case in this folder, made where there is none.
pub(crate) fn open_or_create(folder: &Path, behind: &CaseBehind) -> Result<Case, Failure> {
    let settings = settings(behind);
    let opened = if Case::is_case(folder) {
        Case::open(folder, &settings)
    } else {
        Case::create(folder, &settings, micros(now()))
    };
    opened.map_err(failure)
}

fn settings(behind: &CaseBehind) -> Settings {
    Settings {
        database_url: behind.database_url.clone(),
        store_url: behind.store.clone(),
        store_options: store_options(),
    }
}

/// Keys and endpoints of stores, by the names of `object_store`.
#[expect(clippy::disallowed_methods, reason = "settings are read here")]
pub(crate) fn store_options() -> BTreeMap<String, String> {
    let set = STORE_VARIABLES.iter().filter_map(|name| {
        let value = std::env::var(name).ok()?;
        Some((name.to_lowercase(), value))
    });
    set.collect()
}

/// The wall clock: when something was written into a case. No judgement rests on it.
#[expect(
    clippy::disallowed_methods,
    reason = "the clock is read here, and handed down"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

pub(crate) fn failure(error: CaseError) -> Failure {
    let advice = match &error {
        CaseError::NoCase(_) | CaseError::Description { .. } => {
            "give the folder that was given to `allclear check --case`"
        }
        CaseError::Exists(_) => "name another folder",
        CaseError::Newer { .. } => "use the version of Allclear that wrote it, or a newer one",
        CaseError::OtherCase { .. } => {
            "a database holds one case: name another database, or the folder of that case"
        }
        CaseError::Busy => "wait for the other run; what it has done already is kept",
        CaseError::DatabaseUrl(_) => "such as postgres://allclear@localhost/case",
        CaseError::StoreUrl(_) => "such as s3://bucket/case",
        CaseError::Unknown { .. } => "`allclear case list` names what there is",
        CaseError::Store { .. } => {
            return Failure::fault(error).with_advice(
                "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT where the case's objects lie in a store; what \
                 was committed before stays",
            );
        }
        CaseError::Database(_) | CaseError::File { .. } => {
            return Failure::fault(error)
                .with_advice("what was committed before stays; run the same command again");
        }
        CaseError::NoObject(_) => {
            return Failure::fault(error)
                .with_advice("`allclear case verify` tells what is missing");
        }
        _ => return Failure::fault(error),
    };
    Failure::usage(error, advice)
}

pub(crate) fn work_failure(error: WorkError) -> Failure {
    match error {
        WorkError::Store(error) => failure(error),
        WorkError::Supervise(error) => check::failure(error),
        error @ (WorkError::NoHost(_) | WorkError::NoEarlier(_)) => Failure::usage(
            error,
            "`allclear case show CASE HOST` tells which collections there are",
        ),
        error @ WorkError::NotRead { .. } => Failure::fault(error).with_advice(
            "what was read is judged and kept; put right what is said there, and run the same command again",
        ),
        error => Failure::fault(error),
    }
}
