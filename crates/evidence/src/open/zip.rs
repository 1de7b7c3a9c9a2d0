//! Zip archives ([APPNOTE](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT)), ZIP64 and encrypted ones too.
//!
//! The central directory is read here, one entry at a time, so that no directory is too long for memory and an
//! archive without one can still be read from its local headers. Each member is then handed to the crate `zip`
//! as an archive of its own ([`Image`]): its bytes, followed by a directory of one entry.

use crate::collector::{
    COLLECTOR_RECORD_BYTES_MAX, DATA_NAME, METADATA_NAME, UPLOADS_NAME, original_paths,
};
use crate::content::{COMPANION_BYTES_MAX, COMPANIONS, Content as _, ReadSeek};
use crate::item::{Budget, CHUNK_BYTES, Fault, Item as _, Spool, length, target};
use crate::walk::{Admission, Admitted, Offered, Scope, Walker};
use memchr::memmem;
use model::GapKind;
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;
use zip::read::{ArchiveOffset, Config};
use zip::result::ZipError;
use zip::{ZipArchive, ZipReadOptions};

const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
const DIRECTORY_HEADER: [u8; 4] = *b"PK\x01\x02";
const DIRECTORY_END: [u8; 4] = *b"PK\x05\x06";
const DIRECTORY_END_64: [u8; 4] = *b"PK\x06\x06";
const DIRECTORY_END_64_LOCATOR: [u8; 4] = *b"PK\x06\x07";
const DATA_DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";

const LOCAL_HEADER_BYTES: u64 = 30;
const DIRECTORY_HEADER_BYTES: u64 = 46;
const DIRECTORY_END_BYTES: u64 = 22;

/// The end record and the longest comment that may follow it.
const DIRECTORY_END_SEARCH_BYTES: u64 = DIRECTORY_END_BYTES + 65_535;

/// The end record counts entries in 16 bits.
const DIRECTORY_END_ENTRIES: u64 = 1 << 16;

/// End records that are tried, as each costs a read.
const DIRECTORY_END_CANDIDATES_MAX: usize = 16;

/// Bytes of the archive kept in memory while the directory is read.
const WINDOW_BYTES: u64 = 64 * 1024;

const FLAG_ENCRYPTED: u16 = 1;
const FLAG_DATA_DESCRIPTOR: u16 = 1 << 3;
const FLAG_UTF8: u16 = 1 << 11;
const METHOD_STORED: u16 = 0;
const METHOD_DEFLATE: u16 = 8;
const METHOD_DEFLATE_64: u16 = 9;
const METHOD_LZMA: u16 = 14;

/// One Deflate symbol of at least two bits stands for at most 258 bytes; Deflate64's for 64 KiB.
const DEFLATE_RATIO_MAX: u64 = 1032;
const DEFLATE_64_RATIO_MAX: u64 = 262_144;
const EXTRA_ZIP64: u16 = 1;
const SIZE_IN_EXTRA: u64 = 0xffff_ffff;

/// Walks the members in the order of the central directory, or of their local headers where there is none.
pub(crate) fn walk(walker: &mut Walker<'_>, scope: &Scope, source: &mut dyn ReadSeek) {
    let mut archive = match Window::new(source) {
        Ok(archive) => archive,
        Err(error) => return walker.unreadable(scope.path(), &error),
    };
    let Some(directory) = Directory::find(&mut archive) else {
        return walk_local_headers(walker, scope, &mut archive);
    };
    let mut beside = Companions::new();
    if scope.is_collection() {
        let survey = Survey::of(&mut archive, directory.clone());
        if let Some(data) = survey.protected_container().filter(|_| !scope.wrapped) {
            return walk_protected(walker, scope, &mut archive, &data);
        }
        if let Some(uploads) = &survey.uploads {
            walker.original_paths = read_uploads(walker, &mut archive, uploads);
        }
        beside = survey.companions;
    }
    walk_directory(walker, scope, &mut archive, directory, &beside);
}

/// What the names of a collection's members say about its collector.
#[derive(Default)]
struct Survey {
    members: u64,
    uploads: Option<Member>,
    metadata: bool,
    data: Option<Member>,
    companions: Companions,
}

