//! Archives: tar, zip, 7z.
//!
//! Tar and zip are written here, as their bytes must not change with a library's version; 7z comes from `sevenz-rust2`.

use crate::formats::{u16_of, u32_of};
use crate::moment::Moment;
use crate::sink::Container;
use flate2::{Compress, Compression, FlushCompress, Status};
use jiff::Timestamp;
use sevenz_rust2::encoder_options::Lzma2Options;
use sevenz_rust2::{
    ArchiveEntry, ArchiveWriter, EncoderConfiguration, EncoderMethod, NtTime, SourceReader,
};
use std::fmt;
use std::io::{self, Cursor, Seek, Write};

/// A tar archive with pax headers for long names (POSIX.1-2001).
#[derive(Debug)]
pub struct Tar<W> {
    out: W,
}

impl<W: Write> Tar<W> {
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// What the archive was written to.
    pub fn into_inner(self) -> W {
        self.out
    }

    /// What the archive is being written to.
    pub(crate) fn inner_mut(&mut self) -> &mut W {
        &mut self.out
    }

    fn entry(&mut self, kind: u8, name: &[u8], modified: i64, contents: &[u8]) -> io::Result<()> {
        let mut header = [0_u8; 512];
        let kept = name.len().min(100);
        header[..kept].copy_from_slice(&name[..kept]);
        let mut octal = |position: usize, digits: usize, value: u64| {
            let text = format!("{value:0digits$o}");
            header[position..position + digits].copy_from_slice(text.as_bytes());
        };
        octal(100, 7, 0o644);
        octal(108, 7, 0);
        octal(116, 7, 0);
        octal(124, 11, u64::from(u32_of(contents.len())));
        octal(136, 11, u64::try_from(modified).unwrap_or(0));
        header[156] = kind;
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.out.write_all(&header)?;
        self.out.write_all(contents)?;
        let padding = contents.len().next_multiple_of(512) - contents.len();
        self.out.write_all(&[0; 512][..padding])
    }
}

impl<W: Write> Container for Tar<W> {
    fn put(&mut self, name: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()> {
        let second = modified.as_second();
        if name.len() > 100 {
            let record = pax_record("path", name);
            self.entry(b'x', b"pax", second, record.as_bytes())?;
        }
        self.entry(b'0', name.as_bytes(), second, contents)
    }

    fn close(&mut self) -> io::Result<()> {
        self.out.write_all(&[0; 1024])?;
        self.out.flush()
    }
}

/// `length key=value\n`, where the length counts itself.
fn pax_record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len() + 1;
    while length.to_string().len() + rest.len() != length {
        length = length.to_string().len() + rest.len();
    }
    format!("{length}{rest}")
}

/// A zip archive (APPNOTE 6.3, with ZIP64 where the number of members or an offset needs it).
#[derive(Debug)]
pub struct Zip<W> {
    out: W,
    /// Members are stored where there is none.
    compressor: Option<Compress>,
    offset: u64,
    directory: Vec<u8>,
    members: u64,
}

impl<W: Write> Zip<W> {
    /// An archive whose members are stored as they are.
    pub fn new(out: W) -> Self {
        Self {
            out,
            compressor: None,
            offset: 0,
            directory: Vec::new(),
            members: 0,
        }
    }

    /// An archive whose members are deflated, quickly rather than well.
    pub fn deflated(out: W) -> Self {
        Self {
            compressor: Some(Compress::new(Compression::fast(), false)),
            ..Self::new(out)
        }
    }

