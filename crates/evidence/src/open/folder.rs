//! Folders of this machine: names sorted by bytes, links never followed.

use crate::collector::{COLLECTOR_RECORD_BYTES_MAX, UPLOADS_NAME, original_paths};
use crate::content::COMPANION_BYTES_MAX;
use crate::item::SeekItem;
use crate::restore::names_drive;
use crate::walk::{Admission, Offered, Scope, Walker, open_file};
use model::GapKind;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, FileType};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// One name of a folder.
pub(crate) struct Listed {
    pub(crate) name: OsString,
    /// Absent where the system would not say.
    pub(crate) kind: Option<FileType>,
}

/// What a folder holds.
pub(crate) struct Listing {
    /// Sorted by the bytes of their names.
    pub(crate) entries: Vec<Listed>,
    /// Whether the folder holds more than was asked for.
    pub(crate) cut: bool,
    /// What kept the system from listing all.
    pub(crate) error: Option<io::Error>,
}

/// Lists at most `entries_max` names. Symbolic links are told as such, not followed.
pub(crate) fn list(folder: &Path, entries_max: u64) -> io::Result<Listing> {
    let mut listing = Listing {
        entries: Vec::new(),
        cut: false,
        error: None,
    };
    for entry in fs::read_dir(folder)? {
        if u64::try_from(listing.entries.len()).unwrap_or(u64::MAX) >= entries_max {
            listing.cut = true;
            break;
        }
        match entry {
            Ok(entry) => listing.entries.push(Listed {
                name: entry.file_name(),
                kind: entry.file_type().ok(),
            }),
            Err(error) => {
                listing.error = Some(error);
                break;
            }
        }
    }
    listing
        .entries
        .sort_by(|a, b| a.name.as_encoded_bytes().cmp(b.name.as_encoded_bytes()));
    Ok(listing)
}

/// A folder whose entries are being walked.
struct Open {
    path: PathBuf,
    /// Path below the collection with slashes, empty or ending in one.
    below: String,
    rest: std::vec::IntoIter<Listed>,
}

/// Walks a folder; with `loose`, only the evidence in it beside collections of their own.
pub(crate) fn walk(walker: &mut Walker<'_>, scope: &Scope, location: &Path, loose: bool) {
    let wanted = match loose.then(|| crate::discover::loose_files(location, &walker.limits)) {
        None => None,
        Some(Ok(names)) => Some(names),
        Some(Err(error)) => return walker.unreadable("", &error),
    };
    walker.original_paths = uploads(location);
    let mut index = 0;
    let mut open = Vec::new();
    let below = drive_prefix(location);
    open.extend(enter(walker, location.to_owned(), below, 0));
    while let Some(folder) = open.last_mut() {
        let Some(listed) = folder.rest.next() else {
            open.pop();
            continue;
        };
        let path = folder.path.join(&listed.name);
        let name = format!("{}{}", folder.below, listed.name.to_string_lossy());
        if listed.kind.is_some_and(|kind| kind.is_dir()) {
            if !loose {
                let depth = open.len();
                open.extend(enter(walker, path, format!("{name}/"), depth));
            }
            continue;
        }
        if wanted
            .as_ref()
            .is_some_and(|wanted| !wanted.contains(&listed.name))
        {
            continue;
        }
        if !file(walker, scope, &path, &name, index, listed.kind) {
            return;
        }
        index = index.saturating_add(1);
    }
}

/// What Velociraptor's list of uploads says about original paths, if this is its folder.
fn uploads(location: &Path) -> BTreeMap<String, String> {
    let mut bytes = Vec::new();
    let path = location.join(UPLOADS_NAME);
    let is_file = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file());
    if !is_file {
        return BTreeMap::new();
    }
    match open_file(&path).and_then(|file| {
        file.take(COLLECTOR_RECORD_BYTES_MAX)
            .read_to_end(&mut bytes)
    }) {
        Ok(_) => original_paths(&bytes),
        // The walk comes to this file as well, and tells what is wrong with it.
        Err(_) => BTreeMap::new(),
    }
}

