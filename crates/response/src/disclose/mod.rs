//! Duties to report: clocks that a named person starts, drafts and forms that hold what a case knows and say what it does not.

pub mod clock;
pub mod draft;
pub mod sheet;
