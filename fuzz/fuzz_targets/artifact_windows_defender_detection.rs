//! Fuzzes the reader of detections of Defender.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("windows.defender.detection", bytes);
});
