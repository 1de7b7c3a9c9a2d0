//! Disk images, byte by byte (`dd`, raw): the files of their NTFS volumes, without mounting anything.
//!
//! Partition tables: MBR and GPT
//! (<https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html>). File system:
//! <https://flatcap.github.io/linux-ntfs/ntfs/>. The table of files is read from front to back, never the trees of the
//! folders: a table ends, and a hostile tree need not. Of the hundred thousands of files of a server only those are
//! offered that lie where evidence lies ([`FOLDERS`], [`NAMES`]), and the table itself; how many were not is told.

use crate::content::{COMPANION_BYTES_MAX, COMPANIONS, ReadSeek};
use crate::item::{SeekItem, target};
use crate::walk::{Admission, Admitted, Offered, Scope, Walker};
use model::GapKind;
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};

/// Parts of paths below which files are offered, in lower case.
const FOLDERS: [&str; 24] = [
    "/windows/system32/config/",
    "/windows/system32/winevt/logs/",
    "/windows/system32/tasks/",
    "/windows/system32/logfiles/",
    "/windows/system32/inetsrv/config/",
    "/windows/system32/wbem/repository/",
    "/windows/appcompat/programs/",
    "/windows/prefetch/",
    "/windows/temp/",
    "/windows/debug/",
    "/temporary asp.net files/",
    "/inetpub/",
    "/exchange server/",
    "/exchangesetuplogs/",
    "/logging/",
    "/frontend/httpproxy/",
    "/clientaccess/",
    "/transportroles/",
    "/programdata/",
    "/users/public/",
    "/perflogs/",
    "/appdata/local/temp/",
    "/$recycle.bin/",
    "/aspnet_client/",
];

/// Beginnings of names of files that are offered wherever they lie, in lower case.
const NAMES: [&str; 7] = [
    "ntuser.dat",
    "usrclass.dat",
    "consolehost_history.txt",
    "powershell_transcript.",
    "amcache.hve",
    "$mft",
    "applicationhost.config",
];

const SECTOR_BYTES: u64 = 512;

/// A boot sector that a collector copied out as `$Boot` is shorter, and no volume.
const DISK_BYTES_MIN: usize = 16 << 10;

/// Partitions that are looked at; a GPT has room for 128.
const PARTITIONS_MAX: usize = 128;

/// Clusters of NTFS have at most 2 MiB.
const CLUSTER_BYTES_MAX: u64 = 2 << 20;

/// Records of the table have 1 or 4 KiB.
const RECORD_BYTES: [u64; 2] = [1_024, 4_096];

/// Records that are read: four thousand million bytes of table, more than any server has.
const RECORDS_MAX: u64 = 1 << 22;

/// Stretches that one file lies in, and that all continuations of a volume have together.
const RUNS_MAX: usize = 1 << 16;
const CONTINUED_RUNS_MAX: usize = 1 << 20;

/// Folders that are kept for paths, and the bytes of their names.
const FOLDERS_KEPT_MAX: usize = 1 << 20;
const NAMES_BYTES_MAX: usize = 64 << 20;

/// Folders in folders that a path is followed through.
const DEPTH_MAX: usize = 256;

/// Attributes of one record.
const ATTRIBUTES_MAX: usize = 256;

/// The number of the root folder's record.
const ROOT: u64 = 5;

/// Whether an item begins as a disk with a partition table, or as an NTFS volume.
pub(crate) fn is_disk(head: &[u8]) -> bool {
    head.len() >= DISK_BYTES_MIN && (is_volume(head) || !partitions(head).is_empty())
}

fn is_volume(sector: &[u8]) -> bool {
    sector.get(3..11) == Some(b"NTFS    ") && sector.get(510..512) == Some(&[0x55, 0xaa])
}

/// Where partitions that may hold NTFS begin, in bytes.
fn partitions(head: &[u8]) -> Vec<u64> {
    /// Partitions of Windows' data in a GPT, in the mixed order of its fields.
    const BASIC_DATA: [u8; 16] = [
        0xa2, 0xa0, 0xd0, 0xeb, 0xe5, 0xb9, 0x33, 0x44, 0x87, 0xc0, 0x68, 0xb6, 0xb7, 0x26, 0x99,
        0xc7,
    ];
    if head.get(510..512) != Some(&[0x55, 0xaa]) {
        return Vec::new();
    }
    if head.get(512..520) == Some(b"EFI PART") {
        let entries = head.get(1_024..).unwrap_or_default();
        return entries
            .chunks_exact(128)
            .take(PARTITIONS_MAX)
            .filter(|entry| entry.get(..16) == Some(&BASIC_DATA))
            .filter_map(|entry| u64_at(entry, 32)?.checked_mul(SECTOR_BYTES))
            .collect();
    }
    let entries = head.get(446..510).unwrap_or_default();
    let plausible = entries
        .chunks_exact(16)
        .all(|entry| matches!(entry.first(), Some(0 | 0x80)));
    if !plausible {
        return Vec::new();
    }
    entries
        .chunks_exact(16)
        .filter(|entry| entry.get(4) == Some(&7))
        .filter_map(|entry| u64::from(u32_at(entry, 8)?).checked_mul(SECTOR_BYTES))
        .filter(|start| *start > 0)
        .collect()
}

