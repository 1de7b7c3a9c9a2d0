//! Fuzzes the reader of Windows executables.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("windows.pe", bytes);
});
