//! Turns the files of a pack into a [`Pack`], or into everything that is wrong with them.

use crate::examples::Examples;
use crate::files::PackFiles;
use crate::indicators::INDICATOR_COLUMNS;
use crate::problem::{Code, PackError, Problem};
use crate::tables::{read_csv, read_yaml, without_mark};
use crate::types::{AnalysisRule, Manifest, Pack, Remediation, RuleFile};
use serde::de::DeserializeOwned;
use std::path::Path;

pub(crate) const MANIFEST: &str = "pack.yaml";
pub(crate) const VULNERABILITIES: &str = "vulnerabilities.csv";
pub(crate) const INDICATORS: &str = "indicators.csv";
pub(crate) const NEEDS: &str = "needs.yaml";
pub(crate) const REMEDIATION: &str = "remediation.yaml";
/// Only packs that need an algorithm have this file.
pub(crate) const ANALYSES_FILE: &str = "analyses.yaml";

pub(crate) const VULNERABILITY_COLUMNS: &[&str] = &[
    "cve",
    "product",
    "fixed",
    "and_later_updates",
    "released",
    "update",
    "source",
];

/// The campaigns that come with Allclear, by name.
pub fn builtin_packs() -> Vec<Pack> {
    let packs = PackFiles::builtin();
    packs
        .iter()
        .map(|files| {
            let pack = Pack::assembled(files, Reader::examples_when_asked);
            Pack {
                is_builtin: true,
                ..pack.expect("a test loads every built-in pack")
            }
        })
        .collect()
}

impl Pack {
    /// Reads a pack from its folder, for instance one named by `--pack`. The error holds every problem found.
    pub fn load(folder: &Path) -> Result<Self, PackError> {
        Self::from_files(&PackFiles::from_folder(folder)?)
    }

    /// Reads a pack from its files. Rules are taken as text; whether they are good is the linter's question.
    pub fn from_files(files: &PackFiles) -> Result<Self, PackError> {
        Self::assembled(files, Reader::examples)
    }

    fn assembled<'f>(
        files: &'f PackFiles,
        examples: fn(&mut Reader<'f>) -> Examples,
    ) -> Result<Self, PackError> {
        let mut reader = Reader {
            files,
            problems: Vec::new(),
        };
        let manifest: Option<Manifest> = reader.yaml(MANIFEST);
        let vulnerabilities = reader.csv(VULNERABILITIES, VULNERABILITY_COLUMNS);
        let indicators = reader.csv(INDICATORS, INDICATOR_COLUMNS);
        let needs = reader.yaml(NEEDS).unwrap_or_default();
        let remediation: Option<Remediation> = reader.yaml(REMEDIATION);
        let sigma = reader.texts(is_sigma);
        let yara = reader.texts(is_yara);
        let analyses: Option<Vec<AnalysisRule>> = match files.files.get(ANALYSES_FILE) {
            Some(_) => reader.yaml(ANALYSES_FILE),
            None => None,
        };
        let examples = examples(&mut reader);
        match (manifest, remediation) {
            (Some(manifest), Some(remediation)) if reader.problems.is_empty() => Ok(Self {
                manifest,
                vulnerabilities,
                indicators,
                sigma,
                yara,
                analyses: analyses.unwrap_or_default(),
                needs,
                remediation,
                examples,
                is_builtin: false,
            }),
            _ => Err(PackError {
                problems: reader.problems,
            }),
        }
    }
}

/// Whether a path inside a pack is one that a pack uses; a read-me is let pass.
pub(crate) fn is_used(path: &str) -> bool {
    let named = [
        MANIFEST,
        VULNERABILITIES,
        INDICATORS,
        NEEDS,
        REMEDIATION,
        ANALYSES_FILE,
    ];
    named.contains(&path)
        || is_sigma(path)
        || is_yara(path)
        || is_example(path)
        || is_notice(path)
        || path.to_ascii_lowercase().ends_with("readme.md")
}

fn is_sigma(path: &str) -> bool {
    path.starts_with("rules/") && has_ending(path, &["yml", "yaml"])
}

fn is_yara(path: &str) -> bool {
    path.starts_with("rules/") && has_ending(path, &["yar", "yara"])
}

fn is_example(path: &str) -> bool {
    path.starts_with("examples/") && has_ending(path, &["yml", "yaml"])
}

/// What notices say of a campaign, by audience and language: `notices/administrator.en.txt`.
fn is_notice(path: &str) -> bool {
    path.starts_with("notices/") && has_ending(path, &["txt"])
}

fn has_ending(path: &str, endings: &[&str]) -> bool {
    path.rsplit_once('.')
        .is_some_and(|(_, ending)| endings.contains(&ending))
}

/// Reads one file after another and gathers what is wrong with them.
struct Reader<'a> {
    files: &'a PackFiles,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn text(&mut self, path: &str) -> Option<&'a str> {
        let Some(bytes) = self.files.files.get(path) else {
            self.problems.push(Problem::new(
                Code::FileMissing,
                path,
                "this file is missing from the pack",
                "docs/writing-a-pack.md says what it holds; a table may be its first line alone",
            ));
            return None;
        };
        match std::str::from_utf8(bytes) {
            Ok(text) => Some(without_mark(text)),
            Err(source) => {
                self.problems.push(Problem::new(
                    Code::FileUnreadable,
                    path,
                    format!("not UTF-8: {source}"),
                    "save the file as UTF-8",
                ));
                None
            }
        }
    }

    fn yaml<T: DeserializeOwned>(&mut self, path: &str) -> Option<T> {
        let text = self.text(path)?;
        read_yaml(path, text, &mut self.problems)
    }

    fn csv<T: DeserializeOwned>(&mut self, path: &str, columns: &[&str]) -> Vec<T> {
        match self.text(path) {
            Some(text) => read_csv(path, text, columns, &mut self.problems),
            None => Vec::new(),
        }
    }

    /// The files of which this says yes, as they are.
    fn texts(&mut self, wanted: fn(&str) -> bool) -> Vec<RuleFile> {
        let paths = self.files.files.keys().filter(|path| wanted(path));
        let mut texts = Vec::new();
        for path in paths {
            if let Some(text) = self.text(path) {
                texts.push(RuleFile {
                    path: path.clone(),
                    text: text.to_owned(),
                });
            }
        }
        texts
    }

    fn examples(&mut self) -> Examples {
        let texts = self.texts(is_example);
        Examples::read(texts, &mut self.problems)
    }

    fn examples_when_asked(&mut self) -> Examples {
        Examples::faultless(self.texts(is_example))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_pack_loads() {
        for files in PackFiles::builtin() {
            if let Err(error) = Pack::from_files(&files) {
                panic!("{}:\n{error}", files.name);
            }
        }
        let names: Vec<String> = builtin_packs()
            .into_iter()
            .map(|pack| pack.manifest.name)
            .collect();
        assert!(names.contains(&"proxylogon".to_owned()), "{names:?}");
    }
}
