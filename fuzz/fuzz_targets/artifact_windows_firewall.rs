//! Fuzzes the reader of the log of the Windows Firewall.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("windows.firewall", bytes);
});
