//! Fuzzes the reader of the journal of changes of NTFS.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("ntfs.usn", bytes);
});