/// Members that belong to another one, by their name in lower case.
type Companions = BTreeMap<Vec<u8>, Member>;

/// Far more than the hives of a host with many users have; stops a directory of nothing else.
const COMPANIONS_MAX: usize = 4_096;

impl Survey {
    fn of(archive: &mut Window<'_>, mut directory: Directory) -> Self {
        let mut survey = Self::default();
        while let Some(member) = directory.next(archive) {
            survey.members = survey.members.saturating_add(1);
            let name = member.name.as_slice();
            if name == UPLOADS_NAME.as_bytes() {
                survey.uploads = Some(member);
            } else if name == DATA_NAME.as_bytes() {
                survey.data = Some(member);
            } else if name == METADATA_NAME.as_bytes() {
                survey.metadata = true;
            } else if survey.companions.len() < COMPANIONS_MAX {
                let name = name.to_ascii_lowercase();
                let belongs =
                    |ending: &&str| name.ends_with(ending.to_ascii_lowercase().as_bytes());
                if COMPANIONS.iter().any(belongs) {
                    survey.companions.insert(name, member);
                }
            }
        }
        survey
    }

    /// The container inside, where Velociraptor locked one up: its names would show otherwise.
    fn protected_container(&self) -> Option<Member> {
        let alone = self.members == 1 || (self.members == 2 && self.metadata);
        self.data.clone().filter(|_| alone)
    }
}

/// Walks the container inside a protected one as if it were the collection, as to its collector it is.
fn walk_protected(walker: &mut Walker<'_>, scope: &Scope, archive: &mut Window<'_>, data: &Member) {
    let limits = walker.limits.clone();
    let budget = Budget::new(&limits);
    let outcome = open(walker, archive, data, |walker, source| {
        let mut inner = Spool::new(source, data.size, Some(data.stored_bytes), &limits, budget);
        let finished = inner.finish(true);
        if let Some(Fault::Damaged(detail) | Fault::Limit(detail)) = finished.fault {
            walker.gap(DATA_NAME, GapKind::Partial, &detail);
        }
        match inner.seekable() {
            Ok(mut source) => walk(walker, &scope.inside_wrapper(), &mut *source),
            Err(error) => walker.unreadable(DATA_NAME, &error),
        }
    });
    if let Err((kind, detail)) = outcome {
        walker.gap(DATA_NAME, kind, &detail);
    }
}

fn walk_directory(
    walker: &mut Walker<'_>,
    scope: &Scope,
    archive: &mut Window<'_>,
    mut directory: Directory,
    beside: &Companions,
) {
    let mut index = 0;
    while let Some(member) = directory.next(archive) {
        if member.is_folder() {
            continue;
        }
        if !offer(walker, scope, archive, &member, index, beside) {
            return;
        }
        index = index.saturating_add(1);
    }
    // Without ZIP64 the count wraps around.
    let counted = directory.read == directory.entries
        || directory.entries == directory.read % DIRECTORY_END_ENTRIES;
    if !counted {
        let detail = format!(
            "the central directory names {} members and holds {}",
            directory.entries, directory.read
        );
        walker.gap(scope.path(), GapKind::Partial, &detail);
    }
}

/// Reads an archive that was cut off, or whose directory is damaged, from the headers before each member.
fn walk_local_headers(walker: &mut Walker<'_>, scope: &Scope, archive: &mut Window<'_>) {
    walker.gap(
        scope.path(),
        GapKind::Partial,
        "the zip archive has no central directory (cut off or damaged); members were read as far as their own headers go",
    );
    let mut at = 0;
    let mut index = 0;
    while let Some(found) = archive.find(LOCAL_HEADER, at) {
        at = match Member::from_local_header(archive, found) {
            Some(member) => {
                if !member.is_folder() {
                    if !offer(walker, scope, archive, &member, index, &Companions::new()) {
                        return;
                    }
                    index = index.saturating_add(1);
                }
                member.data_end().max(found.saturating_add(1))
            }
            None => found.saturating_add(1),
        };
    }
}

