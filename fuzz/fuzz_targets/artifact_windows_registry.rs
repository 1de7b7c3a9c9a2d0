//! Fuzzes the reader of Windows registry hives.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("windows.registry", bytes);
});
