//! A synthetic server, as `allclear range make` writes it.

use super::{Bench, made, size_of};
use crate::process::{command, output, run as run_command};
use std::path::{Path, PathBuf};

/// Decides what the simulator draws.
const SEED: &str = "1";

/// One server's evidence.
pub(in crate::bench) struct Server {
    pub(in crate::bench) evidence: PathBuf,
    /// The table of files that belong there, where the simulator wrote one.
    pub(in crate::bench) known: Option<PathBuf>,
    pub(in crate::bench) bytes: u64,
}

/// The server of the run's scale.
pub(in crate::bench) fn server(bench: &Bench) -> Result<Server, String> {
    let folder = bench.load("server");
    made(&folder, &stamp(), |folder| {
        make(bench, bench.options.bytes, folder)?;
        Ok(String::new())
    })?;
    let evidence = folder.join("evidence");
    let known = Some(folder.join("known-files.csv")).filter(|path| path.exists());
    let bytes = size_of(&evidence);
    Ok(Server {
        evidence,
        known,
        bytes,
    })
}

/// Writes a server whose text logs have about so many bytes.
pub(super) fn make(bench: &Bench, bytes: u64, folder: &Path) -> Result<(), String> {
    let scale = format!("{}MB", (bytes / 1_000_000).max(1));
    let (program, out) = (Bench::text(&bench.program), Bench::text(folder));
    run_command(command(
        &program,
        &[
            "range", "make", "--seed", SEED, "--scale", &scale, "--out", &out,
        ],
    ))
}

/// What the simulator's output depends on: its last change.
pub(super) fn stamp() -> String {
    let commit = output(command(
        "git",
        &["log", "-1", "--format=%h", "--", "crates/range"],
    ));
    format!("seed {SEED}, range {}", commit.unwrap_or_default().trim())
}
