//! Collections built in code, opened, and compared with what went in.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests stand outside of the functions that the lint lets pass"
)]
#![expect(
    clippy::needless_raw_string_hashes,
    clippy::needless_pass_by_value,
    reason = "expect-test writes its texts like this, and takes them by value"
)]

mod companions;
mod containers;
mod hostile;
mod layouts;
mod support;
