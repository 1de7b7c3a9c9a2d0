//! 7z archives ([format](https://py7zr.readthedocs.io/en/latest/archive_format.html)), encrypted ones too, by the
//! crate `sevenz-rust2`.
//!
//! Members lie in blocks that can only be decoded from their start. Members are numbered block by block, so that the
//! numbers hold even where a block breaks off.

use crate::content::ReadSeek;
use crate::item::Spool;
use crate::walk::{Admission, Offered, Scope, Walker};
use model::GapKind;
use sevenz_rust2::{Archive, ArchiveEntry, BlockDecoder, Error, Password};
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

/// Memory for the list of members. It allows for some 200,000 of them; the list of a hostile archive grows to
/// several times this size while it is read.
const HEADER_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Walks the members block by block, then those without bytes.
pub(crate) fn walk(walker: &mut Walker<'_>, scope: &Scope, source: &mut dyn ReadSeek) {
    let password = walker
        .password
        .as_deref()
        .map_or_else(Password::empty, Password::from);
    let mut source = Source(source);
    let header_memory = kib(HEADER_BYTES_MAX.min(walker.limits.decoder_memory_bytes));
    let archive = match Archive::read_with_memory_limit(&mut source, &password, header_memory) {
        Ok(archive) => archive,
        Err(error) => {
            let (kind, detail) = told(&error, walker.password.is_some());
            return walker.gap(scope.path(), kind, &detail);
        }
    };
    let mut first_index = 0;
    for block in 0..archive.blocks.len() {
        match walk_block(
            walker,
            scope,
            &archive,
            block,
            &password,
            &mut source,
            first_index,
        ) {
            Some(next_index) => first_index = next_index,
            None => return,
        }
    }
    let in_block = |at: usize| matches!(archive.stream_map.file_block_index.get(at), Some(Some(_)));
    let without_bytes = archive
        .files
        .iter()
        .enumerate()
        .filter(|(at, entry)| !in_block(*at) && is_file(entry));
    for (offset, (_, entry)) in without_bytes.enumerate() {
        let index = plus(first_index, offset);
        match offer(walker, scope, entry, index, &mut io::empty()) {
            Next::Go | Next::Skipped | Next::SkipBlock => {}
            Next::Stop => return,
        }
    }
}

fn is_file(entry: &ArchiveEntry) -> bool {
    !entry.is_directory() && !entry.is_anti_item()
}

/// What to do after one member.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Go,
    Skipped,
    SkipBlock,
    Stop,
}

/// Walks one block. The index behind it, or `None` where no more entries are taken.
fn walk_block(
    walker: &mut Walker<'_>,
    scope: &Scope,
    archive: &Archive,
    block: usize,
    password: &Password,
    source: &mut Source<'_>,
    first_index: u64,
) -> Option<u64> {
    let memory = kib(walker.limits.decoder_memory_bytes);
    let decoder = BlockDecoder::new_with_memory_limit(1, memory, block, archive, password, source);
    let entries = decoder.entry_count();
    let first_file = archive.stream_map.block_first_file_index.get(block);
    let in_block = archive
        .files
        .iter()
        .skip(first_file.copied().unwrap_or(0))
        .take(entries);
    let next_index = plus(
        first_index,
        in_block.clone().filter(|entry| is_file(entry)).count(),
    );
    let is_single = entries <= 1;
    let mut index = first_index;
    let mut seen = 0usize;
    let mut stopped = false;
    let outcome = decoder.for_each_entries(&mut |entry, reader| {
        seen = seen.saturating_add(1);
        if !is_file(entry) {
            return Ok(true);
        }
        let next = offer(walker, scope, entry, index, reader);
        index = index.saturating_add(1);
        stopped = next == Next::Stop;
        Ok(match next {
            Next::Go => true,
            // Nothing of a block of one needs decoding once it was skipped.
            Next::Skipped => !is_single,
            Next::SkipBlock | Next::Stop => false,
        })
    });
    if stopped {
        return None;
    }
    let (kind, detail) = match outcome {
        Ok(_) if seen >= entries => return Some(next_index),
        Ok(_) => (
            GapKind::Limit,
            "packed together with a member that expands too far, so it was not read".to_owned(),
        ),
        Err(error) => told(&error, walker.password.is_some()),
    };
    if seen >= entries {
        // Every member was offered, and none is known to be whole.
        walker.gap(scope.path(), kind, &detail);
    }
    for entry in in_block.skip(seen).filter(|entry| is_file(entry)) {
        match walker.admit(scope, &offered(entry, index)) {
            Admission::Read(admitted) => walker.gap(&admitted.entry.path, kind, &detail),
            Admission::Skip | Admission::Refused => {}
            Admission::Stop => return None,
        }
        index = index.saturating_add(1);
    }
    Some(next_index)
}

fn offered(entry: &ArchiveEntry, index: u64) -> Offered<'_> {
    Offered {
        index,
        name: entry.name(),
        size: Some(entry.size()),
        modified: crate::times::of_windows(u64::from(entry.last_modified_date()))
            .filter(|_| entry.has_last_modified_date),
        // Members share their block's packed bytes, so a ratio can be held against the whole archive only.
        stored_bytes: None,
        expands_to_max: u64::MAX,
    }
}

fn offer(
    walker: &mut Walker<'_>,
    scope: &Scope,
    entry: &ArchiveEntry,
    index: u64,
    reader: &mut dyn Read,
) -> Next {
    // Whatever follows such a member in its block could be had only by decoding all of it.
    let too_large = entry.size() > walker.limits.member_bytes_max;
    match walker.admit(scope, &offered(entry, index)) {
        Admission::Read(admitted) => {
            let mut spool = Spool::new(
                Box::new(reader),
                Some(entry.size()),
                None,
                &walker.limits,
                Rc::clone(&admitted.budget),
            );
            walker.read(&admitted, &mut spool);
        }
        Admission::Skip if !too_large => return Next::Skipped,
        Admission::Skip => {}
        Admission::Refused => return Next::SkipBlock,
        Admission::Stop => return Next::Stop,
    }
    if too_large { Next::SkipBlock } else { Next::Go }
}

fn plus(index: u64, by: usize) -> u64 {
    index.saturating_add(u64::try_from(by).unwrap_or(u64::MAX))
}

fn kib(bytes: u64) -> usize {
    usize::try_from(bytes / 1024).unwrap_or(usize::MAX)
}

/// The gap that an error of the crate becomes.
fn told(error: &Error, password_given: bool) -> (GapKind, String) {
    match error {
        Error::PasswordRequired if password_given => (
            GapKind::Unreadable,
            "encrypted, and the given password is wrong".to_owned(),
        ),
        Error::PasswordRequired => (
            GapKind::Unreadable,
            "encrypted, and no password was given".to_owned(),
        ),
        Error::MaybeBadPassword(cause) => (
            GapKind::Unreadable,
            format!("encrypted; the given password is wrong, or the archive is damaged: {cause}"),
        ),
        Error::MaxMemLimited { .. } => (
            GapKind::Limit,
            "its decoder wants more memory than the bound".to_owned(),
        ),
        other => (
            GapKind::Partial,
            format!("the 7z archive is damaged or cut off: {other}"),
        ),
    }
}

/// A sized reader, as the crate asks for one.
struct Source<'s>(&'s mut dyn ReadSeek);

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Seek for Source<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}
