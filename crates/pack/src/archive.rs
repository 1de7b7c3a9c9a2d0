//! Packs that come as one zip archive ([APPNOTE](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT)).
//!
//! An archive may come from anywhere. It is read in memory, nothing of it is ever written, and no name in it is used as a
//! path of this machine: names are keys of a table, and one that tries to lead elsewhere is a problem. Every size is
//! bounded by what comes out, whatever the archive claims.

use crate::files::{FILE_BYTES_MAX, FILES_MAX, FOLDERS, PACK_BYTES_MAX, PackFiles};
use crate::load::MANIFEST;
use crate::problem::{Code, PackError, Problem};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};
use zip::ZipArchive;
use zip::read::ZipFile;

/// Bytes of an archive; its files come to [`PACK_BYTES_MAX`] and text shrinks to a third or less.
pub const ARCHIVE_BYTES_MAX: u64 = 32 << 20;

/// Entries of an archive, folders included.
const ENTRIES_MAX: usize = 2 * FILES_MAX;

/// How many times larger than the archive its files may be; rules and tables shrink to a tenth.
const RATIO_MAX: u64 = 200;

/// Below this many bytes the ratio says nothing: a table of one line repeated is harmless.
const RATIO_FROM_BYTES: u64 = 1 << 20;

/// Longest name of an entry that is looked at.
const NAME_BYTES_MAX: usize = 512;

/// Begins every entry of the central directory.
const DIRECTORY_HEADER: [u8; 4] = *b"PK\x01\x02";

impl PackFiles {
    /// Reads a pack from a zip archive. Its files lie at the top, or all of them in one folder, which names the pack then;
    /// else the pack has no folder, and its name is left empty.
    ///
    /// # Errors
    /// Everything that is wrong with the archive.
    pub fn from_archive(archive: &[u8]) -> Result<Self, PackError> {
        let mut problems = Vec::new();
        let files = read(archive, &mut problems);
        if !problems.is_empty() {
            return Err(PackError { problems });
        }
        Ok(without_wrapping(files))
    }

    /// Whether bytes are those of a zip archive.
    pub fn is_archive(bytes: &[u8]) -> bool {
        bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
    }
}

fn unreadable(path: &str, why: impl Into<String>) -> Problem {
    let path = if path.is_empty() { "." } else { path };
    Problem::new(
        Code::FileUnreadable,
        path,
        why,
        "make the archive anew from the pack's folder: `zip -r my-campaign.zip my-campaign`",
    )
}

/// Every file that could be one of a pack's, by its name in the archive.
fn read(archive: &[u8], problems: &mut Vec<Problem>) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let size = archive.len() as u64;
    // The directory is read into memory as a whole, so its entries are counted before.
    let mut windows = archive.windows(DIRECTORY_HEADER.len());
    let too_many = windows.any({
        let mut entries = 0;
        move |window| {
            entries += usize::from(window == DIRECTORY_HEADER);
            entries > ENTRIES_MAX
        }
    });
    if size > ARCHIVE_BYTES_MAX || too_many {
        let bounds =
            format!("larger than {ARCHIVE_BYTES_MAX} bytes, or of more than {ENTRIES_MAX} entries");
        problems.push(unreadable("", bounds));
        return files;
    }
    let mut zip = match ZipArchive::new(Cursor::new(archive)) {
        Ok(zip) => zip,
        Err(error) => {
            problems.push(unreadable(
                "",
                format!("not a zip archive that can be read: {error}"),
            ));
            return files;
        }
    };
    if zip.len() > ENTRIES_MAX {
        problems.push(unreadable("", format!("more than {ENTRIES_MAX} entries")));
        return files;
    }
    let mut seen = BTreeSet::new();
    let mut budget = Budget {
        archive_bytes: size,
        bytes: 0,
    };
    for index in 0..zip.len() {
        let mut entry = match zip.by_index(index) {
            Ok(entry) => entry,
            Err(error) => {
                problems.push(unreadable(
                    &format!("entry {index}"),
                    format!("cannot be read: {error}"),
                ));
                continue;
            }
        };
        let name = match name_of(&entry) {
            Ok(Some(name)) => name,
            Ok(None) => continue,
            Err((name, why)) => {
                problems.push(unreadable(&name, why));
                continue;
            }
        };
        if !seen.insert(name.to_lowercase()) {
            problems.push(unreadable(&name, "stands in the archive twice"));
            continue;
        }
        if files.len() >= FILES_MAX {
            problems.push(unreadable("", format!("more than {FILES_MAX} files")));
            break;
        }
        match budget.take(&mut entry) {
            Ok(bytes) => {
                files.insert(name, bytes);
            }
            Err(Refused::File(why)) => problems.push(unreadable(&name, why)),
            Err(Refused::Archive(why)) => {
                problems.push(unreadable("", why));
                break;
            }
        }
    }
    files
}

