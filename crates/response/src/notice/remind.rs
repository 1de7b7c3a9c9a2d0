//! Who is reminded, and who is told by another way: by what the recipient did, and only then by the calendar.

use super::day;
use super::facts::{Headline, Subject};
use super::queue::{self, Given, Group, GroupKey, Queue};
use super::route::Level;
use super::state::State;
use super::text::TextError;
use crate::registry::Registry;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use store::response::{ContactRow, NoticeRow};

const TABLE: &str = include_str!("../../../../knowledge/notices/reminders.yaml");

const DAY_MICROS: i64 = 86_400_000_000;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The same recipient is written to again.
    Remind,
    /// The next way to the organisation is taken.
    Escalate,
}

/// A row of the table: the first that fits holds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub id: String,
    /// Where the notice stands.
    pub states: Vec<String>,
    /// What is known now of one of its organisations.
    pub known: Vec<String>,
    /// Reminders that were sent already.
    pub reminders: usize,
    /// Only where it was seen again after the recipient's last word.
    #[serde(default)]
    pub seen_again: bool,
    /// Days since the last word on either side.
    pub after_days: i64,
    pub action: Action,
    pub why: String,
    pub source: String,
}

/// The table that comes with Allclear.
pub fn rules() -> Vec<Rule> {
    serde_yaml_ng::from_str(TABLE).expect("a test reads the table")
}

/// The reminders that are due. `passed` of the answer names notices that are left alone, by code.
pub fn remind(given: &Given<'_>, rules: &[Rule]) -> Result<Queue, TextError> {
    let mut queue = Queue::default();
    let mut escalated: BTreeMap<GroupKey, Group<'_>> = BTreeMap::new();
    let newest = newest(given);
    let known = queue::known(given);
    let addresses = addresses(given);
    let mut about: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in given.told {
        let at = about.entry(row.notice.as_str()).or_default();
        at.push(row.organisation.as_str());
    }
    let mut reminders: BTreeMap<&str, Vec<&NoticeRow>> = BTreeMap::new();
    for notice in given.notices {
        if notice.kind == "reminder"
            && State::parse(&notice.state).is_some_and(State::counts)
            && let Some(parent) = &notice.parent
        {
            reminders.entry(parent).or_default().push(notice);
        }
    }
    for notice in given.notices {
        if notice.campaign != given.campaign || notice.kind != "notice" {
            continue;
        }
        let sent = reminders
            .get(notice.id.as_str())
            .map_or(&[][..], Vec::as_slice);
        if let Some(open) = sent.iter().find(|row| {
            matches!(
                State::parse(&row.state),
                Some(State::Queued | State::Released | State::InDoubt)
            )
        }) {
            queue.passed.push((
                notice.id.clone(),
                format!("the reminder {} is on its way", open.id),
            ));
            continue;
        }
        // Whoever answered a reminder answered the notice.
        let voice = sent
            .iter()
            .copied()
            .chain([notice])
            .max_by_key(|row| (answered(row), row.changed))
            .unwrap_or(notice);
        let last = sent
            .iter()
            .map(|row| row.changed)
            .chain([notice.changed])
            .max();
        let quiet_days = (given.now - last.unwrap_or(notice.changed)) / DAY_MICROS;
        let organisations = about.get(notice.id.as_str()).map_or(&[][..], Vec::as_slice);
        // Those that still need it, and were not told by a later notice.
        let open: Vec<&Subject> = organisations
            .iter()
            .filter_map(|id| {
                let id = &given.registry.organisation(id)?.row.id;
                let is_newest = newest
                    .get(id.as_str())
                    .is_none_or(|code| *code == notice.id);
                given.subjects.get(id).filter(|_| is_newest)
            })
            .collect();
        if open.is_empty() {
            continue;
        }
        let fits = |rule: &&Rule| {
            rule.states.contains(&voice.state)
                && rule.reminders == sent.len()
                && open.iter().any(|subject| matches(rule, subject, voice))
        };
        let Some(rule) = rules.iter().find(fits) else {
            continue;
        };
        if quiet_days < rule.after_days {
            let left = rule.after_days - quiet_days;
            let why = format!("{}: {left} days to go", rule.id);
            queue.passed.push((notice.id.clone(), why));
            continue;
        }
        let open: Vec<&Subject> = open
            .into_iter()
            .filter(|subject| matches(rule, subject, voice))
            .collect();
        match rule.action {
            Action::Remind => queue
                .written
                .push(reminder(given, &known, notice, voice, rule, &open)?),
            Action::Escalate => {
                for subject in open {
                    escalate(
                        given,
                        &addresses,
                        &mut escalated,
                        &mut queue,
                        notice,
                        rule,
                        subject,
                    );
                }
            }
        }
    }
    for (key, group) in escalated {
        queue
            .written
            .push(queue::write(given, &known, "notice", &key, &group)?);
    }
    Ok(queue)
}

fn answered(row: &NoticeRow) -> bool {
    matches!(
        State::parse(&row.state),
        Some(State::Acknowledged | State::Acted | State::Refuted)
    )
}

fn matches(rule: &Rule, subject: &Subject, voice: &NoticeRow) -> bool {
    rule.known
        .iter()
        .any(|known| Headline::parse(known) == Some(subject.headline))
        && (!rule.seen_again || subject.seen.is_some_and(|seen| seen > voice.changed))
}

