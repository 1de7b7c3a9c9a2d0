//! `allclear notice send`: what was released goes out, each once.
//!
//! A notice is claimed (`in_doubt`) in a transaction of its own before the first byte goes out, and its outcome is written
//! after the last; the outcome of one and the claim of the next share a transaction. Whatever ends the run in between leaves
//! one notice in doubt, and one in doubt is never sent by a program again: a person or what comes back resolves it.

use super::Send;
use super::change::advance;
use super::kept::Settings;
use super::wire::{Delivery, Wire};
use crate::case::{failure, open};
use crate::exit::{self, Failure};
use crate::{Outcome, output};
use lettre::message::Mailbox;
use response::notice::mail::{Mail, mail};
use response::notice::route::Suppressions;
use response::notice::state::State;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use store::Case;
use store::response::NoticeRow;

const HOUR_MICROS: i64 = 3_600_000_000;
/// A server that refuses one mail after the other for now is left alone.
const NOT_YET_MAX: usize = 5;

/// How many may still go out in this hour.
struct Rates {
    per_domain: u64,
    per_hour: u64,
    sent: u64,
    by_domain: BTreeMap<String, u64>,
}

impl Rates {
    fn of(settings: &Settings, notices: &[NoticeRow], now: i64) -> Self {
        let mut rates = Self {
            per_domain: settings.per_domain(),
            per_hour: settings.per_hour(),
            sent: 0,
            by_domain: BTreeMap::new(),
        };
        for row in notices {
            if row.channel == "email" && row.claimed.is_some_and(|time| time > now - HOUR_MICROS) {
                rates.count(&row.domain);
            }
        }
        rates
    }

    fn count(&mut self, domain: &str) {
        self.sent += 1;
        *self.by_domain.entry(domain.to_owned()).or_default() += 1;
    }

    fn allows(&self, domain: &str) -> bool {
        let of_domain = self.by_domain.get(domain).copied().unwrap_or(0);
        self.sent < self.per_hour && of_domain < self.per_domain
    }
}

#[derive(Debug, Default)]
struct Tally {
    sent: u64,
    bounced: u64,
    in_doubt: u64,
    not_yet: u64,
    over_rate: u64,
    unmade: Vec<String>,
    letters: u64,
    others: u64,
    last_error: Option<String>,
}

pub(super) fn run(send: &Send) -> Outcome {
    let case = open(&send.at)?;
    let now = send.now.micros();
    let all: Vec<NoticeRow> = case.rows().map_err(failure)?;
    let settings = Settings::of(&case)?;
    let mut rates = Rates::of(&settings, &all, now);
    let suppressions = Suppressions::of(case.rows().map_err(failure)?);
    let in_doubt = all.iter().filter(|row| row.state == "in_doubt").count();
    let mut released: Vec<NoticeRow> = all
        .into_iter()
        .filter(|row| row.state == "released")
        .collect();
    released.sort_by(|a, b| (a.released, &a.id).cmp(&(b.released, &b.id)));
    let (mails, letters): (Vec<NoticeRow>, Vec<NoticeRow>) =
        released.into_iter().partition(|row| row.channel == "email");
    let from = match &send.from {
        Some(from) => from.parse::<Mailbox>().map_err(|error| {
            Failure::usage(format!("{from}: {error}"), "such as cert@cert.example")
        })?,
        None => "nobody@localhost".parse().map_err(Failure::fault)?,
    };
    let mut tally = Tally::default();
    let mut wire = match (&send.smtp, send.really) {
        (Some(url), true) => Some(Wire::new(url, password())?),
        _ => None,
    };
    let limit = send.limit.unwrap_or(usize::MAX);
    let mut pending: Option<(NoticeRow, State, String)> = None;
    let mut not_yet_in_a_row = 0;
    let mut gone = 0;
    for notice in mails {
        if gone >= limit || not_yet_in_a_row >= NOT_YET_MAX {
            tally.not_yet += 1;
            continue;
        }
        if suppressions.of_address(&notice.address).is_some() {
            tally.others += 1;
            continue;
        }
        if !rates.allows(&notice.domain) {
            tally.over_rate += 1;
            continue;
        }
        let time = match send.now.as_of {
            Some(time) => time,
            None => crate::case::now(),
        };
        let made = match mail(&notice, &from, time) {
            Ok(made) => made,
            Err(error) => {
                tally.unmade.push(format!("{}: {error}", notice.id));
                continue;
            }
        };
        rates.count(&notice.domain);
        gone += 1;
        let Some(wire) = &mut wire else {
            tally.sent += 1;
            continue;
        };
        let Some(claimed) = claim(&case, pending.take().as_ref(), &notice, store::micros(time))?
        else {
            // Another sender has it.
            tally.others += 1;
            continue;
        };
        pending = deliver(wire, &made, claimed, &mut tally, &mut not_yet_in_a_row);
    }
    if let Some((notice, to, why)) = pending {
        settle(&case, &notice, to, &why, send.now.micros())?;
    }
    for notice in letters {
        if let (Some(folder), true) = (&send.letters, send.really) {
            letter(&case, folder, &notice, now)?;
            tally.in_doubt += 1;
        } else {
            tally.letters += 1;
        }
    }
    tell(send, &tally, in_doubt)
}

