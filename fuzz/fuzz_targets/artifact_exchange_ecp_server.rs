//! Fuzzes the reader of Exchange ECP Server logs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read_log("exchange.ecp_server", bytes);
});
