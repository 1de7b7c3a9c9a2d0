//! `allclear registry merge` and `allclear registry unmerge`.

use super::show::meant;
use super::{Merge, Unmerge};
use crate::case::{failure, now, open};
use crate::exit::Failure;
use crate::{Outcome, output};
use report::visible;
use response::import::derived;
use response::registry::Registry;
use serde_json::json;
use std::process::ExitCode;
use store::micros;
use store::response::{MergeRow, OrganisationRow};

pub(super) fn merge(arguments: &Merge) -> Outcome {
    let case = open(&arguments.at)?;
    let registry = Registry::load(&case).map_err(failure)?;
    let kept = meant(&registry, &arguments.kept)?.row.clone();
    let merged = match registry.organisation(&arguments.merged) {
        // Two that have one name can only be told apart by their ids.
        Some(organisation) => organisation.row.clone(),
        None => meant(&registry, &arguments.merged)?.row.clone(),
    };
    if kept.id == merged.id {
        return Err(Failure::usage(
            format!(
                "{} and {} are one already: {}",
                visible(&arguments.kept),
                visible(&arguments.merged),
                kept.id
            ),
            "`allclear registry show` tells what was merged into it",
        ));
    }
    let now = micros(now());
    let done = case.change(now, async |change| {
        let before: Vec<MergeRow> = change.rows().await?;
        let holds = before.iter().any(|row| {
            row.undone.is_none() && (row.merged == merged.id || row.merged == kept.id)
        });
        if holds {
            // Somebody else merged one of the two since it was read.
            return Ok(None);
        }
        let times = before.iter().filter(|row| row.merged == merged.id).count();
        let row = MergeRow {
            id: derived("m", &["merge", &kept.id, &merged.id, &times.to_string()]),
            kept: kept.id.clone(),
            merged: merged.id.clone(),
            why: arguments.why.clone(),
            person: Some(arguments.by.clone()),
            made: now,
            ..MergeRow::default()
        };
        change.put(std::slice::from_ref(&row)).await?;
        let detail = json!({
            "merge": row.id, "kept": row.kept, "merged": row.merged, "why": row.why, "by": row.person,
        });
        change.note("organisations merged", &detail).await?;
        Ok(Some(row))
    });
    let Some(row) = done.map_err(failure)? else {
        return Err(Failure::usage(
            "one of the two has been merged meanwhile",
            "look at both with `allclear registry show` and say it again",
        ));
    };
    output::say(&format!(
        "{} {} is one with {} {} now ({})",
        row.merged,
        visible(&merged.name),
        row.kept,
        visible(&kept.name),
        row.id
    ))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn unmerge(arguments: &Unmerge) -> Outcome {
    let case = open(&arguments.at)?;
    let now = micros(now());
    let done = case.change(now, async |change| {
        let rows: Vec<MergeRow> = change.rows_where("merged", &arguments.merged).await?;
        let mut rows = rows.into_iter().filter(|row| row.undone.is_none());
        let Some(mut row) = rows.next() else {
            return Ok(None);
        };
        row.undone = Some(now);
        row.undone_person = Some(arguments.by.clone());
        row.undone_why = Some(arguments.why.clone());
        change.put(std::slice::from_ref(&row)).await?;
        let detail = json!({
            "merge": row.id, "kept": row.kept, "merged": row.merged, "why": row.undone_why, "by": row.undone_person,
        });
        change.note("merge undone", &detail).await?;
        let merged: Option<OrganisationRow> = change.row(&[&row.merged]).await?;
        Ok(Some((row, merged.unwrap_or_default())))
    });
    let Some((row, merged)) = done.map_err(failure)? else {
        return Err(Failure::usage(
            format!("{} is merged into nothing", visible(&arguments.merged)),
            "give the id of the organisation that was merged; `allclear registry show` of the other names it",
        ));
    };
    output::say(&format!(
        "{} {} stands for itself again, apart from {}",
        row.merged,
        visible(&merged.name),
        row.kept
    ))?;
    Ok(ExitCode::SUCCESS)
}
