//! The project's own files, as tidy looks at them.

use std::collections::BTreeMap;
use std::path::Path;

/// Folders that are not ours, or not sources.
const SKIPPED: &[&str] = &[
    ".git",
    "target",
    "node_modules",
    "corpus",
    "artifacts-of-fuzzing",
    "dist",
];

/// Larger files are data; rules about text do not apply.
const TEXT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Files by path from the root with forward slashes. Those that are not text have empty content.
#[derive(Debug, Default)]
pub(super) struct Project {
    pub(super) files: BTreeMap<String, String>,
}

impl Project {
    pub(super) fn read(root: &Path) -> Result<Self, String> {
        let mut project = Self::default();
        project.read_folder(root, "")?;
        Ok(project)
    }

    /// The content of a file, or nothing.
    pub(super) fn text(&self, path: &str) -> &str {
        self.files.get(path).map_or("", String::as_str)
    }

    /// Files whose path begins and ends so.
    pub(super) fn matching<'a>(
        &'a self,
        begin: &'a str,
        end: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let files = self.files.iter();
        files
            .filter(move |(path, _)| path.starts_with(begin) && path.ends_with(end))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Names of the crates, from their manifests below `crates/`.
    pub(super) fn crates(&self) -> Vec<&str> {
        let manifests = self.matching("crates/", "/Cargo.toml");
        let names = manifests
            .filter_map(|(path, _)| path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml"));
        names.filter(|name| !name.contains('/')).collect()
    }

    /// Source files of crates without tests: what stands in the product.
    pub(super) fn product_sources(&self) -> impl Iterator<Item = (&str, String)> {
        let sources = self.matching("crates/", ".rs");
        let sources = sources.filter(|(path, _)| path.contains("/src/") && !is_test_file(path));
        sources.map(|(path, text)| (path, without_tests(text)))
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> Result<(), String> {
        let entries = std::fs::read_dir(folder)
            .map_err(|source| format!("cannot read {}: {source}", folder.display()))?;
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
                self.read_folder(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file() {
                self.files.insert(path, text_of(&entry.path()));
            }
        }
        Ok(())
    }
}

/// Whether a path has one of these endings, such as `.rs`; case counts, as in git.
pub(super) fn ends_with(path: &str, endings: &[&str]) -> bool {
    endings.iter().any(|ending| path.ends_with(ending))
}

/// Files that hold nothing but tests, by the names we give them.
pub(super) fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.ends_with("/testing.rs")
}

/// The lines up to the module of tests, which stands last in a file.
fn without_tests(text: &str) -> String {
    let lines = text
        .lines()
        .take_while(|line| line.trim_end() != "#[cfg(test)]");
    lines.fold(String::new(), |text, line| text + line + "\n")
}

fn text_of(path: &Path) -> String {
    let small = path
        .metadata()
        .is_ok_and(|metadata| metadata.len() <= TEXT_BYTES_MAX);
    let bytes = if small {
        std::fs::read(path).unwrap_or_default()
    } else {
        Vec::new()
    };
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A project of these files.
    pub(in crate::tidy) fn project(files: &[(&str, &str)]) -> Project {
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Project {
            files: files.collect(),
        }
    }

    #[test]
    fn tests_are_no_product_sources() {
        let project = project(&[
            (
                "crates/a/src/lib.rs",
                "//! A\nfn a() {}\n#[cfg(test)]\nmod tests {}\n",
            ),
            ("crates/a/src/tests.rs", "//! T\n"),
            ("crates/a/src/x/tests/y.rs", "//! T\n"),
            ("crates/a/tests/z.rs", "//! T\n"),
        ]);
        let sources: Vec<(&str, String)> = project.product_sources().collect();
        assert_eq!(
            sources,
            [("crates/a/src/lib.rs", "//! A\nfn a() {}\n".to_owned())]
        );
    }
}
