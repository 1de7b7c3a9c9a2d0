//! Fuzzes the reader of Exchange address book generation logs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read_log("exchange.oab_generator", bytes);
});
