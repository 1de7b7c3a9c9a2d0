//! Tests of whole reports, in every format.

mod formats;
mod hostile;
mod sample;
mod schema;
