//! Fuzzes the reader of IIS access logs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read_log("iis.w3c", bytes);
});
