//! Joins facts, ways and words into notices: one for each recipient, whoever many organisations it is about.

use super::code::code;
use super::facts::{Headline, Subject};
use super::route::{Choice, Contacts, Level, Suppressions, audience, choose, looks_after};
use super::state::{self, State};
use super::text::{Occasion, Sender, Style, Templates, Text, TextError, View};
use super::{day, hex, mail};
use crate::registry::{Organisation, Registry};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use store::response::{ContactRow, NoticeRow, NoticeStepRow, NoticeSubjectRow};

/// More notices about the same with the same recipient than anybody writes.
const AGAIN_MAX: usize = 1000;

/// What notices are made of.
#[derive(Debug)]
pub struct Given<'a> {
    pub registry: &'a Registry,
    pub contacts: &'a Contacts,
    pub suppressions: &'a Suppressions,
    /// Codes that a person suppressed one by one.
    pub suppressed_codes: &'a BTreeSet<String>,
    /// What there is to tell, by organisation.
    pub subjects: &'a BTreeMap<String, Subject>,
    pub notices: &'a [NoticeRow],
    pub told: &'a [NoticeSubjectRow],
    pub templates: &'a Templates,
    pub sender: &'a Sender,
    /// Of the case; ticket codes are made of it.
    pub secret: &'a str,
    pub campaign: &'a str,
    pub now: i64,
    pub person: &'a str,
}

/// A notice that came to be.
#[derive(Clone, Debug)]
pub struct Written {
    pub notice: NoticeRow,
    pub subjects: Vec<NoticeSubjectRow>,
    pub step: NoticeStepRow,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Queue {
    pub written: Vec<Written>,
    /// Organisations that no notice was written for, and why: id and words.
    pub passed: Vec<(String, String)>,
}

/// What an organisation was told last, if it counts.
struct Before<'a> {
    notice: &'a NoticeRow,
    told: Option<Headline>,
}

/// The notices that are to be written now.
pub fn queue(given: &Given<'_>) -> Result<Queue, TextError> {
    let mut queue = Queue::default();
    let mut groups: BTreeMap<GroupKey, Group<'_>> = BTreeMap::new();
    let history = history(given);
    let known = known(given);
    for (id, subject) in given.subjects {
        let Some(organisation) = given.registry.organisation(id) else {
            continue;
        };
        if let Some(why) = passed(given, subject, history.get(id.as_str())) {
            queue.passed.push((id.clone(), why));
            continue;
        }
        let used_up = used_up(history.get(id.as_str()));
        match way(given, organisation, subject, &used_up) {
            Ok(choice) => group(given, &mut groups, subject, choice, None),
            Err(why) => queue
                .passed
                .push((id.clone(), format!("no way to it: {why}"))),
        }
    }
    for (key, group) in groups {
        queue
            .written
            .push(write(given, &known, "notice", &key, &group)?);
    }
    Ok(queue)
}

/// The way to an organisation, by contacts that can do something with what they may know.
pub(super) fn way(
    given: &Given<'_>,
    organisation: &Organisation,
    subject: &Subject,
    used_up: &BTreeSet<String>,
) -> Result<Choice, String> {
    if let Some(why) = given.suppressions.of_organisation(&subject.organisation) {
        return Err(format!("it is suppressed ({why})"));
    }
    let useful = |contact: &ContactRow| {
        Level::of(contact) != Level::Minimum
            || subject
                .servers
                .keys()
                .any(|(kind, value)| looks_after(contact, *kind, value))
    };
    choose(
        organisation,
        given.contacts,
        given.suppressions,
        used_up,
        &useful,
    )
}

/// What organisations were told in this campaign, by id, the latest last. Reminders and retractions say nothing new.
fn history<'a>(given: &Given<'a>) -> BTreeMap<&'a str, Vec<Before<'a>>> {
    let notices: BTreeMap<&str, &NoticeRow> = given
        .notices
        .iter()
        .filter(|notice| notice.campaign == given.campaign && notice.kind == "notice")
        .map(|notice| (notice.id.as_str(), notice))
        .collect();
    let mut history: BTreeMap<&str, Vec<Before<'_>>> = BTreeMap::new();
    for row in given.told {
        let Some(notice) = notices.get(row.notice.as_str()) else {
            continue;
        };
        // An organisation that was merged since was told what its parts were.
        let Some(organisation) = given.registry.organisation(&row.organisation) else {
            continue;
        };
        let before = history.entry(organisation.row.id.as_str()).or_default();
        before.push(Before {
            notice,
            told: Headline::parse(&row.told),
        });
    }
    for before in history.values_mut() {
        before.sort_by_key(|before| (before.notice.queued, &before.notice.id));
    }
    history
}

