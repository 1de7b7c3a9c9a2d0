//! Fuzzes the reader of error reports.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("windows.wer", bytes);
});
