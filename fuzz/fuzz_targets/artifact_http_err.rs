//! Fuzzes the reader of HTTPERR logs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read_log("http.err", bytes);
});
