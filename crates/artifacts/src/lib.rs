//! Recognises and reads artifacts into events, facts and gaps; a folder each.
//!
//! Start with [`ARTIFACTS`], the table of everything Allclear reads, and [`recognise`]. A reader gets the bytes of
//! one item and a [`Sink`]; it never fails as a whole: what it cannot read it tells the sink.

mod artifact;
mod evtx;
mod exchange;
mod httperr;
mod iis;
mod listing;
mod prior;
#[cfg(test)]
mod testing;
mod text;
mod windows_event;

pub use artifact::{ARTIFACTS, Artifact, Item, Match, Probe, Sink, recognise};
