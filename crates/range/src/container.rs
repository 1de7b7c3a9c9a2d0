//! The containers in which evidence comes, each ready to be filled under a path.

use crate::Error;
use crate::archive::{SevenZip, Tar, Zip};
use crate::layout::{Collection, Layout};
use crate::sink::{Container, Folder, Sink, Taken};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use lzma_rust2::{XzOptions, XzWriter};
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A container and its layout, as a collector or a person packs one host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContainerKind {
    /// A folder of drives: `C/…`.
    #[default]
    Folder,
    /// The same as a zip archive, as `CyLR` packs it.
    Zip,
    TarGz,
    TarZst,
    TarXz,
    SevenZip,
    /// KAPE's zip: drives, with its console, copy and skip logs.
    Kape,
    /// A zip of Velociraptor's offline collector.
    Velociraptor,
    /// A tar of Fox-IT's acquire.
    Acquire,
    /// A folder of drives with the text logs in a `logs.zip` of their own.
    Nested,
    /// A folder of drives whose text logs somebody compressed one by one.
    GzippedLogs,
}

impl ContainerKind {
    pub const ALL: [Self; 11] = [
        Self::Folder,
        Self::Zip,
        Self::TarGz,
        Self::TarZst,
        Self::TarXz,
        Self::SevenZip,
        Self::Kape,
        Self::Velociraptor,
        Self::Acquire,
        Self::Nested,
        Self::GzippedLogs,
    ];

    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Zip => "zip",
            Self::TarGz => "tar.gz",
            Self::TarZst => "tar.zst",
            Self::TarXz => "tar.xz",
            Self::SevenZip => "7z",
            Self::Kape => "kape",
            Self::Velociraptor => "velociraptor",
            Self::Acquire => "acquire",
            Self::Nested => "nested",
            Self::GzippedLogs => "gzipped-logs",
        }
    }

    /// The end of the container's file name, without a dot; empty for folders.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Folder | Self::Nested | Self::GzippedLogs => "",
            Self::Zip | Self::Kape | Self::Velociraptor => "zip",
            Self::TarGz => "tar.gz",
            Self::TarZst => "tar.zst",
            Self::TarXz => "tar.xz",
            Self::SevenZip => "7z",
            Self::Acquire => "tar",
        }
    }

    /// `path` with the container's extension; dots in its last part stay.
    pub fn path(self, path: &Path) -> PathBuf {
        let mut path = path.as_os_str().to_owned();
        if !self.extension().is_empty() {
            path.push(".");
            path.push(self.extension());
        }
        path.into()
    }
}

impl fmt::Display for ContainerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ContainerKind {
    type Err = Error;

    /// Reads a name such as `tar.gz`.
    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| Error::Container(name.to_owned()))
    }
}

/// Begins a container of that kind at `path_without_extension`, whose folder is made where it does not exist. Gives the
/// sink to fill and the path of the file or folder that it fills.
///
/// The same files give the same bytes. An archive's own time is set to that of the collection.
pub fn open_container(
    kind: ContainerKind,
    path_without_extension: &Path,
) -> io::Result<(Box<dyn Sink>, PathBuf)> {
    let path = kind.path(path_without_extension);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let folder = || Folder::new(&path);
    let file = || File::create(&path).map(BufWriter::new);
    let (container, layout): (Box<dyn Container>, Layout) = match kind {
        ContainerKind::Folder => {
            return Ok((Box::new(Collection::new(folder(), Layout::Drives)), path));
        }
        ContainerKind::GzippedLogs => {
            let logs = GzippedLogs { folder: folder() };
            return Ok((Box::new(Collection::new(logs, Layout::Drives)), path));
        }
        ContainerKind::Nested => {
            let nested = Nested {
                folder: folder(),
                path: path.join("logs.zip"),
                logs: None,
            };
            return Ok((Box::new(Collection::new(nested, Layout::Drives)), path));
        }
        ContainerKind::Zip => (Box::new(Zip::deflated(file()?)), Layout::Drives),
        ContainerKind::Kape => (Box::new(Zip::deflated(file()?)), Layout::Kape),
        ContainerKind::Velociraptor => (Box::new(Zip::deflated(file()?)), Layout::Velociraptor),
        ContainerKind::SevenZip => (Box::new(SevenZip::new(file()?)?), Layout::Drives),
        ContainerKind::Acquire => (
            Box::new(Tarball::new(Stream::Plain(file()?))),
            Layout::Acquire,
        ),
        ContainerKind::TarGz => {
            let stream = Stream::Gzip(GzEncoder::new(file()?, Compression::fast()));
            (Box::new(Tarball::new(stream)), Layout::Drives)
        }
        ContainerKind::TarZst => {
            let stream = Stream::Zstandard(zstd::Encoder::new(file()?, 1)?);
            (Box::new(Tarball::new(stream)), Layout::Drives)
        }
        ContainerKind::TarXz => {
            let writer = XzWriter::new(file()?, XzOptions::with_preset(0))?;
            let stream = Stream::Xz(Some(Box::new(writer)));
            (Box::new(Tarball::new(stream)), Layout::Drives)
        }
    };
    let archive = Archive {
        collection: Collection::new(container, layout),
        path: path.clone(),
    };
    Ok((Box::new(archive), path))
}

