//! Fuzzes the opening of compressed logs and archives.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::open("case.tar.gz", bytes);
});
