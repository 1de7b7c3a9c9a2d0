//! What Microsoft Defender writes besides events: its support log, and a file for each thing it found.

pub(crate) mod detection_history;
pub(crate) mod support_log;
