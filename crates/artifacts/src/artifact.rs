//! What every artifact reader offers, and the table of them.

use evidence::Content;
use model::{
    Activity, At, Columns, Fact, GapKind, Interest, Record, Rows, Screen, SourceName, Timestamp,
};
use std::sync::Arc;

/// What a recogniser may look at.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    /// Original Windows path; a compressed log keeps its `.gz` here, the bytes are the plain ones.
    pub path: &'a str,
    /// The first bytes of the item.
    pub head: &'a [u8],
    pub size: Option<u64>,
}

/// How surely an item is of a kind. Content outweighs path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Match {
    No,
    /// Its path says so, its content does not contradict.
    Path,
    /// Its content says so.
    Content,
}

/// The item a reader works on.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// Original Windows path.
    pub path: &'a str,
}

/// Where readers put what they read. Records in = `record` + `rejected`.
pub trait Sink {
    /// One record that was understood.
    fn record(&mut self, record: &dyn Record);

    /// One record that was not, and why; the reason is a fixed phrase, so that rejections can be counted by it.
    fn rejected(&mut self, at: At, reason: &str);

    /// Something about the host.
    fn fact(&mut self, at: At, fact: Fact);

    /// Something that could not be seen in this item, over a span where one is known.
    fn gap(
        &mut self,
        kind: GapKind,
        at: At,
        span: (Option<Timestamp>, Option<Timestamp>),
        detail: &str,
    );

    /// A gap of another source than the item's own: the System log tells that another log was cleared. Sinks that
    /// keep sources take it over; others note it as the item's own.
    fn gap_of_source(
        &mut self,
        _source: &SourceName,
        kind: GapKind,
        at: At,
        span: (Option<Timestamp>, Option<Timestamp>),
        detail: &str,
    ) {
        self.gap(kind, at, span, detail);
    }

    /// How often records of another name than the item's own were written, where they are a part of its records that a
    /// source of their own stands for.
    fn rhythm(&mut self, _source: &SourceName, _activity: &Activity) {}

    /// What tells rows of interest from others in a log with these columns. A sink that gives a screen gets rows that
    /// stand together by [`rows`](Self::rows), and those of interest among them once more by
    /// [`suspect`](Self::suspect); rows outside of such blocks it gets by [`record`](Self::record) as ever.
    fn screen(
        &mut self,
        _source: &SourceName,
        _columns: &Arc<dyn Columns>,
    ) -> Option<Arc<dyn Screen>> {
        None
    }

    /// Rows that were understood, each of them one record.
    fn rows(&mut self, _rows: &Rows<'_>) {}

    /// A row that [`rows`](Self::rows) counted, and that the screen took for one of interest, with what it said of it.
    fn suspect(&mut self, _record: &dyn Record, _interest: &Interest) {}
}

/// A kind of artifact. Extend by a folder and a line in [`ARTIFACTS`].
pub trait Artifact: Sync {
    /// Stable name: `exchange.httpproxy`.
    fn kind(&self) -> &'static str;

    /// How surely the probed item is of this kind.
    fn recognise(&self, probe: &Probe<'_>) -> Match;

    /// The source its records belong to, by head and path; `None` where it is no source that coverage counts.
    fn source(&self, probe: &Probe<'_>) -> Option<SourceName>;

    /// Whether the times of its records tell when the host was at work. Those of tables and settings are times of what
    /// is listed there; they are no rhythm by which a hole in a log could be known.
    fn keeps_rhythm(&self) -> bool {
        true
    }

    /// Reads the whole item.
    fn read(&self, item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink);
}

/// Every artifact Allclear reads, the most specific first.
pub const ARTIFACTS: &[&dyn Artifact] = &[
    &crate::evtx::EventLog,
    &crate::events_json::EventsJson,
    &crate::registry::RegistryHive,
    &crate::ntfs::mft::FileTable,
    &crate::ntfs::usn::ChangeJournal,
    &crate::prefetch::Prefetch,
    &crate::defender::detection_history::DetectionHistory,
    &crate::defender::support_log::SupportLog,
    &crate::wer::ErrorReport,
    &crate::wmi::WmiRepository,
    &crate::firewall::FirewallLog,
    &crate::powershell::transcript::Transcript,
    &crate::powershell::history::History,
    &crate::exchange::agents::TransportAgents,
    &crate::pe::ProductFile,
    &crate::aspnet::CompiledFile,
    &crate::aspnet::CompiledAssembly,
    &crate::iis_config::ServerConfig,
    &crate::iis_config::FolderConfig,
    &crate::tasks::ScheduledTask,
    &crate::exchange::httpproxy::HttpProxy,
    &crate::exchange::log::ECP_SERVER,
    &crate::exchange::log::ECP_ACTIVITY,
    &crate::exchange::log::CMDLET_INFRA,
    &crate::exchange::log::EWS,
    &crate::exchange::log::AUTODISCOVER,
    &crate::exchange::log::RPCHTTP,
    &crate::exchange::log::MAPIHTTP,
    &crate::iis::w3c::IisLog,
    &crate::iis::failed_request::FailedRequest,
    &crate::httperr::HttpErr,
    &crate::exchange::oab_generator::OabGenerator,
    &crate::exchange::setup_log::SetupLog,
    &crate::prior::test_proxylogon::TestProxyLogon,
    &crate::prior::eomt::Eomt,
    &crate::prior::msert::Msert,
    &crate::dns::windows_debug::WindowsDebug,
    &crate::dns::bind::Bind,
    &crate::dns::dnsmasq::Dnsmasq,
    &crate::dns::zeek::Zeek,
    &crate::m365::M365Audit,
    &crate::listing::Listing,
    // Tables of any names behind listings of files.
    &crate::dns::passive::PassiveDns,
    // Last: a script only where nothing knows more of it.
    &crate::web::Script,
];

/// The reader for an item: the surest match, and among equals the first in the table.
pub fn recognise(probe: &Probe<'_>) -> Option<&'static dyn Artifact> {
    let mut best: Option<(Match, &'static dyn Artifact)> = None;
    for artifact in ARTIFACTS {
        let sureness = artifact.recognise(probe);
        if sureness > best.map_or(Match::No, |(known, _)| known) {
            best = Some((sureness, *artifact));
        }
        // Nothing outweighs content, and the others' looks at the head cost as much as reading a small log.
        if sureness == Match::Content {
            break;
        }
    }
    best.map(|(_, artifact)| artifact)
}
