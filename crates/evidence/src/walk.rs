//! Walks one collection: every entry in a fixed order, archives inside too, each hashed while it is read.

use crate::collector::stored_key;
use crate::content::{Content, ReadSeek};
use crate::discover::{Collection, LOOSE_FILES};
use crate::item::{Budget, CHUNK_BYTES, Digest, Fault, Item, SeekItem, Spool};
use crate::limits::{Limits, Options};
use crate::open;
use crate::restore::{Restored, printable, restore};
use crate::sniff::{Codec, Form, form};
use jiff::Timestamp;
use model::GapKind;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// Gaps of one kind told one by one for each archive; further ones are counted in one gap.
const REFUSALS_TOLD_MAX: u64 = 100;

/// One file or stream of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Stable position in the walk; grows from entry to entry, and does not depend on what was skipped before.
    ///
    /// The upper 22 bits number the entries of the collection itself, the next 21 the members of an archive among
    /// them, the last 21 whatever lies in archives inside that archive, in the order of the walk. Only these last
    /// ones move, within their own archive, when an archive at that depth is skipped.
    pub ordinal: u64,
    /// Number of the outermost entry this one lies in (its own, where it lies in none), counted from 0 without
    /// holes, so that entries can be handed out by number.
    pub top: u64,
    /// Original path in Windows form; members of an archive that is an entry itself are `outer!inner`.
    pub path: String,
    /// Name as stored in its container, control characters escaped; for messages.
    pub stored: String,
    /// Size as the container declares it, which may be a lie.
    pub size: Option<u64>,
    /// When it was changed last, as its archive writes it down. Not known of files in a folder: copying evidence sets
    /// such times, and the same evidence must tell the same.
    pub modified: Option<Timestamp>,
}

/// What a visitor wants of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Read,
    /// Its bytes are not touched beyond what the container's form makes unavoidable, nor are its members.
    Skip,
}

/// Receives the entries of a walk.
///
/// For an entry that is read: `begin`, `content`, `end`, then its members if it is an archive. An entry that cannot
/// be read gets a `gap` instead of `content` and `end`. Bytes that break off are offered up to the break; a gap
/// follows after `end`.
pub trait Visitor {
    /// Called for every entry, archives inside too, before its bytes are touched.
    fn begin(&mut self, entry: &Entry) -> Decision;

    /// The bytes. An archive's own bytes are offered like any other's.
    fn content(&mut self, entry: &Entry, content: &mut dyn Content);

    /// Called once the rest was read for the hash.
    fn end(&mut self, entry: &Entry, digest: &Digest);

    /// Something that cannot be seen. With an empty path it concerns the collection as a whole, and like gaps
    /// about what a folder or archive holds it is told by every walk in the same words, whatever was skipped.
    fn gap(&mut self, entry_path: &str, kind: GapKind, detail: &str);
}

/// Walks everything in a collection. Never fails as a whole: what cannot be opened is a gap.
pub fn walk(collection: &Collection, options: &Options, visitor: &mut dyn Visitor) {
    let mut walker = Walker::new(options, visitor);
    let scope = Scope::collection();
    let location = &collection.location;
    let kind = match std::fs::metadata(location) {
        Ok(metadata) => metadata.file_type(),
        Err(error) => return walker.unreadable("", &error),
    };
    if kind.is_dir() {
        let loose = collection.container == LOOSE_FILES;
        return open::folder::walk(&mut walker, &scope, location, loose);
    }
    let name = location
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    match open_file(location) {
        Ok(file) => walker.outermost(&scope, &name, Box::new(file)),
        Err(error) => walker.unreadable("", &error),
    }
}

/// Walks bytes in memory as [`walk`] walks a file called `name`. For tests and fuzz targets.
pub fn walk_bytes(name: &str, bytes: Vec<u8>, options: &Options, visitor: &mut dyn Visitor) {
    let mut walker = Walker::new(options, visitor);
    walker.outermost(&Scope::collection(), name, Box::new(Cursor::new(bytes)));
}

