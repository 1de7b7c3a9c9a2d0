//! Reads the lists that people name: CSV, JSON and XLSX.

use crate::exit::Failure;
use response::table::Table;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

/// A list of every server of the world has fewer.
const LIST_BYTES_MAX: u64 = 1 << 30;

/// A file with rows.
pub(crate) struct List {
    /// As it was named.
    pub(crate) label: String,
    pub(crate) sha256: String,
    pub(crate) table: Table,
}

pub(crate) fn read(path: &Path) -> Result<List, Failure> {
    let label = path.display().to_string();
    let bytes = bytes(path)?;
    let table = Table::read(&bytes).map_err(|error| {
        Failure::usage(
            format!("cannot read {label}: {error}"),
            "give CSV with the names of the columns in its first line, JSON (a list of objects, or an object a line), or XLSX",
        )
    })?;
    let sha256 = hex(&Sha256::digest(&bytes));
    Ok(List {
        label,
        sha256,
        table,
    })
}

/// Each byte as two digits, in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes all");
    }
    text
}

fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::usage(
            format!("cannot read {}: {error}", path.display()),
            "check the path",
        )
    };
    #[expect(clippy::disallowed_methods, reason = "lists are no evidence")]
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(LIST_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > LIST_BYTES_MAX {
        return Err(Failure::usage(
            format!("{} is larger than {LIST_BYTES_MAX} bytes", path.display()),
            "split it",
        ));
    }
    Ok(bytes)
}
