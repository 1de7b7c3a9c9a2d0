//! pack

pub mod shipped_files;
