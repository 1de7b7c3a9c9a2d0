//! Fuzzes the reader of IIS failed request traces.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("iis.failed_request", bytes);
});
