//! The lines of a text log as UTF-8 bytes, whatever its encoding and line ends, in bounded memory.
//!
//! UTF-8 with or without a byte order mark, UTF-16 with one (or recognisable without), lines that end in CR LF, LF or
//! CR. A machine that lost power leaves runs of NUL bytes in its logs where data had not reached the disk: such a run
//! ends the line before it and is told apart, so that the rows around it are still read.

use encoding_rs::{CoderResult, Decoder, UTF_16BE, UTF_16LE};
use std::io::{self, Read};

/// Longest line that is kept. Exchange and IIS cut their fields at 64 KiB or less; a longer line is damage or attack.
pub(crate) const LINE_BYTES_MAX: usize = 1 << 20;

/// Bytes asked for at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// Room for a chunk behind the beginning of a line that the chunk before it broke off.
const BUFFER_BYTES: usize = CHUNK_BYTES + CHUNK_BYTES / 4;

/// What comes next in a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Line(Line<'a>),
    /// A line beyond [`LINE_BYTES_MAX`]; it was skipped.
    TooLong {
        number: u64,
    },
    /// A run of NUL bytes on line `number`, from byte `offset` of the item.
    Nuls {
        number: u64,
        offset: u64,
        bytes: u64,
    },
    /// The item could not be read any further than byte `offset`.
    Broken {
        offset: u64,
    },
}

/// One line without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// 1-based.
    pub(crate) number: u64,
    pub(crate) bytes: &'a [u8],
    /// Whether a line end follows; the last line of a log that breaks off has none.
    pub(crate) ended: bool,
}

/// Whole lines that stand one behind the other, each ended by LF or CR LF, with no NUL and no other CR in them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'a> {
    /// Ends with an LF.
    pub(crate) bytes: &'a [u8],
    /// Number of the first line, 1-based.
    pub(crate) number: u64,
}

