//! Fuzzes the reader of Windows events as JSON lines.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("windows.event_json", bytes);
});
