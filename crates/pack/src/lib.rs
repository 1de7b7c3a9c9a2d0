//! Loads campaign packs and knowledge tables into checked types, with messages for their authors.

mod examples;
pub mod shipped_files;
mod types;

pub use types::*;
