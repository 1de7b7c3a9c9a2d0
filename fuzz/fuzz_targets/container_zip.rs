//! Fuzzes the opening of zip archives.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::open("case.zip", bytes);
});
