//! `allclear priority`: who goes first, and why.

use crate::args::CaseAt;
use crate::case::{failure, now, open};
use crate::exit::Failure;
use crate::{Outcome, lists, output, settings};
use clap::{Args, Subcommand};
use model::Timestamp;
use report::visible;
use response::priority::tables::Tables;
use response::priority::{Campaign, Score, kev, rank};
use response::registry::Registry;
use response::standing::standings;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use store::response::{ImportRow, KnownExploitedRow, ObservationRow};
use store::{Case, VerdictRow, micros};

#[derive(Debug, Subcommand)]
pub(crate) enum PriorityCommand {
    /// Organisations of the case, the most urgent first, each with its span of points from 0 to 100.
    List(List),
    /// How one organisation's points come about: each part in words, with its weight and source, and what is not known.
    Explain(Explain),
    /// Take in CISA's catalogue of vulnerabilities that are known to be exploited (KEV), as JSON or CSV.
    Import(Import),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    at: CaseAt,

    /// Only this campaign.
    #[arg(long, value_name = "NAME")]
    campaign: Option<String>,

    /// At most so many organisations; 0 is all.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,

    /// Write one JSON object for each organisation instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    at: CaseAt,

    /// Its id, name or alias.
    #[arg(value_name = "ORGANISATION")]
    organisation: String,

    /// Write one JSON object for each campaign instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(flatten)]
    at: CaseAt,

    /// The catalogue. It takes the place of the one that the case has.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) fn run(command: &PriorityCommand) -> Outcome {
    match command {
        PriorityCommand::List(given) => list(given),
        PriorityCommand::Explain(given) => explain(given),
        PriorityCommand::Import(given) => import(given),
    }
}

/// Every organisation of which something is known, campaign by campaign, the most urgent first.
pub(crate) fn scores(
    case: &Case,
    registry: &Registry,
    tables: &Tables,
) -> Result<Vec<Score>, Failure> {
    let mut observations: Vec<ObservationRow> = Vec::new();
    case.each_spoken(&mut |row| observations.push(row))
        .map_err(failure)?;
    let mut verdicts: Vec<VerdictRow> = Vec::new();
    case.each_verdict(&mut |row| {
        if row.current {
            verdicts.push(row);
        }
    })
    .map_err(failure)?;
    let standings = standings(registry, &observations, &verdicts);
    let campaigns: Vec<Campaign> = pack::builtin_packs()
        .into_iter()
        .map(|pack| Campaign {
            cves: pack
                .vulnerabilities
                .iter()
                .map(|one| one.cve.clone())
                .collect(),
            name: pack.manifest.name,
        })
        .collect();
    let listed: Vec<KnownExploitedRow> = case.rows().map_err(failure)?;
    let listed: BTreeSet<String> = listed.into_iter().map(|row| row.cve).collect();
    let listed = (!listed.is_empty()).then_some(&listed);
    Ok(rank(registry, &standings, &campaigns, listed, tables))
}

pub(crate) fn tables() -> Result<Tables, Failure> {
    Tables::builtin().map_err(Failure::fault)
}

/// A time as a day.
pub(crate) fn day(micros: i64) -> String {
    let time = Timestamp::from_microsecond(micros).map(|time| time.to_string());
    let time = time.unwrap_or_default();
    time.get(..10).unwrap_or_default().to_owned()
}

fn object(score: &Score) -> Value {
    let terms: Vec<Value> = score
        .terms
        .iter()
        .map(|term| {
            json!({
                "category": term.category, "weight": term.weight, "low": term.low, "high": term.high,
                "words": term.words, "source": term.source,
            })
        })
        .collect();
    let decided = |one: &response::priority::tables::Decided| {
        json!({
            "table": one.table, "least": one.least.outcome, "most": one.most.outcome,
            "least_source": one.least_source, "most_source": one.most_source,
        })
    };
    json!({
        "organisation": score.organisation, "name": score.name, "campaign": score.campaign,
        "situation": score.situation.name(), "low": score.low, "high": score.high,
        "servers": score.servers, "last_seen": score.last_seen.map(day), "due": score.due.map(day),
        "coordinator": decided(&score.coordinator), "directive": decided(&score.directive),
        "terms": terms, "unknown": score.unknown,
    })
}

