//! Reads the picture's rows out of the case.

use super::actors::Act;
use super::{Campaign, Day, Options};
use crate::question::{QueryError, Questions};
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Date32Type, Int64Type, TimestampMicrosecondType};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use std::collections::BTreeMap;

/// Acts that are held in memory at once, some 300 bytes each; more than thirty thousand organisations had.
const ACTS_MAX: u64 = 3_000_000;

/// Rows of a view with one row a day or a campaign.
const SMALL_MAX: u64 = 1_000_000;

/// What findings prove.
pub(super) struct Acts {
    pub(super) acts: Vec<Act>,
    pub(super) notes: Vec<String>,
}

pub(super) fn campaigns(
    questions: &Questions,
    options: &Options,
) -> Result<Vec<Campaign>, QueryError> {
    let mut campaigns: BTreeMap<String, Campaign> = BTreeMap::new();
    let only = options.campaign.as_deref();
    let wanted = |name: &str| only.is_none_or(|only| only == name);

    let counts = "SELECT campaign, verdict, hosts FROM verdict_counts ORDER BY campaign, verdict";
    for batch in rows(questions, counts, SMALL_MAX)?.0 {
        for row in 0..batch.num_rows() {
            let Some(name) = text(&batch, 0, row).filter(|name| wanted(name)) else {
                continue;
            };
            let campaign = campaigns.entry(name.clone()).or_insert_with(|| Campaign {
                disclosed: options.disclosed.get(&name).copied(),
                campaign: name,
                verdicts: BTreeMap::new(),
                curve: Vec::new(),
                exploited_before_disclosure: None,
                exploited_after_disclosure: None,
                days_to_patch_median: None,
            });
            let hosts = whole(&batch, 2, row).unwrap_or(0).unsigned_abs();
            campaign
                .verdicts
                .insert(text(&batch, 1, row).unwrap_or_default(), hosts);
        }
    }

    let curve = "SELECT campaign, day, exploited, patched, \
                 exploited_so_far, exposed FROM epidemic_curve ORDER BY campaign, day";
    for batch in rows(questions, curve, SMALL_MAX)?.0 {
        for row in 0..batch.num_rows() {
            let campaign = text(&batch, 0, row).and_then(|name| campaigns.get_mut(&name));
            let (Some(campaign), Some(day)) = (campaign, date(&batch, 1, row)) else {
                continue;
            };
            let number = |column| whole(&batch, column, row).unwrap_or(0);
            campaign.curve.push(Day {
                day,
                exploited: number(2),
                patched: number(3),
                exploited_so_far: number(4),
                exposed: number(5),
            });
        }
    }

    let firsts = "SELECT campaign, first FROM verdicts WHERE first IS NOT NULL \
                  AND stage IN ('exploited', 'foothold', 'hands_on', 'impact') ORDER BY campaign, first, host";
    for batch in rows(questions, firsts, SMALL_MAX)?.0 {
        for row in 0..batch.num_rows() {
            let campaign = text(&batch, 0, row).and_then(|name| campaigns.get_mut(&name));
            let (Some(campaign), Some(first)) = (campaign, time(&batch, 1, row)) else {
                continue;
            };
            let Some(disclosed) = campaign.disclosed else {
                continue;
            };
            let before = campaign.exploited_before_disclosure.get_or_insert(0);
            let after = campaign.exploited_after_disclosure.get_or_insert(0);
            *(if first < disclosed { before } else { after }) += 1;
        }
    }

    let days = "SELECT campaign, days FROM exploited_before_patched WHERE days IS NOT NULL ORDER BY campaign, days";
    let mut of: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for batch in rows(questions, days, SMALL_MAX)?.0 {
        for row in 0..batch.num_rows() {
            if let (Some(name), Some(days)) = (text(&batch, 0, row), whole(&batch, 1, row)) {
                of.entry(name).or_default().push(days);
            }
        }
    }
    for (name, days) in of {
        if let Some(campaign) = campaigns.get_mut(&name) {
            campaign.days_to_patch_median = days.get((days.len() - 1) / 2).copied();
        }
    }
    Ok(campaigns.into_values().collect())
}

pub(super) fn acts(questions: &Questions, options: &Options) -> Result<Acts, QueryError> {
    let only = match &options.campaign {
        None => String::new(),
        Some(name) => format!(
            "AND (campaign = '{}' OR campaign IS NULL)",
            name.replace('\'', "''")
        ),
    };
    let sql = format!(
        "SELECT host, campaign, client, user_agent, coalesce(foothold_path, path), sha256, parameter, time, \
         coalesce(last, time), foothold_kind \
         FROM findings WHERE stage IN ('exploited', 'foothold', 'hands_on', 'impact') {only} \
         ORDER BY host, time NULLS LAST, id"
    );
    let (batches, cut) = rows(questions, &sql, ACTS_MAX)?;
    let mut acts = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let said = |column| {
                text(&batch, column, row).filter(|value| !value.is_empty() && value != "-")
            };
            let kind = said(9);
            let shell = matches!(kind.as_deref(), Some("web_shell" | "compiled_shell"));
            acts.push(Act {
                host: said(0).unwrap_or_default(),
                campaign: said(1),
                address: said(2),
                agent: said(3),
                page: said(4).and_then(|path| file_name(&path)),
                sha256: said(5).filter(|_| shell),
                parameter: said(6),
                first: time(&batch, 7, row),
                last: time(&batch, 8, row),
                shell,
            });
        }
    }
    let mut notes = vec![
        "Actors are leads: visits that share tools are held together by stated weights; nobody is named by that.".to_owned(),
        "Only findings that prove effect are looked at; probes are not.".to_owned(),
        "Who used a shell first is taken to have put it there; whoever came later is not held to own it.".to_owned(),
    ];
    if cut {
        notes.push(format!(
            "There are more than {ACTS_MAX} findings that prove effect; the rest was left out."
        ));
    }
    Ok(Acts { acts, notes })
}

/// Records name a page by its address and files by their path; what both have is the file's name. Windows does not tell
/// case apart.
fn file_name(path: &str) -> Option<String> {
    let name = path.rsplit(['/', '\\']).next()?.trim().to_lowercase();
    (!name.is_empty()).then_some(name)
}

fn rows(
    questions: &Questions,
    sql: &str,
    rows_max: u64,
) -> Result<(Vec<RecordBatch>, bool), QueryError> {
    let (_, batches, answer) = questions.rows(sql, rows_max)?;
    Ok((batches, answer.cut))
}

fn text(batch: &RecordBatch, column: usize, row: usize) -> Option<String> {
    crate::output::text(batch.column(column), row)
}

fn whole(batch: &RecordBatch, column: usize, row: usize) -> Option<i64> {
    let column = cast(batch.column(column), &DataType::Int64).ok()?;
    let values = column.as_primitive::<Int64Type>();
    (!values.is_null(row)).then(|| values.value(row))
}

fn time(batch: &RecordBatch, column: usize, row: usize) -> Option<Timestamp> {
    let values = batch
        .column(column)
        .as_primitive_opt::<TimestampMicrosecondType>()?;
    if values.is_null(row) {
        return None;
    }
    Timestamp::from_microsecond(values.value(row)).ok()
}

fn date(batch: &RecordBatch, column: usize, row: usize) -> Option<Date> {
    let values = batch.column(column).as_primitive_opt::<Date32Type>()?;
    if values.is_null(row) {
        return None;
    }
    Date::constant(1970, 1, 1)
        .checked_add(i64::from(values.value(row)).days())
        .ok()
}
