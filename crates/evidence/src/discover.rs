//! Which collections lie at the given paths.
//!
//! A collection is the outermost archive or container, or the topmost folder that holds drive folders or artifacts;
//! archives inside belong to it. For each folder, from the top:
//!
//! 1. It holds a drive folder or a collector's own layout, or folders that every Windows host has: it is one collection.
//! 2. It holds archives, or folders that are collections by rule 1 (at any depth): those are collections each. Files
//!    beside them are one more collection only if they look like evidence (logs, lists, exports; not a README).
//! 3. It holds files: it is one collection with everything below it.
//! 4. It holds only folders: the rules hold for each of them.

use crate::content::{Content, HEAD_BYTES};
use crate::item::SeekItem;
use crate::limits::{Limits, Options};
use crate::open::{compressed, folder};
use crate::restore::names_drive;
use crate::sniff::{Form, form};
use crate::walk::open_file;
use serde::{Deserialize, Serialize};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

/// [`Collection::container`] of the loose files beside collections in one folder.
pub(crate) const LOOSE_FILES: &str = "files";

/// Folders looked through for collections. Cases are filed by organisation, host and date at most.
const SEARCH_DEPTH_MAX: usize = 8;

/// Names read of one folder while looking for collections.
const SEARCH_NAMES_MAX: u64 = 100_000;

/// Evidence of one host taken at one time. Never written to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Collection {
    /// The file or folder itself, as a path of this machine.
    pub location: PathBuf,
    /// The argument joined with the path below it, as reports show it.
    pub label: String,
    /// `folder`, `file`, `files` (the loose files of a folder whose other entries are collections of their own), `zip`,
    /// `tar`, `tar.gz`, `tar.zst`, `tar.xz`, `7z`. Where the layout is a collector's, its name follows in brackets:
    /// `zip (velociraptor)`.
    pub container: String,
}

/// Why collections cannot be looked for.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    #[error("`{}` does not exist", .0.display())]
    NotFound(PathBuf),
    /// A pipe, a device or a socket: reading it might never end.
    #[error("`{}` is neither a file nor a folder", .0.display())]
    NoFile(PathBuf),
    #[error("cannot open `{}`", .path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Finds the collections at these paths, sorted by label. What was given twice, or lies inside a folder that is a
/// collection as a whole, counts once.
///
/// Fails only where a given path itself does not exist or cannot be opened.
pub fn discover(paths: &[PathBuf], options: &Options) -> Result<Vec<Collection>, DiscoverError> {
    let mut found = BTreeMap::new();
    for path in paths {
        let fail = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => DiscoverError::NotFound(path.clone()),
            _ => DiscoverError::Unreadable {
                path: path.clone(),
                source,
            },
        };
        let metadata = std::fs::metadata(path).map_err(fail)?;
        if !metadata.is_dir() && !metadata.is_file() {
            return Err(DiscoverError::NoFile(path.clone()));
        }
        let collections = if metadata.is_dir() {
            in_folder(path, &options.limits).map_err(fail)?
        } else {
            vec![of_file(path, &options.limits).map_err(fail)?]
        };
        for collection in collections {
            let place = collection.location.canonicalize().map_err(fail)?;
            let key = (place, collection.container == LOOSE_FILES);
            // Two arguments can lead to the same place; which label stays must not depend on their order.
            match found.entry(key) {
                Entry::Vacant(vacant) => {
                    vacant.insert(collection);
                }
                Entry::Occupied(mut kept) if simpler(&collection, kept.get()) => {
                    kept.insert(collection);
                }
                Entry::Occupied(_) => {}
            }
        }
    }
    let folders: Vec<PathBuf> = found
        .iter()
        .filter(|((place, loose), _)| !loose && place.is_dir())
        .map(|((place, _), _)| place.clone())
        .collect();
    let is_inside = |place: &Path| {
        folders
            .iter()
            .any(|folder| place != folder && place.starts_with(folder))
    };
    let mut collections: Vec<Collection> = found
        .into_iter()
        .filter(|((place, _), _)| !is_inside(place))
        .map(|(_, collection)| collection)
        .collect();
    collections.sort_by(|a, b| (&a.label, &a.container).cmp(&(&b.label, &b.container)));
    Ok(collections)
}