/// Offers one member. False where no more entries are taken.
fn offer(
    walker: &mut Walker<'_>,
    scope: &Scope,
    archive: &mut Window<'_>,
    member: &Member,
    index: u64,
    beside: &Companions,
) -> bool {
    let name = member.decoded_name();
    let offered = Offered {
        index,
        name: &name,
        size: member.size,
        modified: crate::times::of_zip(member.time, &member.extra),
        stored_bytes: Some(member.stored_bytes),
        expands_to_max: member.expands_to_max(),
    };
    match walker.admit(scope, &offered) {
        Admission::Read(admitted) => read(walker, &admitted, archive, member, beside),
        Admission::Skip | Admission::Refused => {}
        Admission::Stop => return false,
    }
    true
}

fn read(
    walker: &mut Walker<'_>,
    admitted: &Admitted,
    archive: &mut Window<'_>,
    member: &Member,
    beside: &Companions,
) {
    let path = &admitted.entry.path;
    let companions = companions(walker, archive, member, beside);
    let outcome = open(walker, archive, member, |walker, source| {
        let mut spool = Spool::new(
            source,
            member.size,
            Some(member.stored_bytes),
            &walker.limits,
            Rc::clone(&admitted.budget),
        )
        .with_companions(companions);
        walker.read(admitted, &mut spool);
    });
    match outcome {
        Err((kind, detail)) => walker.gap(path, kind, &detail),
        Ok(()) if member.cut_off => {
            let detail = "the archive ends before this member does, or does not say where it ends";
            walker.gap(path, GapKind::Partial, detail);
        }
        Ok(()) => {}
    }
}

/// Reads the members that belong to this one. Those that cannot be read come up as entries of their own.
fn companions(
    walker: &mut Walker<'_>,
    archive: &mut Window<'_>,
    member: &Member,
    beside: &Companions,
) -> Vec<(&'static str, Vec<u8>)> {
    let mut found = Vec::new();
    if beside.is_empty() {
        return found;
    }
    for ending in COMPANIONS {
        let mut name = member.name.to_ascii_lowercase();
        name.extend_from_slice(ending.to_ascii_lowercase().as_bytes());
        let Some(companion) = beside.get(&name) else {
            continue;
        };
        let mut bytes = Vec::new();
        let outcome = open(walker, archive, companion, |_, source| {
            let read = source
                .take(COMPANION_BYTES_MAX.saturating_add(1))
                .read_to_end(&mut bytes);
            read.is_ok_and(|count| count as u64 <= COMPANION_BYTES_MAX)
        });
        if matches!(outcome, Ok(true)) {
            found.push((ending, bytes));
        }
    }
    found
}

/// What Velociraptor's list of uploads says about original paths. A list that cannot be read says nothing, and comes
/// up as an entry that cannot be read.
fn read_uploads(
    walker: &mut Walker<'_>,
    archive: &mut Window<'_>,
    uploads: &Member,
) -> BTreeMap<String, String> {
    let mut bytes = Vec::new();
    let outcome = open(walker, archive, uploads, |_, source| {
        source
            .take(COLLECTOR_RECORD_BYTES_MAX)
            .read_to_end(&mut bytes)
            .is_ok()
    });
    match outcome {
        Ok(true) => original_paths(&bytes),
        Ok(false) | Err(_) => BTreeMap::new(),
    }
}

/// Opens one member and gives its plain bytes to `use_bytes`. Fails with the gap that the member becomes.
fn open<T>(
    walker: &mut Walker<'_>,
    archive: &mut Window<'_>,
    member: &Member,
    use_bytes: impl FnOnce(&mut Walker<'_>, Box<dyn Read + '_>) -> T,
) -> Result<T, (GapKind, String)> {
    let encrypted = member.flags & FLAG_ENCRYPTED != 0;
    let password = walker.password.clone().filter(|_| encrypted);
    if encrypted && password.is_none() {
        let detail = "encrypted, and no password was given";
        return Err((GapKind::Unreadable, detail.to_owned()));
    }
    check_decoder_memory(walker, archive, member)?;
    let image = Image::new(archive, member)
        .map_err(|error| (GapKind::Unreadable, format!("cannot be read: {error}")))?;
    let config = Config {
        archive_offset: ArchiveOffset::Known(0),
    };
    let mut single = ZipArchive::with_config(config, image).map_err(|error| told(&error))?;
    let options = ZipReadOptions::new().password(password.as_deref().map(str::as_bytes));
    let file = single
        .by_index_with_options(0, options)
        .map_err(|error| told(&error))?;
    Ok(use_bytes(walker, Box::new(file)))
}

