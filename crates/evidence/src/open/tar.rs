//! Tar archives ([POSIX ustar and pax](https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html),
//! [GNU](https://www.gnu.org/software/tar/manual/html_node/Standard.html)), plain or from a decompressing stream.
//!
//! Headers are decoded by the crate `tar`; the walk over them is done here, as names must stay bounded and reading
//! must go on behind damage.

use crate::content::ReadSeek;
use crate::item::{CHUNK_BYTES, Spool, length};
use crate::sniff::{TAR_BLOCK_BYTES, is_tar_header};
use crate::walk::{Admission, Admitted, Offered, Scope, Walker};
use model::GapKind;
use std::io::{self, Read, SeekFrom};
use std::rc::Rc;
use tar::{EntryType, Header, PaxExtensions};

const BLOCK_BYTES: u64 = 512;

/// Largest long name or pax record that is taken in. Windows paths end at 32,767 characters.
const EXTENSION_BYTES_MAX: u64 = 256 * 1024;

/// Walks a tar that allows seeking, so that skipped members cost nothing.
pub(crate) fn walk_seekable(walker: &mut Walker<'_>, scope: &Scope, source: &mut dyn ReadSeek) {
    let size = match source.seek(SeekFrom::End(0)) {
        Ok(size) => size,
        Err(error) => return walker.unreadable(scope.path(), &error),
    };
    if let Err(error) = source.seek(SeekFrom::Start(0)) {
        return walker.unreadable(scope.path(), &error);
    }
    let archive = Archive {
        bytes: Bytes::Seekable { source, size },
        position: 0,
    };
    walk(walker, scope, archive);
}

/// Walks a tar that is read once from start to end.
pub(crate) fn walk_stream(walker: &mut Walker<'_>, scope: &Scope, source: &mut dyn Read) {
    let archive = Archive {
        bytes: Bytes::Stream(source),
        position: 0,
    };
    walk(walker, scope, archive);
}

fn walk(walker: &mut Walker<'_>, scope: &Scope, mut archive: Archive<'_>) {
    let mut index = 0;
    let mut extensions = Extensions::default();
    let mut ended = false;
    let mut damaged_at = None;
    loop {
        let at = archive.position;
        let block = match archive.block() {
            Ok(Some(block)) => block,
            Ok(None) => break,
            Err(error) => {
                let detail = format!("the tar archive breaks off at byte {at}: {error}");
                return walker.gap(scope.path(), GapKind::Partial, &detail);
            }
        };
        // Archives may be joined, so reading goes on behind an end mark.
        if block.iter().all(|byte| *byte == 0) {
            ended = true;
            continue;
        }
        if !is_tar_header(&block) {
            damaged_at.get_or_insert(at);
            continue;
        }
        ended = false;
        let header = Header::from_byte_slice(&block);
        match member(walker, scope, &mut archive, header, &mut extensions, index) {
            Ok(Step::Extension) => {}
            Ok(Step::Folder) => extensions = Extensions::default(),
            Ok(Step::Member) => {
                extensions = Extensions::default();
                index = index.saturating_add(1);
            }
            Ok(Step::Stop) => return,
            Err(error) => {
                let detail = format!(
                    "the tar archive breaks off at byte {}: {error}",
                    archive.position
                );
                return walker.gap(scope.path(), GapKind::Partial, &detail);
            }
        }
    }
    if let Some(at) = damaged_at {
        let detail =
            format!("the tar archive is damaged at byte {at}; reading went on at the next header");
        walker.gap(scope.path(), GapKind::Partial, &detail);
    }
    if !ended {
        let detail = "the tar archive has no end mark, so it may have been cut off";
        walker.gap(scope.path(), GapKind::Partial, detail);
    }
}

/// What a header turned out to be.
enum Step {
    /// Something about the next member.
    Extension,
    Folder,
    Member,
    Stop,
}

/// What the headers before a member say about it.
#[derive(Default)]
struct Extensions {
    name: Option<String>,
    size: Option<u64>,
    sparse: bool,
}

