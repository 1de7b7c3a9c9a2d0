//! Fuzzes the reader of the debug log of Windows' DNS server.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read_log("dns.windows_debug", bytes);
});
