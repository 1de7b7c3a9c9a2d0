//! A team's answers: the empty table, and reading the filled one.

use super::{campaigns, hosts_by_name};
use crate::score::host_key;
use crate::truth::FleetTruth;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use model::report::VerdictName;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

const COLUMNS: [&str; 7] = [
    "host",
    "campaign",
    "verdict",
    "first_effect",
    "footholds",
    "patched",
    "notes",
];

/// Stands between two footholds; no Windows path holds it.
const BETWEEN_FOOTHOLDS: char = '|';

/// More problems than this are not told at once.
const PROBLEMS_MAX: usize = 20;

/// A cell is repeated in a message up to so many characters.
const SHOWN_CHARACTERS_MAX: usize = 60;

/// Where only a day is given, its middle: half a day is the most that it can be off.
const MIDDLE_OF_DAY_HOUR: i8 = 12;

/// What a team says of one host and campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// As in the truth.
    pub host: String,
    pub campaign: String,
    pub verdict: VerdictName,
    pub first_effect: Option<Timestamp>,
    pub footholds: Vec<String>,
    pub patched: Option<Timestamp>,
}

/// What is wrong with a row, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerProblem {
    /// 1-based line of the file.
    pub line: u64,
    pub problem: String,
}

impl fmt::Display for AnswerProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

