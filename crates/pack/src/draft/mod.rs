//! Drafts of packs: a folder that can be loaded, in which every place that a person must fill in bears a mark.
//!
//! What advisories and lists of indicators hold is taken over; what they cannot know is marked with [`FILL_IN`], and
//! the linter tells each mark with its line. Where a draft must decide, it decides so that a host is rather called
//! vulnerable than fixed.

mod csaf;

pub use csaf::Advisory;

use crate::files::PackFiles;
use crate::indicators::{INDICATOR_COLUMNS, value_is_well_formed};
use crate::load::{
    INDICATORS, MANIFEST, NEEDS, REMEDIATION, VULNERABILITIES, VULNERABILITY_COLUMNS,
};
use crate::types::{Indicator, Vulnerability};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Marks what a person must still write; the rest of the line says what.
pub const FILL_IN: &str = "FILL IN:";

/// What is known of a campaign before anybody has written about it.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub name: String,
    pub title: String,
    pub references: Vec<String>,
    /// Each once; [`Self::add_indicator`] sees to it.
    indicators: Vec<Indicator>,
    /// Types and values of `indicators`.
    known: BTreeSet<(String, String)>,
    pub vulnerabilities: Vec<Vulnerability>,
    /// Vulnerabilities that are named without a fixed build.
    pub without_builds: BTreeSet<String>,
    /// YARA rules, as text.
    pub yara: Vec<String>,
}

impl Draft {
    /// An empty draft of this name; the error says why it cannot be a pack's name.
    pub fn new(name: &str) -> Result<Self, String> {
        let is_plain =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
        if name.is_empty() || name.starts_with('-') || !name.chars().all(is_plain) {
            return Err(format!("`{name}` cannot be the name of a pack"));
        }
        Ok(Self {
            name: name.to_owned(),
            ..Self::default()
        })
    }

