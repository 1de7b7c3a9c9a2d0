//! Fuzzes the reader of prefetch files.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("windows.prefetch", bytes);
});
