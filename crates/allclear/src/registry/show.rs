//! `allclear registry list` and `allclear registry show`.

use super::{List, Show};
use crate::case::{failure, open};
use crate::exit::Failure;
use crate::{Outcome, output};
use report::visible;
use response::registry::{Organisation, Owner, Registry};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::process::ExitCode;
use store::response::{ContactRow, MergeRow};

pub(super) fn list(arguments: &List) -> Outcome {
    let case = open(&arguments.at)?;
    let registry = Registry::load(&case).map_err(failure)?;
    let same = |field: &Option<String>, wanted: &Option<String>| match wanted {
        None => true,
        Some(wanted) => field
            .as_ref()
            .is_some_and(|field| field.eq_ignore_ascii_case(wanted)),
    };
    let wanted = |one: &&Organisation| {
        same(&one.row.country, &arguments.country) && same(&one.row.sector, &arguments.sector)
    };
    output::to_standard_output(&mut |out| {
        for one in registry.organisations().filter(wanted) {
            if arguments.json {
                writeln!(out, "{}", as_json(one))?;
                continue;
            }
            let or = |text: &Option<String>| visible(text.as_deref().unwrap_or("-")).into_owned();
            writeln!(
                out,
                "{:<24} {:<2} {:<16} {:>4} assets  {}",
                visible(&one.row.id),
                or(&one.row.country),
                or(&one.row.sector),
                one.assets.len(),
                visible(&one.row.name),
            )?;
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn as_json(one: &Organisation) -> Value {
    let row = &one.row;
    let assets: Vec<Value> = one
        .assets
        .iter()
        .map(|(kind, value)| json!({ "kind": kind.name(), "value": value }))
        .collect();
    json!({
        "id": row.id, "name": row.name, "sector": row.sector, "country": row.country, "region": row.region,
        "size": row.size, "supplier": row.supplier, "origin": row.origin, "import": row.import,
        "aliases": one.aliases, "merged": one.merged, "assets": assets,
    })
}

/// The one organisation that a person means.
pub(super) fn meant<'a>(registry: &'a Registry, who: &str) -> Result<&'a Organisation, Failure> {
    let none = || {
        Failure::usage(
            format!("the registry knows nothing of {}", visible(who)),
            "give an id, a name, or an address, host name, domain, network or certificate; `allclear registry list CASE` \
             names all",
        )
    };
    match registry.find(who) {
        Owner::One(id) => registry.organisation(id).ok_or_else(none),
        Owner::Several(ids) => Err(Failure::usage(
            format!(
                "{} means several organisations: {}",
                visible(who),
                ids.join(", ")
            ),
            "give the id of one; if they are the same, `allclear registry merge` says so",
        )),
        Owner::Nobody => Err(none()),
    }
}

pub(super) fn show(arguments: &Show) -> Outcome {
    let case = open(&arguments.at)?;
    let registry = Registry::load(&case).map_err(failure)?;
    let one = meant(&registry, &arguments.who)?;
    let ids = || one.merged.iter().chain([&one.row.id]);
    let mut contacts: Vec<ContactRow> = Vec::new();
    for id in ids() {
        let rows: Vec<ContactRow> = case.rows_where("subject", id).map_err(failure)?;
        contacts.extend(rows.into_iter().filter(|row| row.scope == "organisation"));
    }
    let merges: Vec<MergeRow> = case.rows().map_err(failure)?;
    let merges: Vec<MergeRow> = merges
        .into_iter()
        .filter(|merge| ids().any(|id| *id == merge.merged || *id == merge.kept))
        .collect();
    output::to_standard_output(&mut |out| {
        if arguments.json {
            let mut value = as_json(one);
            value["contacts"] = json!(contacts);
            value["merges"] = json!(merges);
            return report::json_value(&value, out);
        }
        text(one, &contacts, &merges, out)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn text(
    one: &Organisation,
    contacts: &[ContactRow],
    merges: &[MergeRow],
    out: &mut dyn Write,
) -> io::Result<()> {
    let row = &one.row;
    writeln!(out, "{}", visible(&row.name))?;
    let mut line = |name: &str, value: &str| writeln!(out, "  {name:<12} {}", visible(value));
    line("id", &row.id)?;
    let fields = [
        ("sector", &row.sector),
        ("country", &row.country),
        ("region", &row.region),
        ("size", &row.size),
        ("supplier", &row.supplier),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            line(name, value)?;
        }
    }
    line("origin", &row.origin)?;
    for alias in &one.aliases {
        line("also", alias)?;
    }
    for (kind, value) in &one.assets {
        line(kind.name(), value)?;
    }
    for contact in contacts {
        let verified = if contact.verified { ", verified" } else { "" };
        let key = if contact.pgp_key.is_some() {
            ", key known"
        } else {
            ""
        };
        let address = contact.address.replace('\n', ", ");
        let said = format!(
            "{address} ({}, {}{verified}{key})",
            contact.role, contact.origin
        );
        line("contact", &said)?;
    }
    for merge in merges {
        let by = merge.person.as_deref().unwrap_or("a rule");
        let said = format!(
            "{} into {} by {by}: {}",
            merge.merged, merge.kept, merge.why
        );
        line(
            if merge.undone.is_some() {
                "was merged"
            } else {
                "merged"
            },
            &said,
        )?;
    }
    Ok(())
}
