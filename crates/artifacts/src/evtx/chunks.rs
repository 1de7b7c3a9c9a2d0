//! Finds the chunks of an event log, in the order of their records, and reads them one by one.

use super::bytes::{array, u32_at, u64_at};
use super::chunk::{CHUNK_BYTES, CHUNK_HEADER_BYTES, ChunkHeader};
use evidence::ReadSeek;
use std::io::{self, Read, Seek, SeekFrom};

pub(super) const FILE_HEADER_BYTES: usize = 4_096;
pub(super) const FILE_MAGIC: &[u8; 8] = b"ElfFile\0";

/// Flags of a file: it was open when it was copied; it was written without checksums.
const DIRTY: u32 = 1;
const NO_CHECKSUM: u32 = 4;

/// Chunks that are brought into the order of their records; a log of 64 GiB. Beyond that they are read as they lie.
const SORTED_CHUNKS_MAX: u64 = 1 << 20;

/// The chunks of one file, oldest records first.
pub(super) struct Chunks<'a> {
    source: Box<dyn ReadSeek + 'a>,
    file_header: Vec<u8>,
    size: u64,
    /// (number of the first record, number of the chunk) of every chunk with content; `None`: as they lie.
    order: Option<Vec<(u64, u64)>>,
    next: u64,
    buffer: Vec<u8>,
}

/// A chunk as it lies in the file.
pub(super) struct Found<'a> {
    pub(super) offset: u64,
    /// Fewer than a chunk's at the file's end.
    pub(super) bytes: io::Result<&'a [u8]>,
    /// Whether it holds the newest records.
    pub(super) newest: bool,
}

impl<'a> Chunks<'a> {
    pub(super) fn open(mut source: Box<dyn ReadSeek + 'a>) -> io::Result<Self> {
        let size = source.seek(SeekFrom::End(0))?;
        source.seek(SeekFrom::Start(0))?;
        let mut file_header = Vec::new();
        (&mut source)
            .take(FILE_HEADER_BYTES as u64)
            .read_to_end(&mut file_header)?;
        let mut chunks = Self {
            source,
            file_header,
            size,
            order: None,
            next: 0,
            buffer: Vec::new(),
        };
        if chunks.count() <= SORTED_CHUNKS_MAX {
            chunks.order = Some(chunks.sorted()?);
        }
        Ok(chunks)
    }

    pub(super) fn file_header(&self) -> Option<FileHeader> {
        FileHeader::read(&self.file_header)
    }

    /// Bytes at the end that are too few even for a chunk's header.
    pub(super) fn cut_off_bytes(&self) -> u64 {
        let rest = self.chunk_bytes() % CHUNK_BYTES as u64;
        if rest < CHUNK_HEADER_BYTES as u64 {
            rest
        } else {
            0
        }
    }

    pub(super) fn end(&self) -> u64 {
        self.size
    }

    /// The next chunk that is not empty.
    pub(super) fn next(&mut self) -> Option<Found<'_>> {
        loop {
            let number = match &self.order {
                Some(order) => order.get(usize::try_from(self.next).ok()?)?.1,
                None if self.next < self.count() => self.next,
                None => return None,
            };
            self.next += 1;
            let offset = offset_of(number);
            let filled = self.fill(offset, CHUNK_BYTES);
            if filled.is_err() || self.buffer.iter().any(|byte| *byte != 0) {
                let newest = self
                    .order
                    .as_ref()
                    .is_some_and(|order| self.next == order.len() as u64);
                return Some(Found {
                    offset,
                    bytes: filled.map(|()| self.buffer.as_slice()),
                    newest,
                });
            }
        }
    }

    /// Every chunk with content, by the number of its first record. A log that is full goes on over its oldest chunk,
    /// so that the newest may lie anywhere. A chunk whose header cannot be read stays behind the one before it.
    fn sorted(&mut self) -> io::Result<Vec<(u64, u64)>> {
        let mut order = Vec::new();
        let mut first_id = 0;
        for number in 0..self.count() {
            self.fill(offset_of(number), CHUNK_HEADER_BYTES)?;
            if let Some(header) = ChunkHeader::read(&self.buffer) {
                if header.first_id <= header.last_id {
                    first_id = header.first_id;
                }
            } else if self.buffer.iter().all(|byte| *byte == 0) && self.is_blank(number)? {
                continue;
            }
            order.push((first_id, number));
        }
        order.sort_unstable();
        Ok(order)
    }

    /// Whether a whole chunk is zero: space that Windows set aside and never used.
    fn is_blank(&mut self, number: u64) -> io::Result<bool> {
        self.fill(offset_of(number), CHUNK_BYTES)?;
        Ok(self.buffer.iter().all(|byte| *byte == 0))
    }

    /// Reads so many bytes, at most a chunk's, into the buffer; fewer where the file ends.
    fn fill(&mut self, offset: u64, bytes: usize) -> io::Result<()> {
        self.buffer.resize(bytes, 0);
        self.source.seek(SeekFrom::Start(offset))?;
        let mut filled = 0;
        while filled < bytes {
            match self.source.read(&mut self.buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.clear();
                    return Err(error);
                }
            }
        }
        self.buffer.truncate(filled);
        Ok(())
    }

    fn chunk_bytes(&self) -> u64 {
        self.size.saturating_sub(FILE_HEADER_BYTES as u64)
    }

    /// Chunks by the file's size; the last counts where at least its header is there.
    fn count(&self) -> u64 {
        let whole = self.chunk_bytes() / CHUNK_BYTES as u64;
        let rest = self.chunk_bytes() % CHUNK_BYTES as u64;
        whole + u64::from(rest >= CHUNK_HEADER_BYTES as u64)
    }
}

fn offset_of(chunk: u64) -> u64 {
    chunk
        .saturating_mul(CHUNK_BYTES as u64)
        .saturating_add(FILE_HEADER_BYTES as u64)
}

/// What a file's header says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileHeader {
    /// The number that the next record would get.
    pub(super) next_id: u64,
    /// Whether the log was open when it was copied.
    pub(super) is_dirty: bool,
    /// Whether its checksum matches, so that it can be trusted.
    pub(super) is_sound: bool,
}

impl FileHeader {
    fn read(header: &[u8]) -> Option<Self> {
        if array::<8>(header, 0)? != *FILE_MAGIC {
            return None;
        }
        let checksum = crc32fast::hash(header.get(..120)?);
        let flags = u32_at(header, 120)?;
        Some(Self {
            next_id: u64_at(header, 24)?,
            is_dirty: flags & DIRTY != 0,
            is_sound: flags & NO_CHECKSUM != 0 || u32_at(header, 124)? == checksum,
        })
    }
}