/// The gap that an error of the crate becomes.
fn told(error: &ZipError) -> (GapKind, String) {
    let detail = match error {
        ZipError::InvalidPassword => "encrypted, and the given password is wrong".to_owned(),
        other => format!("cannot be read: {other}"),
    };
    (GapKind::Unreadable, detail)
}

/// LZMA members name the size of the dictionary that decoding allocates.
fn check_decoder_memory(
    walker: &Walker<'_>,
    archive: &mut Window<'_>,
    member: &Member,
) -> Result<(), (GapKind, String)> {
    if member.method != METHOD_LZMA || member.flags & FLAG_ENCRYPTED != 0 {
        return Ok(());
    }
    // Version, size of the properties, the property byte, then the dictionary's size.
    let dictionary = member
        .data_start
        .checked_add(5)
        .and_then(|at| archive.bytes(at, 4))
        .and_then(|bytes| u32_at(bytes, 0))
        .map_or(0, u64::from);
    if dictionary > walker.limits.decoder_memory_bytes {
        let detail = format!("its decoder wants {dictionary} bytes of memory, more than the bound");
        return Err((GapKind::Limit, detail));
    }
    Ok(())
}

/// A reader of the archive that keeps a stretch of it.
struct Window<'s> {
    source: &'s mut dyn ReadSeek,
    size: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<'s> Window<'s> {
    fn new(source: &'s mut dyn ReadSeek) -> io::Result<Self> {
        let size = source.seek(SeekFrom::End(0))?;
        Ok(Self {
            source,
            size,
            start: 0,
            bytes: Vec::new(),
        })
    }

    /// `count` bytes at `at`; `None` where the archive ends before or cannot be read. At most [`WINDOW_BYTES`].
    fn bytes(&mut self, at: u64, count: u64) -> Option<&[u8]> {
        let end = at.checked_add(count)?;
        if end > self.size || count > WINDOW_BYTES {
            return None;
        }
        if at < self.start || end > self.start.checked_add(length(&self.bytes))? {
            let stretch = WINDOW_BYTES.max(count).min(self.size.checked_sub(at)?);
            self.source.seek(SeekFrom::Start(at)).ok()?;
            self.bytes.clear();
            self.start = at;
            (&mut *self.source)
                .take(stretch)
                .read_to_end(&mut self.bytes)
                .ok()?;
        }
        let from = usize::try_from(at.checked_sub(self.start)?).ok()?;
        let until = from.checked_add(usize::try_from(count).ok()?)?;
        self.bytes.get(from..until)
    }

    /// The first place at or after `at` where this signature stands.
    fn find(&mut self, signature: [u8; 4], at: u64) -> Option<u64> {
        let mut from = at;
        loop {
            let count = WINDOW_BYTES.min(self.size.checked_sub(from)?);
            let stretch = self.bytes(from, count)?;
            if let Some(found) = memmem::find(stretch, &signature) {
                return from.checked_add(u64::try_from(found).ok()?);
            }
            // A signature may lie across two stretches.
            let step = count.checked_sub(3).filter(|step| *step > 0)?;
            from = from.checked_add(step)?;
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let field = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(field.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(field.try_into().ok()?))
}

/// The central directory, read entry by entry.
#[derive(Clone)]
struct Directory {
    /// Where the next entry stands.
    at: u64,
    /// Where the end record stands.
    end: u64,
    /// Entries as the end record counts them.
    entries: u64,
    read: u64,
    /// Bytes before the archive proper, such as those of a self-extracting program.
    shift: u64,
}

impl Directory {
    fn find(archive: &mut Window<'_>) -> Option<Self> {
        let tail_bytes = DIRECTORY_END_SEARCH_BYTES.min(archive.size);
        let tail_start = archive.size.checked_sub(tail_bytes)?;
        let mut tail = Vec::new();
        archive.source.seek(SeekFrom::Start(tail_start)).ok()?;
        (&mut *archive.source)
            .take(tail_bytes)
            .read_to_end(&mut tail)
            .ok()?;
        // A comment may hold the signature as well: the last record that leads to a directory counts.
        memmem::rfind_iter(&tail, &DIRECTORY_END)
            .take(DIRECTORY_END_CANDIDATES_MAX)
            .find_map(|found| {
                let at = tail_start.checked_add(u64::try_from(found).ok()?)?;
                Self::from_end_record(archive, at)
            })
    }

    fn from_end_record(archive: &mut Window<'_>, at: u64) -> Option<Self> {
        let record = archive.bytes(at, DIRECTORY_END_BYTES)?;
        let mut end = at;
        let mut entries = u64::from(u16_at(record, 10)?);
        let mut size = u64::from(u32_at(record, 12)?);
        let mut offset = u64::from(u32_at(record, 16)?);
        if let Some(end_64) = Self::end_record_64(archive, at) {
            let record = archive.bytes(end_64, 56)?;
            entries = u64_at(record, 32)?;
            size = u64_at(record, 40)?;
            offset = u64_at(record, 48)?;
            end = end_64;
        }
        // The directory lies right before its end record; what it says of its place tells what stands before it all.
        let before_end = end.checked_sub(size);
        for start in [before_end, Some(offset)].into_iter().flatten() {
            let directory = Self {
                at: start,
                end,
                entries,
                read: 0,
                shift: start.saturating_sub(offset),
            };
            let signature = archive.bytes(start, 4);
            if start <= end && (entries == 0 || signature == Some(&DIRECTORY_HEADER)) {
                return Some(directory);
            }
        }
        None
    }

    /// Where the ZIP64 end record stands, if there is one. Its own offset may be off, so the place before the locator
    /// is tried as well.
    fn end_record_64(archive: &mut Window<'_>, end: u64) -> Option<u64> {
        let locator_at = end.checked_sub(20)?;
        let locator = archive.bytes(locator_at, 20)?;
        if !locator.starts_with(&DIRECTORY_END_64_LOCATOR) {
            return None;
        }
        let stated = u64_at(locator, 8)?;
        [Some(stated), locator_at.checked_sub(56)]
            .into_iter()
            .flatten()
            .find(|at| archive.bytes(*at, 4) == Some(&DIRECTORY_END_64))
    }

    fn next(&mut self, archive: &mut Window<'_>) -> Option<Member> {
        let header_end = self.at.checked_add(DIRECTORY_HEADER_BYTES)?;
        if header_end > self.end {
            return None;
        }
        let header = archive.bytes(self.at, DIRECTORY_HEADER_BYTES)?.to_vec();
        if !header.starts_with(&DIRECTORY_HEADER) {
            return None;
        }
        let name_bytes = u64::from(u16_at(&header, 28)?);
        let extra_bytes = u64::from(u16_at(&header, 30)?);
        let comment_bytes = u64::from(u16_at(&header, 32)?);
        let name = archive.bytes(header_end, name_bytes)?.to_vec();
        let extra_start = header_end.checked_add(name_bytes)?;
        let extra = archive.bytes(extra_start, extra_bytes)?.to_vec();
        self.at = extra_start
            .checked_add(extra_bytes)?
            .checked_add(comment_bytes)?;
        let member = Member::from_directory(archive, self.shift, &header, name, &extra)?;
        self.read = self.read.saturating_add(1);
        Some(member)
    }
}

/// One member, by its directory entry or its local header.
#[derive(Clone)]
struct Member {
    name: Vec<u8>,
    flags: u16,
    method: u16,
    /// Time and date, on which the weaker encryption's check of the password may rest.
    time: [u8; 4],
    crc32: u32,
    size: Option<u64>,
    stored_bytes: u64,
    header_at: u64,
    data_start: u64,
    /// Whether the end of its bytes is not there or not known.
    cut_off: bool,
    external_attributes: [u8; 4],
    /// Extra fields but for ZIP64's, which is written anew.
    extra: Vec<u8>,
}

impl Member {
    fn from_directory(
        archive: &mut Window<'_>,
        shift: u64,
        header: &[u8],
        name: Vec<u8>,
        extra: &[u8],
    ) -> Option<Self> {
        let mut size = u64::from(u32_at(header, 24)?);
        let mut stored_bytes = u64::from(u32_at(header, 20)?);
        let mut header_at = u64::from(u32_at(header, 42)?);
        let (zip64, extra) = split_extra(extra);
        // The ZIP64 field holds only those values that did not fit, in this order.
        let mut at = 0;
        for value in [&mut size, &mut stored_bytes, &mut header_at] {
            if *value == SIZE_IN_EXTRA
                && let Some(large) = u64_at(&zip64, at)
            {
                *value = large;
                at = at.saturating_add(8);
            }
        }
        let header_at = header_at.saturating_add(shift);
        let data_start = data_start(archive, header_at).unwrap_or(u64::MAX);
        let cut_off = data_start.saturating_add(stored_bytes) > archive.size;
        Some(Self {
            name,
            flags: u16_at(header, 8)?,
            method: u16_at(header, 10)?,
            time: header.get(12..16)?.try_into().ok()?,
            crc32: u32_at(header, 16)?,
            size: Some(size),
            stored_bytes,
            header_at,
            data_start,
            cut_off,
            external_attributes: header.get(38..42)?.try_into().ok()?,
            extra,
        })
    }

    fn from_local_header(archive: &mut Window<'_>, header_at: u64) -> Option<Self> {
        let header = archive.bytes(header_at, LOCAL_HEADER_BYTES)?.to_vec();
        let name_at = header_at.checked_add(LOCAL_HEADER_BYTES)?;
        let name_bytes = u64::from(u16_at(&header, 26)?);
        let extra_bytes = u64::from(u16_at(&header, 28)?);
        let name = archive.bytes(name_at, name_bytes)?.to_vec();
        let extra_at = name_at.checked_add(name_bytes)?;
        let extra = archive.bytes(extra_at, extra_bytes)?.to_vec();
        let (zip64, extra) = split_extra(&extra);
        let mut size = u64::from(u32_at(&header, 22)?);
        let mut stored_bytes = u64::from(u32_at(&header, 18)?);
        if size == SIZE_IN_EXTRA || stored_bytes == SIZE_IN_EXTRA {
            size = u64_at(&zip64, 0).unwrap_or(size);
            stored_bytes = u64_at(&zip64, 8).unwrap_or(stored_bytes);
        }
        let mut member = Self {
            name,
            flags: u16_at(&header, 6)?,
            method: u16_at(&header, 8)?,
            time: header.get(10..14)?.try_into().ok()?,
            crc32: u32_at(&header, 14)?,
            size: Some(size),
            stored_bytes,
            header_at,
            data_start: extra_at.checked_add(extra_bytes)?,
            cut_off: false,
            external_attributes: [0; 4],
            extra,
        };
        if member.flags & FLAG_DATA_DESCRIPTOR != 0 && member.stored_bytes == 0 {
            member.end_at_descriptor(archive, !zip64.is_empty());
        }
        let rest = archive.size.saturating_sub(member.data_start);
        if member.stored_bytes > rest {
            member.stored_bytes = rest;
            member.cut_off = true;
        }
        Some(member)
    }

    /// Sizes stand behind the data: looks for the record that states the distance it stands at.
    fn end_at_descriptor(&mut self, archive: &mut Window<'_>, zip64: bool) {
        let mut at = self.data_start;
        while let Some(found) = archive.find(DATA_DESCRIPTOR, at) {
            let distance = found.saturating_sub(self.data_start);
            if let Some((crc32, stored_bytes, size)) = descriptor(archive, found, zip64)
                && stored_bytes == distance
            {
                self.crc32 = crc32;
                self.size = Some(size);
                self.stored_bytes = distance;
                return;
            }
            at = found.saturating_add(1);
        }
        self.size = None;
        self.stored_bytes = archive.size.saturating_sub(self.data_start);
        self.cut_off = true;
    }

    fn data_end(&self) -> u64 {
        self.data_start.saturating_add(self.stored_bytes)
    }

    /// A directory may lie about sizes, but no method can give more than its own ratio.
    fn expands_to_max(&self) -> u64 {
        let ratio = match self.method {
            METHOD_STORED => 1,
            METHOD_DEFLATE => DEFLATE_RATIO_MAX,
            METHOD_DEFLATE_64 => DEFLATE_64_RATIO_MAX,
            _ => u64::MAX,
        };
        self.stored_bytes.saturating_mul(ratio)
    }

    fn is_folder(&self) -> bool {
        matches!(self.name.last(), Some(b'/' | b'\\')) && self.size.unwrap_or(0) == 0
    }

    /// UTF-8 where it is, whatever the flag says, as collectors often forget it; else the code page of DOS.
    fn decoded_name(&self) -> String {
        match std::str::from_utf8(&self.name) {
            Ok(name) => name.to_owned(),
            Err(_) if self.flags & FLAG_UTF8 != 0 => {
                String::from_utf8_lossy(&self.name).into_owned()
            }
            Err(_) => self.name.iter().map(|byte| code_page_437(*byte)).collect(),
        }
    }

    /// The directory of an archive that holds only this member, at its start.
    fn directory(&self, data_bytes: u64) -> Option<Vec<u8>> {
        let name_bytes = u16::try_from(self.name.len()).ok()?;
        let extra_bytes = u16::try_from(self.extra.len().checked_add(20)?).ok()?;
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(&DIRECTORY_HEADER);
        out.extend_from_slice(&45u16.to_le_bytes());
        out.extend_from_slice(&45u16.to_le_bytes());
        out.extend_from_slice(&self.flags.to_le_bytes());
        out.extend_from_slice(&self.method.to_le_bytes());
        out.extend_from_slice(&self.time);
        out.extend_from_slice(&self.crc32.to_le_bytes());
        // Sizes always go to the ZIP64 field, so that there is one form only.
        out.extend_from_slice(&[0xff; 8]);
        out.extend_from_slice(&name_bytes.to_le_bytes());
        out.extend_from_slice(&extra_bytes.to_le_bytes());
        // No comment, first disk, no internal attributes.
        out.extend_from_slice(&[0; 6]);
        out.extend_from_slice(&self.external_attributes);
        // The member's header stands at the start.
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.name);
        out.extend_from_slice(&EXTRA_ZIP64.to_le_bytes());
        out.extend_from_slice(&16u16.to_le_bytes());
        out.extend_from_slice(&self.size.unwrap_or(0).to_le_bytes());
        out.extend_from_slice(&self.stored_bytes.to_le_bytes());
        out.extend_from_slice(&self.extra);
        let directory_bytes = length(&out);
        push_end(&mut out, data_bytes, directory_bytes);
        Some(out)
    }
}

/// Appends both end records of a directory of one entry.
fn push_end(out: &mut Vec<u8>, directory_at: u64, directory_bytes: u64) {
    let end_64_at = directory_at.saturating_add(directory_bytes);
    out.extend_from_slice(&DIRECTORY_END_64);
    out.extend_from_slice(&44u64.to_le_bytes());
    out.extend_from_slice(&45u16.to_le_bytes());
    out.extend_from_slice(&45u16.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&1u64.to_le_bytes());
    out.extend_from_slice(&1u64.to_le_bytes());
    out.extend_from_slice(&directory_bytes.to_le_bytes());
    out.extend_from_slice(&directory_at.to_le_bytes());
    out.extend_from_slice(&DIRECTORY_END_64_LOCATOR);
    out.extend_from_slice(&0u32.to_le_bytes());
    out.extend_from_slice(&end_64_at.to_le_bytes());
    out.extend_from_slice(&1u32.to_le_bytes());
    out.extend_from_slice(&DIRECTORY_END);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&[0xff; 12]);
    out.extend_from_slice(&[0; 2]);
}