/// Reads lines from a stream.
pub(crate) struct Lines<'a> {
    source: Source<'a>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    exhausted: bool,
    broken: bool,
    /// How large the buffer is at first; a small item needs no large one.
    buffer_bytes: usize,
    /// Where in the buffer nothing was found yet that a block must not hold.
    clean_end: usize,
    /// Whether such a place begins there.
    unclean: bool,
    /// Number of the line that `start` stands in.
    number: u64,
    /// Units of the item before `start`: bytes, or pairs of bytes in UTF-16.
    units: u64,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(reader: Box<dyn Read + 'a>) -> Self {
        Self {
            source: Source {
                reader,
                mark_bytes: 0,
                wide: None,
            },
            buffer: Vec::new(),
            start: 0,
            end: 0,
            exhausted: false,
            broken: false,
            buffer_bytes: BUFFER_BYTES,
            clean_end: 0,
            unclean: false,
            number: 1,
            units: 0,
        }
    }

    /// The same for an item whose container says how large it is, which may be a lie.
    pub(crate) fn of_size(reader: Box<dyn Read + 'a>, size: Option<u64>) -> Self {
        let mut lines = Self::new(reader);
        if let Some(size) = size.and_then(|size| usize::try_from(size).ok()) {
            // One byte more, so that the end is noticed without growing.
            lines.buffer_bytes = size.saturating_add(1).clamp(4 * 1024, lines.buffer_bytes);
        }
        lines
    }

    /// The next lines that need no care, at least one of them; `None` where [`next`](Self::next) is to be asked. The
    /// caller says by [`pass`](Self::pass) how much of them it took.
    pub(crate) fn block(&mut self) -> Option<Block<'_>> {
        if self.buffer.is_empty() {
            self.begin();
        }
        let mut filled = false;
        let length = loop {
            self.look_ahead();
            let clean = self.buffer.get(self.start..self.clean_end)?;
            match memchr::memrchr(b'\n', clean) {
                Some(last) => break last + 1,
                None if self.unclean || self.exhausted || filled => return None,
                None => {
                    self.fill();
                    filled = true;
                }
            }
        };
        Some(Block {
            bytes: self.buffer.get(self.start..self.start + length)?,
            number: self.number,
        })
    }

    /// Takes the first `bytes` of a block, which hold this many whole lines.
    pub(crate) fn pass(&mut self, bytes: usize, lines: u64) {
        self.advance(bytes);
        self.number += lines;
    }

    /// Looks for the next place in the buffer that a block must not hold.
    fn look_ahead(&mut self) {
        if self.clean_end < self.start {
            self.clean_end = self.start;
            self.unclean = false;
        }
        while !self.unclean {
            let rest = self
                .buffer
                .get(self.clean_end..self.end)
                .unwrap_or_default();
            let Some(found) = memchr::memchr2(b'\r', 0, rest) else {
                self.clean_end = self.end;
                return;
            };
            match (rest.get(found), rest.get(found + 1)) {
                (Some(b'\r'), Some(b'\n')) => self.clean_end += found + 2,
                // Perhaps the first half of CR LF.
                (Some(b'\r'), None) if !self.exhausted => {
                    self.clean_end += found;
                    return;
                }
                _ => {
                    self.clean_end += found;
                    self.unclean = true;
                }
            }
        }
    }

    /// The next piece; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Piece<'_>> {
        if self.buffer.is_empty() {
            self.begin();
        }
        let mut searched = 0;
        loop {
            let rest = self.buffer.get(self.start + searched..self.end)?;
            let Some(found) = memchr::memchr3(b'\n', b'\r', 0, rest) else {
                searched += rest.len();
                if searched > LINE_BYTES_MAX {
                    return Some(self.skip_long_line());
                }
                if self.exhausted {
                    return self.last(searched);
                }
                self.fill();
                continue;
            };
            let length = searched + found;
            // A CR at the end of the buffer may be the first half of CR LF.
            if rest.get(found) == Some(&b'\r') && found + 1 == rest.len() && !self.exhausted {
                searched = length;
                self.fill();
                continue;
            }
            if length > LINE_BYTES_MAX {
                return Some(self.skip_long_line());
            }
            return Some(match rest.get(found..) {
                Some([0, ..]) if length == 0 => self.skip_nuls(),
                Some([0, ..]) => self.take(length, 0),
                Some([b'\r', b'\n', ..]) => self.take(length, 2),
                _ => self.take(length, 1),
            });
        }
    }

    /// Finds out the encoding from the first bytes.
    fn begin(&mut self) {
        self.buffer = vec![0; self.buffer_bytes];
        while self.end < 64 && !self.exhausted {
            self.fill();
        }
        let head = self.buffer.get(..self.end).unwrap_or_default();
        let (mark_bytes, encoding) = match head {
            [0xEF, 0xBB, 0xBF, ..] => (3, None),
            [0xFF, 0xFE, ..] => (2, Some(UTF_16LE)),
            [0xFE, 0xFF, ..] => (2, Some(UTF_16BE)),
            _ if looks_like_utf_16le(head) => (0, Some(UTF_16LE)),
            _ => (0, None),
        };
        self.source.mark_bytes = mark_bytes;
        if let Some(encoding) = encoding {
            let raw = head.get(mark_bytes..).unwrap_or_default().to_vec();
            self.source.wide = Some(Wide {
                decoder: encoding.new_decoder_without_bom_handling(),
                raw,
                raw_start: 0,
                raw_ended: self.exhausted,
            });
            (self.start, self.end, self.exhausted) = (0, 0, false);
            // Latin text of two bytes a letter becomes half as long, other text up to half as long again.
            self.buffer.resize(BUFFER_BYTES, 0);
        } else {
            self.start = mark_bytes;
        }
    }

    /// Gets more bytes behind `end`, making room first.
    fn fill(&mut self) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            if self.clean_end < self.start {
                self.unclean = false;
            }
            self.clean_end = self.clean_end.saturating_sub(self.start);
            self.end -= self.start;
            self.start = 0;
        }
        let room = self.buffer.len() - self.end;
        if room < self.buffer.len().min(CHUNK_BYTES) / 2 {
            // `next` gives up a line beyond the bound, so that this stops at the bound and two chunks.
            let more = self.buffer.len().min(CHUNK_BYTES);
            self.buffer.resize(self.buffer.len() + more, 0);
        }
        let Some(room) = self.buffer.get_mut(self.end..) else {
            return;
        };
        match self.source.read(room) {
            Ok(0) => self.exhausted = true,
            Ok(count) => self.end += count,
            Err(_unreadable) => {
                self.exhausted = true;
                self.broken = true;
            }
        }
    }

    /// A line of `length` bytes and its line end of `end_bytes`.
    fn take(&mut self, length: usize, end_bytes: usize) -> Piece<'_> {
        let (start, number) = (self.start, self.number);
        self.advance(length + end_bytes);
        self.number += u64::from(end_bytes > 0);
        Piece::Line(Line {
            number,
            bytes: self.buffer.get(start..start + length).unwrap_or_default(),
            ended: end_bytes > 0,
        })
    }

    /// What is left at the end of the text.
    fn last(&mut self, length: usize) -> Option<Piece<'_>> {
        if length > 0 {
            return Some(self.take(length, 0));
        }
        if std::mem::take(&mut self.broken) {
            return Some(Piece::Broken {
                offset: self.offset(),
            });
        }
        None
    }

    fn skip_nuls(&mut self) -> Piece<'static> {
        let offset = self.offset();
        loop {
            let rest = self.buffer.get(self.start..self.end).unwrap_or_default();
            let run = rest.iter().take_while(|byte| **byte == 0).count();
            let whole = run == rest.len();
            self.advance(run);
            if !whole || self.exhausted {
                break;
            }
            self.fill();
        }
        Piece::Nuls {
            number: self.number,
            offset,
            bytes: self.offset() - offset,
        }
    }

    /// Forgets everything up to the next line end, without keeping it.
    fn skip_long_line(&mut self) -> Piece<'static> {
        let number = self.number;
        loop {
            let rest = self.buffer.get(self.start..self.end).unwrap_or_default();
            if let Some(found) = memchr::memchr2(b'\n', b'\r', rest) {
                if found + 1 == rest.len() && !self.exhausted {
                    // Perhaps the first half of CR LF.
                    self.advance(found);
                    self.fill();
                    continue;
                }
                let end_bytes = match rest.get(found..) {
                    Some([b'\r', b'\n', ..]) => 2,
                    _ => 1,
                };
                self.advance(found + end_bytes);
                self.number += 1;
                break;
            }
            self.advance(rest.len());
            if self.exhausted {
                break;
            }
            self.fill();
        }
        Piece::TooLong { number }
    }

    fn advance(&mut self, bytes: usize) {
        let passed = self
            .buffer
            .get(self.start..self.start + bytes)
            .unwrap_or_default();
        self.units += if self.source.wide.is_some() {
            passed.iter().map(|byte| utf_16_units(*byte)).sum()
        } else {
            passed.len() as u64
        };
        self.start += bytes;
    }

    /// Byte of the item that `start` stands for.
    fn offset(&self) -> u64 {
        let unit_bytes = if self.source.wide.is_some() { 2 } else { 1 };
        self.source.mark_bytes as u64 + self.units * unit_bytes
    }
}