/// An archive in a file, which gets the time of the collection at the end.
struct Archive {
    collection: Collection<Box<dyn Container>>,
    path: PathBuf,
}

impl Sink for Archive {
    fn file(&mut self, path: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()> {
        self.collection.file(path, modified, contents)
    }

    fn finish(&mut self, taken: &Taken) -> io::Result<()> {
        self.collection.finish(taken)?;
        let file = File::options().append(true).open(&self.path)?;
        file.set_modified(taken.time.into())
    }
}

/// A compressor, or none, in front of a file.
enum Stream {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
    Zstandard(zstd::Encoder<'static, BufWriter<File>>),
    /// Nothing after its end.
    Xz(Option<Box<XzWriter<BufWriter<File>>>>),
}

impl Stream {
    /// Writes what the format puts at its end.
    fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Gzip(encoder) => {
                encoder.try_finish()?;
                encoder.get_mut().flush()
            }
            Self::Zstandard(encoder) => {
                encoder.do_finish()?;
                encoder.get_mut().flush()
            }
            Self::Xz(writer) => match writer.take() {
                Some(writer) => writer.finish()?.flush(),
                None => Ok(()),
            },
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstandard(encoder) => encoder.write(bytes),
            Self::Xz(Some(writer)) => writer.write(bytes),
            Self::Xz(None) => Err(io::Error::other("the archive has been closed")),
        }
    }

    /// Does nothing before the end: a flush in between would only make the archive larger.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A tar archive, compressed or not.
struct Tarball {
    tar: Tar<Stream>,
}

impl Tarball {
    fn new(stream: Stream) -> Self {
        Self {
            tar: Tar::new(stream),
        }
    }
}

impl Container for Tarball {
    fn put(&mut self, name: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()> {
        self.tar.put(name, modified, contents)
    }

    fn close(&mut self) -> io::Result<()> {
        self.tar.close()?;
        self.tar.inner_mut().end()
    }
}

fn is_text_log(name: &str) -> bool {
    let end = name.len().saturating_sub(4);
    name.get(end..)
        .is_some_and(|end| end.eq_ignore_ascii_case(".log"))
}

/// A folder whose text logs are compressed one by one.
struct GzippedLogs {
    folder: Folder,
}

impl Container for GzippedLogs {
    fn put(&mut self, name: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()> {
        if !is_text_log(name) {
            return self.folder.put(name, modified, contents);
        }
        let packed = Vec::with_capacity(contents.len() / 4 + 128);
        let mut encoder = GzEncoder::new(packed, Compression::fast());
        encoder.write_all(contents)?;
        self.folder
            .put(&format!("{name}.gz"), modified, &encoder.finish()?)
    }

    fn close(&mut self) -> io::Result<()> {
        self.folder.close()
    }
}

/// A folder with the text logs in an archive of their own.
struct Nested {
    folder: Folder,
    path: PathBuf,
    /// Begun with the first log.
    logs: Option<Zip<BufWriter<File>>>,
}

impl Container for Nested {
    fn put(&mut self, name: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()> {
        if !is_text_log(name) {
            return self.folder.put(name, modified, contents);
        }
        let logs = match &mut self.logs {
            Some(logs) => logs,
            None => self.logs.insert(begin_archive(&self.path)?),
        };
        logs.put(name, modified, contents)
    }

    fn close(&mut self) -> io::Result<()> {
        if let Some(logs) = &mut self.logs {
            logs.close()?;
        }
        self.folder.close()
    }
}

fn begin_archive(path: &Path) -> io::Result<Zip<BufWriter<File>>> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    Ok(Zip::deflated(BufWriter::new(File::create(path)?)))
}
