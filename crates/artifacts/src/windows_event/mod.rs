//! What one Windows event looks like to the rest of Allclear, whichever file it came in.
//!
//! Binary logs and their JSON exports hold the same events under different names; both are brought to one flat set of
//! names here (`EventID`, `Channel`, `Provider_Name`, `CommandLine`, `Data_1`, …), so that one rule reads them all.

mod changes;
mod flat;
mod normalised;
mod record;
mod summary;

pub(crate) use flat::{Event, Naming, json_of, naming};
pub(crate) use normalised::{ALIASES, LOGON_IDS};
pub(crate) use record::{EventRecord, Sources};
pub(crate) use summary::{Numbering, Seen, Summary};

use std::borrow::Cow;

/// Family of the sources that events belong to; the channel in lower case is the instance.
pub(crate) const SOURCE_FAMILY: &str = "windows.eventlog";

/// What a log's summary asks of an event, however it was read.
pub(crate) trait Fields {
    /// The text of the field of exactly this name, where it has one that is not empty.
    fn text(&self, name: &str) -> Option<Cow<'_, str>>;

    /// The number in the field of exactly this name.
    fn unsigned(&self, name: &str) -> Option<u64>;
}

impl Fields for Event<'_> {
    fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        Event::text(self, name)
    }

    fn unsigned(&self, name: &str) -> Option<u64> {
        Event::unsigned(self, name)
    }
}

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