/// Walks the files of every NTFS volume.
pub(crate) fn walk(walker: &mut Walker<'_>, scope: &Scope, source: &mut dyn ReadSeek) {
    let mut head = vec![0; crate::content::HEAD_BYTES];
    let filled = match read_at(source, 0, &mut head) {
        Ok(filled) => filled,
        Err(error) => return walker.unreadable(scope.path(), &error),
    };
    head.truncate(filled);
    let starts = if is_volume(&head) {
        vec![0]
    } else {
        partitions(&head)
    };
    let several = starts.len() > 1;
    let mut index = 0;
    for (number, start) in starts.into_iter().enumerate() {
        let number = number.saturating_add(1);
        let volume = match Volume::open(source, start) {
            Ok(volume) => volume,
            Err(why) => {
                let detail = format!("partition {number} of the disk was not read: {why}");
                walker.gap(scope.path(), GapKind::NotUnderstood, &detail);
                continue;
            }
        };
        if !volume.walk(walker, scope, source, several.then_some(number), &mut index) {
            return;
        }
    }
}

/// Reads as much as there is, at most the buffer.
fn read_at(source: &mut dyn ReadSeek, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
    source.seek(SeekFrom::Start(at))?;
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(count) => filled = filled.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A stretch of clusters of a file; without a place on the disk it reads as zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// Where it stands in the file, in bytes.
    from: u64,
    bytes: u64,
    /// On the disk, in bytes.
    at: Option<u64>,
}

/// The bytes of a file or stream.
#[derive(Clone, Debug)]
enum Data {
    Resident(Vec<u8>),
    Runs {
        runs: Vec<Run>,
        size: u64,
        /// Bytes behind this one were never written and read as zeros.
        written: u64,
    },
    /// Why it is not read.
    Closed(&'static str),
}

impl Data {
    fn size(&self) -> u64 {
        match self {
            Self::Resident(bytes) => bytes.len() as u64,
            Self::Runs { size, .. } => *size,
            Self::Closed(_) => 0,
        }
    }
}

/// What a record says, as far as files are read by it.
#[derive(Default)]
struct Record {
    in_use: bool,
    directory: bool,
    /// Number of the record that this one continues, where it does.
    base: Option<u64>,
    name: Option<(u64, String)>,
    /// By the streams' names.
    data: BTreeMap<String, Data>,
}

/// An NTFS volume.
struct Volume {
    start: u64,
    cluster_bytes: u64,
    record_bytes: u64,
    table: Vec<Run>,
    table_bytes: u64,
}

/// A file to be offered.
struct Found {
    path: String,
    record: u64,
    stream: String,
    size: u64,
}

/// What the first reading of the table leaves.
#[derive(Default)]
struct Tree {
    /// Parent and name of each folder.
    folders: BTreeMap<u64, (u64, String)>,
    names_bytes: usize,
    /// Continuations of streams, by the record they continue.
    continued: BTreeMap<u64, Vec<(String, Vec<Run>)>>,
    runs: usize,
    damaged: u64,
    left_out: bool,
}

impl Volume {
    fn open(source: &mut dyn ReadSeek, start: u64) -> Result<Self, &'static str> {
        let mut boot = vec![0; 512];
        let filled = read_at(source, start, &mut boot).map_err(|_error| "it cannot be read")?;
        if filled < boot.len() || !is_volume(&boot) {
            return Err("it holds no NTFS");
        }
        let damaged = "its boot sector is damaged";
        let sector = u64::from(u16_at(&boot, 11).ok_or(damaged)?);
        let cluster = match boot.get(13).copied().ok_or(damaged)? {
            // From 64 KiB on the size is a negative power of two.
            count @ 0xf4..=0xff => 1_u64.checked_shl(u32::from(count.wrapping_neg())),
            count => Some(u64::from(count)),
        };
        let cluster_bytes = cluster
            .and_then(|sectors| sectors.checked_mul(sector))
            .filter(|bytes| (SECTOR_BYTES..=CLUSTER_BYTES_MAX).contains(bytes))
            .ok_or(damaged)?;
        let record = boot.get(64).copied().ok_or(damaged)?;
        let record_bytes = if record >= 0x80 {
            1_u64.checked_shl(u32::from(record.wrapping_neg()))
        } else {
            u64::from(record).checked_mul(cluster_bytes)
        };
        let record_bytes = record_bytes
            .filter(|bytes| RECORD_BYTES.contains(bytes))
            .ok_or(damaged)?;
        let table_at = u64_at(&boot, 48)
            .and_then(|cluster| cluster.checked_mul(cluster_bytes))
            .and_then(|at| at.checked_add(start))
            .ok_or(damaged)?;
        let mut volume = Self {
            start,
            cluster_bytes,
            record_bytes,
            table: Vec::new(),
            table_bytes: 0,
        };
        let mut bytes = vec![0; usize::try_from(record_bytes).unwrap_or(4_096)];
        read_at(source, table_at, &mut bytes).map_err(|_error| "its table cannot be read")?;
        let own = volume.parse(&mut bytes).ok_or("its table is damaged")?;
        match own.data.get("") {
            Some(Data::Runs { runs, size, .. }) => {
                volume.table.clone_from(runs);
                volume.table_bytes = *size;
                Ok(volume)
            }
            _ => Err("its table is damaged"),
        }
    }

