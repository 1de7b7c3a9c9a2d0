//! `allclear plan`: who helps whom in the next weeks, what else they could do, and what is left undone.

use crate::args::CaseAt;
use crate::case::{failure, now, open};
use crate::exit::Failure;
use crate::priority::{day, scores, tables};
use crate::{Outcome, lists, output, settings};
use clap::{Args, Subcommand};
use model::Timestamp;
use report::visible;
use response::plan::simulate::{Course, ORGANISATIONS_MAX, Policy, play, world};
use response::plan::{self, Job, Plan, RESPONDERS_MAX, Reason, Responder, WEEKS_MAX, chart};
use response::registry::Registry;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use store::response::{ContactRow, PlanRow, PlanTaskRow};
use store::{Case, micros};

#[derive(Debug, Subcommand)]
pub(crate) enum PlanCommand {
    /// Give the responders of the case their work, so that the most risk is gone; says how far from the best that can be.
    ///
    /// The plan is kept, and the next one says what it changes. Nothing is kept with --what-if, --more or --without.
    Make(Make),
    /// Play a whole response under three policies and compare them: of this case, or of a made-up world with a seed.
    Simulate(Simulate),
}

#[derive(Debug, Args)]
pub(crate) struct Make {
    #[command(flatten)]
    at: CaseAt,

    /// How many weeks ahead.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..=WEEKS_MAX))]
    weeks: i64,

    /// From this time on, such as 2021-03-08T00:00:00Z [default: now].
    #[arg(long, value_name = "TIME")]
    as_of: Option<Timestamp>,

    /// What helping takes, instead of our estimates: CSV in the form of `knowledge/priority/work.csv`.
    #[arg(long, value_name = "FILE.csv")]
    work: Option<PathBuf>,

    #[command(flatten)]
    what_if: WhatIf,

    /// At most so many lines of each kind; 0 is all.
    #[arg(long, value_name = "N", default_value_t = 40)]
    limit: usize,

    /// Write one JSON object (allclear/plan/1) instead of text.
    #[arg(long)]
    json: bool,
}

/// What would be, were things different.
#[derive(Debug, Args)]
struct WhatIf {
    /// Only look: keep nothing.
    #[arg(long = "what-if")]
    only_look: bool,

    /// As if there were one more team with these skills, hours a week and languages, such as
    /// `forensics+patching,80,de+en` or with a country or region behind, `triage,40,en,DE`; may be given several times.
    #[arg(long, value_name = "SKILLS,HOURS,LANGUAGES[,PLACE]", value_parser = team)]
    more: Vec<Responder>,

    /// As if this campaign were over; may be given several times.
    #[arg(long, value_name = "CAMPAIGN")]
    without: Vec<String>,
}

impl WhatIf {
    fn any(&self) -> bool {
        self.only_look || !self.more.is_empty() || !self.without.is_empty()
    }
}

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// The case whose organisations and responders are played [default: a made-up world].
    #[arg(value_name = "CASE")]
    case: Option<PathBuf>,

    #[command(flatten)]
    behind: crate::args::CaseBehind,

    /// Organisations of the made-up world.
    #[arg(long, value_name = "N", default_value_t = 30_000, conflicts_with = "case", value_parser = at_most(ORGANISATIONS_MAX))]
    organisations: usize,

    /// Responders of the made-up world.
    #[arg(long, value_name = "N", default_value_t = 200, conflicts_with = "case", value_parser = at_most(RESPONDERS_MAX))]
    responders: usize,

    /// The same seed makes the same world.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "case")]
    seed: u64,

    /// Draw the risk that stands over the weeks to this file.
    #[arg(long, value_name = "FILE.svg")]
    svg: Option<PathBuf>,

    /// Write one JSON object for each policy instead of text.
    #[arg(long)]
    json: bool,
}

fn at_most(most: usize) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| match text.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(format!("give a whole number from 1 to {most}")),
    }
}

fn team(text: &str) -> Result<Responder, String> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let ([skills, hours, languages] | [skills, hours, languages, _]) = parts[..] else {
        return Err(
            "give skills, hours and languages, such as forensics+patching,80,de+en".to_owned(),
        );
    };
    let hours = hours
        .parse()
        .ok()
        .filter(|hours| (0.0..=10_000.0).contains(hours));
    let hours = hours.ok_or("the hours a week lie between 0 and 10000")?;
    let words = |text: &str| text.split('+').map(str::to_lowercase).collect();
    Ok(Responder {
        id: String::new(),
        name: format!("as if: {text}"),
        skills: words(skills),
        minutes_a_week: plan::minutes(hours),
        region: parts.get(3).map(|place| (*place).to_owned()),
        languages: words(languages),
    })
}