/// The one place evidence is opened, read-only.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place evidence is opened"
)]
pub(crate) fn open_file(path: &std::path::Path) -> io::Result<File> {
    File::open(path)
}

/// Where in the collection entries lie: in itself, or in an archive inside.
pub(crate) struct Scope {
    /// 0 for the collection, 1 for the members of an archive in it, and so on.
    depth: u32,
    /// Put before the paths of entries: empty, or `outer!`.
    prefix: String,
    top: Option<u64>,
    /// Ordinal of the archive these entries are members of.
    base: u64,
    /// Entries so far at the depths that share the last bits of an ordinal.
    deeper: Rc<Cell<u64>>,
    budget: Option<Rc<Budget>>,
    /// Size of the archive, for the ratio; unknown in a folder.
    archive_bytes: Option<u64>,
    /// Whether a wrapper was already taken off.
    pub(crate) wrapped: bool,
    /// What the members have declared so far.
    declared: Cell<u64>,
    refused: Cell<u64>,
}

const TOP_SHIFT: u32 = 42;
const MEMBER_SHIFT: u32 = 21;

impl Scope {
    fn collection() -> Self {
        Self {
            depth: 0,
            prefix: String::new(),
            top: None,
            base: 0,
            deeper: Rc::default(),
            budget: None,
            archive_bytes: None,
            wrapped: false,
            declared: Cell::new(0),
            refused: Cell::new(0),
        }
    }

    /// The collection itself, now known to be an archive of this size.
    fn archive(archive_bytes: u64) -> Self {
        Self {
            archive_bytes: Some(archive_bytes),
            ..Self::collection()
        }
    }

    /// The collection once more, below a wrapper that its collector put around it.
    pub(crate) fn inside_wrapper(&self) -> Self {
        Self {
            archive_bytes: self.archive_bytes,
            wrapped: true,
            ..Self::collection()
        }
    }

    fn of_members(admitted: &Admitted, archive_bytes: u64) -> Self {
        Self {
            depth: admitted.depth.saturating_add(1),
            prefix: format!("{}!", admitted.entry.path),
            top: Some(admitted.entry.top),
            base: admitted.entry.ordinal,
            deeper: Rc::clone(&admitted.deeper),
            budget: Some(Rc::clone(&admitted.budget)),
            archive_bytes: Some(archive_bytes),
            wrapped: false,
            declared: Cell::new(0),
            refused: Cell::new(0),
        }
    }

    pub(crate) fn is_collection(&self) -> bool {
        self.depth == 0
    }

    /// The path of the archive or folder whose entries these are; empty for the collection.
    pub(crate) fn path(&self) -> &str {
        self.prefix.strip_suffix('!').unwrap_or(&self.prefix)
    }

    fn ordinal(&self, index: u64) -> u64 {
        let number = index.saturating_add(1);
        match self.depth {
            0 => number << TOP_SHIFT,
            1 => self.base | number << MEMBER_SHIFT,
            _ => {
                let number = self.deeper.get().saturating_add(1);
                self.deeper.set(number);
                (self.base >> MEMBER_SHIFT) << MEMBER_SHIFT | number
            }
        }
    }
}

/// An entry as its container offers it.
pub(crate) struct Offered<'n> {
    /// 0-based position in the container, without its folders.
    pub(crate) index: u64,
    pub(crate) name: &'n str,
    pub(crate) size: Option<u64>,
    pub(crate) modified: Option<Timestamp>,
    /// Bytes it takes in the container, where that is known before reading.
    pub(crate) stored_bytes: Option<u64>,
    /// What so many stored bytes can expand to at most, whatever the container declares.
    pub(crate) expands_to_max: u64,
}

/// An entry that is to be read.
pub(crate) struct Admitted {
    pub(crate) entry: Entry,
    pub(crate) stored_bytes: Option<u64>,
    pub(crate) budget: Rc<Budget>,
    depth: u32,
    deeper: Rc<Cell<u64>>,
}

