//! Fuzzes the reader of lists of transport agents.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("exchange.transport_agents", bytes);
});
