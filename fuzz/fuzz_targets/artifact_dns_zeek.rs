//! Fuzzes the reader of Zeek's dns.log.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read_log("dns.zeek", bytes);
});
