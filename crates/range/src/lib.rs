//! The simulator.

pub mod formats;
mod moment;
mod random;
