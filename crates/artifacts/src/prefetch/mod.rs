//! Prefetch files (`Windows\Prefetch\NAME.EXE-HASH.pf`): programs that were started, how often, and when the last times.
//!
//! Format: <https://github.com/libyal/libscca/blob/main/documentation/Windows%20Prefetch%20File%20(PF)%20format.asciidoc>;
//! versions 17 (XP, 2003), 23 (Vista, 7), 26 (8, 2012), 30 and 31 (10, 2016 and later), the last ones compressed. Servers
//! write them only where somebody turned that on.

mod xpress;

use crate::little_endian::{filetime_at, u16_at, u32_at, utf16};
use crate::simple_record::SimpleRecord;
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{At, GapKind, SourceName};
use std::io::Read;

/// Windows keeps such files below 1 MiB; stops one that claims gigabytes.
const PLAIN_BYTES_MAX: usize = 16 << 20;

/// Files that a program loaded; Windows traces its first ten seconds.
const FILES_MAX: usize = 4_096;

/// Of them, how many are named beside each start.
const FILES_TOLD_MAX: usize = 512;

const VOLUMES_MAX: usize = 64;

/// Head of a compressed file: a signature and the size of the plain bytes.
const COMPRESSED: &[u8] = b"MAM\x04";

#[derive(Debug)]
pub(crate) struct Prefetch;

impl Artifact for Prefetch {
    fn kind(&self) -> &'static str {
        "windows.prefetch"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let named = model::extension(probe.path) == "pf";
        let plain = probe.head.get(4..8) == Some(b"SCCA");
        if plain || (named && probe.head.starts_with(COMPRESSED)) {
            Match::Content
        } else if named {
            Match::Path
        } else {
            Match::No
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::new(self.kind()))
    }

    fn keeps_rhythm(&self) -> bool {
        false
    }

    fn read(&self, _item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let mut bytes = Vec::new();
        let read = content
            .stream()
            .take(PLAIN_BYTES_MAX as u64)
            .read_to_end(&mut bytes);
        if read.is_err() {
            let detail = "the file cannot be read to its end";
            sink.gap(GapKind::Partial, At::Item, (None, None), detail);
        }
        if bytes.starts_with(COMPRESSED) {
            let size = u32_at(&bytes, 4).unwrap_or(0) as usize;
            if size > PLAIN_BYTES_MAX {
                sink.rejected(At::Item, "a prefetch file claims to be too large");
                return;
            }
            let (plain, whole) = xpress::expand(bytes.get(8..).unwrap_or_default(), size);
            if !whole {
                let detail = "the compressed bytes are damaged; read up to the damage";
                sink.gap(GapKind::Partial, At::Item, (None, None), detail);
            }
            bytes = plain;
        }
        match Started::of(&bytes) {
            Some(started) => started.tell(&SourceName::new(self.kind()), sink),
            None => sink.rejected(At::Item, "not a prefetch file of a known version"),
        }
    }
}

/// What a file says of its program.
struct Started {
    name: String,
    hash: String,
    count: u32,
    times: Vec<model::Timestamp>,
    files: Vec<String>,
    volumes: Vec<String>,
}

impl Started {
    fn of(bytes: &[u8]) -> Option<Self> {
        /// The head before the table of sections.
        const HEAD_BYTES: usize = 84;
        if bytes.get(4..8) != Some(b"SCCA") {
            return None;
        }
        let version = u32_at(bytes, 0)?;
        // Where the times of starts stand, how many, where their count, and the length of a volume's entry.
        let (times_at, times, count_at, volume_bytes) = match version {
            17 => (120, 1, 144, 40),
            23 => (128, 1, 152, 104),
            26 => (128, 8, 208, 104),
            // A later form of these has a shorter table of sections.
            30 | 31 if u32_at(bytes, HEAD_BYTES)? == 296 => (128, 8, 200, 96),
            30 | 31 => (128, 8, 208, 96),
            _ => return None,
        };
        let section = |at: usize| {
            let start = u32_at(bytes, HEAD_BYTES + at)? as usize;
            let length = u32_at(bytes, HEAD_BYTES + at + 4)? as usize;
            bytes.get(start..start.checked_add(length)?)
        };
        Some(Self {
            name: utf16(bytes.get(16..76)?),
            hash: format!("{:08X}", u32_at(bytes, 76)?),
            count: u32_at(bytes, count_at)?,
            times: (0..times)
                .filter_map(|number| filetime_at(bytes, times_at + number * 8))
                .collect(),
            files: section(16).map(names).unwrap_or_default(),
            volumes: volumes(
                bytes,
                u32_at(bytes, HEAD_BYTES + 24),
                u32_at(bytes, HEAD_BYTES + 28),
                volume_bytes,
            ),
        })
    }

