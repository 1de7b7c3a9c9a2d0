//! Fuzzes the reader of logs of MSERT.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("prior.msert", bytes);
});
