//! Fuzzes the reader of IIS server configuration.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("iis.config", bytes);
});