/// Handles one header and everything that belongs to it.
fn member(
    walker: &mut Walker<'_>,
    scope: &Scope,
    archive: &mut Archive<'_>,
    header: &Header,
    extensions: &mut Extensions,
    index: u64,
) -> io::Result<Step> {
    let kind = header.entry_type();
    let size = match kind {
        kind if kind.is_pax_local_extensions() || kind.is_gnu_longname() => header.entry_size()?,
        _ => extensions.size.map_or_else(|| header.entry_size(), Ok)?,
    };
    match kind {
        kind if kind.is_gnu_longname() => {
            let bytes = archive.extension(size)?;
            let name = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
            extensions.name = Some(String::from_utf8_lossy(name).into_owned());
            return Ok(Step::Extension);
        }
        kind if kind.is_pax_local_extensions() => {
            let bytes = archive.extension(size)?;
            extensions.read_pax(&bytes);
            return Ok(Step::Extension);
        }
        kind if kind.is_gnu_longlink() || kind.is_pax_global_extensions() => {
            archive.skip_padded(size)?;
            return Ok(Step::Extension);
        }
        EntryType::Directory => {
            archive.skip_padded(size)?;
            return Ok(Step::Folder);
        }
        _ => {}
    }
    // The blocks that go on describing holes stand before the data.
    if kind.is_gnu_sparse() && header.as_gnu().is_some_and(tar::GnuHeader::is_extended) {
        archive.skip_sparse_headers()?;
    }
    let name = match extensions.name.take() {
        Some(name) => name,
        None => String::from_utf8_lossy(&header.path_bytes()).into_owned(),
    };
    // Links carry no data, whatever their size field says.
    let is_link = kind.is_symlink() || kind.is_hard_link();
    let size = if is_link { 0 } else { size };
    let offered = Offered {
        index,
        name: &name,
        size: Some(size),
        modified: header
            .mtime()
            .ok()
            .and_then(|seconds| i64::try_from(seconds).ok())
            .and_then(crate::times::of_unix),
        stored_bytes: Some(size),
        expands_to_max: size,
    };
    match walker.admit(scope, &offered) {
        Admission::Stop => return Ok(Step::Stop),
        Admission::Refused if !archive.is_seekable() => {
            let detail = "what follows a member that expands too far was not read";
            walker.gap(scope.path(), GapKind::Limit, detail);
            return Ok(Step::Stop);
        }
        Admission::Skip | Admission::Refused => archive.skip_padded(size)?,
        Admission::Read(admitted) => match unreadable(kind, extensions.sparse) {
            Some(detail) => {
                walker.gap(&admitted.entry.path, GapKind::Unreadable, detail);
                archive.skip_padded(size)?;
            }
            None => read(walker, &admitted, archive, size)?,
        },
    }
    Ok(Step::Member)
}

/// Why a member of this kind has no bytes to read.
fn unreadable(kind: EntryType, sparse: bool) -> Option<&'static str> {
    match kind {
        EntryType::Symlink => Some("a symbolic link; links are not followed"),
        EntryType::Link => {
            Some("a hard link; its bytes stand where the archive first holds the file")
        }
        EntryType::Char | EntryType::Block | EntryType::Fifo => {
            Some("a device or pipe; only files are read")
        }
        EntryType::GNUSparse => Some("a sparse file, which is not put together"),
        _ if sparse => Some("a sparse file, which is not put together"),
        _ => None,
    }
}

fn read(
    walker: &mut Walker<'_>,
    admitted: &Admitted,
    archive: &mut Archive<'_>,
    size: u64,
) -> io::Result<()> {
    let mut left = size;
    {
        let member = MemberReader {
            archive,
            left: &mut left,
        };
        let mut spool = Spool::new(
            Box::new(member),
            Some(size),
            Some(size),
            &walker.limits,
            Rc::clone(&admitted.budget),
        );
        walker.read(admitted, &mut spool);
    }
    archive.skip(left)?;
    archive.skip(padding(size))
}

