//! Objects of a case: whole files under a name, in a folder or an S3-compatible store.
//!
//! In a folder an object is written under a temporary name, brought to the disk and renamed: it is there whole or not at
//! all, after a loss of power too. (The local store of `object_store` renames but never syncs, so folders are written here.)
//! An S3-compatible store does the same by itself.

use crate::CaseError;
use futures_util::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Bytes read or sent at once; S3 takes no smaller parts than 5 MiB.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of an object that is read into memory: reports and what readers said of a host have a few megabytes.
const READ_BYTES_MAX: u64 = 1 << 30;

/// Bytes of a host's name in the names of objects; file systems take 255, and an ending follows.
const HOST_KEY_BYTES_MAX: usize = 120;

/// The name of a host as part of an object's name, the same on every file system and in every URL: letters, digits, `.`, `_`
/// and `-` stay, every other byte is `~` and two hex digits. Long names are cut, and `~~` and a part of their hash follows.
pub fn host_key(host: &str) -> String {
    let mut key = String::new();
    let dots = host.bytes().all(|byte| byte == b'.');
    for byte in host.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if plain && !dots {
            key.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _infallible = write!(key, "~{byte:02X}");
        }
    }
    if key.is_empty() {
        return "~".to_owned();
    }
    if key.len() > HOST_KEY_BYTES_MAX {
        key.truncate(HOST_KEY_BYTES_MAX - 20);
        let hash = hex(&Sha256::digest(host.as_bytes()));
        key.push_str("~~");
        key.push_str(hash.get(..16).unwrap_or_default());
    }
    key
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// What an object holds, by its length in bytes and its SHA-256 in lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    pub bytes: u64,
    pub sha256: String,
}

/// Where the objects lie.
#[derive(Debug)]
pub struct Objects {
    runtime: Arc<Runtime>,
    root: Root,
}

#[derive(Debug)]
enum Root {
    Folder(PathBuf),
    Remote(Arc<dyn ObjectStore>, ObjectPath),
}

/// An object as a file of this machine; a copy is removed with it.
#[derive(Debug)]
pub struct LocalObject {
    path: PathBuf,
    copied: bool,
}

impl LocalObject {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for LocalObject {
    fn drop(&mut self) {
        if self.copied {
            // What stays is removed with the rest of the staging folder.
            let _left = std::fs::remove_file(&self.path);
        }
    }
}

impl Objects {
    pub(crate) fn folder(runtime: Arc<Runtime>, root: PathBuf) -> Result<Self, CaseError> {
        std::fs::create_dir_all(&root).map_err(CaseError::file(&root))?;
        let root = Root::Folder(root);
        Ok(Self { runtime, root })
    }

    /// A store by its URL (`s3://bucket/prefix`, `file:///folder`). Options are named as `object_store` names them
    /// (`aws_access_key_id`, `aws_endpoint`, …).
    pub(crate) fn at(
        runtime: Arc<Runtime>,
        url: &str,
        options: &BTreeMap<String, String>,
    ) -> Result<Self, CaseError> {
        let wrong = || CaseError::StoreUrl(url.to_owned());
        let parsed: url::Url = url.parse().map_err(|_not_a_url| wrong())?;
        if parsed.scheme() == "file" {
            let folder = parsed.to_file_path().map_err(|()| wrong())?;
            return Self::folder(runtime, folder);
        }
        if parsed.scheme() != "s3" || !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(wrong());
        }
        let (store, prefix) =
            object_store::parse_url_opts(&parsed, options).map_err(CaseError::store(url))?;
        let root = Root::Remote(Arc::from(store), prefix);
        Ok(Self { runtime, root })
    }

    /// The store itself, for whoever reads Parquet where it lies; names are those of the objects.
    pub fn object_store(&self) -> Result<Arc<dyn ObjectStore>, CaseError> {
        match &self.root {
            Root::Folder(root) => {
                let store = LocalFileSystem::new_with_prefix(root);
                Ok(Arc::new(store.map_err(CaseError::store("the objects"))?))
            }
            Root::Remote(store, prefix) => Ok(Arc::new(PrefixStore::new(
                Arc::clone(store),
                prefix.clone(),
            ))),
        }
    }

