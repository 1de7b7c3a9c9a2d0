//! Fuzzes the reader of plain file listings.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("files.listing", bytes);
});
