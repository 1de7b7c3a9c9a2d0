//! Listings by folder (`dir /s`, `Get-ChildItem -Recurse`) and in blocks (`Format-List`).
//!
//! `dir` writes in the system's language: only the shape of its lines is relied on. A heading ends in a path; an entry
//! begins with a date and a clock, then a size or a word in angle brackets, then the name. Totals and volume lines are
//! no entries.

use super::forms::is_absolute;
use super::{Files, sha256_of, size_of};
use crate::Sink;
use crate::text::plain::LineReader;
use crate::text::time::{culture_clock, culture_date, iso_date};
use model::{ListedFile, Timestamp, windows_path};

/// Entries below headings.
pub(super) struct Directory<'a, 'b> {
    files: &'a mut Files<'b>,
    folder: Option<String>,
}

impl<'a, 'b> Directory<'a, 'b> {
    pub(super) fn new(files: &'a mut Files<'b>) -> Self {
        Self {
            files,
            folder: None,
        }
    }
}

impl LineReader for Directory<'_, '_> {
    fn line(
        &mut self,
        number: u64,
        line: &str,
        sink: &mut dyn Sink,
    ) -> Result<Option<Timestamp>, &'static str> {
        if let Some(folder) = folder_heading(line) {
            self.folder = Some(windows_path(folder).trim_end_matches('\\').to_owned());
            return Ok(None);
        }
        let Some(entry) = entry(line) else {
            let is_decoration = line.starts_with(' ')
                || line.starts_with("Mode ")
                || line.trim_start().starts_with("----");
            return if is_decoration {
                Ok(None)
            } else {
                Err("no entry of a listing")
            };
        };
        if matches!(entry.name, "." | "..") {
            return Ok(None);
        }
        let Some(folder) = &self.folder else {
            return Err("no folder above this entry");
        };
        let path = format!("{folder}\\{}", entry.name);
        if entry.is_folder {
            self.files.folder(number, line, &path, entry.modified, sink);
        } else {
            let file = ListedFile {
                path,
                size: entry.size,
                sha256: None,
            };
            self.files.record(number, line, &file, entry.modified, sink);
        }
        Ok(None)
    }
}

/// The folder of ` Directory of C:\inetpub` or `    Directory: C:\inetpub`, in any language.
pub(super) fn folder_heading(line: &str) -> Option<&str> {
    if !line.starts_with(' ') || line.trim_start().starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let text = line.trim();
    let start = text.match_indices([':', '\\']).find_map(|(at, _)| {
        let start = at.checked_sub(usize::from(text.as_bytes().get(at) == Some(&b':')))?;
        let begins_word = start == 0 || text.as_bytes().get(start - 1) == Some(&b' ');
        (begins_word && text.get(start..).is_some_and(is_absolute)).then_some(start)
    })?;
    // Words stand before the path; the path is all the rest.
    (start > 0).then(|| &text[start..])
}

pub(super) fn is_entry(line: &str) -> bool {
    entry(line).is_some()
}

struct Entry<'a> {
    modified: &'a str,
    is_folder: bool,
    size: Option<u64>,
    name: &'a str,
}

fn entry(line: &str) -> Option<Entry<'_>> {
    let line = line.trim_end();
    let (mode, rest) = match line.split_once(|c: char| c.is_whitespace()) {
        Some((mode, rest)) if is_mode(mode) => (Some(mode), rest.trim_start()),
        _ => (None, line),
    };
    let (modified, rest) = date_and_clock(rest)?;
    let is_powershell_folder = mode.is_some_and(|mode| mode.starts_with('d'));
    let rest = rest.trim_start();
    if is_powershell_folder {
        return Some(Entry {
            modified,
            is_folder: true,
            size: None,
            name: rest,
        });
    }
    if let Some(bracketed) = rest.strip_prefix('<') {
        let (_word, name) = bracketed.split_once('>')?;
        return Some(Entry {
            modified,
            is_folder: true,
            size: None,
            name: name.trim_start(),
        });
    }
    let end = rest.find(' ')?;
    let size = size_of(rest.get(..end)?)?;
    let name = rest.get(end + 1..)?.trim_start();
    (!name.is_empty()).then_some(Entry {
        modified,
        is_folder: false,
        size: Some(size),
        name,
    })
}

/// `-a----`, `d-r---`.
fn is_mode(text: &str) -> bool {
    (5..=7).contains(&text.len())
        && text.starts_with(['-', 'd', 'l'])
        && text.bytes().all(|byte| b"-darhsl".contains(&byte))
}