    /// A record for each time the program was started, as far as they are kept.
    fn tell(&self, source: &SourceName, sink: &mut dyn Sink) {
        let own = self.own_path();
        let files: Vec<&str> = self
            .files
            .iter()
            .take(FILES_TOLD_MAX)
            .map(String::as_str)
            .collect();
        let files = files.join(", ");
        let times: Vec<Option<model::Timestamp>> = if self.times.is_empty() {
            vec![None]
        } else {
            self.times.iter().copied().map(Some).collect()
        };
        for time in times {
            let mut record = SimpleRecord::new(source, At::Item)
                .with("name", self.name.as_str())
                .with("process", own)
                .with("Image", own)
                .with("hash", self.hash.as_str())
                .with("run_count", self.count.to_string())
                .with("files", files.as_str())
                .with("volumes", self.volumes.join(", "));
            record.time = time;
            sink.record(&record);
        }
    }

    /// The path of the program among the files that it loaded; its name where it is not there.
    fn own_path(&self) -> &str {
        let name = self.name.to_lowercase();
        self.files
            .iter()
            .find(|file| model::file_name(file).to_lowercase().starts_with(&name))
            .map_or(&self.name, |file| file)
    }
}

/// Names one after the other, each ended by a zero.
fn names(bytes: &[u8]) -> Vec<String> {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    units
        .split(|unit| *unit == 0)
        .filter(|name| !name.is_empty())
        .take(FILES_MAX)
        .map(String::from_utf16_lossy)
        .collect()
}

