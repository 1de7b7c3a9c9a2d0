//! What the workloads read: made once into `target/bench/loads`, the same bytes for the same scale, and kept.

pub(super) mod events;
pub(super) mod indicators;
pub(super) mod rules;
pub(super) mod server;
pub(super) mod text;
pub(super) mod web_root;

use super::options::Options;
use super::tools::Tools;
use std::fs;
use std::path::{Path, PathBuf};

/// Where everything is, and what was asked for.
pub(super) struct Bench {
    pub(super) options: Options,
    pub(super) tools: Tools,
    /// The project.
    pub(super) root: PathBuf,
    /// `target/bench`.
    pub(super) folder: PathBuf,
    /// Our program, optimised.
    pub(super) program: PathBuf,
}

impl Bench {
    /// A load's folder; its name carries the scale.
    pub(super) fn load(&self, name: &str) -> PathBuf {
        let scale = &self.options.scale;
        self.folder.join("loads").join(format!("{name}-{scale}"))
    }

    /// A file that a contestant writes to.
    pub(super) fn output(&self, name: &str) -> PathBuf {
        self.folder.join("out").join(name)
    }

    /// The text of this machine's path.
    pub(super) fn text(path: &Path) -> String {
        path.to_string_lossy().into_owned()
    }
}

/// Makes a folder unless it was made from the same: `stamp` says what from. Gives what `make` said of it then.
pub(super) fn made(
    folder: &Path,
    stamp: &str,
    make: impl FnOnce(&Path) -> Result<String, String>,
) -> Result<String, String> {
    let stamp_file = folder.with_extension("stamp");
    let known = fs::read_to_string(&stamp_file).unwrap_or_default();
    if let Some((known_stamp, said)) = known.split_once('\n')
        && known_stamp == stamp
    {
        return Ok(said.to_owned());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)
            .map_err(|source| format!("cannot clear {}: {source}", folder.display()))?;
    }
    fs::create_dir_all(folder)
        .map_err(|source| format!("cannot make {}: {source}", folder.display()))?;
    let said = make(folder)?;
    write(&stamp_file, format!("{stamp}\n{said}").as_bytes())?;
    Ok(said)
}

/// Forgets every load, so that each is made again when it is asked for.
pub(super) fn forget(folder: &Path) {
    let stamps = walk(folder).into_iter();
    for stamp in stamps.filter(|path| path.extension().is_some_and(|ending| ending == "stamp")) {
        // One that stays is as good as it was.
        let _ = fs::remove_file(stamp);
    }
}

/// All files below a folder, in order of path.
pub(super) fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.filter_map(Result::ok) {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files.sort();
    files
}

/// Bytes of all files below a folder.
pub(super) fn size_of(folder: &Path) -> u64 {
    let files = walk(folder).into_iter();
    files
        .filter_map(|path| path.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}

pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .map_err(|source| format!("cannot make {}: {source}", folder.display()))?;
    }
    fs::write(path, bytes).map_err(|source| format!("cannot write {}: {source}", path.display()))
}

/// `1234567` as `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_made_again_only_from_something_else() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("load-1GB");
        let make = |stamp: &str, said: &str| {
            made(&folder, stamp, |folder| {
                write(&folder.join("a/b"), said.as_bytes())?;
                Ok(said.to_owned())
            })
        };
        assert_eq!(make("one", "first").unwrap(), "first");
        assert_eq!(make("one", "second").unwrap(), "first");
        assert_eq!(make("two", "third!").unwrap(), "third!");
        assert_eq!((walk(&folder).len(), size_of(&folder)), (1, 6));
        forget(home.path());
        assert_eq!(make("two", "fourth").unwrap(), "fourth");
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        let numbers = [0, 12, 123, 1234, 1_048_020];
        let grouped = numbers.map(grouped);
        assert_eq!(grouped, ["0", "12", "123", "1,234", "1,048,020"]);
    }
}
