//! What people decide about notices: release, suppress, retract, resolve.

use super::kept::{Kept, Settings};
use super::{Release, Resolve, Retract, Suppress, queue};
use crate::case::{failure, open};
use crate::exit::Failure;
use crate::{Outcome, output};
use response::notice::queue::retraction;
use response::notice::release::refusal;
use response::notice::state::{State, step};
use std::collections::BTreeSet;
use std::process::ExitCode;
use store::response::{Change, NoticeRow, NoticeStepRow, NoticeSubjectRow, SuppressionRow};
use store::{Case, CaseError};

const CODES_ADVICE: &str = "`allclear notice list CASE` names what there is";

/// The notices of these codes.
fn named(case: &Case, codes: &[String]) -> Result<Vec<NoticeRow>, Failure> {
    let mut found = Vec::new();
    for code in codes {
        let code = code.trim().to_ascii_uppercase();
        let row = case.row::<NoticeRow>(&[&code]).map_err(failure)?;
        found.push(row.ok_or_else(|| {
            Failure::usage(format!("the case has no notice {code}"), CODES_ADVICE)
        })?);
    }
    Ok(found)
}

/// Takes a notice one state further, if it still stands as it was read. Gives whether it did.
pub(super) async fn advance(
    change: &mut Change<'_>,
    notice: &NoticeRow,
    to: State,
    now: i64,
    person: Option<&str>,
    why: &str,
) -> Result<bool, CaseError> {
    let Some(mut row) = change.row::<NoticeRow>(&[&notice.id]).await? else {
        return Ok(false);
    };
    if row.state != notice.state {
        return Ok(false);
    }
    let steps: Vec<NoticeStepRow> = change.rows_where("notice", &notice.id).await?;
    let Ok(done) = step(&mut row, steps.len(), to, now, person, why) else {
        return Ok(false);
    };
    row.last_error.clone_from(&notice.last_error);
    change.put(&[row]).await?;
    change.add(&[done]).await?;
    Ok(true)
}

/// Takes notices one state further, all or none.
fn all_or_none(
    case: &Case,
    notices: &[NoticeRow],
    to: State,
    now: i64,
    person: &str,
    why: &str,
    what: &str,
) -> Result<(), Failure> {
    for notice in notices {
        let from = State::parse(&notice.state);
        if !from.is_some_and(|from| from.may_become(to)) {
            return Err(Failure::usage(
                format!(
                    "{} is {}: it cannot become {}",
                    notice.id,
                    notice.state,
                    to.name()
                ),
                "nothing was changed; `allclear notice show CASE CODE` says what became of it",
            ));
        }
    }
    let codes: Vec<&str> = notices.iter().map(|row| row.id.as_str()).collect();
    let detail =
        serde_json::json!({ "by": person, "why": why, "notices": codes, "state": to.name() });
    let mut changed = 0;
    case.change(now, async |change| {
        for notice in notices {
            if advance(change, notice, to, now, Some(person), why).await? {
                changed += 1;
            }
        }
        change.note(what, &detail).await
    })
    .map_err(failure)?;
    if changed == notices.len() {
        Ok(())
    } else {
        Err(Failure::fault(format!(
            "{} of the notices were changed by somebody else in the meantime",
            notices.len() - changed
        ))
        .with_advice("the others were changed; run the same command again"))
    }
}