/// The name of an entry that may be a pack's file; `None` for folders and for what computers add on their own. The error is
/// the name, and why the archive is refused for it.
fn name_of<R: Read>(entry: &ZipFile<'_, R>) -> Result<Option<String>, (String, String)> {
    let raw = entry.name_raw();
    let shown = || -> String {
        let name = String::from_utf8_lossy(raw);
        name.chars().take(100).collect()
    };
    let refused = |why: &str| Err((shown(), why.to_owned()));
    let Ok(name) = std::str::from_utf8(raw) else {
        return refused("the name is not UTF-8");
    };
    if name.len() > NAME_BYTES_MAX {
        return refused("the name is too long");
    }
    let parts: Vec<&str> = name.trim_end_matches('/').split('/').collect();
    let leads_away = |part: &&str| part.is_empty() || *part == "." || *part == "..";
    if name.contains(['\\', ':', '\0']) || parts.iter().any(leads_away) {
        return refused("the name leads out of the pack");
    }
    if entry.is_dir() || name.ends_with('/') {
        return Ok(None);
    }
    if entry.is_symlink() {
        return refused("a link, which could lead out of the pack");
    }
    // `.DS_Store`, `__MACOSX/…`: as in a folder, what begins with a dot is not a pack's.
    if parts.iter().any(|part| part.starts_with('.')) || parts[0] == "__MACOSX" {
        return Ok(None);
    }
    if entry.encrypted() {
        return refused("encrypted");
    }
    Ok(Some(name.to_owned()))
}

/// Takes away the folder that all files lie in, and leaves out what lies where a pack has nothing.
fn without_wrapping(files: BTreeMap<String, Vec<u8>>) -> PackFiles {
    let folder = match files.keys().next().and_then(|name| name.split_once('/')) {
        Some((first, _)) if !files.contains_key(MANIFEST) => first.to_owned(),
        _ => String::new(),
    };
    let wrapping = format!("{folder}/");
    let is_wrapped = !folder.is_empty() && files.keys().all(|name| name.starts_with(&wrapping));
    let skipped = if is_wrapped { wrapping.len() } else { 0 };
    let is_place = |name: &str| match name.split_once('/') {
        None => true,
        Some((folder, inside)) => FOLDERS.contains(&folder) && !inside.contains('/'),
    };
    let files = files
        .into_iter()
        .map(|(name, bytes)| (name[skipped..].to_owned(), bytes));
    PackFiles {
        name: if is_wrapped { folder } else { String::new() },
        files: files.filter(|(name, _)| is_place(name)).collect(),
    }
}

/// Why an entry is not read.
enum Refused {
    File(String),
    /// Nothing behind it is read either.
    Archive(String),
}

/// What has come out of an archive.
struct Budget {
    archive_bytes: u64,
    bytes: u64,
}

