//! `allclear observe count`.

use super::{By, Count, said};
use crate::case::{failure, open};
use crate::{Outcome, output};
use report::visible;
use response::count::{Line, Said};
use response::registry::Registry;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::process::ExitCode;

pub(super) fn run(arguments: &Count) -> Outcome {
    let case = open(&arguments.at)?;
    let registry = Registry::load(&case).map_err(failure)?;
    let all = said(&case, &registry, arguments.campaign.as_deref())?;
    let lines = |said: &Said| match arguments.by {
        By::Claim => said.by_claim(),
        By::Method => said.by_method(),
        By::Sector => said.by_group(|id| registry.organisation(id)?.row.sector.clone()),
        By::Country => said.by_group(|id| registry.organisation(id)?.row.country.clone()),
    };
    let told: Vec<(&str, &Said, Vec<Line>)> = all
        .iter()
        .map(|(campaign, said)| (campaign.as_str(), said, lines(said)))
        .collect();
    output::to_standard_output(&mut |out| {
        if arguments.json {
            let campaigns: Vec<Value> = told
                .iter()
                .map(|(campaign, said, lines)| {
                    json!({
                        "campaign": campaign, "rows": rows(said), "lists": said.lists, "verdicts": said.verdicts,
                        "lines": lines,
                    })
                })
                .collect();
            let value = json!({
                "schema": "allclear/count/1", "organisations_known": registry.organisations().len(), "campaigns": campaigns,
            });
            return report::json_value(&value, out);
        }
        for (campaign, said, lines) in &told {
            text(campaign, said, lines, out)?;
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Rows of lists, without our own verdicts.
fn rows(said: &Said) -> usize {
    let own = |word: &&response::count::Word| {
        let method = said.methods.get(word.method as usize);
        method.is_some_and(|method| method.method == response::count::OWN_METHOD)
    };
    said.words.len() - said.words.iter().filter(own).count()
}

fn text(campaign: &str, said: &Said, lines: &[Line], out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{}: {} rows of {} lists, and {} verdicts of our own",
        visible(campaign),
        rows(said),
        said.lists,
        said.verdicts
    )?;
    writeln!(
        out,
        "{:<52} {:>13} {:>9} {:>9} {:>16}",
        "each counted once", "organisations", "servers", "addresses", "adding the lists"
    )?;
    let mut group = None;
    for line in lines {
        if line.by != group {
            group.clone_from(&line.by);
            if let Some(by) = &line.by {
                writeln!(out, "{}", visible(by))?;
            }
        }
        let indent = if line.by.is_some() { 2 } else { 0 };
        let figures = &line.figures;
        writeln!(
            out,
            "{:indent$}{:<width$} {:>13} {:>9} {:>9} {:>16}",
            "",
            line.what,
            figures.organisations,
            figures.servers,
            figures.addresses,
            figures.rows,
            width = 52 - indent,
        )?;
        if line.by.is_none() && figures.servers_of_nobody + figures.servers_of_several > 0 {
            writeln!(
                out,
                "    of the servers, {} are of nobody in the registry and {} are claimed by several: they are no organisations here",
                figures.servers_of_nobody, figures.servers_of_several
            )?;
        }
    }
    writeln!(
        out,
        "a server is what addresses and names stand for that a row names together, within one organisation; what is undetermined \
         counts on no other line"
    )
}