    /// The folder of the objects, where they lie in one.
    pub fn root_folder(&self) -> Option<&Path> {
        match &self.root {
            Root::Folder(root) => Some(root),
            Root::Remote(..) => None,
        }
    }

    /// What a file holds, by reading it.
    pub fn contents_of_file(file: &Path) -> Result<Contents, CaseError> {
        let source = File::options().read(true).open(file);
        let mut source = source.map_err(CaseError::file(file))?;
        copy(&mut source, &mut io::sink()).map_err(CaseError::file(file))
    }

    /// Keeps a file as an object. The file is moved where that is possible, and gone afterwards in any case.
    pub fn put_file(&self, name: &str, file: &Path) -> Result<(), CaseError> {
        check_name(name)?;
        let opened = File::options().read(true).write(true).open(file);
        let mut source = opened.map_err(CaseError::file(file))?;
        if let Root::Folder(root) = &self.root {
            source.sync_all().map_err(CaseError::file(file))?;
            let target = root.join(name);
            let folder = make_parent(&target)?;
            if std::fs::rename(file, &target).is_ok() {
                return sync_folder(folder);
            }
            // Another file system: it is copied.
        }
        self.put_read(name, &mut source, file)?;
        std::fs::remove_file(file).map_err(CaseError::file(file))
    }

    /// Keeps these bytes as an object.
    pub fn put_bytes(&self, name: &str, bytes: &[u8]) -> Result<Contents, CaseError> {
        check_name(name)?;
        self.put_read(name, &mut &*bytes, Path::new(name))
    }

    /// Keeps what is read as an object; `from` names it in errors.
    pub fn put_read(
        &self,
        name: &str,
        source: &mut dyn Read,
        from: &Path,
    ) -> Result<Contents, CaseError> {
        check_name(name)?;
        match &self.root {
            Root::Folder(root) => {
                let target = root.join(name);
                let folder = make_parent(&target)?;
                let temporary = target.with_extension(TEMPORARY);
                let mut file = File::create(&temporary).map_err(CaseError::file(&temporary))?;
                let contents = copy(source, &mut file).map_err(CaseError::file(from))?;
                file.sync_all().map_err(CaseError::file(&temporary))?;
                std::fs::rename(&temporary, &target).map_err(CaseError::file(&target))?;
                sync_folder(folder)?;
                Ok(contents)
            }
            Root::Remote(store, prefix) => {
                let path = remote_path(prefix, name);
                let (first, whole) = part(source).map_err(CaseError::file(from))?;
                let mut hash = Sha256::new();
                let mut bytes = first.len() as u64;
                hash.update(&first);
                self.runtime.block_on(async {
                    if whole {
                        let payload = PutPayload::from(first);
                        store
                            .put(&path, payload)
                            .await
                            .map_err(CaseError::store(name))?;
                        return Ok(());
                    }
                    let upload = store.put_multipart(&path).await;
                    let upload = upload.map_err(CaseError::store(name))?;
                    let mut writer = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
                    writer.write(&first);
                    loop {
                        let (next, last) = part(source).map_err(CaseError::file(from))?;
                        hash.update(&next);
                        bytes += next.len() as u64;
                        writer.write(&next);
                        // Parts under way are held in memory.
                        writer
                            .wait_for_capacity(4)
                            .await
                            .map_err(CaseError::store(name))?;
                        if last {
                            break;
                        }
                    }
                    writer.finish().await.map_err(CaseError::store(name))?;
                    Ok::<(), CaseError>(())
                })?;
                let sha256 = hex(&hash.finalize());
                Ok(Contents { bytes, sha256 })
            }
        }
    }

