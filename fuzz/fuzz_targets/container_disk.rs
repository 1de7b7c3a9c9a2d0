//! Fuzzes the opening of raw disk images.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::open("case.raw", bytes);
});
