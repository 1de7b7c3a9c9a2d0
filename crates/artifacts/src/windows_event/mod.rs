//! What one Windows event looks like to the rest of Allclear, whichever file it came in.
//!
//! Binary logs and their JSON exports hold the same events under different names; both are brought to one flat set of
//! names here (`EventID`, `Channel`, `Provider_Name`, `CommandLine`, `Data_1`, …), so that one rule reads them all.

mod flat;
mod normalised;
mod record;
mod summary;

pub(crate) use flat::Event;
pub(crate) use record::{EventRecord, Sources};
pub(crate) use summary::{Numbering, Seen, Summary};

/// Family of the sources that events belong to; the channel in lower case is the instance.
pub(crate) const SOURCE_FAMILY: &str = "windows.eventlog";

/// The channel that a log's file name shows: `Microsoft-Windows-Sysmon%4Operational.evtx` is
/// `Microsoft-Windows-Sysmon/Operational`.
pub(crate) fn channel_of_file_name(path: &str) -> String {
    let name = model::file_name(path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    stem.replace("%4", "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_show_their_channel() {
        assert_eq!(
            channel_of_file_name(
                "C:\\Windows\\System32\\winevt\\Logs\\Microsoft-Windows-Sysmon%4Operational.evtx"
            ),
            "Microsoft-Windows-Sysmon/Operational"
        );
        assert_eq!(channel_of_file_name("Security.evtx"), "Security");
    }
}
