//! Fuzzes the reader of tables of Test-ProxyLogon.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    allclear_fuzz::read("prior.test_proxylogon", bytes);
});
