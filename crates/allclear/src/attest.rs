//! Reads what named persons state about gates of an eviction: a CSV table of host, campaign, gate, answer, by, role, time,
//! statement.

use crate::exit::Failure;
use crate::settings;
use csv::{ReaderBuilder, StringRecord, Trim};
use model::{Answer, Attestation, Place, Timestamp};
use pack::{GateDecision, Pack};
use std::path::{Path, PathBuf};

const COLUMNS: [&str; 8] = [
    "host",
    "campaign",
    "gate",
    "answer",
    "by",
    "role",
    "time",
    "statement",
];

const ADVICE: &str = "a table of attestations has the columns host,campaign,gate,answer,by,role,time,statement; only role may be empty";

/// Every statement of the tables that is about a loaded pack, checked.
pub(crate) fn read(paths: &[PathBuf], packs: &[Pack]) -> Result<Vec<Attestation>, Failure> {
    let mut attestations = Vec::new();
    for path in paths {
        table(path, packs, &mut attestations)?;
    }
    Ok(attestations)
}

fn table(path: &Path, packs: &[Pack], out: &mut Vec<Attestation>) -> Result<(), Failure> {
    let shown = path.display().to_string();
    let bytes = settings::read(path)?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(text);
    let refused = |line: u64, problem: String| {
        Failure::usage(format!("{shown}, line {line}: {problem}"), ADVICE)
    };
    let heads = reader
        .headers()
        .map_err(|error| refused(1, error.to_string()))?
        .clone();
    let mut positions = [0_usize; COLUMNS.len()];
    for (position, column) in positions.iter_mut().zip(COLUMNS) {
        *position = heads
            .iter()
            .position(|head| head.eq_ignore_ascii_case(column))
            .ok_or_else(|| refused(1, format!("the column {column} is missing")))?;
    }
    for row in reader.records() {
        let row = row.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            refused(line, error.to_string())
        })?;
        let line = row.position().map_or(0, csv::Position::line);
        let read = attestation(&row, positions, packs);
        if let Some(mut read) = read.map_err(|problem| refused(line, problem))? {
            read.place = Place {
                item: shown.clone(),
                line: Some(line),
                ..Place::default()
            };
            out.push(read);
        }
    }
    Ok(())
}

/// One statement; nothing where it is about a campaign that is not looked at this time.
fn attestation(
    row: &StringRecord,
    positions: [usize; COLUMNS.len()],
    packs: &[Pack],
) -> Result<Option<Attestation>, String> {
    let [host, campaign, gate, answer, by, role, time, statement] =
        positions.map(|position| row.get(position).unwrap_or_default().to_owned());
    for (column, value) in [
        ("host", &host),
        ("campaign", &campaign),
        ("by", &by),
        ("statement", &statement),
    ] {
        if value.is_empty() {
            return Err(format!("{column} is empty"));
        }
    }
    let answer = Answer::ALL
        .into_iter()
        .find(|known| known.name() == answer)
        .ok_or_else(|| format!("`{answer}` is no answer; write pass, fail or not_applicable"))?;
    let time: Timestamp = time
        .parse()
        .map_err(|_error| format!("`{time}` is no time; write it as 2021-04-01T09:00:00Z"))?;
    let Some(pack) = packs.iter().find(|pack| pack.manifest.name == campaign) else {
        return Ok(None);
    };
    let gates = &pack.remediation.gates;
    match gates.iter().find(|known| known.id == gate) {
        Some(known) if known.decided_by == GateDecision::Attested => {}
        Some(_) => {
            return Err(format!(
                "the gate {gate} is decided by evidence; nobody can attest it"
            ));
        }
        None => {
            let names: Vec<&str> = gates
                .iter()
                .filter(|known| known.decided_by == GateDecision::Attested)
                .map(|known| known.id.as_str())
                .collect();
            return Err(format!(
                "the pack {campaign} has no gate `{gate}`; those that a person attests are {}",
                names.join(", ")
            ));
        }
    }
    Ok(Some(Attestation {
        host,
        campaign,
        gate,
        answer,
        by,
        role,
        time,
        statement,
        place: Place::default(),
    }))
}