fn list(given: &List) -> Outcome {
    let case = open(&given.at)?;
    let registry = Registry::load(&case).map_err(failure)?;
    let mut scores = scores(&case, &registry, &tables()?)?;
    if let Some(campaign) = &given.campaign {
        scores.retain(|score| score.campaign == *campaign);
    }
    let shown = if given.limit == 0 {
        scores.len()
    } else {
        given.limit
    };
    output::to_standard_output(&mut |out| {
        if !given.json {
            writeln!(
                out,
                "{} organisations and campaigns; points from 0 to 100, at least and at most",
                scores.len()
            )?;
        }
        for score in scores.iter().take(shown) {
            if given.json {
                writeln!(out, "{}", object(score))?;
                continue;
            }
            writeln!(
                out,
                "{:>5.1} to {:>5.1}  {:<12} {}  {}  {}{}",
                score.low,
                score.high,
                score.situation.name(),
                visible(&score.organisation),
                visible(&score.name),
                visible(&score.campaign),
                score
                    .due
                    .map(|due| format!("  due {}", day(due)))
                    .unwrap_or_default(),
            )?;
        }
        if !given.json && scores.len() > shown {
            writeln!(out, "{} more; --limit 0 shows all", scores.len() - shown)?;
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn explain(given: &Explain) -> Outcome {
    let case = open(&given.at)?;
    let registry = Registry::load(&case).map_err(failure)?;
    let id = match registry.organisation(&given.organisation) {
        Some(organisation) => organisation.row.id.clone(),
        None => named(&registry, &given.organisation)?,
    };
    let mut scores = scores(&case, &registry, &tables()?)?;
    scores.retain(|score| score.organisation == id);
    if scores.is_empty() {
        return Err(Failure::usage(
            format!("nothing is known of {} in any campaign", visible(&id)),
            "`allclear observe import` takes in what others say; `allclear check --case` reads evidence",
        ));
    }
    output::to_standard_output(&mut |out| {
        for score in &scores {
            if given.json {
                writeln!(out, "{}", object(score))?;
            } else {
                in_words(score, out)?;
            }
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The id of the one organisation of that name.
fn named(registry: &Registry, name: &str) -> Result<String, Failure> {
    let mut ids = registry
        .organisations()
        .filter(|organisation| organisation.row.name.eq_ignore_ascii_case(name))
        .map(|organisation| organisation.row.id.clone());
    match (ids.next(), ids.next()) {
        (Some(id), None) => Ok(id),
        (Some(_), Some(_)) => Err(Failure::usage(
            format!("several organisations are called {}", visible(name)),
            "give the id of one; `allclear registry list CASE` shows them",
        )),
        (None, _) => Err(Failure::usage(
            format!("the case has no organisation {}", visible(name)),
            "`allclear registry list CASE` shows them",
        )),
    }
}

fn in_words(score: &Score, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{}  {}  {}: {:.1} to {:.1} of 100, {}",
        visible(&score.organisation),
        visible(&score.name),
        visible(&score.campaign),
        score.low,
        score.high,
        score.situation.name()
    )?;
    for term in &score.terms {
        writeln!(
            out,
            "  {:<14} weight {:>2.0}: {:>5.1} to {:>5.1}  {}",
            term.category,
            term.weight,
            term.low,
            term.high,
            visible(&term.words)
        )?;
        writeln!(out, "                 ({})", visible(&term.source))?;
    }
    for unknown in &score.unknown {
        writeln!(out, "  not known: {}", visible(unknown))?;
    }
    if let Some(due) = score.due {
        writeln!(
            out,
            "  due {}: {}",
            day(due),
            visible(&score.directive.most.outcome)
        )?;
    }
    Ok(())
}

fn import(given: &Import) -> Outcome {
    let case = open(&given.at)?;
    let label = given.file.display().to_string();
    let bytes = settings::read(&given.file)?;
    let sha256 = lists::hex(&Sha256::digest(&bytes));
    let id = format!("kev-{}", sha256.get(..16).unwrap_or_default());
    let catalogue = kev::read(&bytes, &id).map_err(|problem| {
        Failure::usage(
            format!("{} is no catalogue: {}", visible(&label), visible(&problem)),
            "give CISA's known_exploited_vulnerabilities.json or .csv, unpacked",
        )
    })?;
    let now = micros(now());
    let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let refused: usize = catalogue.refused.values().sum();
    case.change(now, async |change| {
        let row = ImportRow {
            id: id.clone(),
            kind: "kev".to_owned(),
            label: label.clone(),
            sha256: sha256.clone(),
            imported: now,
            rows_in: whole(catalogue.rows_in),
            accepted: whole(catalogue.rows.len()),
            refused: json!(catalogue.refused).to_string(),
        };
        change.put(&[row]).await?;
        let kept: BTreeSet<&str> = catalogue.rows.iter().map(|row| row.cve.as_str()).collect();
        for row in change.rows::<KnownExploitedRow>().await? {
            if !kept.contains(row.cve.as_str()) {
                change.remove::<KnownExploitedRow>(&[&row.cve]).await?;
            }
        }
        change.put(&catalogue.rows).await?;
        let detail = json!({
            "import": id, "file": label, "sha256": sha256, "version": catalogue.version,
            "rows_in": catalogue.rows_in, "accepted": catalogue.rows.len(), "refused": catalogue.refused,
        });
        change.note("known exploited vulnerabilities imported", &detail).await
    })
    .map_err(failure)?;
    output::to_standard_output(&mut |out| {
        writeln!(
            out,
            "{}: {}{} rows = {} accepted + {refused} refused",
            visible(&label),
            catalogue
                .version
                .as_ref()
                .map(|version| format!("edition {}, ", visible(version)))
                .unwrap_or_default(),
            catalogue.rows_in,
            catalogue.rows.len(),
        )?;
        for (why, count) in &catalogue.refused {
            writeln!(out, "  refused {count}: {why}")?;
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}