/// Bytes from the end of a member to the next block.
fn padding(size: u64) -> u64 {
    match size % BLOCK_BYTES {
        0 => 0,
        over => BLOCK_BYTES.saturating_sub(over),
    }
}

impl Extensions {
    fn read_pax(&mut self, bytes: &[u8]) {
        for record in PaxExtensions::new(bytes).flatten() {
            let value = record.value_bytes();
            match record.key_bytes() {
                // GNU keeps the real name of a sparse file here; it comes after `path`.
                b"path" | b"GNU.sparse.name" => {
                    self.name = Some(String::from_utf8_lossy(value).into_owned());
                }
                b"size" => {
                    self.size = std::str::from_utf8(value)
                        .ok()
                        .and_then(|text| text.parse().ok());
                }
                key if key.starts_with(b"GNU.sparse.") => self.sparse = true,
                _ => {}
            }
        }
    }
}

enum Bytes<'s> {
    Stream(&'s mut dyn Read),
    Seekable {
        source: &'s mut dyn ReadSeek,
        size: u64,
    },
}

struct Archive<'s> {
    bytes: Bytes<'s>,
    position: u64,
}

impl Archive<'_> {
    fn is_seekable(&self) -> bool {
        matches!(self.bytes, Bytes::Seekable { .. })
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.bytes {
            Bytes::Stream(source) => source.read(buffer)?,
            Bytes::Seekable { source, .. } => source.read(buffer)?,
        };
        self.position = self.position.saturating_add(length(&buffer[..count]));
        Ok(count)
    }

    /// The next block; `None` at the end of the archive's bytes.
    fn block(&mut self) -> io::Result<Option<[u8; TAR_BLOCK_BYTES]>> {
        let mut block = [0; TAR_BLOCK_BYTES];
        let mut filled = 0;
        while filled < block.len() {
            match self.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(ends_early()),
                Ok(count) => filled = filled.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(block))
    }

    /// The data of a header that describes the next member, at most [`EXTENSION_BYTES_MAX`] of it.
    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let mut left = size.min(EXTENSION_BYTES_MAX);
        let rest = size.saturating_sub(left);
        let mut bytes = Vec::new();
        MemberReader {
            archive: self,
            left: &mut left,
        }
        .read_to_end(&mut bytes)?;
        self.skip(rest)?;
        self.skip(padding(size))?;
        Ok(bytes)
    }

    fn skip_padded(&mut self, size: u64) -> io::Result<()> {
        self.skip(size)?;
        self.skip(padding(size))
    }

    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        if let Bytes::Seekable { source, size } = &mut self.bytes {
            let to = self.position.saturating_add(bytes);
            if to > *size {
                return Err(ends_early());
            }
            self.position = source.seek(SeekFrom::Start(to))?;
            return Ok(());
        }
        let mut buffer = vec![0; CHUNK_BYTES.min(usize::try_from(bytes).unwrap_or(CHUNK_BYTES))];
        let mut left = bytes;
        let mut reader = MemberReader {
            archive: self,
            left: &mut left,
        };
        while reader.read(&mut buffer)? > 0 {}
        Ok(())
    }

    fn skip_sparse_headers(&mut self) -> io::Result<()> {
        /// Where a block says that another follows.
        const EXTENDED_AT: usize = 504;
        while let Some(block) = self.block()? {
            if block[EXTENDED_AT] == 0 {
                return Ok(());
            }
        }
        Err(ends_early())
    }
}

fn ends_early() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the archive ends inside a member",
    )
}

/// The bytes of one member. Their missing is an error, not an end.
struct MemberReader<'m, 's> {
    archive: &'m mut Archive<'s>,
    left: &'m mut u64,
}

impl Read for MemberReader<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(*self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if room == 0 {
            return Ok(0);
        }
        let count = self.archive.read(&mut buffer[..room])?;
        if count == 0 {
            return Err(ends_early());
        }
        *self.left = self.left.saturating_sub(length(&buffer[..count]));
        Ok(count)
    }
}
