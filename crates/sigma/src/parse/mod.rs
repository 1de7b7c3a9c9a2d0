//! Reads files of rules, filters and correlations.
//!
//! Nothing here fails as a whole: a document that cannot be read becomes a [`Problem`], the others stay.

mod condition;
mod correlation;
mod detection;
mod document;
mod node;

pub use condition::parse_condition;
pub use node::Node;

pub(crate) use detection::{item_from, literal, without_spaces};
pub(crate) use document::Keys;
pub(crate) use node::{documents, read};

use crate::problem::Problem;
use crate::rule::{Correlation, Filter, Rule};

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub struct Parsed<'t> {
    /// Its detection rules.
    pub rules: Vec<Rule>,
    /// Its correlations.
    pub correlations: Vec<Correlation>,
    /// Its filters.
    pub filters: Vec<Filter>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// Where each rule stands, for messages of later steps.
    pub(crate) origins: Vec<Origin<'t>>,
}

/// A rule's document, kept so that later steps can name a line.
#[derive(Clone, Debug)]
pub(crate) struct Origin<'t> {
    file: &'t str,
    from: usize,
    until: usize,
    lines_before: usize,
    /// Why a pipeline refuses the rule.
    pub(crate) refused: Option<Problem>,
}

impl Origin<'_> {
    /// The line of a place in the rule.
    pub(crate) fn line_of(&self, place: &str) -> Option<usize> {
        let text = self.file.get(self.from..self.until)?;
        node::line_of(text, self.lines_before, place)
    }
}

impl Parsed<'_> {
    /// Leaves out rules.
    pub fn retain_rules(&mut self, mut keep: impl FnMut(&Rule) -> bool) {
        let kept: Vec<bool> = self.rules.iter().map(&mut keep).collect();
        let mut own = kept.iter();
        self.rules.retain(|_| own.next() == Some(&true));
        let mut own = kept.iter();
        self.origins.retain(|_| own.next() == Some(&true));
    }

    /// Adds what another file holds.
    pub fn append(&mut self, mut other: Self) {
        self.rules.append(&mut other.rules);
        self.correlations.append(&mut other.correlations);
        self.filters.append(&mut other.filters);
        self.problems.append(&mut other.problems);
        self.origins.append(&mut other.origins);
    }
}

/// Reads every document of a file.
pub fn parse(text: &str) -> Parsed<'_> {
    let mut parsed = Parsed::default();
    if text.len() > node::TEXT_BYTES_MAX {
        parsed.problems.push(Problem::error(
            "",
            format!("the file has more than {} bytes", node::TEXT_BYTES_MAX),
            "split it",
        ));
        return parsed;
    }
    let documents = node::documents(text);
    if documents.is_empty() {
        parsed.problems.push(Problem::error(
            "",
            "the file holds no Sigma rule",
            "remove it or write one",
        ));
        return parsed;
    }
    for document in &documents {
        // A document is a part of the text, so its place in it is the distance of the two.
        let from = document.text.as_ptr() as usize - text.as_ptr() as usize;
        let origin = Origin {
            file: text,
            from,
            until: from + document.text.len(),
            lines_before: document.lines_before,
            refused: None,
        };
        read_document(document, &origin, &mut parsed);
    }
    parsed
}

/// Reads many files over several threads; the results are in the order of the files.
pub fn parse_all<'t>(files: &[&'t str], workers: usize) -> Vec<Parsed<'t>> {
    let workers = workers.clamp(1, 64).min(files.len().max(1));
    let share = files.len().div_ceil(workers).max(1);
    let read =
        |part: &[&'t str]| -> Vec<Parsed<'t>> { part.iter().map(|file| parse(file)).collect() };
    if workers == 1 {
        return read(files);
    }
    std::thread::scope(|scope| {
        let running: Vec<_> = files
            .chunks(share)
            .map(|part| scope.spawn(move || read(part)))
            .collect();
        running
            .into_iter()
            .flat_map(|one| one.join().expect("reading a rule does not panic"))
            .collect()
    })
}

fn read_document<'t>(document: &node::Document<'_>, origin: &Origin<'t>, parsed: &mut Parsed<'t>) {
    let mut found = Vec::new();
    let node = match node::read(document) {
        Ok(node) => node,
        Err(problem) => {
            parsed.problems.push(problem);
            return;
        }
    };
    let mut name = String::new();
    let read = Keys::of(node, "the document").and_then(|keys| {
        name = keys.name();
        document::read(keys, &mut found)
    });
    let error = match read {
        Ok(document::Kind::Rule(rule)) => {
            parsed.rules.push(rule);
            parsed.origins.push(origin.clone());
            None
        }
        Ok(document::Kind::Correlation(correlation)) => {
            parsed.correlations.push(correlation);
            None
        }
        Ok(document::Kind::Filter(filter)) => {
            parsed.filters.push(filter);
            None
        }
        Err(error) => Some(error),
    };
    for mut problem in found.into_iter().chain(error) {
        problem.rule.clone_from(&name);
        problem.line = problem.line.or_else(|| origin.line_of(&problem.place));
        parsed.problems.push(problem);
    }
}