pub(crate) fn run(command: &PlanCommand) -> Outcome {
    match command {
        PlanCommand::Make(given) => make(given),
        PlanCommand::Simulate(given) => simulate(given),
    }
}

/// Jobs and responders of a case.
struct World {
    jobs: Vec<Job>,
    responders: Vec<Responder>,
    names: BTreeMap<String, String>,
}

fn world_of(case: &Case, work: Option<&PathBuf>) -> Result<World, Failure> {
    let registry = Registry::load(case).map_err(failure)?;
    let tables = tables()?;
    let work = match work {
        None => tables.work.clone(),
        Some(path) => {
            let bytes = settings::read(path)?;
            response::priority::tables::work(&String::from_utf8_lossy(&bytes)).map_err(|error| {
                Failure::usage(
                    format!("{}: {error}", path.display()),
                    "knowledge/priority/work.csv shows the form",
                )
            })?
        }
    };
    let contacts: Vec<ContactRow> = case.rows().map_err(failure)?;
    let scores = scores(case, &registry, &tables)?;
    let jobs = plan::jobs(&scores, &registry, &contacts, &work);
    let responders = case.rows().map_err(failure)?;
    let responders = plan::responders(&responders).map_err(|problem| {
        Failure::usage(problem, "`allclear registry import` takes in responders")
    })?;
    let names = (scores.into_iter())
        .map(|score| (score.organisation, score.name))
        .collect();
    Ok(World {
        jobs,
        responders,
        names,
    })
}