    /// Offers its files. False where no more entries are taken.
    fn walk(
        mut self,
        walker: &mut Walker<'_>,
        scope: &Scope,
        source: &mut dyn ReadSeek,
        number: Option<usize>,
        index: &mut u64,
    ) -> bool {
        let tree = self.tree(source);
        let (found, passed) = self.files(source, &tree, walker.limits.entries());
        let system = found
            .iter()
            .any(|file| file.path.to_lowercase().starts_with("/windows/system32/"));
        // Windows calls the volume that it starts from C; what the others are called is not in them.
        let prefix = match (system, number) {
            (true, _) => "C".to_owned(),
            (false, Some(number)) => format!("partition {number}"),
            (false, None) => String::new(),
        };
        if tree.damaged > 0 || tree.left_out {
            let detail = format!(
                "the table of files of an NTFS volume is damaged or too large: {} records could not be read",
                tree.damaged
            );
            walker.gap(scope.path(), GapKind::Partial, &detail);
        }
        if passed > 0 {
            let detail = format!(
                "{passed} files of the image that lie where no evidence is looked for were not read; extract them to have them looked at"
            );
            walker.gap(scope.path(), GapKind::Missing, &detail);
        }
        let by_path: BTreeMap<String, usize> = found
            .iter()
            .enumerate()
            .map(|(position, file)| (file.path.to_lowercase(), position))
            .collect();
        for file in &found {
            let name = format!("{prefix}{}", file.path);
            let offered = Offered {
                index: *index,
                name: name.trim_start_matches('/'),
                size: Some(file.size),
                modified: None,
                stored_bytes: Some(file.size),
                expands_to_max: file.size,
            };
            *index = index.saturating_add(1);
            match walker.admit(scope, &offered) {
                Admission::Read(admitted) => {
                    let companions = self.companions(source, &tree, file, &found, &by_path);
                    self.offer(walker, &admitted, source, &tree, file, companions);
                }
                Admission::Skip | Admission::Refused => {}
                Admission::Stop => return false,
            }
        }
        true
    }