fn simpler(a: &Collection, b: &Collection) -> bool {
    (a.label.len(), &a.label) < (b.label.len(), &b.label)
}

/// Names of the loose files that make up a collection of [`LOOSE_FILES`].
pub(crate) fn loose_files(path: &Path, limits: &Limits) -> io::Result<BTreeSet<OsString>> {
    let (Search::Sure(beside) | Search::Loose(beside)) = search(path, limits, 0)?;
    let listing = folder::list(path, SEARCH_NAMES_MAX.min(limits.entries()))?;
    let is_file = |listed: &folder::Listed| listed.kind.is_some_and(|kind| !kind.is_dir());
    let archives: BTreeSet<&OsStr> = beside
        .iter()
        .filter(|collection| collection.location.parent() == Some(path))
        .filter_map(|collection| collection.location.file_name())
        .collect();
    Ok(listing
        .entries
        .iter()
        .filter(|listed| is_file(listed) && !archives.contains(listed.name.as_os_str()))
        .map(|listed| listed.name.clone())
        .filter(|name| is_loose_evidence(name, &beside))
        .collect())
}

/// What one folder turned out to be while looking for collections.
enum Search {
    /// Collections that stand by a layout or are archives.
    Sure(Vec<Collection>),
    /// Collections that merely hold files; the folder above may take them in.
    Loose(Vec<Collection>),
}

fn in_folder(path: &Path, limits: &Limits) -> io::Result<Vec<Collection>> {
    let collections = match search(path, limits, 0)? {
        Search::Sure(collections) | Search::Loose(collections) => collections,
    };
    if collections.is_empty() {
        // An empty folder was given: it is a collection of nothing, and the report says so.
        return Ok(vec![collection(path, "folder")]);
    }
    Ok(collections)
}

fn search(path: &Path, limits: &Limits, depth: usize) -> io::Result<Search> {
    let listing = folder::list(path, SEARCH_NAMES_MAX.min(limits.entries()))?;
    let mut folders = Vec::new();
    let mut files = Vec::new();
    for listed in &listing.entries {
        let Some(kind) = listed.kind else { continue };
        if kind.is_dir() {
            folders.push(listed.name.as_os_str());
        } else {
            files.push(listed.name.as_os_str());
        }
    }
    if let Some(layout) = Layout::of(path, &folders, &files) {
        return Ok(Search::Sure(vec![collection(path, &layout.container())]));
    }
    let mut sure = Vec::new();
    let mut loose = Vec::new();
    let mut files_left = Vec::new();
    for name in files {
        let file = path.join(name);
        match archive_name(&file, limits) {
            Ok(Some(container)) => sure.push(collection(&file, &container)),
            // What cannot be opened now becomes a gap of the walk.
            Ok(None) | Err(_) => files_left.push(name),
        }
    }
    if depth < SEARCH_DEPTH_MAX {
        for name in folders {
            match search(&path.join(name), limits, depth.saturating_add(1)) {
                Ok(Search::Sure(collections)) => sure.extend(collections),
                Ok(Search::Loose(collections)) => loose.extend(collections),
                // The walk of a folder that cannot be listed tells so.
                Err(_) => loose.push(collection(&path.join(name), "folder")),
            }
        }
    } else if !folders.is_empty() && files_left.is_empty() {
        return Ok(Search::Loose(vec![collection(path, "folder")]));
    }
    if !sure.is_empty() {
        sure.extend(loose);
        let is_loose_evidence =
            |name: &&OsStr| looks_like_evidence(name) && !goes_with(name, &sure);
        if files_left.iter().any(is_loose_evidence) {
            sure.push(collection(path, LOOSE_FILES));
        }
        return Ok(Search::Sure(sure));
    }
    if files_left.is_empty() {
        return Ok(Search::Loose(loose));
    }
    // Host folders beside a README: the README does not join them.
    let only_notes = !files_left.iter().any(|name| looks_like_evidence(name));
    if only_notes && !loose.is_empty() {
        return Ok(Search::Loose(loose));
    }
    Ok(Search::Loose(vec![collection(path, "folder")]))
}

