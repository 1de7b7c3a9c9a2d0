//! Recognises and reads artifacts into events, facts and gaps; a folder each.
//!
//! Start with [`ARTIFACTS`], the table of everything Allclear reads, and [`recognise`]. A reader gets the bytes of
//! one item and a [`Sink`]; it never fails as a whole: what it cannot read it tells the sink.

mod artifact;
mod aspnet;
mod defender;
mod dns;
mod events_json;
mod evtx;
mod exchange;
mod firewall;
mod httperr;
mod iis;
mod iis_config;
mod listing;
mod little_endian;
mod m365;
mod ntfs;
mod pe;
mod powershell;
mod prefetch;
mod prior;
mod products;
mod registry;
mod simple_record;
mod tasks;
#[cfg(test)]
mod testing;
mod text;
mod web;
mod wer;
mod windows_event;
mod wmi;
mod xml;

pub use artifact::{ARTIFACTS, Artifact, Item, Match, Probe, Sink, recognise};
pub use evtx::{ChunkDecoder, DecodedEvent, EventLogOptions, read_event_log};
pub use iis_config::{
    CANCEL as REWRITE_CANCEL, CLEAR as REWRITE_CLEAR, GLOBAL_RULES as REWRITE_GLOBAL_RULES,
    effective as effective_rewrite_rules,
};