/// The ZIP64 field, and the other extra fields as they stand.
fn split_extra(extra: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut zip64 = Vec::new();
    let mut others = Vec::new();
    let mut at = 0usize;
    while let (Some(id), Some(size)) = (u16_at(extra, at), u16_at(extra, at.saturating_add(2))) {
        let start = at.saturating_add(4);
        let end = start.saturating_add(usize::from(size));
        let (Some(field), Some(whole)) = (extra.get(start..end), extra.get(at..end)) else {
            break;
        };
        if id == EXTRA_ZIP64 {
            zip64 = field.to_vec();
        } else {
            others.extend_from_slice(whole);
        }
        at = end;
    }
    (zip64, others)
}

/// CRC, stored and plain size from a record behind the data; members with a ZIP64 field have wider sizes.
fn descriptor(archive: &mut Window<'_>, at: u64, zip64: bool) -> Option<(u32, u64, u64)> {
    if zip64 {
        let record = archive.bytes(at, 24)?;
        Some((u32_at(record, 4)?, u64_at(record, 8)?, u64_at(record, 16)?))
    } else {
        let record = archive.bytes(at, 16)?;
        let stored_bytes = u64::from(u32_at(record, 8)?);
        let size = u64::from(u32_at(record, 12)?);
        Some((u32_at(record, 4)?, stored_bytes, size))
    }
}