fn collection(path: &Path, container: &str) -> Collection {
    Collection {
        location: path.to_owned(),
        label: path.to_string_lossy().into_owned(),
        container: container.to_owned(),
    }
}

/// A file that was given by itself, or a whole archive.
fn of_file(path: &Path, limits: &Limits) -> io::Result<Collection> {
    let container = archive_name(path, limits)?;
    Ok(collection(path, container.as_deref().unwrap_or("file")))
}

/// The container's name if this file is an archive, with the collector where the first names show it.
fn archive_name(path: &Path, limits: &Limits) -> io::Result<Option<String>> {
    if !std::fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let mut item = SeekItem::new(Box::new(open_file(path)?), limits.item_bytes_max)?;
    let name = path.to_string_lossy();
    let container = match form(item.head(), &name) {
        Form::Plain | Form::Foreign(_) => return Ok(None),
        Form::Zip => "zip".to_owned(),
        Form::SevenZip => "7z".to_owned(),
        Form::Disk => "disk image".to_owned(),
        Form::Tar => "tar".to_owned(),
        Form::Compressed(codec) => {
            if !compressed::holds_tar(codec, item.stream(), limits) {
                return Ok(None);
            }
            format!("tar.{}", codec.suffix())
        }
    };
    Ok(Some(match collector_of_archive(item.head(), &name) {
        Some(collector) => format!("{container} ({collector})"),
        None => container,
    }))
}

/// The collector that an archive's own name or its first member's name shows.
fn collector_of_archive(head: &[u8], path: &str) -> Option<&'static str> {
    debug_assert!(head.len() <= HEAD_BYTES);
    let name = path
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or(path)
        .to_ascii_lowercase();
    let holds = |needle: &[u8]| memchr::memmem::find(head, needle).is_some();
    if holds(b"uploads/auto/")
        || holds(b"uploads/ntfs/")
        || holds(b"uploads.json")
        || holds(b"client_info.json")
        || holds(b"collection_context.json")
        || name.starts_with("collection-")
    {
        return Some("velociraptor");
    }
    if name.starts_with("uac-") {
        return Some("uac");
    }
    if holds(b"_CopyLog.csv") || holds(b"_ConsoleLog.txt") {
        return Some("kape");
    }
    if holds(b"fs/C:/") || holds(b"fs/c:/") || holds(b"sysvol/") {
        return Some("acquire");
    }
    None
}

/// Why a folder is a collection by its names alone.
enum Layout {
    Drives,
    Collector(&'static str),
    /// Folders that every Windows host has, without a drive folder above them.
    Windows,
}

impl Layout {
    fn of(path: &Path, folders: &[&OsStr], files: &[&OsStr]) -> Option<Self> {
        let folder_names: Vec<String> = folders.iter().map(|name| lower(name)).collect();
        let file_names: Vec<String> = files.iter().map(|name| lower(name)).collect();
        let has_folder = |wanted: &str| folder_names.iter().any(|name| name == wanted);
        let has_file = |wanted: &str| file_names.iter().any(|name| name == wanted);
        let is_velociraptor = [
            "uploads.json",
            "collection_context.json",
            "client_info.json",
        ]
        .iter()
        .any(|name| has_file(name));
        if is_velociraptor || (has_folder("uploads") && has_folder("results")) {
            return Some(Self::Collector("velociraptor"));
        }
        if has_folder("[root]") || has_file("uac.log") {
            return Some(Self::Collector("uac"));
        }
        if has_folder("fs") && holds_drive(&path.join("fs")) || has_folder("sysvol") {
            return Some(Self::Collector("acquire"));
        }
        let has_drive = folders
            .iter()
            .any(|name| names_drive(&name.to_string_lossy()));
        if has_drive {
            let is_kape = file_names
                .iter()
                .any(|name| name.ends_with("_copylog.csv") || name.ends_with("_consolelog.txt"));
            return Some(if is_kape {
                Self::Collector("kape")
            } else {
                Self::Drives
            });
        }
        folder_names
            .iter()
            .any(|name| is_part_of_a_host(name))
            .then_some(Self::Windows)
    }

