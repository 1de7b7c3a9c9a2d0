//! Notices: whom to tell, in which words, and what became of it.
//!
//! [`facts`] says what there is to tell, [`route`] whom and how much, [`text`] in which words, [`queue`] joins these into
//! notices, [`state`] is the only way from one state to the next, [`mail`] makes the bytes that are sent and [`receive`]
//! reads what comes back.

pub mod code;
pub mod contacts;
pub mod facts;
pub mod mail;
pub mod queue;
pub mod receive;
pub mod release;
pub mod remind;
pub mod route;
pub mod state;
pub mod text;

pub use state::State;

use std::fmt::Write as _;

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes all");
    }
    text
}

/// A day, as it is written in notices: the same in every language.
pub(crate) fn day(micros: i64) -> Option<String> {
    let time = jiff::Timestamp::from_microsecond(micros).ok()?;
    Some(time.strftime("%Y-%m-%d").to_string())
}