/// The volumes that files were loaded from, with their serial numbers.
fn volumes(
    bytes: &[u8],
    start: Option<u32>,
    count: Option<u32>,
    entry_bytes: usize,
) -> Vec<String> {
    let mut volumes = Vec::new();
    let (Some(start), Some(count)) = (start, count) else {
        return volumes;
    };
    let start = start as usize;
    for number in 0..(count as usize).min(VOLUMES_MAX) {
        let volume = || {
            let entry = start.checked_add(number * entry_bytes)?;
            let path_at = start.checked_add(u32_at(bytes, entry)? as usize)?;
            let path_bytes = (u32_at(bytes, entry + 4)? as usize).checked_mul(2)?;
            let path = utf16(bytes.get(path_at..path_at.checked_add(path_bytes)?)?);
            let serial_low = u16_at(bytes, entry + 16)?;
            let serial_high = u16_at(bytes, entry + 18)?;
            Some(format!("{path} ({serial_high:04X}-{serial_low:04X})"))
        };
        volumes.extend(volume());
    }
    volumes
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::needless_raw_string_hashes,
        reason = "written so by expect-test"
    )]

    use super::xpress::tests::compress;
    use crate::testing::read_as_text;
    use expect_test::expect;

    const PATH: &str = "C:\\Windows\\Prefetch\\A.EXE-0BADCAFE.pf";

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    /// A file of this version.
    fn prefetch(version: u32) -> Vec<u8> {
        let (metrics, times, count_at) = match version {
            17 => (152, 1, 144),
            23 => (240, 1, 152),
            26 | 30 => (304, 8, 208),
            _ => (296, 8, 200),
        };
        let mut bytes = version.to_le_bytes().to_vec();
        bytes.extend(b"SCCA");
        bytes.resize(16, 0);
        bytes.extend(wide("A.EXE"));
        bytes.resize(76, 0);
        bytes.extend(0x0bad_cafe_u32.to_le_bytes());
        bytes.resize(metrics, 0);
        let files = wide("\\VOLUME{01}\\WINDOWS\\NTDLL.DLL\0\\VOLUME{01}\\TEMP\\A.EXE\0");
        let mut put = |at: usize, value: usize| {
            bytes[at..at + 4].copy_from_slice(&u32::try_from(value).unwrap().to_le_bytes());
        };
        put(84, metrics);
        put(100, metrics);
        put(104, files.len());
        put(108, metrics + files.len());
        put(112, 1);
        put(count_at, 5);
        let times_at = if version == 17 { 120 } else { 128 };
        for number in 0..times.min(3) {
            let second: u64 = 1_614_754_140 - number * 60 + 11_644_473_600;
            let at = times_at + usize::try_from(number).unwrap() * 8;
            bytes[at..at + 8].copy_from_slice(&(second * 10_000_000).to_le_bytes());
        }
        bytes.extend(files);
        let volume = wide("\\VOLUME{01}");
        bytes.extend(40_u32.to_le_bytes());
        bytes.extend(u32::try_from(volume.len() / 2).unwrap().to_le_bytes());
        bytes.extend([0; 8]);
        bytes.extend(0x1234_abcd_u32.to_le_bytes());
        bytes.resize(bytes.len() + 20, 0);
        bytes.extend(volume);
        bytes
    }

    /// What is read of these files, one after the other.
    fn all(files: &[Vec<u8>], fields: &[&str]) -> String {
        let texts: Vec<String> = files
            .iter()
            .map(|bytes| read_as_text(PATH, bytes, fields))
            .collect();
        texts.concat()
    }

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut packed = b"MAM\x04".to_vec();
        packed.extend(u32::try_from(plain.len()).unwrap().to_le_bytes());
        packed.extend(compress(plain));
        packed
    }

    #[test]
    fn every_kept_start_is_a_record() {
        expect![[r#"
            kind: windows.prefetch
            source: windows.prefetch
            records: 1
              2021-03-03T06:49:00Z | item | name=A.EXE | process=\\VOLUME{01}\\TEMP\\A.EXE | Image=\\VOLUME{01}\\TEMP\\A.EXE | hash=0BADCAFE | run_count=5 | files=\\VOLUME{01}\\WINDOWS\\NTDLL.DLL, \\VOLUME{01}\\TEMP\\A.EXE | volumes=\\VOLUME{01} (1234-ABCD)
            rejected: 0
            facts: 0
            gaps: 0
            kind: windows.prefetch
            source: windows.prefetch
            records: 1
              2021-03-03T06:49:00Z | item | name=A.EXE | process=\\VOLUME{01}\\TEMP\\A.EXE | Image=\\VOLUME{01}\\TEMP\\A.EXE | hash=0BADCAFE | run_count=5 | files=\\VOLUME{01}\\WINDOWS\\NTDLL.DLL, \\VOLUME{01}\\TEMP\\A.EXE | volumes=\\VOLUME{01} (1234-ABCD)
            rejected: 0
            facts: 0
            gaps: 0
        "#]].assert_eq(&all(&[prefetch(17), prefetch(23)], &["*"]));
        let newer = [26, 30, 31].map(prefetch);
        expect![[r#"
            kind: windows.prefetch
            source: windows.prefetch
            records: 3
              2021-03-03T06:49:00Z | item | process=\\VOLUME{01}\\TEMP\\A.EXE | run_count=5
              2021-03-03T06:48:00Z | item | process=\\VOLUME{01}\\TEMP\\A.EXE | run_count=5
              2021-03-03T06:47:00Z | item | process=\\VOLUME{01}\\TEMP\\A.EXE | run_count=5
            rejected: 0
            facts: 0
            gaps: 0
            kind: windows.prefetch
            source: windows.prefetch
            records: 3
              2021-03-03T06:49:00Z | item | process=\\VOLUME{01}\\TEMP\\A.EXE | run_count=5
              2021-03-03T06:48:00Z | item | process=\\VOLUME{01}\\TEMP\\A.EXE | run_count=5
              2021-03-03T06:47:00Z | item | process=\\VOLUME{01}\\TEMP\\A.EXE | run_count=5
            rejected: 0
            facts: 0
            gaps: 0
            kind: windows.prefetch
            source: windows.prefetch
            records: 3
              2021-03-03T06:49:00Z | item | process=\\VOLUME{01}\\TEMP\\A.EXE | run_count=5
              2021-03-03T06:48:00Z | item | process=\\VOLUME{01}\\TEMP\\A.EXE | run_count=5
              2021-03-03T06:47:00Z | item | process=\\VOLUME{01}\\TEMP\\A.EXE | run_count=5
            rejected: 0
            facts: 0
            gaps: 0
        "#]]
        .assert_eq(&all(&newer, &["process", "run_count"]));
        let plain = prefetch(30);
        assert_eq!(all(&[packed(&plain)], &["*"]), all(&[plain], &["*"]));
    }

    #[test]
    fn damaged_files_are_told() {
        let plain = prefetch(30);
        let cut = packed(&plain)[..620].to_vec();
        let huge = b"MAM\x04\xff\xff\xff\xff".to_vec();
        let files = [cut, huge, plain[..100].to_vec()];
        expect![[r#"
            kind: windows.prefetch
            source: windows.prefetch
            records: 3
              2021-03-03T06:49:00Z | item | process=A.EXE | run_count=5
              2021-03-03T06:48:00Z | item | process=A.EXE | run_count=5
              2021-03-03T06:47:00Z | item | process=A.EXE | run_count=5
            rejected: 0
            facts: 0
            gaps: 1
              partial | item | the compressed bytes are damaged; read up to the damage
            kind: windows.prefetch
            source: windows.prefetch
            records: 0
            rejected: 1
              item | a prefetch file claims to be too large
            facts: 0
            gaps: 0
            kind: windows.prefetch
            source: windows.prefetch
            records: 0
            rejected: 1
              item | not a prefetch file of a known version
            facts: 0
            gaps: 0
        "#]]
        .assert_eq(&all(&files, &["process", "run_count"]));
    }
}