    fn container(&self) -> String {
        match self {
            Self::Drives | Self::Windows => "folder".to_owned(),
            Self::Collector(name) => format!("folder ({name})"),
        }
    }
}

fn lower(name: &OsStr) -> String {
    name.to_string_lossy().to_lowercase()
}

fn holds_drive(path: &Path) -> bool {
    folder::list(path, SEARCH_NAMES_MAX).is_ok_and(|listing| {
        listing.entries.iter().any(|listed| {
            listed.kind.is_some_and(|kind| kind.is_dir())
                && (names_drive(&listed.name.to_string_lossy()) || lower(&listed.name) == "sysvol")
        })
    })
}

/// Folders that are one part of a host's evidence, so that the folder above them is the host's.
fn is_part_of_a_host(folder: &str) -> bool {
    const PARTS: [&str; 22] = [
        "windows",
        "inetpub",
        "program files",
        "programdata",
        "users",
        "system32",
        "winevt",
        "exchangesetuplogs",
        "httperr",
        "logfiles",
        "logging",
        "httpproxy",
        "frontend",
        "ecp",
        "owa",
        "ews",
        "autodiscover",
        "oabgeneratorlog",
        "cmdletinfra",
        "aspnet_client",
        "wwwroot",
        "temporary asp.net files",
    ];
    let is_site_log = ["w3svc", "ftpsvc"].iter().any(|service| {
        folder
            .strip_prefix(service)
            .is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
    });
    is_site_log || PARTS.contains(&folder)
}

/// Whether this file only accompanies one of the collections beside it, as logs and checksums of collectors do:
/// `EX01.log` beside `EX01.zip`.
fn goes_with(name: &OsStr, collections: &[Collection]) -> bool {
    let name = lower(name);
    if crate::collector::is_collector_record(&name) {
        return true;
    }
    collections
        .iter()
        .filter_map(|collection| collection.location.file_name())
        .map(lower)
        .any(|beside| {
            let stem = beside.split('.').next().unwrap_or_default();
            let rest = name.strip_prefix(stem);
            !stem.is_empty() && rest.is_some_and(|rest| rest.starts_with(['.', '_', '-']))
        })
}

fn is_loose_evidence(name: &OsStr, beside: &[Collection]) -> bool {
    looks_like_evidence(name) && !goes_with(name, beside)
}

/// Whether a loose file beside collections is evidence rather than somebody's note about them.
fn looks_like_evidence(name: &OsStr) -> bool {
    // What people write about evidence; everything else counts, with or without an ending: a hive is called `SYSTEM`.
    const DOCUMENTS: [&str; 17] = [
        "md", "pdf", "doc", "docx", "odt", "xlsx", "pptx", "html", "htm", "png", "jpg", "jpeg",
        "sha256", "sha1", "md5", "asc", "sig",
    ];
    // `truth` and `known-files` are what the range writes beside its servers.
    const NOTES: [&str; 11] = [
        "known-files",
        "truth",
        "manifest",
        "readme",
        "license",
        "licence",
        "notes",
        "checksums",
        "sha256sums",
        "md5sums",
        "origin",
    ];
    let name = lower(name);
    let stem = name.split('.').next().unwrap_or_default();
    !NOTES.contains(&stem) && !DOCUMENTS.contains(&model::extension(&name).as_str())
}
