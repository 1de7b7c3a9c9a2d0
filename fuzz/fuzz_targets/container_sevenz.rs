//! Fuzzes the opening of 7z archives.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::open("case.7z", bytes);
});
