//! The draft of a report: each thing that the duty asks, with what the case knows of it, and plainly where it knows nothing.

use super::clock::{Clock, Fact};
use crate::notice::facts::Subject;
use crate::notice::text::harmless;
use crate::registry::{AssetKind, Owner, Registry};
use std::fmt::Write as _;
use store::VerdictRow;
use store::response::DisclosureRow;

/// What a draft is made of.
#[derive(Debug)]
pub struct Known<'a> {
    /// The organisation's name.
    pub organisation: &'a str,
    /// What lists say of it.
    pub subject: Option<&'a Subject>,
    /// Our own verdicts on its hosts.
    pub verdicts: &'a [VerdictRow],
}

/// The verdicts on an organisation's hosts in a campaign, in order of host.
pub fn verdicts_of(registry: &Registry, organisation: &str, all: &[VerdictRow]) -> Vec<VerdictRow> {
    let own = |row: &&VerdictRow| {
        let host = AssetKind::Host.normalise(&row.host);
        host.is_some_and(|host| registry.owner(AssetKind::Host, &host) == Owner::One(organisation))
    };
    let mut found: Vec<VerdictRow> = all.iter().filter(own).cloned().collect();
    found.sort_by(|a, b| a.host.cmp(&b.host));
    found
}

fn time(micros: Option<i64>) -> Option<String> {
    let time = jiff::Timestamp::from_microsecond(micros?).ok()?;
    Some(time.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// The draft, as text.
pub fn draft(clock: &Clock, row: &DisclosureRow, known: &Known<'_>) -> String {
    let mut text = String::new();
    let mut line = |words: &str| writeln!(text, "{words}").expect("a string takes all");
    line(&format!("DRAFT: {}", clock.title));
    line("Made from a case. Not sent to anybody; a person must check, complete and sign it.");
    line("");
    line(&format!("Organisation: {}", harmless(known.organisation)));
    line(&format!(
        "Duty: {} ({}), {}",
        clock.id, clock.jurisdiction, clock.source
    ));
    line(&format!("Trigger: {}", clock.trigger));
    line(&format!(
        "  set by {} to {}: {}",
        harmless(&row.person),
        row.trigger_text,
        harmless(&row.why)
    ));
    line(&format!("Due: {}", row.due_text));
    for (number, item) in (1..).zip(&clock.contents) {
        line("");
        line(&format!("{number}. {}", item.ask));
        for fact in &item.facts {
            let said = facts(*fact, row, known);
            if said.is_empty() {
                line(&format!("   NOT KNOWN: {}", unknown(*fact)));
            }
            for words in said {
                line(&format!("   - {words}"));
            }
        }
    }
    text
}

fn unknown(fact: Fact) -> &'static str {
    match fact {
        Fact::Campaign => "nothing in the case names a campaign",
        Fact::Hosts => "no server of the organisation is in the case",
        Fact::Times => "nothing in the evidence dates the intrusion",
        Fact::Stages => "no evidence was examined, and no list speaks of an intrusion",
        Fact::Footholds => "no foothold is known; that none was found is not said",
        Fact::Measures => "the case holds no evidence of measures",
        Fact::Unknown => "nothing was examined, so everything is unknown",
        Fact::Person => "a case cannot know this; a person must fill it in",
    }
}

fn facts(fact: Fact, row: &DisclosureRow, known: &Known<'_>) -> Vec<String> {
    let verdicts = known.verdicts;
    let servers = known.subject.map(|subject| &subject.servers);
    match fact {
        Fact::Campaign => vec![format!("campaign {}", harmless(&row.campaign))],
        Fact::Hosts => {
            let examined = verdicts.iter().map(|row| {
                let build = row.build.as_deref().unwrap_or("build unknown");
                format!(
                    "{}, examined ({}, {})",
                    harmless(&row.host),
                    harmless(build),
                    row.exposure
                )
            });
            let told = servers.into_iter().flatten().map(|((_, name), _)| {
                format!(
                    "{}, by what others reported; not examined by us",
                    harmless(name)
                )
            });
            examined.chain(told).collect()
        }
        Fact::Times => verdicts
            .iter()
            .filter_map(|row| {
                let first = time(row.first)?;
                let last = time(row.last).unwrap_or_else(|| "unknown".to_owned());
                let patched = time(row.patched).map_or_else(
                    || "when it was patched is unknown".to_owned(),
                    |time| format!("known to be patched {time}"),
                );
                Some(format!(
                    "{}: first sign {first}, last sign {last}; {patched}",
                    harmless(&row.host)
                ))
            })
            .collect(),
        Fact::Stages => {
            let examined = verdicts.iter().map(|row| {
                let stage = row.stage.as_deref().unwrap_or("no stage");
                format!("{}: {} ({stage})", harmless(&row.host), row.verdict)
            });
            let told = servers
                .into_iter()
                .flatten()
                .filter_map(|((_, name), server)| {
                    let what = match () {
                        () if server.web_shell => "a web shell was reported",
                        () if server.exploited => "an intrusion was reported",
                        () => return None,
                    };
                    Some(format!("{}: {what} by others", harmless(name)))
                });
            examined.chain(told).collect()
        }
        Fact::Footholds => servers
            .into_iter()
            .flatten()
            .flat_map(|(_, server)| server.shells.iter().map(|shell| harmless(shell)))
            .collect(),
        Fact::Measures => verdicts
            .iter()
            .filter_map(|row| {
                let host = harmless(&row.host);
                match (row.exposure.as_str(), row.verdict.as_str()) {
                    (_, "evicted") => Some(format!(
                        "{host}: patched, every known foothold verified absent"
                    )),
                    ("patched", _) => Some(format!(
                        "{host}: patched; that intruders are out is not proven"
                    )),
                    ("mitigated", _) => Some(format!("{host}: mitigated, not patched")),
                    _ => None,
                }
            })
            .collect(),
        Fact::Unknown => verdicts
            .iter()
            .map(|row| {
                let host = harmless(&row.host);
                let part = if row.sufficient { "all" } else { "only a part" };
                format!("{host}: {part} of the evidence that a judgement needs was seen")
            })
            .collect(),
        Fact::Person => Vec::new(),
    }
}
