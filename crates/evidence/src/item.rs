//! The two kinds of item content, and the hash that is taken while readers read.

use crate::content::{Content, HEAD_BYTES, ReadSeek};
use crate::limits::Limits;
use sha2::{Digest as _, Sha256};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::rc::Rc;

/// Bytes read at once. Fewer, larger reads matter on network shares.
pub(crate) const CHUNK_BYTES: usize = 256 * 1024;

/// Buffer of random access, where a large one would be thrown away at every seek.
const SEEK_BUFFER_BYTES: usize = 16 * 1024;

/// SHA-256 and size of one item's bytes as they were offered.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest {
    /// Lower-case hex. Of a compressed log (`.gz`) this is the hash of its plain bytes, as lines and offsets count in them.
    pub sha256: String,
    /// Bytes hashed.
    pub size: u64,
    /// Whether the whole item was read. If not, a gap says why, and the hash covers what was read.
    pub complete: bool,
    /// For a compressed log: the hash of the file as stored, which `sha256sum` shows.
    pub stored_sha256: Option<String>,
}

/// Why an item could not be read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A bound stopped it.
    Limit(String),
    /// The bytes are damaged, cut off or could not be read.
    Damaged(String),
}

/// What remains of an item once all of it was read.
pub(crate) struct Finished {
    pub(crate) digest: Digest,
    pub(crate) fault: Option<Fault>,
}

/// Content that can be read to its end for the hash.
pub(crate) trait Item: Content {
    /// Reads what readers left, and gives the hash of the whole. With `keep`, the bytes can be read again afterwards.
    fn finish(&mut self, keep: bool) -> Finished;
}

/// Hash over a prefix, fed by whichever reader gets there first.
struct RunningHash {
    hasher: Sha256,
    hashed: u64,
}

impl RunningHash {
    fn new() -> Self {
        Self {
            hasher: Sha256::new(),
            hashed: 0,
        }
    }

    /// Takes in what of `bytes`, which begin at `offset`, continues the prefix.
    fn feed(&mut self, offset: u64, bytes: &[u8]) {
        let Some(known) = self.hashed.checked_sub(offset) else {
            return;
        };
        let Some(fresh) = usize::try_from(known)
            .ok()
            .and_then(|known| bytes.get(known..))
        else {
            return;
        };
        self.hasher.update(fresh);
        self.hashed = self.hashed.saturating_add(length(fresh));
    }

    fn digest(&self, complete: bool) -> Digest {
        Digest {
            sha256: hex(&self.hasher.clone().finalize()),
            size: self.hashed,
            complete,
            stored_sha256: None,
        }
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// A buffer for reading `bytes` and noticing the end, but no larger than a chunk: most members are small.
fn chunk_for(bytes: u64) -> Vec<u8> {
    const BYTES_MIN: usize = 4 * 1024;
    let wanted = usize::try_from(bytes.saturating_add(1)).unwrap_or(usize::MAX);
    vec![0; wanted.clamp(BYTES_MIN, CHUNK_BYTES)]
}

/// Length of a buffer as a count of bytes.
pub(crate) fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// A plain file or buffer: readers get at it directly, nothing is copied.
pub(crate) struct SeekItem<'a> {
    source: Box<dyn ReadSeek + 'a>,
    size: u64,
    bytes_max: u64,
    head: Option<Vec<u8>>,
    hash: RunningHash,
    fault: Option<Fault>,
    /// Opens the file whose name has this ending behind that of the item.
    beside: Option<Beside<'a>>,
}

/// Gives the bytes of a companion by its ending.
pub(crate) type Beside<'a> = Box<dyn FnMut(&str) -> Option<Vec<u8>> + 'a>;

impl<'a> SeekItem<'a> {
    /// Fails where the source cannot tell its size.
    pub(crate) fn new(mut source: Box<dyn ReadSeek + 'a>, bytes_max: u64) -> io::Result<Self> {
        let size = source.seek(SeekFrom::End(0))?;
        let fault = (size > bytes_max).then(|| {
            Fault::Limit(format!(
                "larger than {bytes_max} bytes; the rest was not read"
            ))
        });
        Ok(Self {
            source,
            size,
            bytes_max,
            head: None,
            hash: RunningHash::new(),
            fault,
            beside: None,
        })
    }