/// The notice that each organisation was told by last.
fn newest<'a>(given: &Given<'a>) -> BTreeMap<&'a str, &'a str> {
    let notices: BTreeMap<&str, &NoticeRow> = given
        .notices
        .iter()
        .filter(|notice| notice.campaign == given.campaign && notice.kind == "notice")
        .filter(|notice| State::parse(&notice.state).is_some_and(State::counts))
        .map(|notice| (notice.id.as_str(), notice))
        .collect();
    let mut newest: BTreeMap<&str, &NoticeRow> = BTreeMap::new();
    for row in given.told {
        let Some(notice) = notices.get(row.notice.as_str()) else {
            continue;
        };
        let Some(organisation) = given.registry.organisation(&row.organisation) else {
            continue;
        };
        let at = newest.entry(&organisation.row.id).or_insert(notice);
        if (notice.queued, &notice.id) > (at.queued, &at.id) {
            *at = notice;
        }
    }
    newest
        .into_iter()
        .map(|(id, notice)| (id, notice.id.as_str()))
        .collect()
}

/// The addresses that an organisation was told by in this campaign.
fn addresses<'a>(given: &Given<'a>) -> BTreeMap<&'a str, BTreeSet<String>> {
    let notices = given
        .notices
        .iter()
        .filter(|notice| notice.campaign == given.campaign);
    let notices: BTreeMap<&str, &NoticeRow> =
        notices.map(|notice| (notice.id.as_str(), notice)).collect();
    let mut addresses: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for row in given.told {
        let organisation = given.registry.organisation(&row.organisation);
        let notice = notices.get(row.notice.as_str());
        if let (Some(organisation), Some(notice)) = (organisation, notice) {
            let at = addresses.entry(&organisation.row.id).or_default();
            at.insert(notice.address.clone());
        }
    }
    addresses
}

/// Writes to the same recipient, no more than it was told the first time: a contact that is no longer verified learns nothing.
fn reminder(
    given: &Given<'_>,
    known: &BTreeSet<&str>,
    notice: &NoticeRow,
    voice: &NoticeRow,
    rule: &Rule,
    subjects: &[&Subject],
) -> Result<queue::Written, TextError> {
    let level = Level::parse(&notice.level).unwrap_or(Level::Bare);
    // Everybody but a verified owner was told where to look it up; lists are not sent a second time.
    let level = if level == Level::Full {
        level
    } else {
        Level::Bare
    };
    let key = GroupKey {
        channel: notice.channel.clone(),
        address: notice.address.clone(),
        level,
        language: notice.language.clone(),
        audience: match notice.audience.as_str() {
            "manager" => "manager",
            _ => "administrator",
        },
        route: super::route::Route::ALL
            .into_iter()
            .find(|route| route.name() == notice.route)
            .unwrap_or(super::route::Route::Letter),
        parent: Some(notice.id.clone()),
    };
    let contact = ContactRow {
        name: notice.recipient.clone(),
        pgp_key: notice.pgp_key.clone(),
        address: notice.address.clone(),
        channel: notice.channel.clone(),
        ..ContactRow::default()
    };
    let mut parent = notice.clone();
    voice.state.clone_into(&mut parent.state);
    let group = Group {
        reason: format!("{}: {}", rule.id, rule.why),
        subjects: subjects
            .iter()
            .map(|subject| (*subject, contact.clone()))
            .collect(),
        contact,
        parent: Some(&parent),
        why: String::new(),
    };
    queue::write(given, known, "reminder", &key, &group)
}

fn escalate<'a>(
    given: &Given<'a>,
    addresses: &BTreeMap<&str, BTreeSet<String>>,
    groups: &mut BTreeMap<GroupKey, Group<'a>>,
    queue: &mut Queue,
    notice: &'a NoticeRow,
    rule: &Rule,
    subject: &'a Subject,
) {
    let registry: &Registry = given.registry;
    let Some(organisation) = registry.organisation(&subject.organisation) else {
        return;
    };
    let used_up = addresses.get(subject.organisation.as_str());
    let used_up = used_up.cloned().unwrap_or_default();
    match queue::way(given, organisation, subject, &used_up) {
        Ok(mut choice) => {
            let when = notice.sent.and_then(day).unwrap_or_default();
            choice.reason = format!(
                "{}: {} (first told {when}); {}",
                rule.id, rule.why, choice.reason
            );
            queue::group(given, groups, subject, choice, None);
        }
        Err(why) => {
            let why = format!(
                "{}: no further way to {}: {why}",
                rule.id, subject.organisation
            );
            queue.passed.push((notice.id.clone(), why));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_states_and_facts_that_there_are() {
        let rules = rules();
        assert!(!rules.is_empty());
        for rule in &rules {
            assert!(
                rule.states.iter().all(|name| State::parse(name).is_some()),
                "{rule:?}"
            );
            assert!(
                rule.known
                    .iter()
                    .all(|name| Headline::parse(name).is_some()),
                "{rule:?}"
            );
            assert!(!rule.source.is_empty() && rule.after_days >= 0, "{rule:?}");
        }
    }
}
