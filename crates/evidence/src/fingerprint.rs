//! Whether a collection looks as it did when it was read: names, sizes and times of change, without reading it.

use crate::discover::Collection;
use crate::item::hex;
use sha2::{Digest, Sha256};
use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Folders inside each other that are looked into.
const DEPTH_MAX: usize = 64;

/// How a collection looks from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// A hash, in hexadecimal digits.
    pub digest: String,
    /// Size of all files together, archives as they are.
    pub bytes: u64,
}

/// A hash over names, sizes and times of change of all files of the collection.
///
/// The same evidence gives the same hash; who changes a file and sets its time back is not noticed, so nothing but the
/// saving of a second reading may rest on it.
///
/// # Errors
/// When a folder cannot be listed.
pub fn fingerprint(collection: &Collection) -> io::Result<Fingerprint> {
    let mut hasher = Sha256::new();
    let bytes = add(&collection.location, &mut hasher, 0)?;
    let digest = hasher.finalize();
    Ok(Fingerprint {
        digest: hex(&digest),
        bytes,
    })
}

/// Adds a file, or a folder with all below it; gives their size.
fn add(path: &Path, hasher: &mut Sha256, depth: usize) -> io::Result<u64> {
    // Links are not followed, as they are not when evidence is read.
    let metadata = fs::symlink_metadata(path)?;
    hasher.update(path.as_os_str().as_encoded_bytes());
    hasher.update([0]);
    if !metadata.is_dir() {
        hasher.update(metadata.len().to_le_bytes());
        hasher.update(changed(&metadata).to_le_bytes());
        return Ok(metadata.len());
    }
    if depth >= DEPTH_MAX {
        return Err(io::Error::other("folders lie too deep in each other"));
    }
    let mut names = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort();
    let mut bytes = 0_u64;
    for name in names {
        bytes = bytes.saturating_add(add(&path.join(name), hasher, depth.saturating_add(1))?);
    }
    hasher.update([1]);
    Ok(bytes)
}

/// Nanoseconds from 1970 to the last change; 0 where the file system tells none.
fn changed(metadata: &Metadata) -> u128 {
    let modified = metadata.modified().ok();
    let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_changes_it_and_reading_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let collection = Collection {
            location: folder.path().to_owned(),
            label: "x".to_owned(),
            container: "folder".to_owned(),
        };
        fs::create_dir(folder.path().join("C")).unwrap();
        fs::write(folder.path().join("C/a.log"), "one").unwrap();
        let before = fingerprint(&collection).unwrap();
        assert_eq!(fingerprint(&collection).unwrap(), before);
        fs::write(folder.path().join("C/a.log"), "other").unwrap();
        let longer = fingerprint(&collection).unwrap();
        assert_ne!(longer, before);
        fs::write(folder.path().join("C/b.log"), "").unwrap();
        assert_ne!(fingerprint(&collection).unwrap(), longer);
    }
}