    /// Has companions looked for in this way.
    pub(crate) fn with_companions(mut self, beside: Beside<'a>) -> Self {
        self.beside = Some(beside);
        self
    }

    pub(crate) fn into_source(self) -> Box<dyn ReadSeek + 'a> {
        self.source
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.bytes_max.saturating_sub(offset)).unwrap_or(usize::MAX);
        let room = room.min(buffer.len());
        if room == 0 {
            return Ok(0);
        }
        let read = self
            .source
            .seek(SeekFrom::Start(offset))
            .and_then(|_| self.source.read(&mut buffer[..room]));
        match read {
            Ok(count) => {
                self.hash.feed(offset, &buffer[..count]);
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                self.fault
                    .get_or_insert_with(|| Fault::Damaged(format!("cannot be read: {error}")));
                Err(error)
            }
        }
    }
}

impl Content for SeekItem<'_> {
    fn size(&self) -> Option<u64> {
        Some(self.size)
    }

    fn head(&mut self) -> &[u8] {
        if self.head.is_none() {
            let mut head = Vec::new();
            let mut reader = SeekItemReader {
                item: self,
                position: 0,
            };
            // A read error is kept as the item's fault; the head ends before it.
            let limit = u64::try_from(HEAD_BYTES).unwrap_or(u64::MAX);
            let _noted = (&mut reader).take(limit).read_to_end(&mut head);
            self.head = Some(head);
        }
        self.head.as_deref().unwrap_or_default()
    }

    fn stream(&mut self) -> Box<dyn Read + '_> {
        Box::new(BufReader::with_capacity(
            CHUNK_BYTES,
            SeekItemReader {
                item: self,
                position: 0,
            },
        ))
    }

    fn seekable(&mut self) -> io::Result<Box<dyn ReadSeek + '_>> {
        Ok(Box::new(BufReader::with_capacity(
            SEEK_BUFFER_BYTES,
            SeekItemReader {
                item: self,
                position: 0,
            },
        )))
    }

    fn companion(&mut self, ending: &str) -> Option<Vec<u8>> {
        self.beside.as_mut()?(ending)
    }
}

impl Item for SeekItem<'_> {
    fn finish(&mut self, _keep: bool) -> Finished {
        let mut buffer = chunk_for(self.size.saturating_sub(self.hash.hashed));
        loop {
            match self.read_at(self.hash.hashed, &mut buffer) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        Finished {
            digest: self.hash.digest(self.fault.is_none()),
            fault: self.fault.clone(),
        }
    }
}

struct SeekItemReader<'s, 'a> {
    item: &'s mut SeekItem<'a>,
    position: u64,
}

impl Read for SeekItemReader<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.item.read_at(self.position, buffer)?;
        self.position = self.position.saturating_add(length(&buffer[..count]));
        Ok(count)
    }
}

impl Seek for SeekItemReader<'_, '_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let end = self.item.size.min(self.item.bytes_max);
        self.position = target(to, self.position, end)?;
        Ok(self.position)
    }
}

/// Where a seek leads.
pub(crate) fn target(to: SeekFrom, position: u64, end: u64) -> io::Result<u64> {
    let reached = match to {
        SeekFrom::Start(offset) => Some(offset),
        SeekFrom::Current(by) => position.checked_add_signed(by),
        SeekFrom::End(by) => end.checked_add_signed(by),
    };
    reached.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the start"))
}

