//! The same work on many machines: collections are read, and questions are answered, by executors of a `DataFusion` Ballista
//! cluster. The only crate that names Ballista.
//!
//! [`scheduler`] hands out parts of plans, [`executor`] works on them, [`Cluster`] is the way of a command to them. What travels
//! is small: the address of a case, and which part of an order ([`pipeline::case::Order`]) or which step of a question is meant.
//! Every executor opens the case itself, and commits to it by the tokens of the ledger's jobs: a scheduler that dies, or a part
//! that runs twice, changes nothing in what the case holds.
//!
//! Nothing here is offered to a network without [`Tls`]: by itself Ballista asks nobody who he is, and an executor reads what
//! it is told to read.

mod cases;
mod client;
mod codec;
pub mod executor;
pub mod keys;
mod reading;
pub mod scheduler;
mod tls;

pub use client::{Cluster, ClusterError, Patience};
pub use tls::{Tls, TlsError};

use std::net::SocketAddr;

/// Why a member of a cluster cannot be started, or ended.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// Whoever reaches such an address could make executors read any file of theirs.
    #[error(
        "{0} can be reached from other machines, and there are no keys by which members know each other"
    )]
    Open(SocketAddr),
    #[error("cannot listen at {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
    #[error("`{0}` is not the address of a scheduler")]
    Address(String),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("cannot write in {}", .0.display())]
    Folder(std::path::PathBuf, #[source] std::io::Error),
    /// Of Ballista, in its words.
    #[error("{0}")]
    Ballista(String),
}

/// Where schedulers listen by default.
pub const SCHEDULER_PORT: u16 = 50050;

fn refuse_open(address: SocketAddr, tls: Option<&Tls>) -> Result<(), MemberError> {
    if tls.is_none() && !address.ip().is_loopback() {
        return Err(MemberError::Open(address));
    }
    Ok(())
}

fn ballista(error: impl std::fmt::Display) -> MemberError {
    MemberError::Ballista(error.to_string())
}

fn runtime() -> Result<tokio::runtime::Runtime, MemberError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(ballista)
}
