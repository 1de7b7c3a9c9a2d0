//! `allclear disclose`: clocks of duties to report, drafts of reports, forms.

use crate::args::CaseAt;
use crate::case::{failure, open};
use crate::exit::Failure;
use crate::{Outcome, output};
use clap::{Args, Subcommand};
use model::Timestamp;
use response::disclose::clock::{Clock, Trigger, clocks, due};
use response::disclose::draft::{Known, draft, verdicts_of};
use response::disclose::sheet::{form, names, xlsx};
use response::notice::facts::subjects;
use response::registry::Registry;
use std::path::PathBuf;
use std::process::ExitCode;
use store::response::DisclosureRow;
use store::{Case, VerdictRow};

#[derive(Debug, Subcommand)]
pub(crate) enum DiscloseCommand {
    /// The duties that are known, with what starts each; of a case, the clocks that were started and when they are due.
    Clocks(Clocks),
    /// Start a clock: a named person says when what starts it happened.
    Start(Start),
    /// Draft the report from what the case knows; what it does not know is said.
    Draft(DraftOf),
    /// Say that a report was made.
    Done(Done),
    /// Fill in a form of an authority, as XLSX, as far as evidence goes.
    Sheet(Sheet),
}

#[derive(Debug, Args)]
pub(crate) struct Clocks {
    /// The folder of a case.
    #[arg(value_name = "CASE")]
    case: Option<PathBuf>,

    #[command(flatten)]
    behind: crate::args::CaseBehind,

