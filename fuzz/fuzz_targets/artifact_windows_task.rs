//! Fuzzes the reader of scheduled tasks.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("windows.task", bytes);
});