/// Where the given folder is itself a drive's, its name belongs to the paths.
fn drive_prefix(location: &Path) -> String {
    let name = location
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    if names_drive(&name) {
        format!("{name}/")
    } else {
        String::new()
    }
}

fn enter(walker: &mut Walker<'_>, path: PathBuf, below: String, depth: usize) -> Option<Open> {
    let shown = crate::restore::restore(&below).path;
    let shown = if below.is_empty() { "" } else { &*shown };
    let depth_max = usize::try_from(walker.limits.folder_depth_max).unwrap_or(usize::MAX);
    if depth > depth_max {
        let detail = format!("folders are opened {depth_max} deep; this one was not read");
        walker.gap(shown, GapKind::Limit, &detail);
        return None;
    }
    match list(&path, walker.limits.entries()) {
        Ok(listing) => {
            if let Some(error) = &listing.error {
                let detail = format!("the folder could not be listed to its end: {error}");
                walker.gap(shown, GapKind::Partial, &detail);
            }
            if listing.cut {
                let detail = format!(
                    "the folder holds more than {} entries; the rest was not read",
                    walker.limits.entries()
                );
                walker.gap(shown, GapKind::Limit, &detail);
            }
            Some(Open {
                path,
                below,
                rest: listing.entries.into_iter(),
            })
        }
        Err(error) => {
            let detail = format!("the folder cannot be listed: {error}");
            walker.gap(shown, GapKind::Unreadable, &detail);
            None
        }
    }
}

/// The bytes of the plain file beside `path` whose name has `ending` behind it, in any case.
fn companion(path: &Path, ending: &str) -> Option<Vec<u8>> {
    let lower = ending.to_ascii_lowercase();
    [ending, lower.as_str()].into_iter().find_map(|ending| {
        let mut name = path.file_name()?.to_owned();
        name.push(ending);
        let beside = path.with_file_name(name);
        let metadata = fs::symlink_metadata(&beside).ok()?;
        if !metadata.is_file() || metadata.len() > COMPANION_BYTES_MAX {
            return None;
        }
        let mut bytes = Vec::new();
        let file = open_file(&beside).ok()?;
        file.take(COMPANION_BYTES_MAX)
            .read_to_end(&mut bytes)
            .ok()?;
        Some(bytes)
    })
}

/// Offers one file. False where no more entries are taken.
fn file(
    walker: &mut Walker<'_>,
    scope: &Scope,
    path: &Path,
    name: &str,
    index: u64,
    kind: Option<FileType>,
) -> bool {
    let is_file = kind.is_some_and(|kind| kind.is_file());
    let size = if is_file {
        fs::symlink_metadata(path)
            .ok()
            .map(|metadata| metadata.len())
    } else {
        None
    };
    let offered = Offered {
        index,
        name,
        size,
        modified: None,
        stored_bytes: size,
        expands_to_max: size.unwrap_or(0),
    };
    let admitted = match walker.admit(scope, &offered) {
        Admission::Read(admitted) => admitted,
        Admission::Skip | Admission::Refused => return true,
        Admission::Stop => return false,
    };
    let shown = &admitted.entry.path;
    match kind {
        Some(kind) if kind.is_file() => {
            let opened = open_file(path)
                .and_then(|file| SeekItem::new(Box::new(file), walker.limits.item_bytes_max));
            match opened {
                Ok(item) => {
                    let beside = Box::new(|ending: &str| companion(path, ending));
                    walker.read(&admitted, &mut item.with_companions(beside));
                }
                Err(error) => walker.unreadable(shown, &error),
            }
        }
        Some(kind) if kind.is_symlink() => {
            let detail = "a symbolic link; links are not followed";
            walker.gap(shown, GapKind::Unreadable, detail);
        }
        Some(_) => {
            let detail = "a device, pipe or socket; only files are read";
            walker.gap(shown, GapKind::Unreadable, detail);
        }
        None => walker.gap(
            shown,
            GapKind::Unreadable,
            "the system does not say what it is",
        ),
    }
    true
}
