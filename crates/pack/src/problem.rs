//! What is wrong with a pack, told to its author in the form that rustc uses.

use std::fmt;

/// Longest part of a source line that a message shows, in characters.
const EXCERPT_CHARS_MAX: usize = 120;

/// Characters shown before the place of the problem where a line is cut.
const EXCERPT_LEAD_CHARS: usize = 40;

/// The stable name of a kind of problem. Below 100: the pack cannot be loaded. From 100: the linter complains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// P001: a file that every pack needs is missing.
    FileMissing,
    /// P002: a file or folder cannot be read, is too large, or is not UTF-8.
    FileUnreadable,
    /// P003: a YAML file does not have the expected form.
    Yaml,
    /// P004: the columns of a CSV file are not the expected ones.
    Columns,
    /// P005: a row of a CSV file cannot be read.
    Row,
    /// P006: an example cannot be read.
    Example,
    /// P101: a row or step names no source.
    SourceMissing,
    /// P102: an id or value occurs twice.
    Duplicate,
    /// P103: a date is not a date, or two dates stand in the wrong order.
    Date,
    /// P104: the type of an indicator is unknown.
    IndicatorType,
    /// P105: the value of an indicator does not have the form of its type.
    IndicatorValue,
    /// P106: a confidence is not between 1 and 10.
    Confidence,
    /// P107: the vendor ships a file of this name, so it cannot serve as an indicator.
    ShippedFile,
    /// P108: a rule has no readable meaning.
    Meaning,
    /// P109: a rule names a step that `pack.yaml` does not tell.
    UnknownStep,
    /// P110: a rule lacks a matching or a clear example.
    ExampleMissing,
    /// P111: an example names no rule of the pack.
    UnknownRule,
    /// P112: a needed text is empty.
    EmptyText,
    /// P113: a text has a placeholder that nothing fills.
    Placeholder,
    /// P114: the product stands in no table.
    UnknownProduct,
    /// P115: a build stands in no table, or has the wrong number of parts.
    UnknownBuild,
    /// P116: a build is vulnerable but no patch path leads away from it, or a path's range is empty.
    PatchPath,
    /// P117: no reader gives a source of this name.
    UnknownSource,
    /// P118: a file of the pack is not used.
    StrayFile,
    /// P119: a vulnerability is named that `vulnerabilities.csv` does not list.
    UnknownVulnerability,
    /// P120: an analysis, or an input or outcome of one, is named that Allclear does not have.
    UnknownAnalysis,
    /// P130: a place that a draft left to a person is not filled in.
    Draft,
}

impl Code {
    /// Every code, in order.
    pub const ALL: &[Self] = &[
        Self::FileMissing,
        Self::FileUnreadable,
        Self::Yaml,
        Self::Columns,
        Self::Row,
        Self::Example,
        Self::SourceMissing,
        Self::Duplicate,
        Self::Date,
        Self::IndicatorType,
        Self::IndicatorValue,
        Self::Confidence,
        Self::ShippedFile,
        Self::Meaning,
        Self::UnknownStep,
        Self::ExampleMissing,
        Self::UnknownRule,
        Self::EmptyText,
        Self::Placeholder,
        Self::UnknownProduct,
        Self::UnknownBuild,
        Self::PatchPath,
        Self::UnknownSource,
        Self::StrayFile,
        Self::UnknownVulnerability,
        Self::UnknownAnalysis,
        Self::Draft,
    ];

    /// The code as it is printed and documented: `P001`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FileMissing => "P001",
            Self::FileUnreadable => "P002",
            Self::Yaml => "P003",
            Self::Columns => "P004",
            Self::Row => "P005",
            Self::Example => "P006",
            Self::SourceMissing => "P101",
            Self::Duplicate => "P102",
            Self::Date => "P103",
            Self::IndicatorType => "P104",
            Self::IndicatorValue => "P105",
            Self::Confidence => "P106",
            Self::ShippedFile => "P107",
            Self::Meaning => "P108",
            Self::UnknownStep => "P109",
            Self::ExampleMissing => "P110",
            Self::UnknownRule => "P111",
            Self::EmptyText => "P112",
            Self::Placeholder => "P113",
            Self::UnknownProduct => "P114",
            Self::UnknownBuild => "P115",
            Self::PatchPath => "P116",
            Self::UnknownSource => "P117",
            Self::StrayFile => "P118",
            Self::UnknownVulnerability => "P119",
            Self::UnknownAnalysis => "P120",
            Self::Draft => "P130",
        }
    }
}

/// One thing that is wrong, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub code: Code,
    /// Path inside the pack.
    pub file: String,
    /// What is wrong, lower case, without a full stop.
    pub what: String,
    /// What to write instead.
    pub recommendation: String,
    /// Text in the file that the problem is about, by which its line can be found.
    pub subject: Option<String>,
    /// The subject is looked for from this line on, counted from 1.
    pub subject_from_line: usize,
    /// Where in the file, if known.
    pub spot: Option<Spot>,
}

