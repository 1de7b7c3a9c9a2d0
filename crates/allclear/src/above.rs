//! `allclear campaign`: the campaign seen from above.

use crate::args::{Campaign, CampaignFormat};
use crate::exit::{self, Failure};
use crate::sql::{failure, open, refuse_to_write_into_case, write_out};
use crate::{Outcome, output};
use query::above::{Options, Weights, above, html, text};
use std::collections::BTreeMap;
use std::process::ExitCode;

pub(crate) fn run(asked: &Campaign) -> Outcome {
    refuse_to_write_into_case(&[asked.output.as_deref()], &asked.access.at.case)?;
    output::must_be_writable(asked.output.as_deref())?;
    let questions = open(&asked.access)?;
    let weights = match &asked.weights {
        None => Weights::built_in().map_err(Failure::fault)?,
        Some(path) => {
            let wrong = |error: Box<dyn std::error::Error + Send + Sync>| {
                Failure::usage(
                    format!("cannot use {}: {error}", path.display()),
                    "knowledge/actors.yaml shows the form",
                )
            };
            let yaml = String::from_utf8_lossy(&crate::settings::read(path)?).into_owned();
            Weights::parse(&yaml).map_err(|error| wrong(error.into()))?
        }
    };
    // The day of the fix is when everybody could know.
    let disclosed: BTreeMap<_, _> = pack::builtin_packs()
        .into_iter()
        .map(|pack| (pack.manifest.name.clone(), pack.manifest.window.fixed))
        .collect();
    let options = Options {
        campaign: asked.only.clone(),
        disclosed,
    };
    let picture = above(&questions, &weights, &options).map_err(failure)?;
    write_out(asked.output.as_deref(), |out| {
        match asked.format {
            CampaignFormat::Text => text(&picture, out)?,
            CampaignFormat::Json => report::json_value(&picture, out)?,
            CampaignFormat::Html => html(&picture, out)?,
        }
        Ok(Ok(()))
    })?;
    Ok(ExitCode::from(exit::ASSURED))
}
