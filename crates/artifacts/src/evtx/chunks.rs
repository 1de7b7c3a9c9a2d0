//! Finds the chunks of an event log, in the order of their records, and opens each as far as it is sound.

use evidence::ReadSeek;
use evtx::err::EvtxError;
use evtx::{EvtxChunkData, EvtxChunkHeader, EvtxRecord, ParserSettings};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

pub(super) const FILE_HEADER_BYTES: usize = 4_096;
pub(super) const CHUNK_BYTES: usize = 65_536;
pub(super) const CHUNK_HEADER_BYTES: usize = 512;

/// Records that fit into a chunk: a head, a size and hardly any content each.
const RECORDS_MAX: u64 = CHUNK_BYTES as u64 / 28;

/// Where a chunk's header lists its strings; all zero is an empty list.
const STRING_TABLE: Range<usize> = 128..384;

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

    pub(super) fn file_header(&self) -> &[u8] {
        &self.file_header
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
            if let Ok(header) = EvtxChunkHeader::from_bytes(&self.buffer) {
                if header.first_event_record_id <= header.last_event_record_id {
                    first_id = header.first_event_record_id;
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

    fn fill(&mut self, offset: u64, bytes: usize) -> io::Result<()> {
        self.buffer.clear();
        self.source.seek(SeekFrom::Start(offset))?;
        (&mut self.source)
            .take(bytes as u64)
            .read_to_end(&mut self.buffer)?;
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

/// One chunk whose header could be read.
pub(super) struct Chunk {
    data: EvtxChunkData,
    string_table_damaged: bool,
}

impl Chunk {
    /// Opens a chunk; the error says why it is none.
    pub(super) fn new(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut chunk = Self {
            data: open(bytes.to_vec())?,
            string_table_damaged: false,
        };
        if chunk.data.parse(Arc::new(ParserSettings::new())).is_err() {
            // Without its table, the names are read where the records refer to them.
            let mut bytes = bytes.to_vec();
            bytes
                .get_mut(STRING_TABLE)
                .ok_or("its header is cut off")?
                .fill(0);
            chunk.data = open(bytes)?;
            chunk.string_table_damaged = true;
            if chunk.data.parse(Arc::new(ParserSettings::new())).is_err() {
                return Err("its string table cannot be read");
            }
        }
        Ok(chunk)
    }

    pub(super) fn string_table_damaged(&self) -> bool {
        self.string_table_damaged
    }

    /// Which checksum does not match.
    pub(super) fn checksum_fault(&self) -> Option<&'static str> {
        if !self.string_table_damaged && !self.data.validate_header_checksum() {
            Some("the checksum of this chunk's header does not match")
        } else if !self.data.validate_data_checksum() {
            Some("the checksum of this chunk's records does not match")
        } else {
            None
        }
    }

    /// How many records the header counts behind the highest number that was found.
    pub(super) fn records_behind(&self, highest: Option<u64>) -> Option<u64> {
        let header = &self.data.header;
        let (first, last) = (header.first_event_record_id, header.last_event_record_id);
        let counted = last.checked_sub(first)?.checked_add(1)?;
        // An empty chunk, and a header that counts more than can fit, say nothing.
        if counted > RECORDS_MAX {
            return None;
        }
        let found = highest.unwrap_or(first.saturating_sub(1));
        last.checked_sub(found).filter(|missing| *missing > 0)
    }

    /// Calls `visit` for every record, readable or not, until it returns false.
    pub(super) fn each_record(
        &mut self,
        settings: &Arc<ParserSettings>,
        visit: &mut dyn FnMut(Result<EvtxRecord<'_>, EvtxError>) -> bool,
    ) {
        let Ok(mut chunk) = self.data.parse(Arc::clone(settings)) else {
            return;
        };
        for record in chunk.iter() {
            if !visit(record) {
                break;
            }
        }
    }
}

fn open(bytes: Vec<u8>) -> Result<EvtxChunkData, &'static str> {
    EvtxChunkData::new(bytes, false).map_err(|_error| "its head is not that of a chunk")
}
