//! Fuzzes the reader of passive DNS.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read_log("dns.passive", bytes);
});