/// Bytes and entries that everything inside one outermost entry may still take.
#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) bytes: Cell<u64>,
    pub(crate) entries: Cell<u64>,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Rc<Self> {
        Rc::new(Self {
            bytes: Cell::new(limits.expanded_bytes_max),
            entries: Cell::new(limits.entries()),
        })
    }
}

/// Bytes that can be read only once and in order: members of archives and compressed logs. What is read is kept, the
/// first bytes in memory and the rest in an unlinked temporary file, so that readers can start again or seek.
pub(crate) struct Spool<'a> {
    source: Box<dyn Read + 'a>,
    size: Option<u64>,
    bytes_max: u64,
    limit_detail: &'static str,
    budget: Rc<Budget>,
    memory_max: u64,
    memory: Vec<u8>,
    /// Bytes from `memory_max` on.
    file: Option<File>,
    /// Bytes pulled so far, which are all kept.
    kept: u64,
    /// What was pulled last, in its first `pulled` bytes.
    chunk: Vec<u8>,
    pulled: usize,
    hash: RunningHash,
    ended: bool,
    fault: Option<Fault>,
    /// By their endings.
    companions: Vec<(&'static str, Vec<u8>)>,
}

impl<'a> Spool<'a> {
    /// `size` as the container declares it; `stored_bytes` is what the bytes take there, for the ratio.
    pub(crate) fn new(
        source: Box<dyn Read + 'a>,
        size: Option<u64>,
        stored_bytes: Option<u64>,
        limits: &Limits,
        budget: Rc<Budget>,
    ) -> Self {
        let by_ratio = stored_bytes.map_or(u64::MAX, |stored| limits.expansion_max(stored));
        let (bytes_max, limit_detail) = if by_ratio < limits.member_bytes_max {
            (by_ratio, "expands beyond the bound on the ratio")
        } else {
            (
                limits.member_bytes_max,
                "expands beyond the bound on one member",
            )
        };
        Self {
            source,
            size,
            bytes_max,
            limit_detail,
            budget,
            memory_max: limits
                .spool_memory_bytes
                .max(u64::try_from(HEAD_BYTES).unwrap_or(u64::MAX)),
            memory: Vec::new(),
            file: None,
            kept: 0,
            chunk: chunk_for(size.unwrap_or(u64::MAX)),
            pulled: 0,
            hash: RunningHash::new(),
            ended: false,
            fault: None,
            companions: Vec::new(),
        }
    }

    /// Adds files that stand beside it, by their endings.
    pub(crate) fn with_companions(mut self, companions: Vec<(&'static str, Vec<u8>)>) -> Self {
        self.companions = companions;
        self
    }

    /// Pulls one chunk into `self.chunk`. False at the end, at a bound, or where the source fails.
    fn pull(&mut self) -> bool {
        if self.ended {
            return false;
        }
        self.pulled = loop {
            match self.source.read(&mut self.chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.stop(Fault::Damaged(format!(
                        "cannot be read beyond byte {}: {error}",
                        self.hash.hashed
                    )));
                    return false;
                }
                Ok(count) => break count,
            }
        };
        if self.pulled == 0 {
            self.ended = true;
            return false;
        }
        let budget = self.budget.bytes.get();
        let item_room = self.bytes_max.saturating_sub(self.hash.hashed);
        let room = budget.min(item_room);
        if length(&self.chunk[..self.pulled]) > room {
            self.pulled = usize::try_from(room).unwrap_or(usize::MAX);
            let detail = if budget < item_room {
                "the archive it lies in expands beyond its bound"
            } else {
                self.limit_detail
            };
            self.stop(Fault::Limit(format!(
                "{detail}; read up to byte {}",
                self.hash.hashed.saturating_add(room)
            )));
        }
        let pulled = &self.chunk[..self.pulled];
        self.budget.bytes.set(budget.saturating_sub(length(pulled)));
        self.hash.feed(self.hash.hashed, pulled);
        self.pulled > 0
    }

    fn stop(&mut self, fault: Fault) {
        self.ended = true;
        self.fault.get_or_insert(fault);
    }

