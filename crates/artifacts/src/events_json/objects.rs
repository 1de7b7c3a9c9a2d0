//! Cuts a stream of JSON into its topmost objects, whether they stand in an array or one behind the other.
//!
//! Nothing is decoded here, only braces and strings are followed. JSON has no line ends inside strings, so one there
//! shows damage; the search then goes on with the next line that begins with a brace.

use encoding_rs::{Decoder, UTF_8, UTF_16BE, UTF_16LE};
use std::io::{ErrorKind, Read};

/// Longer than any event; the rest of it is skipped.
const OBJECT_BYTES_MAX: usize = 8 << 20;

/// Deeper than any event nests.
const DEPTH_MAX: u32 = 100;

/// Bytes asked for at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    Object(&'a [u8]),
    /// Something that is no whole object, and why.
    Damaged(&'static str),
    /// The stream could not be read to its end.
    Broken,
}

/// Cuts one stream.
pub(super) struct Objects<'a> {
    bytes: Bytes<'a>,
    object: Vec<u8>,
    broken_said: bool,
}

impl<'a> Objects<'a> {
    pub(super) fn new(reader: Box<dyn Read + 'a>) -> Self {
        Self {
            bytes: Bytes::new(reader),
            object: Vec::new(),
            broken_said: false,
        }
    }

    pub(super) fn next(&mut self) -> Option<Found<'_>> {
        match self.cut() {
            Cut::Object => Some(Found::Object(&self.object)),
            Cut::Damaged(reason) => Some(Found::Damaged(reason)),
            Cut::End if self.bytes.broken && !self.broken_said => {
                self.broken_said = true;
                Some(Found::Broken)
            }
            Cut::End => None,
        }
    }

    fn cut(&mut self) -> Cut {
        self.object.clear();
        loop {
            match self.bytes.next() {
                None => return Cut::End,
                Some(b' ' | b'\t' | b'\r' | b'\n' | b',' | b'[' | b']') => {}
                Some(b'{') => break,
                Some(_) => {
                    self.resume();
                    return Cut::Damaged("not an object");
                }
            }
        }
        self.object.push(b'{');
        self.rest_of_object()
    }

    fn rest_of_object(&mut self) -> Cut {
        let mut depth = 1_u32;
        let mut in_string = false;
        while depth > 0 {
            let Some(byte) = self.bytes.next() else {
                return Cut::Damaged("breaks off");
            };
            self.object.push(byte);
            if self.object.len() > OBJECT_BYTES_MAX {
                self.resume();
                return Cut::Damaged("record too long");
            }
            match (byte, in_string) {
                (b'"', _) => in_string = !in_string,
                (b'\\', true) => match self.bytes.next() {
                    Some(escaped) => self.object.push(escaped),
                    None => return Cut::Damaged("breaks off"),
                },
                (b'\n', true) => {
                    self.bytes.line_ended = true;
                    self.resume();
                    return Cut::Damaged("line end inside a text");
                }
                (b'{' | b'[', false) => depth += 1,
                (b'}' | b']', false) => depth -= 1,
                _ => {}
            }
            if depth > DEPTH_MAX {
                self.resume();
                return Cut::Damaged("nested too deep");
            }
        }
        Cut::Object
    }

    /// Skips to the next line that begins with a brace.
    fn resume(&mut self) {
        self.object.clear();
        let mut begins = std::mem::take(&mut self.bytes.line_ended);
        while let Some(byte) = self.bytes.peek() {
            match byte {
                b'{' if begins => return,
                b'\n' => begins = true,
                b' ' | b'\t' | b'\r' | b'[' | b',' => {}
                _ => begins = false,
            }
            self.bytes.next();
        }
    }
}

enum Cut {
    Object,
    Damaged(&'static str),
    End,
}

/// A stream as UTF-8, byte by byte.
struct Bytes<'a> {
    reader: Box<dyn Read + 'a>,
    decoder: Option<Decoder>,
    raw: Vec<u8>,
    text: Vec<u8>,
    at: usize,
    exhausted: bool,
    broken: bool,
    /// Whether the byte given last ended a line; only kept where damage was found.
    line_ended: bool,
}

impl<'a> Bytes<'a> {
    fn new(reader: Box<dyn Read + 'a>) -> Self {
        Self {
            reader,
            decoder: None,
            raw: vec![0; CHUNK_BYTES],
            text: Vec::new(),
            at: 0,
            exhausted: false,
            broken: false,
            line_ended: false,
        }
    }

    fn peek(&mut self) -> Option<u8> {
        while self.at >= self.text.len() {
            if self.exhausted {
                return None;
            }
            self.fill();
        }
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn fill(&mut self) {
        let read = self.read_raw();
        let last = read == 0;
        let raw = self.raw.get(..read).unwrap_or_default();
        let decoder = self.decoder.get_or_insert_with(|| {
            // A byte order mark outweighs the guess and is taken away.
            match raw {
                [b'{' | b'[' | b' ', 0, ..] => UTF_16LE,
                [0, b'{' | b'[' | b' ', ..] => UTF_16BE,
                _ => UTF_8,
            }
            .new_decoder()
        });
        let room = decoder.max_utf8_buffer_length(raw.len()).unwrap_or(0);
        self.text.clear();
        self.text.resize(room, 0);
        let (_, _, written, _) = decoder.decode_to_utf8(raw, &mut self.text, last);
        self.text.truncate(written);
        self.at = 0;
        self.exhausted = last;
    }

    fn read_raw(&mut self) -> usize {
        loop {
            match self.reader.read(&mut self.raw) {
                Ok(read) => return read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.broken = true;
                    return 0;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &[u8]) -> Vec<String> {
        let mut objects = Objects::new(Box::new(text));
        let mut all = Vec::new();
        while let Some(found) = objects.next() {
            all.push(match found {
                Found::Object(object) => String::from_utf8_lossy(object).into_owned(),
                Found::Damaged(reason) => format!("! {reason}"),
                Found::Broken => "! broken".to_owned(),
            });
        }
        all
    }

    #[test]
    fn arrays_and_rows_of_objects_are_cut() {
        assert_eq!(
            cut(b"[{\"a\":\"}\\\"{\"},\n {\"b\":[{}]}]\n{\"c\":1}{\"d\":2}"),
            [
                "{\"a\":\"}\\\"{\"}",
                "{\"b\":[{}]}",
                "{\"c\":1}",
                "{\"d\":2}"
            ]
        );
        assert_eq!(cut(b""), Vec::<String>::new());
    }

    #[test]
    fn after_damage_the_next_line_with_a_brace_counts() {
        assert_eq!(
            cut(b"[{\"a\":\"x\n \"b\": {\n },\n{\"c\":1},\nnull\n{\"d\":2"),
            [
                "! line end inside a text",
                "{\"c\":1}",
                "! not an object",
                "! breaks off"
            ]
        );
    }

    #[test]
    fn endless_and_deep_objects_are_bounded() {
        let long = format!(
            "{{\"a\":\"{}\"}}\n{{\"b\":1}}",
            "x".repeat(OBJECT_BYTES_MAX)
        );
        assert_eq!(cut(long.as_bytes()), ["! record too long", "{\"b\":1}"]);
        let deep = format!("{}\n{{\"b\":1}}", "{\"a\":".repeat(1_000));
        assert_eq!(cut(deep.as_bytes()), ["! nested too deep", "{\"b\":1}"]);
    }

    #[test]
    fn utf16_is_decoded() {
        let text: Vec<u8> = "\u{feff}[{\"a\":\"ä\"}]"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(cut(&text), ["{\"a\":\"ä\"}"]);
    }
}