    /// The bytes of an object.
    pub fn get(&self, name: &str) -> Result<Vec<u8>, CaseError> {
        let mut bytes = Vec::new();
        self.read(name, &mut |some| {
            bytes.extend_from_slice(some);
            if bytes.len() as u64 > READ_BYTES_MAX {
                return Err(io::Error::other("too large to be read at once"));
            }
            Ok(())
        })?;
        Ok(bytes)
    }

    /// What the object holds, by reading it; `None` where there is none of this name.
    pub fn contents(&self, name: &str) -> Result<Option<Contents>, CaseError> {
        let mut hash = Sha256::new();
        let mut bytes = 0;
        let read = self.read(name, &mut |some| {
            hash.update(some);
            bytes += some.len() as u64;
            Ok(())
        });
        match read {
            Err(CaseError::NoObject(_)) => Ok(None),
            read => {
                read?;
                let sha256 = hex(&hash.finalize());
                Ok(Some(Contents { bytes, sha256 }))
            }
        }
    }

    /// The object as a file; one that lies elsewhere is copied into `scratch`.
    pub fn local(&self, name: &str, scratch: &Path) -> Result<LocalObject, CaseError> {
        check_name(name)?;
        match &self.root {
            Root::Folder(root) => {
                let path = root.join(name);
                if !path.is_file() {
                    return Err(CaseError::NoObject(name.to_owned()));
                }
                let copied = false;
                Ok(LocalObject { path, copied })
            }
            Root::Remote(..) => {
                let path = scratch.join(name.replace('/', "~~"));
                let mut file = File::create(&path).map_err(CaseError::file(&path))?;
                let local = LocalObject { path, copied: true };
                self.read(name, &mut |some| file.write_all(some))?;
                Ok(local)
            }
        }
    }

    /// Removes an object; one that is not there is no error.
    pub fn delete(&self, name: &str) -> Result<(), CaseError> {
        check_name(name)?;
        match &self.root {
            Root::Folder(root) => {
                let path = root.join(name);
                match std::fs::remove_file(&path) {
                    Err(source) if source.kind() != io::ErrorKind::NotFound => {
                        Err(CaseError::file(&path)(source))
                    }
                    _ => Ok(()),
                }
            }
            Root::Remote(store, prefix) => {
                let path = remote_path(prefix, name);
                match self.runtime.block_on(store.delete(&path)) {
                    Err(object_store::Error::NotFound { .. }) => Ok(()),
                    done => done.map_err(CaseError::store(name)),
                }
            }
        }
    }

    /// The names of all objects and of what unfinished writing left, in order.
    pub fn list(&self) -> Result<Vec<String>, CaseError> {
        let mut names = Vec::new();
        match &self.root {
            Root::Folder(root) => list_folder(root, "", &mut names)?,
            Root::Remote(store, prefix) => {
                let listed = self.runtime.block_on(async {
                    let stream = store.list(Some(prefix));
                    let names = stream.map_ok(|meta| {
                        let location = meta.location.as_ref();
                        let inside = location.strip_prefix(prefix.as_ref()).unwrap_or(location);
                        inside.trim_start_matches('/').to_owned()
                    });
                    names.try_collect::<Vec<String>>().await
                });
                names = listed.map_err(CaseError::store("the list of objects"))?;
            }
        }
        names.sort();
        Ok(names)
    }

    fn read(
        &self,
        name: &str,
        take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), CaseError> {
        check_name(name)?;
        match &self.root {
            Root::Folder(root) => {
                let path = root.join(name);
                let mut file = match File::options().read(true).open(&path) {
                    Err(source) if source.kind() == io::ErrorKind::NotFound => {
                        return Err(CaseError::NoObject(name.to_owned()));
                    }
                    file => file.map_err(CaseError::file(&path))?,
                };
                loop {
                    let (some, last) = part(&mut file).map_err(CaseError::file(&path))?;
                    take(&some).map_err(CaseError::file(&path))?;
                    if last {
                        return Ok(());
                    }
                }
            }
            Root::Remote(store, prefix) => self.runtime.block_on(async {
                let found = match store.get(&remote_path(prefix, name)).await {
                    Err(object_store::Error::NotFound { .. }) => {
                        return Err(CaseError::NoObject(name.to_owned()));
                    }
                    found => found.map_err(CaseError::store(name))?,
                };
                let mut stream = found.into_stream();
                while let Some(some) = stream.next().await {
                    let some = some.map_err(CaseError::store(name))?;
                    take(&some).map_err(CaseError::file(Path::new(name)))?;
                }
                Ok(())
            }),
        }
    }
}

