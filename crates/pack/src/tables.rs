//! Reads the CSV and YAML files of packs and of `knowledge/`, and says where they are wrong.

use crate::problem::{Code, Problem, Spot};
use serde::de::DeserializeOwned;

/// Reads all rows of a CSV file whose first line names exactly `columns`, in any order. Rows that cannot be read
/// become problems.
pub(crate) fn read_csv<T: DeserializeOwned>(
    file: &str,
    text: &str,
    columns: &[&str],
    problems: &mut Vec<Problem>,
) -> Vec<T> {
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let head = match reader.headers() {
        Ok(head) => head.clone(),
        Err(error) => {
            problems.push(row_problem(file, text, &error));
            return Vec::new();
        }
    };
    let before = problems.len();
    check_columns(file, text, &head, columns, problems);
    if problems.len() > before {
        return Vec::new();
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let row = record.and_then(|record| record.deserialize(Some(&head)));
        match row {
            Ok(row) => rows.push(row),
            Err(error) => problems.push(row_problem(file, text, &error)),
        }
    }
    rows
}

/// Reads a YAML file into one value; where that fails, the problem is noted.
pub(crate) fn read_yaml<T: DeserializeOwned>(
    file: &str,
    text: &str,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    match serde_yaml_ng::from_str(text) {
        Ok(value) => Some(value),
        Err(error) => {
            problems.push(yaml_problem(Code::Yaml, file, text, &error));
            None
        }
    }
}

/// Tells a YAML error in terms of the file it stands in.
pub(crate) fn yaml_problem(
    code: Code,
    file: &str,
    text: &str,
    error: &serde_yaml_ng::Error,
) -> Problem {
    let spot = error
        .location()
        .and_then(|location| spot_at(text, location.line(), location.column(), 1));
    Problem::new(
        code,
        file,
        without_location(&error.to_string()),
        "docs/writing-a-pack.md describes the form of this file",
    )
    .at(spot)
}

/// A place by line and column, both from 1.
pub(crate) fn spot_at(text: &str, line: usize, column: usize, length: usize) -> Option<Spot> {
    let text = text.lines().nth(line.checked_sub(1)?)?;
    Some(Spot {
        line,
        column: column.max(1),
        length,
        text: text.to_owned(),
    })
}

/// Strips the byte order mark that some editors put in front.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn check_columns(
    file: &str,
    text: &str,
    head: &csv::StringRecord,
    columns: &[&str],
    problems: &mut Vec<Problem>,
) {
    let expected = format!("the first line must be `{}`", columns.join(","));
    for column in columns {
        if !head.iter().any(|given| given == *column) {
            let what = format!("the column `{column}` is missing");
            problems.push(
                Problem::new(Code::Columns, file, what, &*expected).at(spot_at(text, 1, 1, 1)),
            );
        }
    }
    for (index, given) in head.iter().enumerate() {
        if !columns.contains(&given) {
            let what = format!("the column `{given}` is unknown");
            let spot = field_spot(text, 1, index);
            problems.push(Problem::new(Code::Columns, file, what, &*expected).at(spot));
        }
    }
}

fn row_problem(file: &str, text: &str, error: &csv::Error) -> Problem {
    let line = |position: &Option<csv::Position>| {
        position
            .as_ref()
            .and_then(|position| usize::try_from(position.line()).ok())
    };
    match error.kind() {
        csv::ErrorKind::Deserialize { pos, err } => {
            let what = row_trouble(err.kind());
            let field = err.field().and_then(|field| usize::try_from(field).ok());
            let spot = line(pos).and_then(|line| match field {
                Some(field) => field_spot(text, line, field),
                None => quoted_spot(text, line, &what),
            });
            let help = "mend the field, or take the row out";
            Problem::new(Code::Row, file, what, help).at(spot)
        }
        csv::ErrorKind::UnequalLengths {
            pos,
            expected_len,
            len,
        } => {
            let what = format!("the row has {len} fields, but the first line names {expected_len}");
            let help = "put a field that holds a comma between double quotes";
            let spot = line(pos).and_then(|line| spot_at(text, line, 1, usize::MAX));
            Problem::new(Code::Row, file, what, help).at(spot)
        }
        _ => Problem::new(
            Code::Row,
            file,
            error.to_string(),
            "write the file as UTF-8",
        ),
    }
}

fn row_trouble(kind: &csv::DeserializeErrorKind) -> String {
    match kind {
        csv::DeserializeErrorKind::Message(message)
        | csv::DeserializeErrorKind::Unsupported(message) => message.clone(),
        csv::DeserializeErrorKind::ParseInt(source) => format!("not a number: {source}"),
        other => other.to_string(),
    }
}

/// The place in a line of what a message quotes first; the whole line where it quotes nothing of it.
fn quoted_spot(text: &str, line: usize, message: &str) -> Option<Spot> {
    let content = text.lines().nth(line.checked_sub(1)?)?;
    let quoted = message.split('`').nth(1).filter(|word| !word.is_empty());
    let found = quoted.and_then(|word| Some((content.find(word)?, word)));
    match found {
        Some((at, word)) => {
            let column = content[..at].chars().count() + 1;
            spot_at(text, line, column, word.chars().count())
        }
        None => spot_at(text, line, 1, usize::MAX),
    }
}

/// The place of a field in a line of CSV, both quotes included.
fn field_spot(text: &str, line: usize, field: usize) -> Option<Spot> {
    let content = text.lines().nth(line.checked_sub(1)?)?;
    let mut index = 0;
    let mut quoted = false;
    let (mut start, mut end) = (0, None);
    for (column, character) in content.chars().enumerate() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => {
                if index == field {
                    end = Some(column);
                    break;
                }
                index += 1;
                start = column + 1;
            }
            _ => {}
        }
    }
    if index != field {
        return spot_at(text, line, 1, 1);
    }
    let end = end.unwrap_or_else(|| content.chars().count());
    spot_at(text, line, start + 1, end.saturating_sub(start).max(1))
}

/// The parser puts the place at the end of its message; ours is shown apart.
fn without_location(message: &str) -> &str {
    match message.rfind(" at line ") {
        Some(end) if !message[end..].contains('`') => &message[..end],
        _ => message,
    }
}
