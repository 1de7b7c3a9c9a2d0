//! `allclear range victims` and `allclear range count-victims`.

use crate::args::CaseAt;
use crate::case::{failure, open};
use crate::exit::Failure;
use crate::observe::said;
use crate::output::{self, say};
use crate::{Outcome, settings};
use clap::Args;
use range::{VICTIMS_SCHEMA, VictimsOptions, VictimsTruth};
use response::count::is_victim;
use response::registry::Registry;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(crate) struct RangeVictims {
    /// Folder to write to; must not exist, or be empty.
    #[arg(value_name = "DIR")]
    dir: PathBuf,

    /// How many organisations there are.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=i64::from(range::ORGANISATIONS_MAX)))]
    organisations: u32,

    /// Decides everything that is drawn: the same seed gives the same bytes on any machine.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct RangeCountVictims {
    #[command(flatten)]
    at: CaseAt,

    /// The truth that `range victims` wrote.
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,

    /// Write JSON instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn make(arguments: &RangeVictims) -> Outcome {
    let dir = &arguments.dir;
    let shown = dir.display();
    let used = std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if used || dir.is_file() {
        return Err(Failure::usage(
            format!("{shown} is not empty"),
            "name a folder that does not exist yet",
        ));
    }
    let packs = pack::builtin_packs();
    let campaign = packs
        .iter()
        .find(|pack| pack.manifest.name == range::VICTIMS_CAMPAIGN);
    let vulnerability = campaign.and_then(|pack| pack.vulnerabilities.first());
    let options = VictimsOptions {
        organisations: arguments.organisations,
        seed: arguments.seed,
        vulnerability: vulnerability.map(|one| one.cve.clone()).unwrap_or_default(),
    };
    let truth = range::make_victims(dir, &options).map_err(Failure::fault)?;
    say(&format!(
        "{shown}/registry    organisations, aliases, assets, contacts, responders of {} organisations\n\
         {shown}/lists       {} rows: reports of Shadowserver, events of IntelMQ, nine scans, a table of names\n\
         {shown}/truth.json  {} of them were broken into; {} rows say so",
        truth.organisations,
        truth.rows,
        truth.victims.len(),
        truth.rows_of_compromise,
    ))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn count(arguments: &RangeCountVictims) -> Outcome {
    let shown = arguments.truth.display();
    let bytes = settings::read(&arguments.truth)?;
    let truth: VictimsTruth = serde_json::from_slice(&bytes)
        .ok()
        .filter(|truth: &VictimsTruth| truth.schema == VICTIMS_SCHEMA)
        .ok_or_else(|| {
            Failure::usage(
                format!("{shown} is no truth of the form {VICTIMS_SCHEMA}"),
                "give the truth.json that `allclear range victims` wrote",
            )
        })?;
    let case = open(&arguments.at)?;
    let registry = Registry::load(&case).map_err(failure)?;
    let all = said(&case, &registry, Some(&truth.campaign))?;
    let Some((_, said)) = all.first() else {
        return Err(Failure::usage(
            "the case holds no lists",
            "`allclear observe import` takes them in",
        ));
    };
    let rows = said
        .words
        .iter()
        .filter(|word| is_victim(word.claim))
        .count();
    let score = truth.score(said.victims().into_iter(), rows);
    if arguments.json {
        output::to_standard_output(&mut |out| report::json_value(&score, out))?;
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!(
        "counted once:       {} organisations, of which {} were hit; {} were hit in truth\n\
         precision           {:.4}\n\
         recall              {:.4} of all that were hit; {:.4} of the {} that some list tells of and the registry knows\n\
         adding the lists:   {} rows, {:.2} times the truth",
        score.counted,
        score.right,
        score.victims,
        score.precision,
        score.recall,
        score.recall_of_told,
        score.told,
        score.rows,
        score.over_count,
    ))?;
    Ok(ExitCode::SUCCESS)
}
