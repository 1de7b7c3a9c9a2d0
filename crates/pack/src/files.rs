//! The files of a pack: built into the library, or read from a folder; `archive` reads them from a zip archive.

use crate::problem::{Code, PackError, Problem};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Made by `build.rs`: name of each pack and its blob.
const EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/packs.rs"));

/// Folders inside a pack that are looked into.
pub(crate) const FOLDERS: [&str; 3] = ["rules", "examples", "notices"];

/// Larger than any table a person keeps; stops a folder that is no pack from filling the memory.
pub(crate) const FILE_BYTES_MAX: u64 = 16 << 20;

/// More files than any pack needs, for the same reason.
pub(crate) const FILES_MAX: usize = 10_000;

/// More than all files of any pack together, for the same reason.
pub(crate) const PACK_BYTES_MAX: u64 = 64 << 20;

/// The files of one pack, by path inside the pack with forward slashes: `rules/login.yml`.
///
/// Handed to another process as text, so that it works on the very bytes that were read and checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackFiles {
    /// The folder's name; empty where the pack has none, as in an archive without one.
    pub name: String,
    /// Contents by path.
    #[serde(with = "as_base64")]
    pub files: BTreeMap<String, Vec<u8>>,
}

impl PackFiles {
    /// The packs that come with Allclear, by name.
    pub fn builtin() -> Vec<Self> {
        let packs = EMBEDDED.iter();
        packs
            .map(|(name, blob)| Self {
                name: (*name).to_owned(),
                files: embed::decode(blob).expect("`build.rs` wrote it in this form"),
            })
            .collect()
    }

    /// Reads a pack's folder. What cannot be read is told file by file.
    pub fn from_folder(folder: &Path) -> Result<Self, PackError> {
        let mut found = Self {
            name: folder
                .file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            files: BTreeMap::new(),
        };
        let mut problems = Vec::new();
        let mut total = 0;
        found.add_folder(folder, "", &mut total, &mut problems);
        for inner in FOLDERS {
            let folder = folder.join(inner);
            if folder.is_dir() {
                found.add_folder(&folder, &format!("{inner}/"), &mut total, &mut problems);
            }
        }
        if problems.is_empty() {
            Ok(found)
        } else {
            Err(PackError { problems })
        }
    }

    fn add_folder(
        &mut self,
        folder: &Path,
        prefix: &str,
        total: &mut u64,
        problems: &mut Vec<Problem>,
    ) {
        let unreadable = |path: &str, why: String| {
            let path = if path.is_empty() { "." } else { path };
            Problem::new(
                Code::FileUnreadable,
                path,
                why,
                "a pack is a folder with `pack.yaml` and the files named in docs/writing-a-pack.md",
            )
        };
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(source) => {
                problems.push(unreadable(prefix, format!("cannot be listed: {source}")));
                return;
            }
        };
        for entry in entries {
            let Ok(entry) = entry else { continue };
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            if name.starts_with('.') || !path.is_file() {
                continue;
            }
            if self.files.len() >= FILES_MAX {
                problems.push(unreadable(prefix, format!("more than {FILES_MAX} files")));
                return;
            }
            let inside = format!("{prefix}{name}");
            match read_bounded(&path) {
                Ok(bytes) => {
                    *total = total.saturating_add(bytes.len() as u64);
                    if *total > PACK_BYTES_MAX {
                        let why = format!("more than {PACK_BYTES_MAX} bytes of files");
                        problems.push(unreadable("", why));
                        return;
                    }
                    self.files.insert(inside, bytes);
                }
                Err(why) => problems.push(unreadable(&inside, why)),
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a pack named by `--pack` is a setting, not evidence"
)]
fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    let file = std::fs::File::open(path).map_err(|source| format!("cannot be opened: {source}"))?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| format!("cannot be read: {source}"))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= FILE_BYTES_MAX) {
        Ok(bytes)
    } else {
        Err(format!("larger than {FILE_BYTES_MAX} bytes"))
    }
}

/// Contents as Base64: files need not be text, and a list of numbers would be four times as long.
mod as_base64 {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};
    use std::collections::BTreeMap;

    pub(super) fn serialize<S: Serializer>(
        files: &BTreeMap<String, Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            files
                .iter()
                .map(|(path, bytes)| (path, STANDARD.encode(bytes))),
        )
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<String, Vec<u8>>, D::Error> {
        let files: BTreeMap<String, String> = BTreeMap::deserialize(deserializer)?;
        let files = files.into_iter();
        files
            .map(|(path, text)| {
                let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
                Ok((path, bytes))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_packs_equal_their_folders_and_hide_their_text() {
        let packs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs");
        for pack in PackFiles::builtin() {
            let folder = PackFiles::from_folder(&packs.join(&pack.name)).unwrap();
            assert_eq!(pack, folder);
            // What the simulator plays of a campaign is no part of its pack.
            assert!(!pack.files.keys().any(|path| path.starts_with("range")));
        }
        for (name, blob) in EMBEDDED {
            let clear = |word: &[u8]| blob.windows(word.len()).any(|window| window == word);
            assert!(!clear(b"<script"), "{name}");
            assert!(!clear(b"indicators.csv"), "{name}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_a_problem() {
        let error = PackFiles::from_folder(Path::new("/no/such/folder")).unwrap_err();
        assert_eq!(error.problems[0].code, Code::FileUnreadable);
    }
}