/// What the container does next.
pub(crate) enum Admission {
    Read(Box<Admitted>),
    Skip,
    /// It expands too far, whatever the visitor decided.
    Refused,
    /// No more entries are taken; the gap was told.
    Stop,
}

pub(crate) struct Walker<'v> {
    visitor: &'v mut dyn Visitor,
    pub(crate) limits: Limits,
    pub(crate) password: Option<String>,
    /// Original paths of entries of the collection itself, where its collector wrote down others than the stored
    /// names say; by [`stored_key`].
    pub(crate) original_paths: BTreeMap<String, String>,
}

impl<'v> Walker<'v> {
    fn new(options: &Options, visitor: &'v mut dyn Visitor) -> Self {
        Self {
            visitor,
            limits: options.limits.clone(),
            password: options.password.clone(),
            original_paths: BTreeMap::new(),
        }
    }

    /// What the stored name stands for.
    fn restored(&self, scope: &Scope, name: &str) -> Restored {
        let mut restored = restore(name);
        if scope.depth == 0
            && !self.original_paths.is_empty()
            && let Some(path) = self.original_paths.get(&stored_key(name))
        {
            restored.path.clone_from(path);
        }
        restored
    }

    /// Tells a gap, `path` empty for the collection.
    pub(crate) fn gap(&mut self, path: &str, kind: GapKind, detail: &str) {
        self.visitor.gap(path, kind, detail);
    }

    pub(crate) fn unreadable(&mut self, path: &str, error: &io::Error) {
        self.gap(
            path,
            GapKind::Unreadable,
            &format!("cannot be read: {error}"),
        );
    }

    /// Numbers and names an entry, holds it against the bounds, and asks the visitor.
    pub(crate) fn admit(&mut self, scope: &Scope, offered: &Offered<'_>) -> Admission {
        let entries_max = self.limits.entries();
        let budget = scope
            .budget
            .clone()
            .unwrap_or_else(|| Budget::new(&self.limits));
        if offered.index >= entries_max || budget.entries.get() == 0 {
            self.gap(
                scope.path(),
                GapKind::Limit,
                &format!("holds more than {entries_max} entries; the rest was not read"),
            );
            return Admission::Stop;
        }
        if scope.budget.is_some() {
            budget.entries.set(budget.entries.get().saturating_sub(1));
        }
        let ordinal = scope.ordinal(offered.index);
        let restored = self.restored(scope, offered.name);
        let entry = Entry {
            ordinal,
            top: scope.top.unwrap_or(offered.index),
            path: format!("{}{}", scope.prefix, restored.path),
            stored: printable(offered.name),
            size: offered.size,
            modified: offered.modified,
        };
        let refusal = self.refuse(scope, offered);
        if self.visitor.begin(&entry) == Decision::Skip {
            return match refusal {
                Some(_) => Admission::Refused,
                None => Admission::Skip,
            };
        }
        if let Some(why) = restored.altered {
            let detail = format!("its stored name `{}` {why}", shorten(&entry.stored));
            self.gap(&entry.path, GapKind::NotUnderstood, &detail);
        }
        if let Some(detail) = refusal {
            if scope.refused.get() <= REFUSALS_TOLD_MAX {
                self.gap(&entry.path, GapKind::Limit, &detail);
            }
            return Admission::Refused;
        }
        Admission::Read(Box::new(Admitted {
            entry,
            stored_bytes: offered.stored_bytes,
            budget,
            depth: scope.depth,
            // Members of each archive in the collection count their own depths.
            deeper: if scope.depth <= 1 {
                Rc::default()
            } else {
                Rc::clone(&scope.deeper)
            },
        }))
    }