pub(super) fn release(release: &Release) -> Outcome {
    let case = open(&release.at)?;
    let now = release.now.micros();
    let mut rows = named(&case, &release.which.codes)?;
    let all: Vec<NoticeRow> = case.rows().map_err(failure)?;
    if let Some(campaign) = &release.which.campaign {
        let queued = |row: &&NoticeRow| row.campaign == *campaign && row.state == "queued";
        rows.extend(all.iter().filter(queued).cloned());
    }
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    rows.dedup_by(|a, b| a.id == b.id);
    let wanted: Vec<&NoticeRow> = rows.iter().collect();
    let alone = Settings::of(&case)?.alone();
    if let Some(why) = refusal(&all, &wanted, &release.by, alone) {
        return Err(Failure::usage(
            why,
            "somebody else must look at them and release them; `allclear notice show` shows each",
        ));
    }
    all_or_none(
        &case,
        &rows,
        State::Released,
        now,
        &release.by,
        "released",
        "notices released",
    )?;
    output::say(&format!("{} notices released", rows.len()))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn resolve(resolve: &Resolve) -> Outcome {
    let case = open(&resolve.at)?;
    let now = resolve.now.micros();
    let rows = named(&case, &resolve.codes)?;
    let to = &resolve.to;
    let to = match () {
        () if to.sent => State::Sent,
        () if to.not_sent => State::Released,
        () if to.acknowledged => State::Acknowledged,
        () if to.acted => State::Acted,
        () if to.refuted => State::Refuted,
        () => State::Bounced,
    };
    if to == State::Released
        && let Some(row) = rows.iter().find(|row| row.state != "in_doubt")
    {
        return Err(Failure::usage(
            format!("{} is {}, not in doubt", row.id, row.state),
            "--not-sent is for notices that are in doubt",
        ));
    }
    all_or_none(
        &case,
        &rows,
        to,
        now,
        &resolve.by,
        &resolve.why,
        "notices resolved",
    )?;
    output::say(&format!("{} notices are {}", rows.len(), to.name()))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn suppress(suppress: &Suppress) -> Outcome {
    let case = open(&suppress.at)?;
    let now = suppress.now.micros();
    let whom = &suppress.whom;
    let lower = |value: &Option<String>| value.as_ref().map(|value| value.trim().to_lowercase());
    let (kind, value) = if let Some(code) = &whom.code {
        let row = named(&case, std::slice::from_ref(code))?;
        (
            "notice",
            row.first().map(|row| row.id.clone()).unwrap_or_default(),
        )
    } else if let Some(address) = lower(&whom.address) {
        ("address", address)
    } else if let Some(domain) = lower(&whom.domain) {
        ("domain", domain.trim_start_matches('@').to_owned())
    } else {
        (
            "organisation",
            whom.organisation.clone().unwrap_or_default(),
        )
    };
    let before = case
        .row::<SuppressionRow>(&[kind, &value])
        .map_err(failure)?;
    if suppress.lift && before.as_ref().is_none_or(|row| row.lifted.is_some()) {
        return Err(Failure::usage(
            format!("{kind} {value} is not suppressed"),
            "check how it is written",
        ));
    }
    let row = SuppressionRow {
        kind: kind.to_owned(),
        value: value.clone(),
        why: match (&before, suppress.lift) {
            (Some(before), true) => before.why.clone(),
            _ => suppress.why.clone(),
        },
        person: match (&before, suppress.lift) {
            (Some(before), true) => before.person.clone(),
            _ => suppress.by.clone(),
        },
        made: match (&before, suppress.lift) {
            (Some(before), true) => before.made,
            _ => now,
        },
        lifted: suppress.lift.then_some(now),
        lifted_person: suppress.lift.then(|| suppress.by.clone()),
    };
    // What waits to be sent and is concerned is stopped with it.
    let mut stopped: Vec<NoticeRow> = Vec::new();
    if !suppress.lift {
        let subjects: Vec<NoticeSubjectRow> = case.rows().map_err(failure)?;
        let about: BTreeSet<&str> = subjects
            .iter()
            .filter(|row| kind == "organisation" && row.organisation == value)
            .map(|row| row.notice.as_str())
            .collect();
        let waits = |row: &NoticeRow| matches!(row.state.as_str(), "queued" | "released");
        let below = format!(".{value}");
        let concerned = |row: &NoticeRow| match kind {
            "notice" => row.id == value,
            "address" => row.address.to_lowercase() == value,
            "domain" => row.domain == value || row.domain.ends_with(&below),
            _ => about.contains(row.id.as_str()),
        };
        let all: Vec<NoticeRow> = case.rows().map_err(failure)?;
        if kind == "notice"
            && let Some(row) = all
                .iter()
                .find(|row| row.id == value && !waits(row) && row.state != "in_doubt")
        {
            return Err(Failure::usage(
                format!(
                    "{} is {}: it cannot be suppressed any more",
                    row.id, row.state
                ),
                "`allclear notice retract` takes it back",
            ));
        }
        stopped = all
            .into_iter()
            .filter(|row| concerned(row) && (waits(row) || kind == "notice"))
            .collect();
    }
    let codes: Vec<&str> = stopped.iter().map(|row| row.id.as_str()).collect();
    let what = if suppress.lift {
        "suppression lifted"
    } else {
        "suppression made"
    };
    let detail = serde_json::json!({
        "by": suppress.by, "why": suppress.why, "kind": kind, "value": value, "notices": codes,
    });
    case.change(now, async |change| {
        change.put(std::slice::from_ref(&row)).await?;
        for notice in &stopped {
            advance(
                change,
                notice,
                State::Suppressed,
                now,
                Some(&suppress.by),
                &suppress.why,
            )
            .await?;
        }
        change.note(what, &detail).await
    })
    .map_err(failure)?;
    output::say(&format!(
        "{what}: {kind} {}; {} notices stopped",
        report::visible(&value),
        stopped.len()
    ))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn retract(retract: &Retract) -> Outcome {
    let case = open(&retract.at)?;
    let now = retract.now.micros();
    let rows = named(&case, std::slice::from_ref(&retract.code))?;
    let Some(notice) = rows.first() else {
        return Err(Failure::usage("no notice is named", CODES_ADVICE));
    };
    let state = State::parse(&notice.state);
    let written = if state.is_some_and(State::may_have_arrived) {
        let kept = Kept::load(&case, &notice.campaign, None, now, &retract.by)?;
        let made = retraction(&kept.given(now, &retract.by), notice, &retract.why);
        Some(made.map_err(super::kept::template_failure)?)
    } else {
        None
    };
    let why = &retract.why;
    all_or_none(
        &case,
        &rows,
        State::Retracted,
        now,
        &retract.by,
        why,
        "notice retracted",
    )?;
    let Some(written) = written else {
        output::say(&format!("{} retracted; it was never sent", notice.id))?;
        return Ok(ExitCode::SUCCESS);
    };
    let id = written.notice.id.clone();
    queue::keep(&case, &[written], now, &retract.by, "retraction queued")?;
    output::say(&format!(
        "{} retracted; {id} says so to its recipient once it is released",
        notice.id
    ))?;
    Ok(ExitCode::SUCCESS)
}
