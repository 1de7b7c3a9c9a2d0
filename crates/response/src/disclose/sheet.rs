//! A form of an authority, filled in as far as a case knows, as a spreadsheet (XLSX). Every cell is text: nothing in it is
//! ever a formula or a link.

use super::draft::Known;
use rust_xlsxwriter::{Format, FormatAlign, Workbook, XlsxError};
use serde::Deserialize;
use store::VerdictRow;

/// Excel's own bound on the text of a cell, with room.
const CELL_MAX: usize = 32_000;
/// Excel's columns end somewhere.
const INSTANCES_MAX: usize = 10_000;

const FORMS: &[(&str, &str)] = &[(
    "ed-21-02",
    include_str!("../../../../knowledge/disclosure/ed-21-02.yaml"),
)];

/// A form: questions about the whole, and about each server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    pub title: String,
    pub source: String,
    pub status: Vec<Question>,
    pub inventory: Vec<Question>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    pub ask: String,
    pub facts: Answered,
}

/// What answers a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answered {
    Organisation,
    Any,
    Comments,
    Name,
    Build,
    Updated,
    Triaged,
    Indicators,
    Removed,
    Person,
}

/// The form of this name.
pub fn form(name: &str) -> Option<Form> {
    let (_, text) = FORMS.iter().find(|(known, _)| *known == name)?;
    Some(serde_yaml_ng::from_str(text).expect("a test reads the form"))
}

/// Names of the forms that there are.
pub fn names() -> Vec<&'static str> {
    FORMS.iter().map(|(name, _)| *name).collect()
}

/// The form filled in; what the case does not know stays empty, and the comments say what that is.
pub fn xlsx(form: &Form, known: &Known<'_>) -> Result<Vec<u8>, XlsxError> {
    let wrap = Format::new().set_text_wrap().set_align(FormatAlign::Top);
    let bold = wrap.clone().set_bold();
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.set_name("Status Report")?;
    sheet.set_column_width(0, 70)?;
    sheet.set_column_width(1, 60)?;
    sheet.write_string_with_format(0, 0, &form.title, &bold)?;
    for (row, question) in (2_u32..).zip(&form.status) {
        sheet.write_string_with_format(row, 0, &question.ask, &wrap)?;
        sheet.write_string_with_format(row, 1, cell(&whole(question.facts, known)), &wrap)?;
    }
    let sheet = workbook.add_worksheet();
    sheet.set_name("Inventory")?;
    sheet.set_column_width(0, 70)?;
    sheet.write_string_with_format(0, 0, &form.title, &bold)?;
    for (row, question) in (2_u32..).zip(&form.inventory) {
        sheet.write_string_with_format(row, 0, &question.ask, &wrap)?;
        for (column, verdict) in (1_u16..).zip(known.verdicts.iter().take(INSTANCES_MAX)) {
            let answer = of_host(question.facts, verdict);
            sheet.write_string_with_format(row, column, cell(&answer), &wrap)?;
        }
    }
    workbook.save_to_buffer()
}

fn cell(text: &str) -> String {
    report::visible(text).chars().take(CELL_MAX).collect()
}

fn whole(facts: Answered, known: &Known<'_>) -> String {
    match facts {
        Answered::Organisation => known.organisation.to_owned(),
        Answered::Any if !known.verdicts.is_empty() => "Yes".to_owned(),
        Answered::Comments => {
            let unseen = known.verdicts.iter().filter(|row| !row.sufficient);
            let unseen: Vec<&str> = unseen.map(|row| row.host.as_str()).collect();
            let told = known.subject.map_or(0, |subject| subject.servers.len());
            let mut text = format!("{} servers were examined.", known.verdicts.len());
            if !unseen.is_empty() {
                text.push_str(" Part of the evidence was not seen on: ");
                text.push_str(&unseen.join(", "));
                text.push('.');
            }
            if told > 0 {
                text.push(' ');
                text.push_str(&told.to_string());
                text.push_str(" servers are named by reports of others and may be further ones.");
            }
            text.push_str(
                " Empty cells are not known from evidence and must be filled in by a person.",
            );
            text
        }
        _ => String::new(),
    }
}

/// An answer that rests on evidence, or nothing. "No" is said only where all that a judgement needs was seen.
fn of_host(facts: Answered, row: &VerdictRow) -> String {
    let found = matches!(
        row.verdict.as_str(),
        "compromised" | "reinfected" | "evicted"
    );
    match facts {
        Answered::Name => row.host.clone(),
        Answered::Build => row.build.clone().unwrap_or_default(),
        Answered::Updated => match row.exposure.as_str() {
            "patched" => "Yes",
            "vulnerable" | "mitigated" => "No",
            _ => "",
        }
        .to_owned(),
        Answered::Triaged => (if row.sufficient { "Yes" } else { "" }).to_owned(),
        Answered::Indicators => match (found, row.sufficient) {
            (true, _) => "Yes",
            (false, true) => "No",
            (false, false) => "",
        }
        .to_owned(),
        Answered::Removed => match row.verdict.as_str() {
            "evicted" => "Yes",
            "compromised" | "reinfected" => "No",
            _ => "",
        }
        .to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_filled_in_without_formulas() {
        let form = form("ed-21-02").unwrap();
        assert_eq!(names(), ["ed-21-02"]);
        let row = |host: &str, verdict: &str, sufficient| VerdictRow {
            host: host.to_owned(),
            verdict: verdict.to_owned(),
            exposure: "patched".to_owned(),
            build: Some("=HYPERLINK(\"x\")".to_owned()),
            sufficient,
            ..VerdictRow::default()
        };
        let verdicts = [
            row("=1+1", "compromised", false),
            row("EX02", "unproven", false),
            row("EX03", "clear", true),
        ];
        let known = Known {
            organisation: "@SUM(1)",
            subject: None,
            verdicts: &verdicts,
        };
        let indicators: Vec<String> = verdicts
            .iter()
            .map(|row| of_host(Answered::Indicators, row))
            .collect();
        assert_eq!(indicators, ["Yes", "", "No"]);
        let bytes = xlsx(&form, &known).unwrap();
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        let mut seen = 0;
        for at in 0..archive.len() {
            let mut text = String::new();
            let mut file = archive.by_index(at).unwrap();
            std::io::Read::read_to_string(&mut file, &mut text).unwrap();
            assert!(
                !text.contains("<f>") && !text.contains("hyperlink"),
                "{text}"
            );
            seen += usize::from(text.contains("@SUM(1)")) + usize::from(text.contains("=1+1"));
        }
        assert_eq!(seen, 2);
    }
}
