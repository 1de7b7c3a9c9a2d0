//! Fuzzes the reader of Exchange setup logs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("exchange.setup_log", bytes);
});
