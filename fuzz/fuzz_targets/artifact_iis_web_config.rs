//! Fuzzes the reader of web.config files.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("iis.web_config", bytes);
});
