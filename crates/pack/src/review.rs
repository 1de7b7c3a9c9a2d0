//! `knowledge/windows/persistence.csv` and `knowledge/review.yaml`: what is shipped that starts by itself, and what a
//! review of persistence looks at.

use crate::tables::{read_csv, read_yaml};
use model::PersistenceKind;
use serde::{Deserialize, Serialize};

const SHIPPED: &str = include_str!("../../../knowledge/windows/persistence.csv");
const REVIEW: &str = include_str!("../../../knowledge/review.yaml");

const SHIPPED_COLUMNS: &[&str] = &["kind", "name", "runs", "product", "source"];

/// What a review of persistence knows.
#[derive(Clone, Debug)]
pub struct Review {
    pub shipped: Vec<ShippedStart>,
    pub kinds: Vec<ReviewedKind>,
    pub signs: Signs,
}

/// A row of `persistence.csv`: something that Windows or a product sets up by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShippedStart {
    pub kind: PersistenceKind,
    /// Its name; `*` stands for any text. Case is ignored.
    pub name: String,
    /// The program or library that it runs, in the same form; several are parted by `|`. Empty: whatever it runs, the
    /// name is all that the source tells.
    pub runs: String,
    /// Which product ships it.
    pub product: String,
    pub source: String,
}

/// `review.yaml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReviewFile {
    kinds: Vec<ReviewedKind>,
    signs: Signs,
}

/// A kind of persistence, and which evidence shows all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewedKind {
    pub kind: PersistenceKind,
    pub title: String,
    /// Sources that together hold all of this kind, each with what is unseen without it.
    pub sources: Vec<ReviewedSource>,
    /// Ids of the products that have it; empty where every host has.
    #[serde(default)]
    pub products: Vec<String>,
    /// How to collect it, one sentence.
    pub collect: String,
    pub source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewedSource {
    pub source: String,
    /// What nobody sees without it, as the end of a sentence.
    pub without: String,
}

/// Words by which a command stands out; all are compared in lower case, with `/` for a switch taken as `-`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signs {
    /// Folders in which users and services may write, or which the web server serves; parts of a path.
    pub open_folders: Vec<String>,
    /// Folders below these to which only administrators and the system write.
    pub closed_folders: Vec<String>,
    /// Programs that run scripts or fetch and start other code, without ending.
    pub script_hosts: Vec<String>,
    /// Switches and words of encoded or downloaded commands.
    pub encoded: Vec<String>,
    pub source: String,
}

/// What the table of shipped starts says of a name and of what it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shipped<'a> {
    /// Shipped under this name, running this, or anything where the source tells no more.
    Yes(&'a ShippedStart),
    /// Shipped under this name, but running something else.
    OtherProgram(&'a ShippedStart),
    No,
}

impl Review {
    /// The tables that come with Allclear.
    pub fn builtin() -> Self {
        let mut problems = Vec::new();
        let mut shipped: Vec<ShippedStart> =
            read_csv("persistence.csv", SHIPPED, SHIPPED_COLUMNS, &mut problems);
        // Compared with what a host has thousands of times; case never counts.
        for row in &mut shipped {
            row.name = row.name.to_lowercase();
            row.runs = row.runs.to_lowercase();
        }
        let file: Option<ReviewFile> = read_yaml("review.yaml", REVIEW, &mut problems);
        let file = file.expect("a test reads the checked-in table of what is reviewed");
        Self {
            shipped,
            kinds: file.kinds,
            signs: file.signs,
        }
    }

    /// What is known of something of this kind and name that runs these programs and libraries: paths in lower case
    /// without quotes and arguments.
    pub fn shipped(&self, kind: PersistenceKind, name: &str, programs: &[String]) -> Shipped<'_> {
        let name = name.to_lowercase();
        let mut other = None;
        for row in self.shipped.iter().filter(|row| row.kind == kind) {
            if !matches(&row.name, &name) {
                continue;
            }
            let runs = |program: &String| row.runs.split('|').any(|known| matches(known, program));
            if row.runs.is_empty() || programs.iter().all(runs) {
                return Shipped::Yes(row);
            }
            other = other.or(Some(row));
        }
        other.map_or(Shipped::No, Shipped::OtherProgram)
    }
}

/// Whether `name` fits a pattern in which `*` stands for any text; both are in lower case.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut ends_open = false;
    let mut any_star = false;
    for part in parts {
        any_star = true;
        ends_open = part.is_empty();
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    // The last part must stand at the very end, wherever it was met first.
    let last = pattern.rsplit('*').next().unwrap_or_default();
    // `a*` fits whatever follows; without a star nothing may be left.
    (any_star && (ends_open || name.ends_with(last))) || rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_is_read_and_names_its_source() {
        let mut problems = Vec::new();
        let rows: Vec<ShippedStart> =
            read_csv("persistence.csv", SHIPPED, SHIPPED_COLUMNS, &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        let mut names = BTreeSet::new();
        for row in &rows {
            assert!(!row.source.is_empty() && !row.product.is_empty(), "{row:?}");
            let key = (row.kind, row.name.to_lowercase(), row.runs.clone());
            assert!(names.insert(key), "{row:?} stands there twice");
        }
        assert!(rows.len() > 200);
    }

    #[test]
    fn every_kind_is_reviewed_once() {
        let review = Review::builtin();
        let kinds: BTreeSet<PersistenceKind> =
            review.kinds.iter().map(|reviewed| reviewed.kind).collect();
        assert_eq!((kinds.len(), review.kinds.len()), (8, 8));
        for reviewed in &review.kinds {
            assert!(!reviewed.sources.is_empty() && !reviewed.source.is_empty());
        }
    }

    #[test]
    fn names_and_programs_are_known_together() {
        let review = Review::builtin();
        let said = |name: &str, program: &str| {
            let programs = [program.to_owned()];
            match review.shipped(PersistenceKind::Service, name, &programs) {
                Shipped::Yes(_) => "yes",
                Shipped::OtherProgram(_) => "other program",
                Shipped::No => "no",
            }
        };
        assert_eq!(said("w3svc", r"c:\windows\system32\svchost.exe"), "yes");
        assert_eq!(
            said("W3SVC", r"c:\programdata\svchost.exe"),
            "other program"
        );
        assert_eq!(said("WwanSvcdcs", r"c:\windows\system32\svchost.exe"), "no");
        assert!(matches("a*", "abc") && matches("*c", "abc") && matches("a*c*e", "abcde"));
        assert!(!matches("a*d", "abc") && !matches("b", "abc") && !matches("a*c", "abcc d"));
    }
}
