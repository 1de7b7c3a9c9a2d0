//! Fuzzes the reader of the audit log of Microsoft 365.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read_log("m365.audit", bytes);
});
