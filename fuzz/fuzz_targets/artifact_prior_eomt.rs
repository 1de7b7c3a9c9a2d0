//! Fuzzes the reader of logs of EOMT.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("prior.eomt", bytes);
});