/// A date, a clock and perhaps `AM` or `PM` at the beginning, as text, and what follows.
fn date_and_clock(text: &str) -> Option<(&str, &str)> {
    let date_end = text.find(|c: char| c.is_whitespace())?;
    let date = text.get(..date_end)?;
    let is_date = culture_date(date).is_some()
        || iso_date(date.as_bytes()).is_some()
        || iso_date(date.replace(['/', '.'], "-").as_bytes()).is_some();
    if !is_date {
        return None;
    }
    let clock_start = text.len() - text.get(date_end..)?.trim_start().len();
    let clock_text = text.get(clock_start..)?;
    let word_end = clock_text.find(' ').unwrap_or(clock_text.len());
    let mut end = word_end;
    // `06:49 AM`; the mark may also follow without a blank.
    let after = clock_text.get(word_end..)?.trim_start();
    let mark = after.split(' ').next().unwrap_or_default();
    if matches!(
        mark.to_ascii_lowercase().as_str(),
        "am" | "pm" | "a.m." | "p.m."
    ) {
        end = clock_text.len() - after.len() + mark.len();
    }
    culture_clock(clock_text.get(..end)?)?;
    Some((
        text.get(..clock_start + end)?,
        text.get(clock_start + end..)?,
    ))
}

/// Blocks of `Name : value` lines, one file each.
pub(super) struct Blocks<'a, 'b> {
    files: &'a mut Files<'b>,
    block: Option<Block>,
}

struct Block {
    number: u64,
    text: String,
    file: ListedFile,
    modified: String,
    /// Names seen, so that the same name again begins the next block.
    names: Vec<String>,
}

/// Longest block that is kept as the raw text of its record.
const BLOCK_BYTES_MAX: usize = 64 * 1024;

impl<'a, 'b> Blocks<'a, 'b> {
    pub(super) fn new(files: &'a mut Files<'b>) -> Self {
        Self { files, block: None }
    }

    /// The last block.
    pub(super) fn finish(&mut self, sink: &mut dyn Sink) {
        let Some(block) = self.block.take() else {
            return;
        };
        if block.file.path.is_empty() {
            sink.rejected(model::At::Line(block.number), "no path");
            return;
        }
        let (number, text) = (block.number, block.text);
        self.files
            .record(number, &text, &block.file, &block.modified, sink);
    }
}

impl LineReader for Blocks<'_, '_> {
    fn line(
        &mut self,
        number: u64,
        line: &str,
        sink: &mut dyn Sink,
    ) -> Result<Option<Timestamp>, &'static str> {
        let Some((name, value)) = block_field(line) else {
            // The console wraps long values with blanks before the rest, at any place of the text.
            return match &mut self.block {
                Some(_) if line.starts_with(' ') => Err("a value that was wrapped"),
                _ => Err("no entry of a listing"),
            };
        };
        let begins = self
            .block
            .as_ref()
            .is_none_or(|block| block.names.contains(&name));
        if begins {
            self.finish(sink);
            self.block = Some(Block {
                number,
                text: String::new(),
                file: ListedFile {
                    path: String::new(),
                    size: None,
                    sha256: None,
                },
                modified: String::new(),
                names: Vec::new(),
            });
        }
        let Some(block) = &mut self.block else {
            return Ok(None);
        };
        if block.text.len() + line.len() < BLOCK_BYTES_MAX {
            block.text.push_str(line.trim_end());
            block.text.push('\n');
        }
        match name.as_str() {
            "fullname" | "path" if is_absolute(value) => block.file.path = windows_path(value),
            "length" => block.file.size = size_of(value),
            "hash" | "sha256" => block.file.sha256 = sha256_of(value),
            "lastwritetime" | "lastwritetimeutc" => value.clone_into(&mut block.modified),
            _ => {}
        }
        block.names.push(name);
        Ok(None)
    }

    fn blank(&mut self, sink: &mut dyn Sink) {
        self.finish(sink);
    }
}

/// Name in lower case and value of `FullName : C:\x`.
pub(super) fn block_field(line: &str) -> Option<(String, &str)> {
    let (name, value) = line
        .split_once(" : ")
        .or_else(|| line.trim_end().strip_suffix(" :").map(|name| (name, "")))?;
    let name = name.trim();
    let plausible = !name.is_empty()
        && !line.starts_with(' ')
        && name.len() <= 64
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    plausible.then(|| (name.to_ascii_lowercase(), value.trim()))
}