impl Budget {
    fn take<R: Read>(&mut self, entry: &mut ZipFile<'_, R>) -> Result<Vec<u8>, Refused> {
        let mut bytes = Vec::new();
        let read = entry.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
        let length = bytes.len() as u64;
        self.bytes = self.bytes.saturating_add(length);
        if self.bytes > PACK_BYTES_MAX {
            return Err(Refused::Archive(format!(
                "more than {PACK_BYTES_MAX} bytes of files"
            )));
        }
        if self.bytes > RATIO_FROM_BYTES && self.bytes / self.archive_bytes.max(1) > RATIO_MAX {
            let why = format!("the files are more than {RATIO_MAX} times as large as the archive");
            return Err(Refused::Archive(why));
        }
        if length > FILE_BYTES_MAX {
            return Err(Refused::File(format!("larger than {FILE_BYTES_MAX} bytes")));
        }
        match read {
            Ok(_) => Ok(bytes),
            Err(error) => Err(Refused::File(format!("cannot be unpacked: {error}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        for (name, bytes) in files {
            if name.ends_with('/') {
                zip.add_directory(*name, options).unwrap();
            } else {
                zip.start_file(*name, options).unwrap();
                zip.write_all(bytes).unwrap();
            }
        }
        zip.finish().unwrap().into_inner()
    }

    /// The name of the pack and of its files.
    fn read_names(archive: &[u8]) -> (String, Vec<String>) {
        let files = PackFiles::from_archive(archive).unwrap();
        (files.name, files.files.into_keys().collect())
    }

    /// What is said about an archive that is refused.
    fn refusal(archive: &[u8]) -> String {
        let error = PackFiles::from_archive(archive).unwrap_err();
        let told = error
            .problems
            .iter()
            .map(|one| format!("{}: {}", one.file, one.what));
        told.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_built_in_pack_is_the_same_from_an_archive_with_or_without_its_folder() {
        for pack in PackFiles::builtin() {
            let flat: Vec<(&str, &[u8])> = pack
                .files
                .iter()
                .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
                .collect();
            let read = PackFiles::from_archive(&zipped(&flat)).unwrap();
            assert_eq!((read.name.as_str(), &read.files), ("", &pack.files));
            let names: Vec<String> = flat
                .iter()
                .map(|(name, _)| format!("{}/{name}", pack.name))
                .collect();
            let folder = format!("{}/", pack.name);
            let mut wrapped: Vec<(&str, &[u8])> = vec![(&folder, b"")];
            wrapped.extend(
                names
                    .iter()
                    .zip(&flat)
                    .map(|(name, (_, bytes))| (name.as_str(), *bytes)),
            );
            assert_eq!(PackFiles::from_archive(&zipped(&wrapped)).unwrap(), pack);
        }
    }

    #[test]
    fn what_computers_add_and_other_folders_are_left_out() {
        let archive = zipped(&[
            ("__MACOSX/._pack.yaml", b"x"),
            ("door/.DS_Store", b"x"),
            ("door/pack.yaml", b"x"),
            ("door/rules/a.yml", b"x"),
            ("door/rules/old/a.yml", b"x"),
            ("door/notes/a.txt", b"x"),
        ]);
        let names = vec!["pack.yaml".to_owned(), "rules/a.yml".to_owned()];
        assert_eq!(read_names(&archive), ("door".to_owned(), names));
        // Two folders wrap nothing.
        let two = zipped(&[("a/pack.yaml", b"x"), ("b/pack.yaml", b"x")]);
        assert_eq!(read_names(&two), (String::new(), Vec::new()));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [
            "../pack.yaml",
            "door/../../pack.yaml",
            "/etc/pack.yaml",
            r"door\pack.yaml",
            "C:/pack.yaml",
            "door//pack.yaml",
            "./pack.yaml",
        ] {
            // The writer mends some names, so they are put in afterwards; directory and member hold the same length.
            let stand_in = "n".repeat(name.len());
            let mut archive = zipped(&[(&stand_in, b"x")]);
            let length = name.len();
            for at in 0..archive.len() - length {
                if archive[at..at + length] == *stand_in.as_bytes() {
                    archive[at..at + length].copy_from_slice(name.as_bytes());
                }
            }
            let told = refusal(&archive);
            assert!(told.contains("leads out of the pack"), "{name}: {told}");
        }
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.add_symlink("pack.yaml", "/etc/passwd", SimpleFileOptions::default())
            .unwrap();
        let told = refusal(&zip.finish().unwrap().into_inner());
        assert!(told.contains("a link"), "{told}");
    }

    #[test]
    fn names_that_differ_in_case_alone_are_refused() {
        let told = refusal(&zipped(&[("pack.yaml", b"x"), ("PACK.yaml", b"y")]));
        assert_eq!(told, "PACK.yaml: stands in the archive twice");
    }

    #[test]
    fn archives_that_unpack_to_far_more_are_refused() {
        let large = vec![b' '; 2 << 20];
        let told = refusal(&zipped(&[("pack.yaml", &large)]));
        assert!(told.contains("times as large as the archive"), "{told}");
        let mut noise = Vec::new();
        let mut state = 1_u64;
        while noise.len() < usize::try_from(FILE_BYTES_MAX).unwrap() + 1 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            noise.push(u8::try_from(state >> 60).unwrap());
        }
        let told = refusal(&zipped(&[("pack.yaml", &noise)]));
        assert!(told.contains("larger than"), "{told}");
    }

    #[test]
    fn directories_of_too_many_entries_are_not_read() {
        let headers = DIRECTORY_HEADER.repeat(ENTRIES_MAX + 1);
        let told = refusal(&headers);
        assert!(told.contains("entries"), "{told}");
    }

    proptest! {
        /// Whatever is changed or cut off, what comes is a pack or problems.
        #[test]
        fn damaged_archives_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8), end in any::<prop::sample::Index>()) {
            let mut archive = zipped(&[("door/", b""), ("door/pack.yaml", b"name: door"), ("door/rules/a.yml", &[b'a'; 500])]);
            for (at, byte) in changes {
                let at = at.index(archive.len());
                archive[at] = byte;
            }
            let whole = PackFiles::from_archive(&archive);
            let cut = PackFiles::from_archive(&archive[..end.index(archive.len() + 1)]);
            for files in [whole, cut].into_iter().flatten() {
                for name in files.files.keys() {
                    prop_assert!(!name.starts_with('/') && !name.contains("..") && !name.contains('\\'));
                }
            }
        }

        #[test]
        fn bytes_of_any_kind_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut archive = b"PK\x03\x04".to_vec();
            archive.extend(&bytes);
            archive.extend(b"PK\x05\x06");
            archive.extend(&bytes);
            prop_assert!(PackFiles::from_archive(&archive).map_or(true, |files| files.files.len() < 10));
        }
    }
}
