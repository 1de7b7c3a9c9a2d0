//! Fuzzes the reader of the table of files of NTFS.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("ntfs.mft", bytes);
});
