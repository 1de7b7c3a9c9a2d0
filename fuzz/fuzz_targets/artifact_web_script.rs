//! Fuzzes the reader of script files of web servers.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("web.script", bytes);
});