/// Where the bytes behind a local header begin.
fn data_start(archive: &mut Window<'_>, header_at: u64) -> Option<u64> {
    let header = archive.bytes(header_at, LOCAL_HEADER_BYTES)?;
    if !header.starts_with(&LOCAL_HEADER) {
        return None;
    }
    let name_bytes = u64::from(u16_at(header, 26)?);
    let extra_bytes = u64::from(u16_at(header, 28)?);
    header_at
        .checked_add(LOCAL_HEADER_BYTES)?
        .checked_add(name_bytes)?
        .checked_add(extra_bytes)
}

/// One member as an archive of its own: its header and bytes from the real archive, then a directory for it alone.
struct Image<'a> {
    source: &'a mut dyn ReadSeek,
    /// Where the member's header stands in the archive.
    start: u64,
    /// Bytes taken from the archive.
    data_bytes: u64,
    directory: Vec<u8>,
    position: u64,
    /// Where the archive's reader stands, to spare seeks.
    source_at: Option<u64>,
}

impl<'a> Image<'a> {
    fn new(archive: &'a mut Window<'_>, member: &Member) -> io::Result<Self> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        if member.data_start == u64::MAX {
            return Err(invalid("the archive has no header for this member"));
        }
        let end = member.data_end().min(archive.size);
        let data_bytes = end
            .checked_sub(member.header_at)
            .ok_or_else(|| invalid("the member ends before it begins"))?;
        let directory = member
            .directory(data_bytes)
            .ok_or_else(|| invalid("its header is too long"))?;
        Ok(Self {
            source: &mut *archive.source,
            start: member.header_at,
            data_bytes,
            directory,
            position: 0,
            source_at: None,
        })
    }

    fn size(&self) -> u64 {
        self.data_bytes.saturating_add(length(&self.directory))
    }
}

