//! Fuzzes the reader of assemblies that ASP.NET compiled.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("aspnet.assembly", bytes);
});