    /// Why a member is not read by what its archive declares. It rests on declared sizes alone, so that it comes out
    /// the same whatever was skipped.
    fn refuse(&self, scope: &Scope, offered: &Offered<'_>) -> Option<String> {
        let archive_bytes = scope.archive_bytes?;
        // A lie about one member must not use up what the others need.
        let size = offered.size.unwrap_or(0).min(offered.expands_to_max);
        let declared = scope.declared.get().saturating_add(size);
        let detail = if declared > self.limits.expansion_max(archive_bytes) {
            format!(
                "not read: with it the archive would expand to more than {} times its size",
                self.limits.ratio_max
            )
        } else if declared > self.limits.expanded_bytes_max {
            format!(
                "not read: with it the archive would expand to more than {} bytes",
                self.limits.expanded_bytes_max
            )
        } else {
            scope.declared.set(declared);
            return None;
        };
        scope.refused.set(scope.refused.get().saturating_add(1));
        Some(detail)
    }

    /// Ends the members of one archive: counts the refusals that were not told one by one.
    fn close(&mut self, scope: &Scope) {
        let untold = scope.refused.get().saturating_sub(REFUSALS_TOLD_MAX);
        if untold > 0 {
            self.gap(
                scope.path(),
                GapKind::Limit,
                &format!("{untold} further members were not read: the archive expands too far"),
            );
        }
    }

    /// The file that is a whole collection: its members are the entries, or it is the only one.
    fn outermost(&mut self, scope: &Scope, name: &str, source: Box<dyn ReadSeek + '_>) {
        let mut item = match SeekItem::new(source, self.limits.item_bytes_max) {
            Ok(item) => item,
            Err(error) => return self.unreadable("", &error),
        };
        let form = self.form_of(&mut item, name);
        let size = item.size().unwrap_or(0);
        if form.is_archive() {
            let mut source = BufReader::with_capacity(CHUNK_BYTES, item.into_source());
            self.members(&Scope::archive(size), form, &mut source);
            return;
        }
        let offered = Offered {
            index: 0,
            name: name.rsplit(['/', '\\']).next().unwrap_or(name),
            size: Some(size),
            modified: None,
            stored_bytes: Some(size),
            expands_to_max: size,
        };
        if let Admission::Read(admitted) = self.admit(scope, &offered) {
            self.read_as(&admitted, &mut item, form);
        }
    }

    /// Reads an admitted entry, and its members if it is an archive.
    pub(crate) fn read(&mut self, admitted: &Admitted, item: &mut dyn Item) {
        let form = self.form_of(item, &admitted.entry.path);
        self.read_as(admitted, item, form);
    }

    /// Looks through a compression for a tar, too.
    fn form_of(&mut self, item: &mut dyn Item, name: &str) -> Opened {
        match form(item.head(), name) {
            Form::Plain => Opened::Plain(None),
            Form::Foreign(what) => Opened::Plain(Some(what)),
            Form::Zip => Opened::Zip,
            Form::SevenZip => Opened::SevenZip,
            Form::Disk => Opened::Disk,
            Form::Tar => Opened::Tar(None),
            Form::Compressed(codec) => {
                let stream = item.stream();
                if open::compressed::holds_tar(codec, stream, &self.limits) {
                    Opened::Tar(Some(codec))
                } else {
                    Opened::Compressed(codec)
                }
            }
        }
    }

    fn read_as(&mut self, admitted: &Admitted, item: &mut dyn Item, form: Opened) {
        if let Opened::Compressed(codec) = form {
            return self.compressed_log(admitted, item, codec);
        }
        let entry = &admitted.entry;
        let depth = admitted.depth.saturating_add(1);
        let opened = form.is_archive() && depth <= self.limits.depth_max;
        self.visitor.content(entry, item);
        let finished = item.finish(opened);
        self.visitor.end(entry, &finished.digest);
        self.fault(entry, finished.fault);
        if opened {
            let scope = Scope::of_members(admitted, finished.digest.size);
            match item.seekable() {
                Ok(mut source) => self.members(&scope, form, &mut *source),
                Err(error) => self.unreadable(&entry.path, &error),
            }
        } else if let Opened::Plain(Some(what)) = form {
            self.gap(&entry.path, GapKind::NotUnderstood, what);
        } else if form.is_archive() {
            let detail = format!(
                "archives inside archives are opened {} deep; the members of this one were not read",
                self.limits.depth_max
            );
            self.gap(&entry.path, GapKind::Limit, &detail);
        }
    }

