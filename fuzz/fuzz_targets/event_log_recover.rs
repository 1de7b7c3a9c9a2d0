//! Fuzzes the reader of event logs where it is asked for stale records too.
#![no_main]

use artifacts::{EventLogOptions, Item, read_event_log};
use evidence::Bytes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let item = Item {
        path: "C:\\case\\fuzz.evtx",
    };
    let mut content = Bytes(bytes.to_vec());
    let options = EventLogOptions { recover: true };
    read_event_log(&item, &mut content, &mut allclear_fuzz::Shown, options);
});
