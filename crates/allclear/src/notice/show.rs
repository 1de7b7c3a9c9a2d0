//! `allclear notice list` and `show`.

use super::{List, Show};
use crate::case::{failure, open};
use crate::exit::Failure;
use crate::{Outcome, output};
use response::notice::state::State;
use std::collections::BTreeMap;
use std::process::ExitCode;
use store::response::{NoticeMailRow, NoticeRow, NoticeStepRow, NoticeSubjectRow};

pub(super) fn list(list: &List) -> Outcome {
    let case = open(&list.at)?;
    if let Some(state) = &list.state
        && State::parse(state).is_none()
    {
        let names: Vec<&str> = State::ALL.into_iter().map(State::name).collect();
        return Err(Failure::usage(
            format!("`{state}` is no state"),
            format!("states are {}", names.join(", ")),
        ));
    }
    let mut rows: Vec<NoticeRow> = case.rows().map_err(failure)?;
    rows.retain(|row| {
        list.campaign
            .as_ref()
            .is_none_or(|campaign| row.campaign == *campaign)
            && list.state.as_ref().is_none_or(|state| row.state == *state)
    });
    rows.sort_by(|a, b| {
        (&a.campaign, a.queued, &a.address, &a.id).cmp(&(&b.campaign, b.queued, &b.address, &b.id))
    });
    output::to_standard_output(&mut |out| {
        let mut counts: BTreeMap<Option<State>, u64> = BTreeMap::new();
        for row in &rows {
            *counts.entry(State::parse(&row.state)).or_default() += 1;
            if list.json {
                let line = serde_json::json!({
                    "notice": row.id, "campaign": row.campaign, "kind": row.kind, "parent": row.parent, "state": row.state,
                    "route": row.route, "channel": row.channel, "address": row.address, "level": row.level, "tlp": row.tlp,
                    "organisations": row.organisations, "attempts": row.attempts, "error": row.last_error,
                    "queued_by": row.queued_by, "released_by": row.released_by, "changed": time(row.changed),
                });
                report::json_line(&line, out)?;
            } else {
                writeln!(
                    out,
                    "{}  {:<12} {:<10} {:<13} {:>5}  {}",
                    row.id,
                    row.state,
                    row.kind,
                    row.route,
                    row.organisations,
                    report::visible(&row.address.replace('\n', ", "))
                )?;
            }
        }
        if !list.json {
            let counted = counts.iter().map(|(state, count)| {
                format!("{count} {}", state.map_or("in no known state", State::name))
            });
            let counted: Vec<String> = counted.collect();
            writeln!(out, "{} notices: {}", rows.len(), counted.join(", "))?;
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn time(micros: i64) -> String {
    let time = model::Timestamp::from_microsecond(micros);
    time.map_or_else(|_| "-".to_owned(), |time| time.to_string())
}

pub(super) fn show(show: &Show) -> Outcome {
    let case = open(&show.at)?;
    let code = show.code.trim().to_ascii_uppercase();
    let Some(row) = case.row::<NoticeRow>(&[&code]).map_err(failure)? else {
        return Err(Failure::usage(
            format!("the case has no notice {code}"),
            "`allclear notice list CASE` names what there is",
        ));
    };
    let subjects: Vec<NoticeSubjectRow> = case.rows_where("notice", &code).map_err(failure)?;
    let steps: Vec<NoticeStepRow> = case.rows_where("notice", &code).map_err(failure)?;
    let mails: Vec<NoticeMailRow> = case.rows_where("notice", &code).map_err(failure)?;
    output::to_standard_output(&mut |out| {
        if show.json {
            let line = serde_json::json!({ "notice": row, "organisations": subjects, "steps": steps, "mails": mails });
            return report::json_line(&line, out);
        }
        writeln!(
            out,
            "{}  {}  {}  {}",
            row.id, row.kind, row.state, row.campaign
        )?;
        writeln!(
            out,
            "To: {}{}",
            report::visible(&row.address.replace('\n', ", ")),
            if row.pgp_key.is_some() {
                " (encrypted)"
            } else {
                ""
            }
        )?;
        writeln!(out, "Why: {}", report::visible(&row.reason))?;
        writeln!(
            out,
            "Tells: {}, {}; about {} organisations",
            row.level, row.tlp, row.organisations
        )?;
        for step in &steps {
            writeln!(
                out,
                "{}  {}{}: {}",
                time(step.time),
                step.state,
                step.person
                    .as_ref()
                    .map_or_else(String::new, |by| format!(" by {}", report::visible(by))),
                report::visible(&step.why)
            )?;
        }
        for mail in &mails {
            writeln!(
                out,
                "{}  {} from {}: {}",
                time(mail.received),
                mail.kind,
                report::visible(&mail.sender),
                report::visible(&mail.outcome)
            )?;
        }
        if let Some(error) = &row.last_error {
            writeln!(out, "Last error: {}", report::visible(error))?;
        }
        writeln!(out, "\nSubject: {}\n", report::visible(&row.subject))?;
        for line in row.body.lines() {
            writeln!(out, "{}", report::visible(line))?;
        }
        if let Some(table) = &row.attachment {
            writeln!(out, "\nTable beside it: {} lines", table.lines().count())?;
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}