/// Ending of an object that is being written.
const TEMPORARY: &str = "part~";

fn remote_path(prefix: &ObjectPath, name: &str) -> ObjectPath {
    let mut path = prefix.clone();
    for part in name.split('/') {
        path = path.join(part);
    }
    path
}

/// Names are made by us, but what they are made of is read from a ledger that somebody may have changed.
fn check_name(name: &str) -> Result<(), CaseError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    let good = |part: &str| {
        !part.is_empty() && !part.bytes().all(|byte| byte == b'.') && part.bytes().all(plain)
    };
    if name.split('/').all(good) {
        Ok(())
    } else {
        Err(CaseError::ObjectName(name.to_owned()))
    }
}

/// The next bytes, and whether they are the last.
fn part(source: &mut dyn Read) -> io::Result<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    source.take(PART_BYTES as u64).read_to_end(&mut bytes)?;
    let last = bytes.len() < PART_BYTES;
    Ok((bytes, last))
}

fn copy(source: &mut dyn Read, target: &mut dyn Write) -> io::Result<Contents> {
    let mut hash = Sha256::new();
    let mut bytes = 0;
    loop {
        let (some, last) = part(source)?;
        hash.update(&some);
        bytes += some.len() as u64;
        target.write_all(&some)?;
        if last {
            let sha256 = hex(&hash.finalize());
            return Ok(Contents { bytes, sha256 });
        }
    }
}

fn make_parent(target: &Path) -> Result<&Path, CaseError> {
    let folder = target.parent().unwrap_or(target);
    std::fs::create_dir_all(folder).map_err(CaseError::file(folder))?;
    Ok(folder)
}

/// Brings the renaming to the disk. Windows cannot open folders so, and renames durably by itself.
fn sync_folder(folder: &Path) -> Result<(), CaseError> {
    if cfg!(windows) {
        return Ok(());
    }
    let opened = File::options().read(true).open(folder);
    let synced = opened.and_then(|folder| folder.sync_all());
    synced.map_err(CaseError::file(folder))
}

fn list_folder(folder: &Path, prefix: &str, names: &mut Vec<String>) -> Result<(), CaseError> {
    let entries = std::fs::read_dir(folder).map_err(CaseError::file(folder))?;
    for entry in entries {
        let entry = entry.map_err(CaseError::file(folder))?;
        let kind = entry.file_type().map_err(CaseError::file(folder))?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if kind.is_dir() {
            list_folder(&entry.path(), &format!("{name}/"), names)?;
        } else {
            names.push(name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_hosts_are_safe_and_tell_hosts_apart() {
        let cases = [
            ("EX01", "EX01"),
            ("mx.contoso.com", "mx.contoso.com"),
            ("", "~"),
            (".", "~2E"),
            ("..", "~2E~2E"),
            ("a/b\\c", "a~2Fb~5Cc"),
            ("Ä", "~C3~84"),
            ("a%20", "a~2520"),
        ];
        for (host, key) in cases {
            assert_eq!(host_key(host), key);
        }
    }

    proptest! {
        #[test]
        fn no_two_hosts_share_a_key(one in ".{0,60}", other in ".{0,60}") {
            let keys = (host_key(&one), host_key(&other));
            prop_assert!(keys.0.len() <= HOST_KEY_BYTES_MAX);
            let name = format!("events/c-1/{}.parquet", keys.0);
            prop_assert!(check_name(&name).is_ok());
            prop_assert_eq!(keys.0 == keys.1, one == other);
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [
            "",
            "..",
            "a/../b",
            "/etc/passwd",
            "a//b",
            "a\\b",
            "a b",
            "C:x",
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