/// Why an organisation is not told again, if so.
fn passed(
    given: &Given<'_>,
    subject: &Subject,
    before: Option<&Vec<Before<'_>>>,
) -> Option<String> {
    for before in before.into_iter().flatten().rev() {
        let notice = before.notice;
        let state = State::parse(&notice.state)?;
        if before.told.is_some_and(|told| told < subject.headline) && state != State::Suppressed {
            continue;
        }
        match state {
            State::Suppressed if given.suppressed_codes.contains(&notice.id) => {
                return Some(format!("{} was suppressed by a person", notice.id));
            }
            State::Retracted if subject.seen.is_none_or(|seen| seen <= notice.changed) => {
                return Some(format!(
                    "{} was retracted, and nothing newer is known",
                    notice.id
                ));
            }
            state if state.counts() => {
                let when = notice.sent.or(Some(notice.queued)).and_then(day);
                let when = when.unwrap_or_default();
                return Some(format!("told by {} ({}, {when})", notice.id, notice.state));
            }
            _ => {}
        }
    }
    None
}

/// Addresses from which a notice came back.
fn used_up(before: Option<&Vec<Before<'_>>>) -> BTreeSet<String> {
    let bounced = before
        .into_iter()
        .flatten()
        .filter(|before| before.notice.state == State::Bounced.name());
    bounced
        .map(|before| before.notice.address.clone())
        .collect()
}

/// What makes it one notice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupKey {
    pub(super) channel: String,
    pub(super) address: String,
    pub(super) level: Level,
    pub(super) language: String,
    pub(super) audience: &'static str,
    pub(super) route: super::route::Route,
    pub(super) parent: Option<String>,
}

#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) contact: ContactRow,
    pub(super) reason: String,
    pub(super) subjects: Vec<(&'a Subject, ContactRow)>,
    pub(super) parent: Option<&'a NoticeRow>,
    pub(super) why: String,
}

/// Puts an organisation into the notices to its contacts.
pub(super) fn group<'a>(
    given: &Given<'_>,
    groups: &mut BTreeMap<GroupKey, Group<'a>>,
    subject: &'a Subject,
    choice: Choice,
    parent: Option<&'a NoticeRow>,
) {
    for mut contact in choice.contacts {
        let mut level = Level::of(&contact);
        let mut reason = choice.reason.clone();
        if level == Level::Full
            && let Some(key) = &contact.pgp_key
            && let Err(problem) = mail::check_key(key, given.now)
        {
            // Details that were to be encrypted are not sent in the clear instead.
            level = Level::Bare;
            reason = format!(
                "{reason}; its OpenPGP key cannot be used ({problem}), so details are held back"
            );
            contact.pgp_key = None;
        }
        let key = GroupKey {
            channel: contact.channel.clone(),
            address: match contact.channel.as_str() {
                "email" => contact.address.trim().to_owned(),
                _ => contact.address.clone(),
            },
            level,
            language: given.templates.language(contact.language.as_deref()),
            audience: audience(&contact),
            route: choice.route,
            parent: parent.map(|parent| parent.id.clone()),
        };
        let group = groups.entry(key).or_insert_with(|| Group {
            contact: contact.clone(),
            reason,
            subjects: Vec::new(),
            parent,
            why: String::new(),
        });
        group.subjects.push((subject, contact));
    }
}

/// The codes that are taken.
pub(super) fn known<'a>(given: &Given<'a>) -> BTreeSet<&'a str> {
    let ids = given.notices.iter().map(|notice| notice.id.as_str());
    ids.collect()
}