    /// Keeps the pulled chunk. False where the temporary file cannot take it.
    fn keep(&mut self) -> bool {
        let room = self.memory_max.saturating_sub(self.kept);
        let in_memory = usize::try_from(room).unwrap_or(usize::MAX).min(self.pulled);
        let (first, rest) = self.chunk[..self.pulled].split_at(in_memory);
        self.memory.extend_from_slice(first);
        if !rest.is_empty()
            && let Err(error) = append(&mut self.file, rest)
        {
            let detail = format!("cannot be kept in a temporary file: {error}");
            self.kept = self.kept.saturating_add(length(first));
            self.stop(Fault::Limit(detail));
            return false;
        }
        self.kept = self
            .kept
            .saturating_add(length(first))
            .saturating_add(length(rest));
        true
    }

    /// Pulls until `bytes` are kept, or there are no more.
    fn keep_until(&mut self, bytes: u64) {
        while self.kept < bytes && self.pull() {
            if !self.keep() {
                return;
            }
        }
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.keep_until(offset.saturating_add(1));
        let room = usize::try_from(self.kept.saturating_sub(offset)).unwrap_or(usize::MAX);
        let room = room.min(buffer.len());
        if room == 0 {
            return Ok(0);
        }
        let in_memory = usize::try_from(offset)
            .ok()
            .and_then(|offset| self.memory.get(offset..))
            .filter(|bytes| !bytes.is_empty());
        if let Some(bytes) = in_memory {
            let count = bytes.len().min(room);
            buffer[..count].copy_from_slice(&bytes[..count]);
            return Ok(count);
        }
        let Some(file) = &mut self.file else {
            return Ok(0);
        };
        file.seek(SeekFrom::Start(offset.saturating_sub(self.memory_max)))?;
        file.read(&mut buffer[..room])
    }
}

/// Appends to the temporary file, which is made at first use.
fn append(file: &mut Option<File>, bytes: &[u8]) -> io::Result<()> {
    let file = match file {
        Some(file) => file,
        None => file.insert(tempfile::tempfile()?),
    };
    file.seek(SeekFrom::End(0))?;
    file.write_all(bytes)
}

impl Content for Spool<'_> {
    fn size(&self) -> Option<u64> {
        self.size
    }

    fn head(&mut self) -> &[u8] {
        self.keep_until(u64::try_from(HEAD_BYTES).unwrap_or(u64::MAX));
        &self.memory[..self.memory.len().min(HEAD_BYTES)]
    }

    fn stream(&mut self) -> Box<dyn Read + '_> {
        Box::new(SpoolReader {
            spool: self,
            position: 0,
        })
    }

    fn seekable(&mut self) -> io::Result<Box<dyn ReadSeek + '_>> {
        Ok(Box::new(SpoolReader {
            spool: self,
            position: 0,
        }))
    }

    fn companion(&mut self, ending: &str) -> Option<Vec<u8>> {
        let (_, bytes) = self.companions.iter().find(|(known, _)| *known == ending)?;
        Some(bytes.clone())
    }
}

impl Item for Spool<'_> {
    fn finish(&mut self, keep: bool) -> Finished {
        if keep {
            self.keep_until(u64::MAX);
        }
        while self.pull() {}
        Finished {
            digest: self.hash.digest(self.fault.is_none()),
            fault: self.fault.clone(),
        }
    }
}

struct SpoolReader<'s, 'a> {
    spool: &'s mut Spool<'a>,
    position: u64,
}

impl Read for SpoolReader<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.spool.read_at(self.position, buffer)?;
        self.position = self.position.saturating_add(length(&buffer[..count]));
        Ok(count)
    }
}

impl Seek for SpoolReader<'_, '_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if matches!(to, SeekFrom::End(_)) {
            self.spool.keep_until(u64::MAX);
        }
        self.position = target(to, self.position, self.spool.kept)?;
        Ok(self.position)
    }
}