/// A place in a file of a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// Characters to underline, at least 1.
    pub length: usize,
    /// The whole line.
    pub text: String,
}

impl Problem {
    /// A problem whose place is not known yet.
    pub(crate) fn new(
        code: Code,
        file: &str,
        what: impl Into<String>,
        recommendation: impl Into<String>,
    ) -> Self {
        Self {
            code,
            file: file.to_owned(),
            what: what.into(),
            recommendation: recommendation.into(),
            subject: None,
            subject_from_line: 1,
            spot: None,
        }
    }

    /// Names the text by which the place can be found.
    pub(crate) fn about(mut self, subject: &str) -> Self {
        self.subject = Some(subject.to_owned());
        self
    }

    /// Says that the problem stands in this row of a table, counted from 0; its first line names the columns.
    pub(crate) fn in_row(mut self, row: usize) -> Self {
        self.subject_from_line = row + 2;
        self
    }

    pub(crate) fn at(mut self, spot: Option<Spot>) -> Self {
        self.spot = spot;
        self
    }

    /// Finds the place in the file's text by the subject. Of an id that occurs twice, the later place is the one to
    /// mend.
    pub(crate) fn locate(&mut self, text: &str) {
        let (None, Some(subject)) = (&self.spot, &self.subject) else {
            return;
        };
        let lines = text.lines().enumerate().skip(self.subject_from_line - 1);
        let mut spots = lines.filter_map(|(index, line)| {
            let start = line.find(subject.as_str())?;
            Some(Spot {
                line: index + 1,
                column: line[..start].chars().count() + 1,
                length: subject.chars().count().max(1),
                text: line.to_owned(),
            })
        });
        self.spot = if self.code == Code::Duplicate && self.subject_from_line == 1 {
            spots.last()
        } else {
            spots.next()
        };
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error[{}]: {}", self.code.as_str(), harmless(&self.what))?;
        let file = harmless(&self.file);
        let Some(spot) = &self.spot else {
            writeln!(f, " --> {file}")?;
            return write!(f, "  = help: {}", harmless(&self.recommendation));
        };
        let number = spot.line.to_string();
        let margin = " ".repeat(number.len());
        let (excerpt, column) = excerpt(spot);
        let room = excerpt.chars().count().saturating_sub(column - 1).max(1);
        writeln!(f, "{margin}--> {file}:{}:{}", spot.line, spot.column)?;
        writeln!(f, "{margin} |")?;
        writeln!(f, "{number} | {excerpt}")?;
        let before = " ".repeat(column - 1);
        let carets = "^".repeat(spot.length.clamp(1, room));
        writeln!(f, "{margin} | {before}{carets}")?;
        write!(f, "{margin} = help: {}", harmless(&self.recommendation))
    }
}

/// Everything that is wrong with a pack; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", listed(.problems))]
pub struct PackError {
    pub problems: Vec<Problem>,
}

/// One problem after another, with an empty line between.
fn listed(problems: &[Problem]) -> String {
    let problems: Vec<String> = problems.iter().map(Problem::to_string).collect();
    problems.join("\n\n")
}

/// The part of a line around the problem, and the column in that part, counted from 1.
fn excerpt(spot: &Spot) -> (String, usize) {
    let line: Vec<char> = harmless(&spot.text).chars().collect();
    let column = spot.column.clamp(1, line.len() + 1);
    if line.len() <= EXCERPT_CHARS_MAX {
        return (line.into_iter().collect(), column);
    }
    let start = (column - 1).saturating_sub(EXCERPT_LEAD_CHARS);
    let end = line.len().min(start + EXCERPT_CHARS_MAX);
    let (before, after) = (
        if start > 0 { "…" } else { "" },
        if end < line.len() { "…" } else { "" },
    );
    let middle: String = line[start..end].iter().collect();
    let column = column - start + before.chars().count();
    (format!("{before}{middle}{after}"), column)
}

/// A pack may come from anywhere, and its text goes to a terminal: control characters are shown as spaces.
fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn long_lines_are_cut_around_the_problem_and_control_characters_are_not_printed() {
        let text = format!("{}\u{1b}[31mBAD{}", "a".repeat(100), "b".repeat(300));
        let mut problem =
            Problem::new(Code::Row, "x.csv", "`BAD` is wrong", "write good").about("BAD");
        problem.locate(&format!("first\n{text}\n"));
        expect![[r"
            error[P005]: `BAD` is wrong
             --> x.csv:2:106
              |
            2 | …aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa [31mBADbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb…
              |                                          ^^^
              = help: write good"]]
        .assert_eq(&problem.to_string());
    }
}