/// Writes one notice.
pub(super) fn write(
    given: &Given<'_>,
    known: &BTreeSet<&str>,
    kind: &str,
    key: &GroupKey,
    group: &Group<'_>,
) -> Result<Written, TextError> {
    let about: Vec<String> = group
        .subjects
        .iter()
        .map(|(subject, _)| format!("{}:{}", subject.organisation, subject.headline.name()))
        .collect();
    let about = about.join("\n");
    let parent = key.parent.as_deref().unwrap_or_default();
    let id = (0..AGAIN_MAX)
        .map(|again| {
            let parts = [
                given.campaign,
                kind,
                parent,
                key.channel.as_str(),
                key.address.as_str(),
                key.level.name(),
                key.language.as_str(),
                key.audience,
                key.route.name(),
                about.as_str(),
                &again.to_string(),
            ];
            code(given.secret, &parts)
        })
        .find(|id| !known.contains(id.as_str()))
        .unwrap_or_default();
    let occasion = Occasion {
        code: id.clone(),
        campaign: given.campaign.to_owned(),
        now: given.now,
        parent: group.parent.map(|parent| {
            let time = parent.sent.unwrap_or(parent.queued);
            (parent.id.clone(), time, parent.state.clone())
        }),
        why: group.why.clone(),
    };
    let about: Vec<(&Subject, &ContactRow)> = group
        .subjects
        .iter()
        .map(|(subject, contact)| (*subject, contact))
        .collect();
    let view = View::of(key.level, given.registry, &about);
    let text = given.templates.write(
        &Style {
            kind,
            audience: key.audience,
            language: &key.language,
        },
        key.level,
        &view,
        given.sender,
        &occasion,
    )?;
    let tlp = match kind {
        "retraction" => Level::Bare.tlp(),
        _ => key.level.tlp(),
    };
    let domain = match key.channel.as_str() {
        "email" => key
            .address
            .rsplit_once('@')
            .map_or("", |(_, domain)| domain),
        _ => "",
    };
    let notice = NoticeRow {
        id,
        campaign: given.campaign.to_owned(),
        kind: kind.to_owned(),
        parent: key.parent.clone(),
        state: State::Queued.name().to_owned(),
        route: key.route.name().to_owned(),
        reason: group.reason.clone(),
        channel: key.channel.clone(),
        address: key.address.clone(),
        domain: domain.to_lowercase(),
        recipient: group.contact.name.clone(),
        audience: key.audience.to_owned(),
        language: key.language.clone(),
        level: key.level.name().to_owned(),
        tlp: tlp.to_owned(),
        pgp_key: match key.channel.as_str() {
            "email" => group.contact.pgp_key.clone(),
            _ => None,
        },
        sha256: digest(&text),
        subject: text.subject,
        body: text.body,
        attachment: text.attachment,
        organisations: i64::try_from(group.subjects.len()).unwrap_or(i64::MAX),
        attempts: 0,
        last_error: None,
        queued: given.now,
        queued_by: given.person.to_owned(),
        released: None,
        released_by: None,
        claimed: None,
        sent: None,
        changed: given.now,
    };
    let subjects = group
        .subjects
        .iter()
        .map(|(subject, _)| NoticeSubjectRow {
            notice: notice.id.clone(),
            organisation: subject.organisation.clone(),
            told: subject.headline.name().to_owned(),
        })
        .collect();
    let step = state::row(&notice, 0, given.now, Some(given.person), &group.reason);
    Ok(Written {
        notice,
        subjects,
        step,
    })
}

/// SHA-256 over what is sent, so that what was released can be told from what was not.
pub fn digest(text: &Text) -> String {
    let mut hash = Sha256::new();
    for part in [
        text.subject.as_str(),
        text.body.as_str(),
        text.attachment.as_deref().unwrap_or_default(),
    ] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize())
}

/// The notice that takes another back; it goes where that one went, and tells of no server.
pub fn retraction(given: &Given<'_>, parent: &NoticeRow, why: &str) -> Result<Written, TextError> {
    let key = GroupKey {
        channel: parent.channel.clone(),
        address: parent.address.clone(),
        level: Level::Bare,
        language: parent.language.clone(),
        audience: match parent.audience.as_str() {
            "manager" => "manager",
            _ => "administrator",
        },
        route: super::route::Route::ALL
            .into_iter()
            .find(|route| route.name() == parent.route)
            .unwrap_or(super::route::Route::Letter),
        parent: Some(parent.id.clone()),
    };
    let group = Group {
        contact: ContactRow {
            name: parent.recipient.clone(),
            pgp_key: parent.pgp_key.clone(),
            ..ContactRow::default()
        },
        reason: format!("it takes {} back", parent.id),
        subjects: Vec::new(),
        parent: Some(parent),
        why: why.to_owned(),
    };
    write(given, &known(given), "retraction", &key, &group)
}
