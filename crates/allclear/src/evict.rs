//! `allclear evict`: the way out of one host, and what persons state about it.

use crate::args::CaseAt;
use crate::case::{case_failure, judged_now, now, open};
use crate::exit::{self, Failure};
use crate::settings;
use crate::{Outcome, attest, output};
use clap::{Args, Subcommand};
use evidence::Options;
use model::report::{CampaignReport, HostReport};
use model::{Answer, Attestation, Place, Timestamp};
use pack::{GateDecision, Pack};
use pipeline::job::Knowledge;
use report::visible;
use response::eviction::{self, Plan, StepState};
use serde_json::json;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use store::response::AttestationRow;
use store::{Case, micros};

#[derive(Debug, Subcommand)]
pub(crate) enum EvictCommand {
    /// The steps of the campaign's pack in its order, and how far each is: shown by evidence, stated by a person, or neither.
    ///
    /// Exit code 1: something is left to do.
    Plan(PlanOf),
    /// Put down what a named person states of a gate that no machine can decide. It is shown as a statement, never as evidence.
    Attest(Attest),
    /// Put down the statements of a table: CSV with host,campaign,gate,answer,by,role,time,statement.
    Import(Import),
}

#[derive(Debug, Args)]
pub(crate) struct PlanOf {
    #[command(flatten)]
    at: CaseAt,

    /// The host.
    #[arg(value_name = "HOST")]
    host: String,

    /// The campaign: the name of its pack.
    #[arg(long, value_name = "NAME")]
    campaign: String,

    #[command(flatten)]
    knowledge: crate::args::Knowledge,

    /// Write JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Attest {
    #[command(flatten)]
    at: CaseAt,

    /// The host.
    #[arg(value_name = "HOST")]
    host: String,

    /// The campaign: the name of its pack.
    #[arg(long, value_name = "NAME")]
    campaign: String,

    /// The gate, as `evict plan` names it.
    #[arg(long, value_name = "ID")]
    gate: String,

    /// `pass`, `fail` or `not_applicable`.
    #[arg(long, value_name = "ANSWER")]
    answer: String,

    /// Who states it.
    #[arg(long, value_name = "NAME")]
    by: String,

    /// What entitles that person to state it.
    #[arg(long, value_name = "ROLE", default_value = "")]
    role: String,

    /// When it was stated, such as 2021-04-01T09:00:00Z [default: now].
    #[arg(long, value_name = "TIME")]
    time: Option<Timestamp>,

    /// What is stated: what was done, to what, when, and where that is written down.
    #[arg(long, value_name = "TEXT")]
    statement: String,

    #[command(flatten)]
    knowledge: crate::args::Knowledge,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(flatten)]
    at: CaseAt,

    /// The tables.
    #[arg(required = true, value_name = "FILE.csv")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    knowledge: crate::args::Knowledge,
}

pub(crate) fn run(command: &EvictCommand) -> Outcome {
    match command {
        EvictCommand::Plan(plan) => run_plan(plan),
        EvictCommand::Attest(attest) => run_attest(attest),
        EvictCommand::Import(import) => run_import(import),
    }
}

/// Rules and packs as the command names them.
pub(crate) fn packs(given: &crate::args::Knowledge) -> Result<(Knowledge, Vec<Pack>), Failure> {
    let knowledge = settings::knowledge(given, Options::default())?;
    let packs = settings::packs(&knowledge)?;
    Ok((knowledge, packs))
}

pub(crate) fn pack_of<'a>(packs: &'a [Pack], campaign: &str) -> Result<&'a Pack, Failure> {
    let mut known = packs.iter();
    known
        .find(|pack| pack.manifest.name == campaign)
        .ok_or_else(|| {
            Failure::usage(
                format!("there is no pack {}", visible(campaign)),
                "`allclear pack list` names those that there are; --pack adds others",
            )
        })
}

/// The host as the case judges it by what is known now.
pub(crate) fn host_of(
    case: &Case,
    name: &str,
    knowledge: &Knowledge,
    packs: &[Pack],
) -> Result<HostReport, Failure> {
    let report = judged_now(case, knowledge, packs, name)?;
    let mut hosts = report.hosts.into_iter();
    hosts.find(|host| host.host == name).ok_or_else(|| {
        Failure::usage(
            format!("the case has no host {}", visible(name)),
            "`allclear case list` names them",
        )
    })
}

pub(crate) fn campaign_of<'a>(
    host: &'a HostReport,
    campaign: &str,
) -> Result<&'a CampaignReport, Failure> {
    let mut campaigns = host.campaigns.iter();
    campaigns
        .find(|known| known.campaign == campaign)
        .ok_or_else(|| {
            Failure::usage(
                format!(
                    "{} was not judged for {}",
                    visible(&host.host),
                    visible(campaign)
                ),
                "`allclear case show CASE HOST` names its campaigns",
            )
        })
}

fn run_plan(given: &PlanOf) -> Outcome {
    let (knowledge, packs) = packs(&given.knowledge)?;
    let pack = pack_of(&packs, &given.campaign)?;
    let case = open(&given.at)?;
    let host = host_of(&case, &given.host, &knowledge, &packs)?;
    let plan = eviction::plan(&host, campaign_of(&host, &given.campaign)?, pack);
    output::to_standard_output(&mut |out| {
        if given.json {
            report::json_line(&plan, out)
        } else {
            text(&plan, out)
        }
    })?;
    Ok(ExitCode::from(if plan.verdict.assures() {
        exit::ASSURED
    } else {
        exit::NOT_ASSURED
    }))
}

