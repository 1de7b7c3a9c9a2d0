//! Fuzzes the reader of the repository of WMI.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("windows.wmi", bytes);
});
