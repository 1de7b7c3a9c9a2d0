//! Velociraptor's offline collector ([container](https://github.com/Velocidex/velociraptor/blob/master/reporting/container.go)).

use super::{CollectorGap, RecordKind, host, message, taken};
use model::{Fact, GapKind, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The list of uploaded files at the top of a container.
pub(crate) const UPLOADS_NAME: &str = "uploads.json";

/// The two members of a protected container: the key, and the container proper.
pub(crate) const METADATA_NAME: &str = "metadata.json";
pub(crate) const DATA_NAME: &str = "data.zip";

pub(super) const CLIENT_INFO: RecordKind = RecordKind {
    detect: |name| name == "client_info.json",
    facts: |_, bytes| client_info(bytes),
    gaps: |_| Vec::new(),
};

pub(super) const COLLECTION_CONTEXT: RecordKind = RecordKind {
    detect: |name| name == "collection_context.json",
    facts: |_, bytes| collection_time(bytes),
    gaps: collection_state,
};

pub(super) const UPLOADS: RecordKind = RecordKind {
    detect: |name| name == UPLOADS_NAME,
    facts: |_, _| Vec::new(),
    gaps: short_uploads,
};

pub(super) const LOG: RecordKind = RecordKind {
    detect: |name| name == "log.json" || name == "logs.json",
    facts: |_, _| Vec::new(),
    gaps: logged_errors,
};

/// The record as an object, or the first object of a list.
fn object(bytes: &[u8]) -> Option<Value> {
    match serde_json::from_slice(bytes).ok()? {
        Value::Array(list) => list.into_iter().next(),
        value => Some(value),
    }
    .filter(Value::is_object)
}

/// Clients write `os_info.hostname`, collectors of their own `Hostname`.
fn client_info(bytes: &[u8]) -> Vec<Fact> {
    let Some(record) = object(bytes) else {
        return Vec::new();
    };
    let system = record.get("os_info").unwrap_or(&record);
    ["fqdn", "Fqdn", "hostname", "Hostname"]
        .iter()
        .filter_map(|field| system.get(*field)?.as_str())
        .find_map(|name| host(name, "Velociraptor client_info.json"))
        .into_iter()
        .collect()
}

/// The time at which the collection began: what happened after it may not have been seen.
fn collection_time(bytes: &[u8]) -> Vec<Fact> {
    let Some(record) = object(bytes) else {
        return Vec::new();
    };
    let time = ["create_time", "start_time", "active_time"]
        .iter()
        .filter_map(|field| record.get(*field))
        .find_map(epoch);
    taken(time, "Velociraptor collection_context.json")
        .into_iter()
        .collect()
}

/// A time since 1970. Versions differ in the unit, which its size gives away; 2001 is older than the tool.
fn epoch(value: &Value) -> Option<Timestamp> {
    const YEAR_2001_SECONDS: u64 = 1_000_000_000;
    let number = match value {
        Value::Number(number) => number.as_u64()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    for (units_per_second, nanoseconds_per_unit) in [
        (1_000_000_000, 1),
        (1_000_000, 1_000),
        (1_000, 1_000_000),
        (1, 1_000_000_000),
    ] {
        let seconds = number.checked_div(units_per_second)?;
        if seconds >= YEAR_2001_SECONDS {
            let rest = number.checked_rem(units_per_second)?;
            let nanoseconds = i32::try_from(rest.checked_mul(nanoseconds_per_unit)?).ok()?;
            return Timestamp::new(i64::try_from(seconds).ok()?, nanoseconds).ok();
        }
    }
    None
}

fn collection_state(bytes: &[u8]) -> Vec<CollectorGap> {
    let Some(record) = object(bytes) else {
        return Vec::new();
    };
    let failed = record.get("state").and_then(Value::as_str) == Some("ERROR");
    if !failed {
        return Vec::new();
    }
    let status = record.get("status").and_then(Value::as_str).unwrap_or("");
    let detail = format!(
        "Velociraptor reports that the collection ended in an error: {}",
        message(status)
    );
    vec![CollectorGap::new("", GapKind::Partial, detail)]
}

/// One line of `uploads.json`.
#[derive(Deserialize)]
struct Upload {
    vfs_path: String,
    #[serde(rename = "_Components", default)]
    components: Vec<String>,
    #[serde(default)]
    file_size: u64,
    #[serde(default)]
    uploaded_size: u64,
    #[serde(rename = "Type", default)]
    kind: String,
}

fn uploads(bytes: &[u8]) -> impl Iterator<Item = Upload> {
    bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
}

fn short_uploads(bytes: &[u8]) -> Vec<CollectorGap> {
    // A sparse file has an index beside it that says which holes were left out.
    let sparse: BTreeSet<String> = uploads(bytes)
        .filter(|upload| upload.kind == "idx")
        .filter_map(|upload| upload.vfs_path.strip_suffix(".idx").map(str::to_owned))
        .collect();
    uploads(bytes)
        .filter(|upload| upload.uploaded_size < upload.file_size)
        .map(|upload| {
            let why = if sparse.contains(&upload.vfs_path) {
                ", as it left out the holes of a sparse file; offsets in it are shifted"
            } else {
                ""
            };
            let detail = format!(
                "Velociraptor stored {} of {} bytes{why}",
                upload.uploaded_size, upload.file_size
            );
            CollectorGap::new(&upload.vfs_path, GapKind::Partial, detail)
        })
        .collect()
}

fn logged_errors(bytes: &[u8]) -> Vec<CollectorGap> {
    #[derive(Deserialize)]
    struct Line {
        #[serde(default)]
        level: String,
        #[serde(default)]
        message: String,
    }
    bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Line>(line).ok())
        .filter(|line| line.level.eq_ignore_ascii_case("error"))
        .map(|line| {
            let detail = format!("Velociraptor reports an error: {}", message(&line.message));
            CollectorGap::new("", GapKind::Unreadable, detail)
        })
        .collect()
}

/// Original paths by stored name (as [`stored_key`] gives it), only where they differ from what the stored name
/// says by itself: files of a shadow copy, for instance, can be stored under the drive's own letter.
pub(crate) fn original_paths(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut paths = BTreeMap::new();
    for upload in uploads(bytes) {
        // Without a separator it is no path: uploads of mere data have such names.
        if upload.components.len() < 2 || !upload.vfs_path.contains(['\\', '/']) {
            continue;
        }
        let original = original_path(&upload.vfs_path);
        let stored = upload.components.join("/");
        let by_name = crate::restore::restore(&stored).path;
        if !model::same_path(&original, &by_name) && upload.kind != "idx" {
            paths.insert(stored_key(&stored), original);
        }
    }
    paths
}

/// The key of a stored name in [`original_paths`]: percent-encoding undone, as names in the list are not encoded.
pub(crate) fn stored_key(stored: &str) -> String {
    crate::restore::percent_decode(stored).replace('\\', "/")
}

/// A path of the client in Windows form, without its device prefix.
fn original_path(vfs_path: &str) -> String {
    crate::restore::restore(&model::windows_path(vfs_path)).path
}
