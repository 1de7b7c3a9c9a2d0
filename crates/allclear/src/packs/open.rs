//! Finds the packs that arguments name: built in, in a folder, or in a zip archive that may have to be signed.

use crate::args::PackTrust;
use crate::exit::Failure;
use crate::settings;
use pack::{Pack, PackError, PackFiles, PackKey};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How an archive's signature is named: after the archive, with this behind it.
const SIGNATURE_ENDING: &str = ".minisig";

/// The keys that a pack must be signed with; without any, every pack is used.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    keys: Vec<PackKey>,
}

impl Trust {
    /// Reads the keys that are given as files or as they are.
    pub(crate) fn of(given: &PackTrust) -> Result<Self, Failure> {
        let keys = given.pack_key.iter().map(|given| {
            let path = Path::new(given);
            let text = if path.is_file() {
                String::from_utf8_lossy(&settings::read(path)?).into_owned()
            } else {
                given.clone()
            };
            PackKey::read(&text).map_err(|error| {
                Failure::usage(
                    format!("{given}: {error}"),
                    "give the .pub file that minisign wrote, or the key in its second line",
                )
            })
        });
        let keys: Result<Vec<PackKey>, Failure> = keys.collect();
        Ok(Self { keys: keys? })
    }

    /// Refuses an archive that none of the keys signed.
    fn check(&self, path: &Path, archive: &[u8]) -> Result<(), Failure> {
        let Some(first) = self.keys.first() else {
            return Ok(());
        };
        let signature = signature_of(path);
        if !signature.is_file() {
            return Err(Failure::usage(
                format!(
                    "the pack {} is not signed: there is no {}",
                    path.display(),
                    signature.display()
                ),
                "get the signature from who made the pack; only built-in packs go without one where --pack-key is given",
            ));
        }
        let text = settings::read(&signature)?;
        let text = String::from_utf8_lossy(&text);
        if self
            .keys
            .iter()
            .any(|key| key.check(archive, &text).is_ok())
        {
            return Ok(());
        }
        let why = match first.check(archive, &text) {
            Err(error) if self.keys.len() == 1 => error.to_string(),
            _ => "none of the keys signed it".to_owned(),
        };
        Err(Failure::usage(
            format!(
                "the pack {} is not to be trusted: {}: {why}",
                path.display(),
                signature.display()
            ),
            "do not use it: get pack and signature anew from who made them, and check the key",
        ))
    }
}

/// The packs of these names, each once.
pub(crate) fn named(names: &[String], trust: &Trust) -> Result<Vec<PackFiles>, Failure> {
    let mut packs = Vec::new();
    let mut known: BTreeMap<String, &str> = BTreeMap::new();
    for name in names {
        let files = files(name, trust)?;
        let manifest = loaded(name, &files)?.manifest;
        match known.get(&manifest.name) {
            None => {
                known.insert(manifest.name, name);
                packs.push(files);
            }
            Some(before) if *before == name => {}
            Some(before) => {
                return Err(Failure::usage(
                    format!("{before} and {name} are both the pack {}", manifest.name),
                    "name one of the two",
                ));
            }
        }
    }
    Ok(packs)
}

/// The files of the pack of this name or at this path. A built-in pack goes before a folder of its name.
pub(crate) fn files(name: &str, trust: &Trust) -> Result<PackFiles, Failure> {
    let builtin = PackFiles::builtin();
    if let Some(files) = builtin.iter().find(|files| files.name == name) {
        return Ok(files.clone());
    }
    let path = Path::new(name);
    if !path.exists() {
        let names: Vec<&str> = builtin.iter().map(|files| files.name.as_str()).collect();
        return Err(Failure::usage(
            format!("no pack is named {name}, and no folder or archive either"),
            format!("built-in packs: {}", names.join(", ")),
        ));
    }
    files_at(path, trust)
}

/// The files of the pack at this path.
pub(crate) fn files_at(path: &Path, trust: &Trust) -> Result<PackFiles, Failure> {
    let advice = "give the folder that holds pack.yaml, or a zip archive of it";
    let unreadable = |error: PackError| {
        Failure::usage(
            format!("the pack {} cannot be read:\n{error}", path.display()),
            advice,
        )
    };
    if path.is_dir() {
        if !trust.keys.is_empty() {
            return Err(Failure::usage(
                format!(
                    "the pack {} is a folder, and only archives can be signed",
                    path.display()
                ),
                "give the signed archive, or leave out --pack-key",
            ));
        }
        return PackFiles::from_folder(path).map_err(unreadable);
    }
    // The bytes that are checked are those that are used, whatever becomes of the file.
    let archive = settings::read(path)?;
    if !PackFiles::is_archive(&archive) {
        return Err(Failure::usage(
            format!("{} is neither a folder nor a zip archive", path.display()),
            advice,
        ));
    }
    trust.check(path, &archive)?;
    PackFiles::from_archive(&archive).map_err(unreadable)
}

pub(crate) fn loaded(name: &str, files: &PackFiles) -> Result<Pack, Failure> {
    Pack::from_files(files).map_err(|error| {
        Failure::usage(
            format!("the pack {name} cannot be loaded:\n{error}"),
            "mend it; `allclear pack lint` tells what else is wrong with a pack",
        )
    })
}

/// Whether a path looks like that of a pack.
pub(crate) fn is_pack(path: &Path) -> bool {
    let is_zip = path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("zip"));
    path.join("pack.yaml").is_file() || (is_zip && path.is_file())
}

fn signature_of(archive: &Path) -> PathBuf {
    let mut name = archive.as_os_str().to_owned();
    name.push(SIGNATURE_ENDING);
    PathBuf::from(name)
}
