//! `allclear notice contacts`: contacts out of what is published about domains and networks.

use super::Contacts;
use crate::case::{failure, open};
use crate::exit::{self, Failure};
use crate::{Outcome, output, settings};
use response::notice::contacts::{Published, read};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::process::ExitCode;
use store::response::{ContactRow, ImportRow};

pub(super) fn run(contacts: &Contacts) -> Outcome {
    let case = open(&contacts.at)?;
    let now = contacts.now.micros();
    let mut imports = Vec::new();
    let mut rows: BTreeMap<String, ContactRow> = BTreeMap::new();
    let mut told = Vec::new();
    let mut refused = 0;
    for path in &contacts.files {
        let bytes = settings::read(path)?;
        let kind = Published::recognise(&String::from_utf8_lossy(&bytes));
        let found =
            read(&bytes, Some(kind), contacts.about.as_deref(), now).map_err(|problem| {
                Failure::usage(
                    format!("{}: {problem}", path.display()),
                    "--about names the domain or network that the files were asked for",
                )
            })?;
        let digest = crate::lists::hex(&Sha256::digest(&bytes));
        let id = format!("{}-{}", kind.name(), digest.get(..16).unwrap_or_default());
        let count = found.refused.values().sum::<u64>();
        refused += count;
        for (reason, count) in &found.refused {
            told.push(format!("{}: {count} refused: {reason}", path.display()));
        }
        let accepted = found.contacts.len();
        imports.push(ImportRow {
            id: id.clone(),
            kind: kind.name().to_owned(),
            label: path.display().to_string(),
            sha256: digest,
            imported: now,
            rows_in: i64::try_from(accepted)
                .unwrap_or(i64::MAX)
                .saturating_add(i64::try_from(count).unwrap_or(i64::MAX)),
            accepted: i64::try_from(accepted).unwrap_or(i64::MAX),
            refused: serde_json::json!(found.refused).to_string(),
        });
        for contact in found.contacts {
            told.push(format!(
                "{} {}: {} ({}, {})",
                contact.scope,
                contact.subject,
                contact.address,
                contact.role,
                kind.name()
            ));
            let row = ContactRow {
                import: Some(id.clone()),
                ..contact
            };
            rows.entry(row.id.clone()).or_insert(row);
        }
    }
    let rows: Vec<ContactRow> = rows.into_values().collect();
    let mut added = 0;
    if !contacts.dry_run {
        added = case
            .change(now, async |change| {
                change.add(&imports).await?;
                let added = change.add(&rows).await?;
                let files: Vec<&str> = imports.iter().map(|row| row.sha256.as_str()).collect();
                let detail =
                    serde_json::json!({ "files": files, "contacts": rows.len(), "added": added });
                change.note("contacts imported", &detail).await?;
                Ok(added)
            })
            .map_err(failure)?;
    }
    output::to_standard_output(&mut |out| {
        for line in &told {
            writeln!(out, "{}", report::visible(line))?;
        }
        if contacts.dry_run {
            writeln!(out, "{} contacts (nothing was changed)", rows.len())
        } else {
            writeln!(out, "{} contacts, {added} of them new", rows.len())
        }
    })?;
    Ok(ExitCode::from(if refused == 0 {
        exit::ASSURED
    } else {
        exit::NOT_ASSURED
    }))
}
