//! A second reader for records that ours cannot decode: the crate `evtx`.
//!
//! It decodes a chunk at a time, so it is asked once for a chunk in which something could not be decoded, and what it
//! makes of the rest of that chunk is kept. Its own bounds hold what it may give.

use super::chunk::CHUNK_HEADER_BYTES;
use evtx::{EvtxChunkData, EvtxChunkHeader, ParserSettings};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a chunk's header lists its names; all zero is an empty list.
const NAME_TABLE: std::ops::Range<usize> = 128..384;

/// What the second reader makes of one chunk.
#[derive(Default)]
pub(super) struct Fallback {
    /// Events in JSON by the place of their content; `None` before it was asked.
    events: Option<BTreeMap<usize, String>>,
}

impl Fallback {
    /// The event whose content lies at `content` of the chunk, in JSON, if the second reader can decode it.
    pub(super) fn event(&mut self, chunk: &[u8], content: usize) -> Option<String> {
        self.events
            .get_or_insert_with(|| events(chunk, content))
            .remove(&content)
    }
}

/// The events whose content lies at `from` or behind.
fn events(chunk: &[u8], from: usize) -> BTreeMap<usize, String> {
    let mut events = BTreeMap::new();
    let whole = EvtxChunkData::new(chunk.to_vec(), false).ok();
    let Some(mut data) = whole.filter(|_| chunk.len() > CHUNK_HEADER_BYTES) else {
        return events;
    };
    let settings = Arc::new(ParserSettings::new().indent(false));
    if data.parse(Arc::clone(&settings)).is_err() {
        // Without its table, the names are read where the records refer to them.
        data.data[NAME_TABLE].fill(0);
        let Ok(header) = EvtxChunkHeader::from_bytes(&data.data) else {
            return events;
        };
        data.header = header;
    }
    let Ok(mut parsed) = data.parse(settings) else {
        return events;
    };
    for record in parsed.iter().flatten() {
        let Ok(place) = usize::try_from(record.binxml_offset) else {
            continue;
        };
        if place >= from
            && let Ok(json) = record.into_json()
        {
            events.insert(place, json.data);
        }
    }
    events
}
