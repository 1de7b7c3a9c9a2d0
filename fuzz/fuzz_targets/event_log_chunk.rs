//! Fuzzes the decoder of one chunk of an event log: the header always fits, so that all bytes are taken for records.
//!
//! Besides crashes and hangs, it checks what a layout promises: a value is found by its place as by its name.
#![no_main]

use artifacts::ChunkDecoder;
use model::Record;

const CHUNK_BYTES: usize = 65_536;
const HEADER_BYTES: usize = 512;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut chunk = vec![0; HEADER_BYTES];
    chunk[..8].copy_from_slice(b"ElfChnk\0");
    chunk[32..40].fill(0xff); // any number is a record's
    for end in [44, 48] {
        chunk[end..end + 4].copy_from_slice(&(CHUNK_BYTES as u32).to_le_bytes());
    }
    chunk.extend(&bytes[..bytes.len().min(CHUNK_BYTES - HEADER_BYTES)]);
    let mut decoder = ChunkDecoder::default();
    // The second time, templates are known already.
    for _ in 0..2 {
        decoder.records(&chunk, &mut check);
    }
});

fn check(record: &dyn Record) {
    let mut length = record.raw().len();
    let mut names = Vec::new();
    record.each_field(&mut |name, value| {
        length += value.to_text().len();
        names.push(name.to_owned());
    });
    for name in &names {
        assert!(record.get(name).is_some(), "{name}");
    }
    if let Some(layout) = record.layout() {
        for (index, name) in layout.names().iter().enumerate() {
            assert_eq!(record.value(index).is_some(), record.get(name).is_some(), "{name}");
        }
    }
    std::hint::black_box((length, record.time(), record.at()));
}