/// Writes down how the one before ended and takes the next in hand, in one transaction; `None` where somebody else has it.
fn claim(
    case: &Case,
    before: Option<&(NoticeRow, State, String)>,
    next: &NoticeRow,
    now: i64,
) -> Result<Option<NoticeRow>, Failure> {
    case.change(now, async |change| {
        let mut detail = serde_json::json!({ "claimed": next.id });
        if let Some((notice, to, why)) = before {
            advance(change, notice, *to, now, None, why).await?;
            detail =
                serde_json::json!({ "claimed": next.id, "notice": notice.id, "state": to.name() });
        }
        let claimed = advance(change, next, State::InDoubt, now, None, "taken in hand").await?;
        change.note("notice sending", &detail).await?;
        if claimed {
            change.row::<NoticeRow>(&[&next.id]).await
        } else {
            Ok(None)
        }
    })
    .map_err(failure)
}

fn settle(case: &Case, notice: &NoticeRow, to: State, why: &str, now: i64) -> Result<(), Failure> {
    let detail = serde_json::json!({ "notice": notice.id, "state": to.name() });
    case.change(now, async |change| {
        advance(change, notice, to, now, None, why).await?;
        change.note("notice sending", &detail).await
    })
    .map_err(failure)
}

/// Hands a mail over; gives what is to be written down of it. One in doubt stays so.
fn deliver(
    wire: &mut Wire,
    made: &Mail,
    mut notice: NoticeRow,
    tally: &mut Tally,
    not_yet_in_a_row: &mut usize,
) -> Option<(NoticeRow, State, String)> {
    let outcome = wire.deliver(made);
    *not_yet_in_a_row = match outcome {
        Delivery::NotYet(_) => *not_yet_in_a_row + 1,
        _ => 0,
    };
    match outcome {
        Delivery::Taken => {
            tally.sent += 1;
            notice.last_error = None;
            Some((notice, State::Sent, "the mail server took it".to_owned()))
        }
        Delivery::Refused(why) => {
            tally.bounced += 1;
            notice.last_error = Some(why.clone());
            Some((
                notice,
                State::Bounced,
                format!("the mail server refused it: {why}"),
            ))
        }
        Delivery::NotYet(why) => {
            tally.not_yet += 1;
            tally.last_error = Some(why.clone());
            notice.last_error = Some(why.clone());
            Some((
                notice,
                State::Released,
                format!("the mail server did not take it: {why}"),
            ))
        }
        Delivery::Unknown(why) => {
            tally.in_doubt += 1;
            tally.last_error = Some(why);
            None
        }
    }
}

/// A letter as a text file. That it was posted only a person knows.
fn letter(case: &Case, folder: &Path, notice: &NoticeRow, now: i64) -> Result<(), Failure> {
    let Some(claimed) = claim(case, None, notice, now)? else {
        return Ok(());
    };
    let path = folder.join(format!("{}.txt", claimed.id));
    output::to_file(&path, &mut |out| {
        writeln!(
            out,
            "{}\n\n{}\n\n{}",
            claimed.address, claimed.subject, claimed.body
        )
    })
}

#[expect(clippy::disallowed_methods, reason = "settings are read here")]
fn password() -> Option<String> {
    std::env::var("ALLCLEAR_SMTP_PASSWORD").ok()
}

fn tell(send: &Send, tally: &Tally, in_doubt_before: usize) -> Outcome {
    output::to_standard_output(&mut |out| {
        if send.really {
            writeln!(
                out,
                "{} sent, {} refused by the mail server, {} in doubt",
                tally.sent, tally.bounced, tally.in_doubt
            )?;
        } else {
            writeln!(
                out,
                "{} would be sent; nothing was: --really sends",
                tally.sent
            )?;
        }
        for (count, what) in [
            (
                tally.not_yet,
                "wait: the mail server did not take them, or the limit was reached",
            ),
            (
                tally.over_rate,
                "wait: more than may go out in an hour; run it again later",
            ),
            (
                tally.others,
                "left alone: suppressed, or taken in hand by another sender",
            ),
            (
                tally.letters,
                "letters wait: --letters DIR --really writes them",
            ),
        ] {
            if count > 0 {
                writeln!(out, "{count} {what}")?;
            }
        }
        for line in &tally.unmade {
            writeln!(out, "not sent: {}", report::visible(line))?;
        }
        if let Some(error) = &tally.last_error {
            writeln!(out, "the last error: {}", report::visible(error))?;
        }
        if in_doubt_before > 0 {
            writeln!(
                out,
                "{in_doubt_before} are in doubt from before; `allclear notice resolve` or `receive` says what became of them"
            )?;
        }
        Ok(())
    })?;
    let whole =
        tally.unmade.is_empty() && tally.not_yet == 0 && tally.bounced == 0 && tally.in_doubt == 0;
    Ok(ExitCode::from(if whole {
        exit::ASSURED
    } else {
        exit::NOT_ASSURED
    }))
}