impl Read for Image<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(behind) = self.position.checked_sub(self.data_bytes) {
            let from = usize::try_from(behind).unwrap_or(usize::MAX);
            let rest = self.directory.get(from..).unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            self.position = self.position.saturating_add(length(&buffer[..count]));
            return Ok(count);
        }
        let rest = self.data_bytes.saturating_sub(self.position);
        let room = usize::try_from(rest)
            .unwrap_or(usize::MAX)
            .min(buffer.len())
            .min(CHUNK_BYTES);
        let at = self.start.saturating_add(self.position);
        if self.source_at != Some(at) {
            self.source.seek(SeekFrom::Start(at))?;
        }
        let count = self.source.read(&mut buffer[..room])?;
        self.position = self.position.saturating_add(length(&buffer[..count]));
        self.source_at = self.start.checked_add(self.position);
        Ok(count)
    }
}

impl Seek for Image<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = target(to, self.position, self.size())?;
        Ok(self.position)
    }
}

/// The upper half of [code page 437](https://www.unicode.org/Public/MAPPINGS/VENDORS/MICSFT/PC/CP437.TXT).
const CODE_PAGE_437_UPPER: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

fn code_page_437(byte: u8) -> char {
    match byte.checked_sub(0x80) {
        None => char::from(byte),
        Some(upper) => CODE_PAGE_437_UPPER
            .chars()
            .nth(usize::from(upper))
            .unwrap_or(char::REPLACEMENT_CHARACTER),
    }
}
