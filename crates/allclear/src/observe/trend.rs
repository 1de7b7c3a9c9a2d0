//! `allclear observe trend`.

use super::{Per, Trend, said};
use crate::case::{failure, open};
use crate::exit::Failure;
use crate::{Outcome, output};
use model::Timestamp;
use report::visible;
use response::registry::Registry;
use response::standing::Claim;
use response::trend::{Known, Period, Plateau, Step, Told, Trend as Course, trend};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::process::ExitCode;
use store::response::{ContactRow, NoticeSubjectRow};
use store::{Case, CaseError, Value as StoreValue};

pub(super) fn run(arguments: &Trend) -> Outcome {
    let claim = Claim::parse(&arguments.claim).ok_or_else(|| {
        let names: Vec<&str> = Claim::ALL.into_iter().map(Claim::name).collect();
        Failure::usage(
            format!("{} is no claim", visible(&arguments.claim)),
            format!("name one of {}", names.join(", ")),
        )
    })?;
    let period = match arguments.per {
        Per::Day => Period::Day,
        Per::Week => Period::Week,
    };
    let case = open(&arguments.at)?;
    let registry = Registry::load(&case).map_err(failure)?;
    let contacts: Vec<ContactRow> = case.rows_where("scope", "organisation").map_err(failure)?;
    let contacted: BTreeSet<String> = contacts
        .iter()
        .filter_map(|contact| registry.organisation(&contact.subject))
        .map(|organisation| organisation.row.id.clone())
        .collect();
    let mut all: Vec<(String, Course)> = Vec::new();
    for (campaign, said) in said(&case, &registry, arguments.campaign.as_deref())? {
        let told = told(&case, &registry, &campaign).map_err(failure)?;
        let known = Known {
            contacted: Some(&contacted),
            told: Some(&told),
        };
        let course = trend(&said, claim, period, known);
        all.push((campaign, course));
    }
    output::to_standard_output(&mut |out| {
        if arguments.json {
            let campaigns: Vec<Value> = all
                .iter()
                .map(|(campaign, course)| json!({ "campaign": campaign, "trend": course }))
                .collect();
            let value = json!({ "schema": "allclear/trend/1", "campaigns": campaigns });
            return report::json_value(&value, out);
        }
        for (campaign, course) in &all {
            text(campaign, course, out)?;
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// How far telling each organisation of a campaign came.
fn told(
    case: &Case,
    registry: &Registry,
    campaign: &str,
) -> Result<BTreeMap<String, Told>, CaseError> {
    let mut states = BTreeMap::new();
    let columns = ["id", "campaign", "kind", "state"];
    case.each_row("notices", &columns, &mut |row| {
        if let [
            StoreValue::Text(id),
            StoreValue::Text(of),
            StoreValue::Text(kind),
            StoreValue::Text(state),
        ] = row
            && of == campaign
            && kind != "retraction"
            && let Some(told) = state_of(state)
        {
            states.insert(id.clone(), told);
        }
        true
    })?;
    let mut all: BTreeMap<String, Told> = BTreeMap::new();
    let subjects: Vec<NoticeSubjectRow> = case.rows()?;
    for subject in subjects {
        let organisation = registry.organisation(&subject.organisation);
        let (Some(told), Some(organisation)) = (states.get(&subject.notice), organisation) else {
            continue;
        };
        let furthest = all.entry(organisation.row.id.clone()).or_insert(*told);
        *furthest = (*told).max(*furthest);
    }
    Ok(all)
}

/// What a notice's state says of telling; nothing where it is as if there had been none.
fn state_of(state: &str) -> Option<Told> {
    Some(match state {
        "queued" | "released" | "in_doubt" => Told::Waiting,
        "bounced" => Told::Bounced,
        "sent" | "delivered" => Told::Sent,
        "refuted" => Told::Refuted,
        "acknowledged" => Told::Answered,
        "acted" => Told::Acted,
        _ => return None,
    })
}

fn day(micros: i64) -> String {
    let time = Timestamp::from_microsecond(micros).map(|time| time.to_string());
    let time = time.unwrap_or_default();
    time.split('T').next().unwrap_or_default().to_owned()
}

fn text(campaign: &str, course: &Course, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}: {} over time", visible(campaign), course.claim)?;
    writeln!(
        out,
        "{:<10} {:>13} {:>9} {:>9} {:>10}  method",
        "from", "organisations", "servers", "addresses", "looked at"
    )?;
    for point in &course.points {
        let figures = &point.figures;
        writeln!(
            out,
            "{:<10} {:>13} {:>9} {:>9} {:>10}  {}",
            day(point.period),
            figures.organisations,
            figures.servers,
            figures.addresses,
            point.servers_looked_at,
            visible(&point.method.to_string()),
        )?;
    }
    if course.rows_without_time > 0 {
        writeln!(
            out,
            "{} rows do not say when: they are on no line",
            course.rows_without_time
        )?;
    }
    for step in &course.steps {
        self::step(step, out)?;
    }
    for plateau in &course.plateaus {
        self::plateau(plateau, out)?;
    }
    Ok(())
}

fn step(step: &Step, out: &mut dyn Write) -> io::Result<()> {
    match step {
        Step::World {
            period,
            method,
            servers_before,
            servers,
        } => {
            let way = match servers.cmp(servers_before) {
                std::cmp::Ordering::Less => "fell",
                std::cmp::Ordering::Equal => "stayed",
                std::cmp::Ordering::Greater => "rose",
            };
            writeln!(
                out,
                "{}: {way} from {servers_before} to {servers} servers by the same method ({})",
                day(*period),
                visible(&method.to_string())
            )
        }
        Step::Method {
            period,
            before,
            now,
            servers_before,
            servers,
            found_before_too,
            denied_before,
            undetermined_before,
            not_seen_before,
        } => {
            writeln!(
                out,
                "{}: the method changed, not the world: {servers_before} servers by {}, {servers} by {}; the two cannot be compared",
                day(*period),
                visible(&before.to_string()),
                visible(&now.to_string()),
            )?;
            writeln!(
                out,
                "    of the {servers}: {found_before_too} found before too, {denied_before} denied before, {undetermined_before} left \
                 undetermined before, {not_seen_before} not seen before"
            )
        }
    }
}

fn plateau(plateau: &Plateau, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{} to {}: no longer falling, {} to {} servers ({})",
        day(plateau.since),
        day(plateau.until),
        plateau.servers_first,
        plateau.servers_last,
        visible(&plateau.method.to_string())
    )?;
    for reason in &plateau.tail {
        writeln!(
            out,
            "    {:>7} servers of {:>6} organisations: {}",
            reason.servers, reason.organisations, reason.why
        )?;
    }
    Ok(())
}
