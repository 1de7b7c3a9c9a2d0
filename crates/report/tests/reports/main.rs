//! Tests of whole reports, in every format.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod formats;
mod hostile;
mod sample;
mod schema;
