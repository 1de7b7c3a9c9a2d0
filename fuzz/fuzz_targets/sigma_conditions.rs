//! Fuzzes the reading of conditions: what is read is written so that it reads back as itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(condition) = sigma::parse_condition(text) {
        let written = condition.to_string();
        assert_eq!(sigma::parse_condition(&written).as_ref(), Ok(&condition));
    }
});
