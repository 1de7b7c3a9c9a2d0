//! Fuzzes the reader of compilation results of ASP.NET.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("aspnet.compiled", bytes);
});