    fn offer(
        &self,
        walker: &mut Walker<'_>,
        admitted: &Admitted,
        source: &mut dyn ReadSeek,
        tree: &Tree,
        file: &Found,
        companions: Vec<(&'static str, Vec<u8>)>,
    ) {
        let path = &admitted.entry.path;
        let data = match self.data(source, tree, file.record, &file.stream) {
            Some(Data::Closed(why)) => return walker.gap(path, GapKind::Unreadable, why),
            Some(data) => data,
            None => {
                let detail = "its record in the table of files is damaged";
                return walker.gap(path, GapKind::Unreadable, detail);
            }
        };
        let reader = FileReader {
            source,
            data,
            position: 0,
        };
        match SeekItem::new(Box::new(reader), walker.limits.item_bytes_max) {
            Ok(item) => {
                let beside = move |ending: &str| {
                    let (_, bytes) = companions.iter().find(|(known, _)| *known == ending)?;
                    Some(bytes.clone())
                };
                walker.read(admitted, &mut item.with_companions(Box::new(beside)));
            }
            Err(error) => walker.unreadable(path, &error),
        }
    }

    /// The bytes of the files that belong to this one.
    fn companions(
        &self,
        source: &mut dyn ReadSeek,
        tree: &Tree,
        file: &Found,
        found: &[Found],
        by_path: &BTreeMap<String, usize>,
    ) -> Vec<(&'static str, Vec<u8>)> {
        let mut companions = Vec::new();
        for ending in COMPANIONS {
            let path = format!("{}{ending}", file.path).to_lowercase();
            let Some(beside) = by_path.get(&path).and_then(|position| found.get(*position)) else {
                continue;
            };
            let Some(data) = self.data(source, tree, beside.record, "") else {
                continue;
            };
            if data.size() > COMPANION_BYTES_MAX {
                continue;
            }
            let mut bytes = Vec::new();
            let reader = FileReader {
                source,
                data,
                position: 0,
            };
            if reader
                .take(COMPANION_BYTES_MAX)
                .read_to_end(&mut bytes)
                .is_ok()
            {
                companions.push((ending, bytes));
            }
        }
        companions
    }

    fn records(&self) -> u64 {
        let records = self.table_bytes.checked_div(self.record_bytes);
        records.unwrap_or(0).min(RECORDS_MAX)
    }

    /// The record of this number; `None` where it is damaged, empty where it was never used.
    fn record(&self, source: &mut dyn ReadSeek, number: u64) -> Option<Record> {
        let mut bytes = vec![0; usize::try_from(self.record_bytes).ok()?];
        let at = number.checked_mul(self.record_bytes)?;
        let data = Data::Runs {
            runs: self.table.clone(),
            size: self.table_bytes,
            written: self.table_bytes,
        };
        let mut reader = FileReader {
            source,
            data,
            position: at,
        };
        reader.read_exact(&mut bytes).ok()?;
        self.parse(&mut bytes)
    }

    /// Reads the whole table in order, and shows each record that can be read; counts the others.
    fn each_record(
        &mut self,
        source: &mut dyn ReadSeek,
        show: &mut dyn FnMut(&mut Self, u64, Record),
    ) -> u64 {
        const RECORDS_AT_ONCE: u64 = 256;
        let mut damaged: u64 = 0;
        let mut number = 0;
        while number < self.records() {
            let count = RECORDS_AT_ONCE.min(self.records().saturating_sub(number));
            let wanted = count.saturating_mul(self.record_bytes);
            let mut bytes = vec![0; usize::try_from(wanted).unwrap_or(0)];
            let data = Data::Runs {
                runs: self.table.clone(),
                size: self.table_bytes,
                written: self.table_bytes,
            };
            let mut reader = FileReader {
                source,
                data,
                position: number.saturating_mul(self.record_bytes),
            };
            if reader.read_exact(&mut bytes).is_err() {
                return damaged.saturating_add(self.records().saturating_sub(number));
            }
            let size = usize::try_from(self.record_bytes).unwrap_or(4_096);
            for record in bytes.chunks_exact_mut(size) {
                match self.parse(record) {
                    Some(record) => show(self, number, record),
                    None => damaged = damaged.saturating_add(1),
                }
                number = number.saturating_add(1);
            }
        }
        damaged
    }

    /// The folders, and what continues in other records. The table itself may continue, too.
    fn tree(&mut self, source: &mut dyn ReadSeek) -> Tree {
        let mut tree = Tree::default();
        let damaged = self.each_record(source, &mut |volume, number, record| {
            if let Some(base) = record.base {
                for (name, data) in record.data {
                    let Data::Runs { runs, .. } = data else {
                        continue;
                    };
                    tree.runs = tree.runs.saturating_add(runs.len());
                    if tree.runs > CONTINUED_RUNS_MAX {
                        tree.left_out = true;
                    } else if base == 0 {
                        volume.table.extend(runs);
                        volume.table.sort_by_key(|run| run.from);
                    } else {
                        let parts = tree.continued.entry(base).or_default();
                        parts.push((name, runs));
                    }
                }
                return;
            }
            if !record.directory || !record.in_use {
                return;
            }
            let Some((parent, name)) = record.name else {
                return;
            };
            tree.names_bytes = tree.names_bytes.saturating_add(name.len());
            if tree.folders.len() >= FOLDERS_KEPT_MAX || tree.names_bytes > NAMES_BYTES_MAX {
                tree.left_out = true;
                return;
            }
            tree.folders.insert(number, (parent, name));
        });
        tree.damaged = damaged;
        tree
    }

    /// The files that are offered, in the order of the table, and how many are not.
    fn files(
        &mut self,
        source: &mut dyn ReadSeek,
        tree: &Tree,
        files_max: u64,
    ) -> (Vec<Found>, u64) {
        let mut found = Vec::new();
        let mut passed: u64 = 0;
        self.each_record(source, &mut |_, number, record| {
            if record.base.is_some() || !record.in_use || record.directory {
                return;
            }
            let Some((parent, name)) = &record.name else {
                return;
            };
            let path = tree.path(*parent, name);
            // The journal of changes is a stream beside an empty file.
            let journal = record.data.contains_key("$J").then_some("$J");
            let stream = journal.unwrap_or_default();
            let full = found.len() as u64 > files_max;
            if full || (journal.is_none() && !is_of_interest(&path)) {
                passed = passed.saturating_add(1);
                return;
            }
            let size = record.data.get(stream).map_or(0, Data::size);
            let path = if stream.is_empty() {
                path
            } else {
                format!("{path}:{stream}")
            };
            found.push(Found {
                path,
                record: number,
                stream: stream.to_owned(),
                size,
            });
        });
        (found, passed)
    }

    /// The bytes of a stream, put together from all records that hold parts of it.
    fn data(
        &self,
        source: &mut dyn ReadSeek,
        tree: &Tree,
        number: u64,
        stream: &str,
    ) -> Option<Data> {
        let mut record = self.record(source, number)?;
        let own = record.data.remove(stream);
        let parts = tree.continued.get(&number).into_iter().flatten();
        let more: Vec<Run> = parts
            .filter(|(name, _)| name == stream)
            .flat_map(|(_, runs)| runs.iter().copied())
            .collect();
        match own {
            Some(Data::Runs {
                mut runs,
                mut size,
                mut written,
            }) => {
                runs.extend(more);
                runs.sort_by_key(|run| run.from);
                if stream == "$J" {
                    // Windows gives the oldest part of the journal back to the disk: it is a hole of any size.
                    let hole = runs
                        .iter()
                        .take_while(|run| run.at.is_none())
                        .map(|run| run.bytes)
                        .fold(0, u64::saturating_add);
                    runs.retain(|run| run.from >= hole);
                    for run in &mut runs {
                        run.from = run.from.saturating_sub(hole);
                    }
                    size = size.saturating_sub(hole);
                    written = written.saturating_sub(hole);
                }
                Some(Data::Runs {
                    runs,
                    size,
                    written,
                })
            }
            // All of its parts may stand in other records; the first of them has no size that was kept.
            None if !more.is_empty() => Some(Data::Closed(
                "it is in so many pieces that its size stands in another record, which is not followed",
            )),
            own => own,
        }
    }

    fn parse(&self, bytes: &mut [u8]) -> Option<Record> {
        match bytes.get(..4)? {
            [0, 0, 0, 0] => return Some(Record::default()),
            b"FILE" => {}
            _ => return None,
        }
        restore_sectors(bytes)?;
        let flags = u16_at(bytes, 22)?;
        let mut record = Record {
            in_use: flags & 1 != 0,
            directory: flags & 2 != 0,
            base: Some(u64_at(bytes, 32)?)
                .filter(|base| *base != 0)
                .map(|base| base & NUMBER_MASK),
            ..Record::default()
        };
        let mut at = usize::from(u16_at(bytes, 20)?);
        for _ in 0..ATTRIBUTES_MAX {
            let kind = u32_at(bytes, at)?;
            if kind == u32::MAX {
                return Some(record);
            }
            let length = usize::try_from(u32_at(bytes, at.checked_add(4)?)?).ok()?;
            let attribute = bytes.get(at..at.checked_add(length)?)?;
            if length < 24 {
                return None;
            }
            match kind {
                0x30 => Self::name(attribute, &mut record)?,
                0x80 => self.stream(attribute, &mut record)?,
                _ => {}
            }
            at = at.checked_add(length)?;
        }
        None
    }

    fn name(attribute: &[u8], record: &mut Record) -> Option<()> {
        const DOS: u8 = 2;
        let content = resident(attribute)?;
        let short = *content.get(65)? == DOS;
        if short && record.name.is_some() {
            return Some(());
        }
        let length = usize::from(*content.get(64)?).checked_mul(2)?;
        let name = utf16(content.get(66..66_usize.checked_add(length)?)?);
        record.name = Some((u64_at(content, 0)? & NUMBER_MASK, name));
        Some(())
    }

    fn stream(&self, attribute: &[u8], record: &mut Record) -> Option<()> {
        const COMPRESSED: u16 = 0x00ff;
        const ENCRYPTED: u16 = 0x4000;
        let name_at = usize::from(u16_at(attribute, 10)?);
        let name_bytes = usize::from(*attribute.get(9)?).checked_mul(2)?;
        let name = utf16(attribute.get(name_at..name_at.checked_add(name_bytes)?)?);
        let flags = u16_at(attribute, 12)?;
        let data = if flags & ENCRYPTED != 0 {
            Data::Closed("encrypted by the file system")
        } else if flags & COMPRESSED != 0 {
            Data::Closed(
                "compressed by the file system, which is not expanded; copy the file out on Windows",
            )
        } else if *attribute.get(8)? == 0 {
            Data::Resident(resident(attribute)?.to_vec())
        } else {
            let from = u64_at(attribute, 16)?.checked_mul(self.cluster_bytes)?;
            let runs_at = usize::from(u16_at(attribute, 32)?);
            let runs = self.runs(attribute.get(runs_at..)?, from)?;
            // Only the first part of a stream tells sizes.
            let (size, written) = if from == 0 {
                (u64_at(attribute, 48)?, u64_at(attribute, 56)?)
            } else {
                (0, 0)
            };
            Data::Runs {
                runs,
                size,
                written,
            }
        };
        record.data.insert(name, data);
        Some(())
    }

    /// Where a stream lies: lengths, and places each counted from the one before.
    fn runs(&self, list: &[u8], from: u64) -> Option<Vec<Run>> {
        let mut runs = Vec::new();
        let mut rest = list;
        let mut from = from;
        let mut cluster: i64 = 0;
        while let [head, tail @ ..] = rest {
            if *head == 0 {
                return Some(runs);
            }
            if runs.len() >= RUNS_MAX {
                return None;
            }
            let length_bytes = usize::from(head & 15);
            let place_bytes = usize::from(head >> 4);
            let length = signed(tail.get(..length_bytes)?)?;
            let place = tail.get(length_bytes..length_bytes.checked_add(place_bytes)?)?;
            let bytes = u64::try_from(length)
                .ok()?
                .checked_mul(self.cluster_bytes)?;
            let at = if place.is_empty() {
                None
            } else {
                cluster = cluster.checked_add(signed(place)?)?;
                let at = u64::try_from(cluster)
                    .ok()?
                    .checked_mul(self.cluster_bytes)?;
                Some(at.checked_add(self.start)?)
            };
            runs.push(Run { from, bytes, at });
            from = from.checked_add(bytes)?;
            rest = tail.get(length_bytes.checked_add(place_bytes)?..)?;
        }
        None
    }
}

/// The part of a reference that is a record's number.
const NUMBER_MASK: u64 = (1 << 48) - 1;

impl Tree {
    /// The path of a file, with slashes.
    fn path(&self, parent: u64, name: &str) -> String {
        let mut names = vec![name];
        let mut at = parent;
        for _ in 0..DEPTH_MAX {
            if at == ROOT {
                names.push("");
                names.reverse();
                return names.join("/");
            }
            let Some((parent, name)) = self.folders.get(&at) else {
                break;
            };
            names.push(name);
            at = *parent;
        }
        names.push("/unknown folder");
        names.reverse();
        names.join("/")
    }
}

fn is_of_interest(path: &str) -> bool {
    let lower = path.to_lowercase();
    let name = lower.rsplit('/').next().unwrap_or_default();
    FOLDERS.iter().any(|folder| lower.contains(folder))
        || NAMES.iter().any(|known| name.starts_with(known))
}

/// Puts back the last bytes of each sector of a record, which NTFS keeps in its head to notice a torn write.
fn restore_sectors(bytes: &mut [u8]) -> Option<()> {
    let array = usize::from(u16_at(bytes, 4)?);
    let count = usize::from(u16_at(bytes, 6)?);
    let mark = u16_at(bytes, array)?;
    for sector in 1..count {
        let own = u16_at(bytes, array.checked_add(sector.checked_mul(2)?)?)?;
        let at = sector.checked_mul(512)?.checked_sub(2)?;
        if u16_at(bytes, at)? != mark {
            return None;
        }
        bytes
            .get_mut(at..at.checked_add(2)?)?
            .copy_from_slice(&own.to_le_bytes());
    }
    (count > 0).then_some(())
}

/// The content of an attribute that stands in the record.
fn resident(attribute: &[u8]) -> Option<&[u8]> {
    let length = usize::try_from(u32_at(attribute, 16)?).ok()?;
    let start = usize::from(u16_at(attribute, 20)?);
    attribute.get(start..start.checked_add(length)?)
}

/// A number of up to eight bytes with a sign.
fn signed(bytes: &[u8]) -> Option<i64> {
    let last = *bytes.last()?;
    let fill = if last >= 0x80 { 0xff } else { 0 };
    let mut whole = [fill; 8];
    whole.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(whole))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    String::from_utf16_lossy(&units)
}