    /// What the archive was written to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

/// The whole of `contents` as a deflate stream.
fn deflate(compressor: &mut Compress, contents: &[u8]) -> io::Result<Vec<u8>> {
    compressor.reset();
    let mut out = Vec::with_capacity(contents.len() / 4 + 128);
    loop {
        let read = usize::try_from(compressor.total_in()).expect("no more than the contents");
        let status = compressor.compress_vec(&contents[read..], &mut out, FlushCompress::Finish)?;
        if status == Status::StreamEnd {
            return Ok(out);
        }
        out.reserve(contents.len() / 4 + 128);
    }
}

impl<W: Write> Container for Zip<W> {
    fn put(&mut self, name: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()> {
        let at = Moment::from(modified).civil();
        let bits = |value: i64| u16::try_from(value.max(0)).unwrap_or(0);
        let time = bits(at.hour) << 11 | bits(at.minute) << 5 | bits(at.second / 2);
        let day = bits(at.year - 1980) << 9 | bits(at.month) << 5 | bits(at.day);
        let size = u32_of(contents.len());
        let deflated = match &mut self.compressor {
            Some(compressor) => Some(deflate(compressor, contents)?),
            None => None,
        };
        let method = if deflated.is_some() { 8_u16 } else { 0 };
        let stored = deflated.as_deref().unwrap_or(contents);
        let mut common = Vec::new();
        common.extend(0x0800_u16.to_le_bytes()); // names are UTF-8
        common.extend(method.to_le_bytes());
        common.extend(time.to_le_bytes());
        common.extend(day.to_le_bytes());
        common.extend(crc32fast::hash(contents).to_le_bytes());
        common.extend(u32_of(stored.len()).to_le_bytes());
        common.extend(size.to_le_bytes());
        common.extend(u16_of(name.len()).to_le_bytes());

        let mut local = b"PK\x03\x04\x14\0".to_vec();
        local.extend(&common);
        local.extend(0_u16.to_le_bytes());
        local.extend(name.as_bytes());

        let far = u32::try_from(self.offset).is_err();
        let mut extra = Vec::new();
        if far {
            extra.extend([1, 0, 8, 0]);
            extra.extend(self.offset.to_le_bytes());
        }
        self.directory.extend(b"PK\x01\x02\x2d\0\x2d\0");
        self.directory.extend(&common);
        self.directory.extend(u16_of(extra.len()).to_le_bytes());
        self.directory.extend([0; 10]);
        let offset = u32::try_from(self.offset).unwrap_or(u32::MAX);
        self.directory.extend(offset.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.directory.extend(extra);

        self.out.write_all(&local)?;
        self.out.write_all(stored)?;
        self.offset += u64::from(u32_of(local.len())) + u64::from(u32_of(stored.len()));
        self.members += 1;
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        let directory_bytes = u64::from(u32_of(self.directory.len()));
        let end = self.offset + directory_bytes;
        let mut tail = Vec::new();
        if self.members >= 0xffff || end > 0xffff_ffff {
            tail.extend(b"PK\x06\x06");
            tail.extend(44_u64.to_le_bytes());
            tail.extend([45, 0, 45, 0]);
            tail.extend([0; 8]);
            tail.extend(self.members.to_le_bytes());
            tail.extend(self.members.to_le_bytes());
            tail.extend(directory_bytes.to_le_bytes());
            tail.extend(self.offset.to_le_bytes());
            tail.extend(b"PK\x06\x07");
            tail.extend(0_u32.to_le_bytes());
            tail.extend(end.to_le_bytes());
            tail.extend(1_u32.to_le_bytes());
        }
        let members = u16::try_from(self.members).unwrap_or(u16::MAX);
        tail.extend(b"PK\x05\x06\0\0\0\0");
        tail.extend(members.to_le_bytes());
        tail.extend(members.to_le_bytes());
        tail.extend(u32_of(self.directory.len()).to_le_bytes());
        tail.extend(u32::try_from(self.offset).unwrap_or(u32::MAX).to_le_bytes());
        tail.extend([0, 0]);
        self.out.write_all(&self.directory)?;
        self.out.write_all(&tail)?;
        self.out.flush()
    }
}

/// A 7z archive: LZMA2 over blocks of several members, as 7-Zip writes it.
pub struct SevenZip<W: Write + Seek> {
    /// Nothing after closing.
    out: Option<ArchiveWriter<W>>,
    block: Vec<(ArchiveEntry, Vec<u8>)>,
    block_bytes: usize,
}

impl<W: Write + Seek> SevenZip<W> {
    /// Members are compressed together until they have this size.
    const BLOCK_BYTES_MAX: usize = 16 << 20;

    /// Quick rather than good.
    const LEVEL: u32 = 0;

    pub fn new(out: W) -> io::Result<Self> {
        let mut out = ArchiveWriter::new(out).map_err(io::Error::other)?;
        out.set_content_methods(vec![
            EncoderConfiguration::new(EncoderMethod::LZMA2)
                .with_options(Lzma2Options::from_level(Self::LEVEL).into()),
        ]);
        out.set_encrypt_header(false);
        Ok(Self {
            out: Some(out),
            block: Vec::new(),
            block_bytes: 0,
        })
    }

    fn write_block(&mut self) -> io::Result<()> {
        if let Some(out) = &mut self.out
            && !self.block.is_empty()
        {
            let (entries, contents): (Vec<_>, Vec<_>) = self.block.drain(..).unzip();
            let readers = contents
                .into_iter()
                .map(|bytes| SourceReader::new(Cursor::new(bytes)));
            out.push_archive_entries(entries, readers.collect())
                .map_err(io::Error::other)?;
        }
        self.block_bytes = 0;
        Ok(())
    }
}

impl<W: Write + Seek> fmt::Debug for SevenZip<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SevenZip")
            .field("block_bytes", &self.block_bytes)
            .finish_non_exhaustive()
    }
}

impl<W: Write + Seek> Container for SevenZip<W> {
    fn put(&mut self, name: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()> {
        let mut entry = ArchiveEntry::new_file(name);
        entry.has_last_modified_date = true;
        entry.last_modified_date = NtTime::new(Moment::from(modified).filetime());
        self.block.push((entry, contents.to_owned()));
        self.block_bytes += contents.len();
        if self.block_bytes >= Self::BLOCK_BYTES_MAX {
            self.write_block()?;
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        self.write_block()?;
        match self.out.take() {
            Some(out) => out.finish()?.flush(),
            None => Ok(()),
        }
    }
}