/// The stream below, decoded.
struct Source<'a> {
    reader: Box<dyn Read + 'a>,
    mark_bytes: usize,
    wide: Option<Wide>,
}

/// UTF-16 on its way to UTF-8.
struct Wide {
    decoder: Decoder,
    raw: Vec<u8>,
    raw_start: usize,
    raw_ended: bool,
}

impl Source<'_> {
    /// Some more bytes of UTF-8; 0 only at the end.
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let Some(wide) = &mut self.wide else {
            return read_some(&mut *self.reader, room);
        };
        loop {
            if wide.raw_start >= wide.raw.len() && !wide.raw_ended {
                wide.raw.resize(CHUNK_BYTES / 4, 0);
                let count = match read_some(&mut *self.reader, &mut wide.raw) {
                    Ok(count) => count,
                    Err(error) => {
                        wide.raw.clear();
                        return Err(error);
                    }
                };
                wide.raw.truncate(count);
                wide.raw_start = 0;
                wide.raw_ended = count == 0;
            }
            let raw = wide.raw.get(wide.raw_start..).unwrap_or_default();
            let (result, taken, written, _damaged) =
                wide.decoder.decode_to_utf8(raw, room, wide.raw_ended);
            wide.raw_start += taken;
            let finished = wide.raw_ended && result == CoderResult::InputEmpty;
            if written > 0 || finished {
                if finished {
                    // A decoder must not be asked again after its last input.
                    wide.decoder = UTF_16LE.new_decoder_without_bom_handling();
                }
                return Ok(written);
            }
        }
    }
}

