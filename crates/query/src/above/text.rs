//! The picture for a terminal.

use super::{Above, Actor, Campaign, Reuse};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Values of one kind that a line names; JSON has them all.
const NAMED_MAX: usize = 5;

/// Actors that are told one by one; JSON has them all.
pub(super) const ACTORS_MAX: usize = 30;

/// Reuses that are told one by one.
pub(super) const REUSE_MAX: usize = 40;

/// Columns of the widest bar.
const BAR_WIDTH: i64 = 40;

/// Writes the picture as text. What comes from evidence is made visible.
pub fn text(above: &Above, out: &mut dyn Write) -> io::Result<()> {
    if above.campaigns.is_empty() {
        writeln!(out, "No campaign has been judged in this case.")?;
    }
    for campaign in &above.campaigns {
        self::campaign(campaign, out)?;
    }
    actors(&above.actors, out)?;
    reuse(&above.reuse, out)?;
    if !above.too_common.is_empty() {
        writeln!(out, "\nSHARED BY TOO MANY HOSTS TO TELL ANYBODY APART")?;
        for common in above.too_common.iter().take(NAMED_MAX * 4) {
            let (kind, value) = (
                common.shared.kind.name(),
                report::visible(&common.shared.value),
            );
            let percent = common.share * 100.0;
            writeln!(
                out,
                "  {kind} {value}: {} hosts ({percent:.0} %)",
                common.hosts
            )?;
        }
        more(above.too_common.len(), NAMED_MAX * 4, out)?;
    }
    writeln!(out)?;
    for note in &above.notes {
        writeln!(out, "{note}")?;
    }
    out.flush()
}

fn campaign(campaign: &Campaign, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "CAMPAIGN {}", report::visible(&campaign.campaign))?;
    let verdicts: Vec<String> = campaign
        .verdicts
        .iter()
        .map(|(verdict, hosts)| format!("{} {}", report::visible(verdict), hosts))
        .collect();
    writeln!(out, "  hosts: {}", verdicts.join(", "))?;
    if let Some(disclosed) = campaign.disclosed {
        let before = campaign.exploited_before_disclosure.unwrap_or(0);
        let after = campaign.exploited_after_disclosure.unwrap_or(0);
        writeln!(
            out,
            "  public since {}: {before} hosts exploited before, {after} after",
            day(disclosed)
        )?;
    }
    if let Some(days) = campaign.days_to_patch_median {
        writeln!(
            out,
            "  half of those exploited and patched later had the intruder for {days} days or less before the patch"
        )?;
    }
    if campaign.curve.is_empty() {
        writeln!(out, "  nothing in it is dated\n")?;
        return Ok(());
    }
    let most = campaign
        .curve
        .iter()
        .map(|day| day.exploited.max(day.patched))
        .max()
        .unwrap_or(1)
        .max(1);
    writeln!(
        out,
        "\n  day         exploited  patched  exposed  # exploited, + patched"
    )?;
    for day in &campaign.curve {
        let bar = |count: i64, mark: &str| {
            let width = (count * BAR_WIDTH + most - 1) / most;
            mark.repeat(usize::try_from(width).unwrap_or(0))
        };
        let bars = format!("{}{}", bar(day.exploited, "#"), bar(day.patched, "+"));
        let line = format!(
            "  {}  {:>9}  {:>7}  {:>7}  {bars}",
            day.day, day.exploited, day.patched, day.exposed
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out)
}

fn actors(actors: &[Actor], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "ACTORS: {}", actors.len())?;
    for actor in actors.iter().take(ACTORS_MAX) {
        writeln!(out, "\n  {}: {}", actor.name, headline(actor))?;
        for (what, values) in tools(actor) {
            writeln!(out, "    {what}: {}", some(values))?;
        }
        for join in actor.joins.iter().take(NAMED_MAX) {
            writeln!(out, "    joined by {}", why(join))?;
        }
        if actor.joins.len() > NAMED_MAX {
            writeln!(out, "    and by {} more", actor.joins.len() - NAMED_MAX)?;
        }
    }
    more(actors.len(), ACTORS_MAX, out)
}

fn reuse(reuse: &[Reuse], out: &mut dyn Write) -> io::Result<()> {
    if reuse.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nSHELLS THAT ANOTHER USED LATER: {}", reuse.len())?;
    for one in reuse.iter().take(REUSE_MAX) {
        writeln!(out, "  {}", used_again(one))?;
    }
    more(reuse.len(), REUSE_MAX, out)
}

/// One sentence on one reuse.
pub(super) fn used_again(one: &Reuse) -> String {
    let disclosure = match one.after_disclosure {
        Some(true) => ", after it was public",
        Some(false) => ", before it was public",
        None => "",
    };
    let (host, page) = (report::visible(&one.host), report::visible(&one.page));
    format!(
        "{host} {page}: first {} ({}, {}), later {} ({}, {}){disclosure}",
        one.first_actor,
        report::visible(&one.first_address),
        one.first_used
            .map_or_else(|| "undated".to_owned(), |time| time.to_string()),
        one.later_actor,
        report::visible(&one.later_address),
        one.later_used
            .map_or_else(|| "undated".to_owned(), |time| time.to_string()),
    )
}

/// Where and when an actor was.
pub(super) fn headline(actor: &Actor) -> String {
    let hosts = if actor.hosts == 1 {
        "1 host".to_owned()
    } else {
        format!("{} hosts", actor.hosts)
    };
    let when = match (actor.first, actor.last) {
        (Some(first), Some(last)) => format!(", {first} to {last}"),
        (Some(first), None) => format!(", since {first}"),
        _ => ", undated".to_owned(),
    };
    let disclosure = match actor.before_disclosure {
        Some(true) => ", at work before it was public",
        Some(false) => ", only after it was public",
        None => "",
    };
    format!(
        "{hosts}, first on {}{when}{disclosure}",
        actor.came_first_on
    )
}

/// What an actor used, by kind.
pub(super) fn tools(actor: &Actor) -> impl Iterator<Item = (&'static str, &BTreeSet<String>)> {
    [
        ("addresses", &actor.addresses),
        ("shells", &actor.shells),
        ("parameters", &actor.parameters),
        ("pages", &actor.pages),
        ("agents", &actor.agents),
    ]
    .into_iter()
    .filter(|(_, values)| !values.is_empty())
}

/// What joined whom, as a sentence without its verb.
pub(super) fn why(join: &super::Join) -> String {
    let shared: Vec<String> = join
        .shared
        .iter()
        .map(|shared| format!("{} {}", shared.kind.name(), report::visible(&shared.value)))
        .collect();
    format!(
        "{} (weight {:.2}): {} visits on {}",
        shared.join(" and "),
        join.weight,
        join.visits,
        some(&join.hosts)
    )
}

/// The first few, and how many more.
pub(super) fn some<'a>(values: impl IntoIterator<Item = &'a String>) -> String {
    let values: Vec<&String> = values.into_iter().collect();
    let shown: Vec<String> = values
        .iter()
        .take(NAMED_MAX)
        .map(|value| report::visible(value).into_owned())
        .collect();
    let rest = values.len().saturating_sub(NAMED_MAX);
    if rest == 0 {
        return shown.join(", ");
    }
    format!("{}, and {rest} more", shown.join(", "))
}

fn more(count: usize, shown: usize, out: &mut dyn Write) -> io::Result<()> {
    if count > shown {
        writeln!(
            out,
            "  and {} more: the JSON form has all of them",
            count - shown
        )?;
    }
    Ok(())
}

fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}
