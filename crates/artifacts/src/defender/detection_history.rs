//! What Microsoft Defender found, a file each
//! (`ProgramData\Microsoft\Windows Defender\Scans\History\Service\DetectionHistory\NN\GUID`).
//!
//! Microsoft does not describe the form. A file holds names and values as UTF-16 texts, each behind its length in bytes
//! and the number of its type, with binary data between them. This reader takes those texts in their order and knows only
//! what they say themselves: the version (`Magic.Version:1.2`), the threat behind it, resources by their kind, and
//! `ThreatTracking…` names with the text that follows. Times are binary and stand without a name: they are not told.

use crate::little_endian::{u32_at, utf16};
use crate::simple_record::SimpleRecord;
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{At, SourceName};
use std::io::Read;

/// Such files have some KiB.
const BYTES_MAX: u64 = 4 << 20;

/// Texts of one file.
const TEXTS_MAX: usize = 4_096;

/// Number of the type of texts.
const TEXT: u32 = 0x15;

const MAGIC: &str = "Magic.Version:";

/// Resources of one detection that are told.
const RESOURCES_MAX: usize = 1_000;

#[derive(Debug)]
pub(crate) struct DetectionHistory;

impl Artifact for DetectionHistory {
    fn kind(&self) -> &'static str {
        "windows.defender.detection"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let magic: Vec<u8> = MAGIC.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let head = &probe.head[..probe.head.len().min(1_024)];
        if memchr::memmem::find(head, &magic).is_some() {
            return Match::Content;
        }
        let lower = probe.path.to_ascii_lowercase().replace('/', "\\");
        if lower.contains("\\scans\\history\\service\\detectionhistory\\") {
            Match::Path
        } else {
            Match::No
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::new(self.kind()))
    }

    fn read(&self, _item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let mut bytes = Vec::new();
        if content
            .stream()
            .take(BYTES_MAX)
            .read_to_end(&mut bytes)
            .is_err()
        {
            sink.rejected(At::Item, "the file cannot be read");
            return;
        }
        let texts = texts(&bytes);
        let Some(magic) = texts.iter().position(|text| text.starts_with(MAGIC)) else {
            sink.rejected(At::Item, "not a detection of a known form");
            return;
        };
        let threat = texts.get(magic + 1).map(String::as_str).unwrap_or_default();
        let value = |name: &str| {
            let at = texts.iter().position(|text| text == name)?;
            texts.get(at + 1).map(String::as_str)
        };
        let resources: Vec<(&str, &str)> = texts
            .windows(2)
            .filter(|pair| KINDS.contains(&pair[0].as_str()))
            .map(|pair| (pair[0].as_str(), pair[1].as_str()))
            .take(RESOURCES_MAX)
            .collect();
        let resources = if resources.is_empty() {
            vec![("", "")]
        } else {
            resources
        };
        let source = SourceName::new(self.kind());
        let sha256 = value("ThreatTrackingSha256").unwrap_or_default();
        let user = texts
            .iter()
            .find(|text| text.contains('\\') && !text.contains(':') && !text.contains("\\\\"));
        for (kind, resource) in resources {
            let record = SimpleRecord::new(&source, At::Item)
                .with("threat", threat)
                .with("ThreatName", threat)
                .with("kind", kind)
                .with("target_file", resource)
                .with("sha256", sha256)
                .with("sha1", value("ThreatTrackingSha1").unwrap_or_default())
                .with("md5", value("ThreatTrackingMD5").unwrap_or_default())
                .with("user", user.map(String::as_str).unwrap_or_default())
                .with(
                    "detection_id",
                    value("ThreatTrackingId").unwrap_or_default(),
                );
            sink.record(&record);
        }
    }
}

/// Kinds of resources that Defender names.
const KINDS: [&str; 9] = [
    "file",
    "containerfile",
    "webfile",
    "regkey",
    "regkeyvalue",
    "process",
    "service",
    "driver",
    "CmdLine",
];

/// The texts of a file in their order.
fn texts(bytes: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    let mut at = 0;
    while at + 8 <= bytes.len() && texts.len() < TEXTS_MAX {
        let length = u32_at(bytes, at).unwrap_or(0) as usize;
        let text = (u32_at(bytes, at + 4) == Some(TEXT) && length >= 2)
            .then(|| bytes.get(at + 8..at.checked_add(8)?.checked_add(length)?))
            .flatten();
        match text {
            Some(text) => {
                texts.push(utf16(text));
                at = (at + 8 + length).next_multiple_of(4);
            }
            None => at += 4,
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::needless_raw_string_hashes,
        reason = "written so by expect-test"
    )]

    use crate::testing::check;
    use expect_test::expect;

    const PATH: &str = "C:\\ProgramData\\Microsoft\\Windows Defender\\Scans\\History\\Service\\DetectionHistory\\05\\0A";

    fn detection() -> Vec<u8> {
        let mut bytes = vec![8, 0, 0, 0, 8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        for text in [
            "Magic.Version:1.2",
            "Backdoor:ASP/Example.A",
            "file",
            "C:\\inetpub\\wwwroot\\x.aspx",
            "ThreatTrackingSha256",
            "0000000000000000000000000000000000000000000000000000000000000001",
            "EXAMPLE\\bob",
        ] {
            let text: Vec<u8> = format!("{text}\0")
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect();
            bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
            bytes.extend([0x15, 0, 0, 0]);
            bytes.extend(text);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        }
        bytes
    }

    #[test]
    fn what_was_found_is_a_record_for_each_resource() {
        check(
            PATH,
            &detection(),
            &["*"],
            expect![[r#"
            kind: windows.defender.detection
            source: windows.defender.detection
            records: 1
              - | item | threat=Backdoor:ASP/Example.A | ThreatName=Backdoor:ASP/Example.A | kind=file | target_file=C:\\inetpub\\wwwroot\\x.aspx | sha256=0000000000000000000000000000000000000000000000000000000000000001 | user=EXAMPLE\\bob
            rejected: 0
            facts: 0
            gaps: 0
        "#]],
        );
    }

    #[test]
    fn damaged_detections_are_told() {
        check(
            PATH,
            &detection()[..120],
            &["*"],
            expect![[r#"
            kind: windows.defender.detection
            source: windows.defender.detection
            records: 1
              - | item | threat=Backdoor:ASP/Example.A | ThreatName=Backdoor:ASP/Example.A
            rejected: 0
            facts: 0
            gaps: 0
        "#]],
        );
        check(
            PATH,
            b"nothing",
            &["*"],
            expect![[r#"
            kind: windows.defender.detection (by path)
            source: windows.defender.detection
            records: 0
            rejected: 1
              item | not a detection of a known form
            facts: 0
            gaps: 0
        "#]],
        );
    }
}
