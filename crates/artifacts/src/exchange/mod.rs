//! Logs that Exchange Server writes below its `Logging` folder, and its setup log.
//!
//! All of the former are comma-separated rows in UTF-8 and UTC below a head of `#Software`, `#Version`, `#Log-type`,
//! `#Date` and `#Fields`; the names are often repeated as a first row, so that the file imports as plain CSV.
//! There is no public specification; the columns are read by name.

pub(crate) mod agents;
pub(crate) mod httpproxy;
pub(crate) mod log;
pub(crate) mod oab_generator;
pub(crate) mod setup_log;
