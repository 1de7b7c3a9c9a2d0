//! Fuzzes the reader of BIND's query log.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read_log("dns.bind", bytes);
});
