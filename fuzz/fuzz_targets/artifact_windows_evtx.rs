//! Fuzzes the reader of Windows event logs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("windows.evtx", bytes);
});
