//! A case: what is kept of everything that was read and judged.
//!
//! Start with [`events`], which keeps every record in Parquet.

pub mod events;