    /// Takes an indicator over, unless it stands in the draft already. The error says why it cannot stand in a pack.
    pub fn add_indicator(&mut self, indicator: Indicator) -> Result<(), String> {
        if value_is_well_formed(&indicator.r#type, &indicator.value) != Some(true) {
            return Err(format!(
                "is not written as a pack writes the type `{}`",
                indicator.r#type
            ));
        }
        let key = (indicator.r#type.clone(), indicator.value.clone());
        if self.known.insert(key) {
            self.indicators.push(Indicator {
                confidence: indicator.confidence.clamp(1, 10),
                meaning: one_line(&indicator.meaning),
                source: one_line(&indicator.source),
                ..indicator
            });
        }
        Ok(())
    }

    /// Takes an advisory over, but for what it could not make of it.
    pub fn add_advisory(&mut self, advisory: Advisory) {
        self.add_title(&advisory.title);
        self.add_references(advisory.references);
        self.without_builds.extend(advisory.without_builds);
        for row in advisory.vulnerabilities {
            let is_same = |known: &Vulnerability| {
                (&known.cve, &known.product, known.fixed) == (&row.cve, &row.product, row.fixed)
            };
            if !self.vulnerabilities.iter().any(is_same) {
                self.vulnerabilities.push(row);
            }
        }
    }

    /// How many indicators it holds.
    pub fn indicators(&self) -> usize {
        self.indicators.len()
    }

    /// The first title that any file names is the campaign's.
    pub fn add_title(&mut self, title: &str) {
        if self.title.is_empty() {
            title.trim().clone_into(&mut self.title);
        }
    }

    /// References, each once.
    pub fn add_references(&mut self, references: impl IntoIterator<Item = String>) {
        for reference in references {
            if !self.references.contains(&reference) {
                self.references.push(reference);
            }
        }
    }

    /// The files of the pack.
    pub fn files(&self) -> PackFiles {
        let mut files = PackFiles {
            name: self.name.clone(),
            files: BTreeMap::new(),
        };
        let mut put = |path: &str, text: String| {
            files.files.insert(path.to_owned(), text.into_bytes());
        };
        put(MANIFEST, self.manifest());
        put(
            VULNERABILITIES,
            table(VULNERABILITY_COLUMNS, &self.vulnerabilities),
        );
        put(INDICATORS, table(INDICATOR_COLUMNS, &self.indicators));
        put(NEEDS, self.needs());
        put(REMEDIATION, self.remediation());
        for (number, rule) in self.yara.iter().enumerate() {
            put(&format!("rules/draft-{}.yar", number + 1), rule.clone());
        }
        files
    }

    fn manifest(&self) -> String {
        let mut text = String::new();
        let title = match self.title.as_str() {
            "" => "FILL IN: the campaign, in a few words",
            title => title,
        };
        let mut products: Vec<&str> = self.products().into_iter().collect();
        products.sort_unstable();
        let products = match products.as_slice() {
            [] => "[]  # FILL IN: ids of knowledge/products.yaml".to_owned(),
            known => format!("[{}]", known.join(", ")),
        };
        let released = self.vulnerabilities.iter().map(|row| row.released.as_str());
        let fixed = match released.filter(|day| !day.is_empty()).min() {
            Some(day) => quoted(&format!("{day}T00:00:00Z")),
            None => "\"2000-01-02T00:00:00Z\"  # FILL IN: when the fix was published".to_owned(),
        };
        write!(
            text,
            "name: {}
version: 0.1.0
title: {}
story: \"FILL IN: what happened, a paragraph for a responder\"
window:
  from: \"2000-01-01T00:00:00Z\"  # FILL IN: the earliest time from which exploitation must be looked for
  fixed: {fixed}
  source: \"FILL IN: who says when it began and when it was fixed\"
products: {products}
# In the order an intrusion takes them. A phrase in square brackets is left out where a detail in it is not known.
steps:
  - id: probe
    text: \"FILL IN: how somebody tried it, as a sentence; add a step for each thing that rules show\"
",
            quoted(&self.name),
            quoted(title)
        )
        .expect("a string can be written to");
        for cve in &self.without_builds {
            let line = format!("# FILL IN: the builds that fix {cve}, in vulnerabilities.csv\n");
            text.push_str(&one_line(&line));
            text.push('\n');
        }
        if !self.vulnerabilities.is_empty() {
            text.push_str(
                "# FILL IN: `yes` in vulnerabilities.csv where every later cumulative update holds the fix; `no` is drafted\n",
            );
        }
        if self.references.is_empty() {
            text.push_str("references:\n  - \"FILL IN: where to read on\"\n");
        } else {
            text.push_str("references:\n");
            for reference in &self.references {
                writeln!(text, "  - {}", quoted(reference)).expect("a string can be written to");
            }
        }
        text
    }

    fn needs(&self) -> String {
        let cves: BTreeSet<&str> = self
            .vulnerabilities
            .iter()
            .map(|row| row.cve.as_str())
            .collect();
        let cves: Vec<String> = cves.into_iter().map(quoted).collect();
        format!(
            "# One entry for each question that must be answered before anybody says `clear`.
- id: entry
  title: \"FILL IN: what shows whether somebody came in\"
  answers: [{}]
  span: entry
  any_of:
    - sources:
        - source: windows.eventlog:security  # FILL IN: the source that would show it
  collect: \"FILL IN: how to collect what is missing\"
  rotates: \"FILL IN: when it rotates away, and who says so\"
",
            cves.join(", ")
        )
    }

    fn remediation(&self) -> String {
        let step = |id: &str, text: &str| {
            format!(
                "  - id: {id}
    text: \"FILL IN: {text}\"
    who: \"FILL IN: administrator, responder, …\"
    how_long: \"FILL IN: the time it takes\"
    verified_by: \"FILL IN: what shows that it is done\"
    breaks: \"FILL IN: what stops working\"
    source: \"FILL IN: who says so\"
"
            )
        };
        let mut text = format!(
            "contain:\n{}\n",
            step("preserve", "what to preserve first, and how")
        );
        let products = self.products();
        if products.is_empty() {
            text.push_str("patch: []\n");
        } else {
            text.push_str("patch:\n");
        }
        for product in products {
            write!(
                text,
                "  - product: {product}
    from: 0.0.0
    until: 65535.65535.65535
    text: \"FILL IN: how to reach a fixed build; split the range where the ways differ\"
    prerequisites: \"FILL IN: what must be there before\"
    verified_by: \"FILL IN: what shows that it is done\"
    source: \"FILL IN: who says so\"
"
            )
            .expect("a string can be written to");
        }
        let evict = step("remove_footholds", "how to remove what the intruder left");
        write!(text, "\nevict:\n{evict}\ngates:\n").expect("a string can be written to");
        for (id, title, decided_by) in [
            ("patched", "The host runs a fixed build", "patched"),
            (
                "footholds_absent",
                "Every known foothold is gone",
                "footholds_absent",
            ),
            (
                "persistence_reviewed",
                "Nothing was left behind",
                "persistence_reviewed",
            ),
        ] {
            write!(
                text,
                "  - id: {id}
    title: {title}
    decided_by: {decided_by}
    shown_by: \"FILL IN: what a person has to show where no machine can tell\"
    source: \"FILL IN: who says so\"
"
            )
            .expect("a string can be written to");
        }
        text
    }

    fn products(&self) -> BTreeSet<&str> {
        let rows = self.vulnerabilities.iter();
        rows.map(|row| row.product.as_str()).collect()
    }
}

/// A text in double quotes. What JSON escapes, YAML reads the same way.
fn quoted(text: &str) -> String {
    serde_json::to_string(&one_line(text)).expect("text is JSON")
}

/// Control characters and whatever ends a line in YAML as spaces: what is drafted from may come from anywhere.
fn one_line(text: &str) -> String {
    let ends_line = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let plain = |c: char| if ends_line(c) { ' ' } else { c };
    text.trim().chars().map(plain).collect()
}

fn table<Row: Serialize>(columns: &[&str], rows: &[Row]) -> String {
    let mut writer = csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(Vec::new());
    let written = writer
        .write_record(columns)
        .and_then(|()| rows.iter().try_for_each(|row| writer.serialize(row)));
    written.expect("rows are plain and memory can be written to");
    let bytes = writer.into_inner().expect("memory can be written to");
    String::from_utf8(bytes).expect("texts are UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Code;
    use crate::types::{Pack, YesNo};

    /// The lint of a draft tells marks and nothing else; how many there are.
    fn marks(draft: &Draft) -> usize {
        let files = draft.files();
        Pack::from_files(&files).unwrap();
        let problems = crate::lint_files(&files);
        for problem in &problems {
            assert_eq!(problem.code, Code::Draft, "{problem}");
            assert!(problem.spot.is_some(), "{problem}");
        }
        problems.len()
    }

    #[test]
    fn an_empty_draft_loads_and_tells_every_mark() {
        let draft = Draft::new("door").unwrap();
        let files = draft.files();
        let written: usize = files
            .files
            .values()
            .map(|bytes| String::from_utf8_lossy(bytes).matches(FILL_IN).count())
            .sum();
        assert_eq!(marks(&draft), written);
        assert!(written > 20, "{written}");
    }

    #[test]
    fn names_that_could_be_paths_are_refused() {
        for name in ["", "..", "a/b", r"a\b", "-x", "A", "ü", "a b"] {
            assert!(Draft::new(name).is_err(), "{name}");
        }
    }

    #[test]
    fn whatever_a_source_holds_the_draft_can_be_loaded() {
        let mut draft = Draft::new("door").unwrap();
        let hostile = "x\"\n- #: {a}\u{0}\u{1b}[31m\u{85}\u{2028}'\\";
        draft.add_title(hostile);
        draft.add_references([hostile.to_owned()]);
        draft.without_builds.insert(format!("CVE-{hostile}"));
        let row = Indicator {
            r#type: "ip".to_owned(),
            value: "192.0.2.1".to_owned(),
            meaning: hostile.to_owned(),
            confidence: 99,
            first_seen: String::new(),
            source: hostile.to_owned(),
        };
        draft.add_indicator(row.clone()).unwrap();
        draft.add_indicator(row).unwrap();
        draft.vulnerabilities.push(Vulnerability {
            cve: "CVE-2021-99999".to_owned(),
            product: "exchange".to_owned(),
            fixed: "15.2.2562.17".parse().unwrap(),
            and_later_updates: YesNo::No,
            released: "2025-07-01".to_owned(),
            update: hostile.to_owned(),
            source: hostile.to_owned(),
        });
        let pack = Pack::from_files(&draft.files()).unwrap();
        assert_eq!(pack.indicators.len(), 1);
        assert_eq!(pack.indicators[0].confidence, 10);
        assert_eq!(pack.indicators[0].meaning, one_line(hostile));
        assert_eq!(pack.vulnerabilities, draft.vulnerabilities);
        marks(&draft);
    }
}
