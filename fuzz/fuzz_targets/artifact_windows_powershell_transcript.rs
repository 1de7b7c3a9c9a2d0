//! Fuzzes the reader of transcripts of PowerShell.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("windows.powershell.transcript", bytes);
});
