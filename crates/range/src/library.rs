//! The files that say what happens: those of each campaign, from `packs/NAME/range`, and those that campaigns share.
//!
//! `docs/range.md` tells what a campaign's folder holds. Whoever adds a campaign adds files, and nothing here.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Made by `build.rs`: name of each campaign and its blob; what campaigns share has no name.
const EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/library.rs"));

/// Where the scenarios of a campaign lie, and how their files end.
const SCENARIOS: (&str, &str) = ("scenarios/", ".json");

/// Texts by path, with forward slashes: `scenarios/clean.json`.
type Files = BTreeMap<String, String>;

/// All campaigns, by name, and what they share.
#[derive(Debug, Default)]
pub(crate) struct Library {
    shared: Files,
    campaigns: BTreeMap<String, Files>,
}

/// A scenario's file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScenarioFile {
    pub(crate) name: &'static str,
    pub(crate) campaign: &'static str,
    pub(crate) text: &'static str,
}

/// What comes with Allclear.
pub(crate) fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let mut library = Library::default();
        for (name, blob) in EMBEDDED {
            let files = decode(blob).expect("`build.rs` wrote it in this form");
            if name.is_empty() {
                library.shared = files;
            } else {
                library.campaigns.insert((*name).to_owned(), files);
            }
        }
        #[cfg(test)]
        library
            .campaigns
            .insert("invented".to_owned(), tests::invented());
        library
    })
}

impl Library {
    /// The names of all campaigns, sorted.
    pub(crate) fn campaigns(&'static self) -> impl Iterator<Item = &'static str> {
        self.campaigns.keys().map(String::as_str)
    }

    /// The text of a campaign's file; nothing where it has none, or there is no such campaign.
    pub(crate) fn of_campaign(&'static self, campaign: &str, path: &str) -> Option<&'static str> {
        let text = self.campaigns.get(campaign)?.get(path)?;
        Some(text)
    }

    /// The text of a file that campaigns share.
    pub(crate) fn shared(&'static self, path: &str) -> Option<&'static str> {
        self.shared.get(path).map(String::as_str)
    }

    /// All scenarios, by campaign and name.
    pub(crate) fn scenarios(&'static self) -> impl Iterator<Item = ScenarioFile> {
        self.campaigns.iter().flat_map(|(campaign, files)| {
            files.iter().filter_map(move |(path, text)| {
                let name = path.strip_prefix(SCENARIOS.0)?.strip_suffix(SCENARIOS.1)?;
                Some(ScenarioFile {
                    name,
                    campaign,
                    text,
                })
            })
        })
    }

    /// The scenario of that name.
    pub(crate) fn scenario(&'static self, name: &str) -> Option<ScenarioFile> {
        self.scenarios().find(|file| file.name == name)
    }
}

/// `None` where the blob does not have the form that `build.rs` writes.
fn decode(blob: &[u8]) -> Option<Files> {
    let files = embed::decode(blob)?.into_iter();
    files
        .map(|(path, bytes)| Some((path, String::from_utf8(bytes).ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// A campaign of the unit tests alone, against a product that only its data describe.
    pub(super) fn invented() -> Files {
        let files = [
            (
                "campaign.json",
                include_str!("../tests/invented/campaign.json"),
            ),
            (
                "product.json",
                include_str!("../tests/invented/product.json"),
            ),
            (
                "chapters.json",
                include_str!("../tests/invented/chapters.json"),
            ),
            (
                "scenarios/invented-entered.json",
                include_str!("../tests/invented/scenarios/invented-entered.json"),
            ),
            (
                "scenarios/invented-clean.json",
                include_str!("../tests/invented/scenarios/invented-clean.json"),
            ),
        ];
        let files = files.into_iter();
        files
            .map(|(path, text)| (path.to_owned(), text.to_owned()))
            .collect()
    }

    #[test]
    fn every_scenario_has_a_name_of_its_own() {
        let mut names = BTreeSet::new();
        for file in library().scenarios() {
            assert!(
                names.insert(file.name),
                "two scenarios are named {}; one is of {}: begin the name with the campaign's",
                file.name,
                file.campaign
            );
            assert!(!file.name.contains('+'), "{}", file.name);
        }
        assert!(names.len() > 60, "{}", names.len());
    }

    #[test]
    fn what_is_embedded_cannot_be_read_in_the_program() {
        for (name, blob) in EMBEDDED {
            let clear = |word: &[u8]| blob.windows(word.len()).any(|window| window == word);
            assert!(!clear(b"JScr") && !clear(b"scenarios/"), "{name}");
        }
    }
}
