//! `allclear observe import`.

use super::Import;
use crate::case::{self, failure, now};
use crate::exit::{ASSURED, Failure, NOT_ASSURED};
use crate::lists::{self, List};
use crate::{Outcome, output, settings};
use report::visible;
use response::observe::{self, Context, Form, Read};
use serde_json::json;
use std::collections::BTreeMap;
use std::process::ExitCode;
use store::response::ImportRow;
use store::{CaseError, micros};

/// Refused rows that are told one by one.
const TOLD_MAX: usize = 20;

struct Listed {
    label: String,
    sha256: String,
    form: Form,
    id: String,
    read: Read,
    rows_in: usize,
}

pub(super) fn run(arguments: &Import) -> Outcome {
    let mapping = match &arguments.mapping {
        None => None,
        Some(path) => Some(mapping(path)?),
    };
    let context = context(arguments);
    let mut listed = Vec::new();
    for path in &arguments.files {
        let list = lists::read(path)?;
        let form = match &mapping {
            Some(form) => form.clone(),
            None => form_of(&list, arguments)?,
        };
        let id = observe::import_id(&form, &context, &list.sha256);
        let read = observe::read(&list.table, &form, &context, &id);
        listed.push(Listed {
            rows_in: list.table.rows_in(),
            label: list.label,
            sha256: list.sha256,
            form,
            id,
            read,
        });
    }
    let missing = |listed: &Listed| {
        let nothing = listed.read.observations.is_empty();
        nothing
            && listed
                .read
                .reasons()
                .contains_key("the campaign is missing")
    };
    if listed.iter().any(missing) {
        return Err(Failure::usage(
            "the rows name no campaign",
            "say which it is: --campaign NAME",
        ));
    }
    let known = if arguments.dry_run {
        vec![false; listed.len()]
    } else {
        write(arguments, &listed, context.now)?
    };
    tell(arguments, &listed, &known)?;
    let refused = listed.iter().any(|listed| !listed.read.refused.is_empty());
    Ok(ExitCode::from(if refused { NOT_ASSURED } else { ASSURED }))
}

fn mapping(path: &std::path::Path) -> Result<Form, Failure> {
    let shown = path.display();
    let bytes = settings::read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    Form::from_yaml(&text).map_err(|error| {
        Failure::usage(
            format!("{shown} is no mapping: {error}"),
            "it has name, columns (address, host, url, seen, …: lists of names of columns) and claims; docs/registry.md shows one",
        )
    })
}

fn form_of(list: &List, arguments: &Import) -> Result<Form, Failure> {
    let family = arguments.form.family();
    observe::recognise(family, &list.table).ok_or_else(|| {
        let forms: Vec<String> = observe::forms()
            .into_iter()
            .filter(|form| form.family == family)
            .map(|form| format!("{} ({})", form.name, form.needs.join(", ")))
            .collect();
        Failure::usage(
            format!("{} has the columns of no known form of {family}", list.label),
            format!(
                "known are, with the columns that they need: {}; --mapping FILE says how others are read",
                forms.join("; ")
            ),
        )
    })
}

fn context(arguments: &Import) -> Context {
    let packs = pack::builtin_packs().into_iter();
    let vulnerabilities: BTreeMap<String, Vec<String>> = packs
        .map(|pack| {
            let ids = pack.vulnerabilities.iter().map(|one| one.cve.clone());
            (pack.manifest.name.clone(), ids.collect())
        })
        .collect();
    Context {
        campaign: arguments.campaign.clone(),
        method: arguments.method.clone(),
        method_version: arguments.method_version.clone(),
        source: arguments.source.clone(),
        vulnerabilities,
        now: micros(now()),
    }
}

/// All lists in one transaction; gives which were there already.
fn write(arguments: &Import, listed: &[Listed], now: i64) -> Result<Vec<bool>, Failure> {
    let case = case::open_or_create(&arguments.at.case, &arguments.at.behind)?;
    let done = case.change(now, async |change| {
        let mut known = Vec::new();
        for listed in listed {
            let there = change.row::<ImportRow>(&[&listed.id]).await?.is_some();
            known.push(there);
            if there {
                continue;
            }
            let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
            let reasons = listed.read.reasons();
            let row = ImportRow {
                id: listed.id.clone(),
                kind: listed.form.family.clone(),
                label: listed.label.clone(),
                sha256: listed.sha256.clone(),
                imported: now,
                rows_in: whole(listed.rows_in),
                accepted: whole(listed.read.observations.len()),
                refused: json!(reasons).to_string(),
            };
            change.put(&[row]).await?;
            change.put(&listed.read.observations).await?;
            let detail = json!({
                "import": listed.id, "form": listed.form.name, "file": listed.label, "sha256": listed.sha256,
                "by": arguments.by, "rows_in": listed.rows_in, "accepted": listed.read.observations.len(),
                "refused": reasons,
            });
            change.note("observations imported", &detail).await?;
        }
        Ok::<_, CaseError>(known)
    });
    done.map_err(failure)
}

fn tell(arguments: &Import, listed: &[Listed], known: &[bool]) -> Result<(), Failure> {
    output::to_standard_output(&mut |out| {
        for (listed, known) in listed.iter().zip(known) {
            let read = &listed.read;
            let mut claims: BTreeMap<&str, usize> = BTreeMap::new();
            for row in &read.observations {
                *claims.entry(row.claim.as_str()).or_default() += 1;
            }
            if arguments.json {
                let refused: Vec<_> = read
                    .refused
                    .iter()
                    .map(|refused| json!({ "line": refused.line, "why": refused.why }))
                    .collect();
                let object = json!({
                    "file": listed.label, "form": listed.form.name, "sha256": listed.sha256, "import": listed.id,
                    "known": known, "dry_run": arguments.dry_run, "rows_in": listed.rows_in,
                    "accepted": read.observations.len(), "claims": claims, "reasons": read.reasons(), "refused": refused,
                });
                writeln!(out, "{object}")?;
                continue;
            }
            let claims: Vec<String> = claims
                .iter()
                .map(|(claim, count)| format!("{count} {claim}"))
                .collect();
            writeln!(
                out,
                "{}: {}, {} rows = {} accepted + {} refused{}{}",
                visible(&listed.label),
                visible(&listed.form.name),
                listed.rows_in,
                read.observations.len(),
                read.refused.len(),
                if claims.is_empty() {
                    String::new()
                } else {
                    format!("; {}", claims.join(", "))
                },
                if *known { "; imported already" } else { "" },
            )?;
            for refused in read.refused.iter().take(TOLD_MAX) {
                writeln!(out, "  line {}: refused: {}", refused.line, refused.why)?;
            }
            for (why, count) in read.reasons() {
                writeln!(out, "  refused {count}: {why}")?;
            }
        }
        if arguments.dry_run && !arguments.json {
            writeln!(out, "a dry run: nothing was changed")?;
        }
        Ok(())
    })
}