fn read_some(reader: &mut dyn Read, room: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(room) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// UTF-16 units of the character that a byte of UTF-8 begins; 0 for a byte that continues one.
fn utf_16_units(byte: u8) -> u64 {
    match byte {
        0x80..=0xBF => 0,
        0xF0.. => 2,
        _ => 1,
    }
}

/// Whether a text without byte order mark is UTF-16: letters with a NUL after each, as tools that cut logs leave them.
fn looks_like_utf_16le(head: &[u8]) -> bool {
    let sample = head.get(..head.len().min(32)).unwrap_or_default();
    sample.len() >= 8
        && sample
            .chunks_exact(2)
            .all(|pair| matches!(pair, [1..=0x7F, 0]))
}

/// Whether text of any encoding may hold one of these words: a look without decoding, as every item is looked at by
/// every recogniser. Wide text always may.
pub(crate) fn may_hold(head: &[u8], words: &[&str]) -> bool {
    let is_wide = matches!(head, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) || looks_like_utf_16le(head);
    is_wide
        || words
            .iter()
            .any(|word| memchr::memmem::find(head, word.as_bytes()).is_some())
}

/// The beginning of an item as UTF-8 text for recognisers, damaged characters replaced.
pub(crate) fn head_text(head: &[u8]) -> String {
    let encoding = match head {
        [0xFF, 0xFE, ..] => UTF_16LE,
        [0xFE, 0xFF, ..] => UTF_16BE,
        _ if looks_like_utf_16le(head) => UTF_16LE,
        _ => {
            let head = head.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(head);
            // Several times as quick as replacing what is damaged, and nearly always enough.
            return match std::str::from_utf8(head) {
                Ok(text) => text.to_owned(),
                Err(_damaged) => String::from_utf8_lossy(head).into_owned(),
            };
        }
    };
    encoding.decode(head).0.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;
    use std::io::Cursor;

    fn pieces(bytes: &[u8]) -> String {
        let mut lines = Lines::new(Box::new(Cursor::new(bytes)));
        let mut text = String::new();
        while let Some(piece) = lines.next() {
            let _infallible = match piece {
                Piece::Line(line) => writeln!(
                    text,
                    "{} {:?}{}",
                    line.number,
                    String::from_utf8_lossy(line.bytes),
                    if line.ended { "" } else { " breaks off" }
                ),
                other => writeln!(text, "{other:?}"),
            };
        }
        text
    }

    #[test]
    fn line_ends_and_encodings_do_not_matter() {
        let expected = "1 \"a\"\n2 \"\"\n3 \"ü𝄞\"\n4 \"z\" breaks off\n";
        assert_eq!(pieces("a\r\n\r\nü𝄞\r\nz".as_bytes()), expected);
        assert_eq!(pieces("a\n\nü𝄞\nz".as_bytes()), expected);
        assert_eq!(pieces("a\r\rü𝄞\rz".as_bytes()), expected);
        assert_eq!(pieces("\u{FEFF}a\r\n\nü𝄞\rz".as_bytes()), expected);
        let wide: Vec<u16> = "\u{FEFF}a\r\n\r\nü𝄞\r\nz".encode_utf16().collect();
        let little: Vec<u8> = wide.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = wide.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        assert_eq!(pieces(&little), expected);
        assert_eq!(pieces(&big), expected);
    }

    #[test]
    fn blocks_hold_the_lines_that_need_no_care() {
        let text = b"a\r\nb\n\r\nc\rd\ne\0f\ng\nh".repeat(40_000);
        let mut all = String::new();
        let mut in_blocks = 0;
        let mut lines = Lines::of_size(Box::new(Cursor::new(&text)), Some(7));
        loop {
            if let Some(block) = lines.block() {
                assert!(block.bytes.ends_with(b"\n") && !block.bytes.contains(&0));
                let whole = block.bytes.split_inclusive(|byte| *byte == b'\n');
                let (mut number, mut bytes) = (block.number, 0);
                for line in whole {
                    bytes += line.len();
                    let line = line.strip_suffix(b"\n").unwrap();
                    let line = line.strip_suffix(b"\r").unwrap_or(line);
                    writeln!(all, "{number} {:?}", String::from_utf8_lossy(line)).unwrap();
                    number += 1;
                    in_blocks += 1;
                }
                let count = number - block.number;
                lines.pass(bytes, count);
            }
            match lines.next() {
                Some(Piece::Line(line)) => {
                    let text = String::from_utf8_lossy(line.bytes);
                    let end = if line.ended { "" } else { " breaks off" };
                    writeln!(all, "{} {text:?}{end}", line.number).unwrap();
                }
                Some(other) => writeln!(all, "{other:?}").unwrap(),
                None => break,
            }
        }
        assert!(in_blocks > 40_000);
        assert!(all == pieces(&text), "blocks and pieces tell the same");
    }

    #[test]
    fn a_run_of_nuls_is_one_piece_with_its_offset() {
        assert_eq!(
            pieces(b"one\r\ntw\0\0\0\0three\nfour\n"),
            "1 \"one\"\n2 \"tw\" breaks off\nNuls { number: 2, offset: 7, bytes: 4 }\n2 \"three\"\n3 \"four\"\n"
        );
        let wide: Vec<u8> = "\u{FEFF}ü\n\0\0\nb"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(
            pieces(&wide),
            "1 \"ü\"\nNuls { number: 2, offset: 6, bytes: 4 }\n2 \"\"\n3 \"b\" breaks off\n"
        );
    }

    #[test]
    fn a_line_without_end_costs_no_memory() {
        let endless = io::repeat(b'x').take(64 << 20);
        let mut lines = Lines::new(Box::new(
            Cursor::new(b"a\n")
                .chain(endless)
                .chain(Cursor::new(b"\r\nb")),
        ));
        assert!(matches!(lines.next(), Some(Piece::Line(_))));
        assert_eq!(lines.next(), Some(Piece::TooLong { number: 2 }));
        assert!(lines.buffer.len() <= LINE_BYTES_MAX + 3 * CHUNK_BYTES);
        let last = Line {
            number: 3,
            bytes: b"b",
            ended: false,
        };
        assert_eq!(lines.next(), Some(Piece::Line(last)));
        assert_eq!(lines.next(), None);
    }

    #[test]
    fn chunk_borders_do_not_split_line_ends() {
        let borders = [CHUNK_BYTES, BUFFER_BYTES];
        for filler in borders.into_iter().flat_map(|at| at - 3..at + 3) {
            let mut bytes = vec![b'x'; filler];
            bytes.extend(b"\r\ny\r\n");
            let mut lines = Lines::new(Box::new(Cursor::new(bytes)));
            assert!(matches!(lines.next(), Some(Piece::Line(line)) if line.bytes.len() == filler));
            assert!(
                matches!(lines.next(), Some(Piece::Line(line)) if line.bytes == b"y" && line.number == 2)
            );
            assert_eq!(lines.next(), None);
        }
    }
}
