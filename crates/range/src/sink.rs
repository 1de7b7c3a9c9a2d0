//! Where the evidence goes: whatever takes files, a folder, memory.

use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Takes the files of one collection, one after the other.
pub trait Sink {
    /// Takes a file by its original path, such as `C:\inetpub\wwwroot\iisstart.htm`.
    fn file(&mut self, path: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()>;

    /// Is called once, after the last file.
    fn finish(&mut self, taken: &Taken) -> io::Result<()>;
}

/// What a collector notes about its own run.
#[derive(Clone, Debug)]
pub struct Taken {
    pub host: String,
    /// The host's full name, with its domain.
    pub host_full: String,
    pub time: Timestamp,
}

/// Something that holds files by name: a folder, an archive, memory.
pub trait Container {
    /// Adds a file. `name` has forward slashes.
    fn put(&mut self, name: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()>;

    /// Completes what has been written.
    fn close(&mut self) -> io::Result<()>;
}

impl<C: Container + ?Sized> Container for Box<C> {
    fn put(&mut self, name: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()> {
        (**self).put(name, modified, contents)
    }

    fn close(&mut self) -> io::Result<()> {
        (**self).close()
    }
}

/// A folder. Files get the modification times that they had on the server.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    last_parent: PathBuf,
}

impl Folder {
    /// Fills `root`, which is made when the first file comes.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            last_parent: PathBuf::new(),
        }
    }
}

impl Container for Folder {
    fn put(&mut self, name: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()> {
        let path = self.root.join(name);
        if let Some(parent) = path.parent()
            && parent != self.last_parent
        {
            fs::create_dir_all(parent)?;
            parent.clone_into(&mut self.last_parent);
        }
        let mut file = fs::File::create(path)?;
        file.write_all(contents)?;
        file.set_modified(modified.into())
    }

    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Files in memory by name, for tests.
#[derive(Debug, Default)]
pub struct Memory {
    pub files: BTreeMap<String, (Timestamp, Vec<u8>)>,
}

impl Container for Memory {
    fn put(&mut self, name: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()> {
        self.files
            .insert(name.to_owned(), (modified, contents.to_owned()));
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}