/// The table to fill in: a row for each host and each campaign, by name.
pub fn template(truth: &FleetTruth) -> String {
    let campaigns = campaigns(truth);
    let mut lines = vec![COLUMNS.join(",")];
    for host in hosts_by_name(truth) {
        for campaign in &campaigns {
            lines.push(format!("{},{},,,,,", quoted(&host.host), quoted(campaign)));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Reads a filled table (RFC 4180; semicolons may stand for commas, as some spreadsheets write them). Rows without
/// answers, and rows that were deleted, are unanswered: they give no [`Answer`].
///
/// # Errors
/// What is wrong with which line, at most twenty of them.
pub fn read_answers(text: &str, truth: &FleetTruth) -> Result<Vec<Answer>, Vec<AnswerProblem>> {
    let text = text.trim_start_matches('\u{feff}');
    let head = text.lines().next().unwrap_or_default();
    let semicolons = head.contains(';') && !head.contains(',');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(if semicolons { b';' } else { b',' })
        .flexible(true)
        .from_reader(text.as_bytes());
    let columns = columns(&mut reader).map_err(|problem| vec![problem])?;
    let rows = Rows::of(truth);
    let mut seen = BTreeMap::new();
    let (mut answers, mut problems) = (Vec::new(), Vec::new());
    for record in reader.records() {
        if problems.len() >= PROBLEMS_MAX {
            break;
        }
        let read = record
            .map_err(|error| AnswerProblem {
                line: error.position().map_or(0, csv::Position::line),
                problem: error.to_string(),
            })
            .and_then(|record| {
                let line = record.position().map_or(0, csv::Position::line);
                row(&columns, &record, &rows, &mut seen, line)
                    .map_err(|problem| AnswerProblem { line, problem })
            });
        match read {
            Ok(answer) => answers.extend(answer),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(answers)
    } else {
        Err(problems)
    }
}

/// Where each of [`COLUMNS`] stands in the file; `notes` may be missing.
fn columns(reader: &mut csv::Reader<&[u8]>) -> Result<Vec<Option<usize>>, AnswerProblem> {
    let wrong = |problem: String| AnswerProblem { line: 1, problem };
    let head = reader
        .headers()
        .map_err(|error| wrong(error.to_string()))?
        .clone();
    let place = |name: &str| {
        let mut names = head.iter();
        names.position(|column| column.trim().eq_ignore_ascii_case(name))
    };
    let places: Vec<Option<usize>> = COLUMNS.iter().map(|name| place(name)).collect();
    for (name, place) in COLUMNS.iter().zip(&places) {
        if place.is_none() && *name != "notes" {
            return Err(wrong(format!(
                "there is no column {name}; the columns are {}",
                COLUMNS.join(",")
            )));
        }
    }
    Ok(places)
}

/// Hosts and campaigns that are asked about.
struct Rows<'a> {
    hosts: BTreeMap<String, &'a str>,
    campaigns: BTreeSet<&'a str>,
}

impl<'a> Rows<'a> {
    fn of(truth: &'a FleetTruth) -> Self {
        let hosts = truth.hosts.iter();
        Self {
            hosts: hosts
                .map(|host| (host_key(&host.host), host.host.as_str()))
                .collect(),
            campaigns: campaigns(truth),
        }
    }
}

/// One row; nothing where it has no answers.
fn row(
    columns: &[Option<usize>],
    record: &csv::StringRecord,
    rows: &Rows<'_>,
    seen: &mut BTreeMap<(String, String), u64>,
    line: u64,
) -> Result<Option<Answer>, String> {
    let cell = |number: usize| {
        let place = columns.get(number).copied().flatten();
        place
            .and_then(|place| record.get(place))
            .unwrap_or("")
            .trim()
    };
    let [host, campaign, verdict, first, footholds, patched] = [0, 1, 2, 3, 4, 5].map(cell);
    if record.iter().all(|cell| cell.trim().is_empty()) {
        return Ok(None);
    }
    if record.len() > columns.len()
        && record
            .iter()
            .skip(columns.len())
            .any(|cell| !cell.is_empty())
    {
        return Err(format!(
            "there are {} cells for {} columns; put double quotes around a cell that holds a comma",
            record.len(),
            columns.len()
        ));
    }
    let name = rows.hosts.get(&host_key(host)).ok_or_else(|| {
        format!(
            "no host is named {}; leave the column as it was in the empty table",
            shown(host)
        )
    })?;
    let mut campaigns = rows.campaigns.iter();
    let campaign = campaigns
        .find(|known| known.eq_ignore_ascii_case(campaign))
        .ok_or_else(|| {
            let known: Vec<&str> = rows.campaigns.iter().copied().collect();
            format!(
                "no campaign is named {}; there are: {}",
                shown(campaign),
                known.join(", ")
            )
        })?;
    let key = ((*name).to_owned(), (*campaign).to_owned());
    if let Some(before) = seen.insert(key, line) {
        return Err(format!(
            "{name} and {campaign} were answered in line {before} already; keep one row"
        ));
    }
    if verdict.is_empty() {
        return if [first, footholds, patched]
            .iter()
            .all(|cell| cell.is_empty())
        {
            Ok(None)
        } else {
            Err(format!(
                "the row has answers but no verdict; give {}",
                words()
            ))
        };
    }
    let footholds = footholds.split(BETWEEN_FOOTHOLDS).map(str::trim);
    Ok(Some(Answer {
        host: (*name).to_owned(),
        campaign: (*campaign).to_owned(),
        verdict: read_verdict(verdict)?,
        first_effect: read_time("first_effect", first)?,
        footholds: footholds
            .filter(|path| !path.is_empty())
            .map(str::to_owned)
            .collect(),
        patched: match patched {
            never if never.eq_ignore_ascii_case("never") => None,
            time => read_time("patched", time)?,
        },
    }))
}

fn read_verdict(text: &str) -> Result<VerdictName, String> {
    let plain = text.to_lowercase().replace([' ', '-'], "_");
    serde_json::from_value(plain.into())
        .map_err(|_error| format!("{} is no verdict; give {}", shown(text), words()))
}

fn words() -> &'static str {
    "compromised, reinfected, evicted, exposed, unproven, clear or not_affected"
}

/// A time, or the middle of a day, in UTC unless it says otherwise.
fn read_time(column: &str, text: &str) -> Result<Option<Timestamp>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let utc = |time: DateTime| {
        time.to_zoned(TimeZone::UTC)
            .ok()
            .map(|time| time.timestamp())
    };
    let noon = |day: Date| utc(day.at(MIDDLE_OF_DAY_HOUR, 0, 0, 0));
    // A day is tried first: as a time it would be its midnight.
    let is_day = !text.contains([':', 'T', 't', ' ']);
    let day = || text.parse().ok().filter(|_| is_day).and_then(noon);
    let time = || text.parse::<Timestamp>().ok();
    let local = || text.parse::<DateTime>().ok().and_then(utc);
    day().or_else(time).or_else(local).map(Some).ok_or_else(|| {
        format!(
            "{} in {column} is no time; write 2021-03-02T04:15:32Z or 2021-03-02, in UTC",
            shown(text)
        )
    })
}

/// The beginning of a cell, for a message.
fn shown(cell: &str) -> String {
    let cell: String = cell.chars().take(SHOWN_CHARACTERS_MAX).collect();
    format!("`{cell}`")
}

/// A cell of a CSV file, quoted where it has to be.
pub(super) fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r', ';']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}
