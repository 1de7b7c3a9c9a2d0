//! Fuzzes the opening of tar archives.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::open("case.tar", bytes);
});
