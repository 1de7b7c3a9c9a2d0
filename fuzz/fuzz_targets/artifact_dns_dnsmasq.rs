//! Fuzzes the reader of dnsmasq's log.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read_log("dns.dnsmasq", bytes);
});