fn make(given: &Make) -> Outcome {
    let case = open(&given.at)?;
    let mut world = world_of(&case, given.work.as_ref())?;
    for campaign in &given.what_if.without {
        let before = world.jobs.len();
        world.jobs.retain(|job| job.campaign != *campaign);
        if world.jobs.len() == before {
            return Err(Failure::usage(
                format!("nothing is to do in the campaign {}", visible(campaign)),
                "`allclear priority list CASE` names those in which something is",
            ));
        }
    }
    for (number, team) in given.what_if.more.iter().enumerate() {
        let id = format!("as-if-{}", number + 1);
        world.responders.push(Responder { id, ..team.clone() });
    }
    if world.responders.is_empty() {
        return Err(Failure::usage(
            "the case has no responders",
            "`allclear registry import CASE responders.csv --as responders` takes them in; --more tries one",
        ));
    }
    let as_of = micros(given.as_of.unwrap_or_else(now));
    let plan = plan::solve(&world.jobs, &world.responders, given.weeks, as_of);
    let before: Vec<PlanRow> = case.rows().map_err(failure)?;
    let before = before.into_iter().find(|row| row.current);
    let changes = match &before {
        None => None,
        Some(row) => Some(Changes::between(
            &case
                .rows_where::<PlanTaskRow>("plan", &row.id)
                .map_err(failure)?,
            &plan,
            &world,
        )),
    };
    if !given.what_if.any() {
        keep(&case, &plan, &world, as_of)?;
    }
    output::to_standard_output(&mut |out| {
        if given.json {
            writeln!(
                out,
                "{}",
                object(&plan, &world, changes.as_ref(), before.as_ref())
            )
        } else {
            text(given, &plan, &world, changes.as_ref(), before.as_ref(), out)
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What is otherwise than in the plan before.
struct Changes {
    added: usize,
    moved: usize,
    dropped: usize,
}

impl Changes {
    fn between(before: &[PlanTaskRow], plan: &Plan, world: &World) -> Self {
        let mut who: BTreeMap<(&str, &str), &str> = before
            .iter()
            .map(|row| {
                (
                    (row.organisation.as_str(), row.campaign.as_str()),
                    row.responder.as_str(),
                )
            })
            .collect();
        let (mut added, mut moved) = (0, 0);
        for one in &plan.assignments {
            let job = &world.jobs[one.job];
            match who.remove(&(job.organisation.as_str(), job.campaign.as_str())) {
                None => added += 1,
                Some(responder) if responder != world.responders[one.responder].id => moved += 1,
                Some(_) => {}
            }
        }
        Self {
            added,
            moved,
            dropped: who.len(),
        }
    }
}

/// Writes the plan down as the one that is worked by.
fn keep(case: &Case, plan: &Plan, world: &World, as_of: i64) -> Result<(), Failure> {
    let mut said = String::new();
    for one in &plan.assignments {
        let job = &world.jobs[one.job];
        let responder = &world.responders[one.responder].id;
        writeln!(
            said,
            "{}\t{}\t{responder}\t{}",
            job.organisation, job.campaign, one.position
        )
        .expect("a string takes all");
    }
    let digest = lists::hex(&Sha256::digest(format!("{as_of}\t{}\n{said}", plan.weeks)));
    let id = format!("plan-{}", digest.get(..16).unwrap_or_default());
    let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let tasks: Vec<PlanTaskRow> = plan
        .assignments
        .iter()
        .map(|one| {
            let job = &world.jobs[one.job];
            PlanTaskRow {
                plan: id.clone(),
                organisation: job.organisation.clone(),
                campaign: job.campaign.clone(),
                responder: world.responders[one.responder].id.clone(),
                position: whole(one.position),
                situation: job.situation.clone(),
                hours: job.minutes as f64 / 60.0,
                removed: job.risk as f64 / 1000.0,
            }
        })
        .collect();
    let made = micros(now());
    case.change(made, async |change| {
        for mut row in change.rows::<PlanRow>().await? {
            if row.current && row.id != id {
                row.current = false;
                change.put(&[row]).await?;
            }
        }
        let row = PlanRow {
            id: id.clone(),
            made,
            as_of,
            weeks: plan.weeks,
            jobs: whole(world.jobs.len()),
            assigned: whole(tasks.len()),
            removed: plan.removed,
            greedy: plan.greedy,
            bound: plan.bound,
            current: true,
        };
        change.put(&[row]).await?;
        change.put(&tasks).await?;
        let detail = json!({
            "plan": id, "weeks": plan.weeks, "jobs": world.jobs.len(), "assigned": tasks.len(), "sha256": digest,
        });
        change.note("plan made", &detail).await
    })
    .map_err(failure)
}

fn text(
    given: &Make,
    plan: &Plan,
    world: &World,
    changes: Option<&Changes>,
    before: Option<&PlanRow>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let limit = if given.limit == 0 {
        usize::MAX
    } else {
        given.limit
    };
    let name = |id: &str| visible(world.names.get(id).map_or(id, String::as_str)).into_owned();
    writeln!(
        out,
        "{} of {} jobs for {} responders in {} week(s); {} pairs that fit, as {} kinds of jobs and {} classes of responders",
        plan.assignments.len(),
        world.jobs.len(),
        world.responders.len(),
        plan.weeks,
        plan.pairs,
        plan.kinds,
        plan.classes,
    )?;
    writeln!(
        out,
        "risk removed: {:.1} points; at most {:.1} can be ({:.1} % below that); a greedy plan removes {:.1}",
        plan.removed,
        plan.bound,
        plan.gap() * 100.0,
        plan.greedy,
    )?;
    if let (Some(changes), Some(before)) = (changes, before) {
        writeln!(
            out,
            "against the plan of {} ({:.1} points): {} jobs more, {} with somebody else, {} no longer",
            day(before.made),
            before.removed,
            changes.added,
            changes.moved,
            changes.dropped,
        )?;
    }
    for one in plan.assignments.iter().take(limit) {
        let job = &world.jobs[one.job];
        let responder = &world.responders[one.responder];
        let instead = one.instead.as_ref().map(|other| {
            let left = &world.jobs[other.job];
            format!(
                "; these hours would remove {:.1} at {}",
                other.points,
                name(&left.organisation)
            )
        });
        writeln!(
            out,
            "{}  {}. {}  {}  {}  {:.1} h removes {:.1}{}{}",
            visible(&responder.name),
            one.position,
            name(&job.organisation),
            visible(&job.campaign),
            visible(&job.situation),
            job.minutes as f64 / 60.0,
            job.risk as f64 / 1000.0,
            if one.late { "; LATE" } else { "" },
            instead.unwrap_or_default(),
        )?;
    }
    if plan.assignments.len() > limit {
        writeln!(
            out,
            "{} more; --limit 0 shows all",
            plan.assignments.len() - limit
        )?;
    }
    let mut left: BTreeMap<Reason, (usize, f64)> = BTreeMap::new();
    for one in &plan.undone {
        let sum = left.entry(one.reason).or_default();
        sum.0 += 1;
        sum.1 += world.jobs[one.job].risk as f64 / 1000.0;
    }
    for (reason, (count, points)) in left {
        writeln!(
            out,
            "left undone: {count} jobs, {points:.1} points: {}",
            reason.words()
        )?;
    }
    for one in plan.undone.iter().take(limit) {
        let job = &world.jobs[one.job];
        writeln!(
            out,
            "  {}  {}  {}  {:.1} points  {} h of {}: {}",
            name(&job.organisation),
            visible(&job.campaign),
            visible(&job.situation),
            job.risk as f64 / 1000.0,
            job.minutes / 60,
            visible(&job.needs.skill),
            one.reason.words(),
        )?;
    }
    if given.what_if.any() {
        writeln!(out, "only looked: nothing was kept")?;
    }
    Ok(())
}

fn object(
    plan: &Plan,
    world: &World,
    changes: Option<&Changes>,
    before: Option<&PlanRow>,
) -> Value {
    let job = |at: usize| {
        let job = &world.jobs[at];
        json!({
            "organisation": job.organisation, "campaign": job.campaign, "situation": job.situation,
            "skill": job.needs.skill, "hours": job.minutes as f64 / 60.0, "points": job.risk as f64 / 1000.0,
            "due": job.due.map(day),
        })
    };
    let assignments: Vec<Value> = plan
        .assignments
        .iter()
        .map(|one| {
            json!({
                "job": job(one.job), "responder": world.responders[one.responder].id, "position": one.position,
                "late": one.late,
                "instead": one.instead.as_ref().map(|other| json!({ "job": job(other.job), "points": other.points })),
            })
        })
        .collect();
    let undone: Vec<Value> = plan
        .undone
        .iter()
        .map(|one| json!({ "job": job(one.job), "reason": one.reason.name() }))
        .collect();
    json!({
        "schema": "allclear/plan/1", "weeks": plan.weeks, "removed": plan.removed, "greedy": plan.greedy,
        "bound": plan.bound, "gap": plan.gap(), "pairs": plan.pairs, "assignments": assignments, "undone": undone,
        "changes": changes.map(|one| json!({ "added": one.added, "moved": one.moved, "dropped": one.dropped })),
        "before": before.map(|row| row.id.clone()),
    })
}

fn simulate(given: &Simulate) -> Outcome {
    output::must_be_writable(given.svg.as_deref())?;
    let (jobs, responders) = match &given.case {
        None => world(given.organisations, given.responders, given.seed),
        Some(case) => {
            let at = CaseAt {
                case: case.clone(),
                behind: given.behind.clone(),
            };
            let world = world_of(&open(&at)?, None)?;
            (world.jobs, world.responders)
        }
    };
    let courses = Policy::ALL.map(|policy| play(&jobs, &responders, policy));
    if let Some(path) = &given.svg {
        let picture = chart::svg(&courses);
        output::to_file(path, &mut |out| out.write_all(picture.as_bytes()))?;
    }
    output::to_standard_output(&mut |out| {
        if !given.json {
            writeln!(out, "{} jobs, {} responders", jobs.len(), responders.len())?;
            writeln!(
                out,
                "policy       weeks to the last  risk x weeks  weeks to a tenth  done  nobody can"
            )?;
        }
        for course in &courses {
            let tenth = tenth(course);
            if given.json {
                let object = json!({
                    "policy": course.policy.name(), "weeks": course.weeks, "harm": course.harm, "weeks_to_a_tenth": tenth,
                    "left": course.left, "done": course.jobs_done, "impossible": course.impossible,
                });
                writeln!(out, "{object}")?;
            } else {
                writeln!(
                    out,
                    "{:<12} {:>17.1}  {:>12.0}  {tenth:>16}  {:>4}  {:>10}",
                    course.policy.name(),
                    course.weeks,
                    course.harm,
                    course.jobs_done,
                    course.impossible,
                )?;
            }
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Whole weeks until a tenth of the risk is left.
fn tenth(course: &Course) -> usize {
    let first = course.left.first().copied().unwrap_or_default();
    let under = course.left.iter().position(|left| *left <= first / 10.0);
    under.unwrap_or(course.left.len())
}
