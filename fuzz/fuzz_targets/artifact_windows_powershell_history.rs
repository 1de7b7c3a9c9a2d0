//! Fuzzes the reader of the history of PowerShell.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("windows.powershell.history", bytes);
});