    /// Say what is overdue as of this time [default: now].
    #[arg(long, value_name = "TIME")]
    as_of: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub(crate) struct Start {
    #[command(flatten)]
    at: CaseAt,

    /// Which clock: `allclear disclose clocks` names them.
    #[arg(long, value_name = "ID")]
    clock: String,

    /// Whose duty it is: an organisation's id.
    #[arg(long, value_name = "ID")]
    organisation: String,

    /// The campaign.
    #[arg(long, value_name = "NAME")]
    campaign: String,

    /// When it happened, with the offset from UTC, such as 2024-03-04T16:00:00-05:00.
    #[arg(long, value_name = "TIME")]
    trigger: String,

    /// Who says so.
    #[arg(long, value_name = "NAME")]
    by: String,

    /// What this rests on.
    #[arg(long, value_name = "TEXT")]
    why: String,

    /// Write it down as of this time [default: now].
    #[arg(long, value_name = "TIME")]
    as_of: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub(crate) struct DraftOf {
    #[command(flatten)]
    at: CaseAt,

    /// The clock that was started, by the id that `start` gave.
    #[arg(value_name = "ID")]
    id: String,

    /// Write it to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Done {
    #[command(flatten)]
    at: CaseAt,

    /// The clock that was started.
    #[arg(value_name = "ID")]
    id: String,

    /// Who says so.
    #[arg(long, value_name = "NAME")]
    by: String,

    /// How it was reported, such as the number of the receipt.
    #[arg(long, value_name = "TEXT")]
    why: String,

    /// When [default: now].
    #[arg(long, value_name = "TIME")]
    as_of: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub(crate) struct Sheet {
    #[command(flatten)]
    at: CaseAt,

    /// Which form.
    #[arg(long, value_name = "NAME")]
    form: String,

    /// Whose servers: an organisation's id.
    #[arg(long, value_name = "ID")]
    organisation: String,

    /// The campaign.
    #[arg(long, value_name = "NAME")]
    campaign: String,

    /// The spreadsheet: FILE.xlsx
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

pub(crate) fn run(command: &DiscloseCommand) -> Outcome {
    match command {
        DiscloseCommand::Clocks(clocks) => list(clocks),
        DiscloseCommand::Start(start) => begin(start),
        DiscloseCommand::Draft(of) => write_draft(of),
        DiscloseCommand::Done(done) => end(done),
        DiscloseCommand::Sheet(sheet) => fill_in(sheet),
    }
}

fn micros(as_of: Option<Timestamp>) -> i64 {
    store::micros(as_of.unwrap_or_else(crate::case::now))
}

fn list(list: &Clocks) -> Outcome {
    let Some(folder) = &list.case else {
        output::to_standard_output(&mut |out| {
            for clock in clocks() {
                writeln!(out, "{}: {}", clock.id, clock.title)?;
                writeln!(out, "  {}; for {}", clock.jurisdiction, clock.who)?;
                writeln!(out, "  starts when {}", clock.trigger)?;
                writeln!(out, "  in force since {}; {}", clock.in_force, clock.source)?;
            }
            Ok(())
        })?;
        return Ok(ExitCode::SUCCESS);
    };
    let at = CaseAt {
        case: folder.clone(),
        behind: list.behind.clone(),
    };
    let case = open(&at)?;
    let now = micros(list.as_of);
    let mut rows: Vec<DisclosureRow> = case.rows().map_err(failure)?;
    rows.sort_by(|a, b| (a.due, &a.id).cmp(&(b.due, &b.id)));
    let mut overdue = 0;
    output::to_standard_output(&mut |out| {
        for row in &rows {
            let state = match row.done {
                Some(_) => "reported",
                None if row.due < now => "OVERDUE",
                None => "open",
            };
            overdue += usize::from(state == "OVERDUE");
            writeln!(
                out,
                "{}  {:<9} due {}  {} for {}",
                row.id,
                state,
                row.due_text,
                row.clock,
                report::visible(&row.organisation)
            )?;
        }
        writeln!(out, "{} clocks", rows.len())
    })?;
    Ok(ExitCode::from(u8::from(overdue > 0)))
}

fn clock_of(id: &str) -> Result<Clock, Failure> {
    let all = clocks();
    let ids: Vec<String> = all.iter().map(|clock| clock.id.clone()).collect();
    all.into_iter().find(|clock| clock.id == id).ok_or_else(|| {
        Failure::usage(
            format!("there is no clock `{id}`"),
            format!("clocks are {}", ids.join(", ")),
        )
    })
}

fn begin(start: &Start) -> Outcome {
    let case = open(&start.at)?;
    let clock = clock_of(&start.clock)?;
    let registry = Registry::load(&case).map_err(failure)?;
    let organisation = organisation(&registry, &start.organisation)?;
    let refused = |why: String| {
        Failure::usage(
            why,
            "a clock runs from when its trigger happened, where it happened",
        )
    };
    let trigger = Trigger::parse(&start.trigger).map_err(refused)?;
    let due = due(&clock, trigger).map_err(refused)?;
    let now = micros(start.as_of);
    let number = case.rows::<DisclosureRow>().map_err(failure)?.len() + 1;
    let row = DisclosureRow {
        id: format!("{}-{number}", clock.id),
        clock: clock.id.clone(),
        organisation: organisation.0,
        campaign: start.campaign.clone(),
        trigger_time: store::micros(trigger.time),
        trigger_text: trigger.show(trigger.time),
        due: store::micros(due),
        due_text: trigger.show(due),
        person: start.by.clone(),
        why: start.why.clone(),
        made: now,
        ..DisclosureRow::default()
    };
    let added = case
        .change(now, async |change| {
            let added = change.add(std::slice::from_ref(&row)).await?;
            let detail = serde_json::json!({
                "id": row.id, "by": row.person, "trigger": row.trigger_text, "due": row.due_text, "organisation": row.organisation, "why": row.why,
            });
            change.note("disclosure clock started", &detail).await?;
            Ok(added)
        })
        .map_err(failure)?;
    if added == 0 {
        return Err(
            Failure::fault("somebody else started a clock at the same time")
                .with_advice("run the same command again"),
        );
    }
    output::say(&format!("{}: due {}", row.id, row.due_text))?;
    Ok(ExitCode::SUCCESS)
}

/// Id and name.
fn organisation(registry: &Registry, id: &str) -> Result<(String, String), Failure> {
    let found = registry.organisation(id);
    let found = found.map(|found| (found.row.id.clone(), found.row.name.clone()));
    found.ok_or_else(|| {
        Failure::usage(
            format!("the case has no organisation {id}"),
            "`allclear registry list CASE` names those there are",
        )
    })
}

fn named(case: &Case, id: &str) -> Result<DisclosureRow, Failure> {
    let row = case.row::<DisclosureRow>(&[id]).map_err(failure)?;
    row.ok_or_else(|| {
        Failure::usage(
            format!("no clock {id} was started"),
            "`allclear disclose clocks CASE` names those there are",
        )
    })
}

/// Current verdicts of a campaign.
fn verdicts(case: &Case, campaign: &str) -> Result<Vec<VerdictRow>, Failure> {
    let mut found = Vec::new();
    case.each_verdict(&mut |row| {
        if row.current && row.campaign == campaign {
            found.push(row);
        }
    })
    .map_err(failure)?;
    Ok(found)
}

fn with_known<T>(
    case: &Case,
    id: &str,
    campaign: &str,
    work: impl FnOnce(&Known<'_>) -> T,
) -> Result<T, Failure> {
    let registry = Registry::load(case).map_err(failure)?;
    let (id, name) = organisation(&registry, id)?;
    let all = verdicts(case, campaign)?;
    let observations = case.rows_where("campaign", campaign).map_err(failure)?;
    let told = subjects(&registry, &observations, &[], campaign);
    let own = verdicts_of(&registry, &id, &all);
    Ok(work(&Known {
        organisation: &name,
        subject: told.get(&id),
        verdicts: &own,
    }))
}

fn write_draft(of: &DraftOf) -> Outcome {
    let case = open(&of.at)?;
    let row = named(&case, &of.id)?;
    let clock = clock_of(&row.clock)?;
    let text = with_known(&case, &row.organisation, &row.campaign, |known| {
        draft(&clock, &row, known)
    })?;
    match &of.output {
        Some(path) => output::to_file(path, &mut |out| out.write_all(text.as_bytes()))?,
        None => output::to_standard_output(&mut |out| out.write_all(text.as_bytes()))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn end(done: &Done) -> Outcome {
    let case = open(&done.at)?;
    let row = named(&case, &done.id)?;
    if row.done.is_some() {
        return Err(Failure::usage(
            format!("{} was reported already", row.id),
            "`allclear disclose clocks CASE` says so",
        ));
    }
    let now = micros(done.as_of);
    let row = DisclosureRow {
        done: Some(now),
        done_person: Some(done.by.clone()),
        done_why: Some(done.why.clone()),
        ..row
    };
    let detail = serde_json::json!({ "id": row.id, "by": done.by, "why": done.why });
    case.change(now, async |change| {
        change.put(std::slice::from_ref(&row)).await?;
        change.note("disclosure reported", &detail).await
    })
    .map_err(failure)?;
    output::say(&format!("{}: reported", row.id))?;
    Ok(ExitCode::SUCCESS)
}

fn fill_in(sheet: &Sheet) -> Outcome {
    let case = open(&sheet.at)?;
    let form = form(&sheet.form).ok_or_else(|| {
        Failure::usage(
            format!("there is no form `{}`", sheet.form),
            format!("forms are {}", names().join(", ")),
        )
    })?;
    let bytes = with_known(&case, &sheet.organisation, &sheet.campaign, |known| {
        xlsx(&form, known).map(|bytes| (bytes, known.verdicts.len()))
    })?;
    let (bytes, servers) = bytes.map_err(Failure::fault)?;
    output::to_file(&sheet.output, &mut |out| out.write_all(&bytes))?;
    output::say(&format!(
        "{} servers in {}",
        servers,
        sheet.output.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}
