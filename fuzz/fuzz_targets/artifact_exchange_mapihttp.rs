//! Fuzzes the reader of Exchange MAPI over HTTP logs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read_log("exchange.mapihttp", bytes);
});
