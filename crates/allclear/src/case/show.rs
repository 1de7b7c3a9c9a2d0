//! `allclear case show`: a host with its history, or the case as a whole.

use super::list::time;
use super::{Show, failure, open};
use crate::exit::Failure;
use crate::{Outcome, output};
use report::visible;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;
use store::{Case, CollectionRow, VerdictRow};

pub(super) fn run(show: &Show) -> Outcome {
    let case = open(&show.at)?;
    let told = match &show.host {
        Some(host) => of_host(&case, host)?,
        None => of_case(&case)?,
    };
    output::to_standard_output(&mut |out| {
        if show.json {
            return writeln!(out, "{told}");
        }
        print(&told, 0, out)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Names and values, one below the other; lists are indented.
fn print(value: &Value, depth: usize, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    let indent = "  ".repeat(depth);
    let Value::Object(fields) = value else {
        return writeln!(out, "{indent}{}", visible(&text(value)));
    };
    for (name, value) in fields {
        match value {
            Value::Object(_) => {
                writeln!(out, "{indent}{name}")?;
                print(value, depth + 1, out)?;
            }
            Value::Array(entries) => {
                writeln!(out, "{indent}{name}")?;
                for entry in entries {
                    match entry {
                        Value::Object(fields) => {
                            let line: Vec<String> = fields
                                .values()
                                .map(text)
                                .filter(|text| !text.is_empty())
                                .collect();
                            writeln!(out, "{indent}  {}", visible(&line.join("  ")))?;
                        }
                        entry => writeln!(out, "{indent}  {}", visible(&text(entry)))?,
                    }
                }
            }
            value => writeln!(out, "{indent}{name:<12} {}", visible(&text(value)))?,
        }
    }
    Ok(())
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn of_host(case: &Case, name: &str) -> Result<Value, Failure> {
    let found = case.host(name).map_err(failure)?;
    let row = match found {
        Some(row) => row,
        None => case
            .host(&name.to_uppercase())
            .map_err(failure)?
            .ok_or_else(|| {
                Failure::usage(
                    format!("the case has no host {name}"),
                    "`allclear case list` names them",
                )
            })?,
    };
    let mut collections = Vec::new();
    for part in case.host_parts(&row.host).map_err(failure)? {
        if let Some(collection) = case.collection(&part.collection).map_err(failure)? {
            collections.push(told(&collection));
        }
    }
    let mut history: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for verdict in case.history(&row.host).map_err(failure)? {
        history
            .entry(verdict.campaign.clone())
            .or_default()
            .push(judged(&verdict));
    }
    Ok(json!({
        "host": row.host, "known_by": row.host_rule, "as_of": time(row.as_of), "first_seen": time(Some(row.first_seen)),
        "last_seen": time(Some(row.last_seen)), "collections": collections, "verdicts": history,
    }))
}

fn judged(row: &VerdictRow) -> Value {
    json!({
        "judged": time(Some(row.judged)), "verdict": row.verdict, "stage": row.stage, "exposure": row.exposure,
        "build": row.build, "pack_version": row.pack_version, "why": row.why,
    })
}

fn told(row: &CollectionRow) -> Value {
    json!({
        "id": row.id, "taken": time(row.taken), "label": row.label, "container": row.container,
        "items": row.items, "events": row.events, "sha256": row.sha256,
    })
}

fn of_case(case: &Case) -> Result<Value, Failure> {
    let (mut hosts, mut dirty) = (0_u64, 0_u64);
    case.each_host(&mut |host| {
        hosts += 1;
        dirty += u64::from(host.dirty != 0);
    })
    .map_err(failure)?;
    let (mut collections, mut bytes, mut events) = (0_u64, 0_i64, 0_i64);
    case.each_collection(&mut |row| {
        collections += 1;
        bytes = bytes.saturating_add(row.bytes);
        events = events.saturating_add(row.events);
    })
    .map_err(failure)?;
    let (mut links, mut head) = (0_u64, String::new());
    case.each_audit(&mut |link| {
        links += 1;
        head = link.hash;
    })
    .map_err(failure)?;
    let sizes: BTreeMap<String, Value> = case
        .sizes()
        .map_err(failure)?
        .into_iter()
        .map(|(kind, (number, bytes))| (kind, json!(format!("{number} objects, {bytes} bytes"))))
        .collect();
    Ok(json!({
        "case": case.id(), "hosts": hosts, "waiting": dirty, "collections": collections, "evidence_bytes": bytes,
        "events": events, "audit_links": links, "audit_head": head, "objects": sizes,
    }))
}