fn text(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{}  {}  {}",
        visible(&plan.host),
        visible(&plan.campaign),
        plan.verdict.name()
    )?;
    if !plan.needed {
        return writeln!(
            out,
            "nobody is known to have come in: there is nobody to evict"
        );
    }
    writeln!(out, "\nFootholds")?;
    for foothold in &plan.footholds {
        writeln!(
            out,
            "  {:<16} {}  {}",
            foothold.state,
            visible(&foothold.path),
            visible(&foothold.title)
        )?;
    }
    for (part, title) in [
        ("contain", "Contain, at once"),
        ("evict", "Evict, in this order"),
    ] {
        writeln!(out, "\n{title}")?;
        let steps = plan.steps.iter().filter(|step| step.part == part);
        for (number, step) in steps.enumerate() {
            writeln!(
                out,
                "\n {}. [{}] {}",
                number + 1,
                step.state.name(),
                visible(&step.text)
            )?;
            let coun7er = step.coun7er.join(", ");
            for (label, value) in [
                ("who", &step.who),
                ("how long", &step.how_long),
                ("breaks", &step.breaks),
                ("verified by", &step.verified_by),
                ("COUN7ER", &coun7er),
                ("source", &step.source),
            ] {
                if !value.is_empty() {
                    writeln!(out, "      {label}: {}", visible(value))?;
                }
            }
            let gate = step.gate.as_deref().unwrap_or_default();
            match &step.state {
                StepState::Verified { reason } => {
                    writeln!(out, "      shown by evidence: {}", visible(reason))?;
                }
                StepState::Attested {
                    by,
                    role,
                    time,
                    statement,
                } => {
                    let role = if role.is_empty() {
                        String::new()
                    } else {
                        format!(" ({role})")
                    };
                    let line = format!("stated by {by}{role} on {time}: {statement}");
                    writeln!(out, "      {}", visible(&line))?;
                }
                StepState::NotApplicable { reason }
                | StepState::Open { reason }
                | StepState::CannotTell { reason } => {
                    writeln!(out, "      gate {gate}: {}", visible(reason))?;
                }
                StepState::NotShown => {}
            }
        }
    }
    Ok(())
}

fn run_attest(given: &Attest) -> Outcome {
    let (_, packs) = packs(&given.knowledge)?;
    let pack = pack_of(&packs, &given.campaign)?;
    let attested = |gate: &&pack::GateRule| gate.decided_by == GateDecision::Attested;
    let gates: Vec<&str> = pack
        .remediation
        .gates
        .iter()
        .filter(attested)
        .map(|gate| gate.id.as_str())
        .collect();
    if !gates.contains(&given.gate.as_str()) {
        return Err(Failure::usage(
            format!(
                "{} is no gate of {} that a person decides",
                visible(&given.gate),
                visible(&given.campaign)
            ),
            format!("those are {}", gates.join(", ")),
        ));
    }
    let answer = Answer::ALL
        .into_iter()
        .find(|known| known.name() == given.answer)
        .ok_or_else(|| {
            Failure::usage(
                format!("`{}` is no answer", visible(&given.answer)),
                "write pass, fail or not_applicable",
            )
        })?;
    for (name, value) in [("--by", &given.by), ("--statement", &given.statement)] {
        if value.trim().is_empty() {
            return Err(Failure::usage(
                format!("{name} is empty"),
                "a statement has a person and says something",
            ));
        }
    }
    let case = open(&given.at)?;
    if case.host(&given.host).map_err(case_failure)?.is_none() {
        return Err(Failure::usage(
            format!("the case has no host {}", visible(&given.host)),
            "`allclear case list` names them",
        ));
    }
    let stated = given.time.unwrap_or_else(now);
    if stated > now() {
        return Err(Failure::usage(
            "nobody has stated anything in the future",
            "give the time at which it was stated",
        ));
    }
    let statement = Attestation {
        host: given.host.clone(),
        campaign: given.campaign.clone(),
        gate: given.gate.clone(),
        answer,
        by: given.by.clone(),
        role: given.role.clone(),
        time: stated,
        statement: given.statement.clone(),
        place: Place {
            item: "allclear evict attest".to_owned(),
            ..Place::default()
        },
    };
    let added = keep(&case, &[statement])?;
    output::say(if added == 0 {
        "the case has this statement already"
    } else {
        "put down; `allclear case judge` and `allclear evict plan` take it into account"
    })?;
    Ok(ExitCode::from(exit::ASSURED))
}

fn run_import(given: &Import) -> Outcome {
    let (_, packs) = packs(&given.knowledge)?;
    let statements = attest::read(&given.files, &packs)?;
    let case = open(&given.at)?;
    let added = keep(&case, &statements)?;
    output::say(&format!(
        "{} statements read, {added} of them new",
        statements.len()
    ))?;
    Ok(ExitCode::from(exit::ASSURED))
}

/// Keeps statements in the case; gives how many are new.
pub(crate) fn keep(case: &Case, statements: &[Attestation]) -> Result<u64, Failure> {
    if statements.is_empty() {
        return Ok(0);
    }
    let now = micros(now());
    let rows: Vec<AttestationRow> = statements
        .iter()
        .map(|statement| eviction::row(statement, now))
        .collect();
    case.change(now, async |change| {
        let mut added = 0;
        for row in &rows {
            if change.add(std::slice::from_ref(row)).await? > 0 {
                added += 1;
                let detail = json!({
                    "attestation": row.id, "host": row.host, "campaign": row.campaign, "gate": row.gate,
                    "answer": row.answer, "by": row.person, "stated": row.stated,
                });
                change.note("attested", &detail).await?;
            }
        }
        Ok(added)
    })
    .map_err(case_failure)
}

/// Every statement that the case keeps.
pub(crate) fn kept(case: &Case) -> Result<Vec<Attestation>, Failure> {
    let rows: Vec<AttestationRow> = case.rows().map_err(case_failure)?;
    Ok(rows.iter().filter_map(eviction::attestation).collect())
}