/// Reads a stream from where it lies on the disk.
struct FileReader<'a> {
    source: &'a mut dyn ReadSeek,
    data: Data,
    position: u64,
}

impl Read for FileReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = self.data.size().saturating_sub(self.position);
        let room = usize::try_from(room)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let Some(buffer) = buffer.get_mut(..room).filter(|buffer| !buffer.is_empty()) else {
            return Ok(0);
        };
        let (count, at) = match &self.data {
            Data::Closed(_) => return Ok(0),
            Data::Resident(bytes) => {
                let start = usize::try_from(self.position).unwrap_or(usize::MAX);
                let rest = bytes.get(start..).unwrap_or_default();
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                self.position = self.position.saturating_add(count as u64);
                return Ok(count);
            }
            Data::Runs { runs, written, .. } => {
                let after = runs.partition_point(|run| run.from <= self.position);
                let run = after.checked_sub(1).and_then(|before| runs.get(before));
                let inside = run.and_then(|run| {
                    let within = self.position.checked_sub(run.from)?;
                    let left = run.bytes.checked_sub(within).filter(|left| *left > 0)?;
                    Some((left, run.at.and_then(|at| at.checked_add(within))))
                });
                let Some((left, at)) = inside else {
                    let error = "the file lies in a place that the table does not name";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                };
                let unwritten = written.saturating_sub(self.position);
                if unwritten == 0 {
                    (left, None)
                } else {
                    (left.min(unwritten), at)
                }
            }
        };
        let count = usize::try_from(count)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let part = &mut buffer[..count];
        match at {
            Some(at) => {
                if read_at(self.source, at, part)? < count {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                }
            }
            None => part.fill(0),
        }
        self.position = self.position.saturating_add(count as u64);
        Ok(count)
    }
}