    /// Walks the members of an archive.
    fn members(&mut self, scope: &Scope, form: Opened, source: &mut dyn ReadSeek) {
        if let Err(error) = source.rewind() {
            return self.unreadable(scope.path(), &error);
        }
        // Decoders of others meet hostile bytes here. Where one panics, the archives around it are still read.
        let walked = catch_unwind(AssertUnwindSafe(|| self.walk_members(scope, form, source)));
        if walked.is_err() {
            let detail = "its decoder crashed; what lies behind was not read";
            self.gap(scope.path(), GapKind::Crashed, detail);
        }
        self.close(scope);
    }

    fn walk_members(&mut self, scope: &Scope, form: Opened, source: &mut dyn ReadSeek) {
        match form {
            Opened::Zip => open::zip::walk(self, scope, source),
            Opened::SevenZip => open::sevenz::walk(self, scope, source),
            Opened::Disk => open::disk::walk(self, scope, source),
            Opened::Tar(None) => open::tar::walk_seekable(self, scope, source),
            Opened::Tar(Some(codec)) => {
                // Beyond what its members may declare there is only room for their headers.
                let expanded_max = self
                    .limits
                    .expansion_max(scope.archive_bytes.unwrap_or(0))
                    .saturating_mul(2);
                match open::compressed::decoder(codec, Box::new(source), &self.limits) {
                    Ok(decoder) => {
                        open::tar::walk_stream(self, scope, &mut decoder.take(expanded_max));
                    }
                    Err(error) => self.unreadable(scope.path(), &error),
                }
            }
            Opened::Plain(_) | Opened::Compressed(_) => {}
        }
    }

    /// A log that was compressed by itself: readers get its plain bytes.
    fn compressed_log(&mut self, admitted: &Admitted, item: &mut dyn Item, codec: Codec) {
        let entry = &admitted.entry;
        let stored_bytes = item.size().or(admitted.stored_bytes);
        let (digest, fault) = {
            let decoder = match open::compressed::decoder(codec, item.stream(), &self.limits) {
                Ok(decoder) => decoder,
                Err(error) => return self.unreadable(&entry.path, &error),
            };
            let mut plain = Spool::new(
                decoder,
                None,
                stored_bytes,
                &self.limits,
                Rc::clone(&admitted.budget),
            );
            self.visitor.content(entry, &mut plain);
            let finished = plain.finish(false);
            (finished.digest, finished.fault)
        };
        let stored = item.finish(false);
        let digest = Digest {
            complete: digest.complete && stored.fault.is_none(),
            stored_sha256: Some(stored.digest.sha256),
            ..digest
        };
        self.visitor.end(entry, &digest);
        self.fault(entry, fault.or(stored.fault));
    }

    fn fault(&mut self, entry: &Entry, fault: Option<Fault>) {
        match fault {
            None => {}
            Some(Fault::Limit(detail)) => self.gap(&entry.path, GapKind::Limit, &detail),
            Some(Fault::Damaged(detail)) => self.gap(&entry.path, GapKind::Partial, &detail),
        }
    }
}

/// How an item is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opened {
    /// With why nothing in it is opened, where there may be something.
    Plain(Option<&'static str>),
    Zip,
    SevenZip,
    /// A disk or a volume, byte by byte.
    Disk,
    /// A tar, perhaps below a compression.
    Tar(Option<Codec>),
    /// A compressed stream that is no tar.
    Compressed(Codec),
}

impl Opened {
    fn is_archive(self) -> bool {
        matches!(self, Self::Zip | Self::SevenZip | Self::Disk | Self::Tar(_))
    }
}

/// A name short enough for one sentence.
pub(crate) fn shorten(name: &str) -> String {
    const SHOWN_CHARS: usize = 200;
    match name.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}