impl Seek for FileReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = target(to, self.position, self.data.size())?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::arithmetic_side_effects,
        clippy::needless_raw_string_hashes,
        reason = "numbers of this test's own, and texts written by expect-test"
    )]

    use crate::{Content, Decision, Digest, Entry, Options, Visitor, walk_bytes};
    use expect_test::expect;
    use std::fmt::Write as _;

    const CLUSTER: usize = 1_024;
    const TABLE_AT: usize = 4;

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn attribute(kind: u32, content: &[u8]) -> Vec<u8> {
        let length = (24 + content.len()).next_multiple_of(8);
        let mut bytes = kind.to_le_bytes().to_vec();
        bytes.extend(u32::try_from(length).unwrap().to_le_bytes());
        bytes.extend([0, 0, 24, 0, 0, 0, 0, 0]);
        bytes.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
        bytes.extend([24, 0, 0, 0]);
        bytes.extend(content);
        bytes.resize(length, 0);
        bytes
    }

    fn name(parent: u64, name: &str) -> Vec<u8> {
        let mut content = parent.to_le_bytes().to_vec();
        content.resize(64, 0);
        content.extend([u8::try_from(name.encode_utf16().count()).unwrap(), 1]);
        content.extend(wide(name));
        attribute(0x30, &content)
    }

    /// A stream that lies in these clusters (count, place; no place is a hole), from a cluster of the stream on.
    fn runs(from: u64, runs: &[(u8, Option<i8>)], size: u64, written: u64) -> Vec<u8> {
        let mut list = Vec::new();
        for (count, place) in runs {
            match place {
                Some(place) => list.extend([0x11, *count, place.cast_unsigned()]),
                None => list.extend([0x01, *count]),
            }
        }
        list.push(0);
        let length = (64 + list.len()).next_multiple_of(8);
        let mut bytes = 0x80_u32.to_le_bytes().to_vec();
        bytes.extend(u32::try_from(length).unwrap().to_le_bytes());
        bytes.extend([1, 0, 64, 0, 0, 0, 0, 0]);
        bytes.extend(from.to_le_bytes());
        bytes.resize(32, 0);
        bytes.extend([64, 0]);
        bytes.resize(48, 0);
        bytes.extend(size.to_le_bytes());
        bytes.extend(written.to_le_bytes());
        bytes.extend(list);
        bytes.resize(length, 0);
        bytes
    }

    fn record(flags: u16, base: u64, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = b"FILE".to_vec();
        bytes.extend([48, 0, 3, 0]);
        bytes.resize(20, 0);
        bytes.extend([56, 0]);
        bytes.extend(flags.to_le_bytes());
        bytes.resize(32, 0);
        bytes.extend(base.to_le_bytes());
        bytes.resize(56, 0);
        for attribute in attributes {
            bytes.extend(attribute);
        }
        bytes.extend([0xff; 4]);
        bytes.resize(1_024, 0);
        bytes[48..50].copy_from_slice(&[7, 0]);
        for sector in [1, 2] {
            let at = sector * 512 - 2;
            let own = [bytes[at], bytes[at + 1]];
            bytes[48 + sector * 2..50 + sector * 2].copy_from_slice(&own);
            bytes[at..at + 2].copy_from_slice(&[7, 0]);
        }
        bytes
    }

    /// A volume whose log lies in two pieces, the second named by another record.
    fn volume() -> Vec<u8> {
        let mut records = vec![vec![0; 1_024]; 16];
        let table = runs(0, &[(16, Some(4))], 16 * 1_024, 16 * 1_024);
        records[0] = record(1, 0, &[name(5, "$MFT"), table]);
        records[5] = record(3, 0, &[name(5, ".")]);
        records[6] = record(3, 0, &[name(5, "Windows")]);
        records[7] = record(3, 0, &[name(6, "System32")]);
        records[8] = record(3, 0, &[name(7, "config")]);
        let first = runs(0, &[(1, Some(40)), (1, None)], 3_000, 2_500);
        records[9] = record(1, 0, &[name(8, "SYSTEM"), first]);
        let second = runs(2, &[(1, Some(50))], 0, 0);
        records[10] = record(1, 9 | 1 << 48, &[second]);
        let log = attribute(0x80, b"log");
        records[11] = record(1, 0, &[name(8, "SYSTEM.LOG1"), log]);
        records[12] = record(1, 0, &[name(5, "holiday.jpg"), attribute(0x80, b"x")]);
        // Deleted.
        records[13] = record(0, 0, &[name(8, "SECURITY"), attribute(0x80, b"x")]);
        let mut closed = runs(0, &[(1, Some(60))], 10, 10);
        closed[12] = 1;
        records[14] = record(1, 0, &[name(8, "SAM"), closed]);
        let mut bytes = vec![0; TABLE_AT * CLUSTER];
        bytes[3..11].copy_from_slice(b"NTFS    ");
        bytes[11..13].copy_from_slice(&[0, 2]);
        bytes[13] = 2;
        bytes[48] = 4;
        bytes[64] = 1;
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        bytes.extend(records.concat());
        bytes.resize(64 * CLUSTER, 0);
        bytes[40 * CLUSTER..41 * CLUSTER].fill(b'a');
        bytes[50 * CLUSTER..51 * CLUSTER].fill(b'b');
        bytes
    }

    #[derive(Default)]
    struct Told(String);

    impl Visitor for Told {
        fn begin(&mut self, _entry: &Entry) -> Decision {
            Decision::Read
        }

        fn content(&mut self, entry: &Entry, content: &mut dyn Content) {
            let mut bytes = Vec::new();
            content.stream().read_to_end(&mut bytes).unwrap_or(0);
            let runs = bytes.chunk_by(|a, b| a == b);
            let shown: Vec<String> = runs
                .map(|run| format!("{}x{:02x}", run.len(), run[0]))
                .take(5)
                .collect();
            let beside = content.companion(".LOG1").map(|log| log.len());
            let _infallible = writeln!(self.0, "{} {} {beside:?}", entry.path, shown.join(" "));
        }

        fn end(&mut self, _entry: &Entry, _digest: &Digest) {}

        fn gap(&mut self, path: &str, kind: model::GapKind, detail: &str) {
            let _infallible = writeln!(self.0, "gap {} {path}: {detail}", kind.name());
        }
    }

    fn told(bytes: Vec<u8>) -> String {
        let mut told = Told::default();
        walk_bytes("disk.raw", bytes, &Options::default(), &mut told);
        told.0
    }

    #[test]
    fn files_of_a_volume_are_entries_with_their_paths() {
        expect![[r#"
            gap missing : 1 files of the image that lie where no evidence is looked for were not read; extract them to have them looked at
            C:\$MFT 1x46 1x49 1x4c 1x45 1x30 None
            C:\Windows\System32\config\SYSTEM 1024x61 1024x00 452x62 500x00 Some(3)
            C:\Windows\System32\config\SYSTEM.LOG1 1x6c 1x6f 1x67 None
            gap unreadable C:\Windows\System32\config\SAM: compressed by the file system, which is not expanded; copy the file out on Windows
        "#]].assert_eq(&told(volume()));
    }

    #[test]
    fn volumes_are_found_by_both_kinds_of_partition_tables() {
        let mut mbr = vec![0; 2_048];
        mbr[446 + 4] = 7;
        mbr[446 + 8] = 4;
        mbr[510..512].copy_from_slice(&[0x55, 0xaa]);
        mbr.extend(volume());
        assert_eq!(told(mbr), told(volume()));
        let mut gpt = vec![0; 4_096];
        gpt[510..512].copy_from_slice(&[0x55, 0xaa]);
        gpt[512..520].copy_from_slice(b"EFI PART");
        let data = [
            0xa2, 0xa0, 0xd0, 0xeb, 0xe5, 0xb9, 0x33, 0x44, 0x87, 0xc0, 0x68, 0xb6, 0xb7, 0x26,
            0x99, 0xc7,
        ];
        gpt[1_024..1_040].copy_from_slice(&data);
        gpt[1_056] = 8;
        gpt[1_152..1_168].copy_from_slice(&data);
        gpt[1_184] = 2;
        gpt.extend(volume());
        expect![[r#"
            gap missing : 1 files of the image that lie where no evidence is looked for were not read; extract them to have them looked at
            C:\$MFT 1x46 1x49 1x4c 1x45 1x30 None
            C:\Windows\System32\config\SYSTEM 1024x61 1024x00 452x62 500x00 Some(3)
            C:\Windows\System32\config\SYSTEM.LOG1 1x6c 1x6f 1x67 None
            gap unreadable C:\Windows\System32\config\SAM: compressed by the file system, which is not expanded; copy the file out on Windows
            gap not_understood : partition 2 of the disk was not read: it holds no NTFS
        "#]].assert_eq(&told(gpt));
    }

    #[test]
    fn a_damaged_volume_gives_what_can_be_read() {
        let mut bytes = volume();
        // A torn record, one that is none, and a hive that lies behind the end of the disk in part.
        bytes[(TABLE_AT + 11) * CLUSTER + 510] ^= 1;
        bytes[(TABLE_AT + 12) * CLUSTER] = b'x';
        bytes.truncate(45 * CLUSTER);
        expect![[r#"
            gap partial : the table of files of an NTFS volume is damaged or too large: 2 records could not be read
            C:\$MFT 1x46 1x49 1x4c 1x45 1x30 None
            C:\Windows\System32\config\SYSTEM 1024x61 1024x00 None
            gap partial C:\Windows\System32\config\SYSTEM: cannot be read: unexpected end of file
            gap unreadable C:\Windows\System32\config\SAM: compressed by the file system, which is not expanded; copy the file out on Windows
        "#]].assert_eq(&told(bytes));
        // A boot sector alone is a file like any other.
        let boot = told(volume()[..8_192].to_vec());
        assert!(
            boot.starts_with("disk.raw ") && !boot.contains("gap"),
            "{boot}"
        );
        let mut bytes = volume();
        bytes[13] = 0;
        expect![[r#"
            gap not_understood : partition 1 of the disk was not read: its boot sector is damaged
        "#]]
        .assert_eq(&told(bytes));
        let mut bytes = volume();
        bytes[48] = 200;
        expect![[r#"
            gap not_understood : partition 1 of the disk was not read: its table is damaged
        "#]]
        .assert_eq(&told(bytes));
    }
}
